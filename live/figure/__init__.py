"""Figures: what is declared, the widget, and the same picture without a browser. See README.md."""

from .controls import fold
from .marks import bars, grid, heat, line, mesh, panel, points, rule, text, waterfall
from .widget import live_figure

__all__ = [
    "bars", "fold", "grid", "heat", "line", "live_figure", "mesh", "panel", "points", "rule",
    "text", "waterfall",
]  # fmt: skip
