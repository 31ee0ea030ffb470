"""What chapter 7 says, and what its code does: each claim here would fail if it were false."""

import ast
import math
from pathlib import Path

import nbformat
import pytest
import torch
from scipy.stats import norm

import flows
import gen_models_utilities as gmu
from experiments import SweepError, evidence

CHAPTER = Path(__file__).resolve().parents[1] / "chapters" / "7_outlook.ipynb"


def defines(node):
    """Whether a statement defines a function or one of the chapter's constants."""
    if isinstance(node, ast.Assign):
        target = ast.unparse(node.targets[0]).strip("(")
        return target.startswith(("DIM", "CENTERS", "turn", "waves"))
    return isinstance(node, ast.FunctionDef)


@pytest.fixture(scope="module")
def page():
    """What the chapter defines: its functions and constants, without its trainings."""
    space = {"math": math, "torch": torch, "gmu": gmu, "SEED": 0}
    space["standard_normal_log_prob"] = flows.standard_normal_log_prob
    for cell in nbformat.read(CHAPTER, as_version=4).cells:
        if cell.cell_type != "code" or "setup" in cell.metadata.get("tags", []):
            continue
        tree = ast.parse(cell.source)
        tree.body = [node for node in tree.body if defines(node)]
        exec(compile(tree, "chapter 7", "exec"), space)
    return space


def stored(name):
    """Stored results; while there are none, the engine's own tests are red, not these."""
    try:
        return evidence(name)
    except SweepError as error:
        pytest.skip(str(error))


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# ------------------------------------------------------------------------------- rounding


def round_trip(size, dtype, seed):
    torch.manual_seed(seed)
    flow = flows.RealNVP(n_layers=64)
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter, std=size)
    flow, z = flow.to(dtype), normal(100, 2, seed=seed).to(dtype)
    with torch.no_grad():
        values, _ = flow.decode_steps(z)
        back, _ = flow.encode_steps(values[-1])
    return max((a - b).abs().max().item() for a, b in zip(values, reversed(back), strict=True))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_recomputed_values_are_as_good_as_the_flow_is_gentle(seed):
    assert round_trip(0.1, torch.float64, seed) < 1e-11
    assert 1e-8 < round_trip(0.1, torch.float32, seed) < 1e-4
    assert round_trip(0.3, torch.float64, seed) > 1e3 * round_trip(0.1, torch.float64, seed)
    assert round_trip(0.3, torch.float32, seed) > 1


# ------------------------------------------------------------------------------- bridges


def test_no_crossing_between_two_modes_is_higher_than_halfway():
    angle, r = torch.tensor(math.pi / 8).double(), torch.linspace(0, 6, 6001).double()
    ray = r[:, None] * torch.stack([angle.cos(), angle.sin()])
    centers = gmu.ring_centers()
    halfway = gmu.ring_log_prob((centers[:1] + centers[1:2]) / 2).item()
    assert abs(gmu.ring_log_prob(ray).max().item() - halfway) < 1e-3
    assert gmu.ring_log_prob(ray).max().item() < halfway + 1e-5


def test_what_strays_cost_at_least(page):
    """Never more than the KL divergence of a density that is wrong in its strays alone."""
    for q, p in ((0.05, 0.011), (0.2, 0.01), (0.011, 0.011)):
        bound = page["least_gap"](q, p)
        assert 0 <= bound
        assert abs(bound - (p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)))) < 1e-12
    # Two mixtures of a narrow and a wide normal: the whole KL is above the bound.
    x = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
    true, flow = ((1 - w) * norm.pdf(x) + w * norm.pdf(x, scale=5.0) for w in (0.01, 0.2))
    true, flow = torch.as_tensor(true), torch.as_tensor(flow)
    whole = ((true * (true / flow).log()).sum() * 1e-3).item()
    p, q = (float(d[x.abs() > 3].sum() * 1e-3) for d in (true, flow))
    assert 0 < page["least_gap"](q, p) < whole


def test_stored_bridges_say_what_the_page_says():
    runs, true = stored("bridges"), math.exp(-4.5)
    assert runs.effect("16 couplings", "4 couplings", "strays_3").high < 0
    assert runs.effect("twice the steps", "16 couplings", "strays_3").high < 0
    halfway = -11.0
    for arm in ("4 couplings", "8 couplings", "16 couplings", "twice the steps"):
        assert runs.median(arm, "strays_3") > true
        assert runs.median(arm, "lowest_log_p") > halfway / 2  # far above the true ring's
    assert runs.median("base of eight modes", "strays_3") < runs.median("16 couplings", "strays_3")


# ------------------------------------------------------------------------------- the sensor


def test_stored_sensors_say_what_the_page_says():
    runs = stored("sensor")
    assert (runs.values("flow", "dead log p") > runs.values("flow", "healthy log p")).all()
    assert runs.spread("flow", "dead alarm")[1] < 0.01
    for name in ("loose alarm", "loose typicality alarm", "dead typicality alarm"):
        assert runs.spread("flow", name)[0] > 0.9


