"""The page "How fast, how good", from what `benchmarks/field.py` measured: no number is typed."""

import json
import statistics
from pathlib import Path

from benchmarks.arithmetic import times_less

FOLDER = Path(__file__).resolve().parent
SHOWN = ["0.25", "0.1", "0.05", "0.025"]
WILD = "broke down"
NOTHING = "–"  # not measured
SMALL = "ours, affine, 8 couplings"  # one more flow whose points a second are counted

HEAD = """---
myst:
  html_meta:
    keywords: benchmark, CPU time, zuko, nflows, normflows, FrEIA, neural spline flow, RealNVP
---

# How fast, how good

How long does a computer have to work until a flow has learnt the ring, and how well does it know it
then? Here the flows of this course, the recipe of the reference chapter and other libraries answer
side by side. The *gap* is the held-out loss minus that of the true density on the same points, in
nats; in expectation that is the loss minus the entropy of the ring, and 0 is perfect
({doc}`chapters/5_training` explains it). A table gives the median over seeds and, in brackets, the
lowest and the highest. A dash stands for what was not measured.
"""


def digits(value: float | None, n: int = 2, none: str = "never") -> str:
    """A number with n digits that count, never in powers of ten.

    Args:
        value: The number.
        n: Digits.
        none: What to say if it is not there.

    Returns:
        Text.

    Example:
        >>> digits(0.0123), digits(12.3), digits(1234.5), digits(None)
        ('0.012', '12', '1,200', 'never')
    """
    if value is None:
        return none
    short = float(f"{value:.{n}g}")
    if abs(short) >= 10 ** (n - 1):
        return f"{short:,.0f}"
    plain = f"{short:.10f}".rstrip("0")
    return plain + "0" if plain.endswith(".") else plain


def three(values: list, n: int = 2, factor: float = 1.0, none: str = "never") -> str:
    """Median, with lowest and highest in brackets where they differ; numbers stay in one line.

    Args:
        values: The three.
        n: Digits.
        factor: What they are multiplied with.
        none: What to say for one that is not there.

    Returns:
        Text.

    Example:
        >>> three([0.3, 0.1, None])
        '0.3 (0.1\\xa0to\\xa0never)'
    """
    middle, low, high = (digits(None if v is None else v * factor, n, none) for v in values)
    space = " " if " " in low + high else "\u00a0"
    return middle if low == high else f"{middle} ({low}{space}to{space}{high})"


def table(head: list[str], rows: list[list]) -> str:
    """A table of Markdown.

    Args:
        head: Its first line.
        rows: The others, of texts or numbers.

    Returns:
        Text.

    Example:
        >>> print(table(["a", "b"], [[1, "x|y"]]))
        | a | b |
        |---|---|
        | 1 | x\\|y |
    """
    lines = ([str(cell).replace("|", "\\|") for cell in line] for line in (head, *rows))
    text = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([text[0], "|---" * len(head) + "|", *text[1:]])


def to_a_gap(found: dict) -> str:
    """CPU seconds to a gap."""
    rows = [[arm, *(three(row["to"][target]) for target in SHOWN)]
            for arm, row in found["ring"].items()]  # fmt: skip
    return table(["flow", *(f"to {target}" for target in SHOWN)], rows)


def by_length(found: dict) -> str:
    """The gap after trainings of several lengths."""
    seeds = {}
    for row in found["ring"].values():
        for n, one in row["lengths"].items():
            seeds.setdefault(int(n), set()).add(one["seeds"])
    lengths, rows = sorted(seeds), []
    for arm, row in found["ring"].items():
        cells = [row["lengths"].get(str(n)) for n in lengths]
        rows.append([arm, *(three(cell["gap"], none=WILD) if cell else NOTHING for cell in cells)])
    many = {n: (f"{min(s)} to " if len(s) > 1 else "") + counted(max(s), "seed")
            for n, s in seeds.items()}  # fmt: skip
    head = [f"{n:,} steps, {many[n]}" for n in lengths]
    return table(["flow", *head], rows)


def counted(n: int, what: str) -> str:
    """A count and its noun.

    Args:
        n: The count.
        what: The noun, in the singular.

    Returns:
        Text.

    Example:
        >>> counted(1, "seed"), counted(5, "seed")
        ('1 seed', '5 seeds')
    """
    return f"{n} {what}{'' if n == 1 else 's'}"


def longest(row: dict) -> tuple[str, dict]:
    """The longest training of an arm: its steps, and what it gave."""
    return max(row["lengths"].items(), key=lambda item: int(item[0]))


