"""How far it goes, and why not farther: where a step's time goes, and what ideas bring.

    python -m benchmarks.limits step grid ideas longer radius   # measures these parts, or some
    python -m benchmarks.limits --show                           # builds limits.md from limits.json

What the race of `benchmarks/field.py` leaves open: the goals that it has no arm for, and whether
an idea brings the course's recipe nearer to the limit in the same CPU time. One thread; what is
compared is trained in turn. A part that is measured replaces what limits.json held of it; further
seeds of `ideas`, `longer` and `radius` are added (`--seeds 3 4`).
"""

import argparse
import json
import math
import statistics
import time
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

import gen_models_utilities as gmu
from benchmarks.field import processor, rounded
from benchmarks.field_page import counted, digits, start_share, table
from benchmarks.measure import BATCH, CHUNK, number
from experiments import evidence
from experiments.studies import depth
from experiments.studies.bridges import BasedFlow
from experiments.studies.common import real_nvp, ring
from experiments.studies.conditional import RADII, draw_rings, radius_context
from experiments.together import train_seeds
from flows import RING_SHAPE, SPLINE_SHAPE, Flow, Linear, RealNVP, SplineFlow, Trainer, Transform
from flows_support import set_rate

FOLDER = Path(__file__).resolve().parent
RESULT, PAGE = FOLDER / "limits.json", FOLDER / "limits.md"
STEPS = 300  # of the recipe that ideas are held against
SHORT, TUNED = 100, 1000  # steps, and the seed, by which a rate is chosen
FAMILIES = {
    "affine": {"make": RealNVP, "shape": RING_SHAPE, "rate": 1e-2},
    "spline": {"make": SplineFlow, "shape": SPLINE_SHAPE, "rate": 2e-2},
}
WIDE = (50, 100), (8, 128)  # depths and widths that the depth study leaves out


ADDED = ("ideas", "longer", "radius")  # parts to which further seeds are added


# ------------------------------------------------------------------------------------- the ideas


