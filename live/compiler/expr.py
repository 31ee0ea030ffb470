"""Scalar expressions: what one element of a tensor is, as a small graph.

Equal expressions are the same object (`Expressions` hands out one of each), so a value that is
used twice is computed once and comparing two expressions is comparing two references.
"""

import math
from dataclasses import dataclass, field

# JavaScript precedence: a child with a lower number than its place allows gets parentheses.
TERNARY, OR, AND, BITS, EQUAL, COMPARE, SHIFT, ADD, MUL, UNARY, ATOM = (
    2, 3, 4, 5, 8, 9, 10, 11, 12, 14, 17)  # fmt: skip

# name: (text, precedence of the whole, precedence each operand needs)
OPERATORS = {
    "add": ("{} + {}", ADD, (ADD, ADD)),
    "sub": ("{} - {}", ADD, (ADD, MUL)),
    "mul": ("{} * {}", MUL, (MUL, MUL)),
    "div": ("{} / {}", MUL, (MUL, UNARY)),
    "neg": ("-{}", UNARY, (ATOM,)),
    "lt": ("{} < {}", COMPARE, (ADD, ADD)),
    "le": ("{} <= {}", COMPARE, (ADD, ADD)),
    "gt": ("{} > {}", COMPARE, (ADD, ADD)),
    "ge": ("{} >= {}", COMPARE, (ADD, ADD)),
    "eq": ("{} == {}", EQUAL, (COMPARE, COMPARE)),
    "ne": ("{} != {}", EQUAL, (COMPARE, COMPARE)),
    "and": ("{} && {}", AND, (AND, EQUAL)),
    "or": ("{} || {}", OR, (OR, AND)),
    "not": ("!{}", UNARY, (ATOM,)),
    "where": ("{} ? {} : {}", TERNARY, (OR, OR, TERNARY)),
    "number": ("+{}", UNARY, (ATOM,)),  # true -> 1
    "rem": ("{} % {}", MUL, (MUL, UNARY)),  # the sign of the first
    "int32": ("{} | 0", BITS, (EQUAL,)),
    "uint8": ("{} & 255", BITS, (EQUAL,)),
    "int16": ("{} << 16 >> 16", SHIFT, (ADD,)),
    "int8": ("{} << 24 >> 24", SHIFT, (ADD,)),
}
# Functions of the runtime (live.*) stand here with their short JavaScript names.
FUNCTIONS = {
    **{name: f"Math.{name}" for name in (
        "exp", "log", "log1p", "expm1", "log2", "log10", "sqrt", "abs", "sin", "cos", "tan",
        "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "atan2", "floor",
        "ceil", "trunc", "sign", "max", "min", "pow", "fround",
        "imul", "hypot",
    )},
    **{name: f"live.{name}" for name in (
        "tanh", "sigmoid", "softplus", "logsigmoid", "logaddexp", "erf", "round", "mod",
        "erfc", "erfinv", "lgamma", "digamma", "trigamma", "fmax", "fmin", "power", "signbit",
        "at",
    )},
}  # fmt: skip
CHEAP = {"num", "axis", "size", "load", "poly", "add", "sub", "mul", "neg", "number", "rem",
         "int32", "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not"}  # fmt: skip


@dataclass(eq=False, slots=True)
class Expr:
    """One scalar. `args` are expressions or plain values, see `Expressions`."""

    op: str
    args: tuple
    order: int  # order of creation: makes every sort deterministic
    name: str = ""  # a name to use when it needs a variable
    line: str = ""  # the torch line it came from
    axes: frozenset = frozenset()  # the loop variables it depends on
    cost: int = 0  # rough number of operations below it
    loads: frozenset = field(default_factory=frozenset)  # the arrays it reads

    def children(self):
        """The expressions directly below this one."""
        if self.op == "poly":
            return [atom for _, atoms in self.args for atom in atoms]
        if self.op == "load":
            return [self.args[1]] if self.args[1] is not None else []
        return [a for a in self.args if isinstance(a, Expr)]


