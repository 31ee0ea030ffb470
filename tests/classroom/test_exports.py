"""The exercises in the forms of nbgrader and Otter, looked at without either package.

What both did with them, and when, stands in classroom/GRADING.md.
"""

import ast
import json
import sys
import types

import nbformat
import pytest

from classroom import assign, export
from classroom.exercise import prelude
from classroom.exercises import chapters

KNOWN = [stem for stem in chapters() if (export.ROOT / f"chapters/{stem}.ipynb").exists()]
each_form = pytest.mark.parametrize("form", export.FORMS)
each_chapter = pytest.mark.parametrize("name", KNOWN)
# What nbgrader's schema asks of a cell, and no more.
NBGRADER = {"grade", "locked", "solution", "task", "grade_id", "schema_version"}


@each_form
@each_chapter
def test_it_is_a_notebook_with_all_exercises_and_no_solution(form, name):
    content = export.notebook(form, name)
    nbformat.validate(nbformat.from_dict(content))
    cells = {cell["id"]: "".join(cell["source"]) for cell in content["cells"]}
    assert len(cells) == len(content["cells"]), "ids are unique"
    text = "\n".join(cells.values())
    for e in chapters()[name]:
        assert f"## {e.title}" in cells[f"{e.name}-text"] and e.facts in cells[f"{e.name}-text"]
        assert cells[e.name] == e.stub if e.checks else export.WORDS in cells[f"{e.name}-words"]
    assert "{exercise}" not in text and "{ref}" not in text and "{solution}" not in text
    assert not assign.leaks(content, export.forbidden(name))
    for cell in content["cells"]:
        if cell["cell_type"] == "code" and cell["id"] != "setup":  # (which has a %pip)
            ast.parse("".join(cell["source"]))


@each_chapter
def test_cells_for_nbgrader_are_as_its_schema_asks(name):
    files = export.nbgrader_files(name)
    assert set(files) == {"nbgrader_config.py", f"source/{name}/{name}.ipynb"}
    cells = json.loads(files[f"source/{name}/{name}.ipynb"])["cells"]
    points = {}
    for cell in cells:
        marks = cell["metadata"]["nbgrader"]
        wanted = NBGRADER | ({"points"} if marks["grade"] else set())
        assert set(marks) == wanted and marks["schema_version"] == 3
        assert marks["grade_id"] == cell["id"] and not marks["task"]
        assert marks["locked"] != marks["solution"], "what is not written into is locked"
        if marks["grade"]:
            points[cell["id"].removesuffix("-test").removesuffix("-words")] = marks["points"]
    assert points == {e.name: e.points for e in chapters()[name]}
    ast.parse(files["nbgrader_config.py"])


@pytest.fixture
def otter(monkeypatch):
    """Stands in for the package: its tests are functions of the names that a notebook left.

    It is a list of what a notebook had checked.
    """
    module, package, asked = types.ModuleType("otter.test_files"), types.ModuleType("otter"), []
    module.test_case = lambda **options: lambda function: function
    package.Notebook = lambda: types.SimpleNamespace(check=asked.append)
    monkeypatch.setitem(sys.modules, "otter", package)
    monkeypatch.setitem(sys.modules, "otter.test_files", module)
    return asked


@each_form
@each_chapter
def test_it_runs_from_top_to_bottom_and_asks_for_each_check(form, name, otter):
    content, names, told = export.notebook(form, name), {"__name__": "__main__"}, []
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    assert content["metadata"]["language_info"]["name"] == "python"
    for cell in content["cells"]:
        if cell["cell_type"] != "code" or cell["id"] == "setup":
            continue
        try:
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
        except AssertionError as error:  # what a check says to a stub
            told.append(cell["id"].removesuffix("-test"))
            assert str(error).startswith("Not attempted: ")
    specs = chapters()[name]
    assert (otter if form == "otter" else told) == [e.name for e in specs if e.checks]
    assert all(set(prelude(e.needs)) <= set(names) for e in specs)


