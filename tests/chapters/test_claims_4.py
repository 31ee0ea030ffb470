"""What chapter 4 says, and what its classes refuse: each claim here would fail if it were false."""

import math
from pathlib import Path

import nbformat
import pytest
import torch
from samples import normal
from scipy import stats
from torch.nn import functional as F

import flows
import gen_models_utilities as gmu
from experiments import evidence

CHAPTER = Path(flows.__file__).parent / "chapters" / "4_realnvp.ipynb"


def shake(flow, seed=0, size=0.4):
    """Random weights: a new coupling is the identity."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in flow.parameters():
            p.copy_(size * torch.randn(p.shape, generator=generator, dtype=torch.float64))
    return flow.double()


# ------------------------------------------- one-dimensional transforms in a flow of D dimensions

ONE_D = {
    "Identity": flows.Identity,
    "Affine": lambda: flows.Affine(-2.5, 1.0),
    "Affine, a factor a coordinate": None,  # made below, for its D
    "Tanh": lambda: flows.Tanh(0.3, 0.7),
    "Sigmoid": flows.Sigmoid,
    "LeakyReLU": lambda: flows.LeakyReLU(0.2),
    "ShiftedSoftplus": flows.ShiftedSoftplus,
    "Compose": lambda: flows.Compose([flows.Affine(0.5, 0.1), flows.Sigmoid()]),
}


def one_d(name, dim):
    if ONE_D[name] is None:
        return flows.Affine(torch.linspace(0.5, 2, dim, dtype=torch.float64), 0.3)
    return ONE_D[name]()


def layouts(name, dim):
    """Where it may stand: last, first, alone, and inside a Compose beside a coupling."""
    layer, coupling = one_d(name, dim), shake(flows.AffineCoupling(dim, 8), seed=dim)
    yield [coupling, layer]
    yield [layer, coupling]
    yield [layer]
    yield [flows.Compose([coupling, layer]), flows.Affine(1.5, 0.0)]
    yield [flows.Compose([flows.Compose([layer]), coupling])]


@pytest.mark.parametrize("name", ONE_D)
@pytest.mark.parametrize("dim", [2, 3])
def test_a_one_dimensional_transform_in_a_flow_is_counted_over_all_coordinates(name, dim):
    """Also for n = 1 and n = D, where shapes that do not fit would be broadcast in silence."""
    for layers in layouts(name, dim):
        flow = flows.Flow(layers, dim).double()
        for n in (1, 2, 3):
            z = normal(n, dim, seed=n)
            x, log_abs_det = flow.decode(z)
            assert log_abs_det.shape == (n,)
            for i in range(n):
                jacobian = torch.autograd.functional.jacobian(
                    lambda p, flow=flow: flow.decode(p[None])[0][0], z[i]
                )
                truth = torch.linalg.slogdet(jacobian).logabsdet
                assert abs(log_abs_det[i] - truth) < 1e-9, (name, n)
            base = flows.standard_normal_log_prob(z).sum(dim=1)
            assert (flow.log_prob(x) - (base - log_abs_det)).abs().max() < 1e-9
            assert all(d.shape == (n,) for d in flow.encode_steps(x)[1])


class Odd(flows.Transform):
    """Returns what a test asks for, in place of the log-det and of the points."""

    def __init__(self, log_det_shape, points_shape=(3, 2)):
        super().__init__()
        self.shapes = log_det_shape, points_shape

    def encode(self, x, context=None):
        return torch.zeros(self.shapes[1]), torch.zeros(self.shapes[0])

    decode = encode


@pytest.mark.parametrize("shapes", [((3, 1),), ((),), ((2,),), ((1, 2),), ((3,), (3, 3))])
def test_a_layer_that_returns_other_shapes_is_refused_by_name(shapes):
    flow = flows.Flow([Odd(*shapes)], dim=2)
    for direction in (flow.encode, flow.decode):
        with pytest.raises(ValueError, match=r"Odd\.(encode|decode) must return") as caught:
            direction(torch.zeros(3, 2))
        assert str(tuple(shapes[0])) in str(caught.value)


# --------------------------------------------------------------------------------- the context


@pytest.mark.parametrize("n", [1, 3, 8])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.bool])
def test_class_numbers_are_refused_for_every_number_of_points(n, dtype):
    flow, labels = flows.RealNVP(context_dim=8, n_layers=2), torch.arange(n).to(dtype)
    with pytest.raises((TypeError, ValueError), match=r"one_hot\(labels, 8\)"):
        flow.log_prob(torch.zeros(n, 2), labels)
    with pytest.raises((TypeError, ValueError), match=r"one_hot\(labels, 8\)"):
        flow.sample(n, labels)


def test_one_class_number_is_not_a_context_of_length_one():
    with pytest.raises(TypeError, match=r"one_hot\(labels, 1\)"):
        flows.RealNVP(context_dim=1, n_layers=2).log_prob(torch.zeros(1, 2), torch.tensor([4]))


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("flow_dtype", [torch.float32, torch.float64])
def test_a_context_takes_the_type_of_the_flow(dtype, flow_dtype):
    flow = shake(flows.RealNVP(context_dim=3, n_layers=3, hidden_dim=8)).to(flow_dtype)
    x, one_hot = normal(5, 2).to(flow_dtype), F.one_hot(torch.tensor([0, 2, 1, 1, 0]), 3)
    wanted = flow.log_prob(x, one_hot.to(flow_dtype))
    given = flow.log_prob(x, one_hot.to(dtype))
    assert given.dtype == flow_dtype and torch.equal(given, wanted)
    assert not torch.equal(wanted, flow.log_prob(x, one_hot.roll(1, 0).to(flow_dtype)))


def test_a_complex_context_is_refused():
    flow = flows.RealNVP(context_dim=3, n_layers=2)
    with pytest.raises(TypeError, match="context must be floating-point, not torch.complex64"):
        flow.log_prob(torch.zeros(5, 2), torch.zeros(5, 3, dtype=torch.complex64))


# ----------------------------------------------------------------- what a flow takes as its type


class Permute(flows.Transform):
    """Its one tensor is an index: it says nothing about the type of the points."""

    def __init__(self, dim):
        super().__init__()
        self.register_buffer("order", torch.arange(dim).flip(0))

    def decode(self, z, context=None):
        return z[:, self.order], z.new_zeros(z.shape[0])

    def encode(self, x, context=None):
        return x[:, self.order.argsort()], x.new_zeros(x.shape[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_type_of_a_flow_is_a_floating_type(dtype):
    for layers in ([Permute(3)], [Permute(3), flows.Linear(flows.rotation(30.0, 3))]):
        flow = flows.Flow(layers, dim=3).to(dtype)
        assert flow.like.dtype == dtype and flow.layers[0].order.dtype == torch.int64
        x = flow.sample(4, generator=torch.Generator().manual_seed(0))
        assert x.dtype == flow.log_prob(x).dtype == dtype


# ------------------------------------------------------------------------------- the conditioner


@pytest.mark.parametrize("wrong", ["s", "t"])
@pytest.mark.parametrize("shape", [(4, 1), (4, 3), (1, 2), (4,), ()])
def test_an_answer_of_a_conditioner_that_does_not_fit_is_refused(wrong, shape):
    def conditioner(kept, context):
        answer = {"s": torch.zeros(4, 2), "t": torch.zeros(4, 2), wrong: torch.zeros(shape)}
        return answer["s"], answer["t"]

    layer = flows.AffineCoupling(4, 8)
    layer.conditioner = torch.nn.Module()
    layer.conditioner.forward = conditioner
    for direction in (layer.encode, layer.decode):
        with pytest.raises(ValueError, match=f"conditioner's {wrong} must have shape") as caught:
            direction(torch.zeros(4, 4))
        assert "(4, 2)" in str(caught.value) and str(shape) in str(caught.value)


@pytest.mark.parametrize("given", [1, 2, 4])
def test_a_coupling_refuses_points_of_another_dimension(given):
    """Three coordinates would split into 1 and 2: s of shape (n, 1) would be broadcast."""
    layer = flows.AffineCoupling(3, 8)
    for direction in (layer.encode, layer.decode):
        with pytest.raises(ValueError, match=r"must have shape \(n, 3\)"):
            direction(torch.zeros(5, given))


# ---------------------------------------------------------------------------------- the directions


@pytest.mark.parametrize("flip", [False, True])
def test_encode_of_an_affine_coupling_is_decode_of_a_coupling(flip):
    """The same layer with the names of its two directions swapped, bit for bit."""
    layer = shake(flows.AffineCoupling(3, 8, flip))
    other, points = flows.Coupling(layer.conditioner, flip), normal(20, 3)
    for mine, theirs in ((layer.encode, other.decode), (layer.decode, other.encode)):
        for a, b in zip(mine(points), theirs(points), strict=True):
            assert torch.equal(a, b)
    kept, changed = layer.split(points)
    s, t = layer.conditioner(kept)
    z, log_abs_det = layer.encode(points)
    assert torch.equal(layer.split(z)[1], changed * s.exp() + t)
    assert torch.equal(log_abs_det, s.sum(dim=1)) and s.abs().max() > 0.1


# ------------------------------------------------------------------------ law 3, beyond the plane


@pytest.mark.parametrize("dim", [3, 5])
@pytest.mark.parametrize("turn", [0.0, 45.0])
def test_the_density_integrates_to_one_in_more_dimensions(dim, turn):
    """Importance sampling: the mean of p(x) / q(x) over samples of a known q is the integral.

    q is a Gaussian with the mean and, widened, the covariance of the flow's own samples. A false
    density would be noticed: the estimate's standard error is below one in a hundred, and it lies
    within five of them; with the wrong sign it does not.
    """
    flow = shake(flows.RealNVP(dim, hidden_dim=8, n_layers=4, turn=turn), seed=2, size=0.25)
    with torch.no_grad():
        x, _ = flow.decode(normal(4000, dim, seed=1))
    q = torch.distributions.MultivariateNormal(x.mean(dim=0), 2 * x.T.cov())
    points = q.mean + normal(100_000, dim, seed=3) @ q.scale_tril.T
    log_q, right = q.log_prob(points), flow.log_prob(points).detach()

    def integral(log_p):
        weights = (log_p - log_q).exp()
        return weights.mean().item(), weights.std().item() / math.sqrt(len(weights))

    mass, error = integral(right)
    assert error < 0.01 and abs(mass - 1) < 5 * error
    z, log_abs_det = flow.encode(points)
    wrong, error = integral((flows.standard_normal_log_prob(z).sum(dim=1) - log_abs_det).detach())
    assert abs(wrong - 1) > 10 * error and abs(wrong - 1) > 0.05


# ------------------------------------------------------------------- the bound on s, and the start


def test_a_new_flow_is_the_base_density_whatever_its_depth():
    x = normal(50, 2)
    base = flows.standard_normal_log_prob(x).sum(dim=1)
    for n_layers in (1, 2, 100):
        flow = flows.RealNVP(n_layers=n_layers).double()
        assert torch.equal(flow.encode(x)[0], x)
        assert (flow.log_prob(x) - base).abs().max() == 0


def test_log_dets_of_k_couplings_lie_between_minus_k_and_k():
    """In the plane, for raw answers of any size; without the bound they would not."""
    for seed in range(5):
        flow = shake(flows.RealNVP(hidden_dim=8, n_layers=6), seed, size=3.0)
        for direction in (flow.encode, flow.decode):
            total = direction(3 * normal(200, 2, seed=seed))[1]
            assert total.abs().max() <= 6
        raw, _ = flow.layers[0].conditioner.raw(3 * normal(200, 1, seed=seed))
        assert raw.abs().max() > 6, "the test would not see a bound that is missing"


def test_a_bound_made_of_the_raw_answer_has_a_gradient_everywhere():
    """And one made of the bounded s has none where float32 rounds tanh to 1 (an exercise)."""
    for wide, finite in (
        (lambda raw: 3 * torch.tanh(raw / 3), True),
        (lambda raw: 3 * torch.tanh(torch.atanh(torch.tanh(raw)) / 3), False),
    ):
        raw = torch.tensor(10.0, requires_grad=True)
        assert torch.autograd.grad(wide(raw), raw)[0].isfinite().item() is finite


def test_a_shift_changes_no_volume_but_takes_digits():
    def far(kept, context):
        return torch.zeros_like(kept), torch.full_like(kept, 1e6)

    layer, x = flows.AffineCoupling(2, conditioner=far), torch.tensor([[0.5, 0.12345679]])
    z, log_abs_det = layer.encode(x)
    back, _ = layer.decode(z)
    assert log_abs_det.item() == 0 and (back - x).abs().max() > 1e-3


# -------------------------------------------------------------------- how many digits come back


def test_the_slopes_of_decode_are_those_of_the_text():
    layer = shake(flows.AffineCoupling(2, 8), seed=5, size=1.0)
    for point in normal(10, 2):
        kept, changed = point[:1], point[1:]
        s, t = (v[0] for v in layer.conditioner(kept[None]))
        slopes = torch.autograd.functional.jacobian(lambda a: layer.conditioner(a[None]), kept)
        ds, dt = (v[0, 0, 0] for v in slopes)
        jacobian = torch.autograd.functional.jacobian(lambda z: layer.decode(z[None])[0][0], point)
        assert abs(jacobian[1, 1] - (-s).exp().item()) < 1e-9
        wanted = -(-s).exp() * ((changed - t) * ds + dt)
        assert abs(jacobian[1, 0] - wanted.item()) < 1e-9


def test_the_bound_on_s_does_not_bound_the_error_of_a_round_trip():
    """Scales alone would stretch rounding by exp(4) over 8 couplings; it is a thousand times so."""
    alone = torch.finfo(torch.float32).eps / 2 * math.exp(8 / 2)
    worst = 0.0
    for seed in range(5):
        flow = flows.RealNVP(hidden_dim=16, n_layers=8)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for p in flow.parameters():
                p.copy_(2 * torch.randn(p.shape, generator=generator) / p.shape[-1] ** 0.5)
            x = normal(200, 2).float()
            worst = max(worst, (flow.decode(flow.encode(x)[0])[0] - x).abs().max().item())
            exact, x = flow.double(), normal(200, 2)
            assert (exact.decode(exact.encode(x)[0])[0] - x).abs().max() < 1e-4
    assert worst > 1000 * alone


# ---------------------------------------------------------------------------- the tug of war


def test_right_loss_has_a_lowest_point_and_the_slips_do_not():
    """For one factor exp(a): a balance; a floor at log 2 pi that is never left; no floor."""
    x = 3 * normal(500, 2)
    m, floor = x.square().sum(dim=1).mean(), math.log(2 * math.pi)

    def terms(a):
        """Means of -log p(z) and of encode's log-det, as a flow finds them."""
        flow = flows.Flow([flows.Affine(math.exp(-a), 0.0)], dim=2).double()
        z, log_abs_det = flow.encode(x)
        base = -flows.standard_normal_log_prob(z).sum(dim=1).mean().item()
        return base, log_abs_det.mean().item()

    best = 0.5 * math.log(2 / m)
    right = {a: terms(a)[0] - terms(a)[1] for a in (best - 0.1, best, best + 0.1)}
    assert right[best] == min(right.values())
    assert abs(math.exp(2 * best) * m - 2) < 1e-12
    bases = [terms(a)[0] for a in range(0, -12, -1)]
    assert bases == sorted(bases, reverse=True) and 0 < bases[-1] - floor < 1e-6
    wrong = [sum(terms(a)) for a in range(0, -12, -1)]
    assert wrong == sorted(wrong, reverse=True)
    assert abs(wrong[-1] - (floor + 2 * -11)) < 1e-6


