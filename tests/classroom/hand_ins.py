"""Hand-ins for the tests: notebooks of an assignment, filled in as students would."""

import contextlib
import io
import json
from pathlib import Path

from classroom.assign import notebook
from classroom.sheet import Sheet, spec_named
from classroom.variants import band, code_of, evidence, pick, tag
from experiments.engine import write_whole
from experiments.sheets import arm_name

# Right functions of all sheets, written as plainly as they can be.
RIGHT = {
    "depth": """
import numpy as np

def path_ratio(values):
    path = np.linalg.norm(np.diff(values, axis=0), axis=2).sum(axis=0).mean()
    return path / np.linalg.norm(values[-1] - values[0], axis=1).mean()
""",
    "overfitting": """
import numpy as np

def stop_at(steps, gaps):
    good = np.isfinite(gaps)
    steps, gaps = steps[good], gaps[good]
    return steps[gaps == gaps.min()].min()
""",
    "bridges": """
import numpy as np

def stray_share(x, centers, std, n_sigma):
    nearest = np.linalg.norm(x[:, None] - centers[None], axis=2).min(axis=1)
    return np.mean(nearest > n_sigma * std)
""",
    "ingredients": """
import numpy as np

def paired_effect(a, b):
    return np.median(a - b)
""",
    "radius": """
import numpy as np

def gap_by_bin(gap, radius, edges):
    bins = [gap[(radius >= a) & (radius < b)] for a, b in zip(edges, edges[1:])]
    return np.array([own.mean() if len(own) else np.nan for own in bins])
""",
    "temperature": """
import math
import torch

def tempered_log_prob(z, temperature):
    z = torch.as_tensor(z)
    return -z.square().sum(dim=1) / (2 * temperature**2) - math.log(2 * math.pi * temperature**2)
""",
    "splines": """
import math

def place_in_bin(share, rise, left, right):
    extra = left + right - 2 * rise
    a = rise - left + share * extra
    b = left - share * extra
    c = -share * rise
    return -2 * c / (b + math.sqrt(b * b - 4 * a * c))
""",
    "strange": """
def atypicality(log_p, known):
    return abs(log_p.mean() - known.mean())
""",
}
WORDS = {
    "q1": "The deep one ends at 0.4 nats and the wide one at 0.9, and the seeds differ by 0.2.",
    "q2": "Layers undo what others did: the loss sees the ends of the ways only.",
    "q3": "I thought that depth would cost steps. It does, but less than it brings.",
}


def results(sheet: str, student: str, secret: bytes, folder: Path, runs: dict | None = None) -> str:
    """What `Sheet.hand_in` prints after predictions and runs; the runs' numbers may be made up.

    Args:
        sheet: The sheet.
        student: The student.
        secret: The course's secret.
        folder: Where the sheet keeps its files.
        runs: Arm in words -> rows; None takes rows out of the ring's evidence.

    Returns:
        The output.
    """
    spec = spec_named(sheet)
    variant = pick(secret, student, spec)
    own = Sheet(
        sheet, student, variant.ring, variant.seeds, tag(secret, student, spec), folder=folder
    )
    with contextlib.redirect_stdout(io.StringIO()):
        for guess in spec.predictions:
            b = band(sheet, variant.ring, guess.arm, guess.measure)
            own.predict(guess.key, low=b.low - 1, best=b.median, high=b.high + 1,
                        because="more layers bend the plane more often")  # fmt: skip
    (folder / "runs").mkdir(exist_ok=True)
    stored = evidence(sheet)["rings"][variant.ring]
    for k, arm in enumerate(spec.arms()):
        name = arm_name(arm)
        rows = [{m: stored[name][m][i] for m in spec.measures} for i in range(len(variant.seeds))]
        rows = rows if runs is None else runs.get(name)
        if rows is None:
            continue
        record = {
            "settings": variant.settings() | arm, "seeds": list(variant.seeds), "rows": rows,
            "cpu_seconds": 1.0, "machine": {}, "code": own.under(),
        }  # fmt: skip
        write_whole(folder / "runs" / f"{k}.json", json.dumps(record))
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        own.hand_in()
    assert own.under().startswith(code_of(spec))
    return said.getvalue()


def filled(sheet: str, student: str, secret: bytes, code: str, output: str = "", **words) -> dict:
    """A student's notebook with the answers in it."""
    spec = spec_named(sheet)
    content = notebook(spec, student, pick(secret, student, spec), tag(secret, student, spec))
    for cell in content["cells"]:
        if cell["id"] == "code":
            cell["source"] = code
        elif cell["id"] in WORDS:
            cell["source"] = words.get(cell["id"], WORDS[cell["id"]])
        elif cell["id"] == "hand-in" and output:
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": output}]
    return content
