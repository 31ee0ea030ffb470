"""Live figures: a torch function becomes a picture that moves, with no kernel. See README.md."""

from .compile import CompileError, Program, compile
from .figure import live_figure
from .marks import bars, grid, heat, line, mesh, panel, points, rule, text, waterfall
from .weights import call_with, stack_weights

__all__ = [
    "CompileError", "Program", "bars", "call_with", "compile", "grid", "heat", "line",
    "live_figure", "mesh", "panel", "points", "rule", "stack_weights", "text", "waterfall",
]  # fmt: skip
