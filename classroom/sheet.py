"""A sheet in a student's notebook: predict, then run, then compare.

    from classroom.sheet import Sheet

    sheet = Sheet("depth", student="ada", ring="r3", seeds=(411, 87, 702), tag="...")
    sheet.predict("gap of the largest", low=0.2, best=0.4, high=0.6, because="...")
    sheet.sweep()      # not before all predictions are in; one whole record a run; resumes
    sheet.compare()    # the predictions over what came out
    sheet.hand_in()    # prints what the grader reads

What is run is stored in a folder: in Colab on your Drive, if it is mounted. Each run is stored
under a hash of the predictions, so runs of other predictions count as missing.
"""

import hashlib
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from numbers import Real
from pathlib import Path

import numpy as np

from classroom.exercise import to_numbers
from classroom.laws import Broken
from classroom.variants import POOL, Variant, code_of, evidence
from classroom.verdict import Outcome, Verdict
from experiments import sweep
from experiments.engine import write_whole
from experiments.sheets import SHEETS, Spec, arm_name

__all__ = ["Sheet", "read_hand_in", "spec_named", "verdict_of"]

DRIVE = Path("/content/drive/MyDrive")
LEAST_REASON = 20  # letters of a reason
START, END = "hand-in starts", "hand-in ends"


def spec_named(name: str) -> Spec:
    """A sheet by its name.

    Args:
        name: The name.

    Returns:
        Its spec.

    Raises:
        ValueError: If there is none.

    Example:
        >>> spec_named("dept")
        Traceback (most recent call last):
        ValueError: there is no sheet 'dept'; there are bridges, depth, ingredients, ...
    """
    if name not in SHEETS:
        raise ValueError(f"there is no sheet {name!r}; there are {', '.join(sorted(SHEETS))}")
    return SHEETS[name]


