"""Exercises of chapter 4."""

import math

import numpy as np

from classroom.exercise import DIRECTIONS, Exercise, Level
from classroom.laws import (
    bell,
    bounded_scale,
    context_matters,
    every_input_matters,
    every_weight_learns,
    fail,
    hand_computed,
    identity_at_start,
    integrates_to_one,
    law,
    log_det_is_autograds,
    mapped,
    number,
    of_bell_through,
    one,
    round_trip,
    samples_match_density,
)

CHAPTER = "4_realnvp"

# ---------------------------------------------------------------------- a coupling of one's own

CONDITIONER = """
def _conditioner(n_changed):
    def conditioner(kept, context=None):
        k = torch.arange(1, n_changed + 1)
        total = kept.sum(dim=1, keepdim=True)
        if context is not None:
            total = total + context.sum(dim=1, keepdim=True)
        return 0.7 * torch.tanh(total * k / 2), torch.sin(total + k)
    return conditioner

def _mine(points, flip=False):
    kept = points.shape[1] // 2
    return MyCoupling(_conditioner(kept if flip else points.shape[1] - kept), flip)

def _gradients():
    net = nn.Linear(2, 4)
    layer = MyCoupling(lambda kept, context=None: net(kept).chunk(2, dim=1))
    points = torch.randn(20, 4)
    value, log_det = layer.encode(points)
    norms = []
    for what, rows in ((log_det.sum(), slice(0, 2)), (value.square().sum(), slice(2, 4))):
        net.zero_grad()
        if what.requires_grad:
            what.backward(retain_graph=True)
        norms.append(torch.zeros(()) if net.weight.grad is None else net.weight.grad[rows].norm())
    return torch.stack(norms)
"""
KEEPS = "the half that is kept must come out as it went in, in its old place"
PATTERN = np.eye(5)  # the first two are kept, the other three see them and themselves
PATTERN[2:, :2] = 1
FLIPPED = np.eye(5)
FLIPPED[:2, 2:] = 1

# ---------------------------------------------------------------------- the two lines of a flow

FLOW = """
def _shaken(module, size=0.8, seed=1):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(size * noise / math.sqrt(parameter.shape[-1]))
    return module.double()

_flow = _shaken(RealNVP(2, 8, 4))
_still = RealNVP(2, 8, 2).double()  # new: the identity

def _seeded(seed):
    return torch.Generator().manual_seed(seed)
"""


@law
def temperature(answer, rng):
    """Of a flow that is the identity, the samples' spread is the temperature."""
    for wanted in (1.0, 0.5):
        drawn = one(answer, "still_samples", 4000, 3, wanted)
        if drawn.shape != (4000, 2):
            fail("the shape of 4000 samples", str(drawn.shape), "(4000, 2)")
        for what, measured, right, cause in (
            ("mean", drawn.mean(), 0.0, "the base samples are not normal: rand is uniform"),
            ("spread", drawn.std(), wanted, "the base samples are scaled by the temperature"),
        ):
            if abs(measured - right) > 0.05:
                at = f"the {what} of an identity's samples at temperature {wanted:g}"
                fail(at, measured, right, cause)


@law
def no_volume(answer, rng):
    """The log-det is 0 everywhere."""
    _, log_det = mapped(answer, "encode", 1.3 * rng.standard_normal((6, 4)))
    worst = log_det[np.argmax(np.abs(log_det))]
    if worst != 0:
        fail("the log-det of the coupling", worst, 0, "s must be 0 for every point")


# ---------------------------------------------------------------------------- who talks to whom


@law
def three_are_enough(answer, rng):
    """The least number of couplings after which each output depends on each input."""
    for dim in (2, 5, 6):
        half, linked, count = dim // 2, np.eye(dim, dtype=bool), 0
        while not linked.all():
            kept = np.arange(half) if count % 2 == 0 else np.arange(half, dim)
            step = np.eye(dim, dtype=bool)
            step[np.ix_(np.setdiff1d(np.arange(dim), kept), kept)] = True
            linked, count = (step.astype(int) @ linked.astype(int)) > 0, count + 1
        got = number(answer, "needed", dim)
        if got != count:
            cause = "an entry of the second half knows only itself within its half"
            fail(f"the number of couplings for D = {dim}", got, count, cause if got < count else "")


# ------------------------------------------------------------------------------ a mask, a bound

