"""Whether the checks judge well: right answers pass, however written, faults are explained."""

import tomllib
from functools import cache
from pathlib import Path

import pytest
from answers import judged, official

from classroom import q
from classroom.solutions import solutions
from classroom.verdict import Outcome

FILE = Path(__file__).with_name("answers.toml")  # (an edition without solutions has none)
DATA = tomllib.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
MUTANTS, ALTERNATIVES = DATA.get("mutant", []), DATA.get("alternative", [])
CHECKED = [exercise for exercise in q if exercise.checks]
official_only = pytest.mark.skipif(not solutions(), reason="an edition without solutions")
each_checked = pytest.mark.parametrize("exercise", CHECKED, ids=lambda exercise: exercise.name)
# What a hurried answer returns, in place of each gap of the stub.
CONSTANTS = (
    "0.0",
    "1.0",
    "torch.zeros(3)",
    "(0.0, 0.0)",
    "(torch.zeros(6), torch.zeros(6))",
    "[]",
    "'x'",
)


@cache
def right(name: str) -> str:
    """The chapter's own answer."""
    return official(q[name])


@official_only
@each_checked
def test_the_chapters_own_answer_passes(exercise):
    for seed in (0, 1):
        verdict = judged(exercise, right(exercise.name), seed)
        assert verdict.outcome is Outcome.PASSES, verdict


@each_checked
def test_the_stub_and_nothing_are_not_attempted(exercise):
    assert exercise.judge({}).outcome is Outcome.NOT_ATTEMPTED
    verdict = judged(exercise, exercise.stub)
    assert verdict.outcome is Outcome.NOT_ATTEMPTED, verdict


@each_checked
def test_a_constant_answer_fails(exercise):
    for constant in CONSTANTS:
        code = exercise.stub.replace("...  #", f"return {constant}  #")
        for name in exercise.answers:
            code = code.replace(f"{name} = return ", f"{name} = ")
        code = code.replace("...", constant)
        verdict = judged(exercise, code)
        assert verdict.outcome in (Outcome.WRONG, Outcome.CANNOT_RUN), f"{constant}: {verdict}"


@official_only
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m['exercise']}: {m['what']}")
def test_a_mutant_fails_and_hears_why(mutant):
    exercise = q[mutant["exercise"]]
    code = right(exercise.name)
    assert mutant["old"] in code + "\n", "the chapter's answer has changed"
    verdict = judged(exercise, (code + "\n").replace(mutant["old"], mutant["new"]))
    assert verdict.outcome in (Outcome.WRONG, Outcome.CANNOT_RUN), verdict
    assert mutant["cause"] and mutant["cause"] in verdict.message, verdict
    if verdict.outcome is Outcome.WRONG:
        assert verdict.measured and verdict.wanted, "it says what was measured, and what was wanted"


@pytest.mark.parametrize("other", ALTERNATIVES, ids=lambda a: f"{a['exercise']}: {a['what']}")
def test_a_right_answer_written_differently_passes(other):
    verdict = judged(q[other["exercise"]], other["code"])
    assert verdict.outcome is Outcome.PASSES, verdict


@official_only
def test_each_checked_exercise_has_its_mutants():
    """And there are as many as it takes to trust the laws."""
    assert {mutant["exercise"] for mutant in MUTANTS} == {exercise.name for exercise in CHECKED}
    assert len(MUTANTS) >= 60 and len(ALTERNATIVES) >= 20
