"""What chapters 1 and 2 say, held against computation; and their transforms under torch's tools.

The functions under test are the chapters' own: their cells and solutions are run from here.
"""

import contextlib
import copy
import io
import math
import pickle
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
from claims import solution
from torch import nn
from torch.func import grad, hessian, jacfwd, jacrev, vmap

import flows
import gen_models_utilities as gmu

CHAPTERS = Path(__file__).resolve().parents[2] / "chapters"
STORED = {1: "1_change_of_variables", 2: "2_transforms_1d"}
PHI = torch.special.ndtr


def read(number: int):
    return nbformat.read(CHAPTERS / f"{STORED[number]}.ipynb", as_version=4)


@cache
def chapter(number: int) -> dict:
    """What is defined after all cells of a chapter ran, figures that move left out."""
    names = {"__name__": "chapter"}
    for cell in read(number).cells:
        skipped = {"setup", "interactive"} & set(cell.metadata.get("tags", []))
        if cell.cell_type == "code" and not skipped and not cell.source.startswith("live_figure("):
            source = re.sub(r"\nlive_figure\(.*\Z", "", cell.source, flags=re.DOTALL)
            with contextlib.redirect_stdout(io.StringIO()):
                exec(source, names)
            plt.close("all")
    return names


def solved(number: int, label: str) -> dict:
    """What a solution defines; its own assertions run."""
    code = solution(STORED[number], label)
    names = dict(chapter(number))
    exec(code, names)
    return names


