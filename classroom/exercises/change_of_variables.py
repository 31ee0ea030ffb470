"""Exercises of chapter 1."""

import math

import numpy as np

from classroom.exercise import DIRECTIONS, Exercise, Level
from classroom.laws import (
    between,
    fail,
    given,
    hand_computed,
    integrates_to_one,
    law,
    log_det_is_autograds,
    number,
    of_bell_through,
    one,
    round_trip,
    samples_match_density,
)

CHAPTER = "1_change_of_variables"

MY_CURVE = """
def my_curve(z, bend):
    return z + bend / 2 * torch.sin(2 * z)
"""


@law
def mean_square_slope(answer, rng):
    """The wrong-sign integral, from log-dets of a map at samples of the bell."""
    for amount in (0.3, 0.8):
        grid = np.linspace(-9, 9, 40001)
        x, slope = grid + amount * np.sin(grid), 1 + amount * np.cos(grid)
        bell = np.exp(-0.5 * grid**2) / math.sqrt(2 * math.pi)
        height = bell * slope  # what the wrong sign gives, to be integrated over x
        wanted = ((height[1:] + height[:-1]) / 2 * np.diff(x)).sum()
        samples = rng.standard_normal(40_000)
        log_det = np.log(1 + amount * np.cos(samples))
        got = number(answer, "predicted", log_det)
        usual = {
            np.exp(log_det).mean(): "that is the integral with no log-det at all; the wrong sign "
            "puts in one more factor",
            1.0: "that is the integral of the right density",
            math.exp(2 * log_det.mean()): "the mean stands inside the exponential, not outside",
            log_det.mean(): "the mean of the logarithms, where it should be that of their "
            "exponentials",
            np.exp(-2 * log_det).mean(): "the sign of the exponent is turned round",
        }
        if abs(got - wanted) > 0.02:
            cause = next((why for v, why in usual.items() if abs(got - v) < 0.01), "")
            fail("the integral that `predicted` gives", got, wanted, cause)


SIGMA2, AT = 0.25, 1.0  # the noise of the smallest VAE, and the x that is looked at


def log_normal(x, mean, std):
    """The log-density of a normal distribution."""
    return -0.5 * ((x - mean) / std) ** 2 - np.log(std) - 0.5 * math.log(2 * math.pi)


@law
def bound(answer, rng):
    """The ELBO for several guesses, against its integral on a grid."""
    posterior = (AT / (1 + SIGMA2), math.sqrt(SIGMA2 / (1 + SIGMA2)))
    for mean, std in (posterior, (0.0, 1.0), (0.5, 0.8)):
        z = np.linspace(mean - 9 * std, mean + 9 * std, 20001)
        guess = np.exp(log_normal(z, mean, std)) * (z[1] - z[0])
        likelihood = (guess * log_normal(AT, z, math.sqrt(SIGMA2))).sum()
        prior = (guess * log_normal(z, 0, 1)).sum()
        entropy = -(guess * log_normal(z, mean, std)).sum()
        got = number(answer, "elbo", mean, std)
        usual = {
            likelihood + prior: "log q is missing",
            likelihood + prior - entropy: "log q has the wrong sign",
            likelihood: "prior and log q are missing: this is the reconstruction alone",
            likelihood + entropy: "the prior is missing",
            -(likelihood + prior + entropy): "this is the loss, minus the bound",
        }
        wanted = likelihood + prior + entropy
        if abs(got - wanted) > 0.05:
            cause = next((why for v, why in usual.items() if abs(got - v) < 0.05), "")
            cause = cause or "the mean is not over z that are drawn from q"
            fail(f"the ELBO for q = N({mean:.2g}, {std:.2g}^2)", got, wanted, cause)


@law
def weights_add(answer, rng):
    """Where the curve is folded, the density is the share of samples that arrive there."""
    z = rng.standard_normal(400_000)
    x = z + 0.75 * np.sin(2 * z)
    for low, high in ((0.0, 0.3), (1.48, 1.64), (-1.64, -1.48), (2.0, 2.4)):  # no turning points
        at = low + (high - low) * (np.arange(60) + 0.5) / 60
        got = one(answer, "density", at, 1.5, shape=at.shape).mean()
        wanted = ((x > low) & (x < high)).mean() / (high - low)
        if not abs(got - wanted) < 0.04 * wanted + 1e-3:
            several = low in (1.48, -1.64)
            cause = "the weights of all three pre-images add up" if several and got < wanted else ""
            if several and got > wanted:
                cause = "each pre-image counts p(z) / |f'(z)|, once"
            fail(f"the density between {low} and {high} for bend = 1.5", got, wanted, cause)


def stretched(n, seed, a, b):
    """Samples of a z + b."""
    return a * np.random.default_rng(seed).standard_normal(n) + b


@law
def four_errors_from_zero(answer, rng):
    """How many samples part two scales, against the formula for normal latents."""
    for eps in (0.2, 0.1):
        drop = 1 - (1 + eps) ** -2
        mean, std = math.log1p(eps) - drop / 2, drop / math.sqrt(2)  # of the log-ratio
        wanted = (2 * std / mean) ** 2
        got = number(answer, "needed", eps)
        usual = {
            2 * std / mean: "the square is missing: the error falls with the root of n",
            (std / mean) ** 2: "the mean is to be twice as large as its error, not just as large",
            2 * (std / mean) ** 2: "the 2 is squared, too",
            1 / mean: "this is 1 / KL: the spread of the log-ratio is missing",
        }
        if not abs(got - wanted) < 0.15 * wanted:
            near = (why for v, why in usual.items() if abs(got - v) < 0.15 * v)
            fail(f"the samples needed for eps = {eps}", got, wanted, next(near, ""))


