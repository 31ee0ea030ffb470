"""Exercises of chapter 2."""

import math

import numpy as np

from classroom.exercise import DIRECTIONS, Exercise, Level
from classroom.laws import (
    STEP,
    bell,
    between,
    fail,
    finite_far_out,
    hand_computed,
    integrates_to_one,
    law,
    log_det_is_autograds,
    number,
    of_bell_through,
    one,
    outputs,
    round_trip,
    stays_within,
)

CHAPTER = "2_transforms_1d"
BELL_ENTROPY = 0.5 * math.log(2 * math.pi * math.e)


@law
def no_entropy(answer, rng):
    """The entropy of a stretched bell is 0."""
    a = number(answer, "a")
    if a == 0:
        fail("a", 0, "another number than 0", "such a map has no inverse")
    entropy = BELL_ENTROPY + math.log(abs(a))
    usual = {
        2 * BELL_ENTROPY: "the exponent has the wrong sign",
        math.log(1 / math.sqrt(2 * math.pi)) + BELL_ENTROPY: "H(Z) is not that of log 2 pi alone",
        -BELL_ENTROPY: "the one half of H(Z) was forgotten: a square root is missing",
        BELL_ENTROPY: "this a leaves the entropy as it is",
    }
    if abs(entropy) > 1e-3:
        cause = next((why for v, why in usual.items() if abs(entropy - v) < 1e-3), "")
        fail("the entropy of `Affine(a, b)` of the bell", entropy, 0, cause)


@law
def flat(answer, rng):
    """The bell becomes uniform: its log-density is 0."""
    x = np.linspace(0.01, 0.99, 99)
    z, log_det = outputs(answer, "encode", x, parts=2)
    log_p = -0.5 * z**2 - 0.5 * math.log(2 * math.pi) + log_det
    k = int(np.argmax(np.abs(log_p)))
    if not np.abs(log_p).max() < 1e-6:
        cause = "the curve must have the slope p(z): what has the derivative of the bell?"
        fail(f"log p at x = {x[k]:.2f}", log_p[k], 0, cause)


@law
def gradient_is_the_slope(answer, rng):
    """What automatic differentiation makes of `encode` is the slope of its values."""
    at = rng.uniform(-6, 6, 6)
    got = one(answer, "gradient", at, shape=at.shape)
    ends = [outputs(answer, "encode", at + h, parts=2)[0] for h in (STEP, -STEP)]
    slope = (ends[0] - ends[1]) / (2 * STEP)
    off = np.abs(got - slope)
    if not off.max() < 1e-5:
        k = int(np.argmax(off))
        cause = "autograd followed the ends of the bracket, not the root"
        if np.abs(got).max() == 0:
            cause = "no gradient passes through a bisection: write its backward"
        fail(f"the gradient of `encode` at x = {at[k]:.3g}", got[k], slope[k], cause)


GRADIENT = """
def _gradient(x):
    z = Cubic().double().encode(x.requires_grad_())[0].sum()
    return torch.autograd.grad(z, x)[0] if z.requires_grad else torch.zeros_like(x)
"""
CHAIN = """
_layers = [Affine(1.5, 0.3), LeakyReLU(0.4), Affine(-0.7, -0.2), Tanh()]
_onto = _layers[:-1]
"""

