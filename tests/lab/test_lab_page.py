"""The Lab in a browser: it trains, links reopen it, own drawings train, lost workers are replaced.

The page is the Lab alone, under the policy of the book's pages; no built site is needed.
"""

import base64
import gzip
import json
import math
import os
import re
import statistics
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote_plus

import nbformat
import pytest
import torch
from browser import serve_folder, wait_until
from lab_node import LAB, heap
from lab_tab import PAGE, SMALL, lab, write_page
from samples import some_of, takes_long

import flows
import gen_models_utilities as gmu
from lab import page, programs
from lab.data import DATA

ROOT = Path(__file__).resolve().parents[2]
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("lab")
    write_page(made)
    return made


@pytest.fixture(scope="module")
def tab(chromium, folder):
    """One tab for all tests of this file; it fails if the page complains."""
    context, complaints = chromium.new_context(viewport={"width": 900, "height": 1000}), []
    made = context.new_page()
    made.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    made.on("pageerror", lambda e: complaints.append(str(e)))
    with serve_folder(folder) as address:
        made.base = f"{address.rstrip('/')}/index.html"
        yield made
    context.close()
    assert not complaints


def open_lab(tab, state, anew=False):
    """The Lab in this state: on the page that is there, or (anew, or if there is none) loaded."""
    if anew or tab.url.split("#")[0] != tab.base:
        tab.goto("about:blank")
        tab.goto(f"{tab.base}#flow-lab?{state}")
    else:
        tab.evaluate(f"{LAB}.take({json.dumps(state)}); {LAB}.fresh(); undefined")
    wait_until(tab, lambda: lab(tab, "first.shown !== null"))


def finished(tab):
    wait_until(tab, lambda: lab(tab, "first.finished && !!" + LAB + ".first.held.length"))
    wait_until(tab, lambda: lab(tab, "first.held.at(-1)[0] === " + LAB + ".first.done"))


def looked(tab):
    """Wait until all that is shown is of the weights that there are."""
    wait_until(tab, lambda: lab(tab, "looking") is False and not lab(tab, "stale"))


def exported(tab):
    """What goes along into Python, and the flow that it makes there."""
    saved = tab.evaluate(f"{LAB}.exported()")
    flow = getattr(flows, saved["flow"])(2, **saved["shape"])
    flow.load_state_dict({name: torch.tensor(w) for name, w in saved["weights"].items()})
    return saved, flow


def trained_small(tab):
    """The small flow of `train_small`: of the test before, if nothing has changed since."""
    link = tab.evaluate("document.querySelector('[data-lab]')?.lab?.link?.()") or ""
    as_trained = "data=Ring of eight&layers=2&width=8" in unquote_plus(link) and "at=500" in link
    if not as_trained or "seed=3" not in link or "vs=" in link:
        train_small(tab)


def train_small(tab):
    """A small flow on the ring, trained to the end, from a link and by the button."""
    open_lab(tab, f"data=ring&seed=3&{SMALL}", anew=True)
    assert lab(tab, "first.done") == 0 and tab.inner_text(".lab-status").startswith("Step 0 of 500")
    tab.click("text=Train")
    finished(tab)


def test_it_trains_and_the_loss_falls(tab):
    train_small(tab)
    losses = lab(tab, "first.losses.map((l) => l[1])")
    assert losses[-1] < losses[0] - 1
    status = tab.inner_text(".lab-status")
    gap, entropy = (float(re.search(rf"{w} (-?[\d.]+)", status)[1]) for w in ("gap", "entropy"))
    nll = float(re.search(r"NLL ([\d.]+)", status)[1])
    assert entropy == pytest.approx(2.145) and 0 < gap < 2.6
    assert nll - entropy == pytest.approx(gap, abs=0.15)  # up to the sample of held-out points
    assert re.search(r"strays \d+\.\d%", status)
    held = lab(tab, "first.held")
    tab.click("text=Reset")  # the curve of this run stays beside that of the next
    assert lab(tab, "before") == held
    legend = tab.locator(".lab-curve .live-legend")
    wait_until(tab, lambda: "the run before" in legend.inner_text())


def pictures(tab):
    """All that is drawn, when all is computed; without the curve, whose points are as often as the
    page had time to look."""
    wait_until(tab, lambda: lab(tab, f"looking === false && !{LAB}.stale && !{LAB}.scheduled"))
    kept = f"{LAB}.plots.filter((p) => p.spec.width === 1 && p.canvas.clientWidth)"
    return tab.evaluate(f"{kept}.map((p) => p.canvas.toDataURL())")


def test_a_link_opens_the_same_state_and_pictures_elsewhere(tab, chromium):
    """In a browser context of its own, which shares nothing with the first."""
    train_small(tab)
    first, weights, link = pictures(tab), lab(tab, "first.weights.slice(0, 9)"), lab(tab, "link()")
    assert "at=500" in link and "seed=3" in link
    context = chromium.new_context(viewport={"width": 900, "height": 1000})
    other = context.new_page()
    other.goto(link)
    finished(other)
    assert lab(other, "first.weights.slice(0, 9)") == weights and lab(other, "link()") == link
    assert pictures(other) == first and len(set(first)) == 4
    other.click("text=Reset")  # (and they do differ before the training)
    wait_until(other, lambda: lab(other, "first.done === 0 && !!" + LAB + ".first.shown"))
    assert pictures(other)[0] == first[0] and pictures(other)[1] != first[1]
    context.close()


@takes_long
def test_a_film_of_the_samples(tab):
    trained_small(tab)
    lab(tab, "film = 1")  # second
    with tab.expect_download() as download:
        tab.click("text=Film of the samples")
    wait_until(tab, lambda: "The film is saved" in tab.inner_text(".lab-status"))
    film = Path(download.value.path()).read_bytes()
    name = download.value.suggested_filename
    assert name == "flow-lab.webm" and film[:4] == b"\x1a\x45\xdf\xa3" and len(film) > 4000
    other = tab.context.new_page()
    address = f"data:video/webm;base64,{base64.b64encode(film).decode()}"
    size = """address => new Promise((done, failed) => {
        const video = Object.assign(document.createElement("video"), { src: address, muted: true });
        video.onloadeddata = () => done([video.videoWidth, video.videoHeight]);
        video.onerror = () => failed(new Error("it does not play"));
    })"""
    assert other.evaluate(size, address) == [480, 504]
    other.close()
    tab.evaluate("window.MediaRecorder = undefined")
    tab.click("text=Film of the samples")
    assert "cannot record a film" in tab.inner_text(".lab-status")


