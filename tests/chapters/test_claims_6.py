"""What chapter 6 says: each claim here would fail if it were false."""

import ast
import inspect
import math
import re
import textwrap
from pathlib import Path

import nbformat
import pytest
import torch
from claims import solution
from scipy import stats
from torch import nn

import flows
import gen_models_utilities as gmu
from experiments import evidence
from experiments.studies import conditional, singular

CHAPTER = Path(__file__).resolve().parents[2] / "chapters" / "6_conditional.ipynb"
CELLS = nbformat.read(CHAPTER, as_version=4).cells
CODE = [c.source for c in CELLS if c.cell_type == "code" and "%pip" not in c.source]
TREE = ast.parse("\n".join(CODE))


@pytest.fixture(scope="module")
def chapter():
    """The chapter's imports and functions, without its trainings."""
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef)
    module = ast.Module([n for n in TREE.body if isinstance(n, kept)], [])
    names = {}
    exec(compile(module, str(CHAPTER), "exec"), names)
    return names


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def stirred(flow, seed=0, size=0.3):
    """Random weights: a new coupling is the identity."""
    stream = generator(seed)
    with torch.no_grad():
        for p in flow.parameters():
            p.copy_(size * torch.randn(p.shape, generator=stream))
    return flow.double()


# ---------------------------------------------------------------------------- an exact family


@pytest.fixture(scope="module")
def asked(chapter):
    """The function of fig-live-asked, and what its cell draws."""
    (cell,) = [source for source in CODE if "def asked(" in source]
    names = dict(chapter) | {"SEED": 0}
    exec(cell, names)
    return names["asked"]


@pytest.mark.parametrize("radius", [1.0, 1.7, 3.0, 4.0])
def test_each_request_gets_a_density_of_its_own(asked, radius):
    """It adds up to one for all modes and for each, and the printed entropy is its own."""
    centers = gmu.ring_centers(radius=radius).float()
    for mode in range(9):
        shown = asked(torch.tensor(radius), torch.tensor(mode))
        assert abs(shown["density"].sum().item() * 0.2**2 - 1) < 1e-4
        exact = gmu.ring_conditional_entropy() if mode else gmu.ring_entropy(radius=radius)
        assert abs(shown["entropy"].item() - exact) < 1e-4
        nearest = torch.cdist(shown["samples"], centers).argmin(dim=1)
        drawn_for = centers[mode - 1] if mode else torch.zeros(2)
        error = 0.25 if mode else math.sqrt(0.25**2 + radius**2 / 2)
        off = (shown["samples"].mean(dim=0) - drawn_for).abs().max()
        assert off < 4 * error / math.sqrt(400)
        if radius == 4.0:
            own = range(8) if mode == 0 else [mode - 1]
            assert set(nearest.tolist()) == set(own)


def test_the_picture_of_all_modes_is_the_ring(asked):
    """The right way up: pixel by pixel the density of the ring, and mode 2 is the topmost."""
    side = torch.linspace(-5.2, 5.2, 53)
    for radius in (1.0, 2.3):
        shown = asked(torch.tensor(radius), torch.tensor(0))["density"]
        for row, column in ((26, 31), (31, 26), (20, 38)):
            x = torch.stack([side[column], side[row]])[None]
            exact = gmu.ring_log_prob(x, radius=radius).exp().item()
            assert abs(shown[row, column].item() - exact) < 1e-5
    top = asked(torch.tensor(3.0), torch.tensor(3))["density"].argmax().item()
    assert divmod(top, 53) == (41, 26)  # x1 = 0, x2 = 3


def test_a_label_saves_less_where_modes_overlap(asked):
    saved = [asked(torch.tensor(r), torch.tensor(0))["saved"].item() for r in (1.0, 1.5, 2.0, 4.0)]
    assert saved == sorted(saved)
    assert saved[0] < math.log(8) - 0.2 and abs(saved[-1] - math.log(8)) < 1e-4


# ------------------------------------------------------------------------ the few lines that differ


def diff_lines() -> list[tuple[str, str]]:
    """(mark, code) of each line of the chapter's diff."""
    (block,) = re.findall(r"```diff\n(.*?)```", "\n".join(c.source for c in CELLS), flags=re.DOTALL)
    lines = [(line[0], line[1:].strip()) for line in block.splitlines()]
    return [(mark, code) for mark, code in lines if code != "..."]


