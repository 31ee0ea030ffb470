"""The site in a real browser: quiet, whole by itself, and usable by everyone.

Live figures have more tests of their own; here they are parts of pages like others, and alive.
"""

import re
from importlib.resources import files
from pathlib import Path

import pytest
from browser import wait_until
from samples import few, needs_solutions, some_of, stands_for_others
from sphinx_external_toc.parsing import parse_toc_yaml
from test_live_figure import settled

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
PAGES = [*parse_toc_yaml(ROOT / "_toc.yml"), "search"]
LANDING = PAGES[0]
CHAPTERS = [name for name in PAGES if name.startswith("chapters/")]
CHAPTER, NEXT_CHAPTER = CHAPTERS[0], CHAPTERS[:2][-1]
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")

ALIVE = [
    name
    for name in PAGES
    if (page := SITE / f"{name}.html").exists() and "data-live=" in page.read_text(encoding="utf-8")
]
DESK = {"width": 1280, "height": 2400}

# Sections out of view are not laid out; where a test looks at all of a page, they must be.
LAY_OUT_ALL = "section { content-visibility: visible !important }"
WATCH_POLICY = """
    window.violations = [];
    addEventListener("securitypolicyviolation", (event) => window.violations.push(
        `${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""
# (Pictures are fetched when they are some 2500 pixels away.)
SCROLL_THROUGH = """async () => {
    for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight + 2000) {
        scrollTo({top: y, behavior: "instant"});
        await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
    }
    const loaded = () => [...document.images].every((i) => i.complete || !i.checkVisibility());
    for (let wait = 0; wait < 15000 && !loaded(); wait++) {
        await new Promise((resume) => setTimeout(resume, 20));
    }
    await document.fonts.ready;
}"""
# axe looks at each of 16,000 elements. Most draw formulas, hidden from assistive technology (the
# MathML beside them is not), or colour code: a few of each colour and some formulas will do.
THIN_OUT = """() => {
    document.querySelectorAll("mjx-math > *").forEach((part) => part.remove());
    [...document.querySelectorAll("mjx-assistive-mml")].slice(20).forEach((f) => f.remove());
    const count = {};
    for (const token of document.querySelectorAll(".highlight span[class]")) {
        count[token.className] = (count[token.className] ?? 0) + 1;
        if (count[token.className] > 2) token.replaceWith(...token.childNodes);
    }
}"""
# What it takes longest for is the contrast of each text with what lies behind it. Texts of one
# look (colour, size, weight) before the same backgrounds have the same: two of each are looked at.
MARK_KINDS_OF_TEXT = """() => {
    const looks = (part, ...names) => names.map((name) => getComputedStyle(part)[name]).join();
    const behind = new Map([[null, ""]]);
    const backgrounds = (part) => {
        if (!behind.has(part)) {
            const own = looks(part, "backgroundColor", "backgroundImage", "opacity", "filter");
            const clear = own === "rgba(0, 0, 0, 0),none,1,none";
            behind.set(part, backgrounds(part.parentElement) + (clear ? "" : ` ${own}`));
        }
        return behind.get(part);
    };
    const count = {};
    for (const part of document.querySelectorAll("body *")) {
        const own = [...part.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        const text = (own || part.matches("input, select, textarea")) && part.checkVisibility();
        const key = text && backgrounds(part)
            + looks(part, "color", "fontSize", "fontWeight", "textShadow", "position");
        if (text) count[key] = (count[key] ?? 0) + 1;
        part.toggleAttribute("data-a-kind-of-text", text && count[key] <= 2);
    }
    axe.configure({rules: [{id: "color-contrast", selector: "[data-a-kind-of-text]"}]});
    return document.querySelectorAll("[data-a-kind-of-text]").length;
}"""
MOUNT = "() => window.mountLiveFigures?.()"  # all at once: else only those in view are alive
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
FIRST_FIGURE = """(() => {
    const first = document.querySelector("figure:has([data-live])");
    return first.getBoundingClientRect().top + scrollY;
})()"""
FOCUSED = "document.activeElement"

TOO_WIDE = """() => {
    const folds = [...document.querySelectorAll("article details:not([open])")];
    const hidden = [...document.querySelectorAll(".toggle-hidden")];
    const unfold = (open) => {
        for (const fold of folds) fold.open = open;
        for (const part of hidden) part.classList.toggle("toggle-hidden", !open);
    };
    unfold(true);
    const found = [...document.querySelectorAll("article mjx-container")].filter((formula) => {
        const around = formula.closest("div.math mjx-container, p, li, dd, td, th, figcaption")
            ?? formula.closest("div");
        const room = around.getBoundingClientRect(), drawn = formula.querySelector("mjx-math");
        return !formula.closest("table") && drawn.getBoundingClientRect().right > room.right + 1;
    }).map((formula) => formula.textContent);
    unfold(false);
    return found;
}"""
# Live figures in which one can't see what the first control does, without its caption.
FAR_CONTROLS = """[...document.querySelectorAll(".live-figure:not([data-lab])")].map((figure) => {
    const top = figure.getBoundingClientRect().top;
    const first = figure.querySelector("[data-param]").getBoundingClientRect();
    return first.bottom - top;
}).filter((needed) => needed > 600)"""
# A static picture: letters of gmu.LETTERS points in a picture that is 768 pixels wide.
PICTURE = """(image) => ({
    letters: (9 * 96 / 72) * (image.getBoundingClientRect().width / 768),
    scrolls: [image.closest(".sideways")].every((box) =>
        box.scrollWidth > box.clientWidth + 20 && box.tabIndex === 0),
    hint: getComputedStyle(image.closest("figure").querySelector("figcaption"), "::before").content,
})"""
BROKEN = "[...document.images].filter((i) => i.complete && !i.naturalWidth).map((i) => i.src)"
STATE_OF_FOCUS = """() => {
    const part = document.activeElement, style = getComputedStyle(part);
    return {
        html: part.outerHTML.slice(0, 120), visible: part.checkVisibility(),
        live: part.matches(
            ".live-figure [data-param], .live-figure canvas[tabindex], .live-figure button"),
        ring: style.outlineStyle !== "none" || style.boxShadow !== "none",
    };
}"""


class Watch:
    """Notes what a tab asks for, and all that goes wrong in it."""

    def __init__(self, tab, allowed: tuple[str, ...]):
        self.troubles = []
        tab.add_init_script(WATCH_POLICY)
        tab.on("request", lambda request: self.ask(request.url, allowed))
        tab.on("requestfailed", lambda request: self.note("failed", request.url))
        tab.on("response", lambda r: r.status >= 400 and self.note(f"status {r.status}", r.url))
        tab.on("pageerror", lambda error: self.note("error", error))
        tab.on("console", lambda m: m.type == "error" and self.note("console", m.text))

    def ask(self, url: str, allowed: tuple[str, ...]) -> None:
        if not url.startswith(allowed):
            self.note("another host", url)

    def note(self, kind: str, what) -> None:
        self.troubles.append(f"{kind}: {what}")


@pytest.fixture(scope="module", params=some_of(PAGES, few(PAGES, 2)))
def page(request, chromium, site):
    """A page with all its figures alive, for the tests that look at all of it, one after the other.

    `page.watch` has noted what went wrong, `page.name` is its name.
    """
    tab = chromium.new_page(viewport=DESK, color_scheme="light", reduced_motion="reduce")
    tab.name, tab.watch = request.param, Watch(tab, (site, "data:", "blob:"))
    tab.goto(f"{site}/{request.param}.html")
    tab.evaluate(MOUNT)
    yield tab
    tab.close()


@pytest.fixture
def open_page(open_tab, site):
    """Opens a page of the site in a browser with the wanted properties."""
    usual = {"viewport": {"width": 1280, "height": 900}}
    return lambda name, **properties: open_tab(f"{site}/{name}.html", **usual | properties)


def axe_violations(tab, within: str = "body", colours_only: bool = False) -> list[str]:
    """What axe-core holds against the page or a part of it, by all its rules or by colours only."""
    tab.add_style_tag(content=LAY_OUT_ALL)
    tab.evaluate("scrollTo({top: 0, behavior: 'instant'})")  # (the bar would hide half of a button)
    tab.evaluate(THIN_OUT)
    tab.evaluate(AXE)
    assert tab.evaluate(MARK_KINDS_OF_TEXT)
    # Of the rules that axe leaves off by default, WCAG 2.2 AA needs the size of targets.
    every = "rules: {'target-size': {enabled: true}}"
    rules = "runOnly: ['color-contrast']" if colours_only else every
    options = f"{{resultTypes: ['violations'], preload: false, {rules}}}"
    found = tab.evaluate(f"axe.run('{within}', {options})")["violations"]
    return [f"{v['id']}: {[n['html'][:120] for n in v['nodes'][:3]]}" for v in found]


def by_night(tab) -> None:
    """Show a page in the dark that was opened in the light."""
    tab.emulate_media(color_scheme="dark")
    wait_until(tab, lambda: tab.evaluate("document.documentElement.dataset.theme") == "dark")


@pytest.fixture
def thorough(page):
    """For tests that take long: a few pages stand for the rest."""
    stands_for_others(page.name, few(PAGES))


class TestEachPage:
    """The page's figures are alive; the tests come in this order, for axe's thins the page out."""

    def test_it_is_quiet(self, page):
        if page.name in CHAPTERS:
            assert 0 < page.evaluate(FIRST_FIGURE) < 2 * 900, "a reader plays before reading on"
        figures = page.locator(".live-figure:not([data-lab])").count()
        assert figures == page.locator("img[data-live]").count()
        page.evaluate(SCROLL_THROUGH)
        assert not page.evaluate("violations")
        assert not page.watch.troubles
        assert not page.evaluate(BROKEN)

    def test_every_control_of_its_figures_is_reached(self, page):
        """With Tab alone, each in turn, seen, and left again; arrows do what a slider promises."""
        stands_for_others(page.name, few(PAGES, 6))  # (test_live_pages.py moves them by keys, too)
        controls = "[data-param], canvas[tabindex], button"
        wanted = page.locator(f".live-figure:not([data-lab]) :is({controls})")
        reached, count = 0, wanted.count()
        if count:
            wanted.first.scroll_into_view_if_needed()
            wanted.first.focus()
        for _ in range(600 if count else 0):
            state = page.evaluate(STATE_OF_FOCUS)
            if state["live"]:
                reached += 1
                assert state["ring"] and state["visible"], f"focus is not seen on {state['html']}"
            if reached == count:
                break
            page.keyboard.press("Tab")
        assert reached == count, "a control cannot be reached, or not be left"

    def test_a_phone_need_not_scroll_sideways(self, page):
        page.add_style_tag(content=LAY_OUT_ALL)
        page.set_viewport_size({"width": 360, "height": 800})
        settled(page)
        wide = """[...document.querySelectorAll("article *")].filter((part) =>
            part.getBoundingClientRect().right > innerWidth + 1 &&
            !part.closest("pre, .math, .output, .pst-scrollable-table-container, .sideways"))
            .slice(0, 3).map((part) => part.outerHTML.slice(0, 120))"""
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, page.evaluate(wide)
        widths = """[...document.querySelectorAll('.live-figure canvas')]
            .filter((canvas) => canvas.checkVisibility()).map((canvas) => canvas.offsetWidth)"""
        assert all(100 <= width <= 360 for width in page.evaluate(widths))
        if page.name in CHAPTERS:  # (the aims fill a screen more than at a desk)
            assert 0 < page.evaluate(FIRST_FIGURE) < 3 * 800, "on the first three screens"

    @pytest.mark.usefixtures("thorough")
    def test_all_parts_fit_a_phone(self, page):
        page.add_style_tag(content=LAY_OUT_ALL)
        page.set_viewport_size({"width": 390, "height": 844})
        settled(page)
        assert not page.evaluate(FAR_CONTROLS), "a figure and its first control fit a phone"
        assert not page.evaluate(TOO_WIDE), "formulas, less those in tables, which scroll"
        for picture in page.locator("article img.fills:visible").all():
            picture.scroll_into_view_if_needed()
            wait_until(page, lambda picture=picture: picture.evaluate(PICTURE)["scrolls"])
            shown = picture.evaluate(PICTURE)
            assert shown["letters"] >= 9, "the smallest letters of a picture, in the page's pixels"
            assert "swipe" in shown["hint"], shown
        page.set_viewport_size(DESK)

    @pytest.mark.usefixtures("thorough")
    def test_axe_finds_nothing_by_day(self, page):
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
        assert not axe_violations(page)

    @pytest.mark.usefixtures("thorough")
    def test_axe_finds_nothing_by_night(self, page):
        by_night(page)
        assert not axe_violations(page, colours_only=True)
        assert not page.watch.troubles


@pytest.mark.parametrize("name", [name for name in PAGES if name not in ALIVE])
def test_pages_without_figures_are_quiet_from_the_disk(chromium, name):
    """(test_live_pages.py opens those with figures from there.)"""
    tab = chromium.new_page(color_scheme="dark")
    watch = Watch(tab, (SITE.as_uri(), "data:", "blob:"))
    tab.goto((SITE / f"{name}.html").as_uri())
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    tab.evaluate(SCROLL_THROUGH)
    assert not tab.evaluate("violations") and not watch.troubles
    assert not tab.evaluate(BROKEN)
    tab.close()


def test_axe_sees_what_is_wrong_in_one_place_of_many(open_page):
    tab = open_page(CHAPTER, bypass_csp=True)
    tab.add_style_tag(content=LAY_OUT_ALL)
    tab.evaluate("""() => {
        const p = [...document.querySelectorAll("section > p")].filter((p) => p.checkVisibility());
        p[6].style.color = "#ccc";
        p[9].innerHTML = "<img>";
        p.at(-1).parentElement.style.background = "#444";
    }""")
    contrast, image = sorted(axe_violations(tab))
    assert contrast.startswith("color-contrast") and image.startswith("image-alt")
    assert "rgb(204" in contrast and contrast.count("data-a-kind-of-text") > 1, "both are seen"


def test_policy_is_in_force(open_page):
    """Had the browser not understood the policy, nothing would be refused."""
    tab = open_page(CHAPTER)
    tab.evaluate(WATCH_POLICY)
    tab.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.stranger = 1";
        document.head.append(script);
        fetch("https://example.org").catch(() => 0);
    }""")
    # In a callback, for what a test evaluates directly may evaluate again.
    refused = tab.evaluate("""() => new Promise((tell) => setTimeout(() => {
        try { tell(eval("1")) } catch (error) { tell(error.name) }
    }))""")
    assert refused == "EvalError"
    assert tab.evaluate("window.stranger") is None
    wait_until(tab, lambda: len(tab.evaluate("violations")) >= 3)
    assert len(tab.evaluate("violations")) == 3, "the script, the other host, and eval"


