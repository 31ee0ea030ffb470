"""The house around the chapters: pins, commands, addresses, and what a stranger would run."""

import ast
import importlib
import importlib.metadata
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import edition
import pytest
import repository
import yaml
from notebooks import in_order
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from samples import takes_long
from solutions import TARGET
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[1]


def lines(name: str) -> list[str]:
    """The lines of a requirements file, less comments."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return [line for raw in text.splitlines() if (line := raw.split("#")[0].strip())]


def lock() -> dict[str, str]:
    pins = {}
    for line in lines("requirements.lock"):
        name, version = re.fullmatch(r"([\w.-]+)==([\w.]+)", line).groups()
        assert canonicalize_name(name) not in pins, f"{name} is pinned twice"
        pins[canonicalize_name(name)] = version
    return pins


def tracked_files() -> list[Path]:
    """What is, or is about to be, committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The text of each file in the repository, by name."""
    found = {}
    for path in tracked_files():
        try:
            found[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


def test_lock_satisfies_requirements():
    pins = lock()
    requirements = [Requirement(line) for line in lines("requirements.txt")]
    names = [canonicalize_name(requirement.name) for requirement in requirements]
    assert len(names) == len(set(names)), "a package stands twice in requirements.txt"
    for name, requirement in zip(names, requirements, strict=True):
        assert requirement.specifier.contains(pins[name]), f"{requirement}: {pins[name]} is locked"


def test_every_requirement_says_why():
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            assert re.search(r"#\s\w+", line), line


def test_lock_names_no_host_and_no_cuda():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for bad in ("://", "--index", "--find-links", "nvidia", "triton", "+cpu"):
        assert bad not in text


def test_lock_is_what_is_installed():
    for name, version in lock().items():
        installed = importlib.metadata.version(name).split("+")[0]
        assert installed == version, f"{name} {installed} is installed, {version} is locked"


def test_installing_the_course_replaces_nothing():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in project["dependencies"]:
        operators = [specifier.operator for specifier in Requirement(line).specifier]
        assert operators == [">="], f"{line}: only a lower bound"


@cache
def parsed(source: str) -> ast.Module:
    """The tree of a source, which several tests walk."""
    return ast.parse(source)


def imported(*patterns: str) -> set[str]:
    """Packages, by the names under which pip knows them, that the course's files import."""
    names = set()
    for path in (path for pattern in patterns for path in ROOT.glob(pattern)):
        for node in ast.walk(parsed(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    own = {path.stem for path in [*ROOT.glob("*.py"), *ROOT.glob("t*/**/*.py")]} | {
        "benchmarks",
        "classroom",
        "experiments",
        "lab",
        "live",
    }
    known = importlib.metadata.packages_distributions()
    outside = names - own - set(sys.stdlib_module_names)
    return {canonicalize_name(known[name][0]) for name in outside}


def test_what_the_modules_import_is_declared():
    """So that `pip install` of the course, without --no-deps, gives something that imports."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    modules = imported(
        "flows.py",
        "flows_support.py",
        "gen_models_utilities.py",
        "classroom/**/*.py",
        "experiments/**/*.py",
        "lab/**/*.py",
        "live/**/*.py",
    )
    optional = {"ipywidgets", "distributed"}  # (each says so, where it is missing)
    assert modules - optional <= declared


def test_what_tools_and_tests_import_is_required():
    required = {canonicalize_name(Requirement(line).name) for line in lines("requirements.txt")}
    ours = (
        "*.py",
        "classroom/**/*.py",
        "experiments/**/*.py",
        "lab/**/*.py",
        "live/**/*.py",
        "tools/*.py",
        "tests/**/*.py",
    )
    assert imported(*ours) <= required


@pytest.mark.parametrize(
    "module",
    ["classroom", "experiments", "flows", "flows_support", "gen_models_utilities", "live"],
)
def test_docstrings_are_complete(module):
    """Arguments, result, errors and an example of all that the course offers."""
    module = importlib.import_module(module)
    for name in getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]:
        thing = getattr(module, name)
        home = getattr(thing, "__module__", "").split(".")[0]
        if not callable(thing) or home != module.__name__:
            continue
        text, is_class = inspect.getdoc(thing) or "", inspect.isclass(thing)
        text = text.replace("Attributes:", "Args:")  # of a dataclass they are the same
        wanted = {"Example"}
        if "__init__" in vars(thing) or (not is_class and inspect.signature(thing).parameters):
            wanted.add("Args:")
        gives = not is_class and inspect.signature(thing).return_annotation not in (None, "None")
        if gives and name != "style":  # (a context)
            wanted.add("Returns:")
        if "raise " in inspect.getsource(thing):
            wanted.add("Raises:")
        missing = sorted(part for part in wanted if part not in text)
        assert not missing, f"{module.__name__}.{name}: {', '.join(missing)}"


def test_ci_runs_the_readers_commands():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text(encoding="utf-8").splitlines()
    workflow = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text(encoding="utf-8"))
    steps = [step for step in workflow["jobs"]["book"]["steps"] if "run" in step]
    box, *commands = [step for step in steps if "if" not in step]
    assert [step["run"] for step in commands] == ["make book", "make test"]
    assert [set(step) for step in (box, *commands)] == [{"run"}, {"run"}, {"run", "env"}]
    publish, release = [step for step in steps if "if" in step]
    assert publish["run"].endswith("tools/book.py --publish") and "push" in publish["if"]
    assert release["run"] == "make pdf archive" and "release" in release["if"]


def test_ci_skips_no_test_of_the_box():
    """Jobs that run tests get what a box needs, and nothing else, and may not skip."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text(encoding="utf-8"))
    for job, test in {"book": "make test", "hardships": "make hardships"}.items():
        steps = [step for step in workflow["jobs"][job]["steps"] if "run" in step]
        assert steps[0]["run"].splitlines() == [
            "sudo apt-get update",
            "sudo apt-get install --yes --no-install-recommends bubblewrap",
            "sudo sysctl --write kernel.apparmor_restrict_unprivileged_userns=0",
        ]
        (tested,) = (step for step in steps if step["run"] == test)
        assert tested["env"]["CLASSROOM_BOX"] == "required"


def test_ci_runs_all_tests():
    """Also those that take long, which `make test` leaves out."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text(encoding="utf-8"))
    (tested,) = (s for s in workflow["jobs"]["book"]["steps"] if s.get("run") == "make test")
    assert tested["env"]["COURSE_TESTS"] == "all"


# The jobs that may write: at which event, and what.
PUBLISHERS = {"publish": ("push", {"pages", "id-token"}), "attach": ("release", {"contents"})}


def test_ci_has_few_permissions_and_pinned_actions():
    text = (ROOT / ".github/workflows/book.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}, "what a job needs stands at the job"
    for name, job in workflow["jobs"].items():
        assert 0 < job["timeout-minutes"] <= 60, f"{name}: a job that hangs must end"
        writes = {what for what, access in job["permissions"].items() if access == "write"}
        if writes:
            # Who may publish runs nothing of the book, and nothing for a pull request.
            event, allowed = PUBLISHERS[name]
            assert writes == allowed and "checkout" not in str(job["steps"])
            commands = [step["run"] for step in job["steps"] if "run" in step]
            assert all(command.startswith("gh release upload ") for command in commands)
            assert f"github.event_name == '{event}'" in job["if"] and job["needs"] == "book"
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
                assert re.search(re.escape(step["uses"]) + r" # v\d+\.\d+\.\d+$", text, flags=re.M)
            if "actions/checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
            for command in step.get("run", "").splitlines():
                assert "${{" not in command, "an event's text must not become a command"


def test_every_command_is_documented():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = re.search(r"^\.PHONY: (.+)$", makefile, flags=re.MULTILINE)[1].split()
    shown = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    for command in commands:
        assert re.search(rf"^  make {command} +\w", shown.stdout, flags=re.MULTILINE), command


def test_toc_names_the_chapters_in_order():
    files = list(parse_toc_yaml(ROOT / "_toc.yml"))
    chapters = in_order((ROOT / "chapters").glob("*.ipynb"))
    named = [name for name in files if name.startswith("chapters/")]  # an edition leaves some out
    assert named == [n for p in chapters if (n := f"chapters/{p.stem}") in named]
    for name in files:
        assert list(ROOT.glob(f"{name}.*")), f"{name} is in _toc.yml but not there"


def test_bibliography_is_sorted_and_unique():
    text = (ROOT / "references.bib").read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{([^,]+),", text, flags=re.MULTILINE)
    assert keys == sorted(set(keys))


def test_no_machine_paths_or_registry_hosts(texts):
    # Written in parts, so that this file does not hold what it forbids.
    hosts = ["pypi" + ".org", "pythonhosted" + ".org", "download.pytorch" + ".org"]
    hosts += ["registry.npm" + "js.org", "deb.debian" + ".org"]
    paths = re.compile(r"(?<![\w.:/<-])/(?:work|root)/\w+")
    for name, text in texts.items():
        for host in hosts:
            assert host not in text, f"{name} names {host}"
        assert not (found := paths.search(text)), f"{name} names {found and found[0]}"


def test_nothing_third_party_is_committed(texts):
    for name in texts:
        assert not re.search(r"\.min\.(?:js|css)$|node_modules/|(?i:mathjax.*\.js$)", name), name


# (Whose `open` opens no text file.)
NOT_FILES = {"Image", "webbrowser", "os", "gzip", "page", "context", "app", "wave", "archive"}


def without_encoding(source: str) -> list[int]:
    """Lines where a text file, or a program's text, is read or written in the machine's own code.

    On many machines that is not UTF-8: text is garbled, or the program stops.
    """
    lines = []
    for node in ast.walk(parsed(source)):
        if not isinstance(node, ast.Call):
            continue
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        owner = getattr(getattr(node.func, "value", None), "id", "")
        method = isinstance(node.func, ast.Attribute) and owner not in ("io", "os")
        place = 0 if method else 1  # of the mode: path.open(mode), open(path, mode)
        mode = [*node.args[place : place + 1], given.get("mode")]
        binary = any("b" in a.value for a in mode if isinstance(getattr(a, "value", 0), str))
        if name in ("read_text", "write_text"):
            asks = len(node.args) < (1 if name == "read_text" else 2)
        elif name in ("open", "fdopen"):
            asks = not binary and (owner not in NOT_FILES or name == "fdopen")
        elif name in ("NamedTemporaryFile", "TemporaryFile"):
            asks = isinstance(given.get("mode"), ast.Constant) and not binary
        else:
            asks = any(getattr(given.get(k), "value", 0) for k in ("text", "universal_newlines"))
        if asks and not {"encoding", None} & set(given):
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("p.read_text()", 1), ("p.read_text(encoding='utf-8')", 0), ("p.write_text('a')", 1),
        ("p.write_text('a', 'utf-8')", 0), ("open('b')", 1), ("open('a', 'rb')", 0),
        ("p.open('w')", 1), ("open('a', mode='wb')", 0), ("Image.open('b')", 0),
        ("run(c, text=True)", 1), ("run(c, encoding='utf-8')", 0), ("run(c, **options)", 0),
        ("os.fdopen(1, 'w')", 1), ("open('a', 'w', encoding='utf-8')", 0), ("run(c)", 0),
    ],
)  # fmt: skip
def test_finding_what_names_no_encoding(source, found):
    assert without_encoding(source) == [1] * found


def test_every_text_file_is_opened_with_its_encoding(texts):
    for name, text in texts.items():
        if name.endswith(".py"):
            pieces = [text]
        elif name.endswith(".ipynb"):
            cells = json.loads(text)["cells"]
            cells = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
            pieces = [re.sub(r"^(\s*)[%!].*$", r"\1pass", cell, flags=re.M) for cell in cells]
        else:
            continue
        for piece in pieces:
            assert not (found := without_encoding(piece)), f"{name}: lines {found}"


PROSE = (".md", ".ipynb", ".txt", ".toml", ".yml")
IMAGINED = {"chapters/11_your_subject.ipynb", "tests/chapters/test_claims_11.py"}  # of a reader


def unnamed(readme: str, names: set[str]) -> set[str]:
    """The names that no row of README's table of the top level lists; folders end in a slash."""
    table = readme.partition("## What is where")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    assert all(len(row) == 4 and len(row[2].split()) >= 3 for row in rows), "what is it for?"
    listed = {name for row in rows for name in re.findall("`([^`]+)`", row[1])}
    assert not (gone := listed - names), f"README's table lists what is not there: {gone}"
    return names - listed


def test_the_readme_says_of_all_at_the_top_level_why_it_is_there():
    files = [path.relative_to(ROOT).parts for path in tracked_files()]
    names = {parts[0] + "/" * (len(parts) > 1) for parts in files}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not (left_out := unnamed(readme, names)), f"README's table lacks {left_out}"
    assert unnamed(readme, names | {"new/", "new.md"}) == {"new/", "new.md"}


def test_each_folder_of_tests_is_named_like_a_part_or_readme_says_what_it_is_for():
    folders = {path.relative_to(ROOT).parts[1] for path in tracked_files()
               if path.relative_to(ROOT).parts[0] == "tests"
               and len(path.relative_to(ROOT).parts) > 2}  # fmt: skip
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for folder in folders:
        assert (ROOT / folder).is_dir() or f"`tests/{folder}/`" in readme, folder


def test_paths_in_prose_lead_somewhere(texts):
    """Of files and folders below the top level; what they are followed by may be left out."""
    files = [path.relative_to(ROOT) for path in tracked_files()]
    there = {str(place) for path in files for place in (path, *path.parents)}
    folders = "|".join(sorted({re.escape(path.parts[0]) for path in files if len(path.parts) > 1}))
    named = re.compile(rf"(?<![\w./-])((?:{folders})/[\w./-]*\w)")
    left_out = set() if TARGET.exists() else {*edition.ANSWERS}
    for name, text in texts.items():
        if not name.endswith(PROSE):
            continue
        if name.endswith(".ipynb"):
            text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
        for path in named.findall(text):
            known = path in IMAGINED | left_out or any(place.startswith(path) for place in there)
            assert known or path.endswith((".html", ".json")), f"{name}: {path}"


def test_lint():
    for arguments in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *arguments, "."]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stdout + done.stderr


class TestRepositoryAddress:
    """One place says where the course lives; `make repository URL=...` sets it everywhere."""

    def test_agrees_everywhere(self, texts):
        address = repository.address()
        for name, text in texts.items():
            if not name.endswith((".ipynb", ".cff")):
                continue
            own = re.findall(r"(?:git\+|repository-code: )(https://[^\s\"\\]+)", text)
            assert own and set(own) == {address}, f"{name}: {own}"

    @pytest.fixture
    def copy(self, tmp_path):
        """A copy of all that the command may touch, with the command itself."""
        for path in tracked_files():
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        return tmp_path

    def set(self, copy, url):
        command = [sys.executable, "tools/repository.py", url]
        return subprocess.run(command, cwd=copy, capture_output=True, encoding="utf-8")

    def make(self, copy, url):
        (copy / ".venv").symlink_to(sys.prefix)
        command = ["make", "repository", f"URL={url}"]
        return subprocess.run(command, cwd=copy, capture_output=True, encoding="utf-8")

    def test_is_set_in_one_command(self, copy):
        old, new = repository.address(), "https://github.com/someone/their-course"
        assert self.set(copy, new + ".git").returncode == 0
        assert repository.address(copy) == new
        left = [
            path
            for path in copy.rglob("*")
            if path.is_file() and path.suffix in {".yml", ".md", ".cff", ".toml", ".ipynb", ".py"}
            if old in path.read_text(encoding="utf-8")
        ]
        assert not left
        # And back again: nothing else was changed.
        assert self.set(copy, old).returncode == 0
        for path in tracked_files():
            assert path.read_bytes() == (copy / path.relative_to(ROOT)).read_bytes(), path

    @takes_long
    def test_leaves_the_tests_green(self, copy):
        """Cells are named by their content, which the command changes."""
        subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)
        done = self.make(copy, "https://github.com/someone/their-course")
        assert done.returncode == 0, done.stderr
        notebooks = [*copy.glob("chapters/*.ipynb"), *copy.glob("experiments/sheets/*.ipynb")]
        assert done.stdout.count(".ipynb") == len(notebooks)
        tests = ["chapters/test_structure.py", "tools/test_export.py", "test_house.py"]
        tests = [f"tests/{name}" for name in tests]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
        # (What modules import, and how they open files, holds no address.)
        chosen = (
            "not Repository and not lint and not import_is and not encoding or agrees_everywhere"
        )
        ran = subprocess.run(
            [*command, "-k", chosen], cwd=copy, capture_output=True, encoding="utf-8",
            env=os.environ | {"PYTHONPATH": str(copy)},
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout[-3000:]

    @pytest.mark.parametrize(
        "url",
        [
            "https://github.com/a", "https://github.com/a/b/tree/main", "https://github.com/a/b c",
            "https://gitlab.com/a/b", "https://github.com.evil.org/a/b",
            "https://github.com/../..", "https://github.com/a/..", "https://github.com/a/.git",
            "https://github.com/a/b..c", "https://github.com/-a/b", "https://github.com//b",
            "https://me:secret@github.com/a/b", "https://github.com/a/b?x", "https://github.com/a/b#x",
            "https://github.com/ä/b", "https://github/a/b", "https://github.com/a/b\nx: y",
            'https://github.com/a/b"', "https://github.com/a/b'", "https://github.com/a/b<c>",
            "github.com/a/b", "http://github.com/a/b", "git@host:a/b.git", "ssh://github.com/a/b",
        ],
    )  # fmt: skip
    def test_a_bad_address_is_refused(self, url):
        with pytest.raises(ValueError, match=r"https://github\.com/owner/name") as refused:
            repository.checked(url)
        assert repr(url) in str(refused.value)

    def test_a_bad_address_changes_nothing_and_runs_nothing(self, copy):
        before = sorted(copy.rglob("*"))
        evil = (
            """https://github.com/a/$(shell touch one)`touch two`$$(touch three)";touch four;'\\"""
        )
        done = self.make(copy, evil)
        assert done.returncode != 0 and repr(evil) in done.stderr, done.stderr
        assert repository.address(copy) == repository.address()
        new = {path.name for path in set(copy.rglob("*")) - set(before)}
        assert not new & {"one", "two", "three", "four"}, new
