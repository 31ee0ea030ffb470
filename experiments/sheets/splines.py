"""Splines against affine couplings."""

from . import runs, tasks
from .spec import REVIEW, Prediction, Question, Spec, Task

SPEC = Spec(
    name="splines",
    title="Spline against affine at equal budget",
    question="With as many weights and as many training steps, which couplings come closer to your "
    "ring: more of the affine kind, or fewer with splines?",
    background="""An affine coupling moves a coordinate by a scale and a shift: along that
coordinate it is a straight line. A spline coupling moves it along a monotone curve of eight pieces,
so its network has more outputs and more weights. For one budget of weights you get three affine
couplings or two spline couplings (the numbers of weights differ by less than 2 %); `many` doubles
both. All arms take 200 steps. The **gap** is how many nats the flow's held-out negative
log-likelihood lies above the entropy of the ring: 0 is perfect. **Strays** is the share of samples
farther than four standard deviations from every mode (of the true ring: 0.03 %).""",
    chapter="8_sharper_couplings",
    run=runs.splines,
    factors={"kind": ["affine", "spline"], "weights": ["few", "many"]},
    measures={"gap": "gap in nats", "strays": "share of strays"},
    main="gap",
    predictions=[
        Prediction(
            "gap of the splines",
            "the gap with spline couplings and many weights",
            {"kind": "spline", "weights": "many"},
            "gap",
        ),
        Prediction(
            "gap of the affine ones",
            "the gap with affine couplings and many weights",
            {"kind": "affine", "weights": "many"},
            "gap",
        ),
    ],
    effect=({"kind": "affine", "weights": "few"}, {"kind": "spline", "weights": "many"}, "gap"),
    task=Task(
        asks="""A piece of a spline rises from 0 to 1 while `t` goes from 0 to 1. With the slopes
`left` and `right` at its ends, and `rise` (its mean slope), it has reached the share

$$s(t) = \\frac{r\\,t^2 + a\\,t(1 - t)}{r + (a + b - 2r)\\,t(1 - t)},\\qquad
r = \\text{rise},\\ a = \\text{left},\\ b = \\text{right}.$$

Write its inverse, `place_in_bin(share, rise, left, right)`: from a share between 0 and 1 and three
positive slopes to the place `t`.""",
        stub='''import math


def place_in_bin(share, rise, left, right):
    """Four numbers -> t, between 0 and 1."""
    ...
''',
        names=["place_in_bin"],
        laws=[tasks.straight_pieces, tasks.there_again, tasks.seen_in_a_mirror],
    ),
    questions=[
        Question(
            "q1",
            "Which kind comes closer to your ring, with few weights and with many, and is the "
            "difference larger than what another seed changes? Do the strays agree with the gap?",
        ),
        Question(
            "q2",
            "What can one spline coupling do to the density along a line that one affine coupling "
            "cannot, whatever its weights?",
        ),
        REVIEW,
    ],
)
