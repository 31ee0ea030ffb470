"""The page for instructors says what chapters, specs and sheets say."""

import dataclasses

import instructor
import nbformat
import pytest

from experiments.sheets import SHEETS


@pytest.fixture
def page() -> str:
    return instructor.PAGE.read_text(encoding="utf-8")


def test_its_tables_are_those_of_the_specs(page):
    """(`python tools/instructor.py` writes them.) All tables that can be made stand on it."""
    assert {name for _, name, _, _ in instructor.BLOCK.findall(page)} == set(instructor.MADE)
    if instructor.FAULTS.exists():  # an edition without solutions has none, and keeps the page
        assert instructor.filled(page) == page, "run python tools/instructor.py"


def test_another_spec_makes_another_page(page, monkeypatch):
    chapters = instructor.the_chapters()
    first = chapters[0].exercises[0]
    for change in ({"points": 5}, {"minutes": 59}, {"hints": ("a", "b")}, {"title": "Other"}):
        other = dataclasses.replace(
            chapters[0],
            exercises=(dataclasses.replace(first, **change), *chapters[0].exercises[1:]),
        )
        monkeypatch.setattr(instructor, "the_chapters", lambda o=other: [o, *chapters[1:]])
        assert instructor.filled(page) != page, change
    monkeypatch.setattr(instructor, "the_chapters", lambda: chapters)
    monkeypatch.setitem(SHEETS, "depth", dataclasses.replace(SHEETS["depth"], question="Why?"))
    assert instructor.filled(page) != page


def test_every_chapter_has_goals_a_time_and_its_exercises():
    for chapter in instructor.the_chapters():
        assert chapter.goals.count("- ") >= 3 and "**" not in chapter.goals, chapter.stem
        assert chapter.minutes and chapter.title, chapter.stem


@pytest.mark.parametrize("hours", instructor.PLANS)
def test_a_plan_fits_its_hours_and_names_what_there_is(hours):
    known = {c.stem: c for c in instructor.the_chapters()}
    whole, total = set(instructor.PLANS[hours]) <= set(known), 0
    for stem, names in instructor.PLANS[hours].items():
        if (chapter := known.get(stem)) is None:
            continue  # an edition may leave a chapter out
        chosen = [e for e in chapter.exercises if e.name in names]
        assert len(chosen) == len(names), f"{stem}: {names}"
        total += chapter.minutes + sum(e.minutes for e in chosen)
    assert total <= 60 * hours
    assert total >= 0.9 * 60 * hours or not whole, "and fills them"
    assert set(instructor.HOMEWORK.get(hours, ())) <= set(SHEETS)


def test_a_session_takes_a_chapter_and_two_or_three_of_its_exercises():
    """What the landing page says to teachers of 90 minutes; all exercises would not fit."""
    said = (instructor.ROOT / "intro.md").read_text(encoding="utf-8")
    assert "two or three of its exercises fills a session of 90 minutes" in said
    for chapter in instructor.the_chapters():
        each = sorted(exercise.minutes for exercise in chapter.exercises)
        assert chapter.minutes + sum(each[:3]) <= 90 < chapter.minutes + sum(each), chapter.stem
        assert chapter.minutes + sum(each[:2]) > 90 / 3, chapter.stem


def test_every_slip_that_is_tested_stands_on_the_page(page):
    """(Of the chapters that are there: an edition may leave some out.)"""
    faults = instructor.faults()
    assert set(faults) <= {e.name for specs in instructor.chapters().values() for e in specs}
    for chapter in instructor.the_chapters():
        _, _, part = page.replace("\\", "").partition(f"\n### {chapter.title}\n")
        for exercise in chapter.exercises:
            for slip in faults.get(exercise.name, []):
                assert slip in part.partition("\n### ")[0], f"{exercise.name}: {slip}"


def test_levels_stand_in_the_order_of_their_hardness():
    for row in instructor.book().splitlines()[2:-1]:
        levels = row.split("|")[-2].strip().split(", ")
        assert levels == [level for level in instructor.Level if level in levels]


def test_what_an_edition_leaves_out_is_left_out_of_its_tables(monkeypatch):
    """A chapter, the answers that name the slips, the measurement of the whole way."""
    chapters = instructor.the_chapters()
    gone = next(c for c in chapters if c.stem in {sheet.chapter for sheet in SHEETS.values()})
    # (The course itself may leave some out already.)
    left_out = {s.chapter for s in SHEETS.values()} - {c.stem for c in chapters} | {gone.stem}
    rest = [c for c in chapters if c is not gone]
    whole = instructor.book()
    monkeypatch.setattr(instructor, "the_chapters", lambda: rest)
    for make in (instructor.book, instructor.plans, instructor.sheets, instructor.exercises):
        assert gone.title not in make() and gone.stem not in make(), make
    minutes = [int(book.splitlines()[-1].split("|")[2]) for book in (whole, instructor.book())]
    assert minutes[0] - minutes[1] == gone.minutes
    assert len(instructor.sheets().splitlines()) == 2 + len(SHEETS)
    for row, sheet in zip(instructor.sheets().splitlines()[2:], SHEETS.values(), strict=True):
        assert (f"| {instructor.LEFT_OUT} |" in row) == (sheet.chapter in left_out)
    for names in instructor.HOMEWORK.values():
        for sheet in (SHEETS[name] for name in names):
            handed_in = f"*{sheet.title}*" in instructor.plans()
            assert handed_in == (sheet.chapter not in left_out), "no sheet on what was not read"
    for name in ("FAULTS", "WALK"):
        monkeypatch.setattr(instructor, name, instructor.ROOT / "nothing")
    assert "- Slips:" not in instructor.exercises() and "- Hints:" in instructor.exercises()
    assert instructor.walk() == "(not measured yet)"


def test_a_chapter_that_says_little_has_a_name_all_the_same(tmp_path):
    """Somebody's draft: no title, no goals, no exercises."""
    (tmp_path / "chapters").mkdir()
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\nchapters: [file: chapters/11_draft]\n", encoding="utf-8"
    )
    draft = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("Soon.")])
    nbformat.write(draft, tmp_path / "chapters" / "11_draft.ipynb")
    (found,) = instructor.the_chapters(tmp_path)
    assert found == instructor.Chapter("11_draft", "11_draft", "", 0, ())


def test_a_table_that_there_is_not_is_told():
    text = "<!-- made: nothing -->\n<!-- end -->"
    with pytest.raises(ValueError, match="must be one of book, plans, .* but is nothing"):
        instructor.filled(text)


def test_what_the_grader_protects_against_stands_in_one_place(page):
    """The page includes it; a heading that was renamed would leave it out without a word."""
    for file, words in (
        ("classroom/GRADING.md", "tables: the LMS's own export, the roster |"),
        ("experiments/README.md", "## On a cluster"),
        ("experiments/README.md", "## Your own"),
    ):
        assert (instructor.ROOT / file).read_text(encoding="utf-8").count(words) == 1
        assert words in page
    assert "canary" not in page and "sbatch" not in page, "no second copy"
