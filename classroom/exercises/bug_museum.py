"""Exercises of chapter 10."""

import math

import numpy as np

from classroom.exercise import Exercise, Level
from classroom.laws import fail, hand_computed, law, number, one

CHAPTER = "10_bug_museum"


@law
def hides_and_shows(answer, rng):
    """Done twice, the hidden order is the identity, and the other one is not; both move all."""
    for name, hides in (("hidden", True), ("seen", False)):
        order = one(answer, name).ravel()
        if sorted(order) != [0, 1, 2, 3]:
            fail(f"`{name}`", order, "an order of the places 0, 1, 2, 3")
        order = order.astype(int)
        still = int((order == np.arange(4)).sum())
        if still:
            fail(f"the number of places that `{name}` leaves alone", still, 0)
        same = bool((order[order] == np.arange(4)).all())
        if same != hides:
            cause = "a test sees the bug only if the order, done twice, is not the identity"
            done = {True: "the identity", False: "another order"}
            fail(f"`{name}`, done twice,", done[same], done[hides], cause)


@law
def finds_who_depends(answer, rng):
    """Zero for a density of single points; else the largest change, alone against together."""
    x = rng.standard_normal((7, 2))
    centred = x - x.mean(axis=0)
    cases = {
        "honest": (0.0, "a density of single points does not change"),
        "centred": (np.square(centred).sum(axis=1).max(), "alone, a point is its batch's mean"),
        "later": (6.0, "each point must be asked alone, the last one too"),
    }
    for name, (wanted, cause) in cases.items():
        got = number(answer, name, x)
        if not abs(got - wanted) < 1e-9:
            fail(f"`depends_on_others` of a log_prob that is {name}", got, wanted, cause)


@law
def slopes_are_finite(answer, rng):
    """Values and slopes on both sides of 0."""
    for y in (np.array([-4.0, -1.0, 1.0, 4.0]), rng.uniform(0.1, 3, 5) * [1, -1, 1, -1, 1]):
        safe = np.where(y > 0, y, 1.0)
        value, slope = (
            one(answer, "value", y, shape=y.shape),
            one(answer, "slope", y, shape=y.shape),
        )
        for what, got, wanted in (
            ("value", value, np.where(y > 0, np.sqrt(safe), y)),
            ("slope", slope, np.where(y > 0, 0.5 / np.sqrt(safe), 1.0)),
        ):
            off = np.where(np.isfinite(got), np.abs(got - wanted), np.inf)
            k = int(np.argmax(off))
            if not off[k] < 1e-9:
                cause = (
                    "the branch not taken is a root of a negative number, and zero times NaN is NaN"
                )
                cause = cause if np.isnan(got[k]) else ""
                fail(f"the {what} of `safe_root` at {y[k]:.3g}", got[k], wanted[k], cause)


