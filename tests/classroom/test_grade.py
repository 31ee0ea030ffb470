"""Grading: one batch with every kind of bad hand-in, each with its row and its reason."""

import contextlib
import csv
import ctypes
import json
import os
import re
import stat
import tempfile
import time
import zipfile
from pathlib import Path

import hand_ins
import numpy as np
import pytest
from boxes import box_or_skip
from hand_ins import RIGHT, filled, results

from classroom import grade
from classroom.assign import assign
from classroom.box import TRUSTED, Limits, descendants
from classroom.grade import Grader, similar
from classroom.sheet import numbers_only, verdict_of
from classroom.variants import pick, read_secret
from classroom.verdict import Outcome, Verdict
from experiments.sheets import POINTS, SHEETS, arm_name

CODE = RIGHT["depth"]
CHEAP = {"layers": 2, "width": 8}
# Code cells of students who mean ill: none of them deserves a point.
WRONG = CODE.replace("axis=2", "axis=1")
EVIL = {
    "loop": ("while True: pass\n" + CODE, "CPU time|not done"),
    "loops-late": (CODE.replace("    path =", "    while True: pass\n    path ="), "CPU|not done"),
    "exit": ("import os\nos._exit(0)\n" + CODE, "ended its process"),
    "sysexit": ("raise SystemExit\n" + CODE, "SystemExit"),
    "fork": (
        "import os, time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(60)\n",
        "not done",
    ),
    "memory": ("x = []\nwhile True: x.append(bytes(1 << 28))\n" + CODE, "MemoryError|memory"),
    "flood": (
        "import os\nfor n in range(3, 20):\n    try:\n"
        "        while True: os.write(n, b'y' * 9999)\n    except OSError: pass\n" + WRONG,
        "4 MiB|no answer",
    ),
    "verdict": (
        "import os\nfor n in range(3, 20):\n    try: os.write(n, b'{\"id\": 1, \"ok\": [1.0]}\\n"
        "{\"verdict\": \"passes\", \"points\": 99}\\n')\n    except OSError: pass\n" + WRONG,
        "no answer",
    ),
    "builtins": (
        "import builtins, numpy, sys\nbuiltins.abs = lambda *_: 0\nbuiltins.max = lambda *_: 0\n"
        "numpy.allclose = lambda *_: True\nsys.modules['classroom'] = sys\n" + WRONG, "ratio",
    ),
    "checks": (
        "class S:\n    def check(self, *_): return 'visible checks pass'\nsheet = S()\n" + WRONG,
        "ratio",
    ),
    "operator": (
        "class E(float):\n    def __sub__(s, o): return 0.0\n    __rsub__ = __sub__\n"
        "    def __eq__(s, o): return True\ndef path_ratio(v): return E(1.0)\n", "hand|3 steps",
    ),
    "constant": ("def path_ratio(v): return 1.0\n", "3 steps"),
    "peeks": (
        "import glob\nfound = open('/etc/passwd').read()\n" + CODE, "FileNotFoundError|Permission",
    ),
    "no-function": ("path_ratios = 1\n", "defines no function path_ratio"),
    "syntax": ("def path_ratio(v:\n", "SyntaxError"),
    "long": ("#" * 30_000 + "\n" + CODE, "longer than"),
    "deep-code": ("x = " + "(" * 900 + ")" * 900, "SyntaxError|MemoryError|Recursion"),
    "touched-not": (SHEETS["depth"].task.stub, "the cell is as it was"),
}  # fmt: skip
FINE = {
    # (It says what got onto the disk by failing: a right answer earns its points only within.)
    "disk": f"""
import os
try:
    for k in range(99):
        with open(f"/box/{{k}}", "wb", buffering=0) as file:
            file.write(bytes(1 << 22))
except OSError:
    pass
written = sum(512 * entry.stat().st_blocks for entry in os.scandir("/box"))
if not 0 < written <= {Limits().files}:
    raise SystemExit(f"{{written}} bytes were written")
""",
    "prints": "print('x' * 10**7)\n",
}  # fmt: skip
# Of one hand, but for the names.
OWN = """
import numpy as np
def path_ratio(values):
    total, net = 0.0, 0.0
    for k in range(values.shape[1]):
        point = values[:, k]
        for a, b in zip(point[:-1], point[1:]):
            total += np.hypot(b[0] - a[0], b[1] - a[1])
        net += np.hypot(point[-1][0] - point[0][0], point[-1][1] - point[0][1])
    return total / net
"""
COPIED = OWN.replace("total", "s").replace("net", "way").replace("point", "p") + "# mine\n"
OTHERS = [
    "whole", "one-run", "invented", "late", "changed", "zip-ok", "zip-dots", "zip-link", "zip-two",
    "zip-broken", "text", "pdf", "huge", "twice-cell", "lost-cell", "kind", "carries", "twice",
    "same", "deep", "latin", "null", "link", "empty", "folder", "ids", "damaged", "seeds", "sealed",
    "absent", "=cmd", "ümlaut", "wrote", "copied",
]  # fmt: skip
STUDENTS = [*EVIL, *FINE, *OTHERS]


