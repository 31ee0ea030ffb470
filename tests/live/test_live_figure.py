"""Live figures: declarations and traits in Python, and the figure itself in a browser."""

import json
import math
import re

import ipywidgets
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_live_compile import trained_like

import live
from benchmarks import examples
from live import line, live_figure, panel, points
from live.figure.controls import control
from live.figure.template import fill
from live.figure.widget import OWN, TAKEN
from live.page import bundle


def squash(z, alpha=1.5, loc=0.0):
    return torch.tanh(alpha * z + loc)


# Declarations ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, wanted",
    [
        ((0.1, 3.0, 1.0), {"kind": "float", "min": 0.1, "max": 3.0, "value": 1.0}),
        ((0.0, 1.0), {"value": 0.5, "step": 0.01}),
        ((0.0, 2.0, 0.5, 1.5), {"step": 0.5, "value": 1.5}),
        ((-3.0, 3.0, 6.0, 0.0), {"step": 6.0}),
        ((0, 8, 3), {"kind": "int", "step": 1, "value": 3}),
        (["a", "b"], {"kind": "menu", "value": "a", "numbers": [0, 1], "values": ["a", "b"]}),
        ([("a", 4), ("b", 7)], {"value": 4, "numbers": [4, 7], "options": ["a", "b"]}),
        (True, {"kind": "check", "value": True}),
        (ipywidgets.FloatSlider(2.0, min=1.0, max=3.0, description="size"), {"label": "size"}),
        (ipywidgets.IntSlider(2, min=1, max=3), {"kind": "int", "value": 2, "max": 3}),
        (ipywidgets.Dropdown(options=["a", "b"], value="b"), {"kind": "menu", "value": "b"}),
        (ipywidgets.Dropdown(options=["a", "b"]), {"options": ["a", "b"], "numbers": [0, 1]}),
        (
            ipywidgets.Dropdown(options=[("a", 4), ("b", 7)], value=7),
            {"value": 7, "numbers": [4, 7], "options": ["a", "b"]},
        ),
        (
            ipywidgets.Dropdown(options={"a": 4, "b": 7}),
            {"value": 4, "numbers": [4, 7], "options": ["a", "b"]},
        ),
        (ipywidgets.Checkbox(True), {"kind": "check", "value": True}),
    ],
)
def test_control(given, wanted):
    made = control("alpha", given)
    assert wanted.items() <= made.items()


@pytest.mark.parametrize("given", [
    "text", (1.0,), (3.0, 1.0), (0.0, 1.0, 5.0), (2.0, 3.0, 1.5, 2.0), (2.0, 3.0, 0.0, 2.0), None,
    [],
])  # fmt: skip
def test_bad_control_is_named(given):
    with pytest.raises(ValueError, match="alpha"):
        control("alpha", given)