def double(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def bell(z):
    return flows.standard_normal_log_prob(z).exp()


def roots_of_waves(height: float) -> int:
    """In how many places z + sin 2z has a height: between its turning points it is monotone."""
    half = math.acos(-0.5) / 2  # where the slope 1 + 2 cos 2z is 0
    turns = sorted(sign * half + k * math.pi for k in range(-3, 4) for sign in (-1, 1))
    values = [-9.0, *(z + math.sin(2 * z) for z in turns), 9.0]
    return sum((a - height) * (b - height) < 0 for a, b in pairwise(values))


# ------------------------------------------------------------------------ chapter 1: the claims


@pytest.mark.parametrize("scale", [0.2, 1.0, 1.6])
@pytest.mark.parametrize("loc", [-1.0, 0.0, 1.0])
def test_the_slice_keeps_its_mass_and_the_naive_area_stays_below_one(loc, scale):
    for z in (-3.0, 0.8, 3.0):
        shown = chapter(1)["moving_slice"](*(torch.tensor(v) for v in (loc, scale, z)))
        truth = PHI(double(z + 0.2)) - PHI(double(z - 0.2))
        assert abs(shown["mass_before"] - truth) < 1e-4
        assert abs(shown["mass_after"] - truth) < 1e-4
        assert abs(shown["area"] - 1) < 2e-3
        assert shown["naive_area"] <= 2 / math.sqrt(2 * math.pi)


KNOTS = ["far_left", "left", "middle", "right", "far_right"]


def own_sand(heights, slices=50.0, z=1.0, curve=5):
    """The picture of the sand with a curve of one's own."""
    given = {name: torch.tensor(height) for name, height in zip(KNOTS, heights, strict=True)}
    return chapter(1)["sand"](torch.tensor(slices), torch.tensor(curve), torch.tensor(z), **given)


def test_a_curve_of_ones_own_never_turns_back():
    """Whatever the knots: it climbs, through the knots, smoothly; and says when it holds one."""
    names, draw = chapter(1), torch.Generator().manual_seed(0)
    settings = [-0.96 + 1.92 * torch.rand(5, generator=draw) for _ in range(30)]
    settings += [torch.full((5,), v) for v in (-0.96, 0.0, 0.96)]
    settings += [torch.linspace(0.96, -0.96, 5), torch.linspace(-0.9, 0.9, 5)]
    z = torch.linspace(-6, 6, 2401)
    for wanted in settings:
        heights = names["in_order"](wanted)
        x = names["through_knots"](z, heights)
        assert (x.diff() > 0).all() and x[0] == -1 and abs(x[-1] - 1) < 1e-6
        at, step = names["KNOTS"][1:-1], 1e-3
        before, here, after = (names["through_knots"](at + k * step, heights) for k in (-1, 0, 1))
        assert torch.allclose(here, heights, atol=1e-6), "through the knots"
        kink = (after - 2 * here + before).abs().max() / step
        assert kink < 0.02, "smooth"
        seen = own_sand(wanted.tolist())
        assert (seen["knots"][:, 1] == heights).all() and seen["own"]
        assert bool(seen["held"]) is not torch.equal(heights, wanted)
        assert not own_sand(wanted.tolist(), curve=0)["held"]
        low, high = seen["bar_x"][:50, 1], seen["bar_x"][:50, 2]
        assert ((high - low) * seen["bar_p"][:50, 1]).sum() == pytest.approx(1, abs=1e-4)
    assert not own_sand(list(names["HEIGHTS"].values()))["held"], "as it begins"


def test_the_answer_of_the_level_heap_is_level():
    """The link in the answer, and the curve that it names."""
    text = next(c.source for c in read(1).cells if "[level heap]" in c.source)
    (query,) = re.findall(r"\[level heap\]\(#fig-mass\?(.*?)\)", text)
    state = dict(pair.split("=") for pair in query.split("&"))
    heights = own_sand([float(state[name]) for name in KNOTS])["bar_p"][:50, 1]
    assert ((heights > 0.4) & (heights < 0.6)).all()
    first = own_sand(list(chapter(1)["HEIGHTS"].values()))["bar_p"][:50, 1]
    assert ((first > 0.4) & (first < 0.6)).float().mean() < 0.5
    z = torch.tensor([-2.2, -1.1, 0.0, 1.1, 2.2])
    wanted = 2 * PHI(z) - 1
    assert all(abs(float(state[n]) - x) < 0.03 for n, x in zip(KNOTS, wanted, strict=True))


def test_a_slice_can_come_out_wider():
    """The caption asks for such a setting: there is one among the sliders' values."""
    shown = chapter(1)["moving_slice"](*(torch.tensor(v) for v in (0.0, 1.6, 0.0)))
    assert shown["slope"] > 1


def test_the_slice_is_seen_and_a_density_beyond_the_picture_is_said():
    """The slice is filled and named wherever it comes to lie; the figure as it is stored."""
    state = read(1).metadata["widgets"]
    models = state["application/vnd.jupyter.widget-state+json"]["state"].values()
    specs = [m["state"]["spec"] for m in models if "spec" in m["state"]]
    (figure,) = [s for s in specs if s["panels"][0]["title"] == "before"]
    before, _, after = figure["panels"]
    for panel, name in ((before, "before"), (after, "after")):
        (slice_,) = [mark for mark in panel["marks"] if mark.get("y") == name]
        others = {mark["color"] for mark in panel["marks"] if mark is not slice_}
        assert slice_["fill"] and slice_["color"] not in others
    assert slice_["label"] == "the slice"
    low, top = after["ylim"]
    for loc, scale in ((0.0, 1.0), (1.0, 1.6), (-1.0, 1.6), (0.0, 0.2)):
        shown = chapter(1)["moving_slice"](*(torch.tensor(v) for v in (loc, scale, 0.8)))
        assert bool(shown["tall"]) == (shown["density"].max().item() > top), (loc, scale)
    assert low == 0 and shown["tall"], "a density that does not fit: the sign is tried"


def test_flat_multiplies_but_does_not_make_large():
    x = double(0.9, 0.99)
    z, log_det = flows.Tanh().encode(x)
    density = (flows.standard_normal_log_prob(z) + log_det).exp()
    assert log_det[1] > log_det[0] and density[1] < density[0]
    assert 1 / log_det[0].exp() < 0.2


def test_the_wrong_sign_is_thick_where_steep_and_thin_where_flat():
    names = chapter(1)
    x = torch.linspace(-0.99, 0.99, 199, dtype=torch.float64)
    for transform in (flows.Tanh(), flows.Tanh(0.2, 1.5)):
        wrong = names["log_wrong_sign"](x, transform) - names["log_density"](x, transform)
        slope = transform.decode(transform.encode(x)[0])[1]
        assert ((wrong > 0) == (slope > 0)).all()


def test_answer_of_the_first_try():
    """loc 0.5, scale 2: horns at the walls, the right one higher. Scale 0.3: wrong by a factor,
    if loc is back at 0; with loc 0.5 the slope differs more, and so does the shape."""
    log_density, log_naive = chapter(1)["log_density"], chapter(1)["log_naive"]
    x = torch.linspace(-1, 1, 40_001, dtype=torch.float64)[1:-1]
    moved, plain = log_density(x, flows.Tanh(0.5, 2.0)), log_density(x, flows.Tanh())
    assert moved[x > 0].max() > moved[x < 0].max()
    assert x[moved.argmax()] > x[plain.abs().argmin()] and x[moved.argmax()] > 0.99

    def naive_off(scale, loc=0.0):
        transform = flows.Tanh(loc, scale)
        naive, right = log_naive(x, transform).exp(), log_density(x, transform).exp()
        total = torch.trapezoid(naive, x)
        return abs(total - 1), (naive / total - right).abs().max() / right.max()

    (total_small, shape_small), (total_one, shape_one) = naive_off(0.3), naive_off(1.0)
    assert total_small > total_one and shape_small < 0.1 < shape_one
    assert naive_off(0.3, loc=0.5)[1] > 0.2


def test_peaks_of_the_wavy_curve_stand_at_its_flat_stretches():
    names = chapter(1)
    z = torch.linspace(-4, 4, 80_001, dtype=torch.float64)
    x, slope, density = names["push"](names["my_curve"], z, bend=0.8)
    flat = [i for i in range(1, len(z) - 1) if slope[i] < min(slope[i - 1], slope[i + 1])]
    peaks = [i for i in range(1, len(z) - 1) if density[i] > max(density[i - 1], density[i + 1])]
    inner = [i for i in flat if abs(z[i]) < 3]
    high = [i for i in peaks if density[i] > 0.1]
    assert len(inner) == len(high) == 2
    assert all(abs(x[a] - x[b]) < 0.05 for a, b in zip(inner, high, strict=True))


def test_the_other_flat_stretches_lie_beyond_the_picture():
    """At odd multiples of pi / 2; of the sand, less than one in ten thousand starts out there."""
    names = chapter(1)
    z = torch.linspace(-8, 8, 160_001, dtype=torch.float64)
    _, slope, _ = names["push"](names["my_curve"], z, bend=0.8)
    lowest = (slope[1:-1] < slope[:-2]) & (slope[1:-1] <= slope[2:])
    flat = z[1:-1][lowest]
    odd = double(-5, -3, -1, 1, 3, 5) * math.pi / 2
    assert len(flat) == len(odd) and (flat - odd).abs().max() < 1e-3
    assert flat.abs().unique(sorted=True)[-1] > 4 and ((flat.abs() < 4).sum() == 2)
    assert 2 * PHI(double(-1.5 * math.pi + 0.5)) < 1e-4


def test_folding():
    solved(1, "ex-fold")


def test_the_solution_on_noticing_runs():
    """Its own assertions: the log-dets cancel, and n grows as 8 / eps^2."""
    solved(1, "ex-notice")


def test_one_bad_point_spoils_the_mean_after_a_clamp():
    z, log_det = chapter(1)["clamped_encode"](torch.tensor([0.9999995, 1.0, 1.5]))
    assert z[0] == z[1] == z[2] and math.isnan(log_det.mean())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_last_number_below_one(dtype):
    one = torch.ones((), dtype=dtype)
    assert 1 - torch.finfo(dtype).eps / 2 == torch.nextafter(one, 0 * one).item()


# ------------------------------------------------------------------------ chapter 1: tug of war

DATA = {
    "bell": torch.special.ndtri((torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000),
    "uniform": torch.linspace(-1, 1, 1001, dtype=torch.float64),
    "two points": double(-1.0, 1.0),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("s", [0.5, 2.0])
def test_the_two_terms_are_the_means_over_any_data(name, s):
    x = DATA[name] * s / DATA[name].square().mean().sqrt()
    for a in (0.05, 0.7, 3.0):
        z, log_det = flows.Affine(1 / a, 0.0).encode(x)
        mean_log_p, paid = chapter(1)["tug"](double(a), double(s), 1)
        assert abs(flows.standard_normal_log_prob(z).mean() - mean_log_p) < 1e-9
        assert abs(log_det.mean() - paid) < 1e-9


@pytest.mark.parametrize("s", [0.5, 1.0, 3.0])
def test_who_pulls_where(s):
    """Slopes of the two terms, and where each of the three sums is largest."""
    tug, s = chapter(1)["tug"], double(s)[0]
    for a in double(0.1, 1.0, 2.0):
        for k, pull in ((0, -a * s**2), (1, 1 / a)):
            assert abs(grad(lambda a, k=k: tug(a, s, 1)[k])(a) - pull) < 1e-12
    a = torch.exp(torch.linspace(-6, 4, 100_001, dtype=torch.float64))
    right, left_out, wrong = (sum(tug(a, s, sign)) for sign in (1, 0, -1))
    assert abs(a[right.argmax()] * s - 1) < 1e-3
    assert (left_out.diff() < 0).all() and (wrong.diff() < 0).all()  # ever better towards 0
    ceiling = -0.5 * math.log(2 * math.pi)
    assert sum(tug(double(1e-200), s, 0)) == ceiling and (left_out < ceiling).all()
    assert sum(tug(double(1e-200), s, -1)) > 450  # past any bound: it grows with -log a


def test_learning_with_and_without_the_log_det():
    names, s = chapter(1), double(2.0)[0]
    a, best = names["climb"](1, s, 1000)
    assert abs(a * s - 1) < 1e-9
    collapsed, exploded = names["climb"](0, s, 1000), names["climb"](-1, s, 1000)
    assert collapsed[0] < 0.05 and exploded[0] < 1e-40
    assert best < collapsed[1] < -0.5 * math.log(2 * math.pi) < 50 < exploded[1]


def test_the_figure_of_the_tug_of_war():
    scene = chapter(1)["tug_of_war"]
    for s in (0.6, 1.5, 3.0):
        at = [scene(torch.tensor(k), torch.tensor(1 / s), torch.tensor(s)) for k in (0, 1, 2)]
        assert abs(at[0]["all_a"][at[0]["sum"].argmax()] - 1 / s) < 0.006
        assert abs(at[0]["down"] - at[0]["up"]) < 1e-5 and abs(at[0]["spread_z"] - 1) < 1e-6
        assert at[1]["up"] == 0 and at[2]["up"] < 0
        for k, shown in enumerate(at):
            assert shown["case"] == k and torch.equal(shown["terms"].sum(), shown["total"])
            assert (shown["latents"] - shown["bell"]).abs().max() < 1e-6
        for shown in at[1:]:
            assert shown["sum"].argmax() == 0


@pytest.mark.parametrize("mean, deviation", [(0.8, math.sqrt(0.2)), (0.0, 1.0), (-1.0, 0.3)])
def test_log_p_is_the_elbo_plus_a_gap_that_is_not_negative(mean, deviation):
    """By quadrature, for the smallest VAE at x = 1; the first guess is the posterior."""
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)

    def normal(mean, deviation):
        return torch.distributions.Normal(double(mean)[0], double(deviation)[0])

    q, posterior = normal(mean, deviation), normal(0.8, math.sqrt(0.2))

    def average(values):
        return torch.trapezoid(q.log_prob(z).exp() * values, z)

    joint = normal(1.0, 0.5).log_prob(z) + normal(0.0, 1.0).log_prob(z)
    elbo = average(joint - q.log_prob(z))
    gap = average(q.log_prob(z) - posterior.log_prob(z))
    log_p = normal(0.0, math.sqrt(1.25)).log_prob(double(1.0)[0])
    assert abs(log_p - elbo - gap) < 1e-9
    assert gap > 0.1 or (abs(gap) < 1e-12 and deviation == math.sqrt(0.2))


# ------------------------------------------------------------------------ chapter 2: the claims


@pytest.mark.parametrize("c_squared", [0.05, 0.3, 0.5, 0.51, 0.7, 1.0, 1.5, 2.0, 2.05, 3.0, 9.0])
def test_when_horns_appear(c_squared):
    """By counting peaks of log p_X along z, apart from the formula in the chapter."""
    for transform, threshold in ((flows.Tanh(), 0.5), (flows.Sigmoid(), 2.0)):
        stack = flows.Compose([flows.Affine(math.sqrt(c_squared), 0.0), transform])
        z = torch.linspace(-8, 8, 3201, dtype=torch.float64)
        log_p = flows.standard_normal_log_prob(z) - stack.decode(z)[1]
        peaks = ((log_p[1:-1] > log_p[:-2] + 1e-13) & (log_p[1:-1] > log_p[2:] + 1e-13)).sum()
        horns = c_squared > threshold
        assert (log_p[1600] < log_p.max() - 1e-9) == horns
        assert peaks == 2 if horns else peaks <= 1  # at a threshold the top is too flat to count


def test_how_many_z_arrive_at_a_height():
    """The first figure of chapter 2 counts what algebra counts, and marks it on the curve."""
    scene = chapter(2)["candidate"]
    for height in (-1.9, -1.2, -0.6, -0.3, 0.0, 0.3, 0.45, 1.1, 1.7):
        wanted = [1, 1, int(abs(height) < 1), 4 if height == 0 else int(height > 0),
                  1 if height == 0 else 2 * (height > 0), roots_of_waves(height)]  # fmt: skip
        for curve, count in enumerate(wanted):
            shown = scene(torch.tensor(curve), torch.tensor(height))
            assert shown["how_many"] == count, (curve, height)
            z, there = shown["found"].T
            marked = ~z.isnan()
            assert marked.sum() == count or (count == 4 and marked.sum() > 100)
            assert (there[marked] == height).all()
            at = chapter(2)["six_curves"](z[marked])[curve]
            assert ((at - height).abs() < 0.05).all()
    for curve in (2, 3):  # nearly all of the bell arrives in view
        shown = scene(torch.tensor(curve), torch.tensor(0.5))
        assert abs(torch.trapezoid(shown["heap"], shown["x"]) - 1) < 0.01
    # Half of the bell lies on one point if the curve is the ReLU; no smoothing hides it.
    heap = scene(torch.tensor(3), torch.tensor(0.5))["heap"]
    assert heap.max() > 3


def test_the_figure_of_the_race():
    scene = chapter(2)["bell_and_slope"]
    for curve, threshold in ((0, 0.5), (1, 2.0)):
        for scale in (0.4, 1.0, 1.8, 3.0):
            z = torch.linspace(-8, 8, 160_001, dtype=torch.float64)
            half = scale / (1 + curve)
            inside = z.square() / 2 - 2 * (half * z).cosh().log()  # lowest where p_X is highest
            shown = scene(torch.tensor(curve), torch.tensor(scale))
            assert shown["threshold"] == threshold
            horns = scale**2 > threshold
            assert shown["horns"] == horns == (shown["z_top"] > 0.1)
            assert abs(shown["z_top"] - z[inside.argmin()].abs()) < 0.011
            near = (shown["z"].abs() < 0.3) & (shown["z"].abs() > 0.05)
            assert ((shown["slope"] < shown["bell"])[near] == horns).all()
            assert abs(torch.trapezoid(shown["density"], shown["x"]) - 1) < 1e-3
            assert abs(shown["x_top"] + shown["x_mirror"] - curve) < 1e-6


def test_sigmoid_and_tanh_at_scale_one():
    """The caption: the sigmoid's density is highest where its curve is steepest."""
    z = torch.linspace(-4, 4, 8001, dtype=torch.float64)
    tops = {}
    for transform in (flows.Sigmoid(), flows.Tanh()):
        log_slope = transform.decode(z)[1]
        tops[type(transform)] = (flows.standard_normal_log_prob(z) - log_slope).argmax().item()
        assert log_slope.argmax() == 4000
    assert tops[flows.Sigmoid] == 4000 and tops[flows.Tanh] != 4000


def test_formula_above_origin_where_the_curve_is_flatter_than_one():
    names = chapter(2)
    for transform in names["gallery"].values():
        x, log_slope = transform.decode(torch.linspace(-3, 3, 201, dtype=torch.float64))
        ratio = names["log_density"](transform)(x) - names["log_origin"](transform)(x)
        assert (ratio + log_slope).abs().max() < 1e-9


def two_bells(centre=2.0, deviation=0.3):
    """z, and the log-slope there of the increasing curve that makes two bells."""
    x = torch.linspace(-centre - 8 * deviation, centre + 8 * deviation, 400_001).double()
    cdf = 0.5 * PHI((x + centre) / deviation) + 0.5 * PHI((x - centre) / deviation)
    p = 0.5 * (bell((x + centre) / deviation) + bell((x - centre) / deviation)) / deviation
    z = torch.special.ndtri(cdf)
    keep = z.abs() < 6
    return x[keep], z[keep], (flows.standard_normal_log_prob(z) - p.log())[keep], p[keep]


def test_two_narrow_bells_lie_farther_apart_and_fill_less_room():
    names = chapter(2)
    x, z, log_slope, p = two_bells()
    change = torch.trapezoid(p * log_slope, x)  # the mean log-det
    assert abs(change - math.log(2 * 0.3)) < 1e-3  # two bells that do not overlap
    assert abs(change - names["change"]) < 1e-3 and change < -0.3
    assert abs(names["deviation"] - math.hypot(2, 0.3)) < 1e-6
    stretched = log_slope > 0  # most of the sand is compressed; a strip in the middle is not
    assert torch.trapezoid(p * stretched, x) < 0.2 and z[stretched].abs().max() < 0.25


def test_a_steep_map_over_an_empty_gap_for_a_given_share_on_each_side():
    """Slope p_Z / p_X in the middle of two bells: steeper over an emptier gap, if half of the data
    lie on either side; a gap just as empty asks for less if little lies beyond it."""

    def middle(share, deviation):
        """p_X(0), and the slope there; by differences of the curve, apart from the formula."""
        x = double(-1e-4, 0.0, 1e-4)
        left, right = (x + 2) / deviation, (x - 2) / deviation
        z = torch.special.ndtri((1 - share) * PHI(left) + share * PHI(right))
        p = ((1 - share) * bell(left) + share * bell(right)) / deviation
        return p[1].item(), ((x[2] - x[0]) / (z[2] - z[0])).item()

    for share in (0.5, 0.1, 0.01):
        gaps = [middle(share, deviation) for deviation in (1.0, 0.8, 0.6)]
        assert gaps == sorted(gaps, reverse=True)  # ever emptier
        slopes = [slope for _, slope in gaps]
        assert slopes == sorted(slopes) and slopes[2] > 3 * slopes[0]
    (even, steep), (few, gentle) = middle(0.5, 0.6), middle(0.001, 0.6)
    assert abs(even - few) < 1e-9 and gentle < steep / 20


def test_a_kink_may_put_a_jump_into_the_density():
    """One alone does; two may undo each other."""
    names, mirror = chapter(2), flows.Affine(-1.0, 0.0)
    one, two = flows.LeakyReLU(0.4), [flows.LeakyReLU(0.4), mirror] * 2
    for stack, jumps in ((one, True), (flows.Compose(two), False)):
        values = names["log_density"](stack)(double(-1e-9, 1e-9))
        assert (values.diff().abs() > 0.5).item() is jumps


def test_what_each_curve_reaches():
    """Just inside the limits encode answers, outside it refuses."""
    names = chapter(2)
    for transform in names["gallery"].values():
        low, high = names["reach"](transform)
        inside = double(low + 1e-6 if math.isfinite(low) else -1e6)
        inside = torch.cat([inside, double(high - 1e-6 if math.isfinite(high) else 1e6)])
        assert transform.encode(inside)[0].isfinite().all()
        for end in (low, high):
            if math.isfinite(end):
                with pytest.raises(ValueError, match="must lie strictly between"):
                    transform.encode(double(end))


def test_a_step_starts_from_what_the_last_one_reaches():
    names = chapter(2)
    low, high = names["reach"](names["sound"])
    assert (low, high) == (-3, 5)
    x = torch.linspace(-2.999, 4.999, 1001, dtype=torch.float64)
    assert names["sound"].encode(x)[0].isfinite().all()
    low, high = names["reach"](names["trapped"])
    assert 0 < low < high < 1  # less than the sigmoid's range
    with pytest.raises(ValueError, match="strictly between -1.0 and 1.0"):
        names["trapped"].encode(double(high + 1e-6))


def test_answer_of_the_second_try():
    x = torch.linspace(-5, 5, 11)
    for layers in (
        [flows.LeakyReLU(), flows.Affine(2.0, 1.0)],
        [flows.Affine(-1.0, 0.0), flows.LeakyReLU()],
    ):
        stack = flows.Compose(layers)
        assert torch.allclose(stack.decode(stack.encode(x)[0])[0], x, atol=1e-5)
    with pytest.raises(ValueError, match="x must lie strictly between"):
        flows.Compose([flows.ShiftedSoftplus(), flows.Affine(2.0, 1.0)]).encode(x)


def test_the_cubic_has_right_derivatives_of_every_order():
    names = solved(2, "ex-cubic")  # its own assertions: first and second, by differences
    root, a = names["Root"].apply, double(0.3)[0]
    x = double(-3.0, -0.4, 0.7, 2.5)
    inputs = x.clone().requires_grad_(), a.clone().requires_grad_()
    assert torch.autograd.gradcheck(root, inputs)
    assert torch.autograd.gradgradcheck(root, inputs)

    def curve(z):
        return z + 0.3 * z**3

    def derivative(f, order):
        for _ in range(order):
            f = grad(f)
        return f

    # The third derivative of an inverse, from those of the function.
    z = root(x, a)
    first, second, third = (vmap(derivative(curve, k))(z) for k in (1, 2, 3))
    truth = (3 * second**2 - first * third) / first**5
    assert (vmap(derivative(lambda p: root(p, a), 3))(x) - truth).abs().max() < 1e-9


def test_a_bare_bisection_has_wrong_derivatives():
    """What the exercise warns of: torch follows the ends of the bracket."""

    def bisect(x):
        low, high = -x.abs(), x.abs()
        for _ in range(60):
            middle = (low + high) / 2
            too_low = middle + 0.3 * middle**3 < x
            low = torch.where(too_low, middle, low)
            high = torch.where(too_low, high, middle)
        return (low + high) / 2

    x = double(1.5)[0]
    assert abs(grad(bisect)(x) - 1 / (1 + 0.9 * bisect(x) ** 2)) > 0.1


# ------------------------------------------------------- the transforms under torch's own tools

MADE = {
    "Identity": flows.Identity,
    "Affine": lambda: flows.Affine(-0.4, 1.0),
    "Affine of tensors": lambda: flows.Affine(double(-0.4)[0], double(1.0)[0]),
    "Affine of parameters": lambda: flows.Affine(nn.Parameter(double(-0.4)[0])),
    "Tanh": lambda: flows.Tanh(0.3, 0.7),
    "Tanh of parameters": lambda: flows.Tanh(*(nn.Parameter(v) for v in double(0.3, 0.7))),
    "Sigmoid": flows.Sigmoid,
    "LeakyReLU": lambda: flows.LeakyReLU(0.2),
    "LeakyReLU of a tensor": lambda: flows.LeakyReLU(double(0.2)[0]),
    "ShiftedSoftplus": flows.ShiftedSoftplus,
    "Compose": lambda: flows.Compose([flows.Affine(0.5, 0.1), flows.LeakyReLU(), flows.Tanh()]),
}
BOUNDED = ("Tanh", "Sigmoid", "ShiftedSoftplus", "Compose")
every = pytest.mark.parametrize("name", MADE)
directions = pytest.mark.parametrize("direction", ["decode", "encode"])


def points_of(transform, direction, n=7):
    """n points where the direction is defined, away from the kink at 0."""
    z = torch.linspace(-2.1, 2.0, n, dtype=torch.float64)
    return z if direction == "decode" else transform.decode(z)[0].detach()


def parts(function):
    return [lambda p: function(p)[0], lambda p: function(p)[1]]


@every
@directions
def test_gradients_and_hessians(name, direction):
    transform = MADE[name]()
    function, points = getattr(transform, direction), points_of(transform, direction)
    for part in parts(function):
        if part(points.clone().requires_grad_()).requires_grad:
            inputs = points.clone().requires_grad_()
            assert torch.autograd.gradcheck(part, inputs)
            assert torch.autograd.gradgradcheck(part, inputs)
        curvature = torch.stack([torch.autograd.functional.hessian(part, p) for p in points])
        assert torch.allclose(vmap(hessian(part))(points), curvature)


@every
@directions
def test_vmap_jacrev_and_jacfwd(name, direction):
    transform = MADE[name]()
    function, points = getattr(transform, direction), points_of(transform, direction, 6)
    value, log_det = function(points)
    for batched in (vmap(function)(points), vmap(vmap(function))(points.reshape(2, 3))):
        assert torch.equal(batched[0].flatten(), value)
        assert torch.equal(batched[1].flatten(), log_det)
    for jacobian in (jacrev, jacfwd):
        slopes = jacobian(lambda p: function(p)[0])(points)
        assert torch.allclose(slopes, torch.diag(vmap(grad(lambda p: function(p)[0]))(points)))
        assert torch.allclose(slopes.diagonal().abs().log(), log_det)


@pytest.mark.parametrize(
    "build, direction, shapes",
    [
        (lambda s: flows.Affine(s, 0.0), "decode", (1.0, 1.0)),
        (lambda s: flows.Affine(-s, 0.0), "encode", (1.0, -1.0)),
        (lambda s: flows.Affine(1.0, s), "decode", (1.0, 0.0)),
        (lambda s: flows.Tanh(0.0, s), "decode", None),
        (lambda s: flows.Tanh(0.0, s), "encode", None),
        (lambda s: flows.Tanh(s, 1.0), "encode", None),
        (lambda s: flows.LeakyReLU(s), "decode", None),
        (lambda s: flows.LeakyReLU(s), "encode", None),
    ],
)
def test_building_a_transform_inside_vmap_and_grad(build, direction, shapes):
    """Its knobs may be what one differentiates, one by one or many at once."""
    points, knobs = double(-0.6, 0.3), double(0.4, 0.9)

    def score(knob):
        value, log_det = getattr(build(knob), direction)(points)
        return (value + log_det).sum()

    values = torch.stack([score(knob) for knob in knobs])
    assert torch.allclose(vmap(score)(knobs), values)
    h = 1e-6
    slopes = (vmap(score)(knobs + h) - vmap(score)(knobs - h)) / (2 * h)
    assert torch.allclose(vmap(grad(score))(knobs), slopes, atol=1e-7)
    assert torch.allclose(torch.stack([grad(score)(knob) for knob in knobs]), slopes, atol=1e-7)
    slope = vmap(grad(score))
    bends = (slope(knobs + h) - slope(knobs - h)) / (2 * h)
    assert torch.allclose(vmap(hessian(score))(knobs), bends, atol=1e-6)


@pytest.mark.parametrize("name", BOUNDED)
def test_bad_points_are_refused_inside_vmap_and_grad_too(name):
    transform = MADE[name]()
    bad = torch.tensor([0.1, -2.0, 0.2, math.nan])
    message = "x must lie strictly between .* but 2 of 4 values do not"
    for function in (
        transform.encode,
        vmap(transform.encode),
        vmap(grad(lambda p: transform.encode(p)[1])),
        jacrev(lambda p: transform.encode(p)[0]),
        lambda x: vmap(vmap(transform.encode))(x.reshape(2, 2)),
    ):
        with pytest.raises(ValueError, match=message):
            function(bad)


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda s: flows.Affine(s), "|scale| must lie strictly between"),
        (lambda s: flows.Tanh(0.0, s - 1), "scale must lie strictly between"),
        (lambda s: flows.LeakyReLU(s), "slope must lie strictly between"),
        (lambda s: flows.Tanh(1 / s), "loc must lie strictly between"),
    ],
)
def test_bad_knobs_are_refused_inside_vmap_too(build, message):
    def value(s):
        return build(s).decode(torch.zeros(2))[0]

    for function in (value, lambda s: vmap(value)(torch.stack([s, s]))):
        with pytest.raises(ValueError, match=re.escape(message)):
            function(torch.tensor(0.0))


