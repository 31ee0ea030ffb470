"""A torch function becomes a small JavaScript function.

    program = compile(function, *example_inputs)
    print(program.code)

`program.code` is a JavaScript expression `(data, live) => function (...) {...}`: `data` are the
constants and weights, `live` the runtime (runtime.py). README.md has the whole convention.
"""

import base64
import ctypes
import hashlib
import inspect
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch.utils import _pytree as pytree

from . import (  # noqa: F401  (those of operations register handlers)
    ops_elementwise,
    ops_matmul,
    ops_reduce,
    ops_shape,
    runtime,
)
from .dtypes import ARRAYS, instead, kind_of
from .errors import CompileError
from .expr import Expr, text
from .lower import HANDLERS, Lowering
from .ops_matmul import code
from .program import Writer, comment_text
from .tensors import Value
from .trace import trace

Lowering.code = staticmethod(code)

# Numbers that are computed before the first call: more than these take longer than a picture of 60
# in a second, and a page may want to compute them bit by bit.
MUCH = 1_000_000


@dataclass
class Program:
    """A compiled function.

    Attributes:
        name: Name of the function.
        code: JavaScript expression `(data, live) => function name(...) {...}`.
        data: Constants, name -> {"kind", "values" (base64 of little-endian numbers)}.
        inputs: Names of the arguments, in order.
        shapes: Shape of each output, in the order in which the pytree is flattened.
        often: It may call what only `runtime.text(often=True)` has.

    Example:
        >>> compile(lambda z, a: a * z, torch.zeros(5), 1.0, name="f").inputs
        ['z', 'a']
    """

    name: str
    code: str
    data: dict[str, dict]
    inputs: list[str]
    shapes: list[tuple] = field(default_factory=list)
    often: bool = False

    @property
    def id(self) -> str:
        """A short hash of code and data: equal programs have equal ids."""
        whole = json.dumps([self.code, self.data], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()[:12]

    def module(self) -> str:
        """A self-contained ES module that exports the function."""
        return (
            f"{runtime.text(self.often)}\nconst data = live.decode({json.dumps(self.data)});\n"
            f"export const {self.name} = ({self.code})(data, live);\n"
        )


def compile(
    function,
    *examples,
    dynamic: Sequence[int] = (0,),
    name: str | None = None,
    free: Sequence[int] = (),
    later: Sequence[int] = (),
    often: bool = False,
) -> Program:
    """Turn a torch function into JavaScript.

    Args:
        function: Takes tensors, numbers, and lists or dicts of tensors; returns a tensor, or a
            list, tuple or dict of them. Tensors and modules it closes over become data.
        examples: One example of each argument. Numbers become tensors without dimensions.
        dynamic: Arguments whose first dimension (the number of points) may differ between calls.
            Arguments with the same number of points in the examples always share it.
        name: Name of the JavaScript function; the torch function's by default.
        free: Lengths. Where a dimension of an example has one of them, it may differ between calls,
            and those with the same length in the examples stay the same. (For widths of networks:
            choose lengths that nothing else has.)
        later: Arguments that come in a second call. The function then returns a pair, and the
            program makes a pair of functions: the first takes the other arguments and returns the
            first half; `then` takes these and returns the second, with all that the first has
            computed. (For gradients: what goes back is known only when all has gone forth.)
        often: The function is called thousands of times, as in a training. The program then needs
            more of the runtime: `runtime.text(often=True)`.

    Returns:
        The program.

    Raises:
        CompileError: If an operation is not supported. It names the operation, the line of the
            function it came from, and what to write instead.

    Example:
        >>> program = compile(lambda z, a: torch.tanh(a * z), torch.zeros(5), 1.0, name="f")
        >>> print(program.code)
        (data, live) => {
          return function f(z, a) {
            const N = live.points("z", z);
            const tanh = new Float32Array(N);
            for (let i = 0; i < N; i++) {
              // <lambda>: program = compile(lambda z, a: ...
              tanh[i] = live.tanh(a * z[i]);
            }
            return tanh;
          };
        }
    """
    names = _argument_names(function, len(examples))
    leaves, structure, labels = _flatten(examples, names)
    dynamic = {names[k] for k in dynamic if k < len(names)}
    moves = [
        {d for d, n in enumerate(leaf.shape) if n in free or (d == 0 and label[0] in dynamic)}
        for label, leaf in zip(labels, leaves, strict=True)
    ]
    out_structure = None

    def flat(*tensors):
        nonlocal out_structure
        out, out_structure = pytree.tree_flatten(
            function(*pytree.tree_unflatten(list(tensors), structure))
        )
        return [v if isinstance(v, torch.Tensor) else torch.full((), v) for v in out]

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 20_000))  # long chains of operations nest deeply
    try:
        shown = [".".join(map(str, label)) for label in labels]
        module = trace(flat, leaves, moves, HANDLERS, shown)
        low = Lowering()
        low.program.often = often
        heads = {name: low.program.fresh(name) for name in names}  # the caller passes by position
        wished = [heads[label[0]] if len(label) == 1 else "_".join(map(str, label))
                  for label in labels]  # fmt: skip
        second = {names[k] for k in later}
        late = [label[0] in second for label in labels]
        outputs = low.run(module, wished, [len(label) == 1 for label in labels], late)
        wanted = low.program.fresh(name or getattr(function, "__name__", "f"))
        checks = _head(low, heads, labels, leaves, moves, late)
        checks[0] += _guards(low, module, wanted)
        parameters = [[heads[k] for k in names if (k in second) == then] for then in (False, True)]
        made, results = _write(low, outputs, parameters, checks, out_structure, wanted)
    finally:
        sys.setrecursionlimit(limit)
    data = {key: encode(tensor) for key, tensor in low.data.items()
            if key in low.program.arrays and _is_used(low.program, key)}  # fmt: skip
    return Program(wanted, made, data, names, results, often)


