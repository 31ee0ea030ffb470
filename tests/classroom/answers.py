"""Answers for the exercises' checks: official ones from the chapters, and changed ones."""

import ast
import dis
import re
from types import CodeType

from classroom.exercise import Exercise, prelude
from classroom.solutions import solution


def code_of(label: str) -> str:
    """The Python of a solution."""
    blocks = re.findall(r"^```python\n(.*?)^```$", solution(label), re.DOTALL | re.MULTILINE)
    return "\n".join(blocks)


def bound(statement) -> set[str]:
    """The names that a statement binds at the top."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign):
        return {n.id for n in ast.walk(statement)
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}  # fmt: skip
    return set()


def used(code) -> set[str]:
    """The names that compiled code takes from outside of itself."""
    names = {
        i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= used(constant)
    return names


def definitions(code: str, names: tuple[str, ...]) -> str:
    """Of a solution, only what its answers need: no plots, no runs, no assertions."""
    statements = ast.parse(code).body
    wanted, kept = set(names), set()
    while True:
        new = {k for k, s in enumerate(statements) if bound(s) & wanted} - kept
        if not new:
            break
        kept |= new
        for k in new:
            wanted |= used(compile(ast.Module([statements[k]], []), "<answer>", "exec"))
    lines = code.splitlines()
    spans = [(statements[k].lineno - 1, statements[k].end_lineno) for k in sorted(kept)]
    return "\n".join("\n".join(lines[first:last]) for first, last in spans)


def official(exercise: Exercise) -> str:
    """The code of the chapter's own answer to an exercise."""
    return definitions(code_of(exercise.id), exercise.answers)


def judged(exercise: Exercise, code: str, seed: int = 0):
    """The verdict on an answer's code, run as in a grader: after the prelude, with no chapter."""
    space = dict(prelude(exercise.needs))
    exec(compile(code, "<answer>", "exec"), space)
    return exercise.judge(space, seed)
