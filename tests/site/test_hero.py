"""The landing page's figure is what tools/hero.py makes of chapter 5's weights."""

import base64
import io
import json
import math

import hero
import numpy as np
import pytest
import torch
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


@pytest.mark.parametrize(("couplings", "done"), [(16.0, 16), (0.0, 0), (6.25, 6)])
def test_the_way_of_a_point_leads_from_where_it_is_drawn_to_where_the_flow_takes_it(
    made, couplings, done
):
    flow = hero.trained_flow()
    for parameter in flow.parameters():
        parameter.data = parameter.data.half().float()  # as the figure's
    shown = made.evaluate({"couplings": couplings, "z1": 0.7, "z2": -1.1})
    way, gone, here = shown["way"], shown["gone"], shown["here"]
    start = torch.tensor([[0.7, -1.1]])
    torch.testing.assert_close(way[:1], start)
    # (The paper is turned: the noise of the end is the start, but for a turn.)
    with torch.no_grad():
        back, log_p = flow.encode(way[-1:])[0], flow.log_prob(way[-1:])
    assert back.norm().item() == pytest.approx(start.norm().item(), abs=1e-3)
    if couplings == 16:
        assert shown["log_p"].item() == pytest.approx(log_p.item(), abs=1e-3)
    steps = (way[1:] - way[:-1]).abs()
    # Each coupling moves a point along an axis, and the paper is turned by 45 degrees each time.
    slant = (steps[:, 0] - steps[:, 1]).abs() < 1e-4
    assert (slant | (steps.amin(dim=1) < 1e-4)).all() and steps.sum() > 1
    torch.testing.assert_close(gone[: done + 1], way[: done + 1])
    assert (gone[done + 1 :] == here).all(), "what is not gone yet is not drawn as gone"
    between = torch.lerp(way[done], way[min(done + 1, 16)], couplings - done)
    torch.testing.assert_close(here[0], between)


def test_before_the_couplings_the_number_is_that_of_the_gaussian(made):
    shown = made.evaluate({"couplings": 0.0, "z1": 0.7, "z2": -1.1})
    wanted = -0.5 * (0.7**2 + 1.1**2) - math.log(2 * math.pi)
    assert shown["log_p"].item() == pytest.approx(wanted, abs=1e-5)
