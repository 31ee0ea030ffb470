"""Does the course's recipe bring the ring's gap below a tenth of a nat, on every machine?

Beside it stand the slips that the chapter's verdict should catch, with the recipe's own rate.
"""

from functools import partial

import gen_models_utilities as gmu
from experiments.study import Study
from experiments.together import careful_nll, train_seeds
from flows import AffineCoupling, Flow, mean_nll

from .common import RECIPE, SHAPE, fit, log_density_shares, real_nvp, ring

CHANGES = ("steps", "clip")


class WrongSign(AffineCoupling):
    """A coupling whose `encode` returns the log-det of the other direction."""

    def encode(self, x, context=None):
        z, log_abs_det = super().encode(x, context)
        return z, -log_abs_det


def with_wrong_sign(**shape) -> Flow:
    """The recipe's flow with the slip in its last coupling only: all of them would explode."""
    flow = real_nvp(**shape)()
    flow.layers[-1].__class__ = WrongSign
    return flow


def run(settings: dict, seeds: list[int]) -> list[dict]:
    """Train the recipe, or the recipe with one slip, and judge it."""
    shape = SHAPE | {name: value for name, value in settings.items() if name in SHAPE}
    training = RECIPE | {name: settings[name] for name in CHANGES if name in settings}
    wrong = settings.get("sign") == "wrong"
    make_flow = partial(with_wrong_sign, **shape) if wrong else real_nvp(**shape)
    return [log_density_shares(flow) for flow in fit(make_flow, ring, seeds, **training)]


STUDY = Study(
    name="recipe",
    question="Is the gap at most 0.10 nats, whatever the seed and the processor?",
    run=run,
    arms={"recipe": {}},
    seeds=range(63),
)

SLIPS = Study(
    name="slips",
    question="Which slips does the fence around the recipe's gap catch?",
    run=run,
    arms={
        "half the steps": {"steps": RECIPE["steps"] // 2},
        "half the width": {"hidden_dim": SHAPE["hidden_dim"] // 2},
        "no gradient limit": {"clip": 1e9},
        "no Fourier features": {"n_frequencies": 0},
        "wrong sign in one layer": {"sign": "wrong"},
    },
    together=7,
)


def run_safety(settings: dict, seeds: list[int]) -> list[dict]:
    """The recipe at twice its rate, with both precautions, with one of them, with none."""
    loss = careful_nll if settings["far points"] == "by logarithm" else mean_nll
    training = RECIPE | {"lr": 2 * RECIPE["lr"], "loss": loss, "safe": settings["go back"]}
    flows = train_seeds(real_nvp(**SHAPE), ring, seeds, **training)
    return [{"gap": gmu.ring_gap(flow.log_prob)} for flow in flows]


SAFETY = Study(
    name="safety",
    question="Do the two precautions against explosions help, at twice the recipe's rate?",
    run=run_safety,
    arms={
        "both": {"far points": "by logarithm", "go back": True},
        "far points by logarithm": {"far points": "by logarithm", "go back": False},
        "go back": {"far points": "as all", "go back": True},
        "neither": {"far points": "as all", "go back": False},
    },
    seeds=range(21),
    together=7,
)
