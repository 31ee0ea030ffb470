"""Questions of chapter 9."""

import math

import torch

from classroom.question import Choice, Number, Option, Slip, shown
from flows import planar, radial

W, U = (1.0, 0.0), (-0.5, 2.0)
ALPHA, BETA, DIM = 1.0, 1.0, 3
PAIRS = (((2.0, 0.0), (-0.6, 3.0)), ((0.5, 0.0), (-3.0, 0.0)), ((1.0, 1.0), (-0.5, -0.4)))
FOLD = -1.5


def vector(*values):
    """Numbers in double precision."""
    return torch.tensor(values, dtype=torch.float64)


def pair(w) -> str:
    """Two numbers as they are shown."""
    return f"({', '.join(shown(v, 1).removesuffix('.0') for v in w)})"


def dot(w, u) -> float:
    """w.u of two vectors."""
    return sum(a * b for a, b in zip(w, u, strict=True))


def planar_log_det(w, u) -> float:
    """The log-det of a planar map on its plane, where the tanh is steepest."""
    return planar(vector(0.0, 0.0)[None], vector(*w), vector(*u), 0.0)[1].item()


def is_one_to_one(w, u) -> float:
    """Whether a planar map only rises along w: 1 or 0."""
    along = torch.linspace(-6, 6, 2401, dtype=torch.float64)[:, None] * vector(*w)
    x, _ = planar(along, vector(*w), vector(*u), 0.0)
    return float(((x @ vector(*w)).diff() > 0).all())


def latents_of_the_middle() -> float:
    """How many s a planar map with w.u = FOLD sends to 0."""
    s = torch.linspace(-6, 6, 100_000, dtype=torch.float64)  # (an even number: none is 0)
    image = planar(s[:, None], vector(1.0), vector(FOLD), 0.0)[0][:, 0]
    return float((image[1:] * image[:-1] < 0).sum())


AT_CENTRE = radial(torch.zeros(1, DIM, dtype=torch.float64), vector(0.0, 0.0, 0.0), ALPHA, BETA)[
    1
].item()
ON_PLANE = planar_log_det(W, U)
LENGTHS = math.hypot(*W) * math.hypot(*U)

QUESTIONS = (
    Number(
        "planar",
        f"A planar map x = z + u tanh(w·z) has w = {pair(W)} and u = {pair(U)}. What is its "
        "log-det of decode at z = 0?",
        ON_PLANE,
        "the determinant is 1 + w·u where the tanh has slope 1.",
        (
            Slip(
                math.log(1 + LENGTHS),
                "you took the lengths of w and u. Only the part of u along w counts; what lies "
                "across shears, and keeps areas.",
            ),
            Slip(1 + dot(W, U), "that is the determinant; its logarithm is asked for."),
            Slip(-ON_PLANE, "the size is right; this sign is that of encode."),
            Slip(
                math.log(1 - U[0] + U[1]),
                "that is not w·u, which is a sum of products with their signs.",
            ),
        ),
        hint="1 + w·u, times the slope of the tanh: what is w·u?",
    ),
    Choice(
        "invertible",
        "Which of these planar maps can be inverted?",
        tuple(
            Option(
                f"w = {pair(w)}, u = {pair(u)}",
                is_one_to_one(w, u),
                f"{why}: w·u = {shown(dot(w, u), 1)}.",
            )
            for (w, u), why in zip(
                PAIRS,
                (
                    "the plane folds, however far u points across: only the part along w counts",
                    "a short w, but a long u, and the plane folds",
                    "the product lies above −1, if only just",
                ),
                strict=True,
            )
        ),
        wanted=1.0,
    ),
    Number(
        "radial",
        f"A radial map pushes out with α = {ALPHA:g} and β = {BETA:g}, in {DIM} dimensions. What "
        "is its log-det of decode at the centre?",
        AT_CENTRE,
        f"at the centre all {DIM} directions are stretched by 1 + β/α.",
        (
            Slip(AT_CENTRE / DIM, f"that is one direction. There are {DIM}, and logarithms add."),
            Slip(
                AT_CENTRE * (DIM - 1) / DIM,
                "you forgot the stretch along r. At the centre it is as large as across.",
            ),
            Slip(-AT_CENTRE, "pushing out makes room: decode's log-det is positive."),
            Slip(math.exp(AT_CENTRE), "that is the determinant; its logarithm is asked for."),
        ),
        hint="Stretch across r, 1 + β/(α + r), counts D − 1 times; along r it counts once.",
    ),
    Number(
        "folded",
        f"Beyond the limit, with w·u = {shown(FOLD, 1)}, a planar map sends s to s + w·u tanh s. "
        "How many s land on 0?",
        latents_of_the_middle(),
        "0 itself, and one on either side: the plane lies there in three layers.",
        (
            Slip(1.0, "so it would be if the curve only rose. Its slope at 0 is negative."),
            Slip(2.0, "0 itself lands there, too, and the two others come in a pair."),
            Slip(0.0, "at least s = 0 lands there: tanh 0 = 0."),
        ),
        hint=f"Draw s − {-FOLD:g} tanh s: how does it run near 0, and how far out?",
        digits=0,
    ),
)
