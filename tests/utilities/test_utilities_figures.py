"""The figures of gen_models_utilities, read back from matplotlib: what a reader reads off them.

Every value that is compared is written out here or computed here, none is taken from the module.
"""

import base64
import io
import math
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from PIL import Image

import gen_models_utilities as gmu

BLUE, ORANGE, GREEN, PINK, GRAY, LIGHT_GRAY = (
    "#0173b2", "#d55e00", "#029e73", "#cc78bc", "#5f5f5f", "#c4c4c4",
)  # fmt: skip
BROWN, SKY = "#8c564b", "#56b4e9"
MODES = [BLUE, "#de8f05", GREEN, ORANGE, PINK, BROWN, "#5b3a8c", SKY]
CURVES = [BLUE, ORANGE, GREEN, PINK, BROWN, SKY]

# No two numbers alike: a swap of axes, points or ends cannot pass unseen.
POINTS = np.array([[-1.5, 0.25], [2.0, 1.0], [0.5, -3.0], [3.5, 0.75]])
LABELS = np.array([2, 0, 7, 2])
REGION = (-2.0, 4.0, -3.5, 1.5)


@pytest.fixture(autouse=True)
def plain_figures():
    """Each test starts from matplotlib's defaults and leaves no figure."""
    with plt.rc_context():
        plt.rcdefaults()
        yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.figure(figsize=(6, 5)).add_subplot()


def offsets(dots) -> np.ndarray:
    """Where the dots of a collection stand, (n, 2)."""
    return np.ma.getdata(dots.get_offsets())


def colors(dots, n: int) -> list[str]:
    """The colour of each of n dots; matplotlib repeats a single one."""
    found = [to_hex(color) for color in dots.get_facecolor()]
    return found * n if len(found) == 1 else found


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def data(line) -> np.ndarray:
    return np.stack([np.asarray(line.get_xdata()), np.asarray(line.get_ydata())], axis=1)


def grid_shown(ax) -> list[bool]:
    """Whether there are grid lines over x1, and over x2."""
    return [axis.get_gridlines()[0].get_visible() for axis in (ax.xaxis, ax.yaxis)]


def ticks(axis) -> list[float]:
    """The numbers on an axis that lie in view."""
    low, high = sorted(axis.get_view_interval())
    return [round(float(tick), 9) for tick in axis.get_ticklocs() if low <= tick <= high]


def pixel(ax, x1: float, x2: float) -> np.ndarray:
    """The colour, RGB from 0 to 1, that a reader sees at a point of the axes."""
    canvas = ax.figure.canvas
    canvas.draw()
    column, row = ax.transData.transform((x1, x2))
    picture = np.asarray(canvas.buffer_rgba())
    return picture[picture.shape[0] - 1 - int(row), int(column), :3] / 255


def holds(ax, points) -> bool:
    """All points lie inside the view, none on its edge."""
    points = np.asarray(points)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    x, y = points[:, 0], points[:, 1]
    return bool(((left < x) & (x < right) & (low < y) & (y < high)).all())


def inches(ax) -> list[float]:
    return ax.figure.get_size_inches().tolist()


def places(axes) -> list[tuple[int, int]]:
    """Row and column of each panel, from the top left."""
    specs = [ax.get_subplotspec() for ax in axes]
    return [(spec.rowspan.start, spec.colspan.start) for spec in specs]


def numbered(axes, which: str) -> list[bool]:
    """Which panels show the numbers of an axis: "x" below, "y" at the left."""
    side = {"x": "labelbottom", "y": "labelleft"}[which]
    return [getattr(ax, f"{which}axis").get_tick_params()[side] for ax in axes]


# ------------------------------------------------------------------------------------ colours


def test_colours_of_the_modes():
    assert [to_hex(c) for c in gmu.mode_colors(range(10))] == MODES + MODES[:2]
    for labels in (LABELS, torch.from_numpy(LABELS), LABELS.tolist()):
        rgba = gmu.mode_colors(labels)
        assert rgba.shape == (4, 4) and (rgba[:, 3] == 1).all()
        assert [to_hex(c) for c in rgba] == [GREEN, BLUE, SKY, GREEN]


# ----------------------------------------------------------------------------- scatter_modes


def test_points_are_drawn_where_they_are_in_the_colours_of_their_modes(ax):
    assert gmu.scatter_modes(ax, POINTS, LABELS) is ax
    (dots,) = ax.collections
    assert np.allclose(offsets(dots), POINTS)
    assert colors(dots, 4) == [GREEN, BLUE, SKY, GREEN]
    assert dots.get_sizes().tolist() == [5] and dots.get_alpha() == 0.6
    assert dots.get_linewidths().tolist() == [0], "no rims"
    assert dots.get_rasterized(), "a thousand dots must not make a vector file slow"
    assert ax.get_aspect() == 1 and ax.get_title() == "" and holds(ax, POINTS)
    assert ax.get_legend_handles_labels()[1] == []


def test_what_is_set_for_points(ax):
    points = torch.tensor(POINTS, requires_grad=True)
    gmu.scatter_modes(
        ax, points, torch.from_numpy(LABELS), extent=REGION, size=42.0, alpha=0.9, label="truth",
        title="Ring",
    )  # fmt: skip
    (dots,) = ax.collections
    assert colors(dots, 4) == [GREEN, BLUE, SKY, GREEN]
    assert dots.get_sizes().tolist() == [42] and dots.get_alpha() == 0.9
    assert ax.get_xlim() == REGION[:2] and ax.get_ylim() == REGION[2:]
    assert ax.get_title() == "Ring" and ax.get_legend_handles_labels()[1] == ["truth"]


@pytest.mark.parametrize(
    ("given", "drawn"),
    [
        (None, [BLUE] * 4), (ORANGE, [ORANGE] * 4), (["r", "g", "b", "k"], None),
        (torch.tensor([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1.0]]),
         ["#ff0000", "#00ff00", "#0000ff", "#000000"]),
    ],
)  # fmt: skip
def test_colours_instead_of_labels(ax, given, drawn):
    gmu.scatter_modes(ax, POINTS, colors=given)
    drawn = drawn or ["#ff0000", "#008000", "#0000ff", "#000000"]
    assert colors(ax.collections[0], 4) == drawn


def test_four_numbers_are_one_colour_also_for_four_points(ax):
    """And not four values, for matplotlib to colour from yellow to violet."""
    for given in ((1.0, 0.0, 0.0, 0.5), [1.0, 0.0, 0.0], torch.tensor([1.0, 0.0, 0.0, 1.0])):
        gmu.scatter_modes(ax, POINTS, colors=given)
        assert colors(ax.collections[-1], 4) == ["#ff0000"] * 4
    gmu.scatter_modes(ax, POINTS[:3], colors=np.eye(3))
    assert colors(ax.collections[-1], 3) == ["#ff0000", "#00ff00", "#0000ff"]
    for bad in (np.arange(4.0), ["r", "g"], [1.0, 2.0, 3.0, 4.0], 3, "no colour"):
        with pytest.raises(ValueError, match="colors must be one colour or one a point"):
            gmu.scatter_modes(ax, POINTS, colors=bad)


