"""What a reader does with a live figure: links with a state, hands on it while it plays, a thumb, a
phone; and that its numbers can be read."""

import re
from pathlib import Path

import nbformat
import pytest
import torch
from browser import serve_folder, wait_until
from samples import some_of
from test_live_figure import agree, alive, settled, squash, trained
from test_live_site import built, notebook  # noqa: F401 (a fixture)

from benchmarks import examples
from live import bars, fold, line, live_figure, panel, points, text, waterfall
from live.figure.render import resolve_limits
from live.figure.template import number
from live.page import bundle
from live.page.site import check_states, heights

ROOT = Path(__file__).resolve().parents[2]
VALUE = "(name) => document.querySelector(`[data-param=${name}]`).value"
INSIDE = """(figure) => {
  const { top, bottom } = figure.getBoundingClientRect();
  return top < innerHeight && bottom > 0;
}"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Addresses of pages that `save_html` wrote."""
    folder = tmp_path_factory.mktemp("saved")
    figures = {"tanh": examples.tanh(), "trained": trained(), "six": examples.six(),
               "radial": examples.radial(500), "choice": choice(), "knots": knots(),
               "kinds": kinds(), "sought": sought(), "wordy": wordy()}  # fmt: skip
    for name, figure in figures.items():
        figure.save_html(folder / f"{name}.html")
    return {name: (folder / f"{name}.html").as_uri() for name in figures}


def choice():
    """Eight modes to choose from, beside a probe."""
    turn = torch.arange(8) * (torch.pi / 4)
    modes = 3 * torch.stack([turn.cos(), turn.sin()], 1)

    def scene(mode, layer, px, py):
        near = torch.stack([px, py]) - modes
        return {"modes": modes, "chosen": modes[mode][None], "far": near.norm(dim=1), "l": layer}

    return live_figure(
        scene,
        panel(points("modes", size=6, choose="mode"), points("chosen", color="orange", size=9),
              xlim=(-4, 4), ylim=(-4, 4), equal=True, probe=("px", "py"), title="modes"),
        panel(bars("far", [f"mode {k}" for k in range(8)], choose="layer"), xlim=(0, 8)),
        mode=[f"mode {k}" for k in range(8)], layer=(0, 7, 0), px=(-4.0, 4.0, 0.5),
        py=(-4.0, 4.0, 0.5), labels={"px": "x1 of the point"}, play="py",
    )  # fmt: skip


def knots():
    """A broken line of one's own, of three knots, beside a straight one."""
    x = torch.linspace(0, 2, 3)

    def scene(kind, a, b, c):
        mine = torch.stack([a, b, c])
        return {"x": x, "y": torch.stack([x - 1, mine])[kind], "knots": torch.stack([x, mine], 1)}

    return live_figure(
        scene,
        panel(line("x", "y"), points("knots", drag="abc", size=6, show="kind"), xlim=(-1, 3),
              ylim=(-2, 2), title="the line"),
        panel(line("x", "y"), xlim=(-1, 3), ylim=(-2, 2)),
        readout="{a:.2f} {b:.2f} {c:.2f}", kind=[("straight", 0), ("mine", 1)],
        a=(-2.0, 2.0, 0.1, -1.0), b=(-2.0, 2.0, 0.1, 0.5), c=(-2.0, 2.0, 0.1, 1.0),
        fold=fold("all knots", "a", "b", "c", when=("kind", 1)),
    )  # fmt: skip


def kinds():
    """A control of each kind."""
    return live_figure(lambda kind, square, a: {"p": (kind + square + a) * torch.ones(2, 2)},
                       panel(points("p")), kind=[("small", 2), ("Large", 7)], square=True,
                       a=(0.0, 9.0, 1.0), readout="a is {a:.1f}")  # fmt: skip


def sought():
    """Something to find: where a square is larger than 2."""
    return live_figure(lambda z, a, b: a * z + b, goal=(lambda a: a * a > 2, "Found: it is large."),
                       a=(0.0, 2.0, 0.5, 1.0), b=(0.0, 1.0, 0.0))  # fmt: skip


@pytest.fixture
def visit(open_tab):
    """Opens an address in a context with the wanted properties; nothing may go wrong there."""
    problems = []

    def watch(page):
        page.on("pageerror", lambda error: problems.append(str(error)))

    usual = {"viewport": {"width": 1100, "height": 900}}
    yield lambda address, **properties: open_tab(address, watch, **usual | properties)
    assert problems == []


def wordy():
    """A readout that is now one word, now many."""
    return live_figure(
        lambda a: {"p": a * torch.ones(2, 2), "far": a}, panel(points("p")),
        readout=f"{{far|near|{'far and away ' * 20}}}", a=(0.0, 1.0, 0.5, 0.0),
    )  # fmt: skip


def slide(page, name, value):
    """Sets a slider as its reader does."""
    page.locator(f"[data-param={name}]").fill(str(value))


# A state in the link ------------------------------------------------------------------------------


def value_of(page, name):
    return page.evaluate(VALUE, name)


def says(page, name, wanted):
    wait_until(page, lambda: page.locator(f"[data-param={name}]").count() and
               value_of(page, name) == wanted)  # fmt: skip


