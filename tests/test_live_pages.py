"""Every live figure of the built book: moved by keyboard and by mouse, with the network blocked."""

import os
import re
from pathlib import Path

import pytest
from test_live_figure import settled

SITE = Path(os.environ.get("COURSE_SITE", Path(__file__).resolve().parents[1] / "_build" / "html"))
PAGES = sorted(
    str(page.relative_to(SITE))
    for page in SITE.rglob("*.html")
    if "_static" not in page.parts and "data-live=" in page.read_text(encoding="utf-8")
)
PICTURES = "(f) => [...f.querySelectorAll('canvas')].map((c) => c.toDataURL()).join()"


def test_the_book_has_live_figures():
    assert SITE.exists(), "the site is not built: run `make book`"
    assert PAGES, "no page has a live figure"


@pytest.mark.parametrize("path", PAGES)
def test_every_control_of_the_page(path, chromium):
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, offline=True)
    page, problems = context.new_page(), []
    page.on("console", lambda m: m.type in ("error", "warning") and problems.append(m.text))
    page.on("pageerror", lambda e: problems.append(str(e)))
    page.on("request", lambda r: r.url.startswith("http") and problems.append(r.url))
    page.goto((SITE / path).as_uri())
    page.evaluate("window.mountLiveFigures()")
    page.wait_for_selector("html[data-live=ready]")
    assert page.locator(".live-figure").count() == page.locator("img[data-live]").count()
    for figure in page.locator(".live-figure").all():
        picture = lambda f=figure: hash(f.evaluate(PICTURES))  # noqa: E731
        assert figure.get_attribute("aria-label") not in ("", None)
        readout = figure.locator(".live-readout")
        if readout.count():
            assert not re.search(r"NaN|undefined|\{", readout.text_content())
        for handle in figure.locator("[data-param]").all():
            name = handle.get_attribute("data-param")
            kind = handle.evaluate("(e) => e.type")
            handle.focus()
            if kind == "checkbox":
                keys = ["Space", "Space"]
            else:
                keys = ["Home", "End", "PageDown"]  # a turn by -180 and 180 degrees is the same
            seen = []
            for key in keys:
                page.keyboard.press(key)
                settled(page)
                seen.append(picture())
            assert len(set(seen)) > 1, f"{path}: {name} moves nothing (keyboard)"
            if kind == "range":
                handle.scroll_into_view_if_needed()
                box = handle.bounding_box()
                page.mouse.click(box["x"] + 0.35 * box["width"], box["y"] + box["height"] / 2)
                settled(page)
                assert picture() != seen[-1], f"{path}: {name} moves nothing (mouse)"
        if readout.count():
            assert not re.search(r"NaN|undefined|\{", readout.text_content())
        figure.get_by_role("button", name="Reset").click()
        settled(page)
    assert problems == []
    context.close()
