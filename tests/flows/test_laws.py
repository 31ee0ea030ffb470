"""The laws that every transform and every flow has to keep, in float64.

A transform is right when its log-determinant is autograd's, when its round trip closes, and when
the density it gives integrates to 1 and describes its own samples. Nothing here is trained.
"""

import copy
import io
import math

import pytest
import torch
from scipy import stats
from torch import nn

import flows

TOLERANCE = 1e-9
DIMS = (2, 3, 5)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def shake(module: nn.Module, seed: int = 0, size: float = 0.4) -> nn.Module:
    """Random weights: a new coupling is the identity, for which every law holds trivially."""
    random = generator(seed)
    with torch.no_grad():
        for network in module.modules():
            if isinstance(network, flows.Conditioner):
                for p in network.parameters():
                    p.copy_(size * torch.randn(p.shape, generator=random, dtype=torch.float64))
    return module


# ------------------------------------------------------------------------------- what is tested

ONE_D = {
    "Identity": flows.Identity,
    "Affine": lambda: flows.Affine(2.5, 1.0),
    "Affine mirrored": lambda: flows.Affine(-0.4, -2.0),
    "Tanh": flows.Tanh,
    "Tanh moved": lambda: flows.Tanh(loc=-0.7, scale=0.6),
    "Sigmoid": flows.Sigmoid,
    "LeakyReLU": lambda: flows.LeakyReLU(0.1),
    "LeakyReLU steep": lambda: flows.LeakyReLU(3.0),
    "ShiftedSoftplus": flows.ShiftedSoftplus,
    "Compose": lambda: flows.Compose(
        [flows.Affine(1.5, 0.3), flows.LeakyReLU(0.4), flows.Affine(0.7, -0.2), flows.Tanh()]
    ),
}
# Where the 1D maps send the line: the density must integrate to 1 over this interval.
RANGES = {
    "Tanh": (-1.0, 1.0),
    "Tanh moved": (-1.0, 1.0),
    "Sigmoid": (0.0, 1.0),
    "ShiftedSoftplus": (-math.log(2), 12.0),
    "Compose": (-1.0, 1.0),
}


def vector(dim: int, seed: int) -> torch.Tensor:
    return normal(dim, seed=seed)


def planar(dim: int, reach: float, b: float = 0.3) -> flows.Planar:
    """A planar flow with w.u = reach."""
    w, u = vector(dim, 1), vector(dim, 2)
    return flows.Planar(w, u + (reach - w @ u) * w / (w @ w), b)


def radial(dim: int, alpha: float, beta: float) -> flows.Radial:
    return flows.Radial(0.5 * vector(dim, 3), alpha, beta)


def coupling(dim: int, flip: bool) -> flows.Coupling:
    """A coupling by hand, with a conditioner of any shape: sums over the kept coordinates."""
    n_changed = dim // 2 if flip else dim - dim // 2
    rates = torch.linspace(0.5, 1.5, n_changed, dtype=torch.float64)

    def conditioner(kept, context):
        wave = rates.to(kept) * kept.sum(dim=1, keepdim=True)  # (n, n_changed)
        return 0.75 * torch.tanh(wave), 0.5 * torch.sin(wave)

    return flows.Coupling(conditioner, flip)


def mixed(dim: int) -> list[flows.Transform]:
    return [
        planar(dim, 1.3),
        flows.Linear(flows.rotation(30.0, dim)),
        radial(dim, 0.8, -0.5),
        shake(flows.AffineCoupling(dim, 8), seed=4),
        coupling(dim, flip=True),
    ]


def real_nvp(dim: int, seed: int = 0, **kwargs) -> flows.RealNVP:
    # Milder in more dimensions, so that no tail is too heavy for the tests of the samples.
    flow = flows.RealNVP(dim, hidden_dim=8, n_layers=4, **kwargs)
    return shake(flow, seed, size=0.4 if dim == 2 else 0.25)


def spline_flow(dim: int, **kwargs) -> flows.SplineFlow:
    flow = flows.SplineFlow(dim, hidden_dim=8, n_layers=3, n_bins=3, bound=2.5, **kwargs)
    return shake(flow, size=0.4 if dim == 2 else 0.25)


