"""Build the site into _build/html: `make book`.

    python tools/book.py             build it, unless it is there and up to date
    python tools/book.py --status    only say whether it is
    python tools/book.py --publish   refuse if it is not fit to be published

The site is built in a folder of its own, and takes the place of the old one when it is whole: a
build that fails or is cut off leaves the old site as it was, and pages of chapters that are gone
leave with it. Beside the site, _build/site.json says what it was built from and what it should
hold. If either differs the site is built again, so a failed build stays failed until it succeeds.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import repository
import safely

ROOT = Path(__file__).resolve().parents[1]
NOT_SOURCES = {"tests", "benchmarks", "node_modules", "__pycache__"}
SUFFIXES = {".py", ".md", ".yml", ".bib", ".json", ".lock"}  # of files at the top
ROOM = 300e6  # bytes that a build needs on the disk

NOWHERE = (
    "Its links to Colab and GitHub lead nowhere: the repository's address is still a placeholder. "
    "Set yours with\n    make repository URL=https://github.com/owner/name"
)

# jupyter-book cannot be started as `python -m`; its script holds the path where it was installed.
JUPYTER_BOOK = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]


def sources(root: Path = ROOT) -> list[Path]:
    """The files that the site depends on: all but tests and what is hidden or generated."""
    found = [path for path in root.iterdir() if path.suffix in SUFFIXES and path.is_file()]
    for top in root.iterdir():
        if not top.is_dir() or top.name[0] in "._" or top.name.endswith(".egg-info"):
            continue
        if top.name in NOT_SOURCES:
            continue
        for folder, folders, files in os.walk(top):
            folders[:] = [f for f in folders if f[0] != "." and f not in NOT_SOURCES]
            found += [Path(folder) / name for name in files if name[0] != "."]
    return sorted(found)


def digest(files: list[Path], base: Path) -> str:
    """A hash of files: their names, seen from `base`, and what they hold."""
    total = hashlib.blake2b(digest_size=16)
    for path in files:
        content = path.read_bytes()
        total.update(f"{path.relative_to(base).as_posix()}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def state(root: Path = ROOT) -> dict[str, str]:
    """What a site built now would be built from, and what lies in _build/html."""
    site = root / "_build" / "html"
    built = sorted(path for path in site.rglob("*") if path.is_file())
    return {
        "sources": digest(sources(root), root) + f" python {sys.version.split()[0]}",
        "site": digest(built, site) if (site / "index.html").exists() else "none",
    }


def why_not_current(root: Path = ROOT) -> str:
    """Why the site has to be built; nothing if it is up to date."""
    now = state(root)
    if now["site"] == "none":
        return "there is none"
    try:
        built = json.loads((root / "_build" / "site.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "it is not known from what the one that is there was built"
    if built.get("site") != now["site"]:
        return "its files are not those that were built"
    return "" if built == now else "its sources have changed"


def build(root: Path = ROOT) -> None:
    """Build the site, and put it in the place of the old one.

    Raises:
        SystemExit: the build failed, or it gave warnings; the old site is as it was.
    """
    for left in (root / "_build").glob("unfinished-*"):  # by a build that was killed
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix="unfinished-", dir=root / "_build"))
    try:
        made_from = state(root)["sources"]
        arguments = ["build", ".", "-W", "-n", "--keep-going", "-q", "--path-output", str(work)]
        told = (work / "told.txt").open("w+", encoding="utf-8", errors="replace")
        with told:
            # Ctrl-C is for this process, which then stops that one.
            deaf = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
            command = [*JUPYTER_BOOK, *arguments]
            done = subprocess.run(command, cwd=root, stdout=told, preexec_fn=deaf)
            new = work / "_build" / "html"
            if done.returncode or not (new / "index.html").exists():
                told.seek(0)
                raise SystemExit(told.read() + failure(root))
        put_in_place(new, root / "_build")
        stamp = {"sources": made_from, "site": state(root)["site"]}
        safely.write(root / "_build" / "site.json", json.dumps(stamp) + "\n")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def put_in_place(new: Path, folder: Path) -> None:
    """Make a built folder the site, and clear away what older builds have left."""
    old = new.parent / "old"
    with contextlib.suppress(FileNotFoundError):
        (folder / "html").rename(old)
    new.rename(folder / "html")
    for left in ("jupyter_execute", ".doctrees"):
        shutil.rmtree(folder / left, ignore_errors=True)


def failure(root: Path) -> str:
    """What to tell of a failed build."""
    told = "The site was NOT built. What it lacks is named here; a warning counts as an error."
    free = shutil.disk_usage(root).free
    if free < ROOM:
        told += f"\nThere may be too little room: {free / 1e6:.0f} MB are free on this disk."
    if (root / "_build" / "html" / "index.html").exists():
        told += "\nThe site that is in _build/html is older than its sources."
    return told


def main(arguments: list[str], root: Path = ROOT) -> None:
    """Build the site if need be; two builds at once wait for each other."""
    why = why_not_current(root)
    if "--status" in arguments:
        raise SystemExit(f"The site has to be built: {why}" if why else 0)
    if "--publish" in arguments:
        if repository.is_placeholder(root):
            raise SystemExit(f"The site must not be published. {NOWHERE}")
        raise SystemExit(f"The site has to be built first: {why}" if why else 0)
    if not why:
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; the site is as it was before"))
    lock, waiting = root / "_build" / ".lock", "Another build is running; waiting for it ..."
    try:
        lock.parent.mkdir(exist_ok=True)
        with safely.alone(lock, waiting):
            if why := why_not_current(root):
                print(f"Building the site: {why}. It takes about half a minute ...", flush=True)
                build(root)
                if repository.is_placeholder(root):
                    print(f"Only for you to read, not to publish. {NOWHERE}", flush=True)
    except KeyboardInterrupt:
        raise SystemExit("\nstopped; the site is as it was before") from None
    except OSError as error:
        raise SystemExit(f"{failure(root)}\n{error}") from None


if __name__ == "__main__":
    main(sys.argv[1:])
