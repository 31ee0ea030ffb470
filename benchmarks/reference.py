"""The recipe of the reference chapter (Fuge, chapter 13), for comparison, written anew.

Six affine couplings with masks, two networks of width 128 in each; 300 epochs over 2000 fixed
points in batches of 256, Adam at a rate of 1e-3, 2048 samples and their spread after each epoch.
With labels, each network also sees a one-hot vector.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import gen_models_utilities as gmu

EPOCHS, BATCH, POINTS, RATE = 300, 256, 2000, 1e-3


def network(width: int, context_dim: int = 0) -> nn.Sequential:
    """Two hidden layers; the last one starts at 0."""
    layers = [nn.Linear(2 + context_dim, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
    last = nn.Linear(width, 2)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


class MaskedCoupling(nn.Module):
    """A coupling that computes both coordinates and masks one of them."""

    def __init__(self, width: int, kept: int, context_dim: int = 0):
        super().__init__()
        self.register_buffer("mask", torch.eye(2)[kept])
        self.scale, self.shift = network(width, context_dim), network(width, context_dim)

    def forward(
        self, x: Tensor, back: bool = False, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Encode, or decode if `back`."""
        kept, free = x * self.mask, 1 - self.mask
        seen = kept if context is None else torch.cat([kept, context], dim=1)
        s, t = torch.tanh(self.scale(seen) * free), self.shift(seen) * free
        moved = (x - t) * torch.exp(-s) if back else x * torch.exp(s) + t
        log_det = (free * s).sum(dim=1)
        return kept + free * moved, -log_det if back else log_det


class ReferenceFlow(nn.Module):
    """The flow. `log_prob` and `sample` as in `flows.Flow`."""

    def __init__(self, n_layers: int = 6, width: int = 128, context_dim: int = 0):
        super().__init__()
        layers = (MaskedCoupling(width, i % 2, context_dim) for i in range(n_layers))
        self.layers = nn.ModuleList(layers)
        self.register_buffer("zero", torch.zeros(2))

    @property
    def base(self) -> MultivariateNormal:
        """Made anew for each call, so that it lives where the flow does."""
        return MultivariateNormal(self.zero, torch.eye(2, device=self.zero.device))

    def log_prob(
        self, x: Tensor, base: MultivariateNormal | None = None, context: Tensor | None = None
    ) -> Tensor:
        """(n, 2) -> (n,), nats."""
        total = torch.zeros(len(x), device=x.device)
        for layer in self.layers:
            x, log_det = layer(x, context=context)
            total = total + log_det
        return (base or self.base).log_prob(x) + total

    @torch.no_grad()
    def sample(
        self, n: int, base: MultivariateNormal | None = None, context: Tensor | None = None
    ) -> Tensor:
        """n points (n, 2)."""
        x = (base or self.base).sample((n,))
        for layer in reversed(self.layers):
            x, _ = layer(x, back=True, context=context)
        return x


def train_reference(
    seed: int,
    device: str = "cpu",
    epochs: int = EPOCHS,
    n_layers: int = 6,
    labels: bool = False,
    on_epoch: Callable[[int, ReferenceFlow], None] = lambda epoch, flow: None,
) -> ReferenceFlow:
    """The whole recipe.

    Args:
        seed: Seed of the points, the weights and the order of the batches.
        device: Where to train.
        epochs: 300 in the chapter.
        n_layers: 6 in the chapter.
        labels: Whether the flow sees which mode a point belongs to.
        on_epoch: Called as `on_epoch(epochs done, flow)` after each epoch.

    Returns:
        The trained flow.
    """
    torch.manual_seed(seed)
    points, modes = gmu.sample_ring(POINTS, torch.Generator().manual_seed(seed))
    data = TensorDataset(points, *([F.one_hot(modes, 8).float()] if labels else []))
    loader = DataLoader(data, batch_size=BATCH, shuffle=True, drop_last=True)
    flow = ReferenceFlow(n_layers, context_dim=8 if labels else 0).to(device)
    adam, base = torch.optim.Adam(flow.parameters(), lr=RATE), flow.base
    for epoch in range(epochs):
        losses, log_probs = [], []
        for batch, *context in loader:
            context = [part.to(device) for part in context] or [None]
            log_prob = flow.log_prob(batch.float().to(device), base, *context)
            loss = -log_prob.mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(loss.item())
            log_probs.append(log_prob.mean().item())
        asked = F.one_hot(torch.arange(2048) % 8, 8).float().to(device) if labels else None
        torch.pdist(flow.sample(2048, base, asked).cpu()).mean().item()
        on_epoch(epoch + 1, flow)
    return flow
