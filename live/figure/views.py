"""What `live_figure(f, alpha=...)` shows of a transform when no panels are given."""

import math

import torch

from ..compiler.trace import explain
from .marks import grid, line, mesh, panel, points, rule

SPAN = 4.0  # the base distribution is shown on [-SPAN, SPAN]


def default_view(function, declared, readout, alt):
    """Scene, panels, readout and alt text for a transform f(z, **parameters)."""
    start = {c["name"]: c["value"] for c in declared}
    start = {k: torch.tensor(float(v)) if isinstance(v, float) else v for k, v in start.items()}
    start = {k: 0 if isinstance(v, str) else v for k, v in start.items()}
    name = getattr(function, "__name__", "f").strip("<>")
    dim, has_log_det = dimension(function, start)
    scene, panels, default = (one_dimension if dim == 1 else two_dimensions)(function)
    if has_log_det:  # its own: without one there is nothing to hold against the derivative
        default += "; largest error of the log-det: {off:.1e} nats"
    alt = alt or f"The transform {name}: what it does to points and to a standard normal density."
    return scene, panels, readout or default, alt


def dimension(function, start) -> tuple[int, bool]:
    """1 if the function takes z of shape (n,), 2 if it takes (n, 2); and whether it returns a
    log-det of its own."""
    problems = []
    for z, dim in ((torch.randn(7, 2, generator=torch.Generator().manual_seed(0)), 2),
                   (torch.linspace(-1, 1, 7), 1)):  # fmt: skip
        try:
            out = function(z, **start)
        except Exception as error:
            problems.append(error)
            continue
        x, log_det = out if isinstance(out, tuple) else (out, None)
        if dim == 2 and x.shape == (7, 2):
            if log_det is not None and log_det.shape == (7,):
                return 2, True
            if log_det is None and mixes(function, z, start):
                return 2, False
        elif dim == 1 and x.shape == (7,):
            return 1, log_det is not None
    problem = explain(problems[-1]) if problems else "the shapes do not fit"
    raise ValueError(
        "a transform takes z of shape (n,) or (n, 2) and returns x of the same shape, or "
        f"(x, log_abs_det) with log_abs_det of shape (n,); {problem}"
    )


def mixes(function, z, start) -> bool:
    """Does a coordinate of the result depend on the other coordinate (or is it treated
    differently)? If not, the function acts on single numbers."""
    try:
        return not torch.allclose(function(z, **start)[:, 0], function(z[:, 0], **start))
    except Exception:
        return True


def one_dimension(function):
    """Curve and densities of an element-wise transform."""

    def scene(**parameters):
        def value(z):
            out = function(z, **parameters)
            return out[0] if isinstance(out, tuple) else out

        z = torch.linspace(-SPAN, SPAN, 401)
        out = function(z, **parameters)
        x = out[0] if isinstance(out, tuple) else out
        slope = torch.func.grad(lambda z: value(z).sum())(z)
        # By automatic differentiation. Where f is flat in float32, its log-slope is not -inf.
        exact = torch.log(torch.abs(slope).clamp(min=1e-7))
        log_det = torch.broadcast_to(out[1], z.shape) if isinstance(out, tuple) else exact
        base = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
        density = base * torch.exp(-log_det)
        values = {
            "z": z,
            "x": x,
            "base": base,
            "density": density,
            "area": torch.trapezoid(density, x).abs(),
            "naive": torch.trapezoid(base, x).abs(),
            "stretch": torch.trapezoid(base * log_det, z),
        }
        if isinstance(out, tuple):
            error = torch.abs(log_det - exact)
            values["off"] = torch.where(torch.abs(slope) > 1e-3, error, 0.0).amax()
        return values

    panels = [
        panel(line("z", "x"), line("z", "z", color="light", width=1, dash=True),
              title="transform", x="z", y="x = f(z)", xlim=(-SPAN, SPAN)),
        panel(line("z", "base", color="gray", label="base density of z", dash=True),
              line("x", "density", fill=True, label="density of x"),
              title="density", x="z, x", y="density", ylim=(0, 1.0)),
    ]  # fmt: skip
    readout = (
        "area under the density of x: {area:.3f} (without the log-det: {naive:.3f}); "
        "mean log|f'| = {stretch:+.3f} nats"
    )
    return scene, panels, readout


def two_dimensions(function):
    """Samples, grid, log|det J| and density of a transform of the plane."""
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(1000, 2, generator=generator)
    n, m = samples.shape[0], 61  # points along each line: enough for a line that bends
    side = torch.linspace(-3, 3, m)
    lattice = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1)  # (m, m, 2)
    every = torch.cat([samples, lattice.reshape(-1, 2)])
    base = torch.exp(-0.5 * (lattice**2).sum(-1)) / (2 * math.pi)

    def scene(**parameters):
        def value(z):
            out = function(z, **parameters)
            return out[0] if isinstance(out, tuple) else out

        out = function(every, **parameters)
        x = out[0] if isinstance(out, tuple) else out
        # The Jacobian by two gradients: points do not see one another.
        rows = [torch.func.grad(lambda z, k=k: value(z)[:, k].sum())(every) for k in (0, 1)]
        det = rows[0][:, 0] * rows[1][:, 1] - rows[0][:, 1] * rows[1][:, 0]
        exact = torch.log(torch.abs(det))
        log_det = out[1] if isinstance(out, tuple) else exact
        values = {
            "samples": x[:n],
            "log_det": log_det[:n],
            "lattice": x[n:].reshape(m, m, 2),
            "density": base * torch.exp(-log_det[n:].reshape(m, m)),
            "stretch": log_det[:n].mean(),
            "spread": log_det[:n].var().sqrt(),
            "folded": (det.amin() < 0) & (det.amax() > 0),
        }
        if isinstance(out, tuple):
            values["off"] = torch.abs(log_det - exact).amax()
        return values

    window = {"x": "x1", "y": "x2", "xlim": (-4, 4), "ylim": (-4, 4), "equal": True}
    panels = [
        panel(points("samples", value="log_det", limits=(-1.5, 1.5)), title="samples", **window),
        panel(grid("lattice", every=6, color="blue"), rule(x=0, color="light"),
              rule(y=0, color="light"), title="grid", **window),
        panel(mesh("lattice", "density", limits=(0.0, 0.2)), title="density", **window),
    ]  # fmt: skip
    readout = (
        "log|det J| of the samples: mean {stretch:+.3f}, spread {spread:.3f} nats "
        "(orange: stretched, blue: squeezed); "
        "{folded|det J keeps its sign on the grid|det J changes sign: it FOLDS}"
    )
    return scene, panels, readout
