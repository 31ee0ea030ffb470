"""`make assignment`: a notebook for each student, with a variant of its own and no solution.

    make assignment SHEET=depth ROSTER=roster.csv OUT=folder

Each notebook opens alone, in Jupyter and in Colab. Its answer cells have fixed ids, by which the
grader finds them. Before a file is written, all notebooks are searched for solutions: in sources,
metadata and outputs.
"""

import argparse
import json
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

from classroom.roster import file_name, read_roster, table, write_whole
from classroom.sheet import spec_named
from classroom.solutions import solutions
from classroom.variants import POOL, Variant, band, cost, pick, read_secret, tag
from experiments.sheets import POINTS, RUBRIC, Spec, arm_name

__all__ = ["ANSWERS", "assign", "leaks", "notebook", "plain_notebook"]

ROOT = Path(__file__).resolve().parents[1]
KEYS = ROOT / "experiments" / "sheets" / "keys.toml"
SHEETS = ROOT / "experiments" / "sheets"
SECRET = ROOT / "course-secret.txt"
# The cells that a grader reads: id -> type. All others are thrown away unread.
ANSWERS = {
    "prediction": "code", "code": "code", "q1": "markdown", "q2": "markdown", "q3": "markdown",
    "hand-in": "code",
}  # fmt: skip
YOUR_WORDS = "*(Your answer, in words and numbers. Delete this line.)*"


def cell(kind: str, name: str, source: str) -> dict:
    """A cell of a notebook file."""
    metadata: dict = {"course": {"answer": name}} if name in ANSWERS else {}
    lines = source.strip("\n").splitlines(keepends=True)
    found = {"cell_type": kind, "id": name, "metadata": metadata, "source": lines}
    if kind == "code":
        found |= {"execution_count": None, "outputs": []}
    return found


@cache
def setup_source() -> str:
    """The chapters' first code cell: in Colab it fetches the course."""
    path = min((ROOT / "chapters").glob("*.ipynb"))
    for entry in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if "setup" in entry["metadata"].get("tags", []):
            return "".join(entry["source"])
    raise ValueError(f"{path} has no cell tagged setup")


def rubric(spec: Spec) -> str:
    """The points, as a table."""
    rows = [f"| {part} | {points} | {RUBRIC[part]} |" for part, points in POINTS.items()]
    return "\n".join(["| part | points | what earns them |", "|---|---|---|", *rows])


