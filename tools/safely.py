"""Files that are never half written, and work that is never done twice at once.

A file is written beside the old one and then takes its place: whatever happens on the way, a full
disk, Ctrl-C, a lost machine, the old file stays whole. (Standard library only: this also runs
before there is an environment.)
"""

import errno
import fcntl
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

STALE = 3600  # seconds after which nobody can still be writing


def write(path, content) -> None:
    """Replace the content of a file, all or nothing.

    Args:
        path: the file; a link is followed.
        content: text, written as UTF-8, or bytes.

    Raises:
        OSError: it could not be written; the old file is as it was.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(Path(folder) / "a.txt", "ä")
        ...     (Path(folder) / "a.txt").read_bytes()
        b'\\xc3\\xa4'
    """
    write_all({path: content})


def write_all(contents: dict) -> None:
    """Replace several files: none is touched before all new ones lie whole on the disk.

    Args:
        contents: path -> text or bytes.

    Raises:
        OSError: one could not be written; all old files are as they were.
    """
    waiting = []
    try:
        for path, content in contents.items():
            path = Path(os.path.realpath(path))
            waiting.append((_beside(path, content), path))
        while waiting:
            new, path = waiting[0]
            os.replace(new, path)
            waiting.pop(0)
    except OSError as error:
        why = f"{error.strerror or error}; left as it was"
        raise OSError(error.errno, why, str(path)) from error
    finally:
        for new, _ in waiting:
            Path(new).unlink(missing_ok=True)


def _beside(path: Path, content) -> str:
    """Write content into a new file beside `path`, down to the disk; return its name."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is read-only", str(path))
    for left in path.parent.glob(f".{path.name}.*.part"):
        if time.time() - left.stat().st_mtime > STALE:  # whoever wrote it was killed
            left.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, path.stat().st_mode & 0o7777 if path.exists() else 0o666 & ~_umask())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return name


def _umask() -> int:
    """Which permissions new files do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def alone(lock, waiting: str):
    """Hold a lock while the block runs; if another process has it, say so and wait for it.

    The lock ends with the process, however that ends: a killed one leaves nothing to clean up.

    Args:
        lock: the file that stands for the lock.
        waiting: what to print if another process holds it.
    """
    with open(lock, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(waiting, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
