"""Sums, maxima, norms and running sums."""

import math
from itertools import product

import torch

from .dtypes import kind_of
from .grid import Grid
from .lower import handles
from .ops_elementwise import is_trained, large
from .tensors import Value, is_long
from .trace import operation

START = {"add": 0, "mul": 1, "max": -math.inf, "min": math.inf}


def dims_of(a, dims):
    n = len(a.shape)
    if dims is None or dims == [] or n == 0:
        return list(range(n))
    return sorted(d % n for d in ([dims] if isinstance(dims, int) else dims))


def reduce(low, a, dims, keep, combine) -> Value:
    """Combine the elements along `dims`: small dimensions are written out, long ones loop."""
    t, x = low.tensors, low.x
    dims = dims_of(a, dims)
    # 1. the small dimensions, element by element
    small = [d for d in dims if not is_long(a.shape[d])]
    if small:
        shape = tuple(1 if d in small else s for d, s in enumerate(a.shape))
        reader = a

        def element(index):
            total = None
            for k in _positions([a.shape[d] for d in small]):
                at = list(index)
                for d, i in zip(small, k, strict=True):
                    at[d] = i
                e = t.read(reader, at)
                total = e if total is None else x.call(combine, total, e)
            return x.num(START[combine]) if total is None else total

        a = t.make(shape, element, a.dtype)
    long = [d for d in dims if is_long(a.shape[d])]
    if long:
        a = _loop(low, a, long, combine)
    if keep:
        return a
    shape = tuple(s for d, s in enumerate(a.shape) if d not in dims)

    def source(index):
        rest = iter(index)
        return [0 if d in dims else next(rest) for d in range(len(a.shape))]

    return t.view(a, shape, source)


def _positions(sizes):
    return product(*(range(s) for s in sizes))


def _loop(low, a, long, combine):
    """A loop nest that keeps the other long dimensions and runs through `long`."""
    t, x = low.tensors, low.x
    shape = tuple(1 if d in long else s for d, s in enumerate(a.shape))
    axes = t.axes(a.shape)
    of_dim = dict(zip([d for d, s in enumerate(a.shape) if is_long(s)], axes, strict=True))
    kept = [axis for d, axis in of_dim.items() if d not in long]
    gone = [of_dim[d] for d in long]
    start = START[combine] if a.dtype != torch.bool else int(combine == "min")
    stores = {}
    count = t.count(shape)
    single = shape == (1,) * len(shape)
    array = low.program.array(low.node.name, None if single else count, kind_of(a.dtype),
                              line=x.line)  # fmt: skip
    for position, index in t.places(a.shape):
        to = [0 if d in long else i for d, i in enumerate(index)]
        index_e = None if single else x.plus(t.flat(shape, to))
        stores[(array.name, index_e)] = a.elements[position]
    low.program.reduce([*kept, *gone], len(gone), combine, x.num(start), stores)
    if single:
        return t.make(shape, lambda i: x.load(array.name, None), a.dtype)
    return t.of_array(array.name, shape, a.dtype)


def counted(low, a, dims):
    """Number of elements along dims, as an expression."""
    return low.value(low.x.times(*(a.shape[d] for d in dims_of(a, dims)), 1)).scalar


def narrowed(low, value) -> Value:
    """A reduction's value in the dtype of the result; whole numbers wrap."""
    return low.map(lambda e: low.wrap(e, low.dtype), value, to=low.dtype)


@handles("sum", "prod")
def total(low, a, dim=None, keepdim=False, *, dtype=None):
    a = low.cast(a, dtype or low.dtype)
    op = "add" if operation(low.node) == "sum" else "mul"
    if op == "add" and a.array and is_trained(low, a) and dims_of(a, dim) == [0]:
        shape = (1, a.shape[1]) if keepdim else a.shape[1:]
        return large(low, "columns", [a.array], shape)
    return narrowed(low, reduce(low, a, dim, keepdim, op))


# torch.prod(x, dtype=...) has its dtype where others have the dimension
@handles("prod.default")
def prod(low, a, *, dtype=None):
    return narrowed(low, reduce(low, low.cast(a, dtype or low.dtype), None, False, "mul"))


def numbers_of(low, a) -> Value:
    """True and False as 1 and 0 (the dtype stays), so that max and min take them."""
    if a.dtype != torch.bool:
        return a
    made = low.cast(a, torch.int64)
    return Value(made.shape, made.elements, torch.bool)


