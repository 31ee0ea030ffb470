"""Operations that only move elements: views, slices, joins, lookups."""

import torch

from .expr import Expr
from .grid import Grid
from .lower import handles
from .tensors import Value, is_long
from .trace import operation


def dimension(low, d, n):
    return d + n if d < 0 else d


@handles("unsqueeze")
def unsqueeze(low, a, d):
    d = dimension(low, d, len(low.shape))
    return low.tensors.view(a, low.shape, lambda i: [*i[:d], *i[d + 1 :]])


@handles("squeeze")
def squeeze(low, a, dims=None):
    n = len(a.shape)
    dims = range(n) if dims is None else [dims] if isinstance(dims, int) else dims
    gone = {d % n for d in dims if a.shape[d % n] == 1}

    def source(index):
        rest = iter(index)
        return [0 if d in gone else next(rest) for d in range(n)]

    return low.tensors.view(a, low.shape, source)


@handles("squeeze_", "unsqueeze_")
def in_place(low, a, *dims):
    """The tensor itself has another shape from here on."""
    made = (squeeze if operation(low.node) == "squeeze_" else unsqueeze)(low, a, *dims)
    low.values[low.node.args[0]] = made
    return made


@handles("expand", "broadcast_to")
def expand(low, a, shape):
    return low.tensors.expanded(a, low.shape)


@handles("permute", "t", "transpose")
def permute(low, a, *order):
    n = len(a.shape)
    name = operation(low.node)
    if name == "permute":
        to = [d % n for d in order[0]]
    else:
        to = list(range(n))
        one, two = (d % n for d in order) if name == "transpose" else (0, n - 1)
        to[one], to[two] = to[two], to[one]

    def source(index):
        moved = [0] * n
        for d, i in zip(to, index, strict=True):
            moved[d] = i
        return moved

    return low.tensors.view(a, low.shape, source)


def start_of(low, start, size):
    """First index of a slice; negative ones count from the end, none is beyond it."""
    if start is None:
        return 0
    if isinstance(start, int) and isinstance(size, int):
        return min(max(start + size if start < 0 else start, 0), size)
    if isinstance(start, int) and start < 0:
        return low.x.plus(size, start)  # torch has recorded that the size is large enough
    return start


def moved(low, i, start, step):
    """start + step * i, a whole number if both are."""
    if isinstance(i, int) and isinstance(start, int):
        return start + step * i
    return low.x.plus(start, low.x.times(step, i))


@handles("slice")
def slice_(low, a, d=0, start=None, end=None, step=1):
    """(torch has worked out the length from `end`.)"""
    d = d % len(a.shape)
    start = start_of(low, start, a.shape[d])
    if start == 0 and step == 1 and low.shape == a.shape:
        return a
    return low.tensors.view(
        a, low.shape, lambda i: [*i[:d], moved(low, i[d], start, step), *i[d + 1 :]]
    )


@handles("select")
def select(low, a, d, k):
    d = d % len(a.shape)
    k = start_of(low, k, a.shape[d])
    return low.tensors.view(a, low.shape, lambda i: [*i[:d], k, *i[d:]])


@handles("split", "split_with_sizes", "chunk", "unbind")
def split(low, a, sizes=0, dim=0):
    d = sizes if operation(low.node) == "unbind" else dim
    d, parts, start = d % len(a.shape), [], 0
    for piece in low.node.meta["val"]:
        shape = tuple(low.size(s) for s in piece.shape)
        if len(shape) < len(a.shape):  # unbind
            part = low.tensors.view(a, shape, lambda i, k=start: [*i[:d], k, *i[d:]])
            start += 1
        else:
            part = low.tensors.view(
                a, shape, lambda i, k=start: [*i[:d], moved(low, i[d], k, 1), *i[d + 1 :]]
            )
            start = low.x.plus(start, shape[d])
            start = start.args[0] if start.op == "num" else start
        parts.append(part)
    return parts


