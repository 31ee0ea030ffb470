"""What tools/execute.py stores: all that was printed, the same each time, and nothing half done."""

import json
import random
from pathlib import Path

import execute
import nbformat
import notebooks
import pytest
from nbclient.exceptions import CellExecutionError
from samples import takes_long

from classroom.exercises import chapters

v4 = nbformat.v4


def stream(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


def flat(outputs) -> list[tuple[str, str]]:
    """Every printed character with its stream, and every other output, in order."""
    found = []
    for output in outputs:
        if output.output_type == "stream":
            found += [(output.name, letter) for letter in output.text]
        else:
            found.append((output.output_type, json.dumps(output.data, sort_keys=True)))
    return found


class TestMergeStreams:
    """Held against what was printed, not against itself."""

    def test_neighbours_are_joined(self):
        picture = v4.new_output("display_data", {"text/plain": "a picture"})
        merged = execute.merge_streams(
            [stream("a\n"), stream("b\n"), stream("x", "stderr"), stream("c"), picture, stream("d")]
        )
        told = [output.get("text", "a picture") for output in merged]
        assert told == ["a\nb\n", "x", "c", "a picture", "d"]
        assert [output.get("name") for output in merged] == [
            "stdout", "stderr", "stdout", None, "stdout",
        ]  # fmt: skip

    @pytest.mark.parametrize("seed", range(30))
    def test_nothing_is_lost_and_nothing_left_to_join(self, seed):
        draw, outputs = random.Random(seed), []
        for k in range(draw.randrange(12)):
            kind = draw.choice(["stdout", "stdout", "stderr", "picture"])
            text = f"{k}: {draw.choice(['', 'a', 'ä' * 3, ' '])}" + draw.choice(["", "\n"])
            picture = v4.new_output("display_data", {"text/plain": text})
            outputs.append(picture if kind == "picture" else stream(text, kind))
        before = flat(outputs)
        merged = execute.merge_streams(outputs)
        assert flat(merged) == before
        for one, two in zip(merged, merged[1:], strict=False):
            assert (one.output_type, one.get("name")) != ("stream", two.get("name"))

    def test_what_a_notebook_prints_is_stored(self, tmp_path):
        """Prints cut into many messages, by flushes and by time, are one text in the file."""
        lines = "import sys, time\nfor k in range(5):\n    print(k, flush=True); time.sleep(0.02)\n"
        lines += "print('to stderr', file=sys.stderr)\nprint('last')\n7"
        path = tmp_path / "a.ipynb"
        notebooks.store(v4.new_notebook(cells=[v4.new_code_cell(lines)]), path)
        execute.execute(path)
        outputs = nbformat.read(path, as_version=4).cells[0].outputs
        told = {
            name: "".join(o.text for o in outputs if o.get("name") == name)
            for name in ("stdout", "stderr")
        }
        assert told == {"stdout": "0\n1\n2\n3\n4\nlast\n", "stderr": "to stderr\n"}
        assert outputs[-1].data["text/plain"] == "7"
        # The second time: byte for byte the same.
        first = path.read_bytes()
        execute.execute(path)
        assert path.read_bytes() == first


def test_a_cell_that_fails_leaves_the_file(tmp_path):
    path = tmp_path / "a.ipynb"
    cells = [v4.new_code_cell("print('new')"), v4.new_code_cell("1 / 0")]
    notebooks.store(v4.new_notebook(cells=cells), path)
    before = path.read_bytes()
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute.execute(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def ids(*sources) -> list[str]:
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in sources])
    execute.stable_ids(notebook)
    return [cell.id for cell in notebook.cells]


def test_cells_are_named_by_what_they_hold():
    a, b = ids("a", "b")
    assert ids("a", "new", "b") == [a, ids("new")[0], b], "inserting one leaves the others alone"
    assert ids("a!")[0] != a
    assert len(set(ids("a", "a", "a"))) == 3 and ids("a", "a")[0] == a
    markdown = v4.new_notebook(cells=[v4.new_markdown_cell("a")])
    execute.stable_ids(markdown)
    assert markdown.cells[0].id != a


def test_chapters_come_in_the_order_of_their_numbers():
    """As text, 10 comes before 9: the book, flows.py and the solutions would start with it."""
    names = ["9_a", "10_b", "1_c", "2_d", "100_e"]
    found = notebooks.in_order(Path(f"{name}.ipynb") for name in names)
    assert [path.stem for path in found] == ["1_c", "2_d", "9_a", "10_b", "100_e"]
    numbers = [int(path.stem.split("_")[0]) for path in execute.chapters()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert list(chapters()) == [path.stem for path in execute.chapters() if path.stem in chapters()]


def test_new_ids_change_nothing_else():
    """`make repository` stores a notebook as `make execute` would."""
    path = execute.chapters()[0]
    text = path.read_text(encoding="utf-8")
    assert notebooks.with_new_ids(text) == text
    other = text.replace("# ", "# Another ", 1)
    changed = nbformat.reads(notebooks.with_new_ids(other), as_version=4)
    for one, two in zip(nbformat.reads(other, as_version=4).cells, changed.cells, strict=True):
        same = (
            one.source == nbformat.reads(text, as_version=4).cells[changed.cells.index(two)].source
        )
        assert (one.id == two.id) == same and one.source == two.source


@takes_long
def test_a_quiz_is_stored_without_its_widgets(tmp_path):
    """They need a kernel; the HTML beside them does not."""
    path = tmp_path / "a.ipynb"
    source = 'from classroom import quiz\nquiz("1_change_of_variables")'
    notebooks.store(v4.new_notebook(cells=[v4.new_code_cell(source)]), path)
    execute.execute(path)
    stored = nbformat.read(path, as_version=4)
    (output,) = stored.cells[0].outputs
    assert set(output.data) == {"text/plain", "text/html"} and "widgets" not in stored.metadata
    first = path.read_bytes()
    execute.execute(path)
    assert path.read_bytes() == first
