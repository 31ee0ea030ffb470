"""The Lab's workshop in Node: the very scripts that the page's worker runs, on one core."""

import torch
from live_node import Script

from lab import programs
from live.lab import bundle

SERVER = """
const programs = PROGRAMS;
const turnBy = (turn) => programs.settings.turns[turn].map((v) => Float32Array.from(v));
const layersOf = (n, waves, turn) => Array.from({ length: n }, (_, i) => [
  ...(turn && i ? [{ kind: "turn", given: turnBy(turn) }] : []),
  { kind: `coupling${waves}${i % 2 ? "flipped" : ""}` },
]).flat();
const tasks = {
  // One layer, or a flow: both ways, and the gradients of a weighted sum.
  chain({ layers, width, weights, points }) {
    const chain = new Chain(programs, layersOf(...layers), width), x = Float32Array.from(points);
    chain.load(Float32Array.from(weights));
    const [loss, gradient] = chain.gradient(x), [values, logDets] = chain.decodeSteps(x);
    const total = logDets.reduce((sum, d) => sum.map((v, k) => v + d[k]));
    return [[loss], gradient, chain.logProb(x), values.at(-1), total];
  },
  // A training on given batches.
  train({ layers, width, weights, batches, settings }) {
    const chain = new Chain(programs, layersOf(...layers), width);
    let k = 0;
    const training = new Training(chain, () => Float32Array.from(batches[k++]), settings);
    chain.load(Float32Array.from(weights));
    const losses = batches.map(() => training.step()).map((v) => (Number.isFinite(v) ? v : 1e30));
    return [chain.weights, losses, training.wentBack, [training.rate]];
  },
  rates: ({ cases }) => [cases.map((c) => warmCosine(...c))],
  start({ layers, width, seed }) {
    const chain = new Chain(programs, layersOf(...layers), width);
    chain.start(new Random(seed));
    return [chain.weights];
  },
  random({ seed, n }) {
    const random = new Random(seed);
    return [random.uniforms(n), random.normals(n)];
  },
  data({ name, u, e }) {
    const { sample, log_prob } = readPrograms(programs.data[name]);
    const x = sample(Float32Array.from(u), Float32Array.from(e));
    return [x, Float32Array.from(log_prob(x), (v) => Math.max(v, -1e30))];
  },
};
const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { task, ...more } = JSON.parse(line);
  let answer;
  try { answer = { got: tasks[task](more).map((a) => Array.from(a)) }; }
  catch (error) { answer = { error: `${error.stack}` }; }
  process.stdout.write(JSON.stringify(answer) + "\\n");
});
"""


class Workshop(Script):
    """`workshop.run(task, **settings)` -> tensors in float64."""

    def __init__(self):
        super().__init__(
            f"{bundle.parts()}\n{SERVER.replace('PROGRAMS', bundle.written(programs.stored()))}"
        )

    def run(self, task: str, **settings) -> list[torch.Tensor]:
        got = self.ask({"task": task, **{k: plain(v) for k, v in settings.items()}})
        return [torch.tensor(values, dtype=torch.float64) for values in got]


def plain(value):
    """Tensors as flat lists."""
    if isinstance(value, torch.Tensor):
        return value.flatten().tolist()
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value
