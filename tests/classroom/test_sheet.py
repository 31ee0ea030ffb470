"""A sheet in a notebook: nothing runs before the predictions, and nothing that ran is lost."""

import contextlib
import dataclasses
import io
import json
import sys
from collections import deque
from types import SimpleNamespace

import pytest

from classroom.sheet import Sheet, read_hand_in
from experiments import sheets
from experiments.sheets import SHEETS, arm_name

# (Of kinds that do not belong to the code of a run, so that its hash stays the same.)
CALLS: deque[dict] = deque()
STOP = SimpleNamespace(after=99)


def quick(settings: dict, seeds: list[int]) -> list[dict]:
    """Stands in for a training."""
    if len(CALLS) >= STOP.after:
        raise KeyboardInterrupt
    CALLS.append(settings)
    size = settings["layers"] * settings["width"]
    return [{"gap": 1 / size + seed / 1e4, "path_ratio": 1.0 + size} for seed in seeds]


@pytest.fixture
def sheet(tmp_path, monkeypatch):
    CALLS.clear()
    STOP.after = 99
    spec = dataclasses.replace(SHEETS["depth"], run=quick)
    monkeypatch.setitem(sheets.SHEETS, "depth", spec)
    return new(tmp_path)


def new(folder) -> Sheet:
    return Sheet("depth", "ada", "r3", (5, 9, 13), "seal", folder=folder / "results")


WHY = "more layers bend the plane more often"
KEYS = ("gap of the largest", "path of the largest")


def predict_all(sheet: Sheet, best: float = 0.4) -> None:
    for key in KEYS:
        sheet.predict(key, low=0.1, best=best, high=600, because=WHY)


def test_nothing_runs_before_all_predictions_are_in(sheet):
    with pytest.raises(ValueError, match="Missing: .*gap of the largest.*path of the largest"):
        sheet.sweep()
    sheet.predict(KEYS[0], low=0.1, best=0.2, high=0.3, because=WHY)
    with pytest.raises(ValueError, match=r"Missing: \['path of the largest'\]"):
        sheet.sweep()
    with pytest.raises(ValueError, match="nothing to compare"):
        sheet.compare()
    assert not CALLS


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"key": "gap"}, "key must be one of 'gap of the largest'"),
        ({"low": 0.5}, "low <= best <= high"), ({"high": float("nan")}, "high must be a number"),
        ({"best": ...}, "best must be a number, but is Ellipsis"), ({"low": True}, "low must be"),
        ({"because": "..."}, "reason of at least 20 letters"), ({"because": None}, "reason"),
    ],
)  # fmt: skip
def test_predictions_that_are_none(sheet, change, reason):
    given = {"key": KEYS[0], "low": 0.1, "best": 0.2, "high": 0.3, "because": WHY} | change
    with pytest.raises(ValueError, match=reason):
        sheet.predict(given.pop("key"), **given)
    assert not sheet.folder.exists()


def test_predictions_are_locked_by_the_first_run(sheet, capsys):
    predict_all(sheet, best=0.3)
    predict_all(sheet, best=0.4)  # may still be changed
    STOP.after = 1
    with pytest.raises(KeyboardInterrupt):
        sheet.sweep()
    predict_all(sheet, best=0.4)  # the same again: a notebook that is run from the top
    with pytest.raises(ValueError, match="'gap of the largest' is locked.*0.4"):
        predict_all(sheet, best=0.5)
    assert sheet.predictions[KEYS[0]]["best"] == 0.4
    assert "'gap of the largest' stands" in capsys.readouterr().out


def test_runs_of_other_predictions_count_as_missing(sheet, tmp_path):
    """Who changes the file of the predictions after the runs, has no runs."""
    predict_all(sheet)
    sheet.sweep()
    assert len(sheet.records()) == 6
    file = sheet.folder / "predictions.json"
    file.write_text(file.read_text(encoding="utf-8").replace("0.4", "0.39"), encoding="utf-8")
    assert not new(tmp_path).records()


def test_a_sweep_goes_on_where_it_was_stopped(sheet, tmp_path):
    predict_all(sheet)
    STOP.after = 2
    with pytest.raises(KeyboardInterrupt):
        sheet.sweep()
    damaged = sheet.folder / "runs" / "cut-off.json"
    damaged.write_text('{"settings": ', encoding="utf-8")  # as a crash of the machine leaves it
    STOP.after = 99
    again = new(tmp_path)
    again.sweep()
    assert len(CALLS) == 6 and len({json.dumps(call) for call in CALLS}) == 6
    assert list(again.records()) == [arm_name(arm) for arm in again.spec.arms()]
    again.sweep()
    assert len(CALLS) == 6
    assert CALLS[0] == {"modes": 9, "radius": 3.2, "std": 0.25, "layers": 2, "width": 8}


