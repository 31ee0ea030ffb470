"""`make grade`: marks for a folder of hand-ins, from which nothing can break out or stop it.

    make grade SHEET=depth IN=handins ROSTER=roster.csv OUT=marks

A hand-in is read as JSON and never run: of its cells those with an answer's id are taken, all else
is thrown away. The function that it holds runs alone in a box (`box.py`), is asked for numbers, and
is judged out here. One of its runs, drawn by the course's secret, is run again. Each hand-in gets
its row, whatever it does. Stopped, the same command goes on; once done, it changes nothing.
"""

import argparse
import ast
import hashlib
import io
import itertools
import json
import math
import os
import re
import stat
import sys
import time
import tomllib
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from classroom.assign import ANSWERS, KEYS, SECRET, YOUR_WORDS
from classroom.box import Box, BoxError, Kind, Limits, NoBox, find_box, one_line
from classroom.laws import Broken
from classroom.roster import Student, file_name, read_csv, read_roster, table, write_whole
from classroom.sheet import hash_of, read_hand_in, spec_named, verdict_of
from classroom.variants import band, code_of, digest, pick, read_secret, tag
from classroom.verdict import Outcome, Verdict
from experiments.engine import run_batch
from experiments.sheets import POINTS, RUBRIC, Spec, arm_name

__all__ = ["Grader", "HandIn", "similar", "take_notebook"]

MOST_BYTES = 8 << 20  # of a notebook
MOST_CELLS, MOST_CODE, MOST_WORDS = 500, 20_000, 20_000
MOST_FILES = 2_000
# What was found under other laws, or in another box, is not remembered.
LAWS = [
    Path(__file__).with_name(f"{name}.py") for name in ("laws", "box", "worker", "grade", "sheet")
]
WRITTEN = ("prediction", "q1", "q2", "q3")  # parts that a person marks
ALIKE = {"code": 0.7, "words": 0.4}  # from which share on two hand-ins are reported


class Unreadable(ValueError):
    """A hand-in that is none; says why."""


# ------------------------------------------------------------------------------ reading a hand-in


@dataclass
class HandIn:
    """What was taken from a file.

    Attributes:
        path: The file, relative to the folder.
        sha: SHA-256 of its bytes.
        answers: Id of an answer cell -> its source.
        made_for: The student that the notebook names, and its seal.
        output: What the hand-in cell printed.
        notes: What is odd about it.
    """

    path: str
    sha: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    made_for: tuple[str, str] = ("", "")
    output: str = ""
    notes: list[str] = field(default_factory=list)


def is_graded(row: dict) -> bool:
    """Whether a hand-in got points."""
    return row["status"] == "graded"


def natural(text: str) -> list:
    """A key by which "a-10" comes after "a-9"."""
    parts = re.split(r"([0-9]{1,9})", text)  # (of these every second one is a number)
    return [(0, int(p), "") if k % 2 else (1, 0, p) for k, p in enumerate(parts)]


def hand_ins(folder: Path) -> list[Path]:
    """The files of a folder and of those inside it, in a fixed order.

    Hidden ones are left out, unless they are called a notebook or a zip.

    Raises:
        ValueError: If there is no folder, or nothing in it, or far too much.
    """
    if not folder.is_dir():
        raise ValueError(f"IN must be a folder of hand-ins, but {folder} is not there")
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f[0] != "." and f != "__MACOSX")
        for name in folders:
            if os.path.islink(os.path.join(place, name)):
                found.append(Path(place, name))
        found += [Path(place, name) for name in names if not is_hidden(name)]
        if len(found) > MOST_FILES:
            raise ValueError(f"{folder} holds more than {MOST_FILES} files: is it the right one?")
    if not found:
        raise ValueError(f"there is no hand-in in {folder}")
    return sorted(found, key=lambda path: natural(str(path.relative_to(folder).with_suffix(""))))


