"""Keep the .venv that everything runs in: make it, follow the lock, mend it after a move.

    python tools/environment.py

It says nothing if all is as it should be. The file .venv/.ready tells where the environment was
made and for which requirements; it is written last, so an installation that was cut off is done
again. (Standard library only, for any Python 3: this may run before there is an environment.)
"""

import hashlib
import json
import os
import re
import subprocess
import sys

NEWEST_TOO_OLD = (3, 10)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REQUIREMENTS = ("requirements.lock", "pyproject.toml")


def digest(root):
    """A hash of all that says what is to be installed."""
    total = hashlib.sha256()
    for name in REQUIREMENTS:
        with open(os.path.join(root, name), "rb") as file:
            total.update(file.read())
    return total.hexdigest()


def known(home):
    """What .ready says: {"home": ..., "needs": ...}; empty if it is missing or older than that."""
    try:
        with open(os.path.join(home, ".ready"), encoding="utf-8") as file:
            return dict(json.load(file))
    except (OSError, ValueError):
        return {}


def made_at(home):
    """Where the environment was made, by its own settings; None if here, or if it is not known."""
    try:
        with open(os.path.join(home, "pyvenv.cfg"), encoding="utf-8") as file:
            lines = [line.partition("=") for line in file]
    except OSError:
        return None
    for name, _, value in lines:
        if name.strip() == "command":
            place = re.sub(r"^.* -m venv (--\S+ )*", "", value.strip())
            return None if os.path.realpath(place) == home else place
    return None


def works(python):
    """Whether a Python starts and has pip."""
    try:
        done = subprocess.run([python, "-c", "import pip"], stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return done.returncode == 0


def mend(home, old):
    """Rewrite the paths of an environment that was made at `old` and now lies at `home`."""
    folders = [home, os.path.join(home, "bin")]
    for folder, _, _ in os.walk(os.path.join(home, "share", "jupyter", "kernels")):
        folders.append(folder)
    for folder in folders:
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                content = file.read()
            if b"\0" not in content and old.encode() in content:
                rewrite(path, content, old, home)


def rewrite(path, content, old, home):
    """Replace the old place by the new one in a script or a settings file."""
    first, _, rest = content.partition(b"\n")
    python = os.path.join(home, "bin", "python")
    plain = b"#!" + os.path.join(old, "bin", "").encode()
    if first.startswith(plain) and (" " in python or len(python.encode()) > 120):
        # The first line of a script can hold neither blanks nor long paths: pip's way round it.
        first = b"#!/bin/sh\n'''exec' \"" + python.encode() + b'" "$0" "$@"\n\' \'\'\''
        content = first + b"\n" + rest
    content = content.replace(old.encode(), home.encode())
    new = path + ".part"
    with open(new, "wb") as file:
        file.write(content)
    os.chmod(new, os.stat(path).st_mode & 0o7777)
    os.replace(new, path)


def install(python, root):
    """Install what the lock names, and the course itself.

    Raises:
        SystemExit: pip failed, and has said why.
    """
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    course = ["--no-deps", "--no-build-isolation", "-e", "."]
    for arguments in (["--no-compile", "-r", "requirements.lock"], course):
        if subprocess.run(pip + arguments, cwd=root).returncode:
            sys.exit("pip failed, see above. Once its cause is gone, run the same command again.")


def prepare(root):
    """Bring the environment of the course at `root` up to date."""
    venv = os.path.join(root, ".venv")
    home = os.path.realpath(venv)
    python = os.path.join(home, "bin", "python")
    state = {"home": home, "needs": digest(root)}
    if os.path.islink(venv):
        if not works(python):
            sys.exit(f".venv is a link to {home}, where no Python works: remove the link")
        return  # it belongs to another checkout, which looks after it
    before = known(home)
    if before == state and os.path.exists(python):
        return
    if not works(python):
        if sys.version_info[:2] <= NEWEST_TOO_OLD:
            sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.x")
        print("Setting up .venv ...", flush=True)
        base = getattr(sys, "_base_executable", sys.executable)
        subprocess.run([base, "-m", "venv", "--clear", home], check=True)
    old = before.get("home") or made_at(home)
    if old and old != home:
        print("This folder has moved: mending its .venv, which was made in", old, flush=True)
        mend(home, old)
    install(python, root)
    with open(os.path.join(home, ".ready"), "w", encoding="utf-8") as file:
        json.dump(state, file)


def main():
    """Prepare the environment; two at once wait for each other."""
    from safely import alone

    try:
        os.makedirs(os.path.join(ROOT, "_build"), exist_ok=True)
        lock = os.path.join(ROOT, "_build", ".environment.lock")
        with alone(lock, "Another make is setting up .venv; waiting for it ..."):
            prepare(ROOT)
    except OSError as error:
        home = os.path.realpath(os.path.join(ROOT, ".venv"))
        if known(home) == {"home": home, "needs": digest(ROOT)}:
            return  # nothing to do, so a read-only folder is no hindrance
        sys.exit(f"The environment .venv could not be set up: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"The environment .venv could not be made: {error}")
    except KeyboardInterrupt:
        sys.exit("\nstopped; the same command goes on with it")


if __name__ == "__main__":
    main()
