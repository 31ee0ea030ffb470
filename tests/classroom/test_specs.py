"""Specs and chapters say the same: an exercise's facts stand in both."""

import dis
import re

import execute
import nbformat
import pytest
import solutions

from classroom.exercises import chapters
from classroom.solutions import solutions as stored

SPECS = chapters()
PATHS = {path.stem: path for path in execute.chapters()}
EXERCISE = re.compile(r"```\{exercise\} (.+)\n:label: (\S+)\n\n(\*.+\*)\n\n(.*)\n```", re.DOTALL)
KEPT = ("exercise", "answer")  # in an edition without solutions
each_chapter = pytest.mark.parametrize("stem", [stem for stem in SPECS if stem in PATHS])


def cells(stem: str) -> list:
    return nbformat.read(PATHS[stem], as_version=4).cells


def tagged(stem: str, tag: str) -> list:
    return [cell for cell in cells(stem) if execute.has_tag(cell, tag)]


def answer_cell(exercise) -> str:
    """What stands in the answer cell."""
    gap = "\n\n\n" if re.match(r"class |def ", exercise.stub) else "\n\n"
    last = exercise.stub.splitlines()[-1]
    end = "\n\n\n" if gap == "\n\n\n" and last.startswith(" ") else "\n\n"
    return f"from classroom import q{gap}{exercise.stub}{end}q.{exercise.name}.check()"


@each_chapter
def test_specs_and_prose_agree(stem):
    found = []
    for cell in tagged(stem, "exercise"):
        match = EXERCISE.fullmatch(cell.source)
        assert match, f"one exercise fills its cell: {cell.source[:80]}"
        assert "```{exercise}" not in match[4]
        found.append(match.groups()[:3])
    assert found == [(e.title, e.id, e.facts) for e in SPECS[stem]]


@each_chapter
def test_the_prose_names_what_the_check_looks_for(stem):
    texts = [EXERCISE.fullmatch(cell.source)[4] for cell in tagged(stem, "exercise")]
    for exercise, text in zip(SPECS[stem], texts, strict=True):
        for name in exercise.answers:
            assert re.search(rf"`{name}\b", text), f"{exercise.id} does not name {name}"


@each_chapter
def test_each_exercise_and_each_solution_has_its_own_cell(stem):
    tags = {"exercise", "answer", "solution"}
    kinds = [(tags & set(cell.metadata.get("tags", []))) for cell in cells(stem)]
    parts = ("exercise", "answer", "solution") if solutions.TARGET.exists() else KEPT
    wanted = [kind for e in SPECS[stem] for kind in parts
              if kind != "answer" or e.checks]  # fmt: skip
    assert [kind.pop() for kind in kinds if kind] == wanted
    text = "\n".join(
        cell.source for cell in cells(stem) if not tags & set(cell.metadata.get("tags", []))
    )
    assert "{exercise}" not in text and "{solution}" not in text, "such a cell has its tag"
    labels = [
        label for cell in tagged(stem, "solution") for label in solutions.in_text(cell.source)
    ]
    assert labels == [e.id for e in SPECS[stem] if "solution" in parts]


@each_chapter
def test_answer_cells_hold_the_stubs(stem):
    checked = [exercise for exercise in SPECS[stem] if exercise.checks]
    for exercise, cell in zip(checked, tagged(stem, "answer"), strict=True):
        assert cell.source == answer_cell(exercise)
        (output,) = cell.outputs
        assert output.text.startswith("Not attempted: ")


@each_chapter
def test_no_stub_hides_what_the_chapter_defined(stem):
    """Run to the end, the chapter's names are still there for the solutions; and a check does not
    take for an answer what was there already."""
    names = set()
    for cell in cells(stem):
        tags = set(cell.metadata.get("tags", []))
        if cell.cell_type == "code" and not {"answer", "setup"} & tags:
            code = dis.get_instructions(compile(cell.source, "<cell>", "exec"))
            names |= {step.argval for step in code if step.opname == "STORE_NAME"}
    assert names
    for exercise in SPECS[stem]:
        assert not names & set(exercise.answers), f"{exercise.id}: {names & set(exercise.answers)}"


def test_a_chapter_whose_exercises_are_tagged_has_its_specs():
    """A chapter that was renamed would lose them without a word."""
    for stem in PATHS:
        if tagged(stem, "exercise"):
            assert stem in SPECS, f"{stem}: which module of classroom/exercises names it?"


def test_a_spec_is_whole():
    for exercise in (e for specs in SPECS.values() for e in specs):
        assert 2 <= len(exercise.hints) <= 3, exercise.id
        assert bool(exercise.checks) == bool(exercise.answers) == bool(exercise.stub), exercise.id
        assert exercise.checks or exercise.rubric, f"{exercise.id}: what earns its points?"
        assert 0 < exercise.minutes <= 60 and 0 < exercise.points <= 5, exercise.id
        for name in exercise.answers:
            assert name in exercise.stub, exercise.id
        if not exercise.checks:
            earned = [re.search(r": (\d) points?$", line) for line in exercise.rubric]
            assert sum(int(m[1]) for m in earned) == exercise.points, f"{exercise.id}: its points"


@each_chapter
def test_each_chapter_has_five_from_warm_up_to_research(stem):
    levels = {exercise.level.value for exercise in SPECS[stem]}
    assert len(SPECS[stem]) >= 5 and {"warm-up", "research"} <= levels


def test_the_installed_solutions_are_the_chapters():
    """`python tools/solutions.py` writes them. (An edition without solutions has no such file.)"""
    if solutions.TARGET.exists():
        assert solutions.TARGET.read_text("utf-8") == solutions.stored(solutions.in_chapters())
        assert stored() == solutions.in_chapters()