def test_the_diff_shows_the_code_of_the_conditioner():
    source = [line.strip() for line in inspect.getsource(flows.Conditioner).splitlines()]
    places = [source.index(code) for mark, code in diff_lines() if mark in "+ "]
    assert places == sorted(places)
    # Every line with the context is shown: those that take it as an argument only pass it along.
    uses = {code for code in source if "context" in code and not code.startswith(("def", '"""'))}
    uses = {code for code in uses if "Length of the context" not in code}
    assert uses - {"s, t = self.raw(kept, context)"} == {
        code for mark, code in diff_lines() if mark == "+"
    }


def test_without_the_diff_it_is_the_plain_conditioner():
    """Take the + lines out, put the - lines back: a conditioner that knows no context."""
    source = textwrap.dedent(inspect.getsource(flows.Conditioner))
    removed = [code for mark, code in diff_lines() if mark == "-"]
    for number, code in enumerate(code for mark, code in diff_lines() if mark == "+"):
        old = removed[number] if number < len(removed) else "pass"
        assert source.count(code) == 1
        source = source.replace(code, old)
    names = dict(vars(flows))
    exec(source, names)
    with torch.random.fork_rng():
        made = []
        for kind in (names["Conditioner"], flows.Conditioner):
            torch.manual_seed(0)
            made.append(kind(2, 3, hidden_dim=8, n_frequencies=2))
            nn.init.normal_(made[-1].net[-1].weight)
    kept, context = torch.randn(5, 2, generator=generator()), torch.ones(5, 1)
    for old, new in zip(made[0](kept, context), made[1](kept), strict=True):
        assert torch.equal(old, new)  # the plain one passes the context over


def test_four_couplings_hold_the_exact_answer():
    """A shift and a scale for each label: log(1 / sigma) takes two couplings a coordinate."""
    assert 1 < math.log(1 / 0.25) < 2
    flow = flows.RealNVP(n_layers=4, hidden_dim=32, context_dim=8).double()
    for k, layer in enumerate(flow.layers):
        coordinate = int(layer.split(torch.tensor([[0.0, 1.0]]))[1])
        (conditioner,) = [m for m in layer.modules() if isinstance(m, flows.Conditioner)]
        first, _, second, _, last = conditioner.net
        with torch.no_grad():
            for p in conditioner.parameters():
                p.zero_()
            first.weight[:8, 1:] = torch.eye(8)  # sees the label, not the kept coordinate
            second.weight[:8, :8] = torch.eye(8)
            last.bias[0] = math.atanh(math.log(4) / 2)
            if k < 2:  # the second of its coordinate that encode meets
                last.weight[1, :8] = -gmu.ring_centers()[:, coordinate] / 0.25
    x, labels = gmu.held_out_ring(1000)
    z = (x - gmu.ring_centers().to(x)[labels]).double().numpy() / 0.25
    true = torch.as_tensor(stats.norm.logpdf(z).sum(axis=1) - 2 * math.log(0.25))
    with torch.no_grad():
        model = flow.log_prob(x.double(), conditional.one_hot(labels).double())
    assert (model - true).abs().max() < 1e-4


# ------------------------------------------------- the page trains what the stored studies trained


class Recorder:
    """Stands for `fit`: keeps what it was asked, trains nothing."""

    def __init__(self):
        self.asked = []

    def __call__(self, draw, *, steps, batch_size, lr, **shape):
        self.asked.append((draw, {"steps": steps, "batch_size": batch_size, "lr": lr}, shape))
        return flows.RealNVP(**shape)


@pytest.fixture(scope="module")
def asked_by_the_page(chapter) -> list[tuple]:
    """(draw, training, shape) of each training in the chapter, in its order."""
    names, recorder = dict(chapter), Recorder()
    names["data"], names["labels"] = gmu.create_ring_gaussians(2000, seed=0)
    names["fit"] = recorder
    for source in CODE:
        statements = [n for n in ast.parse(source).body if not isinstance(n, ast.FunctionDef)]
        calls = [n for s in statements for n in ast.walk(s) if isinstance(n, ast.Call)]
        if any(ast.unparse(call.func) == "fit" for call in calls):
            exec(compile(ast.Module(statements, []), str(CHAPTER), "exec"), names)
    return recorder.asked


