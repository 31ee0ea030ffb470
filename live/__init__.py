"""Live figures: a torch function becomes a picture that moves, with no kernel. See README.md."""

from .compiler import CompileError, Program, call_with, compile, stack_weights
from .figure import (
    bars,
    fold,
    grid,
    heat,
    line,
    live_figure,
    mesh,
    panel,
    points,
    rule,
    text,
    waterfall,
)

__all__ = [
    "CompileError", "Program", "bars", "call_with", "compile", "fold", "grid", "heat",
    "line", "live_figure", "mesh", "panel", "points", "rule", "stack_weights", "text", "waterfall",
]  # fmt: skip