@handles("amax", "amin", "max.default", "min.default")
def extreme(low, a, dim=None, keepdim=False):
    op = "max" if operation(low.node) in ("amax", "max") else "min"
    return reduce(low, numbers_of(low, a), dim, keepdim, op)


@handles("any", "all")
def any_all(low, a, dim=None, keepdim=False):
    """Of numbers: is it not 0?"""
    op = "max" if operation(low.node) == "any" else "min"
    a = numbers_of(low, low.cast(a, torch.bool))
    if any(s == 0 for s in a.shape):  # any of nothing is False, all of nothing is True
        return low.tensors.expanded(low.cast(op == "min", low.dtype), low.shape)
    return low.cast(reduce(low, a, dim, keepdim, op), low.dtype)


@handles("max.dim", "min.dim")
def extreme_with_places(low, a, dim, keepdim=False):
    name = "gt" if operation(low.node) == "max" else "lt"
    shape = tuple(low.size(s) for s in low.node.meta["val"][0].shape)
    return picked(low, a, dim, keepdim, places(low, numbers_of(low, a), dim, keepdim, name, shape))


def picked(low, a, d, keep, where):
    """[the elements of `a` at the places `where` along d, the places]."""
    t = low.tensors
    if not a.shape:
        return [a, where]
    d = d % len(a.shape)
    if a.cost > 6 and any(is_long(s) for s in a.shape):
        a = t.stored(a)
    where = t.stored(where) if where.cost > 6 and any(map(is_long, where.shape)) else where

    def element(i):
        at = list(i) if keep else [*i[:d], 0, *i[d:]]
        return t.read(a, [*at[:d], t.read(where, i), *at[d + 1 :]])

    return [t.make(where.shape, element, a.dtype), where]


@handles("mean")
def mean(low, a, dim=None, keepdim=False, *, dtype=None):
    a = low.cast(a, dtype or low.dtype)
    value, n = reduce(low, a, dim, keepdim, "add"), counted(low, a, dim)
    return low.map(lambda e: low.x.call("div", e, n), value)


@handles("var", "var_mean", "std", "std_mean")
def var(low, a, dim=None, *, correction=1, keepdim=False):
    t, x = low.tensors, low.x
    name = operation(low.node)
    correction = 1 if correction is None else correction
    if any(is_long(s) for s in a.shape):
        a = t.stored(a)
    n = counted(low, a, dim)
    sums = reduce(low, a, dim, True, "add")
    center = t.make(sums.shape, lambda i: x.call("div", t.read(sums, i), n), a.dtype)
    mean_full = t.expanded(center, a.shape)

    def off(i):
        difference = x.call("sub", t.read(a, i), t.read(mean_full, i))
        return x.call("mul", difference, difference)

    squares = reduce(low, t.make(a.shape, off, a.dtype), dim, keepdim, "add")
    below = x.call("max", x.call("sub", n, x.num(correction)), x.num(0)) if correction else n

    def element(i):
        v = x.call("div", t.read(squares, i), below)
        return x.call("sqrt", v) if name.startswith("std") else v

    value = t.make(squares.shape, element, a.dtype)
    if not name.endswith("mean"):
        return value
    gone = [] if keepdim else dims_of(a, dim)
    left = [d for d in range(len(a.shape)) if d not in gone]

    def source(index):
        rest = dict(zip(left, index, strict=True))
        return [rest.get(d, 0) for d in range(len(a.shape))]

    return [value, t.view(center, squares.shape, source)]


@handles("linalg_vector_norm")
def norm(low, a, order=2, dim=None, keepdim=False, *, dtype=None):
    x, a = low.x, low.cast(a, low.dtype)
    if order not in (0, 1, 2, math.inf, -math.inf):
        low.fail(f"the norm of order {order}", "order 0, 1, 2, inf or -inf")
    grid = a.elements.map(
        lambda e: x.call("mul", e, e) if order == 2 else x.call("abs", e) if order
        else x.call("number", x.call("ne", e, x.num(0)))
    )  # fmt: skip
    op = {math.inf: "max", -math.inf: "min"}.get(order, "add")
    value = reduce(low, Value(a.shape, grid, a.dtype), dim, keepdim, op)
    return low.map(lambda e: x.call("sqrt", e), value) if order == 2 else value


