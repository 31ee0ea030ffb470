"""No number stands in the prose that nobody computed.

Scanned are the chapters' Markdown, captions and alt texts, README.md, CONTRIBUTING.md, intro.md,
glossary.md, lab.md, and of instructor.md what its authors wrote (its tables are made from the
specs). Not how_fast.md: a program writes it, from what was measured (benchmarks/field_page.py).
A number in them passes if one of these holds:

- it is no statement of its own: part of a formula, of code, of a heading, of a link, a cross
  reference ("chapter 5", "facts 1, 4 and 6") or a name ("2D", "float32"); a year beside a name;
  or 0 or 1, the bounds and units of mathematics;
- a code cell of the same chapter holds the same number, or a cell prints it: then nbval proves
  that prose and page agree. What a training made and nbval does not compare (see
  nbval_sanitize.cfg) proves nothing, so it is masked here too;
- prose_numbers.toml allows it and says why.

A number with a unit of a result (nats, percent, seconds, seeds, runs, times ...) is a claim: it
must be *printed*, a setting in the code is not enough. (A percentage may also be set in the code as
a fraction.) Spelled out, small counts pass ("two dimensions", "eight modes"), unless they are
claims; larger counts and fractions ("nineteen", "a tenth") do not.

When it fails: bind the number in a printed sentence, or take it out, or write it in symbols if it
is mathematics. Only a number that no cell can compute (an estimate of reading time, a version of
Python) goes into prose_numbers.toml: `python tests/chapters/test_prose.py` prints an entry for each
number that lacks one; give it a reason that a reader would accept. An entry that matches nothing
any more fails too: delete it.
"""

import math
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import nbformat
import pytest
from instructor import authors_own
from solutions import TARGET

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = Path(__file__).with_name("prose_numbers.toml")
SANITIZE = Path(__file__).with_name("nbval_sanitize.cfg")
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
NAMES = ("README", "CONTRIBUTING", "intro", "instructor", "glossary", "lab")
PAGES = [ROOT / f"{name}.md" for name in NAMES]

SMALL = "zero one two three four five six seven eight nine ten eleven twelve".split()
LARGE = """thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty
sixty seventy eighty ninety hundred thousand million billion""".split()
TEENS = dict(zip(LARGE[:7], range(13, 20), strict=True))
TENS = dict(zip(LARGE[7:15], range(20, 100, 10), strict=True))
POWERS = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
FRACTIONS = {"tenth": "0.1", "hundredth": "0.01", "thousandth": "0.001"}
VALUES = {
    **{word: Decimal(value) for value, word in enumerate(SMALL)},
    **{word: Decimal(value) for word, value in (TEENS | TENS | POWERS).items()},
    **{word: Decimal(value) for word, value in FRACTIONS.items()},
    "dozen": Decimal(12),
}
DIGITS = r"\d+(?:[.,]\d+)*(?:e[-+]?\d+)?(?:st|nd|rd|th|x)?"
WORDS = "|".join(sorted(VALUES, key=len, reverse=True))
NUMBER = re.compile(rf"(?<![\w.\\])(?:{DIGITS}|(?:{WORDS})s?)(?!\w)", re.IGNORECASE)
# What a run of something gives, rather than what somebody chose.
CLAIM = re.compile(
    r"[ -]*(%|percent\b|(of an? )?nats?\b|bits?\b|ms\b|s\b|(milli)?seconds?\b|minutes?\b|hours?\b"
    r"|(cpu |random |of the )?(seeds?|runs?|trainings?)\b|times\b"
    r"|(in|out of|of) (\d+|[a-z]+) (cpu |random )?(seeds?|runs?|trainings?)\b)",
    re.IGNORECASE,
)
REFERENCE = re.compile(
    r"\b(chapter|fact|law|layer|exercise|section|equation|part|figure|table|version|licence|line"
    r"|Python|BY|BSD|JupyterLab|Notebook|WCAG)s?[ -]+\d+(\.\d+)*((,| and| or| to)+ \d+)*",
    re.IGNORECASE,
)
YEAR = re.compile(r"(?<=[\w.)*] )\(?(19\d\d|20[0-3]\d)[a-z]?\)?(?=[),.;:]| ?$| \()")
OPTION = re.compile(  # of a directive (an alt text is prose)
    r"\s*:(name|label|width|height|align|class[\w-]*|figwidth|scale|columns|gutter|link[\w-]*):"
)
SILENT = ("math", "code-cell", "raw", "bibliography", "image", "toctree", "tableofcontents", "eval")


