"""gen_models_utilities: the ring's laws, loaders, metrics, figures, and what importing does."""

import functools
import math
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.data import DataLoader

import flows
import gen_models_utilities as gmu

ROOT = Path(__file__).resolve().parents[2]
ENTROPY = 2.144717  # of the default ring, in nats
ENTROPY_BY_RADIUS = {
    1: 1.82903, 1.25: 1.99814, 1.5: 2.08560, 2: 2.13843,
    2.5: 2.14435, 3: 2.14472, 3.5: 2.14473, 4: 2.14473,
}  # fmt: skip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def global_streams_stay_where_they_are():
    """Every test here also proves that no helper reads a global random stream."""
    numpy_state = np.random.get_state  # noqa: NPY002 (the global stream is what is watched)
    state = torch.get_rng_state(), numpy_state()[1].copy(), dict(plt.rcParams)
    yield
    plt.close("all")
    assert torch.equal(torch.get_rng_state(), state[0])
    assert np.array_equal(numpy_state()[1], state[1])
    assert dict(plt.rcParams) == state[2]


# ---------------------------------------------------------------------------------- importing


def run_python(code: str, **environment) -> str:
    """Run code in a new interpreter, from another folder, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_changes_no_global_state():
    code = """
import random, warnings
import matplotlib, numpy, torch
import matplotlib.pyplot as plt

def state():
    return (torch.get_rng_state().tolist(), numpy.random.get_state()[1].tolist(),
            random.getstate(), dict(matplotlib.rcParams), torch.get_num_threads(),
            torch.get_default_dtype(), torch.is_grad_enabled(), numpy.get_printoptions(),
            torch.are_deterministic_algorithms_enabled(), plt.get_fignums(), warnings.filters[:])

before = state()
import flows
import gen_models_utilities as gmu
assert state() == before
gmu.create_ring_gaussians(100)
with gmu.style():
    plt.close(plt.figure())
after = state()
for i in range(10):  # seaborn may add warning filters; nothing else may change
    assert after[i] == before[i], i
print("same")
"""
    assert run_python(code).strip() == "same"


def test_without_ipywidgets_all_works_and_sliders_say_what_to_install():
    code = """
