"""Call every public function with junk, and name each answer that is not one: `make fuzz`.

    python tools/fuzz.py                      # 2000 calls of each function; about half an hour
    python tools/fuzz.py flows.Planar --n 50 --seed 1

Each function and method of flows.py, flows_support.py and gen_models_utilities.py has arguments
that it takes (`EXAMPLES`). A call puts junk in the place of none, one or several of them: NaN,
infinities, numbers too large, texts, None, lists, other shapes and dtypes, functions that return
nonsense. Right is a result, or an error in our words: one that a `raise` in these three files made,
of a kind in `ERRORS`; and either within a second. All else is counted by its kind.
"""

import argparse
import ast
import inspect
import io
import math
import random
import re
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

import flows
import flows_support
import gen_models_utilities as gmu

MODULES = (flows, flows_support, gmu)
ERRORS = (ValueError, TypeError, FloatingPointError, NotImplementedError)
SECONDS = 1.0  # of the processor, that a call may take
LATE = "takes too long"
PATIENCE = 10.0  # seconds of the clock, after which a call is ended

# ------------------------------------------------------------------- arguments that are taken


def generator() -> torch.Generator:
    """A fresh one."""
    return torch.Generator().manual_seed(0)


def line() -> Tensor:
    """Points of one coordinate, where all transforms of chapters 1 and 2 have a way back."""
    return torch.linspace(0.1, 0.6, 4)


def plane() -> Tensor:
    """Four points of two coordinates."""
    return torch.tensor([[0.1, 0.2], [-0.3, 0.4], [1.0, -1.5], [2.0, 0.5]])


def density(x: Tensor) -> Tensor:
    """A log-density for any points."""
    return torch.zeros(len(x))


def real_nvp(**options) -> flows.RealNVP:
    """A small one."""
    return flows.RealNVP(**{"hidden_dim": 4, "n_layers": 2, **options})


