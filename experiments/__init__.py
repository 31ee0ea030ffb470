"""Claims about training, as evidence: grids of runs, their results, and what they say."""

from .engine import PATHS, SweepError, grid, sweep
from .evidence import Effect, Evidence, check, evidence, fence, interval

__all__ = [
    "Effect",
    "Evidence",
    "PATHS",
    "SweepError",
    "check",
    "evidence",
    "fence",
    "grid",
    "interval",
    "sweep",
]
