"""Exercises of chapter 3."""

import math

import numpy as np

from classroom.exercise import Exercise, Level
from classroom.laws import (
    STEP,
    bell,
    every_input_matters,
    fail,
    hand_computed,
    integrates_to_one,
    jacobians,
    law,
    log_det_is_autograds,
    mapped,
    number,
    of_bell_through,
    one,
    round_trip,
    shown,
    worst_of,
)

CHAPTER = "3_transforms_2d"


@law
def stretched_along_thirty(answer, rng):
    """The matrix is symmetric and stretches by 3 and 0.5, the first along 30 degrees."""
    matrix = jacobians(answer, "turned", 0.1 * rng.standard_normal((1, 2)))[0]
    along = np.array([math.cos(math.pi / 6), math.sin(math.pi / 6)])
    across = np.array([-along[1], along[0]])
    for direction, factor, name in ((along, 3.0, "along"), (across, 0.5, "across")):
        got = matrix @ direction
        if not np.abs(got - factor * direction).max() < 1e-5:
            cause = "A is R diag(3, 0.5) R^T: turn, stretch, turn back"
            if np.abs(matrix.T @ matrix - np.diag([9, 0.25])).max() < 1e-5:
                cause = "the stretch comes first: the turn back is missing"
            elif np.abs(matrix @ matrix.T - np.diag([9, 0.25])).max() < 1e-5:
                cause = "the turn comes first and the turn back is missing"
            elif np.abs(matrix @ (direction * [1, -1]) - factor * direction * [1, -1]).max() < 1e-5:
                cause = "R and its transpose are swapped"
            fail(f"A times the direction {name} 30 degrees", got, factor * direction, cause)


@law
def turns_by_fifty(answer, rng):
    """The stack turns the plane by 50 degrees."""
    at = rng.standard_normal((6, 2))
    value, _ = mapped(answer, "decode", at)
    angle = math.radians(50)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    off = np.abs(value - at @ turn.T).max(axis=1)
    if not off.max() < 1e-6:
        k = int(np.argmax(off))
        cause = "the slides are -tan(phi / 2), sin(phi), -tan(phi / 2)"
        if np.allclose(value, at @ turn):
            cause = "it turns the other way: the signs of all slides are wrong"
        fail(f"where {shown_point(at[k])} goes", value[k], at[k] @ turn.T, cause)


def shown_point(point) -> str:
    """A point, with two digits."""
    return f"({point[0]:.2f}, {point[1]:.2f})"


@law
def made_of_slides(answer, rng):
    """Each layer moves along one axis only, and there are three."""
    keeps = one(answer, "layers")
    if keeps.size != 3:
        fail("the number of layers", keeps.size, 3, "a turn is made of three slides")
    if not keeps.all():
        cause = "a slide keeps one of the two coordinates"
        fail(f"what layer {int(np.argmin(keeps)) + 1} keeps", "no coordinate", "one", cause)


SLIDES = """
def _layers():
    z = torch.randn(20, 2)
    kept = []
    for layer in copy.deepcopy(turn_50).double().layers:
        same = (layer.decode(z)[0] - z).abs().amax(dim=0) < 1e-12
        kept.append(float(same.any()))
    return torch.tensor(kept)
"""

MAPS = """
_MAPS = {
    "swirl": lambda z: torch.stack([
        z[:, 0] * torch.cos(z.norm(dim=1)) - z[:, 1] * torch.sin(z.norm(dim=1)),
        z[:, 0] * torch.sin(z.norm(dim=1)) + z[:, 1] * torch.cos(z.norm(dim=1))], dim=1),
    "bend": lambda z: torch.stack(
        [-2 * z[:, 0], z[:, 1] * torch.exp(z[:, 0]) + z[:, 0] ** 2, z[:, 2] - z[:, 0]], dim=1),
}
"""


def _swirl(z):
    r = np.linalg.norm(z, axis=1)
    return np.stack(
        [z[:, 0] * np.cos(r) - z[:, 1] * np.sin(r), z[:, 0] * np.sin(r) + z[:, 1] * np.cos(r)], 1
    )


def _bend(z):
    return np.stack(
        [-2 * z[:, 0], z[:, 1] * np.exp(z[:, 0]) + z[:, 0] ** 2, z[:, 2] - z[:, 0]], axis=1
    )


