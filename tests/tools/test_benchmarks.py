"""What benchmarks/ says is what was measured."""

import importlib.util
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_page_about_gpus_shows_its_numbers(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    spec = importlib.util.spec_from_file_location("gpu", FOLDER / "gpu.py")
    gpu = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gpu)
    found = json.loads((FOLDER / "gpu.json").read_text(encoding="utf-8"))
    assert gpu.show(found) == (FOLDER / "gpu.md").read_text(encoding="utf-8")
    found["rings"]["reference"]["seconds"] *= 2
    assert gpu.show(found) != (FOLDER / "gpu.md").read_text(encoding="utf-8")
    sys.modules.pop("reference", None)
