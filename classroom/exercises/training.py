"""Exercises of chapter 5."""

import math

import numpy as np

from classroom.exercise import Exercise, Level
from classroom.laws import (
    fail,
    hand_computed,
    law,
    log_det_is_autograds,
    number,
    one,
    round_trip,
    same_seed_same_numbers,
    schedule,
    training_lowers_own_nll,
)

CHAPTER = "5_training"

FLOW = """
def _double(flow):
    return copy.deepcopy(flow).cpu().double()

flow = RealNVP(2, 8, 4)
_generator = torch.Generator().manual_seed(0)
with torch.no_grad():
    for _parameter in flow.parameters():
        _noise = torch.randn(_parameter.shape, generator=_generator)
        _parameter.copy_(0.8 * _noise / math.sqrt(_parameter.shape[-1]))
"""


@law
def falls_by_two_logs(answer, rng):
    """log p falls by 2 log 100 at each point, when its length is measured in centimetres."""
    x = 2 * rng.standard_normal((20, 2))
    change = one(answer, "flow_log_prob", x) - one(answer, "log_prob", 100 * x)
    wanted = 2 * math.log(100)
    if not np.abs(change - wanted).max() < 1e-3:
        worst = change[np.argmax(np.abs(change - wanted))]
        cause = "the log-det of the new layer is missing" if np.abs(change).max() < 1e-3 else ""
        fail("the fall of log p at one point", worst, wanted, cause)


@law
def decodes_to_a_hundred(answer, rng):
    """The same latent is decoded to a point a hundred times as far."""
    z = rng.standard_normal((6, 2))
    got, x = one(answer, "decoded", z), one(answer, "flow_decoded", z)
    off = np.abs(got - 100 * x).max()
    if not off < 1e-3 * np.abs(100 * x).max():
        cause = "in generative order the stretch comes last: decoding must end with the stretch"
        if np.allclose(100 * got, x, rtol=1e-3, atol=1e-3):
            cause = "the new layer shrinks where it should stretch"
        elif any(np.allclose(got[:, k], x[:, k], rtol=1e-3, atol=1e-3) for k in (0, 1)):
            cause = "only one of the two coordinates is stretched"
        fail("the largest difference between decoding and 100 times the old point", off, 0, cause)


FIT = """
import torch.optim.optimizer as _optimizer

def _new(seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return RealNVP(2, 16, 4).double()

def _fit(data, fresh, seed):
    flow = _new(seed)
    losses = fit(flow, data, steps=120, seed=int(seed))
    if losses is None:
        return None
    with torch.no_grad():
        z, log_det = flow.encode(fresh)
    return torch.as_tensor(losses, dtype=torch.float64), z, log_det

def _losses(data, seed):
    return torch.as_tensor(fit(_new(0), data, steps=12, seed=int(seed)), dtype=torch.float64)

def _steps(data):  # all points are one: each batch has the same gradient
    flow, seen = _new(0), []

    def look(optimizer, *rest):
        z, log_det = flow.encode(data)
        nll = -(standard_normal_log_prob(z).sum(dim=1) + log_det).mean()
        parameters = [p for p in flow.parameters() if p.requires_grad]
        true = torch.autograd.grad(nll, parameters, allow_unused=True)
        pairs = [(p.grad, g) for p, g in zip(parameters, true) if g is not None]
        pairs = [(step, g) for step, g in pairs if step is not None]
        if not pairs:
            seen.append(torch.zeros(2))
            return
        step, true = (torch.cat([side.flatten() for side in sides]) for sides in zip(*pairs))
        cosine = (step @ true) / (step.norm() * true.norm()).clamp(min=1e-300)
        seen.append(torch.stack([cosine, step.norm()]).detach())

    hook = _optimizer.register_optimizer_step_pre_hook(look)
    try:
        fit(flow, data, steps=25, seed=0)
    finally:
        hook.remove()
    return torch.stack(seen) if seen else torch.zeros(0, 2)
"""


