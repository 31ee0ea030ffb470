"""What the site needs beyond Jupyter Book, as a small Sphinx extension.

- Formulas are set here (formulas.py): pages load no MathJax, and no other host is asked.
- Each page gets a Content-Security-Policy that names, by hash, the few inline scripts that the
  build adds; a script from a text, a caption or an output is left out, with a warning.
- Each page gets a description; scripts no longer hold up the first picture of the page.
- A few corners of the theme are mended for screen readers.
- What is not the lesson is folded (reading.py).
- Search knows sections, links have cards, and there is a map and a 404 page (found.py).
- Guesses can be made (guesses.py).
- Terms have notes (notes.py).
- Figures have a version for dark pages (dark.py).
- Pages carry only what they use (page_weight.py).
- One page is the Flow Lab (lab_page.py).
- Each figure can be reported, once there is a repository to do so (report.py).
- Nothing links to chapters that are left out, and the others keep their numbers (left_out.py).
"""

import base64
import hashlib
import os
import re
import shutil
from pathlib import Path

from afterword import add_afterword
from bs4 import BeautifulSoup, PageElement, Tag
from dark import add_dark_pictures
from docutils import nodes
from formulas import FONTS, set_formulas
from found import (
    MOVED,
    draw_cards,
    fill_cards,
    introduce,
    name_of,
    public_address,
    reading_order,
    write_forwards,
    write_lost_page,
    write_map,
    write_search_index,
)
from guesses import mark_guesses
from lab_page import mount_lab, write_lab
from left_out import keep_numbers, read_source
from notes import add_notes, read_terms
from page_weight import bundle_styles, calm_theme, ease_images, names_in_use
from reading import ease_reading, shorten_exported_code, words_of
from report import add_reports
from repository import address, is_placeholder
from sphinx.ext.mathjax import html_visit_displaymath, html_visit_math
from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[1]
LOGGER = logging.getLogger(__name__)

POLICY = {
    "default-src": "'self'",
    # MathJax and the theme write style elements and attributes; styles cannot run code.
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
}
# What a browser takes for code; any other type of a script is data.
CODE = re.compile(
    r"(?:(?:text|application)/(?:x-)?(?:java|ecma)script|text/javascript1\.[0-5]|"
    r"text/(?:j|live)script|module|importmap|speculationrules)?",
    flags=re.IGNORECASE,
)
# What may be wider than the page, and then scrolls.
SCROLLERS = "div.highlight > pre, .cell_output .output, div.pst-scrollable-table-container"
# These must have run before the page's own inline scripts, which use what they define.
NOT_DEFERRED = ("documentation_options.js",)
# The inline scripts of Sphinx, its theme and its extensions. What else stands on a page came in by
# its text, a caption or an output, and does not run.
KNOWN_SCRIPTS = [
    re.compile(pattern)
    for pattern in (
        r"DOCUMENTATION_OPTIONS\.pagename = '[^'\\<]*';",
        r"DOCUMENTATION_OPTIONS\.search_as_you_type = (?:true|false);",
        r"let toggle(?:HintShow|HintHide|OpenOnPrint) = '[\w ]*';",
        r"var togglebuttonSelector = '[\w., -]*';",
        r'document\.documentElement\.dataset\.mode = localStorage\.getItem\("mode"\) \|\| "\w*"; '
        r'document\.documentElement\.dataset\.theme = localStorage\.getItem\("theme"\) \|\| "\w*";',
        r"// Activate the search field on page load "
        r'let searchInput = document\.querySelector\("form\.bd-search input"\); '
        r"if \(searchInput\) { searchInput\.focus\(\); searchInput\.select\(\); "
        r'console\.log\("\[PST\]: Set focus on search field\."\); }',
    )
]
RUNS = re.compile(r"\s*javascript\s*:", flags=re.IGNORECASE)
CLICKS = {"toggleFullScreen()": "fullscreen", "window.print()": "print"}  # see course.js
DROPPED = ("scripts/fontawesome.js",)  # 1.5 MB; the icons come from its web fonts anyway
SIDES = re.compile(r"\b(?:left|middle|right)\b", flags=re.IGNORECASE)
SEARCH_ONLY = ("searchtools.js", "language_data.js", "searchindex.js", "search.js")


