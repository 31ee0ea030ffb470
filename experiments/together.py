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

from flows import Flow, Guard, Trainer, WayBack, careful_mean, learning_rate, point_nll
from flows_support import adam_tensors, recorded, set_rate

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


def careful_nll(flow: Flow, batch: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """What `flows.Trainer` brings down."""
    return careful_mean(point_nll(flow, batch), flow.dim)


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
        g.mul_(across(factor, g))


class Returns:
    """What `flows.WayBack` does when a training explodes, for each of several members.

    Args:
        weights: The members' weights, their first dimension the members.
        adam: Their optimizer.
        n: Number of members.
        most: How often each may go back.
    """

    def __init__(self, weights: list[Tensor], adam: torch.optim.Optimizer, n: int, most: int):
        self.weights, self.adam, self.most, self.guard = weights, adam, most, Guard()
        self.caution = torch.ones(n, device=weights[0].device)
        self.count, self.kept = torch.zeros_like(self.caution), []
        self.update = recorded(self.move, weights, lambda: [self.caution, *adam_tensors(adam)])

    @torch.no_grad()
    def move(self, rate: Tensor) -> None:
        """Adam's step, shorter for the members that exploded before."""
        before = [w.clone() for w in self.weights]
        set_rate(self.adam, rate)
        self.adam.step()
        for weight, old in zip(self.weights, before, strict=True):
            weight.copy_(old + across(self.caution, old) * (weight - old))

    def state(self) -> list[Tensor]:
        """All that is needed to go back."""
        moments = [  # (before its first step the optimizer has none: they begin at 0)
            self.adam.state[w].get(name, torch.zeros_like(w))
            for w in self.weights
            for name in ("exp_avg", "exp_avg_sq")
        ]
        return [*self.weights, *moments, self.guard.level, self.guard.lowest]

    @torch.no_grad()
    def step(self, step: int, loss: Tensor, rate: float) -> None:
        """A step of the optimizer, or for members that exploded a return."""
        jump = self.guard.sees_a_jump(loss) & (self.count < self.most) & (step > 0)
        if step % WayBack.EVERY == 0:
            now = [part.clone() for part in self.state()]
            before = self.kept[-1:] or [now]
            self.kept = [*before, [choose(jump, a, b) for a, b in zip(before[0], now, strict=True)]]
        self.update(torch.tensor(rate, dtype=torch.float64))
        if jump.any():
            for part, old in zip(self.state(), self.kept[0], strict=True):
                part.copy_(choose(jump, old, part))
            self.kept[1] = [choose(jump, a, b) for a, b in zip(*self.kept, strict=True)]
            self.caution = torch.where(jump, self.caution * WayBack.CAUTION, self.caution)
            self.count += jump


def across(values: Tensor, like: Tensor) -> Tensor:
    """Numbers of the members, in the shape of their weights."""
    return values.view(-1, *[1] * (like.ndim - 1))


def choose(mask: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Members of `a` where the mask says so, of `b` elsewhere."""
    return torch.where(across(mask, a), a, b)


def train_seeds(
    make_flow: Callable[[], Flow],
    draw: Callable,
    seeds: Sequence[int],
    *,
    loss: Callable = careful_nll,
    steps: int,
    batch_size: int,
    lr: float,
    clip: float = 5.0,
    schedule: bool = True,
    safe: bool = True,
    watch: Callable[[int, list[Flow]], None] | None = None,
    every: int = 50,
) -> list[Flow]:
    """`flows.train` for several seeds at once, of the weights and of the batches.

    They train where `make_flow` puts its flows: on a GPU all of them cost little more than one.

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
        safe: Whether a flow that explodes goes back.
        watch: Called as `watch(steps done, flows)` every so many steps, and at the end.
        every: How many.

    Returns:
        The trained flows.
    """
    members = [new_flow(make_flow, seed) for seed in seeds]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    parameters, _ = stack_module_state(members)
    parameters = {f"flow.{k}": v.detach().requires_grad_() for k, v in parameters.items()}
    module = Loss(copy.deepcopy(members[0]), loss)
    losses = vmap(lambda weights, batch: functional_call(module, weights, (batch,)))
    weights = list(parameters.values())
    adam = torch.optim.Adam(weights, lr=lr, **Trainer.ADAM)
    returns = Returns(weights, adam, len(seeds), WayBack.MOST if safe else 0)

    def descend(batch):
        adam.zero_grad()
        now = losses(parameters, batch)
        now.sum().backward()
        limit_gradients(weights, clip)
        return now.detach()

    slope = recorded(descend, weights, calls=steps)
    for step in range(steps):
        rate = learning_rate(step, steps, lr) if schedule else lr
        batch = stacked([draw(batch_size, generator) for generator in generators])
        returns.step(step, slope(batch), rate)
        if watch is not None and ((step + 1) % every == 0 or step + 1 == steps):
            hand_over(parameters, members)
            watch(step + 1, members)
    hand_over(parameters, members)
    return members


@torch.no_grad()
def hand_over(parameters: dict[str, Tensor], members: list[Flow]) -> None:
    """Give each member its own weights."""
    for k, member in enumerate(members):
        own = {name.removeprefix("flow."): value[k] for name, value in parameters.items()}
        member.load_state_dict(own, strict=False)


def stacked(batches: list) -> Tensor | tuple[Tensor, Tensor]:
    """The members' batches with one more dimension in front."""
    if isinstance(batches[0], Tensor):
        return torch.stack(batches)
    points, contexts = zip(*batches, strict=True)
    return torch.stack(points), torch.stack(contexts)
