"""What stands in _build/html is a whole site, built from the sources that are there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import book
import environment
import pytest

TOOLS = Path(book.__file__).parent

# Stands for Jupyter Book: a page per chapter; BAD in a source is a warning, SLOW takes its time.
BUILDER = """
import pathlib, sys, time
out = pathlib.Path(sys.argv[sys.argv.index("--path-output") + 1]) / "_build" / "html"
out.mkdir(parents=True)
(out.parent / ".doctrees").mkdir()
bad = False
for source in sorted(pathlib.Path("chapters").iterdir()):
    text = source.read_text(encoding="utf-8")
    (out / f"{source.stem}.html").write_text(text, encoding="utf-8")
    if "SLOW" in text:
        time.sleep(60)
    if "BAD" in text:
        print(f"{source}: WARNING: bad", file=sys.stderr)
        bad = True
(out / "index.html").write_text("index", encoding="utf-8")
sys.exit(bad)
"""


@pytest.fixture(params=["plain", "a folder, ä 'and\" more"])
def root(tmp_path, request, monkeypatch):
    """A small course, its builder replaced by a quick one."""
    root = tmp_path / request.param
    (root / "chapters").mkdir(parents=True)
    (root / "tests").mkdir()
    for name in ("_config.yml", "_toc.yml", "requirements.lock", "tests/test_a.py"):
        (root / name).write_text("", encoding="utf-8")
    for name in ("1_a", "2_b"):
        (root / "chapters" / f"{name}.ipynb").write_text(f"text of {name}", encoding="utf-8")
    (tmp_path / "builder.py").write_text(BUILDER, encoding="utf-8")
    monkeypatch.setattr(book, "JUPYTER_BOOK", [sys.executable, str(tmp_path / "builder.py")])
    return root


def make(root, capfd) -> tuple[int, str]:
    """Exit status of a build, and what it said."""
    code = 0
    try:
        book.main([], root)
    except SystemExit as stopped:
        code = stopped.code
    told = "".join(capfd.readouterr())
    return (1, told + code) if isinstance(code, str) else (code, told)


def pages(root) -> set[str]:
    return {path.stem for path in (root / "_build" / "html").iterdir()}


def change(root, text, name="1_a"):
    (root / "chapters" / f"{name}.ipynb").write_text(text, encoding="utf-8")


def test_the_second_time_nothing_is_done(root, capfd):
    code, told = make(root, capfd)
    assert code == 0 and "there is none" in told and pages(root) == {"index", "1_a", "2_b"}
    before = (root / "_build" / "html").stat()
    assert make(root, capfd) == (0, "")
    assert (root / "_build" / "html").stat().st_ino == before.st_ino
    left = sorted(os.listdir(root / "_build"))
    assert left == [".lock", "html", "site.json"], "nothing but the site stays"


@pytest.mark.parametrize(("owner", "warned"), [("example", True), ("you", False)])
def test_a_site_with_a_placeholder_for_its_address_is_built_with_a_warning(
    root, capfd, owner, warned
):
    settings = f"repository:\n  url: https://github.com/{owner}/course\n"
    (root / "_config.yml").write_text(settings, encoding="utf-8")
    code, told = make(root, capfd)
    assert code == 0 and pages(root) >= {"1_a", "2_b"}
    for words in ("not to publish", "placeholder", "make repository URL="):
        assert (words in told) == warned, told
    assert make(root, capfd) == (0, ""), "said once, when it is built"


def test_a_failed_build_stays_failed(root, capfd):
    make(root, capfd)
    change(root, "BAD")
    for _ in range(2):
        code, told = make(root, capfd)
        assert code == 1 and "NOT built" in told and "1_a.ipynb: WARNING: bad" in told
        assert (root / "_build/html/1_a.html").read_text(encoding="utf-8") == "text of 1_a"
        assert "older than its sources" in told
    assert not list((root / "_build").glob("unfinished*"))
    change(root, "good again")
    assert make(root, capfd)[0] == 0
    assert (root / "_build/html/1_a.html").read_text(encoding="utf-8") == "good again"


def test_a_first_build_that_fails_leaves_no_site(root, capfd):
    change(root, "BAD")
    assert make(root, capfd)[0] == 1 and make(root, capfd)[0] == 1
    assert not (root / "_build" / "html").exists()


def test_what_the_site_depends_on(root, capfd):
    make(root, capfd)
    for name in ("_toc.yml", "requirements.lock", "chapters/1_a.ipynb", "new.md", "theme/new.css"):
        (root / name).parent.mkdir(exist_ok=True)
        with (root / name).open("a", encoding="utf-8") as file:
            file.write(" ")
        code, told = make(root, capfd)
        assert code == 0 and "its sources have changed" in told, name
    for name in ("tests/test_a.py", ".hidden/x", "theme/__pycache__/x.pyc", "benchmarks/x.md"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x", encoding="utf-8")
        assert make(root, capfd) == (0, ""), name
    os.utime(root / "_toc.yml")
    assert make(root, capfd) == (0, ""), "times do not matter, contents do"


def test_pages_of_chapters_that_left_leave_too(root, capfd):
    make(root, capfd)
    (root / "chapters/2_b.ipynb").rename(root / "chapters/2_c.ipynb")
    assert make(root, capfd)[0] == 0 and pages(root) == {"index", "1_a", "2_c"}
    (root / "chapters/2_c.ipynb").unlink()
    assert make(root, capfd)[0] == 0 and pages(root) == {"index", "1_a"}


@pytest.mark.parametrize("damage", ["cut", "empty", "delete", "index", "add", "stamp", "old"])
def test_a_site_that_is_not_as_it_was_built_is_built_again(root, capfd, damage):
    make(root, capfd)
    site = root / "_build" / "html"
    page = site / "1_a.html"
    if damage in ("cut", "empty"):
        page.write_text("te" if damage == "cut" else "", encoding="utf-8")
    elif damage in ("delete", "index"):
        (page if damage == "delete" else site / "index.html").unlink()
    elif damage == "add":
        (site / "3_old.html").write_text("old", encoding="utf-8")
    else:
        (root / "_build" / "site.json").unlink()
    if damage == "old":  # as versions before this one left it
        for name in (".doctrees", "jupyter_execute"):
            (root / "_build" / name).mkdir()
    code, told = make(root, capfd)
    assert code == 0 and "Building" in told
    assert page.read_text(encoding="utf-8") == "text of 1_a"
    assert pages(root) == {"index", "1_a", "2_b"}
    assert sorted(os.listdir(root / "_build")) == [".lock", "html", "site.json"]


def start(root):
    """A build in a process of its own, with the quick builder."""
    code = (
        "import pathlib, sys, book\n"
        "root = pathlib.Path(sys.argv[1])\n"
        "book.JUPYTER_BOOK = [sys.executable, sys.argv[2]]\n"
        "book.main([], root)"
    )
    command = [sys.executable, "-c", code, str(root), str(root.parent / "builder.py")]
    return subprocess.Popen(
        command, cwd=TOOLS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
        start_new_session=True,
    )  # fmt: skip


def wait_for(folder, pattern):
    end = time.monotonic() + 120
    while not list(folder.glob(pattern)):
        assert time.monotonic() < end, f"{pattern} does not appear"
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_build_that_is_stopped_leaves_the_old_site(root, capfd, how):
    make(root, capfd)
    change(root, "SLOW")
    process = start(root)
    wait_for(root / "_build", "unfinished-*/_build/html/1_a.html")
    os.killpg(process.pid, how)
    told = process.communicate(timeout=120)[0]
    assert process.returncode != 0
    if how != signal.SIGKILL:
        assert "the site is as it was before" in told and "Traceback" not in told
        assert not list((root / "_build").glob("unfinished*"))
    assert (root / "_build/html/1_a.html").read_text(encoding="utf-8") == "text of 1_a"
    change(root, "new")
    assert make(root, capfd)[0] == 0
    assert (root / "_build/html/1_a.html").read_text(encoding="utf-8") == "new"
    assert not list((root / "_build").glob("unfinished*"))


def test_a_build_stopped_while_it_takes_the_place_is_done_again(root, capfd, monkeypatch):
    make(root, capfd)
    change(root, "new")
    monkeypatch.setattr(book.safely, "write", lambda *_: sys.exit("stopped"))
    assert make(root, capfd)[0] == 1
    assert book.why_not_current(root)


def test_two_builds_at_once(root):
    with start(root) as one, start(root) as two:
        told = [process.communicate(timeout=120)[0] for process in (one, two)]
    assert [one.returncode, two.returncode] == [0, 0], told
    assert "".join(told).count("Building") == 1, "the second finds it done"
    assert pages(root) == {"index", "1_a", "2_b"} and not book.why_not_current(root)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(root, capfd):
    make(root, capfd)
    shutil.rmtree(root / "_build")
    root.chmod(0o555)
    try:
        code, told = make(root, capfd)
    finally:
        root.chmod(0o755)
    assert code == 1 and "NOT built" in told and "Permission denied" in told


def test_a_folder_that_cannot_be_written_says_so(root, capfd):
    """Also for root, whom permissions do not stop: a file stands where the folder should be."""
    (root / "_build").write_text("", encoding="utf-8")
    code, told = make(root, capfd)
    assert code == 1 and "NOT built" in told and "_build" in told


def test_a_full_disk_is_named(root, capfd, monkeypatch):
    change(root, "BAD")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 8, 1e6))
    assert "1 MB are free" in make(root, capfd)[1]


class TestEnvironment:
    """The .venv moves with its folder."""

    @pytest.fixture
    def moved(self, tmp_path):
        """(new place, old place) of an environment that was made and then moved."""
        base = tmp_path
        old, new = base / "old" / ".venv", base / "a new ä place" / ".venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(old)], check=True)
        tool = old / "bin" / "tool"
        tool.write_text(f"#!{old}/bin/python\nimport sys\nprint(sys.prefix)\n", encoding="utf-8")
        tool.chmod(0o755)
        (old / "bin" / "binary").write_bytes(b"\x7fELF\0" + str(old).encode())
        new.parent.mkdir()
        old.rename(new)
        return new, old

    def test_it_knows_where_it_was_made(self, moved):
        new, old = moved
        assert environment.made_at(str(new)) == str(old)

    def test_its_scripts_work_again(self, moved):
        new, old = moved
        with pytest.raises(OSError):
            subprocess.run([new / "bin" / "tool"])
        environment.mend(str(new), str(old))
        command = [new / "bin" / "tool"]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
        assert done.stdout.strip() == str(new)
        ask = f'. "{new}/bin/activate" && echo "$VIRTUAL_ENV"'
        done = subprocess.run(["sh", "-c", ask], capture_output=True, encoding="utf-8")
        assert done.stdout.strip() == str(new)
        assert environment.made_at(str(new)) is None
        assert (new / "bin" / "binary").read_bytes() == b"\x7fELF\0" + str(old).encode()

    @pytest.fixture
    def course(self, tmp_path, monkeypatch):
        """A folder with an environment, and a record of what would be installed."""
        for name in environment.REQUIREMENTS:
            (tmp_path / name).write_text(name, encoding="utf-8")
        (tmp_path / ".venv" / "bin").mkdir(parents=True)
        (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
        done = []
        monkeypatch.setattr(environment, "install", lambda *_: done.append("installed"))
        monkeypatch.setattr(environment, "works", os.path.exists)
        return tmp_path, done

    def test_it_is_set_up_once(self, course):
        root, done = course
        environment.prepare(str(root))
        environment.prepare(str(root))
        assert done == ["installed"]
        (root / "requirements.lock").write_text("other", encoding="utf-8")
        environment.prepare(str(root))
        assert done == ["installed"] * 2

    def test_an_installation_that_was_cut_off_is_done_again(self, course, monkeypatch):
        root, done = course
        with monkeypatch.context() as patch:
            patch.setattr(environment, "install", lambda *_: sys.exit("pip failed"))
            with pytest.raises(SystemExit):
                environment.prepare(str(root))
        environment.prepare(str(root))
        assert done == ["installed"]

    def test_a_move_is_noticed_and_said(self, course, capsys):
        root, done = course
        environment.prepare(str(root))
        new = root / "moved"
        new.mkdir()
        for name in (".venv", *environment.REQUIREMENTS):
            (root / name).rename(new / name)
        environment.prepare(str(new))
        assert done == ["installed"] * 2 and "has moved" in capsys.readouterr().out
        known = json.loads((new / ".venv" / ".ready").read_text(encoding="utf-8"))
        assert known["home"] == str(new / ".venv")

    def test_a_borrowed_environment_is_left_alone(self, course):
        root, done = course
        (root / "copy").mkdir()
        for name in environment.REQUIREMENTS:
            shutil.copy(root / name, root / "copy" / name)
        (root / "copy" / ".venv").symlink_to(root / ".venv")
        environment.prepare(str(root / "copy"))
        assert not done and not (root / ".venv" / ".ready").exists()
