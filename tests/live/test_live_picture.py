"""The picture that matplotlib draws of a figure (print, GitHub, pages without scripts), read back:
what stands where, in which colour, against values computed by hand."""

import itertools
import math

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgba

import live
from live.figure import render
from live.figure.render import resolve_limits

BLUE, ORANGE, GREEN, PINK, GRAY, INK = (
    "#0173b2", "#d55e00", "#029e73", "#b2509c", "#5f5f5f", "#222222",
)  # fmt: skip
ASYMMETRIC = {"xlim": (-2.0, 6.0), "ylim": (-1.0, 3.0)}
CURVE = {"x": torch.tensor([-1.0, 0.0, 2.0, 5.0]), "y": torch.tensor([0.5, 2.5, -0.5, 1.0])}


def picture(*panels, values=CURVE, readout="", params=()):
    """The drawn figure, as the widget draws it."""
    values = {name: torch.as_tensor(v) for name, v in values.items()}
    panels = resolve_limits(panels, values)
    made = render.draw({"panels": panels, "readout": readout, "params": list(params)}, values)
    FigureCanvasAgg(made).draw()
    return made


def axes(*marks, values=CURVE, **options):
    (ax,) = picture(live.panel(*marks, **(ASYMMETRIC | options)), values=values).axes
    return ax


def data(line):
    return np.stack([np.asarray(line.get_xdata()), np.asarray(line.get_ydata())], 1)


def pixel(ax, x, y):
    """The colour (RGB, 0 to 1) that is seen at a point of the axes."""
    picture = np.asarray(ax.figure.canvas.buffer_rgba())
    column, row = ax.transData.transform((x, y))
    return picture[picture.shape[0] - 1 - int(row), int(column), :3] / 255


@pytest.mark.parametrize(("n", "lines"), [(2, 1), (2, 2), (3, 1), (3, 2)])
def test_no_letter_beside_squares_is_cut(n, lines):
    """In fewer layouts, the titles would leave the picture at the top."""
    square = live.panel(live.line("x", "y"), title="a title", xlim=(-4.2, 4.2), ylim=(-4.2, 4.2),
                        equal=True)  # fmt: skip
    readout = "words below" if lines == 1 else "more than one line of words below; " * (2 * n)
    made = picture(*[square] * n, readout=readout)
    (left, bottom), (right, top) = made.get_tightbbox().get_points()
    width, height = made.get_size_inches()
    assert min(left, bottom) >= 0 and right <= width and top <= height


def test_limits_titles_names_and_shape():
    first = live.panel(live.line("x", "y"), title="one", x="across", y="up", equal=True,
                       **ASYMMETRIC)  # fmt: skip
    second = live.panel(live.line("x", "y"), title="two", aspect=0.5, width=2.0)
    made = picture(first, second, readout="y is {y[1]:.2f}")
    one, two = made.axes
    assert one.get_xlim() == (-2, 6) and one.get_ylim() == (-1, 3) and one.get_aspect() == 1
    assert (one.get_title(), one.get_xlabel(), one.get_ylabel()) == ("one", "across", "up")
    # -1 ... 5 and -0.5 ... 2.5, and a twentieth more.
    assert two.get_xlim() == pytest.approx((-1.3, 5.3)) and two.get_title() == "two"
    assert two.get_ylim() == pytest.approx((-0.65, 2.65)) and two.get_aspect() == "auto"
    assert two.get_position().width > 1.5 * one.get_position().width
    assert one.get_position().x1 < two.get_position().x0
    assert made.get_supxlabel() == "y is 2.50"
    assert one.get_legend() is None


