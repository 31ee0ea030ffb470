"""flows.py is what the chapters' export cells say, and what they may not say is refused."""

import export
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, writes


def test_flows_is_generated_from_the_chapters():
    assert export.TARGET.read_text(encoding="utf-8") == export.generate(), "run `make execute`"


@pytest.fixture
def chapters(tmp_path, monkeypatch):
    """Call with the export cells of each chapter; each has `import math` in a cell of its own."""

    def make(*contents):
        paths = []
        for number, cells in enumerate(contents, 1):
            paths.append(tmp_path / f"{number}.ipynb")
            notebook = new_notebook(cells=[new_markdown_cell(f"# Title {number}")])
            notebook.cells.append(new_code_cell("%pip list\nimport math\nimport os"))
            for source in cells:
                notebook.cells.append(new_code_cell(source, metadata={"tags": ["export"]}))
            answer = new_code_cell("from classroom import x", metadata={"tags": ["answer"]})
            notebook.cells.append(answer)  # its import is no chapter's, whatever it is called
            paths[-1].write_text(writes(notebook), encoding="utf-8")
        monkeypatch.setattr(export, "chapters", lambda: paths)

    return make


def test_order_imports_and_names(chapters):
    chapters(["def f(x):\n    return math.exp(x)"], ["LIMIT = 3", "def _g():\n    return LIMIT"])
    text = export.generate()
    assert text.index("# Title 1 (chapters/1.ipynb)") < text.index("# Title 2 (chapters/2.ipynb)")
    assert text.count("import math") == 1 and "import os" not in text and "classroom" not in text
    assert '__all__ = [\n    "f",\n    "LIMIT",\n]' in text


def test_an_export_cell_runs_nothing(chapters):
    chapters(["print('hello')"])
    with pytest.raises(SystemExit, match=r"1\.ipynb, cell 3.*print\('hello'\)"):
        export.generate()


def test_a_name_is_exported_once(chapters):
    chapters(["f = 1"], ["f = 2"])
    with pytest.raises(SystemExit, match="more than once: f"):
        export.generate()


def test_no_public_name_disappears_unnoticed(chapters, tmp_path, monkeypatch):
    target = tmp_path / "flows.py"
    target.write_text("def precious():\n    pass\n", encoding="utf-8")
    monkeypatch.setattr(export, "TARGET", target)
    chapters(["f = 1"])
    with pytest.raises(SystemExit, match="precious"):
        export.main([])
    export.main(["--prune"])
    export.main(["--check"])
    target.write_text("f = 2\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="make execute"):
        export.main(["--check"])
