"""Every live figure of the built book, with the network blocked: moved by keyboard and by mouse,
and held against what torch computed for it when its notebook ran (live/figure/reference.py)."""

import gzip
import itertools
import json
import os
import re
from pathlib import Path

import pytest
from browser import wait_until
from samples import some_of
from test_live_figure import PICTURES, agree, alive, settled

from live.compiler import runtime
from live.figure.controls import argument
from live.figure.reference import between, states
from live.page.site import figures, picture_name

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("COURSE_SITE", ROOT / "_build" / "html"))
PAGES = sorted(
    str(page.relative_to(SITE))
    for page in SITE.rglob("*.html")
    if "_static" not in page.parts and "data-live=" in page.read_text(encoding="utf-8")
)
SOURCES = [*sorted((ROOT / "chapters").glob("*.ipynb")), *sorted(ROOT.glob("*.live.json"))]
SUMMARIES = """([code, data, lists]) => {
  const scene = (0, eval)(code)(live.decode(data), live);
  const summary = (value) => {
    const v = ArrayBuffer.isView(value) ? value : [+value];
    let n = 0, largest = 0, sum = 0, wave = 0;
    v.forEach((x, i) => {
      if (!Number.isFinite(x)) return;
      n++; largest = Math.max(largest, Math.abs(x)); sum += x; wave += x * Math.cos(i);
    });
    return [v.length, n, largest, sum / Math.max(1, n), wave / Math.max(1, n)];
  };
  return lists.map((given) =>
    Object.fromEntries(Object.entries(scene(...given)).map(([name, v]) => [name, summary(v)])));
}"""


def stored(path: Path) -> dict[str, dict]:
    """Live figures of a notebook or of a page's .live.json: name of the picture -> state."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if path.suffix == ".json":
        return content
    found = figures(content)
    for cell in content["cells"]:
        for output in cell.get("outputs", []):
            if "live_reference" in output.get("metadata", {}):
                name = picture_name(output["data"])
                found[name]["reference"] = json.loads(output["metadata"]["live_reference"])
    return found


STORED = {name: model for path in SOURCES for name, model in stored(path).items()}


def controls(path: str) -> list[str]:
    """Of all figures of a page: a slider of floats or ints, a menu, a box to check."""
    images = re.findall(r"<img[^>]*data-live[^>]*>", (SITE / path).read_text(encoding="utf-8"))
    pictures = [Path(re.search(r'src="([^"]+)"', image)[1]).stem for image in images]
    found = [p["kind"] for k in pictures if k in STORED for p in STORED[k]["spec"]["params"]]
    return found or ["another book's"]


# A figure's day is the doing of scripts that all pages share: the landing page will do, whose
# figure plays, and a page that begins with a control of another kind.
OF_EACH_KIND = {controls(path)[0]: path for path in reversed(PAGES)}
DAYS = list(dict.fromkeys([*PAGES[-1:], *OF_EACH_KIND.values()]))


def pages_with_all_kinds() -> list[str]:
    """Pages with few controls which, together, have one of each kind."""
    chosen, seen = [], set()
    for path in sorted(PAGES, key=lambda path: len(controls(path))):
        if set(controls(path)) - seen:
            chosen.append(path)
            seen |= set(controls(path))
    return chosen


def test_the_book_has_live_figures():
    assert SITE.exists(), "the site is not built: run `make book`"
    assert PAGES, "no page has a live figure"
    for name, model in STORED.items():
        assert "reference" in model, f"{name}: run `make execute`"
        wanted = [state for _, state in states(model["spec"]["params"])]
        assert [entry["set"] for entry in model["reference"]] == wanted


# What flows along the lanes of the diagram are the numbers of these sliders.
SLIDERS_BESIDE_A_PROBE = {("a", "b")}


def test_the_sliders_of_a_point_in_the_plane_are_put_away():
    """One drags the point: its two sliders are for those who want an exact number."""
    for name, model in STORED.items():
        away = (model["spec"].get("fold") or {}).get("names", [])
        for panel in model["spec"]["panels"]:
            point = tuple(panel["probe"] or ())
            if all(point) and len(point) == 2 and point not in SLIDERS_BESIDE_A_PROBE:
                assert set(point) <= set(away), f"{name}: {point}"


def test_signed_bars_have_colours_of_their_own():
    """Else the orange of one panel's curve would mean "negative" in the next."""
    for name, model in STORED.items():
        marks = [mark for panel in model["spec"]["panels"] for mark in panel["marks"]]
        curves = {m["color"] for m in marks if m["kind"] == "line" and m["color"] != "blue"}
        for mark in marks:
            if mark["kind"] == "waterfall":
                assert not curves & {mark["color"], mark["negative"]}, name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_compiled_scenes_agree_with_torch(path, chromium):
    """Each tensor that a page draws, by summaries, in float64: at the corners of the parameters, at
    ends and middles, and at random ones."""
    page = chromium.new_page()
    page.add_script_tag(content=f"{runtime.text()}\nwindow.live = live;")
    for model in stored(path).values():
        params, entries = model["spec"]["params"], model["reference"]
        given = [[argument(p, entry["set"][p["name"]]) for p in params] for entry in entries]
        answers = page.evaluate(SUMMARIES, [model["code"], model["data"], given])
        for entry, answer in zip(entries, answers, strict=True):
            assert entry["tensors"].keys() == answer.keys() - entry["set"].keys()
            for name, (n, finite, *wanted, worst, mean, ties) in entry["tensors"].items():
                case, got = (name, entry["set"], answer[name], wanted), answer[name]
                assert got[0] == n and abs(got[1] - finite) <= max(2 * ties, 0.01 * n), case
                if got[1] != finite:  # points of a lattice lay on a border: others are drawn
                    continue
                # Or, where torch's own float32 is further off, about as good as that. Where some
                # entries are left out, points on the border may fall on either side.
                float32 = (1e-5 if finite == n else 0.1) * max(1.0, wanted[0])
                for a, b, off in zip(got[2:], wanted, (worst, mean, mean), strict=True):
                    assert abs(a - b) <= max(float32, 4 * off), case
    page.close()


