"""Exercises of chapter 8."""

import numpy as np

from classroom.exercise import Exercise, Level
from classroom.laws import (
    bell,
    fail,
    hand_computed,
    jacobians,
    law,
    log_det_is_autograds,
    number,
    one,
    round_trip,
)

CHAPTER = "8_sharper_couplings"
LEAST_SHARE, BINS = 1e-3, 8
STEEPEST = (1 - (BINS - 1) * LEAST_SHARE) / LEAST_SHARE


@law
def middle(answer, rng):
    """With height and width 1 the slope in the middle is 2 / (1 + d)."""
    ends = np.concatenate([[1.0], rng.uniform(0.1, 5, 6)])
    got = one(answer, "middle_slope", ends, shape=ends.shape)
    off = np.abs(got - 2 / (1 + ends))
    if not off.max() < 1e-6:
        k = int(np.argmax(off))
        causes = {
            "the square of the denominator is missing": (ends[k] + 1) / 2,
            "this is the height reached, not the slope": 0.5,
            "divide by the square of the denominator": 4 / (1 + ends[k]) ** 2,
        }
        cause = next((why for why, v in causes.items() if abs(got[k] - v) < 1e-6), "")
        fail(f"the slope in the middle for d = {ends[k]:.3g}", got[k], 2 / (1 + ends[k]), cause)


@law
def floors_allow(answer, rng):
    """The floors of the other bins set the limit."""
    got = number(answer, "steepest")
    usual = {
        1 / LEAST_SHARE: "the other seven bins keep their floors: not all of the height is left",
        1 / (1 - (BINS - 1) * LEAST_SHARE): "the bin may be narrow as well as high",
        LEAST_SHARE / (1 - (BINS - 1) * LEAST_SHARE): "this is the flattest bin",
    }
    if not abs(got - STEEPEST) < 1:
        cause = next((why for v, why in usual.items() if abs(got - v) < 1e-3 * v), "")
        fail("the largest mean slope", got, STEEPEST, cause)


FACTORS = """
def _factors(dim):
    i, j = torch.meshgrid(torch.arange(dim), torch.arange(dim), indexing="ij")
    numbers = torch.sin(1.0 + 2 * i + 5 * j)
    return numbers, numbers.cos(), 0.7 * torch.sin(3.0 * torch.arange(dim) + 1)
"""


@law
def of_three_factors(answer, rng):
    """The matrix is P L U, in any number of dimensions."""
    for dim in (2, 3, 5):
        i, j = np.meshgrid(np.arange(dim), np.arange(dim), indexing="ij")
        below = np.sin(1.0 + 2 * i + 5 * j)
        above, d = np.cos(below), 0.7 * np.sin(3.0 * np.arange(dim) + 1)
        eye, turned = np.eye(dim), np.eye(dim)[::-1]
        lower, upper = eye + np.tril(below, -1), np.diag(np.exp(d)) + np.triu(above, 1)
        slips = {
            "P is missing: the order of the coordinates is turned around at the end": lower @ upper,
            "U comes first, then L: the product is L U": turned @ upper @ lower,
            "P comes last": lower @ upper @ turned,
            "x is a row: z = x A^T": (turned @ lower @ upper).T,
            "only what lies below the diagonal of `below` counts, and L has ones on it": turned
            @ (eye + np.tril(below))
            @ upper,
            "L has ones on its diagonal": turned @ np.tril(below) @ upper,
            "the diagonal of U is exp(d)": turned @ lower @ (np.diag(d) + np.triu(above, 1)),
        }
        wanted = turned @ lower @ upper
        got = jacobians(answer, "mix", rng.standard_normal((1, dim)))[0]
        if not np.abs(got - wanted).max() < 1e-5:
            near = (why for why, slip in slips.items() if np.abs(got - slip).max() < 1e-5)
            fail(f"the matrix A for D = {dim}", got, wanted, next(near, ""))


