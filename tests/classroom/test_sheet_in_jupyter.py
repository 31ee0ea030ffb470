"""A sheet as a student does it: its notebook, run from top to bottom, stopped, and gone on with."""

import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from classroom import assign
from classroom.sheet import read_hand_in, spec_named

SHEET = "temperature"  # the cheapest: some 2 seconds of CPU time
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


@pytest.fixture
def notebook(tmp_path):
    """Ada's notebook of an assignment, with predictions, a function and words filled in."""
    (tmp_path / "roster.csv").write_text("student\nada\n", encoding="utf-8")
    out = tmp_path / "assigned"
    assign.assign(SHEET, tmp_path / "roster.csv", out, tmp_path / "secret.txt")
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
    return next(cell for cell in notebook.cells if cell.id == name)


def said(notebook, name: str) -> str:
    """What a cell printed."""
    outputs = cell_of(notebook, name).outputs
    return "".join(output.text for output in outputs if output.get("name") == "stdout")


def run(notebook, folder, before="", stop_after: int | None = None, leave_out=()) -> None:
    """Open the notebook in a folder, with a fresh kernel, and run it from top to bottom.

    Args:
        notebook: The notebook; it gets its outputs.
        folder: Where its kernel runs.
        before: Code that the student adds in a new cell above the sweep.
        leave_out: Ids of cells that the student does not run.
        stop_after: Runs after which the student stops the sweep, and runs the last cell only.
    """
    folder.mkdir(exist_ok=True)
    extra = {"run": before} if before else {}
    if stop_after is not None:
        extra["run"] = STOP.format(after=stop_after)
    cells = []
    for cell in notebook.cells:
        if cell.id in extra:
            cells.append(nbformat.v4.new_code_cell(extra[cell.id]))
        if cell.id not in leave_out:
            cells.append(cell)
    whole = nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)
    client = NotebookClient(
        whole, timeout=600, startup_timeout=600, kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )  # fmt: skip
    if stop_after is None:
        client.execute()
        return
    with client.setup_kernel():
        for number, cell in enumerate(cells):
            if cell.id == "run":
                with pytest.raises(CellExecutionError, match="KeyboardInterrupt"):
                    client.execute_cell(cell, number)
                break
            client.execute_cell(cell, number)
        client.execute_cell(cell_of(notebook, "hand-in"), len(cells) - 1)


def stored(folder) -> dict:
    """The files of the runs: name -> content, and when it was written."""
    found = folder.glob("*-results/runs/*.json")
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def test_a_student_stops_goes_on_and_moves_to_another_machine(notebook, tmp_path):
    arms = len(spec_named(SHEET).arms())
    here, there = tmp_path / "here", tmp_path / "there"
    run(notebook, here, stop_after=2)
    before = stored(here)
    assert len(before) == 2
    assert f"something is missing: ['{arms - 2} runs']" in said(notebook, "hand-in")
    there.mkdir()
    nbformat.write(notebook, there / "my sheet.ipynb")

    # The same folder (or Drive), a new kernel: it goes on, and nothing is done twice.
    run(notebook, here)
    after = stored(here)
    assert len(after) == arms and before.items() <= after.items()
    assert said(notebook, "prediction").count(" stands: ") == 2
    assert f"All {arms} runs are stored" in said(notebook, "run")
    assert said(notebook, "compare").count("your range") == 2
    figures = [output.get("data", {}) for output in cell_of(notebook, "compare").outputs]
    assert sum("image/png" in data for data in figures) == 1
    assert said(notebook, "check").startswith("Visible checks pass")
    whole = read_hand_in(said(notebook, "hand-in"))
    assert len(whole["runs"]) == arms and "hand it in" in said(notebook, "hand-in")

    # Another machine, with nothing but the notebook that was saved when it was stopped.
    run(notebook, there, before='sheet.resume("my sheet.ipynb")', leave_out=("compare", "check"))
    moved = read_hand_in(said(notebook, "hand-in"))
    assert moved["predictions"] == whole["predictions"] and len(stored(there)) == arms
    same = [name for name, record in moved["runs"].items() if record == whole["runs"][name]]
    assert same[:2] == list(moved["runs"])[:2], "as they were, CPU time and all"
    for name, record in moved["runs"].items():
        assert record["rows"] == whole["runs"][name]["rows"]