@pytest.mark.parametrize("path", PAGES)
def test_scripts_of_a_page_are_small(path):
    """Code and weights, compressed, without what all pages share (see test_live_figure.py)."""
    names = set(
        re.findall(
            r"_static/live/((?:figure|data)-\w+\.js)", (SITE / path).read_text(encoding="utf-8")
        )
    )
    bytes_ = [gzip.compress((SITE / "_static" / "live" / name).read_bytes()) for name in names]
    assert names and sum(map(len, bytes_)) <= 140_000


def expected_readout(model, name, value) -> str:
    """What torch says with this parameter at this value, all others at their defaults (but for a
    menu that makes it count)."""
    default, *others = model["reference"]
    alone = [e for e in others if e["by"] == name and e["set"][name] == value]
    assert alone or default["set"][name] == value
    return (alone or [default])[0]["readout"]


def mount(page, path: str) -> None:
    """Open a page of the site from the disk, and bring all its figures to life at once."""
    page.goto((SITE / path).as_uri())
    revive(page)


def revive(page) -> None:
    alive(page)
    assert page.locator(".live-figure").count() == page.locator("img[data-live]").count()


# Pictures of the page that are not there; also those that one would have to scroll to.
BROKEN = """async () => {
  const images = [...document.images];
  for (const image of images) image.loading = "eager";
  await Promise.allSettled(images.map((image) => image.decode()));
  return images.filter((image) => !image.naturalWidth).map((image) => image.src);
}"""