def configure(app, config) -> None:
    """Point Sphinx at what this extension ships."""
    config.html_static_path.append(str(ROOT / "theme" / "static"))
    # Pages carry their style sheet: if that changes, Sphinx has to write all of them again.
    folders = [ROOT / name for name in ("theme", "live", "lab", "tools")]
    looks = [p for folder in folders for p in sorted(folder.rglob("*"))]
    looks = [p.read_bytes() for p in looks if p.suffix in {".css", ".js", ".py", ".cjs", ".json"}]
    config.course_look = hashlib.sha256(b"".join(looks)).hexdigest()
    config.html_math_renderer = "set_at_build"
    config.html_use_index = False
    # Neither require.js nor the widgets' html-manager: live.page.site brings live figures to life.
    config.nb_ipywidgets_js = {}


def describe(app, pagename, templatename, context, doctree) -> None:
    """Give the page a description: its first paragraph."""
    if doctree is None:
        text = f"{context.get('title', pagename)}: {app.config.html_title}"
    else:
        paragraph = next(iter(doctree.findall(nodes.paragraph)), None)
        text = " ".join(paragraph.astext().split()) if paragraph else app.config.html_title
    if len(text) > 160:
        text = text[:157].rsplit(" ", 1)[0] + "..."
    tag = BeautifulSoup("", "html.parser").new_tag("meta")
    tag.attrs = {"name": "description", "content": text}
    context["metatags"] = context.get("metatags", "") + str(tag)


def tidy_scripts(soup: BeautifulSoup, is_search: bool) -> None:
    """Leave out what the page does not use, and let the rest wait for the text."""
    for tag in soup.select("script[src], link[rel=preload]"):
        path = (tag.get("src") or tag["href"]).split("?")[0]
        if path.endswith(DROPPED) or (path.endswith(SEARCH_ONLY) and not is_search):
            tag.decompose()
        elif tag.name == "script" and not path.endswith(NOT_DEFERRED):
            tag["defer"] = ""
    # It changes what Sphinx's search shows, before the index arrives and the search begins.
    ours, theirs = (
        soup.select_one(f"script[src*='/{n}']") for n in ("search.js", "searchtools.js")
    )
    if is_search and ours and theirs:
        theirs.insert_after(ours.extract())
    for button in soup.select("[onclick]"):
        if (click := CLICKS.get(button["onclick"])) is not None:
            del button["onclick"]
            button["data-click"] = click
    for extra in soup.select("meta[name=viewport]")[1:]:
        extra.decompose()


def say_what_it_holds(soup: BeautifulSoup) -> None:
    """Mark what the style sheet wants to know of a page, once.

    Asked by `:has()`, it would be asked again, and the whole page styled anew, whenever something
    comes or goes.
    """
    if soup.select_one("#fig-hero"):
        soup.body["class"] = [*soup.body.get("class", []), "landing"]
    for cell in soup.select(".cell"):
        if most(cell, "data-panels") > 2:
            cell["class"] = [*cell["class"], "many-panels"]
    for caption in soup.select("figcaption"):
        if SIDES.search(words_of(caption)) and most(caption.parent, "data-rows") > 1:
            caption["class"] = [*caption.get("class", []), "names-sides"]


def most(part, attribute: str) -> int:
    """The most that the live figures of a part of the page say of themselves; 0 without one."""
    return max((int(image[attribute]) for image in part.select("img[data-live]")), default=0)


def mend_accessibility(soup: BeautifulSoup) -> None:
    """Mend what axe finds in the theme."""
    # The theme's placeholder for advertisements.
    for tag in soup.select("#ethical-ad-placement"):
        tag.decompose()
    # A name that differs from the visible text confuses those who speak it.
    for tag in soup.select(".search-button__button, details > summary[aria-label]"):
        del tag["aria-label"]
    for keys in soup.select(".search-button__kbd-shortcut"):
        keys["aria-hidden"] = "true"
    # A button whose name is only its tooltip loses it when the tooltip opens.
    for button in soup.select("button[title]:not([aria-label])"):
        if not button.get_text(strip=True):
            button["aria-label"] = button["title"]
    # Roles that are deprecated, and a list whose children are no items.
    for tag in soup.select(".citation-list, .citation-list [role^=doc-]"):
        del tag["role"]
    # The empty corner of a table is no header.
    for cell in soup.find_all("th"):
        if not cell.get_text(strip=True) and not cell.find("img"):
            cell.name = "td"
    # Everything on a page belongs to a landmark.
    for sidebar in soup.select("#pst-primary-sidebar"):
        sidebar.attrs |= {"role": "complementary", "aria-label": "Book"}
    # Wide code and tables scroll: the keyboard must be able to, too. (Where nothing is too wide
    # course.js takes it back. So with formulas: formulas.py.)
    for box in soup.select(SCROLLERS):
        box["tabindex"] = "0"


