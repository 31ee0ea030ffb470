"""Bad input gets a clear error: it names the argument, what was given and what is allowed.

The table holds one case a rule. The fuzz tests then say what "bad" means, once for each function,
and let hypothesis look for input that is neither used rightly nor refused clearly.
"""

import math
import re

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import flows
import flows_support

NAN, INF = math.nan, math.inf
quick = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def t(*values) -> torch.Tensor:
    return torch.tensor(values)


def flow(**kwargs) -> flows.RealNVP:
    return flows.RealNVP(**{"dim": 2, "hidden_dim": 4, "n_layers": 2, **kwargs})


def training(**kwargs):
    arguments = {"steps": 2, "batch_size": 4, **kwargs}
    data = arguments.pop("data", torch.zeros(8, 2))
    return flows.train(flow(), flows.resample(data), **arguments)


# label: (what is called, the error, words that its message must have)
CASES = {
    # chapter 1
    "Tanh, scale zero": (lambda: flows.Tanh(scale=0.0), ValueError, ["scale", "0"]),
    "Tanh, scale negative": (lambda: flows.Tanh(scale=-2.0), ValueError, ["scale", "-2"]),
    "Tanh, scale NaN": (lambda: flows.Tanh(scale=NAN), ValueError, ["scale", "nan"]),
    "Tanh, loc NaN": (lambda: flows.Tanh(loc=NAN), ValueError, ["loc", "nan"]),
    "Tanh, x outside": (
        lambda: flows.Tanh().encode(t(0.5, 1.5)),
        ValueError,
        ["x", "-1.0", "1.0", "1 of 2", "1.5"],
    ),
    "Tanh, x on the edge": (lambda: flows.Tanh().encode(t(1.0)), ValueError, ["x", "-1.0", "1"]),
    "Tanh, x NaN": (lambda: flows.Tanh().encode(t(NAN)), ValueError, ["x", "nan"]),
    "a transform without encode": (
        lambda: flows.Transform().encode(t(0.0)),
        NotImplementedError,
        ["Transform", "encode"],
    ),
    "a transform without decode": (
        lambda: flows.Transform().decode(t(0.0)),
        NotImplementedError,
        ["Transform", "decode"],
    ),
    # chapter 2
    "Affine, scale zero": (lambda: flows.Affine(0.0), ValueError, ["|scale|", "0"]),
    "Affine, shift NaN": (lambda: flows.Affine(1.0, NAN), ValueError, ["shift", "nan"]),
    "Affine, scale NaN": (lambda: flows.Affine(NAN), ValueError, ["scale", "nan"]),
    "Sigmoid, x outside": (
        lambda: flows.Sigmoid().encode(t(-0.5)),
        ValueError,
        ["x", "0.0", "1.0", "-0.5"],
    ),
    "LeakyReLU, slope zero": (lambda: flows.LeakyReLU(0.0), ValueError, ["slope", "0"]),
    "LeakyReLU, slope negative": (lambda: flows.LeakyReLU(-0.1), ValueError, ["slope", "-0.1"]),
    "ShiftedSoftplus, x too low": (
        lambda: flows.ShiftedSoftplus().encode(t(-0.7)),
        ValueError,
        ["x", "-0.69", "-0.7"],
    ),
    "Compose, no list": (lambda: flows.Compose(None), ValueError, ["layers", "Transform", "None"]),
    "Compose, a number": (lambda: flows.Compose([1]), ValueError, ["layers", "Transform", "[1]"]),
    "Compose, no layer": (lambda: flows.Compose([]), ValueError, ["layers", "at least one", "[]"]),
    # chapter 3
    "points, a list": (
        lambda: flows.Linear(flows.rotation(45)).decode([[1.0, 2.0]]),
        TypeError,
        ["z", "tensor", "list"],
    ),
    "points, integers": (
        lambda: flows.Linear(flows.rotation(45)).decode(t([1, 2])),
        TypeError,
        ["z", "floating", "int64"],
    ),
    "points, one dimension": (
        lambda: flows.Linear(flows.rotation(45)).encode(t(1.0, 2.0)),
        ValueError,
        ["x", "(n, 2)", "(2,)"],
    ),
    "points, wrong D": (
        lambda: flows.Linear(flows.rotation(45)).encode(torch.zeros(4, 3)),
        ValueError,
        ["x", "(n, 2)", "(4, 3)"],
    ),
    "Linear, not square": (
        lambda: flows.Linear(torch.zeros(2, 3)),
        ValueError,
        ["matrix", "(D, D)", "(2, 3)"],
    ),
    "Linear, singular": (
        lambda: flows.Linear(torch.ones(2, 2)),
        ValueError,
        ["matrix", "invertible"],
    ),
    "Linear, NaN": (
        lambda: flows.Linear(torch.full((2, 2), NAN)),
        ValueError,
        ["matrix", "invertible"],
    ),
    "Linear, shift too long": (
        lambda: flows.Linear(torch.eye(2), torch.zeros(3)),
        ValueError,
        ["shift", "(2,)", "(3,)"],
    ),
    "Linear, shift NaN": (
        lambda: flows.Linear(torch.eye(2), t(NAN, 0.0)),
        ValueError,
        ["shift", "finite", "nan"],
    ),
    "rotation, NaN": (lambda: flows.rotation(NAN), ValueError, ["degrees", "nan"]),
    "rotation, dim 1": (lambda: flows.rotation(45.0, 1), ValueError, ["dim", "1"]),
    "shear, NaN": (lambda: flows.shear(NAN), ValueError, ["amount", "nan"]),
    "scaling, no factor": (lambda: flows.scaling(), ValueError, ["number of factors", "0"]),
    "scaling by zero": (
        lambda: flows.Linear(flows.scaling(1.0, 0.0)),
        ValueError,
        ["|factors|", "0 and inf"],
    ),
    "SplineCoupling, one bin": (
        lambda: flows.SplineCoupling(2, n_bins=1),
        ValueError,
        ["n_bins", "1"],
    ),
    "SplineCoupling, too many bins": (
        lambda: flows.SplineCoupling(2, n_bins=101),
        ValueError,
        ["n_bins", "2 to 100", "101"],
    ),
    "SplineCoupling, half a bin": (
        lambda: flows.SplineCoupling(2, n_bins=2.5),
        ValueError,
        ["n_bins", "2.5"],
    ),
    "SplineCoupling, bound 0": (lambda: flows.SplineCoupling(2, bound=0.0), ValueError, ["bound"]),
    "SplineCoupling, one coordinate": (lambda: flows.SplineCoupling(1), ValueError, ["dim", "2"]),
    "SplineFlow, no layer": (lambda: flows.SplineFlow(n_layers=0), ValueError, ["n_layers"]),
    "spline_knots, four numbers": (
        lambda: flows.spline_knots(torch.zeros(4), 1.0),
        ValueError,
        ["3 K - 1", "4"],
    ),
    "spline, knots that cross": (
        lambda: flows.spline(
            t(0.0), (t(-1.0, 0.5, 0.2, 1.0), t(-1.0, 0.0, 0.5, 1.0), t(1, 1, 1, 1))
        ),
        ValueError,
        ["x", "increase", "0.2"],
    ),
    "spline, a bin that vanishes": (
        lambda: flows.spline(t(0.0), (t(-1.0, 0.0, 1.0), t(-1.0, 1.0, 1.0), t(1, 1, 1))),
        ValueError,
        ["y", "increase"],
    ),
    "spline, a slope of 0": (
        lambda: flows.spline(t(0.0), (t(-1.0, 0.0, 1.0), t(-1.0, 0.0, 1.0), t(1, 0, 1))),
        ValueError,
        ["slopes", "positive"],
    ),
    "spline, ends off the diagonal": (
        lambda: flows.spline(t(0.0), (t(-1.0, 0.0, 1.0), t(-1.0, 0.0, 2.0), t(1, 1, 1))),
        ValueError,
        ["ends", "diagonal"],
    ),
    "spline, one slope too few": (
        lambda: flows.spline(t(0.0), (t(-1.0, 0.0, 1.0), t(-1.0, 0.0, 1.0), t(1, 1))),
        ValueError,
        ["one shape"],
    ),
    "Planar, w zero": (lambda: flows.Planar(t(0.0, 0.0), t(1.0, 0.0)), ValueError, ["w", "not 0"]),
    "Planar, lengths differ": (
        lambda: flows.Planar(t(1.0, 0.0), t(1.0, 0.0, 0.0)),
        ValueError,
        ["w", "u", "length"],
    ),
    "Planar, it would fold": (
        lambda: flows.Planar(t(1.0, 0.0), t(-1.5, 0.0)),
        ValueError,
        ["w.u", "-1", "-1.5"],
    ),
    "Planar, on the edge": (
        lambda: flows.Planar(t(1.0, 0.0), t(-1.0, 0.0)),
        ValueError,
        ["w.u", "-1"],
    ),
    "Planar, b NaN": (
        lambda: flows.Planar(t(1.0, 0.0), t(1.0, 0.0), NAN),
        ValueError,
        ["b", "nan"],
    ),
    "Radial, center NaN": (lambda: flows.Radial(t(NAN, 0.0)), ValueError, ["center", "nan"]),
    "Radial, alpha zero": (
        lambda: flows.Radial(t(0.0, 0.0), alpha=0.0),
        ValueError,
        ["alpha > 0", "0.0"],
    ),
    "Radial, it would fold": (
        lambda: flows.Radial(t(0.0, 0.0), alpha=1.0, beta=-1.5),
        ValueError,
        ["beta > -alpha", "-1.5"],
    ),
    "Radial, center a matrix": (
        lambda: flows.Radial(torch.zeros(2, 2)),
        ValueError,
        ["center", "(D,)", "(2, 2)"],
    ),
    "Coupling, one coordinate": (
        lambda: flows.AffineCoupling(2, 4).encode(torch.zeros(3, 1)),
        ValueError,
        ["(n, 2)", "(3, 1)"],
    ),
    # chapter 4
    "RealNVP, dim 1": (lambda: flow(dim=1), ValueError, ["dim", ">= 2", "1"]),
    "RealNVP, dim 2.0": (lambda: flow(dim=2.0), ValueError, ["dim", "whole", "2.0"]),
    "RealNVP, no layers": (lambda: flow(n_layers=0), ValueError, ["n_layers", ">= 1", "0"]),
    "RealNVP, n_layers True": (lambda: flow(n_layers=True), ValueError, ["n_layers", "True"]),
    "RealNVP, hidden_dim": (lambda: flow(hidden_dim=0), ValueError, ["hidden_dim", ">= 1"]),
    "RealNVP, context_dim": (lambda: flow(context_dim=-1), ValueError, ["context_dim", "-1"]),
    "RealNVP, n_frequencies": (
        lambda: flow(n_frequencies="4"),
        ValueError,
        ["n_frequencies", "whole", "'4'"],
    ),
    "RealNVP, turn NaN": (lambda: flow(turn=NAN), ValueError, ["turn", "nan"]),
    "AffineCoupling, dim 1": (lambda: flows.AffineCoupling(1, 4), ValueError, ["dim", ">= 2"]),
    "Flow, dim": (
        lambda: flows.Flow([flows.AffineCoupling(2, 4)], dim=0),
        ValueError,
        ["dim", ">= 2"],
    ),
    "Flow, no layer": (lambda: flows.Flow([], dim=2), ValueError, ["layers", "at least one", "[]"]),
    "log_prob, one point": (
        lambda: flow().log_prob(t(0.0, 0.0)),
        ValueError,
        ["x", "(n, 2)", "(2,)"],
    ),
    "log_prob, wrong D": (
        lambda: flow(dim=3).log_prob(torch.zeros(5, 2)),
        ValueError,
        ["x", "(n, 3)", "(5, 2)"],
    ),
    "log_prob, wrong dtype": (
        lambda: flow().log_prob(torch.zeros(5, 2).double()),
        TypeError,
        ["x", "float32", "float64"],
    ),
    "decode, wrong D": (lambda: flow().decode(torch.zeros(5, 4)), ValueError, ["z", "(5, 4)"]),
    "context missing": (
        lambda: flow(context_dim=3).log_prob(torch.zeros(5, 2)),
        ValueError,
        ["context", "(5, 3)", "None"],
    ),
    "context not wanted": (
        lambda: flow().log_prob(torch.zeros(5, 2), torch.zeros(5, 3)),
        ValueError,
        ["context", "context_dim=0"],
    ),
    "context too short": (
        lambda: flow(context_dim=3).log_prob(torch.zeros(5, 2), torch.zeros(4, 3)),
        ValueError,
        ["context", "(5, 3)", "(4, 3)"],
    ),
    "context a list": (
        lambda: flow(context_dim=1).log_prob(torch.zeros(5, 2), [1.0]),
        ValueError,
        ["context", "[1.0]"],
    ),
    "sample, none": (lambda: flow().sample(0), ValueError, ["n", ">= 1", "0"]),
    "sample, a half": (lambda: flow().sample(2.5), ValueError, ["n", "whole", "2.5"]),
    "sample, generator a seed": (
        lambda: flow().sample(3, generator=0),
        TypeError,
        ["generator", "torch.Generator", "0"],
    ),
    "sample, temperature": (
        lambda: flow().sample(3, temperature=-1.0),
        ValueError,
        ["temperature", ">= 0", "-1"],
    ),
    # chapter 5
    "resample, empty": (lambda: flows.resample(torch.zeros(0, 2)), ValueError, ["data", "one"]),
    "resample, NaN": (lambda: flows.resample(t([NAN, 0.0])), ValueError, ["data", "NaN"]),
    "resample, a vector": (lambda: flows.resample(torch.zeros(5)), ValueError, ["data", "(5,)"]),
    "resample, contexts": (
        lambda: flows.resample(torch.zeros(5, 2), torch.zeros(4, 1)),
        ValueError,
        ["context", "4", "5"],
    ),
    "train, no steps": (lambda: training(steps=0), ValueError, ["steps", "0"]),
    "train, steps a half": (lambda: training(steps=2.5), ValueError, ["steps", "2.5"]),
    "train, batch_size": (lambda: training(batch_size=-4), ValueError, ["batch_size", "-4"]),
    "train, lr": (lambda: training(lr=0.0), ValueError, ["lr", "0"]),
    "train, lr NaN": (lambda: training(lr=NAN), ValueError, ["lr", "nan"]),
    "train, clip": (lambda: training(clip=-1.0), ValueError, ["clip", "-1"]),
    "train, report_every": (lambda: training(report_every=0), ValueError, ["report_every", "0"]),
    "train, unknown setting": (
        lambda: training(learning_rate=0.1),
        TypeError,
        ["learning_rate"],
    ),
    "train, wrong D": (
        lambda: training(data=torch.zeros(8, 3)),
        ValueError,
        ["(n, 2)", "(4, 3)"],
    ),
    "train, held_out NaN": (
        lambda: training(held_out=t([[NAN, 0.0]])),
        ValueError,
        ["held_out", "NaN"],
    ),
    "train, held_out wrong D": (
        lambda: training(held_out=torch.zeros(8, 3)),
        ValueError,
        ["(n, 2)", "(8, 3)"],
    ),
}