@handles("flip")
def flip(low, a, dims):
    dims = {d % len(a.shape) for d in dims}

    def source(index):
        return [
            moved(low, i, s - 1 if isinstance(s, int) else low.x.plus(s, -1), -1) if d in dims
            else i
            for d, (i, s) in enumerate(zip(index, a.shape, strict=True))
        ]  # fmt: skip

    return low.tensors.view(a, low.shape, source)


@handles("cat", "stack")
def cat(low, parts, dim=0):
    parts = [low.cast(p, low.dtype) for p in parts if p.shape != (0,)]
    shape, d = low.shape, dim % len(low.shape)
    if not parts:
        return low.tensors.make(shape, lambda i: low.x.num(0), low.dtype)
    if operation(low.node) == "stack":
        parts = [
            low.tensors.view(p, (*p.shape[:d], 1, *p.shape[d:]), lambda i: [*i[:d], *i[d + 1 :]])
            for p in parts
        ]
    if not is_long(shape[d]):  # written out: nothing moves
        whole = []
        for part in parts:
            whole += [(part, k) for k in range(part.shape[d])]

        def element(index):
            part, k = whole[index[d]]
            return low.tensors.read(part, [*index[:d], k, *index[d + 1 :]])

        return low.tensors.make(shape, element, low.dtype)
    return joined(low, parts, shape, d)


def joined(low, parts, shape, d) -> Value:
    """Copy parts one after the other along a long dimension."""
    t, x = low.tensors, low.x
    array = low.program.array(low.node.name, t.count(shape), low.kind, line=x.line)
    start = 0
    for part in parts:
        stores = {}
        for position, index in t.places(part.shape):
            to = [*index[:d], x.plus(index[d], start), *index[d + 1 :]]
            stores[(array.name, t.flat(shape, to))] = part.elements[position]
        low.program.store(t.axes(part.shape), stores)
        start = x.plus(start, part.shape[d])
    return t.of_array(array.name, shape, low.dtype)


@handles("view", "reshape", "_unsafe_view")
def reshape(low, a, *_):
    shape, t = low.shape, low.tensors
    if not any(is_long(s) for s in (*shape, *a.shape)):
        return Value(shape, a.elements.reshape(shape), a.dtype)
    keeps = [d for d, s in enumerate(a.shape) if s != 1]
    if [a.shape[d] for d in keeps] == [s for s in shape if s != 1]:  # only 1s come and go

        def source(index):
            real = iter(i for i, s in zip(index, shape, strict=True) if s != 1)
            return [next(real) if s != 1 else 0 for s in a.shape]

        return t.view(a, shape, source)
    return t.of_array(t.stored(a).array, shape, a.dtype)


def whole_memory(low, size, stride, offset):
    """The offset, if the first argument is all of the memory behind it: torch counts in that."""
    base, offset = low.node.args[0].meta["val"], offset or 0
    last = offset + sum((n - 1) * k for n, k in zip(size, stride, strict=True)
                        if isinstance(n, int) and isinstance(k, int))  # fmt: skip
    whole = base.is_contiguous() and isinstance(base.storage_offset(), int)
    if not whole or base.storage_offset() != 0 or (
        isinstance(base.numel(), int) and isinstance(last, int) and last >= base.numel()
    ):  # fmt: skip
        low.fail("torch.as_strided of a part of a tensor", "slices and reshape")
    return offset


@handles("as_strided_scatter")
def as_strided_scatter(low, base, part, size, stride, offset=0):
    x, offset = low.x, whole_memory(low, size, stride, offset)

    def place(index):
        steps = [x.times(i, low.size(s)) for i, s in zip(index, stride, strict=True)]
        return low.value(x.plus(offset, *steps)).scalar

    where = low.tensors.make(part.shape, place, torch.int64)
    return scattered(low, base, where, part, "set")


@handles("as_strided")
def as_strided(low, a, size, stride, offset=0):
    t, x = low.tensors, low.x
    offset = whole_memory(low, size, stride, offset)
    array = t.stored(a).array

    def element(index):
        steps = [x.times(i, low.size(s)) for i, s in zip(index, stride, strict=True)]
        return x.load(array, x.plus(offset or 0, *steps))

    return t.make(low.shape, element, a.dtype)


