"""Tensors while compiling: an expression for each element.

Dimensions of size <= SMALL are written out (a point in the plane is two expressions); longer
ones become loop variables. So stacking, slicing and transposing cost nothing when the code runs.
"""

from itertools import product

import torch

from .dtypes import kind_of
from .errors import CompileError
from .expr import LOOP_NAMES, Expr, Expressions
from .grid import Grid
from .program import Program

SMALL = 4
HEAVY = 6  # operations above which a value is stored rather than computed again


def is_long(size) -> bool:
    return isinstance(size, Expr) or size > SMALL


class Value:
    """A tensor: `elements` has one expression per entry of the small dimensions.

    Args:
        shape: Whole numbers or expressions (sizes known only at run time).
        elements: Grid; extent 1 along long dimensions.
        dtype: As in torch.
        array: Name of the array that holds it, contiguous, if there is one.
    """

    def __init__(self, shape, elements, dtype=torch.float32, array=None):
        self.shape, self.elements, self.dtype, self.array = tuple(shape), elements, dtype, array

    @property
    def kind(self) -> str:
        """The typed array in which it would be stored."""
        return kind_of(self.dtype)

    @property
    def cost(self) -> int:
        return max((e.cost for e in self.elements.flat), default=0)

    @property
    def scalar(self) -> Expr:
        """The only element of a tensor without dimensions."""
        return self.elements.flat[0]


class Tensors:
    """Makes, views and stores values."""

    def __init__(self, x: Expressions, program: Program):
        self.x, self.program = x, program

    def axes(self, shape) -> list[Expr]:
        """Loop variables of the long dimensions, outermost first."""
        long = [s for s in shape if is_long(s)]
        if len(long) > len(LOOP_NAMES):
            raise CompileError(f"a tensor with {len(long)} dimensions longer than {SMALL} cannot "
                               "become JavaScript", self.x.line, "fewer dimensions")  # fmt: skip
        return [self.x.axis(k, s) for k, s in enumerate(long)]

    def places(self, shape):
        """(position among the small dimensions, index of each dimension) of every element."""
        axes = iter(self.axes(shape))
        along = [next(axes) if is_long(s) else None for s in shape]
        for position in product(*(range(1 if is_long(s) else s) for s in shape)):
            yield position, [p if a is None else a for p, a in zip(position, along, strict=True)]

    def make(self, shape, element, dtype=torch.float32) -> Value:
        """A value from `element(index)`, index being whole numbers and loop variables."""
        shape = tuple(shape)
        extents = [1 if is_long(s) else s for s in shape]
        elements = Grid(extents, [element(index) for _, index in self.places(shape)])
        return Value(shape, elements, dtype)

    def flat(self, shape, index) -> Expr:
        """Position in a contiguous array."""
        total, stride = [], 1
        for size, i in zip(reversed(shape), reversed(index), strict=True):
            total.append(self.x.times(i, stride))
            stride = self.x.times(stride, size)
        return self.x.plus(*total)

    def count(self, shape) -> Expr:
        return self.x.times(*shape)

    def of_array(self, array: str, shape, dtype=torch.float32) -> Value:
        """The value that a contiguous array holds."""
        value = self.make(shape, lambda i: self.x.load(array, self.flat(shape, i)), dtype)
        value.array = array
        return value

    def read(self, v: Value, index) -> Expr:
        """Element of v at an index made of whole numbers and expressions."""
        axes = iter(self.axes(v.shape))
        position, replace, dynamic = [], {}, None
        for d, (size, i) in enumerate(zip(v.shape, index, strict=True)):
            if is_long(size):
                axis = next(axes)
                position.append(0)
                if axis is not i:
                    replace[axis] = self.x.num(i) if isinstance(i, int) else i
            elif isinstance(i, int):
                position.append(i)
            elif i.op == "num":
                position.append(i.args[0])
            else:
                dynamic = d if dynamic is None else dynamic
                position.append(None)
        if dynamic is None:
            return self.x.replace(v.elements[position], replace)
        if v.array:
            return self.x.load(v.array, self.flat(v.shape, index))
        options = [self.read(v, [*index[:dynamic], k, *index[dynamic + 1 :]])
                   for k in range(v.shape[dynamic])]  # fmt: skip
        if not options:
            return self.x.num(0)  # nobody reads an element of an empty tensor
        chosen = options[-1]
        for k in reversed(range(len(options) - 1)):
            chosen = self.x.call("where", self.x.call("eq", index[dynamic], self.x.num(k)),
                                 options[k], chosen)  # fmt: skip
        return chosen

    def view(self, v: Value, shape, source) -> Value:
        """A value whose element at `index` is v's element at `source(index)`.

        A costly value that would be read at other places than its own is stored first.
        """
        own = self.axes(v.shape)
        if v.cost > HEAVY and own:
            for _, index in self.places(shape):
                asked = [i for i, s in zip(source(index), v.shape, strict=True) if is_long(s)]
                if any(a is not b for a, b in zip(asked, own, strict=True)):
                    v = self.stored(v)
                    break
        return self.make(shape, lambda index: self.read(v, source(index)), v.dtype)

    def expanded(self, v: Value, shape) -> Value:
        """Broadcast to a shape."""
        if v.shape == tuple(shape):
            return v
        missing = len(shape) - len(v.shape)
        return self.view(v, shape, lambda index: [
            0 if size == 1 else i for size, i in zip(v.shape, index[missing:], strict=True)
        ])  # fmt: skip

    def stored(self, v: Value, role="scratch", force=False) -> Value:
        """The value in a contiguous array of its own (or in the one where it already is)."""
        if v.array and not force:
            return v
        if not v.elements.flat:  # no element at all
            array = self.program.array("empty", self.x.num(0), v.kind, role)
            return self.of_array(array.name, v.shape, v.dtype)
        last = max(v.elements.flat, key=lambda e: (e.cost > 0, e.order))  # names the whole
        array = self.program.array(last.name or "t", self.count(v.shape), v.kind, role, last.line)
        stores = {
            (array.name, self.x.plus(self.flat(v.shape, index))): v.elements[position]
            for position, index in self.places(v.shape)
        }
        self.program.store(self.axes(v.shape), stores)
        return self.of_array(array.name, v.shape, v.dtype)
