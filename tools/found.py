"""What lets the site be found and shared: a search that knows sections, cards, a map, a 404 page.

- Sphinx's search runs on an index of sections, without code and page furniture; the glossary's
  "Also:" words lead to the sections that explain them (theme/static/search.js shows what is found).
- Every page has its one address (canonical), and a card with a picture for those who are sent it.
- sitemap.xml names the pages, and 404.html works wherever it is served.
- A page that got another number is found at its old address, too.
"""

import base64
import hashlib
import io
import json
import os
import posixpath
import re
from collections import defaultdict
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag
from formulas import find_formulas
from PIL import Image
from repository import address
from sphinx.search.en import SearchEnglish

NOT_PROSE = (
    "pre, script, style, svg, mjx-container, .headerlink, .live-figure, .cell_input, details.fold, "
    ".citation-list, .toctree-wrapper, nav, .prev-next-area, .afterword, .report"
)
BLOCKS = ["p", "li", "dt", "dd", "td", "th", "div", "figcaption", "h1", "h2", "h3", "h4"]
ALSO = re.compile(r"^\s*Also:\s*(.+?)\.?\s*$", flags=re.DOTALL)
CARD = (1200, 630)  # pixels; what those who show cards ask for
THUMBNAIL = (480, 300)
WIDE = 2.5  # width over height of a picture with several panels in a row
NOT_LISTED = {"search.html", "404.html", "index.html"}
# Pages that have got another name: what they were called -> what they are called today.
MOVED = {"chapters/8_planar_radial": "chapters/9_planar_radial"}


def public_address(config) -> str:
    """Where the site will be read: `html_baseurl`, or else the repository's GitHub Pages."""
    if config.html_baseurl:
        return config.html_baseurl.rstrip("/") + "/"
    owner, name = urlsplit(address()).path.strip("/").split("/")
    return f"https://{owner}.github.io/{name}/"


def name_of(page: Path, out: Path) -> str:
    """What a page of the site is called: its place in the site's folder, without ".html"."""
    return page.relative_to(out).with_suffix("").as_posix()


def one_line(text: str) -> str:
    """A text with single spaces between its words."""
    return " ".join(text.split())


# -- Search ------------------------------------------------------------------------------------


def entries_of(soup: BeautifulSoup) -> list[tuple[Tag, Tag]]:
    """The entries of a page's glossary: the term, and what it means."""
    return [(t, t.find_next_sibling("dd")) for t in soup.select("dl.glossary > dt[id]")]


def sections_of(soup: BeautifulSoup) -> list[tuple[str, str, str]]:
    """A page's sections, and after them the terms of its glossary: (id, heading, own text)."""
    article = soup.select_one("article.bd-article, article")
    if article is None:
        return []
    page = BeautifulSoup(str(article), "html.parser")
    for image in page.select("img.in-the-dark"):  # the other version says the same
        image.decompose()
    alts = [image.get("alt", "") for image in page.select("img")]
    for image, alt in zip(page.select("img"), alts, strict=True):
        image.replace_with(f" {alt} ")
    whole = page.select("section[id]")
    headed = [s for s in whole if s.find(re.compile("^h[1-6]$"), recursive=False)]
    marked = [(s, s.find(re.compile("^h[1-6]$"), recursive=False)) for s in headed]
    # An excerpt says that there is one, whether it is set already or not.
    set_already = page.select(".formula-pieces, mjx-container:not(.formula-pieces *)")
    for formula in [*find_formulas(page), *set_already]:
        formula.replace_with("…")
    for tag in page.select(NOT_PROSE):
        tag.extract()
    for block in page.find_all(BLOCKS):  # words of two paragraphs are not one
        block.append(" ")
    found, terms = [], []
    for term, meaning in entries_of(page):
        words = (one_line(tag.get_text()) for tag in (term, meaning))
        terms.append((term["id"], *words))
        term.decompose()
        meaning.decompose()
    for section, heading in reversed(marked):  # the inner ones first: what is left is the outer's
        title = one_line(heading.get_text())
        heading.decompose()
        found.append((section["id"], title, one_line(section.get_text())))
        section.decompose()
    return found[::-1] + terms


def spellings(word: str) -> set[str]:
    """A word as it is spelt on both sides of the Atlantic.

    Example:
        >>> sorted(spellings("dequantisation"))
        ['dequantisation', 'dequantization']
    """
    found = re.search(r"i[sz](?=(?:e|ed|es|ing|ations?|ers?)$)", word)
    if not found or len(word) < 7:
        return {word}
    before, after = word[: found.start()], word[found.end() :]
    return {f"{before}is{after}", f"{before}iz{after}"}


