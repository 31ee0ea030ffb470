// What a worker does, or the page itself where there are none: trains a chain, and computes what is
// shown of one. It takes messages {do: ...} and answers with {is: ...}.
//
// programs: {core, bases, kinds, data: {name: {sample, log_prob}}, dim: number of coordinates (2)}; a
// model is {layers, width, base}.
const SLICE = 8; // milliseconds of training between two looks for messages
const REPORT = 24; // between two reports

function makeWorkshop(programs, post, later) {
  const { dim = 2 } = programs, data = Object.fromEntries(Object.entries(programs.data).map(([name, p]) => [name, readPrograms(p)]));
  const fresh = ({ name, more = [] }) => (random, n) => data[name].sample(random.uniforms(dim * n), random.normals(dim * n), ...more);
  let training = null, running = false, pace = 0, until = 0, epoch = 0, turn = 0, losses = [], reported = 0;

  const report = () => {
    const { done, rate, wentBack, exploded, finished, settings } = training;
    reported = performance.now();
    const good = losses.filter(Number.isFinite);
    const loss = good.length ? good.reduce((a, b) => a + b) / good.length : null;
    post({ is: "progress", epoch, done, rate, wentBack: wentBack.slice(), exploded, finished, loss, running, turn,
      rates: settings.rates, weights: training.chain.weights.slice() });
    losses = [];
  };
  const advance = () => {
    losses.push(training.step());
    if (training.finished || training.exploded || training.done >= until) running = false;
  };
  // A stretch of training, and then a chance for messages. (`own`: of this run, not of one before.)
  let run = 0;
  const work = (own) => {
    if (!running || own !== run) return;
    const start = performance.now();
    do advance(); while (running && !pace && performance.now() - start < SLICE);
    if (!running || pace || performance.now() - reported > REPORT) report();
    if (running) later(() => work(own), pace);
  };

  // What is shown of a chain with given weights.
  const made = new Map(); // the two shown last
  const chainOf = (model, weights) => {
    const name = JSON.stringify(model), chain = made.get(name) ?? new Chain(programs, model);
    made.delete(name);
    made.set(name, chain);
    if (made.size > 2) made.delete(made.keys().next().value);
    chain.load(weights);
    return chain;
  };
  const inParts = (points, f, size = 1024) => {
    const out = new Float32Array(points.length / dim);
    for (let i = 0; i < out.length; i += size) out.set(f(points.subarray(dim * i, dim * (i + size))), i);
    return out;
  };
  const views = {
    logProb: (chain, points) => inParts(points, (p) => chain.logProb(p)),
    decode: (chain, points) => chain.decodeSteps(points)[0],
    // (and the log-density of the latent points)
    encode(chain, points) {
      const [values, logDets] = chain.encodeSteps(points);
      return [values, logDets, chain.core.log_prob(values.at(-1), new Float32Array(points.length / dim))];
    },
    // The way of samples, from the base on.
    samples: (chain, { seed, count }) => chain.decodeSteps(chain.drawBase(new Random(seed), count))[0],
  };

  const tasks = {
    // {model, settings, data: a source or points, epoch, state}: a new training, or one that goes on
    // from a state. A source is a data set: {name, more: numbers that its programs take besides}.
    make(message) {
      const chain = new Chain(programs, message.model);
      const draw = ArrayBuffer.isView(message.data) ? resample(message.data, dim) : fresh(message.data);
      training = new Training(chain, draw, message.settings);
      if (message.state) training.resume(message.state);
      ({ epoch } = message);
      running = false;
      losses = [];
      report();
    },
    // {pace: milliseconds between two steps, to: a step, turn: number of this order, for the reports}
    run(message) {
      if (training.exploded) training.wentBack = [];
      ({ pace = 0, turn = 0 } = message);
      until = message.to ?? Infinity;
      running = !training.finished && training.done < until;
      reported = 0;
      work(++run);
    },
    pause() { running = false; if (training) report(); },
    step() { until = Infinity; if (!training.finished) advance(); running = false; report(); },
    rate({ rate }) { training.settings.rates.push([training.done, rate]); report(); },
    state() { post({ is: "state", epoch, state: training.copy() }); },
    // {model, weights, wanted: {key: [view, points]}}
    view({ id, model, weights, wanted }) {
      const chain = chainOf(model, weights), made = {};
      for (const [name, [view, points]] of Object.entries(wanted)) made[name] = views[view](chain, points);
      post({ is: "view", id, made });
    },
    // {source, points}: exact log-densities
    exact({ id, source: { name, more = [] }, points }) { post({ is: "exact", id, made: inParts(points, (p) => data[name].log_prob(p, ...more)) }); },
    // {source, seed, count}: points of a data set
    sample({ id, source, seed, count }) { post({ is: "sample", id, made: fresh(source)(new Random(seed), count) }); },
  };
  return (message) => tasks[message.do](message);
}

// In a worker: messages come between two slices without delay.
function serveWorker(programs, scope) {
  const channel = new MessageChannel(), waiting = [];
  channel.port1.onmessage = () => waiting.shift()();
  const later = (task, pause) => {
    if (pause) { setTimeout(task, pause); return; }
    waiting.push(task);
    channel.port2.postMessage(0);
  };
  const take = makeWorkshop(programs, (answer) => scope.postMessage(answer), later);
  scope.onmessage = ({ data }) => take(data);
}
