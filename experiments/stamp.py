"""Are stored results those of the code as it is, and if the code changed, did they?"""

import json

from .engine import PATHS, SweepError, on_path, run_batch, write_whole
from .study import RESULTS, Study, load, render

SAMPLE = 3  # rows that are run again before results are stamped anew


def is_stale(study: Study) -> bool:
    """Whether a study has no results, or results of other code."""
    try:
        return load(study.name)["code"] != study.code()
    except SweepError:
        return True


def sample(study: Study, results: dict, offset: int = 0) -> list[tuple[str, int]]:
    """Some rows to run again: arms in turn, and among them the cheap ones.

    Args:
        study: The study.
        results: Its stored results.
        offset: Another offset gives other rows.

    Returns:
        Pairs of an arm and the place of a group's first seed.
    """
    cost = {name: sum(arm["cpu_seconds"]) for name, arm in results["arms"].items()}
    cheap = sorted(cost, key=cost.get)[: max(SAMPLE, (len(cost) + 1) // 2)]
    starts = range(0, len(results["seeds"]), study.together)
    return [
        (cheap[(offset + k) % len(cheap)], starts[(offset + k) % len(starts)])
        for k in range(SAMPLE)
    ]


def run_again(study: Study, results: dict, rows: list[tuple[str, int]]) -> list[tuple]:
    """Run rows again, each on its CPU path.

    Args:
        study: The study.
        results: Its stored results.
        rows: Pairs of an arm and the place of a group's first seed.

    Returns:
        For each row (arm, place, stored numbers, numbers now): two lists of dictionaries, one for
        each seed of the group.

    Raises:
        SweepError: If a run fails.
    """
    found = []
    for arm, place in rows:
        stored = results["arms"][arm]
        group = slice(place, place + study.together)
        job = (arm, study.run, stored["settings"], results["seeds"][group], None)
        records = []
        with on_path(PATHS[results["cpu"][place]]):
            run_batch([job], 1, lambda job, record, into=records: into.append(record))
        if not records or "error" in records[0]:
            raise SweepError(f"{study.name}, {arm}: {records[0]['error'] if records else 'died'}")
        names = stored["values"]
        old = [dict(zip(names, row, strict=True))
               for row in zip(*(names[n][group] for n in names), strict=True)]  # fmt: skip
        found.append((arm, place, old, records[0]["rows"]))
    return found


def stamp_anew(study: Study) -> bool:
    """If the code changed and a sample of rows still gives the same bits, keep the results.

    Args:
        study: A study whose results are stale.

    Returns:
        Whether the results carry the new code's hash now.
    """
    try:
        results = load(study.name)
        if set(results["arms"]) != set(study.settings()):
            return False
        for arm, settings in study.settings().items():
            stored = results["arms"][arm]["settings"]
            declared = {k: v for k, v in settings.items() if k not in study.measured}
            if declared != {k: stored.get(k) for k in declared}:
                return False
        again = run_again(study, results, sample(study, results))
    except (SweepError, KeyError):
        return False
    if any(json.dumps(old) != json.dumps(new) for _, _, old, new in again):
        print(f"{study.name}: the code changed, and so did its numbers: measured anew")
        return False
    results["code"] = study.code()
    write_whole(RESULTS / f"{study.name}.json", render(results))
    print(f"{study.name}: the code changed, its numbers did not ({SAMPLE} rows run again)")
    return True
