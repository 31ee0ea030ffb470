"""Walk the graph of ATen operations; one short handler (ops_*.py) turns each into a value."""

import operator

import numpy as np
import torch
from torch.fx import Node

from .errors import CompileError
from .expr import Expr, Expressions
from .program import SIZES, Program
from .tensors import HEAVY, Tensors, Value, is_long
from .trace import operation

HANDLERS = {}


def handles(*names):
    """Register a handler for ATen operations, by name without overload."""

    def register(function):
        HANDLERS.update(dict.fromkeys(names, function))
        return function

    return register


def kind_of(dtype) -> str:
    """The typed array for a torch dtype."""
    if dtype == torch.bool:
        return "Uint8Array"
    return "Float32Array" if dtype.is_floating_point else "Int32Array"


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
        if isinstance(s, int):
            return s
        s = s.node.expr
        if s.is_number:
            return int(s)
        size = self._sympy(s)
        return size.args[0] if size.op == "num" else size

    def _sympy(self, s):
        if s.is_Integer:
            return self.x.num(int(s))
        if s.is_Symbol:
            if s.name not in self.sizes:
                self.sizes[s.name] = self.x.size(SIZES[len(self.sizes)])
            return self.sizes[s.name]
        parts = [self._sympy(a) for a in s.args]
        if s.is_Add:
            return self.x.plus(*parts)
        if s.is_Mul:
            return self.x.times(*parts)
        if s.is_Pow and s.exp.is_Integer and s.exp > 0:
            return self.x.times(*[parts[0]] * int(s.exp))
        self.fail(f"the size {s}", "sizes that are sums and products of N")

    @property
    def shape(self):
        """Shape of the node being lowered."""
        return tuple(self.size(s) for s in self.node.meta["val"].shape)

    @property
    def kind(self):
        return kind_of(self.node.meta["val"].dtype)

    def value(self, a) -> Value:
        """A handler's argument as a value: numbers become tensors without dimensions."""
        if isinstance(a, Value):
            return a
        e = a if isinstance(a, Expr) else self.x.num(a)
        return Value((), np.array(e, dtype=object).reshape(()))

    def map(self, element, *inputs) -> Value:
        """Element-wise: `element` takes and returns expressions; the inputs are broadcast."""
        shape = self.shape
        grids = [self.tensors.expanded(self.value(a), shape).elements for a in inputs]
        out = np.empty(grids[0].shape, dtype=object)
        for position in np.ndindex(*out.shape):
            out[position] = element(*(g[position] for g in grids))
        return Value(shape, out, self.kind)

    def fail(self, what, instead=""):
        line = self.node.meta.get("line", "") if self.node is not None else ""
        raise CompileError(f"{what} cannot become JavaScript", line, instead)

    # The walk --------------------------------------------------------------------------------

    def constant(self, name: str, tensor: torch.Tensor) -> Value:
        """A tensor that the function closes over: numbers in the code, or data."""
        tensor = tensor.detach()
        shape = tuple(tensor.shape)
        if not any(is_long(s) for s in shape):
            return self.tensors.make(
                shape,
                lambda i: self.x.num(tensor[tuple(i)].item()),
                kind_of(tensor.dtype),
            )
        for known, other in self.data.items():
            if other.shape == tensor.shape and other.dtype == tensor.dtype and other.equal(tensor):
                return self.tensors.of_array(known, shape, kind_of(tensor.dtype))
        wish = name.replace("_param_constant", "w").replace("_tensor_constant", "c").strip("_")
        array = self.program.array(wish, None, kind_of(tensor.dtype), "data")
        self.data[array.name] = tensor
        return self.tensors.of_array(array.name, shape, kind_of(tensor.dtype))

    def input(self, name: str, tensor) -> Value:
        """An argument of the function: a number, or an array."""
        shape = tuple(self.size(s) for s in tensor.shape)
        array = self.program.array(name, None, kind_of(tensor.dtype), "input")
        self.inputs.append(array.name)
        if not shape:
            return self.value(self.x.load(array.name, None))
        return self.tensors.of_array(array.name, shape, kind_of(tensor.dtype))

    def run(self, module, input_names) -> list:
        """Lower a graph; returns the values of its outputs."""
        names = iter(input_names)
        for node in module.graph.nodes:
            self.node = node
            self.x.name, self.x.line = node.name, node.meta.get("line", "")
            if node.op == "placeholder":
                self.values[node] = self.input(next(names), node.meta["val"])
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
        if result is None:  # a check, which has no result
            return None
        if isinstance(result, (torch.SymInt, int)):
            return self.size(result)
        if node.target is operator.getitem:
            return self.get(node.args[0])[node.args[1]]
        handler = HANDLERS[operation(node)]  # trace() has refused those that have none
        args = [self.get(a) for a in node.args]
        return handler(self, *args, **{k: self.get(v) for k, v in node.kwargs.items()})

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
