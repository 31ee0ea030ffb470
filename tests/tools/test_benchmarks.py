"""What benchmarks/ says is what was measured."""

import copy
import importlib.util
import json
import math
import sys
from pathlib import Path

import pytest
import torch

import gen_models_utilities as gmu
from benchmarks import field_page, limits

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_page_about_gpus_shows_its_numbers(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    spec = importlib.util.spec_from_file_location("gpu", FOLDER / "gpu.py")
    gpu = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gpu)
    found = json.loads((FOLDER / "gpu.json").read_text(encoding="utf-8"))
    assert gpu.show(found) == (FOLDER / "gpu.md").read_text(encoding="utf-8")
    found["rings"]["reference"]["seconds"] *= 2
    assert gpu.show(found) != (FOLDER / "gpu.md").read_text(encoding="utf-8")
    sys.modules.pop("reference", None)


# ------------------------------------------------------------- why not faster, why not nearer


@pytest.fixture
def found():
    return json.loads(limits.RESULT.read_text(encoding="utf-8"))


def test_the_page_about_limits_shows_its_numbers(found):
    assert limits.show(found) == limits.PAGE.read_text(encoding="utf-8")


def tripled(part):
    """Each number in it, three times as large."""
    if isinstance(part, dict):
        return {key: tripled(one) for key, one in part.items()}
    return 3 * part


@pytest.mark.parametrize(
    "path",
    [
        ("step", "affine", "ms", "8 points, recorded"),
        ("step", "spline", "parts", "update"),
        ("density", "sample, 4096 points"),
        ("ideas", "spline", "learned turns", "gaps"),
        ("longer", "spline"),
        ("radius", "500"),
        ("grid", "100 x 8"),
    ],
)
def test_it_follows_each_number(found, path):
    part = changed = copy.deepcopy(found)
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = tripled(part[path[-1]])  # (all seeds of it: a median forgives one)
    assert limits.show(changed) != limits.show(found)


def test_what_was_measured_is_what_the_script_measures(found):
    assert list(found["grid"]) == [f"{n} x {w}" for n in limits.WIDE[0] for w in limits.WIDE[1]]
    assert set(found["ideas"]) == set(limits.FAMILIES) and len(found["ideas"]["spline"]) == len(
        limits.IDEAS
    )
    for rows in found["ideas"].values():
        assert list(rows) == [name for name in limits.IDEAS if name in rows]
        seeds = [list(row["gaps"]) for row in rows.values()]
        assert all(one == seeds[0] for one in seeds) and len(seeds[0]) >= 3
        assert all(row["rate"] == float(min(row["tried"], key=row["tried"].get))
                   for row in rows.values())  # fmt: skip


def test_goals_beside_the_race_are_on_its_page(found, monkeypatch):
    *_, radius, grid = field_page.beside()
    assert radius[2] == 0.02 and grid[2] == 10 and not radius[3] and not grid[3]
    slower = copy.deepcopy(found)
    for key in slower["grid"]:
        slower["grid"][key] += 60  # 4 shapes of 20 seeds on two cores: 40 minutes more
    assert field_page.grid_minutes(slower) == pytest.approx(grid[1] + 40)


def test_each_goal_that_is_missed_has_a_reason():
    race = json.loads((FOLDER / "field.json").read_text(encoding="utf-8"))
    missed = [words for words, *rest in field_page.goals(race) if not field_page.reached(*rest)]
    starts = tuple(field_page.REASONS)
    assert all(words.replace("`sample`", "`log_prob`").startswith(starts) for words in missed)
    assert "{" not in field_page.reasons(race).replace("{doc}", "")


@pytest.mark.parametrize("idea", limits.IDEAS)
def test_an_idea_trains(idea, monkeypatch):
    small = {"n_layers": 2, "hidden_dim": 8, "n_frequencies": 1, "turn": 45.0}
    affine = limits.FAMILIES["affine"] | {"shape": small}
    monkeypatch.setitem(limits.FAMILIES, "affine", affine)
    flow, seconds = limits.train_idea("affine", idea, 12, 1e-2, 0)
    plain, _ = limits.train_idea("affine", limits.IDEAS[0], 12, 1e-2, 0)
    x = gmu.held_out_ring(100)[0]
    with torch.no_grad():
        assert flow.log_prob(x).isfinite().all() and seconds > 0
        same = torch.equal(flow.log_prob(x), plain.log_prob(x))
    assert same == (idea == limits.IDEAS[0])


def test_quasi_random_batches_are_the_ring():
    x = limits.QuasiRandom(0)(4096, None)
    shares = gmu.mode_shares(x)
    assert (shares - 1 / 8).abs().max() < 2e-3  # (of random ones: 5e-3)
    inside = x - gmu.ring_centers()[gmu.nearest_mode(x)]
    assert inside.std(dim=0).sub(0.25).abs().max() < 5e-3


def test_muons_steps_are_nearly_orthogonal():
    flow = limits.RealNVP(n_layers=1, hidden_dim=8)
    muon = limits.Muon(limits.Trainer(flow, limits.ring, steps=2, batch_size=8))
    for shape in ((3, 8, 8), (2, 12, 5), (2, 5, 12)):
        g = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
        sizes = torch.linalg.svdvals(muon.orthogonal(g))
        assert sizes.max() < 1.3 and sizes.median() > 0.6


def test_a_learned_turn_is_a_turn():
    turn, x = limits.LearnedTurn(30.0), torch.randn(5, 2)
    z, log_det = turn.encode(x)
    assert torch.allclose(z.norm(dim=1), x.norm(dim=1)) and (log_det == 0).all()
    assert torch.allclose(turn.decode(z)[0], x, atol=1e-6)
    east = turn.decode(torch.tensor([[1.0, 0.0]]))[0][0]
    assert torch.allclose(east, torch.tensor([math.cos(math.pi / 6), 0.5]))


def test_batches_grow_late():
    draw, generator = limits.GrowingBatches(30), torch.Generator().manual_seed(0)
    sizes = [len(draw(64, generator)) for _ in range(30)]
    assert sizes == 20 * [32] + 10 * [128]
