"""tools/mutants.py on small modules: what it changes, what it reports, what it leaves behind. And
whether each fault of tools/page_mutants.py can be put into the page as it is now."""

import ast
import os
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import mutants
import page_mutants
import pytest
from samples import takes_long

TOOLS = Path(mutants.__file__).parent
ROOT = TOOLS.parent

MODULE = '''"""A text: 1 < 2."""


def clip(x, high=9):
    """Between 0 and 9."""
    if x < 0:
        return 0
    return min(x, high)
'''
WEAK = """
from toy import clip

def test_clip():
    assert clip(4) == 4 and clip(-5) == 0 and clip(12) == 9
"""


@pytest.fixture(scope="module")
def temporary():
    """A folder for what is temporary. Its name is short: a socket's may have a hundred letters.

    One for all tests: multiprocessing keeps its socket there.
    """
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        yield folder


@pytest.fixture
def toy(tmp_path, temporary, monkeypatch):
    """A repository of one module; what is temporary goes to a folder of its own."""
    monkeypatch.setenv("TMPDIR", temporary)
    monkeypatch.setattr(mutants.tempfile, "tempdir", temporary)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # quicker, and not needed here
    folder = tmp_path / "toy"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    (folder / ".gitignore").write_text(".cache/\n", encoding="utf-8")
    (folder / "toy.py").write_text(MODULE, encoding="utf-8")
    (folder / "test_toy.py").write_text(WEAK, encoding="utf-8")
    return folder


def command(folder, *options) -> list[str]:
    return ["toy.py", "--by", "test_toy.py", "--root", str(folder), *options]


def changes(source: str) -> list[tuple[int, str, str]]:
    return [(mutant.line, mutant.before, mutant.after) for mutant in mutants.mutants(source)]


@pytest.mark.parametrize(
    ("code", "after"),
    [
        ("x = 3", ["4", "2"]), ("x = 0.5", ["1.0", "0.25"]), ("x = 0.0", ["1.0", "-1.0"]),
        ("x = True", ["False"]), ("x = 'nats'", ["'natsXX'"]), ("x = None", []),
        ("x = a < b", ["a <= b", "a > b"]), ("x = a is b", ["a is not b"]),
        ("x = a <= b < c", ["a < b < c", "a >= b < c", "a <= b <= c", "a <= b > c"]),
        ("x = a + b", ["a - b"]), ("x = a - b", ["a + b"]), ("x = a ** b", ["a * b"]),
        ("x -= a", ["x += a"]), ("x = a and b", ["a or b"]), ("x = -a", ["a"]),
        ("x = not a", ["a"]), ("x = a if b else c", ["c if b else a"]),
        ("x = max(a, b)", ["max(b, a)", "min(a, b)"]), ("x = y.argmin(a)", ["y.argmax(a)"]),
        ("f(*a, b)", ["pass"]), ("f(a, a)", ["pass"]), ("f(a=2)", ["pass", "a=3", "a=1"]),
        ("x = y[a:b]", ["a + 1:b", "a:b + 1"]), ("x = y[:2]", ["3", "1"]),
        ("x = f'{a + 1}'", []), ("raise ValueError(a + 1)", []), ("x: 'int'", []),
        ("__all__ = ['a', 'b']", []),
        ("def f(a: 'int' = 2) -> 'int':\n    'A text.'", ["3", "1"]),
        ("if __name__ == '__main__':\n    f()", []), ("import a", []),
    ],
)  # fmt: skip
def test_what_is_changed(code, after):
    found = changes(code)
    assert [new for _, _, new in found] == after
    assert all(line == 1 for line, _, _ in found)


def script_changes(code: str) -> list[str]:
    """The code after each change of JavaScript."""
    return [mutant.applied(code) for mutant in mutants.script_mutants(code)]


@pytest.mark.parametrize(
    ("code", "after"),
    [
        ("a < b", ["a <= b", "a > b"]), ("a === b", ["a !== b"]), ("a - b", ["a + b"]),
        ("a += 2;", ["a -= 2;", "a += 3;", "a += 1;"]), ("a ?? b", ["a && b"]), ("!a.b", ["a.b"]),
        ("x[0.5]", ["x[1.0]", "x[0.25]"]), ("f(1e-3)", ["f(0.002)", "f(0.0005)"]),
        ("Math.min(a, b)", ["Math.max(a, b)"]), ("a = true", ["a = false"]),
        ('f("a - 1")', ['f("a - 1XX")']), ("// a - 1", []), ("/* 1\n2 */", []),
        ("`a - ${b - 1}`", []), ("x.replace(/^-1/, b)", []), ("(a) => a", []),
        ("...a", []), ("a1.b2", []), ("a != b", []),
        ("  a.f(b); // so", ["  ; // so"]), ("  a?.f(() => { b(); });", ["  ;"]), ("  f(a, (", []),
        ("  f(a\n", []), ("é - b", ["é + b"]),
    ],
)  # fmt: skip
def test_what_is_changed_in_a_script(code, after):
    assert script_changes(code) == after


