"""Variants: each student gets a ring of a closed pool, and each ring its own measured evidence.

One recipe may end twice as far from one ring as from another. So nobody is judged by a threshold
that was measured elsewhere: for every sheet and every ring of the pool, `python -m
classroom.variants` runs the sheet's whole grid on seeds that no student gets, and stores what came
out. A ring on which a sheet's effect fails to appear in every seed is not given out for that sheet.
"""

import argparse
import hashlib
import hmac
import json
import secrets
import statistics
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from experiments import sweep
from experiments.code import fingerprint
from experiments.engine import write_whole
from experiments.sheets import SHEETS, Spec, arm_name
from experiments.study import CACHE, provenance, render

__all__ = ["POOL", "Band", "Variant", "band", "evidence", "pick", "read_secret", "tag", "usable"]

# The rings: name -> (modes, radius, standard deviation of a mode).
POOL = {
    "r1": (8, 3.0, 0.25), "r2": (7, 2.7, 0.25), "r3": (9, 3.2, 0.25), "r4": (8, 2.6, 0.22),
    "r5": (6, 2.4, 0.25), "r6": (7, 3.0, 0.3), "r7": (9, 3.4, 0.28), "r8": (10, 3.6, 0.28),
}  # fmt: skip
EVIDENCE = Path(__file__).resolve().parents[1] / "experiments" / "sheets" / "evidence"
SAMPLE = 3  # runs that are done again before results are stamped anew
EVIDENCE_SEEDS = (1000, 1001, 1002, 1003)
N_SEEDS, MOST_SEED = 3, 900  # a student's seeds: so many of so many


@dataclass(frozen=True)
class Variant:
    """What one student works on.

    Attributes:
        ring: Name of the ring in the pool.
        seeds: The seeds of the student's runs.

    Example:
        >>> Variant("r1", (3, 5, 8)).settings()
        {'modes': 8, 'radius': 3.0, 'std': 0.25}
    """

    ring: str
    seeds: tuple[int, ...]

    def settings(self) -> dict:
        """The ring as settings of a run.

        Returns:
            The number of modes, the radius, and the standard deviation.
        """
        return dict(zip(("modes", "radius", "std"), POOL[self.ring], strict=True))


@dataclass(frozen=True)
class Band:
    """What a number of an arm came out as, on a ring.

    Attributes:
        low: Lowest of the seeds.
        median: Their median.
        high: Highest.

    Example:
        >>> Band(0.1, 0.2, 0.4).holds(0.6)
        True
    """

    low: float
    median: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a number could come from the same arm: as far out again as the seeds spread.

        Args:
            value: The number.

        Returns:
            True if it lies in the band, or within its width, or a quarter of the median, of it.
        """
        room = max(self.high - self.low, 0.25 * abs(self.median))
        return self.low - room <= value <= self.high + room


def digest(secret: bytes, *words: str) -> bytes:
    """HMAC of some words; no two lists of words give the same text.

    Args:
        secret: The course's secret.
        *words: What it is for.

    Returns:
        32 bytes.
    """
    return hmac.new(secret, json.dumps(words).encode(), hashlib.sha256).digest()


def pick(secret: bytes, student: str, spec: Spec) -> Variant:
    """A student's variant of a sheet: always the same, and not to be guessed without the secret.

    Args:
        secret: The course's secret.
        student: The student's id, as in the roster.
        spec: The sheet.

    Returns:
        The variant.

    Example:
        >>> one = pick(b"secret", "ada", SHEETS["depth"])
        >>> one == pick(b"secret", "ada", SHEETS["depth"]) != pick(b"other", "ada", SHEETS["depth"])
        True
    """
    rings = usable(spec.name)
    ring = int.from_bytes(digest(secret, student, spec.name, "ring")) % len(rings)
    seeds: list[int] = []
    for k in range(1000):
        seed = int.from_bytes(digest(secret, student, spec.name, f"seed {k}")) % MOST_SEED
        if seed not in seeds:
            seeds.append(seed)
        if len(seeds) == N_SEEDS:
            break
    return Variant(rings[ring], tuple(seeds))


def tag(secret: bytes, student: str, spec: Spec) -> str:
    """A seal that shows, at hand-in, for whom a notebook was made.

    Args:
        secret: The course's secret.
        student: The student's id.
        spec: The sheet.

    Returns:
        24 hexadecimal digits.
    """
    return digest(secret, student, spec.name, "tag").hex()[:24]


def read_secret(path: str | Path, make: bool = False) -> bytes:
    """The course's secret.

    Args:
        path: Its file.
        make: Whether to make one if there is none.

    Returns:
        The secret.

    Raises:
        ValueError: If there is none, or it is too short to be one.
    """
    path = Path(path)
    if make and not path.exists():
        with open(path, "x", encoding="utf-8", opener=private) as file:
            file.write(secrets.token_hex(32) + "\n")
    if not path.is_file():
        raise ValueError(
            f"the course's secret is not at {path}: `make assignment` makes it. Without the secret "
            "of the assignment nobody can tell which variant is whose"
        )
    text = path.read_text(encoding="utf-8").strip()
    if len(text) < 32:
        raise ValueError(f"{path} must hold 32 characters or more, but holds {len(text)}")
    return text.encode()


def private(name: str, flags: int) -> int:
    """Opens a file that only its owner may read."""
    import os

    return os.open(name, flags, 0o600)


@cache
def evidence(name: str) -> dict:
    """What was measured for a sheet.

    Args:
        name: The sheet.

    Returns:
        The stored results: `rings` -> arm -> number -> one value a seed, `cpu_seconds`, `code`.

    Raises:
        ValueError: If nothing was measured.
    """
    path = EVIDENCE / f"{name}.json"
    if not path.exists():
        raise ValueError(
            f"nothing is measured for {name!r}: run python -m classroom.variants {name}"
        )
    return json.loads(path.read_text(encoding="utf-8"))


def usable(name: str) -> list[str]:
    """The rings of the pool on which a sheet's effect appears in every seed.

    Args:
        name: The sheet.

    Returns:
        Their names.
    """
    larger, smaller, measure = SHEETS[name].effect
    found = []
    for ring, arms in evidence(name)["rings"].items():
        pairs = zip(arms[arm_name(larger)][measure], arms[arm_name(smaller)][measure], strict=True)
        if all(a > b for a, b in pairs):
            found.append(ring)
    return found


def band(name: str, ring: str, arm: dict, measure: str) -> Band:
    """What a number came out as.

    Args:
        name: The sheet.
        ring: A ring of the pool.
        arm: Settings of an arm of the sheet.
        measure: The number.

    Returns:
        Its band over the seeds of the evidence.
    """
    values = evidence(name)["rings"][ring][arm_name(arm)][measure]
    return Band(min(values), statistics.median(values), max(values))


def cost(name: str) -> float:
    """CPU seconds of a student's sweep, as measured: the median over rings.

    Args:
        name: The sheet.

    Returns:
        The seconds of all arms, for the seeds of one student.
    """
    stored = evidence(name)["cpu_seconds"].values()
    return statistics.median(sum(arms.values()) for arms in stored)


def code_of(spec: Spec) -> str:
    """Hash of the code behind a sheet's runs."""
    return fingerprint(spec.run)


