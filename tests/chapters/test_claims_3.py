"""What chapter 3 says, held to account: shapes that do not fit, matrices entry by entry, and the
numbers that stand in its text."""

import math
import re

import pytest
import torch
from claims import cells, defined, run_solution, solutions
from scipy import spatial
from test_laws import log_prob, normal, shake

import flows

CHAPTER = "3_transforms_2d"


# -------------------------------------------------------------------- couplings that do not fit


def conditioner_of(s_shape, t_shape):
    return lambda kept, context: (torch.ones(s_shape), torch.ones(t_shape))


@pytest.mark.parametrize("direction", ["encode", "decode"])
@pytest.mark.parametrize(
    ("s", "t", "words"),
    [
        ((4, 1), (4, 2), r"conditioner's s must have shape \(4, 2\), but has shape \(4, 1\)"),
        ((4, 2), (4, 1), r"conditioner's t must have shape \(4, 2\), but has shape \(4, 1\)"),
        ((1, 2), (4, 2), r"conditioner's s must .* \(1, 2\)"),
        ((4,), (4, 2), r"conditioner's s must .* \(4,\)"),
        ((2,), (4, 2), r"conditioner's s must .* \(2,\)"),
    ],
)
def test_a_conditioner_of_the_wrong_shape_is_refused(s, t, words, direction):
    """It would broadcast: right points, and a log-det that is wrong."""
    layer = flows.Coupling(conditioner_of(s, t))
    with pytest.raises(ValueError, match=words):
        getattr(layer, direction)(torch.zeros(4, 3))  # 1 is kept, 2 change


def test_a_conditioner_that_returns_a_number_is_refused():
    layer = flows.Coupling(lambda kept, context: (0.5, torch.ones(4, 1)))
    with pytest.raises(ValueError, match=r"conditioner's s must have shape \(4, 1\), but is 0\.5"):
        layer.decode(torch.zeros(4, 2))


# ---------------------------------------------------------------------- matrices, entry by entry


@pytest.mark.parametrize("degrees", [30.0, -75.0, 200.0])
def test_rotation_in_three_dimensions(degrees):
    """First the plane of axes 1 and 2, then that of 2 and 3, each counter-clockwise."""
    (c, s), _ = flows.rotation(degrees).T.tolist()  # (in the plane, tried above)
    first = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)
    second = torch.tensor([[1, 0, 0], [0, c, -s], [0, s, c]], dtype=torch.float64)
    assert torch.allclose(flows.rotation(degrees, 3), second @ first, atol=1e-15)


@pytest.mark.parametrize("dim", [2, 3, 4, 7])
def test_rotation_in_any_dimension(dim):
    turn = flows.rotation(40.0, dim)
    plane = flows.rotation(40.0)
    wanted = torch.eye(dim, dtype=torch.float64)
    for i in range(dim - 1):
        step = torch.eye(dim, dtype=torch.float64)
        step[i : i + 2, i : i + 2] = plane
        wanted = step @ wanted
    assert torch.allclose(turn, wanted, atol=1e-14)
    assert abs(torch.linalg.det(turn).item() - 1) < 1e-12
    # An axis turns towards the next one, by this angle.
    assert turn[:, 0] @ torch.eye(dim, dtype=torch.float64)[0] == pytest.approx(
        math.cos(math.radians(40))
    )
    assert turn[1, 0] > 0


def test_linear_maps_of_three_dimensions():
    matrix = torch.tensor([[2.0, 1.0, 0.5], [0.3, -1.5, 0.2], [-0.4, 0.7, 0.9]]).double()
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    by_hand = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    layer, z = flows.Linear(matrix, torch.tensor([1.0, -2.0, 0.5])).double(), normal(5, 3)
    x, log_abs_det = layer.decode(z)
    assert torch.allclose(log_abs_det, torch.full((5,), math.log(abs(by_hand))).double())
    for row, point in zip(x, z, strict=True):  # not its transpose
        assert torch.allclose(row, matrix @ point + torch.tensor([1.0, -2.0, 0.5]))


# -------------------------------------------------------------------------- what the text says


def cloud(n: int = 4000, dim: int = 2, seed: int = 0) -> torch.Tensor:
    return normal(n, dim, seed=seed)


def test_the_log_p_worked_by_hand(double):
    """Each number of the worked example, to its last digit, from the class and without it."""
    text = next(c.source for c in cells(CHAPTER) if "One log p, worked by hand" in c.source)
    text = text[text.index("### One log p") :]
    layer = flows.Coupling(lambda kept, context: (kept * math.log(2), kept))
    point = torch.tensor([[1.0, 3.0]])
    z, volume = layer.encode(point)
    base = flows.standard_normal_log_prob(z).sum()
    first = flows.standard_normal_log_prob(torch.tensor(1.0))
    second = torch.distributions.Normal(1.0, 2.0).log_prob(torch.tensor(3.0))
    wanted = [-math.log(2 * math.pi), base, base, volume, -volume, base + volume]
    wanted += [first, second, first + second]
    written = [float(number) for number in re.findall(r"-?\d\.\d{4}", text)]
    assert sorted(set(written)) == sorted({round(float(w), 4) for w in wanted})
    # And the sums hold as they stand there, digit by digit.
    lines = re.findall(r"= (-[\d.]+) - ([\d.]+) = (-[\d.]+)", text)
    assert len(lines) == 2
    for a, b, total in lines:
        assert round(float(a) - float(b), 4) == float(total)
    assert torch.allclose(z, torch.ones(1, 2))


