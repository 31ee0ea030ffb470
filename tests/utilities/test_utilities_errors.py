"""gen_models_utilities given wrong arguments: an error that names the argument, never a result."""

import inspect
import math
import re
import string
import time

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from fuzz import DATA, LABELS
from fuzz import POINTS as X
from fuzz import UTILITIES as EXAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import some_of

import gen_models_utilities as gmu


@pytest.fixture(autouse=True)
def figure():
    yield
    plt.close("all")


def ax():
    return plt.subplots()[1]


def gen():
    return torch.Generator().manual_seed(0)


NAN = torch.tensor([[0.0, math.nan]])
CASES = [
    # what is called, the error, what its message must hold
    (lambda: gmu.create_ring_gaussians(0), ValueError, "n_samples must be at least 1, got 0"),
    (lambda: gmu.create_ring_gaussians(2.5), TypeError, "n_samples must be an integer, got 2.5"),
    (lambda: gmu.create_ring_gaussians(True), TypeError, "n_samples"),
    (lambda: gmu.create_ring_gaussians(5, 0), ValueError, "n_modes must be at least 1, got 0"),
    (lambda: gmu.create_ring_gaussians(5, radius=-1), ValueError, "radius .* got -1"),
    (lambda: gmu.create_ring_gaussians(5, radius=math.inf), ValueError, "radius .* finite"),
    (lambda: gmu.create_ring_gaussians(5, radius="3"), TypeError, "radius must be a number"),
    (lambda: gmu.create_ring_gaussians(5, cluster_std=-0.1), ValueError, "cluster_std .* -0.1"),
    (lambda: gmu.create_ring_gaussians(5, cluster_std=0), ValueError, "cluster_std .* positive"),
    (lambda: gmu.create_ring_gaussians(5, seed=-1), ValueError, r"seed must be in \[0, 2147483647"),
    (lambda: gmu.create_ring_gaussians(5, seed=2**31), ValueError, "seed"),
    (lambda: gmu.create_ring_gaussians(5, seed=1, generator=gen()), ValueError, "not both"),
    (lambda: gmu.create_ring_gaussians(5, generator=3), TypeError, "generator .* got int"),
    (lambda: gmu.held_out_ring(10, seed=2**31), ValueError, "seed"),
    (
        lambda: gmu.sample_ring(4, gen(), radius=torch.ones(3)),
        ValueError,
        r"radius .*\(4,\).*\(3,\)",
    ),
    (lambda: gmu.sample_ring(2, gen(), radius=-torch.ones(2)), ValueError, "radius"),
    (lambda: gmu.ring_log_prob(torch.zeros(3)), ValueError, r"x must have shape \(n, 2\)"),
    (lambda: gmu.ring_log_prob(torch.zeros(3, 3)), ValueError, r"got \(3, 3\)"),
    (lambda: gmu.ring_log_prob(torch.zeros(0, 2)), ValueError, "n >= 1"),
    (lambda: gmu.ring_log_prob(NAN), ValueError, "x must not hold NaN, got NaN in 1 of 1 rows"),
    (lambda: gmu.ring_log_prob([["a", "b"]]), TypeError, "x must be an array"),
    (lambda: gmu.ring_log_prob(X.bool()), TypeError, "real numbers"),
    (lambda: gmu.ring_log_prob(X, radius=torch.ones(4, 2)), ValueError, r"radius .*\(4, 2\)"),
    (lambda: gmu.ring_log_prob(X, 0), ValueError, "n_modes"),
    (lambda: gmu.ring_posterior(X, cluster_std=-1), ValueError, "cluster_std"),
    (lambda: gmu.ring_entropy(0), ValueError, "n_modes"),
    (lambda: gmu.ring_entropy(radius=-3), ValueError, "radius"),
    (lambda: gmu.ring_conditional_entropy(-1), ValueError, "cluster_std"),
    (lambda: gmu.ring_centers(-2), ValueError, "n_modes"),
    (lambda: gmu.make_loader(DATA, 7), ValueError, "batch_size .* number of points, got 7 > 6"),
    (lambda: gmu.make_loader(DATA, 0), ValueError, "batch_size must be at least 1"),
    (lambda: gmu.make_loader(DATA[:, 0], 2), ValueError, r"data must have shape \(n, D\).*\(6,\)"),
    (lambda: gmu.make_loader(NAN, 1), ValueError, "data must not hold NaN"),
    (
        lambda: gmu.make_conditional_loader_onehot(DATA, LABELS, 2, 5),
        ValueError,
        r"labels must be in \[0, 4\], got 5",
    ),
    (lambda: gmu.make_conditional_loader_onehot(DATA, LABELS - 1, 2, 8), ValueError, "got -1"),
    (lambda: gmu.make_conditional_loader_onehot(DATA, LABELS[:3], 2, 8), ValueError, r"\(6,\)"),
    (lambda: gmu.make_conditional_loader_onehot(DATA, LABELS * 1.0, 2, 8), TypeError, "integers"),
    (lambda: gmu.make_conditional_loader_onehot(DATA, LABELS, 2, 0), ValueError, "n_classes"),
    (lambda: gmu.make_conditional_loader_radius(DATA, 9), ValueError, "got 9 > 6"),
    (lambda: gmu.compute_diversity_metric(NAN), ValueError, "samples must not hold NaN"),
    (lambda: gmu.beyond_sigma_share(X, -1), ValueError, "n_sigma"),
    (lambda: gmu.mode_shares(torch.zeros(2, 5)), ValueError, "samples"),
    (lambda: gmu.nearest_mode(X, 0), ValueError, "n_modes"),
    (lambda: gmu.integrate_density(gmu.ring_log_prob, (0, 1, 2)), ValueError, "extent"),
    (lambda: gmu.integrate_density(gmu.ring_log_prob, (1, 0)), ValueError, "low below its high"),
    (lambda: gmu.integrate_density(gmu.ring_log_prob, 3), ValueError, "extent"),
    (lambda: gmu.integrate_density(lambda x: x, (0, 1, 0, 1), 3), ValueError, r"\(9,\).*\(9, 2\)"),
    (lambda: gmu.integrate_density(lambda x: x * math.nan, (0, 1), 3), ValueError, "3 of 3"),
    (lambda: gmu.integrate_density(lambda x: x, (0, 1), 0), ValueError, "n must be"),
    (lambda: gmu.density_heatmap(ax(), gmu.ring_log_prob, (0, 1)), ValueError, "extent"),
    (lambda: gmu.grid_warp(ax(), lambda z: z[:, 0]), ValueError, "transform must return points"),
    (lambda: gmu.grid_warp(ax(), lambda z: z, n_lines=1), ValueError, "n_lines"),
    (lambda: gmu.scatter_modes(ax(), X, [0, 1]), ValueError, r"labels must have shape \(4,\)"),
    (lambda: gmu.scatter_modes(ax(), X, [0, 1, 2, 3], colors="red"), ValueError, "not both"),
    (lambda: gmu.layer_grid([]), ValueError, "steps must hold at least one"),
    (lambda: gmu.layer_grid([X, X], titles=["a"]), ValueError, r"titles .* \(2\), got 1"),
    (lambda: gmu.training_curves({}), ValueError, "curves"),
    (lambda: gmu.training_curves({"a": ([1], [1, 2])}), ValueError, "'a'.* got 1 and 2"),
    (lambda: gmu.curve_gallery({}), ValueError, "functions"),
    (lambda: gmu.samples_and_density(ax(), X), ValueError, "samples must have shape"),
    (lambda: gmu.plot_conditional_samples_discrete({}, DATA, LABELS), ValueError, "at least one"),
    (lambda: gmu.plot_conditional_samples_discrete({-1: DATA}, DATA, LABELS), ValueError, "label"),
    (lambda: gmu.plot_conditional_samples_continuous({}, DATA), ValueError, "at least one"),
    (lambda: gmu.sliders(print, a=(0, 1)), ValueError, "a must be .low, high, step, start"),
    (lambda: gmu.sliders(print, a=(0, 1, 0.1, 2)), ValueError, "start between"),
    (lambda: gmu.sliders(print, a=[]), ValueError, "empty list"),
    (lambda: gmu.trained("", 1.0), TypeError, "name"),
    (lambda: gmu.held_out_ring(10**8 + 1), ValueError, r"n must be in \[1, 100000000\]"),
    (lambda: gmu.ring_centers(10**4 + 1), ValueError, r"n_modes must be in \[1, 10000\]"),
    (lambda: gmu.ring_entropy(cluster_std=1e-101), ValueError, "cluster_std .* 1e-100 and 1e100"),
    (lambda: gmu.ring_entropy(cluster_std=2e100), ValueError, "cluster_std .* 1e-100 and 1e100"),
    (
        lambda: gmu.sample_ring(4, gen(), radius=1e4, dtype=torch.float16),
        ValueError,
        "radius must be at most 6550.4 in torch.float16, got 10000.0",
    ),
    (
        lambda: gmu.sample_ring(4, gen(), cluster_std=1e39),
        ValueError,
        "cluster_std must be at most 3.* in torch.float32, got 1e.39",
    ),
    (lambda: gmu.ring_gap(lambda x: [0.0]), ValueError, r"log_prob must return .* got \(1,\)"),
    (lambda: gmu.ring_gap(lambda x: "a"), TypeError, "what log_prob returns must be an array"),
    (
        lambda: gmu.integrate_density(lambda x: x[:, 0], (0, 1, 0, 1), 3, device="meta"),
        ValueError,
        "log_prob must return numbers, got a tensor on the device meta",
    ),
    (lambda: gmu.sample_ring(4, gen(), dtype=torch.int64), ValueError, "dtype must be one of"),
    (lambda: gmu.sample_ring(4, gen(), dtype="float32"), TypeError, "dtype must be a torch.dtype"),
    (lambda: gmu.scatter_modes(ax(), X, alpha=1.5), ValueError, r"alpha must be in \[0, 1\]"),
    (lambda: gmu.training_curves({"a": [1, 2, 3]}), ValueError, r"curves.* must be .steps, values"),
    (lambda: gmu.trained("a", 1.0, digits=-1), ValueError, "digits"),
    (lambda: gmu.scatter_modes(ax(), X.to("meta")), ValueError, "plain tensor .* device meta"),
    (
        lambda: gmu.samples_and_density(ax(), X[:, 0].to_sparse()),
        ValueError,
        "what is drawn must be a plain tensor of numbers, got one of layout torch.sparse_coo",
    ),
    (lambda: gmu.make_conditional_loader_radius(X.to_sparse(), 2), ValueError, "data .* plain"),
]


