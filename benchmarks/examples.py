"""Figures to start from, of the course's flows. The benchmark and the tests of `live` use them.

from benchmarks import examples
examples.tanh()
"""

import math

import torch

import flows
from live import (
    bars,
    call_with,
    grid,
    heat,
    line,
    live_figure,
    panel,
    points,
    rule,
    stack_weights,
    waterfall,
)

PLANE = {"x": "x1", "y": "x2", "equal": True}


def lattice(low: float, high: float, n: int):
    """(n, n, 2) points, row 0 at the bottom."""
    side = torch.linspace(low, high, n)
    return torch.stack(torch.meshgrid(side, side, indexing="xy"), -1)


def normal_points(n: int, seed: int = 0):
    """(n, 2) draws of the base distribution."""
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))


def tanh():
    """tanh with a probe, and the areas under the naive and the corrected density."""

    def scene(loc, scale, z0):
        z = torch.linspace(-5, 5, 401)
        x, log_det = flows.Tanh(loc, scale).decode(z)
        base = flows.standard_normal_log_prob(z).exp()
        corrected = base * torch.exp(-log_det)
        x0, d0 = flows.Tanh(loc, scale).decode(z0)
        return {
            "z": z, "x": x, "naive": base, "corrected": corrected, "x0": x0, "slope": d0.exp(),
            "naive_area": torch.trapezoid(base, x), "area": torch.trapezoid(corrected, x),
        }  # fmt: skip

    return live_figure(
        scene,
        panel(line("z", "x"), rule(y="x0", color="light"), probe=("z0", None), x="z", y="x",
              title="x = tanh(loc + scale z)", ylim=(-1.05, 1.05)),
        panel(line("x", "naive", color="orange", dash=True, label="naive"),
              line("x", "corrected", fill=True, label="with the log-det"),
              title="density of x", x="x", y="density", xlim=(-1.05, 1.05), ylim=(0, 3)),
        readout="z = {z0:.2f} goes to x = {x0:.3f} (slope {slope:.3f}). Area under the density: "
                "naive {naive_area:.3f}, corrected {area:.3f}.",
        alt="Left: the curve of tanh with a probe. Right: the naive and the corrected density.",
        loc=(-2.0, 2.0, 0.0), scale=(0.2, 3.0, 1.0), z0=(-3.0, 3.0, 1.0),
    )  # fmt: skip


SIX = {
    "identity": flows.Identity(), "affine": flows.Affine(), "sigmoid": flows.Sigmoid(),
    "tanh": flows.Tanh(), "leaky ReLU": flows.LeakyReLU(), "softplus": flows.ShiftedSoftplus(),
}  # fmt: skip


def six():
    """Two of six transforms, one after the other."""

    def apply(which, z):
        values, log_dets = zip(*(t.decode(z) for t in SIX.values()), strict=True)
        return torch.stack(values)[which], torch.stack(log_dets)[which]

    def scene(first, second):
        z = torch.linspace(-4, 4, 401)
        middle, one = apply(first, z)
        x, two = apply(second, middle)
        log_det, base = one + two, flows.standard_normal_log_prob(z).exp()
        stretch = torch.trapezoid(base * log_det, z)
        entropy = 0.5 * math.log(2 * math.pi * math.e) + stretch
        return {"z": z, "x": x, "density": base * torch.exp(-log_det), "base": base,
                "stretch": stretch, "entropy": entropy}  # fmt: skip

    return live_figure(
        scene,
        panel(line("z", "x"), title="curve", x="z", y="x", ylim=(-4, 4)),
        panel(line("z", "base", color="gray", dash=True, label="base"),
              line("x", "density", fill=True, label="pushed"),
              title="density", x="z, x", y="density", xlim=(-4, 6), ylim=(0, 2)),
        readout="{first}, then {second}: E log|f'| = {stretch:+.3f} nats, "
                "entropy {entropy:.3f} nats",
        alt="The curve of two transforms, one after the other, and the density they make.",
        first=list(SIX), second=list(SIX),
    )  # fmt: skip


def planar(n: int = 4000):
    """The planar map with its fold: samples coloured by log|det|, warped grid, pre-images."""
    samples, mesh = normal_points(n), lattice(-3, 3, 25)
    along = torch.linspace(-8, 8, 801)  # values of w.z

    def scene(w1, w2, u1, u2, px, py):
        w, u = torch.stack([w1, w2]), torch.stack([u1, u2])
        x, log_det = flows.planar(samples, w, u, 0.0)
        warped, _ = flows.planar(mesh.reshape(-1, 2), w, u, 0.0)
        reach, p = (w * u).sum(), torch.stack([px, py])
        # z = p - u tanh(s), where s = w.z solves s + w.u tanh(s) = w.p
        off = along + reach * torch.tanh(along) - (w * p).sum()
        hit = off[:-1] * off[1:] <= 0
        s = torch.where(hit, along[:-1] - off[:-1] * 0.02 / (off[1:] - off[:-1]), torch.nan)
        det = 1 + (1 - torch.tanh(samples @ w) ** 2) * reach
        return {"x": x, "log_det": log_det, "grid": warped.reshape(25, 25, 2), "reach": reach,
                "pre": p - torch.tanh(s)[:, None] * u, "n": hit.sum(), "folds": reach < -1,
                "folded": torch.where((det < 0)[:, None], x, torch.nan)}  # fmt: skip

    window = PLANE | {"xlim": (-4, 4), "ylim": (-4, 4)}
    return live_figure(
        scene,
        panel(points("x", value="log_det", limits=(-1.5, 1.5), size=1.2),
              points("folded", color="pink", size=1.6, show="folds"), title="samples", **window),
        panel(grid("grid"), points("pre", color="green", size=5, alpha=1), probe=("px", "py"),
              title="grid, and where the probe comes from", **window),
        readout="w.u = {reach:.2f}: {folds|one to one|it folds}. The probe has {n:.0f} "
                "pre-image(s).",
        alt="Samples coloured by the log-determinant, and the warped grid with a probe.",
        w1=(-2.0, 2.0, 1.5), w2=(-2.0, 2.0, 0.0), u1=(-3.0, 3.0, 1.0), u2=(-3.0, 3.0, 0.5),
        px=(-4.0, 4.0, 0.3), py=(-4.0, 4.0, 0.5),
    )  # fmt: skip


