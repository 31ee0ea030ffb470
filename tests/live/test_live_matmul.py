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
process.stdout.write(JSON.stringify({ got, used }));
"""
# Around the blocks of 4 rows, 8 columns and 2 x 4 sums; the last ones have 8192 steps and more.
SIZES = [(1, 1, 1), (2, 3, 4), (3, 5, 7), (5, 4, 9), (7, 1, 3), (1, 64, 9), (33, 2, 5),
         (32, 32, 8), (33, 32, 8), (35, 31, 9), (64, 128, 1), (1, 300, 33), (1000, 3, 5),
         (31, 17, 24), (67, 33, 41)]  # fmt: skip

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


@pytest.mark.parametrize("wasm", [True, False])
def test_matrix_products(wasm):
    rng, products, wanted = np.random.default_rng(0), [], []
    for k, (m, inner, n) in enumerate(SIZES * len(HOWS)):
        a = rng.normal(size=(m, inner)).astype("float32")
        b = rng.normal(size=(inner, n)).astype("float32")
        how = HOWS[k // len(SIZES)], HOWS[(k // len(SIZES) + k) % len(HOWS)]
        products.append({"M": m, "K": inner, "N": n, "a": operand(a, how[0]),
                         "b": operand(b, how[1])})  # fmt: skip
        wanted.append(a.astype(float) @ b.astype(float))
    script = f"{runtime.text()}\n{ASK}"
    done = subprocess.run([NODE, "--no-warnings", "-e", script], encoding="utf-8", check=True,
                          input=json.dumps({"wasm": wasm, "products": products}),
                          capture_output=True)  # fmt: skip
    told = json.loads(done.stdout)
    assert told["used"] == (1 if wasm else 0)
    for size, got, right in zip(SIZES * len(HOWS), told["got"], wanted, strict=True):
        assert got[-3:] == [-77] * 3, "nothing is written beyond the end"
        close = np.allclose(np.reshape(got[:-3], right.shape), right, rtol=1e-4, atol=1e-4)
        assert close, f"{size}: {np.abs(np.reshape(got[:-3], right.shape) - right).max()}"
