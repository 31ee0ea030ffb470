"""Pages for reading: what is not the lesson is folded, and says in one line what it is.

- Set-up cells are one line, and so is code of figures: "Code of Fig. 3.7".
- Exported code shows its short form (short_form.py).
- The title of a solution opens it.
- Citations lead to the list on their own page, or to the bibliography.
- A formula keeps the comma after it; sections say about how high they are.
- A table that holds whole paragraphs can be read row by row.
"""

import ast
import re
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString, Tag
from formulas import find_formulas
from found import one_line
from short_form import shorten

LONG_CODE = 45  # lines
SHORT_CODE = 24  # characters
LONG_CELL = 160  # characters: what fills more than three lines of a phone is a paragraph
MANY_COLUMNS, SENTENCE = 6, 50  # columns; characters of a cell
SET_UP = "Set-up (run this first in Colab)"
MARKS = re.compile(r"^[.,;:!?)’”\]]+")
# What a space follows in which no line may end: the number of a unit, the name of a number, what
# stands on either side of a sign before a number, a function's name, the first of a pair (n, D).
BOUND = re.compile(
    r"([\d,](?=\s%)|\b(?:[Cc]hapter|[Ss]ection|[Tt]able|[Ff]ig\.)(?=\s\d)|\blog(?=\s[pq]\b)"
    r"|\btanh(?=\s[a-z]\b)|\([-−.\w]{1,4},(?=\s[-−.\w]{1,4}\))"
    r"|\bat(?=\s(?:most|least)\s\d)|\b(?:most|least)(?=\s\d)"
    r"|\w(?=\s[=<>≈≤≥]\s[-−]?\d)|[=<>≈≤≥](?=\s[-−]?\d))\s"
)
HYPHENED = re.compile(r"(\b\w{1,6}-\w{1,11}\b)")
OPENING = re.compile(r"(?<!\S)[(\[“‘]+$")
FIGURE = re.compile(r"Fig\.\s*([\d.]+\d|\d+)")


def next_element(tag: Tag) -> Tag | None:
    """The element after a tag, if nothing but space stands between."""
    for sibling in tag.next_siblings:
        if isinstance(sibling, Tag):
            return sibling
        if str(sibling).strip():
            return None
    return None


def fold(soup: BeautifulSoup, title: str, parts: list[Tag]) -> Tag:
    """A line with a title that unfolds to show the parts."""
    details = soup.new_tag("details")
    details["class"] = ["hide", "fold"]
    summary = soup.new_tag("summary")
    summary.string = title
    details.append(summary)
    for part in parts:
        details.append(part.extract())
    return details


def fold_set_up(soup: BeautifulSoup) -> None:
    """Fold the code that stands before a chapter's first section into one line."""
    cells = soup.select(".bd-article > section > div.cell")
    inputs = [code for cell in cells for code in cell.select(":scope > .cell_input")]
    if not inputs or not soup.select_one(".bd-article .tag_setup"):
        return
    # Below the opening's text, where the first of them stood.
    cells[0].insert(0, fold(soup, SET_UP, inputs))
    for cell in cells[1:]:
        if not cell.get_text(strip=True) and not cell.find("img"):
            cell.decompose()


def defined_names(source: str) -> list[str]:
    """The functions and classes, or else the variables, that code defines.

    Example:
        >>> defined_names("a, b = 1, 2"), defined_names("def f(x):\\n    y = x")
        (['a', 'b'], ['f'])
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    made = [n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    if made:
        return made
    stored = [n for s in tree.body if isinstance(s, ast.Assign) for t in s.targets
              for n in ast.walk(t)]  # fmt: skip
    return [n.id for n in stored if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def title_of_fold(cell: Tag, inputs: list[Tag]) -> str:
    """What a folded cell is the code of: its figure, what it defines, or what it prints."""
    if caption := cell.select_one("figcaption .caption-number"):
        if number := FIGURE.search(caption.get_text()):
            return f"Code of Fig. {number[1]}"
    names = [name for part in inputs for name in defined_names(part.pre.get_text())]
    names = [name for name in dict.fromkeys(names) if name != "_"]
    if names:
        more = ", ..." if len(names) > 3 else ""
        return f"Code: {', '.join(names[:3])}{more}"
    return "Code of this output" if cell.select_one(".cell_output") else "Code"


def name_folds(soup: BeautifulSoup) -> None:
    """Give folded code its name; folds without a word between them become one."""
    waiting = []
    for cell in soup.select("div.cell.tag_hide-input"):
        if not (old := cell.select_one(":scope > details.hide:not(.fold)")):
            continue
        inputs = waiting + old.select(":scope > .cell_input")
        after = next_element(cell)
        joins = after is not None and {"cell", "tag_hide-input"} <= set(after.get("class", []))
        if joins and not cell.select_one(".cell_output"):
            waiting = [part.extract() for part in inputs]
            cell.decompose()
            continue
        old.replace_with(fold(soup, title_of_fold(cell, inputs), inputs))
        waiting = []


def shorten_exported_code(soup: BeautifulSoup) -> None:
    """Show exported code in its short form."""
    for pre in soup.select("div.cell.tag_export .cell_input pre"):
        shorten(pre)


def mark_long_code(soup: BeautifulSoup) -> None:
    """Say which code is too long to stand on one sheet of paper together."""
    for code in soup.select("div.cell_input"):
        if code.get_text().count("\n") > LONG_CODE:
            code["class"] = [*code["class"], "long-code"]


def plain_titles(soup: BeautifulSoup) -> None:
    """Let a solution's title open it: a link there would lead away instead."""
    for link in soup.select(".solution > .admonition-title a"):
        link.unwrap()


