"""Functions that others wrote: right, or a CompileError with line and advice; never wrong.

Densities, distribution functions, entropies and divergences of torch.distributions, its transforms,
layers and losses of torch.nn, and a few that people write into notebooks. None was written for
this compiler.
"""

import inspect
import math

import pytest
import torch
from live_advice import CASES as ADVICE
from live_runner import double, largest_error
from samples import ALL_TESTS, few
from torch import distributions as D
from torch import nn
from torch.distributions import transforms as T
from torch.nn import functional as F

from live import CompileError, compile

POINTS = torch.linspace(-2.2, 2.3, 7)  # none of them on a border
POSITIVE = torch.linspace(0.13, 3.1, 7)
SHARES = torch.linspace(0.07, 0.93, 7)
COUNTS = torch.arange(7.0)
PLANE = torch.tensor([[0.3, -1.2], [1.1, 0.4], [-0.7, 0.9]])
ROWS = torch.tensor([[0.3, -1.2, 0.8, 0.1], [1.1, 0.4, -0.6, 2.0], [-0.7, 0.9, 0.2, -1.5]])
SIMPLEX = torch.tensor([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
IMAGE = torch.linspace(-1, 1, 2 * 3 * 6 * 6).sin().reshape(2, 3, 6, 6)


def both(make):
    """log_prob and cdf of a distribution."""
    return lambda x, a: (make(a).log_prob(x), make(a).cdf(x))


# Distributions of a parameter: name -> (function of x and a, x, a)
DENSITIES = {
    "normal": (both(lambda a: D.Normal(0.3, a)), POINTS, 1.3),
    "laplace": (both(lambda a: D.Laplace(0.3, a)), POINTS, 1.3),
    "cauchy": (both(lambda a: D.Cauchy(0.3, a)), POINTS, 1.3),
    "gumbel": (both(lambda a: D.Gumbel(0.3, a)), POINTS, 1.3),
    "log normal": (both(lambda a: D.LogNormal(0.3, a)), POSITIVE, 1.3),
    "half normal": (both(lambda a: D.HalfNormal(a)), POSITIVE, 1.3),
    "half cauchy": (both(lambda a: D.HalfCauchy(a)), POSITIVE, 1.3),
    "exponential": (both(lambda a: D.Exponential(a)), POSITIVE, 1.3),
    "weibull": (both(lambda a: D.Weibull(1.2, a)), POSITIVE, 1.3),
    "kumaraswamy": (both(lambda a: D.Kumaraswamy(a, 1.7)), SHARES, 1.3),
    "uniform": (both(lambda a: D.Uniform(-3.0, 3.0 + a)), POINTS, 1.3),
    "pareto": (both(lambda a: D.Pareto(0.1, a)), POSITIVE, 1.3),
    "student": (lambda x, a: D.StudentT(a).log_prob(x), POINTS, 2.5),
    "gamma": (lambda x, a: D.Gamma(a, 1.2).log_prob(x), POSITIVE, 2.5),
    "inverse gamma": (lambda x, a: D.InverseGamma(a, 1.2).log_prob(x), POSITIVE, 2.5),
    "chi2": (lambda x, a: D.Chi2(a).log_prob(x), POSITIVE, 2.5),
    "beta": (lambda x, a: D.Beta(a, 1.2).log_prob(x), SHARES, 2.5),
    "f": (lambda x, a: D.FisherSnedecor(a, 3.0).log_prob(x), POSITIVE, 2.5),
    "von mises": (lambda x, a: D.VonMises(0.2, a).log_prob(x), POINTS, 2.5),
    "dirichlet": (lambda x, a: D.Dirichlet(torch.stack([a, a + 1, a])).log_prob(x), SIMPLEX, 1.3),
    "continuous bernoulli": (
        lambda x, a: D.ContinuousBernoulli(torch.sigmoid(a)).log_prob(x), SHARES, 1.3),
    "relaxed bernoulli": (
        lambda x, a: D.RelaxedBernoulli(torch.tensor(0.7), logits=a).log_prob(x), SHARES, 0.4),
    "poisson": (lambda x, a: D.Poisson(a).log_prob(x), COUNTS, 2.5),
    "geometric": (lambda x, a: D.Geometric(torch.sigmoid(a)).log_prob(x), COUNTS, 0.4),
    "binomial": (lambda x, a: D.Binomial(8, logits=a).log_prob(x), COUNTS, 0.4),
    "negative binomial": (lambda x, a: D.NegativeBinomial(4.0, logits=a).log_prob(x), COUNTS, 0.4),
    "bernoulli": (lambda x, a: D.Bernoulli(logits=a).log_prob(x), COUNTS[:2], 0.4),
    "categorical": (
        lambda x, a: D.Categorical(logits=torch.stack([a, 2 * a, -a])).log_prob(x),
        torch.tensor([0, 2, 1]), 0.4),
    "multivariate normal": (
        lambda x, a: D.MultivariateNormal(
            torch.zeros(2), torch.stack([torch.stack([a, 0.3 * a]), torch.stack([0.3 * a, a])])
        ).log_prob(x), PLANE, 1.3),
    "lower Cholesky factor": (
        lambda x, a: D.MultivariateNormal(
            torch.zeros(2), scale_tril=torch.stack([torch.stack([a, 0 * a]), torch.stack([a, a])])
        ).log_prob(x), PLANE, 1.3),
    "low rank": (
        lambda x, a: D.LowRankMultivariateNormal(
            torch.zeros(2), a * torch.ones(2, 1), torch.ones(2)).log_prob(x), PLANE, 1.3),
    "mixture": (
        lambda x, a: D.MixtureSameFamily(
            D.Categorical(torch.tensor([0.3, 0.7])), D.Normal(torch.stack([a, -a]), 0.8)
        ).log_prob(x), POINTS, 1.3),
    "independent": (lambda x, a: D.Independent(D.Normal(a, 1.2), 0).log_prob(x), POINTS, 1.3),
    "tanh of a normal": (
        lambda x, a: D.TransformedDistribution(D.Normal(a, 1.2), [T.TanhTransform()]).log_prob(x),
        SHARES, 0.4),
    "logistic": (
        lambda x, a: D.TransformedDistribution(
            D.Uniform(0.0, 1.0), [T.SigmoidTransform().inv, T.AffineTransform(a, 1.5)]
        ).log_prob(x), POINTS, 0.4),
    "icdf of a normal": (lambda x, a: D.Normal(a, 1.2).icdf(x), SHARES, 1.3),
    "icdf of a Laplace": (lambda x, a: D.Laplace(a, 1.2).icdf(x), SHARES, 1.3),
    "entropies": (
        lambda x, a: (D.Normal(0.0, a).entropy(), D.Gamma(a, 1.2).entropy(),
                      D.Beta(a, 1.2).entropy(), D.Laplace(0.0, a).entropy()) + (x,), POINTS, 1.3),
    "KL of normals": (
        lambda x, a: D.kl_divergence(D.Normal(x, a), D.Normal(0.0, 1.0)), POINTS, 1.3),
    "KL of gammas": (
        lambda x, a: D.kl_divergence(D.Gamma(x, a), D.Gamma(1.5, 1.0)), POSITIVE, 1.3),
    "KL of Laplaces": (
        lambda x, a: D.kl_divergence(D.Laplace(x, a), D.Laplace(0.0, 1.0)), POINTS, 1.3),
    "KL of Bernoullis": (
        lambda x, a: D.kl_divergence(D.Bernoulli(x), D.Bernoulli(torch.sigmoid(a))), SHARES, 0.4),
    "KL of exponentials": (
        lambda x, a: D.kl_divergence(D.Exponential(x), D.Exponential(a)), POSITIVE, 1.3),
}  # fmt: skip


def there_and_back(make):
    """A transform of torch: its value, the way back, and the log-determinant."""

    def run(x, a):
        f = make(a)
        y = f(x)
        return y, f.inv(y), f.log_abs_det_jacobian(x, y)

    return run


TRANSFORMS = {
    "affine": (there_and_back(lambda a: T.AffineTransform(0.3, a)), POINTS, 1.3),
    "tanh": (there_and_back(lambda a: T.TanhTransform()), POINTS, 1.3),
    "sigmoid": (there_and_back(lambda a: T.SigmoidTransform()), POINTS, 1.3),
    "softplus": (there_and_back(lambda a: T.SoftplusTransform()), POINTS, 1.3),
    "exp": (there_and_back(lambda a: T.ExpTransform()), POINTS, 1.3),
    "power": (there_and_back(lambda a: T.PowerTransform(a)), POSITIVE, 1.3),
    "composed": (
        there_and_back(
            lambda a: T.ComposeTransform([T.AffineTransform(a, 2.0), T.TanhTransform()])),
        POINTS[2:5], 0.2),
    "stick breaking": (there_and_back(lambda a: T.StickBreakingTransform()), PLANE, 1.3),
    "lower Cholesky": (lambda x, a: T.LowerCholeskyTransform()(x * a), PLANE[:2], 1.3),
    "softmax": (lambda x, a: T.SoftmaxTransform()(x * a), PLANE, 1.3),
    "absolute value": (lambda x, a: T.AbsTransform()(x * a), POINTS, 1.3),
}  # fmt: skip

torch.manual_seed(3)
ACTIVATIONS = [
    F.relu, F.relu6, F.elu, F.selu, F.celu, F.leaky_relu, F.gelu, F.silu, F.mish, F.softplus,
    F.softsign, F.tanhshrink, F.hardtanh, F.hardsigmoid, F.hardswish, F.softshrink, F.hardshrink,
    F.logsigmoid, torch.sigmoid, torch.erf,
]  # fmt: skip
SPECIAL = [
    (torch.special.expit, POINTS), (torch.special.logit, SHARES), (torch.special.entr, SHARES),
    (torch.special.log1p, SHARES), (torch.special.log_ndtr, POINTS), (torch.special.ndtr, POINTS),
    (torch.special.ndtri, SHARES), (torch.special.gammaln, POSITIVE), (torch.special.psi, POSITIVE),
    (torch.special.erfcx, POINTS), (torch.special.i0e, POINTS), (torch.special.sinc, POINTS),
    (torch.special.exp2, POINTS), (torch.special.expm1, POINTS),
    (torch.special.round, POINTS),
]  # fmt: skip
LAYERS = {
    "linear": (nn.Linear(4, 3), ROWS),
    "bilinear": (lambda x: F.bilinear(x, x, torch.ones(2, 4, 4) / 9), ROWS),
    "layer norm": (nn.LayerNorm(4), ROWS),
    "group norm": (nn.GroupNorm(2, 4), ROWS),
    "batch norm in eval": (nn.BatchNorm1d(4).eval(), ROWS),
    "rms norm": (nn.RMSNorm(4), ROWS),
    "network": (nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)), ROWS),
    "recurrent cell": (nn.RNNCell(4, 3), ROWS),
    "gated cell": (nn.GRUCell(4, 3), ROWS),
    "attention": (lambda x: F.scaled_dot_product_attention(x[None], x[None], x[None]), ROWS),
    "embedding": (lambda x: F.embedding((x > 0).long(), torch.ones(2, 3)), ROWS),
    "convolution": (nn.Conv2d(3, 2, 3), IMAGE),
    "average pooling": (nn.AvgPool2d(2), IMAGE),
    "largest of each window": (nn.MaxPool2d(2), IMAGE),
    "pixel shuffle": (nn.PixelUnshuffle(2), IMAGE),
    "padding": (lambda x: F.pad(x, (1, 2)), ROWS),
    "interpolation": (lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), IMAGE),
    "normalize": (F.normalize, ROWS),
    "cosine similarity": (lambda x: F.cosine_similarity(x, x.flip(0)), ROWS),
    "pairwise distance": (lambda x: F.pairwise_distance(x, x.flip(0)), ROWS),
    "all distances": (lambda x: torch.cdist(x, x), ROWS),
    "unfold": (lambda x: x.unfold(1, 2, 1), ROWS),
    "glu": (F.glu, ROWS),
    "cross entropy": (lambda x: F.cross_entropy(x, torch.tensor([0, 3, 1])), ROWS),
    "huber": (lambda x: F.huber_loss(x, 0 * x), ROWS),
    "smooth l1": (lambda x: F.smooth_l1_loss(x, 0 * x, reduction="none"), ROWS),
    "gaussian nll": (lambda x: F.gaussian_nll_loss(x, 0 * x, x.square() + 1), ROWS),
    "binary cross entropy": (
        lambda x: F.binary_cross_entropy_with_logits(x, torch.ones_like(x)), ROWS),
    "kl div": (lambda x: F.kl_div(x.log_softmax(1), x.flip(0).softmax(1), reduction="sum"), ROWS),
    "logcumsumexp": (lambda x: torch.logcumsumexp(x, 1), ROWS),
    "covariance": (lambda x: torch.cov(x.T), ROWS),
    "quantile": (lambda x: torch.quantile(x, 0.3, dim=1), ROWS),
    "einsum": (lambda x: torch.einsum("ni,nj->ij", x, x), ROWS),
    "Vandermonde": (lambda x: torch.vander(x[0], 4), ROWS),
    "trapezoid": (lambda x: torch.trapezoid(x, dim=1), ROWS),
    "kron": (lambda x: torch.kron(x[:2, :2], x[1:, :2]), ROWS),
    "matrix exponential": (lambda x: torch.matrix_exp(x[:2, :2]), ROWS),
    "slogdet": (lambda x: torch.linalg.slogdet(x[:2, :2]), ROWS),
    "xlog1py": (lambda x: torch.special.xlog1py(x.abs(), x.square()), ROWS),
    "multivariate gamma": (lambda x: torch.special.multigammaln(x.abs() + 2, 2), ROWS),
    "zeta": (lambda x: torch.special.zeta(x.abs() + 2, x.abs() + 1), ROWS),
    "diff": (lambda x: torch.diff(x, dim=1), ROWS),
    "bucketize": (lambda x: torch.bucketize(x, torch.tensor([-1.05, 0.05, 1.05])), ROWS),
}  # fmt: skip