@pytest.mark.parametrize("label", CASES)
def test_bad_input_gets_a_clear_error(label):
    call, error, words = CASES[label]
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    for word in words:  # whole: "scale" is not in "scales"
        whole = rf"(?<![A-Za-z_]){re.escape(word)}(?![A-Za-z_])"
        assert re.search(whole, str(caught.value)), f"the message does not say {word!r}"


# -------------------------------------------------------------------------------------- fuzzed

numbers = st.one_of(
    st.integers(-3, 5),
    st.floats(-5, 5),
    st.sampled_from([NAN, INF, -INF, 1e300, True, None, "3", 2 + 1j, [2]]),
)


def is_whole(value, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


@quick
@given(
    name=st.sampled_from(["dim", "hidden_dim", "n_layers", "context_dim", "n_frequencies"]),
    value=numbers,
)
def test_sizes_of_a_real_nvp(name, value):
    """A size is used, or refused by name: nothing in between."""
    least = {"dim": 2, "hidden_dim": 1, "n_layers": 1}.get(name, 0)
    if is_whole(value, least):
        made = flow(**{name: value})
        context = torch.zeros(made.context_dim) if made.context_dim else None
        assert made.log_prob(torch.zeros(1, made.dim), context).shape == (1,)
    else:
        with pytest.raises(ValueError, match=rf"\b{name}\b") as caught:
            flow(**{name: value})
        assert repr(value) in str(caught.value)


@quick
@given(value=numbers, least=st.floats(-3, 3), whole=st.booleans())
def test_check_number(value, least, whole):
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    good = real and math.isfinite(value) and value >= least
    if good and not (whole and not isinstance(value, int)):
        flows_support.check_number("answer", value, least, whole)
    else:
        words = f"^answer must be a {'whole' if whole else 'finite'} number >= "
        with pytest.raises(ValueError, match=words) as caught:
            flows_support.check_number("answer", value, least, whole)
        assert repr(value) in str(caught.value)


@quick
@given(
    shape=st.lists(st.integers(0, 4), max_size=4),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.int64, torch.bool, torch.cfloat]),
    dim=st.sampled_from([2, 3, None]),
)
def test_check_points(shape, dtype, dim):
    points = torch.zeros(shape, dtype=dtype)
    if not dtype.is_floating_point:
        with pytest.raises(TypeError, match="x must be a floating-point"):
            flows_support.check_points("x", points, dim)
    elif len(shape) == 2 and (shape[1] == dim if dim else shape[1] >= 2):
        flows_support.check_points("x", points, dim)
    else:
        with pytest.raises(ValueError, match="x must have shape") as caught:
            flows_support.check_points("x", points, dim)
        assert str(tuple(shape)) in str(caught.value)