def test_nbgrader_takes_the_settings():
    """It runs the file with a `get_config` of its own."""

    class Settings(dict):
        __getattr__, __setattr__ = dict.__getitem__, dict.__setitem__

    given = Settings(CourseDirectory=Settings(), GenerateAssignment=Settings(), Execute=Settings())
    exec(export.nbgrader_files(KNOWN[0])["nbgrader_config.py"], {"get_config": lambda: given})
    assert given.CourseDirectory.course_id and given.Execute.timeout >= 60
    steps = [step.removeprefix("nbgrader.preprocessors.")
             for step in given.GenerateAssignment.preprocessors]  # fmt: skip
    assert "ClearSolutions" not in steps and {"LockCells", "SaveCells"} <= set(steps)


def test_otter_installs_the_course_from_where_the_setup_cell_does():
    wanted = export.otter_files(KNOWN[0])["requirements.txt"].strip()
    assert wanted.startswith("git+https://") and wanted in assign.setup_source()


@each_chapter
def test_tests_for_otter_say_what_is_wrong(name, otter):
    files = export.otter_files(name)
    checked = [e for e in chapters()[name] if e.checks]
    assert {f for f in files if f.startswith("tests/")} == {f"tests/{e.name}.py" for e in checked}
    for e in checked:
        space: dict = {}
        exec(compile(files[f"tests/{e.name}.py"], e.name, "exec"), space)
        assert (space["name"], space["points"], space["OK_FORMAT"]) == (e.name, e.points, False)
        names = dict(prelude(e.needs))
        exec(e.stub, names)
        with pytest.raises(AssertionError, match="Not attempted: "):
            space["test_laws"](names)


def test_a_right_answer_passes_and_a_wrong_one_hears_why(otter):
    space: dict = {}
    exec(export.otter_files("4_realnvp")["tests/nice.py"], space)
    start = "def shift_only(a, context=None):\n    shift = torch.sin(3 * a)\n"
    for end, why in (("return torch.zeros_like(shift), shift", ""), ("return shift, shift", "s ")):
        names = dict(prelude(""))
        exec(f"{start}    {end}", names)
        if why:
            with pytest.raises(AssertionError, match=r"Wrong: .* s must be 0"):
                space["test_laws"](names)
        else:
            space["test_laws"](names)


@each_form
def test_files_are_written_all_or_none(form, tmp_path, capsys, monkeypatch):
    arguments = ["--for", form, KNOWN[0], "--out", str(tmp_path / "new")]
    (tmp_path / "new").mkdir()  # an empty folder will do
    assert export.main(arguments) == 0
    written = {p.relative_to(tmp_path / "new").as_posix() for p in (tmp_path / "new").rglob("*.*")}
    assert written == set(export.FORMS[form](KNOWN[0])), capsys.readouterr().out
    assert export.main(arguments) == 2
    assert "OUT must be a new or empty folder, but" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert export.main([*arguments[:-1], str(tmp_path / "file")]) == 2
    assert "file is there already" in capsys.readouterr().err
    monkeypatch.setattr(export, "forbidden", lambda name: {"from classroom import q": "a key"})
    assert export.main([*arguments[:-1], str(tmp_path / "other")]) == 2
    assert "would hold a line of a key" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--for", "okpy", "5_training"], "for must be one of nbgrader, otter, but is 'okpy'"),
        (["--for", "otter", "5"], "chapter must be one of .*5_training.*, but is '5'"),
        (["--for", "otter", "../x"], "chapter must be one of .*, but is '../x'"),
    ],
)
def test_bad_commands_write_nothing(arguments, why, tmp_path):
    form, name = arguments[1:]
    assert export.main([*arguments, "--out", str(tmp_path / "new")]) == 2
    with pytest.raises(ValueError, match=why):
        export.export(form, name, tmp_path / "new")
    assert not (tmp_path / "new").exists()
