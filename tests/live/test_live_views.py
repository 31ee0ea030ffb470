"""What `live_figure(f)` shows of a transform, held against densities and log-determinants that are
worked out here: by closed forms, and by autograd's Jacobian. Nothing is taken from the scene."""

import math

import numpy as np
import pytest
import torch

from live import live_figure
from live.figure.views import dimension

Z = np.linspace(-4, 4, 401)
BASE = np.exp(-Z * Z / 2) / math.sqrt(2 * math.pi)


def squash(z, alpha, beta):
    return torch.tanh(alpha * z) + beta


def affine(z, alpha, beta):
    return alpha * z + beta


# name -> f, f', both in numpy
ONE = {
    "squash": (squash, lambda a, b: np.tanh(a * Z) + b, lambda a, b: a / np.cosh(a * Z) ** 2),
    "affine": (affine, lambda a, b: a * Z + b, lambda a, b: a + 0 * Z),
}
STATES = [(0.5, 0.25), (1.2, -0.75), (-0.8, 0.5)]
SLIDERS = {"alpha": (-2.0, 2.0, 0.5), "beta": (-1.0, 1.0, 0.25)}


def with_log_det(function, sign=1.0, plus=0.0):
    """The transform with a log-det of its own: right, of the wrong sign, or shifted."""

    def transform(z, alpha, beta):
        slope = alpha / torch.cosh(alpha * z) ** 2 if function is squash else alpha + 0 * z
        return function(z, alpha, beta), sign * torch.log(torch.abs(slope)) + plus

    return transform


def off_said(figure) -> float:
    """The error of the log-det, as the readout says it: 0, or 2.2 × 10⁻⁸."""
    said = figure.readout().rsplit("largest error of the log-det: ", 1)[1]
    assert said.endswith(" nats") and "-" not in said
    plain = said.removesuffix(" nats").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    return float(plain.replace("\xa0×\xa010", "e"))


def numbers(figure, **state):
    return {name: v.double().numpy() for name, v in figure.evaluate(state).items()}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("own", [False, True])
def test_a_curve_its_densities_and_its_stretch(name, state, own):
    function, value, derivative = ONE[name]
    figure = live_figure(with_log_det(function) if own else function, **SLIDERS)
    got = numbers(figure, alpha=state[0], beta=state[1])
    x, slope = value(*state), np.abs(derivative(*state))
    assert np.allclose(got["z"], Z, atol=1e-6) and np.allclose(got["x"], x, atol=1e-6)
    assert np.allclose(got["base"], BASE, atol=1e-7)
    # p(x) = p(z) / |f'(z)|
    assert np.allclose(got["density"], BASE / slope, rtol=2e-3, atol=1e-6)
    assert got["naive"] == pytest.approx(np.trapezoid(BASE * slope, Z), abs=2e-3)
    assert got["area"] == pytest.approx(1, abs=2e-3)
    assert got["stretch"] == pytest.approx(np.trapezoid(BASE * np.log(slope), Z), abs=1e-4)
    assert ("off" in got) == own and (not own or got["off"] < 1e-3)


def test_a_stretch_is_the_logarithm_of_the_scale():
    """E log|f'| of 2 z is log 2 = +0.693 nats, and of z / 2 it is -0.693."""
    figure = live_figure(affine, **SLIDERS)
    for alpha, said in ((2.0, "+0.693"), (-2.0, "+0.693"), (0.5, "−0.693"), (1.0, "+0.000")):
        figure.alpha = alpha
        assert f"mean log|f'| = {said} nats" in figure.readout().replace("−0.000", "+0.000")
    figure.alpha, figure.beta = 0.5, 0.0
    assert figure.readout() == (
        "area under the density of x: 1.000 (without the log-det: 0.500); "
        "mean log|f'| = −0.693 nats"
    )  # fmt: skip


@pytest.mark.parametrize(
    "transform, off, stretch",
    [(with_log_det(affine), 0, math.log(2)), (with_log_det(affine, sign=-1), 2 * math.log(2),
     -math.log(2)), (with_log_det(affine, plus=0.25), 0.25, math.log(2) + 0.25)],
)  # fmt: skip
def test_a_wrong_log_det_is_shown_as_it_is_and_reported(transform, off, stretch):
    got = numbers(figure := live_figure(transform, **SLIDERS), alpha=2.0, beta=0.0)
    assert got["off"] == pytest.approx(off, abs=1e-6)
    assert got["stretch"] == pytest.approx(stretch, abs=1e-3), "the transform's own"
    assert np.allclose(got["density"], BASE * math.exp(-stretch), rtol=1e-3)
    assert got["area"] == pytest.approx(2 * math.exp(-stretch), abs=1e-3)
    figure.alpha = 2.0
    assert off_said(figure) == pytest.approx(off, rel=0.05, abs=1e-5)


