"""Hand-ins forged after the grader was written: each keeps to its row, and gets a true reason."""

import csv
import io
import json
import os
import re
import struct
import tracemalloc
import zipfile
from pathlib import Path

import hand_ins
import pytest
from boxes import box_or_skip
from hand_ins import RIGHT, WORDS, filled, results

from classroom import grade, sheet
from classroom.assign import assign
from classroom.box import TRUSTED, Limits
from classroom.grade import Grader, Unreadable, unpack
from classroom.variants import POOL, evidence, read_secret
from experiments.sheets import SHEETS, arm_name

SPEC = SHEETS["depth"]
WRONG = RIGHT["depth"].replace("axis=2", "axis=1")
PIPE = "import os\ndef say(text):\n    for n in range(3, 20):\n        try: os.write(n, text)\n"
PIPE += "        except OSError: pass\n"
# Answers that try something -> what the student is told. None is right, and none earns a point.
CODES = {
    "tuple": (PIPE + "say(b'{\"id\": 1, \"ok\": {\"tuple\": []}}\\n')\n" + WRONG, "no answer"),
    "late": (
        PIPE + "import threading, time\ndef later():\n    while True:\n        time.sleep(0.01)\n"
        "        say(b'{\"id\": 2, \"ok\": 1.0}\\n')\n"
        "threading.Thread(target=later, daemon=True).start()\ntime.sleep(0.2)\n" + WRONG,
        "no answer",
    ),
    "dies": (
        PIPE + "import atexit\natexit.register(say, b'{\"id\": 2, \"ok\": 1.0}\\n')\nclass D:\n"
        "    def __del__(self): say(b'{\"id\": 3, \"ok\": 1.0}\\n')\nd = D()\n" + WRONG, "ratio",
    ),
    "modules": (
        "import sys, types, __main__\nj = types.ModuleType('json')\n"
        "j.dumps = lambda *a, **k: '{\"id\": 2, \"ok\": 1.0}'\nj.loads = lambda *a: {'id': 2}\n"
        "sys.modules['json'] = __main__.json = j\n" + WRONG, "no answer",
    ),
    "reason": (
        "import __main__ as m\nm.what_happened = lambda e: 'visible checks pass'\nraise ValueError",
        "^Cannot run: your code raised visible checks pass",
    ),
    "array": (
        "import numpy as np\nclass A(np.ndarray):\n    def tolist(self): return {'tuple': []}\n"
        "    def __sub__(self, other): return 0.0\ndef path_ratio(v): return np.zeros(()).view(A)",
        "is 0, not",
    ),
    "generator": ("def path_ratio(v):\n    yield 1.0", "raised TypeError: .*generator"),
    "pickle": (
        "import os\nclass P:\n    def __reduce__(self): return os.system, ('touch /tmp/owned',)\n"
        "def path_ratio(v): return P()", "raised TypeError",
    ),
    "integer": ("def path_ratio(v): return 10**5000", "raised OverflowError"),
    "signals": (
        "import os, signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\nos.kill(-1, 9)\nos.killpg(0, 9)\n" + WRONG,
        "ProcessLookupError|Permission|ended its process|ratio",
    ),
    "proc": (
        "import glob\nfound = ''\nfor what in ('environ', 'cmdline', 'maps', 'root/*', 'fd/*'):\n"
        "    for p in glob.glob('/proc/*/' + what):\n        try: found += open(p).read(9999)\n"
        "        except Exception: pass\nraise ValueError(['secret' in found, 'depth-' in found])",
        r"\[False, False\]",
    ),
    "base": ("class B(BaseException): pass\nraise B", "ended its process"),
    "closes": ("import os\nos.closerange(0, 99)\n" + WRONG, "ended its process"),
    "detects": (
        "import os, sys, time\nlooked_at = len(sys.argv) > 1 or os.getcwd() == '/box'\n"
        "def path_ratio(v): return 1.0 if looked_at else 2.0", "3 steps on and 1 back is 1, not 2",
    ),
}  # fmt: skip
# How a file is odd -> its row's status, and what its notes say.
FILES = {
    "power": ("graded", ""), "latin": ("not graded: a later one is", ""), "half": ("graded", ""),
    "nothing": ("graded", ""), "returns": ("graded", ""), "hidden": ("graded", ""),
    "dot": ("graded", ""), "lies": ("not graded: is a damaged zip", ""),
    "bzip": ("not graded: is a zip of an unusual kind", ""), "bidi": ("graded", ""),
    "victim": ("graded", "this one has the seal"), "run": ("graded", "its numbers are damaged"),
    "guess": ("graded", ""), "edited": ("graded", "6 of its 6 runs lie"),
    "later": ("graded", ""), "other": ("graded", "of another variant"),
    "many": ("graded", "code twice"), "old": ("not graded: is no notebook of today", ""),
    "lots": ("not graded: has ", ""), "list": ("not graded: is no notebook: what a cell", ""),
    "nan": ("graded", "seal that is not"), "utf-16": ("not graded: is no notebook: it is not", ""),
    "mark": ("graded", ""), "same-ids": ("graded", "q1 twice"),
}  # fmt: skip