EXERCISES = (
    Exercise(
        id="ex-10-blind",
        name="blind",
        title="Where a test is blind",
        level=Level.WARM_UP,
        minutes=10,
        points=2,
        answers=("blind", "half"),
        stub="blind = ...  # a stretch\nhalf = ...  # another one",
        hints=(
            "The density should be divided by a, and is multiplied by it instead.",
            "So the area is the square of a.",
        ),
        ports={"blind": "lambda: blind", "half": "lambda: half"},
        checks=(
            hand_computed("blind", [], 1.0, 1e-6, otherwise="the log of 1 is its own negative"),
            hand_computed(
                "half",
                [],
                math.sqrt(0.5),
                1e-3,
                usual={
                    0.5: "the area is the square of the stretch",
                    math.sqrt(2): "there the area is 2: the wrong sign makes a stretch denser",
                    0.25: "the area is the square of the stretch, not its root",
                },
            ),
        ),
    ),
    Exercise(
        id="ex-10-swap",
        name="swap",
        title="A permutation that hides the bug",
        level=Level.CORE,
        minutes=15,
        points=3,
        answers=("hidden", "seen"),
        stub="hidden = ...  # four places, such as [0, 1, 2, 3]\nseen = ...  # four others",
        hints=(
            "The bug is hidden if the permutation is its own inverse.",
            "Swap pairs for the one; send each place to the next one for the other.",
        ),
        ports={
            "hidden": "lambda: torch.as_tensor(hidden)",
            "seen": "lambda: torch.as_tensor(seen)",
        },
        checks=(hides_and_shows,),
        rubric=("says why two coordinates can never show the bug",),
    ),
    Exercise(
        id="ex-10-alone",
        name="alone",
        title="Alone and in company",
        level=Level.CORE,
        minutes=20,
        points=3,
        answers=("depends_on_others",),
        stub="""\
def depends_on_others(log_prob, x):
    ...  # one number, 0 for a density""",
        hints=(
            "A point alone is a batch of shape (1, D): point[None].",
            "Compare the values, one by one, with those of log_prob(x), and take the largest.",
        ),
        ports={
            "honest": "lambda x: depends_on_others(lambda x: -x.square().sum(dim=1), x)",
            "centred": "lambda x: depends_on_others("
            "lambda x: -(x - x.mean(dim=0)).square().sum(dim=1), x)",
            "later": "lambda x: depends_on_others(lambda x: torch.arange(len(x)) + 0.0, x)",
        },
        checks=(finds_who_depends,),
        rubric=("names the exhibits that it would have caught",),
    ),
    Exercise(
        id="ex-10-bits",
        name="bits",
        title="Bits per dimension, right",
        level=Level.CORE,
        minutes=15,
        points=3,
        answers=("bits_per_dim",),
        stub="""\
def bits_per_dim(nll, dim, levels):
    ...  # of one grey value""",
        hints=(
            "The flow that knows nothing has NLL 0: it must pay log2(levels) bits for each value.",
            "Nats become bits by division by log 2; all numbers become one by division by dim.",
        ),
        ports={"bits": "lambda nll, dim, levels: bits_per_dim(nll, int(dim), int(levels))"},
        checks=(
            hand_computed(
                "bits",
                [0.0, 3072, 256],
                8.0,
                1e-6,
                usual={
                    0.0: "dividing by the levels made the density higher: log2(levels) is owed",
                    math.log(256): "this is in nats: it needs log2, not log",
                    -8.0: "log2(levels) is owed, not won",
                    8.0 / 3072: "log2(levels) is owed for each number",
                },
            ),
            hand_computed(
                "bits",
                [-3072 * math.log(2), 3072, 256],
                7.0,
                1e-6,
                usual={
                    8 - math.log(2): "the NLL is in nats: divide by log 2",
                    8 - 3072.0: "the NLL is that of all numbers: divide by their number",
                },
            ),
        ),
    ),
    Exercise(
        id="ex-10-safe",
        name="safe",
        title="A root with a gradient",
        level=Level.HARDER,
        minutes=25,
        points=4,
        answers=("safe_root",),
        stub="""\
def safe_root(y):
    ...  # of the shape of y""",
        hints=(
            "torch.where runs both branches, backwards too.",
            "Give the root a harmless number wherever its answer will not be used.",
        ),
        ports={"value": "lambda y: safe_root(y)", "slope": "lambda y: slope_of_root(y)"},
        checks=(slopes_are_finite,),
        support="""\
def slope_of_root(y):
    y = y.clone().requires_grad_()
    return torch.autograd.grad(safe_root(y).sum(), y)[0]
""",
        rubric=("says how to find such places in a program",),
    ),
    Exercise(
        id="ex-10-own",
        name="own_exhibit",
        title="An exhibit of your own",
        level=Level.RESEARCH,
        minutes=60,
        points=5,
        hints=(
            "Search the closed issues of a library of flows for: log det, inverse, NaN, samples.",
            "A good symptom is one that moves: an area, a curve, a cloud of samples.",
        ),
        rubric=(
            "the thread is real and its bug confirmed: 1 point",
            "ten lines that show the symptom, in a figure: 2 points",
            "a law that fails on the bug and holds for the mend: 2 points",
        ),
    ),
)
