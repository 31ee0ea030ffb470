"""Run a function over a grid of settings and seeds, and lose nothing on the way.

`sweep` runs what is missing and stores each run in a file of its own, written beside and then
renamed: a file is whole or not there. So a sweep may be interrupted, killed or cut off by a crash
at any moment; the next one goes on where it ended. Workers only compute. The process that called
`sweep` writes, so workers may live on other machines (see README.md: Dask, Slurm).
"""

import contextlib
import faulthandler
import hashlib
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["PATHS", "SweepError", "cpu_path", "grid", "read_run", "sweep"]

# Other kinds of processor, played by environment variables that torch and MKL read when they
# start. Sums are added in another order there, so trained numbers differ in the last digits, and
# after a hundred steps in all of them.
PATHS = {
    "own": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "default": {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"},
}
VARIABLES = sorted({name for variables in PATHS.values() for name in variables})


class SweepError(RuntimeError):
    """A sweep that could not start or go on, or results that are not there: says what to do.

    Example:
        >>> str(SweepError("make room and run the sweep again"))
        'make room and run the sweep again'
    """


def grid(**choices: Sequence) -> list[dict]:
    """All combinations of some choices.

    Args:
        **choices: For each setting the values it takes.

    Returns:
        One dictionary a combination; the last setting changes fastest.

    Example:
        >>> grid(depth=[2, 4], width=[8])
        [{'depth': 2, 'width': 8}, {'depth': 4, 'width': 8}]
    """
    rows = [{}]
    for name, values in choices.items():
        rows = [row | {name: value} for row in rows for value in values]
    return rows


def cpu_path() -> dict[str, str]:
    """What decides the last digits on this machine.

    Returns:
        The processor's kind, the environment variables of `PATHS` that are set, and, if torch is
        in use, its version and the instructions that it uses.

    Example:
        >>> import torch
        >>> sorted(cpu_path())
        ['instructions', 'machine', 'torch', 'variables']
    """
    found = {
        "machine": platform.machine(),
        "variables": " ".join(f"{k}={os.environ[k]}" for k in VARIABLES if k in os.environ),
    }
    if torch := sys.modules.get("torch"):
        found["instructions"] = torch.backends.cpu.get_cpu_capability()
        found["torch"] = torch.__version__.split("+")[0]
    return found


def _own_stream_on_one_thread() -> contextlib.AbstractContextManager:
    """Hold torch to one thread and give back its random stream.

    A run that does without torch need not wait for it: if it is not imported yet, it will read the
    number of its threads when it is.
    """
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        return torch.random.fork_rng(devices=[])
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return contextlib.nullcontext()


def run_name(settings: dict, seeds: Sequence[int], code: str) -> str:
    """Name of a run's file: a hash of its settings, its seeds and the code it runs."""
    text = json.dumps([settings, list(seeds), code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def replace_whole(path: Path, data: bytes) -> None:
    """Write a file beside, then rename it: it is never seen half-written.

    Args:
        path: The file; an older one is replaced.
        data: What to write.

    Raises:
        OSError: If it cannot be written; what was there stays.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def write_whole(path: Path, text: str) -> None:
    """Write a result's file, see `replace_whole`.

    Args:
        path: The file; an older one is replaced.
        text: What to write.

    Raises:
        SweepError: If it cannot be written; what was there stays.
    """
    try:
        replace_whole(path, text.encode())
    except OSError as error:
        raise SweepError(
            f"{path} could not be written ({error.strerror or error}). Finished runs are kept: "
            "make room and run the sweep again"
        ) from error


def read_run(path: Path) -> dict | None:
    """A stored run, or None if there is none.

    A file that is no run (cut off by a crash of the machine, or foreign) is set aside as
    `*.damaged`, with a message, and counts as missing.

    Args:
        path: The run's file.

    Returns:
        The record that `sweep` wrote.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not {"settings", "seeds", "rows"} <= set(record):
            raise ValueError("no run")
        return record
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        aside = path.with_suffix(".damaged")
        path.replace(aside)
        print(f"{path.name} was damaged: kept as {aside.name}, the run is done again")
        return None


def work(run: Callable, settings: dict, seeds: Sequence[int], limit: float | None) -> dict:
    """One run in a worker: its rows, its cost and where it ran, or its error.

    Args:
        run: Function `(settings, seeds) -> rows`, one dictionary of numbers for each seed.
        settings: Its first argument.
        seeds: Its second argument.
        limit: Seconds after which a run that hangs takes its worker down.

    Returns:
        What is stored, less the code's hash.
    """
    if limit is not None:
        faulthandler.dump_traceback_later(limit, exit=True, file=sys.__stderr__)
    start, record = time.process_time(), {"settings": settings, "seeds": list(seeds)}
    try:
        with _own_stream_on_one_thread():
            rows = run(dict(settings), list(seeds))
        if len(rows) != len(seeds):
            raise ValueError(f"the run gave {len(rows)} rows for {len(seeds)} seeds")
        record["rows"] = [{name: float(value) for name, value in row.items()} for row in rows]
    except Exception:
        record |= {"rows": [], "error": traceback.format_exc(limit=-3)}
    finally:
        if limit is not None:
            faulthandler.cancel_dump_traceback_later()
    seconds = round((time.process_time() - start) / len(seeds), 3)
    return record | {"cpu_seconds": seconds, "machine": cpu_path()}


@contextlib.contextmanager
def on_path(variables: dict[str, str]) -> Iterator[None]:
    """Start fresh workers of this machine with these variables; stop them afterwards."""
    from joblib.externals.loky import get_reusable_executor

    before = {name: os.environ.get(name) for name in VARIABLES}
    get_reusable_executor().shutdown(wait=True)
    try:
        for name in VARIABLES:
            os.environ.pop(name, None)
        os.environ.update(variables)
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        get_reusable_executor().shutdown(wait=True)


def run_batch(
    jobs: list[tuple], n_jobs: int, done: Callable[[tuple, dict], None], here: bool = False
) -> list[tuple]:
    """Run jobs in parallel and hand over each result as it comes.

    Args:
        jobs: Arguments of `work`, with a key in front.
        n_jobs: Workers.
        done: Called with the job and the record of each finished run.
        here: Whether to run one job after the other in this process.

    Returns:
        The jobs that may have taken a worker down: those that had been handed out, and had not
        come back, when one died. Empty if none died.
    """
    if here:  # as a student's sheet does, also where there is no joblib
        for key, *arguments in jobs:
            done((key, *arguments), work(*arguments))
        return []

    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool, TerminatedWorkerError

    handed_out: dict[str, tuple] = {}

    def tasks():
        for job in jobs:
            handed_out[job[0]] = job
            yield delayed(keyed)(*job)

    options = {"batch_size": 1, "pre_dispatch": n_jobs, "return_as": "generator_unordered"}
    try:
        for key, record in Parallel(n_jobs=max(2, n_jobs), **options)(tasks()):
            done(handed_out.pop(key), record)
    except (BrokenProcessPool, TerminatedWorkerError):
        return list(handed_out.values())
    except Exception as error:  # Dask, after it has tried a task on several workers
        if type(error).__name__ not in ("KilledWorker", "CancelledError", "FutureCancelledError"):
            raise
        return list(handed_out.values())
    return []


def keyed(key: str, *arguments) -> tuple[str, dict]:
    """`work`, with its key beside the result: results come back in any order."""
    return key, work(*arguments)


class Progress:
    """One line now and then: how much is done, how long it will take."""

    def __init__(self, total: int, stored: int, name: str, every: float):
        self.total, self.count, self.name, self.every = total, 0, name, every
        self.start = self.last = time.monotonic()
        if stored:
            print(f"{name}: {stored} of {stored + total} runs are stored already", flush=True)

    def tick(self) -> None:
        """One more run is done."""
        self.count += 1
        now = time.monotonic()
        if now - self.last >= self.every or self.count == self.total:
            self.last, each = now, (now - self.start) / self.count
            left = each * (self.total - self.count)
            text = f"about {left / 60:.1f} min left" if self.count < self.total else "done"
            print(f"{self.name}: {self.count} of {self.total} runs, {text}", flush=True)


def sweep(
    run: Callable,
    settings: Sequence[dict],
    seeds: Sequence[int],
    folder: str | Path,
    *,
    together: int = 1,
    code: str = "",
    paths: dict[str, dict[str, str]] | None = None,
    n_jobs: int | None = None,
    retries: int = 1,
    limit: float | None = 900.0,
    name: str = "sweep",
    every: float = 5.0,
) -> list[dict]:
    """Run what is missing of a grid, and return all of it.

    Inside `joblib.parallel_config("dask")` the runs go to a Dask cluster; nothing else changes.

    Args:
        run: Function `(settings, seeds) -> rows`: one dictionary of numbers for each seed, the same
            whenever it is called with the same arguments. It must be importable by workers.
        settings: The grid, dictionaries that JSON can hold.
        seeds: The seeds that each of them gets, in groups of `together`.
        folder: Where the runs are stored; only one sweep at a time may use it.
        together: Seeds in one call of `run`.
        code: Hash of the code behind `run`: runs of other code count as missing.
        paths: CPU settings by name (see `PATHS`) that the groups of seeds take in turn; None leaves
            the workers as they are. Only for workers on this machine.
        n_jobs: Workers; None takes one for each core.
        retries: How often a run is tried again after an error, or after it took its worker down.
        limit: Seconds after which a run counts as hanging; None for no limit.
        name: What progress lines are called.
        every: Seconds between two progress lines.

    Returns:
        One record a run, in the order of the grid: `settings`, `seeds`, `rows` (empty if it
        failed, with an `error`), `cpu_seconds` for each seed, `machine`, and `cpu`, the name of the
        CPU path, if there are `paths`.

    Raises:
        ValueError: If the grid or the seeds are empty or hold something twice.
        SweepError: If another sweep is using the folder, or it cannot be written.
        KeyboardInterrupt: If it is interrupted; what is finished is stored.

    Example:
        >>> import tempfile
        >>> def run(settings, seeds):
        ...     return [{"twice": 2 * settings["a"] + seed} for seed in seeds]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     records = sweep(run, grid(a=[1, 2]), [0], folder, n_jobs=1, every=1e9)
        sweep: 2 of 2 runs, done
        >>> [record["rows"] for record in records]
        [[{'twice': 2.0}], [{'twice': 4.0}]]
    """
    groups = seed_groups(settings, seeds, together)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "sweep.lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise SweepError(
            f"another sweep is using {folder}: wait for it, stop it, or name another folder"
        ) from None
    except OSError as error:
        raise SweepError(f"{folder} cannot be used ({error.strerror or error})") from error
    try:
        for part in folder.glob("*.part"):  # of a sweep that was killed
            part.unlink(missing_ok=True)
        jobs, stored = missing_runs(run, settings, groups, folder, code, paths, limit)
        todo = sum(len(batch) for batch in jobs.values())
        ledger = Ledger(folder, code, stored, retries, Progress(todo, len(stored), name, every))
        for path_name, batch in jobs.items():
            ledger.path_name = path_name if paths else None
            with on_path(paths[path_name]) if paths else contextlib.nullcontext():
                ledger.finish(batch, n_jobs or os.cpu_count() or 1)
        names = list(paths or [""])
        return [
            ledger.records[run_name(row | named(names[k % len(names)], paths), group, code)]
            for row in settings
            for k, group in enumerate(groups)
        ]
    finally:
        lock.release()


def seed_groups(settings: Sequence[dict], seeds: Sequence[int], together: int) -> list[list[int]]:
    """The seeds in groups, after the grid and they have been looked at."""
    texts = [json.dumps(row, sort_keys=True) for row in settings]
    seeds = [int(seed) for seed in seeds]
    for what, values in {"settings": texts, "seeds": seeds}.items():
        if not values:
            raise ValueError(f"{what} must hold at least one entry, but is empty")
        if len(set(values)) < len(values):
            twice = next(value for value in values if values.count(value) > 1)
            raise ValueError(f"{what} must be different, but {twice} stands there twice")
    if together < 1:
        raise ValueError(f"together must be 1 or more, but is {together}")
    return [seeds[i : i + together] for i in range(0, len(seeds), together)]


def named(path_name: str, paths: dict | None) -> dict[str, str]:
    """What the CPU path adds to the settings by which a run is known."""
    return {"cpu": path_name} if paths else {}


def missing_runs(run, settings, groups, folder, code, paths, limit) -> tuple[dict, dict]:
    """The jobs to do, by CPU path, and the records that are stored already, by key."""
    names, stored = list(paths or [""]), {}
    jobs: dict[str, list[tuple]] = {name: [] for name in names}
    for row in settings:
        for k, group in enumerate(groups):
            path_name = names[k % len(names)]
            key = run_name(row | named(path_name, paths), group, code)
            record = read_run(folder / f"{key}.json")
            if record is not None and "error" not in record:
                stored[key] = record
            else:
                jobs[path_name].append((key, run, row, group, limit))
    return jobs, stored


class Ledger:
    """The runs of a sweep: which are done, and how often the others were tried."""

    def __init__(self, folder: Path, code: str, records: dict, retries: int, progress: Progress):
        self.folder, self.code, self.records = folder, code, records
        self.retries, self.progress, self.path_name = retries, progress, None
        self.attempts: dict[str, int] = {}

    def store(self, key: str, record: dict) -> None:
        """Write a record; from now on the run is done."""
        record |= {"code": self.code} | named(self.path_name, self.path_name)
        write_whole(self.folder / f"{key}.json", json.dumps(record))
        self.records[key] = record
        self.progress.tick()

    def may_try(self, job: tuple) -> bool:
        """Count one more attempt of a job; True if it may be tried yet again."""
        self.attempts[job[0]] = self.attempts.get(job[0], 0) + 1
        return self.attempts[job[0]] <= self.retries

    def done(self, job: tuple, record: dict) -> None:
        """Take a record in, unless it is an error and the run may be tried again."""
        if "error" in record and self.may_try(job):
            return
        self.store(job[0], record)

    def finish(self, batch: list[tuple], n_jobs: int) -> None:
        """Run jobs until each has a record."""
        while todo := [job for job in batch if job[0] not in self.records]:
            here = n_jobs == 1 and self.path_name is None
            for job in run_batch(todo, n_jobs, self.done, here):
                self.alone(job)

    def alone(self, job: tuple) -> None:
        """Run a job that may have killed its worker with no other beside it, to see if it does."""
        while run_batch([job], 1, self.done):
            if not self.may_try(job):
                limit = f" or ran longer than its limit of {job[4]:g} s" if job[4] else ""
                error = f"the worker died{limit}, {self.attempts[job[0]]} times"
                record = {"settings": job[2], "seeds": job[3], "rows": [], "error": error}
                self.store(job[0], record | {"cpu_seconds": 0.0, "machine": {}})
                return