def zip_that_lies(method: int, size: int = 64 << 20) -> bytes:
    """A zip of blanks that says of itself that they are few."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        archive.writestr("a.ipynb", bytes(size))
    raw = bytearray(data.getvalue())
    struct.pack_into("<I", raw, raw.rfind(b"PK\x01\x02") + 24, 1000)
    return bytes(raw)


class Forged:
    """A folder of forged hand-ins, graded twice."""

    def __init__(self, folder: Path, students, put, kind):
        self.folder, self.handed = folder, folder / "in"
        (folder / "roster").write_text("student\n" + "\n".join(students), encoding="utf-8")
        assign("depth", folder / "roster", folder / "assigned", folder / "secret")
        self.key = read_secret(folder / "secret")
        put(self)
        limits = Limits(cpu=2, wall=20.0, memory=1 << 30)
        places = folder / "roster", folder / "secret", folder / "out"
        self.rows, self.files = [], []
        for _ in range(2):
            grader = Grader("depth", *places, kind=kind, limits=limits, say=lambda text: None)
            self.rows.append(grader.grade(self.handed))
            found = sorted(p for p in (folder / "out").rglob("*") if p.suffix in (".csv", ".md"))
            self.files.append({path.name: path.read_bytes() for path in found})

    def notebook(self, student: str, code: str = "", **options) -> dict:
        return filled("depth", student, self.key, code or SPEC.task.stub, **options)

    def ran(self, student: str, old: str = "", new: str = "", of: str = "") -> dict:
        """A notebook with results, changed by hand."""
        text = results("depth", of or student, self.key, self.folder / f"runs {student}")
        return self.notebook(student, output=re.sub(old, new, text) if old else text)

    def put(self, name: str | bytes, content) -> None:
        path = self.handed / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())

    def row(self, student: str) -> dict:
        """The row that stands first."""
        return next(row for row in self.rows[0] if row["student"] == student)


def odd_files(made: Forged) -> None:
    """Files as `FILES` says."""
    put, new = made.put, made.notebook
    put("depth-power 1²2.ipynb", new("power"))
    put("depth-latin.ipynb", new("latin"))
    put(b"depth-latin-\xff\xe4.ipynb", new("latin") | {"x": 1})
    put("depth-half.ipynb", new("half", q1="half a \ud83d sign"))
    put("depth-nothing.ipynb", new("nothing", q1="nothing\0here", q2="\x1b[2J"))
    put("depth-returns.ipynb", new("returns", q1="one\rtwo, \r\nthree\r"))
    put(".depth-hidden.ipynb", new("hidden"))
    put("depth-dot_1_assignsubmission_file_/.ipynb", new("dot"))
    put("depth-dot_1_assignsubmission_file_/._x.ipynb", b"of a Mac")
    put("depth-lies.zip", zip_that_lies(zipfile.ZIP_DEFLATED, 1 << 20))
    put("depth-bzip.zip", zip_that_lies(zipfile.ZIP_BZIP2, 1 << 20))
    put("depth-bidi \u202egnp.ipynb", new("bidi"))
    put("a/depth-victim.ipynb", new("victim"))
    foreign = new("victim")
    foreign["metadata"]["course"]["tag"] = "0" * 24
    put("b_eve/depth-victim.ipynb", foreign)
    put("depth-run.ipynb", made.ran("run", r'"gap": [-0-9.e]+', '"gap": 1' + "0" * 400))
    put("depth-guess.ipynb", made.ran("guess", r'"high": [-0-9.e]+', '"high": 1' + "0" * 400))
    put("depth-edited.ipynb", made.ran("edited", r'"gap": [-0-9.e]+', '"gap": -9.0'))
    put("depth-later.ipynb", made.ran("later", r'"best": [-0-9.e]+', '"best": 0.2'))
    put("depth-other.ipynb", made.ran("other", of="later"))
    many = new("many")
    many["cells"] += [{"cell_type": "code", "id": "code", "source": "", "metadata": {}}] * 400
    put("depth-many.ipynb", many)
    put("depth-old.ipynb", {"nbformat": 3, "worksheets": [{"cells": new("old")["cells"]}]})
    put("depth-lots.ipynb", new("lots") | {"cells": new("lots")["cells"] * 30})
    listed = new("list")
    for cell in listed["cells"]:
        cell["source"] = [cell["source"], 3]
    put("depth-list.ipynb", listed)
    odd = new("nan")
    odd["metadata"]["course"]["tag"] = odd["metadata"]["x"] = float("nan")
    put("depth-nan.ipynb", odd)
    put("depth-utf-16.ipynb", json.dumps(new("utf-16")).encode("utf-16"))
    put("depth-mark.ipynb", b"\xef\xbb\xbf" + json.dumps(new("mark"), indent=1)
        .replace("\n", "\r\n").encode())  # fmt: skip
    same = new("same-ids")
    for cell in same["cells"]:
        cell["id"] = "code" if cell["cell_type"] == "code" else "q1"
    put("depth-same-ids.ipynb", same)


def rows_of_evidence(jobs, n_jobs, done, here) -> None:
    """Stands in for the runs that are done again: what the ring's evidence holds."""
    for job in jobs:
        arm = {key: job[2][key] for key in SPEC.arms()[0]}
        ring = next(r for r, found in evidence("depth")["rings"].items() if is_ring(r, job[2]))
        stored = evidence("depth")["rings"][ring][arm_name(arm)]
        rows = [{m: stored[m][k] for m in SPEC.measures} for k in range(3)]
        done(job, {"rows": rows, "cpu_seconds": 1.0})


