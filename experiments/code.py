"""What code stands behind a function: one hash of all of it, less docstrings and comments.

Results are stored with this hash. When it differs, the results belong to other code: they are
stale. Text around the code may change freely.
"""

import ast
import functools
import hashlib
import inspect
import sys
import textwrap
import types
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KINDS = (types.FunctionType, type)
# Folders that hold packages. In Colab the course lies in one, beside all others.
PACKAGES = ("site-packages", "dist-packages")
COURSE = (
    "classroom", "experiments", "flows", "flows_support", "gen_models_utilities", "lab", "live",
)  # fmt: skip


def is_own(module_name: str | None) -> bool:
    """Whether a module is part of the course (and no package that it uses)."""
    module = sys.modules.get(module_name or "")
    file = getattr(module, "__file__", None)
    if not file or not Path(file).resolve().is_relative_to(ROOT):
        return False
    if ROOT.name in PACKAGES:
        return module_name.partition(".")[0] in COURSE
    return not set(PACKAGES) & set(Path(file).resolve().relative_to(ROOT).parts)


@functools.cache
def tree_of(thing: Callable) -> ast.Module:
    """The syntax tree of a function or class, without docstrings; read once for all studies."""
    return bare(inspect.getsource(thing))


def bare(source: str) -> ast.Module:
    """A syntax tree without docstrings."""
    tree = ast.parse(textwrap.dedent(source))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            if isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
                node.body = body[1:] or [ast.Pass()]
    return tree


def text_of(node) -> str:
    """A syntax tree as text, the same on every Python: fields that are empty are left out."""
    if isinstance(node, list):
        return f"[{', '.join(map(text_of, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, getattr(node, name, None)) for name in node._fields if name != "ctx"]
    kept = [
        f"{name}={text_of(value)}" for name, value in fields if value is not None and value != []
    ]
    return f"{type(node).__name__}({', '.join(kept)})"


def used(tree: ast.AST, names: dict) -> list:
    """What a tree uses of the names around it: objects, also those reached by `module.name`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in names:
            found.append((node.id, names[node.id]))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = names.get(node.value.id)
            if isinstance(module, types.ModuleType) and is_own(module.__name__):
                found.append((node.attr, getattr(module, node.attr, None)))
    return found


def parts(function: Callable) -> dict[str, str]:
    """The code behind a function, piece by piece.

    Args:
        function: A function or class of the course.

    Returns:
        Qualified name -> syntax tree as text, for the function and all of the course's functions,
        classes and constants that it reaches by name.

    Example:
        >>> sorted(name.split(".")[-1] for name in parts(is_own))
        ['COURSE', 'PACKAGES', 'ROOT', 'is_own']
    """
    pieces, todo = {}, [function]
    while todo:
        thing = inspect.unwrap(todo.pop())
        name = f"{thing.__module__}.{thing.__qualname__}"
        if name in pieces:
            continue
        tree = tree_of(thing)
        pieces[name] = text_of(tree)
        for name, value in used(tree, vars(sys.modules[thing.__module__])):
            if isinstance(value, KINDS):
                if is_own(value.__module__):
                    todo.append(value)
            elif isinstance(value, int | float | str | tuple | list | dict | Path):
                text = value.name if isinstance(value, Path) else repr(value)
                pieces[f"{thing.__module__}.{name}"] = text
    return pieces


def fingerprint(function: Callable) -> str:
    """A short hash of `parts`.

    Args:
        function: A function or class of the course.

    Returns:
        16 hexadecimal digits.

    Example:
        >>> fingerprint(is_own) == fingerprint(is_own) != fingerprint(bare)
        True
    """
    text = "\n".join(f"{name}\n{code}" for name, code in sorted(parts(function).items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