import sys
sys.modules["ipywidgets"] = None
import flows
import gen_models_utilities as gmu
gmu.create_ring_gaussians(10)
gmu.sliders(lambda a: print("called"), a=(0.0, 1.0, 0.1, 0.5))
"""
    lines = run_python(code).splitlines()
    assert len(lines) == 1
    assert "pip install ipywidgets" in lines[0]


def test_device_is_one_that_works():
    assert isinstance(gmu.device, torch.device)
    assert torch.ones(1, device=gmu.device).item() == 1


# --------------------------------------------------------------------------- sampling the ring


def test_data_set_has_the_promised_kinds_and_repeats():
    x, labels = gmu.create_ring_gaussians(n_samples=2000)
    assert isinstance(x, np.ndarray) and isinstance(labels, np.ndarray)
    assert x.shape == (2000, 2) and x.dtype == np.float32
    assert labels.shape == (2000,) and labels.dtype == np.int64
    again = gmu.create_ring_gaussians(n_samples=2000)
    assert np.array_equal(x, again[0]) and np.array_equal(labels, again[1])
    assert gmu.create_ring_gaussians()[0].shape == (5000, 2)
    other = gmu.create_ring_gaussians(n_samples=2000, seed=1)
    assert not np.array_equal(x, other[0])


def test_the_global_seed_has_no_say():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first = gmu.create_ring_gaussians(50)[0]
        torch.manual_seed(2)
        second = gmu.create_ring_gaussians(50)[0]
    assert np.array_equal(first, second)


def test_a_generator_moves_on_so_batches_differ():
    source = generator()
    first, second = gmu.sample_ring(100, source)[0], gmu.sample_ring(100, source)[0]
    assert not torch.equal(first, second)
    assert torch.equal(first, gmu.sample_ring(100, generator())[0])


def test_sampling_needs_a_generator():
    with pytest.raises(TypeError):
        gmu.sample_ring(10)
    with pytest.raises(TypeError, match="needs a generator"):
        gmu.sample_ring(10, None)


@pytest.mark.parametrize("seed", [0, 1, 5, 2**31 - 1])
def test_held_out_points_never_equal_training_points(seed):
    train = torch.from_numpy(gmu.create_ring_gaussians(2000, seed=seed)[0])
    held_out, _ = gmu.held_out_ring(2000, seed=seed)
    rows = {tuple(point) for point in train.tolist()}
    assert not rows & {tuple(point) for point in held_out.tolist()}
    # torch keeps 32 bits of a seed: without the upper limit, 2**31 would be held-out seed 0.
    assert gmu.HELD_OUT_OFFSET + seed < 2**32


def test_samples_have_the_right_frequencies_and_moments():
    n = 200_000
    x, labels = gmu.sample_ring(n, generator(3), dtype=torch.float64)
    counts = torch.bincount(labels, minlength=8).double()
    chi2 = ((counts - n / 8) ** 2 / (n / 8)).sum()
    assert chi2 < 24.3  # 99.9 % of a chi-square with 7 degrees of freedom
    noise = x - gmu.ring_centers()[labels]
    assert noise.mean(0).abs().max() < 5 * 0.25 / math.sqrt(n)
    assert (noise.std(0) - 0.25).abs().max() < 5 * 0.25 / math.sqrt(2 * n)
    assert abs((noise[:, 0] * noise[:, 1]).mean()) < 5 * 0.0625 / math.sqrt(n)


def test_one_radius_per_point():
    radius = torch.linspace(1, 4, 500)
    x, labels = gmu.sample_ring(500, generator(), radius=radius, cluster_std=1e-3)
    assert torch.allclose(x.norm(dim=1), radius, atol=0.01)
    column = gmu.sample_ring(500, generator(), radius=radius[:, None], cluster_std=1e-3)[0]
    assert torch.equal(x, column)
    assert torch.allclose(
        gmu.ring_log_prob(x, radius=radius),
        torch.cat([gmu.ring_log_prob(p[None], radius=float(r)) for p, r in zip(x, radius)]),  # noqa: B905
        atol=1e-4,
    )


@pytest.mark.parametrize("shape", [(), (6,), (6, 1)])
def test_a_radius_is_traced_as_it_is_computed(shape):
    """A live figure, or torch's compiler, asks with numbers that are not known yet."""
    x = torch.linspace(-4, 4, 12).reshape(6, 2)
    radius = torch.linspace(1, 4, 6).reshape(shape) if shape else torch.tensor(2.0)
    traced = make_fx(lambda x, radius: gmu.ring_log_prob(x, radius=radius), tracing_mode="fake")(
        x, radius
    )
    assert torch.equal(traced(x, radius), gmu.ring_log_prob(x, radius=radius))


# ------------------------------------------------------------------------- exact facts


@pytest.mark.parametrize(
    ("n_modes", "radius", "std"), [(8, 3.0, 0.25), (1, 2.0, 0.5), (3, 0.0, 0.7), (12, 2.0, 0.3)]
)
def test_density_integrates_to_one_and_entropy_is_its_mean(n_modes, radius, std):
    reach = radius + 8 * std

    def log_prob(x):
        return gmu.ring_log_prob(x, n_modes, radius, std)

    extent = (-reach, reach, -reach, reach)
    assert gmu.integrate_density(log_prob, extent, dtype=torch.float64) == pytest.approx(
        1, abs=1e-6
    )
    n = 50_000
    x, _ = gmu.sample_ring(n, generator(1), n_modes=n_modes, radius=radius, cluster_std=std)
    nll = -log_prob(x.double())
    error = nll.std().item() / math.sqrt(n)
    assert abs(nll.mean().item() - gmu.ring_entropy(n_modes, radius, std)) < 4 * error


def test_entropy_of_the_default_ring():
    assert gmu.ring_entropy() == pytest.approx(ENTROPY, abs=1e-6)
    assert gmu.ring_conditional_entropy() == pytest.approx(0.065288, abs=1e-6)
    assert gmu.ring_entropy(n_modes=1) == pytest.approx(gmu.ring_conditional_entropy(), abs=1e-12)
    # Modes far apart: the mode is known from x, and it is worth log 8 nats.
    far = gmu.ring_conditional_entropy() + math.log(8)
    assert gmu.ring_entropy(radius=30.0) == pytest.approx(far, abs=1e-12)


