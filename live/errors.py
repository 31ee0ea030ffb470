"""The one error of the compiler: what it met, in which line, and what to write instead."""


class CompileError(NotImplementedError):
    """A torch function that cannot become JavaScript.

    Args:
        problem: What was met.
        line: The user's line, `function: code`.
        instead: What to write instead.
    """

    def __init__(self, problem: str, line: str = "", instead: str = ""):
        self.problem, self.line, self.instead = problem, line, instead
        message = problem
        if line:
            message += f"\n  in {line}"
        if instead:
            message += f"\n  instead: {instead}"
        super().__init__(message)