CASES = {f"density: {k}": v for k, v in DENSITIES.items()}
CASES |= {f"transform: {k}": v for k, v in TRANSFORMS.items()}
for f in ACTIVATIONS:
    CASES[f"activation: {f.__name__}"] = (lambda x, a, f=f: f(a * x), POINTS, 1.3)
for f, x in SPECIAL:
    CASES[f"special: {f.__name__}"] = (lambda x, a, f=f: f(a * x), x, 1.01)
for name, (f, x) in LAYERS.items():
    CASES[f"layer: {name}"] = (lambda x, a, f=f: f(a * x), x, 1.1)


def test_there_are_enough():
    assert len(CASES) >= 100


def verdict(node, function, x, a, wanted, **options):
    """ "right", or what was wrong; the message, if it is refused."""
    try:
        made = compile(function, x, a, name="f", **options)
    except CompileError as error:
        return error
    error = largest_error(node.run(made, *wanted[:-1]), wanted[-1])
    return "right" if error <= 2e-4 else f"off by {error:.2g}"


@pytest.fixture(scope="module")
def verdicts(node):
    """Name -> what became of it."""
    with torch.no_grad():
        return {
            name: verdict(node, f, x, a, (x, a, f(x, torch.tensor(a))), dynamic=())
            for name, (f, x, a) in CASES.items()
        }