def test_stored_trainings_bear_out_what_the_text_says_of_the_slips():
    """A lower loss and a worse model, z too small and samples too wide, in every stored run."""
    runs, entropy = evidence("sign"), gmu.ring_entropy()
    data_std = gmu.held_out_ring(5000)[0].std(dim=0).mean().item()
    low, high = runs.spread("right", "latent_size")
    assert 0.8 < low and high < 1.2
    low, high = runs.spread("right", "sample_std")
    assert 0.8 * data_std < low and high < 1.2 * data_std
    assert runs.spread("right", "loss")[0] > entropy
    for arm in ("left out", "wrong sign"):
        assert (runs.values(arm, "loss") < entropy).all()
        assert (runs.values(arm, "nll") > runs.values("right", "nll") + 1).all()
        assert runs.spread(arm, "latent_size")[1] < 0.5
        assert runs.spread(arm, "sample_std")[0] > 3 * data_std
    low, high = runs.spread("left out", "loss")
    assert low > math.log(2 * math.pi) and high < math.log(2 * math.pi) + 0.05  # at its floor
    assert runs.spread("wrong sign", "loss")[1] < 0 and runs.spread("wrong sign", "loss")[0] > -6.17


# --------------------------------------------------------------- what turns bring


def directions_of_motion(turn, n_layers=9):
    """Along which lines of the first layer's plane each coupling moves points, in degrees."""
    flow, matrix = flows.RealNVP(n_layers=n_layers, turn=turn), torch.eye(2, dtype=torch.float64)
    angles = set()
    for layer in flow.layers:
        if isinstance(layer, flows.Linear):
            matrix = layer._exact["A"] @ matrix
        else:
            moved = torch.tensor([0.0, 1.0] if not layer.flip else [1.0, 0.0]).double()
            x, y = (matrix.T @ moved).tolist()
            angles.add(round(math.degrees(math.atan2(y, x))) % 180)
    return angles


