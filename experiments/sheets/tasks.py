"""The laws of the sheets' tasks: what a right function does, on numbers drawn anew each time.

No law holds a solution: it asks for a property, or for a number that can be worked out by hand.
"""

import math

import numpy as np

from classroom.laws import fail, law, number, one

TINY = 1e-9


def close(what: str, got: float, wanted: float, cause: str = "", tolerance: float = 1e-6) -> None:
    """Hold one number against another; a number that is none is not close."""
    if not abs(got - wanted) <= tolerance * max(1.0, abs(wanted)):
        fail(what, got, wanted, cause)


# -------------------- depth: path_ratio


def walks(rng, steps: int = 5, n: int = 7) -> np.ndarray:
    """Points on their way: (steps + 1, n, 2)."""
    return np.cumsum(rng.normal(size=(steps + 1, n, 2)), axis=0)


@law
def straight_is_one(answer, rng):
    """Points that go straight on have ratio 1, whatever the lengths of their steps."""
    start, way = rng.normal(size=(2, 6, 2))
    share = np.sort(rng.uniform(size=4)).tolist()
    values = np.stack([start + s * way for s in (0.0, *share, 1.0)])
    cause = (
        "the length of a way is the norm of its difference, not a square or a sum of coordinates"
    )
    close("the ratio of a straight way", number(answer, "path_ratio", values), 1.0, cause)


@law
def there_and_back(answer, rng):
    """A way worked out by hand: 3 there, 1 back, so 4 over 2; and the means before the ratio."""
    way = np.array([[[0.0, 0.0]], [[3.0, 0.0]], [[2.0, 0.0]]])
    close("the ratio of 3 steps on and 1 back", number(answer, "path_ratio", way), 2.0,
          "the path is the sum of the lengths of all steps")  # fmt: skip
    two = np.array([[[0.0, 0.0], [0.0, 0.0]], [[3.0, 0.0], [0.0, 5.0]], [[2.0, 0.0], [0.0, 5.0]]])
    got = number(answer, "path_ratio", two)
    mean_of_ratios = abs(got - 1.5) < 1e-6
    cause = (
        "this is the mean of the points' ratios: take both means first" if mean_of_ratios else ""
    )
    close("the ratio of two points (paths 4 and 5, net ways 2 and 5)", got, 9 / 7, cause)


@law
def size_does_not_matter(answer, rng):
    """Stretched, turned and moved, the ways keep their ratio."""
    values = walks(rng)
    turn, _ = np.linalg.qr(rng.normal(size=(2, 2)))
    got = number(answer, "path_ratio", values)
    moved = number(answer, "path_ratio", 3.7 * values @ turn.T + rng.normal(size=2))
    close("the ratio after stretching and turning", moved, got, "lengths must be Euclidean", 1e-5)
    if not got >= 1.0 - TINY:
        fail("a ratio", got, "at least 1", "no path is shorter than the straight way")


# -------------------- overfitting: stop_at


@law
def stops_at_the_lowest(answer, rng):
    """The step with the lowest gap on points for choosing, in any order."""
    steps, gaps = np.sort(rng.choice(900, 9, replace=False)), rng.normal(size=9)
    best = float(steps[np.argmin(gaps)])
    got = number(answer, "stop_at", steps.astype(float), gaps)
    cause = ""
    if got == float(steps[np.argmax(gaps)]):
        cause = "this is the highest"
    elif got == float(np.argmin(gaps)):
        cause = "this is its place in the list, not its step"
    close("the step to stop at", got, best, cause)
    order = rng.permutation(9)
    shuffled = number(answer, "stop_at", steps[order].astype(float), gaps[order])
    close("the step, with the list in another order", shuffled, best)


@law
def ignores_what_is_no_number(answer, rng):
    """A gap that is NaN or infinite is never the lowest."""
    steps = np.array([10.0, 20.0, 30.0, 40.0])
    gaps = np.array([0.5, math.nan, 0.2, -math.inf])
    got = number(answer, "stop_at", steps, gaps)
    close("the step to stop at, with a NaN and an infinity among the gaps", got, 30.0,
          "a training that blew up has no lowest gap")  # fmt: skip


@law
def the_first_of_equals(answer, rng):
    """Of equal gaps, the earliest step: less training for the same."""
    got = number(answer, "stop_at", np.array([5.0, 15.0, 25.0]), np.array([0.3, 0.1, 0.1]))
    close("the step, when two gaps are equally low", got, 15.0, "take the earliest")


# -------------------- bridges: stray_share


def places(rng, n: int = 6) -> np.ndarray:
    """Centres far apart, (n, 2)."""
    angle = 2 * np.pi * np.arange(n) / n
    return 10 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


@law
def counts_strays(answer, rng):
    """Points at known distances: those beyond the radius count, the others do not."""
    centers, std = places(rng), 0.5
    distance = np.array([0.0, 0.4, 0.9, 1.1, 1.9, 2.1, 2.6, 3.0])
    direction = rng.normal(size=(8, 2))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    x = centers[rng.integers(6, size=8)] + distance[:, None] * direction
    for n_sigma, wanted in ((2.0, 5 / 8), (4.0, 3 / 8), (5.0, 2 / 8)):
        got = number(answer, "stray_share", x, centers, std, n_sigma)
        cause = "this is the share of those that stay" if abs(got - 1 + wanted) < TINY else ""
        if abs(got - 8 * wanted) < TINY:
            cause = "this is their number, not their share"
        close(f"the share beyond {n_sigma:g} standard deviations", got, wanted, cause)


