"""Sphinx extension: live figures of notebooks on pages without a kernel.

A stored cell output of a live figure has a PNG and a widget. On the page the PNG stays, with its
caption and alt text, and scripts turn it into the figure: the library fetches the others when the
figure is about to be seen. What is written:

- `_static/live/live.js`, `live.css`: the library, one for the whole site;
- `_static/live/figure-ID.js`: one figure, code and small constants;
- `_static/live/data-ID.js`: one large constant (weights, samples), shared by all who use it.

A link `#name?kappa=-0.9` in a text, with the name of a figure, sets this figure; what it names is
checked here, for the page itself leaves out what it does not know.

They are classic scripts with a `src`, because module imports are blocked on file:// pages and
inline or blob scripts under `Content-Security-Policy: script-src 'self'`.
"""

import base64
import hashlib
import json
import logging
import re
import sys
import zlib
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from . import bundle

LOGGER = logging.getLogger("sphinx.live")  # (Sphinx counts what is said below its name)

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
LARGE = 4000  # characters of base64 above which a constant gets a file of its own


def figures(notebook: dict) -> dict[str, dict]:
    """Live figures of a notebook.

    Args:
        notebook: The notebook as parsed JSON.

    Returns:
        Name of the picture's file on the page -> the widget's state ("code", "spec", "data").
    """
    return {
        picture_name(output["data"]): model
        for _, output, model in live_outputs(notebook)
        if model and "image/png" in output["data"]
    }


def live_outputs(notebook: dict) -> Iterator[tuple[int, dict, dict | None]]:
    """The outputs that show a widget, less those of sliders that need a kernel.

    Args:
        notebook: The notebook as parsed JSON.

    Yields:
        The cell's number, from 1; the output; the state of its live figure, None without one.
    """
    saved = notebook["metadata"].get("widgets", {}).get(STATE, {}).get("state", {})
    for number, cell in enumerate(notebook["cells"], start=1):
        if "interactive" in cell.get("metadata", {}).get("tags", []):
            continue
        for output in cell.get("outputs", []):
            if VIEW in (shown := output.get("data", {})):
                model = saved.get(shown[VIEW].get("model_id"), {}).get("state", {})
                yield number, output, model if {"code", "spec", "data"} <= set(model) else None


