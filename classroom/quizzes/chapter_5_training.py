"""Questions of chapter 5."""

import math

import torch
from torch.distributions import Normal, kl_divergence

from classroom.question import Choice, Number, Option, Slip
from flows import Affine, learning_rate, standard_normal_log_prob

STD = 2.0
MODEL_STD = 2.0
STEPS, PEAK = 100, 1.0
TRUTH = Normal(torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))
GRID = torch.linspace(-9, 9, 90_001, dtype=torch.float64)


def score(log_p) -> float:
    """The mean of -log p over the bell, as a training on endless data would see it."""
    return torch.trapezoid(TRUTH.log_prob(GRID).exp() * -log_p(GRID), GRID).item()


def without_log_det(x):
    """What is scored by a flow x = 10 z whose log-det was forgotten."""
    z, _ = Affine(10.0, 0.0).encode(x)
    return standard_normal_log_prob(z)


def normal(mean: float, std: float) -> Normal:
    """A normal distribution in double precision."""
    return Normal(*torch.tensor([mean, std], dtype=torch.float64))


LOWEST = normal(0.0, STD).entropy().item()
UNIT = TRUTH.entropy().item()
WIDE = normal(0.0, MODEL_STD)
GAP = kl_divergence(TRUTH, WIDE).item()
SCORES = {
    "truth": score(TRUTH.log_prob),
    "wide": score(WIDE.log_prob),
    "shifted": score(normal(0.5, 1.0).log_prob),
    "forgotten": score(without_log_det),
}


def below_the_entropy(name: str) -> float:
    """Whether a score is lower than any density can have: 1 or 0."""
    return float(SCORES[name] < UNIT - 1e-6)


QUESTIONS = (
    Number(
        "lowest",
        f"Data come from a normal distribution of standard deviation {STD:g}. What is the lowest "
        "mean NLL, in nats, that any model can have on endless fresh data?",
        LOWEST,
        f"it is the entropy of the data: ½ log 2πe for the bell, and log {STD:g} for the stretch.",
        (
            Slip(0.0, "zero is no limit for densities. The limit is the entropy of the data."),
            Slip(
                UNIT,
                f"so it is for standard deviation 1. Data stretched by {STD:g} have log {STD:g} "
                "more.",
            ),
            Slip(
                UNIT + math.log(STD**2),
                "the entropy grows by the logarithm of the standard deviation, not of the "
                "variance.",
            ),
            Slip(LOWEST / math.log(2), "these are bits, base 2 instead of e."),
        ),
        hint="Which model is best, and what is its mean NLL?",
    ),
    Number(
        "gap",
        "The truth is the bell, with standard deviation 1. A model is the bell of standard "
        f"deviation {MODEL_STD:g}. How large is its gap, in nats?",
        GAP,
        "its mean NLL on data of the bell, less the entropy of the bell.",
        (
            Slip(
                score(WIDE.log_prob),
                "that is the mean NLL. The gap is what is left of it above the entropy.",
            ),
            Slip(
                kl_divergence(WIDE, TRUTH).item(),
                "that is the other Kullback-Leibler divergence, with truth and model exchanged. "
                "The data come from the truth.",
            ),
            Slip(
                math.log(MODEL_STD),
                f"log {MODEL_STD:g} is what the model pays for being wide. It gets something "
                "back: the data lie near its middle.",
            ),
        ),
        hint=f"Take the mean of ½ x² − ½ (x/{MODEL_STD:g})² over the bell; where does log "
        f"{MODEL_STD:g} come in?",
    ),
    Choice(
        "too-good",
        "Four scores, each a mean of −log p over endless data from the bell. One of them cannot "
        "belong to a density. Which?",
        (
            Option(
                f"{SCORES['wide']:.2f}",
                below_the_entropy("wide"),
                "a bell twice as wide as the truth has it.",
            ),
            Option(
                f"{SCORES['truth']:.2f}",
                below_the_entropy("truth"),
                "the truth has it: the entropy, the lowest of all.",
            ),
            Option(
                f"{SCORES['shifted']:.2f}",
                below_the_entropy("shifted"),
                "a bell that stands half a unit aside has it.",
            ),
            Option(
                f"{SCORES['forgotten']:.2f}",
                below_the_entropy("forgotten"),
                "it lies below the entropy. Here somebody took x = 10 z and left the log-det out.",
            ),
        ),
        wanted=1.0,
    ),
    Number(
        "warm-up",
        f"A training has {STEPS} steps, and its learning rate rises over the first tenth of them "
        f"to {PEAK:g}. Then it falls along half a cosine. What is the rate half way through the "
        "fall?",
        learning_rate(STEPS // 10 + (STEPS - STEPS // 10) // 2, STEPS, PEAK),
        "half a cosine goes through its middle half way.",
        (
            Slip(
                0.0,
                "half a cosine goes from 1 to −1, and is lifted so that it ends at 0. Its zero "
                "is its middle before it was lifted.",
            ),
            Slip(
                math.cos(math.pi / 4),
                "that would be a quarter of a cosine. Half of one goes from its top to its bottom.",
            ),
        ),
        hint="The rate is ½ (1 + cos πu), where u goes from 0 to 1.",
    ),
)