def test_labels_and_colours_exclude_each_other_and_labels_are_checked(ax):
    with pytest.raises(ValueError, match="either labels or colors"):
        gmu.scatter_modes(ax, POINTS, LABELS, colors=BLUE)
    with pytest.raises(ValueError, match=r"labels must have shape \(4,\)"):
        gmu.scatter_modes(ax, POINTS, LABELS[:3])
    assert not ax.collections


def test_beside_points_that_are_left_out_each_keeps_its_own_colour(ax):
    """Read from the pixels: what is not finite is not drawn, and shifts no colour."""
    points = np.array([[0.0, 0.0], [math.nan, 1.0], [2.0, 1.0], [math.inf, 0.0], [1.0, 2.0]])
    gmu.scatter_modes(ax, points, [0, 1, 2, 3, 4], extent=(-1, 3, -1, 3), size=300, alpha=1)
    for k, color in ((0, BLUE), (2, GREEN), (4, PINK)):
        assert to_hex(pixel(ax, *points[k])) == color
    picture = np.asarray(ax.figure.canvas.buffer_rgba())[..., :3].reshape(-1, 3)
    seen = {to_hex(color / 255) for color in np.unique(picture, axis=0)}
    assert not seen & {MODES[1], MODES[3]}


@pytest.mark.parametrize(
    ("low", "high", "numbers"),
    [(-4.5, 4.5, [-4, -2, 0, 2, 4]), (-5.5, 5.5, [-4, -2, 0, 2, 4]), (0, 14, [0, 5, 10]),
     (0, 6.5, [0, 2, 4, 6]), (0, 5.9, [0, 1, 2, 3, 4, 5]),
     (-0.55, 0.55, [-0.4, -0.2, 0, 0.2, 0.4])],
)  # fmt: skip
def test_both_axes_are_numbered_alike(ax, low, high, numbers):
    gmu.scatter_modes(ax, POINTS, extent=(low, high, low, high))
    assert ticks(ax.xaxis) == numbers and ticks(ax.yaxis) == numbers


# --------------------------------------------------------------------------- density_heatmap


def hill(x):
    """log N(x; (1, -0.5), diag(0.8, 0.3)^2)."""
    x1, x2 = (x[:, 0] - 1.0) / 0.8, (x[:, 1] + 0.5) / 0.3
    return -0.5 * (x1**2 + x2**2) - math.log(2 * math.pi * 0.8 * 0.3)


def hill_at(x1: float, x2: float) -> float:
    square = ((x1 - 1) / 0.8) ** 2 + ((x2 + 0.5) / 0.3) ** 2
    return math.exp(-square / 2) / (2 * math.pi * 0.8 * 0.3)


def test_heat_map_holds_the_density_at_the_centre_of_each_cell(ax):
    assert gmu.density_heatmap(ax, hill, (-2, 4, -1, 1), n=12) is ax
    (image,) = ax.images
    values = image.get_array()
    assert values.shape == (12, 12) and not np.ma.is_masked(values)
    # Cells are 1/2 wide and 1/6 high; rows go along x2, from below.
    assert values[0, 0] == pytest.approx(hill_at(-1.75, -11 / 12), rel=1e-5)
    assert values[3, 6] == pytest.approx(hill_at(1.25, -5 / 12), rel=1e-5)
    assert values[11, 5] == pytest.approx(hill_at(0.75, 11 / 12), rel=1e-5)
    assert values[2, 11] == pytest.approx(hill_at(3.75, -7 / 12), rel=1e-5)
    by_hand = [[hill_at(-1.75 + j / 2, (-11 + 2 * i) / 12) for j in range(12)] for i in range(12)]
    assert np.allclose(values, by_hand, rtol=1e-4)
    assert image.get_extent() == [-2, 4, -1, 1] and image.origin == "lower"
    assert ax.get_xlim() == (-2, 4) and ax.get_ylim() == (-1, 1) and ax.get_aspect() == 1
    assert ax.get_title() == "" and len(ax.figure.axes) == 1, "no scale unless it is asked for"


def test_heat_map_is_seen_where_the_density_is(ax):
    """Read from the pixels: dark at the top of the hill, white far from it."""
    gmu.density_heatmap(ax, hill, (-2, 4, -3, 3))
    red, green, blue = pixel(ax, 1, -0.5)
    assert red < 0.1 and green < 0.25 and 0.3 < blue < 0.5, "the dark end of matplotlib's Blues"
    for elsewhere in ((1, 0.5), (-0.5, 1), (-1.5, -0.5), (1, -2.5)):
        assert min(pixel(ax, *elsewhere)) > 0.9
    assert pixel(ax, 1 + 0.8, -0.5).mean() == pytest.approx(pixel(ax, 1, -0.2).mean(), abs=0.05)


def test_heat_map_of_the_ring_by_default(ax):
    with plt.rc_context({"axes.grid": True}):
        other = plt.figure().add_subplot()
        gmu.density_heatmap(other, gmu.ring_log_prob, title="The ring")
    (image,) = other.images
    assert image.get_array().shape == (200, 200)
    assert other.get_xlim() == (-4.5, 4.5) and other.get_ylim() == (-4.5, 4.5)
    assert image.get_cmap().name == "Blues" and image.get_interpolation() == "bilinear"
    assert other.get_title() == "The ring" and grid_shown(other) == [False, False]
    assert ticks(other.xaxis) == ticks(other.yaxis) == [-4, -2, 0, 2, 4]
    # White is zero, the darkest blue is the maximum: 1 / (8 * 2 pi * 0.25^2) at a centre.
    low, high = image.get_clim()
    assert low == 0 and high == pytest.approx(1 / (8 * 2 * math.pi * 0.25**2), rel=0.01)


def test_heat_map_on_a_given_scale(ax):
    gmu.density_heatmap(ax, hill, (-2, 4, -1, 1), n=12, vmax=0.35, colorbar=True)
    assert ax.images[0].get_clim() == (0, 0.35)
    bar = ax.figure.axes[1]
    assert bar.get_ylabel() == "density" and bar.get_ylim() == (0, 0.35)
    ax.figure.canvas.draw()
    shown, scale = ax.get_position(), bar.get_position()
    assert scale.x0 > shown.x1 and scale.height < 0.9 * ax.get_subplotspec().get_position(
        ax.figure
    ).height  # fmt: skip


def test_heat_map_leaves_blank_what_has_no_density(ax):
    def half(x):
        value = torch.where(x[:, 0] > 0, 0.0, math.nan)
        return torch.where(x[:, 1] > 0, value, math.inf)

    gmu.density_heatmap(ax, half, (-1, 1, -1, 1), n=4)
    blank = np.ma.getmaskarray(ax.images[0].get_array())
    assert blank.tolist() == [[True] * 4] * 2 + [[True, True, False, False]] * 2
    assert ax.images[0].get_clim() == (0, 1)
    assert pixel(ax, -0.75, 0.75).tolist() == [1, 1, 1] and max(pixel(ax, 0.75, 0.75)[:2]) < 0.3


