"""What the reader sees of a check: one sentence, whatever the answer does."""

import inspect
import json
import random

import numpy as np
import pytest
import torch
from answers import judged

from classroom import q, solutions
from classroom.exercise import Exercise, Exercises, black_boxes, is_empty
from classroom.laws import hand_computed, outputs
from classroom.verdict import Outcome

EXP = """
class Exp(Transform):
    def decode(self, z, context=None):
        {decode}
    def encode(self, x, context=None):
        return x.log(), -x.log()
"""


def of(decode: str):
    return judged(q.exp, EXP.format(decode=decode))


@pytest.mark.parametrize(
    ("decode", "outcome", "words"),
    [
        ("return z.exp(), z", Outcome.PASSES, "5 laws hold"),
        ("...", Outcome.NOT_ATTEMPTED, "`Exp.decode` is still empty"),
        ("'''To do.'''", Outcome.NOT_ATTEMPTED, "`Exp.decode` is still empty"),
        ("z.exp()", Outcome.WRONG, "nothing, not numbers: a `return` is missing"),
        ("return z.exp()", Outcome.WRONG, "one array, not a value and its log-det"),
        ("return z.exp(), z, z", Outcome.WRONG, "3 arrays, not"),
        ("return 'a', 'b'", Outcome.WRONG, "of type str, not numbers"),
        ("return object(), z", Outcome.WRONG, "of type object, not numbers"),
        ("return z.exp(), z[:, None]", Outcome.WRONG, "shape"),
        ("return z.exp() + 1j, z", Outcome.WRONG, "of type"),
        ("return z.exp() * math.nan, z", Outcome.WRONG, "nan"),
        (
            "return nothing",
            Outcome.CANNOT_RUN,
            "NameError in line 4: name 'nothing' is not defined",
        ),
        ("return z.exp() + 'a'", Outcome.CANNOT_RUN, "TypeError in line 4"),
        ("raise SystemExit", Outcome.CANNOT_RUN, "SystemExit in line 4"),
        ("return self.decode(z)", Outcome.CANNOT_RUN, "RecursionError in line 4"),
        ("return torch.ones(2) @ torch.ones(3)", Outcome.CANNOT_RUN, "RuntimeError in line 4"),
    ],
)
def test_an_answer_gets_one_sentence(decode, outcome, words):
    verdict = of(decode)
    assert verdict.outcome is outcome and words in verdict.message, verdict
    told = str(verdict)
    assert "\n" not in told and told.endswith(".") and "Traceback" not in told
    assert told.startswith(outcome.value.capitalize()) and "all tests" not in told.lower()


def test_what_no_program_can_judge_says_what_earns_the_points():
    verdict = q.relu.judge({})
    assert verdict.outcome is Outcome.NOT_CHECKABLE
    assert all(line in verdict.message for line in q.relu.rubric)


def test_check_reads_the_names_where_it_is_called(capsys):
    def attempt():
        log_p_by_hand = -1.2918  # noqa: F841
        q.sign.check()

    attempt()
    assert capsys.readouterr().out.startswith("Visible checks pass")
    q.sign.check()
    assert capsys.readouterr().out.startswith("Not attempted: `log_p_by_hand` is not defined")


def test_a_check_changes_nothing():
    """Neither the reader's names nor their random streams, nor torch's default dtype."""
    torch.manual_seed(3)
    random.seed(3)
    before = torch.get_rng_state(), random.getstate(), torch.get_default_dtype()
    names = {"a": -2.0}
    assert q.entropy.judge(names).outcome is Outcome.WRONG
    assert names == {"a": -2.0}
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), torch.get_default_dtype()) == before[1:]
    assert str(q.entropy.judge(names)) == str(q.entropy.judge(names))


def test_hints_one_by_one(capsys):
    q.units.hint()
    q.units.hint(2)
    first, second = capsys.readouterr().out.splitlines()
    assert (
        first == f"Hint 1 (1 more): {q.units.hints[0]}" and second == f"Hint 2: {q.units.hints[1]}"
    )
    for number in (0, 3, "one"):
        with pytest.raises(ValueError, match=rf"number must be 1 to 2, but is {number!r}"):
            q.units.hint(number)


def test_the_solution_is_shown_or_its_absence_told(capsys, monkeypatch, tmp_path):
    file = tmp_path / "solutions.json"
    file.write_text('{"ex-4-sign": "It is -1.29."}', encoding="utf-8")
    monkeypatch.setattr(solutions, "FILE", file)
    monkeypatch.setattr(solutions, "solutions", solutions.solutions.__wrapped__)  # no cache
    q.sign.solution()
    assert capsys.readouterr().out == "It is -1.29.\n"
    file.unlink()
    q.sign.solution()
    assert "holds no solutions" in capsys.readouterr().out


def test_exercises_are_found_by_name_and_by_label():
    assert q["ex-4-sign"] is q.sign and "sign" in dir(q) and len(q) == len(list(q))
    with pytest.raises(AttributeError, match="there is no exercise 'sing'"):
        q.sing  # noqa: B018
    with pytest.raises(KeyError, match="there are alone, "):
        q["sing"]
    with pytest.raises(ValueError, match="two exercises have the id ex-4-sign"):
        Exercises([q.sign, q.sign])
    assert repr(q.sign) == (
        "Signs by hand (Warm-up · about 10 minutes · 2 points): .check(), .hint(), .solution()"
    )


def test_black_boxes_take_and_return_numbers_only():
    """So that nothing else crosses to a judge in another process."""
    boxes = black_boxes(
        {"half": "lambda z: z / k", "two": "lambda z: [z, 1]", "seen": "lambda *a: kinds(*a)"},
        {"k": 2, "kinds": lambda *a: torch.tensor([float(isinstance(x, torch.Tensor)) for x in a])},
    )
    assert boxes["half"](np.ones(2)).dtype == np.float64
    assert [part.tolist() for part in boxes["two"](np.ones(1))] == [[1.0], 1.0]
    assert boxes["seen"](np.ones(1), 2.0, 3).tolist() == [1, 0, 0]


def test_a_law_judges_what_stands_behind_a_pipe():
    """Numbers through JSON, as a grader sends them: the law cannot tell the difference."""

    def piped(z):
        text = json.dumps(np.exp(np.asarray(json.loads(json.dumps(z.tolist())))).tolist())
        return np.array(json.loads(text)), z

    law = hand_computed("decode", [[1.0]], [np.e], 1e-9, part=0)
    assert law({"decode": piped}, np.random.default_rng(0)) is None
    broken = law({"decode": lambda z: (z, z)}, np.random.default_rng(0))
    assert (
        broken.outcome is Outcome.WRONG and broken.measured == "(1)" and broken.wanted == "(2.718)"
    )


@pytest.mark.parametrize(
    ("source", "empty"),
    [
        ("def f(z): ...", True), ("def f(z): pass", True), ("def f(z): 'To do.'", True),
        ("def f(z): return None", True), ("def f(z): return 0", False),
        ("def f(z): return z", False), ("def f(z): print()", False), ("def f(z): z", False),
    ],
)  # fmt: skip
def test_which_function_is_still_a_stub(source, empty):
    space = {}
    exec(source, space)
    assert is_empty(space["f"]) == empty


def test_every_field_of_a_spec_is_explained():
    for name in inspect.signature(Exercise).parameters:
        assert f"\n    {name}: " in inspect.getdoc(Exercise), name
    assert outputs({"f": lambda: [1.0, 2.0]}, "f", parts=2)[1] == 2
