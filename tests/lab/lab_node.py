"""The Lab's workshop in Node: the very scripts that the page's worker runs, on one core."""

import math
from pathlib import Path

import torch
from live_node import Script

import flows
from experiments.together import train_seeds
from lab import page, programs
from live.lab import bundle
from live.page import bundle as page_bundle

LAB = "document.querySelector('[data-lab]').lab"  # in a page
SERVER = """
const programs = PROGRAMS;
const turnBy = (turn) => programs.settings.turns[turn].map((v) => Float32Array.from(v));
const layersOf = (n, waves, turn, coupling = "affine") => Array.from({ length: n }, (_, i) => [
  ...(turn && i ? [{ kind: "turn", given: turnBy(turn) }] : []),
  { kind: `${coupling}${waves}${i % 2 ? "flipped" : ""}` },
]).flat();
const chainOf = (layers, width, base = "normal") =>
  new Chain(programs, { layers: layersOf(...layers), width, base });
const tasks = {
  // One layer, or a flow: both ways, and the gradients of a weighted sum.
  chain({ layers, width, base, weights, points }) {
    const chain = chainOf(layers, width, base), x = Float32Array.from(points);
    chain.load(Float32Array.from(weights));
    const [loss, gradient] = chain.gradient(x), [values, logDets] = chain.decodeSteps(x);
    const total = logDets.reduce((sum, d) => sum.map((v, k) => v + d[k]));
    return [[loss], gradient, chain.logProb(x), values.at(-1), total];
  },
  // A training on given batches.
  train({ layers, width, base, weights, batches, settings }) {
    const chain = chainOf(layers, width, base);
    let k = 0;
    const training = new Training(chain, () => Float32Array.from(batches[k++]), settings);
    chain.load(Float32Array.from(weights));
    const losses = batches.map(() => training.step()).map((v) => (Number.isFinite(v) ? v : 1e30));
    return [chain.weights, losses, training.wentBack, [training.rate]];
  },
  // A whole training on data that are always new: the mean log-density of held-out points after it,
  // and samples.
  trained({ layers, width, base, data, settings, held }) {
    const chain = chainOf(layers, width, base);
    const { sample } = readPrograms(programs.data[data]);
    const draw = (random, n) => sample(random.uniforms(2 * n), random.normals(2 * n), 1);
    const training = new Training(chain, draw, { clip: 5, schedule: true, ...settings });
    while (!training.finished) training.step();
    const points = Float32Array.from(held), part = 2000;
    let sum = 0;
    for (let k = 0; k < points.length; k += part) {
      for (const p of chain.logProb(points.subarray(k, k + part))) sum += p;
    }
    const samples = chain.decodeSteps(chain.drawBase(new Random(11), 2000))[0].at(-1);
    return [[(2 * sum) / points.length], training.wentBack, samples];
  },
  rates: ({ cases }) => [cases.map((c) => warmCosine(...c))],
  start({ layers, width, base, seed }) {
    const chain = chainOf(layers, width, base);
    chain.start(new Random(seed));
    return [chain.weights];
  },
  base({ name, u, e }) {
    const { sample, log_prob } = readPrograms(programs.bases[name]);
    const z = sample(Float32Array.from(u), Float32Array.from(e));
    return [z, log_prob(z, new Float32Array(z.length / 2))];
  },
  random({ seed, n }) {
    const random = new Random(seed);
    return [random.uniforms(n), random.normals(n)];
  },
  data({ name, u, e, noise }) {
    const { sample, log_prob } = readPrograms(programs.data[name]);
    const x = sample(Float32Array.from(u), Float32Array.from(e), noise);
    return [x, Float32Array.from(log_prob(x, noise), (v) => Math.max(v, -1e30))];
  },
};
"""
LISTEN = """
const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { task, ...more } = JSON.parse(line);
  let answer;
  try { answer = { got: tasks[task](more) }; }
  catch (error) { answer = { error: `${error.stack}` }; }
  const plain = (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
  process.stdout.write(JSON.stringify(answer, plain) + "\\n");
});
"""
# What the page's own script says of links and missions; nothing of it needs a page.
SEEN = """
const params = parametersOf(SETTINGS);
params.push(...comparing(params));
const tasks = {
  // [what the Lab does not know of a link, the settings it leads to]
  link({ state }) {
    const model = new PageModel(params);
    for (const p of params) {
      const given = new URLSearchParams(state).get(p.name);
      if (given !== null) setFromText(model, p, given);
    }
    return [strangeIn(params, state), model.values];
  },
  missions: () => MISSIONS.map(({ text, state }) => ({ text, state })),
  solved: ({ mission, seen }) => !!MISSIONS[mission].solved(seen),
};
"""


