"""Make an edition of the course for a class: `make edition SOLUTIONS=no OUT=folder`.

    python tools/edition.py --solutions no --out ../for-my-class

OUT becomes a repository of its own, without this one's history. With SOLUTIONS=no no solution is
left anywhere in it, nor what one could be read off: the chapters' cells, what `q.x.solution()`
reads, the tests' right and nearly right answers, what a good answer to a sheet says. Checks, hints
and tests work as before. Before OUT appears, all its files are searched for lines of solutions.
"""

import argparse
import ast
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import notebooks
import safely
import solutions

ROOT = Path(__file__).resolve().parents[1]
# Files that hold answers and nothing that an edition without them needs.
ANSWERS = (
    "classroom/solutions.json",
    "experiments/sheets/keys.toml",
    "tests/classroom/answers.toml",
    "tests/classroom/hand_ins.py",
    "tests/classroom/test_grade.py",
    "tests/classroom/test_forged.py",
)
NOT_TESTED = {name for name in ANSWERS if "/test_" in name}
INSTEAD = '''"""Marking is tested with right answers, which this edition does not hold."""

import pytest

pytest.skip("an edition without answers", allow_module_level=True)
'''
LEAST = 24  # letters and digits of a line by which it is known again
# What the texts say of solutions, and what is true without them.
TEXTS = {
    "intro.md": {"exercises with solutions that unfold": "exercises with hints and checks"},
    "README.md": {
        "`), and solutions that unfold; a": "`); a",
    },
    "instructor.md": {"Solutions unfold on the pages:": "This edition holds no solutions:"},
}


def files(root: Path = ROOT) -> list[str]:
    """What is, or is about to be, committed: names seen from the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", check=True)
    names = (name for name in done.stdout.split("\0") if name)
    return [n for n in names if (root / n).is_file() and not (root / n).is_symlink()]


# ---------------------------------------------------------------------------- looking for solutions


def letters(text: str) -> str:
    """Letters and digits of a text: what stays of a line, however it is set.

    Example:
        >>> letters("return <b>x.log()</b>")
        'returnbxlogb'
    """
    return re.sub(r"[\W_]+", "", text)


def strings(value) -> Iterator[str]:
    """All texts in a JSON value, lists of lines joined."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings(inner)
    elif isinstance(value, list):
        if value and all(isinstance(part, str) for part in value):
            yield "".join(value)
        for part in value:
            yield from strings(part)


