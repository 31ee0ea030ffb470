"""A figure in the hands of a reader, in Chromium: keys, mouse, buttons, what is said and what is
seen. (What each mark looks like, in detail: test_live_drawing.py.)"""

import math

import pytest
import torch
from test_live_figure import PICTURES, alive, settled

import live

# The axes of each panel and its circles, as the scripts draw them, in pixels of the page.
WATCH = """
const own = CanvasRenderingContext2D.prototype, { rect, arc, clearRect } = own;
own.rect = function (...r) { this.canvas.axes = r; return rect.apply(this, r); };
own.arc = function (...a) { (this.canvas.circles ??= []).push(a); return arc.apply(this, a); };
own.clearRect = function (...r) { this.canvas.circles = []; return clearRect.apply(this, r); };
"""
BLOCKS = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 6.0]])


def scene(alpha, steps, kind, square, px, py, t):
    side = torch.linspace(-2, 2, 5)
    return {
        "sum": alpha + 10 * steps + 100 * kind + 1000 * square, "side": side,
        "up": side * 0 + 0.4, "blocks": BLOCKS + 0 * t, "nothing": torch.log(alpha - 3),
    }  # fmt: skip


def figure():
    return live.live_figure(
        scene,
        live.panel(live.heat("blocks", (0, 4, 0, 2), palette="diverging", limits=(0, 6)),
                   title="blocks", xlim=(-1, 5), ylim=(-0.5, 2.5)),
        live.panel(live.line("side", "up", color="orange", width=9), probe=("px", "py"),
                   title="probe", x="across", y="up", xlim=(-2, 6), ylim=(-3, 1)),
        readout="sum {sum:.2f}; {kind}; probe ({px:.2f}, {py:.2f}); t {t:.1f}; {nothing:.1f}",
        alt="Six blocks, and a probe.", caption="A figure <to> try.", play="t",
        alpha=(0.0, 2.0, 0.05, 1.0), steps=(0, 9, 3), kind=[("small", 2), ("large", 7)],
        square=True, px=(-2.0, 6.0, 0.0), py=(-3.0, 1.0, 0.0), t=(0.0, 8.0, 2.0),
    )  # fmt: skip


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("controls") / "figure.html"
    figure().save_html(path)
    return path.as_uri()


SIZE = {"width": 1000, "height": 800}


@pytest.fixture
def page(open_tab, address, request):
    """The figure on a page of its own, in its default state. (Marker values: of the context.)"""
    more = getattr(request, "param", {})
    tab = open_tab(address, lambda tab: tab.add_init_script(WATCH), **{"viewport": SIZE} | more)
    alive(tab)
    return tab


@pytest.fixture
def timed(open_tab, address, request):
    """The same, and time goes on only where the test says so: `clock.run_for`."""
    more = getattr(request, "param", {})
    tab = open_tab(address, lambda tab: tab.clock.install(), **{"viewport": SIZE} | more)
    alive(tab)
    tab.clock.pause_at(tab.evaluate("Date.now()") / 1000 + 1)
    return tab


def handle(page, name):
    return page.locator(f"[data-param={name}]")


def value(page, name) -> float:
    return float(handle(page, name).input_value())


def beside(page, name) -> str:
    """The number beside a slider."""
    return page.locator(f".live-control:has([data-param={name}]) output").text_content()


def shown(number, digits) -> str:
    """As a slider shows it: a whole number as such, and a true minus."""
    return f"{number:.{0 if float(number).is_integer() else digits}f}".replace("-", "−")


def said(page) -> str:
    return page.locator(".live-readout").text_content()


def total(page) -> float:
    return float(said(page).split(";")[0].removeprefix("sum "))


def press(page, name, *keys):
    handle(page, name).focus()
    for key in keys:
        page.keyboard.press(key)
    settled(page)


def test_the_figure_starts_as_declared(page):
    assert said(page) == "sum 1231.00; small; probe (0.00, 0.00); t 2.0; none"
    names = ["alpha", "steps", "kind", "square", "px", "py", "t"]
    controls = page.locator("[data-param]").evaluate_all("(l) => l.map((e) => e.dataset.param)")
    assert controls == names
    for name in names:
        assert handle(page, name).evaluate("(e) => e.labels[0].textContent") == name
    assert [beside(page, name) for name in ("alpha", "steps", "t")] == ["1", "3", "2"]
    assert handle(page, "alpha").evaluate("(e) => [e.min, e.max, e.step]") == ["0", "2", "0.05"]
    assert page.locator(".live-title").all_text_contents() == ["blocks", "probe"]
    assert page.locator("figcaption").text_content() == "A figure <to> try."


