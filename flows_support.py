"""What flows.py needs and no chapter teaches: checks of input and words for what they do not see,
derivatives of a root, checkpoints.

The chapters import it and `flows.py` does; it imports neither. Copy the two files together.
"""

import dis
import functools
import hashlib
import inspect
import math
import re
import types
import typing
import warnings
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.weak import WeakTensorKeyDictionary

# ----------------------------------------------------------------------- points, numbers and shapes


def to_look_at(value: Tensor) -> Tensor | None:
    """The tensor whose numbers a check may look at.

    Args:
        value: Any tensor. Inside `torch.func` (vmap, grad, jacrev, ...) it stands for a batch.

    Returns:
        The tensor itself, or the whole batch; None while torch traces a function into a graph, and
        on the device meta: there are no numbers.

    Example:
        >>> to_look_at(torch.zeros(2, device="meta")) is None
        True
    """
    if torch.compiler.is_compiling():
        return None
    functorch = torch._C._functorch  # has no public name; torch's own code asks it the same
    while functorch.is_functorch_wrapped_tensor(value):
        value = functorch.get_unwrapped(value)
    kinds = {type(value), type(torch.empty(()))}  # while tracing, a new tensor is a stand-in
    return None if value.is_meta or kinds - {Tensor, nn.Parameter} else value


def check_domain(name: str, value: Tensor, low: float, high: float) -> None:
    """Raise if any entry of `value` lies outside the open interval (low, high).

    Inside `torch.func` (vmap, grad, jacrev, ...) all points of the batch are checked. While torch
    traces a function into a graph there is no number to look at: nothing is checked.

    Args:
        name: What to call the value in the message.
        value: Points, any shape.
        low: Lower end, not allowed itself.
        high: Upper end, not allowed itself.

    Raises:
        ValueError: If an entry is outside or NaN.

    Example:
        >>> check_domain("x", torch.tensor([0.5, 1.5]), -1.0, 1.0)
        Traceback (most recent call last):
        ValueError: x must lie strictly between -1.0 and 1.0, but 1 of 2 values do not (first: 1.5)
    """
    if (value := to_look_at(value)) is None:
        return
    outside = ~((value > low) & (value < high))  # NaN counts as outside
    if outside.any():
        raise ValueError(
            f"{name} must lie strictly between {low} and {high}, but {int(outside.sum())} of "
            f"{value.numel()} values do not (first: {value[outside].flatten()[0].item():.7g})"
        )


def check_points(name: str, points: Tensor, dim: int | None = None) -> None:
    """Raise unless `points` is a floating tensor of shape (n, D), with D = `dim` if given.

    Args:
        name: What to call the points in the message.
        points: What was passed.
        dim: The number of coordinates D that is needed, or None for any D >= 2.

    Raises:
        TypeError: If it is not a floating-point tensor.
        ValueError: If the shape is wrong.

    Example:
        >>> check_points("x", torch.zeros(5), 2)
        Traceback (most recent call last):
        ValueError: x must have shape (n, 2), but has shape (5,)
    """
    if not isinstance(points, Tensor) or not points.is_floating_point():
        kind = points.dtype if isinstance(points, Tensor) else type(points).__name__
        raise TypeError(f"{name} must be a floating-point torch tensor, but is {kind}")
    if points.ndim != 2 or (points.shape[1] != dim if dim else points.shape[1] < 2):
        wanted = f"(n, {dim})" if dim else "(n, D) with D >= 2"
        raise ValueError(f"{name} must have shape {wanted}, but has shape {tuple(points.shape)}")


def check_number(name: str, value: float, least: float = -math.inf, whole: bool = False) -> None:
    """Raise unless `value` is a finite number, `least` or more.

    Args:
        name: What to call the value in the message.
        value: What was passed.
        least: The smallest value allowed.
        whole: Whether only whole numbers are allowed.

    Raises:
        ValueError: If it is not.

    Example:
        >>> check_number("n_layers", 0, least=1, whole=True)
        Traceback (most recent call last):
        ValueError: n_layers must be a whole number >= 1, but is 0
    """
    kind, words = (Integral, "a whole") if whole else (Real, "a finite")
    good = isinstance(value, kind) and not isinstance(value, bool)
    if not (good and math.isfinite(value) and value >= least):
        limit = f" >= {least}" if math.isfinite(least) else ""
        raise ValueError(f"{name} must be {words} number{limit}, but is {value!r}")


def check_linear(matrix: Tensor, shift: Tensor | None) -> tuple[Tensor, Tensor, float]:
    """The matrix and the shift in double precision, and log|det| of the matrix.

    Args:
        matrix: Shape (D, D).
        shift: Shape (D,), or None for zeros.

    Returns:
        The matrix, the shift, and the log-determinant.

    Raises:
        ValueError: If the matrix is not square or not invertible, or the shift does not fit or is
            not finite.

    Example:
        >>> check_linear(torch.zeros(2, 2), None)
        Traceback (most recent call last):
        ValueError: matrix must be invertible and finite, but is [[0.0, 0.0], [0.0, 0.0]]
    """
    matrix = torch.as_tensor(matrix, dtype=torch.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"matrix must have shape (D, D), but has {tuple(matrix.shape)}")
    shift = torch.zeros(len(matrix)) if shift is None else torch.as_tensor(shift)
    if shift.shape != matrix.shape[:1] or not shift.isfinite().all():
        given = f"{shift.tolist()} has shape {tuple(shift.shape)}"
        raise ValueError(f"shift must have shape ({len(matrix)},) and be finite, but {given}")
    log_abs_det = torch.linalg.slogdet(matrix).logabsdet.item()
    # Rounding may leave a tiny determinant where it is 0: the condition number is the better judge.
    if not (matrix.isfinite().all() and torch.linalg.cond(matrix) < 1e12):
        raise ValueError(f"matrix must be invertible and finite, but is {matrix.tolist()}")
    return matrix, shift.double(), log_abs_det


def check_planar(w: Tensor, u: Tensor, b: float, least: float) -> tuple[Tensor, Tensor, Tensor]:
    """w, u and b as tensors of the default dtype, if they make an invertible planar map.

    Args:
        w: Shape (D,), not 0.
        u: Shape (D,), with 1 + w.u > least.
        b: A finite number.
        least: How near 0 the determinant may come.

    Returns:
        The two vectors, and b as a scalar.

    Raises:
        ValueError: If w is 0, the shapes differ, 1 + w.u <= least, or b is not finite.

    Example:
        >>> check_planar([1.0, 0.0], [-2.0, 0.0], b=0.0, least=0.001)
        Traceback (most recent call last):
        ValueError: w.u must be above -1 + 0.001 for an invertible map, but is -2
    """
    w, u = (torch.as_tensor(v, dtype=torch.get_default_dtype()) for v in (w, u))
    if w.ndim != 1 or w.shape != u.shape or not (w @ w) > 0:
        raise ValueError(f"w and u must be vectors of one length, w not 0; got {w} and {u}")
    if not 1 + w @ u > least:
        limit = f"-1 + {least}"
        raise ValueError(f"w.u must be above {limit} for an invertible map, but is {w @ u:.4g}")
    b = torch.tensor(float(b), dtype=w.dtype)
    check_domain("b", b, -math.inf, math.inf)
    return w, u, b