def half(kept: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """A conditioner."""
    return 0.5 * kept, kept


def sheet() -> dict:
    """Axes to draw on."""
    return {"ax": plt.subplots()[1]}


def trainer() -> flows.Trainer:
    """A short training."""
    return flows.Trainer(real_nvp(), flows.resample(plane()), steps=2, batch_size=4)


def optimizer() -> torch.optim.Adam:
    """Of one weight."""
    return torch.optim.Adam([nn.Parameter(torch.zeros(1))])


def knots() -> tuple[Tensor, Tensor, Tensor]:
    """Of a spline."""
    places = torch.tensor([-3.0, 0.0, 3.0])
    return places, places, torch.tensor([1.0, 2.0, 1.0])


def leave() -> dict:
    """What a step of a training is given."""
    flow = real_nvp()
    return {"flow": flow, "adam": torch.optim.Adam(flow.parameters()), "clip": 5.0,
            "batch": plane()}  # fmt: skip


NETWORK = {"hidden_dim": 4, "context_dim": 0, "n_frequencies": 1}
TRAINING = {"steps": 2, "batch_size": 4, "lr": 0.01, "clip": 5.0, "seed": 0, "schedule": True}
BENDS = {"n_bins": 3, "bound": 5.0}
RING = {"n_modes": 8, "radius": 3.0}
DATA = np.zeros((6, 2), dtype=np.float32)
LABELS = np.arange(6)
POINTS = torch.zeros(4, 2)
LOADER = {"data": DATA, "batch_size": 2, "seed": 1}


def both(make: Callable[[], nn.Module], points: Callable[[], Tensor], name: str, end="") -> dict:
    """Examples of the two directions of a transform; those whose names end so."""
    return {
        f"{name}.{direction}{end}": lambda place=place: {
            "self": make(), place: points(), "context": None
        }
        for direction, place in (("decode", "z"), ("encode", "x"))
    }  # fmt: skip


def planar() -> flows.Planar:
    """A planar layer."""
    return flows.Planar(torch.tensor([1.0, 0.5]), torch.tensor([-0.5, 0.8]))


def two_affine() -> flows.Compose:
    """Two layers of one coordinate."""
    return flows.Compose([flows.Affine(), flows.Affine(0.5, 0.0)])


# module -> name: makes arguments that the function takes, one for each of its parameters
FLOWS = {
    **both(flows.Transform, line, "Transform"),
    "standard_normal_log_prob": lambda: {"z": line()},
    "log_abs": lambda: {"value": -2.5},
    "Tanh": lambda: {"loc": 0.0, "scale": 1.0},
    **both(flows.Tanh, line, "Tanh"),
    **both(flows.Identity, line, "Identity"),
    "Affine": lambda: {"scale": 2.5, "shift": 1.0},
    **both(flows.Affine, line, "Affine"),
    **both(flows.Sigmoid, line, "Sigmoid"),
    "LeakyReLU": lambda: {"slope": 0.1},
    **both(flows.LeakyReLU, line, "LeakyReLU"),
    **both(flows.ShiftedSoftplus, line, "ShiftedSoftplus"),
    "walk": lambda: {"maps": [flows.Affine().decode], "value": line(), "context": None},
    "Compose": lambda: {"layers": [flows.Affine(), flows.Tanh()]},
    **both(two_affine, line, "Compose"),
    **both(two_affine, line, "Compose", "_steps"),
    "Linear": lambda: {"matrix": torch.eye(2), "shift": torch.zeros(2)},
    **both(lambda: flows.Linear(flows.rotation(30.0)), plane, "Linear"),
    "rotation": lambda: {"degrees": 30.0, "dim": 2},
    "scaling": lambda: {"first": 0.35, "second": 2.0},
    "shear": lambda: {"amount": 0.6},
    "Coupling": lambda: {"conditioner": half, "flip": False},
    **both(lambda: flows.Coupling(half), plane, "Coupling"),
    "Conditioner": lambda: {"n_kept": 1, "n_changed": 1, **NETWORK},
    "AffineCoupling": lambda: {"dim": 2, "flip": False, "conditioner": None, **NETWORK},
    **both(lambda: flows.AffineCoupling(2, 4), plane, "AffineCoupling"),
    "one_a_point": lambda: {"layer": flows.Affine(), "direction": "decode"},
    "steps_of": lambda: {"layers": [flows.Affine()], "direction": "encode"},
    "Flow": lambda: {"layers": [flows.Affine()], "dim": 2, "context_dim": 0},
    **both(real_nvp, plane, "Flow"),
    **both(real_nvp, plane, "Flow", "_steps"),
    "Flow.log_prob": lambda: {"self": real_nvp(context_dim=3), "x": plane(),
                              "context": torch.ones(4, 3)},
    "Flow.sample": lambda: {"self": real_nvp(), "n": 4, "context": None, "generator": generator(),
                            "temperature": 1.0},
    "alternating": lambda: {"make": lambda flip: flows.AffineCoupling(2, 4, flip), "n_layers": 3,
                            "dim": 2, "turn": 45.0},
    "RealNVP": lambda: {"dim": 2, "n_layers": 2, "turn": 30.0, **NETWORK},
    "resample": lambda: {"data": plane(), "context": None},
    "point_nll": lambda: {"flow": real_nvp(), "batch": plane()},
    "mean_nll": lambda: {"flow": real_nvp(), "batch": plane()},
    "learning_rate": lambda: {"step": 3, "steps": 100, "peak": 0.1, "warmup": 0.1},
    "careful_mean": lambda: {"nll": torch.tensor([1.0, 2.0, 1e9]), "dim": 2},
    "leave_gradient": leave,
    "Trainer": lambda: {"flow": real_nvp(), "draw": flows.resample(plane()), **TRAINING},
    "Trainer.step": lambda: {"self": trainer()},
    "train": lambda: {"flow": real_nvp(), "draw": flows.resample(plane()), **TRAINING,
                      "held_out": plane(), "report_every": 1, "on_report": None,
                      "checkpoint": None},
    "spline_bin": lambda: {"t": line(), "rise": torch.ones(4), "left": torch.ones(4),
                           "right": torch.full((4,), 3.0)},
    "spline": lambda: {"value": line(), "knots": knots(), "back": False},
    "spline_knots": lambda: {"free": torch.zeros(5), "bound": 3.0},
    "SplineConditioner": lambda: {"n_kept": 1, "n_numbers": 8, **NETWORK},
    "SplineCoupling": lambda: {"dim": 2, "flip": False, **NETWORK, **BENDS},
    **both(lambda: flows.SplineCoupling(2, 4, n_bins=3), plane, "SplineCoupling"),
    "SplineFlow": lambda: {"dim": 2, "n_layers": 2, "turn": 0.0, **NETWORK, **BENDS},
    "planar": lambda: {"z": plane(), "w": torch.tensor([1.0, 0.0]), "u": torch.tensor([0.5, 0.0]),
                       "b": 0.0, "margin": None},
    "planar_misfit": lambda: {"s": line(), "target": line(), "reach": torch.tensor(2.0)},
    "solve_planar": lambda: {"target": line(), "reach": torch.tensor(2.0), "bisections": 60},
    "softplus_inverse": lambda: {"y": line()},
    "Planar": lambda: {"w": [1.0, 0.5], "u": torch.tensor([-0.5, 0.8]), "b": 0.0},
    **both(planar, plane, "Planar"),
    "radial": lambda: {"z": plane(), "center": torch.zeros(2), "alpha": 1.0, "beta": 1.0,
                       "margin": None},
    "solve_radial": lambda: {"rho": line(), "alpha": 1.0, "beta": 1.0},
    "Radial": lambda: {"center": torch.tensor([1.2, -0.8]), "alpha": 1.0, "beta": 0.8},
    **both(lambda: flows.Radial(torch.tensor([1.2, -0.8])), plane, "Radial"),
}  # fmt: skip
SUPPORT = {
    "copied": lambda: {"state": {"weights": [torch.zeros(2)], "step": 3}},
    "read_checkpoint": lambda: {"path": __file__},
    "to_eight_bits": lambda: {"flow": real_nvp()},
    "from_eight_bits": lambda: {"flow": real_nvp(),
                                "packed": flows_support.to_eight_bits(real_nvp())},
}  # fmt: skip
SAMPLES = {"samples": POINTS}
UTILITIES = {
    "ring_centers": lambda: RING,
    "sample_ring": lambda: {
        "n": 4, "generator": generator(), "device": None, **RING, "cluster_std": 0.25,
        "dtype": torch.float32,
    },
    "create_ring_gaussians": lambda: {
        "n_samples": 4, **RING, "cluster_std": 0.25, "seed": None, "generator": generator(),
    },
    "held_out_ring": lambda: {
        "n": 4, "seed": 0, "device": None, **RING, "cluster_std": 0.25, "dtype": torch.float32,
    },
    "ring_log_prob": lambda: {"x": POINTS, **RING, "cluster_std": 0.25},
    "ring_gap": lambda: {"log_prob": density, "n": 4, "radius": 3.0},
    "ring_posterior": lambda: {"x": POINTS, **RING, "cluster_std": 0.25},
    "ring_entropy": lambda: {**RING, "cluster_std": 0.25},
    "ring_conditional_entropy": lambda: {"cluster_std": 0.25},
    "make_loader": lambda: {**LOADER, "generator": None},
    "make_conditional_loader_onehot": lambda: {
        **LOADER, "labels": LABELS, "n_classes": 8, "generator": None,
    },
    "make_conditional_loader_radius": lambda: {**LOADER, "generator": None},
    "compute_diversity_metric": lambda: SAMPLES,
    "nearest_mode": lambda: {**SAMPLES, **RING},
    "mode_shares": lambda: {**SAMPLES, **RING},
    "beyond_sigma_share": lambda: {**SAMPLES, "n_sigma": 3.0, **RING, "cluster_std": 0.25},
    "integrate_density": lambda: {
        "log_prob": density, "extent": (0, 1, 0, 1), "n": 3, "dtype": None, "device": None,
    },
    "style": dict,
    "mode_colors": lambda: {"labels": LABELS},
    "density_heatmap": lambda: {
        **sheet(), "log_prob": density, "extent": (0, 1, 0, 1), "n": 3, "vmax": 1.0,
        "colorbar": False, "title": "a", "dtype": None, "device": None,
    },
    "grid_warp": lambda: {
        **sheet(), "transform": lambda z: z, "extent": (0, 1, 0, 1), "n_lines": 2, "n_points": 2,
        "view": None, "title": "a", "linewidth": 1.0, "alpha": 0.5, "dtype": None, "device": None,
    },
    "scatter_modes": lambda: {
        **sheet(), "x": DATA, "labels": LABELS, "colors": None, "extent": None, "size": 5.0,
        "alpha": 0.5, "label": "a", "title": "a",
    },
    "layer_grid": lambda: {
        "steps": [DATA, DATA], "labels": LABELS, "titles": ["a", "b"], "colors": None,
        "extent": None, "n_cols": 2, "size": 4.0, "alpha": 0.5,
    },
    "scatter_stretch": lambda: {
        **sheet(), "x": POINTS, "log_abs_det": torch.zeros(4), "extent": None, "size": 4.0,
    },
    "map_views": lambda: {
        "transforms": {"a": flows.Linear(torch.eye(2))}, "log_prob": lambda _, x: density(x),
        "z": POINTS, "extent": (-1, 1, -1, 1),
    },
    "training_curves": lambda: {
        "curves": {"a": ([0, 1], [2.0, 1.0])}, "entropy": 0.5, **sheet(), "top": 3.0,
        "entropy_label": "a", "title": "a",
    },
    "curve_gallery": lambda: {
        "functions": {"a": torch.tanh}, "extent": (-1, 1), "n_cols": 1, "n": 3, "xlabel": "a",
        "ylabel": "a",
    },
    "samples_and_density": lambda: {
        **sheet(), "samples": POINTS[:, 0], "log_probs": {"a": density}, "extent": (-1, 1),
        "bins": 3, "n": 3, "title": "a",
    },
    "plot_conditional_samples_discrete": lambda: {
        "samples_by_label": {0: DATA}, "data": DATA, "labels": LABELS, "title": "a",
    },
    "plot_conditional_samples_continuous": lambda: {
        "samples_by_value": {1.0: DATA}, "data": DATA, "title": "a", "value_name": "radius",
    },
    "run_dots": lambda: {
        **sheet(), "runs": {"a": [1.0, 2.0]}, "own": {"a": 1.0}, "color": "red", "xlabel": "a",
        "limit": 2.0,
    },
    "sliders": lambda: {"function": lambda scale: None, "scale": (0.0, 1.0, 0.1, 0.5)},
    "trained": lambda: {"name": "a", "value": 1.0, "unit": "nats", "digits": 4},
}  # fmt: skip
EXAMPLES = {
    f"{module.__name__}.{name}": make
    for module, table in zip(MODULES, (FLOWS, SUPPORT, UTILITIES), strict=True)
    for name, make in table.items()
}
# Not at the border: what is handed on by the functions above, and the machinery of a training.
INSIDE = {
    "flows.Coupling.split", "flows.Coupling.join", "flows.Coupling.scale_and_shift",
    "flows.Conditioner.raw", "flows.Conditioner.forward", "flows.SplineConditioner.forward",
    "flows.SplineCoupling.bend", "flows.History", "flows.Guard", "flows.Guard.sees_a_jump",
    "flows.WayBack", "flows.WayBack.needed", "flows.WayBack.take", "flows.WayBack.state",
    "flows.WayBack.load",
} | {
    f"flows_support.{name}" for name in (
        "to_look_at", "check_domain", "check_points", "check_number", "check_linear",
        "check_planar", "check_radial", "check_spline", "check_knots", "check_conditioned",
        "fit_inputs", "check_settings", "kinds_of", "fits", "shown", "caused_here",
        "in_our_words", "gated", "gate",
        "ImplicitRoot.forward", "ImplicitRoot.setup_context", "ImplicitRoot.backward",
        "implicit_root", "check_training", "fingerprint", "what_it_is", "next_batch", "recorded",
        "Replay", "Replay.warm_up", "Replay.record", "slots_in", "Tape", "Tape.new_slot",
        "Tape.slot", "Tape.changed", "Tape.run", "TapeReplay", "TapeReplay.record",
        "TapeReplay.compiled", "TapeReplay.checked", "set_rate", "adam_tensors", "AdamSteps",
        "AdamSteps.step", "report", "save_training", "load_training",
    )
}  # fmt: skip
# Formulas: outside of what their texts allow (a logarithm of nothing, a mean of no points) a NaN.
FORMULAS = {
    f"flows.{name}" for name in (
        "log_abs", "softplus_inverse", "solve_radial", "solve_planar", "planar", "radial",
        "careful_mean", "spline_bin", "spline", "leave_gradient", "mean_nll",
    )
}  # fmt: skip
SPREAD = {"flows.scaling"}  # takes its arguments by place


def public() -> set[str]:
    """All functions, classes and methods of the three files whose names have no underscore."""
    found = set()
    for module in MODULES:
        for name, thing in vars(module).items():
            if getattr(thing, "__module__", "") != module.__name__ or name[0] == "_":
                continue
            if inspect.isfunction(thing):
                found.add(f"{module.__name__}.{name}")
            elif inspect.isclass(thing):
                found |= {f"{module.__name__}.{name}"} if "__init__" in vars(thing) else set()
                for method, value in vars(thing).items():
                    if method[0] != "_" and inspect.isfunction(getattr(value, "__func__", value)):
                        found.add(f"{module.__name__}.{name}.{method}")
    return found


# ------------------------------------------------------------------------------------- junk

NUMBERS = (
    -1, 0, 1, 2, 3, 7, 2**31, 10**12, 10**18, 10**400, -0.5, 0.0, 0.5, 1.5, 1e-320, 1e-12, 1e38,
    1e300, -1e300, math.nan, math.inf, -math.inf,
)  # fmt: skip
SHAPES = ((), (0,), (1,), (2,), (4,), (0, 2), (1, 2), (4, 1), (4, 2), (4, 3), (2, 2), (2, 4, 2))
DTYPES = (torch.float32, torch.float32, torch.float32, torch.float64, torch.float16,
          torch.bfloat16, torch.int64, torch.uint8, torch.bool, torch.complex64)  # fmt: skip
NEVER = {"steps", "bisections"}  # so many are asked for and done: that takes its time
WHAT = (
    lambda: None, lambda: True, lambda: False, lambda: "", lambda: "a", lambda: "0.5", object,
    list, dict, tuple, lambda: 2 + 1j, lambda: [1.0, 2.0], lambda: (0.1, 0.2, 0.3),
    lambda: [[0.1, 0.2], [0.3, 0.4]], lambda: [None, object()], lambda: ["a", 1.0],
    lambda: {"a": None}, lambda: {0: POINTS}, lambda: np.array(["a", "b"]), lambda: np.zeros(2),
    lambda: np.float64(0.5), lambda: np.int64(3), lambda: np.bool_(True),
    lambda: np.full((4, 2), 0.25), lambda: np.array([1.0, None], dtype=object),
    lambda: Returns(None), lambda: Returns(0.5), lambda: Returns("a"), lambda: Returns((1, 2)),
    lambda: Returns(torch.zeros(4, 2)), lambda: Returns(torch.zeros(3)), lambda: Tensor,
    lambda: torch.float64, lambda: torch.int64, lambda: "cpu", lambda: "cuda:7",
    lambda: torch.device("meta"), lambda: torch.zeros(4, 2, device="meta"), generator, real_nvp,
    flows.Affine, lambda: flows.Linear(torch.eye(3)), lambda: [flows.Affine()],
    lambda: [planar(), planar()], lambda: Path("no-such-folder") / "file",
    lambda: torch.zeros(4, 2).to_sparse(), lambda: torch.ones(4, 2, requires_grad=True),
    lambda: torch.ones(2, 4).T, lambda: nn.Parameter(torch.ones(2)), lambda: nn.Linear(2, 2),
    lambda: range(3), lambda: iter([1.0, 2.0]), lambda: {1.0, 2.0}, lambda: b"a", lambda: half,
    lambda: (plane(), torch.ones(4, 3)), lambda: [plane(), None], knots,
)  # fmt: skip


@dataclass(frozen=True)
class Returns:
    """A function that takes anything and always returns the same.

    Args:
        value: What it returns.

    Example:
        >>> Returns(3)(1, 2, a=5)
        3
    """

    value: object

    def __call__(self, *arguments, **named):
        """What it returns."""
        return self.value


def tensor(stream: random.Random) -> Tensor:
    """Numbers of a random shape and dtype, plain or odd."""
    shape, dtype = stream.choice(SHAPES), stream.choice(DTYPES)
    source = torch.Generator().manual_seed(stream.randrange(2**31))
    values = torch.randn(shape, generator=source)
    kind = stream.choice(("plain", "plain", "zero", "one", "odd", "large"))
    if kind == "odd":
        values = torch.where(values > 0, stream.choice((math.nan, math.inf, -math.inf)), values)
    scale = {"zero": 0.0, "large": stream.choice((10.0, 1e10, 1e30))}.get(kind, 1.0)
    values = torch.ones(shape) if kind == "one" else scale * values
    return values.to(dtype)


def junk(stream: random.Random):
    """Something that may or may not fit."""
    kind = stream.random()
    if kind < 0.3:
        return stream.choice(NUMBERS)
    if kind < 0.65:
        return tensor(stream)
    if kind < 0.7:
        values = tensor(stream)
        return (values.real if values.is_complex() else values).float().numpy()
    return stream.choice(WHAT)()


def arguments(name: str, stream: random.Random) -> dict:
    """What one call is given: an example, with junk in up to three places."""
    given = EXAMPLES[name]()
    places = [place for place in given if place != "self"]
    count = min(len(places), stream.choice((0, 1, 1, 1, 1, 2, 3)))
    for place in stream.sample(places, count):
        value = junk(stream)
        if not (place in NEVER and isinstance(value, int) and value > 7):
            given[place] = value
    return given


# ------------------------------------------------------------------------------------- calls


class TooLong(BaseException):
    """A call was ended. (No `except Exception` shall catch it.)"""


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """End what takes longer."""

    def end(*_):
        raise TooLong

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@cache
def raises() -> set[tuple[str, int]]:
    """File and line of all our `raise` statements."""
    found = set()
    for module in MODULES:
        source = Path(module.__file__).read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Raise):
                lines = range(node.lineno, node.end_lineno + 1)
                found |= {(module.__file__, line) for line in lines}
    return found