def is_ring(name: str, settings: dict) -> bool:
    return POOL[name] == tuple(settings[key] for key in ("modes", "radius", "std"))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """No answer is run: the cell of the code is as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grade, "run_batch", rows_of_evidence)
        for module in (sheet, hand_ins):  # (each look at the code costs a moment)
            patch.setattr(module, "code_of", lambda spec: "code")
        return Forged(tmp_path_factory.mktemp("files"), FILES, odd_files, TRUSTED)


@pytest.fixture(scope="module")
def codes(tmp_path_factory):
    def put(made: Forged) -> None:
        for name, (code, _) in CODES.items():
            made.put(f"depth-{name}.ipynb", made.notebook(name, code))

    return Forged(tmp_path_factory.mktemp("codes"), CODES, put, box_or_skip())


@pytest.mark.parametrize("student", CODES)
def test_a_forged_answer_is_told_why(codes, student):
    row = codes.row(student)
    assert (row["status"], row["points"]["code"]) == ("graded", 0)
    assert re.search(CODES[student][1], row["said"]["code"]), row["said"]["code"]
    assert "BoxError" not in row["said"]["code"]


@pytest.mark.parametrize("student", FILES)
def test_an_odd_file_has_its_row(files, student):
    status, note = FILES[student]
    row = files.row(student)
    assert row["file"] and row["status"].startswith(status), row["status"]
    assert note in " | ".join(row["notes"])


@pytest.mark.parametrize("batch", ["files", "codes"])
def test_a_second_run_changes_nothing(batch, request):
    made = request.getfixturevalue(batch)
    assert made.files[0] == made.files[1]
    assert not any("the grader" in row["status"] for row in made.rows[0])
    there = [path for path in made.handed.rglob("*") if path.is_file()]
    there = [path for path in there if not path.name.startswith("._")]
    lines = list(csv.DictReader(io.StringIO(made.files[0]["marks.csv"].decode())))
    assert len(there) == len(lines), "one hand-in, one row"
    assert not any(c in made.files[0]["marks.csv"].decode() for c in "\u202e\0\r\ufffd")


def test_words_can_be_read_back(files):
    """What no table can hold becomes a mark, and the rest stays."""
    text = files.files[0]["queue.csv"].decode()
    lines = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    words = {(line["student"], line["part"]): line["answer"] for line in lines}
    assert words["half", "q1"] == "half a \ufffd sign"
    assert words["nothing", "q1"] == "nothing\ufffdhere" and words["nothing", "q2"] == "\ufffd[2J"
    assert words["returns", "q1"] == "one\ntwo, \nthree"
    assert words["mark", "q1"] == WORDS["q1"]


def test_numbers_that_are_none_cost_what_they_are_in(files):
    """A number too large for any float spoils its run or its prediction, not the hand-in."""
    run, guess = files.row("run")["points"], files.row("guess")["points"]
    assert (run["runs"], run["prediction"]) == (0, None)
    assert (guess["runs"], guess["prediction"]) == (3, 0)


def test_results_that_were_made_up_earn_nothing(files):
    """One of them is found out, and most lie where no run of the ring does."""
    assert files.row("edited")["points"]["runs"] == 0
    later, other = files.row("later")["points"], files.row("other")["points"]
    assert (later["runs"], later["prediction"]) == (3, 0), "predicted after the runs"
    assert other["runs"] == 0


def test_nobody_takes_anothers_place(files):
    """A file with another's name on it, and a false seal, counts only where there is no other."""
    ours = [row for row in files.rows[0] if row["student"] == "victim"]
    assert [row["status"] for row in ours] == [
        "graded", "held: its seal is not this assignment's, and that of a/depth-victim.ipynb is",
    ]  # fmt: skip


def test_a_zip_that_lies_takes_no_room():
    data = zip_that_lies(zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    try:
        with pytest.raises(Unreadable, match="damaged zip"):
            unpack(data)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 32 << 20, f"{most >> 20} MiB"
