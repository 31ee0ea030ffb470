"""Questions of chapter 6."""

import math

import torch
from torch.distributions import Normal

from classroom.question import Choice, Number, Option, Slip
from flows import AffineCoupling, standard_normal_log_prob

N_MODES, APART = 8, 20.0  # so far apart that they do not overlap
RARE, AT = 0.2, 0.5  # share of label 1, and the x that is looked at
COARSE, FINE = 0.1, 0.01  # noises of a sensor
DIM, CONTEXT = 2, 3


def normal(mean: float, std: float) -> Normal:
    """A normal distribution in double precision."""
    return Normal(*torch.tensor([mean, std], dtype=torch.float64))


def entropy_of_all() -> float:
    """The entropy of the modes together, if nobody tells the label."""
    x = torch.linspace(-10, APART * N_MODES, 400_001, dtype=torch.float64)
    centers = APART * torch.arange(N_MODES, dtype=torch.float64)
    log_p = standard_normal_log_prob(x[:, None] - centers).logsumexp(dim=1) - math.log(N_MODES)
    return torch.trapezoid(-log_p.exp() * log_p, x).item()


ONE = normal(0.0, 1.0).entropy().item()
SAVED = entropy_of_all() - ONE

X = torch.tensor(AT, dtype=torch.float64)
JOINT = {
    label: share * normal(mean, 1.0).log_prob(X).exp().item()
    for label, share, mean in ((0, 1 - RARE, -1.0), (1, RARE, 1.0))
}


def jacobian_shape() -> tuple[int, int]:
    """Of the Jacobian whose determinant a conditional coupling gives."""
    layer, context = AffineCoupling(DIM, context_dim=CONTEXT), torch.zeros(1, CONTEXT)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: layer.encode(x[None], context)[0][0], torch.ones(DIM)
    )
    return tuple(jacobian.shape)


def as_number(rows: int, columns: int) -> float:
    """A shape as one number."""
    return 100.0 * rows + columns


QUESTIONS = (
    Number(
        "label",
        f"{N_MODES} modes lie far apart, all alike and equally frequent. A flow is now told the "
        "mode of each point. By how many nats does the lowest possible loss fall?",
        SAVED,
        f"the label tells one of {N_MODES} equally likely things, and that is worth log {N_MODES}.",
        (
            Slip(SAVED / math.log(2), "these are bits, base 2 instead of e."),
            Slip(ONE, "that is what is left: the entropy of one mode."),
            Slip(
                0.0,
                "without the label, the flow must spread its density over all the modes, and "
                "that costs.",
            ),
            Slip(
                1 - 1 / N_MODES,
                "that is a probability. What the label is worth is the mean of a logarithm.",
            ),
        ),
        hint="It is H(X) − H(X | Y): how much surprise does the label take away?",
    ),
    Number(
        "bayes",
        f"Points with label 0 come from N(−1, 1), those with label 1 from N(1, 1), and {RARE:.0%} "
        f"of all points have label 1. What is the probability of label 1 at x = {AT:g}?",
        JOINT[1] / (JOINT[0] + JOINT[1]),
        "the density of each label, times its share, divided by the sum of both.",
        (
            Slip(
                1 / (1 + JOINT[0] / JOINT[1] * RARE / (1 - RARE)),
                "you took both labels for equally frequent. Label 1 is rare, so its density "
                "counts less.",
            ),
            Slip(JOINT[1], "that is p(x | 1) times the share. It has to be divided by p(x)."),
            Slip(JOINT[1] / RARE, "that is the density p(x | 1). It is no probability of a label."),
            Slip(JOINT[0] / (JOINT[0] + JOINT[1]), "that is the probability of label 0."),
        ),
        hint="Bayes' rule: density times share, over the sum of that for both labels.",
    ),
    Choice(
        "jacobian",
        f"A conditional flow maps points of {DIM} numbers and sees a context of {CONTEXT}. Of "
        "which shape is the Jacobian whose determinant goes into log p(x | y)?",
        (
            Option(
                f"{DIM} by {DIM}",
                as_number(DIM, DIM),
                "the context is held fast; only x moves, and z with it.",
            ),
            Option(
                f"{DIM} by {DIM + CONTEXT}",
                as_number(DIM, DIM + CONTEXT),
                "that counts derivatives with respect to the context, too. And it is not square, "
                "so it has no determinant.",
            ),
            Option(
                f"{DIM + CONTEXT} by {DIM + CONTEXT}",
                as_number(DIM + CONTEXT, DIM + CONTEXT),
                "so it would be for a joint flow of x and the context. Here the context is "
                "given, and never inverted.",
            ),
        ),
        wanted=as_number(*jacobian_shape()),
    ),
    Number(
        "sensor",
        f"A coordinate is known up to normal noise, whose standard deviation falls from {COARSE:g} "
        f"to {FINE:g}. By how many nats does the lowest possible loss for this coordinate fall?",
        normal(0, COARSE).entropy().item() - normal(0, FINE).entropy().item(),
        f"by log {COARSE / FINE:g}, for each such step. Without any noise there is no lowest loss.",
        (
            Slip(math.log10(COARSE / FINE), "that is the logarithm to base 10."),
            Slip(math.log2(COARSE / FINE), "these are bits, base 2 instead of e."),
            Slip(
                COARSE - FINE,
                "entropies compare by the ratio of the noises, not by their difference.",
            ),
            Slip(
                2 * math.log(COARSE / FINE),
                "that is the logarithm of the ratio of the variances; half of it counts.",
            ),
        ),
        hint="The entropy of a normal distribution is ½ log 2πe + log σ.",
    ),
)
