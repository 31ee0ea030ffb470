"""Figures on dark pages, and on phones.

For a dark page the notebook stores a version of each picture.
`gmu.style` draws both from one figure when `tools/execute.py` runs a chapter. The page has an image
for each, and shows one; a browser fetches the one that it shows. On a phone, where letters would be
too small, both are wider than the screen (course.css), in a box that scrolls.
"""

import base64
import copy
import hashlib
import json
from pathlib import Path

from bs4 import BeautifulSoup

SUFFIXES = {"image/png": ".png", "image/svg+xml": ".svg"}


def as_bytes(kind: str, content) -> bytes:
    """A picture of a notebook's output, as MyST-NB writes it into a file."""
    text = "".join(content)  # long ones are stored as lines
    return base64.b64decode(text) if kind == "image/png" else "\n".join(text.splitlines()).encode()


def dark_pictures(notebook: dict) -> dict[str, bytes]:
    """The dark versions in a notebook.

    Args:
        notebook: The notebook as parsed JSON.

    Returns:
        Name of the light version's file on the site -> the dark version.

    Example:
        >>> output = {"data": {"image/svg+xml": "<svg>"}, "metadata": {"dark": "<svg/>"}}
        >>> list(dark_pictures({"cells": [{"outputs": [output]}]}).values())
        [b'<svg/>']
    """
    found = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            dark = output.get("metadata", {}).get("dark")
            kind = next((k for k in SUFFIXES if k in output.get("data", {})), None)
            if dark is not None and kind is not None:
                light = as_bytes(kind, output["data"][kind])
                name = hashlib.sha256(light).hexdigest() + SUFFIXES[kind]
                found[name] = as_bytes(kind, dark)
    return found


def add_dark_pictures(page: Path, soup: BeautifulSoup, source: Path) -> None:
    """Put the dark versions beside the pictures of a page.

    Args:
        page: The page's file.
        soup: The page itself.
        source: What it was made from; only notebooks have dark pictures.
    """
    if source.suffix != ".ipynb":
        return
    stored = dark_pictures(json.loads(source.read_text(encoding="utf-8")))
    for image in soup.select("article img[src]"):
        path = page.parent / image["src"]
        if path.name not in stored:
            continue
        dark = path.with_name(f"{path.stem}-dark{path.suffix}")
        dark.write_bytes(stored[path.name])
        classes = [*image.get("class", []), "fills"]
        other = copy.copy(image)
        # (Each says by itself when it is shown: a browser may begin to fetch the first of them
        # before it has read the second.)
        image["class"], other["class"] = [*classes, "in-the-light"], [*classes, "in-the-dark"]
        other["src"] = image["src"].replace(path.name, dark.name)
        other["loading"] = "lazy"  # what is not shown is not fetched
        image.insert_after(other)
        box = soup.new_tag("div")
        box["class"], box["tabindex"] = ["sideways"], "0"  # the keyboard can scroll it, too
        if image.parent.name == "a":  # one that has a size leads to itself
            image.parent.wrap(box)
        else:
            image.wrap(box).append(other.extract())
