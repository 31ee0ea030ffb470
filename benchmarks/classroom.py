"""The whole way of an instructor, from a roster to the table of the LMS, with a clock beside it.

    python benchmarks/classroom.py                  # 80 students, into classroom.json
    python benchmarks/classroom.py --students 8 --dry   # a quick look, nothing is written

The commands are those that `make assignment`, `make grade` and `make lms` run. The students are
made up: most hand in right functions, some slip, some break their file or mean ill, some hand in
nothing. Their runs are taken from the rings' evidence; the grader runs one of each again. What a
person does, the reading, a script stands in for: it gives all points.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "classroom")]

from hand_ins import RIGHT, WORDS, filled, results  # noqa: E402

from classroom.variants import read_secret  # noqa: E402
from experiments.sheets import SHEETS  # noqa: E402

TARGET = Path(__file__).with_suffix(".json")
SLIP = {"depth": ("axis=2", "axis=1")}
# What each hands in, forty students in a row.
KINDS = dict.fromkeys(range(40), "good") | {7: "slip", 27: "slip", 13: "broken", 18: "loop"}
KINDS[39] = "missing"
SAID = {
    "good": "right", "slip": "with a slip", "broken": "cut off in the middle",
    "loop": "that never end", "missing": "not handed in",
}  # fmt: skip


def fill_in(sheet: str, folder: Path) -> dict[str, int]:
    """Hand in for everybody: the files of `folder/in`.

    Args:
        sheet: Name of the sheet.
        folder: Where `assigned` and `secret.txt` are.

    Returns:
        Kind of hand-in -> how many.
    """
    secret, counts = read_secret(folder / "secret.txt"), dict.fromkeys(SAID, 0)
    (folder / "in").mkdir()
    with open(folder / "assigned" / f"{sheet}-variants.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for k, row in enumerate(rows):
        kind = KINDS[k % len(KINDS)]
        counts[kind] += 1
        if kind == "missing":
            continue
        code = RIGHT[sheet]
        if kind == "slip":
            code = code.replace(*SLIP[sheet])
        if kind == "loop":
            code += "\nwhile True:\n    pass\n"
        own = folder / "results" / row["student"]
        own.mkdir(parents=True)
        output = results(sheet, row["student"], secret, own)
        words = {key: f"{text} ({row['student']})" for key, text in WORDS.items()}
        text = json.dumps(filled(sheet, row["student"], secret, code, output, **words))
        text = text[: len(text) // 2] if kind == "broken" else text
        (folder / "in" / row["file"]).write_text(text, encoding="utf-8")
    return counts


def timed(says: str, *command: str) -> dict:
    """Run a command; what it cost, its children's CPU time included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
    )  # fmt: skip
    print(f"{says}: {done.stdout.strip()}", flush=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if done.returncode not in (0, 1):  # (1: the LMS lists whoever has no mark)
        raise SystemExit(done.returncode)
    seconds = time.monotonic() - start
    return {"command": says, "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1)}


def read_all(queue: Path) -> None:
    """Stand in for the person who reads: full points for every answer."""
    with open(queue, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    points, most = rows[0].index("points"), rows[0].index("of")
    with open(queue, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [rows[0], *([*r[:points], r[most], *r[points + 1 :]] for r in rows[1:])]
        )


def walk(students: int, sheet: str, folder: Path) -> dict:
    """Go the whole way.

    Args:
        students: Size of the class.
        sheet: Name of the sheet.
        folder: An empty folder.

    Returns:
        What it took, for `instructor.py`.
    """
    names = [f"student{k:03d}" for k in range(students)]
    (folder / "roster.csv").write_text("student\n" + "\n".join(names) + "\n", encoding="utf-8")
    column = f"{SHEETS[sheet].title} (123)"
    export = [f"Student,ID,SIS Login ID,Section,{column}", "    Points Possible,,,,10"]
    export += [f'"Last, {name}",{k},{name},S1,' for k, name in enumerate(names)]
    (folder / "gradebook.csv").write_text("\n".join(export) + "\n", encoding="utf-8")
    loads = [os.getloadavg()[0]]
    roster, secret = str(folder / "roster.csv"), str(folder / "secret.txt")
    common = ["--sheet", sheet, "--roster", roster, "--secret", secret]
    grade = ["classroom.grade", *common, "--in", str(folder / "in"), "--out", str(folder / "marks")]
    steps = [timed("make assignment", "classroom.assign", *common, "--out",
                   str(folder / "assigned"))]  # fmt: skip
    counts = fill_in(sheet, folder)
    loads.append(os.getloadavg()[0])
    steps.append(timed("make grade", *grade))
    loads.append(os.getloadavg()[0])
    read_all(folder / "marks" / "queue.csv")
    steps.append(timed("make grade (the answers are read)", *grade))
    steps.append(timed(
        "make lms", "classroom.lms", "--marks", str(folder / "marks"), "--roster", roster,
        "--export", str(folder / "gradebook.csv"), "--column", column, "--out",
        str(folder / "canvas.csv"),
    ))  # fmt: skip
    loads.append(os.getloadavg()[0])
    with open(folder / "canvas.csv", encoding="utf-8", newline="") as file:
        marks = [row[4] for row in list(csv.reader(file))[2:]]
    counts |= {"marks in canvas.csv": sum(bool(mark) for mark in marks)}
    return {
        "students": students, "sheet": sheet, "cores": len(os.sched_getaffinity(0)),
        "load": {"from": round(min(loads), 1), "to": round(max(loads), 1)},
        "hand_ins": ", ".join(f"{n} {SAID.get(kind, kind)}" for kind, n in counts.items() if n),
        "steps": steps,
    }  # fmt: skip


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--students", type=int, default=80)
    parser.add_argument("--sheet", default="depth", choices=sorted(SLIP))
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = walk(options.students, options.sheet, Path(folder))
    text = json.dumps(found, indent=1) + "\n"
    print(text)
    if not options.dry:
        TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