@pytest.mark.parametrize(("radius", "entropy"), ENTROPY_BY_RADIUS.items())
def test_entropy_by_radius(radius, entropy):
    assert gmu.ring_entropy(radius=radius) == pytest.approx(entropy, abs=5.1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_log_prob_against_torch_distributions(dtype):
    x, _ = gmu.sample_ring(1000, generator(), dtype=dtype)
    centers = gmu.ring_centers().to(dtype)
    parts = torch.distributions.Independent(torch.distributions.Normal(centers, 0.25), 1)
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.ones(8, dtype=dtype)), parts
    )
    value = gmu.ring_log_prob(x)
    assert value.dtype == dtype and value.shape == (1000,)
    assert torch.allclose(value, mixture.log_prob(x), atol=1e-4 if dtype == torch.float32 else 1e-9)


def test_log_prob_far_out_is_finite_and_has_a_gradient():
    x = torch.tensor([[1e3, 1e3], [0.0, 0.0]], requires_grad=True)
    gmu.ring_log_prob(x).sum().backward()
    assert x.grad.isfinite().all()
    assert gmu.ring_log_prob(torch.tensor([[math.inf, 0.0]])).item() == -math.inf


def test_posterior_is_bayes_rule():
    x, labels = gmu.sample_ring(20_000, generator(), radius=1.0, dtype=torch.float64)
    posterior = gmu.ring_posterior(x, radius=1.0)
    assert torch.allclose(posterior.sum(1), torch.ones(len(x), dtype=torch.float64))
    # Calibration: the mean probability of mode 0 is the share of mode 0, also where it is unsure.
    unsure = (posterior[:, 0] > 0.3) & (posterior[:, 0] < 0.7)
    assert unsure.sum() > 500
    gap = (labels[unsure] == 0).double().mean() - posterior[unsure, 0].mean()
    assert abs(gap) < 4 * 0.5 / math.sqrt(int(unsure.sum()))


# ----------------------------------------------------------------------------- metrics


def test_metrics_of_the_true_ring():
    x, labels = gmu.held_out_ring()
    n = len(x)
    assert gmu.compute_diversity_metric(x) == pytest.approx(4.5625, abs=0.02)
    share = math.exp(-4.5)
    assert gmu.beyond_sigma_share(x) == pytest.approx(share, abs=4 * math.sqrt(share / n))
    assert gmu.mode_shares(x).sum() == pytest.approx(1)
    assert (gmu.mode_shares(x) - 1 / 8).abs().max() < 5 * math.sqrt(1 / 8 / n)
    assert (gmu.nearest_mode(x) == labels).double().mean() > 0.9999


def test_diversity_is_blind_as_its_docstring_says():
    x, labels = gmu.held_out_ring()
    half, two = x[labels % 2 == 0], x[labels % 4 == 0]
    blob = math.sqrt(4.5625) * torch.randn(100_000, 2, generator=generator())
    for other in (half, two, blob):
        assert gmu.compute_diversity_metric(other) == pytest.approx(4.5625, abs=0.05)
    assert gmu.beyond_sigma_share(blob) > 0.5  # and the other metrics are not
    assert gmu.mode_shares(half).min() == 0


def test_integrals_in_one_dimension():
    normal = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 1.0)
    whole = gmu.integrate_density(normal.log_prob, (-9, 9), dtype=torch.float64)
    assert whole == pytest.approx(1, abs=1e-12)
    assert gmu.integrate_density(lambda x: 0 * x, (-2, 3), 7) == pytest.approx(5)
    assert gmu.integrate_density(lambda x: 0 * x[:, 0], (0, 2, 0, 3), 7) == pytest.approx(6)


def test_the_grid_follows_the_module():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))

        def log_prob(self, x):
            assert x.dtype == torch.float64
            return gmu.ring_log_prob(x * self.scale)

    assert gmu.integrate_density(Model().log_prob, (-5, 5, -5, 5), 200) == pytest.approx(1)


# ----------------------------------------------------------------------------- loaders


