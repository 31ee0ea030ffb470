"""Couplings against small steps along a learned field, layer for layer, both by likelihood."""

import torch
from torch import Tensor, nn

import gen_models_utilities as gmu
from experiments.study import Study
from flows import Flow, Transform

from .common import fit, real_nvp, ring

LAYERS, TRAINING = (4, 8), {"steps": 300, "batch_size": 256}


class Field(nn.Module):
    """A velocity v(x, t) in the plane, one tanh network for all times.

    It starts at 0, so that a flow along it is the identity.

    Args:
        hidden_dim: Width of its two hidden layers.
    """

    def __init__(self, hidden_dim: int = 32):
        super().__init__()
        self.first = nn.Linear(3, hidden_dim)
        self.second = nn.Linear(hidden_dim, hidden_dim)
        self.last = nn.Linear(hidden_dim, 2)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        """(n, 2) -> v, (n, 2), and its Jacobian dv/dx, (n, 2, 2): [:, :, j] is dv/dx_j."""
        a = torch.tanh(self.first(torch.cat([x, torch.full_like(x[:, :1], t)], dim=1)))
        b = torch.tanh(self.second(a))
        columns = []
        for j in range(2):  # forward mode by hand: the derivative along each axis
            da = (1 - a.square()) * self.first.weight[:, j]
            db = (1 - b.square()) * (da @ self.second.weight.T)
            columns.append(db @ self.last.weight.T)
        return self.last(b), torch.stack(columns, dim=2)


class Step(Transform):
    """One explicit step, written in the direction that training runs: z = x - h v(x, t).

    The determinant is exact. The step is invertible where h times the slope of v stays below 1.

    Args:
        field: The field, shared by all steps.
        t: Time of the step's end, the data being at 1.
        h: Its length.
    """

    def __init__(self, field: Field, t: float, h: float):
        super().__init__()
        self.field, self.t, self.h = field, t, h

    def jacobian(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The image of x, (n, 2), and the Jacobian of the step, (n, 2, 2)."""
        v, slope = self.field(x, self.t)
        return x - self.h * v, torch.eye(2).to(x) - self.h * slope

    def encode(self, x, context=None):
        z, J = self.jacobian(x)
        det = J[:, 0, 0] * J[:, 1, 1] - J[:, 0, 1] * J[:, 1, 0]
        return z, torch.log(det.abs() + 1e-12)

    def decode(self, z, context=None):
        x = z
        for _ in range(30):  # Newton: the inverse has no closed form
            image, J = self.jacobian(x)
            x = x - torch.linalg.solve(J, (image - z)[:, :, None])[:, :, 0]
        return x, -self.encode(x)[1]


def euler(n_layers: int) -> Flow:
    """A flow of small steps along one field."""
    field, h = Field(), 1 / n_layers
    return Flow([Step(field, (k + 1) * h, h) for k in range(n_layers)], dim=2)


@torch.no_grad()
def folded_share(flow: Flow, x: Tensor) -> float:
    """Share of points that meet a step with a determinant at or below 0: it is no flow there."""
    bad = torch.zeros(len(x), dtype=torch.bool)
    for layer in reversed(flow.layers):
        x, J = layer.jacobian(x)
        bad |= torch.linalg.det(J) <= 0
    return bad.double().mean().item()


def run(settings: dict, seeds: list[int]) -> list[dict]:
    """Train so many couplings, or so many steps along a field; gap, and where it folds."""
    n, x = settings["n_layers"], gmu.held_out_ring(5_000)[0]
    couplings = settings["kind"] == "couplings"
    make_flow = real_nvp(n_layers=n, hidden_dim=32) if couplings else lambda: euler(n)
    flows = fit(make_flow, ring, seeds, lr=settings["lr"], **TRAINING)
    return [
        {
            "gap": gmu.ring_gap(flow.log_prob),
            "folded": 0.0 if couplings else folded_share(flow, x),
            "weights": float(sum(p.numel() for p in set(flow.parameters()))),
        }
        for flow in flows
    ]


STUDY = Study(
    name="continuous",
    question="Layer for layer: couplings, or small steps along one learned field?",
    run=run,
    arms={
        f"{n} {kind}": {"n_layers": n, "kind": kind}
        for n in LAYERS
        for kind in ("couplings", "steps")
    },
    rates=(3e-3, 1e-2, 3e-2),
    together=7,
)
