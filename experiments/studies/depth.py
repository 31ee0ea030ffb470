"""How deep, how wide: at equal steps, and at equal CPU time?"""

import time

import gen_models_utilities as gmu
from experiments.study import Study
from experiments.study import load as load_results
from flows import Trainer
from flows_support import TapeReplay

from .common import fit, movement, real_nvp, ring

DEPTHS, WIDTHS = (2, 6, 16, 50, 100), (8, 32, 128)
BATCH, BUDGET = 256, 1.5  # points a step; CPU seconds
RATES = (3e-3, 1e-2, 3e-2)


def run(settings: dict, seeds: list[int]) -> list[dict]:
    """Train couplings without turns, so that only couplings move points."""
    shape = {"n_layers": settings["n_layers"], "hidden_dim": settings["hidden_dim"]}
    training = {k: settings[k] for k in ("steps", "lr")} | {"batch_size": BATCH}
    flows = fit(real_nvp(n_frequencies=4, **shape), ring, seeds, **training)
    return [{"gap": gmu.ring_gap(flow.log_prob, n=10_000)} | movement(flow) for flow in flows]


def run_cost(settings: dict, seeds: list[int]) -> list[dict]:
    """CPU milliseconds of one training step: one flow, one thread, not recorded (few are)."""
    rows = []
    for seed in seeds:
        flow = real_nvp(n_frequencies=4, **settings)()
        trainer = Trainer(flow, ring, steps=TapeReplay.PAYS - 1, batch_size=BATCH, seed=seed)
        trainer.step()
        start = time.process_time()
        for _ in range(5):
            trainer.step()
        rows.append({"ms": 200 * (time.process_time() - start)})
    return rows


def name(depth: int, width: int) -> str:
    """Name of an arm."""
    return f"{depth} x {width}"


def shapes() -> dict[str, dict]:
    """All combinations; the deepest ones in the middle width only, for they cost most."""
    return {
        name(depth, width): {"n_layers": depth, "hidden_dim": width}
        for depth in DEPTHS
        for width in (WIDTHS if depth <= 16 else (32,))
    }


def equal_steps() -> dict[str, dict]:
    """100 steps for each shape."""
    return {arm: shape | {"steps": 100} for arm, shape in shapes().items()}


def longer() -> dict[str, dict]:
    """Six times as many steps, for all depths in the middle width."""
    return {arm: shape | {"steps": 600} for arm, shape in shapes().items() if arm.endswith(" x 32")}


def equal_time() -> dict[str, dict]:
    """As many steps as the budget allows, by the stored cost of a step."""
    cost = load_results("depth_cost")["arms"]
    found = {}
    for arm, shape in shapes().items():
        ms = sorted(cost[arm]["values"]["ms"])[len(cost[arm]["values"]["ms"]) // 2]
        found[arm] = shape | {"steps": max(4, round(1000 * BUDGET / ms))}
    return found


COST = Study("depth_cost", "What does a step cost?", run_cost, shapes, seeds=range(3))
STUDY = Study(
    "depth", "Depth and width after 100 steps of 256 points: gap, mean step, path ratio?", run,
    equal_steps, rates=RATES, together=7,
)  # fmt: skip
LONGER = Study(
    "depth_longer", "Depth after 600 steps of 256 points: gap, mean step, path ratio?", run,
    longer, rates=RATES, together=7,
)  # fmt: skip
EQUAL_TIME = Study(
    "depth_time", "Which depth and width for 1.5 CPU seconds?", run, equal_time, rates=RATES,
    together=7, measured=("steps",),
)  # fmt: skip
