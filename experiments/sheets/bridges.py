"""Bridges and base."""

from . import runs, tasks
from .spec import REVIEW, Prediction, Question, Spec, Task

SPEC = Spec(
    name="bridges",
    title="Bridges and the base distribution",
    question="Flows leave more samples between the modes of your ring than the ring has: does "
    "depth make them fewer, or a base with heavier tails?",
    background="""A flow bends one connected cloud into the ring's modes. Nothing forbids it to come
as near as one likes, but it takes a steep map, and trained flows leave too much in between: bridges
from mode to mode, and a haze. **Strays** is the share of samples farther
than four standard deviations from every mode (of the true ring: 0.03 %). **bridge log p** is the
lowest log-density on the way from one mode to the next, along the line that is straight in latent
space. The Student base has heavier tails than the normal one.""",
    chapter="7_outlook",
    run=runs.bridges,
    factors={"base": ["normal", "student"], "layers": [2, 8]},
    measures={"strays": "share of strays", "gap": "gap in nats", "bridge_log_p": "lowest log p"},
    main="strays",
    predictions=[
        Prediction(
            "strays of the deep",
            "the share of strays with 8 couplings and the normal base",
            {"base": "normal", "layers": 8},
            "strays",
        ),
        Prediction(
            "strays with tails",
            "the share of strays with 8 couplings and the Student base",
            {"base": "student", "layers": 8},
            "strays",
        ),
    ],
    effect=({"base": "normal", "layers": 2}, {"base": "normal", "layers": 8}, "gap"),
    task=Task(
        asks="""Write `stray_share(x, centers, std, n_sigma)`: the share of the points `x` of shape
`(n, 2)` that lie farther than `n_sigma * std` from *every* one of the `centers` of shape
`(m, 2)`.""",
        stub='''import numpy as np


def stray_share(x, centers, std, n_sigma):
    """x (n, 2), centers (m, 2), two numbers -> a share between 0 and 1."""
    ...
''',
        names=["stray_share"],
        laws=[tasks.counts_strays, tasks.any_mode_will_do, tasks.as_many_as_a_bell_has],
    ),
    questions=[
        Question(
            "q1",
            "Which change made the share of strays smaller, depth or the base, and by how much"
            " compared with what another seed changes?",
        ),
        Question(
            "q2",
            "Why can no continuous, invertible map of the plane turn one bell into modes with "
            "nothing at all between them?",
        ),
        REVIEW,
    ],
)