@pytest.mark.parametrize(
    "key, new",
    [("ArrowRight", 1.05), ("ArrowUp", 1.05), ("ArrowLeft", 0.95), ("ArrowDown", 0.95),
     ("Home", 0.0), ("End", 2.0)],
)  # fmt: skip
def test_keys_move_a_slider_its_number_and_the_figure(page, key, new):
    press(page, "alpha", key)
    assert value(page, "alpha") == pytest.approx(new)
    assert beside(page, "alpha") == shown(round(new, 2), 2)
    assert total(page) == pytest.approx(1230 + new)


def test_pages_are_longer_steps(page):
    press(page, "alpha", "PageUp")
    assert 1.05 < value(page, "alpha") < 2 and float(beside(page, "alpha")) == value(page, "alpha")
    press(page, "alpha", "PageDown", "PageDown")
    assert 0 < value(page, "alpha") < 0.95
    press(page, "steps", "ArrowRight", "ArrowRight", "ArrowLeft")
    assert (value(page, "steps"), beside(page, "steps")) == (4, "4")
    assert total(page) == pytest.approx(1240 + value(page, "alpha"))


def test_the_mouse_moves_a_slider(page):
    box = handle(page, "steps").bounding_box()
    for share, wanted in ((0.95, 9), (0.05, 0)):
        page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        settled(page)
        assert (value(page, "steps"), beside(page, "steps")) == (wanted, str(wanted))
        assert total(page) == 1201 + 10 * wanted


def test_a_check_box_says_what_it_is(page):
    box = handle(page, "square")
    assert box.is_checked() and total(page) == 1231
    press(page, "square", "Space")
    assert not box.is_checked() and total(page) == 231
    box.click()
    settled(page)
    assert box.is_checked() and total(page) == 1231


def test_a_menu_gives_the_number_of_its_text(page):
    menu = handle(page, "kind")
    assert menu.evaluate("(e) => [...e.options].map((o) => o.textContent)") == ["small", "large"]
    press(page, "kind", "ArrowDown")
    assert "; large;" in said(page) and total(page) == 1731 and menu.input_value() == "1"
    menu.select_option("small")
    settled(page)
    assert "; small;" in said(page) and total(page) == 1231


def test_reset_restores_all(page):
    before, picture = said(page), page.evaluate(PICTURES)
    for name in ("alpha", "steps", "px", "py", "t"):
        press(page, name, "End")
    press(page, "kind", "ArrowDown")
    press(page, "square", "Space")
    assert said(page) == "sum 792.00; large; probe (6.00, 1.00); t 8.0; none"
    assert page.evaluate(PICTURES) != picture
    page.get_by_role("button", name="Reset").click()
    settled(page)
    assert said(page) == before and page.evaluate(PICTURES) == picture
    assert [value(page, n) for n in ("alpha", "steps", "px", "py", "t")] == [1, 3, 0, 0, 2]
    assert [beside(page, n) for n in ("alpha", "steps", "t")] == ["1", "3", "2"]
    assert handle(page, "square").is_checked() and handle(page, "kind").input_value() == "0"


def test_play_runs_to_the_end_and_stops(timed):
    button = timed.locator(".live-buttons button").first
    assert button.text_content() == "Play"
    button.click()
    assert button.text_content() == "Pause"
    seen = [value(timed, "t")]
    for _ in range(4):
        timed.clock.run_for(500)
        seen.append(value(timed, "t"))
    assert seen == sorted(set(seen)), "on and on"
    assert seen[0] < 3 and 5 < seen[-1] < 7, "8 in four seconds, from 2"
    assert float(beside(timed, "t")) == pytest.approx(seen[-1], abs=0.05)
    assert f"; t {seen[-1]:.1f};" in said(timed)
    timed.clock.run_for(3000)
    assert value(timed, "t") == 8 and button.text_content() == "Play"
    assert beside(timed, "t").startswith("8") and "; t 8.0;" in said(timed)
    button.click()  # from the end it starts anew
    timed.clock.run_for(400)
    assert 0 < value(timed, "t") < 3 and button.text_content() == "Pause"
    button.click()
    rest = value(timed, "t")
    timed.clock.run_for(3000)
    assert value(timed, "t") == rest and button.text_content() == "Play"


@pytest.mark.parametrize("timed", [{"reduced_motion": "reduce"}], indirect=True, ids=["calm"])
def test_play_takes_few_steps_where_motion_is_reduced(timed):
    timed.locator(".live-buttons button").first.click()
    seen = [value(timed, "t")]
    for _ in range(6):
        timed.clock.run_for(300)
        seen.append(value(timed, "t"))
    assert sorted(set(seen)) == [3, 4, 5, 6], "an eighth of the range each time, two in a second"
    timed.clock.run_for(3000)
    assert value(timed, "t") == 8