# Visible pictures of the Lab on which nothing is drawn: all their pixels are one colour.
BLANK = """() => [...document.querySelectorAll("[data-lab] canvas")].filter((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return canvas.checkVisibility() && new Set(new Uint32Array(data.buffer)).size < 5;
}).map((canvas) => canvas.ariaLabel)"""
# Parts of it that reach out of the window, though it may not scroll there.
OUTSIDE = """() => [...document.querySelectorAll("[data-lab] :not(pre *)")].filter((part) =>
    part.checkVisibility() && part.getBoundingClientRect().right > innerWidth + 1)
    .map((part) => part.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("served", [True, False])
def test_the_lab_is_alive(open_tab, site, served):
    """On its page of the built site, on a phone; opened from the disk, too, without a worker."""
    address = site if served else SITE.as_uri()
    watches = []
    tab = open_tab(
        f"{address}/lab.html",
        lambda tab: watches.append(Watch(tab, (address, "data:", "blob:"))),
        viewport={"width": 360, "height": 800},
    )
    lab = "document.querySelector('[data-lab]').lab"
    wait_until(tab, lambda: tab.evaluate(f"!!{lab}?.first.shown && !{lab}.scheduled"))
    canvases = tab.locator("[data-lab] canvas:visible")
    assert canvases.count() == 5 and not tab.evaluate(BLANK)
    tab.click("[data-lab] .lab-main")
    wait_until(tab, lambda: tab.evaluate(f"{lab}.first.done > 2"))
    assert tab.evaluate(f"{lab}.first.host.worker instanceof Worker") is served
    tab.click("[data-lab] .lab-main")
    assert min(canvases.evaluate_all("all => all.map((canvas) => canvas.offsetWidth)")) >= 100
    assert not tab.evaluate(OUTSIDE)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    assert not tab.evaluate("violations") and not watches[0].troubles


class TestReading:
    """What a reader does on a page."""

    def test_formulas_are_set(self, open_page):
        tab = open_page(CHAPTER)
        assert tab.locator("mjx-container").count() > 10
        assert tab.locator("mjx-merror, [data-mjx-error]").count() == 0
        assert not re.search(r"\\\(|\\\[|\\frac", tab.locator("article").inner_text())
        box = tab.locator("article mjx-container").first.bounding_box()
        assert box["width"] > 5 and box["height"] > 5
        # Screen readers get MathML.
        assert tab.locator("mjx-assistive-mml math").count() > 10

    def test_theme_switch(self, open_page):
        tab = open_page(CHAPTER, color_scheme="light")
        seen = {tab.evaluate(BACKGROUND)}
        for _ in range(2):
            tab.locator(".theme-switch-button:visible").first.click()
            seen.add(tab.evaluate(BACKGROUND))
        assert len(seen) == 2
        mode = tab.evaluate("document.documentElement.dataset.mode")
        tab.reload()
        assert tab.evaluate("document.documentElement.dataset.mode") == mode

    def test_copy_button(self, open_page):
        tab = open_page(CHAPTER, permissions=["clipboard-read", "clipboard-write"])
        cell = tab.locator("div.cell_input:visible").first
        cell.hover()
        cell.locator("button.copybtn").click()
        wanted = cell.locator("pre").inner_text().strip()
        wait_until(tab, lambda: tab.evaluate("navigator.clipboard.readText()").strip() == wanted)

    def test_hidden_code_unfolds(self, open_page):
        tab = open_page(CHAPTER)
        fold = tab.locator("details.hide").first
        code = fold.locator("pre").first
        assert not code.is_visible()
        fold.locator("summary").focus()
        tab.keyboard.press("Enter")
        code.wait_for(state="visible")

    @needs_solutions
    def test_solutions_unfold(self, open_page):
        tab = open_page(CHAPTER)
        solution = tab.locator(".solution.dropdown, .solution.toggle").first
        body = solution.locator(":scope > section, :scope > .toggle-details__container").first
        assert not body.is_visible()
        button = solution.locator("summary, button").first
        button.focus()
        tab.keyboard.press("Enter")
        body.wait_for(state="visible")

    def test_search(self, open_page):
        tab = open_page(CHAPTER)
        tab.keyboard.press("Control+k")
        tab.keyboard.type("jacobian")
        tab.keyboard.press("Enter")
        tab.wait_for_url("**/search.html?q=jacobian*", wait_until="commit")
        tab.locator("#search-results li a").first.wait_for()
        tab.locator("#search-results li .context").first.wait_for()
        first = tab.locator("#search-results li a").first
        first.click()
        tab.locator("article h1").wait_for()

    def test_a_link_into_the_page_arrives(self, open_page, site):
        """Though sections above it are not laid out yet."""
        tab = open_page(CHAPTER)
        target = tab.locator("article figure[id], article div.exercise[id]").last
        name = target.get_attribute("id")
        tab.goto(f"{site}/{CHAPTER}.html#{name}")
        wait_until(tab, lambda: -50 <= target.bounding_box()["y"] <= 900)


class TestKeyboard:
    def test_skip_link_comes_first(self, open_page):
        tab = open_page(CHAPTER, reduced_motion="reduce")
        tab.keyboard.press("Tab")
        assert "Skip to main content" in tab.evaluate(f"{FOCUSED}.textContent")
        box = tab.evaluate(f"{FOCUSED}.getBoundingClientRect().toJSON()")
        assert box["top"] >= 0 and box["height"] > 10, "a skip link that is focused is seen"
        tab.keyboard.press("Enter")
        assert tab.evaluate("location.hash") == "#main-content"

    def test_controls_are_reached_and_show_it(self, open_page):
        tab = open_page(CHAPTER)
        reached = []
        for _ in range(40):
            tab.keyboard.press("Tab")
            reached.append(
                tab.evaluate("""() => {
                const part = document.activeElement, style = getComputedStyle(part);
                const ring = [part, part.parentElement].map((e) => getComputedStyle(e)).some(
                    (s) => s.outlineStyle !== "none" || s.boxShadow !== "none");
                return [part.outerHTML.slice(0, 200), ring, part.checkVisibility()];
            }""")
            )
        for html, ring, visible in reached:
            if html.startswith("<body"):
                continue  # between the page's parts
            assert ring and visible, f"focus is not seen on {html}"
        all_html = " ".join(html for html, _, _ in reached)
        # Chapters stand in the sidebar; "Download this page" is the menu that holds the notebook.
        another = f"{Path(NEXT_CHAPTER).name}.html"
        controls = ["search-button", "theme-switch", "sidebar-toggle", another]
        for control in [*controls, "Download this page"]:
            assert control in all_html, f"not reached: {control}"


class TestCircumstances:
    """Paper, phones, fine screens, calm screens, other people's pages, and no JavaScript."""

    @pytest.mark.parametrize("name", [LANDING])
    def test_live_figures_are_sharp_on_fine_screens(self, open_page, name):
        tab = open_page(name, device_scale_factor=3)
        tab.evaluate(MOUNT)
        for canvas in tab.locator(".live-figure canvas").all():
            width, pixels = canvas.evaluate("(c) => [c.getBoundingClientRect().width, c.width]")
            assert pixels == pytest.approx(3 * width, abs=3)

    def test_a_saved_figure_lives_in_an_iframe(self, chromium, tmp_path):
        """As a course platform embeds it: sandboxed, with scripts and nothing else."""
        from benchmarks import examples

        examples.tanh().save_html(tmp_path / "figure.html")
        (tmp_path / "platform.html").write_text(
            '<h1>Week 3</h1><iframe sandbox="allow-scripts" width="900" height="700" '
            'src="figure.html"></iframe>',
            encoding="utf-8",
        )
        tab = chromium.new_page()
        tab.goto((tmp_path / "platform.html").as_uri())
        slider = tab.frame_locator("iframe").locator("[data-param=scale]")
        readout = tab.frame_locator("iframe").locator(".live-readout")
        before = readout.text_content()
        slider.focus()
        tab.keyboard.press("End")
        wait_until(tab, lambda: readout.text_content() != before)
        tab.close()

    @pytest.mark.parametrize(("name", "scheme"), [(LANDING, "dark"), (CHAPTER, "light")])
    def test_without_javascript(self, open_page, name, scheme):
        tab = open_page(name, java_script_enabled=False, color_scheme=scheme)
        text = tab.locator("article").inner_text()
        assert len(text) > 200
        assert tab.locator("article mjx-container").count() or name == LANDING
        pictures = "article :is(figure, .cell_output) img:not(.in-the-dark)"
        for picture in tab.locator(pictures).all():
            picture.scroll_into_view_if_needed()
            box = picture.bounding_box()
            assert picture.is_visible() and box["width"] > 100 and box["height"] > 50
        for solution in tab.locator(".solution section").all():
            assert solution.is_visible(), "nothing stays folded for ever"

    def test_reduced_motion(self, open_page):
        tab = open_page(CHAPTER, reduced_motion="reduce")
        settled(tab)
        moving = "document.getAnimations().filter((a) => a.playState === 'running').length"
        assert tab.evaluate(moving) == 0
        scrolling = "getComputedStyle(document.documentElement).scrollBehavior"
        assert tab.evaluate(scrolling) == "auto"

    def test_print(self, open_page):
        tab = open_page(CHAPTER)
        tab.emulate_media(media="print")
        for part in (".bd-sidebar-primary", ".bd-header-article", ".bd-sidebar-secondary"):
            assert not tab.locator(part).first.is_visible(), part
        assert tab.locator("h1:visible").count() == 1
        paper = tab.pdf(format="A4")
        pages = len(re.findall(rb"/Type\s*/Page\b", paper))
        assert pages >= 5, "all sections are printed"
        images = len(re.findall(rb"/Subtype\s*/Image", paper))
        assert images >= tab.locator("article figure img").count(), "and all pictures"

    def test_back_and_reload(self, open_page, site):
        tab = open_page(CHAPTER)
        # (By key: on a busy machine the page may move between the look at the link and the click.)
        tab.locator(".next-page, .right-next").first.press("Enter")
        tab.wait_for_url(lambda url: CHAPTER not in url, wait_until="commit")
        tab.wait_for_load_state()  # (else one would go back from a page that still comes)
        tab.go_back()
        tab.wait_for_url(f"**/{CHAPTER}.html")
        assert tab.locator("article h1").is_visible()
        tab.reload()
        assert tab.locator("article h1").is_visible()
