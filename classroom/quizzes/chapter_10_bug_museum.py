"""Questions of chapter 10."""

import math

import torch

from classroom.question import Choice, Number, Option, Slip
from flows import standard_normal_log_prob

STRETCH, NATS, PIXELS = 2.0, 6.0, 3
WORKERS, EACH = 4, 250


def area(log_prob) -> float:
    """The integral of exp(log p) over the line."""
    x = torch.linspace(-40, 40, 8001, dtype=torch.float64)
    return torch.trapezoid(log_prob(x).exp(), x).item()


def claimed(x):
    """The log-density of a stretched bell, with the log-det's wrong sign."""
    return standard_normal_log_prob(x / STRETCH) + math.log(STRETCH)


def without_constant(x):
    """A standard normal that has lost its constant."""
    return -(x**2) / 2


def is_seen_by(law) -> float:
    """Whether a law's number changes when the constant is lost: 1 or 0."""
    return float(abs(law(standard_normal_log_prob) - law(without_constant)) > 1e-6)


def slope_at_one(log_prob) -> float:
    """The derivative of log p at 1."""
    x = torch.ones((), dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(log_prob(x), x)[0].item()


def difference(log_prob) -> float:
    """By how much log p at 0 lies above that at 2."""
    zero, two = torch.tensor([0.0, 2.0], dtype=torch.float64)
    return (log_prob(zero) - log_prob(two)).item()


def different_points() -> float:
    """How many points of all workers differ, if each seeds its own generator with the same seed."""
    draws = [torch.rand(EACH, generator=torch.Generator().manual_seed(7)) for _ in range(WORKERS)]
    return float(len({value for draw in draws for value in draw.tolist()}))


BITS = NATS / PIXELS / math.log(2)

QUESTIONS = (
    Number(
        "sign",
        f"A bell is stretched by {STRETCH:g}. A program adds the log-det where it should take it "
        "away. What is the area under the density that it claims?",
        area(claimed),
        "each place is too high by the factor of the stretch, twice: once it was not lowered, and "
        "once it was raised.",
        (
            Slip(1.0, "that is the area under a density. This one has the wrong sign in it."),
            Slip(STRETCH, "the factor counts twice: not taken away, and added."),
            Slip(STRETCH**-2, "the other way round: here the claimed density is too high."),
        ),
        hint="By which factor is it too high at each place?",
    ),
    Choice(
        "constant",
        "The log-density of the bell has lost its constant, −½ log 2π. Which of these sees it?",
        (
            Option(
                "The area under the density.",
                is_seen_by(area),
                "it is the root of 2π, and not 1.",
            ),
            Option(
                "The gradient of the log-density.",
                is_seen_by(slope_at_one),
                "a constant has no derivative, so the training does not see it either.",
            ),
            Option(
                "Which of two points is likelier, and by how much.",
                is_seen_by(difference),
                "both points lost the same.",
            ),
        ),
        wanted=1.0,
    ),
    Number(
        "bits",
        f"An image of {PIXELS} grey values costs {NATS:g} nats. How many bits is that for each "
        "value?",
        BITS,
        "divide by the number of values, and by log 2, for a bit is log 2 nats.",
        (
            Slip(NATS / PIXELS, "those are nats for each value. A bit is log 2 nats."),
            Slip(NATS / math.log(2), "those are the bits of the whole image."),
            Slip(NATS / PIXELS * math.log(2), "a bit is less than a nat: divide by log 2."),
        ),
        hint="A bit is how many nats?",
    ),
    Number(
        "dice",
        f"{WORKERS} workers draw {EACH} points each, all with the same seed. How many different "
        "points are there?",
        different_points(),
        "all draw the same ones.",
        (
            Slip(float(WORKERS * EACH), "so it would be if each had a seed of its own."),
            Slip(EACH / WORKERS, "each draws all of them, not a share."),
        ),
        hint="What does a seed decide?",
    ),
)