TRANSFORMS = {
    "Linear": lambda dim: flows.Linear(
        torch.eye(dim) + 0.4 * normal(dim, dim, seed=5), vector(dim, 6)
    ),
    "Linear mirrored": lambda dim: flows.Linear(
        torch.diag(torch.tensor([-1.0] + [1.7] * (dim - 1)))
    ),
    "rotation": lambda dim: flows.Linear(flows.rotation(45.0, dim)),
    "Planar": lambda dim: planar(dim, 2.0),
    "Planar near the fold": lambda dim: planar(dim, -0.95),
    "Radial out": lambda dim: radial(dim, 1.0, 2.0),
    "Radial in, near the fold": lambda dim: radial(dim, 1.0, -0.95),
    "Coupling": lambda dim: coupling(dim, flip=False),
    "Coupling flipped": lambda dim: coupling(dim, flip=True),
    "AffineCoupling": lambda dim: shake(flows.AffineCoupling(dim, 8)),
    "AffineCoupling flipped": lambda dim: shake(flows.AffineCoupling(dim, 8, flip=True)),
    "SplineCoupling": lambda dim: shake(flows.SplineCoupling(dim, 8, n_bins=4, bound=2.5)),
    "SplineCoupling flipped": lambda dim: shake(
        flows.SplineCoupling(dim, 8, flip=True, n_bins=3, bound=3.0)
    ),
    "Compose": lambda dim: flows.Compose(mixed(dim)),
}
FLOWS = {
    "Flow": lambda dim: flows.Flow(mixed(dim), dim),
    "RealNVP": real_nvp,
    "RealNVP context": lambda dim: real_nvp(dim, context_dim=2),
    "RealNVP frequencies": lambda dim: real_nvp(dim, n_frequencies=3),
    "RealNVP turn": lambda dim: real_nvp(dim, turn=45.0),
    "RealNVP all": lambda dim: real_nvp(dim, context_dim=3, n_frequencies=2, turn=30.0),
    "SplineFlow": spline_flow,
    "SplineFlow all": lambda dim: spline_flow(dim, context_dim=2, n_frequencies=2, turn=30.0),
}
MAPS = {**TRANSFORMS, **FLOWS}
TRAINED = ("Planar", "Radial out", "AffineCoupling", "AffineCoupling flipped", "SplineCoupling",
           "Compose")  # fmt: skip


def build(name: str, dim: int) -> flows.Transform:
    return MAPS[name](dim).double()


def context_of(transform: flows.Transform, n: int, seed: int = 7) -> torch.Tensor | None:
    """What a conditional flow needs as context; None for all others."""
    length = getattr(transform, "context_dim", 0)
    return normal(n, length, seed=seed) if length else None


def log_prob(transform: flows.Transform):
    """The density that a transform makes of the standard normal, at one fixed context."""

    def density(x):
        context = context_of(transform, 1)
        context = None if context is None else context.expand(len(x), -1)
        z, log_abs_det = transform.encode(x, context)
        base = flows.standard_normal_log_prob(z)
        return (base.sum(dim=1) if x.ndim == 2 else base) + log_abs_det

    return density


every_map = pytest.mark.parametrize("name", MAPS)
every_flow = pytest.mark.parametrize("name", FLOWS)
every_1d = pytest.mark.parametrize("name", ONE_D)
every_dim = pytest.mark.parametrize("dim", DIMS)


# ------------------------------------------------------- log-determinants and round trips


def check_log_det(function, points, context):
    """The log-det that `function` returns is that of autograd's Jacobian, point by point."""
    _, given = function(points, context)
    for i, point in enumerate(points):
        row = None if context is None else context[i : i + 1]

        def map_one(p, row=row):
            return function(p[None], row)[0][0]

        jacobian = torch.autograd.functional.jacobian(map_one, point)
        truth = torch.linalg.slogdet(jacobian).logabsdet if point.ndim else jacobian.abs().log()
        assert abs(given[i] - truth) <= TOLERANCE, f"point {i}: {given[i]} but autograd {truth}"


@every_1d
def test_1d_log_det_is_that_of_autograd(name):
    transform, z = ONE_D[name](), 2 * normal(20)
    check_log_det(transform.decode, z, None)
    check_log_det(transform.encode, transform.decode(z)[0], None)


@every_map
@every_dim
def test_log_det_is_that_of_autograd(name, dim):
    transform, z = build(name, dim), 1.5 * normal(8, dim)
    context = context_of(transform, len(z))
    check_log_det(transform.decode, z, context)
    check_log_det(transform.encode, transform.decode(z, context)[0].detach(), context)