class Batch:
    """A folder of hand-ins, graded once."""

    def __init__(self, folder: Path):
        self.kind = box_or_skip()
        self.folder, self.handed, self.out = folder, folder / "in", folder / "out"
        self.roster, self.secret = folder / "roster.csv", folder / "secret.txt"
        lines = "\n".join(f"{name},,{k}@x.org" for k, name in enumerate(STUDENTS))
        self.roster.write_text(f"student,name,email\n{lines}\n", encoding="utf-8")
        assign("depth", self.roster, folder / "assigned", self.secret)
        self.key = read_secret(self.secret)
        self.handed.mkdir()
        for name, (code, _) in EVIL.items():
            self.put(name, filled("depth", name, self.key, code))
        for name, code in FINE.items():
            self.put(name, filled("depth", name, self.key, code + CODE))
        for name, code in {"wrote": OWN, "copied": COPIED}.items():
            words = {key: f"{name} by {name} alone: {key}" for key in hand_ins.WORDS}
            self.put(name, filled("depth", name, self.key, code, **words))
        self.odd_ones()

    def put(self, student: str, content, name: str | None = None) -> Path:
        """Write a hand-in under the assignment's file name, or another."""
        if name is None:
            (path,) = (p for p in self.names() if p[0] == student)
            name = path[1]
        path = self.handed / name
        path.parent.mkdir(exist_ok=True)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        path.write_bytes(data)
        return path

    def names(self) -> list[tuple[str, str]]:
        """Student and file name, as the list for the instructor says."""
        with open(self.folder / "assigned" / "depth-variants.csv", encoding="utf-8") as file:
            return [(r["student"].removeprefix("'"), r["file"]) for r in csv.DictReader(file)]

    def notebook(self, student: str, **options) -> dict:
        """A notebook with a right function."""
        return filled("depth", student, self.key, CODE, **options)

    def with_runs(self, student: str, runs=None, change=lambda text: text) -> dict:
        """A notebook with results."""
        text = results("depth", student, self.key, self.folder / f"runs {len(student)} {student}",
                       runs)  # fmt: skip
        return self.notebook(student, output=change(text))

    def odd_ones(self) -> None:
        """Hand-ins that are odd in other ways than by their code."""
        spec, put = SHEETS["depth"], self.put
        put("whole", self.with_runs("whole"))
        variant = pick(self.key, "one-run", spec)
        rows = spec.run(variant.settings() | CHEAP, list(variant.seeds))
        put("one-run", self.with_runs("one-run", {arm_name(CHEAP): rows}))
        nonsense = [{"gap": -9.0, "path_ratio": 77.0}] * 3
        put("invented", self.with_runs("invented", {arm_name(CHEAP): nonsense}))
        put(
            "late",
            self.with_runs("late", {}, lambda text: text.replace('"low": ', '"low": 1e9, "x": ')),
        )
        put("changed", self.with_runs(
            "changed", {arm_name(CHEAP): rows}, lambda text: text.replace("bend the plane", "shine")
        ))  # fmt: skip
        other = lambda text: re.sub(r'"seeds": \[\d+', '"seeds": [1', text)  # noqa: E731
        put("seeds", self.with_runs("seeds", {arm_name(CHEAP): rows}, other))  # fmt: skip
        put(
            "damaged", self.with_runs("damaged", {}, lambda text: text.replace('{"pred', '{{"pred'))
        )
        good = json.dumps(self.notebook("zip-ok")).encode()
        for name, inside in {
            "zip-ok": {"depth-zip-ok.ipynb": good, "__MACOSX/._depth.ipynb": b"x"},
            "zip-dots": {"../../depth-zip-dots.ipynb": good},
            "zip-two": {"a.ipynb": good, "b.ipynb": good},
            "zip-link": {"depth-zip-link.ipynb": None},
        }.items():
            path = self.handed / f"depth-{name}.zip"
            with zipfile.ZipFile(path, "w") as archive:
                for entry, data in inside.items():
                    info = zipfile.ZipInfo(entry)
                    if data is None:
                        info.external_attr, data = (stat.S_IFLNK | 0o777) << 16, b"/etc/passwd"
                    archive.writestr(info, data)
        put("zip-broken", b"PK\x03\x04" + b"\0" * 99)
        put("text", b"I could not open the notebook, sorry")
        put("pdf", b"%PDF-1.7 \xff\xfe\x00", "depth-pdf.pdf")
        with open(self.handed / "depth-huge.ipynb", "wb") as file:
            file.truncate(200 << 20)
        twice = self.notebook("twice-cell")
        (cell,) = (c for c in twice["cells"] if c["id"] == "code")
        twice["cells"].append(cell | {"source": WRONG})
        put("twice-cell", twice)
        lost = self.notebook("lost-cell")
        lost["cells"] = [c for c in lost["cells"] if c["id"] not in ("code", "q2")]
        put("lost-cell", lost)
        kind = self.notebook("kind")
        for cell in kind["cells"]:
            if cell["id"] == "q1":
                cell["cell_type"] = "code"
        put("kind", kind)
        put("carries", self.notebook("whole"))
        put("twice", self.notebook("twice") | {"x": 1}, "depth-twice.ipynb")
        put("twice", filled("depth", "twice", self.key, WRONG), "depth-twice-2.ipynb")
        for name in ("depth-same.ipynb", "x/depth-same.ipynb"):
            put("same", self.notebook("same"), name)
        put("deep", b'{"cells": ' + b"[" * 50_000 + b"]" * 50_000 + b"}")
        put("latin", "{'cells': 'café'}".encode("latin-1"))
        put("null", {"cells": [None, 3]})
        (self.handed / "depth-link.ipynb").symlink_to("/etc/passwd")
        put("empty", b"")
        put("folder", self.notebook("folder"),
            "Fo Lder_123_assignsubmission_file_/my $(touch owned); `x`\n notes.ipynb")  # fmt: skip
        fresh = self.notebook("ids")
        for k, cell in enumerate(fresh["cells"]):  # (an editor that gives new ids)
            cell["id"] = f"cell{k}"
        put("ids", fresh)
        sealed = self.notebook("sealed")
        sealed["metadata"]["course"]["tag"] = "0" * 24
        put("sealed", sealed)
        put("=cmd", self.notebook("=cmd", q1="=HYPERLINK(1) is the answer that I give here"))
        put("ümlaut", self.notebook("ümlaut"))
        put("", {"cells": []}, "holiday.ipynb")
        (self.handed / ".DS_Store").write_bytes(b"x")

    def grader(self, **options) -> Grader:
        """A grader with small limits."""
        limits = Limits(cpu=1, wall=15.0, memory=1 << 30)
        options = {
            "kind": self.kind,
            "limits": limits,
            "n_jobs": 1,
            "say": lambda text: None,
        } | options
        return Grader("depth", self.roster, self.secret, self.out, **options)

    def files(self) -> dict[str, bytes]:
        """All that was written, but the memory."""
        return {
            str(path.relative_to(self.out)): path.read_bytes()
            for path in sorted(self.out.rglob("*"))
            if path.is_file() and ".cache" not in path.parts
        }


