"""Trains in Node what the Flow Lab trains in its worker: steps a second, and gaps over seeds.

python benchmarks/lab.py speed
python benchmarks/lab.py ring [seeds] [layers] [width] [batch] [steps] [rate]
python benchmarks/lab.py torch    the Lab's own settings, 20 seeds, here and in torch: lab.json
python benchmarks/lab.py input    in a browser: from an input to the picture, while a flow trains
python benchmarks/lab.py drawn    in a browser: steps a second with everything drawn (Linux)
python benchmarks/lab.py seconds  in a browser: from Train to a gap of 0.1 on the ring, ten seeds
python benchmarks/lab.py memory [minutes]    in a browser: the heap, training after training
python benchmarks/lab.py rival    in a browser: a step of RealNVP 8x32, here and in TensorFlow.js
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import torch
from scipy import stats

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "live"), str(ROOT / "tests" / "lab")]

from lab_node import (  # noqa: E402
    LAB,
    LISTEN,
    SERVER,
    Workshop,
    bundle,
    heap,
    page_gap,
    programs,
    torch_gaps,
)
from live_node import Script  # noqa: E402

from lab import page  # noqa: E402
from tools.browser import FLAGS, find_chromium, serve_folder  # noqa: E402

STORED = ROOT / "benchmarks" / "lab.json"

TASK = """
tasks.timed = ({ layers, width, batch, steps, rate, seed, data, warm }) => {
  const chain = chainOf(layers, width);
  const { sample, log_prob } = readPrograms(programs.data[data]);
  const draw = (random, n) => sample(random.uniforms(2 * n), random.normals(2 * n), 1);
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
    const p = log_prob(part, 1), q = chain.logProb(part);
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
        page = []
        for seed in range(seeds):
            one = settings | {"seed": seed}
            page.append(page_gap(workshop, data, layers, width, one, 20_000))
            print(data, seed, round(page[-1], 4), flush=True)
        torchs = torch_gaps(data, layers, width, settings, list(range(seeds)), 20_000)
        made[data] = {"page": [round(v, 5) for v in page], "torch": [round(v, 5) for v in torchs]}
    workshop.close()
    print(said(made))
    about = {"layers": layers[0], "waves": layers[1], "turn": layers[2], "width": width}
    return {"settings": about | settings | {"held_out": 20_000}, "gaps": made}


def said(gaps: dict) -> str:
    """The same as lines of a table."""
    lines = ["| data | page: mean, sd | torch: mean, sd | p |", "|---|---|---|---|"]
    for data, both in gaps.items():
        shown = [
            f"{stats.tmean(both[k]):.4f}, {stats.tstd(both[k]):.4f}" for k in ("page", "torch")
        ]
        p = stats.ks_2samp(both["page"], both["torch"]).pvalue
        lines.append(f"| {data} | {shown[0]} | {shown[1]} | {p:.2f} |")
    return "\n".join(lines)


# From an input event to the end of the drawing that shows it, in milliseconds.
MOVES = """async ({ count, of }) => {
  const root = document.querySelector("[data-lab]"), { lab } = root, times = [];
  const drawn = () => new Promise((done) => {
    const watch = new MutationObserver(() => { watch.disconnect(); done(performance.now()); });
    watch.observe(root, { attributeFilter: ["data-draws"] });
  });
  const move = {
    way(k) {
      lab.way.value = (k % 50) / 50;
      lab.way.dispatchEvent(new Event("input"));
    },
    probe(k) {
      const key = ["ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"][k % 4];
      lab.plots[1].canvas.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    },
  }[of];
  for (let k = 0; k < count && lab.running; k++) {
    await new Promise((go) => setTimeout(go, 20 + 40 * Math.random()));
    const next = drawn(), start = performance.now();
    move(k);
    times.push((await next) - start);
  }
  return times.slice(20);
}"""


@contextmanager
def opener():
    """`with opener() as open_lab:` `open_lab(state)` opens the Lab in a new tab."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        page.save_html(Path(folder) / "index.html")
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        with serve_folder(Path(folder)) as address:

            def open_lab(state: str):
                tab = browser.new_page(viewport={"width": 1100, "height": 1000})
                tab.goto(f"{address.rstrip('/')}/index.html#flow-lab?{state}")
                return tab

            yield open_lab
        browser.close()


def inputs(count: int = 220) -> list[str]:
    """Rows of a table: what is moved, while how much trains, and how long the picture takes."""
    rows = []
    with opener() as open_lab:
        for flows_, more in (("one flow", ""), ("two flows", "&vs=layers")):
            for of, name in (("way", "slider of the samples"), ("probe", "ring")):
                tab = open_lab(f"steps=6000{more}&train")
                tab.wait_for_function(f"{LAB}?.first.held.length > 1")
                times = sorted(tab.evaluate(MOVES, {"count": count, "of": of}))
                found = [times[int(p * len(times))] for p in (0.5, 0.95)]
                shown = " | ".join(f"{v:.0f}" for v in (*found, times[-1]))
                rows.append(f"| {name}, {flows_} trained | {len(times)} | {shown} |")
                print(rows[-1], flush=True)
                tab.close()
    return rows


# Seconds from a press of Train to the look that finds a gap so small; null where none does.
REACH = f"""async (most) => {{
  const lab = {LAB}, {{ first: run }} = lab, start = performance.now();
  lab.buttons.train.click();
  const now = () => (performance.now() - start) / 1000;
  const ended = () => run.finished && run.held.at(-1)?.[0] === run.done;
  while (!(run.gap <= most) && !ended()) await new Promise((go) => setTimeout(go, 10));
  return run.gap <= most ? now() : null;
}}"""
# Links to flows for the ring, from the Lab's own settings on.
TRIED = {
    "affine, as the Lab begins": "",
    "affine, 1000 steps": "steps=1000&rate=0.01",
    "spline, 4 layers, 500 steps": "coupling=spline&layers=4&steps=500&rate=0.01",
}


def waits(seeds: int = 10, gap: float = 0.1) -> dict:
    """How long a visitor waits for the ring, with everything drawn."""
    found = {}
    with opener() as open_lab:
        for name, state in TRIED.items():
            found[name] = []
            for seed in range(seeds):
                tab = open_lab(f"data=ring&seed={seed}&{state}")
                tab.wait_for_function(f"{LAB}?.ready && {LAB}.first.shown !== null")
                waited = tab.evaluate(REACH, gap)
                found[name].append(waited and round(waited, 2))
                tab.close()
            print(f"{name}: {found[name]}", flush=True)
    return {"seconds": {"gap": gap, **how_busy(), "tried": found}}


def how_busy() -> dict:
    """Under which load a time was measured."""
    return {"load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}


def memory(minutes: float = 10.0) -> dict:
    """Megabytes that the page holds in its first trainings of a long while, and in its last ones:
    its heap, and its process with all workers."""
    sizes, end = [], time.monotonic() + 60 * minutes
    with opener() as open_lab:
        tab = open_lab("data=ring&layers=4&steps=500")
        session = tab.context.new_cdp_session(tab)
        while time.monotonic() < end:
            tab.evaluate(f"{LAB}.fresh(); undefined")
            tab.wait_for_function(f"{LAB}.ready && {LAB}.first.shown !== null")
            tab.evaluate(f"{LAB}.buttons.train.click()")
            tab.wait_for_function(f"{LAB}.first.finished && !{LAB}.looking", timeout=300_000)
            sizes.append([heap(session) / 1e6, resident()])
    quarter = max(1, len(sizes) // 4)
    found = {
        of: [round(statistics.median(row[k] for row in part), 2)
             for part in (sizes[:quarter], sizes[-quarter:])]
        for k, of in enumerate(("heap", "process"))
    }  # fmt: skip
    print(f"{len(sizes)} trainings, MB at first and at the end: {found}")
    return {"memory": {"minutes": minutes, "trainings": len(sizes), "mb": found}}


def processes(columns: str, threads: bool = False) -> list[list[str]]:
    """What `ps` says of each process that we started: its number, its parent's, and more."""
    listed = subprocess.run(["ps", "-eLo" if threads else "-eo", f"pid,ppid,{columns}"],
                            capture_output=True, encoding="utf-8", check=True).stdout  # fmt: skip
    rows = [line.split(None, 1 + len(columns.split(","))) for line in listed.splitlines()[1:]]
    ours = {str(os.getpid())}
    while more := {pid for pid, parent, *_ in rows if parent in ours} - ours:
        ours |= more
    return [row for row in rows if row[0] in ours]


def resident() -> float:
    """Megabytes that the largest of the browser's processes holds: the page and its workers."""
    return max(int(rss) for _, _, rss, name in processes("rss,comm") if "hrom" in name) / 1000


def threads() -> dict[str, tuple[str, float]]:
    """Name, and CPU seconds so far, of each thread of the processes that we started."""
    found = {}
    for pid, _, name, thread in processes("comm,lwp", threads=True):
        stat = Path(f"/proc/{pid}/task/{thread}/stat")
        if stat.exists():
            user, system = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
            found[thread] = name, (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return found


def drawn(seconds: int = 6) -> None:
    """Steps a second of RealNVP 8x32, batch 256, while the page draws all it has; and what the
    drawings cost: all CPU time of the browser but that of the workers."""
    now = f"[{LAB}.first.done, performance.now() / 1000, +{LAB}.root.dataset.draws]"
    with opener() as open_lab:
        tab = open_lab("layers=8&width=32&waves=none&turn=none&batch=256&steps=6000&train")
        while tab.evaluate(now)[0] < 700:
            tab.wait_for_timeout(50)
        start, before = tab.evaluate(now), threads()
        tab.wait_for_timeout(1000 * seconds)
        end, after = tab.evaluate(now), threads()
    steps, wall, draws = (b - a for a, b in zip(start, end, strict=True))
    used = [(name, cpu - before.get(k, (name, 0.0))[1]) for k, (name, cpu) in after.items()]
    worker = max(cpu for name, cpu in used if name.startswith("DedicatedWorker"))
    page_ = sum(cpu for name, cpu in used if not name.startswith("DedicatedWorker")) / draws
    print(f"{steps / wall:.0f} steps a second, {steps / worker:.0f} a CPU second of the worker, "
          f"{draws / wall:.0f} drawings a second, {1000 * page_:.0f} CPU ms each")  # fmt: skip


# Steps from the same weights on the same batch, in turn: milliseconds of each, and both losses of
# the first. What TensorFlow.js trains stays with it, but for the loss. Its gradient has no limit,
# and Adam's means no correction: the Lab's step does more.
BESIDE = """async ({ rounds, steps }) => {
  tf.wasm.setWasmPaths("/node_modules/@tensorflow/tfjs-backend-wasm/dist/");
  await tf.setBackend("wasm");
  await tf.ready();
  const chain = chainOf([8, 0, 0], 32), random = new Random(0), memory = chain.fresh();
  chain.start(random);
  chain.weights.forEach((w, k) => { chain.weights[k] = w + 0.05 * random.normal(); });
  const batch = random.normals(512), x = tf.tensor(batch, [256, 2]), rate = tf.scalar(1e-3);
  const params = chain.layers.flatMap(({ parts, weights }) =>
    parts.map(({ shape }, k) => tf.tensor(weights[k].slice(), shape)));
  let state = [params, params.map((p) => tf.zerosLike(p)), params.map((p) => tf.zerosLike(p))];
  const both = {
    lab() {
      const [loss, gradient] = chain.gradient(batch);
      chain.update(gradient, memory, 1e-3, 5);
      return loss;
    },
    tensorflow() {
      const out = tf.tidy(() => tfStep(...state, x, rate)), loss = out.pop(), n = params.length;
      tf.dispose(state);
      state = [0, 1, 2].map((k) => out.slice(k * n, k * n + n));
      const value = loss.dataSync()[0];
      loss.dispose();
      return value;
    },
  };
  const losses = Object.values(both).map((step) => step());
  const times = { lab: [], tensorflow: [] };
  for (let k = -2; k < rounds; k++) for (const [name, step] of Object.entries(both)) {
    const start = performance.now();
    for (let j = 0; j < steps; j++) step();
    if (k >= 0) times[name].push((performance.now() - start) / steps);
  }
  return [losses, times];
}"""


def rival(rounds: int = 20, steps: int = 40) -> dict:
    """The Lab's step of RealNVP 8x32, batch 256, and that of TensorFlow.js, side by side."""
    import rivals
    from playwright.sync_api import sync_playwright

    rivals.fetch()
    tags = "".join(f'<script src="/{s}"></script>' for s in rivals.SCRIPTS if "tf" in s)
    (rivals.CACHE / "index.html").write_text(f"<!doctype html>{tags}", encoding="utf-8")
    server = SERVER.replace("PROGRAMS", bundle.written(programs.stored()))
    with sync_playwright() as playwright, serve_folder(rivals.CACHE) as address:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        tab = browser.new_page()
        tab.goto(f"{address.rstrip('/')}/index.html")
        tab.add_script_tag(content=f"{bundle.parts()}\n{server}")
        tab.add_script_tag(path=ROOT / "benchmarks" / "tfjs.js")
        losses, times = tab.evaluate(BESIDE, {"rounds": rounds, "steps": steps})
        version = tab.evaluate("tf.version.tfjs")
        browser.close()
    assert abs(losses[0] - losses[1]) < 1e-4, f"the same flow has one loss: {losses}"
    found = {name: round(statistics.median(all_of), 3) for name, all_of in times.items()}
    ratios = [b / a for a, b in zip(times["lab"], times["tensorflow"], strict=True)]
    found |= {"ratio": round(statistics.median(ratios), 2), "version": version, **how_busy()}
    print(f"milliseconds a step, medians of {rounds} rounds: {found}")
    return {"rival": found}


# What is stored.
MEASURES = {"torch": against_torch, "seconds": waits, "memory": memory, "rival": rival}

if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    if what in MEASURES:
        kept = json.loads(STORED.read_text(encoding="utf-8"))
        kept |= MEASURES[what](*map(json.loads, numbers))
        STORED.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        sys.exit()
    if what in ("input", "drawn"):
        print("load {load} on {cores} cores".format(**how_busy()))
        inputs() if what == "input" else drawn()
        sys.exit()
    server = SERVER.replace("PROGRAMS", bundle.written(programs.stored()))
    script = Script(f"{bundle.parts()}\n{server}\n{TASK}\n{LISTEN}")
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