@pytest.mark.parametrize("over", some_of(["http", "file"]))
def test_an_address_brings_a_figure_and_its_state(built, over, visit):  # noqa: F811
    with serve_folder(built) as server:
        start = server if over == "http" else built.as_uri()
        page = visit(f"{start}/index.html#fig-2?alpha=0.8&beta=-2.5&cx=99&cy=&wrong=1")
        figure = page.locator("#fig-2 .live-figure")
        figure.wait_for()
        says(page, "beta", "-2.5")
        assert figure.locator("[data-param=alpha]").input_value() == "0.8"
        assert value_of(page, "cx") == "3", "beyond the end: the end"
        assert value_of(page, "cy") == "0", "no number: as it was"
        wait_until(page, lambda: figure.evaluate(INSIDE))
        # Another address of the same page: no reload.
        page.evaluate("window.same = 1; location.hash = '#fig-0?alpha=2.5'")
        wait_until(page, lambda: page.locator("#fig-0 [data-param=alpha]").count() and
                   page.locator("#fig-0 [data-param=alpha]").input_value() == "2.5")  # fmt: skip
        wait_until(page, lambda: page.locator("#fig-0 .live-figure").evaluate(INSIDE))
        assert page.evaluate("window.same") == 1 and value_of(page, "beta") == "-2.5"
        page.go_back()
        wait_until(page, lambda: figure.evaluate(INSIDE))
        page.goto(f"{start}/other.html")
        page.get_by_role("link", name="Radial").click()
        says(page, "beta", "-3")
        assert figure.locator("[data-param=alpha]").input_value() == "2"


BAD_ADDRESSES = [
    "#%E0%A4%A?alpha=1", "#nothing?a=1", "#?a=1", "#fig-2?",
    "#fig-2?alpha=NaN&beta=Infinity&constructor=1&__proto__=2&play", "#fig-2?alpha=%E0%A4%A",
    "#a\"'<b>?alpha=1", "#fig-2?alpha=1e999",
]  # fmt: skip


@pytest.mark.parametrize("hash_", some_of(BAD_ADDRESSES))
def test_a_bad_address_does_nothing(built, hash_, visit):  # noqa: F811
    page = visit(f"{(built / 'index.html').as_uri()}{hash_}")
    alive(page)
    settled(page)
    figure = page.locator("#fig-2 .live-figure")
    for name in ("alpha", "beta"):
        assert figure.locator(f"[data-param={name}]").input_value() == "1"
    assert figure.get_by_role("button", name="Pause").count() == 0


def test_links_in_the_text_set_a_figure(built, visit):  # noqa: F811
    page = visit((built / "index.html").as_uri())
    page.evaluate("window.same = 1")
    link = page.get_by_role("link", name="Set", exact=True)
    slider = page.locator("#fig-0 [data-param=alpha]")
    link.click()
    wait_until(page, lambda: slider.count() and slider.input_value() == "0.5")
    slider.focus()
    page.keyboard.press("End")
    assert slider.input_value() == "3"
    link.click()  # the address is there already
    wait_until(page, lambda: slider.input_value() == "0.5")
    # `play` lets the figure run, from where the link puts it.
    page.get_by_role("link", name="play").click()
    playing = page.locator("#fig-1 [data-param=t]")
    wait_until(page, lambda: playing.count() and float(playing.input_value()) > 0.5)
    # Across the page, and from another one.
    page.get_by_role("link", name="from elsewhere").click()
    says(page, "beta", "-2")
    assert page.evaluate("window.same") == 1


def test_a_saved_page_has_addresses_too(saved, visit):
    page = visit(f"{saved['six']}#figure?first=tanh&second=SOFTPLUS")
    alive(page)
    chosen = "(name) => document.querySelector(`[data-param=${name}]`).selectedOptions[0].text"
    wait_until(page, lambda: page.evaluate(chosen, "second") == "softplus")
    assert page.evaluate(chosen, "first") == "tanh"


STATE = """() => [...document.querySelectorAll("[data-param]")].map((e) =>
  e.type === "checkbox" ? e.checked : e.selectedOptions ? e.selectedOptions[0].text : e.value)"""
FOLDED = """() => {
  const fold = document.createElement("details"), figure = document.getElementById("figure");
  figure.id = "figure ä";
  figure.replaceWith(fold);
  fold.append(figure);
}"""


def test_a_link_sets_controls_of_each_kind(saved, visit):
    page = visit(saved["kinds"])
    alive(page)
    assert page.evaluate(STATE) == ["small", True, "1"]
    page.evaluate(FOLDED)
    for state, wanted in {
        "kind=LARGE&square=0&a=3": ["Large", False, "3"], "square=1&a=": ["Large", True, "3"],
        "kind=2&square=false": ["small", False, "3"], "square=true&kind=9": ["small", True, "3"],
        "square=yes&a=2.5": ["small", True, "2.5"], "square=0": ["small", False, "2.5"],
        "square=yes&a=1": ["small", False, "1"],
    }.items():  # fmt: skip
        page.evaluate(f"location.hash = '#figure%20%C3%A4?{state}'")
        wait_until(page, lambda wanted=wanted: page.evaluate(STATE) == wanted)
    assert page.locator("details").get_attribute("open") is not None, "a fold opens"
    page.evaluate("location.hash = '#figure%20%C3%A4?a=99'")
    wait_until(page, lambda: page.locator(".live-readout").text_content() == "a is 9.0")
    assert page.get_by_role("button", name="Play").count() == 0