def test_no_parameter_can_take_the_place_of_an_attribute():
    made = live_figure(squash, alpha=(0.1, 3.0), loc=(-1.0, 1.0))
    own = {name for name in dir(made) if name[0] != "_"} - {"alpha", "loc"}
    assert own <= TAKEN and own >= OWN


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="beta is not a parameter of squash"):
        live_figure(squash, beta=(0.0, 1.0))
    with pytest.raises(ValueError, match="layout"):
        live_figure(lambda z, layout: z * layout, layout=(0.0, 1.0))
    with pytest.raises(ValueError, match="no tensor or parameter is called wrong"):
        live_figure(lambda a: {"x": torch.ones(9) * a}, panel(line("x", "wrong")), a=(0.0, 1.0))
    with pytest.raises(ValueError, match="color must be one of"):
        points("x", color="red-ish")
    with pytest.raises(ValueError, match=r"z of shape \(n,\) or \(n, 2\)"):
        live_figure(lambda z, a: a, a=(0.0, 1.0))


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: panel(line("x"), xlim=(1, 0)), ["xlim", "(1, 0)"]),
        (lambda: panel(line("x"), ylim=(1, 2, 3)), ["ylim", "(1, 2, 3)"]),
        (lambda: panel(line("x"), ylim=(0, math.inf)), ["ylim", "(0, inf)"]),
        (lambda: panel(line("x"), xlim=("a", "b")), ["xlim", "('a', 'b')"]),
        (lambda: panel(line("x"), aspect="a"), ["aspect", "'a'"]),
        (lambda: panel(line("x"), probe="a"), ["probe", "'a'"]),
        (lambda: panel(line("x"), width=0), ["width", "0"]),
        (lambda: panel(3), ["marks", "3"]),
        (lambda: live.heat("d", (1, 0)), ["extent", "(1, 0)"]),
        (lambda: live.heat("d", (1, 0, 0, 1)), ["left, right", "(1, 0)"]),
        (lambda: live.stack_weights([]), ["checkpoints", "0"]),
        (lambda: live_figure(3, a=(0.0, 1.0)), ["function", "3"]),
        (lambda: live_figure(squash), ["parameter", "alpha=(0.1"]),
        (lambda: live_figure(lambda z, a="c": z * a, a=["a", "b"]), ["a", "'c'", "['a', 'b']"]),
        (lambda: live_figure(squash, alpha=(0.0, 1.0, 0.0, 0.5)), ["alpha", "step", "0.0"]),
        (lambda: scene_of(probe=("k", None)), ["probe", "sliders", "k"]),
        (
            lambda: live_figure(lambda a: {"a": a * torch.ones(3)}, panel(line("a")), a=(0.0, 1.0)),
            ["'a'", "parameter", "differently"],
        ),
        (lambda: scene_of(play="k"), ["play", "sliders", "k"]),
        (lambda: scene_of(labels=["one"]), ["v", "3 entries", "1 labels"]),
        (lambda: live.fold("more"), ["fold", "names", "'more'"]),
        (lambda: live.fold("", "a"), ["label", "''"]),
        (lambda: scene_of(fold=live.fold("more", "b")), ["fold", "'b'", "a, k"]),
        (lambda: scene_of(fold=live.fold("more", "a", when=("k", 2))), ["when", "2", "[0, 1]"]),
        (lambda: scene_of(fold=live.fold("more", "k", when=("k", 1))), ["when", "another"]),
        (lambda: scene_of(fold=live.fold("more", "k", when=("a", 1))), ["when", "'a'"]),
        (lambda: dragged("a"), ["drag", "3 points", "['a']"]),
        (lambda: scene_of(color=["blue"] * 2), ["color", "2 colours", "3 entries"]),
        (lambda: scene_of(color=["blue", "red", "pink"]), ["color", "'red'"]),
        (lambda: scene_of(goal="a"), ["goal", "(condition, text)", "'a'"]),
        (lambda: scene_of(goal=("w", "Found.")), ["goal", "'w'", "v"]),
        (lambda: scene_of(goal=("v", "Found.")), ["goal", "'v'", "no number"]),
        (lambda: scene_of(goal=("a", "Found it.")), ["goal", "Found it.", "default"]),
        (lambda: dragged("aka"), ["drag", "'k'", "sliders are a"]),
    ],
)
def test_bad_declarations_are_named(make, words):
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    for word in words:  # whole: "width" is not in "widths"
        whole = rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])"
        assert re.search(whole, str(caught.value)), (word, str(caught.value))


def test_what_is_left_out_says_nothing():
    made = panel(line("z", "x"))
    assert made["title"] == made["x"] == made["y"] == "" and "label" not in made["marks"][0]


def dragged(names):
    function = lambda a, k: {"v": a * torch.ones(3, 2) + k}  # noqa: E731
    knots = panel(points("v", drag=names))
    return live_figure(function, knots, a=(0.0, 1.0), k=[("x", 0), ("y", 1)])


def scene_of(probe=None, labels=("a", "b", "c"), play=None, fold=None, goal=None,
             color="blue"):  # fmt: skip
    bars = panel(live.bars("v", labels, color=color), probe=probe)
    function = lambda a, k: {"v": a * torch.ones(3) + k}  # noqa: E731
    more = {"play": play, "fold": fold, "goal": goal}
    return live_figure(function, bars, **more, a=(0.0, 1.0), k=[("x", 0), ("y", 1)])


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans(),
                 st.lists(st.one_of(st.text(), st.floats(), st.integers())),
                 st.lists(st.floats(), max_size=5).map(tuple)))  # fmt: skip
