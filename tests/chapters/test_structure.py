"""Each chapter is built like the others, and its stored outputs are those of a clean run."""

import base64
import copy
import io
import re
from urllib.parse import parse_qsl

import execute
import nbformat
import numpy as np
import pytest
from PIL import Image
from repository import address
from samples import code_lines
from solutions import TARGET

import live.page.site as live_page

SETUP = f"""\
# In Colab this fetches the course's own modules and replaces no package; elsewhere it does nothing.
import sys

if "google.colab" in sys.modules:
    %pip install --quiet --no-deps "git+{address()}"\
"""
TIME = re.compile(
    r"Time:\W+about (\d+) minutes of reading, (?:about )?(\d+) s on one CPU core, "
    r"(?:about )?(\d+) s on a GPU \((?:an estimate|seen on an? \w+)"
)
INTERACTIVE = {"interactive", "nbval-ignore-output", "remove-cell"}
ANSWER = {"answer", "remove-cell"}  # a stub to fill in: in the notebook only
QUIZ = "remove-input"  # (the page shows the questions only)
TAGS = INTERACTIVE | ANSWER | {"setup", "export", "hide-input", "raises-exception", QUIZ}
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:work|tmp|root|home|Users|opt|usr)/\w+|\b[A-Z]:\\\w+")
# What is taught in one chapter only -> its number. (They were numbered anew once.)
TAUGHT = {
    r"\bplanar (?:flow|layer)|\bradial (?:flow|layer)|`solve_planar`": 9,
    r"\bsplines?\b": 8,
    r"\b[Bb]ayes' rule": 6,
    r"\bbug museum": 10,
}
LONGEST_CELL = 25  # lines of code
LONGEST_LINE = 100  # letters that an output has room for beside the table of contents
SLOWEST_CHAPTER = 60  # seconds

# As small as rounding in single or in double precision; and a 0 that may be rounding elsewhere.
ROUNDING = {
    precision: re.compile(rf"(?<![\d.])(?:[\d.]+e-(?:{powers})|0(?:\.0*)?e\+00)")
    for precision, powers in {"single": "0[6-9]|1[2-8]", "double": "1[2-8]"}.items()
}
BOUND = re.compile(r"(?:≈|<|than|below) *-?$")

CHAPTERS = execute.chapters()
pytestmark = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    """(number, cell) of each code cell; numbers count from 1 over all cells."""
    return [(n, c) for n, c in enumerate(read(path).cells, 1) if c.cell_type == "code"]


def prose(path) -> str:
    """All markdown, less fenced blocks of code."""
    text = "\n\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")
    return re.sub(r"^```(?:python|text|bash)\n.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def pictures(cell) -> int:
    return sum("image/png" in output.get("data", {}) for output in cell.get("outputs", []))


def printed(cell) -> str:
    outputs = cell.get("outputs", [])
    return "\n".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs)


def test_opening(path):
    first = read(path).cells[0]
    titles = re.findall(r"^# .+$", prose(path), flags=re.MULTILINE)
    assert len(titles) == 1 and first.source.startswith(titles[0]), titles
    assert "?" in first.source, "the first cell asks the chapter's one question"
    assert "What you will learn" in first.source
    time = TIME.search(first.source)
    assert time, "the first cell says: Time: about N minutes of reading, ..."
    assert int(time[2]) <= SLOWEST_CHAPTER


def test_closing(path):
    text = prose(path)
    headings = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert headings[-3:] == ["Summary", "Exercises", "References"]
    exercises = set(re.findall(r"\{exercise[^\n]*\n:label: (\S+)", text))
    solutions = set(re.findall(r"\{solution(?:-start)?\} (\S+)", text))
    wanted = exercises if TARGET.exists() else set()  # an edition without solutions
    assert exercises and solutions == wanted, "each exercise has a solution"


def test_each_try_it_is_a_box_with_an_answer(path):
    boxes = re.findall(
        r"^(?:`{3,}|:{3,})\{admonition\} (.+)\n:class: (\w+)", prose(path), flags=re.MULTILINE
    )
    tried = [k for k, box in enumerate(boxes) if box[0] == "Try it"]
    assert tried, "a chapter has a box to try something"
    for k in tried:
        assert boxes[k : k + 2] == [("Try it", "tip"), ("Answer", "dropdown")]
    rest = re.sub(r"\{admonition\} Try it", "", prose(path))
    assert not re.search(r"\btry it\b[.:]", rest, flags=re.IGNORECASE), "no other look"


