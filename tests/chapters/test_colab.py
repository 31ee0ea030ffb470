"""Each chapter runs in Colab: alone in an empty folder, with Colab's packages, on another CPU.

Colab itself cannot be had here, so a second environment stands in for it: its versions (see
colab-requirements.txt), a stub of `google.colab`, and git told to find the course's address in a
copy of this repository. The first cell then does what it does in Colab. For a live figure, a page
in Chromium stands in for Colab's: it speaks the protocol of ipywidgets 7 with a kernel.

nbval runs the chapters on the machine's own CPU path; here they run as on a machine without vector
instructions, where sums are taken in another order, and must print the same. `make zoo` tries more
stand-ins.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import execute
import nbformat
import pytest
import student
import torch
import zoo
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from repository import address
from samples import ALL_TESTS, some_of, takes_long
from solutions import TARGET

from classroom.sheet import read_hand_in

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path(__file__).with_name("colab-requirements.txt")
COURSE = "normalizing-flows-course"
BORROWED = ["torch", "torchgen", "functorch"]
OTHER_CPU = zoo.SETTINGS["default"]
SAY_THE_PATH = "print(torch.backends.cpu.get_cpu_capability())"


def call(*command, **options) -> str:
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def requirements() -> tuple[list[str], list[str]]:
    """What is installed with all that it asks for, and what is installed alone."""
    found = {False: [], True: []}
    for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        requirement, _, remark = line.partition("#")
        if requirement.strip():
            found[remark.strip() == "alone"].append(requirement.strip())
    return found[False], found[True]


@pytest.fixture(scope="module")
def colab() -> Path:
    """An environment with Colab's versions, made once and kept until they change."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + torch.__version__.encode()).hexdigest()[:12]
    place = ROOT / ".cache" / f"colab-{key}"
    if not (place / "ready").exists():
        shutil.rmtree(place, ignore_errors=True)
        call(sys.executable, "-m", "venv", place)
        python = place / "bin" / "python"
        install = ["-m", "pip", "install", "--disable-pip-version-check", "--no-compile"]
        with_all, alone = requirements()
        call(python, *install, *with_all)
        call(python, *install, "--no-deps", *alone)
        site = Path(call(python, "-c", "import site; print(site.getsitepackages()[0])").strip())
        installed = Path(torch.__file__).parents[1]
        for name in [*BORROWED, *(path.name for path in installed.glob("torch-*.dist-info"))]:
            if (installed / name).exists():
                (site / name).symlink_to(installed / name)
        (site / "google" / "colab").mkdir(parents=True)
        (site / "google" / "colab" / "__init__.py").write_text("", encoding="utf-8")
        # Colab imports its own package before the first cell runs.
        (site / "sitecustomize.py").write_text("import google.colab\n", encoding="utf-8")
        (place / "ready").touch()
    return place


