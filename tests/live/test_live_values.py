"""What was silently wrong once, and its siblings: the right numbers, or a CompileError."""

import builtins
import dis
import functools
import linecache
import logging
import math

import pytest
import torch
from live_node import SERVER, Script
from live_runner import largest_error
from torch.utils._pytree import tree_flatten

from live import CompileError, compile
from live.compiler import runtime
from live.compiler.trace import explain
from live.compiler.weights import stack_weights

Z = torch.tensor([-1.0, 2.0, -3.0, 4.0, 5.0, 6.0])
M = torch.arange(12.0).reshape(3, 4).sin()
S = torch.tensor([-math.inf, math.inf, math.nan, 0.0, -0.0, -1.5, 2.5, 1e-30, 3e38])
LONG = torch.linspace(-1, 2, 200).cos()
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
            *z.cummax(0), *z.cummin(0), z.cumprod(0), z.logcumsumexp(0), m.argmax(), m.argmin(),
            z.argmin(), m.argmin(1))  # fmt: skip


def matrix(n, a):
    """(n, n), symmetric, all eigenvalues positive."""
    m = torch.arange(float(n * n)).reshape(n, n).sin() * a
    return m @ m.T + torch.eye(n)


def linear_algebra(z, a):
    out = []
    for n in (1, 2, 3, 4):
        m, b = matrix(n, a), torch.arange(2.0 * n).reshape(n, 2).cos() * a
        lower = torch.linalg.cholesky(m)
        out += [torch.linalg.det(m), *torch.linalg.slogdet(m), torch.linalg.inv(m), lower,
                torch.linalg.solve(m, b), torch.linalg.solve(m, b[:, 0]), torch.logdet(m),
                torch.linalg.solve(m, b.T, left=False), torch.cholesky_solve(b, lower),
                torch.linalg.solve_triangular(lower, b, upper=False),
                torch.linalg.solve_triangular(lower.T, b, upper=True),
                torch.linalg.solve_triangular(lower, b.T, upper=False, left=False),
                torch.linalg.inv(m * z[:, None, None]), torch.cholesky_inverse(lower)]  # fmt: skip
    points = torch.stack([z, z.cos(), z.sin()], 1) + a
    normal = torch.distributions.MultivariateNormal(points[0] * 0, matrix(3, a))
    return [*out, normal.log_prob(points)]


