"""Torch function -> graph of core ATen operations, each with the user's line it came from."""

import linecache
import operator
import re
import sys
import traceback
from pathlib import Path

import torch
from torch import Tensor
from torch._decomp import core_aten_decompositions
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import get_proxy_mode, make_fx
from torch.fx.experimental.symbolic_shapes import (
    DimDynamic,
    ShapeEnv,
    StatelessSymbolicContext,
)
from torch.overrides import TorchFunctionMode

from .errors import CompileError, unsupported
from .linalg import DETERMINANTS

HERE = str(Path(__file__).parent)
TORCH = str(Path(torch.__file__).parent)
aten = torch.ops.aten


def decompositions(handled):
    """All that torch can write in simpler operations and that has no handler of its own."""
    known = {**torch._decomp.decomposition_table, **core_aten_decompositions()}
    table = {op: rule for op, rule in known.items() if op.__name__.split(".")[0] not in handled
             and op.__name__.removesuffix(".default") not in handled}  # fmt: skip
    return {**table, **DETERMINANTS}


def user_line() -> str:
    """`function: code` of the innermost frame that is neither torch nor this package."""
    frame = sys._getframe(1)
    while frame:
        code = frame.f_code
        if not code.co_filename.startswith((TORCH, HERE, "<frozen")) and (
            "contextlib" not in code.co_filename
        ):
            return describe(code.co_name, code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return ""


def describe(function: str, file: str, number: int) -> str:
    """`decode: x = scale * z`: the same on every machine, so no path and no line number."""
    source = linecache.getline(file, number).strip()
    return f"{function}: {source}" if source else function


class Sizes(ShapeEnv):
    """Torch's knowledge of the sizes; notes what was assumed of them, and in which line."""

    def __init__(self, **options):
        super().__init__(**options)
        self.assumed = {}  # condition -> the user's line
        self.fixed = {}  # size -> the user's line

    def evaluate_expr(self, orig_expr, *args, **kwargs):
        before = len(self.guards)
        result = super().evaluate_expr(orig_expr, *args, **kwargs)
        for guard in self.guards[before:]:
            self.assumed.setdefault(guard.expr, user_line())
        return result

    def _set_replacement(self, a, tgt, msg):
        if getattr(tgt, "is_number", False):
            self.fixed.setdefault(int(tgt), user_line())
        return super()._set_replacement(a, tgt, msg)


class Recorder(TorchFunctionMode):
    """While tracing: notes the user's line on each node, and lets x[k] take a traced k."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        mode = get_proxy_mode()
        nodes = mode.tracer.graph.nodes if mode else []
        before = len(nodes)
        if function is Tensor.__getitem__:
            result = pick(*args)
        elif function is torch.tensor and _holds_tensor(args[0]):
            result = _stack(args[0])
        else:
            result = function(*args, **kwargs)
        if len(nodes) > before:
            line = user_line()
            for node in reversed(nodes):
                if "line" in node.meta:
                    break
                node.meta["line"] = line
        return result


def _holds_tensor(value) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds_tensor(v) for v in value)
    return isinstance(value, Tensor)


def _stack(value) -> Tensor:
    """torch.tensor([[1.0, alpha], ...]) with a traced alpha: stack the parts."""
    if isinstance(value, (list, tuple)):
        return torch.stack([torch.as_tensor(_stack(v), dtype=torch.float32) for v in value])
    return value if isinstance(value, Tensor) else torch.full((), value)


def pick(x: Tensor, key):
    """x[key], where a whole-number tensor without dimensions would ask for its value.

    It becomes an index of shape (1,), which is data like any other, and the dimension goes again.
    """
    keys = key if isinstance(key, tuple) else (key,)
    scalar = [isinstance(k, Tensor) and k.ndim == 0 and k.dtype != torch.bool for k in keys]
    if not any(scalar):
        return x[key]
    used = sum(k is not None and k is not Ellipsis for k in keys)
    new, dim = [], 0
    for k, is_scalar in zip(keys, scalar, strict=True):
        if is_scalar:
            x = torch.index_select(x, dim, k.reshape(1))
            k = 0
        new.append(k)
        dim += x.ndim - used if k is Ellipsis else k is not None
    return x[tuple(new)]


def fake_inputs(leaves, dynamic):
    """Stand-ins without data. `dynamic[i]`: the first dimension of leaf i may change."""
    mode = FakeTensorMode(shape_env=Sizes(), allow_non_fake_inputs=True)
    shared = {}  # inputs with the same number of points get the same symbol
    fakes = []
    for leaf, moves in zip(leaves, dynamic, strict=True):
        sizes = [DimDynamic.DUCK if moves and d == 0 else DimDynamic.STATIC
                 for d in range(leaf.ndim)]  # fmt: skip
        context = StatelessSymbolicContext(dynamic_sizes=sizes)
        fakes.append(mode.from_tensor(leaf, symbolic_context=context))
        shared[leaf.shape[:1]] = True
    return mode, fakes


def trace(function, leaves, dynamic, handled):
    """Run `function(*leaves)` on stand-ins and return the graph of what it did.

    Args:
        function: Takes the flat list of tensors, returns a flat list of tensors.
        leaves: Example tensors.
        dynamic: One bool per leaf: may its first dimension change?
        handled: Names of the operations that need not be written in simpler ones.

    Returns:
        A torch.fx GraphModule in core ATen operations.

    Raises:
        CompileError: If the function needs the numbers themselves, with the user's line.
    """
    mode, fakes = fake_inputs(leaves, dynamic)
    table = decompositions(handled)

    def traced(f):
        with mode, Recorder():
            return make_fx(f, decomposition_table=table, _allow_non_fake_inputs=True)(*fakes)

    try:
        module = traced(function)
        if any(writes_in_place(node) for node in module.graph.nodes):
            module = traced(torch.func.functionalize(function, remove="mutations"))
    except CompileError:
        raise
    except Exception as error:
        raise explain(error) from error
    module.graph.eliminate_dead_code()
    refuse_unknown(module, handled)
    sizes = mode.shape_env
    module.meta["guards"] = list(sizes.assumed.items())
    for fake, moves in zip(fakes, dynamic, strict=True):
        if moves and not _still_symbolic(fake.shape[0]):
            n = int(fake.shape[0])
            if n < 2:
                raise CompileError(
                    f"the example has {n} point(s), and torch takes sizes of 0 and 1 for constants",
                    "", "an example with two points or more, or compile with dynamic=()",
                )  # fmt: skip
            raise CompileError(
                f"the number of points was fixed at {n} while tracing", sizes.fixed.get(n, ""),
                "write z.shape[0] in place of len(z) and of numbers made from it (math.sqrt(n)), "
                "or compile with dynamic=(), for this number of points alone",
            )  # fmt: skip
    return module


def refuse_unknown(module, handled) -> None:
    """Name the first operation without a handler. (Before all else: it may be why sizes were
    fixed.)"""
    for node in module.graph.nodes:
        result = node.meta.get("val")
        sizes_or_checks = result is None or isinstance(result, torch.SymInt | int)
        if node.op != "call_function" or sizes_or_checks or node.target is operator.getitem:
            continue
        if not is_handled(node, handled):
            raise unsupported(operation(node), node.meta.get("line", ""))


def is_handled(node, handled) -> bool:
    """Is there a handler for a node's operation (in its overload)?"""
    return operation(node) in handled or f"{operation(node)}.{overload(node)}" in handled


def operation(node) -> str:
    """The name of a node's operation in ATen, without its overload."""
    return getattr(node.target, "__name__", str(node.target)).split(".")[0]


def overload(node) -> str:
    """The name of a node's overload, e.g. "dim"."""
    return getattr(node.target, "_overloadname", "")


def writes_in_place(node) -> bool:
    """Does this node change one of its inputs, as y += 1 and y[:, 0] = 1 do?"""
    schema = getattr(node.target, "_schema", None)
    return schema is not None and schema.is_mutable


def _still_symbolic(size) -> bool:
    return isinstance(size, torch.SymInt) and not size.node.expr.is_number


def explain(error: Exception) -> CompileError:
    """An error of the tracer in the user's words: which line, and what to write instead."""
    line = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if not frame.filename.startswith((TORCH, HERE, "<frozen")):
            line = describe(frame.name, frame.filename, frame.lineno)
    kind = type(error).__name__
    if "DataDependent" in kind or "data-dependent" in str(error) or ".item()" in str(error):
        return CompileError(
            "this line asks for the value of a tensor, which is known only when the slider moves",
            line,
            "use torch.where(condition, a, b) for `if`, torch.cos(x) for math.cos(x), and keep "
            "tensors as tensors (no float(x), no x.item())",
        )
    said = re.sub(
        r"\bs\d+", "N", (str(error).splitlines() or [""])[0]
    )  # the tracer's names of sizes
    advice = "run the function by hand, with tensors for all arguments: the same error shows there"
    if "numpy" in said.lower():
        advice = "torch functions in place of NumPy's: torch.sin(x), torch.linspace(...)"
    return CompileError(f"torch could not follow it: {kind}: {said}", line, advice)
