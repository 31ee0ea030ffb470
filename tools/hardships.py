"""Try the build where others have it: `make hardships`.

    python tools/hardships.py            all of them, some minutes
    python tools/hardships.py edition    those whose name has this word in it

Each hardship works on copies of the repository, with the commands that a reader or an instructor
types; the repository itself is not touched. It ends with a line per hardship, and with an error if
one of them was not met as the README and CONTRIBUTING promise.
"""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import edition as edition_tool
import notebooks

ROOT = Path(__file__).resolve().parents[1]
VENV = Path(sys.prefix)
OTHER = "https://github.com/someone/their-course"


def copy(folder: Path, root: Path = ROOT) -> Path:
    """A copy of the repository's files in `folder`, which uses the environment of this one."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", check=True)
    for name in done.stdout.split("\0"):
        if name and (root / name).is_file() and not (root / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
    (folder / ".venv").symlink_to(VENV)
    return folder


def variables() -> dict[str, str]:
    """The environment's variables, less those of a make that called this."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "PYTHONP"))}


def start(folder: Path, *command: str, limit: int | None = None, **own: str):
    """Start a command there, in a process group of its own."""

    def prepare() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        command, cwd=folder, env=variables() | own, preexec_fn=prepare, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
    )  # fmt: skip


def run(folder: Path, *command: str, **options) -> tuple[int, str]:
    """Run a command there; returns its exit status and what it said."""
    process = start(folder, *command, **options)
    told = process.communicate()[0]
    return process.returncode, told


def built(folder: Path, *command: str, **options) -> str:
    """Run a command that must succeed; returns what it said."""
    code, told = run(folder, *(command or ("make", "book")), **options)
    assert code == 0, told[-3000:]
    return told


def pages(folder: Path) -> dict[str, bytes]:
    """The files of the site: name -> content."""
    site = folder / "_build" / "html"
    files = (path for path in site.rglob("*") if path.is_file())
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in files}


def clean(folder: Path) -> None:
    """Nothing but the site lies in _build."""
    left = {path.name for path in (folder / "_build").iterdir()}
    assert left <= {"html", "site.json", ".lock", ".environment.lock"}, left


