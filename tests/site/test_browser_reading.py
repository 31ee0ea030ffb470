"""How the site reads in a real browser: the page, paper, the search, the first screen."""

import io
import re
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit

import found
import paper
import pytest
import repository
from browser import serve_folder, wait_until
from PIL import Image, ImageStat
from samples import needs_page, needs_solutions, some_of, takes_long
from solutions import TARGET
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
LANDING, CHAPTERS = PAGES[0], [name for name in PAGES if name.startswith("chapters/")]
# Where any chapter will do, not always the first. (An edition may have few.)
FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH = islice(cycle(CHAPTERS), 6)
TRAINING, CURVES, PLANE, CONDITIONAL = (
    f"chapters/{name}"
    for name in ("5_training", "2_transforms_1d", "3_transforms_2d", "6_conditional")
)
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
STYLE = "(part, name) => getComputedStyle(part)[name]"
# How many rings or shadows there are around a part.
RINGS = """(part) => {
    let count = 0;
    for (let at = part; at && at !== document.body; at = at.parentElement) {
        const { outlineStyle, boxShadow } = getComputedStyle(at);
        count += outlineStyle !== "none" || boxShadow !== "none";
    }
    return count;
}"""


@pytest.fixture
def open_page(open_tab, site):
    usual = {"viewport": DESK, "reduced_motion": "reduce"}
    return lambda address, **properties: open_tab(f"{site}/{address}", **usual | properties)


@pytest.fixture(scope="module")
def glance(chromium, site):
    """Opens a page for tests that only look at it: once, for all of them, without pressing any."""
    tabs = {}

    def look_at(name):
        if name not in tabs:
            tabs[name] = chromium.new_page(viewport=DESK, reduced_motion="reduce")
            tabs[name].goto(f"{site}/{name}.html")
        return tabs[name]

    yield look_at
    for tab in tabs.values():
        tab.close()


@pytest.fixture(scope="module", params=some_of(CHAPTERS))
def chapter(request, glance):
    """A chapter as it was opened, for the tests that only look at it.

    They look at what one style sheet and one script do to all chapters alike: a few will do.
    """
    return glance(request.param)


def is_set(tab, name: str) -> bool:
    return tab.evaluate(f"document.documentElement.dataset.{name} !== undefined")


def height(tab) -> float:
    return tab.evaluate("document.documentElement.scrollHeight")


class TestEachChapter:
    def test_nothing_stands_over_the_names_of_authors(self, chapter):
        for extra in chapter.locator(".citation-list .backrefs, .citation-list .label").all():
            assert not extra.is_visible()

    def test_there_is_room_between_two_works(self, chapter):
        for work in chapter.locator(".citation-list .citation:not(:last-child)").all():
            assert work.evaluate(STYLE, "marginBottom") != "0px"

    def test_works_end_where_the_text_does(self, chapter):
        right = "(part) => part.getBoundingClientRect().right"
        text = chapter.locator(".bd-article section > p").first.evaluate(right)
        for work in chapter.locator(".citation-list .citation > p").all():
            assert abs(work.evaluate(right) - text) < 2

    def test_folded_solutions_are_one_line_high(self, chapter):
        heights = """[...document.querySelectorAll(".solution.toggle-hidden")].map((part) =>
            [part, part.querySelector(".admonition-title")].map((p) => p.offsetHeight))"""
        folded = chapter.evaluate(heights)
        assert len(folded) == chapter.locator(".solution.toggle-hidden").count()
        assert all(whole <= title + 4 for whole, title in folded)

    def test_the_arrow_of_a_solution_stands_in_the_middle_of_its_title(self, chapter):
        middles = """[...document.querySelectorAll(".solution > .admonition-title")].map((title) =>
            [title, title.querySelector("button")].map((part) => part.getBoundingClientRect())
                .map((box) => (box.top + box.bottom) / 2))"""
        assert all(abs(title - arrow) < 2 for title, arrow in chapter.evaluate(middles))

    def test_code_is_framed_whole(self, chapter):
        """Round below as above; in a sentence, on both lines."""
        before = chapter.locator("article div.cell:has(> .cell_output) > .cell_input").first
        corners = [f"border{side}Radius" for side in ("TopRight", "BottomRight", "BottomLeft")]
        assert len({before.evaluate(STYLE, corner) for corner in corners}) == 1
        assert before.evaluate(STYLE, corners[0]) != "0px"
        inline = chapter.locator("article p > code").first
        assert inline.evaluate(STYLE, "boxDecorationBreak") == "clone"

    @pytest.mark.parametrize("name", some_of(CHAPTERS, CHAPTERS[:1]))
    @pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
    def test_the_scrollbar_tells_the_truth(self, open_page, name, size):
        """At once about, and exactly when the reader has begun to move."""
        tab = open_page(f"{name}.html", viewport=size)
        guessed = height(tab)
        tab.evaluate("scrollTo({top: 10, behavior: 'instant'})")
        wait_until(tab, lambda: is_set(tab, "laidOut"))
        hidden = """[...document.querySelectorAll('.bd-article > section > section')]
            .filter((s) => getComputedStyle(s).contentVisibility !== 'visible').length"""
        assert tab.evaluate(hidden) == 0
        assert 0.75 < guessed / height(tab) < 1.25