def stems(text: str, english: SearchEnglish) -> set[str]:
    """The stems of a text's words, as Sphinx's script will make them of a query's."""
    found = set()
    for word in english.split(text):
        for spelling in spellings(word.lower()):
            stem = english.stem(spelling)
            if english.word_filter(stem) or not english.word_filter(spelling):
                found.add(stem if english.word_filter(stem) else spelling)
    return found


def other_names(soup: BeautifulSoup) -> dict[str, list[tuple[str, str]]]:
    """What a page's glossary says of other words: word -> (page, id) that explain it."""
    names = defaultdict(list)
    for term, meaning in entries_of(soup):
        places = [("", term["id"])]
        for link in meaning.select("a.reference.internal[href*='#']"):
            page, _, name = link["href"].partition("#")
            places.append((page, name))
        words = [one_line(term.get_text().replace("#", ""))]
        for paragraph in meaning.select("p"):
            if also := ALSO.match(paragraph.get_text()):
                words += [one_line(w) for w in also[1].split(",")]
        for word in words:
            for spelling in dict.fromkeys(map(" ".join, all_spellings(word.lower().split()))):
                names[spelling] += places
    return names


def all_spellings(words: list[str]) -> list[list[str]]:
    """All ways to spell a few words."""
    lists = [[]]
    for word in words:
        lists = [[*before, spelling] for before in lists for spelling in sorted(spellings(word))]
    return lists


def search_index(out: Path, pages: dict[Path, BeautifulSoup]) -> dict:
    """Sphinx's search index, with each section in the place of a document.

    Args:
        out: the folder of the site.
        pages: its pages.
    """
    english = SearchEnglish({})
    places, titles, texts = [], [], []
    terms, title_terms, all_titles = (defaultdict(list) for _ in range(3))
    for page in sorted(pages):
        name = name_of(page, out)
        for number, (identifier, title, text) in enumerate(sections_of(pages[page])):
            index = len(places)
            places.append(f"{name}#{identifier}" if number else name)
            titles.append(title)
            texts.append(text)
            all_titles[title].append([index, None])
            for stem in stems(title, english):
                title_terms[stem].append(index)
            for stem in stems(text, english):
                terms[stem].append(index)
    numbers, entries = {place: index for index, place in enumerate(places)}, defaultdict(list)
    for page, soup in pages.items():
        for word, found in other_names(soup).items():
            for path, identifier in found:
                target = Path(os.path.normpath(page.parent / path)) if path else page
                index = numbers.get(f"{name_of(target, out)}#{identifier}")
                if index is not None:
                    entries[word].append([index, None, True])
    return {
        "docnames": places,
        "filenames": places,
        "titles": titles,
        "texts": texts,
        "pages": {name.split("#")[0]: titles[i] for i, name in reversed([*enumerate(places)])},
        "terms": as_sphinx_writes(terms),
        "titleterms": as_sphinx_writes(title_terms),
        "alltitles": all_titles,
        "indexentries": entries,
        "objects": {},
        "objnames": {},
        "objtypes": {},
    }


def as_sphinx_writes(terms: dict[str, list[int]]) -> dict:
    """Stem -> the places that have it; a single one stands without a list."""
    return {stem: at[0] if len(at) == 1 else at for stem, at in sorted(terms.items())}


def write_search_index(out: Path, pages: dict[Path, BeautifulSoup]) -> None:
    """Put the index of sections in the place of Sphinx's."""
    index = search_index(out, pages)
    written = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (out / "searchindex.js").write_text(f"Search.setIndex({written})", encoding="utf-8")


# -- Cards -------------------------------------------------------------------------------------


def picture_of(page: Path, soup: BeautifulSoup, wanted: str) -> Tag | None:
    """The picture that stands for a page: that of the wanted figure, or else its first."""
    pictures = soup.select("article figure img[src], article .cell_output img[src]")
    of_figure = [p for p in pictures if (f := p.find_parent("figure")) and f.get("id") == wanted]
    usable = [p for p in [*of_figure, *pictures] if (page.parent / p["src"]).suffix == ".png"]
    return usable[0] if usable else None