EXERCISES = (
    Exercise(
        id="ex-8-count",
        name="count",
        title="Count the numbers",
        level=Level.WARM_UP,
        minutes=5,
        points=1,
        answers=("n_numbers",),
        stub="n_numbers = ...  # of the network of a spline coupling, D = 64, K = 8",
        hints=(
            "Half of the coordinates change, each along a spline of its own.",
            "A spline takes K widths, K heights and K - 1 inner slopes.",
        ),
        ports={"n_numbers": "lambda: n_numbers"},
        checks=(
            hand_computed(
                "n_numbers",
                (),
                736.0,
                0.5,
                {
                    768: "the slopes at the two ends are 1: a spline has K - 1 that are free",
                    800: "the slopes at the two ends are 1: a spline has K - 1 that are free",
                    1472: "only half of the coordinates change",
                    23: "this is one coordinate's spline",
                },
                what="the count",
            ),
        ),
    ),
    Exercise(
        id="ex-8-slope",
        name="middle",
        title="Steeper in the middle?",
        level=Level.CORE,
        minutes=15,
        points=2,
        answers=("middle_slope",),
        stub="def middle_slope(d):\n    ...  # width and height 1, slope d at both ends",
        hints=(
            "Put s = 1 and t = 1/2 into the formula of the slope.",
            "Above stands (d + 1) / 2, below its square.",
        ),
        ports={"middle_slope": "lambda d: middle_slope(d)"},
        checks=(middle,),
        rubric=("says for which d the middle is steeper than the ends, and why",),
    ),
    Exercise(
        id="ex-8-steep",
        name="steep",
        title="How steep can it get?",
        level=Level.CORE,
        minutes=15,
        points=2,
        answers=("steepest",),
        stub="steepest = ...  # the largest mean slope of a bin, K = 8",
        hints=(
            "What is the least width of a bin, as a share of the whole?",
            "And how much of the height is left for it, if the other seven take the least?",
        ),
        ports={"steepest": "lambda: steepest"},
        checks=(floors_allow,),
        rubric=("compares with the factor e of an affine coupling",),
    ),
    Exercise(
        id="ex-8-far",
        name="far",
        title="Far out",
        level=Level.HARDER,
        minutes=10,
        points=2,
        answers=("far_log_p",),
        stub="far_log_p = ...  # of the point (50, 50)",
        hints=(
            "What does a spline do beyond its bound?",
            "So z = x, and the log-det is 0.",
        ),
        ports={"far_log_p": "lambda: far_log_p"},
        checks=(
            hand_computed(
                "far_log_p",
                (),
                -2500 - np.log(2 * np.pi),
                1e-2,
                {
                    -2500 - 0.5 * np.log(2 * np.pi): "two coordinates: log(2 pi), not its half",
                    -5000 - np.log(2 * np.pi): "the one half of the exponent is missing",
                    -2500: "the constant of the normal is missing",
                    -1250 - 0.5 * np.log(2 * np.pi): "this is one coordinate; two add up",
                },
                what="log p at (50, 50)",
            ),
        ),
    ),
    Exercise(
        id="ex-8-mix",
        name="plu",
        title="A layer that mixes",
        level=Level.HARDER,
        minutes=25,
        points=3,
        answers=("mix", "unmix"),
        stub="def mix(x, below, above, d):\n"
        "    ...  # z, shape (n, D), and log-dets, shape (n,)\n\n\n"
        "def unmix(z, below, above, d):\n    ...  # the way back",
        hints=(
            "`below.tril(-1)` and `above.triu(1)` count; the diagonals come from elsewhere.",
            "det A = det P det L det U. Two of the three are 1 or -1.",
            "From z back: undo P, then solve with L, then with U. Points are rows, so transpose.",
        ),
        ports={
            "mix": "lambda x: mix(x, *_factors(x.shape[1]))",
            "unmix": "lambda z: unmix(z, *_factors(z.shape[1]))",
        },
        support=FACTORS,
        checks=(
            of_three_factors,
            log_det_is_autograds("mix", bell(dim=3)),
            round_trip("mix", "unmix", bell(dim=2)),
            round_trip("mix", "unmix", bell(dim=5)),
        ),
        rubric=("says what the determinant costs, against that of a matrix of free numbers",),
    ),
    Exercise(
        id="ex-8-bins",
        name="bins",
        title="How many bins?",
        level=Level.RESEARCH,
        minutes=60,
        points=4,
        hints=(
            "Change one thing at a time: bins, with depth, width and steps as they are.",
            "Give each number of bins its own best learning rate, chosen on other seeds.",
        ),
        rubric=(
            "a guess with a reason, before anything ran: 1 point",
            "at least five seeds for each number of bins, and a learning rate for each: 2 points",
            "says what the spread allows to conclude, and what it does not: 1 point",
        ),
    ),
)
