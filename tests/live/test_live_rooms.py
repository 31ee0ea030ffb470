"""`live` knows nothing of the course, its rooms only those below them; and it installs alone."""

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
import zoo
from packaging.requirements import Requirement
from packaging.version import Version
from samples import takes_long

ROOT = Path(__file__).resolve().parents[2]
LIVE = ROOT / "live"
STANDARD = set(sys.stdlib_module_names)
# room: (rooms below it, packages)
ROOMS = {
    "compiler": (set(), {"torch"}),
    "page": ({"compiler"}, set()),
    "figure": ({"compiler", "page"}, {"anywidget", "matplotlib", "numpy", "torch", "traitlets"}),
    "lab": ({"compiler", "page"}, {"torch"}),
    "": ({"compiler", "figure"}, set()),  # live/__init__.py, the door
}


def imports(source: str, package: str) -> set[str]:
    """Whole names of all modules that a module of `package` imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(parts if node.level else []), *filter(None, [node.module])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            assert name not in ("__import__", "import_module"), "import by a statement"
    return found


def misplaced(source: str, room: str) -> set[str]:
    """What a module of a room imports and should not."""
    rooms, packages = ROOMS[room]
    bad = set()
    for name in imports(source, f"live.{room}".strip(".")):
        top, *inside = name.split(".")
        if top == "live":
            good = bool(inside) and inside[0] in rooms | ({room} if room else set())
        else:
            good = top in STANDARD | packages
        bad |= set() if good else {name}
    return bad


def test_it_asks_for_no_torch_older_than_the_oldest_tried():
    """`make zoo` tries the oldest one that the course allows; `live` alone asks for the same."""
    wanted = tomllib.loads((LIVE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {r.name: r.specifier for r in map(Requirement, wanted["dependencies"])}
    oldest = Version(zoo.OLD_TORCH)
    assert (
        oldest in named["torch"]
        and Version(f"{oldest.major}.{oldest.minor - 1}.9") not in named["torch"]
    )


@pytest.mark.parametrize(
    ("source", "room", "bad"),
    [
        ("import flows", "compiler", 1), ("import numpy as np", "compiler", 1),
        ("def f():\n    from gen_models_utilities import style", "figure", 1),
        ("import torch.fx, math\nfrom . import runtime\nfrom .expr import Expr", "compiler", 0),
        ("from ..page import bundle", "compiler", 1), ("from ..figure import widget", "page", 1),
        ("from .. import figure", "page", 1), ("from .. import compiler", "page", 0),
        ("from live import figure", "compiler", 1), ("import live", "figure", 1),
        ("import live.compiler.trace\nfrom ..page import bundle", "figure", 0),
        ("import torch", "page", 1), ("from .figure import live_figure", "", 0),
    ],
)  # fmt: skip
def test_finding_what_is_misplaced(source, room, bad):
    assert len(misplaced(source, room)) == bad


def test_every_module_imports_what_its_room_may():
    modules = [path for path in sorted(LIVE.rglob("*.py"))
               if LIVE / "build" not in path.parents]  # (left by pip)  # fmt: skip
    assert len(modules) > 20
    for path in modules:
        *room, _ = path.relative_to(LIVE).parts
        assert "".join(room) in ROOMS, f"{path.name} lies in no room"
        source = path.read_text(encoding="utf-8")
        assert not (bad := misplaced(source, "".join(room))), f"{path.relative_to(LIVE)}: {bad}"


def test_every_room_says_what_it_is_for():
    for room in filter(None, ROOMS):
        text = (LIVE / room / "README.md").read_text(encoding="utf-8")
        assert text.startswith(f"# {room}: ") and "Start reading at" in text.replace("\n", " ")
        for module in (LIVE / room).glob("[a-z]*.py"):
            family = f"`{module.name.split('_')[0]}_*.py`"
            assert f"`{module.name}`" in text or family in text, f"{room}/README.md: {module.name}"


# A distribution of its own ------------------------------------------------------------------------


def test_it_declares_what_it_imports():
    def declared(folder):
        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
        return {Requirement(line) for line in tomllib.loads(text)["project"]["dependencies"]}

    packages = set().union(*(packages for _, packages in ROOMS.values()))
    assert {requirement.name for requirement in declared(LIVE)} == packages
    assert declared(LIVE) <= declared(ROOT), "the course asks for the same versions"


ALONE = """
import sys
from pathlib import Path
import torch
import live
from live.page import bundle, site

assert Path(live.__file__).is_relative_to(sys.argv[1]), live.__file__
for name in ("flows", "gen_models_utilities", "experiments"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{name} is on the path")
program = live.compile(lambda z, a: torch.tanh(a * z), torch.zeros(5), 1.0, name="f")
assert "live.tanh(a * z[i])" in program.code and "tanh: (x)" in program.module()
figure = live.live_figure(lambda z, a: a * z, a=(0.5, 2.0, 1.0))
assert figure.spec["params"][0]["name"] == "a" and figure.spec["check"].keys() >= {"z", "x"}
assert ".live-figure" in bundle.css() and "mountPage" in bundle.site() and site.setup
"""


@takes_long
def test_it_installs_and_works_without_the_course(tmp_path):
    """Built and installed into a folder of its own, where nothing else is but what the course
    needs from others; no network is asked."""
    ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    shutil.copytree(LIVE, tmp_path / "source", ignore=ignored)
    shutil.copy(ROOT / "LICENSE", tmp_path / "source")
    installed = tmp_path / "installed"
    # -S: an environment may have the course itself, by a .pth file.
    paths = os.pathsep.join([str(installed), sysconfig.get_path("purelib")])

    def run(*arguments, **variables):
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, env=kept | variables,
                              capture_output=True, encoding="utf-8", errors="replace")  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]

    run("-m", "pip", "install", "--no-deps", "--no-index", "--no-build-isolation", "--quiet",
        "--disable-pip-version-check", "--target", str(installed), "./source")  # fmt: skip
    run("-S", "-c", ALONE, str(installed), PYTHONPATH=paths, OMP_NUM_THREADS="1")