# --------------------------------------------------------------------------- what is prose at all


def without_code(text: str) -> tuple[str, str]:
    """Divide Markdown into (prose, code) by its fences.

    What stands in a directive such as `{note}` or `{solution}` is prose, with code inside it.
    """
    prose, code, fences = [], [], []  # a fence: its marks, and whether it holds code
    for line in text.splitlines():
        fence = re.match(r"\s*(`{3,}|:{3,}|~{3,})\s*(\S*)", line)
        if fence and fences and not fence[2] and fence[1] == fences[-1][0]:
            fences.pop()
        elif fence and not (fences and fences[-1][1]):
            directive = re.fullmatch(r"\{([\w:-]+)\}", fence[2])
            silent = directive and directive[1].startswith(SILENT)
            fences.append((fence[1], bool(silent or not directive)))
        elif fences and fences[-1][1]:
            code.append(line)
        elif not OPTION.match(line):
            prose.append(line)
    return "\n".join(prose), "\n".join(code)


def prose_of(text: str) -> str:
    """The prose of Markdown: no code, formulas, headings, roles, addresses, references, years."""
    text, _ = without_code(text)
    for pattern, instead in (
        (r"<!--.*?-->", " "),
        (r"^#+ [^\n]*$", ""),  # headings
        (r"^\([\w-]+\)=$", ""),  # their labels
        (r"^---\n.*?\n---$", ""),  # settings of a page
        (r"\$\$.*?\$\$( *\([\w:-]+\))?", " "),
        (r"(?<![\\$])\$[^$]+\$", " "),
        (r"\{[\w:-]+\}`[^`]*`", " "),
        (r"(`+)(?!`).*?(?<!`)\1(?!`)", " "),
        (r"\]\([^)\s]*\)", "] "),
        (r"<?https?://\S+", " "),
        (r"<[^<>\n]+>", " "),
        (r"^\s*\d+\. ", ""),  # the marks of a list
    ):
        text = re.sub(pattern, instead, text, flags=re.DOTALL | re.MULTILINE)
    return YEAR.sub("", re.sub(r"\s+", " ", REFERENCE.sub(" ", text)))


@dataclass(frozen=True)
class Found:
    """A number in the prose: its value, how it is written, what stands around it, its unit."""

    value: Decimal
    written: str
    before: str
    after: str
    unit: str  # of a result; empty if it makes no claim

    def __str__(self):
        return f"{self.before[-50:]}[{self.written}]{self.after[:40]}"


def value_of(written: str) -> Decimal:
    """The value of a number in digits or in words."""
    word = written.lower()
    if word not in VALUES:
        word = word.removesuffix("s")
    if word in VALUES:
        return VALUES[word]
    digits = re.sub(r"(st|nd|rd|th|x)$", "", written)
    return Decimal(re.sub(r",(?=\d{3}(\D|$))", "", digits).replace(",", "."))


def numbers_in(text: str) -> Iterator[Found]:
    """The numbers of a Markdown text that need a proof."""
    prose = prose_of(text)
    for match in NUMBER.finditer(prose):
        value, written = value_of(match[0]), match[0]
        unit = CLAIM.match(prose, match.end())
        if not unit and (value in (0, 1) or written.lower() in SMALL):
            continue
        before, after = prose[max(0, match.start() - 200) : match.start()], prose[match.end() :]
        yield Found(value, written, before, after[:200], unit[0] if unit else "")


