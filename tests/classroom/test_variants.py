"""Variants: closed, not to be guessed, and each with evidence of its own."""

import copy
import json
import math
import statistics
from collections import Counter
from types import SimpleNamespace

import pytest

from classroom import variants
from classroom.variants import (
    EVIDENCE_SEEDS,
    MOST_SEED,
    POOL,
    Band,
    Variant,
    code_of,
    cost,
    evidence,
    pick,
    read_secret,
    tag,
    usable,
)
from experiments.sheets import SHEETS, arm_name, runs

SECRET = b"a secret of the course, long enough"


def test_variants_are_of_the_pool_and_differ():
    spec = SHEETS["depth"]
    found = [pick(SECRET, f"s{k}", spec) for k in range(400)]
    counts = Counter(variant.ring for variant in found)
    assert set(counts) == set(usable("depth")) <= set(POOL)
    assert max(counts.values()) < 3 * min(counts.values())
    for variant in found:
        assert len(set(variant.seeds)) == 3 and max(variant.seeds) < MOST_SEED
        assert not set(variant.seeds) & set(EVIDENCE_SEEDS)
    assert len({variant.seeds for variant in found}) > 390
    assert [pick(SECRET, f"s{k}", spec) for k in range(400)] == found
    other = [pick(b"another secret of the same length..", f"s{k}", spec) for k in range(400)]
    assert sum(a == b for a, b in zip(found, other, strict=True)) < 5


def test_words_do_not_run_together():
    spec = SHEETS["depth"]
    assert tag(SECRET, "ada", spec) != tag(SECRET, "ad", spec)
    assert tag(SECRET, 'a","depth', spec) != tag(SECRET, "a", spec)


@pytest.mark.parametrize("name", SHEETS)
def test_the_evidence_is_of_the_code_as_it_is(name):
    """Stale evidence is measured anew by `python -m classroom.variants`."""
    spec, stored = SHEETS[name], evidence(name)
    assert stored["code"] == code_of(spec), f"run python -m classroom.variants {name}"
    assert set(stored["rings"]) == set(POOL) and stored["seeds"] == list(EVIDENCE_SEEDS)
    for ring in POOL:
        assert list(stored["rings"][ring]) == [arm_name(arm) for arm in spec.arms()]
        for numbers in stored["rings"][ring].values():
            assert set(numbers) == set(spec.measures)
            for values in numbers.values():
                assert len(values) == len(EVIDENCE_SEEDS) and all(map(math.isfinite, values))
    assert len(usable(name)) >= 5, "too few rings on which the effect appears in every seed"
    assert 60 * spec.cpu_minutes > 2 * cost(name), "a student's sweep must fit its budget twice"


def test_one_threshold_for_all_would_be_unfair():
    """One recipe ends twice as far from one ring as from another: so each has its own band."""
    spec, ratios = SHEETS["depth"], {}
    for arm in map(arm_name, spec.arms()):
        medians = [evidence("depth")["rings"][ring][arm]["gap"] for ring in POOL]
        medians = [statistics.median(gaps) for gaps in medians]
        ratios[arm] = max(medians) / min(medians)
    assert min(ratios.values()) > 1.5 and statistics.median(ratios.values()) >= 2


def test_bands():
    fence = Band(1.0, 1.2, 1.4)
    assert fence.holds(1.0) and fence.holds(0.7) and fence.holds(1.75)
    assert not fence.holds(0.5) and not fence.holds(1.9) and not fence.holds(float("nan"))


def test_the_secret(tmp_path):
    with pytest.raises(ValueError, match="secret is not at"):
        read_secret(tmp_path / "none")
    made = read_secret(tmp_path / "new", make=True)
    assert len(made) == 64 and read_secret(tmp_path / "new", make=True) == made
    (tmp_path / "short").write_text("abc", encoding="utf-8")
    with pytest.raises(ValueError, match="32 characters or more, but holds 3"):
        read_secret(tmp_path / "short", make=True)


def test_every_run_function_runs_on_every_arm(monkeypatch):
    """With two steps and few points: finite numbers, those of the ring and the seeds."""
    trained = runs.trained
    short = lambda *given, **options: trained(  # noqa: E731
        *given, **options | {"steps": 2} | ({"every": 1} if "every" in options else {})
    )
    monkeypatch.setattr(runs, "trained", short)
    monkeypatch.setattr(runs, "N", 200)
    runs.LAST.key = ""
    for spec in SHEETS.values():
        for arm in spec.arms():
            (row,) = spec.run(Variant("r5", ()).settings() | arm, [7])
            assert set(row) == set(spec.measures), spec.name
            assert all(math.isfinite(value) for value in row.values()), (spec.name, arm)
    spec = SHEETS["depth"]
    run = lambda ring, seeds: spec.run(Variant(ring, ()).settings() | spec.arms()[0], seeds)  # noqa: E731
    first = run("r5", [3])
    assert first == run("r5", [3]) != run("r5", [4]) and first != run("r1", [3])
    runs.LAST.key = ""


def test_results_of_changed_code_are_stamped_if_a_sample_agrees(tmp_path, monkeypatch):
    def run(settings, seeds):
        return [{"gap": settings["a"] + seed / 3} for seed in seeds]

    spec = SimpleNamespace(name="toy", run=run, arms=lambda: [{"a": 1}, {"a": 2}])
    names = [arm_name(arm) for arm in spec.arms()]
    arms = {
        name: variants.numbers(run(arm, variants.EVIDENCE_SEEDS))
        for name, arm in zip(names, spec.arms(), strict=True)
    }
    stored = {
        "code": "old", "rings": {ring: copy.deepcopy(arms) for ring in variants.POOL},
        "cpu_seconds": {ring: dict.fromkeys(names, 1.0) for ring in variants.POOL},
    }  # fmt: skip
    monkeypatch.setattr(variants, "EVIDENCE", tmp_path)
    monkeypatch.setattr(variants, "code_of", lambda spec: "new")
    assert variants.stamp_anew(spec, stored)
    written = json.loads((tmp_path / "toy.json").read_text(encoding="utf-8"))
    assert written == stored | {"code": "new"}
    stored["rings"][list(variants.POOL)[1]][names[0]]["gap"][0] += 1e-4
    assert not variants.stamp_anew(spec, stored)
    assert not variants.stamp_anew(spec, {})


def test_the_arms_of_the_spline_sheet_have_equal_budgets():
    """Its page says by less than 2 % how the numbers of weights differ."""
    sizes = {
        (kind, weights): sum(w.numel() for w in runs.coupled(kind, weights)().parameters())
        for kind in ("affine", "spline")
        for weights in ("few", "many")
    }
    for weights in ("few", "many"):
        affine, spline = sizes["affine", weights], sizes["spline", weights]
        assert abs(affine - spline) < 0.02 * min(affine, spline)
    assert sizes["affine", "many"] == 2 * sizes["affine", "few"]
