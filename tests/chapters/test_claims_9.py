"""What chapter 9 says, held to account: limits that no dtype breaks, derivatives of every order,
and the numbers that stand in its text."""

import math
import re
from functools import partial

import pytest
import torch
from claims import cells, defined, run_solution, solution, solutions
from samples import needs_solutions, takes_long
from test_laws import TRANSFORMS, build, log_prob, normal, planar, radial, vector
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional as F

import flows
import flows_support
import live

CHAPTER = "9_planar_radial"
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
FREE = (3.0, -17.0, -18.0, -34.5, -100.0)  # softplus(-18) - 1 is -1 in float32
PRECISE = (torch.float64, torch.float32)


# ------------------------------------------------------------- invertible, whatever was learned


def set_free(transform: nn.Module, free: float) -> nn.Module:
    """Move the number on which the constraint acts to a value."""
    with torch.no_grad():
        if isinstance(transform, flows.Planar):
            w, u = transform.w, transform.free_u
            u += (free - w @ u) * w / (w @ w)
        else:
            transform.free[1] = free
    return transform


CONSTRAINED = {"Planar": lambda: planar(2, -0.5), "Radial": lambda: radial(2, 1.0, -0.5)}


def lowest_log_det(transform) -> float:
    dim = 1 if isinstance(transform, flows.Planar) else 2
    return dim * math.log(flows.LEAST)


@pytest.mark.parametrize("free", FREE)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CONSTRAINED)
def test_the_log_det_is_bounded_in_every_dtype(name, dtype, free):
    transform = set_free(CONSTRAINED[name](), free).to(dtype)
    lowest = lowest_log_det(transform)
    z = (2 * normal(400, 2)).to(dtype)
    if name == "Radial":
        z[0] = transform.center.detach()  # where the determinant is least
    for direction in (transform.decode, transform.encode):
        points, log_abs_det = direction(z)
        assert points.isfinite().all() and log_abs_det.isfinite().all()
        bound = log_abs_det.double().abs().max() if free > 0 else -lowest
        assert log_abs_det.double().abs().max() <= bound + 0.05


@pytest.mark.parametrize("free", FREE)
@pytest.mark.parametrize("dtype", PRECISE, ids=str)
@pytest.mark.parametrize("name", CONSTRAINED)
def test_the_round_trip_closes_at_the_limit(name, dtype, free):
    """At the fold the determinant is LEAST, so a rounding of x is 1 / LEAST times larger in z."""
    transform = set_free(CONSTRAINED[name]().to(dtype), free)
    z = (2 * normal(2000, 2)).to(dtype)
    x, decode_log_det = transform.decode(z)
    back, encode_log_det = transform.encode(x)
    rounding = 20 * torch.finfo(dtype).eps / flows.LEAST  # 20: the sizes of z, w and u, and a few
    assert (back - z).abs().max() <= rounding
    again, _ = transform.decode(back)
    assert (again - x).abs().max() <= 100 * torch.finfo(dtype).eps
    # The log-det has a slope of at most 2 / sqrt(LEAST) in s; a kink of height 2 at a centre.
    assert (decode_log_det + encode_log_det).abs().max() <= 2 * rounding / math.sqrt(flows.LEAST)


@pytest.mark.parametrize("free", FREE)
@pytest.mark.parametrize("dtype", PRECISE, ids=str)
def test_w_u_exceeds_minus_one_as_stored(dtype, free):
    """Not only in the formulas: the u and the beta in use keep their distance from the fold."""
    layer = set_free(CONSTRAINED["Planar"]().to(dtype), free)
    assert (layer.w.double() @ layer.u.double()).item() > -1 + 0.9 * flows.LEAST
    alpha, beta = (v.double() for v in set_free(CONSTRAINED["Radial"]().to(dtype), free).alpha_beta)
    assert beta > -alpha * (1 - 0.9 * flows.LEAST)
    # Without the floor it fails: this is why there is one.
    if free < -18 and dtype == torch.float32:
        assert F.softplus(torch.tensor(free)) - 1 == -1


