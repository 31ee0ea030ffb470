"""Kinds of box for the tests: which of them this machine lacks, and what follows from that.

What is asked here is not the box under test but the machine itself, by the plainest command that
needs the same: so a fault of the box is never taken for a fault of the machine.

With CLASSROOM_BOX=required, as where the course is published, a lack is a failure too.
"""

import os
import subprocess

import pytest

from classroom.box import KINDS, Kind, NoBox, find_box

# What a kind asks of the kernel: namespaces, and in them a /proc and a folder in memory.
PLAIN = {
    "bubblewrap": "bwrap --ro-bind / / --unshare-ipc --unshare-pid --unshare-net --unshare-uts "
    "--cap-add CAP_SYS_ADMIN {user} --proc /proc --tmpfs /tmp true",
    "unshare": "unshare {user} --mount --net --pid --ipc --uts --fork "
    "sh -c 'mount -t proc proc /proc; mount -t tmpfs none /tmp'",
}
USER = {"bubblewrap": "--unshare-user", "unshare": "--map-root-user"}


def lack(kind: Kind) -> str:
    """What this machine lacks for a kind of box; "" if nothing."""
    if kind.command([], []) is None:
        return f"{kind.name} is not there"
    if kind.name not in PLAIN:
        return ""
    command = PLAIN[kind.name].format(user=USER[kind.name] if os.geteuid() else "")
    tried = subprocess.run(["sh", "-c", command], capture_output=True, encoding="utf-8")
    return f"{kind.name}: {tried.stderr.strip()}" if tried.returncode else ""


def skip(reason: str) -> None:
    """Skip a test for what the machine lacks, or fail, where it must lack nothing."""
    if os.environ.get("CLASSROOM_BOX") == "required":
        pytest.fail(f"CLASSROOM_BOX is required, but {reason}")
    pytest.skip(reason)


def box_or_skip() -> Kind:
    """A kind of box that holds; a skip if the machine lacks what each of them needs."""
    try:
        return find_box()
    except NoBox as error:
        lacks = [lack(kind) for kind in KINDS]
        if all(lacks):
            skip("; ".join(lacks))
        raise error