def test_only_some_lines_of_a_script_are_changed():
    found = mutants.script_mutants("a - b\nc - d\ne - f\n", 2, 2)
    assert [(m.line, m.before, m.after) for m in found] == [(2, "c - d", "c + d")]


def test_a_change_is_put_in_its_place():
    source = "ä = 'ö'; x = 2 ** (\n    y + 1  # why\n)\nz = a / b ** 2\n"
    texts = [mutant.applied(source) for mutant in mutants.mutants(source)]
    assert "ä = 'ö'; x = 2 ** (\n    (y - 1)  # why\n)\nz = a / b ** 2\n" in texts
    assert "ä = 'öXX'; x = 2 ** (\n    y + 1  # why\n)\nz = a / b ** 2\n" in texts
    assert "ä = 'ö'; x = 2 ** (\n    y + 1  # why\n)\nz = a / (b * 2)\n" in texts, "and not a/b*2"
    assert [m.line for m in mutants.mutants("x = 1\ny = 2\nz = 3\n", 2, 2)] == [2, 2]


@pytest.mark.parametrize("name", ["safely", "book"])
def test_every_mutant_of_a_real_module_compiles_and_differs(name):
    source = (TOOLS / f"{name}.py").read_text(encoding="utf-8")
    found = mutants.mutants(source)
    assert len(found) > 50
    whole, names = ast.dump(ast.parse(source)), set()
    for mutant in found:
        assert ast.dump(ast.parse(mutant.applied(source))) != whole, mutant
        names.add(mutants.Memory.key(mutant))
    assert len(names) == len(found)


def test_survivors_are_named_and_the_second_time_is_free(toy, capsys, temporary):
    asked = command(toy, "--n", "0", "--lines", "8-8")
    assert mutants.main(asked) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "2 of 2 mutants, by test_toy.py" and told[1].startswith("0 of 2 are known")
    assert told[-2:] == [
        "toy.py:8: min(x, high) -> min(high, x)",
        "1 of 2 killed (50.0%), 0 of them by the time limit",
    ]
    assert mutants.main([*asked, "--at-least", "0.5"]) == 0
    again = capsys.readouterr().out.splitlines()
    assert again == [told[0], "2 of 2 are known from an earlier run", *told[-2:]]
    # Nothing was changed, and only what is known stays.
    assert (toy / "toy.py").read_text(encoding="utf-8") == MODULE
    assert (toy / "test_toy.py").read_text(encoding="utf-8") == WEAK
    left = os.listdir(temporary)
    assert not [name for name in left if not name.startswith("pymp-")], "(multiprocessing's own)"
    names = {path.name for path in toy.iterdir()}
    assert names == {".git", ".gitignore", ".cache", "toy.py", "test_toy.py"}


def test_a_sample_repeats_and_another_seed_gives_another(toy, monkeypatch):
    tried = []

    def note(chosen, runner, memories, options):
        tried.append([mutant.after for _, mutant in chosen])
        for module, mutant in chosen:
            memories[module].known[mutants.Memory.key(mutant)] = "failed"

    monkeypatch.setattr(mutants, "try_all", note)
    for seed in (0, 0, 1):
        assert mutants.main(command(toy, "--n", "4", "--seed", str(seed))) == 0
    assert tried[0] == tried[1] != tried[2] and {len(found) for found in tried} == {4}
    mutants.main(command(toy, "--lines", "8-"))
    assert tried[3] == ["min(high, x)", "max(x, high)"]


@takes_long
def test_a_mutant_without_end_is_ended(toy, capsys):
    code = "def count(n):\n    while n > 0:\n        n -= 3\n    return n\n"
    test = "from toy import count\ndef test():\n    assert count(3) == 0\n"
    (toy / "toy.py").write_text(code, encoding="utf-8")
    (toy / "test_toy.py").write_text(test, encoding="utf-8")
    options = ["--seed", "1", "--lines", "3-3", "--n", "1", "--limit", "3"]
    assert mutants.main(command(toy, *options)) == 0
    told = capsys.readouterr().out
    assert "toy.py:3: n -= 3 -> n += 3: killed by the time limit" in told
    assert told.endswith("1 of 1 killed (100.0%), 1 of them by the time limit\n")


