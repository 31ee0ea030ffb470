"""What a sheet is: a question, a grid, predictions, a task, questions, and how they are marked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiments import grid

# Points of a sheet, by part, and what earns them. What a good answer says stands in keys.toml.
POINTS = {"prediction": 2, "runs": 3, "code": 2, "q1": 1, "q2": 1, "q3": 1}
RUBRIC = {
    "prediction": "Both numbers are predicted before anything ran, each with a reason that "
    "names a mechanism. Whether they came true earns nothing.",
    "runs": "All runs are there, they are those of your ring and seeds, and one of them, run "
    "again, gives its numbers.",
    "code": "Your function keeps the laws that your notebook checks, on numbers drawn anew.",
    "q1": "Names the measured numbers, and compares their difference with the spread of the seeds.",
    "q2": "Gives the reason, not only the observation.",
    "q3": "Holds your own stated reason against the numbers. Having been right earns nothing.",
}


@dataclass(frozen=True)
class Prediction:
    """A number that is guessed, with a reason, before anything runs.

    Attributes:
        key: Its name in `sheet.predict`.
        text: What is asked.
        arm: The settings whose result it is.
        measure: Which number of the result.
    """

    key: str
    text: str
    arm: dict
    measure: str


@dataclass(frozen=True)
class Question:
    """A question that is answered in words.

    Attributes:
        key: Id of its answer cell.
        text: The question.
    """

    key: str
    text: str


# The last question of most sheets.
REVIEW = Question(
    "q3",
    "Where was your prediction wrong, and what did you believe that led you there? (If"
    " it was right: which result would have proved you wrong?)",
)


@dataclass(frozen=True)
class Task:
    """A function to write, which laws judge.

    Attributes:
        asks: What the function should do.
        stub: What stands in the answer cell.
        names: The functions that it asks for.
        laws: `law(answer, rng) -> Verdict | None`, see `classroom.verdict`.
    """

    asks: str
    stub: str
    names: Sequence[str]
    laws: Sequence[Callable]


@dataclass(frozen=True)
class Spec:
    """A sheet that can be assigned.

    Attributes:
        name: Its name on the command line.
        title: Its title.
        question: What it asks, one sentence.
        background: What a reader must know; Markdown.
        chapter: The chapter that it belongs to.
        run: `run(settings, seeds) -> rows`, see `experiments.sweep`.
        factors: Setting -> the values that the grid crosses.
        measures: Number of a result -> what it is.
        main: The number that `compare` draws.
        predictions: What is guessed.
        effect: `(larger arm, smaller arm, measure)`: what every variant must show in every seed,
            so that no student gets a ring on which the sheet's question has no answer.
        task: The function to write.
        questions: Three.
        minutes: Of a student's work, without the sweep.
        cpu_minutes: What the sweep may cost on one core. (It uses no GPU.)

    Example:
        >>> from experiments.sheets import SHEETS
        >>> len(SHEETS["depth"].arms())
        6
    """

    name: str
    title: str
    question: str
    background: str
    chapter: str
    run: Callable
    factors: dict[str, Sequence]
    measures: dict[str, str]
    main: str
    predictions: Sequence[Prediction]
    effect: tuple[dict, dict, str]
    task: Task
    questions: Sequence[Question]
    minutes: int = 60
    cpu_minutes: float = 3.0

    def arms(self) -> list[dict]:
        """The settings of the grid, without the ring.

        Returns:
            One dictionary an arm, in order.
        """
        return grid(**self.factors)


def arm_name(arm: dict) -> str:
    """An arm in words.

    Args:
        arm: Its settings.

    Returns:
        The name under which its numbers are stored.

    Example:
        >>> arm_name({"layers": 2, "width": 8})
        'layers 2, width 8'
    """
    return ", ".join(f"{name} {value}" for name, value in arm.items())