def test_turn_stretch_and_shear_reach_every_positive_determinant(double):
    """The caption of the affine figure; and with stretches above 0 a mirror is not among them."""
    affine_map = defined(CHAPTER, "affine_map")
    for seed in range(50):
        matrix = normal(2, 2, seed=seed)
        if torch.linalg.det(matrix) < 0:
            matrix = matrix.flip(0)
        q, r = torch.linalg.qr(matrix)
        signs = torch.diag(r.diagonal().sign())
        q, r = q @ signs, signs @ r  # a turn, and a triangle with positive diagonal
        degrees = torch.rad2deg(torch.atan2(q[1, 0], q[0, 0]))
        z = cloud(10)
        x, log_abs_det = affine_map(z, degrees, r[0, 0], r[1, 1], r[0, 1] / r[0, 0])
        assert torch.allclose(x, z @ matrix.T)
        assert torch.allclose(log_abs_det, torch.linalg.slogdet(matrix).logabsdet.expand(10))


@pytest.mark.parametrize("dim", [2, 3, 4])
def test_the_volume_of_a_parallelepiped_is_the_determinant(dim):
    matrix = normal(dim, dim, seed=2)
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * dim) @ matrix.T
    assert spatial.ConvexHull(corners.numpy()).volume == pytest.approx(
        torch.linalg.det(matrix).abs().item()
    )


def test_the_lemma_with_triangular_factors():
    """Fact 8 for a matrix that is a product of triangular ones: no determinant is taken."""
    lower = torch.tril(normal(6, 6, seed=1), -1) + torch.eye(6)
    upper = torch.triu(normal(6, 6, seed=2))
    u, v = normal(6, seed=3), normal(6, seed=4)
    half = torch.linalg.solve_triangular(lower, u[:, None], upper=False)
    solved = torch.linalg.solve_triangular(upper, half, upper=True)[:, 0]
    by_lemma = upper.diagonal().prod() * (1 + v @ solved)
    assert by_lemma.item() == pytest.approx(
        torch.linalg.det(lower @ upper + torch.outer(u, v)).item()
    )


def test_one_coupling_makes_gaussians_given_the_kept_half():
    layer, x = flows.Coupling(defined(CHAPTER, "wave")), 1.5 * cloud(200)
    s, t = 0.75 * torch.tanh(x[:, 0]), 0.5 * torch.sin(x[:, 0])
    given = torch.distributions.Normal(t, s.exp()).log_prob(x[:, 1])
    wanted = flows.standard_normal_log_prob(x[:, 0]) + given
    assert torch.allclose(log_prob(layer)(x), wanted)
    # Whatever s and t are: the first coordinate stays, and the map is inverted.
    for seed in range(20):
        wild = shake(flows.Conditioner(1, 1, 8).double(), seed, size=2.0)
        coupling = flows.Coupling(wild)
        moved = coupling.decode(x)[0]
        assert torch.equal(moved[:, 0], x[:, 0])
        assert torch.allclose(coupling.encode(moved)[0], x, atol=1e-9)


def test_the_swirl_never_folds_and_the_push_does():
    my_map = defined(CHAPTER, "my_map")
    jacobian = defined(CHAPTER, "jacobian")

    def dets(f):
        return torch.linalg.det(jacobian(f, cloud(500)))

    for strength in (-6.0, 2.0, 6.0):
        by_swirl = dets(lambda z, k=strength: my_map(z, k))
        assert torch.allclose(by_swirl, torch.ones(500).double())
    for strength, folds in ((-0.99, False), (-1.01, True)):

        def push(z, k=strength):
            return torch.stack([z[:, 0] + k * torch.tanh(z[:, 0]), z[:, 1]], dim=1)

        line = torch.stack([torch.linspace(-1, 1, 201), torch.zeros(201)], dim=1).double()
        assert bool((torch.linalg.det(jacobian(push, line)) < 0).any()) == folds


@pytest.mark.parametrize("label", solutions(CHAPTER))
def test_the_solution_runs(label, double):
    run_solution(CHAPTER, label, z_samples=cloud())


def shift(amount: float, flip: bool) -> flows.Coupling:
    """A shear, as a coupling with s = 0."""
    return flows.Coupling(lambda kept, context: (0 * kept, amount * kept), flip)


def by_shears(degrees: float) -> list:
    """The turn of the solution by three shifts, of which the first and the last change x1."""
    angle = torch.tensor(degrees).double().deg2rad()
    half = -math.tan(angle / 2)
    outer = shift(half, flip=True)
    return [outer, shift(angle.sin().item(), flip=False), outer]


@pytest.mark.parametrize("degrees", [50.0, 90.0, -135.0, 170.0])
def test_three_shears_make_a_turn(degrees, double):
    z = cloud()
    x, log_abs_det = flows.Compose(by_shears(degrees)).decode(z)
    assert torch.allclose(x, z @ flows.rotation(degrees).to(z).T) and not log_abs_det.any()


def test_half_a_turn_takes_three_and_two_couplings_that_join_to_four(double):
    """The last of three changes x1, and so does the first of two."""
    two = run_solution(CHAPTER, "ex-3-turn-couplings")["turned_by"](80.0)
    three = by_shears(100.0)
    assert [layer.flip for layer in (*three, *two)] == [True, False, True, True, False]
    z = cloud()
    x, log_abs_det = flows.Compose([*three, *two]).decode(z)
    assert torch.allclose(x, -z) and log_abs_det.abs().max() < 1e-12
    joined, _ = flows.Compose([three[2], two[0]]).decode(z)
    assert torch.equal(joined[:, 1], z[:, 1]), "together they are one coupling"