@pytest.mark.parametrize("log_p", [-math.inf, math.nan, -1000.0])
def test_a_density_that_is_zero_everywhere_has_a_scale(ax, log_p):
    gmu.density_heatmap(ax, lambda x: torch.full((len(x),), log_p), n=3, colorbar=True)
    assert ax.images[0].get_clim() == (0, 1)
    bar = ax.figure.axes[1]
    ax.figure.canvas.draw()
    assert bar.get_ylim() == (0, 1) and ticks(bar.yaxis) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert pixel(ax, 0.5, 0.5).min() > 0.95
    for bad in (0, -1.0, math.nan):
        with pytest.raises(ValueError, match="vmax must be finite and positive"):
            gmu.density_heatmap(ax, hill, n=3, vmax=bad)


def test_heat_map_is_computed_as_asked(ax):
    seen = []

    def watch(x):
        seen.append((x.dtype, x.device.type, torch.is_grad_enabled()))
        return hill(x)

    gmu.density_heatmap(ax, watch, n=3, dtype=torch.float64, device="cpu")
    gmu.density_heatmap(ax, watch, n=3)
    assert seen == [(torch.float64, "cpu", False), (torch.float32, "cpu", False)]
    for short in ((-1, 1), (1, -1, 0, 1)):
        with pytest.raises(ValueError, match="extent must"):
            gmu.density_heatmap(ax, hill, short)


# --------------------------------------------------------------------------------- grid_warp


def bend(z):
    """(z1, z2) -> (2 z1 + 1, z2 - z1^2)."""
    return torch.stack([2 * z[:, 0] + 1, z[:, 1] - z[:, 0] ** 2], dim=1)


def bent(z1, z2):
    return [2 * z1 + 1, z2 - z1**2]


def test_a_warped_grid_line_by_line(ax):
    assert gmu.grid_warp(ax, bend, (-1, 2, -3, 1), n_lines=3, n_points=4) is ax
    assert len(ax.lines) == 6
    along, across = ax.lines[:3], ax.lines[3:]
    for line, z2 in zip(along, (-3, -1, 1), strict=True):  # z1 runs
        assert np.allclose(data(line), [bent(z1, z2) for z1 in (-1, 0, 1, 2)])
        assert line.get_color() == BLUE
    for line, z1 in zip(across, (-1, 0.5, 2), strict=True):  # z2 runs
        assert np.allclose(data(line), [bent(z1, z2) for z2 in np.linspace(-3, 1, 4)])
        assert line.get_color() == ORANGE
    assert {(line.get_linewidth(), line.get_alpha()) for line in ax.lines} == {(1.0, 0.9)}
    assert ax.get_aspect() == 1 and ax.get_title() == ""
    assert all(holds(ax, data(line)) for line in ax.lines), "by default all of it is in view"


def test_what_is_set_for_a_warped_grid():
    with plt.rc_context({"axes.grid": True}):
        ax = plt.figure().add_subplot()
        gmu.grid_warp(
            ax, bend, (-1, 1, -1, 1), view=REGION, title="Bent", linewidth=2.5, alpha=0.25,
            n_lines=2, n_points=2,
        )  # fmt: skip
    assert ax.get_xlim() == REGION[:2] and ax.get_ylim() == REGION[2:]
    assert ax.get_title() == "Bent" and grid_shown(ax) == [False, False]
    assert {(line.get_linewidth(), line.get_alpha()) for line in ax.lines} == {(2.5, 0.25)}
    assert len(ax.lines) == 4
    for bad in ({"n_lines": 1}, {"n_points": 1}, {"view": (0, 1)}, {"extent": (0, 1)}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            gmu.grid_warp(ax, bend, **bad)


def test_the_default_grid_and_the_first_of_what_a_transform_returns(ax):
    seen = []

    def decode(z):
        seen.append((z.dtype, torch.is_grad_enabled()))
        return z * 3, torch.zeros(len(z))

    gmu.grid_warp(ax, decode)
    assert [len(line.get_xdata()) for line in ax.lines] == [201] * 26
    for line, level in zip(ax.lines[:13], np.linspace(-9, 9, 13), strict=True):
        assert np.allclose(line.get_ydata(), level, atol=1e-5)
        assert np.allclose(line.get_xdata(), np.linspace(-9, 9, 201), atol=1e-5)
    assert seen == [(torch.float32, False)] * 2
    gmu.grid_warp(ax, decode, dtype=torch.float64, device="cpu")
    assert seen[2:] == [(torch.float64, False)] * 2


# ------------------------------------------------------------------ scatter_stretch, map_views

STRETCHED = ["#0b3954", BLUE, "#a0a0a0", ORANGE, "#7f3b08"]  # at -2, -1, 0, 1, 2


def test_points_are_coloured_by_their_log_det(ax):
    x = np.array([[0.5, 1.5], [-1, 2], [3, 0], [2, 2], [1, 1], [0, -2], [4, 1]])
    log_det = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0, 7.0, -7.0], requires_grad=True)
    assert gmu.scatter_stretch(ax, x, log_det, extent=REGION, size=3.0) is ax
    (dots,) = ax.collections
    wanted = [*STRETCHED, STRETCHED[4], STRETCHED[0]]  # beyond 2 and -2 the colours end
    for found, hex_ in zip(dots.get_facecolor(), wanted, strict=True):
        assert np.allclose(found[:3], plt.matplotlib.colors.to_rgb(hex_), atol=0.02)
    assert np.allclose(offsets(dots), x) and dots.get_sizes().tolist() == [3]
    assert ax.get_xlim() == REGION[:2] and ax.get_ylim() == REGION[2:]
    assert ax.get_title() == f"mean 0.00, std {np.std(log_det.detach().numpy(), ddof=1):.2f}"
    (scale,) = [a for a in ax.figure.axes if a is not ax]
    assert scale.get_ylabel() == "log|det J|" and ticks(scale.yaxis) == [-2, -1, 0, 1, 2]


@pytest.mark.parametrize(("value", "title"), [(-0.004, "mean 0.00"), (-0.25, "mean \u22120.25")])
def test_a_mean_is_written_without_a_zero_below_zero(ax, value, title):
    gmu.scatter_stretch(ax, POINTS, np.full(4, value))
    assert ax.get_title() == f"{title}, std 0.00"


def test_a_log_det_a_point(ax):
    for bad in (torch.zeros(3), torch.zeros(4, 1), 0.0):
        with pytest.raises(
            ValueError, match=r"log_abs_det must have shape \(4,\), one value a point"
        ):
            gmu.scatter_stretch(ax, POINTS, bad)
    assert not ax.collections


class Scale:
    """x = factor z: its density, at the centre, is 1 / (2 pi factor^2)."""

    def __init__(self, factor):
        self.factor = factor

    def decode(self, z):
        return self.factor * z, torch.full((len(z),), 2 * math.log(self.factor))


def scaled_log_prob(transform, x):
    z = x / transform.factor
    return -z.square().sum(1) / 2 - math.log(2 * math.pi * transform.factor**2)


