"""What does a flow learn if its log-det is left out, or has the wrong sign?"""

import torch

import gen_models_utilities as gmu
from experiments.study import Study
from experiments.together import train_seeds

from .common import log_normal, real_nvp, ring

FACTORS = {"right": 1.0, "left out": 0.0, "wrong sign": -1.0}


def loss_with(factor: float):
    """A loss whose log-det is multiplied by a factor: 1 is the negative log-likelihood."""

    def loss(flow, x):
        z, log_abs_det = flow.encode(x)
        return -(log_normal(z) + factor * log_abs_det).mean()

    return loss


def run(settings: dict, seeds: list[int]) -> list[dict]:
    """Train with one of the three losses; measure its loss, the latent points, the samples."""
    loss = loss_with(FACTORS[settings["log_det"]])
    training = {"steps": settings["steps"], "batch_size": 256, "lr": settings["lr"]}
    flows = train_seeds(real_nvp(n_layers=8, hidden_dim=32), ring, seeds, loss=loss, **training)
    x, _ = gmu.held_out_ring(5_000)
    rows = []
    with torch.no_grad():
        for flow in flows:
            z, _ = flow.encode(x)
            samples = flow.sample(5_000, generator=torch.Generator().manual_seed(0))
            rows.append({
                "loss": loss(flow, x).item(),
                "nll": -flow.log_prob(x).mean().item(),
                "latent_size": z.square().mean().sqrt().item(),
                "sample_std": samples.std(dim=0).mean().item(),
            })  # fmt: skip
    return rows


STUDY = Study(
    name="sign",
    question="What does a flow learn with the log-det, without it, and with the wrong sign?",
    run=run,
    arms={name: {"log_det": name, "steps": 300, "lr": 5e-3} for name in FACTORS},
    together=7,
)