@every
@directions
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_the_type_of_the_points_is_kept(name, direction, dtype):
    transform = MADE[name]()
    points = points_of(transform, direction)
    value, log_det = getattr(transform, direction)(points.to(dtype))
    assert value.dtype == log_det.dtype == dtype
    truth = getattr(transform, direction)(points)
    tolerance = 20 * torch.finfo(dtype).eps
    for given, right in zip((value, log_det), truth, strict=True):
        assert torch.allclose(given.double(), right, rtol=5 * tolerance, atol=5 * tolerance)


@every
@directions
@pytest.mark.parametrize("n", [0, 1])
def test_no_point_and_one(name, direction, n):
    transform = MADE[name]()
    value, log_det = getattr(transform, direction)(points_of(transform, direction)[:n])
    assert value.shape == log_det.shape == (n,)


@every
@directions
def test_points_that_do_not_lie_together_in_memory(name, direction):
    transform = MADE[name]()
    function, points = getattr(transform, direction), points_of(transform, direction, 12)
    apart = points.reshape(3, 4).T
    assert not apart.is_contiguous()
    for given, right in zip(function(apart), function(points), strict=True):
        assert torch.equal(given.T.flatten(), right)


@every
def test_copies_and_pickles(name):
    transform = MADE[name]()
    z = points_of(transform, "decode")
    for other in (copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))):
        for direction in ("encode", "decode"):
            points = points_of(transform, direction)
            for a, b in zip(
                getattr(other, direction)(points),
                getattr(transform, direction)(points),
                strict=True,
            ):
                assert torch.equal(a, b)
    with torch.no_grad():
        for p in copy.deepcopy(transform).parameters():
            p.mul_(2)  # a copy is one's own
    assert torch.equal(MADE[name]().decode(z)[0], transform.decode(z)[0])


