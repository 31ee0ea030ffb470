"""An exercise: its spec, and what the reader may ask of it.

    from classroom import q

    q.units.check()     # one of five outcomes, in one sentence
    q.units.hint()      # the first hint; hint(2) the second
    q.units.solution()  # the text of the chapter's own solution

`check` reads the names that the exercise asks for from where it is called, builds black boxes of
them, and holds them against laws. It changes and stores nothing, and a fault in the answer is told
in a sentence, never as a traceback.
"""

import inspect
import linecache
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np

from classroom.laws import Broken
from classroom.verdict import Answer, Law, Outcome, Verdict, wrong

HERE = str(Path(__file__).resolve().parent)
PRELUDE = """\
import copy
import math
import torch
from torch import Tensor, nn
from torch.nn import functional as F
import gen_models_utilities as gmu
from flows import *
from flows_support import check_domain
"""


# What is to be written of a transform, for stubs.
DIRECTIONS = """\
    def decode(self, z, context=None):
        ...  # return x, log_abs_det

    def encode(self, x, context=None):
        ...  # return z, log_abs_det"""


class Level(StrEnum):
    """How hard an exercise is.

    Example:
        >>> [level.value for level in Level]
        ['warm-up', 'core', 'harder', 'research']
    """

    WARM_UP = "warm-up"
    CORE = "core"
    HARDER = "harder"
    RESEARCH = "research"


class Raised(Exception):
    """The answer's own code raised something.

    Args:
        name: the black box that was called.
        error: what it raised.
    """

    def __init__(self, name: str, error: BaseException):
        super().__init__(f"{type(error).__name__}: {error}")
        self.name, self.error = name, error


# ---------------------------------------------------------------------------------- black boxes


def to_numbers(name: str, value) -> np.ndarray:
    """What an answer returned, as a float64 array.

    Args:
        name: the black box, for the message.
        value: what came back.

    Returns:
        The numbers.

    Raises:
        Broken: it is None, text, or another object.
    """
    what = f"what `{name}` returns"
    if value is None or value is ...:
        raise Broken(wrong(what, "nothing", "numbers", "a `return` is missing"))
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        if np.iscomplexobj(value):
            raise TypeError
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise Broken(wrong(what, f"of type {type(value).__name__}", "numbers")) from None


def black_boxes(ports: Mapping[str, str], names: Mapping, support: str = "") -> Answer:
    """Make callables of an answer's names that take and return numbers only.

    This runs where the answer's code runs: in the notebook, or inside the grader's box.

    Args:
        ports: name -> a Python expression that gives a callable, in terms of the answer's names.
        names: the answer's names, and those that it takes as given.
        support: code that the expressions need besides; it runs with these names.

    Returns:
        name -> callable of float64 arrays and numbers, which returns a float64 array, or a tuple.

    Raises:
        Raised: an expression fails.

    Example:
        >>> boxes = black_boxes({"double": "lambda z: 2 * z"}, {})
        >>> boxes["double"](np.array([1.5]))
        array([3.])
    """
    import torch

    def boxed(name: str, text: str):
        function = run(name, lambda: eval(text, space))

        def call(*arguments):
            given = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in arguments]
            got = run(name, lambda: function(*given))
            arrays = isinstance(got, list) and any(hasattr(part, "shape") for part in got)
            if isinstance(got, tuple) or arrays:
                return tuple(to_numbers(name, part) for part in got)
            return to_numbers(name, got)

        return call

    def run(name: str, action):
        before = torch.get_default_dtype()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            torch.set_default_dtype(torch.float64)
            try:
                return action()
            except (Exception, SystemExit) as error:
                raise Raised(name, error) from None
            finally:
                torch.set_default_dtype(before)

    space = dict(names)
    run("the check", lambda: exec(compile(support, "<prelude>", "exec"), space))
    return {name: boxed(name, text) for name, text in ports.items()}


@cache
def prelude(needs: str) -> dict:
    """The names that an exercise takes as given, when no chapter has run.

    Args:
        needs: code to run after the common imports.

    Returns:
        The names; the caller must not change them.
    """
    space = {"__name__": "prelude"}
    exec(compile(PRELUDE + needs, "<prelude>", "exec"), space)
    return space


