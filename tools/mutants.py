"""Change a module in small ways, one at a time, and see whether its tests notice: `make mutants`.

    python tools/mutants.py flows.py tests/test_laws.py tests/test_flows_errors.py --n 60 --seed 0
    python tools/mutants.py gen_models_utilities.py tests/test_utilities*.py --lines 745-1330

A change (a "mutant") that the tests notice is killed. One that survives shows a line whose effect
no test looks at, or that has no effect. Each survivor is printed as `file:line: before -> after`.

All happens in a copy of the repository. What was found is kept in `.cache/mutants`, by the content
of the module and of its tests: the same command goes on where an earlier one was stopped.
"""

import argparse
import ast
import contextlib
import copy
import hashlib
import json
import os
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import hardships

ROOT = Path(__file__).resolve().parents[1]
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
    """What of a node is tried: no docstring, annotation, f-string, error or program's entry."""
    skipped = {"annotation", "returns"}
    if isinstance(node, (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom)) or _is_text(node):
        return
    if isinstance(node, ast.If) and "'__main__'" in ast.unparse(node.test):
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


# ----------------------------------------------------------------------------------- the tests


class Runner:
    """Run tests in copies of the repository, and end them when there is no time left.

    Args:
        root: The repository; it is only read.
        base: An empty folder, for the copies and for the tests' own temporary files.
        module: The module that is changed, by its name in the repository.
        guards: The tests' files, by theirs.
        workers: How many copies to make, one for each that runs at once.
    """

    def __init__(self, root: Path, base: Path, module: str, guards: list[str], workers: int):
        self.module, self.guards = module, guards
        self.folders: queue.Queue[Path] = queue.Queue()
        self.running: set[subprocess.Popen] = set()
        self.stopped = False
        self.lock = threading.Lock()
        self.temporary = base / "tmp"
        self.temporary.mkdir()
        for k in range(workers):
            self.folders.put(hardships.copy(base / str(k), root))

    def run(self, source: str, limit: float | None) -> tuple[str, float, str]:
        """Run the tests with this text of the module.

        Args:
            source: The module's text.
            limit: Seconds after which the tests are ended; None waits.

        Returns:
            "passed", "failed" or "late"; the seconds it took; what pytest said.
        """
        folder = self.folders.get()
        try:
            (folder / self.module).write_text(source, encoding="utf-8", newline="")
            # Compiled files are told apart by second and size: too coarse for mutants.
            own = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
            own["TMPDIR"] = str(self.temporary)
            command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
            start = time.monotonic()
            with self.lock:
                if self.stopped:
                    raise InterruptedError
                process = hardships.start(folder, *command, *self.guards, **own)
                self.running.add(process)
            try:
                told = process.communicate(timeout=limit)[0]
                if self.stopped:
                    raise InterruptedError
                if process.returncode in (-signal.SIGKILL, -signal.SIGTERM):
                    raise RuntimeError("something outside has ended the tests")
                result = "failed" if process.returncode else "passed"
            except subprocess.TimeoutExpired:
                result, told = "late", ""
            finally:
                self._end(process)
            return result, time.monotonic() - start, told
        finally:
            self.folders.put(folder)

    def _end(self, process: subprocess.Popen) -> None:
        """End a run with all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        self.running.discard(process)

    def stop(self) -> None:
        """End all runs, and start no other."""
        with self.lock:
            self.stopped = True
            for process in list(self.running):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


class Memory:
    """What was found earlier, one line of JSON a mutant; a line that was cut off is forgotten.

    Args:
        root: The repository; the file lies in its `.cache`, which git ignores.
        module: The module that is changed.
        guards: The files that guard it. With other contents all is to be tried again.
    """

    def __init__(self, root: Path, module: str, guards: list[str]):
        parts = [(root / name).read_bytes() for name in (module, *guards)]
        digest = hashlib.sha256(repr((module, guards, parts)).encode()).hexdigest()[:16]
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


def try_all(chosen: list[Mutant], source: str, runner: Runner, memory: Memory, options) -> None:
    """Try the mutants that are not known yet, and tell of each.

    Args:
        chosen: The mutants.
        source: The module's text.
        runner: Runs the tests.
        memory: What is known; it grows.
        options: The tool's options: `workers` and `limit`.

    Raises:
        RuntimeError: The tests fail without any change, or do not see the module, or were ended.
    """
    new = [mutant for mutant in chosen if memory.key(mutant) not in memory.known]
    print(f"{len(chosen) - len(new)} of {len(chosen)} are known from an earlier run", flush=True)
    if not new:
        return

    def attempt(mutant: Mutant, limit: float) -> None:
        result, seconds, _ = runner.run(mutant.applied(source), limit)
        word = {"passed": "SURVIVED", "failed": "killed", "late": "killed by the time limit"}[
            result
        ]
        with runner.lock:
            memory.add(mutant, result)
            tried = sum(memory.key(mutant) in memory.known for mutant in chosen)
            what = f"{mutant.line}: {mutant.before} -> {mutant.after}"
            print(f"[{tried}/{len(chosen)}] {what}: {word} ({seconds:.0f} s)", flush=True)

    with ThreadPoolExecutor(options.workers) as pool:
        try:
            # In the pool's threads, which no Ctrl-C interrupts: `stop` knows all that runs.
            result, seconds, told = pool.submit(runner.run, source, None).result()
            if result != "passed":
                raise RuntimeError(f"the tests fail without any change:\n{told[-3000:]}")
            if pool.submit(runner.run, "raise ImportError\n", None).result()[0] == "passed":
                raise RuntimeError("the tests pass without the module: do they import another one?")
            limit = options.limit or 30 + 5 * seconds
            print(f"without a change: {seconds:.0f} s; time limit: {limit:.0f} s", flush=True)
            for _ in pool.map(attempt, new, [limit] * len(new)):
                pass
        except BaseException:
            runner.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def results_of(chosen: list[Mutant], source: str, module: str, guards: list[str], options) -> list:
    """Try mutants of a module in copies of the repository, those that are not known yet.

    Args:
        chosen: The mutants.
        source: The module's text.
        module: Its name in the repository.
        guards: The tests' files, by theirs.
        options: The tool's options: `root`, `workers` and `limit`.

    Returns:
        For each mutant "passed", "failed" or "late".

    Raises:
        RuntimeError: See `try_all`.
    """
    memory = Memory(options.root, module, guards)
    with tempfile.TemporaryDirectory(prefix="mutants-") as base:
        runner = Runner(options.root, Path(base), module, guards, options.workers)
        try_all(chosen, source, runner, memory, options)
    return [memory.known[memory.key(mutant)] for mutant in chosen]


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("module", help="the module to change")
    parser.add_argument("guards", nargs="+", help="the test files that guard it")
    parser.add_argument("--n", type=int, default=60, help="how many to try; 0: all (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="which ones (default 0)")
    parser.add_argument("--lines", default="1-", help="only these lines, as 745-1330")
    parser.add_argument("--limit", type=float, help="seconds a mutant (default 30 + 5 x unchanged)")
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
    for name in (options.module, *options.guards):
        if not (options.root / name).is_file():
            parser.error(f"there is no file {name} in the repository")
    return options


def main(given: list[str] | None = None) -> int:
    """Try mutants of a module.

    Args:
        given: The command line; by default the program's own.

    Returns:
        0 if enough were killed, 1 if not, 2 if they could not be tried.
    """
    options = arguments(given)
    source = (options.root / options.module).read_text(encoding="utf-8")
    every = mutants(source, *options.lines)
    chosen = every
    if 0 < options.n < len(every):
        picked = sorted(random.Random(options.seed).sample(range(len(every)), options.n))
        chosen = [every[k] for k in picked]
    print(f"{options.module}: {len(chosen)} of {len(every)} mutants", flush=True)
    if not chosen:
        return 2
    try:
        results = results_of(chosen, source, options.module, options.guards, options)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 2
    for mutant, result in zip(chosen, results, strict=True):
        if result == "passed":
            print(f"{options.module}:{mutant.line}: {mutant.before} -> {mutant.after}")
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
