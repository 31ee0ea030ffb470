"""The course to take along: `make pdf` and `make archive`.

    python tools/paper.py pdf       _build/NAME.pdf, the whole book
    python tools/paper.py archive   _build/NAME.zip, the site; it works without a server

NAME is the repository's. The PDF is printed by the Chromium that the tests use, from one page that
holds all pages of the site in the order of the table of contents.
"""

import os
import re
import sys
import zipfile
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

import safely
from browser import FLAGS, PATIENCE, find_chromium, serve_folder
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import sync_playwright
from repository import address
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
DATE = (1980, 1, 1, 0, 0, 0)  # the same site makes the same archive
NOT_ON_PAPER = (
    "script, button, .headerlink, .sd-btn, .chapters, details.fold, .copybtn, .toctree-wrapper, "
    ".prev-next-area, .in-the-dark, .note-text"
)
STYLE = """
@page { size: A4; margin: 20mm 18mm; }
body { background: #fff; }
article + article { break-before: page; }
article { padding: 0 !important; }
article :is(h1, h2, h3) { text-wrap: wrap !important; } /* bookmarks lose the space at a break */
article h1 { display: block !important; font-size: 1.75rem !important; }
.all-pages { break-inside: avoid; }
.all-pages ul { columns: 2; list-style: none; padding: 0; }
[data-lab] { min-height: 0 !important; } /* what would come there */
"""
FOOT = (
    '<div style="font: 8px sans-serif; width: 100%; text-align: center; color: #555">'
    '<span class="pageNumber"></span></div>'
)


def name_of_course() -> str:
    """The name of the repository, which the files bear."""
    return urlsplit(address()).path.rpartition("/")[2]


def prefixed(page: str, name: str) -> str:
    """An id that is one of its kind in the whole book.

    Example:
        >>> prefixed("chapters/1_a", "summary")
        'chapters-1_a--summary'
    """
    return f"{page.replace('/', '-')}--{name}"


def to_paper(article: Tag, page: str, pages: list[str]) -> Tag:
    """Make a page's text a part of the book: its ids, links and pictures count from the book."""
    folder = os.path.dirname(page)
    for tag in article.select(NOT_ON_PAPER):
        tag.decompose()
    article["id"] = "page"
    for tag in [article, *article.find_all(id=True)]:
        tag["id"] = prefixed(page, tag["id"])
    for link in article.find_all("a", href=True):
        url = urlsplit(link["href"])
        if url.scheme or url.netloc:
            continue
        target = os.path.normpath(os.path.join(folder, url.path)) if url.path else f"{page}.html"
        target = target.removesuffix(".html")
        if target in pages:
            place, _, _ = url.fragment.partition("?")  # (on paper a figure has no state)
            link["href"] = f"#{prefixed(target, place or 'page')}"
        else:
            link.unwrap()
    for image in article.find_all("img", src=True):
        image["src"] = os.path.normpath(os.path.join(folder, image["src"]))
        image["loading"] = "eager"
    return article


def contents(titles: dict[str, str]) -> str:
    """Return the list of the book's pages, each a link.

    Args:
        titles: page -> its title, in the book's order.

    Example:
        >>> contents({"chapters/1": "1. Flows"}).partition("<ul>")[2]
        '<li><a href="#chapters-1--page">1. Flows</a></li></ul></nav>'
    """
    lines = "".join(
        f'<li><a href="#{prefixed(page, "page")}">{escape(title)}</a></li>'
        for page, title in titles.items()
    )
    return f'<nav class="all-pages"><h2>Contents</h2><ul>{lines}</ul></nav>'


def whole_book(site: Path, pages: list[str]) -> str:
    """One HTML page with all pages of the site.

    Args:
        site: the folder of the built site.
        pages: the pages' names, in the book's order; the first is the landing page.
    """
    styles, articles, title = {}, [], ""
    for page in pages:
        soup = BeautifulSoup((site / f"{page}.html").read_text(encoding="utf-8"), "html.parser")
        title = title or soup.select_one("meta[property='og:site_name']")["content"]
        for link in soup.select("link[rel=stylesheet]"):
            styles[os.path.normpath(os.path.join(os.path.dirname(page), link["href"]))] = None
        articles.append(to_paper(soup.select_one("article"), page, pages))
    others = zip(pages[1:], articles[1:], strict=True)
    titles = {page: article.h1.get_text() for page, article in others if article.h1}
    articles[0].append(BeautifulSoup(contents(titles), "html.parser"))
    links = "".join(f'<link rel="stylesheet" href="{href}">' for href in styles)
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{title}</title>{links}<style>{STYLE}</style></head>"
        f'<body><div class="bd-main"><div class="bd-content"><div class="bd-article-container">'
        f"{''.join(map(str, articles))}</div></div></div></body></html>"
    )


def print_book(site: Path, pages: list[str], browser) -> bytes:
    """Print pages of the site as one PDF, with bookmarks.

    Args:
        site: the folder of the built site.
        pages: the pages' names, in the book's order.
        browser: playwright's `Browser`, a Chromium.
    """
    book = whole_book(site, pages)
    with serve_folder(site) as host:
        tab = browser.new_page()
        tab.set_default_timeout(PATIENCE)
        tab.route(
            f"{host}/book.html",
            lambda route: route.fulfill(body=book, content_type="text/html; charset=utf-8"),
        )
        tab.emulate_media(media="print")
        tab.goto(f"{host}/book.html")
        # All is laid out, so every font that is needed has been asked for.
        tab.evaluate("document.fonts.ready.then(() => document.body.offsetHeight)")
        tab.wait_for_function("[...document.images].every((image) => image.complete)")
        printed = tab.pdf(
            format="A4",
            print_background=True,
            outline=True,
            tagged=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOT,
            prefer_css_page_size=True,
        )
        tab.close()
        return printed


def without_date(pdf: bytes) -> bytes:
    """The same PDF, whenever it was printed."""
    return re.sub(rb"(/(?:CreationDate|ModDate) \(D:)\d{14}", rb"\g<1>19800101000000", pdf)


def pack_site(site: Path, target: Path, name: str) -> None:
    """Write the site as a zip, in a folder of its own."""
    part = target.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in site.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(f"{name}/{path.relative_to(site).as_posix()}", DATE)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    part.replace(target)


def main(arguments: list[str]) -> None:
    """Write what was asked for."""
    if arguments not in (["pdf"], ["archive"]):
        raise SystemExit(__doc__)
    if not (SITE / "index.html").exists():
        raise SystemExit("there is no site yet: run `make book`")
    name = name_of_course()
    if arguments == ["pdf"]:
        target = ROOT / "_build" / f"{name}.pdf"
        pages = list(parse_toc_yaml(ROOT / "_toc.yml"))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
            safely.write(target, without_date(print_book(SITE, pages, browser)))
            browser.close()
    else:
        target = ROOT / "_build" / f"{name}.zip"
        pack_site(SITE, target, name)
    print(f"{target} ({target.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main(sys.argv[1:])
