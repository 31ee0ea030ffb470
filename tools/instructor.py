"""Fill the tables of instructor.md from the chapters, the exercises' specs and the sheets.

    python tools/instructor.py

A table stands between two comments that name it, and is written anew here (`make execute` runs it);
all else on the page is its authors'. A test holds page and specs equal.
"""

import json
import re
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import safely
from notebooks import read

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sphinx_external_toc.parsing import parse_toc_yaml  # noqa: E402

from benchmarks.field_page import table  # noqa: E402
from classroom.exercise import Exercise, Level  # noqa: E402
from classroom.exercises import chapters  # noqa: E402
from classroom.variants import cost  # noqa: E402
from experiments.sheets import POINTS, RUBRIC, SHEETS  # noqa: E402

PAGE = ROOT / "instructor.md"
FAULTS = ROOT / "tests" / "classroom" / "answers.toml"
WALK = ROOT / "benchmarks" / "classroom.json"
BLOCK = re.compile(r"(<!-- made: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
READING = re.compile(r"about (\d+) minutes of reading")
GOALS = re.compile(
    r"^\*\*What you will learn\*\*\n\n(.*?)(?=\n\n[^ -]|\Z)", re.DOTALL | re.MULTILINE
)
# What is read and done together, in class: hours -> chapter -> exercises (by their names in `q`).
PLANS: dict[int, dict[str, tuple[str, ...]]] = {
    2: {
        "1_change_of_variables": ("exp", "stretch"),
        "4_realnvp": ("sign", "density"),
    },
    4: {
        "1_change_of_variables": ("exp", "stretch"),
        "3_transforms_2d": ("turned", "by_hand"),
        "4_realnvp": ("sign", "density"),
        "5_training": ("apart", "rate", "units"),
    },
    8: {
        "1_change_of_variables": ("exp", "wrong"),
        "2_transforms_1d": ("interval", "chain"),
        "3_transforms_2d": ("turned", "volume"),
        "4_realnvp": ("density", "nice"),
        "5_training": ("apart", "rate", "units"),
        "6_conditional": ("prior",),
        "7_outlook": ("chi", "ruler"),
        "8_sharper_couplings": ("middle",),
    },
}
HOMEWORK = {4: ("depth",), 8: ("overfitting", "strange")}
LEFT_OUT = "(a chapter that is left out here)"


@dataclass(frozen=True)
class Chapter:
    """A chapter, as its first cell and its specs describe it.

    Attributes:
        stem: name of its notebook.
        title: its title.
        goals: what is learnt, as a Markdown list.
        minutes: of reading.
        exercises: their specs; none for a chapter without.
    """

    stem: str
    title: str
    goals: str
    minutes: int
    exercises: tuple[Exercise, ...]

    @property
    def link(self) -> str:
        """A link to its page."""
        return f"[{self.title}](chapters/{self.stem}.ipynb)"


def the_chapters(root: Path = ROOT) -> list[Chapter]:
    """The chapters that the table of contents names, in its order."""
    specs, found = chapters(), []
    for name in parse_toc_yaml(root / "_toc.yml"):
        if not name.startswith("chapters/"):
            continue
        stem = name.removeprefix("chapters/")
        text = read(root / f"{name}.ipynb").cells[0].source
        title = re.search(r"^# (.+)$", text, flags=re.MULTILINE)
        goals, minutes = GOALS.search(text), READING.search(text)
        found.append(Chapter(
            stem, title[1] if title else stem, goals[1] if goals else "",
            int(minutes[1]) if minutes else 0, specs.get(stem, ()),
        ))  # fmt: skip
    return found


def plain(text: str) -> str:
    """A hint or a fault as Markdown: code stays code, nothing else is markup.

    Example:
        >>> print(plain("a*b, not `a*b`"))
        a\\*b, not `a*b`
    """
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(p if k % 2 else re.sub(r"([\\*_$<>\[\]{}~#^])", r"\\\1", p)
                   for k, p in enumerate(parts))  # fmt: skip


# ------------------------------------------------------------------------------------ the tables


def book() -> str:
    """The chapters: minutes, exercises, points, levels."""
    rows, totals = [], [0, 0, 0, 0, 0]
    for chapter in the_chapters():
        specs = chapter.exercises
        own = [chapter.minutes, len(specs), sum(e.minutes for e in specs),
               sum(e.points for e in specs), sum(bool(e.checks) for e in specs)]  # fmt: skip
        levels = ", ".join(level for level in Level if any(e.level == level for e in specs))
        rows.append([chapter.link, *own, levels])
        totals = [a + b for a, b in zip(totals, own, strict=True)]
    head = ["chapter", "minutes to read", "exercises", "their minutes", "points",
            "checked by a program", "levels"]  # fmt: skip
    return table(head, [*rows, ["together", *totals, ""]])


def plans() -> str:
    """The plans: what is read and done in class, and what is handed in."""
    known, texts = {c.stem: c for c in the_chapters()}, []
    for hours, wanted in PLANS.items():
        rows, total = [], 0
        for stem, names in wanted.items():
            if (chapter := known.get(stem)) is None:
                continue
            chosen = [e for e in chapter.exercises if e.name in names]
            minutes = chapter.minutes + sum(e.minutes for e in chosen)
            total += minutes
            rows.append([
                chapter.link, chapter.minutes,
                ", ".join(f"{link_to(e)} ({e.minutes})" for e in chosen), minutes,
            ])  # fmt: skip
        sheets = " and ".join(
            f"*{SHEETS[name].title}* (`{name}`, {SHEETS[name].minutes} minutes)"
            for name in HOMEWORK.get(hours, ()) if SHEETS[name].chapter in known
        )  # fmt: skip
        rows.append(["together", "", "", total])
        head = ["chapter", "read", "do (minutes)", "minutes"]
        hand_in = f" To hand in: {sheets}." if sheets else ""
        texts.append(f"**{hours} hours.**{hand_in}\n\n{table(head, rows)}")
    return "\n\n".join(texts)


def link_to(exercise: Exercise) -> str:
    """A link to an exercise."""
    return f"{{ref}}`{exercise.title} <{exercise.id}>`"


def sheets() -> str:
    """The sheets: question, chapter, what they cost."""
    known = {c.stem: c for c in the_chapters()}
    rows = [
        [
            f"`{s.name}`", s.question, known[s.chapter].link if s.chapter in known else LEFT_OUT,
            s.minutes, max(1, round(cost(s.name))), len(s.arms()), ", ".join(s.task.names),
        ]
        for s in SHEETS.values()
    ]  # fmt: skip
    head = ["SHEET", "question", "after", "minutes of a student", "CPU seconds of its runs",
            "settings run", "function to write"]  # fmt: skip
    return table(head, [[*row[:-1], f"`{row[-1]}`"] for row in rows])


def rubric() -> str:
    """What earns the points of a sheet, and who sees to it."""
    machine = {"runs", "code"}
    rows = [
        [part, points, RUBRIC[part], "the grader" if part in machine else "a person"]
        for part, points in POINTS.items()
    ]
    rows.append(["together", sum(POINTS.values()), "", ""])
    return table(["part", "points", "what earns them", "marked by"], rows)


def faults() -> dict[str, list[str]]:
    """Exercise -> the wrong answers that its check must find, and explain."""
    found: dict[str, list[str]] = {}
    if FAULTS.exists():
        for fault in tomllib.loads(FAULTS.read_text(encoding="utf-8")).get("mutant", []):
            found.setdefault(fault["exercise"], []).append(fault["what"])
    return found


def exercises() -> str:
    """For each chapter its goals, and for each exercise its facts, hints and usual slips."""
    known, texts = faults(), []
    for chapter in the_chapters():
        rows = [
            [link_to(e), e.level.value, e.minutes, e.points,
             ("a program" if e.checks else "a person") + (", then a person" if e.checks and e.rubric
                                                          else "")]
            for e in chapter.exercises
        ]  # fmt: skip
        lines = [f"### {chapter.title}", "", f"**Goals**\n\n{chapter.goals}", ""]
        if rows:
            lines += [table(["exercise", "level", "minutes", "points", "judged by"], rows), ""]
            lines += ["````{admonition} Hints and slips", ":class: dropdown"]
            for e in chapter.exercises:
                hints = " ".join(f"({k}) {plain(h)}" for k, h in enumerate(e.hints, 1))
                slips = "; ".join(plain(slip) for slip in known.get(e.name, []))
                lines += ["", f"**{plain(e.title)}**", "", f"- Hints: {hints}"]
                lines += [f"- Slips: {slips}."] if slips else []
                lines += [f"- Points: {plain('; '.join(e.rubric))}."] if e.rubric else []
            lines += ["````", ""]
        texts.append("\n".join(lines))
    return "\n".join(texts).rstrip("\n")


def in_minutes(seconds: float) -> str:
    """Say how many minutes something took.

    Example:
        >>> in_minutes(90), in_minutes(2)
        ('1.5', 'under 0.1')
    """
    return f"{seconds / 60:.1f}" if seconds >= 6 else "under 0.1"


def walk() -> str:
    """What the whole way from a roster to the LMS's table took, as it was measured."""
    if not WALK.exists():
        return "(not measured yet)"
    found = json.loads(WALK.read_text(encoding="utf-8"))
    rows = [
        [f"`{step['command']}`", in_minutes(step["seconds"]), f"{step['cpu_seconds']:.0f}"]
        for step in found["steps"]
    ]
    rows.append(["together", in_minutes(sum(s["seconds"] for s in found["steps"])),
                 f"{sum(s['cpu_seconds'] for s in found['steps']):.0f}"])  # fmt: skip
    says = (
        f"Measured by `benchmarks/classroom.py` for a roster of {found['students']} and the sheet "
        f"`{found['sheet']}` (hand-ins: {found['hand_ins']}), on {found['cores']} cores that "
        f"{found['load']['from']:.1f} to {found['load']['to']:.1f} processes asked for at a time, "
        "others' and its own (no idle machine was at hand). CPU seconds count the commands and "
        "all that they started, less what had to be killed."
    )
    return f"{says}\n\n{table(['command', 'minutes', 'CPU seconds'], rows)}"


MADE: dict[str, Callable[[], str]] = {
    "book": book, "plans": plans, "sheets": sheets, "rubric": rubric, "walk": walk,
    "exercises": exercises,
}  # fmt: skip


def filled(text: str) -> str:
    """A page with its tables as they must be.

    Args:
        text: the page.

    Returns:
        The page with all that stands between the comments written anew.

    Raises:
        ValueError: a comment names a table that there is not.
    """
    if unknown := {name for _, name, _, _ in BLOCK.findall(text)} - set(MADE):
        raise ValueError(f"made must be one of {', '.join(MADE)}, but is {', '.join(unknown)}")
    return BLOCK.sub(lambda found: f"{found[1]}\n{MADE[found[2]]()}\n\n{found[4]}", text)


def authors_own(text: str) -> str:
    """A page without its tables: what somebody wrote.

    Example:
        >>> authors_own("One.\\n<!-- made: book -->\\n| 2 |\\n<!-- end -->\\nThree.")
        'One.\\n\\nThree.'
    """
    return BLOCK.sub("", text)


if __name__ == "__main__":
    if PAGE.exists():
        safely.write(PAGE, filled(PAGE.read_text(encoding="utf-8")))
