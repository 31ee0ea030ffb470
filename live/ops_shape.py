"""Operations that only move elements: views, slices, joins, lookups."""

from .lower import handles
from .tensors import Value, is_long


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


@handles("expand", "broadcast_to")
def expand(low, a, *_, **__):
    return low.tensors.expanded(a, low.shape)


@handles("permute", "t", "transpose")
def permute(low, a, *order):
    n = len(a.shape)
    name = low.node.target.__name__.split(".")[0]
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
    """First index of a slice; negative ones count from the end."""
    if start is None:
        return 0
    if isinstance(start, int) and start < 0:
        return low.x.plus(size, start)
    return start


def moved(low, i, start, step):
    """start + step * i, a whole number if both are."""
    if isinstance(i, int) and isinstance(start, int):
        return start + step * i
    return low.x.plus(start, low.x.times(step, i))


@handles("slice")
def slice_(low, a, d=0, start=None, end=None, step=1):
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
def split(low, a, sizes=0, d=0):
    if low.node.target.__name__.startswith("unbind"):
        d = sizes
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
            moved(low, i, low.size_minus(s), -1) if d in dims else i
            for d, (i, s) in enumerate(zip(index, a.shape, strict=True))
        ]

    low.size_minus = lambda s: s - 1 if isinstance(s, int) else low.x.plus(s, -1)
    return low.tensors.view(a, low.shape, source)


@handles("cat", "stack")
def cat(low, parts, d=0):
    parts = [p for p in parts if p.shape != (0,)]
    shape, d = low.shape, d % len(low.shape)
    if low.node.target.__name__.startswith("stack"):
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

        return low.tensors.make(shape, element, low.kind)
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
    return t.of_array(array.name, shape, low.kind)


@handles("view", "reshape", "_unsafe_view")
def reshape(low, a, *_):
    shape, t = low.shape, low.tensors
    if not any(is_long(s) for s in (*shape, *a.shape)):
        return Value(shape, a.elements.reshape(shape), a.kind)
    keeps = [d for d, s in enumerate(a.shape) if s != 1]
    if [a.shape[d] for d in keeps] == [s for s in shape if s != 1]:  # only 1s come and go

        def source(index):
            real = iter(i for i, s in zip(index, shape, strict=True) if s != 1)
            return [next(real) if s != 1 else 0 for s in a.shape]

        return t.view(a, shape, source)
    return t.of_array(t.stored(a).array, shape, a.kind)


@handles("as_strided")
def as_strided(low, a, size, stride, offset=0):
    t, x = low.tensors, low.x
    array = t.stored(a).array

    def element(index):
        steps = [x.times(i, low.size(s)) for i, s in zip(index, stride, strict=True)]
        return x.load(array, x.plus(offset or 0, *steps))

    return t.make(low.shape, element, a.kind)


@handles("repeat")
def repeat(low, a, times):
    if any(k != 1 for k, s in zip(times[len(times) - len(a.shape) :], a.shape, strict=True)
           if s != 1):  # fmt: skip
        low.fail("repeating along a dimension longer than 1", "torch.cat([x, x])")
    return low.tensors.expanded(a, low.shape)


def within(low, i, start, stop):
    """start <= i < stop as a condition; None if it always holds."""
    tests = []
    if start != 0:
        tests.append(low.x.call("ge", i, low.value(start).scalar))
    tests.append(low.x.call("lt", i, low.value(stop).scalar))
    return low.x.call("and", *tests) if len(tests) > 1 else tests[0]


def placed(low, base, part, d, start):
    """base with `part` written over [start, start + len) of dimension d."""
    length = part.shape[d]
    if part.cost > 6 and is_long(length):
        part = low.tensors.stored(part)

    def element(index):
        i = index[d]
        there = [*index[:d], moved(low, i, low.x.times(start, -1) if not isinstance(start, int)
                                   else -start, 1), *index[d + 1 :]]  # fmt: skip
        if isinstance(i, int):
            inside = start <= i < start + length
            return low.tensors.read(part if inside else base, there if inside else index)
        stop = low.x.plus(start, length)
        if not is_long(length):  # few places: one question each
            chosen = low.tensors.read(base, index)
            for k in range(length):
                here = low.x.call("eq", i, low.x.plus(start, k))
                part_k = low.tensors.read(part, [*index[:d], k, *index[d + 1 :]])
                chosen = low.x.call("where", here, part_k, chosen)
            return chosen
        return low.x.call("where", within(low, i, start, stop),
                          low.tensors.read(part, there), low.tensors.read(base, index))  # fmt: skip

    return low.tensors.make(low.shape, element, low.kind)


@handles("slice_scatter")
def slice_scatter(low, base, part, d=0, start=None, end=None, step=1):
    if step != 1:
        low.fail("writing to every k-th element", "torch.where")
    return placed(low, base, part, d, start_of(low, start, base.shape[d]))


@handles("select_scatter")
def select_scatter(low, base, part, d, k):
    d = d % len(base.shape)
    shape = (*part.shape[:d], 1, *part.shape[d:])
    part = low.tensors.view(part, shape, lambda i: [*i[:d], *i[d + 1 :]])
    return placed(low, base, part, d, start_of(low, k, base.shape[d]))


