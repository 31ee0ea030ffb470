"""One layer of a chain becomes JavaScript functions, for any number of points and any width.

Depth is the driver's business (js/chain.js): it calls the layers one after the other, the loss at
the end, the vector-Jacobian products on the way back, and then the optimizer. All of these are
torch functions, compiled here; the driver itself computes nothing but sums of log-dets.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vjp

from ..compiler import compile

POINTS, WIDTH = 101, 37  # lengths of the examples that stand for "any": nothing else has them


class Run(nn.Module):
    """A module whose method is called by name, for `functional_call`."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, way: str, points: Tensor):
        return getattr(self.layer, way)(points)


def compile_kind(make: Callable[[int], nn.Module], dim: int = 2) -> dict:
    """Compile a kind of layer.

    Args:
        make: The layer of a given width: a module with the methods `encode` and `decode`, each
            points (n, dim) -> (points, log_abs_det of shape (n,)). Parameters are trained, buffers
            are given (a fixed turn).
        dim: Number of coordinates.

    Returns:
        `programs`: "decode" and "encode", (points, weights, given) -> [points, log_abs_det];
        `encode` with a second function, (gradient of the points, gradient of the log_abs_det) ->
        [gradient of the points before, gradients of the weights].
        `weights` and `given`: name and shape of each tensor, where a dimension that is the width is
        "width". A weight's `fan` says how it starts: uniform between -1 and 1 over the root of it,
        as torch's linear layers do, or at 0 if it is 0.

    Raises:
        CompileError: If a layer cannot be compiled.
        ValueError: If a weight starts in another way than those of torch's linear layers.

    Example:
        >>> class Shift(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.by = nn.Parameter(torch.zeros(2))
        ...     def encode(self, x):
        ...         return x + self.by, 0 * x[:, 0]
        ...     def decode(self, z):
        ...         return z - self.by, 0 * z[:, 0]
        >>> compile_kind(lambda width: Shift())["weights"]
        [{'name': 'by', 'shape': [2], 'fan': 0}]
    """
    layer = Run(make(WIDTH))
    trained = {name: p.detach() for name, p in layer.named_parameters()}
    given = {name: b.detach() for name, b in layer.named_buffers()}

    def run(way):
        def called(points, weights, fixed):
            tensors = dict(zip([*trained, *given], [*weights, *fixed], strict=True))
            return functional_call(layer, tensors, (way, points))

        return called

    def there_and_back(points, weights, fixed, of_points, of_log_det):
        def encode(points, weights):
            return run("encode")(points, weights, fixed)

        made, pull = vjp(encode, points, weights)
        return list(made), list(pull((of_points, of_log_det)))

    points = torch.linspace(-2, 2, POINTS * dim).reshape(POINTS, dim)
    tensors = [list(trained.values()), list(given.values())]
    free = {"dynamic": (), "free": (POINTS, WIDTH)}
    back = (points, points[:, 0].clone())
    programs = {
        "decode": compile(run("decode"), points, *tensors, name="decode", **free),
        "encode": compile(
            there_and_back, points, *tensors, *back, name="encode", later=(3, 4), often=True, **free
        ),
    }
    starts = {name: start(layer, name) for name in trained}
    return {
        "programs": programs,
        "weights": [{**shaped(k, v), "fan": starts[k]} for k, v in trained.items()],
        "given": [shaped(k, v) for k, v in given.items()],
    }


def shaped(name: str, tensor: Tensor) -> dict:
    """Name and shape of a layer's tensor."""
    shape = ["width" if n == WIDTH else n for n in tensor.shape]
    return {"name": name.removeprefix("layer."), "shape": shape}


def start(layer: nn.Module, name: str) -> int | str:
    """What decides where a weight starts: the number of inputs of its linear layer, or 0."""
    value = layer.get_parameter(name)
    if not value.any():
        return 0
    owner = layer.get_submodule(name.rpartition(".")[0])
    if not isinstance(owner, nn.Linear):
        raise ValueError(f"{name} must belong to a torch.nn.Linear, or start at 0")
    return "width" if owner.in_features == WIDTH else owner.in_features


def adam(weights, gradient, mean, square, count, rate, clip, betas=(0.9, 0.999)):
    """One step of Adam, after a limit on the length of the gradient, as torch takes it.

    Args:
        weights: All weights in one tensor, shape (n,).
        gradient: Their gradient, shape (n,).
        mean: Adam's mean gradient, shape (n,), zeros before the first step.
        square: Adam's mean squared gradient, likewise.
        count: Number of this step, from 1.
        rate: Learning rate.
        clip: Largest length of the gradient; a longer one is shortened to it.
        betas: What is kept of the two means at each step.

    Returns:
        New weights, mean and square, each (n,), and the length of the gradient.

    References:
        Kingma & Ba 2015, Adam: A Method for Stochastic Optimization, algorithm 1.

    Example:
        >>> zeros, one = torch.zeros(1), torch.tensor(1.0)
        >>> adam(zeros, torch.ones(1), zeros, zeros, one, 0.1 * one, 5 * one)[0]
        tensor([-0.1000])
    """
    length = gradient.square().sum().sqrt()
    gradient = gradient * torch.clamp(clip / (length + 1e-6), max=1.0)
    mean = betas[0] * mean + (1 - betas[0]) * gradient
    square = betas[1] * square + (1 - betas[1]) * gradient.square()
    mean_now, square_now = (1 - torch.exp(count * math.log(beta)) for beta in betas)
    step = mean / ((square / square_now).sqrt() + 1e-8)
    return weights - rate / mean_now * step, mean, square, length


def compile_core(loss: Callable, log_prob: Callable, betas=(0.9, 0.999), dim: int = 2) -> dict:
    """Compile what a training needs beside its layers.

    Args:
        loss: (z, log_abs_det) -> scalar: what the training brings down, from latent points (n, dim)
            and the log-dets (n,) of the whole way to them.
        log_prob: (z, log_abs_det) -> log-densities (n,) of the points.
        betas: See `adam`.
        dim: Number of coordinates.

    Returns:
        Programs: "loss", (z, log_abs_det) -> [[gradients of both], loss]; "log_prob"; and "adam".

    Raises:
        CompileError: If one of them cannot be compiled.

    Example:
        >>> core = compile_core(lambda z, d: (z * z).sum(), lambda z, d: d - (z * z).sum(1))
        >>> core["loss"].inputs
        ['z', 'log_det']
    """
    points = torch.linspace(-2, 2, POINTS * dim).reshape(POINTS, dim)
    log_dets, flat = points[:, 0].clone(), torch.linspace(0.1, 1, WIDTH)

    def both(z, log_det):
        return grad_and_value(loss, argnums=(0, 1))(z, log_det)

    def update(weights, gradient, mean, square, count, rate, clip):
        return adam(weights, gradient, mean, square, count, rate, clip, betas)

    free = {"dynamic": (), "free": (POINTS, WIDTH)}
    return {
        "loss": compile(both, points, log_dets, name="loss", **free),
        "log_prob": compile(log_prob, points, log_dets, name="logProb", **free),
        "adam": compile(update, flat, flat, flat, flat, 1.0, 0.1, 5.0, name="adam", **free),
    }
