"""The Lab's base distributions: where the samples of a flow start, and how dense it is there."""

import math

import torch

import flows
from lab.data import DataSet, mixture

TAIL = 4.0  # degrees of freedom of Student's t: its density falls as the power -(TAIL + 2)
CORNERS = 1.125 * torch.tensor([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])


def normal() -> DataSet:
    """The standard normal, as in all chapters."""
    return DataSet(
        "normal", lambda u, e: e + 0 * u, lambda z: flows.standard_normal_log_prob(z).sum(dim=1)
    )


def student() -> DataSet:
    """Student's t in the plane: round, as the normal, with heavy tails.

    How far out a point lies has the distribution function 1 - (1 + r^2 / TAIL)^(-TAIL / 2), which
    one can solve for r: so it is drawn exactly.
    """

    def sample(u, e):
        far = (TAIL * ((1 - u[:, 0]) ** (-2 / TAIL) - 1)).sqrt()
        angle = 2 * math.pi * u[:, 1:]
        return far[:, None] * (angle + math.pi / 2 * angle.new_tensor([1.0, 0.0])).sin() + 0 * e

    def log_prob(z):
        far = z.square().sum(dim=1)
        return -(TAIL + 2) / 2 * (far / TAIL).log1p() - math.log(2 * math.pi)

    return DataSet("Student's t, heavy tails", sample, log_prob)


BASES = {
    "normal": normal(),
    "student": student(),
    "four": mixture("four Gaussians", CORNERS, 0.5),
}

# How the log-density of z is written in torch, for readers to copy: see `lab.page.PYTHON`.
PYTHON = {
    "normal": "base = flows.standard_normal_log_prob(z).sum(dim=1)",
    "student": f"base = -{(TAIL + 2) / 2:g} * (z.square().sum(dim=1) / {TAIL:g}).log1p()"
    " - torch.tensor(2 * torch.pi).log()",
    "four": """\
corners = 1.125 * torch.tensor([[1.0, 1], [-1, 1], [-1, -1], [1, -1]])
one = torch.distributions.Independent(torch.distributions.Normal(corners, 0.5), 1)
each = torch.distributions.Categorical(torch.ones(4))
base = torch.distributions.MixtureSameFamily(each, one).log_prob(z)""",
}
