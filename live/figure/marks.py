"""What a figure shows: panels, and marks that point at the scene's tensors by name.

A mark is a dict that goes to the page as JSON. Its values are names of tensors that the scene
returns (or of parameters), so nothing is computed here.
"""

import math

COLORS = ("blue", "orange", "green", "pink", "brown", "sky", "amber", "purple", "gray", "light",
          "ink")  # fmt: skip
PALETTES = ("density", "diverging")


def _mark(kind, color=None, palette=None, **options):
    for each in color if isinstance(color, list) else [] if color is None else [color]:
        if each not in COLORS:
            raise ValueError(f"color must be one of {', '.join(COLORS)}, but is {each!r}")
    if palette is not None and palette not in PALETTES:
        raise ValueError(f"palette must be one of {', '.join(PALETTES)}, but is {palette!r}")
    named = {"kind": kind, "color": color, "palette": palette, **options}
    return {key: value for key, value in named.items() if value is not None}


def _increasing(name, limits):
    """Two finite numbers, low below high."""
    good = isinstance(limits, tuple | list) and len(limits) == 2
    if not (good and all(isinstance(v, int | float) and math.isfinite(v) for v in limits)
            and limits[0] < limits[1]):  # fmt: skip
        raise ValueError(f"{name} must be (low, high), two numbers, but is {limits!r}")


def line(x, y=None, *, color="blue", width=2.0, dash=False, fill=False, label=None, show=None):
    """A curve, or several.

    Args:
        x: Name of a tensor (n,); or of points (n, 2) or (k, n, 2) if `y` is left out.
        y: Name of a tensor (n,), or (k, n) for k curves over the same x.
        color: A colour of the book: blue, orange, green, pink, brown, sky, gray, light, ink.
        width: In pixels.
        dash: Dashed?
        fill: Shade the area between the curve and 0?
        label: Entry in the legend.
        show: Name of a number: the mark is drawn only where it is not 0.

    Returns:
        A mark for `panel`.

    Example:
        >>> line("z", "x", dash=True)["dash"]
        True
    """
    return _mark("line", color, x=x, y=y, width=width, dash=dash or None, fill=fill or None,
                 label=label, show=show)  # fmt: skip


def points(xy, y=None, *, color="blue", value=None, palette=None, limits=None, size=1.6, alpha=0.7,
           label=None, show=None, choose=None, drag=None):  # fmt: skip
    """Dots.

    Args:
        xy: Name of a tensor (n, 2), or of the x (n,) if `y` is given. NaN leaves a point out.
        y: Name of a tensor (n,).
        color: One colour for all, or a list of one for each.
        value: Name of a tensor (n,) that colours each point instead.
        palette: "density" or "diverging", for `value`.
        limits: (low, high) of `value`.
        size: Radius in pixels.
        alpha: Opacity.
        label: Entry in the legend.
        show: Name of a number: the mark is drawn only where it is not 0.
        choose: Name of a menu, or of a whole-number slider: a click on the k-th point sets it to
            its k-th value.
        drag: Names of sliders, one for each point: the k-th point is dragged up and down, and so
            sets its slider to its height.

    Returns:
        A mark for `panel`.

    Example:
        >>> points("x", value="log_det")["palette"]
        'diverging'
    """
    palette = palette or ("diverging" if value else None)
    return _mark("points", color, palette, xy=xy, y=y, value=value, limits=limits, size=size,
                 alpha=alpha, label=label, show=show, choose=choose,
                 drag=list(drag) if drag else None)  # fmt: skip


def grid(xy, *, every=1, color="gray", width=0.8, alpha=0.8, label=None):
    """Lines along both directions of a lattice.

    Args:
        xy: Name of a tensor (rows, columns, 2).
        every: Of the lines, each this many-th is drawn, through all of its points: lines that
            bend need more points than there are lines.
        color: Of the lines.
        width: In pixels.
        alpha: Opacity.
        label: Entry in the legend.

    Returns:
        A mark for `panel`.

    Raises:
        ValueError: If `every` is no whole number from 1 up.

    Example:
        >>> grid("x", color="blue")["kind"]
        'grid'
    """
    if not isinstance(every, int) or isinstance(every, bool) or every < 1:
        raise ValueError(f"every must be a whole number from 1 up, but is {every!r}")
    return _mark("grid", color, xy=xy, width=width, alpha=alpha, label=label,
                 every=every if every > 1 else None)  # fmt: skip


def mesh(xy, value, *, palette="density", limits=None, alpha=1.0):
    """A bent lattice, smoothly filled by values.

    Args:
        xy: Name of a tensor (rows, columns, 2): the corners.
        value: Name of a tensor (rows, columns), one number for each corner, or
            (rows - 1, columns - 1), one for each cell.
        palette: "density" (from 0 up) or "diverging" (both signs). Where a map folds, densities
            add up on the page.
        limits: (low, high); the largest value now, if left out.
        alpha: Opacity.

    Returns:
        A mark for `panel`.

    Example:
        >>> mesh("x", "density")["palette"]
        'density'
    """
    return _mark("mesh", palette=palette, xy=xy, value=value, limits=limits, alpha=alpha)