class Asked(Exception):
    """Carries what a study asked its `fit` for."""


def asked_by_a_study(module, run, settings, monkeypatch) -> tuple:
    """(draw, training, shape) of a study's run."""

    def fit(make_flow, draw, seeds, **training):
        shape = {}
        monkeypatch.setattr(module, "RealNVP", lambda **kwargs: shape.update(kwargs))
        make_flow()
        raise Asked(draw, training, shape)

    monkeypatch.setattr(module, "fit", fit)
    with pytest.raises(Asked) as asked:
        run(settings, [0])
    return asked.value.args


def same_batches(one, two) -> bool:
    """Whether two draws make the same batches, twice in a row."""
    streams = generator(), generator()
    for _ in range(2):
        for a, b in zip(one(50, streams[0]), two(50, streams[1]), strict=True):
            if not torch.equal(a, b):
                return False
    return True


STORED = {
    "one-hot": ("one_hot", conditional, conditional.run_label, 0),
    "fixed points": ("by_heart", conditional, conditional.run_by_heart, 1),
    "new points": ("by_heart", conditional, conditional.run_by_heart, 2),
    "all radii": ("radius", conditional, conditional.run_radius, 3),
    "exact distance, 400 steps": ("singular", singular, singular.run, 4),
    "noisy distance, 400 steps": ("singular", singular, singular.run, 5),
}


@pytest.mark.parametrize("arm", STORED)
def test_the_page_trains_as_the_stored_runs_did(arm, asked_by_the_page, monkeypatch):
    study, module, run, place = STORED[arm]
    settings = evidence(study).arm(arm)["settings"]
    stored = asked_by_a_study(module, run, settings, monkeypatch)
    assert len(asked_by_the_page) == 6
    draw, training, shape = asked_by_the_page[place]
    assert training == stored[1]
    assert shape == stored[2]
    assert same_batches(draw, stored[0])


def test_the_studies_measure_what_the_page_shows(chapter):
    radius = torch.tensor([1.0, 2.2, 4.0])
    assert torch.equal(conditional.radius_context(radius), chapter["radius_context"](radius))

    class Blind:  # a flow for which each point is equally likely
        @staticmethod
        def log_prob(x, context):
            return torch.zeros(len(x))

    x, labels = gmu.held_out_ring(300)
    truth = chapter["true_log_prob_given_label"](x, labels)
    assert conditional.label_gap(Blind, x, labels) == pytest.approx(truth.mean().item(), abs=1e-6)


def test_flow_and_batches_begin_as_in_the_stored_runs():
    """`fit` of the page and of the studies give the same weights, to the last bit."""
    names = dict(vars(flows)) | {"torch": torch, "gmu": gmu, "SEED": 3}
    (fit,) = [n for n in TREE.body if isinstance(n, ast.FunctionDef) and n.name == "fit"]
    exec(compile(ast.Module([fit], []), str(CHAPTER), "exec"), names)
    training = {"steps": 3, "batch_size": 16, "lr": 1e-2}
    shape = {"n_layers": 2, "hidden_dim": 8, "context_dim": 8}
    page = names["fit"](conditional.draw_labelled, **training, **shape)
    make = lambda: flows.RealNVP(**shape)  # noqa: E731
    (study,) = conditional.fit(make, conditional.draw_labelled, [3], **training)
    for a, b in zip(page.parameters(), study.parameters(), strict=True):
        assert torch.equal(a.cpu(), b)


def test_overfitting_and_its_control_differ_in_their_points_only(asked_by_the_page):
    (draw, *settings), (control, *same) = asked_by_the_page[1:3]
    for training, _ in (settings, same):
        assert training["lr"] in conditional.BY_HEART.rates  # each has its own best
    assert settings[0] | {"lr": 0} == same[0] | {"lr": 0}
    assert settings[1] == same[1]
    data, labels = gmu.create_ring_gaussians(2000, seed=0)
    x, y = draw(300, generator(1))
    rows = (x[:, None] == torch.as_tensor(data)).all(dim=2)
    assert (rows.sum(dim=1) == 1).all()
    assert (y.argmax(dim=1) == torch.as_tensor(labels)[rows.nonzero()[:, 1]]).all()
    assert same_batches(draw, draw)  # it heeds its generator, so a training can be resumed
    assert same_batches(control, conditional.draw_labelled)


