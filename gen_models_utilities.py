"""Data, loaders, metrics and figures for the course on normalizing flows.

Everything here is a helper: what the course teaches lives in ``flows.py``. The sections are

1. device and seeds      4. data loaders           7. helpers for the notebooks
2. the ring: samples     5. metrics and integrals     (sliders, trained numbers)
3. the ring: exact facts 6. figures

Three promises, each with a test:

* Importing this module changes no global state: no seed, no style, no number of threads.
* No function reads or advances a global random stream. Functions that make a data set take
  ``seed=`` or ``generator=``; with neither they use seed 0, so the same call always gives the
  same points. ``sample_ring``, made for training loops, insists on a generator: without one it
  would return the same batch at every step.
* Without ipywidgets all of it still works; ``sliders`` then says what to install.

"The ring" is a mixture of 8 equally likely Gaussians on a circle of radius 3, each with standard
deviation 0.25 in both coordinates. Its density is known exactly, so a model can be judged in
nats above the entropy and not only by eye.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import importlib
import io
import math
import numbers
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

# ------------------------------------------------------------------------ 1. device and seeds

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

# torch's CPU generator keeps only the low 32 bits of a seed. Seeds below 2**31 are for training
# data; held-out sets add this offset, so that no training seed can reproduce a held-out point.
HELD_OUT_OFFSET = 2**31


MOST = 10**8  # points in one call: beyond it a computer runs out of memory, not into an error
SIDE = 10**4  # modes, classes, bars, lines or cells along one axis


def _integer(name: str, value, minimum: int, maximum: int = MOST) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if not minimum <= value <= maximum:
        limit = f"in [{minimum}, {maximum}]"
        if value < minimum and maximum in (MOST, SIDE):
            limit = f"at least {minimum}"
        raise ValueError(f"{name} must be {limit}, got {value}")
    return int(value)


def _real(name: str, value, *, finite: bool = True) -> float:
    """A number; a tensor or an array that holds a single one will do."""
    if isinstance(value, (Tensor, np.ndarray)) and math.prod(value.shape) == 1:
        value = None if isinstance(value, Tensor) and value.is_meta else value.item()
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if finite and not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {value}")
    return number


def _number(name: str, value, *, positive: bool) -> float:
    number = _real(name, value, finite=False)
    allowed = "positive" if positive else "zero or positive"
    if not math.isfinite(number) or number < 0 or (positive and number == 0):
        raise ValueError(f"{name} must be finite and {allowed}, got {value}")
    if number > 1e100 or (positive and number < 1e-100):  # its square must be a number too
        raise ValueError(f"{name} must be between 1e-100 and 1e100, got {value}")
    return number


def _alpha(alpha) -> float:
    alpha = _number("alpha", alpha, positive=False)
    if alpha > 1:
        raise ValueError(f"alpha must be in [0, 1], got {alpha}")
    return alpha


def _texts(*, none_ok: bool = False, **texts) -> None:
    """What is written into a figure or a message: strings."""
    for name, value in texts.items():
        if not (isinstance(value, str) or (none_ok and value is None)):
            raise TypeError(f"{name} must be a string, got {value!r}")


def _callable(name: str, value) -> Callable:
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {value!r}")
    return value


def _mapping(name: str, value, what: str, *, empty_ok: bool = False) -> Mapping:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, got {value!r}")
    if not (value or empty_ok):
        raise ValueError(f"{name} must hold at least one {what}, got none")
    return value


def _sequence(name: str, value) -> list:
    try:
        if not isinstance(value, (str, Mapping)):
            return list(value)
    except TypeError:
        pass
    raise TypeError(f"{name} must be a sequence, got {value!r}")


def _device(device) -> torch.device | None:
    """A device that this machine has; None stays None."""
    if device is None:
        return None
    if isinstance(device, bool) or not isinstance(device, (str, torch.device, int)):
        raise TypeError(
            "device must be a string such as 'cpu', a torch.device, an index or None, "
            f"got {device!r}"
        )
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, ImportError, ValueError):  # each kind has its own
        here = ["cpu", "meta"]
        if torch.accelerator.is_available():
            kind = torch.accelerator.current_accelerator().type
            here += [f"{kind}:{i}" for i in range(torch.accelerator.device_count())]
        raise ValueError(
            f"device must be one that this machine has ({', '.join(here)}), got {device!r}"
        ) from None
    return found


def _dtype(dtype) -> torch.dtype | None:
    """A type that points can have; None stays None."""
    if dtype is not None and not isinstance(dtype, torch.dtype):
        raise TypeError(f"dtype must be a torch.dtype such as torch.float32, got {dtype!r}")
    allowed = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
    if dtype is not None and dtype not in allowed:
        raise ValueError(f"dtype must be one of {', '.join(map(str, allowed))}, got {dtype}")
    return dtype


def _seed(seed) -> int:
    return _integer("seed", seed, 0, HELD_OUT_OFFSET - 1)


def _generator(generator: torch.Generator | None, seed: int | None) -> torch.Generator:
    """A local generator: the one given, or a fresh one from ``seed`` (0 if neither is given)."""
    if generator is None:
        return torch.Generator().manual_seed(_seed(0 if seed is None else seed))
    if seed is not None:
        raise ValueError("give either seed or generator, not both")
    if not isinstance(generator, torch.Generator):
        raise TypeError(f"generator must be a torch.Generator, got {type(generator).__name__}")
    return generator


def _tensor(x, name: str) -> Tensor:
    """``x`` as a tensor of real numbers, of its own type."""
    if not isinstance(x, Tensor):
        try:
            x = torch.as_tensor(np.asarray(x))
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(f"{name} must be an array or a tensor of numbers: {error}") from None
    if x.dtype == torch.bool or x.is_complex():
        raise TypeError(f"{name} must hold real numbers, got {x.dtype}")
    return x


def _series(x, name: str) -> np.ndarray:
    """Numbers (m,)."""
    values = _numpy(_tensor(x, name))
    if values.ndim != 1:
        raise ValueError(f"{name} must have shape (m,), got {values.shape}")
    return values


def _returned(value, name: str, shape: tuple[int, ...]) -> Tensor:
    """What a user's function made of points, if it is as many as were asked for."""
    value = _tensor(value, f"what {name} returns")
    if tuple(value.shape) != shape:
        wanted = "one number a point, shape" if len(shape) == 1 else "points of shape"
        raise ValueError(f"{name} must return {wanted} {shape}, got {tuple(value.shape)}")
    if value.is_meta:
        raise ValueError(f"{name} must return numbers, got a tensor on the device meta")
    return value