@pytest.mark.parametrize(
    "marks, xlim, ylim",
    [
        ([live.line("x", "y", fill=True)], (-1.3, 5.3), (-0.65, 2.65)),
        ([live.line("x", "up", fill=True)], (-1.3, 5.3), (0, 2.1)),  # the area ends at 0
        ([live.line("pairs")], (-1.3, 5.3), (-0.65, 2.65)), ([live.points("x", "y")], None, None),
        ([live.points("pairs")], (-1.3, 5.3), (-0.65, 2.65)),
        ([live.heat("square", (0, 4, 1, 3))], (0, 4.2), (0.9, 3.1)),
        ([live.rule(x="px"), live.rule(y=2), live.line("x", "y")], (-1.55, 10.55), (-0.65, 2.65)),
        ([live.rule(x=3)], (2, 4), (0, 1)), ([live.line("x", "gap")], (-1.3, 5.3), (0.975, 1.525)),
        ([live.bars("y", list("abcd"))], None, (3.5, -0.5)),
        ([live.waterfall("y", list("abcd"))], (0, 4.22625), (4.5, -0.5)),
    ],
)  # fmt: skip
def test_limits_that_are_left_out_come_from_the_marks(marks, xlim, ylim):
    values = CURVE | {
        "up": CURVE["x"].abs() * 0.4, "pairs": torch.stack([CURVE["x"], CURVE["y"]], 1),
        "square": torch.ones(3, 3), "px": torch.tensor(10.0),
        "gap": torch.tensor([1.0, math.nan, 1.5, math.inf]),
    }  # fmt: skip
    (got,) = resolve_limits([live.panel(*marks)], values)
    if xlim:
        assert got["xlim"] == pytest.approx(xlim)
    if ylim:
        assert got["ylim"] == pytest.approx(ylim)


@pytest.mark.parametrize("color", render.COLORS)
def test_lines(color):
    ax = axes(live.line("x", "y", color=color, dash=True, width=2.5, label="a", fill=True),
              live.line("pairs"), live.line("x", "both", label="b"),
              values=CURVE | {"pairs": torch.stack([CURVE["y"], CURVE["x"]], 1).expand(2, 4, 2),
                              "both": torch.stack([CURVE["y"], CURVE["x"]])})  # fmt: skip
    first, *rest = ax.lines
    x, y = CURVE["x"].numpy(), CURVE["y"].numpy()
    assert np.allclose(data(first), np.stack([x, y], 1)) and first.get_linestyle() == "--"
    assert first.get_color() == render.COLORS[color] and first.get_linewidth() == 2
    wanted = [(y, x), (y, x), (x, y), (x, x)]
    for line, (a, b) in zip(rest, wanted, strict=True):
        assert np.allclose(data(line), np.stack([a, b], 1)) and line.get_linestyle() == "-"
    (area,) = ax.collections
    assert to_hex(area.get_facecolor()[0]) == render.COLORS[color]
    assert 0.05 < area.get_facecolor()[0][3] < 0.3
    low = area.get_paths()[0].vertices
    assert low[:, 1].min() == -0.5 and low[:, 1].max() == 2.5 and [5, 0] in low.tolist()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]


def test_points_in_one_colour_and_by_value():
    xy = torch.stack([CURVE["x"], CURVE["y"]], 1)
    xy[2] = math.nan
    ax = axes(live.points("xy", color="green", alpha=0.4, size=2, label="some"),
              live.points("x", "y"), values=CURVE | {"xy": xy})  # fmt: skip
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["some"]
    one, two = ax.collections
    assert np.allclose(np.ma.filled(one.get_offsets(), math.nan), xy.numpy(), equal_nan=True)
    assert to_hex(one.get_facecolor()[0]) == GREEN and one.get_facecolor()[0][3] == 0.4
    assert np.allclose(two.get_offsets(), np.stack([CURVE["x"], CURVE["y"]], 1))
    assert one.get_sizes()[0] == pytest.approx((4 * 0.72) ** 2)


@pytest.mark.parametrize(
    "limits, shares",
    [((-2, 2), [0, 1, 0.5, 1, math.nan, 1, 0.25]),
     (None, [0.2, 0.9, 0.5, 1, math.nan, 1, 0.4])],
)  # fmt: skip
def test_a_value_s_colour(limits, shares):
    """From -2 to 2; or, left out, from -5 to 5, the largest that is finite."""
    v = torch.tensor([-3.0, 4.0, 0.0, 5.0, math.nan, math.inf, -1.0])
    values = {"x": torch.linspace(-1, 5, 7), "y": torch.linspace(2, 0, 7), "v": v}
    mark = live.points("x", "y", value="v", limits=limits, alpha=0.5)
    (dots,) = axes(mark, values=values).collections
    for color, share in zip(dots.get_facecolor(), shares, strict=True):
        low, middle, high = (np.array(to_rgba(c)) for c in (BLUE, "#d0d0d0", ORANGE))
        wanted = low + 2 * share * (middle - low) if share < 0.5 else (
            middle + (2 * share - 1) * (high - middle))  # fmt: skip
        if math.isnan(share):
            assert color[3] == 0, "no number, no dot"
        else:
            assert color[3] == 0.5 and np.allclose(color[:3], wanted[:3], atol=0.01)


