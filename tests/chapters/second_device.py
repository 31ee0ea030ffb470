"""A second device that is none: tensors lie on the CPU, and those of the second device are marked.

A machine without a GPU cannot see that a chapter mixes tensors of two devices. Here it can:
`torch.zeros(3, device=AWAY)` and `x.to(AWAY)` give tensors with values as always, which say that
they are elsewhere; what is computed from them is elsewhere too, and an operation on tensors of both
places fails, as on a GPU. A device belongs to a storage, so views share it, and it is storages that
are marked. Not seen: what only real kernels can do wrong.
"""

from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

AWAY = torch.device("privateuseone")  # torch's name for a device that it does not know
ITS_OWN = torch.device("privateuseone", 0)  # of a tensor there: as with "cuda" and "cuda:0"
HOME = torch.device("cpu")
aten = torch.ops.aten
CROSS = {aten.copy_.default}  # the one operation that carries values across
TO_NUMPY = {Tensor.numpy, Tensor.__array__}
INDEX = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default}


class Marks:
    """The storages that are on the second device."""

    def __init__(self):
        # A weak reference keeps the storage's address from being used again, not its values.
        self.known: dict[int, StorageWeakRef] = {}

    @staticmethod
    def storage(tensor: Tensor):
        functorch = torch._C._functorch
        while functorch.is_functorch_wrapped_tensor(tensor):
            tensor = functorch.get_unwrapped(tensor)
        return tensor.untyped_storage()

    def has(self, tensor: Tensor) -> bool:
        return tensor.layout is torch.strided and self.storage(tensor)._cdata in self.known

    def add(self, tensor: Tensor) -> None:
        if tensor.layout is torch.strided:
            storage = self.storage(tensor)
            self.known.setdefault(storage._cdata, StorageWeakRef(storage))

    def tidy(self) -> None:
        """Forget the storages that are gone."""
        self.known = {k: ref for k, ref in self.known.items() if not ref.expired()}


def check_generator(generator, away: bool) -> None:
    """As torch: random numbers come from a generator of their own device."""
    if generator is not None and away:
        raise RuntimeError(f"expected a generator on {AWAY}, but found one on {generator.device}")


class Operations(TorchDispatchMode):
    """Sees each operation: its tensors must not be of two devices; its results get its mark."""

    def __init__(self, marks: Marks):
        super().__init__()
        self.marks, self.seen = marks, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        away = [self.marks.has(x) for x in tensors]
        check_generator(kwargs.get("generator"), any(away))
        if any(away) and not all(away) and func not in CROSS:
            # torch lets a single number, and indices into a tensor that is away, stay on the CPU.
            counts = len(tree_leaves(args[1])) if func in INDEX else 0
            alone = func is not aten.cat.default and func is not aten.stack.default
            for i, (x, there) in enumerate(zip(tensors, away, strict=True)):
                index = away[0] and 1 <= i <= counts
                if not (there or index or (alone and x.ndim == 0)):
                    raise RuntimeError(
                        f"{func}: expected all tensors to be on the same device, but found two, "
                        f"{ITS_OWN} and cpu (shapes {[tuple(x.shape) for x in tensors]})"
                    )
        result = func(*args, **kwargs)
        if any(away) and not (func in CROSS and not away[0]):
            for x in tree_leaves(result):
                if isinstance(x, Tensor):
                    self.marks.add(x)
        self.seen += 1
        if self.seen % 20_000 == 0:
            self.marks.tidy()
        return result


class Places(TorchFunctionMode):
    """Sees each call that names a device or asks for one."""

    def __init__(self, marks: Marks):
        super().__init__()
        self.marks = marks

    def moved(self, tensor: Tensor, away: bool) -> Tensor:
        """A copy at the other place, with the gradient's way back."""
        new = tensor.clone() if tensor.grad_fn or tensor.requires_grad else tensor.detach().clone()
        self.marks.known.pop(Marks.storage(new)._cdata, None)
        if away:
            self.marks.add(new)
        return new

    def to(self, tensor: Tensor, *args, **kwargs) -> Tensor:
        """What `tensor.to(...)` gives."""
        other = kwargs.pop("other", args[0] if args and isinstance(args[0], Tensor) else None)
        if other is None:
            named, dtype, *_ = torch._C._nn._parse_to(*args, **kwargs)
            away = self.marks.has(tensor) if named is None else named.type == AWAY.type
        else:
            away, dtype = self.marks.has(other), other.dtype
        tensor = tensor if dtype is None else tensor.to(dtype)
        return tensor if away == self.marks.has(tensor) else self.moved(tensor, away)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func == Tensor.device.__get__:
            return ITS_OWN if self.marks.has(args[0]) else func(*args)
        if func in TO_NUMPY and self.marks.has(args[0]):
            raise TypeError(
                f"can't convert {ITS_OWN} device type tensor to numpy: use .cpu() first"
            )
        if func is Tensor.cpu:
            return self.to(args[0], HOME)
        if func is Tensor.to and not isinstance(args[0], FakeTensor):
            return self.to(*args, **kwargs)
        named = torch.device(kwargs.get("device") or HOME)
        if named.type == AWAY.type:
            del kwargs["device"]
            check_generator(kwargs.get("generator"), True)
            made = func(*args, **kwargs)
            return self.moved(made.detach(), True).requires_grad_(made.requires_grad)
        return func(*args, **kwargs)


@contextmanager
def second_device():
    """While it lasts, `AWAY` is a device. Gives the marks: `marks.has(tensor)`."""
    marks = Marks()
    with ExitStack() as stack:
        stack.enter_context(Operations(marks))
        stack.enter_context(Places(marks))
        yield marks