def other_places(base: Path) -> str:
    """Two builds at once, in a folder with blanks and letters, in another locale: the same site."""
    plain, odd = copy(base / "plain"), copy(base / "Übung 1, 'flows' & more")
    built(plain)
    settings = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Asia/Tokyo"}
    settings |= {"PYTHONHASHSEED": "7", "HOME": str(base / "nobody")}
    both = [start(odd, "make", "book", **settings) for _ in range(2)]
    told = [process.communicate()[0][-1500:] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    one, two = pages(plain), pages(odd)
    differ = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
    assert not differ, f"these files differ: {differ[:5]}"
    assert "Building" not in built(odd), "a third time there is nothing to do"
    clean(odd)
    return f"{len(one)} files, byte for byte the same"


def cut_off(base: Path) -> str:
    """Builds that are killed, that have no room, or that warn: the next one tells, or mends it."""
    folder = copy(base / "cut")
    process = start(folder, "make", "book")
    end = time.monotonic() + 300
    while not list(folder.glob("_build/unfinished-*/_build/html/chapters/*.html")):
        assert process.poll() is None and time.monotonic() < end, process.communicate()[0]
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (folder / "_build" / "html").exists(), "half a site is no site"

    code, told = run(folder, "make", "book", limit=100_000)
    assert code and "NOT built" in told and "The site:" not in told, told[-2000:]

    page, text = folder / "bibliography.md", (folder / "bibliography.md").read_text("utf-8")
    page.write_text(text + "\nSee {ref}`nothing-has-this-name`.\n", encoding="utf-8")
    for _ in range(2):
        code, told = run(folder, "make", "book")
        assert code and "nothing-has-this-name" in told and "The site:" not in told, told[-2000:]
    assert not (folder / "_build" / "html").exists()
    page.write_text(text, encoding="utf-8")
    built(folder)
    clean(folder)
    return "a kill, a full disk and two failures later the site is whole"


def edition(base: Path) -> str:
    """An instructor's edition: another address, a chapter added, one renamed, one removed."""
    folder = copy(base / "edition")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    built(folder, "make", "repository", f"URL={OTHER}")
    chapters = notebooks.in_order((folder / "chapters").glob("*.ipynb"))
    first, last = chapters[0], chapters[-1]
    toc = (folder / "_toc.yml").read_text("utf-8")

    # CONTRIBUTING's steps for a chapter more: the text of a copy is replaced by its author's own.
    new = last.with_name(f"{len(chapters) + 1}_splines.ipynb")
    write_chapter(first, new)
    line = f"      - file: chapters/{last.stem}\n"
    toc = toc.replace(line, f"{line}      - file: chapters/{new.stem}\n")

    # Another name for the last one.
    renamed = last.with_name(f"{last.stem}_and_farewell.ipynb")
    last.rename(renamed)
    toc = toc.replace(line, f"      - file: chapters/{renamed.stem}\n")
    for path in [*folder.glob("*.md"), *folder.glob("chapters/*.ipynb")]:
        text = path.read_text("utf-8")
        if last.stem in text:
            text = text.replace(last.stem, renamed.stem)
            path.write_text(
                notebooks.with_new_ids(text) if path.suffix == ".ipynb" else text, encoding="utf-8"
            )
    (folder / "_toc.yml").write_text(toc, encoding="utf-8")
    built(folder, str(VENV / "bin" / "python"), "tools/execute.py", f"chapters/{new.name}",
          PYTHONPATH=str(folder))  # fmt: skip
    built(folder)
    names = set(pages(folder))
    assert {f"chapters/{new.stem}.html", f"chapters/{renamed.stem}.html"} <= names
    assert f"chapters/{last.stem}.html" not in names
    built(
        folder, str(VENV / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "tests/chapters/test_structure.py", "tests/site/test_site.py", "tests/test_house.py",
        "-k", "not Repository and not lint or agrees_everywhere", PYTHONPATH=str(folder),
    )  # fmt: skip

    # And the added one leaves again, with its page.
    new.unlink()
    line = f"      - file: chapters/{new.stem}\n"
    (folder / "_toc.yml").write_text(toc.replace(line, ""), encoding="utf-8")
    built(folder)
    left = {name for name in pages(folder) if name.endswith(".html")}
    before = {name for name in names if name.endswith(".html")}
    assert left == before - {f"chapters/{new.stem}.html"}
    return "the tests of chapters, site and house are green, pages follow the table of contents"


def without_solutions(base: Path) -> str:
    """An edition for students: its own tests are green, and its site holds no solution either."""
    folder, out = copy(base / "course"), base / "for my class"
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    built(folder, "make", "edition", "SOLUTIONS=no", f"OUT={out}")
    (out / ".venv").symlink_to(VENV)
    built(out)
    known = edition_tool.marks(folder)
    left = edition_tool.leaks(out, known)
    assert not left, left[:5]
    built(
        out, str(VENV / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider",
        "tests/chapters/test_structure.py", "tests/chapters/test_prose.py", "tests/classroom",
        "tests/site/test_site.py", "tests/site/test_reading.py", "tests/site/test_browser_site.py",
        "tests/test_house.py", "tests/tools/test_instructor.py",
        "-k", "not Repository and not lint or agrees_everywhere", PYTHONPATH=str(out),
    )  # fmt: skip
    # The search is not blind: on the site of the course it finds the solutions of all chapters.
    built(folder)
    seen = {line.split(":")[0] for line in edition_tool.leaks(folder / "_build" / "html", known)}
    wanted = {f"chapters/{path.stem}.html" for path in (folder / "chapters").glob("*.ipynb")}
    assert wanted <= seen, wanted - seen
    return f"{len(known)} pieces of solutions, none in files or site; the tests are green"


def write_chapter(source: Path, target: Path) -> None:
    """A small chapter of its own, with the opening and the setup cell of another one."""
    import nbformat

    notebook = nbformat.read(source, as_version=4)
    opening = next(cell for cell in notebook.cells if cell.cell_type == "markdown")
    opening.source = re.sub(r"^# .+$", "# Splines", opening.source, count=1, flags=re.M)
    opening.source = re.sub(r"^\(.+\)=\n", "", opening.source, flags=re.M)
    setup = next(cell for cell in notebook.cells if "setup" in cell.metadata.get("tags", []))
    text = (
        "## Summary\n\nA spline is made of pieces.\n\n## Exercises\n\n"
        "````{exercise}\n:label: splines-one\nHow many pieces has a line?\n````\n\n"
        "````{solution} splines-one\n:class: dropdown\nOne.\n````\n\n"
        "## References\n\nNone yet."
    )
    code = nbformat.v4.new_code_cell("print(sum(range(4)), 'pieces')")
    notebook.cells = [opening, setup, code, nbformat.v4.new_markdown_cell(text)]
    notebook.metadata.pop("widgets", None)
    notebooks.stable_ids(notebook)
    notebooks.store(notebook, target)


def read_only(base: Path) -> str:
    """A site that is up to date needs nothing written; one that is not says what hinders it."""
    folder = copy(base / "read-only")
    (folder / "_build").write_text("no folder", encoding="utf-8")  # (it stops root, too)
    code, told = run(folder, "make", "book")
    assert code and "_build" in told and "The site:" not in told, told
    assert "Traceback" not in told, told
    return "says what hinders it"


def moved(base: Path) -> str:
    """An environment that was made elsewhere is found out. (tests/tools/test_book.py mends one.)"""
    folder = copy(base / "moved")
    (folder / ".venv").unlink()
    (folder / ".venv").symlink_to(base / "gone")
    code, told = run(folder, "make", "book")
    assert code and ".venv is a link" in told and "Traceback" not in told, told
    return "says what to do"


def main(words: list[str]) -> int:
    """Try the hardships, and return how many were not met."""
    failed = 0
    for hardship in (other_places, cut_off, edition, without_solutions, read_only, moved):
        if words and not any(word in hardship.__name__ for word in words):
            continue
        start_time = time.monotonic()
        with tempfile.TemporaryDirectory() as base:
            try:
                result = hardship(Path(base))
            except AssertionError as error:
                failed += 1
                result = f"NOT MET: {error}"
        seconds = time.monotonic() - start_time
        print(f"{hardship.__name__} ({seconds:.0f} s): {result}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)