def test_a_reference_names_the_chapter_that_teaches_it(path):
    """A sentence of another chapter that sends one to planar flows names chapter 9."""
    own = int(path.stem.split("_")[0])
    for sentence in re.split(r"(?<=[.?!)])\s+|\n\n", prose(path)):
        numbers = {int(n) for n in re.findall(r"[Cc]hapter (\d+)", sentence)}
        for what, taught in TAUGHT.items():
            if own != taught and numbers and re.search(what, sentence):
                assert taught in numbers, sentence


def test_setup_cell(path):
    cells = read(path).cells
    setups = [cell for cell in cells if execute.has_tag(cell, "setup")]
    assert len(setups) == 1 and setups[0].source == SETUP
    assert [cell for cell in cells if cell.cell_type == "code"][0] is setups[0]


def test_tags(path):
    for number, cell in code_cells(path):
        tags = set(cell.metadata.get("tags", []))
        assert tags <= TAGS, f"cell {number}: {tags - TAGS}"
        # Only sliders may escape the comparison of outputs.
        if "answer" in tags:
            assert tags == ANSWER, f"cell {number}: {tags ^ ANSWER}"
        elif tags & INTERACTIVE:
            assert tags >= INTERACTIVE, f"cell {number}: {INTERACTIVE - tags} is missing"


def test_stored_as_executed(path):
    """No timings, random ids, sliders' state or outputs: as tools/execute.py leaves it."""
    notebook = read(path)
    expected = copy.deepcopy(notebook)
    execute.normalise(expected, path.stem)
    assert notebook == expected, "run `make execute`"


def test_ran_in_order_without_errors(path):
    cells = code_cells(path)
    assert [cell.execution_count for _, cell in cells] == list(range(1, len(cells) + 1))
    for number, cell in cells:
        if not execute.has_tag(cell, "raises-exception"):
            kinds = [output.output_type for output in cell.outputs]
            assert "error" not in kinds, f"cell {number}"
        for output in cell.outputs:
            assert output.get("name") != "stderr", f"cell {number} warns: {output.text}"


def test_no_training_of_the_book_passes_its_fence(path):
    for number, cell in code_cells(path):
        text = printed(cell)
        assert "Something is wrong" not in text, f"cell {number}: {text}"


def test_figures(path):
    for number, cell in code_cells(path):
        if not pictures(cell):
            continue
        described = cell.metadata.get("mystnb", {})
        alt = described.get("image", {}).get("alt", "")
        figure = described.get("figure", {})
        assert pictures(cell) == 1, f"cell {number}: one figure per cell"
        assert len(alt) >= 20, f"cell {number}: the alt text says what is seen"
        assert len(figure.get("caption", "")) >= 20, f"cell {number}: the caption says what to see"
        assert figure.get("name", "").startswith("fig-"), f"cell {number}: the name is fig-..."
        assert alt != figure["caption"], f"cell {number}: alt text and caption are the same"


def test_figure_names_are_unique(path):
    names = [
        cell.metadata["mystnb"]["figure"]["name"]
        for chapter in CHAPTERS
        for _, cell in code_cells(chapter)
        if "figure" in cell.metadata.get("mystnb", {})
    ]
    own = [c.metadata.get("mystnb", {}).get("figure", {}).get("name") for _, c in code_cells(path)]
    assert all(names.count(name) == 1 for name in own if name)


def test_sliders_stand_after_a_static_figure(path):
    figure_seen = False
    for number, cell in enumerate(read(path).cells, 1):
        if cell.cell_type == "markdown" and re.search(r"^## ", cell.source, flags=re.MULTILINE):
            figure_seen = False
        figure_seen |= pictures(cell) > 0
        if execute.has_tag(cell, "interactive"):
            assert figure_seen, f"cell {number}: no static figure in this section before it"


def test_live_figures_have_a_picture_for_readers_without_javascript(path):
    for number, cell in code_cells(path):
        for output in cell.outputs:
            if execute.WIDGET_VIEW in output.get("data", {}):
                assert "image/png" in output.data, f"cell {number}"


