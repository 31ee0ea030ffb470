"""The compiler: from a torch function to the text of a JavaScript one. See README.md."""

from .compile import CompileError, Program, compile
from .runtime import CONVENTION
from .weights import call_with, stack_weights

__all__ = ["CONVENTION", "CompileError", "Program", "call_with", "compile", "stack_weights"]