@pytest.mark.parametrize("path", some_of(PAGES, pages_with_all_kinds()))
def test_every_control_of_the_page(path, chromium):
    """By night, and from the disk."""
    usual = {"viewport": {"width": 1200, "height": 900}, "color_scheme": "dark"}
    context = chromium.new_context(offline=True, **usual)
    page, problems = context.new_page(), []
    page.on("console", lambda m: m.type in ("error", "warning") and problems.append(m.text))
    page.on("pageerror", lambda e: problems.append(str(e)))
    page.on("request", lambda r: r.url.startswith("http") and problems.append(r.url))
    mount(page, path)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    for figure in page.locator(".live-figure").all():
        Mover(page, figure, path).move_everything()
    assert problems == []
    assert not page.evaluate(BROKEN)
    context.close()


class Mover:
    """A reader who moves all that a figure has, and compares its readout with torch's."""

    def __init__(self, page, figure, path):
        image = figure.evaluate("(f) => f.parentElement.previousElementSibling.src")
        self.page, self.figure, self.path, self.model = page, figure, path, STORED[Path(image).stem]
        self.params = self.model["spec"]["params"]

    def handle(self, name):
        return self.figure.locator(f"[data-param={name}]")

    def picture(self):
        return hash(self.figure.evaluate(PICTURES))

    def readout(self) -> str:
        settled(self.page)
        if not self.model["spec"]["readout"]:
            return ""
        text = self.figure.locator(".live-readout").text_content()
        assert not re.search(r"NaN|undefined|\{", text)
        return text

    def reset(self):
        # (By key: a click, tried in test_live_controls.py, waits for the page to stand still.)
        self.figure.get_by_role("button", name="Reset").press("Enter")
        agree(self.readout(), self.model["reference"][0]["readout"])

    def move_everything(self):
        assert self.figure.get_attribute("aria-label") not in ("", None)
        for p in self.params:
            self.reset()
            self.unfold(p)
            self.by_keyboard(p)
            if p["kind"] in ("float", "int"):
                self.by_mouse(p)
        for k, panel in enumerate(p for p in self.model["spec"]["panels"] if p["probe"]):
            self.reset()
            self.probe(self.figure.locator("canvas[tabindex]").nth(k), panel["probe"])
        self.reset()

    def unfold(self, p):
        """Controls may be put away, and count only while a menu has some value."""
        for menu, value in p.get("when", {}).items():
            (values,) = [q["values"] for q in self.params if q["name"] == menu]
            assert not self.handle(p["name"]).is_visible(), "it does nothing yet"
            self.handle(menu).select_option(index=values.index(value))
        for fold in self.figure.locator("details").all():
            if not self.handle(p["name"]).is_visible() and fold.is_visible():
                fold.locator("summary").click()
        assert self.handle(p["name"]).is_visible()

    def by_keyboard(self, p):
        name, kind, seen = p["name"], p["kind"], []
        keys = {"menu": ["Home", "End"], "check": ["Space", "Space"]}
        self.handle(name).focus()
        for key in keys.get(kind, ["Home", "End", "PageDown"]):  # turns by -180 and 180 look alike
            self.page.keyboard.press(key)
            text = self.readout()
            seen.append(self.picture())
            if kind == "check":
                agree(text, expected_readout(self.model, name, self.handle(name).is_checked()))
            elif key != "PageDown":
                ends = p["values"] if kind == "menu" else (p["min"], p["max"])
                agree(text, expected_readout(self.model, name, ends[0 if key == "Home" else -1]))
        assert len(set(seen)) > 1, f"{self.path}: {name} moves nothing (keyboard)"

    def by_mouse(self, p):
        """A click on the middle of the track (and a step more, where the middle is between two)."""
        handle, before = self.handle(p["name"]), self.picture()
        handle.scroll_into_view_if_needed()
        box = handle.bounding_box()
        self.page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + box["height"] / 2)
        text = self.readout()
        assert self.picture() != before, f"{self.path}: {p['name']} moves nothing (mouse)"
        (middle,) = between(p, 0.5)
        for _ in range(3):
            if (off := float(handle.input_value()) - middle) and abs(off) > 1e-6:
                self.page.keyboard.press("ArrowLeft" if off > 0 else "ArrowRight")
                text = self.readout()
        agree(text, expected_readout(self.model, p["name"], middle))

    def probe(self, canvas, names):
        """A click puts the probe there, arrow keys move it; the sliders and the picture follow."""
        canvas.scroll_into_view_if_needed()
        box, names = canvas.bounding_box(), [name for name in names if name]
        values = lambda: [float(self.handle(name).input_value()) for name in names]  # noqa: E731
        seen = [(self.picture(), values())]
        self.page.mouse.click(box["x"] + 0.63 * box["width"], box["y"] + 0.37 * box["height"])
        self.readout()
        seen.append((self.picture(), values()))
        canvas.focus()
        for key in ("ArrowLeft", "ArrowDown")[: len(names)]:
            self.page.keyboard.press(key)
            self.readout()
            seen.append((self.picture(), values()))
        for (old_picture, old), (new_picture, new) in itertools.pairwise(seen):
            assert old_picture != new_picture and old != new, f"{self.path}: the probe stays"