def test_only_panels_that_change_are_drawn(tab):
    """While it trains the data stay as they are; at another mode of the page all is new."""
    open_lab(tab, SMALL.replace("steps=500", "steps=6000"))
    looked(tab)
    wait_until(tab, lambda: not lab(tab, "scheduled"))
    tab.evaluate(f"""() => {{
        window.drawn = [0, 0, 0, 0, 0];
        {LAB}.plots.slice(0, 5).forEach((plot, k) => {{
          const draw = plot.draw;
          plot.draw = (...given) => {{ drawn[k]++; draw.apply(plot, given); }};
        }});
    }}""")
    tab.click("text=Train")
    wait_until(tab, lambda: tab.evaluate("Math.min(...drawn.slice(1)) >= 3"))
    assert tab.evaluate("drawn[0]") == 0
    tab.click("text=Pause")
    looked(tab)
    wait_until(tab, lambda: not lab(tab, "scheduled"))
    tab.evaluate(f"drawn.fill(0), {LAB}.draw()")
    assert tab.evaluate("drawn") == 5 * [0], "nothing has changed"
    try:
        tab.evaluate("document.documentElement.dataset.theme = 'dark'; undefined")
        wait_until(tab, lambda: tab.evaluate("Math.min(...drawn) > 0"))
    finally:
        tab.evaluate("delete document.documentElement.dataset.theme")


def test_samples_go_along_as_a_table_and_come_back(tab):
    trained_small(tab)
    with tab.expect_download() as download:
        tab.click("text=Samples (CSV)")
    assert download.value.suggested_filename == "flow-lab.csv"
    text = Path(download.value.path()).read_text(encoding="utf-8")
    head, *rows = text.splitlines()
    points = torch.tensor([[float(v) for v in row.split(",")] for row in rows])
    assert head == "x1,x2,log_p" and points.shape == (1000, 3) and points.isfinite().all()
    saved, flow = exported(tab)
    with torch.no_grad():
        assert (flow.log_prob(points[:, :2]) - points[:, 2]).abs().max() < 1e-3
        nll = -points[:, 2].mean()
        again = -flow.log_prob(flow.sample(4000)).mean()
    assert abs(nll - again) < 0.25  # they are the flow's own: both means are its entropy
    table = {"name": "again.csv", "mimeType": "text/csv", "buffer": text.encode()}
    tab.set_input_files("input[type=file]", table)
    wait_until(tab, lambda: lab(tab, "drawn.length") == 2000)
    assert lab(tab, "now().data") == "drawn"


def test_two_labs_on_one_page(tab, folder):
    """Each has its own settings, link and workers; a lost worker of one is not the other's loss."""
    two = PAGE.replace(
        '<div id="flow-lab" data-lab data-work="work.js"></div>',
        "".join(f'<div id="lab-{k}" data-lab data-work="work.js"></div>' for k in "ab"),
    )
    (folder / "two.html").write_text(two, encoding="utf-8")
    tab.goto("about:blank")
    long = SMALL.replace("steps=500", "steps=6000")
    tab.goto(tab.base.replace("index", "two") + f"#lab-b?data=moons&{long}&train")
    one, other = (f"document.querySelector('#lab-{k}').lab" for k in "ab")
    wait_until(tab, lambda: tab.evaluate(f"{other}.first.done > 0 && !!{other}.first.kept"))
    tab.evaluate(f"{one}.take('data=ring&{SMALL}&train'); {one}.fresh(); undefined")
    tab.evaluate(f"{other}.first.host.lose('a test')")
    wait_until(tab, lambda: tab.evaluate(f"{one}.first.finished"))
    assert "lost (a test)" in tab.inner_text("#lab-b .lab-status")
    assert "lost (a test)" not in tab.inner_text("#lab-a .lab-status")
    assert re.search(r"goes on from step \d+", tab.inner_text("#lab-b .lab-status"))
    assert tab.evaluate(f"{one}.now().data") == "ring"
    assert tab.evaluate(f"{other}.now().data") == "moons"
    assert tab.evaluate(f"{one}.link()").split("#")[1].startswith("lab-a?data=Ring")
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))


@takes_long
def test_memory_stays_steady(tab, folder):
    """Thousands of steps, and many new beginnings. (From file:// all is in one heap.)"""
    tab.goto((folder / "index.html").as_uri() + f"#flow-lab?data=ring&{SMALL}")
    session, sizes = tab.context.new_cdp_session(tab), []
    for seed in range(8):
        tab.evaluate(f"{LAB}.take('data=ring&{SMALL}&seed={seed}&train'); {LAB}.fresh(); undefined")
        finished(tab)
        wait_until(tab, lambda: lab(tab, "looking") is False)
        for _ in range(5):
            tab.click("text=Reset")
        wait_until(tab, lambda: lab(tab, "first.done === 0 && !!" + LAB + ".first.shown"))
        sizes.append(heap(session))
    session.detach()
    late = statistics.median(sizes[5:])  # (one round may come before the rubbish is collected)
    assert late < 1.03 * max(sizes[1:5]), sizes  # (the first round compiles)


