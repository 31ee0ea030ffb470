"""A condition without a density, beside one that has it: does the loss have a floor?"""

import torch

import gen_models_utilities as gmu
from experiments.study import Study
from flows import RealNVP, mean_nll

from .common import SHAPE, fit

TAU = 0.25  # noise of the sensor, the control
STEPS = (100, 400, 1600)


def draw(tau: float):
    """Points and, as context (n, 1), their scaled distance, read with noise tau."""

    def pairs(n, generator):
        x, _ = gmu.sample_ring(n, generator)
        noise = torch.randn(n, 1, generator=generator)
        return x, (x.norm(dim=1, keepdim=True) + tau * noise - 3) / 0.25

    return pairs


def run(settings: dict, seeds: list[int]) -> list[dict]:
    """Train so many steps; held-out NLL."""
    pairs = draw(settings["tau"])
    held_out = pairs(10_000, torch.Generator().manual_seed(gmu.HELD_OUT_OFFSET))
    shape = SHAPE | {"n_layers": 8}
    training = {"steps": settings["steps"], "batch_size": 256, "lr": settings["lr"]}
    flows = fit(lambda: RealNVP(context_dim=1, **shape), pairs, seeds, **training)
    with torch.no_grad():
        return [{"nll": mean_nll(flow, held_out).item()} for flow in flows]


def name(tau: float, steps: int) -> str:
    """Name of an arm."""
    return f"{'noisy' if tau else 'exact'} distance, {steps} steps"


STUDY = Study(
    name="singular",
    question="Does the loss have a floor when the condition is |x|, and when it is |x| plus noise?",
    run=run,
    arms={name(tau, steps): {"tau": tau, "steps": steps} for tau in (0.0, TAU) for steps in STEPS},
    rates=(2e-3, 5e-3, 1e-2),
    judge="nll",
    together=7,
)
