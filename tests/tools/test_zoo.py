"""tools/zoo.py, on tiny notebooks: which chapters train, what a run reports, the table."""

import subprocess
import time

import nbformat
import pytest
import zoo
from samples import takes_long

PRINTS_PATH = "import torch\nprint(torch.backends.cpu.get_cpu_capability())"
BAND = "gap ≈ {} nats: as in the stored runs"  # as tests/chapters/nbval_sanitize.cfg masks it
PRINTS_THREADS = "import torch\ntorch.set_num_threads(1)\nprint(torch.get_num_threads())"


@pytest.fixture
def write(tmp_path):
    """write(name, (source, stored print), ...) -> the path of a notebook with these cells."""

    def write_it(name, *cells):
        notebook = nbformat.v4.new_notebook()
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        for count, (source, text) in enumerate(cells, start=1):
            cell = nbformat.v4.new_code_cell(source, execution_count=count)
            if text:
                cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
            notebook.cells.append(cell)
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
        return tmp_path / f"{name}.ipynb"

    return write_it


@pytest.mark.parametrize(
    "source",
    [
        "train(flow, draw)",
        "history = flows.train(flow, draw=fresh, steps=3)",
        "by_label, _ = fit(draw, lr=1e-2)",
        "for x in batches:\n    loss(x).backward()\n    adam.step()",
        "def short():\n    return train(new_flow(), fresh)",
        "if colab:\n    %pip install course\n!ls\ntrain(flow, draw)",
    ],
)
def test_training_is_seen(source):
    assert zoo.trains(source)


@pytest.mark.parametrize(
    "source",
    [
        "flow.train()",
        "flow.train(False)",
        "from flows import train",
        "# train(flow, draw)",
        "print('train(flow, draw)')",
        "fit_inputs(flow, 'x', x, None)",
        "value, _ = step(value, context)",
        "if colab:\n    %pip install course",
        "",
    ],
)
def test_what_only_looks_like_training_is_not(source):
    assert not zoo.trains(source)


def test_training_chapters_are_found_by_reading(write, tmp_path):
    write("1_plain", ("print(1)", "1\n"))
    trained = write("2_trained", ("x = 1", ""), ("train(flow, draw)", ""))
    assert zoo.training_chapters(tmp_path) == [trained]


def test_the_books_training_chapters():
    found = {path.stem for path in zoo.training_chapters()}
    assert {"5_training", "6_conditional", "7_outlook"} <= found
    assert "1_change_of_variables" not in found


def test_settings_are_those_of_the_design():
    chosen = [zoo.SETTINGS[name].variables for name in zoo.SETTINGS]
    default, avx2 = {"ATEN_CPU_CAPABILITY": "default"}, {"ATEN_CPU_CAPABILITY": "avx2"}
    for wanted in ({}, default, avx2, avx2 | {"MKL_ENABLE_INSTRUCTIONS": "AVX2"},
                   default | {"MKL_CBWR": "COMPATIBLE"}):  # fmt: skip
        assert wanted in chosen
    assert any(setting.threads == 2 for setting in zoo.SETTINGS.values())
    assert any(setting.torch == "2.11.0" for setting in zoo.SETTINGS.values())


@takes_long  # the next test sees the same path, and what is masked is tried below it
def test_a_run_takes_the_path_it_is_told(write, monkeypatch):
    """Whatever path the caller's own environment chooses; and masks what `make test` masks."""
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    masked = (f"print('{BAND.format('0.2')}')", f"{BAND.format('0.1')}\n")
    notebook = write("path", (PRINTS_PATH, "DEFAULT\n"), masked)
    result = zoo.replay(notebook, zoo.SETTINGS["default"])
    assert result.verdict() == "passed" and result.cells == 2
    assert result.kernel["path"] == "DEFAULT" and result.kernel["threads"] == 1


def test_what_differs_is_told_with_old_and_new(write):
    notebook = write("both", ("print('same')", "same\n"), (PRINTS_PATH, "before\n"), ("1 / 0", ""))
    result = zoo.replay(notebook, zoo.SETTINGS["default"])
    assert [fault["cell"] for fault in result.faults] == ["Cell 1", "Cell 2"]
    assert result.faults[0]["old"] == ["before"] and result.faults[0]["new"] == ["DEFAULT"]
    assert result.faults[1]["new"] == ["ZeroDivisionError: division by zero"]
    told = zoo.details("default", "both", result)
    assert "-before" in told and "+DEFAULT" in told and "same" not in told


def test_cells_that_ran_elsewhere_are_compared_as_nbval_compares_them():
    v4 = nbformat.v4

    def cell(*outputs, tags=()):
        return v4.new_code_cell("1", outputs=list(outputs), metadata={"tags": list(tags)})

    def says(text, name="stdout"):
        return v4.new_output("stream", name=name, text=text)

    def shows(kind, text):
        return v4.new_output("display_data", {"text/plain": text, kind: "..."})

    text = v4.new_markdown_cell("text")
    stored = [cell(says("a\nb\n")), text, cell(says(BAND.format(0.1))), cell(says("one")),
              cell(shows("image/png", "Figure A")), cell(says("x"), tags=["nbval-ignore-output"]),
              cell(v4.new_output("execute_result", {"text/plain": "3"}))]  # fmt: skip
    same = [cell(says("a\n"), says("b\n")), text, cell(says(BAND.format(7.2))), cell(says("one")),
            cell(shows("image/png", "Figure B")), cell(), stored[-1]]  # fmt: skip
    assert zoo.faults(stored, same) == []
    four = v4.new_output("execute_result", {"text/plain": "4"})
    error = v4.new_output("error", ename="NameError", evalue="x", traceback=[])
    other = [cell(says("a\nB\n")), text, cell(says("gap 0.1")), cell(error),
             cell(says("more")), cell(), cell(four)]  # fmt: skip
    found = zoo.faults(stored, other)
    assert [fault["cell"] for fault in found] == [f"Cell {k}" for k in (0, 1, 2, 3, 5)]
    assert (found[0]["old"], found[0]["new"]) == (["a", "b"], ["a", "B"])
    assert found[2]["new"] == ["NameError: x"] and found[3]["new"] == ["more"]


