"""Train many seeds of one small flow at once.

A step of a small network costs more in starting operations than in arithmetic. So flows of one
shape, with other weights and other batches, share the operations: `torch.func.vmap` runs them
side by side. What a member learns does not depend on the others.
"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from flows import Flow, Trainer, learning_rate, mean_nll

__all__ = ["new_flow", "train_seeds"]


def new_flow(make_flow: Callable[[], Flow], seed: int) -> Flow:
    """A flow whose initial weights belong to a seed.

    Args:
        make_flow: Makes a flow from torch's global stream.
        seed: The seed of that stream.

    Returns:
        The flow.
    """
    torch.manual_seed(seed)
    return make_flow()


class Loss(nn.Module):
    """A loss of a flow, as a module: `functional_call` gives it other weights."""

    def __init__(self, flow: Flow, loss: Callable):
        super().__init__()
        self.flow, self.loss = flow, loss

    def forward(self, batch: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        return self.loss(self.flow, batch)


def limit_gradients(parameters: Sequence[Tensor], clip: float) -> None:
    """Scale each member's gradient down to a length of `clip`, if it is longer."""
    gradients = [p.grad for p in parameters]
    squares = sum(g.square().reshape(len(g), -1).sum(dim=1) for g in gradients)
    factor = (clip / (squares.sqrt() + 1e-6)).clamp(max=1.0)  # (members,)
    for g in gradients:
        g.mul_(factor.view(-1, *[1] * (g.ndim - 1)))


def train_seeds(
    make_flow: Callable[[], Flow],
    draw: Callable,
    seeds: Sequence[int],
    *,
    loss: Callable = mean_nll,
    steps: int,
    batch_size: int,
    lr: float,
    clip: float = 5.0,
    schedule: bool = True,
) -> list[Flow]:
    """`flows.train` for several seeds at once, of the weights and of the batches.

    Args:
        make_flow: Makes a flow from torch's global stream.
        draw: Function `(batch_size, generator) -> points` or `(points, contexts)`.
        seeds: One for each flow.
        loss: Function `(flow, batch) -> scalar`.
        steps: See `flows.Trainer`, as the others.
        batch_size: Points a step, for each flow.
        lr: Peak learning rate.
        clip: Largest gradient norm of each flow.
        schedule: Whether the rate rises and falls.

    Returns:
        The trained flows.
    """
    members = [new_flow(make_flow, seed) for seed in seeds]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    parameters, _ = stack_module_state(members)
    parameters = {f"flow.{k}": v.detach().requires_grad_() for k, v in parameters.items()}
    module = Loss(copy.deepcopy(members[0]), loss)
    losses = vmap(lambda weights, batch: functional_call(module, weights, (batch,)))
    adam = torch.optim.Adam(list(parameters.values()), lr=lr, **Trainer.ADAM)
    for step in range(steps):
        if schedule:
            adam.param_groups[0]["lr"] = learning_rate(step, steps, lr)
        batch = stacked([draw(batch_size, generator) for generator in generators])
        adam.zero_grad()
        losses(parameters, batch).sum().backward()
        limit_gradients(list(parameters.values()), clip)
        adam.step()
    for k, member in enumerate(members):
        own = {name.removeprefix("flow."): value[k] for name, value in parameters.items()}
        member.load_state_dict(own, strict=False)
    return members


def stacked(batches: list) -> Tensor | tuple[Tensor, Tensor]:
    """The members' batches with one more dimension in front."""
    if isinstance(batches[0], Tensor):
        return torch.stack(batches)
    points, contexts = zip(*batches, strict=True)
    return torch.stack(points), torch.stack(contexts)