@law
def any_mode_will_do(answer, rng):
    """A point is no stray if any mode is near, whichever stands first in the list."""
    centers, std = places(rng), 0.3
    x = centers[[5, 4, 3]] + 0.1
    got = number(answer, "stray_share", x, centers, std, 3.0)
    close("the share of points that lie close to the last modes", got, 0.0,
          "take the distance to the nearest mode")  # fmt: skip


@law
def as_many_as_a_bell_has(answer, rng):
    """Of points of the true ring, a share of exp(-n^2/2) lies beyond n standard deviations."""
    centers = places(rng)
    x = centers[rng.integers(6, size=20_000)] + 0.4 * rng.normal(size=(20_000, 2))
    got, wanted = number(answer, "stray_share", x, centers, 0.4, 2.0), math.exp(-2)
    if not abs(got - wanted) < 0.015:
        fail("the share of a true ring's points beyond 2 standard deviations", got, wanted,
             "the distance is that in the plane, not that of one coordinate")  # fmt: skip


# -------------------- ingredients: paired_effect


@law
def effect_by_hand(answer, rng):
    """Differences seed by seed, and their median: worked out by hand."""
    a, b = np.array([1.0, 5.0, 2.0]), np.array([0.5, 1.0, 2.5])
    got = number(answer, "paired_effect", a, b)
    cause = "this is the mean: one odd seed moves it" if abs(got - 4 / 3) < 1e-6 else ""
    if abs(got - 1.0) < TINY:
        cause = "this is the difference of medians: subtract seed by seed first"
    close("the effect of [1, 5, 2] against [0.5, 1, 2.5]", got, 0.5, cause)


@law
def one_seed_moves_little(answer, rng):
    """A seed that blew up does not decide."""
    a, b = rng.normal(size=9), rng.normal(size=9)
    a[4] = 1e12
    got = number(answer, "paired_effect", a, b)
    if not abs(got) < 10:
        fail("the effect, with one seed that blew up", got, "within the others", "take the median")


@law
def turned_round(answer, rng):
    """Exchanging the arms changes the sign; the order of the seeds changes nothing."""
    a, b, order = rng.normal(size=8), rng.normal(size=8), rng.permutation(8)
    got = number(answer, "paired_effect", a, b)
    close("the effect with the arms exchanged", number(answer, "paired_effect", b, a), -got)
    again = number(answer, "paired_effect", a[order], b[order])
    close("the effect with the seeds in another order", again, got, "keep the pairs together")


# -------------------- radius: gap_by_bin


@law
def means_by_hand(answer, rng):
    """Mean gap of each bin, the lower edge in, the upper edge out."""
    radius = np.array([1.0, 1.5, 1.9, 2.0, 2.2, 2.9, 3.5])
    gap = np.array([0.1, 0.3, 0.8, 0.5, 0.1, 0.3, 1.0])
    got = one(answer, "gap_by_bin", gap, radius, np.array([1.0, 2.0, 3.0, 4.0]), shape=(3,))
    for value, wanted, k in zip(got, (0.4, 0.3, 1.0), (1, 2, 3), strict=True):
        close(f"the mean gap of bin {k}", float(value), wanted,
              "a radius on an edge belongs to the bin above")  # fmt: skip


@law
def constant_stays_constant(answer, rng):
    """A gap that is the same everywhere is that in every bin, however many points it holds."""
    radius = rng.uniform(1, 4, size=200)
    got = one(answer, "gap_by_bin", np.full(200, 0.37), radius, np.linspace(1, 4, 7), shape=(6,))
    close("the mean of a constant gap", float(np.abs(got - 0.37).max()) + 0.37, 0.37,
          "divide by the number of the bin's own points")  # fmt: skip


@law
def an_empty_bin_is_not_zero(answer, rng):
    """Where there is no point there is no gap: NaN, not 0."""
    got = one(answer, "gap_by_bin", np.array([0.2]), np.array([1.5]), np.array([1.0, 2.0, 3.0]),
              shape=(2,))  # fmt: skip
    if not np.isnan(got[1]):
        fail("the mean gap of an empty bin", float(got[1]), "NaN", "nothing measured is not 0")


# -------------------- temperature: tempered_log_prob


@law
def one_is_the_bell(answer, rng):
    """At temperature 1 it is the standard normal density."""
    z = rng.normal(size=(6, 2))
    got = one(answer, "tempered_log_prob", z, 1.0, shape=(6,))
    wanted = -0.5 * (z**2).sum(axis=1) - math.log(2 * math.pi)
    worst = int(np.argmax(np.abs(got - wanted)))
    cause = ""
    if np.allclose(got - wanted, math.log(2 * math.pi)):
        cause = "the constant -log(2 pi) is missing"
    close("log p of one point at temperature 1", float(got[worst]), float(wanted[worst]), cause)