SET_CHILD_SUBREAPER = 36  # of linux/prctl.h


def alive() -> list[int]:
    """The processes that descend from this one and have not ended."""
    found = []
    for pid in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            state = Path(f"/proc/{pid}/stat").read_bytes().rsplit(b")", 1)[1].split()[0]
            found += [pid] if state != b"Z" else []
    return found


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    made = Batch(tmp_path_factory.mktemp("batch"))
    own = tmp_path_factory.mktemp("temporary")
    # Processes without parents become this one's children: then they are found below.
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(own))
        before = set(alive())
        made.rows = made.grader().grade(made.handed)
        deadline = time.monotonic() + 20
        while (left := set(alive()) - before) and time.monotonic() < deadline:
            time.sleep(0.05)
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    made.left = (sorted(own.iterdir()), sorted(left))
    made.first = made.files()
    return made


def row_of(batch, student: str, number: int = -1) -> dict:
    found = [row for row in batch.rows if row["student"] == student]
    assert found, f"{student} has no row"
    return found[number]


def test_each_hand_in_has_one_row(batch):
    files = [row["file"] for row in batch.rows if row["file"]]
    there = {str(p.relative_to(batch.handed)) for p in batch.handed.rglob("*") if not p.is_dir()}
    assert sorted(files) == sorted(there - {".DS_Store"})
    assert all(row["status"] for row in batch.rows)
    assert {row["student"] for row in batch.rows} == {*STUDENTS, ""}
    assert not any("the grader" in row["status"] for row in batch.rows)
    assert not list(batch.folder.rglob("owned"))