def measure(spec: Spec, n_jobs: int = 1) -> dict:
    """Run a sheet's grid on every ring of the pool, and store what came out.

    Args:
        spec: The sheet.
        n_jobs: Workers.

    Returns:
        What was stored.

    Raises:
        ValueError: If a run failed.
    """
    arms = spec.arms()
    grid = [Variant(ring, ()).settings() | arm for ring in POOL for arm in arms]
    records = sweep(
        spec.run, grid, EVIDENCE_SEEDS, CACHE / "sheets" / spec.name, code=code_of(spec),
        together=len(EVIDENCE_SEEDS), n_jobs=n_jobs, name=spec.name, every=30.0,
    )  # fmt: skip
    if failed := [record for record in records if "error" in record]:
        raise ValueError(f"{spec.name}: {failed[0]['settings']} failed: {failed[0]['error']}")
    rings: dict = {}
    seconds: dict = {}
    for k, record in enumerate(records):
        ring, arm = list(POOL)[k // len(arms)], arm_name(arms[k % len(arms)])
        rows = record["rows"]
        rings.setdefault(ring, {})[arm] = numbers(rows)
        own = record["cpu_seconds"] * N_SEEDS
        seconds.setdefault(ring, {})[arm] = round(own, 2)
    stored = {
        "sheet": spec.name, "code": code_of(spec), "measured": provenance(),
        "seeds": list(EVIDENCE_SEEDS), "cpu_seconds": seconds, "rings": rings,
    }  # fmt: skip
    EVIDENCE.mkdir(exist_ok=True)
    write_whole(EVIDENCE / f"{spec.name}.json", render(stored))
    return stored


def numbers(rows: list[dict]) -> dict[str, list[float]]:
    """Rows of a run, one a seed, as they are stored: number -> one value a seed."""
    return {name: [round(row[name], 5) for row in rows] for name in rows[0]}


def stamp_anew(spec: Spec, stored: dict) -> bool:
    """If the code changed and a sample of runs still gives the same numbers, keep the results.

    Args:
        spec: A sheet whose results are stale.
        stored: What `measure` wrote.

    Returns:
        Whether the results carry the new code's hash now.
    """
    arms = {arm_name(arm): arm for arm in spec.arms()}
    rings = stored.get("rings", {})
    if set(rings) != set(POOL) or any(set(ring) != set(arms) for ring in rings.values()):
        return False
    for k, ring in enumerate(list(POOL)[:SAMPLE]):
        cost = stored["cpu_seconds"][ring]
        arm = sorted(arms, key=cost.get)[k % max(1, len(arms) // 2)]  # one of the cheap ones
        rows = spec.run(Variant(ring, ()).settings() | arms[arm], list(EVIDENCE_SEEDS))
        if numbers(rows) != rings[ring][arm]:
            return False
    write_whole(EVIDENCE / f"{spec.name}.json", render(stored | {"code": code_of(spec)}))
    return True


def main(arguments: list[str] | None = None) -> int:
    """Measure what is missing or stale."""
    parser = argparse.ArgumentParser(prog="python -m classroom.variants", description=__doc__)
    parser.add_argument("sheets", nargs="*", help="default: all")
    parser.add_argument("--jobs", type=int, default=1, help="workers")
    options = parser.parse_args(arguments)
    if unknown := set(options.sheets) - set(SHEETS):
        parser.error(f"no sheet {sorted(unknown)}; there are {', '.join(SHEETS)}")
    for name in options.sheets or SHEETS:
        spec = SHEETS[name]
        path = EVIDENCE / f"{name}.json"
        stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if stored.get("code") == code_of(spec) and set(stored["rings"]) == set(POOL):
            print(f"{name}: up to date")
        elif stored and stamp_anew(spec, stored):
            print(f"{name}: the code changed, its numbers did not ({SAMPLE} runs done again)")
            evidence.cache_clear()
        else:
            measure(spec, options.jobs)
            evidence.cache_clear()
        print(f"{name}: {len(usable(name))} of {len(POOL)} rings, {cost(name):.0f} CPU s a student")
    return 0


if __name__ == "__main__":
    sys.exit(main())