def test_what_the_panels_of_a_curve_show():
    curve, density = live_figure(squash, **SLIDERS).spec["panels"]
    assert [(m["kind"], m["x"], m["y"]) for m in curve["marks"]] == [
        ("line", "z", "x"), ("line", "z", "z"),
    ]  # fmt: skip
    assert [(m["kind"], m["x"], m["y"], m.get("label")) for m in density["marks"]] == [
        ("line", "z", "base", "base density of z"), ("line", "x", "density", "density of x"),
    ]  # fmt: skip
    assert (curve["x"], curve["y"], density["y"]) == ("z", "x = f(z)", "density")
    assert curve["xlim"] == [-4, 4] and density["ylim"] == [0, 1]
    assert density["marks"][1]["fill"]
    # Beside the curve, thin, what changes nothing.
    assert (curve["marks"][1]["width"], curve["marks"][1]["dash"]) == (1, True)


def test_a_figure_that_is_not_named_by_its_author_is_named_by_its_function():
    figure = live_figure(squash, **SLIDERS)
    assert figure.spec["alt"].startswith("The transform squash: ")
    assert live_figure(squash, alt="A curve.", **SLIDERS).spec["alt"] == "A curve."


# ----------------------------------------------------------------------------- in the plane


SIDE = torch.linspace(-3, 3, 61).double()
LATTICE = torch.stack(torch.meshgrid(SIDE, SIDE, indexing="xy"), -1)
SAMPLES = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)).double()
W = torch.tensor([1.0, -0.5])
U = torch.tensor([0.8, 0.3])


def planar(z, reach, shift):
    """z + u tanh(w.z + b), where w.u = 0.65 reach."""
    return z + reach * U.to(z) * torch.tanh(z @ W.to(z) + shift)[:, None]


def planar_log_det(z, reach, shift):
    s = torch.tanh(z @ W.to(z) + shift)
    return torch.log(torch.abs(1 + (1 - s * s) * 0.65 * reach))


def shear(z, reach, shift):
    """A linear map of determinant 1 + reach, moved by shift."""
    x1 = (1 + reach) * z[:, 0] + 0.5 * z[:, 1] + shift
    return torch.stack([x1, z[:, 1] - shift], 1)


def shear_log_det(z, reach, shift):
    return torch.log(torch.abs(torch.as_tensor(1 + reach))) + 0 * z[:, 0]


PLANE = {"planar": (planar, planar_log_det), "shear": (shear, shear_log_det)}
PLANE_SLIDERS = {"reach": (-4.0, 4.0, 1.5), "shift": (-1.0, 1.0, 0.25)}


def paired(function, log_det):
    def transform(z, reach, shift):
        return function(z, reach, shift), log_det(z, reach, shift)

    return transform


@pytest.mark.parametrize("state", [(1.5, 0.25), (-0.75, -0.5), (3.0, 1.0)])
@pytest.mark.parametrize("name", PLANE)
@pytest.mark.parametrize("own", [False, True])
def test_samples_grid_and_density_of_the_plane(name, state, own):
    function, log_det = PLANE[name]
    figure = live_figure(paired(function, log_det) if own else function, **PLANE_SLIDERS)
    got = figure.evaluate({"reach": state[0], "shift": state[1]})
    # The closed form, and autograd's Jacobian of some samples, in float64.
    exact = log_det(SAMPLES, *state)
    for z, wanted in zip(SAMPLES[:20], exact, strict=False):
        jacobian = torch.autograd.functional.jacobian(lambda z: function(z[None], *state)[0], z)
        assert torch.allclose(jacobian.det().abs().log(), wanted)
    close = {"rtol": 1e-3, "atol": 1e-4}
    assert torch.allclose(got["samples"].double(), function(SAMPLES, *state), **close)
    assert torch.allclose(got["log_det"].double(), exact, **close)
    assert got["stretch"].item() == pytest.approx(exact.mean().item(), abs=1e-4)
    assert got["spread"].item() == pytest.approx(exact.std().item(), abs=1e-4)
    flat = LATTICE.reshape(-1, 2)
    moved = function(flat, *state).reshape(61, 61, 2)
    assert torch.allclose(got["lattice"].double(), moved, **close)
    base = torch.exp(-flat.square().sum(1) / 2) / (2 * math.pi)
    density = (base / log_det(flat, *state).exp()).reshape(61, 61)
    assert torch.allclose(got["density"].double(), density, **close)
    assert not got["folded"] and ("off" in got) == own
    assert not own or got["off"] < 1e-3
    # Each cell's probability is its mean density times its area on the page: about 1 in all.
    a, b = got["lattice"][1:, :-1] - got["lattice"][:-1, :-1], (
        got["lattice"][:-1, 1:] - got["lattice"][:-1, :-1])  # fmt: skip
    area = (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).abs()
    at = got["density"]
    mean = (at[1:, 1:] + at[1:, :-1] + at[:-1, 1:] + at[:-1, :-1]) / 4
    assert (mean * area).sum().item() == pytest.approx(0.9946, abs=0.03)


