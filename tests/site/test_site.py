"""The built site: complete, linked, and whole by itself. (Browsers come in test_browser.py.)"""

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from course_site import is_code, is_known
from found import MOVED
from repository import address
from solutions import TARGET
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
DOCUMENTS = list(parse_toc_yaml(ROOT / "_toc.yml"))  # the landing page comes first
CHAPTERS = [name for name in DOCUMENTS if name.startswith("chapters/")]
WIDGET = "application/vnd.jupyter.widget-{}+json"

# The table of contents says which pages there must be, the folder which others there are.
PAGES = sorted(
    {SITE / f"{name}.html" for name in [*DOCUMENTS, "index", "search"]}
    | {page for page in SITE.rglob("*.html") if "_static" not in page.parts}
    - {SITE / "404.html"}  # its addresses are those of the published site: see test_reading.py
    - {SITE / f"{name}.html" for name in MOVED}  # they only lead on: see test_reading.py
)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
every_chapter = pytest.mark.parametrize("name", CHAPTERS)


@cache
def soup(page: Path) -> BeautifulSoup:
    assert page.exists(), f"{page.relative_to(ROOT)} is missing: run `make book`"
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


@cache
def anchors(page: Path) -> set[str]:
    return {tag["id"] for tag in soup(page).select("[id]")}


def inline_scripts(page: Path) -> list[str]:
    tags = soup(page).find_all("script", src=False)
    return [tag.string for tag in tags if is_code(tag.get("type"))]


def policy(page: Path) -> dict[str, list[str]]:
    tag = soup(page).select_one('meta[http-equiv="Content-Security-Policy"]')
    assert tag, "the page has no Content-Security-Policy"
    directives = [directive.split() for directive in tag["content"].split(";")]
    return {name: values for name, *values in directives}


@every_page
def test_page_is_whole(page):
    body = soup(page).select_one("article, .bd-search-container")
    assert body.get_text(strip=True)
    for output in body.select(".cell_output"):  # (the examples in docstrings may have one)
        assert "Traceback (most recent call last)" not in output.get_text()
    assert not soup(page).select(".problematic, .system-message")
    for role in ("{cite", "{numref}", "{eq}", "{ref}", "{doc}", "```{"):
        assert role not in body.get_text(), f"{role} was not understood"


@every_page
def test_page_introduces_itself(page):
    html = soup(page)
    assert html.html["lang"] and html.title.get_text(strip=True)
    assert len(html.select("h1")) >= 1
    assert 5 <= len(html.select_one("meta[name=description]")["content"]) <= 160
    assert html.select_one("link[rel=icon]")


@every_page
def test_links_resolve(page):
    for tag in soup(page).select("a[href]"):
        url = urlsplit(tag["href"])
        if url.scheme or url.netloc:
            continue  # other sites: `make linkcheck`
        target = (page.parent / unquote(url.path)).resolve() if url.path else page
        assert target.exists(), tag["href"]
        if url.fragment and target.suffix == ".html":
            place, _, _ = url.fragment.partition("?")  # what follows is the state of a figure
            assert unquote(place) in anchors(target), tag["href"]


@every_page
def test_page_loads_only_what_the_site_has(page):
    loaded = soup(page).select("script[src], link[href], img[src], iframe[src], source[src]")
    for tag in loaded:
        if tag.get("rel") == ["canonical"]:
            continue  # says where the page is published; nothing is loaded
        url = urlsplit(tag.get("src") or tag.get("href"))
        if url.scheme == "data":
            continue
        assert not url.netloc, f"the page asks another host: {url.geturl()}"
        assert (page.parent / unquote(url.path)).resolve().exists(), url.geturl()


@every_page
def test_policy_is_strict_and_fits_the_page(page):
    rules = policy(page)
    assert rules["default-src"] == ["'self'"] and rules["object-src"] == ["'none'"]
    for word in ("'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:"):
        assert word not in rules["script-src"]
    for script in inline_scripts(page):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in rules["script-src"], f"not allowed: {script[:60]}"
        assert is_known(script), f"not of the build: {script[:60]}"
    handlers = [name for tag in soup(page).find_all() for name in tag.attrs if name[:2] == "on"]
    assert not handlers, "the policy forbids scripts in attributes"


@every_page
def test_images_have_alt_texts(page):
    for image in soup(page).select("img"):
        assert image.get("alt", "").strip(), image["src"]


@every_page
def test_no_dead_slider(page):
    html = soup(page)
    saved = {}
    for tag in html.find_all("script", type=WIDGET.format("state")):
        saved |= json.loads(tag.string)["state"]
    for tag in html.find_all("script", type=WIDGET.format("view")):
        model = saved.get(json.loads(tag.string)["model_id"])
        assert model and model["model_module"] == "anywidget", "a widget that needs a kernel"
    text = html.get_text()
    assert not re.search(r"interactive\(children|(?:Float|Int)Slider\(value", text)


@every_chapter
def test_chapter_opens_in_colab(name):
    owner_and_name = urlsplit(address()).path
    link = f"https://colab.research.google.com/github{owner_and_name}/blob/main/{name}.ipynb"
    assert soup(SITE / f"{name}.html").select(f'a[href="{link}"]')


@every_chapter
def test_every_figure_of_the_notebook_is_on_the_page(name):
    html = soup(SITE / f"{name}.html")
    for cell in nbformat.read(ROOT / f"{name}.ipynb", as_version=4).cells:
        described = cell.metadata.get("mystnb", {})
        if "figure" not in described:
            continue
        figure = html.find(id=described["figure"]["name"])
        assert figure and figure.name == "figure", described["figure"]["name"]
        assert figure.img["alt"] == described["image"]["alt"]
        assert figure.figcaption.get_text(strip=True)


STYLES = ["theme/static/course.css", "live/page/js/figure.css", "lab/js/lab.css"]


@pytest.mark.parametrize("own", STYLES)
def test_our_own_rules_reach_the_pages(own):
    """The build leaves out rules for names that nothing uses: a name has to be written in full."""
    page = SITE / "lab.html"
    links = [page.parent / link["href"] for link in soup(page).select("link[rel=stylesheet]")]
    shipped = "".join(link.read_text(encoding="utf-8") for link in links)
    css = re.sub(r"/\*.*?\*/", "", (ROOT / own).read_text(encoding="utf-8"), flags=re.DOTALL)
    names = set(re.findall(r"\.([a-zA-Z][\w-]*)", re.sub(r"\{[^{}]*\}|@import[^;]*;", "", css)))
    lost = {name for name in names if not re.search(rf"\.{name}(?![\w-])", shipped)}
    if not TARGET.exists():
        lost -= {"solution"}  # an edition without solutions has no use for it
    assert len(names) > 20 and not lost