def _argument_names(function, count):
    try:
        names = [p for p in inspect.signature(function).parameters][:count]
    except (TypeError, ValueError):
        names = []
    return names + [f"argument{k}" for k in range(len(names), count)]


def _flatten(examples, names):
    """Leaves as tensors, the structure, and a label (name, key, key, ...) for each leaf."""
    pairs, structure = pytree.tree_flatten_with_path(list(examples))
    leaves, labels = [], []
    for path, leaf in pairs:
        keys = [getattr(k, "key", getattr(k, "idx", None)) for k in path]
        if not isinstance(leaf, (torch.Tensor, bool, int, float)):
            raise CompileError(
                f"the argument {'.'.join(map(str, (names[keys[0]], *keys[1:])))} is {leaf!r}", "",
                "a tensor or a number; what is neither, the function may close over",
            )  # fmt: skip
        leaf = torch.as_tensor(leaf)
        if leaf.dtype not in ARRAYS:
            raise CompileError(f"numbers of {leaf.dtype} cannot become JavaScript", "",
                               instead(leaf.dtype))  # fmt: skip
        leaves.append(leaf.detach())
        labels.append((names[keys[0]], *keys[1:]))
    return leaves, structure, labels


def _is_used(program, name):
    return any(name in step.reads() for step in program.steps) or name in program.mentioned


def encode(tensor: torch.Tensor) -> dict:
    """A tensor as JSON: base64 of its numbers, in the smallest form that loses nothing."""
    tensor = tensor.detach().cpu().contiguous()
    kind = kind_of(tensor.dtype)
    if tensor.dtype.is_floating_point and _same(tensor, tensor.float()):
        half = _same(tensor, tensor.half())
        kind, tensor = ("Float16", tensor.half()) if half else ("Float32Array", tensor.float())
    elif tensor.dtype == torch.int64:
        small = tensor.to(torch.int32)
        kind, tensor = ("Int32Array", small) if small.equal(tensor) else (kind, tensor.double())
    return {"kind": kind, "values": base64.b64encode(numbers(tensor)).decode()}


def numbers(tensor: torch.Tensor) -> bytes:
    """The memory of a contiguous tensor. (torch's own way to its bytes goes through NumPy.)"""
    return ctypes.string_at(tensor.data_ptr(), tensor.nbytes) if tensor.numel() else b""


def _same(tensor, rounded) -> bool:
    back = rounded.to(tensor.dtype)
    return bool(((back == tensor) | (back.isnan() & tensor.isnan())).all())