def test_exact_density_of_the_sensor_is_one(page):
    """Against a plain average over amplitude and phase."""
    x = page["healthy"](5, torch.Generator().manual_seed(3)).double()
    amplitude = (torch.arange(400, dtype=torch.float64) + 0.5) / 200
    phase = 2 * math.pi * (torch.arange(400, dtype=torch.float64) + 0.5) / 400
    means = amplitude[:, None, None] * torch.cos(page["turn"].double() + phase[None, :, None])
    log_p = torch.distributions.Normal(means.reshape(-1, 16), page["NOISE"])
    for point, exact in zip(x, page["true_log_prob"](x), strict=True):
        average = log_p.log_prob(point).sum(dim=1).logsumexp(dim=0) - 2 * math.log(400)
        assert abs(average - exact) < 1e-3


def test_in_the_flows_own_uniform_coordinates_every_point_is_equally_likely():
    torch.manual_seed(0)
    flow = flows.RealNVP(n_layers=4).double()
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    cdf = torch.distributions.Normal(0.0, 1.0).cdf
    for x in normal(5, 2):
        jacobian = torch.autograd.functional.jacobian(lambda x: cdf(flow.encode(x[None])[0][0]), x)
        assert abs(flow.log_prob(x[None])[0] - torch.linalg.slogdet(jacobian).logabsdet) < 1e-9


def test_the_hum_is_usual_and_a_direct_question_finds_it(page):
    solution = next(
        part.split("```")[0]
        for cell in nbformat.read(CHAPTER, as_version=4).cells
        for part in cell.source.split("```python\n")[1:]
        if "humming" in part
    )
    space = dict(page)
    generator = torch.Generator().manual_seed(gmu.HELD_OUT_OFFSET)
    space["windows"] = {"healthy": page["healthy"](5000, generator)}
    exec(solution, space)
    exact, odd, alarm = space["exact"], space["odd"], page["alarm"]
    assert abs(exact["hum"].mean() - exact["healthy"].mean()) < 0.5
    assert alarm(exact["hum"], exact["healthy"]) < 0.6
    assert alarm(odd["hum"], odd["healthy"]) < 0.6
    assert alarm(-space["size"]["hum"], -space["size"]["healthy"]) > 0.95


# ------------------------------------------------------------------------------- fields


@pytest.mark.parametrize("width", ["shrink", "pairs_width"])
def test_both_fields_move_the_mixture(page, width):
    """The continuity equation, d log p / dt + v grad log p + div v = 0, at random points."""
    field, centers = page[width], page["CENTERS"]

    def log_p(x, t):
        s, _ = field(t)
        squares = (x[:, None, :] - t * centers).square().sum(dim=2)
        return (-0.5 * squares / s**2).logsumexp(dim=1) - 2 * math.log(s)

    x, t, h = 2 * normal(50, 2), 0.6, 1e-5
    assert abs(field(0.0)[0] - 1) < 1e-12 and abs(field(1.0)[0] - 0.25) < 1e-12
    change = (log_p(x, t + h) - log_p(x, t - h)) / (2 * h)
    y = x.clone().requires_grad_()
    (score,) = torch.autograd.grad(log_p(y, t).sum(), y)
    v, div = page["divergence"](lambda x: page["velocity"](x, t, field), x.clone())
    assert (change + (v * score).sum(dim=1) + div).abs().max() < 1e-6


def test_random_pairs_give_the_field_of_their_width(page):
    """The mean velocity of the lines that pass near a point, by drawing lines."""
    x1, _ = gmu.sample_ring(1_000_000, torch.Generator().manual_seed(0))
    x1, base, here = x1.double(), normal(1_000_000, 2, seed=1), torch.tensor([2.0, 0.3]).double()
    near = ((x1 + base) / 2 - here).norm(dim=1) < 0.08
    drawn = (x1 - base)[near].mean(dim=0)
    error = (x1 - base)[near].std(dim=0) / near.sum() ** 0.5
    pairs, ours = (page["velocity"](here[None], 0.5, page[w])[0] for w in ("pairs_width", "shrink"))
    assert ((drawn - pairs).abs() < 4 * error + 0.02).all()
    assert ((drawn - ours).abs() > 4 * error + 0.02).any()


def test_the_learned_race_is_read_from_all_arms():
    runs = stored("continuous")
    for n in (4, 8):
        assert runs.effect(f"{n} steps", f"{n} couplings").n == runs.n >= 20
        assert runs.median(f"{n} couplings", "weights") > runs.median(f"{n} steps", "weights")
    assert runs.spread("4 steps", "folded")[0] > 0 and runs.spread("4 steps")[0] < 0
    assert runs.spread("8 steps", "folded")[1] < 0.01 and runs.spread("8 steps")[0] > 0