MAPS = {
    "Linear": lambda: flows.Linear(flows.rotation(45)),
    "Planar": lambda: flows.Planar(t(1.0, 0.0), t(1.0, 0.0)),
    "Radial": lambda: flows.Radial(t(0.0, 0.0), 1.0, 1.0),
    "Coupling": lambda: flows.Coupling(lambda kept, context: (kept, kept), False),
    "AffineCoupling": lambda: flows.AffineCoupling(2, 4),
    "RealNVP": flow,
}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(("direction", "points"), [("decode", "z"), ("encode", "x")])
def test_each_direction_names_its_points(name, direction, points):
    with pytest.raises(TypeError, match=f"^{points} must be a floating-point"):
        getattr(MAPS[name](), direction)([[1.0, 2.0]])
    with pytest.raises(ValueError, match=f"^{points} must have shape"):
        getattr(MAPS[name](), direction)(torch.zeros(2))


@quick
@given(values=st.lists(st.floats(width=32), min_size=1, max_size=8))
def test_check_domain(values):
    """Every point strictly inside, or an error that counts those outside and shows the first."""
    outside = [v for v in values if not -1 < v < 1]
    if outside:
        with pytest.raises(ValueError, match=f"{len(outside)} of {len(values)} values") as caught:
            flows_support.check_domain("x", t(*values), -1.0, 1.0)
        assert f"first: {outside[0]:.7g}" in str(caught.value)
    else:
        flows_support.check_domain("x", t(*values), -1.0, 1.0)