@law
def steps_follow_the_gradient(answer, rng):
    """Each step of the optimiser uses the gradient of the mean NLL, and no longer one."""
    seen = one(answer, "steps", np.tile([3.0, -4.0], (64, 1)))
    if len(seen) != 25:
        cause = "the optimiser must step once for each of the steps"
        fail("the number of optimiser steps in a run of 25 steps", len(seen), 25, cause)
    cosine, norm = seen[:, 0], seen[:, 1]
    k = int(np.argmin(cosine))
    if cosine[k] < 0.999:
        cause = "gradients of earlier steps are still in it: set them to zero before `backward`"
        if cosine[k] < -0.9:
            cause = "the loss has the wrong sign: the training climbs"
        elif k == 0:
            cause = "the loss is not the mean negative log-likelihood"
        what = f"the cosine between step {k + 1}'s gradient and that of the mean NLL"
        fail(what, cosine[k], 1, cause)
    if norm.max() > 1.01:
        cause = "the gradient has no limit: clip its norm to 1 between `backward` and `step`"
        fail("the largest norm of a step's gradient", norm.max(), "at most 1", cause)


def cloud(n):
    """Points around (2, -1)."""
    return lambda rng: np.array([2.0, -1.0]) + 0.3 * rng.standard_normal((n, 2))


@law
def counts_the_modes(answer, rng):
    """The entropy of a ring whose modes do not overlap."""
    inside = math.log(2 * math.pi * math.e * 0.25**2)
    got, wanted = number(answer, "apart"), math.log(8) + inside
    usual = {
        math.log(8): "where the point lies inside its mode carries information too",
        inside: "which mode it is carries information too",
        3 + inside: "the modes are counted in bits, the rest in nats",
        wanted / math.log(2): "this is in bits",
        wanted + inside: "the inside of a mode is counted twice",
        math.log(8) - inside: "the two pieces add up",
    }
    if abs(got - wanted) > 2e-6:
        cause = next((why for v, why in usual.items() if abs(got - v) < 1e-4), "")
        if abs(got - wanted) < 2e-5:
            cause = "this is the entropy with the overlap: the doubt about the mode is in it"
        fail("the entropy without overlap", f"{got:.6f}", f"{wanted:.6f}", cause)