@pytest.mark.parametrize("dtype", PRECISE, ids=str)
@pytest.mark.parametrize("size", [1.0, 30.0, 300.0])
def test_any_free_parameters_give_an_invertible_map(size, dtype):
    for seed in range(30):
        layer = CONSTRAINED["Planar"]().to(dtype)
        other = CONSTRAINED["Radial"]().to(dtype)
        with torch.no_grad():
            layer.free_u.copy_(size * vector(2, seed))
            other.free.copy_(size * vector(2, seed + 100))
        assert layer.w.double() @ layer.u.double() > -1
        alpha, beta = other.alpha_beta
        assert alpha > 0 and beta > -alpha
        for transform in (layer, other):
            for direction in (transform.decode, transform.encode):
                values, log_abs_det = direction(normal(50, 2, seed=seed).to(dtype))
                assert values.isfinite().all() and log_abs_det.isfinite().all()
                if direction == transform.decode:
                    assert log_abs_det.min() >= lowest_log_det(transform) - 0.01


@pytest.mark.parametrize("size", [1e10, 1e30])
def test_the_bound_holds_whatever_the_free_u_and_needs_a_w_that_can_be_squared(size):
    layer, z = CONSTRAINED["Planar"]().float(), normal(200, 2).float()
    for seed in range(10):
        with torch.no_grad():
            layer.free_u.copy_(size * vector(2, seed))
        assert layer.decode(z)[1].min() >= lowest_log_det(layer) - 0.01
    for w in ([0.0, 0.0], [1e-30, 0.0]):  # its square comes out as 0
        with torch.no_grad():
            layer.w.copy_(torch.tensor(w))
        assert not layer.decode(z)[0].isfinite().any()
    with torch.no_grad():
        layer.w.copy_(torch.tensor([1e20, 1e20]))  # the square overflows: u is not constrained
        layer.free_u.copy_(torch.tensor([-1.0, 0.0]))
    assert layer.w.double() @ layer.u.double() < -1


def test_a_planar_layer_can_leave_the_limit_again():
    """A floor by clamping would have no gradient there; this one pushes back."""
    layer = set_free(CONSTRAINED["Planar"](), -5.0).double()
    layer.decode(normal(200, 2))[1].mean().backward()
    assert layer.free_u.grad @ layer.w > 0


def test_what_the_constructors_refuse():
    t = torch.tensor
    with pytest.raises(ValueError, match=r"w\.u must be above -1 \+ 0\.001"):
        flows.Planar(t([1.0, 0.0]), t([-0.9995, 0.0]))
    with pytest.raises(ValueError, match="alpha > 0 and beta > -alpha.*0.001"):
        flows.Radial(t([0.0, 0.0]), alpha=1.0, beta=-0.9995)
    with pytest.raises(ValueError, match="alpha > 0"):
        flows.Radial(t([0.0, 0.0]), alpha=0.0005, beta=1.0)
    assert flows.Planar(t([1.0, 0.0]), t([-0.998, 0.0])).margin < 0.003


# ------------------------------------------------------------------- derivatives of every order

TARGET, REACH = torch.tensor([1.0, -0.3], dtype=torch.float64), -0.7


def of_the_root(p: torch.Tensor) -> torch.Tensor:
    """A smooth number made of two roots: (t1, t2, reach) -> ()."""
    s = flows.solve_planar(p[:2], p[2])
    return (s**3).sum() + s.prod()


POINT = torch.tensor([1.0, -0.3, REACH], dtype=torch.float64)


def differences(function, point: torch.Tensor, step: float = 1e-5) -> torch.Tensor:
    """Central differences of a tensor-valued function, the new axis last."""
    steps = step * torch.eye(len(point), dtype=point.dtype)
    rise = [function(point + e) - function(point - e) for e in steps]
    return torch.stack(rise, dim=-1) / (2 * step)


def test_the_root_has_derivatives_of_three_orders():
    given = of_the_root
    for _ in range(3):
        derivative = torch.func.jacrev(given)
        assert torch.allclose(derivative(POINT), differences(given, POINT), rtol=1e-6, atol=1e-6)
        given = derivative


@pytest.mark.parametrize("reach", [-0.95, 0.5, 10.0])
def test_gradcheck_of_the_root(reach):
    values = TARGET.clone().requires_grad_(), torch.tensor(reach).double().requires_grad_()
    solve = partial(flows.solve_planar, bisections=30)  # a Newton step does the rest
    assert torch.autograd.gradcheck(solve, values)
    assert torch.autograd.gradgradcheck(solve, values)


HESSIANS = {
    "autograd": lambda f: partial(torch.autograd.functional.hessian, f),
    "reverse, reverse": lambda f: torch.func.jacrev(torch.func.jacrev(f)),
    "torch.func.hessian": torch.func.hessian,
    "reverse, forward": lambda f: torch.func.jacrev(torch.func.jacfwd(f)),
    "forward, forward": lambda f: torch.func.jacfwd(torch.func.jacfwd(f)),
    "under vmap": lambda f: lambda p: torch.func.vmap(torch.func.hessian(f))(p[None])[0],
}