@pytest.mark.parametrize("student", EVIL)
def test_evil_code_gets_no_point_and_a_reason(batch, student):
    row = row_of(batch, student)
    assert row["status"] == "graded" and row["points"]["code"] == 0
    assert re.search(EVIL[student][1], row["said"]["code"]), row["said"]["code"]


@pytest.mark.parametrize("student", [*FINE, "zip-ok", "same", "folder", "ids", "sealed", "ümlaut"])
def test_odd_but_right_code_gets_its_points(batch, student):
    row = row_of(batch, student)
    assert (row["status"], row["points"]["code"]) == ("graded", POINTS["code"]), row


@pytest.mark.parametrize(
    ("student", "reason"),
    [
        ("zip-dots", "zip with the path"), ("zip-link", "a link in it"), ("zip-two", "2 notebooks"),
        ("zip-broken", "damaged zip"), ("text", "not JSON"), ("pdf", "not UTF-8"),
        ("huge", "200 MiB large; 8 are allowed"), ("deep", "nested"), ("latin", "not UTF-8"),
        ("null", "one of its cells is none"), ("link", "no plain file"), ("empty", "not JSON"),
        ("carries", "held: the notebook was made for whole"), ("absent", "nothing handed in"),
    ],
)  # fmt: skip
def test_what_cannot_be_graded_says_why(batch, student, reason):
    row = row_of(batch, student)
    assert reason in row["status"], row["status"]
    assert "points" not in row


@pytest.mark.parametrize(
    ("student", "note"),
    [
        ("twice-cell", "answer cell code twice: the last one counts"),
        ("lost-cell", "without the answer cells code, q2"),
        ("kind", "the answer cell q1 turned into another kind"),
        ("sealed", "seal that is not this assignment's"),
        ("damaged", "hand_in.. is damaged: no runs, no predictions"),
        ("seeds", "not the seeds of this student"),
        ("seeds", "of another variant"),
        ("invented", "done again, gives other numbers"),
        ("same", "handed in twice"),
        ("twice", "handed in more than once: the last counts"),
    ],
)
def test_what_is_odd_is_noted(batch, student, note):
    assert any(re.search(note, text) for text in row_of(batch, student)["notes"])


def test_the_last_of_two_counts(batch):
    first, last = (row_of(batch, "twice", k) for k in (0, 1))
    assert "a later one is depth-twice-2.ipynb" in first["status"]
    assert last["points"]["code"] == 0
    assert row_of(batch, "twice-cell")["points"]["code"] == 0
    assert row_of(batch, "lost-cell")["points"]["q2"] == 0
    nobody = [row for row in batch.rows if row["file"] == "holiday.ipynb"]
    assert "nobody of the roster" in nobody[0]["status"]


def test_runs_earn_points_if_they_can_be_had_again(batch):
    whole, one, invented = (row_of(batch, name) for name in ("whole", "one-run", "invented"))
    assert (whole["points"]["runs"], whole["how"]) == (3, "as the ring allows")
    assert (one["points"]["runs"], one["how"]) == (1, "exactly")
    assert (invented["points"]["runs"], invented["how"]) == (0, "not")
    assert row_of(batch, "seeds")["points"]["runs"] == 0
    assert row_of(batch, "prints")["points"]["runs"] == 0