TAKE_FINITE_POINTS = {
    "ring_posterior": ("x", gmu.ring_posterior),
    "make_loader": ("data", lambda x: gmu.make_loader(x, 1)),
    "make_conditional_loader_onehot": (
        "data",
        lambda x: gmu.make_conditional_loader_onehot(x, [0, 0], 1, 1),
    ),
    "make_conditional_loader_radius": (
        "data",
        lambda x: gmu.make_conditional_loader_radius(x, 1),
    ),
    "compute_diversity_metric": ("samples", gmu.compute_diversity_metric),
    "nearest_mode": ("samples", gmu.nearest_mode),
    "mode_shares": ("samples", gmu.mode_shares),
    "beyond_sigma_share": ("samples", gmu.beyond_sigma_share),
}


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, list])
@pytest.mark.parametrize("function", TAKE_FINITE_POINTS)
def test_points_that_are_not_finite_are_refused(function, kind, value):
    name, call = TAKE_FINITE_POINTS[function]
    what = "NaN" if math.isnan(value) else "infinity"
    with pytest.raises(
        ValueError, match=f"^{name} must not hold {what}, got {what} in 1 of 2 rows"
    ):
        call(kind([[0.0, 1.0], [value, value]]))


def test_points_for_a_loader_must_be_finite_in_its_type():
    with pytest.raises(ValueError, match="data must not hold infinity, got infinity in 1 of 2"):
        gmu.make_loader(np.array([[0.0, 1.0], [1e300, 0.0]]), 1)


