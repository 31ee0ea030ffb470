"""tools/measure_bands.py: one tiny notebook measured for real, and the file it writes."""

import ast
import importlib.util
import math
import statistics
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location(
        "measure_bands", ROOT / "tools" / "measure_bands.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def notebook(*sources: str):
    return new_notebook(cells=[new_code_cell(source) for source in sources])


def entry(name: str, notebook: str = "a.ipynb") -> dict:
    return {name: {"low": 0.5, "high": 1.0, "values": [0.7, 0.8], "notebook": notebook}}


def test_stored_bands_agree_with_their_own_values(tool):
    bands = tool.load(ROOT / "bands.py")
    assert tool.render(bands) == (ROOT / "bands.py").read_text(encoding="utf-8")
    for name, stored in bands.items():
        assert len(stored["values"]) == len(set(stored["seeds"])) >= 5, name
        assert all(stored["low"] <= value <= stored["high"] for value in stored["values"]), name
        assert (ROOT / "chapters" / stored["notebook"]).exists(), name
        assert "torch" in stored["measured"], name


def test_every_band_a_chapter_asks_for_is_measured_and_none_is_left_over(tool):
    asked = set()
    for path in (ROOT / "chapters").glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code" and tool.has_band(new_notebook(cells=[cell])):
                assert "(no band measured yet)" not in str(cell.outputs), path.name
                asked.add(path.name)
    assert {stored["notebook"] for stored in tool.load(ROOT / "bands.py").values()} == asked


def test_the_seed_line_is_replaced_and_nothing_else(tool):
    original = notebook("SEED = 0  # try another\nOTHER_SEED = 0", "x = SEED")
    changed = tool.with_seed(original, 7)
    assert changed.cells[0].source == "SEED = 7  # try another\nOTHER_SEED = 0"
    assert original.cells[0].source.startswith("SEED = 0")


@pytest.mark.parametrize("sources", [("x = 1",), ("SEED = 0", "SEED = 0"), ("SEED = 01",)])
def test_a_notebook_needs_exactly_one_seed_line(tool, sources):
    with pytest.raises(ValueError, match="one line SEED = 0"):
        tool.with_seed(notebook(*sources), 1)


def test_only_code_counts(tool):
    assert tool.has_band(notebook("gmu.check_band('a', 1)"))
    assert not tool.has_band(new_notebook(cells=[new_markdown_cell("`check_band(`")]))


def test_band_is_four_deviations_or_the_floor(tool):
    values = [1.0, 1.1, 0.9, 1.05, 0.95]
    low, high = tool.band(values)
    assert (low + high) / 2 == pytest.approx(1.0)
    assert high - low == pytest.approx(8 * statistics.stdev(values))
    assert tool.band([2.0, 2.0]) == pytest.approx((1.98, 2.02))
    assert tool.band([0.0, 0.0]) == pytest.approx((-0.001, 0.001))


def test_the_log_is_checked(tool, tmp_path):
    log = tmp_path / "log"
    log.write_text('{"name": "a", "value": 1.0, "seed": 0}\n' * 2, encoding="utf-8")
    with pytest.raises(ValueError, match="twice with the name 'a'"):
        tool.read_log(log)
    log.write_text('{"name": "a", "value": NaN, "seed": 0}\n', encoding="utf-8")
    with pytest.raises(ValueError, match="no band can hold"):
        tool.read_log(log)


def test_the_text_is_python_sorted_and_stable(tool, tmp_path):
    entries = entry("b/x") | entry("a/y")
    text = tool.render(entries)
    ast.parse(text)
    assert text == tool.render(dict(reversed(entries.items())))
    assert text.index("a/y") < text.index("b/x")
    path = tmp_path / "bands.py"
    path.write_text(text, encoding="utf-8")
    assert tool.load(path) == entries
    assert tool.load(tmp_path / "none.py") == {}


def test_measure_one_notebook_and_keep_the_others(tool, tmp_path):
    path, output = tmp_path / "tiny.ipynb", tmp_path / "bands.py"
    cells = ("import gen_models_utilities as gmu\nSEED = 0", "gmu.check_band('tiny/v', 1 + SEED)")
    nbformat.write(notebook(*cells), path)
    output.write_text(
        tool.render(entry("other/v") | entry("tiny/gone", "tiny.ipynb")), encoding="utf-8"
    )
    before = path.read_bytes()
    tool.main([str(path), "--seeds", "0", "2", "--output", str(output)])
    made = tool.load(output)
    assert set(made) == {"other/v", "tiny/v"}  # what the notebook no longer asks for is gone
    assert made["other/v"] == entry("other/v")["other/v"]
    assert made["tiny/v"]["values"] == [1.0, 3.0] and made["tiny/v"]["seeds"] == [0, 2]
    assert made["tiny/v"]["high"] == pytest.approx(2 + 4 * math.sqrt(2), abs=1e-3)
    assert path.read_bytes() == before


def test_a_name_may_not_be_used_in_two_notebooks(tool, tmp_path):
    path, output = tmp_path / "tiny.ipynb", tmp_path / "bands.py"
    cells = ("import gen_models_utilities as gmu\nSEED = 0", "gmu.check_band('other/v', SEED)")
    nbformat.write(notebook(*cells), path)
    output.write_text(tool.render(entry("other/v")), encoding="utf-8")
    with pytest.raises(ValueError, match="'other/v' is used in tiny.ipynb and in a.ipynb"):
        tool.main([str(path), "--seeds", "0", "1", "--output", str(output)])


@pytest.mark.parametrize("seeds", [["0"], ["1", "1"]])
def test_two_different_seeds_are_needed(tool, seeds, capsys):
    with pytest.raises(SystemExit):
        tool.main(["--seeds", *seeds])
    assert "two different seeds" in capsys.readouterr().err