def is_empty(function) -> bool:
    """Whether a function is still a stub: its body is `...`, `pass` or a docstring.

    Example:
        >>> def stub(z):
        ...     ...
        >>> is_empty(stub), is_empty(lambda z: z)
        (True, False)
    """

    def stub():
        pass

    code = getattr(function, "__code__", None)
    if code is None:
        return False
    same = code.co_code[::2] == stub.__code__.co_code[::2]
    constants = [c for c in code.co_consts if c is not None and c is not ...]
    return same and not code.co_names and constants in ([], [function.__doc__])


def unwritten(name: str, names: Mapping) -> str:
    """Why a name counts as not attempted; empty if it does not."""
    if name not in names:
        return f"`{name}` is not defined"
    value = names[name]
    if value is ... or value is None:
        return f"`{name}` has no value yet"
    entries = list(value.values()) if isinstance(value, dict) else value
    if isinstance(entries, list | tuple) and any(entry is ... for entry in entries):
        return f"`{name}` has gaps"
    if is_empty(value):
        return f"`{name}` is still empty"
    if inspect.isclass(value):
        for method, function in vars(value).items():
            if is_empty(function):
                return f"`{name}.{method}` is still empty"
    return ""


def told(error: BaseException) -> str:
    """An error of the answer's code in half a sentence: type, line, message; no traceback.

    Example:
        >>> told(ValueError("no"))
        'ValueError: no'
    """
    import torch

    skipped = (HERE, str(Path(torch.__file__).parent), "<prelude>", "<frozen")
    frames = traceback.extract_tb(error.__traceback__)
    frames = [f for f in frames if not f.filename.startswith(skipped)]
    own = [f for f in frames if "ipykernel" in f.filename or f.filename.startswith("<")]
    place = ""
    if frame := (own or frames or [None])[-1]:
        source = linecache.getline(frame.filename, frame.lineno).strip()
        place = f" in line {frame.lineno}" + (f" (`{source}`)" if source else "")
    message = " ".join(str(error).split())[:200].rstrip(".")
    return f"{type(error).__name__}{place}" + (f": {message}" if message else "")


# ---------------------------------------------------------------------------------- an exercise


