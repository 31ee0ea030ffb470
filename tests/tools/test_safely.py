"""Files are replaced whole or not at all, and two processes do not work on one thing at once."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import notebooks
import pytest
import safely

OLD = "the old text, the only source: ä\n"
TOOLS = Path(safely.__file__).parent


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a notebook ä.ipynb"
    path.write_text(OLD, encoding="utf-8")
    path.chmod(0o640)
    return path


def untouched(file) -> bool:
    """The old text is there, and nothing else in the folder."""
    return file.read_text(encoding="utf-8") == OLD and os.listdir(file.parent) == [file.name]


def test_content_and_permissions(file, tmp_path):
    safely.write(file, "new: ü\n")
    assert file.read_bytes() == "new: ü\n".encode() and file.stat().st_mode & 0o777 == 0o640
    safely.write(file, b"\x00\xff")
    assert file.read_bytes() == b"\x00\xff" and os.listdir(tmp_path) == [file.name]
    safely.write(tmp_path / "fresh", "")
    plain = tmp_path / "plain"
    plain.touch()
    assert (tmp_path / "fresh").stat().st_mode == plain.stat().st_mode


def test_a_link_stays_a_link(file, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(file.name)
    safely.write(link, "new")
    assert link.is_symlink() and file.read_text(encoding="utf-8") == "new"


def test_a_full_disk_leaves_the_old_file(file):
    """The system itself stops the writing midway: a limit on file sizes acts as a full disk."""
    code = f"import safely; safely.write({str(file)!r}, 'x' * 300_000)"
    limit = (100_000, resource.RLIM_INFINITY)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=TOOLS, capture_output=True, encoding="utf-8",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )  # fmt: skip
    assert done.returncode == 1 and "left as it was" in done.stderr and file.name in done.stderr
    assert untouched(file)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_an_interruption_leaves_the_old_file(file, monkeypatch, step, error):
    def stop(*_):
        raise error

    monkeypatch.setattr(os, step, stop)
    with pytest.raises(type(error)):
        safely.write(file, "new")
    assert untouched(file)


def test_of_several_files_none_is_changed_unless_all_can_be(file, tmp_path):
    with pytest.raises(OSError, match="left as it was"):
        safely.write_all({file: "new", tmp_path / "no such folder" / "b": "new"})
    assert untouched(file)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_read_only_files_are_not_replaced(file):
    file.chmod(0o440)
    with pytest.raises(PermissionError, match="left as it was"):
        safely.write(file, "new")
    assert untouched(file)


def test_what_a_killed_process_left_is_cleared(file):
    left = file.with_name(f".{file.name}.abc.part")
    left.write_text("half", encoding="utf-8")
    os.utime(left, (0, time.time() - 2 * safely.STALE))
    safely.write(file, OLD)
    assert untouched(file)


def test_a_notebook_that_is_not_valid_is_not_stored(file):
    bad = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    bad.cells[0].pop("outputs")
    with pytest.raises(nbformat.ValidationError):
        notebooks.store(bad, file)
    assert untouched(file)


def test_sources_are_written_through_safely():
    """No tool writes a file of the repository in place."""
    for name in ("execute", "export", "hero", "notebooks", "repository", "audit"):
        source = (TOOLS / f"{name}.py").read_text(encoding="utf-8")
        for bad in (".write_text(", ".write_bytes(", "nbformat.write(", '"w"'):
            assert bad not in source, f"tools/{name}.py: {bad}"


def test_one_waits_for_the_other(tmp_path):
    """The second says that it waits, and starts when the first has ended, even by a kill."""
    code = (
        "import sys, time, safely\n"
        "with safely.alone(sys.argv[1], 'waiting'):\n"
        "    print('in', flush=True); time.sleep(float(sys.argv[2]))"
    )

    def start(seconds):
        command = [sys.executable, "-c", code, str(tmp_path / "lock"), str(seconds)]
        return subprocess.Popen(command, cwd=TOOLS, stdout=subprocess.PIPE, encoding="utf-8")

    with start(60) as first:
        assert first.stdout.readline() == "in\n"
        with start(0) as second:
            assert second.stdout.readline() == "waiting\n"
            first.kill()
            assert second.communicate(timeout=120)[0] == "in\n"
