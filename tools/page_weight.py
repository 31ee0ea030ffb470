"""Makes built pages light, so that a phone on a slow network shows them at once.

The theme sends 12 stylesheets (90 KB compressed, nearly all of it unused) and icon fonts of 270 KB
for a dozen icons. Here each page gets one stylesheet with the rules that some page of the site can
use, and the fonts keep the icons that those rules name. The licences of what is bundled allow it,
and their notices stay where they were, in the originals beside.
"""

import hashlib
import logging
import os
import re
import struct
from pathlib import Path
from urllib.parse import urlsplit

from bs4 import BeautifulSoup
from fontTools import subset

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table

STYLESHEETS = 'link[rel="stylesheet"][href]'
NAME = re.compile(r"[A-Za-z_][\w-]*")
PIECES = re.compile(r"\"(?:\\.|[^\"])*\"|'(?:\\.|[^'])*'|[{};]|[^{};\"']+|[\"']")
MEASURED = (
    '["pre",".nboutput > .output_area",".cell_output > .output",'
    '".jp-RenderedHTMLCommon",".pst-scrollable-table-container"]'
)
# Between commas, but not those in brackets.
SELECTOR = re.compile(r"(?:\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\]|[^,(\[])+")
URL = re.compile(r"url\(\s*([\"']?)([^)\"']+)\1\s*\)")
ICON_FONT = re.compile(r"url\(([^()]*/webfonts/[\w-]+)\.woff2\)[^;}]*")
# An icon's code, as an escape or as itself.
ICON = re.compile(r"[\"'](?:\\([0-9a-f]{4,5})|([\ue000-\uf8ff]))[\"']")
IMPORT = re.compile(r"@import\s+(?:url\()?[\"']?([^\"')]+)[\"']?\)?")


def names_in_use(site: Path, soups: list[BeautifulSoup]) -> set[str]:
    """Return every class and id that a page has, and every word of the scripts, which may add some.

    Args:
        site: the folder of the built site.
        soups: its pages.
    """
    names = set()
    for soup in soups:
        for tag in soup.find_all():
            names.update(tag.get("class", []), [tag.get("id")])
            if tag.name == "script" and tag.string:
                names.update(NAME.findall(tag.string))
    for script in (site / "_static").rglob("*js"):
        if script.is_file():
            names.update(NAME.findall(script.read_text(encoding="utf-8")))
    return names


def read_rules(css: str) -> list[tuple[str, str | list | None]]:
    """Read a stylesheet into (what stands before the braces, what stands in them).

    Example:
        >>> read_rules('@import "a";p{color:red}@media print{p{color:black}}')
        [('@import "a"', None), ('p', 'color:red'), ('@media print', [('p', 'color:black')])]
    """
    pieces = PIECES.findall(re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL))
    at = 0

    def block() -> tuple[list, str]:
        """Read up to the closing brace: rules, and what is not a rule."""
        nonlocal at
        rules, text = [], ""
        while at < len(pieces):
            piece = pieces[at]
            at += 1
            if piece == "{":
                inner, rest = block()
                rules.append((text.strip(), inner or rest.strip()))
                text = ""
            elif piece == "}":
                break
            elif piece == ";" and text.lstrip().startswith(("@import", "@charset")):
                rules.append((text.strip(), None))
                text = ""
            else:
                text += piece
        return rules, text

    return block()[0]


def can_match(selector: str, names: set[str]) -> bool:
    """Say whether all classes and ids that a selector asks for are in use.

    Example:
        >>> can_match("a.plain:not(.dark)", {"plain"}), can_match("#top .dark", {"top"})
        (True, False)
    """
    plain = re.sub(r"\[[^\]]*\]|\((?:[^()]|\([^()]*\))*\)", "", selector)
    asked = re.findall(r"[.#]((?:[A-Za-z_-]|\\.)(?:[\w-]|\\.)*)", plain)
    return all(name.replace("\\", "") in names for name in asked)


def prune(rules: list, names: set[str]) -> str:
    """Write the rules back as a stylesheet, less those that no page can use.

    Example:
        >>> prune([("p, .a", "color:red"), (".b", "top:0")], {"b"})
        'p{color:red}.b{top:0}'
    """
    written = []
    for head, body in rules:
        if body is None:
            continue  # @charset; what @import asks for has been read already
        if isinstance(body, list):
            body = prune(body, names)
        elif not head.startswith("@"):
            kept = [s.strip() for s in SELECTOR.findall(head) if can_match(s, names)]
            head = ",".join(kept)
        if head and body:
            written.append(head + "{" + re.sub(r"\s+", " ", body) + "}")
    return "".join(written)