def test_alternating_moves_along_two_directions_and_turns_along_four():
    assert directions_of_motion(0.0) == {0, 90}
    assert directions_of_motion(45.0) == {0, 45, 90, 135}


def test_with_a_turn_between_two_of_the_same_half_change_both_coordinates():
    """The answer to a "Try it"."""

    def bend(a, context=None):
        return 0.7 * torch.tanh(2 * a), 1.3 * torch.sin(2 * a)

    layer, turn = flows.AffineCoupling(2, conditioner=bend), flows.Linear(flows.rotation(45.0))
    other = flows.AffineCoupling(2, flip=True, conditioner=bend)
    z = normal(5000, 2)
    for layers, normal_still in (
        ([layer, layer], True),
        ([layer, turn, layer], False),
        ([layer, other], False),
        ([layer, turn, other], False),
    ):
        x, _ = flows.Compose(layers).double().decode(z)
        assert bool(stats.kstest(x[:, 0].numpy(), "norm").pvalue > 1e-6) is normal_still
    for turned, apart in ((0.0, 90), (45.0, 45)):  # two couplings that alternate
        low, high = sorted(directions_of_motion(turned, n_layers=2))
        assert min(high - low, 180 - high + low) == apart
    # A quarter turn: what keeping the other half does, up to signs and the order of coordinates.
    odd = flows.AffineCoupling(2, conditioner=lambda a, context: bend(-a))
    quarter = flows.Linear(flows.rotation(90.0))
    x, _ = flows.Compose([layer, quarter, odd]).double().decode(z)
    wanted, _ = flows.Compose([layer, other]).double().decode(z)
    assert torch.allclose(x, torch.stack([-wanted[:, 1], wanted[:, 0]], dim=1), atol=1e-6)