def check_round_trip(transform, z, context=None):
    """There and back again, and the log-dets of the two directions cancel."""
    x, decode_log_det = transform.decode(z, context)
    back, encode_log_det = transform.encode(x, context)
    assert (back - z).abs().max() <= TOLERANCE
    assert (transform.decode(back, context)[0] - x).abs().max() <= TOLERANCE
    assert (decode_log_det + encode_log_det).abs().max() <= TOLERANCE
    assert decode_log_det.shape == encode_log_det.shape == (len(z),)


@every_1d
def test_1d_round_trip_closes(name):
    z = torch.linspace(-4, 4, 401, dtype=torch.float64)
    check_round_trip(ONE_D[name](), torch.cat([z, torch.zeros(1)]))  # (0: where some have a kink)


@every_map
@every_dim
def test_round_trip_closes(name, dim):
    transform, z = build(name, dim), 2 * normal(500, dim)
    check_round_trip(transform, z, context_of(transform, len(z)))


@every_map
def test_encode_is_defined_on_all_points_not_only_on_samples(name):
    """Data may lie anywhere: the way from x to z and back closes for x far out, too."""
    transform, x = build(name, 2), 5 * normal(200, 2, seed=1)
    context = context_of(transform, len(x))
    z, _ = transform.encode(x, context)
    assert (transform.decode(z, context)[0] - x).abs().max() <= 1e-7


@every_map
def test_maps_are_not_trivial(name):
    """The laws above say nothing about the identity: what is tested must move points."""
    transform, z = build(name, 3), normal(100, 3)
    x, log_abs_det = transform.decode(z, context_of(transform, len(z)))
    assert (x - z).abs().max() > 0.1
    if name != "rotation":
        assert log_abs_det.abs().max() > 0.1


@every_dim
def test_after_three_couplings_every_output_depends_on_every_input(dim):
    """Two are enough for D = 2. A stack that forgets to alternate never gets there."""
    n_layers = 2 if dim == 2 else 3
    stack = shake(flows.RealNVP(dim, hidden_dim=8, n_layers=n_layers), size=1.0).double()
    for point in normal(20, dim):
        jacobian = torch.autograd.functional.jacobian(lambda z: stack.decode(z[None])[0][0], point)
        if (jacobian != 0).all():
            return  # at some point; elsewhere a ReLU may be off
    pytest.fail("some output does not depend on some input")


@every_flow
@every_dim
def test_steps_agree_with_the_whole(name, dim):
    flow, z = build(name, dim), normal(10, dim)
    context = context_of(flow, len(z))
    there, there_log_dets = flow.decode_steps(z, context)
    assert len(there) == len(flow.layers) + 1 and len(there_log_dets) == len(flow.layers)
    assert torch.equal(there[-1], flow.decode(z, context)[0])
    assert torch.equal(sum(there_log_dets), flow.decode(z, context)[1])
    back, back_log_dets = flow.encode_steps(there[-1], context)
    for a, b in zip(there, reversed(back), strict=True):
        assert (a - b).abs().max() <= TOLERANCE
    for a, b in zip(there_log_dets, reversed(back_log_dets), strict=True):
        assert (a + b).abs().max() <= TOLERANCE


@every_flow
def test_log_prob_is_the_base_density_corrected_in_both_directions(name):
    """log p(x) = log p(z) + encode's log-det = log p(z) - decode's log-det."""
    flow, z = build(name, 3), normal(50, 3)
    context = context_of(flow, len(z))
    x, decode_log_det = flow.decode(z, context)
    base = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(dim=1)
    assert (flow.log_prob(x, context) - (base - decode_log_det)).abs().max() <= TOLERANCE


@every_dim
def test_a_turn_is_an_orthogonal_layer(dim):
    matrix = flows.rotation(37.0, dim)
    assert (matrix @ matrix.T - torch.eye(dim)).abs().max() <= 1e-12
    assert abs(torch.linalg.det(matrix).item() - 1) <= 1e-12


def test_planar_stays_invertible_wherever_training_takes_it():
    """Any free u gives w.u > -1."""
    transform = planar(3, -0.5)
    for seed in range(20):
        with torch.no_grad():
            transform.free_u.copy_(10 * vector(3, seed))
        transform.double()
        assert transform.w @ transform.u > -1
        check_round_trip(transform, normal(50, 3, seed=seed))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [0.0, 1.0, 30.0, 1e4])