def test_links_are_checked_when_the_site_is_built():
    spec = choice().spec
    wrong = {"px=9": "from -4.0 to 4.0", "mode=x": "mode 7", "a=1": "has no a"}
    for state, words in [*wrong.items(), ("play", "to play")]:
        made = kinds().spec if state == "play" else spec
        (complaint,) = check_states(f'<a href="#fig?{state}">', {"fig": made})
        assert words in complaint
    assert check_states('<a href="#fig?px=1&amp;mode=Mode+3&amp;layer=7">', {"fig": spec}) == []
    assert "no live figure" in check_states('<a href="#fog?px=1">', {"fig": spec})[0]
    assert check_states('<a href="#fig">', {"fig": spec}) == []


def test_the_link_is_copied_or_shown(saved, visit):
    page = visit(saved["radial"], permissions=["clipboard-read", "clipboard-write"])
    alive(page)
    slider = page.locator("[data-param=beta]")
    slider.focus()
    page.keyboard.press("Home")
    says(page, "beta", "-3")
    settled(page)
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Copied").wait_for()
    page.wait_for_timeout(1000)  # the readout of the state would have been said by now
    assert page.locator(".live-spoken[aria-live=polite]").text_content().endswith("copied")
    address = page.evaluate("navigator.clipboard.readText()")
    assert address == f"{saved['radial']}#figure?alpha=1&beta=-3&cx=0.5&cy=0"
    page.goto("about:blank")
    page.goto(address)
    alive(page)
    says(page, "beta", "-3")
    # Refused: it is shown, selected, and said.
    page.evaluate("() => { navigator.clipboard.writeText = async () => { throw Error('no'); }; }")
    page.get_by_role("button", name="Copy link").click()
    shown = page.get_by_label("Link to this state")
    shown.wait_for()
    assert shown.input_value() == address
    assert page.evaluate("getSelection().toString()") == address
    assert "copy it" in page.locator(".live-spoken[aria-live=polite]").text_content()
    page.get_by_role("button", name="Copy link").click()
    assert shown.count() == 1, "no second one"


def test_a_copied_link_holds_what_is_seen(saved, visit):
    page = visit(saved["kinds"])
    alive(page)
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.locator("[data-param=kind]").select_option("Large")
    page.locator("[data-param=square]").click()
    button = page.locator("button.live-quiet")
    button.click()
    wait_until(page, lambda: button.text_content() == "Copied")
    assert page.evaluate("copied") == f"{saved['kinds']}#figure?kind=Large&square=0&a=1"
    wait_until(page, lambda: button.text_content() == "Copy link")  # for the next time


# Hands on it --------------------------------------------------------------------------------------


@pytest.mark.parametrize("hand", ["slider", "key", "probe", "probe key", "link"])
def test_play_stops_at_any_input(saved, hand, visit):
    page = visit(saved["trained"])
    alive(page)
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    slider, canvas = page.locator("[data-param=t]"), page.locator("canvas[tabindex]")
    before = slider.input_value()
    wait_until(page, lambda: slider.input_value() != before)
    slider.focus()
    page.keyboard.press("Tab")
    assert page.get_by_role("button", name="Pause").count() == 1, "who looks around changes nothing"
    box = (slider if hand == "slider" else canvas).bounding_box()
    if hand == "slider":
        page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    elif hand == "probe":
        page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 3)
        page.mouse.down()
    elif hand == "link":
        page.evaluate("location.hash = '#figure?temperature=0.5'")
        says(page, "temperature", "0.5")
    else:
        (canvas if hand == "probe key" else page.locator("[data-param=temperature]")).focus()
        page.keyboard.press("ArrowLeft")
    assert page.get_by_role("button", name="Play").count() == 1
    stays = slider.input_value()
    page.evaluate("() => new Promise((go) => setTimeout(go, 200))")
    assert slider.input_value() == stays


def test_play_stops_where_a_mode_is_chosen(saved, visit):
    page = visit(saved["choice"])
    alive(page)
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    box = page.locator("canvas").nth(1).bounding_box()
    bar = box["x"] + box["width"] / 2, box["y"] + 8 + 5.5 / 8 * (box["height"] - 30)
    page.mouse.move(*bar)
    assert page.get_by_role("button", name="Pause").count() == 1
    page.mouse.click(*bar)
    assert page.get_by_role("button", name="Play").count() == 1 and value_of(page, "layer") == "5"