def test_loaders_cover_all_points_once_an_epoch_in_another_order_each():
    data, labels = gmu.create_ring_gaussians(1003)
    loaders = (
        gmu.make_loader(data, 256),
        gmu.make_conditional_loader_onehot(data, labels, 256, 8),
        gmu.make_conditional_loader_radius(data, 256),
    )
    for loader in loaders:
        assert isinstance(loader, DataLoader)
        epochs = [torch.cat([batch[0] for batch in loader]) for _ in range(2)]
        assert not torch.equal(*epochs)
        for epoch in epochs:
            assert np.array_equal(np.unique(epoch, axis=0), np.unique(data, axis=0))


def test_loaders_repeat_from_a_seed():
    data, _ = gmu.create_ring_gaussians(500)

    def first(**source):
        return next(iter(gmu.make_loader(data, 100, **source)))[0]

    assert torch.equal(first(), first())
    assert torch.equal(first(seed=3), first(generator=generator(3)))
    assert not torch.equal(first(seed=3), first(seed=4))


def test_conditions_belong_to_their_points():
    data, labels = gmu.create_ring_gaussians(500)
    for x, y in gmu.make_conditional_loader_onehot(data, labels, 64, 8):
        assert x.dtype == y.dtype == torch.float32
        assert torch.equal(y.sum(1), torch.ones(len(x)))
        assert (y.argmax(1) == gmu.nearest_mode(x)).double().mean() > 0.99
    for x, r in gmu.make_conditional_loader_radius(data, 64):
        assert r.shape == (len(x), 1) and r.dtype == torch.float32
        assert torch.allclose(r, x.norm(dim=1, keepdim=True))


def test_float64_data_and_a_single_point():
    assert gmu.make_loader(np.zeros((5, 3)), 5).dataset[0][0].dtype == torch.float32
    assert len(next(iter(gmu.make_loader(torch.zeros(1, 2), 1)))[0]) == 1


def test_the_calls_of_the_reference_chapter_run_as_they_are():
    """The eight names, called the way its notebook calls them (with a stand-in for the flow)."""
    from gen_models_utilities import (
        compute_diversity_metric,
        create_ring_gaussians,
        device,
        make_conditional_loader_onehot,
        make_conditional_loader_radius,
        make_loader,
        plot_conditional_samples_continuous,
        plot_conditional_samples_discrete,
    )

    points, classes = create_ring_gaussians(n_samples=2000)
    seen = 0
    for (batch,) in make_loader(points, 256):
        seen += len(batch.float().to(device))
    assert seen == 2000
    value = compute_diversity_metric(torch.from_numpy(points).to(device))
    assert type(value) is float and f"{value:.3f}"

    for x, y in make_conditional_loader_onehot(points, classes, 256, 8):
        assert torch.cat([x.to(device), y.to(device)], dim=1).shape == (len(x), 10)
    by_label = {label: points[classes == label][:100] for label in range(8)}
    shown = plot_conditional_samples_discrete(by_label, points, classes, title="By class")
    assert shown is None  # nothing for a notebook to print below the figure
    assert plt.gcf().get_suptitle() == "By class"

    for x, r in make_conditional_loader_radius(points, 256):
        assert torch.cat([x.to(device), r.to(device)], dim=1).shape == (len(x), 3)
    by_radius = {r: points[:800] for r in [1.5, 2.0, 2.5, 3.0, 3.5, 4.0]}
    plot_conditional_samples_continuous(by_radius, points, title="By r", value_name="radius")
    titles = [ax.get_title() for ax in plt.gcf().axes]
    assert titles == [f"radius = {r:g}" for r in by_radius]


# ----------------------------------------------------------------------------- figures


def test_heatmap_shows_the_density_the_right_way_up():
    ax = plt.subplots()[1]
    assert gmu.density_heatmap(ax, lambda x: -((x - torch.tensor([2.0, -1.0])) ** 2).sum(1)) is ax
    image = ax.images[0]
    row, column = np.unravel_index(np.argmax(image.get_array()), image.get_array().shape)
    low, high = gmu.RING_EXTENT[:2]
    x1, x2 = (low + (high - low) * (k + 0.5) / 200 for k in (column, row))
    assert image.origin == "lower" and abs(x1 - 2) < 0.05 and abs(x2 + 1) < 0.05


def test_heatmap_leaves_nan_blank():
    ax = plt.subplots()[1]
    gmu.density_heatmap(ax, lambda x: torch.where(x[:, 0] > 0, 0.0, math.nan), colorbar=True)
    assert np.ma.count_masked(ax.images[0].get_array()) == 200 * 100