def works_of(soup: BeautifulSoup) -> dict[str, str]:
    """A page's list of references: text of the entry -> its id."""
    return {
        one_line(work.select_one("p").get_text()): work["id"]
        for work in soup.select(".citation-list .citation[id]")
        if work.select_one("p")
    }


def lead_citations_home(page: Path, soup: BeautifulSoup, pages: dict[Path, BeautifulSoup]) -> None:
    """Let citations of a page that has no list of its own lead to the bibliography's."""
    bibliography = next((p for p in pages if p.name == "bibliography.html"), None)
    if bibliography is None or works_of(soup):
        return
    ids = works_of(pages[bibliography])
    for link in soup.select("article a.reference.internal[href*='.html#id']"):
        address, _, name = link["href"].partition("#")
        target = Path(page.parent / address).resolve()
        listed = {name: text for text, name in works_of(pages.get(target, soup)).items()}
        if listed.get(name) in ids:
            link["href"] = f"{bibliography.name}#{ids[listed[name]]}"


def unbroken(soup: BeautifulSoup) -> Tag:
    """What no line breaks in: empty as yet."""
    return soup.new_tag("span", attrs={"class": ["with-mark"]})


def keep_marks_together(soup: BeautifulSoup) -> None:
    """Let no line begin with the comma that follows a formula, or a short piece of code.

    And let none end with the bracket that opens before it.
    """
    short = [c for c in soup.select("article :not(pre) > code") if len(c.get_text()) <= SHORT_CODE]
    for formula in [*soup.select("article span.math"), *short]:
        before, after = formula.previous_sibling, formula.next_sibling
        opening = OPENING.search(str(before)) if type(before) is NavigableString else None
        closing = MARKS.match(str(after)) if type(after) is NavigableString else None
        if not opening and not closing:
            continue
        whole = formula.wrap(unbroken(soup))
        if opening:
            before.replace_with(NavigableString(str(before)[: opening.start()]))
            whole.insert(0, NavigableString(opening[0]))
        if closing:
            after.replace_with(NavigableString(str(after)[closing.end() :]))
            whole.append(NavigableString(closing[0]))


def keep_numbers_together(soup: BeautifulSoup) -> None:
    """Let no line end between a number and its unit (95 %), or its name (chapter 5, x = 5)."""
    for article in soup.select("article"):
        for text in article.find_all(string=BOUND):
            if type(text) is NavigableString and not text.find_parent(["pre", "code", "script"]):
                text.replace_with(NavigableString(BOUND.sub("\\1\u00a0", str(text))))


def keep_hyphens_together(soup: BeautifulSoup) -> None:
    """Let no line end with the hyphen of a word like "log-det" where lines are short.

    In a heading, there and in the list of contents, in a table and in a quiz.
    """
    for text in soup.find_all(string=HYPHENED):
        inside = text.find_parent(["h1", "h2", "h3", "td", "th"])
        inside = inside or text.find_parent(class_=["quiz-question", "toc-entry"])
        if type(text) is NavigableString and inside and not text.find_parent("pre"):
            for part in filter(None, HYPHENED.split(str(text))):
                new = NavigableString(part)
                text.insert_before(new)
                if HYPHENED.fullmatch(part):
                    new.wrap(unbroken(soup))
            text.extract()