def thumb(page):
    """touch(kind, x, y): what a finger does."""
    session = page.context.new_cdp_session(page)

    def touch(kind, *at):
        spots = [{"x": at[0], "y": at[1]}] if at else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})

    return touch


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def test_a_thumb_that_scrolls_lets_play_go_on(saved, visit):
    page = visit(saved["trained"], **PHONE)
    alive(page)
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    canvas = page.locator("canvas[tabindex]")
    canvas.scroll_into_view_if_needed()
    box, touch = canvas.bounding_box(), thumb(page)
    touch("touchStart", box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    assert page.get_by_role("button", name="Pause").count() == 1
    touch("touchEnd")  # it was a tap: the probe is taken
    page.get_by_role("button", name="Play").wait_for()


def test_only_the_probe_takes_the_thumb(saved, visit):
    page = visit(saved["radial"], **PHONE)
    alive(page)
    handle, canvas = page.locator(".live-handle"), page.locator("canvas[tabindex]")
    box = handle.bounding_box()
    assert min(box["width"], box["height"]) >= 44
    touch = "(e) => getComputedStyle(e).touchAction"
    assert handle.evaluate(touch) == "none" and canvas.evaluate(touch) == "auto"
    assert page.locator(".live-hint").is_visible()
    # A tap elsewhere moves it there; a thumb that slides there scrolls.
    spot = canvas.bounding_box()
    page.touchscreen.tap(spot["x"] + 0.45 * spot["width"], spot["y"] + 0.2 * spot["height"])
    wait_until(page, lambda: float(value_of(page, "cx")) < 0.2)
    assert page.locator(".live-hint").count() == 0, "who has moved it needs no hint"
    settled(page)
    box, before, touch_at = handle.bounding_box(), value_of(page, "cx"), thumb(page)
    far = spot["x"] + 0.8 * spot["width"], spot["y"] + 0.8 * spot["height"]
    touch_at("touchStart", *far)
    touch_at("touchMove", far[0] + 9, far[1])
    settled(page)
    assert value_of(page, "cx") == before
    touch_at("touchCancel")
    # A drag that begins beside the ring carries it along by as much.
    x, y = box["x"] + box["width"] / 2 + 20, box["y"] + box["height"] / 2
    before = float(value_of(page, "cx"))
    for step in range(5):
        touch_at("touchMove" if step else "touchStart", x + 8 * step, y)
    touch_at("touchEnd")
    across = canvas.evaluate("(c) => c.getBoundingClientRect().width") - 42  # of the axes, about
    carried = pytest.approx(32 * 8 / across, abs=0.4)
    wait_until(page, lambda: float(value_of(page, "cx")) - before == carried)


def test_knots_are_dragged_and_their_sliders_are_put_away(saved, visit):
    page = visit(saved["knots"])
    alive(page)
    handles, away = page.locator(".live-knot"), page.locator("details.live-fold")
    assert handles.count() == 3 and not handles.first.is_visible() and not away.is_visible()
    page.locator("[data-param=kind]").select_option("mine")
    settled(page)
    assert away.is_visible() and not page.locator("[data-param=b]").is_visible()
    assert page.get_by_text("drag me").is_visible()

    def pull(k, by):
        box = handles.nth(k).bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 9  # off its middle
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x, y + by / 2)
        page.mouse.move(x + 60, y + by)  # a neighbour stays where it is
        page.mouse.up()
        page.mouse.move(x, y - by)  # let go
        settled(page)

    unit = (handles.nth(1).bounding_box()["y"] - handles.nth(2).bounding_box()["y"]) / 0.5
    pull(1, 1.2 * unit)
    assert [value_of(page, name) for name in "abc"] == ["-1", "-0.7", "1"]
    pull(0, -99 * unit)  # as far as the slider goes
    assert [value_of(page, name) for name in "abc"] == ["2", "-0.7", "1"]
    assert page.get_by_text("drag me").count() == 0
    # By keyboard: the line of text opens, and there are the sliders.
    away.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    assert value_of(page, "b") == "-0.6"
    settled(page)
    assert page.locator(".live-readout").text_content() == "2.00 −0.60 1.00"
    page.locator("[data-param=kind]").select_option("straight")
    settled(page)
    assert not away.is_visible() and not handles.first.is_visible()


MODE = "document.querySelector('[data-param=mode]').selectedIndex"


def place_of_mode_6(page):
    """It stands at (0, -3); around the axes there are 26 pixels at the left, 12 at the right, 8
    above and 22 below."""
    box = page.locator("canvas").first.bounding_box()
    return box["x"] + 26 + (box["width"] - 38) / 2, box["y"] + 8 + 7 / 8 * (box["height"] - 30)


def test_a_finger_chooses(saved, visit):
    page = visit(saved["choice"], has_touch=True)
    alive(page)
    px = value_of(page, "px")
    page.touchscreen.tap(*place_of_mode_6(page))
    wait_until(page, lambda: page.evaluate(MODE) == 6)
    assert value_of(page, "px") == px, "the probe stays"


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_the_hint_is_calm_for_those_who_ask(saved, motion, visit):
    page = visit(saved["tanh"], reduced_motion=motion)
    alive(page)
    page.wait_for_selector(".live-seen")
    hint = page.locator(".live-hint")
    moving = hint.evaluate("(e) => getComputedStyle(e).animationName")
    assert (moving == "none") == (motion == "reduce")
    box, stage = (page.locator(at).first.bounding_box() for at in (".live-hint", ".live-stage"))
    assert box["y"] > stage["y"] + stage["height"] / 2, "what a panel says, it says at the top"
    page.locator("[data-param=z0]").focus()
    page.keyboard.press("ArrowRight")
    assert hint.count() == 0


