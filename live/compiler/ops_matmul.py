"""Matrix products."""

import torch

from .dtypes import kind_of
from .expr import Expr
from .lower import handles
from .ops_reduce import reduce
from .tensors import Value, is_long


def as_matrix(low, a, shape, source):
    return low.tensors.view(a, shape, source)


@handles("mm")
def mm(low, a, b):
    return product(low, a, b)


@handles("addmm")
def addmm(low, bias, a, b, *, beta=1, alpha=1):
    return weighted(low, bias, product(low, a, b), beta, alpha)


@handles("mv")
def mv(low, a, b):
    n = b.shape[0]
    column = as_matrix(low, b, (n, 1), lambda i: [i[0]])
    out = product(low, a, column)
    return as_matrix(low, out, (a.shape[0],), lambda i: [i[0], 0])


@handles("addmv")
def addmv(low, bias, a, b, *, beta=1, alpha=1):
    return weighted(low, bias, mv(low, a, b), beta, alpha)


@handles("baddbmm")
def baddbmm(low, bias, a, b, *, beta=1, alpha=1):
    return weighted(low, bias, product(low, a, b), beta, alpha)


@handles("dot", "vdot")
def dot(low, a, b):
    n = a.shape[0]
    row = as_matrix(low, a, (1, n), lambda i: [i[1]])
    column = as_matrix(low, b, (n, 1), lambda i: [i[0]])
    return as_matrix(low, product(low, row, column), (), lambda i: [0, 0])


@handles("bmm")
def bmm(low, a, b):
    return product(low, a, b)


@handles("linear")
def linear(low, a, weight, bias=None):
    turned = as_matrix(low, weight, (weight.shape[1], weight.shape[0]), lambda i: [i[1], i[0]])
    out = product(low, a, turned)
    return out if bias is None else plus(low, out, bias)


def plus(low, a, bias):
    return low.arithmetic(lambda e, f: low.x.call("add", e, f), a, bias)


def weighted(low, bias, a, beta, alpha):
    """beta * bias + alpha * a; with beta = 0 the bias is not looked at (it may be NaN)."""
    x = low.x

    def times(k, e):
        return e if k == 1 else x.call("mul", e, low.value(k).scalar)

    if beta == 0:
        return low.arithmetic(lambda e: times(alpha, e), a)
    return low.arithmetic(lambda e, f: x.call("add", times(alpha, e), times(beta, f)), a, bias)


def product(low, a, b) -> Value:
    """a (..., M, K) @ b (..., K, N).

    Short sums are written out and fuse with what surrounds them; a small product is a loop with
    one sum for each entry; the rest goes to the runtime's matrix product.
    """
    t, x = low.tensors, low.x
    *batch, m, k = a.shape
    n = b.shape[-1]
    single = a.dtype == torch.float32  # the routines of the runtime
    trained = low.program.often and single and not batch
    if not is_long(k) and not (trained and is_long(m) and is_long(n)):
        # Costly entries would be computed again for every element of the result.
        a = t.stored(a) if is_long(n) and a.cost > 30 and any(map(is_long, a.shape)) else a
        b = t.stored(b) if is_long(m) and b.cost > 6 and any(map(is_long, b.shape)) else b

        def element(i):
            total = None
            for q in range(k):
                e = x.call("mul", t.read(a, [*i[:-1], q]), t.read(b, [*i[:-2], q, i[-1]]))
                total = e if total is None else x.call("add", total, e)
            return x.num(0) if total is None else low.wrap(total, a.dtype)

        return t.make((*batch, m, n), element, a.dtype)
    a, b = (t.stored(v) if v.cost > 6 else v for v in (a, b))
    if batch and single and is_long(m) and is_long(n):
        return call_matmuls(low, a, b, batch, m, k, n)
    narrow = min(map(extent, (m, n))) < 2 and not trained
    if not single or batch or narrow or not is_large(m, k, n):
        # (..., M, N, K) summed over K, with one loop
        both = t.make(
            (*batch, m, n, k),
            lambda i: x.call(
                "mul", t.read(a, [*i[:-2], i[-1]]), t.read(b, [*i[:-3], i[-1], i[-2]])
            ),
            a.dtype,
        )
        return reduce(low, both, [-1], False, "add")
    return call_matmul(low, a, b, m, k, n)


def extent(size) -> int:
    """A size; a thousand where it is known only at run time."""
    return 1000 if isinstance(size, Expr) else size


def is_large(m, k, n) -> bool:
    """Is the product worth a call of the runtime?"""
    both_long = is_long(m) and is_long(n)
    return both_long or extent(m) * extent(k) * extent(n) >= 16_000


def strides(low, v):
    """(array, offset, row stride, column stride) of a matrix, copied if it has no such form."""
    t = low.tensors
    for candidate in (v, t.stored(v, force=True)):
        form = linear_form(low, candidate)
        if form:
            return form


def linear_form(low, v):
    """The strides if element (i, j) is at offset + i * a + j * b of one array, else None."""
    t, x = low.tensors, low.x
    ends = [min(1, extent(size) - 1) for size in v.shape]  # (of one row or column: 0)
    spots = {index: t.read(v, index) for index in ((0, 0), (ends[0], 0), (0, ends[1]))}
    if any(e.op != "load" or e.args[1] is None for e in spots.values()):
        return None
    array, offset = spots[0, 0].args
    back = x.times(offset, -1)
    steps = [x.plus(spots[i].args[1], back) for i in ((ends[0], 0), (0, ends[1]))]
    for position, index in t.places(v.shape):
        moves = [x.times(i, step) for i, step in zip(index, steps, strict=True)]
        if v.elements[position] is not x.load(array, x.plus(offset, *moves)):
            return None
    return array, offset, *steps


def call_matmul(low, a, b, m, k, n):
    t = low.tensors
    array = low.program.array(low.node.name, low.x.times(m, n))
    a_name, *a_form = strides(low, a)
    b_name, *b_form = strides(low, b)
    numbers = ", ".join(low.code(v) for v in (m, k, n))
    a_text = ", ".join(low.code(v) for v in a_form)
    b_text = ", ".join(low.code(v) for v in b_form)
    low.program.call(
        f"live.matmul({array.name}, {numbers}, {a_name}, {a_text}, {b_name}, {b_text});",
        {a_name, b_name, *(n for v in (*a_form, *b_form) for n in v.loads)},
        {array.name}, low.x.line,
    )  # fmt: skip
    return t.of_array(array.name, (m, n))


def call_matmuls(low, a, b, batch, m, k, n):
    """One product after the other."""
    t = low.tensors
    a, b = t.stored(a), t.stored(b)
    array = low.program.array(low.node.name, low.x.times(*batch, m, n), kind_of(a.dtype))
    numbers = ", ".join(low.code(v) for v in (low.x.times(*batch), m, k, n))
    low.program.call(f"live.matmuls({array.name}, {numbers}, {a.array}, {b.array});",
                     {a.array, b.array}, {array.name}, low.x.line)  # fmt: skip
    return t.of_array(array.name, (*batch, m, n))


def code(value) -> str:
    """A size as text."""
    from .expr import text

    return text(value, {}) if isinstance(value, Expr) else str(value)
