"""What the stored runs say: medians and spreads, paired effects with intervals, fences.

The chapters read stored results here, so that their sentences about training are computed, and
are the same on every machine.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, stdtrit  # scipy.stats has them too, and takes a second to load

from .study import SweepError, load

__all__ = [
    "FALSE_ALARMS", "FENCES", "LOWEST_GAP", "Effect", "Evidence", "check", "evidence", "fence",
    "interval", "is_odd",
]  # fmt: skip

# What a chapter's own training is held against: name -> (study, arm, number).
FENCES = {
    "ring": ("recipe", "recipe", "gap"),
    "one-hot": ("one_hot", "one-hot", "gap"),
}
# How often the whole book, run on a new machine, may call a healthy training odd.
FALSE_ALARMS = 1e-3
# No density has a gap below 0; the mean over 20,000 points is off by some thousandths of a nat.
LOWEST_GAP = -0.05


def interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Interval for a median that assumes no distribution: two of the sorted values.

    The number of values below the median is binomial, with chance one half each. So the k-th
    smallest and the k-th largest value enclose it with a probability that can be counted.

    Args:
        values: Independent numbers.
        confidence: The probability wanted, at least.

    Returns:
        Low and high end: the narrowest such pair; all values, if there are too few.

    Raises:
        ValueError: If there is no value, or the confidence is not between 0 and 1.

    Example:
        >>> interval(range(21))
        (5.0, 15.0)
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, but is {confidence}")
    ordered = np.sort(np.asarray(list(values), dtype=float))
    if not len(ordered):
        raise ValueError("values must hold at least one number, but is empty")
    below = bdtr(np.arange(len(ordered)), len(ordered), 0.5)  # P(at most 0, 1, ... lie below)
    k = max(int((1 - 2 * below >= confidence).sum()), 1)
    return float(ordered[k - 1]), float(ordered[-k])


@dataclass(frozen=True)
class Effect:
    """Differences between two arms, seed by seed.

    Attributes:
        median: Median difference.
        low: Lower end of its 95 % interval.
        high: Upper end.
        less: Number of seeds whose difference is below 0.
        n: Number of seeds.

    Example:
        >>> str(Effect(-0.5, -0.75, -0.25, 20, 21))
        '-0.500 (95 %: -0.750 to -0.250; less in 20 of 21)'
    """

    median: float
    low: float
    high: float
    less: int
    n: int

    def __str__(self) -> str:
        ends = f"{self.low:+.3f} to {self.high:+.3f}"
        return f"{self.median:+.3f} (95 %: {ends}; less in {self.less} of {self.n})"

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


class Evidence:
    """The stored results of a study.

    Args:
        name: The study's name.

    Raises:
        SweepError: If there are none.

    Example:
        >>> evidence("recipe").n
        63
    """

    def __init__(self, name: str):
        self.name, self.results = name, load(name)
        self.arms, self.n = list(self.results["arms"]), len(self.results["seeds"])

    def arm(self, arm: str) -> dict:
        """What is stored of an arm; an unknown one is an error that names those there are."""
        try:
            return self.results["arms"][arm]
        except KeyError:
            known = ", ".join(self.arms)
            raise SweepError(f"{self.name} has no arm {arm!r}; it has {known}") from None

    def values(self, arm: str, number: str = "gap") -> np.ndarray:
        """One number of an arm for each seed; what is no number (a blow-up) counts as infinite."""
        stored = self.arm(arm)["values"]
        if number not in stored:
            raise SweepError(f"{self.name} stores no {number!r}, but {', '.join(stored)}")
        values = np.array(stored[number], dtype=float)
        return np.where(np.isfinite(values), values, math.inf)

    def median(self, arm: str, number: str = "gap") -> float:
        """Median over the seeds."""
        return float(np.median(self.values(arm, number)))

    def spread(self, arm: str, number: str = "gap") -> tuple[float, float]:
        """The lowest and the highest value of all seeds."""
        values = self.values(arm, number)
        return float(values.min()), float(values.max())

    def share(self, arm: str, number: str = "gap", at_most: float = math.inf) -> str:
        """In how many runs a number is at most so large, in words such as '19 of 21'."""
        return f"{int((self.values(arm, number) <= at_most).sum())} of {self.n}"

    def effect(self, arm: str, control: str, number: str = "gap") -> Effect:
        """Differences arm - control, seed by seed."""
        return self.paired((arm, number), (control, number))

    def paired(self, one: tuple[str, str], other: tuple[str, str]) -> Effect:
        """Differences of two numbers, each named by its arm and its own name, seed by seed."""
        differences = self.values(*one) - self.values(*other)
        low, high = interval(differences)
        less = int((differences < 0).sum())
        return Effect(float(np.median(differences)), low, high, less, self.n)

    def rate(self, arm: str) -> float:
        """The learning rate with which an arm was run."""
        return self.arm(arm)["settings"]["lr"]

    def cpu_seconds(self, arm: str) -> float:
        """Median CPU seconds of a run, on the machine that measured."""
        return float(np.median(self.arm(arm)["cpu_seconds"]))

    def table(self, number: str = "gap", arms: Sequence[str] | None = None, digits: int = 3) -> str:
        """Median, lowest and highest value of each arm, a line each."""
        arms = list(arms or self.arms)
        width = max(len(arm) for arm in arms) + 2
        lines = [f"{'':{width}}{'median':>8}{'lowest':>9}{'highest':>9}"]
        for arm in arms:
            low, high = self.spread(arm, number)
            middle = f"{self.median(arm, number):8.{digits}f}"
            top = f"{high:9.{digits}f}" if high < 1e4 else f"{high:9.0e}"
            lines.append(f"{arm:{width}}{middle}{low:9.{digits}f}{top}")
        return "\n".join(lines)


def evidence(name: str) -> Evidence:
    """The stored results of a study.

    Args:
        name: Its name, as `python -m experiments --list` shows it.

    Returns:
        An `Evidence`.

    Raises:
        SweepError: If there are none, or the file is damaged.

    Example:
        >>> evidence("recipe").arms
        ['recipe']
    """
    return Evidence(name)


def fence(values: Sequence[float], false_alarms: float) -> float:
    """A height that one more value of the same kind passes with a given, small probability.

    Two estimates of the upper tail, and the higher of them: the logarithms taken as normal
    (Student's prediction interval), and a tail that falls like a power (Hill's estimate from the
    highest tenth), which is wider where a few trainings end badly.

    Args:
        values: Positive numbers, at least ten.
        false_alarms: The probability.

    Returns:
        The height.

    Raises:
        ValueError: If a value is not positive and finite, or there are too few.

    References:
        Hill 1975, A Simple General Approach to Inference About the Tail of a Distribution.

    Example:
        >>> 2 < fence([0.9, 1.0, 1.1, 1.0, 0.8, 1.2, 0.9, 1.0, 1.1, 1.0], 1e-3) < 4
        True
    """
    logs = np.sort(np.log(np.asarray(list(values), dtype=float)))
    n = len(logs)
    if n < 10 or not np.isfinite(logs).all():
        raise ValueError("values must be at least ten positive, finite numbers")
    reach = -stdtrit(n - 1, false_alarms) * logs.std(ddof=1) * math.sqrt(1 + 1 / n)
    k = max(5, n // 10)  # of the highest values
    slope = (logs[-k:] - logs[-k - 1]).mean() * (1 + 2 / math.sqrt(k))  # and its own uncertainty
    power = logs[-k - 1] + slope * math.log(k / (n * false_alarms))
    return float(np.exp(max(logs.mean() + reach, power)))


def fence_of(name: str) -> tuple[float, int]:
    """The fence of a training in the book, and from how many runs it comes."""
    if name not in FENCES:
        raise ValueError(f"name must be one of {', '.join(FENCES)}, but is {name!r}")
    study, arm, number = FENCES[name]
    values = evidence(study).values(arm, number)
    return fence(values, FALSE_ALARMS / len(FENCES)), len(values)


def is_odd(name: str, value: float) -> bool:
    """Whether a gap is one that the stored runs, or any density at all, cannot explain.

    Args:
        name: Which training: a key of `FENCES`.
        value: Its gap, nats.

    Returns:
        True if it lies above the fence, or further below 0 than chance allows, or is no number.

    Raises:
        ValueError: If there is no such training.

    Example:
        >>> is_odd("ring", 0.07), is_odd("ring", 9.0), is_odd("ring", -1.0)
        (False, True, True)
    """
    return not LOWEST_GAP < value <= fence_of(name)[0]


def check(name: str, value: float) -> None:
    """Print the gap of a training in the book, and whether the stored runs have such a one.

    Args:
        name: Which training: a key of `FENCES`.
        value: Its gap, nats.

    Raises:
        ValueError: If there is no such training.

    Example:
        >>> check("ring", 9.0)  # doctest: +ELLIPSIS
        gap ≈ 9.0000 nats: ABOVE the fence at ... nats of 63 stored runs. Something is wrong
    """
    limit, n = fence_of(name)
    if not is_odd(name, value):
        verdict = f"as in the {n} stored runs (fence at {limit:.2f} nats)"
    elif value <= LOWEST_GAP:
        verdict = "BELOW what any density can reach. Something is wrong"
    else:
        verdict = f"ABOVE the fence at {limit:.2f} nats of {n} stored runs. Something is wrong"
    print(f"gap ≈ {value:.4f} nats: {verdict}")