MASK = """
def _masked(x, mask):
    def weights(kept):
        total = kept @ torch.arange(1.0, x.shape[1] + 1)
        return total[:, None] + torch.arange(x.shape[1])
    return masked_encode(
        x, torch.tensor(mask, dtype=x.dtype),
        lambda kept: 0.7 * torch.tanh(weights(kept)), lambda kept: torch.sin(weights(kept)),
    )
"""
MASKED = [[1, 0, 0, 0], [1, 1, 1, 0], [0, 0, 1, 0], [1, 0, 1, 1]]

WIDE = """
def _wild():
    generator = torch.Generator().manual_seed(2)
    wide = Wide(2, 2, hidden_dim=16).double()
    with torch.no_grad():
        for parameter in wide.parameters():
            parameter.copy_(3 * torch.randn(parameter.shape, generator=generator))
    return wide

def _small(amount):
    wide = Wide(1, 1, hidden_dim=4).double()
    with torch.no_grad():
        for parameter in wide.parameters():
            parameter.zero_()
        wide.net[-1].bias.fill_(amount)
    return wide(torch.zeros(1, 1))[0]
"""


@law
def slope_one(answer, rng):
    """Small values of s are learned as fast as without a bound."""
    slope = number(answer, "small", 1e-3) / 1e-3
    if abs(slope - 1) > 1e-3:
        cause = "b must stand twice, b tanh(raw / b)" if slope > 1 else "raw is divided by too much"
        fail("the slope of s at raw = 0", slope, 1, cause)


@law
def shift_is_free(answer, rng):
    """Only s has a bound."""
    far = number(answer, "shift")
    if not far > 5:
        fail("the largest |t| of wild weights", far, "above 5", "t needs no bound")


# ------------------------------------------------------------------------------------- break it

LAWS = """
def _three_laws():
    layer = Flow([Broken(2, conditioner=_bend)], dim=2).double()
    z = torch.tensor([[0.4, -0.9], [1.1, 0.3]])
    x, log_det = layer.decode(z)
    back, other = layer.encode(x)
    truth = torch.stack([torch.linalg.slogdet(torch.autograd.functional.jacobian(
        lambda p: layer.decode(p[None])[0][0], p)).logabsdet for p in z])
    mass = gmu.integrate_density(layer.log_prob, (-12, 12, -12, 12), n=300)
    return torch.tensor([
        float((truth - log_det).abs().max() < 1e-9),
        float((back - z).abs().max() < 1e-9 and (log_det + other).abs().max() < 1e-9),
        float(abs(mass - 1) < 1e-3),
    ])

def _bend(a, context=None):
    return 0.7 * torch.tanh(2 * a), 1.3 * torch.sin(2 * a)

_NAMES = ("log-det", "round trip", "integral")
"""


@law
def broken_as_said(answer, rng):
    """The layer breaks a law, and it is the one that the reader named."""
    kept, named = one(answer, "kept"), one(answer, "named")
    names = ("log-det", "round trip", "integral")
    if kept.all():
        fail("the number of laws that `Broken` breaks", 0, "at least 1", "it is a sound layer")
    for name, holds, said in zip(names, kept, named, strict=True):
        if bool(holds) == bool(said):
            cause = "the prediction and the run disagree: find out why, then correct the one"
            found, named = ("kept", "broken") if holds else ("broken", "kept")
            fail(f"the law of the {name}, by measurement,", found, f"{named} as you say", cause)