def test_views_of_maps():
    z = torch.tensor(POINTS)
    axes = gmu.map_views(
        {"half": Scale(0.5), "twice": Scale(2.0)}, scaled_log_prob, z, (-2, 2, -2, 2)
    )
    assert axes.shape == (2, 3)
    titles = [[ax.get_title() for ax in row] for row in axes]
    assert titles[0] == ["half", "grid", "mean \u22121.39, std 0.00"]
    assert titles[1] == ["twice", "grid", "mean 1.39, std 0.00"]
    for (density, grid, dots), factor in zip(axes, (0.5, 2.0), strict=True):
        for ax in (density, grid, dots):
            assert ax.get_xlim() == ax.get_ylim() == (-2, 2)
        assert np.allclose(offsets(dots.collections[0]), factor * POINTS)
        assert np.allclose(data(grid.lines[0])[:, 1], -3 * factor), "the lowest line, decoded"
        low, high = density.images[0].get_clim()
        shown = float(density.images[0].get_array().max())
        assert shown == pytest.approx(1 / (2 * math.pi * factor**2), rel=0.02)
        assert low == 0 and high == (0.4 if factor == 0.5 else shown)


def test_views_of_no_map_are_refused():
    with pytest.raises(ValueError, match="transforms must hold at least one transform, got none"):
        gmu.map_views({}, scaled_log_prob, torch.tensor(POINTS))
    with pytest.raises(ValueError, match="extent"):
        gmu.map_views({"a": Scale(1.0)}, scaled_log_prob, torch.tensor(POINTS), (1, 2))
    assert not plt.get_fignums()


# --------------------------------------------------------------------------------- layer_grid


def test_layers_in_reading_order_each_with_its_own_points():
    steps = [POINTS * (k + 1) for k in range(5)]
    axes = gmu.layer_grid(steps, LABELS, n_cols=3)
    assert len(axes) == len(axes[0].figure.axes) == 5, "the place left over is removed"
    assert places(axes) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert [ax.get_title() for ax in axes] == [
        "base z", "after layer 1", "after layer 2", "after layer 3", "after layer 4: x",
    ]  # fmt: skip
    for ax, step in zip(axes, steps, strict=True):
        (dots,) = ax.collections
        assert np.allclose(offsets(dots), step)
        assert colors(dots, 4) == [GREEN, BLUE, SKY, GREEN]
        assert dots.get_sizes().tolist() == [4] and dots.get_alpha() == 0.6
        assert ax.get_aspect() == 1 and ax.title.get_fontsize() == 9
    # One common scale: 99.8 % of all 40 coordinates, and a twentieth more.
    sizes = sorted(abs(value) for step in steps for value in step.ravel())
    reach = 1.05 * (sizes[-2] + (0.998 * 39 - 38) * (sizes[-1] - sizes[-2]))
    for ax in axes:
        assert ax.get_xlim() == pytest.approx((-reach, reach))
        assert ax.get_ylim() == pytest.approx((-reach, reach))
    assert numbered(axes, "x") == [False, False, True, True, True], "the lowest of each column"
    assert numbered(axes, "y") == [True, False, False, True, False]
    assert inches(axes[0]) == pytest.approx([8, 2 * 8 / 3 * 1.08])


def test_what_is_set_for_layers():
    given = ["r", "g", "b", "k"]
    axes = gmu.layer_grid(
        [POINTS] * 2, titles=["in", "out"], colors=given, extent=REGION, size=11, alpha=0.8
    )
    for ax in axes:
        dots = ax.collections[0]
        assert colors(dots, 4) == ["#ff0000", "#008000", "#0000ff", "#000000"]
        assert dots.get_sizes().tolist() == [11] and dots.get_alpha() == 0.8
        assert ax.get_xlim() == REGION[:2] and ax.get_ylim() == REGION[2:]
    assert [ax.get_title() for ax in axes] == ["in", "out"]
    assert places(axes) == [(0, 0), (0, 1)] and numbered(axes, "x") == [True, True]
    assert inches(axes[0]) == pytest.approx([4, 2 * 1.08])
    with pytest.raises(ValueError, match=r"one entry a step \(2\), got 1"):
        gmu.layer_grid([POINTS] * 2, titles=["in"])


def test_four_layers_a_row_and_the_scale_leaves_out_what_is_not_finite():
    stray = np.array([[1.0, math.nan], [math.inf, -2.0]])
    axes = gmu.layer_grid([stray] * 9)
    assert places(axes) == [(0, k) for k in range(4)] + [(1, k) for k in range(4)] + [(2, 0)]
    assert axes[0].get_xlim() == pytest.approx((-2.1, 2.1))
    assert [c for ax in axes for c in colors(ax.collections[0], 1)] == [BLUE] * 9
    assert numbered(axes, "x") == [False] * 5 + [True] * 4


def test_layers_of_points_that_have_all_left():
    """As after a divergence: the panels are empty, and have a scale."""
    axes = gmu.layer_grid([np.full((3, 2), math.nan), np.full((3, 2), math.inf)])
    axes[0].figure.canvas.draw()
    assert [ax.get_xlim() for ax in axes] == [ax.get_ylim() for ax in axes] == [(-1, 1)] * 2
    assert [ax.get_title() for ax in axes] == ["base z", "after layer 1: x"]


def test_one_layer_and_points_that_are_all_zero():
    (ax,) = gmu.layer_grid([np.zeros((3, 2))])
    assert ax.get_title() == "base z"
    assert ax.get_xlim() == (-1, 1) and ax.get_ylim() == (-1, 1)


# ---------------------------------------------------------------------------- training_curves


def test_training_curves_show_all_values_in_nats():
    curves = {"training": ([0, 10, 30], [4.0, 2.5, -1.0]), "held out": ([5, 20], [3.0, 2.25])}
    ax = gmu.training_curves(curves, entropy=2.144717, title="Training")
    first, second, rule = ax.lines
    assert data(first).tolist() == [[0, 4], [10, 2.5], [30, -1]] and first.get_color() == BLUE
    assert data(second).tolist() == [[5, 3], [20, 2.25]] and second.get_color() == ORANGE
    assert np.allclose(rule.get_ydata(), 2.144717) and rule.get_color() == "black"
    assert rule.get_linestyle() == "--" and rule.get_linewidth() == 1.2
    ends = rule.get_transform().transform(data(rule))[:, 0]
    assert ends.tolist() == ax.bbox.intervalx.tolist(), "the rule runs from edge to edge"
    assert legend(ax) == ["training", "held out", "entropy H(X) = 2.145"]
    assert ax.get_xlabel() == "training step" and ax.get_ylabel() == "NLL (nats)"
    assert ax.get_title() == "Training" and inches(ax) == [8.0, 3.6]
    assert ax.get_xscale() == ax.get_yscale() == "linear"
    assert ax.figure.get_layout_engine() is not None
    assert holds(ax, [[0, 4], [30, -1]])