def test_the_list_of_sections_marks_the_one_that_is_read(open_page):
    """Also for who goes down page by page, over headings."""
    tab = open_page(f"{THIRD}.html")
    tab.evaluate("scrollTo({top: 10, behavior: 'instant'})")
    wait_until(tab, lambda: is_set(tab, "laidOut"))
    both = """() => {
        const sections = [...document.querySelectorAll(".bd-article > section > section")];
        const begun = (s) => s.getBoundingClientRect().top <= 0.3 * innerHeight;
        const marked = [...document.querySelectorAll(".toc-h2.active > a")].map((a) => a.hash);
        return [[`#${sections.findLast(begun).id}`], marked];
    }"""
    seen = set()
    for place in (0.3, 0.6, 0.45, 0.8):
        tab.evaluate(f"""scrollTo({{
            top: {place} * document.documentElement.scrollHeight, behavior: 'instant'}})""")

        def agree():
            read, marked = tab.evaluate(both)
            seen.add(*read)
            return read == marked

        wait_until(tab, agree)
    assert len(seen) > 2
    wide = tab.evaluate("""() => [false, true].map((on) =>
        [...document.querySelectorAll(".toc-entry > a")].map((link) => {
            link.classList.toggle("active", on);
            link.ariaCurrent = `${on}`;
            const name = document.createRange();
            name.selectNodeContents(link);
            return [...name.getClientRects()].reduce((sum, { width }) => sum + width, 0);
        }))""")
    assert wide[0] == pytest.approx(wide[1], abs=0.1), "names below it stay where they are"