def heat(value, extent, *, palette="density", limits=None, alpha=1.0, show=None):
    """A picture (height, width); row 0 is at the bottom.

    Args:
        value: Name of a tensor (height, width).
        extent: (left, right, bottom, top) of the centres of the outer pixels.
        palette: "density" (from 0 up) or "diverging" (both signs).
        limits: (low, high); the largest value now, if left out.
        alpha: Opacity.
        show: Name of a number: the mark is drawn only where it is not 0.

    Returns:
        A mark for `panel`.

    Raises:
        ValueError: If the extent is not four numbers, each pair increasing.

    Example:
        >>> heat("density", (-4, 4, -4, 4))["extent"]
        [-4, 4, -4, 4]
    """
    if not (isinstance(extent, tuple | list) and len(extent) == 4):
        raise ValueError(f"extent must be (left, right, bottom, top), but is {extent!r}")
    _increasing("extent (left, right)", extent[:2])
    _increasing("extent (bottom, top)", extent[2:])
    return _mark("heat", palette=palette, value=value, extent=list(extent), limits=limits,
                 alpha=alpha, show=show)  # fmt: skip


def bars(value, labels, *, color="blue", negative="orange", highlight=None, choose=None):
    """Horizontal bars from 0, one for each entry of `value` (k,).

    Args:
        value: Name of a tensor (k,).
        labels: k texts.
        color: Of bars to the right: one, or a list of one for each.
        negative: Of bars to the left.
        highlight: Name of a number: this bar is drawn full, the others pale.
        choose: Name of a menu, or of a whole-number slider: a click on the k-th bar sets it to
            its k-th value.

    Returns:
        A mark for `panel`.

    Example:
        >>> bars("p", ["a", "b"])["labels"]
        ['a', 'b']
    """
    return _mark("bars", color, value=value, labels=list(labels), negative=negative,
                 highlight=highlight, choose=choose)  # fmt: skip


def waterfall(value, labels, *, total="total", color="blue", negative="orange"):
    """Signed bars, each starting where the last one ended, and their sum below.

    Args:
        value: Name of a tensor (k,).
        labels: k texts.
        total: Label of the sum.
        color: Of positive terms.
        negative: Of negative terms.

    Returns:
        A mark for `panel`.

    Example:
        >>> waterfall("terms", ["a", "b"], total="sum")["labels"]
        ['a', 'b', 'sum']
    """
    return _mark("waterfall", color, value=value, labels=[*labels, total], negative=negative)


def rule(x=None, y=None, *, color="ink", dash=True, width=1.2, label=None, show=None):
    """A straight line across the panel.

    Args:
        x: Where it stands: a number, or the name of one. Or give
        y: where it lies.
        color: Of the line.
        dash: Dashed?
        width: In pixels.
        label: Entry in the legend.
        show: Name of a number: the mark is drawn only where it is not 0.

    Returns:
        A mark for `panel`.

    Raises:
        ValueError: If neither or both of x and y are given.

    Example:
        >>> rule(y=0)["y"]
        0
    """
    if (x is None) == (y is None):
        raise ValueError(f"give either x or y to rule, not x={x!r} and y={y!r}")
    return _mark("rule", color, x=x, y=y, dash=dash or None, width=width, label=label, show=show)


def text(x, y, template, *, color="ink", align="left"):
    """A text in the panel.

    Args:
        x: Its place: a number, or the name of one.
        y: The same, vertically.
        template: The text; `{name:.2f}` is filled in as in a readout.
        color: Of the text.
        align: "left", "center" or "right" of the place.

    Returns:
        A mark for `panel`.

    Example:
        >>> text(0, 1, "x = {x:.2f}")["template"]
        'x = {x:.2f}'
    """
    return _mark("text", color, x=x, y=y, template=template, align=align)


def panel(*marks, title="", x="", y="", xlim=None, ylim=None, equal=False, aspect=0.75, probe=None,
          width=1.0, axes=True, names=None):  # fmt: skip
    """One pair of axes.

    Args:
        marks: Drawn in this order.
        title: Above the axes.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
        xlim: (low, high); from the default state if left out.
        ylim: The same for the vertical axis.
        equal: One unit is as long in both directions? (For points of the plane.)
        aspect: Height over width, if not `equal`.
        probe: Names of the parameters (horizontal, vertical) that a draggable probe sets; None
            for a direction in which it does not move. Arrow keys move it too.
        width: Share of the row, relative to the other panels.
        axes: Draw axes, ticks and a grid? (A diagram needs none.)
        names: What the heights 0, 1, ... are called, where they are rows and not numbers.

    Returns:
        A panel for `live_figure`.

    Raises:
        TypeError: If a mark is none.
        ValueError: If a limit, a number or the probe is not as above.

    Example:
        >>> panel(line("z", "x"), title="the curve", xlim=(-3, 3))["title"]
        'the curve'
    """
    for mark in marks:
        if not isinstance(mark, dict) or "kind" not in mark:
            raise TypeError(f"a panel takes marks such as line(...), but got {mark!r}")
    for name, limits in (("xlim", xlim), ("ylim", ylim)):
        if limits is not None:
            _increasing(name, limits)
    for name, number in (("aspect", aspect), ("width", width)):
        if not (isinstance(number, int | float) and 0 < number < math.inf):
            raise ValueError(f"{name} must be a positive number, but is {number!r}")
    if probe is not None:
        pair = isinstance(probe, tuple | list) and len(probe) == 2 and any(probe)
        if not (pair and all(name is None or isinstance(name, str) for name in probe)):
            raise ValueError('probe must name one or two sliders, as in ("px", "py") or '
                             f'("px", None), but is {probe!r}')  # fmt: skip
    return {"marks": list(marks), "title": title, "x": x, "y": y, "xlim": xlim, "ylim": ylim,
            "equal": equal, "aspect": aspect, "probe": probe, "width": width,
            **({} if axes else {"axes": False}),
            **({"names": [*map(str, names)]} if names else {})}  # fmt: skip