@pytest.mark.parametrize("entropy", [0.0, -1.25])
def test_an_entropy_of_zero_or_less_is_a_line_too(ax, entropy):
    gmu.training_curves({"a": ([0, 1], [2.0, 1.0])}, entropy, ax=ax, entropy_label="H(X | R)")
    assert np.allclose(ax.lines[1].get_ydata(), entropy)
    assert legend(ax) == ["a", f"H(X | R) = {'0.000' if entropy == 0 else '-1.250'}"]
    assert ax.get_ylim()[0] < entropy


def test_the_top_cuts_off_the_first_values_and_nothing_below(ax):
    curves = {f"run {k}": ([0, 1], [50.0, -2.0]) for k in range(7)}
    assert gmu.training_curves(curves, ax=ax, top=3.0) is ax
    assert ax.get_ylim()[1] == 3 and ax.get_ylim()[0] < -2 and ax.get_title() == ""
    assert [line.get_color() for line in ax.lines] == CURVES + [BLUE], "no entropy: no rule"
    assert data(ax.lines[0]).tolist() == [[0, 50], [1, -2]], "cut off by the view alone"
    assert legend(ax) == list(curves)
    with pytest.raises(ValueError, match="as many steps as values, got 2 and 1"):
        gmu.training_curves({"a": ([0, 1], [1.0])}, ax=ax)


@pytest.mark.parametrize("top", [-2.0, -2.5, math.nan, math.inf])
def test_a_top_below_all_values_is_refused(ax, top):
    """It would turn the axis upside down."""
    curves = {"a": ([0, 1, 2], [math.nan, 3.0, -1.0]), "b": ([0, 1], [4.0, math.inf])}
    with pytest.raises(ValueError, match=r"top must be .* above the lowest value, -2, got"):
        gmu.training_curves(curves, -2.0, ax=ax, top=top)
    gmu.training_curves(curves, -2.0, ax=ax, top=-1.5)
    assert ax.get_ylim()[0] < -2 and ax.get_ylim()[1] == -1.5


# ------------------------------------------------------------------------------ curve_gallery


def test_functions_each_over_the_identity():
    functions = {
        "square": lambda z: (z**2, torch.zeros(len(z))), "exp": torch.exp, "neg": torch.neg,
        "cube": lambda z: z**3,
    }  # fmt: skip
    axes = gmu.curve_gallery(functions, (-1, 3), n=5, n_cols=3, xlabel="in", ylabel="out")
    z = np.array([-1, 0, 1, 2, 3.0])
    for ax, name, x in zip(axes, functions, (z**2, np.exp(z), -z, z**3), strict=True):
        identity, curve = ax.lines
        assert data(identity).tolist() == [[-1, -1], [3, 3]]
        assert (identity.get_color(), identity.get_linestyle()) == (GRAY, "--")
        assert identity.get_linewidth() == 1 and identity.get_zorder() <= curve.get_zorder()
        assert np.allclose(data(curve), np.stack([z, x], axis=1), rtol=1e-5)
        assert curve.get_color() == BLUE and curve.get_linewidth() == 2
        assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == (name, "in", "out")
    assert places(axes) == [(0, 0), (0, 1), (0, 2), (1, 0)] and len(axes[0].figure.axes) == 4
    assert inches(axes[0]) == pytest.approx([8, 2 * 8 / 3 * 0.9])


def test_the_default_gallery():
    axes = gmu.curve_gallery({name: torch.tanh for name in "abcd"})
    assert places(axes)[-1] == (1, 0), "three in a row"
    z = axes[0].lines[1].get_xdata()
    assert len(z) == 401 and (z[0], z[-1]) == (-3, 3)
    assert (axes[0].get_xlabel(), axes[0].get_ylabel()) == ("z", "x")
    (ax,) = gmu.curve_gallery({"one": torch.tanh}, n=2)
    assert ax.lines[1].get_xdata().tolist() == [-3, 3]
    assert inches(ax) == pytest.approx([8 / 3, 8 / 3 * 0.9])


# ------------------------------------------------------------------------ samples_and_density


def test_histogram_bars_and_curves_by_hand(ax):
    samples = torch.tensor([0.1, 0.2, 0.6, 1.9, 7.0])  # the last lies outside

    def wave(x):
        return torch.where(x > 0.5, -x, math.nan)

    out = gmu.samples_and_density(
        ax, samples, {"e": lambda x: -2 * x, "w": wave}, (0, 2), bins=4, n=5, title="Both"
    )
    assert out is ax
    bars = [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in ax.patches]
    # Counts 2, 1, 0, 1 of 5 samples, in bars of width 1/2.
    assert np.allclose(bars, [(0, 0.5, 0.8), (0.5, 0.5, 0.4), (1, 0.5, 0), (1.5, 0.5, 0.4)])
    assert {to_hex(bar.get_facecolor()) for bar in ax.patches} == {LIGHT_GRAY}
    centers = [0.2, 0.6, 1.0, 1.4, 1.8]
    first, second = ax.lines
    assert np.allclose(data(first), [(x, math.exp(-2 * x)) for x in centers])
    assert np.isnan(second.get_ydata()[0])
    assert np.allclose(data(second)[1:], [(x, math.exp(-x)) for x in centers[1:]])
    assert (first.get_color(), second.get_color()) == (BLUE, ORANGE)
    assert legend(ax) == ["samples", "e", "w"] and ax.get_title() == "Both"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "density")
    assert ax.get_xlim() == (0, 2) and ax.get_ylim()[0] == 0


def test_the_default_histogram_covers_the_samples(ax):
    samples = np.linspace(-1.5, 4.5, 601)
    gmu.samples_and_density(ax, samples)
    assert len(ax.patches) == 60 and ax.get_xlim() == (-1.5, 4.5) and not ax.lines
    assert np.allclose([bar.get_height() for bar in ax.patches], 1 / 6, rtol=0.12)
    assert sum(bar.get_height() * bar.get_width() for bar in ax.patches) == pytest.approx(1)
    assert legend(ax) == ["samples"] and ax.get_title() == ""
    other = plt.figure().add_subplot()
    names = [f"p{k}" for k in range(7)]
    gmu.samples_and_density(other, samples, {name: torch.neg for name in names}, bins=1)
    assert [line.get_color() for line in other.lines] == CURVES + [BLUE]
    assert len(other.lines[0].get_xdata()) == 801 and len(other.patches) == 1
    assert other.lines[0].get_xdata()[0] == pytest.approx(-1.5 + 3 / 801)
    with pytest.raises(ValueError, match="bins must be at least 1, got 0"):
        gmu.samples_and_density(ax, samples, bins=0)


@pytest.mark.parametrize("where, width", [(0.0, 1.0), (2.5, 1.0), (-4000.0, 8.0)])
def test_samples_that_are_all_the_same_stand_in_the_middle(ax, where, width):
    gmu.samples_and_density(ax, np.full(7, where), bins=5)
    assert ax.get_xlim() == pytest.approx((where - width / 2, where + width / 2))
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == pytest.approx([0, 0, 5 / width, 0, 0]), "the area is 1"


