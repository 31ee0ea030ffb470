"""The chapters' solutions, as a file that is installed with the course.

`python tools/solutions.py` takes them from the chapters (part of `make execute`); a test holds both
equal. An edition without solutions leaves the file out.
"""

import json
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("solutions.json")


@cache
def solutions() -> dict[str, str]:
    """id of an exercise -> its solution in Markdown; empty where the file is left out."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def solution(label: str) -> str | None:
    """The solution of one exercise.

    Args:
        label: the exercise's id.

    Returns:
        Its Markdown, or None where there is none.
    """
    return solutions().get(label)
