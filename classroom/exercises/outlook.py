"""Exercises of chapter 7."""

import math

import numpy as np

from classroom.exercise import Exercise, Level
from classroom.laws import (
    STEP,
    fail,
    given,
    hand_computed,
    integrates_to_one,
    law,
    number,
    one,
    samples_match_density,
)

CHAPTER = "7_outlook"
STD = 0.25


@law
def top_of_the_shell(answer, rng):
    """The distance at which r^(D - 1) exp(-r^2 / 2) is highest."""
    for dim in (2, 10, 100):
        got = number(answer, "peak", dim)
        if got <= 0:
            fail(f"the distance for D = {dim}", got, "above 0")

        def height(r, dim=dim):
            return (dim - 1) * math.log(r) - r**2 / 2

        slope = (height(got + 1e-4) - height(got - 1e-4)) / 2e-4
        if abs(slope) > 1e-3:
            usual = {
                math.sqrt(dim): "a shell has D - 1 directions along it, so the power is D - 1",
                dim - 1: "a square root is missing",
                dim: "a square root is missing, and the power is D - 1",
                0.0: "that is the highest density, not where the points are",
            }
            cause = next((why for v, why in usual.items() if abs(got - v) < 1e-6), "")
            what = f"the slope of the log-density of r at {shown_peak(dim)} = {got:.4g}"
            fail(what, slope, 0, cause)


def shown_peak(dim: int) -> str:
    """A call, as a reader writes it."""
    return f"`peak({dim})`"


def exponential(n, seed):
    """Samples of exp(X)."""
    return np.exp(np.random.default_rng(seed).standard_normal(n))


@law
def log_det_of_a_step(answer, rng):
    """log|det| of x - h x, for steps below and above 1."""
    for h, dim in ((0.1, 3), (0.5, 2), (1.5, 2), (3.0, 5)):
        wanted = np.linalg.slogdet(np.eye(dim) - h * np.eye(dim))[1]
        got = number(answer, "step_log_det", h, dim)
        usual = {
            -h * dim: "this is h times the trace, right to first order only",
            math.log(abs(1 - h)): "each of the D coordinates shrinks",
            -wanted: "the sign is wrong",
        }
        if abs(got - wanted) > 1e-6:
            cause = next((why for v, why in usual.items() if abs(got - v) < 1e-6), "")
            fail(f"the log-det of a step h = {h} in {dim} dimensions", got, wanted, cause)


def ring_on_its_way(x, t):
    """log p(x, t) of the mixture that shrinks from N(0, I) to the ring."""
    turn = 2 * np.pi * np.arange(8) / 8
    centers = 3 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    s = 1 - (1 - STD) * t
    apart = ((x[:, None] - t * centers) ** 2).sum(axis=2) / (2 * s**2)
    low = apart.min(axis=1)
    return -low + np.log(np.exp(low[:, None] - apart).sum(axis=1)) - 2 * math.log(s)


@law
def gradient_of_log_density(answer, rng):
    """The score is the gradient of log p(x, t)."""
    for t in (0.2, 0.6, 1.0):
        x = rng.standard_normal((6, 2)) * 0.8 + 2 * t
        got = one(answer, "score", x, t, shape=x.shape)
        wanted = np.stack(
            [
                (ring_on_its_way(x + STEP * e, t) - ring_on_its_way(x - STEP * e, t)) / (2 * STEP)
                for e in np.eye(2)
            ],
            axis=1,
        )
        off = np.abs(got - wanted)
        if not off.max() < 1e-4 * (1 + np.abs(wanted).max()):
            k = np.unravel_index(np.argmax(off), off.shape)
            s = 1 - (1 - STD) * t
            cause = ""
            for value, why in (
                (-wanted, "the sign is wrong: the score points to where the density grows"),
                (wanted * s**2, "the division by s^2 is missing"),
                (wanted * s, "it is divided by s, not by s^2"),
            ):
                if np.allclose(got, value, atol=1e-4):
                    cause = why
            if not cause and t < 1:
                cause = "the centres are at t c_k, and the spread is s(t)"
            fail(f"a component of the score at t = {t}", got[k], wanted[k], cause)


RING = """
CENTERS, STD = gmu.ring_centers().double(), 0.25
"""

