"""What takes longest, in WebAssembly with SIMD, assembled here so that it can be read.

All numbers are float32 and contiguous at the given byte addresses of the module's memory.

multiply(a, b, out, M, K, N): out (M, N) = a (M, K) @ b (K, N). M is a multiple of 4, N a multiple
of 8. Each step of the inner loop takes 4 numbers of a column of `a` and 8 of a row of `b`, and adds
their 32 products to 8 registers of 4 numbers each.

What a training needs besides (`text(often=True)`):

turned(a, b, out, M, K, N): the same of an `a` that lies there turned: (K, M).

relu(a, bias, end, width): to the rows of `a`, which ends at `end`, the bias is added, and what is
negative becomes 0; `width` is the number of bytes of a row, a multiple of 16.

gate(gradient, a, end): the gradient, which ends at `end`, becomes 0 where `a` is 0 or negative.
"""

import base64

A, B, OUT, M, K, N = range(6)  # parameters
ROW, COLUMN, STEPS, P, Q, ROW_A, ROW_B = range(6, 13)  # whole-number variables
LEFT, RIGHT, X = 13, 14, 15  # vectors: two halves of a row of b, one number of a, four times
SUMS = range(16, 24)  # vectors: sums of row r in SUMS[2 r] and SUMS[2 r + 1]

I32, V128 = 0x7F, 0x7B
ADD, SUB, MUL, SHIFT, LESS = b"\x6a", b"\x6b", b"\x6c", b"\x74", b"\x49"
VECTOR_ADD, VECTOR_MUL = b"\xfd\xe4\x01", b"\xfd\xe6\x01"
VECTOR_MAX, AT_MOST, AND_NOT = b"\xfd\xe9\x01", b"\xfd\x45", b"\xfd\x4f"
VECTOR_ZERO = b"\xfd\x0c" + bytes(16)
SPLAT = b"\xfd\x09\x02\x00"  # four copies of one number


def unsigned(n: int) -> bytes:
    """LEB128, the encoding of whole numbers in WebAssembly."""
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def get(v):
    return b"\x20" + unsigned(v)


def put(v, *value):
    """v = value."""
    return b"".join(value) + b"\x21" + unsigned(v)


def const(n):
    return b"\x41" + bytes([n])  # 0 <= n < 64


def plus(v, *amount):
    """v += amount."""
    return put(v, get(v), *amount, ADD)


def loop(*body, until):
    """Repeat the body while `until` (a condition) is not 0."""
    return b"\x03\x40" + b"".join(body) + until + b"\x0d\x00\x0b"


def load(offset):
    return b"\xfd\x00\x02" + unsigned(offset)


def store(offset):
    return b"\xfd\x0b\x02" + unsigned(offset)


def row(pointer, stride, r):
    """Address pointer + r * stride."""
    return get(pointer) + get(stride) + const(r) + MUL + ADD


def inner_step(turned: bool):
    body = put(LEFT, get(Q), load(0)) + put(RIGHT, get(Q), load(16))
    for r in range(4):
        body += put(X, row(P, ROW_A, r), SPLAT)
        for half, source in ((0, LEFT), (1, RIGHT)):
            s = SUMS[2 * r + half]
            body += put(s, get(s), get(X), get(source), VECTOR_MUL, VECTOR_ADD)
    step = get(M) + const(2) + SHIFT if turned else const(4)
    return body + plus(P, step) + plus(Q, get(ROW_B))


def write_block():
    body = put(Q, get(OUT), get(COLUMN), const(2), SHIFT, ADD)
    for r in range(4):
        for half in (0, 1):
            body += row(Q, ROW_B, r) + get(SUMS[2 * r + half]) + store(16 * half)
    return body


def product(turned: bool = False) -> bytes:
    """Variables and body of `multiply`, or of `turned`."""
    variables = vector([unsigned(7) + bytes([I32]), unsigned(11) + bytes([V128])])
    block = loop(
        *(put(s, VECTOR_ZERO) for s in SUMS),
        put(P, get(A)),
        put(Q, get(B), get(COLUMN), const(2), SHIFT, ADD),
        put(STEPS, get(K)),
        loop(inner_step(turned), put(STEPS, get(STEPS), const(1), SUB), until=get(STEPS)),
        write_block(),
        plus(COLUMN, const(8)),
        until=get(COLUMN) + get(N) + LESS,
    )
    return (
        variables
        + put(ROW_A, *([const(4)] if turned else [get(K), const(2), SHIFT]))
        + put(ROW_B, get(N), const(2), SHIFT)
        + loop(
            put(COLUMN, const(0)),
            block,
            plus(A, get(ROW_A), const(2), SHIFT),
            plus(OUT, get(ROW_B), const(2), SHIFT),
            plus(ROW, const(4)),
            until=get(ROW) + get(M) + LESS,
        )
        + b"\x0b"
    )


def relu() -> bytes:
    """Body of `relu`; where it is in a row counts a parameter that nobody gives."""
    bias, end, width, column = 1, 2, 3, 4
    four = get(A) + get(A) + load(0) + get(bias) + get(column) + ADD + load(0) + VECTOR_ADD
    row_of = loop(
        four + VECTOR_ZERO + VECTOR_MAX + store(0),
        plus(A, const(16)),
        plus(column, const(16)),
        until=get(column) + get(width) + LESS,
    )
    again = get(A) + get(end) + LESS
    return vector([]) + loop(put(column, const(0)), row_of, until=again) + b"\x0b"


def gate() -> bytes:
    """Body of `gate`."""
    a, end = 1, 2
    four = get(A) + get(A) + load(0) + get(a) + load(0) + VECTOR_ZERO + AT_MOST + AND_NOT + store(0)
    again = get(A) + get(end) + LESS
    return vector([]) + loop(four, plus(A, const(16)), plus(a, const(16)), until=again) + b"\x0b"


def vector(items) -> bytes:
    return unsigned(len(items)) + b"".join(items)


def section(number, content) -> bytes:
    return bytes([number]) + unsigned(len(content)) + content


def export(name, kind, index) -> bytes:
    return unsigned(len(name)) + name.encode() + bytes([kind, index])


def module(often: bool = False) -> bytes:
    """The whole module: its functions and one memory, all exported."""
    codes = {"multiply": product()}
    if often:
        codes |= {"turned": product(turned=True), "relu": relu(), "gate": gate()}
    exports = [export(name, 0, k) for k, name in enumerate(codes)] + [export("memory", 2, 0)]
    return b"".join(
        (
            b"\0asm\1\0\0\0",
            section(1, vector([b"\x60" + vector([bytes([I32])] * 6) + vector([])])),  # its type
            section(3, vector([b"\0"] * len(codes))),  # all functions have type 0
            section(5, vector([b"\0\1"])),  # a memory that may grow
            section(7, vector(exports)),
            section(10, vector([unsigned(len(code)) + code for code in codes.values()])),
        )
    )


def text(often: bool = False) -> str:
    """The module as base64."""
    return base64.b64encode(module(often)).decode()