def notebook(spec: Spec, student: str, variant: Variant, seal: str) -> dict:
    """The notebook of one student.

    Args:
        spec: The sheet.
        student: The student's id.
        variant: The student's variant.
        seal: The tag of the assignment.

    Returns:
        The notebook, as JSON holds it.

    Example:
        >>> spec = spec_named("depth")
        >>> [c["id"] for c in notebook(spec, "ada", Variant("r1", (1, 2, 3)), "")["cells"]][:4]
        ['title', 'rules', 'setup', 'open']
    """
    modes, radius, std = POOL[variant.ring]
    measures = "\n".join(f"- `{name}`: {text}" for name, text in spec.measures.items())
    arms = "; ".join(arm_name(arm) for arm in spec.arms())
    guesses = "\n".join(
        f"# {guess.text}\nsheet.predict(\n    {guess.key!r}, low=..., best=..., high=...,\n"
        f"    because=\"...\",\n)"
        for guess in spec.predictions
    )  # fmt: skip
    names = ", ".join(spec.task.names)
    asked = {question.key: question.text for question in spec.questions}
    form = f"# Your prediction: fill in the numbers and the reasons.\n{guesses}"
    cells = [
        cell("markdown", "title", f"# {spec.title}\n\n**{spec.question}**\n\n"
             f"For {student_text(student)}. Time: about {spec.minutes} minutes of yours, "
             f"{max(1, round(cost(spec.name) / 60))} of one CPU core (a GPU is not used)."),
        cell("markdown", "rules", "Run the cells from top to bottom. Write only in the cell of "
             "your predictions, in that of your function, and in the three for your words: all "
             "others are thrown away when this is marked. Save the notebook with its outputs, and "
             "hand in this one file.\n\n"
             "In Colab, results are lost when the machine goes, unless they are on your Drive: "
             "click *Mount Drive* in the side bar before you run anything."),
        cell("code", "setup", setup_source()),
        cell("code", "open", "from classroom.sheet import Sheet\n\n"
             f"sheet = Sheet(\n    {spec.name!r},\n    student={student!r},\n"
             f"    ring={variant.ring!r},\n    seeds={variant.seeds!r},\n    tag={seal!r},\n)"),
        cell("markdown", "variant", f"## Your ring\n\n{modes} modes on a circle of radius "
             f"{radius:g}, each a bell of standard deviation {std:g}; your seeds are "
             f"{', '.join(map(str, variant.seeds))}.\n\n{spec.background}\n\n{measures}"),
        cell("markdown", "to-predict", "## Predict\n\nBefore anything runs: what will come out? "
             "Give a range that you would bet on, a best guess, and a reason. You may change it "
             "until the first run. Being right earns nothing; a reason does.\n\n"
             f"The runs will be: {arms}."),
        cell("code", "prediction", form),
        cell("markdown", "to-run", "## Run\n\nThe sweep stays within "
             f"{spec.cpu_minutes:g} minutes of CPU time. Stopped, it goes on where it was. "
             "(In Colab without Drive, run the last cell and save the notebook before you leave. "
             "To go on, upload that file into *Files* at the left, and call "
             "`sheet.resume(\"its name.ipynb\")` in a new cell above this one.)"),
        cell("code", "run", "sheet.sweep()"),
        cell("markdown", "to-compare", "## Compare"),
        cell("code", "compare", "figure = sheet.compare()"),
        cell("markdown", "to-code", f"## A function\n\n{spec.task.asks}\n\nNumpy arrays come in, "
             "float64. Your cell is run alone, without the rest of this notebook: import what it "
             "needs."),
        cell("code", "code", spec.task.stub),
        cell("code", "check", f"verdict = sheet.check({names})"),
        cell("markdown", "to-answer", "## Three questions"),
    ]  # fmt: skip
    for k, (key, text) in enumerate(asked.items(), start=1):
        cells += [
            cell("markdown", f"to-{key}", f"**{k}.** {text}"),
            cell("markdown", key, YOUR_WORDS),
        ]
    cells += [
        cell("markdown", "to-hand-in", "## Hand in\n\nRun this last, save, and hand in this file."),
        cell("code", "hand-in", "sheet.hand_in()"),
        cell("markdown", "rubric", f"## Points\n\n{rubric(spec)}"),
    ]
    course = {"sheet": spec.name, "student": student, "tag": seal}
    metadata = {
        "colab": {"provenance": []}, "course": course,
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }  # fmt: skip
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def student_text(student: str) -> str:
    """A student's id in Markdown, with nothing in it that Markdown or HTML would act on."""
    return "`" + re.sub(r"[`<>\x00-\x1f]", " ", student) + "`"


def plain_notebook(spec: Spec) -> dict:
    """The sheet as it is read in the repository: for nobody in particular.

    Args:
        spec: The sheet.

    Returns:
        The notebook.
    """
    return notebook(spec, "you", Variant("r1", (1, 2, 3)), "")


def text_of(content: dict) -> str:
    """A notebook as the text of its file."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


# ------------------------------------------------------------------------------- no solution in it


def solution_lines() -> dict[str, str]:
    """Lines that must not get into a student's hands: line -> where it comes from.

    Imports are no secret, nor is a line that the sheets show anyway.
    """
    texts: dict[str, str] = {}
    if KEYS.exists():
        for sheet, answers in tomllib.loads(KEYS.read_text(encoding="utf-8")).items():
            texts |= {f"keys.toml, {sheet}, {key}": text for key, text in answers.items()}
    texts |= {f"solution of {name}": text for name, text in solutions().items()}
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        for k, entry in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            source = "".join(entry["source"])
            for found in re.finditer(r"^(`{3,})\{solution\}.*?^\1$", source, flags=re.S | re.M):
                texts[f"solution in cell {k} of {path.name}"] = found[0]
    lines = {}
    for where, text in texts.items():
        for line in text.splitlines():
            plain = " ".join(line.split())
            if len(plain) > 20 and not re.match(r"(from|import) \w|[:`#]", plain):
                lines.setdefault(plain, where)
    return lines


def strings(value) -> list[str]:
    """All texts in a JSON value: sources, metadata, outputs, the names too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [s for pair in value.items() for part in pair for s in strings(part)]
    if isinstance(value, list):
        joined = ["".join(value)] if value and all(isinstance(v, str) for v in value) else []
        return joined + [s for part in value for s in strings(part)]
    return []