@handles("argmax", "argmin")
def argmax(low, a, dim=None, keepdim=False):
    t, better = low.tensors, "gt" if operation(low.node) == "argmax" else "lt"
    if dim is None and len(a.shape) > 1:  # (one dimension is a line already)
        a = t.of_array(t.stored(a).array, (t.count(a.shape),), a.dtype)
        size = a.shape[0]
        a.shape = (size.args[0] if size.op == "num" else size,)
        if not is_long(a.shape[0]):
            a = t.of_array(a.array, a.shape, a.dtype)
        found = places(low, a, 0, False, better, ())
        return t.expanded(found, low.shape)
    return places(low, numbers_of(low, a), dim or 0, keepdim, better, low.shape)


def places(low, a, d, keep, better, shape) -> Value:
    """Where along d the largest ("gt") or smallest ("lt") element is; a NaN is above all."""
    t, x = low.tensors, low.x
    if not a.shape:
        return low.cast(0, torch.int64)
    d = d % len(a.shape)
    if is_long(a.shape[d]):
        a = t.stored(a)
        before, after = t.count(a.shape[:d]), t.count(a.shape[d + 1 :])
        count = low.x.times(before, after)
        array = low.program.array("place", count, "Float64Array", line=x.line)
        sizes = ", ".join(low.code(v) for v in (before, a.shape[d], after))
        sign = 1 if better == "gt" else -1
        low.program.call(f"live.argmax({array.name}, {a.array}, {sizes}, {sign});", {a.array},
                         {array.name}, low.x.line)  # fmt: skip
        return t.of_array(array.name, shape, torch.int64)

    def element(i):
        at = list(i) if keep else [*i[:d], 0, *i[d:]]
        best, place = t.read(a, [*at[:d], 0, *at[d + 1 :]]), x.num(0)
        for k in range(1, a.shape[d]):
            e = t.read(a, [*at[:d], k, *at[d + 1 :]])
            wins = x.call(better, e, best)
            if a.dtype.is_floating_point:  # e is the first NaN, or it is larger than a number
                wins = x.call("and", x.call("eq", best, best),
                              x.call("or", wins, x.call("ne", e, e)))  # fmt: skip
            best, place = x.call("where", wins, e, best), x.call("where", wins, x.num(k), place)
        return place

    return t.make(shape, element, torch.int64)


def along(low, a, d, routine, dtypes, length=None, extra=""):
    """One call of a routine of the runtime along dimension d; its arrays as values."""
    t, x = low.tensors, low.x
    d = d % len(a.shape)
    a = t.stored(a)
    shape = (*a.shape[:d], a.shape[d] if length is None else length, *a.shape[d + 1 :])
    arrays = [low.program.array(low.node.name, t.count(shape), kind_of(dtype), line=x.line)
              for dtype in dtypes]  # fmt: skip
    sizes = ", ".join(low.code(s) for s in (t.count(a.shape[:d]), a.shape[d],
                                            t.count(a.shape[d + 1 :])))  # fmt: skip
    names = ", ".join(array.name for array in arrays)
    low.program.call(f"live.{routine}({names}, {a.array}, {sizes}{extra});", {a.array},
                     {array.name for array in arrays}, x.line)  # fmt: skip
    return [t.of_array(array.name, shape, dtype)
            for array, dtype in zip(arrays, dtypes, strict=True)]  # fmt: skip


@handles("cumsum", "cumprod", "logcumsumexp")
def cumulative(low, a, dim, *, dtype=None):
    a = low.cast(a, dtype or low.dtype)
    if not a.shape:
        return a
    t, x, d = low.tensors, low.x, dim % len(a.shape)
    name = operation(low.node)
    op = {"cumsum": "add", "cumprod": "mul", "logcumsumexp": "logaddexp"}[name]
    if is_long(a.shape[d]):
        (value,) = along(low, a, d, name, [low.dtype])
        return value

    def element(i):
        total = None
        for k in range(i[d] + 1):
            e = t.read(a, [*i[:d], k, *i[d + 1 :]])
            total = e if total is None else x.call(op, total, e)
        return low.wrap(total, low.dtype)

    return t.make(low.shape, element, low.dtype)


@handles("cummax", "cummin")
def cumulative_extreme(low, a, dim):
    if not a.shape:
        return [a, low.cast(0, torch.int64)]
    sign = 1 if operation(low.node) == "cummax" else -1
    return along(low, a, dim, "cummax", [a.dtype, torch.int64], extra=f", {sign}")


def sorted_along(low, a, d, descending=False):
    """[sorted values, their places]; equal ones keep their order, NaN is above all."""
    if not a.shape:
        return [a, low.cast(0, torch.int64)]
    return along(low, a, d, "sort", [a.dtype, torch.int64],
                 extra=f", {'true' if descending else 'false'}")  # fmt: skip