@handles("constant_pad_nd")
def pad(low, a, widths, fill=0):
    value = low.value(fill)
    for k in range(0, len(widths), 2):
        d = len(a.shape) - 1 - k // 2
        shape = list(a.shape)
        shape[d] = low.x.plus(shape[d], widths[k], widths[k + 1])
        shape[d] = shape[d].args[0] if shape[d].op == "num" else shape[d]
        base = low.tensors.expanded(value, shape)
        a = _padded(low, base, a, d, widths[k])
    return a


def _padded(low, base, a, d, start):
    whole = low.tensors
    if is_long(base.shape[d]):
        return joined(low, _pad_parts(low, base, a, d, start), base.shape, d)
    return whole.make(base.shape, lambda i: whole.read(a, [*i[:d], i[d] - start, *i[d + 1 :]])
                      if start <= i[d] < start + a.shape[d] else whole.read(base, i))  # fmt: skip


def _pad_parts(low, base, a, d, start):
    after = low.x.plus(base.shape[d], low.x.times(a.shape[d], -1), -start)
    after = after.args[0] if after.op == "num" else after
    parts = []
    for width, part in ((start, None), (None, a), (after, None)):
        if part is None and width != 0:
            shape = list(base.shape)
            shape[d] = width
            part = low.tensors.make(shape, lambda i: base.elements.reshape(-1)[0])
        if part is not None:
            parts.append(part)
    return parts


def wrapped(low, e, size):
    """An index that may be negative."""
    if e.op == "num":
        return e.args[0] + (size if e.args[0] < 0 else 0)
    if e.op in ("poly", "axis", "load"):
        return e
    zero = low.x.call("lt", e, low.x.num(0))
    return low.x.call("where", zero, low.x.call("add", e, low.value(size).scalar), e)


@handles("index", "_unsafe_index")
def index(low, a, indices):
    indices = [*indices, *[None] * (len(a.shape) - len(indices))]
    if any(v is not None and v.kind == "Uint8Array" for v in indices):
        low.fail("x[condition], whose length is not known", "torch.where(condition, x, other)")
    if a.cost > 6 and any(is_long(s) for s in a.shape):
        a = low.tensors.stored(a)
    at = [d for d, v in enumerate(indices) if v is not None]
    rank = max(len(indices[d].shape) for d in at)
    first = at[0] if at == list(range(at[0], at[-1] + 1)) else 0
    shape = low.shape
    spread = {d: low.tensors.expanded(indices[d], shape[first : first + rank]) for d in at}

    def source(i):
        picked, rest = i[first : first + rank], iter([*i[:first], *i[first + rank :]])
        return [wrapped(low, low.tensors.read(spread[d], picked), a.shape[d]) if d in spread
                else next(rest) for d in range(len(a.shape))]  # fmt: skip

    return low.tensors.make(shape, lambda i: low.tensors.read(a, source(i)), a.kind)


@handles("index_select")
def index_select(low, a, d, which):
    return index(low, a, [*[None] * (d % len(a.shape)), which])


@handles("gather")
def gather(low, a, d, which, **_):
    d = d % len(a.shape)
    if a.cost > 6 and any(is_long(s) for s in a.shape):
        a = low.tensors.stored(a)

    def element(i):
        k = wrapped(low, low.tensors.read(which, i), a.shape[d])
        return low.tensors.read(a, [*i[:d], k, *i[d + 1 :]])

    return low.tensors.make(low.shape, element, a.kind)


@handles("index_put", "_unsafe_index_put")
def index_put(low, a, indices, values, accumulate=False):
    if len(indices) != 1:
        low.fail("writing at several index tensors at once", "one index along the first dimension")
    t, shape = low.tensors, low.shape
    which = t.stored(indices[0])
    values = t.stored(t.expanded(values, (*which.shape, *shape[1:])))
    base = t.stored(a)
    array = low.program.array(low.node.name, t.count(shape), low.kind)
    width = low.code(t.count(shape[1:]))
    low.program.call(
        f"live.put({array.name}, {base.array}, {which.array}, {values.array}, {width}, "
        f"{'true' if accumulate else 'false'});",
        {base.array, which.array, values.array}, {array.name}, low.x.line,
    )  # fmt: skip
    return t.of_array(array.name, shape, low.kind)


VIEWS = ("slice", "select", "view", "permute", "expand", "unsqueeze", "squeeze", "transpose", "t",
         "split", "split_with_sizes", "unbind", "alias", "as_strided", "diagonal")  # fmt: skip


@handles("copy_", "copy_to")
def copy_into(low, a, b, *_):
    """Some gradient formulas of torch overwrite what they just made; from here on it is b."""
    target = low.node.args[0]
    names = [getattr(n.target, "__name__", "").split(".")[0] for n in (target, *target.users)]
    if target.op != "call_function" or any(name in VIEWS for name in names):
        low.fail("writing into a part of a tensor here", "torch.where or torch.cat")
    low.values[target] = value = low.tensors.expanded(b, low.shape)
    return value


@handles("tril", "triu")
def triangle(low, a, k=0):
    op = "le" if low.node.target.__name__.startswith("tril") else "ge"
    n = len(a.shape)

    def element(i):
        row, column = (low.value(v).scalar for v in (i[n - 2], i[n - 1]))
        keep = low.x.call(op, column, low.x.plus(row, k))
        if keep.op != "num" and isinstance(i[-1], int) and isinstance(i[-2], int):
            keep = low.x.num(i[-1] <= i[-2] + k if op == "le" else i[-1] >= i[-2] + k)
        return low.x.call("where", keep, low.tensors.read(a, i), low.x.num(0))

    return low.tensors.make(low.shape, element, low.kind)


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
