"""The box: a canary tries its walls, and student code that means ill gets nowhere."""

import ast
import contextlib
import itertools
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import boxes
import numpy as np
import pytest

from classroom import box
from classroom.box import KINDS, TRUSTED, Box, BoxError, Kind, Limits, NoBox

SMALL = Limits(cpu=2, wall=20.0, memory=1 << 30)


@pytest.fixture(scope="module")
def kind() -> Kind:
    return boxes.box_or_skip()


@pytest.mark.parametrize("name", ["podman", "docker"])
def test_containers_show_little_and_reach_nothing(monkeypatch, name):
    """Their canary decides, but what they are asked for is known beforehand."""
    monkeypatch.setattr(box.shutil, "which", lambda program: f"/usr/bin/{program}")
    monkeypatch.delenv("CLASSROOM_IMAGE", raising=False)
    (kind,) = (kind for kind in KINDS if kind.name == name)
    python, paths = ["/usr/bin/python3", "-I", "worker.py"], box.shown()
    assert kind.command(python, paths) is None, "without an image there is nothing to run"
    monkeypatch.setenv("CLASSROOM_IMAGE", "python:3.11")
    monkeypatch.setenv("CLASSROOM_WORD", "secret")
    command = kind.command(python, paths)
    image = command.index("python:3.11")
    options, inside = command[:image], command[image + 1 :]
    assert options[:2] == [f"/usr/bin/{name}", "run"] and inside == python[1:]
    pairs = list(itertools.pairwise(options))
    wanted = {
        "--network": "none", "--cap-drop": "ALL", "--security-opt": "no-new-privileges",
        "--user": f"{box.FIRST_UID}:{box.FIRST_UID}", "--pull": "never", "--memory": "4g",
        "--pids-limit": "64", "--entrypoint": python[0],
    }  # fmt: skip
    assert wanted.items() <= set(pairs) and {"--read-only", "--rm"} <= set(options)
    assert all(options.count(option) == 1 for option in wanted), "a second one might undo it"
    assert not [o for o in options if o.startswith(("--privileged", "--mount", "--device", "-v="))]
    assert len([o for o in options if o in ("-v", "--volume")]) == len(seen := volumes(pairs))
    assert set(seen.values()) == {"ro"} and set(seen) <= set(paths)
    hidden = ["classroom/grade.py", "classroom/solutions.json", "classroom/laws.py", "chapters",
              "tests", "experiments", "course-secret.txt"]  # fmt: skip
    for path in [*(box.ROOT / what for what in hidden), Path.home() / "x", Path("/etc/passwd")]:
        assert not {str(path), *map(str, path.parents)} & set(seen), path
    given = dict(pair.split("=", 1) for option, pair in pairs if option == "--env")
    assert given == box.plain_environment() and "CLASSROOM_WORD" not in str(command)
    # (Podman refuses a limit of inodes; `size` both know.)
    room = (
        "/box:size=64m,mode=1777" if name == "podman" else "/box:size=64m,nr_inodes=4096,mode=1777"
    )
    assert ("--tmpfs", room) in pairs