def test_a_click_chooses(saved, visit):
    page = visit(saved["choice"])
    alive(page)
    canvas, px = page.locator("canvas").first, value_of(page, "px")
    picture = canvas.evaluate("(c) => c.toDataURL()")
    box, (x, y) = canvas.bounding_box(), place_of_mode_6(page)
    stage = page.locator(".live-probed").first
    for aside, wanted in ((60, False), (8, True)):  # a small dot is hit from beside it, too
        page.mouse.move(x + aside, y)
        assert ("live-choice" in stage.get_attribute("class").split()) == wanted
    page.mouse.click(x + 8, y)
    settled(page)
    assert page.evaluate(MODE) == 6
    assert value_of(page, "px") == px, "the probe stays"
    assert canvas.evaluate("(c) => c.toDataURL()") != picture
    second = page.locator("canvas").nth(1).bounding_box()
    page.mouse.click(second["x"] + second["width"] / 2, second["y"] + 8 + 5.5 / 8 *
                     (second["height"] - 30))  # fmt: skip
    assert value_of(page, "layer") == "5"
    # Anywhere else the probe goes as ever.
    page.mouse.click(box["x"] + box["width"] / 2 + 20, box["y"] + box["height"] / 2 + 20)
    assert value_of(page, "px") != px and page.evaluate(MODE) == 6


@pytest.mark.parametrize(
    "mark, words",
    [
        (lambda: points("p", choose="a"), ["choose", "menu", "(k)", "'a'"]),
        (lambda: points("p", choose="z"), ["choose", "'z'"]),
        (lambda: points("p", choose="k"), ["k has 3 values", "2"]),
    ],
)
def test_bad_choices_are_named(mark, words):
    with pytest.raises(ValueError) as caught:
        live_figure(lambda a, k: {"p": a * torch.ones(2, 2) + k}, panel(mark()), a=(0.0, 1.0),
                    k=(0, 2))  # fmt: skip
    assert all(word in str(caught.value) for word in words)


# Names --------------------------------------------------------------------------------------------


def test_controls_have_the_texts_own_names(saved, visit):
    page = visit(saved["choice"])
    alive(page)
    assert page.get_by_role("slider", name="x1 of the point").get_attribute("data-param") == "px"
    assert page.get_by_role("slider", name="py", exact=True).count() == 1
    probe = page.locator("canvas[tabindex]").get_attribute("aria-label")
    assert "move x1 of the point and py" in probe


@pytest.mark.parametrize(
    "labels, words",
    [
        ({"gamma": "gamma"}, ["labels", "'gamma'", "alpha, loc"]), ("alpha", ["dict", "'alpha'"]),
        ({"alpha": ""}, ["text", "{'alpha': ''}"]), ({"alpha": 3}, ["text", "3"]),
        ({3: "three"}, ["labels", "3", "alpha"]), (["alpha"], ["dict", "['alpha']"]),
    ],
)  # fmt: skip
def test_bad_labels_are_named(labels, words):
    with pytest.raises(ValueError) as caught:
        live_figure(squash, labels=labels, alpha=(0.1, 3.0), loc=(-1.0, 1.0))
    assert all(word in str(caught.value) for word in words)


# Numbers that can be read -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bench(chromium):
    """A page with the library and no figure."""
    page = chromium.new_page()
    page.add_script_tag(content=f"{bundle.library()}\nwindow.write = formatNumber;")
    yield page
    page.close()


def test_numbers_are_written_as_people_do(bench):
    cases = [(-1.5, 2, "f", ""), (0.0, 1, "e", ""), (2.2e-8, 1, "e", ""), (-3e4, 1, "e", ""),
             (1e-10, 2, "e", "+"), (-0.001, 2, "f", ""), (-0.001, 2, "f", "+"), (0.25, 1, "%", ""),
             (-0.25, 1, "%", ""), (12.0, 0, "f", "+"), (float("nan"), 2, "f", "")]  # fmt: skip
    for case in cases:
        value = "NaN" if case[0] != case[0] else case[0]
        got = bench.evaluate(f"([...rest]) => write({value}, ...rest)", list(case[1:]))
        assert got == number(*case), case
        assert not re.search(r"-|e[+\d]", got)


LETTERS = """([spec, values, width]) => {
  const parent = document.createElement("div"), drawn = [];
  parent.style.width = `${width}px`;
  document.body.replaceChildren(parent);
  const plot = new Plot(spec, parent), ctx = plot.ctx;
  plot.shapes = {};
  const write = ctx.fillText.bind(ctx);
  let rim = "";
  ctx.strokeText = (text) => { rim = `${text} ${ctx.strokeStyle}`; };
  ctx.fillText = (text, x, y) => {
    const w = ctx.measureText(text).width;
    const left = x - { left: 0, center: w / 2, right: w }[ctx.textAlign];
    const turned = ctx.getTransform().b !== 0;
    drawn.push({ text, left, right: left + w, turned, color: ctx.fillStyle,
      top: y - (ctx.textBaseline === "middle" ? 5 : 0),
      rim: rim === `${text} ${COLORS.light.paper}`, alpha: ctx.globalAlpha });
    write(text, x, y);
  };
  plot.resize();
  plot.draw(values, "light");
  return { drawn, width: plot.width, box: plot.box, ink: COLORS.light.ink };
}"""


