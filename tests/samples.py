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

import gen_models_utilities as gmu

ROOT = Path(__file__).resolve().parents[1]
# The site's pages, and the chapters without one: an edition may leave some out.
DOCUMENTS = list(parse_toc_yaml(ROOT / "_toc.yml"))
LEFT_OUT = left_out.left_out(ROOT, set(DOCUMENTS))

# Some tests take long. They run when asked for (`make test-all`), and always on GitHub.
ALL_TESTS = os.environ.get("COURSE_TESTS") == "all"
TAKES_LONG = "takes long: make test-all"
takes_long = pytest.mark.skipif(not ALL_TESTS, reason=TAKES_LONG)


def few(items, step: int = 4) -> list:
    """Some of many alike, which stand for the others where a test takes long."""
    return list(items)[::step]


def some_of(items, always=None) -> list:
    """Parameters of a test that takes long: those named run always, unnamed a `few`."""
    always = few(items) if always is None else always
    return [pytest.param(x, marks=[] if x in always else takes_long) for x in items]


def in_test_all_only() -> None:
    """Leave the test, or those that need a fixture, out here unless all are asked for."""
    if not ALL_TESTS:
        pytest.skip(TAKES_LONG)


def stands_for_others(name: str, chosen: list[str]) -> None:
    """Leave the test out here unless it is one of those chosen, or all are asked for."""
    if name not in chosen:
        in_test_all_only()


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


def ring_with(bad_batches, only_seed=None):
    """Draws the ring; the batches with these numbers lie far away, all of them.

    So a training explodes there on every machine; what only trains wildly does so on some.
    """
    counts: dict[int, int] = {}

    def draw(n, generator):
        x = gmu.sample_ring(n, generator)[0]
        key = generator.initial_seed()
        counts[key] = counts.get(key, 0) + 1
        return x + 1e6 if counts[key] in bad_batches and only_seed in (None, key) else x

    return draw


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
