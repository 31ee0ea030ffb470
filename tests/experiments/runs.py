"""Runs for the tests of the engine: workers import them from here."""

import faulthandler
import math
import os
import random
import sys
import time
from pathlib import Path

PATIENCE = 20.0  # seconds that a healthy run may take on a starved machine


def note(settings: dict, seeds: list[int]) -> None:
    """Write down that a run was started, in a file of the settings' choice."""
    if "log" in settings:
        with open(settings["log"], "a", encoding="utf-8") as file:
            file.write(f"{settings['a']} {seeds}\n")


def train(settings: dict, seeds: list[int]) -> list[dict]:
    """A number with many digits, from a seed and a little arithmetic."""
    note(settings, seeds)
    time.sleep(settings.get("sleep", 0))
    rows = []
    for seed in seeds:
        draw = random.Random(seed)
        value = sum(math.tanh(settings["a"] * draw.gauss()) for _ in range(200))
        rows.append({"value": value, "seed": seed})
    return rows


def with_torch(settings: dict, seeds: list[int]) -> list[dict]:
    """The same with torch, whose last digits depend on the machine."""
    import torch

    rows = []
    for seed in seeds:
        x = torch.randn(200, 20, generator=torch.Generator().manual_seed(seed))
        rows.append({"value": (torch.tanh(settings["a"] * x) @ x.T).std().item(), "seed": seed})
    return rows


def dies(settings: dict, seeds: list[int]) -> list[dict]:
    """Takes its worker down for a = 2, or only the first time if there is a file to remember it."""
    first_time = "once" not in settings or not Path(settings["once"]).exists()
    if settings["a"] == 2 and first_time:
        if "once" in settings:
            Path(settings["once"]).touch()
        os._exit(9)
    return train(settings, seeds)


def hangs(settings: dict, seeds: list[int]) -> list[dict]:
    """Never comes back for a = 2; the others have `PATIENCE`, however short the sweep's limit."""
    if settings["a"] == 2:
        time.sleep(10_000)
    faulthandler.dump_traceback_later(PATIENCE, exit=True, file=sys.__stderr__)
    return train(settings, seeds)


def fails(settings: dict, seeds: list[int]) -> list[dict]:
    """Raises for a = 2; only the first time if there is a file to remember it."""
    if settings["a"] == 2 and not ("once" in settings and Path(settings["once"]).exists()):
        if "once" in settings:
            Path(settings["once"]).touch()
        raise RuntimeError("too steep")
    return train(settings, seeds)


def too_few(settings: dict, seeds: list[int]) -> list[dict]:
    """One row less than seeds."""
    return train(settings, seeds)[1:]
