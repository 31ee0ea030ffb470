// The few routines that compiled functions call.
const live = {
  convention: CONVENTION, // version of the contract with compiled functions: see ../README.md
  tanh: (x) => (Math.abs(x) < 1e-4 ? x - x * x * x / 3 : 1 - 2 / (Math.exp(2 * x) + 1)),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  logsigmoid: (x) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x))),
  logaddexp: (a, b) => (a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)))),
  round: (x) => { const r = Math.round(x); return r - x === 0.5 && r % 2 ? r - 1 : r; }, // half to even
  mod: (a, b) => { const r = a % b; return r !== 0 && r < 0 !== b < 0 ? r + b : r; }, // the sign of b
  power: (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : Math.pow(a, b)),
  fmax: (a, b) => (a !== a ? b : b !== b ? a : Math.max(a, b)), // a number, if one of them is
  fmin: (a, b) => (a !== a ? b : b !== b ? a : Math.min(a, b)),
  signbit: (x) => x < 0 || 1 / x === -Infinity,

  // erf by its power series, 1 - erf by its continued fraction: each where it is exact to 1e-12.
  erf(x) {
    const a = Math.abs(x);
    if (a > 2) return Math.sign(x) * (1 - live.erfc(a));
    let term = a, sum = a;
    for (let k = 1; Math.abs(term) > 1e-17; k++) {
      term *= -a * a / k;
      sum += term / (2 * k + 1);
    }
    return Math.sign(x) * sum * 2 / Math.sqrt(Math.PI);
  },
  erfc(x) {
    if (x !== x) return x;
    if (x < 2) return x < -2 ? 2 - live.erfc(-x) : 1 - live.erf(x);
    if (x > 27) return 0;
    let below = x;
    for (let k = 60; k > 0; k--) below = x + k / 2 / below;
    return Math.exp(-x * x) / (below * Math.sqrt(Math.PI));
  },
  // A first guess (S. Winitzki), then Newton's method.
  erfinv(y) {
    const a = Math.abs(y);
    if (!(a < 1)) return a === 1 ? y * Infinity : NaN;
    const l = Math.log1p(-a * a), t = 4.330746750799873 + l / 2;
    let x = Math.sqrt(Math.sqrt(t * t - l / 0.147) - t);
    for (let k = 0; k < 4 && x > 0; k++) {
      const off = a < 0.5 ? live.erf(x) - a : 1 - a - live.erfc(x);
      x -= off * Math.exp(x * x) * Math.sqrt(Math.PI) / 2;
    }
    return Math.sign(y) * x;
  },
  // log|Gamma| by Lanczos' sum, its derivatives by their asymptotic series; the left half of the
  // line is reflected on the right one.
  lgamma(x) {
    if (x < 0.5) {
      if (Math.abs(x) === Infinity || (x <= 0 && x === Math.floor(x))) return Infinity;
      return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * x))) - live.lgamma(1 - x);
    }
    if (x === Infinity) return x;
    const c = [676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406,
      12.507343278686905, -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7];
    let sum = 0.9999999999998099;
    for (let k = 0; k < 8; k++) sum += c[k] / (x + k);
    const t = x + 6.5;
    return Math.log(2 * Math.PI) / 2 + (x - 0.5) * Math.log(t) - t + Math.log(sum);
  },
  digamma(x) {
    if (x === 0) return 1 / x > 0 ? -Infinity : Infinity;
    if (x < 0) return x === Math.floor(x) ? NaN : live.digamma(1 - x) - Math.PI / Math.tan(Math.PI * x);
    let sum = 0;
    for (; x < 8; x++) sum -= 1 / x;
    const q = 1 / (x * x);
    return x === Infinity ? x
      : sum + Math.log(x) - 0.5 / x - q * (1 / 12 - q * (1 / 120 - q * (1 / 252 - q * (1 / 240 - q / 132))));
  },
  trigamma(x) {
    if (x < 0.5) {
      const s = Math.sin(Math.PI * x);
      return x <= 0 && x === Math.floor(x) ? Infinity : (Math.PI / s) ** 2 - live.trigamma(1 - x);
    }
    let sum = 0;
    for (; x < 8; x++) sum += 1 / (x * x);
    const q = 1 / (x * x);
    return sum + 1 / x + q / 2 + q / x * (1 / 6 - q * (1 / 30 - q * (1 / 42 - q * (1 / 30 - q * 5 / 66))));
  },

  // What the program was compiled for; anything else is an error, not a wrong number.
  require(holds, message) { if (!holds) throw new RangeError(message); },
  points(name, array, width = 1) {
    const n = array.length / width;
    if (!Number.isInteger(n)) throw new RangeError(`${name} must hold a multiple of ${width} numbers, but holds ${array.length}`);
    return n;
  },
  expect(name, array, length) {
    if (array.length !== length) throw new RangeError(`${name} must hold ${length} numbers, but holds ${array.length}`);
  },
  at(i, n) { // a place among n; negative ones count from the end
    if (i < -n || i >= n) throw new RangeError(`index ${i} is out of range for ${n}`);
    return i < 0 ? i + n : i;
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
    const kinds = { Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Uint8Array };
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

  // What follows works along the middle dimension of (before, n, after): step(first place, stride).
  lines(before, n, after, step) {
    for (let i = 0; i < before; i++) for (let j = 0; j < after; j++) step(i * n * after + j, i * after + j);
  },
  cumsum(out, a, before, n, after) {
    live.lines(before, n, after, (p) => {
      for (let k = 0, sum = 0; k < n; k++, p += after) out[p] = sum += a[p];
    });
  },
  cumprod(out, a, before, n, after) {
    live.lines(before, n, after, (p) => {
      for (let k = 0, product = 1; k < n; k++, p += after) out[p] = product *= a[p];
    });
  },
  logcumsumexp(out, a, before, n, after) {
    live.lines(before, n, after, (p) => {
      for (let k = 0, sum = -Infinity; k < n; k++, p += after) out[p] = sum = live.logaddexp(sum, a[p]);
    });
  },
  // (sign = -1: the smallest so far.) Of equal ones the last place counts, and a NaN stays.
  cummax(out, places, a, before, n, after, sign) {
    live.lines(before, n, after, (p) => {
      let best = NaN, place = 0;
      for (let k = 0; k < n; k++, p += after) {
        if (k === 0 || (best === best && !(sign * a[p] < sign * best))) { best = a[p]; place = k; }
        else if (best !== best && a[p] !== a[p]) place = k;
        out[p] = best;
        places[p] = place;
      }
    });
  },
  // The first of the largest (sign = -1: of the smallest); a NaN is above all.
  argmax(out, a, before, n, after, sign) {
    live.lines(before, n, after, (p, q) => {
      let best = -Infinity, place = 0;
      for (let k = 0; k < n; k++, p += after) {
        if (a[p] !== a[p]) { place = k; break; }
        if (sign * a[p] > best) { best = sign * a[p]; place = k; }
      }
      out[q] = place;
    });
  },
  // Equal ones keep their order; a NaN is above all.
  sort(out, places, a, before, n, after, descending) {
    const line = new Float64Array(n), order = Array.from({ length: n }, (_, k) => k);
    const up = (i, j) => {
      const x = line[i], y = line[j];
      return x < y ? -1 : x > y ? 1 : (x !== x) - (y !== y);
    };
    live.lines(before, n, after, (p) => {
      for (let k = 0; k < n; k++) { line[k] = a[p + k * after]; order[k] = k; }
      order.sort(descending ? (i, j) => -up(i, j) : up);
      for (let k = 0; k < n; k++) { out[p + k * after] = line[order[k]]; places[p + k * after] = order[k]; }
    });
  },
  // For each number of a: how many of its row's sorted knots are below it (right: or equal).
  search(out, knots, a, rows, count, right) {
    const width = a.length / rows;
    for (let p = 0; p < a.length; p++) {
      const start = Math.floor(p / width) * count;
      let low = 0, high = count;
      while (low < high) {
        const middle = (low + high) >> 1, knot = knots[start + middle];
        if (right ? !(knot > a[p]) : !(knot >= a[p])) low = middle + 1; else high = middle;
      }
      out[p] = low;
    }
  },
  // out = base, then values set, added, ... at the given places, in order.
  scatter(out, base, places, values, how) {
    out.set(base);
    const join = { set: (a, b) => b, add: (a, b) => a + b, mul: (a, b) => a * b, max: Math.max, min: Math.min }[how];
    for (let k = 0; k < places.length; k++) out[places[k]] = join(out[places[k]], values[k]);
  },
};