def test_useless_layers_keep_the_laws_and_show_in_the_zeros_of_the_jacobian():
    """What an exercise asks for: a stack that does not alternate, and a network that is deaf."""

    def deaf(a, context=None):
        return torch.full_like(a, 0.3), torch.full_like(a, -0.5)

    shaken = [shake(flows.AffineCoupling(2, 8), seed) for seed in (1, 2)]
    still = flows.Flow(shaken, dim=2)
    made = [flows.AffineCoupling(2, flip=f, conditioner=deaf) for f in (False, True)]
    useless = flows.Flow(made, dim=2).double()
    z = normal(20, 2)
    for flow, zeros in ((still, [(0, 1)]), (useless, [(0, 1), (1, 0)])):
        x, log_abs_det = flow.decode(z)
        back, other = flow.encode(x)
        assert (back - z).abs().max() < 1e-9 and (log_abs_det + other).abs().max() < 1e-9
        for point, given in zip(z, log_abs_det, strict=True):
            jacobian = torch.autograd.functional.jacobian(
                lambda p, flow=flow: flow.decode(p[None])[0][0], point
            )
            assert abs(torch.linalg.slogdet(jacobian).logabsdet - given) < 1e-9
            assert [tuple(v) for v in (jacobian == 0).nonzero().tolist()] == zeros
        mass = gmu.integrate_density(flow.log_prob, (-12, 12, -12, 12), n=500)
        assert abs(mass - 1) < 1e-3
    assert torch.equal(still.decode(z)[0][:, 0], z[:, 0])
    assert (useless.decode(z)[0] != z).all()  # both coordinates move


