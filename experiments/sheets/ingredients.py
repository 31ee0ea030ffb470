"""Ingredients of the recipe."""

from . import runs, tasks
from .spec import REVIEW, Prediction, Question, Spec, Task

SPEC = Spec(
    name="ingredients",
    title="What each ingredient brings",
    question="Which ingredient of the recipe can your ring do without, and which not?",
    background="""The course's recipe has several ingredients: a learning rate that rises and
falls (schedule), Fourier features in the networks, turns between the couplings, fresh points at
every step, and a safety net with a limit on the gradient. Here one at a time is left out, for 150
steps; "fresh points" left out means 500 points for all steps. The **gap** is how many nats the flow
lies above the entropy of your ring, on points that no training has seen.""",
    chapter="5_training",
    run=runs.ingredients,
    factors={"without": list(runs.WITHOUT)},
    measures={"gap": "gap in nats"},
    main="gap",
    predictions=[
        Prediction("gap of all", "the gap with all ingredients", {"without": "nothing"}, "gap"),
        Prediction("gap without turns", "the gap without turns", {"without": "turns"}, "gap"),
    ],
    effect=({"without": "fresh points"}, {"without": "nothing"}, "gap"),
    task=Task(
        asks="""Write `paired_effect(a, b)`. Both hold one gap a seed, for the same seeds in the
same order, with and without an ingredient. Return the effect: the median of the differences
`a - b`, seed by seed.""",
        stub='''import numpy as np


def paired_effect(a, b):
    """a (n,), b (n,) -> one number."""
    ...
''',
        names=["paired_effect"],
        laws=[tasks.effect_by_hand, tasks.one_seed_moves_little, tasks.turned_round],
    ),
    questions=[
        Question(
            "q1",
            "Order the ingredients by what leaving them out costs, and mark those whose effect"
            " you cannot tell from 0 with three seeds.",
        ),
        Question(
            "q2",
            "All runs used one learning rate. For which ingredient might a rate of its own "
            "change the verdict, and how would you find out fairly?",
        ),
        REVIEW,
    ],
)
