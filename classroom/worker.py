"""What runs inside the box: it closes the last doors behind itself, then it serves student code.

Nothing in here is trusted once student code runs. It needs nothing but the standard library, so
that it starts in a moment; numpy comes with the first numbers, torch when the answer imports it.
Requests and replies are lines of JSON, one number or nested list of numbers for each value.

Started by `box.py` as `python worker.py OPTIONS`; no use to anyone else.
"""

import ctypes
import json
import os
import resource
import signal
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
TMP = "/box"  # where it may write, and nowhere else
# Of linux/mount.h
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH = 2
# Of linux/prctl.h
SET_PDEATHSIG, SET_SECCOMP, CAPBSET_DROP, SET_NO_NEW_PRIVS = 1, 22, 24, 38
# System calls that no exercise needs: with them one gets memory that no limit counts, new
# namespaces, other processes' insides, or an untried corner of the kernel.
# Architecture -> (its number for seccomp, of pivot_root, of clone, {name: number}).
CALLS = {
    "x86_64": (0xC000003E, 155, 56, {
        "socket": 41, "shmget": 29, "ptrace": 101, "mount": 165, "umount2": 166, "pivot_root": 155,
        "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272, "setns": 308,
        "perf_event_open": 298, "memfd_create": 319, "bpf": 321, "userfaultfd": 323,
        "process_vm_readv": 310, "process_vm_writev": 311, "mq_open": 240, "io_uring_setup": 425,
        "open_tree": 428, "move_mount": 429, "fsopen": 430, "memfd_secret": 447,
    }),
    "aarch64": (0xC00000B7, 41, 220, {
        "socket": 198, "shmget": 194, "ptrace": 117, "mount": 40, "umount2": 39, "pivot_root": 41,
        "add_key": 217, "request_key": 218, "keyctl": 219, "unshare": 97, "setns": 268,
        "perf_event_open": 241, "memfd_create": 279, "bpf": 280, "userfaultfd": 282,
        "process_vm_readv": 270, "process_vm_writev": 271, "mq_open": 180, "io_uring_setup": 425,
        "open_tree": 428, "move_mount": 429, "fsopen": 430, "memfd_secret": 447,
    }),
}  # fmt: skip
NEW_NAMESPACES = 0x7E020000  # the flags of clone that ask for one
# clone3 hides its flags from a filter: as if there were none, then libraries take clone.
CLONE3, NOT_THERE = 435, 38


def checked(result: int, what: str) -> int:
    """The result of a C function, or its error as an exception."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2)."""
    texts = [text.encode() if text is not None else None for text in (source, target, kind)]
    done = LIBC.mount(*texts, ctypes.c_ulong(flags), data.encode() if data else None)
    checked(done, f"mount {target}")


def own_root(place: str, shown: list[str]) -> None:
    """Make a root folder that holds only what is shown, read-only, and move into it.

    Args:
        place: An empty folder of the outside, over which the new root is mounted.
        shown: Paths of the outside that are seen in the box.
    """
    mount("none", "/", None, REC | PRIVATE)
    mount("box", place, "tmpfs", NOSUID | NODEV, "size=1m,mode=755")
    for folder in ("proc", "dev", "box", "old"):
        os.mkdir(f"{place}/{folder}")
    for path in shown:
        target = place + path
        if os.path.islink(path):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(os.readlink(path), target)
            continue
        if os.path.isdir(path):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
        mount(path, target, None, BIND | REC)
        kept = os.statvfs(target).f_flag & (NOSUID | NODEV | NOEXEC)  # may not be taken away
        device = path.startswith("/dev/")
        read_only = BIND | REMOUNT | RDONLY | NOSUID | (kept if device else kept | NODEV)
        mount("none", target, None, read_only)
    try:
        mount("proc", f"{place}/proc", "proc", NOSUID | NODEV | NOEXEC)
    except OSError:
        pass  # (inside some containers: then the box has no /proc)
    os.chdir(place)
    checked(LIBC.syscall(calls()[1], b".", b"old"), "pivot_root")
    os.chdir("/")
    checked(LIBC.umount2(b"/old", DETACH), "umount")
    os.rmdir("/old")


def calls() -> tuple:
    """The numbers of this machine's system calls.

    Raises:
        OSError: If they are not known.
    """
    kind = os.uname().machine
    if kind not in CALLS or sys.maxsize < 2**32:
        raise OSError(f"no list of system calls for {kind}")
    return CALLS[kind]


def landlock() -> None:
    """Allow reading all and writing in its own folder, for ever, where there is Landlock."""
    version = LIBC.syscall(444, None, 0, 1)
    if version <= 0:
        return
    known = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)
    every = (1 << known) - 1
    rules = struct.pack("Q", every)
    if version >= 4:
        rules += struct.pack("Q", 3)  # no TCP
    if version >= 6:
        rules += struct.pack("Q", 3)  # no sockets and no signals of others
    made = checked(LIBC.syscall(444, rules, len(rules), 0), "landlock")
    for path, rights in (("/", 0b1101), (TMP, every), ("/dev/null", 0b110)):
        if os.path.exists(path):
            folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rule = struct.pack("=Qi", rights, folder)
            checked(LIBC.syscall(445, made, 1, rule, 0), f"landlock {path}")
            os.close(folder)
    checked(LIBC.syscall(446, made, 0), "landlock")
    os.close(made)