def test_a_mean_of_a_few_points_may_lie_below_the_entropy_by_its_noise():
    """The true density of the ring itself does; but not by more than a few standard errors."""
    entropy, below = gmu.ring_entropy(), 0
    for seed in range(100):
        x, _ = gmu.sample_ring(200, torch.Generator().manual_seed(seed))
        loss = -gmu.ring_log_prob(x)
        gap, noise = loss.mean().item() - entropy, loss.std().item() / math.sqrt(len(x))
        below += gap < 0
        assert gap > -5 * noise
    assert 25 < below < 75


# --------------------------------------------------------------------- numbers of the exercises


def test_signs_by_hand():
    flow, z = flows.Compose([flows.Affine(2.0, 1.0), flows.Tanh()]), torch.tensor([-0.2]).double()
    (_, h, x), dets = flow.decode_steps(z)
    base = flows.standard_normal_log_prob(z)
    found = [h, x, *dets, base, base - sum(dets), base + sum(dets)]
    wanted = [0.6, 0.5370, 0.6931, -0.3403, -0.9389, -1.2918, -0.5861]
    assert [round(v.item(), 4) for v in found] == wanted


def test_the_ring_is_twice_as_high_as_a_standard_normal():

    centers = gmu.ring_centers()
    peak = gmu.ring_log_prob(centers).exp()
    assert (peak - 1 / math.pi).abs().max() < 1e-6
    assert abs(flows.standard_normal_log_prob(torch.zeros(2)).sum().exp() - 0.5 / math.pi) < 1e-6