def samples(found: dict) -> str:
    """What the samples of the longest training are like."""
    rows = []
    for arm, row in found["ring"].items():
        steps, last = longest(row)
        strays = [three(last[f"strays_{n}"], factor=100, none=WILD) for n in (3, 4)]
        rows.append([arm, f"{int(steps):,}", *strays, three(last["worst_mode"], none=WILD)])
    head = ["flow", "steps", "beyond 3 sigma, %", "beyond 4 sigma, %", "lightest mode"]
    return table(head, rows)


def a_step(found: dict) -> str:
    """Weights, the rate that was chosen, and the cost of a step."""
    rows = []
    for arm, row in found["ring"].items():
        rate = f"{row['rate']:g}" if row["rate"] else "its own"
        rows.append([arm, f"{row['weights']:,}", rate, three(longest(row)[1]["ms"])])
    return table(["flow", "weights", "rate", "ms a step"], rows)


def speed(found: dict) -> str:
    """Points a second, and memory: a table for each, with a row for each flow."""
    sizes = sorted({int(n) for row in found["speed"].values() for n in row})
    parts = []
    for title, key in (
        ("`log_prob`, thousands of points a second", "log_prob"),
        ("`sample`, thousands of points a second", "sample"),
        ("Memory in MB", "megabytes"),
    ):
        rows = []
        for arm, measured in found["speed"].items():
            cells = [measured.get(str(n), {}).get(key) for n in sizes]
            rows.append([arm, *(points_or_memory(cell) for cell in cells)])
        head = ["flow", *(f"{n:,} points" for n in sizes)]
        parts.append(f"**{title}**\n\n{table(head, rows)}")
    return "\n\n".join(parts)


def points_or_memory(cell: list | float | None) -> str:
    """A cell of `speed`.

    Args:
        cell: Points a second (median, lowest, highest), megabytes, or nothing.

    Returns:
        Text.

    Example:
        >>> points_or_memory([3100, 2900, 3300]), points_or_memory(12.3), points_or_memory(None)
        ('3.1 (2.9\\xa0to\\xa03.3)', '12', '–')
    """
    if cell is None:
        return NOTHING
    return three(cell, factor=1e-3) if isinstance(cell, list) else digits(cell)


def depth(found: dict) -> str:
    """Gap and ms a step by depth."""
    layers = sorted({int(n) for row in found["depth"].values() for n in row})
    rows = []
    for arm, row in found["depth"].items():
        cells = [row.get(str(n)) for n in layers]
        shown = [
            f"{digits(c['gap'][0], none=WILD)} in {digits(c['cpu'][0])} s" if c else NOTHING
            for c in cells
        ]
        rows.append([arm, *shown])
    return table(["flow", *(f"{n} layers" for n in layers)], rows)


def labels(found: dict) -> str:
    """The ring with the mode given."""
    names = {"ours": "ours, 4 affine couplings", "reference": "reference"}
    rows = [[names[arm], str(row["seeds"]), three(row["gap"]), three(row["cpu"])]
            for arm, row in found["labels"].items()]  # fmt: skip
    return table(["flow", "seeds", "gap", "CPU s"], rows)


def least_gap(row: dict) -> float | None:
    """The lowest median gap over the lengths."""
    gaps = [one["gap"][0] for one in row["lengths"].values() if one["gap"][0] is not None]
    return min(gaps, default=None)


