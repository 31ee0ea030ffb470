"""What is said about stored runs: intervals cover, fences hold, results belong to the code."""

import contextlib
import dataclasses
import json
import math
import sys
import tomllib
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from samples import some_of
from scipy import stats

from experiments import SweepError, evidence, fence, interval
from experiments.code import COURSE, fingerprint, is_own, parts
from experiments.engine import PATHS, run_batch
from experiments.evidence import FALSE_ALARMS, FENCES, Evidence, check, fence_of, is_odd
from experiments.stamp import is_stale, run_again, sample, stamp_anew
from experiments.studies import STUDIES
from experiments.study import RESULTS, Study, load, measure, render

STORED = [name for name in STUDIES if (RESULTS / f"{name}.json").exists()]


# ------------------------------------------------------------------------------ statistics


@pytest.mark.parametrize("n", [6, 10, 21, 63])
def test_the_interval_covers_the_median_as_often_as_it_says(n):
    """Drawn from a skewed law, which the interval knows nothing of."""
    random = np.random.default_rng(0)
    samples = random.exponential(size=(4000, n))
    ends = np.array([interval(row) for row in samples])
    covered = ((ends[:, 0] <= math.log(2)) & (math.log(2) <= ends[:, 1])).mean()
    assert covered > 0.95 - 4 * math.sqrt(0.95 * 0.05 / 4000)
    if n > 20:  # and it is not wastefully wide: one pair of values less would not do
        inner = np.sort(samples)[:, [k := list(np.sort(samples[0])).index(ends[0, 0]) + 1, -k - 1]]
        assert ((inner[:, 0] <= math.log(2)) & (math.log(2) <= inner[:, 1])).mean() < 0.955


@pytest.mark.parametrize("law", ["normal", "heavy"])
def test_the_fence_lets_healthy_runs_pass(law):
    """At most about as many false alarms as asked for: logarithms normal, or with heavy tails."""
    random = np.random.default_rng(0)
    draw = random.normal if law == "normal" else lambda size: random.standard_t(4, size=size)
    alarms = 0
    for _ in range(4000):
        values = np.exp(-2.5 + 0.15 * draw(size=64))
        alarms += values[-1] > fence(values[:-1], 0.01)
    assert alarms / 4000 < 0.01 + 2 * math.sqrt(0.01 / 4000)


@pytest.mark.parametrize("bad", [[1.0] * 9, [1.0] * 9 + [0.0], [1.0] * 9 + [math.inf]])
def test_a_fence_needs_positive_numbers(bad):
    with pytest.raises(ValueError, match="at least ten positive, finite numbers"):
        fence(bad, 0.01)


@pytest.mark.parametrize("confidence", [0, 1, 1.5])
def test_an_interval_needs_a_confidence_and_values(confidence):
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        interval([1.0, 2.0], confidence)
    with pytest.raises(ValueError, match="at least one number"):
        interval([])


# ------------------------------------------------------------------------------- the fences


def test_all_fences_together_give_less_than_one_false_alarm_in_a_thousand_books():
    """Half of the stored runs set the fence; the other half, and all CPU paths, stay below it."""
    assert FALSE_ALARMS <= 1e-3
    for name, (study, arm, number) in FENCES.items():
        values, cpu = evidence(study).values(arm, number), np.array(load(study)["cpu"])
        limit, n = fence_of(name)
        assert n == len(values) >= 21 and (values < limit).all()
        for path in set(cpu):
            without = values[cpu != path]
            assert (values[cpu == path] < fence(without, FALSE_ALARMS / len(FENCES))).all(), path


