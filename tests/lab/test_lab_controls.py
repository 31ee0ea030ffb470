"""Every control of the Lab's page, by mouse, by touch and by keyboard: each does what it says.

The page is asked which controls it has; one that no row here works fails the test.
"""

import json
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import serve_folder, wait_until
from lab_node import LAB
from lab_tab import lab, write_page
from samples import ALL_TESTS, some_of

STATE = "layers=2&width=16&waves=none&turn=none&batch=512&steps=6000&rate=0.01"
# What one may press, choose, move or write into; and its name.
CONTROLS = (
    ".lab :is(button, select, input, textarea, summary, a[href], [contenteditable], "
    "[tabindex]:not([tabindex='-1']))"
)
NAME = """(part) => part.dataset.param
    ?? (part.tagName === "CANVAS" ? `canvas ${/lab-\\w+/.exec(part.closest(".live-panel").className)}` : null)
    ?? (part.ariaLabel || part.labels?.[0]?.textContent.trim() || part.textContent.trim())"""  # noqa: E501
SEEN = f"""() => [...document.querySelectorAll("{CONTROLS}")]
    .filter((part) => part.checkVisibility() && !part.disabled)
    .map((part) => ({NAME})(part).replace(/^Pause$/, "Train").replace(/^Missions.*/, "Missions"))"""
# All that a setting may change: what is trained, on what, how; and what is drawn of the data.
MADE = f"""() => {{
  const {{ runs, source, trainData, entropy, drawn }} = {LAB};
  const points = ArrayBuffer.isView(trainData) ? [...trainData] : trainData;
  return JSON.stringify([runs.map((r) => [r.flowNow, r.settings]), source, points, entropy, drawn]);
}}"""
# Milliseconds that a step takes, over the next so many.
PACE = f"""async (steps) => {{
  const {{ first }} = {LAB}, from = first.done, start = performance.now();
  while (first.running && first.done < from + steps) await new Promise(requestAnimationFrame);
  return (performance.now() - start) / (first.done - from);
}}"""
PICTURES = f"{LAB}.plots.map((p) => (p.root.hidden ? '' : p.canvas.toDataURL()))"
TABLE = "\n".join(f"{k},{k * k}" for k in range(30)).encode()
TABLE = {"name": "t.csv", "mimeType": "text/csv", "buffer": TABLE}


class Mouse:
    """Presses, chooses and moves with a mouse."""

    options = {}

    def __init__(self, tab):
        self.tab = tab

    def press(self, part):
        part.click()

    def choose(self, part):
        """The next of its options. (The list that opens is the browser's: no script presses it.)"""
        self.press(part)
        wait_until(self.tab, lambda: part.evaluate("c => c.matches(':open')"))
        self.tab.keyboard.press("Escape")
        wait_until(self.tab, lambda: not part.evaluate("c => c.matches(':open')"))
        count, now = part.evaluate("c => [c.options.length, c.selectedIndex]")
        part.select_option(index=(now + 1) % count)

    def at(self, part, x, y):
        """Press at a place, in shares of its width and height."""
        box = part.bounding_box()
        part.click(position={"x": x * box["width"], "y": y * box["height"]})

    def slide(self, part):
        low = part.evaluate("c => (c.value - c.min) / (c.max - c.min) < 0.2")
        self.at(part, 0.3 if low else 0.1, 0.5)

    def point(self, part):
        self.at(part, 0.3, 0.3)


class Touch(Mouse):
    """With a finger."""

    options = {"has_touch": True, "viewport": {"width": 390, "height": 800}}

    def press(self, part):
        part.tap()

    def at(self, part, x, y):
        box = part.bounding_box()
        part.tap(position={"x": x * box["width"], "y": y * box["height"]})


class Keys(Mouse):
    """With keys alone: Tab until the control has the focus, then those that work it."""

    def reach(self, part):
        part.evaluate("part => { window.wanted = part; }")
        for _ in range(120):
            if self.tab.evaluate("document.activeElement === window.wanted"):
                return
            self.tab.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {part.evaluate(NAME)}")

    def keys(self, part, *keys):
        self.reach(part)
        for key in keys:
            self.tab.keyboard.press(key)

    def press(self, part):
        self.keys(part, "Enter")

    def choose(self, part):
        last = part.evaluate("c => c.selectedIndex === c.options.length - 1")
        self.keys(part, "ArrowUp" if last else "ArrowDown")

    def slide(self, part):
        top = part.evaluate("c => c.value === c.max")
        self.keys(part, *10 * ["ArrowLeft" if top else "ArrowRight"])

    def point(self, part):
        self.keys(part, "ArrowUp", "ArrowLeft", "Enter")


