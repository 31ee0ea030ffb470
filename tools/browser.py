"""A real browser and a real server, for the tests and for `make audit`."""

import fcntl
import gzip
import mimetypes
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import lru_cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

# Milliseconds that tests wait in a browser: to end what hangs, not to judge. (Among mutants many
# hang: tools/mutants.py asks for fewer seconds.)
PATIENCE = 1000 * int(os.environ.get("BROWSER_PATIENCE", 300))
# How many times slower pages compute: what a test sees before it is there, it then sees always.
SLOWED = float(os.environ.get("BROWSER_SLOWED", 1))
# First those that have no window: a page in them takes a third of the computing.
NAMES = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
# Quiet: a browser that asks nobody for updates, and runs in a container too.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
COMPRESSED = {".html", ".css", ".js", ".mjs", ".json", ".svg", ".txt", ".ipynb", ".md"}


def runs(program: str | None) -> bool:
    """Say whether a browser starts at all: a stub, or one that lacks a library, does not."""
    if not program or not Path(program).exists():
        return False
    try:
        done = subprocess.run([program, "--version"], capture_output=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def on_the_path() -> str | None:
    """Return the first Chromium on the PATH that runs."""
    return next((path for path in map(shutil.which, NAMES) if runs(path)), None)


def playwrights_own() -> str | None:
    """Return playwright's own Chromium if it has been downloaded, and runs."""
    ask = "from playwright.sync_api import sync_playwright as s\nwith s() as p: "
    ask += "print(p.chromium.executable_path)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, encoding="utf-8")
    path = done.stdout.strip()
    return path if runs(path) else None


def download() -> str | None:
    """Let playwright download its Chromium."""
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    environment = os.environ | {"PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": "60000"}
    try:
        subprocess.run(command, env=environment, capture_output=True, timeout=1800)
    except subprocess.TimeoutExpired:
        return None
    return playwrights_own()


def from_debian() -> str | None:
    """Install Debian's package, where we may: the one without windows, if there is one."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return None
    subprocess.run(["apt-get", "update"], capture_output=True, timeout=1800)
    for package in ("chromium-headless-shell", "chromium"):
        command = ["apt-get", "install", "--yes", "--no-install-recommends", package]
        subprocess.run(command, capture_output=True, timeout=1800)
        if path := on_the_path():
            return path
    return None


@lru_cache
def find_chromium() -> str:
    """Find a Chromium, or get one.

    Returns:
        The path of a Chromium that starts: one on the PATH, else playwright's own, else Debian's
        package if we are root, else playwright's own, downloaded.

    Raises:
        RuntimeError: none was found and none could be had; says what to run.

    Example:
        >>> Path(find_chromium()).exists()
        True
    """
    # Two test processes may look at once; only one of them should install.
    with open(
        Path(tempfile.gettempdir()) / f"find-chromium-{os.geteuid()}.lock", "w", encoding="utf-8"
    ) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for find in (on_the_path, playwrights_own, from_debian, download):
            if path := find():
                return path
    raise RuntimeError(
        "the tests of the site need Chromium, and it could not be installed. Run\n"
        f"    {sys.executable} -m playwright install --with-deps chromium\n"
        "or install Chromium or Chrome so that it is on the PATH"
    )


@lru_cache(maxsize=512)
def compressed(path: str, modified: float) -> bytes:
    """Return the file's bytes, gzipped; remembered until the file changes."""
    return gzip.compress(Path(path).read_bytes(), 6, mtime=0)


def patient(browser):
    """Let all contexts and pages of playwright's `Browser` wait as long as `PATIENCE` says.

    And let their pages be as slow as `SLOWED` says.
    """

    def new_page(make):
        def made(**named):
            tab = make(**named)
            tab.set_default_timeout(PATIENCE)
            if SLOWED > 1:
                session = tab.context.new_cdp_session(tab)
                session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
            return tab

        return made

    def new_context(**named):
        context = make_context(**named)
        context.set_default_timeout(PATIENCE)
        context.new_page = new_page(context.new_page)
        return context

    make_context, browser.new_context = browser.new_context, new_context
    browser.new_page = new_page(browser.new_page)
    return browser


def wait_until(tab, condition) -> None:
    """Wait until a condition holds.

    Args:
        tab: playwright's `Page`; its events go on meanwhile.
        condition: a function without arguments.

    Raises:
        TimeoutError: the condition did not come to hold within `PATIENCE`.
    """
    give_up = time.monotonic() + PATIENCE / 1000
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError(f"waited {PATIENCE / 1000:.0f} s in vain")
        tab.wait_for_timeout(20)  # between two questions


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder as a good host does: compressed, over connections that stay open."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        """Answer with a file, gzipped where that helps."""
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        if not path.is_file():
            self.send_error(404)
            return
        gzipped = path.suffix in COMPRESSED and "gzip" in self.headers.get("Accept-Encoding", "")
        body = compressed(str(path), path.stat().st_mtime) if gzipped else path.read_bytes()
        self.send_response(200)
        kind = "text/javascript" if path.suffix == ".mjs" else mimetypes.guess_type(path)[0]
        text = kind in ("text/html", "text/css", "text/javascript", "text/plain")
        kind = f"{kind}; charset=utf-8" if text else kind or "application/octet-stream"
        self.send_header("Content-Type", kind)
        if gzipped:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Keep the tests' output clean."""

    def handle_one_request(self):
        """Do not mind a browser that closes a connection early."""
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


@contextmanager
def serve_folder(folder: str | Path):
    """Serve a folder on a free port of this machine while the block runs.

    Args:
        folder: the folder, for example `_build/html`.

    Yields:
        The address, without a slash at its end.

    Example:
        >>> from urllib.request import urlopen
        >>> with serve_folder(".") as address:
        ...     urlopen(f"{address}/README.md").status
        200
    """
    handler = partial(Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
