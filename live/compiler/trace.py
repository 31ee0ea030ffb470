"""Torch function -> graph of core ATen operations, each with the user's line it came from."""

import linecache
import logging
import operator
import re
import sys
import traceback
from contextlib import contextmanager, suppress
from functools import cache
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
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import _disable_current_modes

from . import by_hand
from .by_hand import is_real
from .errors import ANYTHING, CompileError, unsupported
from .linalg import LARGEST, SMALL_MATRICES, WRITTEN_OUT

HERE = str(Path(__file__).parents[1])  # all rooms
TORCH = str(Path(torch.__file__).parent)
aten = torch.ops.aten


@cache
def core_rules() -> dict:
    """Torch's rules for its own operations.

    Once for all functions: to collect them takes longer than to trace most of these. A user's
    operation made of simpler ones, registered later, is written out by `make_fx` itself.
    """
    return dict(core_aten_decompositions())


def decompositions(handled):
    """All that torch can write in simpler operations and that has no handler of its own."""
    known = {**torch._decomp.decomposition_table, **core_rules()}
    table = {op: rule for op, rule in known.items() if op.__name__.split(".")[0] not in handled
             and op.__name__.removesuffix(".default") not in handled}  # fmt: skip
    return {**table, **SMALL_MATRICES, **ANY_SIZE}


def padded(x: Tensor, widths, value=0) -> Tensor:
    """`constant_pad_nd`, put together from parts.

    Args:
        x: What is padded.
        widths: Before and after the last dimension, before and after the one before it, and so on;
            negative ones cut off.
        value: What stands in the new places.
    """
    for k in range(0, len(widths), 2):
        dim, (before, after) = x.ndim - 1 - k // 2, widths[k : k + 2]
        if before < 0 or after < 0:
            start, end = max(-before, 0), max(-after, 0)
            x = x.narrow(dim, start, x.shape[dim] - start - end)
        sizes = [[*x.shape[:dim], n, *x.shape[dim + 1 :]] for n in (before, after)]
        parts = [x.new_full(size, value) if size[dim] > 0 else None for size in sizes]
        x = torch.cat([part for part in (parts[0], x, parts[1]) if part is not None], dim)
    return x


# Where torch's own way would fix the number of points.
ANY_SIZE = {aten.constant_pad_nd.default: padded}


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


VALUES = {Tensor.__bool__, Tensor.__float__, Tensor.__int__, Tensor.__index__, Tensor.item,
          Tensor.tolist, Tensor.numpy, torch.equal, Tensor.equal, torch.allclose,
          Tensor.allclose}  # fmt: skip
ALL_OR_ANY = {torch._is_all_true: Tensor.all, torch._is_any_true: Tensor.any}
CHOOSING = {torch.nonzero, Tensor.nonzero, torch.masked_select, Tensor.masked_select, torch.unique,
            Tensor.unique, torch.bincount, Tensor.bincount, torch.argwhere}  # fmt: skip


@contextmanager
def real_tensors():
    """Inside, torch computes with numbers, not with stand-ins."""
    from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack

    with _disable_current_modes(), temporarily_clear_interpreter_stack():
        yield


