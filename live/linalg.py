"""Determinants and inverses of 1x1, 2x2 and 3x3 matrices, written in operations that compile."""

import torch
from torch import Tensor

from .errors import CompileError

aten = torch.ops.aten


def cofactors(m: Tensor) -> Tensor:
    """Matrix of cofactors, (..., D, D) with D <= 3."""
    size = m.shape[-1]
    if size > 3:
        raise CompileError(
            f"the determinant of a {size} x {size} matrix",
            "",
            "matrices up to 3 x 3 are supported; use a product of triangular ones",
        )
    if size == 1:
        return torch.ones_like(m)
    rows = []
    for i in range(size):
        row = []
        for j in range(size):
            keep_i = [k for k in range(size) if k != i]
            keep_j = [k for k in range(size) if k != j]
            if size == 2:
                minor = m[..., keep_i[0], keep_j[0]]
            else:
                (a, b), (c, d) = keep_i, keep_j
                minor = m[..., a, c] * m[..., b, d] - m[..., a, d] * m[..., b, c]
            row.append(minor if (i + j) % 2 == 0 else -minor)
        rows.append(torch.stack(row, -1))
    return torch.stack(rows, -2)


def det(m: Tensor) -> Tensor:
    """Determinant, (..., D, D) -> (...)."""
    return (m[..., 0, :] * cofactors(m)[..., 0, :]).sum(-1)


def _linalg_det(m):
    return det(m), m, torch.zeros(m.shape[:-1], dtype=torch.int32)


def _linalg_slogdet(m):
    d = det(m)
    return torch.sign(d), torch.log(torch.abs(d)), m, torch.zeros(m.shape[:-1], dtype=torch.int32)


def linalg_inv_ex(m, check_errors=False):
    inverse = cofactors(m).transpose(-1, -2) / det(m)[..., None, None]
    return inverse, torch.zeros(m.shape[:-2], dtype=torch.int32)


DETERMINANTS = {
    aten._linalg_det.default: _linalg_det,
    aten._linalg_slogdet.default: _linalg_slogdet,
    aten.linalg_inv_ex.default: linalg_inv_ex,
}
