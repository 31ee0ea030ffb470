"""Chapter 5 says of its stored runs what they bear out, and of its formulas what is true."""

import math

import execute
import nbformat
import pytest
import torch

import flows
import gen_models_utilities as gmu
from experiments import evidence

CHAPTER = execute.ROOT / "chapters" / "5_training.ipynb"


@pytest.fixture(scope="module")
def cells() -> list:
    return nbformat.read(CHAPTER, as_version=4).cells


def names_of(cells, start: str) -> dict:
    """What the cell that holds a text defines, with the chapter's imports."""
    (source,) = [c.source for c in cells if c.cell_type == "code" and start in c.source]
    space = {
        "torch": torch,
        "math": math,
        "standard_normal_log_prob": flows.standard_normal_log_prob,
    }
    exec(source.replace("import live\n", ""), space)
    return space


@pytest.mark.parametrize("invented", [0.01, 0.1, 0.3])
def test_rubbish_costs_minus_log_of_what_is_left(cells, invented):
    """To four digits: the third bell hardly overlaps with the truth."""
    scene = names_of(cells, "def compare(invented")["compare"]
    kl = scene(torch.tensor(invented), torch.tensor(0.0))["kl"]
    assert abs(kl[0].item() + math.log(1 - invented)) < 5e-4
    assert kl[1] > 3 * kl[0], "the reverse divergence minds it more"


def test_forgetting_costs_more_and_more(cells):
    scene = names_of(cells, "def compare(invented")["compare"]
    costs = [scene(torch.tensor(1e-3), torch.tensor(f))["kl"] for f in (0.5, 0.9, 0.99, 0.999)]
    forward, reverse = zip(*(c.tolist() for c in costs), strict=True)
    assert all(b > a + 0.4 for a, b in zip(forward[1:], forward[2:], strict=False))
    assert max(reverse) < 0.75, "log 2 at most, and a little for the rubbish"


def test_what_is_said_of_the_ingredients():
    runs = evidence("ingredients")
    names = [arm.removeprefix("only ") for arm in runs.arms if arm.startswith("only ")]
    alone = {name: runs.effect(f"only {name}", "plain loop") for name in names}
    without = {name: runs.effect(f"without {name}", "all") for name in names}
    assert len(names) == 6
    assert {name for name in names if alone[name].high < 0} == set(names) - {"schedule"}
    assert not alone["schedule"].clear
    order = sorted(names, key=lambda name: alone[name].median)
    assert order[:2] == ["larger batch", "turns"]
    order = sorted(names, key=lambda name: -without[name].median)
    assert order[:2] == ["Fourier features", "turns"]
    assert {name for name in names if without[name].low > 0} == set(names) - {"gradient limit"}
    assert not without["gradient limit"].clear


def test_what_is_said_of_the_number_of_points():
    runs = evidence("points")
    gaps = [runs.median(arm) for arm in runs.arms]
    assert gaps == sorted(gaps, reverse=True) and gaps[-1] < 1.5 * evidence("recipe").median(
        "recipe"
    )
    own = [runs.median(arm, "own_gap") for arm in runs.arms]
    assert own == sorted(own) and own[0] < 0


def test_the_recipe_is_written_once(cells):
    assert flows.RING_RECIPE["steps"] == 600 and flows.RING_SHAPE["n_layers"] == 16
    code = "\n".join(c.source for c in cells if c.cell_type == "code")
    assert code.count('"n_layers": 16') == 1 and code.count('"steps": 600') == 1


def test_the_gap_is_what_the_chapter_says():
    """NLL minus the true NLL on the same 20,000 points."""
    torch.manual_seed(0)
    flow = flows.RealNVP(n_layers=2)
    x, _ = gmu.held_out_ring(20_000)
    with torch.no_grad():
        wanted = -flow.log_prob(x).double().mean() + gmu.ring_log_prob(x.double()).mean()
    assert abs(gmu.ring_gap(flow.log_prob) - wanted.item()) < 1e-6


def test_what_is_said_of_depth_and_width():
    steps, seconds = evidence("depth"), evidence("depth_time")
    by_depth = [steps.median(f"{d} x 32") for d in (2, 6, 16, 50)]
    assert by_depth == sorted(by_depth, reverse=True) and min(by_depth[:1]) > 1.5
    assert abs(steps.effect("2 x 128", "2 x 32").median) < 0.1, "two couplings make no ring"
    assert not steps.effect("100 x 32", "50 x 32").clear
    assert (steps.values("100 x 32") > 10).sum() == 2
    wider = {d: steps.effect(f"{d} x 128", f"{d} x 32") for d in (2, 6, 16)}
    assert wider[6].high < 0 and not wider[2].clear and not wider[16].clear
    for study in (steps, seconds):
        for d in (2, 6, 16):
            assert study.effect(f"{d} x 32", f"{d} x 8").high < 0, (study.name, d)
    best = min(seconds.arms, key=seconds.median)
    assert best in ("6 x 32", "16 x 32") and not seconds.effect("16 x 32", "6 x 32").clear
    assert seconds.effect("50 x 32", best).low > 0 and seconds.effect("100 x 32", best).low > 0
    assert seconds.arm("100 x 32")["settings"]["steps"] < 60
    for d in (6, 16):
        assert seconds.effect(f"{d} x 128", f"{d} x 32").low > 0
    path = [steps.median(f"{d} x 32", "path_ratio") for d in (2, 6, 16, 50, 100)]
    step = [steps.median(f"{d} x 32", "mean_step") for d in (2, 6, 16, 50, 100)]
    assert path == sorted(path) and path[0] < math.sqrt(2) < path[1]
    assert step == sorted(step, reverse=True)


def test_what_is_said_of_the_direction():
    runs = evidence("direction")
    effect = runs.effect("decode", "encode")
    assert 0 < effect.median < 0.01 and -0.001 < effect.low < 0.002 and 0 < effect.less < 11
    assert runs.spread("decode")[1] > 5 * runs.spread("encode")[1]


def test_what_is_said_of_the_slips():
    slips, recipe = evidence("slips"), evidence("recipe").median("recipe")
    assert slips.spread("wrong sign in one layer")[1] < -1
    assert slips.median("no gradient limit") < recipe + 0.01
