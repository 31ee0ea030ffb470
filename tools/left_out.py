"""Chapters that the table of contents leaves out: no page links to them.

A chapter whose line is taken out of `_toc.yml` has no page; its notebook stays, for `flows.py` is
made of all of them. While pages are read, links to it become plain words, and its card leaves the
landing page. The sources stay as they were. So do the numbers: texts say "chapter 5", whether
chapter 2 is there or not.
"""

import re
from pathlib import Path

from docutils import nodes

CARD = re.compile(
    r"^(:{3,}|`{3,})\{grid-item-card\}[^\n]*\n(.*?)^\1[ \t]*\n*", re.DOTALL | re.MULTILINE
)


def without(text: str, names: list[str]) -> str:
    r"""A page's source without links to some documents.

    Args:
        text: Markdown, or a notebook's JSON.
        names: the documents, such as "chapters/7_outlook".

    Returns:
        The source with words in place of links, and without the documents' cards.

    Example:
        >>> without("See [the end](chapters/7_outlook.ipynb#limits).", ["chapters/7_outlook"])
        'See the end.'
        >>> without("In {doc}`the end <7_outlook>`, {doc}`7_outlook`.", ["chapters/7_outlook"])
        'In the end, chapter 7.'
    """
    for name in names:
        stem = name.split("/")[-1]
        place = rf"(?:[\w./-]*/)?{re.escape(stem)}(?:\.(?:ipynb|md|html))?(?:#[^)`>\s]*)?"
        text = re.sub(rf"(?<!!)\[([^\[\]]*)\]\({place}\)", r"\1", text)
        text = re.sub(rf"\{{doc\}}`([^`<]+?)\s*<{place}>`", r"\1", text)
        number = stem.split("_")[0]
        text = re.sub(rf"\{{doc\}}`{place}`", f"chapter {number}", text)
        text = CARD.sub(lambda card: "" if f":link: {name}\n" in card[0] else card[0], text)  # noqa: B023
    return text


def left_out(folder: Path, documents: set[str]) -> list[str]:
    """Chapters whose notebooks are there, and whose pages are not.

    Args:
        folder: the course.
        documents: what the table of contents names.

    Returns:
        Their names, as documents.
    """
    found = (f"chapters/{path.stem}" for path in sorted(folder.glob("chapters/*.ipynb")))
    return [name for name in found if name not in documents]


def read_source(app, name: str, source: list[str]) -> None:
    """While Sphinx reads a page: take the links out."""
    if names := left_out(Path(app.srcdir), set(app.env.found_docs)):
        source[0] = without(source[0], names)


def keep_numbers(app, env) -> list[str]:
    """Once Sphinx has counted the pages: give chapters, and what is in them, their own numbers.

    Sphinx counts what the table of contents names. With one chapter less, all that follow would
    have numbers that no text means.
    """
    for name, counted in env.toc_secnumbers.items():
        if not (found := re.fullmatch(r"chapters/(\d+)_\w+", name)):
            continue
        own = int(found[1])
        for numbers in (counted, *env.toc_fignumbers.get(name, {}).values()):
            numbers |= {place: (own, *number[1:]) for place, number in numbers.items() if number}
        for part in (env.titles[name], *env.tocs[name].findall(nodes.reference)):
            if number := part.get("secnumber"):
                part["secnumber"] = (own, *number[1:])
    return []