def _write(low, outputs, parameters, checks, out_structure, function_name):
    """Text of the whole function (or of both), and the shapes of its outputs."""
    program = low.program
    results = []
    for value in outputs:
        value = low.value(value) if not isinstance(value, Value) else value
        if value.shape == ():
            results.append(value)
            continue
        array = program.arrays.get(value.array)
        if array is None or array.role != "scratch":
            value = low.tensors.stored(value, role="output", force=True)
        program.arrays[value.array].role = "output"
        results.append(value)
    program.mentioned = {n for v in results if v.shape == () for n in v.scalar.loads}
    for name in program.mentioned:
        program.arrays[name].role = (
            "output" if program.arrays[name].role == "scratch" else program.arrays[name].role
        )
    program.drop_unused()
    once, each = program.find_fixed()
    arrays = {v.array for v in results if v.shape != ()}
    program.verify(once, each, arrays | program.mentioned)
    writer = Writer(program, (s.args[0] for s in low.sizes.values()))
    for step in once:
        writer.step(step)
    setup, outside = writer.lines, dict(writer.names)
    ahead = program.fresh("ahead") if _takes_long(low, setup) else ""
    if ahead:
        setup = [f"  const {ahead} = [", *map(_as_step, setup), "  ];"]
        checks[0].append(f"  while ({ahead}.length) {ahead}.shift()();")
    bodies = []
    texts = [None] * len(results)
    trees = out_structure.children() if program.late else [out_structure]
    which = [k for k, tree in enumerate(trees) for _ in range(tree.num_leaves)]
    for then, tree in enumerate(trees):
        writer.lines, writer.names = [], dict(outside)  # they go into the function
        steps = [s for s in each if program.late.isdisjoint(s.reads()) != bool(then)]
        for step in steps:
            writer.step(step)
        for k, v in enumerate(results):
            if which[k] == then:
                texts[k] = writer.value(v.scalar) if v.shape == () else v.array
        others = set().union(*(s.writes() for s in each if s not in steps))
        own = set(program.arrays) - program.fixed - others
        back = _literal(
            pytree.tree_unflatten([t for t, k in zip(texts, which, strict=True) if k == then], tree)
        )
        bodies.append([*checks[then], *_arrays(program, own), *writer.lines, f"  return {back};"])
    if program.late:
        bodies = _hand_over(low, bodies)
    used = [
        n for n in low.data if any(n in s.reads() for s in program.steps) or n in program.mentioned
    ]
    first = [f"  const {{ {', '.join(used)} }} = data;"] if used else []
    if any("scratch(" in line for body in bodies for line in body):
        first.append("  const scratch = live.scratch();")
    fixed = _arrays(program, program.fixed, fixed=True)
    lines = ["(data, live) => {", *first, *fixed, *writer.parts, *setup]
    lines += ["  let kept;", "  return ["] if program.late else []
    start, end = ("", ",") if program.late else ("return ", ";")
    if ahead:
        start, end = "return Object.assign(", f", {{ ahead: {ahead} }});"
    for called, arguments, body in zip((function_name, "then"), parameters, bodies, strict=False):
        lines.append(f"  {start}function {called}({', '.join(arguments)}) {{")
        lines += [*("  " + line for line in body), f"  }}{end}"]
    lines += ["  ];", "}"] if program.late else ["}"]
    return "\n".join(lines), [tuple(code(s) for s in v.shape) for v in results]


def _takes_long(low, setup: list[str]) -> bool:
    """Do the steps before the first call fill more than `MUCH`? (Each of them is one call then.)"""
    program = low.program
    if program.late or program.often:
        return False
    sizes = [program.arrays[name].size for name in program.fixed]
    filled = sum(size.args[0] for size in sizes if size is not None and size.op == "num")
    return filled > MUCH and all(re.match(r"  //|  [\w.]+\(.*\);$", line) for line in setup)


def _as_step(line: str) -> str:
    """A call, not now but when it is asked for; comments stay."""
    return f"  {line}" if line.startswith("  //") else f"    () => {line.strip(' ;')},"


