"""Measure how far each trained number of the course varies, and write bands.py.

    python tools/measure_bands.py                            every notebook with trained numbers
    python tools/measure_bands.py chapters/5_training.ipynb  only this one; other entries stay

Each notebook is run once per seed, with its line `SEED = 0` replaced. While it runs, every
`gmu.check_band(name, value)` writes its value to a file instead of judging it. The notebooks
themselves are not changed.

The band is the mean of the values -+ the larger of

* 4 standard deviations (of the sample, n - 1): room for another machine or version of torch,
  which act on a training as another seed would;
* a floor of max(0.001, 1 % of the mean), for numbers that hardly depend on the seed.
"""

import argparse
import copy
import datetime
import importlib.util
import json
import math
import os
import platform
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import safely

ROOT = Path(__file__).resolve().parents[1]
BANDS = ROOT / "bands.py"
SEED_LINE = re.compile(r"^SEED = 0\b", flags=re.MULTILINE)
SPREAD = 4.0  # standard deviations on each side
FLOOR_ABSOLUTE, FLOOR_RELATIVE = 1e-3, 0.01

HEADER = '''"""The range of every trained number in the course, over several seeds.

Written by tools/measure_bands.py; do not edit by hand. To measure again:

    python tools/measure_bands.py                            # every notebook
    python tools/measure_bands.py chapters/5_training.ipynb  # one; the other entries stay

An entry holds the band (low, high), the values, the seeds that gave them, the notebook, and when
and on what they were measured. low and high are the mean of the values -+ the larger of 4 standard
deviations (of the sample) and a floor, max(0.001, 1 % of the mean), for numbers that hardly vary.

A band is a tolerance and no range of possible values: it may reach below 0 or above 1, and a wide
one only catches gross errors. What the text needs to be true of every run, it prints as a fact.
"""

'''


def has_band(notebook) -> bool:
    """Whether a code cell of the notebook calls check_band."""
    return any("check_band(" in c.source for c in notebook.cells if c.cell_type == "code")


def with_seed(notebook, seed: int):
    """A copy of the notebook with its one line `SEED = 0` set to another seed.

    Raises:
        ValueError: the line is missing, or there are several.
    """
    changed = copy.deepcopy(notebook)
    count = 0
    for cell in changed.cells:
        if cell.cell_type == "code":
            cell.source, n = SEED_LINE.subn(f"SEED = {seed}", cell.source)
            count += n
    if count != 1:
        raise ValueError(f"a notebook with trained numbers needs one line SEED = 0, found {count}")
    return changed


def read_log(path: Path) -> dict[str, float]:
    """Name -> value, as one run wrote them.

    Raises:
        ValueError: a name came twice, or a value is not finite.
    """
    values = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["name"] in values:
            raise ValueError(f"check_band was called twice with the name {record['name']!r}")
        if not math.isfinite(record["value"]):
            raise ValueError(f"{record['name']} is {record['value']}, which no band can hold")
        values[record["name"]] = record["value"]
    return values


def band(values: list[float], spread: float = SPREAD) -> tuple[float, float]:
    """Low and high end of the band, from two values or more."""
    mean = statistics.fmean(values)
    half = max(spread * statistics.stdev(values), FLOOR_ABSOLUTE, FLOOR_RELATIVE * abs(mean))
    return mean - half, mean + half


def measure(path: Path, seeds: list[int], provenance: str, spread: float = SPREAD) -> dict:
    """Run one notebook for every seed and return its entries, name -> entry.

    Args:
        path: the notebook.
        seeds: two seeds or more.
        provenance: when and on what it was measured.
        spread: standard deviations on each side of the mean.
    """
    from execute import run  # tools/execute.py; it lies beside this file

    notebook = nbformat.read(path, as_version=4)
    runs = []
    for seed in seeds:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "values.jsonl"
            log.touch()
            environment = {"COURSE_BANDS_LOG": str(log), "COURSE_BANDS_SEED": str(seed)}
            run(with_seed(notebook, seed), path, environment)
            runs.append(read_log(log))
        print(f"{path.name}, seed {seed}: {time.perf_counter() - start:.0f} s", flush=True)
    if any(set(values) != set(runs[0]) for values in runs):
        raise ValueError(f"{path.name}: the names differ from seed to seed")
    entries = {}
    for name in runs[0]:
        values = [values[name] for values in runs]
        low, high = band(values, spread)
        entries[name] = {
            "low": float(f"{low:.4g}"),
            "high": float(f"{high:.4g}"),
            "values": [float(f"{value:.5g}") for value in values],
            "seeds": list(seeds),
            "notebook": path.name,
            "measured": provenance,
        }
        print(f"  {name}: {min(values):.4f} to {max(values):.4f}, band {low:.4f} to {high:.4f}")
    return entries


def render(entries: dict) -> str:
    """The text of bands.py: sorted, one key a line, the same for the same entries."""
    lines = [HEADER + "BANDS = {"]
    for name in sorted(entries):
        lines.append(f"    {json.dumps(name)}: {{")
        for key, value in entries[name].items():
            lines.append(f"        {json.dumps(key)}: {json.dumps(value)},")
        lines.append("    },")
    return "\n".join(lines) + "\n}\n" if entries else HEADER + "BANDS = {}\n"


def load(path: Path) -> dict:
    """The entries in a file that `render` wrote; none if there is no file."""
    if not path.exists():
        return {}
    spec = importlib.util.spec_from_file_location("stored_bands", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.BANDS)


def provenance() -> str:
    """When and on what: date, versions, threads, kind of processor."""
    import torch

    return (
        f"{datetime.date.today():%Y-%m-%d}, torch {torch.__version__.split('+')[0]}, "
        f"python {platform.python_version()}, 1 thread, {platform.machine()} CPU"
    )


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, measure, write bands.py."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of chapters/")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--spread", type=float, default=SPREAD, help="standard deviations")
    parser.add_argument("--output", type=Path, default=BANDS)
    options = parser.parse_args(arguments)
    if len(set(options.seeds)) < 2 or len(set(options.seeds)) < len(options.seeds):
        parser.error(f"--seeds needs two different seeds or more, got {options.seeds}")
    paths = options.notebooks or sorted((ROOT / "chapters").glob("*.ipynb"))
    sys.path.insert(0, str(ROOT / "tools"))
    os.environ.pop("COURSE_BANDS_LOG", None)
    for path in paths:
        if not has_band(nbformat.read(path, as_version=4)):
            if options.notebooks:
                print(f"{path.name}: no check_band in it")
            continue
        new = measure(path, options.seeds, provenance(), options.spread)
        # Read again each time: what another run has written meanwhile must stay.
        kept = {k: v for k, v in load(options.output).items() if v["notebook"] != path.name}
        for name in new.keys() & kept.keys():
            raise ValueError(f"{name!r} is used in {path.name} and in {kept[name]['notebook']}")
        safely.write(options.output, render(kept | new))
        print(f"wrote {len(new)} bands of {path.name} to {options.output.name}")


if __name__ == "__main__":
    main()
