"""What several tests draw, and what they read off a flow or a cell."""

import ast
import os
from pathlib import Path

import export
import left_out
import pytest
import torch
from solutions import TARGET
from sphinx_external_toc.parsing import parse_toc_yaml
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

ROOT = Path(__file__).resolve().parents[1]
# The site's pages, and the chapters without one: an edition may leave some out.
DOCUMENTS = list(parse_toc_yaml(ROOT / "_toc.yml"))
LEFT_OUT = left_out.left_out(ROOT, set(DOCUMENTS))

# Some tests take minutes. They run when asked for, as the workflow does beside `make test`.
ALL_TESTS = os.environ.get("COURSE_TESTS") == "all"
takes_long = pytest.mark.skipif(not ALL_TESTS, reason="takes long: COURSE_TESTS=all")

needs_solutions = pytest.mark.skipif(
    not TARGET.exists(), reason="an edition without solutions (tools/edition.py)"
)


def needs_page(name: str):
    """For a test that looks at one chapter's page: an edition may leave that chapter out."""
    reason = f"an edition without {name} (CONTRIBUTING.md)"
    return pytest.mark.skipif(name in LEFT_OUT, reason=reason)


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
