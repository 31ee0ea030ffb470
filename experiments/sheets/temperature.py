"""Temperature."""

from . import runs, tasks
from .spec import REVIEW, Prediction, Question, Spec, Task

SPEC = Spec(
    name="temperature",
    title="Temperature",
    question="Latents are multiplied by a temperature before they are decoded: what do cooler "
    "samples of your ring gain, and what do they lose?",
    background="""At temperature T a sample is decoded from T times a latent point. Below 1 the
latents crowd together near the middle. **Strays** is the share of samples farther than four
standard deviations from every mode; **smallest share** is that of the mode with the fewest
samples (of your ring's own points, all modes have the same); **log p** is the samples' mean
log-density under the true ring. The flow is the same at all temperatures: only the sampling
changes.""",
    chapter="5_training",
    run=runs.temperature,
    factors={"temperature": [0.5, 0.8, 1.0, 1.25]},
    measures={
        "log_p": "mean true log p of the samples",
        "strays": "share of strays",
        "smallest_share": "smallest share",
    },
    main="smallest_share",
    predictions=[
        Prediction(
            "smallest share, cool",
            "the smallest share of a mode at temperature 0.5",
            {"temperature": 0.5},
            "smallest_share",
        ),
        Prediction(
            "log p, cool",
            "the samples' mean true log p at temperature 0.5",
            {"temperature": 0.5},
            "log_p",
        ),
    ],
    effect=({"temperature": 0.5}, {"temperature": 1.25}, "log_p"),
    task=Task(
        asks="""Write `tempered_log_prob(z, temperature)`: the log-density of points that are the
temperature times a standard normal point of the plane. `z` has shape `(n, 2)`.""",
        stub='''import numpy as np


def tempered_log_prob(z, temperature):
    """z (n, 2), a number -> (n,)."""
    ...
''',
        names=["tempered_log_prob"],
        laws=[
            tasks.one_is_the_bell,
            tasks.integrates_at_any_temperature,
            tasks.the_spread_is_the_temperature,
        ],
    ),
    questions=[
        Question(
            "q1",
            "What does cooling do to the strays and to the smallest share? Is there a "
            "temperature that improves both?",
        ),
        Question(
            "q2",
            "Cool samples have a high true log p. Why is that no sign of a better model of "
            "your ring?",
        ),
        REVIEW,
    ],
)
