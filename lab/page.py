"""The Lab for the site (two scripts and a style sheet), for notebooks, and as one file."""

import json
from pathlib import Path

from lab.data import MODES
from lab.programs import stored
from live.lab import bundle
from live.page.bundle import safe

HERE = Path(__file__).parent
# What rebuilds an exported flow, for readers to copy. lab.js fills in SAVED and BASE.
PYTHON = """\
import json

import torch

import flows

saved = SAVED
flow = getattr(flows, saved["flow"])(2, **saved["shape"]).double()
flow.load_state_dict({name: torch.tensor(w) for name, w in saved["weights"].items()})
x, log_p = (torch.tensor(saved[name], dtype=torch.float64) for name in ("points", "log_p"))
z, log_det = flow.encode(x)
BASE
print(f"{(base + log_det - log_p).abs().max().item():.1e}")
"""


def parts() -> tuple[str, str]:
    """The script of the workers, and the settings and the Lab's own script for the page."""
    programs = stored()
    sizes = {
        name: [{"name": w["name"], "shape": w["shape"]} for w in kind["weights"]]
        for name, kind in programs["kinds"].items()
    }
    modes = {name: centers.tolist() for name, centers in MODES.items()}
    about = programs["settings"] | {"sizes": sizes, "python": PYTHON, "modes": modes}
    work = bundle.workshop({k: programs[k] for k in ("core", "bases", "kinds", "data")})
    return work, f"const SETTINGS = {json.dumps(about)};\n{read('lab.js')}"


def read(name: str) -> str:
    """A file of js/."""
    return (HERE / "js" / name).read_text(encoding="utf-8")


def style() -> str:
    """The style sheet."""
    return bundle.style(read("lab.css"))


def files() -> dict[str, str]:
    """The Lab's files for the site.

    Returns:
        Name -> text: work.js trains, in a worker; lab.js and lab.css are what is seen.

    Example:
        >>> sorted(files())
        ['lab.css', 'lab.js', 'work.js']
    """
    work, seen = parts()
    return {"work.js": work, "lab.js": bundle.page(seen, read("mount.js")), "lab.css": style()}


def module() -> str:
    """The Lab as a module for anywidget: all in one text."""
    work, seen = parts()
    script = bundle.page(seen, read("widget.js"), "window.flowLab = place;")
    return (
        f"const WORK = {json.dumps(work)};\n{script}"
        "let count = 0;\n"
        "export default { render({ el }) {\n"
        '  const root = document.createElement("div");\n'
        "  root.id = `flow-lab-${++count}`;\n"
        "  el.append(root);\n"
        "  const made = window.flowLab(root);\n"
        "  return () => made.remove();\n"
        "} };\n"
    )


def save_html(path: str | Path) -> Path:
    """Write the Lab as one page that needs no server: to mail, or for a frame in a course platform.

    Args:
        path: Where to write it.

    Returns:
        The path.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_html(Path(folder) / "lab.html").stat().st_size > 50_000
        True
    """
    work, seen = parts()
    start = 'place(document.querySelector("[data-lab]"));'
    script = bundle.page(f"const WORK = {json.dumps(work)};", seen, read("widget.js"), start)
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Flow Lab</title>
<style>
body {{ margin: 0 auto; max-width: 64rem; padding: 1rem; font-family: system-ui, sans-serif; }}
@media (prefers-color-scheme: dark) {{ html {{ background: #14181e; color: #ced6dd; }} }}
{style()}
</style>
</head>
<body>
<main><h1>Flow Lab</h1><div id="flow-lab" data-lab></div></main>
<script>{safe(script)}</script>
</body>
</html>
"""
    Path(path).write_text(text, encoding="utf-8")
    return Path(path)