def stored(name: str) -> dict:
    """What another script of this folder measured: "limits" or "gpu"."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def grid_minutes(limits: dict, seeds: int = 20, cores: int = 2) -> float:
    """Minutes for the grid of depths and widths: what the depth study took, and what it leaves out.

    Args:
        limits: What `benchmarks/limits.py` keeps.
        seeds: Runs of each shape.
        cores: How many share the work.

    Returns:
        Minutes, if no core waits.
    """
    from experiments import evidence

    runs = evidence("depth")
    each = [runs.cpu_seconds(arm) for arm in runs.arms] + list(limits["grid"].values())
    return seeds * sum(each) / cores / 60


def beside() -> list[tuple[str, float | None, float, bool]]:
    """Goals that no run of the race is about: see `goals`."""
    limits = stored("limits")
    longest, runs = max(limits["radius"], key=int), limits["longer"]
    radius = [run["gap"] for run in limits["radius"][longest].values()]
    affine, spline = ([run["gap"] for run in runs[f].values()] for f in ("affine", "spline"))
    strays = [100 * run["strays_4"] for run in runs["spline"].values()]
    quasi, median = "on quasi-random batches", statistics.median
    return [
        (f"gap of affine couplings {quasi}", median(affine), 0.02, False),
        (f"gap of splines {quasi}", median(spline), 0.005, False),
        ("samples of these beyond 4 sigma, %", median(strays), 0.3, False),
        ("mean gap with the radius given, 1 to 4, by splines", median(radius), 0.02, False),
        (
            "20 seeds of 5 depths and 3 widths, minutes on two cores",
            grid_minutes(limits),
            10,
            False,
        ),
    ]


def outside_the_race() -> str:
    """Where the goals of `beside` come from."""
    limits = stored("limits")
    runs = [*limits["longer"].values(), *limits["radius"].values()]
    seeds = sorted({len(one) for one in runs})
    many = " to ".join(str(n) for n in dict.fromkeys((seeds[0], seeds[-1])))
    return (
        f"The last {len(beside())} rows are no part of the race (`benchmarks/limits.md`); their "
        f"gaps and strays are\nthose of few seeds ({many}). The minutes are those of the study in "
        "{doc}`chapters/5_training`,\na hundred steps a run at a rate that is known; four "
        "shapes that it leaves out were timed on a few steps."
    )


def goals(found: dict) -> list[tuple[str, float | None, float, bool]]:
    """What was hoped for before it was measured.

    Args:
        found: What was measured.

    Returns:
        Words, the measured number, its limit, and whether the limit is a least (else a most).
    """
    rings, labelled, speeds = (found[key] for key in ("ring", "labels", "speed"))
    affine, spline = rings["ours, affine"], rings["ours, spline"]
    to, rows = {name: row["to"] for name, row in rings.items()}, []
    if "reference" in rings:
        whole = longest(rings["reference"])[1]["cpu"][0]
        times = [row["to"]["0.1"][0] for row in (affine, spline)]
        quickest = min((one for one in times if one is not None), default=None)
        rows += [
            ("a gap of 0.1 by our best flow, times less CPU than the reference's whole run",
             times_less(quickest, whole), 30, True),
            ("the same by affine couplings", times_less(times[0], whole), 12, True),
        ]  # fmt: skip
    rows += [
        ("lowest gap, affine couplings", least_gap(affine), 0.02, False),
        ("lowest gap, splines", least_gap(spline), 0.005, False),
    ]
    if "zuko, spline" in rings:
        ratio = times_less(to["ours, spline"]["0.035"][0], to["zuko, spline"]["0.035"][0])
        rows.append(("a gap of 0.035 by splines, times less CPU than zuko's", ratio, 6, True))
    strays = [longest(row)[1]["strays_4"][0] for row in (affine, spline)]
    share = min((100 * one for one in strays if one is not None), default=None)
    rows.append(("samples beyond 4 sigma, %", share, 0.3, False))
    if "ours" in labelled:
        rows.append(("gap with the mode given", labelled["ours"]["gap"][0], 0.001, False))
    if "reference" in labelled:
        ratio = times_less(labelled["ours"]["cpu"][0], labelled["reference"]["cpu"][0])
        rows.append(("the same, times less CPU than the reference", ratio, 20, True))
    ours, small = speeds.get("ours, affine", {}), speeds.get(SMALL, {})
    for name, limit in (("reference", 8), ("zuko, affine", 3)):
        shared = set(ours) & set(speeds.get(name, {}))
        for key in ("log_prob", "sample") if shared else ():
            theirs, mine = (one[max(shared, key=int)][key][0] for one in (speeds[name], ours))
            words = f"`{key}`, times the points a second of: {name}"
            rows.append((words, mine / theirs, limit, True))
    for key in ("log_prob", "sample") if small else ():
        rates = [row[key][0] for row in small.values()]
        rows.append((f"`{key}`, slowest over fastest from the fewest to the most points",
                     min(rates) / max(rates), 0.8, True))  # fmt: skip
    return rows + beside()


def reached(value: float | None, limit: float, least: bool) -> bool:
    """Whether a number keeps its limit.

    Args:
        value: The number; None, if it is not there, keeps none.
        limit: Its limit.
        least: Whether the limit is a least (else a most).

    Returns:
        Whether it does.

    Example:
        >>> reached(0.1, 0.2, least=False), reached(0.1, 0.2, least=True), reached(None, 1.0, True)
        (True, False, False)
    """
    return value is not None and (value >= limit if least else value <= limit)


def goal_table(found: dict) -> str:
    """The goals, what was measured, and whether they are reached."""
    rows = []
    for words, value, limit, least in goals(found):
        sign, shown = "at least" if least else "at most", digits(value, none="not comparable")
        there = "yes" if reached(value, limit, least) else "no"
        rows.append([words, f"{sign} {limit:g}", shown, there])
    return table(["goal", "limit", "measured", "reached"], rows)


# How the goal begins -> what stands in the way; numbers in braces are those of `measured_beside`.
REASONS = {
    "the same by affine": "An affine coupling gains less with each step than a spline, and sixteen "
    "of them cost as much a step as four splines. With 8 points for 512 a step still takes "
    "{affine} % of its time: to start operations, and for the weights. Without any of that "
    "a step would be {affine_times} times as fast.",
    "lowest gap": "One thing in the way is the noise of random batches. Those of a quasi-random "
    "sequence, which needs data made of uniform numbers, brought the splines' gap to {quasi} "
    "in the time in which the recipe came to {plain} (`benchmarks/limits.md`). Beside that the gap "
    "still falls where the longest training here ends. Thirty-two affine couplings, twice as wide, "
    "on a GPU with eight times as many points a step, came to {gpu} (`benchmarks/gpu.md`).",
    "gap of affine": "This training had {longer_steps} steps. On random batches, see above.",
    "a gap of 0.035": "The goal was set against zuko as one finds it. With the course's schedule "
    "and batches its splines need about as many steps as ours (each of its layers bends both "
    "coordinates); what is left is the cost of a step. Of ours, {spline} % is taken by 8 points as "
    "well as by 512.",
    "samples beyond": "Strays lie on the bridges between modes and around them "
    "({{doc}}`chapters/7_outlook`). By and large, flows with a smaller gap have fewer.",
    "`log_prob`, times": "Flows of the same size do the same arithmetic in every library. Only "
    "training is recorded and replayed; `log_prob` and `sample` run as they are written. Of a call "
    "with 4,096 points, starting the operations takes {density} %.",
    "`log_prob`, slowest": "A thousand points are too few to hide what each operation costs before "
    "it begins: a call with 8 of them takes {few} ms, one with 4,096 takes {many} ms.",
    "mean gap with the radius": "The longest training had {radius_steps} steps; after "
    "{radius_short} the gap was {radius_gap}, so it still falls.",
}


def start_share(ms: dict) -> float:
    """The part of a recorded step's time that few points take as well as a whole batch."""
    few, batch = (value for name, value in ms.items() if name.endswith("recorded"))
    return few / batch