def check_radial(center: Tensor, alpha: float, beta: float, least: float) -> tuple[Tensor, Tensor]:
    """The numbers of a radial flow as tensors of the default dtype, if they make it invertible.

    Args:
        center: Shape (D,).
        alpha: Above `least`.
        beta: With 1 + beta / alpha > least.
        least: How near 0 the two may come.

    Returns:
        The centre, and alpha and 1 + beta / alpha, shape (2,).

    Raises:
        ValueError: If alpha or 1 + beta / alpha is `least` or less, or center is not a vector of
            finite numbers.

    Example:
        >>> check_radial([0.0, 0.0], 2.0, -1.0, least=0.001)[1]
        tensor([2.0000, 0.5000])
    """
    center = torch.as_tensor(center, dtype=torch.get_default_dtype())
    if center.ndim != 1:
        raise ValueError(f"center must have shape (D,), but has {tuple(center.shape)}")
    check_domain("center", center, -math.inf, math.inf)
    if not (least < alpha < math.inf and least < 1 + beta / alpha < math.inf):
        wanted = f"alpha > 0 and beta > -alpha, that is alpha and 1 + beta / alpha > {least},"
        raise ValueError(f"{wanted} are needed; got {alpha} and {beta}")
    return center, torch.tensor([alpha, 1 + beta / alpha], dtype=center.dtype)


def check_spline(dim, hidden_dim, context_dim, n_frequencies, n_bins, bound) -> None:
    """Raise unless these can be the sizes of a spline coupling.

    Args:
        dim, hidden_dim, context_dim, n_frequencies, n_bins, bound: See `SplineCoupling`.

    Raises:
        ValueError: If one is not allowed.

    Example:
        >>> check_spline(2, 64, 0, 0, 101, 5.0)
        Traceback (most recent call last):
        ValueError: n_bins must be 2 to 100, but is 101
    """
    sizes = {"dim": (dim, 2), "hidden_dim": (hidden_dim, 1), "n_bins": (n_bins, 2)}
    sizes |= {"context_dim": (context_dim, 0), "n_frequencies": (n_frequencies, 0)}
    for name, (size, least) in sizes.items():
        check_number(name, size, least=least, whole=True)
    check_number("bound", bound, least=1e-3)
    if n_bins > 100:
        raise ValueError(f"n_bins must be 2 to 100, but is {n_bins}")


def check_knots(x: Tensor, y: Tensor, slopes: Tensor) -> None:
    """Raise unless a curve through these knots rises, and can go on as the diagonal.

    Args:
        x: Places, shape (K + 1,), K >= 1.
        y: Heights.
        slopes: Slopes at the knots.

    Raises:
        ValueError: If x or y does not increase, a slope is not positive, the ends of x and y or
            their slopes do not fit the diagonal, or a shape is wrong.

    Example:
        >>> check_knots(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]), torch.ones(2))
        Traceback (most recent call last):
        ValueError: y must increase from knot to knot, but is [1.0, 0.0]
    """
    if not x.shape == y.shape == slopes.shape or len(x) < 2:
        shapes = ", ".join(str(tuple(part.shape)) for part in (x, y, slopes))
        raise ValueError(f"x, y and slopes must have one shape (K + 1,), K >= 1, but are {shapes}")
    for name, part in (("x", x), ("y", y)):
        if not (part.diff() > 0).all() or not part.isfinite().all():
            raise ValueError(f"{name} must increase from knot to knot, but is {part.tolist()}")
    if not (slopes > 0).all() or not slopes.isfinite().all():
        raise ValueError(f"slopes must be positive, but are {slopes.tolist()}")
    if x[0] != y[0] or x[-1] != y[-1] or slopes[0] != 1 or slopes[-1] != 1:
        raise ValueError("at both ends x and y must be equal and the slope 1: beyond them the "
                         "curve is the diagonal")  # fmt: skip


def check_conditioned(changed: Tensor, s: Tensor, t: Tensor) -> None:
    """Raise unless s and t have one entry for each coordinate that they change.

    One of shape (n, 1) would broadcast: right points, and a log-det that is wrong.

    Args:
        changed: The half that changes, shape (n, D - k).
        s: Log-scales, from a conditioner.
        t: Shifts, from a conditioner.

    Raises:
        ValueError: If s or t has another shape than the half that changes.

    Example:
        >>> check_conditioned(torch.zeros(4, 2), torch.zeros(4, 1), torch.zeros(4, 2))
        Traceback (most recent call last):
        ValueError: the conditioner's s must have shape (4, 2), but has shape (4, 1)
    """
    wanted = tuple(changed.shape)
    for name, value in (("s", s), ("t", t)):
        given = tuple(value.shape) if isinstance(value, Tensor) else None
        if given != wanted:
            what = f"has shape {given}" if given is not None else f"is {value!r}"
            raise ValueError(f"the conditioner's {name} must have shape {wanted}, but {what}")