@pytest.fixture(scope="module")
def served_course(tmp_path_factory) -> Path:
    """A git repository with the course as it lies here, committed or not."""
    place = tmp_path_factory.mktemp("served") / "course"
    listed = call("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT)
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    call("git", "init", "--quiet", "--initial-branch=main", cwd=place)
    call("git", "add", "--all", cwd=place)
    person = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    call("git", *person, "commit", "--quiet", "--message=Course", cwd=place)
    return place


@pytest.fixture(scope="module")
def tried() -> set[str]:
    """The setup cells that have done what they do in Colab: none needs to do it twice."""
    return set()


def packages(colab: Path) -> dict[str, str]:
    """Name -> version of all that is installed."""
    (site,) = colab.glob("lib/python*/site-packages")
    return {d.metadata["Name"]: d.version for d in distributions(path=[str(site)])}


def forget_the_course(colab: Path) -> None:
    """An earlier run may have left an older course behind."""
    if COURSE in packages(colab):
        python = colab / "bin" / "python"
        call(python, "-m", "pip", "uninstall", "--yes", COURSE, env=clean_environment())


def clean_environment() -> dict[str, str]:
    """No path may lead from Colab's stand-in back to this checkout."""
    return {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}


def environment(served_course: Path) -> dict[str, str]:
    """Of a kernel in Colab: git finds the course's address in a folder of this machine."""
    return clean_environment() | {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{served_course.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": address(),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        **OTHER_CPU.variables,
    }


def kernel_specs(colab: Path, folder: Path) -> KernelSpecManager:
    """Knows one kernel, called colab."""
    kernel = folder / "kernels" / "colab" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    python = str(colab / "bin" / "python")
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(
        json.dumps({"argv": argv, "display_name": "Colab", "language": "python"}), encoding="utf-8"
    )
    return KernelSpecManager(kernel_dirs=[str(kernel.parents[1])])


def opened(notebook, folder: Path, specs: KernelSpecManager) -> NotebookClient:
    """A notebook in a folder of Colab."""
    client = NotebookClient(
        notebook,
        timeout=3600,  # to end what hangs, not to judge a busy machine
        startup_timeout=600,
        kernel_name="colab",
        resources={"metadata": {"path": str(folder)}},
    )
    client.widget_registry = {}  # see tools/execute.py: or a reply may be missed
    client.kernel_spec_manager = specs
    client.create_kernel_manager().kernel_spec_manager = client.kernel_spec_manager
    return client


def installs(cell) -> bool:
    """Whether a cell does in Colab what it does nowhere else."""
    return execute.has_tag(cell, "setup")


# How solutions begin that take a while. The former run nowhere, the latter in make test-all and in
# test_devices.py, with few layers and steps.
SLOW = ("# About",) if ALL_TESTS else ("# About", "# Up to")


def add_solutions(notebook) -> None:
    """Append the solutions of the exercises, less those that say they take a while."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    solutions = re.findall(r"^````\{solution\} .*?^````$", text, flags=re.DOTALL | re.MULTILINE)
    assert bool(solutions) == TARGET.exists()  # an edition without solutions has none
    for solution in solutions:
        blocks = re.findall(r"^```python\n(.*?)^```$", solution, flags=re.DOTALL | re.MULTILINE)
        if blocks and not blocks[0].startswith(SLOW):
            notebook.cells.append(nbformat.v4.new_code_cell("\n".join(blocks)))


TOKEN = re.compile(
    r"(?P<name>[A-Za-z_$][\w$]*)|(?P<number>\d+(?:\.\d+)?(?:e[-+]?\d+)?)|(?P<space>\s+)|.",
    flags=re.DOTALL,
)
NO_VALUE = {"return", "case", "typeof", "in", "of"}  # names after which a minus is a sign


def structure(code: str) -> str:
    """The JavaScript with each number that a training may have made replaced by #, sign and all.

    That is a number with a fraction or an exponent. Whole numbers are sizes and indices: they
    stay. So do operators: a minus between two values is one of them, a minus that follows no
    value is a sign.
    """
    parts, after_value, sign = [], False, False
    for token in TOKEN.finditer(code):
        kind, text = token.lastgroup, token.group()
        if kind == "number" and not text.isdigit():
            if sign and parts[-1] == "-":
                parts.pop()
            text = "#"
        parts.append(text)
        if kind != "space":
            sign = text == "-" and not after_value
            after_value = text in (")", "]") or bool(kind) and text not in NO_VALUE
    return "".join(parts)


def compiled(notebook, stem: str) -> dict[str, str]:
    """The code of each live figure, less the numbers that a training may have made."""
    execute.keep_live_figures(notebook, stem)
    saved = notebook.metadata.get("widgets", {}).get(execute.WIDGET_STATE, {}).get("state", {})
    return {
        name: structure(m["state"]["code"]) for name, m in saved.items() if "code" in m["state"]
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a - 1.5", "a - -1.5"),
        ("a + 1.5", "a + -2.25"),
        ("a * 0.5 + 0.1", "a * -0.5 + -0.1"),
        ("w3[2 * i + 1] + -0.10818930715322495", "w3[2 * i + 1] + 0.4"),
        ("f(0.5)", "f(-1e-07)"),
        ("f(a, 0.5)", "f(a, -0.5)"),
        ("[0.5, 0.5]", "[-0.5, -3.5e+21]"),
        ("x = 0.5;", "x = -0.5;"),
        ("return 0.5", "return -0.5"),
        ("a < 0.5 ? 0.5 : 0.5", "a < -0.5 ? -0.5 : -0.5"),
        ("a && 2.5e-07", "a && -0.5"),
        ("a[0] - 0.5", "a[0] - -0.5"),
        ("f(a) - 0.5", "f(a) - -0.5"),
        ("0.5 - 0.5", "-0.5 - -0.5"),
        ("-a - 0.5", "-a - -0.5"),
    ],
)
def test_trained_numbers_are_left_out_with_their_sign(one, other):
    assert structure(one) == structure(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a - 1.5", "a + 1.5"),  # another operator, not another number
        ("a - 1.5", "a + -1.5"),
        ("a - -1.5", "a + 1.5"),
        ("a -1.5", "a * -1.5"),
        ("f(a) - 0.5", "f(a), -0.5"),
        ("-a * 0.5", "a * 0.5"),
        ("a * 0.5", "b * 0.5"),
        ("w3[2 * i + 1] * 0.5", "w3[2 * i] * 0.5"),  # whole numbers are structure
        ("a + 0.5", "a + 0.5 + 0.5"),
        ("a1 + 0.5", "a2 + 0.5"),
        ("a ** -2", "a ** 2"),
        ("0.5", "NaN"),
        ("0.5", "-Infinity"),
    ],
)
def test_any_other_difference_between_compiled_figures_is_seen(one, other):
    assert structure(one) != structure(other)


def test_code_compiled_from_other_weights_has_the_same_structure():
    from live import compile

    def code(scale, shift, sign=1):
        def layer(x):
            x = torch.tanh(x * scale + shift) - sign * torch.exp(x - shift)
            # Long enough for a part of it to get a name, with many digits and with few.
            inner = torch.exp(-torch.tanh(x * scale + shift)) * (x * shift + scale) * scale
            return torch.sin(inner)

        return compile(layer, torch.zeros(5), dynamic=(), name="layer").code

    first = code(0.37, -1.25)
    for other in (code(-2.5e-7, 0.81), code(0.3712345678901234, -0.1234567890123456)):
        assert first != other and structure(first) == structure(other)
    assert structure(code(0.37, -1.25, sign=-2)) != structure(first)


CHAPTERS = execute.chapters()


# What trains must do so on this path; what installs the course stands in each chapter alike.
@pytest.mark.parametrize(
    "chapter", some_of(CHAPTERS, zoo.training_chapters()), ids=lambda path: path.stem
)
def test_chapter_runs_in_colab(chapter, colab, served_course, tried, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    shutil.copy2(chapter, folder)
    notebook = nbformat.read(folder / chapter.name, as_version=4)
    stored = nbformat.read(chapter, as_version=4)
    setup = next(cell for cell in notebook.cells if installs(cell))
    if new := setup.source not in tried:
        forget_the_course(colab)
        before = packages(colab)
    else:  # of the course as it lies here: `served_course` was made once, too
        setup.source = f"# tried before:\n{re.sub('^', '# ', setup.source, flags=re.MULTILINE)}"
    notebook.cells.append(nbformat.v4.new_code_cell(SAY_THE_PATH))
    add_solutions(notebook)
    client = opened(notebook, folder, kernel_specs(colab, tmp_path))
    client.execute(env=environment(served_course))

    if new:
        after = packages(colab)
        assert set(after) - set(before) == {COURSE}, "the setup cell installs this, and only this"
        assert {name: after[name] for name in before} == before, "Colab's packages stay"
        tried.add(setup.source)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert "Something is wrong" not in output.get("text", "")
    own, (path, *_) = notebook.cells[: len(stored.cells)], notebook.cells[len(stored.cells) :]
    assert path.outputs[0].text.strip() == OTHER_CPU.path
    pairs = [pair for pair in zip(stored.cells, own, strict=True) if not installs(pair[0])]
    found = zoo.Result(len(pairs), zoo.faults(*zip(*pairs, strict=True)), {})
    assert not found.faults, f"\n{zoo.details('default', chapter.stem, found)}"
    assert compiled(notebook, chapter.stem) == compiled(stored, chapter.stem), "run `make execute`"


# What a click on "Mount Drive" does, but in a folder of this machine; and what stands in for it.
MOUNT_DRIVE = """
import sys, types
from pathlib import Path
from classroom import sheet as module

def mount(place):
    Path(place, "MyDrive").mkdir(parents=True, exist_ok=True)

drive = sys.modules["google.colab.drive"] = types.ModuleType("google.colab.drive")
drive.mount, module.DRIVE = mount, Path({place!r}, "MyDrive")

from google.colab import drive

drive.mount({place!r})
"""


@takes_long
def test_a_sheet_goes_on_in_colab_on_drive_and_says_what_is_lost_without(
    colab, served_course, tried, tmp_path
):
    """Machines after each other: all that they share is the Drive, or a file that is uploaded."""
    notebook, specs = student.assigned(tmp_path), kernel_specs(colab, tmp_path)
    setup = student.cell_of(notebook, "setup")
    if setup.source in tried:
        setup.source = "# tried with a chapter"
    else:
        forget_the_course(colab)
    place = str(tmp_path / "drive")
    settings = {
        "opened": lambda content, folder: opened(content, folder, specs),
        "env": environment(served_course),
        "leave_out": ("compare", "check"),
    }
    mounted = settings | {"added": {"open": MOUNT_DRIVE.format(place=place)}}
    lost = "which goes when this machine goes"
    student.run(notebook, tmp_path / "one", stop_after=2, **mounted)
    setup.source = "# tried before"
    before = student.stored(Path(place, "MyDrive"))
    assert len(before) == 2 and not list((tmp_path / "one").iterdir())
    assert lost not in student.said(notebook, "run")
    (tmp_path / "three").mkdir()
    nbformat.write(notebook, tmp_path / "three" / "sheet (1).ipynb")  # as Colab names an upload

    student.run(notebook, tmp_path / "two", **mounted)
    after = student.stored(Path(place, "MyDrive"))
    assert len(after) == student.ARMS and before.items() <= after.items()
    whole = read_hand_in(student.said(notebook, "hand-in"))

    # Without Drive: Colab's upload put the file where the notebook runs.
    settings |= {"added": {"run": 'sheet.resume("sheet (1).ipynb")'}}
    student.run(notebook, tmp_path / "three", **settings)
    assert lost in student.said(notebook, "run")
    assert f"All {student.ARMS} runs are stored" in student.said(notebook, "run")
    moved = read_hand_in(student.said(notebook, "hand-in"))
    assert moved["predictions"] == whole["predictions"] and len(moved["runs"]) == student.ARMS
    same = [name for name, record in moved["runs"].items() if record == whole["runs"][name]]
    assert same[:2] == list(moved["runs"])[:2], "taken over as they were, CPU time and all"
    for name, record in moved["runs"].items():
        assert record["rows"] == whole["runs"][name]["rows"]


class Kernel:
    """A kernel and what its widgets tell the page."""

    def __init__(self, manager: KernelManager):
        self.client, self.opened, self.updates = manager.client(), {}, []
        self.client.start_channels()
        self.client.wait_for_ready(timeout=600)

    def run(self, code: str) -> list[dict]:
        """Execute a cell; returns its outputs, and notes the widgets' messages."""
        request, outputs = self.client.execute(code), []
        while True:
            message = self.client.get_iopub_msg(timeout=600)
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            assert kind != "error", content.get("traceback")
            if kind == "status" and content["execution_state"] == "idle":
                return outputs
            if kind == "comm_open" and content["target_name"] == "jupyter.widget":
                self.opened[content["comm_id"]] = content["data"]["state"]
            elif kind == "comm_msg" and content["data"].get("method") == "update":
                self.updates.append(content["data"]["state"])
            elif kind in ("stream", "display_data", "execute_result"):
                outputs.append(content)

    def tell(self, widget: str, state: dict) -> None:
        """What the page sends when a slider moves."""
        data = {"method": "update", "state": state, "buffer_paths": []}
        message = self.client.session.msg("comm_msg", {"comm_id": widget, "data": data})
        self.client.shell_channel.send(message)


HOST = """async (state) => {
  const url = URL.createObjectURL(new Blob([state._esm], { type: "text/javascript" }));
  const widget = (await import(url)).default;
  const listeners = {}, changed = {};
  window.sent = [];
  const notify = (name) => (listeners[`change:${name}`] ?? []).forEach((f) => f());
  const model = {
    get: (name) => state[name],
    set: (name, value) => { state[name] = changed[name] = value; notify(name); },
    save_changes: () => {
      window.sent.push({ ...changed });
      for (const name in changed) delete changed[name];
    },
    on: (event, f) => (listeners[event] ??= []).push(f),
    off: (event, f) => { listeners[event] = (listeners[event] ?? []).filter((g) => g !== f); },
  };
  window.fromKernel = (update) => {
    for (const [name, value] of Object.entries(update)) { state[name] = value; notify(name); }
  };
  await widget.render({ model, el: document.body });
}"""


def test_live_figure_in_colab(colab, served_course, chromium, tmp_path):
    """Written by a student, moved by keyboard, read and set in Python: with ipywidgets 7.7.1."""
    if COURSE not in packages(colab):
        source = f"git+{address()}"
        call(colab / "bin" / "python", "-m", "pip", "install", "--no-deps", source,
             env=environment(served_course))  # fmt: skip
    manager = KernelManager(kernel_name="colab", kernel_spec_manager=kernel_specs(colab, tmp_path))
    manager.start_kernel(env=environment(served_course), cwd=str(tmp_path))
    page = chromium.new_page()
    try:
        kernel = Kernel(manager)
        kernel.run("import torch\nfrom live import live_figure\n"
                   "def mine(z, alpha):\n    return torch.sinh(alpha * z)")  # fmt: skip
        shown = kernel.run("figure = live_figure(mine, alpha=(0.1, 3.0, 1.0))\nfigure")
        (data,) = [content["data"] for content in shown]
        assert "image/png" not in data, "nothing that Colab would rather show"
        widget = data[execute.WIDGET_VIEW]["model_id"]
        page.evaluate(HOST, kernel.opened[widget])
        slider = page.locator("[data-param=alpha]")
        before = page.evaluate("document.querySelector('canvas').toDataURL()")
        slider.focus()
        page.keyboard.press("ArrowRight")
        changed = "(before) => document.querySelector('canvas').toDataURL() !== before"
        page.wait_for_function(changed, arg=before)
        for state in page.evaluate("window.sent"):
            kernel.tell(widget, state)
        (printed,) = kernel.run("print(figure.alpha)")
        assert float(printed["text"]) == float(slider.input_value()) != 1.0
        kernel.updates.clear()
        kernel.run("figure.alpha = 2.5")
        for state in kernel.updates:
            page.evaluate("(state) => window.fromKernel(state)", state)
        assert slider.input_value() == "2.5"
    finally:
        page.close()
        manager.shutdown_kernel(now=True)