@dataclass(frozen=True)
class Exercise:
    """What an exercise asks for and how it is judged. What it says to the reader is the chapter's.

    Attributes:
        id: its label in the chapter.
        name: under which `q` knows it.
        title: as in the chapter.
        level: how hard it is.
        minutes: how long it takes, by estimate.
        points: what it is worth.
        hints: two or three, each giving away more.
        answers: the names that the reader defines; none if nothing can be checked here.
        stub: the code that stands in the answer cell.
        ports: see `black_boxes`.
        checks: the laws, in the order in which they are tried.
        needs: code that stands in for what the chapter defined.
        support: code of the checks, which runs with the answer's names.
        rubric: what earns the points where no program can judge.

    Example:
        >>> from classroom import q
        >>> q.exp.judge({}).outcome.value
        'not attempted'
    """

    id: str
    name: str
    title: str
    level: Level
    minutes: int
    points: int
    hints: tuple[str, ...]
    answers: tuple[str, ...] = ()
    stub: str = ""
    ports: Mapping[str, str] | None = None
    checks: tuple[Law, ...] = ()
    needs: str = ""
    support: str = ""
    rubric: tuple[str, ...] = ()

    @property
    def facts(self) -> str:
        """Level, minutes and points, as they stand below the exercise's title."""
        points = f"{self.points} point{'s' * (self.points != 1)}"
        return f"*{self.level.value.capitalize()} · about {self.minutes} minutes · {points}*"

    def judge(self, names: Mapping, seed: int = 0) -> Verdict:
        """Hold an answer against the laws.

        Args:
            names: what the reader defined.
            seed: of the random points.

        Returns:
            One of the five outcomes. Nothing that the answer's code does raises here.
        """
        if not self.checks:
            return Verdict(
                Outcome.NOT_CHECKABLE,
                "no program can judge this answer; it earns its points by: "
                + "; ".join(f"({k}) {line}" for k, line in enumerate(self.rubric, 1)),
            )
        for name in self.answers:
            if why := unwritten(name, names):
                return Verdict(Outcome.NOT_ATTEMPTED, f"{why}; {self.asks}")
        try:
            answer = black_boxes(self.ports, {**prelude(self.needs), **names}, self.support)
            return self.verdict(answer, np.random.default_rng(seed))
        except Raised as raised:
            message = f"{told(raised.error)}, when `{raised.name}` was called"
        except (Exception, RecursionError) as error:  # an answer that no law foresaw
            message = f"a check met {type(error).__name__} in what your code returned"
        return Verdict(Outcome.CANNOT_RUN, message)

    @property
    def asks(self) -> str:
        """What the check looks for."""
        return "the check looks for " + " and ".join(f"`{name}`" for name in self.answers)

    def verdict(self, answer: Answer, rng: np.random.Generator) -> Verdict:
        """Try the laws on black boxes, until one does not hold.

        Args:
            answer: name -> callable, see `classroom.verdict`.
            rng: where random points come from.

        Returns:
            The first law's verdict that does not hold; else that the visible checks pass.
        """
        for check in self.checks:
            try:
                broken = check(answer, rng)
            except Broken as stopped:  # by a value that is no number
                broken = stopped.verdict
            if broken:
                return broken
        held = f"{len(self.checks)} laws hold" if len(self.checks) > 1 else "the law holds"
        rest = f"; a person still looks for: {'; '.join(self.rubric)}" if self.rubric else ""
        return Verdict(Outcome.PASSES, f"{held} on random points{rest}")

    def check(self) -> None:
        """Print what the laws say about the names that are defined where this is called."""
        print(self.judge(caller(sys._getframe(1))))

    def hint(self, number: int = 1) -> None:
        """Print a hint.

        Args:
            number: which one, from 1.

        Raises:
            ValueError: there is no such hint.
        """
        if number not in range(1, len(self.hints) + 1):
            raise ValueError(f"number must be 1 to {len(self.hints)}, but is {number!r}")
        more = f" ({len(self.hints) - number} more)" if number < len(self.hints) else ""
        print(f"Hint {number}{more}: {self.hints[number - 1]}")

    def solution(self) -> None:
        """Show the chapter's solution; in an edition without solutions, say so."""
        from classroom.solutions import solution

        text = solution(self.id)
        if text is None:
            print("This edition holds no solutions; ask whoever gave it to you.")
            return
        ipython = sys.modules.get("IPython")  # there, if this is a notebook
        if ipython and ipython.get_ipython():
            ipython.display.display(ipython.display.Markdown(text))
        else:
            print(text)

    def __repr__(self) -> str:
        return f"{self.title} ({self.facts.strip('*')}): .check(), .hint(), .solution()"


def caller(frame) -> dict:
    """The names that are defined where a frame is."""
    return {**frame.f_globals, **frame.f_locals}


class Exercises:
    """All exercises of the course, by name: `q.units`, `q["ex-5-units"]`.

    Args:
        exercises: the specs.

    Raises:
        ValueError: two have one name or one id.

    Example:
        >>> from classroom import q
        >>> q["ex-5-units"] is q.units
        True
    """

    def __init__(self, exercises: Sequence[Exercise]):
        self._all = tuple(exercises)
        for key in ("id", "name"):
            keys = [getattr(exercise, key) for exercise in self._all]
            if twice := sorted({k for k in keys if keys.count(k) > 1}):
                raise ValueError(f"two exercises have the {key} {', '.join(twice)}")

    def __iter__(self):
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __dir__(self):
        return [exercise.name for exercise in self._all]

    def __getitem__(self, key: str) -> Exercise:
        for exercise in self._all:
            if key in (exercise.id, exercise.name):
                return exercise
        raise KeyError(f"there is no exercise {key!r}; there are {', '.join(dir(self))}")

    def __getattr__(self, name: str) -> Exercise:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(error.args[0]) from None
