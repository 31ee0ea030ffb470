"""What several studies share: the ring, the course's recipe, and what is measured of a flow."""

import torch
from torch import Tensor

import gen_models_utilities as gmu
from experiments.together import new_flow, train_seeds
from flows import RING_RECIPE, RING_SHAPE, Flow, RealNVP, standard_normal_log_prob, train

RECIPE, SHAPE = RING_RECIPE, RING_SHAPE
RATES = (1e-3, 3e-3, 1e-2, 3e-2)


def ring(n: int, generator: torch.Generator) -> Tensor:
    """A batch of new points of the ring, (n, 2)."""
    return gmu.sample_ring(n, generator)[0]


def fit(make_flow, draw, seeds, **settings) -> list[Flow]:
    """Train a flow for each seed; several seeds together."""
    if len(seeds) > 1:
        return train_seeds(make_flow, draw, seeds, **settings)
    flow = new_flow(make_flow, seeds[0])
    every = settings["steps"]
    train(flow, draw, seed=seeds[0], report_every=every, **settings)
    return [flow]


def real_nvp(**shape):
    """A function that makes a flow of this shape."""
    return lambda: RealNVP(dim=2, **shape)


@torch.no_grad()
def log_density_shares(flow, n: int = 20_000) -> dict[str, float]:
    """What chapter 5 reads off a trained flow of the ring: gap, samples, latent points."""
    x, _ = gmu.held_out_ring(n)
    samples = flow.sample(n, generator=torch.Generator().manual_seed(0))
    shares = gmu.mode_shares(samples)
    return {
        "gap": gmu.ring_gap(flow.log_prob),
        "diversity": gmu.compute_diversity_metric(samples),
        "smallest_share": float(shares.min()),
        "largest_share": float(shares.max()),
        "strays_3": float(gmu.beyond_sigma_share(samples)),
        "strays_4": float(gmu.beyond_sigma_share(samples, n_sigma=4.0)),
    }


@torch.no_grad()
def lowest_on_bridges(flow, n: int = 2_000, n_modes: int = 8, radius: float = 3.0) -> float:
    """Median, over neighbouring modes, of the lowest log p on the decoded latent line."""
    centers = gmu.ring_centers(n_modes, radius).to(flow.like)
    z = flow.encode(centers)[0]
    share = torch.linspace(0, 1, n).to(z)[:, None]
    lowest = [
        flow.log_prob(flow.decode(z[k] + share * (z[(k + 1) % n_modes] - z[k]))[0]).min()
        for k in range(n_modes)
    ]
    return torch.stack(lowest).median().item()


@torch.no_grad()
def movement(flow, n: int = 2_000) -> dict[str, float]:
    """Mean step of one layer, and mean path over mean net displacement."""
    z = torch.randn(n, 2, generator=torch.Generator().manual_seed(0)).to(flow.like)
    values, _ = flow.decode_steps(z)
    moves = torch.stack([(b - a).norm(dim=1) for a, b in zip(values, values[1:], strict=False)])
    net = (values[-1] - values[0]).norm(dim=1)
    return {
        "mean_step": moves.mean().item(),
        "path_ratio": (moves.sum(dim=0).mean() / net.mean()).item(),
    }


def log_normal(z: Tensor) -> Tensor:
    """Log-density of N(0, I), (..., 2) -> (...)."""
    return standard_normal_log_prob(z).sum(dim=-1)
