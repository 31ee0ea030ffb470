"""zuko: lazy distributions; its NSF is autoregressive unless told otherwise."""

import torch
import zuko

from .model import AFFINE, BINS, SPLINE, Model


def _model(flow) -> Model:
    @torch.no_grad()
    def sample(n):
        return flow().sample((n,))

    return Model(flow, lambda x: flow().log_prob(x), sample)


def affine(layers: int | None = None) -> Model:
    """Affine couplings, the kept half alternating."""
    hidden = (AFFINE["width"],) * 2
    return _model(
        zuko.flows.RealNVP(2, transforms=layers or AFFINE["layers"], hidden_features=hidden)
    )


def spline(layers: int | None = None) -> Model:
    """Neural spline flow, autoregressive: each layer bends both coordinates."""
    hidden, layers = (SPLINE["width"],) * 2, layers or SPLINE["layers"]
    return _model(zuko.flows.NSF(2, bins=BINS, transforms=layers, hidden_features=hidden))


ARMS = {"zuko, affine": affine, "zuko, spline": spline}