EXERCISES = (
    Exercise(
        id="ex-route",
        name="route",
        title="Another route",
        level=Level.CORE,
        minutes=15,
        points=2,
        hints=(
            "bridge(flow, centers[0], centers[4]) gives points on the way.",
            "Draw the latents of each mode: whose regions does the straight line pass?",
        ),
        rubric=(
            "the path, its lowest log-density and its modes are shown: 1 point",
            "explains the route from where the modes lie in latent space: 1 point",
        ),
    ),
    Exercise(
        id="ex-chi",
        name="chi",
        title="Mode and typical set",
        level=Level.WARM_UP,
        minutes=10,
        points=2,
        answers=("peak",),
        stub="""\
def peak(dim):
    ...  # the distance at which the density of r = |Z| is highest""",
        hints=(
            "A thin shell of radius r has a volume proportional to r^(D - 1) dr.",
            "Take the logarithm of r^(D - 1) exp(-r^2 / 2), and set its derivative to 0.",
        ),
        ports={"peak": "lambda dim: peak(int(dim))"},
        checks=(top_of_the_shell,),
        rubric=("says where the density of r comes from",),
    ),
    Exercise(
        id="ex-ruler",
        name="ruler",
        title="A density depends on the ruler",
        level=Level.CORE,
        minutes=15,
        points=3,
        answers=("log_prob_y",),
        stub="""\
def log_prob_y(y):
    ...  # log p(y) for Y = exp(X), at y > 0""",
        hints=(
            "x = log y. What is the slope of that map?",
            "log p(y) = log p(x) - x, with x = log y.",
        ),
        ports={"log_prob": "lambda y: log_prob_y(y)"},
        checks=(
            integrates_to_one(extent=(0, 60), n=60_000),
            given(samples_match_density(extent=(0, 60), grid=20_000), sample=exponential),
        ),
        rubric=("compares the two points on both scales, and draws the conclusion",),
    ),
    Exercise(
        id="ex-step",
        name="step",
        title="Too large a step",
        level=Level.CORE,
        minutes=15,
        points=3,
        answers=("step_log_det",),
        stub="""\
def step_log_det(h, dim):
    ...  # the exact log|det| of x -> x + h v(x) for v(x) = -x""",
        hints=(
            "The step multiplies each coordinate by 1 - h.",
            "A determinant of D equal factors is a power; beyond h = 1 the factor is negative.",
        ),
        ports={"step_log_det": "lambda h, dim: step_log_det(h, int(dim))"},
        checks=(
            log_det_of_a_step,
            hand_computed("step_log_det", (0.0, 4), 0.0, 1e-9, what="the log-det of no step"),
        ),
        rubric=("says for which h a step is invertible, and gives the exact flow's log-det",),
    ),
    Exercise(
        id="ex-sde",
        name="sde",
        title="Shake the particles",
        level=Level.HARDER,
        minutes=30,
        points=4,
        answers=("ring_score",),
        stub="""\
def ring_score(x, t):
    ...  # the gradient of log p(x, t), shape (n, 2)""",
        hints=(
            "The weights w_k are those of `velocity`: softmax over k of -|x - t c_k|^2 / 2 s^2.",
            "Each mode pulls by -(x - t c_k) / s^2; the score is the mean pull under the weights.",
        ),
        ports={"score": "lambda x, t: ring_score(x, t)"},
        needs=RING,
        checks=(gradient_of_log_density,),
        rubric=("compares strays, diversity and fates with those of the flow",),
    ),
    Exercise(
        id="ex-fault",
        name="fault",
        title="A fault that is usual",
        level=Level.RESEARCH,
        minutes=45,
        points=5,
        hints=(
            "What leaves the sum of squares outside the plane of the two waves as it is?",
            "Take energy from the noise, and give it to a wave of three periods.",
            "A direct question compares with an alternative: how large is that wave?",
        ),
        rubric=(
            "the fault's mean log-likelihood is usual, by measurement: 2 points",
            "typicality misses it, and a direct question finds it: 2 points",
            "says why a flat line with noise is a healthy window: 1 point",
        ),
    ),
    Exercise(
        id="ex-narrow",
        name="narrow",
        title="Narrow modes",
        level=Level.HARDER,
        minutes=20,
        points=3,
        hints=(
            "Compare the errors of both widths at the same number of layers.",
            "The pull towards a centre at t = 1 is (1 - sigma) / sigma.",
        ),
        rubric=(
            "the errors of both widths are measured at equal layers: 1 point",
            "turns their ratio into a ratio of layers: 1 point",
            "says where the field gets steeper, and by how much: 1 point",
        ),
    ),
)
