"""The same figure drawn by matplotlib: for print, GitHub, nbviewer, and pages without scripts."""

import math

import matplotlib
import numpy as np
from matplotlib.collections import LineCollection, PolyCollection, QuadMesh
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from .template import fill, number

# The book's colours on white; page/js/theme.js has them for light and dark pages.
COLORS = {
    "blue": "#0173b2", "orange": "#d55e00", "green": "#029e73", "pink": "#b2509c",
    "brown": "#8c564b", "sky": "#2b8fc9", "amber": "#bd7a00", "purple": "#5b3a8c",
    "gray": "#5f5f5f", "light": "#c4c4c4", "ink": "#222222",
}  # fmt: skip
PALETTES = {
    "density": LinearSegmentedColormap.from_list(
        "density", [(0, "#ffffff00"), (0.55, "#0173b2dd"), (1, "#0b3954ff")]
    ),
    "diverging": LinearSegmentedColormap.from_list(
        "diverging", [(0, "#0173b2"), (0.5, "#d0d0d0"), (1, "#d55e00")]
    ),
}


def resolve_limits(panels, values):
    """Fill in missing axis limits from the default state, with a margin."""
    made = []
    for panel in panels:
        panel = dict(panel)
        if names := panel.pop("names", None):
            panel["categories"] = names
            panel["ylim"] = panel["ylim"] or [-0.5, len(names) - 0.5]
        bars = next((m for m in panel["marks"] if m["kind"] in ("bars", "waterfall")), None)
        if bars:
            panel["ylim"] = [len(bars["labels"]) - 0.5, -0.5]
            panel["categories"] = bars["labels"]
        for axis in ("xlim", "ylim"):
            if panel[axis] is None:
                panel[axis] = _extent(panel["marks"], values, axis[0])
            panel[axis] = [float(v) for v in panel[axis]]
        made.append(panel)
    return made


def _extent(marks, values, axis):
    seen = [0.0] if any(m["kind"] in ("bars", "waterfall") or m.get("fill") for m in marks) else []
    for mark in marks:
        seen += _coordinates(mark, values, axis)
    seen = np.array([v for v in seen if math.isfinite(v)])
    if seen.size == 0:
        return [0.0, 1.0]
    low, high = seen.min(), seen.max()
    margin = 0.05 * (high - low) or 1.0
    return [0.0 if low == 0 else low - margin, high + margin]


def _coordinates(mark, values, axis):
    """All coordinates of a mark along an axis."""
    kind = mark["kind"]
    if kind == "heat":
        return mark["extent"][:2] if axis == "x" else mark["extent"][2:]
    if kind in ("bars", "waterfall"):
        v = _array(values, mark["value"])
        total = np.cumsum(v) if kind == "waterfall" else v
        return [0.0, *(total * 1.15).tolist()] if axis == "x" else []
    place = mark.get(axis)
    xy = mark.get("xy", mark.get("x") if mark.get("y") is None else None)
    if kind in ("line", "points", "grid", "mesh") and mark.get("y") is None and xy:
        return _array(values, xy)[..., "xy".index(axis)].ravel().tolist()
    if kind == "points" and axis == "x":
        place = mark["xy"]
    if place is None:
        return []
    return _array(values, place).ravel().tolist()


def _array(values, name):
    """A tensor as numpy; a number stays a number."""
    if not isinstance(name, str):
        return np.asarray(name, dtype=float)
    return values[name].detach().cpu().double().numpy()


def draw(spec, values) -> Figure:
    """A matplotlib figure of a scene.

    Args:
        spec: What the page gets: panels, readout.
        values: The scene's tensors.

    Returns:
        The figure, not shown.
    """
    panels = spec["panels"]
    with matplotlib.rc_context({"font.size": 10, "axes.spines.top": False,
                                "axes.spines.right": False, "text.parse_math": False}):  # fmt: skip
        heights = [_height(p) for p in panels]
        widths = [p["width"] for p in panels]
        size = (max(4.2, 3.6 * sum(widths)), max(heights) * 3.1 + 0.75)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False, width_ratios=widths)[0]
        for ax, panel in zip(axes, panels, strict=True):
            _draw_panel(ax, panel, values)
        if spec["readout"]:
            # To wrap it, matplotlib measures it, and would read $...$ as a formula even so.
            words = fill(spec["readout"], _plain(values, spec)).replace("$", r"\$")
            figure.supxlabel(words, fontsize=9, wrap=True, parse_math=True)
        if any(panel["equal"] for panel in panels):
            for _ in range(3):
                figure.draw_without_rendering()  # squares find their room in the third layout
    return figure


