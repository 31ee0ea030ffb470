"""Exercises of chapter 6."""

import math

import numpy as np

from classroom.exercise import Exercise, Level
from classroom.laws import fail, hand_computed, jacobians, law, number, one, outputs

CHAPTER = "6_conditional"
SIGMA = 1 / math.sqrt(2 * math.pi * math.e)


@law
def bayes(answer, rng):
    """Rows sum to one, odds are those of the likelihoods times those of the prior."""
    log_likelihood = rng.standard_normal((5, 8))
    prior = rng.dirichlet(np.ones(8))
    p = one(answer, "posterior", log_likelihood, prior, shape=(5, 8))
    total = p.sum(axis=1)
    if not np.abs(total - 1).max() < 1e-6:
        cause = "it is not normalised over the labels"
        if np.abs(np.exp(p).sum(axis=1) - 1).max() < 1e-6:
            cause = "these are logarithms of probabilities"
        elif abs(p.sum() - 1) < 1e-6:
            cause = "it is normalised over points and labels together"
        elif np.abs(p.sum(axis=0) - 1).max() < 1e-6:
            cause = "it is normalised over the points, not over the labels"
        fail("the sum of the posterior over the labels", total[0], 1, cause)
    odds = np.log(p[:, 0] / p[:, 1])
    likely, prior_odds = log_likelihood[:, 0] - log_likelihood[:, 1], math.log(prior[0] / prior[1])
    if not np.abs(odds - likely - prior_odds).max() < 1e-6:
        cause = "the posterior is the likelihood times the prior, normalised"
        if np.abs(odds - likely).max() < 1e-6:
            cause = "the prior is not used"
        elif np.abs(odds - prior_odds).max() < 1e-6:
            cause = "the likelihood is not used"
        elif np.abs(odds - likely + prior_odds).max() < 1e-6:
            cause = "it is divided by the prior"
        elif np.abs(odds - likely - (prior[0] - prior[1])).max() < 1e-6:
            cause = "the prior is added to log-likelihoods without its logarithm"
        fail("the log-odds of labels 0 and 1", odds[0], likely[0] + prior_odds, cause)
    far = one(answer, "posterior", log_likelihood - 3000, prior, shape=(5, 8))
    if not np.allclose(far, p, atol=1e-6):
        cause = "exp of a low log-likelihood is 0: stay with logarithms, as softmax does"
        fail("the posterior for log-likelihoods near -3000", far[0, 0], p[0, 0], cause)


@law
def reads_the_radius(answer, rng):
    """Mean and spread of a posterior on a grid, for a Gaussian and for a flat likelihood."""
    for step in (0.05, 0.025):
        grid = np.arange(1, 4 + step / 2, step)
        bump = -0.5 * ((grid - 2.2) / 0.15) ** 2
        for name, like, mean, std in (
            ("a Gaussian log-likelihood around 2.2", bump, 2.2, 0.15),
            ("a flat log-likelihood", 0 * grid, 2.5, float(np.std(grid))),
            ("the Gaussian one, lowered by 3000,", bump - 3000, 2.2, 0.15),
        ):
            got = [v.item() if v.size == 1 else math.nan
                   for v in outputs(answer, "radius", like, grid, parts=2)]  # fmt: skip
            low = "exp of a low log-likelihood is 0: stay with logarithms" if like[0] < -999 else ""
            if not abs(got[0] - mean) < 2e-3:
                cause = low or "the weights must sum to 1 over the grid"
                if abs(got[0] - grid.mean()) < 1e-6:
                    cause = low or "the likelihood is not used"
                fail(f"the posterior mean for {name}", got[0], mean, cause)
            if not abs(got[1] - std) < 0.02 * std:
                cause = low or "the spread is the root of the mean squared distance from the mean"
                if abs(got[1] - std**2) < 0.02 * std**2:
                    cause = "this is the variance: a square root is missing"
                fail(f"the posterior's standard deviation for {name}", got[1], std, cause)


@law
def determinant_is_r(answer, rng):
    """The Jacobian determinant of the polar map is r."""
    at = np.stack([rng.uniform(0.5, 4, 6), rng.uniform(0, 6, 6)], axis=1)
    det = np.linalg.det(jacobians(answer, "polar", at, parts=1))
    off = np.abs(np.abs(det) - at[:, 0])
    if not off.max() < 1e-5:
        k = int(np.argmax(off))
        cause = "x = r cos(phi), y = r sin(phi)"
        fail(f"the determinant at r = {at[k, 0]:.3g}", det[k], at[k, 0], cause)


