"""Questions of chapter 4."""

import math

import torch

from classroom.question import Choice, Number, Option, Slip, shown
from flows import Affine, AffineCoupling, Compose, RealNVP, standard_normal_log_prob

LOG_DETS = (0.5, -0.2, 0.1)  # of decode, layer by layer
AT = 1.5
DEPTH = 16
DIM = 4


def three_layers(sign: float) -> float:
    """log p(x) of three layers with these log-dets, encode's times a sign."""
    stack = Compose([Affine(math.exp(value), 0.0) for value in LOG_DETS])
    x, _ = stack.decode(torch.tensor([AT], dtype=torch.float64))
    z, log_abs_det = stack.encode(x)
    return (standard_normal_log_prob(z) + sign * log_abs_det).item()


BASE = three_layers(0)


def wild(kept, context):
    """A conditioner that nobody could invert."""
    return torch.sin(9 * kept), kept**2


def round_trip() -> float:
    """How far from its start a point is after both ways through a coupling with it."""
    layer, x = AffineCoupling(2, conditioner=wild), torch.tensor([[0.7, -1.3]], dtype=torch.float64)
    return (layer.decode(layer.encode(x)[0])[0] - x).abs().max().item()


def seen(n_layers: int, dim: int = DIM) -> bool:
    """Whether after some alternating couplings each number depends on each number at the start."""

    def mix(kept, context):
        mean = kept.mean(dim=1, keepdim=True).expand(-1, dim // 2)
        return 0.3 * torch.sin(mean), mean

    layers = [AffineCoupling(dim, flip=k % 2 == 1, conditioner=mix) for k in range(n_layers)]
    at = torch.linspace(0.2, 0.9, dim, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: Compose(layers[::-1]).encode(x[None])[0][0], at
    )
    return bool((jacobian != 0).all())


def largest_log_det() -> float:
    """encode's log-det of a flow whose networks all ask for as much stretching as they can."""
    flow = RealNVP(dim=2, n_layers=DEPTH).double()
    for layer in flow.layers:
        layer.conditioner.net[-1].bias.data[: layer.dim // 2] = 50.0
    return flow.encode(torch.zeros(1, 2, dtype=torch.float64))[1].item()


ENOUGH = next(n for n in range(1, 9) if seen(n))

QUESTIONS = (
    Number(
        "sum",
        f"The bell has log p(z) = {shown(BASE)} at the latent of x. On the way from z to x, the "
        f"three layers of a flow have the log-dets {', '.join(shown(v, 1) for v in LOG_DETS)}. "
        "What is log p(x)?",
        three_layers(1),
        "decode's log-dets add up, and they are subtracted: where decode stretches, the density "
        "falls.",
        (
            Slip(three_layers(-1), "you added the log-dets of decode. Added are those of encode."),
            Slip(BASE, "you left the log-dets out."),
            Slip(
                BASE - sum(map(abs, LOG_DETS)),
                "you made all of them positive. The absolute value stands inside the logarithm; "
                "a log-det may be negative.",
            ),
        ),
        hint="Sum the three log-dets. Does the density rise or fall where decode stretches?",
    ),
    Choice(
        "inverse",
        "The network of a coupling computes s(a) = sin(9 a), which nobody can invert. Can the "
        "coupling be inverted?",
        (
            Option(
                "no: each layer of a flow must be invertible, so its network must be, too",
                1.0,
                "the layer must be, the network need not: it is only ever run forwards.",
            ),
            Option(
                "yes, by a solver that searches for a",
                2.0,
                "nothing is searched for. The kept half is there, unchanged.",
            ),
            Option(
                "yes, exactly: the kept half a is unchanged, so s and t are computed again",
                round_trip(),
                "subtract and divide instead of multiply and add, and that is all.",
            ),
        ),
        wanted=0.0,
    ),
    Number(
        "alternate",
        f"Couplings alternate between the two halves of {DIM} numbers. After how many of them can "
        "each number depend on each number at the start?",
        float(ENOUGH),
        "the first mixes one half into the other, the second mixes all of it back, and the third "
        "lets the numbers of the other half hear of each other.",
        (
            Slip(
                ENOUGH - 2.0,
                "after one coupling the kept half is what it was, and knows nothing of the other.",
            ),
            Slip(
                ENOUGH - 1.0,
                "then the half that was kept first knows everything. But each number of the "
                "other half knows of its own half only itself: it was scaled and shifted, and "
                "nothing more.",
            ),
            Slip(ENOUGH + 1.0, "a fourth bends more, but all is mixed before."),
        ),
        hint="In one coupling, of which numbers does a changed one hear?",
        digits=0,
    ),
    Number(
        "bound",
        "The chapter keeps s between −1 and 1. What is the largest log-det that encode can have "
        f"in a flow of {DEPTH} couplings of the plane?",
        largest_log_det(),
        "each coupling changes one of the two coordinates, by at most a factor e.",
        (
            Slip(1.0, "that is one coupling. Log-dets of layers add up."),
            Slip(2.0 * DEPTH, "only half of the coordinates change in each coupling: here one."),
            Slip(
                math.exp(largest_log_det()),
                "that is the factor by which areas grow; its logarithm is asked for.",
            ),
        ),
        hint="How many coordinates change in a coupling of the plane, and how large can s be?",
    ),
)