def named_png(shown: dict) -> bytes:
    """The picture of a widget, with the widget's id written into it.

    MyST-NB names an image file by the hash of its bytes. Two figures may look the same before they
    are moved: with their ids in them, their files differ all the same.
    """
    png = base64.b64decode("".join(shown["image/png"]))  # (a long one is stored as lines)
    body = b"tEXtwidget\0" + shown[VIEW]["model_id"].encode("latin-1", "replace")
    chunk = (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    return png[:33] + chunk + png[33:]  # (after the signature and the header)


def picture_name(shown: dict) -> str:
    """The name, less its ending, of the picture's file on the page."""
    return hashlib.sha256(named_png(shown)).hexdigest()


def strip_widgets(app, docname, source) -> None:
    """Before a notebook is read: leave the picture, take out widgets and their state."""
    if not app.env.doc2path(docname).endswith(".ipynb"):
        return
    notebook = json.loads(source[0])
    for number, output, model in live_outputs(notebook):
        missing = "picture" if "image/png" not in output["data"] else "" if model else "state"
        if missing:
            LOGGER.warning(
                "%s, cell %d: a widget was saved without its %s, as Colab does, and cannot be "
                "shown on the page: run `make execute`", docname, number, missing,
            )  # fmt: skip
        else:
            output["data"]["image/png"] = base64.b64encode(named_png(output["data"])).decode()
            del output["data"][VIEW]
    notebook["metadata"].pop("widgets", None)
    source[0] = json.dumps(notebook)


def mount_figures(app, pagename, templatename, context, doctree) -> None:
    """When a page is written: mark the pictures, and add the scripts that bring them to life."""
    path = Path(app.env.doc2path(pagename)) if doctree is not None else Path("none")
    beside = path.with_suffix(".live.json")  # a Markdown page's figures: name of the PNG -> state
    if "body" not in context:
        return
    if beside.exists():
        found = json.loads(beside.read_text(encoding="utf-8"))
    elif path.suffix == ".ipynb":
        found = figures(json.loads(path.read_text(encoding="utf-8")))
    else:
        return
    address, marked, specs = context["pathto"], 0, {}
    for digest, model in found.items():
        name, files = write_figure(Path(app.outdir), model)
        scripts = " ".join(address(f"_static/live/{f}", 1) for f in files)
        panels, (desk, phone) = model["spec"]["panels"], heights(model["spec"])
        attributes = (
            f'data-live="{name}" data-panels="{len(panels)}" data-rows="{len(rows(panels))}" '
            f'data-scripts="{scripts}" style="--more: {desk}px; --phone: {phone}px"'
        )
        context["body"], count = mark_picture(context["body"], digest, attributes, model["spec"])
        marked += count
        named = (
            rf'<(?:figure|div)[^>]*\bid="([^"]+)"[^>]*>(?:(?!<figure|<div).)*?data-live="{name}"'
        )
        if place := re.search(named, context["body"], flags=re.DOTALL):
            specs[place[1]] = model["spec"]
    for complaint in check_states(context["body"], specs):
        LOGGER.warning("%s: %s", pagename, complaint)
    if not marked:
        return
    context["body"] += (
        f'<link rel="stylesheet" href="{address("_static/live/live.css", 1)}">\n'
        f'<script src="{address("_static/live/live.js", 1)}" defer></script>'
    )


def heights(spec: dict) -> tuple[int, int]:
    """About how high a figure is, so that its room can be kept free before it comes.

    Args:
        spec: The figure's spec.

    Returns:
        Pixels by which it is higher than its picture, and the whole height on a phone (figure.css
        says how it is arranged there).

    Example:
        >>> panel = {"width": 1.0, "equal": True}
        >>> heights({"panels": [panel] * 3, "params": [{}] * 2, "readout": "x"})
        (125, 480)
    """
    fold = spec.get("fold") or {"names": [], "when": None}
    panels, params = spec["panels"], len(spec["params"]) - len(fold["names"])
    line = 30 * bool(fold["names"] and not fold["when"])  # that opens what is put away
    line += 20 * ("goal" in spec)  # where it is said that it was found
    controls = 50 + 45 * -(-params // 2) + line
    *above, last = rows(panels)
    beside = last == [1] and above  # the readout has the place that is left
    high = 205 * len([*above, last]) - 25 + controls + 40 * (not beside)
    return 75 + 50 * (params > 1) + line, high


def spans(panels: list[dict]) -> list[int]:
    """How many of a narrow page's two places in a row each panel takes: arrangePanels in figure.js.

    Example:
        >>> square, strip = {"width": 1.0, "equal": True}, {"width": 2.0, "equal": False}
        >>> spans([square, strip, square]), spans([square, square, {**strip, "width": 1.0}])
        ([1, 2, 1], [1, 1, 2])
    """
    found, column = [], 0
    for k, panel in enumerate(panels):
        alone = k == len(panels) - 1 and column == 0 and not panel["equal"]
        found.append(2 if len(panels) > 1 and (panel["width"] >= 1.5 or alone) else 1)
        column = 0 if found[-1] == 2 else (column + 1) % 2
    return found


def rows(panels: list[dict]) -> list[list[int]]:
    """How the panels stand on a narrow page: for each row, the places that each panel takes.

    Example:
        >>> square, strip = {"width": 1.0, "equal": True}, {"width": 2.0, "equal": False}
        >>> rows([square] * 3), rows([square, strip, square])
        ([[1, 1], [1]], [[1], [2], [1]])
    """
    found = []
    for span in spans(panels):
        if span == 2 or not found or sum(found[-1]) == 2:
            found.append([])
        found[-1].append(span)
    return found


def check_states(body: str, specs: dict[str, dict]) -> list[str]:
    """What is wrong with the links of a page that set one of its figures.

    Args:
        body: The page's HTML.
        specs: Id of a figure -> its spec.

    Returns:
        A complaint for each name or value that the figure does not have.

    Example:
        >>> spec = {"params": [{"name": "a", "kind": "float", "min": 0.0, "max": 1.0}], "play": ""}
        >>> check_states('<a href="#fig?a=2&amp;b=1">', {"fig": spec})
        ['#fig?a=2&b=1: a is from 0.0 to 1.0', '#fig?a=2&b=1: the figure has no b']
    """
    found = []
    for href in map(unescape, re.findall(r'href="(#[^"?]+\?[^"]*)"', body)):
        name, _, state = href[1:].partition("?")
        if (spec := specs.get(unquote(name))) is None:
            found.append(f"{href}: no live figure of the page has this name")
            continue
        params = {p["name"]: p for p in spec["params"]}
        for key, text in parse_qsl(state, keep_blank_values=True):
            if key in params:
                problem = misfit(params[key], text)
            elif key == "play":
                problem = "" if spec["play"] else "the figure has nothing to play"
            else:
                problem = f"the figure has no {key}"
            if problem:
                found.append(f"{href}: {problem}")
    return found


def misfit(param: dict, text: str) -> str:
    """Why a text is no value of a parameter; empty if it is one. (See setFromText.)"""
    name = param["name"]
    if param["kind"] == "menu":
        known = [*(o.lower() for o in param["options"]), *map(str, param["values"])]
        return "" if text.lower() in known else f"{name} is one of {', '.join(param['options'])}"
    if param["kind"] == "check":
        return "" if text in ("0", "1", "true", "false") else f"{name} is 0 or 1"
    try:
        inside = param["min"] <= float(text) <= param["max"]
    except ValueError:
        inside = False
    return "" if inside else f"{name} is from {param['min']} to {param['max']}"


def link_states(app, doctree) -> None:
    """When a page was read: let links with a state be links. MyST would seek their whole name.

    They are `[text](#name?kappa=-0.9)`, and `[text](other.ipynb#name?kappa=-0.9)`.
    """
    reference = sys.modules["docutils.nodes"].reference  # Sphinx runs, so it is there
    for node in list(doctree.findall(lambda node: node.tagname == "pending_xref")):
        if node.get("reftype") != "myst":
            continue
        elsewhere = node.get("refdomain") == "doc"
        name, mark, state = (node.get("reftargetid" if elsewhere else "reftarget") or "").partition(
            "?"
        )
        if not mark:
            continue
        if elsewhere:
            page = app.builder.get_relative_uri(node["refdoc"], node["reftarget"])
        else:
            page, name = "", doctree.nameids.get(name) or name
        address = f"{page}#{name}?{state}"
        node.replace_self(reference("", "", *node[0].children, internal=True, refuri=address))


def mark_picture(body: str, digest: str, attributes: str, spec: dict) -> tuple[str, int]:
    """Give the <img> of a figure its attributes (and alt text, if it has none)."""

    def mark(match):
        tag = match.group(0)
        if not re.search(r'alt="[^"]+"', tag) or digest in re.search(r'alt="([^"]*)"', tag)[1]:
            tag = re.sub(r'\s*alt="[^"]*"', "", tag)
            tag = tag.replace("<img", f'<img alt="{escape(spec["alt"], quote=True)}"', 1)
        return tag.replace("<img", f"<img {attributes}", 1)

    return re.subn(rf'<img\b[^>]*src="[^"]*{digest}\.png"[^>]*>', mark, body)


def write_figure(out: Path, model: dict) -> tuple[str, list[str]]:
    """Write the scripts of a figure; returns its name and the files it needs."""
    folder = out / "_static" / "live"
    folder.mkdir(parents=True, exist_ok=True)
    data, files = {}, []
    for key, entry in model["data"].items():
        if len(entry["values"]) > LARGE:
            shared = hashlib.sha256(entry["values"].encode()).hexdigest()[:12]
            files.append(f"data-{shared}.js")
            _write(folder / files[-1],
                   f'(window.liveData ??= {{}})["{shared}"] = "{entry["values"]}";\n')  # fmt: skip
            entry = {"kind": entry["kind"], "shared": shared}
        data[key] = entry
    name = bundle.figure_id(model["code"], model["spec"], data)
    files.append(f"figure-{name}.js")
    _write(folder / files[-1], bundle.script(model["code"], model["spec"], data))
    return name, files


def write_shared(app, exception) -> None:
    """At the end of every build, for an incremental one may write no page: what figures share."""
    folder = Path(app.outdir) / "_static" / "live"
    if folder.exists():
        _write(folder / "live.js", bundle.site())
        _write(folder / "live.css", bundle.css())


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", strip_widgets)
    app.connect("doctree-read", link_states)
    # Early: the course's own steps at the end of a build work on these files.
    app.connect("build-finished", write_shared, priority=100)
    app.connect("html-page-context", mount_figures, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