EXERCISES = (
    Exercise(
        id="ex-5-entropy",
        name="apart",
        title="Why 2.1447?",
        level=Level.WARM_UP,
        minutes=10,
        points=2,
        answers=("apart",),
        stub="apart = ...  # the entropy, in nats, if no modes overlapped",
        hints=(
            "Eight equally likely modes carry log 8 nats.",
            "gmu.ring_conditional_entropy() is the entropy inside one mode.",
        ),
        ports={"apart": "lambda: apart"},
        checks=(counts_the_modes,),
        rubric=("explains the sign of the difference",),
    ),
    Exercise(
        id="ex-5-units",
        name="units",
        title="Units",
        level=Level.CORE,
        minutes=15,
        points=3,
        answers=("bigger",),
        stub="bigger = ...  # a Flow for x' = 100 x, made of `flow` and one layer",
        hints=(
            "A flow is a list of layers in generative order: where does a stretch of x stand?",
            "Flow([*flow.layers, ...], dim=2), with Linear(scaling(...)) as the new layer.",
        ),
        ports={
            "log_prob": "lambda x: _double(bigger).log_prob(x)",
            "flow_log_prob": "lambda x: _double(flow).log_prob(x)",
            "decode": "lambda z: _double(bigger).decode(z)",
            "encode": "lambda x: _double(bigger).encode(x)",
            "decoded": "lambda z: _double(bigger).decode(z)[0]",
            "flow_decoded": "lambda z: _double(flow).decode(z)[0]",
        },
        needs=FLOW,
        checks=(
            decodes_to_a_hundred,
            falls_by_two_logs,
            log_det_is_autograds("decode", lambda rng: rng.standard_normal((4, 2)), 1e-3),
            round_trip(points=lambda rng: rng.standard_normal((4, 2)), tolerance=1e-4),
        ),
        rubric=("says by how much the NLL changes, and that the gap stays",),
    ),
    Exercise(
        id="ex-5-depth",
        name="depth",
        title="Depth and width for one and a half seconds",
        level=Level.CORE,
        minutes=20,
        points=3,
        hints=(
            "What does a step of a deep flow cost, against one of a shallow flow?",
            "An arm is not told apart from the winner if runs.effect(arm, winner).clear is False.",
        ),
        rubric=(
            "a shape is chosen, with a reason, before the evidence is read: 1 point",
            "names the best arm and those that cannot be told apart from it: 1 point",
            "says why more time favours another depth: 1 point",
        ),
    ),
    Exercise(
        id="ex-5-very-deep",
        name="very_deep",
        title="50 couplings, calm or wild",
        level=Level.RESEARCH,
        minutes=25,
        points=3,
        hints=(
            "Four runs: the schedule on or off, and the usual rate or 0.01.",
            "One seed does not settle it: run three, and look at the worst.",
        ),
        rubric=(
            "one thing is changed at a time, in at least four runs: 1 point",
            "the NLL of every tenth step is printed, and failures are reported: 1 point",
            "the conclusion names the rate or the schedule, and says how many seeds it rests on: "
            "1 point",
        ),
    ),
    Exercise(
        id="ex-5-direction",
        name="direction",
        title="The direction of the plain form",
        level=Level.CORE,
        minutes=15,
        points=2,
        hints=(
            "Which direction does a training step run?",
            'evidence("direction").effect("decode", "encode") holds the paired difference.',
        ),
        rubric=(
            "a guess and a reason are written down before the evidence is read: 1 point",
            "states the paired difference with its interval, and that it contains 0: 1 point",
        ),
    ),
    Exercise(
        id="ex-5-points",
        name="points",
        title="Early stopping, or more data?",
        level=Level.HARDER,
        minutes=25,
        points=3,
        hints=(
            "Report the held-out NLL often enough to see its lowest value.",
            "What separates the held-out NLL from the training NLL, and which of the two means "
            "can make it smaller?",
        ),
        rubric=(
            "three seeds, each with the NLL at the end and at its best: 1 point",
            "the gain of stopping is compared with that of four times the points: 1 point",
            "tells the generalisation gap from the misfit of the flow: 1 point",
        ),
    ),
    Exercise(
        id="ex-5-rate",
        name="rate",
        title="A schedule by hand",
        level=Level.WARM_UP,
        minutes=10,
        points=2,
        answers=("rate",),
        stub="""\
def rate(step, steps, peak):
    ...  # the learning rate at a step, counted from 0""",
        hints=(
            "The first tenth rises in equal steps, so that step 0 already moves a little.",
            "Half a cosine: (1 + cos(pi p)) / 2 falls from 1 to 0 while p goes from 0 to 1.",
        ),
        ports={"rate": "lambda step, steps, peak: rate(int(step), int(steps), peak)"},
        checks=(
            schedule(
                "rate",
                100,
                {0: 0.1, 4: 0.5, 9: 1.0, 10: 1.0, 32: 0.8597, 55: 0.5, 99: 0.0003},
                {
                    0: "the rise begins at peak / 10: count (step + 1)",
                    4: "the first tenth rises in equal steps",
                    9: "the rise ends at the peak",
                    10: "the fall begins at the peak",
                    32: "the fall is half a cosine, no straight line",
                    55: "half-way through the fall the rate is half of its peak",
                    99: "the rate must fall to 0 at the end",
                },
            ),  # fmt: skip
            schedule(
                "rate",
                20,
                {0: 0.5, 1: 1.0, 11: 0.5},
                {
                    0: "the rise is a tenth of the steps, however many there are",
                    11: "the fall has the length of the training, however many steps there are",
                },
            ),  # fmt: skip
            hand_computed("rate", (9, 100, 0.02), 0.02, 1e-6, {1.0: "the peak is not used"}),
        ),
    ),
    Exercise(
        id="ex-5-loop",
        name="loop",
        title="A training loop of your own",
        level=Level.HARDER,
        minutes=40,
        points=5,
        answers=("fit",),
        stub="""\
def fit(flow, data, steps, seed):
    ...  # train the flow in place; return the list of losses, one for each step""",
        hints=(
            "Each step: draw a batch, compute the mean of -flow.log_prob(batch), backward, step.",
            "A torch.Generator that starts from the seed draws the batches; gradients are set to "
            "zero before each backward.",
            "torch.nn.utils.clip_grad_norm_(flow.parameters(), 1.0) stands between backward and "
            "step.",
        ),
        ports={
            "fitted": "lambda data, fresh, seed: _fit(data, fresh, seed)",
            "losses": "lambda data, seed: _losses(data, seed)",
            "steps": "lambda data: _steps(data)",
        },
        support=FIT,
        checks=(
            training_lowers_own_nll("fitted", cloud(400), cloud(400), 2.0, 0.8),
            steps_follow_the_gradient,
            same_seed_same_numbers("losses", cloud(400)),
        ),
    ),
)
