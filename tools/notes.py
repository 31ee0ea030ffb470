"""Notes: at the first use of a glossary's term in a chapter one can read what it means.

The term becomes a link to the glossary. Its meaning stands hidden at the end of the page, and
course.js shows it beside the term; without scripts the link is left.
"""

import copy
import os
import re
from dataclasses import dataclass
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString, Tag
from found import all_spellings, entries_of, one_line

# Words that mean something else in plain English: noted from the chapter on that explains them.
EVERYDAY = {"condition", "gap", "layer", "mode"}
NOT_HERE = (
    "a, strong, code, pre, h1, h2, h3, h4, .math, figure, table, button, summary, details, "
    ".admonition-title, .solution, .cell, .guess-choices, .citation-list, .toctree-wrapper"
)


@dataclass
class Term:
    """An entry of the glossary: its word, its id, what it means, and the page that explains it."""

    word: str
    name: str
    meaning: Tag
    home: str

    @property
    def pattern(self) -> re.Pattern:
        """What finds the word in a text, in the plural too.

        Example:
            >>> Term("nat", "", None, "").pattern.search("A natural choice: Nats.")[0]
            'Nats'
        """
        ways = "|".join(re.escape(" ".join(w)) for w in all_spellings(self.word.split()))
        case = re.IGNORECASE if self.word == self.word.lower() else 0
        return re.compile(rf"(?<![\w-])(?:{ways})s?(?![\w-])", case)


def read_terms(glossary: BeautifulSoup) -> list[Term]:
    """The terms of the glossary's page."""
    terms = []
    for entry, meaning in entries_of(glossary):
        link = meaning.select_one("a.reference.internal[href*='.html#']")
        word = one_line(entry.get_text()).removesuffix("#")
        home = link["href"].split("#")[0] if link else ""
        terms.append(Term(word, entry["id"], meaning.p, home))
    return terms


def first_use(article: Tag, pattern: re.Pattern) -> tuple[NavigableString, re.Match] | None:
    """The first text of an article that has a word, in a place where a note may stand."""
    for block in article.select("p, li"):
        for text in block.find_all(string=True):
            if (found := pattern.search(text)) and not text.find_parent(bars_notes):
                return text, found
    return None


def bars_notes(tag: Tag) -> bool:
    """Whether a tag is one in which no note may stand."""
    return tag.css.match(NOT_HERE)


def number_of(page: str) -> int:
    """A chapter's number.

    Example:
        >>> number_of("chapters/10_splines.html")
        10
    """
    found = re.search(r"(\d+)_[^/]*$", page)
    return int(found[1]) if found else 0


def add_notes(page: Path, soup: BeautifulSoup, glossary: Path, terms: list[Term]) -> None:
    """Note the first use of each term on a page.

    Args:
        page: The page's file.
        soup: The page itself.
        glossary: The glossary's file.
        terms: Its terms.
    """
    article = soup.select_one("article")
    address = os.path.relpath(glossary, page.parent)
    here = os.path.relpath(page, glossary.parent)
    for term in terms:
        if term.word in EVERYDAY and number_of(here) < number_of(term.home):
            continue
        if not (use := first_use(article, term.pattern)):
            continue
        text, found = use
        link = soup.new_tag("a", href=f"{address}#{term.name}")
        link.attrs |= {"class": ["note"], "aria-describedby": f"note-{term.name}"}
        link.string = found[0]
        before, after = str(text)[: found.start()], str(text)[found.end() :]
        text.replace_with(NavigableString(before), link, NavigableString(after))
        note = soup.new_tag("div", id=f"note-{term.name}", hidden="", role="tooltip")
        note["class"] = ["note-text"]
        note.extend(copy.copy(term.meaning).contents[:])
        for inner in note.select("a"):
            inner.unwrap()
        article.append(note)
