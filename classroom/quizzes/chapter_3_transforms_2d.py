"""Questions of chapter 3."""

import math

import torch

from classroom.question import Choice, Number, Option, Slip
from flows import Coupling, Identity, Linear, rotation, scaling, shear, standard_normal_log_prob

DEGREES, LONG, SHORT = 30.0, 3.0, 0.5
POINT = torch.tensor([[0.8, -0.6]], dtype=torch.float64)


def linear(matrix) -> Linear:
    """A linear map in double precision."""
    return Linear(matrix).double()


def log_det(transform, z=POINT) -> float:
    """The log-det of decode at a point."""
    return transform.decode(z)[1].item()


TURNED = linear(rotation(DEGREES) @ scaling(LONG, SHORT))
STRETCH = linear(scaling(LONG, SHORT))
TARGET = torch.tensor([[LONG, SHORT]], dtype=torch.float64)
LATENT, ENCODED = (part for part in STRETCH.encode(TARGET))
BASE = standard_normal_log_prob(LATENT).sum().item()
LOG_P = BASE + ENCODED.item()


def scale_and_shift(kept, context):
    """s and t of the coupling that is asked about."""
    return torch.tanh(kept), torch.sin(kept)


def derivative_of_x2() -> float:
    """What the change of x2 with z1 adds to the diagonal, if it is counted by mistake."""
    z = POINT.clone().requires_grad_()
    x, _ = Coupling(scale_and_shift).decode(z)
    return torch.autograd.grad(x[0, 1], z)[0][0, 0].item()


S, SHIFT = (part.item() for part in scale_and_shift(POINT[:, :1], None))


def moves_the_density(matrix) -> float:
    """Whether a map that keeps all areas changes the density of the bell: 1 or 0."""
    x = torch.cartesian_prod(*[torch.linspace(-2, 2, 9, dtype=torch.float64)] * 2)
    transform = Identity() if matrix is None else linear(matrix)
    z, log_abs_det = transform.encode(x)
    assert log_abs_det.abs().max() < 1e-6
    before, after = (standard_normal_log_prob(at).sum(dim=-1) for at in (x, z))
    return float((before - after).abs().max() > 1e-4)


QUESTIONS = (
    Number(
        "turned",
        f"A map stretches the plane by {LONG:g} one way and by {SHORT:g} the other, and then "
        f"turns it by {DEGREES:g} degrees. What is the log-det of decode?",
        log_det(TURNED),
        f"areas grow by {LONG:g} times {SHORT:g}, and a turn leaves them as they are.",
        (
            Slip(
                math.log(LONG + SHORT),
                f"you added the factors. Areas multiply, so logarithms add: log {LONG:g} + log "
                f"{SHORT:g}.",
            ),
            Slip(-log_det(TURNED), "the size is right; this sign is that of encode."),
            Slip(
                log_det(TURNED) + math.log(math.cos(math.radians(DEGREES))),
                "the turn counts for nothing: its determinant is cos² + sin² = 1, not its cosine.",
            ),
            Slip(math.exp(log_det(TURNED)), "that is the determinant; asked for is its logarithm."),
        ),
        hint="By how much does the area of a small square grow?",
    ),
    Number(
        "log-density",
        f"Let x = ({LONG:g} z1, {SHORT:g} z2), with z from the bell of the plane. What is log "
        f"p(x) at x = ({LONG:g}, {SHORT:g})?",
        LOG_P,
        "z = (1, 1), where the bell has the log-density −log 2π − 1; encode's log-det is −log "
        f"{LONG * SHORT:g}.",
        (
            Slip(BASE, "that is log p(z). You left the log-det out."),
            Slip(BASE - ENCODED.item(), "the log-det has the wrong sign: you added decode's."),
            Slip(
                LOG_P + 0.5 * math.log(2 * math.pi),
                "½ log 2π counts once for each coordinate, and there are two.",
            ),
            Slip(LOG_P / math.log(2), "these are bits, base 2 instead of e."),
        ),
        hint="Encode x first; then sum log p over both coordinates of z, and add encode's log-det.",
    ),
    Choice(
        "coupling",
        "A coupling keeps z1, so x1 = z1, and takes x2 = z2 exp(s(z1)) + t(z1). What is the "
        "log-det of decode?",
        (
            Option(
                "`s(z1) + t(z1)`",
                S + SHIFT,
                "a shift moves points and stretches nothing: t does not come in.",
            ),
            Option(
                "`s(z1)`",
                S,
                "the Jacobian is triangular, so only its diagonal counts: 1 and exp(s).",
            ),
            Option(
                "`exp(s(z1))`", math.exp(S), "that is the determinant. Its logarithm is asked for."
            ),
            Option(
                "`s(z1)`, and a term with the derivatives of s and t",
                S + derivative_of_x2(),
                "they stand in the Jacobian, below the diagonal. A triangular determinant does "
                "not see them.",
            ),
        ),
        wanted=log_det(Coupling(scale_and_shift)),
    ),
    Choice(
        "volume",
        "These maps have log-det 0 everywhere. Three of them leave the density of the bell as it "
        "is. Which one changes it?",
        (
            Option(
                f"a turn by {DEGREES:g} degrees",
                moves_the_density(rotation(DEGREES)),
                "each point keeps its distance from the middle, and the bell knows nothing else.",
            ),
            Option(
                "a mirror, (z1, −z2)",
                moves_the_density(scaling(1.0, -1.0)),
                "the bell is its own mirror image.",
            ),
            Option(
                "a shear by 0.8",
                moves_the_density(shear(0.8)),
                "areas stay, but points come from places where the bell is higher or lower.",
            ),
            Option("the identity", moves_the_density(None), "nothing moves, so nothing changes."),
        ),
        wanted=1.0,
    ),
)