@pytest.mark.parametrize("how", HESSIANS)
def test_all_roads_lead_to_the_same_hessian(how):
    wanted = differences(torch.func.grad(of_the_root), POINT)
    assert torch.allclose(HESSIANS[how](of_the_root)(POINT), wanted, rtol=1e-6, atol=1e-6)


def test_the_hessian_that_was_wrong():
    """faults.md A1: 1.531 came out where 0.190 is right."""
    torch.set_default_dtype(torch.float64)
    try:
        flow = flows.Flow([flows.Planar([0.05, -1.6], [-2.66, -4.58], 1.66)], dim=2)
    finally:
        torch.set_default_dtype(torch.float32)

    def f(x):
        return flow.log_prob(x[None])[0]

    x = torch.tensor([1.21, -2.78], dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(f, x)
    assert torch.allclose(hessian, differences(torch.func.grad(f), x), atol=1e-6)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_hessians_of_log_prob_in_x(name, dim):
    transform = build(name, dim)

    def f(x):
        return log_prob(transform)(x[None])[0]

    for x in 1.3 * normal(4, dim, seed=3):
        wanted = differences(torch.func.grad(f), x)
        for how in ("autograd", "torch.func.hessian"):
            assert torch.allclose(HESSIANS[how](f)(x), wanted, rtol=1e-5, atol=1e-5), how


@pytest.mark.parametrize("name", ["Planar", "Planar near the fold", "Radial out", "AffineCoupling"])
def test_hessians_of_log_prob_in_the_parameters(name):
    transform, x = build(name, 2), normal(5, 2)
    module = Encode(transform)
    keys, values = zip(*module.named_parameters(), strict=True)
    sizes, shapes = [v.numel() for v in values], [v.shape for v in values]

    def loss(flat):
        parts = [p.reshape(shape) for p, shape in zip(flat.split(sizes), shapes, strict=True)]
        named = dict(zip(keys, parts, strict=True))
        z, log_abs_det = torch.func.functional_call(module, named, (x,))
        return (flows.standard_normal_log_prob(z).sum(dim=1) + log_abs_det).sum()

    flat = torch.cat([v.detach().flatten() for v in values])
    some = slice(None) if len(flat) < 30 else slice(0, 30)  # of a network, some rows
    wanted = differences(torch.func.grad(loss), flat)[some]
    assert torch.allclose(torch.func.hessian(loss)(flat)[some], wanted, rtol=1e-4, atol=1e-4)


class Encode(nn.Module):
    """`encode` as the forward of a module, for `functional_call`."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner.encode(x)


@takes_long
def test_the_root_can_be_traced_compiled_and_exported():
    target, reach = torch.tensor([1.0, -0.3, 2.2]), torch.tensor(-0.7)

    def solve(t, r):
        return flows.solve_planar(t, r)

    wanted = solve(target, reach)
    assert torch.equal(make_fx(solve)(target, reach)(target, reach), wanted)
    compiled = torch.compile(solve, fullgraph=True, backend="eager")
    assert torch.equal(compiled(target, reach), wanted)
    inputs = target.clone().requires_grad_(), reach.clone().requires_grad_()
    for a, b in zip(
        *(torch.autograd.grad(f(*inputs).sum(), inputs) for f in (solve, compiled)), strict=True
    ):
        assert torch.allclose(a, b)
    slope = torch.func.grad(lambda t, r: solve(t, r).sum())
    assert torch.allclose(make_fx(slope)(target, reach)(target, reach), slope(target, reach))

    class Solve(nn.Module):
        def forward(self, target, reach):
            return solve(target, reach)

    free = ({0: torch.export.Dim("n")}, None)
    program = torch.export.export(Solve(), (target, reach), dynamic_shapes=free).module()
    assert torch.allclose(program(target[:2], reach), wanted[:2])


def test_an_implicit_root_of_another_equation():
    """The mechanism is general: Kepler's equation, with an array of parameters."""

    def residual(angle, mean, eccentricity):
        return angle - eccentricity * torch.sin(angle) - mean

    def find(mean, eccentricity):
        angle = mean
        for _ in range(200):
            angle = mean + eccentricity * torch.sin(angle)
        return angle

    inputs = torch.tensor([0.4, 2.0]).double(), torch.tensor([0.5, 0.2]).double()
    for value in inputs:
        value.requires_grad_()
    solve = partial(flows_support.implicit_root, find, residual)
    assert torch.autograd.gradcheck(solve, inputs) and torch.autograd.gradgradcheck(solve, inputs)


def test_an_error_inside_the_search_is_not_swallowed():
    def find(a):
        raise AssertionError("the search failed")

    with pytest.raises(AssertionError, match="the search failed"):
        flows_support.implicit_root(find, lambda s, a: s - a, torch.ones(2))


# -------------------------------------------------------------------------- what the text says


def cloud(n: int = 4000, dim: int = 2, seed: int = 0) -> torch.Tensor:
    return normal(n, dim, seed=seed)


def test_autograd_through_the_bisection_is_wrong(double):
    """It follows the ends of the bracket: 1, where the implicit function has another slope."""
    naive = defined(CHAPTER, "autograd_through_bisection")
    t = torch.tensor(0.5, requires_grad=True)
    root = naive(t)
    assert torch.autograd.grad(root, t)[0] == 1
    slope = torch.func.grad(lambda t: flows.solve_planar(t, torch.tensor(-0.7)))(t.detach())
    assert slope.item() == pytest.approx(1 / (1 - 0.7 * (1 - math.tanh(root.item()) ** 2)))
    assert slope > 1.3


def test_the_change_of_density_is_not_confined_to_the_band(double):
    w = torch.tensor([1.5, 0.5])
    layer, x = flows.Planar(w, torch.tensor([1.0, 1.0])), torch.tensor([[3.0, 1.5]])
    _, volume = layer.encode(x)
    gain = log_prob(layer)(x) - flows.standard_normal_log_prob(x).sum(dim=1)
    assert volume.abs() < 0.02 and gain > math.log(20)
    # So "stretched" says only that the density which arrives is divided: here it is higher.
    arrives = flows.standard_normal_log_prob(layer.encode(x)[0]).sum(dim=1)
    assert volume < 0 and log_prob(layer)(x) < arrives
    # Without any change of volume: the mean of log p_X - log p_Z is |u|^2 / 2 E tanh^2.
    slide = flows.Planar(w, torch.tensor([-0.5, 1.5]))
    z = cloud(100_000)
    x, volume = slide.decode(z)
    base = flows.standard_normal_log_prob
    gap = (base(z) - base(x)).sum(dim=1).mean()
    by_hand = 0.5 * slide.u @ slide.u * torch.tanh(z @ w).square().mean()
    assert volume.abs().max() < 1e-12 and abs(gap - by_hand) < 0.02 and gap > 0.5


def test_what_sets_the_change_of_volume_of_a_planar_layer(double):
    """w.u how strong it is at the line, |w| how wide the band is, b where it lies."""
    z = torch.stack([torch.linspace(-8, 8, 16_001), torch.zeros(16_001)], dim=1)

    def band(size, b):
        """1 + w.u at the line, the width at half of the effect, and the middle."""
        w = torch.tensor([size, 0.0])
        det = flows.planar(z, w, 2.0 * w / (w @ w), b)[1].exp()
        inside = z[det > 2, 0]
        return det.max(), inside.max() - inside.min(), inside.mean()

    (top, width, middle), (same_top, narrow, moved) = band(1.0, 0.0), band(3.0, 3.0)
    assert top.item() == pytest.approx(3) and same_top.item() == pytest.approx(3)
    assert (width / narrow).item() == pytest.approx(3, abs=0.01)
    assert middle.abs() < 1e-3 and (moved + 1).abs() < 1e-3
    ends = flows.planar(z[[0, -1]], torch.tensor([3.0, 0.0]), torch.tensor([2 / 3, 0.0]), 0.0)[1]
    assert ends.abs().max() < 1e-9  # far from the line


def test_the_jacobians_are_the_identity_or_a_multiple_plus_rank_one(double):
    jacobian, eye, z = defined(CHAPTER, "jacobian"), torch.eye(5), cloud(20, 5)
    w, u, center = vector(5, 1), vector(5, 2), vector(5, 3)

    def ranks(matrices):
        return torch.linalg.matrix_rank(matrices, atol=1e-9).unique().tolist()

    bent = jacobian(lambda z: flows.planar(z, w, u, 0.2)[0], z)
    assert ranks(bent) == [5] and ranks(bent - eye) == [1]
    pushed = jacobian(lambda z: flows.radial(z, center, 1.0, 0.8)[0], z)
    multiple = 1 + 0.8 / (1 + torch.linalg.vector_norm(z - center, dim=1))
    assert ranks(pushed - eye) == [5] and ranks(pushed - multiple[:, None, None] * eye) == [1]


def test_a_radial_layer_makes_a_hole_or_a_peak_if_it_is_strong_enough(double):
    """Always lower, or higher, at the centre than before; a valley or a top only from a strength
    on."""
    center = torch.tensor([0.8, -0.5])
    turns = torch.linspace(0, 2 * math.pi, 73)[:-1]
    around = center + 0.01 * torch.stack([turns.cos(), turns.sin()], dim=1)

    def look(beta):
        """log p_X - log p_Z at the centre, and log p_X there less that of its neighbours."""
        log_p = log_prob(flows.Radial(center, 1.0, beta))
        here = log_p(center[None])
        return here - flows.standard_normal_log_prob(center).sum(), here - log_p(around)

    for beta, hole in ((0.1, False), (3.0, True)):
        change, ahead = look(beta)
        assert change.item() == pytest.approx(-2 * math.log1p(beta))
        assert bool((ahead < 0).all()) is hole
    for beta, peak in ((-0.1, False), (-0.85, True)):
        change, ahead = look(beta)
        assert change.item() == pytest.approx(-2 * math.log1p(beta)) and change > 0
        assert bool((ahead > 0).all()) is peak


@pytest.mark.parametrize("beta", [3.0, -0.85])
def test_a_radial_layer_fades_as_beta_over_r(beta):
    layer = flows.Radial(torch.zeros(2), 1.0, beta).double()
    for r, tolerance in ((100.0, 0.02), (10_000.0, 2e-4)):
        value = layer.decode(torch.tensor([[0.6 * r, 0.8 * r]]).double())[1]
        assert (value.item() * r / beta) == pytest.approx(1, abs=tolerance)
    # No sample of the figure is near 0.
    assert layer.decode(cloud(2000))[1].abs().min() > 0.1


@needs_solutions
def test_where_the_slip_folds(double):
    """w.u over r = w.free_u, if |w| stands in place of its square: the solution's explanation."""
    r = torch.linspace(-400, 60, 460_001)

    def reached(length):
        first, second = r * (1 - length), length * (F.softplus(r) - 1)
        return first, second, first + second

    for length in (0.5, 0.9):  # short: at very negative r, and nowhere else
        folds = r[reached(length)[2] <= -1]
        assert len(folds) and folds.max() < -1
    for length in (1.1, 2.0, 2.7):
        assert not (reached(length)[2] <= -1).any()
    for length in (3.0, 5.0, 9.0):
        first, second, total = reached(length)
        at = total.argmin()
        assert r[at].item() == pytest.approx(math.log(length - 1), abs=2e-3)
        assert total[at] <= -1 and first[at] < 0 and second[at] < -1 - first[at]
    # The function in one line is what the exercise's code computes.
    space = {"torch": torch, "F": F, "math": math}
    exec(solution(CHAPTER, "ex-9-slip").split("length, reach")[0], space)
    w, free = 2 * cloud(100, seed=1), 3 * cloud(100, seed=2)
    given = (w * space["constrain"](w, free, 1)).sum(dim=1)
    length, along = w.norm(dim=1), (w * free).sum(dim=1)
    assert torch.allclose(given, along * (1 - length) + length * (F.softplus(along) - 1))


def test_with_the_floor_no_pair_of_the_exercise_folds(double):
    for seed in range(400):
        w, free = torch.randn(2, 10_000, 2, generator=torch.Generator().manual_seed(seed))
        reach = (3 * w * free).sum(dim=1)
        assert (flows.LEAST + F.softplus(reach) - 1).min() > -1 + 0.9 * flows.LEAST


@pytest.mark.parametrize("label", solutions(CHAPTER))
def test_the_solution_runs(label, double, capsys):
    run_solution(CHAPTER, label)
    printed = capsys.readouterr().out
    if label == "ex-9-slip":
        shares = [float(v) for v in re.findall(r"([\d.]+) % fold", printed)]
        assert shares[0] > 5 and shares[1:3] == [0, 0] and shares[3] > 1  # short and long ones
        assert "some seed at -1 or below: True" in printed
        assert "by more than rounding: False" in printed


def test_two_cuts_make_four_parts_in_either_order(double):
    """The answer to "Try it": four tops, passes between them, and two layers that commute."""
    axes = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0])
    first, second = (flows.Planar(w, w.clone()) for w in axes)
    stack = flows.Compose([first, second])
    assert torch.allclose(
        stack.decode(cloud())[0], flows.Compose([second, first]).decode(cloud())[0]
    )
    side = torch.linspace(-4, 4, 201)
    density = log_prob(stack)(torch.cartesian_prod(side, side)).exp().reshape(201, 201)
    inner = density[1:-1, 1:-1]
    around = [
        density.roll((i, j), (0, 1))[1:-1, 1:-1] for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j
    ]
    tops = (inner > torch.stack(around).amax(dim=0)).nonzero() + 1
    assert len(tops) == 4
    top, (bridge, middle) = density[tuple(tops[0])], (density[tops[0][0], 100], density[100, 100])
    assert 0 < middle < bridge < 0.5 * top


