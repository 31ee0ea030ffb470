"""Questions of chapter 2."""

import math

import torch

from classroom.question import Choice, Number, Option, Slip
from flows import (
    Affine,
    Compose,
    LeakyReLU,
    ShiftedSoftplus,
    Sigmoid,
    Tanh,
    standard_normal_log_prob,
)

SCALE, AT = 2.0, 0.5
SLOPE = 0.25
GRID = torch.linspace(-9, 9, 180_000, dtype=torch.float64)  # (an even number: none is at a kink)


def log_det(transform, z: float) -> float:
    """The log-det of decode at one point."""
    return transform.decode(torch.tensor([z], dtype=torch.float64))[1].item()


def mean_over_the_bell(values) -> float:
    """The mean of values on the grid, weighted by the bell."""
    return torch.trapezoid(standard_normal_log_prob(GRID).exp() * values, GRID).item()


def peaks(transform) -> int:
    """How many peaks the density has that a transform makes of the bell."""
    x, log_abs_det = transform.decode(GRID[::100].clamp(-4, 4).unique())
    z, _ = transform.encode(x)
    log_p = standard_normal_log_prob(z) - log_abs_det
    return int(((log_p[1:-1] > log_p[:-2]) & (log_p[1:-1] > log_p[2:])).sum())


def share_with_a_latent(stack, low: float, high: float) -> float:
    """The share of points in an interval that a stack can encode."""
    places = torch.linspace(low, high, 201, dtype=torch.float64)[1:-1]
    found = 0
    for x in places:
        try:
            found += stack.encode(x[None])[0].isfinite().item()
        except ValueError:
            pass
    return found / len(places)


STACK = [Affine(SCALE, 0.0), Tanh()]
LEAKY = LeakyReLU(SLOPE).decode(GRID)[1]
CHANGE = mean_over_the_bell(LEAKY)

QUESTIONS = (
    Number(
        "stack",
        f"A stack stretches first, y = {SCALE:g} z, and then takes x = tanh(y). What is its "
        f"log-det of decode at z = {AT:g}?",
        log_det(Compose(STACK), AT),
        f"log {SCALE:g} from the stretch, and the tanh's log-slope at y = {SCALE * AT:g}, where "
        "the point arrives.",
        (
            Slip(
                log_det(STACK[0], AT) + log_det(STACK[1], AT),
                f"you took the tanh's slope at z = {AT:g}. The point does not arrive there: each "
                "log-det is taken where the step before has put it.",
            ),
            Slip(
                log_det(STACK[1], SCALE * AT),
                "that is the tanh's share alone. The stretch counts, too: log-dets add up.",
            ),
            Slip(-log_det(Compose(STACK), AT), "the size is right; this sign is that of encode."),
            Slip(
                math.exp(log_det(Compose(STACK), AT)),
                "that is the slope; asked for is its logarithm.",
            ),
        ),
        hint="Follow the point: where does it stand when the tanh meets it?",
    ),
    Number(
        "entropy",
        f"A leaky ReLU has slope 1 on the right of 0 and {SLOPE:g} on the left. How many nats does "
        "it add to the entropy of the bell?",
        CHANGE,
        f"half of the points meet the log-slope log {SLOPE:g}, the other half meets 0.",
        (
            Slip(
                math.log(SLOPE), "so it would be if all points were squeezed. Half of them are not."
            ),
            Slip(-CHANGE, "turned round: what is squeezed fills less room, so the entropy falls."),
            Slip(
                math.log(mean_over_the_bell(LEAKY.exp())),
                "that is the logarithm of the mean slope. The change is the mean of the "
                "logarithms.",
            ),
            Slip(CHANGE / math.log(2), "these are bits, base 2 instead of e."),
        ),
        hint="It is the mean of the log-slope, over points of the bell.",
    ),
    Choice(
        "horns",
        "Three of these maps leave the bell one peak. Which one makes two?",
        (
            Option(
                "`sigmoid(z)`",
                peaks(Sigmoid()),
                "it is flat at its ends as the tanh is, but its slope falls more slowly than the "
                "bell does.",
            ),
            Option(
                "`tanh(0.6 z)`",
                peaks(Tanh(0.0, 0.6)),
                "the bell has fallen before the curve gets flat: horns need a scale² above ½.",
            ),
            Option(
                "`2.5 z + 1`",
                peaks(Affine(2.5, 1.0)),
                "a constant slope divides all heights alike: a bell stays a bell.",
            ),
            Option(
                "`tanh(z)`",
                peaks(Tanh()),
                "its slope falls faster than the bell, so dividing by it wins, for a while.",
            ),
        ),
        wanted=2,
    ),
    Choice(
        "stacks",
        "Each of these stacks ends with a sigmoid, so that x may lie anywhere in (0, 1), one "
        "would think. In which one does every such x have a latent?",
        (
            Option(
                "tanh, then sigmoid",
                share_with_a_latent(Compose([Tanh(), Sigmoid()]), 0, 1),
                "the tanh gives the sigmoid only the interval (−1, 1) to start from; x near 0 "
                "and near 1 come from nowhere.",
            ),
            Option(
                "leaky ReLU, then sigmoid",
                share_with_a_latent(Compose([LeakyReLU(), Sigmoid()]), 0, 1),
                "a leaky ReLU reaches the whole line, from which the sigmoid starts.",
            ),
            Option(
                "shifted softplus, then sigmoid",
                share_with_a_latent(Compose([ShiftedSoftplus(), Sigmoid()]), 0, 1),
                "the softplus stops at −log 2, so the sigmoid never comes near 0.",
            ),
        ),
        wanted=1.0,
    ),
)
