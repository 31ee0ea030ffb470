"""Random torch programs, from a seed: slices, joins, reductions, products, lookups, writes."""

import random

import torch


def program(seed: int):
    """A function of a matrix and a number, made of random steps.

    Args:
        seed: The same seed makes the same function.

    Returns:
        (function, matrix, number). A third of the functions end in `torch.func.grad`.
    """
    draw = random.Random(seed)
    rows, columns = draw.choice([2, 3, 5, 7, 9]), draw.choice([2, 3, 4, 6, 8])
    plan = [(draw.choice(STEPS), draw.random(), draw.random()) for _ in range(draw.randint(3, 9))]
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(rows, columns, generator=generator)

    def value(z, a):
        known = [z]
        for step, u, v in plan:
            x, y = known[int(u * len(known))], known[int(v * len(known))]
            made = step(x, y, a, u, v)
            # numbers stay where rounding does not blow up
            known.append(torch.tanh(made) if made.is_floating_point() else made.to(z.dtype))
        return known[-1]

    if seed % 3:
        return value, z, 0.7
    return lambda z, a: torch.func.grad(lambda v: (value(v, a) ** 2).sum())(z), z, 0.7


def fit(x, y):
    """y cut or repeated to the shape of x."""
    flat = y.reshape(-1)
    return torch.cat([flat] * (x.numel() // flat.numel() + 1))[: x.numel()].reshape(x.shape)


def place(u, n):
    return int(u * n) - (n if u > 0.5 else 0)  # from the end, half of the time


def cut(x, y, a, u, v):
    d = int(v * x.ndim)
    start = int(u * x.shape[d])
    return x.narrow(d, start, max(1, int(v * (x.shape[d] - start))))


def write(x, y, a, u, v):
    out = x.clone()
    out[place(u, x.shape[0])] = a
    out[..., place(v, x.shape[-1])] += y.mean()
    out[out > v] = u
    out[:: 1 + int(3 * u)] *= 2
    return out


def stack(x, y, a, u, v):
    d = int(u * (x.ndim + 1))
    return torch.stack([x, fit(x, y)], d).select(d, int(2 * v))


def look_up(x, y, a, u, v):
    d = int(u * x.ndim)
    places = torch.tensor([place(w % 1, x.shape[d]) for w in (u, v, u + v, 3 * u, 7 * v)])
    return x.index_select(d, places % x.shape[d]) if v < 0.5 else x.transpose(0, d)[places]


def gather(x, y, a, u, v):
    d = int(v * x.ndim)
    return x.gather(d, torch.zeros_like(x).long() + int(u * x.shape[d]))


def scatter(x, y, a, u, v):
    d = int(u * x.ndim)
    places = (torch.arange(x.numel()).reshape(x.shape) * 7) % x.shape[d]
    return x.scatter_add(d, places, fit(x, y))


def multiply(x, y, a, u, v):
    flat = x.reshape(x.shape[0], -1)
    return flat @ fit(flat, y).T


STEPS = [
    lambda x, y, a, u, v: x + a * fit(x, y),
    lambda x, y, a, u, v: torch.sin(3 * x) * fit(x, y) - v,
    lambda x, y, a, u, v: torch.where(x > fit(x, y), x, a),
    lambda x, y, a, u, v: torch.exp(-x * x) / (1 + fit(x, y).abs()),
    lambda x, y, a, u, v: (x > u) & (fit(x, y) > v) | (x < -v),
    lambda x, y, a, u, v: torch.cat([x, 2 * fit(x, y)], int(u * x.ndim)),
    lambda x, y, a, u, v: x.reshape(-1),
    lambda x, y, a, u, v: x.reshape(-1)[: x.numel() // 2 * 2].reshape(2, -1),
    lambda x, y, a, u, v: x.transpose(0, -1),
    lambda x, y, a, u, v: x.sum(int(u * x.ndim), keepdim=True),
    lambda x, y, a, u, v: x - x.mean(int(u * x.ndim), keepdim=True),
    lambda x, y, a, u, v: x.amax(int(u * x.ndim), keepdim=True) * x,
    lambda x, y, a, u, v: x.softmax(int(u * x.ndim)),
    lambda x, y, a, u, v: x.cumsum(int(u * x.ndim)),
    lambda x, y, a, u, v: x.sort(int(u * x.ndim))[0],
    lambda x, y, a, u, v: x.max(int(u * x.ndim), keepdim=True)[0] - x,
    lambda x, y, a, u, v: x.flip(int(u * x.ndim)).roll(1, 0),
    lambda x, y, a, u, v: torch.nn.functional.pad(x, (1, 2), value=v),
    stack, cut, write, look_up, gather, scatter, multiply,
]  # fmt: skip