def ours(error: BaseException) -> bool:
    """Whether an error is in our words, or Python's about the number of arguments.

    A module without `forward`, given as a function, says so itself.
    """
    last = traceback.extract_tb(error.__traceback__)[-1]
    counted = re.search(r"\(\) (got|takes|missing) ", str(error))
    clear = (last.filename, last.lineno) in raises() or last.name == "_forward_unimplemented"
    return isinstance(error, ERRORS) and bool(clear or counted)


def odd_numbers(values) -> set[str]:
    """What in a nesting of tensors, arrays and numbers no answer can be held to."""
    found = set()
    for leaf in tree_leaves(values):
        if isinstance(leaf, np.ndarray | np.generic | float | complex):
            leaf = np.asarray(leaf)
            leaf = torch.as_tensor(leaf) if leaf.dtype.kind in "fc" else None
        if not isinstance(leaf, Tensor) or leaf.is_meta or leaf.layout != torch.strided:
            continue
        if leaf.dtype.is_floating_point or leaf.dtype.is_complex:
            leaf = leaf.detach().abs().double()
            found |= {"NaN"} if leaf.isnan().any() else set()
            found |= {"a huge number"} if (leaf > 1e4).any() else set()
    return found


def run(name: str, given: dict):
    """Call a function, or a method of the object that `self` is."""
    module, *path = name.split(".")
    given = dict(given)
    thing = {m.__name__: m for m in MODULES}[module]
    if "self" in given:
        thing, path = given.pop("self"), path[1:]
    for part in path:
        thing = getattr(thing, part)
    return thing(*given.values()) if name in SPREAD else thing(**given)


