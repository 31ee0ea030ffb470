"""The work that is timed: the functions, their arguments, and the figures."""

import copy
import time

import torch
from torch.func import functional_call, grad_and_value

import flows
import gen_models_utilities as gmu
from benchmarks import examples

N_PLANE, N_FLOW, BATCH = 4000, 2000, 256


def flow(n_layers=4, hidden_dim=32, **options):
    """A RealNVP with weights that are not those of the identity."""
    g = torch.Generator().manual_seed(0)
    made = flows.RealNVP(n_layers=n_layers, hidden_dim=hidden_dim, **options)
    with torch.no_grad():
        for p in made.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=g))
    return made


def figures():
    """Name -> figure, with its target in milliseconds."""
    trained = flow(8, 32, n_frequencies=4, turn=45.0)
    states = [{k: s * v.detach() for k, v in trained.named_parameters()} for s in (0, 0.3, 0.6, 1)]
    return {
        "tanh (1D)": (examples.tanh(), 2),
        "six transforms (1D)": (examples.six(), 2),
        "planar, 4000 points": (examples.planar(N_PLANE), 4),
        "radial, 4000 points": (examples.radial(N_PLANE), 4),
        "layers of a trained flow 4x32, 2000 points": (examples.layers(flow(), N_FLOW), 16),
        "layers of a trained flow 8x32, 2000 points": (examples.layers(trained, N_FLOW), 16),
        "checkpoints of a trained flow 8x32, 2000 points": (
            examples.training(trained, states, [3.0, 2.6, 2.3, 2.2], N_FLOW), 16),
    }  # fmt: skip


def tanh(z, loc, scale):
    return flows.Tanh(loc, scale).decode(z)


def planar(z, w, u, b):
    return flows.planar(z, w, u, b)


def radial(z, center, alpha, beta):
    return flows.radial(z, center, alpha, beta)


def training_step(net):
    """One Adam step of maximum likelihood on lists of parameters and moments."""

    class Likelihood(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.flow = net

        def forward(self, x):
            return self.flow.log_prob(x)

    module = Likelihood()
    names = [name for name, _ in module.named_parameters()]

    def step(params, mean, square, x, lr):
        def loss(p):
            return -functional_call(module, dict(zip(names, p, strict=True)), (x,)).mean()

        grads, value = grad_and_value(loss)(params)
        mean = [0.9 * m + 0.1 * g for m, g in zip(mean, grads, strict=True)]
        square = [0.999 * s + 0.001 * g * g for s, g in zip(square, grads, strict=True)]
        new = [p - lr * m / (torch.sqrt(s) + 1e-8)
               for p, m, s in zip(params, mean, square, strict=True)]  # fmt: skip
        return new, mean, square, value

    return step, [p.detach().clone() for p in module.parameters()]


def tasks():
    """Name -> (function, arguments)."""
    g = torch.Generator().manual_seed(1)
    z1, z2 = torch.linspace(-4, 4, 401), torch.randn(N_PLANE, 2, generator=g)
    net = flow()
    step, params = training_step(copy.deepcopy(net))
    zeros = [torch.zeros_like(p) for p in params]
    number = torch.tensor
    return {
        "tanh, 401 points": (tanh, (z1, number(0.3), number(1.2))),
        "planar, 4000 points": (planar, (z2, number([1.0, 0.5]), number([0.8, -1.0]), number(0.2))),
        "radial, 4000 points": (radial, (z2, number([0.5, 0.0]), number(1.0), number(1.5))),
        "RealNVP 4x32, 2000 points": (lambda z: net.decode(z), (z2[:N_FLOW],)),
        "training step, RealNVP 4x32, batch 256": (
            step, (params, zeros, [z.clone() for z in zeros], z2[:BATCH], number(0.002))),
    }  # fmt: skip


def train_the_ring(seed: int) -> tuple[float, float]:
    """CPU seconds and held-out gap of the flow that chapter 5 trains."""
    torch.manual_seed(seed)
    made = flows.RealNVP(2, **flows.RING_SHAPE)
    start = time.process_time()
    flows.train(made, lambda n, g: gmu.sample_ring(n, g)[0], steps=400, batch_size=1024, lr=5e-3,
                seed=seed)  # fmt: skip
    seconds, (x, _) = time.process_time() - start, gmu.held_out_ring(20_000)
    with torch.no_grad():
        gap = (gmu.ring_log_prob(x) - made.log_prob(x)).mean().item()
    return seconds, gap
