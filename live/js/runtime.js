// The few routines that compiled functions call.
const live = {
  tanh: (x) => 1 - 2 / (Math.exp(2 * x) + 1),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  logsigmoid: (x) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x))),
  logaddexp: (a, b) => (a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)))),
  round: (x) => { const r = Math.round(x); return r - x === 0.5 && r % 2 ? r - 1 : r; }, // half to even
  mod: (a, b) => a - b * Math.floor(a / b),
  // Abramowitz & Stegun 7.1.26 is too coarse; this is W. J. Cody's series, good to 1e-7.
  erf(x) {
    const a = Math.abs(x);
    if (a > 4) return Math.sign(x);
    let term = a, sum = a;
    for (let k = 1; Math.abs(term) > 1e-12; k++) {
      term *= -a * a / k;
      sum += term / (2 * k + 1);
    }
    return Math.sign(x) * sum * 2 / Math.sqrt(Math.PI);
  },

  // Arrays that live from call to call, one for each name.
  scratch() {
    const kept = {};
    return (name, size, Kind = Float32Array) =>
      kept[name]?.length === size ? kept[name] : (kept[name] = new Kind(size));
  },

  // Base64 -> bytes. (A plain loop: Uint8Array.from(text, f) takes ten times as long.)
  bytes(values) {
    const text = atob(values), bytes = new Uint8Array(text.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
  },

  // {name: {kind, values}} -> {name: typed array}
  decode(data) {
    const kinds = { Float32Array, Int32Array, Uint8Array };
    return Object.fromEntries(Object.entries(data).map(([name, { kind, values }]) => {
      const bytes = live.bytes(values);
      return [name, kind === "Float16" ? live.widen(new Uint16Array(bytes.buffer)) : new kinds[kind](bytes.buffer)];
    }));
  },
  // 16-bit floats -> 32-bit ones: move exponent and fraction to their places; the exponent then
  // counts from another zero, 112 lower.
  widen(halves) {
    const out = new Float32Array(halves.length), bits = new Int32Array(out.buffer);
    for (let i = 0; i < out.length; i++) {
      const h = halves[i];
      bits[i] = (h & 0x7fff) << 13;
      const size = (h & 0x7c00) === 0x7c00 ? (h & 0x3ff ? NaN : Infinity) : out[i] * 2 ** 112;
      out[i] = h & 0x8000 ? -size : size;
    }
    return out;
  },

  // Running sums along the middle dimension of (before, n, after).
  cumsum(out, a, before, n, after) {
    for (let i = 0; i < before; i++) for (let j = 0; j < after; j++) {
      for (let k = 0, p = i * n * after + j, sum = 0; k < n; k++, p += after) out[p] = sum += a[p];
    }
  },
  argmax(out, a, before, n, after, sign) {
    for (let i = 0; i < before; i++) for (let j = 0; j < after; j++) {
      let best = -Infinity, place = 0;
      for (let k = 0, p = i * n * after + j; k < n; k++, p += after) {
        if (sign * a[p] > best) { best = sign * a[p]; place = k; }
      }
      out[i * after + j] = place;
    }
  },
  // out = base with rows of values written (or added) at the given row numbers.
  put(out, base, which, values, width, add) {
    out.set(base);
    const rows = base.length / width;
    which.forEach((row, k) => {
      const to = (row < 0 ? row + rows : row) * width;
      for (let c = 0; c < width; c++) out[to + c] = (add ? out[to + c] : 0) + values[k * width + c];
    });
  },
};
