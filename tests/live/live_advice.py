"""Functions that the compiler refuses, and what its advice makes of them.

Each refused function has one line that ends in `# refused`, unless the error is about no line;
its twin is the same function with the advice followed. `words` are of the advice.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

X = torch.linspace(-1.3, 1.7, 6)
SQUARE = torch.tensor([[2.0, 0.5], [0.5, 1.0]])
TRIANGLE = torch.linspace(0.3, 1.5, 25).reshape(5, 5).triu()
ONES = torch.ones(6)
SEEN = torch.zeros(6)


@dataclass
class Case:
    """A refused function, its twin, arguments of both, and words of the advice."""

    refused: Callable
    twin: Callable
    words: str
    given: tuple = (X, 0.7)
    twin_given: tuple | None = None  # where the advice changes what is passed in
    dynamic: tuple = ()  # arguments whose length may change


def drawn(draw) -> torch.Tensor:
    """What a function that draws numbers draws first."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return draw()


def noisy(x, a):
    noise = torch.randn(6)  # refused
    return x + a * noise


def noisy_outside(x, a, noise):
    return x + a * noise


def dropped(x, a):
    kept = torch.rand(6) < 0.5  # refused
    return a * x * kept


def dropped_outside(x, a, chance):
    return a * x * (chance < 0.5)


def coins(x, a):
    heads = torch.bernoulli(0.5 * ONES)  # refused
    return a * x + heads


def coins_outside(x, a, heads):
    return a * x + heads


def stretched(x, a):
    return x * math.cos(a)  # refused


def stretched_in_torch(x, a):
    return x * torch.cos(a)


def by_sign(x, a):
    if a > 0.5:  # refused
        return x.square()
    return x - 1


def by_sign_everywhere(x, a):
    return torch.where(a > 0.5, x.square(), x - 1)


def taken_out(x, a):
    width = (a + 1).item()  # refused
    return x / width


def kept_in(x, a):
    width = a + 1
    return x / width


def filled(x, a):
    return x + torch.full((6,), a.item())  # refused


def filled_by_hand(x, a):
    return x + a * torch.ones(6)


def summed(x, k):
    total = 0 * x
    for i in range(int(k)):  # refused
        total = total + x**i
    return total


def summed_all(x, k):
    total = 0 * x
    for i in range(5):
        total = total + torch.where(torch.tensor(i) < k, x**i, 0.0)
    return total


def sum_of_positive(x, a):
    places = torch.nonzero(x > a)  # refused
    return x[places].sum()


def sum_of_positive_in_shape(x, a):
    return torch.where(x > a, x, 0.0).sum()


def picked(x, a):
    return x[x > a].sum()  # refused


def picked_in_shape(x, a):
    return torch.where(x > a, x, 0.0).sum()


def axes(m, a):
    return a * torch.linalg.eigvalsh(m)  # refused


def axes_by_hand(m, a):
    mean, half = (m[0, 0] + m[1, 1]) / 2, (m[0, 0] - m[1, 1]) / 2
    root = torch.sqrt(half.square() + m[0, 1].square())
    return a * torch.stack([mean - root, mean + root])


def volume(m, a):
    return a * torch.linalg.det(m)  # refused


def volume_of_triangle(m, a):
    return a * m.diagonal().prod()


def smoothed(x, a):
    kernel = torch.stack([a, 1 - a]).reshape(1, 1, 2)
    return F.conv1d(x.reshape(1, 1, 6), kernel).reshape(5)  # refused


def smoothed_by_slices(x, a):
    return a * x[:-1] + (1 - a) * x[1:]


def waved(x, a):
    return a * torch.as_tensor(np.sin(x.numpy()))  # refused


def waved_in_torch(x, a):
    return a * torch.sin(x)


def singular(m, a):
    largest = torch.linalg.svdvals(m)[0]  # refused
    return a * largest


def singular_outside(a, largest):
    return a * largest


def moved(x, a):
    x += a
    return x


def moved_copy(x, a):
    x = x.clone()
    x += a
    return x


def counted(x, a):
    SEEN.add_(1)  # refused
    return a * x + SEEN


def counted_and_given_back(x, a, seen):
    return a * x + seen + 1


def halved(x, a):
    return a * x.half()  # refused


def not_halved(x, a):
    return a * x


def by_count(x, a):
    return a * x.sum() / math.sqrt(len(x))  # refused


def by_shape(x, a):
    return a * x.sum() / x.shape[0] ** 0.5


LARGEST = torch.linalg.svdvals(SQUARE)[0].item()
CASES = [
    Case(noisy, noisy_outside, "draw the numbers outside and pass them in",
         twin_given=(X, 0.7, drawn(lambda: torch.randn(6)))),
    Case(dropped, dropped_outside, "draw the numbers outside and pass them in",
         twin_given=(X, 0.7, drawn(lambda: torch.rand(6)))),
    Case(coins, coins_outside, "draw the numbers outside and pass them in",
         twin_given=(X, 0.7, drawn(lambda: torch.bernoulli(0.5 * ONES)))),
    Case(stretched, stretched_in_torch, "torch.cos(x) for math.cos(x)"),
    Case(by_sign, by_sign_everywhere, "torch.where(condition, a, b) for `if`"),
    Case(taken_out, kept_in, "no x.item()"),
    Case(filled, filled_by_hand, "keep tensors as tensors"),
    Case(summed, summed_all, "torch.where(condition, a, b)", (X, 3)),
    Case(sum_of_positive, sum_of_positive_in_shape, "torch.where(condition, a, b)"),
    Case(picked, picked_in_shape, "torch.where(condition, x, other)"),
    Case(axes, axes_by_hand, "write them in closed form", (SQUARE, 0.7)),
    Case(volume, volume_of_triangle, "a product of triangular ones", (TRIANGLE, 0.7)),
    Case(smoothed, smoothed_by_slices, "a sum of shifted slices"),
    Case(waved, waved_in_torch, "torch functions in place of NumPy's"),
    Case(singular, singular_outside, "work this step out outside and pass the result in",
         (SQUARE, 0.7), (0.7, LARGEST)),
    Case(moved, moved_copy, "x = x.clone()"),
    Case(counted, counted_and_given_back, "return the new value", twin_given=(X, 0.7, SEEN)),
    Case(halved, not_halved, "torch.float32"),
    Case(by_count, by_shape, "z.shape[0] in place of len(z)", dynamic=(0,)),
]  # fmt: skip