def measured_beside() -> dict[str, str]:
    """The numbers of the reasons."""
    limits, gpu = stored("limits"), stored("gpu")
    ms, density = {f: row["ms"] for f, row in limits["step"].items()}, limits["density"]
    shares = {family: start_share(row) for family, row in ms.items()}
    short, long = min(limits["radius"], key=int), max(limits["radius"], key=int)
    before = statistics.median(run["gap"] for run in limits["radius"][short].values())
    rows = limits["ideas"]["spline"]
    quasi, plain = (
        statistics.median(rows[name]["gaps"].values())
        for name in ("quasi-random batches", "the recipe")
    )
    steps = next(iter(limits["longer"]["affine"].values()))["steps"]
    return {
        "longer_steps": f"{steps:,}",
        "quasi": digits(quasi),
        "plain": digits(plain),
        **{f: f"{100 * share:.0f}" for f, share in shares.items()},
        "affine_times": digits(1 / (1 - shares["affine"])),
        "gpu": digits(statistics.median(gpu["near_the_limit"]["gaps"])),
        "density": f"{100 * density['log_prob, 8 points'] / density['log_prob, 4096 points']:.0f}",
        "few": digits(density["log_prob, 8 points"]),
        "many": digits(density["log_prob, 4096 points"]),
        "radius_steps": f"{int(long):,}",
        "radius_short": f"{int(short):,}",
        "radius_gap": digits(before),
    }


def reasons(found: dict) -> str:
    """What stands in the way of goals that are not reached, as a list."""
    missed = [words for words, *rest in goals(found) if not reached(*rest)]
    missed = [words.replace("`sample`", "`log_prob`") for words in missed]
    starts = [start for start in REASONS if any(words.startswith(start) for words in missed)]
    numbers = measured_beside()
    return "\n".join(f"- {start} ...: {REASONS[start].format(**numbers)}" for start in starts)


def tables(found: dict) -> str:
    """All tables, for a terminal.

    Args:
        found: What was measured.

    Returns:
        Text.
    """
    parts = [to_a_gap, by_length, samples, a_step, speed]
    return "\n\n".join(part(found) for part in parts)


