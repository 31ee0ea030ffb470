"""Data and measures that a chapter shows and a study uses are the same: bit for bit."""

import ast
import math
from pathlib import Path

import nbformat
import pytest
import torch

import gen_models_utilities as gmu
from experiments.studies import conditional, sensor, singular
from flows import standard_normal_log_prob

CHAPTERS = Path(__file__).resolve().parents[2] / "chapters"
KNOWN = {"torch": torch, "math": math, "gmu": gmu,
         "standard_normal_log_prob": standard_normal_log_prob}  # fmt: skip
SEVEN = {"DIM": sensor.DIM, "NOISE": sensor.NOISE,
         "turn": 2 * 2 * math.pi * torch.arange(sensor.DIM) / sensor.DIM}  # fmt: skip


def defined_in(chapter: str) -> dict:
    """The functions that a chapter's cells define, each by itself."""
    (path,) = CHAPTERS.glob(f"{chapter}_*.ipynb")
    space = dict(KNOWN) | (SEVEN if chapter == "7" else {})
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code" or "def " not in cell.source:
            continue
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.FunctionDef):
                exec(compile(ast.Module([node], []), path.name, "exec"), space)
    return space


@pytest.fixture(scope="module")
def chapters() -> dict:
    """Chapter -> what its cells define."""
    return {chapter: defined_in(chapter) for chapter in "67"}


def batch(draw):
    """What a function draws with a fixed generator, as one list of tensors."""
    drawn = draw(64, torch.Generator().manual_seed(3))
    return list(drawn) if isinstance(drawn, tuple) else [drawn]


@pytest.mark.parametrize(
    ("chapter", "shown", "used"),
    [
        ("6", lambda c: c["draw_labelled"], conditional.draw_labelled),
        ("6", lambda c: c["draw_rings"], conditional.draw_rings((2.5, 2.5))),
        ("6", lambda c: c["draw_with_distance"](0.25), singular.draw(0.25)),
        ("7", lambda c: c["healthy"], sensor.healthy),
    ],
    ids=["labels", "radii", "distance", "sensor"],
)
def test_a_study_draws_what_its_chapter_shows(chapters, chapter, shown, used):
    expected, found = batch(shown(chapters[chapter])), batch(used)
    assert len(expected) == len(found)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_a_study_measures_what_its_chapter_shows(chapters):
    scores = torch.randn(2, 500, generator=torch.Generator().manual_seed(3))
    assert sensor.alarm(*scores) == chapters["7"]["alarm"](*scores)
    radius = torch.tensor([1.0, 2.2, 4.0])
    assert torch.equal(conditional.radius_context(radius), chapters["6"]["radius_context"](radius))

    class Blind:  # a flow for which each point is equally likely
        @staticmethod
        def log_prob(x, context):
            return torch.zeros(len(x))

    x, labels = gmu.held_out_ring(300)
    truth = chapters["6"]["true_log_prob_given_label"](x, labels)
    assert conditional.label_gap(Blind, x, labels) == pytest.approx(truth.mean().item(), abs=1e-6)
