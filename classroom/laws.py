"""The laws that an answer must keep, measured from outside: numbers go in, numbers come out.

No law knows a reference solution. What a Jacobian is, it finds by central differences of the
answer's own values; what an integral is, by summing the answer's own density. So any correct answer
passes, however it is written, and a law can judge a process behind a pipe as well as a function.

Each function here makes a law for the callables that it names (see `classroom.verdict`).
Directions: `decode` maps latent z to data x, `encode` x to z; each returns a value and the
log|det| of its own map.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import wraps

import numpy as np

from classroom.verdict import Answer, Law, Verdict, wrong

Draw = Callable[[np.random.Generator], np.ndarray]
STEP = 1e-5  # of a central difference: its error is of the order of STEP^2
SCALES = "the log of a scale is missing or counted twice"


class Broken(Exception):
    """A law does not hold; the verdict says how.

    Args:
        verdict: what was measured, wanted, and the usual cause.
    """

    def __init__(self, verdict: Verdict):
        super().__init__(verdict.message)
        self.verdict = verdict


def law(check: Callable[[Answer, np.random.Generator], None]) -> Law:
    """Make a law of a function that raises `Broken` where it does not hold.

    Args:
        check: takes the answer and a source of random numbers.

    Returns:
        The law: it returns the verdict, or None.
    """

    @wraps(check)
    def judged(answer: Answer, rng: np.random.Generator) -> Verdict | None:
        try:
            with np.errstate(all="ignore"):
                check(answer, rng)
        except Broken as broken:
            return broken.verdict
        return None

    return judged


def fail(what: str, measured, wanted, cause: str = "") -> None:
    """Stop with a verdict: what is measured, not what is wanted, and why that usually is.

    Args:
        what: the quantity, as the subject of a sentence.
        measured: a number or text.
        wanted: a number or text.
        cause: the usual cause.

    Raises:
        Broken: always.
    """
    raise Broken(wrong(what, shown(measured), shown(wanted), cause))


def shown(value) -> str:
    """A number in four digits, a point in parentheses, a text as it is.

    Example:
        >>> shown(0.123456), shown(np.array([1.0, -2.5])), shown("rising")
        ('0.1235', '(1, -2.5)', 'rising')
    """
    if isinstance(value, str):
        return value
    if np.ndim(value):
        return "(" + ", ".join(shown(entry) for entry in np.ravel(value)) + ")"
    return f"{float(value):.4g}"


# -------------------------------------------------------------------------------- points to try


def bell(n: int = 6, dim: int | None = None, scale: float = 1.3) -> Draw:
    """Draws points from a normal distribution: (n,), or (n, dim)."""
    return lambda rng: scale * rng.standard_normal(n if dim is None else (n, dim))


def between(low: float, high: float, n: int = 6) -> Draw:
    """Draws points (n,) evenly from an interval."""
    return lambda rng: rng.uniform(low, high, n)


# ---------------------------------------------------------------- asking the answer for numbers


def outputs(answer: Answer, name: str, *arguments, parts: int = 1) -> tuple[np.ndarray, ...]:
    """Call an answer and hold it to the number of arrays that it should return.

    Args:
        answer: the black boxes.
        name: which of them.
        *arguments: numbers and arrays.
        parts: how many arrays must come back.

    Returns:
        That many float64 arrays.

    Raises:
        Broken: there are more or fewer, or they are no numbers.
    """
    got = answer[name](*arguments)
    got = tuple(got) if isinstance(got, tuple | list) else (got,)
    if len(got) != parts:
        what = "one array" if parts == 1 else f"{parts} arrays (the value, then its log-det)"
        fail(f"what `{name}` returns", f"{len(got)} array{'s' * (len(got) != 1)}", what)
    return tuple(np.asarray(part, dtype=np.float64) for part in got)


def one(answer: Answer, name: str, *arguments, shape: tuple | None = None) -> np.ndarray:
    """The one array that an answer returns, held to a shape."""
    (value,) = outputs(answer, name, *arguments)
    if shape is not None and value.shape != shape:
        cause = "one value for each point" if len(shape) == 1 else ""
        fail(f"the shape of `{name}`", str(value.shape), str(shape), cause)
    return value


def number(answer: Answer, name: str, *arguments) -> float:
    """The single number that an answer returns.

    Raises:
        Broken: it is an array of several, or not finite.
    """
    value = one(answer, name, *arguments)
    if value.size != 1:
        fail(f"what `{name}` gives", f"{value.size} numbers", "one number")
    if not np.isfinite(value).all():
        fail(f"`{name}`", shown(value.item()), "a finite number")
    return value.item()


def mapped(answer: Answer, name: str, points: np.ndarray, *more) -> tuple[np.ndarray, np.ndarray]:
    """Value and log-det of a map at points, held to their shapes."""
    value, log_det = outputs(answer, name, points, *more, parts=2)
    if value.shape != points.shape:
        fail(f"the shape of `{name}`'s value", str(value.shape), str(points.shape))
    if log_det.shape != points.shape[:1]:
        cause = "sum it over the coordinates, and only over them"
        fail(f"the shape of `{name}`'s log-det", str(log_det.shape), str(points.shape[:1]), cause)
    return value, log_det


def jacobians(answer: Answer, name: str, points: np.ndarray, *more, parts: int = 2) -> np.ndarray:
    """Jacobians by central differences of the answer's values, shape (n, D, D).

    Each point alone must decide its value. Points of shape (n,) give shape (n, 1, 1). A map returns
    its value and its log-det: two parts.
    """

    def value(at):
        return outputs(answer, name, at, *more, parts=parts)[0].reshape(len(points), -1)

    steps = [np.array(1.0)] if points.ndim == 1 else list(np.eye(points.shape[1]))
    columns = [(value(points + STEP * e) - value(points - STEP * e)) / (2 * STEP) for e in steps]
    return np.stack(columns, axis=2)


# -------------------------------------------------------------------------------- laws of a map


def cause_of_log_det(log_det: np.ndarray, true: np.ndarray, jacobian: np.ndarray) -> str:
    """What a wrong log-det usually means, judged by its numbers."""

    def like(other):
        return np.allclose(log_det, other, atol=1e-4, rtol=1e-3)

    size = jacobian.shape[1]
    if not np.isfinite(true).all():
        return "the map squeezes space flat: several points go to one"
    if not np.isfinite(log_det).all():
        return "a logarithm of a negative number, or of 0: the absolute value is missing"
    if like(-true):
        return "the sign is wrong, this is the log-det of the other direction"
    if like(0 * true):
        return "the log-det was forgotten"
    if like(np.exp(true)):
        return "the logarithm was forgotten"
    if size > 1 and np.ptp(log_det) < 1e-9 < np.ptp(true):
        return "one number for the whole batch, where each point has its own"
    if size > 1 and like(true / size) or any(like(true / k) for k in range(2, size + 1)):
        return "a mean over the coordinates, where it should be the sum"
    if np.ptp(log_det - true) < 1e-4:
        return SCALES
    return "this is not the slope of the map that you return with it"


def worst_of(off: np.ndarray) -> int:
    """The place of the largest error; one that is no number is larger than all.

    Example:
        >>> worst_of(np.array([0.1, np.nan, 3.0]))
        1
    """
    return int(np.argmax(np.where(np.isfinite(off), off, np.inf)))


def log_det_is_autograds(
    name: str = "decode", points: Draw | None = None, tolerance: float = 1e-5, more: tuple = ()
) -> Law:
    """The log-det of a map is that of its Jacobian, which is measured by differences of its values.

    Args:
        name: the map; it returns its value and its log-det.
        points: where to look; by default six points of a bell in one dimension.
        tolerance: allowed difference, as a share of 1 + |log-det|.
        more: further arguments of the map, such as a context.

    Returns:
        The law.
    """

    @law
    def log_det(answer, rng):
        at = (points or bell())(rng)
        _, given = mapped(answer, name, at, *more)
        jacobian = jacobians(answer, name, at, *more)
        true = np.linalg.slogdet(jacobian)[1]
        off = np.abs(given - true)
        if not (np.isfinite(true) & (off <= tolerance * (1 + np.abs(true)))).all():
            worst = worst_of(off)
            what = f"the log-det of `{name}` at {shown(at[worst])}"
            fail(what, given[worst], true[worst], cause_of_log_det(given, true, jacobian))

    return log_det


def round_trip(
    there: str = "decode", back: str = "encode", points: Draw | None = None,
    tolerance: float = 1e-6, more: tuple = (),
) -> Law:  # fmt: skip
    """One direction undoes the other, and their log-dets cancel.

    Args:
        there: the first map.
        back: the map that undoes it.
        points: where to begin.
        tolerance: allowed difference of points and of log-dets.
        more: further arguments of both maps.

    Returns:
        The law.
    """

    @law
    def undone(answer, rng):
        at = (points or bell())(rng)
        value, first = mapped(answer, there, at, *more)
        again, second = mapped(answer, back, value, *more)
        off = np.abs(again - at).reshape(len(at), -1).max(axis=1)
        if not (off <= tolerance).all():
            worst = worst_of(off)
            twice = outputs(answer, there, value, *more, parts=2)[0]
            cause = f"`{back}` must undo the steps of `{there}`, the last one first"
            if np.allclose(twice, again):
                cause = f"`{back}` runs the same map as `{there}`, not its inverse"
            what = f"`{back}(` `{there}(z)` `)`, back from z = {shown(at[worst])},"
            what = f"{what.replace('` `', '')}"
            fail(what, again[worst], at[worst], cause)
        total = first + second
        if not (np.abs(total) <= tolerance * (1 + np.abs(first))).all():
            worst = worst_of(np.abs(total))
            cause = SCALES
            if np.allclose(first, second):
                cause = "one direction has the wrong sign"
            elif np.allclose(first, 0) or np.allclose(second, 0):
                cause = "one direction forgets its log-det"
            fail("the sum of the two log-dets", total[worst], 0, cause)

    return undone


def finite_far_out(name: str, points: Sequence, parts: int = 2, cause: str = "") -> Law:
    """Values stay numbers, far from the middle too.

    Args:
        name: the map or density.
        points: where to look, in the shape that it takes.
        parts: how many arrays it returns.
        cause: what usually goes wrong there.

    Returns:
        The law.
    """

    @law
    def finite(answer, rng):
        at = np.asarray(points, dtype=np.float64)
        for part in outputs(answer, name, at, parts=parts):
            bad = ~np.isfinite(part.reshape(len(at), -1)).all(axis=1)
            if bad.any():
                k = int(np.argmax(bad))
                fail(f"`{name}` at {shown(at[k])}", part[k], "a finite number", cause)

    return finite


def stays_within(name: str, low: float, high: float, ends: tuple[float, float]) -> Law:
    """A map of the line reaches into (low, high), near both ends, and not beyond.

    Args:
        name: the map.
        low, high: the interval.
        ends: two latents that should arrive near the ends.

    Returns:
        The law.
    """

    @law
    def within(answer, rng):
        at = np.concatenate([ends, 2 * rng.standard_normal(20)])
        value = mapped(answer, name, at)[0]
        if not ((value >= low) & (value <= high)).all():
            k = int(np.argmax(~((value >= low) & (value <= high))))
            cause = "the map leaves its interval"
            fail(f"`{name}({shown(at[k])})`", value[k], f"between {low:g} and {high:g}", cause)
        reached = sorted(value[:2])
        for got, wanted in zip(reached, (low, high), strict=True):
            if math.isfinite(wanted) and abs(got - wanted) > 0.05:
                cause = "the interval's width or its left end is wrong"
                fail(f"the end that `{name}` comes near", got, wanted, cause)

    return within


def every_input_matters(
    name: str, points: Draw, wanted: Sequence | None = None, cause: str = ""
) -> Law:
    """Which output depends on which input: the pattern of the Jacobian's zeros.

    Args:
        name: the map.
        points: where to look, (n, D).
        wanted: (D, D) of zeros and ones, one row for each output; by default all ones.
        cause: what a missing dependence usually means.

    Returns:
        The law.
    """

    @law
    def matters(answer, rng):
        at = points(rng)
        depends = (np.abs(jacobians(answer, name, at)) > 1e-9).any(axis=0)
        pattern = np.ones_like(depends) if wanted is None else np.array(wanted, dtype=bool)
        for i, j in np.argwhere(depends != pattern):
            what = f"the dependence of output {i + 1} of `{name}` on input {j + 1}"
            fail(what, *(("there", "absent") if depends[i, j] else ("absent", "there")), cause)

    return matters


def identity_at_start(name: str, points: Draw) -> Law:
    """A new layer or flow moves nothing.

    Args:
        name: the map of a new one.
        points: where to look.

    Returns:
        The law.
    """

    @law
    def identity(answer, rng):
        at = points(rng)
        value, log_det = mapped(answer, name, at)
        cause = "the last linear layer does not start at 0, in its weights or in its bias"
        if np.abs(value - at).max() > 1e-6:
            fail("the largest move that a new layer makes", np.abs(value - at).max(), 0, cause)
        if np.abs(log_det).max() > 1e-6:
            fail("the log-det of a new layer", log_det[np.argmax(np.abs(log_det))], 0, cause)

    return identity


def bounded_scale(name: str, bound: float, points: Draw, full: float = 0.5) -> Law:
    """The log-scale s stays within its bound, uses it, and is not bounded more tightly.

    Args:
        name: returns s at some points, of a layer with wild weights.
        bound: what |s| must not exceed.
        points: where to look.
        full: the share of the bound that it must reach, on both sides.

    Returns:
        The law.
    """

    @law
    def bounded(answer, rng):
        s = one(answer, name, points(rng))
        if not np.abs(s).max() <= bound * (1 + 1e-9):
            fail("the largest |s|", np.abs(s).max(), f"at most {bound:g}", "s has another bound")
        for end, sign in ((s.max(), 1), (-s.min(), -1)):
            if end < full * bound:
                cause = "s is bound more tightly than asked, or on one side only"
                fail("the farthest that s goes on one side", sign * end, sign * bound, cause)

    return bounded


def every_weight_learns(name: str) -> Law:
    """Each parameter gets a gradient.

    Args:
        name: returns the norms of the gradients, one for each parameter.

    Returns:
        The law.
    """

    @law
    def learns(answer, rng):
        norms = one(answer, name)
        if norms.size == 0:
            fail("the number of parameters with a gradient", 0, "at least 1", "nothing can learn")
        dead = ~(np.nan_to_num(norms) > 0)
        if dead.any():
            cause = "something cuts the graph: `detach`, `no_grad`, or a part that is never used"
            what = f"the gradient of parameter {int(np.argmax(dead)) + 1} of {norms.size}"
            fail(what, norms[np.argmax(dead)], "above 0", cause)

    return learns


def context_matters(name: str, points: Draw, a: Sequence, b: Sequence) -> Law:
    """Two contexts give two results.

    Args:
        name: called as name(points, context), with one row of context for each point.
        points: where to look, (n, D).
        a, b: two contexts.

    Returns:
        The law.
    """

    @law
    def matters(answer, rng):
        at = points(rng)
        rows = [np.tile(np.asarray(c, dtype=np.float64), (len(at), 1)) for c in (a, b)]
        first, second = (outputs(answer, name, at, row, parts=2) for row in rows)
        off = max(np.abs(p - q).max() for p, q in zip(first, second, strict=True))
        if not off > 1e-6:
            cause = "the context is not handed on"
            fail(f"the difference that two contexts make in `{name}`", off, "above 0", cause)

    return matters


# ---------------------------------------------------------------------------- laws of a density


def cells(extent: Sequence[float], n: int) -> tuple[np.ndarray, float]:
    """Midpoints of a grid on (low, high) or (low, high, low, high), and the size of a cell.

    Returns:
        Points (n,) or (n * n, 2), and the length or area of one cell.
    """
    axes = [
        low + (high - low) * (np.arange(n) + 0.5) / n
        for low, high in zip(extent[::2], extent[1::2], strict=True)
    ]
    sizes = [(high - low) / n for low, high in zip(extent[::2], extent[1::2], strict=True)]
    if len(axes) == 1:
        return axes[0], sizes[0]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2), math.prod(sizes)


def integrates_to_one(
    name: str = "log_prob", extent: Sequence[float] = (-12, 12), n: int = 4000,
    tolerance: float = 2e-3, more: tuple = (), log: bool = True,
) -> Law:  # fmt: skip
    """A density integrates to one.

    Args:
        name: the log-density of points, (n,) or (n, 2).
        extent: (low, high), or (low, high, low, high) in two dimensions.
        n: cells of the grid, along each axis.
        tolerance: allowed difference from one.
        more: further arguments.
        log: False if it returns the density itself.

    Returns:
        The law.
    """

    @law
    def integral(answer, rng):
        grid, size = cells(extent, n)
        density = one(answer, name, grid, *more, shape=(len(grid),))
        density = np.exp(density) if log else density
        if np.isnan(density).any():
            at = grid[np.argmax(np.isnan(density))]
            fail(f"`{name}` at {shown(at)}", "no number", "a number")
        if density.min() < 0:
            fail("the density's lowest value", density.min(), "at least 0", "an absolute value")
        total = density.sum() * size
        if not abs(total - 1) <= tolerance:
            fail(f"the integral of the density{place(more)}", total, 1, cause_of_mass(total))

    return integral


def place(more: tuple) -> str:
    """For which further arguments something was measured."""
    return f" for {', '.join(shown(value) for value in more)}" if more else ""


def cause_of_mass(total: float) -> str:
    """What a wrong integral usually means."""
    for factor, why in (
        (math.sqrt(2 * math.pi), "the constant of the normal density is missing"),
        (2 * math.pi, "the constant of the normal density is missing"),
        (1 / math.sqrt(2 * math.pi), "the constant of the normal density is counted twice"),
        (math.sqrt(0.5), "the one half in the exponent is missing"),
    ):
        if abs(total / factor - 1) < 2e-3:
            return why
    return "the log-det is missing, has the wrong sign, or belongs to another map"


def samples_match_density(
    samples: str = "sample", density: str = "log_prob", extent: Sequence[float] = (-12, 12),
    n: int = 20_000, grid: int = 2000, log: bool = True, more: tuple = (),
) -> Law:  # fmt: skip
    """The samples are those of the density: mean waves of both agree.

    For random w, the mean of exp(i w.x) over the samples is the integral of exp(i w.x) p(x), up to
    noise. All such means together determine a distribution.

    Args:
        samples: called with (n, seed) and `more`; returns (n,) or (n, D) points.
        density: its log-density, called with points and `more`.
        extent: where nearly all mass is.
        n: how many samples to draw.
        grid: cells along each axis.
        log: False if `density` returns the density itself.
        more: further arguments of both.

    Returns:
        The law.
    """

    @law
    def match(answer, rng):
        drawn = one(answer, samples, n, int(rng.integers(2**31)), *more)
        if len(drawn) != n:
            fail("the number of samples", len(drawn), n)
        at, size = cells(extent, grid)
        p = one(answer, density, at, *more, shape=(len(at),))
        p = (np.exp(p) if log else p) * size
        drawn, at = drawn.reshape(n, -1), at.reshape(len(at), -1)
        spread = max(float(np.std(drawn)), 1e-6)
        for w in rng.standard_normal((8, drawn.shape[1])) / spread:
            seen, wanted = np.exp(1j * drawn @ w).mean(), (np.exp(1j * at @ w) * p).sum()
            if not abs(seen - wanted) < 6 / math.sqrt(n):
                cause = "samples and density come from two different maps"
                what = "the difference between the samples' mean wave and the density's"
                fail(what, abs(seen - wanted), f"below {6 / math.sqrt(n):.2g}", cause)

    return match


def given(check: Law, **functions) -> Law:
    """A law that also has callables of the judge's own, beside those of the answer.

    Args:
        check: the law.
        **functions: callables of arrays; they hide the answer's of the same name.

    Returns:
        The law.
    """
    return lambda answer, rng: check({**answer, **functions}, rng)


def of_bell_through(check: Law, encode: str = "encode") -> Law:
    """A law of the density to which a map pushes the bell, computed here from the map alone.

    Args:
        check: a law about `log_prob`.
        encode: the map from data to latent, with its log-det.

    Returns:
        The law.
    """

    def judged(answer, rng):
        def log_prob(x):
            z, log_det = mapped(answer, encode, x)
            return base_log_prob(z.reshape(len(z), -1)) + log_det

        return check({**answer, "log_prob": log_prob}, rng)

    return judged


def base_log_prob(z: np.ndarray) -> np.ndarray:
    """Log-density of a standard normal at points (n, D)."""
    return (-0.5 * z**2 - 0.5 * math.log(2 * math.pi)).sum(axis=1)


# --------------------------------------------------------------------------- laws of a training


def training_lowers_own_nll(
    name: str, data: Draw, fresh: Draw, at_most: float, slack: float = 0.6
) -> Law:
    """A training lowers the NLL, on new points too, and its history says what is measured.

    The NLL is computed here, from latents and log-dets: a loss with the wrong sign has a perfect
    history.

    Args:
        name: called with (data, fresh, seed); trains, and returns the losses along the way, and the
            latents and log-dets of the fresh points.
        data: the training points, (n, D).
        fresh: new points of the same kind.
        at_most: the NLL that a sound training reaches, in nats.
        slack: how far the last loss may lie from the NLL measured on fresh points.

    Returns:
        The law.
    """

    @law
    def lowers(answer, rng):
        train, new = data(rng), fresh(rng)
        losses, z, log_det = outputs(answer, name, train, new, 0, parts=3)
        if losses.ndim != 1 or losses.size < 2:
            fail("the number of losses that come back", losses.size, "one for each step")
        if not np.isfinite(losses).all():
            fail(
                "a loss of your training", "no finite number", "a number", "the steps are too large"
            )
        measured = -(base_log_prob(z) + log_det).mean()
        before = -base_log_prob(new).mean()  # of the identity
        if measured > at_most:
            cause = "steps are too few, too small, or do not follow the gradient of the mean NLL"
            if measured > before + 0.1:
                cause = "the loss has the wrong sign: the training climbs"
            elif abs(measured - before) < 1e-3:
                cause = "the weights never change: no step of the optimiser"
            fail("the NLL of new points after the training", measured, f"at most {at_most}", cause)
        last = losses[-max(1, len(losses) // 10) :].mean()
        if abs(last - measured) > slack:
            cause = "the loss that you report is not the mean negative log-likelihood"
            fail("the last loss that you report", last, f"near {shown(measured)}", cause)

    return lowers


def same_seed_same_numbers(name: str, *arguments, seeds: tuple[int, int] = (1, 2)) -> Law:
    """The same seed gives the same numbers, another seed gives others.

    Args:
        name: called with the arguments, then the seed.
        *arguments: numbers, or functions of the source of random numbers.
        seeds: two seeds.

    Returns:
        The law.
    """

    @law
    def seeded(answer, rng):
        given = [a(rng) if callable(a) else a for a in arguments]
        first, again, other = (
            flat(answer[name](*given, seed)) for seed in (seeds[0], seeds[0], seeds[1])
        )
        if first.shape != again.shape or not np.array_equal(first, again):
            off = np.abs(first - again).max() if first.shape == again.shape else math.inf
            cause = "something random does not come from the seed"
            fail("the difference between two runs with one seed", off, 0, cause)
        if np.array_equal(first, other):
            fail("the difference between two seeds", 0, "above 0", "the seed is not used")

    return seeded


def flat(value) -> np.ndarray:
    """All numbers of an array, or of several, in one row."""
    return np.concatenate([np.ravel(part) for part in (value if several(value) else (value,))])


def several(value) -> bool:
    """Whether a black box returned more than one array."""
    return isinstance(value, tuple | list)


def schedule(name: str, steps: int, wanted: Mapping[int, float], causes: Mapping[int, str]) -> Law:
    """A learning rate takes given values at given steps, for a peak of one.

    Args:
        name: called with (step, steps, peak).
        steps: how many steps the training has.
        wanted: the rate at some steps.
        causes: what a wrong rate at one of them usually means.

    Returns:
        The law.
    """

    @law
    def falls(answer, rng):
        for step, rate in wanted.items():
            got = number(answer, name, step, steps, 1.0)
            if abs(got - rate) > 0.01:
                fail(f"the rate at step {step} of {steps}", got, rate, causes.get(step, ""))

    return falls


# --------------------------------------------------------------------------- a value worked out


def hand_computed(
    name: str, arguments: Sequence, wanted: float | Sequence, tolerance: float = 1e-3,
    usual: Mapping[float, str] | None = None, part: int | None = None, what: str = "",
    otherwise: str = "",
) -> Law:  # fmt: skip
    """A value that can be worked out with pen and paper, and the slips that are usual there.

    Args:
        name: the callable.
        arguments: what it is called with.
        wanted: its value: one number, or several.
        tolerance: allowed difference.
        usual: wrong value -> what it usually means.
        part: which of several arrays to look at; None if there is one.
        what: how to speak of it; by default the call itself.
        otherwise: the usual cause of any other value.

    Returns:
        The law.
    """

    @law
    def worked_out(answer, rng):
        got = answer[name](*[np.array(a, float) if several(a) else a for a in arguments])
        if part is not None:
            if not several(got) or len(got) <= part:
                fail(f"what `{name}` returns", "one array", "a value and its log-det")
            got = got[part]
        elif several(got):
            fail(f"what `{name}` returns", f"{len(got)} arrays", "one number")
        got, right = np.asarray(got, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
        call = f"`{name}({', '.join(shown(a) for a in arguments)})`" if arguments else f"`{name}`"
        if got.size != right.size:
            fail(f"the size of {what or call}", got.size, right.size)
        if not np.abs(got.ravel() - right.ravel()).max() <= tolerance:
            cause = otherwise
            if right.size == 1:
                near = [why for v, why in (usual or {}).items() if abs(got.item() - v) <= tolerance]
                cause = near[0] if near else otherwise
            fail(what or call, got if right.ndim else got.item(), right, cause)

    return worked_out