def test_what_the_ring_fence_catches():
    """Its power against slips that one might make, as the chapter says it."""
    slips, recipe = evidence("slips"), evidence("recipe")
    caught = {arm: np.mean([is_odd("ring", v) for v in slips.values(arm)]) for arm in slips.arms}
    assert caught.pop("wrong sign in one layer") == 1
    assert set(caught) == {
        "half the steps", "half the width", "no gradient limit", "no Fourier features"
    }  # fmt: skip
    assert max(caught.values()) <= 0.15, "a few single runs at most: so chapter 5 says"
    # What one run does not show, many do: a rank test tells three of the four from the recipe.
    for arm in set(caught) - {"no gradient limit"}:
        rank = stats.mannwhitneyu(slips.values(arm), recipe.values("recipe"), alternative="greater")
        assert rank.pvalue < 1e-3, arm


ODD = {0.07: False, -0.01: False, -0.1: True, 9.0: True, math.nan: True, math.inf: True}


@pytest.mark.parametrize(("value", "odd"), ODD.items())
def test_odd_is_what_no_healthy_run_and_no_density_gives(value, odd):
    assert is_odd("ring", value) is odd


def test_check_says_what_it_compares_with(capsys):
    limit, n = fence_of("ring")
    check("ring", 0.9 * limit)
    check("ring", 1.1 * limit)
    check("ring", math.inf)
    check("ring", -1.0)
    good, bad, worse, below = capsys.readouterr().out.splitlines()
    assert (
        good
        == f"gap ≈ {0.9 * limit:.4f} nats: as in the {n} stored runs (fence at {limit:.2f} nats)"
    )
    assert "ABOVE the fence" in bad and "ABOVE the fence" in worse
    assert "BELOW what any density can reach" in below
    with pytest.raises(ValueError, match="name must be one of ring, one-hot, but is"):
        check("rings", 0.1)


def test_the_recipe_does_what_the_course_promises():
    """At least 19 of 20 seeds at most a tenth of a nat, on every CPU path."""
    gaps, cpu = evidence("recipe").values("recipe"), np.array(load("recipe")["cpu"])
    assert len(set(cpu)) >= 3
    for path in set(cpu):
        own = gaps[cpu == path]
        assert len(own) >= 20 and (own <= 0.1).mean() >= 0.95, path


# ------------------------------------------------------------------------- stored results


@pytest.mark.parametrize("name", STUDIES)
def test_results_belong_to_the_code(name):
    assert not is_stale(STUDIES[name]), f"run `make experiments` (or: python -m experiments {name})"


@pytest.mark.parametrize("name", STORED)
def test_results_are_whole_and_enough(name):
    study, results = STUDIES[name], load(name)
    assert set(results["arms"]) == set(study.settings())
    assert (RESULTS / f"{name}.json").read_text(encoding="utf-8") == render(results)
    if name not in ("depth_cost", "recompute"):  # (times and memory, no training)
        assert len(results["seeds"]) == len(set(results["seeds"])) >= 21
    assert not set(results["seeds"]) & set(study.tuning_seeds)
    assert len(set(results["cpu"])) >= 3 and {"date", "torch", "python"} <= set(results["measured"])
    for arm, stored in results["arms"].items():
        lengths = {len(v) for v in stored["values"].values()} | {len(stored["cpu_seconds"])}
        assert lengths == {len(results["seeds"])}, arm
        if study.rates and "lr" not in study.settings()[arm]:
            best = min(results["rates"][arm], key=results["rates"][arm].get)
            assert stored["settings"]["lr"] == float(best), arm


CHEAP = ["one_hot", "sensor", "sign", "ingredients"]


@pytest.mark.parametrize("name", some_of(CHEAP, ["sign"]))
def test_a_stored_row_runs_again(name):
    """Another row whenever the code changes: its numbers come out, as far as machines agree."""
    study, results = STUDIES[name], load(name)
    (row,) = sample(study, results, offset=int(results["code"], 16))[:1]
    ((arm, _, old, new),) = run_again(study, results, [row])
    for number, stored in results["arms"][arm]["values"].items():
        values = np.array(stored)
        reach = 3 * (values.max() - values.min()) + 1e-6
        for before, now in zip(old, new, strict=True):
            assert before[number] in stored
            assert values.min() - reach <= now[number] <= values.max() + reach, (arm, number)


