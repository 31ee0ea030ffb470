"""What does a training step of a deep flow hold in memory, and what does forgetting cost?

A gradient needs the values on the way. They can be kept, or computed again when their turn comes.
"""

import json
import math
import resource
import statistics
import subprocess
import sys
import time

import torch
from torch.utils.checkpoint import checkpoint

from experiments.study import Study
from flows import RealNVP, standard_normal_log_prob

from .common import SHAPE, ring

DEPTHS, BATCH, STEPS = (16, 50, 100), 4096, 5
PIECES = {"kept": 0, "forgotten in each layer": 1, "forgotten in stretches": -1}


def piece(layers, x):
    """The encode direction of some layers, and their log-det."""
    total = 0
    for layer in layers:
        x, log_det = layer.encode(x)
        total = total + log_det
    return x, total


def loss_of(flow, x, length: int):
    """Mean NLL; with a length, only the values between pieces of so many layers are kept."""
    layers, total = list(reversed(flow.layers)), 0
    for first in range(0, len(layers), length or len(layers)):
        part = layers[first : first + (length or len(layers))]
        if length:
            x, log_det = checkpoint(piece, part, x, use_reentrant=False)
        else:
            x, log_det = piece(part, x)
        total = total + log_det
    return -(standard_normal_log_prob(x).sum(dim=1) + total).mean()


def peak() -> float:
    """The most memory that this process has held so far, MiB."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / 2**20 if sys.platform == "darwin" else held / 2**10


def measure(n_layers: int, pieces: int, seed: int) -> dict[str, float]:
    """Peak memory above that of a step with few points, and CPU milliseconds of a step."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    flow = RealNVP(**(SHAPE | {"n_layers": n_layers}))
    length = round(math.sqrt(len(flow.layers))) if pieces < 0 else pieces
    adam = torch.optim.Adam(flow.parameters(), lr=1e-3)
    generator, times, least = torch.Generator().manual_seed(seed), [], peak()
    for points in [8, *[BATCH] * STEPS]:  # the first, of few points, loads what it needs
        start = time.process_time()
        adam.zero_grad()
        loss_of(flow, ring(points, generator), length).backward()
        adam.step()
        times.append(1000 * (time.process_time() - start))
        least = peak() if points == 8 else least
    return {"mib": peak() - least, "ms": statistics.median(times[1:])}


def run(settings: dict, seeds: list[int]) -> list[dict]:
    """One process for each measurement: a process does not forget its peak."""
    rows = []
    for seed in seeds:
        what = f"measure({settings['n_layers']}, {settings['pieces']}, {seed})"
        code = f"import json; from {__name__} import measure; print(json.dumps({what}))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
        if done.returncode:
            raise RuntimeError(done.stderr)
        rows.append(json.loads(done.stdout))
    return rows


STUDY = Study(
    "recompute", "Memory and time of a step of a deep flow, values kept or computed again?", run,
    {f"{depth} couplings, {how}": {"n_layers": depth, "pieces": pieces}
     for depth in DEPTHS for how, pieces in PIECES.items()},
    seeds=range(3),
)  # fmt: skip