def put_code_aside(soup: BeautifulSoup) -> list[tuple[Tag, list[PageElement]]]:
    """Leave of each listing its text, in which nothing is coloured any more.

    Most elements of a page are the words of its code. What mends the rest of the page looks at
    each element again and again, and is several times as fast without them.

    Returns:
        Each listing with what it held, for `put_code_back`.
    """
    aside = []
    for listing in soup.find_all("pre"):
        if not listing.find(True):
            continue
        held = [part.extract() for part in list(listing.contents)]
        aside.append((listing, held))
        for part in held:
            kept = listing
            if isinstance(part, Tag) and "rest" in part.get("class", []):  # see short_form.py
                kept = soup.new_tag("span", attrs={"class": "rest"})
                listing.append(kept)
            kept.append(part.get_text())
    return aside


def put_code_back(aside: list[tuple[Tag, list[PageElement]]]) -> None:
    """Give listings back what they held."""
    for listing, held in aside:
        listing.clear()
        listing.extend(held)


def is_code(kind: str | None) -> bool:
    """Whether a browser runs scripts of a type, or obeys them.

    Example:
        >>> is_code(None), is_code("Text/ECMAScript"), is_code("application/json")
        (True, True, False)
    """
    return bool(CODE.fullmatch((kind or "").strip()))


def is_known(script: str) -> bool:
    """Whether an inline script is one that the build itself adds.

    Example:
        >>> is_known("DOCUMENTATION_OPTIONS.pagename = 'intro';"), is_known("alert(1)")
        (True, False)
    """
    text = " ".join(script.split())
    return any(pattern.fullmatch(text) for pattern in KNOWN_SCRIPTS)


def drop_foreign_scripts(page: Path, soup: BeautifulSoup, out: Path) -> list[str]:
    """Take out what would run but was not added by the build; return a complaint for each.

    The policy would stop most of it in the browser anyhow. Here its author gets to know, and what
    the policy would allow, a script file that some text brought along, goes as well.
    """
    found = []
    for tag in soup.find_all("script"):
        if tag.has_attr("src"):
            path = os.path.normpath(page.parent / tag["src"].split("?")[0])
            inside = path.startswith(str(out / "_static") + os.sep)
            known = inside or path == str(out / "searchindex.js")
        else:
            known = not is_code(tag.get("type")) or is_known(tag.string or "")
        if not known:
            found.append(str(tag))
            tag.decompose()
    for tag in soup.find_all():
        for name, value in list(tag.attrs.items()):
            if name.lower().startswith("on") or RUNS.match(str(value)):
                found.append(f"<{tag.name} {name}={value!r}>")
                del tag[name]
    name = name_of(page, out)
    return [
        f"{name}: a script in the text, a caption or an output does not run on the site, and was "
        f"left out: {' '.join(text.split())[:80]}"
        for text in found
    ]


def set_policy(soup: BeautifulSoup) -> None:
    """Allow the inline scripts that the build itself adds, by hash, and nothing else."""
    scripts = ["'self'"]
    for tag in soup.find_all("script", src=False):
        if is_code(tag.get("type")) and is_known(tag.string or ""):
            digest = hashlib.sha256(tag.string.encode()).digest()
            scripts.append(f"'sha256-{base64.b64encode(digest).decode()}'")
    if soup.select_one("img[data-live], [data-lab]"):
        scripts.append("'wasm-unsafe-eval'")  # matrix products of live figures; no other eval
    policy = POLICY | {"script-src": " ".join(dict.fromkeys(scripts))}
    tag = soup.new_tag("meta")
    tag.attrs = {
        "http-equiv": "Content-Security-Policy",
        "content": "; ".join(f"{name} {value}" for name, value in policy.items()),
    }
    soup.head.find("meta", charset=True).insert_after(tag)


