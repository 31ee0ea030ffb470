"""The Lab's page alone, under the policy of the book's pages; no built site is needed."""

from lab_node import LAB

from lab import page

POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "script-src 'self' 'wasm-unsafe-eval'"
)
PAGE = f"""<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>Lab</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="lab.css"></head><body><main><h1>Lab</h1>
<div id="flow-lab" data-lab data-work="work.js"></div></main>
<script src="lab.js" defer></script></body></html>"""
SMALL = "layers=2&width=8&waves=none&turn=none&batch=64&steps=500&rate=0.01"


def write_page(folder) -> None:
    """The page and its files."""
    for name, text in {**page.files(), "index.html": PAGE}.items():
        (folder / name).write_text(text, encoding="utf-8")


def lab(tab, expression):
    """What an expression of the page's Lab is."""
    return tab.evaluate(f"{LAB}.{expression}")
