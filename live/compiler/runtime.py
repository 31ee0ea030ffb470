"""The runtime: the JavaScript that compiled functions call, as one text."""

from functools import cache
from pathlib import Path

from . import wasm

JS = Path(__file__).parent / "js"
CONVENTION = 1  # version of the contract between compiled functions and their callers: README.md


@cache
def text(often: bool = False) -> str:
    """The routines, in an object `live` (js/runtime.js, js/matmul.js).

    Args:
        often: With those for programs that were compiled with `often` (js/often.js).
    """
    names = ("runtime.js", "matmul.js", *(["often.js"] if often else []))
    parts = ((JS / part).read_text(encoding="utf-8") for part in names)
    made = "\n".join(parts).replace("WASM_MODULE", wasm.text(often))
    return made.replace("CONVENTION", str(CONVENTION))