def _hand_over(low, bodies) -> list[list[str]]:
    """The first of two functions leaves what the second one uses of its names."""
    first, second = bodies
    made = {n for line in first for n in re.findall(r"^  const (\w+) =", line)}
    made |= {n for n in low.inputs if n not in low.program.late}
    text = "\n".join(line for line in second if not line.lstrip().startswith("//"))
    names = ", ".join(n for n in dict.fromkeys(re.findall(r"\b[A-Za-z_]\w*", text)) if n in made)
    return [
        [*first[:-1], f"  kept = {{ {names} }};", first[-1]],
        [f"  const {{ {names} }} = kept;", *second],
    ]


def _head(low, heads, labels, leaves, moves, late):
    """Arguments and sizes, in each of two calls; one of a size that was not compiled for throws."""
    checks, known, waiting = [[], []], set(), []
    values = list(low.values.values())  # the arguments come first in the graph
    given = list(zip(low.inputs, labels, values, leaves, moves, late, strict=False))
    for name, label, value, leaf, moving, is_late in sorted(given, key=lambda g: g[-1]):
        lines = checks[is_late]
        if len(label) > 1:
            path = "".join(f"[{json.dumps(key)}]" for key in label[1:])
            lines.append(f"  const {name} = {heads[label[0]]}{path};")
        if leaf.ndim:
            waiting.append((name, json.dumps(".".join(map(str, label))), value, leaf, moving))
        left = len(waiting) + 1
        while len(waiting) < left:  # a size that is known now may tell another one
            left, again = len(waiting), waiting
            waiting = [w for w in again if not _size_of(low, *w, known, lines)]
    if waiting:
        raise CompileError(
            f"two free lengths in one argument, {waiting[0][1]}, cannot be told apart", "",
            "an argument before it that has one of them alone",
        )  # fmt: skip
    return checks


def _size_of(low, name, shown, value, leaf, moving, known, lines) -> bool:
    """The check of an argument's size, or its one unknown length; False if it has several."""
    unknown = [d for d in sorted(moving)
               if isinstance(value.shape[d], Expr) and value.shape[d] not in known]  # fmt: skip
    if len(unknown) > 1:
        return False
    if unknown:
        (d,) = unknown
        known.add(value.shape[d])
        others = [s for k, s in enumerate(value.shape) if k != d]
        each = text(low.x.times(*others), {}) if others else "1"
        each = "" if each == "1" else f", {each}"
        lines.append(f"  const {value.shape[d].args[0]} = live.points({shown}, {name}{each});")
    else:
        size = text(low.tensors.count(value.shape), {})
        lines.append(f"  live.expect({shown}, {name}, {size});")
    return True


def _guards(low, module, function_name):
    """What torch assumed of the sizes while it traced, as checks."""
    lines = []
    for guard, line in module.meta["guards"]:
        if not guard.free_symbols <= {s for s in guard.free_symbols if s.name in low.sizes}:
            continue
        low.node = None
        condition = text(low.symbolic(guard), {})
        message = f"{function_name} was compiled for other sizes: {condition} does not hold"
        message += f" in {comment_text(line)}" if line else ""
        lines.append(f"  live.require({condition}, {json.dumps(message)});")
    return lines


def _arrays(program, names, fixed=False):
    """Declarations of the arrays of these names: made once (fixed), or for each call."""
    lines = []
    for array in program.arrays.values():
        if array.size is None or array.name not in names:
            continue
        size = text(array.size, {})
        if array.role == "output" or fixed:
            lines.append(f"  const {array.name} = new {array.kind}({size});")
        elif array.role == "scratch":
            kind = "" if array.kind == "Float32Array" else f", {array.kind}"
            lines.append(f'  const {array.name} = scratch("{array.name}", {size}{kind});')
    return lines


def _key(name: str) -> str:
    if name == "__proto__":  # without brackets it would be another thing
        return '["__proto__"]'
    return name if name.isidentifier() and name.isascii() else json.dumps(name)


def _literal(tree) -> str:
    """JavaScript literal of a nest of lists and dicts of texts."""
    if isinstance(tree, dict):
        pairs = (f"{_key(str(k))}: {_literal(v)}" for k, v in tree.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(tree, (list, tuple)):
        return "[" + ", ".join(_literal(v) for v in tree) + "]"
    return tree


__all__ = ["CompileError", "Program", "compile"]
