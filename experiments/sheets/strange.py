"""Likelihood and data from elsewhere."""

from . import runs, tasks
from .spec import REVIEW, Prediction, Question, Spec, Task

SPEC = Spec(
    name="strange",
    title="Likely, and yet strange",
    question="Does a flow that knows your ring give data from elsewhere a low likelihood?",
    background="""One hopes to notice strange data by its low likelihood. Three kinds are tried on
a flow of your ring, and the ring itself: points **between the modes**, points of **a larger ring**,
and points crowded at **the modes' centres**, five times tighter than the ring's own. **Ranked
above** is how often, in a pair of one strange point and one of the ring, the flow finds the
strange one likelier: 0.5 means that it cannot tell them apart. **Atypical** is how far the mean
log p lies from that of the ring's own points, on either side.""",
    chapter="7_outlook",
    run=runs.strange,
    factors={"data": list(runs.STRANGE)},
    measures={
        "ranked_above": "share of pairs in which the strange one is likelier",
        "log_p": "mean log p",
        "atypical": "distance from the ring's mean log p",
    },
    main="ranked_above",
    predictions=[
        Prediction(
            "between",
            "how often a point between the modes is ranked above the ring's own",
            {"data": "between the modes"},
            "ranked_above",
        ),
        Prediction(
            "centres",
            "how often a point at the modes' centres is ranked above them",
            {"data": "the modes' centres"},
            "ranked_above",
        ),
    ],
    effect=({"data": "the modes' centres"}, {"data": "between the modes"}, "ranked_above"),
    task=Task(
        asks="""Write `atypicality(log_p, known)`. `log_p` holds the log-densities of a batch,
`known` those of points that are known to be right. Return how far the batch's mean lies from the
known points' mean, whichever is larger.""",
        stub='''import numpy as np


def atypicality(log_p, known):
    """log_p (n,), known (m,) -> one number, 0 or more."""
    ...
''',
        names=["atypicality"],
        laws=[tasks.both_sides_count, tasks.its_own_are_typical, tasks.units_do_not_matter],
    ),
    questions=[
        Question(
            "q1",
            "Which of the strange kinds does the likelihood notice, and which does it prefer "
            "to the ring itself? Which does `atypical` notice?",
        ),
        Question(
            "q2",
            "A batch can be judged by its typicality; can a single point? Say why or why not.",
        ),
        REVIEW,
    ],
)
