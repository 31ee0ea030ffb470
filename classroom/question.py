"""A short quiz at a chapter's end: for yourself, never for points.

    from classroom import quiz

    quiz("1_change_of_variables")

A question is declared once, in `classroom/quizzes/`. Its answer and the numbers behind its wrong
answers are computed there, by the course's own functions or by the slip itself, and each wrong
answer says what went wrong.

Shown are two things at once, and whoever shows the cell takes what it can: HTML, a list of choices
and a fold with all answers, which needs nothing at all; and, where there are ipywidgets and a
kernel, buttons. On the site, course.js makes controls of the HTML.
"""

import importlib
import pkgutil
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from classroom.exercises import in_order

VIEW = "application/vnd.jupyter.widget-view+json"
NUMBER = re.compile(
    r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?:/(\d+\.?\d*|\.\d+))?", re.IGNORECASE
)
NO_NUMBER = "That is no number. Write it with digits, such as -0.25 or 1/4."
NO_CHOICE = "Choose one first."
AGAIN = "No, and it is none of the usual slips."


@dataclass(frozen=True)
class Option:
    """One of the choices.

    Args:
        text: What it says; `code` between backticks.
        value: What it is judged by: computed, see `Choice`.
        why: What is said to who chooses it.

    Example:
        >>> Option("a half", 0.5, "the slope divides.").value
        0.5
    """

    text: str
    value: float
    why: str


@dataclass(frozen=True)
class Choice:
    """A question with choices. The right one is the one whose value is the wanted one.

    Args:
        name: Of the question, unique in its chapter.
        ask: The question.
        options: The choices, in the order in which they are shown.
        wanted: The value that the right choice has.
        within: How far from it a value may lie.

    Raises:
        ValueError: There is not exactly one right choice.

    Example:
        >>> half, twice = Option("half", 0.5, "it divides."), Option("twice", 2.0, "it divides.")
        >>> print(Choice("slope", "How high?", (half, twice), wanted=0.5).judge("b"))
        B: No. It divides.
    """

    name: str
    ask: str
    options: Sequence[Option]
    wanted: float
    within: float = 1e-6

    def __post_init__(self):
        if (count := sum(map(self.is_right, self.options))) != 1:
            raise ValueError(f"options of {self.name!r} must hold one right choice, not {count}")

    def is_right(self, option: Option) -> bool:
        """Whether an option is the right one."""
        return abs(option.value - self.wanted) <= self.within

    @property
    def answers(self) -> list[tuple[str, str, bool]]:
        """Of each choice: its letter, what is said to it, and whether it is right."""
        return [
            (letter_of(k), said(option.why, self.is_right(option)), self.is_right(option))
            for k, option in enumerate(self.options)
        ]

    def judge(self, given: str | None) -> str:
        """What is said to a choice.

        Args:
            given: Its letter; None if none was chosen.

        Returns:
            A sentence or two, which begin with the letter.
        """
        for letter, text, _ in self.answers:
            if given and given.strip().upper() == letter:
                return f"{letter}: {text}"
        return NO_CHOICE


@dataclass(frozen=True)
class Slip:
    """A wrong number that people give.

    Args:
        value: The number, computed by the slip itself.
        why: How one gets it, and what is wrong with it.

    Example:
        >>> Slip(2.0, "you left the log out.").value
        2.0
    """

    value: float
    why: str


@dataclass(frozen=True)
class Number:
    """A question whose answer is a number.

    Args:
        name: Of the question, unique in its chapter.
        ask: The question.
        value: The answer, computed.
        why: What is said to it.
        slips: Wrong answers that have a name.
        hint: What is said to any other number.
        digits: After the point, where the number is shown.
        within: How far from it an answer may lie.

    Raises:
        ValueError: Two of the numbers are too near to each other to be told apart.

    Example:
        >>> ask = Number("log", "log e?", 1.0, "as defined.", (Slip(0.4343, "that is base 10."),),
        ...              hint="Which base?")
        >>> print(ask.judge("0,43"))
        0.43: No. That is base 10.
    """

    name: str
    ask: str
    value: float
    why: str
    slips: Sequence[Slip]
    hint: str
    digits: int = 2
    within: float = 0.011

    def __post_init__(self):
        numbers = sorted([self.value, *(slip.value for slip in self.slips)])
        near = [
            (a, b) for a, b in zip(numbers, numbers[1:], strict=False) if b - a < 2 * self.within
        ]
        if near:
            raise ValueError(f"slips of {self.name!r} must differ by {2 * self.within}, not {near}")

    def shown(self, value: float) -> str:
        """A number as it is shown."""
        return shown(value, self.digits)

    @property
    def answers(self) -> list[tuple[float, str, bool]]:
        """The right number and the slips: the number, what is said to it, whether it is right."""
        slips = [(slip.value, said(slip.why, False), False) for slip in self.slips]
        return [(self.value, said(self.why, True), True), *slips]

    @property
    def otherwise(self) -> str:
        """What is said to a number that is not among the answers."""
        return f"{AGAIN} {self.hint}"

    def judge(self, given: str | None) -> str:
        """What is said to a number.

        Args:
            given: The number, as somebody writes it.

        Returns:
            A sentence or two.
        """
        number = read_number(given or "")
        if number is None:
            return NO_NUMBER
        for value, text, _ in self.answers:
            if abs(number - value) <= self.within:
                return f"{self.shown(value)}: {text}"
        return self.otherwise


def shown(value: float, digits: int = 2) -> str:
    """A number as it is shown, with a proper minus.

    Example:
        >>> shown(-0.504), shown(-0.004), shown(3.0, 0)
        ('−0.50', '0.00', '3')
    """
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def letter_of(k: int) -> str:
    """The letter of a choice."""
    return chr(ord("A") + k)