# ------------------------------------------------------------------------- what proves a number


def values_in(text: str) -> set[Decimal]:
    """All numbers that stand in code or in a print."""
    text = re.sub(r"(?<=\d)[_,](?=\d{3})", "", text)
    return {Decimal(n) for n in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w])", text)}


def sanitized(text: str) -> str:
    """A print, less what nbval does not compare."""
    rules = SANITIZE.read_text(encoding="utf-8")
    for regex, replace in re.findall(r"^regex: (.*)$\n^replace: (.*)$", rules, flags=re.MULTILINE):
        text = re.sub(regex, replace, text)
    return text


@dataclass(frozen=True)
class Proof:
    """The numbers that a chapter's code sets, and those that it prints."""

    code: frozenset = frozenset()
    prints: frozenset = frozenset()

    def holds(self, number: Found) -> bool:
        """Whether a number is proved."""
        if number.value in self.prints:
            return True
        if not number.unit:
            return number.value in self.code
        return number.unit.strip() in ("%", "percent") and number.value / 100 in self.code


def proof_of(notebook) -> Proof:
    """What a chapter's cells set and print (with the solutions, which a test runs too)."""
    code, prints = [], []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            code.append(without_code(cell.source)[1])
            if "exercise" in cell.metadata.get("tags", []) and not TARGET.exists():
                code.append(cell.source)  # what it asks for is set in a solution that is left out
        if cell.cell_type != "code":
            continue
        code.append(cell.source)
        for output in cell.outputs:
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            prints.append(sanitized(text))
    return Proof(frozenset(values_in("\n".join(code))), frozenset(values_in("\n".join(prints))))


def texts_of(notebook) -> Iterator[str]:
    """A chapter's Markdown, captions and alt texts."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield cell.source
        shown = cell.metadata.get("mystnb", {})
        yield shown.get("figure", {}).get("caption", "")
        yield shown.get("image", {}).get("alt", "")


def unproved(texts, proof: Proof) -> list[Found]:
    """The numbers of some texts that nothing proves."""
    return [found for text in texts for found in numbers_in(text) if not proof.holds(found)]


def unproved_in(path: Path) -> list[Found]:
    """The numbers of a chapter or page that nothing but prose_numbers.toml can allow."""
    if path.suffix == ".ipynb":
        notebook = nbformat.read(path, as_version=4)
        return unproved(texts_of(notebook), proof_of(notebook))
    return unproved([authors_own(path.read_text(encoding="utf-8"))], Proof())


# ------------------------------------------------------------------------------- what is allowed


@dataclass(frozen=True)
class Entry:
    """One entry of prose_numbers.toml: where it holds, the words with the number, the reason."""

    where: str
    text: str
    reason: str

    def allows(self, path: Path, found: Found) -> bool:
        """Whether this entry stands for a number that was found.

        `#` in the text stands for any whole number, for sentences that all chapters share.
        """
        if self.where not in ("*", path.stem):
            return False
        pattern = re.escape(re.sub(r"\s+", " ", self.text)).replace(r"\#", r"\d+")
        spans = re.finditer(pattern, found.before + found.written + found.after)
        return any(span.start() <= len(found.before) < span.end() for span in spans)


def entries() -> list[Entry]:
    """The entries of prose_numbers.toml."""
    return [Entry(**raw) for raw in tomllib.loads(ALLOWED.read_text("utf-8")).get("allowed", [])]


def not_allowed(path: Path, found: list[Found]) -> list[Found]:
    """Those numbers that no entry stands for."""
    known = entries()
    return [number for number in found if not any(entry.allows(path, number) for entry in known)]


# ---------------------------------------------------------------------------------------- the book


@pytest.mark.parametrize("path", [*CHAPTERS, *PAGES], ids=lambda path: path.stem)
def test_every_number_in_the_prose_is_computed_or_allowed(path):
    rest = not_allowed(path, unproved_in(path))
    assert not rest, "\n" + "\n".join(map(str, rest))


def test_every_allowed_number_has_a_reason_and_is_there():
    found = {path: unproved_in(path) for path in [*CHAPTERS, *PAGES]}
    for entry in entries():
        assert len(entry.reason.split()) >= 4, f"{entry.text}: why?"
        used = any(entry.allows(path, n) for path, numbers in found.items() for n in numbers)
        assert used, f"nothing needs this entry any more, delete it: {entry}"


def test_the_numbers_of_glossary_and_lab():
    """What their entries say of them; the lab's page is asked by the code, as nothing prints it."""
    glossary, lab = (
        (ROOT / f"{name}.md").read_text(encoding="utf-8") for name in ("glossary", "lab")
    )
    (bits,) = re.findall(r"One nat is .*?, about ([\d.]+), bits", glossary, flags=re.DOTALL)
    assert bits == f"{1 / math.log(2):.2f}"
    code = (ROOT / "lab" / "js" / "lab.js").read_text(encoding="utf-8")
    (rare,) = re.findall(
        r"rare = there\.slice\(\)\.sort\(\)\[Math\.floor\(there\.length / (\d+)\)\]", code
    )
    (share,) = re.findall(r"A perfect flow has ([\d.]+) % of them", lab)
    assert float(share) == 100 / int(rare) and int(rare) == 1000
    links = re.findall(r"\[Train on (\d+) points\]\(#flow-lab\?\S*\bpoints=(\d+)&", lab)
    assert links and all(said == set_ for said, set_ in links)


