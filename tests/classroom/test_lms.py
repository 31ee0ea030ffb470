"""Marks into an LMS's own export: one column changes, and not a byte beside it."""

import csv
import io

import pytest

from classroom import lms
from classroom.lms import fill, scan

CANVAS = (
    b'Student,ID,SIS Login ID,Section,"Depth, and width (123)",Final (read only)\r\n'
    b"    Points Possible,,,,10,(read only)\r\n"
    b'"Lovelace, Ada",7,ada,"Sec ""A""",,1\r\n'
    b'"Hopper, Grace",8,Grace,S1,3.5,2\r\n'
    b'"Student, Test",9,deadbeef,S1,,\r\n'
)
MOODLE = (
    "\ufeffFirst name;Email address;Depth (Real);Feedback comments\n"
    'Ada;ADA@x.org;-;"old"\nGrace;grace@x.org;;\n'
).encode()
KNOWN = {"ada": "ada", "grace": "grace", "ada@x.org": "ada", "grace@x.org": "grace"}


def test_canvas_changes_by_one_column_only():
    data, lost = fill(CANVAS, {"ada": "9.50", "grace": "8"}, "Depth, and width", KNOWN)
    assert not lost
    assert data == CANVAS.replace(b'A""",,1', b'A""",9.5,1').replace(b"S1,3.5,", b"S1,8,")


def test_moodle_takes_feedback_too():
    pages = {"ada": 'good; "why"?', "grace": "=1+1"}
    marks = {"ada": "9", "grace": "7.5"}
    data, lost = fill(MOODLE, marks, "Depth", KNOWN, pages, "Feedback comments")
    assert not lost
    assert (
        data
        == (
            "\ufeffFirst name;Email address;Depth (Real);Feedback comments\n"
            'Ada;ADA@x.org;9;"good; ""why""?"\nGrace;grace@x.org;7.5;\'=1+1\n'
        ).encode()
    )


def test_who_has_no_mark_keeps_the_cell():
    data, lost = fill(CANVAS, {}, "Depth, and width (123)", KNOWN)
    assert data == CANVAS and not lost


def test_who_cannot_be_matched_is_listed():
    data, lost = fill(CANVAS, {"bob": "1", "ada": "2"}, "Depth, and width", {"ada": "ada"})
    assert lost == [
        "line 4 of the export, 'Grace', is nobody of the roster",
        "'bob' has a mark, but no line in the export",
    ]
    assert data == CANVAS.replace(b'A""",,1', b'A""",2,1')
    # Numbers of the LMS that look like another student's id: nobody gets another's mark.
    both = {"7": "seven", "ada": "ada"}
    data, lost = fill(CANVAS, {"ada": "2", "seven": "3"}, "Depth, and width", both)
    assert data == CANVAS and "'ada', fits ['ada', 'seven']" in lost[0]


@pytest.mark.parametrize(
    ("export", "column", "reason"),
    [
        (b"", "Depth", "no line of a student"),
        (CANVAS, "Width", "'Width' names 0. There are: Student; ID"),
        (
            CANVAS.replace(b"Final (read only)", b'"Depth, and width (9)"'),
            "Depth, and width",
            "names 2",
        ),
        (CANVAS, "Final", "read only"),
        (CANVAS[:-40], "Depth, and width", "within quotes|cells"),
        (CANVAS[:170], "Depth, and width", "cells, the first line 6|within quotes"),
        (b"Name,Depth\nAda,1\n", "Depth", "none of the columns"),
        (b"ID,Depth\n\xff,1\n", "Depth", "not UTF-8"),
    ],
)
def test_half_written_exports_are_refused(export, column, reason):
    with pytest.raises(ValueError, match=reason):
        fill(export, {"ada": "1"}, column, KNOWN)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_scan_agrees_with_pythons_csv(end, last):
    rows = [["a", 'b "q"', ""], ["x,y", "line\nbreak", " z "], ["", "", "ü"], ["1", "2", "3"]]
    quote = lambda c: '"' + c.replace('"', '""') + '"' if set(c) & set(',"\n') else c  # noqa: E731
    text = end.join(",".join(map(quote, row)) for row in rows) + (end if last else "")
    found = scan(text.encode())
    assert [[cell.text for cell in row] for row in found] == rows
    assert list(csv.reader(io.StringIO(text, newline=""))) == rows
    for row in found:
        for cell in row:
            assert text.encode()[cell.start : cell.end].decode().strip('"').replace('""', '"') in (
                cell.text, cell.text.strip('"')
            )  # fmt: skip


def test_the_command(tmp_path, capsys):
    (tmp_path / "roster.csv").write_text("student,email\nada,a@x\ngrace,g@x\n", encoding="utf-8")
    (tmp_path / "marks").mkdir()
    header = "student,file,status,total\n"
    marks = tmp_path / "marks" / "marks.csv"
    marks.write_text(
        header
        + "ada,f,graded,9.5\ngrace,g,graded,\nbob,h,not graded: is a zip,\nx,,nothing handed in,\n",
        encoding="utf-8",
    )
    (tmp_path / "export.csv").write_bytes(CANVAS)
    arguments = ["--column", "Depth, and width"]
    for name in ("marks", "roster.csv", "export.csv", "out.csv"):
        arguments += [f"--{name.removesuffix('.csv')}", str(tmp_path / name)]
    assert lms.main(arguments) == 1
    said = capsys.readouterr()
    assert "1 marks" in said.out
    assert "'grace' has answers that nobody has marked yet" in said.err
    assert "'bob': h not graded: is a zip" in said.err
    expected = CANVAS.replace(b'A""",,1', b'A""",9.5,1')
    assert (tmp_path / "out.csv").read_bytes() == expected
    marks.write_text(header + "ada,f,graded,9.5\ngrace,g,graded,4\n", encoding="utf-8")
    assert lms.main(arguments) == 0
    (tmp_path / "out.csv").unlink()
    arguments[1] = "Nothing"
    assert lms.main(arguments) == 2
    assert not (tmp_path / "out.csv").exists() and "COLUMN must name one" in capsys.readouterr().err
