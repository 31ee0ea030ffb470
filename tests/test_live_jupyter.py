"""The widget with a live kernel, in JupyterLab 4 and Notebook 7."""

import importlib.util
import os
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
CELLS = [
    "import torch\nfrom live import live_figure",
    "figure = live_figure(lambda z, alpha: torch.tanh(alpha * z), alpha=(0.1, 3.0, 1.0))\nfigure",
    "print(f'alpha is {figure.alpha:.2f}')",
    "figure.alpha = 2.5",
]


def python_with_jupyter() -> str:
    """A Python with JupyterLab and Notebook: this one, or this one plus a small environment.

    The course itself needs neither, so they are not among its requirements.
    """
    if all(importlib.util.find_spec(name) for name in ("jupyterlab", "notebook")):
        return sys.executable
    extra = ROOT / ".cache" / "jupyter"
    python = extra / "bin" / "python"
    if not (extra / "ready").exists():
        venv.create(extra, with_pip=True, clear=True)
        (folder,) = extra.glob("lib/python*/site-packages")
        (folder / "course.pth").write_text(sysconfig.get_path("purelib") + "\n")
        command = [python, "-m", "pip", "install", "--quiet", "jupyterlab>=4,<5", "notebook>=7,<8"]
        subprocess.run(command, check=True)
        (extra / "ready").touch()
    return str(python)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a Jupyter server with one notebook per front end."""
    python = python_with_jupyter()
    folder = tmp_path_factory.mktemp("jupyter")
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    nb.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    for name in ("lab", "notebook"):
        nbformat.write(nb, folder / f"{name}.ipynb")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    settings = {
        "PYTHONPATH": str(ROOT),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "run"),
        "JUPYTER_PATH": str(Path(sys.prefix) / "share" / "jupyter"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [
        python, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--ip=127.0.0.1",
        "--IdentityProvider.token=", "--ServerApp.allow_root=True", f"--notebook-dir={folder}",
        "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.expose_app_in_browser=True", "--ServerApp.disable_check_xsrf=True",
    ]  # fmt: skip
    log = (folder / "log").open("w")
    process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=2)
            break
        except OSError:
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            time.sleep(0.5)
    yield address
    process.terminate()
    process.wait(30)


def run_next_cell(page):
    page.keyboard.press("Shift+Enter")


@pytest.mark.parametrize("front", ["lab", "notebook"])
def test_slider_with_a_live_kernel(front, server, chromium):
    page = chromium.new_page(viewport={"width": 1300, "height": 1500})
    where = "lab/tree" if front == "lab" else "notebooks"
    page.goto(f"{server}/{where}/{front}.ipynb")
    cells = page.locator(".jp-Notebook .jp-Cell")
    cells.nth(3).wait_for(timeout=90_000)
    page.wait_for_selector("text=/Python 3.*Idle|Idle/", timeout=60_000, state="attached")
    cells.nth(0).click()
    page.keyboard.press("Escape")
    for _ in range(2):
        run_next_cell(page)
    slider = page.locator("[data-param=alpha]").first
    slider.wait_for(timeout=90_000)
    count, canvas = cells.count(), "() => document.querySelector('.live-panel canvas').toDataURL()"
    before = page.evaluate(canvas)
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("a")  # in command mode this would insert a cell
    page.wait_for_timeout(500)
    assert cells.count() == count
    assert float(slider.input_value()) == pytest.approx(1.2 if before else 0, abs=0.101)
    assert page.evaluate(canvas) != before
    shown = float(slider.input_value())
    # Python sees the new value ...
    cells.nth(2).locator(".jp-InputArea, .jp-Cell-inputArea").first.click()
    run_next_cell(page)
    page.get_by_text(f"alpha is {shown:.2f}", exact=True).wait_for(timeout=30_000)
    # ... and what Python sets moves the slider.
    cells.nth(3).locator(".jp-InputArea, .jp-Cell-inputArea").first.click()
    page.keyboard.press("Control+Enter")
    page.wait_for_function("document.querySelector('[data-param=alpha]').value == '2.5'")
    page.close()
