"""A box for student code: its walls are tried before anyone is let in, and only numbers cross.

Student code runs in a process of its own, without network, without the outside's files, under
limits, and answers calls "name(numbers) -> numbers" over a pipe. Whoever asks stays outside, and
judges outside; nothing that comes out is executed or unpickled.

`find_box` looks for a kind of box that holds on this machine, and believes none: a canary inside
tries to read, write, connect, fork and grow, and whatever it gets away with rules the kind out.
"""

import contextlib
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["Box", "BoxError", "Kind", "Limits", "NoBox", "find_box", "try_walls"]

ROOT = Path(__file__).resolve().parents[1]
WORKER = Path(__file__).with_name("worker.py")
# What a student's code may import of the course. No exercise and no solution is among them.
COURSE = ("flows.py", "flows_support.py", "gen_models_utilities.py")
SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
MOST = 4 << 20  # bytes that one reply may have
DEEPEST = 8  # dimensions of an array
FIRST_UID = 64_000
COUNT = itertools.count()


class BoxError(RuntimeError):
    """Student code that stopped, ran out of something, or sent what is no answer.

    Example:
        >>> str(BoxError("used up its 60 s of CPU time"))
        'used up its 60 s of CPU time'
    """


class NoBox(RuntimeError):
    """No kind of box holds on this machine; says what was tried and what got through.

    Example:
        >>> str(NoBox("bubblewrap: is not installed"))
        'bubblewrap: is not installed'
    """


@dataclass(frozen=True)
class Limits:
    """What one box may use.

    Attributes:
        cpu: Seconds of CPU time.
        wall: Seconds until all must be over.
        memory: Bytes, of all its processes together.
        files: Bytes of files that it may write.
        processes: Processes at a time.

    Example:
        >>> Limits(cpu=5).wall
        120.0
    """

    cpu: int = 60
    wall: float = 120.0
    memory: int = 4 << 30
    files: int = 64 << 20
    processes: int = 64


@dataclass(frozen=True)
class Kind:
    """A kind of box: how to start a process in it.

    Attributes:
        name: What it is called.
        command: Function `(python and its arguments, paths that it sees) -> command`, or None if
            the program that it needs is not there.
        own_root: Whether the worker makes the box's root folder itself.
        mount_tmp: Whether the worker mounts the folder for the box's files itself.
        client: Whether the command only asks others for the box: it needs the caller's environment,
            and with its end the box does not end.
        holds: Whether there are walls at all.

    Example:
        >>> [kind.name for kind in KINDS]
        ['bubblewrap', 'unshare', 'podman', 'docker']
    """

    name: str
    command: Callable[[list[str], list[str]], list[str] | None]
    own_root: bool = False
    mount_tmp: bool = True
    client: bool = False
    holds: bool = True


def shown() -> list[str]:
    """The paths of the outside that the box shows, read-only: Python, its packages, the course."""
    homes = [sys.prefix, sys.base_prefix, sysconfig.get_path("purelib"), sys.executable]
    homes += [os.path.dirname(np.__file__)]
    found = [str(ROOT / name) for name in COURSE] + [str(WORKER), *DEVICES]
    tops = [path for path in SYSTEM if os.path.lexists(path)]
    for path in map(os.path.realpath, homes):
        if not any(path == top or path.startswith(f"{top}/") for top in tops):
            tops.append(path)
    return tops + found


def own_python() -> str:
    """This interpreter, by a path that the box shows: a `.venv` may be a link to another folder."""
    inside = os.path.relpath(sys.executable, sys.prefix)
    if inside.startswith(".."):
        return os.path.realpath(sys.executable)
    return os.path.join(os.path.realpath(sys.prefix), inside)