@pytest.mark.parametrize(
    ("test", "said"),
    [("def test():\n    assert 1 == 2\n", "fail without any change"),
     ("def test():\n    pass\n", "pass without toy.py")],
)  # fmt: skip
def test_tests_that_prove_nothing_are_refused(toy, capsys, test, said):
    (toy / "test_toy.py").write_text(test, encoding="utf-8")
    assert mutants.main(command(toy)) == 2
    assert said in capsys.readouterr().err and not (toy / ".cache").exists()


@pytest.mark.parametrize("bad", [["--lines", "a-b"], ["--workers", "0"], ["no.py"], "unnamed"])
def test_a_bad_command_line_is_refused(toy, bad, capsys):
    asked = ["toy.py", "--root", str(toy)] if bad == "unnamed" else [*bad, *command(toy)]
    with pytest.raises(SystemExit) as refused:
        mutants.main(asked)
    assert refused.value.code == 2 and "usage" in capsys.readouterr().err


@takes_long
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_an_interruption_leaves_nothing_and_loses_nothing(toy, tmp_path, temporary, kind):
    """Stopped in the midst of a test that would sleep for ever; what was found before is kept."""
    note = tmp_path / "note"
    (toy / "toy.py").write_text("def f(x):\n    y = x + x\n    return y * y\n", encoding="utf-8")
    (toy / "test_toy.py").write_text(
        "import os, time, pathlib\nfrom toy import f\ndef test_f():\n    if f(3) == 1:\n"
        f"        pathlib.Path({str(note)!r}).write_text(str(os.getpid()))\n"
        "        time.sleep(600)\n    assert f(3) == 36\n",
        encoding="utf-8",
    )
    line = [sys.executable, str(TOOLS / "mutants.py"), *command(toy, "--n", "0")]
    before = set(os.listdir(temporary))
    process = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    end = time.monotonic() + 300
    while not (note.exists() and note.read_text(encoding="utf-8")):
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.05)
    process.send_signal(kind)
    told, error = process.communicate(timeout=120)
    assert process.returncode == 1 and "goes on from here" in error and "Traceback" not in error
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text(encoding="utf-8")), 0)
    assert set(os.listdir(temporary)) == before
    # x - x was tried before y / y, which was cut off.
    assert "[1/2] toy.py:2: x + x -> x - x: killed" in told
    known = mutants.Memory(toy, "toy.py", ["test_toy.py"]).known
    assert list(known.values()) == ["failed"]


@takes_long
def test_a_long_name_of_the_temporary_folder_does_no_harm(toy, tmp_path):
    """In a process of its own: multiprocessing keeps the folder of its first socket."""
    long = tmp_path / ("long" * 30)
    long.mkdir()
    line = [sys.executable, str(TOOLS / "mutants.py"), *command(toy, "--n", "0", "--lines", "8-8")]
    done = subprocess.run(
        line, env=os.environ | {"TMPDIR": str(long)}, capture_output=True, encoding="utf-8"
    )
    assert "1 of 2 killed" in done.stdout and "TMPDIR is too long" in done.stdout, done.stderr
    assert not done.stderr and not list(long.iterdir())


def test_a_folder_that_something_still_writes_into_is_gone_in_the_end(toy, monkeypatch):
    """As a browser does whose test was killed."""
    remove, tried = mutants.shutil.rmtree, []

    def busy(folder):
        tried.append(folder)
        if len(tried) < 3:
            raise OSError(39, "Directory not empty", str(folder))
        remove(folder)

    monkeypatch.setattr(mutants.shutil, "rmtree", busy)
    with pytest.raises(KeyboardInterrupt), mutants.temporary_folder() as folder:
        (folder / "note").write_text("a", encoding="utf-8")
        raise KeyboardInterrupt
    assert len(tried) == 3 and not folder.exists()
    tried.clear()
    with pytest.raises(OSError, match="not empty"), mutants.temporary_folder(0) as folder:
        pass
    assert len(tried) == 1 and folder.exists()
    remove(folder)


def test_without_a_short_folder_it_says_so(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mutants, "FOLDERS", (str(tmp_path / "none"),))
    monkeypatch.setattr(mutants.tempfile, "tempdir", "/" + 60 * "n")
    assert mutants.main(command(toy)) == 2
    told = capsys.readouterr().err
    assert "TMPDIR" in told and "at most 50 bytes, and not 61" in told
    assert mutants.tempfile.tempdir == "/" + 60 * "n"


