"""What a check says about an answer: one of five outcomes, in one sentence.

A **law** is a function `law(answer, rng) -> Verdict | None`. `answer` maps names to callables that
take and return float64 numpy arrays; a law that holds returns None. So the same law judges a torch
function in a notebook and a process behind a pipe: numbers go in, numbers come out, and nothing
else crosses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Outcome(StrEnum):
    """The five things that a check may say. None of them is "all tests passed": no check sees all.

    Example:
        >>> Outcome.PASSES.value
        'visible checks pass'
    """

    NOT_ATTEMPTED = "not attempted"
    CANNOT_RUN = "cannot run"
    WRONG = "wrong"
    PASSES = "visible checks pass"
    NOT_CHECKABLE = "not checkable here"


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        outcome: which of the five.
        message: one sentence; it contains what was measured, what was wanted, and the cause.
        measured: the value that was found, as text; empty if nothing was measured.
        wanted: the value that the law demands, as text.
        cause: what such a difference usually means.

    Example:
        >>> print(wrong("the density's integral", "1.43", "1", "no log-det was added"))
        Wrong: the density's integral is 1.43, not 1: no log-det was added.
    """

    outcome: Outcome
    message: str
    measured: str = ""
    wanted: str = ""
    cause: str = ""

    def __str__(self) -> str:
        return f"{self.outcome.value.capitalize()}: {self.message}."


Answer = Mapping[str, Callable[..., np.ndarray | tuple[np.ndarray, ...]]]
Law = Callable[[Answer, np.random.Generator], Verdict | None]


def wrong(what: str, measured: str, wanted: str, cause: str = "") -> Verdict:
    """A verdict that says what was measured, what was wanted, and what that usually means.

    Args:
        what: the quantity, as the subject of a sentence.
        measured: its value in the answer.
        wanted: the value that it should have.
        cause: the usual cause; may be empty.

    Returns:
        The verdict, with all of it in its message.

    Example:
        >>> wrong("a", "2", "3").message
        'a is 2, not 3'
    """
    message = f"{what} is {measured}, not {wanted}" + (f": {cause}" if cause else "")
    return Verdict(Outcome.WRONG, message, measured, wanted, cause)
