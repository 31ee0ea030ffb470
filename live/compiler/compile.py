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


@dataclass
class Program:
    """A compiled function.

    Attributes:
        name: Name of the function.
        code: JavaScript expression `(data, live) => function name(...) {...}`.
        data: Constants, name -> {"kind", "values" (base64 of little-endian numbers)}.
        inputs: Names of the arguments, in order.
        shapes: Shape of each output, in the order in which the pytree is flattened.

    Example:
        >>> compile(lambda z, a: a * z, torch.zeros(5), 1.0, name="f").inputs
        ['z', 'a']
    """

    name: str
    code: str
    data: dict[str, dict]
    inputs: list[str]
    shapes: list[tuple] = field(default_factory=list)

    @property
    def id(self) -> str:
        """A short hash of code and data: equal programs have equal ids."""
        whole = json.dumps([self.code, self.data], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()[:12]

    def module(self) -> str:
        """A self-contained ES module that exports the function."""
        return (
            f"{runtime.text()}\nconst data = live.decode({json.dumps(self.data)});\n"
            f"export const {self.name} = ({self.code})(data, live);\n"
        )


def compile(function, *examples, dynamic: Sequence[int] = (0,), name: str | None = None) -> Program:
    """Turn a torch function into JavaScript.

    Args:
        function: Takes tensors, numbers, and lists or dicts of tensors; returns a tensor, or a
            list, tuple or dict of them. Tensors and modules it closes over become data.
        examples: One example of each argument. Numbers become tensors without dimensions.
        dynamic: Arguments whose first dimension (the number of points) may differ between calls.
            Arguments with the same number of points in the examples always share it.
        name: Name of the JavaScript function; the torch function's by default.

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
        label[0] in dynamic and leaf.ndim > 0 for label, leaf in zip(labels, leaves, strict=True)
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
        heads = {name: low.program.fresh(name) for name in names}  # the caller passes by position
        wished = [heads[label[0]] if len(label) == 1 else "_".join(map(str, label))
                  for label in labels]  # fmt: skip
        outputs = low.run(module, wished, [len(label) == 1 for label in labels])
        wanted = low.program.fresh(name or getattr(function, "__name__", "f"))
        head = _head(low, heads, labels, leaves, moves) + _guards(low, module, wanted)
        made, results = _write(low, outputs, list(heads.values()), head, out_structure, wanted)
    finally:
        sys.setrecursionlimit(limit)
    data = {key: encode(tensor) for key, tensor in low.data.items()
            if key in low.program.arrays and _is_used(low.program, key)}  # fmt: skip
    return Program(wanted, made, data, names, results)


def _argument_names(function, count):
    try:
        names = [p for p in inspect.signature(function).parameters][:count]
    except (TypeError, ValueError):
        names = []
    return names + [f"argument{k}" for k in range(len(names), count)]


def _flatten(examples, names):
    """Leaves as tensors, the structure, and a label (name, key, key, ...) for each leaf."""
    pairs, structure = pytree.tree_flatten_with_path(list(examples))
    if len(names) < len(examples):
        names = names + [f"argument{k}" for k in range(len(names), len(examples))]
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


def _write(low, outputs, parameters, head, out_structure, function_name):
    """Text of the whole function, and the shapes of its outputs."""
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
    setup = writer.lines
    writer.lines = []  # the rest goes into the function
    for step in each:
        writer.step(step)
    texts = [writer.value(v.scalar) if v.shape == () else v.array for v in results]
    head = head + _arrays(program, fixed=False)
    returned = _literal(pytree.tree_unflatten(texts, out_structure))
    used = [
        n for n in low.data if any(n in s.reads() for s in program.steps) or n in program.mentioned
    ]
    first = [f"  const {{ {', '.join(used)} }} = data;"] if used else []
    if any("scratch(" in line for line in head):
        first.append("  const scratch = live.scratch();")
    lines = [
        "(data, live) => {", *first, *_arrays(program, fixed=True), *writer.parts, *setup,
        f"  return function {function_name}({', '.join(parameters)}) {{",
        *("  " + line for line in [*head, *writer.lines]),
        f"    return {returned};", "  };", "}",
    ]  # fmt: skip
    made = "\n".join(lines)
    return made, [tuple(code(s) for s in v.shape) for v in results]


def _head(low, heads, labels, leaves, moves):
    """Arguments and sizes; an argument of a size that was not compiled for throws."""
    lines, known = [], set()
    values = list(low.values.values())  # the arguments come first in the graph
    for name, label, value, leaf, moving in zip(low.inputs, labels, values, leaves, moves,
                                                strict=False):  # fmt: skip
        if len(label) > 1:
            path = "".join(f"[{json.dumps(key)}]" for key in label[1:])
            lines.append(f"  const {name} = {heads[label[0]]}{path};")
        if not leaf.ndim:
            continue
        shown = json.dumps(".".join(map(str, label)))
        if moving and value.shape[0] not in known and isinstance(value.shape[0], Expr):
            known.add(value.shape[0])
            each = "" if (k := leaf[0].numel() if len(leaf) else 1) == 1 else f", {k}"
            lines.append(f"  const {value.shape[0].args[0]} = live.points({shown}, {name}{each});")
        else:
            size = text(low.tensors.count(value.shape), {})
            lines.append(f"  live.expect({shown}, {name}, {size});")
    return lines


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


def _arrays(program, fixed):
    """Declarations: arrays that are made once, or those of each call."""
    lines = []
    for array in program.arrays.values():
        if array.size is None or (array.name in program.fixed) != fixed:
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