def last_panel(picture: Image.Image) -> Image.Image:
    """Of a wide picture with panels side by side, the last one: small, all would be a strip.

    A line of words below the panels goes across. So the gap between panels is looked for above it,
    and the line is left out.
    """
    width, height = picture.size
    if width < WIDE * height:
        return picture
    ink = picture.convert("L").point(lambda value: 255 * (value < 250))
    upper = ink.crop((0, 0, width, height * 3 // 4))
    columns = upper.resize((width, 1), Image.Resampling.BOX).tobytes()
    gap = max(range(width // 2, width * 4 // 5), key=lambda k: blank_from(columns, k))
    wide = blank_from(columns, gap)
    if wide < width // 200:
        return picture
    left = gap + wide * 3 // 4
    strip = ink.crop((left, 0, gap + wide, height))
    bottom = blank_from(strip.resize((1, height), Image.Resampling.BOX).tobytes(), 0)
    rows = ink.crop((left, 0, width, bottom)).resize((1, bottom), Image.Resampling.BOX).tobytes()
    cut = bottom - rows.rfind(b"\0")  # the upper parts of letters
    return picture.crop((left, 0, width, bottom - cut if cut < height // 20 else bottom))


def blank_from(profile: bytes, k: int) -> int:
    """How many rows or columns from the k-th on are blank.

    Example:
        >>> blank_from(b"\\1\\0\\0\\1", 1)
        2
    """
    return len(profile[k:]) - len(profile[k:].lstrip(b"\0"))


def draw_card(source: Path, target: Path, size: tuple[int, int]) -> None:
    """Write a picture of a given size: the source on white, whole (or its last panel)."""
    picture = Image.open(source).convert("RGB")
    if size == THUMBNAIL:
        picture = last_panel(picture)
    margin = 0.94
    scale = min(margin * size[0] / picture.width, margin * size[1] / picture.height)
    picture = picture.resize(
        (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS
    )
    card = Image.new("RGB", size, "white")
    card.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    buffer = io.BytesIO()
    card.quantize(128).save(buffer, "PNG", optimize=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(buffer.getvalue())


def draw_cards(out: Path, pages: dict[Path, BeautifulSoup], wanted: dict[str, str]) -> dict:
    """Draw each page's card and its small picture.

    Args:
        out: the folder of the site.
        pages: its pages.
        wanted: name of a page -> id of the figure that stands for it, if not its first.

    Returns:
        Name of a page -> alt text of its picture.
    """
    alts = {}
    for page, soup in pages.items():
        name = name_of(page, out)
        if (picture := picture_of(page, soup, wanted.get(name, ""))) is None:
            continue
        source = page.parent / picture["src"]
        for folder, size in (("cards", CARD), ("thumbnails", THUMBNAIL)):
            draw_card(source, out / "_static" / folder / f"{name.replace('/', '-')}.png", size)
        alts[name] = picture.get("alt", "")
    return alts


def introduce(name: str, soup: BeautifulSoup, base: str, root: str, alts: dict, title: str) -> None:
    """Tell the page's one address, and what a message with a link to it shows."""
    for old in soup.select("head > link[rel=canonical], head > meta[property^='og:']"):
        old.decompose()
    here = base if name == root else f"{base}{name}.html"
    card = name if name in alts else root
    heading = soup.title.get_text(strip=True).split(" — ")[0]
    description = soup.select_one("meta[name=description]")
    tags = {
        "og:type": "website" if name == root else "article",
        "og:site_name": title,
        "og:title": title if name == root else heading,
        "og:description": description["content"] if description else title,
        "og:url": here,
        "twitter:card": "summary_large_image",
    }
    if card in alts:
        tags |= {
            "og:image": f"{base}_static/cards/{card.replace('/', '-')}.png",
            "og:image:width": str(CARD[0]),
            "og:image:height": str(CARD[1]),
            "og:image:alt": alts[card],
        }
    soup.head.append(soup.new_tag("link", rel="canonical", href=here))
    for key, content in tags.items():
        kind = "name" if key.startswith("twitter:") else "property"
        tag = soup.new_tag("meta")
        tag.attrs = {kind: key, "content": content}
        soup.head.append(tag)


def fill_cards(page: Path, soup: BeautifulSoup, out: Path, alts: dict) -> None:
    """Give the cards that lead to chapters the chapters' pictures, and mark their numbers."""
    for card in soup.select(".sd-card:has(a[href])"):
        link = card.select_one("a[href]")
        target = os.path.normpath(page.parent / link["href"].split("#")[0])
        name = os.path.relpath(target, out).removesuffix(".html")
        if name not in alts or card.select_one("img"):
            continue
        source = f"{os.path.relpath(out / '_static', page.parent)}/thumbnails/"
        image = soup.new_tag("img")
        image.attrs = {
            "class": ["sd-card-img-top"],
            "src": f"{source}{name.replace('/', '-')}.png",
            "alt": alts[name],
            "width": str(THUMBNAIL[0]),
            "height": str(THUMBNAIL[1]),
            "loading": "lazy",
            "decoding": "async",
        }
        card.insert(0, image)
        title = card.select_one(".sd-card-title")
        if title and (found := re.match(r"(\d+\.)\s+(.+)", title.get_text(strip=True))):
            number = soup.new_tag("span", attrs={"class": "number"})
            number.string = found[1]
            title.clear()
            title.extend([number, f" {found[2]}"])


# -- A map, and a page for those who are lost --------------------------------------------------


def write_map(out: Path, pages: dict[Path, BeautifulSoup], base: str, root: str) -> None:
    """Write sitemap.xml."""
    names = sorted(p.relative_to(out).as_posix() for p in pages if p.name not in NOT_LISTED)
    addresses = [base if name == f"{root}.html" else base + name for name in names]
    urls = "".join(f"  <url><loc>{escape(a)}</loc></url>\n" for a in addresses)
    (out / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n',
        encoding="utf-8",
    )


LOST = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'self'; \
style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; script-src 'self'; \
object-src 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="description" content="This page does not exist. The chapters of the course do.">
<meta name="color-scheme" content="light dark">
<title>Not found — {title}</title>
<link rel="icon" href="{root}_static/favicon.svg">
<style>
body {{ font: 1.0625rem/1.6 system-ui, sans-serif; margin: 12vh auto; max-width: 36rem;
  padding: 0 1rem; }}
:root {{ color-scheme: light dark; }}
a {{ color: light-dark(#1259c3, #7fb2ff); }}
input, button {{ font: inherit; padding: 0.3rem 0.6rem; }}
</style>
</head>
<body>
<article>
<h1>Probability is conserved, addresses are not</h1>
<p>There is no page here. It may have moved, or the link may be mistyped.</p>
<form action="{root}search.html" role="search">
<label>Search the course: <input type="search" name="q"></label>
<button>Search</button>
</form>
<ul>
{links}
</ul>
</article>
</body>
</html>
"""


FORWARD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; base-uri 'none'; \
script-src 'sha256-{digest}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>Moved: {title}</title>
<link rel="canonical" href="{address}">
<noscript><meta http-equiv="refresh" content="0; url={link}"></noscript>
</head>
<body>
<p>This page has moved: <a href="{link}">{title}</a></p>
<script>{script}</script>
</body>
</html>
"""
# What stands behind # leads on to the section, or to a figure with its sliders.
GO_ON = 'location.replace(document.querySelector("a").href + location.hash)'


def write_forwards(out: Path, base: str, chapters: list[tuple[str, str]]) -> None:
    """Write a page at each old address that leads to the page's new one.

    Args:
        out: the folder of the site.
        base: the site's public address.
        chapters: (name of the page, what it is called); others are not led to.
    """
    titles = dict(chapters)
    digest = base64.b64encode(hashlib.sha256(GO_ON.encode()).digest()).decode()
    for old, new in MOVED.items():
        if new in titles and old not in titles:
            link = posixpath.relpath(new, posixpath.dirname(old)) + ".html"
            page = FORWARD.format(title=escape(titles[new]), link=link, digest=digest,
                                  address=f"{base}{new}.html", script=GO_ON)  # fmt: skip
            (out / f"{old}.html").write_text(page, encoding="utf-8")


def reading_order(root: str, below: dict[str, list[str]]) -> list[str]:
    """All pages as the table of contents has them.

    Args:
        root: the page that it starts from.
        below: name of a page -> those that it lists.

    Example:
        >>> reading_order("intro", {"intro": ["b", "a"], "b": ["c"]})
        ['intro', 'b', 'c', 'a']
    """
    return [root, *(name for page in below.get(root, []) for name in reading_order(page, below))]


def write_lost_page(out: Path, base: str, title: str, chapters: list[tuple[str, str]]) -> None:
    """Write 404.html: its links start at the server's root, for it is shown at any depth.

    Args:
        out: the folder of the site.
        base: the site's public address.
        title: the course's title.
        chapters: (name of the page, what it is called).
    """
    root = urlsplit(base).path
    links = [f'<li><a href="{root}">{escape(title)}</a></li>']
    links += [f'<li><a href="{root}{n}.html">{escape(t)}</a></li>' for n, t in chapters]
    page = LOST.format(title=escape(title), root=root, links="\n".join(links))
    (out / "404.html").write_text(page, encoding="utf-8")
