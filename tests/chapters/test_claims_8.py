"""What chapter 8 says, held to account: three signs, a root that keeps its digits, and the bend."""

import math

import pytest
import torch
from claims import cells, defined

import flows
from experiments import evidence
from experiments.studies import mixing

CHAPTER = "8_sharper_couplings"
SPLINE, SAME, DEEP = "spline, 4 couplings", "affine, 4 couplings", "affine, 16 couplings"
SHORT = "spline, 4 couplings, short"


def positive(n, seed, low=1e-3, high=1e3):
    """Positive numbers over six orders of magnitude, float64."""
    random = torch.Generator().manual_seed(seed)
    share = torch.rand(n, generator=random, dtype=torch.float64)
    return low * (high / low) ** share


# -------------------------------------------------------------------------------------- one bin


def test_three_signs_keep_a_bin_from_turning_back():
    rise, left, right = (positive(2000, seed) for seed in range(3))
    for t in torch.linspace(0, 1, 41, dtype=torch.float64):
        share, slope = flows.spline_bin(t, rise, left, right)
        assert (slope > 0).all() and (share >= 0).all() and (share <= 1 + 1e-12).all()
        squared = rise + (left + right - 2 * rise) * t * (1 - t)
        assert (squared >= rise / 2 * (1 - 1e-12)).all()  # as the text says: never 0


@pytest.mark.parametrize("bad", ["rise", "left", "right"])
def test_one_wrong_sign_turns_it_back(bad):
    numbers = dict.fromkeys(("rise", "left", "right"), torch.tensor(1.0)) | {
        bad: torch.tensor(-0.2)
    }
    t = torch.linspace(0, 1, 1001)
    share, slope = flows.spline_bin(t, **numbers)
    assert (slope <= 0).any() or not share.isfinite().all() or numbers["rise"] < 0


def test_slope_and_ends_of_a_bin():
    rise, left, right = (positive(200, seed, 0.1, 10) for seed in (3, 4, 5))
    t = torch.rand(200, dtype=torch.float64).requires_grad_()
    share, slope = flows.spline_bin(t, rise, left, right)
    (by_autograd,) = torch.autograd.grad(share.sum(), t)
    assert torch.allclose(by_autograd * rise, slope)
    for end, wanted in ((0.0, left), (1.0, right)):
        at = torch.full_like(t, end)
        assert torch.allclose(flows.spline_bin(at, rise, left, right)[0], at)
        assert torch.allclose(flows.spline_bin(at, rise, left, right)[1], wanted)


def test_equal_slopes_make_a_straight_line():
    t, rise = torch.linspace(0, 1, 11), torch.tensor(0.7)
    share, slope = flows.spline_bin(t, rise, rise, rise)
    assert torch.allclose(share, t) and torch.allclose(slope, rise.expand(11))


def test_the_turned_root_keeps_digits_where_schools_root_loses_them():
    school, careful = defined(CHAPTER, "school"), defined(CHAPTER, "careful")
    t, rise = torch.tensor(0.3), torch.tensor(0.7)
    worst = {}
    for bend in (1e-1, 1e-3, 1e-5, 0.0):
        d = rise + bend
        up, more = flows.spline_bin(t, rise, d, d)[0], 2 * (d - rise)
        a, b, c = (rise - d) + up * more, d - up * more, -rise * up
        assert abs(careful(a, b, c) - t) < 1e-5
        worst[bend] = abs(school(a, b, c) - t).item()
    assert not worst[0.0] < 1  # 0 / 0
    assert worst[1e-5] > 1e-3 > worst[1e-1]


def test_where_b_is_negative_the_turned_root_loses_digits_the_more_the_steeper_the_end():
    """ "Where the right end is much steeper than the bin ... a few digits go then"."""
    school, careful = defined(CHAPTER, "school"), defined(CHAPTER, "careful")
    random, n, lost = torch.Generator().manual_seed(0), 20_000, []
    for size in (1, 3, 6):  # numbers of the bin from e^-size to e^size
        share = 2 * torch.rand(3, n, generator=random) - 1
        left, right, rise = torch.exp(size * share).double()
        t = torch.rand(n, generator=random).double()
        reached, slope = flows.spline_bin(t, rise, left, right)
        up = reached.float().double()

        def quadratic(up, left, right, rise):  # of a bin of height 1
            more = left + right - 2 * rise
            return rise - left + up * more, left - up * more, -rise * up

        a, b, c = quadratic(up, left, right, rise)
        exact = torch.where(b < 0, school(a, b, c), careful(a, b, c))
        rounding = 2**-24 * (up * rise / slope + exact)  # that of y carried through, and that of t
        rounded = quadratic(*(part.float() for part in (up, left, right, rise)))
        steep = (b < 0) & exact.isfinite()
        assert right[steep].log().sub(rise[steep].log()).median() > 0
        errors = [((root(*rounded).double() - exact).abs() / rounding)[steep & (b * b > 4 * a * c)]
                  for root in (careful, school)]  # fmt: skip
        errors = [error.nan_to_num(0.0).quantile(0.999).item() for error in errors]
        lost.append(errors[0] / errors[1])
        assert errors[1] < 100
    assert lost[0] < 4 and lost[0] < lost[1] < lost[2] and lost[2] > 30