def test_warped_grid_is_the_image_of_the_grid():
    ax = plt.subplots()[1]
    gmu.grid_warp(ax, lambda z: (z @ torch.tensor([[2.0, 0], [0, 0.5]]), torch.zeros(len(z))))
    blue = [line for line in ax.lines if line.get_color() == gmu.BLUE]
    assert len(ax.lines) == 26 and len(blue) == 13
    assert all(np.ptp(line.get_ydata()) < 1e-6 for line in blue)  # along z1
    assert blue[0].get_xdata().min() == pytest.approx(-6)
    assert blue[0].get_ydata()[0] == pytest.approx(-1.5)


def test_a_mode_has_one_colour_everywhere():
    x, labels = gmu.create_ring_gaussians(100)
    ax = gmu.scatter_modes(plt.subplots()[1], x, labels)
    drawn = [to_hex(color) for color in ax.collections[0].get_facecolor()]
    assert drawn == [gmu.MODE_COLORS[label] for label in labels]
    axes = gmu.layer_grid([x, x], labels)
    assert [to_hex(color) for color in axes[1].collections[0].get_facecolor()] == drawn


def test_layer_grid_keeps_order_scale_and_points():
    z = torch.randn(200, 2, generator=generator())
    steps = [z * k for k in range(1, 7)]
    axes = gmu.layer_grid(steps)
    assert len(axes) == 6 and axes[0].get_title() == "base z"
    assert axes[5].get_title() == "after layer 5: x"
    assert len({ax.get_xlim() for ax in axes}) == 1
    drawn = axes[2].collections[0].get_offsets()
    assert np.allclose(drawn, steps[2])


def test_training_curves_are_linear_and_show_negative_values():
    ax = gmu.training_curves({"a": ([0, 1], [1.0, -1.0])}, entropy=-2.0)
    assert ax.get_yscale() == "linear"
    low, high = ax.get_ylim()
    assert low < -2 and high > 1


def test_histogram_is_a_density_also_when_samples_lie_outside():
    ax = plt.subplots()[1]
    z = torch.randn(10_000, generator=generator())
    normal = torch.distributions.Normal(0.0, 1.0)
    gmu.samples_and_density(ax, z, {"normal": normal.log_prob}, (-1, 1))
    area = sum(bar.get_height() * bar.get_width() for bar in ax.patches)
    assert area == pytest.approx(0.6827, abs=0.02)


def test_points_that_are_not_finite_are_left_out():
    points = torch.tensor([[0.0, 0.0], [math.nan, 1.0], [math.inf, 0.0]])
    gmu.scatter_modes(plt.subplots()[1], points)
    gmu.layer_grid([points, points])
    plt.gcf().canvas.draw()


def test_style_ends_with_its_block():
    before = dict(matplotlib.rcParams)
    with pytest.raises(RuntimeError), gmu.style():
        assert dict(matplotlib.rcParams) != before
        raise RuntimeError
    assert dict(matplotlib.rcParams) == before


# ------------------------------------------------------------------------------- sliders


def test_sliders_make_the_right_widgets(monkeypatch):
    import ipywidgets as widgets

    made = {}
    monkeypatch.setattr(widgets, "interact", lambda function, **kinds: made.update(kinds))
    own = widgets.IntText(3)
    controls = {"a_b": (0.0, 1.0, 0.1, 0.5), "n": (1, 9, 1, 2), "kind": ["x", "y"], "on": True}
    assert gmu.sliders(print, **controls, own=own) is None
    assert isinstance(made["a_b"], widgets.FloatSlider) and made["a_b"].value == 0.5
    assert made["a_b"].description == "a b"
    assert isinstance(made["n"], widgets.IntSlider) and (made["n"].min, made["n"].max) == (1, 9)
    assert isinstance(made["kind"], widgets.Dropdown) and made["kind"].value == "x"
    assert isinstance(made["on"], widgets.Checkbox) and made["own"] is own


def test_sliders_call_what_has_no_name(capsys):
    """A partial, which ipywidgets itself does not take."""
    gmu.sliders(functools.partial(lambda base, up: print("called with", base + up), 3), up=[4, 5])
    assert "called with 7" in capsys.readouterr().out


# ------------------------------------------------------------------ trained numbers and runs