@quick
@given(
    shape=st.lists(st.integers(0, 4), max_size=3),
    n=st.integers(1, 4),
    context_dim=st.integers(0, 4),
)
def test_contexts(shape, n, context_dim):
    made, x = flow(context_dim=context_dim), torch.zeros(n, 2)
    context = torch.zeros(shape)
    if context_dim and tuple(shape) in ((context_dim,), (n, context_dim)):
        assert made.log_prob(x, context).shape == (n,)
    else:
        with pytest.raises(ValueError, match="context must"):
            made.log_prob(x, context)


@pytest.mark.parametrize("use", ["log_prob", "encode", "decode"])
@pytest.mark.parametrize("labels", [(0.0, 2.0, 1.0), (2.0, 2.0, 2.0), (0.0, 0.0, 2.0)])
def test_class_numbers_as_floats_are_no_shared_context(labels, use):
    """As many as the flow has classes, they have the shape of one context for all points."""
    made, context = flow(context_dim=3), t(*labels)
    with pytest.raises(ValueError, match=r"^context must not look like 3 class numbers.*one_hot"):
        getattr(made, use)(torch.zeros(3, 2), context)
    with pytest.raises(ValueError, match=r"is context\.expand\(3, 3\)"):
        made.sample(3, context)
    with pytest.raises(ValueError, match="class numbers"):
        torch.func.vmap(lambda c: made.log_prob(torch.zeros(3, 2), c))(context[None])