def fit_inputs(flow: nn.Module, name: str, points: Tensor, context: Tensor | None) -> Tensor | None:
    """Check the points that a flow is given, and bring their context to shape (n, C).

    Args:
        flow: The flow: it knows D, C and its dtype.
        name: What to call the points in a message.
        points: Shape (n, D).
        context: Shape (n, C), or (C,) for one context shared by all points; None if C = 0. Class
            numbers are not a context: `F.one_hot(labels, C).float()` is. For n = C points, a
            vector of whole numbers from 0 to C - 1 with one above 1 counts as class numbers.

    Returns:
        The context, shape (n, C), with the dtype and device of the points; None if C = 0.

    Raises:
        TypeError: If the points are no floating-point tensor, or of another dtype than the flow;
            if a context of one dimension holds integers, or a context is complex.
        ValueError: If a shape is wrong, a context is missing or not wanted, or it looks like one
            class number a point.

    Example:
        >>> from flows import RealNVP
        >>> flow = RealNVP(dim=2, context_dim=4)
        >>> fit_inputs(flow, "x", torch.zeros(3, 2), torch.tensor([0.0, 1.0, 0.0, 0.0])).shape
        torch.Size([3, 4])
    """
    check_points(name, points, flow.dim)
    dtype, context_dim = flow.like.dtype, flow.context_dim
    if points.dtype != dtype:
        advice = "convert the points, or the flow with flow.double() or flow.float()"
        raise TypeError(f"{name} must be {dtype} as the flow is, not {points.dtype}: {advice}")
    if context_dim == 0:
        if context is not None:
            raise ValueError("context must not be given: this flow has context_dim=0")
        return None
    n = points.shape[0]  # not len(points), which would fix the size while torch traces
    advice = f"class numbers become contexts by F.one_hot(labels, {context_dim}).float()"
    rows = context.shape if isinstance(context, Tensor) else ()
    if rows[-1:] != (context_dim,) or len(rows) > 2 or (len(rows) == 2 and rows[0] != n):
        given = tuple(context.shape) if isinstance(context, Tensor) else repr(context)
        raise ValueError(
            f"context must be a tensor of shape {(n, context_dim)} or {(context_dim,)}, as this "
            f"flow has context_dim={context_dim}; but it is {given} ({advice})"
        )
    # A vector of integers may be one class number a point that happens to have the length C.
    if context.is_complex() or (context.ndim == 1 and not context.is_floating_point()):
        raise TypeError(f"context must be floating-point, not {context.dtype}: {advice}")
    # And so may one of floats, if it has whole numbers above 1: a one-hot context has none.
    alike = context.ndim == 1 and not torch.compiler.is_compiling() and n == context_dim
    if alike and (values := to_look_at(context)) is not None:
        numbers = (values == values.round()) & (values >= 0) & (values < context_dim)
        if numbers.all() and (values > 1).any():
            raise ValueError(
                f"context must not look like {n} class numbers, one for each of {n} points, but "
                f"is {values.tolist()}: {advice}; one context that all points share is "
                f"context.expand({n}, {context_dim})"
            )
    return context.to(points).expand(n, -1)


# ------------------------------------------------------------------------------ the gate

# What parameters without an annotation must be.
KINDS = {
    "z": Tensor, "x": Tensor, "context": Tensor | None, "batch": Tensor | tuple | list,
    "flow": nn.Module, "draw": Callable, "conditioner": Callable | None, "checkpoint": str | Path,
    "held_out": Tensor | tuple | list | None, "hidden_dim": int, "context_dim": int,
    "n_frequencies": int, "n_kept": int, "n_changed": int, "n_numbers": int, "n_layers": int,
    "n_bins": int, "bound": float,
}  # fmt: skip
WORDS = {
    Tensor: "a floating-point tensor", float: "a number", int: "a whole number",
    bool: "True or False", str: "a text", Path: "a path", types.NoneType: "None", list: "a list",
    tuple: "a tuple", dict: "a dictionary", Callable: "a function", Sequence: "a list",
}  # fmt: skip
# Sizes beyond which a computer runs out of memory or patience, and not into an error.
LARGEST = {"n": 10**8, "batch_size": 10**8} | dict.fromkeys(
    ("dim", "n_layers", "hidden_dim", "context_dim", "n_frequencies", "n_kept", "n_changed",
     "n_numbers", "bisections"), 10**4,
)  # fmt: skip
LIBRARIES = (str(Path(torch.__file__).parent), str(Path(dis.__file__).parent))


def kinds_of(annotation) -> tuple:
    """The kinds that an annotation allows, without what is in their brackets.

    Args:
        annotation: Of a parameter.

    Returns:
        Types.

    Example:
        >>> kinds_of(Tensor | tuple[int, float] | None)
        (<class 'torch.Tensor'>, <class 'tuple'>, <class 'NoneType'>)
    """
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return tuple(kind for part in typing.get_args(annotation) for kind in kinds_of(part))
    return (typing.get_origin(annotation) or annotation,)


def fits(value, kinds: tuple, nearly: bool) -> bool:
    """Whether a value is of one of these kinds.

    Args:
        value: What was passed.
        kinds: From `kinds_of`.
        nearly: Whether it is enough that torch can make a tensor of numbers of it.

    Returns:
        Whether it is.

    Example:
        >>> fits([1.0, 2.0], (Tensor,), nearly=True), fits([1.0, 2.0], (Tensor,), nearly=False)
        (True, False)
    """
    for kind in kinds:
        if kind is float or kind is int:
            number = Real if kind is float else Integral
            good = isinstance(value, number) and not isinstance(value, bool)
        else:
            good = isinstance(value, kind) if isinstance(kind, type) else True
        if kind is Tensor and good:
            good = value.is_floating_point() and value.layout == torch.strided
        elif kind is Tensor and nearly:
            try:
                good = torch.as_tensor(value).is_floating_point()
            except (TypeError, ValueError, RuntimeError):
                pass
        if good:
            return True
    return False


def shown(value) -> str:
    """A value in a message: shape and dtype of a tensor, else what Python writes, cut.

    Args:
        value: What was passed.

    Returns:
        At most 60 letters.

    Example:
        >>> shown(torch.zeros(2, 3)), shown("a")
        ('a torch.float32 tensor of shape (2, 3)', "'a'")
    """
    if isinstance(value, Tensor):
        layout = "sparse " if value.layout != torch.strided else ""
        return f"a {layout}{value.dtype} tensor of shape {tuple(value.shape)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def caused_here(error: Exception, file: str) -> bool:
    """Whether an error is one that torch or Python made of a wrong argument.

    It is not if it comes from a function that a caller handed over, if it was raised on purpose, if
    it is about the machine, or about the number of arguments or their names, of which Python speaks
    clearly.

    Args:
        error: What was raised.
        file: Where the function that was called stands.

    Returns:
        Whether it needs other words.

    Example:
        >>> caused_here(OSError("disk full"), __file__)
        False
    """
    kinds = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError)
    if not isinstance(error, kinds) or isinstance(error, torch.OutOfMemoryError):
        return False
    if str(error).startswith("CUDA") or re.search(r"\(\) (got|takes|missing) ", str(error)):
        return False
    steps, place = [], error.__traceback__
    while place is not None:
        steps.append((place.tb_frame.f_code, place.tb_lasti))
        place = place.tb_next
    own = {__file__, file}
    files = {code.co_filename for code, _ in steps} - own
    if not all(name.startswith(LIBRARIES) for name in files):
        return False
    code, at = steps[-1]
    on_purpose = dis.opname[code.co_code[at]] == "RAISE_VARARGS"
    return not (on_purpose and code.co_filename in own)