def hash_of(predictions: dict) -> str:
    """A short hash of predictions, under which runs are stored.

    Args:
        predictions: Name -> what was predicted.

    Returns:
        16 hexadecimal digits.

    Example:
        >>> hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1})
        True
    """
    text = json.dumps(predictions, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Sheet:
    """One student's sheet.

    Args:
        name: The sheet.
        student: The student's id.
        ring: The student's ring, of the pool.
        seeds: The student's seeds.
        tag: The seal of the assignment; empty for a sheet that is tried without one.
        folder: Where results are stored; by default on Colab's Drive, if it is mounted, else here.

    Raises:
        ValueError: If the sheet or the ring is not there.

    Example:
        >>> import tempfile
        >>> sheet = Sheet("depth", "ada", "r1", (1, 2, 3), folder=tempfile.mkdtemp())
        >>> sheet.missing()
        ['gap of the largest', 'path of the largest']
    """

    def __init__(
        self,
        name: str,
        student: str,
        ring: str,
        seeds: Sequence[int],
        tag: str = "",
        folder: str | Path | None = None,
    ):
        self.spec = spec_named(name)
        if ring not in POOL:
            raise ValueError(f"there is no ring {ring!r}; there are {', '.join(POOL)}")
        self.student, self.tag = student, tag
        self.variant = Variant(ring, tuple(int(seed) for seed in seeds))
        place = f"{name}-{hashlib.sha256(student.encode()).hexdigest()[:8]}-results"
        home = DRIVE if DRIVE.is_dir() else Path()
        self.folder = Path(folder) if folder is not None else home / place

    # ------------------------------------------------------------------------------- predictions

    @property
    def predictions(self) -> dict[str, dict]:
        """What was predicted so far, by name."""
        try:
            return json.loads((self.folder / "predictions.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}

    def missing(self) -> list[str]:
        """The predictions that are still to be made.

        Returns:
            Their names.
        """
        return [
            wanted.key for wanted in self.spec.predictions if wanted.key not in self.predictions
        ]

    def predict(self, key: str, *, low: float, best: float, high: float, because: str) -> None:
        """Predict a number, with a range that you would bet on, and a reason.

        Until the first run a prediction may be changed; from then on it is locked.

        Args:
            key: Which number.
            low: Lower end of the range.
            best: Your best guess.
            high: Upper end of the range.
            because: Why.

        Raises:
            ValueError: If something is missing or makes no sense, or if it is locked.
        """
        known = {wanted.key: wanted for wanted in self.spec.predictions}
        if key not in known:
            raise ValueError(f"key must be one of {', '.join(map(repr, known))}, but is {key!r}")
        for name, value in {"low": low, "best": best, "high": high}.items():
            if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
                raise ValueError(f"{name} must be a number, but is {value!r}")
        if not low <= best <= high:
            raise ValueError(f"low <= best <= high must hold, but they are {low}, {best}, {high}")
        if not isinstance(because, str) or len(because.strip()) < LEAST_REASON:
            raise ValueError(
                f"because must give a reason of at least {LEAST_REASON} letters, but is {because!r}"
            )
        entry = {"low": float(low), "best": float(best), "high": float(high), "because": because}
        before = self.predictions
        if {k: v for k, v in before.get(key, {}).items() if k != "at"} == entry:
            print(f"{key!r} stands: {low:g} to {high:g}, best guess {best:g}")
            return
        if self.stored():
            raise ValueError(
                f"{key!r} is locked: runs were made under the predictions as they are. It stands "
                f"as {before.get(key)}"
            )
        entry["at"] = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / "predictions.json", json.dumps(before | {key: entry}))
        left = self.missing()
        print(f"{key!r} noted." + (f" Still to predict: {left}" if left else " All are in."))

    def under(self) -> str:
        """The code under which runs are stored: that of the runs, and a hash of the predictions."""
        return f"{code_of(self.spec)}:{hash_of(self.predictions)}"

    # ----------------------------------------------------------------------------------- the runs

    def settings(self, arm: dict) -> dict:
        """Settings of a run: the ring's and the arm's."""
        return self.variant.settings() | arm

    def stored(self) -> list[dict]:
        """The whole records in the folder, of any predictions."""
        found = []
        for path in sorted((self.folder / "runs").glob("*.json")):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                continue  # (the engine sets it aside)
            if isinstance(record, dict) and record.get("rows"):
                found.append(record)
        return found

    def records(self) -> dict[str, dict]:
        """The runs under the predictions as they are.

        Returns:
            Arm in words -> record of `experiments.sweep`.
        """
        wanted = {json.dumps(self.settings(arm), sort_keys=True): arm for arm in self.spec.arms()}
        code, found = self.under(), {}
        for record in self.stored():
            arm = wanted.get(json.dumps(record["settings"], sort_keys=True))
            if arm is not None and record.get("code") == code:
                found[arm_name(arm)] = record
        return {name: found[name] for arm in self.spec.arms() if (name := arm_name(arm)) in found}

    def sweep(self, budget_minutes: float | None = None) -> None:
        """Run what is missing, one arm after the other, within a budget of CPU time.

        Stopped, cut off or crashed, the same call goes on where it was.

        Args:
            budget_minutes: CPU minutes for all arms together; by default the sheet's own budget.

        Raises:
            ValueError: If a prediction is missing.
            RuntimeError: If a run failed.
        """
        if left := self.missing():
            raise ValueError(f"nothing runs before all predictions are in. Missing: {left}")
        budget = 60 * (self.spec.cpu_minutes if budget_minutes is None else budget_minutes)
        expected = evidence(self.spec.name)["cpu_seconds"][self.variant.ring]
        arms, done = self.spec.arms(), self.records()
        if "google.colab" in sys.modules and DRIVE not in self.folder.parents:
            print(
                f"Results lie in {self.folder.absolute()}, which goes when this machine goes. To "
                "keep them, mount your Drive and run this notebook from the top, or run its last "
                "cell before you leave, and save it."
            )
        used = sum(r["cpu_seconds"] * len(r["seeds"]) for r in done.values())
        for k, arm in enumerate(arms):
            name = arm_name(arm)
            if name in done:
                continue
            if used + expected[name] > budget:
                print(
                    f"The budget of {budget / 60:g} CPU minutes is used up ({used / 60:.1f}), with "
                    f"{len(arms) - k} of {len(arms)} runs left. sweep(budget_minutes=...) goes on."
                )
                return
            seeds = self.variant.seeds
            record = sweep(
                self.spec.run, [self.settings(arm)], seeds, self.folder / "runs",
                together=len(seeds), code=self.under(), n_jobs=1, limit=None,
                name=f"{k + 1} of {len(arms)}, {name}",
            )[0]  # fmt: skip
            if "error" in record:
                last = record["error"].strip().splitlines()[-1]
                raise RuntimeError(f"the run with {name} failed: {last}")
            used += record["cpu_seconds"] * len(seeds)
        print(f"All {len(arms)} runs are stored in {self.folder} ({used:.0f} CPU seconds).")

    # ------------------------------------------------------------------------- what came out of it

    def value(self, arm: dict, measure: str) -> float | None:
        """Median over the seeds of a number of an arm, or None if it was not run."""
        record = self.records().get(arm_name(arm))
        return statistics.median(row[measure] for row in record["rows"]) if record else None

    def compare(self):
        """Show what came out, and the predictions over it; then answer the three questions.

        Returns:
            The figure.

        Raises:
            ValueError: If nothing has run.
        """
        import matplotlib.pyplot as plt

        records = self.records()
        if not records:
            raise ValueError("there is nothing to compare: run sheet.sweep() first")
        for name, record in records.items():
            values = {m: [row[m] for row in record["rows"]] for m in self.spec.measures}
            text = ", ".join(
                f"{m} {statistics.median(v):.3g} ({min(v):.3g} to {max(v):.3g})"
                for m, v in values.items()
            )
            print(f"{name}: {text}")
        wanted = self.spec.predictions
        figure, axes = plt.subplots(1, 1 + len(wanted), figsize=(10, 3), width_ratios=[2, 1, 1])
        main, names = self.spec.main, list(records)
        for y, name in enumerate(names):
            values = [row[main] for row in records[name]["rows"]]
            axes[0].plot(values, [y] * len(values), "o", color="#0173b2", alpha=0.6)
        axes[0].set_yticks(range(len(names)), names)
        axes[0].invert_yaxis()
        axes[0].set_xlabel(f"{self.spec.measures[main]} (a dot for each seed)")
        for axis, guess in zip(axes[1:], wanted, strict=True):
            own = self.predictions[guess.key]
            axis.plot([0, 0], [own["low"], own["high"]], color="#de8f05", linewidth=6, alpha=0.4)
            axis.plot([0], [own["best"]], "_", color="#de8f05", markersize=18)
            if (record := records.get(arm_name(guess.arm))) is not None:
                values = [row[guess.measure] for row in record["rows"]]
                axis.plot([1] * len(values), values, "o", color="#0173b2", alpha=0.6)
                middle = statistics.median(values)
                hit = own["low"] <= middle <= own["high"]
                print(
                    f"You predicted {guess.text}: {own['low']:g} to {own['high']:g}. It is "
                    f"{middle:.3g}: {'inside' if hit else 'outside'} your range."
                )
            axis.set_xlim(-0.5, 1.5)
            axis.set_xticks([0, 1], ["predicted", "measured"])
            axis.set_title(guess.key, fontsize=9)
        figure.tight_layout()
        return figure

    def check(self, *functions: Callable) -> Verdict:
        """Hold your function against the laws that are checked here.

        Args:
            *functions: The functions that the task asks for, in its order.

        Returns:
            One of five outcomes; it prints itself at the end of a cell.
        """
        task = self.spec.task
        answer = {
            name: numbers_only(name, function)
            for name, function in zip(task.names, functions, strict=True)
        }
        verdict = verdict_of(task.laws, answer, np.random.default_rng())
        print(verdict)
        return verdict

    def hand_in(self) -> None:
        """Print what the grader reads. Run this last, then save the notebook with its output."""
        head = {
            "sheet": self.spec.name, "student": self.student, "tag": self.tag,
            "ring": self.variant.ring, "seeds": list(self.variant.seeds), "code": self.under(),
            "python": sys.version.split()[0],
        }  # fmt: skip
        print(f"{START}: {self.spec.name}")
        print(json.dumps(head))
        for key, entry in self.predictions.items():
            print(json.dumps({"prediction": key} | entry))
        records = self.records()
        for name, record in records.items():
            print(json.dumps({"run": name} | record))
        print(END)
        arms = len(self.spec.arms())
        left = self.missing() + [f"{arms - len(records)} runs"] * (len(records) < arms)
        whole = "Save the notebook, with this output, and hand it in."
        print(f"You can hand this in, but something is missing: {left}" if left else whole)

    def resume(self, path: str | Path) -> None:
        """Take over predictions and runs from a saved notebook, or from the text of its output.

        For Colab without Drive: upload the notebook that you saved, and go on.

        Args:
            path: The file.

        Raises:
            ValueError: If it holds no hand-in of this sheet and variant, or if this folder has
                runs already. Predictions without a run give way to those of the file.
        """
        text = Path(path).read_text(encoding="utf-8")
        if str(path).endswith(".ipynb"):
            # (What a cell prints may be stored in several pieces.)
            parts = [
                "".join("".join(o.get("text", "")) for o in cell.get("outputs", [])
                        if o.get("name") == "stdout")
                for cell in json.loads(text)["cells"]
            ]  # fmt: skip
            text = next((part for part in reversed(parts) if START in part), "")
        found = read_hand_in(text)
        head = found["head"]
        own = (self.spec.name, self.variant.ring, list(self.variant.seeds))
        if (head.get("sheet"), head.get("ring"), head.get("seeds")) != own:
            raise ValueError(f"{path} holds no hand-in of sheet {own[0]}, ring {own[1]}: {head}")
        if self.stored():
            raise ValueError(f"{self.folder} holds runs already: there is nothing to resume")
        (self.folder / "runs").mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / "predictions.json", json.dumps(found["predictions"]))
        for name, record in found["runs"].items():
            file = hashlib.sha256(name.encode()).hexdigest()[:20]
            write_whole(self.folder / "runs" / f"{file}.json", json.dumps(record))
        print(f"Took over {len(found['predictions'])} predictions and {len(found['runs'])} runs.")


def numbers_only(name: str, function: Callable) -> Callable:
    """A function of a notebook as a black box: float64 arrays in, float64 arrays out."""

    def call(*arguments):
        got = function(*arguments)
        if isinstance(got, tuple):
            return tuple(to_numbers(name, part) for part in got)
        return to_numbers(name, got)

    return call


def verdict_of(laws: Sequence[Callable], answer: dict, rng: np.random.Generator) -> Verdict:
    """The verdict on an answer: that of the first law that does not hold.

    Args:
        laws: The laws.
        answer: Black boxes by name.
        rng: Source of the numbers that are drawn.

    Returns:
        The verdict; if all laws hold, that the visible checks pass.

    Example:
        >>> spec = spec_named("overfitting")
        >>> last = {"stop_at": lambda steps, gaps: steps[-1]}
        >>> str(verdict_of(spec.task.laws, last, np.random.default_rng(0)))
        'Wrong: the step to stop at is ..., not ...'
    """
    for law in laws:
        try:
            found = law(answer, rng)
        except Broken as broken:
            found = broken.verdict
        except Exception as error:
            found = Verdict(Outcome.CANNOT_RUN, f"{type(error).__name__}: {error}")
        if found is not None:
            return found
    return Verdict(Outcome.PASSES, f"the {len(laws)} laws that are checked here hold")


def read_hand_in(text: str) -> dict:
    """What `Sheet.hand_in` printed.

    Args:
        text: The output of its cell. It comes from a student: nothing of it is believed.

    Returns:
        `head`, `predictions` by name, and `runs` by arm: dictionaries.

    Raises:
        ValueError: If it is not what `hand_in` prints.
    """
    lines = text.splitlines()
    starts = [k for k, line in enumerate(lines) if line.startswith(START)]
    if not starts:
        raise ValueError("there is no output of sheet.hand_in()")
    found: dict = {"head": None, "predictions": {}, "runs": {}}
    for line in lines[starts[-1] + 1 :]:
        if line.startswith(END):
            break
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            raise ValueError("the output of sheet.hand_in() is damaged") from None
        if not isinstance(entry, dict):
            raise ValueError("the output of sheet.hand_in() is damaged")
        if found["head"] is None:
            found["head"] = entry
        elif isinstance(entry.get("prediction"), str):
            found["predictions"][entry.pop("prediction")] = entry
        elif isinstance(entry.get("run"), str):
            found["runs"][entry.pop("run")] = entry
    if found["head"] is None:
        raise ValueError("the output of sheet.hand_in() is cut off")
    return found
