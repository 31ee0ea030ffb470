"""What a chapter defines and solves, for the tests that hold it to account."""

import ast
import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import nbformat
import pytest
import torch
from solutions import TARGET
from torch.nn import functional as F

import flows
import gen_models_utilities as gmu

ROOT = Path(__file__).resolve().parents[2]


@cache
def cells(chapter: str) -> list:
    """All cells of a chapter."""
    return nbformat.read(ROOT / "chapters" / f"{chapter}.ipynb", as_version=4).cells


def defined(chapter: str, name: str) -> Callable:
    """A function that a chapter defines in one of its cells."""
    for cell in cells(chapter):
        if cell.cell_type == "code" and f"def {name}(" in cell.source:
            tree = ast.parse(cell.source)
            body = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name]
            space = {"torch": torch, "math": math, "F": F}
            exec(compile(ast.Module(body, []), chapter, "exec"), space)
            return space[name]
    raise AssertionError(f"{chapter} defines no {name}")


def solutions(chapter: str) -> dict[str, str]:
    """Label -> code, of every exercise of a chapter."""
    text = "\n".join(cell.source for cell in cells(chapter))
    found = re.findall(
        r"^````\{solution\} (\S+)\n(.*?)^````$", text, flags=re.DOTALL | re.MULTILINE
    )
    code = r"^```python\n(.*?)^```$"
    return {
        label: "\n".join(re.findall(code, body, flags=re.DOTALL | re.MULTILINE))
        for label, body in found
    }


def solution(chapter: str, label: str) -> str:
    """The code of one solution; an edition without solutions skips the test that asks for it."""
    if not TARGET.exists():
        pytest.skip("an edition without solutions (tools/edition.py)")
    return solutions(chapter)[label]


def run_solution(chapter: str, label: str, **names) -> dict:
    """Run a solution as a reader of the chapter would; return the names that it leaves."""
    space = {
        **{name: getattr(flows, name) for name in flows.__all__},
        **{"torch": torch, "math": math, "F": F, "det": torch.linalg.det},
        "jacobian": defined(chapter, "jacobian"),
        "show": lambda *given: None,
        **names,
    }
    torch.manual_seed(0)
    exec(solution(chapter, label), space)
    return space


def borders(flow: flows.Flow, reach: float = 2.5, n: int = 401) -> torch.Tensor:
    """(8, 8): how often two neighbours on a grid in z end at two modes, both ways together."""
    side = torch.linspace(-reach, reach, n)
    z = torch.cartesian_prod(side, side)
    with torch.no_grad():
        mode = gmu.nearest_mode(flow.decode(z)[0])
    mode = torch.where(z.norm(dim=1) < reach, mode, 8).reshape(n, n)  # 8: out of reach
    counts = torch.zeros(9, 9, dtype=torch.long)
    for a, b in ((mode[1:], mode[:-1]), (mode[:, 1:], mode[:, :-1])):
        counts += torch.bincount(9 * a.flatten() + b.flatten(), minlength=81).view(9, 9)
    return ((counts + counts.T) * (1 - torch.eye(9, dtype=torch.long)))[:8, :8]