@law
def measures_volumes(answer, rng):
    """The log|det| of two maps, against differences of their values."""
    for name, function, dim in (("bend", _bend, 3), ("swirl", _swirl, 2)):
        at = rng.standard_normal((6, dim))
        columns = [
            (function(at + STEP * e) - function(at - STEP * e)) / (2 * STEP) for e in np.eye(dim)
        ]
        jacobian = np.stack(columns, axis=2)
        wanted = np.linalg.slogdet(jacobian)[1]
        got = one(answer, name, at, shape=(6,))
        off = np.abs(got - wanted)
        if not (off < 1e-5).all():
            k = worst_of(off)
            cause = "this is not the determinant of the Jacobian at that point"
            if not np.isfinite(got).all():
                cause = "the logarithm of a negative determinant: take its absolute value"
            elif np.allclose(got, np.exp(wanted), atol=1e-4):
                cause = "the logarithm was forgotten"
            elif np.allclose(got, -wanted, atol=1e-4) and np.abs(wanted).max() > 1e-3:
                cause = "the sign is wrong: this is the log|det| of the inverse"
            elif np.allclose(got, np.trace(jacobian, axis1=1, axis2=2), atol=1e-4):
                cause = "this is the trace"
            fail(f"log|det J| of the map at {shown_row(at[k])}", got[k], wanted[k], cause)


def shown_row(point) -> str:
    """A point of any dimension, with two digits."""
    return "(" + ", ".join(f"{value:.2f}" for value in point) + ")"


@law
def bends_to_a_banana(answer, rng):
    """x2 = z2 + z1^2, and no volume changes."""
    at = 1.3 * rng.standard_normal((6, 2))
    value, log_det = mapped(answer, "decode", at)
    if not np.abs(log_det).max() < 1e-9:
        fail("the largest log-det", np.abs(log_det).max(), 0, "s must be 0 for every point")
    wanted = at + np.stack([0 * at[:, 0], at[:, 0] ** 2], axis=1)
    off = np.abs(value - wanted).max(axis=1)
    if not off.max() < 1e-6:
        k = int(np.argmax(off))
        cause = "the first coordinate is kept, and the second is shifted by its square"
        if np.allclose(value, wanted * 2 - at) or np.allclose(value, 2 * at - wanted):
            cause = "the shift has the wrong size or sign"
        fail(f"where {shown_point(at[k])} goes", value[k], wanted[k], cause)


TURNS = (40.0, -70.0, 0.0)


@law
def turns_by_the_angle(answer, rng):
    """The stack is the turn, for several angles, and of two couplings."""
    at = rng.standard_normal((4, 2))
    for degrees in TURNS:
        angle = math.radians(degrees)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        got, log_det = mapped(answer, "turned", at, degrees)
        off = np.abs(got - at @ turn.T).max(axis=1)
        if not (off < 1e-6).all():
            cause = ""
            if np.abs(got - at @ turn).max() < 1e-6:
                cause = "this turns the other way: clockwise"
            worst = worst_of(off)
            what = f"z = {shown(at[worst])}, turned by {degrees:g} degrees,"
            fail(what, got[worst], turn @ at[worst], cause)
        if not np.abs(log_det).max() < 1e-6:
            cause = "a turn keeps areas: what one coupling stretches, the other takes back"
            fail("the log-det of a turn", log_det[worst_of(np.abs(log_det))], 0, cause)


@law
def two_couplings(answer, rng):
    """There are two layers, each of which keeps a coordinate."""
    for degrees in TURNS:
        count = number(answer, "count", degrees)
        if count != 2:
            fail("the number of couplings", count, 2, "two are enough below 90 degrees")
        kept = number(answer, "kept", degrees)
        if kept != 2:
            cause = "each layer is a `Coupling`, which leaves one coordinate as it is"
            fail("the number of layers that are couplings", kept, 2, cause)