@pytest.mark.parametrize(
    ("base", "coupling"),
    [("normal", "affine"), ("student", "affine"), ("four", "affine"), ("normal", "spline")],
)
def test_the_flow_goes_along_into_python(base, coupling, tab, tmp_path, monkeypatch, capsys):
    open_lab(tab, f"data=ring&seed=3&base={base}&coupling={coupling}&{SMALL}")
    tab.click("text=Train")
    finished(tab)
    losses = lab(tab, "first.losses.map((l) => l[1])")
    assert losses[-1] < losses[0] - 0.5
    saved = tab.evaluate(f"{LAB}.exported()")
    (tmp_path / "flow-lab.json").write_text(json.dumps(saved), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(lab(tab, "python.textContent"), {})  # what the page shows, as one would run it
    cells = tab.evaluate(f"{LAB}.notebook()")["cells"]  # and as a notebook, with the weights in it
    exec("\n".join(cell["source"] for cell in cells if cell["cell_type"] == "code"), {})
    shown, again = map(float, capsys.readouterr().out.split())
    assert shown < 1e-5 and again == shown


@takes_long
@pytest.mark.parametrize("coupling", ["affine", "spline"])
def test_the_notebook_that_is_saved_runs(coupling, tab, tmp_path):
    """By nbval, in a kernel, with nothing beside it but the course's modules. Its last cell holds
    the log p of the page to those of the rebuilt flow, to 1e-5."""
    open_lab(tab, f"data=ring&seed=3&coupling={coupling}&{SMALL}")
    tab.click("text=Train")
    finished(tab)
    tab.evaluate("document.querySelectorAll('.lab details').forEach((d) => { d.open = true; })")
    with tab.expect_download() as download:
        tab.click("text=Save as a notebook")
    notebook = tmp_path / download.value.suggested_filename
    download.value.save_as(notebook)
    kept = nbformat.read(notebook, as_version=4)
    nbformat.validate(kept)
    weights = json.loads(re.search(r"json\.loads\('(.*)'\)", kept.cells[1].source)[1])["weights"]
    count = sum(torch.tensor(w).numel() for w in weights.values())
    assert count == lab(tab, "first.weights.length"), "they are in it"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax"]
    ran = subprocess.run(
        [*command, notebook.name], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert ran.returncode == 0 and "2 passed" in ran.stdout, ran.stdout


def test_noise_changes_the_data_and_the_entropy(tab):
    """Little noise is told from much by the entropy, the exact density and the points."""
    tops = []
    for text, noise in (("0.5 times", 0.5), ("as it is", 1.0), ("2 times", 2.0)):
        open_lab(tab, f"data=moons&noise={text.replace(' ', '+')}&{SMALL}")
        known = programs.stored()["settings"]["data"]["moons"]["entropy"][f"{noise:g}"]
        assert lab(tab, "entropy") == known
        text = f"entropy {known:.3f}"
        wait_until(tab, lambda text=text: text in tab.inner_text(".lab-status"))
        tops.append(tab.evaluate(f"{LAB}.exact.reduce((a, b) => Math.max(a, b))"))
        points = torch.tensor(tab.evaluate(f"Array.from({LAB}.data)")).reshape(-1, 2)
        seen = -DATA["moons"].log_prob(points, noise).mean().item()
        assert seen == pytest.approx(known, abs=0.1)
    assert tops[0] > 1.5 * tops[1] and tops[1] > 1.5 * tops[2]
    control = tab.locator("[data-param=noise]")
    assert control.is_enabled()
    open_lab(tab, f"data=checkerboard&noise=2+times&{SMALL}")  # it has none
    assert control.is_disabled()
    assert lab(tab, "entropy") == pytest.approx(math.log(32), abs=1e-4)


def test_two_flows_side_by_side(tab):
    """They differ in one choice, share the rest, and a link brings both back."""
    open_lab(tab, f"data=ring&seed=3&vs=layers&layers2=5&{SMALL}")
    tab.click("text=Train")
    both = f"{LAB}.first.finished && {LAB}.second.finished && !{LAB}.looking && !{LAB}.stale"
    at_end = f"{both} && {LAB}.runs.every((r) => r.held.at(-1)?.[0] === 500)"
    wait_until(tab, lambda: tab.evaluate(at_end))
    wait_until(tab, lambda: tab.inner_text(".lab-main") == "Train")
    counts = tab.evaluate(f"{LAB}.runs.map((r) => r.weights.length)")
    assert counts[1] * 2 == counts[0] * 5, "two layers, and five"
    first, second = tab.evaluate(f"{LAB}.runs.map((r) => r.losses.at(-1)[1])")
    assert first != second and max(first, second) < 4.5
    assert tab.inner_text(".lab-density .live-title") == "Density · Layers: 2"
    assert tab.inner_text(".lab-density2 .live-title") == "Density · Layers: 5"
    assert "second flow: step 500" in tab.inner_text(".lab-status")
    shown, link = tab.evaluate(f"Array.from({LAB}.second.weights.slice(0, 20))"), lab(tab, "link()")
    assert "vs=Layers&layers2=5" in link and "width2" not in link
    tab.goto("about:blank")
    tab.goto(link)
    wait_until(tab, lambda: tab.evaluate(f"!!{LAB}.second && {at_end}"))
    assert tab.evaluate(f"Array.from({LAB}.second.weights.slice(0, 20))") == shown
    tab.evaluate(f"{LAB}.model.set('vs', '')")
    wait_until(tab, lambda: tab.locator(".lab-density2").is_hidden())
    assert lab(tab, "second") is None and "vs=" not in lab(tab, "link()")
    assert lab(tab, "other.host.ended"), "its worker computes no more"


def test_flows_that_differ_in_nothing_are_the_same(tab):
    """The same value of the choice: the same data, seed and steps give the same weights."""
    open_lab(tab, f"data=moons&seed=5&vs=width&width2=8&{SMALL}&train")
    wait_until(tab, lambda: tab.evaluate(f"{LAB}.first.finished && {LAB}.second.finished"))
    assert tab.evaluate(f"{LAB}.first.weights.every((w, k) => w === {LAB}.second.weights[k])")


NAME = "(e => e.labels?.[0]?.textContent ?? e.ariaLabel ?? e.textContent)(document.activeElement)"


def reach(tab, name, key="Tab"):
    """Press a key until what is called so has the focus."""
    seen = []
    while len(seen) < 80 and name not in seen:
        tab.keyboard.press(key)
        seen.append(tab.evaluate(NAME).strip())
    assert seen[-1] == name, seen


def test_two_flows_by_keyboard_alone(tab):
    """The second flow is chosen, set, trained and looked at without a pointer."""
    open_lab(tab, f"data=ring&{SMALL}", anew=True)
    reach(tab, "A second flow, on the same data")
    tab.keyboard.press("Enter")
    reach(tab, "It differs in")
    tab.keyboard.press("ArrowDown")
    reach(tab, "Layers, second flow")
    tab.keyboard.press("ArrowLeft")
    assert tab.inner_text(".live-spoken") == "two flows: Layers: 2, and Layers: 3"
    reach(tab, "Train", "Shift+Tab")
    tab.keyboard.press("Enter")
    wait_until(tab, lambda: tab.evaluate(f"{LAB}.second?.finished && {LAB}.first.finished"))
    wait_until(tab, lambda: tab.inner_text(".live-spoken") == "the training is at its end")
    looked(tab)
    reach(tab, "Way of the samples through the layers")
    for key, at in (("Home", 0), ("End", -1)):
        tab.keyboard.press(key)
        wait_until(tab, lambda: not lab(tab, "scheduled"))
        for plot, run in ((2, "first"), (6, "second")):
            drawn = f"Array.from({LAB}.plots[{plot}].values.samples{'2' if plot == 6 else ''})"
            wanted = f"Array.from({LAB}.{run}.shown.samples.at({at}))"
            assert tab.evaluate(drawn) == tab.evaluate(wanted)


def test_pictures_of_both_flows_have_names(tab):
    """To those who hear the page: what each picture shows, and of which flow."""
    names = """() => [...document.querySelectorAll(".lab canvas")].filter((c) => c.offsetParent)
        .map((c) => c.ariaLabel.split(";")[0])"""
    open_lab(tab, f"data=ring&{SMALL}")
    one = tab.evaluate(names)
    assert one[1:3] == ["Density of the flow: probability density of the flow",
                        "Samples on their way: samples and a bent grid"]  # fmt: skip
    tab.evaluate(f"{LAB}.model.set('vs', 'width')")
    wait_until(tab, lambda: lab(tab, "second !== null && " + LAB + ".second.shown !== null"))
    two = tab.evaluate(names)
    assert two[1:5] == ["Density · Width: 8: probability density of the flow",
                        "Density · Width: 8: probability density of the second flow",
                        "Samples · Width: 8: samples and a bent grid",
                        "Samples · Width: 8: samples of the second flow and a bent grid",
                        ]  # fmt: skip
    assert len(set(two)) == len(two) == len(one) + 2
    tab.evaluate(f"{LAB}.model.set('vs', '')")
    wait_until(tab, lambda: tab.inner_text(".live-spoken") == "one flow")
    assert tab.evaluate(names) == one


# Times of the drawings while something trains.
DRAWINGS = f"""() => {{
  window.times = [];
  new MutationObserver(() => {{ if ({LAB}.running) times.push(performance.now()); }})
    .observe({LAB}.root, {{ attributeFilter: ["data-draws"] }});
}}"""


def test_pictures_change_seldom_where_motion_is_reduced(tab, open_tab):
    """Of both flows."""
    state = f"data=ring&vs=layers&layers2=1&{SMALL}"
    calm = open_tab(f"{tab.base}#flow-lab?{state}", reduced_motion="reduce")
    wait_until(calm, lambda: lab(calm, "first.shown !== null"))
    calm.evaluate(DRAWINGS)
    calm.click("text=Slow")  # (so it lasts)
    calm.click("text=Train")
    wait_until(calm, lambda: calm.evaluate("times.length > 2"))
    times = calm.evaluate("times")[1:]  # (the first one was on its way before)
    assert min(b - a for a, b in zip(times, times[1:], strict=False)) > 350


def test_axe_finds_nothing_with_all_open(chromium, tab):
    """Wide and narrow, light and dark, with two flows."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, bypass_csp=True)
    page_ = context.new_page()
    page_.goto(f"{tab.base}#flow-lab?data=ring&vs=layers&{SMALL}&train")
    page_.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    wait_until(
        page_, lambda: page_.evaluate(f"{LAB}.second && {LAB}.runs.every((r) => r.finished)")
    )
    page_.evaluate(AXE)
    themes = {"light": "", "dark": "background: #14181e; color: #ced6dd"}
    for theme, style in themes.items():
        page_.evaluate("([theme, style]) => { document.documentElement.dataset.theme = theme; "
                       "document.body.style = style; }", [theme, style])  # fmt: skip
        wait_until(page_, lambda: lab(page_, "root.dataset.mode") == theme)
        for width in (1200, 360):
            page_.set_viewport_size({"width": width, "height": 900})
            rules = (
                {"runOnly": ["color-contrast"]} if theme == "dark" else {}
            )  # (all else is the same)
            found = page_.evaluate("rules => axe.run(document, rules)", rules)["violations"]
            found = [f"{v['id']}: {v['nodes'][0]['html'][:90]}" for v in found]
            assert not found, (theme, width)
            inside = page_.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert inside, f"nothing is wider than the window of {width}"
    context.close()


def test_from_the_dark_it_is_printed_in_light_colours(tab):
    open_lab(tab, SMALL)
    mode = lambda: lab(tab, "root.dataset.mode")  # noqa: E731
    try:
        tab.evaluate("document.documentElement.dataset.theme = 'dark'; undefined")
        wait_until(tab, lambda: mode() == "dark")
        modes = """["beforeprint", "afterprint"].map((kind) => {
            dispatchEvent(new Event(kind));
            return document.querySelector(".lab").dataset.mode;
        })"""
        assert tab.evaluate(modes) == ["light", "dark"], "at once: paper does not wait"
        tab.emulate_media(media="print")
        for pressed in ("summary", "button", "input"):
            assert not any(part.is_visible() for part in tab.locator(f".lab {pressed}").all())
    finally:
        tab.emulate_media(media="screen")
        tab.evaluate("delete document.documentElement.dataset.theme")


def stroke(tab, turns=8):
    """Draw a zigzag line into the first picture."""
    stage = tab.locator(".live-stage").first
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x - 60, y)
    tab.mouse.down()
    for k in range(turns):
        tab.mouse.move(x - 60 + 120 * k / (turns - 1), y + 20 * (k % 3))
    tab.mouse.up()


def test_an_own_drawing_trains(tab):
    open_lab(tab, f"data=drawn&{SMALL}".replace("drawn", "Your+own+drawing"), anew=True)
    assert tab.is_disabled("text=Train") and "Draw" in tab.inner_text(".lab-status")
    stroke(tab)
    count = lab(tab, "drawn.length")
    assert count > 60
    tab.locator(".live-stage canvas").first.focus()
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("Enter")
    assert lab(tab, "drawn.length") == count + 24
    tab.click("text=Undo")
    assert lab(tab, "drawn.length") == count
    wait_until(tab, lambda: not tab.is_disabled("text=Train"))
    tab.click("text=Train")
    finished(tab)
    losses = lab(tab, "first.losses.map((l) => l[1])")
    assert losses[-1] < losses[0] - 1 and "entropy" not in tab.inner_text(".lab-status")
    drawn, link = lab(tab, "drawn"), lab(tab, "link()")
    tab.goto("about:blank")
    tab.goto(link)
    wait_until(tab, lambda: lab(tab, "first.finished"))
    assert lab(tab, "drawn") == drawn


def test_a_table_is_read(tab):
    rows = "\n".join(f"{k},{k * k}" for k in range(30))
    tab.set_input_files(
        "input[type=file]",
        {"name": "t.csv", "mimeType": "text/csv", "buffer": f"x,y\n{rows}".encode()},
    )
    wait_until(tab, lambda: lab(tab, "drawn.length") == 60)
    assert max(map(abs, lab(tab, "drawn"))) <= 5
    tab.set_input_files(
        "input[type=file]", {"name": "bad.csv", "mimeType": "text/csv", "buffer": b"1,2\n3"}
    )
    wait_until(tab, lambda: "bad.csv: a table needs 10" in tab.inner_text(".lab-status"))
    assert lab(tab, "drawn.length") == 60
    # Or dropped, anywhere upon the Lab.
    tab.evaluate(
        """text => {
            const dataTransfer = new DataTransfer(), more = { bubbles: true, cancelable: true };
            dataTransfer.items.add(new File([text], "t.csv", { type: "text/csv" }));
            const drop = new DragEvent("drop", { dataTransfer, ...more });
            document.querySelector(".lab-curve canvas").dispatchEvent(drop);
        }""",
        f"{rows}\n30,900",
    )
    wait_until(tab, lambda: lab(tab, "drawn.length") == 62)


@takes_long
def test_lost_workers_are_replaced(tab):
    """Of both flows: each goes on from the state kept last, and the Lab says so."""
    long = SMALL.replace("steps=500", "steps=6000").replace("batch=64", "batch=256")
    open_lab(tab, f"data=moons&vs=layers&layers2=3&{long}")
    tab.click("text=Train")
    wait_until(tab, lambda: tab.evaluate(f"{LAB}.runs.every((r) => r.done > 5)"))
    tab.evaluate(f"{LAB}.watch()")  # (it keeps a copy, and sees who is silent, every second)
    wait_until(tab, lambda: tab.evaluate(f"{LAB}.runs.every((r) => r.kept?.done > 5)"))
    for run, said in (("first", "trains was lost"), ("second", "trains the second flow was lost")):
        lost = f"{LAB}.{run}.host.worker.terminate(), {LAB}.{run}.host.silence = 99"
        kept = tab.evaluate(f"{lost}, {LAB}.watch(), {LAB}.{run}.kept.done")
        assert said in tab.inner_text(".lab-status")
        assert "A new one goes on from step" in tab.inner_text(".lab-status")
        wait_until(tab, lambda: lab(tab, f"{run}.done") > kept + 10)
    assert tab.evaluate(f"{LAB}.runs.map((r) => r.wentBack.length)") == [0, 0]
    assert tab.inner_text(".lab-main") == "Pause"
    tab.click("text=Pause")


@takes_long
@pytest.mark.parametrize("times", [1, 2])
def test_what_is_taken_away_while_a_worker_is_lost_comes_from_the_next(tab, times):
    trained_small(tab)
    table, weights = lab(tab, "table(50)"), lab(tab, "exported()")
    lost = f"{LAB}.viewer.lose('pulled the plug');" * times
    both = (
        f"Promise.all([{LAB}.table(50), {LAB}.exported()]).then((got) => {{ window.got = got; }})"
    )
    tab.evaluate(f"() => {{ window.got = null; {both}; {lost} }}")
    wait_until(tab, lambda: tab.evaluate("window.got"))
    assert tab.evaluate("window.got") == [table, weights]
    assert "computes the pictures was lost (pulled the plug)" in tab.inner_text(".lab-status")
    lab(tab, "failures = 0")


# What the page asks the worker of the pictures waits until `letGo()`: as on a busy machine.
LATE = f"""() => {{
  const {{ viewer }} = {LAB}, send = viewer.send.bind(viewer), kept = [];
  viewer.send = async (message) => {{ kept.push(message); }};
  window.letGo = () => {{ viewer.send = send; kept.forEach(send); }};
}}"""


def test_what_is_pressed_while_the_page_prepares_is_done(tab):
    """With both flows: Train, Step, and Train that is taken back, before there is a training."""
    open_lab(tab, f"data=ring&vs=layers&layers2=1&{SMALL}")
    trials = [
        ("Two moons", ["train"], 500),
        ("Spiral", ["step"], 1),
        ("Two moons", 2 * ["train"], 0),
    ]
    for data, presses, done in trials:
        tab.evaluate(LATE)
        tab.select_option("[data-param=data]", label=data)
        assert lab(tab, "ready") is False
        for name in presses:
            tab.click(f".lab-tools >> text={'Pause' if lab(tab, 'running') else name.title()}")
        tab.evaluate("letGo()")
        wait_until(tab, lambda: lab(tab, "ready") and not lab(tab, "running"))
        wait_until(tab, lambda: tab.evaluate(f"{LAB}.runs.every((r) => r.done >= {done})"))
        assert tab.evaluate(f"{LAB}.runs.map((r) => r.done)") == [done, done]
        assert tab.inner_text(".lab-main") == "Train"


@takes_long
def test_pause_and_train_in_one_breath_trains_on(tab):
    """The report that it paused comes late: it is not about the order to go on."""
    # (It takes ten seconds at least: it does not end meanwhile.)
    open_lab(tab, "data=moons&layers=8&width=32&batch=256&steps=6000")
    tab.click("text=Train")
    wait_until(tab, lambda: lab(tab, "first.done") > 0)
    there = tab.evaluate(
        f"{LAB}.buttons.train.click(), {LAB}.buttons.train.click(), {LAB}.first.done"
    )
    wait_until(tab, lambda: lab(tab, "first.done") > there + 50)
    assert lab(tab, "running") and tab.inner_text(".lab-main") == "Pause"
    tab.click("text=Pause")
    wait_until(tab, lambda: lab(tab, "looking") is False)
    assert not lab(tab, "running") and 0 < lab(tab, "first.done") < 6000


# Workers that never answer (the first ones, by their number), or that do not start.
DEAF = """window.deaf = DEAF; window.made = 0;
window.Worker = class extends Worker {
  constructor(address) {
    super(address);
    this.deaf = window.deaf.includes(++window.made);
    if (window.deaf[0] === "fails") setTimeout(() => this.onerror(new Event("error")), 100);
  }
  postMessage(message) { if (!this.deaf && window.deaf[0] !== "fails") super.postMessage(message); }
};"""


@pytest.fixture
def deaf_lab(open_tab, tab):
    def open_it(*numbers, state="train"):
        made = open_tab(
            "about:blank", lambda t: t.add_init_script(DEAF.replace("DEAF", json.dumps(numbers)))
        )
        made.goto(f"{tab.base}#flow-lab?data=ring&{SMALL}&{state}")
        wait_until(made, lambda: lab(made, "viewer !== undefined"))
        return made

    return open_it


@takes_long
def test_workers_that_never_answer_are_replaced(deaf_lab):
    """The Lab says so, offers Restart, and goes on by itself if nobody presses it."""
    tab = deaf_lab(1, 3, 4, state="vs=layers&layers2=1&train")  # the second one replaces the first
    for made, host, said in ((1, "viewer", "computes the pictures"), (4, "first.host", "trains"),
                             (5, "second.host", "trains the second flow")):  # fmt: skip
        wait_until(tab, lambda: tab.evaluate(f"made >= {made}"))
        wait_until(tab, lambda: tab.evaluate(f"{LAB}.{host}.owes"))

        def after(seconds, then):  # in one go: the page counts seconds, too
            return tab.evaluate(
                f"{LAB}.{host}.silence = {seconds} - 1, {LAB}.watch(), {LAB}.{then}"
            )

        assert "a worker has not answered for" in after(4, "status.textContent")
        assert made > 1 or after(4, "spoken.textContent").startswith("A worker does not answer.")
        assert after(4, "buttons.restart.hidden") is False
        lost = f"The worker that {said} was lost (it did not answer)"
        assert lost not in after(18, "status.textContent")  # three times six: it never answered
        assert lost in after(19, "status.textContent")
        tab.evaluate(f"{LAB}.note = ''")
    wait_until(tab, lambda: tab.evaluate(f"{LAB}.runs.every((r) => r.finished)"))
    wait_until(tab, lambda: not tab.is_visible("text=Restart"))


@takes_long
def test_restart_replaces_a_silent_worker(deaf_lab):
    tab = deaf_lab(1, 2)
    tab.evaluate(f"{LAB}.viewer.silence = 2")
    wait_until(tab, lambda: tab.is_visible("text=Restart"))  # (of its own: it is the third second)
    tab.click("text=Restart")  # another that does not answer
    assert tab.evaluate("document.activeElement.className") == "lab-main"
    assert "it was restarted" in tab.inner_text(".lab-status")
    tab.evaluate(f"{LAB}.viewer.silence = 3, {LAB}.watch()")
    tab.click("text=Restart")
    finished(tab)
    assert not tab.is_visible("text=Restart")


@takes_long
def test_workers_that_are_lost_again_and_again(deaf_lab):
    """The Lab gives up, says so, and tries once more when asked."""
    tab = deaf_lab(2, 3, 4, 5, 6, 7)
    wait_until(tab, lambda: tab.evaluate("made >= 2"))
    for _ in range(6):
        tab.evaluate(f"{LAB}.first.host.silence = 1e3, {LAB}.watch()")
    assert "lost too often. Restart tries once more" in tab.inner_text(".lab-status")
    assert tab.inner_text(".lab-main") == "Train" and tab.evaluate("made") == 7
    tab.click("text=Restart")
    wait_until(tab, lambda: not tab.is_visible("text=Restart"))
    tab.click("text=Train")
    finished(tab)


@takes_long
def test_where_workers_do_not_start_the_page_trains(deaf_lab):
    """What was sent to them is done in its order."""
    tab = deaf_lab("fails", state="vs=layers&layers2=1&train")
    wait_until(tab, lambda: tab.evaluate(f"{LAB}.second && {LAB}.runs.every((r) => r.finished)"))
    assert lab(tab, "first.host.worker === undefined")


def test_a_link_of_the_page_sets_all_and_begins_anew(tab):
    trained_small(tab)
    tab.evaluate("location.hash = 'flow-lab?data=moons&steps=500&batch=64&layers=1&width=8&train'")
    wait_until(tab, lambda: lab(tab, "now().data") == "moons")
    assert lab(tab, "now().seed") == 0 and lab(tab, "now().waves") == 4, "as at first"
    wait_until(tab, lambda: lab(tab, "first.done") == 500)


def test_the_rate_changes_while_it_runs(tab):
    open_lab(tab, f"data=moons&{SMALL}".replace("steps=500", "steps=6000&schedule=stays"))
    tab.click("text=Step")
    wait_until(tab, lambda: lab(tab, "first.done") == 1)
    tab.select_option("[data-param=rate]", label="0.1")
    wait_until(tab, lambda: lab(tab, "first.rate") == 0.1)
    assert "rates=1-0.1" in lab(tab, "link()") and lab(tab, "first.done") == 1


def weights_of(tab):
    return tab.evaluate(f"Array.from({LAB}.first.weights)")


def opened_elsewhere(chromium, link, done):
    """The weights that a link leads to, in a browser context of its own."""
    context = chromium.new_context()
    other = context.new_page()
    other.goto(link)
    wait_until(other, lambda: lab(other, "first.done") == done and not lab(other, "running"))
    weights, again = weights_of(other), lab(other, "link()")
    context.close()
    return weights, again


def test_a_link_keeps_the_rates_of_a_training_on_its_way(tab, chromium):
    """Taken after 7 steps with one rate and 5 with another: elsewhere it leads to these weights."""
    open_lab(tab, f"data=moons&turn=45&{SMALL}", anew=True)
    for done in range(1, 13):
        tab.click("text=Step")
        wait_until(tab, lambda: lab(tab, "first.done") == done)
        if done == 7:
            tab.select_option("[data-param=rate]", label="0.1")
            wait_until(tab, lambda: lab(tab, "first.rates.length") == 2)
    link, weights = lab(tab, "link()"), weights_of(tab)
    assert "rate=0.01&" in link and "rates=7-0.1&at=12" in link
    assert opened_elsewhere(chromium, link, 12) == (weights, link)
    assert opened_elsewhere(chromium, link.replace("rates=7", "rates=8"), 12)[0] != weights


@takes_long
def test_a_rate_changed_in_full_run_counts_from_that_step_on(tab, chromium):
    """While it trains: as in a training that has these rates from the start."""
    state = f"data=moons&{SMALL}".replace("steps=500", "steps=6000&schedule=stays")
    open_lab(tab, state, anew=True)
    tab.click("text=Train")
    wait_until(tab, lambda: lab(tab, "first.done") > 50)
    tab.select_option("[data-param=rate]", label="0.03")
    wait_until(tab, lambda: lab(tab, "first.rates.length") == 2 and lab(tab, "running"))
    (zero, before), (step, after) = lab(tab, "first.rates")
    assert (zero, before, after) == (0, 0.01, 0.03) and step > 50
    wait_until(tab, lambda: lab(tab, "first.done") > step + 50)
    tab.click("text=Pause")
    done, weights, link = tab.evaluate(
        f"[{LAB}.first.done, Array.from({LAB}.first.weights), {LAB}.link()]"
    )
    assert opened_elsewhere(chromium, link, done)[0] == weights
    assert opened_elsewhere(chromium, link.replace(f"rates={step}-0.03&", ""), done)[0] != weights


def test_the_terms_at_the_probe_are_those_of_torch_and_add_up(tab):
    """To log p as it is exported; each is the log-det of its layer."""
    open_lab(
        tab, f"data=ring&{SMALL}".replace("layers=2", "layers=3").replace("turn=none", "turn=45")
    )
    tab.click("text=Train")
    finished(tab)
    saved, flow = exported(tab)
    for (x, y), log_p in list(zip(saved["points"], saved["log_p"], strict=True))[:3]:
        tab.evaluate(f"{LAB}.model.set('px', {x}), {LAB}.model.set('py', {y})")
        looked(tab)
        terms = tab.evaluate(f"Array.from({LAB}.first.shown.terms)")
        assert lab(tab, "first.shown.labels") == ["log p(z)", "layer 3", "layer 2", "layer 1"]
        assert abs(sum(terms) - log_p) < 1e-5
        z, dets = torch.tensor([[x, y]]), []
        with torch.no_grad():
            for layer in reversed(flow.layers):
                z, det = layer.encode(z)
                dets += [det.item()] if isinstance(layer, flows.AffineCoupling) else []
        assert terms[1:] == pytest.approx(dets, abs=1e-5) and len(set(terms)) == 4
        assert terms[0] == pytest.approx(-0.5 * z.square().sum().item() - math.log(2 * math.pi))


def test_strays_are_counted(tab):
    """As one counts them in torch."""
    trained_small(tab)
    looked(tab)
    samples, held = (
        torch.tensor(tab.evaluate(f"Array.from({LAB}.{there})")).reshape(-1, 2).double()
        for there in ("first.shown.samples.at(-1)", "pool")
    )
    log_prob = DATA["ring"].log_prob
    rare = log_prob(held).sort().values[len(held) // 1000]
    count = (log_prob(samples) < rare).sum().item()
    assert len(samples) == 800 and len(held) == 1000 and 8 < count < 600
    assert abs(800 * lab(tab, "first.strays") - count) <= 1  # (one may lie on the limit itself)
    shown = float(re.search(r"strays ([\d.]+)%", tab.inner_text(".lab-status"))[1])
    assert abs(shown - 100 * lab(tab, "first.strays")) < 0.051


def numbers(text):
    return [float(v) for v in re.findall(r"-?\d+\.\d+", text.replace("\u2212", "-"))]


def test_the_gap_is_split_and_modes_are_weighed(tab):
    """As one computes both in torch, from the flow that goes along and the samples shown."""
    open_lab(tab, f"data=ring&points=50&seed=3&{SMALL}")
    wait_until(tab, lambda: tab.locator(".lab-ledger tr:visible").count() == 2)  # once drawn
    tab.click("text=Train")
    finished(tab)
    looked(tab)
    saved, flow = exported(tab)
    own, held, samples = (
        torch.tensor(tab.evaluate(f"Array.from({LAB}.{there})")).reshape(-1, 2)
        for there in ("data", "pool", "first.shown.samples.at(-1)")
    )
    with torch.no_grad():
        training, other = (-flow.log_prob(x).mean().item() for x in (own, held))
    floor = -DATA["ring"].log_prob(held).mean().item()  # the entropy, of the held-out points
    misfit, rest, gap = numbers(tab.inner_text(".lab-ledger td >> nth=0"))
    assert len(own) == 50 and misfit == pytest.approx(training - floor, abs=2e-3)
    assert rest == pytest.approx(other - training, abs=2e-3) and abs(rest) > 0.02
    assert gap == pytest.approx(misfit + rest, abs=2e-3)
    assert gap == pytest.approx(lab(tab, "first.gap"), abs=6e-4)
    *weights, exact = numbers(tab.inner_text(".lab-ledger td >> nth=1"))
    assert len(weights) == 8 and exact == 12.5 and len(set(weights)) > 3
    assert weights == pytest.approx((100 * gmu.mode_shares(samples)).tolist(), abs=0.051)
    open_lab(tab, f"data=moons&vs=layers&layers2=1&{SMALL}")
    wait_until(tab, lambda: lab(tab, "second.ledger !== null"))
    text = tab.inner_text(".lab-ledger tr:visible")  # (one row: the moons have no modes)
    assert "second flow: misfit" in text and text.count("generalisation 0.000") == 2
    open_lab(tab, f"data=Your+own+drawing&drawn={'abcd' * 60}&{SMALL}")
    # (Nobody knows its entropy.)
    wait_until(tab, lambda: tab.locator(".lab-ledger tr:visible").count() == 0)


# The tab goes out of sight, or comes back; `away`: seconds that its clock is put on meanwhile.
SIGHT = """([hidden, away]) => {
  const now = Date.now();
  Date.now = () => now + 1000 * away;
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@takes_long
def test_a_tab_that_slept_says_so(tab):
    long = SMALL.replace("steps=500", "steps=6000")
    open_lab(tab, f"data=moons&{long}", anew=True)
    tab.click("text=Slow")  # (four steps a second: a sleep is not mistaken, on whatever machine)
    tab.click("text=Train")
    wait_until(tab, lambda: lab(tab, "first.speed") > 0)
    tab.evaluate(SIGHT, [True, 0])
    at = lab(tab, "first.done")
    tab.evaluate(SIGHT, [False, 3])
    assert "slept" not in lab(tab, "note"), "a short look elsewhere is not worth a word"
    tab.evaluate(SIGHT, [True, 0])
    tab.evaluate(SIGHT, [False, 3600])
    slept = re.search(r"This tab slept from step (\d+) on: it goes on now", lab(tab, "note"))
    assert slept and at <= int(slept[1]) <= lab(tab, "first.done")
    assert slept[0] in tab.inner_text(".live-spoken") and slept[0] in tab.inner_text(".lab-status")
    tab.evaluate(SIGHT, [True, 0])
    there = lab(tab, "first.done")
    wait_until(tab, lambda: lab(tab, "first.done") > there)
    tab.evaluate(f"{LAB}.away[1] -= 1000")  # as if a thousand steps had been done out of sight
    tab.evaluate(SIGHT, [False, 60])
    went = re.search(
        r"Out of sight the training went on, from step (-?\d+) to (\d+)", lab(tab, "note")
    )
    assert went and int(went[2]) > there
    tab.click("text=Pause")
    for hidden, away in ((True, 0), (False, 3600)):
        tab.evaluate(f"{LAB}.note = ''")
        tab.evaluate(SIGHT, [hidden, away])
    assert lab(tab, "note") == "", "what rests does not sleep"
    tab.goto("about:blank")  # (to its own clock)


def test_where_it_started_is_known_to_who_looks_late(tab):
    """On a busy machine many steps are done before the first look at what they make."""
    open_lab(tab, f"data=moons&{SMALL}", anew=True)
    wait_until(tab, lambda: lab(tab, "first.start") is not None)
    start = lab(tab, "first.start")
    tab.evaluate(f"{LAB}.look = () => {{}}; {LAB}.fresh(); undefined")
    wait_until(tab, lambda: lab(tab, "first.untrained") is not None)
    assert lab(tab, "first.start") is None
    tab.evaluate(f"{LAB}.buttons.train.click()")
    wait_until(tab, lambda: lab(tab, "first.finished"))
    tab.evaluate(f"delete {LAB}.look; {LAB}.look(); undefined")
    wait_until(tab, lambda: lab(tab, "first.start") is not None)
    assert lab(tab, "first.start") == pytest.approx(start, abs=1e-6)
    assert lab(tab, "first.nll") < start - 0.1


# How each mission is solved: what one sets, after its Start. The last one is drawn.
PLAYED = [
    {"layers": "6", "steps": "500", "rate": "0.01"},
    {"layers": "16", "width": "8", "batch": "128", "rate": "0.01"},
    {"waves": "4", "turn": "45°"},
    {"layers": "12"},
    {"layers": "4", "batch": "64", "rate": "0.3", "schedule": "stays"},
    {"layers": "2", "width": "16", "steps": "500", "rate": "0.01"},
]


def put(tab, name, value):
    """Move a control of the Lab, as a reader does."""
    control = tab.locator(f"[data-param={name}]")
    if control.evaluate("c => c.tagName") == "SELECT":
        control.select_option(label=value)
    else:
        control.fill(value)


def missions_solved(tab):
    return tab.inner_text("summary:has-text('Missions')")


def test_missions_are_not_solved_by_doing_nothing(tab):
    open_lab(tab, "data=ring")
    tab.evaluate("localStorage.clear()")
    tab.goto(tab.base)
    tab.click("summary:has-text('Missions')")
    for k in range(tab.locator(".lab-missions li").count()):
        tab.locator(".lab-missions button").nth(k).click()
        wait_until(tab, lambda: lab(tab, "enough === false || !!" + LAB + ".first.held.length"))
    assert "0 of 6" in missions_solved(tab)


def test_only_a_mission_under_way_is_solved(tab):
    """A training that would be good enough for three of them solves the one that was begun."""
    open_lab(tab, f"data=ring&{SMALL}".replace("waves=none&", ""), anew=True)
    good = f"""Object.assign({LAB}.first, {{ done: 400, gap: 0, strays: 0, wentBack: [7] }}),
        {LAB}.judge(), [...{LAB}.solved]"""
    tab.evaluate(f"localStorage.clear(), {LAB}.solved.clear()")
    assert tab.evaluate(good) == [] and "under way" not in lab(tab, "root.textContent")
    tab.click("summary:has-text('Missions')")
    tab.locator(".lab-missions button").nth(2).click()
    wait_until(tab, lambda: lab(tab, "ready") and lab(tab, "first.shown !== null"))
    assert tab.locator(".lab-missions li:has-text('under way')").all_inner_texts() == [
        tab.locator(".lab-missions li").nth(2).inner_text()
    ]
    assert tab.evaluate(good) == [2]
    assert "Mission solved: Make the bridges vanish" in tab.inner_text(".lab-status")
    tab.evaluate("localStorage.clear()")


def test_a_link_with_what_the_lab_does_not_know_says_so(tab):
    open_lab(tab, f"data=ring&depth=3&{SMALL}&base=cauchy", anew=True)
    wait_until(tab, lambda: "Lab does not know: depth=3, base=cauchy." in lab(tab, "note"))
    assert lab(tab, "now().data") == "ring" and lab(tab, "now().base") == "normal"
    tab.click("text=Reset")
    wait_until(tab, lambda: lab(tab, "note") == "")


# (The last one always.)
@pytest.mark.parametrize("k", some_of(range(len(PLAYED)), [len(PLAYED) - 1]))
def test_missions_can_be_solved(k, tab):
    open_lab(tab, "data=ring")
    tab.evaluate("localStorage.clear()")
    tab.goto("about:blank")
    tab.goto(tab.base)
    assert tab.locator(".lab-missions li").count() == len(PLAYED)
    for summary in ("Missions", "More settings"):
        tab.click(f"summary:has-text('{summary}')")
    tab.locator(".lab-missions button").nth(k).click()
    for name, value in PLAYED[k].items():
        put(tab, name, value)
    if lab(tab, "now().data") == "drawn":
        stroke(tab, 16)
        assert lab(tab, "drawn.length / 2") >= 100

    state = f"""() => {{
        const {{ solved, first, running }} = {LAB};
        if (solved.has({k}) || first.finished) return "done";
        return running || document.querySelector(".lab-main").disabled ? "busy" : "rests";
    }}"""

    def done():
        """(A setting that arrives late begins anew, and at rest: then a reader presses again.)"""
        now = tab.evaluate(state)  # all of it at one moment: it may come to its end meanwhile
        if now == "rests":
            tab.click(".lab-main")
        return now == "done"

    wait_until(tab, done)
    wait_until(tab, lambda: lab(tab, "looking") is False)
    solved = tab.evaluate(f"[...{LAB}.solved]")
    assert k in solved and len(solved) <= 2  # (one that explodes on its way solves that one, too)
    count = f"{len(solved)} of 6"
    assert count in missions_solved(tab)
    assert "Mission solved" in tab.inner_text(".lab-status")
    if k == 4:
        assert "the loss exploded" in lab(tab, "note")
    tab.goto("about:blank")
    tab.goto(tab.base)  # and it is kept
    wait_until(tab, lambda: count in missions_solved(tab))


def test_without_workers_it_trains_in_the_page(tab, folder):
    """As from file://, where browsers start no worker."""
    tab.goto((folder / "index.html").as_uri() + f"#flow-lab?data=rings&{SMALL}&train")
    finished(tab)
    assert lab(tab, "first.host.worker === undefined")
    losses = lab(tab, "first.losses.map((l) => l[1])")
    assert losses[-1] < losses[0] - 0.3


def test_it_lives_in_notebooks_and_in_frames(chromium, tmp_path):
    """As anywidget shows it, twice on a page; as one file, sandboxed as by a course platform."""
    page.save_html(tmp_path / "lab.html")
    (tmp_path / "lab.mjs").write_text(page.module(), encoding="utf-8")
    (tmp_path / "index.html").write_text(
        '<iframe sandbox="allow-scripts" width="900" height="900" src="lab.html"></iframe>',
        encoding="utf-8",
    )
    tab, complaints = chromium.new_page(), []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    small = "o => { o.take('data=ring&layers=1&width=8&steps=500&batch=64&train'); o.fresh(); }"
    with serve_folder(tmp_path) as address:
        tab.goto(f"{address.rstrip('/')}/index.html")
        frame = next(f for f in tab.frames if f.name == "" and f != tab.main_frame)
        frame.wait_for_selector("[data-lab] .lab-main")
        frame.evaluate(f"({small})({LAB})")
        wait_until(tab, lambda: frame.evaluate(f"{LAB}.first.finished"))
        tab.goto("about:blank")
        tab.goto(f"{address.rstrip('/')}/lab.html")
        tab.evaluate("""async () => {
            const { default: widget } = await import("./lab.mjs");
            window.stops = [0, 1].map(() => widget.render({ el: document.body }));
        }""")
        assert tab.locator(".lab").count() == 3
        second = "document.querySelector('#flow-lab-2').lab"
        tab.evaluate(f"({small})({second})")
        wait_until(tab, lambda: tab.evaluate(f"{second}.first.finished"))
        assert tab.evaluate("document.querySelector('#flow-lab-1').lab.first.done") == 0
        tab.evaluate("stops.forEach((stop) => stop())")
        assert tab.locator(".lab").count() == 1
    tab.close()
    assert not complaints


def test_the_page_carries_little():
    whole = sum(len(gzip.compress(text.encode())) for text in page.files().values())
    assert whole <= 60_000


def test_the_widget_is_the_lab():
    from lab.widget import flow_lab

    assert flow_lab()._esm == page.module() and ".lab-main" in flow_lab()._css
