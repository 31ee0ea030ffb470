"""tools/fuzz.py: a sample of its calls, and whether it would see a wrong answer."""

import time

import fuzz
import pytest
import torch


def test_every_public_function_has_arguments_or_is_said_to_lie_inside():
    inherited = {"flows.Flow.decode", "flows.Flow.encode"}
    assert fuzz.public() == (fuzz.EXAMPLES.keys() - inherited) | fuzz.INSIDE
    assert not fuzz.EXAMPLES.keys() & fuzz.INSIDE
    assert fuzz.FORMULAS | fuzz.SPREAD <= fuzz.EXAMPLES.keys()


# (What gen_models_utilities.py takes and refuses: tests/utilities.)
REFUSED = {"flows.Transform.decode", "flows.Transform.encode", "flows_support.read_checkpoint"}


@pytest.mark.parametrize("module", fuzz.MODULES[:2], ids=lambda module: module.__name__)
def test_arguments_without_junk_are_taken(module):
    names = [name for name in fuzz.EXAMPLES if name.startswith(f"{module.__name__}.")]
    for name in names:
        if name not in REFUSED:
            fuzz.run(name, fuzz.EXAMPLES[name]())


@pytest.mark.parametrize("module", fuzz.MODULES[:2], ids=lambda module: module.__name__)
def test_junk_has_an_answer(module):
    """A sample: `make fuzz` makes 2000 calls of each."""
    names = [name for name in fuzz.EXAMPLES if name.startswith(f"{module.__name__}.")]
    assert {name: found for name in names if (found := fuzz.tried(name, 12, seed=7))} == {}


def test_a_checkpoint_of_any_name_is_written_nowhere(tmp_path, monkeypatch):
    made = {**fuzz.EXAMPLES["flows.train"](), "checkpoint": "a"}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fuzz, "arguments", lambda name, stream: made)
    assert fuzz.tried("flows.train", 1, seed=0) == {} and not list(tmp_path.iterdir())


SIGMOID = "flows.Sigmoid.decode"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda z: torch.zeros(2) @ torch.zeros(3), "RuntimeError in the call: inconsistent"),
        (lambda z: z.no_such_thing, "AttributeError in the call: 'Tensor' object has no"),
        (lambda z: (z, z / 0 * 0), "NaN from finite numbers"),
        (lambda z: time.sleep(60), fuzz.LATE),
        (lambda z: (z, z), None),
    ],
)
def test_what_is_no_answer_is_seen(monkeypatch, answer, kind):
    monkeypatch.setattr(fuzz.flows.Sigmoid, "decode", lambda self, z, context: answer(z))
    monkeypatch.setattr(fuzz, "PATIENCE", 0.1)
    found = fuzz.judge(SIGMOID, fuzz.EXAMPLES[SIGMOID]())
    assert found is None if kind is None else found.startswith(kind)


def test_what_takes_a_second_is_late(monkeypatch):
    monkeypatch.setattr(fuzz, "SECONDS", -1.0)
    assert fuzz.judge(SIGMOID, fuzz.EXAMPLES[SIGMOID]()) == fuzz.LATE


def test_kinds_are_counted_and_shown_with_the_shortest_example(monkeypatch, capsys):
    def spoiled(self, z, context=None):
        return torch.zeros(2) @ torch.zeros(3)

    monkeypatch.setattr(fuzz.flows.Sigmoid, "decode", spoiled)
    assert fuzz.main([SIGMOID, "flows.shear", "--n", "5"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "flows.Sigmoid.decode: 0 of 5" and told[1].startswith(
        "       5  RuntimeError"
    )
    assert "'z': " in told[2] and "'context': " in told[2]
    assert told[3:] == ["flows.shear: 5 of 5", "5 calls of 10 without a right answer"]


def test_the_same_seed_gives_the_same_junk():
    def drawn(seed):
        stream = fuzz.random.Random(seed)
        return [fuzz.shown(fuzz.junk(stream)).split(" at ")[0] for _ in range(40)]

    assert drawn(1) == drawn(1) != drawn(2)