EXERCISES = (
    Exercise(
        id="ex-3-affine",
        name="turned",
        title="Turn, stretch, turn back",
        level=Level.WARM_UP,
        minutes=10,
        points=2,
        answers=("turned",),
        stub="turned = ...  # a Linear layer with the matrix A",
        hints=(
            "A turn changes no area; so what does R contribute to the determinant?",
            "rotation(30.0) and scaling(3.0, 0.5) give the two matrices; the transpose turns back.",
        ),
        ports={
            "turned": "lambda z: copy.deepcopy(turned).double().decode(z)",
            "back": "lambda x: copy.deepcopy(turned).double().encode(x)",
        },
        checks=(
            stretched_along_thirty,
            log_det_is_autograds("turned", bell(6, 2)),
            round_trip("turned", "back", bell(6, 2)),
        ),
        rubric=("finds log|det A| without the computer, and describes the density",),
    ),
    Exercise(
        id="ex-3-hand",
        name="by_hand",
        title="By hand, once more",
        level=Level.WARM_UP,
        minutes=10,
        points=2,
        answers=("log_p_here",),
        stub="log_p_here = ...  # log p at x = (-1, 0), with pen and paper",
        hints=(
            "z1 is kept, so z1 = -1. Then z2 = (x2 - shift) / scale.",
            "log p(x) is the base log-density at z, minus the log-det of decode.",
        ),
        ports={"log_p": "lambda: log_p_here"},
        checks=(
            hand_computed(
                "log_p",
                (),
                -math.log(2 * math.pi) - 2.5 + math.log(2),
                2e-3,
                {
                    -math.log(2 * math.pi) - 2.5 - math.log(2): "decode's log-det was added, not "
                    "subtracted",
                    -math.log(2 * math.pi) - 2.5: "no log-det was counted",
                    -2.5 + math.log(2): "the constant of the normal density is missing",
                    -math.log(2 * math.pi) / 2 - 2.5 + math.log(2): "there are two coordinates, "
                    "and each brings its constant",
                    -math.log(2 * math.pi) - 0.5 + math.log(2): "z2 is 2: it counts as well",
                },
                what="log p(-1, 0)",
            ),  # fmt: skip
        ),
        rubric=("says which of the two terms makes the density lower",),
    ),
    Exercise(
        id="ex-3-turn",
        name="slides",
        title="Three slides make a turn",
        level=Level.HARDER,
        minutes=25,
        points=4,
        answers=("turn_50",),
        stub="turn_50 = ...  # a Compose of three couplings",
        hints=(
            "Write each slide as a matrix, and multiply the three out.",
            "The first and the last slide are equal. Compare the product's corner with cos phi.",
            "The slides are -tan(phi / 2) sideways, sin(phi) upwards, -tan(phi / 2) sideways.",
        ),
        ports={
            "decode": "lambda z: copy.deepcopy(turn_50).double().decode(z)",
            "encode": "lambda x: copy.deepcopy(turn_50).double().encode(x)",
            "layers": "lambda: _layers()",
        },
        support=SLIDES,
        checks=(
            turns_by_fifty,
            made_of_slides,
            log_det_is_autograds("decode", bell(6, 2)),
            round_trip(points=bell(6, 2)),
        ),
        rubric=("multiplies the matrices out",),
    ),
    Exercise(
        id="ex-3-nice",
        name="banana",
        title="Volume preserving, and yet curved",
        level=Level.CORE,
        minutes=15,
        points=3,
        answers=("banana",),
        stub="banana = ...  # a Coupling",
        hints=(
            "The log-det of a coupling is the sum of s.",
            "With s = 0, t may be any function of the kept coordinate; here it is its square.",
        ),
        ports={
            "decode": "lambda z: banana.decode(z)",
            "encode": "lambda x: banana.encode(x)",
        },
        checks=(
            bends_to_a_banana,
            round_trip(points=bell(6, 2)),
            every_input_matters("decode", bell(6, 2), [[1, 0], [1, 1]], "the shift is the square"),
            of_bell_through(integrates_to_one(extent=(-7, 7, -8, 60), n=400)),
        ),
        rubric=("names the entropy of the banana, and says why",),
    ),
    Exercise(
        id="ex-3-volume",
        name="volume",
        title="The volume of any map",
        level=Level.CORE,
        minutes=15,
        points=3,
        answers=("log_volume",),
        stub="""\
def log_volume(function, z):
    ...  # log|det J| of the map at points z, (n, D) -> (n,)""",
        hints=(
            "torch.autograd.functional.jacobian takes the Jacobian of a function of one point.",
            "For a point p of shape (D,): lambda p: function(p[None])[0].",
            "torch.linalg.slogdet gives the logarithm of the absolute determinant.",
        ),
        ports={
            "swirl": 'lambda z: log_volume(_MAPS["swirl"], z)',
            "bend": 'lambda z: log_volume(_MAPS["bend"], z)',
        },
        support=MAPS,
        checks=(measures_volumes,),
        rubric=("says what it costs in D dimensions",),
    ),
    Exercise(
        id="ex-3-turn-couplings",
        name="turn_couplings",
        title="A turn made of couplings",
        level=Level.RESEARCH,
        minutes=60,
        points=5,
        answers=("turned_by",),
        stub="""\
def turned_by(degrees):
    ...  # a list of two couplings, which decode as one turn""",
        hints=(
            "Write the turn as a product of a lower and an upper triangular matrix.",
            "A coupling scales only the coordinate that changes, and by a positive factor.",
            "With z2 kept, x1 = c z1 - s z2, where c and s are cosine and sine of the angle. "
            "What is left to do with x1 kept?",
        ),
        ports={
            "turned": "lambda z, degrees: Compose(turned_by(degrees)).decode(z)",
            "count": "lambda degrees: torch.tensor(float(len(turned_by(degrees))))",
            "kept": "lambda degrees: torch.tensor(float(sum(isinstance(layer, Coupling) "
            "for layer in turned_by(degrees))))",
        },
        checks=(two_couplings, turns_by_the_angle),
        rubric=(
            "says which turns two couplings cannot make, and why",
            "finds how many are enough for those, and for shifts and shears alone",
        ),
    ),
)
