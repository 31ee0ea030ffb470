"""The Flow Lab on the site: its scripts are written, and the page that has it loads them."""

from pathlib import Path

from lab import page

MARK = 'id="flow-lab" data-lab'


def mount_lab(app, pagename, templatename, context, doctree) -> None:
    """When a page is written: tell the Lab on it where its worker is, and load what is seen."""
    body = context.get("body", "")
    if doctree is None or MARK not in body:
        return
    address = context["pathto"]
    work = address("_static/lab/work.js", 1)
    context["body"] = body.replace(MARK, f'{MARK} data-work="{work}"', 1) + (
        f'<link rel="stylesheet" href="{address("_static/lab/lab.css", 1)}">\n'
        f'<script src="{address("_static/lab/lab.js", 1)}" defer></script>'
    )


def write_lab(app, exception) -> None:
    """At the end of a build: the Lab's files, if a page has it."""
    if exception or app.builder.name != "html" or "lab" not in app.env.found_docs:
        return
    folder = Path(app.outdir) / "_static" / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in page.files().items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