@law
def entropy_of_the_angle(answer, rng):
    """H(phi | r = 3) of the ring, in nats, from the mixture on a fine circle."""
    phi = 2 * np.pi * np.arange(20_000) / 20_000
    circle = 3 * np.stack([np.cos(phi), np.sin(phi)], axis=1)
    middle = 2 * np.pi * np.arange(8) / 8
    centers = 3 * np.stack([np.cos(middle), np.sin(middle)], axis=1)
    apart = ((circle[:, None] - centers) ** 2).sum(axis=2)
    p = np.exp(-0.5 * apart / 0.25**2).sum(axis=1)
    p /= p.mean() * 2 * np.pi  # a density of phi
    wanted = -(p * np.log(p)).mean() * 2 * np.pi
    got = number(answer, "entropy")
    usual = {
        wanted + math.log(3): "this is the entropy of the place along the circle, not of the angle",
        -wanted: "the sign is wrong",
        wanted / (2 * np.pi): "the width of a cell is missing from the sum",
        math.log(2 * np.pi): "this is the entropy of an angle that is uniform",
    }
    if abs(got - wanted) > 2e-3:
        cause = next((why for v, why in usual.items() if abs(got - v) < 2e-3), "")
        fail("H(phi | r = 3)", got, wanted, cause)


@law
def price_of_wrong_labels(answer, rng):
    """The conditional entropy of the mode, given a label that is sometimes wrong."""
    for share in (0.1, 0.3, 0.7):
        told = np.full((8, 8), share / 7) + np.eye(8) * (1 - share - share / 7)
        joint = told / 8  # of mode and label
        wanted = -(joint * np.log(joint / joint.sum(axis=0))).sum()
        got = number(answer, "cost", share)
        choice = -share * math.log(share) - (1 - share) * math.log(1 - share)
        usual = {
            wanted / math.log(2): "these are bits, base 2 instead of e",
            choice: "which of the seven other modes it is remains unknown, too: share * log 7",
            share * math.log(7): "whether the label is right remains unknown, too",
            choice + share * math.log(8): "a wrong label is one of seven others, not of eight",
            share * math.log(8): "this takes the flow to know which labels are wrong",
            -wanted: "the loss rises: the cost is positive",
            math.log(8) - wanted: "this is what the label is still worth, not what it costs",
        }
        if abs(got - wanted) > 1e-4:
            near = (why for v, why in usual.items() if abs(got - v) < 1e-4)
            fail(f"the cost, if a share of {share} is wrong", got, wanted, next(near, ""))