def test_cells_are_short(path):
    for number, cell in code_cells(path):
        count = code_lines(cell.source)
        assert count <= LONGEST_CELL, f"cell {number} has {count} lines of code"


def test_printed_lines_have_room_on_the_page(path):
    for number, cell in code_cells(path):
        seen = [o for o in cell.outputs if execute.WIDGET_VIEW not in o.get("data", {})]
        for line in printed({"outputs": seen}).splitlines():
            assert len(line) <= LONGEST_LINE, f"cell {number}: {line}"


def bare_rounding(text: str, precision: str = "single") -> list[str]:
    """Numbers that are rounding, and say neither ≈ nor how large they are at most."""
    found = ROUNDING[precision].finditer(text)
    return [m[0] for m in found if not BOUND.search(text[: m.start()])]


def test_no_digits_of_rounding_are_printed(path):
    """Other processors round otherwise."""
    tried = "3e-08 1.2e-16 0e+00 ≈ 4e-07 < 1e-9 less than 1e-06 1e-05 1.5e-44 10e+00 0.5"
    assert bare_rounding(tried) == ["3e-08", "1.2e-16", "0e+00"]
    assert bare_rounding(tried, "double") == ["1.2e-16", "0e+00"]
    double = any("set_default_dtype(torch.float64)" in cell.source for _, cell in code_cells(path))
    for number, cell in code_cells(path):
        found = bare_rounding(printed(cell), "double" if double else "single")
        assert not found, f"cell {number}: print a bound, or ≈ before {found}"


def test_nothing_is_printed_for_the_tests(path):
    for number, cell in code_cells(path):
        keys = re.search(r"measured band|\w/[+-]{1,2}\w", printed(cell))
        assert not keys, f"cell {number}: {keys[0]}"


def test_captions_call_sliders_by_their_labels(path):
    """A reader sees the label; the parameter's own name, where they differ, is nowhere."""
    words = {"a", "back", "height"}  # of the language, in captions that mean no slider
    found = live_page.figures(read(path))
    for number, cell in code_cells(path):
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        for output in cell.outputs:
            if execute.WIDGET_VIEW not in output.get("data", {}):
                continue
            spec = found[live_page.picture_name(output.data)]["spec"]
            for control in spec["params"]:
                name = re.compile(rf"\b{re.escape(control['name'])}\b")
                unseen = control["name"] not in words and not name.search(control["label"])
                assert not (unseen and name.search(figure["caption"])), (number, control["name"])


def test_links_set_figures_to_what_they_can_show(path):
    """Where figures are live, some do; a name or value that a figure does not know does nothing."""
    found, specs = live_page.figures(read(path)), {}
    for _, cell in code_cells(path):
        for output in cell.outputs:
            if execute.WIDGET_VIEW in output.get("data", {}):
                name = cell.metadata["mystnb"]["figure"]["name"]
                params = found[live_page.picture_name(output.data)]["spec"]["params"]
                specs[name] = {control["name"]: control for control in params}
    links = re.findall(r"\]\(#(fig-[\w-]+)\?([^)]*)\)", prose(path))
    assert links or not specs, "a link of the text sets a figure"
    for name, state in links:
        for key, value in parse_qsl(state.removesuffix("&play"), strict_parsing=True):
            control = specs[name][key]
            if control["kind"] == "menu":
                assert value in control["options"], (name, key, value)
            else:
                assert control["min"] <= float(value) <= control["max"], (name, key, value)


def test_no_machine_paths_or_addresses(path):
    for number, cell in enumerate(read(path).cells, 1):
        text = cell.source + "\n" + printed(cell)
        assert not MACHINE_PATH.search(text), f"cell {number}: {MACHINE_PATH.search(text)[0]}"
        assert not re.search(r" at 0x[0-9a-f]{6,}", text), f"cell {number}: an address in memory"


def test_no_picture_is_cut(path):
    """Nothing but paper along the edges: a title or a tick label would be seen there."""
    for n, cell in code_cells(path):
        for shown in (o["data"].get("image/png") for o in cell.outputs if "data" in o):
            if shown is None:
                continue
            image = Image.open(io.BytesIO(base64.b64decode(shown))).convert("L")
            tones = np.asarray(image).astype(int)
            for edge in (tones[0], tones[-1], tones[:, 0], tones[:, -1]):
                assert np.ptp(edge) < 60, f"cell {n} is cut at an edge of its picture"