@pytest.mark.parametrize(
    "values", [(0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 2.0, 0.5), (0.0, 1.0, 3.0),
               (0.0, 2.0, -1.0), (0.0, 2.0, NAN)],
)  # fmt: skip
def test_what_can_be_no_class_numbers_is_shared(values):
    made, x, context = flow(context_dim=3), torch.zeros(3, 2), t(*values)
    shared = made.log_prob(x, context)
    assert torch.equal(shared.nan_to_num(), made.log_prob(x, context.expand(3, 3)).nan_to_num())


def test_class_numbers_are_a_context_where_they_are_no_one_per_point():
    made, context = flow(context_dim=3), t(0.0, 2.0, 1.0)
    for n in (1, 2, 4):
        assert made.log_prob(torch.zeros(n, 2), context).shape == (n,)
    assert made.log_prob(torch.zeros(3, 2), context.expand(3, 3)).shape == (3,)


def test_a_context_without_numbers_is_not_looked_at():
    made = flow(context_dim=3).to("meta")
    x, context = torch.zeros(3, 2, device="meta"), torch.zeros(3, device="meta")
    assert made.log_prob(x, context).shape == (3,)
    compiled = torch.export.export(
        Density(flow(context_dim=3)), (torch.zeros(4, 2), torch.zeros(3)),
        dynamic_shapes=({0: torch.export.Dim("n")}, None),
    ).module()  # fmt: skip
    assert compiled(torch.zeros(3, 2), t(0.0, 2.0, 1.0)).shape == (3,)