def in_our_words(function: Callable, given: dict, reason: str) -> Exception:
    """An error that names the argument that does not fit, or all of them if none alone is wrong.

    Args:
        function: What was called.
        given: Its arguments by their names.
        reason: What torch or Python said.

    Returns:
        A TypeError or a ValueError.

    Example:
        >>> def f(x: Tensor): ...
        >>> in_our_words(f, {"x": 3}, "")
        TypeError('f: x must be a floating-point tensor, but is 3')
    """
    name = function.__qualname__.removesuffix(".__init__")
    parameters = inspect.signature(function).parameters
    wanted = {}
    for place in given:
        annotation = parameters[place].annotation
        if annotation is inspect.Parameter.empty:
            annotation = KINDS.get(place, object)
        wanted[place] = kinds_of(annotation)
    for nearly in (True, False):
        for place, value in given.items():
            several = parameters[place].kind is inspect.Parameter.VAR_POSITIONAL
            for part in value if several else (value,):
                if not fits(part, wanted[place], nearly):
                    words = [WORDS.get(kind, f"a {kind.__name__}") for kind in wanted[place]]
                    return TypeError(
                        f"{name}: {place} must be {' or '.join(words)}, but is {shown(part)}"
                    )
    listed = ", ".join(f"{place} = {shown(value)}" for place, value in given.items())
    return ValueError(f"{name} cannot take {listed}: {reason}")


def gated(function: Callable) -> Callable:
    """The same function; if an argument is none that it can take, the error says so.

    A formula asks nothing of what it is given: torch does, in its own words, which name neither
    the function nor the argument. Only when there is an error are the arguments looked at.

    Args:
        function: Any function or method.

    Returns:
        A function that returns the same, and gives way while torch traces it into a graph.

    Raises:
        TypeError: From the function: an argument is of a wrong kind.
        ValueError: From the function: a size is too large, or arguments do not go together.

    Example:
        >>> @gated
        ... def area(x: Tensor):
        ...     return math.pi * x.square()
        >>> area([1.0, 2.0])
        Traceback (most recent call last):
        TypeError: area: x must be a floating-point tensor, but is [1.0, 2.0]
    """
    signature, file = inspect.signature(function), inspect.unwrap(function).__code__.co_filename
    sizes = [(k, name) for k, name in enumerate(signature.parameters) if name in LARGEST]

    def arguments(args, kwargs) -> dict:
        bound = signature.bind(*args, **kwargs).arguments
        return {name: value for name, value in bound.items() if name != "self"}

    @functools.wraps(function)
    def call(*args, **kwargs):
        __tracebackhide__ = True
        if torch.compiler.is_compiling():
            return function(*args, **kwargs)
        for k, name in sizes:
            value = kwargs.get(name, args[k] if k < len(args) else None)
            if isinstance(value, Integral) and value > LARGEST[name]:
                raise ValueError(f"{name} must be at most {LARGEST[name]}, but is {shown(value)}")
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if not caused_here(error, file):
                raise
            tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            if any(torch._C._functorch.is_functorch_wrapped_tensor(leaf) for leaf in tensors):
                raise  # torch speaks to whoever transforms the function
            try:
                given = arguments(args, kwargs)
            except TypeError:
                raise error from None  # one too many, or too few: Python says it well
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise in_our_words(function, given, reason) from error

    return call


def gate(names: dict) -> None:
    """Let each public function and method of a module pass through `gated`.

    Args:
        names: The module's names, with `__all__`; functions are replaced, classes changed.

    Example:
        >>> def half(x: Tensor):
        ...     return x.float() / 2
        >>> names = {"__all__": ["half"], "__name__": __name__, "half": half}
        >>> gate(names)
        >>> names["half"](None)
        Traceback (most recent call last):
        TypeError: half: x must be a floating-point tensor, but is None
    """
    for name in names["__all__"]:
        thing = names[name]
        if isinstance(thing, types.FunctionType):
            names[name] = gated(thing)
        elif inspect.isclass(thing) and thing.__module__ == names["__name__"]:
            for method, value in [*vars(thing).items()]:
                if isinstance(value, types.FunctionType):
                    if method == "__init__" or method[0] != "_":
                        setattr(thing, method, gated(value))


# ------------------------------------------------------------------------ the derivatives of a root


class ImplicitRoot(torch.autograd.Function):
    """Derivatives of a root, in reverse mode and to every order: see `implicit_root`.

    Example:
        >>> ImplicitRoot.apply(torch.sqrt, lambda s, a: s * s - a, torch.tensor(4.0)).item()
        2.0
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(find, residual, *parameters):
        """The root, found in whatever way, without gradients."""
        return find(*parameters)

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Keep what the derivatives need."""
        ctx.residual = inputs[1]
        ctx.save_for_backward(output, *inputs[2:])

    @staticmethod
    def backward(ctx, gradient):
        """residual = 0 whatever p is, so d root / dp = -(d residual / dp) / (d residual / ds).

        The saved root knows that it depends on p: so this can be differentiated again.
        """
        root, *parameters = ctx.saved_tensors
        _, pull = torch.func.vjp(ctx.residual, root, *parameters)
        slope = pull(torch.ones_like(root))[0]
        return None, None, *pull(-gradient / slope)[1:]


def implicit_root(find: Callable, residual: Callable, *parameters: Tensor) -> Tensor:
    """The s with residual(s, *parameters) = 0, and the derivatives of s with respect to them.

    In reverse mode they are right to every order. In forward mode (`torch.func.jacfwd` and
    `hessian`) four Newton steps carry them, each of which doubles the order that is right: to 15.

    Args:
        find: Gets the parameters, returns the root to the last digits, by any method.
        residual: Smooth function of the root and the parameters. Each entry of its result belongs
            to one entry of the root, and its slope there is not 0.
        parameters: Tensors that broadcast to the shape of the root.

    Returns:
        The root, of the shape that `find` gives it.

    Example:
        >>> root = lambda a: implicit_root(torch.sqrt, lambda s, a: s * s - a, a)
        >>> torch.func.grad(torch.func.grad(root))(torch.tensor(4.0))  # -a^(-3/2) / 4
        tensor(-0.0312)
    """
    wanted = torch.is_grad_enabled() and any(p.requires_grad for p in parameters)
    if torch.compiler.is_compiling() and not wanted:  # torch.compile cannot take the class then
        return find(*parameters)
    try:
        return ImplicitRoot.apply(find, residual, *parameters)
    except (NotImplementedError, AssertionError):  # so torch refuses forward mode, and it nested
        pass
    root = find(*(p.detach() for p in parameters))
    for _ in range(4):
        value, pull = torch.func.vjp(lambda s: residual(s, *parameters), root)
        root = root - value / pull(torch.ones_like(value))[0]
    return root


# ------------------------------------------------ a training: its settings, its batches, its report


