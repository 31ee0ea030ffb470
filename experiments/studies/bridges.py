"""What makes the bridges between the modes thinner: depth, steps, or another base distribution?"""

import math

import torch
from torch import Tensor

import gen_models_utilities as gmu
from experiments.study import Study
from flows import RealNVP

from .common import RECIPE, SHAPE, fit, log_normal, lowest_on_bridges, ring

FREEDOM = 3.0  # degrees of freedom of the Student base: heavy tails
RING = {"radius": 2.0, "cluster_std": 0.5}  # the base with eight modes, wider than the data's


class BasedFlow(RealNVP):
    """A RealNVP whose base distribution is not the normal one.

    Args:
        base: "normal", "student" (two independent coordinates) or "eight modes".
        shape: See `flows.RealNVP`.
    """

    def __init__(self, base: str, **shape):
        super().__init__(dim=2, **shape)
        self.base = base

    def base_log_prob(self, z: Tensor) -> Tensor:
        """Log-density of the base, (n, 2) -> (n,)."""
        if self.base == "normal":
            return log_normal(z)
        if self.base == "eight modes":  # (written out: `vmap` knows no checks of values)
            offset = z[:, None, :] - gmu.ring_centers(radius=RING["radius"]).to(z)
            inside = log_normal(offset / RING["cluster_std"]) - 2 * math.log(RING["cluster_std"])
            return inside.logsumexp(dim=1) - math.log(8)
        student = torch.distributions.StudentT(FREEDOM, validate_args=False)
        return student.log_prob(z).sum(dim=1)

    def base_sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Points of the base, (n, 2)."""
        if self.base == "eight modes":
            return gmu.sample_ring(n, generator, **RING)[0]
        z = torch.randn(n, 2, generator=generator)
        if self.base == "student":  # a normal over the root of a chi-squared by its freedom
            squares = torch.randn(n, 2, int(FREEDOM), generator=generator).square().sum(dim=2)
            z = z / torch.sqrt(squares / FREEDOM)
        return z

    def log_prob(self, x, context=None):
        z, log_abs_det = self.encode(x, context)
        return self.base_log_prob(z) + log_abs_det


def run(settings: dict, seeds: list[int]) -> list[dict]:
    """Train with this base, depth and number of steps; strays and bridges."""
    shape = SHAPE | {"n_layers": settings["n_layers"]}
    training = RECIPE | {"steps": settings["steps"], "lr": settings["lr"]}
    rows = []
    for flow in fit(lambda: BasedFlow(settings["base"], **shape), ring, seeds, **training):
        with torch.no_grad():
            z = flow.base_sample(20_000, torch.Generator().manual_seed(0))
            samples = flow.decode(z)[0]
        rows.append({
            "gap": gmu.ring_gap(flow.log_prob),
            "strays_3": float(gmu.beyond_sigma_share(samples)),
            "strays_4": float(gmu.beyond_sigma_share(samples, n_sigma=4.0)),
            "lowest_log_p": lowest_on_bridges(flow),
        })  # fmt: skip
    return rows


def arm(n_layers: int, steps: int, base: str = "normal") -> dict:
    """Settings of an arm."""
    return {"n_layers": n_layers, "steps": steps, "base": base}


STEPS = RECIPE["steps"]
STUDY = Study(
    name="bridges",
    question="What makes the bridges thinner?",
    run=run,
    arms={
        "4 couplings": arm(4, STEPS),
        "8 couplings": arm(8, STEPS),
        "16 couplings": arm(16, STEPS),
        "twice the steps": arm(16, 2 * STEPS),
        "student base": arm(16, STEPS, "student"),
        "base of eight modes": arm(16, STEPS, "eight modes"),
    },
    rates=(2.5e-3, 5e-3, 1e-2),
    together=7,
)
TRUE_STRAYS = {n: math.exp(-(n**2) / 2) for n in (3, 4)}
