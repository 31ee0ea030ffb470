"""What the page draws, mark by mark: places, colours, numbers and words, each held against values
computed by hand. (The canvas takes notes, see live_canvas.py; pixels: test_live_controls.py.)"""

import colorsys
import math
import warnings

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex, to_rgb

import live
from live.figure import render
from live.figure.marks import COLORS
from live.figure.template import fill

ASYMMETRIC = {"xlim": (-2.0, 6.0), "ylim": (-1.0, 3.0)}  # no swap and no flip looks the same
CURVE = {"x": torch.tensor([-1.0, 0.0, 2.0, 5.0]), "y": torch.tensor([0.5, 2.5, -0.5, 1.0])}


@pytest.fixture(scope="module")
def colors(canvas):
    """The page's colours, by mode and name."""
    return canvas.ask(["colors"])


@pytest.fixture(scope="module")
def palettes(canvas):
    """64 colours [r, g, b, a] by mode and name."""
    told = canvas.ask(["palettes", ["light", "dark"]])
    return {mode: dict(zip(("density", "diverging"), two, strict=True))
            for mode, two in zip(("light", "dark"), told, strict=True)}  # fmt: skip


def drawn(canvas, *marks, values=CURVE, mode="light", density=1, room=300, **options):
    given = live.panel(*marks, **(ASYMMETRIC | options))
    return canvas.draw(given, values, mode=mode, density=density, room=room)


def near(got, wanted, off=1e-3):
    assert np.shape(got) == np.shape(wanted)
    assert np.allclose(got, wanted, rtol=0, atol=off), (got, wanted)


def as_number(label: str) -> float:
    """The number that is written: with a true minus."""
    assert "-" not in label
    return float(label.replace("−", "-"))


def places(drawing, x, y):
    return [drawing.at(a, b) for a, b in zip(x, y, strict=True)]


def css(color, alpha=1.0):
    """How a colour of a palette is written: its numbers."""
    r, g, b, a = color
    return [r, g, b, a / 255 * alpha]


def numbers_of(color: str):
    assert color.startswith("rgba(")
    return [float(v) for v in color[5:-1].split(",")]


# --------------------------------------------------------------------------------- the canvas


@pytest.mark.parametrize("density", [1, 1.5, 2, 3])
def test_the_canvas_has_as_many_pixels_as_the_screen(canvas, density):
    plain, fine = (drawn(canvas, live.line("x", "y"), density=d, x="z") for d in (1, density))
    near(fine.size, [math.floor(v * density + 0.5) for v in plain.size])
    assert plain.size[0] == 300
    near(fine.frame, [v * density for v in plain.frame])
    (one,), (other,) = plain.of("stroke"), fine.of("stroke")
    near(other["path"][0]["points"], np.multiply(one["path"][0]["points"], density))
    assert other["width"] == one["width"] * density
    near([t["at"] for t in fine.texts()], [np.multiply(t["at"], density) for t in plain.texts()])


@pytest.mark.parametrize(
    "options, ratio",
    [({"aspect": 0.75}, 0.75), ({"aspect": 0.4}, 0.4), ({"equal": True}, 0.5),
     ({"equal": True, "xlim": (0, 2), "ylim": (0, 3)}, 1.5)],
)  # fmt: skip
def test_the_axes_have_their_shape_and_lie_inside(canvas, options, ratio):
    for room in (300, 450):
        got = drawn(canvas, live.line("x", "y"), room=room, **options)
        left, right, top, bottom = got.frame
        assert bottom - top == pytest.approx(ratio * (right - left), abs=0.5)
        assert 0 < left < right < got.size[0] and 0 <= top < bottom < got.size[1]
        assert right - left > 0.7 * room, "most of the room is the picture's"


def test_axes_grid_numbers_and_names(canvas, colors):
    got = drawn(canvas, live.line("x", "y"), x="across", y="upwards", title="A title")
    left, right, top, bottom = got.frame
    grid, axes = [m for m in got.around if m["kind"] == "stroke"]
    assert (grid["color"], axes["color"]) == (colors["light"]["rule"], colors["light"]["gray"])
    corners = [p for part in axes["path"] for p in part["points"]]
    near(corners, [(left, top), (left, bottom), (right, bottom)], off=1)

    words = {t["text"]: t for t in got.texts()}
    across, up = ["−2", "0", "2", "4", "6"], ["−1", "0", "1", "2", "3"]
    below = [t for t in got.texts() if t["text"] in across and t["align"] == "center"]
    beside = [t for t in got.texts() if t["text"] in up and t["align"] == "right"]
    assert [t["text"] for t in below] == across and [t["text"] for t in beside] == up
    assert len(got.texts()) == len(across) + len(up) + 2
    for text in below:
        assert text["at"][0] == pytest.approx(got.at(as_number(text["text"]), 0)[0])
        assert bottom < text["at"][1] < words["across"]["at"][1] and text["baseline"] == "top"
    for text in beside:
        assert text["at"][1] == pytest.approx(got.at(0, as_number(text["text"]))[1])
        assert text["at"][0] < left and text["baseline"] == "middle" and text["turned"] == 0
    near(words["across"]["at"][0], (left + right) / 2)
    assert words["across"]["align"] == "center" and words["across"]["turned"] == 0
    near(words["upwards"]["at"][1], (top + bottom) / 2)
    assert words["upwards"]["align"] == "center" and words["upwards"]["at"][0] < left
    assert words["upwards"]["turned"] == pytest.approx(-math.pi / 2), "read from below"
    assert {t["color"] for t in got.texts()} == {colors["light"]["ink"]}

    upright = [[(x, top), (x, bottom)] for x in (got.at(as_number(v), 0)[0] for v in across)]
    level = [[(left, y), (right, y)] for y in (got.at(0, as_number(v))[1] for v in up)]
    near([part["points"] for part in grid["path"]], upright + level, off=1)