def test_noise_is_all_that_tells_the_control_from_the_singular_question(asked_by_the_page):
    (exact, *settings), (noisy, *same) = asked_by_the_page[4:]
    for training, _ in (settings, same):
        assert training["lr"] in singular.STUDY.rates  # each has its own best
    assert [s[0] | {"lr": 0} for s in (settings, same)] == [same[0] | {"lr": 0}] * 2
    assert settings[1] == same[1]
    (x, r), (x_noisy, r_noisy) = exact(9000, generator()), noisy(9000, generator())
    assert torch.equal(x, x_noisy)
    assert torch.allclose(r[:, 0], (x.norm(dim=1) - 3) / 0.25)
    assert abs((r_noisy - r).std() - 1) < 0.03  # 0.25 of noise, in units of 0.25


# ------------------------------------------------------------------------------ formulas and limits


def test_the_gap_splits_into_density_and_classifier(chapter):
    """eq-two-gaps, for a flow that knows nothing: both parts are large."""
    flow = stirred(flows.RealNVP(n_layers=4, hidden_dim=8, context_dim=8))
    x, labels = gmu.held_out_ring(4000)
    with torch.no_grad():
        joint = chapter["joint_log_prob"](flow, x)
    exact = gmu.ring_posterior(x.double())
    density = (gmu.ring_log_prob(x.double()) - joint.logsumexp(dim=1)).mean()
    own = (exact.log() - joint.log_softmax(dim=1)).gather(1, labels[:, None]).mean()
    true = chapter["true_log_prob_given_label"](x.double(), labels)
    whole = chapter["gap"](flow, x, chapter["one_hot"](labels), true)
    assert density > 0.1 and own > 0.1
    assert abs(density + own - whole) < 1e-6


def test_the_true_nll_scatters_by_one_nat_a_point_and_the_gap_does_not(chapter):
    x, labels = gmu.held_out_ring(100_000)
    true = chapter["true_log_prob_given_label"](x, labels)
    assert abs(true.std() - 1) < 0.01
    assert abs(-true.mean() - gmu.ring_conditional_entropy()) < 4 / math.sqrt(len(x))


def test_the_set_of_2000_points_lies_about_one_error_below_the_entropy(chapter):
    data, labels = (torch.as_tensor(v) for v in gmu.create_ring_gaussians(2000, seed=0))
    true = chapter["true_log_prob_given_label"](data, labels)
    error = (true.std() / math.sqrt(len(true))).item()
    off = (-true.mean().item() - gmu.ring_conditional_entropy()) / error
    assert -1.5 < off < -0.5


def test_borders_lie_far_from_all_data():
    """Half of the way to the next mode is beyond the two standard deviations of the rings."""
    half = 3 * math.sin(math.pi / 8) / 0.25
    assert half > 4
    x, labels = gmu.held_out_ring(20_000)
    inside = (x - gmu.ring_centers()[labels]).norm(dim=1) < 0.5
    assert (gmu.ring_posterior(x).argmax(dim=1) == labels)[inside].all()


@pytest.mark.parametrize("tau", [1.0, 0.25, 0.05])
def test_the_entropy_given_a_noisy_distance(chapter, tau):
    """eq-noisy-entropy against the mean of its own log-density over pairs: Monte Carlo."""
    x, _ = gmu.sample_ring(20_000, generator(2))
    x = x.double()
    r = x.norm(dim=1) + tau * torch.randn(len(x), generator=generator(3), dtype=torch.float64)
    log_p = chapter["true_log_prob_given_noisy"](x, r, tau)
    error = (log_p.std() / math.sqrt(len(x))).item()
    assert abs(-log_p.mean().item() - chapter["noisy_entropy"](tau)) < 4 * error