def test_reset_stops_play(timed):
    button = timed.locator(".live-buttons button").first
    button.click()
    timed.clock.run_for(1000)
    assert value(timed, "t") > 3
    timed.get_by_role("button", name="Reset").click()
    timed.clock.run_for(3000)
    assert value(timed, "t") == 2 and button.text_content() == "Play" and "; t 2.0;" in said(timed)


def test_what_is_said_to_those_who_do_not_see(timed):
    """Once, when the figure rests: not at each of a hundred steps, and not before it is moved."""
    group = timed.get_by_role("group", name="Six blocks, and a probe.")
    assert group.count() == 1
    spoken = timed.locator(".live-spoken[aria-live=polite]")
    readout = timed.locator(".live-readout")
    assert spoken.count() == 1 and readout.get_attribute("aria-live") == "off"
    timed.clock.run_for(5000)
    assert spoken.text_content() == ""
    handle(timed, "alpha").focus()
    for _ in range(3):
        timed.keyboard.press("ArrowRight")
        timed.clock.run_for(200)
        assert spoken.text_content() == ""
    assert total(timed) == pytest.approx(1231.15)
    timed.clock.run_for(3000)
    assert spoken.text_content() == said(timed) and total(timed) == pytest.approx(1231.15)
    for slider in ("alpha", "steps"):
        role = timed.get_by_role("slider", name=slider, exact=True)
        assert role.count() == 1, "the slider itself says its value"
    numbers = timed.locator(".live-control output")
    assert set(numbers.evaluate_all("(l) => l.map((e) => e.getAttribute('aria-live'))")) == {"off"}
    assert timed.get_by_role("img", name="blocks").count() == 1
    probe = timed.get_by_role("application", name="probe, horizontal: across, vertical: up")
    assert probe.count() == 1
    assert probe.get_attribute("aria-label").endswith("; arrow keys move px and py")
    assert timed.get_by_role("checkbox", name="square").count() == 1
    assert timed.get_by_role("combobox", name="kind").count() == 1


def place(page, panel, x, y):
    """Where a point of a panel lies on the page: from the axes as they were drawn."""
    canvas = page.locator("canvas").nth(panel)
    left, top, width, height = canvas.evaluate("(c) => c.axes")
    (x0, x1), (y0, y1) = (((-1, 5), (-0.5, 2.5)), ((-2, 6), (-3, 1)))[panel]
    box = canvas.bounding_box()
    return (box["x"] + left + (x - x0) / (x1 - x0) * width,
            box["y"] + top + (y1 - y) / (y1 - y0) * height)  # fmt: skip


def test_the_probe_goes_where_it_is_put(page):
    canvas = page.locator("canvas").nth(1)
    canvas.scroll_into_view_if_needed()
    page.mouse.move(*place(page, 1, 3, -2))
    page.mouse.down()
    for x, y in ((3, -2), (-1, 0.5)):  # put down, then dragged
        if x < 0:
            page.mouse.move(*place(page, 1, x, y))
        settled(page)
        assert value(page, "px") == pytest.approx(x, abs=0.1)
        assert value(page, "py") == pytest.approx(y, abs=0.05)
        box = canvas.bounding_box()
        ((cx, cy, *_),) = canvas.evaluate("(c) => c.circles")
        wanted = place(page, 1, value(page, "px"), value(page, "py"))
        assert math.dist((box["x"] + cx, box["y"] + cy), wanted) < 1, "drawn there"
        at = f"probe ({value(page, 'px'):.2f}, {value(page, 'py'):.2f})"
        assert at.replace("-", "−") in said(page)
        assert [beside(page, n) for n in ("px", "py")] == [
            shown(value(page, "px"), 1), shown(value(page, "py"), 2)
        ]  # fmt: skip
    page.mouse.move(*place(page, 1, 9, 9))  # beyond the axes
    settled(page)
    assert (value(page, "px"), value(page, "py")) == (6, 1)
    assert "probe (6.00, 1.00)" in said(page), "the function's own range, too"
    page.mouse.up()
    page.mouse.move(*place(page, 1, 0, 0))
    settled(page)
    assert (value(page, "px"), value(page, "py")) == (6, 1), "let go"


@pytest.mark.parametrize(
    "key, name, sign",
    [("ArrowRight", "px", 1), ("ArrowLeft", "px", -1), ("ArrowUp", "py", 1),
     ("ArrowDown", "py", -1)],
)  # fmt: skip
def test_arrow_keys_move_the_probe(page, key, name, sign):
    page.set_viewport_size(SIZE | {"height": 300})
    page.locator("canvas").nth(1).focus()
    page.evaluate("scrollTo(0, 99)")
    for _ in range(5):
        page.keyboard.press(key)
    settled(page)
    width = 8 if name == "px" else 4
    assert 0.02 * width < sign * value(page, name) < 0.2 * width
    assert value(page, "py" if name == "px" else "px") == 0
    assert page.evaluate("scrollY") == 99, "the page stays"
    page.keyboard.press("Enter")
    settled(page)
    assert 0.02 * width < sign * value(page, name) < 0.2 * width