@pytest.fixture(scope="module")
def verdicts_at_other_sizes(node):
    """The same of those that take any number of points, compiled for any, with two points more.

    (Two of the same points: others may lie where a distribution is not defined, and whether torch
    then says so depends on whether anything was compiled by it before.)
    """
    found = {}
    for name in CASES if ALL_TESTS else few(CASES, 3):
        f, x, a = CASES[name]
        more = torch.cat([x, x[:2].flip(0)])
        try:
            wanted = f(more, torch.tensor(a)).detach()
        except (RuntimeError, ValueError, IndexError, AttributeError):
            continue
        found[name] = verdict(node, f, x, a, (more, a, wanted))
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_foreign_function_is_right_or_refused(verdicts, name):
    verdict = verdicts[name]
    if isinstance(verdict, CompileError):
        assert verdict.problem and verdict.line and verdict.instead, str(verdict)
    else:
        assert verdict == "right", verdict


def test_those_for_any_number_of_points_are_right_or_refused(verdicts, verdicts_at_other_sizes):
    """And few are refused that compile for one number."""
    found = verdicts_at_other_sizes
    wrong = {n: v for n, v in found.items() if isinstance(v, str) and v != "right"}
    assert not wrong
    refused = {n for n, v in found.items() if v != "right" and verdicts[n] == "right"}
    assert len(refused) <= 3, {n: str(found[n]) for n in sorted(refused)}
    assert len(found) > (100 if ALL_TESTS else 30)