def letters(bench, made, values, width):
    """What a panel writes, and where."""
    (spec,) = resolve_limits([made], values)
    plain = {name: v.flatten().tolist() for name, v in values.items()}
    return bench.evaluate(LETTERS, [spec, plain, width])


@pytest.mark.parametrize("width", [170, 240, 380])
@pytest.mark.parametrize("kind", ["bars", "waterfall"])
@pytest.mark.parametrize(
    "values, xlim",
    [
        ([1.419, -0.749, 0.916], (-4, 4.5)), ([0.916, 0.5, 0.1], (-1, 0.9)),  # (A1)
        ([2.9, 0.013, -0.2], (-0.4, 1.2)), ([-9.0, -0.01, -30.0], (-8, 1)),  # all out of the panel
        ([1.0, 1e-9, 0.999], (0, 1)), ([-4.0, 8.0, -8.0], (-4, 4)),  # no room on either side
        ([0.0, 0.0, 0.0], (0, 1)),
    ],
)  # fmt: skip
def test_numbers_of_bars_are_whole_and_legible(bench, kind, values, xlim, width):
    make = {"bars": bars, "waterfall": waterfall}[kind]
    made = panel(make("v", ["a", "b", "c"], **{"highlight": "k"} if kind == "bars" else {}),
                 xlim=xlim)  # fmt: skip
    done = letters(bench, made, {"v": torch.tensor(values), "k": torch.tensor(1)}, width)
    inner = [d for d in done["drawn"] if d["left"] >= done["box"]["x"] - 0.5 and d["rim"]]
    assert len(inner) == 3 + (kind == "waterfall"), "each has its number"
    for d in inner:
        assert d["right"] <= done["box"]["x"] + done["box"]["w"] + 0.5, d
        assert d["color"] == done["ink"] and d["alpha"] == 1, "ink, with a rim of paper"
    # A bar that goes on beyond the panel says so.
    ends = torch.tensor(values).cumsum(0) if kind == "waterfall" else torch.tensor(values)
    pixel = (xlim[1] - xlim[0]) / done["box"]["w"]
    for d, end in zip(inner, ends.tolist(), strict=False):
        assert ("→" in d["text"]) == (end > xlim[1] + pixel), d
        assert ("←" in d["text"]) == (end < xlim[0] - pixel), d


def test_rows_have_names_beside_them_and_words_in_a_panel_a_rim(bench):
    """(As numbers of heights they would say nothing, and in the panel they fell on one another.)"""
    made = panel(points("v"), text(0.5, 1, "here"), names=["one", "two", "three"], xlim=(0, 1))
    done = letters(bench, made, {"v": torch.tensor([[0.2, 0.0], [0.4, 2.0]])}, 200)
    beside = [d for d in done["drawn"] if d["right"] <= done["box"]["x"]]
    assert [d["text"] for d in sorted(beside, key=lambda d: d["top"])] == ["three", "two", "one"]
    assert all(d["left"] >= 0 for d in beside)
    assert [d["text"] for d in done["drawn"] if d["rim"]] == ["here"]


def test_the_words_of_the_coupling_stay_in_their_boxes(bench):
    """Chapter 4's first figure, on a phone, at the ends of its sliders."""
    chapter = nbformat.read(ROOT / "chapters" / "4_realnvp.ipynb", as_version=4)
    (boxes,) = [c.source for c in chapter.cells if "def box(x, y" in c.source]
    space = {"torch": torch, "line": line}
    exec(boxes, space)
    states = chapter.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    made = states["4_realnvp-fig-1"]["state"]["spec"]["panels"][0]
    made |= {"marks": [mark for mark in made["marks"] if mark["kind"] == "text"]}
    (x0, x1), (y0, y1) = made["xlim"], made["ylim"]
    for back, far in ((0, -3.0), (1, -3.0)):
        values = {"back_now": back, "a": far, "b": far, "s": -0.7, "t": -1.3, "out": -8.66,
                  "middle": -6.04}  # fmt: skip
        done = bench.evaluate(LETTERS, [made, values, 346])
        box, seen = done["box"], 0
        for outline in [*space["kept"], *space["moved"]]:
            x = box["x"] + (outline[:, 0] - x0) * box["w"] / (x1 - x0)
            y = box["y"] + (y1 - outline[:, 1]) * box["h"] / (y1 - y0)
            for d in done["drawn"]:
                if (
                    x.min() < (d["left"] + d["right"]) / 2 < x.max()
                    and y.min() < d["top"] < y.max()
                ):
                    # (A rim of 2 pixels is around the words; the words are 9 above their line.)
                    assert x.min() + 3 <= d["left"] and d["right"] <= x.max() - 3, d
                    assert y.min() + 11 <= d["top"] <= y.max() - 3, d
                    seen += 1
        assert seen == 7, "each box has its words"