def _height(panel):
    if panel["equal"]:
        (a, b), (c, d) = panel["xlim"], panel["ylim"]
        return abs((d - c) / (b - a))
    return panel["aspect"]


def _plain(values, spec):
    """Values for templates; a menu shows its label."""
    plain = {k: v.flatten().tolist() if v.ndim else v.item() for k, v in values.items()}
    for c in spec["params"]:
        if c["kind"] == "menu":
            plain[c["name"]] = c["options"][c["numbers"].index(plain[c["name"]])]
    return plain


def _draw_panel(ax, panel, values):
    ax.set(xlim=panel["xlim"], ylim=panel["ylim"], xlabel=panel["x"], ylabel=panel["y"])
    ax.set_title(panel["title"], fontsize=10)
    if panel["equal"]:
        ax.set_aspect("equal")
    if not panel.get("axes", True):
        ax.set_axis_off()
    if "categories" in panel:
        ax.set_yticks(range(len(panel["categories"])), panel["categories"])
    if any(mark["kind"] in ("bars", "waterfall") for mark in panel["marks"]):
        ax.axvline(0, color=COLORS["ink"], linewidth=0.8, zorder=2.4)
    for k, mark in enumerate(panel["marks"]):
        if "show" in mark and not np.nan_to_num(_array(values, mark["show"])):
            continue
        before = set(ax.get_children())
        DRAW[mark["kind"]](ax, mark, values)
        for artist in set(ax.get_children()) - before:  # in the marks' order, below the axes' lines
            artist.set_zorder(2 + 0.3 * k / len(panel["marks"]))
    if panel["probe"]:
        px, py = panel["probe"]
        style = {"color": COLORS["ink"], "zorder": 2.4}
        if px and py:
            ax.plot(values[px], values[py], "D", markersize=6, mfc="white", **style)
        elif px:
            ax.axvline(values[px].item(), linewidth=1, **style)
        else:
            ax.axhline(values[py].item(), linewidth=1, **style)
    if any("label" in mark for mark in panel["marks"]):
        ax.legend(fontsize=8, frameon=False)


def _xy(mark, values):
    if mark.get("y") is None:
        v = _array(values, mark.get("xy", mark.get("x")))
        return v[..., 0], v[..., 1]
    return _array(values, mark.get("xy", mark.get("x"))), _array(values, mark["y"])


def _line(ax, mark, values):
    x, y = _xy(mark, values)
    style = {"color": COLORS[mark["color"]], "linewidth": mark["width"] * 0.8,
             "linestyle": "--" if mark.get("dash") else "-"}  # fmt: skip
    curves = np.atleast_2d(y)
    for k, row in enumerate(curves):
        along = x if x.ndim == 1 else x[k]
        ax.plot(along, row, label=mark.get("label") if k == 0 else None, **style)
        if mark.get("fill"):
            ax.fill_between(along, row, alpha=0.15, color=style["color"], lw=0)


def _points(ax, mark, values):
    x, y = (v.ravel() for v in np.broadcast_arrays(*_xy(mark, values)))
    style = {"s": (2 * mark["size"] * 0.72) ** 2, "linewidths": 0, "label": mark.get("label")}
    if "value" in mark:
        ax.scatter(x, y, color=_colors(mark, _array(values, mark["value"]).ravel()), **style)
    else:
        ax.scatter(x, y, color=_named(mark["color"]), alpha=mark["alpha"], **style)


def _named(color):
    """The colour of a name, or the colours of several."""
    return [COLORS[name] for name in color] if isinstance(color, list) else COLORS[color]


def _norm(mark, v):
    finite = v[np.isfinite(v)]
    top = (float(np.abs(finite).max()) if finite.size else 0.0) or 1.0
    low, high = mark.get("limits") or ((-top, top) if mark["palette"] == "diverging" else (0, top))
    return Normalize(low, high, clip=True)


def _colors(mark, v):
    """RGBA of each value; NaN is transparent."""
    colors = PALETTES[mark["palette"]](_norm(mark, v)(v))
    colors[:, 3] *= mark["alpha"]
    return colors