class Density(torch.nn.Module):
    def __init__(self, flow):
        super().__init__()
        self.flow = flow

    def forward(self, x, context):
        return self.flow.log_prob(x, context)


ONE_D = {
    "Tanh": (lambda v: flows.Tanh(scale=v), lambda v: v > 0),
    "Affine": (lambda v: flows.Affine(scale=v), lambda v: v != 0),
    "LeakyReLU": (lambda v: flows.LeakyReLU(slope=v), lambda v: v > 0),
}


@quick
@given(name=st.sampled_from(list(ONE_D)), value=st.floats(-10, 10) | st.sampled_from([NAN, INF]))
def test_slopes_of_1d_transforms(name, value):
    """Every slope that is accepted gives a map that can be undone; the others are refused."""
    make, allowed = ONE_D[name]
    if not (math.isfinite(value) and allowed(value)):
        with pytest.raises(ValueError, match=r"(scale|slope).* must lie strictly between"):
            make(value)
        return
    assume(abs(value) > 1e-3)  # nearly flat: invertible, but not within nine digits
    z = torch.linspace(-1, 1, 11, dtype=torch.float64) / max(1.0, abs(value))
    transform = make(value)
    x, log_abs_det = transform.decode(z)
    back, other = transform.encode(x)
    assert (back - z).abs().max() < 1e-9 and (log_abs_det + other).abs().max() < 1e-9