NAMES = ["KL(p || model)", "KL(model || p)"]


@pytest.mark.parametrize("width, lines", [(165, 2), (400, 1)])
def test_names_of_bars_leave_them_room(bench, width, lines):
    """On a phone long names go on in a second line, and a number stands wholly on its bar."""
    made = panel(bars("v", NAMES), xlim=(0, 6))
    done = letters(bench, made, {"v": torch.tensor([0.1054, 3.943])}, width)
    box, drawn = done["box"], done["drawn"]
    beside = sorted((d for d in drawn if d["right"] <= box["x"] and d["top"] < box["y"] + box["h"]),
                    key=lambda d: d["top"])  # fmt: skip
    assert len(beside) == 2 * lines and all(d["left"] >= 0 for d in beside)
    assert " ".join(d["text"] for d in beside) == " ".join(NAMES)
    assert box["w"] > width / 2
    end = box["x"] + 3.943 / 6 * box["w"]
    (number,) = (d for d in drawn if d["text"] == "3.943")
    assert number["right"] <= end or number["left"] >= end


@pytest.mark.parametrize("width", [130, 170, 188, 250, 460])
@pytest.mark.parametrize("limits", [(0, 400), (-5000, 5000), (0, 0.0004), (-0.25, 1.2), (-4, 4)])
def test_labels_of_axes_are_whole(bench, limits, width):
    made = panel(points("v"), xlim=limits, ylim=limits, x="steps", y="a long label")
    done = letters(bench, made, {"v": torch.zeros(2, 2)}, width)
    flat = [d for d in done["drawn"] if not d["turned"]]
    assert len(flat) >= 3
    for d in flat:
        assert d["left"] >= 0 and d["right"] <= done["width"], d
    for a in flat:  # side by side, and not one over the other
        for b in flat:
            apart = a is b or abs(a["top"] - b["top"]) >= 10
            assert apart or a["right"] + 2 <= b["left"] or b["right"] + 2 <= a["left"], (a, b)


# Room ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tanh", "trained", "six", "radial", "choice", "knots"])
@pytest.mark.parametrize("width", some_of([360, 390, 430], [360]))
def test_a_figure_and_its_controls_fit_a_phone(saved, name, width, visit):
    page = visit(saved[name], viewport={"width": width, "height": 844}, is_mobile=True,
                 has_touch=True)  # fmt: skip
    alive(page)
    settled(page)
    figure = page.locator(".live-figure").bounding_box()
    first = page.locator(".live-control").first.bounding_box()
    assert first["y"] + first["height"] - figure["y"] <= 560, "picture and a control"
    assert figure["height"] <= 700
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if page.get_by_role("button", name="Play").count():
        play = page.get_by_role("button", name="Play").bounding_box()
        assert play["y"] < first["y"], "Play first"
    tops = [c.bounding_box() for c in page.locator("canvas").all()]
    assert abs(tops[0]["y"] - tops[1]["y"]) < 2, "two panels in a row"
    if name == "knots":  # put away under a line of text
        page.locator("[data-param=kind]").select_option("mine")
        page.locator("summary").click()
    for slider in page.locator("input[type=range]").all():
        assert slider.bounding_box()["width"] >= 0.4 * figure["width"], "for a thumb"


@pytest.mark.parametrize("width", some_of([700, 820, 1100]))
@pytest.mark.parametrize("name", ["tanh", "trained", "choice"])
def test_panels_and_controls_align(saved, name, width, visit):
    page = visit(saved[name], viewport={"width": width, "height": 900})
    alive(page)
    settled(page)
    rows = {}
    for box in [c.bounding_box() for c in page.locator("canvas").all()]:
        rows.setdefault(round(box["y"]), set()).add(round(box["height"]))
    assert all(len(heights) == 1 for heights in rows.values()), rows
    sliders = [s.bounding_box() for s in page.locator("input[type=range]").all()]
    assert len({(round(s["x"]), round(s["width"])) for s in sliders}) <= 2, "two columns at most"
    holder = page.locator(".live-figure").bounding_box()
    last = page.get_by_role("button").last.bounding_box()
    assert abs(last["x"] + last["width"] - holder["x"] - holder["width"]) <= 2, "at the right"


def test_default_views_are_smooth():
    figure = live_figure(
        lambda z, a: torch.stack([z[:, 0] + a * z[:, 1], z[:, 1]], 1), a=(0.0, 1.0)
    )
    _, grid, density = figure.spec["panels"]
    shapes = figure.spec["shapes"]
    assert shapes[grid["marks"][0]["xy"]][:2] == [61, 61], "61 points a line"
    assert shapes[density["marks"][0]["value"]] == [61, 61], "a value at each corner"
    assert figure.png()[:4] == b"\x89PNG"


