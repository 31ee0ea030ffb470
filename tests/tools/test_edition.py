"""An edition without solutions holds none, wherever one looks; and bad commands leave nothing."""

import os
import subprocess
import sys
from pathlib import Path

import edition
import nbformat
import pytest
import solutions
from samples import in_test_all_only, needs_solutions, takes_long

pytestmark = needs_solutions


@pytest.fixture(scope="module")
def known() -> dict[str, str]:
    return edition.marks()


@pytest.fixture(scope="module")
def made(tmp_path_factory, known) -> Path:
    """An edition without solutions. (Whoever makes one has it searched, too.)"""
    in_test_all_only()
    folder = tmp_path_factory.mktemp("editions") / "above" / "Übung 1"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edition, "marks", lambda root: known)
        told = edition.make("no", str(folder))
    assert str(folder) in told and f"searched for {len(known)} pieces of solutions: none" in told
    return folder


@takes_long
def test_every_solution_is_known_by_something_of_its_own(known):
    found = set(known.values())
    wanted = {f"the solution of {label}" for label in solutions.in_chapters()}
    assert wanted <= found and set(edition.ANSWERS[1:]) <= found
    assert min(map(len, known)) >= edition.LEAST and len(known) > 400


def test_no_solution_is_anywhere_in_it(made):
    """(`make` has searched it, and would have found any: see below.)"""
    text = "".join(p.read_text("utf-8") for p in made.glob("chapters/*.ipynb"))
    assert "{solution}" not in text and "{exercise}" in text
    for name in set(edition.ANSWERS) - edition.NOT_TESTED:
        assert not (made / name).exists(), name


@pytest.mark.parametrize("form", ["py", "html", "svg", "xml", "json", "ipynb", "js", "hidden"])
def test_a_solution_is_found_however_it_is_set(tmp_path, known, form):
    """As a program, as a page that colours it, as JSON, in the index of the search."""
    code = solutions.in_chapters()["ex-4-nice"]
    line = next(p for p in edition.pieces(code) if edition.letters(p) in known)
    plain = line.strip()
    odd = f"\\u{ord(plain[0]):04x}{plain[1:]}"  # JSON may write any letter so
    page = "<pre>" + " ".join(f"<span class='n'>{w}</span>" for w in line.split()) + "</pre>"
    content = {
        "py": f"x = 1\n    {line}  # so",
        "html": page,
        "svg": page,
        "xml": page,
        "json": f'{{"a": [{{"b": "{odd}"}}]}}',
        "ipynb": f'{{"cells": [{{"source": ["{odd[:14]}", "{odd[14:]}"]}}]}}',
        "js": f'Search.setIndex({{"texts": ["{line}"]}})',
        "hidden": line,
    }[form]
    name = ".notes" if form == "hidden" else f"page.{form}"
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / name).write_text(content, encoding="utf-8")
    (found,) = edition.leaks(tmp_path, known)
    assert found.startswith(f"deep/{name}: the solution of ex-4-nice")


@pytest.mark.parametrize(
    ("source", "tags", "wanted"),
    [("It is 1.", [], False), ("It is 1.", ["solution"], True), ("It is 1.", ["answer"], False),
     ("```{solution} ex-1\nIt is 1.\n```", [], True)],
)  # fmt: skip
def test_a_solution_is_known_by_its_tag_and_by_its_block(source, tags, wanted):
    cell = nbformat.v4.new_markdown_cell(source, metadata={"tags": tags} if tags else {})
    assert edition.is_solution(cell) == wanted


def test_all_else_is_as_it_was(made):
    names = set(edition.files())
    assert set(edition.files(made)) == names - set(edition.ANSWERS) | edition.NOT_TESTED
    changed = {n for n in edition.files(made) if (made / n).read_bytes() !=
               (edition.ROOT / n).read_bytes()}  # fmt: skip
    chapters = {n for n in names if n.startswith("chapters/") and n.endswith(".ipynb")}
    assert changed == chapters | {*edition.TEXTS, *edition.NOT_TESTED}
    for name in chapters:
        old, new = (nbformat.read(root / name, as_version=4) for root in (edition.ROOT, made))
        rest = [c.source for c in old.cells if not edition.is_solution(c)]
        assert [c.source for c in new.cells] == rest
        assert [c.outputs for c in new.cells if c.cell_type == "code"] == [
            c.outputs for c in old.cells if c.cell_type == "code"
        ]
    assert not list((made / ".git").rglob("*.pack")), "without this repository's history"


def test_there_checks_and_hints_work_and_solutions_say_that_there_are_none(made):
    code = (
        "from classroom import q\nq.sign.check()\nq.sign.hint()\nq.sign.solution()\n"
        "import classroom; print(classroom.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=made, capture_output=True, encoding="utf-8",
        env=os.environ | {"PYTHONPATH": str(made)},
    )  # fmt: skip
    told = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert told[0].startswith("Not attempted: ") and told[1].startswith("Hint 1")
    assert told[2] == "This edition holds no solutions; ask whoever gave it to you."
    assert told[3].startswith(str(made))


