"""Take the exercises' solutions out of the chapters, into the file that `q.NAME.solution()` reads.

    python tools/solutions.py

The chapters are the only source; `make execute` runs this, and a test holds both equal.
"""

import json
import re
import sys
from pathlib import Path

import safely
from notebooks import in_order, read

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "classroom" / "solutions.json"
SOLUTION = re.compile(r"^(`{3,})\{solution\} (\S+)\n(.*?)^\1 *$", flags=re.DOTALL | re.MULTILINE)
OPTION = re.compile(r"\A(?::[\w-]+:[^\n]*\n)+")


def in_text(text: str) -> dict[str, str]:
    """The solutions in a Markdown text.

    Args:
        text: a page, or a cell.

    Returns:
        Label of the exercise -> what stands in the block, without its options.

    Example:
        >>> in_text("````{solution} ex-one\\n:class: dropdown\\nIt is 1.\\n````")
        {'ex-one': 'It is 1.'}
    """
    return {found[2]: OPTION.sub("", found[3]).strip() for found in SOLUTION.finditer(text)}


def in_chapters(root: Path = ROOT) -> dict[str, str]:
    """The solutions of all chapters, in the order of the book."""
    found = {}
    for path in in_order((root / "chapters").glob("*.ipynb")):
        for cell in read(path).cells:
            if cell.cell_type == "markdown":
                found |= in_text(cell.source)
    return found


def stored(solutions: dict[str, str]) -> str:
    """The text of the file."""
    return json.dumps(solutions, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    if found := in_chapters():  # (an edition without solutions has no such file)
        safely.write(TARGET, stored(found))
    print(f"{len(found)} solutions in the chapters", file=sys.stderr)
