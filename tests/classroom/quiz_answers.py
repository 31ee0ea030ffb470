"""The right answers of the quizzes, computed by another way: scipy, autograd, counting.

Nothing here comes from the course's own modules. A choice is given by its letter.
"""

import math

import numpy as np
import torch
from scipy import integrate, optimize, stats


def slope_by_autograd(function, at: float) -> float:
    """The slope of a torch function."""
    z = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(function(z), z)
    return slope.item()


def log_det_by_autograd(function, at) -> float:
    """log|det J| of a torch function of a vector."""
    at = torch.tensor(at, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(function, at)
    return torch.linalg.slogdet(jacobian)[1].item()


def letter(right: list[bool]) -> str:
    """The letter of the only right choice."""
    assert sum(right) == 1, right
    return "ABCDE"[right.index(True)]


# -- Chapter 1


def slope():
    ratio = stats.norm(0, 2).pdf(1) / stats.norm.pdf(0.5)
    return letter([math.isclose(ratio, times) for times in (2, 1, 1 / 2)])


def wall():
    x = np.tanh(np.float32(12))
    return letter([x < 1, False, x == np.float32(1)])


def factor():
    return optimize.minimize_scalar(
        lambda a: -np.log(a) + 0.5 * a**2 * 16, bounds=(1e-3, 2), method="bounded",
        options={"xatol": 1e-9},
    ).x  # fmt: skip


# -- Chapter 2


def leaky_entropy():
    def log_p(x):  # two halves of normal distributions, joined at 0
        return stats.norm(0, 0.25).logpdf(x) if x < 0 else stats.norm.logpdf(x)

    parts = [integrate.quad(lambda x: -math.exp(log_p(x)) * log_p(x), *ends)[0]
             for ends in ((-4, 0), (0, 12))]  # fmt: skip
    return sum(parts) - stats.norm.entropy()


def horns():
    z = np.linspace(-3, 3, 2001)
    slopes = (np.exp(-z) / (1 + np.exp(-z)) ** 2, 0.6 / np.cosh(0.6 * z) ** 2, 2.5 + 0 * z,
              1 / np.cosh(z) ** 2)  # fmt: skip
    peaks = []
    for slope in slopes:
        log_p = stats.norm.logpdf(z) - np.log(slope)
        peaks.append(((log_p[1:-1] > log_p[:-2]) & (log_p[1:-1] > log_p[2:])).sum())
    return letter([count == 2 for count in peaks])


def stacks():
    far = np.array([-1e4, 1e4])
    before = (np.tanh(far), np.where(far > 0, far, 0.1 * far), np.logaddexp(0, far) - np.log(2))
    return letter([y[0] < -100 and y[1] > 100 for y in before])


# -- Chapter 3


def turned():
    a = math.radians(30)
    return log_det_by_autograd(
        lambda z: torch.stack((
            math.cos(a) * 3 * z[0] - math.sin(a) * 0.5 * z[1],
            math.sin(a) * 3 * z[0] + math.cos(a) * 0.5 * z[1],
        )),
        [0.3, 0.4],
    )  # fmt: skip


def coupling():
    found = log_det_by_autograd(
        lambda z: torch.stack((z[0], z[1] * torch.exp(torch.tanh(z[0])) + torch.sin(z[0]))),
        [0.8, -0.6],
    )
    s = math.tanh(0.8)
    return letter([math.isclose(found, v) for v in (s + math.sin(0.8), s, math.exp(s))] + [False])


def volume():
    turn = np.array([[3**0.5 / 2, -0.5], [0.5, 3**0.5 / 2]])
    maps = (turn, np.diag([1.0, -1.0]), np.array([[1.0, 0.8], [0.0, 1.0]]), np.eye(2))
    return letter([not np.allclose(m @ m.T, np.eye(2)) for m in maps])  # the covariance of x


# -- Chapter 4


def alternate():
    """Who has heard of whom, by sets."""
    heard = [{k} for k in range(4)]
    for n in range(1, 9):
        kept, changed = ((0, 1), (2, 3)) if n % 2 else ((2, 3), (0, 1))
        told = set.union(*(heard[k] for k in kept))
        for k in changed:
            heard[k] = heard[k] | told
        if all(len(known) == 4 for known in heard):
            return n


def inverse():
    a, x = 0.7, -1.3
    y = x * math.exp(math.sin(9 * a)) + a**2
    return letter([False, False, math.isclose((y - a**2) / math.exp(math.sin(9 * a)), x)])


# -- Chapter 5


def gap():
    truth, model = stats.norm(), stats.norm(0, 2)
    return integrate.quad(lambda x: truth.pdf(x) * (truth.logpdf(x) - model.logpdf(x)), -12, 12)[0]


def too_good():
    truth = stats.norm()
    models = (stats.norm(0, 2).logpdf, truth.logpdf, stats.norm(0.5).logpdf,
              lambda x: truth.logpdf(x / 10))  # fmt: skip
    areas = [integrate.quad(lambda x: math.exp(m(x)), -80, 80, points=[0])[0] for m in models]
    return letter([abs(area - 1) > 0.1 for area in areas])


# -- Chapter 6


def label():
    """Of the entropy of the label, which is what it tells if it can be read off the point."""
    return stats.entropy([1 / 8] * 8)


def bayes():
    odds = 0.2 / 0.8 * stats.norm(1).pdf(0.5) / stats.norm(-1).pdf(0.5)
    return odds / (1 + odds)


# -- Chapter 7


def shell():
    return stats.chi(1000).mean()


def strange():
    usual = stats.chi2(1000).ppf([1e-9, 1 - 1e-9])
    squares = [1000 * scale**2 for scale in (2, 0, 1)]
    return letter([square < usual[0] for square in squares])


def along_the_path():
    """dx/dt = -x takes z to z / e: the density of x, at a point and where it came from."""
    z = np.array([0.3, -0.2, 0.9])
    x = z / math.e
    return stats.norm(0, 1 / math.e).logpdf(x).sum() - stats.norm.logpdf(z).sum()


# -- Chapter 8


def root():
    exact = max(np.roots([1e-3, 1.0, -0.5]))
    a, b, c = (np.float32(v) for v in (1e-3, 1.0, -0.5))
    d = np.sqrt(b * b - 4 * a * c)
    found = ((-b + d) / (2 * a), -c / b, 2 * c / (-b - d))
    return letter([abs(float(f) / exact - 1) < 2e-7 for f in found])


# -- Chapter 9


def invertible():
    products = (2.0 * -0.6, 0.5 * -3.0, -0.5 - 0.4)
    return letter([product > -1 for product in products])


def folded():
    found = {round(optimize.fsolve(lambda s: s - 1.5 * np.tanh(s), start)[0], 6) + 0.0
             for start in (-3.0, 0.1, 3.0)}  # fmt: skip
    return len(found)


def radial_map(z):
    """alpha = beta = 1 around the origin, with a radius that may be differentiated at 0."""
    return z + z / (1 + torch.sqrt((z**2).sum() + 1e-24))


ONE, TWO, THREE = "1_change_of_variables", "2_transforms_1d", "3_transforms_2d"
FOUR, FIVE, SIX = "4_realnvp", "5_training", "6_conditional"
SEVEN, EIGHT, NINE = "7_outlook", "8_sharper_couplings", "9_planar_radial"
TEN = "10_bug_museum"

OTHER_WAYS = {
    (ONE, "slope"): slope,
    (ONE, "log-density"): lambda: stats.norm(1, 3).logpdf(4),
    (ONE, "integral"): lambda: integrate.quad(lambda x: stats.norm.pdf(2 * x), -9, 9)[0],
    (ONE, "wall"): wall,
    (ONE, "factor"): factor,
    (TWO, "stack"): lambda: math.log(slope_by_autograd(lambda z: torch.tanh(2 * z), 0.5)),
    (TWO, "entropy"): leaky_entropy,
    (TWO, "horns"): horns,
    (TWO, "stacks"): stacks,
    (THREE, "turned"): turned,
    (THREE, "log-density"): lambda: stats.multivariate_normal([0, 0], [9, 0.25]).logpdf([3, 0.5]),
    (THREE, "coupling"): coupling,
    (THREE, "volume"): volume,
    (FOUR, "sum"): lambda: stats.norm(0, math.exp(0.4)).logpdf(1.5 * math.exp(0.4)),
    (FOUR, "inverse"): inverse,
    (FOUR, "alternate"): alternate,
    (FOUR, "bound"): lambda: 16 * math.log(math.e),
    (FIVE, "lowest"): lambda: stats.norm(0, 2).entropy(),
    (FIVE, "gap"): gap,
    (FIVE, "too-good"): too_good,
    (FIVE, "warm-up"): lambda: 0.5 * (1 + math.cos(math.pi / 2)),
    (SIX, "label"): label,
    (SIX, "bayes"): bayes,
    (SIX, "jacobian"): lambda: "A",
    (SIX, "sensor"): lambda: stats.norm(0, 0.1).entropy() - stats.norm(0, 0.01).entropy(),
    (SEVEN, "step"): lambda: log_det_by_autograd(lambda z: z + 0.1 * 2 * z, [0.5, 0.5]),
    (SEVEN, "divergence"): along_the_path,
    (SEVEN, "shell"): shell,
    (SEVEN, "strange"): strange,
    (EIGHT, "numbers"): lambda: 5 + 5 + 4,
    (EIGHT, "flat"): lambda: stats.norm.logpdf(0) + math.log(0.1),
    (EIGHT, "width"): lambda: np.diff(np.linspace(-5, 5, 9))[0],
    (EIGHT, "root"): root,
    (NINE, "planar"): lambda: log_det_by_autograd(
        lambda z: z + torch.tensor([-0.5, 2.0]).double() * torch.tanh(z[0]), [0.0, 0.0]
    ),
    (NINE, "invertible"): invertible,
    (NINE, "radial"): lambda: log_det_by_autograd(radial_map, [0.0, 0.0, 0.0]),
    (NINE, "folded"): folded,
    (TEN, "sign"): lambda: integrate.quad(lambda x: 2 * stats.norm.pdf(x / 2), -40, 40)[0],
    (TEN, "constant"): lambda: "A",
    (TEN, "bits"): lambda: math.log2(math.exp(6)) / 3,
    (TEN, "dice"): lambda: len(
        {v for _ in range(4) for v in np.random.default_rng(1).random(250).tolist()}
    ),
}
