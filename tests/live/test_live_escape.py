"""Text from users stays text: in a saved page, on the pages of a site, in all that is shown."""

import pytest
import torch
from bs4 import BeautifulSoup
from samples import some_of
from test_live_figure import alive

import live
from live.page import bundle
from live.page.site import mark_picture

RUN = "window.ran=(window.ran??0)+1"
PAYLOADS = [
    f"<script>{RUN}</script>", f"</script><script>{RUN}</script>", f"</SCRIPT ><script>{RUN}//",
    f"<!--<script>{RUN}", f'"><img src=x onerror="{RUN}">', f"' onload='{RUN}' \" onload=\"{RUN}",
    f"`${{{RUN}}}` \\u003c \\x3c \\", f"</title></h1><svg onload={RUN}>",
    "\u2028 \u2029 & &lt;b&gt;",
]  # fmt: skip


def scene(alpha, kind):
    return {"x": torch.linspace(0, 1, 5) * alpha + kind, "v": alpha * torch.ones(1)}


def figure(text):
    return live.live_figure(
        scene,
        live.panel(live.line("x", "x", label=text), live.text(0, 0, text), title=text, x=text,
                   y=text, xlim=(-1, 3), ylim=(-1, 3)),
        live.panel(live.bars("v", [text])), readout=text + " {kind}", alt=text, caption=text,
        alpha=(0.0, 2.0, 1.0), kind=[(text, 0), ("other", 1)],
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:constrained_layout")  # the texts are wider than the picture
@pytest.mark.parametrize("text", some_of(PAYLOADS))
def test_a_saved_page_shows_text_and_runs_none_of_it(open_tab, tmp_path, text):
    figure(text).save_html(tmp_path / "figure.html")
    problems = []

    def watch(page):
        page.on("pageerror", lambda error: problems.append(str(error)))

    page = open_tab((tmp_path / "figure.html").as_uri(), watch)
    alive(page)
    assert not problems and page.evaluate("window.ran") is None
    assert page.locator("script").count() == 2 and page.locator("img").count() == 1
    assert page.locator("main *").evaluate_all(
        "(all) => all.every((e) => e.getAttributeNames().every((n) => !n.startsWith('on')))"
    )
    image = page.locator("img[data-live]")
    assert image.get_attribute("alt") == text
    # (The page's title is trimmed by the browser.)
    assert page.locator("title").evaluate("(e) => e.textContent") == text
    assert page.locator("h1").evaluate("(e) => e.textContent") == text
    assert page.locator("figcaption").evaluate("(e) => e.textContent") == text
    group = page.locator(".live-figure")
    assert group.count() == 1 and group.get_attribute("aria-label") == text
    readout = page.locator(".live-readout").evaluate("(e) => e.textContent")
    assert readout == f"{text} {text}", "the menu's text is the other"
    assert page.locator(".live-title").first.evaluate("(e) => e.textContent") == text
    legend = page.locator(".live-legend span").first
    assert legend.evaluate("(e) => e.textContent") == text
    option = page.locator("option").first
    assert option.evaluate("(e) => e.textContent") == text


@pytest.mark.parametrize("text", PAYLOADS)
@pytest.mark.parametrize("there", ['alt="../_images/abc.png"', 'alt=""', ""])
def test_an_alt_text_on_a_page_of_the_site_is_an_attribute(text, there):
    body = f'<p>a</p><img {there} src="_images/abc.png"><p>b</p>'
    made, count = mark_picture(body, "abc", 'data-live="1"', {"alt": text})
    soup = BeautifulSoup(made, "html.parser")
    (image,) = soup.find_all("img")
    assert count == 1 and image["alt"] == text
    assert set(image.attrs) == {"alt", "src", "data-live"}
    assert [tag.name for tag in soup.find_all(True)] == ["p", "img", "p"]


def test_an_alt_text_of_the_author_stays():
    body = '<img alt="his &quot;own&quot;" src="_images/abc.png">'
    made, _ = mark_picture(body, "abc", 'data-live="1"', {"alt": "of the figure"})
    assert BeautifulSoup(made, "html.parser").img["alt"] == 'his "own"'


def test_a_script_cannot_be_ended_or_hidden():
    for text in ("</script>", "</ScRiPt x", "<!--", "<script", "<!-- <script>"):
        assert not any(bad in bundle.safe(text).lower() for bad in ("</script", "<!--", "<script"))
    plain = "if (a < b) { c = '</p>' } // <!a> <b>"
    assert bundle.safe(plain) == plain
