"""What a chapter defines and solves, for the tests that hold it to account."""

import ast
import math
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import nbformat
import torch
from torch.nn import functional as F

import flows

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
    exec(solutions(chapter)[label], space)
    return space
