"""Element-wise operations."""

import math

import torch

from .dtypes import is_whole
from .expr import Expr
from .lower import handles
from .tensors import Value, is_long
from .trace import operation

SAME_NAME = ("exp log log1p expm1 log2 log10 sqrt sin cos tan asin acos atan sinh cosh asinh "
             "acosh atanh tanh sigmoid erf erfc erfinv lgamma digamma").split()  # fmt: skip
WHOLE = "abs floor ceil trunc neg".split()  # of whole numbers too
COMPARE = {"gt": "gt", "ge": "ge", "lt": "lt", "le": "le", "eq": "eq", "ne": "ne"}
TWO = {
    "maximum": "max", "minimum": "min", "atan2": "atan2", "remainder": "mod", "fmod": "rem",
    "fmax": "fmax", "fmin": "fmin", "logaddexp": "logaddexp", "hypot": "hypot",
}  # fmt: skip
LOGICAL = {"logical_and": "and", "logical_or": "or", "logical_xor": "ne"}


def _one(op):
    return lambda low, a: low.arithmetic(lambda e: low.x.call(op, e), a)


def _two(op):
    return lambda low, a, b: low.arithmetic(lambda e, f: low.x.call(op, e, f), a, b)


def _compared(op):
    return lambda low, a, b: low.map(lambda e, f: low.x.call(op, e, f), a, b)


def _logical(op):
    return lambda low, a, b: low.map(lambda e, f: low.x.call(op, e, f), a, b, to=torch.bool)


for name in SAME_NAME + WHOLE:
    handles(name)(_one(name))
for name, op in TWO.items():
    handles(name)(_two(op))
for name, op in COMPARE.items():
    handles(name)(_compared(op))
for name, op in LOGICAL.items():
    handles(name)(_logical(op))


@handles("logical_not")
def logical_not(low, a):
    return low.map(lambda e: low.x.call("not", e), a, to=torch.bool)


@handles("exp2")
def exp2(low, a):
    return low.arithmetic(lambda e: low.x.call("pow", low.x.num(2), e), a)


@handles("sign", "sgn")
def sign(low, a):
    """(x > 0) - (x < 0): 0 for NaN, as in torch."""
    x, zero = low.x, low.x.num(0)
    return low.arithmetic(lambda e: x.call("sub", x.call("gt", e, zero), x.call("lt", e, zero)), a)


@handles("signbit")
def signbit(low, a):
    return low.map(lambda e: low.x.call("signbit", e), a)


@handles("round")
def round_(low, a, *, decimals=0):
    x, ten = low.x, low.x.num(10.0 ** abs(decimals))
    there, back = ("mul", "div") if decimals >= 0 else ("div", "mul")

    def element(e):
        return x.call(back, x.call("round", x.call(there, e, ten)), ten)

    return low.arithmetic(element if decimals else lambda e: x.call("round", e), a)


@handles("polygamma")
def polygamma(low, n, a):
    if n not in (0, 1):
        low.fail(f"torch.polygamma of order {n}", "order 0 or 1")
    return low.arithmetic(lambda e: low.x.call("trigamma" if n else "digamma", e), a)


@handles("log_sigmoid_forward")
def log_sigmoid_forward(low, a):
    """torch returns the value, and exp(-|x|) for the backward pass."""
    x, t = low.x, low.tensors

    def decay(i):
        return x.call("exp", x.call("neg", x.call("abs", t.read(a, i))))

    value = t.make(a.shape, lambda i: x.call("logsigmoid", t.read(a, i)), a.dtype)
    shape = tuple(low.size(s) for s in low.node.meta["val"][1].shape)  # empty on some devices
    return [value, t.make(shape, decay, a.dtype)]


@handles("add", "sub", "rsub")
def add(low, a, b, alpha=1):
    name = operation(low.node)
    if name == "rsub":
        a, b = b, a
    if low.dtype == torch.bool:  # True + True is True
        if alpha is not True and alpha != 1:
            low.fail(f"torch.{name} of conditions with alpha={alpha}", "numbers")
        return low.map(lambda e, f: low.x.call("or", e, f), a, b, to=torch.bool)
    op = "add" if name == "add" else "sub"

    def element(e, f):
        f = f if alpha == 1 else low.x.call("mul", low.value(alpha).scalar, f)
        return low.x.call(op, e, f)

    return low.arithmetic(element, a, b)