@pytest.mark.parametrize("palette, wanted", [("diverging", "#d0d0d0"), ("density", "#ffffff")])
def test_values_that_are_all_zero(palette, wanted):
    values = {"x": torch.ones(2), "v": torch.zeros(2)}
    (dots,) = axes(live.points("x", "x", value="v", palette=palette), values=values).collections
    assert np.allclose(to_rgba(wanted)[:3], dots.get_facecolor()[0][:3], atol=0.01)
    assert dots.get_facecolor()[0][3] == (0.7 if palette == "diverging" else 0)


def lattice(rows=3, columns=4):
    i, j = torch.meshgrid(torch.arange(float(rows)), torch.arange(float(columns)), indexing="ij")
    return torch.stack([j * 1.5 - 1 + 0.1 * i, i - 0.5 + 0.05 * j * j], -1)


def test_a_grid_has_lines_both_ways():
    g = lattice()
    ax = axes(live.grid("g", color="pink", width=2, alpha=0.6, label="net"), values={"g": g})
    (lines,) = ax.collections
    wanted = [*g, *g.transpose(0, 1)]
    for line, points in zip(lines.get_segments(), wanted, strict=True):
        assert np.allclose(line, points)
    assert to_hex(lines.get_color()[0]) == PINK and lines.get_alpha() == 0.6
    assert lines.get_linewidth()[0] == 1.6
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["net"]


def test_a_mesh_has_a_cell_for_each_value():
    g, v = lattice(), torch.tensor([[4.0, 3.0, 1.0], [2.0, 0.0, math.nan]])
    g[2, 0] = math.nan  # cell (1, 0)
    mark = live.mesh("g", "v", palette="diverging", limits=(0, 4), alpha=0.5)
    (cells,) = axes(mark, values={"g": g, "v": v}).collections
    kept = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2)]
    for path, color, (i, j) in zip(cells.get_paths(), cells.get_facecolor(), kept, strict=True):
        corners = [g[i, j], g[i, j + 1], g[i + 1, j + 1], g[i + 1, j]]
        assert np.allclose(path.vertices[:4], torch.stack(corners))
        if (i, j) == (1, 2):
            assert color[3] == 0
        else:
            want = render.PALETTES["diverging"](v[i, j].item() / 4)[:3]
            assert np.allclose(color, [*want, 0.5], atol=0.01)


@pytest.mark.parametrize("every", [2, 3])
def test_a_grid_of_fewer_lines_goes_through_all_points(every):
    g = lattice(4, 5)
    (lines,) = axes(live.grid("g", every=every), values={"g": g}).collections
    wanted = [*g[::every], *g.transpose(0, 1)[::every]]
    for line, points in zip(lines.get_segments(), wanted, strict=True):
        assert np.allclose(line, points)


@pytest.mark.parametrize("none", [math.nan, math.inf])
def test_a_mesh_of_values_at_corners_is_smooth(none):
    """Read from the pixels, near the corners; cells without a corner or a value are left out."""
    g, v = lattice(), torch.tensor([[0.0, 1.0, 2.0, 0.0], [3.0, 9.0, -9.0, 0.0], [0.0] * 4])
    v[2, 3] = math.nan  # cell (1, 2)
    place = g.clone()
    g[2, 0, 1] = none  # cell (1, 0)
    mark = live.mesh("g", "v", palette="diverging", limits=(0, 4), alpha=0.5)
    ax = axes(mark, values={"g": g, "v": v})
    for (i, j), share in {(0, 0): 0, (0, 1): 0.25, (0, 2): 0.5, (1, 1): 1, (1, 2): 0}.items():
        for a in (-1, 1):
            for b in (-1, 1):
                cell = (i - (a < 0), j - (b < 0))
                if min(cell) < 0:  # there is none
                    continue
                # (Off the edges of the triangles, which matplotlib draws twice.)
                along, up = place[i, j + b] - place[i, j], place[i + a, j] - place[i, j]
                x, y = (place[i, j] + 0.1 * along + 0.04 * up).tolist()
                wanted = 0.5 + 0.5 * np.array(render.PALETTES["diverging"](float(share))[:3])
                left_out = cell in ((1, 0), (1, 2))
                assert np.allclose(pixel(ax, x, y), 1 if left_out else wanted, atol=0.08), cell
    (x, y) = ((place[0, 0] + place[1, 1]) / 2).tolist()
    assert not np.allclose(pixel(ax, x, y), 1, atol=0.02)


