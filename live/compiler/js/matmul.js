// Matrix products. Large ones run in WebAssembly (assembled in wasm.py) where the page allows it
// (Content-Security-Policy: script-src 'wasm-unsafe-eval'), the others and all else here.
let simd; // undefined: not tried yet; null: not allowed
function simdModule() {
  if (simd === undefined) {
    try {
      const bytes = live.bytes("WASM_MODULE");
      simd = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
    } catch {
      simd = null;
    }
  }
  return simd;
}

// out (M, N) = a (M, K) @ b (K, N), each operand with offset, row stride and column stride.
live.matmul = (out, M, K, N, a, a0, ai, ak, b, b0, bk, bj) => {
  const large = M * K * N >= 8192 && simdModule();
  if (!large) return plainMatmul(out, M, K, N, a, a0, ai, ak, b, b0, bk, bj);
  const rows = (M + 3) & ~3, columns = (N + 7) & ~7; // what the module works on
  const atB = rows * K, atOut = atB + K * columns, bytes = 4 * (atOut + rows * columns);
  const missing = bytes - simd.memory.buffer.byteLength;
  if (missing > 0) simd.memory.grow(Math.ceil(missing / 65536));
  const memory = new Float32Array(simd.memory.buffer);
  place(memory, 0, M, K, K, a, a0, ai, ak);
  place(memory, atB, K, N, columns, b, b0, bk, bj);
  simd.multiply(0, 4 * atB, 4 * atOut, rows, K, columns);
  if (columns === N) out.set(memory.subarray(atOut, atOut + M * N));
  else for (let i = 0, o = 0; i < M; i++) for (let j = 0, p = atOut + i * columns; j < N; j++) out[o++] = memory[p++];
};

// A batch of products of contiguous matrices.
live.matmuls = (out, batch, M, K, N, a, b) => {
  for (let q = 0; q < batch; q++) {
    live.matmul(out.subarray(q * M * N, (q + 1) * M * N), M, K, N, a, q * M * K, K, 1, b, q * K * N, N, 1);
  }
};

// Copy a matrix with strides to `at`, rows `width` apart.
function place(memory, at, rows, columns, width, from, offset, si, sj) {
  if (sj === 1 && si === columns && width === columns) {
    memory.set(offset || from.length > rows * columns ? from.subarray(offset, offset + rows * columns) : from, at);
    return;
  }
  for (let i = 0; i < rows; i++) {
    let p = at + i * width, q = offset + i * si;
    for (let j = 0; j < columns; j++, q += sj) memory[p++] = from[q];
  }
}

// 2 x 4 sums at a time stay in registers.
function plainMatmul(out, M, K, N, a, a0, ai, ak, b, b0, bk, bj) {
  let i = 0;
  for (; i + 1 < M; i += 2) {
    const p0 = a0 + i * ai, p1 = p0 + ai;
    let j = 0;
    for (; j + 3 < N; j += 4) {
      let c00 = 0, c01 = 0, c02 = 0, c03 = 0, c10 = 0, c11 = 0, c12 = 0, c13 = 0;
      let p = p0, q = p1, r = b0 + j * bj;
      for (let k = 0; k < K; k++, p += ak, q += ak, r += bk) {
        const x = a[p], y = a[q];
        const u0 = b[r], u1 = b[r + bj], u2 = b[r + 2 * bj], u3 = b[r + 3 * bj];
        c00 += x * u0; c01 += x * u1; c02 += x * u2; c03 += x * u3;
        c10 += y * u0; c11 += y * u1; c12 += y * u2; c13 += y * u3;
      }
      const o = i * N + j;
      out[o] = c00; out[o + 1] = c01; out[o + 2] = c02; out[o + 3] = c03;
      out[o + N] = c10; out[o + N + 1] = c11; out[o + N + 2] = c12; out[o + N + 3] = c13;
    }
    for (; j < N; j++) {
      out[i * N + j] = dotProduct(K, a, p0, ak, b, b0 + j * bj, bk);
      out[i * N + N + j] = dotProduct(K, a, p1, ak, b, b0 + j * bj, bk);
    }
  }
  for (; i < M; i++) for (let j = 0; j < N; j++) out[i * N + j] = dotProduct(K, a, a0 + i * ai, ak, b, b0 + j * bj, bk);
}

function dotProduct(K, a, p, ak, b, q, bk) {
  let sum = 0;
  for (let k = 0; k < K; k++, p += ak, q += bk) sum += a[p] * b[q];
  return sum;
}