def test_any_declaration_makes_a_control_or_a_clear_error(declared):
    try:
        made = control("alpha", declared)
    except ValueError as error:
        assert "alpha" in str(error)
    else:
        assert made["name"] == "alpha" and made["kind"] in ("float", "int", "menu", "check")


def test_traits_are_read_set_and_observed():
    figure = live_figure(squash, alpha=(0.1, 3.0), loc=(-1.0, 1.0))
    assert (figure.alpha, figure.loc) == (1.5, 0.0)  # the function's own defaults
    seen = []
    figure.observe(lambda change: seen.append(change["new"]), "alpha")
    figure.alpha = 2.0
    assert seen == [2.0] and repr(figure) == "LiveFigure(alpha=2.0, loc=0.0)"
    with pytest.raises(Exception, match="alpha"):
        figure.alpha = 99.0
    assert figure.values()["x"][-1] == torch.tanh(torch.tensor(8.0))
    assert figure.traits(sync=True).keys() >= {"alpha", "loc"}, "else the page hears nothing of it"


def test_one_line_finds_the_dimension_and_checks_the_log_det():
    assert len(live_figure(squash, alpha=(0.1, 3.0)).spec["panels"]) == 2

    def swirl(z, turn=1.0):
        a = turn * z.norm(dim=1)
        return torch.stack([a.cos() * z[:, 0] - a.sin() * z[:, 1],
                            a.sin() * z[:, 0] + a.cos() * z[:, 1]], 1)  # fmt: skip

    figure = live_figure(swirl, turn=(0.0, 3.0))
    assert len(figure.spec["panels"]) == 3
    assert figure.values()["stretch"].abs() < 1e-5  # it preserves volume
    wrong = live_figure(lambda z, a: (a * z, torch.zeros_like(z)), a=(0.5, 3.0, 2.0))
    assert abs(wrong.values()["off"] - torch.log(torch.tensor(2.0))) < 1e-6
    assert "error of the log-det" in str(wrong.spec)
    for own in (figure, live_figure(squash, alpha=(0.1, 3.0))):  # nothing to compare, nothing said
        assert "off" not in own.values() and "error of the log-det" not in str(own.spec)


def test_output_of_a_cell():
    data, _ = live_figure(squash, alpha=(0.1, 3.0))._repr_mimebundle_()
    assert data["text/plain"] == "LiveFigure(alpha=1.5)"
    assert data["image/png"].startswith("iVBOR")
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"]


def test_same_figure_same_picture_and_id():
    one, two = (live_figure(squash, alpha=(0.1, 3.0)) for _ in range(2))
    assert one.png() == two.png() and one.id == two.id


def test_code_of_a_page_is_small():
    import gzip

    assert len(gzip.compress((bundle.site() + bundle.css()).encode())) <= 30_000


# In the browser -----------------------------------------------------------------------------------


def trained():
    flow, _ = trained_like(n_layers=4, hidden_dim=32)
    return examples.layers(flow, n=500)


def checkpoints():
    flow, _ = trained_like(n_layers=4, hidden_dim=16)
    states = [{k: s * v.detach() for k, v in flow.named_parameters()} for s in (0.0, 0.5, 1.0)]
    return examples.training(flow, states, [3.0, 2.5, 2.2], n=500)


FIGURES = {
    "one line, 1D": lambda: live_figure(squash, alpha=(0.1, 3.0), loc=(-1.0, 1.0)),
    "tanh": examples.tanh,
    "six": examples.six,
    "planar": lambda: examples.planar(1000),
    "radial": lambda: examples.radial(1000),
    "layers": trained,
    "training": checkpoints,
}
# What stands on the canvases of a page, or of a part of it.
# A number for each picture: another picture has another one.
PICTURES = """(root) => [...(root ?? document).querySelectorAll("canvas")].map((canvas) => {
    const { width, height } = canvas;
    if (!width || !height) return "empty";
    const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, width, height);
    let one = 1, other = 0;
    for (const pixel of new Uint32Array(data.buffer)) {
        one = Math.imul(one ^ pixel, 16777619);
        other = (Math.imul(other, 31) + pixel) | 0;
    }
    return `${width} x ${height}: ${one} ${other}`;
}).join()"""


