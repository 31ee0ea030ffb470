"""What a GPU brings: training alone and together, against the reference, and density at scale.

    python benchmarks/gpu.py > benchmarks/gpu.json
    python benchmarks/gpu.py --show benchmarks/gpu.json > benchmarks/gpu.md

Seconds are wall time, as a reader waits: medians where there are several runs, else a single
timing. `--only` measures parts of it; their JSON may be joined. On a machine
without a GPU, `--device cpu --quick` tries the script itself.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from pathlib import Path

import torch
from reference import train_reference

import flows_support
import gen_models_utilities as gmu
from experiments.together import train_seeds
from flows import RING_RECIPE, RING_SHAPE, RealNVP, Trainer, train


def draw(n, generator):
    """Fresh points of the ring."""
    return gmu.sample_ring(n, generator)[0]


def timed(work, device):
    """What `work()` returned, and how long it took."""
    began = time.perf_counter()
    result = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return result, time.perf_counter() - began


def gap(flow, device):
    """Held-out NLL above that of the true density, nats, on 100,000 fresh points."""
    x = draw(100_000, torch.Generator().manual_seed(2**31 + 5))
    with torch.no_grad():
        q = torch.cat([flow.log_prob(part.to(device)).cpu() for part in x.split(20_000)])
    return (gmu.ring_log_prob(x) - q).mean().item()


def one_recipe(device, seed, steps, replayed):
    """The course's recipe, with and without replay."""
    torch.manual_seed(seed)
    flow = RealNVP(**RING_SHAPE).to(device)
    recipe = RING_RECIPE | {"steps": steps}
    warm = flows_support.Replay.WARM
    flows_support.Replay.WARM = warm if replayed else 10**9
    try:
        history, seconds = timed(
            lambda: train(flow, draw, report_every=steps, seed=seed, **recipe), device
        )
    finally:
        flows_support.Replay.WARM = warm
    return {"seconds": seconds, "gap": gap(flow, device), "nll": history.train_nll[-1]}


def rings(device, quick):
    """Seconds and gaps of one ring: recorded, not recorded, and the reference recipe."""
    steps, epochs = (20, 2) if quick else (RING_RECIPE["steps"], 300)
    found = {"replay": [], "eager": [], "reference": []}
    one_recipe(device, 99, 5, True)
    for seed in range(1 if quick else 5):
        found["replay"].append(one_recipe(device, seed, steps, True))
    found["eager"].append(one_recipe(device, 0, steps, False))
    flow, seconds = timed(lambda: train_reference(0, device, epochs), device)
    found["reference"].append({"seconds": seconds, "gap": gap(flow, device)})
    return {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            | {"runs": runs} for name, runs in found.items()}  # fmt: skip


def steps_by_batch(device, quick):
    """Milliseconds a step, by the size of a batch drawn on the device itself."""
    found = {}
    for n in (512, 4096) if quick else (512, 4096, 32_768, 262_144):
        points = draw(n, torch.Generator().manual_seed(0)).to(device)
        for name, able in (("replay", True), ("eager", False)):
            torch.manual_seed(0)
            trainer = Trainer(RealNVP(**RING_SHAPE).to(device), lambda n, g, p=points: p,
                              steps=1000, batch_size=n)  # fmt: skip
            trainer.slope.able = trainer.update.replay.able = trainer.slope.able and able
            for _ in range(10):
                trainer.step()
            count = 3 if quick else 100
            _, seconds = timed(lambda t=trainer, c=count: [t.step() for _ in range(c)], device)
            found[f"{n} {name}"] = 1000 * seconds / count
    return found


def together(device, quick):
    """Seconds a ring if many seeds train together."""
    found, steps = {}, 10 if quick else RING_RECIPE["steps"]
    for n in (1, 4) if quick else (1, 8, 32, 128):
        made, seconds = timed(
            lambda n=n: train_seeds(lambda: RealNVP(**RING_SHAPE).to(device), draw, range(n),
                                    **(RING_RECIPE | {"steps": steps})), device)  # fmt: skip
        found[n] = {"seconds": seconds, "a_ring": seconds / n,
                    "gaps": [gap(flow, device) for flow in made[:8]]}  # fmt: skip
    return found


def throughput(device, quick):
    """Points a second and peak memory of log_prob and sample, in chunks."""
    found, flow = {}, RealNVP(**RING_SHAPE).to(device)
    chunk = 2**12 if device.type == "cpu" else 2**20
    for n in (10**3, 10**5) if quick else (10**3, 10**4, 10**5, 10**6, 10**7, 10**8):
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        generator = torch.Generator(device).manual_seed(0)
        x = torch.randn(n, 2, device=device, generator=generator)

        def density(x):
            with torch.no_grad():
                return torch.cat([flow.log_prob(part) for part in x.split(chunk)])

        def sample(x, generator=generator):
            return torch.cat(
                [flow.sample(len(part), generator=generator) for part in x.split(chunk)]
            )

        for name, work in (("log_prob", density), ("sample", sample)):
            timed(lambda w=work, x=x: w(x), device)
            _, seconds = timed(lambda w=work, x=x: w(x), device)
            peak = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else None
            found[f"{n} {name}"] = {"points_a_second": n / seconds, "peak_gigabytes": peak}
    return found


