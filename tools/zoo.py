"""Run the chapters that train on other machines: their CPU paths, two threads, an older torch.

    python tools/zoo.py                                     all chapters, all settings
    python tools/zoo.py --settings default avx2             some of the settings
    python tools/zoo.py chapters/5_training.ipynb           one notebook

Sums in another order give other last digits, and a training makes other numbers of them. What
a chapter prints should not show it. Environment variables that are read when Python starts stand
in for other processors; nbval compares what is printed with what is stored. The exit code is 1
if a cell differs, fails, or did not run as the setting says.

The same file is the plugin that reports from inside pytest, and the start-up script of the
kernels.
"""

import argparse
import ast
import difflib
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nbval.plugin import coalesce_streams, get_sanitize_patterns
from notebooks import in_order, read

ROOT = Path(__file__).resolve().parents[1]
SANITIZE = ROOT / "tests" / "chapters" / "nbval_sanitize.cfg"
OLD_TORCH = "2.11.0"  # the oldest that requirements.txt allows
RESULT, KERNEL, THREADS = "ZOO_RESULT", "ZOO_KERNEL", "ZOO_THREADS"
SECONDS = 3600  # for one notebook: to end a run that hangs, not to judge a slow machine


@dataclass(frozen=True)
class Setting:
    """One stand-in for another machine.

    Args:
        variables: set before Python starts.
        threads: how many threads torch uses, whatever the chapter asks for.
        torch: version of torch, None for the installed one.
        path: torch's name of the CPU path, where the setting chooses it.
    """

    variables: dict[str, str] = field(default_factory=dict)
    threads: int = 1
    torch: str | None = None
    path: str | None = None


SETTINGS = {
    "own": Setting(),
    "default": Setting({"ATEN_CPU_CAPABILITY": "default"}, path="DEFAULT"),
    "avx2": Setting({"ATEN_CPU_CAPABILITY": "avx2"}, path="AVX2"),
    "avx2-mkl": Setting(
        {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}, path="AVX2"
    ),
    "default-mkl": Setting(
        {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}, path="DEFAULT"
    ),
    "two-threads": Setting(threads=2),
    "old-torch": Setting(torch=OLD_TORCH),
}
CHOOSE = ("ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")


# ------------------------------------------------------------------------- which chapters train


def trains(source: str) -> bool:
    """Say whether code calls for a training.

    That is `train` with a model and data (`model.train()` only switches a mode), `fit` with
    something to fit, or a step of an optimiser in a loop written out.

    Args:
        source: a code cell; lines of IPython's own (`%...`, `!...`) are passed over.

    Example:
        >>> trains("history = train(flow, draw)"), trains("flow.train()"), trains("opt.step()")
        (True, False, True)
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        tree = ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        given = len(node.args) + len(node.keywords)
        name = getattr(node.func, "id", getattr(node.func, "attr", None))
        if name == "train" and given >= 2 or name == "fit" and given >= 1:
            return True
        if name == "step" and isinstance(node.func, ast.Attribute) and given == 0:
            return True
    return False


def training_chapters(folder: Path = ROOT / "chapters") -> list[Path]:
    """Return the notebooks of a folder in which a code cell trains, in the order of the book."""
    found = []
    for path in in_order(folder.glob("*.ipynb")):
        cells = read(path).cells
        if any(cell.cell_type == "code" and trains(cell.source) for cell in cells):
            found.append(path)
    return found


# ---------------------------------------------------------- inside pytest, and inside its kernels


class Reporter:
    """Notes, while nbval runs, what each failing cell was to print and what it printed."""

    def __init__(self, path: Path):
        self.path, self.cells, self.faults = path, 0, []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item):
        """Note a cell that ran, with its texts if it failed."""
        report = yield
        if report.when == "call":
            self.cells += 1
        if report.failed:
            self.faults.append(
                {
                    "cell": item.name,
                    "old": printed(item.cell.outputs, item.sanitize),
                    "new": printed(item.test_outputs or [], item.sanitize),
                    "message": str(getattr(item, "error", report.longreprtext)),
                }
            )
        return report

    def pytest_sessionfinish(self):
        """Leave the notes for `replay`."""
        self.path.write_text(json.dumps({"cells": self.cells, "faults": self.faults}), "utf-8")


def printed(outputs: list, sanitize) -> list[str]:
    """Return the lines of text among a cell's outputs, as nbval compares them."""
    texts = []
    for output in outputs:
        if output.output_type == "error":
            texts.append(f"{output.ename}: {output.evalue}")
        else:
            texts.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
    return [line for text in texts for line in sanitize(text).splitlines()]


def masked() -> Callable[[str], str]:
    """Return what takes out of a text the numbers that nbval does not compare either."""
    rules = get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8"))

    def mask(text: str) -> str:
        for pattern, replacement in rules:
            text = re.sub(pattern, replacement, text)
        return text

    return mask