def radial(n: int = 4000):
    """The radial map: samples coloured by log|det|, and the warped grid."""
    samples, mesh = normal_points(n), lattice(-3, 3, 25)

    def scene(alpha, beta, cx, cy):
        center = torch.stack([cx, cy])
        x, log_det = flows.radial(samples, center, alpha, beta)
        warped, _ = flows.radial(mesh.reshape(-1, 2), center, alpha, beta)
        return {"x": x, "log_det": log_det, "grid": warped.reshape(25, 25, 2),
                "folds": beta < -alpha, "mean": log_det.mean()}  # fmt: skip

    window = PLANE | {"xlim": (-4, 4), "ylim": (-4, 4)}
    return live_figure(
        scene,
        panel(points("x", value="log_det", limits=(-1.5, 1.5), size=1.2), title="samples",
              **window),
        panel(grid("grid"), probe=("cx", "cy"), title="grid", **window),
        readout="mean log|det| = {mean:+.3f} nats; {folds|one to one|it folds: beta < -alpha}",
        alt="Samples coloured by the log-determinant, and the warped grid.",
        alpha=(0.2, 3.0, 1.0), beta=(-3.0, 5.0, 1.0), cx=(-3.0, 3.0, 0.5), cy=(-3.0, 3.0, 0.0),
    )  # fmt: skip


def layers(flow, n: int = 2000):
    """Samples on their way through a flow, its density, and where log p(x) comes from."""
    z, count = normal_points(n), len(flow.layers)
    pixels = lattice(-5, 5, 48).reshape(-1, 2)

    def scene(t, temperature, px, py):
        steps = torch.stack(flow.decode_steps(temperature * z)[0])  # (K + 1, n, 2)
        k = torch.clamp(torch.floor(t), max=count - 1).long()
        now = torch.lerp(steps[k], steps[k + 1], t - k)  # between two layers
        latent, log_dets = flow.encode_steps(torch.stack([px, py])[None])
        terms = torch.cat([flows.standard_normal_log_prob(latent[-1]).sum(1), *log_dets])
        return {"now": now, "terms": terms, "log_p": terms.sum(),
                "density": flow.log_prob(pixels).exp().reshape(48, 48)}  # fmt: skip

    window = PLANE | {"xlim": (-5, 5), "ylim": (-5, 5)}
    labels = ["log p(z)", *(f"layer {count - k}" for k in range(count))]
    return live_figure(
        scene,
        panel(points("now", size=1.2), title="samples on their way", **window),
        panel(heat("density", (-5, 5, -5, 5)), probe=("px", "py"), title="density", **window),
        panel(waterfall("terms", labels, total="log p(x)"), title="log p(x) of the probe", x="nats",
              xlim=(-15, 8)),
        readout="log p(x) = {log_p:.3f} nats at ({px:.2f}, {py:.2f})",
        alt="Samples after the last layer; the density; and signed bars that add up to log p(x).",
        t=(0.0, float(count), 0.05, float(count)), temperature=(0.0, 1.5, 1.0),
        px=(-5.0, 5.0, 3.0), py=(-5.0, 5.0, 0.0), play="t",
    )  # fmt: skip


def training(flow, checkpoints, losses, n: int = 2000):
    """A slider over checkpoints: samples, density, and the loss so far.

    Args:
        flow: The flow.
        checkpoints: K dicts of weights.
        losses: K held-out losses in nats.
        n: Number of samples.

    Returns:
        The figure.
    """
    weights, z = stack_weights(checkpoints), normal_points(n)
    pixels = lattice(-5, 5, 40).reshape(-1, 2)
    loss, steps = torch.as_tensor(losses), torch.arange(float(len(checkpoints)))
    parts = torch.stack([loss, loss - loss.min()], 1)

    def scene(checkpoint):
        now = {name: w[checkpoint] for name, w in weights.items()}
        x, _ = call_with(flow, now, "decode", z)
        density = call_with(flow, now, "log_prob", pixels).exp().reshape(40, 40)
        return {"x": x, "density": density, "steps": steps, "loss": loss,
                "ledger": parts[checkpoint], "now": loss[checkpoint]}  # fmt: skip

    window = PLANE | {"xlim": (-5, 5), "ylim": (-5, 5)}
    return live_figure(
        scene,
        panel(points("x", size=1.2), title="samples", **window),
        panel(heat("density", (-5, 5, -5, 5)), title="density", **window),
        panel(bars("ledger", ["held-out", "to go"]), title="nats", x="nats"),
        readout="checkpoint {checkpoint:.0f}: held-out {now:.3f} nats",
        alt="Samples, density and loss of the last checkpoint.",
        checkpoint=(0, len(checkpoints) - 1, len(checkpoints) - 1), play="checkpoint",
    )  # fmt: skip
