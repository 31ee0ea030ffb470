"""Weights as data: several checkpoints of a module, and calling the module with one of them."""

from torch import Tensor, nn, stack
from torch.func import functional_call


class _Method(nn.Module):
    """A module whose forward is a method of another one; `functional_call` needs a forward."""

    def __init__(self, module, method):
        super().__init__()
        self.module, self.method = module, method

    def forward(self, *args, **kwargs):
        return getattr(self.module, self.method)(*args, **kwargs)


def stack_weights(checkpoints: list[dict[str, Tensor]], half: bool = True) -> dict[str, Tensor]:
    """Checkpoints of one module as one tensor per parameter.

    Args:
        checkpoints: K dicts, parameter name -> tensor, e.g. copies of a `state_dict()`.
        half: Round to 16-bit floats, which halves the bytes on the page. (The values are then what
            is evaluated everywhere, on the page and in Python.)

    Returns:
        Parameter name -> tensor of shape (K, ...).

    Raises:
        ValueError: If there is none, or their names differ.

    Example:
        >>> import torch
        >>> stack_weights([{"w": torch.ones(3)}, {"w": torch.zeros(3)}])["w"].shape
        torch.Size([2, 3])
    """
    if not checkpoints or any(c.keys() != checkpoints[0].keys() for c in checkpoints):
        raise ValueError("checkpoints must be at least one dict, all with the same names, but "
                         f"there are {len(checkpoints)}")  # fmt: skip
    stacked = {
        name: stack([c[name].detach().clone() for c in checkpoints]) for name in checkpoints[0]
    }
    return {name: w.half().to(w.dtype) if half else w for name, w in stacked.items()}


def call_with(module: nn.Module, weights: dict[str, Tensor], method: str, *args, **kwargs):
    """`module.method(*args)` with other weights than its own.

    Args:
        module: Any module.
        weights: Parameter name -> tensor.
        method: Name of the method, e.g. "log_prob".
        *args: Passed on, like **kwargs.

    Returns:
        What the method returns.

    Example:
        >>> import torch
        >>> net, ones = nn.Linear(1, 1), torch.ones(1, 1)
        >>> call_with(net, {"weight": ones, "bias": ones[0]}, "forward", ones[0])
        tensor([2.])
    """
    renamed = {f"module.{name}": w for name, w in weights.items()}
    return functional_call(_Method(module, method), renamed, args, kwargs)
