"""The specs of the exercises: a module for each chapter, which names its notebook.

What an exercise says stands in the chapter; what a program needs to know stands here. A test holds
both equal: ids, titles, levels, minutes, points and stubs.
"""

import importlib
import pkgutil

from classroom.exercise import Exercise


def in_order(found: dict) -> dict:
    """What belongs to chapters, by the stems of their notebooks: in the order of the book.

    Example:
        >>> list(in_order({"10_end": 1, "9_before": 2}))
        ['9_before', '10_end']
    """
    return dict(sorted(found.items(), key=lambda entry: int(entry[0].split("_")[0])))


def chapters() -> dict[str, tuple[Exercise, ...]]:
    """Stem of a chapter's notebook -> its exercises, in the order of the book."""
    found = {}
    for info in pkgutil.iter_modules(__path__, __name__ + "."):
        module = importlib.import_module(info.name)
        found[module.CHAPTER] = tuple(module.EXERCISES)
    return in_order(found)