def test_a_heat_map_has_row_0_at_the_bottom():
    """Read from the pixels, at the centres of the cells."""
    v = torch.tensor([[0.0, 1.0, 2.0], [3.0, math.inf, -math.inf], [2.0, 4.0, 1.0]])
    mark = live.heat("v", (0, 4, 0, 2), palette="diverging", limits=(0, 4))
    ax = axes(mark, values={"v": v}, equal=True)
    (image,) = ax.images
    assert image.get_extent() == [-1, 5, -0.5, 2.5], "half a cell beyond the outer centres"
    shares = [[0, 0.25, 0.5], [0.75, 1, 0], [0.5, 1, 0.25]]
    for i, j in itertools.product(range(3), range(3)):
        wanted = render.PALETTES["diverging"](float(shares[i][j]))[:3]
        assert np.allclose(pixel(ax, 2 * j, i), wanted, atol=0.04), (i, j)
    assert ax.get_xlim() == (-2, 6) and ax.get_ylim() == (-1, 3), "the panel's own limits stay"


def test_a_heat_map_is_blank_where_there_is_no_value():
    v = torch.full((5, 5), 3.0)
    v[:2, :2] = math.nan
    ax = axes(live.heat("v", (0, 4, 0, 2), limits=(0, 4), alpha=0.5), values={"v": v})
    assert np.allclose(pixel(ax, 0, 0), 1)
    share = render.PALETTES["density"](0.75)
    assert np.allclose(pixel(ax, 3, 1.5), 1 - 0.5 * share[3] * (1 - np.array(share[:3])), atol=0.02)


def bars_of(ax):
    return [(p.get_x(), p.get_x() + p.get_width(), p.get_y() + p.get_height() / 2,
             to_hex(p.get_facecolor())) for p in ax.patches]  # fmt: skip


def numbers_of(ax):
    return [(t.get_text(), t.xy, t.get_ha()) for t in ax.texts]


def test_bars():
    v = torch.tensor([1.5, -0.75, 3.0])
    mark = live.bars("v", ["one", "two", "three"], color="green", negative="pink", highlight="k")
    ax = axes(mark, values={"v": v, "k": torch.tensor(1.6)}, ylim=None, xlim=(-2, 6))
    wanted = [(0, 1.5, 0, GREEN), (0, -0.75, 1, PINK), (0, 3, 2, GREEN)]
    for bar, other in zip(bars_of(ax), wanted, strict=True):
        assert bar[:3] == pytest.approx(other[:3]) and bar[3] == other[3]
    assert [p.get_alpha() for p in ax.patches] == [0.45, 0.45, 1], "1.6 is 2"
    assert [p.get_height() for p in ax.patches] == pytest.approx([0.7] * 3), "with room between"
    assert numbers_of(ax) == [
        ("1.500", (1.5, 0), "left"), ("−0.750", (-0.75, 1), "right"), ("3.000", (3, 2), "left"),
    ]  # fmt: skip
    assert [t.get_text() for t in ax.get_yticklabels()] == ["one", "two", "three"]
    assert ax.get_yticks().tolist() == [0, 1, 2] and ax.get_ylim() == (2.5, -0.5)
    (zero,) = ax.lines
    assert set(zero.get_xdata()) == {0} and zero.get_color() == INK
    assert zero.get_zorder() > max(p.get_zorder() for p in ax.patches)


def test_each_point_and_each_bar_may_have_a_colour_of_its_own():
    own, v = ["green", "pink", "green"], torch.tensor([1.5, 3.0, -0.75])
    mark = live.bars("v", list("abc"), color=own, negative="pink")
    ax = axes(mark, values={"v": v}, ylim=None, xlim=(-2, 6))
    assert [bar[3] for bar in bars_of(ax)] == [GREEN, PINK, PINK]
    xy = torch.stack([v, v], 1)
    (dots,) = axes(live.points("xy", color=own), values={"xy": xy}).collections
    assert [to_hex(color) for color in dots.get_facecolor()] == [GREEN, PINK, GREEN]


