"""Marks into Canvas or Moodle: fill one column of the export that the LMS itself wrote.

    python -m classroom.lms --marks marks --export gradebook.csv --column "Depth (123)" --out up.csv

Everything else stays as it is, byte for byte: quotes, line ends, the mark of UTF-8, other columns.
Students whom one side does not know are listed, and then the exit status is 1.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from classroom.roster import file_name, harmless, read_csv, read_roster, write_whole

__all__ = ["Cell", "fill", "scan"]

# Columns by which a student is known, in the order in which they are tried.
IDS = ("sis login id", "sis user id", "id number", "username", "id", "email address", "student")
CANVAS, MOODLE = ("student", "id"), ("email address",)


@dataclass(frozen=True)
class Cell:
    """One cell of a CSV file, and where it stands in it.

    Attributes:
        text: What it says.
        start: Its first byte in the file, quotes included.
        end: The byte behind its last.

    Example:
        >>> scan(b'a,"b ""c"')[0][1]
        Cell(text='b "c', start=2, end=9)
    """

    text: str
    start: int
    end: int


def scan(data: bytes) -> list[list[Cell]]:
    """The cells of a CSV file with their places.

    Args:
        data: The file.

    Returns:
        One list a line.

    Raises:
        ValueError: If it is not UTF-8, or ends within quotes.
    """
    mark = b"\xef\xbb\xbf"
    at = len(mark) if data.startswith(mark) else 0
    try:
        first = data[at:].decode("utf-8").split("\n", 1)[0]
    except UnicodeDecodeError as error:
        raise ValueError(f"the export is not UTF-8 (byte {at + error.start})") from None
    comma = max((b",", b";", b"\t"), key=lambda c: first.count(c.decode()))[0]
    rows, row, start, quoted, any_quote = [], [], at, False, False
    for k in range(at, len(data) + 1):
        byte = data[k] if k < len(data) else None
        if byte == 0x22 and (quoted or data[start:k].strip() == b"" or any_quote):
            quoted, any_quote = not quoted, True
        elif byte is None and quoted:
            raise ValueError("the export ends within quotes: is it cut off?")
        elif not quoted and (byte in (comma, 0x0A, 0x0D, None)):
            raw = data[start:k].decode("utf-8")
            plain = raw.strip()
            text = plain[1:-1].replace('""', '"') if any_quote and plain[-1:] == '"' else raw
            ends = byte in (0x0A, 0x0D, None)
            if not ends or row or raw:
                row.append(Cell(text, start, k))
            start, any_quote = k + 1, False
            if ends and row:
                rows.append(row)
                row = []
    return rows


def quoted(text: str) -> str:
    """A text as a cell: harmless, and in quotes where it needs them."""
    text = harmless(text)
    if any(c in text for c in ',;\t"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def number(text: str) -> str:
    """A mark as the LMS reads it; it must be a number."""
    return f"{float(text):g}"


def place(header: Sequence[Cell], wanted: str, what: str) -> int:
    """The place of a column.

    Raises:
        ValueError: If there is none of this name, or more than one.
    """
    names = [cell.text.strip() for cell in header]
    fits = [k for k, name in enumerate(names) if name == wanted]
    fits = fits or [k for k, name in enumerate(names) if name.startswith(f"{wanted} (")]
    if len(fits) != 1:
        raise ValueError(
            f"{what} must name one column of the export, but {wanted!r} names {len(fits)}. There "
            f"are: {'; '.join(names)}"
        )
    return fits[0]


def fill(
    export: bytes,
    marks: dict[str, str],
    column: str,
    known: dict[str, str],
    feedback: dict[str, str] | None = None,
    feedback_column: str = "",
) -> tuple[bytes, list[str]]:
    """Fill one column of an export, and one with feedback if it has such.

    Args:
        export: The LMS's file.
        marks: Student -> mark, as text.
        column: The column's name; without the number that Canvas puts behind it will do.
        known: What the LMS calls a student, in small letters -> student.
        feedback: Student -> text.
        feedback_column: Its column.

    Returns:
        The file, and sentences about those who could not be matched.

    Raises:
        ValueError: If the column, or one that says who is who, is not there, or a line is cut off.

    Example:
        >>> fill(b"ID,Depth (1)\\n7,\\n8,5\\n", {"ada": "9"}, "Depth", {"7": "ada"})
        (b'ID,Depth (1)\\n7,9\\n8,5\\n', ["line 3 of the export, '8', is nobody of the roster"])
    """
    rows = scan(export)
    if len(rows) < 2:
        raise ValueError("the export has no line of a student")
    header = rows[0]
    target = place(header, column, "COLUMN")
    target_text = place(header, feedback_column, "the feedback's column") if feedback_column else -1
    names = [cell.text.strip().lower() for cell in header]
    keys = [names.index(name) for name in IDS if name in names]
    if not keys:
        raise ValueError(f"the export has none of the columns {', '.join(IDS)}")
    if "(read only)" in names[target]:
        raise ValueError(f"the column {header[target].text!r} is read only")
    changes, lost, met = [], [], set()
    for line, row in enumerate(rows[1:], start=2):
        texts = [cell.text.strip() for cell in row]
        if len(row) != len(header):
            if is_no_student(texts):
                continue
            raise ValueError(
                f"line {line} of the export has {len(row)} cells, the first line {len(header)}: is "
                "it cut off?"
            )
        if is_no_student(texts):
            continue
        fits = {known[t.lower()] for k in keys if (t := texts[k]).lower() in known and t}
        if len(fits) != 1:
            who = next((texts[k] for k in keys if texts[k]), texts[0])
            why = "is nobody of the roster" if not fits else f"fits {sorted(fits)}"
            lost.append(f"line {line} of the export, {who!r}, {why}")
            continue
        student = fits.pop()
        if student in met:
            lost.append(
                f"line {line} of the export is {student!r} for a second time: left as it is"
            )
            continue
        met.add(student)
        if student in marks:
            changes.append((row[target], number(marks[student])))
            if target_text >= 0 and (feedback or {}).get(student):
                changes.append((row[target_text], quoted(feedback[student])))
    for student in marks:
        if student not in met:
            lost.append(f"{student!r} has a mark, but no line in the export")
    for cell, text in sorted(changes, key=lambda change: -change[0].start):
        export = export[: cell.start] + text.encode() + export[cell.end :]
    return export, lost


def is_no_student(texts: Sequence[str]) -> bool:
    """Whether a line of an export is about no student: Canvas' "Points Possible", its test student.

    Example:
        >>> is_no_student(["Points Possible", ""]), is_no_student(["Ada", "7"])
        (True, False)
    """
    first = texts[0].lower() if texts else ""
    return first in ("points possible", "student, test", "test, student") or not any(
        text and text.lower() not in ("manual posting", "(read only)") for text in texts
    )


def totals(marks: Path) -> tuple[dict[str, str], list[str]]:
    """The totals of marks.csv, and sentences about those that are not yet whole.

    Raises:
        ValueError: If it is not there.
    """
    rows = read_csv(marks / "marks.csv", "the table of marks")
    found, waiting = {}, []
    for row in rows[1:]:
        cells = dict(zip(rows[0], row, strict=True))
        student = cells["student"].removeprefix("'")
        if cells["status"] == "graded" and cells["total"]:
            found[student] = cells["total"]
        elif cells["status"] == "graded":
            waiting.append(f"{student!r} has answers that nobody has marked yet (queue.csv)")
        elif not cells["status"].startswith("nothing") and student:
            waiting.append(f"{student!r}: {cells['file']} {cells['status']}")
    return found, [
        text for text in waiting if not any(repr(s) == text[: len(repr(s))] for s in found)
    ]


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m classroom.lms", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--marks", required=True, help="the folder that make grade wrote")
    parser.add_argument("--roster", required=True)
    parser.add_argument("--export", required=True, help="what Canvas or Moodle exported")
    parser.add_argument("--column", required=True)
    parser.add_argument("--feedback-column", default="", help='Moodle: "Feedback comments"')
    parser.add_argument("--out", required=True)
    options = parser.parse_args(arguments)
    try:
        students, marks = read_roster(options.roster), Path(options.marks)
        found, waiting = totals(marks)
        known: dict[str, str] = {}
        for student in students:
            for name in {student.id.lower(), student.email.lower()} - {""}:
                if name in known:
                    raise ValueError(f"the roster has {name!r} twice, as id or as address")
                known[name] = student.id
        if not Path(options.export).is_file():
            raise ValueError(f"the export is not at {options.export}")
        pages = {
            student.id: path.read_text(encoding="utf-8")
            for student in students
            if (path := marks / "feedback" / f"{file_name(student.id)}.md").is_file()
        }
        data, lost = fill(
            Path(options.export).read_bytes(), found, options.column, known, pages,
            options.feedback_column,
        )  # fmt: skip
        write_whole(Path(options.out), data)
    except ValueError as error:
        print(f"marks for the LMS: {error}", file=sys.stderr)
        return 2
    print(f"{len(found)} marks, {options.out}")
    for text in waiting + lost:
        print(f"- {text}", file=sys.stderr)
    return 1 if waiting or lost else 0


if __name__ == "__main__":
    sys.exit(main())