def test_a_fold_is_reported_and_a_mirror_is_none():
    figure = live_figure(planar, **PLANE_SLIDERS)
    # 1 + (1 - tanh^2) w.u with w.u = 0.65 reach: negative somewhere below reach = -1.54.
    for reach, folds in ((1.5, False), (-1.4, False), (-1.8, True), (-4.0, True)):
        figure.reach, figure.shift = reach, 0.0
        assert bool(figure.values()["folded"]) == folds
        said = "det J changes sign: it FOLDS" if folds else "det J keeps its sign on the grid"
        assert figure.readout().endswith(said)
    mirror = live_figure(shear, **PLANE_SLIDERS)
    mirror.reach = -3.0  # a determinant of -2 everywhere
    assert not mirror.values()["folded"] and "keeps its sign" in mirror.readout()
    assert "mean +0.693, spread 0.000 nats" in mirror.readout()


@pytest.mark.parametrize(
    "change, off",
    [(lambda d: d, 0.0), (lambda d: d + 0.5, 0.5), (lambda d: -d, 2 * math.log(2.5)),
     (lambda d: 0 * d, math.log(2.5))],
)  # fmt: skip
def test_a_wrong_log_det_of_the_plane_is_reported(change, off):
    wrong = paired(shear, lambda *given: change(shear_log_det(*given)))
    figure = live_figure(wrong, **PLANE_SLIDERS)
    assert figure.values()["off"].item() == pytest.approx(off, abs=1e-5)
    assert off_said(figure) == pytest.approx(off, rel=0.05, abs=1e-5)
    mean = change(torch.tensor(math.log(2.5))).item()
    assert figure.values()["stretch"].item() == pytest.approx(mean, abs=1e-5), "its own"


def test_an_error_at_one_place_alone_is_found():
    """Near a corner of the lattice, where few samples are."""

    def log_det(z, reach, shift):
        near = ((z - 2.9) ** 2).sum(1) < 0.05
        return shear_log_det(z, reach, shift) + torch.where(near, 0.75, 0.0)

    figure = live_figure(paired(shear, log_det), **PLANE_SLIDERS)
    assert figure.values()["off"].item() == pytest.approx(0.75, abs=1e-5)


def test_what_the_panels_of_the_plane_show():
    samples, grid, density = live_figure(planar, **PLANE_SLIDERS).spec["panels"]
    (dots,) = samples["marks"]
    assert (dots["kind"], dots["xy"], dots["value"]) == ("points", "samples", "log_det")
    assert dots["palette"] == "diverging" and dots["limits"] == (-1.5, 1.5)
    assert [m["kind"] for m in grid["marks"]] == ["grid", "rule", "rule"]
    assert (grid["marks"][1]["x"], grid["marks"][2]["y"]) == (0, 0), "the axes"
    # Lines 0.6 apart, each through points 0.1 apart: so many that it bends.
    assert (grid["marks"][0]["xy"], grid["marks"][0]["every"]) == ("lattice", 6)
    (mesh,) = density["marks"]
    assert (mesh["kind"], mesh["xy"], mesh["value"]) == ("mesh", "lattice", "density")
    # The base density has 0.159 at most: colours mean the same in every state.
    assert (mesh["palette"], mesh["limits"]) == ("density", (0.0, 0.2))
    for panel in (samples, grid, density):
        assert panel["equal"] and panel["xlim"] == panel["ylim"] == [-4, 4]
        assert (panel["x"], panel["y"]) == ("x1", "x2")
    assert [p["title"] for p in (samples, grid, density)] == ["samples", "grid", "density"]


@pytest.mark.parametrize(
    "function, wanted",
    [
        (lambda z, a: a * z, (1, False)), (lambda z, a: (a * z, 0 * z), (1, True)),
        (lambda z, a: a * z.flip(1), (2, False)), (lambda z, a: a * z + z.norm(dim=1)[:, None],
         (2, False)), (lambda z, a: (a * z, 0 * z[:, 0]), (2, True)),
        (lambda z, a: z * torch.tensor([1.0, 2.0]), (2, False)),
    ],
)  # fmt: skip
def test_the_dimension_is_found(function, wanted):
    assert dimension(function, {"a": torch.tensor(2.0)}) == wanted
