"""Depth and width."""

from . import runs, tasks
from .spec import Prediction, Question, Spec, Task

SPEC = Spec(
    name="depth",
    title="Depth and width",
    question="With 120 training steps, what brings the flow closer to your ring: more couplings, "
    "or wider networks inside them?",
    background="""A coupling moves one coordinate of each point, by a scale and a shift that a
small network computes from the other. More couplings make more bends; wider networks make each bend
freer. Both cost time. The **gap** is how many nats the flow's held-out negative log-likelihood lies
above the entropy of the ring: 0 is perfect. The **path ratio** is the mean length of the points'
way through the layers over their mean net way: 1 means that they walk straight.""",
    chapter="5_training",
    run=runs.depth,
    factors={"layers": [2, 6, 16], "width": [8, 32]},
    measures={"gap": "gap in nats", "path_ratio": "path ratio"},
    main="gap",
    predictions=[
        Prediction(
            "gap of the largest",
            "the gap with 16 couplings of width 32",
            {"layers": 16, "width": 32},
            "gap",
        ),
        Prediction(
            "path of the largest",
            "the path ratio with 16 couplings of width 32",
            {"layers": 16, "width": 32},
            "path_ratio",
        ),
    ],
    effect=({"layers": 2, "width": 8}, {"layers": 16, "width": 32}, "gap"),
    task=Task(
        asks="""Write `path_ratio(values)`. `values` has shape `(L + 1, n, 2)`: where `n` points
stand before the first layer and after each of the `L` layers. Return the mean length of the points'
paths, divided by the mean distance between their first and last places.""",
        stub='''import numpy as np


def path_ratio(values):
    """values (L + 1, n, 2) -> one number."""
    ...
''',
        names=["path_ratio"],
        laws=[tasks.straight_is_one, tasks.there_and_back, tasks.size_does_not_matter],
    ),
    questions=[
        Question(
            "q1",
            "Compare 16 couplings of width 8 with 6 of width 32. (The first has about a third of "
            "the weights, and a step of it takes about twice as long.) Which one comes closer to "
            "your ring, and is the difference larger than what another seed changes?",
        ),
        Question(
            "q2",
            "The path ratio grows with depth. What do the points do that they need not, and "
            "why does the training not forbid it?",
        ),
        Question(
            "q3",
            "Where was your prediction wrong, and what about flows did you think that you "
            "would now say otherwise? (If it was right: which result would have proved you "
            "wrong?)",
        ),
    ],
)
