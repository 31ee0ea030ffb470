"""Change a module in small ways, one at a time, and see whether its tests notice: `make mutants`.

    python tools/mutants.py flows.py --n 60 --seed 0
    python tools/mutants.py live/compiler --n 60 --quick
    python tools/mutants.py live/page/js/marks.js --n 20
    python tools/mutants.py tools/safely.py --by tests/tools/test_safely.py --lines 20-60

The tests that guard a module are named (`--by`), or stand in `tools/guards.toml`. A change (a
"mutant") that the tests notice is killed. One that survives shows a line whose effect no test looks
at, or that has no effect. Each survivor is printed as `file:line: before -> after`.

All happens in a copy of the repository; each run of the tests is forked from a process that has
imported the libraries already, which takes longer than many a test. First come those tests that
run the changed line, the shortest first. What was found is kept in `.cache/mutants`, by the content
of the module and of its tests: the same command goes on where an earlier one was stopped.
"""

import argparse
import ast
import contextlib
import copy
import hashlib
import json
import multiprocessing
import os
import queue
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import hardships

ROOT = Path(__file__).resolve().parents[1]
TABLE = "tools/guards.toml"
OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.MatMult: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
EXTREMES = {"min": "max", "minimum": "maximum", "argmin": "argmax", "amin": "amax"}
EXTREMES |= {high: low for low, high in EXTREMES.items()}
LIBRARIES = (
    "torch", "scipy.stats", "matplotlib.pyplot", "seaborn", "hypothesis.strategies", "nbclient",
    "ipywidgets", "anywidget", "playwright.sync_api", "bs4", "PIL.Image",
    "sphinx.application", "torch.fx.experimental.proxy_tensor", "torch.distributions",
)  # fmt: skip
PATIENCE = "30"  # seconds: see tools/browser.py
NEEDED = ["pytest", "coverage", "nbformat"]  # by each run, and by this tool
PLUGINS = ["nbval.plugin", "_hypothesis_pytestplugin", "anyio.pytest_plugin"]
# A socket's whole name may have 103 bytes, on some machines. Of these, 53 are for what the tests
# and multiprocessing put behind: /mutants-12345678/tmp/pymp-12345678/listener-12345678.
LONGEST = 50
FOLDERS = ("/tmp", "/var/tmp")  # where temporary files go if TMPDIR is longer
SCRIPT_WORDS = {
    "<": ("<=", ">"), "<=": ("<", ">="), ">": (">=", "<"), ">=": (">", "<="), "===": ("!==",),
    "!==": ("===",), "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "+=": ("-=",),
    "-=": ("+=",), "&&": ("||",), "||": ("&&",), "??": ("&&",), "true": ("false",),
    "false": ("true",), "Math.min": ("Math.max",), "Math.max": ("Math.min",),
    "Math.floor": ("Math.ceil",), "Math.ceil": ("Math.floor",),
}  # fmt: skip
SCRIPT = re.compile(
    r"//[^\n]*|/\*.*?\*/|`(?:\\.|[^`\\])*`|(?<=\()/(?:\\.|[^/\\\n])+/|=>"  # (these stay)
    r"|(?P<number>(?<![\w.$])\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.]))"
    r"|(?P<text>\"[^\"\n]*\")"
    r"|(?P<word>(?<= )(?:[<>]=?|[!=]==|[-+*/]=?|&&|\|\||\?\?)(?= )"
    r"|\b(?:true|false|Math\.(?:min|max|floor|ceil))\b)"
    r"|(?P<negated>!(?!=)[\w.]+)",
    re.DOTALL,
)
SCRIPT_CALL = re.compile(r"^ +(?P<call>[\w.?]+\([^\n]*\);)(?= *$| *//)", re.MULTILINE)
BRACKETED = (ast.UnaryOp, ast.BinOp, ast.BoolOp)  # what their change binds may differ


@dataclass(frozen=True)
class Mutant:
    """One change of a module.

    Args:
        line: The line that is changed, counted from 1.
        start: Where the replaced text starts, in bytes of the module.
        end: Where it ends.
        before: What a reader is shown of the old code.
        after: What a reader is shown of the new code.
        text: What takes the place of the old text.
    """

    line: int
    start: int
    end: int
    before: str
    after: str
    text: str

    def applied(self, source: str) -> str:
        """The module's text with this change."""
        data = source.encode()
        return (data[: self.start] + self.text.encode() + data[self.end :]).decode()


