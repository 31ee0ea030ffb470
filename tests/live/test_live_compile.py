"""Compiled functions against torch in float64, in a real browser."""

import copy
import itertools
import math
import re

import numpy as np
import pytest
import torch
from live_runner import double, largest_error
from torch.func import functional_call, grad, grad_and_value

import flows
from live import CompileError, compile

TOLERANCE = 1e-5  # of the scale of float32 values
N = 1000
KNOTS = torch.linspace(-2, 2, 9)


def points(dim=2, n=N, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


# One line per kind of operation ------------------------------------------------------------------

OPERATIONS = {
    "chain": lambda z: torch.exp(-z.square()) * torch.sin(3 * z) / (1 + z.abs()),
    "powers": lambda z: z**2 + z**3 + (z**2 + 1) ** -1 + (z * z + 0.5) ** 0.5 + z.abs() ** 1.7,
    "hyperbolic": lambda z: z.sinh() + z.cosh() + z.tanh() + z.asinh() + torch.atanh(z.tanh() / 2),
    "logs": lambda z: torch.log1p(z.abs()) + torch.expm1(z) + torch.log(z.abs() + 1),
    "rounding": lambda z: z.floor() + z.ceil() + torch.round(2 * z) + torch.remainder(z, 0.7),
    "compare": lambda z: ((z > 0) & (z < 1) | (z <= -1)).float() + (z != 0).float(),
    "where": lambda z: torch.where(z > 0, z, torch.exp(z)).clamp(-0.5, 2).clamp(max=1.5),
    "activations": lambda z: (
        torch.relu(z) + torch.sigmoid(z) + torch.nn.functional.softplus(z)
        + torch.nn.functional.logsigmoid(z) + torch.nn.functional.silu(z)
        + torch.nn.functional.gelu(z) + torch.nn.functional.leaky_relu(z, 0.1)
        + torch.nn.functional.elu(z)
    ),
    "erf": lambda z: (torch.erf(z), torch.special.ndtr(z)),
    "logaddexp": lambda z: torch.logaddexp(z[:, 0], z[:, 1]),
    "two arguments": lambda z: torch.atan2(z[:, 0], z[:, 1]) + torch.hypot(z[:, 0], z[:, 1]),
    "sums": lambda z: (z.sum(), z.sum(0), z.sum(1), z.mean(), z.mean(1, keepdim=True), z.prod(1)),
    "extremes": lambda z: (z.amax(0), z.amin(1), z.argmax(1), z.argmax(0), (z > 0).all(1), z.max()),
    "spread": lambda z: (z.std(0), z.var(), z.norm(dim=1), z.norm(), z.abs().sum(1)),
    "softmax": lambda z: (z.softmax(1), z.log_softmax(1), z.logsumexp(1), z.logsumexp(0)),
    "cumsum": lambda z: (z.cumsum(0), z.cumsum(1), z.T.cumsum(1)),
    "trapezoid": lambda z: torch.trapezoid(z[:, 0], z[:, 1]),
    "neighbours": lambda z: (z[1:] - z[:-1], torch.diff(z, dim=0), z.flip(0)),
    "join": lambda z: (torch.cat([z, z + 1]), torch.cat([z, z * 2, z], 1), torch.stack([z, -z])),
    "many columns": lambda z: torch.stack([z[:, 0] * k for k in range(7)], 1),
    "split": lambda z: (*z.split(1, 1), *z.unbind(1), *z.chunk(2, 1), z[:, 1:]),
    "reshape": lambda z: (z.reshape(-1), z.T.reshape(-1), z[:, None, :].squeeze(1)),
    "matrices": lambda z: (z @ z.T[:, :50], z.T @ z, z @ z.new_ones(2, 9), z[:, 0] @ z[:, 1]),
    "einsum": lambda z: torch.einsum("ni,nj->ij", z, z),
    "determinant": lambda z: (torch.linalg.slogdet(z.T @ z), torch.linalg.inv(z.T @ z)),
    "search": lambda z: KNOTS[(z[:, :1] >= KNOTS).sum(-1).clamp(max=8)],
    "lookup": lambda z: torch.take_along_dim(z, (z[:, :1] > 0).long(), 1),
    "ranges": lambda z: (torch.arange(10) * 0.5, torch.linspace(0, 1, 7), torch.eye(6)),
    "meshgrid": lambda z: torch.meshgrid(KNOTS, 2 * KNOTS[:6], indexing="ij"),
    "padding": lambda z: [torch.nn.functional.pad(v, (1, 2)) for v in (z, KNOTS)],
    "one hot": lambda z: torch.nn.functional.one_hot((z[:, 0] > 0).long(), 8).float(),
    "distances": lambda z: (z[:, None] - KNOTS[:8].reshape(4, 2)).square().sum(-1).amin(1),
    "dict": lambda z: {"a": z.sum(), "b": [z.mean(0), 3.0]},
    "gradients": lambda z: (
        grad(lambda v: (torch.tanh(v) ** 2).sum())(z),
        grad(lambda v: v.norm(dim=1).sum())(z),
        grad(lambda v: torch.nn.functional.logsigmoid(v).sum())(z),
        grad(lambda v: torch.logaddexp(v, 0 * v).exp().mean())(z),
        grad(lambda v: v[:, 0].cumsum(0).sin().mean())(z),
        grad(lambda v: (v @ v.T[:, :8]).square().mean())(z),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name, runner):
    function, z = OPERATIONS[name], points()
    got = runner(compile(function, z, dynamic=(), name="f"), z)
    assert largest_error(got, function(z.double())) <= TOLERANCE


def test_number_of_points_is_free(runner):
    program = compile(lambda z: (z.mean(0), z / z.shape[0]), points(n=7))
    for n in (2, 9, 1000):
        z = points(n=n)
        assert largest_error(runner(program, z), (z.double().mean(0), z.double() / n)) <= TOLERANCE


def test_in_place_writes(runner):
    def function(z):
        out = torch.zeros_like(z)
        out[:, 0] = z[:, 1]
        out[3:9] += 1
        out *= 2
        return out

    z = points()
    got = runner(compile(function, z, dynamic=(), name="f"), z)
    assert largest_error(got, function(z.double())) <= TOLERANCE


def test_lookup_by_a_parameter(runner):
    table = torch.randn(5, 9, 2, generator=torch.Generator().manual_seed(1))
    program = compile(lambda k, a: (table[k] * a, table[:, k].sum(), table[k, 3:5, 1]), 0, 1.0)
    for k in range(5):
        t = table.double()
        wanted = (t[k] * 0.3, t[:, k].sum(), t[k, 3:5, 1])
        assert largest_error(runner(program, k, 0.3), wanted) <= TOLERANCE


# The course's transforms, at the corners of their parameters --------------------------------------


def sweep(*ranges):
    """Corners and middle of each range."""
    middle = tuple((a + b) / 2 for a, b in ranges)
    return [*itertools.product(*ranges), middle]


TRANSFORMS = {
    "Identity": (lambda z: flows.Identity().decode(z), []),
    "Affine": (lambda z, a, b: flows.Affine(a, b).decode(z), [(-3.0, -0.5), (-2.0, 2.0)]),
    "Sigmoid": (lambda z: flows.Sigmoid().decode(z), []),
    "Tanh": (lambda z, a, b: flows.Tanh(a, b).decode(z), [(-2.0, 2.0), (0.1, 3.0)]),
    "LeakyReLU": (lambda z, a: flows.LeakyReLU(a).decode(z), [(0.01, 1.0)]),
    "ShiftedSoftplus": (lambda z: flows.ShiftedSoftplus().decode(z), []),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_of_numbers(name, runner):
    function, ranges = TRANSFORMS[name]
    z = 3 * points(1)[:, 0]
    program = compile(function, z, *(a for a, _ in ranges), name="f")
    for corner in sweep(*ranges):
        wanted = function(z.double(), *map(double, corner))
        assert largest_error(runner(program, z, *corner), wanted) <= TOLERANCE, corner


def test_planar(runner):
    def function(z, w1, w2, u1, u2, b):
        return flows.planar(z, torch.stack([w1, w2]), torch.stack([u1, u2]), b)

    z = points()
    program = compile(function, z, 1.0, 1.0, 1.0, 1.0, 0.0, dynamic=())
    for corner in sweep(*[(-2.0, 2.0)] * 4, (-1.0, 1.0)):
        wanted = function(z.double(), *map(double, corner))
        assert largest_error(runner(program, z, *corner), wanted) <= TOLERANCE, corner


def test_radial(runner):
    def function(z, a, b, alpha, beta):
        return flows.radial(z, torch.stack([a, b]), alpha, beta)

    z = points()
    program = compile(function, z, 1.0, 1.0, 1.0, 1.0, dynamic=())
    for corner in sweep((-2.0, 2.0), (-2.0, 2.0), (0.2, 3.0), (-2.5, 5.0)):
        wanted = function(z.double(), *map(double, corner))
        assert largest_error(runner(program, z, *corner), wanted) <= TOLERANCE, corner


def conditioner(kept, context):
    return 0.75 * torch.tanh(kept), 0.5 * torch.sin(2 * kept)


@pytest.mark.parametrize("direction", ["encode", "decode"])
def test_coupling(direction, runner):
    for flip in (False, True):
        function = getattr(flows.Coupling(conditioner, flip), direction)
        z = 2 * points()
        program = compile(function, z, dynamic=(), name="f")
        assert largest_error(runner(program, z), function(z.double())) <= TOLERANCE


def trained_like(seed=0, **options):
    """A RealNVP whose weights are not those of the identity, and its float64 twin."""
    g = torch.Generator()
    g.manual_seed(seed)
    flow = flows.RealNVP(**options)
    with torch.no_grad():
        for p in flow.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=g))
    return flow, copy.deepcopy(flow).double()


REALNVP = {
    "plain": {"n_layers": 4, "hidden_dim": 32},
    "recipe": {"n_layers": 4, "hidden_dim": 32, "n_frequencies": 4, "turn": 45.0},
    "three dimensions": {"dim": 3, "n_layers": 4, "hidden_dim": 16},
}


@pytest.mark.parametrize("name", REALNVP)
@pytest.mark.parametrize("direction", ["encode", "decode", "log_prob"])
def test_realnvp(name, direction, runner):
    flow, twin = trained_like(**REALNVP[name])
    z = points(REALNVP[name].get("dim", 2))
    program = compile(getattr(flow, direction), z, dynamic=(), name="f")
    with torch.no_grad():
        wanted = getattr(twin, direction)(z.double())
    assert largest_error(runner(program, z), wanted) <= TOLERANCE


def test_conditional_realnvp(runner):
    flow, twin = trained_like(n_layers=4, hidden_dim=32, context_dim=1)
    z = points()
    program = compile(lambda z, r: flow.decode(z, r.reshape(1)), z, 1.0, dynamic=(), name="f")
    for r in (1.0, 2.5, 4.0):
        with torch.no_grad():
            wanted = twin.decode(z.double(), torch.tensor([r], dtype=torch.float64))
        assert largest_error(runner(program, z, r), wanted) <= TOLERANCE


def adam_step(flow):
    """One step of Adam on the mean negative log-likelihood, as a function of everything."""

    class Likelihood(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.flow = flow

        def forward(self, x):
            return self.flow.log_prob(x)

    module = Likelihood()

    def step(params, mean, square, x, lr):
        loss = lambda p: -functional_call(module, p, (x,)).mean()  # noqa: E731
        g, value = grad_and_value(loss)(params)
        mean = {k: 0.9 * mean[k] + 0.1 * g[k] for k in g}
        square = {k: 0.999 * square[k] + 0.001 * g[k] ** 2 for k in g}
        new = {k: params[k] - lr * mean[k] / (square[k].sqrt() + 1e-8) for k in g}
        return new, mean, square, value

    return step, {k: v.detach().clone() for k, v in module.named_parameters()}


@pytest.mark.parametrize("name", ["plain", "recipe"])
def test_training_step(name, runner):
    flow, twin = trained_like(**REALNVP[name])
    step, params = adam_step(flow)
    reference, _ = adam_step(twin)
    g = torch.Generator().manual_seed(5)
    mean = {k: 0.01 * torch.randn(v.shape, generator=g) for k, v in params.items()}
    square = {k: 0.01 + torch.rand(v.shape, generator=g) for k, v in params.items()}
    state, x = (params, mean, square), points(n=256)
    got = runner(compile(step, *state, x, 0.01, dynamic=(), name="step"), *state, x, 0.01)
    wanted = reference(*({k: v.double() for k, v in s.items()} for s in state), x.double(), 0.01)
    assert largest_error(got, wanted) <= TOLERANCE


# The text ----------------------------------------------------------------------------------------


def test_same_function_same_text():
    flow, _ = trained_like(n_layers=2, hidden_dim=8)
    one, two = (compile(flow.decode, points(n=5), dynamic=()) for _ in range(2))
    assert one.code == two.code and one.data == two.data and one.id == two.id


def test_text_is_readable():
    code = compile(lambda z, a: torch.tanh(a * z), torch.zeros(5), 1.0, name="f").code
    assert "tanh[i] = live.tanh(a * z[i]);" in code
    assert "// <lambda>: " in code  # the torch line it came from
    assert "/home" not in code and ".py" not in code  # and no path


def test_parts_that_never_change_run_once():
    program = compile(lambda a: a * torch.exp(-KNOTS.square()), 1.0)
    assert "Math.exp" in program.code.split("return function")[0]
    assert "Math.exp" not in program.code.split("return function")[1]


def test_half_precision_weights_take_half_the_bytes():
    w = torch.randn(100, generator=torch.Generator().manual_seed(0))
    rounded = w.half().float()
    (full,) = compile(lambda a: a * w, 1.0).data.values()
    (half,) = compile(lambda a: a * rounded, 1.0).data.values()
    assert len(half["values"]) < 0.55 * len(full["values"])


def test_every_16_bit_number_arrives(runner):
    bits = torch.arange(2**16, dtype=torch.int32).to(torch.uint16)
    halves = bits.view(torch.float16).float()
    halves = halves[~halves.isnan()]  # infinities stay
    program = compile(lambda a: a + halves, 0.0)
    (entry,) = program.data.values()
    (got,) = runner(program, 0.0)
    assert entry["kind"] == "Float16" and got.equal(halves.double())


def counts(z):
    best = z.unique()
    return best


def branches(z, a):
    return z if a > 0 else -z


def leaves_torch(z, a):
    return z * math.cos(a)


@pytest.mark.parametrize(
    "function, arguments, words",
    [
        (counts, (), ["torch.unique", "best = z.unique()", "counts", "instead"]),
        (branches, (1.0,), ["if a > 0", "torch.where"]),
        (leaves_torch, (1.0,), ["math.cos(a)", "torch.cos"]),
        (lambda z: torch.randn_like(z) + z, (), ["draw the numbers outside"]),
        (lambda z: z[z > 0], (), ["torch.where"]),
        (lambda z: z + len(z), (), ["z.shape[0]"]),
        (lambda z: torch.fft.fft(z).real, (), ["torch.fft", "torch.fft.fft(z)", "outside"]),
        (lambda z: torch.linalg.svdvals(z[:, None]), (), ["svd", "svdvals(z", "instead"]),
        (lambda z: z + z[:3] * torch.ones(4), (), ["size", "by hand"]),
        (lambda z: z * np.sin(z), (), ["np.sin(z)", "torch functions"]),
        (lambda z: z * undefined, (), ["NameError", "undefined", "by hand"]),  # noqa: F821
    ],
)
def test_errors_say_what_where_and_what_instead(function, arguments, words):
    with pytest.raises(CompileError) as caught:
        compile(function, torch.linspace(-1, 1, 9), *arguments)
    for word in words:
        assert word in str(caught.value)


def test_names_are_short_where_a_place_is_computed():
    """(The name of a number read at a computed place once quoted the whole expression.)"""

    def read(k, z):
        ends = z.cumsum(0)
        both = torch.stack([k, k + 1])
        low, high = ends[both]
        return torch.exp(high - low) * ends, ends[k] * ends

    code = compile(read, 1, torch.ones(5), dynamic=(), name="read").code
    words = re.findall(r"[A-Za-z_]\w*", re.sub(r"//.*", "", code))
    assert max(map(len, words)) < 24, max(words, key=len)


def test_an_operation_of_ones_own_is_written_out_whenever_it_was_registered(runner):
    """Torch's rules are collected once, maybe before the reader registers another operation."""
    compile(torch.exp, torch.ones(3))
    library = torch.library.Library("registered_later", "FRAGMENT")
    library.define("bend(Tensor x) -> Tensor")
    library.impl("bend", lambda x: torch.tanh(x) + 0.5 * x, "CompositeImplicitAutograd")
    z = torch.linspace(-2, 2, 9)
    (got,) = runner(compile(lambda z: 3 * torch.ops.registered_later.bend(z), z), z)
    assert got == pytest.approx((3 * (torch.tanh(z) + 0.5 * z)).double(), abs=1e-5)
    library.define("opaque(Tensor x) -> Tensor")  # of this one torch is told a kernel, no rule
    library.impl("opaque", torch.exp, "CompositeExplicitAutograd")
    with pytest.raises(CompileError, match="opaque"):
        compile(lambda z: torch.ops.registered_later.opaque(z), z)
