"""The short form of a cell: what a reader of the page need not see at first.

A cell that later chapters use is library as well as lesson: its docstrings say what is refused, and
its first lines refuse it. On the page these lines are folded. They stay where they are, so that
what is copied is the whole cell, and notebooks and `flows.py` know nothing of it.
"""

import ast
from itertools import groupby

from bs4 import BeautifulSoup, Tag

LONGEST_DOCSTRING = 3  # lines; of a longer one the first stays
FEWEST = 2  # lines: to fold a single one would save nothing
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
CHECKER = ("check_", "_check_")


def lines_of(node: ast.AST) -> range:
    """The lines that a statement takes, decorators included; the first of a text is 1."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    return range(first, node.end_lineno + 1)


def docstring_of(node: ast.AST) -> ast.Expr | None:
    """The statement that is a function's or a class's docstring."""
    first = node.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return first if is_text and isinstance(first.value.value, str) else None


def is_check(node: ast.AST) -> bool:
    """Whether a statement does nothing but refuse bad input.

    Example:
        >>> text = "if n < 1: raise ValueError(n)", "check_number('n', n)", "n = n + 1"
        >>> [is_check(ast.parse(line).body[0]) for line in text]
        [True, True, False]
    """
    if isinstance(node, ast.If) and not node.orelse:
        *before, last = node.body
        plain = all(isinstance(one, ast.Assign) or is_check(one) for one in before)
        return plain and (isinstance(last, ast.Raise) or is_check(last))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        called = node.value.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        return name.startswith(CHECKER)
    return False


def names(node: ast.AST, kind: type) -> set[str]:
    """The names that are read (`ast.Load`) or set (`ast.Store`) in a statement."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, kind)}


def checks_of(function: ast.AST) -> list[ast.AST]:
    """A function's checks, and the assignments that only they need."""
    inner = [node for node in ast.walk(function) if isinstance(node, ast.stmt)][1:]
    checks = [node for node in inner if is_check(node)]
    while True:
        hidden = {id(part) for check in checks for part in ast.walk(check)}
        read = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                read |= {node.id} if id(node) not in hidden else set()
        for_checks = set().union(*(names(check, ast.Load) for check in checks)) - read
        more = [
            node
            for node in inner
            if isinstance(node, ast.Assign) and id(node) not in hidden
            if all(isinstance(target, ast.Name | ast.Tuple) for target in node.targets)
            if (stored := names(node, ast.Store)) and stored <= for_checks
        ]
        if not more:
            return checks
        checks += more


def folded_lines(source: str) -> dict[int, str]:
    """The lines of a cell that its short form leaves out.

    Args:
        source: the cell's code.

    Returns:
        Number of the line, from 1 -> "docstring" or "checks"; nothing for what is no Python.

    Example:
        >>> folded_lines("def f(x):\\n    if x < 0:\\n        raise ValueError(x)\\n    return x")
        {2: 'checks', 3: 'checks'}
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:  # such as a cell with %pip
        return {}
    text, folded = source.split("\n"), {}
    for node in ast.walk(tree):
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            continue
        docstring = docstring_of(node)
        if docstring and len(lines_of(docstring)) > LONGEST_DOCSTRING:
            folded |= dict.fromkeys(lines_of(docstring)[1:], "docstring")
        if not isinstance(node, FUNCTIONS):
            continue
        refuses = node.name.startswith(CHECKER)
        checks = node.body[1 if docstring else 0 :] if refuses else checks_of(node)
        for check in checks:
            lines = lines_of(check)
            before = lines[0] - 1
            while text[before - 1].strip().startswith("#"):  # what is said of the check
                before -= 1
            folded |= dict.fromkeys(range(before + 1, lines[-1] + 1), "checks")
    # A blank line between two that are folded goes with them.
    for number in range(2, len(text)):
        if not text[number - 1].strip() and {number - 1, number + 1} <= set(folded):
            folded[number] = folded[number - 1]
    return {n: why for run in runs(folded) if len(run) >= FEWEST for n, why in run.items()}


def runs(folded: dict[int, str]) -> list[dict[int, str]]:
    """The folded lines in runs without a gap."""
    ordered = list(enumerate(sorted(folded)))
    grouped = groupby(ordered, key=lambda pair: pair[1] - pair[0])
    return [{line: folded[line] for _, line in group} for _, group in grouped]


def shorten(pre: Tag) -> None:
    """Fold, in the code of a page, what the short form leaves out; the text stays the same."""
    source = pre.get_text()
    written = pre.decode_contents().split("\n")  # (each line has its own elements)
    if not (found := folded_lines(source)) or len(written) != len(source.split("\n")):
        return
    text = source.split("\n")
    for run in runs(found):
        first, last = min(run), max(run)
        kinds = " and ".join(dict.fromkeys(run.values()))
        indent = len(text[first - 1]) - len(text[first - 1].lstrip())
        if not text[first - 1].strip():  # a docstring's second line is often blank
            full = next(text[n - 1] for n in run if text[n - 1].strip())
            indent = len(full) - len(full.lstrip())
        opening = (
            f'<details class="rest"><summary aria-label="{kinds}" data-says="{kinds}" '
            f'style="--indent: {indent}"></summary>'
        )
        written[first - 1] = opening + written[first - 1]
        # The end of the last line belongs to it: without it there is none left over when folded.
        written[last - 1] += "\n</details>"
    html = "".join(line if line.endswith("\n</details>") else f"{line}\n" for line in written)
    html = html if html.endswith("</details>") else html.removesuffix("\n")
    pre.clear()
    pre.extend(list(BeautifulSoup(f"<pre>{html}</pre>", "html.parser").pre.contents))
    if pre.get_text() != source:
        raise AssertionError("the short form of a cell has another text than the cell")
