"""Does it matter which direction of a coupling gets the plain form x exp(s) + t?"""

import gen_models_utilities as gmu
from experiments.study import Study
from flows import Conditioner, Coupling, Flow, Linear, rotation

from .common import RECIPE, SHAPE, fit, real_nvp, ring


def plain_in_decode() -> Flow:
    """The recipe's flow, with `decode` in the plain form and `encode` its inverse."""
    layers = []
    for i in range(SHAPE["n_layers"]):
        layers += [Linear(rotation(SHAPE["turn"]))] if i > 0 else []
        net = Conditioner(1, 1, SHAPE["hidden_dim"], n_frequencies=SHAPE["n_frequencies"])
        layers += [Coupling(net, flip=i % 2 == 1)]
    return Flow(layers, dim=2)


def run(settings: dict, seeds: list[int]) -> list[dict]:
    """Train the recipe in one of the two forms; the gap."""
    make_flow = real_nvp(**SHAPE) if settings["plain"] == "encode" else plain_in_decode
    flows = fit(make_flow, ring, seeds, **(RECIPE | {"lr": settings["lr"]}))
    return [{"gap": gmu.ring_gap(flow.log_prob)} for flow in flows]


STUDY = Study(
    name="direction",
    question="Does the plain form belong in encode or in decode?",
    run=run,
    arms={name: {"plain": name} for name in ("encode", "decode")},
    rates=(2.5e-3, 5e-3, 1e-2),
    together=7,
)
