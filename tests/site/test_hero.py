"""The landing page's figure is what tools/hero.py makes of chapter 5's weights."""

import base64
import io
import json

import hero
import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def made():
    return hero.hero()


@pytest.fixture(scope="module")
def both(made):
    """(State that is stored, state made now.)"""
    stored = json.loads(hero.PAGE.read_text(encoding="utf-8"))
    assert list(stored) == [hero.PICTURE.stem]
    stored[hero.PICTURE.stem]["spec"].setdefault("convention", 1)  # (before it was stored)
    return stored[hero.PICTURE.stem], json.loads(hero.stored(made))[hero.PICTURE.stem]


def same(one, two, where=""):
    """The same names and texts, and the same numbers up to the last digits."""
    if isinstance(one, dict) and isinstance(two, dict):
        assert one.keys() == two.keys(), where
        for key in one:
            same(one[key], two[key], f"{where}/{key}")
    elif isinstance(one, list) and isinstance(two, list):
        assert len(one) == len(two), where
        for k, (a, b) in enumerate(zip(one, two, strict=True)):
            same(a, b, f"{where}/{k}")
    elif isinstance(one, float) or isinstance(two, float):
        assert one == pytest.approx(two, rel=1e-4, abs=1e-4), where
    else:
        assert one == two, where


def test_the_stored_code_and_its_description_are_those_made_now(both):
    stored, new = both
    assert stored.keys() == new.keys()
    assert stored["code"] == new["code"], "run tools/hero.py"
    same(stored["spec"], new["spec"], "spec")


def test_the_stored_numbers_are_those_made_now(both):
    """Weights and samples; sums of floats may differ in the last digit on another machine."""
    stored, new = both
    assert stored["data"].keys() == new["data"].keys()
    for key, entry in stored["data"].items():
        kind = entry["kind"]
        assert kind == new["data"][key]["kind"], key
        values = [
            np.frombuffer(base64.b64decode(e["values"]), hero.KINDS[kind]).astype(np.float64)
            for e in (entry, new["data"][key])
        ]
        assert values[0].shape == values[1].shape, key
        # Densities are rounded to 1/256: a sum on the edge may fall to the other side.
        assert np.abs(values[0] - values[1]).max(initial=0) <= 1 / 256 + 1e-6, key
        assert (values[0] != values[1]).mean() < 0.01, key


def test_the_stored_references_are_those_made_now(both):
    same(both[0]["reference"], both[1]["reference"], "reference")


def test_the_stored_picture_is_that_of_the_figure(made):
    stored = Image.open(hero.PICTURE)
    new = Image.open(io.BytesIO(hero.fewer_colours(made.png(dpi=144))))
    assert stored.size == new.size
    one, two = (np.asarray(image.convert("RGB"), dtype=float) for image in (stored, new))
    # Letters may be drawn a little otherwise elsewhere. Of the checkpoint before the last, the most
    # like it, 3.6 % of the pixels differ as much.
    assert (np.abs(one - two).max(axis=2) > 40).mean() < 0.01
