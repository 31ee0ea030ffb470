"""The widget with a live kernel, in JupyterLab 4 and Notebook 7."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
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


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a Jupyter server with one notebook per front end."""
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
        sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--ip=127.0.0.1",
        "--IdentityProvider.token=", "--ServerApp.allow_root=True", f"--notebook-dir={folder}",
        "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.expose_app_in_browser=True", "--ServerApp.disable_check_xsrf=True",
    ]  # fmt: skip
    log = (folder / "log").open("w", encoding="utf-8")
    process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=2)
            break
        except OSError:
            assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")[-2000:]
            time.sleep(0.5)
    yield address
    process.terminate()
    process.wait(30)


def run_cell(page, number: int) -> None:
    """Run a cell, and wait until it has run.

    A front end that is still busy with its kernel may lose the key: then it is pressed again.
    """
    prompt = page.locator(".jp-Notebook .jp-Cell").nth(number).locator(".jp-InputPrompt").first
    for _ in range(12):
        prompt.click()
        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(1000)
        if prompt.text_content() != "[ ]:":
            break
    else:
        pytest.fail(f"cell {number} does not start: {page.locator('body').inner_text()[:2000]}")
    ran = "(e) => /\\[\\d+\\]/.test(e.textContent)"
    page.wait_for_function(ran, arg=prompt.element_handle(), timeout=180_000)


@pytest.mark.parametrize("front", ["lab", "notebook"])
def test_slider_with_a_live_kernel(front, server, chromium):
    page = chromium.new_page(viewport={"width": 1300, "height": 1500})
    page.set_default_timeout(120_000)
    where = "lab/tree" if front == "lab" else "notebooks"
    page.goto(f"{server}/{where}/{front}.ipynb")
    cells = page.locator(".jp-Notebook .jp-Cell")
    cells.nth(3).wait_for()
    for number in (0, 1):
        run_cell(page, number)
    slider = page.locator("[data-param=alpha]").first
    slider.wait_for()
    count, canvas = cells.count(), "() => document.querySelector('.live-panel canvas').toDataURL()"
    before = page.evaluate(canvas)
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("a")  # in command mode this would insert a cell
    changed = "(before) => document.querySelector('.live-panel canvas').toDataURL() !== before"
    page.wait_for_function(changed, arg=before)
    assert cells.count() == count
    shown = float(slider.input_value())
    assert shown == pytest.approx(1.0 + 4 * 0.05)  # four steps
    # Python sees the new value ...
    run_cell(page, 2)
    page.get_by_text(f"alpha is {shown:.2f}", exact=True).wait_for()
    # ... and what Python sets moves the slider.
    run_cell(page, 3)
    page.wait_for_function("document.querySelector('[data-param=alpha]').value == '2.5'")
    page.close()