# --------------------------------------------------------------------------------- the changes


def _with(node: ast.AST, **fields) -> ast.AST:
    """A copy of a node with other fields."""
    changed = copy.deepcopy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _constants(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield from (ast.Constant(value + 1), ast.Constant(value - 1))
    elif isinstance(value, float):
        yield from (ast.Constant(value * 2 or 1.0), ast.Constant(value / 2 or -1.0))
    elif isinstance(value, str):
        yield ast.Constant(value + "XX")


def _slices(node: ast.Slice) -> Iterator[ast.AST]:
    """One further, where a bound is no plain number (those are changed as numbers)."""
    for name in ("lower", "upper"):
        bound = getattr(node, name)
        if bound is not None and not isinstance(bound, ast.Constant):
            yield _with(node, **{name: ast.BinOp(bound, ast.Add(), ast.Constant(1))})


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    """The first two arguments swapped, and the smallest taken for the largest."""
    if len(node.args) > 1 and not any(isinstance(a, ast.Starred) for a in node.args[:2]):
        first, second, *rest = node.args
        if ast.dump(first) != ast.dump(second):
            yield _with(node, args=[second, first, *rest])
    name = getattr(node.func, "id", getattr(node.func, "attr", None))
    if name in EXTREMES:
        field = "id" if isinstance(node.func, ast.Name) else "attr"
        yield _with(node, func=_with(node.func, **{field: EXTREMES[name]}))


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """What a node may be replaced by."""
    if isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Compare):
        for k, op in enumerate(node.ops):
            for kind in COMPARISONS[type(op)]:
                yield _with(node, ops=[*node.ops[:k], kind(), *node.ops[k + 1 :]])
    elif isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)) and type(node.op) in OPERATORS:
        yield _with(node, op=OPERATORS[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
        yield node.operand
    elif isinstance(node, ast.IfExp):
        yield _with(node, body=node.orelse, orelse=node.body)
    elif isinstance(node, ast.Slice):
        yield from _slices(node)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass()


def _is_text(node: ast.AST) -> bool:
    """A docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """What of a node is tried: no docstring, annotation, f-string, error or program's entry, and no
    name in `__all__` (the linter looks at those)."""
    skipped = {"annotation", "returns"}
    if isinstance(node, (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom)) or _is_text(node):
        return
    if isinstance(node, ast.If) and "'__main__'" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
        return
    for name, value in ast.iter_fields(node):
        if name not in skipped:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield child


def mutants(source: str, first: int = 1, last: int | None = None) -> list[Mutant]:
    """List every change of a module that this tool knows, in the order of its lines.

    Args:
        source: The module's text.
        first: The first line to change.
        last: The last line to change; by default that of the module.

    Returns:
        The changes.

    Example:
        >>> for mutant in mutants("def f(a, b):\\n    return max(a, b) < 2\\n"):
        ...     print(mutant.line, mutant.before, "->", mutant.after)
        2 max(a, b) < 2 -> max(a, b) <= 2
        2 max(a, b) < 2 -> max(a, b) > 2
        2 max(a, b) -> max(b, a)
        2 max(a, b) -> min(a, b)
        2 2 -> 3
        2 2 -> 1
    """
    data = source.encode()
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []

    def visit(node: ast.AST, parent: ast.AST | None) -> None:
        if hasattr(node, "lineno") and first <= node.lineno <= (last or len(starts)):
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            before = " ".join(data[start:end].decode().split())
            for change in _changes(node):
                after = text = ast.unparse(change)
                if isinstance(node, BRACKETED) or text.startswith("-"):
                    text = f"({text})"
                name = f"{parent.arg}=" if isinstance(parent, ast.keyword) else ""
                found.append(Mutant(node.lineno, start, end, name + before, name + after, text))
        for child in _children(node):
            visit(child, node)

    visit(ast.parse(source), None)
    return sorted(found, key=lambda mutant: mutant.line)


def script_mutants(source: str, first: int = 1, last: int | None = None) -> list[Mutant]:
    """List changes of a JavaScript module: of its numbers, texts, operators and of lone calls.

    Comments, templates and regular expressions stay as they are. It knows this repository's way of
    writing only: blanks around operators, `===` for equality.

    Args:
        source: The module's text.
        first: The first line to change.
        last: The last line to change; by default that of the module.

    Returns:
        The changes, in the order of the lines.

    Example:
        >>> for mutant in script_mutants('if (a < 2 && !b) {\\n  f("c"); // 3\\n}\\n'):
        ...     print(mutant.line, mutant.before, "->", mutant.after)
        1 if (a < 2 && !b) { -> if (a <= 2 && !b) {
        1 if (a < 2 && !b) { -> if (a > 2 && !b) {
        1 if (a < 2 && !b) { -> if (a < 3 && !b) {
        1 if (a < 2 && !b) { -> if (a < 1 && !b) {
        1 if (a < 2 && !b) { -> if (a < 2 || !b) {
        1 f (a < 2 && !b) { -> f (a < 2 && b) {
        2 f("c"); // 3 -> f("cXX"); // 3
        2 f("c"); // 3 -> ; // 3
    """
    found = []
    for match in (*SCRIPT.finditer(source), *SCRIPT_CALL.finditer(source)):
        if (kind := match.lastgroup) is None:
            continue
        text, (start, end) = match[kind], match.span(kind)
        line = source.count("\n", 0, start) + 1
        if not first <= line <= (last or line):
            continue
        if kind == "number":
            constant = ast.Constant(ast.literal_eval(text))
            made = [ast.unparse(change) for change in _constants(constant)]
        elif kind == "text":
            made = [f"{text[:-1]}XX{text[-1]}"]
        elif kind == "negated":
            made = [text[1:]]
        elif kind == "call":
            made = [";"] if text.count("(") == text.count(")") else []
        else:
            made = SCRIPT_WORDS[text]
        left = source[max(start - 12, source.rfind("\n", 0, start) + 1) : start].lstrip()
        right = source[end : end + 12].partition("\n")[0].rstrip()
        at = len(source[:start].encode())
        for after in made:
            shown = (" ".join(f"{left}{part}{right}".split()) for part in (text, after))
            found.append(Mutant(line, at, at + len(text.encode()), *shown, after))
    return sorted(found, key=lambda mutant: mutant.line)


# ----------------------------------------------------------------------------------- the tests


def statement(tree: ast.Module, line: int) -> range:
    """Find the lines of the innermost statement that a line belongs to.

    Args:
        tree: The module.
        line: A line of it.

    Returns:
        The statement's lines; of one that holds others, those before them.

    Example:
        >>> statement(ast.parse("if a:\\n    f(1,\\n      2)"), 3)
        range(2, 4)
    """
    found = range(line, line + 1)
    for node in ast.walk(tree):  # (outer ones come first)
        if isinstance(node, ast.stmt) and node.lineno <= line <= node.end_lineno:
            body = getattr(node, "body", None)
            found = range(node.lineno, body[0].lineno if body else node.end_lineno + 1)
    return found if line in found else range(line, line + 1)


def libraries(root: Path, names: list[str]) -> list[str]:
    """What the tests import from elsewhere and load slowly: it is loaded once, before all runs.

    Args:
        root: The repository.
        names: The module and the files that guard it.

    Returns:
        Names of modules.
    """
    files = [root / name for name in (*names, "tests/conftest.py")]
    text = " ".join(path.read_text(encoding="utf-8") for path in files if path.exists())
    plugins = [] if os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") else PLUGINS
    return [*NEEDED, *plugins, *(name for name in LIBRARIES if name.split(".")[0] in text)]


class Watch:
    """Which lines of some modules each test runs, and how long it takes (a plugin of pytest).

    Args:
        folder: The folder that the modules' names count from.
        modules: Their names.
    """

    def __init__(self, folder: Path, modules: list[str]):
        import coverage

        self.files, self.start = {name: str(folder / name) for name in modules}, 0.0
        self.seconds: dict[str, float] = {}
        include = list(self.files.values())
        self.coverage = coverage.Coverage(data_file=None, config_file=False, include=include)
        self.coverage.start()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins: what is prepared now, others of its file may use, too."""
        self.coverage.switch_context(nodeid.split("::")[0])
        self.start = time.monotonic()

    def pytest_runtest_call(self, item) -> None:
        """What follows is the test itself."""
        self.coverage.switch_context(item.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """It has ended."""
        seconds, file = time.monotonic() - self.start, nodeid.split("::")[0]
        self.seconds[nodeid] = seconds
        self.seconds[file] = self.seconds.get(file, 0.0) + seconds

    def found(self) -> dict[str, dict[int, list[str]]]:
        """Module -> line -> the tests, or whole files, that run it, shortest first."""
        self.coverage.stop()
        data = self.coverage.get_data()
        return {
            name: {
                line: sorted(self.seconds.keys() & tests, key=self.seconds.get)
                for line, tests in data.contexts_by_lineno(file).items()
            }
            for name, file in self.files.items()
        }


def _run_tests(
    folder: str, tests: list[str], variables: dict[str, str], note: str, watched: list[str]
) -> None:
    """What a forked process does: `python -m pytest` in that folder, as if it were a new one."""
    os.setsid()
    with open(note, "wb", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    tempfile.tempdir = None
    sys.dont_write_bytecode = True  # (a forked process does not look at its variables for it)

    def ours(place: str | None) -> bool:
        """Whether this lies in the repository that is copied, and not in its environment."""
        path, environment = Path(place or "/").resolve(), Path(sys.prefix).resolve()
        return path.is_relative_to(ROOT) and not path.is_relative_to(environment)

    sys.path[:] = [folder, *(place for place in sys.path if place and not ours(place))]
    for name, loaded in list(sys.modules.items()):
        if ours(getattr(loaded, "__file__", None)) and not name.startswith("__"):
            del sys.modules[name]
    import pytest

    plugins = [Watch(Path(folder), watched)] if watched else []
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests], plugins=plugins)
    for watch in plugins:
        Path(note).with_suffix(".json").write_text(json.dumps(watch.found()), encoding="utf-8")
    sys.exit(code)


class Runner:
    """Run tests in copies of the repository, and end them when there is no time left.

    Args:
        root: The repository; it is only read.
        base: An empty folder, for the copies and for the tests' own temporary files.
        modules: The modules that are changed: name in the repository -> text.
        guards: The tests' files, by theirs.
        workers: How many copies to make, one for each that runs at once.
    """

    def __init__(
        self, root: Path, base: Path, modules: dict[str, str], guards: list[str], workers: int
    ):
        self.modules, self.guards = modules, guards
        self.folders: queue.Queue[Path] = queue.Queue()
        self.running: set[multiprocessing.Process] = set()
        self.stopped = False
        self.known: dict[str, dict[str, list[str]]] = {}  # module -> line -> who runs it
        self.lock = threading.Lock()
        self.temporary, self.notes = base / "tmp", base / "notes"
        for folder in (self.temporary, self.notes):
            folder.mkdir()
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(libraries(root, [*modules, *guards]))
        for k in range(workers):
            folder = hardships.copy(base / str(k), root)
            # (Some tests ask git for the names of the files.)
            subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
            self.folders.put(folder)

    def watch(self) -> tuple[str, float, str]:
        """Run all tests without a change, and note which of them run which line.

        Returns:
            See `run`.
        """
        # Of a program in another language nobody knows which lines are run.
        modules = [name for name in self.modules if name.endswith(".py")]
        result = self.run(*next(iter(self.modules.items())), None, watched=modules)
        for note in self.notes.glob("*.json"):
            self.known = json.loads(note.read_text(encoding="utf-8"))
        return result

    def run_first(
        self, module: str, line: range, source: str, limit: float, quick: bool
    ) -> tuple[str, float, str]:
        """Run the tests that run a line, shortest first; if they all pass, all tests.

        Args:
            module: The module that is changed.
            line: Where the changed statement stands.
            source: The module's text.
            limit: Seconds after which the tests are ended.
            quick: Not all tests, where some run the line.

        Returns:
            See `run`.
        """
        known = self.known.get(module, {})
        tests = list(dict.fromkeys(test for k in line for test in known.get(str(k), [])))
        files = dict.fromkeys(test.split("::")[0] for test in tests)
        of_file = {f: [f] if f in tests else [t for t in tests if t.startswith(f"{f}::")]
                   for f in files}  # fmt: skip
        tests = [test for found in of_file.values() for test in found]
        result = self.run(module, source, limit, tests) if tests else ("passed", 0.0, "")
        done = result[0] != "passed" or (tests and quick)
        return result if done else self.run(module, source, limit)

    def run(
        self, module: str, source: str, limit: float | None, tests: list[str] | None = None,
        watched: list[str] | None = None,
    ) -> tuple[str, float, str]:  # fmt: skip
        """Run the tests with this text of a module.

        Args:
            module: The module that is changed.
            source: The module's text.
            limit: Seconds after which the tests are ended; None waits.
            tests: Which ones; by default all that guard the modules.
            watched: The modules whose lines are noted (see `watch`).

        Returns:
            "passed", "failed" or "late"; the seconds it took; what pytest said.
        """
        folder = self.folders.get()
        try:
            (folder / module).write_text(source, encoding="utf-8", newline="")
            # Compiled files are told apart by second and size: too coarse for mutants.
            own = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
            own |= {"TMPDIR": str(self.temporary), "BROWSER_PATIENCE": PATIENCE}
            own["COURSE_TESTS"] = "all"  # those that `make test` leaves to `make test-all`, too
            note = self.notes / f"{folder.name}.txt"
            own = hardships.variables() | own
            given = str(folder), tests or self.guards, own, str(note), watched or []
            process = self.context.Process(target=_run_tests, args=given)
            start = time.monotonic()
            with self.lock:
                if self.stopped:
                    raise InterruptedError
                process.start()
                self.running.add(process)
            try:
                process.join(limit)
                if self.stopped:
                    raise InterruptedError
                if process.exitcode in (-signal.SIGKILL, -signal.SIGTERM):
                    raise RuntimeError("something outside has ended the tests")
                result = {None: "late", 0: "passed"}.get(process.exitcode, "failed")
            finally:
                self._end(process)
            told = note.read_text(encoding="utf-8", errors="replace") if note.exists() else ""
            return result, time.monotonic() - start, told
        finally:
            (folder / module).write_text(self.modules[module], encoding="utf-8", newline="")
            self.folders.put(folder)

    def _end(self, process: multiprocessing.Process) -> None:
        """End a run with all that it has started."""
        _kill(process)
        process.join()
        self.running.discard(process)

    def stop(self) -> None:
        """End all runs, and start no other."""
        with self.lock:
            self.stopped = True
            for process in list(self.running):
                _kill(process)


def _kill(process: multiprocessing.Process) -> None:
    """End a process with its group; it has none in its first moment."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()


class Memory:
    """What was found earlier, one line of JSON a mutant; a line that was cut off is forgotten.

    Args:
        root: The repository; the file lies in its `.cache`, which git ignores.
        module: The module that is changed.
        guards: The files that guard it, or tests in them, as pytest names them. With other
            contents all is to be tried again.
        quick: Whether some of the tests decide (see `Runner.run_first`).
    """

    def __init__(self, root: Path, module: str, guards: list[str], quick: bool = False):
        parts = [(root / name.split("::")[0]).read_bytes() for name in (module, *guards)]
        digest = hashlib.sha256(repr((module, guards, parts, quick)).encode()).hexdigest()[:16]
        self.path = root / ".cache" / "mutants" / f"{digest}.jsonl"
        self.known: dict[str, str] = {}
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError, KeyError):
                    entry = json.loads(line)
                    self.known[entry["mutant"]] = entry["result"]

    @staticmethod
    def key(mutant: Mutant) -> str:
        """A name for a mutant of this module."""
        return f"{mutant.start}-{mutant.end}: {mutant.text}"

    def add(self, mutant: Mutant, result: str) -> None:
        """Keep what was found."""
        self.known[self.key(mutant)] = result
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps({"mutant": self.key(mutant), "result": result}))


# ------------------------------------------------------------------------------------- the tool


def try_all(
    chosen: list[tuple[str, Mutant]], runner: Runner, memories: dict[str, Memory], options
) -> None:
    """Try the mutants that are not known yet, and tell of each.

    Args:
        chosen: The modules and their mutants.
        runner: Runs the tests.
        memories: Module -> what is known of its mutants; they grow.
        options: The tool's options: `workers`, `limit` and `quick`.

    Raises:
        RuntimeError: The tests fail without any change, or do not see a module, or were ended.
    """

    def is_known(module: str, mutant: Mutant) -> bool:
        return Memory.key(mutant) in memories[module].known

    new = [pair for pair in chosen if not is_known(*pair)]
    print(f"{len(chosen) - len(new)} of {len(chosen)} are known from an earlier run", flush=True)
    if not new:
        return

    def attempt(pair: tuple[str, Mutant], limit: float) -> None:
        (module, mutant), source = pair, runner.modules[pair[0]]
        where = range(mutant.line, mutant.line + 1)
        if module.endswith(".py"):
            where = statement(ast.parse(source), mutant.line)
        changed = mutant.applied(source)
        result, seconds, _ = runner.run_first(module, where, changed, limit, options.quick)
        word = {"passed": "SURVIVED", "failed": "killed", "late": "killed by the time limit"}[
            result
        ]
        with runner.lock:
            memories[module].add(mutant, result)
            tried = sum(is_known(*pair) for pair in chosen)
            what = f"{module}:{mutant.line}: {mutant.before} -> {mutant.after}"
            print(f"[{tried}/{len(chosen)}] {what}: {word} ({seconds:.0f} s)", flush=True)

    with ThreadPoolExecutor(options.workers) as pool:
        try:
            # In the pool's threads, which no Ctrl-C interrupts: `stop` knows all that runs.
            result, seconds, told = pool.submit(runner.watch).result()
            if result != "passed":
                raise RuntimeError(f"the tests fail without any change:\n{told[-3000:]}")
            for module in dict.fromkeys(module for module, _ in new):
                bad = module, "raise ImportError\n", None
                if not runner.known.get(module) and pool.submit(runner.run, *bad).result()[0] == (
                    "passed"
                ):
                    raise RuntimeError(
                        f"the tests pass without {module}: do they import another one?"
                    )
            limit = options.limit or 30 + 5 * seconds
            print(f"without a change: {seconds:.0f} s; time limit: {limit:.0f} s", flush=True)
            for _ in pool.map(attempt, new, [limit] * len(new)):
                pass
        except BaseException:
            runner.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextlib.contextmanager
def short_names() -> Iterator[None]:
    """Inside, temporary files lie in a folder whose name leaves room for those of sockets.

    Raises:
        RuntimeError: TMPDIR is too long, and no other folder can be written.
    """
    given, before = tempfile.gettempdir(), tempfile.tempdir
    usable = [f for f in (given, *FOLDERS)
              if len(os.fsencode(f)) <= LONGEST and os.access(f, os.W_OK | os.X_OK)]  # fmt: skip
    if not usable:
        raise RuntimeError(
            f"sockets need names, and TMPDIR is {given!r}: set it to a folder that can be written "
            f"and whose name has at most {LONGEST} bytes, and not {len(os.fsencode(given))}"
        )
    if usable[0] != given:
        print(f"TMPDIR is too long for names of sockets: {usable[0]} is used", flush=True)
    tempfile.tempdir = usable[0]
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextlib.contextmanager
def temporary_folder(patience: float = 60) -> Iterator[Path]:
    """A folder that is there inside, and gone afterwards.

    Args:
        patience: Seconds within which those must end that still write into it: a browser lives a
            moment longer than the test that was killed.
    """
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    try:
        yield folder
    finally:
        give_up = time.monotonic() + patience
        while folder.exists():
            try:
                shutil.rmtree(folder)
            except OSError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.1)


def results_of(
    chosen: list[tuple[str, Mutant]], modules: dict[str, str], guards: list[str], options
) -> list[str]:
    """Try mutants of modules in copies of the repository, those that are not known yet.

    Args:
        chosen: The modules and their mutants.
        modules: The modules' names in the repository -> their texts.
        guards: The tests' files, by theirs.
        options: The tool's options: `root`, `workers`, `limit` and `quick`.

    Returns:
        For each mutant "passed", "failed" or "late".

    Raises:
        RuntimeError: See `try_all` and `short_names`.
    """
    memories = {module: Memory(options.root, module, guards, options.quick) for module in modules}
    with short_names(), temporary_folder() as base:
        runner = Runner(options.root, base, modules, guards, options.workers)
        try_all(chosen, runner, memories, options)
    return [memories[module].known[Memory.key(mutant)] for module, mutant in chosen]


def guards(root: Path) -> dict[str, list[str]]:
    """Read the table of guards.

    Args:
        root: The repository.

    Returns:
        Module -> the test files that guard it.
    """
    path = root / TABLE
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="+", help="what to change: modules, or folders of such")
    parser.add_argument(
        "--by", nargs="+", dest="guards", help=f"the tests that guard them (default: see {TABLE})"
    )
    parser.add_argument("--n", type=int, default=60, help="how many to try; 0: all (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="which ones (default 0)")
    parser.add_argument("--lines", default="1-", help="only these lines, as 745-1330")
    parser.add_argument("--limit", type=float, help="seconds a mutant (default 30 + 5 x unchanged)")
    parser.add_argument(
        "--quick", action="store_true",
        help="not all tests on a survivor, only those that run its line in this process",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=1, help="how many at once (default 1)")
    parser.add_argument("--at-least", type=float, default=0.95, help="share to kill (default 0.95)")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(given)
    low, _, high = options.lines.partition("-")
    try:
        options.lines = int(low), int(high) if high else None
    except ValueError:
        parser.error(f"--lines must be as 745-1330, got {options.lines}")
    if options.workers < 1 or options.n < 0:
        parser.error("--workers must be at least 1, and --n at least 0")
    table = guards(options.root)
    asked = {name: name.rstrip("/") + "/" for name in options.modules}
    inside = {a: [n for n, by in table.items() if n.startswith(f) and by] for a, f in asked.items()}
    options.modules = [name for a, found in inside.items() for name in found or [a]]
    of_table = [guard for name in options.modules for guard in table.get(name, [])]
    options.guards = options.guards or list(dict.fromkeys(of_table))
    for name in (*options.modules, *options.guards):
        if not (options.root / name).is_file():
            parser.error(f"there is no file {name} in the repository")
    if not options.guards:
        names = " ".join(options.modules)
        parser.error(f"name the tests that guard {names} (--by), or add them to {TABLE}")
    return options


def main(given: list[str] | None = None) -> int:
    """Try mutants of a module, or of those in a folder.

    Args:
        given: The command line; by default the program's own.

    Returns:
        0 if enough were killed, 1 if not, 2 if they could not be tried.
    """
    options = arguments(given)
    modules = {name: (options.root / name).read_text("utf-8") for name in options.modules}
    kinds = {".py": mutants, ".js": script_mutants}
    every = [(name, m) for name, text in modules.items()
             for m in kinds[Path(name).suffix](text, *options.lines)]  # fmt: skip
    chosen = every
    if 0 < options.n < len(every):
        picked = sorted(random.Random(options.seed).sample(range(len(every)), options.n))
        chosen = [every[k] for k in picked]
    print(f"{len(chosen)} of {len(every)} mutants, by {' '.join(options.guards)}", flush=True)
    if not chosen:
        return 2
    try:
        results = results_of(chosen, modules, options.guards, options)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 2
    for (module, mutant), result in zip(chosen, results, strict=True):
        if result == "passed":
            print(f"{module}:{mutant.line}: {mutant.before} -> {mutant.after}")
    killed, late = len(results) - results.count("passed"), results.count("late")
    share = killed / len(results)
    print(f"{killed} of {len(results)} killed ({share:.1%}), {late} of them by the time limit")
    return int(share < options.at_least)


def _interrupted(*_) -> None:
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.SIG_IGN)  # once is enough: what follows is the cleaning up
    raise KeyboardInterrupt


def run_as_program(program: Callable[[], int]) -> None:
    """Run one of these tools: however it is interrupted, it cleans up, and can go on later."""
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, _interrupted)
    try:
        sys.exit(program())
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from here")


if __name__ == "__main__":
    run_as_program(main)