PLAYED = """
import os, sys
print(sys.argv[1:], os.environ.get("HOME"), file=open({calls!r}, "a"))
if sys.argv[1] == "run":
    print('{{"id": 0, "ok": [1.0]}}', flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("name", ["podman", "docker"])
def test_containers_end_with_their_box(tmp_path, monkeypatch, name):
    """Their programs only ask for one: they need folders of their own, and a kill ends none."""
    calls, program = tmp_path / "calls", tmp_path / name
    program.write_text(f"#!{sys.executable}\n{PLAYED.format(calls=str(calls))}", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLASSROOM_IMAGE", "python:3.11")
    (kind,) = (kind for kind in KINDS if kind.name == name)
    for _ in range(2):
        with Box(kind, SMALL):
            pass
    said = [line.rsplit(" ", 1) for line in calls.read_text(encoding="utf-8").splitlines()]
    assert {home for _, home in said} == {str(tmp_path / "home")}
    runs = [ast.literal_eval(words) for words, _ in said]
    assert [words[0] for words in runs] == ["run", "kill", "rm"] * 2
    names = [words[words.index("--name") + 1] for words in runs[::3]]
    assert len(set(names)) == 2, "each container has a name of its own"
    for start, of in zip((0, 3), names, strict=True):
        assert runs[start + 1 : start + 3] == [["kill", of], ["rm", "--force", of]]


def volumes(pairs) -> dict[str, str]:
    """What a container shows: path -> how; it stands where it stood."""
    found = {}
    for option, value in pairs:
        if option == "-v":
            path, inside, how = value.rsplit(":", 2)
            assert path == inside
            found[path] = how
    return found


def answer_of(kind: Kind, code: str, *arguments, limits: Limits = SMALL):
    with Box(kind, limits) as opened:
        opened.load(code, ["f"])
        return opened.call("f", *arguments)


@pytest.mark.parametrize("candidate", KINDS[:2], ids=lambda kind: kind.name)
def test_walls(candidate):
    """Both kinds hold, and can be asked, where the machine has what they need."""
    if reason := boxes.lack(candidate):
        boxes.skip(reason)
    assert not box.try_walls(candidate)


@pytest.mark.parametrize("there", ["the program", "nothing"])
@pytest.mark.parametrize("required", ["", "required"])
def test_only_what_the_machine_lacks_is_skipped(monkeypatch, there, required):
    """A box that is there and does not hold is a failure, whatever it says of itself."""
    command = lambda python, paths: python if there == "the program" else None  # noqa: E731
    kinds = (Kind("ill", command),)
    monkeypatch.setattr(box, "KINDS", kinds)
    monkeypatch.setattr(boxes, "KINDS", kinds)
    monkeypatch.setattr(box, "FOUND", {"ill": ["the canary is ill: ['connects']"]})
    monkeypatch.setenv("CLASSROOM_BOX", required)
    with pytest.raises(BaseException) as caught:  # (pytest's own are no Exception)
        boxes.box_or_skip()
    wanted = NoBox if there == "the program" else pytest.skip.Exception
    assert caught.type is (pytest.fail.Exception if there == "nothing" and required else wanted)


def test_a_kernel_that_refuses_is_a_lack(monkeypatch):
    """Known from the machine, and not from what the box says."""
    monkeypatch.setattr(boxes, "PLAIN", {"ill": "echo not permitted >&2; exit 1", "well": "true"})
    monkeypatch.setattr(boxes, "USER", {"ill": "", "well": ""})
    found = [boxes.lack(Kind(name, lambda python, paths: python)) for name in ("ill", "well")]
    assert found == ["ill: not permitted", ""]


def test_the_canary_sees_holes():
    """Without walls it gets everywhere (the environment is clean, and root cannot become root)."""
    free = set(box.WALLS) - {"inherits_the_environment", "is_root_again"}
    free -= {"sees_processes", "makes_a_room_of_its_own"}  # (as the machine is)
    assert free <= set(box.try_walls(TRUSTED))


def test_a_kind_with_a_hole_is_not_taken(monkeypatch):
    leaky = Kind("leaky", lambda python, paths: python, mount_tmp=False)
    monkeypatch.setattr(box, "KINDS", (leaky,))
    monkeypatch.setattr(box, "FOUND", {"leaky": ["connects"]})
    with pytest.raises(NoBox, match="leaky: connects.*--i-trust-these-files"):
        box.find_box()
    said = []
    assert box.find_box(trust=True, say=said.append) is TRUSTED
    assert said[0].startswith("NO BOX")


def test_a_half_closed_box_serves_nobody(kind, monkeypatch):
    """A worker that cannot close a door says so and ends, with any error."""
    monkeypatch.setattr(box, "shown", lambda: ["/usr", str(box.WORKER.parent / "nowhere")])
    with pytest.raises(BoxError), Box(kind):
        pass


def test_numbers_cross(kind):
    x = np.random.default_rng(0).normal(size=(3, 2))
    assert np.array_equal(answer_of(kind, "def f(x): return x + 1", x), x + 1)
    two = answer_of(kind, "def f(x): return x, x.sum(axis=1)", x)
    assert np.array_equal(two[0], x) and two[1].shape == (3,)
    assert answer_of(kind, "def f(x): return x", 2.5) == 2.5
    assert np.isinf(answer_of(kind, "def f(x): return x * float('inf')", x)).all()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def f(x):\n    return x + nothing", r"NameError: .*nothing.* \(line 2\)"),
        ("def f(x:", r"^raised SyntaxError: '\(' [^()]*was never closed \(line 1\)$"),
        ("raise MemoryError", r"^raised MemoryError \(line 1\)$"),
        ("def f(x): return 'a'", "ValueError"),
        ("def f(x): return [[1.0], [1.0, 2.0]]", "ValueError"),
        ("def f(x): return object()", "TypeError"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("import os; os._exit(0)", "ended its process"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import ctypes; ctypes.string_at(0)", "ended its process"),
        ("def f(x):\n    return f(x)", "RecursionError"),
        ("def f(x): return __import__('numpy').zeros(10**6)", "more than 4 MiB"),
        ("def f(x): return __import__('numpy').zeros((1,) * 9)", "no answer"),
        ("class E(Exception):\n    def __str__(self): raise E\nraise E", "^raised E$"),
        (
            "raise ValueError('\\x1b[2Jgone\\n|x|')",
            r"^raised ValueError:  \[2Jgone \|x\| \(line 1\)$",
        ),
    ],
)
def test_what_is_no_answer_is_a_reason(kind, code, reason):
    with pytest.raises(BoxError, match=reason):
        answer_of(kind, code, np.zeros(2))


FIND_PIPE = """
import os
def pipe():
    for n in range(3, 20):
        try:
            if os.fstat(n).st_mode & 0o170000 == 0o010000:
                os.write(n, TEXT)
        except OSError:
            pass
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import time; time.sleep(60)", "not done after 2 s"),
        (
            "import os, time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(9)",
            "not done after 2 s|sent what is no answer",
        ),
        ("x = []\nwhile True: x.append(bytearray(64 << 20))", "MemoryError|memory"),
        (
            "import os, time\nfor _ in range(8):\n    if not os.fork():\n"
            "        x = bytearray(b'1') * (300 << 20); time.sleep(30)\ntime.sleep(30)",
            "memory",
        ),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nimport time; time.sleep(9)",
         "not done after 2 s|ended"),
        ("TEXT = b'y' * 4096" + FIND_PIPE + "while True: pipe()", "more than 4 MiB|no answer"),
        ("TEXT = b'[' * 100000 + b'\\n'" + FIND_PIPE + "pipe()", "no answer"),
        ('TEXT = b\'{"id": 1, "verdict": "passes", "ok": "1"}\\n\'' + FIND_PIPE + "pipe()",
         "no answer"),
    ],
    ids=["sleep", "fork", "memory", "many", "stops", "flood", "nested", "verdict"],
)  # fmt: skip
def test_what_does_not_end_is_ended(kind, code, reason):
    wall = 2.0 if "after 2 s" in reason else 120.0
    with pytest.raises(BoxError, match=reason):
        answer_of(kind, code, np.zeros(2), limits=Limits(cpu=1, wall=wall, memory=1 << 30))