def shown(value) -> str:
    """An argument, in short: of few numbers, the numbers."""
    if isinstance(value, Tensor) and value.numel() <= 4:
        return " ".join(repr(value).split())
    return flows_support.shown(value)


def judge(name: str, given: dict) -> str | None:
    """Make one call.

    Args:
        name: One of `EXAMPLES`.
        given: Its arguments.

    Returns:
        The kind of what is wrong with its answer, None if nothing is.

    Example:
        >>> judge("flows.shear", {"amount": 0.5}), judge("flows.shear", {"amount": math.nan})
        (None, None)
    """
    before, start = odd_numbers([*given.values()]), time.process_time()
    try:
        with warnings.catch_warnings(), patience(PATIENCE), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            result = run(name, given)
    except TooLong:
        return LATE
    except Exception as error:
        if ours(error):
            return None
        where = [f for f in traceback.extract_tb(error.__traceback__)
                 if any(f.filename == module.__file__ for module in MODULES)]  # fmt: skip
        text = re.sub(r"0x\w+|\d+", "#", " ".join(str(error).split()))[:70]
        place = where[-1].name if where else "the call"
        return f"{type(error).__name__} in {place}: {text}"
    finally:
        plt.close("all")
    if time.process_time() - start > SECONDS:
        return LATE
    silent = name not in FORMULAS and not before and "NaN" in odd_numbers(result)
    return "NaN from finite numbers" if silent else None