def test_predictions_after_the_fact_earn_nothing(batch):
    changed, late = row_of(batch, "changed"), row_of(batch, "late")
    assert changed["points"]["prediction"] == 0
    assert "not those under which the runs were made" in changed["said"]["prediction"]
    assert late["points"]["prediction"] == 0 and "no range" in late["said"]["prediction"]
    assert row_of(batch, "whole")["points"]["prediction"] is None  # (a person reads the reason)


def test_cells_are_harmless_and_feedback_shows_no_test(batch):
    marks, queue = (batch.first[f"{name}.csv"].decode() for name in ("marks", "queue"))
    for text in (marks, queue):
        cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
        assert "'=cmd" in cells and not any(c[:1] in "=+@" and c for c in cells)
    assert "'=HYPERLINK" in queue
    page = batch.first["feedback/constant.md"].decode()
    assert "3 steps on and 1 back" in page and "0 of 2" in page
    for name, data in batch.first.items():
        text = data.decode()
        assert batch.key.decode() not in text, name
        assert "there_and_back" not in text and "Traceback" not in text, name
    keys = batch.first["queue.csv"].decode()
    assert "Says that layers undo part" in keys  # (what a good answer says is for the teacher)
    assert not any("Says that layers" in d.decode() for n, d in batch.first.items() if "feed" in n)


def test_again_is_the_same_and_costs_no_box(batch, monkeypatch):
    def never(*arguments):
        raise AssertionError("judged again")

    monkeypatch.setattr(grade, "judge_code", never)
    monkeypatch.setattr(grade, "run_batch", never)
    batch.grader().grade(batch.handed)
    assert batch.files() == batch.first


def test_stopped_it_goes_on(batch, monkeypatch):
    """Stopped before the last third is judged, and again; then all is as if it had never been."""
    calls, judge = [], grade.judge_code

    def stops(spec, code, *rest):
        calls.append(code)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return judge(spec, code, *rest)

    few = batch.folder / "few"
    few.mkdir()
    for name in ("constant", "prints", "syntax", "no-function"):
        (few / f"depth-{name}.ipynb").write_bytes(
            (batch.handed / f"depth-{name}.ipynb").read_bytes()
        )
    monkeypatch.setattr(grade, "judge_code", stops)
    places = batch.roster, batch.secret, batch.folder / "few out"
    options = {"kind": batch.kind, "n_jobs": 1, "say": lambda text: None}
    graders = [Grader("depth", *places, **options) for _ in range(2)]
    with pytest.raises(KeyboardInterrupt):
        graders[0].grade(few)
    assert not (batch.folder / "few out" / "marks.csv").exists()
    rows = graders[1].grade(few)
    assert len(calls) == 5, "of four, two were judged before the stop, and two after it"
    assert [row["status"] for row in rows if row["file"]] == ["graded"] * 4