def test_a_spline_rises_whatever_the_free_numbers(dtype, size):
    free = (size * normal(300, 23, seed=3)).to(dtype)
    x, y, slopes = flows.spline_knots(free, bound=3.0)
    assert (x.diff(dim=-1) > 0).all() and (y.diff(dim=-1) > 0).all() and (slopes > 0).all()
    assert all((part[:, 0] == -3).all() and (part[:, -1] == 3).all() for part in (x, y))
    at = torch.linspace(-3.5, 3.5, 300, dtype=dtype)
    there, log_slope = flows.spline(at, (x, y, slopes))
    back, log_slope_back = flows.spline(there, (x, y, slopes), back=True)
    assert there.isfinite().all() and log_slope.isfinite().all() and log_slope_back.isfinite().all()
    if size > 100:  # slopes of ten thousand beside some of a thousandth: no digit is left
        return
    # A rounding of y moves x by the inverse slope.
    flat = torch.exp(-log_slope).clamp(min=1) * torch.finfo(dtype).eps
    assert ((back - at).abs() <= 200 * flat + 1e3 * torch.finfo(dtype).eps).all()
    outside = at.abs() > 3
    assert torch.equal(there[outside], at[outside]) and (log_slope[outside] == 0).all()


def test_a_spline_goes_through_its_knots_with_their_slopes():
    x, y, slopes = flows.spline_knots(normal(20, 11, seed=4).double(), bound=2.0)
    for k in range(5):
        there, log_slope = flows.spline(x[:, k], (x, y, slopes))
        assert torch.allclose(there, y[:, k]) and torch.allclose(log_slope, slopes[:, k].log())


@pytest.mark.parametrize("back", [False, True])
def test_a_spline_at_its_ends_and_beyond(back):
    """At the border both sides agree; beyond it all stays, even what is infinite or no number."""
    knots = flows.spline_knots(3 * normal(8, 23, seed=6), bound=5.0)
    beyond = float(torch.nextafter(torch.tensor(5.0), torch.tensor(6.0)))
    at = torch.tensor([-5.0, 5.0, -beyond, beyond, -1e30, 1e30, -math.inf, math.inf])
    there, log_slope = flows.spline(at, knots, back)
    assert torch.equal(there, at) and log_slope.abs().max() < 1e-6
    odd = flows.spline(torch.full((8,), math.nan), knots, back)[0]
    assert odd.isnan().all()  # never a number that looks right


def test_planar_keeps_the_u_it_was_given():
    w, u = torch.tensor([2.0, 0.5]), torch.tensor([-0.3, 0.7])  # |w| is not 1: its square counts
    assert torch.allclose(flows.Planar(w, u).u, u, atol=1e-6)


@pytest.mark.parametrize("far", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("seed", range(5))
def test_a_planar_flow_keeps_its_margin_however_far_its_free_u_went(far, seed):
    random = torch.Generator().manual_seed(seed)
    w, across = torch.randn(2, 3, generator=random)
    layer = flows.Planar(w, torch.zeros(3))
    with torch.no_grad():
        layer.free_u.copy_(across - far * w)
        slope = 1 + w.double() @ layer.u.double()
        assert slope.item() == pytest.approx(layer.margin.item(), abs=1e-5)


# --------------------------------------------------------------- densities and samples


@every_1d
def test_1d_density_integrates_to_one(name):
    low, high = RANGES.get(name, (-25.0, 25.0))
    n = 200_000
    x = low + (high - low) * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    mass = log_prob(ONE_D[name]())(x).exp().mean() * (high - low)
    assert abs(mass - 1) <= 1e-3


def box_of(transform: flows.Transform) -> tuple[torch.Tensor, torch.Tensor]:
    """Lower and upper corner of a rectangle that holds all but 4e-6 of the mass (D = 2).

    A disk of radius 5 holds all but exp(-12.5) of the base; the rectangle holds its image.
    """
    angle = torch.linspace(0, 2 * math.pi, 721, dtype=torch.float64)
    radius = torch.linspace(0, 5, 41, dtype=torch.float64)[:, None]
    disk = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=2).reshape(-1, 2)
    context = context_of(transform, 1)
    context = None if context is None else context.expand(len(disk), -1)
    with torch.no_grad():
        image, _ = transform.decode(disk, context)
    return image.amin(dim=0) - 0.1, image.amax(dim=0) + 0.1