def test_a_waterfall_adds_up():
    mark = live.waterfall("v", list("abc"), total="sum")
    ax = axes(mark, values={"v": torch.tensor([2.0, -3.5, 1.0])}, ylim=None, xlim=(-3, 4))
    wanted = [(0, 2, 0, BLUE), (2, -1.5, 1, ORANGE), (-1.5, -0.5, 2, BLUE), (0, -0.5, 3, GRAY)]
    for bar, other in zip(bars_of(ax), wanted, strict=True):
        assert bar[:3] == pytest.approx(other[:3]) and bar[3] == other[3]
    assert numbers_of(ax) == [
        ("+2.000", (2, 0), "left"), ("−3.500", (2, 1), "left"), ("+1.000", (-0.5, 2), "left"),
        ("−0.500", (-0.5, 3), "right"),
    ]  # fmt: skip
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c", "sum"]


def test_rules_and_texts():
    values = CURVE | {"here": torch.tensor(2.0), "v": torch.tensor([1.0, 3.0])}
    ax = axes(live.rule(x=1, label="there"), live.rule(y="here", color="pink", dash=False, width=2),
              live.text("here", 0.5, "v is {v[1]:+.1f}", color="green", align="right"),
              values=values)  # fmt: skip
    upright, level = ax.lines
    assert set(upright.get_xdata()) == {1} and upright.get_linestyle() == "--"
    assert set(level.get_ydata()) == {2} and level.get_linestyle() == "-"
    assert (upright.get_color(), level.get_color(), level.get_linewidth()) == (INK, PINK, 1.6)
    (text,) = ax.texts
    assert text.get_text() == "v is +3.0" and text.get_position() == (2, 0.5)
    assert text.get_color() == GREEN and text.get_ha() == "right"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["there"]


@pytest.mark.parametrize("on, count", [(0, 0), (1, 1), (-1, 1), (math.nan, 0)])
def test_a_mark_shows_while_its_number_is_not_0(on, count):
    ax = axes(live.line("x", "y", show="on"), values=CURVE | {"on": torch.tensor(on)})
    assert len(ax.lines) == count


@pytest.mark.parametrize("probe", [("px", "py"), ("px", None), (None, "py")])
def test_the_probe(probe):
    values = CURVE | {"px": torch.tensor(4.0), "py": torch.tensor(0.5)}
    ax = axes(live.points("x", "y"), probe=probe, values=values)
    (mark,) = ax.lines
    assert mark.get_color() == INK
    assert mark.get_zorder() > ax.collections[0].get_zorder(), "on top of all"
    if None not in probe:
        assert data(mark).tolist() == [[4, 0.5]] and mark.get_marker() == "D"
    else:
        along, value = (mark.get_xdata(), 4) if probe[0] else (mark.get_ydata(), 0.5)
        assert set(along) == {value} and set(mark.get_xdata() + mark.get_ydata()) != {value}


def test_marks_lie_in_their_order_as_on_the_page():
    values = CURVE | {"v": torch.ones(2, 2), "g": lattice(), "one": torch.ones(1)}
    dot = live.points("one", "one", size=30, alpha=1, color="green")
    rule = live.rule(y=1, width=20, dash=False)
    heat = live.heat("v", (0, 4, 0, 2), palette="diverging")
    for marks, seen in (((dot, rule, heat), ORANGE), ((heat, dot, rule), INK),
                        ((rule, heat, dot), GREEN)):  # fmt: skip
        wanted = matplotlib.colors.to_rgb(seen)
        assert np.allclose(pixel(axes(*marks, values=values), 1, 1), wanted, atol=0.02)


def test_a_menu_is_said_by_its_text():
    params = [{"name": "kind", "kind": "menu", "options": ["small", "large"], "numbers": [2, 7]}]
    made = picture(live.panel(live.line("x", "y")), values=CURVE | {"kind": torch.tensor(7)},
                   readout="it is {kind}", params=params)  # fmt: skip
    assert made.get_supxlabel() == "it is large"


def test_a_dollar_is_a_dollar():
    """As on the page, where nothing is read as a formula."""
    cost = "$5 or $6^{"
    made = picture(live.panel(live.line("x", "y", label=cost), live.text(0, 0, cost), title=cost),
                   readout=cost)  # fmt: skip
    (ax,) = made.axes
    assert ax.get_title() == cost and not ax.title.get_parse_math()
    (label,) = ax.get_legend().get_texts()
    for text in (label, *ax.texts):
        assert text.get_text() == cost and not text.get_parse_math()
    assert made.get_supxlabel().replace("\\$", "$") == cost