def leaks(content: dict, forbidden: dict[str, str]) -> list[str]:
    """Solutions that a notebook holds, wherever in it.

    Args:
        content: The notebook.
        forbidden: Lines that must not be in it, and where each comes from.

    Returns:
        One sentence for each that is.

    Example:
        >>> leaks({"metadata": {"key": ["the answer is  forty-two"]}}, {"answer is forty-two": "x"})
        ['a line of x: answer is forty-two']
    """
    text = "\n".join(" ".join(part.split()) for part in strings(content))
    return [f"a line of {where}: {line}" for line, where in forbidden.items() if line in text]


# ------------------------------------------------------------------------------------ the command


def assign(sheet: str, roster: str | Path, out: str | Path, secret: str | Path = SECRET) -> str:
    """Write a notebook for each student, and a list of them for the instructor.

    Args:
        sheet: Name of the sheet.
        roster: The roster's file.
        out: Folder for the notebooks: new, empty, or of this assignment.
        secret: File of the course's secret; made if it is not there.

    Returns:
        What was done, in words.

    Raises:
        ValueError: If something is wrong; then nothing is written.
    """
    spec, out = spec_named(sheet), Path(out)
    students = read_roster(roster)
    if out.exists() and not out.is_dir():
        raise ValueError(f"OUT must be a folder, but {out} is a file")
    listed = out / f"{sheet}-variants.csv"
    if out.is_dir() and not listed.exists() and any(out.iterdir()):
        raise ValueError(f"OUT must be new or empty, but {out} holds other files")
    new = not Path(secret).exists()
    key = read_secret(secret, make=True)
    forbidden = solution_lines() | {key.decode(): "the course's secret"}
    files, rows = {}, []
    for student in students:
        variant, seal = pick(key, student.id, spec), tag(key, student.id, spec)
        content = notebook(spec, student.id, variant, seal)
        if found := leaks(content, forbidden):
            raise ValueError(f"the notebook of {student.id} would hold {'; '.join(found[:3])}")
        name = f"{sheet}-{file_name(student.id)}.ipynb"
        files[name] = text_of(content)
        guesses = [band(sheet, variant.ring, g.arm, g.measure) for g in spec.predictions]
        measured = [f"{b.low:.3g} to {b.high:.3g}" for b in guesses]
        rows.append([student.id, name, variant.ring, " ".join(map(str, variant.seeds)), *measured])
    if len(files) < len(students):
        raise ValueError("two students of the roster would get files of one name")
    for name, text in files.items():
        write_whole(out / name, text)
    header = ["student", "file", "ring", "seeds", *(g.key for g in spec.predictions)]
    write_whole(listed, table(header, rows))
    made = (
        f" The course's secret was made: {secret}. Keep it, and show it to nobody." if new else ""
    )
    return (
        f"{len(files)} notebooks in {out}, searched for {len(forbidden)} lines of solutions: none. "
        f"{listed.name} lists the variants: it is for you.{made}"
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m classroom.assign", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--sheet", required=True)
    parser.add_argument("--roster", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--secret", default=str(SECRET))
    options = parser.parse_args(arguments)
    try:
        print(assign(options.sheet, options.roster, options.out, options.secret))
    except ValueError as error:
        print(f"make assignment: {error}", file=sys.stderr)
        return 2
    return 0


def write_plain() -> list[Path]:
    """Write the sheets' notebooks as they lie in the repository.

    Returns:
        Their files.
    """
    found = []
    from experiments.sheets import SHEETS as specs

    for name, spec in specs.items():
        found.append(SHEETS / f"{name}.ipynb")
        write_whole(found[-1], text_of(plain_notebook(spec)))
    return found


if __name__ == "__main__":
    sys.exit(main())
