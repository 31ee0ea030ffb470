"""Exercises of chapter 9."""

import math

import numpy as np

from classroom.exercise import Exercise, Level
from classroom.laws import (
    STEP,
    bell,
    fail,
    hand_computed,
    law,
    log_det_is_autograds,
    mapped,
    number,
    one,
    round_trip,
)

CHAPTER = "9_planar_radial"


@law
def no_volume_but_a_move(answer, rng):
    """u is orthogonal to w = (2, 1, -1), and not 0."""
    u = one(answer, "u").ravel()
    if u.size != 3:
        fail("the number of entries of u", u.size, 3)
    if not np.abs(u).max() > 1e-9:
        fail("the length of u", 0, "above 0", "with u = 0 no point moves")
    if not abs(u @ [2, 1, -1]) < 1e-5 * np.abs(u).max():
        cause = "the determinant is 1 + tanh'(s) w.u, so w.u must be 0"
        fail("w.u", float(u @ [2, 1, -1]), 0, cause)


@law
def density_at_the_centre(answer, rng):
    """By how much log p falls at the centre, measured by differences of the map."""
    for beta, dim in ((0.8, 5), (0.3, 2), (2.0, 10)):

        def moved(z, beta=beta):
            return z + beta * z / (1 + np.linalg.norm(z))

        small = 1e-7
        columns = [(moved(small * e) - moved(-small * e)) / (2 * small) for e in np.eye(dim)]
        wanted = np.linalg.slogdet(np.stack(columns, axis=1))[1]
        got = number(answer, "drop", beta, dim)
        if abs(got - wanted) > 1e-4:
            usual = {
                -wanted: "the density falls, so its logarithm falls by a positive number",
                wanted / dim: "each of the D directions is stretched",
                wanted * (dim - 1) / dim: "along r the centre is stretched as well",
                math.exp(wanted): "the logarithm was forgotten",
                dim * beta: "log(1 + beta), not beta",
            }
            cause = next((why for v, why in usual.items() if abs(got - v) < 1e-3), "")
            fail(f"the fall of log p for beta = {beta} in {dim} dimensions", got, wanted, cause)


@law
def reaches_as_said(answer, rng):
    """w.u of the constrained u: softplus(r) - 1 for the squared norm, in the direction of w."""
    w, free = rng.standard_normal((2, 40, 2))
    reach, length = (w * free).sum(axis=1), np.linalg.norm(w, axis=1)
    across = np.stack([-w[:, 1], w[:, 0]], axis=1)
    for power in (2, 1):
        u = one(answer, "constrain", w, free, power, shape=w.shape)
        if not np.abs(((u - free) * across).sum(axis=1)).max() < 1e-6:
            cause = "only the part of u along w changes"
            off = np.abs(((u - free) * across).sum(axis=1)).max()
            fail("the change of u across w", off, 0, cause)
        got = (w * u).sum(axis=1)
        wanted = reach + (np.log1p(np.exp(reach)) - 1 - reach) * length ** (2 - power)
        off = np.abs(got - wanted)
        if not off.max() < 1e-6:
            k = int(np.argmax(off))
            cause = "u + (m(r) - r) w / |w|^power, with m(r) = softplus(r) - 1 and r = w.u"
            other = reach + (np.log1p(np.exp(reach)) - 1 - reach) * length ** (
                1 if power == 2 else 0
            )
            if np.allclose(got, other):
                cause = "the power of the norm is not the one that was asked for"
            elif np.allclose(got, reach):
                cause = "this is the free u: nothing was constrained"
            elif np.allclose(got, wanted + length ** (2 - power)):
                cause = "the 1 after softplus is missing"
            fail(f"w.u for power = {power} where |w| = {length[k]:.2f}", got[k], wanted[k], cause)