def test_a_trained_number_is_marked_as_one(capsys):
    gmu.trained("gap", 0.08314, unit="nats")
    gmu.trained("share", torch.tensor(0.25), digits=2)
    gmu.trained("loss", math.nan, unit="nats")
    assert capsys.readouterr().out == "gap ≈ 0.0831 nats\nshare ≈ 0.25\nloss ≈ nan nats\n"


def test_ring_gap_is_the_divergence():
    """0 for the truth; for a wider ring what a fine grid gives."""
    assert abs(gmu.ring_gap(lambda x: gmu.ring_log_prob(x.double()))) < 1e-6
    wide = gmu.ring_gap(lambda x: gmu.ring_log_prob(x, cluster_std=0.35), n=100_000)
    axis = torch.linspace(-6, 6, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    log_p = gmu.ring_log_prob(grid)
    kl = (log_p.exp() * (log_p - gmu.ring_log_prob(grid, cluster_std=0.35))).sum() * 0.03**2
    assert abs(wide - kl.item()) < 0.01
    assert abs(gmu.ring_gap(lambda x: gmu.ring_log_prob(x, radius=2.0), radius=2.0)) < 1e-5
    with pytest.raises(ValueError, match="one number a point"):
        gmu.ring_gap(lambda x: x)


def test_run_dots_draws_each_run_the_median_and_ones_own():
    with gmu.style():
        ax = plt.figure().add_subplot()
        arms = {"a": [1.0, 2.0, 6.0], "b": [0.5, math.inf, 0.7]}
        gmu.run_dots(ax, arms, own={"b": 0.6}, xlabel="gap")
    dots = [c.get_offsets() for c in ax.collections]
    assert sorted(dots[0][:, 0]) == [1.0, 2.0, 6.0] and (abs(dots[0][:, 1]) < 0.3).all()
    assert sorted(dots[1][:, 0]) == [0.5, 0.7, 6.0], "what is not finite stands at the edge"
    bars = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2]
    assert bars == [2.0, 0.7]
    (own,) = [line for line in ax.lines if line.get_marker() == "D"]
    assert (own.get_xdata()[0], own.get_ydata()[0]) == (0.6, 1)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"] and ax.get_xlabel() == "gap"
    low, high = ax.get_ylim()
    assert low > high, "the first arm stands on top"
    with pytest.raises(ValueError, match="own must name arms"):
        gmu.run_dots(ax, arms, own={"c": 1.0})
    with pytest.raises(ValueError, match="at least one arm"):
        gmu.run_dots(ax, {})


def test_a_function_with_an_argument_filled_in_gets_points_like_its_flow():
    """Its points go to the flow's dtype and device, as without the argument."""
    with torch.random.fork_rng():
        flow = flows.RealNVP(n_layers=2, context_dim=1).double()
    log_prob = functools.partial(flow.log_prob, context=torch.zeros(1, dtype=torch.float64))
    assert gmu._home(log_prob, None, None) == gmu._home(flow.log_prob, None, None)
    assert math.isfinite(gmu.ring_gap(log_prob, n=100))


@pytest.mark.parametrize(
    ("values", "limit", "dots", "middle"),
    [
        ([1.0, math.nan, 2.0], 4.0, [1, 4, 2], 2.0),
        ([1.0, 9.0], 20.0, [1, 9], 5.0),
        ([1.0, 9.0, 2.0, 8.0], 4.0, [1, 4, 2, 4], 4.0),  # the median of all, not of what is cut
        ([1.0, math.inf, 3.0], None, [1, 3, 3], 3.0),
    ],
)
def test_runs_that_broke_stand_at_the_edge(values, limit, dots, middle):
    figure, ax = plt.subplots()
    gmu.run_dots(ax, {"arm": values}, limit=limit)
    assert ax.collections[0].get_offsets()[:, 0].tolist() == dots
    assert ax.lines[0].get_xdata()[0] == middle
    plt.close(figure)


@pytest.mark.parametrize("runs", [{"arm": []}, {"arm": [math.inf, math.nan]}])
def test_arms_without_numbers_are_refused(runs):
    figure, ax = plt.subplots()
    with pytest.raises(ValueError, match="runs must hold at least one"):
        gmu.run_dots(ax, runs)
    plt.close(figure)