def test_every_module_has_guards_that_are_there():
    table = mutants.guards(ROOT)
    folders = ("", "benchmarks/**/", "classroom/**/", "lab/**/", "live/**/", "experiments/**/",
               "tools/")  # fmt: skip
    patterns = [f"{folder}*.py" for folder in folders]
    modules = {path for pattern in patterns for path in ROOT.glob(pattern)}
    wanted = {
        path.relative_to(ROOT).as_posix() for path in modules
        if mutants.mutants(path.read_text(encoding="utf-8"))
    }  # fmt: skip
    assert wanted == {name for name in table if name.endswith(".py")}
    assert page_mutants.TABLE.keys() <= table.keys()
    for module, guards in table.items():
        assert (ROOT / module).is_file(), module
        assert len(guards) == len(set(guards)), module
        for guard in guards:
            assert (ROOT / guard).is_file(), f"{module}: {guard}"
            is_test = guard.startswith("tests/") and Path(guard).name.startswith("test_")
            assert is_test or ">>> " in (ROOT / guard).read_text(encoding="utf-8"), guard
    by_hand = {"tools/audit.py", "tools/hardships.py"}
    alone = ("classroom", "lab", "rivals", "run", "work", "peers/with_freia", "peers/with_nflows",
             "peers/with_normflows", "peers/with_zuko")  # fmt: skip
    by_hand |= {f"benchmarks/{name}.py" for name in alone}
    assert {module for module, guards in table.items() if not guards} == by_hand


def test_a_folder_is_tried_by_the_tables_guards(toy, capsys):
    """Each test runs on the changes of the lines that it runs, and no other."""
    (toy / "tools").mkdir()
    (toy / "tools" / "guards.toml").write_text(
        '"room/one.py" = ["test_one.py"]\n"room/two.py" = ["test_two.py"]\n', encoding="utf-8"
    )
    (toy / "room").mkdir()
    (toy / "room" / "one.py").write_text("def one(x):\n    return x + 1\n", encoding="utf-8")
    (toy / "room" / "two.py").write_text("def two(x):\n    return -x\n", encoding="utf-8")
    counts = "from pathlib import Path\ndef count(name):\n    with Path(%r).open('a') as file:\n"
    counts = counts % str(toy / "count") + "        file.write(name)\n"
    for name, wanted in (("one", 3), ("two", -2)):
        (toy / f"test_{name}.py").write_text(
            f"from room.{name} import {name}\n{counts}"
            f"def test():\n    count('{name[0]}')\n    assert {name}(2) == {wanted}\n"
            f"def test_other():\n    count('{name[0].upper()}')\n", encoding="utf-8",
        )  # fmt: skip
    assert mutants.main(["room", "--quick", "--n", "0", "--root", str(toy)]) == 0
    told = capsys.readouterr().out
    assert (
        "4 of 4 mutants, by test_one.py test_two.py\n" in told and "4 of 4 killed (100.0%)" in told
    )
    assert "] room/one.py:2: x + 1 -> x - 1: killed" in told
    assert "] room/two.py:2: -x -> x: killed" in told
    assert (toy / "count").read_text(encoding="utf-8") == "oOtT" + "ooo" + "t"


@takes_long
def test_quick_leaves_out_the_tests_that_do_not_run_the_line(toy, capsys):
    """Such as one that starts another process: without it the change survives, and is not held
    to be known when all tests are asked."""
    (toy / "test_toy.py").write_text(
        "import subprocess, sys\nfrom toy import clip\ndef test():\n    assert clip(9) == 9\n"
        "def test_process():\n    code = 'from toy import clip; assert clip(12) == 9'\n"
        "    assert subprocess.run([sys.executable, '-c', code]).returncode == 0\n",
        encoding="utf-8",
    )
    asked = command(toy, "--n", "0", "--lines", "8-8", "--at-least", "0.5")
    assert mutants.main([*asked, "--quick"]) == 1 and "0 of 2 killed" in capsys.readouterr().out
    assert mutants.main(asked) == 0
    assert "min(x, high) -> max(x, high): killed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "lines"),
    [(1, [1]), (2, [2, 3]), (3, [2, 3]), (4, [4]), (5, [5, 6]), (6, [5, 6]), (7, [7]), (8, [8])],
)
def test_the_statement_of_a_line(line, lines):
    code = "def f(a):\n    g(1,\n      2)\n    if a:\n        h(\n        )\n"
    code += "    else:\n        a = 1\n"
    assert list(mutants.statement(ast.parse(code), line)) == lines