def shrink_icon_fonts(css: str, static: Path) -> str:
    """Keep of the icon fonts what the stylesheet names; return it with the new fonts' addresses."""
    icons = [int(code, 16) if code else ord(itself) for code, itself in ICON.findall(css)]

    def shrink(match: re.Match) -> str:
        source = static / match[1]
        digest = hashlib.sha256(repr(icons).encode()).hexdigest()[:8]
        small = source.with_name(f"{source.name}.{digest}.woff")
        if not small.exists():
            options = subset.Options(flavor="woff", layout_features=[], notdef_outline=False)
            font = subset.load_font(str(source.with_suffix(".ttf")), options)
            subsetter = subset.Subsetter(options)
            subsetter.populate(unicodes=icons)
            subsetter.subset(font)
            subset.save_font(font, str(small), options)
        return f'url({match[1]}.{digest}.woff) format("woff")'

    return ICON_FONT.sub(shrink, css)


def load_style(source: Path, static: Path, names: set[str]) -> str:
    """Return what a stylesheet, and those it imports, say about the pages.

    Args:
        source: the stylesheet's file.
        static: the folder from which its addresses shall count in the end.
        names: the classes and ids in use, see `names_in_use`.
    """

    def move(match: re.Match) -> str:
        if match[2].startswith(("data:", "#")):
            return match[0]
        return f"url({os.path.relpath(source.parent / match[2], static)})"

    rules = read_rules(source.read_text(encoding="utf-8"))
    imports = [IMPORT.match(head) for head, body in rules if body is None]
    imported = [load_style(source.parent / m[1], static, names) for m in imports if m]
    return "".join(imported) + URL.sub(move, prune(rules, names))


def bundle_styles(
    page: Path, soup: BeautifulSoup, static: Path, names: set[str], more: str = ""
) -> None:
    """Put one small stylesheet in the place of the page's many.

    Args:
        page: the page's file.
        soup: the page itself.
        static: the folder that gets the new stylesheet.
        names: the classes and ids in use, see `names_in_use`.
        more: what the page needs besides.
    """
    links = soup.select(STYLESHEETS)
    sources = [(page.parent / urlsplit(link["href"]).path).resolve() for link in links]
    css = "".join(load_style(source, static, names) for source in sources)
    css = shrink_icon_fonts(css, static) + re.sub(r"\s*([{};:,])\s+", r"\1", more)
    name = f"site.{hashlib.sha256(css.encode()).hexdigest()[:8]}.css"
    (static / name).write_text(css, encoding="utf-8")
    for link in links[1:]:
        link.decompose()
    href = f"{os.path.relpath(static, page.parent)}/{name}"
    links[0].attrs = {"rel": "stylesheet", "href": href}


def calm_theme(static: Path) -> bool:
    """Stop the theme from measuring every box of the page before the reader has seen it.

    It does so to let the keyboard scroll what is too wide; course.js does it for what is in view.

    Returns:
        Whether the theme's script reads as expected.
    """
    script = static / "scripts" / "pydata-sphinx-theme.js"
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace(MEASURED, '["#nothing"]'), encoding="utf-8")
    return MEASURED in text or '["#nothing"]' in text


def size_of_picture(path: Path) -> tuple[int, int] | None:
    """Return width and height of a PNG in its pixels, or of matplotlib's SVG in the page's."""
    if path.suffix == ".png":
        return struct.unpack(">II", path.read_bytes()[16:24])
    size = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', path.read_text(encoding="utf-8"))
    return size and tuple(round(float(n) * 96 / 72) for n in size.groups())


def ease_images(page: Path, soup: BeautifulSoup) -> None:
    """Reserve each picture's room before it comes, and let those further down wait."""
    for number, image in enumerate(soup.select("img[src]")):
        source = page.parent / image["src"]
        if source.suffix in (".png", ".svg") and source.exists() and not image.get("height"):
            if size := size_of_picture(source):
                stated = f"{image.get('width', '')} {image.get('style', '')}"
                if width := re.search(r"^\d+(?= )|\bwidth: (\d+)px", stated):
                    width = int(width[1] or width[0])
                    size = width, round(width * size[1] / size[0])
                image["width"], image["height"] = map(str, size)
                if image.has_attr("data-live"):
                    image["style"] += f"; --ratio: {size[1] / size[0]:.3f}"
                elif image.has_attr("style"):
                    del image["style"]
        image["decoding"] = "async"
        if number or not image.find_parent("article"):
            image["loading"] = "lazy"