def test_samples_that_are_no_numbers_are_refused_and_infinite_ones_lie_outside(ax):
    with pytest.raises(ValueError, match="samples must not hold NaN, got NaN in 2 of 3"):
        gmu.samples_and_density(ax, [math.nan, 1.0, math.nan], extent=(0, 2))
    with pytest.raises(ValueError, match="samples must hold a finite number"):
        gmu.samples_and_density(ax, [math.inf, -math.inf])
    gmu.samples_and_density(ax, [math.inf, 1.0, 3.0, -math.inf], bins=2)
    assert ax.get_xlim() == (1, 3) and [bar.get_height() for bar in ax.patches] == [0.25, 0.25]


# ----------------------------------------------------------------------- conditional samples


def test_labelled_data_beside_samples_of_each_label():
    by_label = {7: POINTS + 1, 0: POINTS[:2] * 2}
    assert gmu.plot_conditional_samples_discrete(by_label, POINTS, LABELS) is None
    left, right = axes = plt.gcf().axes
    assert places(axes) == [(0, 0), (0, 1)] and inches(left) == pytest.approx([8, 4.2])
    assert [ax.get_title() for ax in axes] == ["data", "samples by label"]
    assert plt.gcf().get_suptitle() == "Conditional samples"
    (dots,) = left.collections
    assert np.allclose(offsets(dots), POINTS) and colors(dots, 4) == [GREEN, BLUE, SKY, GREEN]

    behind, seven, zero = right.collections
    assert np.allclose(offsets(behind), POINTS) and colors(behind, 1) == [LIGHT_GRAY]
    assert behind.get_sizes().tolist() == [3] and behind.get_alpha() == 0.5
    assert np.allclose(offsets(seven), POINTS + 1) and colors(seven, 1) == [SKY]
    assert np.allclose(offsets(zero), POINTS[:2] * 2) and colors(zero, 1) == [BLUE]
    assert seven.get_sizes().tolist() == zero.get_sizes().tolist() == [8]
    for text, name, center in zip(
        right.texts, ("7", "0"), ((2.125, 0.75), (0.5, 1.25)), strict=True
    ):
        assert text.get_text() == name and text.get_position() == pytest.approx(center)
        assert (text.get_ha(), text.get_va(), text.get_fontsize()) == ("center", "center", 9)
        box = text.get_bbox_patch()
        assert to_hex(box.get_facecolor()) == "#ffffff" and box.get_alpha() == 0.8
        assert box.get_edgecolor()[3] == 0, "a box without a rim"
        assert box.get_boxstyle().pad * 9 == pytest.approx(1, abs=0.02), "one point around the name"
    for ax in axes:
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("$x_1$", "$x_2$") and ax.get_aspect() == 1
        assert holds(ax, np.concatenate([POINTS, *by_label.values()])), "one scale for both"
    assert left.get_xlim() == right.get_xlim() and left.get_ylim() == right.get_ylim()
    assert numbered(axes, "x") == [True, True]


def test_a_label_stands_in_the_middle_of_what_is_finite():
    stray = np.array([[1.0, 2.0], [math.nan, 0.0], [3.0, 1.0], [math.inf, 5.0]])
    gmu.plot_conditional_samples_discrete({3: stray, 5: stray[1::2]}, POINTS, LABELS)
    plt.gcf().canvas.draw()
    (name,) = plt.gcf().axes[1].texts
    assert name.get_text() == "3" and name.get_position() == (2, 1.5)


def test_samples_for_each_radius_with_its_circle():
    by_radius = {value: POINTS * value for value in (1.5, 5.0, 6, 2.25)}
    out = gmu.plot_conditional_samples_continuous(
        by_radius, POINTS, title="By R", value_name="Radius R"
    )
    axes = plt.gcf().axes
    assert out is None and plt.gcf().get_suptitle() == "By R"
    assert places(axes) == [(0, 0), (0, 1), (0, 2), (1, 0)], "three in a row, in order"
    assert inches(axes[0]) == pytest.approx([8, 2 * 8 / 3 * 1.1])
    names = ["Radius R = 1.5", "Radius R = 5", "Radius R = 6", "Radius R = 2.25"]
    assert [ax.get_title() for ax in axes] == names
    for ax, (radius, samples) in zip(axes, by_radius.items(), strict=True):
        behind, dots = ax.collections
        assert np.allclose(offsets(behind), POINTS) and colors(behind, 1) == [LIGHT_GRAY]
        assert behind.get_sizes().tolist() == [3] and behind.get_alpha() == 0.5
        assert np.allclose(offsets(dots), samples) and colors(dots, 1) == [BLUE]
        assert dots.get_sizes().tolist() == [5] and dots.get_alpha() == 0.6
        (circle,) = ax.patches
        assert circle.center == (0, 0) and circle.radius == radius
        assert not circle.get_fill() and to_hex(circle.get_edgecolor()) == "#000000"
        assert circle.get_linestyle() == "--" and circle.get_linewidth() == 1
        assert ax.get_aspect() == 1
        assert holds(ax, np.concatenate([POINTS, *by_radius.values()]))
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in axes}) == 1, "one scale for all"
    assert numbered(axes, "x") == [False, True, True, True]


def test_a_circle_beyond_all_points_is_in_view():
    gmu.plot_conditional_samples_continuous({9: POINTS}, POINTS, value_name="radius")
    (ax,) = plt.gcf().axes
    assert holds(ax, [[9, 0], [-9, 0], [0, 9], [0, -9]])


def test_a_value_that_is_no_radius_has_no_circle():
    gmu.plot_conditional_samples_continuous({0.125: POINTS, 1234567.0: POINTS}, POINTS)
    axes = plt.gcf().axes
    assert [ax.get_title() for ax in axes] == ["value = 0.125", "value = 1.23457e+06"]
    assert not any(ax.patches for ax in axes)
    assert plt.gcf().get_suptitle() == "Conditional samples"


# ----------------------------------------------------------------------------------- run_dots


def test_runs_as_dots_a_bar_and_a_diamond():
    arms = {"plain": [1.0, 4.0, 2.0], "deeper": [0.5, 0.9, 0.7, 8.0]}
    with plt.rc_context({"axes.grid": True}):
        ax = plt.figure().add_subplot()
        assert gmu.run_dots(ax, arms, own={"deeper": 0.6}) is None
    for row, (dots, values) in enumerate(zip(ax.collections, arms.values(), strict=True)):
        by_hand = [(v, row + 0.22 * math.sin(2.4 * k)) for k, v in enumerate(values)]
        assert np.allclose(offsets(dots), by_hand) and colors(dots, 1) == [BLUE]
        assert dots.get_sizes().tolist() == [9] and dots.get_alpha() == 0.35
        assert dots.get_linewidths().tolist() == [0]
    plain, deeper, own = ax.lines
    assert np.allclose(data(plain), [(2, -0.34), (2, 0.34)])
    assert np.allclose(data(deeper), [(0.8, 0.66), (0.8, 1.34)])
    for bar in (plain, deeper):
        assert bar.get_color() == BLUE and bar.get_linewidth() == 2.4
    assert data(own).tolist() == [[0.6, 1]] and own.get_marker() == "D"
    assert own.get_color() == ORANGE and own.get_markersize() == 6
    drawn = [artist.get_zorder() for artist in (*ax.collections, plain, deeper)]
    assert own.get_zorder() > max(drawn), "one's own run lies on top"
    assert ax.get_yticks().tolist() == [0, 1] and ax.get_ylim() == (1.5, -0.5)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["plain", "deeper"]
    assert ax.get_xlabel() == "gap (nats)" and grid_shown(ax) == [True, False]
    assert ax.get_xlim()[0] < 0.5 and ax.get_xlim()[1] > 8