def faults(stored: list, ran: list) -> list[dict]:
    """Compare what cells print with what they printed before, as nbval does in a kernel of its own.

    Args:
        stored: the cells of a notebook.
        ran: the same cells, run again. Pictures and live figures are not compared.

    Returns:
        For each cell that differs its name, the stored and the new lines, and a message.
    """
    mask, found, number = masked(), [], 0
    for one, other in zip(stored, ran, strict=True):
        if one.cell_type != "code":
            continue
        old, new = ([o for o in cell.outputs if not drawn(o)] for cell in (one, other))
        old, new = printed(coalesce_streams(old), mask), printed(coalesce_streams(new), mask)
        if old != new and "nbval-ignore-output" not in one.metadata.get("tags", []):
            found.append({"cell": f"Cell {number}", "old": old, "new": new, "message": "differs"})
        number += 1
    return found


def drawn(output) -> bool:
    """Whether an output is a picture or a widget: its text is only a name for it.

    (A quiz is a widget that has HTML beside it, and its text says what is there.)
    """
    kinds = output.get("data", {})
    if any(kind.startswith("image/") for kind in kinds):
        return True
    return "text/html" not in kinds and any(kind.startswith("application/") for kind in kinds)


def pytest_configure(config):
    """Register the reporter (pytest calls this where the file is loaded with -p)."""
    config.pluginmanager.register(Reporter(Path(os.environ[RESULT])))


def start_kernel(shell) -> None:
    """Set up a kernel before its first cell: hold its threads, and say what it runs on.

    Args:
        shell: IPython's, which tells when a cell has run.
    """
    threads = int(os.environ[THREADS])
    if threads > 1:
        import torch

        torch.set_num_threads(threads)
        torch.set_num_threads = lambda number: None  # each chapter asks for one thread

    def note(*_) -> None:
        if torch := sys.modules.get("torch"):
            kernel = {
                "torch": torch.__version__.split("+")[0],
                "path": torch.backends.cpu.get_cpu_capability(),
                "threads": torch.get_num_threads(),
            }
            Path(os.environ[KERNEL]).write_text(json.dumps(kernel), encoding="utf-8")

    shell.events.register("post_run_cell", note)


# ------------------------------------------------------------------------------------ one run


@dataclass
class Result:
    """What came of one notebook under one setting.

    Args:
        cells: how many cells ran.
        faults: for each cell that failed its name, the stored and the new lines, a message.
        kernel: what the kernel said of itself after its last cell: torch, path, threads.
        seconds: how long it took.
    """

    cells: int
    faults: list[dict]
    kernel: dict
    seconds: float = 0.0

    def verdict(self) -> str:
        """Return one entry of the table."""
        if not self.faults:
            return "passed"
        names = [fault["cell"] for fault in self.faults]
        return f"{len(names)} FAILED" if len(names) > 2 else f"FAILED: {', '.join(names)}"


