// A chain of compiled layers: values, log-dets, gradients, and one step of training.
//
// kinds: {name: {programs: {decode, encode}, weights, given}}, core: {loss, log_prob, adam},
// as layers.py compiles them; bases: {name: what of the core is another for a base distribution};
// dim: the number of coordinates. The weights of all layers lie in one array, one after the other.

// Compiled programs become functions. What the page calls often is made once.
function readPrograms(programs) {
  return Object.fromEntries(Object.entries(programs).map(([name, { make, data }]) => [name, make(live.decode(data), live)]));
}

const sizeOf = (shape, width) => shape.reduce((n, d) => n * (d === "width" ? width : d), 1);

class Chain {
  // A model: its base by name, and layers, [{kind, given}] in generative order, given: one array for each fixed tensor.
  constructor({ kinds, core, bases = {}, dim = 2 }, { layers, width, base }) {
    this.dim = dim;
    this.core = readPrograms({ ...core, ...bases[base] });
    let at = 0;
    this.layers = layers.map(({ kind, given = [] }) => {
      const parts = kinds[kind].weights.map(({ name, shape, fan }) => {
        const size = sizeOf(shape, width);
        at += size;
        return { name, shape: shape.map((d) => (d === "width" ? width : d)), fan: fan === "width" ? width : fan, start: at - size, end: at };
      });
      // (Each layer has functions of its own, for between forth and back they remember.)
      const { decode, encode: [encode, pull] } = readPrograms(kinds[kind].programs);
      return { kind, decode, encode, pull, given, parts };
    });
    this.count = at;
    this.load(new Float32Array(at));
  }

  // Takes over these weights: the chain computes with this very array.
  load(weights) {
    if (weights.length !== this.count) throw new RangeError(`the chain has ${this.count} weights, but ${weights.length} were given`);
    this.weights = weights;
    for (const layer of this.layers) layer.weights = layer.parts.map(({ start, end }) => weights.subarray(start, end));
  }

  // Starts as torch's linear layers do.
  start(random) {
    for (const { parts } of this.layers) {
      for (const { fan, start, end } of parts) {
        const reach = fan && 1 / Math.sqrt(fan);
        for (let i = start; i < end; i++) this.weights[i] = reach * (2 * random.uniform() - 1);
      }
    }
  }

  // Values on the way from data to latent (the last layer is undone first), and the log-det of each
  // step.
  encodeSteps(points) {
    const values = [points], logDets = [];
    for (let k = this.layers.length - 1; k >= 0; k--) {
      const { encode, weights, given } = this.layers[k];
      const [value, logDet] = encode(values.at(-1), weights, given);
      values.push(value);
      logDets.push(logDet);
    }
    return [values, logDets];
  }

  // [latent points, log-dets of the whole way to them]
  encode(points) {
    const [values, logDets] = this.encodeSteps(points), total = new Float32Array(live.points("points", points, this.dim));
    for (const logDet of logDets) for (let i = 0; i < total.length; i++) total[i] += logDet[i];
    return [values.at(-1), total];
  }

  // Values on the way from latent to data, and the log-det of each step.
  decodeSteps(points) {
    const values = [points], logDets = [];
    for (const { decode, weights, given } of this.layers) {
      const [value, logDet] = decode(values.at(-1), weights, given);
      values.push(value);
      logDets.push(logDet);
    }
    return [values, logDets];
  }

  // n latent points.
  drawBase(random, n) { return this.core.sample(random.uniforms(this.dim * n), random.normals(this.dim * n)); }

  logProb(points) {
    return this.core.log_prob(...this.encode(points));
  }

  // [loss, gradient of all weights]
  gradient(points) {
    const [[ofPoints, ofLogDet], loss] = this.core.loss(...this.encode(points));
    const gradient = (this.slopes ??= new Float32Array(this.count));
    let pulled = ofPoints;
    for (const { pull, parts } of this.layers) {
      const [before, ofWeights] = pull(pulled, ofLogDet);
      parts.forEach(({ start }, j) => gradient.set(ofWeights[j], start));
      pulled = before;
    }
    return [loss, gradient];
  }

  // Adam's memory.
  fresh() { return { mean: new Float32Array(this.count), square: new Float32Array(this.count), count: 0 }; }

  update(gradient, memory, rate, clip) {
    memory.count++;
    const [weights, mean, square, length] = this.core.adam(
      this.weights, gradient, memory.mean, memory.square, memory.count, rate, clip,
    );
    this.weights.set(weights);
    Object.assign(memory, { mean, square });
    return length;
  }
}