def guess_heights(soup: BeautifulSoup) -> None:
    """Say of each section about how high it is, so that the scrollbar tells the truth at once."""
    for section in soup.select(".bd-article > section > section"):
        desk, phone = (guess_height(section, *kind) for kind in ((790, 72, 27), (358, 42, 27)))
        section["style"] = f"--guess: {desk:.0f}px; --guess-phone: {phone:.0f}px"


def guess_height(section: Tag, width: int, letters: int, line: int) -> float:
    """About how high a section is, in pixels.

    Args:
        section: The section.
        width: Of the column, in pixels.
        letters: How many a line of text has.
        line: The height of a line, in pixels.
    """
    lines, pixels = 4.0, 0.0  # the heading
    for tag in section.find_all(["p", "li", "pre", "tr", "img", "h2", "h3"]):
        if tag.find_parent(["details", "pre", "tr"]) or tag.find_parent(class_="solution"):
            continue
        if tag.name == "pre":
            lines += 1.5 + 0.72 * len(tag.get_text().split("\n"))
            lines -= sum(0.72 * len(r.get_text().split("\n")) for r in tag.select(".rest"))
        elif tag.name == "img":
            pixels += height_of_picture(tag, width)
            lines += 1
        elif tag.name == "p":
            lines += 0.8 + max(1, len(words_of(tag)) / letters)
        else:
            lines += 1.4
    lines += 2.6 * len(section.select("div.math")) + 2 * len(section.select(".solution"))
    return pixels + line * lines


def height_of_picture(image: Tag, width: int) -> float:
    """How high a picture is where the column has a width, or the live figure in its place."""
    wide, high = (int(image.get(k, 0) or 0) for k in ("width", "height"))
    if not wide:
        return 320
    if not image.has_attr("data-live"):
        width = max(width, 576)  # it scrolls on a phone: course.css
    height = high * min(1, width / wide)
    if found := re.search(r"--more: (\d+)px; --phone: (\d+)px", image.get("style", "")):
        return int(found[2]) if width < 480 else height + int(found[1])
    return height


def words_of(tag: Tag) -> str:
    """A tag's text, less formulas: their TeX says little about how wide they are."""
    formulas = {id(text) for text in find_formulas(tag)}
    return one_line("".join(t for t in tag.find_all(string=True) if id(t) not in formulas))


def widen_sentences(head: list[Tag], rows: list[list[Tag]]) -> None:
    """Among many columns, mark the cells of one that holds sentences: it needs room to be read."""
    if len(head) < MANY_COLUMNS:
        return
    for column in zip(*(cells for cells in rows if len(cells) == len(head)), strict=True):
        if max(len(words_of(cell)) for cell in column) >= SENTENCE:
            for cell in column:
                cell["class"] = [*cell.get("class", []), "sentence"]


def mark_tables_of_prose(soup: BeautifulSoup) -> None:
    """Give the cells of tables with paragraphs the names of their columns.

    On a phone the style sheet then sets each row as a short section of its own. Elements that are
    no longer set as a table are none for a screen reader either, unless they say so.
    """
    roles = {"thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell"}
    for table in soup.select(".bd-article table"):
        if not table.select_one("thead tr"):
            continue
        head, *rows = (row.find_all(["td", "th"]) for row in table.find_all("tr"))
        widen_sentences(head, rows)
        lengths = [len(words_of(cell)) for cells in rows for cell in cells]
        if max(lengths, default=0) < LONG_CELL:
            continue
        table["class"] = [*table.get("class", []), "of-prose"]
        table["role"] = "table"
        for part in table.find_all([*roles, "th"]):
            heads = "columnheader" if part.find_parent("thead") else "rowheader"
            part["role"] = roles.get(part.name, heads)
        for cells in rows:
            if len(cells) == len(head) > 2:  # of two columns the second needs no name
                for above, cell in list(zip(head, cells, strict=True))[1:]:
                    cell["data-column"] = words_of(above)


def ease_reading(page: Path, soup: BeautifulSoup, pages: dict[Path, BeautifulSoup]) -> None:
    """Do all of this to a page.

    Args:
        page: the page's file.
        soup: the page itself.
        pages: all pages of the site.
    """
    fold_set_up(soup)
    name_folds(soup)
    mark_long_code(soup)
    plain_titles(soup)
    lead_citations_home(page, soup, pages)
    keep_marks_together(soup)
    keep_numbers_together(soup)
    keep_hyphens_together(soup)
    guess_heights(soup)
    mark_tables_of_prose(soup)