class Recorder(TorchFunctionMode):
    """While tracing: notes the user's line on each node, and lets x[k] take a traced k.

    What depends on no argument has numbers while tracing too: `recipes` tell how a stand-in was
    made, and where its numbers are asked for, they are worked out.
    """

    def __init__(self, decisions):
        super().__init__()
        self.decisions, self.taken = decisions, 0
        self.checks = []  # numbers of the decisions that depend on the arguments
        self.recipes = {}  # id of a stand-in -> (it, its version, function, args, kwargs)
        self.wrapped = {}  # id of a constant -> (it, its wrapper for functionalize)
        self.level = None  # of functionalize

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        mode = get_proxy_mode()
        nodes = mode.tracer.graph.nodes if mode else []
        before = len(nodes)
        result = self.run(function, args, kwargs)
        if len(nodes) > before:
            line = user_line()
            for node in reversed(nodes):
                if "line" in node.meta:
                    break
                node.meta["line"], node.meta["called"] = line, getattr(function, "__name__", "")
        return result

    def run(self, function, args, kwargs):
        tensors = [t for t in pytree.tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        if function in VALUES and self.is_constant(tensors):
            self.taken += function is Tensor.__bool__
            return self.really(function, args, kwargs)
        if function is Tensor.__bool__:
            return self.decide(args[0])
        chooses = function in CHOOSING or (
            function in (Tensor.__getitem__, torch.where) and _has_mask(args[1:] or args)
        )
        if chooses and self.is_constant(tensors):
            return self.really(function, args, kwargs)
        if self.level is not None and any(map(is_real, tensors)):
            args, kwargs = pytree.tree_map(self.functional, (args, kwargs))
        if function in ALL_OR_ANY:  # torch cannot run these on stand-ins inside a mode
            result = ALL_OR_ANY[function](args[0])
        elif function in WRITTEN_OUT and len(args) == 1 and args[0].shape[-1:] <= (LARGEST,):
            result = WRITTEN_OUT[function](args[0])
        elif function is Tensor.__getitem__:
            result = pick(*args)
        elif function is torch.tensor and _holds_tensor(args[0]):
            result = _stack(args[0])
        else:
            result = function(*args, **kwargs)
        if self.is_constant(tensors) and isinstance(result, Tensor):
            versions = [(t, version(t)) for t in tensors]
            self.recipes[id(result)] = result, version(result), versions, function, args, kwargs
        return result

    def functional(self, t):
        """A constant as functionalize wants it, so that writes into its copies are seen."""
        if not is_real(t):
            return t
        if id(t) not in self.wrapped:
            self.wrapped[id(t)] = t, torch._C._functorch._wrap_functional_tensor(t, self.level)
        return self.wrapped[id(t)][1]

    def is_constant(self, tensors) -> bool:
        """Do they depend on no argument?"""
        return all(is_real(t) or self.is_fresh(t) for t in tensors)

    def is_fresh(self, t) -> bool:
        """Is a stand-in as it was made, and what it was made of too?"""
        if id(t) not in self.recipes:
            return any(t is w for _, w in self.wrapped.values())
        made, number, versions, *_ = self.recipes[id(t)]
        return made is t and version(t) == number and all(version(u) == n for u, n in versions)

    def really(self, function, args, kwargs):
        """The result, computed with numbers."""
        args, kwargs = pytree.tree_map(self.numbers, (args, kwargs))
        with real_tensors():
            result = function(*args, **kwargs)
            return pytree.tree_map_only(Tensor, lambda t: t.detach(), result)

    def numbers(self, t):
        """A constant's numbers."""
        if not isinstance(t, Tensor) or is_real(t):
            return t
        for real, wrapper in self.wrapped.values():
            if wrapper is t:
                return real
        *_, function, args, kwargs = self.recipes[id(t)]
        return self.really(function, args, kwargs)

    def decide(self, condition):
        """The example's decision; the program checks that it is taken again."""
        number, line = self.taken, user_line()
        self.taken += 1
        if number >= len(self.decisions) or self.decisions[number][0] != line:
            return condition.__bool__()
        value = self.decisions[number][1]
        self.checks.append(number)
        held = condition.reshape(()) != 0
        torch.ops.aten._assert_async.msg(held if value else ~held, "a check of values fails")
        return value


def version(t) -> int:
    """How often a tensor was written into."""
    try:
        return t._version
    except RuntimeError:  # made in inference mode
        return 0


def _has_mask(key) -> bool:
    return any(isinstance(k, Tensor) and k.dtype in (torch.bool, torch.uint8)
               for k in pytree.tree_leaves(key))  # fmt: skip


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
    """Stand-ins without data. `dynamic[i]`: the dimensions of leaf i that may change."""
    mode = FakeTensorMode(shape_env=Sizes(), allow_non_fake_inputs=True)
    shared = {}  # inputs with the same number of points get the same symbol
    fakes = []
    for leaf, moves in zip(leaves, dynamic, strict=True):
        sizes = [DimDynamic.DUCK if d in moves else DimDynamic.STATIC
                 for d in range(leaf.ndim)]  # fmt: skip
        context = StatelessSymbolicContext(dynamic_sizes=sizes)
        fakes.append(mode.from_tensor(leaf, symbolic_context=context))
        shared[leaf.shape[:1]] = True
    return mode, fakes


@contextmanager
def silent():
    """Torch's own reports of what it could not trace do not go to the notebook."""
    loggers = [logging.getLogger(name) for name in (
        "torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes",
        "torch.fx.experimental.proxy_tensor")]  # fmt: skip
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, was in zip(loggers, before, strict=True):
            logger.disabled = was


def trace(function, leaves, dynamic, handled, names=None):
    """Run `function(*leaves)` by hand, then on stand-ins, and return the graph of what it did.

    Args:
        function: Takes the flat list of tensors, returns a flat list of tensors.
        leaves: Example tensors.
        dynamic: For each leaf, the dimensions that may change.
        handled: Names of the operations that need not be written in simpler ones.
        names: Of the leaves, for messages.

    Returns:
        A torch.fx GraphModule in core ATen operations. `meta["guards"]` holds what torch assumed
        of the sizes: (condition, the user's line).

    Raises:
        CompileError: If the function fails by hand, changes what it closes over, or needs the
            numbers themselves; with the user's line.
    """
    names = names or [f"argument {k}" for k in range(len(leaves))]
    decisions = by_hand.run(function, leaves, names, user_line, theirs)
    mode, fakes = fake_inputs(leaves, dynamic)
    table = decompositions(handled)
    recorder = None

    def traced(f):
        nonlocal recorder
        recorder = Recorder(decisions)
        with silent(), mode, recorder:
            return make_fx(f, decomposition_table=table, _allow_non_fake_inputs=True)(*fakes)

    def inside(*tensors):  # of functionalize
        recorder.level = torch._C._functorch.maybe_current_level()
        return function(*tensors)

    try:
        module = traced(function)
        if any(writes_in_place(node) for node in module.graph.nodes):
            module = traced(torch.func.functionalize(inside, remove="mutations"))
    except CompileError:
        raise
    except Exception as error:
        raise explain(error) from error
    finally:
        restore(function, leaves)
    for number in dict.fromkeys(recorder.checks):
        if not by_hand.is_check(function, leaves, number, user_line):
            raise asks_for_a_value(decisions[number][0])
    module.graph.eliminate_dead_code()
    fold_unknown(module, handled)
    refuse_unknown(module, handled)
    sizes = mode.shape_env
    module.meta["guards"] = list(sizes.assumed.items())
    for size in (fake.shape[d] for fake, moves in zip(fakes, dynamic, strict=True) for d in moves):
        if not _still_symbolic(size):
            n = int(size)
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


def restore(function, leaves) -> None:
    """Run once more by hand: what the function keeps (a cache) are numbers again."""
    state = torch.random.get_rng_state()
    try:
        with suppress(Exception):
            function(*(leaf.detach().clone() for leaf in leaves))
    finally:
        torch.random.set_rng_state(state)


def fold_unknown(module, handled) -> None:
    """Operations without a handler that depend on no argument: their results become data.

    Args:
        module: The graph; it is changed.
        handled: Names of the operations that have a handler.
    """
    graph, known = module.graph, {}

    def number(value):
        return torch.fx.map_arg(value, lambda n: known[n])

    for node in list(graph.nodes):
        if node.op == "get_attr":
            known[node] = getattr(module, node.target).detach()
        constant = node.op == "call_function" and all(n in known for n in node.all_input_nodes)
        if not constant or node.meta.get("val") is None or writes_in_place(node):
            continue
        symbolic = any(isinstance(s, torch.SymInt | torch.SymFloat)
                       for s in pytree.tree_leaves((node.args, node.kwargs)))  # fmt: skip
        random = torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())
        if symbolic or random:
            continue
        try:
            with torch.no_grad():
                known[node] = node.target(*number(node.args), **number(node.kwargs))
        except Exception:
            continue
        result = known[node]
        asks = not is_handled(node, handled) and node.target is not operator.getitem
        if asks and isinstance(result, Tensor):
            name = f"_folded{len(module._buffers)}"
            module.register_buffer(name, result, persistent=False)
            with graph.inserting_before(node):
                made = graph.get_attr(name)
            made.meta = dict(node.meta)
            node.replace_all_uses_with(made)
            known[made] = result
        elif asks and isinstance(result, (tuple, list)):
            for user in list(node.users):
                if user.target is operator.getitem:
                    name = f"_folded{len(module._buffers)}"
                    module.register_buffer(name, result[user.args[1]], persistent=False)
                    with graph.inserting_before(user):
                        made = graph.get_attr(name)
                    made.meta = dict(user.meta)
                    user.replace_all_uses_with(made)
    graph.eliminate_dead_code()


