"""One run of the benchmark: a training with its checkpoints, or points a second.

CPU seconds are those of this process, all of the training and nothing else: what looks at the flow
on the way stops the clock. All libraries get the same loop (the batches, the schedule, the limit on
the gradient and the optimizer of the course), apart from what only the course's `Trainer` has: the
recorded step, the way back after an explosion, and the loss that far points cannot rule.
"""

import contextlib
import math
import multiprocessing
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

import gen_models_utilities as gmu
from benchmarks.reference import train_reference
from experiments.studies.common import ring
from experiments.studies.conditional import draw_labelled, label_gap
from flows import RealNVP, Trainer, learning_rate

BATCH, CLIP, CHUNK, SAMPLES = 512, 5.0, 4096, 50_000
LOOKS = (0.5, 0.75, 0.9, 1.0)  # shares of a training after which the gap is measured
LABELS = {"n_layers": 4, "hidden_dim": 32, "context_dim": 8}
ERRORS = (RuntimeError, ValueError, AssertionError, ArithmeticError)  # of a training gone wild


class Clock:
    """CPU seconds of this process since it was made, less those inside `stopped`."""

    def __init__(self):
        self.began = time.process_time()

    def seconds(self) -> float:
        """Seconds so far."""
        return time.process_time() - self.began

    @contextlib.contextmanager
    def stopped(self):
        """What runs inside does not count."""
        before = time.process_time()
        yield
        self.began += time.process_time() - before


def number(value: float) -> float | None:
    """A number for JSON, None for what is none."""
    return value if math.isfinite(value) else None


def plain_steps(model, steps: int, rate: float, seed: int):
    """A function that does the next step, for a flow of any library."""
    generator = torch.Generator().manual_seed(seed)
    weights = [weight for weight in model.flow.parameters() if weight.requires_grad]
    adam = torch.optim.Adam(weights, lr=rate, **Trainer.ADAM)
    done = 0

    def step():
        nonlocal done
        adam.param_groups[0]["lr"] = learning_rate(done, steps, rate)
        loss = -model.log_prob(ring(BATCH, generator)).mean()
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, CLIP)
        adam.step()
        done += 1

    return step


