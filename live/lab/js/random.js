// Random numbers from a seed: the same on every machine.
class Random {
  constructor(seed) { this.state = Math.imul(seed + 1, 0x9e3779b1) | 0; }

  // In [0, 1), in steps of 2^-32. (T. Ettinger's mulberry32.)
  uniform() {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  // Standard normal, two at a time (Box and Muller).
  normal() {
    if (this.spare !== undefined) { const kept = this.spare; this.spare = undefined; return kept; }
    const length = Math.sqrt(-2 * Math.log(1 - this.uniform())), angle = 2 * Math.PI * this.uniform();
    this.spare = length * Math.sin(angle);
    return length * Math.cos(angle);
  }

  uniforms(n) { return Float32Array.from({ length: n }, () => this.uniform()); }
  normals(n) { return Float32Array.from({ length: n }, () => this.normal()); }
}
