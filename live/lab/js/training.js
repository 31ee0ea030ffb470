// A training: batches, the loss, the rate, and the way back when it explodes.

// A linear rise over the first part, then half a cosine down to 0.
function warmCosine(step, steps, peak, warmup = 0.1) {
  const rise = Math.max(1, Math.round(warmup * steps));
  if (step < rise) return (peak * (step + 1)) / rise;
  return peak * 0.5 * (1 + Math.cos((Math.PI * (step - rise)) / Math.max(1, steps - rise)));
}

// Batches drawn, with replacement, from a fixed set of points with so many coordinates.
const resample = (points, dim) => (random, n) => {
  const batch = new Float32Array(dim * n), count = points.length / dim;
  for (let i = 0; i < dim * n; i += dim) {
    const k = dim * Math.floor(random.uniform() * count);
    for (let d = 0; d < dim; d++) batch[i + d] = points[k + d];
  }
  return batch;
};

class Training {
  // draw: (random, n) -> n points; settings: {batch, clip, steps, schedule, seed} and `rates`, the
  // highest rate and its changes: [[first step, rate], ...].
  constructor(chain, draw, settings) {
    Object.assign(this, { chain, draw, settings });
    this.random = new Random(settings.seed);
    chain.start(this.random);
    this.memory = chain.fresh();
    Object.assign(this, { done: 0, caution: 1, kept: [], wentBack: [], level: NaN, lowest: NaN, spread: 0, seen: 0 });
  }

  get rate() {
    const { rates, steps, schedule } = this.settings;
    const [, rate] = rates.findLast(([from]) => from <= this.done);
    return (schedule ? warmCosine(Math.min(this.done, steps - 1), steps, rate) : rate) * this.caution;
  }

  get finished() { return this.done >= this.settings.steps; }

  // One step; returns the loss before it, or NaN if it had to go back.
  step() {
    const { batch, clip } = this.settings;
    const [loss, gradient] = this.chain.gradient(this.draw(this.random, batch)), rate = this.rate;
    this.done++;
    if (this.jumps(loss)) { this.goBack(); return NaN; }
    if (this.done % 20 === 1) this.kept = [...this.kept, this.copy()].slice(-2);
    this.chain.update(gradient, this.memory, rate, clip);
    return loss;
  }

  // Do the losses stay far above their lowest level so far?
  jumps(loss) {
    this.seen++;
    if (!Number.isFinite(loss)) return true;
    if (this.seen === 1) this.level = this.lowest = loss;
    const limit = this.seen > 20 ? 0.3 + 5 * this.spread : Infinity, apart = loss - this.level;
    this.level += Math.max(0.2, 1 / this.seen) * apart;
    if (!(this.level <= this.lowest + limit)) return true;
    this.spread += Math.max(0.02, 1 / this.seen) * (Math.abs(apart) - this.spread);
    this.lowest = Math.min(this.lowest, this.level);
    return false;
  }

  copy() {
    const { mean, square, count } = this.memory, { done, level, lowest } = this;
    return { weights: this.chain.weights.slice(), mean, square, count, done, level, lowest };
  }

  load({ weights, mean, square, count, done, level, lowest }) {
    this.chain.weights.set(weights);
    this.memory = { mean, square, count };
    Object.assign(this, { done, level, lowest });
  }

  // Goes on where another training was. (Its batches are other ones from here on.)
  resume(state) {
    this.load(state);
    this.random = new Random(this.settings.seed + 7919 * state.done);
  }

  // To a copy of 20 to 40 steps ago, and on with smaller steps. (The steps that were lost count.)
  goBack() {
    const { done } = this;
    this.wentBack.push(done);
    this.caution *= 0.7;
    if (!this.kept.length) return;
    this.load(this.kept[0]);
    this.done = done;
    this.kept = this.kept.slice(0, 1);
  }

  get exploded() { return this.wentBack.length > 10 || (this.wentBack.length > 0 && !this.kept.length); }
}
