"""Sums, maxima, norms and running sums."""

import math

from .lower import handles
from .tensors import Value, is_long

START = {"add": 0, "mul": 1, "max": -math.inf, "min": math.inf}


def dims_of(a, dims):
    n = len(a.shape)
    if dims is None or dims == []:
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
            return total

        a = t.make(shape, element, a.kind)
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
    from itertools import product

    return product(*(range(s) for s in sizes))


def _loop(low, a, long, combine):
    """A loop nest that keeps the other long dimensions and runs through `long`."""
    t, x = low.tensors, low.x
    shape = tuple(1 if d in long else s for d, s in enumerate(a.shape))
    axes = t.axes(a.shape)
    of_dim = dict(zip([d for d, s in enumerate(a.shape) if is_long(s)], axes, strict=True))
    kept = [axis for d, axis in of_dim.items() if d not in long]
    gone = [of_dim[d] for d in long]
    stores = {}
    count = t.count(shape)
    single = shape == (1,) * len(shape)
    array = low.program.array(low.node.name, None if single else count, "Float32Array",
                              line=x.line)  # fmt: skip
    for position, index in t.places(a.shape):
        to = [0 if d in long else i for d, i in enumerate(index)]
        index_e = None if single else x.plus(t.flat(shape, to))
        stores[(array.name, index_e)] = a.elements[position]
    low.program.reduce([*kept, *gone], len(gone), combine, x.num(START[combine]), stores)
    if single:
        return t.make(shape, lambda i: x.load(array.name, None), a.kind)
    return t.of_array(array.name, shape, a.kind)


def counted(low, a, dims):
    """Number of elements along dims, as an expression."""
    return low.value(low.x.times(*(a.shape[d] for d in dims_of(a, dims)), 1)).scalar


@handles("sum", "prod", "amax", "amin", "any", "all", "max", "min")
def total(low, a, dims=None, keep=False, **_):
    name = low.node.target.__name__.split(".")[0]
    op = {"sum": "add", "prod": "mul", "amax": "max", "amin": "min", "any": "max", "all": "min",
          "max": "max", "min": "min"}[name]  # fmt: skip
    if name in ("max", "min") and dims is not None:
        low.fail(f"torch.{name}(x, dim), which also returns places", f"torch.a{name}(x, dim)")
    if a.kind == "Uint8Array":
        grid = a.elements.copy()
        for k in range(grid.size):
            grid.flat[k] = low.x.call("number", grid.flat[k])
        a = Value(a.shape, grid)
    value = reduce(low, a, dims, keep, op)
    value.kind = low.kind
    return value


@handles("mean")
def mean(low, a, dims=None, keep=False, **_):
    value, n = reduce(low, a, dims, keep, "add"), counted(low, a, dims)
    return low.map(lambda e: low.x.call("div", e, n), value)


@handles("var", "var_mean", "std")
def var(low, a, dims=None, correction=1, keepdim=False, **_):
    t, x = low.tensors, low.x
    name = low.node.target.__name__.split(".")[0]
    correction = 1 if correction is None else correction
    if any(is_long(s) for s in a.shape):
        a = t.stored(a)
    n = counted(low, a, dims)
    center = reduce(low, a, dims, True, "add")
    mean_full = t.expanded(t.make(center.shape, lambda i: x.call("div", t.read(center, i), n)),
                           a.shape)  # fmt: skip

    def off(i):
        difference = x.call("sub", t.read(a, i), t.read(mean_full, i))
        return x.call("mul", difference, difference)

    squares = reduce(low, t.make(a.shape, off), dims, keepdim, "add")
    below = x.call("sub", n, x.num(correction)) if correction else n

    def element(i):
        v = x.call("div", t.read(squares, i), below)
        return x.call("sqrt", v) if name == "std" else v

    return t.make(squares.shape, element)


@handles("linalg_vector_norm", "norm")
def norm(low, a, order=2, dims=None, keep=False, **_):
    x = low.x
    grid = a.elements.copy()
    for k in range(grid.size):
        e = grid.flat[k]
        grid.flat[k] = x.call("mul", e, e) if order == 2 else x.call("abs", e)
    if order not in (1, 2, math.inf):
        low.fail(f"the norm of order {order}", "order 1, 2 or inf")
    value = reduce(low, Value(a.shape, grid), dims, keep, "max" if order == math.inf else "add")
    return low.map(lambda e: x.call("sqrt", e), value) if order == 2 else value


@handles("argmax", "argmin")
def argmax(low, a, d=None, keep=False):
    t, x = low.tensors, low.x
    d = (0 if d is None else d) % len(a.shape)
    better = "gt" if "argmax" in low.node.target.__name__ else "lt"
    if is_long(a.shape[d]):
        return _argmax_long(low, a, d, keep, better)

    def element(i):
        at = list(i) if keep else [*i[:d], 0, *i[d:]]
        best, place = t.read(a, [*at[:d], 0, *at[d + 1 :]]), x.num(0)
        for k in range(1, a.shape[d]):
            e = t.read(a, [*at[:d], k, *at[d + 1 :]])
            wins = x.call(better, e, best)
            best, place = x.call("where", wins, e, best), x.call("where", wins, x.num(k), place)
        return place

    return t.make(low.shape, element, "Int32Array")


def _argmax_long(low, a, d, keep, better):
    t = low.tensors
    a = t.stored(a)
    before, after = t.count(a.shape[:d]), t.count(a.shape[d + 1 :])
    array = low.program.array(low.node.name, low.x.times(before, after), "Int32Array")
    sizes = ", ".join(low.code(v) for v in (before, a.shape[d], after))
    sign = 1 if better == "gt" else -1
    low.program.call(f"live.argmax({array.name}, {a.array}, {sizes}, {sign});", {a.array},
                     {array.name}, low.x.line)  # fmt: skip
    return t.of_array(array.name, low.shape, "Int32Array")


@handles("cumsum")
def cumsum(low, a, d, **_):
    t, x = low.tensors, low.x
    d = d % len(a.shape)
    if not is_long(a.shape[d]):

        def element(i):
            total = None
            for k in range(i[d] + 1):
                e = t.read(a, [*i[:d], k, *i[d + 1 :]])
                total = e if total is None else x.call("add", total, e)
            return total

        return t.make(low.shape, element, low.kind)
    a = t.stored(a)
    array = low.program.array(low.node.name, t.count(a.shape), low.kind)
    sizes = (t.count(a.shape[:d]), a.shape[d], t.count(a.shape[d + 1 :]))
    low.program.call(
        f"live.cumsum({array.name}, {a.array}, {', '.join(low.code(s) for s in sizes)});",
        {a.array}, {array.name}, x.line,
    )  # fmt: skip
    return t.of_array(array.name, low.shape, low.kind)
