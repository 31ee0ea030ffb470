"""nflows: couplings with residual networks."""

import torch
from nflows.distributions import StandardNormal
from nflows.flows import Flow, SimpleRealNVP
from nflows.nn.nets import ResidualNet
from nflows.transforms import CompositeTransform, PiecewiseRationalQuadraticCouplingTransform

from .model import AFFINE, BINS, BOUND, SPLINE, Model


def _model(flow) -> Model:
    return Model(flow, flow.log_prob, torch.no_grad()(flow.sample))


def affine(layers: int | None = None) -> Model:
    """The library's RealNVP, a residual block a layer: the same two hidden layers."""
    flow = SimpleRealNVP(2, AFFINE["width"], layers or AFFINE["layers"], num_blocks_per_layer=1)
    return _model(flow)


def spline(layers: int | None = None) -> Model:
    """Rational-quadratic couplings, the kept half alternating."""

    def net(n_in, n_out):
        return ResidualNet(n_in, n_out, hidden_features=SPLINE["width"], num_blocks=1)

    steps = [
        PiecewiseRationalQuadraticCouplingTransform(
            torch.tensor([1, 0] if k % 2 else [0, 1]), net, BINS, tails="linear", tail_bound=BOUND
        )
        for k in range(layers or SPLINE["layers"])
    ]
    return _model(Flow(CompositeTransform(steps), StandardNormal([2])))


ARMS = {"nflows, affine": affine, "nflows, spline": spline}
