"""Live figures on a built page: under a strict policy, over http and from file://."""

import io
import itertools
import json
import re
from pathlib import Path

import nbformat
import pytest
import torch
from browser import serve_folder
from live_node import SERVER, Script
from PIL import Image
from samples import some_of
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace
from test_live_figure import PICTURES, alive, settled, squash, trained
from traitlets.config import Config

from benchmarks import examples
from live import line, live_figure, panel
from live.page import bundle
from live.page import site as site_module
from live.page.site import STATE, VIEW, figures

README = Path(__file__).resolve().parents[2] / "live" / "figure" / "README.md"
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)


LINKS = (
    "[Set](#fig-0?alpha=0.5) it, [play](#fig-1?t=0&play) the other, [here](other.md) and "
    "[from elsewhere](index.ipynb#fig-2?beta=-2)."
)


def notebook(made):
    """A notebook whose cells show the figures, as `tools/execute.py` would store it."""
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"# Live\n\n{LINKS}")])
    state = {}
    for k, figure in enumerate(made):
        data, _ = figure._repr_mimebundle_()
        data[VIEW]["model_id"] = name = f"figure-{k}"
        saved = {key: v for key, v in figure.get_state().items() if key in ("spec", "code", "data")}
        state[name] = {"model_module": "anywidget", "state": saved}
        mime = {key: v for key, v in data.items() if key in (VIEW, "image/png", "text/plain")}
        output = nbformat.v4.new_output("display_data", mime)
        info = {"mystnb": {"figure": {"caption": f"Caption {k}.", "name": f"fig-{k}"}}}
        info["mystnb"]["image"] = {"alt": f"What is seen {k}."}
        nb.cells.append(nbformat.v4.new_code_cell("figure", outputs=[output], metadata=info))
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nb.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    nb.metadata["widgets"] = {STATE: {"state": state, "version_major": 2, "version_minor": 0}}
    return json.loads(nbformat.writes(nb))


