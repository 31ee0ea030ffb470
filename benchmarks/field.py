"""How fast, how good: the course's flows, the reference recipe and four libraries, in one run.

    python -m benchmarks.field            # all; goes on where it was stopped. About half an hour
    python -m benchmarks.field --quick    # two seeds, short trainings: three minutes, only printed
    python -m benchmarks.field --page     # build the page again from benchmarks/field.json

On one thread, one run after another: for each seed all flows in turn (A B A B), so that a machine
that is busy for a while is busy for all. Each run is a file in .cache/benchmarks/field. The
libraries come into .cache/benchmarks/peers, once; the course's environment is left alone.
"""

import argparse
import functools
import hashlib
import importlib
import json
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.field_page import SMALL

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "benchmarks"
CACHE = ROOT / ".cache" / "benchmarks"
RESULT, PAGE = FOLDER / "field.json", ROOT / "how_fast.md"
REQUIREMENTS = FOLDER / "requirements.txt"

PLAN = {
    "rates": [1e-3, 3e-3, 1e-2, 3e-2],  # the same for all
    "tune": {"steps": 300, "seed": 1000},  # a seed that is not among those below
    "lengths": {100: 5, 300: 5, 800: 3},  # steps -> seeds; the longest comes last
    "reference": {"epochs": 300, "seeds": 5},
    "labels": {"steps": 600, "seeds": 5, "reference": 3},
    "speed": {"sizes": [10**3, 10**4, 10**5], "repeats": 3, "large": [10**6], "largest": 10**7},
    "depth": {"layers": [2, 8, 32, 100], "steps": 300, "seeds": 3},
    "long": {"steps": 3000, "seeds": 3},
}
QUICK = PLAN | {
    "lengths": {100: 2, 300: 2},
    "reference": {"epochs": 300, "seeds": 1},
    "labels": {"steps": 600, "seeds": 1, "reference": 0},
    "speed": {"sizes": [10**3, 10**4], "repeats": 1, "large": [], "largest": 0},
    "depth": {"layers": [], "steps": 300, "seeds": 0},
    "long": {"steps": 3000, "seeds": 0},
}
TARGETS = [0.25, 0.1, 0.05, 0.035, 0.025]
DEEP = ["ours, affine", "reference", "zuko, affine"]
LONG = ["ours, affine", "ours, spline"]


def install(requirements: Path = REQUIREMENTS, cache: Path = CACHE) -> None:
    """Put the libraries into the cache, each alone and without what it depends on; once.

    Args:
        requirements: Their pins.
        cache: Where; `peers` there is added to the places that Python imports from.
    """
    folder = cache / "peers"
    ready = folder / ".ready"
    text = requirements.read_text(encoding="utf-8")
    if not ready.exists() or ready.read_text(encoding="utf-8") != text:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        pins = [line.split("#")[0].strip() for line in text.splitlines()]
        failed = [
            pin for pin in pins if pin and subprocess.run([*pip, str(folder), pin]).returncode
        ]
        if failed:  # (no mark: the next call tries again)
            print("could not be installed:", ", ".join(failed), flush=True)
        else:
            ready.write_text(text, encoding="utf-8")
    sys.path.append(str(folder))


def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