def test_the_colour_of_runs_may_be_a_tensor(ax):
    gmu.run_dots(ax, {"a": [1.0, 2.0]}, color=torch.tensor([1, 0, 0, 1]))
    (dots,) = ax.collections
    assert dots.get_facecolor()[0, :3].tolist() == [1, 0, 0]


def test_runs_beyond_the_limit_stand_at_it(ax):
    arms = {"a": [1.0, 30.0, 2.0], "b": [3.0, 5.0, math.inf]}
    gmu.run_dots(ax, arms, own={"a": 12.0, "b": 0.5}, limit=4.0, color=GREEN, xlabel="KL (nats)")
    first, second = ax.collections
    assert offsets(first)[:, 0].tolist() == [1, 4, 2]
    assert offsets(second)[:, 0].tolist() == [3, 4, 4]
    assert colors(first, 1) == colors(second, 1) == [GREEN]
    bars, diamonds = ax.lines[::2], ax.lines[1::2]
    assert [bar.get_xdata()[0] for bar in bars] == [2, 4]
    assert {bar.get_color() for bar in bars} == {GREEN}
    assert [data(mark).tolist() for mark in diamonds] == [[[4, 0]], [[0.5, 1]]]
    assert ax.get_xlabel() == "KL (nats)" and ax.get_xlim()[1] < 5


def test_without_a_limit_what_is_not_finite_stands_at_the_largest_number(ax):
    gmu.run_dots(ax, {"a": [1.0, math.inf, 2.0]}, own={"a": 5.0})
    assert offsets(ax.collections[0])[:, 0].tolist() == [1, 5, 2], "one's own counts"
    other = plt.figure().add_subplot()
    gmu.run_dots(other, {"a": [1.0, math.inf, 2.0]})
    assert offsets(other.collections[0])[:, 0].tolist() == [1, 2, 2]
    assert len(other.lines) == 1, "no diamond unless there is a run of one's own"


# ------------------------------------------------------------------------------------ sliders


@pytest.fixture
def shown(monkeypatch):
    """The widgets that `sliders` shows, while they work as they do in a notebook."""
    import ipywidgets as widgets

    made, interact = {}, widgets.interact

    def watch(function, **controls):
        made.update(controls)
        return interact(function, **controls)

    monkeypatch.setattr(widgets, "interact", watch)
    return made


def test_sliders_have_the_given_ends_steps_and_starts(shown):
    import ipywidgets as widgets

    gmu.sliders(
        lambda **_: None, turn_by=(-1.5, 4.0, 0.25, 0.5), layers=(1, 9, 2, 3), mixed=(0, 1, 0.5, 1),
        kind=["x", "y", "z"], on=True, off=False,
    )  # fmt: skip
    slider = shown["turn_by"]
    assert type(slider) is widgets.FloatSlider and slider.description == "turn by"
    assert (slider.min, slider.max, slider.step, slider.value) == (-1.5, 4, 0.25, 0.5)
    slider = shown["layers"]
    assert type(slider) is widgets.IntSlider and slider.description == "layers"
    assert (slider.min, slider.max, slider.step, slider.value) == (1, 9, 2, 3)
    assert type(shown["mixed"]) is widgets.FloatSlider and shown["mixed"].value == 1
    for name in ("turn_by", "layers", "mixed"):
        assert shown[name].continuous_update is False, "a figure is drawn when the handle rests"
    assert shown["kind"].options == ("x", "y", "z") and shown["kind"].value == "x"
    assert (shown["on"].value, shown["off"].value) == (True, False)
    assert [shown[name].description for name in ("kind", "on", "off")] == ["kind", "on", "off"]
    assert list(shown) == ["turn_by", "layers", "mixed", "kind", "on", "off"], "in their order"


def test_sliders_call_the_function_at_once_and_when_they_are_moved(shown):
    calls = []
    gmu.sliders(lambda **values: calls.append(values), a=(0.0, 1.0, 0.1, 0.5), kind=["x", "y"])
    assert calls == [{"a": 0.5, "kind": "x"}]
    shown["a"].value = 0.8
    shown["kind"].value = "y"
    assert calls[1:] == [{"a": 0.8, "kind": "x"}, {"a": 0.8, "kind": "y"}]


@pytest.mark.parametrize("start", [0, 9])
def test_a_slider_may_start_at_an_end(shown, start):
    gmu.sliders(lambda n: None, n=(0, 9, 1, start))
    assert shown["n"].value == start


@pytest.mark.parametrize(
    "control",
    [(1, 1, 1, 1), (2, 1, 1, 1), (0, 1, 0, 0), (0, 1, -1, 0), (0, 3, 1, -1), (0, 3, 1, 4),
     (0, 1, 1), (0, 1, 1, 0, 0), (0, 1, 1, "0"), [], (0.0, math.inf, 1.0, 0.0),
     (-math.inf, 0.0, 1.0, 0.0), (0.0, 1.0, math.inf, 0.0), (0.0, math.nan, 1.0, 0.0)],
)  # fmt: skip
def test_a_slider_that_cannot_be_is_refused_by_name(shown, control):
    with pytest.raises(ValueError, match="^depth must"):
        gmu.sliders(lambda depth: None, depth=control)
    assert not shown


# --------------------------------------------------------------------------- the look of the book


def test_the_look_of_the_book():
    with gmu.style():
        fig, ax = plt.subplots()
        lines = [ax.plot([0, 1], [k, k], label="a")[0] for k in range(7)]
        box = ax.legend()
        ax.set_title("A title")
        fig.canvas.draw()
    assert [line.get_color() for line in lines] == CURVES + [BLUE]
    assert {line.get_linewidth() for line in lines} == {1.8}
    assert inches(ax) == [8.0, 3.6] and fig.dpi == 120
    assert fig.get_layout_engine() is not None, "nothing is cut off at the border"
    shown = {side: spine.get_visible() for side, spine in ax.spines.items()}
    assert shown == {"left": True, "bottom": True, "right": False, "top": False}
    grid = ax.xaxis.get_gridlines()[0]
    assert grid_shown(ax) == [True, True] and to_hex(grid.get_color()) == "#e6e6e6"
    assert ax.get_axisbelow() is True, "the grid lies behind what is drawn"
    assert ax.title.get_fontsize() == 11 and not box.get_frame_on()
    assert ax.title.get_fontfamily() == ["DejaVu Sans"]
    assert ax.xaxis.get_ticklabels()[0].get_fontsize() == pytest.approx(11 * 0.9)
    assert len(ax.xaxis.get_ticklines()) and ax.xaxis.get_ticklines()[0].get_markersize() > 0


