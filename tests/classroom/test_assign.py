"""Assignments: one whole notebook a student, and no solution anywhere in it."""

import copy
import csv
import json
import os
import stat
import tomllib
from pathlib import Path

import nbformat
import pytest
from samples import needs_solutions

from classroom import assign
from classroom.assign import ANSWERS, KEYS, leaks, plain_notebook, solution_lines, text_of
from classroom.roster import file_name, harmless
from classroom.sheet import Sheet
from classroom.variants import evidence
from experiments.sheets import POINTS, RUBRIC, SHEETS

ROSTER = "student,name\nada,Ada\nAda2,\n../../x,\n=1+1,\n李,\na b,\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("assignment")
    (folder / "roster.csv").write_text(ROSTER, encoding="utf-8")
    places = folder / "roster.csv", folder / "out", folder / "secret.txt"
    assert "6 notebooks" in assign.assign("depth", *places)
    return folder


def notebooks(folder: Path) -> dict[str, dict]:
    found = [json.loads(p.read_text(encoding="utf-8")) for p in (folder / "out").glob("*.ipynb")]
    return {content["metadata"]["course"]["student"]: content for content in found}


def test_each_student_gets_a_whole_notebook(made):
    found = notebooks(made)
    assert set(found) == {"ada", "Ada2", "../../x", "=1+1", "李", "a b"}
    for student, content in found.items():
        nbformat.validate(nbformat.from_dict(content))
        ids = [cell["id"] for cell in content["cells"]]
        assert len(ids) == len(set(ids)) and set(ANSWERS) <= set(ids)
        for cell in content["cells"]:
            assert (cell["metadata"].get("course", {}).get("answer") == cell["id"]) == (
                cell["id"] in ANSWERS
            )
            assert not cell.get("outputs") and cell.get("execution_count") is None
        code = ["".join(c["source"]) for c in content["cells"] if c["cell_type"] == "code"]
        for source in code:
            if "%pip" not in source:
                compile(source, "cell", "exec")
        names: dict = {}
        exec(next(source for source in code if "Sheet(" in source), names)
        assert isinstance(names["sheet"], Sheet) and names["sheet"].student == student
    assert len({str(content["metadata"]["course"]["tag"]) for content in found.values()}) == 6
    assert sorted(p.name for p in made.iterdir()) == ["out", "roster.csv", "secret.txt"]


def test_the_secret_is_private_and_in_no_notebook(made):
    secret = made / "secret.txt"
    assert stat.S_IMODE(os.stat(secret).st_mode) == 0o600
    text = secret.read_text(encoding="utf-8").strip()
    for path in (made / "out").iterdir():
        assert text not in path.read_text(encoding="utf-8")


def test_again_gives_the_same_bytes(made):
    before = {p.name: p.read_bytes() for p in (made / "out").iterdir()}
    assign.assign("depth", made / "roster.csv", made / "out", made / "secret.txt")
    assert {p.name: p.read_bytes() for p in (made / "out").iterdir()} == before
    with open(made / "out" / "depth-variants.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["student"] for row in rows][3] == "'=1+1"
    assert {row["file"] for row in rows} == {n for n in before if n.endswith(".ipynb")}


@needs_solutions
def test_no_solution_is_in_it(made):
    forbidden = solution_lines()
    keys = tomllib.loads(KEYS.read_text(encoding="utf-8"))
    assert set(keys) == set(SHEETS) and all(set(k) == {"q1", "q2", "q3"} for k in keys.values())
    assert len(forbidden) > 60
    for content in notebooks(made).values():
        assert not leaks(content, forbidden)


@needs_solutions
@pytest.mark.parametrize("where", ["source", "metadata", "output", "name", "split"])
def test_the_scan_finds_a_solution_wherever_it_is(made, where):
    line, origin = next(iter(solution_lines().items()))
    content = copy.deepcopy(notebooks(made)["ada"])
    cell = content["cells"][-2]
    if where == "source":
        cell["source"].append(f"# {line}")
    elif where == "metadata":
        content["metadata"]["deep"] = [{"a": ["x", f"see: {line}"]}]
    elif where == "output":
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": [line]}]
    elif where == "name":
        cell["metadata"][line] = 1
    else:
        middle = line.index(" ", 8)
        cell["source"] += [line[:middle] + "  ", line[middle:]]
    assert leaks(content, solution_lines()) == [f"a line of {origin}: {line}"]


def test_a_leak_stops_the_assignment(tmp_path, monkeypatch):
    (tmp_path / "roster.csv").write_text(ROSTER, encoding="utf-8")
    monkeypatch.setattr(assign, "solution_lines", lambda: {"Run the cells from top": "a key"})
    with pytest.raises(ValueError, match="the notebook of ada would hold a line of a key"):
        assign.assign("depth", tmp_path / "roster.csv", tmp_path / "out", tmp_path / "secret")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("sheet", "roster", "out", "reason"),
    [
        ("dept", ROSTER, None, "there is no sheet 'dept'"),
        ("depth", 'student\n"a', None, "no whole CSV file"),
        ("depth", "student,x\na", None, "line 2 of .* has 1 cells"),
        ("depth", ROSTER, "other.txt", "OUT must be new or empty"),
        ("depth", ROSTER, "", "OUT must be a folder"),
    ],
)
def test_bad_commands_write_nothing(tmp_path, sheet, roster, out, reason, capsys):
    (tmp_path / "roster.csv").write_text(roster, encoding="utf-8")
    if out:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / out).touch()
    elif out == "":
        (tmp_path / "out").touch()
    before = sorted(tmp_path.rglob("*"))
    given = {"sheet": sheet} | {n: tmp_path / n for n in ("out", "secret")}
    given["roster"] = tmp_path / "roster.csv"
    arguments = [str(part) for name, value in given.items() for part in (f"--{name}", value)]
    assert assign.main(arguments) == 2
    import re

    assert re.search(reason, capsys.readouterr().err)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", SHEETS)
def test_the_sheets_in_the_repository_are_those_of_their_specs(name):
    """`python -c "from classroom.assign import write_plain; write_plain()"` writes them anew."""
    spec, path = SHEETS[name], assign.SHEETS / f"{name}.ipynb"
    assert path.read_text(encoding="utf-8") == text_of(plain_notebook(spec))
    assert len(spec.questions) == 3 and len(spec.predictions) == 2
    assert list(POINTS) == list(RUBRIC) and sum(POINTS.values()) == 10
    arms = spec.arms()
    for guess in spec.predictions:
        assert guess.arm in arms and guess.measure in spec.measures
    for arm in spec.effect[:2]:
        assert arm in arms
    stored = evidence(name)["rings"]["r1"]
    assert set(next(iter(stored.values()))) == set(spec.measures) and spec.main in spec.measures
    assert (Path(__file__).parents[2] / "chapters" / f"{spec.chapter}.ipynb").exists()


def test_file_names_are_plain_and_apart():
    names = ["ada", "Ada", "a/b", "a b", "", "..", "CON", "x" * 300, "é", "e\u0301", "\u202e", "-a"]
    files = [file_name(name) for name in names]
    assert len(set(files)) == len(names)
    assert all(set(f) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-") for f in files)
    assert all(0 < len(f) < 60 and f[0] not in ".-" for f in files)


def test_cells_are_harmless():
    for text in ("=1", "+1", "-1", "@x", " =1", "\t=1", "\r=1", "\ufeff=1"):
        assert harmless(text) == "'" + text.replace("\r", "\n")
    assert [harmless(v) for v in (3, -2.5, "a=1", "", "'x")] == ["3", "-2.5", "a=1", "", "'x"]
