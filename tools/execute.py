"""Run notebooks from top to bottom and store their outputs, the same way each time.

    python tools/execute.py                        every chapter
    python tools/execute.py chapters/4_realnvp.ipynb

What would differ from run to run for no good reason is taken out, so that a change in a
committed notebook is a change in the course: timings, random ids, saved state of sliders.
"""

import json
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from notebooks import ROOT, chapters, has_tag, stable_ids, store

import gen_models_utilities as gmu
from live.figure.reference import SWITCH

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}
# Tiny networks: more threads only cost time, and sums in another order give other digits.
ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "PYTHONHASHSEED": "0",
    gmu.FOR_THE_SITE: "1",  # static figures have a version for the dark
    SWITCH: "1",  # live figures say what torch computes for them: tests hold the pages against it
    **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")},
}


def run(notebook, path: Path, environment=None, timeout: int = 600):
    """Execute a notebook in place, in the folder of `path`.

    Args:
        notebook: the notebook, as nbformat reads it.
        path: where it lies; its folder is the working directory of the run.
        environment: more variables for the kernel.
        timeout: seconds that one cell, or the start of the kernel, may take.

    Returns:
        The same notebook, with outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed; the message shows it.
    """
    inherited = os.environ.get("PYTHONPATH")
    variables = {**os.environ, **ENVIRONMENT, **(environment or {})}
    if inherited:
        variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), inherited])
    client = NotebookClient(
        notebook,
        timeout=timeout,
        startup_timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    # Else nbclient answers what a slider's output widget shows on the socket on which it waits for
    # the cell's reply, and now and then misses that reply until the timeout. We store neither.
    client.widget_registry = {}
    client.execute(env=variables)
    return notebook


def merge_streams(outputs: list) -> list:
    """Join neighbouring prints: how they were cut into messages is chance."""
    merged = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def keep_live_figures(notebook, stem: str) -> None:
    """Keep the saved state of live figures only, under ids that do not change.

    A live figure is an anywidget: the page mounts it from this state, with no kernel.
    The sliders of `interactive` cells need a kernel, so their state is dropped.
    """
    saved = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    names = {}  # the random id of each model that stays -> its stable name

    def keep(model: str, name: str) -> None:
        if model not in saved or model in names:
            return
        names[model] = name
        for key, value in sorted(saved[model]["state"].items()):
            for child in re.findall(r'"IPY_MODEL_([\w-]+)"', json.dumps(value)):
                keep(child, f"{name}-{key.strip('_')}")

    figures = 0
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            view = output.get("data", {}).get(WIDGET_VIEW)
            model = saved.get(view["model_id"], {}) if view else {}
            if model.get("model_module") == "anywidget" and view["model_id"] not in names:
                figures += 1
                keep(view["model_id"], f"{stem}-fig-{figures}")

            if view and view["model_id"] not in names and "text/html" in output.data:
                del output.data[WIDGET_VIEW]  # of a quiz: what needs no kernel stands beside it

    state = {names[model]: saved[model] for model in names}
    text = json.dumps([state, [cell.get("outputs", []) for cell in notebook.cells]])
    for model, name in names.items():
        text = text.replace(model, name)
    state, outputs = json.loads(text)
    for cell, new in zip(notebook.cells, outputs, strict=True):
        if cell.cell_type == "code":
            cell.outputs = [nbformat.from_dict(output) for output in new]
    notebook.metadata.pop("widgets", None)
    if state:
        notebook.metadata["widgets"] = {
            WIDGET_STATE: {"state": state, "version_major": 2, "version_minor": 0}
        }


def normalise(notebook, stem: str) -> None:
    """Take out of an executed notebook all that differs from run to run."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [] if has_tag(cell, "interactive") else merge_streams(cell.outputs)
    keep_live_figures(notebook, stem)
    stable_ids(notebook)
    widgets = notebook.metadata.get("widgets")
    notebook.metadata = nbformat.from_dict(METADATA | ({"widgets": widgets} if widgets else {}))
    notebook.nbformat, notebook.nbformat_minor = 4, 5


def execute(path: Path) -> float:
    """Run one notebook file, store its outputs, and return the seconds it took."""
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    run(notebook, path)
    seconds = time.perf_counter() - start
    normalise(notebook, path.stem)
    store(notebook, path)
    return seconds


if __name__ == "__main__":
    for chapter in [Path(name) for name in sys.argv[1:]] or chapters():
        print(f"{execute(chapter):6.1f} s  {chapter.name}", flush=True)
