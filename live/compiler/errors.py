"""The one error of the compiler: what it met, in which line, and what to write instead."""


class CompileError(NotImplementedError):
    """A torch function that cannot become JavaScript.

    Args:
        problem: What was met.
        line: The user's line, `function: code`.
        instead: What to write instead.

    Example:
        >>> CompileError("torch.sort cannot become JavaScript", "f: z.sort()").line
        'f: z.sort()'
    """

    def __init__(self, problem: str, line: str = "", instead: str = ""):
        self.problem, self.line, self.instead = problem, line, instead
        message = problem
        if line:
            message += f"\n  in {line}"
        if instead:
            message += f"\n  instead: {instead}"
        super().__init__(message)


# What to write instead of operations that have no handler, by their name in torch.
INSTEAD = {
    "randn": "draw the numbers outside and pass them in (the figure then shows the same points)",
    "rand": "draw the numbers outside and pass them in",
    "normal": "draw the numbers outside and pass them in",
    "normal_functional": "draw the numbers outside and pass them in",
    "bernoulli": "draw the numbers outside and pass them in",
    "local_scalar_dense": "tensors that stay tensors: no float(x), x.item() or torch.full with x",
    "nonzero": "torch.where(condition, a, b), which keeps the shape",
    "linalg_eig": "work out eigenvalues outside, or write them in closed form",
    "linalg_eigh": "work out eigenvalues outside, or write them in closed form",
    **dict.fromkeys(("linalg_inv_ex", "linalg_det", "linalg_slogdet", "linalg_cholesky_ex",
                     "linalg_solve_ex", "linalg_solve_triangular", "triangular_solve"),
                    "matrices up to 4 x 4, or a product of triangular ones"),
    "convolution": "a sum of shifted slices, or a matrix product",
}  # fmt: skip
ANYTHING = (
    "work this step out outside and pass the result in (what no slider moves may be any code), or "
    "write it with the operations listed in live/README.md"
)


def unsupported(name: str, line: str, called: str = "") -> CompileError:
    """The error for an operation without a handler.

    Args:
        name: Its name in ATen, e.g. "_linalg_svd".
        line: The user's line.
        called: The torch function that the user called, e.g. "svdvals".

    Returns:
        The error, to be raised.

    Example:
        >>> print(unsupported("_linalg_svd", "f: u = torch.linalg.svd(z)").problem)
        torch.linalg_svd cannot become JavaScript
    """
    public, called = name.lstrip("_"), called.strip("_")
    shown = f"torch.{called or public}"
    if called and called.removeprefix("linalg_") not in public:
        shown += f" (it needs {public})"
    instead = INSTEAD.get(called, INSTEAD.get(public, ANYTHING))
    return CompileError(f"{shown} cannot become JavaScript", line, instead)