def readings(path: Path) -> Iterator[str]:
    """The letters of a file, in each way in which it can be read: as it is, as a page, as JSON."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return  # a picture
    yield letters(text)
    if path.suffix in (".html", ".xml", ".svg"):
        text = re.sub(r"<script type=\"math.*?</script>|<[^>]*>", "", text, flags=re.DOTALL)
        yield letters(html.unescape(text))
    if path.suffix in (".json", ".ipynb"):
        yield letters("\n".join(strings(json.loads(text))))


def pieces(text: str) -> list[str]:
    """The lines of a text without formulas, links and roles, which pages set in another way."""
    cut = r"\$[^$]*\$|\[[^\]]*\]\([^)]*\)|\{[\w:]+\}`[^`]*`|`{3,}.*|\\n"
    return [
        p for line in text.splitlines() for p in re.split(cut, line) if len(letters(p)) >= LEAST
    ]


def taught(root: Path = ROOT) -> str:
    """The letters of what an edition shows anyway: texts, code, outputs, hints, stubs."""
    shown = ["flows.py", "flows_support.py", "gen_models_utilities.py", "glossary.md", "intro.md"]
    parts = [(root / name).read_text(encoding="utf-8") for name in shown]
    # Studies are what the chapters' numbers rest on, specs what hints and checks are made of.
    for folder in ("classroom/exercises", "experiments/studies", "experiments/sheets"):
        parts += [p.read_text(encoding="utf-8") for p in sorted((root / folder).glob("*.py"))]
    for path in sorted(root.glob("chapters/*.ipynb")):
        for cell in notebooks.read(path).cells:
            if not is_solution(cell):
                parts += [cell.source, *strings(cell.get("outputs", []))]
    return "\n".join(map(letters, parts))


def marks(root: Path = ROOT) -> dict[str, str]:
    """Pieces by which solutions are known again.

    Args:
        root: the repository, with its solutions.

    Returns:
        The letters of each -> where it stands.
    """
    known, found = taught(root), {}
    texts = {f"the solution of {k}": v for k, v in solutions.in_chapters(root).items()}
    for name in ANSWERS:
        path = root / name
        if path.suffix == ".toml" and path.exists():
            texts[name] = "\n".join(told(tomllib.loads(path.read_text(encoding="utf-8"))))
        elif path.suffix == ".py" and path.exists():
            texts[name] = functions_in(path.read_text(encoding="utf-8"))
    for where, text in texts.items():
        for piece in pieces(text):
            if letters(piece) not in known:
                found.setdefault(letters(piece), where)
    return found


def told(value, name: str = "") -> Iterator[str]:
    """Texts of a file of answers, less those that only describe them."""
    if isinstance(value, str):
        if name not in ("exercise", "what", "cause", "new"):
            yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from told(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from told(inner, name)


def functions_in(source: str) -> str:
    """Functions that stand in the texts of a module, such as the right answers of a test."""
    nodes = ast.walk(ast.parse(source))
    found = (n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return "\n".join(text for text in found if re.search(r"^def ", text, flags=re.MULTILINE))


def leaks(folder: Path, known: dict[str, str]) -> list[str]:
    """Solutions in any file of a folder, hidden ones too.

    Args:
        folder: what is searched.
        known: see `marks`.

    Returns:
        One line for each: the file, and what it holds.
    """
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
        for text in readings(path):
            held = [f"{path.relative_to(folder)}: {w}: {m}" for m, w in known.items() if m in text]
            found += [line for line in held if line not in found]
    return found


def is_solution(cell) -> bool:
    """Whether a cell holds a solution."""
    return "solution" in cell.metadata.get("tags", []) or bool(solutions.in_text(cell.source))


# ------------------------------------------------------------------------------- making an edition


def checked(wanted: str, out: str, root: Path = ROOT) -> Path:
    """The folder of the edition, once nothing stands against it.

    Raises:
        ValueError: SOLUTIONS is neither yes nor no; OUT is not named, is there already, or lies in
            the repository; or this is no git repository.
    """
    if wanted not in ("yes", "no"):
        raise ValueError(f"SOLUTIONS must be yes or no, but is {wanted!r}")
    if not out.strip():
        raise ValueError("OUT must name a new folder, but is empty")
    folder = Path(out).expanduser().absolute()
    if folder.exists() or folder.is_symlink():
        raise ValueError(f"OUT must be a new folder, but {folder} is there already")
    place = folder.resolve()
    if place == root.resolve() or root.resolve() in place.parents:
        raise ValueError(f"OUT must lie outside of the repository, but {folder} lies in {root}")
    for above in folder.parents:
        if above.exists() and not above.is_dir():
            raise ValueError(f"OUT must lie in a folder, but {above} is a file")
    if wanted == "no" and not (root / solutions.TARGET.relative_to(ROOT)).exists():
        raise ValueError("SOLUTIONS must be yes here: this is an edition without solutions already")
    try:
        files(root)
    except (OSError, subprocess.CalledProcessError):
        raise ValueError(
            f"{root} must be a git repository: what belongs to it, git knows"
        ) from None
    return folder


def without_solutions(folder: Path) -> None:
    """Take all that holds an answer out of a copy of the course.

    Raises:
        ValueError: a sentence about solutions is not where it was.
    """
    for path in sorted(folder.glob("chapters/*.ipynb")):
        notebook = notebooks.read(path)
        notebook.cells = [cell for cell in notebook.cells if not is_solution(cell)]
        notebooks.stable_ids(notebook)
        notebooks.store(notebook, path)
    for name in ANSWERS:
        (folder / name).unlink(missing_ok=True)
    for name, changes in TEXTS.items():
        text = (folder / name).read_text(encoding="utf-8")
        for old, new in changes.items():
            if old not in text:
                raise ValueError(f"{name} must say {old!r} somewhere, for this to be replaced")
            text = text.replace(old, new)
        safely.write(folder / name, text)
    for name in sorted(NOT_TESTED):
        (folder / name).write_text(INSTEAD, encoding="utf-8")
    command = [sys.executable, "tools/instructor.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise ValueError(f"tools/instructor.py failed: {done.stderr[-1000:]}")


def make(wanted: str, out: str, root: Path = ROOT) -> str:
    """Make an edition.

    Args:
        wanted: "yes" or "no": with solutions or without.
        out: a new folder, outside of the repository.
        root: the repository.

    Returns:
        What was done, in words.

    Raises:
        ValueError: something is wrong; then nothing is left behind.
    """
    folder = checked(wanted, out, root)
    known = marks(root) if wanted == "no" else {}
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".edition-", dir=folder.parent))
    try:
        for name in files(root):
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, work / name)
        if wanted == "no":
            without_solutions(work)
            if found := leaks(work, known):
                raise ValueError("the edition would hold solutions:\n  " + "\n  ".join(found[:20]))
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=work, check=True)
        work.chmod(0o755)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    searched = f", searched for {len(known)} pieces of solutions: none" if wanted == "no" else ""
    return (
        f"An edition in {folder}{searched}. There, make repository URL=... points it at your own "
        "repository; make book builds its site, make test proves it."
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python tools/edition.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--solutions", default="no", help="yes or no")
    parser.add_argument("--out", required=True, help="a new folder")
    options = parser.parse_args(arguments)
    try:
        print(make(options.solutions, options.out))
    except (ValueError, OSError) as error:
        print(f"make edition: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
