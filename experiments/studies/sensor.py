"""The dead sensor of chapter 7: does its log-density lie above the healthy ones for every seed?"""

import math

import torch

import gen_models_utilities as gmu
from experiments.study import Study
from flows import RealNVP

from .common import fit

DIM, NOISE, WINDOWS = 16, 0.3, 5_000


def healthy(n, generator):
    """Windows of a healthy sensor, (n, 16)."""
    amplitude, phase = (torch.rand(n, 1, generator=generator) * scale for scale in (2, 2 * math.pi))
    wave = torch.cos(2 * 2 * math.pi * torch.arange(DIM) / DIM + phase)
    return amplitude * wave + NOISE * torch.randn(n, DIM, generator=generator)


def kinds() -> dict[str, torch.Tensor]:
    """Held-out windows of each kind."""
    generator = torch.Generator().manual_seed(gmu.HELD_OUT_OFFSET)
    windows = {"healthy": healthy(WINDOWS, generator)}
    noise = torch.randn(WINDOWS, DIM, generator=generator)
    windows["loose"] = healthy(WINDOWS, generator) + 0.4 * noise
    windows["dead"] = 0.05 * torch.randn(WINDOWS, DIM, generator=generator)
    return windows


def alarm(faulty, normal) -> float:
    """Share of pairs in which the faulty window has the lower score."""
    below = torch.searchsorted(faulty.sort().values, normal)
    return below.double().mean().item() / len(faulty)


def run(settings: dict, seeds: list[int]) -> list[dict]:
    """Train on healthy windows; log-densities and alarms."""
    windows, rows = kinds(), []
    make_flow = lambda: RealNVP(dim=DIM, hidden_dim=64, n_layers=6)  # noqa: E731
    training = {"steps": 400, "batch_size": 512, "lr": settings["lr"]}
    for flow in fit(make_flow, healthy, seeds, **training):
        with torch.no_grad():
            scores = {name: flow.log_prob(x) for name, x in windows.items()}
        usual = scores["healthy"].mean()
        odd = {name: -(score - usual).abs() for name, score in scores.items()}
        row = {f"{name} log p": score.mean().item() for name, score in scores.items()}
        for name in ("loose", "dead"):
            row[f"{name} alarm"] = alarm(scores[name], scores["healthy"])
            row[f"{name} typicality alarm"] = alarm(odd[name], odd["healthy"])
        rows.append(row)
    return rows


STUDY = Study("sensor", "Is the dead sensor the likeliest?", run, {"flow": {"lr": 5e-3}})
