"""Does the course's recipe bring the ring's gap below a tenth of a nat, on every machine?

Beside it stand the slips that the chapter's verdict should catch, with the recipe's own rate.
"""

from functools import partial

from experiments.study import Study
from flows import AffineCoupling, Flow

from .common import RECIPE, SHAPE, fit, log_density_shares, real_nvp, ring


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
    training = RECIPE | {name: settings[name] for name in ("steps", "clip") if name in settings}
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
