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
