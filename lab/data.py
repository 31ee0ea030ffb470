"""The Lab's data sets: how points are drawn, and how dense they really are.

All but two are mixtures of equal Gaussians: in a few clusters, or strung along a curve so closely
that one sees the curve. So their densities are exact.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import gen_models_utilities as gmu

EXTENT = 5.0  # the Lab shows the square from -EXTENT to EXTENT


@dataclass
class DataSet:
    """Points of the plane with a known density.

    Attributes:
        label: What it is called.
        sample: (u, e, noise) -> points (n, 2), from uniform and normal numbers, (n, 2) each. The
            noise is given in shares of the data's own, 1 if it is left out.
        log_prob: Points (n, 2) and noise -> exact log-densities (n,), nats.
        noisy: Whether there is noise at all.

    Example:
        >>> DATA["ring"].sample(torch.rand(5, 2), torch.randn(5, 2)).shape
        torch.Size([5, 2])
    """

    label: str
    sample: Callable[..., Tensor]
    log_prob: Callable[..., Tensor]
    noisy: bool = True


def mixture(label: str, centers: Tensor, std: float) -> DataSet:
    """Equally likely round Gaussians.

    Args:
        label: What the data set is called.
        centers: Their centres, shape (k, 2).
        std: Standard deviation of each coordinate, the noise.

    Returns:
        The data set.

    Example:
        >>> single = mixture("a Gaussian", torch.zeros(1, 2), 1.0)
        >>> round(single.log_prob(torch.zeros(1, 2)).item(), 4)
        -1.8379
    """
    centers = centers.half().float()  # half of the bytes on the page, and exactly these numbers
    count = len(centers)

    def sample(u, e, noise=1.0):
        chosen = torch.clamp((count * u[:, 0]).floor(), max=count - 1).long()
        return centers[chosen] + noise * std * e

    def log_prob(x, noise=1.0):
        variance = x.new_tensor(std * std) * noise * noise
        far = (x[:, None, :] - centers.to(x)).square().sum(dim=2) / (2 * variance)
        return torch.logsumexp(-far, dim=1) - (2 * math.pi * count * variance).log()

    return DataSet(label, sample, log_prob)


def circle(radius: float, count: int, start: float = 0.0, turn: float = 2 * math.pi) -> Tensor:
    """Points on an arc, (count, 2), the first one half a step after its start."""
    angle = start + turn * (torch.arange(count) + 0.5) / count
    return radius * torch.stack([angle.cos(), angle.sin()], dim=1)


def moons() -> Tensor:
    """Two half circles that reach into one another."""
    upper = circle(2.2, 44, turn=math.pi) + torch.tensor([-1.1, -0.55])
    return torch.cat([upper, -upper])


def spaced(path: Tensor, count: int) -> Tensor:
    """Points along a path, (count, 2), each equally far from the next; the path is (n, 2)."""
    along = torch.cat([torch.zeros(1), path.diff(dim=0).norm(dim=1).cumsum(0)])
    places = along[-1] * (torch.arange(count) + 0.5) / count
    k = torch.searchsorted(along, places).clamp(1, len(path) - 1)
    share = ((places - along[k - 1]) / (along[k] - along[k - 1]))[:, None]
    return path[k - 1] + share * (path[k] - path[k - 1])


def spiral(count: int = 150, turns: float = 1.75, inner: float = 0.5, outer: float = 3.6) -> Tensor:
    """A spiral whose points are equally far from their neighbours."""
    angle = 2 * math.pi * turns * torch.linspace(0, 1, 4001)
    radius = inner + (outer - inner) * torch.linspace(0, 1, 4001)
    return spaced(radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1), count)


def letters(step: float = 0.15) -> Tensor:
    """The word FLOW, as strokes."""
    strokes = [
        [(-4.3, -1.4), (-4.3, 1.4), (-2.9, 1.4)], [(-4.2, 0.1), (-3.2, 0.1)],
        [(-2.3, 1.4), (-2.3, -1.4), (-1.1, -1.4)],
        [(1.4, 1.4), (2.0, -1.4), (2.85, 0.9), (3.7, -1.4), (4.3, 1.4)],
    ]  # fmt: skip
    paths = [torch.tensor(stroke) for stroke in strokes]
    paths.append(circle(1.0, 200) * torch.tensor([0.85, 1.4]) + torch.tensor([0.15, 0.0]))
    lengths = [path.diff(dim=0).norm(dim=1).sum().item() for path in paths]
    return torch.cat(
        [spaced(p, max(2, round(n / step))) for p, n in zip(paths, lengths, strict=True)]
    )


ARMS, WIND = 5, 0.55  # of the pinwheel: its arms, and how far each winds, radians a unit of length


def pinwheel() -> DataSet:
    """Five long Gaussians, each turned by an angle that grows with the distance from the middle.

    Noise makes the arms wide.

    Such a turn keeps areas, and the distance is still there to undo it: a flow one can write down.
    """
    middle, stds = torch.tensor([2.2, 0.0]), torch.tensor([0.6, 0.2])
    base = 2 * math.pi / ARMS

    def turned(v, angle):
        cos, sin = angle.cos(), angle.sin()
        return torch.stack([cos * v[:, 0] - sin * v[:, 1], sin * v[:, 0] + cos * v[:, 1]], dim=1)

    def sample(u, e, noise=1.0):
        v = middle + torch.stack([stds[0] * e[:, 0], noise * stds[1] * e[:, 1]], dim=1)
        arm = torch.clamp((ARMS * u[:, 0]).floor(), max=ARMS - 1)
        return turned(v, base * arm + WIND * v.square().sum(dim=1).sqrt())

    def log_prob(x, noise=1.0):
        distance = x.square().sum(dim=1).sqrt()
        along, across = stds[0].to(x), noise * stds[1].to(x)
        terms = []
        for arm in range(ARMS):
            v = turned(x, -base * arm - WIND * distance) - middle.to(x)
            terms.append(-0.5 * ((v[:, 0] / along).square() + (v[:, 1] / across).square()))
        constant = (2 * math.pi * ARMS * along * across).log()
        return torch.logsumexp(torch.stack(terms), dim=0) - constant

    return DataSet("Pinwheel", sample, log_prob)


def checkerboard() -> DataSet:
    """Eight squares of side 2, all equally dense, and nothing between them: without noise."""

    def sample(u, e, noise=1.0):
        cell = torch.clamp((8 * u[:, 0]).floor(), max=7)
        row = (cell / 2).floor()
        column = 2 * (cell - 2 * row) + row - 2 * (row / 2).floor()
        across = 8 * u[:, 0] - cell  # what is left of u is uniform again
        return torch.stack([2 * (column + across) - 4, 2 * (row + u[:, 1]) - 4], dim=1)

    def log_prob(x, noise=1.0):
        square = ((x + 4) / 2).floor()
        odd = square.sum(dim=1) - 2 * (square.sum(dim=1) / 2).floor()
        inside = (x.abs() < 4).all(dim=1) & (odd == 0)
        return torch.where(inside, -math.log(32), -math.inf)

    return DataSet("Checkerboard", sample, log_prob, noisy=False)


RING = gmu.ring_centers(8, 3.0).float()
DATA = {
    "ring": mixture("Ring of eight", RING, 0.25),
    "moons": mixture("Two moons", moons(), 0.2),
    "spiral": mixture("Spiral", spiral(), 0.16),
    "checkerboard": checkerboard(),
    "pinwheel": pinwheel(),
    "letters": mixture("Letters", letters(), 0.12),
    "rings": mixture("Two rings", torch.cat([circle(1.4, 60), circle(3.2, 138)]), 0.16),
}
MODES = {"ring": RING}  # centres of equally likely modes that lie apart


def entropy(data: DataSet, noise: float = 1.0, reach: float = 6.0, side: int = 300) -> float:
    """The entropy of a data set, by the sum over a fine grid: the NLL that no flow can beat.

    Args:
        data: The data set; its density lies inside the square that reaches to `reach`.
        noise: In shares of the data's own.
        reach: Half the side of the square.
        side: Cells along a side.

    Returns:
        Nats.

    Raises:
        ValueError: If the density does not integrate to one there.

    Example:
        >>> round(entropy(DATA["ring"]), 3)
        2.145
    """
    step = 2 * reach / side
    line = -reach + step * (torch.arange(side, dtype=torch.float64) + 0.5)
    total, mass = 0.0, 0.0
    for y in line.split(40):
        grid = torch.stack(torch.meshgrid(line, y, indexing="xy"), dim=-1).reshape(-1, 2)
        log_p = data.log_prob(grid, noise).double()
        p = log_p.exp()
        total -= torch.where(p > 0, p * log_p, 0.0).sum().item() * step**2
        mass += p.sum().item() * step**2
    if abs(mass - 1) > 2e-4:
        raise ValueError(f"the density of {data.label} integrates to {mass:.5f} over the square")
    return total