def cell_masses(transform: flows.Transform, n: int = 600) -> tuple:
    """Mass of each of n x n cells of the rectangle by the midpoint rule, and the rectangle."""
    low, high = box_of(transform)
    steps = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    grid = low + (high - low) * torch.cartesian_prod(steps, steps)
    with torch.no_grad():
        density = torch.cat([log_prob(transform)(part).exp() for part in grid.split(2**16)])
    return (density * torch.prod((high - low) / n)).reshape(n, n), low, high


@every_map
def test_density_integrates_to_one(name):
    masses, _, _ = cell_masses(build(name, 2))
    assert abs(masses.sum() - 1) <= 1e-3


def test_the_wrong_sign_would_be_noticed():
    """A negative control: with the log-det subtracted, the integral is not 1."""
    transform = build("RealNVP", 2)
    wrong = copy.copy(transform)
    wrong.encode = lambda x, context=None: (transform.encode(x)[0], -transform.encode(x)[1])
    masses, _, _ = cell_masses(wrong, n=300)
    assert abs(masses.sum() - 1) > 0.05


SAMPLES = 20_000
# Rejected if a right flow would give so bad a fit only once in 10^7 tests.
RARE = 1e-7


def chi_square_p_value(counts: torch.Tensor, masses: torch.Tensor) -> float:
    """p-value of the counts, given the probability of each bin; the rest is one more bin."""
    n = SAMPLES
    big = masses * n >= 10
    observed = torch.cat([counts[big], (n - counts[big].sum())[None]])
    expected = torch.cat([n * masses[big], (n - n * masses[big].sum())[None]])
    if expected[-1] < 10:  # too small a rest for the test: join it to the last bin
        observed = torch.cat([observed[:-2], observed[-2:].sum()[None]])
        expected = torch.cat([expected[:-2], expected[-2:].sum()[None]])
    statistic = ((observed - expected).square() / expected).sum().item()
    return stats.chi2.sf(statistic, df=len(observed) - 1)


def sample_p_value(transform, reference) -> float:
    """Samples of `transform`, in 30 x 30 bins, against the density of `reference` (D = 2)."""
    masses, low, high = cell_masses(reference)
    masses = masses.reshape(30, 20, 30, 20).sum(dim=(1, 3))
    z = normal(SAMPLES, 2, seed=11)
    context = context_of(transform, 1)
    context = None if context is None else context.expand(len(z), -1)
    with torch.no_grad():
        x, _ = transform.decode(z, context)
    bins = ((x - low) / (high - low) * 30).floor().long()
    bins = bins[((bins >= 0) & (bins < 30)).all(dim=1)]
    counts = torch.bincount(bins[:, 0] * 30 + bins[:, 1], minlength=900).double()
    return chi_square_p_value(counts, masses.flatten())


@every_map
def test_samples_match_the_density(name):
    transform = build(name, 2)
    assert sample_p_value(transform, transform) > RARE


def test_samples_of_another_flow_would_be_noticed():
    """A negative control: the test has the power to tell two flows apart."""
    assert sample_p_value(real_nvp(2, seed=0).double(), real_nvp(2, seed=1).double()) < RARE


@every_1d
def test_1d_samples_match_the_density(name):
    """Kolmogorov-Smirnov, against the distribution function that the density sums up to."""
    transform = ONE_D[name]()
    low, high = RANGES.get(name, (-25.0, 25.0))
    edges = torch.linspace(low, high, 200_001, dtype=torch.float64)
    middles = (edges[1:] + edges[:-1]) / 2
    masses = log_prob(transform)(middles).exp() * (edges[1] - edges[0])
    cumulative = torch.cat([torch.zeros(1, dtype=torch.float64), masses.cumsum(dim=0)])
    x = transform.decode(normal(SAMPLES, seed=12))[0]
    place = ((x - low) / (edges[1] - edges[0])).long().clamp(0, len(masses) - 1)
    assert stats.kstest(cumulative[place].numpy(), "uniform").pvalue > RARE


def box_z_score(transform, x, log_density) -> float:
    """How far the mean of 1[x in box] / p(x) is from the box's volume, in standard errors.

    For any density, E 1[x in box] / p(x) is the volume of the box, whatever the dimension. The
    box lies along the axes of the samples' covariance, so that enough of them are inside.
    """
    half, center = 0.8, x.median(dim=0).values
    axes = torch.linalg.cholesky(x.T.cov())
    inside = (torch.linalg.solve(axes, (x - center).T).abs() < half).all(dim=0)
    assert inside.double().mean() > 0.005, "the box must hold enough samples"
    volume = torch.linalg.det(axes) * (2 * half) ** x.shape[1]
    ratio = inside * torch.exp(-log_density) / volume
    return ((ratio.mean() - 1) / (ratio.std() / math.sqrt(len(x)))).item()


