"""Each chapter runs in Colab: alone in an empty folder, with Colab's older packages.

Colab itself cannot be had here, so a second environment stands in for it: its versions (see
colab-requirements.txt), a stub of `google.colab`, and git told to find the course's address in a
copy of this repository. The first cell then does what it does in Colab.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import execute
import nbformat
import pytest
import torch
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from repository import address

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "tests" / "colab-requirements.txt"
COURSE = "normalizing-flows-course"
BORROWED = ["torch", "torchgen", "functorch"]


def call(*command, **options) -> str:
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def colab() -> Path:
    """An environment with Colab's versions, made once and kept until they change."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + torch.__version__.encode()).hexdigest()[:12]
    place = ROOT / ".cache" / f"colab-{key}"
    if not (place / "ready").exists():
        shutil.rmtree(place, ignore_errors=True)
        call(sys.executable, "-m", "venv", place)
        python = place / "bin" / "python"
        call(python, "-m", "pip", "install", "--disable-pip-version-check", "-r", REQUIREMENTS)
        site = Path(call(python, "-c", "import site; print(site.getsitepackages()[0])").strip())
        installed = Path(torch.__file__).parents[1]
        for name in [*BORROWED, *(path.name for path in installed.glob("torch-*.dist-info"))]:
            if (installed / name).exists():
                (site / name).symlink_to(installed / name)
        (site / "google" / "colab").mkdir(parents=True)
        (site / "google" / "colab" / "__init__.py").write_text("")
        # Colab imports its own package before the first cell runs.
        (site / "sitecustomize.py").write_text("import google.colab\n")
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


def packages(colab: Path) -> dict[str, str]:
    """Name -> version of all that is installed."""
    listed = call(
        colab / "bin" / "python", "-m", "pip", "list", "--format=json", env=clean_environment()
    )
    return {entry["name"]: entry["version"] for entry in json.loads(listed)}


def clean_environment() -> dict[str, str]:
    """No path may lead from Colab's stand-in back to this checkout."""
    return {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}


@pytest.mark.parametrize("chapter", execute.chapters(), ids=lambda path: path.stem)
def test_chapter_runs_in_colab(chapter, colab, served_course, tmp_path):
    python = colab / "bin" / "python"
    if COURSE in packages(colab):
        call(python, "-m", "pip", "uninstall", "--yes", COURSE, env=clean_environment())
    before = packages(colab)

    kernel = tmp_path / "kernels" / "colab" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": argv, "display_name": "Colab", "language": "python"}))
    environment = clean_environment() | {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{served_course.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": address(),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    folder = tmp_path / "empty"
    folder.mkdir()
    shutil.copy2(chapter, folder)
    notebook = nbformat.read(folder / chapter.name, as_version=4)
    client = NotebookClient(
        notebook, timeout=600, kernel_name="colab", resources={"metadata": {"path": str(folder)}}
    )
    client.widget_registry = {}  # see tools/execute.py: or a reply may be missed
    client.kernel_spec_manager = KernelSpecManager(kernel_dirs=[str(kernel.parents[1])])
    client.create_kernel_manager().kernel_spec_manager = client.kernel_spec_manager
    client.execute(env=environment)

    after = packages(colab)
    assert set(after) - set(before) == {COURSE}, "the setup cell installs the course, and only it"
    assert {name: after[name] for name in before} == before, "Colab's packages stay as they are"
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert "OUTSIDE the measured band" not in output.get("text", "")