def test_in_colab_results_that_go_with_the_machine_are_told(sheet, monkeypatch, capsys, tmp_path):
    predict_all(sheet)
    sheet.sweep(budget_minutes=0.01)
    assert "goes when this machine goes" not in capsys.readouterr().out, "this is no Colab"
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    sheet.sweep(budget_minutes=0.01)
    assert f"{sheet.folder}, which goes when this machine goes" in capsys.readouterr().out
    monkeypatch.setattr("classroom.sheet.DRIVE", tmp_path)
    sheet.sweep(budget_minutes=0.01)
    assert "goes when this machine goes" not in capsys.readouterr().out, "it is on Drive"


def test_the_budget_holds(sheet, capsys):
    predict_all(sheet)
    sheet.sweep(budget_minutes=0.03)  # by the evidence, not enough for the dear ones
    done = len(CALLS)
    assert 1 <= done <= 5
    assert f"{6 - done} of 6 runs left" in capsys.readouterr().out
    sheet.sweep(budget_minutes=3)
    assert len(CALLS) == 6


def test_a_run_that_fails_says_so_and_can_be_had_again(sheet, monkeypatch):
    predict_all(sheet)
    broken = dataclasses.replace(sheet.spec, run=explodes)
    sheet.spec, right = broken, sheet.spec
    with pytest.raises(RuntimeError, match="layers 2, width 8 failed: .*ZeroDivisionError"):
        sheet.sweep()
    sheet.spec = right
    sheet.sweep()
    assert len(sheet.records()) == 6


def explodes(settings: dict, seeds: list[int]) -> list[dict]:
    """A training that goes wrong."""
    return [{"gap": 1 / 0} for _ in seeds]


def test_compare_draws_prediction_over_result(sheet, capsys):
    predict_all(sheet)
    sheet.sweep()
    capsys.readouterr()
    figure = sheet.compare()
    said = capsys.readouterr().out
    assert "You predicted the gap with 16 couplings of width 32: 0.1 to 600. It is 0.00285" in said
    assert "outside your range" in said and "inside your range" in said
    main, *guesses = figure.axes
    assert [text.get_text() for text in main.get_yticklabels()] == list(sheet.records())
    dots = [line for line in main.lines if line.get_linestyle() == "None"]
    assert [len(line.get_xdata()) for line in dots] == [3] * 6
    assert list(guesses[0].lines[0].get_ydata()) == [0.1, 600]


def test_hand_in_and_resume(sheet, tmp_path, capsys):
    """What is printed is what a grader reads, and what a new machine can go on from."""
    predict_all(sheet)
    STOP.after = 3
    with pytest.raises(KeyboardInterrupt):
        sheet.sweep()
    STOP.after = 99
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        sheet.hand_in()
    assert "something is missing: ['3 runs']" in said.getvalue()
    found = read_hand_in("other output\n" + said.getvalue())
    assert found["head"]["student"] == "ada" and found["head"]["seeds"] == [5, 9, 13]
    assert found["predictions"] == sheet.predictions and found["runs"] == sheet.records()
    saved = tmp_path / "saved.ipynb"
    lines = said.getvalue().splitlines(True)  # which nbclient stores in several pieces
    pieces = [{"output_type": "stream", "name": "stdout", "text": part} for part in
              (lines[:4], "".join(lines[4:5]), lines[5:])]  # fmt: skip
    saved.write_text(json.dumps({"cells": [{}, {"outputs": pieces}]}), encoding="utf-8")
    fresh = new(tmp_path / "elsewhere")
    predict_all(fresh, best=0.2)  # the cells above were run first: no run, so nothing is lost
    fresh.resume(saved)
    assert fresh.predictions == sheet.predictions
    fresh.sweep()
    assert len(CALLS) == 6 and fresh.records().keys() == {arm_name(a) for a in fresh.spec.arms()}
    with pytest.raises(ValueError, match="holds runs already"):
        fresh.resume(saved)
    other = Sheet("depth", "bob", "r1", (1, 2, 3), folder=tmp_path / "other")
    with pytest.raises(ValueError, match="no hand-in of sheet depth, ring r1"):
        other.resume(saved)
    with pytest.raises(ValueError, match="no output of sheet.hand_in"):
        read_hand_in("nothing")


def test_check_says_what_is_wrong(sheet, capsys):
    sheet.check(lambda values: ...)
    sheet.check(lambda values: values.nothing)
    sheet.check(lambda values: 1.0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Wrong: what `path_ratio` returns is nothing, not numbers")
    assert lines[1].startswith("Cannot run: AttributeError") and "Traceback" not in lines[1]
    assert lines[2].startswith("Wrong: the ratio of 3 steps on and 1 back is 1, not 2")


def test_unknown_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no sheet 'x'; there are bridges, depth"):
        Sheet("x", "ada", "r1", (1, 2, 3))
    with pytest.raises(ValueError, match="there is no ring 'r99'; there are r1"):
        Sheet("depth", "ada", "r99", (1, 2, 3))
