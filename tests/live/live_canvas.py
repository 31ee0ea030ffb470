"""Reads back what the page's scripts draw: a panel drawn in Node, on a canvas that takes notes."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
import torch
from live_node import Script

from live.figure.render import resolve_limits
from live.page import bundle

SERVER = """
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  let got;
  try { const [what, given] = JSON.parse(line); got = { got: ASK[what](given) }; }
  catch (error) { got = { error: `${error.stack}` }; }
  process.stdout.write(JSON.stringify(got, (_, v) =>
    typeof v === "number" && !Number.isFinite(v) ? `${v}` : v) + "\\n");
});
const ASK = {
  draw: answer,
  palettes: (modes) => modes.map((m) => ["density", "diverging"].map((p) => paletteTable(m, p))),
  colors: () => COLORS,
  fill: ([template, values]) => fillTemplate(template,
    Object.fromEntries(Object.entries(values).map(([k, v]) => [k, number(v)]))),
  ticks: ([limits, pixels, need]) => ticksThatFit(limits, pixels, () => need),
};
"""


@dataclass
class Drawing:
    """A panel as it was drawn, in pixels of the screen.

    `marks` are what was drawn inside the axes, `around` what was drawn before them, `above` what
    after them (a probe). The frame is that which the marks were cut to; `at` is where a point must
    lie in it.
    """

    spec: dict
    told: dict

    def __post_init__(self):
        marks = self.told["marks"]
        assert marks[0]["kind"] == "clear", "what was drawn before is wiped away"
        assert marks[0]["corners"][0] == [0, 0]
        assert all(c >= n - 0.5 for c, n in zip(marks[0]["corners"][1], self.size, strict=True))
        cut = [k for k, m in enumerate(marks) if m["clip"] is not None]
        first, last = (cut[0], cut[-1] + 1) if cut else (len(marks), len(marks))
        self.around, self.marks, self.above = marks[1:first], marks[first:last], marks[last:]

    @property
    def size(self) -> list[int]:
        return self.told["size"]

    @cached_property
    def frame(self) -> tuple[float, float, float, float]:
        """Left, right, top and bottom of the axes: what the marks are cut to."""
        (cut,) = {tuple(map(tuple, m["clip"])) for m in self.marks}
        xs, ys = [p[0] for p in cut], [p[1] for p in cut]
        return min(xs), max(xs), min(ys), max(ys)

    def at(self, x, y) -> tuple[float, float]:
        """By hand: x from left to right, y from the bottom up."""
        left, right, top, bottom = self.frame
        (x0, x1), (y0, y1) = self.spec["xlim"], self.spec["ylim"]
        return (left + (x - x0) / (x1 - x0) * (right - left),
                bottom + (y - y0) / (y1 - y0) * (top - bottom))  # fmt: skip

    def of(self, kind: str) -> list[dict]:
        return [m for m in self.marks if m["kind"] == kind]

    def texts(self) -> list[dict]:
        """The numbers and names of the axes."""
        return [m for m in self.around if m["kind"] == "text"]

    def parts(self) -> list[dict]:
        """The canvas and all that stands around it."""

        def walk(part):
            yield part
            for child in part["children"]:
                yield from walk(child)

        return list(walk(self.told["tree"]))


class Canvas(Script):
    """One process of Node with the page's scripts and a canvas that takes notes."""

    def __init__(self):
        parts = ("theme.js", "template.js", "plot.js", "marks.js", "controls.js")
        texts = [(bundle.JS / part).read_text(encoding="utf-8") for part in parts]
        recorder = Path(__file__).with_name("canvas.js").read_text(encoding="utf-8")
        super().__init__("\n".join([recorder, *texts, SERVER]))

    def draw(self, panel, *draws, mode="light", room=300, density=1, fit=None) -> Drawing:
        """Draw a panel.

        Args:
            panel: From `live.panel`.
            draws: The scene's tensors by name, for each drawing; the last is what is read back.
            mode: "light" or "dark"; or one for each drawing.
            room: How many pixels wide the page gives it.
            density: Pixels of the screen to a pixel of the page.
            fit: What `Plot.resize` is told of the panels in its row.
        """
        first = {name: torch.as_tensor(v) for name, v in draws[0].items()}
        (spec,) = resolve_limits([panel], first)
        modes = [mode] * len(draws) if isinstance(mode, str) else mode
        told = self.ask(["draw", {
            "spec": spec, "draws": [{k: plain(v) for k, v in d.items()} for d in draws],
            "shapes": {k: list(v.shape) for k, v in first.items()},
            "modes": modes, "room": room, "density": density, "fit": fit or {},
        }])  # fmt: skip
        return Drawing(spec, told)


def plain(value):
    """A tensor as JSON: a number, or a flat list of numbers."""
    value = torch.as_tensor(value)
    flat = [v if math.isfinite(v) else f"{v}" for v in value.double().flatten().tolist()]
    return flat if value.ndim else flat[0]


@pytest.fixture(scope="session")
def canvas():
    """One canvas for the whole session; each drawing starts on a fresh panel."""
    made = Canvas()
    yield made
    made.close()