def _points(
    x,
    name: str,
    dim: int | None = 2,
    *,
    inf_ok: bool = False,
    nan_ok: bool = False,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """``x`` as a floating tensor (n, D), n >= 1; torch keeps its device and its gradient."""
    tensor = _tensor(x, name)
    expected = f"(n, {'D' if dim is None else dim})"
    if tensor.ndim != 2 or (dim is not None and tensor.shape[1] != dim) or tensor.numel() == 0:
        raise ValueError(
            f"{name} must have shape {expected} with n >= 1, got {tuple(tensor.shape)}"
        )
    if not tensor.is_floating_point():
        tensor = tensor.to(torch.get_default_dtype())
    tensor = tensor.to(dtype or tensor.dtype)
    if _traced(tensor):
        return tensor
    for what, is_bad, allowed in (
        ("NaN", torch.isnan, nan_ok),
        ("infinity", torch.isinf, inf_ok),
    ):
        if not allowed and is_bad(tensor).any():
            rows = int(is_bad(tensor).any(dim=1).sum())
            raise ValueError(
                f"{name} must not hold {what}, got {what} in {rows} of {len(tensor)} rows"
            )
    return tensor


def _traced(tensor: Tensor) -> bool:
    """While torch traces a function into a graph, and on meta, there are no numbers to check."""
    kinds = {type(tensor), type(torch.empty(()))}  # while tracing, a new tensor is a stand-in
    stands_in = tensor.is_meta or bool(kinds - {Tensor, torch.nn.Parameter})
    return torch.compiler.is_compiling() or stands_in


def _radius(radius, n: int, like: Tensor) -> float | Tensor:
    """A radius as a float, or one radius per point as a column (n, 1)."""
    if isinstance(radius, Tensor) and _traced(radius):
        return radius.to(like).reshape(-1, 1)
    most = torch.finfo(like.dtype).max / 10
    if not isinstance(radius, (Tensor, np.ndarray)) or radius.ndim == 0:
        number = _number("radius", radius, positive=False)
        if number > most:
            raise ValueError(f"radius must be at most {most:g} in {like.dtype}, got {radius}")
        return number
    radius = _tensor(radius, "radius").to(like)
    if tuple(radius.shape) not in {(n,), (n, 1)}:
        raise ValueError(f"radius must be a number or have shape ({n},), got {tuple(radius.shape)}")
    if not (radius.isfinite() & (radius >= 0)).all():
        raise ValueError("radius must be finite and zero or positive in every entry")
    return radius.reshape(n, 1)


def _plain(x: Tensor, name: str) -> Tensor:
    """``x``, if its numbers are there and lie one beside the other."""
    if x.is_meta or x.layout != torch.strided:
        kind = "on the device meta" if x.is_meta else f"of layout {x.layout}"
        raise ValueError(f"{name} must be a plain tensor of numbers, got one {kind}")
    return x


def _numpy(x) -> np.ndarray:
    if not isinstance(x, Tensor):
        return np.asarray(x)
    x = _plain(x, "what is drawn").detach().cpu()
    return (x.float() if x.dtype == torch.bfloat16 else x).numpy()  # (which numpy does not know)


# ---------------------------------------------------------------------- 2. the ring: samples


def _directions(n_modes: int, like: Tensor) -> Tensor:
    """Unit vectors (n_modes, 2) towards the modes, computed in float64 and then rounded."""
    angle = 2 * math.pi * torch.arange(n_modes, dtype=torch.float64) / n_modes
    return torch.stack([angle.cos(), angle.sin()], dim=1).to(like)


def ring_centers(n_modes: int = 8, radius: float = 3.0) -> Tensor:
    """Return the centres of the ring's modes, counter-clockwise from the positive x1-axis.

    Args:
        n_modes: Number of modes, at least 1.
        radius: Distance of every centre from the origin.

    Returns:
        Tensor (n_modes, 2), float64.

    Example:
        >>> ring_centers(4, 3.0).round(decimals=3)[0]
        tensor([3., 0.], dtype=torch.float64)
    """
    radius = _number("radius", radius, positive=False)
    like = torch.empty(0, dtype=torch.float64)
    return radius * _directions(_integer("n_modes", n_modes, 1, SIDE), like)


def sample_ring(
    n: int,
    generator: torch.Generator,
    device: torch.device | str | None = None,
    *,
    n_modes: int = 8,
    radius: float | Tensor = 3.0,
    cluster_std: float = 0.25,
    dtype: torch.dtype | None = torch.float32,
) -> tuple[Tensor, Tensor]:
    """Draw points from the ring, as torch tensors: fresh data for a training step.

    The numbers are drawn on the generator's device and then moved. A CPU generator therefore
    gives the same points whether the model lives on a CPU or on a GPU.

    Args:
        n: Number of points, at least 1.
        generator: Source of randomness; it is advanced. There is no default on purpose.
        device: Where the result lives; by default the generator's device.
        n_modes: Number of modes, at least 1.
        radius: Radius of the ring, or one radius per point, shape (n,) or (n, 1).
        cluster_std: Standard deviation of each mode in each coordinate, positive.
        dtype: Floating type of the points; None for torch's default.

    Returns:
        Points (n, 2) and the index of the mode each came from (n,), int64.

    Raises:
        TypeError, ValueError: An argument is outside what is listed above.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> x, labels = sample_ring(5, generator)
        >>> x.shape, labels.shape
        (torch.Size([5, 2]), torch.Size([5]))
    """
    n = _integer("n", n, 1)
    n_modes = _integer("n_modes", n_modes, 1, SIDE)
    cluster_std = _number("cluster_std", cluster_std, positive=True)
    if generator is None:
        raise TypeError(
            "sample_ring needs a generator, for example torch.Generator().manual_seed(0)"
        )
    generator = _generator(generator, None)
    home, device = generator.device, _device(device)
    dtype = _dtype(dtype) or torch.get_default_dtype()
    like = torch.empty(0, device=home, dtype=dtype)
    radius = _radius(radius, n, like)
    if cluster_std > (most := torch.finfo(dtype).max / 10):
        raise ValueError(f"cluster_std must be at most {most:g} in {dtype}, got {cluster_std}")
    labels = torch.randint(n_modes, (n,), generator=generator, device=home)
    noise = torch.randn(n, 2, generator=generator, device=home, dtype=dtype)
    x = radius * _directions(n_modes, noise)[labels] + cluster_std * noise
    device = home if device is None else device
    return x.to(device), labels.to(device)


def create_ring_gaussians(
    n_samples: int = 5000,
    n_modes: int = 8,
    radius: float = 3.0,
    cluster_std: float = 0.25,
    *,
    seed: int | None = None,
    generator: torch.Generator | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a fixed data set from the ring, as numpy arrays.

    Modes are drawn independently, so their counts vary as they do in real samples.

    Args:
        n_samples: Number of points, at least 1.
        n_modes: Number of modes, at least 1.
        radius: Radius of the ring.
        cluster_std: Standard deviation of each mode in each coordinate, positive.
        seed: Seed in [0, 2**31) of a fresh local generator; 0 if neither is given.
        generator: A generator to draw from instead; it is advanced.

    Returns:
        Points (n_samples, 2), float32, and mode indices (n_samples,), int64.

    Example:
        >>> x, labels = create_ring_gaussians(n_samples=2000)
        >>> x.shape, x.dtype.name, labels.dtype.name
        ((2000, 2), 'float32', 'int64')
    """
    x, labels = sample_ring(
        _integer("n_samples", n_samples, 1),
        _generator(generator, seed),
        n_modes=n_modes,
        radius=_number("radius", radius, positive=False),
        cluster_std=cluster_std,
    )
    return x.cpu().numpy(), labels.cpu().numpy()


def held_out_ring(
    n: int = 100_000,
    seed: int = 0,
    device: torch.device | str | None = None,
    *,
    n_modes: int = 8,
    radius: float | Tensor = 3.0,
    cluster_std: float = 0.25,
    dtype: torch.dtype | None = torch.float32,
) -> tuple[Tensor, Tensor]:
    """Draw points to judge a model on, from seeds that no training set can use.

    Args:
        n: Number of points. With 100,000 the mean NLL is known to about 0.003 nats.
        seed: Seed in [0, 2**31); ``HELD_OUT_OFFSET`` is added to it.
        device: Where the result lives; by default the CPU.
        n_modes, radius, cluster_std, dtype: As in ``sample_ring``.

    Returns:
        Points (n, 2) and mode indices (n,), int64.

    Example:
        >>> x, _ = held_out_ring(1000)
        >>> bool(-3 < ring_log_prob(x).mean() < -1)
        True
    """
    generator = torch.Generator().manual_seed(HELD_OUT_OFFSET + _seed(seed))
    settings = {"n_modes": n_modes, "radius": radius, "cluster_std": cluster_std, "dtype": dtype}
    return sample_ring(n, generator, device, **settings)


# ------------------------------------------------------------------ 3. the ring: exact facts


def _mode_terms(x: Tensor, n_modes: int, radius, cluster_std: float) -> Tensor:
    """log p(x | mode) for every mode, (n, n_modes)."""
    n_modes = _integer("n_modes", n_modes, 1, SIDE)
    variance = _number("cluster_std", cluster_std, positive=True) ** 2
    radius = _radius(radius, len(x), x)
    if isinstance(radius, Tensor):
        radius = radius[:, :, None]  # (n, 1, 1)
    offset = x[:, None, :] - radius * _directions(n_modes, x)  # (n, n_modes, 2)
    return -0.5 * offset.square().sum(dim=2) / variance - math.log(2 * math.pi * variance)


def ring_log_prob(
    x, n_modes: int = 8, radius: float | Tensor = 3.0, cluster_std: float = 0.25
) -> Tensor:
    """Return the exact log-density of the ring.

    Args:
        x: Points (n, 2), any floating type and device; gradients flow through. At infinity the
            log-density is -inf.
        n_modes: Number of modes, at least 1.
        radius: Radius of the ring, or one per point, (n,) or (n, 1): then it is log p(x | R).
        cluster_std: Standard deviation of each mode in each coordinate, positive.

    Returns:
        Log-density in nats, (n,).

    Raises:
        TypeError, ValueError: Wrong shape, NaN, or a parameter outside what is listed above.

    Example:
        >>> print(round(ring_log_prob(torch.tensor([[3.0, 0.0]])).item(), 4))
        -1.1447
    """
    x = _points(x, "x", inf_ok=True)
    return _mode_terms(x, n_modes, radius, cluster_std).logsumexp(dim=1) - math.log(n_modes)


@torch.no_grad()
def ring_gap(log_prob: Callable[[Tensor], Tensor], n: int = 20_000, radius: float = 3.0) -> float:
    """Return how far a density is from the ring's, in nats above the entropy.

    It is the mean of log p(x) - log q(x) over held-out points x: an estimate of KL(p || q), exactly
    0 for the true density.

    Args:
        log_prob: The density q: points (n, 2) -> log q(x), (n,).
        n: Number of held-out points.
        radius: Radius of the ring.

    Returns:
        The gap in nats; it may come out slightly below 0 by chance.

    Raises:
        ValueError: ``log_prob`` does not return one number for each point.

    Example:
        >>> abs(ring_gap(ring_log_prob)) < 1e-5
        True
    """
    log_prob = _callable("log_prob", log_prob)
    x, _ = held_out_ring(n, radius=radius)
    dtype, device = _home(log_prob, None, None)
    log_q = _returned(log_prob(x.to(device=device, dtype=dtype)), "log_prob", (len(x),))
    log_p = ring_log_prob(x.double(), radius=radius)
    return (log_p - log_q.cpu().double()).mean().item()


def ring_posterior(
    x, n_modes: int = 8, radius: float | Tensor = 3.0, cluster_std: float = 0.25
) -> Tensor:
    """Return p(mode | x) by Bayes' rule, exactly.

    Args:
        x: Points (n, 2), finite.
        n_modes, radius, cluster_std: As in ``ring_log_prob``.

    Returns:
        Probabilities (n, n_modes); every row sums to 1.

    Example:
        >>> ring_posterior(torch.tensor([[0.0, 0.0]])).round(decimals=3)[0, :3]
        tensor([0.1250, 0.1250, 0.1250])
    """
    return _mode_terms(_points(x, "x"), n_modes, radius, cluster_std).softmax(dim=1)


def ring_entropy(n_modes: int = 8, radius: float = 3.0, cluster_std: float = 0.25) -> float:
    """Return the ring's entropy H(X) in nats: the NLL that no model can beat on average.

    All modes look alike, so H(X) is the mean of -log p(x) over ONE mode. That mean is a smooth
    2D integral against a Gaussian; an even grid in units of ``cluster_std`` gives at least nine
    digits.

    Args:
        n_modes: Number of modes, at least 1.
        radius: Radius of the ring.
        cluster_std: Standard deviation of each mode in each coordinate, positive.

    Returns:
        The entropy in nats.

    Example:
        >>> print(f"{ring_entropy():.6f}")
        2.144717
    """
    radius = _number("radius", radius, positive=False)
    cluster_std = _number("cluster_std", cluster_std, positive=True)
    u = torch.linspace(-9, 9, 91, dtype=torch.float64)
    weight = torch.exp(-0.5 * u.square())
    weight = weight / weight.sum()
    offset = cluster_std * torch.cartesian_prod(u, u)
    x = offset + torch.tensor([radius, 0.0], dtype=torch.float64)
    log_prob = _in_chunks(lambda points: ring_log_prob(points, n_modes, radius, cluster_std), x)
    return -float(weight @ log_prob.reshape(len(u), len(u)) @ weight)


def ring_conditional_entropy(cluster_std: float = 0.25) -> float:
    """Return H(X | mode) in nats: the entropy log(2 pi e std^2) of one 2D Gaussian.

    Args:
        cluster_std: Standard deviation of each mode in each coordinate, positive.

    Returns:
        The entropy in nats. For 0.25 it is just above zero, and for less than 0.242 it is
        negative: a density may exceed 1.

    Example:
        >>> print(f"{ring_conditional_entropy():.6f}")
        0.065288
    """
    cluster_std = _number("cluster_std", cluster_std, positive=True)
    return 1 + math.log(2 * math.pi) + 2 * math.log(cluster_std)


# ------------------------------------------------------------------------- 4. data loaders


def _loader(tensors: Sequence[Tensor], batch_size: int, generator, seed) -> DataLoader:
    batch_size = _integer("batch_size", batch_size, 1)
    n = len(tensors[0])
    if batch_size > n:
        raise ValueError(f"batch_size must not exceed the number of points, got {batch_size} > {n}")
    generator = _generator(generator, seed)
    # The last, smaller batch is kept: dropping it would throw away data at every epoch.
    return DataLoader(
        TensorDataset(*tensors), batch_size=batch_size, shuffle=True, generator=generator
    )


def make_loader(
    data,
    batch_size: int,
    *,
    seed: int | None = None,
    generator: torch.Generator | None = None,
) -> DataLoader:
    """Make a shuffling loader over points. Every point comes once an epoch.

    Args:
        data: Points (n, D), array or tensor, finite in float32.
        batch_size: Points in a batch, from 1 to n; the last batch may be smaller.
        seed: Seed in [0, 2**31) of the shuffling; 0 if neither is given.
        generator: A CPU generator for the shuffling instead.

    Returns:
        A DataLoader of 1-tuples ``(x,)`` with x (b, D), float32.

    Example:
        >>> data, _ = create_ring_gaussians(1000)
        >>> [len(x) for (x,) in make_loader(data, 256)]
        [256, 256, 256, 232]
    """
    return _loader([_points(data, "data", None, dtype=torch.float32)], batch_size, generator, seed)


def make_conditional_loader_onehot(
    data,
    labels,
    batch_size: int,
    n_classes: int,
    *,
    seed: int | None = None,
    generator: torch.Generator | None = None,
) -> DataLoader:
    """Make a shuffling loader over points and one-hot labels.

    Args:
        data: Points (n, D), finite.
        labels: Class indices (n,), integers in [0, n_classes).
        batch_size: Points in a batch, from 1 to n; the last batch may be smaller.
        n_classes: Number of classes, at least 1.
        seed, generator: As in ``make_loader``.

    Returns:
        A DataLoader of ``(x, y)`` with x (b, D) and y (b, n_classes), both float32.

    Example:
        >>> data, labels = create_ring_gaussians(1000)
        >>> x, y = next(iter(make_conditional_loader_onehot(data, labels, 256, 8)))
        >>> x.shape, y.shape
        (torch.Size([256, 2]), torch.Size([256, 8]))
    """
    x = _points(data, "data", None, dtype=torch.float32)
    n_classes = _integer("n_classes", n_classes, 1, SIDE)
    labels = _labels(labels, len(x), n_classes).to(x.device)
    y = torch.nn.functional.one_hot(labels, n_classes).float()
    return _loader([x, y], batch_size, generator, seed)


def make_conditional_loader_radius(
    data,
    batch_size: int,
    *,
    seed: int | None = None,
    generator: torch.Generator | None = None,
) -> DataLoader:
    """Make a shuffling loader over points x and their distance r = |x| from the origin.

    A warning that chapter 6 explains: given r, the point x lies on a circle, and no density in
    the plane exists there. A flow trained on these pairs chases an NLL with no lower bound.

    Args:
        data: Points (n, D), finite.
        batch_size: Points in a batch, from 1 to n; the last batch may be smaller.
        seed, generator: As in ``make_loader``.

    Returns:
        A DataLoader of ``(x, r)`` with x (b, D) and r (b, 1), both float32.

    Example:
        >>> data, _ = create_ring_gaussians(1000)
        >>> x, r = next(iter(make_conditional_loader_radius(data, 256)))
        >>> bool(torch.allclose(r[:, 0], x.norm(dim=1)))
        True
    """
    x = _plain(_points(data, "data", None, dtype=torch.float32), "data")
    return _loader([x, x.norm(dim=1, keepdim=True)], batch_size, generator, seed)


def _labels(labels, n: int, n_classes: int | None = None) -> Tensor:
    labels = _tensor(labels, "labels")
    if tuple(labels.shape) != (n,):
        raise ValueError(f"labels must have shape ({n},), got {tuple(labels.shape)}")
    if labels.is_floating_point():
        raise TypeError(f"labels must be integers, got {labels.dtype}")
    labels = labels.long()
    top = math.inf if n_classes is None else n_classes - 1
    if n and (labels.min() < 0 or labels.max() > top):
        bad = int(labels.min() if labels.min() < 0 else labels.max())
        limit = "at least 0" if n_classes is None else f"in [0, {n_classes - 1}]"
        raise ValueError(f"labels must be {limit}, got {bad}")
    return labels


# -------------------------------------------------------------- 5. metrics and integrals


def compute_diversity_metric(samples) -> float:
    """Return the mean of the coordinates' variances, a first, blind look at "diversity".

    For the ring the right value is radius^2 / 2 + cluster_std^2 = 4.5625. The number is blind:
    4 of the 8 modes, 2 opposite ones, one broad Gaussian or a uniform circle score the same. Use
    the held-out NLL, ``mode_shares`` and ``beyond_sigma_share`` beside it.

    Args:
        samples: Points (n, D), finite.

    Returns:
        The mean variance, in squared units of the data.

    Example:
        >>> x, _ = held_out_ring(100_000)
        >>> abs(compute_diversity_metric(x) - 4.5625) < 0.05
        True
    """
    x = _points(samples, "samples", None).detach().double()
    return float(x.var(dim=0, correction=0).mean())


def _distances(samples, n_modes: int, radius: float) -> Tensor:
    x = _points(samples, "samples").detach().double()
    # Without the matrix product, which is faster and loses half of the digits.
    return torch.cdist(
        x, ring_centers(n_modes, radius).to(x), compute_mode="donot_use_mm_for_euclid_dist"
    )


def nearest_mode(samples, n_modes: int = 8, radius: float = 3.0) -> Tensor:
    """Return the index of the nearest mode centre, measured in data space.

    Args:
        samples: Points (n, 2), finite.
        n_modes: Number of modes, at least 1.
        radius: Radius of the ring.

    Returns:
        Mode indices (n,), int64, on the samples' device.

    Example:
        >>> nearest_mode(torch.tensor([[3.1, 0.2], [0.0, 2.5]]))
        tensor([0, 2])
    """
    return _distances(samples, n_modes, radius).argmin(dim=1)


def mode_shares(samples, n_modes: int = 8, radius: float = 3.0) -> Tensor:
    """Return the share of samples nearest to each mode; 1 / n_modes each for the true ring.

    Args:
        samples: Points (n, 2), finite.
        n_modes: Number of modes, at least 1.
        radius: Radius of the ring.

    Returns:
        Shares (n_modes,), float64, on the CPU; they sum to 1.

    Example:
        >>> mode_shares(torch.tensor([[3.0, 0.0], [3.1, 0.0], [-3.0, 0.0]]), n_modes=2)
        tensor([0.6667, 0.3333], dtype=torch.float64)
    """
    labels = nearest_mode(samples, n_modes, radius).cpu()
    return torch.bincount(labels, minlength=n_modes).double() / len(labels)


def beyond_sigma_share(
    samples,
    n_sigma: float = 3.0,
    *,
    n_modes: int = 8,
    radius: float = 3.0,
    cluster_std: float = 0.25,
) -> float:
    """Return the share of samples farther than ``n_sigma`` standard deviations from EVERY mode.

    For the true ring it is exp(-n_sigma^2 / 2): 1.11 % beyond 3, 0.03 % beyond 4 (the modes are
    9 standard deviations apart, so none reaches into another). A flow that leaves bridges
    between the modes scores more.

    Args:
        samples: Points (n, 2), finite.
        n_sigma: Distance in units of ``cluster_std``, zero or positive.
        n_modes: Number of modes, at least 1.
        radius: Radius of the ring.
        cluster_std: Standard deviation of each mode in each coordinate, positive.

    Returns:
        The share, from 0 to 1.

    Example:
        >>> x, _ = held_out_ring(100_000)
        >>> abs(beyond_sigma_share(x) - math.exp(-4.5)) < 0.002
        True
    """
    limit = _number("n_sigma", n_sigma, positive=False)
    limit = limit * _number("cluster_std", cluster_std, positive=True)
    return float((_distances(samples, n_modes, radius).amin(dim=1) > limit).double().mean())


def _home(function, dtype, device) -> tuple[torch.dtype, torch.device]:
    """Where to evaluate ``function``: as asked, else like the module whose method it is."""
    dtype, device = _dtype(dtype), _device(device)
    while isinstance(function, functools.partial):
        function = function.func
    module = function if isinstance(function, torch.nn.Module) else None
    module = module or getattr(function, "__self__", None)
    if isinstance(module, torch.nn.Module):
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                return dtype or tensor.dtype, device or tensor.device
    return dtype or torch.get_default_dtype(), device or torch.device("cpu")


def _extent(extent, name: str = "extent") -> tuple[float, ...]:
    try:
        values = () if isinstance(extent, str) else tuple(float(value) for value in extent)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        values = ()
    pairs = list(zip(values[::2], values[1::2], strict=False))
    if len(values) not in (2, 4) or not all(math.isfinite(v) for v in values):
        raise ValueError(
            f"{name} must be (low, high) or (x1_low, x1_high, x2_low, x2_high), got {extent!r}"
        )
    if any(low >= high for low, high in pairs):
        raise ValueError(f"{name} must have every low below its high, got {extent!r}")
    return values


def _cell_centers(low: float, high: float, n: int, **kind) -> Tensor:
    return low + (high - low) * (torch.arange(n, **kind) + 0.5) / n


def _in_chunks(function: Callable, points: Tensor, size: int = 2**15) -> Tensor:
    return torch.cat([function(chunk) for chunk in points.split(size)])


@torch.no_grad()
def _on_grid(
    log_prob: Callable, extent, n: int, dtype=None, device=None, name: str = "log_prob"
) -> Tensor:
    """Log-density at the cell centres, float64 on the CPU: (n,), or (n, n) with rows along x2."""
    n = _integer("n", n, 1, MOST if len(extent) == 2 else SIDE)
    dtype, device = _home(_callable(name, log_prob), dtype, device)
    if len(extent) == 2:
        points = _cell_centers(*extent, n, dtype=dtype, device=device)
    else:
        x1 = _cell_centers(*extent[:2], n, dtype=dtype, device=device)
        x2 = _cell_centers(*extent[2:], n, dtype=dtype, device=device)
        points = torch.cartesian_prod(x2, x1).flip(1)  # (n * n, 2), x1 runs fastest
    values = _in_chunks(lambda x: _returned(log_prob(x), name, (len(x),)), points)
    values = values.double().cpu()
    return values if len(extent) == 2 else values.reshape(n, n)


def integrate_density(
    log_prob: Callable[[Tensor], Tensor],
    extent: Sequence[float],
    n: int = 400,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> float:
    """Integrate exp(log_prob) over an interval or a rectangle with the midpoint rule.

    A density must give 1, up to what lies outside ``extent``. The rule never touches the edges,
    so it also suits densities on an open interval such as (-1, 1).

    Args:
        log_prob: In 1D a function of x (n,), in 2D of x (n, 2); returns log-densities (n,).
        extent: ``(low, high)`` in 1D, ``(x1_low, x1_high, x2_low, x2_high)`` in 2D.
        n: Number of cells along each axis.
        dtype: Type of the grid. By default that of the module whose method ``log_prob`` is, else
            torch's default. The sum is always taken in float64.
        device: Device of the grid, found in the same way; else the CPU.

    Returns:
        The integral.

    Raises:
        ValueError: Bad extent, wrong shape returned, or NaN among the values.

    Example:
        >>> print(round(integrate_density(ring_log_prob, (-5, 5, -5, 5)), 4))
        1.0
        >>> gaussian = torch.distributions.Normal(0.0, 1.0)
        >>> print(round(integrate_density(gaussian.log_prob, (-1, 1)), 4))
        0.6827
    """
    extent = _extent(extent)
    density = _on_grid(log_prob, extent, n, dtype, device).exp()
    if density.isnan().any():
        raise ValueError(
            f"log_prob must not return NaN, got it at {int(density.isnan().sum())} of "
            f"{density.numel()} grid points"
        )
    cell = math.prod(high - low for low, high in zip(extent[::2], extent[1::2], strict=True))
    return float(density.mean()) * cell


# --------------------------------------------------------------------------- 6. figures

# Colours that stay apart under simulated protanopia, deuteranopia and tritanopia: seaborn's
# "colorblind" palette, with brown and violet for its two palest colours.
BLUE, ORANGE, GREEN, PINK = "#0173b2", "#d55e00", "#029e73", "#cc78bc"
GRAY, LIGHT_GRAY = "#5f5f5f", "#c4c4c4"
CURVE_COLORS = (BLUE, ORANGE, GREEN, PINK, "#8c564b", "#56b4e9")
MODE_COLORS = (BLUE, "#de8f05", GREEN, ORANGE, PINK, "#8c564b", "#5b3a8c", "#56b4e9")
RING_EXTENT = (-4.5, 4.5, -4.5, 4.5)

# What these colours are on a dark page: those of live/page/js/theme.js.
INK, PAPER = "#e8eaed", "#14181e"
IN_THE_DARK = {
    "#000000": INK, "#262626": INK, "#ffffff": PAPER, "#e6e6e6": "#2c323a",
    GRAY: "#a8adb3", LIGHT_GRAY: "#565c63",
    BLUE: "#56b4e9", ORANGE: "#ff9550", GREEN: "#3ccb9d", PINK: "#e39bd3",
    "#8c564b": "#c99a8c", "#56b4e9": "#8fd0f5", "#de8f05": "#ffbe55", "#5b3a8c": "#b69be8",
}  # fmt: skip
MAPS_IN_THE_DARK = {
    "Blues": LinearSegmentedColormap.from_list(
        "density", [(0, PAPER), (0.55, "#1f78b4"), (1, "#d6f0ff")]
    ),
    "PuOr": LinearSegmentedColormap.from_list("signs", [ORANGE, PAPER, "#b69be8"]),
}
# log|det J| of a map: blue where space is squeezed, grey where it stays, orange where it stretches.
STRETCH = LinearSegmentedColormap.from_list(
    "stretch", ["#0b3954", BLUE, "#a0a0a0", ORANGE, "#7f3b08"]
)
LINE_COLORS = ("color", "markerfacecolor", "markeredgecolor")
WIDTH = 8.0  # inches, of every figure: they fill the book's text, and their letters are one size
MANY = 2000  # dots, from which on a figure is a PNG
SHARP = 220  # dots an inch: two for each of the page's pixels
LETTERS = 9  # points, that letters have at least: course.css shows them legibly on a phone too
FOR_THE_SITE = "SITE_PICTURES"  # the variable by which tools/execute.py asks for the dark version


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Give the figures made inside a ``with`` block the look of the book; nothing after it.

    In a notebook they are all 8 inches wide. Curves are shown as SVG, clouds of points and images
    as a sharp PNG.

    Example:
        >>> before = dict(plt.rcParams)
        >>> with style():
        ...     fig, ax = plt.subplots()
        >>> plt.close(fig)
        >>> before == dict(plt.rcParams)
        True
    """
    import seaborn as sns  # here, because it takes a second and only figures need it

    look = {
        **sns.axes_style("ticks"),
        **sns.plotting_context("notebook", font_scale=0.9),
        "axes.prop_cycle": plt.cycler(color=CURVE_COLORS),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "axes.axisbelow": True,
        "axes.titlesize": 11,
        "figure.figsize": (WIDTH, 3.6),
        "figure.dpi": 120,
        "figure.constrained_layout.use": True,
        "figure.hooks": [f"{__name__}:_for_pages"],
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters everywhere
        "legend.frameon": False,
        "lines.linewidth": 1.8,
    }
    with plt.rc_context(look):
        yield


def _for_pages(figure: Figure) -> None:
    """Let notebooks show a figure as the pages need it; `style` asks it of new figures."""
    figure._ipython_display_ = functools.partial(_show, figure)


def _show(figure: Figure) -> None:
    """Show a figure in a notebook; where the site's pictures are made, store its dark one too.

    Raises:
        ValueError: The picture is for the site, and has letters that a phone's reader cannot read,
            letters that are cut at its edge, or tick labels upon each other.
    """
    figure.set_figwidth(WIDTH)
    if any(ax.get_aspect() != "auto" for ax in figure.axes):
        for _ in range(3):
            figure.draw_without_rendering()  # squares find their room in the third layout
        _spread_ticks(figure)
    as_png = any(
        isinstance(a, AxesImage) or a.get_rasterized() or len(_offsets(a)) > MANY
        for a in figure.findobj()
    )
    kind, draw = ("image/png", _png) if as_png else ("image/svg+xml", _svg)
    metadata = {kind: {"width": round(96 * WIDTH)}} if as_png else {}
    shown = draw(figure)
    if os.environ.get(FOR_THE_SITE):
        for text in figure.findobj(Text):
            if text.get_visible() and text.get_text() and text.get_fontsize() < LETTERS:
                raise ValueError(
                    f"letters must have {LETTERS} points or more, for phones: "
                    f"{text.get_text()!r} has {text.get_fontsize():g}"
                )
        _check_room(figure)
        with _in_the_dark(figure):
            metadata["dark"] = draw(figure)
    shown = {kind: shown, "text/plain": repr(figure)}
    ipython = importlib.import_module("IPython.display")  # only a notebook calls this: it is there
    ipython.display(shown, raw=True, metadata=metadata)


def _tick_boxes(axis) -> list[tuple[str, Bbox]]:
    """Text and place of each tick label that is seen."""
    low, high = sorted(axis.get_view_interval())
    along = axis.axis_name == "y"
    return [
        (label.get_text(), label.get_window_extent())
        for label in axis.get_ticklabels()
        if label.get_text() and low <= label.get_position()[along] <= high
    ]


def _spread_ticks(figure: Figure) -> None:
    """Set fewer ticks, both ways, on squares so small that the labels below would nearly touch."""
    gap = 8 * figure.dpi / 72  # of eight points: most of a letter
    for ax in [ax for ax in figure.axes if ax.get_aspect() != "auto"]:
        locators = [axis.get_major_locator() for axis in (ax.xaxis, ax.yaxis)]
        if not all(isinstance(locator, MaxNLocator) for locator in locators):
            continue
        for bins in range(5, 1, -1):
            boxes = [box for _, box in _tick_boxes(ax.xaxis)]
            if all(b.x0 - a.x1 >= gap for a, b in zip(boxes, boxes[1:], strict=False)):
                break
            for locator in locators:
                locator.set_params(nbins=bins)


def _check_room(figure: Figure) -> None:
    """Refuse a figure, once it is drawn, that is cut, or whose tick labels lie upon each other."""
    (left, bottom), (right, top) = figure.get_tightbbox().get_points()  # in inches
    width, height = figure.get_size_inches()
    outside = {"left": -left, "bottom": -bottom, "right": right - width, "top": top - height}
    if cut := [f"{side} ({far:.2f} in)" for side, far in outside.items() if far > 0.01]:
        raise ValueError(f"a figure must hold all of its letters, but is cut: {', '.join(cut)}")
    placed = []
    for axis in [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]:
        for text, box in _tick_boxes(axis):
            for other, its_box in placed:
                if box.overlaps(its_box):
                    raise ValueError(
                        "tick labels must not lie upon each other, as "
                        f"{other!r} and {text!r} do: set fewer ticks"
                    )
            placed.append((text, box))


def _offsets(artist) -> np.ndarray:
    return artist.get_offsets() if isinstance(artist, Collection) else np.empty(0)


def _png(figure: Figure) -> str:
    """A figure as PNG in base64, of 256 colours: a third of the bytes."""
    from PIL import Image  # here, because only notebooks show figures

    stream, small = io.BytesIO(), io.BytesIO()
    figure.savefig(stream, dpi=SHARP, metadata={"Software": None})
    Image.open(stream).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def _svg(figure: Figure) -> str:
    """A figure as SVG: letters are outlines, and the same figure gives the same text."""
    stream = io.StringIO()
    with plt.rc_context({"svg.fonttype": "path", "svg.hashsalt": "figure"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def _dark(colors) -> np.ndarray:
    """Colours as they are on a dark page; those that are not the book's become lighter."""
    made = to_rgba_array(colors).copy()
    paper, ink = to_rgba_array([PAPER, INK])[:, :3]
    for color in made:
        if (known := IN_THE_DARK.get(to_hex(color))) is not None:
            color[:3] = to_rgba_array(known)[0, :3]
        elif np.ptp(color[:3]) < 0.02:
            color[:3] = ink + color[0] * (paper - ink)
        else:
            color[:3] = 0.6 * color[:3] + 0.4 * ink
    return made


@contextlib.contextmanager
def _in_the_dark(figure: Figure) -> Iterator[None]:
    """Let a figure have the colours of a dark page inside a ``with`` block."""
    # The colour of a figure and of its axes is that of their patches, which stand in the list.
    artists = figure.findobj(lambda artist: not isinstance(artist, (Figure, Axes)))
    for name in ("arrow_patch", "_bbox_patch"):  # of annotations; matplotlib does not list them
        artists += [part for a in artists if (part := getattr(a, name, None)) is not None]
    found = []  # a setter, the value now, the value in the dark; all are read before one is set
    for artist in dict.fromkeys(artists):
        cmap = getattr(artist, "get_cmap", lambda: None)()
        if cmap is not None and artist.get_array() is not None:
            found.append((artist.set_cmap, cmap, MAPS_IN_THE_DARK.get(cmap.name, cmap)))
            continue
        # (`color` of what has faces and edges would set both.)
        parts = ("facecolor", "edgecolor") if hasattr(artist, "get_facecolor") else LINE_COLORS
        for part in [part for part in parts if hasattr(artist, f"get_{part}")]:
            old = getattr(artist, f"get_{part}")()
            new = _dark(old)
            if len(new):
                new = new if isinstance(artist, Collection) else new[0]
                found.append((getattr(artist, f"set_{part}"), old, new))
    for setter, _, new in found:
        setter(new)
    try:
        yield
    finally:
        for setter, old, _ in found:
            setter(old)


def mode_colors(labels) -> np.ndarray:
    """Return one colour per label, the same in every figure of the course.

    Args:
        labels: Integers (n,), zero or positive. Beyond 8 modes the colours repeat.

    Returns:
        RGBA colours (n, 4).

    Example:
        >>> mode_colors([0, 1, 0]).shape
        (3, 4)
    """
    labels = _tensor(labels, "labels")
    return to_rgba_array(MODE_COLORS)[_numpy(_labels(labels, labels.numel())) % len(MODE_COLORS)]


@contextlib.contextmanager
def _all_or_none() -> Iterator[None]:
    """Close the figures that were made inside if there is an error."""
    before = set(plt.get_fignums())
    try:
        yield
    except BaseException:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)
        raise


def _axes(ax) -> Axes:
    """What can be drawn on."""
    if not isinstance(ax, Axes):
        several = ": take one of them" if isinstance(ax, np.ndarray) else ""
        raise TypeError(
            "ax must be Axes of matplotlib, as plt.subplots()[1] is, "
            f"got {type(ax).__name__}{several}"
        )
    return ax


def _frame(ax: Axes, extent) -> Axes:
    ax.set_aspect("equal")
    for axis in (ax.xaxis, ax.yaxis):  # the same spacing both ways, as the scales are the same
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    if extent is not None:
        ax.set(xlim=extent[:2], ylim=extent[2:])
    return ax


def _extent_2d(extent, name: str = "extent") -> tuple[float, ...]:
    extent = _extent(extent, name)
    if len(extent) != 4:
        raise ValueError(f"{name} must be (x1_low, x1_high, x2_low, x2_high), got {extent!r}")
    return extent


def density_heatmap(
    ax: Axes,
    log_prob: Callable[[Tensor], Tensor],
    extent: Sequence[float] = RING_EXTENT,
    *,
    n: int = 200,
    vmax: float | None = None,
    colorbar: bool = False,
    title: str | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Axes:
    """Draw a 2D density as an image: white is zero, dark is high.

    Args:
        ax: Axes to draw on.
        log_prob: Function of x (n, 2), returns log-densities (n,). NaN is left blank.
        extent: ``(x1_low, x1_high, x2_low, x2_high)``.
        n: Cells along each axis.
        vmax: Density of the darkest colour, positive; give it to compare figures. Default: the
            maximum, or 1 where all is zero.
        colorbar: Whether to add a scale.
        title: Title of the axes.
        dtype, device: As in ``integrate_density``.

    Returns:
        The axes.

    Raises:
        TypeError, ValueError: An argument that is not as listed above.

    Example:
        >>> fig, ax = plt.subplots()
        >>> ax = density_heatmap(ax, ring_log_prob, n=50)
        >>> plt.close(fig)
    """
    ax, extent = _axes(ax), _extent_2d(extent)
    _texts(none_ok=True, title=title)
    if not isinstance(colorbar, (bool, np.bool_)):
        raise TypeError(f"colorbar must be True or False, got {colorbar!r}")
    vmax = None if vmax is None else _number("vmax", vmax, positive=True)
    density = np.ma.masked_invalid(_on_grid(log_prob, extent, n, dtype, device).exp().numpy())
    if vmax is None:  # a scale from 0 to 0 would be none
        vmax = float(density.max()) if density.count() and density.max() > 0 else 1.0
    image = ax.imshow(
        density,
        extent=extent,
        origin="lower",
        cmap="Blues",
        vmin=0.0,
        vmax=vmax,
        interpolation="bilinear",
    )
    ax.grid(False)
    if colorbar:
        ax.figure.colorbar(image, ax=ax, label="density", shrink=0.85)
    if title is not None:
        ax.set_title(title)
    return _frame(ax, extent)


@torch.no_grad()
def grid_warp(
    ax: Axes,
    transform: Callable,
    extent: Sequence[float] = (-3, 3, -3, 3),
    *,
    n_lines: int = 13,
    n_points: int = 201,
    view: Sequence[float] | None = None,
    title: str | None = None,
    linewidth: float = 1.0,
    alpha: float = 0.9,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Axes:
    """Draw what a map makes of a square grid: the lines along z1 blue, those along z2 orange.

    Args:
        ax: Axes to draw on.
        transform: Function of points (n, 2); returns points (n, 2), or a tuple that starts with
            them, as ``decode`` and ``encode`` do.
        extent: Region of the grid before the map, ``(low, high, low, high)``.
        n_lines: Lines in each direction, at least 2.
        n_points: Points on each line, at least 2.
        view: Region shown, as ``extent``; by default all of the warped grid.
        title: Title of the axes.
        linewidth, alpha: Of the lines.
        dtype, device: As in ``integrate_density``.

    Returns:
        The axes.

    Raises:
        TypeError, ValueError: An argument that is not as listed above.

    Example:
        >>> fig, ax = plt.subplots()
        >>> ax = grid_warp(ax, lambda z: 2 * z)
        >>> len(ax.lines)
        26
        >>> plt.close(fig)
    """
    ax, extent = _axes(ax), _extent_2d(extent)
    view = None if view is None else _extent_2d(view, "view")
    n_lines = _integer("n_lines", n_lines, 2, SIDE)
    n_points = _integer("n_points", n_points, 2, SIDE)
    look = {"linewidth": _number("linewidth", linewidth, positive=False), "alpha": _alpha(alpha)}
    _texts(none_ok=True, title=title)
    dtype, device = _home(_callable("transform", transform), dtype, device)
    kind = {"dtype": dtype, "device": device}
    along = [torch.linspace(*extent[i : i + 2], n_points, **kind) for i in (0, 2)]
    levels = [torch.linspace(*extent[i : i + 2], n_lines, **kind) for i in (0, 2)]
    blue = torch.cartesian_prod(levels[1], along[0]).flip(1)  # one line: z2 fixed, z1 runs
    orange = torch.cartesian_prod(levels[0], along[1])  # one line: z1 fixed, z2 runs
    lines = []
    for points, color in ((blue, BLUE), (orange, ORANGE)):
        value = transform(points)
        value = value[0] if isinstance(value, tuple) and value else value
        value = _numpy(_returned(value, "transform", tuple(points.shape)))
        lines += [(line, color) for line in value.reshape(n_lines, n_points, 2)]
    for line, color in lines:
        ax.plot(line[:, 0], line[:, 1], color=color, **look)
    ax.grid(False)
    if title is not None:
        ax.set_title(title)
    return _frame(ax, view)


def scatter_modes(
    ax: Axes,
    x,
    labels=None,
    *,
    colors=None,
    extent: Sequence[float] | None = None,
    size: float = 5.0,
    alpha: float = 0.6,
    label: str | None = None,
    title: str | None = None,
) -> Axes:
    """Draw points, coloured by mode.

    Args:
        ax: Axes to draw on.
        x: Points (n, 2). Points that are not finite are left out.
        labels: Mode indices (n,); without them all points are blue.
        colors: One colour, or one per point, instead of labels; of numbers, RGB or RGBA.
        extent: Region shown, ``(x1_low, x1_high, x2_low, x2_high)``; by default all points.
        size: Area of a dot in points squared.
        alpha: Opacity of the dots.
        label: Name in the legend.
        title: Title of the axes.

    Returns:
        The axes.

    Raises:
        TypeError, ValueError: An argument that is not as listed above.

    Example:
        >>> fig, ax = plt.subplots()
        >>> ax = scatter_modes(ax, *create_ring_gaussians(200), extent=RING_EXTENT)
        >>> plt.close(fig)
    """
    ax, x = _axes(ax), _numpy(_points(x, "x", inf_ok=True, nan_ok=True))
    extent = None if extent is None else _extent_2d(extent)
    if labels is not None:
        if colors is not None:
            raise ValueError("give either labels or colors, not both")
        _labels(labels, len(x))
        colors = mode_colors(labels)
    _texts(none_ok=True, label=label, title=title)
    colors = _rgba(BLUE if colors is None else colors, len(x))
    ax.scatter(
        x[:, 0],
        x[:, 1],
        s=_number("size", size, positive=False),
        c=colors,
        alpha=_alpha(alpha),
        linewidths=0,
        label=label,
        rasterized=True,
    )
    if title is not None:
        ax.set_title(title)
    return _frame(ax, extent)


def _rgba(colors, n: int, name: str = "colors") -> np.ndarray:
    """One colour, or n of them, as (1, 4) or (n, 4): four numbers are never four values."""
    try:
        made = to_rgba_array(_numpy(colors) if isinstance(colors, Tensor) else colors)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be one colour or one a point: {error}") from None
    if len(made) not in (1, n):
        raise ValueError(f"{name} must be one colour or one a point ({n}), got {len(made)}")
    return made


def _panels(n: int, n_cols: int, size: float, ratio: float = 1.0, **kwargs) -> np.ndarray:
    """n axes (n,) in a grid; the places left over are removed."""
    n_cols = min(n_cols, n)
    n_rows = -(-n // n_cols)
    fig, axes = plt.subplots(
        n_rows,
        n_cols,
        figsize=(size * n_cols, size * ratio * n_rows),
        squeeze=False,
        layout="constrained",
        **kwargs,
    )
    for ax in axes.flat[n:]:
        ax.remove()
    for ax in axes.flat[max(n - n_cols, 0) : n]:  # the lowest of each column names its numbers
        ax.tick_params(labelbottom=True)
    return axes.flatten()[:n]


@_all_or_none()
def layer_grid(
    steps: Sequence,
    labels=None,
    titles: Sequence[str] | None = None,
    *,
    colors=None,
    extent: Sequence[float] | None = None,
    n_cols: int = 4,
    size: float = 4.0,
    alpha: float = 0.6,
) -> np.ndarray:
    """Draw the same points after every layer, one small figure each, on one common scale.

    Colour the points by where they END, with ``nearest_mode(steps[-1])``: then a colour follows
    a point through the layers.

    Args:
        steps: Points (n, 2) for each step, in the order of ``decode``: base first, data last.
        labels: Mode indices (n,), used in every panel.
        titles: One title a step. Default: "base z", "after layer 1", ..., "after layer K: x".
        colors: Colours instead of labels, as in ``scatter_modes``.
        extent: Region shown in every panel; by default what holds 99.8 % of all coordinates.
        n_cols: Panels in a row.
        size: Area of a dot in points squared.
        alpha: Opacity of the dots.

    Returns:
        The axes, an array (number of steps,).

    Raises:
        TypeError, ValueError: An argument that is not as listed above.

    Example:
        >>> z = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
        >>> axes = layer_grid([z, 2 * z, 3 * z])
        >>> [ax.get_title() for ax in axes]
        ['base z', 'after layer 1', 'after layer 2: x']
        >>> plt.close(axes[0].figure)
    """
    steps = [
        _points(step, f"steps[{i}]", inf_ok=True, nan_ok=True)
        for i, step in enumerate(_sequence("steps", steps))
    ]
    if not steps:
        raise ValueError("steps must hold at least one set of points, got none")
    if titles is None:
        last = len(steps) - 1
        titles = ["base z"] + [f"after layer {i}" for i in range(1, last + 1)]
        titles[-1] += ": x" if last else ""
    titles, n_cols = _sequence("titles", titles), _integer("n_cols", n_cols, 1, SIDE)
    if len(titles) != len(steps):
        raise ValueError(f"titles must have one entry a step ({len(steps)}), got {len(titles)}")
    _texts(none_ok=True, **{f"titles[{i}]": title for i, title in enumerate(titles)})
    if extent is None:
        values = np.concatenate([_numpy(step).ravel() for step in steps])
        sizes = np.abs(values[np.isfinite(values)])
        reach = (float(np.quantile(sizes, 0.998)) * 1.05 if sizes.size else 0.0) or 1.0
        extent = (-reach, reach, -reach, reach)
    axes = _panels(len(steps), n_cols, 8 / n_cols, 1.08, sharex=True, sharey=True)
    options = {"colors": colors, "extent": extent, "size": size, "alpha": alpha}
    for ax, step, title in zip(axes, steps, titles, strict=True):
        scatter_modes(ax, step, labels, title=title, **options)
        ax.title.set_fontsize(9)
    return axes


def scatter_stretch(
    ax: Axes, x, log_abs_det, *, extent: Sequence[float] | None = None, size: float = 4.0
) -> Axes:
    """Draw points coloured by log|det J|: blue squeezed, grey as before, orange stretched.

    The title gives mean and standard deviation. Colours end at -2 and 2.

    Args:
        ax: Axes to draw on; a scale is put beside them.
        x: Points (n, 2).
        log_abs_det: log|det J| of the map that made the points, (n,).
        extent: Region shown, as in ``scatter_modes``.
        size: Area of a dot in points squared.

    Returns:
        The axes.

    Raises:
        TypeError, ValueError: An argument that is not as listed above.

    Example:
        >>> fig, ax = plt.subplots()
        >>> x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> scatter_stretch(ax, x, torch.tensor([-0.5, 0.5])).get_title()
        'mean 0.00, std 0.71'
        >>> plt.close(fig)
    """
    ax, x = _axes(ax), _points(x, "x", inf_ok=True, nan_ok=True)
    value = _tensor(log_abs_det, "log_abs_det").detach()
    if tuple(value.shape) != (len(x),):
        raise ValueError(
            f"log_abs_det must have shape ({len(x)},), one value a point, got {tuple(value.shape)}"
        )
    value = value if value.is_floating_point() else value.to(torch.get_default_dtype())
    title = f"mean {value.mean():.2f}, std {value.std():.2f}".replace("-0.00", "0.00")
    colors = STRETCH((_numpy(value.clamp(-2, 2)) + 2) / 4)
    title = title.replace("-", "−")
    scatter_modes(ax, x, colors=colors, extent=extent, size=size, title=title)
    scale = plt.cm.ScalarMappable(plt.Normalize(-2, 2), STRETCH)
    ax.figure.colorbar(scale, ax=ax, label="log|det J|", shrink=0.75, ticks=range(-2, 3))
    return ax


@_all_or_none()
def map_views(
    transforms: Mapping,
    log_prob: Callable,
    z: Tensor,
    extent: Sequence[float] = (-4.0, 4.0, -4.0, 4.0),
) -> np.ndarray:
    """Draw maps of the plane, a row each: density, warped grid, points coloured by log|det J|.

    The densest blue is the highest density, or 0.4 if that is higher still.

    Args:
        transforms: Title -> transform, whose ``decode(z)`` returns ``(x, log_abs_det)``.
        log_prob: Function of a transform and x (n, 2), returns log-densities (n,).
        z: Latent points (n, 2), finite, decoded for the last panel.
        extent: Region shown in every panel.

    Returns:
        The axes, an array (number of transforms, 3).

    Raises:
        ValueError: There is no transform, or the extent is not one.

    Example:
        >>> from flows import Linear, standard_normal_log_prob
        >>> def log_prob(transform, x):
        ...     z, log_abs_det = transform.encode(x)
        ...     return standard_normal_log_prob(z).sum(dim=1) + log_abs_det
        >>> axes = map_views({"twice": Linear(2 * torch.eye(2))}, log_prob, torch.randn(50, 2))
        >>> [ax.get_title() for ax in axes[0]]
        ['twice', 'grid', 'mean 1.39, std 0.00']
        >>> plt.close(axes[0, 0].figure)
    """
    extent = _extent_2d(extent)
    n = len(_mapping("transforms", transforms, "transform"))
    log_prob, z = _callable("log_prob", log_prob), _points(z, "z")
    for name, transform in transforms.items():
        _callable(f"transforms[{name!r}].decode", getattr(transform, "decode", None))
    _, axes = plt.subplots(n, 3, figsize=(8.4, 2.55 * n), squeeze=False, layout="constrained")
    for row, (name, transform) in zip(axes, transforms.items(), strict=True):
        density_heatmap(row[0], functools.partial(log_prob, transform), extent, title=name)
        image = row[0].images[0]
        image.set_clim(0, min(0.4, image.get_clim()[1]))
        grid_warp(row[1], transform.decode, view=extent, title="grid")
        with torch.no_grad():
            scatter_stretch(row[2], *transform.decode(z), extent=extent)
    return axes


@_all_or_none()
def training_curves(
    curves: Mapping[str, tuple],
    entropy: float | None = None,
    *,
    ax: Axes | None = None,
    top: float | None = None,
    entropy_label: str = "entropy H(X)",
    title: str | None = None,
) -> Axes:
    """Draw negative log-likelihoods over the steps, with the entropy as the line to reach.

    The axis is linear: an NLL may be zero or negative, where a log axis has no place for it.

    Args:
        curves: Name -> ``(steps, values)``, two sequences of one length; values in nats.
        entropy: The lowest NLL possible on average, in nats; drawn as a dashed line.
        ax: Axes to draw on; by default a new figure.
        top: Upper end of the axis, to look past the first, large values; above the lowest one.
        entropy_label: Name of the line; its value is added.
        title: Title of the axes.

    Returns:
        The axes.

    Raises:
        TypeError, ValueError: An argument that is not as listed above.

    Example:
        >>> ax = training_curves({"training": ([0, 1, 2], [4.0, 3.0, 2.5])}, entropy=2.144717)
        >>> ax.get_legend_handles_labels()[1]
        ['training', 'entropy H(X) = 2.145']
        >>> plt.close(ax.figure)
    """
    pairs = []
    for name, pair in _mapping("curves", curves, "curve").items():
        pair = _sequence(f"curves[{name!r}]", pair)
        if len(pair) != 2:
            raise ValueError(f"curves[{name!r}] must be (steps, values), got {len(pair)} of them")
        steps, values = (_series(part, f"curves[{name!r}]") for part in pair)
        if len(steps) != len(values):
            raise ValueError(
                f"curves[{name!r}] must have as many steps as values, "
                f"got {len(steps)} and {len(values)}"
            )
        pairs.append((name, steps, values))
    _texts(entropy_label=entropy_label)
    _texts(none_ok=True, title=title)
    ax = None if ax is None else _axes(ax)
    entropy = None if entropy is None else _real("entropy", entropy)
    known = [] if entropy is None else [entropy]
    if top is not None:
        known += [v for line in getattr(ax, "lines", ()) for v in _numpy(line.get_ydata()).ravel()]
        known += [value for _, _, values in pairs for value in values]
        lowest = min((value for value in known if math.isfinite(value)), default=-math.inf)
        if not lowest < _real("top", top, finite=False) < math.inf:
            raise ValueError(f"top must be a number above the lowest value, {lowest:g}, got {top}")
    if ax is None:
        ax = plt.subplots(figsize=(8, 3.6), layout="constrained")[1]
    for i, (name, steps, values) in enumerate(pairs):
        ax.plot(steps, values, color=CURVE_COLORS[i % len(CURVE_COLORS)], label=name)
    if entropy is not None:
        label = f"{entropy_label} = {entropy:.3f}"
        ax.axhline(entropy, color="black", linestyle="--", linewidth=1.2, label=label)
    if top is not None:
        ax.set_ylim(top=top)
    ax.set(xlabel="training step", ylabel="NLL (nats)")
    if title is not None:
        ax.set_title(title)
    ax.legend()
    return ax


@_all_or_none()
@torch.no_grad()
def curve_gallery(
    functions: Mapping[str, Callable],
    extent: Sequence[float] = (-3, 3),
    *,
    n_cols: int = 3,
    n: int = 401,
    xlabel: str = "z",
    ylabel: str = "x",
) -> np.ndarray:
    """Draw several functions of one variable, each with the identity dashed behind it.

    Args:
        functions: Name -> function of z (n,); returns x (n,), or a tuple that starts with it,
            as ``decode`` does.
        extent: Range of z, ``(low, high)``.
        n_cols: Panels in a row.
        n: Points on a curve, at least 2.
        xlabel, ylabel: Names of the axes.

    Returns:
        The axes, an array (number of functions,).

    Raises:
        TypeError, ValueError: An argument that is not as listed above.

    Example:
        >>> axes = curve_gallery({"tanh": torch.tanh, "exp": torch.exp})
        >>> axes.shape
        (2,)
        >>> plt.close(axes[0].figure)
    """
    for name, function in _mapping("functions", functions, "function").items():
        _callable(f"functions[{name!r}]", function)
    n, n_cols = _integer("n", n, 2), _integer("n_cols", n_cols, 1, SIDE)
    _texts(xlabel=xlabel, ylabel=ylabel)
    low, high = _extent(extent)[:2]
    axes = _panels(len(functions), n_cols, 8 / n_cols, 0.9)
    for ax, (name, function) in zip(axes, functions.items(), strict=True):
        dtype, home = _home(function, None, None)
        z = torch.linspace(low, high, n, dtype=dtype, device=home)
        x = function(z)
        x = x[0] if isinstance(x, tuple) and x else x
        x = _returned(x, f"functions[{name!r}]", (n,))
        ax.plot([low, high], [low, high], color=GRAY, linestyle="--", linewidth=1)
        ax.plot(_numpy(z), _numpy(x), color=BLUE, linewidth=2)
        ax.set(title=name, xlabel=xlabel, ylabel=ylabel)
    return axes


@torch.no_grad()
def samples_and_density(
    ax: Axes,
    samples,
    log_probs: Mapping[str, Callable] | None = None,
    extent: Sequence[float] | None = None,
    *,
    bins: int = 60,
    n: int = 801,
    title: str | None = None,
) -> Axes:
    """Draw a histogram of 1D samples and analytic densities over it.

    Args:
        ax: Axes to draw on.
        samples: Numbers (m,).
        log_probs: Name -> function of x (n,), returns log-densities (n,). NaN is left blank.
        extent: Range of x, ``(low, high)``; by default that of the finite samples.
        bins: Bars of the histogram. Its heights are densities: samples outside ``extent`` count.
        n: Points on a curve.
        title: Title of the axes.

    Returns:
        The axes.

    Raises:
        TypeError, ValueError: An argument that is not as listed above.

    Example:
        >>> z = torch.randn(1000, generator=torch.Generator().manual_seed(0))
        >>> fig, ax = plt.subplots()
        >>> normal = torch.distributions.Normal(0.0, 1.0)
        >>> ax = samples_and_density(ax, z, {"density": normal.log_prob}, (-4, 4))
        >>> plt.close(fig)
    """
    ax, values = _axes(ax), _series(samples, "samples")
    if not values.size:
        raise ValueError("samples must hold at least one number, got none")
    _texts(none_ok=True, title=title)
    if np.isnan(values).any():
        raise ValueError(
            f"samples must not hold NaN, got NaN in {np.isnan(values).sum()} of {values.size}"
        )
    low, high = _extent(_range(values) if extent is None else extent)[:2]
    edges = np.linspace(low, high, _integer("bins", bins, 1, SIDE) + 1)
    n = _integer("n", n, 1)
    log_probs = {} if log_probs is None else log_probs
    densities = {
        name: _on_grid(log_prob, (low, high), n, name=f"log_probs[{name!r}]").exp()
        for name, log_prob in _mapping("log_probs", log_probs, "density", empty_ok=True).items()
    }
    # Weights, and not density=True: what lies outside the range must not raise the bars inside.
    finite = values[np.isfinite(values)]
    weights = np.full(finite.size, len(edges[1:]) / (values.size * (high - low)))
    bars = {"color": LIGHT_GRAY, "edgecolor": LIGHT_GRAY, "linewidth": 0.3}  # no slits between them
    ax.hist(finite, edges, weights=weights, label="samples", **bars)
    for i, (name, density) in enumerate(densities.items()):
        x = _cell_centers(low, high, n)
        ax.plot(x, density, color=CURVE_COLORS[i % len(CURVE_COLORS)], label=name)
    ax.set(xlabel="x", ylabel="density", xlim=(low, high))
    if title is not None:
        ax.set_title(title)
    ax.legend()
    return ax


def _range(values: np.ndarray) -> tuple[float, float]:
    """The range of what is finite; about a single number, one unit wide or a thousandth of it."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ValueError("samples must hold a finite number, or give extent")
    low, high = float(finite.min()), float(finite.max())
    around = 0.0 if low < high else max(0.5, 0.001 * abs(low))
    return low - around, high + around


@_all_or_none()
def plot_conditional_samples_discrete(
    samples_by_label: Mapping[int, np.ndarray],
    data,
    labels,
    title: str = "Conditional samples",
) -> None:
    """Draw labelled data beside the samples a model made for each label, in one set of colours.

    Args:
        samples_by_label: Label -> samples (m, 2). The label's name stands in the middle of those
            that are finite.
        data: Points (n, 2).
        labels: Labels of the data (n,), integers, zero or positive.
        title: Title of the figure.

    Raises:
        TypeError, ValueError: An argument that is not as listed above.

    Example:
        >>> data, labels = create_ring_gaussians(400)
        >>> samples = {label: data[labels == label] for label in range(8)}
        >>> plot_conditional_samples_discrete(samples, data, labels, title="The ring")
        >>> plt.close()
    """
    for label, samples in _mapping("samples_by_label", samples_by_label, "label").items():
        _integer("a label of samples_by_label", label, 0)
        _points(samples, f"samples_by_label[{label!r}]", inf_ok=True, nan_ok=True)
    data = _points(data, "data", inf_ok=True, nan_ok=True)
    _texts(title=title)
    axes = _panels(2, 2, 4.0, 1.05, sharex=True, sharey=True)
    scatter_modes(axes[0], data, labels, title="data")
    scatter_modes(axes[1], data, colors=LIGHT_GRAY, alpha=0.5, size=3, title="samples by label")
    for label, samples in samples_by_label.items():
        scatter_modes(axes[1], samples, colors=mode_colors([label]), size=8)
        points = _numpy(samples)
        points = points[np.isfinite(points).all(axis=1)]
        if not len(points):
            continue  # there is no place for its name
        center = points.mean(axis=0)
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
        axes[1].text(*center, str(label), ha="center", va="center", fontsize=9, bbox=box)
    for ax in axes:
        ax.set(xlabel="$x_1$", ylabel="$x_2$")
    axes[0].figure.suptitle(title)


@_all_or_none()
def plot_conditional_samples_continuous(
    samples_by_value: Mapping[float, np.ndarray],
    data,
    title: str = "Conditional samples",
    value_name: str = "value",
) -> None:
    """Draw the samples a model made for each value of a condition, one panel a value.

    Where ``value_name`` holds the word "radius", a dashed circle of that radius is added.

    Args:
        samples_by_value: Value -> samples (m, 2).
        data: Points (n, 2), drawn in grey behind each panel.
        title: Title of the figure.
        value_name: Name of the condition, for the panels' titles.

    Raises:
        TypeError, ValueError: An argument that is not as listed above.

    Example:
        >>> data, _ = create_ring_gaussians(400)
        >>> rings = {r: create_ring_gaussians(200, radius=r)[0] for r in (1.5, 3.0)}
        >>> plot_conditional_samples_continuous(rings, data, title="Rings", value_name="radius")
        >>> plt.close()
    """
    for value, samples in _mapping("samples_by_value", samples_by_value, "value").items():
        _real("a value of samples_by_value", value)
        _points(samples, f"samples_by_value[{value!r}]", inf_ok=True, nan_ok=True)
    data = _points(data, "data", inf_ok=True, nan_ok=True)
    _texts(title=title, value_name=value_name)
    axes = _panels(len(samples_by_value), 3, 8 / 3, 1.1, sharex=True, sharey=True)
    for ax, (value, samples) in zip(axes, samples_by_value.items(), strict=True):
        scatter_modes(ax, data, colors=LIGHT_GRAY, alpha=0.5, size=3)
        scatter_modes(ax, samples, size=5, title=f"{value_name} = {float(value):g}")
        if "radius" in value_name.lower():
            circle = {"fill": False, "linestyle": "--", "color": "black", "linewidth": 1}
            ax.add_patch(plt.Circle((0, 0), float(value), **circle))
        ax.autoscale_view()
    axes[0].figure.suptitle(title)


def run_dots(
    ax: Axes,
    runs: dict[str, Sequence[float]],
    *,
    own: dict[str, float] | None = None,
    color: str | None = None,
    xlabel: str = "gap (nats)",
    limit: float | None = None,
) -> None:
    """Draw many runs of several arms: each a faint dot, their median a bar, one's own a diamond.

    Args:
        ax: Where to draw; the arms stand below one another, the first on top.
        runs: Name of an arm -> its numbers, one for each seed. One that is not finite is drawn at
            the right edge.
        own: Name of an arm -> the number of the reader's own run.
        color: Colour of dots and bars.
        xlabel: What the numbers are.
        limit: The highest number that is shown; dots beyond it stand at the edge.

    Raises:
        ValueError: There is no arm, or an own run belongs to none.

    Example:
        >>> with style():
        ...     ax = plt.figure().add_subplot()
        ...     run_dots(ax, {"plain": [1.0, 1.2], "better": [0.5, 0.4]}, own={"better": 0.45})
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['plain', 'better']
    """
    ax, color = _axes(ax), BLUE if color is None else color
    (rgba,) = _rgba(color, 1, "color")
    color = tuple(rgba) if isinstance(color, Tensor) else color
    _texts(xlabel=xlabel)
    limit = None if limit is None else _real("limit", limit)
    # fmin turns what is no number into infinity: a run that broke stands at the edge.
    arms = {
        name: np.fmin(_series(values, f"runs[{name!r}]").astype(float), np.inf)
        for name, values in _mapping("runs", runs, "arm").items()
    }
    own = {
        name: float(np.fmin(_real(f"own[{name!r}]", value, finite=False), np.inf))
        for name, value in _mapping("own", {} if own is None else own, "run", empty_ok=True).items()
    }
    if unknown := sorted(set(own) - set(arms)):
        raise ValueError(f"own must name arms of runs, got {', '.join(unknown)}")
    if empty := [name for name, values in arms.items() if not values.size]:
        raise ValueError(f"runs must hold at least one number an arm, got none for {empty[0]}")
    finite = [v for values in (*arms.values(), own.values()) for v in values if math.isfinite(v)]
    if limit is None and not finite:
        raise ValueError("runs must hold at least one finite number, or give a limit")
    top = limit if limit is not None else max(finite)
    for row, (name, values) in enumerate(arms.items()):
        # Spread a little up and down, in the order of the seeds: no dot hides behind another.
        offset = 0.22 * np.sin(2.4 * np.arange(len(values)))
        shown = np.minimum(values, top)
        ax.scatter(shown, row + offset, s=9, color=color, alpha=0.35, linewidths=0)
        middle = min(float(np.median(values)), top)
        ax.plot([middle] * 2, [row - 0.34, row + 0.34], color=color, linewidth=2.4)
        if name in own:
            ax.plot(min(own[name], top), row, "D", color=ORANGE, markersize=6, zorder=3)
    ax.set(yticks=range(len(runs)), yticklabels=list(runs), xlabel=xlabel)
    ax.set_ylim(len(runs) - 0.5, -0.5)
    ax.grid(False, axis="y")


# ---------------------------------------------------------- 7. helpers for the notebooks


def sliders(function: Callable, **controls) -> None:
    """Show ``function`` under sliders, and call it again whenever one is moved.

    Args:
        function: Called with one keyword argument per control; draws a figure or prints.
        **controls: ``(low, high, step, start)`` gives a slider, of integers if all four are;
            a list gives a drop-down menu that starts at its first entry; True or False a tick
            box. A widget is used as it is.

    Raises:
        TypeError: A control that is none of these.
        ValueError: A tuple of another length, out of order, or with a start outside its range.

    Example:
        >>> sliders(lambda scale: None, scale=(0.1, 3.0, 0.1, 5.0))
        Traceback (most recent call last):
        ValueError: scale must have low < high, a positive step and a start between, got ...
    """
    function = _callable("function", function)
    for name, control in controls.items():
        _check_control(name, control)
    try:
        import ipywidgets as widgets
    except ImportError:
        print(
            "The sliders need the package ipywidgets, which is not installed here: "
            "run `pip install ipywidgets`, restart the notebook and run this cell again."
        )
        return
    made = {}
    for name, control in controls.items():
        text = {"description": name.replace("_", " ")}
        if isinstance(control, tuple):
            low, high, step, start = control
            whole = all(isinstance(v, numbers.Integral) for v in control)
            kind = widgets.IntSlider if whole else widgets.FloatSlider
            # The function runs when the handle is let go: a figure for every pixel would queue.
            text |= {"min": low, "max": high, "step": step, "continuous_update": False}
            made[name] = kind(value=start, **text)
        elif isinstance(control, list):
            made[name] = widgets.Dropdown(options=control, value=control[0], **text)
        elif isinstance(control, bool):
            made[name] = widgets.Checkbox(value=control, **text)
        elif isinstance(control, (widgets.Widget, widgets.fixed)):
            made[name] = control
        else:
            raise TypeError(
                f"{name} must be (low, high, step, start), a list, True or False, or a widget, "
                f"got {control!r}"
            )
    # It asks for a name, which a partial and an object that can be called do not have.
    called = function if hasattr(function, "__name__") else lambda **chosen: function(**chosen)
    widgets.interact(called, **made)


def _check_control(name: str, control) -> None:
    if isinstance(control, list) and not control:
        raise ValueError(f"{name} must offer at least one entry, got an empty list")
    if not isinstance(control, tuple):
        return
    if len(control) != 4 or not all(isinstance(v, numbers.Real) for v in control):
        raise ValueError(f"{name} must be (low, high, step, start), four numbers, got {control!r}")
    low, high, step, start = control
    finite = all(math.isfinite(v) for v in control)
    if not (finite and low < high and step > 0 and low <= start <= high):
        raise ValueError(
            f"{name} must have low < high, a positive step and a start between, got {control!r}"
            + ("" if finite else ", which is not finite")
        )


def trained(name: str, value: float, unit: str = "", digits: int = 4) -> None:
    """Print a number that comes out of a training.

    Such a number differs from machine to machine: sums are added in another order there. The sign
    in front of it says so, to readers and to the tests, which do not compare what follows it.

    Args:
        name: What the number is.
        value: The number.
        unit: Its unit, printed after it.
        digits: Decimal places to print, zero or more.

    Raises:
        TypeError, ValueError: An argument that is not as listed above.

    Example:
        >>> trained("gap", 0.08314, unit="nats")
        gap ≈ 0.0831 nats
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"name must be a non-empty string, got {name!r}")
    _texts(unit=unit)
    value, digits = _real("value", value, finite=False), _integer("digits", digits, 0, 100)
    print(f"{name} ≈ {value:.{digits}f}" + (f" {unit}" if unit else ""))