@law
def integrates_at_any_temperature(answer, rng):
    """Whatever the temperature, it is a density."""
    for t in (0.5, 1.7):
        axis = np.linspace(-9 * t, 9 * t, 121)
        z = np.stack(np.meshgrid(axis, axis), axis=2).reshape(-1, 2)
        log_p = one(answer, "tempered_log_prob", z, t, shape=(len(z),))
        mass = float(np.exp(log_p).sum() * (axis[1] - axis[0]) ** 2)
        cause = ""
        if abs(mass - t**2) < 0.01:
            cause = "the constant -2 log T is missing"
        elif abs(mass - t) < 0.01:
            cause = "-log T is there once; a point has two coordinates"
        close(f"the integral at temperature {t:g}", mass, 1.0, cause, 1e-3)


@law
def the_spread_is_the_temperature(answer, rng):
    """The density's standard deviation is T, not T squared and not its root."""
    t, axis = 0.6, np.linspace(-6, 6, 121)
    z = np.stack(np.meshgrid(axis, axis), axis=2).reshape(-1, 2)
    p = np.exp(one(answer, "tempered_log_prob", z, t, shape=(len(z),)))
    spread = float(np.sqrt((p * z[:, 0] ** 2).sum() / p.sum()))
    close("the standard deviation at temperature 0.6", spread, t,
          "latents are multiplied by T before they are decoded", 1e-3)  # fmt: skip


# -------------------- strange: atypicality


@law
def both_sides_count(answer, rng):
    """Too likely is as strange as too unlikely."""
    known = -2.0 + 0.1 * rng.normal(size=400)
    batch = rng.normal(size=50)
    low = number(answer, "atypicality", batch - batch.mean() + known.mean() - 0.7, known)
    high = number(answer, "atypicality", batch - batch.mean() + known.mean() + 0.7, known)
    close("a batch 0.7 nats too likely", high, 0.7, "likelier than the data is strange as well")
    close("a batch 0.7 nats too unlikely", low, 0.7)


@law
def its_own_are_typical(answer, rng):
    """The known points themselves are typical, however widely their own log p is spread."""
    known = 3 * rng.normal(size=300) - 1
    got = number(answer, "atypicality", known, known)
    cause = "take the mean of the batch first, then the distance" if got > 0.5 else ""
    close("the atypicality of the known points", got, 0.0, cause)


@law
def units_do_not_matter(answer, rng):
    """In other units every log p moves by the same number: nothing becomes more typical."""
    known, batch = rng.normal(size=60), rng.normal(size=40) + 1
    got = number(answer, "atypicality", batch, known)
    moved = number(answer, "atypicality", batch + 9.2, known + 9.2)
    close("the atypicality in other units", moved, got, "compare with the known points")


# -------------------- splines: place_in_bin


def share_of(t: float, rise: float, left: float, right: float) -> float:
    """How much of its height a piece has reached at t, as the sheet gives it."""
    both = t * (1 - t)
    return (rise * t**2 + left * both) / (rise + (left + right - 2 * rise) * both)


@law
def straight_pieces(answer, rng):
    """Where all slopes are equal the piece is straight, and its ends are its ends."""
    for share in (0.0, 0.25, 0.7, 1.0):
        got = number(answer, "place_in_bin", share, 1.7, 1.7, 1.7)
        cause = "with equal slopes the quadratic has no square: dividing by it fails"
        close(f"the place at share {share:g} of a straight piece", got, share, cause)
    for share in (0.0, 1.0):
        got = number(answer, "place_in_bin", share, 0.8, 2.0, 0.3)
        close(f"the place at share {share:g}", got, share, "a piece begins at 0 and ends at 1")


@law
def there_again(answer, rng):
    """The share at the place is the share that was given, gentle or steep."""
    for size in (0.3, 1.0, 4.0):
        for _ in range(12):
            rise, left, right = np.exp(size * rng.normal(size=3)).tolist()
            share = float(rng.uniform(0.01, 0.99))
            t = number(answer, "place_in_bin", share, rise, left, right)
            if not -TINY <= t <= 1 + TINY:
                fail("a place", t, "between 0 and 1", "this is the other root of the quadratic")
            got, cause = share_of(t, rise, left, right), ""
            if abs(share_of(t, rise, right, left) - share) < 1e-6 < abs(got - share):
                cause = "left and right are exchanged"
            elif abs(t - share_of(share, rise, left, right)) < 1e-9:
                cause = "this is the piece itself, not its inverse"
            close(f"the share at the place for share {share:.3f}", got, share, cause, 1e-7)


@law
def seen_in_a_mirror(answer, rng):
    """Turned by half a turn, a piece is one with its slopes exchanged."""
    for _ in range(8):
        rise, left, right = np.exp(rng.normal(size=3)).tolist()
        share = float(rng.uniform(0.05, 0.95))
        there = number(answer, "place_in_bin", share, rise, left, right)
        back = number(answer, "place_in_bin", 1 - share, rise, right, left)
        close("the place in the turned piece", 1 - back, there, "which slope is which?", 1e-7)