RIGHT = {
    "S1 a write through a condition": lambda z, a: (
        written(z, z < 0, a), written(M * a, M < 0, 0.0), written(M * a, M[:, 0] > 0, z[:4]),
        written(M * a, (slice(None), M[0] > 0), 7.0), z.masked_fill(z > 2, a)),
    "S2 a write over the whole": lambda z, a: whole_writes(a),
    "writes into parts": parts,
    "S3 negative places": lambda z, a: lookups(z, (a * 0 - 1).long()),
    "S4 any and all of numbers": lambda z, a: (
        (z.abs() * 0.1).all(), (z * 0 - 1).any(), (z * 0).any(), M.all(1), (M > 0).any(0),
        (z * 0 - 1).any().float(), z.clamp(max=0).any(), z.clamp(max=0).all(), (z > 100).any(),
        (z[:0] > 0).any(), (z[:0] > 0).all()),
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
        z.clamp_max(a), z.clamp_min(a), torch.nan_to_num(S * a), (S * a).isfinite(),
        torch.signbit(S * a), torch.copysign(z, -z),
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
        torch.lgamma(z + 0.3), torch.digamma(z + 0.3), torch.polygamma(0, z * a + 0.1),
        torch.polygamma(1, z * a + 0.1), torch.erf(z / 3), torch.erfc(z),
        torch.erfinv(z / 6.5), torch.exp2(z), torch.special.ndtr(z / 2), torch.lgamma(a * 1e3),
        torch.func.grad(lambda v: torch.lgamma(v).sum())(z.abs()),
        torch.func.grad(lambda v: torch.erfinv(v / 7).sum())(z), torch.log(torch.erfc(z)),
        torch.func.grad(lambda v: torch.digamma(v).sum())(z.abs()), torch.erfc(M * 5),
        torch.erfinv(torch.tensor([0.999999, -1.0, 1.0, 1e-8, 0.6]) * a / a)),
    "linear algebra": lambda z, a: linear_algebra(z, a),
    "gradients of linear algebra": lambda z, a: [
        torch.func.grad(lambda v, f=f: f(v).sum())(matrix(n, a)) for n in (2,)
        for f in (torch.linalg.inv, torch.linalg.cholesky, torch.logdet, torch.linalg.det,
                  lambda v: torch.linalg.solve(v, torch.ones(v.shape[-1]) + 0 * v[0, 0]))],
    "search": lambda z, a: (
        torch.searchsorted(z.sort()[0], a * torch.tensor([-9.0, -1.0, 2.5, 9.0])),
        torch.bucketize(z, torch.arange(-3.0, 5.0), right=True),
        torch.searchsorted(M.sort(1)[0], M * a)),
    "batches of products": lambda z, a: (
        torch.einsum("bij,bjk->bik", z[:, None, None] * torch.ones(6, 7, 5), torch.ones(6, 5, 8)),
        torch.nn.functional.scaled_dot_product_attention(
            (z[:, None, None] * torch.ones(6, 7, 5)).cos(), torch.ones(6, 7, 5).sin() * a,
            torch.ones(6, 7, 5).cumsum(1))),
    "parts": lambda z, a: (*(M * a).unbind(0), *(M * a).split([1, 3], 1), *(M * a).chunk(2, 1)),
    "writes with a stride": lambda z, a: (
        torch.slice_scatter(z, a * M[0, :2], 0, 1, None, 3),
        torch.slice_scatter(LONG * a, z, 0, 2, 2 + 7 * 6, 7),
        written(LONG * a, slice(5, None, 60), a),
        torch.slice_scatter(M * a, LONG[:3, None] * a, 1, 3, 4)),
    "sums put in": lambda z, a: [
        z.index_add(0, torch.tensor([2, 0, 2]), a * M[0, :3], alpha=alpha)
        for alpha in (0, 1, -2.5)],
    "diagonals put in": lambda z, a: (
        torch.diagonal_scatter(M * a, z[:3]), torch.diagonal_scatter(M, a * z[:3], 1),
        torch.diagonal_scatter(M, a * z[:2], -1),
        torch.diagonal_scatter(LONG[:, None] * LONG * a, LONG[2:], 2)),
    "fewer numbers than the correction": lambda z, a: (
        (M * a).var(0, correction=5), (M * a).var(0, correction=3), (z[:1] * a).var(),
        (M * a).std(1, correction=9)),
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


@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
@pytest.mark.parametrize("name", RIGHT)
def test_right(name, node):
    function = RIGHT[name]
    got = node.run(compile(function, Z, 0.5, dynamic=(), name="f"), Z, 0.75)
    tolerance = 1e-5 if "linear" in name else TOLERANCE  # float32's own error, of solves
    assert largest_error(got, reference(function, Z, 0.75)) <= tolerance


def two_lines(z):
    raise ValueError("the first line\nand the second")


