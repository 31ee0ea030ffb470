"""The bug museum: each bug shows its symptom, and its check fails on it and holds for the mend.

The chapter's cells run here as they stand, without figures, so that what is tested is what is read.
"""

import contextlib
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from claims import cells, solution, solutions

from classroom import laws
from classroom.exercise import black_boxes

CHAPTER = "10_bug_museum"
# Heading of an exhibit -> a word of the complaint that its check has about the bug.
EXHIBITS = {
    "The sign that trains": "sign",
    "The model that forgets at the door": "not saved with the weights",
    "The loss that falls for ever": "discrete",
    "Good likelihood, wrong samples": "runs the same map",
    "The loss is right, each score is wrong": r"the shape of `log_prob` is \(1600, 1600\)",
    "The coordinate that nobody touches": "no layer changes this coordinate",
    "A norm without its square": "divided by its norm",
    "The record that nobody set": "knows nothing is 7.926, not 8",
    "Minus infinity, far out": "logarithm of 0",
    "The branch not taken": "gradient of parameter 1 of 1 is nan",
    "A derivative of the wrong thing": "followed the solver's steps",
    "Four workers, one dice": "workers share a seed",
}


@pytest.fixture(scope="module")
def museum():
    """The names that the chapter leaves, and what it prints below each heading."""
    space, printed, heading = {"__name__": "museum"}, {}, ""
    before = torch.get_default_dtype(), torch.get_num_threads()
    try:
        for cell in cells(CHAPTER):
            if found := re.search(r"^## (.+)$", cell.source, flags=re.MULTILINE):
                heading = found[1] if cell.cell_type == "markdown" else heading
            tags = set(cell.metadata.get("tags", []))
            if cell.cell_type != "code" or tags & {"setup", "answer"}:
                continue
            with contextlib.redirect_stdout(io.StringIO()) as said:
                exec(compile(cell.source, CHAPTER, "exec"), space)
            space["live_figure"] = lambda *panels, **settings: None
            plt.close("all")
            printed[heading] = printed.get(heading, "") + said.getvalue()
        yield space, printed
    finally:
        torch.set_default_dtype(before[0])
        torch.set_num_threads(before[1])
        plt.close("all")


def verdict(law, **functions):
    answer = black_boxes({name: name for name in functions}, functions)
    return law(answer, np.random.default_rng(1))


def at(*values):
    return [torch.tensor(value) for value in values]


LAST = ("Check yourself", "Summary", "Exercises", "References")


def test_the_chapter_shows_these_exhibits():
    found = [
        title
        for cell in cells(CHAPTER)
        if cell.cell_type == "markdown"
        for title in re.findall(r"^## (.+)$", cell.source, flags=re.MULTILINE)
    ]
    assert found == [*EXHIBITS, "What the museum teaches", *LAST]


@pytest.mark.parametrize("title", EXHIBITS)
def test_the_check_fails_on_the_bug_and_holds_for_the_mend(title, museum):
    said = museum[1][title].replace("\n    ", " ")  # long lines go on in the next
    complaint = re.search(rf"^(?!mended|right).*: Wrong: .*{EXHIBITS[title]}", said, re.MULTILINE)
    assert complaint, said
    held = [line for line in said.splitlines() if line.endswith("the law holds")]
    assert held and not re.search(r"^(mended|right).*Wrong", said, re.MULTILINE), said


@pytest.mark.parametrize("title", EXHIBITS)
def test_each_exhibit_says_cause_and_check_and_where_it_happened(title):
    text = "\n".join(c.source for c in cells(CHAPTER) if c.cell_type == "markdown")
    part = text.split(f"## {title}\n")[1].split("\n## ")[0]
    for word in ("**The cause.**", "**The check.**", "**In public.**"):
        assert part.count(word) == 1, word
    places = re.findall(r"\[([\w./-]+), (issue|pull request) `(\d+)`\]\((\S+)\)", part)
    assert places, "it happened in public, somewhere"
    for repository, kind, number, address in places:
        folder = {"issue": "issues", "pull request": "pull"}[kind]
        assert address == f"https://github.com/{repository}/{folder}/{number}"


def test_sign(museum):
    scene = museum[0]["sign_scene"]
    for a in (0.5, 1.0, 2.0):
        assert scene(*at(a, 0))["area"].item() == pytest.approx(a**2, abs=1e-3)
        assert scene(*at(a, 1))["area"].item() == pytest.approx(1, abs=1e-3)
    # Blind at 1: there the two are one.
    assert torch.equal(scene(*at(1.0, 0))["claimed"], scene(*at(1.0, 0))["true"])