EXERCISES = (
    Exercise(
        id="ex-entropy",
        name="entropy",
        title="Tune the entropy",
        level=Level.WARM_UP,
        minutes=10,
        points=2,
        answers=("a",),
        stub="a = ...  # such that Affine(a, 0.0) of the bell has entropy 0",
        hints=(
            "An affine map adds log |a| to the entropy.",
            "The bell has the entropy log(2 pi e) / 2; a is the exponential of minus that.",
        ),
        ports={"a": "lambda: a"},
        needs="h_z = 0.5 * math.log(2 * math.pi * math.e)",
        checks=(no_entropy,),
        rubric=("says what changes if the affine map stands before another transform",),
    ),
    Exercise(
        id="ex-relu",
        name="relu",
        title="Where the mass of a ReLU goes",
        level=Level.CORE,
        minutes=10,
        points=2,
        hints=(
            "Which z are sent to 0, and how likely are they together?",
            "A density is a limit of mass over width. What happens to it over a single point?",
        ),
        rubric=(
            "half of the samples are 0: 1 point",
            "no function integrates to one half over a point; the formula divides by 0; and the "
            "leaky ReLU's left part keeps its half on an ever shorter interval: 1 point",
        ),
    ),
    Exercise(
        id="ex-interval",
        name="interval",
        title="Data from -3 to 5",
        level=Level.CORE,
        minutes=10,
        points=2,
        answers=("interval", "half_line"),
        stub="""\
interval = ...  # a stack that maps the line onto (-3, 5)
half_line = ...  # and one that maps it onto (2, infinity)""",
        hints=(
            "First into a standard interval, then an affine map to the one you need.",
            "Sigmoid reaches (0, 1); ShiftedSoftplus reaches (-log 2, infinity).",
        ),
        ports={
            "interval": "lambda z: interval.decode(z)",
            "interval_back": "lambda x: interval.encode(x)",
            "half_line": "lambda z: half_line.decode(z)",
            "half_line_back": "lambda x: half_line.encode(x)",
        },
        checks=(
            stays_within("interval", -3, 5, (-12, 12)),
            stays_within("half_line", 2, math.inf, (-12, 12)),
            log_det_is_autograds("interval"),
            log_det_is_autograds("half_line"),
            round_trip("interval", "interval_back"),
            round_trip("half_line", "half_line_back"),
            of_bell_through(integrates_to_one(extent=(-3, 5), n=20_000), "interval_back"),
            of_bell_through(integrates_to_one(extent=(2, 14), n=20_000), "half_line_back"),
        ),
    ),
    Exercise(
        id="ex-cdf",
        name="cdf",
        title="The perfect squeeze",
        level=Level.HARDER,
        minutes=15,
        points=3,
        answers=("NormalCDF",),
        stub="class NormalCDF(Transform):\n" + DIRECTIONS,
        hints=(
            "For a uniform density the slope of the curve must equal p(z) everywhere.",
            "The curve whose slope is a density is its distribution function.",
            "torch.special.ndtr and torch.special.ndtri.",
        ),
        ports={
            "decode": "lambda z: NormalCDF().decode(z)",
            "encode": "lambda x: NormalCDF().encode(x)",
        },
        checks=(
            stays_within("decode", 0, 1, (-6, 6)),
            log_det_is_autograds("decode"),
            round_trip(),
            flat,
        ),
        rubric=("the mean log-det is predicted before it is computed",),
    ),
    Exercise(
        id="ex-cubic",
        name="cubic",
        title="An inverse without a formula",
        level=Level.RESEARCH,
        minutes=45,
        points=5,
        answers=("Cubic",),
        stub="""\
class Cubic(Transform):
    def __init__(self, a=0.3):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))

"""
        + DIRECTIONS
        + ": z by bisection",
        hints=(
            "The root lies between -|x| and |x|; each step halves that bracket.",
            "Autograd follows the ends of the bracket, which is wrong. Write a "
            "torch.autograd.Function.",
            "Differentiate z + a z^3 = x: dz/dx = 1 / (1 + 3 a z^2), dz/da = -z^3 / (1 + 3 a z^2).",
        ),
        ports={
            "decode": "lambda z: Cubic().double().decode(z)",
            "encode": "lambda x: Cubic().double().encode(x)",
            "gradient": "lambda x: _gradient(x)",
        },
        support=GRADIENT,
        checks=(
            hand_computed("decode", [[2.0]], [4.4], 1e-9, part=0, what="`decode(2)` for a = 0.3"),
            log_det_is_autograds("decode"),
            round_trip(points=bell(8, scale=2.0)),
            finite_far_out("encode", [-1000.0, 1000.0]),
            gradient_is_the_slope,
        ),
        rubric=("counts the halvings, and says what autograd makes of a bisection",),
    ),
    Exercise(
        id="ex-chain",
        name="chain",
        title="A chain of your own",
        level=Level.CORE,
        minutes=15,
        points=3,
        answers=("chain_decode", "chain_encode"),
        stub="""\
def chain_decode(layers, z):
    ...  # return x, log_abs_det


def chain_encode(layers, x):
    ...  # return z, log_abs_det""",
        hints=(
            "Each layer returns a value and a log-det. Hand on the value, add the log-det.",
            "To undo shoes and socks, begin with what came last: encode goes through the layers in "
            "reverse order.",
        ),
        ports={
            "decode": "lambda z: chain_decode(_layers, z)",
            "encode": "lambda x: chain_encode(_layers, x)",
            "chain_decode": "lambda z: chain_decode(_onto, z)",
            "chain_encode": "lambda x: chain_encode(_onto, x)",
            "single": "lambda z: chain_decode([Affine(2.0, 1.0)], z)",
        },
        support=CHAIN,
        checks=(
            hand_computed("single", [[3.0]], [7.0], 1e-6, part=0, what="one affine layer at z = 3"),
            log_det_is_autograds("decode"),
            round_trip("chain_decode", "chain_encode"),
            log_det_is_autograds("encode", between(-0.3, 0.3)),
            round_trip(),
            of_bell_through(integrates_to_one(extent=(-1, 1), n=40_000)),
        ),
    ),
)