def bubblewrap(python: list[str], paths: list[str]) -> list[str] | None:
    """https://github.com/containers/bubblewrap"""
    if not (program := shutil.which("bwrap")):
        return None
    command = [program, "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    command += [f"--unshare-{what}" for what in ("ipc", "pid", "net", "uts", "cgroup-try")]
    command += [part for pair in plain_environment().items() for part in ("--setenv", *pair)]
    # What the worker needs to close the box: it gives both up before it reads a line.
    rights = ["CAP_SYS_ADMIN", "CAP_SETPCAP"]
    if os.geteuid() == 0:
        rights += ["CAP_SETUID", "CAP_SETGID"]
    else:
        command += ["--unshare-user"]
    command += [part for right in rights for part in ("--cap-add", right)]
    for path in paths:
        # (The folders above it: made by bubblewrap itself, they might be readable by root alone.)
        above = [str(folder) for folder in reversed(Path(path).parents)][1:]
        if not any(folder in paths for folder in above):
            command += [part for folder in above for part in ("--dir", folder)]
        if os.path.islink(path):
            command += ["--symlink", os.readlink(path), path]
        else:
            command += ["--dev-bind" if path in DEVICES else "--ro-bind", path, path]
    return [*command, "--proc", "/proc", "--dir", "/box", "--chdir", "/", *python]


def unshare(python: list[str], paths: list[str]) -> list[str] | None:
    """Of util-linux; the worker makes the root folder, and Landlock and seccomp the rest."""
    if not (program := shutil.which("unshare")):
        return None
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    kinds = ["--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
    return [program, *user, *kinds, *python]


def container(name: str) -> Callable:
    """Podman or Docker, with the image that CLASSROOM_IMAGE names; the host's Python is shown."""

    def command(python: list[str], paths: list[str]) -> list[str] | None:
        program, image = shutil.which(name), os.environ.get("CLASSROOM_IMAGE")
        if not (program and image):
            return None
        options = ["--rm", "-i", "--network", "none", "--read-only", "--cap-drop", "ALL"]
        options += ["--pids-limit", "64", "--memory", "4g", "--pull", "never"]
        options += ["--security-opt", "no-new-privileges", "--user", f"{FIRST_UID}:{FIRST_UID}"]
        for pair in plain_environment().items():
            options += ["--env", "=".join(pair)]
        # (Podman knows no limit of inodes; each takes of the memory that it does limit.)
        inodes = "nr_inodes=4096," if name == "docker" else ""
        options += ["--tmpfs", f"/box:size=64m,{inodes}mode=1777"]
        for path in paths:
            if path not in DEVICES and not os.path.islink(path):
                options += ["-v", f"{path}:{path}:ro"]
        return [program, "run", *options, "--entrypoint", python[0], image, *python[1:]]

    return command


KINDS = (
    Kind("bubblewrap", bubblewrap),
    Kind("unshare", unshare, own_root=True),
    Kind("podman", container("podman"), mount_tmp=False, client=True),
    Kind("docker", container("docker"), mount_tmp=False, client=True),
)
TRUSTED = Kind("no box", lambda python, paths: python, mount_tmp=False, holds=False)


class Box:
    """A process that runs one answer and can be asked for numbers.

    Use it as a context: what is left of it at the end is killed.

    Args:
        kind: What `find_box` gave.
        limits: What it may use.
        give: Whether functions get "numpy" arrays or "torch" tensors, float64 both.

    Example:
        >>> box = Box(TRUSTED)      # no walls at all: only for code of your own
        >>> with box:
        ...     found = box.load("def twice(x): return 2 * x", ["twice", "thrice"])
        ...     answer = box.call("twice", np.array([1.0, 2.5]))
        >>> found, answer
        (['twice'], array([2., 5.]))
    """

    def __init__(self, kind: Kind, limits: Limits | None = None, give: str = "numpy"):
        self.kind, self.limits, self.give = kind, limits or Limits(), give
        self.process, self.buffer, self.count = None, b"", 0
        self.place, self.ends = "", []

    def __enter__(self) -> "Box":
        limits, root = self.limits, os.geteuid() == 0
        if self.kind.own_root:
            self.place = tempfile.mkdtemp(prefix="box-")
        number = FIRST_UID + (os.getpid() * 97 + next(COUNT)) % 1400
        options = {
            "place": self.place, "shown": shown(), "mount_tmp": self.kind.mount_tmp,
            "uid": number if root and self.kind.mount_tmp else None, "cpu": limits.cpu,
            "memory": limits.memory, "files": limits.files, "processes": limits.processes,
            "path": [str(ROOT)],
        }  # fmt: skip
        script = str(WORKER) if self.kind.holds else "-c"
        python = [own_python(), "-I", script]
        if not self.kind.holds:
            python += ["import sys; sys.path.insert(0, sys.argv[2]); import worker; "
                       "worker.close_doors = lambda options: None; worker.main()"]  # fmt: skip
        python += [json.dumps(options), str(WORKER.parent)]
        command = self.kind.command(python, options["shown"])
        if command is None:
            self.close()
            raise BoxError(f"{self.kind.name} is not there")
        if self.kind.client:
            name = f"classroom-{os.getpid()}-{time.monotonic_ns()}"
            command[2:2] = ["--name", name]
            self.ends = [[command[0], *words, name] for words in (["kill"], ["rm", "--force"])]
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=None if self.kind.client else plain_environment(), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self.close()
            raise BoxError(f"{self.kind.name} does not start: {error}") from error
        os.set_blocking(self.process.stdin.fileno(), False)
        self.end = time.monotonic() + limits.wall
        try:
            self.reply(0)
        except BoxError:
            self.close()
            raise
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def load(self, code: str, names: list[str]) -> list[str]:
        """Run an answer's code.

        Args:
            code: The source.
            names: Functions that it should define.

        Returns:
            Those that it does define.

        Raises:
            BoxError: If it stopped, or used up a limit.
        """
        found = self.ask({"code": code, "names": names})
        if isinstance(found, tuple) or found.shape != (len(names),):
            raise BoxError("sent what is no answer")
        return [name for name, there in zip(names, found, strict=True) if there == 1.0]

    def call(self, name: str, *arguments) -> np.ndarray | tuple[np.ndarray, ...]:
        """Ask one function for numbers.

        Args:
            name: The function.
            *arguments: Arrays or numbers.

        Returns:
            Its result as float64 arrays.

        Raises:
            BoxError: If there is none.
        """
        given = [np.asarray(a, dtype=np.float64).tolist() for a in arguments]
        return self.ask({"call": [name, *given], "kind": self.give})

    def ask(self, request: dict) -> np.ndarray | tuple[np.ndarray, ...]:
        """Send one request and wait for its reply."""
        self.count += 1
        text = json.dumps(request | {"id": self.count}, allow_nan=True) + "\n"
        self.send(text.encode())
        return self.reply(self.count)

    def send(self, data: bytes) -> None:
        """Write to the box, which need not be reading."""
        view = memoryview(data)
        pipe = self.process.stdin.fileno()
        while view:
            self.watch()
            if select.select([], [pipe], [], 0.1)[1]:
                try:
                    view = view[os.write(pipe, view) :]
                except BlockingIOError:
                    continue
                except OSError:
                    raise BoxError(self.how_it_ended()) from None

    def reply(self, number: int) -> np.ndarray | tuple[np.ndarray, ...]:
        """Read the reply with this number."""
        pipe = self.process.stdout.fileno()
        while b"\n" not in self.buffer:
            self.watch()
            if select.select([pipe], [], [], 0.1)[0]:
                piece = os.read(pipe, 1 << 16)
                if not piece:
                    raise BoxError(self.how_it_ended())
                self.buffer += piece
                if len(self.buffer) > MOST:
                    raise BoxError(f"sent more than {MOST >> 20} MiB at once")
        line, self.buffer = self.buffer.split(b"\n", 1)
        try:
            message = json.loads(line)
            if message["id"] != number or type(message["id"]) is not int:
                raise ValueError
            if "error" in message:
                said = one_line(str(message["error"]))
                raise BoxError(f"raised {said}" if number else said)
            return arrays(message["ok"])
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
            raise BoxError("sent what is no answer") from None

    def watch(self) -> None:
        """Look at the clock and at the memory of all processes of the box."""
        if time.monotonic() > self.end:
            raise BoxError(f"was not done after {self.limits.wall:g} s")
        if memory_of(self.process.pid) > self.limits.memory:
            raise BoxError(f"used more than {self.limits.memory >> 20} MiB of memory")

    def how_it_ended(self) -> str:
        """Why the process is gone, as far as it can be known.

        What started the worker does not always pass on how it was killed (`unshare` ends with 1),
        so the time that the processes took is looked at, too. (It may be less than the limit: that
        counts whole ticks of the clock, which on a busy machine others had a part of.)
        """
        end, took = time.monotonic() + 10, 0.0  # (a busy machine may take a while to end it)
        with contextlib.suppress(ChildProcessError):
            while self.process.returncode is None and time.monotonic() < end:
                pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
                if pid:
                    self.process.returncode = os.waitstatus_to_exitcode(status)
                    took = usage.ru_utime + usage.ru_stime
                else:
                    time.sleep(0.01)
        code, ended = self.process.returncode, {signal.SIGXCPU, signal.SIGKILL}
        killed = code in {-s for s in ended} | {128 + s for s in ended}
        if killed or (code and took > 0.7 * self.limits.cpu):
            return f"was stopped: it used up its {self.limits.cpu} s of CPU time, or its memory"
        return "ended its process before it had answered"

    def close(self) -> None:
        """Kill all processes of the box, and wait until they are gone."""
        if self.process is not None:
            for pid in [*descendants(self.process.pid), self.process.pid]:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()
            self.process = None
        for command in self.ends:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(command, capture_output=True, timeout=30)
        self.ends = []
        if self.place:
            with contextlib.suppress(OSError):
                os.rmdir(self.place)
            self.place = ""


def plain_environment() -> dict[str, str]:
    """The box's environment: nothing of the caller's."""
    names = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    return dict.fromkeys(names, "1") | {
        "PATH": "/usr/bin:/bin", "HOME": "/box", "TMPDIR": "/box", "MPLBACKEND": "agg",
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "LANG": "C.UTF-8",
    }  # fmt: skip


def one_line(text: str, most: int = 300) -> str:
    """Text of a stranger, made fit for a report: one line, nothing that steers a terminal.

    Example:
        >>> one_line("a" + chr(27) + "[2J" + chr(10) + "b" + chr(0x202E) + "c")
        'a [2J b c'
    """
    # (Behind the separators of lines: what turns the direction of writing round.)
    steers = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+"
    return re.sub(steers, " ", text)[:most].strip()


def arrays(value, tuples: bool = True) -> np.ndarray | tuple[np.ndarray, ...]:
    """Numbers that came out of a box, as arrays; everything else is refused.

    Args:
        value: What JSON gave.
        tuples: Whether there may be several arrays.

    Returns:
        An array, or a tuple of them.

    Raises:
        ValueError: If there is something else in it than numbers, or its rows differ in length.

    Example:
        >>> arrays([[1, 2.5]])
        array([[1. , 2.5]])
        >>> arrays(["1"])
        Traceback (most recent call last):
        ValueError: no number
    """
    if tuples and isinstance(value, dict):
        parts = value["tuple"]
        if not isinstance(parts, list) or len(value) > 1 or len(parts) > 16:
            raise ValueError("no tuple")
        return tuple(arrays(part, tuples=False) for part in parts)
    shape, level = [], [value]
    while isinstance(level[0] if level else None, list):
        width = len(level[0])
        if any(not isinstance(row, list) or len(row) != width for row in level):
            raise ValueError("rows of different length")
        shape.append(width)
        level = [entry for row in level for entry in row]
        if len(shape) > DEEPEST:
            raise ValueError("too many dimensions")
    if any(type(entry) not in (int, float) for entry in level):
        raise ValueError("no number")
    return np.array([float(entry) for entry in level], dtype=np.float64).reshape(shape)


def processes() -> dict[int, tuple[int, int]]:
    """All processes that /proc shows: number -> its parent, and its resident pages."""
    found = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rsplit(b")", 1)[1].split()
                found[int(name)] = int(fields[1]), int(fields[21])
    return found


def descendants(pid: int, all_of_them: dict | None = None) -> list[int]:
    """The processes that descend from one, parents first."""
    children: dict[int, list[int]] = {}
    for child, (parent, _) in (all_of_them or processes()).items():
        children.setdefault(parent, []).append(child)
    found, todo = [], [pid]
    while todo:
        new = children.get(todo.pop(), [])
        found += new
        todo += new
    return found


def memory_of(pid: int) -> int:
    """Bytes in the memory of a process and of those that descend from it."""
    seen = processes()
    pages = sum(seen[p][1] for p in [pid, *descendants(pid, seen)] if p in seen)
    return pages * os.sysconf("SC_PAGE_SIZE")


# What the canary tries. Each function returns 1 if it got through the wall, and 0 if not; an error
# is a wall that held. `{...}` are filled in by `try_walls`.
CANARY = """
import ctypes, os, resource, socket, sys
PLACE = "/box" if os.path.isdir("/box") else {folder!r}

def tried(attempt):
    try:
        return float(bool(attempt()))
    except Exception:
        return 0.0

def reads_a_file():
    return tried(lambda: open({secret!r}).read() or True)

def sees_the_course():
    # The folder of an exercise, its solutions, the grader: none of them may be there.
    return tried(lambda: any(os.path.exists(p) for p in {hidden!r}))

def sees_the_users():
    # (A container has a list of its own.)
    return tried(lambda: open("/etc/passwd").read() == {users!r})

def writes_outside():
    def attempt():
        for path in {places!r}:
            try:
                open(os.path.join(path, "canary"), "w").close()
                return True
            except OSError:
                pass
    return tried(attempt)

def connects():
    def attempt():
        for kind, address in ((socket.SOCK_STREAM, {port!r}), (socket.SOCK_DGRAM, {port!r})):
            try:
                with socket.socket(socket.AF_INET, kind) as s:
                    s.settimeout(2)
                    s.connect(("127.0.0.1", address))
                    s.send(b"canary")
                    if kind == socket.SOCK_STREAM:
                        return True
            except OSError:
                pass
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.connect(("192.0.2.1", 9))  # a route out of the machine
                s.send(b"canary")
                return True
        except OSError:
            pass
        return False
    return tried(attempt)

def reaches_a_socket():
    def attempt():
        for address in ({socket_path!r}, chr(0) + {abstract!r}):
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(address)
                    return True
            except OSError:
                pass
    return tried(attempt)

def sees_processes():
    return tried(lambda: any(n.isdigit() and int(n) > 8 for n in os.listdir("/proc")))

def signals_others():
    def attempt():
        os.kill({pid!r}, 0)
        return True
    return tried(attempt)

def inherits_the_environment():
    return tried(lambda: {word!r} in "".join(os.environ.values()))

def forks_without_end():
    children = []
    try:
        for _ in range({processes!r} + 16):
            pid = os.fork()
            if not pid:
                import time
                time.sleep(30)
                os._exit(0)
            children.append(pid)
        return 1.0
    except OSError:
        return 0.0
    finally:
        for pid in children:
            os.kill(pid, 9)
            os.waitpid(pid, 0)

def grows_without_end():
    def attempt():
        import mmap
        mmap.mmap(-1, {memory!r} + (64 << 20))
        return True
    return tried(attempt)

def hides_memory():
    def attempt():
        os.memfd_create("canary")
        return True
    return tried(attempt)

def fills_the_disk():
    written = 0
    for k in range({files!r} // (8 << 20) + 4):
        try:
            with open(f"{{PLACE}}/fill{{k}}", "wb") as file:
                written += file.write(bytes(8 << 20))
        except OSError:
            break
    for k in range(100):
        try:
            os.unlink(f"{{PLACE}}/fill{{k}}")
        except OSError:
            break
    return float(written > {files!r} + (8 << 20))

def makes_files_without_end():
    made = 0
    try:
        for made in range(9000):
            os.close(os.open(f"{{PLACE}}/n{{made}}", os.O_CREAT | os.O_WRONLY))
    except OSError:
        pass
    for k in range(made + 1):
        try:
            os.unlink(f"{{PLACE}}/n{{k}}")
        except OSError:
            break
    return float(made > 8000)

def computes_without_end():
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or hard > {cpu!r} + 1:
        return 1.0
    def attempt():
        resource.setrlimit(resource.RLIMIT_CPU, (hard + 1, hard + 1))
        return True
    return tried(attempt)

def makes_a_room_of_its_own():
    def attempt():
        libc = ctypes.CDLL(None, use_errno=True)
        return libc.unshare(0x10000000) == 0 or libc.unshare(0x20000) == 0
    return tried(attempt)

def is_root_again():
    def attempt():
        os.setresuid(0, 0, 0)
        return {root!r} or os.geteuid() != 0
    return tried(attempt) if os.geteuid() else 0.0
"""
WALLS = re.findall(r"^def (\w+)\(\):$", CANARY, flags=re.MULTILINE)


@contextlib.contextmanager
def bait(limits: Limits) -> Iterator[str]:
    """What the canary must not get at: a file, a port, sockets, a word. Gives the canary's code."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bait-")))
        folder.chmod(0o777)
        secret, path = folder / "secret.txt", str(folder / "s")
        secret.write_text("secret", encoding="utf-8")
        abstract = f"canary-{os.getpid()}-{time.monotonic_ns()}"
        listening = []
        for family, address in (
            (socket.AF_INET, ("127.0.0.1", 0)),
            (socket.AF_UNIX, path),
            (socket.AF_UNIX, f"\0{abstract}"),
        ):
            with contextlib.suppress(OSError):
                server = stack.enter_context(socket.socket(family))
                server.bind(address)
                server.listen()
                if family == socket.AF_INET:
                    listening.append(server.getsockname()[1])
        with contextlib.suppress(OSError):
            os.chmod(path, 0o777)
        users = ""
        with contextlib.suppress(OSError):
            users = Path("/etc/passwd").read_text(encoding="utf-8")
        word = f"word-{abstract}"
        os.environ["CLASSROOM_CANARY"] = word
        stack.callback(os.environ.pop, "CLASSROOM_CANARY", None)
        yield CANARY.format(
            folder=str(folder),
            secret=str(secret), places=[str(folder), str(ROOT), str(Path.home()), "/etc", "/"],
            hidden=[str(ROOT / "classroom/grade.py"), str(ROOT / "chapters")], users=users,
            port=listening[0] if listening else 9, socket_path=path, abstract=abstract,
            pid=os.getpid(), word=word, processes=limits.processes, memory=limits.memory,
            files=limits.files, cpu=limits.cpu, root=os.geteuid() == 0,
        )  # fmt: skip


def try_walls(kind: Kind, limits: Limits | None = None) -> list[str]:
    """Send a canary into a kind of box.

    Args:
        kind: The kind.
        limits: The limits that it must hold.

    Returns:
        What it got away with, or why it could not be asked; empty if all walls held.

    Example:
        >>> "is not there" in try_walls(Kind("x", lambda python, paths: None))[0]
        True
    """
    limits = limits or Limits()
    try:
        with bait(limits) as code, Box(kind, limits) as box:
            if missing := set(WALLS) - set(box.load(code, WALLS)):
                return [f"the canary is ill: {sorted(missing)}"]
            return [name for name in WALLS if float(box.call(name)) != 0.0]
    except (BoxError, OSError, ValueError, TypeError) as error:
        return [str(error)]


LOCK = threading.Lock()
FOUND: dict[str, list[str]] = {}


def find_box(trust: bool = False, say: Callable[[str], None] = lambda text: None) -> Kind:
    """The first kind of box whose walls hold on this machine; each is tried once a process.

    Args:
        trust: Whether to go on without walls if there is no box.
        say: Called with one line that says what was found.

    Returns:
        The kind.

    Raises:
        NoBox: If none holds, unless the files are trusted.

    Example:
        >>> find_box(trust=True).name in {kind.name for kind in (*KINDS, TRUSTED)}
        True
    """
    with LOCK:
        for kind in KINDS:
            if kind.name not in FOUND:
                FOUND[kind.name] = try_walls(kind)
            if not FOUND[kind.name]:
                say(f"the box: {kind.name}; a canary tried its {len(WALLS)} walls, and they hold")
                return kind
    tried = "; ".join(f"{name}: {', '.join(found)}" for name, found in FOUND.items())
    if trust:
        say(f"NO BOX: student code runs as you, with all your rights, as you asked ({tried})")
        return TRUSTED
    raise NoBox(
        f"no box holds on this machine, so no student code is run ({tried}). Install bubblewrap, "
        "or grade on a Linux machine that allows user namespaces. If you trust every single file, "
        "--i-trust-these-files runs them as you, with all your rights"
    )
