"""A study: a claim's arms, the seeds that each gets, and the results that are committed.

Every arm that declares rates gets its own best learning rate, found on seeds of its own, before
the seeds that count are run.
"""

import datetime
import json
import math
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .code import fingerprint
from .engine import PATHS, SweepError, sweep, write_whole

RESULTS = Path(__file__).parent / "results"
CACHE = Path(__file__).resolve().parents[1] / ".cache" / "experiments"
SEEDS = tuple(range(21))
TUNING_SEEDS = (1000, 1001, 1002)


@dataclass(frozen=True)
class Study:
    """One question, and all that is needed to answer it again.

    Attributes:
        name: Name of its results' file.
        question: What it asks, one sentence.
        run: Function `(settings, seeds) -> rows`, see `engine.sweep`.
        arms: Name -> settings, or a function that returns them.
        rates: Learning rates that each arm chooses from, put into its settings as `lr`, unless it
            says its own.
        judge: The number by which a rate is chosen, the median over `tuning_seeds`; less is better.
        seeds: The seeds that count.
        tuning_seeds: The seeds on which rates are chosen.
        together: Seeds in one call of `run`.
        measured: Names of settings that come from a measurement, such as a number of steps that
            took some time: another measurement does not make the results stale.

    Example:
        >>> Study("s", "Is it?", run=len, arms={"a": {"steps": 3}}).settings()
        {'a': {'steps': 3}}
    """

    name: str
    question: str
    run: Callable
    arms: dict[str, dict] | Callable[[], dict[str, dict]]
    rates: Sequence[float] = ()
    judge: str = "gap"
    seeds: Sequence[int] = SEEDS
    tuning_seeds: Sequence[int] = TUNING_SEEDS
    together: int = 1
    measured: Sequence[str] = ()

    def settings(self) -> dict[str, dict]:
        """Name -> settings of each arm, without its learning rate."""
        return self.arms() if callable(self.arms) else self.arms

    def code(self) -> str:
        """Hash of the code behind a run."""
        return fingerprint(self.run)


def median(values: Sequence[float]) -> float:
    """Median of numbers; one that is none counts as infinite."""
    return statistics.median(v if math.isfinite(v) else math.inf for v in values)


def tune(study: Study, folder: Path, **options) -> tuple[dict[str, dict], dict[str, dict]]:
    """Choose a learning rate for each arm.

    Args:
        study: The study.
        folder: Where its runs are stored.
        **options: For `sweep`.

    Returns:
        The settings of each arm with its rate, and for each arm the median of the judge by rate.
    """
    arms = study.settings()
    if not study.rates:
        return arms, {}
    free = [name for name in arms if "lr" not in arms[name]]
    trials = [(name, rate) for name in free for rate in study.rates]
    records = sweep(
        study.run,
        [arms[name] | {"lr": rate} for name, rate in trials],
        study.tuning_seeds,
        folder,
        together=len(study.tuning_seeds) if study.together > 1 else 1,
        name=f"{study.name}, rates",
        **options,
    )
    found: dict[str, dict[str, float]] = {name: {} for name in free}
    each = len(records) // len(trials)
    for k, (name, rate) in enumerate(trials):
        own = [row for record in records[k * each : (k + 1) * each] for row in record["rows"]]
        values = [row[study.judge] for row in own] or [math.inf]
        found[name][repr(rate)] = median(values)
    best = {name: min(by_rate, key=by_rate.get) for name, by_rate in found.items()}
    chosen = {name: {"lr": float(rate)} for name, rate in best.items()}
    return {name: arms[name] | chosen.get(name, {}) for name in arms}, found


def measure(
    study: Study,
    n_jobs: int | None = None,
    cache: Path = CACHE,
    here: bool = True,
    **options,
) -> dict:
    """Run what is missing of a study, and write its results.

    Args:
        study: The study.
        n_jobs: Workers; None takes one for each core.
        cache: Folder of the single runs.
        here: Whether the workers are processes of this machine, which can play other processors;
            those of a cluster keep their own.
        **options: For `sweep`.

    Returns:
        What was written to `results/<name>.json`.

    Raises:
        SweepError: If a run failed for good, with its error.
    """
    folder, code = cache / study.name, study.code()
    options = {"code": code, "n_jobs": n_jobs} | options
    arms, rates = tune(study, folder, **options)
    records = sweep(study.run, list(arms.values()), study.seeds, folder, together=study.together,
                    paths=PATHS if here else None, name=study.name, **options)  # fmt: skip
    failed = [record for record in records if "error" in record]
    if failed:
        raise SweepError(
            f"{study.name}: {len(failed)} of {len(records)} runs failed, the first with settings "
            f"{failed[0]['settings']}, seeds {failed[0]['seeds']}:\n{failed[0]['error']}"
        )
    each = len(records) // len(arms)
    results = {
        "study": study.name,
        "question": study.question,
        "code": code,
        "measured": provenance(),
        "seeds": list(study.seeds),
        "cpu": [r.get("cpu", "own") for r in records[:each] for _ in r["seeds"]],
        "rates": rates,
        "arms": {name: summary(records[k * each : (k + 1) * each]) for k, name in enumerate(arms)},
    }
    write_whole(RESULTS / f"{study.name}.json", render(results))
    return results


def summary(records: list[dict]) -> dict:
    """The records of one arm, number by number."""
    rows = [row for record in records for row in record["rows"]]
    return {
        "settings": records[0]["settings"],
        "cpu_seconds": [r["cpu_seconds"] for r in records for _ in r["seeds"]],
        "values": {name: [row[name] for row in rows] for name in rows[0]},
    }


def provenance() -> dict:
    """When and on what: date, versions, processor, cores."""
    import torch

    return {
        "date": f"{datetime.date.today():%Y-%m-%d}",
        "torch": torch.__version__.split("+")[0],
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "cores": os.cpu_count(),
    }


def render(results: dict) -> str:
    """Results as text: one list of numbers a line, so that a change is a readable change."""
    text = json.dumps(results, indent=1)
    lines, open_list = [], None
    for line in text.splitlines():
        stripped = line.strip()
        if open_list is not None:
            open_list += stripped if stripped[0] == "]" else stripped + " "
            if stripped.rstrip(",") == "]":
                lines.append(open_list.replace(" ]", "]"))
                open_list = None
        elif stripped.endswith("["):
            open_list = line
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def load(name: str) -> dict:
    """Stored results of a study.

    Args:
        name: The study's name.

    Returns:
        What `measure` wrote.

    Raises:
        SweepError: If there are none, or the file is damaged; the message says what to do.
    """
    path = RESULTS / f"{name}.json"
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        if not {"arms", "seeds", "code"} <= set(results):
            raise ValueError("no results")
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in RESULTS.glob("*.json"))) or "none"
        raise SweepError(
            f"there are no results of a study {name!r} (stored: {known}): run `make experiments`"
        ) from None
    except ValueError as error:
        raise SweepError(
            f"{path.name} is damaged ({error}): restore it, or run `make experiments`"
        ) from None
    return results
