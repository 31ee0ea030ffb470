"""The scripts of a lab, each as one text: what trains, in a worker, and what the page shows."""

import json
from pathlib import Path

from ..compiler import Program, runtime
from ..page import bundle

JS = Path(__file__).parent / "js"
HERE = ("random.js", "host.js", "surface.js", "film.js")  # and of this one, for the page
WORK = ("random.js", "chain.js", "training.js", "workshop.js")
SEEN = (
    "theme.js",
    "template.js",
    "plot.js",
    "marks.js",
    "controls.js",
    "model.js",
)  # of the page's room


def as_json(programs: dict[str, Program]) -> dict:
    """Programs as a file keeps them: name -> code and data."""
    return {name: {"code": p.code, "data": p.data} for name, p in programs.items()}


def written(stored) -> str:
    """A nest of stored programs as JavaScript."""
    if isinstance(stored, dict) and stored.keys() == {"code", "data"}:
        return f"{{data: {json.dumps(stored['data'])},\nmake: {stored['code']}}}"
    if isinstance(stored, dict):
        return "{" + ",\n".join(f"{json.dumps(k)}: {written(v)}" for k, v in stored.items()) + "}"
    return json.dumps(stored)


def parts() -> str:
    """What a workshop is made of, without programs: plain functions and classes."""
    texts = [runtime.text(often=True), *((JS / name).read_text(encoding="utf-8") for name in WORK)]
    return "\n".join(texts)


def workshop(stored: dict) -> str:
    """The script of the worker. On a page it defines `liveWorkshop(post, later)`.

    Args:
        stored: {"core", "bases", "kinds", "data"}, with programs as `as_json` makes them; "dim" is
            the number of coordinates, 2 if it is not there.

    Returns:
        A classic script.
    """
    return bundle.thin(
        f"(() => {{\n{parts()}\nconst programs = {written(stored)};\n"
        'if (typeof document === "undefined") serveWorker(programs, self);\n'
        "else window.liveWorkshop = (post, later) => makeWorkshop(programs, post, later);\n})();\n"
    )


def page(*scripts: str) -> str:
    """The script of the page: panels, a surface to draw on, films, a host of workers; `scripts`."""
    room = Path(bundle.__file__).parent / "js"
    texts = [(room / name).read_text(encoding="utf-8") for name in SEEN]
    texts += [(JS / name).read_text(encoding="utf-8") for name in HERE]
    texts += scripts
    return bundle.thin("(() => {\n" + "\n".join(texts) + "\n})();\n")


def style(more: str) -> str:
    """The style sheet of figures and of the drawing surface, and `more`."""
    return bundle.css() + bundle.thin_css((JS / "surface.css").read_text(encoding="utf-8") + more)