EXERCISES = (
    Exercise(
        id="ex-4-sign",
        name="sign",
        title="Signs by hand",
        level=Level.WARM_UP,
        minutes=10,
        points=2,
        answers=("log_p_by_hand",),
        stub="log_p_by_hand = ...  # log p(x), with pen and paper",
        hints=(
            "h = 2 z + 1, then x = tanh h. The log-dets of decode are log 2 and log(1 - x^2).",
            "log p(x) = log p(z) minus the sum of decode's log-dets.",
        ),
        ports={"log_p": "lambda: log_p_by_hand"},
        checks=(
            hand_computed(
                "log_p",
                (),
                -0.9389385 - (0.6931472 - 0.3402997),
                2e-3,
                {
                    -0.9389385 + 0.3528475: "decode's log-dets were added, not subtracted",
                    -0.9389385: "no log-det was counted",
                    -0.9389385 - 0.6931472: "only the first log-det was counted",
                    -0.9389385 + 0.3402997: "only the second log-det was counted",
                    -0.02 - 0.3528475: "the constant of the normal density is missing",
                    -0.9189385 - 0.3528475: "the z in the base density is missing",
                },
                what="log p(x)",
            ),  # fmt: skip
        ),
        rubric=("the intermediate values stand beside the result",),
    ),
    Exercise(
        id="ex-4-nice",
        name="nice",
        title="Only shifts: NICE",
        level=Level.CORE,
        minutes=20,
        points=3,
        answers=("shift_only",),
        stub="""\
def shift_only(a, context=None):
    ...  # return s, t""",
        hints=(
            "s and t have the shape of the half that changes; here that is the shape of a.",
            "With log-det 0 everywhere, log p(x) = log p(z): how high can the bell be?",
        ),
        ports={
            "decode": "lambda z: AffineCoupling(z.shape[1], conditioner=shift_only).decode(z)",
            "encode": "lambda x: AffineCoupling(x.shape[1], conditioner=shift_only).encode(x)",
        },
        checks=(
            no_volume,
            log_det_is_autograds("decode", bell(6, 2)),
            round_trip(points=bell(6, 4)),
            every_input_matters(
                "decode", bell(6, 2), [[1, 0], [1, 1]], "t must depend on the kept half"
            ),
        ),
        rubric=("shows that the bell's own peak is the most that such a stack can reach",),
    ),
    Exercise(
        id="ex-4-mixing",
        name="mixing",
        title="Who talks to whom",
        level=Level.CORE,
        minutes=15,
        points=2,
        answers=("needed",),
        stub="needed = {2: ..., 5: ..., 6: ...}  # D: number of couplings",
        hints=(
            "After the first coupling the second half knows the first.",
            "For D = 6, does entry 4 know entry 5 after two couplings?",
        ),
        ports={"needed": "lambda dim: needed[int(dim)]"},
        checks=(three_are_enough,),
        rubric=("gives the reason, not only the count",),
    ),
    Exercise(
        id="ex-4-mask",
        name="mask",
        title="A mask instead of a split",
        level=Level.CORE,
        minutes=20,
        points=3,
        answers=("masked_encode",),
        stub="""\
def masked_encode(x, mask, s, t):
    ...  # return z, log_abs_det""",
        hints=(
            "s and t may see only mask * x.",
            "Where the mask is 1 the value stays: there neither s nor t may act.",
            "The log-det sums only the s of the coordinates that change.",
        ),
        ports={
            "encode": "lambda x: _masked(x, [1, 0, 1, 0])",
            "pair": "lambda x: _masked(x, [0, 1])",
        },
        support=MASK,
        checks=(
            log_det_is_autograds("encode", bell(6, 4)),
            every_input_matters("encode", bell(6, 4), MASKED, "s and t may see mask * x only"),
            of_bell_through(integrates_to_one(extent=(-9, 9, -9, 9), n=200), "pair"),
        ),
    ),
    Exercise(
        id="ex-4-bound",
        name="bound",
        title="Another bound on s",
        level=Level.CORE,
        minutes=20,
        points=3,
        answers=("Wide",),
        stub="""\
class Wide(Conditioner):
    def forward(self, kept, context=None):
        ...  # return s, t, with s = 3 tanh(raw / 3)""",
        hints=(
            "self.raw(kept, context) gives the log-scales without a bound, and t.",
            "tanh has slope 1 at 0; so has b tanh(raw / b), and it stays within b.",
        ),
        ports={
            "s": "lambda points: _wild()(points)[0]",
            "shift": "lambda: _wild()(torch.randn(200, 2))[1].abs().max()",
            "small": "lambda amount: _small(amount)",
            "new": "lambda z: AffineCoupling("
            "2, conditioner=Wide(1, 1, hidden_dim=16).double()).decode(z)",
            "decode": "lambda z: AffineCoupling(4, conditioner=_wild()).decode(0.1 * z)",
        },
        support=WIDE,
        checks=(
            bounded_scale("s", 3.0, bell(400, 2, 2.0)),
            slope_one,
            shift_is_free,
            identity_at_start("new", bell(6, 2)),
        ),
        rubric=("says what the gradient of a clamp does to a point that has left the range",),
    ),
    Exercise(
        id="ex-4-break",
        name="break_it",
        title="Break it",
        level=Level.RESEARCH,
        minutes=30,
        points=4,
        answers=("Broken", "broken_laws"),
        stub="""\
class Broken(AffineCoupling):
    def encode(self, x, context=None):
        ...  # break it here, or in decode

# Before you run it: which of "log-det", "round trip", "integral" break?
broken_laws = ...  # a list of their names""",
        hints=(
            "If both directions turn their sign round, their sum is still 0.",
            "A law can only see what it uses: which direction does the integral use?",
        ),
        ports={
            "kept": "lambda: _three_laws()",
            "named": "lambda: torch.tensor([float(n in broken_laws) for n in _NAMES])",
        },
        support=LAWS,
        checks=(broken_as_said,),
        rubric=("names a mistake that none of the three laws catches",),
    ),
    Exercise(
        id="ex-4-own",
        name="own",
        title="A coupling of your own",
        level=Level.CORE,
        minutes=30,
        points=4,
        answers=("MyCoupling",),
        stub="""\
class MyCoupling(Transform):
    def __init__(self, conditioner, flip=False):
        super().__init__()
        self.conditioner, self.flip = conditioner, flip

"""
        + DIRECTIONS,
        hints=(
            "Split, ask the conditioner with the kept half and the context, move, join again.",
            "What one direction multiplies by exp(s) and then shifts, the other first shifts back.",
            "The log-det is the sum of s over the coordinates that change, for each point.",
        ),
        ports={
            "decode": "lambda z: _mine(z).decode(z)",
            "encode": "lambda x: _mine(x).encode(x)",
            "decode_flipped": "lambda z: _mine(z, True).decode(z)",
            "encode_flipped": "lambda x: _mine(x, True).encode(x)",
            "with_context": "lambda x, context: _mine(x).encode(x, context)",
            "gradients": "lambda: _gradients()",
        },
        support=CONDITIONER,
        checks=(
            log_det_is_autograds("decode", bell(6, 5)),
            log_det_is_autograds("encode", bell(6, 5)),
            round_trip(points=bell(6, 5)),
            every_input_matters("encode", bell(6, 5), PATTERN, KEEPS),
            every_input_matters("encode_flipped", bell(6, 5), FLIPPED, KEEPS),
            round_trip("decode_flipped", "encode_flipped", bell(6, 5)),
            log_det_is_autograds("decode_flipped", bell(6, 5)),
            context_matters("with_context", bell(6, 4), [0.0], [1.0]),
            every_weight_learns("gradients"),
            of_bell_through(integrates_to_one(extent=(-9, 9, -9, 9), n=200)),
        ),
    ),
    Exercise(
        id="ex-4-density",
        name="density",
        title="Two lines that make a flow",
        level=Level.WARM_UP,
        minutes=15,
        points=3,
        answers=("log_prob_of", "sample_of"),
        stub="""\
def log_prob_of(flow, x):
    ...  # log p(x), shape (n,)


def sample_of(flow, n, temperature=1.0, generator=None):
    ...  # n points, shape (n, flow.dim)""",
        hints=(
            "log p(x) is the base log-density at the latent of x, plus the log-det of encode.",
            "standard_normal_log_prob works on each coordinate; a point's is their sum.",
            "torch.randn(n, flow.dim, generator=generator, dtype=flow.like.dtype), times the "
            "temperature, goes through decode.",
        ),
        ports={
            "log_prob": "lambda x: log_prob_of(_flow, x)",
            "sample": "lambda n, seed: sample_of(_flow, n, generator=_seeded(seed))",
            "still_log_prob": "lambda x: log_prob_of(_still, x)",
            "still_samples": "lambda n, seed, t: sample_of(_still, n, t, _seeded(seed))",
        },
        support=FLOW,
        checks=(
            hand_computed(
                "still_log_prob",
                [[[0.0, 0.0]]],
                [-math.log(2 * math.pi)],
                1e-4,
                what="log p(0, 0) of a flow that moves nothing",
            ),  # fmt: skip
            hand_computed(
                "still_log_prob",
                [[[1.0, 2.0]]],
                [-math.log(2 * math.pi) - 2.5],
                1e-4,
                what="log p(1, 2) of a flow that moves nothing",
            ),  # fmt: skip
            integrates_to_one(extent=(-14, 14, -14, 14), n=280, tolerance=5e-3),
            temperature,
            samples_match_density(extent=(-14, 14, -14, 14), grid=200),
        ),
    ),
)
