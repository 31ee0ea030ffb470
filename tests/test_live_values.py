"""What was silently wrong once, and its siblings: the right numbers, or a CompileError."""

import math

import pytest
import torch
from live_node import node  # noqa: F401  (a fixture)
from live_runner import largest_error
from torch.utils._pytree import tree_flatten

from live import CompileError, compile

Z = torch.tensor([-1.0, 2.0, -3.0, 4.0, 5.0, 6.0])
M = torch.arange(12.0).reshape(3, 4).sin()
S = torch.tensor([-math.inf, math.inf, math.nan, 0.0, -0.0, -1.5, 2.5, 1e-30, 3e38])
TOLERANCE = 1e-6


def written(z, key, value):
    y = z.clone()
    y[key] = value
    return y


def whole_writes(a):
    y, w, v = torch.empty(9), torch.zeros(3, 4), torch.ones(7)
    y[:] = a
    w[:, 0:2] = a
    v.fill_(a)
    return y, w, v, y.sum()


def parts(z, a):
    y, w, v, u = z.clone(), z.clone(), z.clone(), torch.zeros(4, 9)
    y[2:5] = a
    w[..., -1] = 0
    v[1::2] = a * z[::2]
    u[:, -3:] = a
    u[1, ::4] = z[:3]
    u[torch.tensor([0, -1]), torch.tensor([1, 2])] = z[:2]
    u[:, torch.tensor([3, -4])] += 1
    u[2:100] *= 2
    return y, w, v, u, torch.diff(z, n=2)


def lookups(z, k):
    table = torch.arange(24.0).reshape(2, 3, 4)
    return (z[torch.tensor([-1, -2, -3, -4, -5])], z[torch.tensor([-1, -2])], z[k], table[:, k],
            table[:, torch.tensor([True, False, True])], z[torch.arange(-3, 0)])  # fmt: skip


def gathers(z):
    places = torch.tensor([[0, 2, 1, 0], [1, 1, 2, 0]])
    return (torch.func.grad(lambda v: (v.gather(0, places) ** 2).sum())(M * z[0]),
            torch.func.grad(lambda v: v[places].sin().sum())(M * z[0]),
            torch.zeros(3, 4).scatter(0, places, z[:4].expand(2, 4)),
            torch.zeros(3, 4).scatter_reduce(0, places, z[:4].expand(2, 4), "amax"),
            torch.zeros(5).index_add(0, torch.tensor([0, 3, 3]), z[:3], alpha=2))  # fmt: skip


def places(z):
    m = M * z[0]
    return (*m.max(0), *m.min(1), *m.max(1, keepdim=True), *z.max(0), *z.sort(),
            *z.sort(descending=True), *m.sort(0), z.argsort(), *z.topk(2), *m.topk(2, 0),
            z.median(), *m.median(1), *m.kthvalue(2, 1), z.quantile(0.3), z.unfold(0, 3, 1),
            *z.cummax(0), *z.cummin(0), z.cumprod(0), z.logcumsumexp(0), m.argmax())  # fmt: skip