# ---------------------------------------------------------------------------- the scan, on samples


def written(text: str) -> list[str]:
    return [found.written for found in numbers_in(text)]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("The gap is 0.90 nats.", ["0.90"]),
        ("The loss stops at 2.145.", ["2.145"]),
        ("The loop has seen its 2000 points some nineteen times.", ["2000", "nineteen"]),
        ("Within a hundredth of a nat, a dozen times.", ["hundredth", "dozen"]),
        ("One seed in five misses it, in 19 of 20 runs it holds.", ["One", "19", "20"]),
        ("# Title\n\nThe gap is 0.9.\n\n## Next\n\nIt is 0.8.", ["0.9", "0.8"]),
        ("It takes two seconds, and is three times as fast.", ["two", "three"]),
        ("Costs 10 % more, or 20,000 points, or 1e-3.", ["10", "20,000", "1e-3"]),
        ("Below 1 nat.", ["1"]),
        ("It is 4x faster than the 3rd one.", ["4x", "3rd"]),
        ("```{note} Title\nThe gap is 0.07.\n```", ["0.07"]),
        ("````{solution} ex\n```python\nx = 5\n```\nIt prints 0.33.\n````", ["0.33"]),
        (":::{admonition} Try\nAt 0.4 it folds.\n:::", ["0.4"]),
        ("| layers | gap |\n|---|---|\n| sixteen | 0.05 |", ["sixteen", "0.05"]),
        ("A set of 2000 points.", ["2000"]),
    ],
)
def test_numbers_are_found(text, numbers):
    assert written(text) == numbers


@pytest.mark.parametrize(
    "text",
    [
        "The mean is $0.25$ and $$x = 2.5$$ (eq-5-two)",
        "`torch.full((3,), 2.5)` and ``a ` 7``",
        "# 5 Training in 400 steps\n\n## 16 layers",
        "As {numref}`fig-5-depth` and {eq}`eq-3-lemma` say; [here](https://example.org/7/8).",
        "Chapters 5 to 7, chapter 3, facts 1, 4 and 6, layer 12, law 2, exercise 9.",
        "In 2D and 1D, float32, w12, beta2.",
        "Rezende & Mohamed 2015, Theis et al. (2016), one of three papers of 2023.",
        "**NICE** {cite}`dinh2015nice` (2014) and **RealNVP** (2016, at a conference in 2017)",
        "```python\nx = 0.25\n```",
        "````{solution} ex-5\n```python\nx = 0.25\n```\n````",
        "```{math}\n:label: eq-5\nx = 0.25\n```",
        "```{figure} picture.png\n:name: fig-77\n:width: 80\n```",
        "Two dimensions, eight modes, one of three. It integrates to 1, and is 0 elsewhere.",
        "1. First\n2. Second\n12. Twelfth",
        "<!-- 0.5 -->",
    ],
)
def test_what_is_no_number_of_the_prose_is_passed_over(text):
    assert written(text) == []