REFUSED = {
    "S11 complex numbers": (lambda z: z.to(torch.complex64).abs(), "complex"),
    "S11 a complex factor": (lambda z: (z * 1j).real, "complex"),
    "S14 half precision": (lambda z: (z / 3).half().float(), "float16"),
    "S14 bfloat16": (lambda z: (z / 3).bfloat16().float(), "bfloat16"),
    "a determinant of 5 x 5": (lambda z: torch.linalg.det(torch.eye(5) * z[0]), "det"),
    "an inverse of 5 x 5": (lambda z: torch.linalg.inv(torch.eye(5) * z[0]), "inv"),
    "a higher derivative of log Gamma": (lambda z: torch.polygamma(2, z), "order 2"),
    "a mean of what is put in": (
        lambda z: z.scatter_reduce(0, torch.tensor([0, 1]), z[:2], "mean"),
        "(?s)^torch.scatter_reduce with 'mean'.*instead: sum, prod",
    ),
    "an error of two lines": (lambda z: two_lines(z), "^(?!.*second).*the first line"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    function, word = REFUSED[name]
    with pytest.raises(CompileError, match=word) as caught:
        compile(function, Z)
    assert caught.value.line


# Names -------------------------------------------------------------------------------------------


def test_names_cannot_clash(node):
    def every(lambda_, _a, var, new, default, N, Math, scratch, Float32Array, i, exp, live, data):
        whole = (lambda_ - _a + var - new + default - N + Math - scratch + Float32Array - i
                 + exp - live + data)  # fmt: skip
        return {"class": whole * torch.exp(torch.arange(9.0)), "a b": i, "__proto__": whole}

    numbers = [1.5**k for k in range(13)]
    got = node.run(compile(every, *numbers), *numbers)
    assert largest_error(got, every(*(torch.tensor(v).double() for v in numbers))) <= 1e-5


def test_a_dict_and_an_argument_of_the_same_name(node):
    function = lambda p, p_a: p["a"] - p_a  # noqa: E731
    got = node.run(compile(function, {"a": Z}, Z, dynamic=()), {"a": 2 * Z}, Z)
    assert largest_error(got, Z) == 0


def test_an_array_called_exp_in_a_long_program(node):
    x = torch.linspace(-2, 2, 9)

    def function(a):
        e = torch.exp(a * x)
        for _ in range(8):
            e = torch.exp(e / e.sum())
        return torch.exp(-x * x) * e

    got = node.run(compile(function, 1.0), 1.0)
    x = x.double()
    assert largest_error(got, function(torch.tensor(1.0).double())) <= TOLERANCE


def test_no_comment_ends_early(node):
    lines = {}
    exec(compile_text := "def f(z):\n    return z * 2  # \u2028throw 1\u2029throw 2\x85\x0cthrow 3",
         lines)  # fmt: skip
    as_read = [f"{line}\n" for line in compile_text.split("\n")]  # (splitlines would cut it)
    linecache.cache["<odd>"] = (len(compile_text), None, as_read, "<odd>")
    exec(builtins.compile(compile_text, "<odd>", "exec"), lines)
    program = compile(lines["f"], Z)
    assert "throw 3" in program.code, "the comment is there"
    assert not set("\u2028\u2029\x85\x0c") & set(program.code)
    assert largest_error(node.run(program, Z), 2 * Z) == 0


def test_more_than_four_free_sizes(node):
    arguments = [torch.ones(k) for k in range(5, 11)]
    program = compile(lambda *a: sum(v.sum() for v in a), *arguments, dynamic=range(6))
    assert node.run(program, *(torch.ones(k) for k in range(6)))[0].item() == 15


def test_a_length_may_be_free_wherever_it_stands(node):
    def function(x, w, v):
        h = torch.relu(x @ w.T)
        return h @ v, (h @ v.T[:2].T).sum(dim=0), h.median(), h.median(dim=1)[0]

    def arguments(n, m):
        return [torch.randn(n, 3), torch.randn(m, 3), torch.randn(m, m)]

    program = compile(function, *arguments(11, 7), dynamic=(), free=(11, 7))
    for n, m in ((5, 4), (2, 40), (300, 9)):
        given = arguments(n, m)
        wanted = function(*(a.double() for a in given))
        assert largest_error(node.run(program, *given), wanted) <= 1e-5
    with pytest.raises(RuntimeError, match="v must hold 16"):
        node.run(program, *arguments(5, 4)[:2], torch.ones(4, 3))


def test_the_median_of_any_number_of_points(node):
    program = compile(lambda z: (z - z.median(), z.median()), Z)
    for z in (Z, Z[:5], Z[:1], torch.tensor([1.0, math.nan, 0.0])):
        assert largest_error(node.run(program, z), (z - z.median(), z.median())) == 0


BOTH = """
const [first, then] = (0, eval)(given.code)(live.decode(given.data), live);
const typed = (v) => (Array.isArray(v) ? Float32Array.from(v) : v);
const a = first(...given.first.map(typed)), b = then(...given.then.map(typed));
return [...a, ...b].map((v) => Array.from(typeof v === "number" ? [v] : v));
"""


def test_a_gradient_in_a_second_call(node):
    """Forth, and back when the gradient comes: together what torch gives, for any sizes."""

    def function(x, w, a, g):
        def forth(x, w):
            return torch.tanh(x @ w).exp(), (a * x).sum()

        made, pull = torch.func.vjp(forth, x, w)
        return list(made), list(pull((g, g.sum())))

    def arguments(n, m):
        return [torch.randn(n, 3), torch.randn(3, m), torch.tensor(0.7), torch.randn(n, m)]

    examples = arguments(11, 7)
    program = compile(function, *examples, dynamic=(), free=(11, 7), later=(3,))
    assert "function then(g)" in program.code
    script = Script(f"{runtime.text()}\n{SERVER.replace('CALL', f'(given) => {{{BOTH}}}')}")
    try:
        for n, m in ((4, 5), (40, 30), (2, 3)):
            x, w, a, g = arguments(n, m)
            sent = {"code": program.code, "data": program.data, "then": [g.flatten().tolist()],
                    "first": [x.flatten().tolist(), w.flatten().tolist(), a.item()]}  # fmt: skip
            wanted = function(*(v.double() for v in (x, w, a, g)))
            got = [torch.tensor(v, dtype=torch.float64) for v in script.ask(sent)]
            assert largest_error(got, wanted) <= 1e-5
    finally:
        script.close()


# Sizes and decisions are checked when the program runs --------------------------------------------


AGAIN = """
const f = (0, eval)(given.code)(live.decode(given.data), live);
return given.calls.map((v) => Array.from(f(Float32Array.from(v))));
"""


def test_what_depends_on_a_size_is_computed_for_each_size():
    """One loaded function, called with several sizes: nothing of the first call is kept."""

    def function(z):
        steps = torch.arange(z.shape[0]).sin().cumsum(0)
        return z * (steps - steps.mean()).exp()

    program = compile(function, Z)
    sizes = [torch.randn(n) for n in (4, 9, 4, 1, 300)]
    script = Script(f"{runtime.text()}\n{SERVER.replace('CALL', f'(given) => {{{AGAIN}}}')}")
    try:
        got = script.ask({"code": program.code, "data": program.data,
                          "calls": [z.tolist() for z in sizes]})  # fmt: skip
    finally:
        script.close()
    for z, values in zip(sizes, got, strict=True):
        assert largest_error([torch.tensor(values)], [function(z.double())]) <= 1e-5


@pytest.mark.parametrize(
    "function, examples, others, words",
    [
        (lambda z: z * 2 if z.shape[0] < 10 else z * 3, [Z], [torch.ones(12)], "N < 10"),
        (lambda z: z[-5:], [Z], [torch.ones(2)], "other sizes"),
        (lambda x, y: (x * y).sum(), [Z, Z], [torch.ones(4), torch.ones(3)], "y must hold 4"),
        (lambda z: z.reshape(-1, 2).sum(), [M], [Z[:5].reshape(5, 1)], "multiple of 4"),
        (lambda z, k: z[k.long()], [Z, 1.0], [Z, 6.0], "out of range"),
    ],
)
def test_other_sizes_are_refused(function, examples, others, words, node):
    program = compile(function, *examples, dynamic=range(len(examples)))
    node.run(program, *examples)
    with pytest.raises(RuntimeError, match=words):
        node.run(program, *others)


@pytest.mark.parametrize(
    "holds",
    [
        lambda n: (n > 3) & (n < 9), lambda n: (n < 4) | (n > 5), lambda n: (n == 6) | (n >= 9),
        lambda n: (n >= 4) & (n <= 8) & (n != 7), lambda n: torch.sym_not((n > 3) & (n < 6)),
    ],
)  # fmt: skip
def test_a_joined_condition_on_sizes_is_checked_as_a_whole(holds, node):
    """The page runs for exactly those sizes for which the function takes the same branch."""
    program = compile(lambda z: z * 2 if holds(z.shape[0]) else z * 3, Z)
    assert holds(len(Z))
    for n in range(2, 13):
        if holds(n):
            assert node.run(program, torch.ones(n))[0].tolist() == [2.0] * n
        else:
            with pytest.raises(RuntimeError, match="other sizes"):
                node.run(program, torch.ones(n))


def test_sizes_of_examples_hold_without_dynamic(node):
    with pytest.raises(RuntimeError, match="z must hold 6 numbers, but holds 12"):
        node.run(compile(lambda z: z.sum(), Z, dynamic=()), torch.ones(12))


def test_numbers_made_of_sizes(node):
    def function(z):
        n = z.shape[0]
        return z * n**-0.2, z / n, z[: n // 2], z * (n % 3), z[n // 3 :: 2], z.reshape(-1, 2)[0]

    program = compile(function, Z)
    for n in (4, 8, 30):  # torch takes parts of size 0 and 1 for special
        z = torch.arange(float(n)).cos()
        assert largest_error(node.run(program, z), function(z.double())) <= TOLERANCE


def checked(z):
    if torch.min(z) < -100:
        raise ValueError("too far to the left")
    assert z.max() < 50, "too far to the right"
    if not (z > -1000).all():
        raise ValueError
    return z * 2


def test_checks_of_values_stay_checks(node):
    program = compile(checked, Z)
    assert largest_error(node.run(program, Z), 2 * Z) == 0
    for other in (Z - 1000, Z + 1000):
        with pytest.raises(RuntimeError, match="RangeError: a check of values fails in checked"):
            node.run(program, other)


def test_distributions_check_their_arguments(node):
    function = lambda z, a: torch.distributions.Normal(a, 2 * a).log_prob(z)  # noqa: E731
    got = node.run(compile(function, Z, 1.0), Z, 0.5)
    assert largest_error(got, function(Z.double(), torch.tensor(0.5).double())) <= TOLERANCE


def test_a_decision_between_two_ways_is_refused():
    def function(z, a):
        while a > 0.1:
            a = a / 2
        return z * a

    with pytest.raises(CompileError, match="while a > 0.1"):
        compile(function, Z, 1.0)


# What depends on no argument, and state -----------------------------------------------------------

W = torch.arange(9.0).reshape(3, 3).cos().requires_grad_()
MASK = torch.tensor([True, False, True])


def changed_copy(a):
    y = W.clone()
    y[0] = a
    y[1, 1] = 5
    return y


CONSTANT = {
    "a copy that is written into": changed_copy,
    "a mask": lambda a: (a * W[MASK], a * W[:, MASK].sum(), a * torch.nonzero(MASK), W[W > 0] * a),
    "linear algebra of weights": lambda a: a * torch.matrix_exp(W) + torch.linalg.eigvalsh(W + W.T),
    "numbers taken out": lambda a: a * W.max().item() * float(W[0, 0]) * (2 if W.sum() > 9 else 3),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTANT)
def test_constants(name, node):
    function = CONSTANT[name]
    got = node.run(compile(function, 1.0), 0.75)
    assert largest_error(got, function(torch.tensor(0.75))) <= 1e-5


def test_caches_of_the_program_keep_their_numbers(node):
    @functools.lru_cache
    def nodes(n):
        return torch.linspace(0, 1, n)

    holder = {}

    def function(a):
        holder["last"] = torch.ones(3) * a
        return a * nodes(5)

    for _ in range(2):
        got = node.run(compile(function, 1.0), 2.0)
        assert largest_error(got, 2 * torch.linspace(0, 1, 5)) <= TOLERANCE
    assert type(function(torch.tensor(2.0))) is torch.Tensor and nodes.cache_info().currsize == 1
    assert type(holder["last"]) is torch.Tensor


class Counts(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.zeros(()))

    def forward(self, z):
        if self.scale == 0:
            self.scale.data.copy_(z.std())
        return z / self.scale


@pytest.mark.parametrize(
    "function, word",
    [
        (Counts(), "closes over"),
        (torch.nn.Sequential(torch.nn.Unflatten(0, (-1, 2)), torch.nn.BatchNorm1d(2)), "closes"),
        (lambda z: z.add_(1), "argument"),
    ],
)
def test_state_is_refused(function, word):
    before = Z.clone()
    with pytest.raises(CompileError, match=word):
        compile(function, Z.clone(), dynamic=())
    assert Z.equal(before)


def test_compiling_leaves_the_random_stream_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with pytest.raises(CompileError, match="randn"):
        compile(lambda z: z + torch.randn(6), Z)
    assert torch.rand(2).equal(expected)


def test_nothing_of_torch_is_printed(capfd, caplog):
    with pytest.raises(CompileError):
        compile(lambda z: z * float(z.sum()), Z)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("argument", [None, "text", 1j, torch.ones(2).half()])
def test_arguments_are_tensors_or_numbers(argument):
    with pytest.raises(CompileError, match="argument|float16"):
        compile(lambda z, q: z, Z, argument)


SHAPES = {"ones", "ones_like", "new_ones", "zeros", "zeros_like", "new_zeros", "empty",
          "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted",
          "view", "reshape", "_unsafe_view", "copy"}  # fmt: skip
# Handlers that say in a comment why an argument has no meaning for them.
PASSED = {
    "to.dtype": {"dtype", "copy"}, "convert_element_type.default": {"dtype", "copy"},
    "arange": {"end"}, "arange.start": {"end"},
    "arange.start_step": {"end"}, "iota": {"length"}, "slice": {"end"}, "slice_scatter": {"end"},
    "full": {"shape"}, "full_like": {"shape"}, "new_full": {"a", "shape"}, "fill": {"a"},
    "sort.stable": {"stable"}, "argsort.stable": {"stable"}, "topk": {"k"},
    "copy_": {"a", "non_blocking"},
    "searchsorted.Tensor": {"out_int32"}, "bucketize.Tensor": {"out_int32"}, "as_strided": {"size"},
}  # fmt: skip


def test_an_argument_of_a_handler_that_it_does_not_read_is_refused():
    from live.compiler.lower import HANDLERS

    for name, handler in HANDLERS.items():
        code = handler.__code__
        for parameter in code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]:
            if name in SHAPES or parameter == "shape":  # the shape is that of the result
                continue
            read = {i.argval for i in dis.get_instructions(code)
                    if i.opname.startswith(("LOAD", "MAKE_CELL"))}  # fmt: skip
            free = parameter in code.co_cellvars
            assert parameter in read or free or parameter in PASSED.get(name, ()), (name, parameter)


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (lambda low, a, b: low.value(0.0), "a fault of the compiler"),  # another shape
        (lambda low, a, b: low.cast(a, torch.float64), "a fault of the compiler"),
        (lambda low, a, b: a, r"torch\.sub with alpha=2\.5 cannot.*instead: it without alpha"),
    ],
)
def test_a_handler_that_is_wrong_is_found_out(monkeypatch, handler, words):
    """The value's shape and dtype are held against the graph's, and no argument is passed over."""
    from live.compiler.lower import HANDLERS

    monkeypatch.setitem(HANDLERS, "sub", handler)
    alpha = 2.5 if "alpha" in words else 1
    with pytest.raises(CompileError, match=f"(?s){words}"):
        compile(lambda z: torch.sub(z, z, alpha=alpha), Z)


