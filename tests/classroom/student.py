"""A student at a sheet's notebook, for the tests: fills it in, runs it, stops it, goes on."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from classroom import assign
from classroom.sheet import spec_named

SHEET = "temperature"  # the cheapest: some 2 seconds of CPU time
ARMS = len(spec_named(SHEET).arms())
CODE = """
import math
import numpy as np

def tempered_log_prob(z, temperature):
    spread = np.square(z).sum(axis=1) / (2 * temperature**2)
    return -spread - math.log(2 * math.pi * temperature**2)
"""
# What the Stop button does, once a number of runs are stored.
STOP = """
import os, signal
from experiments import engine

def stopping(path, data, write=engine.replace_whole):
    write(path, data)
    if len(list(path.parent.glob("*.json"))) == {after} and path.parent.name == "runs":
        os.kill(os.getpid(), signal.SIGINT)

engine.replace_whole = stopping
"""


def assigned(folder: Path):
    """Ada's notebook of an assignment, with predictions, a function and words filled in."""
    (folder / "roster.csv").write_text("student\nada\n", encoding="utf-8")
    out = folder / "assigned"
    assign.assign(SHEET, folder / "roster.csv", out, folder / "secret.txt")
    (path,) = out.glob("*.ipynb")
    found = nbformat.read(path, as_version=4)
    for cell in found.cells:
        if cell.id == "prediction":
            guess = "low=-9, best=0.1, high=9,\n    because='cool latents crowd in the middle'"
            cell.source = re.sub(r"low=.*?because=\"\.\.\.\"", guess, cell.source, flags=re.DOTALL)
            assert cell.source.count("crowd") == len(spec_named(SHEET).predictions)
        elif cell.id == "code":
            cell.source = CODE
        elif cell.source == assign.YOUR_WORDS:
            cell.source = "It falls from 0.12 to 0.03, and the seeds differ by 0.01."
    return found


def cell_of(notebook, name: str):
    """A cell by its id."""
    return next(cell for cell in notebook.cells if cell.id == name)


def said(notebook, name: str) -> str:
    """What a cell printed."""
    outputs = cell_of(notebook, name).outputs
    return "".join(output.text for output in outputs if output.get("name") == "stdout")


def in_jupyter(notebook, folder: Path) -> NotebookClient:
    """Opens a notebook in a folder."""
    return NotebookClient(
        notebook, timeout=600, startup_timeout=600, kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )  # fmt: skip


def run(notebook, folder, added=None, leave_out=(), stop_after=None, opened=in_jupyter, **settings):
    """Open a notebook in a folder, with a fresh kernel, and run it from top to bottom.

    Args:
        notebook: The notebook; its cells get their outputs.
        folder: Where its kernel runs.
        added: Id of a cell -> code of a new cell above it.
        leave_out: Ids of cells that are not run.
        stop_after: Runs after which the sweep is stopped; then the last cell is run, no other.
        opened: `(notebook, folder)` -> a client.
        **settings: For the start of the kernel.
    """
    folder.mkdir(exist_ok=True)
    added = dict(added or {})
    if stop_after is not None:
        added["run"] = STOP.format(after=stop_after)
    cells = []
    for cell in notebook.cells:
        if cell.id in added:
            cells.append(nbformat.v4.new_code_cell(added[cell.id]))
        if cell.id not in leave_out:
            cells.append(cell)
    client = opened(nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata), folder)
    if stop_after is None:
        client.execute(**settings)
        return
    with client.setup_kernel(**settings):
        for number, cell in enumerate(cells):
            if cell.id == "run":
                with pytest.raises(CellExecutionError, match="KeyboardInterrupt"):
                    client.execute_cell(cell, number)
                break
            client.execute_cell(cell, number)
        client.execute_cell(cell_of(notebook, "hand-in"), len(cells) - 1)


def stored(folder: Path) -> dict:
    """The files of the runs: name -> content, and when it was written."""
    found = folder.glob("*-results/runs/*.json")
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}