@law
def determinants_agree(answer, rng):
    """The small matrix has the determinant of the large Jacobian, which differences give."""
    for dim, planes in ((8, 3), (4, 1), (3, 3)):
        u, v = 0.4 * rng.standard_normal((2, dim, planes))
        z = rng.standard_normal(dim)
        small = one(answer, "small", u, v, z, shape=(planes, planes))

        def layer(p, u=u, v=v):
            return p + u @ np.tanh(v.T @ p)

        columns = [(layer(z + STEP * e) - layer(z - STEP * e)) / (2 * STEP) for e in np.eye(dim)]
        wanted, got = np.linalg.det(np.stack(columns, axis=1)), np.linalg.det(small)
        if not abs(got - wanted) < 1e-6 * (1 + abs(wanted)):
            cause = "the matrix is I + diag(tanh') V^T U, and tanh' = 1 - tanh^2"
            for other, why in (
                (np.tanh(v.T @ z), "the factor is tanh itself, where it should be its slope"),
                (np.ones(planes), "the slope of tanh is missing"),
            ):
                if abs(got - np.linalg.det(np.eye(planes) + other[:, None] * (v.T @ u))) < 1e-6:
                    cause = why
            what = f"the determinant of the small matrix for D = {dim}, M = {planes}"
            fail(what, got, wanted, cause)


@law
def moves_as_it_should(answer, rng):
    """Where planar and radial layers send points."""
    z = rng.standard_normal((6, 3))
    w, u, b = np.array([1.0, 0.5, 0.3]), np.array([-0.5, 0.8, 0.1]), 0.3
    offset = z - np.array([0.5, 0.1, -0.2])
    r = np.linalg.norm(offset, axis=1)
    for name, wanted, cause in (
        ("planar", z + np.tanh(z @ w + b)[:, None] * u, "x = z + u tanh(w.z + b)"),
        ("radial", z + 0.8 * offset / (1.2 + r)[:, None], "x = z + beta (z - c) / (alpha + r)"),
    ):
        value, _ = mapped(answer, name, z)
        k = int(np.argmax(np.abs(value - wanted).max(axis=1)))
        if not np.abs(value - wanted).max() < 1e-6:
            fail(f"where the {name} layer sends a point", value[k], wanted[k], cause)


@law
def ripples(answer, rng):
    """The map moves along u, by the sine of w.z."""
    w, u = np.array([2.0, 1.0]), np.array([0.2, 0.3])
    at = rng.standard_normal((5, 2))
    got, _ = mapped(answer, "decode", at)
    wanted = at + np.sin(at @ w)[:, None] * u
    off = np.abs(got - wanted).max(axis=1)
    if not (off < 1e-6).all():
        worst = int(np.argmax(off))
        cause = "x = z + u sin(w.z)"
        if np.abs(got - (at + np.tanh(at @ w)[:, None] * u)).max() < 1e-6:
            cause = "this is the tanh's layer"
        fail("where `ripple` takes z", got[worst], wanted[worst], cause)