def build(source, notebook, settings="", **options):
    """Build a site from a notebook; returns Sphinx's application and what it warned of."""
    (source / "index.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (source / "conf.py").write_text(
        "extensions = ['myst_nb', 'live.page.site']\nnb_execution_mode = 'off'\n"
        f"nb_ipywidgets_js = {{}}\nhtml_theme = 'basic'\n{settings}", encoding="utf-8",
    )  # fmt: skip
    told = io.StringIO()
    with docutils_namespace():
        app = Sphinx(source, source, source / "out", source / "doctrees", "html", status=None,
                     warning=told, freshenv=True, **options)  # fmt: skip
        app.build()
    return app, told.getvalue()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder of a small site with three figures; two share their weights."""
    source = tmp_path_factory.mktemp("source")
    figures_ = [live_figure(squash, alpha=(0.1, 3.0)), trained(), examples.radial(1000)]
    (source / "other.md").write_text(
        "---\norphan: true\n---\n# Other\n\n[Radial](index.ipynb#fig-2?alpha=2&beta=-3)\n",
        encoding="utf-8",
    )
    policy = (
        f'rst_prolog = ""\nPOLICY = {POLICY!r}\n'
        "def setup(app):\n"
        "    def add(app, page, template, context, doctree):\n"
        '        tag = \'<meta http-equiv="Content-Security-Policy" content="%s">\' % POLICY\n'
        "        context['metatags'] = context.get('metatags', '') + tag\n"
        "    app.connect('html-page-context', add)\n"
    )
    app, _ = build(source, notebook(figures_), policy, warningiserror=True)
    assert app.statuscode == 0
    return Path(app.outdir)


def test_page_holds_pictures_and_no_widget_state(built):
    html = (built / "index.html").read_text(encoding="utf-8")
    assert html.count("data-live=") == 3 and html.count("<img") == 3
    assert "widget-state" not in html and "widget-view" not in html and len(html) < 30_000
    assert 'alt="What is seen 1."' in html and "Caption 1." in html
    assert html.count("live/live.js") == 1
    assert html.count("data-scripts=") == 3, "each picture says which scripts bring it to life"


@pytest.mark.parametrize("over", some_of(["http", "file"]))
def test_page_is_alive_under_the_policy(built, over, chromium):
    context = chromium.new_context()
    page, problems = context.new_page(), []
    page.on("console", lambda m: m.type in ("error", "warning") and problems.append(m.text))
    page.on("pageerror", lambda e: problems.append(str(e)))
    page.on("requestfailed", lambda r: problems.append(r.url))
    page.on("response", lambda r: r.status >= 400 and problems.append(r.url))
    with serve_folder(built) as address:
        page.goto(f"{address.rstrip('/')}/index.html" if over == "http"
                  else (built / "index.html").as_uri())  # fmt: skip
        alive(page)
        assert page.locator(".live-figure").count() == 3
        for slider in page.locator("input[type=range]").all():
            before = page.evaluate(PICTURES)
            slider.focus()
            page.keyboard.press("Home")
            settled(page)
            page.keyboard.press("PageUp")
            settled(page)
            assert page.evaluate(PICTURES) != before
        page.reload()
        alive(page)
        assert page.locator(".live-figure").count() == 3
    # The plain theme here has inline scripts of its own, which the policy rightly refuses, and no
    # icon; a missing file is reported by its address above.
    known = ("inline script", "favicon", "Failed to load resource")
    assert [p for p in problems if not any(words in p for words in known)] == []
    context.close()


def test_two_tabs_do_not_disturb_one_another(built, chromium):
    context = chromium.new_context()
    one, two = context.new_page(), context.new_page()
    for page in (one, two):
        page.goto((built / "index.html").as_uri())
        alive(page)
    before = two.locator("input[type=range]").first.input_value()
    one.bring_to_front()
    one.locator("input[type=range]").first.focus()
    one.keyboard.press("End")
    assert two.locator("input[type=range]").first.input_value() == before
    context.close()


def test_large_constants_are_files_of_their_own(built):
    folder = built / "_static" / "live"
    shared = list(folder.glob("data-*.js"))
    assert shared and all(f.stat().st_size > 4000 for f in shared)
    assert len(list(folder.glob("figure-*.js"))) == 3


def test_figures_of_a_notebook_without_any():
    assert figures({"metadata": {}, "cells": [{"cell_type": "markdown"}]}) == {}


def page_of(source, notebook):
    """Build a page from a notebook; returns its HTML and what Sphinx warned of."""
    app, told = build(source, notebook)
    return (Path(app.outdir) / "index.html").read_text(encoding="utf-8"), told


def test_a_page_with_one_figure_brings_it_to_life(tmp_path):
    app, _ = build(tmp_path, notebook([live_figure(squash, alpha=(0.1, 3.0))]))
    html = (Path(app.outdir) / "index.html").read_text(encoding="utf-8")
    assert html.count("data-live=") == 1
    assert html.count("live/live.js") == 1 and html.count("live/live.css") == 1
    extension = app.extensions["live.page.site"]
    assert extension.parallel_read_safe and extension.parallel_write_safe, "for sphinx-build -j"


def test_figures_that_look_the_same_stay_apart(tmp_path):
    """Their pictures have the same pixels; each place gets its own figure."""
    grid = torch.linspace(-1, 1, 20)

    def tilted(alpha, beta):
        return {"z": grid, "x": torch.tanh(alpha * grid) + beta}

    curve = panel(line("z", "x"))
    one = live_figure(lambda alpha: tilted(alpha, 0.0), curve, alpha=(0.1, 3.0, 1.0))
    two = live_figure(tilted, curve, alpha=(0.1, 3.0, 1.0), beta=(-1.0, 1.0, 0.0))
    assert one.png() == two.png()
    made = notebook([one, two])
    made["cells"] = made["cells"][1:]
    html, told = page_of(tmp_path, made)
    scripts = re.findall(r'data-live="([^"]+)"', html)
    assert len(scripts) == 2 and "live" not in told
    folder = tmp_path / "out" / "_static" / "live"
    texts = [(folder / f"figure-{name}.js").read_text(encoding="utf-8") for name in scripts]
    assert ['"name":"beta"' in text.replace(" ", "") for text in texts] == [False, True], (
        "in the order of the cells"
    )
    pictures = {f.read_bytes() for f in (tmp_path / "out" / "_images").glob("*.png")}
    seen = {Image.open(io.BytesIO(picture)).tobytes() for picture in pictures}
    assert len(pictures) == 2 and len(seen) == 1


@pytest.mark.parametrize("missing", ["picture", "state", "all state"])
def test_a_widget_saved_without_its_picture_or_state_is_named(tmp_path, missing):
    made = notebook([live_figure(squash, alpha=(0.1, 3.0))])
    made["cells"][0]["source"] = "# Saved by Colab"
    if missing == "picture":
        del made["cells"][1]["outputs"][0]["data"]["image/png"]
    elif missing == "state":
        made["metadata"]["widgets"][STATE]["state"] = {}
    else:
        made["metadata"]["widgets"] = {}
    html, told = page_of(tmp_path, made)
    assert "data-live" not in html
    what = missing.split()[-1]
    assert f"index, cell 2: a widget was saved without its {what}" in told and "execute" in told


def test_sliders_that_need_a_kernel_are_no_complaint(tmp_path):
    made = notebook([live_figure(squash, alpha=(0.1, 3.0))])
    made["cells"][0]["source"] = "# Sliders"
    made["cells"][1]["metadata"]["tags"] = ["interactive"]
    del made["cells"][1]["outputs"][0]["data"]["image/png"]
    assert "widget" not in page_of(tmp_path, made)[1]


ARRANGE = """
const arrange = (panels) => {
  const element = () => {
    const found = {};
    return { found, style: { setProperty: (key, value) => (found[key] = value) },
      classList: { toggle: (key, on) => (found[key] = on), add: (key) => (found[key] = true) } };
  };
  const parent = element(), plots = panels.map((spec) => ({ spec, root: element() }));
  arrangePanels(parent, plots);
  const wide = ["--live-wide", "live-many", "live-single"].map((key) => parent.found[key]);
  return [plots.map((plot) => plot.root.found["--live-span"]), !!parent.found["live-odd"], wide];
};
"""


def test_room_is_kept_for_the_panels_as_the_page_arranges_them():
    """`spans` says what arrangePanels does, for all rows of up to four panels."""
    source = (Path(bundle.__file__).parent / "js" / "figure.js").read_text(encoding="utf-8")
    begin = source.index("function arrangePanels")
    code = source[begin : source.index("\n}\n", begin) + 3]
    node = Script(code + ARRANGE + SERVER.replace("CALL", "arrange"))
    kinds = [{"width": w, "equal": e} for w in (1.0, 1.5) for e in (True, False)]
    try:
        for n in (1, 2, 3, 4):
            for panels in itertools.product(kinds, repeat=n):
                found, odd, wide = node.ask(panels)
                assert found == site_module.spans(panels), panels
                # On a desk: side by side, as wide as they ask to be; or else three in a row.
                total = sum(panel["width"] for panel in panels)
                shares = " ".join(f"minmax(0, {panel['width']:g}fr)" for panel in panels)
                columns = shares if total <= 4 else "repeat(3, minmax(0, 1fr))"
                assert wide == [columns, total > 3, n == 1], panels
                # On a phone the readout stands in the place that is left, else below: 40 pixels.
                spec = {"panels": panels, "params": [{}], "readout": "x"}
                with_readout = (site_module.heights(spec)[1] + 25 - 95) % 205
                assert with_readout == (0 if odd else 40), panels
    finally:
        node.close()


def test_controls_that_are_put_away_take_the_room_of_their_line_only():
    panels = [{"width": 1.0, "equal": True}] * 2
    one = {"panels": panels, "params": [{}], "readout": "x"}
    desk, phone = site_module.heights(one)
    fold = {"names": ["a", "b"], "when": None}
    put_away = one | {"params": [{}] * 3, "fold": fold}
    assert site_module.heights(put_away) == (desk + 30, phone + 30)
    only_then = put_away | {"fold": fold | {"when": ["kind", 1]}}
    assert site_module.heights(only_then) == (desk, phone), "a line that is not there at first"


@pytest.mark.parametrize("kind", some_of(["html", "slides"]))
def test_nbconvert_shows_the_picture_when_it_is_told_to(kind):
    """Else it takes the widget, which needs a kernel or another host: live/figure/README.md."""
    from nbconvert import HTMLExporter, SlidesExporter

    made = nbformat.reads(json.dumps(notebook([live_figure(squash, alpha=(0.1, 3.0))])), 4)
    first = re.search(r"display_data_priority=(\S+)", README.read_text(encoding="utf-8"))[1]
    config = Config({"NbConvertBase": {"display_data_priority": json.loads(first.strip("'"))}})
    exporter = (HTMLExporter if kind == "html" else SlidesExporter)(config=config)
    html, _ = exporter.from_notebook_node(made)
    assert "data:image/png;base64" in html and VIEW not in html.split("</head>")[1]