@pytest.fixture(scope="module", params=FIGURES)
def opened(request, chromium, tmp_path_factory):
    """(figure, page): each figure in its own file, over file://, with the network blocked."""
    figure = FIGURES[request.param]()
    path = tmp_path_factory.mktemp("live") / "figure.html"
    figure.save_html(path)
    context = chromium.new_context(viewport={"width": 1100, "height": 900}, offline=True)
    page = context.new_page()
    page.problems = []
    page.on("console", lambda m: m.type in ("error", "warning") and page.problems.append(m.text))
    page.on("pageerror", lambda e: page.problems.append(str(e)))
    page.on("request", lambda r: r.url.startswith("http") and page.problems.append(r.url))
    page.goto(path.as_uri())
    alive(page)
    yield figure, page
    context.close()


def alive(page):
    """Bring all figures of the page to life at once."""
    page.evaluate("window.mountLiveFigures()")
    page.wait_for_selector("html[data-live=ready]")


def settled(page):
    """Wait for the redraw that follows a change."""
    two_frames = "(go) => requestAnimationFrame(() => requestAnimationFrame(go))"
    page.evaluate(f"() => new Promise({two_frames})")


def numbers(text):
    return [float(v) for v in re.findall(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", text)]


def units(text):
    """What the last digit of each number stands for."""
    return [10.0 ** -len(v) for v in re.findall(r"\d\.?(\d*)\b", text)] or [1.0]


def same_readout(page, figure):
    """The page and torch say the same, to the digits shown (and float32's own noise)."""
    for c in figure.spec["params"]:
        shown = page.locator(f"[data-param={c['name']}]")
        if c["kind"] == "menu":
            value = c["values"][int(shown.evaluate("(e) => e.selectedIndex"))]
        else:
            value = float(shown.input_value())
        setattr(figure, c["name"], int(value) if c["kind"] == "int" else value)
    agree(page.locator(".live-readout").text_content(), figure.readout())


# The error of a log-det is rounding noise in both; as it is written now, and as it once was.
TINY = re.compile(r"\d(\.\d+)?\s×\s10⁻[⁰¹²³⁴-⁹]+|\d\.\de[-+]\d\d|(?<=log-det: )0\b")


def agree(got, wanted):
    """Two readouts are the same, to the digits shown (and float32's own noise)."""
    calm = [TINY.sub("tiny", text.replace("−", "-")) for text in (got, wanted)]
    words = [re.sub(r"[-+]?\d+(\.\d+)?", "#", text) for text in calm]
    assert words[0] == words[1]
    for a, b in zip(*map(numbers, calm), strict=True):
        assert abs(a - b) <= 1.01 * max(units(calm[1])) + 1e-4 * abs(b), (got, wanted)


def test_figure_is_there_and_clean(opened):
    figure, page = opened
    assert page.locator("canvas").count() == len(figure.spec["panels"])
    assert page.locator("img[data-live]").is_hidden()
    same_readout(page, figure)
    assert page.problems == []


def test_every_control_by_keyboard(opened):
    figure, page = opened
    for c in figure.spec["params"]:
        handle = page.locator(f"[data-param={c['name']}]")
        before, value = page.evaluate(PICTURES), handle.input_value()
        handle.focus()
        middle = c["kind"] == "menu" or c["value"] < c["max"]
        for _ in range(1 if c["kind"] != "float" else 7):
            page.keyboard.press("ArrowDown" if c["kind"] == "menu" else
                                "ArrowRight" if middle else "ArrowLeft")  # fmt: skip
        settled(page)
        assert handle.input_value() != value, c["name"]
        assert page.evaluate(PICTURES) != before, c["name"]
        same_readout(page, figure)
    page.get_by_role("button", name="Reset").click()
    settled(page)
    for c in figure.spec["params"]:
        if c["kind"] != "menu":
            assert float(page.locator(f"[data-param={c['name']}]").input_value()) == c["value"]
    assert page.problems == []


def test_every_slider_by_mouse(opened):
    figure, page = opened
    page.get_by_role("button", name="Reset").click()
    settled(page)
    for c in figure.spec["params"]:
        if c["kind"] not in ("float", "int"):
            continue
        before = page.evaluate(PICTURES)
        box = page.locator(f"[data-param={c['name']}]").bounding_box()
        at = 0.2 if c["value"] > (c["min"] + c["max"]) / 2 else 0.8
        page.mouse.click(box["x"] + at * box["width"], box["y"] + box["height"] / 2)
        settled(page)
        assert page.evaluate(PICTURES) != before, c["name"]
        same_readout(page, figure)
    assert page.problems == []


def test_probe_is_dragged_and_moved_by_arrow_keys(opened):
    figure, page = opened
    probes = [p for p in figure.spec["panels"] if p["probe"]]
    page.get_by_role("button", name="Reset").click()
    for k, p in enumerate(probes):
        canvas = page.locator("canvas[tabindex]").nth(k)
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.3 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.6 * box["height"])
        page.mouse.up()
        settled(page)
        same_readout(page, figure)
        name = p["probe"][0]
        before = page.locator(f"[data-param={name}]").input_value()
        canvas.focus()
        page.keyboard.press("ArrowLeft")
        settled(page)
        assert float(page.locator(f"[data-param={name}]").input_value()) < float(before)
        same_readout(page, figure)


def test_dark_mode_and_phone_width(opened):
    _, page = opened
    light = page.evaluate(PICTURES)
    page.emulate_media(color_scheme="dark")
    settled(page)
    assert page.locator(".live-figure").get_attribute("data-mode") == "dark"
    assert page.evaluate(PICTURES) != light
    page.evaluate("document.documentElement.dataset.theme = 'light'")  # the book's own switch wins
    settled(page)
    assert page.locator(".live-figure").get_attribute("data-mode") == "light"
    page.evaluate("delete document.documentElement.dataset.theme")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 320, "height": 700})
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.set_viewport_size({"width": 1100, "height": 900})
    settled(page)