# -- As notebooks show them ----------------------------------------------------------------------


@pytest.fixture
def show(monkeypatch):
    """What a notebook gets of a figure: its data, and its metadata."""
    display = pytest.importorskip("IPython.display")

    def shown(figure):
        got = []
        with monkeypatch.context() as patch:
            patch.setenv(gmu.FOR_THE_SITE, "1")
            patch.setattr(display, "display", lambda *a, **k: got.append((a[0], k)))
            figure._ipython_display_()
        ((data, more),) = got
        return data, more["metadata"]

    return shown


@pytest.mark.parametrize("points", [8.9, 9.0])
def test_letters_for_the_site_are_large_enough_for_a_phone(show, points):
    with gmu.style():
        figure, ax = plt.subplots()
    ax.text(0.5, 0.5, "small print", fontsize=points)
    ax.text(0.5, 0.2, "", fontsize=5)
    if points >= 9:
        assert show(figure)
    else:
        with pytest.raises(ValueError, match="9 points or more, for phones: 'small print' has 8.9"):
            show(figure)
        figure._ipython_display_()  # a reader of a notebook may do as they like


def squares():
    """Two pictures side by side, between titles and names of axes: one layout would cut these."""
    with gmu.style():
        figure, axes = plt.subplots(1, 2, figsize=(8, 4.2), sharey=True)
    for ax in axes:
        ax.imshow(np.zeros((20, 20)), extent=gmu.RING_EXTENT)
        ax.set(title="the title", xlabel="across")
        ax.grid(False)
    return figure


def test_letters_beside_squares_are_not_cut(show):
    figure = squares()
    data, metadata = show(figure)
    for shown in (data["image/png"], metadata["dark"]):
        image = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown))).convert("L"))
        for edge in (image[0], image[-1], image[:, 0], image[:, -1]):
            assert np.ptp(edge.astype(int)) < 30, "nothing but paper"


@pytest.mark.parametrize(("n", "wanted"), [(5, ["−5", "0", "5"]), (2, ["−4", "−2", "0", "2", "4"])])
def test_small_squares_have_fewer_ticks(show, n, wanted):
    """Five in a row, "−4" and "−2" would nearly touch."""
    with gmu.style():
        figure, axes = plt.subplots(1, n, figsize=(8, 2.1), sharey=True)
    for ax in axes:
        gmu.scatter_modes(ax, torch.zeros(9, 2), extent=(-5, 5, -5, 5), size=2, title="modes")
    show(figure)
    for ax in axes:
        labels = [label.get_text() for label in ax.get_xticklabels()]
        assert [text for text in labels if abs(float(text.replace("−", "-"))) <= 5] == wanted
    up = [label.get_text() for label in axes[0].get_yticklabels()]
    assert set(wanted) <= set(up), "the same spacing both ways"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda ax: ax.text(0.9, 0.5, "much too long for here"), "cut: right"),
        (lambda ax: ax.text(0.5, -0.4, "too low"), "cut: bottom"),
        (lambda ax: ax.set_xticks([0.5, 0.51], ["one", "two"]), "'one' and 'two'"),
        (lambda ax: ax.set_xticks([0.5, 7.0], ["one", "out of the picture"]), ""),
        (lambda ax: ax.set_xticks([0.2, 0.9], ["one", "two"]), ""),
    ],
)
def test_letters_for_the_site_have_room(show, change, complaint):
    with gmu.style():
        figure, ax = plt.subplots()
    change(ax)
    figure.set_layout_engine("none")
    ax.set_xlim(0, 1)
    if complaint:
        with pytest.raises(ValueError, match=complaint):
            show(figure)
    else:
        assert show(figure)


def busy_figure():
    """One of everything that has a colour."""
    with gmu.style():
        figure, axes = plt.subplots(1, 3, figsize=(6, 3))
    axes[0].plot([0, 1], [0, 2], "o-", color=ORANGE, markerfacecolor="none", label="line")
    axes[0].hist([0.1, 0.5], color=LIGHT_GRAY)
    axes[0].axhline(1, color="black")
    axes[0].legend()
    axes[1].scatter([0, 1], [0, 1], c=[BLUE, SKY], alpha=0.5)
    axes[1].annotate("here", (0, 0), (1, 1), arrowprops={"arrowstyle": "->"}, bbox={})
    axes[2].contourf([[0, 1], [1, 2]], cmap="Blues")
    axes[2].text(0, 0, "words", color=GREEN)
    return figure


def test_the_dark_colours_are_those_of_live_figures():
    text = (Path(gmu.__file__).parent / "live/page/js/theme.js").read_text(encoding="utf-8")
    dark = dict(re.findall(r'(\w+): "(#\w+)"', text.split("dark: {")[1].split("},")[0]))
    names = {
        BLUE: "blue", ORANGE: "orange", GREEN: "green", PINK: "pink", BROWN: "brown", SKY: "sky",
        "#de8f05": "amber", "#5b3a8c": "purple", GRAY: "gray", LIGHT_GRAY: "light",
        "#000000": "ink", "#262626": "ink", "#ffffff": "paper", "#e6e6e6": "rule",
    }  # fmt: skip
    assert gmu.IN_THE_DARK == {light: dark[name] for light, name in names.items()}


def test_a_figure_in_the_dark_has_no_colour_of_the_light_and_all_of_them_after_it():
    figure = busy_figure()
    before = gmu._svg(figure)
    with gmu._in_the_dark(figure):
        dark = gmu._svg(figure)
    # (What is blue in the light is no colour of the dark; sky is: it is the dark's blue.)
    for light in (BLUE, ORANGE, GREEN, LIGHT_GRAY, "#ffffff", "#000000", "#262626", "#e6e6e6"):
        assert light not in dark, light
    for wanted in ("#56b4e9", "#8fd0f5", "#ff9550", "#3ccb9d", "#565c63", "#14181e", "#e8eaed"):
        assert wanted in dark, wanted
    colours = re.compile(r"(?:fill|stroke): [^;\"]+")
    assert colours.findall(gmu._svg(figure)) == colours.findall(before)


def test_curves_are_svg_and_clouds_sharp_png_both_as_wide_as_the_book(show):
    data, more = show(busy_figure())
    assert data["image/svg+xml"].count('width="576pt"') == 1 and "image/png" not in data
    assert "#14181e" in more["dark"] and "#14181e" not in data["image/svg+xml"]
    with gmu.style():
        figure, ax = plt.subplots(figsize=(5, 4))
    gmu.scatter_modes(ax, *gmu.create_ring_gaussians(200))
    data, more = show(figure)
    assert list(data) == ["image/png", "text/plain"] and more["image/png"] == {"width": 768}
    light, dark = (
        Image.open(io.BytesIO(base64.b64decode(text))) for text in (data["image/png"], more["dark"])
    )
    assert light.size == dark.size == (1760, 880) and light.getpixel((0, 0)) != dark.getpixel(
        (0, 0)
    )