def test_the_conditional_density_integrates_to_one(chapter):
    side = torch.linspace(-5, 5, 401, dtype=torch.float64)
    x = torch.cartesian_prod(side, side)
    log_p = chapter["true_log_prob_given_noisy"](x, torch.tensor([2.6], dtype=torch.float64), 0.25)
    assert abs(log_p.exp().sum() * (side[1] - side[0]) ** 2 - 1) < 1e-3
    # ... and stays nearer to 3 than the reading: half of the surprise is put down to noise.
    mean = (log_p.exp() * x.norm(dim=1)).sum() / log_p.exp().sum()
    assert abs((3 - mean) / (3 - 2.6) - 0.5) < 0.05


def test_the_distance_has_the_density_of_rice(chapter):
    r = torch.linspace(2, 4, 21)
    truth = stats.rice.logpdf(r.double().numpy(), 3 / 0.25, scale=0.25)
    assert (chapter["noisy_distance_log_prob"](r, 0.01) - torch.as_tensor(truth)).abs().max() < 0.02


def test_each_factor_of_ten_costs_about_log_10(chapter):
    entropy = chapter["noisy_entropy"]
    assert abs(entropy(0.03) - entropy(0.003) - math.log(10)) < 0.03
    assert gmu.ring_entropy() - 0.05 < entropy(1.0) < gmu.ring_entropy()


def test_the_floor_of_a_flow():
    """No log p above L - log(2 pi), whatever the weights; and it is nearly reached."""
    flow = flows.RealNVP(n_layers=8, hidden_dim=8, n_frequencies=4, turn=45.0, context_dim=1)
    x, context = 3 * torch.randn(500, 2, generator=generator()), torch.randn(500, 1)
    top = 8 - math.log(2 * math.pi)
    for seed in range(5):
        stirred(flow, seed, size=3.0)
        with torch.no_grad():
            assert flow.log_prob(x.double(), context.double()).max() < top
    with torch.no_grad():
        for p in flow.parameters():
            p.zero_()
        for m in flow.modules():
            if isinstance(m, flows.Conditioner):
                m.net[-1].bias[0] = 10.0
        best = flow.log_prob(torch.zeros(1, 2).double(), torch.zeros(1, 1).double())
    assert abs(best.item() - top) < 1e-3


def test_a_thin_band_has_no_floor():
    """eq-singular: the exact NLL of a uniform band, against the formula."""
    for r in (1.0, 3.0):
        nll = [math.log(math.pi * ((r + e / 2) ** 2 - (r - e / 2) ** 2)) for e in (0.2, 0.1, 0.05)]
        assert abs(nll[0] - math.log(2 * math.pi * r) - math.log(0.2)) < 1e-9
        assert abs(nll[0] - nll[1] - math.log(2)) < 1e-9
        assert abs(nll[1] - nll[2] - math.log(2)) < 1e-9


# ------------------------------------------------------------------------ what the stored runs say

STEPS = (100, 400, 1600)


def test_with_labels_the_flow_comes_within_a_hundredth_of_a_nat():
    runs, ring = evidence("one_hot"), evidence("recipe")
    assert runs.n >= 20
    assert runs.spread("one-hot")[1] < 0.01
    assert ring.spread("recipe")[0] > 2 * runs.spread("one-hot")[1]


def test_learning_by_heart_shows_on_own_and_on_held_out_points():
    runs = evidence("by_heart")
    assert runs.n >= 20
    own, held_out = (
        runs.effect("fixed points", "new points", number) for number in ("own_gap", "gap")
    )
    assert runs.spread("fixed points", "own_gap")[1] < 0  # better than the truth, each of them
    assert held_out.low > 0 and held_out.less == 0  # and worse than its control
    assert own.high < 0
    # The control has next to no gap, beside the luck of a set: 1 / sqrt(2000) nats.
    low, high = runs.spread("new points", "own_gap")
    assert max(-low, high) < 0.5 / math.sqrt(2000)


def test_below_the_entropy_are_many_controls_too(chapter):
    """The luck of a set: only a loss far enough below the entropy is a warning."""
    runs, below = evidence("by_heart"), {}
    sets = [map(torch.as_tensor, gmu.create_ring_gaussians(2000, seed=s)) for s in range(runs.n)]
    true = [-chapter["true_log_prob_given_label"](*points).mean().item() for points in sets]
    for arm in runs.arms:
        own = runs.values(arm, "own_gap") + true
        below[arm] = (own < gmu.ring_conditional_entropy()).sum() / runs.n
    assert below["fixed points"] > 0.8
    assert 0.2 < below["new points"] < 0.8