def is_hidden(name: str) -> bool:
    """Whether a file is none that a student would hand in, such as those of a Mac's folder.

    Example:
        >>> [is_hidden(name) for name in (".DS_Store", "._a.ipynb", ".ipynb", "a.pdf")]
        [True, True, False, False]
    """
    handed = name.lower().endswith((".ipynb", ".zip")) and not name.startswith("._")
    return name.startswith(".") and not handed


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that may be anything.

    Raises:
        Unreadable: If it is no plain file, or too large.
    """
    try:
        kind = os.lstat(path)
        if not stat.S_ISREG(kind.st_mode):
            raise Unreadable("is no plain file (a link, or something stranger)")
        if kind.st_size > MOST_BYTES:
            raise Unreadable(f"is {kind.st_size >> 20} MiB large; {MOST_BYTES >> 20} are allowed")
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror or error})") from None
    return data


def unpack(data: bytes) -> bytes:
    """The one notebook of a zip, which is never unpacked to disk.

    Raises:
        Unreadable: If it holds none, or several, or tries something.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > 200:
                raise Unreadable(f"is a zip of {len(entries)} files")
            for entry in entries:
                parts = re.split(r"[/\\]", entry.filename)
                if ".." in parts or not parts[0] or ":" in parts[0]:
                    raise Unreadable(f"is a zip with the path {one_line(entry.filename, 60)!r}")
                if stat.S_ISLNK(entry.external_attr >> 16):
                    raise Unreadable("is a zip with a link in it")
                if entry.flag_bits & 1:
                    raise Unreadable("is a zip with a password")
            inside = [e for e in entries if e.filename.lower().endswith(".ipynb")
                      and not re.search(r"(^|/)(\.|__MACOSX/)", e.filename)]  # fmt: skip
            if len(inside) != 1:
                raise Unreadable(f"is a zip with {len(inside)} notebooks in it, not one")
            if inside[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Unreadable("is a zip of an unusual kind: its notebook is not deflated")
            # What a zip says of its sizes may be a lie: no more than this is unpacked.
            with archive.open(inside[0]) as file:
                data = file.read(MOST_BYTES + 1)
            if max(len(data), inside[0].file_size) > MOST_BYTES:
                raise Unreadable(f"is a zip whose notebook is larger than {MOST_BYTES >> 20} MiB")
            return data
    except Unreadable:
        raise
    except Exception as error:  # (zipfile has many of its own for damaged files)
        raise Unreadable(f"is a damaged zip ({type(error).__name__})") from None


def joined(value) -> str:
    """A source or an output as a notebook file holds it: a text, or a list of lines."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "".join(value)
    raise Unreadable("is no notebook: what a cell holds is no text")


def take_notebook(path: str, data: bytes) -> HandIn:
    """Take the answers out of a notebook's bytes.

    Args:
        path: What the file is called.
        data: Its bytes.

    Returns:
        The hand-in.

    Raises:
        Unreadable: If it is no notebook.

    Example:
        >>> text = '{"cells": [{"cell_type": "code", "id": "code", "source": "x = 1"}]}'
        >>> take_notebook("a.ipynb", text.encode()).answers
        {'code': 'x = 1'}
    """
    found = HandIn(path, hashlib.sha256(data).hexdigest())
    if data[:4] == b"PK\x03\x04" or path.lower().endswith(".zip"):
        data = unpack(data)
        found.notes.append("came as a zip")
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable("is no notebook: it is not UTF-8") from None
    except RecursionError:
        raise Unreadable("is no notebook: it is nested without end") from None
    except ValueError:
        raise Unreadable("is no notebook: it is not JSON, or cut off") from None
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("is no notebook of today: it has no list of cells")
    if len(cells) > MOST_CELLS:
        raise Unreadable(f"has {len(cells)} cells; {MOST_CELLS} are allowed")
    made = content.get("metadata")
    made = made.get("course") if isinstance(made, dict) else None
    if isinstance(made, dict):
        found.made_for = (str(made.get("student", ""))[:200], str(made.get("tag", ""))[:80])
    for cell in cells:
        if not isinstance(cell, dict):
            raise Unreadable("is no notebook: one of its cells is none")
        take_cell(cell, found)
    found.notes = list(dict.fromkeys(found.notes))
    if lost := [name for name in ANSWERS if name not in found.answers]:
        found.notes.append(f"without the answer cells {', '.join(lost)}")
    return found


def take_cell(cell: dict, found: HandIn) -> None:
    """Take one cell, if it is an answer; of several with one id, the last."""
    metadata = cell.get("metadata")
    course = metadata.get("course") if isinstance(metadata, dict) else None
    # Some editors give cells new ids, and keep their metadata.
    name = course.get("answer") if isinstance(course, dict) else None
    name = name if isinstance(name, str) and name in ANSWERS else cell.get("id")
    if not isinstance(name, str) or name not in ANSWERS:
        return
    if cell.get("cell_type") != ANSWERS[name]:
        found.notes.append(f"with the answer cell {name} turned into another kind")
        return
    if name in found.answers:
        found.notes.append(f"with the answer cell {name} twice: the last one counts")
    found.answers[name] = joined(cell.get("source", ""))
    if name == "hand-in":
        outputs = cell["outputs"] if isinstance(cell.get("outputs"), list) else []
        streams = [o for o in outputs if isinstance(o, dict) and o.get("output_type") == "stream"]
        found.output = "".join(joined(stream.get("text", "")) for stream in streams)


# ------------------------------------------------------------------------------------- who is it


def written_on(path: str, sheet: str, students: Sequence[Student]) -> str:
    """The student whose file name it is, or ""; the longest that fits.

    Example:
        >>> written_on("x_12_depth-ada-1.ipynb", "depth", [Student("ada"), Student("ad")])
        'ada'
    """
    text = unicodedata.normalize("NFC", path).lower()
    fits = [
        student.id
        for student in students
        if re.search(rf"{re.escape(f'{sheet}-{file_name(student.id)}'.lower())}(?![a-z0-9])", text)
    ]
    return max(fits, key=lambda name: len(file_name(name)), default="")


# ------------------------------------------------------------------------------ marking one hand-in


def numbers_of(value, count: int) -> list[float] | None:
    """A list of so many finite numbers, or None."""
    if not isinstance(value, list) or len(value) != count:
        return None
    # (An int may be larger than any float; a NaN is no smaller.)
    if any(type(v) not in (int, float) or not abs(v) <= sys.float_info.max for v in value):
        return None
    return [float(v) for v in value]


def sound_runs(spec: Spec, variant, runs: dict) -> tuple[dict[str, list[dict]], list[str]]:
    """The runs that are those of a variant, as rows, and what is wrong with the others."""
    good, wrong = {}, []
    for arm in spec.arms():
        name, record = arm_name(arm), runs.get(arm_name(arm))
        if record is None:
            continue
        if record.get("settings") != variant.settings() | arm:
            wrong.append(f"{name}: not the settings of this ring")
        elif record.get("seeds") != list(variant.seeds):
            wrong.append(f"{name}: not the seeds of this student")
        else:
            rows = record.get("rows")
            rows = rows if isinstance(rows, list) else []
            plain = [
                numbers_of([row.get(m) for m in spec.measures], len(spec.measures))
                for row in rows
                if isinstance(row, dict)
            ]
            if len(plain) != len(variant.seeds) or None in plain:
                wrong.append(f"{name}: its numbers are damaged")
            else:
                good[name] = [dict(zip(spec.measures, row, strict=True)) for row in plain]
    return good, wrong


def predictions_of(spec: Spec, found: dict) -> tuple[dict, list[str]]:
    """The predictions that make sense, and what is wrong with the others."""
    good, wrong = {}, []
    for guess in spec.predictions:
        entry = found["predictions"].get(guess.key)
        if entry is None:
            wrong.append(f"no prediction of {guess.key!r}")
            continue
        values = numbers_of([entry.get(name) for name in ("low", "best", "high")], 3)
        reason = entry.get("because")
        if values is None or not values[0] <= values[1] <= values[2]:
            wrong.append(f"the prediction of {guess.key!r} is no range with a guess in it")
        elif not isinstance(reason, str) or len(reason) > MOST_WORDS:
            wrong.append(f"the prediction of {guess.key!r} has no reason")
        else:
            good[guess.key] = entry
    return good, wrong


def judge_code(spec: Spec, code: str, kind: Kind, limits: Limits, seed: bytes) -> Verdict:
    """The verdict on a function, which runs in a box."""
    if len(code) > MOST_CODE:
        return Verdict(Outcome.CANNOT_RUN, f"the cell is longer than {MOST_CODE} characters")
    stub = ast_or_none(spec.task.stub)
    tree = ast_or_none(code)
    if not code.strip() or (tree is not None and tree == stub):
        return Verdict(Outcome.NOT_ATTEMPTED, "the cell is as it was")
    rng = np.random.default_rng(int.from_bytes(seed))
    names = list(spec.task.names)
    try:
        with Box(kind, limits) as box:
            there = box.load(code, names)
            if lost := [name for name in names if name not in there]:
                return Verdict(Outcome.CANNOT_RUN, f"the cell defines no function {lost[0]}")
            answer = {name: asked(box, name) for name in names}
            return verdict_of(spec.task.laws, answer, rng)
    except BoxError as error:
        return Verdict(Outcome.CANNOT_RUN, f"your code {error}")


def asked(box: Box, name: str) -> Callable:
    """A function in a box as a law asks it: what goes wrong in there is the verdict."""

    def ask(*arguments):
        try:
            return box.call(name, *arguments)
        except BoxError as error:
            raise Broken(Verdict(Outcome.CANNOT_RUN, f"your code {error}")) from None

    return ask


def ast_or_none(code: str) -> str | None:
    """The syntax tree of a text, as text; None if it has none."""
    try:
        return ast.dump(ast.parse(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def reproduced(spec: Spec, ring: str, arm: dict, old: list[dict], new: list[dict]) -> str:
    """How a run that was done again compares: "exactly", "as the ring allows" or "not".

    Trained numbers differ from one kind of processor to another. So numbers that differ may both
    be right, if both lie where the ring's own evidence does.
    """
    pairs = [(a[m], b[m]) for a, b in zip(old, new, strict=True) for m in spec.measures]
    if all(abs(a - b) <= 1e-3 * max(1.0, abs(b)) for a, b in pairs):
        return "exactly"
    return "as the ring allows" if allowed(spec, ring, arm, old) else "not"


def allowed(spec: Spec, ring: str, arm: dict, rows: list[dict]) -> bool:
    """Whether all numbers of a run lie where the ring's evidence does."""
    fences = {measure: band(spec.name, ring, arm, measure) for measure in spec.measures}
    return all(fence.holds(row[m]) for row in rows for m, fence in fences.items())


# --------------------------------------------------------------------------------------- the batch


class Grader:
    """Marks a folder of hand-ins.

    Args:
        sheet: Name of the sheet.
        roster: The roster's file.
        secret: The file of the course's secret.
        out: Folder of the marks.
        kind: A kind of box; None finds one.
        limits: What an answer may use.
        trust: Whether to go on where no box holds.
        n_jobs: Hand-ins at a time.
        say: Called with what is to be told.

    Raises:
        ValueError: If something is wrong; then nothing is written.
        NoBox: If no box holds.
    """

    def __init__(
        self,
        sheet: str,
        roster: str | Path,
        secret: str | Path,
        out: str | Path,
        *,
        kind: Kind | None = None,
        limits: Limits | None = None,
        trust: bool = False,
        n_jobs: int = 2,
        say: Callable[[str], None] = print,
    ):
        self.spec, self.students = spec_named(sheet), read_roster(roster)
        self.key, self.out, self.say = read_secret(secret), Path(out), say
        if self.out.exists() and not self.out.is_dir():
            raise ValueError(f"OUT must be a folder, but {out} is a file")
        self.marked = self.read_queue()
        self.keys = {}
        if KEYS.exists():
            self.keys = tomllib.loads(KEYS.read_text(encoding="utf-8")).get(sheet, {})
        self.n_jobs, self.limits = n_jobs, limits or Limits()
        self.kind = kind or find_box(trust, say)
        self.cache = self.out / ".cache"
        texts = [path.read_bytes() for path in (*LAWS, KEYS.with_name("tasks.py"))]
        self.laws = hashlib.sha256(b"".join(texts)).hexdigest()
        self.code = code_of(self.spec)  # (once: it reads all that the runs use)

    # What a person wrote into queue.csv is kept.

    def read_queue(self) -> dict[str, tuple[float, str]]:
        """The points and comments that a person wrote: id of an answer -> both."""
        path = self.out / "queue.csv"
        if not path.exists():
            return {}
        rows = read_csv(path, "the queue")
        found = {}
        for line, row in enumerate(rows[1:], start=2):
            cells = dict(zip(rows[0], row, strict=False))
            text = cells.get("points", "").strip().replace(",", ".")
            if not text:
                continue
            most = POINTS.get(cells.get("part", ""), 0)
            try:
                points = float(text)
            except ValueError:
                points = math.nan
            if not 0 <= points <= most:
                raise ValueError(
                    f"line {line} of {path}: points must be a number from 0 to {most}, but is "
                    f"{text!r}"
                )
            found[cells.get("answer_id", "")] = points, cells.get("comment", "").removeprefix("'")
        return found

    def grade(self, folder: str | Path) -> list[dict]:
        """Mark all hand-ins of a folder and write the results.

        Args:
            folder: The folder.

        Returns:
            The rows of marks.csv.

        Raises:
            ValueError: If there is no folder, or nothing in it.
        """
        start, folder = time.monotonic(), Path(folder)
        paths = hand_ins(folder)
        if self.out.resolve() == folder.resolve() or folder.resolve() in self.out.resolve().parents:
            raise ValueError("OUT must not lie in the folder of the hand-ins")
        self.cache.mkdir(parents=True, exist_ok=True)
        rows, taken = [], []
        for path in paths:
            name = str(path.relative_to(folder))
            row = {"file": name, "student": "", "status": "", "notes": []}
            rows.append(row)
            try:
                found = take_notebook(name, read_bytes(path))
                row |= {"sha": found.sha, "notes": found.notes}
                self.whose(found, row)
                if row["student"]:
                    taken.append((found, row))
            except Unreadable as error:
                row["student"] = written_on(name, self.spec.name, self.students)
                row["status"] = f"not graded: {error}"
            except Exception as error:  # (a batch always ends)
                row["student"] = written_on(name, self.spec.name, self.students)
                reason = one_line(repr(error))
                row["status"] = f"not graded: the grader could not read it ({reason})"
        self.one_each(taken)
        chosen = [(found, row) for found, row in taken if not row["status"]]
        with ThreadPoolExecutor(self.n_jobs) as pool:
            list(pool.map(lambda pair: self.in_peace(self.mark, *pair), chosen))
        self.run_again(chosen)
        for found, row in chosen:
            self.in_peace(self.add_up, found, row)
        have = {row["student"] for row in rows}
        rows += [
            {"file": "", "student": s.id, "status": "nothing handed in", "notes": []}
            for s in self.students
            if s.id not in have
        ]
        self.write(rows, chosen)
        graded = sum(row["status"] == "graded" for row in rows)
        waiting = sum(1 for row in rows for part in row.get("queue", ()) if part["points"] is None)
        self.say(
            f"{graded} of {len(paths)} hand-ins graded, {waiting} answers wait in "
            f"{self.out / 'queue.csv'} ({time.monotonic() - start:.0f} s)"
        )
        return rows

    def in_peace(self, step: Callable, found: HandIn, row: dict) -> None:
        """Do a step with one hand-in; whatever goes wrong becomes its row's reason."""
        try:
            step(found, row)
        except Exception as error:
            row["status"] = f"not graded: the grader failed ({one_line(repr(error))})"

    def whose(self, found: HandIn, row: dict) -> None:
        """Find out whose hand-in it is."""
        ids = {student.id for student in self.students}
        named, seal = found.made_for
        row["sealed"] = real = named in ids and seal == tag(self.key, named, self.spec)
        on_it = written_on(found.path, self.spec.name, self.students)
        if real and on_it and on_it != named:
            row["student"] = on_it
            row["status"] = f"held: the notebook was made for {named}"
        elif real or on_it:
            row["student"] = on_it or named
            if not real:
                found.notes.append("with a seal that is not this assignment's")
        else:
            row["status"] = "not graded: it names nobody of the roster"

    def one_each(self, taken: list[tuple[HandIn, dict]]) -> None:
        """Of several hand-ins of one student keep the last; one with a false seal gives way.

        (Anybody can write another's name on a file, and nobody can make another's seal.)
        """
        groups: dict[str, list[dict]] = {}
        for _, row in taken:
            groups.setdefault(row["student"], []).append(row)
        for own in groups.values():
            there = [k for k, row in enumerate(own) if not row["status"]]
            if not there or len(own) == 1:
                continue
            best = max(there, key=lambda k: (own[k]["sealed"], k))
            kept = own[best]
            for k, row in enumerate(own):
                same = row["sha"] == kept["sha"]
                if k in there and k < best:
                    how = "the same as" if same else "a later one is"
                    row["status"] = f"not graded: {how} {one_line(kept['file'])}"
                elif k in there and k > best:
                    row["status"] = (
                        "held: its seal is not this assignment's, and that of "
                        f"{one_line(kept['file'])} is"
                    )
                if k != best:
                    note = "twice" if same else "more than once: the last counts"
                    note = note if k < best else "more than once: this one has the seal"
                    kept["notes"].append(f"handed in {note}")
            kept["notes"][:] = dict.fromkeys(kept["notes"])

    # ----------------------------------------------------------------------------- what costs time

    def remembered(self, found: HandIn, row: dict) -> Path:
        """The file in which a hand-in's verdicts are kept."""
        words = [found.sha, row["student"], self.code, self.laws]
        return self.cache / f"{digest(self.key, *words).hex()[:32]}.json"

    def mark(self, found: HandIn, row: dict) -> None:
        """Judge the code, in the box, and look at the runs."""
        path = self.remembered(found, row)
        row["memory"] = {}
        if path.exists():
            try:
                row["memory"] = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                path.unlink()
        if "code" not in row["memory"]:
            start = time.monotonic()
            seed = digest(self.key, found.sha, "inputs")
            code = found.answers.get("code", "")
            verdict = judge_code(self.spec, code, self.kind, self.limits, seed)
            row["memory"] = {
                "code": [verdict.outcome.value, one_line(verdict.message, 500)],
                "seconds": round(time.monotonic() - start, 1),
            }
            self.remember(found, row)
        variant = pick(self.key, row["student"], self.spec)
        row["ring"] = variant.ring
        try:
            row["printed"] = read_hand_in(found.output)
        except ValueError as error:
            row["printed"] = {"head": {}, "predictions": {}, "runs": {}}
            row["notes"].append(f"{error}: no runs, no predictions")
        row["runs"], wrong = sound_runs(self.spec, variant, row["printed"]["runs"])
        row["notes"] += wrong
        head = row["printed"]["head"]
        own = (variant.ring, list(variant.seeds))
        if head and (head.get("ring"), head.get("seeds")) != own:
            row["notes"].append("its results are of another variant than this student's")

    def remember(self, found: HandIn, row: dict) -> None:
        """Keep what is known of a hand-in."""
        write_whole(self.remembered(found, row), json.dumps(row["memory"]))

    def run_again(self, chosen: list[tuple[HandIn, dict]]) -> None:
        """Run one run of each hand-in again: the secret draws which."""
        jobs, owners = [], {}
        arms = {arm_name(arm): arm for arm in self.spec.arms()}
        for found, row in chosen:
            if row["status"] or not row.get("runs"):
                continue
            names = sorted(row["runs"])
            draw = int.from_bytes(digest(self.key, found.sha, "again"))
            row["again"] = name = names[draw % len(names)]
            if "rows" in row["memory"]:
                continue
            variant = pick(self.key, row["student"], self.spec)
            owners[found.sha + row["student"]] = found, row
            jobs.append((found.sha + row["student"], self.spec.run,
                         variant.settings() | arms[name], list(variant.seeds), None))  # fmt: skip

        def done(job, record):
            found, row = owners[job[0]]
            row["memory"] |= {"rows": record["rows"], "cpu_seconds": record["cpu_seconds"]}
            self.remember(found, row)

        if jobs:
            run_batch(jobs, self.n_jobs, done, here=True)

    # ---------------------------------------------------------------------------------- the points

    def add_up(self, found: HandIn, row: dict) -> None:
        """Points by part, what waits for a person, and the feedback."""
        if row["status"]:
            return
        outcome, message = row["memory"]["code"]
        points = {"code": POINTS["code"] if outcome == Outcome.PASSES.value else 0}
        said = {"code": f"{outcome.capitalize()}: {message}."}
        points["runs"], said["runs"] = self.points_of_runs(row)
        row["queue"] = []
        entries, wrong = predictions_of(self.spec, row["printed"])
        under = f":{hash_of(row['printed']['predictions'])}"
        codes = [str(run.get("code", "")) for run in row["printed"]["runs"].values()]
        if wrong:
            points["prediction"], said["prediction"] = 0, "; ".join(wrong) + "."
        elif any(not code.endswith(under) for code in codes):
            points["prediction"] = 0
            said["prediction"] = "The predictions are not those under which the runs were made."
        else:
            reasons = "\n".join(
                f"{key}: {e['low']:g} to {e['high']:g}, best {e['best']:g}, because {e['because']}"
                for key, e in entries.items()
            )
            self.ask(found, row, "prediction", reasons)
        for question in self.spec.questions:
            words = found.answers.get(question.key, "").replace(YOUR_WORDS, "").strip()
            if words:
                self.ask(found, row, question.key, words[:MOST_WORDS])
            else:
                points[question.key], said[question.key] = 0, "There is no answer."
        for entry in row["queue"]:
            points[entry["part"]] = entry["points"]
            said[entry["part"]] = entry["comment"] or (
                "" if entry["points"] is not None else "A person reads it."
            )
        row |= {"points": points, "said": said, "status": "graded"}
        if None not in points.values():
            row["total"] = sum(points.values())

    def points_of_runs(self, row: dict) -> tuple[int, str]:
        """Two points for whole results, one if the run that was done again agrees.

        If it does not, and most lie where no run of the ring does, they are no results at all.
        """
        arms = self.spec.arms()
        have, share = len(row["runs"]), 2 * len(row["runs"]) // len(arms)
        text = f"{have} of {len(arms)} runs of your ring and seeds are there."
        if not have:
            return 0, text
        again = row["memory"].get("rows")
        name = row["again"]
        if not again:
            row["notes"].append(f"the run with {name} could not be done again")
            return share, f"{text} The one that was to be run again did not end."
        arm = next(arm for arm in arms if arm_name(arm) == name)
        how = reproduced(self.spec, row["ring"], arm, row["runs"][name], again)
        row["how"] = how
        if how == "not":
            row["notes"].append(f"the run with {name}, done again, gives other numbers")
            far = sum(
                not allowed(self.spec, row["ring"], arm, row["runs"][arm_name(arm)])
                for arm in arms
                if arm_name(arm) in row["runs"]
            )
            text += " One of them, run again, gave other numbers than yours."
            if 2 * far > have:
                row["notes"].append(f"{far} of its {have} runs lie where none of this ring does")
                return 0, f"{text} Most of them lie where runs of your ring do not."
            return share, text
        return share + 1, f"{text} One of them was run again and agrees."

    def ask(self, found: HandIn, row: dict, part: str, words: str) -> None:
        """Put an answer into the queue, or take what a person said about it."""
        answer_id = digest(self.key, row["student"], part, words).hex()[:16]
        points, comment = self.marked.get(answer_id, (None, ""))
        row["queue"].append({
            "student": row["student"], "part": part, "answer": words, "points": points,
            "comment": comment, "answer_id": answer_id,
        })  # fmt: skip

    # ------------------------------------------------------------------------------ what is written

    def write(self, rows: list[dict], chosen: list[tuple[HandIn, dict]]) -> None:
        """marks.csv, queue.csv, similarity.csv and a page of feedback for each student."""
        header = ["student", "file", "status", "ring", *POINTS, "total", "of", "notes", "again",
                  "seconds", "sha256"]  # fmt: skip
        lines, queue, pages = [], [], {}
        for row in rows:
            points, memory = row.get("points", {}), row.get("memory", {})
            lines.append([
                row["student"], one_line(row["file"]), row["status"], row.get("ring", ""),
                *("" if points.get(part) is None else points[part] for part in POINTS),
                row.get("total", ""), sum(POINTS.values()), one_line("; ".join(row["notes"]), 2000),
                row.get("how", ""), memory.get("seconds", ""), row.get("sha", ""),
            ])  # fmt: skip
            queue += row.get("queue", [])
            if row["student"] and row["file"] and row["status"]:
                pages[row["student"]] = max(pages.get(row["student"], row), row, key=is_graded)
        for student, row in pages.items():
            name = f"{file_name(student)}.md"
            write_whole(self.out / "feedback" / name, self.feedback(row))
        write_whole(self.out / "marks.csv", table(header, lines))
        columns = ["student", "part", "points", "of", "comment", "answer", "earns", "good",
                   "answer_id"]  # fmt: skip
        write_whole(self.out / "queue.csv", table(columns, [
            [e["student"], e["part"], "" if e["points"] is None else e["points"],
             POINTS[e["part"]], e["comment"], e["answer"], RUBRIC[e["part"]],
             self.keys.get(e["part"], ""), e["answer_id"]]
            for e in sorted(queue, key=lambda e: (list(POINTS).index(e["part"]), e["student"]))
        ]))  # fmt: skip
        texts = {row["student"]: found.answers for found, row in chosen}
        pairs = similar(texts, self.spec.task.stub)
        write_whole(self.out / "similarity.csv", table(
            ["part", "one", "other", "share", "shared pieces"], pairs
        ))  # fmt: skip

    def feedback(self, row: dict) -> str:
        """A student's page: what was found, part by part; not how it was tried."""

        def plain(text: str) -> str:
            return re.sub(r"([\\`*_<>\[\]|#])", r"\\\1", one_line(text, 2000))

        lines = [f"# {self.spec.title}", ""]
        if not is_graded(row):
            name = plain(row["file"])
            return "\n".join(
                [*lines, f"{name}: {plain(row['status'])}.", "", "Ask your teacher.", ""]
            )
        for part, most in POINTS.items():
            points = row["points"].get(part)
            given = "not yet marked" if points is None else f"{points:g} of {most}"
            lines += [f"**{part}** ({given}): {plain(row['said'].get(part, ''))}", ""]
        if "total" in row:
            lines += [f"**Together: {row['total']:g} of {sum(POINTS.values())}.**", ""]
        if row["notes"]:
            lines += ["About the file: " + plain("; ".join(row["notes"])) + ".", ""]
        return "\n".join(lines)


# ------------------------------------------------------------------------------------- similarity


def pieces(tokens: Sequence[str], k: int, window: int) -> set[int]:
    """Fingerprints of a list of tokens: of each window the smallest hash of k in a row.

    References:
        Schleimer, Wilkerson, Aiken: Winnowing: local algorithms for document fingerprinting (2003).
    """
    grams = [
        int.from_bytes(hashlib.sha256("\0".join(tokens[i : i + k]).encode()).digest()[:8])
        for i in range(len(tokens) - k + 1)
    ]
    if len(grams) <= window:
        return set(grams)
    return {min(grams[i : i + window]) for i in range(len(grams) - window + 1)}


def code_tokens(code: str) -> list[str]:
    """The kinds of a program's nodes, in order: names, numbers and layout do not count."""
    try:
        tree = ast.parse(code[:MOST_CODE])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found, todo = [], [tree]
    while todo:
        node = todo.pop()
        found.append(type(node).__name__)
        todo += reversed(list(ast.iter_child_nodes(node)))
    return [name for name in found if name not in ("Load", "Store")]


def similar(texts: dict[str, dict[str, str]], stub: str) -> list[tuple]:
    """Pairs of hand-ins that are more alike than two people who work alone would write.

    What the stub holds, and what half of all hand-ins share, counts for nothing. It is a report,
    and no verdict: a short function can be written in few ways.

    Args:
        texts: Student -> id of an answer -> its source.
        stub: What stood in the code cell.

    Returns:
        `(part, one, other, share, number of shared pieces)`, the most alike first.

    Example:
        >>> word = "so the points undo what they did before and the loss does not see it at all"
        >>> [pair[:3] for pair in similar({"a": {"q1": word}, "b": {"q1": word}, "c": {}}, "")]
        [('words', 'a', 'b')]
    """
    found = []
    for part in ALIKE:
        prints, known = {}, pieces(code_tokens(stub), 8, 4)
        for student, answers in texts.items():
            if part == "code":
                own = pieces(code_tokens(answers.get("code", "")), 8, 4) - known
            else:
                words = " ".join(answers.get(key, "") for key in ("q1", "q2", "q3"))
                words = words.replace(YOUR_WORDS, " ")[:MOST_WORDS]
                own = pieces(re.findall(r"\w+", words.lower()), 5, 4)
            prints[student] = own
        if len(texts) > 3:
            often = Counter(piece for own in prints.values() for piece in own)
            common = {piece for piece, n in often.items() if n > max(2, len(texts) / 2)}
            prints = {student: own - common for student, own in prints.items()}
        for (one, a), (other, b) in itertools.combinations(sorted(prints.items()), 2):
            least = min(len(a), len(b))
            if least >= 5 and len(a & b) / least >= ALIKE[part]:
                found.append((part, one, other, round(len(a & b) / least, 2), len(a & b)))
    return sorted(found, key=lambda pair: (-pair[3], pair))


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m classroom.grade", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--sheet", required=True)
    parser.add_argument("--in", dest="folder", required=True, help="the folder of the hand-ins")
    parser.add_argument("--roster", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--secret", default=str(SECRET))
    parser.add_argument("--jobs", type=int, default=2, help="hand-ins at a time")
    parser.add_argument(
        "--i-trust-these-files", action="store_true",
        help="run the students' code without a box, with all your rights, if there is none",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    try:
        grader = Grader(
            options.sheet, options.roster, options.secret, options.out, n_jobs=options.jobs,
            trust=options.i_trust_these_files,
        )  # fmt: skip
        grader.grade(options.folder)
    except (ValueError, NoBox) as error:
        print(f"make grade: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped: the same command goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