@functools.cache
def code_of(arm: str, version: str) -> str:
    """A hash of what a run of this arm runs, without docstrings and comments."""
    import torch

    from benchmarks import peers
    from experiments.code import bare, text_of

    library = arm.split(",")[0]
    module = peers.MODULES.get(library, "course")
    names = ["measure.py", "reference.py", "peers/model.py", f"peers/{module}.py"]
    files = [FOLDER / name for name in names]
    files += [ROOT / name for name in ("flows.py", "flows_support.py") if library == "ours"]
    parts = [text_of(bare(file.read_text(encoding="utf-8"))) for file in files]
    parts += [version, torch.__version__, processor()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def stored(job: dict, folder: Path, version: str = "", late: bool = False) -> dict | None:
    """The row of a job: read, or measured and stored.

    Args:
        job: What to do, see `done`.
        folder: Where the runs lie.
        version: Version of the library.
        late: Only read: there is no time to measure.

    Returns:
        The row; None if it is late and there is none.
    """
    from experiments.engine import read_run, run_name, write_whole

    path = folder / f"{run_name(job, [], code_of(job['arm'], version))}.json"
    record = read_run(path)
    if record is None and late:
        return None
    if record is None:
        warmed_up()
        began = time.process_time()
        row = done(job)
        # By way of JSON, as a row that is read: keys are text.
        text = json.dumps({"settings": job, "seeds": [], "rows": [row]})
        write_whole(path, text + "\n")
        record = json.loads(text)
        words = " ".join(f"{value}" for value in job.values())
        print(f"{time.process_time() - began:6.1f} s  {words}", file=sys.stderr, flush=True)
    return record["rows"][0]


@functools.cache
def warmed_up() -> None:
    """Let torch and the libraries load what they load at their first steps, before a clock runs."""
    from benchmarks import measure, peers

    for arm, make in peers.found()[0].items():
        steps = 100 if arm.startswith("ours") else 2  # (from 100 on steps are recorded)
        measure.trained(make, arm, steps, 1e-3, 0, layers=1)


def done(job: dict) -> dict:
    """Measure."""
    from benchmarks import measure, peers

    arms, arm = peers.found()[0], job["arm"]
    if job["kind"] == "speed":
        layers = 8 if arm == SMALL else None
        make = arms["ours, affine" if arm == SMALL else arm]
        return measure.speeds(make, job["sizes"], layers)
    if job["kind"] == "labels":
        return measure.trained_on_labels(arm, job["steps"], job["rate"], job["seed"])
    if arm == "reference":
        return measure.trained_reference(job["seed"], job["steps"] // 7, job["layers"] or 6)
    return measure.trained(
        arms[arm], arm, job["steps"], job["rate"], job["seed"], layers=job["layers"]
    )


def ring(arm, steps, rate, seed, layers=None) -> dict:
    """The job of a training."""
    return {
        "kind": "ring",
        "arm": arm,
        "steps": steps,
        "rate": rate,
        "seed": seed,
        "layers": layers,
    }


def chosen(plan: dict, arms: list[str], do) -> tuple[dict, dict]:
    """For each arm the rate with the lowest gap on the held-out seed, and all that were tried."""
    from benchmarks.arithmetic import best_rate

    tried, tune = {arm: {} for arm in arms}, plan["tune"]
    for rate in plan["rates"]:
        for arm in arms:
            tried[arm][rate] = do(ring(arm, tune["steps"], rate, tune["seed"]))["gap"]
    labels = {}
    for rate in plan["rates"]:
        labels[rate] = do(labelled("ours", plan["labels"]["steps"], rate, tune["seed"]))["gap"]
    tried["labels"] = labels
    return {arm: best_rate(gaps) for arm, gaps in tried.items()}, tried


def labelled(arm, steps, rate, seed) -> dict:
    """The job of a training with labels."""
    return {"kind": "labels", "arm": arm, "steps": steps, "rate": rate, "seed": seed}


def jobs(plan: dict, arms: list[str], rates: dict) -> list[dict]:
    """All jobs after the choice of the rates, in the order in which they are done.

    Args:
        plan: PLAN, or QUICK.
        arms: Names of those that are there, the reference included.
        rates: Arm -> rate; "labels" -> rate.

    Returns:
        The jobs: for each seed all arms in turn.

    Example:
        >>> [job["arm"] for job in jobs(PLAN, ["a", "b"], {"a": 1, "b": 1, "labels": 1})][:4]
        ['a', 'b', 'a', 'b']
    """
    others, reference = [arm for arm in arms if arm != "reference"], "reference" in arms
    recipe, labels, speed, depth = (plan[key] for key in ("reference", "labels", "speed", "depth"))
    *shorter, longest = sorted(plan["lengths"])
    found, seeds = [], [recipe["seeds"], labels["seeds"], speed["repeats"]]
    for seed in range(max(*seeds, *plan["lengths"].values())):
        for steps in shorter:
            if seed < plan["lengths"][steps]:
                found += [ring(arm, steps, rates[arm], seed) for arm in others]
        if seed < recipe["seeds"] and reference:
            found.append(ring("reference", 7 * recipe["epochs"], None, seed))
        if seed < speed["repeats"]:
            sizes = speed["sizes"] + (speed["large"] if seed == speed["repeats"] - 1 else [])
            for arm in [*arms, SMALL]:
                found.append({"kind": "speed", "arm": arm, "sizes": sizes, "repeat": seed})
        if seed < labels["seeds"]:
            found.append(labelled("ours", labels["steps"], rates["labels"], seed))
        if seed < labels["reference"] and reference:
            found.append(labelled("reference", 7 * recipe["epochs"], None, seed))
    for seed in range(plan["long"]["seeds"]):
        steps = plan["long"]["steps"]
        found += [ring(arm, steps, rates[arm], seed) for arm in LONG if arm in arms]
    for seed in range(plan["lengths"][longest]):
        found += [ring(arm, longest, rates[arm], seed) for arm in others]
    for seed in range(depth["seeds"]):
        for layers in depth["layers"]:
            for arm in [arm for arm in DEEP if arm in arms]:
                if arm != "reference":
                    found.append(ring(arm, depth["steps"], rates[arm], seed, layers))
                elif layers <= 32:  # (100 of them take two minutes)
                    found.append(ring(arm, 7 * (depth["steps"] // 7), None, seed, layers))
    if speed["largest"]:
        sizes = [*speed["large"], speed["largest"]]
        found.append({"kind": "speed", "arm": SMALL, "sizes": sizes, "repeat": 0})
    return found


def rounded(value):
    """Numbers with four digits, in whatever they lie."""
    if isinstance(value, dict):
        return {str(key): rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def of_a_training(rows: list[dict]) -> dict:
    """Median, lowest and highest of what trainings of one length gave."""
    from benchmarks.arithmetic import spread

    found = {key: spread([row[key] for row in rows]) for key in ("gap", "cpu", "ms")}
    found |= {key: spread([row.get(key) for row in rows]) for key in ("strays_3", "strays_4")}
    middle, best, worst = spread([-row["worst_mode"] if "worst_mode" in row else None
                                  for row in rows])  # fmt: skip
    found["worst_mode"] = [None if v is None else -v for v in (middle, worst, best)]
    return found | {"seeds": len(rows), "broke": sum(row["gap"] is None for row in rows)}


def summary(done_jobs: list[tuple[dict, dict]], rates: dict, tried: dict) -> dict:
    """What the page shows, from all jobs and their rows.

    Args:
        done_jobs: Jobs and rows.
        rates: Arm -> rate.
        tried: Arm -> rate -> gap.

    Returns:
        A dictionary for JSON.
    """
    from benchmarks.arithmetic import spread, time_to

    rings, depths, labels, speed = {}, {}, {}, {}
    for job, row in done_jobs:
        arm = job["arm"]
        if job["kind"] == "labels":
            labels.setdefault(arm, []).append(row)
        elif job["kind"] == "speed":
            for n, one in row.items():
                speed.setdefault(arm, {}).setdefault(n, []).append(one)
        elif job["layers"]:
            depths.setdefault(arm, {}).setdefault(job["layers"], []).append(row)
        else:
            rings.setdefault(arm, {}).setdefault(job["steps"], {})[job["seed"]] = row
    found = {"ring": {}, "labels": {}, "speed": {}, "depth": {}}
    for arm, lengths in rings.items():
        seeds = sorted({seed for rows in lengths.values() for seed in rows})
        curves = [[rows[seed]["curve"] for rows in lengths.values() if seed in rows]
                  for seed in seeds]  # fmt: skip
        found["ring"][arm] = {
            "rate": rates.get(arm),
            "tried": tried.get(arm, {}),
            "weights": next(iter(next(iter(lengths.values())).values()))["weights"],
            "to": {target: spread([time_to(c, target) for c in curves]) for target in TARGETS},
            "lengths": {s: of_a_training(list(r.values())) for s, r in lengths.items()},
        }
    for arm, rows in labels.items():
        found["labels"][arm] = {key: spread([row[key] for row in rows]) for key in ("gap", "cpu")}
        found["labels"][arm] |= {"seeds": len(rows)}
    for arm, sizes in speed.items():
        found["speed"][arm] = {
            n: {"log_prob": spread([row["log_prob"] for row in rows]),
                "sample": spread([row["sample"] for row in rows]),
                "megabytes": max(row["megabytes"] for row in rows)}
            for n, rows in sizes.items()
        }  # fmt: skip
    for arm, layers in depths.items():
        found["depth"][arm] = {n: of_a_training(rows) for n, rows in layers.items()}
    return rounded(found)


def measured(plan: dict, folder: Path, rates: dict | None = None, minutes: float = 1e9) -> dict:
    """Do what is missing of the plan.

    Args:
        plan: PLAN, or QUICK.
        folder: Where the runs lie.
        rates: Arm -> rate; None chooses them.
        minutes: No job is begun after so many CPU minutes; what is done is summed up.

    Returns:
        What the page shows.
    """
    import torch

    from benchmarks import peers

    torch.set_num_threads(1)
    began = time.process_time()
    arms, versions, missing = peers.found()
    for name, why in missing.items():
        print(f"{name} is left out: {why}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)

    def do(job, late=False):
        return stored(job, folder, versions.get(job["arm"].split(",")[0], ""), late)

    tried = {}
    if rates is None:
        rates, tried = chosen(plan, [arm for arm in arms if arm != "reference"], do)
    rows, todo = [], jobs(plan, list(arms), rates)
    for job in todo:
        row = do(job, late=time.process_time() - began > 60 * minutes)
        rows += [(job, row)] if row is not None else []
    machine = {"processor": processor(), "python": platform.python_version()}
    machine |= {"torch": torch.__version__.split("+")[0], "libraries": versions}
    return {
        "machine": machine, "missing": missing, "plan": plan,
        "left_undone": len(todo) - len(rows), "rate_labels": rates.get("labels"),
    } | summary(rows, rates, tried)  # fmt: skip


def main() -> None:
    """Install, measure, write the result and the page; or print, if quick."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--page", action="store_true", help="only build the page again")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no run after so many")
    options = parser.parse_args()
    page = importlib.import_module("benchmarks.field_page")
    from experiments.engine import write_whole

    if options.page:
        write_whole(PAGE, page.page(json.loads(RESULT.read_text(encoding="utf-8"))))
        return
    install()
    if not options.quick:
        found = measured(PLAN, CACHE / "field", minutes=options.minutes)
        found = json.loads(json.dumps(found))
        write_whole(RESULT, json.dumps(found, indent=1) + "\n")
        write_whole(PAGE, page.page(found))
        print(f"{RESULT.name} and {PAGE.name} are written")
        return
    old = json.loads(RESULT.read_text(encoding="utf-8"))
    rates = {arm: row["rate"] for arm, row in old["ring"].items()}
    rates["labels"] = old["rate_labels"]
    from benchmarks import peers

    rates = dict.fromkeys(peers.found()[0], 1e-2) | rates  # (for a library that is new)
    folder = CACHE / "field-quick"
    shutil.rmtree(folder, ignore_errors=True)  # a quick run is to be a new one
    print(page.tables(measured(QUICK, folder, rates)))


if __name__ == "__main__":
    main()
