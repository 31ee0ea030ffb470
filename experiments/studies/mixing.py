"""Between spline couplings: nothing, ActNorm, or an invertible linear layer that learns?"""

import torch
from torch import Tensor, nn

from experiments.study import Study
from flows import SPLINE_RECIPE, SPLINE_SHAPE, Flow, SplineFlow, Transform

from .common import fit, log_density_shares, ring


class ActNorm(Transform):
    """z = (x - shift) exp(-log_scale), one shift and one scale for each coordinate.

    Args:
        dim: Number of coordinates.

    References:
        Kingma & Dhariwal 2018, Glow, section 3.1.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(dim))
        self.log_scale = nn.Parameter(torch.zeros(dim))

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """Choose both so that these points come out with mean 0 and spread 1."""
        self.shift.copy_(x.mean(dim=0))
        self.log_scale.copy_(x.std(dim=0).log())

    def decode(self, z, context=None):
        log_det = self.log_scale.sum().expand(len(z))
        return self.shift + z * self.log_scale.exp(), log_det

    def encode(self, x, context=None):
        log_det = -self.log_scale.sum().expand(len(x))
        return (x - self.shift) * torch.exp(-self.log_scale), log_det


class LearnedLinear(Transform):
    """z = A x with A = L U: triangles that learn, so that the determinant is a product.

    It starts as the identity. The order of the coordinates, P in the paper's P L U, stays.

    Args:
        dim: Number of coordinates.

    References:
        Kingma & Dhariwal 2018, Glow, section 3.2.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.below = nn.Parameter(torch.zeros(dim, dim))
        self.above = nn.Parameter(torch.zeros(dim, dim))
        self.log_diagonal = nn.Parameter(torch.zeros(dim))

    def triangles(self) -> tuple[Tensor, Tensor]:
        """L, with ones on its diagonal, and U, with a positive one."""
        eye = torch.eye(len(self.below), dtype=self.below.dtype, device=self.below.device)
        return eye + self.below.tril(-1), self.above.triu(1) + eye * self.log_diagonal.exp()

    def decode(self, z, context=None):
        lower, upper = self.triangles()
        solve = torch.linalg.solve_triangular
        x = solve(upper, solve(lower, z.T, upper=False), upper=True).T
        return x, -self.log_diagonal.sum().expand(len(z))

    def encode(self, x, context=None):
        lower, upper = self.triangles()
        return x @ (lower @ upper).T, self.log_diagonal.sum().expand(len(x))


BETWEEN = {"nothing": None, "ActNorm": ActNorm, "learned linear layer": LearnedLinear}


class MixedFlow(Flow):
    """A `SplineFlow` with a layer of another kind before each coupling that encode meets.

    Args:
        between: Name of the kind, see `BETWEEN`.
        shape: See `flows.SplineFlow`.
    """

    def __init__(self, between: str, **shape):
        layers: list[Transform] = []
        for coupling in SplineFlow(**shape).layers:
            layers.append(coupling)
            if BETWEEN[between]:
                layers.append(BETWEEN[between](2))
        super().__init__(layers, 2)
        x = ring(512, torch.Generator().manual_seed(0))
        for layer in reversed(self.layers):
            if isinstance(layer, ActNorm):
                layer.start(x)
            x = layer.encode(x)[0].detach()


def run(settings: dict, seeds: list[int]) -> list[dict]:
    """Train flows with this kind of layer between the couplings; gap and strays."""
    training = {key: settings[key] for key in ("steps", "batch_size", "lr")}
    rows = []
    for flow in fit(
        lambda: MixedFlow(settings["between"], **SPLINE_SHAPE), ring, seeds, **training
    ):
        found = log_density_shares(flow)
        rows.append({key: found[key] for key in ("gap", "strays_3")})
    return rows


STUDY = Study(
    name="mixing",
    question="Do ActNorm or learned linear layers help between spline couplings?",
    run=run,
    arms={name: {"between": name, **SPLINE_RECIPE} for name in BETWEEN},
    together=7,
)
