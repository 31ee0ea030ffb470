"""The widget with a live kernel, in JupyterLab 4 and Notebook 7."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from browser import PATIENCE
from playwright.sync_api import TimeoutError
from samples import some_of, takes_long

ROOT = Path(__file__).resolve().parents[2]
CELLS = [
    "import torch\nfrom live import live_figure",
    "figure = live_figure(lambda z, alpha: torch.tanh(alpha * z), alpha=(0.1, 3.0, 1.0))\nfigure",
    "print(f'alpha is {figure.alpha:.2f}')",
    "figure.alpha = 2.5",
]
LAB = ["from lab.widget import flow_lab\nflow_lab()"]
NOTEBOOKS = {"lab": CELLS, "notebook": CELLS, "flow": LAB}
# Plugins that may lay a dialog over the page. The splash screen asks, after twelve seconds, whether
# to keep waiting: on a busy machine the first click then waits behind that question.
SILENT = [
    "@jupyterlab/apputils-extension:splash",
    "@jupyterlab/apputils-extension:announcements",
    "@jupyterlab/extensionmanager-extension:plugin",
]
# What dialogs there were all the same, for the message of a failing test.
NOTE_DIALOGS = """
window.dialogs = [];
new MutationObserver(() => {
  for (const dialog of document.querySelectorAll(".jp-Dialog")) {
    const text = dialog.innerText;
    if (text && !window.dialogs.includes(text)) window.dialogs.push(text);
  }
}).observe(document, { childList: true, subtree: true });
"""

KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"


def keep_quiet(config: Path) -> None:
    """Settings for a Jupyter that asks nothing and saves nothing by itself."""
    page = config / "labconfig" / "page_config.json"
    saving = config / "lab" / "user-settings" / "@jupyterlab" / "docmanager-extension"
    for folder in (page.parent, saving):
        folder.mkdir(parents=True)
    page.write_text(
        json.dumps({"disabledExtensions": dict.fromkeys(SILENT, True)}), encoding="utf-8"
    )
    (saving / "plugin.jupyterlab-settings").write_text(
        json.dumps({"autosave": False}), encoding="utf-8"
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a Jupyter server with one notebook per front end, and one with the Flow Lab."""
    folder = tmp_path_factory.mktemp("jupyter")
    keep_quiet(folder / "config")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for name, cells in NOTEBOOKS.items():
        nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        nb.metadata["kernelspec"] = kernel
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
        "--MappingKernelManager.kernel_info_timeout=600", "--KernelManager.shutdown_wait_time=60",
    ]  # fmt: skip
    log = (folder / "log").open("w", encoding="utf-8")
    process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    give_up = time.monotonic() + PATIENCE / 1000
    while True:
        try:
            urllib.request.urlopen(f"{address}/api", timeout=PATIENCE / 1000)
            break
        except OSError:
            told = (folder / "log").read_text(encoding="utf-8")[-2000:]
            assert process.poll() is None and time.monotonic() < give_up, told
            time.sleep(0.1)  # between two questions
    yield address
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()


def run_cell(page, number: int) -> None:
    """Run a cell, and wait until it has run.

    A front end that is still busy with its kernel may lose the key: then it is pressed again. One
    that still loads makes its cells anew: so they are looked for each time.
    """
    prompt = page.locator(".jp-Notebook .jp-Cell").nth(number).locator(".jp-InputPrompt").first
    cell = "document.querySelectorAll('.jp-Notebook .jp-Cell')[k]"
    shown = f"{cell}?.querySelector('.jp-InputPrompt').textContent ?? '[ ]:'"
    give_up = time.monotonic() + PATIENCE / 1000
    while True:
        try:
            prompt.click(timeout=5000)
            page.keyboard.press("Control+Enter")
            page.wait_for_function(f"(k) => ({shown}) !== '[ ]:'", arg=number, timeout=5000)
            break
        except TimeoutError:
            told = f"cell {number} does not start; dialogs: {page.evaluate('window.dialogs')}"
            assert time.monotonic() < give_up, told
    page.wait_for_function(f"(k) => /\\[\\d+\\]/.test({shown})", arg=number)


def open_notebook(chromium, address):
    page = chromium.new_page(viewport={"width": 1300, "height": 1500})
    page.add_init_script(NOTE_DIALOGS)
    page.goto(address)
    if "/lab/" in address:  # a cell that runs before there is a kernel makes JupyterLab ask for one
        page.wait_for_function(f"{KERNEL}?.status === 'idle'")
    return page, page.locator(".jp-Notebook .jp-Cell")


# Notebook 7 is made of JupyterLab's parts, with the same extension for widgets: the Lab will do.
@pytest.mark.parametrize("front", some_of(["lab", "notebook"], ["lab"]))
def test_slider_with_a_live_kernel(front, server, chromium):
    # (A workspace of its own: another one's notebooks would be opened again.)
    where = "lab/workspaces/own/tree" if front == "lab" else "notebooks"
    page, cells = open_notebook(chromium, f"{server}/{where}/{front}.ipynb")
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
    assert page.evaluate("window.dialogs") == []
    page.close()


@takes_long  # it comes to its cell as the figure above does; what it does is in tests/lab
def test_the_flow_lab_with_a_live_kernel(server, chromium):
    """It is drawn below its cell, and trains there in a worker; its keys are its own."""
    page, cells = open_notebook(chromium, f"{server}/lab/workspaces/flow/tree/flow.ipynb")
    cells.first.wait_for()
    run_cell(page, 0)
    page.locator(".lab .lab-main").wait_for()
    count, lab = cells.count(), "document.querySelector('.jp-OutputArea .lab').lab"
    page.evaluate(f"{lab}.take('layers=2&width=8&steps=500&batch=64&rate=0.01'); {lab}.fresh()")
    page.wait_for_function(f"{lab}.ready && {lab}.first.shown !== null")
    page.get_by_role("button", name="Train", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"{lab}.first.finished && {lab}.first.held.at(-1)?.[0] === 500")
    assert page.evaluate(f"!!{lab}.first.host.worker")
    held = page.evaluate(f"{lab}.first.held.map((h) => h[1])")
    assert held[-1] < held[0] - 0.5 and "Step 500 of 500" in page.inner_text(".lab-status")
    page.keyboard.press("a")  # in command mode this would insert a cell
    page.locator(".lab-density canvas").focus()
    before = page.evaluate(f"{lab}.model.get('px')")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(f"{lab}.model.get('px')") < before and cells.count() == count
    assert page.evaluate("window.dialogs") == []
    page.close()