@pytest.mark.parametrize(("call", "error", "message"), CASES)
def test_errors_name_the_argument(call, error, message):
    whole = rf"(?<![A-Za-z_])(?:{message})(?![A-Za-z_])"  # "label" is not in "labels"
    with pytest.raises(error, match=whole):
        call()


# -------------------------------------------------------------------------- every public function


PUBLIC = {
    name: function
    for name, function in vars(gmu).items()
    if inspect.isfunction(function) and function.__module__ == gmu.__name__ and name[0] != "_"
}


def having(parameter):
    """Names of the public functions with a parameter."""
    return [n for n, f in PUBLIC.items() if parameter in inspect.signature(f).parameters]


def call(name, **changed):
    return PUBLIC[name](**{**EXAMPLES[name](), **changed})


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_has_an_example(name):
    wanted = {
        parameter.name
        for parameter in inspect.signature(PUBLIC[name]).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    given = set(EXAMPLES[name]())
    assert given == wanted or (name == "sliders" and given == wanted | {"scale"})
    call(name)


@pytest.mark.parametrize("value", [True, 3.5, object(), [], math.nan, torch.zeros(1)])
@pytest.mark.parametrize("name", having("device"))
def test_what_names_no_device_is_refused(name, value):
    with pytest.raises(TypeError, match="^device must be a string such as 'cpu', a torch.device,"):
        call(name, device=value)


ABSENT = ["nowhere", "", "fpga", "cuda:99", torch.device("cuda:99"), -1, 99, 10**30]


@pytest.mark.parametrize("value", ABSENT, ids=str)
@pytest.mark.parametrize("name", having("device"))
def test_a_device_that_is_not_there_is_refused(name, value):
    wanted = rf"^device must be one that this machine has \(cpu, meta.*got {re.escape(repr(value))}"
    with pytest.raises(ValueError, match=wanted):
        call(name, device=value)


def test_devices_that_are_there_are_listed(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    with pytest.raises(ValueError, match=r"has \(cpu, meta, cuda:0, cuda:1\), got 'fpga'"):
        gmu.held_out_ring(4, device="fpga")


@pytest.mark.parametrize("value", ["meta", torch.device("meta")])
@pytest.mark.parametrize("name", having("device"))
def test_the_device_is_where_points_are(name, value):
    """Those that are returned, or those that a function is given."""
    arguments, seen = EXAMPLES[name](), []

    def spied(function):
        def spy(x):
            seen.append(x)
            return function(torch.zeros(x.shape))

        return spy

    arguments |= {key: spied(f) for key, f in arguments.items() if inspect.isfunction(f)}
    made = PUBLIC[name](**{**arguments, "device": value})
    seen += made if isinstance(made, tuple) else []
    assert seen and all(x.device.type == "meta" for x in seen)


@pytest.mark.parametrize(("device", "seen"), [(None, "cpu"), ("meta", "meta")])
def test_a_device_that_is_asked_for_goes_before_that_of_a_module(device, seen):
    class Flat(torch.nn.Linear):
        def log_prob(self, x):
            devices.append((x.device.type, x.dtype))
            return torch.zeros(len(x))

    devices, flat = [], Flat(2, 2).double()
    assert gmu.integrate_density(flat.log_prob, (0, 1, 0, 1), 3, device=device) == 1.0
    assert devices == [(seen, torch.float64)]


@pytest.mark.parametrize("value", [None, "ax", 0, object(), "figure", "array"])
@pytest.mark.parametrize("name", having("ax"))
def test_what_is_no_axes_is_refused(name, value):
    if value == "figure":
        value = plt.figure()
    if value == "array":
        value = plt.subplots(1, 2)[1]
    if value is None and inspect.signature(PUBLIC[name]).parameters["ax"].default is None:
        assert isinstance(call(name, ax=value), plt.Axes)
        return
    with pytest.raises(TypeError, match=f"^ax must be Axes .* got {type(value).__name__}"):
        call(name, ax=value)


def test_points_and_pictures_of_every_type():
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        assert gmu.sample_ring(4, gen(), dtype=dtype)[0].dtype == dtype
        assert len(call("grid_warp", dtype=dtype).lines) == 4


JUNK = {
    "none": lambda: None,
    "text": lambda: "a",
    "list": list,
    "mapping": dict,
    "object": object,
    "true": lambda: True,
    "huge": lambda: 10**18,
    "beyond floats": lambda: 10**400,
    "large": lambda: 1e300,
    "negative": lambda: -1,
    "negative float": lambda: -0.5,
    "nan": lambda: math.nan,
    "infinity": lambda: math.inf,
    "tensor of nan": lambda: torch.full((4, 2), math.nan),
    "integers": lambda: torch.arange(6),
    "no points": lambda: torch.zeros(0, 2),
    "scalar tensor": lambda: torch.tensor(math.nan),
    "complex": lambda: torch.zeros(4, 2, dtype=torch.complex64),
    "nothing returned": lambda: lambda *arguments: None,
    "pair of junk": lambda: {"a": (None, object())},
    "junk in a mapping": lambda: {"a": None},
    "junk in a list": lambda: [None, object()],
}


def drawn(arguments):
    """What a call could leave behind: figures, what is drawn on the axes, numbers drawn."""
    axes, generator = arguments.get("ax"), arguments.get("generator")
    return (
        plt.get_fignums(),
        axes and [len(axes.get_children()), axes.get_title(), axes.get_xlim(), axes.get_ylim()],
        generator and generator.get_state().tolist(),
    )


ARGUMENTS = [(name, argument) for name in EXAMPLES for argument in EXAMPLES[name]()]


@pytest.mark.filterwarnings("ignore")  # of matplotlib, about what it can draw only in part
@pytest.mark.parametrize(
    "case", some_of(ARGUMENTS, ARGUMENTS[::2]), ids=lambda case: "-".join(case)
)
def test_junk_is_taken_or_refused_by_its_name(case):
    """In time, and a call that is refused has changed nothing."""
    name, argument = case
    # (Other points than there are labels may be called a fault of the labels.)
    wanted = f"{argument}|labels" if argument in ("x", "data") else argument
    for label, make in JUNK.items():
        arguments, junk = EXAMPLES[name](), make()
        before = drawn({**arguments, argument: None})
        start = time.process_time()
        try:
            PUBLIC[name](**{**arguments, argument: junk})
        except (ValueError, TypeError) as error:
            assert re.search(rf"(?<![A-Za-z_])({wanted})(?![A-Za-z_])", str(error)), (label, error)
            assert "NoneType' object" not in str(error) and "INTERNAL" not in str(error), label
            assert drawn({**arguments, argument: None}) == before, label
        except Exception as error:
            raise AssertionError(f"{name}({argument}: {label}) gave {error!r}") from error
        assert time.process_time() - start < 60, f"{label}: it hangs"
        plt.close("all")


# ------------------------------------------------------------------------------------ fuzzing

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.floats(-3, 5),
    st.sampled_from([math.nan, math.inf, -math.inf]),
    st.text(string.ascii_letters, max_size=2),
    st.lists(st.integers(0, 3), max_size=2),
)
ARRAYS = st.one_of(
    ODD,
    st.builds(
        lambda shape, value, kind: np.full(shape, value).astype(kind),
        st.lists(st.integers(0, 4), max_size=3),
        st.floats(-4, 4),
        st.sampled_from(["float32", "float64", "int64", "bool", "complex64", "float16"]),
    ),
)


def valid_or_clear(call, names):
    """The result of a call, or None after a ValueError or TypeError that names an argument."""
    try:
        return call()
    except (ValueError, TypeError) as error:
        named = any(re.search(rf"\b{name}\b", str(error)) for name in names)
        assert named, f"unclear: {error!r}"
        return None


@settings(max_examples=150, deadline=None, derandomize=True)
@given(n=ODD, n_modes=ODD, radius=ODD, std=ODD, seed=ODD)
def test_fuzz_data(n, n_modes, radius, std, seed):
    names = ("n_samples", "n_modes", "radius", "cluster_std", "seed")
    made = valid_or_clear(
        lambda: gmu.create_ring_gaussians(n, n_modes, radius, std, seed=seed), names
    )
    if made is not None:
        assert made[0].shape == (n, 2) and np.isfinite(made[0]).all()
        assert made[1].min() >= 0 and made[1].max() < n_modes


@settings(max_examples=150, deadline=None, derandomize=True)
@given(x=ARRAYS, n_modes=ODD, radius=ARRAYS, std=ODD)
def test_fuzz_exact_density(x, n_modes, radius, std):
    names = ("x ", "n_modes", "radius", "cluster_std")
    value = valid_or_clear(lambda: gmu.ring_log_prob(x, n_modes, radius, std), names)
    if value is not None:
        assert value.shape == (len(x),) and not value.isnan().any()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=ARRAYS, labels=ARRAYS, batch=ODD, classes=ODD)