def test_what_a_person_marks_is_kept(batch):
    path = batch.out / "queue.csv"
    lines = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    mine = [line for line in lines if line["student"] == "whole"]
    assert {line["part"] for line in mine} == {"prediction", "q1", "q2", "q3"}
    for line in mine:
        line["points"], line["comment"] = ("0,5" if line["part"] == "q1" else "1"), "good; but why?"
    text = [";".join(lines[0])]  # as a spreadsheet of another country writes it
    text += [";".join('"' + v.replace('"', '""') + '"' for v in line.values()) for line in lines]
    path.write_text("\ufeff" + "\r\n".join(text), encoding="utf-8")
    rows = batch.grader().grade(batch.handed)
    whole = [row for row in rows if row["student"] == "whole"][-1]
    assert whole["total"] == 3 + 2 + 0.5 + 1 + 1 + 1
    then = batch.files()
    assert b"Together: 8.5 of 10" in then["feedback/whole.md"]
    assert b"good; but why?" in then["feedback/whole.md"]
    batch.grader().grade(batch.handed)
    assert batch.files() == then
    path.write_text(path.read_text(encoding="utf-8").replace(",0.5,1,", ",7,1,"), encoding="utf-8")
    with pytest.raises(ValueError, match="points must be a number from 0 to 1, but is '7'"):
        batch.grader()
    path.write_bytes(then["queue.csv"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sheet": "dept"}, "there is no sheet 'dept'; there are"),
        ({"roster": "none.csv"}, "the roster is not at"),
        ({"roster": b"student\na\n\"b"}, "no whole CSV file"),
        ({"roster": b"student,name\na,b\nc"}, "line 3 .* has 1 cells, .* 2"),
        ({"roster": b"name\na"}, "one column named student"),
        ({"roster": b""}, "one column named student"),
        ({"roster": b"student\n"}, "names no student"),
        ({"roster": b"student\na\nA"}, "for a second time"),
        ({"roster": b"student\n\xff"}, "not UTF-8"),
        ({"roster": b"student,name\n,x"}, "has no student id"),
        ({"secret": "none.txt"}, "secret is not at"),
        ({"secret": b"short"}, "32 characters or more"),
        ({"out": b"a file"}, "OUT must be a folder"),
        ({"in": "none"}, "IN must be a folder"),
        ({"in": None}, "there is no hand-in in"),
    ],
)  # fmt: skip
def test_bad_commands_write_nothing(tmp_path, change, reason, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.ipynb").write_text("{}", encoding="utf-8")
    (tmp_path / "roster").write_text("student\na\n", encoding="utf-8")
    (tmp_path / "secret").write_text("s" * 64, encoding="utf-8")
    given = {"sheet": "depth", "roster": "roster", "secret": "secret", "out": "out", "in": "in"}
    for name, value in change.items():
        if isinstance(value, bytes):
            (tmp_path / name).write_bytes(value)
        elif value is None:
            (tmp_path / "in" / "a.ipynb").unlink()
        else:
            given[name] = value
    before = sorted(tmp_path.rglob("*"))
    arguments = ["--sheet", given.pop("sheet"), "--i-trust-these-files"]
    for name, value in given.items():
        arguments += [f"--{name}", str(tmp_path / value)]
    assert grade.main(arguments) == 2
    assert re.search(reason, capsys.readouterr().err)
    assert sorted(tmp_path.rglob("*")) == before


def test_without_a_box_nothing_is_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.ipynb").write_text("{}", encoding="utf-8")
    (tmp_path / "roster").write_text("student\na\n", encoding="utf-8")
    (tmp_path / "secret").write_text("s" * 64, encoding="utf-8")
    monkeypatch.setattr("classroom.box.KINDS", ())
    monkeypatch.setattr("classroom.box.FOUND", {})
    arguments = ["--sheet", "depth"]
    for name in ("in", "out", "roster", "secret"):
        arguments += [f"--{name}", str(tmp_path / name)]
    assert grade.main(arguments) == 2
    assert "no student code is run" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert grade.main([*arguments, "--i-trust-these-files"]) == 0
    assert "NO BOX" in capsys.readouterr().out


@pytest.mark.parametrize("sheet", SHEETS)
def test_laws_of_the_tasks(sheet):
    """A right function keeps the laws; the stub, nothing, a constant and slips do not."""
    spec = SHEETS[sheet]
    for code in (RIGHT[sheet], *SLIPS[sheet]):
        names: dict = {}
        exec(code, names)
        answer = {name: numbers_only(name, names[name]) for name in spec.task.names}
        verdict = verdict_of(spec.task.laws, answer, np.random.default_rng(0))
        assert (verdict.outcome.value == "visible checks pass") == (code == RIGHT[sheet]), (
            f"{code}\n{verdict}"
        )


def slips(sheet: str, *changes: tuple[str, str]) -> list[str]:
    """The right function with one slip each, and answers that are none."""
    name = SHEETS[sheet].task.names[0]
    found = [f"def {name}(*a): return 0.0", f"def {name}(*a): return a[0]", SHEETS[sheet].task.stub]
    for old, new in changes:
        assert old in RIGHT[sheet], old
        found.append(RIGHT[sheet].replace(old, new))
    return found


SLIPS = {
    "depth": slips("depth", ("axis=2", "axis=1"), (".sum(axis=0).mean()", ".mean()"),
                   ("values[-1] - values[0]", "values[-1]"),
                   ("return path / np.linalg.norm(values[-1] - values[0], axis=1).mean()",
                    "return (np.linalg.norm(np.diff(values, axis=0), axis=2).sum(axis=0) / "
                    "np.linalg.norm(values[-1] - values[0], axis=1)).mean()")),
    "overfitting": slips("overfitting", ("gaps.min()]", "gaps.max()]"), ("].min()", "].max()"),
                         ("np.isfinite(gaps)", "~np.isnan(gaps)"),
                         ("steps[gaps == gaps.min()].min()", "gaps.min()"),
                         ("steps[gaps == gaps.min()].min()", "float(np.argmin(gaps))")),
    "bridges": slips("bridges", (".min(axis=1)", ".max(axis=1)"), ("nearest >", "nearest <"),
                     ("n_sigma * std", "n_sigma"), ("np.mean(", "np.sum("),
                     (".min(axis=1)", "[:, 0]"),
                     ("np.linalg.norm(x[:, None] - centers[None], axis=2)",
                      "np.abs(x[:, None] - centers[None]).max(axis=2)")),
    "ingredients": slips("ingredients", ("np.median(a - b)", "np.mean(a - b)"),
                         ("a - b", "b - a"), ("np.median(a - b)", "np.median(a) - np.median(b)"),
                         ("np.median(a - b)", "np.median(np.abs(a - b))"),
                         ("np.median(a - b)", "np.median(np.sort(a) - np.sort(b))")),
    "radius": slips("radius", (">= a", "> a"), ("< b", "<= b"), ("np.nan", "0.0"),
                    ("own.mean()", "own.sum()"), ("own.mean()", "np.median(own)"),
                    ("own.mean()", "own.sum() / len(gap)")),
    "temperature": slips("temperature", ("2 * temperature**2", "2 * temperature"), ("-z", "z"),
                         ("2 * math.pi * temperature**2", "2 * math.pi * temperature"),
                         ("2 * math.pi * temperature**2", "2 * math.pi"),
                         (" - math.log(2 * math.pi * temperature**2)", "")),
    "splines": slips("splines", ("-2 * c / (b + ", "-2 * c / (b - "),
                     ("left + right", "left - right"),
                     ("-share * rise", "-share"), ("rise - left + share", "rise - right + share"),
                     ("return -2", "return 2"), ("- 4 * a * c", "- a * c"),
                     ("return -2 * c / (b + math.sqrt(b * b - 4 * a * c))",
                      "return (math.sqrt(b * b - 4 * a * c) - b) / (2 * a)"),
                     ("return -2 * c / (b + math.sqrt(b * b - 4 * a * c))",
                      "return (rise * share**2 + left * share * (1 - share)) / "
                      "(rise + extra * share * (1 - share))")),
    "strange": slips("strange", ("abs(", "("), (" - known.mean()", ""), ("known.mean()", "0"),
                     ("abs(log_p.mean() - known.mean())", "abs(log_p - known.mean()).mean()"),
                     ("abs(log_p.mean() - known.mean())", "max(0.0, known.mean() - log_p.mean())")),
}  # fmt: skip


def test_similarity_sees_copies_and_no_names():
    """A copy with other names is seen; two who wrote by themselves are not; the stub counts not."""
    texts = {"a": {"code": OWN}, "b": {"code": COPIED}, "c": {"code": CODE}, "d": {"code": "(" * 9}}
    stub = SHEETS["depth"].task.stub
    assert [pair[:4] for pair in similar(texts, stub)] == [("code", "a", "b", 1.0)]
    assert not similar({"a": {"code": stub}, "b": {"code": stub}}, stub)
    words = {name: dict(hand_ins.WORDS) for name in "ab"}
    assert [pair[0] for pair in similar(words, stub)] == ["words"]


def test_copies_are_reported(batch):
    """The one pair that copied, and not those who wrote the plainest function as most did."""
    lines = csv.DictReader(batch.first["similarity.csv"].decode().splitlines())
    found = [(line["part"], line["one"], line["other"], line["share"]) for line in lines]
    assert ("code", "copied", "wrote", "1") in found
    assert sum({"copied", "wrote"} & set(pair) != set() for pair in found) == 1


def test_os_is_as_it_was(batch):
    """Grading leaves no process and no folder of a box behind."""
    assert batch.left == ([], [])


def few(batch, folder: Path, *students: str) -> Path:
    """A folder with some of the hand-ins."""
    folder.mkdir()
    for name in students:
        name = f"depth-{name}.ipynb"
        (folder / name).write_bytes((batch.handed / name).read_bytes())
    return folder


@pytest.mark.parametrize("step", ["take_notebook", "judge_code", "sound_runs", "predictions_of"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_batch_always_ends(batch, tmp_path, monkeypatch, step, n_jobs):
    """A fault of the grader costs the hand-in that meets it, and no other."""
    students = ("constant", "prints", "syntax", "no-function")
    handed, plain, calls = few(batch, tmp_path / "in", *students), getattr(grade, step), []

    def fails_once(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise RuntimeError("of the grader's own")
        return plain(*arguments)

    monkeypatch.setattr(grade, step, fails_once)
    judged = Verdict(Outcome.PASSES, "as you like")
    if step != "judge_code":
        monkeypatch.setattr(grade, "judge_code", lambda *arguments: judged)
    else:
        plain = lambda *arguments: judged  # noqa: E731
    out = tmp_path / "out"
    Grader("depth", batch.roster, batch.secret, out, kind=batch.kind, n_jobs=n_jobs,
           say=lambda text: None).grade(handed)  # fmt: skip
    assert len(calls) == 4
    rows = list(csv.DictReader((out / "marks.csv").read_text(encoding="utf-8").splitlines()))
    status = [row["status"] for row in rows if row["file"]]
    assert len(status) == 4 and status.count("graded") == 3
    (failed,) = set(status) - {"graded"}
    assert re.match("not graded: the grader (failed|could not read it) ", failed)
    assert "of the grader's own" in failed
    assert [row["student"] for row in rows if row["file"]] == sorted(students)
    assert len(list((out / "feedback").iterdir())) == 4


def test_inputs_are_secret(batch, tmp_path, monkeypatch):
    """What a function is asked differs from hand-in to hand-in and from secret to secret."""
    handed, drawn = few(batch, tmp_path / "in", "constant", "prints", "whole"), {}

    def looks(laws, answer, rng):
        drawn.setdefault(secret.name, []).append(rng.bytes(16))
        return Verdict(Outcome.PASSES, "as you like")

    monkeypatch.setattr(grade, "verdict_of", looks)
    for name, word in {"one": "one", "other": "other", "again": "one"}.items():
        secret = tmp_path / name
        secret.write_text(word * 32, encoding="utf-8")
        Grader("depth", batch.roster, secret, tmp_path / f"{name} out", kind=TRUSTED, n_jobs=1,
               say=lambda text: None).grade(handed)  # fmt: skip
    assert [len(found) for found in drawn.values()] == [3, 3, 3]
    assert len(set(drawn["one"] + drawn["other"])) == 6
    assert drawn["again"] == drawn["one"], "a second run changes nothing"


def test_any_run_may_be_run_again(tmp_path, monkeypatch):
    """Which one, the secret says, by the hand-in."""
    (tmp_path / "roster").write_text("student\nada\n", encoding="utf-8")
    names, drawn = [arm_name(arm) for arm in SHEETS["depth"].arms()], {}
    for secret in ("one", "other"):
        path = tmp_path / secret
        path.write_text(secret * 32, encoding="utf-8")
        jobs = []
        monkeypatch.setattr(grade, "run_batch", lambda new, *rest, jobs=jobs, **_: jobs.extend(new))
        variant = pick(read_secret(path), "ada", SHEETS["depth"])
        chosen = [
            (grade.HandIn("x", f"sha {k}"),
             {"status": "", "student": "ada", "memory": {}, "runs": dict.fromkeys(names, [])})
            for k in range(30 * len(names))
        ]  # fmt: skip
        Grader("depth", tmp_path / "roster", path, tmp_path / "out", kind=TRUSTED).run_again(chosen)
        drawn[secret] = [row["again"] for _, row in chosen]
        asked = [variant.settings() | arm for name in drawn[secret]
                 for arm in SHEETS["depth"].arms() if arm_name(arm) == name]  # fmt: skip
        assert [job[2] for job in jobs] == asked
        assert {tuple(job[3]) for job in jobs} == {variant.seeds}
    for found in drawn.values():
        counts = [found.count(name) for name in names]
        assert min(counts) > 10 and max(counts) < 60, counts
    same = sum(a == b for a, b in zip(*drawn.values(), strict=True))
    assert same < 60, "drawn by the secret, two lists agree by chance alone"
