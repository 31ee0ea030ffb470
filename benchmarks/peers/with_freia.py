"""FrEIA: its all-in-one block, with a soft permutation (a fixed turn) between couplings."""

import torch
from FrEIA.framework import SequenceINN
from FrEIA.modules import AllInOneBlock

from flows import standard_normal_log_prob

from .model import AFFINE, Model, network


def affine(layers: int | None = None) -> Model:
    """Affine couplings."""
    flow = SequenceINN(2)
    for _ in range(layers or AFFINE["layers"]):
        net = lambda n_in, n_out: network(n_in, n_out, AFFINE["width"])  # noqa: E731
        flow.append(AllInOneBlock, subnet_constructor=net, permute_soft=True)

    def log_prob(x):
        z, log_det = flow(x)
        return standard_normal_log_prob(z).sum(dim=1) + log_det

    @torch.no_grad()
    def sample(n):
        return flow(torch.randn(n, 2), rev=True)[0]

    return Model(flow, log_prob, sample)


ARMS = {"FrEIA, affine": affine}