@every
@directions
def test_compiled_whole_and_exported_with_a_free_number_of_points(name, direction):
    transform = MADE[name]()

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.transform = transform

        def forward(self, points):
            return getattr(self.transform, direction)(points)

    points = points_of(transform, direction, 5)
    right = Wrapped()(points)
    torch._dynamo.reset()
    compiled = torch.compile(Wrapped(), backend="eager", fullgraph=True)(points)
    shapes = ({0: torch.export.Dim("n")},)
    exported = torch.export.export(Wrapped(), (points[:3],), dynamic_shapes=shapes).module()
    for result in (compiled, exported(points)):
        assert all(torch.equal(a, b) for a, b in zip(result, right, strict=True))


def test_knobs_that_are_parameters_can_be_trained():
    transform = flows.Affine(nn.Parameter(double(-0.4)[0]), nn.Parameter(double(0.5)[0]))
    assert set(transform.state_dict()) == {"scale", "shift"}
    x = double(0.3, -1.2)
    z, log_det = transform.encode(x)
    (flows.standard_normal_log_prob(z) + log_det).sum().backward()
    assert transform.scale.grad is not None and transform.shift.grad is not None


# ------------------------------------------------------------ stable forms, and signs of tensors


@pytest.mark.parametrize("scale", [-0.4, 2.5])
@pytest.mark.parametrize("kind", [float, torch.tensor, lambda v: nn.Parameter(torch.tensor(v))])
def test_affine_with_a_number_or_a_tensor_of_either_sign(scale, kind):
    transform = flows.Affine(kind(scale), kind(1.0))
    for function, sign in ((transform.decode, 1), (transform.encode, -1)):
        log_det = function(torch.tensor([-1.0, 0.0, 3.0]))[1]
        assert torch.allclose(log_det, torch.full((3,), sign * math.log(abs(scale))))