class Workshop(Script):
    """`workshop.run(task, **settings)` -> tensors in float64."""

    def __init__(self):
        super().__init__(
            f"{bundle.parts()}\n{SERVER.replace('PROGRAMS', bundle.written(programs.stored()))}"
            f"{LISTEN}"
        )

    def run(self, task: str, **settings) -> list[torch.Tensor]:
        got = self.ask({"task": task, **{k: plain(v) for k, v in settings.items()}})
        return [torch.tensor(values, dtype=torch.float64) for values in got]


class Seen(Script):
    """`seen.run(task, **settings)`: what the page's script says."""

    def __init__(self):
        room = Path(page_bundle.__file__).parent / "js"
        texts = [(room / name).read_text(encoding="utf-8") for name in ("controls.js", "model.js")]
        super().__init__("\n".join([*texts, page.parts()[1], SEEN, LISTEN]))

    def run(self, task: str, **settings):
        return self.ask({"task": task, **settings})


def heap(session) -> float:
    """Bytes that the page's own heap holds when collecting frees no more, its arrays among them.

    (What one collection lets go of, such as the megabyte of a picture's arrays, may need another.)
    """
    sizes = [math.inf]
    while len(sizes) < 3 or sizes[-1] < sizes[-2]:
        session.send("HeapProfiler.collectGarbage")
        used = session.send("Runtime.getHeapUsage")
        sizes.append(used["usedSize"] + used["backingStorageSize"])
    return sizes[-1]


def plain(value):
    """Tensors as flat lists."""
    if isinstance(value, torch.Tensor):
        return value.flatten().tolist()
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


def drawn(data: str, n: int, generator: torch.Generator) -> torch.Tensor:
    """Points of a data set."""
    uniform = torch.rand(n, 2, generator=generator)
    return programs.DATA[data].sample(uniform, torch.randn(n, 2, generator=generator))


def held_out(data: str, n: int) -> tuple[torch.Tensor, float]:
    """Points on which no flow is trained, and the mean of their exact log-densities."""
    points = drawn(data, n, torch.Generator().manual_seed(12345))
    return points, programs.DATA[data].log_prob(points.double()).mean().item()


def new_flow(layers, width: int) -> flows.Flow:
    """The flow that `layers`, (number, Fourier features, turn, couplings), mean in the page."""
    n_layers, waves, turn, *coupling = layers
    make = programs.FLOWS[coupling[0] if coupling else "affine"]
    return make(2, width, n_layers, n_frequencies=waves, turn=float(turn))


def page_gap(workshop, data: str, layers, width: int, settings: dict, n_held: int = 4000) -> float:
    """The final gap, nats, of a training in the page."""
    held, exact = held_out(data, n_held)
    (mean,), *_ = workshop.run(
        "trained", data=data, layers=layers, width=width, settings=settings, held=held
    )
    return exact - mean.item()


def torch_gaps(
    data: str, layers, width: int, settings: dict, seeds: list[int], n_held: int = 4000
) -> list[float]:
    """The same in torch, for some seeds, which are trained together."""
    held, exact = held_out(data, n_held)
    made = train_seeds(
        lambda: new_flow(layers, width),
        lambda n, generator: drawn(data, n, generator), seeds,
        steps=settings["steps"], batch_size=settings["batch"], lr=settings["rates"][0][1],
    )  # fmt: skip
    with torch.no_grad():
        return [exact - flow.log_prob(held).double().mean().item() for flow in made]


def far_from_identity(flow: flows.Flow, spread: float = 0.3):
    """Move all weights: couplings start as the identity."""
    with torch.no_grad():
        for p in flow.parameters():
            p.add_(spread * torch.randn(p.shape) / max(1, p.shape[-1]) ** 0.5)


def weights_of(flow):
    return torch.cat([p.detach().flatten() for p in flow.parameters()])


def largest(got, wanted) -> float:
    scale = wanted.abs().max().clamp(min=1.0)
    assert got.shape == wanted.shape
    return ((got - wanted).abs().max() / scale).item()


def torch_run(flow, batches, settings):
    """The training of `flows.Trainer`, but for its way back, with rates that may change."""
    adam = torch.optim.Adam(flow.parameters(), betas=flows.Trainer.ADAM["betas"])
    losses = []
    for step, batch in enumerate(batches):
        peak = [rate for start, rate in settings["rates"] if start <= step][-1]
        rate = flows.learning_rate(step, settings["steps"], peak) if settings["schedule"] else peak
        loss = flows.careful_mean(-flow.log_prob(batch.double()), batch.shape[1])
        adam.param_groups[0]["lr"] = rate
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), settings["clip"])
        adam.step()
        losses.append(loss.item())
    return torch.tensor(losses, dtype=torch.float64)