def test_fuzz_loaders(data, labels, batch, classes):
    names = ("data", "labels", "batch_size", "n_classes")
    calls = (
        lambda: gmu.make_loader(data, batch),
        lambda: gmu.make_conditional_loader_onehot(data, labels, batch, classes),
        lambda: gmu.make_conditional_loader_radius(data, batch),
    )
    for call in calls:
        loader = valid_or_clear(call, names)
        if loader is not None:
            assert sum(len(batch[0]) for batch in loader) == len(data)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(samples=ARRAYS, n_modes=ODD, radius=ODD, n_sigma=ODD)
def test_fuzz_metrics(samples, n_modes, radius, n_sigma):
    names = ("samples", "n_modes", "radius", "n_sigma")
    shares = valid_or_clear(lambda: gmu.mode_shares(samples, n_modes, radius), names)
    if shares is not None:
        assert shares.sum().item() == pytest.approx(1)
    share = valid_or_clear(lambda: gmu.beyond_sigma_share(samples, n_sigma), names)
    assert share is None or 0 <= share <= 1
    value = valid_or_clear(lambda: gmu.compute_diversity_metric(samples), names)
    assert value is None or value >= 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(extent=st.lists(ODD, max_size=5), n=ODD)
def test_fuzz_integral(extent, n):
    value = valid_or_clear(
        lambda: gmu.integrate_density(lambda x: torch.zeros(len(x)), extent, n), ("extent", "n ")
    )
    assert value is None or value > 0
