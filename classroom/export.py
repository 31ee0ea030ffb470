"""The exercises of a chapter for nbgrader or Otter, which some schools run already.

    python -m classroom.export --for nbgrader 5_training --out course
    python -m classroom.export --for otter 5_training --out course

What is written holds no solution: stubs, the checks' calls, and a cell to write into where a person
marks. Both tools run the student's code and the tests in one process, so a hand-in can forge its
marks (GRADING.md says how it was tried). Use them for feedback; for marks use `make grade`.
"""

import argparse
import json
import re
import sys
from pathlib import Path

from classroom.assign import ROOT, leaks, setup_source, solution_lines, text_of
from classroom.exercise import PRELUDE, Exercise
from classroom.exercises import chapters
from classroom.roster import write_whole

__all__ = ["FORMS", "export"]

BLOCK = re.compile(r"(`{3,})\{exercise\} (.+)\n:label: (\S+)\n\n(.*)\n\1", re.DOTALL)
ROLE = re.compile(r"\{[\w:]+\}`([^`<]*?)\s*(?:<[^`>]*>)?`")
WORDS = "*(Your answer, in words. Delete this line.)*"
CONFIG = '''\
"""Settings for nbgrader: what stands in `source` is what students get."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "normalizing-flows"
# There are no solutions to clear, and the answers' stubs are to stay.
c.GenerateAssignment.preprocessors = [
    "nbgrader.preprocessors.LockCells",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
]
# Its own 30 seconds are too few for the first import on a busy machine.
c.Execute.timeout = 600
'''
# What a test of Otter says; its file is run with the names of the hand-in.
TEST = '''\
"""{title}."""

from otter.test_files import test_case

OK_FORMAT = False

name = {name!r}
points = {points}


@test_case(points={points}, hidden=False)
def test_laws(env):
    from classroom import q

    verdict = q.{name}.judge(env)
    assert verdict.outcome.value == "visible checks pass", str(verdict)
'''


def texts(chapter: str) -> dict[str, str]:
    """The exercises' texts, as Markdown that any notebook shows.

    Args:
        chapter: Stem of its notebook.

    Returns:
        Id of an exercise -> its text.
    """
    path, found = ROOT / "chapters" / f"{chapter}.ipynb", {}
    for entry in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for _, title, label, text in BLOCK.findall("".join(entry["source"])):
            found[label] = f"## {title}\n\n" + ROLE.sub(r"\1", text)
    return found


def chosen(name: str) -> tuple[str, tuple[Exercise, ...]]:
    """The exercises that a name stands for.

    Args:
        name: Stem of a chapter's notebook.

    Returns:
        The stem, and the specs.

    Raises:
        ValueError: If there is no such chapter, or its notebook is not there.

    Example:
        >>> [exercise.name for exercise in chosen("5_training")[1]][:2]
        ['apart', 'units']
    """
    known = {
        stem: e for stem, e in chapters().items() if (ROOT / f"chapters/{stem}.ipynb").exists()
    }
    if name not in known:
        raise ValueError(f"chapter must be one of {', '.join(known)}, but is {name!r}")
    return name, known[name]


