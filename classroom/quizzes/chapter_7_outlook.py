"""Questions of chapter 7."""

import math

import torch

from classroom.question import Choice, Number, Option, Slip
from flows import Linear, standard_normal_log_prob

STEP, RATE, DIM = 0.1, 2.0, 2
SHRINK, SPACE = -1.0, 3  # the field v(x) = SHRINK x in so many dimensions, for time 1
MANY = 1000


def step_log_det() -> float:
    """The log-det of one step x + h v(x) with v(x) = RATE x."""
    layer = Linear(torch.eye(DIM) * (1 + STEP * RATE)).double()
    return layer.decode(torch.zeros(1, DIM, dtype=torch.float64))[1].item()


def change_of_log_p(steps: int = 4000) -> float:
    """By how much log p rises along a path of the shrinking field, in many small layers."""
    layer = Linear(torch.eye(SPACE, dtype=torch.float64) * (1 + SHRINK / steps)).double()
    return -steps * layer.decode(torch.zeros(1, SPACE, dtype=torch.float64))[1].item()


def strange_though_denser(scale: float) -> float:
    """Whether scale * (1, ..., 1) has an unusual log p, and one that is higher than usual."""
    bell = torch.randn(2000, MANY, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    usual = standard_normal_log_prob(bell).sum(dim=1)
    point = standard_normal_log_prob(torch.full((MANY,), scale, dtype=torch.float64)).sum()
    return float(point > usual.max())


QUESTIONS = (
    Number(
        "step",
        f"One layer of a continuous flow in the plane is x + h v(x), with h = {STEP:g} and v(x) = "
        f"{RATE:g} x. What is its log-det, to three digits after the point?",
        step_log_det(),
        f"the layer stretches both ways by {1 + STEP * RATE:g}.",
        (
            Slip(
                STEP * RATE * DIM,
                "that is h tr J, which is right for steps that are infinitely small. This one "
                "has a size.",
            ),
            Slip(step_log_det() / DIM, "that is one coordinate. There are two."),
            Slip((1 + STEP * RATE) ** DIM, "that is the determinant; its logarithm is asked for."),
        ),
        hint="By which factor does this layer stretch each coordinate?",
        digits=3,
        within=0.0011,
    ),
    Number(
        "divergence",
        f"A continuous flow follows v(x) = −x in {SPACE} dimensions, from time 0 to 1. By how "
        "many nats does the log-density change along a path?",
        change_of_log_p(),
        f"d log p / dt = −div v, and the divergence is −{SPACE}. Points come together, so the "
        "density rises.",
        (
            Slip(
                -change_of_log_p(),
                "the sign is turned round: where points come together, the density rises.",
            ),
            Slip(
                change_of_log_p() / SPACE, "that is one coordinate. The divergence sums over all."
            ),
            Slip(
                0.0,
                "so it would be if the divergence were 0. Here the points come together.",
            ),
        ),
        hint="What is the divergence of v, and with which sign does it come in?",
    ),
    Number(
        "shell",
        f"Draw z from the bell in {MANY} dimensions. About how far from the origin does it lie, "
        "to a whole number?",
        math.sqrt(MANY),
        f"|z|² is a sum of {MANY} squares, each 1 on average. Nearly all samples lie close to "
        "this distance.",
        (
            Slip(
                0.0,
                "there the density is highest, but there is next to no room. Samples lie on a "
                "thin shell far from it.",
            ),
            Slip(1.0, f"that is one coordinate. There are {MANY}."),
            Slip(float(MANY), "that is the mean of |z|². Take its root."),
        ),
        hint="What is the mean of |z|²?",
        digits=1,
        within=0.45,
    ),
    Choice(
        "strange",
        f"An alarm in {MANY} dimensions goes off where the density of the bell is low. Which of "
        "these strange points does it miss because its density is higher than that of any usual "
        "point?",
        (
            Option(
                "(2, 2, ..., 2)",
                strange_though_denser(2.0),
                "it lies far outside the shell, and its density is low: the alarm goes off.",
            ),
            Option(
                "(0, 0, ..., 0)",
                strange_though_denser(0.0),
                "no sample ever lies there, and yet nowhere is the density higher.",
            ),
            Option(
                "(1, 1, ..., 1)",
                strange_though_denser(1.0),
                "the alarm does miss it, but its density is the usual one: it lies on the shell.",
            ),
        ),
        wanted=1.0,
    ),
)