def variables(setting: Setting, folder: Path) -> dict[str, str]:
    """Return the environment of a run; `folder` is its own."""
    inherited = {name: value for name, value in os.environ.items() if name not in CHOOSE}
    paths = [str(ROOT), str(ROOT / "tools"), os.environ.get("PYTHONPATH")]
    threads = str(setting.threads)
    return {
        **inherited,
        **{f"{library}_NUM_THREADS": threads for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")},
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PYTHONHASHSEED": "0",
        "IPYTHONDIR": str(folder / "ipython"),
        RESULT: str(folder / "result.json"),
        KERNEL: str(folder / "kernel.json"),
        THREADS: threads,
        **setting.variables,
    }


def replay(notebook: Path, setting: Setting, python: str = sys.executable) -> Result:
    """Run a notebook again under a setting, and compare what it prints with what is stored.

    Args:
        notebook: the chapter.
        setting: one of `SETTINGS`.
        python: the interpreter that runs it.

    Returns:
        What differed. A run that broke off, or that was not what the setting asks for, is a
        fault too.
    """
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        startup = folder / "ipython" / "profile_default" / "startup" / "00-watch.py"
        startup.parent.mkdir(parents=True)
        startup.write_text("__import__('zoo').start_kernel(get_ipython())\n", encoding="utf-8")
        command = [
            python, "-m", "pytest", "-q", "-p", "zoo", "-p", "no:cacheprovider", "--color=no",
            "--nbval", "--nbval-current-env", "--nbval-kernel-startup-timeout=600",
            "--nbval-sanitize-with", str(SANITIZE), str(notebook),
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=variables(setting, folder), timeout=SECONDS,
                encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            tail = done.stdout[-2000:]
        except subprocess.TimeoutExpired:
            tail = f"it took longer than {SECONDS} s"
        told = {"cells": 0, "faults": []}
        if (folder / "result.json").exists():
            told = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        kernel = {}
        if (folder / "kernel.json").exists():
            kernel = json.loads((folder / "kernel.json").read_text(encoding="utf-8"))
    result = Result(told["cells"], told["faults"], kernel, time.perf_counter() - start)
    if not result.cells:
        result.faults.append({"cell": "(no cell ran)", "old": [], "new": [], "message": tail})
    elif problem := not_as_set(kernel, setting):
        result.faults.append({"cell": "(the run)", "old": [], "new": [], "message": problem})
    return result


def not_as_set(kernel: dict, setting: Setting) -> str:
    """Return what in a kernel is not as the setting asks for, or an empty string.

    A path is left open where the processor does not know it: avx2 on ARM, for example.
    """
    wanted = {"threads": setting.threads, "torch": setting.torch, "path": setting.path}
    if setting.path and setting.path != "DEFAULT" and not kernel.get("path", "").startswith("AVX"):
        wanted["path"] = None
    wrong = [
        f"{name} is {kernel.get(name)}, not {value}"
        for name, value in wanted.items()
        if value is not None and kernel.get(name) != value
    ]
    return "; ".join(wrong)


def old_torch(version: str = OLD_TORCH) -> str:
    """Make an environment with another torch, once, and return its interpreter.

    All other packages are those of the environment that runs this.

    Raises:
        RuntimeError: pip could not install it; says what pip said.
    """
    key = hashlib.sha256(f"{version} {sys.version} {sys.prefix}".encode()).hexdigest()[:12]
    place = ROOT / ".cache" / f"torch-{key}"
    python = place / "bin" / "python"
    if (place / "ready").exists():
        return str(python)
    print(f"installing torch {version} into {place.relative_to(ROOT)}, once", flush=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", place],
        [*install, f"torch=={version}"],
    ):
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, encoding="utf-8"
        )
        if done.returncode:
            raise RuntimeError(f"torch {version} cannot be had: {done.stderr.strip()[-1000:]}")
    ask = "import site; print(site.getsitepackages()[0])"
    folders = [
        subprocess.run(
            [str(which), "-c", ask], capture_output=True, encoding="utf-8", check=True
        ).stdout
        for which in (python, sys.executable)
    ]
    own, borrowed = (Path(folder.strip()) for folder in folders)
    (own / "borrowed.pth").write_text(f"{borrowed}\n", encoding="utf-8")  # after its own
    (place / "ready").touch()
    return str(python)


# ---------------------------------------------------------------------------------- the table


def table(results: dict[tuple[str, str], Result]) -> str:
    """Return the results, by (setting, chapter), as text: one row for each setting."""
    settings = list(dict.fromkeys(setting for setting, _ in results))
    chapters = list(dict.fromkeys(chapter for _, chapter in results))
    rows = [["setting", "torch, path, threads", *chapters]]
    for setting in settings:
        row = [results[setting, chapter] for chapter in chapters]
        kernels = {", ".join(str(value) for value in result.kernel.values()) for result in row}
        rows.append([setting, " / ".join(sorted(kernels)), *(result.verdict() for result in row)])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def details(setting: str, chapter: str, result: Result) -> str:
    """Return, for each cell that failed, the lines that differ; or else the message."""
    parts = []
    for fault in result.faults:
        lines = list(difflib.unified_diff(fault["old"], fault["new"], n=0, lineterm=""))
        lines = [f"  {line}" for line in lines if line[:3] not in ("---", "+++")]
        text = "\n".join(lines) or fault["message"]
        parts.append(f"{chapter}, {fault['cell']}, under {setting} (- stored, + new):\n{text}")
    return "\n\n".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """Run the zoo; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all that train")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--workers", type=int, default=2, help="threads of runs at the same time")
    options = parser.parse_args(arguments)
    notebooks = [path.resolve() for path in options.notebooks] or training_chapters()
    if not notebooks:
        parser.error("no notebook trains")

    pythons, missing = {}, {}
    for name in options.settings:
        try:
            wanted = SETTINGS[name].torch
            pythons[name] = old_torch(wanted) if wanted else sys.executable
        except RuntimeError as problem:
            missing[name] = str(problem)
    jobs = [(name, path) for name in pythons for path in notebooks]
    results = {(name, path.stem): None for name, path in jobs}
    start = time.perf_counter()
    workers = max(1, options.workers)
    places, door = threading.Semaphore(workers), threading.Lock()

    def in_its_places(path: Path, name: str) -> Result:
        """A run takes a place for each of its threads: with more than there are, all wait."""
        needs = min(workers, SETTINGS[name].threads)
        with door:
            for _ in range(needs):
                places.acquire()
        try:
            return replay(path, SETTINGS[name], pythons[name])
        finally:
            places.release(needs)

    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(in_its_places, path, name): (name, path.stem) for name, path in jobs}
        for done, job in enumerate(as_completed(running), start=1):
            name, stem = running[job]
            result = results[name, stem] = job.result()
            took, so_far = result.seconds, time.perf_counter() - start
            left = so_far / done * (len(jobs) - done)
            print(f"{done:3d}/{len(jobs)}  {name:12} {stem:20} {result.verdict()}  {took:.0f} s, "
                  f"about {left:.0f} s left", flush=True)  # fmt: skip

    failed = {job: result for job, result in results.items() if result.faults}
    print(f"\n{table(results)}" if results else "")
    for (name, stem), result in failed.items():
        print(f"\n{details(name, stem, result)}")
    for name, problem in missing.items():
        print(f"\n{name}: NOT RUN. {problem}")
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