# ---------------------------------------------------------------------------------- the live figure


@pytest.fixture(scope="module")
def bent():
    """The function of the live figure, with what its cell defines beside it."""
    source = next(cell.source for cell in cells(CHAPTER) if "def bent(" in cell.source)
    order = next(cell.source for cell in cells(CHAPTER) if "def in_order(" in cell.source)
    space = {"torch": torch, "math": math, "spline_bin": flows.spline_bin}
    exec(order + "\n" + source, space)
    return space["bent"]


def numbers(*values):
    return [torch.tensor(value) for value in values]


def test_a_rising_curve_gives_a_density_and_one_that_turns_back_does_not(bent):
    good = bent(*numbers(-0.8, 0.0, 0.8, 1.5, 0.1, 1.5))
    assert abs(good["mass"] - 1) < 2e-3 and not good["folded"] and good["least"] > 0
    bad = bent(*numbers(-0.8, 0.0, 0.8, 1.5, -0.5, 1.5))
    assert bad["folded"] and bad["mass"] - 1 > 0.02
    held = bent(*numbers(0.8, 0.0, 0.8, 1.5, 0.1, 1.5))
    assert held["held"] and not held["folded"] and abs(held["mass"] - 1) < 2e-3


def test_the_middle_is_low_because_of_its_slope(bent):
    shown = bent(*numbers(-0.8, 0.0, 0.8, 1.5, 0.1, 1.5))
    k = int(shown["x"].abs().argmin())
    assert abs(shown["z"][k]) < 1e-6  # the bell is at its highest there
    assert shown["density"][k] == pytest.approx(0.1 * shown["bell"].max().item(), rel=0.02)


# -------------------------------------------------------------------------------- the stored runs


def test_what_the_bend_brings():
    runs = evidence("splines")
    for control in (SAME, DEEP):
        assert runs.effect(SPLINE, control).high < 0
        assert runs.effect(SPLINE, control, "strays_3").high < 0
    weights = [runs.median(arm, "weights") for arm in (SPLINE, DEEP)]
    assert abs(weights[0] / weights[1] - 1) < 0.15  # "about as many"
    assert {
        arm: runs.arm(arm)["settings"]["steps"] for arm in (SPLINE, SAME, DEEP)
    } == dict.fromkeys((SPLINE, SAME, DEEP), flows.RING_RECIPE["steps"])


def test_every_stored_run_gains_by_splines():
    """ "Every one gains", "in every run", "fewer points stray", "the pass is lower as well"."""
    runs = evidence("splines")
    for control in (SAME, DEEP):
        for number in ("gap", "strays_3", "lowest_log_p"):
            effect = runs.effect(SPLINE, control, number)
            assert effect.less == effect.n == runs.n, (control, number, str(effect))
        assert runs.effect(SPLINE, control, "lowest_log_p").high < 0
    for key in ("lr", "steps", "batch_size"):  # from the first line to the third these stay
        assert runs.arm(SPLINE)["settings"][key] == runs.arm(SAME)["settings"][key]


def test_the_short_training_is_below_both_affine_ones():
    runs = evidence("splines")
    assert runs.median(SHORT) < min(runs.median(SAME), runs.median(DEEP))
    short, whole = (runs.arm(arm)["settings"]["steps"] for arm in (SHORT, SPLINE))
    assert 0.45 < short / whole < 0.55  # "about half of the steps"
    assert short == flows.SPLINE_RECIPE["steps"]  # "as this page does"


def test_the_short_training_takes_the_least_time_too():
    runs = evidence("splines")
    times = {arm: runs.cpu_seconds(arm) for arm in runs.arms}
    assert min(times, key=times.get) == SHORT


def test_more_points_stray_than_the_true_ring_has_and_more_steps_come_nearer():
    runs, true = evidence("splines"), math.exp(-4.5)
    assert all(runs.spread(arm, "strays_3")[0] > true for arm in runs.arms)
    effect = runs.effect(SPLINE, SHORT, "strays_3")
    assert effect.high < 0 and effect.less == effect.n


# --------------------------------------------------------------------------- the bridge-mass meter