@pytest.mark.parametrize("path", dict.fromkeys(fault.path for fault in page_mutants.MUTANTS))
def test_each_fault_of_the_page_can_be_made(path):
    """Its text stands in the file once: whoever changes the line changes the table too."""
    source = (TOOLS.parent / path).read_text(encoding="utf-8")
    faults = [fault for fault in page_mutants.MUTANTS if fault.path == path]
    made = [page_mutants.as_mutant(fault, source).applied(source) for fault in faults]
    assert faults and len({source, *made}) == len(faults) + 1, "each is another change"
    for fault, text in zip(faults, made, strict=True):
        assert text == source.replace(fault.old, fault.new)


def defined(name: str, test: list[str]) -> bool:
    """Whether a file of tests defines a test, perhaps in a class."""
    nodes = ast.parse((ROOT / name).read_text(encoding="utf-8")).body
    for part in test:
        inside = [node for node in nodes if getattr(node, "name", "") == part]
        nodes = inside[0].body if inside else []
    return bool(nodes)


def test_each_fault_of_once_has_tests_that_are_there():
    table = tomllib.loads((ROOT / page_mutants.ONCE).read_text(encoding="utf-8"))
    kinds = [(name[0], int(name[1:])) for name in table]
    assert (
        kinds == sorted(kinds) and "".join(dict.fromkeys(kind for kind, _ in kinds)) == "ABCDEFGH"
    )
    for kind in "ABCDEFGH":
        numbers = [number for letter, number in kinds if letter == kind]
        assert numbers == list(range(1, len(numbers) + 1)), kind
    for name, row in table.items():
        assert row.keys() <= {"was", "open", "tests", "again"} and row["was"] and row["tests"], name
        assert len(row["tests"]) == len(set(row["tests"])), name
        for test in row["tests"]:
            file, *parts = test.split("::")
            assert parts and defined(file, parts), f"{name}: there is no test {test}"
        for _, old, new, *named in row.get("again", []):
            assert old != new and len(named) <= 1, name
            last = [test.split("::")[-1] for test in row["tests"]]
            assert set(named) <= set(last), f"{name}: {named} is no test of the row"


def test_a_test_that_is_not_there_is_seen():
    assert defined("tests/tools/test_book.py", ["TestEnvironment", "test_it_is_set_up_once"])
    assert not defined("tests/tools/test_book.py", ["test_it_is_set_up_once"])
    assert not defined("tests/tools/test_book.py", ["TestEnvironment", "test_nothing"])


def test_a_fault_of_once_is_tried_by_one_test(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / page_mutants.ONCE).write_text(
        '[A1]\nwas = "No end"\ntests = ["b.py::test_c", "b.py::test_d"]\n'
        'again = [["a.py", "x", "y"], ["a.py", "u", "v", "test_d"]]\n'
        '[A2]\nwas = "No start"\ntests = ["b.py::test_c"]\n', encoding="utf-8"
    )  # fmt: skip
    assert page_mutants.faults_of_once(tmp_path) == [
        page_mutants.PageMutant("a.py", "A1: No end", "x", "y", ("b.py::test_c",)),
        page_mutants.PageMutant("a.py", "A1: No end", "u", "v", ("b.py::test_d",)),
    ]


def test_a_fault_whose_text_is_gone_or_stands_there_twice_is_named():
    fault = page_mutants.PageMutant("plot.js", "no titles", "title", "")
    for source, count in (("", 0), ("a title, a title", 2)):
        with pytest.raises(ValueError, match=rf"plot.js has {count} times 'title' \(no titles\)"):
            page_mutants.as_mutant(fault, source)


def test_faults_that_no_test_notices_are_named(toy, monkeypatch, capsys):
    monkeypatch.setattr(page_mutants, "ROOT", toy)
    monkeypatch.setattr(page_mutants, "GUARDS", {"./toy.py": ["test_toy.py"]})
    own = ("test_toy.py::test_clip",)  # (the other is tried by those that guard the file)
    faults = [("./toy.py", "a larger end", "high=9", "high=8", own),
              ("./toy.py", "another order", "min(x, high)", "min(high, x)")]  # fmt: skip
    monkeypatch.setattr(page_mutants, "MUTANTS", [page_mutants.PageMutant(*f) for f in faults])
    assert page_mutants.main([]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[-2] == "ALIVE: ./toy.py: another order: 'min(x, high)' -> 'min(high, x)'"
    assert told[-1] == "1 of 2 killed"
    assert [line for line in told if line.startswith("./toy.py, by")] == [
        "./toy.py, by test_toy.py::test_clip", "./toy.py, by test_toy.py",
    ]  # fmt: skip
    assert page_mutants.main(["larger"]) == 0 and "1 of 1 killed" in capsys.readouterr().out
    assert (toy / "toy.py").read_text(encoding="utf-8") == MODULE
