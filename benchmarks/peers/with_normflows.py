"""normflows: couplings, with a learned linear map after each spline, as in its examples."""

import normflows as nf
import torch

from .model import AFFINE, BINS, BOUND, SPLINE, Model


def _model(steps) -> Model:
    flow = nf.NormalizingFlow(nf.distributions.DiagGaussian(2, trainable=False), steps)

    @torch.no_grad()
    def sample(n):
        return flow.sample(n)[0]

    return Model(flow, flow.log_prob, sample)


def affine(layers: int | None = None) -> Model:
    """Affine couplings, each followed by a swap of the coordinates."""
    steps, width = [], AFFINE["width"]
    for _ in range(layers or AFFINE["layers"]):
        net = nf.nets.MLP([1, width, width, 2], init_zeros=True)
        steps += [nf.flows.AffineCouplingBlock(net), nf.flows.Permute(2, mode="swap")]
    return _model(steps)


def spline(layers: int | None = None) -> Model:
    """Rational-quadratic couplings, each followed by a learned linear map."""
    steps, options = [], {"num_bins": BINS, "tail_bound": BOUND}
    for _ in range(layers or SPLINE["layers"]):
        spline_ = nf.flows.CoupledRationalQuadraticSpline(2, 1, SPLINE["width"], **options)
        steps += [spline_, nf.flows.LULinearPermute(2)]
    return _model(steps)


ARMS = {"normflows, affine": affine, "normflows, spline": spline}