class Expressions:
    """Makes expressions; keeps one of each and folds what is already known."""

    def __init__(self):
        self._known = {}
        self.name, self.line = "", ""  # stamped on new expressions

    def _make(self, op, args):
        if op == "poly":
            key = op, tuple((c, tuple(map(id, atoms))) for c, atoms in args)
        else:
            key = op, tuple(id(a) if isinstance(a, Expr) else (type(a), a) for a in args)
        if key not in self._known:
            node = Expr(op, args, len(self._known), self.name, self.line)
            below = node.children()
            node.axes = frozenset().union(*(c.axes for c in below))
            node.loads = frozenset().union(*(c.loads for c in below))
            node.cost = sum(c.cost for c in below)
            if op == "axis":
                node.axes = frozenset([node])
            elif op == "load":
                node.loads |= {args[0]}
            elif op not in CHEAP:
                node.cost += 10
            elif op not in ("num", "size", "poly"):
                node.cost += 1
            self._known[key] = node
        return self._known[key]

    def num(self, value) -> Expr:
        return self._make("num", (value,))

    def size(self, name: str) -> Expr:
        """A size that is known only when the program runs, e.g. N."""
        return self._make("size", (name,))

    def axis(self, level: int, size) -> Expr:
        """The loop variable of the `level`-th long dimension."""
        return self._make("axis", (level, size))

    def load(self, array: str, index: Expr | None) -> Expr:
        """array[index]; a plain JavaScript number if there is no index."""
        return self._make("load", (array, index))

    def call(self, op: str, *args: Expr) -> Expr:
        """An operator or function of numbers, folded where it is trivially known."""
        a = args[0]
        b = args[1] if len(args) > 1 else None
        known = [x.args[0] if x.op == "num" else None for x in args]
        if op in ("add", "sub", "mul", "div") and None not in known and (op != "div" or known[1]):
            x, y = known
            return self.num(
                x / y if op == "div" else {"add": x + y, "sub": x - y, "mul": x * y}[op]
            )
        if op == "neg" and known[0] is not None:
            return self.num(-known[0])
        if op in ("add", "sub") and known[1] == 0 and b.op == "num":
            return a
        if op == "add" and known[0] == 0 and a.op == "num":
            return b
        if op in ("mul", "div") and known[1] == 1 and b.op == "num":
            return a
        if op == "mul" and known[0] == 1 and a.op == "num":
            return b
        if op == "where" and known[0] is not None:
            return args[1] if known[0] else args[2]
        return self._make(op, args)

    # Indices and sizes are polynomials with whole coefficients: {factors: coefficient}, so that
    # 2 * (2 * i + 1) and 4 * i + 2 are the same expression.

    def terms(self, value) -> dict:
        """The polynomial of an int or an expression."""
        if isinstance(value, int):
            return {(): value} if value else {}
        if value.op == "num" and isinstance(value.args[0], int):
            return self.terms(value.args[0])
        if value.op == "poly":
            return {atoms: coefficient for coefficient, atoms in value.args}
        return {(value,): 1}

    def poly(self, terms: dict) -> Expr:
        """The expression of a polynomial."""
        terms = {atoms: c for atoms, c in terms.items() if c}
        if not terms:
            return self.num(0)
        if set(terms) == {()}:
            return self.num(terms[()])
        if len(terms) == 1 and 1 in terms.values() and len(next(iter(terms))) == 1:
            return next(iter(terms))[0]
        order = sorted(terms, key=lambda atoms: (not atoms, [a.order for a in atoms]))
        return self._make("poly", tuple((terms[atoms], atoms) for atoms in order))

    def plus(self, *values) -> Expr:
        """Sum of sizes or indices."""
        total = {}
        for value in values:
            for atoms, c in self.terms(value).items():
                total[atoms] = total.get(atoms, 0) + c
        return self.poly(total)

    def times(self, *values) -> Expr:
        """Product of sizes or indices."""
        product = {(): 1}
        for value in values:
            new = {}
            for left, c in product.items():
                for right, d in self.terms(value).items():
                    atoms = tuple(sorted(left + right, key=lambda a: a.order))
                    new[atoms] = new.get(atoms, 0) + c * d
            product = new
        return self.poly(product)

    def replace(self, node: Expr, new: dict[Expr, Expr]) -> Expr:
        """The expression with some of its parts exchanged."""
        memo = dict(new)
        touched = set(new)

        def visit(e):
            if e in memo:
                return memo[e]
            below = e.children()
            fresh = [visit(c) for c in below]
            if all(a is b for a, b in zip(below, fresh, strict=True)):
                memo[e] = e
            else:
                memo[e] = self._rebuild(e, dict(zip(below, fresh, strict=True)))
            return memo[e]

        return visit(node) if touched else node

    def _rebuild(self, e, fresh):
        if e.op == "poly":
            parts = [self.times(c, *(fresh[a] for a in atoms)) for c, atoms in e.args]
            return self.plus(*parts)
        before = self.name, self.line
        self.name, self.line = e.name, e.line
        args = [fresh.get(a, a) if isinstance(a, Expr) else a for a in e.args]
        made = self.load(*args) if e.op == "load" else self.call(e.op, *args)
        self.name, self.line = before
        return made


def number(value) -> str:
    """A Python number as JavaScript text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        if value == int(value) and abs(value) < 1e15:
            return "-0" if value == 0 and math.copysign(1, value) < 0 else str(int(value))
    return repr(value)


LOOP_NAMES = "ijklmnop"


def text(e: Expr, names: dict[Expr, str], used: set[str] | None = None) -> str:
    """JavaScript of an expression; parts that have a variable in `names` are not repeated.

    Args:
        e: The expression.
        names: Variables that hold some of its parts.
        used: The names of all variables and arrays in the text are added to this set.
    """
    return _text(e, names, set() if used is None else used)[0]


def _text(e, names, used):
    """(text, precedence)."""
    if e in names:
        used.add(names[e])
        return names[e], ATOM
    if e.op == "num":
        written = number(e.args[0])
        return written, UNARY if written.startswith("-") else ATOM
    if e.op == "size":
        used.add(e.args[0])
        return e.args[0], ATOM
    if e.op == "axis":
        return LOOP_NAMES[e.args[0]], ATOM
    if e.op == "load":
        array, index = e.args
        used.add(array)
        return (array if index is None else f"{array}[{text(index, names, used)}]"), ATOM
    if e.op == "poly":
        return _polynomial(e, names, used)
    if e.op in FUNCTIONS:
        return f"{FUNCTIONS[e.op]}({', '.join(text(a, names, used) for a in e.args)})", ATOM
    form, precedence, needs = OPERATORS[e.op]
    parts = []
    for arg, need in zip(e.args, needs, strict=True):
        written, own = _text(arg, names, used)
        parts.append(f"({written})" if own < need else written)
    return form.format(*parts), precedence


def _polynomial(e, names, used):
    out = ""
    for c, atoms in e.args:
        factors = [str(abs(c))] if abs(c) != 1 or not atoms else []
        for atom in atoms:
            written, own = _text(atom, names, used)
            factors.append(f"({written})" if own < UNARY else written)
        term = " * ".join(factors)
        out += (f" {'-' if c < 0 else '+'} " if out else "-" * (c < 0)) + term
    return out, ADD if len(e.args) > 1 else MUL