def test_the_waterfall_reaches_as_far_as_the_probe_can_go():
    """The axis and the sliders as they are stored, against the chapter's flow on a finer grid."""
    state = nbformat.read(CHAPTER, as_version=4).metadata["widgets"]
    models = state["application/vnd.jupyter.widget-state+json"]["state"].values()
    specs = [m["state"]["spec"] for m in models if "spec" in m["state"]]
    panels = next(s["panels"] for s in specs if "waterfall" in str(s))
    low, high = panels[-1]["xlim"]
    flow = flows.RealNVP(dim=2, hidden_dim=16, n_layers=6, n_frequencies=2)
    generator = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for p in flow.parameters():
            p.copy_(0.6 * torch.randn(p.shape, generator=generator) / math.sqrt(p.shape[-1]))
        side = torch.linspace(*panels[0]["xlim"], 201)
        values, log_dets = flow.encode_steps(torch.cartesian_prod(side, side))
        base = flows.standard_normal_log_prob(values[-1]).sum(dim=1, keepdim=True)
        bars = base + torch.stack(log_dets[::-1], dim=1).cumsum(dim=1)
    ends = torch.cat([base, bars], dim=1)
    assert low <= ends.min() and ends.max() <= high and ends.min() < low + 3


# ----------------------------------------------------------------- two figures on the page