class Visit:
    """A walk over the page's controls, by one kind of input."""

    def __init__(self, tab, hand):
        self.tab, self.hand, self.seen, self.worked = tab, hand, set(), set()

    def find(self, name):
        """The control of that name, and note that it is worked, and which others there are."""
        names = self.tab.evaluate(SEEN)
        self.seen |= set(names)
        self.worked.add(name)
        place = self.tab.evaluate_handle(
            f"""k => [...document.querySelectorAll("{CONTROLS}")]
                .filter((part) => part.checkVisibility() && !part.disabled)[k]""",
            names.index(name),
        )
        place.evaluate("part => part.setAttribute('data-found', '')")
        found = self.tab.locator("[data-found]").element_handle()
        found.evaluate("part => part.removeAttribute('data-found')")
        return found

    def press(self, name):
        self.hand.press(self.find(name))

    def until(self, condition):
        """A condition on the Lab, in JavaScript."""
        wait_until(self.tab, lambda: lab(self.tab, condition))

    def ready(self):
        self.until(f"ready && {LAB}.first.shown !== null && !{LAB}.looking && !{LAB}.stale")

    def drawn(self):
        self.ready()
        self.until("scheduled === false")

    def saved(self, name) -> bytes:
        with self.tab.expect_download() as download:
            self.press(name)
        return Path(download.value.path()).read_bytes()

    @contextmanager
    def changes(self, expression, what):
        """What is done in here changes what an expression of the page is."""
        before = self.tab.evaluate(expression)
        yield
        try:
            wait_until(self.tab, lambda: self.tab.evaluate(expression) != before)
        except TimeoutError as error:
            raise AssertionError(f"{what} changes nothing") from error

    def setting(self, name):
        """Its value, the link, and what is trained."""
        value, link = f"{LAB}.model.get('{name}')", f"{LAB}.link()"
        with self.changes(value, name), self.changes(link, name), self.changes(MADE, name):
            part = self.find(name)
            kind = part.evaluate("c => c.tagName")
            self.hand.choose(part) if kind == "SELECT" else self.hand.slide(part)
            self.until("ready")


def trains(visit):
    """Slow, Train, Pause and Step."""
    tab = visit.tab
    visit.press("Slow")  # at once: a fast training may be at its end before the next is reached
    visit.press("Train")
    slow = tab.evaluate(PACE, 3)
    visit.press("Slow")
    fast = tab.evaluate(PACE, 200)
    visit.press("Slow")
    assert lab(tab, "first.running") and slow > 5 * fast, (slow, fast)
    visit.press("Train")  # (it says Pause)
    visit.press("Slow")
    assert lab(tab, "buttons.slow.ariaPressed") == "false" and not lab(tab, "running")
    visit.ready()
    there = lab(tab, "first.done")
    visit.press("Step")
    visit.until(f"first.done === {there + 1}")
    visit.ready()


def shows(visit):
    """The probe, by what it is taken apart into; and the way of the samples, by their picture."""
    place = f"[{LAB}.model.get('px'), {LAB}.model.get('py')]"
    with visit.changes(place, "the probe"), visit.changes(f"{PICTURES}[4]", "its terms"):
        visit.hand.point(visit.find("canvas lab-density"))
        visit.drawn()
    name = "Way of the samples through the layers"
    with visit.changes(f"{LAB}.model.get('t')", name), visit.changes(f"{PICTURES}[2]", name):
        visit.hand.slide(visit.find(name))
        visit.drawn()


def takes_away(visit):
    """What is saved or copied."""
    tab = visit.tab
    picture = visit.saved("Picture (PNG)")
    assert picture[:4] == b"\x89PNG" and len(picture) > 10_000
    assert visit.saved("Samples (CSV)").startswith(b"x1,x2,log_p\n")
    lab(tab, "film = 0.3")  # seconds
    assert visit.saved("Film of the samples")[:4] == b"\x1a\x45\xdf\xa3"
    visit.until("buttons.film.disabled === false")
    visit.press("Copy link")
    visit.until("note.startsWith('The link is copied')")
    assert tab.evaluate("navigator.clipboard.readText()") == lab(tab, "link()")
    tab.evaluate("navigator.clipboard.writeText = () => Promise.reject(), null")
    visit.press("Copy link")  # (where the page may not, it shows the link, selected)
    wait_until(tab, lambda: tab.locator(".live-link").count())
    assert visit.find("Link to this state").input_value() == lab(tab, "link()")
    assert tab.evaluate("getSelection().toString()") == lab(tab, "link()")
    weights = json.loads(visit.saved("Save the weights (JSON)"))
    assert weights["steps"] == lab(tab, "first.done") and weights["shape"]["n_layers"] == 2
    assert json.loads(visit.saved("Save as a notebook"))["nbformat"] == 4
    visit.worked.add("Python")  # (to be read, and scrolled)
    assert "getattr(flows" in visit.find("Python").text_content()


