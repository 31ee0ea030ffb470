"""Questions of chapter 1."""

import math

import torch

from classroom.question import Choice, Number, Option, Slip, shown
from flows import Affine, Tanh, log_abs, standard_normal_log_prob
from gen_models_utilities import integrate_density

STEEP = 2.0  # slope of the first question
SLOPE, SHIFT, AT = 3.0, 1.0, 4.0
FLAT = 0.5
FAR = 12.0
STD = 4.0  # of the data in the tug of war


def higher(sign: float) -> float:
    """How many times as high the heap is at x as the bell at z, if the log-det has a sign."""
    _, log_abs_det = Affine(STEEP, 0.0).decode(torch.ones(1, dtype=torch.float64))
    return (sign * log_abs_det).exp().item()


def log_p(sign: float = 1.0) -> float:
    """log p(x) of the affine map, with encode's log-det times a sign."""
    z, log_abs_det = Affine(SLOPE, SHIFT).encode(torch.tensor([AT], dtype=torch.float64))
    return (standard_normal_log_prob(z) + sign * log_abs_det).item()


def integral(sign: float) -> float:
    """Over x, of what comes out for x = FLAT z if encode's log-det has this sign (0: left out)."""

    def log_density(x):
        z, log_abs_det = Affine(FLAT, 0.0).encode(x)
        return standard_normal_log_prob(z) + sign * log_abs_det

    return integrate_density(log_density, (-6, 6), n=20_000, dtype=torch.float64)


RETURNS, INFINITE, REFUSES = range(3)


def far_out() -> int:
    """What becomes of a point far out that goes through a tanh and back, in float32."""
    x, _ = Tanh().decode(torch.tensor([FAR], dtype=torch.float32))
    try:
        z, _ = Tanh().encode(x)
    except ValueError:
        return REFUSES
    return INFINITE if z.isinf().item() else RETURNS


def best_factor() -> float:
    """The factor a of encode z = a x that makes the mean log-density of the data highest."""
    a = torch.linspace(1e-3, 2, 200_001, dtype=torch.float64)
    mean = -0.5 * (a * STD) ** 2 + log_abs(a)  # less what does not depend on a
    return a[mean.argmax()].item()


QUESTIONS = (
    Choice(
        "slope",
        f"A curve carries z to x, and its slope there is {STEEP:g}. How high is the density at x, "
        "if the bell has the height `p(z)` at z?",
        (
            Option(
                f"`{STEEP:g} p(z)`",
                higher(+1),
                "decode's log-det was added where it is subtracted. A steep curve spreads the "
                "sand over more room, and more room means a lower heap.",
            ),
            Option(
                "`p(z)`",
                1.0,
                "the log-det was left out: each slice keeps its weight, but not its width.",
            ),
            Option(
                f"`p(z) / {STEEP:g}`",
                higher(-1),
                "the slice has the same weight and is wider by the slope, so it is lower by it.",
            ),
        ),
        wanted=torch.distributions.Normal(0.0, STEEP).log_prob(torch.tensor(STEEP)).exp().item()
        / torch.distributions.Normal(0.0, 1.0).log_prob(torch.tensor(1.0)).exp().item(),
    ),
    Number(
        "log-density",
        f"Let x = {SLOPE:g} z + {SHIFT:g}, with z from the bell. What is log p(x) at x = {AT:g}, "
        "in nats, to two digits after the point?",
        log_p(),
        f"z = 1, and the log-density of the bell there is {shown(log_p(0))}; encode's log-det, "
        f"−log {SLOPE:g}, goes on top.",
        (
            Slip(log_p(0), "that is log p(z). You left the log-det out."),
            Slip(log_p(-1), "the log-det has the wrong sign: you added decode's."),
            Slip(
                log_p() / math.log(2),
                "the size is right, the unit is not: these are bits, base 2 instead of e.",
            ),
            Slip(
                log_p() + 0.5 * math.log(2 * math.pi),
                "½ log 2π, which makes the bell's own area 1, is missing.",
            ),
            Slip(math.exp(log_p()), "that is p(x) itself; asked for is its logarithm."),
        ),
        hint="Encode x first; then log p(z), plus the log-det of encode.",
    ),
    Number(
        "integral",
        f"Somebody takes x = {FLAT:g} z and leaves the log-det out. What does this 'density' "
        "integrate to?",
        integral(0),
        "it is the mean slope. A map that compresses loses mass in this account.",
        (
            Slip(
                integral(1),
                "so does the right density. Without the log-det the heap is as high as the bell, "
                "over half the room.",
            ),
            Slip(
                1 / integral(0),
                "turned round: x has less room than z had, so the area under the same heights is "
                "smaller.",
            ),
            Slip(
                integral(-1),
                "that comes out if the log-det has the wrong sign: then the factor enters twice.",
            ),
        ),
        hint="Substitute x = f(z) in the integral of p(z) over x.",
    ),
    Choice(
        "wall",
        f"In float32, decode z = {FAR:g} with the chapter's tanh, and encode the x that comes "
        "out. What do you get?",
        (
            Option(
                f"{FAR:g}, up to rounding",
                RETURNS,
                "on paper, yes. But tanh is so near to 1 there that x is stored as exactly 1, "
                "and z cannot be seen in it any more.",
            ),
            Option(
                "infinity",
                INFINITE,
                "artanh(1) would be infinite; the chapter's class does not hand that on.",
            ),
            Option(
                "an error, which says that x = 1 is outside the range",
                REFUSES,
                "x was rounded to 1. Whoever made x had z in hand, and had better keep it.",
            ),
        ),
        wanted=far_out(),
    ),
    Number(
        "factor",
        f"Data have mean 0 and standard deviation {STD:g}. Encode is z = a x. Which positive a "
        "makes the mean log-density highest?",
        best_factor(),
        "there the pull of the bell and that of the log-det are equal, and the latents have "
        "standard deviation 1.",
        (
            Slip(STD, "that is decode's factor: x = z / a."),
            Slip(
                0.0,
                "so it would be without the log-det: all data collapse to z = 0. The log-det "
                "pays for room.",
            ),
            Slip(
                1 / STD**2,
                "one over the variance. The derivative of ½ a² s² is a s², which equals 1/a "
                "where a = 1/s.",
            ),
        ),
        hint="Set the derivative of log a − ½ a² s² to 0.",
    ),
)