def test_a_new_coupling_flow_hides_a_wrong_sign(museum):
    import flows

    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    for kind in (flows.RealNVP, flows.SplineFlow):
        assert kind(dim=2).double().encode(x)[1].abs().max() < 1e-12, kind


def test_an_optimiser_is_glad_of_the_wrong_sign(museum):
    """With the bug, the claimed NLL of any data falls without end as the stretch grows."""
    x = torch.linspace(-3, 3, 50)
    base = museum[0]["standard_normal_log_prob"]
    claimed = [-(base(x / a) + np.log(a)).mean() for a in (1, 10, 1e3, 1e6)]
    assert claimed == sorted(claimed, reverse=True) and claimed[-1] < -10


def test_the_lost_mark(museum):
    space = museum[0]
    far = space["loaded_scene"](*at(4.0, 1.0, 0))
    assert far["after"] - far["before"] > 5, "outliers look normal"
    near = space["loaded_scene"](*at(0.0, 1.0, 0))
    assert abs(near["after"] - near["before"]) < 0.1, "and data like the old hide the bug"
    mended = space["loaded_scene"](*at(4.0, 1.0, 1))
    assert mended["after"] == pytest.approx(mended["before"].item())
    assert "started" in space["MendedActNorm"](2).state_dict()
    assert "started" not in space["ActNorm"](2).state_dict()
    both = space["saved_and_loaded"](space["ActNorm"])
    both["loaded"](torch.randn(50, 2, generator=torch.Generator().manual_seed(5)))
    for log_prob in both.values():  # after the first batch each is a density: no integral tells
        x = torch.cartesian_prod(*2 * [torch.linspace(-9, 9, 181)])
        assert (log_prob(x).exp().sum() * 0.01).item() == pytest.approx(1, abs=1e-3)


def test_a_reloaded_layer_scores_its_first_batch_too_well_and_later_ones_worse(museum):
    """What hides the lost mark where a batch looks like the training data."""
    kind, change = museum[0]["ActNorm"], {"first": [], "later": []}
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        both = museum[0]["saved_and_loaded"](kind)
        for when in change:
            x = torch.randn(16, 2, generator=generator)
            score = {name: log_prob(x).mean().item() for name, log_prob in both.items()}
            change[when].append(score["loaded"] - score["saved"])
    assert np.mean(change["first"]) > 0 > np.mean(change["later"])
    assert np.mean(np.abs(change["first"])) < 0.3, "hardly anything happens"


def test_in_a_deep_flow_the_lost_mark_raises_the_loss(museum):
    """Where the other layers were trained for the old numbers, the first batch already shows it."""
    space, draw = museum[0], lambda n, g: museum[0]["gmu"].sample_ring(n, g)[0]

    def made():
        torch.manual_seed(0)
        layers = [
            layer
            for flip in (False, True, False, True)
            for layer in (space["AffineCoupling"](2, 16, flip=flip), space["ActNorm"](2))
        ]
        return space["Flow"](layers, dim=2)

    flow, loaded = made(), made()
    space["train"](flow, draw, steps=300, batch_size=256, lr=5e-3)
    loaded.load_state_dict(flow.state_dict())
    batch = space["held_out"][:256]
    with torch.no_grad():
        assert flow.log_prob(batch).mean() - loaded.log_prob(batch).mean() > 0.05


def test_alone_and_in_company_sees_the_square_of_scores_and_not_the_lost_mark(museum):
    """What the exercise's solution says that it catches."""
    space = dict(museum[0])
    exec(solution(CHAPTER, "ex-10-alone"), space)
    depends_on_others = space["depends_on_others"]
    assert depends_on_others(space["log_prob_with_bug"], space["five"]) > 0.1
    assert depends_on_others(space["bent"].log_prob, space["five"]) == 0
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(0)) + 3
    loaded = space["saved_and_loaded"](space["ActNorm"])["loaded"]
    assert depends_on_others(loaded, x) == 0, "the first call has set the numbers"

    def loaded_anew(x):  # (a batch of one has no standard deviation)
        return space["saved_and_loaded"](space["ActNorm"])["loaded"](x)

    assert (loaded_anew(x) - loaded_anew(torch.cat([x, x + 1]))[:6]).abs().max() > 0.01

    def normalised(x):  # by the statistics of its batch
        norm = torch.nn.BatchNorm1d(2, affine=False)
        return space["standard_normal_log_prob"](norm(torch.cat([x, x + 1]))[: len(x)]).sum(dim=1)

    assert depends_on_others(normalised, x) > 0.1


