// For programs that are called thousands of times, as in a training: what a network does beside its
// products, in WebAssembly (wasm.py) where the page allows it.
function room(bytes) {
  const missing = bytes - simd.memory.buffer.byteLength;
  if (missing > 0) simd.memory.grow(Math.ceil(missing / 65536));
  return new Float32Array(simd.memory.buffer);
}

// out = a, plus the bias in each row, and 0 where that is negative.
live.relu = (out, a, bias) => {
  const n = out.length, width = bias.length;
  if (n < 512 || width % 4 || !simdModule()) {
    for (let i = 0; i < n; i += width) for (let j = 0; j < width; j++) out[i + j] = Math.max(a[i + j] + bias[j], 0);
    return;
  }
  const memory = room(4 * (n + width));
  memory.set(a);
  memory.set(bias, n);
  simd.relu(0, 4 * n, 4 * n, 4 * width);
  out.set(memory.subarray(0, n));
};

// out = the gradient, but 0 where a is 0 or negative.
live.gate = (out, gradient, a) => {
  const n = out.length, at = (n + 3) & ~3;
  if (n < 512 || !simdModule()) {
    for (let k = 0; k < n; k++) out[k] = a[k] <= 0 ? 0 : gradient[k];
    return;
  }
  const memory = room(8 * at);
  memory.set(gradient);
  memory.set(a, at);
  simd.gate(0, 4 * at, 4 * at);
  out.set(memory.subarray(0, n));
};

// out = the sums of the columns of a: four at a time, so that none waits for itself.
live.columns = (out, a) => {
  const width = out.length, n = a.length;
  let j = 0;
  for (; j + 3 < width; j += 4) {
    let s = 0, t = 0, u = 0, v = 0;
    for (let p = j; p < n; p += width) { s += a[p]; t += a[p + 1]; u += a[p + 2]; v += a[p + 3]; }
    out[j] = s; out[j + 1] = t; out[j + 2] = u; out[j + 3] = v;
  }
  for (; j < width; j++) {
    let s = 0;
    for (let p = j; p < n; p += width) s += a[p];
    out[j] = s;
  }
};

// A product whose first matrix lies there turned, as in the gradient of weights: it stays so.
const product = live.matmul;
live.matmul = (out, M, K, N, a, a0, ai, ak, b, b0, bk, bj) => {
  const turned = ai === 1 && ak === M && M % 4 === 0 && M * K * N >= 8192 && simdModule();
  if (!turned) return product(out, M, K, N, a, a0, ai, ak, b, b0, bk, bj);
  const columns = (N + 7) & ~7, atB = M * K, atOut = atB + K * columns, memory = room(4 * (atOut + M * columns));
  place(memory, 0, K, M, M, a, a0, M, 1);
  place(memory, atB, K, N, columns, b, b0, bk, bj);
  simd.turned(0, 4 * atB, 4 * atOut, M, K, columns);
  if (columns === N) out.set(memory.subarray(atOut, atOut + M * N));
  else for (let i = 0, o = 0; i < M; i++) for (let j = 0, p = atOut + i * columns; j < N; j++) out[o++] = memory[p++];
};