def test_a_loop_is_told_from_an_end(kind, monkeypatch):
    """Also where the kernel's limit and the time that it then reports do not agree."""
    wait, none = os.wait4, resource.struct_rusage((0.0,) * 16)
    monkeypatch.setattr(box.os, "wait4", lambda *given: (*wait(*given)[:2], none))
    with pytest.raises(BoxError, match="was stopped: it used up its 1 s of CPU time"):
        answer_of(kind, "while True: pass", limits=Limits(cpu=1))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass",
         "used up its 1 s of CPU time"),
        ("import os; os._exit(1)", "ended its process before it had answered"),
    ],
    ids=["loop", "exit"],
)  # fmt: skip
def test_a_reason_does_not_depend_on_what_started_the_worker(code, reason):
    """Some programs pass on how theirs ended, and `unshare` ends with 1."""
    for last in ("exit 1", "exit $?"):
        start = ["sh", "-c", f'"$@"; {last}', "sh"]
        kind = Kind("a shell", lambda python, _, start=start: [*start, *python],
                    mount_tmp=False, holds=False)  # fmt: skip
        with pytest.raises(BoxError, match=reason):
            answer_of(kind, code, np.zeros(2), limits=Limits(cpu=1))


def test_prints_are_nobodys_business(kind):
    code = "print('x' * 10**7)\nimport sys\nsys.stderr.write('y' * 10**6)\ndef f(x): return x"
    assert answer_of(kind, code, 1.0) == 1.0


def test_nothing_survives(kind):
    """A child that ignores all signals, and its pipe, are gone when the box is closed."""
    code = (
        "import os, signal, time\nfor s in range(1, 32):\n"
        "    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
        "if os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\ndef f(x): return x"
    )
    with Box(kind, SMALL) as opened:
        opened.load(code, ["f"])
        inside = box.descendants(opened.process.pid)
        assert len(inside) >= 2
    deadline = time.monotonic() + 30
    while (left := set(inside) & set(box.processes())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def gone(python: list[str], paths: list[str]) -> list[str]:
    """The command of a program that is not installed."""
    return ["/nowhere/program", *python]


@pytest.mark.parametrize(
    "command",
    [lambda python, paths: None, gone, lambda python, paths: ["false"], box.unshare],
    ids=["absent", "gone", "ends", "opens"],
)
def test_no_folder_of_a_box_is_left(tmp_path, monkeypatch, command):
    """Neither of one that was open nor of one that did not start."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []
    with contextlib.suppress(BoxError), Box(Kind("own", command, own_root=True), SMALL):
        seen += tmp_path.iterdir()
    assert (len(seen) == 1) == (command is box.unshare and not boxes.lack(KINDS[1]))
    assert not list(tmp_path.iterdir())


def test_patched_python_changes_nothing_outside(kind):
    code = """
import builtins, json, numpy
builtins.abs = lambda *_: 0
numpy.abs = numpy.allclose = lambda *_: 0
json.dumps = lambda *_: '{"id": 2, "ok": 0}'
class Zero(float):
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
def f(x): return Zero(1.0)
"""
    try:
        assert abs(answer_of(kind, code, 5.0) - 5.0) in (4.0, 5.0)
    except BoxError as error:
        assert "no answer" in str(error)


def test_the_course_that_is_shown_holds_no_solution(kind):
    """Of the course's folder it sees the modules that an answer may import, and its own worker."""
    code = f"""
import os, sys
def f(x):
    found = [os.path.join(a, c) for a, b, cs in os.walk({str(box.ROOT)!r}) for c in cs
             if not a.startswith(sys.prefix)]  # (Python itself, if it lies in there)
    return [float(len(found)), float(sum(".py" in name for name in found))]
"""
    assert answer_of(kind, code, 0.0).tolist() == [len(box.COURSE) + 1] * 2