class LearnedTurn(Transform):
    """A turn of the plane by an angle that learns.

    Args:
        degrees: Where it starts.
    """

    def __init__(self, degrees: float):
        super().__init__()
        self.angle = nn.Parameter(torch.tensor(math.radians(degrees)))

    def turned(self, points: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
        """The points turned, and log-determinants 0."""
        c, s = angle.cos(), angle.sin()
        matrix = torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
        return points @ matrix.T, points.new_zeros(len(points))

    def decode(self, z, context=None):
        return self.turned(z, self.angle)

    def encode(self, x, context=None):
        return self.turned(x, -self.angle)


class WithTurns(Flow):
    """A flow whose fixed turns learn; where it has none, turns that start at 0."""

    def __init__(self, flow: Flow):
        layers: list[Transform] = []
        turn = 45.0 if any(isinstance(layer, Linear) for layer in flow.layers) else 0.0
        for layer in flow.layers:
            if isinstance(layer, Linear):
                continue
            layers += [LearnedTurn(turn), layer] if layers else [layer]
        super().__init__(layers, 2)


class EightModes:
    """A flow's density with the base of eight wide modes (see the study `bridges`)."""

    base = "eight modes"
    base_log_prob = BasedFlow.base_log_prob

    def log_prob(self, x, context=None):
        z, log_abs_det = self.encode(x, context)
        return self.base_log_prob(z) + log_abs_det


class QuasiRandom:
    """Batches of the ring from a scrambled Sobol sequence: mode and place in it, evenly spread."""

    def __init__(self, seed: int):
        self.numbers = torch.quasirandom.SobolEngine(3, scramble=True, seed=seed)

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        u = self.numbers.draw(n, dtype=torch.float64).clamp(1e-9, 1 - 1e-9)
        place = 0.25 * math.sqrt(2) * torch.erfinv(2 * u[:, 1:] - 1)
        return (gmu.ring_centers()[(8 * u[:, 0]).long()] + place).float()


class GrowingBatches:
    """Batches of half the size for two thirds of a training, then of twice the size."""

    def __init__(self, steps: int):
        self.left = 2 * steps // 3

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        self.left -= 1
        return ring(n // 2 if self.left >= 0 else 2 * n, generator)


class Average:
    """A running mean of the weights over the last fifty steps or so."""

    KEPT = 0.98

    def __init__(self, flow: nn.Module):
        self.weights = list(flow.parameters())
        self.mean = [w.detach().clone() for w in self.weights]

    @torch.no_grad()
    def after_step(self) -> None:
        torch._foreach_lerp_(self.mean, self.weights, 1 - self.KEPT)

    @torch.no_grad()
    def at_end(self) -> None:
        torch._foreach_copy_(self.weights, self.mean)


class Muon:
    """Steps of the matrices whose momentum is made orthogonal; of all else, Adam's.

    References:
        Jordan et al. 2024, Muon: An optimizer for hidden layers in neural networks.
    """

    MOMENTUM, NEWTON, FACTORS, SIZE = 0.95, 5, (3.4445, -4.775, 2.0315), 0.2

    def __init__(self, trainer: Trainer):
        self.adam, self.groups = trainer.adam, {}
        for weight in trainer.weights:
            if weight.ndim == 2 and min(weight.shape) > 1:
                self.groups.setdefault(weight.shape, []).append(weight)
        self.momentum = {s: torch.zeros(len(w), *s) for s, w in self.groups.items()}

    @torch.no_grad()
    def __call__(self, rate: float) -> None:
        for shape, weights in self.groups.items():
            gradient, kept = torch.stack([w.grad for w in weights]), self.momentum[shape]
            kept.lerp_(gradient, 1 - self.MOMENTUM)
            steps = self.orthogonal(gradient.lerp(kept, self.MOMENTUM))
            size = rate * self.SIZE * math.sqrt(max(shape))
            torch._foreach_sub_(weights, [size * one for one in steps])
            for weight in weights:
                weight.grad = None
        set_rate(self.adam, torch.tensor(rate, dtype=torch.float64))
        self.adam.step()

    def orthogonal(self, g: Tensor) -> Tensor:
        """The nearest matrices whose rows or columns are orthogonal, by a few steps of Newton."""
        a, b, c = self.FACTORS
        tall = g.shape[-2] > g.shape[-1]
        x = g.mT if tall else g
        x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-12)
        for _ in range(self.NEWTON):
            square = x @ x.mT
            x = a * x + (b * square + c * square @ square) @ x
        return x.mT if tall else x


IDEAS = (
    "the recipe", "learned turns", "a base of eight modes", "quasi-random batches",
    "larger batches late", "averaged weights", "Muon's steps",
)  # fmt: skip


BEST = "quasi-random batches"


def train_idea(family: str, idea: str, steps: int, rate: float, seed: int) -> tuple[Flow, float]:
    """Train with one idea.

    Args:
        family: "affine" or "spline".
        idea: One of IDEAS.
        steps: Length.
        rate: Peak rate.
        seed: Of weights and batches.

    Returns:
        The flow, and the CPU seconds of its training.
    """
    settings, draw = FAMILIES[family], ring
    torch.manual_seed(seed)
    began = time.process_time()
    flow = settings["make"](**settings["shape"])
    if idea == "learned turns":
        flow = WithTurns(flow)
    if idea == "a base of eight modes":
        flow.__class__ = type("EightModes", (EightModes, settings["make"]), {})
    if idea == "quasi-random batches":
        draw = QuasiRandom(seed)
    if idea == "larger batches late":
        draw = GrowingBatches(steps)
    trainer = Trainer(flow, draw, steps=steps, batch_size=BATCH, lr=rate, seed=seed)
    if idea == "Muon's steps":
        trainer.update = Muon(trainer)
    average = Average(flow) if idea == "averaged weights" else None
    for _ in range(steps):
        trainer.step()
        if average:
            average.after_step()
    if average:
        average.at_end()
    return flow, time.process_time() - began


def milliseconds(work, count: int) -> float:
    """CPU milliseconds of a call, of `count` one after another."""
    began = time.process_time()
    for _ in range(count):
        work()
    return 1000 * (time.process_time() - began) / count


def ideas(found: dict, seeds: list[int], families=FAMILIES, names=IDEAS, steps: int = STEPS):
    """For each idea the gap after the CPU time of the recipe's training, seeds in turn.

    Short trainings on a seed that is not used again say what a step costs (the least of three), and
    which of three rates is best.
    """
    for family in families:
        rows = found.setdefault(family, {name: {"gaps": {}, "cpu": {}} for name in names})
        if "rate" not in rows[names[-1]]:
            tried, cost = {name: {} for name in names}, {}
            for factor in (0.5, 1.0, 2.0):
                rate = FAMILIES[family]["rate"] * factor
                for name in names:
                    flow, seconds = train_idea(family, name, SHORT, rate, TUNED)
                    gap = number(gmu.ring_gap(flow.log_prob))
                    tried[name][rate] = math.inf if gap is None else gap
                    cost[name] = min(seconds, cost.get(name, math.inf))
            for name in names:
                length = round(steps * cost[names[0]] / cost[name])
                rows[name] |= {"steps": length, "rate": min(tried[name], key=tried[name].get)}
                rows[name]["tried"] = {f"{r:g}": number(g) for r, g in tried[name].items()}
        for seed in seeds:
            for name in names:
                row = rows[name]
                flow, seconds = train_idea(family, name, row["steps"], row["rate"], seed)
                row["gaps"][str(seed)] = number(gmu.ring_gap(flow.log_prob))
                row["cpu"][str(seed)] = seconds
                print(family, name, seed, row["gaps"][str(seed)], f"{seconds:.1f} s", flush=True)
            yield


# ------------------------------------------------------------------------- what a step's time is


def step(found: dict, seeds: list[int], count: int = 20, rounds: int = 3):
    """Milliseconds of a step by the number of its points, as a record and as it is written."""
    for family, settings in FAMILIES.items():
        trainers, times = {}, {}
        for n in (8, BATCH):
            for how, length in (("recorded", 10_000), ("as written", 99)):
                torch.manual_seed(0)
                flow = settings["make"](**settings["shape"])
                trainers[n, how] = Trainer(flow, ring, steps=length, batch_size=n, lr=1e-3)
                for _ in range(8):
                    trainers[n, how].step()
        for _ in range(rounds):
            for (n, how), trainer in trainers.items():
                trainer.done = 0
                ms = milliseconds(trainer.step, count)
                times.setdefault(f"{n} points, {how}", []).append(ms)
        parts, trainer = {}, trainers[BATCH, "recorded"]
        batch = ring(BATCH, trainer.generator)
        for name, work in (
            ("points", lambda t=trainer: ring(BATCH, t.generator)),
            ("gradient", lambda t=trainer, b=batch: t.slope(b)),
            ("update", lambda t=trainer: t.update(0.0)),
        ):
            for _ in range(rounds):
                parts.setdefault(name, []).append(milliseconds(work, count))
        found[family] = {
            "ms": {name: statistics.median(values) for name, values in times.items()},
            "parts": {name: statistics.median(values) for name, values in parts.items()},
        }
    yield


# ------------------------------------------------------------------------- goals beside the race


def longer(found: dict, seeds: list[int], families=("spline", "affine"), steps: int = 2000):
    """The best idea, in a longer training: its gap on 100,000 points, and strays among 50,000."""
    for seed in seeds:
        for family in families:
            rate = FAMILIES[family]["rate"] / 2
            flow, seconds = train_idea(family, BEST, steps, rate, seed)
            with torch.no_grad():
                gap = gmu.ring_gap(flow.log_prob, n=100_000)
                samples = flow.sample(50_000, generator=torch.Generator().manual_seed(0))
            row = {"steps": steps, "rate": rate, "cpu": seconds, "gap": gap}
            row["strays_4"] = float(gmu.beyond_sigma_share(samples, n_sigma=4.0))
            found.setdefault(family, {})[str(seed)] = row
            print(family, seed, row, flush=True)
            yield


def radius(found: dict, seeds: list[int], lengths=(500, 2000)):
    """Splines told the radius of the ring, from 1 to 4: the mean gap over twelve radii."""
    for seed in seeds:
        for steps in lengths:
            torch.manual_seed(seed)
            began = time.process_time()
            flow = SplineFlow(context_dim=1, **SPLINE_SHAPE)
            draw, rate = draw_rings((2.5, 2.5)), FAMILIES["spline"]["rate"] / 2
            trainer = Trainer(flow, draw, steps=steps, batch_size=BATCH, lr=rate, seed=seed)
            for _ in range(steps):
                trainer.step()
            row, gaps = {"cpu": time.process_time() - began}, []
            for one in RADII:
                context = radius_context(torch.tensor([one]))[0]
                log_prob = partial(flow.log_prob, context=context)
                with torch.no_grad():
                    gaps.append(gmu.ring_gap(log_prob, n=10_000, radius=one))
            row |= {"gap": statistics.mean(gaps), "by_radius": gaps}
            found.setdefault(str(steps), {})[str(seed)] = row
            print(steps, seed, row["gap"], f"{row['cpu']:.1f} s", flush=True)
            yield


class Enough(Exception):
    """Ends a training that was only timed."""


def grid(found: dict, seeds: list[int], members: int = 7, count: int = 10):
    """CPU seconds for a run of the shapes of 5 depths x 3 widths that the depth study leaves out.

    Timed on a few steps of as many flows together as the study trains.
    """
    for layers in WIDE[0]:
        for width in WIDE[1]:
            marks = []

            def mark(done, flows, marks=marks):
                marks.append(time.process_time())
                if len(marks) == 2:
                    raise Enough

            make = real_nvp(n_frequencies=4, n_layers=layers, hidden_dim=width)
            training = {"steps": 100, "batch_size": depth.BATCH, "lr": 1e-3}
            try:
                train_seeds(make, ring, range(members), watch=mark, every=count, **training)
            except Enough:
                seconds = training["steps"] * (marks[1] - marks[0]) / count / members
                found[depth.name(layers, width)] = seconds
                print(layers, width, f"{seconds:.1f} s a run", flush=True)
    yield


def density(found: dict, seeds: list[int], rounds: int = 5):
    """Milliseconds of `log_prob` and `sample` of a chunk, by its points: few, and a whole one."""
    torch.manual_seed(0)
    flow = RealNVP(**RING_SHAPE)
    for _ in range(rounds):
        for n in (8, CHUNK):
            x = torch.randn(n, 2)
            for name, work in (
                ("log_prob", partial(flow.log_prob, x)),
                ("sample", sampled(flow, n)),
            ):
                with torch.no_grad():
                    work()
                    ms = milliseconds(work, 5)
                found.setdefault(f"{name}, {n} points", []).append(ms)
    for name in list(found):
        found[name] = statistics.median(found[name])
    yield


def sampled(flow: Flow, n: int):
    """A function that draws n samples."""
    return lambda: flow.sample(n, generator=torch.Generator().manual_seed(0))


PARTS = {part.__name__: part for part in (step, density, grid, ideas, longer, radius)}


def measure(names: list[str], seeds: list[int], file: Path = RESULT) -> None:
    """Measure parts, and keep what is done after each round.

    Args:
        names: Of PARTS.
        seeds: Seeds of their trainings.
        file: Where the results lie.
    """
    torch.set_num_threads(1)
    for name in names:
        found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        found["machine"] = {"processor": processor(), "torch": torch.__version__.split("+")[0]}
        found[name] = found.get(name, {}) if name in ADDED else {}
        for _ in PARTS[name](found[name], seeds):
            file.write_text(json.dumps(rounded(found), indent=1) + "\n", encoding="utf-8")


# --------------------------------------------------------------------------------------- the page


def differences(rows: dict, name: str) -> list[float]:
    """Gaps of an idea less those of the recipe, seed by seed; a training gone wild is infinite."""
    mine, plain = rows[name]["gaps"], rows[IDEAS[0]]["gaps"]
    return [math.inf if mine[s] is None else mine[s] - plain[s] for s in plain if s in mine]


def idea_table(rows: dict) -> str:
    """Ideas of a family: rate, steps, gap, and the difference to the recipe."""
    lines = []
    for name, row in rows.items():
        gaps = [math.inf if gap is None else gap for gap in row["gaps"].values()]
        change = differences(rows, name)
        less = sum(one < 0 for one in change)
        middle = f"{statistics.median(change):+.4f}, less in {less} of {len(change)}"
        three = f"{statistics.median(gaps):.4f} ({min(gaps):.4f} to {max(gaps):.4f})"
        lines.append([name, f"{row['rate']:g}", row["steps"], three,
                      "" if name == IDEAS[0] else middle])  # fmt: skip
    return table(["idea", "rate", "steps", "gap, nats", "less the recipe's"], lines)


def elsewhere(found: dict) -> str:
    """Ideas that other measurements are about, or none."""
    alone = evidence("depth_cost").median("16 x 32", "ms")
    runs = evidence("depth")
    together = 1000 * runs.cpu_seconds("16 x 32") / runs.arm("16 x 32")["settings"]["steps"]
    bridges, mixing = evidence("bridges"), evidence("mixing")
    bases = [bridges.median(arm) for arm in ("base of eight modes", "16 couplings")]
    between = [mixing.median(arm) for arm in ("ActNorm", "learned linear layer", "nothing")]
    faster = [row["ms"][f"{BATCH} points, as written"] / row["ms"][f"{BATCH} points, recorded"]
              for row in found["step"].values()]  # fmt: skip
    rows = [
        ["a step recorded and replayed", "in the course",
         f"{min(faster):.1f} to {max(faster):.1f} times as fast (above)"],
        ["couplings as one function with its own backward", "not tried",
         "the first table says what it could save at most"],
        ["seeds stacked", "studies `depth`, `depth_cost`",
         f"{together:.1f} CPU ms a step for one of seven; alone, not recorded, {alone:.1f}"],
        ["a base of eight modes, affine, equal steps", "study `bridges`",
         f"gap {bases[0]:.3f} for {bases[1]:.3f}, in "
         f"{bridges.effect('base of eight modes', '16 couplings').less} of {bridges.n} seeds less"],
        ["ActNorm between splines", "study `mixing`", f"gap {between[0]:.3f} for {between[2]:.3f}"],
        ["a learned matrix between splines", "study `mixing`",
         f"gap {between[1]:.3f} for {between[2]:.3f}"],
        ["second-order steps", "not tried", ""],
    ]  # fmt: skip
    return table(["idea", "where", "found"], rows)


def show(found: dict) -> str:
    """What was measured, as a page.

    Args:
        found: What `measure` keeps.

    Returns:
        Markdown.
    """
    machine, parts = found["machine"], []
    parts.append(
        "# Why not faster, why not nearer\n\n"
        f"{machine['processor']}, one thread, torch {machine['torch']}. Written by "
        "`benchmarks/limits.py`. The machine was\nbusy with other work: compare what stands in one "
        "table, not seconds with those of another page."
    )
    rows = []
    for family, row in found["step"].items():
        rows.append([family, *(f"{ms:.1f}" for ms in row["ms"].values()),
                     *(f"{ms:.1f}" for ms in row["parts"].values())])  # fmt: skip
    head = [
        *found["step"]["affine"]["ms"],
        *(f"{p}, {BATCH}" for p in found["step"]["affine"]["parts"]),
    ]
    parts.append("## A step of the course's flows, CPU ms\n\n" + table(["flow", *head], rows))
    words = []
    for family, row in found["step"].items():
        share = start_share(row["ms"])
        words.append(
            f"- {family}: with 8 points a recorded step takes {100 * share:.0f} % of what it takes "
            f"with {BATCH}. This part is the\n  starting of operations, and work on the weights. "
            f"If all of it could be saved, a step would be {1 / (1 - share):.1f} times as fast."
        )
    parts.append("\n".join(words))
    ms = found["density"]
    rows = [[name, *(f"{ms[f'{name}, {n} points']:.1f}" for n in (8, CHUNK))]
            for name in ("log_prob", "sample")]  # fmt: skip
    parts.append(
        "## Sixteen affine couplings, CPU ms a call, as written\n\n"
        + table(["", "8 points", f"{CHUNK:,} points"], rows)
    )
    parts.append(
        "## Ideas, at equal CPU time\n\nThe course's recipe has "
        f"{STEPS} steps of {BATCH} points; an idea has as many as fit into the same CPU time.\n"
        f"Cost and rate (the best of three) come from trainings of {SHORT} steps, on a seed that "
        "is not used again.\nGaps on 20,000 points; median, lowest and highest."
    )
    for family, rows in found["ideas"].items():
        n = len(rows[IDEAS[0]]["gaps"])
        parts.append(
            f"### {family.capitalize()}: {counted(n, 'seed')}, one machine\n\n{idea_table(rows)}"
        )
    parts.append(
        "Each family has one machine and few seeds: a difference smaller than the spread means "
        "nothing.\n\n### Ideas measured elsewhere, or not at all\n\n" + elsewhere(found)
    )
    rows = []
    for family, runs in found["longer"].items():
        columns = [[run[key] for run in runs.values()] for key in ("gap", "strays_4", "cpu")]
        gap, strays, cpu = (statistics.median(column) for column in columns)
        steps = next(iter(runs.values()))["steps"]
        rows.append([family, f"{steps:,}", len(runs), f"{gap:.4f}", f"{100 * strays:.2f}",
                     digits(cpu)])  # fmt: skip
    parts.append(
        f"## {BEST.capitalize()}, longer\n\nGaps on 100,000 points; samples beyond 4 sigma of "
        "50,000.\n\n"
        + table(["flow", "steps", "seeds", "median gap, nats", "beyond 4 sigma, %", "CPU s"], rows)
    )
    rows = []
    for steps, runs in found["radius"].items():
        gaps = [run["gap"] for run in runs.values()]
        cpu = statistics.median(run["cpu"] for run in runs.values())
        rows.append([f"{int(steps):,}", len(gaps), f"{statistics.median(gaps):.3f}", digits(cpu)])
    parts.append(
        "## The radius given: splines, 1 to 4\n\nMean gap over twelve radii from 1.25 to 4.\n\n"
        + table(["steps", "seeds", "median gap, nats", "CPU s"], rows)
    )
    rows = [[name, f"{seconds:.1f}"] for name, seconds in found["grid"].items()]
    parts.append(
        "## Shapes that the depth study leaves out\n\nCPU seconds for 100 steps of one of seven "
        "flows trained together, from ten of these steps.\n\n"
        + table(["couplings x width", "CPU s"], rows)
    )
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Measure, or build the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    measure(options.parts, options.seeds)
    if options.show:
        PAGE.write_text(show(json.loads(RESULT.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