EXERCISES = (
    Exercise(
        id="ex-mode-entropy",
        name="mode_entropy",
        title="The entropy of a mode",
        level=Level.WARM_UP,
        minutes=15,
        points=2,
        answers=("sigma_0",),
        stub="sigma_0 = ...  # the spread of a mode whose entropy is 0",
        hints=(
            "For X = mu + sigma Z, the change of variables adds 2 log sigma to the entropy of Z.",
            "log(2 pi e sigma^2) = 0: solve for sigma.",
        ),
        ports={"sigma": "lambda: sigma_0"},
        checks=(
            hand_computed(
                "sigma",
                (),
                SIGMA,
                1e-4,
                {
                    SIGMA**2: "this is sigma squared",
                    1 / SIGMA: "the exponent has the wrong sign",
                    1 / math.sqrt(2 * math.pi): "the e is missing: the mean of |Z|^2 is 2",
                    1 / (2 * math.pi): "the e and a square root are missing",
                },
                what="sigma",
            ),  # fmt: skip
        ),
        rubric=("the entropy is derived from the density",),
    ),
    Exercise(
        id="ex-prior",
        name="prior",
        title="Unequal classes",
        level=Level.CORE,
        minutes=20,
        points=3,
        answers=("posterior_of",),
        stub="""\
def posterior_of(log_likelihood, prior):
    ...  # p(y | x) of shape (n, 8), from log p(x | y) of shape (n, 8) and p(y) of shape (8,)""",
        hints=(
            "p(x | y) has not changed; only p(y) has.",
            "The posterior is proportional to p(x | y) p(y). Add logarithms, then softmax.",
        ),
        ports={"posterior": "lambda log_likelihood, prior: posterior_of(log_likelihood, prior)"},
        checks=(bayes,),
        rubric=("says why no training is needed, and finds both angles",),
    ),
    Exercise(
        id="ex-soft-label",
        name="soft_label",
        title="Half of two labels",
        level=Level.CORE,
        minutes=15,
        points=2,
        hints=(
            "One context gives one continuous map of the plane.",
            "To draw from a mixture, draw the label first.",
        ),
        rubric=(
            "a prediction stands before the plot: 1 point",
            "says why one context makes one piece, and draws the label first for the mixture: "
            "1 point",
        ),
    ),
    Exercise(
        id="ex-infer-radius",
        name="radius",
        title="Find the radius",
        level=Level.HARDER,
        minutes=25,
        points=4,
        answers=("radius_posterior",),
        stub="""\
def radius_posterior(log_likelihood, grid):
    ...  # return mean, std of R, from log-likelihoods (k,) on a grid (k,) and a uniform prior""",
        hints=(
            "A uniform prior cancels: the posterior's weights are the softmax of log-likelihoods.",
            "The mean is the sum of weight * R; the variance that of weight * (R - mean)^2.",
        ),
        ports={"radius": "lambda log_likelihood, grid: radius_posterior(log_likelihood, grid)"},
        checks=(reads_the_radius,),
        rubric=("compares the flow's posterior with the exact one",),
    ),
    Exercise(
        id="ex-out-of-range",
        name="out_of_range",
        title="Out of range",
        level=Level.CORE,
        minutes=15,
        points=2,
        hints=(
            "Compare with the gap at R = 4, the end of the range of the training.",
            "What would you have to know to see that a plausible ring is the wrong one?",
        ),
        rubric=(
            "the gaps inside and outside of the range are measured: 1 point",
            "says that neither samples nor log_prob raise an alarm, so the range must be checked: "
            "1 point",
        ),
    ),
    Exercise(
        id="ex-angle",
        name="angle",
        title="The angle, given the distance",
        level=Level.HARDER,
        minutes=30,
        points=4,
        answers=("polar", "h_angle"),
        stub="""\
def polar(v):
    ...  # v = (r, phi) of shape (2,) -> x of shape (2,)

h_angle = ...  # H(phi | r = 3) of the ring, in nats""",
        hints=(
            "Write x as a function of (r, phi) and take its Jacobian determinant.",
            "On the circle r = 3, p(phi | r) is p(x) r, normalised over phi.",
            "The entropy is a sum over a fine grid of phi: minus p log p, times the cell's width.",
        ),
        ports={
            "polar": "lambda points: torch.stack([polar(v) for v in points])",
            "entropy": "lambda: h_angle",
        },
        checks=(
            hand_computed(
                "polar",
                [[[2.0, math.pi / 2]]],
                [0.0, 2.0],
                1e-6,
                what="the x of r = 2, phi = pi/2",
                otherwise="x = (r cos(phi), r sin(phi))",
            ),
            determinant_is_r,
            entropy_of_the_angle,
        ),
        rubric=("derives the formula, and says why the entropy is finite",),
    ),
    Exercise(
        id="ex-6-wrong-labels",
        name="wrong_labels",
        title="What wrong labels cost",
        level=Level.RESEARCH,
        minutes=60,
        points=5,
        answers=("cost",),
        stub="""\
def cost(share):
    ...  # nats by which the lowest loss rises, if this share of the labels is wrong""",
        hints=(
            "The modes hardly overlap: think of the point as telling its mode.",
            "The lowest loss rises by H(mode | label), which is 0 while all labels are right.",
            "Given a label, the mode is the one it names with 1 - share, else one of seven.",
        ),
        ports={"cost": "lambda share: cost(share)"},
        checks=(price_of_wrong_labels,),
        rubric=(
            "a flow is trained on wrong labels, and its loss held against the formula",
            "says where the density of such a flow lies, and what a sampler gets to see",
            "says what must be known for a correction, and tries it",
        ),
    ),
)