coordinates = st.lists(st.floats(-4, 4), min_size=2, max_size=2)


@quick
@given(w=coordinates, u=coordinates, b=st.floats(-4, 4))
def test_planar_is_invertible_or_refused(w, u, b):
    w, u = torch.tensor(w, dtype=torch.float64), torch.tensor(u, dtype=torch.float64)
    assume(w.norm() > 1e-2 or w.norm() == 0)
    reach = (w @ u).item()
    assume(abs(reach + 1) > 1e-3)  # at the very edge of folding, digits decide
    if w.norm() == 0 or reach <= -1:
        with pytest.raises(ValueError, match=r"w not 0|w\.u must be above -1"):
            flows.Planar(w, u, b)
        return
    torch.set_default_dtype(torch.float64)
    try:
        transform = flows.Planar(w, u, b)
    finally:
        torch.set_default_dtype(torch.float32)
    z = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x, log_abs_det = transform.decode(z)
    back, other = transform.encode(x)
    assert (back - z).abs().max() < 1e-7 and (log_abs_det + other).abs().max() < 1e-6


@quick
@given(center=coordinates, alpha=st.floats(-2, 5), beta=st.floats(-5, 5))
def test_radial_is_invertible_or_refused(center, alpha, beta):
    center = torch.tensor(center, dtype=torch.float64)
    if not (alpha > 0 and beta > -alpha):
        with pytest.raises(ValueError, match="alpha > 0 and beta > -alpha"):
            flows.Radial(center, alpha, beta)
        return
    assume(alpha > 1e-2 and alpha + beta > 1e-2)
    transform = flows.Radial(center, alpha, beta).double()
    z = 2 * torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x, log_abs_det = transform.decode(z)
    back, other = transform.encode(x)
    assert (back - z).abs().max() < 1e-7 and (log_abs_det + other).abs().max() < 1e-6


@quick
@given(entries=st.lists(st.floats(-3, 3), min_size=4, max_size=4), rank_one=st.booleans())
def test_linear_is_invertible_or_refused(entries, rank_one):
    matrix = torch.tensor(entries, dtype=torch.float64).reshape(2, 2)
    if rank_one:
        matrix[1] = 2 * matrix[0]  # exactly singular, whatever the rounding
        with pytest.raises(ValueError, match="matrix must be invertible"):
            flows.Linear(matrix)
        return
    assume(torch.linalg.det(matrix).abs() > 1e-3)
    transform = flows.Linear(matrix).double()
    z = torch.eye(2, dtype=torch.float64)
    back, log_abs_det = transform.encode(transform.decode(z)[0])
    assert (back - z).abs().max() < 1e-9
    assert (log_abs_det + torch.linalg.slogdet(matrix).logabsdet).abs().max() < 1e-9


@quick
@given(
    name=st.sampled_from(["steps", "batch_size", "lr", "clip", "report_every"]),
    value=numbers,
)
def test_settings_of_a_training(name, value):
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    if name in ("lr", "clip"):
        good = real and math.isfinite(value) and value >= 1e-12
        good = good and value < 1e3  # 1e300 is allowed and may overflow: not a matter of arguments
        assume(good or not real or not math.isfinite(value) or value < 1e-12)
    else:
        good = is_whole(value, 1)
    if good:
        history = training(**{name: value})
        assert history.steps and all(math.isfinite(nll) for nll in history.train_nll)
    else:
        with pytest.raises(ValueError, match=rf"\b{name}\b") as caught:
            training(**{name: value})
        assert repr(value) in str(caught.value)


def test_the_library_only_says_what_it_means():
    """Every message in flows.py that a reader may meet begins with the name of something."""
    source = open(flows.__file__, encoding="utf-8").read()
    assert not re.search(r"raise \w+\(\)", source), "an error without a message"
    assert "assert " not in re.sub(r'""".*?"""', "", source, flags=re.DOTALL)