def restyled(chromium, page, tmp_path, act) -> int:
    """How many elements the browser gives a style while somebody acts, at the most at once."""
    kept = tmp_path / "trace.json"
    chromium.start_tracing(page=page, path=kept, categories=["blink", "devtools.timeline"])
    act()
    settled(page)
    chromium.stop_tracing()
    trace = json.loads(kept.read_text(encoding="utf-8"))["traceEvents"]
    return max(e["args"]["elementCount"] for e in trace if e["name"] == "UpdateLayoutTree")


@pytest.mark.parametrize("path", some_of([p for p in PAGES if "3_" in p or "9_" in p]))
def test_what_moves_has_its_figure_styled_anew_and_not_the_page(path, chromium, tmp_path):
    """Else ten thousand elements are styled: half a second on a phone. `:has()` may ask for it."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    mount(page, path)
    figure = page.locator(".live-figure").nth(1)
    control = figure.locator("[data-param]").first
    control.focus()
    page.locator("html[data-laid-out]").wait_for()
    for act in (
        lambda: [page.keyboard.press(key) for key in ("End", "Home", "PageUp")],
        lambda: figure.get_by_role("button", name="Reset").press("Enter"),
        lambda: figure.get_by_role("button", name="Copy link").press("Enter"),
    ):
        assert restyled(chromium, page, tmp_path, act) < 200
    all_of_it = lambda: page.evaluate(  # noqa: E731
        "document.body.classList.add('landing'), document.body.offsetHeight"
    )
    assert restyled(chromium, page, tmp_path, all_of_it) > 200, "the meter works"
    context.close()


@pytest.mark.parametrize("path", some_of(PAGES, DAYS[:2]))
def test_figures_live_through_a_day(path, chromium):
    """Moved, printed, left and come back to, reloaded, in a second tab, turned to a phone."""
    # (With less motion, so that the landing page's figure does not start by itself.)
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    page, other = context.new_page(), context.new_page()
    mount(page, path)
    figure, control = page.locator(".live-figure").first, page.locator("[data-param]").first
    start, value = figure.evaluate(PICTURES), control.input_value()
    control.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown" if control.evaluate("(e) => e.options") else "PageUp")
    settled(page)
    moved = figure.evaluate(PICTURES)
    assert moved != start

    mount(other, path)  # a second tab starts from the default, and leaves the first alone
    assert other.locator(".live-figure").first.evaluate(PICTURES) == start
    other.close()
    assert figure.evaluate(PICTURES) == moved

    page.emulate_media(media="print")
    assert page.locator(".live-figure canvas:visible").count() > 0
    assert not page.locator(".live-controls:visible").count(), "no sliders on paper"
    page.emulate_media(media="screen")

    page.goto((SITE / "bibliography.html").as_uri())
    page.go_back()
    revive(page)
    assert page.locator("[data-param]").first.is_visible()
    page.reload()
    revive(page)
    assert page.locator("[data-param]").first.input_value() == value
    assert page.locator(".live-figure").first.evaluate(PICTURES) == start

    page.set_viewport_size({"width": 360, "height": 740})
    settled(page)
    page.add_style_tag(content="section { content-visibility: visible !important }")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for canvas in page.locator(".live-figure canvas").all():
        assert 100 <= canvas.bounding_box()["width"] <= 360
    context.close()


@pytest.mark.parametrize("path", some_of(PAGES))
def test_pictures_stand_in_without_javascript(path, chromium):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((SITE / path).as_uri())
    for image in page.locator("img[data-live]").all():
        image.scroll_into_view_if_needed()
        assert image.is_visible() and len(image.get_attribute("alt")) >= 20
    context.close()


@pytest.mark.parametrize("path", [path for path in PAGES if "intro" in path])
def test_hero_plays_to_the_ring_and_goes_back(path, chromium):
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    mount(page, path)
    slider, play = page.locator("input[type=range]").first, page.get_by_role("button", name="Play")
    # Seen for the first time, it runs once by itself.
    page.locator("#fig-hero[data-ran]").wait_for()
    play.wait_for()
    last = slider.input_value()
    play.click()
    page.wait_for_function("(v) => +document.querySelector('input[type=range]').value < v / 2",
                           arg=float(last))  # fmt: skip
    page.wait_for_function("(v) => document.querySelector('input[type=range]').value === v",
                           arg=last)  # fmt: skip
    slider.focus()
    page.keyboard.press("Home")
    settled(page)
    assert "after 0 of" in page.locator(".live-readout").first.text_content()
    context.close()


@pytest.mark.parametrize("path", [path for path in PAGES if "intro" in path])
def test_a_point_of_the_hero_is_dragged_and_moved_by_keys(path, chromium):
    """The number in the readout is that of the point: it follows."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    mount(page, path)
    canvas = page.locator("#fig-hero canvas").first
    seen = [page.locator("#fig-hero .live-readout").text_content()]

    def moved():
        settled(page)
        seen.append(page.locator("#fig-hero .live-readout").text_content())

    box = page.locator("#fig-hero .live-handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y - 60, steps=4)
    page.mouse.up()
    moved()
    canvas.focus()
    for key in ("ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
        moved()
    assert all("log p" in text for text in seen) and len(set(seen)) == 4, seen
    values = "[...document.querySelectorAll('#fig-hero .live-fold input')].map((i) => +i.value)"
    z1, z2 = page.evaluate(values)
    assert z1 > 0.5 and z2 > -1, "to the right and up, from (0.2, -1.2)"
    context.close()


@pytest.mark.parametrize("width", some_of([360, 390, 500, 620, 820, 1366, 1440], [360, 820, 1440]))
@pytest.mark.parametrize("path", [path for path in PAGES if "intro" in path])
def test_the_hero_needs_the_room_that_was_kept_for_it(path, width, chromium):
    """Nothing below jumps when it comes to life. (See course.css.)"""
    context = chromium.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.route("**/live/figure-*.js", lambda route: route.abort())  # it stays a picture
    below = "document.querySelector('#fig-hero figcaption').getBoundingClientRect().top + scrollY"
    page.goto((SITE / path).as_uri())
    page.locator(".live-note").wait_for(state="attached")
    page.evaluate("document.querySelector('.live-note').remove()")
    kept = page.evaluate(below)
    page.unroute_all()
    mount(page, path)
    settled(page)
    assert abs(page.evaluate(below) - kept) <= 3
    context.close()


def at_figure(chromium, chapter: str, name: str, state: str = ""):
    """A chapter's page at a figure, in a state. Skips where the site has no such chapter."""
    path = next((p for p in PAGES if p.startswith(f"chapters/{chapter}")), None)
    if path is None:
        pytest.skip("another book's site")
    page = chromium.new_page(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    page.goto(f"{(SITE / path).as_uri()}#{name}?{state}")
    figure = page.locator(f"#{name}")
    figure.locator(".live-figure").wait_for()
    settled(page)
    return page, figure


LEVEL = "curve=my+own+curve&slices=50&far_left=-0.96&left=-0.73&middle=0&right=0.73&far_right=0.96"


@pytest.mark.parametrize(
    ("chapter", "name", "state"),
    [
        ("1_", "fig-mass", LEVEL),
        ("1_", "fig-live-tanh", "scale=1.6&z=0"),
        ("1_", "fig-live-tug", "s=2&a=0.5"),
        ("3_", "fig-3-live-affine", "stretch_1=1&stretch_2=1&shear=0&degrees=-30"),
    ],
)
def test_what_a_text_asks_for_is_found(chapter, name, state, chromium):
    page, figure = at_figure(chromium, chapter, name, state)
    found = figure.locator(".live-found")
    wait_until(page, lambda: found.text_content().strip().startswith("Found:"))
    figure.get_by_role("button", name="Reset").click()
    wait_until(page, lambda: found.text_content() == "")
    page.close()


def test_the_ring_is_dragged_beyond_what_the_flow_has_seen(chromium):
    page, figure = at_figure(chromium, "6_", "fig-live-radius", "R=2")
    grip, readout = figure.locator(".live-knot"), figure.locator(".live-readout")
    assert "outside the training range" not in readout.text_content()
    box = grip.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 400, steps=4)
    page.mouse.up()
    wait_until(page, lambda: "ring radius 5.0" in readout.text_content())
    assert "outside the training range" in readout.text_content()
    page.close()


def test_a_bar_chooses_the_mode_of_its_colour(chromium):
    (spec,) = (m["spec"] for m in STORED.values() if "given_label" in m["spec"]["shapes"])
    marks = [mark for panel in spec["panels"] for mark in panel["marks"]]
    first, *others = [mark["color"] for mark in marks if mark.get("choose") == "label"]
    assert len(set(first)) == 8 and others == [first, first]
    assert [mark["color"] for mark in marks if mark.get("xy") == "samples"] == first
    page, figure = at_figure(chromium, "6_", "fig-live-labels")
    box = figure.locator("canvas").nth(2).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 8 + 5.5 / 8 * (box["height"] - 30))
    chosen = figure.locator("[data-param=label]")
    wait_until(page, lambda: chosen.evaluate("(e) => e.selectedIndex") == 5)
    page.close()


def test_fewer_layers_follow_the_field_less_well(chromium):
    page, figure = at_figure(chromium, "7_", "fig-continuous-flow", "t=1")
    readout, errors = figure.locator(".live-readout"), []
    for layers in ("100", "50", "20", "10", "5"):
        figure.locator("[data-param=layers]").select_option(label=layers)
        wait_until(page, lambda n=layers: f"{n} small layers" in readout.text_content())
        errors.append(float(re.search(r"off by ([\d.]+) nats", readout.text_content())[1]))
    assert errors == sorted(errors) and errors[-1] > 5 * errors[0]
    page.close()


def test_two_temperatures_stand_side_by_side(chromium):
    page, figure = at_figure(chromium, "5_", "fig-live-flow", "middle=samples+at+1")
    pictures = lambda: [  # noqa: E731
        figure.locator("canvas").nth(k).evaluate("(c) => c.toDataURL()") for k in (0, 1)
    ]
    hot = pictures()
    figure.locator("[data-param=temperature]").fill("0.5")
    wait_until(page, lambda: pictures()[0] != hot[0])
    assert pictures()[1] == hot[1], "the middle stays at 1"
    figure.locator("[data-param=middle]").select_option(label="density")
    wait_until(page, lambda: pictures()[1] != hot[1])
    page.close()
