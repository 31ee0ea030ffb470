"""The quizzes in a real browser: by keyboard, on a phone, by night, without scripts."""

from pathlib import Path

import pytest
from samples import DOCUMENTS, some_of
from test_browser_site import axe_violations, by_night

from classroom.question import NO_CHOICE, NO_NUMBER, Choice, Number, chapters, quiz

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"
STEMS = [stem for stem in chapters() if f"chapters/{stem}" in DOCUMENTS]
FIRST = STEMS[0]
PHONE = {"width": 390, "height": 844}
a_few_chapters = pytest.mark.parametrize("stem", some_of(STEMS))


@pytest.fixture
def open_quiz(open_tab, site):
    """Opens a chapter with the wanted properties."""
    usual = {"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce"}
    return lambda stem, **properties: open_tab(f"{site}/chapters/{stem}.html", **usual | properties)


def place(tab, question):
    """Where a question stands on the page."""
    return tab.locator(f".quiz-question[data-name='{question.name}']")


def first(kind):
    return next(q for q in quiz(FIRST).questions if isinstance(q, kind))


# Chooses or types each answer of each question named, in turn, and presses the button: what is
# said. (By keyboard: see below.)
ANSWER = """(all) => Object.entries(all).map(([name, answers]) => {
    const form = document.querySelector(`.quiz-question[data-name="${name}"]`);
    return answers.map((given) => {
        const labels = [...form.querySelectorAll("label")];
        const chosen = labels.find((label) => label.textContent.trim().startsWith(`${given}:`));
        if (chosen) chosen.click();
        else form.querySelector("input").value = given;
        [...form.querySelectorAll("button")].find((b) => b.textContent.trim() === "Check").click();
        const said = form.querySelector("[role=status]");
        return [said.textContent, [...said.classList]];
    });
})"""


@a_few_chapters
def test_every_answer_is_told_what_the_notebook_says(open_quiz, stem):
    tab, questions = open_quiz(stem), quiz(stem).questions
    legends = tab.locator(".quiz-question legend").all_text_contents()
    assert len(legends) == len(questions)
    assert all(legend.split(". ", 1)[1].strip() for legend in legends)
    answers = {}
    for question in questions:
        last = sorted(question.answers, key=lambda answer: answer[2])  # the right one last
        answers[question.name] = [
            (key if isinstance(question, Choice) else f"{key:.3f}", right) for key, _, right in last
        ]
    given = {name: [own for own, _ in those] for name, those in answers.items()}
    for question, told in zip(questions, tab.evaluate(ANSWER, given), strict=True):
        for (own, right), (said, classes) in zip(answers[question.name], told, strict=True):
            # (On the page, no line ends within "w·u = 1".)
            assert said.replace("\u00a0", " ") == question.judge(own).replace("`", "")
            assert ("right" in classes, "wrong" in classes) == (right, not right)
    assert not tab.locator("form.quiz-form:invalid").count()


def test_page_and_notebook_read_numbers_alike(open_quiz):
    question = first(Number)
    numbers = ["", "a half", "1/0", "0,5", "1/2", "−0.5", " 0.5 ", "-.5", "5e-1", "1e400", "7", "."]
    (told,) = open_quiz(FIRST).evaluate(ANSWER, {question.name: numbers})
    for given, (said, _) in zip(numbers, told, strict=True):
        assert said == question.judge(given), given


def test_by_keyboard_alone(open_quiz):
    question = first(Choice)
    tab = open_quiz(FIRST)
    form = place(tab, question)
    form.get_by_role("button", name="Check").focus()
    tab.keyboard.press("Enter")
    assert form.get_by_role("status").inner_text() == NO_CHOICE
    tab.keyboard.press("Shift+Tab")  # to the radio buttons
    tab.keyboard.press("Space")
    for letter in "CAB":  # (Shift+Tab came to the last one)
        assert form.locator("label:has(:checked)").inner_text().strip().startswith(f"{letter}:")
        tab.keyboard.press("Enter")
        assert form.get_by_role("status").inner_text() == question.judge(letter).replace("`", "")
        assert form.locator("input:checked").evaluate("(i) => i === document.activeElement")
        tab.keyboard.press("ArrowDown")
    number = place(tab, first(Number))
    number.get_by_role("textbox").focus()
    tab.keyboard.type("much")
    tab.keyboard.press("Enter")
    assert number.get_by_role("status").inner_text() == NO_NUMBER
    assert tab.url.endswith(f"{FIRST}.html"), "no form was sent"


@a_few_chapters
def test_without_scripts_it_is_questions_with_folds(open_quiz, stem):
    tab = open_quiz(stem, java_script_enabled=False)
    assert not tab.locator(".quiz :is(form, input, button)").count()
    shown = place(tab, quiz(stem).questions[0])
    right = shown.locator("li.right")
    assert shown.locator("p").first.is_visible() and not right.is_visible()
    shown.locator("summary").click()
    assert right.is_visible()
    folds = """[...document.querySelectorAll(".quiz-question")].map((question) => [
        question.querySelectorAll("details li").length, question.querySelectorAll("li.right").length
    ])"""
    assert tab.evaluate(folds) == [[len(q.answers), 1] for q in quiz(stem).questions]


@pytest.mark.parametrize("size", some_of([PHONE, None]), ids=["phone", "desk"])
def test_an_answered_quiz_is_accessible_and_fits(open_quiz, size):
    tab = open_quiz(FIRST, color_scheme="light", **({"viewport": size} if size else {}))
    for question in quiz(FIRST).questions:
        form = place(tab, question)
        if isinstance(question, Choice):
            form.locator("input").first.check()
        else:
            form.locator("input").fill("17")
        form.get_by_role("button", name="Check").click()
        form.locator("summary").click()
        box = form.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= tab.viewport_size["width"]
        assert form.evaluate("(part) => part.scrollWidth <= part.clientWidth + 1")
    if not size:
        return  # its parts have the same names and colours at a desk and on a phone
    assert not axe_violations(tab, within=".quiz")
    by_night(tab)
    assert not axe_violations(tab, within=".quiz", colours_only=True)


def test_on_paper_the_answers_are_there_and_no_buttons(open_quiz):
    tab = open_quiz(FIRST)
    tab.emulate_media(media="print")
    for question in quiz(FIRST).questions:
        form = place(tab, question)
        assert not form.locator("button:visible, input:visible").count()
        assert form.locator("li.right").is_visible()