def test_controls_are_labelled_and_large_enough(opened):
    _, page = opened
    for handle in page.locator("[data-param]").all():
        assert handle.evaluate("(e) => e.labels.length") == 1
        assert handle.get_attribute("data-lm-suppress-shortcuts") == "true"
        assert handle.bounding_box()["height"] >= 24


def test_print_shows_the_figure(opened):
    figure, page = opened
    page.emulate_media(color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".live-figure").get_attribute("data-mode") == "light"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(color_scheme="light", media="print")
    assert not page.locator(".live-controls").is_visible()
    page.emulate_media(media="screen")


def test_without_scripts_the_picture_stays(chromium, tmp_path):
    path = tmp_path / "figure.html"
    figure = examples.tanh()
    figure.save_html(path)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    image = page.locator("img[data-live]")
    assert image.is_visible() and image.get_attribute("alt") == figure.spec["alt"]
    context.close()


def test_readouts_are_the_same_in_python_and_on_the_page(chromium):
    template = "{a:.2f} {a:+.1f} {b:.1%} {c:.2e} {v[1]:.3f} {a} {name} {b|no|yes} {z:.2f} {n:.1f}"
    values = {"a": -1.234, "b": 1.0, "c": 0.000123, "v": [1.0, 2.5], "name": "tanh", "z": -0.0001,
              "n": float("nan")}  # fmt: skip
    page = chromium.new_page()
    page.add_script_tag(content=bundle.library() + "\nwindow.fill = fillTemplate;")
    sent = json.dumps(values).replace("NaN", "null")
    got = page.evaluate("([t, v]) => fill(t, {...JSON.parse(v), n: NaN})", [template, sent])
    assert got == fill(template, values)
    page.close()