def restarts(visit):
    """Begin anew; and replace a worker that is silent."""
    visit.press("Reset")
    visit.until("first.done === 0")
    visit.ready()
    silent = f"Object.assign({LAB}.viewer, {{ owes: true, silence: 4 }}), {LAB}.watch(), null"
    visit.tab.evaluate(silent)
    visit.press("Restart")
    visit.until("note.includes('it was restarted')")
    visit.ready()


def sets(visit):
    """All settings, then those of a second flow: each is there when it is what they differ in."""
    beside = lab(visit.tab, "choices")
    for name in visit.tab.evaluate(SEEN):
        if name not in beside and visit.tab.locator(f"[data-param='{name}']").count():
            visit.setting(name)
    count = visit.tab.locator("[data-param=vs] option").count() - 1
    # (A slider and a menu stand for the others; the mouse works all.)
    for _ in range(count if ALL_TESTS or type(visit.hand) is Mouse else 2):
        visit.setting("vs")
        visit.setting(f"{lab(visit.tab, 'now().vs')}2")


def begins_missions(visit):
    starts = [name for name in visit.tab.evaluate(SEEN) if name.startswith("Start: ")]
    for k, name in enumerate(starts):
        visit.press(name)
        item = visit.tab.locator(".lab-missions li").nth(k)
        assert "under way" in item.inner_text() and item.inner_text()[:20] in name


def draws(visit):
    """On the surface that the last mission leads to."""
    tab, hand = visit.tab, visit.hand
    assert lab(tab, "now().data") == "drawn" and not lab(tab, "drawn.length")
    points, counts = f"{LAB}.drawn.length / 2", {}
    for name, back in (("Spray", "Undo"), ("Pen", "Clear")):
        visit.press(name)
        assert lab(tab, "surface.spraying") == (name == "Spray")
        hand.point(visit.find("canvas lab-data"))
        counts[name] = tab.evaluate(points)
        visit.press(back)
        assert counts[name] > 0 and tab.evaluate(points) == 0
    assert isinstance(hand, Keys) or counts["Spray"] == 3 * counts["Pen"]
    with tab.expect_file_chooser() as chooser:
        visit.press("CSV")
    chooser.value.set_files(TABLE)
    visit.until("drawn.length === 60")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    write_page(folder)
    with serve_folder(folder) as served:
        yield f"{served.rstrip('/')}/index.html#flow-lab?data=ring&{STATE}"


# (Other tests press buttons with mice and fingers, too; that keys reach them is tried here only.)
@pytest.mark.parametrize("kind", some_of([Mouse, Touch, Keys], [Keys]))
def test_each_control_does_what_it_says(kind, address, open_tab):
    complaints = []

    def prepare(tab):
        tab.on("pageerror", lambda e: complaints.append(str(e)))
        tab.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)

    may = ["clipboard-read", "clipboard-write"]
    tab = open_tab(address, prepare, permissions=may, **kind.options)
    visit = Visit(tab, kind(tab))
    wait_until(tab, lambda: tab.evaluate(f"!!{LAB}"))
    visit.ready()
    trains(visit)
    for name in ("More settings", "A second flow, on the same data", "Missions",
                 "Take the flow along, into Python"):  # fmt: skip
        visit.press(name)
    assert tab.locator(".lab details[open]").count() == tab.locator(".lab details").count() == 4
    for work in (shows, takes_away, restarts, sets, begins_missions, draws):
        work(visit)
    assert not visit.seen - visit.worked, "a control that no row here works"
    tab.evaluate("document.querySelector('.lab-tools').append(document.createElement('textarea'))")
    assert set(tab.evaluate(SEEN)) - visit.worked == {""}, "another one would be noticed"
    assert not complaints