def test_there_the_commands_bring_no_solution_back(made):
    """`make execute` calls both: neither makes a file, or changes one."""
    before = {n: (made / n).read_bytes() for n in edition.files(made)}
    code = (  # both in one process: most of the time goes into what they import
        "import runpy, sys; sys.path.insert(0, 'tools')\n"
        "for tool in ('solutions', 'instructor'):\n"
        "    runpy.run_path(f'tools/{tool}.py', run_name='__main__')\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=made, capture_output=True, encoding="utf-8")
    assert done.returncode == 0 and done.stderr.startswith("0 solutions"), done.stderr
    assert {n: (made / n).read_bytes() for n in edition.files(made)} == before


@pytest.mark.parametrize(
    ("wanted", "out", "why"),
    [
        ("maybe", "new", "SOLUTIONS must be yes or no, but is 'maybe'"),
        ("", "new", "SOLUTIONS must be yes or no, but is ''"),
        ("No", "new", "SOLUTIONS must be yes or no, but is 'No'"),
        ("no", "", "OUT must name a new folder, but is empty"),
        ("no", ".", "OUT must be a new folder, but .* is there already"),
        ("no", "file", "OUT must be a new folder, but .* is there already"),
        ("no", "link", "OUT must be a new folder, but .* is there already"),
        ("no", "file/inside", "OUT must lie in a folder, but .* is a file"),
        ("no", str(edition.ROOT / "new"), "OUT must lie outside of the repository"),
        ("no", str(edition.ROOT / "_build" / "a" / "b"), "OUT must lie outside of the repository"),
    ],
)
def test_bad_commands_leave_nothing(tmp_path, monkeypatch, capsys, wanted, out, why):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine", encoding="utf-8")
    Path("link").symlink_to("nowhere")
    before = sorted(tmp_path.rglob("*"))
    assert edition.main(["--solutions", wanted, "--out", out]) == 2
    told = capsys.readouterr().err
    assert told.startswith("make edition: ")
    with pytest.raises(ValueError, match=why):
        edition.checked(wanted, out)
    assert sorted(tmp_path.rglob("*")) == before
    assert not (edition.ROOT / "new").exists() and not (edition.ROOT / "_build" / "a").exists()


@pytest.fixture
def small(tmp_path) -> Path:
    """A repository of few files, one ignored and one a link."""
    root = tmp_path / "repository"
    texts = {"intro.md": "Hello.", "deep/er/ü b.txt": "new", ".gitignore": "*.o\n", "a.o": "made"}
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / "link").symlink_to("intro.md")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run(["git", "add", "intro.md"], cwd=root, check=True)
    return root


@pytest.mark.parametrize("left", [False, True])
def test_a_solution_that_would_be_left_stops_it(tmp_path, small, monkeypatch, left):
    source = "```{solution} ex-1\nThe slope divides what the density was before.\n```\n"
    cell = nbformat.v4.new_markdown_cell(source)
    (small / "chapters").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), small / "chapters" / "1_a.ipynb")
    for name in ("tools/instructor.py", "classroom/solutions.json", *sorted(edition.NOT_TESTED)):
        (small / name).parent.mkdir(parents=True, exist_ok=True)
        (small / name).touch()
    monkeypatch.setattr(edition, "TEXTS", {})
    monkeypatch.setattr(edition, "taught", lambda root: "")
    if not left:
        assert "searched for 1 pieces" in edition.make("no", str(tmp_path / "new"), small)
        return
    (small / "notes.txt").write_text(f"{source}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"would hold solutions:\n  notes.txt: the solution of ex"):
        edition.make("no", str(tmp_path / "deep" / "new"), small)
    assert not list((tmp_path / "deep").iterdir())


def test_an_edition_with_solutions_is_all_that_git_knows_and_nothing_else(tmp_path, small):
    folder = tmp_path / "editions" / "one"
    told = edition.make("yes", str(folder), small)
    assert str(folder) in told and "searched" not in told
    for name in ("intro.md", "deep/er/ü b.txt", ".gitignore"):
        assert (folder / name).read_bytes() == (small / name).read_bytes()
    inside = {p.relative_to(folder).as_posix() for p in folder.rglob("*")}
    ours = {name for name in inside if not name.startswith(".git/")}
    assert ours == {"intro.md", "deep", "deep/er", "deep/er/ü b.txt", ".git", ".gitignore"}
    assert list((tmp_path / "editions").iterdir()) == [folder]
    assert folder.stat().st_mode & 0o777 == 0o755, "others may read it, and only I change it"
    assert (folder / ".git" / "HEAD").read_text(encoding="utf-8").endswith("heads/main\n")


def test_a_sentence_about_solutions_that_was_rewritten_is_told(small):
    with pytest.raises(ValueError, match="intro.md must say 'exercises with solutions"):
        edition.without_solutions(small)


def test_the_command_says_what_was_done(monkeypatch, capsys):
    monkeypatch.setattr(edition, "make", lambda wanted, out: f"{wanted} {out}")
    assert edition.main(["--out", "here"]) == edition.main(["--out", "b", "--solutions=yes"]) == 0
    assert capsys.readouterr().out == "no here\nyes b\n"
    with pytest.raises(SystemExit):
        edition.main([])


def test_a_folder_that_git_does_not_know_is_told(tmp_path):
    with pytest.raises(ValueError, match="must be a git repository"):
        edition.checked("yes", str(tmp_path / "new"), tmp_path / "no-repository")


def test_of_an_edition_without_solutions_there_is_no_other(tmp_path, made):
    with pytest.raises(ValueError, match="an edition without solutions already"):
        edition.make("no", str(tmp_path / "new"), made)