@every_map
@pytest.mark.parametrize("dim", [3, 5])
def test_samples_match_the_density_in_more_dimensions(name, dim):
    transform, z = build(name, dim), normal(SAMPLES, dim, seed=13)
    context = context_of(transform, 1)
    context = None if context is None else context.expand(len(z), -1)
    with torch.no_grad():
        x, _ = transform.decode(z, context)
        log_density = log_prob(transform)(x)
    limit = stats.norm.isf(RARE / 2)
    assert abs(box_z_score(transform, x, log_density)) < limit
    # Negative control: a log-density that is wrong by 0.5 nats is noticed.
    assert abs(box_z_score(transform, x, log_density + 0.5)) > limit


@every_flow
def test_sample_draws_from_the_flow(name):
    """`sample` is `decode` of standard normal points, drawn from the generator it is given."""
    flow = build(name, 3)
    context = context_of(flow, 1)
    context = None if context is None else context[0]  # one context for all
    x = flow.sample(100, context, generator=generator(5))
    z = torch.randn(100, 3, generator=generator(5), dtype=torch.float64)
    assert torch.equal(x, flow.decode(z, context)[0])
    assert torch.equal(x, flow.sample(100, context, generator=generator(5)))
    assert not torch.equal(x, flow.sample(100, context, generator=generator(6)))
    cold = flow.sample(100, context, generator=generator(5), temperature=0.5)
    assert torch.equal(cold, flow.decode(0.5 * z, context)[0])


def test_sample_leaves_the_global_stream_alone():
    flow = real_nvp(2)
    before = torch.get_rng_state()
    flow.sample(10, generator=generator(0))
    assert torch.equal(before, torch.get_rng_state())
    flow.sample(10)  # with no generator, torch's global stream is meant
    assert not torch.equal(before, torch.get_rng_state())


# ------------------------------------------------------------ gradients, storage, precision


@pytest.mark.parametrize("name", [*TRAINED, *FLOWS])
@pytest.mark.parametrize("direction", ["encode", "decode"])
@every_dim
def test_gradients_reach_every_parameter(name, direction, dim):
    transform, points = build(name, dim), normal(64, dim)
    value, log_abs_det = getattr(transform, direction)(points, context_of(transform, len(points)))
    (value.square().sum() + log_abs_det.sum()).backward()
    parameters = dict(transform.named_parameters())
    assert parameters
    for key, parameter in parameters.items():
        assert parameter.grad is not None, f"{key} gets no gradient"
        assert parameter.grad.isfinite().all() and parameter.grad.abs().max() > 0, key
        if key.endswith(("net.4.weight", "net.4.bias")):  # one row for each s and each t
            rows = parameter.grad.abs().reshape(len(parameter), -1).amax(dim=1)
            assert (rows > 0).all(), f"{key}: an s or a t is not used"


@every_dim
def test_a_new_flow_is_the_identity_and_can_leave_it(dim):
    """Zero start: at first only each conditioner's last layer has a gradient; then all have."""
    flow, x = flows.RealNVP(dim, hidden_dim=8, n_layers=3).double(), 1 + normal(64, dim)
    z, log_abs_det = flow.encode(x)
    assert torch.equal(z, x) and log_abs_det.abs().max() == 0
    adam = torch.optim.Adam(flow.parameters(), lr=0.01)
    for _ in range(2):
        adam.zero_grad()
        (-flow.log_prob(x).mean()).backward()
        adam.step()
    assert all(p.grad.abs().max() > 0 for p in flow.parameters())


@pytest.mark.parametrize("name", ["Planar", "Planar near the fold", "Radial out"])
def test_gradients_through_the_inverse_are_right(name):
    """Finite differences: the equation that encode solves is differentiated implicitly."""
    transform, x = build(name, 2), normal(4, 2)
    parameters = dict(transform.named_parameters())

    def loss(*values):
        named = {f"inner.{key}": value for key, value in zip(parameters, values, strict=True)}
        return torch.func.functional_call(Density(transform), named, (x,))

    values = [p.detach().clone().requires_grad_() for p in parameters.values()]
    assert torch.autograd.gradcheck(loss, values)