def check_settings(draw, steps, batch_size, lr, clip, seed, schedule) -> dict:
    """Look at the settings of a training, and make plain numbers of them.

    Args:
        draw, steps, batch_size, lr, clip, seed, schedule: See `Trainer`.

    Returns:
        The settings that a checkpoint stores.

    Raises:
        TypeError: If draw is no function, or schedule neither True nor False.
        ValueError: If a number is not allowed.

    Example:
        >>> check_settings(torch.zeros(5, 2), 10, 10, 0.1, 1.0, 0, True)
        Traceback (most recent call last):
        TypeError: draw must be a function (batch_size, generator) -> points, but is a Tensor: ...
    """
    if not callable(draw):
        advice = "for a fixed set of points, draw=resample(points)"
        kind = type(draw).__name__
        raise TypeError(
            f"draw must be a function (batch_size, generator) -> points, but is a {kind}: {advice}"
        )
    if not isinstance(schedule, bool):
        raise TypeError(f"schedule must be True or False, but is {schedule!r}")
    for name, value in {"steps": steps, "batch_size": batch_size}.items():
        check_number(name, value, least=1, whole=True)
    for name, value in {"lr": lr, "clip": clip}.items():
        check_number(name, value, least=1e-12)
    check_number("seed", seed, least=0, whole=True)
    if seed >= 2**31:  # from there on lie the seeds of points that nothing may be trained on
        raise ValueError(f"seed must be a whole number below 2^31, but is {seed}")
    whole = {"steps": int(steps), "batch_size": int(batch_size), "seed": int(seed)}
    return whole | {"lr": float(lr), "clip": float(clip), "schedule": schedule}


@torch.no_grad()
def check_training(flow, held_out, report_every, on_report, checkpoint) -> None:
    """Find before the first step what would stop a training later.

    Args:
        flow, held_out, report_every, on_report, checkpoint: See `train`.

    Raises:
        TypeError, ValueError: If one of them is not allowed.

    Example:
        >>> from flows import RealNVP
        >>> check_training(RealNVP(), None, 10, None, "no-such-folder/run.pt")
        Traceback (most recent call last):
        ValueError: checkpoint must be a file in a folder that exists, but is no-such-folder/run.pt
    """
    check_number("report_every", report_every, least=1, whole=True)
    if on_report is not None and not callable(on_report):
        raise TypeError(f"on_report must be a function (step, history), but is {on_report!r}")
    if checkpoint is not None:
        file = Path(checkpoint)
        if file.is_dir() or not file.parent.is_dir():
            raise ValueError(f"checkpoint must be a file in a folder that exists, but is {file}")
    if held_out is not None:
        parts = held_out if isinstance(held_out, tuple | list) else (held_out,)
        if not all(isinstance(part, Tensor) for part in parts):
            raise TypeError("held_out must be a tensor of points, or a pair with their contexts")
        if not all(part.isfinite().all() for part in parts):
            raise ValueError("held_out must not hold NaN or infinity, but does")
        context = parts[1] if len(parts) == 2 else None
        fit_inputs(flow, "held_out", parts[0].to(flow.like), context)


def fingerprint(values) -> str:
    """A short hash of tensors, numbers and texts, in order.

    Args:
        values: What to hash.

    Returns:
        16 hexadecimal digits.

    Example:
        >>> fingerprint([torch.zeros(2)]) == fingerprint([torch.zeros(2)])
        True
    """
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, Tensor):
            value = (tuple(value.shape), value.detach().cpu().flatten().tolist())
        digest.update(repr(value).encode())
    return digest.hexdigest()[:16]


def copied(state):
    """A copy of a state: its tensors, in any nesting of dictionaries, lists and tuples.

    Args:
        state: The state.

    Returns:
        The same nesting, with new tensors.

    Example:
        >>> state = {"weights": [torch.zeros(2)], "step": 3}
        >>> kept = copied(state)
        >>> state["weights"][0].add_(1)
        tensor([1., 1.])
        >>> kept
        {'weights': [tensor([0., 0.])], 'step': 3}
    """
    return tree_map_only(Tensor, torch.clone, state)


def next_batch(trainer) -> Tensor | tuple[Tensor, Tensor]:
    """Draw a batch, and look at it before it can spoil the weights.

    Args:
        trainer: The training.

    Returns:
        What `draw` gave.

    Raises:
        TypeError: If it is no tensor, and no pair of tensors.
        ValueError: If it holds a NaN or an infinity; the weights are as they were.

    Example:
        >>> from flows import RealNVP, Trainer
        >>> next_batch(Trainer(RealNVP(), lambda n, generator: torch.full((n, 2), math.nan)))
        Traceback (most recent call last):
        ValueError: draw gave points with a NaN or an infinity for batch 1: mend the data
    """
    batch = trainer.draw(trainer.settings["batch_size"], trainer.generator)
    parts = batch if isinstance(batch, tuple | list) else (batch,)
    if len(parts) not in (1, 2) or not all(isinstance(part, Tensor) for part in parts):
        kinds = " and ".join(type(part).__name__ for part in parts)
        given = f"a {type(batch).__name__}" + (f" of {kinds}" if len(parts) == 2 else "")
        raise TypeError(f"draw must give a tensor of points, or a pair (points, contexts) of "
                        f"tensors, but gave {given}: torch.as_tensor makes one")  # fmt: skip
    if all(part.device.type == "cpu" for part in parts):
        if not all(part.isfinite().all() for part in parts):
            raise ValueError(f"draw gave points with a NaN or an infinity for batch "
                             f"{trainer.done + 1}: mend the data")  # fmt: skip
    if trainer.done == 0:
        trainer.first_batch = fingerprint(parts)
    return batch


# ----------------------------------------------------------------------------- steps, replayed


def recorded(
    function: Callable, weights: Sequence[Tensor], uses: Callable = list, calls: int = 0
) -> Callable:
    """A function of a batch that is recorded where that pays, and from then on replayed.

    A small network keeps a machine waiting: to start an operation takes longer than to do it. On a
    GPU see `Replay`, on a CPU `TapeReplay`. What the function does must not depend on the numbers
    in the batch, or on how often it was called.

    Args:
        function: Batch (a tensor, or a pair) -> a tensor, or None.
        weights: The weights whose gradients it leaves behind, or uses, all on one device.
        uses: Function () -> tensors that it uses beside the weights.
        calls: How often it will be called. On a CPU a record pays from `TapeReplay.PAYS` on.

    Returns:
        The function itself where a record does not pay.

    Example:
        >>> recorded(torch.sum, [torch.ones(1)], calls=10) is torch.sum
        True
    """
    if weights[0].device.type == "cuda":
        return Replay(function, weights, uses)
    if weights[0].device.type == "cpu" and calls >= TapeReplay.PAYS:
        return TapeReplay(function, weights, uses)
    return function


