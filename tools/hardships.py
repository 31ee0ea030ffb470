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
import textwrap
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

    # Another name for the last one, wherever it is named.
    renamed = last.with_name(f"{last.stem}_and_farewell.ipynb")
    last.rename(renamed)
    quiz = folder / "classroom" / "quizzes" / f"chapter_{last.stem}.py"
    quiz.rename(quiz.with_name(f"chapter_{renamed.stem}.py"))
    named = ("*.md", "_toc.yml", "chapters/*.ipynb", "classroom/*/*.py", "tests/*/*.py",
             "tools/guards.toml")  # fmt: skip
    for path in [path for pattern in named for path in folder.glob(pattern)]:
        text = path.read_text("utf-8")
        if last.stem in text:
            text = text.replace(last.stem, renamed.stem)
            path.write_text(
                notebooks.with_new_ids(text) if path.suffix == ".ipynb" else text, encoding="utf-8"
            )
    new = write_chapter(folder, first, renamed.stem)
    built(folder)
    names = set(pages(folder))
    assert {f"chapters/{new.stem}.html", f"chapters/{renamed.stem}.html"} <= names
    assert f"chapters/{last.stem}.html" not in names
    green(
        folder, "tests/chapters/test_structure.py", "tests/chapters/test_claims_11.py",
        "tests/classroom", "tests/site/test_site.py", "tests/site/test_reading.py",
        "tests/test_house.py", "tests/tools/test_instructor.py", "tests/tools/test_mutants.py",
    )  # fmt: skip

    # And the added one leaves the site again, by CONTRIBUTING's words: its notebook stays.
    toc = folder / "_toc.yml"
    line = f"      - file: chapters/{new.stem}\n"
    toc.write_text(toc.read_text("utf-8").replace(line, ""), encoding="utf-8")
    built(folder, str(VENV / "bin" / "python"), "tools/instructor.py", PYTHONPATH=str(folder))
    built(folder)
    left = {name for name in pages(folder) if name.endswith(".html")}
    before = {name for name in names if name.endswith(".html")}
    assert left == before - {f"chapters/{new.stem}.html"}
    return "the tests of chapters, class, site and house are green, pages follow _toc.yml"


def shortest(base: Path) -> str:
    """The shortest edition that makes sense: chapters 1, 4 and 5, by CONTRIBUTING's words."""
    folder = copy(base / "short")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    toc = folder / "_toc.yml"
    lines = toc.read_text("utf-8").splitlines(keepends=True)
    gone = [re.fullmatch(r" *- file: (chapters/(\d+)_\w+)\n", line) for line in lines]
    kept = [line for line, match in zip(lines, gone, strict=True)
            if not match or match[2] in {"1", "4", "5"}]  # fmt: skip
    # (A part without a page is none.)
    text = re.sub(r"  - caption: Beside the road\n(    .*\n)*?    chapters:\n(?=  -)", "",
                  "".join(kept))  # fmt: skip
    toc.write_text(text, encoding="utf-8")
    built(folder, str(VENV / "bin" / "python"), "tools/instructor.py", PYTHONPATH=str(folder))
    built(folder)
    found = {name for name in pages(folder) if re.fullmatch(r"chapters/.*\.html", name)}
    assert {name.split("/")[1][0] for name in found} == {"1", "4", "5"} and len(found) == 3, found
    green(
        folder, "tests/chapters/test_structure.py", "tests/site/test_site.py",
        "tests/site/test_reading.py", "tests/site/test_browser_site.py",
        "tests/site/test_browser_reading.py", "tests/site/test_browser_quiz.py",
        "tests/test_house.py", "tests/tools/test_instructor.py", "tests/tools/test_left_out.py",
    )  # fmt: skip
    return "three chapters; the tests of chapters, site, house and instructor's page are green"


