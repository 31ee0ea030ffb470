"""What several tests draw, and what they read off a flow or a cell."""

import ast

import export
import pytest
import torch
from solutions import TARGET
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

needs_solutions = pytest.mark.skipif(
    not TARGET.exists(), reason="an edition without solutions (tools/edition.py)"
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers in float64, always the same for a seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def weights(flow: nn.Module) -> Tensor:
    """A copy of all weights of a flow, one after the other."""
    return parameters_to_vector(flow.parameters()).detach().clone()


def code_lines(source: str) -> int:
    """Lines of code: docstrings, comments and blank lines do not count."""
    tree = export.parse(source, "cell")
    lines = {
        number
        for number, line in enumerate(source.splitlines(), 1)
        if line.strip() and not line.strip().startswith("#")
    }
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            text = body[0].value
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                lines -= set(range(text.lineno, text.end_lineno + 1))
    return len(lines)