def test_the_readers_settings_are_those_of_the_stored_runs():
    import flows
    from experiments.studies import common

    assert common.RECIPE is flows.RING_RECIPE and common.SHAPE is flows.RING_SHAPE
    assert load("recipe")["arms"]["recipe"]["settings"] == {}


# ------------------------------------------------------------ what is missing, damaged, stale


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Results go to an empty folder."""
    for module in ("experiments.study", "experiments.stamp"):
        monkeypatch.setattr(f"{module}.RESULTS", tmp_path)
    return tmp_path


def small(settings: dict, seeds: list[int]) -> list[dict]:
    """A run that costs nothing."""
    return [{"gap": settings["a"] * settings.get("lr", 1.0) + seed / 1000} for seed in seeds]


def other(settings: dict, seeds: list[int]) -> list[dict]:
    """The same numbers by other code."""
    return [{"gap": seed / 1000 + settings.get("lr", 1.0) * settings["a"]} for seed in seeds]


def a_study(run=small, **options) -> Study:
    arms = {"one": {"a": 1.0}, "two": {"a": 2.0}}
    return Study("tiny", "Is it?", run, arms, rates=(0.1, 0.5), seeds=range(6), **options)


def test_no_results_and_damaged_results_are_clear_errors(folder):
    with pytest.raises(SweepError, match="no results of a study 'tiny' .stored: none.: run `make"):
        evidence("tiny")
    for text in ("", "{", '{"arms": {}}'):
        (folder / "tiny.json").write_text(text, encoding="utf-8")
        with pytest.raises(SweepError, match="tiny.json is damaged .*restore it, or run"):
            evidence("tiny")


def test_a_missing_arm_or_number_names_those_there_are():
    runs = Evidence("recipe")
    with pytest.raises(SweepError, match="recipe has no arm 'plain'; it has recipe"):
        runs.median("plain")
    with pytest.raises(SweepError, match="recipe stores no 'loss', but gap, diversity"):
        runs.median("recipe", "loss")


def test_measure_tunes_each_arm_and_runs_it(folder, tmp_path):
    results = measure(a_study(), n_jobs=1, cache=tmp_path / "cache", here=False, every=1e9)
    assert results == load("tiny") and not is_stale(a_study())
    assert [arm["settings"] for arm in results["arms"].values()] == [
        {"a": 1.0, "lr": 0.1}, {"a": 2.0, "lr": 0.1}
    ]  # fmt: skip
    assert results["rates"]["two"] == pytest.approx({"0.1": 1.201, "0.5": 2.001})
    runs = evidence("tiny")
    assert runs.values("two").tolist() == [0.2 + seed / 1000 for seed in range(6)]
    effect = runs.effect("one", "two")
    assert (round(effect.median, 6), effect.less, effect.n) == (-0.1, 6, 6) and effect.clear
    assert runs.share("two", at_most=0.2025) == "3 of 6"


def test_a_failing_run_stops_a_study_with_its_error(folder, tmp_path):
    def broken(settings, seeds):
        if settings["a"] == 2 and 3 in seeds:
            raise RuntimeError("too steep")
        return small(settings, seeds)

    with pytest.raises(SweepError, match=r"1 of 12 runs failed.*'a': 2.0.*seeds \[3\](.|\n)*steep"):
        measure(a_study(broken), n_jobs=1, cache=tmp_path / "cache", here=False, every=1e9)
    assert not (folder / "tiny.json").exists()


@pytest.fixture
def paths_asked(monkeypatch) -> list[dict]:
    """Runs again in this process, and notes for which path of the CPU each would run.

    New workers take long, and these runs need no path. `test_a_stored_row_runs_again` uses them.
    """
    asked = []

    @contextlib.contextmanager
    def noted(variables):
        asked.append(variables)
        yield

    monkeypatch.setattr("experiments.stamp.on_path", noted)
    monkeypatch.setattr("experiments.stamp.run_batch", partial(run_batch, here=True))
    return asked


def test_changed_code_with_the_same_bits_is_stamped_anew(folder, tmp_path, capsys, paths_asked):
    measure(a_study(), n_jobs=1, cache=tmp_path / "cache", here=False, every=1e9)
    stored = load("tiny")["arms"]
    changed = {"one": {"a": 1.5}, "two": {"a": 2.0}}
    other_settings = dataclasses.replace(a_study(other), arms=changed)
    assert is_stale(other_settings) and not stamp_anew(other_settings)
    assert stamp_anew(dataclasses.replace(other_settings, measured=("a",)))
    assert not is_stale(a_study(other)) and load("tiny")["arms"] == stored
    assert "its numbers did not (3 rows run again)" in capsys.readouterr().out


def test_changed_numbers_are_not_stamped(folder, tmp_path, capsys, paths_asked):
    measure(a_study(), n_jobs=1, cache=tmp_path / "cache", here=False, every=1e9)
    results = load("tiny")
    for arm in results["arms"].values():
        arm["values"]["gap"] = [math.nextafter(v, 9) for v in arm["values"]["gap"]]
    (folder / "tiny.json").write_text(render(results), encoding="utf-8")
    assert not stamp_anew(a_study(other))
    assert "and so did its numbers" in capsys.readouterr().out
    rows = sample(a_study(), results)
    assert paths_asked == [PATHS[results["cpu"][place]] for _, place in rows]
    assert len(paths_asked) == 3
    assert not stamp_anew(Study("tiny", "?", other, {"three": {"a": 1.0}}, seeds=range(6)))


def test_the_hash_sees_code_and_not_text():
    assert fingerprint(small) != fingerprint(other)
    names = {name.split(".")[-1] for name in parts(STUDIES["recipe"].run)}
    assert {"RealNVP", "Conditioner", "train", "sample_ring", "ring_gap", "RECIPE"} <= names


def test_the_course_is_told_from_other_packages_where_it_is_installed(monkeypatch, tmp_path):
    """In Colab all lie in one folder; here an environment may lie in the repository."""
    from experiments import code

    settings = tomllib.loads((code.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    installed = settings["tool"]["setuptools"]
    names = [name.rstrip("*") for name in installed["packages"]["find"]["include"]]
    assert sorted(COURSE) == sorted(names + installed["py-modules"])
    assert is_own("flows") and is_own("experiments.engine") and not is_own("numpy")
    for root, wanted in (("dist-packages", True), ("course", False)):
        monkeypatch.setattr(code, "ROOT", tmp_path / root)
        place = tmp_path / root if wanted else tmp_path / root / "env" / "site-packages"
        for name in ("numpy", "experiments.engine", "flows"):
            module = SimpleNamespace(__file__=str(place / f"{name.replace('.', '/')}.py"))
            monkeypatch.setitem(sys.modules, name, module)
        assert not is_own("numpy")
        assert is_own("experiments.engine") is is_own("flows") is wanted


def test_render_keeps_every_bit():
    results = {"a": [0.1 + 0.2, 1e-300, -0.0], "b": {"c": [], "d": [1]}}
    assert json.loads(render(results)) == results
    assert '"a": [0.30000000000000004, 1e-300, -0.0]' in render(results)


def test_two_numbers_of_one_arm_are_paired_by_seed():
    runs = evidence("points")
    effect = runs.paired(("2000 points", "own_gap"), ("2000 points", "gap"))
    differences = runs.values("2000 points", "own_gap") - runs.values("2000 points", "gap")
    assert effect.median == np.median(differences) and effect.n == runs.n
    assert str(runs.effect("250 points", "2000 points")) == str(
        runs.paired(("250 points", "gap"), ("2000 points", "gap"))
    )