# What is written about it -------------------------------------------------------------------------


def test_the_page_of_what_compiles_is_up_to_date():
    from live.compiler import what_compiles

    assert what_compiles.PAGE.read_text(encoding="utf-8") == what_compiles.page(), (
        "run: python -m live.compiler.what_compiles"
    )


def test_errors_of_the_tracer_are_told_apart():
    """What asks for a value, what is NumPy's, and what torch itself cannot do."""
    kinds = {
        "a GuardOnDataDependentSymNode": ("data-dependent expression u0", "the value of a tensor"),
        "numpy": ("can't call numpy() on this tensor", "NumPy's"),
        "its own": ("INTERNAL ASSERT FAILED at somewhere", "torch's tracer fails"),
        "another": ("something else, with s17 of it", "something else, with N of it"),
    }
    said = {kind: str(explain(RuntimeError(words))) for kind, (words, _) in kinds.items()}
    for kind, (_, told) in kinds.items():
        assert told in said[kind], said[kind]
    assert len(set(said.values())) == len(kinds)


def test_weights_are_halved_or_kept():
    weights = [{"w": torch.tensor([1 / 3, 1e-9])}, {"w": torch.tensor([-2 / 3, 1.0])}]
    whole, half = (stack_weights(weights, half=half)["w"] for half in (False, True))
    assert torch.equal(whole, torch.stack([w["w"] for w in weights]))
    assert torch.equal(half, whole.half().float()) and not torch.equal(half, whole)
    assert torch.equal(stack_weights(weights)["w"], half), "which is what happens unless asked"
