"""Overfitting."""

from . import runs, tasks
from .spec import REVIEW, Prediction, Question, Spec, Task

SPEC = Spec(
    name="overfitting",
    title="Learning by heart",
    question="How many points of your ring does a flow need before it learns the ring, and not the "
    "points?",
    background="""A flow that puts a narrow spike on each training point has a splendid
log-likelihood on these points and a terrible one elsewhere. The **gap** is measured on fresh
points, the **own gap** on the training points: it falls below 0 when the flow claims to know its
points better than the true density does. The **lowest gap** is the smallest that was seen on the
way: what stopping in time would have given.""",
    chapter="5_training",
    run=runs.overfitting,
    factors={"points": [100, 400, 4000], "steps": [100, 300]},
    measures={
        "gap": "gap in nats, fresh points",
        "own_gap": "gap in nats, training points",
        "lowest_gap": "lowest gap on the way",
    },
    main="gap",
    predictions=[
        Prediction(
            "gap of few",
            "the gap with 400 points after 300 steps",
            {"points": 400, "steps": 300},
            "gap",
        ),
        Prediction(
            "own gap of few",
            "the own gap with 100 points after 300 steps",
            {"points": 100, "steps": 300},
            "own_gap",
        ),
    ],
    effect=({"points": 100, "steps": 300}, {"points": 4000, "steps": 300}, "gap"),
    task=Task(
        asks="""Write `stop_at(steps, gaps)`. Both are lists of equal length: after so many steps,
such a gap on points kept for choosing. Return the step at which to stop: that of the lowest gap,
the earliest if several are equally low. A training may blow up: gaps that are NaN or infinite never
count.""",
        stub='''import numpy as np


def stop_at(steps, gaps):
    """steps (n,), gaps (n,) -> one of the steps."""
    ...
''',
        names=["stop_at"],
        laws=[
            tasks.stops_at_the_lowest,
            tasks.ignores_what_is_no_number,
            tasks.the_first_of_equals,
        ],
    ),
    questions=[
        Question(
            "q1",
            "For which numbers of points do 300 steps end worse than 100 steps, and how do gap"
            " and own gap move apart there?",
        ),
        Question(
            "q2",
            "The lowest gap was found on 2000 points that neither trained nor judged. What "
            "would be wrong with choosing the moment on the points that judge?",
        ),
        REVIEW,
    ],
    cpu_minutes=4.0,
)
