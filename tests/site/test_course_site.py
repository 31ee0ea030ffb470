"""The extension as a whole, on a small site: each page gets what course_site.py promises it."""

from types import SimpleNamespace

import course_site
import pytest
import repository
from bs4 import BeautifulSoup
from small_site import BASE

PAGES = ("intro", "chapters/1_one", "glossary", "search")
each_page = pytest.mark.parametrize("name", PAGES)


@pytest.fixture(scope="module")
def pages(small_site):
    """Name of a page -> the page."""
    _, out, _ = small_site
    texts = {name: (out / f"{name}.html").read_text(encoding="utf-8") for name in PAGES}
    return {name: BeautifulSoup(text, "html.parser") for name, text in texts.items()}


def style_of(page: BeautifulSoup, out) -> str:
    """The style sheet of a page, of which there is one."""
    (link,) = page.select("link[rel=stylesheet]")
    return (out / "_static" / link["href"].rsplit("/", 1)[1]).read_text(encoding="utf-8")


def policy_of(page: BeautifulSoup) -> dict[str, list[str]]:
    """The rules of a page's policy, of which there is one."""
    (tag,) = page.select('head > meta[http-equiv="Content-Security-Policy"]')
    assert tag.find_previous_sibling("meta").has_attr("charset"), "before anything can run"
    return {name: values for name, *values in map(str.split, tag["content"].split(";"))}


@each_page
def test_a_page_asks_no_other_host_and_runs_no_script_of_a_text(pages, name):
    rules = policy_of(pages[name])
    scripts = rules.pop("script-src")
    assert scripts[0] == "'self'" and all(word.startswith("'sha256-") for word in scripts[1:])
    assert rules.pop("style-src") == ["'self'", "'unsafe-inline'"]
    assert rules.pop("img-src") == ["'self'", "data:"]
    assert {rule: rules[rule] for rule in ("default-src", "form-action")} == {
        "default-src": ["'self'"], "form-action": ["'self'"],
    }  # fmt: skip
    assert rules["object-src"] == rules["base-uri"] == ["'none'"] and len(rules) == 4


def test_matrix_products_are_allowed_where_there_is_a_live_figure():
    for inside, wanted in (("<img data-live='a'>", True), ("<div data-lab></div>", True), ("", 0)):
        page = BeautifulSoup(f"<head><meta charset='utf-8'></head>{inside}", "html.parser")
        course_site.set_policy(page)
        assert ("'wasm-unsafe-eval'" in policy_of(page)["script-src"]) == bool(wanted)


@each_page
def test_a_page_is_introduced_and_has_one_style_sheet(small_site, pages, name):
    _, out, _ = small_site
    page = pages[name]
    address = BASE if name == "intro" else f"{BASE}{name}.html"
    assert page.select_one("link[rel=canonical]")["href"] == address
    assert page.select_one("meta[name=description]")["content"]
    assert ("mjx-math" in style_of(page, out)) == bool(page.select(".math"))
    assert page.select_one("#pst-primary-sidebar")["role"] == "complementary"
    assert [s for s in page.select("script[src*='course.js']") if s.has_attr("defer")]


def test_a_chapter_has_its_formula_its_note_its_dark_picture_and_its_end(small_site, pages):
    _, out, _ = small_site
    page = pages["chapters/1_one"]
    assert page.select_one("meta[name=description]")["content"] == (
        "The first words. A nat is a nat."
    )
    assert page.select(".math mjx-container") and list((out / "_static" / "mathjax").iterdir())
    assert [a["href"] for a in page.select("a.note")] == ["../glossary.html#term-nat"]
    light, dark = page.select(".cell_output img")
    assert (out / "chapters" / dark["src"]).read_bytes() == b"dark" and light["height"] == "1"
    assert page.select("aside.afterword") and "The end is left out." in page.get_text()
    assert page.select_one("#more")["style"].startswith("--guess")
    for name in ("intro", "glossary"):
        assert not pages[name].select("aside.afterword, a.note")
    links = [link for page in pages.values() for link in page.select("figure a.report")]
    assert bool(links) != repository.is_placeholder()


def test_the_first_page_is_the_index_and_its_card_has_the_chapters_picture(small_site, pages):
    _, out, _ = small_site
    assert (out / "index.html").read_bytes() == (out / "intro.html").read_bytes()
    card = pages["intro"].select_one(".sd-card img")
    assert card["src"].endswith("chapters-1_one.png") and (out / card["src"]).exists()


def test_search_map_and_lost_page_know_the_pages(small_site, pages):
    _, out, _ = small_site
    index = (out / "searchindex.js").read_text(encoding="utf-8")
    assert "chapters/1_one" in index and "2_left_out" not in index
    sheet = (out / "sitemap.xml").read_text(encoding="utf-8")
    assert [line.strip()[10:-12] for line in sheet.splitlines() if "<loc>" in line] == [
        f"{BASE}chapters/1_one.html", f"{BASE}glossary.html", BASE,
    ]  # fmt: skip
    lost = BeautifulSoup((out / "404.html").read_text(encoding="utf-8"), "html.parser")
    links = [(a["href"], a.get_text()) for a in lost.select("li a")]
    assert links == [
        ("/course/", "Scripts"), ("/course/chapters/1_one.html", "One"),
        ("/course/glossary.html", "Glossary"),
    ]  # fmt: skip
    names = [tag["src"].split("?")[0] for tag in pages["search"].select("script[src]")]
    found = [name.rsplit("/", 1)[-1] for name in names]
    assert set(course_site.SEARCH_ONLY) <= set(found)
    assert found.index("search.js") > found.index("searchtools.js") > 0


def test_what_an_author_got_wrong_is_told(small_site):
    _, _, warnings = small_site
    assert r"no good TeX: x^2 = \foreign" in warnings
    assert "chapters/1_one: guess 1 needs a question" in warnings
    assert "2_left_out" not in warnings and "theme's script" not in warnings
    for name in PAGES[1:]:  # what the build itself adds to a page is known to it
        assert f"{name}: a script" not in warnings


def test_a_failed_build_changes_nothing_and_the_next_only_what_is_missing(small_site):
    app, out, _ = small_site
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (out / "index.html").unlink()
    course_site.finish_site(app, RuntimeError("no disk"))
    assert not (out / "index.html").exists()
    course_site.finish_site(app, None)
    again = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert [path for path in before | again if before.get(path) != again.get(path)] == []


def test_another_look_writes_all_pages_anew(small_site, tmp_path, monkeypatch):
    """They carry their style sheet; what makes it and what mends pages is part of the look."""
    app, _, _ = small_site
    reasons = {value.name for value in app.config.filter("html")}  # to write all HTML anew
    assert {"course_look", "course_cards"} <= reasons and app.config.course_look
    monkeypatch.setattr(course_site, "ROOT", tmp_path)
    files = ["theme/static/a.css", "live/page/js/b.js", "lab/c.json", "tools/d.cjs", "tools/e.py"]
    for name in (*files, "live/README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("old", encoding="utf-8")

    def look() -> str:
        config = SimpleNamespace(html_static_path=[])
        course_site.configure(None, config)
        return config.course_look

    looks = [look()]
    for name in files:
        (tmp_path / name).write_text("new", encoding="utf-8")
        looks.append(look())
    assert len(set(looks)) == 1 + len(files)
    (tmp_path / "live/README.md").write_text("new", encoding="utf-8")
    assert look() == looks[-1]