def seccomp() -> None:
    """Refuse the system calls of `CALLS`, for ever: they end with "not permitted"."""
    audit, _, clone, refused = calls()

    def line(code, value, yes=0, no=0):
        return struct.pack("HBBI", code, yes, no, value)

    load, equal, more, bits, give = 0x20, 0x15, 0x35, 0x45, 0x06
    numbers = sorted(refused.values())
    program = [line(load, 4), line(equal, audit, 1, 0), line(give, 0x80000000)]  # (or killed)
    program += [line(load, 0), line(more, 0x40000000, len(numbers) + 6, 0)]  # (x32: refused)
    for k, number in enumerate(numbers):
        program.append(line(equal, number, len(numbers) - k + 5, 0))
    program += [line(equal, CLONE3, 0, 1), line(give, 0x00050000 | NOT_THERE)]
    program += [line(equal, clone, 0, 4), line(load, 16), line(bits, NEW_NAMESPACES, 1, 0)]
    program += [line(give, 0x7FFF0000), line(give, 0x00050000 | 1), line(give, 0x7FFF0000)]
    # The last three: allow a harmless clone; refuse; allow everything else.
    code = ctypes.create_string_buffer(b"".join(program))
    whole = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code))
    done = LIBC.prctl(SET_SECCOMP, 2, ctypes.create_string_buffer(whole), 0, 0)
    checked(done, "seccomp")


def drop_rights(uid: int | None) -> None:
    """Give up all that root may do, for good; as root, become nobody in particular too."""
    for capability in range(64):
        LIBC.prctl(CAPBSET_DROP, capability, 0, 0, 0)
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    else:
        header = struct.pack("Ii", 0x20080522, 0)
        checked(LIBC.capset(header, struct.pack("6I", *[0] * 6)), "capset")
    checked(LIBC.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    LIBC.prctl(SET_PDEATHSIG, 9, 0, 0, 0)  # (a change of user forgets it)


def close_doors(options: dict) -> None:
    """All walls that a process can put up around itself.

    Args:
        options: See `box.py`: `place` and `shown` for a root of its own, `uid`, and the limits.
    """
    if options["place"]:
        own_root(options["place"], options["shown"])
    if options["mount_tmp"]:
        size = f"size={options['files']},nr_inodes=4096,mode=1777"
        mount("tmp", TMP, "tmpfs", NOSUID | NODEV, size)
    if options["place"]:
        mount("none", "/", None, REMOUNT | BIND | RDONLY | NOSUID | NODEV)
    os.chdir(TMP)
    drop_rights(options["uid"])
    landlock()
    seccomp()
    for name in ("cpu", "memory", "files", "processes"):
        kind = {"memory": "AS", "files": "FSIZE", "processes": "NPROC"}.get(name, name.upper())
        limit = options[name]
        # (At the first limit of CPU time comes a signal, see `main`; a second later the end.)
        most = limit + 1 if name == "cpu" else limit
        resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), (limit, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


def plain(value):
    """A value as numbers for JSON: nested lists; a tuple is marked as one."""
    if isinstance(value, tuple):
        return {"tuple": [plain(part) for part in value]}
    if hasattr(value, "detach"):
        value = value.detach().cpu().double().numpy()
    import numpy

    return numpy.asarray(value, dtype=numpy.float64).tolist()


def numbers(value, kind: str):
    """An argument: a number stays one, a list becomes an array or a tensor, float64."""
    if not isinstance(value, list):
        return value
    if kind == "torch":
        import torch

        return torch.tensor(value, dtype=torch.float64)
    import numpy

    return numpy.array(value, dtype=numpy.float64)


def what_happened(error: BaseException) -> str:
    """An error in one line, with the line of the answer where it happened."""
    line, step, said = None, error.__traceback__, str(error)
    while step is not None:
        if step.tb_frame.f_code.co_filename == "answer":
            line = step.tb_lineno
        step = step.tb_next
    if line is None and isinstance(error, SyntaxError):
        line, said = error.lineno, str(error.msg)
    where = f" (line {line})" if line else ""
    return type(error).__name__ + (f": {said[:300]}" if said else "") + where


def serve(requests, replies) -> None:
    """Answer requests until there are no more."""
    names: dict = {"__name__": "answer"}
    for text in requests:
        request = json.loads(text)
        reply = {"id": request["id"]}
        try:
            if "code" in request:
                exec(compile(request["code"], "answer", "exec"), names)
                reply["ok"] = [float(callable(names.get(name))) for name in request["names"]]
            else:
                given = [numbers(value, request["kind"]) for value in request["call"][1:]]
                reply["ok"] = plain(names[request["call"][0]](*given))
            line = json.dumps(reply)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            try:
                reply["error"] = what_happened(error)
            except Exception:
                reply["error"] = f"{type(error).__name__}"
            reply.pop("ok", None)
            line = json.dumps(reply)
        replies.write(line + "\n")
        replies.flush()


def main() -> None:
    """Close the doors, say so, and serve."""
    options = json.loads(sys.argv[1])
    try:
        close_doors(options)
    except OSError as error:
        print(json.dumps({"id": 0, "error": f"the box could not be closed: {error}"}), flush=True)
        return
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    # Some programs do not pass on by which signal theirs ended: a status they do pass on.
    signal.signal(signal.SIGXCPU, lambda *_: os._exit(128 + signal.SIGXCPU))
    sys.path[:0] = options["path"]
    replies.write(json.dumps({"id": 0, "ok": [1.0]}) + "\n")
    replies.flush()
    serve(requests, replies)


if __name__ == "__main__":
    main()
