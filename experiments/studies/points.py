"""How many fixed points are enough for the recipe, and how does it overfit on fewer?"""

import torch

import gen_models_utilities as gmu
from experiments.study import Study
from flows import mean_nll, resample

from .common import RECIPE, SHAPE, fit, real_nvp

NUMBERS = (250, 2000, 8000, 32_000)


def run(settings: dict, seeds: list[int]) -> list[dict]:
    """Train on so many points; each seed has points of its own."""
    data = {
        seed: torch.from_numpy(gmu.create_ring_gaussians(settings["points"], seed=seed)[0])
        for seed in seeds
    }
    draws = {seed: resample(points) for seed, points in data.items()}

    def draw(n, generator):
        return draws[generator.initial_seed()](n, generator)

    rows = []
    flows = fit(real_nvp(**SHAPE), draw, seeds, **RECIPE)
    for points, flow in zip(data.values(), flows, strict=True):
        with torch.no_grad():
            own = mean_nll(flow, points).item()
        true = gmu.ring_log_prob(points.double()).mean().item()
        rows.append({"gap": gmu.ring_gap(flow.log_prob), "own_gap": own + true})
    return rows


STUDY = Study(
    name="points",
    question="How does the gap depend on the number of training points?",
    run=run,
    arms={f"{n} points": {"points": n} for n in NUMBERS},
    together=7,
)