@torch.no_grad()
def quality(model) -> dict:
    """What 50,000 samples say: strays and the lightest mode, as shares."""
    samples = torch.cat([model.sample(CHUNK) for _ in range(-(-SAMPLES // CHUNK))])[:SAMPLES]
    samples = samples[samples.isfinite().all(dim=1)]
    return {
        "strays_3": gmu.beyond_sigma_share(samples, 3.0),
        "strays_4": gmu.beyond_sigma_share(samples, 4.0),
        "worst_mode": 8 * float(gmu.mode_shares(samples).min()),  # 1 is right
    }


def trained(make_model, arm: str, steps: int, rate: float, seed: int, layers=None) -> dict:
    """Train a flow on the ring.

    Args:
        make_model: Function of the number of layers.
        arm: Its name; the course's own flows are trained by the course's `Trainer`.
        steps: Length of the training.
        rate: Peak learning rate.
        seed: Seed of weights and batches.
        layers: None for the usual number.

    Returns:
        The checkpoints, CPU seconds, ms a step, number of weights, and `quality`.
    """
    looks, curve, why = {max(1, round(share * steps)) for share in LOOKS}, [], None
    torch.manual_seed(seed)
    clock = Clock()
    model = make_model(layers)
    if arm.startswith("ours"):
        training = {"steps": steps, "batch_size": BATCH, "lr": rate, "clip": CLIP, "seed": seed}
        step = Trainer(model.flow, ring, **training).step
    else:
        step = plain_steps(model, steps, rate, seed)
    try:
        for done in range(1, steps + 1):
            step()
            if done in looks:
                with clock.stopped():
                    gap = number(gmu.ring_gap(model.log_prob))
                curve.append({"step": done, "cpu": clock.seconds(), "gap": gap})
    except ERRORS as error:
        why = f"{type(error).__name__} in step {done}"
    return summed_up(model, curve, clock.seconds(), steps, why)


def summed_up(model, curve, seconds: float, steps: int, why: str | None) -> dict:
    """The row of a training."""
    row = {"curve": curve, "cpu": seconds, "ms": 1000 * seconds / steps, "broke": why}
    row["weights"] = sum(weight.numel() for weight in model.flow.parameters())
    whole = why is None and curve[-1]["gap"] is not None
    return row | {"gap": curve[-1]["gap"] if whole else None} | (quality(model) if whole else {})


def trained_reference(seed: int, epochs: int, layers: int = 6) -> dict:
    """The reference recipe, as `trained`. Its number of steps is seven an epoch."""
    looks, curve, clock = {max(1, round(share * epochs)) for share in LOOKS}, [], Clock()

    def look(epoch, flow):
        if epoch in looks:
            with clock.stopped():
                gap = number(gmu.ring_gap(flow.log_prob))
            curve.append({"step": 7 * epoch, "cpu": clock.seconds(), "gap": gap})

    flow = train_reference(seed, epochs=epochs, n_layers=layers, on_epoch=look)
    seconds = clock.seconds()
    from benchmarks.peers.course import as_model

    return summed_up(as_model(flow), curve, seconds, 7 * epochs, None)


def trained_on_labels(arm: str, steps: int, rate: float, seed: int) -> dict:
    """The ring with the number of the mode given, by the course or by the reference's recipe."""
    clock = Clock()
    if arm == "reference":
        flow = train_reference(seed, epochs=steps // 7, labels=True)
        seconds, (x, modes) = clock.seconds(), gmu.held_out_ring(20_000)
        with torch.no_grad():
            own = flow.log_prob(x, None, F.one_hot(modes, 8).float())
        centers, variance = gmu.ring_centers()[modes], 0.25**2
        true = -(x - centers).square().sum(dim=1) / (2 * variance)
        gap = (true - math.log(2 * math.pi * variance) - own).mean().item()
        return {"cpu": seconds, "gap": number(gap)}
    torch.manual_seed(seed)
    flow = RealNVP(**LABELS)
    trainer = Trainer(flow, draw_labelled, steps=steps, batch_size=1024, lr=rate, seed=seed)
    for _ in range(steps):
        trainer.step()
    seconds = clock.seconds()
    return {"cpu": seconds, "gap": number(label_gap(flow, *gmu.held_out_ring(20_000)))}


def a_second(work, n: int, least: float = 0.2) -> float:
    """Points a CPU second of `work`, which does n points; repeated for `least` seconds."""
    began, times = time.process_time(), 0
    while not times or time.process_time() - began < least:
        work()
        times += 1
    return times * n / (time.process_time() - began)


def peak_megabytes() -> float:
    """The most memory that this process ever had."""
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def speeds_here(make_model, sizes, layers) -> dict:
    """Points a second and memory, for growing numbers of points."""
    torch.manual_seed(0)
    model, found = make_model(layers), {}
    before = peak_megabytes()
    for n in sizes:
        x = torch.randn(n, 2)

        @torch.no_grad()
        def density(x=x):
            return torch.cat([model.log_prob(part) for part in x.split(CHUNK)])

        def sample(x=x):
            return torch.cat([model.sample(len(part)) for part in x.split(CHUNK)])

        if not found:
            density(), sample()
        row = {"log_prob": a_second(density, n), "sample": a_second(sample, n)}
        found[n] = row | {"megabytes": peak_megabytes() - before}
    return found


def speeds(make_model, sizes, layers=None) -> dict:
    """`speeds_here` in a process of its own, so that the memory is its own.

    Args:
        make_model: Function of the number of layers.
        sizes: Numbers of points, growing.
        layers: None for the usual number.

    Returns:
        n -> points a CPU second of log_prob and sample, and the growth of the peak memory, MB.

    Raises:
        RuntimeError: If the process dies.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(
        target=lambda: theirs.send(speeds_here(make_model, sizes, layers)), daemon=True
    )
    child.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        child.join()
        raise RuntimeError(f"the process that counts points ended: {child.exitcode}") from None
    finally:
        child.join()