def test_equal_numbers_tell_in_double_precision_only():
    """In float32 a large batch holds equal numbers by chance, noise or not."""
    values = torch.randint(0, 256, (200_000,), generator=torch.Generator().manual_seed(0))
    for dtype, has_equals in ((torch.float32, True), (torch.float64, False)):
        noise = torch.rand(len(values), generator=torch.Generator().manual_seed(1), dtype=dtype)
        noisy = values.to(dtype) + noise
        assert (len(noisy.unique()) < len(noisy)) is has_equals


def test_grey_values_have_no_lowest_loss(museum):
    losses, entropy = museum[0]["losses"], museum[0]["entropy"]
    widths = torch.tensor([0.1, 0.05, 0.025, 0.0125])
    bare, noisy = zip(*map(losses, widths), strict=True)
    steps = [(a - b).item() for a, b in zip(bare, bare[1:], strict=False)]
    assert steps == pytest.approx([np.log(2)] * 3, abs=1e-3), "half the width wins log 2"
    assert all(loss >= entropy for loss in noisy) and bare[-1] < entropy
    assert losses(torch.tensor(0.6))[1] < noisy[0], "with noise, wider peaks are better"


def test_the_wrong_order_has_the_right_likelihood(museum):
    space = museum[0]
    bug, mended = (space["fitted"](mended) for mended in (False, True))
    cloud = space["cloud"]
    assert bug.log_prob(cloud).mean().item() == pytest.approx(mended.log_prob(cloud).mean().item())
    draw = {"n": 4000, "generator": torch.Generator().manual_seed(3)}
    assert (mended.sample(**draw).mean(dim=0) - space["middles"]).abs().max() < 0.1
    assert (bug.sample(**draw).mean(dim=0) - space["middles"]).abs().min() > 1
    # Two coordinates can only be swapped, which undoes itself.
    pair = space["Reorder"]([1, 0], False)
    assert (
        verdict(laws.round_trip(points=laws.bell(6, 2)), decode=pair.decode, encode=pair.encode)
        is None
    )


def test_the_square_of_scores_has_the_right_loss_and_gradient(museum):
    space = museum[0]
    flow = space["Flow"]([space["AffineCoupling"](2, 8)], dim=2)
    with torch.no_grad():
        for p in flow.parameters():
            p.normal_(generator=torch.Generator().manual_seed(1))
    x = torch.randn(7, 2, generator=torch.Generator().manual_seed(2))

    def with_bug(x):
        z, log_det = flow.encode(x)
        return space["standard_normal_log_prob"](z).sum(dim=1, keepdim=True) + log_det

    assert with_bug(x).shape == (7, 7)
    assert with_bug(x).mean().item() == pytest.approx(flow.log_prob(x).mean().item())
    parameters = list(flow.parameters())
    for one, other in zip(
        torch.autograd.grad(with_bug(x).mean(), parameters),
        torch.autograd.grad(flow.log_prob(x).mean(), parameters),
        strict=True,
    ):
        assert torch.allclose(one, other)
    off = (with_bug(x) - flow.log_prob(x)[:, None]).abs()
    assert off.diagonal().max() < 1e-12 and off.max() > 0.1, "only the diagonal is right"


def test_a_flow_sums_the_log_dets_of_a_layer_of_single_numbers():
    import flows

    flow = flows.Flow([flows.AffineCoupling(2, 8), flows.Sigmoid()], dim=2)
    assert flow.log_prob(torch.tensor([[0.3, 0.6], [0.2, 0.9]])).shape == (2,)


def test_the_untouched_coordinate(museum):
    said = museum[1]["The coordinate that nobody touches"]
    assert "bug: x1 is z1 for all points: True" in said
    assert "mended: x1 is z1 for all points: False" in said
    loss = dict(re.findall(r"(bug|mended): NLL ≈ ([\d.]+)", said))
    assert float(loss["bug"]) > float(loss["mended"]) + 0.2
    # All six together are one stretch and one shift of x2, which x1 decides.
    x2 = torch.linspace(-4, 4, 9)
    for x1 in (-1.5, 0.0, 2.0):
        z, _ = museum[0]["stacks"]["bug"].encode(torch.stack([torch.full_like(x2, x1), x2], dim=1))
        assert z[:, 1].diff().diff().abs().max() < 1e-9
    z, _ = museum[0]["stacks"]["mended"].encode(torch.stack([torch.zeros_like(x2), x2], dim=1))
    assert z[:, 1].diff().diff().abs().max() > 1e-3