@handles("sort.default")
def sort(low, a, dim=-1, descending=False):
    return sorted_along(low, a, dim, descending)


@handles("sort.stable")
def sort_stable(low, a, *, stable=True, dim=-1, descending=False):
    return sorted_along(low, a, dim, descending)


@handles("argsort.default")
def argsort(low, a, dim=-1, descending=False):
    return sorted_along(low, a, dim, descending)[1]


@handles("argsort.stable")
def argsort_stable(low, a, *, stable=True, dim=-1, descending=False):
    return sorted_along(low, a, dim, descending)[1]


@handles("topk")
def topk(low, a, k, dim=-1, largest=True, sorted=True):
    """The first k of all, sorted (which `sorted=False` allows)."""
    if not a.shape:
        return sorted_along(low, a, dim)
    d = dim % len(a.shape)
    shape = tuple(low.size(s) for s in low.node.meta["val"][0].shape)
    assert sorted in (True, False)
    return [low.tensors.view(v, shape, list) for v in sorted_along(low, a, d, largest)]


def ranked(low, a, d, keep, rank):
    """[value, place] of the element of a rank along d."""
    if not a.shape:
        return sorted_along(low, a, d)
    d = d % len(a.shape)
    shape = tuple(low.size(s) for s in low.node.meta["val"][0].shape)

    def source(i):
        return [*i[:d], rank, *i[d + 1 :]] if keep else [*i[:d], rank, *i[d:]]

    return [low.tensors.view(v, shape, source) for v in sorted_along(low, a, d)]


@handles("kthvalue")
def kthvalue(low, a, k, dim=-1, keepdim=False):
    return ranked(low, a, dim, keepdim, k - 1)


def middle_of(low, n):
    """The lower middle of n sorted numbers, and the last, where a NaN stands."""
    if isinstance(n, int):
        return (n - 1) // 2, n - 1
    x = low.x
    last = x.plus(n, -1)
    return x.call("floor", x.call("div", last, x.num(2))), last


@handles("median.default")
def median(low, a):
    t, x = low.tensors, low.x
    if not a.shape:
        return a
    count = t.count(a.shape)
    count = count.args[0] if count.op == "num" else count
    flat = t.of_array(t.stored(a).array, (count,), a.dtype)
    ordered, _ = sorted_along(low, flat, 0)
    one, end = (t.read(ordered, [k]) for k in middle_of(low, count))
    return low.map(lambda e, f: x.call("where", x.call("ne", f, f), f, e),
                   Value((), Grid((), [one]), a.dtype),
                   Value((), Grid((), [end]), a.dtype))  # fmt: skip


@handles("median.dim")
def median_dim(low, a, dim, keepdim=False):
    if not a.shape:
        return sorted_along(low, a, dim)
    middle, last = middle_of(low, a.shape[dim % len(a.shape)])
    x = low.x
    value, place = ranked(low, a, dim, keepdim, middle)
    end, end_place = ranked(low, a, dim, keepdim, last)
    t = low.tensors

    def chosen(i, one, other):
        e = t.read(end, i)
        return x.call("where", x.call("ne", e, e), t.read(other, i), t.read(one, i))

    return [t.make(v.shape, lambda i, v=v, w=w: chosen(i, v, w), v.dtype)
            for v, w in ((value, end), (place, end_place))]  # fmt: skip


@handles("searchsorted.Tensor")
def searchsorted(low, knots, a, *, out_int32=False, right=False, side=None):
    return searched(low, knots, a, right or side == "right")


@handles("bucketize.Tensor")
def bucketize(low, a, knots, *, out_int32=False, right=False):
    return searched(low, knots, a, right)


def searched(low, knots, a, right) -> Value:
    """How many knots are below each number (or equal to it, if `right`)."""
    t, x = low.tensors, low.x
    knots, a = t.stored(knots), t.stored(a)
    array = low.program.array(low.node.name, t.count(a.shape), low.kind, line=x.line)
    count = knots.shape[-1]
    rows = 1 if len(knots.shape) == 1 else t.count(knots.shape[:-1])
    low.program.call(
        f"live.search({array.name}, {knots.array}, {a.array}, {low.code(rows)}, "
        f"{low.code(count)}, {'true' if right else 'false'});",
        {knots.array, a.array}, {array.name}, x.line,
    )  # fmt: skip
    return t.of_array(array.name, low.shape, low.dtype)