EXERCISES = (
    Exercise(
        id="ex-exp",
        name="exp",
        title="The exponential",
        level=Level.WARM_UP,
        minutes=10,
        points=2,
        answers=("Exp",),
        stub="class Exp(Transform):\n" + DIRECTIONS,
        hints=(
            "The log-det of decode is the logarithm of the slope of x = exp(z).",
            "That slope is x itself, so its logarithm is z.",
            "The log-det of encode is minus that of decode, written in x.",
        ),
        ports={"decode": "lambda z: Exp().decode(z)", "encode": "lambda x: Exp().encode(x)"},
        checks=(
            hand_computed("decode", [[1.0]], [math.e], 1e-6, part=0, what="`decode(1)`"),
            log_det_is_autograds("decode"),
            log_det_is_autograds("encode", between(0.2, 5)),
            round_trip(),
            of_bell_through(integrates_to_one(extent=(0, 60), n=60_000)),
        ),
        rubric=("both log-dets are derived, and the log-normal distribution is named",),
    ),
    Exercise(
        id="ex-affine",
        name="stretch",
        title="Stretch and mirror",
        level=Level.WARM_UP,
        minutes=10,
        points=2,
        answers=("stretched_log_prob",),
        stub="""\
def stretched_log_prob(x, a, b):
    ...  # log p(x) for x = a z + b""",
        hints=(
            "Solve x = a z + b for z. The slope of encode is 1 / a.",
            "A density is never negative: which size does the slope have, if a is?",
        ),
        ports={"log_prob": "lambda x, a, b: stretched_log_prob(x, a, b)"},
        checks=(
            integrates_to_one(extent=(-15, 15), more=(2.0, 1.0)),
            integrates_to_one(extent=(-15, 15), more=(-0.4, 0.5)),
            given(samples_match_density(extent=(-20, 20), more=(-2.5, 1.0)), sample=stretched),
        ),
        rubric=("says where the absolute value was needed, and what a negative a changes",),
    ),
    Exercise(
        id="ex-wrong",
        name="wrong",
        title="Who made the wrong integral?",
        level=Level.CORE,
        minutes=15,
        points=3,
        answers=("predicted",),
        stub="""\
def predicted(log_abs_det):
    ...  # an estimate of the wrong integral, from decode's log-dets at samples of the bell""",
        hints=(
            "Write the integral over x, and substitute x = f(z).",
            "dx = |f'(z)| dz brings one factor |f'|; the wrong sign has brought another.",
        ),
        ports={"predicted": "lambda log_abs_det: predicted(log_abs_det)"},
        checks=(mean_square_slope,),
        rubric=("the expectation is derived before it is estimated",),
    ),
    Exercise(
        id="ex-fold",
        name="fold",
        title="Folding",
        level=Level.HARDER,
        minutes=30,
        points=4,
        answers=("folded_density",),
        stub="""\
def folded_density(x, bend):
    ...  # p(x), shape (n,), with the weights of all pre-images of each x""",
        hints=(
            "Sand from several places lands on one x, and its weights add.",
            "On a fine grid of z, my_curve(z, bend) - x changes its sign at each pre-image of x.",
            "Each pre-image z adds p(z) / |f'(z)|, and the slope is 1 + bend cos 2z.",
        ),
        ports={"density": "lambda x, bend: folded_density(x, bend)"},
        needs=MY_CURVE,
        checks=(
            integrates_to_one("density", (-7, 7), n=700, tolerance=0.02, more=(0.5,), log=False),
            weights_add,
        ),
        rubric=("shows when the slope stays positive, and says why one pre-image is too little",),
    ),
    Exercise(
        id="ex-elbo",
        name="elbo",
        title="What a bound hides",
        level=Level.CORE,
        minutes=20,
        points=3,
        answers=("elbo",),
        stub="""\
def elbo(q):
    ...  # the ELBO at x = 1 for a torch.distributions.Normal q""",
        hints=(
            "Draw many z from q: q.mean + q.stddev * torch.randn(...).",
            "The ELBO is the mean of log p(x | z) + log p(z) - log q(z) over them.",
        ),
        ports={
            "elbo": "lambda mean, std: elbo(torch.distributions.Normal("
            "torch.tensor(mean), torch.tensor(std)))"
        },
        checks=(bound,),
        rubric=("compares both with log p(1), and says what the ELBO itself does not tell",),
    ),
    Exercise(
        id="ex-notice",
        name="notice",
        title="How many samples notice?",
        level=Level.RESEARCH,
        minutes=45,
        points=5,
        answers=("samples_needed",),
        stub="""\
def samples_needed(eps):
    ...  # n for which the mean log-ratio is twice its standard error""",
        hints=(
            "Draw x from the truth, and take the log-ratio of both densities at each x.",
            "The standard error of a mean of n is the standard deviation over the root of n.",
            "Write x back as z: what is left of the tanh in the log-ratio?",
        ),
        ports={"needed": "lambda eps: samples_needed(eps)"},
        checks=(four_errors_from_zero,),
        rubric=(
            "finds the law for small eps by measurement, and derives it",
            "says what becomes of it for another curve in place of the tanh, and why",
            "compares it with a test of another kind",
        ),
    ),
)