class TestText:
    def test_a_line_has_65_to_75_characters(self, open_page, glance):
        tab = open_page(f"{LANDING}.html")
        counted = tab.evaluate("""() => {
            const found = [];
            for (const p of document.querySelectorAll(".bd-article > section > section > p")) {
                if (p.querySelector(".math, code") || p.textContent.length < 200) continue;
                const range = document.createRange();
                range.selectNodeContents(p);
                const lines = new Set([...range.getClientRects()].map((r) => Math.round(r.bottom)));
                found.push(p.textContent.length / (lines.size - 0.5));
            }
            return found;
        }""")
        assert counted and 60 <= sorted(counted)[len(counted) // 2] <= 80
        tab = glance(FIRST)
        wide = tab.locator("div.cell_input:visible").first.bounding_box()["width"]
        assert wide > 1.1 * tab.locator(".bd-article section > p").first.bounding_box()["width"]

    def test_maths_is_as_large_as_the_text(self, glance):
        """The heights of an x: MathJax's is 0.442 em, a system's font's about 0.52."""
        tab = glance(FIRST)
        formula = tab.locator("article p mjx-container").first
        size = float(formula.evaluate(STYLE, "fontSize")[:-2])
        around = float(formula.locator("xpath=ancestor::p").evaluate(STYLE, "fontSize")[:-2])
        assert size / around == pytest.approx(1.16, abs=0.02)

    @needs_page(CONDITIONAL)
    def test_maths_is_as_large_as_the_text_of_the_list_of_contents(self, glance):
        formula = glance(CONDITIONAL).locator(".bd-sidebar-secondary mjx-container")
        size = float(formula.first.evaluate(STYLE, "fontSize")[:-2])
        around = float(formula.first.locator("xpath=..").evaluate(STYLE, "fontSize")[:-2])
        assert size / around == pytest.approx(1.16, abs=0.02)

    def test_headings_become_smaller(self, glance):
        tab = glance(FIFTH)
        sizes = [
            float(tab.locator(f"article {kind}").first.evaluate(STYLE, "fontSize")[:-2])
            for kind in ("h1", "h2", "h3", "p")
        ]
        assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 4
        weights = {
            tab.locator(f"article {k}").first.evaluate(STYLE, "fontWeight") for k in ("h2", "h3")
        }
        assert len(weights) == 1

    @needs_page(TRAINING)
    def test_no_bar_stays_on_a_heading_that_was_jumped_to(self, open_page):
        tab = open_page(f"{TRAINING}.html#is-a-negative-loss-ok")
        heading = tab.locator("#is-a-negative-loss-ok > h3")
        assert heading.evaluate(STYLE, "backgroundColor") == "rgba(0, 0, 0, 0)"

    def test_links_in_tables_look_like_links_in_text(self, open_page):
        tab = open_page("glossary.html")
        tab.evaluate("""() => {
            const cell = document.querySelector("article table td p, article table td");
            cell.innerHTML = '<a class="reference internal" href="#x">x</a>';
        }""")
        colours = [
            tab.locator(where).first.evaluate(STYLE, "color")
            for where in ("article table a", "article dd p a.reference")
        ]
        assert colours[0] == colours[1]

    @needs_page("chapters/10_bug_museum")
    def test_a_thread_s_number_is_part_of_its_link(self, open_page):
        tab = open_page("chapters/10_bug_museum.html")
        number = tab.locator("article a code.literal").first
        assert number.evaluate(STYLE, "backgroundColor") == "rgba(0, 0, 0, 0)"
        assert number.evaluate(STYLE, "paddingLeft") == "0px"
        family = number.evaluate(STYLE, "fontFamily")
        assert family == number.locator("xpath=..").evaluate(STYLE, "fontFamily")

    @needs_page("instructor")
    def test_names_in_tables_are_whole_and_sentences_have_room(self, open_page):
        tab = open_page("instructor.html", viewport=PHONE)
        lines = "codes => codes.map((code) => code.getClientRects().length)"
        sheets = tab.locator("#sheets table").first
        for size in (PHONE, DESK):
            tab.set_viewport_size(size)
            names = sheets.locator("tbody tr > :first-child code")
            assert set(names.evaluate_all(lines)) == {1}
            width = "(cell) => cell.getBoundingClientRect().width"
            assert sheets.locator("td.sentence").first.evaluate(width) >= 230

    @needs_page("instructor")
    def test_a_table_that_goes_on_says_so(self, open_page):
        tab = open_page("instructor.html", viewport=PHONE)
        box = tab.locator("#sheets .pst-scrollable-table-container").first
        box.scroll_into_view_if_needed()
        wait_until(tab, lambda: "more-right" in box.get_attribute("class"))
        assert box.get_attribute("tabindex") == "0", "and the keyboard can scroll it"

    @needs_page("how_fast")
    def test_rows_keep_their_names_where_a_table_is_moved_along(self, open_page):
        tab = open_page("how_fast.html", viewport=PHONE)
        box = tab.locator("#points-a-second .pst-scrollable-table-container").first
        box.scroll_into_view_if_needed()
        box.evaluate("(part) => (part.scrollLeft = part.scrollWidth)")
        left = box.evaluate("(part) => part.getBoundingClientRect().left")
        assert box.evaluate("(part) => part.scrollLeft") > 50, "or nothing is moved"
        names = box.locator("tr > :first-child")
        places = names.evaluate_all("all => all.map((cell) => cell.getBoundingClientRect().left)")
        assert len(places) > 5 and all(abs(x - left) < 2 for x in places)
        paper = {names.nth(k).evaluate(STYLE, "backgroundColor") for k in range(3)}
        assert len(paper) == 2 and not any("rgba" in p for p in paper), "nothing shines through"
        wait_until(tab, lambda: "more-left" in box.get_attribute("class"))
        assert box.evaluate(STYLE, "maskImage") == "none", "nor fades"

    @needs_page(TRAINING)
    def test_text_keeps_its_distance_from_what_is_folded(self, glance):
        """As from code that is seen: the set-up here stands before a paragraph."""
        tab = glance(TRAINING)
        room = """(cell) => cell.nextElementSibling.getBoundingClientRect().top
            - cell.getBoundingClientRect().bottom"""
        fold, code = (tab.locator(f"article div.cell:has(> {part}):has(+ p)").first
                      for part in ("details.fold", ".cell_input"))  # fmt: skip
        assert fold.evaluate(room) >= code.evaluate(room) - 1 > 8

    @needs_page(CONDITIONAL)
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_a_new_line_of_code_is_green_and_the_old_one_red(self, open_page, scheme):
        tab = open_page(f"{CONDITIONAL}.html", color_scheme=scheme)
        colours = [
            [int(part) for part in re.findall(r"\d+", line.first.evaluate(STYLE, "color"))]
            for line in (tab.locator(f".highlight-diff .{kind}") for kind in ("gd", "gi"))
        ]
        (red, green, _), (less_red, more_green, _) = colours
        assert red > green and more_green > less_red

    def test_an_equation_stands_midway_between_two_paragraphs(self, glance):
        tab = glance(FIRST)
        formula = tab.locator("article p + div.math:has(+ p) > mjx-container").first
        above, below = formula.evaluate("""(formula) => {
            const box = (part) => part.getBoundingClientRect();
            const [before, after] = ["previous", "next"].map((side) =>
                formula.parentElement[`${side}ElementSibling`]);
            const drawn = box(formula.querySelector("mjx-math"));
            return [drawn.top - box(before).bottom, box(after).top - drawn.bottom];
        }""")
        assert 15 < above < 45 and abs(above - below) < 8

    def test_the_parts_of_an_equation_stand_together_in_its_middle(self, glance):
        tab = glance(FIRST)
        parts = tab.locator("article div.math > .formula-parts").first
        left, right, gap, em = parts.evaluate("""(parts) => {
            const around = parts.getBoundingClientRect();
            const drawn = [...parts.querySelectorAll(":scope > *")].map((part) => {
                const signs = [...part.querySelectorAll("mjx-math")];
                const boxes = signs.map((sign) => sign.getBoundingClientRect());
                return [boxes[0].left, boxes.at(-1).right];
            });
            const size = parseFloat(getComputedStyle(parts).fontSize);
            const [first, second] = drawn;
            const [left, right] = [first[0] - around.left, around.right - drawn.at(-1)[1]];
            return [left, right, second[0] - first[1], size];
        }""")
        assert abs(left - right) < 3 and 1.5 * em < gap < 3 * em

    def test_what_goes_on_fades_out(self, open_page):
        tab = open_page(f"{FIFTH}.html", viewport={"width": 240, "height": 500})
        wide = """[...document.querySelectorAll("article div.math mjx-container")]
            .findIndex((box) => box.scrollWidth > box.clientWidth + 20)"""
        number = tab.evaluate(wide)
        assert number >= 0, "all equations have room: this test needs one that has not"
        box = tab.locator("article div.math mjx-container").nth(number)
        box.scroll_into_view_if_needed()
        wait_until(tab, lambda: "more-right" in (box.get_attribute("class") or ""))
        assert box.get_attribute("tabindex") == "0", "and the keyboard can scroll it"
        box.evaluate("(part) => (part.scrollLeft = part.scrollWidth)")
        wait_until(tab, lambda: "more-left" in box.get_attribute("class"))
        assert "more-right" not in box.get_attribute("class")

    def test_static_figures_have_no_frame_in_the_dark(self, open_page):
        tab = open_page(f"{FIRST}.html", color_scheme="dark")
        picture = tab.locator("article .cell_output img:visible").first
        assert picture.evaluate(STYLE, "padding") == "0px"
        assert picture.evaluate(STYLE, "backgroundColor") == "rgba(0, 0, 0, 0)"


class TestFigures:
    @needs_page("chapters/7_outlook")
    def test_a_caption_begins_at_the_left_with_all_that_stands_before_it(self, open_page):
        tab = open_page("chapters/7_outlook.html", viewport=PHONE)
        caption = tab.locator("figcaption:has(.names-sides), figcaption.names-sides").first
        assert caption.evaluate(STYLE, "textAlign") in ("left", "start")

    @needs_page(CURVES)
    def test_the_dark_version_is_fetched_and_shown_in_the_dark_only(self, open_page):
        for scheme in ("dark", "light"):
            tab = open_page(f"{CURVES}.html", color_scheme=scheme)
            figure = tab.locator("#fig-gallery")
            figure.scroll_into_view_if_needed()
            shown = figure.locator("img:visible")
            wait_until(
                tab, lambda shown=shown: shown.evaluate("(i) => i.complete && i.naturalWidth")
            )
            assert ("in-the-dark" in shown.get_attribute("class")) == (scheme == "dark")
            assert shown.evaluate(STYLE, "filter") == "none"
            names = "performance.getEntriesByType('resource').map((e) => e.name)"
            fetched = [name for name in tab.evaluate(names) if "/_images/" in name]
            assert any(name.endswith(".svg") for name in fetched)
            assert not [
                n for n in fetched if n.endswith(".svg") and ("-dark" in n) != (scheme == "dark")
            ]
            tab.evaluate("document.documentElement.dataset.theme = 'dark'")
            tab.emulate_media(media="print")
            assert "in-the-dark" not in figure.locator("img:visible").get_attribute("class")

    @needs_page("chapters/7_outlook")
    def test_a_table_of_paragraphs_is_read_row_by_row_on_a_phone(self, open_page):
        tab = open_page("chapters/7_outlook.html")
        table = tab.locator("table.of-prose").nth(1)
        row = table.locator("tbody tr").first
        left = lambda: row.locator("td").evaluate_all(  # noqa: E731
            "cells => cells.map((cell) => cell.getBoundingClientRect().left)"
        )
        named = "cell => getComputedStyle(cell, '::before').content"
        for width, columns in ((1200, 3), (390, 1)):
            tab.set_viewport_size({"width": width, "height": 900})
            table.scroll_into_view_if_needed()
            wait_until(tab, lambda columns=columns: len(set(left())) == columns)
            names = [cell.evaluate(named) for cell in row.locator("td").all()]
            assert names == (["none"] * 3 if columns == 3 else ["none", '"Why"', '"What one does"'])
        assert table.evaluate("t => t.scrollWidth <= innerWidth"), "nothing goes on to the right"
        # For a screen reader it is the table that it was.
        found = tab.get_by_role("table").nth(1)
        assert found.get_by_role("columnheader").all_inner_texts() == [
            "Limit",
            "Why",
            "What one does",
        ]
        assert found.get_by_role("row").first.get_by_role("columnheader").count() == 3
        assert found.get_by_role("row").nth(1).get_by_role("cell").count() == 3

    def test_left_and_right_are_explained_where_panels_stand_below_each_other(self, open_page):
        tab = open_page(f"{FIRST}.html")
        figure = tab.locator("#fig-mass")
        before = "(f) => getComputedStyle(f.querySelector('figcaption'), '::before').content"
        for width, rows in ((1200, 1), (820, 1), (390, 2)):
            tab.set_viewport_size({"width": width, "height": 900})
            figure.scroll_into_view_if_needed()
            panels = figure.locator(".live-panel")
            panels.first.wait_for()
            tops = lambda panels=panels: {  # noqa: E731
                round(panel.bounding_box()["y"], -1) for panel in panels.all()
            }
            wait_until(tab, lambda tops=tops, rows=rows: len(tops()) == rows)
            assert ("panels stand in rows" in figure.evaluate(before)) == (rows == 2)

    @needs_page(PLANE)
    def test_figures_are_as_wide_as_the_column_and_large_ones_wider_where_there_is_room(
        self, open_page
    ):
        tab = open_page(f"{PLANE}.html")
        boxes = {}
        for width in (1440, 1536, 1920):
            tab.set_viewport_size({"width": width, "height": 900})
            for part in ("#fig-3-live-affine", "#fig-3-affine", "#fig-3-live-affine ~ p, h1 ~ p",
                         ".bd-sidebar-secondary"):  # fmt: skip
                boxes[width, part] = tab.locator(part).first.bounding_box()
        for width in (1440, 1536, 1920):
            large = boxes[width, "#fig-3-live-affine"]
            assert large["x"] + large["width"] <= boxes[width, ".bd-sidebar-secondary"]["x"]
        widths = {key: box["width"] for key, box in boxes.items()}
        assert 1000 < widths[1920, "#fig-3-live-affine"] <= 1042
        assert widths[1536, "#fig-3-live-affine"] > 1.1 * widths[1536, "#fig-3-affine"]
        assert widths[1440, "#fig-3-live-affine"] == widths[1440, "#fig-3-affine"]
        for part in ("#fig-3-affine", "#fig-3-live-affine ~ p, h1 ~ p"):
            assert widths[1920, part] == pytest.approx(widths[1440, part], abs=2), part

    @pytest.mark.parametrize("motion", ["no-preference", "reduce"])
    def test_a_line_on_top_says_how_far_one_has_read(self, open_page, motion):
        tab = open_page(f"{CHAPTERS[0]}.html", reduced_motion=motion)
        line = "getComputedStyle(document.body, '::after')"
        if motion == "reduce":
            assert tab.evaluate(f"{line}.content") == "none"
            return
        share = lambda: tab.evaluate(f"new DOMMatrix({line}.transform).a")  # noqa: E731
        assert share() == 0
        tab.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
        wait_until(tab, lambda: 0.3 < share() < 0.7)
        tab.evaluate("scrollTo({ top: 1e6, behavior: 'instant' })")
        wait_until(tab, lambda: share() > 0.95)
        tab.emulate_media(media="print")
        assert tab.evaluate(f"{line}.content") == "none"

    @pytest.mark.parametrize("size", some_of([PHONE, DESK]), ids=["phone", "desk"])
    def test_room_is_kept_for_live_figures(self, open_page, size):
        tab = open_page(f"{THIRD}.html", viewport=size)
        tops = """async () => {
            for (const s of document.querySelectorAll(".bd-article > section > section")) {
                s.classList.add("laid-out");
            }
            const heights = () => [...document.querySelectorAll("figure:has([data-live])")]
                .map((figure) => figure.offsetHeight);
            const before = heights();
            await mountLiveFigures();
            const after = heights();
            return before.map((height, k) => after[k] - height);
        }"""
        wait_until(tab, lambda: tab.evaluate("window.mountLiveFigures !== undefined"))
        moved = tab.evaluate(tops)
        assert moved and all(abs(distance) < 130 for distance in moved), moved
        assert sorted(map(abs, moved))[len(moved) // 2] < 50, moved


class TestGuesses:
    def test_a_choice_unfolds_the_answer(self, open_page):
        tab = open_page(f"{THIRD}.html")
        answer = tab.locator("details.guess").first
        choices = tab.locator(".guess-choices").first.locator("button")
        assert answer.get_attribute("open") is None
        count = choices.count()
        right = answer.locator("li").evaluate_all(
            "items => items.findIndex((item) => item.classList.contains('right'))"
        )
        wrong = (right + 1) % count
        choices.nth(wrong).focus()
        tab.keyboard.press("Enter")
        assert answer.get_attribute("open") is not None
        letters = [f"{chr(ord('A') + k)}: " for k in range(count)]
        assert answer.locator("li.chosen").all_inner_texts()[0].startswith(letters[wrong])
        assert answer.locator("li.right").inner_text().startswith(f"{letters[right]}Right")
        choices.nth(right).click()
        assert [c.get_attribute("aria-pressed") for c in choices.all()] == [
            "true" if k == right else "false" for k in range(count)
        ]
        assert answer.locator("li.chosen.right").count() == 1

    def test_without_scripts_it_is_a_question_with_a_fold(self, open_page):
        tab = open_page(f"{THIRD}.html", java_script_enabled=False)
        answer = tab.locator("details.guess").first
        right = answer.locator("li.right")
        assert tab.locator(".guess-choices button").count() == 0 and not right.is_visible()
        answer.locator("summary").click()
        assert right.is_visible()
        assert not tab.locator(".note-text:visible").count()


class TestNotes:
    def test_a_term_says_what_it_means(self, open_page):
        tab = open_page(f"{THIRD}.html")
        link = tab.locator("a.note").first
        note = tab.locator(f"[id='{link.get_attribute('aria-describedby')}']")
        assert not note.is_visible()
        tab.clock.install()
        link.hover()
        wait_until(tab, note.is_visible)
        tab.clock.pause_at(tab.evaluate("Date.now()") + 1000)
        at, there = link.bounding_box(), note.bounding_box()
        gap = at["y"] + at["height"] + 3 if there["y"] > at["y"] else at["y"] - 3
        for y in (gap, there["y"] + there["height"] / 2):
            tab.mouse.move(at["x"] + 5, y)  # over the gap between them
        tab.clock.run_for(10_000)
        assert note.is_visible(), "it stays while one reads it"
        tab.mouse.move(0, 0)
        tab.clock.run_for(10_000)
        assert not note.is_visible(), "and goes when one leaves it"
        tab.clock.resume()
        link.hover()
        wait_until(tab, note.is_visible)
        tab.keyboard.press("Escape")
        assert not note.is_visible()
        tab.mouse.move(0, 0)
        for _ in range(200):  # with the keyboard, too
            tab.keyboard.press("Tab")
            if link.evaluate("(l) => l === document.activeElement"):
                break
        wait_until(tab, note.is_visible)
        box = note.bounding_box()
        assert 0 <= box["x"] and box["x"] + box["width"] <= DESK["width"]

    def test_a_tap_shows_it_and_a_second_one_leads_to_the_glossary(self, open_page):
        tab = open_page(f"{THIRD}.html", viewport=PHONE, has_touch=True, is_mobile=True)
        link = tab.locator("a.note").first
        note = tab.locator(f"[id='{link.get_attribute('aria-describedby')}']")
        link.scroll_into_view_if_needed()
        link.tap()
        wait_until(tab, note.is_visible)
        box = note.bounding_box()
        assert 0 <= box["x"] and box["x"] + box["width"] <= PHONE["width"]
        assert tab.url.endswith(f"{THIRD}.html")
        link.tap()
        tab.wait_for_url("**/glossary.html#term-*", wait_until="commit")


class TestAfterword:
    def test_a_chapter_that_was_read_has_a_tick_on_every_page(self, open_page):
        tab, name = open_page(f"{SECOND}.html"), SECOND
        ticks = ".bd-links a:has(.tick)"
        assert tab.locator(ticks).count() == 0
        button = tab.locator(".afterword button")
        button.focus()
        tab.keyboard.press("Enter")
        assert button.get_attribute("aria-pressed") == "true"
        assert "read" in tab.locator(ticks).aria_snapshot()
        for other in (FOURTH, LANDING):
            tab.goto(
                f"{tab.url.split('/chapters/')[0].removesuffix(f'/{LANDING}.html')}/{other}.html"
            )
            (link,) = tab.locator(ticks).all()
            assert link.evaluate("(a) => a.href").endswith(f"{name}.html")
        tab.goto(link.evaluate("(a) => a.href"))
        assert button.get_attribute("aria-pressed") == "true", "it is known after a reload"
        # Sections above are laid out when a reader begins to move: then the button stands still.
        button.scroll_into_view_if_needed()
        tab.locator("html[data-laid-out]").wait_for()
        button.click()
        assert button.get_attribute("aria-pressed") == "false"
        assert tab.locator(ticks).count() == 0

    @takes_long
    def test_what_others_kept_by_this_name_does_no_harm(self, open_page):
        tab, troubles = open_page(f"{SECOND}.html"), []
        tab.on("pageerror", lambda error: troubles.append(str(error)))
        for kept in ("no json", '{"a": 1}', "[3, null]"):
            tab.evaluate("(kept) => localStorage.setItem('read', kept)", kept)
            tab.reload()
            assert tab.locator(".bd-links .tick").count() == 0 and not troubles, kept

    def test_it_says_how_to_cite_the_chapter(self, open_page):
        tab = open_page(f"{THIRD}.html", viewport=PHONE)
        # By a key: figures above that get their size move it away from a mouse.
        tab.locator(".afterword summary").press("Enter")
        assert "@incollection{" in tab.locator(".afterword pre").inner_text()
        assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


class TestFolds:
    def test_the_rest_of_a_docstring_unfolds_and_is_copied_with_its_cell(self, open_page):
        tab = open_page(f"{FIRST}.html", permissions=["clipboard-read", "clipboard-write"])
        cell = tab.locator("div.cell.tag_export:has(details.rest):visible").first
        rest = cell.locator("details.rest").first
        assert "Raises:" in rest.text_content()
        closed = cell.bounding_box()["height"]
        cell.locator("div.cell_input").first.hover()
        cell.locator("button.copybtn").first.click()
        wanted = cell.locator("pre").first.text_content().strip()
        wait_until(tab, lambda: tab.evaluate("navigator.clipboard.readText()").strip() == wanted)
        rest.locator("summary").focus()
        tab.keyboard.press("Enter")
        wait_until(tab, lambda: cell.bounding_box()["height"] > closed + 50)

    @needs_solutions
    def test_the_title_of_a_solution_opens_it(self, open_page):
        tab = open_page(f"{FIFTH}.html")
        solution = tab.locator(".solution.toggle").first
        solution.scroll_into_view_if_needed()
        place = tab.evaluate("location.href")
        assert "toggle-hidden" in solution.get_attribute("class")
        title = solution.locator(".admonition-title")
        assert float(title.evaluate(STYLE, "paddingRight")[:-2]) < 50, "the words have the room"
        title.click(position={"x": 60, "y": 12})
        wait_until(tab, lambda: "toggle-hidden" not in solution.get_attribute("class"))
        assert tab.evaluate("location.href") == place


class TestSearch:
    def test_the_icon_stands_before_the_words(self, open_page):
        tab = open_page("search.html?q=bijective")
        for _ in range(2):  # the page's own box, then the dialogue's
            box = tab.locator(".bd-search input:visible").last
            lens = tab.locator(
                ".bd-search .fa-magnifying-glass:visible, .bd-search svg:visible"
            ).last
            begins = box.bounding_box()["x"] + float(box.evaluate(STYLE, "paddingLeft")[:-2])
            assert lens.bounding_box()["x"] + lens.bounding_box()["width"] <= begins
            box.blur()
            unfocused = box.evaluate(RINGS)
            box.focus()
            assert box.evaluate(RINGS) == unfocused + 1, "one ring says where one types"
            box.blur()
            tab.keyboard.press("Control+k")

    @pytest.mark.parametrize(
        ("words", "section", "server"),
        [
            ("negative loss", "chapters/5_training.html#is-a-negative-loss-ok", True),
            pytest.param(
                "bijective", f"{CURVES}.html#three-demands-on-a-curve", True,
                marks=needs_page(CURVES),
            ),
            ("dequantization", "chapters/1_change_of_variables.html#what-to-do-instead", True),
            ("mode collapse", "chapters/5_training.html#samples-between-the-modes", True),
            ("block-triangular", "chapters/4_realnvp.html#the-jacobian-is-block-triangular", True),
            # From the disk another way leads to the index; the words are sought as ever.
            ("negative loss", "chapters/5_training.html#is-a-negative-loss-ok", False),
        ],
    )  # fmt: skip
    def test_sections_are_found_first(self, open_page, chromium, words, section, server):
        if server:
            tab = open_page(f"search.html?q={words}")
        else:
            tab = chromium.new_page()
            tab.goto(f"{SITE.as_uri()}/search.html?q={words}")
        tab.locator("#search-results li a").first.wait_for()
        wait_until(tab, lambda: "found" in tab.locator(".search-summary").inner_text())
        links = tab.locator("#search-results li > a")
        first = [links.nth(k).get_attribute("href") for k in range(min(6, links.count()))]
        first = [re.sub(r"\?[^#]*", "", link) for link in first]
        assert section in first, first
        excerpts = tab.locator("#search-results li .context").all_text_contents()
        assert excerpts and not any("..." in text or "… …" in text[:4] for text in excerpts)
        assert all(re.search(r"(\W| …)$", text) for text in excerpts), "no word is cut"
        assert "import " not in tab.locator("#search-results").inner_text()
        if not server:
            tab.close()

    def test_what_was_searched_is_marked_where_it_stands(self, open_page):
        tab = open_page("search.html?q=negative+loss")
        tab.locator("#search-results li a", has_text="Is a negative loss OK?").first.click()
        tab.wait_for_url("**/5_training.html*#is-a-negative-loss-ok", wait_until="commit")
        marks = tab.locator("#is-a-negative-loss-ok .highlighted")
        marks.first.wait_for()
        assert {mark.lower() for mark in marks.all_text_contents()} >= {"negative", "loss"}
        wait_until(
            tab, lambda: -50 <= tab.locator("#is-a-negative-loss-ok").bounding_box()["y"] <= 300
        )


class TestLanding:
    def test_on_paper_there_is_nothing_to_press(self, open_page):
        tab = open_page("index.html")
        tab.locator("article").wait_for()
        assert tab.locator(".opening a.sd-btn:visible").count()
        tab.emulate_media(media="print")
        assert not tab.locator(".opening a.sd-btn:visible").count()

    def test_all_is_on_the_first_screen(self, open_page):
        tab = open_page("index.html", viewport={"width": 1366, "height": 768})
        for part in ("article h1", ".opening p", ".opening a.sd-btn", "#fig-hero .live-figure"):
            place = tab.locator(part).first
            place.wait_for()  # (while a figure is made, it stands unseen below its picture)
            box = place.bounding_box()
            assert box["y"] + box["height"] <= 768, part
        for card in tab.locator(".chapters .sd-card").all():
            for part in ("img", ".sd-card-title"):
                box = card.locator(part).bounding_box()
                assert box["y"] + box["height"] <= 768, part

    def test_the_cards_pictures_are_dark_in_the_dark(self, open_page):
        tab = open_page("index.html", color_scheme="dark")
        picture = tab.locator(".chapters .sd-card img").first
        picture.scroll_into_view_if_needed()
        wait_until(tab, lambda: picture.evaluate("(image) => image.complete"))
        shot = Image.open(io.BytesIO(picture.screenshot())).convert("L")
        assert ImageStat.Stat(shot).median[0] < 60 and shot.getextrema()[1] > 90, "and not blank"

    def test_the_hero_runs_once_when_it_is_seen(self, open_page):
        tab = open_page("index.html", reduced_motion="no-preference")
        slider = tab.locator("#fig-hero [data-param=couplings]")
        last = float(slider.get_attribute("max"))
        wait_until(tab, lambda: float(slider.input_value()) < last / 2)
        wait_until(tab, lambda: float(slider.input_value()) == last)

    def test_the_hero_stands_still_for_those_who_asked_for_calm(self, open_page):
        tab = open_page("index.html", reduced_motion="reduce")
        slider = tab.locator("#fig-hero [data-param=couplings]")
        last = slider.get_attribute("max")
        for _ in range(10):
            tab.wait_for_timeout(50)
            assert slider.input_value() == last
        tab.locator(".opening a.plays").click()
        wait_until(tab, lambda: slider.input_value() != last)

    @pytest.mark.parametrize("old", found.MOVED)
    def test_an_old_address_leads_on_to_the_section(self, chromium, old):
        if found.MOVED[old] not in PAGES:
            pytest.skip("the page is left out")
        with serve_folder(SITE) as host:
            tab = chromium.new_page()
            tab.goto(f"{host}/{old}.html#summary")
            wait_until(tab, lambda: tab.url == f"{host}/{found.MOVED[old]}.html#summary")
            assert tab.locator("#summary h2").inner_text().startswith("Summary")
            tab.close()

    def test_the_page_for_the_lost_is_at_home_at_any_depth(self, chromium):
        """Served as GitHub Pages does: the site in a folder, this page for all that is missing."""
        owner, name = repository.address().split("/")[-2:]
        lost = (SITE / "404.html").read_text(encoding="utf-8")
        with serve_folder(SITE) as host:
            tab = chromium.new_page()

            def answer(route):
                path = urlsplit(route.request.url).path.removeprefix(f"/{name}/")
                if (SITE / path).is_file():
                    route.fulfill(path=SITE / path)
                else:
                    route.fulfill(status=404, body=lost, content_type="text/html")

            tab.route(f"{host}/{name}/**", answer)
            tab.goto(f"{host}/{name}/no/such/page.html")
            tab.get_by_role("link", name="Training on the ring").click()
            assert tab.locator("article h1").inner_text().startswith("5.")
            tab.close()


class TestPaper:
    @pytest.mark.parametrize("name", [THIRD])
    def test_fonts_of_formulas_are_there_before_one_scrolls(self, open_page, name):
        tab = open_page(f"{name}.html")
        wait_until(tab, lambda: is_set(tab, "fonts"))
        fonts = set(re.findall(rb"/FontName\s*/\w+\+([\w-]+)", tab.pdf(format="A4")))
        for wanted in (b"MathJax_Main-Regular", b"MathJax_Math-Italic", b"MathJax_Size1-Regular"):
            assert wanted in fonts, fonts

    def test_paper_is_light(self, open_page):
        tab = open_page(f"{FIRST}.html", color_scheme="dark")
        theme = "document.documentElement.dataset.theme"
        tab.evaluate(
            f"window.themes = []; addEventListener('beforeprint', () => themes.push({theme}))"
        )
        tab.pdf(format="A4")
        assert tab.evaluate("themes") == ["light"]
        wait_until(tab, lambda: tab.evaluate(theme) == "dark")

    @takes_long
    def test_code_is_whole_and_nothing_wants_to_be_pressed(self, open_page):
        tab = open_page(f"{FIFTH}.html", viewport={"width": 680, "height": 900})
        tab.emulate_media(media="print")
        for pre in tab.locator("div.cell_input pre:visible").all():
            assert pre.evaluate("(p) => p.scrollWidth <= p.clientWidth + 1")
            assert pre.evaluate(STYLE, "whiteSpace").startswith("pre-wrap")
        short, long = "div.cell_input:not(.long-code):visible", ".long-code:visible"
        assert tab.locator(short).first.evaluate(STYLE, "breakInside") == "avoid"
        assert tab.locator(long).first.evaluate(STYLE, "breakInside") == "auto"
        for inside in tab.locator(f"{long} :is(div, pre)").all():
            assert inside.evaluate(STYLE, "breakInside") == "auto"
            assert inside.evaluate(STYLE, "display") in ("block", "none"), "else it moves whole"
        assert tab.locator(f"{long} pre").first.evaluate(STYLE, "boxDecorationBreak") == "clone"
        for part in (".toggle-button", "details.fold", "summary", ".copybtn"):
            for found_part in tab.locator(part).all():
                assert not found_part.is_visible(), part
        rest = tab.locator("details.rest:visible").first
        assert rest.bounding_box()["height"] > 20, "a docstring is printed whole"
        shown = tab.locator(".solution section p:visible").count()
        assert bool(shown) == TARGET.exists(), "and solutions are"

    @pytest.mark.parametrize(
        "name", [pytest.param(n, marks=needs_page(n)) for n in ("instructor", "how_fast")]
    )
    def test_tables_are_whole(self, open_page, name):
        tab = open_page(f"{name}.html", viewport={"width": 660, "height": 900})
        tab.emulate_media(media="print")
        wide = """[...document.querySelectorAll("article .pst-scrollable-table-container")]
            .filter((box) => box.scrollWidth > box.clientWidth + 1)
            .map((box) => box.closest("section").id)"""
        assert tab.evaluate(wide) == []

    @needs_page("how_fast")
    def test_long_tables_go_overleaf_between_their_rows(self, open_page):
        """Kept whole, the table of goals left half a sheet white."""
        tab = open_page("how_fast.html")
        tab.emulate_media(media="print")
        tables = tab.locator("article table")
        long = [tables.nth(k).locator("tbody > tr").count() > 5 for k in range(tables.count())]
        broken = [tables.nth(k).evaluate(STYLE, "breakInside") for k in range(tables.count())]
        assert broken == ["auto" if one else "avoid" for one in long] and len(set(broken)) == 2
        assert tab.locator("article tr").first.evaluate(STYLE, "breakInside") == "avoid"
        rows = tables.nth(long.index(True)).locator("tbody > tr")
        assert rows.first.evaluate(STYLE, "breakAfter") == "avoid", "no row is alone"
        assert rows.last.evaluate(STYLE, "breakBefore") == "avoid"

    @pytest.mark.parametrize(
        "name, parts, whole",
        [
            (THIRD, ".cell_output:has(.quiz), .solution", ".quiz-question, .exercise"),
            pytest.param(
                "instructor", ".admonition.dropdown", "article tr", marks=needs_page("instructor")
            ),
        ],
    )
    def test_what_is_long_goes_overleaf_between_its_parts(self, open_page, name, parts, whole):
        """Kept whole, a quiz or hints left most of a sheet white."""
        tab = open_page(f"{name}.html")
        tab.emulate_media(media="print")
        for found_part in tab.locator(parts).all():
            assert found_part.evaluate(STYLE, "breakInside") == "auto"
        for found_part in tab.locator(whole).all():
            assert found_part.evaluate(STYLE, "breakInside") == "avoid"
        for title in tab.locator(f":is({parts}) > .admonition-title").all():
            assert title.evaluate(STYLE, "breakAfter") == "avoid"

    def test_captions_are_no_larger_than_the_text(self, open_page):
        tab = open_page(f"{FIRST}.html")
        tab.emulate_media(media="print")
        caption, text = (
            float(tab.locator(where).first.evaluate(STYLE, "fontSize")[:-2])
            for where in ("article figcaption p", "article section > p")
        )
        assert 0.9 * text <= caption <= text

    @pytest.mark.parametrize("by", ["keys", "button"])
    def test_pictures_are_there_before_it_prints(self, open_page, by):
        """Those that one has not come to yet, too; in the dark the light ones."""
        tab = open_page(f"{SECOND}.html", color_scheme="dark")
        tab.evaluate("""() => {
            const pictures = [...document.querySelectorAll("article img:not(.in-the-dark)")];
            const there = () => pictures.filter((i) => i.complete && i.naturalWidth).length;
            window.before = there() < pictures.length;
            window.print = () => (window.printed = there() === pictures.length);
        }""")
        assert tab.evaluate("window.before"), "some are still to be fetched"
        if by == "keys":
            tab.keyboard.press("Control+p")
        else:
            tab.locator("[data-click=print]").first.evaluate("(button) => button.click()")
        wait_until(tab, lambda: tab.evaluate("window.printed !== undefined"))
        assert tab.evaluate("window.printed")

    def test_the_laboratory_is_printed_panel_by_panel(self, open_page):
        tab = open_page("lab.html", viewport={"width": 680, "height": 900})
        tab.locator(".lab .live-panel canvas").first.wait_for()
        tab.emulate_media(media="print")
        # (A grid that goes overleaf lays its rows upon each other.)
        assert tab.locator(".lab .live-panels").evaluate(STYLE, "display") == "flex"
        for panel in tab.locator(".lab .live-panel").all():
            assert panel.evaluate(STYLE, "display") in ("block", "none")
            assert panel.evaluate(STYLE, "breakInside") == "avoid"

    def test_the_whole_book(self, chromium):
        pages = [SIXTH, "bibliography"]
        printed = paper.without_date(paper.print_book(SITE, pages, chromium))
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 15
        assert b"/Outlines" in printed and b"MathJax_Main-Regular" in printed
        assert b"D:19800101000000" in printed


def test_the_public_address_may_be_another(monkeypatch):
    class Settings:
        html_baseurl = "https://flows.example.org/book"

    assert found.public_address(Settings) == "https://flows.example.org/book/"
