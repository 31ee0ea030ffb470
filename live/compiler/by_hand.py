"""The function is run by hand before it is traced: an error there is its own, and told so.

The run also tells which decisions it took on values, and whether it changes what it was given or
what it closes over: a page could not do that.
"""

import traceback

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from .errors import CompileError


def is_real(value) -> bool:
    """Is it a plain tensor with numbers, no stand-in of a tracer or of torch.func?"""
    return (
        isinstance(value, Tensor)
        and type(value) in (Tensor, torch.nn.Parameter, torch.nn.Buffer)
        and not torch._C._functorch.is_functorch_wrapped_tensor(value)
        and not torch._is_functional_tensor(value)
    )


class Watcher(TorchFunctionMode):
    """Notes decisions on values, and the tensors that a function closes over.

    Args:
        where: Returns the user's line.
        flip: Number of a decision to take the other way.
    """

    def __init__(self, where, flip=None):
        super().__init__()
        self.where, self.flip = where, flip
        self.decisions = []  # (line, value)
        self.known = {}  # id -> a tensor that the function made itself, or was given
        self.closed_over = {}  # id -> (tensor, what it held at first, the line that used it)

    def give(self, tensors):
        self.known |= {id(t): t for t in tensors}

    def __torch_function__(self, function, types, args=(), kwargs=None):
        for t in pytree.tree_leaves((args, kwargs or {})):
            if is_real(t) and id(t) not in self.known and id(t) not in self.closed_over:
                self.closed_over[id(t)] = t, t.detach().clone(), self.where()
        result = function(*args, **kwargs or {})
        if function is Tensor.__bool__:
            if len(self.decisions) == self.flip:
                result = not result
            self.decisions.append((self.where(), result))
        self.give(t for t in pytree.tree_leaves(result) if isinstance(t, Tensor)
                  and id(t) not in self.closed_over)  # fmt: skip
        return result


def same(one: Tensor, other: Tensor) -> bool:
    """Equal, NaN being equal to NaN."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    equal = (one == other) | ((one != one) & (other != other))
    return bool(equal.all())


def run(function, leaves, names, where, describe) -> list[tuple[str, bool]]:
    """Run a function once on copies of the examples.

    Args:
        function: Of a flat list of tensors.
        leaves: The examples.
        names: Of the examples, for messages.
        where: Returns the user's line.
        describe: Turns (function, file, number) of a frame into a line, None for torch's own.

    Returns:
        (line, value) of each decision on a value, in order.

    Raises:
        CompileError: If the function raises, or changes an argument or a tensor it closes over.
    """
    watcher = Watcher(where)
    given = [leaf.detach().clone() for leaf in leaves]
    watcher.give(given)
    state = torch.random.get_rng_state()
    try:
        with watcher:
            function(*given)
    except CompileError:
        raise
    except Exception as error:
        frames = [describe(f.name, f.filename, f.lineno)
                  for f in traceback.extract_tb(error.__traceback__)]  # fmt: skip
        line = next((f for f in reversed(frames) if f), "")
        said = (str(error).splitlines() or [""])[0]
        raise CompileError(
            f"the function itself fails: {type(error).__name__}: {said}", line,
            "call it by hand, with tensors for all arguments: the same error shows there",
        ) from error  # fmt: skip
    finally:
        torch.random.set_rng_state(state)
    for name, before, after in zip(names, leaves, given, strict=True):
        if not same(before, after):
            raise CompileError(f"the function writes into its argument {name}", "",
                               f"a copy of it: {name} = {name}.clone()")  # fmt: skip
    for tensor, before, line in watcher.closed_over.values():
        if not same(before, tensor.detach()):
            raise CompileError(
                "the function changes a tensor that it closes over, which a page could not keep",
                line, "module.eval() for normalisation layers; else return the new value",
            )  # fmt: skip
    return watcher.decisions


def is_check(function, leaves, number, where) -> bool:
    """Is a decision but a check? Taken the other way, the function raises, or returns the same.

    (Where it returns something else, a page that throws would be a poor answer: torch.where is
    better, and the user is told so.)
    """
    state, results = torch.random.get_rng_state(), []
    try:
        for flip in (None, number):
            with Watcher(where, flip=flip):
                results.append(function(*(leaf.detach().clone() for leaf in leaves)))
    except Exception:
        return True
    finally:
        torch.random.set_rng_state(state)
    one, other = results
    return len(one) == len(other) and all(map(same, one, other))
