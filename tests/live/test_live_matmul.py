"""Matrix products of all sizes and strides, in WebAssembly and without it, against numpy."""

import json
import subprocess

import numpy as np
import pytest
from live_node import NODE

from live.compiler import runtime

ASK = """
const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
if (!asked.wasm) delete globalThis.WebAssembly;
let used = 0;
if (asked.wasm) {
  const { Instance } = WebAssembly;
  WebAssembly.Instance = function (...given) { used++; return new Instance(...given); };
}
const got = asked.products.map(({ M, K, N, a, b }) => {
  const out = new Float32Array(M * N + 3).fill(-77);
  const [left, right] = [a, b].map((m) => Float32Array.from(m.values));
  live.matmul(out.subarray(0, M * N), M, K, N, left, ...a.places, right, ...b.places);
  return [...out];
});
const shown = (a) => [...a].map((v) => (Object.is(v, -0) ? "-0" : `${v}`));
const beside = asked.beside.map(({ a, bias, gradient }) => {
  const [x, b, g] = [a, bias, gradient].map((m) => Float32Array.from(m.map(Number)));
  const out = (n, make) => {
    const made = new Float32Array(n + 3).fill(-77);
    make(made.subarray(0, n));
    return shown(made);
  };
  return [out(x.length, (o) => live.relu(o, x, b)), out(x.length, (o) => live.gate(o, g, x)),
    out(b.length, (o) => live.columns(o, g))];
});
process.stdout.write(JSON.stringify({ got, used, beside }));
"""
# Around the blocks of 4 rows, 8 columns and 2 x 4 sums; the last ones have 8192 steps and more.
SIZES = [(1, 1, 1), (2, 3, 4), (3, 5, 7), (5, 4, 9), (7, 1, 3), (1, 64, 9), (33, 2, 5),
         (32, 32, 8), (33, 32, 8), (35, 31, 9), (64, 128, 1), (1, 300, 33), (1000, 3, 5),
         (31, 17, 24), (67, 33, 41), (32, 64, 8), (64, 32, 33), (8, 1024, 1)]  # fmt: skip

HOWS = ("plain", "transposed", "part", "slice")


def operand(matrix, how: str):
    """Values, and [offset, row stride, column stride]."""
    rows, columns = matrix.shape
    if how == "plain":
        return {"values": matrix.ravel().tolist(), "places": [0, columns, 1]}
    if how == "transposed":
        return {"values": matrix.T.ravel().tolist(), "places": [0, 1, rows]}
    if how == "slice":  # rows of a longer matrix
        around = [[99.0] * columns] * 2
        values = np.concatenate([around, matrix, around[:1]]).ravel().tolist()
        return {"values": values, "places": [2 * columns, columns, 1]}
    wide = np.full((rows + 1, columns + 3), 99.0)
    wide[1:, 2:-1] = matrix
    return {"values": wide.ravel().tolist(), "places": [columns + 5, columns + 3, 1]}


def told(wasm: bool, often: bool, products=(), beside=()):
    """What the runtime makes of them in node."""
    script = f"{runtime.text(often)}\n{ASK}"
    asked = {"wasm": wasm, "products": list(products), "beside": list(beside)}
    done = subprocess.run([NODE, "--no-warnings", "-e", script], encoding="utf-8", check=True,
                          input=json.dumps(asked), capture_output=True)  # fmt: skip
    made = json.loads(done.stdout)
    assert made["used"] == (1 if wasm else 0)
    return made


@pytest.mark.parametrize("often", [False, True])
@pytest.mark.parametrize("wasm", [True, False])
def test_matrix_products(wasm, often):
    rng, products, wanted = np.random.default_rng(0), [], []
    for k, (m, inner, n) in enumerate(SIZES * len(HOWS)):
        a = rng.normal(size=(m, inner)).astype("float32")
        b = rng.normal(size=(inner, n)).astype("float32")
        how = HOWS[k // len(SIZES)], HOWS[(k // len(SIZES) + k) % len(HOWS)]
        products.append({"M": m, "K": inner, "N": n, "a": operand(a, how[0]),
                         "b": operand(b, how[1])})  # fmt: skip
        wanted.append(a.astype(float) @ b.astype(float))
    made = told(wasm, often, products)["got"]
    for size, got, right in zip(SIZES * len(HOWS), made, wanted, strict=True):
        assert got[-3:] == [-77] * 3, "nothing is written beyond the end"
        close = np.allclose(np.reshape(got[:-3], right.shape), right, rtol=1e-4, atol=1e-4)
        assert close, f"{size}: {np.abs(np.reshape(got[:-3], right.shape) - right).max()}"


@pytest.mark.parametrize("wasm", [True, False])
def test_what_a_network_does_beside_its_products(wasm):
    """The same bits as float32 in numpy: of small and large ones, rows of any length, and of what
    is no number, infinite or a zero."""
    rng, beside = np.random.default_rng(1), []
    odd = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40, 3e38])
    for rows, width in [(1, 1), (3, 5), (40, 16), (64, 12), (171, 3), (256, 33), (129, 4)]:
        a, gradient = rng.normal(size=(2, rows * width)).astype("float32")
        for values in (a, gradient):
            values[rng.integers(0, len(values), 12)] = rng.choice(odd, 12)
        bias = rng.normal(size=width).astype("float32") * (rows != 129)
        beside.append({"a": a, "bias": bias, "gradient": gradient})
    asked = [{k: [repr(float(v)).replace("inf", "Infinity").replace("nan", "NaN") for v in m]
              for k, m in one.items()} for one in beside]  # fmt: skip
    for one, found in zip(beside, told(wasm, True, beside=asked)["beside"], strict=True):
        a, bias, gradient = (one[k] for k in ("a", "bias", "gradient"))
        with np.errstate(all="ignore"):
            total = a + np.tile(bias, len(a) // len(bias))
            wanted = [np.where(total <= 0, np.float32(0), total), np.where(a <= 0, 0, gradient)]
            rows = gradient.astype(float).reshape(-1, len(bias))
            wanted.append(np.cumsum(rows, axis=0)[-1].astype("float32"))  # one after the other
        for got, right in zip(found, wanted, strict=True):
            assert got[-3:] == ["-77"] * 3, "nothing is written beyond the end"
            numbers = np.array([float(v) for v in got[:-3]], dtype="float32")
            np.testing.assert_array_equal(numbers, right.astype("float32"))
            assert (np.signbit(numbers) == np.signbit(right))[~np.isnan(right)].all()
