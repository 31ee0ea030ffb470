"""The instructor's commands: what was typed arrives as it was typed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Command of make -> what it starts, and how its variables are handed over.
COMMANDS = {
    "assignment": ["-m", "classroom.assign", "--sheet", "SHEET", "--roster", "ROSTER",
                   "--out", "OUT"],
    "grade": ["-m", "classroom.grade", "--sheet", "SHEET", "--in", "IN", "--roster", "ROSTER",
              "--out", "OUT"],
    "lms": ["-m", "classroom.lms", "--marks", "IN", "--roster", "ROSTER", "--export", "EXPORT",
            "--column", "COLUMN", "--out", "OUT"],
    "edition": ["tools/edition.py", "--solutions", "SOLUTIONS", "--out", "OUT"],
}  # fmt: skip
VARIABLES = {word for words in COMMANDS.values() for word in words if word.isupper()}
TYPED = [
    "My class/hand ins, 2nd",
    "many   blanks about   it  ",  # (of those in front make keeps none)
    """it's "quoted" \\ and \\'""",
    "$(shell touch owned)`touch owned`;touch owned",
    "$(touch owned) ${HOME} $HOME $$ %",
    "* ? [a-z] ~ # & | > owned !",
    "Übung – 学生",
]


@pytest.fixture
def listener(tmp_path) -> Path:
    """A folder with a `python` that writes down what it is asked."""
    code = "import json, sys; print(json.dumps(sys.argv[1:]), file=open(sys.argv[0], 'a'))"
    program = tmp_path / "bin" / "python"
    program.parent.mkdir()
    script = f"import sys; sys.argv[0] = {str(tmp_path / 'asked')!r}; {code}"
    program.write_text(f"#!{sys.executable}\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return program.parent


@pytest.mark.parametrize("typed", TYPED)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("how", ["typed", "in the environment"])
def test_make_hands_over_what_was_typed(tmp_path, listener, command, typed, how):
    """Neither make nor a shell evaluates it."""
    given = {name: f"{typed}{name}{typed}" for name in VARIABLES & set(COMMANDS[command])}
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    words = [f"{name}={value}" for name, value in given.items()] if how == "typed" else []
    subprocess.run(
        ["make", "-f", ROOT / "Makefile", "--silent", command, f"BIN={listener}", *words],
        cwd=tmp_path, env=clean | ({} if words else given), check=True,
    )  # fmt: skip
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    assert json.loads(asked[-1]) == [given.get(word, word) for word in COMMANDS[command]]
    assert not list(tmp_path.rglob("owned*"))