SHADE = """([rows, columns, folded]) => {
  const parent = document.createElement("div");
  parent.style.width = "300px";
  document.body.replaceChildren(parent);
  const mark = { kind: "mesh", xy: "xy", value: "v", palette: "density", limits: [0, 2] };
  const spec = { marks: [mark], xlim: [-1, 1], ylim: [-1, 1], equal: true, x: "", y: "" };
  const plot = new Plot(spec, parent), xy = [], n = rows * columns;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const x = (2 * j) / (columns - 1) - 1;
      xy.push(folded ? Math.abs(x) : x + 0.1 * Math.sin(3 * i), (2 * i) / (rows - 1) - 1);
    }
  }
  plot.shapes = { xy: [rows, columns, 2], v: [rows, columns] };
  plot.resize();
  plot.draw({ xy, v: new Float32Array(n).fill(0.5) }, "light");
  return [[...mark.sums], Math.ceil(plot.box.w)];
}"""


@pytest.mark.parametrize("folded", [False, True])
def test_a_mesh_has_no_seams_and_adds_up_where_it_folds(bench, folded):
    sums, width = bench.evaluate(SHADE, [31, 25, folded])
    sums = torch.tensor([float("nan") if v is None else v for v in sums]).reshape(-1, width)
    inner = sums[5:-5, width // 2 + 5 : -20] if folded else sums[5:-5, 25:-25]
    assert (inner == (1.0 if folded else 0.5)).all(), "each pixel once for each sheet"


def test_what_is_said_below_a_single_panel_begins_where_the_controls_do(saved, visit):
    """The panel is not as wide as the figure."""
    page = visit(saved["kinds"])
    alive(page)
    panel, said, controls = (
        page.locator(part).bounding_box()
        for part in (".live-single > .live-panel", ".live-readout", ".live-controls")
    )
    assert panel["width"] < controls["width"]
    for side in ("x", "width"):
        assert abs(said[side] - controls[side]) < 1


def test_what_was_sought_is_found_and_said(saved, visit):
    """In words, for all, politely; gone when it no longer holds; and nothing moves meanwhile."""
    page = visit(saved["sought"])
    alive(page)
    readout, found = page.locator(".live-readout"), page.locator(".live-found")
    spoken = page.locator(".live-spoken[aria-live=polite]")
    below = page.locator(".live-controls").bounding_box()["y"]
    assert found.text_content() == "" and "Found" not in readout.text_content()
    for value, there in ((1.5, True), (1.0, False), (2.0, True)):
        slide(page, "a", value)
        wait_until(page, lambda there=there: bool(found.text_content()) == there)
        wait_until(
            page, lambda there=there: ("Found: it is large." in spoken.text_content()) == there
        )
        assert spoken.text_content() == readout.text_content()
        figure = sought()
        figure.a = value
        agree(readout.text_content(), figure.readout())
        assert page.locator(".live-controls").bounding_box()["y"] == below
    assert page.evaluate("(e) => getComputedStyle(e, '::before').content",
                         found.element_handle()).startswith('"✓"')  # fmt: skip


NARROW = {"width": 390, "height": 844}


def test_a_shorter_sentence_keeps_the_room_of_a_longer_one(saved, visit):
    """Sliders went up and down under the finger."""
    page = visit(saved["wordy"], viewport=NARROW)
    alive(page)
    readout, tops = page.locator(".live-readout"), []
    for value, words in ((0, "near"), (1, "far and"), (0, "near")):
        slide(page, "a", value)
        wait_until(page, lambda words=words: readout.text_content().startswith(words))
        tops.append(page.locator(".live-controls").bounding_box()["y"])
    assert tops[0] < tops[1] == tops[2]
    assert "far" not in readout.inner_text()


def test_on_a_phone_sliders_stand_in_pairs_also_in_a_fold(saved, visit):
    """The first of two in a fold had half a row, and the second a whole one."""
    page = visit(saved["choice"], viewport=NARROW)
    alive(page)
    rows = {p: page.locator(f".live-control:has([data-param={p}])").bounding_box()
            for p in ("mode", "layer", "px", "py")}  # fmt: skip
    for one, other in (("mode", "layer"), ("px", "py")):
        assert abs(rows[one]["y"] - rows[other]["y"]) < 5, (one, other)
        assert rows[one]["width"] == rows[other]["width"]
    page = visit(saved["knots"], viewport=NARROW)
    alive(page)
    page.evaluate("document.querySelector('.live-fold').open = true")
    page.locator("[data-param=kind]").select_option("mine")
    a, b, c = (page.locator(f".live-control:has([data-param={p}])").bounding_box() for p in "abc")
    assert a["y"] == b["y"] and c["width"] > a["width"] + b["width"], "the last has the whole row"


def test_room_is_kept_for_what_is_found():
    spec = {"panels": [{"width": 1.0, "equal": True}] * 2, "params": [{}], "readout": "x"}
    desk, phone = heights(spec)
    assert heights(spec | {"goal": {"name": "a", "said": "x"}}) == (desk + 20, phone + 20)


def test_readouts_of_old_figures_agree():
    agree("sum −0.50, log-det: 2.2\xa0×\xa010⁻⁸", "sum -0.50, log-det: 1.1e-16")
    with pytest.raises(AssertionError):
        agree("sum 0.50", "sum -0.50")