@pytest.fixture(scope="module")
def scenes():
    """The scene functions of two figures, run as they stand in the chapter."""
    space = {"torch": torch, "math": math, "SEED": 0, **vars(flows)}
    cells = nbformat.read(CHAPTER, as_version=4).cells
    for name in ("def bend(a", "def stack_up(", "def made_of_a_cloud(", "def both_signs("):
        (source,) = [c.source for c in cells if c.cell_type == "code" and name in c.source]
        exec(source, space)
    return space


def layers_of(scenes, pattern, n_layers):
    """The same stack from the course's own classes."""
    alternates, turns = scenes["PATTERNS"][pattern]
    made = []
    for k in range(n_layers):
        made += [flows.Linear(flows.rotation(45.0))] if k and turns else []
        made.append(scenes["bent"](alternates and k % 2 == 1))
    return flows.Compose(made)


PATTERNS = ["the same half", "alternate", "same half, turns", "alternate, turns"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_layers_make_of_a_cloud(scenes, pattern):
    """Only two kinds of stack mix what they keep; the figure's layers are the course's own."""
    z, cloud = scenes["round_cloud"], scenes["made_of_a_cloud"]
    assert list(scenes["PATTERNS"]) == PATTERNS
    for n_layers in range(1, 5):
        seen = cloud(torch.tensor(PATTERNS.index(pattern)), torch.tensor(float(n_layers)))
        wanted, _ = layers_of(scenes, pattern, n_layers).decode(z)
        assert torch.allclose(seen["x"], wanted, atol=1e-3, rtol=1e-3)
        mixes = pattern != "the same half" and n_layers > 1
        assert bool(seen["x1_mixes"]) is mixes and bool(seen["x2_mixes"])
        x1_to_z1, x1_to_z2 = seen["slopes"][:2].tolist()
        off = (seen["first"] - seen["bell"]).abs().max().item()
        if mixes:
            assert x1_to_z2 > 0.5 and off > 0.03
        else:
            assert torch.equal(seen["x"][:, 0], z[:, 0])
            assert (x1_to_z1, x1_to_z2) == (1, 0) and off < 0.01
    start = cloud(torch.tensor(PATTERNS.index(pattern)), torch.tensor(0.0))
    assert torch.equal(start["x"], z) and not start["x2_mixes"]


def test_the_right_integral_is_1_in_every_setting_and_the_wrong_one_is_not(scenes):
    signs = scenes["both_signs"]
    z = normal(200_000, 2, seed=4).float()
    for bends in (0.0, 0.5, 1.0):
        for size in (0.7, 1.0, 1.2):
            seen = signs(torch.tensor(bends), torch.tensor(size))
            right, wrong = seen["areas"].tolist()
            assert abs(right - 1) < 2e-3
            weaker = [
                flows.AffineCoupling(
                    2,
                    flip=flip,
                    conditioner=lambda a, context, b=bends, c=size: (
                        b * scenes["bend"](a)[0] - math.log(c), b * scenes["bend"](a)[1]
                    ),
                )
                for flip in (False, True)
            ]  # fmt: skip
            expected = (2 * flows.Compose(weaker).decode(z)[1]).exp().mean().item()
            assert abs(wrong / expected - 1) < 0.05
            verdict = 1 if (bends, size) == (0.0, 1.0) else 2 if wrong > 1 else 0
            assert seen["verdict"] == verdict
    assert wrong > 4, "the largest setting"
    assert signs(torch.tensor(1.0), torch.tensor(0.7))["areas"][1] < 0.6
    seen = signs(torch.tensor(1.0), torch.tensor(1.0))
    right, wrong = seen["right"].flatten(), seen["wrong"].flatten()
    assert wrong[right.argmax()] < 0.5 * right.max() and right[wrong.argmax()] < 0.5 * right.max()
    assert max(right.max(), wrong.max()) < 0.25, "within the colours"
