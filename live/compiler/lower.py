"""Walk the graph of ATen operations; one short handler (ops_*.py) turns each into a value."""

import inspect
import operator

import torch
from torch.fx import Node

from .dtypes import (
    ARRAYS,
    LARGEST,
    NARROW,
    instead,
    is_whole,
    kind_of,
    number_as,
    of_number,
)
from .errors import CompileError
from .expr import Expr, Expressions
from .grid import Grid
from .program import Program
from .tensors import HEAVY, Tensors, Value, is_long
from .trace import asks_for_a_value, operation, overload

HANDLERS = {}
# Where and how a tensor is stored: without meaning here. The dtype of a result is the graph's.
PLACES = {"layout", "device", "pin_memory", "memory_format", "non_blocking", "implicit"}


def handles(*names):
    """Register a handler for ATen operations, by name ("max", any overload) or "max.dim".

    Its parameters are those that it reads: an argument for which it has none is refused unless it
    is torch's default (see `Lowering.arguments`).
    """

    def register(function):
        HANDLERS.update(dict.fromkeys(names, function))
        return function

    return register


def handler_of(node):
    """The handler of a node's operation, None if there is none."""
    name = operation(node)
    return HANDLERS.get(f"{name}.{overload(node)}", HANDLERS.get(name))


class Lowering:
    """State of one compilation: values of the nodes so far, and the program being built."""

    def __init__(self):
        self.x = Expressions()
        self.program = Program(self.x)
        self.tensors = Tensors(self.x, self.program)
        self.values: dict[Node, object] = {}
        self.data: dict[str, torch.Tensor] = {}  # array name -> constant tensor
        self.sizes: dict[str, Expr] = {}  # torch's symbol -> N, M, ...
        self.inputs: list[str] = []  # JavaScript names of the flattened arguments
        self.node = None

    # What handlers use -----------------------------------------------------------------------

    def size(self, s):
        """A dimension: a whole number, or an expression of N."""
        if isinstance(s, (int, Expr)):
            return s
        s = s.node.expr
        return int(s) if s.is_number else self.symbolic(s)

    def symbolic(self, s) -> Expr:
        """A formula of sizes, as sympy has it."""
        if s.is_Symbol:
            if s.name not in self.sizes:
                if self.node is None or self.node.op != "placeholder":
                    self.refuse_number_of(s)
                    what = "a number of elements that depends on values, as in x[condition],"
                    self.fail(what, "torch.where(condition, x, other), which keeps the shape")
                wish = "NMPQ"[len(self.sizes)] if len(self.sizes) < 4 else "N"
                self.sizes[s.name] = self.x.size(self.program.fresh(wish))
            return self.sizes[s.name]
        if s.is_number:
            number = float(s)
            return self.x.num(int(number) if s.is_integer else number)
        x, parts, name = self.x, [self.symbolic(a) for a in s.args], type(s).__name__
        if name == "Add":
            whole = all(a.is_integer for a in s.args)
            return x.plus(*parts) if whole else _joined(x, "add", parts)
        if name == "Mul":
            whole = all(a.is_integer for a in s.args)
            return x.times(*parts) if whole else _joined(x, "mul", parts)
        if name in ("Pow", "PowByNatural") and s.args[1].is_Integer and s.args[1] > 0:
            return x.times(*[parts[0]] * int(s.args[1]))
        if name in ("Min", "Max"):
            return _joined(x, name.lower(), parts)
        if name in FORMULAS:
            return FORMULAS[name](x, *parts)
        self.fail(f"the size {s}", "sizes that are sums and products of N")

    def refuse_number_of(self, symbol) -> None:
        """Say so, if a symbol stands for a number that was taken out of a tensor."""
        for node in self.node.graph.nodes if self.node is not None else ():
            number = getattr(node.meta.get("val"), "node", None)
            if operation(node) == "_local_scalar_dense" and number.expr == symbol:
                raise asks_for_a_value(node.meta.get("line", ""))

    @property
    def shape(self):
        """Shape of the node being lowered."""
        return tuple(self.size(s) for s in self.node.meta["val"].shape)

    @property
    def dtype(self):
        """Dtype of the node being lowered."""
        return self.node.meta["val"].dtype

    @property
    def kind(self):
        return kind_of(self.dtype)

    def value(self, a) -> Value:
        """A handler's argument as a value: numbers become tensors without dimensions."""
        if isinstance(a, Value):
            return a
        if isinstance(a, complex):
            self.fail(f"the complex number {a}", instead(torch.complex64))
        e = a if isinstance(a, Expr) else self.x.num(a)
        dtype = torch.float32 if isinstance(a, Expr) else of_number(a)
        return Value((), Grid((), [e]), dtype)

    def convert(self, e: Expr, old: torch.dtype, new: torch.dtype) -> Expr:
        """A number of one dtype as one of another."""
        if old == new:
            return e
        if e.op == "num":
            return self.x.num(number_as(e.args[0], new))
        if new == torch.bool:
            return self.x.call("ne", e, self.x.num(0))
        if old == torch.bool:
            return self.x.call("number", e)
        if is_whole(new) and old.is_floating_point:
            e = self.x.call("trunc", e)
        if new == torch.float32 and (old == torch.float64 or is_whole(old)):
            return self.x.call("fround", e)
        return self.wrap(e, new)

    def wrap(self, e: Expr, dtype: torch.dtype) -> Expr:
        """Whole numbers of 8, 16 or 32 bits begin again where they end."""
        if dtype not in NARROW or e.op in ("num", "load"):
            return e
        return self.x.call({torch.uint8: "uint8", torch.int8: "int8", torch.int16: "int16",
                            torch.int32: "int32"}[dtype], e)  # fmt: skip

    def cast(self, value, dtype: torch.dtype) -> Value:
        """A value with another dtype."""
        value = self.value(value)
        if value.dtype == dtype:
            return value
        out = value.elements.map(lambda e: self.convert(e, value.dtype, dtype))
        return Value(value.shape, out, dtype)

    def map(self, element, *inputs, to=None) -> Value:
        """Element-wise: `element` takes and returns expressions; the inputs are broadcast.

        Args:
            element: Of expressions, returns an expression.
            inputs: Values and numbers.
            to: Dtype to which the inputs are brought first.
        """
        shape, values = self.shape, [self.value(a) for a in inputs]
        values = [self.cast(v, to) for v in values] if to else values
        first, *others = (self.tensors.expanded(v, shape).elements for v in values)
        return Value(shape, first.map(element, *others), self.dtype)

    def arithmetic(self, element, *inputs) -> Value:
        """Element-wise in the dtype of the result, as torch promotes."""
        return self.map(lambda *e: self.wrap(element(*e), self.dtype), *inputs, to=self.dtype)

    def fail(self, what, instead=""):
        line = self.node.meta.get("line", "") if self.node is not None else ""
        raise CompileError(f"{what} cannot become JavaScript", line, instead)

    # The walk --------------------------------------------------------------------------------

    def constant(self, name: str, tensor: torch.Tensor) -> Value:
        """A tensor that the function closes over: numbers in the code, or data."""
        tensor = tensor.detach()
        self.check_dtype(tensor.dtype)
        shape = tuple(tensor.shape)
        if is_whole(tensor.dtype) and tensor.numel() and tensor.abs().max().item() > LARGEST:
            self.fail("a whole number above 2 ** 53", "smaller ones")
        if not any(is_long(s) for s in shape):
            return self.tensors.make(
                shape,
                lambda i: self.x.num(tensor[tuple(i)].item()),
                tensor.dtype,
            )
        for known, other in self.data.items():
            if other.shape == tensor.shape and other.dtype == tensor.dtype and other.equal(tensor):
                return self.tensors.of_array(known, shape, tensor.dtype)
        wish = name.replace("_param_constant", "w").replace("_tensor_constant", "c").strip("_")
        array = self.program.array(wish, None, kind_of(tensor.dtype), "data")
        self.data[array.name] = tensor
        return self.tensors.of_array(array.name, shape, tensor.dtype)

    def input(self, name: str, is_parameter: bool, is_late: bool, tensor) -> Value:
        """An argument of the function: a number, or an array."""
        self.check_dtype(tensor.dtype)
        shape = tuple(self.size(s) for s in tensor.shape)
        if is_parameter:
            self.program.taken.discard(name)  # the name was taken for it
        array = self.program.array(name, None, kind_of(tensor.dtype), "input")
        self.inputs.append(array.name)
        self.program.late |= {array.name} if is_late else set()
        if not shape:
            return Value((), Grid((), [self.x.load(array.name, None)]), tensor.dtype)
        return self.tensors.of_array(array.name, shape, tensor.dtype)

    def run(self, module, input_names, are_parameters, are_late) -> list:
        """Lower a graph; returns the values of its outputs."""
        names = iter(zip(input_names, are_parameters, are_late, strict=True))
        for node in module.graph.nodes:
            self.node = node
            self.x.name, self.x.line = node.name, node.meta.get("line", "")
            if node.op == "placeholder":
                self.values[node] = self.input(*next(names), node.meta["val"])
            elif node.op == "get_attr":
                tensor = getattr(module, node.target)
                self.values[node] = self.constant(node.target, tensor)
            elif node.op == "output":
                return [self.get(a) for a in node.args[0]]
            else:
                self.values[node] = self.keep(node, self.lower(node))

    def get(self, a):
        """Graph arguments as values, numbers and lists of them."""
        if isinstance(a, Node):
            return self.values[a]
        if isinstance(a, (list, tuple)):
            return [self.get(v) for v in a]
        return a

    def lower(self, node):
        result = node.meta.get("val")
        if operation(node) in CHECKS:
            return self.check(*(self.get(a) for a in node.args))
        if result is None:  # a check of sizes, which has no result
            return None
        if isinstance(result, (torch.SymInt, torch.SymFloat, torch.SymBool)):
            return self.size(result)
        if isinstance(result, (int, float)):
            return result
        if node.target is operator.getitem:
            return self.get(node.args[0])[node.args[1]]
        for r in result if isinstance(result, (tuple, list)) else [result]:
            self.check_dtype(r.dtype)
        handler = handler_of(node)  # trace() has refused those that have none
        args, kwargs = self.arguments(node, handler)
        made = handler(self, *map(self.get, args), **{k: self.get(v) for k, v in kwargs.items()})
        self.compare(made, result)
        return made

    def check(self, condition, message="a condition on values does not hold"):
        """A condition that the values must fulfil when the program runs."""
        load = self.cast(condition, torch.bool).scalar
        self.program.check(load, message, self.x.line)

    def arguments(self, node, handler):
        """Those that the handler reads; others are refused unless they are torch's default."""
        schema = node.target._schema.arguments if hasattr(node.target, "_schema") else []
        known = {a.name: a for a in schema}
        parameters = list(inspect.signature(handler).parameters.values())[1:]
        positional = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
        many = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        count = len(node.args) if many else len(positional)
        names, kwargs = {p.name for p in parameters}, {}
        extra = list(zip((a.name for a in schema[count:]), node.args[count:], strict=False))
        for name, given in [*extra, *node.kwargs.items()]:
            if name in names:
                kwargs[name] = given
            elif name == "dtype" or name in PLACES:
                continue  # the result is compared with the graph's dtype
            elif name not in known or not known[name].has_default_value() or (
                given != known[name].default_value
            ):  # fmt: skip
                self.fail(f"torch.{operation(node)} with {name}={given}", f"it without {name}")
        return node.args[:count], kwargs

    def compare(self, made, result):
        """The invariant: a handler's value has the shape and the dtype that torch gives it."""
        if isinstance(result, (tuple, list)):
            for m, r in zip(made, result, strict=False):
                self.compare(m, r)
            return
        shape = tuple(self.size(s) for s in result.shape)
        if not isinstance(made, Value) or made.shape != shape or made.dtype != result.dtype:
            got = (made.shape, made.dtype) if isinstance(made, Value) else made
            self.fail(f"torch.{operation(self.node)} of this form (a fault of the compiler: "
                      f"{got} for {(shape, result.dtype)})", "please report it")  # fmt: skip

    def check_dtype(self, dtype):
        """Refuse numbers that JavaScript does not have."""
        if dtype not in ARRAYS:
            self.fail(f"numbers of {dtype}", instead(dtype))

    def keep(self, node, value):
        """Store what is costly and used more than once, or the same on every call.

        (It stays in a variable if all its uses are in the same loop.)
        """
        if not isinstance(value, Value) or value.cost <= HEAVY:
            return value
        axes = self.tensors.axes(value.shape)
        loads = set().union(*(e.loads for e in value.elements.flat))
        if axes and (len(node.users) > 1 or self.program.is_fixed(axes, loads)):
            return self.tensors.stored(value)
        return value