def test_the_control_stays_above_its_limit_and_slows_down(chapter):
    runs = evidence("singular")
    assert runs.n >= 20
    draw = chapter["draw_with_distance"](0.25)
    x, context = draw(10_000, generator(gmu.HELD_OUT_OFFSET))
    true = -chapter["true_log_prob_given_noisy"](x, 3 + 0.25 * context[:, 0], 0.25).mean().item()
    limit = chapter["noisy_entropy"](0.25)
    medians = [runs.median(f"noisy distance, {n} steps", "nll") for n in STEPS]
    gains = [a - b for a, b in zip(medians, medians[1:], strict=False)]
    assert gains == sorted(gains, reverse=True) and gains[-1] > 0
    for n in STEPS:
        assert runs.spread(f"noisy distance, {n} steps", "nll")[0] > max(true, limit)


def test_the_exact_distance_passes_one_limit_after_the_other(chapter):
    runs, entropy = evidence("singular"), chapter["noisy_entropy"]
    medians = [runs.median(f"exact distance, {n} steps", "nll") for n in STEPS]
    assert medians == sorted(medians, reverse=True)
    assert entropy(0.1) < medians[0] < entropy(0.25)  # left of the solid line from the start
    assert medians[1] < entropy(0.05)
    low, high = runs.spread("exact distance, 1600 steps", "nll")
    assert entropy(0.01) < low and high < entropy(0.05)
    effect = runs.effect("exact distance, 1600 steps", "noisy distance, 1600 steps", "nll")
    assert effect.clear and effect.median < -1


def test_longer_is_lower_where_there_is_no_floor_and_luck_is_large():
    runs = evidence("singular")
    long, short = (f"exact distance, {steps} steps" for steps in (1600, 400))
    assert runs.effect(long, short, "nll").less == runs.n
    long, short = (f"noisy distance, {steps} steps" for steps in (1600, 400))
    assert runs.n / 2 < runs.effect(long, short, "nll").less < runs.n
    exact, noisy = (
        runs.values(f"{name} distance, 1600 steps", "nll") for name in ("exact", "noisy")
    )
    assert exact.max() - exact.min() > 3 * (noisy.max() - noisy.min())


def left_out_effect(arm, radius):
    return evidence("radius").effect(arm, "all radii", f"gap {radius}")


def copy_gap(low):
    """What it costs to take the ring of radius `low` for that of radius 2.5."""
    return gmu.ring_gap(lambda x: gmu.ring_log_prob(x, radius=low), radius=2.5)


def test_a_narrow_interval_of_radii_shows_no_cost():
    effect = left_out_effect("without 2.4 to 2.6", 2.5)
    assert not effect.clear
    assert effect.high < copy_gap(2.4) / 4


def test_a_wide_interval_of_radii_has_its_price_and_is_bridged():
    runs = evidence("radius")
    assert runs.n >= 20
    assert all(left_out_effect("without 2 to 3", r).low > 0 for r in (2.25, 2.5, 2.75))
    for low in (2.0, 3.0):
        assert runs.median("without 2 to 3", "gap 2.5") < copy_gap(low) / 4


def test_the_price_grows_with_the_interval():
    narrow, wide = (left_out_effect(a, 2.5) for a in ("without 2.4 to 2.6", "without 2 to 3"))
    assert wide.low > narrow.high


def test_the_alt_text_of_the_left_out_radii():
    """Left, the lines run close together; right, they part inside the band."""
    runs = evidence("radius")
    narrow, wide = (
        [
            runs.median(arm, f"gap {r}") - runs.median("all radii", f"gap {r}")
            for r in (2.25, 2.5, 2.75)
        ]
        for arm in ("without 2.4 to 2.6", "without 2 to 3")
    )
    assert max(map(abs, narrow)) < min(wide)


def test_the_solution_on_wrong_labels_runs():
    """Its own assertions: nothing, everything, and the label that is always wrong."""
    space = {"math": math}
    exec(solution(CHAPTER.stem, "ex-6-wrong-labels"), space)
    share = torch.tensor([1 - 0.3, *[0.3 / 7] * 7])
    assert space["cost"](0.3) == pytest.approx(torch.special.entr(share).sum().item(), abs=1e-6)