class Replay:
    """Runs a function of a batch; on a GPU it records it once, and from then on replays the record.

    A CUDA graph starts all operations at once. The next call overwrites what it returned.

    Calls are run as they are: on other devices, before the function has seen three batches of one
    shape, and for good if it cannot be recorded (it asks for the value of a tensor, or there is no
    room). A record knows addresses: if a tensor that it uses has moved, it is made anew.

    Args:
        function: Batch (a tensor, or a pair) -> a tensor, or None.
        weights: The weights whose gradients it leaves behind, or uses, all on one device.
        uses: Function () -> tensors that it uses beside the weights.

    Attributes:
        graph: The record, None if there is none.

    Example:
        >>> weight = torch.ones((), requires_grad=True)
        >>> Replay(lambda batch: batch.sum(), [weight])(torch.ones(3))
        tensor(3.)
    """

    WARM = 3

    def __init__(self, function: Callable, weights: Sequence[Tensor], uses: Callable = list):
        self.function, self.weights, self.uses = function, weights, uses
        self.device, self.graph, self.key, self.seen = weights[0].device, None, None, 0
        self.able = self.device.type == "cuda"
        self.side = torch.cuda.Stream(self.device) if self.able else None

    def __call__(self, batch: Tensor | tuple[Tensor, Tensor]) -> Tensor | None:
        """Run it, or replay it."""
        if not self.able:
            return self.function(batch)
        parts = batch if isinstance(batch, tuple | list) else (batch,)
        key = [(part.shape, part.dtype) for part in parts]
        key += [tensor.data_ptr() for tensor in (*self.weights, *self.uses())]
        if key != self.key:
            self.graph, self.key, self.seen = None, key, 0
        self.seen += 1
        if self.seen == self.WARM + 1:
            self.record(parts)
        if self.graph is None:
            return self.warm_up(batch)
        for place, part in zip(self.places, parts, strict=True):
            place.copy_(part)
        self.graph.replay()
        for weight, gradient in zip(self.weights, self.gradients, strict=True):
            weight.grad = gradient
        return self.result

    def warm_up(self, batch: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        """Run it in a stream of its own, as a later record needs it."""
        now = torch.cuda.current_stream(self.device)
        self.side.wait_stream(now)
        with torch.cuda.stream(self.side):
            result = self.function(batch)
        now.wait_stream(self.side)
        return result

    def record(self, parts: Sequence[Tensor]) -> None:
        """Try to record it. Nothing is computed here, so a failure changes nothing."""
        self.places = [part.to(self.device, copy=True) for part in parts]
        batch = self.places[0] if len(parts) == 1 else tuple(self.places)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self.result = self.function(batch)
            self.graph, self.gradients = graph, [weight.grad for weight in self.weights]
        except RuntimeError:  # torch's error for all that cannot be recorded, lack of room too
            self.able = False
            torch.cuda.synchronize(self.device)


class Slot(int):
    """Where a tape keeps a tensor: a number that is not taken for an argument.

    Example:
        >>> Slot(3) == 3, isinstance(3, Slot)
        (True, False)
    """


def slots_in(tree) -> set[Slot]:
    """All slots in a nesting of lists, tuples and dictionaries.

    Args:
        tree: The nesting.

    Returns:
        The slots.

    Example:
        >>> slots_in([(Slot(2), 5), {"dim": 1}])
        {2}
    """
    return {leaf for leaf in tree_leaves(tree) if isinstance(leaf, Slot)}


class Tape(TorchDispatchMode):
    """Writes down the operations that a function starts, those of `backward` too.

    Args:
        inputs: Tensors that may differ in another run. All others are taken as they are.

    Attributes:
        steps: The operations: what to call, with what, and where to put what comes out.
        sound: False if it did what a list cannot repeat: it asked for the value of a tensor or for
            how many of its entries are such, or drew random numbers.

    Example:
        >>> x = torch.ones(3)
        >>> with Tape([x]) as tape:
        ...     y = 2 * x
        >>> tape.sound, [str(step[0]) for step in tape.steps], tape.run([y], 3 * x)
        (True, ['aten.mul.Tensor'], [tensor([6., 6., 6.])])
    """

    REFUSED = frozenset({torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape,
                         torch.Tag.nondeterministic_seeded})  # fmt: skip

    def __init__(self, inputs: Sequence[Tensor]):
        super().__init__()
        self.steps, self.sound, self.others, self.count = [], True, {}, len(inputs)
        self.versions = [(tensor, tensor._version) for tensor in inputs]
        self.slots = WeakTensorKeyDictionary({t: Slot(k) for k, t in enumerate(inputs)})

    def new_slot(self, tensor: Tensor) -> Slot:
        """A slot for a tensor that an operation gave."""
        self.slots[tensor], self.count = Slot(self.count), self.count + 1
        return self.slots[tensor]

    def slot(self, tensor: Tensor) -> Slot:
        """The slot of a tensor that is used; one from outside is kept."""
        if tensor not in self.slots:
            self.versions.append((tensor, tensor._version))
            self.others[self.new_slot(tensor)] = tensor
        return self.slots[tensor]

    def __torch_dispatch__(self, call, types, args=(), kwargs=None):
        """Do an operation, and write it down."""
        kwargs = kwargs or {}
        if call.namespace == "profiler":
            return call(*args, **kwargs)
        used = tree_map_only(Tensor, self.slot, (args, kwargs))
        given = call(*args, **kwargs)
        self.sound &= self.REFUSED.isdisjoint(call.tags)
        self.steps.append((call, *used, tree_map_only(Tensor, self.new_slot, given)))
        return given

    def changed(self) -> bool:
        """Whether a tensor from outside is not what it was: a second run would change it again."""
        return any(tensor._version != version for tensor, version in self.versions)

    def run(self, results: Sequence[Tensor], *inputs: Tensor) -> list[Tensor]:
        """Do all again with other inputs; give what then stands for `results`."""
        wanted = [self.slot(tensor) for tensor in results]
        last = dict.fromkeys(wanted, len(self.steps))  # when a slot is used for the last time
        for k, (_, *used, _) in reversed([*enumerate(self.steps)]):
            last |= {slot: k for slot in slots_in(used) if slot not in last}
        values = self.others | {Slot(k): tensor for k, tensor in enumerate(inputs)}
        for k, (call, *used, places) in enumerate(self.steps):
            args, kwargs = tree_map_only(Slot, values.__getitem__, used)
            given = zip(tree_leaves(places), tree_leaves(call(*args, **kwargs)), strict=True)
            values |= {slot: value for slot, value in given if isinstance(slot, Slot)}
            for slot in slots_in((used, places)):
                if last.get(slot, -1) <= k:
                    del values[slot]
        return [values[slot] for slot in wanted]


class TapeReplay:
    """Runs a function of a batch; its third call is recorded, and from then on replayed.

    The list of its operations, compiled by torch (TorchScript), needs neither Python nor the
    bookkeeping of derivatives: the same numbers to the last bit, in half the time. That they are
    the same is looked at after the first replays and every `CHECK` calls; if not, if torch cannot
    compile the list or if the function does what no list can repeat (see `Tape`), all calls are
    run as they are.

    Args:
        function: See `recorded`; so are `weights` and `uses`.

    Attributes:
        program: The record, None if there is none.

    References:
        Baydin et al. 2018, Automatic Differentiation in Machine Learning: a Survey, section 3.

    Example:
        >>> weight = torch.ones((), requires_grad=True)
        >>> def slope(batch):
        ...     weight.grad = None
        ...     loss = weight * batch.sum()
        ...     loss.backward()
        ...     return loss.detach()
        >>> replay = TapeReplay(slope, [weight])
        >>> [(replay(torch.full((2,), float(k))).item(), weight.grad.item()) for k in range(5)]
        [(0.0, 0.0), (2.0, 2.0), (4.0, 4.0), (6.0, 6.0), (8.0, 8.0)]
        >>> replay.program is not None
        True
    """

    PAYS, WARM, CHECK, MOST = 100, 3, 50, 2  # (MOST: how often it records, if the shape changes)

    def __init__(self, function: Callable, weights: Sequence[Tensor], uses: Callable = list):
        self.function, self.weights, self.uses = function, weights, uses
        self.able, self.program, self.key, self.seen, self.records = True, None, None, 0, 0

    def __call__(self, batch: Tensor | tuple[Tensor, Tensor]) -> Tensor | None:
        """Run it, record it, or replay it."""
        if not self.able:
            return self.function(batch)
        parts = batch if isinstance(batch, tuple | list) else (batch,)
        key = [(part.shape, part.dtype, part.device) for part in parts]
        if key != self.key:
            self.program, self.key, self.seen = None, key, 0
        self.seen += 1
        inputs = (*parts, *self.weights, *self.uses())
        if self.seen == self.WARM:
            return self.record(batch, inputs)
        if self.program is None:
            return self.function(batch)
        with torch.no_grad(), torch.jit.optimized_execution(False):  # (which would change bits)
            result, *gradients = self.program(*inputs)
        if self.seen <= 2 * self.WARM or self.seen % self.CHECK == 0:
            return self.checked(batch, result, gradients)
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight.grad = gradient
        return result

    def record(self, batch: Tensor | tuple[Tensor, Tensor], inputs: Sequence[Tensor]) -> Tensor:
        """Run it, and write down what it does."""
        with Tape(inputs) as tape:
            result = self.function(batch)
        wanted = [result, *(weight.grad for weight in self.weights)]
        self.records += 1
        self.able = tape.sound and not tape.changed() and self.records <= self.MOST
        self.able &= all(isinstance(tensor, Tensor) for tensor in wanted)
        if self.able:
            self.program = self.compiled(tape, wanted, inputs)
            self.able = self.program is not None
        return result

    @staticmethod
    def compiled(tape: Tape, wanted: Sequence[Tensor], inputs: Sequence[Tensor]) -> Callable | None:
        """The list as a function of the inputs, None if torch cannot compile it."""
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                plain = tuple(tensor.detach() for tensor in inputs)
                return torch.jit.trace(
                    lambda *new: tuple(tape.run(wanted, *new)), plain, check_trace=False
                )
        except Exception:  # torch's compilers fail in many ways
            return None

    def checked(self, batch, result: Tensor, gradients: Sequence[Tensor]) -> Tensor:
        """Run it as it is, and go on like that if the replay gave anything else."""
        replayed, run = [result, *gradients], self.function(batch)
        for a, b in zip(replayed, [run, *(weight.grad for weight in self.weights)], strict=True):
            self.able &= a.shape == b.shape and torch.allclose(a, b, 0, 0, equal_nan=True)
        return run


def set_rate(adam: torch.optim.Optimizer, rate: Tensor) -> None:
    """Give an optimizer its learning rate: a number, or on a GPU a tensor, which a record reads.

    Args:
        adam: The optimizer.
        rate: A scalar, float64.

    Example:
        >>> adam = torch.optim.Adam([torch.zeros(1, requires_grad=True)])
        >>> set_rate(adam, torch.tensor(0.1, dtype=torch.float64))
        >>> adam.param_groups[0]["lr"]
        0.1
    """
    group = adam.param_groups[0]
    device = group["params"][0].device
    group["capturable"] = device.type == "cuda"
    group["lr"] = rate.to(device, torch.float32) if group["capturable"] else rate.item()


def adam_tensors(adam: torch.optim.Optimizer) -> list[Tensor]:
    """The tensors that a step of an optimizer uses beside the weights: gradients and moments.

    Args:
        adam: The optimizer.

    Returns:
        Those that there are: before the first step there is no moment.

    Example:
        >>> adam_tensors(torch.optim.Adam([torch.zeros(1, requires_grad=True)]))
        []
    """
    weights = adam.param_groups[0]["params"]
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    return gradients + [part for w in weights for part in adam.state.get(w, {}).values()]


class AdamSteps:
    """Steps of an optimizer with the gradients that are there; on a GPU recorded and replayed.

    Args:
        adam: The optimizer, with one group of weights.

    Example:
        >>> weight = torch.zeros(1, requires_grad=True)
        >>> step = AdamSteps(torch.optim.Adam([weight]))
        >>> weight.grad = torch.ones(1)
        >>> step(0.5)
        >>> weight
        tensor([-0.5000], requires_grad=True)
    """

    def __init__(self, adam: torch.optim.Optimizer):
        self.adam = adam
        weights = adam.param_groups[0]["params"]
        self.replay = recorded(self.step, weights, lambda: adam_tensors(adam))

    def step(self, rate: Tensor) -> None:
        """One step as it is."""
        set_rate(self.adam, rate)
        self.adam.step()

    def __call__(self, rate: float) -> None:
        """One step at this learning rate."""
        self.replay(torch.tensor(rate, dtype=torch.float64))


@torch.no_grad()
def report(trainer, losses: list[Tensor], measure: Callable, held_out=None) -> None:
    """Add one entry to the history; stop with a clear error if the loss is no number.

    Args:
        trainer: The training.
        losses: The losses since the last report, scalars.
        measure: Function (flow, held_out) -> the NLL of the held-out points, a scalar.
        held_out: Points (n, D), a pair with contexts, or None.

    Raises:
        FloatingPointError: If a loss is infinite or NaN. The flow then has the weights of the last
            report again.

    Example:
        >>> from flows import RealNVP, Trainer, mean_nll, resample
        >>> trainer = Trainer(RealNVP(n_layers=2), resample(torch.randn(9, 2)), batch_size=9)
        >>> report(trainer, [torch.tensor(1.0), torch.tensor(3.0)], mean_nll)
        >>> trainer.history.train_nll
        [2.0]
    """
    loss = torch.stack(losses).mean().item()
    if not math.isfinite(loss):
        back, good = "", trainer.good
        if good is not None:
            trainer.flow.load_state_dict(good["flow"])
            back = f"; the flow is back at step {good['step']}"
        raise FloatingPointError(
            f"the loss is {loss} at step {trainer.done}: try a smaller lr{back}"
        )
    weights = {name: value.clone() for name, value in trainer.flow.state_dict().items()}
    trainer.good = {"step": trainer.done, "flow": weights}
    trainer.history.steps.append(trainer.done)
    trainer.history.train_nll.append(loss)
    if held_out is not None:
        trainer.history.held_out_nll.append(measure(trainer.flow, held_out).item())


# ----------------------------------------------------------------------------- a training in a file


def what_it_is(flow: nn.Module) -> str:
    """Fingerprint of all that defines a flow's density beside its weights.

    Args:
        flow: The flow.

    Returns:
        A hash of its layers, their plain settings, and the tensors that its state leaves out.

    Example:
        >>> from flows import RealNVP
        >>> what_it_is(RealNVP(turn=30.0)) == what_it_is(RealNVP(turn=45.0))
        False
    """
    plain, values = (bool, int, float, str, tuple), []
    for name, module in flow.named_modules():
        kept = {k: v for k, v in vars(module).items() if k[0] != "_" and isinstance(v, plain)}
        kept.pop("training", None)
        values += [name, type(module).__qualname__, sorted(kept.items())]
        values += [
            module.get_buffer(key).double() for key in sorted(module._non_persistent_buffers_set)
        ]
    return fingerprint(values)


def save_training(trainer, path: str | Path) -> None:
    """Write a training to a file: beside it first, so that the file itself is always whole.

    Args:
        trainer: The training.
        path: The file; an older one is replaced.

    Raises:
        OSError: If it cannot be written; an older file stays, and nothing beside it.

    Example:
        >>> import tempfile
        >>> from flows import RealNVP, Trainer, resample
        >>> trainer = Trainer(RealNVP(n_layers=2), resample(torch.randn(9, 2)), batch_size=9)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_training(trainer, f"{folder}/run.pt")
        ...     load_training(trainer, f"{folder}/run.pt")
    """
    state = {
        "settings": trainer.settings, "done": trainer.done, "history": vars(trainer.history),
        "flow": trainer.flow.state_dict(), "adam": trainer.adam.state_dict(),
        "generator": trainer.generator.get_state(), "what": what_it_is(trainer.flow),
        "first_batch": trainer.first_batch, "way_back": trainer.way_back.state(),
    }  # fmt: skip
    temporary = Path(f"{path}.part")
    try:
        torch.save(state, temporary)
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch's writer gives a RuntimeError for a full disk
        temporary.unlink(missing_ok=True)
        raise OSError(f"{path} could not be written: {error}") from error


def read_checkpoint(path: str | Path) -> dict:
    """What `save_training` wrote.

    Args:
        path: The file.

    Returns:
        The state, on the CPU whatever the device that it was written on.

    Raises:
        ValueError: If it is no such file, or a damaged one.

    Example: see `save_training`.
    """
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        wanted = {
            "settings", "done", "history", "flow", "adam", "generator", "what", "first_batch",
            "way_back",
        }  # fmt: skip
        if not isinstance(state, dict) or set(state) != wanted:
            raise ValueError("it holds something else")
    except Exception as error:  # torch.load has many ways to say that a file is not its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} is no checkpoint that can be read ({reason}): "
                         "name another file, or delete it") from error  # fmt: skip
    return state


