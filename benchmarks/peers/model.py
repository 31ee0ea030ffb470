"""What the benchmark asks of a flow, whichever library it comes from."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from flows import RING_SHAPE, SPLINE_SHAPE

AFFINE = {"layers": RING_SHAPE["n_layers"], "width": RING_SHAPE["hidden_dim"]}
SPLINE = {"layers": SPLINE_SHAPE["n_layers"], "width": SPLINE_SHAPE["hidden_dim"]}
BINS, BOUND = SPLINE_SHAPE["n_bins"], 5.0


@dataclass
class Model:
    """A flow on the plane.

    Attributes:
        flow: What is trained.
        log_prob: (n, 2) -> (n,), nats.
        sample: n -> (n, 2), without gradients.
    """

    flow: nn.Module
    log_prob: Callable[[Tensor], Tensor]
    sample: Callable[[int], Tensor]


def network(n_in: int, n_out: int, width: int) -> nn.Sequential:
    """The course's conditioner without its waves: two hidden layers; the last one starts at 0."""
    last = nn.Linear(width, n_out)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    hidden = [nn.Linear(n_in, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*hidden, last)
