"""Guesses: a question, choices, and a folded answer that says something to each choice.

In a notebook that is plain Markdown, readable everywhere:

    **My guess.** Which of the three is right?

    - A: this one
    - B: that one

    <details class="guess"><summary>Answer</summary>

    - A: No, for ...
    - B: Right: ...

    </details>

On the site a choice can be pressed (course.js), which unfolds the answer. The right one is the one
whose answer begins with "Right".
"""

import re

from bs4 import BeautifulSoup, Tag

LETTER = re.compile(r"^\s*([A-Z]):\s+(\w+)")


def items_of(part: Tag | None) -> list[Tag]:
    """The items of a list, if it is one."""
    return part.find_all("li", recursive=False) if part is not None and part.name == "ul" else []


def letters_of(items: list[Tag]) -> list[tuple[str, str]]:
    """The letter and the first word of each item; None where it has no letter."""
    found = [LETTER.match(item.get_text()) for item in items]
    return [match.groups() if match else None for match in found]


def mark_guesses(name: str, soup: BeautifulSoup) -> list[str]:
    """Mark questions, choices and answers, so that course.js can bring them together.

    Args:
        name: The page's name.
        soup: The page itself.

    Returns:
        A complaint for each guess that is not as described above.
    """
    complaints = []
    for number, answer in enumerate(soup.select("article details.guess"), 1):
        choices = answer.find_previous_sibling()
        question = choices and choices.find_previous_sibling()
        answers = letters_of(items_of(answer.find("ul")))
        asked = letters_of(items_of(choices))
        right = [k for k, found in enumerate(answers) if found and found[1] == "Right"]
        wanted = [chr(ord("A") + k) for k in range(len(asked))]
        fits = wanted == [f and f[0] for f in asked] == [f and f[0] for f in answers]
        if not fits or len(right) != 1 or len(wanted) < 2 or not question or question.name != "p":
            complaints.append(
                f"{name}: guess {number} needs a question, choices 'A: ...', 'B: ...', and an "
                "answer to each, of which exactly one begins with 'Right'"
            )
            continue
        question["class"], question["id"] = ["guess-question"], f"guess-{number}"
        choices["class"], choices["aria-labelledby"] = ["guess-choices"], question["id"]
        answer.find("ul")["class"] = ["guess-answers"]
        items_of(answer.find("ul"))[right[0]]["class"] = ["right"]
    return complaints
