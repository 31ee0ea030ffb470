"""A conditional radius, well and badly posed."""

from . import runs, tasks
from .spec import REVIEW, Prediction, Question, Spec, Task

SPEC = Spec(
    name="radius",
    title="A radius that was never seen",
    question="A flow learns rings of many radii, with the radius as its context: what does it know "
    "of radii that it was not shown?",
    background="""The context tells the flow the radius, as a factor of your ring's own, from 0.6
to 1.4. In one arm it sees them all; in one a **gap inside** is hidden (0.9 to 1.1); in one **the
outer end** (beyond 1.1). The gap in nats is then measured at three factors: 0.75 (**seen** by all),
1 (**between**) and 1.35 (**beyond**). To fill a gap between known radii is a well-posed question
for a smooth network; what lies beyond all that was shown, nothing says.""",
    chapter="6_conditional",
    run=runs.radius,
    factors={"hidden": list(runs.HIDDEN)},
    measures={
        "gap beyond": "gap at factor 1.35",
        "gap between": "gap at factor 1",
        "gap seen": "gap at factor 0.75",
    },
    main="gap beyond",
    predictions=[
        Prediction(
            "between",
            "the gap at factor 1 when the gap inside was hidden",
            {"hidden": "a gap inside"},
            "gap between",
        ),
        Prediction(
            "beyond",
            "the gap at factor 1.35 when the outer end was hidden",
            {"hidden": "the outer end"},
            "gap beyond",
        ),
    ],
    effect=({"hidden": "the outer end"}, {"hidden": "nothing"}, "gap beyond"),
    task=Task(
        asks="""Write `gap_by_bin(gap, radius, edges)`. Each of `n` points has a `gap` and a
`radius`; `edges` has `k + 1` rising numbers. Return the mean gap of each of the `k` bins. A bin
holds the radii from its lower edge (included) to its upper edge (excluded). An empty bin has no
mean: NaN.""",
        stub='''import numpy as np


def gap_by_bin(gap, radius, edges):
    """gap (n,), radius (n,), edges (k + 1,) -> (k,)."""
    ...
''',
        names=["gap_by_bin"],
        laws=[tasks.means_by_hand, tasks.constant_stays_constant, tasks.an_empty_bin_is_not_zero],
    ),
    questions=[
        Question(
            "q1",
            "How much worse is the flow between known radii, and how much beyond them? Compare"
            " both with the flow that saw them all.",
        ),
        Question(
            "q2",
            "The flow gives a density for every context, also for one far outside. How could a"
            " user notice that the answer means nothing?",
        ),
        REVIEW,
    ],
)
