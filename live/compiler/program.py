"""Loop nests and their JavaScript text.

A compiled function is a list of steps. A `Nest` is a loop nest that computes elements and stores
them; a `Call` is one call of a runtime routine such as a matrix product. Stores with the same
loops share a nest, and what is stored and read again at the same place stays in a variable.
"""

import json
import re
from dataclasses import dataclass, field

from .errors import CompileError
from .expr import LOOP_NAMES, Expr, Expressions, text

LONG = 12  # steps above which each nest becomes a function of its own
WIDTH = 88  # characters of an expression before part of it gets a name
# A number with a fraction, as a weight is: it has more or fewer digits by chance.
FRACTION = re.compile(r"(?<![\w.])\(?-?\d+(?:\.\d+(?:e[-+]?\d+)?|e[-+]?\d+)\)?")
TYPICAL = "-0.10818930715322495"
RESERVED = frozenset(
    "arguments await break case catch class const continue data debugger default delete do else "
    "enum eval export extends false finally for function if implements import in instanceof "
    "interface let live new null package private protected public return scratch static super "
    "switch this throw true try typeof undefined var void while with yield async Infinity NaN Math "
    "Array Error JSON Number Object RangeError Float32Array Float64Array Int8Array Int16Array "
    "Int32Array Uint8Array globalThis self window document".split()
) | set(LOOP_NAMES)


@dataclass
class Array:
    """A typed array, or a plain number if `size` is None."""

    name: str
    size: Expr | None
    kind: str = "Float32Array"
    role: str = "scratch"  # or input, data, output
    line: str = ""


@dataclass
class Nest:
    """Loops over `axes`. The last `reduced` of them are summed (or max-ed, ...) over."""

    axes: tuple[Expr, ...]
    reduced: int = 0
    combine: str = "add"
    start: Expr | None = None
    stores: dict = field(default_factory=dict)  # (array name, index) -> value

    def reads(self) -> set[str]:
        return set().union(*(value.loads for value in self.stores.values()))

    def writes(self) -> set[str]:
        return {name for name, _ in self.stores}


@dataclass
class Call:
    """One call of a runtime routine."""

    code: str
    inputs: set[str]
    outputs: set[str]
    line: str = ""
    keep: bool = False  # it is there for what it does, not for its outputs

    def reads(self):
        return self.inputs

    def writes(self):
        return self.outputs


