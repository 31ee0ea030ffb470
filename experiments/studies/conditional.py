"""Conditions: a label, and the radius of the ring, with radii left out of the training."""

from functools import partial

import torch

import gen_models_utilities as gmu
from experiments.study import Study
from flows import RealNVP, resample, standard_normal_log_prob

from .common import SHAPE, fit

RADII = (1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 3.75, 4.0)


def one_hot(labels):
    """Labels (n,) -> vectors (n, 8) with a single 1."""
    return torch.nn.functional.one_hot(labels, 8).float()


def draw_labelled(n, generator):
    """Points (n, 2) and their one-hot labels (n, 8)."""
    x, labels = gmu.sample_ring(n, generator)
    return x, one_hot(labels)


def radius_context(radius):
    """Radius (n,) -> context (n, 1), about -1 to 1."""
    return (radius[:, None] - 2.5) / 1.5


def draw_rings(left_out: tuple[float, float]):
    """Draws rings with radii from 1 to 4, less an interval."""
    low, high = left_out

    def draw(n, generator):
        radius = 1 + (3 - (high - low)) * torch.rand(n, generator=generator)
        radius = torch.where(radius > low, radius + (high - low), radius)
        x, _ = gmu.sample_ring(n, generator, radius=radius)
        return x, radius_context(radius)

    return draw


def label_gap(flow, x, labels) -> float:
    """Gap of p(x | label), on these pairs."""
    true = standard_normal_log_prob((x - gmu.ring_centers().to(x)[labels]) / 0.25).sum(dim=1)
    true = true - 2 * torch.log(torch.tensor(0.25))
    with torch.no_grad():
        return (true - flow.log_prob(x, one_hot(labels))).mean().item()


def run_label(settings: dict, seeds: list[int]) -> list[dict]:
    """Four plain couplings on labelled points."""
    make_flow = lambda: RealNVP(n_layers=4, hidden_dim=32, context_dim=8)  # noqa: E731
    training = {"steps": 300, "batch_size": 1024, "lr": settings["lr"]}
    held_out = gmu.held_out_ring(20_000)
    flows = fit(make_flow, draw_labelled, seeds, **training)
    return [{"gap": label_gap(flow, *held_out)} for flow in flows]


def run_by_heart(settings: dict, seeds: list[int]) -> list[dict]:
    """A larger flow, on 2000 labelled points or on new ones; each seed has points of its own."""
    sets = {}
    for seed in seeds:
        points, labels = map(torch.from_numpy, gmu.create_ring_gaussians(2000, seed=seed))
        sets[seed] = points, labels

    def draw(n, generator):
        points, labels = sets[generator.initial_seed()]
        return resample(points, one_hot(labels))(n, generator)

    make_flow = lambda: RealNVP(n_layers=6, hidden_dim=64, context_dim=8)  # noqa: E731
    source = draw if settings["points"] == "fixed" else draw_labelled
    training = {"steps": 600, "batch_size": 256, "lr": settings["lr"]}
    held_out = gmu.held_out_ring(20_000)
    return [
        {"gap": label_gap(flow, *held_out), "own_gap": label_gap(flow, *sets[seed])}
        for seed, flow in zip(seeds, fit(make_flow, source, seeds, **training), strict=True)
    ]


def run_radius(settings: dict, seeds: list[int]) -> list[dict]:
    """The recipe's shape with the radius as context; the gap by radius."""
    draw = draw_rings(tuple(settings["left_out"]))
    training = {"steps": 500, "batch_size": 512, "lr": settings["lr"]}
    rows = []
    for flow in fit(lambda: RealNVP(context_dim=1, **SHAPE), draw, seeds, **training):
        gaps = {}
        for radius in RADII:
            context = radius_context(torch.tensor([radius]))[0]
            log_prob = partial(flow.log_prob, context=context)
            gaps[f"gap {radius}"] = gmu.ring_gap(log_prob, n=10_000, radius=radius)
        rows.append({"gap": sum(gaps.values()) / len(gaps)} | gaps)
    return rows


LABEL = Study("one_hot", "How far is p(x | label) from the truth?", run_label,
              {"one-hot": {}}, rates=(1e-2, 2e-2, 4e-2))  # fmt: skip
RADIUS = Study(
    name="radius",
    question="Does the flow know radii that it has never seen?",
    run=run_radius,
    arms={
        "all radii": {"left_out": [2.5, 2.5]},
        "without 2.4 to 2.6": {"left_out": [2.4, 2.6]},
        "without 2 to 3": {"left_out": [2.0, 3.0]},
    },
    rates=(2.5e-3, 5e-3, 1e-2),
    together=7,
)
BY_HEART = Study(
    name="by_heart",
    question="What does a flow learn from 2000 labelled points, and what from new ones?",
    run=run_by_heart,
    arms={f"{points} points": {"points": points} for points in ("fixed", "new")},
    rates=(2.5e-3, 5e-3, 1e-2),
    together=7,
)