def page(found: dict) -> str:
    """The page.

    Args:
        found: What was measured.

    Returns:
        Markdown.
    """
    machine, plan = found["machine"], found["plan"]
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    missing = "; ".join(f"{name}: {why}" for name, why in found["missing"].items())
    rates = ", ".join(f"{rate:g}" for rate in plan["rates"])
    lengths = ", ".join(f"{int(n):,}" for n in plan["lengths"])
    seeds = {one["seeds"] for row in found["ring"].values() for one in row["lengths"].values()}
    many = counted(max(seeds), "seed")
    many = many if len(seeds) == 1 else f"{min(seeds)} to {many}"
    deep = {one["seeds"] for row in found["depth"].values() for one in row.values()}
    left = found["left_undone"]
    shown = ", as far as the table shows them" if left else ""
    ours = [found["ring"][arm]["lengths"] for arm in ("ours, affine", "ours, spline")]
    long = ""
    if any(str(plan["long"]["steps"]) in lengths_of for lengths_of in ours):
        long = (
            f"- Only the course's flows were also trained for {plan['long']['steps']:,} steps. In "
            "the seconds to a\n  gap that could help them for a gap that no shorter training "
            "reaches.\n"
        )
    parts = [
        HEAD,
        f"All of it ran on one thread ({machine['processor']}, Python {machine['python']}, "
        f"torch {machine['torch']}; {libraries}), with {many} a flow. Your machine will "
        "give other seconds; compare the ratios."
        + (f" Left out: {missing}." if missing else "")
        + (f" Not measured yet: {left} runs." if left else ""),
        "\n## CPU seconds to a gap\n",
        to_a_gap(found),
        "\n\"Never\" stands for a seed none of whose trainings below came so near; before a "
        "bracket, for half of the seeds or more."
        + (" Few seeds have had the longest trainings yet." if left else ""),
        "\n## The gap, by the length of the training\n",
        by_length(found),
        "\n## What the samples are like\n",
        "A stray is a sample far from every mode. Of the ring's own points "
        "1.1 % lie beyond 3 sigma and 0.03 % beyond 4. The lightest mode should weigh 1, "
        "which is an eighth of all samples. From the longest training of each flow:\n",
        samples(found),
        "\n## What a step costs\n",
        a_step(found),
    ]  # fmt: skip
    if found["speed"]:
        parts += [
            "\n## Points a second\n",
            "In chunks of 4,096 points for all. The memory is what the process grew by, the points "
            "and the results included.\n",
            speed(found),
        ]
    if found["depth"]:
        parts += [
            "\n## Deeper\n",
            f"About {plan['depth']['steps']} steps each, by the number of layers; "
            f"{counted(max(deep), 'seed')}.\n",
            depth(found),
        ]
    if found["labels"]:
        parts += ["\n## With the mode given\n",
                  "The flow is told which mode a point belongs to (one-hot, as in "
                  "{doc}`chapters/6_conditional`). Ours has "
                  f"{plan['labels']['steps']} steps, about as few as bring the goal below on seeds "
                  "that are not used here.\n", labels(found)]  # fmt: skip
    parts += [
        "\n## Hoped for, and reached\n",
        f"These goals stood there before the measurement. {outside_the_race()}\n",
        goal_table(found),
        "\nWhere a goal is missed, this stands in the way:\n",
        reasons(found),
        "\n## How it was measured\n",
        f"""- For each seed all flows train in turn, so that a busy machine is busy for all. Only
  the training is timed: what looks at the gap stops the clock.
- Affine flows have the layers and the width of the course's own, spline flows likewise. All get the
  same fresh points, the same schedule, the same optimizer and {lengths} steps{shown}.
  Each has the rate that did best among {rates} on a seed that is not used again, in
  {plan["tune"]["steps"]} steps.
- The course's flows are trained by its `Trainer`, which records the step and replays it; the others
  run as they are written. The course's also have waves (Fourier features) and turns, which are
  part of the lesson. The other libraries bring what they have of their own: zuko's splines bend
  both coordinates in each layer, normflows and FrEIA mix the coordinates between layers.
- The reference is the chapter's recipe as it stands: its own rate, {plan["reference"]["epochs"]}
  epochs over 2000 fixed points.
{long}
`make bench` measures all of it again and builds this page; `make bench-quick` prints a short form
in about three minutes. The code lies in `benchmarks/`.""",
    ]
    return "\n".join(parts) + "\n"