RIGHT = {
    "S1 a write through a condition": lambda z, a: (
        written(z, z < 0, a), written(M * a, M < 0, 0.0), written(M * a, M[:, 0] > 0, z[:4]),
        written(M * a, (slice(None), M[0] > 0), 7.0), z.masked_fill(z > 2, a)),
    "S2 a write over the whole": lambda z, a: whole_writes(a),
    "writes into parts": parts,
    "S3 negative places": lambda z, a: lookups(z, (a * 0 - 1).long()),
    "S4 any and all of numbers": lambda z, a: (
        (z.abs() * 0.1).all(), (z * 0 - 1).any(), (z * 0).any(), M.all(1), (M > 0).any(0),
        (z * 0 - 1).any().float(), (z > 100).any(), (z[:0] > 0).any(), (z[:0] > 0).all()),
    "S5 logical operations of numbers": lambda z, a: (
        torch.logical_and(z, z + 1), torch.logical_or(z, z + 1).float(),
        torch.logical_xor(z - 2, z > 0), torch.logical_not(z - 2)),
    "S6 conditions as numbers": lambda z, a: (
        (z > 0) + (z > 3), ((z > 0) + (z > 3)).float(), (z > 0) * 2, (z > 0) * z, (z > 0).sum(),
        (z > 0).cumsum(0), (z > 0).float().mean(), (z > 0) == (z > 3), (z > 0) + 1,
        torch.where((z > 0) & (z < 5), 1, 0), torch.stack([z > 0, z > 3]).sum(0)),
    "S7 beta and alpha": lambda z, a: (
        torch.addmm(M[:, :3], M, M.T, beta=0.5, alpha=2.0),
        torch.addmv(z[:3], M, z[:4], beta=0.5, alpha=-1.5),
        torch.baddbmm(M[None, :, :3], M[None], M.T[None], beta=1.5, alpha=2.0),
        torch.addmm(M[:, :3] * torch.nan, M, M.T, beta=0), torch.add(z, z, alpha=3),
        torch.sub(z, z, alpha=2.5), torch.rsub(z, z, alpha=2)),
    "S12 float64": lambda z, a: ((z.double() + 1e8).cumsum(0).diff() - 1e8, z.double() / 3),
    "S13 whole numbers": lambda z, a: (
        torch.arange(6) * 1000000000, torch.arange(6) * 2**33 + z.long(),
        torch.tensor([2**31 + 5, 1]) + z[:2].long(), (z * 100).to(torch.int8),
        z.abs().to(torch.uint8) * 100, z.int() * 1_000_000_000,
        (z.long() * 149_999_861)[:, None].expand(6, 6).sum(1), z.long() // 2, z.long() % 4,
        torch.fmod(z.long(), 4), z.int() + 2**30, (z > 0).int() - 1),
    "S17 NaN and infinities": lambda z, a: (
        torch.relu(S * a), torch.fmax(S, S.flip(0) * a), torch.fmin(S, S.flip(0) * a),
        torch.remainder(z, math.inf), torch.remainder(z, -2.5), torch.fmod(z, 2.5),
        torch.sign(S * a), (S * a).argmax(), (S[:3] * a).argmin(), torch.maximum(S, S.flip(0) * a),
        (a * S) ** 0.0, torch.ones(9) ** (S * a), torch.hypot(S, S * a), S[:2].clamp(-a, a),
        torch.nan_to_num(S * a), (S * a).isfinite(), torch.signbit(S * a), torch.copysign(z, -z),
        *(S * a).sort(), *(S * a).max(0), (S * a).median()),
    "S19 dtype": lambda z, a: (
        (z * 1.7).sum(dtype=torch.int64), (z * 1.7).cumsum(0, dtype=torch.int64),
        (z * 1.7).prod(dtype=torch.int64), z.long().sum(dtype=torch.float32),
        z.mean(dtype=torch.float64), (z > 0).sum(dtype=torch.float32)),
    "gradients of lookups": lambda z, a: gathers(z * a),
    "places of the largest": lambda z, a: places(z * a),
    "moments": lambda z, a: (
        *torch.var_mean(M * a, 1), *torch.std_mean(M * a), *torch.var_mean(M * a, 0, keepdim=True),
        torch.nn.functional.layer_norm(M * a, (4,)),
        torch.nn.functional.group_norm((M * a).reshape(1, 4, 3), 2), (M * a).std(0, correction=0)),
    "empty": lambda z, a: (
        torch.cat([z[:0], z]), z[:0], z[:0].sum() + a, torch.tril_indices(3, 3)[0] * a),
    "one number": lambda z, a: (
        a.sum(0), a.argmax(), a.amax(0), a.softmax(0), a.cumsum(0), a.max(0)[0], a.sort()[0]),
    "rounding": lambda z, a: (
        torch.round(z * 1.2345, decimals=2), torch.round(z * 123.45, decimals=-1),
        z.roll(2), z.repeat(2), M.repeat(2, 3), (z * 0.3).frac(), (z * 0.3).trunc()),
    "functions of probability": lambda z, a: (
        torch.lgamma(z + 0.3), torch.digamma(z + 0.3), torch.erf(z / 3), torch.erfc(z),
        torch.erfinv(z / 6.5), torch.exp2(z), torch.special.ndtr(z / 2), torch.lgamma(a * 1e3),
        torch.func.grad(lambda v: torch.lgamma(v).sum())(z.abs()),
        torch.func.grad(lambda v: torch.erfinv(v / 7).sum())(z), torch.log(torch.erfc(z)),
        torch.func.grad(lambda v: torch.digamma(v).sum())(z.abs()), torch.erfc(M * 5),
        torch.erfinv(torch.tensor([0.999999, -1.0, 1.0, 1e-8, 0.6]) * a / a)),
    "search": lambda z, a: (
        torch.searchsorted(z.sort()[0], a * torch.tensor([-9.0, -1.0, 2.5, 9.0])),
        torch.bucketize(z, torch.arange(-3.0, 5.0), right=True),
        torch.searchsorted(M.sort(1)[0], M * a)),
    "batches of products": lambda z, a: (
        torch.einsum("bij,bjk->bik", z[:, None, None] * torch.ones(6, 7, 5), torch.ones(6, 5, 8)),
        torch.nn.functional.scaled_dot_product_attention(
            (z[:, None, None] * torch.ones(6, 7, 5)).cos(), torch.ones(6, 7, 5).sin() * a,
            torch.ones(6, 7, 5).cumsum(1))),
    "values that change with a condition": lambda z, a: (
        torch.tril(M * a), torch.triu(M * a, 1), torch.diagonal(M * a, 1), torch.diag(z * a),
        torch.nn.functional.pad(z, (1, -2), value=3.0), torch.block_diag(M, M * a)),
}  # fmt: skip


def reference(function, z, *numbers):
    """Torch's own result: in float64, unless the function mixes that with float32."""
    wanted = [torch.as_tensor(v) for v in tree_flatten(function(z, *map(torch.tensor, numbers)))[0]]
    doubles = (torch.tensor(a, dtype=torch.float64) for a in numbers)
    try:
        exact = tree_flatten(function(z.double(), *doubles))[0]
    except RuntimeError:  # expected scalar type Double but found Float
        return wanted
    return [e if w.is_floating_point() else w for w, e in zip(wanted, exact, strict=True)]


@pytest.mark.parametrize("name", RIGHT)
def test_right(name, node):  # noqa: F811
    function = RIGHT[name]
    got = node.run(compile(function, Z, 0.5, dynamic=(), name="f"), Z, 0.75)
    assert largest_error(got, reference(function, Z, 0.75)) <= TOLERANCE


REFUSED = {
    "S11 complex numbers": (lambda z: z.to(torch.complex64).abs(), "complex"),
    "S11 a complex factor": (lambda z: (z * 1j).real, "complex"),
    "S14 half precision": (lambda z: (z / 3).half().float(), "float16"),
    "S14 bfloat16": (lambda z: (z / 3).bfloat16().float(), "bfloat16"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    function, word = REFUSED[name]
    with pytest.raises(CompileError, match=word) as caught:
        compile(function, Z)
    assert caught.value.line