@takes_long
def test_two_threads_are_two_whatever_the_notebook_asks_for(write):
    notebook = write("threads", (PRINTS_THREADS, "1\n"))
    result = zoo.replay(notebook, zoo.SETTINGS["two-threads"])
    assert result.kernel["threads"] == 2
    assert result.faults[0]["new"] == ["2"]


@takes_long
def test_a_run_that_breaks_off_is_a_fault(tmp_path):
    (tmp_path / "broken.ipynb").write_text("{", encoding="utf-8")
    result = zoo.replay(tmp_path / "broken.ipynb", zoo.SETTINGS["own"])
    assert result.faults and "JSON" in result.faults[0]["message"]


@pytest.mark.parametrize(
    ("kernel", "setting", "problem"),
    [
        ({"torch": "2.13.0", "path": "DEFAULT", "threads": 1}, "default", ""),
        ({"torch": "2.13.0", "path": "AVX2", "threads": 1}, "default", "path is AVX2"),
        ({"torch": "2.13.0", "path": "AVX512", "threads": 1}, "avx2", "path is AVX512"),
        ({"torch": "2.13.0", "path": "SVE256", "threads": 1}, "avx2", ""),  # ARM knows no avx2
        ({"torch": "2.13.0", "path": "AVX2", "threads": 1}, "two-threads", "threads is 1"),
        ({"torch": "2.13.0", "path": "AVX2", "threads": 1}, "old-torch", "torch is 2.13.0"),
        ({}, "own", "threads is None"),
    ],
)
def test_a_run_that_is_not_as_set_is_told(kernel, setting, problem):
    told = zoo.not_as_set(kernel, zoo.SETTINGS[setting])
    assert told.startswith(problem) and bool(told) == bool(problem)


FAULT = {"cell": "Cell 3", "old": ["gap 0.1", "same"], "new": ["gap 0.2", "same"], "message": "m"}
KERNEL = {"torch": "2.13.0", "path": "AVX2", "threads": 1}


def test_the_table_names_every_run():
    results = {
        ("own", "5_training"): zoo.Result(9, [], KERNEL),
        ("own", "7_outlook"): zoo.Result(9, [FAULT], KERNEL),
        ("default", "5_training"): zoo.Result(9, [FAULT] * 4, KERNEL | {"path": "DEFAULT"}),
        ("default", "7_outlook"): zoo.Result(9, [], KERNEL | {"path": "DEFAULT"}),
    }
    header, own, default = zoo.table(results).splitlines()
    assert header.split()[-2:] == ["5_training", "7_outlook"]
    assert own.split("  ")[0] == "own" and "2.13.0, AVX2, 1" in own
    assert own.index("passed") == header.index("5_training")
    assert own.index("FAILED: Cell 3") == header.index("7_outlook")
    assert "4 FAILED" in default and "2.13.0, DEFAULT, 1" in default


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_runs_take_a_place_for_each_of_their_threads(workers, write, monkeypatch, capsys):
    """Two runs with two threads each, on two cores, would wait for one another for minutes."""
    now, most = [0], [0]

    def replay(path, setting, python):
        now[0] += setting.threads
        most[0] = max(most[0], now[0])
        time.sleep(0.02)
        now[0] -= setting.threads
        return zoo.Result(1, [], KERNEL)

    monkeypatch.setattr(zoo, "replay", replay)
    notebooks = [str(write(name, ("1", None))) for name in "abc"]
    chosen = ["two-threads", "own", "default"]
    assert zoo.main([*notebooks, "--settings", *chosen, "--workers", str(workers)]) == 0
    assert most[0] <= max(workers, 2)


@pytest.mark.parametrize("faults", [[], [FAULT]])
def test_the_exit_code_says_whether_all_passed(faults, write, monkeypatch, capsys):
    monkeypatch.setattr(zoo, "replay", lambda *_: zoo.Result(1, list(faults), KERNEL))
    notebook = write("tiny", ("print(1)", "1\n"))
    code = zoo.main([str(notebook), "--settings", "own", "default"])
    printed = capsys.readouterr().out
    assert code == (1 if faults else 0)
    assert "2/2" in printed and ("-gap 0.1" in printed) == bool(faults)


def test_a_torch_that_cannot_be_had_is_said(write, monkeypatch, tmp_path, capsys):
    """And the other settings run all the same."""
    refuse = subprocess.CompletedProcess([], 1, "", "no such version")
    monkeypatch.setattr(zoo.subprocess, "run", lambda *_, **__: refuse)
    monkeypatch.setattr(zoo, "replay", lambda *_: zoo.Result(1, [], KERNEL))
    monkeypatch.setattr(zoo, "ROOT", tmp_path)
    notebook = write("tiny", ("print(1)", "1\n"))
    assert zoo.main([str(notebook), "--settings", "own", "old-torch"]) == 1
    printed = capsys.readouterr().out
    assert "own" in printed and "passed" in printed
    assert "old-torch: NOT RUN. torch 2.11.0 cannot be had: no such version" in printed