def near_the_limit(device, quick):
    """Twenty flows of 32 couplings, width 64, batches of 4096: how near they come to the entropy.

    An hour of a class is not enough for it on a CPU.
    """
    shape, n = RING_SHAPE | {"n_layers": 32, "hidden_dim": 64}, 2 if quick else 20
    recipe = {"steps": 3 if quick else 3000, "batch_size": 64 if quick else 4096, "lr": 4e-3}
    flows, seconds = timed(
        lambda: train_seeds(lambda: RealNVP(**shape).to(device), draw, range(n), **recipe), device
    )
    return {"shape": shape, "recipe": recipe, "seeds": n, "seconds": seconds,
            "gaps": [gap(flow, device) for flow in flows]}  # fmt: skip


def show(found: dict) -> str:
    """What was measured, as a page.

    Args:
        found: What `main` prints.

    Returns:
        Markdown.
    """
    rings, alone = found["rings"], found["rings"]["replay"]["seconds"]
    names = {
        "replay": "the course's recipe, its steps recorded and replayed",
        "eager": "the same, not recorded",
        "reference": "the reference chapter's recipe",
    }
    lines = [
        "# On a GPU", "",
        f"{found['device']}, torch {found['torch']}; joined from calls on machines of this kind.",
        "Written by `benchmarks/gpu.py`.",
        "", "| one ring | runs | median s | times the first | median gap, nats |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, words in names.items():
        seconds, gap_ = rings[name]["seconds"], rings[name]["gap"]
        runs = len(rings[name]["runs"])
        lines.append(f"| {words} | {runs} | {seconds:.1f} | {seconds / alone:.1f} | {gap_:.3f} |")
    if earlier := found.get("earlier_rings"):
        times = " and ".join(f"{run['reference'] / run['replay']:.1f}" for run in earlier)
        lines += ["", f"On other days the reference took {times} times as long as the first row:",
                  "not recorded, a step waits for the machine's processor."]  # fmt: skip
    lines += ["", "| rings trained together | s | s a ring |", "|---|---|---|"]
    for n, row in found["together"].items():
        lines.append(f"| {n} | {row['seconds']:.1f} | {row['a_ring']:.2f} |")
    lines += [
        "", "Single timings of the trainer for many seeds; the first row carries the start-up of",
        "its process. For a single ring, the first table counts.", "",
        "| points | log_prob, million a second | sample, million a second | peak memory, GB |",
        "|---|---|---|---|",
    ]  # fmt: skip
    rates = found["throughput"]
    for n in sorted({int(key.split()[0]) for key in rates}):
        density, sample = rates[f"{n} log_prob"], rates[f"{n} sample"]
        peak = max(density["peak_gigabytes"] or 0, sample["peak_gigabytes"] or 0)
        lines.append(f"| {n:,} | {density['points_a_second'] / 1e6:.2f} "
                     f"| {sample['points_a_second'] / 1e6:.2f} | {peak:.2f} |")  # fmt: skip
    last = found["near_the_limit"]
    gaps, shape, recipe = sorted(last["gaps"]), last["shape"], last["recipe"]
    lines += [
        "",
        f"{last['seeds']} flows of {shape['n_layers']} affine couplings, width "
        f"{shape['hidden_dim']}, trained together for {recipe['steps']} steps of "
        f"{recipe['batch_size']} fresh points each: {last['seconds']:.0f} s, gap "
        f"{statistics.median(gaps):.4f} nats ({gaps[0]:.4f} to {gaps[-1]:.4f}).",
    ]
    return "\n".join(lines) + "\n"


PARTS = (rings, steps_by_batch, together, throughput, near_the_limit)


def main():
    """Measure all, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", default=str(gmu.device))
    parser.add_argument("--only", nargs="*", default=[part.__name__ for part in PARTS])
    parser.add_argument("--show", metavar="FILE")
    options = parser.parse_args()
    if options.show:
        print(show(json.loads(Path(options.show).read_text(encoding="utf-8"))), end="")
        return
    device = torch.device(options.device)
    torch.set_num_threads(1)
    name = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor()
    found = {"device": name, "torch": torch.__version__, "python": platform.python_version()}
    for part in (part for part in PARTS if part.__name__ in options.only):
        found[part.__name__], seconds = timed(lambda p=part: p(device, options.quick), device)
        print(f"{part.__name__}: {seconds:.0f} s", file=sys.stderr, flush=True)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