def tried(name: str, n: int, seed: int) -> dict[str, tuple[int, dict]]:
    """Make calls of one function.

    Args:
        name: One of `EXAMPLES`.
        n: How many.
        seed: Of the junk.

    Returns:
        Kind of fault -> how often it was met, and the arguments with the least junk.
    """
    stream, counts, shortest = random.Random(f"{name} {seed}"), Counter(), {}
    for _ in range(n):
        given = arguments(name, stream)
        with TemporaryDirectory() as folder, chdir(folder):  # a text may be a checkpoint's name
            kind = judge(name, given)
            if kind == LATE:  # the first time, torch may have loaded a part of itself
                kind = judge(name, given)
        if kind is not None:
            counts[kind] += 1
            text = {place: shown(value) for place, value in given.items() if place != "self"}
            if len(str(text)) < len(str(shortest.get(kind, "x" * 10**6))):
                shortest[kind] = text
    return {kind: (count, shortest[kind]) for kind, count in counts.most_common()}


def main(given: list[str] | None = None) -> int:
    """Call what was asked for.

    Args:
        given: The command line; by default the program's own.

    Returns:
        0 if each call had an answer, 1 if not.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only functions with these words in their names")
    parser.add_argument("--n", type=int, default=2000, help="calls of each (default 2000)")
    parser.add_argument("--seed", type=int, default=0, help="of the junk (default 0)")
    asked = parser.parse_args(given)
    torch.zeros(2, device="meta").square()  # for the first, torch loads a part of itself
    words, wrong = asked.words or [""], 0
    chosen = [name for name in EXAMPLES if any(word in name for word in words)]
    for name in chosen:
        found = tried(name, asked.n, asked.seed)
        count = sum(count for count, _ in found.values())
        wrong += count
        print(f"{name}: {asked.n - count} of {asked.n}", flush=True)
        for kind, (times, example) in found.items():
            print(f"    {times:4}  {kind}\n          {example}", flush=True)
    print(f"{wrong} calls of {asked.n * len(chosen)} without a right answer")
    return int(wrong > 0)


if __name__ == "__main__":
    plt.switch_backend("agg")
    sys.exit(main())
