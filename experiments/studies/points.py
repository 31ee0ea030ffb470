"""How many fixed points are enough, how does the recipe overfit on fewer, and when to stop?"""

import torch

import gen_models_utilities as gmu
from experiments.study import Study
from experiments.together import train_seeds
from flows import mean_nll, resample

from .common import RECIPE, SHAPE, real_nvp

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

    # Now and then: the gap on points for choosing the moment to stop, and on those for judging.
    chosen, judged = (gmu.held_out_ring(n, seed=k)[0] for k, n in ((1, 4000), (0, 20_000)))
    course = []

    def watch(step, flows):
        course.append([(step, gap_on(chosen, flow), gap_on(judged, flow)) for flow in flows])

    training = RECIPE | {"lr": settings["lr"], "watch": watch, "every": RECIPE["steps"] // 20}
    flows = train_seeds(real_nvp(**SHAPE), draw, seeds, **training)
    rows = []
    for k, (points, flow) in enumerate(zip(data.values(), flows, strict=True)):
        own = [now[k] for now in course]
        step, _, stopped = min(own, key=lambda entry: entry[1])
        rows.append({
            "gap": own[-1][2], "own_gap": gap_on(points, flow),
            "stopped_gap": stopped, "stopped_at": step,
        })  # fmt: skip
    return rows


@torch.no_grad()
def gap_on(points, flow) -> float:
    """NLL of the flow less the true density's, on the same points, nats."""
    return mean_nll(flow, points).item() + gmu.ring_log_prob(points.double()).mean().item()


STUDY = Study(
    name="points",
    question="How does the gap depend on the number of training points?",
    run=run,
    arms={f"{n} points": {"points": n} for n in NUMBERS},
    rates=(2.5e-3, 5e-3, 1e-2),
    together=7,
)