def is_finished(soup: BeautifulSoup) -> bool:
    """Say whether a page was mended by an earlier build."""
    # Only in the head: a text may have brought such an element along.
    policy = {"http-equiv": "Content-Security-Policy"}
    return bool(soup.head and soup.head.find("meta", attrs=policy, recursive=False))


def finish_site(app, exception) -> None:
    """Add what pages load, mend the pages, and make the first one the index."""
    if exception or app.builder.name != "html":
        return
    out, config = Path(app.outdir), app.config
    static = out / "_static"
    forwards = set(MOVED) - app.env.found_docs
    soups = {
        page: BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        for page in sorted(out.rglob("*.html"))
        if "_static" not in page.parts
        and page.name not in ("index.html", "404.html")
        and name_of(page, out) not in forwards
    }
    fresh = {page: soup for page, soup in soups.items() if not is_finished(soup)}
    aside = {}
    if not calm_theme(static):
        LOGGER.warning("the theme's script has changed: see calm_theme in tools/page_weight.py")
    shutil.copytree(FONTS, static / "mathjax", dirs_exist_ok=True)
    for page, soup in fresh.items():
        tidy_scripts(soup, is_search=page.name == "search.html")
        for complaint in drop_foreign_scripts(page, soup, out):
            LOGGER.warning(complaint)
        shorten_exported_code(soup)
        aside[page] = put_code_aside(soup)
        say_what_it_holds(soup)
        mend_accessibility(soup)
        ease_images(page, soup)
        ease_reading(page, soup, soups)
        for complaint in mark_guesses(name_of(page, out), soup):
            LOGGER.warning(complaint)
    base, title = public_address(config), config.html_title
    alts = draw_cards(out, soups, config.course_cards)
    for page, soup in fresh.items():
        name = name_of(page, out)
        introduce(name, soup, base, config.root_doc, alts, title)
        if name.startswith("chapters/"):
            add_afterword(name, soup, base)
        fill_cards(page, soup, out, alts)
    write_search_index(out, soups)
    write_map(out, soups, base, config.root_doc)
    names = reading_order(config.root_doc, app.env.toctree_includes)
    names += sorted(app.env.found_docs - set(names))
    chapters = [(name, app.env.titles[name].astext()) for name in names if name != config.root_doc]
    write_lost_page(out, base, title, chapters)
    write_forwards(out, base, chapters)
    repository = None if is_placeholder() else address()
    glossary = out / "glossary.html"
    terms = read_terms(soups[glossary]) if glossary in soups else []
    for page, soup in fresh.items():
        source = (
            Path(app.env.doc2path(name))
            if (name := name_of(page, out)) in app.env.found_docs
            else page
        )
        add_dark_pictures(page, soup, source)
        if source.suffix == ".ipynb":
            add_notes(page, soup, glossary, terms)
        if repository:
            add_reports(name, soup, base, repository)
        put_code_back(aside[page])
    # Last, for a set formula is made of many elements, all of which the above would look at.
    math_css, complaints = set_formulas(list(fresh.values()))
    for complaint in complaints:
        LOGGER.warning(complaint)
    names = names_in_use(out, list(soups.values()))
    for page, soup in fresh.items():
        bundle_styles(page, soup, static, names, math_css if soup.select_one(".math") else "")
        set_policy(soup)
        page.write_text(str(soup), encoding="utf-8")
    shutil.copy2(out / f"{app.config.root_doc}.html", out / "index.html")


def setup(app):
    """Register with Sphinx."""
    app.add_config_value("course_look", "", "html")
    app.add_css_file("course.css")
    app.add_js_file("course.js")
    app.add_js_file("search.js", priority=900)  # after Sphinx's, which it builds upon
    app.add_config_value("course_cards", {}, "html")  # page -> the figure that stands for it
    app.add_html_math_renderer(
        "set_at_build", (html_visit_math, None), (html_visit_displaymath, None)
    )
    app.connect("config-inited", configure)
    app.connect("source-read", read_source)
    app.connect("env-get-updated", keep_numbers, priority=900)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", mount_lab)
    app.connect("build-finished", write_lab, priority=100)
    app.connect("build-finished", finish_site, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