def test_what_stands_around_the_canvas(canvas):
    got = drawn(canvas, live.line("x", "y"), x="across", y="up", title="A title")
    parts = got.parts()
    assert [p["text"] for p in parts if p["className"] == "live-title"] == ["A title"]
    (picture,) = [p for p in parts if p["tag"] == "canvas"]
    assert picture["attributes"] == {
        "role": "img", "aria-label": "A title, horizontal: across, vertical: up",
    }  # fmt: skip
    for option, said in (({"x": "across"}, "horizontal: across"), ({"y": "up"}, "vertical: up")):
        parts = drawn(canvas, live.line("x", "y"), **option).parts()
        assert [p["attributes"]["aria-label"] for p in parts if p["tag"] == "canvas"] == [said]
    bare = drawn(canvas, live.line("x", "y")).parts()
    # (Empty, it keeps panels of one row aligned.)
    assert [p["text"] for p in bare if p["className"] == "live-title"] == [""]
    assert [p["attributes"]["aria-label"] for p in bare if p["tag"] == "canvas"] == ["plot"]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_legend_names_marks_in_their_colours(canvas, colors, mode):
    got = drawn(
        canvas, live.line("x", "y", color="green", label="first", dash=True), live.line("x", "y"),
        live.points("x", "y", color="pink", label="second"), mode=mode,
    )  # fmt: skip
    (legend,) = [p for p in got.parts() if p["className"] == "live-legend"]
    assert [item["text"] for item in legend["children"]] == ["first", "second"]
    for item, name in zip(legend["children"], ("green", "pink"), strict=True):
        (sample,) = [p for p in item["children"] if p["tag"] == "i"]
        assert sample["style"]["background"] == colors[mode][name]
        assert ("dash" in sample["className"]) == (name == "green")