class Program:
    """Collects arrays and steps, then writes the function."""

    def __init__(self, x: Expressions):
        self.x = x
        self.arrays: dict[str, Array] = {}
        self.steps: list[Nest | Call] = []
        self.written: dict[str, int] = {}  # array -> last step that writes it
        self.taken = set(RESERVED)
        self.fixed: set[str] = set()  # arrays that are the same on every call
        self.late: set[str] = set()  # arrays that are known only in the second of two calls
        self.often = False  # may call the routines of `runtime.text(often=True)`

    def fresh(self, wish: str) -> str:
        """An unused variable name close to `wish`."""
        wish = "".join(c if f"a{c}".isidentifier() else "_" for c in wish).strip("_") or "t"
        wish = wish if wish.isidentifier() else f"_{wish}"
        name, k = wish, 1
        while name in self.taken:
            k += 1
            name = f"{wish}_{k}"
        self.taken.add(name)
        return name

    def array(self, wish, size, kind="Float32Array", role="scratch", line="") -> Array:
        """Declare an array."""
        made = Array(self.fresh(wish), size, kind, role, line)
        self.arrays[made.name] = made
        return made

    def check(self, condition: Expr, message: str, line: str):
        """Append a check: the program throws where the condition does not hold."""
        held = self.array("holds", None, "Uint8Array", line=line)
        self.store((), {(held.name, None): condition})
        words = json.dumps(f"{message}{' in ' + comment_text(line) if line else ''}")
        self.call(f"live.require({held.name}, {words});", {held.name}, set(), line)
        self.steps[-1].keep = True

    def call(self, code, inputs, outputs, line=""):
        """Append a call of the runtime."""
        if all(self.arrays[n].role == "data" or n in self.fixed for n in inputs):
            self.fixed |= set(outputs)
        if not self.late.isdisjoint(inputs):
            self.late |= set(outputs)
        self.steps.append(Call(code, set(inputs), set(outputs), line))
        for name in outputs:
            self.written[name] = len(self.steps) - 1

    def reduce(self, axes, reduced, combine, start, stores):
        """Append a reduction; `axes` ends with the `reduced` ones that disappear.

        It joins an earlier reduction over the same loops if all that it reads is there by then.
        """
        ready = max((self.written.get(n, -1) for v in stores.values() for n in v.loads), default=-1)
        when = self.mark(axes, stores)
        for place in range(ready + 1, len(self.steps)):
            step = self.steps[place]
            if isinstance(step, Nest) and self.when(axes, step.reads()) != when:
                continue
            if isinstance(step, Nest) and (step.axes, step.reduced, step.combine) == (
                tuple(axes), reduced, combine) and step.start is start:  # fmt: skip
                break
        else:
            self.steps.append(Nest(tuple(axes), reduced, combine, start))
            place = len(self.steps) - 1
        self.steps[place].stores.update(stores)
        for name, _ in stores:
            self.written[name] = place

    def store(self, axes, stores):
        """Store elements: in the first nest with these loops where all they read is ready."""
        axes = tuple(axes)
        loads = set().union(*(v.loads for v in stores.values()))
        when = self.mark(axes, stores)
        ready = max((self.written.get(n, -1) for n in loads), default=-1)
        for place in range(max(ready, 0), len(self.steps)):
            nest = self.steps[place]
            if not isinstance(nest, Nest) or nest.axes != axes or nest.reduced:
                continue
            if self.when(axes, nest.reads()) != when:
                continue
            forward = {self.x.load(*key): value for key, value in nest.stores.items()}
            new = {key: self.x.replace(value, forward) for key, value in stores.items()}
            own = nest.writes()
            if not any(v.loads & own for v in new.values()):
                break
        else:
            nest, new, place = Nest(axes), stores, len(self.steps)
            self.steps.append(nest)
        nest.stores.update(new)
        for name, _ in stores:
            self.written[name] = max(place, self.written.get(name, -1))

    def when(self, axes, loads) -> tuple[bool, bool]:
        """When a step with these loops and reads runs: before all calls? In the second of two?"""
        return self.is_fixed(axes, loads), not self.late.isdisjoint(loads)

    def mark(self, axes, stores) -> tuple[bool, bool]:
        """When these stores happen; notes it of what they write."""
        is_fixed, is_late = when = self.when(axes, set().union(*(v.loads for v in stores.values())))
        names = {name for name, _ in stores}
        self.fixed |= names if is_fixed else set()
        self.late |= names if is_late else set()
        return when

    def is_fixed(self, axes, loads) -> bool:
        """Does a step with these loops and reads give the same on every call?"""
        if any(isinstance(axis.args[1], Expr) for axis in axes):
            return False
        return all(self.arrays[n].role == "data" or n in self.fixed for n in loads)

    def find_fixed(self):
        """Steps that depend on no argument: they run once, before the first call."""
        fixed = [isinstance(s, Call) or self.is_fixed(s.axes, ()) for s in self.steps]
        constant = {a.name for a in self.arrays.values() if a.role == "data"}
        while True:
            moving = set().union(
                *(s.writes() for s, ok in zip(self.steps, fixed, strict=True) if not ok)
            )
            known = constant | set().union(*(s.writes() for s in self.steps)) - moving
            new = [ok and s.reads() <= known and s.writes().isdisjoint(moving)
                   for s, ok in zip(self.steps, fixed, strict=True)]  # fmt: skip
            if new == fixed:
                break
            fixed = new
        self.fixed = set().union(
            *(s.writes() for s, ok in zip(self.steps, fixed, strict=True) if ok)
        )
        return [s for s, ok in zip(self.steps, fixed, strict=True) if ok], [
            s for s, ok in zip(self.steps, fixed, strict=True) if not ok
        ]

    def drop_unused(self):
        """Remove stores to arrays that no other step reads and that are no result."""
        while True:
            used = {a.name for a in self.arrays.values() if a.role == "output"}
            used |= set().union(*(step.reads() for step in self.steps))
            for nest in (s for s in self.steps if isinstance(s, Nest)):
                nest.stores = {k: v for k, v in nest.stores.items() if k[0] in used}
            kept = [
                s
                for s in self.steps
                if (s.stores if isinstance(s, Nest) else s.keep or s.outputs & used)
            ]
            if len(kept) == len(self.steps):
                break
            self.steps = kept
        touched = used | set().union(*(step.writes() for step in self.steps))
        self.arrays = {
            n: a for n, a in self.arrays.items() if n in touched or a.role in ("input", "data")
        }

    def verify(self, once, each, results: set[str]):
        """Every name that is read was declared, and written before.

        Args:
            once: Steps that run before the first call.
            each: Steps of each call.
            results: Arrays that are returned.

        Raises:
            CompileError: If not. That would be a fault of this compiler, and no wrong numbers.
        """
        known = {a.name for a in self.arrays.values() if a.role in ("data", "input")}
        known |= {a.name for a in self.arrays.values() if a.size and a.size.args[0] == 0}
        for step in [*once, *each]:
            self._must_be(step.reads(), known, step)
            self._must_be(step.writes(), set(self.arrays), step)
            known |= step.writes()
        self._must_be(results, known, None)

    def _must_be(self, names, known, step):
        if missing := sorted(names - known):
            line = getattr(step, "line", "") or self.arrays.get(missing[0], Array("", None)).line
            raise CompileError(f"the compiler lost {', '.join(missing)} (a fault of the compiler)",
                               line, "please report it")  # fmt: skip


