"""Which version of the calling convention a figure's code follows, and what a page makes of it; and
of a figure whose first numbers are not torch's."""

import re
from pathlib import Path

import pytest
import torch
from test_live_figure import alive

from live import live_figure
from live.compiler import CONVENTION, runtime
from live.figure.reference import checksum
from live.page import bundle


@pytest.fixture(scope="module")
def figure():
    return live_figure(lambda z, a: torch.tanh(a * z), a=(0.5, 2.0, 1.0), alt="tanh")


def shown(chromium, folder, figure, spec):
    """(Is the figure alive?, does its picture stay?, what the page says: console and note)."""
    path, told = folder / "figure.html", []
    path.write_text(bundle.page(figure.code, spec, figure.data, figure.png()), encoding="utf-8")
    page = chromium.new_page()
    page.on("console", lambda m: told.append(m.text))
    page.goto(path.as_uri())
    alive(page)
    seen = page.locator(".live-figure").count(), page.locator("img[data-live]").is_visible()
    told += page.locator(".live-note").all_inner_texts()
    page.close()
    return *seen, " ".join(told)


def test_a_figure_says_which_version_its_code_follows(figure):
    assert figure.spec["convention"] == CONVENTION


def test_the_version_is_one_constant_and_stands_in_the_text():
    assert f"convention: {CONVENTION}," in runtime.text()
    readme = (Path(runtime.__file__).parent / "README.md").read_text(encoding="utf-8")
    assert f"Version {CONVENTION}:" in readme


def test_a_page_refuses_code_of_another_version(figure, chromium, tmp_path):
    spec = figure.spec | {"convention": CONVENTION + 1}
    moves, picture, told = shown(chromium, tmp_path, figure, spec)
    assert not moves and picture
    assert f"compiled for version {CONVENTION + 1} of the calling convention" in told
    assert f"are of version {CONVENTION}:" in told


def test_a_page_whose_numbers_differ_keeps_the_picture_and_says_so(figure, chromium, tmp_path):
    other = checksum({"x": 1.05 * figure.values()["x"]}, ["x"])
    spec = figure.spec | {"check": figure.spec["check"] | other}
    moves, picture, told = shown(chromium, tmp_path, figure, spec)
    assert not moves and picture
    assert "x differs from what torch computed for the default state" in told
    assert told.endswith("does not move here; the picture shows its default state.")


@pytest.mark.skipif(CONVENTION != 1, reason="figures that say no version are of the first")
def test_a_figure_of_an_older_book_is_of_the_first_version(figure, chromium, tmp_path):
    spec = {name: value for name, value in figure.spec.items() if name != "convention"}
    assert shown(chromium, tmp_path, figure, spec) == (1, False, "")


def test_a_notebook_says_it_where_the_figure_would_be(figure, chromium):
    """(`render` of the widget's module, with a model as the notebook hands it over.)"""
    values = {"spec": figure.spec | {"convention": CONVENTION + 1}, "code": figure.code,
              "data": figure.data}  # fmt: skip
    page = chromium.new_page()
    end = re.compile(r"export default ?\{ ?render ?\};")
    assert len(end.findall(bundle.widget())) == 1
    module = end.sub("window.render = render;", bundle.widget())
    page.add_script_tag(content=module, type="module")
    page.wait_for_function("() => Boolean(window.render)")
    said = page.evaluate(
        """async (values) => {
          const el = document.createElement("div");
          await window.render({ model: { get: (name) => values[name] }, el }).catch(() => {});
          return el.textContent;
        }""",
        values,
    )
    assert f"compiled for version {CONVENTION + 1} of the calling convention" in said
    page.close()