@handles("mul")
def mul(low, a, b):
    op = {torch.bool: "and", torch.int32: "imul"}.get(low.dtype, "mul")
    return low.arithmetic(lambda e, f: low.x.call(op, e, f), a, b)


@handles("div", "floor_divide")
def div(low, a, b, *, rounding_mode=None):
    if operation(low.node) == "floor_divide":
        rounding_mode = "floor"

    def element(e, f):
        q = low.x.call("div", e, f)
        return low.x.call(rounding_mode, q) if rounding_mode else q

    return low.arithmetic(element, a, b)


@handles("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not")
def bitwise(low, a, b=None):
    name = operation(low.node)
    if low.dtype != torch.bool:
        low.fail(f"torch.{name} of whole numbers", "conditions (tensors of True and False)")
    op = {"bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "ne", "bitwise_not": "not"}[name]
    return _one(op)(low, a) if b is None else _logical(op)(low, a, b)


@handles("relu")
def relu(low, a):
    biased = matrix_and_bias(low, a)
    if biased:
        return large(low, "relu", biased, a.shape)
    return low.arithmetic(lambda e: low.x.call("max", e, low.x.num(0)), a)


@handles("threshold_backward")
def threshold_backward(low, gradient, a, threshold):
    """The gradient where `a` is above the threshold, 0 elsewhere."""
    x, t = low.x, low.tensors
    if threshold == 0 and is_trained(low, gradient) and gradient.shape == a.shape:
        return large(low, "gate", [t.stored(v).array for v in (gradient, a)], a.shape)
    limit = x.num(threshold)
    return low.map(lambda g, e: x.call("where", x.call("le", e, limit), x.num(0), g), gradient, a)


def is_trained(low, a) -> bool:
    """Is `a` a matrix of a training? Then there are routines for it: see `large`."""
    of_this_kind = a.dtype == torch.float32 and len(a.shape) == 2 and all(map(is_long, a.shape))
    return low.program.often and of_this_kind


def matrix_and_bias(low, a):
    """The arrays of a stored matrix and of a row for each of its rows, if `a` is their sum."""
    t, e = low.tensors, a.elements.flat[0] if is_trained(low, a) else None
    if e is None or e.op != "add" or any(part.op != "load" for part in e.args):
        return None
    axes = t.axes(a.shape)
    wanted = [t.flat(a.shape, axes), axes[-1]]
    arrays = [part.args[0] for part in e.args]
    return arrays if [part.args[1] for part in e.args] == wanted else None


def large(low, routine, arrays, shape):
    """A call of the runtime, which has a fast form of what a page would do number by number."""
    made = low.program.array(low.node.name, low.tensors.count(shape))
    text = f"live.{routine}({', '.join([made.name, *arrays])});"
    low.program.call(text, set(arrays), {made.name}, low.x.line)
    return low.tensors.of_array(made.name, shape)


@handles("reciprocal")
def reciprocal(low, a):
    return low.arithmetic(lambda e: low.x.call("div", low.x.num(1), e), a)


@handles("rsqrt")
def rsqrt(low, a):
    one = low.x.num(1)
    return low.arithmetic(lambda e: low.x.call("div", one, low.x.call("sqrt", e)), a)


@handles("square")
def square(low, a):
    return low.arithmetic(lambda e: low.x.call("mul", e, e), a)


@handles("softplus")
def softplus(low, a, beta=1, threshold=20):
    x, beta_e = low.x, low.x.num(beta)

    def element(e):
        scaled = x.call("mul", e, beta_e)
        smooth = x.call("div", x.call("softplus", scaled), beta_e)
        if threshold == 20 and beta == 1:  # there the difference is below 1e-8
            return smooth
        return x.call("where", x.call("gt", scaled, x.num(threshold)), e, smooth)

    return low.arithmetic(element, a)


@handles("pow")
def pow_(low, a, b):
    x = low.x

    def element(e, f):
        k = f.args[0] if f.op == "num" else None
        if k in (1, 2, 3, 4):
            square = x.call("mul", e, e)
            more = {3: e, 4: square}
            return e if k == 1 else square if k == 2 else x.call("mul", square, more[k])
        if k == 0.5:
            return x.call("sqrt", e)
        if k in (-1, -2):
            return x.call("div", x.num(1), e if k == -1 else x.call("mul", e, e))
        # Math.pow(1, NaN) is NaN, torch's is 1
        return x.call("pow" if k is not None and math.isfinite(k) else "power", e, f)

    return low.arithmetic(element, a, b)


@handles("where")
def where(low, condition, a, b):
    condition = low.cast(condition, torch.bool)
    a, b = (low.cast(v, low.dtype) for v in (a, b))
    return low.map(lambda c, e, f: low.x.call("where", c, e, f), condition, a, b)


@handles("clamp")
def clamp(low, a, min=None, max=None):
    inputs = [a, *(v for v in (min, max) if v is not None)]

    def element(e, *ends):
        ends = list(ends)
        if min is not None:
            e = low.x.call("max", e, ends.pop(0))
        return low.x.call("min", e, ends.pop(0)) if ends else e

    return low.arithmetic(element, *inputs)


handles("clamp_min")(_two("max"))
handles("clamp_max")(_two("min"))


@handles("isnan")
def isnan(low, a):
    return low.map(lambda e: low.x.call("ne", e, e), a)


@handles("isinf")
def isinf(low, a):
    inf = low.x.num(math.inf)
    return low.map(lambda e: low.x.call("eq", low.x.call("abs", e), inf), a)


@handles("_to_copy", "to", "_to_dtype", "convert_element_type")
def to_copy(low, a):
    return low.cast(a, low.dtype)


@handles("to.dtype", "convert_element_type.default")
def to_dtype(low, a, dtype, copy=False):
    return low.cast(a, low.dtype)


@handles("clone", "detach", "alias", "lift_fresh_copy", "contiguous", "lift_fresh")
def same(low, a):
    return a


@handles("copy")
def copy(low, a, b):
    """The form and dtype of a, the numbers of b."""
    return low.tensors.expanded(low.cast(b, low.dtype), low.shape)


def filled(low, fill) -> Value:
    """A tensor that holds one number everywhere."""
    return low.tensors.expanded(low.cast(fill, low.dtype), low.shape)


@handles("full", "full_like")
def full(low, shape, fill):
    return filled(low, fill)


@handles("new_full")
def new_full(low, a, shape, fill):
    return filled(low, fill)


@handles("scalar_tensor")
def scalar_tensor(low, fill):
    return filled(low, fill)


@handles("fill")
def fill(low, a, fill):
    return filled(low, fill)


@handles("ones", "ones_like", "new_ones")
def ones(low, *shape):
    return filled(low, 1)


@handles("zeros", "zeros_like", "new_zeros", "empty", "empty_like", "new_empty")
def zeros(low, *shape):
    return filled(low, 0)


@handles("empty_strided", "new_empty_strided", "empty_permuted")
def empty_strided(low, *shape):
    return filled(low, 0)


@handles("arange")
def arange(low, end):
    return steps(low, 0, 1)


@handles("arange.start", "arange.start_step")
def arange_start(low, start, end, step=1):
    return steps(low, start, step)


@handles("iota")
def iota(low, length, *, start, step):
    return steps(low, start, step)


def steps(low, start, step) -> Value:
    """start, start + step, ..."""
    x = low.x

    def element(index):
        i = x.num(index[0]) if isinstance(index[0], int) else index[0]
        if isinstance(start, int) and isinstance(step, int):
            return x.plus(start, x.times(step, i))
        step_e, start_e = low.value(step).scalar, low.value(start).scalar
        return x.call("add", start_e, x.call("mul", i, step_e))

    whole = is_whole(low.dtype)
    if whole and not (isinstance(start, (int, Expr)) and isinstance(step, (int, Expr))):
        low.fail("whole numbers in steps that are none", "torch.arange of numbers with a point")
    return low.tensors.make(low.shape, element, low.dtype)
