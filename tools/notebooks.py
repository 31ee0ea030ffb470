"""Notebook files as the course stores them: cells named by content, never half written."""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

# nbformat loads what would check addresses in notebooks, which have none: it takes a second.
sys.modules.setdefault("rfc3987_syntax", None)
import nbformat  # noqa: E402
import safely  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


def chapters() -> list[Path]:
    """All chapter notebooks, in the order of the book."""
    return in_order((ROOT / "chapters").glob("*.ipynb"))


def has_tag(cell, tag: str) -> bool:
    """Whether a cell carries a tag."""
    return tag in cell.metadata.get("tags", [])


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Chapters in the order of the book: by their number, so that 10 comes after 9.

    Args:
        paths: notebooks named by a number and a title, such as 9_splines.ipynb.

    Returns:
        The same paths.

    Example:
        >>> [path.name for path in in_order([Path("10_b.ipynb"), Path("9_a.ipynb")])]
        ['9_a.ipynb', '10_b.ipynb']
    """
    return sorted(paths, key=lambda path: (len(path.stem.split("_")[0]), path.stem))


def read(path):
    """The notebook in a file."""
    return nbformat.read(path, as_version=4)


def stable_ids(notebook) -> None:
    """Name each cell by its content, so that inserting one leaves the others alone."""
    seen = set()
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()
        copies = 0
        while (name := f"{digest[:8]}-{copies}" if copies else digest[:8]) in seen:
            copies += 1
        seen.add(name)
        cell["id"] = name


def text(notebook) -> str:
    """The notebook as the text of its file, once it has been found valid."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def store(notebook, path) -> None:
    """Write the notebook's file, all or nothing."""
    safely.write(path, text(notebook))


def with_new_ids(content: str) -> str:
    """The text of a notebook file whose sources were changed, with the ids that they now have."""
    notebook = nbformat.reads(content, as_version=4)
    stable_ids(notebook)
    return text(notebook)