def test_one_ripple_makes_a_row_of_ridges_and_one_cut_two(double):
    """Peaks of the density along w, for the reach 0.97 and a short wave; and for a wide cut."""
    space = run_solution(CHAPTER, "ex-9-ripple")
    z = torch.stack([torch.linspace(-3.9, 3.9, 7801), torch.zeros(7801)], dim=1)
    peaks = {}
    w = torch.tensor([3.0, 0.0])
    for name, layer in {
        "ripple": lambda z: space["ripple"](z, w, 0.97 * w / 9),
        "cut": lambda z: flows.planar(z, w, 9.0 * w / 9, 0.0),
    }.items():
        _, log_abs_det = layer(z)
        log_p = flows.standard_normal_log_prob(z).sum(dim=1) - log_abs_det
        peaks[name] = ((log_p[1:-1] > log_p[:-2]) & (log_p[1:-1] > log_p[2:])).sum().item()
    assert peaks["cut"] == 2 and peaks["ripple"] >= 4


# ------------------------------------------------------------- the figures of folded planes


@pytest.fixture
def scenes(double):
    """What the cells of the two figures define."""
    space = {name: getattr(flows, name) for name in flows.__all__}
    space |= {name: getattr(live, name) for name in ("fold", "line", "panel", "points")}
    space |= {"torch": torch, "w": torch.tensor([1.5, 0.5]), "w_side": torch.tensor([-0.5, 1.5])}
    space["center"] = torch.tensor([0.8, -0.5])
    for name in ("w = torch", "w_side = torch", "center = torch"):
        assert any(name in cell.source for cell in cells(CHAPTER)), name
    for name in ("def window", "def found", "def planar_scene", "def radial_scene"):
        (cell,) = [cell for cell in cells(CHAPTER) if name in cell.source]
        exec(cell.source, space)
    return space