def said(why: str, right: bool) -> str:
    """An explanation, and before it whether the answer is right."""
    return f"{'Right:' if right else 'No.'} {why if right else why[:1].upper() + why[1:]}"


def read_number(text: str) -> float | None:
    """A number as people write it: with a comma, a long minus, or as a fraction.

    Args:
        text: What was written.

    Returns:
        The number; None if it is none.

    Example:
        >>> read_number(" −0,5 "), read_number("1/4"), read_number("a half"), read_number("1/0")
        (-0.5, 0.25, None, None)
    """
    found = NUMBER.fullmatch(text.strip().replace("−", "-").replace(",", "."))
    if not found:
        return None
    below = float(found[2] or 1)
    return float(found[1]) / below if below else None


def marked(text: str) -> str:
    """A text as HTML: what stands between backticks is code.

    Example:
        >>> marked("a < `b`")
        'a &lt; <code>b</code>'
    """
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def listed(question: Choice | Number) -> str:
    """The choices of a question as HTML; nothing for a number."""
    if isinstance(question, Number):
        return ""
    items = [
        f"<li>{letter_of(k)}: {marked(option.text)}</li>"
        for k, option in enumerate(question.options)
    ]
    return f'<ul class="quiz-choices">{"".join(items)}</ul>'


def folded(question: Choice | Number) -> str:
    """All answers of a question, under a fold, as HTML."""
    items = []
    for key, text, right in question.answers:
        kind = ' class="right"' if right else ""
        number = isinstance(question, Number)
        data = f' data-value="{key:.6f}"' if number else ""
        shown = question.shown(key) if number else key
        items.append(f"<li{kind}{data}>{shown}: {marked(text)}</li>")
    return (
        '<details class="quiz-answers"><summary>All answers</summary>'
        f"<ul>{''.join(items)}</ul></details>"
    )


class Quiz:
    """The questions of a chapter, as a notebook shows them.

    Args:
        chapter: The stem of the chapter's notebook.
        questions: Its questions.

    Example:
        >>> quiz("1_change_of_variables")
        Quiz of chapter 1, 5 questions: for yourself, not for points
    """

    def __init__(self, chapter: str, questions: Sequence[Choice | Number]):
        self.chapter, self.questions = chapter, tuple(questions)
        self._box = None

    def __repr__(self) -> str:
        number = self.chapter.split("_")[0]
        count = len(self.questions)
        return f"Quiz of chapter {number}, {count} questions: for yourself, not for points"

    def html(self) -> str:
        """The quiz as HTML that needs no script: questions, choices, and folds with the answers."""
        parts = []
        for number, question in enumerate(self.questions, 1):
            data = ""
            if isinstance(question, Number):
                data = (
                    f' data-within="{question.within}"'
                    f' data-otherwise="{escape(question.otherwise)}" data-no-number="{NO_NUMBER}"'
                )
            parts.append(
                f'<div class="quiz-question" data-name="{question.name}"{data}>'
                f"<p>{number}. {marked(question.ask)}</p>{listed(question)}{folded(question)}</div>"
            )
        return f'<div class="quiz">{"".join(parts)}</div>'

    def widget(self):
        """The quiz as ipywidgets, 7 or 8.

        Returns:
            A box with one box for each question.
        """
        import ipywidgets

        boxes = [self._controls(ipywidgets, n, q) for n, q in enumerate(self.questions, 1)]
        return ipywidgets.VBox(boxes)

    def _controls(self, ipywidgets, number: int, question: Choice | Number):
        """A question, something to answer with, a button, and what is said."""
        text = ipywidgets.HTML(f"<b>{number}.</b> {marked(question.ask)}{listed(question)}")
        if isinstance(question, Choice):
            letters = [letter_of(k) for k in range(len(question.options))]
            given = ipywidgets.RadioButtons(options=letters, value=None, description="Choice:")
        else:
            given = ipywidgets.Text(placeholder="such as -0.25", description="Number:")
        button = ipywidgets.Button(description="Check")
        answer = ipywidgets.HTML()

        def check(_):
            answer.value = f'<div role="status">{marked(question.judge(given.value))}</div>'

        button.on_click(check)
        return ipywidgets.VBox([text, given, button, answer])

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        shown = {"text/plain": repr(self), "text/html": self.html()}
        try:
            self._box = self._box or self.widget()
            shown[VIEW] = {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self._box.model_id,
            }
        except Exception:  # no ipywidgets, or no kernel: the HTML is enough
            pass
        return shown


def chapters() -> dict[str, str]:
    """Stem of a chapter's notebook -> the module with its questions."""
    folder = importlib.import_module("classroom.quizzes")
    names = [info.name for info in pkgutil.iter_modules(folder.__path__)]
    found = {name.removeprefix("chapter_"): f"{folder.__name__}.{name}" for name in names}
    return in_order(found)


def quiz(chapter: str) -> Quiz | None:
    """The quiz of a chapter, to be shown as the last value of a notebook's cell.

    Args:
        chapter: The stem of the chapter's notebook.

    Returns:
        The quiz; None if there is none of this name, after a sentence that says which there are.

    Example:
        >>> quiz("12_dreams")
        There is no quiz '12_dreams'; there are 1_change_of_variables, ...
    """
    known = chapters()
    if chapter not in known:
        print(f"There is no quiz {chapter!r}; there are {', '.join(known)}.")
        return None
    return Quiz(chapter, importlib.import_module(known[chapter]).QUESTIONS)