def pixel(page, panel, x, y) -> list[int]:
    """The colour (r, g, b, a) of the screen's pixel at a point of a panel."""
    canvas = page.locator("canvas").nth(panel)
    box = canvas.bounding_box()
    at = place(page, panel, x, y)
    return canvas.evaluate(
        """(c, [x, y]) => {
          const d = window.devicePixelRatio;
          const at = [Math.floor(x * d), Math.floor(y * d)];
          return [...c.getContext("2d").getImageData(...at, 1, 1).data];
        }""",
        [at[0] - box["x"], at[1] - box["y"]],
    )


# The diverging palette at 0, 1, 2, 3, 4 and 6 of 6: from blue by grey to orange. And the line's.
SEEN = {
    "light": ([(1, 115, 178), (70, 146, 188), (139, 177, 198), (208, 208, 208), (210, 170, 139),
               (213, 94, 0)], (213, 94, 0)),
    "dark": ([(86, 180, 233), (87, 152, 189), (89, 123, 146), (90, 95, 102), (145, 113, 95),
              (255, 149, 80)], (255, 149, 80)),
}  # fmt: skip


@pytest.mark.parametrize(
    "page",
    [{"color_scheme": mode, "device_scale_factor": d} for mode in SEEN for d in (1, 2)],
    indirect=True, ids=["light", "light, fine", "dark", "dark, fine"],
)  # fmt: skip
def test_pixels_of_the_screen(page):
    mode = page.locator(".live-figure").get_attribute("data-mode")
    density = page.evaluate("window.devicePixelRatio")
    assert mode == page.evaluate(
        "matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'"
    )
    for canvas in page.locator("canvas").all():
        width, box = canvas.evaluate("(c) => c.width"), canvas.bounding_box()
        assert abs(width - density * box["width"]) <= density
    blocks, line = SEEN[mode]
    for k, color in enumerate(blocks):  # row 0 at the bottom, from left to right
        got = pixel(page, 0, 2 * (k % 3), 2 * (k // 3))
        # (The browser smooths between the blocks; their colours are 50 apart and more.)
        assert got[3] == 255 and max(abs(a - b) for a, b in zip(got, color, strict=False)) <= 20, k
    assert pixel(page, 1, 1.7, 0.4) == [*line, 255]
    assert pixel(page, 1, 1.7, -0.4)[3] == 0, "and nothing below the line: the page shows through"


def test_the_book_s_switch_turns_a_figure_dark_and_back(page):
    first = pixel(page, 1, 1.7, 0.4)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    settled(page)
    assert pixel(page, 1, 1.7, 0.4) == [*SEEN["dark"][1], 255] != first
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    settled(page)
    assert pixel(page, 1, 1.7, 0.4) == first == [*SEEN["light"][1], 255]


def test_a_figure_on_another_monitor_is_sharp_again(page):
    def width():
        return page.locator("canvas").first.evaluate("(c) => c.width / c.clientWidth")

    assert width() == pytest.approx(1, abs=0.01)
    page.context.new_cdp_session(page).send(
        "Emulation.setDeviceMetricsOverride",
        # (Chromium looks at its media queries when the window is laid out: the height changes too.)
        {"width": 1000, "height": 801, "deviceScaleFactor": 3, "mobile": False},
    )
    page.wait_for_function(
        "Math.abs(document.querySelector('canvas').width / "
        "document.querySelector('canvas').clientWidth - 3) < 0.02"
    )  # by itself: nobody has touched it
    assert width() == pytest.approx(3, abs=0.02)
    assert pixel(page, 1, 1.7, 0.4) == [*SEEN["light"][1], 255]


def test_on_a_page_that_runs_to_the_left_numbers_and_axes_run_to_the_right(page):
    before = page.evaluate("document.querySelector('canvas').toDataURL()")
    order = "[...document.querySelectorAll('.live-panel')].map((p) => Math.sign(p.offsetLeft))"
    places = page.evaluate(order)
    page.evaluate("document.documentElement.dir = 'rtl'")
    press(page, "alpha", "ArrowRight")
    press(page, "alpha", "ArrowLeft")
    assert page.evaluate("document.querySelector('canvas').toDataURL()") == before
    assert page.evaluate(order) == places
    assert value(page, "alpha") == 1.0


def test_paper_is_light(page):
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    settled(page)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert pixel(page, 1, 1.7, 0.4) == [*SEEN["light"][1], 255]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert pixel(page, 1, 1.7, 0.4) == [*SEEN["dark"][1], 255]
