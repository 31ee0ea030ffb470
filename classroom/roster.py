"""The roster of a course, and tables for people who open them in a spreadsheet."""

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.engine import replace_whole

__all__ = ["Student", "file_name", "harmless", "read_roster", "table", "write_whole"]

MOST_STUDENTS = 5_000


@dataclass(frozen=True)
class Student:
    """One line of the roster.

    Attributes:
        id: What the course calls the student; unique.
        name: The name, may be empty.
        email: The address, may be empty.

    Example:
        >>> Student("ada").name
        ''
    """

    id: str
    name: str = ""
    email: str = ""


def read_roster(path: str | Path) -> list[Student]:
    """Read a roster: a CSV file with a column `student`, and perhaps `name` and `email`.

    Args:
        path: The file.

    Returns:
        The students, in its order.

    Raises:
        ValueError: If it is not there, or half-written; the message names the line.
    """
    rows = read_csv(path, "the roster")
    header = [name.strip().lower() for name in rows[0]] if rows else []
    if header.count("student") != 1:
        raise ValueError(
            f"{path} must have one column named student (and may have name and email), but its "
            f"first line is {rows[0] if rows else 'missing'}"
        )
    found: dict[str, Student] = {}
    folded: dict[str, str] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise ValueError(
                f"line {line} of {path} has {len(row)} cells, the first line has {len(header)}: is "
                "the file cut off?"
            )
        cells = dict(zip(header, (cell.strip() for cell in row), strict=True))
        name = unicodedata.normalize("NFC", cells["student"])
        if not name:
            raise ValueError(f"line {line} of {path} has no student id")
        if name.casefold() in folded:
            raise ValueError(f"line {line} of {path} has the student {name!r} for a second time")
        folded[name.casefold()] = name
        found[name] = Student(name, cells.get("name", ""), cells.get("email", ""))
    if not found:
        raise ValueError(f"{path} names no student")
    if len(found) > MOST_STUDENTS:
        raise ValueError(f"{path} names {len(found)} students, more than {MOST_STUDENTS}")
    return list(found.values())


def read_csv(path: str | Path, what: str) -> list[list[str]]:
    """The cells of a CSV file.

    Args:
        path: The file.
        what: What it is, for the message.

    Returns:
        One list a line.

    Raises:
        ValueError: If it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{what} is not at {path}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 (byte {error.start}): save it as CSV UTF-8"
        ) from None
    if "\0" in text:
        raise ValueError(f"{path} is no text file")
    try:
        first = text.split("\n", 1)[0]
        separator = max(",;\t", key=first.count)
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise ValueError(f"{path} is no whole CSV file ({error}): is it cut off?") from None


def file_name(student: str) -> str:
    """A student's id as part of a file name, whatever characters it holds.

    Args:
        student: The id.

    Returns:
        Letters, digits, "-", "_" and "."; different for different ids.

    Example:
        >>> file_name("ada.1"), file_name("../etc")
        ('ada.1', 'etc-f7f9121f')
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", student).strip("-.")[:40]
    if plain and plain == student == student.lower():
        return plain
    return f"{plain.lower()}-{hashlib.sha256(student.encode()).hexdigest()[:8]}".lstrip("-")


def harmless(value) -> str:
    """A cell that no spreadsheet takes for a formula, and that can be read back.

    Args:
        value: What it says.

    Returns:
        Its text, with a quote before what would start a formula. Lines end with a newline; what no
        text file can hold becomes a mark.

    Example:
        >>> harmless("=1+1"), harmless("-2"), harmless(-2.5), harmless("a")
        ("'=1+1", "'-2", '-2.5', 'a')
        >>> harmless("a" + chr(13) + "b" + chr(0)) == "a" + chr(10) + "b" + chr(0xFFFD)
        True
    """
    if isinstance(value, int | float):
        return f"{value:g}"
    text = re.sub(r"\r\n?", "\n", str(value))
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", "\ufffd", text)
    return f"'{text}" if text.lstrip(" \t\r\n\ufeff")[:1] in tuple("=+-@") and text else text


def table(header: Sequence[str], rows: Iterable[Sequence]) -> str:
    """A CSV text, its cells made harmless.

    Args:
        header: Names of the columns.
        rows: The cells.

    Returns:
        The text.

    Example:
        >>> table(["a", "b"], [["=x", 1.50]])
        "a,b\\n'=x,1.5\\n"
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def write_whole(path: Path, data: str | bytes) -> None:
    """Write a file whole, unless it holds the same already.

    Args:
        path: The file.
        data: Its text or its bytes.

    Raises:
        ValueError: If it cannot be written.
    """
    data = data.encode() if isinstance(data, str) else data
    try:
        if path.is_file() and path.read_bytes() == data:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, data)
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror or error})") from error