def load_training(trainer, path: str | Path) -> None:
    """Go back to what `save_training` wrote. Nothing is changed if the file does not fit.

    Args:
        trainer: A training with the same settings, flow and data; changed in place.
        path: The file.

    Raises:
        ValueError: If the file is damaged, or belongs to other settings, another flow, or other
            data (also if `draw` gives other points for the same generator).

    Example: see `save_training`.
    """
    state, now = read_checkpoint(path), trainer.settings
    problem = ""
    if state["settings"] != now:
        problem = f"a training with {state['settings']}, this one has {now}"
    elif state["what"] != what_it_is(trainer.flow):
        problem = "a flow of another shape or with other fixed parts (such as turn)"
    elif state["done"] and state["first_batch"] is not None:
        again = type(trainer)(trainer.flow, trainer.draw, **now)
        next_batch(again)
        if again.first_batch != state["first_batch"]:
            problem = "other data, or `draw` does not use the generator that it is given"
    if problem:
        raise ValueError(
            f"{path} belongs to {problem}: name another checkpoint, or delete the file"
        )
    trainer.flow.load_state_dict(state["flow"])
    trainer.adam.load_state_dict(state["adam"])
    trainer.generator.set_state(state["generator"])
    trainer.done, trainer.history = state["done"], type(trainer.history)(**state["history"])
    trainer.first_batch = state["first_batch"]
    trainer.way_back.load(state["way_back"], trainer.history.went_back)