@pytest.mark.parametrize(
    ("limits", "pixels", "need", "labels"),
    [
        ((-4, 4), 300, 20, ["−4", "−2", "0", "2", "4"]), ((0, 5), 300, 20, list("012345")),
        ((0, 1), 300, 30, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ((0, 1), 60, 30, ["0.0", "0.5", "1.0"]), ((5, 0), 300, 20, list("012345")),
        ((-0.03, 0.02), 300, 30, ["−0.03", "−0.02", "−0.01", "0.00", "0.01", "0.02"]),
        ((0, 3000), 300, 30, ["0", "500", "1000", "1500", "2000", "2500", "3000"]),
        ((-1.05, 1.05), 300, 30, ["−1.0", "−0.5", "0.0", "0.5", "1.0"]),
        ((95, 106), 100, 30, ["95", "100", "105"]), ((-1, 1), 30, 40, ["0.0"]),
        ((0, 7), 80, 40, ["0", "5"]), ((3, 5), 30, 40, ["3.0"]),
    ],
)  # fmt: skip
def test_ticks_are_round_numbers_that_have_room(canvas, limits, pixels, need, labels):
    ticks = canvas.ask(["ticks", [limits, pixels, need]])
    assert [label for _, label in ticks] == labels
    assert [place for place, _ in ticks] == pytest.approx([as_number(label) for label in labels])


# -------------------------------------------------------------------------------------- lines


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("color", COLORS)
def test_a_line_goes_through_its_points_in_its_colour(canvas, colors, color, mode):
    got = drawn(canvas, live.line("x", "y", color=color, width=3.5), mode=mode)
    (line,) = got.marks
    assert line["kind"] == "stroke" and line["color"] == colors[mode][color]
    assert (line["width"], line["dash"], line["alpha"]) == (3.5, [], 1)
    (part,) = line["path"]
    near(part["points"], places(got, CURVE["x"].tolist(), CURVE["y"].tolist()))
    assert not part["closed"]


def test_lines_of_a_plane_several_and_over_a_shared_axis(canvas):
    pairs = torch.tensor([[[-1.0, 0.0], [1.0, 2.0], [5.0, 1.0]], [[0.0, 1.0], [2.0, 0.5], [4, 2]]])
    values = {"pairs": pairs, "one": pairs[0], "x": pairs[0, :, 0], "ys": pairs[:, :, 1]}
    got = drawn(canvas, live.line("pairs"), live.line("one", dash=True), live.line("x", "ys"),
                values=values)  # fmt: skip
    curves = [m["path"][0]["points"] for m in got.marks]
    for curve, wanted in zip(curves, [pairs[0], pairs[1], pairs[0]], strict=False):
        near(curve, [got.at(*p) for p in wanted.tolist()])
    for curve, ys in zip(curves[3:], pairs[:, :, 1], strict=True):
        near(curve, places(got, pairs[0, :, 0].tolist(), ys.tolist()))
    assert [bool(m["dash"]) for m in got.marks] == [False, False, True, False, False]


def test_a_line_has_a_gap_where_there_is_no_number(canvas):
    x = torch.arange(6.0)
    y = torch.tensor([1.0, 2.0, math.nan, 0.5, 1.5, math.inf])
    got = drawn(canvas, live.line("x", "y", fill=True), values={"x": x, "y": y})
    runs = [[(0, 1), (1, 2)], [(3, 0.5), (4, 1.5)]]
    strokes, fills = got.of("stroke"), got.of("fill")
    parts = [part["points"] for m in strokes for part in m["path"]]
    for part, run in zip(parts, runs, strict=True):
        near(part, [got.at(*p) for p in run])
    areas = [part["points"] for m in fills for part in m["path"]]
    for area, run in zip(areas, runs, strict=True):
        near(area, [got.at(*p) for p in [*run, (run[1][0], 0), (run[0][0], 0)]])


def test_the_area_under_a_line_is_pale(canvas, colors):
    got = drawn(canvas, live.line("x", "y", color="orange", fill=True), live.line("x", "y"))
    line, area, after = got.marks
    assert [m["kind"] for m in got.marks] == ["stroke", "fill", "stroke"]
    assert area["color"] == line["color"] == colors["light"]["orange"]
    assert 0.05 < area["alpha"] < 0.3 and line["alpha"] == after["alpha"] == 1
    curve = [*zip(CURVE["x"].tolist(), CURVE["y"].tolist(), strict=True), (5, 0), (-1, 0)]
    near(area["path"][0]["points"], [got.at(*p) for p in curve])


# ------------------------------------------------------------------------------------- points


def dots(drawing) -> dict:
    """Place of each dot -> (radius, colour, alpha); circles, or squares where there are many."""
    made = {}
    for mark in drawing.marks:
        if mark["kind"] == "fill":
            for part in mark["path"]:
                x, y, r = part["circle"]
                assert part["whole"]
                made[x, y] = (r, mark["color"], mark["alpha"])
        else:
            (a, b), (c, d) = mark["corners"]
            assert math.isclose(c - a, d - b, rel_tol=1e-6)
            made[(a + c) / 2, (b + d) / 2] = ((c - a) / 2, mark["color"], mark["alpha"])
    return made


def dot(drawing, x, y):
    """The one at a point."""
    place = drawing.at(x, y)
    (found,) = [style for at, style in dots(drawing).items() if math.dist(at, place) < 0.01]
    return found


@pytest.mark.parametrize("n", [4, 2200])
def test_points_where_they_are_and_none_where_there_is_no_number(canvas, colors, n):
    xy = torch.rand(n, 2) * torch.tensor([8.0, 4.0]) - torch.tensor([2.0, 1.0])
    xy[1, 0], xy[2, 1] = math.nan, math.nan
    values = {"xy": xy, "x": xy[:, 0], "y": xy[:, 1]}
    style = {"color": "green", "size": 2.5, "alpha": 0.4}
    for mark in (live.points("xy", **style), live.points("x", "y", **style)):
        got = drawn(canvas, mark, values=values)
        wanted = [got.at(*p) for k, p in enumerate(xy.tolist()) if k not in (1, 2)]
        found = dots(got)
        near(list(found), wanted)
        for radius, color, alpha in set(found.values()):
            near(radius, 2.5)
            assert (color, alpha) == (colors["light"]["green"], 0.4)


def test_each_point_and_each_bar_may_have_a_colour_of_its_own(canvas, colors):
    own = ["amber", "sky", "green"]
    xy, v = torch.tensor([[0.0, 0.0], [2.0, 1.0], [4.0, 2.0]]), torch.tensor([1.5, -0.75, 3.0])
    got = drawn(canvas, live.points("xy", color=own, size=3), values={"xy": xy})
    names = [dot(got, *p)[1] for p in xy.tolist()]
    assert names == [colors["light"][name] for name in own]
    mark = live.bars("v", list("abc"), color=own, negative="pink")
    got = drawn(canvas, mark, values={"v": v}, ylim=None, xlim=(-5, 7))
    wanted = [colors["light"][name] for name in ("amber", "pink", "green")]
    assert [box[2] for box in boxes(got)] == wanted


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("palette", ["density", "diverging"])
def test_points_are_coloured_by_their_value(canvas, palettes, palette, mode):
    value = torch.tensor([-2.0, -1.0, 0.0, 0.5, 2.0, 9.0, -9.0, math.nan, math.inf])
    xy = torch.stack([torch.linspace(-1, 5, 9), torch.linspace(2, 0, 9)], 1)
    mark = live.points("xy", value="v", palette=palette, limits=(-2, 2), alpha=0.5)
    got = drawn(canvas, mark, values={"xy": xy, "v": value}, mode=mode)
    found, table = dots(got), palettes[mode][palette]
    assert len(found) == 8, "a point whose value is no number is left out"
    # -2 ... 2 is 0 ... 63, rounded down to an even number: 32 colours.
    levels = [0, 16, 32, 38, 62, 62, 0, None, 62]  # 0, 15.75, 31.5, 39.4, 63, ...
    for place, level in zip(xy.tolist(), levels, strict=True):
        if level is not None:
            near(numbers_of(dot(got, *place)[1]), css(table[level], 0.5))


@pytest.mark.parametrize(
    ("palette", "levels"),
    [("diverging", [0, 24, 32, 46, 62]),  # -4 ... 4: 0, 23.6, 31.5, 47.25, 63
     ("density", [0, 0, 0, 32, 62])],  # 0 ... 4: below, below, 0, 31.5, 63
)  # fmt: skip
def test_a_value_without_limits_takes_the_largest_one(canvas, palettes, palette, levels):
    xy = torch.stack([torch.linspace(-1, 5, 5), torch.linspace(2, 0, 5)], 1)
    values = {"xy": xy, "v": torch.tensor([-4.0, -1.0, 0.0, 2.0, math.inf])}
    got = drawn(canvas, live.points("xy", value="v", palette=palette), values=values)
    for place, level in zip(xy.tolist(), levels, strict=True):
        near(numbers_of(dot(got, *place)[1]), css(palettes["light"][palette][level], 0.7))


@pytest.mark.parametrize(("palette", "level"), [("diverging", 32), ("density", 0)])
def test_values_that_are_all_zero_are_in_the_middle_or_at_the_bottom(
    canvas, palettes, palette, level
):
    got = drawn(canvas, live.points("xy", value="v", palette=palette),
                values={"xy": torch.ones(1, 2), "v": torch.zeros(1)})  # fmt: skip
    near(numbers_of(dot(got, 1, 1)[1]), css(palettes["light"][palette][level], 0.7))


# --------------------------------------------------------------------- lattices and pictures


def bent(rows=3, columns=4):
    """A lattice (rows, columns, 2) whose corners are all different."""
    i, j = torch.meshgrid(torch.arange(float(rows)), torch.arange(float(columns)), indexing="ij")
    return torch.stack([j * 1.5 - 1 + 0.1 * i, i - 0.5 + 0.05 * j * j], -1)


def test_a_grid_has_lines_both_ways(canvas, colors):
    lattice = bent()
    got = drawn(canvas, live.grid("g", color="sky", width=1.5, alpha=0.6), values={"g": lattice})
    (mark,) = got.marks
    assert (mark["color"], mark["width"], mark["alpha"]) == (colors["light"]["sky"], 1.5, 0.6)
    lines = [[got.at(*p) for p in line] for line in lattice.tolist()]
    lines += [[got.at(*p) for p in line] for line in lattice.transpose(0, 1).tolist()]
    for part, line in zip(mark["path"], lines, strict=True):
        near(part["points"], line)


@pytest.mark.parametrize("every", [2, 3])
def test_a_grid_of_fewer_lines_goes_through_all_points(canvas, every):
    lattice = bent(4, 5)
    got = drawn(canvas, live.grid("g", every=every), values={"g": lattice})
    lines = [*lattice[::every], *lattice.transpose(0, 1)[::every]]
    for part, line in zip(got.marks[0]["path"], lines, strict=True):
        near(part["points"], [got.at(*p) for p in line.tolist()])


def test_a_grid_has_a_gap_where_there_is_no_number(canvas):
    lattice = bent()
    lattice[1, 0] = lattice[0, 2] = math.nan
    got = drawn(canvas, live.grid("g"), values={"g": lattice})
    drawn_ = {tuple(np.round([*a, *b], 2)) for part in got.marks[0]["path"]
              for a, b in zip(part["points"], part["points"][1:], strict=False)}  # fmt: skip
    wanted = set()
    for lines in (lattice, lattice.transpose(0, 1)):
        for line in lines.tolist():
            for a, b in zip(line, line[1:], strict=False):
                if not any(map(math.isnan, a + b)):
                    wanted.add(tuple(np.round([*got.at(*a), *got.at(*b)], 2)))
    assert drawn_ == wanted


def at_corners(value):
    """Of values of cells: the mean of those around each corner that are there."""
    rows, columns = (n + 1 for n in value.shape)
    wide = np.pad(value.numpy().astype(float), 1, constant_values=math.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no cell around
        return np.array([[np.nanmean(wide[i : i + 2, j : j + 2]) for j in range(columns)]
                         for i in range(rows)])  # fmt: skip


def sheets(drawing, image, lattice, corners, without=()):
    """What a mesh should show: for each pixel the values of the triangles over its centre.

    Returns:
        The values (cell by cell; NaN where the cell is not), and whether the pixel is clearly
        inside or outside of each.
    """
    columns, rows = np.meshgrid(np.arange(image["width"]), np.arange(image["height"]))
    (left, top), _ = image["corners"]
    x, y = left + columns + 0.5, top + rows + 0.5
    values, clear = [], np.ones(x.shape, dtype=bool)
    for i in range(lattice.shape[0] - 1):
        for j in range(lattice.shape[1] - 1):
            a, b, c, d = (i, j), (i, j + 1), (i + 1, j + 1), (i + 1, j)
            value = np.full(x.shape, math.nan)
            for three in () if (i, j) in without else ((a, b, c), (a, c, d)):
                ends = np.array([[*drawing.at(*lattice[q].tolist()), 1] for q in three])
                shares = np.linalg.solve(ends.T, np.stack([x, y, 0 * x + 1]).reshape(3, -1))
                least = shares.min(0).reshape(x.shape)
                clear &= abs(least) > 0.02
                there = (shares * [[corners[q]] for q in three]).sum(0).reshape(x.shape)
                value[least > 0] = there[least > 0]
            values.append(value)
    return np.stack(values), clear


def painted(image):
    """Rows, columns, red, green, blue, alpha."""
    return np.array(image["pixels"]).reshape(image["height"], image["width"], 4)


def shows(image, value, clear, table, limits):
    """Each pixel has the colour of its value, and none where there is no value."""
    place = 63 * (np.clip(value, *limits) - limits[0]) / (limits[1] - limits[0])
    got, table = painted(image), np.array(table)
    for off in (-0.01, 0.01):  # (as rounding will have it)
        wanted = table[np.round(np.nan_to_num(np.clip(place + off, 0, 63))).astype(int)]
        wanted[np.isnan(place)] = 0
        clear = clear & (got != wanted).any(-1)
    assert not clear.any(), np.argwhere(clear)[:5]


def covers(drawing, image):
    left, right, top, bottom = drawing.frame
    near(image["corners"], [(left, top), (right, bottom)])


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("palette", ["density", "diverging"])
@pytest.mark.parametrize("per", ["cell", "corner"])
def test_a_mesh_has_the_colour_of_its_value_at_each_pixel(canvas, palettes, per, palette, mode):
    lattice, value = bent(), torch.tensor([[63.0, 40.0, 20.0], [50.0, 30.0, 10.0]])
    if per == "corner":
        value = torch.tensor([[90.0, 40.0, 20.0, 5.0], [50.0, 30.0, 10.0, 0.0],
                              [33.0, 22.0, 44.0, -20.0]])  # fmt: skip
    mark = live.mesh("g", "v", palette=palette, limits=(0, 63), alpha=0.8)
    got = drawn(canvas, mark, values={"g": lattice, "v": value}, mode=mode)
    (image,) = got.marks
    assert image["kind"] == "image" and image["alpha"] == 0.8
    covers(got, image)
    corners = at_corners(value) if per == "cell" else np.clip(value.numpy(), 0, 63)
    cells, clear = sheets(got, image, lattice, corners)
    there = np.isfinite(cells)
    assert clear.mean() > 0.8 and 0.2 < there.any(0).mean() < 0.8 and there.sum(0).max() == 1
    shows(image, np.where(there.any(0), np.nansum(cells, 0), math.nan), clear,
          palettes[mode][palette], (0, 63))  # fmt: skip


@pytest.mark.parametrize("none", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("per", ["cell", "corner"])
def test_a_cell_without_a_value_or_a_corner_is_left_out(canvas, palettes, per, none):
    lattice = bent()
    value = torch.arange(6.0).reshape(2, 3) * 10 if per == "cell" else torch.arange(12.0) * 5
    value = value.reshape(2, 3) if per == "cell" else value.reshape(3, 4)
    lattice[0, 0, 1] = none  # cell (0, 0)
    if per == "cell":
        value[1, 1], without = math.nan, {(0, 0), (1, 1)}
    else:
        value[2, 2], without = math.nan, {(0, 0), (1, 1), (1, 2)}
    got = drawn(canvas, live.mesh("g", "v", palette="diverging", limits=(0, 63)),
                values={"g": lattice, "v": value})  # fmt: skip
    (image,) = got.marks
    corners = at_corners(value) if per == "cell" else value.numpy()
    cells, clear = sheets(got, image, lattice, corners, without)
    assert np.isfinite(cells).any(axis=(1, 2)).sum() == 6 - len(without)
    shows(
        image,
        np.nanmax(np.nan_to_num(cells, nan=-1), 0)
        + np.where(np.isfinite(cells).any(0), 0, math.nan),
        clear,
        palettes["light"]["diverging"],
        (0, 63),
    )


@pytest.mark.parametrize("palette", ["density", "diverging"])
def test_where_a_mesh_folds(canvas, palettes, palette):
    """Densities add up; of other values the last one is seen; a cell without a value hides none."""
    lattice = torch.stack(torch.meshgrid(torch.tensor([0.0, 2.0]), torch.tensor([-1.0, 4.0, -0.5,
                          5.0]), indexing="ij")[::-1], -1)  # fmt: skip
    value = torch.tensor([[20.0, 10.0, 5.0, math.nan], [20.0, 10.0, 5.0, math.nan]])
    got = drawn(canvas, live.mesh("g", "v", palette=palette, limits=(0, 63)),
                values={"g": lattice, "v": value})  # fmt: skip
    (image,) = got.marks
    cells, clear = sheets(got, image, lattice, value.numpy(), {(0, 2)})
    first, second, _ = cells
    both = np.isfinite(first) & np.isfinite(second)
    assert both.sum() > 1000
    seen = np.where(np.isfinite(second), second, first)
    if palette == "density":
        seen = np.where(both, first + second, seen)
    shows(image, seen, clear, palettes["light"][palette], (0, 63))


def test_a_mesh_is_drawn_anew(canvas):
    given = live.panel(live.mesh("g", "v"), **ASYMMETRIC)
    first, now = {"g": bent(), "v": torch.ones(2, 3)}, {"g": bent() + 0.5, "v": torch.ones(2, 3)}
    now["v"][0, 0] = math.nan
    assert canvas.draw(given, first, now).marks == canvas.draw(given, now).marks


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("palette", ["density", "diverging"])
def test_a_heat_map_has_row_0_at_the_bottom(canvas, palettes, palette, mode):
    value = torch.tensor([[0.0, 10.0, 20.0], [33.0, 43.0, 63.0]])
    mark = live.heat("v", (0, 4, 1, 2), palette=palette, limits=(0, 63), alpha=0.7)
    got = drawn(canvas, mark, values={"v": value}, mode=mode)
    (image,) = got.marks
    assert image["kind"] == "image" and image["alpha"] == 0.7
    # The extent is that of the centres of the outer pixels: half a pixel more on each side.
    near(image["corners"], [got.at(-1, 2.5), got.at(5, 0.5)])
    assert (image["width"], image["height"]) == (3, 2)
    table = palettes[mode][palette]
    wanted = [table[k] for k in (33, 43, 63, 0, 10, 20)]  # as a picture: from the top
    assert image["pixels"] == [v for color in wanted for v in color]


def test_a_heat_map_is_drawn_anew_and_blank_where_there_is_no_value(canvas, palettes):
    first, now = torch.zeros(2, 2), torch.tensor([[1.0, math.nan], [-1.0, math.inf]])
    given = live.panel(live.heat("v", (0, 4, 1, 2), palette="diverging"), **ASYMMETRIC)
    (image,) = canvas.draw(given, {"v": first}, {"v": now}).marks
    table = palettes["light"]["diverging"]
    near(image["pixels"], [*table[0], *table[63], *table[63], 0, 0, 0, 0])


# ------------------------------------------------------------------------------ bars and sums


def boxes(drawing):
    """Left, right, colour, alpha of each bar, and where it stands, top and bottom."""
    made = []
    for m in drawing.of("rect"):
        (a, b), (c, d) = m["corners"]
        made.append((min(a, c), max(a, c), m["color"], m["alpha"], min(b, d), max(b, d)))
    return made


def numbers(drawing):
    """The numbers at the bars: in ink, and below each its own rim of paper."""
    dark = {"#ffffff": "#222222", "#14181e": "#e8eaed"}
    first = [k for k, m in enumerate(drawing.marks) if m["kind"] == "rim"][0]
    rims, texts = drawing.marks[first::2], drawing.marks[first + 1 :: 2]
    for rim, text in zip(rims, texts, strict=True):
        assert (rim["kind"], text["kind"]) == ("rim", "text")
        same = ("text", "at", "align", "baseline", "alpha")
        assert [rim[key] for key in same] == [text[key] for key in same]
        assert rim["width"] >= 3 and text["color"] == dark[rim["color"]]
        assert text["alpha"] == 1 and text["baseline"] == "middle"
    return texts


def test_bars_from_zero_each_with_its_number(canvas, colors):
    value = torch.tensor([1.5, -0.75, 3.0])
    got = drawn(canvas, live.bars("v", ["one", "two", "three"], color="green", negative="pink"),
                values={"v": value}, ylim=None, xlim=(-5, 7))  # fmt: skip
    assert [t["text"] for t in got.texts() if t["align"] == "right"] == ["one", "two", "three"]
    for k, (text, x) in enumerate(zip(numbers(got), value.tolist(), strict=True)):
        left, right, color, alpha, top, bottom = boxes(got)[k]
        near([left, right], sorted([got.at(0, k)[0], got.at(x, k)[0]]))
        assert color == colors["light"]["pink" if x < 0 else "green"] and alpha == 1
        near((top + bottom) / 2, got.at(0, k)[1])
        assert 0.4 < (bottom - top) / (got.at(0, 1)[1] - got.at(0, 0)[1]) < 1
        assert text["text"] == f"{x:.3f}".replace("-", "−")
        near(text["at"][1], got.at(0, k)[1])
        beside = text["at"][0] - got.at(x, k)[0]
        assert -8 < beside < 0 if x < 0 else 0 < beside < 8
        assert text["align"] == ("right" if x < 0 else "left")
        (name,) = [t for t in got.texts() if t["text"] == ["one", "two", "three"][k]]
        near(name["at"][1], got.at(0, k)[1])
    assert got.at(0, 0)[1] < got.at(0, 2)[1], "the first on top"
    (zero,) = got.of("stroke")
    near([p[0] for p in zero["path"][0]["points"]], [got.at(0, 0)[0]] * 2, off=1)
    near([p[1] for p in zero["path"][0]["points"]], got.frame[2:])
    assert zero["color"] == colors["light"]["ink"]
    assert zero["path"][0]["points"][0][0] % 1 == 0.5, "one pixel wide, not two half ones"


@pytest.mark.parametrize(
    "x, xlim, side, beside",
    [
        (5.99, (-2, 6), "right", 0), (-1.99, (-2, 6), "left", 0),  # beyond zero
        (5.99, (0, 6), "left", None), (-1.99, (-2, 0), "right", None),  # nowhere: upon the bar
        (9.0, (-2, 6), "right", 0), (-9.0, (-2, 6), "left", 0),
    ],
)  # fmt: skip
def test_a_number_without_room_beside_its_bar(canvas, x, xlim, side, beside):
    got = drawn(canvas, live.bars("v", ["a"]), values={"v": torch.tensor([x])}, ylim=None,
                xlim=xlim)  # fmt: skip
    (text,) = numbers(got)
    left, right, _, _ = got.frame
    said = f"{x:.3f}".replace("-", "−")
    out = x > xlim[1] or x < xlim[0]
    assert text["text"] == (said if not out else f"{said} →" if x > 0 else f"← {said}")
    width = 6 * len(text["text"])  # as this canvas measures
    start = text["at"][0] - (width if text["align"] == "right" else 0)
    assert left <= start < start + width <= right and text["align"] == side
    if beside is None:
        assert (right - start - width if x > 0 else start - left) < 8, "at the bar's end"
    else:
        off = got.at(beside, 0)[0] - text["at"][0]
        assert 0 < off < 8 if side == "right" else -8 < off < 0


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_one_bar_stands_out(canvas, mode):
    mark = live.bars("v", list("abc"), highlight="k")
    values = {"v": torch.ones(3), "k": torch.tensor(1)}
    got = drawn(canvas, mark, values=values, ylim=None, xlim=(-2, 6), mode=mode)
    alphas = [alpha for _, _, _, alpha, _, _ in boxes(got)]
    assert alphas[1] == 1 and alphas[0] == alphas[2] and 0.2 < alphas[0] < 0.7
    assert len(numbers(got)) == 3, "all numbers can be read"


def test_a_waterfall_adds_up(canvas, colors):
    value = torch.tensor([2.0, -3.5, 1.0])
    got = drawn(canvas, live.waterfall("v", ["a", "b", "c"], total="sum"), values={"v": value},
                ylim=None, xlim=(-3, 4))  # fmt: skip
    names = [t["text"] for t in got.texts() if t["align"] == "right"]
    assert names == ["a", "b", "c", "sum"]
    spans = [(0, 2, "blue"), (-1.5, 2, "orange"), (-1.5, -0.5, "blue"), (-0.5, 0, "gray")]
    said = [("+2.000", 2), ("−3.500", 2), ("+1.000", -0.5), ("−0.500", -0.5)]
    for k, ((low, high, name), (words, end)) in enumerate(zip(spans, said, strict=True)):
        left, right, color, _, top, bottom = boxes(got)[k]
        near([left, right], [got.at(low, k)[0], got.at(high, k)[0]])
        near((top + bottom) / 2, got.at(0, k)[1])
        assert color == colors["light"][name]
        text = numbers(got)[k]
        assert text["text"] == words and abs(text["at"][0] - got.at(end, k)[0]) < 8
        near(text["at"][1], got.at(0, k)[1])
    assert [t["align"] for t in numbers(got)] == ["left", "left", "left", "right"]
    assert len(got.of("stroke")) == 1 and len(boxes(got)) == 4


# ------------------------------------------------------------------- rules, texts, what shows


def test_rules_cross_the_whole_panel(canvas, colors):
    got = drawn(canvas, live.rule(x=1), live.rule(y="here", color="pink", width=3, dash=False),
                values=CURVE | {"here": torch.tensor(2.0)})  # fmt: skip
    left, right, top, bottom = got.frame
    upright, level = got.marks
    x, y = got.at(1, 2)
    near(upright["path"][0]["points"], [(x, top), (x, bottom)])
    near(level["path"][0]["points"], [(left, y), (right, y)])
    assert upright["dash"] and not level["dash"] and (upright["width"], level["width"]) == (1.2, 3)
    assert upright["color"] == colors["light"]["ink"]
    assert level["color"] == colors["light"]["pink"]


def test_dashes_end_with_their_mark(canvas):
    marks = [live.line("x", "y", dash=True), live.grid("g"), live.rule(x=1), live.grid("g")]
    got = drawn(canvas, *marks, values=CURVE | {"g": bent(), "px": torch.ones(1)[0]},
                probe=("px", None))  # fmt: skip
    assert [bool(m["dash"]) for m in [*got.marks, *got.above]] == [True, False, True, False, False]


@pytest.mark.parametrize("align", ["left", "center", "right"])
def test_a_text_is_filled_in_at_its_place(canvas, colors, align):
    values = CURVE | {"px": torch.tensor(4.0), "v": torch.tensor([0.5, 1.25])}
    mark = live.text("px", 2, "at {px:.1f}: {v[1]:+.2f}", color="brown", align=align)
    rim, text = (got := drawn(canvas, mark, values=values)).marks
    assert rim["kind"] == "rim" and rim["color"] == colors["light"]["paper"]
    assert rim["text"] == text["text"] and rim["at"] == text["at"]
    assert text["text"] == "at 4.0: +1.25" and text["align"] == align
    assert text["color"] == colors["light"]["brown"] and text["alpha"] == 1
    near(text["at"], got.at(4, 2))


@pytest.mark.parametrize("on", [0.0, 1.0, 0.5, -1.0])
def test_a_mark_shows_while_its_number_is_not_0(canvas, on):
    marks = [live.line("x", "y", show="on"), live.points("x", "y", show="on"),
             live.rule(x=1, show="on"), live.rule(y=1)]  # fmt: skip
    got = drawn(canvas, *marks, values=CURVE | {"on": torch.tensor(on)})
    assert len(got.marks) == (7 if on else 1)


def test_marks_are_drawn_in_their_order_each_opaque_unless_it_says_otherwise(canvas):
    got = drawn(canvas, live.points("x", "y", alpha=0.2), live.rule(x=0), live.grid("g", alpha=0.3),
                live.text(0, 0, "here"), values=CURVE | {"g": bent()})  # fmt: skip
    assert [m["alpha"] for m in got.marks] == [0.2] * 4 + [1, 0.3, 1, 1]


@pytest.mark.parametrize("probe", [("px", "py"), ("px", None), (None, "py")])
def test_the_probe_stands_at_its_sliders(canvas, colors, probe):
    values = CURVE | {"px": torch.tensor(4.0), "py": torch.tensor(0.5)}
    got = drawn(canvas, live.points("x", "y", alpha=0.2), probe=probe, values=values, mode="dark")
    left, right, top, bottom = got.frame
    x, y = got.at(4, 0.5)
    mark = got.above[-1]
    assert mark["kind"] == "stroke" and mark["alpha"] == 1, "on top of all"
    assert len(got.above) == (1 if None in probe else 2)
    assert mark["color"] == colors["dark"]["ink"]
    (part,) = mark["path"]
    if None not in probe:
        inside = got.above[-2]
        near(part["circle"][:2], (x, y))
        assert inside["kind"] == "fill" and inside["path"] == mark["path"]
        assert inside["color"] == colors["dark"]["paper"]
    else:
        near(part["points"], [(x, top), (x, bottom)] if probe[0] else [(left, y), (right, y)])


@pytest.mark.parametrize("probe", [("px", "py"), ("px", None), (None, "py")])
@pytest.mark.parametrize("px, py", [(7.0, 4.0), (-3.0, -2.0), (7.0, -2.0)])
def test_a_probe_out_of_the_picture_is_not_drawn(canvas, probe, px, py):
    values = CURVE | {"px": torch.tensor(px), "py": torch.tensor(py)}
    got = drawn(canvas, live.points("x", "y"), probe=probe, values=values)
    assert got.marks and not got.above


def test_a_small_panel_has_the_ends_of_its_axes_and_no_names(canvas):
    given = live.panel(live.line("x", "y"), x="across", y="up", **ASYMMETRIC)
    got = canvas.draw(given, CURVE, fit={"small": True})
    assert [t["text"] for t in got.texts()] == ["−2", "6", "−1", "3"]
    plain = canvas.draw(given, CURVE)
    assert got.frame[0] < plain.frame[0] and got.size[1] - got.frame[3] < 30
    for text in got.texts():
        x, y = got.at(*([as_number(text["text"])] * 2))
        assert text["at"][0 if text["align"] == "center" else 1] == pytest.approx(
            x if text["align"] == "center" else y
        )


def test_a_panel_takes_the_room_that_its_row_shares(canvas):
    given = live.panel(live.line("x", "y"), x="across", y="up", **ASYMMETRIC)
    got = canvas.draw(given, CURVE, fit={"left": 80, "bottom": 50, "height": 200})
    assert got.size == [300, 200]
    near(got.frame[0], 80)
    near(got.frame[3], 150)
    (line,) = got.marks
    near(line["path"][0]["points"], places(got, CURVE["x"].tolist(), CURVE["y"].tolist()))


def test_the_last_drawing_is_all_there_is_and_in_the_new_state(canvas):
    given = live.panel(live.line("x", "y"), **ASYMMETRIC)
    moved = CURVE | {"y": CURVE["y"] - 0.25}
    got = canvas.draw(given, CURVE, moved)
    (line,) = got.marks
    near(line["path"][0]["points"], places(got, moved["x"].tolist(), moved["y"].tolist()))


def test_a_panel_turns_dark_and_back(canvas, colors):
    given = live.panel(live.line("x", "y", label="a"), live.points("x", "y", value="y"),
                       **ASYMMETRIC)  # fmt: skip
    for modes in (["light", "dark"], ["light", "dark", "light"]):
        got = canvas.draw(given, *[CURVE] * len(modes), mode=modes)
        blue = colors[modes[-1]]["blue"]
        assert got.marks[0]["color"] == blue
        assert {t["color"] for t in got.texts()} == {colors[modes[-1]]["ink"]}
        assert [p["style"]["background"] for p in got.parts() if p["tag"] == "i"] == [blue]
        assert got.marks == drawn(canvas, *given["marks"], mode=modes[-1]).marks


# ------------------------------------------------------------------------------------ colours


def luminance(color):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def hue(color):
    return 360 * colorsys.rgb_to_hsv(*to_rgb(color))[0]


def test_the_page_has_the_colours_of_print(colors):
    light = colors["light"]
    assert set(light) == set(colors["dark"]) == {*COLORS, "paper", "rule"}
    assert {name: light[name] for name in COLORS} == render.COLORS


def test_dark_colours_are_the_same_ones_on_dark_paper(colors):
    light, dark = colors["light"], colors["dark"]
    assert luminance(light["paper"]) == 1 and luminance(dark["paper"]) < 0.02
    for name in COLORS:
        if name in ("gray", "light", "ink"):
            assert colorsys.rgb_to_hsv(*to_rgb(dark[name]))[1] < 0.15, f"{name} has no hue"
        else:
            assert abs(hue(light[name]) - hue(dark[name])) < 12, name
            assert contrast(dark[name], dark["paper"]) > contrast(light[name], dark["paper"]), name
    for mode in (light, dark):
        seen = {name: contrast(mode[name], mode["paper"]) for name in mode}
        assert seen["ink"] > 12 > seen["gray"] > 4.5 > seen["light"] > seen["rule"] > 1.1
        for name in set(COLORS) - {"light"}:
            assert seen[name] >= 3, f"{name} is seen"
        assert contrast(mode["sky"], mode["blue"]) > 1.2, "and told from blue"


def test_palettes_are_those_of_print(palettes):
    for name, table in palettes["light"].items():
        wanted = 255 * render.PALETTES[name](np.linspace(0, 1, 64))
        assert len(table) == 64
        near(table, wanted, off=4)  # matplotlib's has 256 steps


def test_dark_palettes_run_from_the_paper_to_the_light_and_from_blue_to_orange(colors, palettes):
    density, diverging = palettes["dark"]["density"], palettes["dark"]["diverging"]
    bright = [luminance([c / 255 for c in color[:3]]) for color in density]
    alpha = [color[3] for color in density]
    assert bright == sorted(bright) and alpha == sorted(alpha) and (alpha[0], alpha[-1]) == (0, 255)
    assert contrast(to_hex([c / 255 for c in density[-1][:3]]), colors["dark"]["paper"]) > 12
    ends = [to_hex([c / 255 for c in diverging[k][:3]]) for k in (0, -1)]
    assert abs(hue(ends[0]) - hue(colors["dark"]["blue"])) < 12
    assert abs(hue(ends[1]) - hue(colors["dark"]["orange"])) < 12
    middle = [c / 255 for c in diverging[32][:3]]
    assert colorsys.rgb_to_hsv(*middle)[1] < 0.15 and {c[3] for c in diverging} == {255}


# ------------------------------------------------------------------------------------ wording


VALUES = {"a": -1.234, "zero": -0.0001, "large": 123456.7, "small": 1.25e-7, "half": 0.375,
          "whole": 3.0, "nan": math.nan, "inf": math.inf, "minus": -math.inf, "one": 1.0,
          "tiny": 0.00012344, "edge": 9999.6, "ten": 10000.0, "nought": 0.0,
          "quarter": 0.25, "down": -2.5, "four": 1.0625, "eighths": -0.8125, "below": -0.0,
          "vast": 1e22, "third": 1 / 3, "almost": 0.9996, "dots": 12.65}  # fmt: skip
FORMS = ["", ":.2f", ":+.1f", ":.0f", ":.1%", ":+.1%", ":.2e", ":+.1e", "|no|yes", "|a|b|c|d|e"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VALUES)
def test_python_and_the_page_say_the_same(canvas, name, form):
    template = f"<{{{name}{form}}}>"
    value = VALUES[name]
    sent = {name: value if math.isfinite(value) else f"{value}"}
    assert canvas.ask(["fill", [template, sent]]) == fill(template, {name: value})


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{a:.2f}", "−1.23"), ("{a:+.1f}", "−1.2"), ("{half:+.2f}", "+0.38"),
        ("{zero:.2f}", "0.00"), ("{one:.1%}", "100.0%"), ("{tiny:.2e}", "1.23\xa0×\xa010⁻⁴"),
        ("{a}", "−1.234"), ("{whole}", "3"), ("{large}", "1.235e+05"), ("{small}", "1.25e-07"),
        ("{nan:.1f}", "none"), ("{nan}", "none"), ("{nan|no|yes}", "none"), ("{inf:.1f}", "inf"),
        ("{minus:.1f}", "−inf"), ("{one|no|yes}", "yes"), ("{nought|no|yes}", "no"),
        ("{a|no|yes}", "no"), ("{whole|no|yes}", "yes"), ("{one} and {whole:.1f}", "1 and 3.0"),
        ("{ten}", "1e+04"), ("{inf:.1e}", "inf"), ("{minus:+.1e}", "−inf"), ("{inf:+.1%}", "+inf%"),
        ("{nought:.1e}", "0"), ("{a:.1e}", "−1.2\xa0×\xa010⁰"), ("{quarter:.1f}", "0.3"),
        ("{down:.0f}", "−3"), ("{four}", "1.063"), ("{below}", "0"), ("{below:+.1f}", "+0.0"),
        ("{zero:+.2f}", "+0.00"), ("{zero:+.1%}", "+0.0%"), ("{zero:+.4f}", "−0.0001"),
        ("{vast:.1f}", "1.0\xa0×\xa010²²"), ("{vast:+.0%}", "+1\xa0×\xa010²⁴%"),
    ],
)  # fmt: skip
def test_what_is_said(canvas, template, said):
    sent = {k: v if math.isfinite(v) else f"{v}" for k, v in VALUES.items()}
    assert canvas.ask(["fill", [template, sent]]) == fill(template, VALUES) == said
