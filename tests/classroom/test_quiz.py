"""Quizzes: right answers by another way, wrong ones told apart, and the same in page and notebook.

Each right answer is computed once more in quiz_answers.py, without the course's functions.
"""

import sys

import nbformat
import pytest
import quiz_answers
from bs4 import BeautifulSoup
from execute import WIDGET_VIEW
from execute import chapters as notebooks
from nbclient import NotebookClient

from classroom.question import (
    AGAIN,
    NO_CHOICE,
    NO_NUMBER,
    VIEW,
    Choice,
    Number,
    Option,
    Quiz,
    Slip,
    chapters,
    quiz,
    read_number,
)

STEMS = list(chapters())
ALL = [(stem, question) for stem in STEMS for question in quiz(stem).questions]
each_chapter = pytest.mark.parametrize("stem", STEMS)
each_question = pytest.mark.parametrize(
    ("stem", "question"), ALL, ids=[f"{stem[0]}-{question.name}" for stem, question in ALL]
)


def test_every_chapter_has_a_quiz():
    assert STEMS == [path.stem for path in notebooks()]
    steps = (notebooks()[0].parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    said = " ".join(steps.split("## Add a chapter")[1].split("\n## ")[0].split())
    assert "Check yourself (the quiz)" in said and "Give the quiz its questions" in said


@each_chapter
def test_a_quiz_is_short_and_of_both_kinds(stem):
    questions = quiz(stem).questions
    assert 3 <= len(questions) <= 5
    assert {type(question) for question in questions} == {Choice, Number}
    assert len({question.name for question in questions}) == len(questions)


@each_question
def test_the_right_answer_is_right_by_another_way(stem, question):
    other = quiz_answers.OTHER_WAYS[stem, question.name]()
    if isinstance(question, Number):
        assert other == pytest.approx(question.value, abs=question.within / 10)
    else:
        (right,) = [letter for letter, _, is_right in question.answers if is_right]
        assert other == right


def test_no_other_way_is_left_over():
    assert set(quiz_answers.OTHER_WAYS) == {(stem, question.name) for stem, question in ALL}


@each_question
def test_wrong_answers_are_far_from_the_right_one_and_explained(stem, question):
    reasons = [text for _, text, _ in question.answers]
    assert len(reasons) >= 3 and len(set(reasons)) == len(reasons)
    for key, text, right in question.answers:
        assert text.startswith("Right: " if right else "No. ") and len(text) > 25, text
        assert text.endswith("."), text
        if isinstance(question, Number) and not right:
            assert abs(key - question.value) >= 2 * question.within
            assert question.judge(f"{key:.3f}").endswith(text)
    if isinstance(question, Number):
        assert question.judge(f"{question.value:.3f}").split(": ", 1)[1].startswith("Right: ")
        rounded = f"{question.value:.{question.digits}f}"
        assert "Right: " in question.judge(rounded), "as it is shown it is right"
        assert question.judge("12345.678") == f"{AGAIN} {question.hint}"
        assert question.hint[:1].isupper() or not question.hint[:1].isalpha(), "it is a sentence"
    else:
        for option in question.options:
            if not question.is_right(option):
                assert abs(option.value - question.wanted) > 10 * question.within


def test_the_right_choice_is_not_always_the_same():
    right = [next(k for k, _, is_right in q.answers if is_right) for _, q in ALL
             if isinstance(q, Choice)]  # fmt: skip
    assert len(set(right)) >= 3 and max(map(right.count, right)) <= 0.6 * len(right)


# -- Declarations that do not hold ---------------------------------------------------------------


@pytest.mark.parametrize("values", [(1.0, 1.0), (2.0, 3.0)])
def test_a_choice_has_one_right_option(values):
    options = [Option("a", value, "so") for value in values]
    with pytest.raises(ValueError, match="'two' must hold one right choice, not [02]"):
        Choice("two", "Which?", options, wanted=1.0)


def test_numbers_must_be_told_apart():
    with pytest.raises(ValueError, match=r"'near' must differ by 0\.022"):
        Number("near", "How many?", 1.0, "so", [Slip(1.02, "no")], hint="count")


# -- What is said --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5), ("0,5", 0.5), ("−2", -2), ("1/4", 0.25), ("-1/4", -0.25), (" 3. ", 3),
        (".5", 0.5), ("1e-3", 0.001), ("+7", 7), ("", None), ("a", None), ("1/0", None),
        ("1/2/3", None), ("0.5 nats", None), ("--1", None), ("1.2.3", None), ("nan", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(text, value):
    assert read_number(text) == value


def test_what_is_no_answer_is_said_to_be_none():
    choice, number = (next(q for _, q in ALL if isinstance(q, kind)) for kind in (Choice, Number))
    assert choice.judge(None) == choice.judge("") == choice.judge("Z") == NO_CHOICE
    assert number.judge("") == number.judge(None) == number.judge("much") == NO_NUMBER


# -- As a notebook shows it ----------------------------------------------------------------------


@each_chapter
def test_the_stored_cell_holds_the_questions_of_today(stem):
    """Change a question, and the chapter has to be stored anew: `make execute`."""
    path = next(path for path in notebooks() if path.stem == stem)
    cells = nbformat.read(path, as_version=4).cells
    (cell,) = [c for c in cells if c.cell_type == "code" and "quiz(" in c.source]
    assert cell.source == f'from classroom import quiz\n\nquiz("{stem}")'
    (output,) = cell.outputs
    assert output.data == {"text/plain": repr(quiz(stem)), "text/html": quiz(stem).html()}
    before = cells[cells.index(cell) - 1].source
    assert (
        "\n## Check yourself\n" in f"\n{before}"
        and "## Summary" in cells[cells.index(cell) + 1].source
    )


@each_chapter
def test_html_needs_no_script_and_hides_the_answers(stem):
    soup = BeautifulSoup(quiz(stem).html(), "html.parser")
    assert not soup.select("script, style, input, button, [onclick], [id]")
    for question, part in zip(quiz(stem).questions, soup.select(".quiz-question"), strict=True):
        assert len(part.select("details li")) == len(question.answers)
        assert len(part.select("details li.right")) == 1
        assert part.p.get_text().strip().endswith("?")
        for _, text, _ in question.answers:
            outside = part.p.get_text() + "".join(
                u.get_text() for u in part.select("ul.quiz-choices")
            )
            assert text not in outside


@each_chapter
def test_its_widgets_say_the_same(stem):
    shown = quiz(stem)
    page = BeautifulSoup(shown.html(), "html.parser").select(".quiz-question")
    for question, box, part in zip(shown.questions, shown.widget().children, page, strict=True):
        text, given, button, answer = box.children
        for choices in part.select(".quiz-answers"):
            choices.decompose()
        asked = BeautifulSoup(text.value, "html.parser").get_text()
        assert asked == part.get_text() and given.description.endswith(":") and button.description
        button.click()
        nothing = NO_CHOICE if isinstance(question, Choice) else NO_NUMBER
        assert nothing in answer.value and 'role="status"' in answer.value
        for key, _, right in question.answers:
            given.value = key if isinstance(question, Choice) else f"{key:.3f}"
            button.click()
            said = BeautifulSoup(answer.value, "html.parser").get_text()
            assert said == question.judge(given.value).replace("`", "")
            assert ("Right: " in said) == right


def test_its_view_is_the_one_that_ipywidgets_gives():
    shown = quiz(STEMS[0])
    assert shown._repr_mimebundle_()[VIEW] == shown._box._repr_mimebundle_()[VIEW]


def test_without_ipywidgets_the_html_is_enough(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # importing it fails
    assert set(quiz(STEMS[0])._repr_mimebundle_()) == {"text/plain", "text/html"}


def test_an_unknown_chapter_is_told_in_a_sentence(capsys):
    assert quiz("12_dreams") is None
    assert capsys.readouterr().out == (
        f"There is no quiz '12_dreams'; there are {', '.join(STEMS)}.\n"
    )


def test_in_a_kernel_both_are_shown_and_one_is_pressed():
    cells = [
        f'from classroom import quiz\nshown = quiz("{STEMS[0]}")\nshown',
        "_, given, button, answer = shown._box.children[0].children\n"
        "button.click()\nprint(answer.value)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(notebook, timeout=300, startup_timeout=300, kernel_name="python3").execute()
    (shown,), (printed,) = (cell.outputs for cell in notebook.cells)
    assert set(shown.data) == {"text/plain", "text/html", VIEW} and VIEW == WIDGET_VIEW
    assert NO_CHOICE in printed.text


def test_a_quiz_says_what_it_is():
    assert repr(Quiz("3_x", ())) == "Quiz of chapter 3, 0 questions: for yourself, not for points"