class Density(nn.Module):
    """log_prob of a transform as a module, for `functional_call`."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return log_prob(self.inner)(x)


@every_map
@every_dim
def test_save_and_load_give_equal_outputs(name, dim):
    old, new = build(name, dim), build(name, dim)
    shake(new, seed=99)
    for parameter in new.parameters():
        nn.init.constant_(parameter, 0.25)
    file = io.BytesIO()
    torch.save(old.state_dict(), file)
    file.seek(0)
    new.load_state_dict(torch.load(file, weights_only=True))
    z = normal(20, dim)
    context = context_of(old, len(z))
    for a, b in zip(old.decode(z, context), new.decode(z, context), strict=True):
        assert torch.equal(a, b)


@every_map
def test_a_deep_copy_is_equal_and_apart(name):
    old = build(name, 2)
    new, z = copy.deepcopy(old), normal(20, 2)
    context = context_of(old, len(z))
    before = old.decode(z, context)[0]
    assert torch.equal(before, new.decode(z, context)[0])
    with torch.no_grad():
        for parameter in new.parameters():
            parameter += 0.1
    assert torch.equal(before, old.decode(z, context)[0])


@every_1d
def test_1d_works_in_float32(name):
    transform, z = ONE_D[name](), torch.linspace(-2, 2, 101)
    x, log_abs_det = transform.decode(z)
    truth, true_log_det = transform.decode(z.double())
    assert x.dtype == log_abs_det.dtype == torch.float32
    assert (x - truth).abs().max() < 1e-5 and (log_abs_det - true_log_det).abs().max() < 1e-5
    assert (transform.encode(x)[0] - z).abs().max() < 1e-4


@every_map
@every_dim
def test_works_in_float32(name, dim):
    transform, exact = MAPS[name](dim).float(), build(name, dim)
    z = normal(200, dim)
    context = context_of(transform, len(z))
    x, log_abs_det = transform.decode(z.float(), None if context is None else context.float())
    truth, true_log_det = exact.decode(z, context)
    assert x.dtype == log_abs_det.dtype == torch.float32
    assert torch.allclose(x.double(), truth, rtol=1e-3, atol=1e-3)
    assert torch.allclose(log_abs_det.double(), true_log_det, rtol=1e-3, atol=1e-3)
    back, _ = transform.encode(x, None if context is None else context.float())
    assert torch.allclose(back.double(), z, rtol=1e-2, atol=1e-2)


@every_map
def test_double_after_float_keeps_the_round_trip(name):
    """A flow that was built, or loaded, in float32 is exact again after .double()."""
    transform, z = MAPS[name](3).float().double(), normal(200, 3)
    check_round_trip(transform, z, context_of(transform, len(z)))


@every_map
@every_dim
def test_a_batch_of_one_is_like_a_row_of_many(name, dim):
    transform, z = build(name, dim), normal(5, dim)
    context = context_of(transform, len(z))
    row = None if context is None else context[2:3]
    for direction in (transform.decode, transform.encode):
        many, many_log_det = direction(z, context)
        one, one_log_det = direction(z[2:3], row)
        assert one.shape == (1, dim) and one_log_det.shape == (1,)
        assert torch.allclose(one[0], many[2], rtol=0, atol=1e-12)
        assert torch.allclose(one_log_det[0], many_log_det[2], rtol=0, atol=1e-12)


@every_1d
def test_1d_keeps_the_shape(name):
    transform = ONE_D[name]()
    for n in (1, 7):
        x, log_abs_det = transform.decode(normal(n))
        assert x.shape == log_abs_det.shape == (n,)


def test_points_do_not_disturb_each_other():
    """No batch statistics: the density of a point does not depend on the batch it came in."""
    flow, x = real_nvp(2).double(), normal(50, 2)
    assert torch.allclose(flow.log_prob(x)[:10], flow.log_prob(x[:10]), rtol=0, atol=1e-12)


def test_one_context_for_all_points_equals_the_same_context_for_each():
    flow, x = real_nvp(2, context_dim=2).double(), normal(6, 2)
    context = torch.tensor([0.3, -1.0], dtype=torch.float64)
    assert torch.equal(flow.log_prob(x, context), flow.log_prob(x, context.expand(6, 2)))
    assert not torch.equal(flow.log_prob(x, context), flow.log_prob(x, -context))
