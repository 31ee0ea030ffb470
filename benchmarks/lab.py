"""Trains in Node what the Flow Lab trains in its worker: steps a second, and gaps over seeds.

python benchmarks/lab.py speed
python benchmarks/lab.py ring [seeds] [layers] [width] [batch] [steps] [rate]
python benchmarks/lab.py torch    the Lab's own settings, 20 seeds, here and in torch: lab.json
"""

import json
import sys
from pathlib import Path

import torch
from scipy import stats

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "live"), str(ROOT / "tests" / "lab")]

from lab_node import SERVER, Workshop, bundle, gaps, programs  # noqa: E402
from live_node import Script  # noqa: E402

STORED = ROOT / "benchmarks" / "lab.json"

TASK = """
tasks.timed = ({ layers, width, batch, steps, rate, seed, data, warm }) => {
  const chain = chainOf(layers, width);
  const { sample, log_prob } = readPrograms(programs.data[data]);
  const draw = (random, n) => sample(random.uniforms(2 * n), random.normals(2 * n));
  const settings = { batch, steps, clip: 5, schedule: true, seed, rates: [[0, rate]] };
  const training = new Training(chain, draw, settings);
  for (let k = 0; k < warm; k++) training.step();
  const start = performance.now(), cpu = process.cpuUsage();
  let done = 0;
  while (!training.finished) { training.step(); done++; }
  const used = process.cpuUsage(cpu), wall = performance.now() - start;
  const held = draw(new Random(12345), 20000);
  let gap = 0;
  for (let k = 0; k < 20; k++) {
    const part = held.subarray(2000 * k, 2000 * k + 2000);
    const p = log_prob(part), q = chain.logProb(part);
    for (let i = 0; i < 1000; i++) gap += (p[i] - q[i]) / 20000;
  }
  return [[gap, done / wall * 1000, done / (used.user + used.system) * 1e6, wall / 1000,
    training.wentBack.length]];
};
"""


def timed(script, **settings):
    """Gap in nats; steps a second of wall and of CPU time; seconds; how often it went back."""
    return script.ask({"task": "timed", **settings})[0]


def against_torch(seeds: int = 20) -> dict:
    """Gaps of the Lab's own settings on two data sets, in the page's scripts and in torch."""
    workshop, made = Workshop(), {}
    torch.set_num_threads(1)
    settings = {"batch": 256, "steps": 1500, "rates": [[0, 5e-3]]}
    layers, width = [12, 4, 45], 32
    for data in ("ring", "moons"):
        rows = []
        for seed in range(seeds):
            rows.append(gaps(workshop, data, layers, width, settings | {"seed": seed}, 20_000))
            print(data, seed, *(round(v, 4) for v in rows[-1]), flush=True)
        page, torchs = zip(*rows, strict=True)
        made[data] = {"page": [round(v, 5) for v in page], "torch": [round(v, 5) for v in torchs]}
    workshop.close()
    about = {"layers": layers[0], "waves": layers[1], "turn": layers[2], "width": width}
    return {"settings": about | settings | {"held_out": 20_000}, "gaps": made}


def said(measured: dict) -> str:
    """The same as lines of a table."""
    lines = ["| data | page: mean, sd | torch: mean, sd | p |", "|---|---|---|---|"]
    for data, both in measured["gaps"].items():
        shown = [
            f"{stats.tmean(both[k]):.4f}, {stats.tstd(both[k]):.4f}" for k in ("page", "torch")
        ]
        p = stats.ks_2samp(both["page"], both["torch"]).pvalue
        lines.append(f"| {data} | {shown[0]} | {shown[1]} | {p:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    if what == "torch":
        measured = against_torch()
        STORED.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
        print(said(measured))
        sys.exit()
    server = SERVER.replace("PROGRAMS", bundle.written(programs.stored()))
    script = Script(f"{bundle.parts()}\n{server}\n{TASK}")
    base = {"data": "ring", "seed": 0, "rate": 4e-3, "batch": 256}
    if what == "speed":
        for n, waves, turn, width in [
            (4, 0, 0, 32), (4, 4, 45, 32), (8, 0, 0, 32), (8, 4, 45, 32), (8, 4, 45, 64),
            (16, 4, 45, 32),
        ]:  # fmt: skip
            got = timed(script, layers=[n, waves, turn], width=width, steps=700, warm=200, **base)
            print(f"{n:2}x{width} waves {waves} turn {turn}: {got[1]:.0f} steps/s, "
                  f"{got[2]:.0f} a CPU second", flush=True)  # fmt: skip
    else:
        usual = ["10", "12", "32", "256", "1500", "5e-3"]
        *whole, rate = [*numbers, *usual[len(numbers) :]]
        seeds, layers, width, batch, steps = map(int, whole)
        for seed in range(seeds):
            got = timed(script, layers=[layers, 4, 45], width=width, steps=steps, warm=0,
                        **base | {"seed": seed, "rate": float(rate), "batch": batch})  # fmt: skip
            print(json.dumps([round(v, 3) for v in got]), flush=True)
    script.close()
