"""Every transform and every flow, in every way in which torch lets one use it.

`MATRIX` says what to expect: "works", which means the right result, held against the same map in
plain float64; or the error, in our words, that is raised instead. MODES.md is made from it:

    PYTHONPATH=.:tools:tests python tests/flows/test_modes_of_use.py
"""

import copy
import io
import pickle
import re
from pathlib import Path

import pytest
import torch
from samples import in_test_all_only, normal
from torch import nn

import flows

DOUBLE = torch.float64
PAGE = Path(__file__).with_name("MODES.md")


# ------------------------------------------------------------------------------- what is tried


def wave(kept, context=None):
    """A conditioner by hand; a function of a module can be pickled."""
    return 0.5 * torch.tanh(kept), 0.5 * torch.sin(kept)


def shaken(flow):
    """Random weights in the couplings: new ones are the identity."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for part in flow.modules():
            if isinstance(part, flows.Conditioner):
                for p in part.parameters():
                    p.copy_(0.4 * torch.randn(p.shape, generator=generator))
    return flow


def planar():
    return flows.Planar([1.0, 0.5], [0.6, -0.4], 0.25)


def radial():
    return flows.Radial([0.5, -0.25], 1.0, 0.75)


def mixed():
    """(Without a planar step, whose search for a root takes long to trace: "Compose" has one.)"""
    turn = flows.Linear(flows.rotation(30.0), torch.tensor([0.5, -0.25]))
    return [radial(), turn, flows.AffineCoupling(2, 4), flows.Affine(0.5, 0.125), flows.Sigmoid()]


def real_nvp(**options):
    return flows.RealNVP(2, hidden_dim=4, n_layers=2, **options)


SUBJECTS = {
    "Identity": flows.Identity,
    "Affine": lambda: flows.Affine(-0.5, 1.0),
    "Tanh": lambda: flows.Tanh(0.25, 0.75),
    "Sigmoid": flows.Sigmoid,
    "LeakyReLU": lambda: flows.LeakyReLU(0.25),
    "ShiftedSoftplus": flows.ShiftedSoftplus,
    "Compose, 1D": lambda: flows.Compose([flows.Affine(0.5, 0.25), flows.Tanh()]),
    "Linear": lambda: flows.Linear(flows.shear(0.5) @ flows.scaling(0.5, 2.0)),
    "Planar": planar,
    "Radial": radial,
    "Coupling": lambda: flows.Coupling(wave, flip=True),
    "AffineCoupling": lambda: flows.AffineCoupling(2, 4),
    "SplineCoupling": lambda: flows.SplineCoupling(2, 4, n_bins=4),
    "Compose": lambda: flows.Compose([planar(), flows.AffineCoupling(2, 4)]),
    "Flow": lambda: flows.Flow(mixed(), dim=2),
    "RealNVP": real_nvp,
    "RealNVP, context": lambda: real_nvp(context_dim=3),
    "RealNVP, recipe": lambda: real_nvp(n_frequencies=2, turn=45.0),
    "SplineFlow": lambda: flows.SplineFlow(2, hidden_dim=4, n_layers=2, n_bins=4),
}
ONE_D = list(SUBJECTS)[:7]
WORKS = "works"
# What differs from "works": {mode: {subject: the error that is raised, a regular expression}}.
EXCEPTIONS: dict[str, dict[str, str]] = {}


def make(name, dtype=DOUBLE):
    return shaken(SUBJECTS[name]()).to(dtype)


def points_of(name, direction, n=3):
    """Points on the way in, in float64; few digits, so that every type holds them exactly."""
    z = normal(n, seed=2) if name in ONE_D else normal(n, 2, seed=2)
    z = z.clamp(-1.5, 1.5).to(torch.bfloat16).to(DOUBLE)
    if direction == "decode":
        return z
    with torch.no_grad():
        x, _ = make(name).decode(z, context_of(name, n))
    return x.to(torch.bfloat16).to(DOUBLE)


def context_of(name, n, dtype=DOUBLE):
    if name != "RealNVP, context":
        return None
    return torch.linspace(-1, 1, 3 * n, dtype=DOUBLE).reshape(n, 3).to(torch.bfloat16).to(dtype)


def run(transform, direction, points, context=None):
    """One row a point: the value, and the log-determinant in the last column."""
    value, log_abs_det = getattr(transform, direction)(points, context)
    rows = value[:, None] if value.ndim == 1 else value
    return torch.cat([rows, log_abs_det[:, None]], dim=1)


def scalar(transform, direction, row, context=None):
    """A number that depends on all that a direction returns, for one point."""
    result = run(transform, direction, row[None], context)
    weights = torch.arange(1, result.shape[1] + 1, dtype=result.dtype)
    return (result[0] * weights).sum() + result[0, 0] * result[0, -1]


def agree(given, truth, tolerance=1e-9):
    assert given.shape == truth.shape
    error = (given.to(DOUBLE) - truth).abs() / (1 + truth.abs())
    assert error.numel() == 0 or error.max() <= tolerance, f"off by {error.max():.2g}"


# ------------------------------------------------------------------------------- the ways of use


def differences(function, point, step=1e-5):
    """The derivative of a function of one point, by central differences."""
    slopes = []
    for i in range(max(1, point.numel())):
        change = torch.zeros_like(point).reshape(-1)
        change[i] = step
        change = change.reshape(point.shape)
        slopes.append((function(point + change) - function(point - change)) / (2 * step))
    return torch.stack(slopes, dim=-1).reshape((*slopes[0].shape, *point.shape))


def grad(name, direction):
    transform, context = make(name), context_of(name, 1)
    for row in points_of(name, direction):

        def function(p):
            return scalar(transform, direction, p, context)

        agree(torch.func.grad(function)(row), differences(function, row).detach(), 1e-7)


def hessian(name, direction):
    transform, context = make(name), context_of(name, 1)
    for row in points_of(name, direction):

        def function(p):
            return scalar(transform, direction, p, context)

        truth = differences(torch.func.grad(function), row).detach()
        agree(torch.func.hessian(function)(row), truth, 1e-6)
        agree(torch.autograd.functional.hessian(function, row), truth, 1e-6)


def vmap(name, direction):
    transform, points, context = make(name), points_of(name, direction), context_of(name, 1)

    def one(point):
        return run(transform, direction, point[None], context)[0]

    rows = context if context is None else context.expand(len(points), -1)
    agree(torch.func.vmap(one)(points), run(transform, direction, points, rows))


def jacrev(name, direction):
    """The Jacobian by jacrev under vmap; its determinant is what the transform says."""
    transform, points, context = make(name), points_of(name, direction), context_of(name, 1)

    def one(point):
        return getattr(transform, direction)(point[None], context)[0][0]

    jacobians = torch.func.vmap(torch.func.jacrev(one))(points)
    dets = jacobians.abs().log() if name in ONE_D else torch.linalg.slogdet(jacobians).logabsdet
    rows = context if context is None else context.expand(len(points), -1)
    agree(dets, getattr(transform, direction)(points, rows)[1])


class Module(nn.Module):
    """One direction as the forward pass of a module."""

    def __init__(self, transform, direction):
        super().__init__()
        self.transform, self.direction = transform, direction

    def forward(self, points, context=None):
        return run(self.transform, self.direction, points, context)


def compile_(name, direction):
    torch._dynamo.reset()
    module, points, context = Module(make(name), direction), points_of(name, direction), None
    context = context_of(name, len(points))
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    agree(compiled(points, context), module(points, context))


def export(name, direction):
    module, points = Module(make(name), direction), points_of(name, direction, 4)
    context, n = context_of(name, 4), torch.export.Dim("n")
    sizes = ({0: n},) if context is None else ({0: n}, {0: n})
    arguments = (points,) if context is None else (points, context)
    exported = torch.export.export(module, arguments, dynamic_shapes=sizes).module()
    for size in (4, 7):
        more = points_of(name, direction, size)
        other = context_of(name, size)
        agree(exported(*([more] if other is None else [more, other])), module(more, other))


def autocast(name, direction):
    transform, points = make(name, torch.float32), points_of(name, direction)
    context = context_of(name, len(points))
    truth = run(copy.deepcopy(transform).double(), direction, points, context)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        given = run(transform, direction, points.float(), context_of(name, len(points)))
    agree(given, truth, 0.05)


def in_type(dtype, tolerance):
    def check(name, direction):
        transform, points = make(name, dtype), points_of(name, direction)
        context = context_of(name, len(points))
        truth = run(copy.deepcopy(transform).double(), direction, points, context)
        given = run(transform, direction, points.to(dtype), context_of(name, len(points), dtype))
        assert given.dtype == dtype
        agree(given, truth, tolerance)

    return check


def of_size(n):
    def check(name, direction):
        """Each point as it comes out alone in a list of three; for none, the right shape."""
        transform, points = make(name), points_of(name, direction, 3)
        context = context_of(name, 3)
        truth = run(transform, direction, points, context)[:n]
        agree(run(transform, direction, points[:n], cut(context, n)), truth)

    return check


def cut(context, n):
    return None if context is None else context[:n]


def non_contiguous(name, direction):
    transform, points = make(name), points_of(name, direction)
    context = context_of(name, len(points))
    if name in ONE_D:
        strided = torch.stack([points, points + 9], dim=1)[:, 0]
    else:
        strided = points.T.contiguous().T
    assert not strided.is_contiguous() and torch.equal(strided, points)
    agree(run(transform, direction, strided, context), run(transform, direction, points, context))


def copied(transform, name, direction):
    points, context = points_of(name, direction), context_of(name, 3)
    assert torch.equal(
        run(transform, direction, points, context), run(make(name), direction, points, context)
    )


def deepcopy(name, direction):
    copied(copy.deepcopy(make(name)), name, direction)


def pickled(name, direction):
    copied(pickle.loads(pickle.dumps(make(name))), name, direction)


def state_dict(name, direction):
    """Into a new one, made with the same options and then given other weights."""
    file, fresh = io.BytesIO(), make(name)
    torch.save(make(name).state_dict(), file)
    for p in fresh.parameters():
        nn.init.constant_(p, 0.25)
    file.seek(0)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    copied(fresh, name, direction)


MODES = {
    "grad": grad,
    "Hessian": hessian,
    "vmap over points": vmap,
    "jacrev": jacrev,
    "torch.compile": compile_,
    "torch.export, free n": export,
    "autocast bfloat16": autocast,
    "float16": in_type(torch.float16, 0.02),
    "bfloat16": in_type(torch.bfloat16, 0.15),
    "float32": in_type(torch.float32, 1e-5),
    "float64": in_type(torch.float64, 1e-12),
    "n = 0": of_size(0),
    "n = 1": of_size(1),
    "n = D": of_size(2),
    "non-contiguous": non_contiguous,
    "deepcopy": deepcopy,
    "pickle": pickled,
    "state_dict": state_dict,
}
MATRIX = {
    mode: {name: EXCEPTIONS.get(mode, {}).get(name, WORKS) for name in SUBJECTS} for mode in MODES
}


def page(matrix=MATRIX) -> str:
    """The matrix as Markdown: a row for each transform and flow, a column for each mode."""

    def row(*fields: str) -> str:
        return "| " + " | ".join(field.replace("|", "\\|") for field in fields) + " |"

    rows = [row(name, *(matrix[mode][name] for mode in matrix)) for name in SUBJECTS]
    return "\n".join(
        [
            "# What each transform and flow can be used with",
            "",
            f"Generated by `{Path(__file__).name}`, which tries each field both ways, encode and "
            'decode. "works": the result is right, held against the same map in plain float64 '
            "or against differences. Anything else is the error that is raised instead.",
            "",
            row("", *matrix),
            "|---" * (len(matrix) + 1) + "|",
            *rows,
            "",
        ]
    )


# To trace these whole takes long; the parts that they are made of are traced, too.
TRACES = {"torch.compile", "torch.export, free n"}
TRACED_LONG = {"Planar", "Compose", "Flow", "RealNVP", "RealNVP, recipe", "SplineFlow"}


def usual_direction(mode: str, name: str) -> str:
    """The one that is tried outside `make test-all`: half of a row's and half of a column's."""
    odd = (list(MODES).index(mode) + list(SUBJECTS).index(name)) % 2
    return ("encode", "decode")[odd]


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("direction", ["encode", "decode"])
@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("mode", MODES)
def test_it_works_or_says_clearly_that_it_does_not(mode, name, direction):
    if name in TRACED_LONG and mode in TRACES or direction != usual_direction(mode, name):
        in_test_all_only()
    expected = MATRIX[mode][name]
    if expected == WORKS:
        MODES[mode](name, direction)
    else:
        with pytest.raises((TypeError, ValueError, NotImplementedError), match=expected):
            MODES[mode](name, direction)


HALF = {"autocast": 0.12, "bfloat16": 0.14, "float16": 0.018}  # nats, medians


@pytest.mark.parametrize("kind", HALF)
def test_a_spline_flow_with_large_weights_loses_no_bin_in_half_precision(kind):
    """(The table above uses small weights, whose bins are wide.)"""
    generator = torch.Generator().manual_seed(0)
    flow = flows.SplineFlow()
    with torch.no_grad():
        for weight in flow.parameters():
            weight.copy_(0.25 * torch.randn(weight.shape, generator=generator))
    points = 2 * torch.randn(500, 2, generator=generator)
    truth = copy.deepcopy(flow).double().log_prob(points.double())
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=kind == "autocast"):
        dtype = torch.float32 if kind == "autocast" else getattr(torch, kind)
        given = flow.to(dtype).log_prob(points.to(dtype))
    assert given.dtype == dtype and given.isfinite().all()
    assert (given.double() - truth).abs().median() < HALF[kind]


def test_every_class_that_can_be_used_is_in_the_table():
    """A transform that is new in flows.py belongs here."""
    made = {type(part) for make_one in SUBJECTS.values() for part in make_one().modules()}
    classes = [value for value in vars(flows).values() if isinstance(value, type)]
    transforms = {c for c in classes if issubclass(c, flows.Transform)} - {flows.Transform}
    assert transforms <= made
    assert all(re.compile(e) for row in EXCEPTIONS.values() for e in row.values())


def test_the_page_is_made_from_the_matrix():
    made = "run: PYTHONPATH=.:tools:tests python tests/flows/test_modes_of_use.py"
    assert PAGE.read_text(encoding="utf-8") == page(), made


def test_the_page_says_what_does_not_work():
    refused = {mode: dict(row) for mode, row in MATRIX.items()}
    refused["vmap over points"]["Planar"] = "no | yet"
    (line,) = [text for text in page(refused).splitlines() if text.startswith("| Planar |")]
    fields = re.split(r"(?<!\\) \| ", line.strip("| "))
    assert fields == [
        "Planar",
        *("no \\| yet" if m == "vmap over points" else WORKS for m in MODES),
    ]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
