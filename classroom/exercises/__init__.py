"""The specs of the exercises: a module for each chapter, which names its notebook.

What an exercise says stands in the chapter; what a program needs to know stands here. A test holds
both equal: ids, titles, levels, minutes, points and stubs.
"""

import importlib
import pkgutil

from classroom.exercise import Exercise


def chapters() -> dict[str, tuple[Exercise, ...]]:
    """Stem of a chapter's notebook -> its exercises, in the order of the book."""
    found = {}
    for info in pkgutil.iter_modules(__path__, __name__ + "."):
        module = importlib.import_module(info.name)
        found[module.CHAPTER] = tuple(module.EXERCISES)
    return dict(sorted(found.items(), key=lambda entry: (len(entry[0].split("_")[0]), entry[0])))