def green(folder: Path, *tests: str) -> None:
    """Run some of a copy's own tests, which must be green."""
    built(
        folder, str(VENV / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider",
        *tests, "-k", "not Repository and not lint or agrees_everywhere", PYTHONPATH=str(folder),
    )  # fmt: skip


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
    claims = sorted(path.relative_to(out) for path in out.glob("tests/chapters/test_claims_*.py"))
    green(
        out, *map(str, claims), "tests/chapters/test_structure.py", "tests/chapters/test_prose.py",
        "tests/classroom",
        "tests/site/test_site.py", "tests/site/test_reading.py", "tests/site/test_browser_site.py",
        "tests/test_house.py", "tests/tools/test_instructor.py",
    )  # fmt: skip
    # The search is not blind: on the site of the course it finds the solutions of all chapters.
    built(folder)
    seen = {line.split(":")[0] for line in edition_tool.leaks(folder / "_build" / "html", known)}
    wanted = {f"chapters/{path.stem}.html" for path in (folder / "chapters").glob("*.ipynb")}
    assert wanted <= seen, wanted - seen
    return f"{len(known)} pieces of solutions, none in files or site; the tests are green"


# What an author writes, following CONTRIBUTING: a small chapter, its specs and its quiz.
STEM = "11_pieces"
CELLS = [
    ("markdown", "", """
        ## One knee

        A curve of two straight pieces has one knee. Of such pieces splines are made
        {cite:p}`gregory1982`. How much longer is the way over the knee?

        As a layer of a flow, such a curve carries the base density over. Its log-det is constant on
        each piece. In a coupling, the conditioner chooses the knee. What is the entropy then?

        :::{admonition} Try it
        :class: tip
        Draw a knee of your own, at the same height, but nearer to one end. Is the way shorter?
        :::

        :::{admonition} Answer
        :class: dropdown
        No: it is shortest in the middle.
        :::"""),
    ("code", "hide-input", """
        with gmu.style():
            fig, ax = plt.subplots(figsize=(3, 2))
            ax.plot([0, 3, 6], [0, 4, 0])
            ax.imshow([[0, 1], [1, 0]], extent=(0, 6, 0, 4), alpha=0.2, aspect="auto")
            plt.show()"""),
    ("markdown", "", """
        ## Check yourself

        For you alone, without points."""),
    ("code", "remove-input", f"""
        from classroom import quiz

        quiz("{STEM}")"""),
    ("markdown", "", """
        ## Summary

        A curve of straight pieces has a length that everybody can work out."""),
    ("markdown", "", "## Exercises"),
    ("markdown", "exercise", """
        ```{exercise} The way over the knee
        :label: ex-11-way

        *Warm-up · about 5 minutes · 1 point*

        The knee of the figure lies at the height 4, and 3 from both ends. Give the length of the
        way as `way`.
        ```"""),
    ("code", "answer", """
        from classroom import q

        way = ...  # from one end to the other

        q.way.check()"""),
    ("markdown", "solution", """
        ````{solution} ex-11-way
        :class: dropdown

        Twice the long side of a triangle:

        ```python
        way = 2 * (3**2 + 4**2) ** 0.5
        ```
        ````"""),
    *(
        ("markdown", kind, text)
        for name, level, minutes in (
            ("two", "Core", 10), ("many", "Core", 15), ("round", "Harder", 20),
            ("best", "Research", 30),
        )
        for kind, text in (
            ("exercise", f"""
        ```{{exercise}} Knees, {name}
        :label: ex-11-{name}

        *{level} · about {minutes} minutes · 2 points*

        What changes if the curve has other knees? Say why.
        ```"""),
            ("solution", f"""
        ````{{solution}} ex-11-{name}
        :class: dropdown

        The way gets longer with every knee of this kind ({name}).
        ````"""),
        )
    ),
    ("markdown", "", """
        ## References

        ```{bibliography}
        :filter: docname in docnames
        ```"""),
]  # fmt: skip
FIGURE = {
    "image": {"alt": "A line that rises from 0 to 4, has a knee there, and falls to 0 again."},
    "figure": {"caption": "One knee between two straight pieces.", "name": "fig-pieces-knee"},
}
SPECS = f"""\
\"\"\"Exercises of chapter 11.\"\"\"

from classroom.exercise import Exercise, Level
from classroom.laws import hand_computed

CHAPTER = "{STEM}"
HINTS = ("Draw it.", "Compare it with the straight way.")
RUBRIC = ("a drawing: 1 point", "a reason: 1 point")
SLIPS = {{5.0: "this is the way up; down is as long", 14.0: "the pieces are no sides of a box"}}

EXERCISES = (
    Exercise(
        id="ex-11-way",
        name="way",
        title="The way over the knee",
        level=Level.WARM_UP,
        minutes=5,
        points=1,
        answers=("way",),
        stub="way = ...  # from one end to the other",
        hints=HINTS,
        ports={{"way": "lambda: way"}},
        checks=(hand_computed("way", (), 10.0, 1e-6, SLIPS, what="the way"),),
    ),
    *(
        Exercise(
            f"ex-11-{{name}}", name, f"Knees, {{name}}", level, minutes, 2, HINTS, rubric=RUBRIC
        )
        for name, level, minutes in (
            ("two", Level.CORE, 10),
            ("many", Level.CORE, 15),
            ("round", Level.HARDER, 20),
            ("best", Level.RESEARCH, 30),
        )
    ),
)
"""
MUTANT = """
[[mutant]]
exercise = 'way'
what = 'one way only'
old = '2 * '
new = ''
cause = 'down is as long'
"""
QUESTIONS = """\
\"\"\"Questions of chapter 11.\"\"\"

from classroom.question import Choice, Number, Option, Slip

SIDE, HEIGHT = 3.0, 4.0
PIECE = (SIDE**2 + HEIGHT**2) ** 0.5

QUESTIONS = (
    Number(
        "way",
        f"A knee lies at the height {HEIGHT:g}, and {SIDE:g} from both ends. How long is the way?",
        2 * PIECE,
        "two pieces of the same length.",
        (
            Slip(PIECE, "this is the way up only."),
            Slip(2 * SIDE, "this is the straight way, below the knee."),
        ),
        hint="Add the pieces.",
    ),
    Number(
        "height",
        f"The way over a knee is {2 * PIECE:g} long, and its ends lie {2 * SIDE:g} apart. "
        "How high is the knee?",
        HEIGHT,
        "a side of a triangle with a right angle.",
        (
            Slip(PIECE, "this is the piece, which leans."),
            Slip(PIECE - SIDE, "lengths do not subtract like that, but their squares do."),
        ),
        hint="Draw the triangle.",
    ),
    Choice(
        "knees",
        "How many knees has a curve of five straight pieces?",
        (
            Option("Five.", 5.0, "the last piece ends without a knee."),
            Option("Four.", 5.0 - 1, "one between each piece and the next."),
            Option("Six.", 5.0 + 1, "the two ends are no knees."),
        ),
        wanted=4.0,
    ),
)
"""
OTHER_WAYS = f"""
OTHER_WAYS |= {{
    ("{STEM}", "way"): lambda: 2 * abs(3 + 4j),
    ("{STEM}", "height"): lambda: math.sqrt(25 - 9),
    ("{STEM}", "knees"): lambda: letter([sum(1 for _ in range(1, 5)) == n for n in (5, 4, 6)]),
}}
"""
CLAIMS = """\
def test_the_pieces_are_as_long_as_the_figure_says():
    assert abs(3 + 4j) == 5
"""
CARD = f"""\
::::{{grid-item-card}} 11. Pieces
:link: chapters/{STEM}
:link-type: doc
How long is the way over a knee?
::::
"""


def write_chapter(folder: Path, source: Path, before: str) -> Path:
    """Add a chapter by CONTRIBUTING's steps, taken literally.

    Args:
        folder: The repository.
        source: The chapter whose opening and setup cell are kept.
        before: Stem of the chapter after which it comes.

    Returns:
        The notebook.
    """
    import nbformat

    def change(name: str, old: str, new: str) -> None:
        text = (folder / name).read_text("utf-8")
        assert old in text, f"{name} does not say {old!r}"
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    def add(name: str, text: str) -> None:
        with open(folder / name, "a", encoding="utf-8") as file:
            file.write(text)

    # 1: a copy of a chapter, in the table of contents, with a card.
    notebook = nbformat.read(source, as_version=4)
    opening = next(cell for cell in notebook.cells if cell.cell_type == "markdown")
    opening.source = re.sub(r"^# .+$", "# Pieces", opening.source, count=1, flags=re.M)
    opening.source = re.sub(r"^\(.+\)=\n", "", opening.source, flags=re.M)
    setup = next(cell for cell in notebook.cells if "setup" in cell.metadata.get("tags", []))
    line = f"      - file: chapters/{before}\n"
    change("_toc.yml", line, f"{line}      - file: chapters/{STEM}\n")
    change("intro.md", "::::\n:::::\n", f"::::\n\n{CARD}:::::\n")
    # 2 to 5: the text, with a figure; exercises with specs; the quiz; rows in guards.toml.
    imports = "import matplotlib.pyplot as plt\n\nimport gen_models_utilities as gmu"
    notebook.cells = [opening, setup, nbformat.v4.new_code_cell(imports)]
    for kind, tag, text in CELLS:
        make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
        cell = make(textwrap.dedent(text).strip())
        if tag:
            cell.metadata["tags"] = ["answer", "remove-cell"] if tag == "answer" else [tag]
        if tag == "hide-input":
            cell.metadata["mystnb"] = FIGURE
        notebook.cells.append(cell)
    notebook.metadata.pop("widgets", None)
    notebooks.stable_ids(notebook)
    target = folder / "chapters" / f"{STEM}.ipynb"
    notebooks.store(notebook, target)
    (folder / "classroom" / "exercises" / "pieces.py").write_text(SPECS, encoding="utf-8")
    quiz = f"classroom/quizzes/chapter_{STEM}.py"
    (folder / quiz).write_text(QUESTIONS, encoding="utf-8")
    add("tests/classroom/answers.toml", MUTANT)
    add("tests/classroom/quiz_answers.py", OTHER_WAYS)
    specs = '"classroom/exercises/__init__.py" ='
    guards = '["tests/classroom/test_answers.py", "tests/classroom/test_specs.py"]'
    change("tools/guards.toml", specs, f'"classroom/exercises/pieces.py" = {guards}\n{specs}')
    change("tools/guards.toml", specs, f'"{quiz}" = ["tests/classroom/test_quiz.py"]\n{specs}')
    # 6: run it. (`make execute` would run the ten others, too.)
    (folder / "tests" / "chapters" / "test_claims_11.py").write_text(CLAIMS, encoding="utf-8")
    for command in ("export.py", "solutions.py", f"execute.py chapters/{STEM}.ipynb",
                    "instructor.py"):  # fmt: skip
        tool, *words = command.split()
        built(folder, str(VENV / "bin" / "python"), f"tools/{tool}", *words, PYTHONPATH=str(folder))
    return target


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
    for hardship in (other_places, cut_off, edition, shortest, without_solutions, read_only, moved):
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
