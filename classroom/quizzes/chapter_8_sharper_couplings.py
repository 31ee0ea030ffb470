"""Questions of chapter 8."""

import math

import torch

from classroom.question import Choice, Number, Option, Slip, shown
from flows import SplineCoupling, spline, spline_knots, standard_normal_log_prob

BINS = 5
FLAT = 0.1  # slope of encode in the middle
BOUND, MANY = 5.0, 8
A, B, C = 1e-3, 1.0, -0.5  # a bin that is almost straight


def knots(*values):
    """Numbers in double precision."""
    return torch.tensor(values, dtype=torch.float64)


X = knots(-3.0, 0.0, 3.0)
Z, LOG_SLOPE = spline(knots(0.0)[0], (X, X, knots(1.0, FLAT, 1.0)))
BASE = standard_normal_log_prob(Z).item()
PLACES, _, _ = spline_knots(torch.zeros(3 * MANY - 1, dtype=torch.float64), BOUND)
WIDTH = (PLACES[1] - PLACES[0]).item()
NUMBERS = SplineCoupling(2, n_bins=BINS).conditioner.net[-1].out_features


def school(a, b, c):
    """The root as one learns it."""
    return (-b + torch.sqrt(b * b - 4 * a * c)) / (2 * a)


def careful(a, b, c):
    """The root as the chapter writes it."""
    return 2 * c / (-b - torch.sqrt(b * b - 4 * a * c))


def straight(a, b, c):
    """The root of the straight line that is left without a."""
    return -c / b


def lost(root) -> float:
    """The relative error of a root in float32."""
    exact = careful(*knots(A, B, C))
    return abs(root(*knots(A, B, C).float()).double() / exact - 1).item()


QUESTIONS = (
    Number(
        "numbers",
        f"A spline has {BINS} bins. How many numbers does a network give for it?",
        float(NUMBERS),
        f"{BINS} widths, {BINS} heights, and the slopes at the {BINS - 1} inner knots.",
        (
            Slip(
                3.0 * BINS,
                "one slope too many: between the bins lies one knot fewer than there are bins.",
            ),
            Slip(
                3.0 * BINS + 1,
                "the slopes at both ends are given: there the diagonal goes on, with slope 1.",
            ),
            Slip(2.0 * BINS, "the slopes at the knots are free, too."),
        ),
        hint="Count widths, heights, and slopes where two bins meet.",
        digits=0,
    ),
    Number(
        "flat",
        f"Encode is a spline with z = 0 at x = 0 and slope {FLAT:g} there. What is log p(x) at x "
        "= 0?",
        BASE + LOG_SLOPE.item(),
        f"log p(z) = {shown(BASE)}" + f", and encode's log-det log {FLAT:g} on top: where "
        "encode is flat, data are rare.",
        (
            Slip(
                BASE - LOG_SLOPE.item(),
                "you divided by the slope. So one does with the slope of decode; this one is "
                "encode's.",
            ),
            Slip(BASE, "you left the log-det out."),
            Slip(BASE + math.log10(FLAT), "that is the logarithm to base 10."),
        ),
        hint="Is the given slope that of encode or of decode?",
    ),
    Number(
        "width",
        f"All free numbers of a spline with {MANY} bins on [−{BOUND:g}, {BOUND:g}] are 0. How "
        "wide is a bin?",
        WIDTH,
        "softmax makes equal shares of the whole interval.",
        (
            Slip(WIDTH / (2 * BOUND), f"that is its share. The whole is {2 * BOUND:g} wide."),
            Slip(
                WIDTH / 2,
                f"the interval goes from −{BOUND:g} to {BOUND:g}: it is {2 * BOUND:g} wide.",
            ),
            Slip(2 * BOUND / (MANY + 1), f"{MANY + 1} knots, ends included, make {MANY} bins."),
            Slip(0.0, "softmax of zeros is not 0: it gives equal shares."),
        ),
        hint="What does softmax make of equal numbers?",
    ),
    Choice(
        "root",
        f"In a bin that is almost straight, the inverse solves a t² + b t + c = 0 with a = {A:g}, "
        f"b = {B:g} and c = {shown(C, 1)}. Which root is right to the last digits of float32?",
        (
            Option(
                "`(−b + √(b² − 4ac)) / 2a`",
                lost(school),
                "it subtracts two numbers that are nearly equal, and divides what is left of "
                "their digits by a tiny number.",
            ),
            Option(
                "`−c / b`",
                lost(straight),
                "it takes the bin for straight. It is not quite, and float32 can see that.",
            ),
            Option(
                "`2c / (−b − √(b² − 4ac))`",
                lost(careful),
                "nothing cancels here: both terms below the line have one sign.",
            ),
        ),
        wanted=0.0,
    ),
)