EXERCISES = (
    Exercise(
        id="ex-9-planar",
        name="calm",
        title="A planar flow that preserves volume",
        level=Level.WARM_UP,
        minutes=10,
        points=2,
        answers=("u_calm",),
        stub="u_calm = ...  # three numbers, not all 0",
        hints=(
            "The determinant is 1 + tanh'(s) w.u. When is it 1 everywhere?",
            "Any vector with 2 u1 + u2 - u3 = 0 will do.",
        ),
        ports={"u": "lambda: torch.as_tensor(u_calm)"},
        checks=(no_volume_but_a_move,),
        rubric=("says which points stay where they are",),
    ),
    Exercise(
        id="ex-9-radial",
        name="hole",
        title="The centre of a hole",
        level=Level.CORE,
        minutes=15,
        points=3,
        answers=("drop",),
        stub="""\
def drop(beta, dim):
    ...  # by how much log p falls at the centre, for alpha = 1""",
        hints=(
            "At the centre r = 0: what do both factors of the determinant become?",
            "D - 1 directions across r, and one along it, are all stretched by 1 + beta.",
        ),
        ports={"drop": "lambda beta, dim: drop(beta, int(dim))"},
        checks=(density_at_the_centre,),
        rubric=("derives it, and says what it means in 100 dimensions",),
    ),
    Exercise(
        id="ex-9-slip",
        name="slip",
        title="Find the slip",
        level=Level.HARDER,
        minutes=30,
        points=4,
        answers=("constrain",),
        stub="""\
def constrain(w, free_u, power):
    ...  # u of shape (n, D), from w and free u of shape (n, D)""",
        hints=(
            "Only the part of u along w changes, by a multiple of w / |w|^power.",
            "With r = w.u of the free u, that multiple is softplus(r) - 1 - r.",
        ),
        ports={"constrain": "lambda w, free_u, power: constrain(w, free_u, power)"},
        checks=(reaches_as_said,),
        rubric=("says which w fold for power 1, and what rounding does for power 2",),
    ),
    Exercise(
        id="ex-9-sylvester",
        name="sylvester",
        title="Three planes at once",
        level=Level.HARDER,
        minutes=25,
        points=4,
        answers=("small_matrix",),
        stub="""\
def small_matrix(U, V, z):
    ...  # (M, M), from U, V of shape (D, M) and one point z of shape (D,)""",
        hints=(
            "det(I + U V^T) = det(I + V^T U): the second matrix is small.",
            "The slopes of tanh at V^T z scale the rows of V^T U.",
        ),
        ports={"small": "lambda u, v, z: small_matrix(u, v, z)"},
        checks=(determinants_agree,),
        rubric=("compares the costs in D and M",),
    ),
    Exercise(
        id="ex-9-own",
        name="two_layers",
        title="Two layers of your own",
        level=Level.CORE,
        minutes=25,
        points=4,
        answers=("my_planar", "my_radial"),
        stub="""\
def my_planar(z, w, u, b):
    ...  # return x, log_abs_det


def my_radial(z, center, alpha, beta):
    ...  # return x, log_abs_det""",
        hints=(
            "The planar determinant is 1 + tanh'(s) w.u, with s = w.z + b and tanh' = 1 - tanh^2.",
            "Across r the radial layer stretches D - 1 directions by 1 + beta / (alpha + r).",
            "Along r it stretches by 1 + alpha beta / (alpha + r)^2.",
        ),
        ports={
            "planar": "lambda z: my_planar(z, torch.tensor([1.0, 0.5, 0.3]), "
            "torch.tensor([-0.5, 0.8, 0.1]), 0.3)",
            "radial": "lambda z: my_radial(z, torch.tensor([0.5, 0.1, -0.2]), 1.2, 0.8)",
            "hole": "lambda z: my_radial(z, torch.zeros(2), 1.0, 1.0)",
        },
        checks=(
            moves_as_it_should,
            log_det_is_autograds("planar", bell(6, 3)),
            log_det_is_autograds("radial", bell(6, 3)),
            hand_computed(
                "hole",
                [[[1.0, 0.0]]],
                [math.log(1.5 * 1.25)],
                1e-6,
                part=1,
                what="the log-det at r = 1 for alpha = beta = 1 in the plane",
            ),  # fmt: skip
        ),
    ),
    Exercise(
        id="ex-9-ripple",
        name="ripple",
        title="A layer that ripples",
        level=Level.RESEARCH,
        minutes=60,
        points=5,
        answers=("ripple", "unripple"),
        stub="""\
def ripple(z, w, u):
    ...  # return x, log_abs_det


def unripple(x, w, u):
    ...  # return z, log_abs_det, for |w.u| < 1""",
        hints=(
            "The determinant is 1 + cos(w.z) w.u. Between which values does it lie?",
            "With t = w.x, one equation in s = w.z is left: t = s + w.u sin s.",
            "s lies between t - |w.u| and t + |w.u|. Halve that interval.",
        ),
        ports={
            "decode": "lambda z: ripple(z, torch.tensor([2.0, 1.0]), torch.tensor([0.2, 0.3]))",
            "encode": "lambda x: unripple(x, torch.tensor([2.0, 1.0]), torch.tensor([0.2, 0.3]))",
        },
        checks=(ripples, log_det_is_autograds("decode", bell(6, 2)), round_trip(points=bell(6, 2))),
        rubric=(
            "derives both limits of w.u, where the tanh has one",
            "compares bisection with Newton's method close to a limit",
            "shows a density that one ripple makes and one cut cannot",
        ),
    ),
)