def crossings_of(curve, level: float) -> int:
    """How often a curve crosses a level on a long, fine line."""
    line = torch.linspace(-50, 50, 400_001)
    miss = curve(line) - level
    return int((miss[:-1] * miss[1:] < 0).sum())


@pytest.mark.parametrize("px", [-3.0, 0.25, 3.0])
@pytest.mark.parametrize("py", [-2.95, 0.1])
@pytest.mark.parametrize("kappa", [-3.0, -2.5, -0.5, 3.0])
def test_no_pre_image_of_a_planar_map_is_missed(scenes, kappa, px, py):
    given = (torch.tensor(v) for v in (kappa, 0.0, px, py))
    shown, t = scenes["planar_scene"](*given), 1.5 * px + 0.5 * py
    assert shown["n"] == crossings_of(lambda s: s + kappa * torch.tanh(s), t) >= 1
    assert bool(shown["outside"]) == bool((shown["roots"].abs() > 3.4).any())


@pytest.mark.parametrize("point", [(-2.95, -3.0), (1.05, -0.3), (3.0, 3.0)])
@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("beta", [-4.0, -3.0, -0.5, 4.0])
def test_no_pre_image_of_a_radial_map_is_missed(scenes, alpha, beta, point):
    given = (torch.tensor(v) for v in (alpha, beta, *point))
    shown = scenes["radial_scene"](*given)
    rho = (torch.tensor(point) - scenes["center"]).norm()
    assert shown["n"] == crossings_of(lambda d: d + beta * d / (alpha + d.abs()), rho) >= 1
    assert bool(shown["outside"]) == bool((shown["roots"].abs() > 3.4).any())
