"""Linear algebra of matrices up to 4 x 4, written in operations that compile.

What torch computes by LAPACK with loops and pivots is written out here in closed form.
"""

import torch
from torch import Tensor

aten = torch.ops.aten
LARGEST = 4


def when_small(rule, place=0):
    """The rule for matrices up to 4 x 4; larger ones stay what they are (and may be folded)."""

    def decompose(*args, **kwargs):
        small = args[place].shape[-1] <= LARGEST
        return rule(*args, **kwargs) if small else NotImplemented

    return decompose


class Minors:
    """Determinants of rows and columns of a matrix (..., D, D), each written out once."""

    def __init__(self, m: Tensor):
        self.m, self.every, self.known = m, tuple(range(m.shape[-1])), {}

    def of(self, rows: tuple, columns: tuple) -> Tensor:
        """The one of some rows and columns, by its first row."""
        if (rows, columns) not in self.known:
            self.known[rows, columns] = self.written_out(rows, columns)
        return self.known[rows, columns]

    def written_out(self, rows: tuple, columns: tuple) -> Tensor:
        if not rows:
            return torch.ones_like(self.m[..., 0, 0])
        if len(rows) == 1:
            return self.m[..., rows[0], columns[0]]
        total = None
        for k, c in enumerate(columns):
            rest = columns[:k] + columns[k + 1 :]
            term = self.of(rows[:1], (c,)) * self.of(rows[1:], rest)
            total = term if total is None else total + term if k % 2 == 0 else total - term
        return total

    def det(self) -> Tensor:
        """Determinant, (...)."""
        return self.of(self.every, self.every)

    def cofactors(self) -> Tensor:
        """Matrix of cofactors, (..., D, D)."""
        left = [self.every[:i] + self.every[i + 1 :] for i in self.every]
        rows = [[(-1) ** (i + j) * self.of(left[i], left[j]) for j in self.every]
                for i in self.every]  # fmt: skip
        return torch.stack([torch.stack(row, -1) for row in rows], -2)


def det(m: Tensor) -> Tensor:
    """Determinant, (..., D, D) -> (...)."""
    return Minors(m).det()


def inverse(m: Tensor) -> Tensor:
    """Inverse, (..., D, D)."""
    minors = Minors(m)
    return minors.cofactors().transpose(-1, -2) / minors.det()[..., None, None]


def numbers(m: Tensor) -> tuple:
    """What LAPACK returns beside the result, without meaning here."""
    whole = torch.int32
    return torch.zeros(m.shape[:-1], dtype=whole), torch.zeros(m.shape[:-2], dtype=whole)


def _linalg_det(m):
    return det(m), m, numbers(m)[0]


def _linalg_slogdet(m):
    d = det(m)
    return torch.sign(d), torch.log(torch.abs(d)), m, numbers(m)[0]


def linalg_inv_ex(m, check_errors=False):
    return inverse(m), numbers(m)[1]


def _linalg_solve_ex(m, b, *, left=True, check_errors=False):
    vector = b.ndim == 1 or (b.ndim == m.ndim - 1 and b.shape == m.shape[:-1])
    right = b[..., None] if vector else b
    x = inverse(m) @ right if left else right @ inverse(m)
    return x[..., 0] if vector else x, m, *numbers(m)


def linalg_lu_solve(m, pivots, b, *, left=True, adjoint=False):
    """(The "LU" that these functions return is the matrix itself.)"""
    m = m.transpose(-1, -2) if adjoint else m
    return inverse(m) @ b if left else b @ inverse(m)


def linalg_cholesky_ex(m, *, upper=False, check_errors=False):
    """Column by column; NaN where the matrix is not positive definite."""
    size = m.shape[-1]
    m = m.transpose(-1, -2) if upper else m
    rows = [[torch.zeros_like(m[..., 0, 0])] * size for _ in range(size)]
    for j in range(size):
        for i in range(j, size):
            rest = m[..., i, j]
            for k in range(j):
                rest = rest - rows[i][k] * rows[j][k]
            rows[i][j] = torch.sqrt(rest) if i == j else rest / rows[j][j]
    lower = torch.stack([torch.stack(row, -1) for row in rows], -2)
    return lower.transpose(-1, -2) if upper else lower, numbers(m)[1]


def linalg_solve_triangular(m, b, *, upper, left=True, unitriangular=False):
    """Substitution, row by row."""
    if not left:
        turned = linalg_solve_triangular(
            m.transpose(-1, -2), b.transpose(-1, -2), upper=not upper, unitriangular=unitriangular
        )
        return turned.transpose(-1, -2)
    size = m.shape[-1]
    found = {}
    for i in reversed(range(size)) if upper else range(size):
        rest = b[..., i, :]
        for k, x in found.items():
            rest = rest - m[..., i, k, None] * x
        found[i] = rest if unitriangular else rest / m[..., i, i, None]
    shape = torch.broadcast_shapes(*(x.shape for x in found.values()))
    return torch.stack([found[i].expand(shape) for i in range(size)], -2)


def triangular_solve(b, m, upper=True, transpose=False, unitriangular=False):
    m, upper = (m.transpose(-1, -2), not upper) if transpose else (m, upper)
    return linalg_solve_triangular(m, b, upper=upper, unitriangular=unitriangular), m


def cholesky_solve(b, m, upper=False):
    m = m.transpose(-1, -2) if upper else m
    half = linalg_solve_triangular(m, b, upper=False)
    return linalg_solve_triangular(m.transpose(-1, -2), half, upper=True)


def cholesky_inverse(m, upper=False):
    eye = torch.eye(m.shape[-1], dtype=m.dtype).expand(m.shape)
    return cholesky_solve(eye, m, upper)


SMALL_MATRICES = {
    aten._linalg_det.default: when_small(_linalg_det),
    aten._linalg_slogdet.default: when_small(_linalg_slogdet),
    aten.linalg_inv_ex.default: when_small(linalg_inv_ex),
    aten._linalg_solve_ex.default: when_small(_linalg_solve_ex),
    aten.linalg_lu_solve.default: when_small(linalg_lu_solve),
    aten.linalg_cholesky_ex.default: when_small(linalg_cholesky_ex),
    aten.linalg_solve_triangular.default: when_small(linalg_solve_triangular),
    aten.triangular_solve.default: when_small(triangular_solve, 1),
    aten.cholesky_solve.default: when_small(cholesky_solve, 1),
    aten.cholesky_inverse.default: when_small(cholesky_inverse),
    aten.cholesky.default: when_small(lambda m, upper=False: linalg_cholesky_ex(m, upper=upper)[0]),
}
# Before torch differentiates: its own gradient of det needs singular values.
WRITTEN_OUT = {
    **dict.fromkeys((torch.det, torch.linalg.det, Tensor.det), det),
    **dict.fromkeys((torch.logdet, Tensor.logdet), lambda m: torch.log(det(m))),
}