@pytest.fixture(scope="module")
def meter():
    """The scene of the live meter, and its rows by name."""
    space = {"torch": torch, "evidence": evidence}
    for cell in cells(CHAPTER):
        if cell.source.startswith("METER = ") or "def meter(" in cell.source:
            exec(cell.source, space)
    names = list(space["METER"])

    def read(kind, sigma=3):
        found = space["meter"](torch.tensor(names.index(kind)), torch.tensor(sigma - 3))
        return {name: value.item() for name, value in found.items() if value.numel() == 1}

    return {kind: read(kind) for kind in names}, {kind: read(kind, 4) for kind in names}


def test_the_meter_shows_the_stored_runs(meter):
    three, four = meter
    runs = evidence("splines")
    for shown, number in ((three, "strays_3"), (four, "strays_4")):
        found = shown["4 splines"]
        assert found["median"] == pytest.approx(100 * runs.median(SPLINE, number))
        assert found["true"] == pytest.approx(100 * math.exp(-(int(number[-1]) ** 2) / 2))
        q, p = found["median"] / 100, found["true"] / 100
        least = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
        assert found["least"] == pytest.approx(least, abs=1e-6)
        assert all(0 < row["least"] < row["gap"] for row in shown.values())
    assert round(three["4 splines"]["true"], 2) == 1.11


def test_what_the_text_reads_off_the_meter(meter):
    three, four = meter
    strays = {kind: row["median"] for kind, row in three.items()}
    rows = list(strays)
    assert strays[rows[0]] > strays[rows[1]] > strays[rows[2]] > strays[rows[3]]
    assert strays["16 affine, Student base"] > strays["16 affine couplings"]
    best = "16 affine, base of eight modes"
    assert min(strays, key=strays.get) == best
    assert three[best]["gap"] > 2 * three["4 splines"]["gap"]
    assert all(four[kind]["times"] > three[kind]["times"] for kind in rows)
    studies = [evidence(name) for name in ("bridges", "splines")]
    shapes = [studies[1].arm(arm)["settings"]["shape"] for arm in (SAME, SPLINE)]
    assert {**shapes[0], "n_bins": flows.SPLINE_SHAPE["n_bins"]} == shapes[1]
    assert not any(s.arm(a)["settings"].get("base", "normal") != "normal" and
                   s.arm(a)["settings"].get("spline") for s in studies for a in s.arms)  # fmt: skip


# ------------------------------------------------------------------------------- layers in between


@pytest.mark.parametrize("between", mixing.BETWEEN)
def test_flows_with_layers_in_between_obey_the_laws(between):
    flow = mixing.MixedFlow(between, n_layers=3, hidden_dim=8, n_bins=4).double()
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in flow.parameters():
            p += 0.2 * torch.randn(p.shape, generator=random, dtype=torch.float64)
    x = torch.randn(6, 2, generator=random, dtype=torch.float64)
    z, log_det = flow.encode(x)
    jacobians = torch.func.vmap(torch.func.jacrev(lambda p: flow.encode(p[None])[0][0]))(x)
    assert torch.allclose(torch.linalg.slogdet(jacobians).logabsdet, log_det)
    again, back = flow.decode(z)
    assert torch.allclose(again, x) and torch.allclose(back, -log_det)


def test_learned_layers_of_more_dimensions():
    for dim in (2, 5):
        for layer in (mixing.ActNorm(dim).double(), mixing.LearnedLinear(dim).double()):
            random = torch.Generator().manual_seed(dim)
            with torch.no_grad():
                for p in layer.parameters():
                    p += torch.randn(p.shape, generator=random, dtype=torch.float64)
            x = torch.randn(4, dim, generator=random, dtype=torch.float64)
            z, log_det = layer.encode(x)
            jacobian = torch.func.jacrev(lambda p, layer=layer: layer.encode(p[None])[0][0])(x[0])
            assert torch.allclose(torch.linalg.slogdet(jacobian).logabsdet, log_det[0])
            assert torch.allclose(layer.decode(z)[0], x)


def test_actnorm_starts_with_mean_0_and_spread_1():
    layer, x = mixing.ActNorm(3), 2 + 3 * torch.randn(200, 3)
    layer.start(x)
    z = layer.encode(x)[0]
    assert z.mean(dim=0).abs().max() < 1e-5 and (z.std(dim=0) - 1).abs().max() < 1e-5


def test_what_layers_in_between_bring():
    runs = evidence("mixing")
    worse = runs.effect("ActNorm", "nothing")
    assert worse.low > 0 and worse.less == 1  # "in all runs but one"
    better = runs.effect("learned linear layer", "nothing")
    assert better.high < 0 and better.less > runs.n / 2
    low, high = runs.spread("nothing")
    assert abs(better.median) < high - low
    same = evidence("splines").values("spline, 4 couplings, short")
    assert (runs.values("nothing") == same).all(), "the flow of the page itself"
