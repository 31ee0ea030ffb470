"""Texts survive a machine whose own code is not UTF-8, as with a Windows code page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from samples import takes_long

ROOT = Path(__file__).resolve().parents[2]
WORDS = "Größe w·x ≤ 1"
CODE = f"""
import locale, sys
from pathlib import Path
assert locale.getpreferredencoding(False).lower().replace("-", "") != "utf8"
import export, repository
from live import live_figure
from live.page import bundle
out, words = Path(sys.argv[1]), {ascii(WORDS)}
out.write_text(words, encoding="utf-8")  # (the folder can be written)
figure = live_figure(lambda z, a: a * z, a=(0.1, 1.0), alt=words, caption=words)
figure.save_html(out)
assert "\\ufffd" not in bundle.site() and bundle.css()
assert repository.address().startswith("https://")
assert export.generate() == export.TARGET.read_text(encoding="utf-8")
"""


def latin_1() -> str | None:
    """A locale of this machine in another code than UTF-8."""
    found = subprocess.run(["locale", "-a"], capture_output=True, encoding="utf-8", check=False)
    names = [name for name in found.stdout.split() if "8859" in name or "1252" in name]
    return names[0] if names else None


@takes_long
@pytest.mark.parametrize("name", ["C", "latin-1"])
def test_pages_and_modules_are_utf8(name, tmp_path):
    wanted = "C" if name == "C" else latin_1()
    if not wanted:
        pytest.skip("this machine has no such locale")
    settings = {"LC_ALL": wanted, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    settings["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tools")])
    page = tmp_path / "a page.html"
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(page)], cwd=ROOT, env=os.environ | settings,
        capture_output=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    text = page.read_bytes().decode("utf-8")
    assert WORDS in text and 'charset="utf-8"' in text