def comment_text(line: str) -> str:
    """A line of the user's as a comment of one line: what ends a line in JavaScript is escaped.

    Args:
        line: Any text.

    Returns:
        Text without line ends and control characters.

    Example:
        >>> print(comment_text("f: x = 1 # \\u2028alert(1)"))
        f: x = 1 # \\u2028alert(1)
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


class Writer:
    """Turns a program into the lines of a JavaScript function.

    In a long program each nest becomes a small function of its own: engines optimise whole
    functions, and a huge one would run slowly for its first second.
    """

    def __init__(self, program: Program, sizes=()):
        self.program, self.sizes = program, set(sizes)
        self.names: dict[Expr, str] = {}  # variables of the whole function
        self.lines: list[str] = []
        self.parts: list[str] = []  # the small functions
        self.split = len(program.steps) > LONG

    def comment(self, line: str, out: list[str], pad: str):
        """The torch line, unless the previous comment of this block is the same."""
        line = comment_text(line)
        previous = next((s for s in reversed(out) if s.lstrip().startswith("//")), "")
        if line and previous != f"{pad}// {line}":
            out.append(f"{pad}// {line}")

    def step(self, step):
        if isinstance(step, Call):
            self.comment(step.line, self.lines, "  ")
            self.lines.append(f"  {step.code}")
        else:
            NestWriter(self, step).write()

    def value(self, e: Expr) -> str:
        """Text of a value without loop variables, for the return statement."""
        nest = NestWriter(self, Nest(()))
        nest.prepare(e)
        self.lines += nest.blocks[0]
        return nest.text(e)


def width(written: str) -> int:
    """The length of a text, in which all numbers with a fraction count as equally long.

    Else the code would depend on the last digits of weights: on the machine that trained them.

    Example:
        >>> width("w * 0.5") == width("w * -0.1234567890123456") == width("w * 1e-07")
        True
    """
    return len(FRACTION.sub(TYPICAL, written))


class NestWriter:
    """Writes one nest: each part goes as far out of the loops as it can."""

    def __init__(self, writer: Writer, nest: Nest):
        self.writer, self.nest = writer, nest
        self.depth = {axis: k + 1 for k, axis in enumerate(nest.axes)}
        self.blocks = [[] for _ in range(len(nest.axes) + 1)]  # statements by loop depth
        self.names = dict(writer.names)
        self.seen = set()
        self.sums, self.after = [], []  # around the loops of a reduction over everything
        self.uses = self.count_uses()
        self.used = set(nest.writes())  # names in the text

    def text(self, e: Expr) -> str:
        return text(e, self.names, self.used)

    def level(self, e: Expr) -> int:
        """How deep in the loops e has to be computed; 0 is outside of all."""
        return max((self.depth[a] for a in e.axes), default=0)

    def count_uses(self):
        uses, seen, stack = {}, set(), list(self.nest.stores.values())
        for e in stack:
            uses[e] = uses.get(e, 0) + 1
        while stack:
            e = stack.pop()
            if e in seen or e in self.names:
                continue
            seen.add(e)
            for child in e.children():
                uses[child] = uses.get(child, 0) + 1
                stack.append(child)
        return uses

    @staticmethod
    def is_plain(e: Expr) -> bool:
        """A number, a size, a loop variable, a sum of them, a scalar variable."""
        if e.op == "poly":
            return all(NestWriter.is_plain(c) for c in e.children())
        return e.op in ("num", "size", "axis") or (e.op == "load" and e.args[1] is None)

    def prepare(self, e: Expr):
        """Declare the variables that e needs, innermost parts first."""
        if e in self.seen or e in self.names or self.is_plain(e):
            return
        self.seen.add(e)
        for child in e.children():
            self.prepare(child)
            if not self.is_plain(child) and child not in self.names:
                moves_out = self.level(child) < self.level(e)
                shared = self.uses.get(child, 0) > 1
                long = width(text(child, self.names)) > WIDTH
                if moves_out or shared or long:
                    self.declare(child)

    def declare(self, e: Expr):
        """`const name = ...;` at the level where e can be computed."""
        if e.op == "load":
            place = e.args[1].args[0] if e.args[1].op == "num" else "at"
            wish = e.args[0] if self.level(e) else f"{e.args[0]}_{place}"
            wish = wish if self.level(e) == 0 else f"{wish}_{LOOP_NAMES[self.level(e) - 1]}"
        else:
            wish = e.name or "t"
        level = self.level(e)
        name = self.writer.program.fresh(wish)
        pad = "  " * (level + 1)
        self.writer.comment(e.line, self.blocks[level], pad)
        self.blocks[level].append(f"{pad}const {name} = {self.text(e)};")
        self.names[e] = name
        if level == 0:
            self.writer.names[e] = name

    def finish(self, e: Expr) -> str:
        """Text of a root, with an own variable if it is shared or belongs further out."""
        self.prepare(e)
        if not self.is_plain(e) and e not in self.names:
            if self.uses.get(e, 0) > 1 or self.level(e) < len(self.nest.axes):
                self.declare(e)
        return self.text(e)

    def write(self):
        nest, inner = self.nest, len(self.nest.axes)
        if nest.reduced:
            self.write_reduction()
        else:
            pad = "  " * (inner + 1)
            for (name, index), value in nest.stores.items():
                done = self.finish(value)
                array = self.writer.program.arrays[name]
                self.writer.comment(value.line or array.line, self.blocks[inner], pad)
                if index is None:
                    self.blocks[inner].append(f"{pad}const {name} = {done};")
                else:
                    self.prepare(index)
                    self.blocks[inner].append(f"{pad}{name}[{self.text(index)}] = {done};")
        before, loops = self.blocks[0], self.assemble()
        self.writer.lines += before
        if self.writer.split and nest.axes:
            self.split_off(loops)
        else:
            self.writer.lines += loops

    def split_off(self, loops):
        """The loops as a function of all that they use; numbers they sum up are returned."""
        writer = self.writer
        results = [name for name, index in self.nest.stores if index is None]
        known = {*writer.program.arrays, *writer.names.values(), *writer.sizes} - set(results)
        names = ", ".join(sorted(self.used & known))
        wish = next(iter(self.nest.stores))[0]
        name = writer.program.fresh(f"compute_{wish}")
        back = [f"    return [{', '.join(results)}];"] if results else []
        writer.parts += [f"  function {name}({names}) {{", *("  " + s for s in loops), *back, "  }"]
        got = f"const [{', '.join(results)}] = " if results else ""
        writer.lines.append(f"  {got}{name}({names});")

    def write_reduction(self):
        """let total = 0; for (...) total += ...; then the store, outside the reduced loops."""
        nest, inner = self.nest, len(self.nest.axes)
        outer = inner - nest.reduced
        pad, out = "  " * (inner + 1), "  " * (outer + 1)
        start = text(nest.start, {})
        for (name, index), value in nest.stores.items():
            done = self.finish(value)
            array = self.writer.program.arrays[name]
            total = name if index is None else self.writer.program.fresh(f"total_{name}")
            block = self.blocks[outer] if outer else self.sums
            self.writer.comment(array.line, block, out)
            block.append(f"{out}let {total} = {start};")
            form = {"add": f"{total} += {done};", "mul": f"{total} *= {done};"}.get(
                nest.combine, f"{total} = Math.{nest.combine}({total}, {done});"
            )
            self.blocks[inner].append(pad + form)
            if index is not None:
                self.after.append(f"{out}{name}[{self.text(index)}] = {total};")

    def assemble(self) -> list[str]:
        """The blocks inside one another."""
        axes, outer = self.nest.axes, len(self.nest.axes) - self.nest.reduced
        lines, closing = list(self.sums), []
        for k, axis in enumerate(axes):
            pad = "  " * (k + 1)
            level, size = axis.args
            end = text(size, {}, self.used) if isinstance(size, Expr) else str(size)
            v = LOOP_NAMES[level]
            if k == outer and self.nest.reduced:
                closing.append(self.after)
            lines.append(f"{pad}for (let {v} = 0; {v} < {end}; {v}++) {{")
            closing.append([f"{pad}}}"])
            lines += self.blocks[k + 1]
        # What follows a reduction stands between the brackets of its own loops and the outer ones.
        for block in reversed(closing):
            lines += block
        return lines
