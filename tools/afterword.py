"""What stands at the end of a chapter's page: a tick for the reader's own list, how to cite it.

The ticks live in the reader's browser (theme/static/course.js) and nowhere else.
"""

import re
from pathlib import Path

import yaml
from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).resolve().parents[1]


def names_of(author: dict) -> tuple[str, str]:
    """An author of CITATION.cff as in a sentence and as BibTeX wants it.

    Args:
        author: The entry: `given-names` and `family-names`, or the `name` of a group.

    Returns:
        Both.

    Example:
        >>> names_of({"given-names": "Ada", "family-names": "Lovelace"})
        ('Ada Lovelace', 'Lovelace, Ada')
        >>> names_of({"name": "The authors"})
        ('The authors', '{The authors}')
    """
    if "name" in author:
        return author["name"], "{" + author["name"] + "}"
    given, family = author["given-names"], author["family-names"]
    return f"{given} {family}", f"{family}, {given}"


def escaped(field: str, value) -> str:
    """A value with the characters escaped that TeX would not take as they are.

    Args:
        field: Its field: addresses stay as they are.
        value: The value.

    Returns:
        The text.

    Example:
        >>> escaped("title", "50% & more")
        '50\\\\% \\\\& more'
    """
    return str(value) if field == "url" else re.sub(r"([%&#_$])", r"\\\1", str(value))


def citations(title: str, address: str, source: Path = ROOT / "CITATION.cff") -> tuple[str, str]:
    """How a page is cited, by what CITATION.cff says of the whole course.

    Args:
        title: The page's title.
        address: Where it is read.
        source: The CITATION.cff.

    Returns:
        A sentence, and an entry for BibTeX.
    """
    course = yaml.safe_load(source.read_text(encoding="utf-8"))
    plain, formal = zip(*map(names_of, course["authors"]), strict=True)
    year, version = course["date-released"].year, course["version"]
    sentence = (
        f"{', '.join(plain)} ({year}): {title}. In: {course['title']}, version {version}. {address}"
    )
    fields = {
        "author": " and ".join(formal), "title": title, "booktitle": course["title"],
        "year": year, "note": f"Version {version}", "url": address,
    }  # fmt: skip
    key = address.rsplit("/", 1)[-1].removesuffix(".html")
    lines = [f"  {name} = {{{escaped(name, value)}}}," for name, value in fields.items()]
    return sentence, "\n".join([f"@incollection{{{key},", *lines, "}"])


def add_afterword(name: str, soup: BeautifulSoup, base: str) -> Tag:
    """End a chapter's page with the button for its tick, and with how to cite it.

    Args:
        name: The page, as "chapters/5_training".
        soup: The page itself.
        base: Where the site will be read, with a slash at the end.

    Returns:
        What was added.
    """
    title = " ".join(soup.select_one("article h1").get_text().split()).removesuffix("#").strip()
    sentence, bibtex = citations(title, f"{base}{name}.html")
    after = soup.new_tag("aside", attrs={"class": "afterword", "aria-label": "This chapter"})
    button = soup.new_tag("button", type="button", hidden="")
    button.attrs |= {"aria-pressed": "false", "data-page": name}
    button.string = "I have read this chapter"
    fold = soup.new_tag("details")
    for tag, text in (("summary", "Cite this chapter"), ("p", sentence), ("pre", bibtex)):
        fold.append(soup.new_tag(tag, string=text))
    fold.pre["tabindex"] = "0"  # it may be wider than a phone
    after.extend([button, fold])
    soup.select_one("article").append(after)
    return after