def refuse_unknown(module, handled) -> None:
    """Name the first operation without a handler. (Before all else: it may be why sizes were
    fixed.)"""
    for node in module.graph.nodes:
        result = node.meta.get("val")
        sizes_or_checks = result is None or isinstance(
            result, torch.SymInt | torch.SymFloat | torch.SymBool | int | float)  # fmt: skip
        if node.op != "call_function" or sizes_or_checks or node.target is operator.getitem:
            continue
        if not is_handled(node, handled):
            raise unsupported(operation(node), node.meta.get("line", ""),
                              node.meta.get("called", ""))  # fmt: skip


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


def theirs(function: str, file: str, number: int) -> str:
    """The line of a frame that is neither torch's nor this package's, else nothing."""
    if file.startswith((TORCH, HERE, "<frozen")) or "contextlib" in file:
        return ""
    return describe(function, file, number)


def asks_for_a_value(line: str) -> CompileError:
    """The error for a line that decides by the value of a tensor, or takes it out."""
    return CompileError(
        "this line asks for the value of a tensor, which is known only when the slider moves",
        line,
        "use torch.where(condition, a, b) for `if`, torch.cos(x) for math.cos(x), and keep "
        "tensors as tensors (no float(x), no x.item())",
    )


def explain(error: Exception) -> CompileError:
    """An error of the tracer in the user's words: which line, and what to write instead.

    (The function ran by hand before: the error is not its own.)
    """
    frames = traceback.extract_tb(error.__traceback__)
    lines = [line for f in frames if (line := theirs(f.name, f.filename, f.lineno))]
    line, kind = lines[-1] if lines else "", type(error).__name__
    if "DataDependent" in kind or "data-dependent" in str(error) or ".item()" in str(error):
        return asks_for_a_value(line)
    said = re.sub(
        r"\bs\d+", "N", (str(error).splitlines() or [""])[0]
    )  # the tracer's names of sizes
    if "numpy" in said.lower():
        advice = "torch functions in place of NumPy's: torch.sin(x), torch.linspace(...)"
    elif "INTERNAL ASSERT" in said or "SymInt" in said:
        said = "torch's tracer fails here, though the function runs by hand"
        advice = f"write this step in another way; {ANYTHING}"
    else:
        advice = f"it runs by hand, but torch cannot trace it; {ANYTHING}"
    return CompileError(f"torch could not follow it: {kind}: {said}", line, advice)