def _grid(ax, mark, values):
    xy = _array(values, mark["xy"])
    every = mark.get("every", 1)
    lines = [*xy[::every], *xy.transpose(1, 0, 2)[::every]]
    style = {"colors": COLORS[mark["color"]], "alpha": mark["alpha"], "label": mark.get("label")}
    ax.add_collection(LineCollection(lines, linewidths=mark["width"] * 0.8, **style))


def _mesh(ax, mark, values):
    xy, v = _array(values, mark["xy"]), _array(values, mark["value"])
    rows, columns = xy.shape[:2]
    if v.shape == (rows, columns):
        there = np.isfinite(xy).all(-1) & ~np.isnan(v)
        colors = _colors(mark, v.ravel())
        colors[~there.ravel()] = math.nan  # cells at such a corner are left out
        ax.add_collection(QuadMesh(np.where(there[..., None], xy, 0), facecolors=colors,
                                   shading="gouraud", rasterized=True))  # fmt: skip
        return
    v = v[: rows - 1, : columns - 1]
    corners = [xy[:-1, :-1], xy[:-1, 1:], xy[1:, 1:], xy[1:, :-1]]
    quads = np.stack(corners, 2).reshape(-1, 4, 2)
    there = np.isfinite(quads).all(axis=(1, 2))
    cells = PolyCollection(quads[there], facecolors=_colors(mark, v.ravel())[there],
                           edgecolors="none", rasterized=True)  # fmt: skip
    ax.add_collection(cells)


def _heat(ax, mark, values):
    v = _array(values, mark["value"])
    left, right, bottom, top = mark["extent"]
    norm = _norm(mark, v)
    v = np.clip(v, norm.vmin, norm.vmax)  # before it is smoothed
    dx, dy = (right - left) / (v.shape[1] - 1) / 2, (top - bottom) / (v.shape[0] - 1) / 2
    ax.imshow(v, origin="lower", extent=(left - dx, right + dx, bottom - dy, top + dy),
              cmap=PALETTES[mark["palette"]], norm=norm, aspect=ax.get_aspect(),
              alpha=mark["alpha"], interpolation="bilinear")  # fmt: skip


def _bars(ax, mark, values):
    v = _array(values, mark["value"])
    own = mark["color"] if isinstance(mark["color"], list) else [mark["color"]] * len(v)
    colors = [COLORS[c if x >= 0 else mark["negative"]] for c, x in zip(own, v, strict=True)]
    alphas = np.ones(len(v))
    if "highlight" in mark:
        alphas[:] = 0.45
        alphas[math.floor(_array(values, mark["highlight"]) + 0.5)] = 1
    for k, x in enumerate(v):
        ax.barh(k, x, color=colors[k], alpha=alphas[k], height=0.7)
        _number(ax, k, x, x)


def _number(ax, k, end, value):
    ax.annotate(number(value, 3), (end, k), (4 if end >= 0 else -4, 0), textcoords="offset points",
                ha="left" if end >= 0 else "right", va="center", fontsize=8)  # fmt: skip


def _waterfall(ax, mark, values):
    v = _array(values, mark["value"])
    start = 0.0
    for k, x in enumerate(v):
        ax.barh(k, x, left=start, color=COLORS[mark["color"] if x >= 0 else mark["negative"]],
                height=0.7)  # fmt: skip
        start += x
        ax.annotate(number(x, 3, plus="+"), (max(start, start - x), k), (4, 0),
                    textcoords="offset points", va="center", fontsize=8)  # fmt: skip
    ax.barh(len(v), start, color=COLORS["gray"], height=0.7)
    _number(ax, len(v), start, start)


def _rule(ax, mark, values):
    style = {"color": COLORS[mark["color"]], "linewidth": mark["width"] * 0.8,
             "linestyle": "--" if mark.get("dash") else "-",
             "label": mark.get("label")}  # fmt: skip
    if mark.get("x") is not None:
        ax.axvline(float(_array(values, mark["x"])), **style)
    else:
        ax.axhline(float(_array(values, mark["y"])), **style)


def _text(ax, mark, values):
    plain = {k: v.flatten().tolist() if v.ndim else v.item() for k, v in values.items()}
    ax.text(float(_array(values, mark["x"])), float(_array(values, mark["y"])),
            fill(mark["template"], plain), color=COLORS[mark["color"]], ha=mark["align"],
            fontsize=9)  # fmt: skip


DRAW = {"line": _line, "points": _points, "grid": _grid, "mesh": _mesh, "heat": _heat,
        "bars": _bars, "waterfall": _waterfall, "rule": _rule, "text": _text}  # fmt: skip
