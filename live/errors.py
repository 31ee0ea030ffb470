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
    "sort": "torch.where and comparisons, or sort outside and pass the result in",
    "randn": "draw the numbers outside and pass them in (the figure then shows the same points)",
    "rand": "draw the numbers outside and pass them in",
    "normal_functional": "draw the numbers outside and pass them in",
    "bernoulli": "draw the numbers outside and pass them in",
    "searchsorted": "(x[:, None] >= knots).sum(-1)",
    "bucketize": "(x[:, None] >= knots).sum(-1)",
    "local_scalar_dense": "tensors that stay tensors: no float(x), x.item() or torch.full with x",
    "median": "torch.mean",
    "nonzero": "torch.where(condition, a, b), which keeps the shape",
    "linalg_eig": "work out eigenvalues outside, or write them in closed form",
    "linalg_eigh": "work out eigenvalues outside, or write them in closed form",
    "convolution": "a sum of shifted slices, or a matrix product",
}
ANYTHING = (
    "work this step out outside and pass the result in (what no slider moves may be any code), or "
    "write it with the operations listed in live/README.md"
)


def unsupported(name: str, line: str) -> CompileError:
    """The error for an operation without a handler.

    Args:
        name: Its name in ATen, e.g. "_linalg_svd".
        line: The user's line.

    Returns:
        The error, to be raised.

    Example:
        >>> print(unsupported("_linalg_svd", "f: u = torch.linalg.svd(z)").problem)
        torch.linalg_svd cannot become JavaScript
    """
    public = name.lstrip("_")
    return CompileError(
        f"torch.{public} cannot become JavaScript", line, INSTEAD.get(public, ANYTHING)
    )