CHECKS = ("_assert_async", "_functional_assert_async", "_assert_tensor_metadata_async")
# Formulas of sizes that torch's sympy functions stand for.
FORMULAS = {
    "FloorDiv": lambda x, a, b: x.call("floor", x.call("div", a, b)),
    "CleanDiv": lambda x, a, b: x.call("div", a, b),
    "IntTrueDiv": lambda x, a, b: x.call("div", a, b),
    "FloatTrueDiv": lambda x, a, b: x.call("div", a, b),
    "Mod": lambda x, a, b: x.call("mod", a, b),
    "PythonMod": lambda x, a, b: x.call("mod", a, b),
    "ToFloat": lambda x, a: a,
    "Pow": lambda x, a, b: x.call("pow", a, b),
    "FloatPow": lambda x, a, b: x.call("pow", a, b),
    "OpaqueUnaryFn_sqrt": lambda x, a: x.call("sqrt", a),
    "OpaqueUnaryFn_log": lambda x, a: x.call("log", a),
    "TruncToInt": lambda x, a: x.call("trunc", a),
    "FloorToInt": lambda x, a: x.call("floor", a),
    "CeilToInt": lambda x, a: x.call("ceil", a),
    "RoundToInt": lambda x, a: x.call("round", a),
    # conditions: in guards
    "Equality": lambda x, a, b: x.call("eq", a, b),
    "Unequality": lambda x, a, b: x.call("ne", a, b),
    "StrictLessThan": lambda x, a, b: x.call("lt", a, b),
    "LessThan": lambda x, a, b: x.call("le", a, b),
    "StrictGreaterThan": lambda x, a, b: x.call("gt", a, b),
    "GreaterThan": lambda x, a, b: x.call("ge", a, b),
    "And": lambda x, *parts: _joined(x, "and", parts),
    "Or": lambda x, *parts: _joined(x, "or", parts),
    "Not": lambda x, a: x.call("not", a),
}


def _joined(x, op, parts):
    total = parts[0]
    for part in parts[1:]:
        total = x.call(op, total, part)
    return total