def test_the_norm_without_its_square(museum):
    scene, constrain = museum[0]["planar_scene"], museum[0]["constrain"]
    for length, free, mended, folds in (
        (0.5, -5.0, 0, True), (4.0, 1.0, 0, True), (1.0, -5.0, 0, False), (1.0, 1.0, 0, False),
        (0.5, -5.0, 1, False), (4.0, 1.0, 1, False),
    ):  # fmt: skip
        values = scene(*at(length, free, mended))
        assert bool(values["folded"]) is folds
        assert (values["area"] < 0.95) == folds, values["area"]
        if not folds:
            assert values["area"].item() == pytest.approx(1, abs=1e-3)
        # The scene is the code's: w.u of the layer.
        w = torch.tensor([length, 0.0])
        u = constrain(w, torch.tensor([free / length, 0.7]), 2 if mended else 1)
        assert (w @ u).item() == pytest.approx(values["number"].item())
    assert scene(*at(0.5, -5.0, 0))["area"] < 0.01, (
        "the figure as it begins: next to nothing is left"
    )


def test_which_lengths_can_fold(museum):
    """Each short one; of the long ones only those from nearly three on."""

    def least(length):  # over all free numbers that the figure shows
        return museum[0]["planar_scene"](*at(length, 0.0, 0))["made"].min()

    assert all(least(length) < -1 for length in (0.2, 0.5, 0.9, 0.99))
    assert all(least(length) >= -1 for length in (1.0, 1.1, 1.5, 2.0, 2.5, 2.8))
    assert all(least(length) < -1 for length in (2.9, 3.0, 4.0, 10.0))


def test_bits(museum):
    programs = museum[0]["programs"]
    assert [round(v, 2) for v in programs.values()] == [8, 5.55, 0, 7.93, 9]
    # The mend of "squeezed": the density of numbers in a part of the unit interval is higher.
    edge = museum[0]["edge"]
    x = torch.rand(1000) * (1 - edge) + edge / 2
    assert x.max() - x.min() <= 1 - edge


def test_tanh(museum):
    bug, mended = museum[0]["tanh_with_bug"], museum[0]["tanh_mended"]
    z = torch.linspace(-5, 5, 101, dtype=torch.float64)
    assert torch.allclose(bug(z)[1], mended(z)[1], atol=1e-9)
    far = torch.tensor([10.0], dtype=torch.float32)
    assert bug(far)[1].isinf().all() and mended(far)[1].isfinite().all()
    exact = mended(far.double())[1]
    assert torch.allclose(mended(far)[1].double(), exact, rtol=1e-6)


def test_the_branch_not_taken(museum):
    bug, mended, loss = (museum[0][name] for name in ("bend_with_bug", "bend", "loss"))
    b, y = torch.tensor(0.7), torch.linspace(-0.5, 1.5, 41)
    assert torch.equal(bug(y, b)[0], mended(y, b)[0]) and torch.equal(bug(y, b)[1], mended(y, b)[1])
    gradient = torch.func.grad(lambda b, y: loss(bug, b, y))
    assert gradient(b, y).isnan() and gradient(b, y[y >= 0]).isfinite(), "one point is enough"
    step, slope = 1e-6, torch.func.grad(lambda b: loss(mended, b, y))(b)
    wanted = (loss(mended, b + step, y) - loss(mended, b - step, y)) / (2 * step)
    assert slope.item() == pytest.approx(wanted.item(), abs=1e-6)

    def log_prob(y):
        z, log_det = mended(y, b)
        return museum[0]["standard_normal_log_prob"](z) + log_det

    assert verdict(laws.integrates_to_one(), log_prob=log_prob) is None


def test_the_score(museum):
    space = museum[0]
    t = torch.linspace(-3, 3, 13)
    slope = torch.func.grad(lambda t: space["root_with_bug"](t).sum())(t)
    assert torch.allclose(slope, torch.ones(13)), "autograd sees the bracket move with t"
    bug, right = (space["log_density"](space[name], t) for name in ("root_with_bug", "root"))
    assert torch.allclose(bug, right), "the density is right in both cases"
    wrong, good = (space["score"](space[name], t) for name in ("root_with_bug", "root"))
    assert (wrong - good).abs().max() > 0.1


def test_workers(museum):
    bug, mended = museum[0]["worker_with_bug"], museum[0]["worker"]
    assert len(np.unique(np.concatenate([bug(k) for k in range(4)]), axis=0)) == 64
    assert len(np.unique(np.concatenate([mended(k) for k in range(4)]), axis=0)) == 256
    assert np.array_equal(mended(3), mended(3)), "and each is the same in each run"


@pytest.mark.parametrize("label", solutions(CHAPTER))
def test_the_solution_runs(label, museum):
    exec(solution(CHAPTER, label), dict(museum[0]))