def chapter(prose: str, code: str = "", text: str = "", caption: str = ""):
    """A notebook of one sentence and one cell."""
    printed = nbformat.v4.new_output("stream", name="stdout", text=text)
    cell = nbformat.v4.new_code_cell(code, outputs=[printed])
    cell.metadata["mystnb"] = {"figure": {"caption": caption}, "image": {"alt": caption}}
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(prose), cell])


def rest(notebook) -> list[str]:
    return [found.written for found in unproved(texts_of(notebook), proof_of(notebook))]


@pytest.mark.parametrize(
    ("prose", "code", "text", "numbers"),
    [
        ("Take 20,000 points and radius 3.", "n, radius = 20_000, 3", "", []),
        ("Take 20,000 points and radius 3.", "n, radius = 2_000, 3", "", ["20,000"]),
        ("The gap is 0.90 nats.", "gap = 0.90", "", ["0.90"]),  # typed into the code is no proof
        ("The gap is 0.90 nats.", "", "gap: 0.9 nats\n", []),
        ("The gap is 0.90 nats.", "", "gap: 0.91 nats\n", ["0.90"]),
        ("The gap is 0.90 nats.", "", "gap: 10.90 nats\n", ["0.90"]),
        ("Mix in 10 % of rubbish.", "share = 0.1", "", []),
        ("Mix in 10 % of rubbish.", "share = 0.2", "", ["10"]),
        ("It holds in 19 of 20 runs.", "seeds = range(20)", "", ["19", "20"]),
        ("It holds in 19 of 20 runs.", "", "in 19 of 20 runs\n", []),
        ("Seen nineteen times.", "", "seen 19 times\n", []),
        ("Seen nineteen times.", "", "", ["nineteen"]),
        ("A scale of 0.25.", "x0.25 = 10.25", "", ["0.25"]),
    ],
)
def test_a_number_passes_if_a_cell_proves_it(prose, code, text, numbers):
    assert rest(chapter(prose, code, text)) == numbers


def test_what_nbval_does_not_compare_proves_nothing():
    masked = "gap ≈ 0.0831 nats\n"
    assert rest(chapter("The gap is 0.0831 nats.", text=masked)) == ["0.0831"]


def test_captions_and_alt_texts_are_read():
    assert rest(chapter("", caption="Strays: 7.5 of 100.")) == ["7.5", "100"] * 2


@pytest.mark.parametrize(
    ("where", "text", "allowed"),
    [
        ("5_training", "2000 points some nineteen times", True),
        ("*", "2000 points\nsome nineteen times", True),
        ("*", "some nineteen times", False),  # says nothing of 2000
        ("6_conditional", "2000 points some nineteen times", False),
        ("*", "# points", True),
        ("*", "# lines", False),
    ],
)
def test_an_entry_allows_the_words_it_quotes(where, text, allowed):
    (number, _) = numbers_in("The loop has seen its 2000 points some nineteen times.")
    assert Entry(where, text, "").allows(Path("chapters/5_training.ipynb"), number) == allowed


if __name__ == "__main__":
    for page in [*CHAPTERS, *PAGES]:
        for number in not_allowed(page, unproved_in(page)):
            words = f"{number.before[-30:]}{number.written}{number.after[:20]}"
            words = words.partition(" ")[2].rpartition(" ")[0]
            print(f"[[allowed]]\nwhere = {page.stem!r}\ntext = {words!r}\nreason = ''\n")
    sys.exit()