def test_log_abs():
    for value in (-2.5, 0.3, 7.0):
        assert flows.log_abs(value) == math.log(abs(value))
        for dtype in (torch.float32, torch.float64):
            given = flows.log_abs(torch.tensor(value, dtype=dtype))
            assert given.dtype == dtype and abs(given - math.log(abs(value))) < 1e-6


FAR = (-700.0, -300.0, -100.0, -30.0, -5.0, 0.0, 5.0, 30.0, 100.0, 300.0, 700.0)


def exact_log_det(name: str, z: float) -> float:
    """log|dx/dz|, in Python's floats, by the branch that is exact at this z."""
    if name == "Tanh":  # log sech^2 z
        return 2 * (math.log(2) - abs(z) - math.log1p(math.exp(-2 * abs(z))))
    log_sigmoid = min(z, 0.0) - math.log1p(math.exp(-abs(z)))
    return log_sigmoid + (log_sigmoid - z if name == "Sigmoid" else 0.0)


@pytest.mark.parametrize("name", ["Tanh", "Sigmoid", "ShiftedSoftplus"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_log_dets_of_decode_far_out(name, dtype):
    """No underflow, no overflow, and no lost digits; the same for the gradient."""
    z = torch.tensor(FAR, dtype=dtype, requires_grad=True)
    _, log_det = getattr(flows, name)().decode(z)
    exact = torch.tensor([exact_log_det(name, v) for v in FAR], dtype=torch.float64)
    error = (log_det.double() - exact).abs()
    assert (error <= 8 * torch.finfo(dtype).eps * (1 + torch.tensor(FAR).abs())).all()
    (slope,) = torch.autograd.grad(log_det.sum(), z)
    assert slope.isfinite().all() and slope.abs().max() <= 2.001


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_encode_close_to_the_walls(dtype):
    """Right to the digits of the type at the last numbers before the wall: nothing is clipped."""
    eps = torch.finfo(dtype).eps
    tiny = torch.tensor([1e-30, 1e-12, 1e-5], dtype=dtype)
    below = torch.tensor([1 - eps / 2, 1 - eps, 1 - 64 * eps], dtype=dtype)

    def close(given, right):
        assert ((given.double() - right).abs() <= 4 * eps * right.abs()).all(), (given, right)

    for x in (tiny, below):  # log(1 - x), exact by log1p in double
        z, log_det = flows.Sigmoid().encode(x)
        x = x.double()
        close(z, x.log() - torch.log1p(-x))
        close(log_det, -x.log() - torch.log1p(-x))
    for x in (below, -below):
        z, log_det = flows.Tanh().encode(x)
        x = x.double()
        close(z, 0.5 * (torch.log1p(x) - torch.log1p(-x)))
        close(log_det, -torch.log1p(-x) - torch.log1p(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_softplus_encode_far_out_and_close_to_its_wall(dtype):
    x = torch.tensor([0.5, 20.0, 100.0, 1000.0, 1e6], dtype=dtype)
    z, log_det = flows.ShiftedSoftplus().encode(x)  # log(expm1(y)) would overflow
    y = x.double() + math.log(2)
    eps = torch.finfo(dtype).eps
    assert ((z.double() - (y + torch.log(-torch.expm1(-y)))).abs() <= 4 * eps * (1 + y)).all()
    assert (log_det >= 0).all() and log_det.isfinite().all() and log_det[-1] == 0
    near = torch.tensor([-0.6931, -0.69], dtype=torch.float64)
    z, log_det = flows.ShiftedSoftplus().encode(near)
    y = near + math.log(2)
    assert torch.allclose(z, torch.log(torch.expm1(y)), rtol=1e-9)
    assert torch.allclose(log_det, -torch.log(torch.expm1(y)) + y, rtol=1e-9)


def test_outside_is_refused_not_clipped():
    for transform, bad in (
        (flows.Sigmoid(), (0.0, 1.0, -1e-9, 1.0001)),
        (flows.Tanh(), (-1.0, 1.0, 1.5)),
        (flows.ShiftedSoftplus(), (-0.7, -2.0)),
    ):
        for value in (*bad, math.nan):
            with pytest.raises(ValueError, match="x must lie strictly between"):
                transform.encode(double(value))


def test_density_of_a_naive_formula_is_what_the_chapter_prints():
    """A negative control for the integral: both wrong candidates are far from 1."""
    names = chapter(1)
    totals = {
        name: gmu.integrate_density(f, (-1, 1), n=20_000, dtype=torch.float64)
        for name, f in names["candidates"].items()
    }
    z = torch.linspace(-10, 10, 200_001, dtype=torch.float64)
    slope = flows.Tanh().decode(z)[1].exp()
    for name, power in (("formula", 0), ("naive", 1), ("wrong sign", 2)):
        assert abs(totals[name] - torch.trapezoid(bell(z) * slope**power, z)) < 1e-3