@handles("repeat")
def repeat(low, a, times):
    new, x = len(times) - len(a.shape), low.x

    def within(i, size):
        if size == 1:
            return 0
        if isinstance(i, int) and isinstance(size, int):
            return i % size
        return x.call("rem", *(x.num(v) if isinstance(v, int) else v for v in (i, size)))

    def source(index):
        return [i if k == 1 else within(i, s)
                for i, k, s in zip(index[new:], times[new:], a.shape, strict=True)]  # fmt: skip

    if a.cost > 6 and any(is_long(s) for s in a.shape):
        a = low.tensors.stored(a)
    return low.tensors.make(low.shape, lambda i: low.tensors.read(a, source(i)), a.dtype)


def within(low, i, start, stop):
    """start <= i < stop as a condition; None if it always holds."""
    tests = []
    if start != 0:
        tests.append(low.x.call("ge", i, low.value(start).scalar))
    tests.append(low.x.call("lt", i, low.value(stop).scalar))
    return low.x.call("and", *tests) if len(tests) > 1 else tests[0]


def placed(low, base, part, d, start, step=1):
    """base with `part` written over start, start + step, ... of dimension d."""
    length, part = part.shape[d], low.cast(part, low.dtype)
    base = low.cast(base, low.dtype)
    if length == 0:
        return base
    if part.cost > 6 and is_long(length):
        part = low.tensors.stored(part)
    x = low.x

    def element(index):
        i = index[d]
        off = moved(low, i, x.times(start, -1) if not isinstance(start, int) else -start, 1)
        if isinstance(i, int) and isinstance(start, int):
            inside = 0 <= off < length * step and off % step == 0
            there = [*index[:d], off // step, *index[d + 1 :]]
            return low.tensors.read(part if inside else base, there if inside else index)
        if not is_long(length):  # few places: one question each
            chosen = low.tensors.read(base, index)
            for k in range(length):
                here = x.call("eq", i if isinstance(i, Expr) else x.num(i),
                              low.value(x.plus(start, k * step)).scalar)  # fmt: skip
                part_k = low.tensors.read(part, [*index[:d], k, *index[d + 1 :]])
                chosen = x.call("where", here, part_k, chosen)
            return chosen
        i = i if isinstance(i, Expr) else x.num(i)
        inside = within(low, i, start, x.plus(start, x.times(length, step)))
        if step != 1:
            off_e = low.value(off).scalar
            hits = x.call("eq", x.call("rem", off_e, x.num(step)), x.num(0))
            inside, off = x.call("and", inside, hits), x.call("div", off_e, x.num(step))
        there = [*index[:d], off, *index[d + 1 :]]
        return x.call("where", inside, low.tensors.read(part, there), low.tensors.read(base, index))

    return low.tensors.make(low.shape, element, low.dtype)


@handles("slice_scatter")
def slice_scatter(low, base, part, dim=0, start=None, end=None, step=1):
    """(The length of the part says where it ends, whatever `end` is.)"""
    d = dim % len(base.shape)
    return placed(low, base, part, d, start_of(low, start, base.shape[d]), step)


@handles("select_scatter")
def select_scatter(low, base, part, d, k):
    d = d % len(base.shape)
    shape = (*part.shape[:d], 1, *part.shape[d:])
    part = low.tensors.view(part, shape, lambda i: [*i[:d], *i[d + 1 :]])
    k = low.x.plus(base.shape[d], k) if isinstance(k, int) and k < 0 else k
    k = k.args[0] if isinstance(k, Expr) and k.op == "num" else k
    return placed(low, base, part, d, k)


@handles("diagonal_scatter")
def diagonal_scatter(low, base, part, k=0, one=0, two=1):
    t, x = low.tensors, low.x
    one, two = one % len(base.shape), two % len(base.shape)
    part = low.cast(part, low.dtype)
    part = t.stored(part) if is_long(part.shape[-1]) else part

    def element(i):
        row, column = i[one], i[two]
        place = row if k >= 0 else moved(low, row, k, 1)
        rest = [v for d, v in enumerate(i) if d not in (one, two)]
        if isinstance(row, int) and isinstance(column, int):
            hit = column == row + k and 0 <= place < part.shape[-1]
            return t.read(part, [*rest, place]) if hit else t.read(base, i)
        hit = x.call("eq", low.value(column).scalar, low.value(x.plus(row, k)).scalar)
        return x.call("where", hit, t.read(part, [*rest, place]), t.read(base, i))

    return t.make(low.shape, element, low.dtype)


def wrapped(low, e, size):
    """An index that may be negative, and is checked when the program runs."""
    if isinstance(e, int):
        e = low.x.num(e)
    if e.op == "num":
        return int(e.args[0]) + (size if e.args[0] < 0 else 0)
    if e.op == "axis" and e.args[1] is size:
        return e
    if isinstance(size, int) and (ends := bounds(e)) and -size <= ends[0] and ends[1] < size:
        if ends[0] >= 0:
            return e
        if ends[1] < 0:
            return low.x.plus(e, size)
    return low.x.call("at", e, low.value(size).scalar)


def bounds(e):
    """Lowest and highest value of an index made of loop variables; None if not known."""
    if e.op == "axis":
        return (0, e.args[1] - 1) if isinstance(e.args[1], int) else None
    if e.op != "poly":
        return None
    low = high = 0
    for c, atoms in e.args:
        ends = [bounds(a) for a in atoms]
        if len(atoms) > 1 or None in ends:
            return None
        one, two = (c * v for v in ends[0]) if atoms else (c, c)
        low, high = low + min(one, two), high + max(one, two)
    return low, high


def as_places(low, indices):
    """Index tensors as whole numbers; a mask of constants becomes the places where it holds."""
    out = []
    for v in indices:
        if v is None or v.dtype not in (torch.bool, torch.uint8):
            out.append(v)
            continue
        if (not v.shape or any(is_long(s) for s in v.shape)
                or any(e.op != "num" for e in v.elements.flat)):  # fmt: skip
            low.fail("x[condition], whose length is not known", "torch.where(condition, x, other)")
        places = [p for p in v.elements.positions() if v.elements[p].args[0]]
        for d in range(len(v.shape)):
            made = Grid((len(places),), [low.x.num(place[d]) for place in places])
            out.append(Value(made.shape, made, torch.int64))
    return out


def lookup(low, shape, sizes, indices):
    """Where an element of x[indices] is in x, for x of shape `sizes`."""
    indices = [*indices, *[None] * (len(sizes) - len(indices))]
    at = [d for d, v in enumerate(indices) if v is not None]
    rank = max(len(indices[d].shape) for d in at)
    first = at[0] if at == list(range(at[0], at[-1] + 1)) else 0
    spread = {d: low.tensors.expanded(indices[d], shape[first : first + rank]) for d in at}

    def source(i):
        picked, rest = i[first : first + rank], iter([*i[:first], *i[first + rank :]])
        return [wrapped(low, low.tensors.read(spread[d], picked), sizes[d]) if d in spread
                else next(rest) for d in range(len(sizes))]  # fmt: skip

    return source


@handles("index", "_unsafe_index")
def index(low, a, indices):
    indices = as_places(low, indices)
    if a.cost > 6 and any(is_long(s) for s in a.shape):
        a = low.tensors.stored(a)
    if all(v is None for v in indices):
        return a
    source = lookup(low, low.shape, a.shape, indices)
    return low.tensors.make(low.shape, lambda i: low.tensors.read(a, source(i)), a.dtype)


@handles("index_select")
def index_select(low, a, d, which):
    if not a.shape:
        return a
    if not which.shape:
        which = low.tensors.view(which, (1,), lambda i: [])
    return index(low, a, [*[None] * (d % len(a.shape)), which])


def at_index(a, i, d, k):
    """Index i of a, with k along d."""
    return [*i[:d], k, *i[d + 1 :]] if a.shape else []


@handles("gather")
def gather(low, a, d, which, *, sparse_grad=False):
    """(sparse_grad says how torch stores a gradient.)"""
    assert sparse_grad in (True, False)
    d = d % max(1, len(a.shape))
    if a.cost > 6 and any(is_long(s) for s in a.shape):
        a = low.tensors.stored(a)

    def element(i):
        k = wrapped(low, low.tensors.read(which, i), a.shape[d]) if a.shape else 0
        return low.tensors.read(a, at_index(a, i, d, k))

    return low.tensors.make(low.shape, element, a.dtype)


def scattered(low, base, where, values, how) -> Value:
    """base with values put ("set"), added, ... at flat positions, in order."""
    t, x = low.tensors, low.x
    base, values = low.cast(base, low.dtype), low.cast(values, low.dtype)
    base, where, values = (t.stored(v) for v in (base, where, values))
    array = low.program.array(low.node.name, t.count(low.shape), low.kind, line=x.line)
    low.program.call(
        f'live.scatter({array.name}, {base.array}, {where.array}, {values.array}, "{how}");',
        {base.array, where.array, values.array}, {array.name}, x.line,
    )  # fmt: skip
    return t.of_array(array.name, low.shape, low.dtype)


def positions(low, base, shape, source) -> Value:
    """The flat position in base of each element of a tensor of shape `shape`."""
    t = low.tensors
    return t.make(shape, lambda i: low.value(t.flat(base.shape, source(i))).scalar, torch.int64)


def broadcast_shape(*shapes):
    """The shape to which shapes are broadcast together."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    return tuple(next((s for s in sizes if s != 1), 1) for sizes in zip(*padded, strict=True))


@handles("index_put", "_unsafe_index_put")
def index_put(low, a, indices, values, accumulate=False):
    t = low.tensors
    masks = [v for v in indices if v is not None and v.dtype in (torch.bool, torch.uint8)]
    if len(masks) == 1 and sum(v is not None for v in indices) == 1:
        return put_where(low, a, indices, masks[0], values, accumulate)
    indices = as_places(low, indices)
    at = [d for d, v in enumerate(indices) if v is not None]
    picked = broadcast_shape(*(indices[d].shape for d in at))
    rest = [s for d, s in enumerate(a.shape) if d not in at]
    first = at[0] if at == list(range(at[0], at[-1] + 1)) else 0
    shape = (*rest[:first], *picked, *rest[first:])
    where = positions(low, a, shape, lookup(low, shape, a.shape, indices))
    return scattered(low, a, where, t.expanded(values, shape), "add" if accumulate else "set")


def put_where(low, a, indices, mask, values, accumulate):
    """x[condition] = value, for one value (or one for each of the dimensions behind)."""
    t, x = low.tensors, low.x
    first = next(d for d, v in enumerate(indices) if v is not None)
    last = first + len(mask.shape)
    values = low.cast(values, low.dtype)
    behind = len(a.shape) - last
    if any(s != 1 for s in values.shape[: max(0, len(values.shape) - behind)]):
        low.fail("x[condition] = values, whose number is not known",
                 "torch.where(condition, values, x), with a value for every element")  # fmt: skip
    tail = values.shape[max(0, len(values.shape) - behind) :]
    values = t.view(values, tail, lambda i: [*[0] * (len(values.shape) - len(tail)), *i])
    values = t.expanded(values, a.shape)

    def element(i):
        old, new = t.read(a, i), t.read(values, i)
        if accumulate:
            new = low.wrap(x.call("add", old, new), low.dtype)
        condition = low.convert(t.read(mask, i[first:last]), mask.dtype, torch.bool)
        return x.call("where", condition, new, old)

    return t.make(low.shape, element, low.dtype)


def along(low, base, d, which, values, how):
    """scatter: values go to the places `which` along d."""
    d = d % max(1, len(base.shape))

    def source(i):
        k = wrapped(low, low.tensors.read(which, i), base.shape[d]) if base.shape else 0
        return at_index(base, i, d, k)

    if len(which.shape) != len(base.shape):
        low.fail(f"torch.{operation(low.node)} of numbers", "tensors with a dimension")
    values = low.value(values)
    if values.shape and values.shape != which.shape:  # longer than the index: the rest is not used
        values = low.tensors.make(which.shape, lambda i, v=values: low.tensors.read(v, i),
                                  values.dtype)  # fmt: skip
    values = low.tensors.expanded(values, which.shape)
    return scattered(low, base, positions(low, base, which.shape, source), values, how)


@handles("scatter.src", "scatter.value")
def scatter(low, a, d, which, values):
    return along(low, a, d, which, values, "set")


@handles("scatter_add")
def scatter_add(low, a, d, which, values):
    return along(low, a, d, which, values, "add")


@handles("scatter.reduce", "scatter.value_reduce")
def scatter_how(low, a, d, which, values, *, reduce):
    return along(low, a, d, which, values, {"add": "add", "multiply": "mul"}[reduce])


@handles("scatter_reduce")
def scatter_reduce(low, a, d, which, values, reduce, *, include_self=True):
    hows = {"sum": "add", "prod": "mul", "amax": "max", "amin": "min"}
    if reduce not in hows or not include_self:
        low.fail(f"torch.scatter_reduce with {reduce!r}, include_self={include_self}",
                 'sum, prod, amax or amin, with include_self=True')  # fmt: skip
    return along(low, a, d, which, values, hows[reduce])


@handles("index_add")
def index_add(low, a, d, which, values, *, alpha=1):
    x, d = low.x, d % max(1, len(a.shape))
    values = low.cast(values, low.dtype)
    if alpha != 1:
        factor = low.value(alpha).scalar
        scaled = values.elements.map(lambda e: x.call("mul", e, factor))
        values = Value(values.shape, scaled, values.dtype)
    which = which if which.shape else low.tensors.view(which, (1,), lambda i: [])

    def source(i):
        k = wrapped(low, low.tensors.read(which, [i[d]]), a.shape[d])
        return [*i[:d], k, *i[d + 1 :]]

    if not a.shape:
        low.fail("torch.index_add of a number", "a tensor with a dimension")
    return scattered(low, a, positions(low, a, values.shape, source), values, "add")


VIEWS = ("slice", "select", "view", "permute", "expand", "unsqueeze", "squeeze", "transpose", "t",
         "split", "split_with_sizes", "unbind", "alias", "as_strided", "diagonal")  # fmt: skip


@handles("copy_")
def copy_into(low, a, b, non_blocking=False):
    """Some gradient formulas of torch overwrite what they just made; from here on it is b."""
    target = low.node.args[0]
    names = [getattr(n.target, "__name__", "").split(".")[0] for n in (target, *target.users)]
    if target.op == "placeholder":
        low.fail("writing into an argument", "a copy of it: z = z.clone()")
    if target.op != "call_function" or any(name in VIEWS for name in names):
        low.fail("writing into a part of a tensor here", "torch.where or torch.cat")
    low.values[target] = value = low.tensors.expanded(low.cast(b, low.dtype), low.shape)
    return value


@handles("tril", "triu")
def triangle(low, a, k=0):
    op = "le" if operation(low.node) == "tril" else "ge"
    n = len(a.shape)

    def element(i):
        row, column = (low.value(v).scalar for v in (i[n - 2], i[n - 1]))
        keep = low.x.call(op, column, low.x.plus(row, k))
        if keep.op != "num" and isinstance(i[-1], int) and isinstance(i[-2], int):
            keep = low.x.num(i[-1] <= i[-2] + k if op == "le" else i[-1] >= i[-2] + k)
        return low.x.call("where", keep, low.tensors.read(a, i), low.x.num(0))

    return low.tensors.make(low.shape, element, low.dtype)


@handles("diagonal")
def diagonal(low, a, k=0, one=0, two=1):
    one, two = one % len(a.shape), two % len(a.shape)

    def source(i):
        rest, out = iter(i[:-1]), []
        for d in range(len(a.shape)):
            shift = max(-k, 0) if d == one else max(k, 0)
            out.append(moved(low, i[-1], shift, 1) if d in (one, two) else next(rest))
        return out

    return low.tensors.view(a, low.shape, source)
