"""A figure that takes long to begin is made bit by bit; its picture stays until all is there."""

import json
import subprocess

import pytest
import torch
from live_node import NODE

from live import compile, line, live_figure, panel
from live.compiler import runtime

CHAIN = [torch.linspace(-1, 1, 64).reshape(8, 8) / 4 + k / 20 for k in range(16)]
TWICE = """
const [code, data] = JSON.parse(require("fs").readFileSync(0, "utf8"));
const make = () => (0, eval)(code)(live.decode(data), live);
const fresh = make(), begun = make();
const all = begun.ahead.length;
while (begun.ahead.length > all / 2) begun.ahead.shift()();
const got = [fresh(2), begun(2), begun(2)].map((values) => [...values]);
process.stdout.write(JSON.stringify([all, fresh.ahead.length, got]));
"""


def chained(a):
    made = CHAIN[0]
    for matrix in CHAIN[1:]:
        made = made @ matrix
    return a * made.flatten()


@pytest.fixture()
def soon(monkeypatch):
    """Already few numbers count as many."""
    monkeypatch.setitem(compile.__globals__, "MUCH", 500)


def test_what_is_known_before_the_first_call_can_be_computed_before_it_or_in_it(soon):
    program = compile(chained, 1.0)
    text = f"{runtime.text()}\nglobalThis.live = live;\n{TWICE}"
    done = subprocess.run([NODE, "-e", text], input=json.dumps([program.code, program.data]),
                          capture_output=True, encoding="utf-8", check=True)  # fmt: skip
    steps, left, answers = json.loads(done.stdout)
    assert steps >= 15 and left == 0
    for answer in map(torch.Tensor, answers):
        torch.testing.assert_close(answer, chained(2.0), rtol=1e-4, atol=1e-4)


def test_a_program_that_begins_at_once_has_no_such_steps():
    assert "ahead" not in compile(chained, 1.0).code


# Each look at the clock takes 10 ms, so that each step is a long one. What is seen at every pause:
# the height of the picture, that of what is made, and whether something stands there already.
WATCH = """
let time = 0;
performance.now = () => (time += 10);
window.pauses = [];
const later = window.setTimeout;
window.setTimeout = (go, ...rest) => later(() => {
  const [picture, coming] = ["img", ".live-coming"].map((s) => document.querySelector(s));
  const begun = !!coming?.querySelector("canvas");
  pauses.push([picture.offsetHeight, coming?.offsetHeight ?? 0, begun]);
  go();
}, ...rest);
"""


def test_the_picture_stays_until_the_figure_is_drawn(soon, chromium, tmp_path):
    def scene(a):
        return {"y": chained(a), "x": torch.arange(64.0)}

    figure = live_figure(scene, panel(line("x", "y")), a=(0.5, 2.0, 1.0), readout="a is {a}")
    figure.save_html(tmp_path / "figure.html")
    page = chromium.new_page()
    page.add_init_script(WATCH)
    page.goto((tmp_path / "figure.html").as_uri())
    page.wait_for_selector("html[data-live=ready]", state="attached")
    pauses = page.evaluate("pauses")
    assert len(pauses) >= 20, "the page has its turn between the steps"
    assert all(picture > 0 and coming == 0 for picture, coming, _ in pauses)
    assert any(begun for *_, begun in pauses), "the panels are made in steps, too"
    assert page.locator("img[data-live]").is_hidden()
    assert page.locator(".live-figure").bounding_box()["height"] > 100
    assert page.locator(".live-readout").text_content() == "a is 1"
    page.close()
