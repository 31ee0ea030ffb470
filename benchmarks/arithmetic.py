"""From runs to figures: time to a gap, medians and spread, the rate that a library is given."""

import math
from collections.abc import Sequence


def time_to(curves: Sequence[Sequence[dict]], target: float) -> float | None:
    """CPU seconds to a gap, over the trainings of one seed, short and long ones.

    Args:
        curves: For each training its checkpoints, {"cpu": seconds so far, "gap": nats or None}.
        target: The gap, nats.

    Returns:
        The least seconds at which one of the trainings is there; None if none is.

    Example:
        >>> time_to([[{"cpu": 1.0, "gap": 0.4}, {"cpu": 2.0, "gap": 0.1}]], 0.25)
        2.0
    """
    times = [
        point["cpu"]
        for curve in curves
        for point in curve
        if point["gap"] is not None and point["gap"] <= target
    ]
    return min(times, default=None)


def spread(values: Sequence[float | None]) -> list[float | None]:
    """Median, lowest and highest. None (not reached, or no number) counts as worse than any number.

    Args:
        values: At least one number; the lower the better.

    Returns:
        The three, None for one that is not reached. The median of an even count is the upper of the
        two in the middle, so that it is one of the values.

    Raises:
        ValueError: If there is no value.

    Example:
        >>> spread([0.3, None, 0.1])
        [0.3, 0.1, None]
    """
    if not values:
        raise ValueError("values must hold at least one number, but are empty")
    ordered = sorted(math.inf if value is None else value for value in values)
    three = ordered[len(ordered) // 2], ordered[0], ordered[-1]
    return [None if math.isinf(value) else value for value in three]


def best_rate(gaps: dict[float, float | None]) -> float:
    """The learning rate with the lowest gap.

    Args:
        gaps: Rate -> gap of its training on the seed that is held out; None if it broke down.

    Returns:
        The rate.

    Raises:
        ValueError: If all broke down.

    Example:
        >>> best_rate({1e-3: 0.4, 1e-2: 0.2, 1e-1: None})
        0.01
    """
    whole = {rate: gap for rate, gap in gaps.items() if gap is not None}
    if not whole:
        raise ValueError(f"one of the rates must give a number, but none does: {sorted(gaps)}")
    return min(whole, key=whole.get)


def times_less(ours: float | None, theirs: float | None) -> float | None:
    """How many times less CPU ours takes, None where one is not there.

    Args:
        ours: Seconds.
        theirs: Seconds.

    Returns:
        theirs / ours.

    Example:
        >>> times_less(0.5, 20.0)
        40.0
    """
    return None if ours is None or theirs is None else theirs / ours