# ---------------------------------------------------------------------------- weights in eight bits


@gated
def to_eight_bits(flow: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """A flow's weights as whole numbers from -127 to 127 and one scale a row.

    Args:
        flow: The flow.

    Returns:
        For each parameter its numbers, int8, and the scales that they are to be multiplied by.

    Example:
        >>> packed = to_eight_bits(nn.Linear(3, 2))
        >>> packed["weight"][0].dtype, packed["weight"][1].shape
        (torch.int8, torch.Size([2, 1]))
    """
    packed = {}
    for name, value in flow.named_parameters():
        value = value.detach().cpu()
        scale = value.abs().amax(dim=-1, keepdim=True).clamp_min(1e-30) / 127
        packed[name] = (value / scale).round().to(torch.int8), scale
    return packed


@gated
@torch.no_grad()
def from_eight_bits(flow: nn.Module, packed: dict[str, tuple[Tensor, Tensor]]) -> None:
    """Put weights from `to_eight_bits` into a flow of the same shape, in place.

    Args:
        flow: The flow.
        packed: What `to_eight_bits` returned.

    Raises:
        ValueError: If the names do not fit.

    Example:
        >>> a, b = nn.Linear(3, 2), nn.Linear(3, 2)
        >>> from_eight_bits(b, to_eight_bits(a))
        >>> bool((a.weight - b.weight).abs().max() < 0.01)
        True
    """
    parameters = dict(flow.named_parameters())
    if set(parameters) != set(packed):
        raise ValueError(f"packed must hold {sorted(parameters)}, but holds {sorted(packed)}")
    for name, (numbers, scale) in packed.items():
        parameters[name].copy_(numbers * scale)