def cell(kind: str, name: str, source: str, nbgrader: dict | None = None) -> dict:
    """A cell of a notebook file, with nbgrader's marks if it has any."""
    found = {"cell_type": kind, "id": name, "metadata": {}, "source": source.splitlines(True)}
    if nbgrader is not None:
        plain = {"grade": False, "locked": False, "solution": False, "task": False}
        found["metadata"]["nbgrader"] = plain | {"grade_id": name, "schema_version": 3} | nbgrader
    return found | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def notebook(form: str, name: str) -> dict:
    """The students' notebook.

    Args:
        form: "nbgrader" or "otter".
        name: Stem of a chapter's notebook.

    Returns:
        The notebook, as JSON holds it.
    """
    stem, specs = chosen(name)
    said, marks = texts(stem), form == "nbgrader"
    locked = {"locked": True} if marks else None
    top = "import otter\n\ngrader = otter.Notebook()" if form == "otter" else PRELUDE.strip()
    cells = [
        cell("markdown", "title", f"# Exercises of chapter {stem.replace('_', ' ')}", locked),
        cell("code", "setup", setup_source(), locked),
        cell("code", "start", top, locked),
    ]
    if form == "otter":
        cells.append(cell("code", "imports", PRELUDE.strip()))
    for e in specs:
        cells.append(cell("markdown", f"{e.name}-text", said[e.id], locked))
        if e.needs:  # what stands in for the chapter, which has not run
            cells.append(cell("code", f"{e.name}-given", e.needs.strip(), locked))
        if not e.checks:
            ask = {"grade": True, "solution": True, "points": e.points} if marks else None
            cells.append(cell("markdown", f"{e.name}-words", WORDS, ask))
            continue
        cells.append(cell("code", e.name, e.stub, {"solution": True} if marks else None))
        if marks:
            check = (
                f"from classroom import q\n\nverdict = q.{e.name}.judge(globals())\n"
                'assert verdict.outcome.value == "visible checks pass", str(verdict)'
            )
            test = {"grade": True, "locked": True, "points": e.points}
            cells.append(cell("code", f"{e.name}-test", check, test))
        else:
            cells.append(cell("code", f"{e.name}-test", f'grader.check("{e.name}")'))
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def nbgrader_files(name: str) -> dict[str, str]:
    """The files of a course folder of nbgrader."""
    source = text_of(notebook("nbgrader", name))
    return {"nbgrader_config.py": CONFIG, f"source/{name}/{name}.ipynb": source}


def otter_files(name: str) -> dict[str, str]:
    """The files that `otter generate` and `otter run` ask for."""
    address = re.search(r'git\+([^"\s]+)"', setup_source())
    found = {
        f"{name}.ipynb": text_of(notebook("otter", name)),
        "requirements.txt": f"git+{address[1]}\n" if address else "",
    }
    for e in chosen(name)[1]:
        if e.checks:
            found[f"tests/{e.name}.py"] = TEST.format(title=e.title, name=e.name, points=e.points)
    return found


def forbidden(name: str) -> dict[str, str]:
    """Lines of solutions that the exercises do not show themselves, in a stub or as given."""
    stem, specs = chosen(name)
    shown = [PRELUDE, *texts(stem).values(), *(part for e in specs for part in (e.stub, e.needs))]
    plain = " ".join("\n".join(shown).split())
    return {line: where for line, where in solution_lines().items() if line not in plain}


FORMS = {"nbgrader": nbgrader_files, "otter": otter_files}


def export(form: str, name: str, out: str | Path) -> str:
    """Write a chapter's exercises for another tool.

    Args:
        form: "nbgrader" or "otter".
        name: Stem of a chapter's notebook.
        out: A new or empty folder.

    Returns:
        What was done, in words.

    Raises:
        ValueError: If something is wrong; then nothing is written.
    """
    if form not in FORMS:
        raise ValueError(f"for must be one of {', '.join(FORMS)}, but is {form!r}")
    chosen(name)
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"OUT must be a new or empty folder, but {out} is there already")
    files, lines = FORMS[form](name), forbidden(name)
    for file, text in files.items():
        content = json.loads(text) if file.endswith(".ipynb") else {"text": text}
        if found := leaks(content, lines):
            raise ValueError(f"{file} would hold {'; '.join(found[:3])}")
    for file, text in files.items():
        write_whole(out / file, text)
    return f"{len(files)} files for {form} in {out}: {', '.join(files)}"


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m classroom.export", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("name", help="stem of a chapter's notebook, such as 5_training")
    parser.add_argument("--for", dest="form", required=True, help=" or ".join(FORMS))
    parser.add_argument("--out", required=True)
    options = parser.parse_args(arguments)
    try:
        print(export(options.form, options.name, options.out))
    except ValueError as error:
        print(f"classroom.export: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
