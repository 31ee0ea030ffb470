"""What does each ingredient of the training bring: added alone, and left out alone?"""

import torch

import gen_models_utilities as gmu
from experiments.study import Study
from experiments.together import careful_nll, train_seeds
from flows import mean_nll, resample

from .common import RATES, SHAPE, real_nvp, ring

# Each ingredient: what it changes from the plain loop's setting.
INGREDIENTS = {
    "gradient limit": {"clip": 5.0},
    "safety net": {"safe": True},
    "fresh points": {"points": None},
    "larger batch": {"batch_size": 1024},
    "schedule": {"schedule": True},
    "Fourier features": {"n_frequencies": 4},
    "turns": {"turn": 45.0},
}
PLAIN = {
    "clip": 1e9, "safe": False, "points": 2000, "batch_size": 256, "schedule": False,
    "n_frequencies": 0, "turn": 0.0, "n_layers": 8, "hidden_dim": 32, "steps": 150,
}  # fmt: skip
PAGE = {"lr": 1e-3}  # the loop on the chapter's page is the plain loop at this rate


def combine(names) -> dict:
    """The plain loop with these ingredients."""
    settings = dict(PLAIN)
    for name in names:
        settings |= INGREDIENTS[name]
    return settings


def arms() -> dict[str, dict]:
    """One at a time, and all but one."""
    names = list(INGREDIENTS)
    found = {"the page's loop": combine([]) | PAGE}
    found |= {"plain loop": combine([]), "all": combine(names)}
    found |= {f"only {name}": combine([name]) for name in names}
    found |= {f"without {name}": combine(set(names) - {name}) for name in names}
    return found


def run(settings: dict, seeds: list[int]) -> list[dict]:
    """Train with some of the ingredients; the gap."""
    settings = dict(settings)
    points = settings.pop("points")
    shape = {name: settings.pop(name) for name in SHAPE}
    draw = (
        ring if points is None else resample(torch.from_numpy(gmu.create_ring_gaussians(points)[0]))
    )
    loss = careful_nll if settings["safe"] else mean_nll
    flows = train_seeds(real_nvp(**shape), draw, seeds, loss=loss, **settings)
    return [{"gap": gmu.ring_gap(flow.log_prob)} for flow in flows]


STUDY = Study(
    name="ingredients",
    question="What does each ingredient bring in 150 steps, with the best rate for each arm?",
    run=run,
    arms=arms,
    rates=RATES,
    together=7,
)