def test_most_foreign_functions_compile(verdicts):
    refused = {name for name, v in verdicts.items() if isinstance(v, CompileError)}
    assert len(refused) <= math.ceil(0.25 * len(CASES)), sorted(refused)


@pytest.mark.parametrize("case", ADVICE, ids=lambda case: case.refused.__name__)
def test_advice_followed_works(node, case):
    """Refused, with the user's own line; the same function with the advice followed is right."""
    with pytest.raises(CompileError) as refused:
        compile(case.refused, *case.given, dynamic=case.dynamic, name="f")
    assert case.words in refused.value.instead, str(refused.value)
    lines = inspect.getsource(case.refused).splitlines()
    wanted = [f"{case.refused.__name__}: {line.strip()}" for line in lines if "# refused" in line]
    assert [refused.value.line] == (wanted or [""])

    given = case.given if case.twin_given is None else case.twin_given
    made = compile(case.twin, *given, dynamic=case.dynamic, name="f")
    exact = case.twin(*(double(value) for value in given))
    assert largest_error(node.run(made, *given), exact) <= 1e-6
    # The twin means what the refused one meant.
    with torch.random.fork_rng():
        torch.manual_seed(0)
        own = case.refused(*(torch.as_tensor(value).clone() for value in case.given))
    assert largest_error([exact.flatten()], own) <= (2e-3 if own.dtype == torch.float16 else 1e-5)
