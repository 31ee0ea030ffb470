// The Flow Lab: choose data and a flow, train it, watch.
const FINE = 96, COARSE = 52, HELD = 1000, SHOWN = { seed: 11, count: 800 };
const RATES = [1e-4, 3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 3e-2, 1e-1, 3e-1];
const menu = (name, label, pairs, value) => ({ name, label, kind: "menu", options: pairs.map((p) => `${p[0]}`),
  values: pairs.map((p) => p[1]), numbers: pairs.map((p) => p[1]), value });
const whole = (name, label, min, max, value) => ({ name, label, kind: "int", min, max, step: 1, value });
const same = (values) => values.map((v) => [v, v]);

const parametersOf = ({ data, bases, couplings, waves, turns, noises }) => [
  menu("data", "Data", [...Object.entries(data).map(([k, d]) => [d.label, k]), ["Your own drawing", "drawn"]], "ring"),
  whole("layers", "Layers", 1, 16, 12),
  menu("coupling", "Couplings", same(Object.keys(couplings)), "affine"),
  menu("width", "Width", same([8, 16, 32, 64]), 32),
  menu("waves", "Fourier features", waves.map((n) => [n || "none", n]), 4),
  menu("turn", "Turn", [["none", 0], ...Object.keys(turns).map((d) => [`${d}°`, +d])], 45),
  menu("rate", "Learning rate", RATES.map((r) => [r, r]), 5e-3),
  menu("schedule", "Schedule", [["rises and falls", 1], ["stays", 0]], 1),
  menu("steps", "Steps", same([500, 1000, 1500, 3000, 6000]), 1500),
  menu("batch", "Batch", same([64, 128, 256, 512]), 256),
  menu("points", "Points", [["always new", 0], ...same([50, 100, 500, 2000])], 0),
  menu("noise", "Noise", noises.map((n) => [n === 1 ? "as it is" : `${n} times`, n]), 1),
  menu("base", "Base", Object.entries(bases).map(([k, b]) => [b.label, k]), "normal"),
  whole("seed", "Seed", 0, 99, 0),
];
const FIRST = 7; // the others are put away
// A second flow beside the first: what it differs in, and its value of that.
const SECOND = { layers: 4, coupling: "spline", width: 8, waves: 0, turn: 0, rate: 1e-3, base: "student" };
const comparing = (params) => {
  const those = params.filter((p) => p.name in SECOND);
  return [menu("vs", "It differs in", [["nothing: no second flow", ""], ...those.map((p) => [p.label, p.name])], ""),
    ...those.map((p) => ({ ...p, name: `${p.name}2`, label: `${p.label}, second flow`, value: SECOND[p.name] }))];
};

// The value of a parameter that a text means, if it means one.
function meant(p, text) {
  const model = new PageModel([]);
  setFromText(model, p, text);
  return model.get(p.name);
}
// What a link asks for that the Lab does not know: parameters, or values of them.
const BESIDES = { drawn: /^[\w-]*$/, rates: /^(\d+-[\d.e-]+(_|$))*$/, at: /^\d+$/, train: /^$/ };
function strangeIn(params, text) {
  return [...new URLSearchParams(text)].filter(([name, value]) => {
    const p = params.find((q) => q.name === name), taken = p && meant(p, value);
    return p ? taken === undefined || (p.kind === "int" && taken !== +value) : !BESIDES[name]?.test(value);
  }).map((pair) => pair.join("="));
}

// Whether a run was on a data set with the noise of its own.
const on = ({ settings }, data) => settings.data === data && settings.noise === 1;
// What one may try. `solved` looks at: settings, done, train (mean of the last batches), nll, start
// (the NLL there), gap, strays, size (number of weights), jumps.
const MISSIONS = [
  { text: "Learn fifty points by heart: bring the training loss a whole nat below the held-out loss.",
    state: "data=ring&points=50&steps=3000", solved: (s) => s.settings.points === 50 && s.done > 100 && s.train < s.nll - 1 },
  { text: "A small flow for the ring: fewer than 3000 weights, and a gap below 0.2 nats.",
    state: "data=ring&points=always+new&noise=as+it+is&width=16&layers=2&steps=3000",
    solved: (s) => on(s, "ring") && s.size < 3000 && s.gap !== null && s.gap < 0.2 },
  { text: "Make the bridges vanish: on the ring, fewer than 2 % strays.",
    state: "data=ring&points=always+new&noise=as+it+is&waves=none&turn=none",
    solved: (s) => on(s, "ring") && s.done > 100 && s.strays !== null && s.strays < 0.02 },
  { text: "The two moons, to within 0.03 nats.", state: "data=moons&points=always+new&noise=as+it+is&layers=2",
    solved: (s) => on(s, "moons") && s.gap !== null && s.gap < 0.03 },
  { text: "Make a training explode, and see it go back.", state: "data=spiral&points=always+new", solved: (s) => s.jumps > 0 },
  { text: "Draw a hundred points or more, and bring their held-out loss down by a nat.",
    state: "data=Your+own+drawing", solved: (s) => s.settings.data === "drawn" && s.drawn >= 100 && s.nll < s.start - 1 },
];

const PATIENCE = 6, MOST_LOST = 5; // seconds of silence, and how many workers, until one gives up

// One training: its flow and what is known of it, its curves, and the worker that trains it.
class Run {
  // said: names it in messages.
  constructor(lab, said) {
    Object.assign(this, { lab, said, fails: 0, turn: 0 });
    this.clear();
  }

  // Nothing is trained yet.
  clear() {
    Object.assign(this, { done: 0, losses: [], held: [], wentBack: [], weights: null, kept: null, shown: null, gap: null, ledger: null, modes: null, strays: null, nll: undefined,
      untrained: null, start: undefined, finished: false, exploded: false, running: false, speed: 0, rate: undefined, rates: null });
  }

  // A new training. plan: other rates, and their first steps.
  make({ batch, schedule, steps, seed, rate, ...flow }, plan) {
    const { lab } = this, settings = { batch, clip: 5, schedule: !!schedule, steps, seed, rates: [[0, rate], ...plan] };
    Object.assign(this, { epoch: lab.epoch, flowNow: lab.flow(flow), settings });
    this.begin();
  }

  // From the state that was kept, or from the start; its curves end there.
  begin(running = false) {
    const { kept, flowNow: model, epoch, settings } = this, rates = this.rates ?? settings.rates;
    Object.assign(this, { done: kept?.done ?? 0, finished: false });
    for (const name of ["losses", "held"]) this[name] = this[name].filter(([at]) => at <= this.done);
    this.tell({ do: "make", model, epoch, data: this.lab.trainData, state: kept, settings: { ...settings, rates } });
    if (running) this.train(this.orders);
  }

  // To its worker: a new one, if there is none.
  tell(message) {
    if (!this.host || this.host.ended) {
      this.host = new Host(this.lab.address, (answer) => this.hear(answer), (why) => this.recover(why), PATIENCE * 2 ** this.fails);
      if (message.do !== "make") this.begin(); // (the old one was given up)
    }
    this.host.send(message);
  }

  // As `orders` say.
  train(orders) {
    this.running = !this.finished;
    this.since = [performance.now(), this.done];
    this.orders = { ...orders, turn: ++this.turn };
    this.tell(this.orders);
  }

  hear(answer) {
    const { lab } = this;
    if (answer.epoch !== this.epoch || this.epoch !== lab.epoch) return;
    if (answer.is === "state") { this.kept = answer.state; return; }
    if (answer.is !== "progress") return;
    const { done, loss, weights, rate, rates, wentBack, exploded, finished, running, turn } = answer, of = this.said && ` of${this.said}`;
    if (loss !== null) this.goOn("losses", [done, loss]);
    if (wentBack.length > this.wentBack.length) lab.note = `At step ${wentBack.at(-1)} the loss${of} exploded: back to the last good state, and on with smaller steps.`;
    if (exploded) lab.note = `The loss${of} exploded again and again. The weights are the last good ones: choose a smaller rate, or Train goes on from here.`;
    if (this.since && done > this.since[1]) {
      const now = performance.now();
      if (now - this.since[0] > 500) { this.speed = ((done - this.since[1]) / (now - this.since[0])) * 1000; this.since = [now, done]; }
    }
    Object.assign(this, { done, weights, rate, rates, wentBack, exploded, finished });
    if (!done) this.untrained = weights;
    lab.stale = true;
    if (done && !running) this.tell({ do: "state" }); // (to go on from here, should it be lost)
    if (this.running && !running && turn === this.turn) { // (not: at an order before the last one)
      this.running = false;
      lab.atRest();
    }
    lab.look();
    lab.redraw();
  }

  // Its worker was lost: a new one goes on.
  recover(why) {
    const { lab, kept, running } = this, who = `The worker that trains${this.said}`;
    this.fails++;
    if (this.fails > MOST_LOST) { lab.giveUp(who); return; }
    lab.tell(`${who} was lost (${why}). ${kept ? `A new one goes on from step ${kept.done}.` : "A new one starts again."}`);
    if (lab.ready) this.begin(running);
  }

  // A curve goes on by a point, (step, nats); of many points each second one stays.
  goOn(name, point) {
    this[name].push(point);
    if (this[name].length > 1500) this[name] = this[name].filter((_, k) => k % 2);
  }

  end() { this.host?.end(); }
}

const NOTHING = new Float32Array(0);
// Samples and net where they are at t, from 0 (noise) to 1.
function onTheWay(shown, t, suffix) {
  return Object.fromEntries(["samples", "across", "up"].map((name) => {
    const steps = shown?.[name], last = (steps?.length ?? 0) - 1, at = Math.max(0, Math.min(last - 1, Math.floor(t * last)));
    return [name + suffix, steps ? steps[at].map((v, i) => v + (t * last - at) * (steps[at + 1][i] - v)) : NOTHING];
  }));
}

// A function that makes nothing new as long as it is asked the same.
function keeping(make) {
  let asked = [], made;
  return (...now) => {
    if (now.length !== asked.length || now.some((v, k) => v !== asked[k])) [asked, made] = [now, make(...now)];
    return made;
  };
}
// Steps and nats of a curve. (`last`: its last point, new when it has grown.)
const curveOf = () => keeping((points, last) => [0, 1].map((d) => points?.map((p) => p[d]) ?? []));

const FILM = { side: 480, seconds: 5 };
const mark = (kind, more) => ({ kind, color: "blue", width: 1.5, size: 1.3, alpha: 1, ...more });
const panelsOf = (reach) => {
  const square = { x: "", y: "", xlim: [-reach, reach], ylim: [-reach, reach], equal: true, aspect: 1, width: 1 };
  const field = (value) => mark("heat", { value, extent: [-reach, reach, -reach, reach], palette: "density", limits: [0, 1], show: `${value}There` });
  return [
    { ...square, title: "Data", marks: [field("exact"), mark("points", { xy: "data", color: "orange", size: 1.2, alpha: 0.7 })] },
    { ...square, title: "Density of the flow", probe: ["px", "py"], marks: [field("density")] },
    { ...square, title: "Samples on their way", marks: [
      mark("line", { x: "across", color: "light", width: 0.8 }), mark("line", { x: "up", color: "light", width: 0.8 }),
      mark("points", { xy: "samples", alpha: 0.8 })] },
    { title: "Negative log-likelihood, nats a point", x: "steps", y: "", xlim: [0, 1], ylim: [0, 1], equal: false, aspect: 0.5, width: 2, marks: [
      mark("line", { x: "trainX", y: "trainY", width: 1, label: "training" }),
      mark("line", { x: "heldX", y: "heldY", color: "orange", width: 2, label: "held out" }),
      mark("line", { x: "train2X", y: "train2Y", width: 1, color: "pink", label: "second flow: training" }),
      mark("line", { x: "held2X", y: "held2Y", color: "green", width: 2, dash: true, label: "second flow: held out" }),
      mark("line", { x: "beforeX", y: "beforeY", color: "gray", width: 1.5, label: "held out, the run before" }),
      mark("rule", { y: "entropy", color: "ink", dash: true, label: "entropy: no flow gets below", show: "known" })] },
    { title: "log p at the ring, nats", x: "", y: "", xlim: [-10, 2], ylim: [2, -1], equal: false, aspect: 0.8, width: 1,
      categories: [], marks: [mark("waterfall", { value: "terms", negative: "orange", labels: [], total: "log p(x)" })] },
    { ...square, title: "", marks: [mark("heat", { ...field("density"), value: "density2", show: "density2There" })] },
    { ...square, title: "", marks: [
      mark("line", { x: "across2", color: "light", width: 0.8 }), mark("line", { x: "up2", color: "light", width: 0.8 }),
      mark("points", { xy: "samples2", color: "green", alpha: 0.8 })] },
  ];
};

const PLACES = ["lab-data", "lab-density", "lab-samples", "lab-curve", "lab-terms", "lab-density2", "lab-samples2"];

class Lab {
  // address: of the script of the workers.
  constructor(root, settings, address) {
    Object.assign(this, { root, settings, address, reach: settings.extent, epoch: 0, failures: 0, looking: false, ready: false, note: "", begun: [] });
    this.first = new Run(this, "");
    this.second = null;
    this.params = parametersOf(settings);
    this.params.push(...comparing(this.params));
    this.model = new PageModel([...this.params, { name: "px", value: 3 }, { name: "py", value: 0 }, { name: "t", value: 1 }]);
    this.ways = [keeping(onTheWay), keeping(onTheWay)];
    this.curves = Array.from({ length: 5 }, curveOf);
    this.points = keeping((points) => Float32Array.from(points));
    this.fine = this.cells(FINE);
    this.coarse = this.cells(COARSE);
    [this.across, this.up] = this.net();
    this.build();
    this.read(location.hash);
    this.fresh();
    root.lab = this; // for tests, and the curious
  }

  // ------------------------------------------------------------------------------- what is there

  build() {
    const { root, params, model } = this;
    root.textContent = "";
    root.classList.add("live-figure", "lab");
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "Flow Lab");
    // (Keys are ours, not the notebook's: it asks the very element that has the focus.)
    root.addEventListener("focusin", ({ target }) => { target.dataset.lmSuppressShortcuts = "true"; });
    const tools = element("div", "lab-tools", root);
    this.buttons = {};
    const button = (name, text, action, parent = tools) => {
      const made = element("button", "", parent, text);
      made.type = "button";
      made.addEventListener("click", () => action(made));
      return (this.buttons[name] = made);
    };
    button("train", "Train", () => (this.running ? this.pause() : this.train())).className = "lab-main";
    button("step", "Step", () => this.step());
    const slow = button("slow", "Slow", () => {
      const on = slow.getAttribute("aria-pressed") !== "true";
      slow.setAttribute("aria-pressed", on);
      if (this.running) this.train();
    });
    slow.setAttribute("aria-pressed", "false");
    button("reset", "Reset", () => this.fresh());
    button("restart", "Restart", () => { this.restart(); this.buttons.train.focus(); }).hidden = true;
    this.status = element("p", "lab-status", root);
    this.spoken = element("div", "live-spoken", root);
    this.spoken.setAttribute("aria-live", "polite");
    this.panels = element("div", "live-panels", root);
    const table = element("tbody", "", element("table", "lab-ledger", root));
    this.ledger = ["Gap, nats", "Weights of the modes"].map((text) => {
      const row = element("tr", "", table);
      element("th", "", row, text).scope = "row";
      return element("td", "", row);
    });
    this.plots = panelsOf(this.reach).map((p) => new Plot(p, this.panels));
    const words = ["data and their exact density", "probability density of the flow", "samples and a bent grid",
      "training and held-out loss over the steps", "terms of the log-density at the probe",
      "probability density of the second flow", "samples of the second flow and a bent grid"];
    this.plots.forEach((plot, k) => {
      plot.root.classList.add(PLACES[k]);
      plot.said = words[k];
      plot.canvas.setAttribute("aria-label", `${plot.spec.title}: ${words[k]}`);
      if (plot.spec.width > 1) plot.root.classList.add("lab-wide");
    });
    this.plots[1].root.after(this.plots[5].root);
    this.plots[2].root.after(this.plots[6].root);
    const way = element("div", "lab-way", this.plots[2].root);
    const slider = element("input", "", way);
    Object.assign(slider, { type: "range", min: 0, max: 1, step: 0.002, value: 1 });
    slider.setAttribute("aria-label", "Way of the samples through the layers");
    slider.addEventListener("input", () => { model.set("t", slider.valueAsNumber); this.redraw(); });
    this.way = slider;
    this.wayText = element("output", "", way);
    this.addDrawing();
    const controls = element("div", "live-controls lab-controls", root), fold = element("details", "live-fold", root);
    element("summary", "", fold, "More settings");
    const inner = element("div", "live-controls lab-controls", fold), beside = element("details", "live-fold", root);
    element("summary", "", beside, "A second flow, on the same data");
    this.choices = {};
    const choice = element("div", "live-controls lab-controls", beside), second = params.findIndex((p) => p.name === "vs");
    params.forEach((p, k) => {
      addControl(p, model, k < FIRST ? controls : k < second ? inner : choice);
      if (k >= second) this.choices[p.name] = choice.lastElementChild;
      model.on(`change:${p.name}`, () => this.changed(p.name));
    });
    this.addMissions();
    this.addPython();
    const away = element("div", "lab-tools lab-away", root);
    button("link", "Copy link", () => this.copyLink(), away);
    button("png", "Picture (PNG)", () => this.savePicture(), away);
    button("film", "Film of the samples", () => this.saveFilm(), away);
    button("csv", "Samples (CSV)", () => this.saveSamples(), away);
    const range = { min: -this.reach, max: this.reach, step: 0.05, kind: "float" };
    const probe = [{ ...range, name: "px", label: "x1 of the probe" }, { ...range, name: "py", label: "x2 of the probe" }];
    addProbe(this.plots[1], probe, model);
    for (const p of probe) model.on(`change:${p.name}`, () => { this.stale = true; this.look(); this.redraw(); });
    this.fit = true;
    const size = new ResizeObserver(() => { this.fit = true; this.redraw(); }), clock = setInterval(() => this.watch(), 1000);
    size.observe(root);
    const moved = () => { if (this.read(location.hash)) this.fresh(); };
    const shown = () => (document.hidden ? this.unseen() : this.seenAgain());
    addEventListener("hashchange", moved);
    document.addEventListener("visibilitychange", shown);
    const onPaper = () => { this.printing = true; this.draw(); }, onScreen = () => { this.printing = false; this.draw(); };
    addEventListener("beforeprint", onPaper);
    addEventListener("afterprint", onScreen);
    this.stops = [watchMode(() => this.redraw()), watchDensity(() => { this.fit = true; this.redraw(); }), () => {
      size.disconnect();
      clearInterval(clock);
      removeEventListener("hashchange", moved);
      document.removeEventListener("visibilitychange", shown);
      removeEventListener("beforeprint", onPaper);
      removeEventListener("afterprint", onScreen);
    }];
  }

  // Takes the Lab down.
  remove() {
    for (const stop of this.stops) stop();
    this.stopped();
    this.epoch++;
    for (const run of [this.first, this.other]) run?.end();
    this.viewer?.end();
    this.root.remove();
  }

  cells(side) {
    const made = new Float32Array(2 * side * side), { reach } = this;
    for (let i = 0, k = 0; i < side; i++) for (let j = 0; j < side; j++) {
      made[k++] = -reach + (2 * reach * j) / (side - 1);
      made[k++] = -reach + (2 * reach * i) / (side - 1);
    }
    return made;
  }

  // Lines of latent space, 13 in each direction, 61 points a line.
  net(lines = 13, along = 61, far = 3) {
    const at = (k, n) => -far + (2 * far * k) / (n - 1), across = [], up = [];
    for (let i = 0; i < lines; i++) for (let j = 0; j < along; j++) {
      across.push(at(j, along), at(i, lines));
      up.push(at(i, lines), at(j, along));
    }
    return [Float32Array.from(across), Float32Array.from(up)];
  }

  // ------------------------------------------------------------------------------ drawing one's own

  addDrawing() {
    this.surface = new Surface(this.plots[0], {
      root: this.root, inked: () => this.redraw(), say: (words) => this.say(words), failed: (words) => this.tell(words),
      drew: () => (this.model.get("data") === "drawn" ? this.fresh() : this.model.set("data", "drawn")),
    });
  }

  get drawn() { return this.surface.points; }

  // -------------------------------------------------------------------------------- state and link

  now() { return Object.fromEntries(this.params.map((p) => [p.name, this.model.get(p.name)])); }

  read(hash) {
    const [, name, text] = /^#([^?]*)\?(.*)$/.exec(hash) ?? [];
    if (name !== this.root.id) return false;
    this.take(text);
    const { top } = this.root.getBoundingClientRect();
    if (top < 0 || top > innerHeight / 2) this.root.scrollIntoView({ block: "start" });
    return true;
  }

  // A state as text, as in a link.
  take(text) {
    const state = new URLSearchParams(text);
    const strange = strangeIn(this.params, text).join(", ");
    this.strange = strange && `The link asks for what the Lab does not know: ${strange}.`;
    this.reading = true;
    for (const p of this.params) {
      this.model.set(p.name, p.value); // what is not named is as at first
      if (state.has(p.name)) setFromText(this.model, p, state.get(p.name));
    }
    this.reading = false;
    // A mission is under way where all its settings are given.
    const given = ([name, value]) => this.model.get(name) === meant(this.params.find((p) => p.name === name), value);
    this.begun = MISSIONS.filter((m) => [...new URLSearchParams(m.state)].every(given));
    this.showMissions();
    if (state.has("drawn")) this.surface.takeText(state.get("drawn"));
    const rates = (state.get("rates") ?? "").split("_").map((t) => t.split("-").map(Number));
    this.plan = rates.filter((r) => r.length === 2 && r.every(Number.isFinite));
    this.goal = Math.max(0, Math.floor(+state.get("at")) || 0);
    if (state.has("train")) this.goal = Infinity;
  }

  link() {
    const vs = this.model.get("vs"), named = this.params.filter(({ name }) => !/^vs$|2$/.test(name) || (vs && [`${vs}2`, "vs"].includes(name)));
    const state = new URLSearchParams(named.map((p) => [p.name, asText(p, this.model.get(p.name))]));
    if (this.model.get("data") === "drawn") state.set("drawn", this.surface.text);
    const { rates, done } = this.first;
    if (rates?.length > 1) {
      state.set("rate", rates[0][1]); // (the menu shows the last one)
      state.set("rates", rates.slice(1).map((r) => r.join("-")).join("_"));
    }
    if (done) state.set("at", done);
    return `${location.href.split("#")[0]}#${this.root.id}?${state}`;
  }

  async copyLink() {
    const address = this.link();
    this.root.querySelector(".live-link")?.remove();
    try {
      await navigator.clipboard.writeText(address);
      this.tell("The link is copied: it opens the Lab with these settings, trained as far as here.");
    } catch {
      const shown = Object.assign(element("input", "live-link", this.root), { readOnly: true, value: address });
      shown.setAttribute("aria-label", "Link to this state");
      shown.focus();
      shown.select();
    }
  }

  changed(name) {
    if (this.reading) return;
    const vs = this.model.get("vs");
    if (/2$/.test(name) && name !== `${vs}2`) return;
    this.plan = [];
    if (name === "rate" && this.first.done) this.order({ do: "rate", rate: this.model.get("rate") }, vs === "rate" ? [this.first] : this.runs);
    else { this.goal = 0; this.fresh(); }
  }

  // ------------------------------------------------------------------------------------- the flow

  flow({ layers, coupling, width, waves, turn, base } = this.now()) {
    const made = [];
    for (let i = 0; i < layers; i++) {
      if (turn && i) made.push({ kind: "turn", given: this.settings.turns[turn].map((v) => Float32Array.from(v)) });
      made.push({ kind: `${coupling}${waves}${i % 2 ? "flipped" : ""}` });
    }
    return { layers: made, width, base };
  }

  // The trainings: one, or two.
  get runs() { return this.second ? [this.first, this.second] : [this.first]; }

  // To them, once they are made.
  order(message, runs = this.runs) { if (this.ready) for (const run of runs) run.tell(message); }

  // When all have stopped.
  atRest() {
    if (this.runs.some((run) => run.running)) return;
    this.stopped();
    this.say(this.first.finished ? "the training is at its end" : "stopped");
  }

  // A new flow with the settings of now, and nothing trained yet: two, if one is to differ. What is
  // ordered until they are made is done then (`goal`).
  async fresh() {
    const epoch = ++this.epoch, { data, points, seed, noise, vs } = this.now(), source = { name: data, more: [noise] };
    this.stopped();
    this.order({ do: "pause" });
    this.ready = false;
    this.remember(source);
    if (!this.viewer || this.viewer.ended) this.seeAnew();
    const own = data === "drawn";
    this.enough = !own || this.drawn.length >= 20;
    this.buttons.train.disabled = this.buttons.step.disabled = !this.enough;
    if (this.second && !vs) this.second.end(); // (it need not compute in vain)
    this.second = vs ? (this.other ??= new Run(this, " the second flow")) : null;
    for (const run of this.runs) run.clear();
    this.note = this.strange ?? "";
    this.strange = "";
    for (const [name, box] of Object.entries(this.choices)) box.hidden = name !== "vs" && name !== `${vs}2`;
    this.root.classList.toggle("lab-vs", !!vs);
    for (const k of [5, 6]) this.plots[k].root.hidden = !vs;
    this.plots[3].spec.aspect = vs ? 0.3 : 0.5;
    this.name(vs);
    this.surface.show(own);
    this.root.classList.toggle("lab-own", own);
    this.fit = true;
    const info = this.settings.data[data];
    this.root.querySelector("[data-param=noise]").disabled = !info?.noisy;
    const few = own ? Float32Array.from(this.drawn) : points ? await this.viewer.ask({ do: "sample", source, seed: seed + 1000, count: points }) : null;
    if (epoch !== this.epoch) return;
    this.entropy = own ? null : info.entropy[noise];
    this.data = few ?? (await this.viewer.ask({ do: "sample", source, seed: 777, count: 2000 }));
    const pool = own ? null : await this.viewer.ask({ do: "sample", source, seed: 4242, count: HELD });
    if (epoch !== this.epoch) return;
    this.pool = pool;
    if (own) { // a fifth is held out
      const n = this.data.length / 2, train = [], held = [];
      for (let k = 0; k < n; k++) (k % 5 === 4 ? held : train).push(this.data[2 * k], this.data[2 * k + 1]);
      this.pool = Float32Array.from(held);
      this.trained = Float32Array.from(train);
    }
    this.exact = null;
    if (!own) {
      const [field, there] = await Promise.all([
        this.viewer.ask({ do: "exact", source, points: this.fine }),
        this.viewer.ask({ do: "exact", source, points: this.pool }),
      ]);
      if (epoch !== this.epoch) return;
      this.exact = field.map(Math.exp);
      this.exactThere = there;
      this.rare = there.slice().sort()[Math.floor(there.length / 1000)];
    }
    this.source = source;
    this.trainData = own ? this.trained : points ? this.data : source;
    const now = this.now(), plan = this.plan ?? [];
    this.first.make(now, plan);
    this.second?.make({ ...now, [vs]: now[`${vs}2`] }, vs === "rate" ? [] : plan);
    this.ready = true;
    if (this.enough && this.goal) this.train(this.goal); else this.stopped();
    this.goal = 0;
    this.redraw();
  }

  // Titles say which flow is which.
  name(vs) {
    const said = (name) => { const p = this.params.find((q) => q.name === name); return `${p.label.split(",")[0]}: ${asText(p, this.model.get(name))}`; };
    const [one, two] = vs ? [` · ${said(vs)}`, ` · ${said(`${vs}2`)}`] : ["", ""];
    const titles = { 1: `Density${one || " of the flow"}`, 2: `Samples${one || " on their way"}`, 4: `log p at the ring${one || ", nats"}`, 5: `Density${two}`, 6: `Samples${two}` };
    for (const [k, title] of Object.entries(titles)) {
      const { spec, root, canvas, said } = this.plots[k], label = canvas.getAttribute("aria-label");
      spec.title = title;
      root.querySelector(".live-title").textContent = title;
      canvas.setAttribute("aria-label", title + label.slice(label.indexOf(`: ${said}`))); // (what keys do stays)
    }
    const text = vs ? `two flows: ${said(vs)}, and ${said(`${vs}2`)}` : "one flow";
    if (this.howMany && text !== this.howMany) this.say(text);
    this.howMany = text;
  }

  // The curve of the run before stays, to compare with: of the same data.
  remember(source) {
    const of = JSON.stringify(source);
    if (this.first.held.length > 1) this.before = this.first.held;
    if (this.heldOf !== of || source.name === "drawn") this.before = null;
    this.heldOf = of;
  }

  train(to = Infinity) {
    if (!this.enough) return;
    if (this.ready && this.runs.every((run) => run.finished)) { this.tell("This training is at its end: Reset begins another one, more steps make it longer."); return; }
    this.running = true;
    write(this.buttons.train, "Pause");
    const slow = this.buttons.slow.getAttribute("aria-pressed") === "true";
    if (this.ready) for (const run of this.runs) run.train({ do: "run", pace: slow ? 250 : 0, to });
    else this.goal = to;
    this.say("training");
  }

  step() {
    this.stopped();
    if (this.ready) this.order({ do: "step" });
    else this.goal = 1;
  }

  stopped() {
    this.running = false;
    for (const run of this.runs) run.running = false;
    write(this.buttons.train, "Train");
  }

  pause() {
    this.stopped();
    this.order({ do: "pause" });
    if (!this.ready) this.goal = 0;
  }

  // Every second: keep a copy, and see whether the workers still answer. (Where nobody looks, a page
  // and its workers may rest.)
  watch() {
    const hosts = [...this.runs.map((run) => run.host), this.viewer].filter(Boolean);
    if (!document.hidden) this.order({ do: "state" }, this.runs.filter((run) => run.running));
    for (const host of hosts) document.hidden ? (host.silence = 0) : host.watch();
    const silence = Math.max(0, ...hosts.map((host) => (host.ended ? 0 : host.silence))), silent = silence >= PATIENCE / 2;
    if (silent && !this.silence) this.say("A worker does not answer. Restart replaces it.");
    this.silence = silent ? silence : 0;
    this.tellState();
  }

  // Nobody looks from now on.
  unseen() { this.away = this.running && [Date.now(), this.first.done, this.first.speed]; }

  // Somebody looks again: did the training go on meanwhile?
  seenAgain() {
    const { away, first } = this, [since, at, speed] = away || [Infinity], seconds = (Date.now() - since) / 1000;
    this.away = null;
    this.redraw();
    if (!(seconds > 5)) return;
    const went = !this.running || first.done - at > 0.5 * speed * seconds;
    this.tell(went ? `Out of sight the training went on, from step ${at} to ${first.done}.` : `This tab slept from step ${first.done} on: it goes on now.`);
  }

  // Workers that are gone, or that owe an answer, are replaced.
  restart() {
    Object.assign(this, { lost: false, failures: 0, silence: 0 });
    for (const run of this.runs) {
      run.fails = 0;
      if (run.host?.ended) run.begin(); else if (run.host?.silence) run.host.lose("it was restarted");
    }
    if (this.viewer.ended) this.seeAgain(); else if (this.viewer.silence) this.viewer.lose("it was restarted");
    this.tellState();
  }

  giveUp(who) {
    this.lost = true;
    this.stopped();
    this.tell(`${who} was lost too often. Restart tries once more.`);
  }

  // The worker that computes the pictures was lost.
  blind(why) {
    const who = "The worker that computes the pictures";
    this.failures++;
    if (this.failures > MOST_LOST) { this.giveUp(who); return; }
    this.seeAgain();
    this.tell(`${who} was lost (${why}). A new one goes on.`);
  }

  seeAnew() {
    const before = this.viewer;
    this.viewer = new Host(this.address, null, (why) => this.blind(why), PATIENCE * 2 ** this.failures);
    before?.handOver(this.viewer);
    Object.assign(this, { looking: false, stale: true });
  }

  seeAgain() {
    this.seeAnew();
    this.ready ? this.look() : this.fresh(); // (which waited for it)
  }

  // Asks for what is shown of the weights of now, one request at a time. While a training runs it
  // rests in between, so that two cores are enough.
  async look() {
    if (this.looking || !this.first.weights || !this.stale || !this.viewer) return;
    this.looking = true;
    const start = performance.now(), { epoch, viewer } = this;
    this.stale = false;
    for (const run of this.runs) if (run.weights && epoch === this.epoch) await this.lookAt(run);
    if (this.running) await new Promise((go) => setTimeout(go, Math.min(300, 1.5 * (performance.now() - start))));
    if (viewer !== this.viewer) return; // (another one looks already)
    this.looking = false;
    this.look();
  }

  async lookAt(run) {
    const { epoch, pool, viewer } = this, { done, weights, flowNow: model } = run;
    const wanted = { density: ["logProb", this.running ? this.coarse : this.fine], samples: ["samples", SHOWN], across: ["decode", this.across], up: ["decode", this.up] };
    if (run === this.first) wanted.probe = ["encode", Float32Array.of(this.model.get("px"), this.model.get("py"))];
    if (pool?.length) wanted.held = ["logProb", pool];
    if (this.exact && ArrayBuffer.isView(this.trainData)) wanted.own = ["logProb", this.trainData];
    const made = await viewer.ask({ do: "view", model, weights, wanted });
    const away = this.exact && (await viewer.ask({ do: "exact", source: this.source, points: made.samples.at(-1) }));
    // Where it started is known, though the first look may come when many steps are done.
    const late = wanted.held && run.start === undefined && done && run.untrained;
    const first = late && (await viewer.ask({ do: "view", model, weights: run.untrained, wanted: { held: wanted.held } }));
    if (epoch !== this.epoch) return;
    if (first) run.start = -first.held.reduce((a, b) => a + b, 0) / first.held.length;
    this.measure(run, made, done, away);
    if (made.probe) this.takeApart(run, made.probe);
    if (run === this.first) this.judge();
    this.redraw();
  }

  // What is shown of a flow, and how good it is.
  measure(run, made, done, away) {
    const kinds = run.flowNow.layers.map((l) => l.kind);
    // A turn and the coupling after it are one layer to those who watch.
    const ends = [0, ...kinds.flatMap((kind, k) => (kind === "turn" ? [] : [k + 1]))];
    for (const name of ["samples", "across", "up"]) made[name] = ends.map((k) => made[name][k]);
    run.shown = { ...made, density: made.density.map(Math.exp) };
    if (made.held) {
      let sum = 0, gap = 0;
      for (let i = 0; i < made.held.length; i++) { sum -= made.held[i]; if (this.exact) gap += this.exactThere[i] - made.held[i]; }
      run.nll = sum / made.held.length;
      run.gap = this.exact ? gap / made.held.length : null;
      // As chapter 5 splits it: what is not learned of the points trained on, and what is not true of others.
      const others = made.own ? run.nll + made.own.reduce((a, b) => a + b, 0) / made.own.length : 0;
      run.ledger = this.exact && [run.gap - others, others];
      run.start ??= run.nll;
      if (run.held.at(-1)?.[0] !== done) run.goOn("held", [done, run.nll]);
    }
    const modes = this.settings.modes[this.model.get("data")];
    run.modes = modes ? this.share(made.samples.at(-1), modes) : null;
    run.strays = away ? away.reduce((n, p) => n + (p < this.rare), 0) / away.length : null;
  }

  // Shares of the samples to which each mode is the nearest.
  share(samples, modes) {
    const counts = modes.map(() => 0);
    for (let i = 0; i < samples.length; i += 2) {
      const far = modes.map(([x, y]) => (samples[i] - x) ** 2 + (samples[i + 1] - y) ** 2);
      counts[far.indexOf(Math.min(...far))] += 2 / samples.length;
    }
    return counts;
  }

  // Terms of the log-density at the probe.
  takeApart(run, [, logDets, base]) {
    const kinds = run.flowNow.layers.map((l) => l.kind), terms = [base[0]], labels = ["log p(z)"];
    logDets.forEach((d, k) => {
      const at = kinds.length - 1 - k;
      if (kinds[at] === "turn") return; // it adds 0
      terms.push(d[0]);
      labels.push(`layer ${kinds.slice(0, at + 1).filter((n) => n !== "turn").length}`);
    });
    Object.assign(run.shown, { terms: Float32Array.from(terms), labels });
  }

  // -------------------------------------------------------------------------------------- missions

  addMissions() {
    const fold = element("details", "live-fold", this.root), list = element("ol", "lab-missions");
    this.missionsText = element("summary", "", fold);
    fold.append(list);
    try { this.solved = new Set(JSON.parse(localStorage.getItem("flow-lab-solved") ?? "[]")); } catch { this.solved = new Set(); }
    this.missionMarks = MISSIONS.map(({ text, state }) => {
      const item = element("li", "", list, `${text} `), start = element("button", "", item, "Start");
      start.type = "button";
      start.setAttribute("aria-label", `Start: ${text}`);
      start.addEventListener("click", () => {
        this.take(state);
        this.fresh();
      });
      return element("strong", "", item);
    });
    this.showMissions();
  }

  showMissions() {
    write(this.missionsText, `Missions: ${this.solved.size} of ${MISSIONS.length} solved`);
    this.missionMarks.forEach((m, k) => { write(m, this.solved.has(k) ? " ✓ solved" : this.begun.includes(MISSIONS[k]) ? " · under way" : ""); });
  }

  judge() {
    const { done, losses, nll, start, gap, strays, weights, wentBack } = this.first, last = losses.slice(-10).map((l) => l[1]);
    const seen = { settings: this.now(), done, train: last.reduce((a, b) => a + b, 0) / last.length, nll,
      start, gap, strays, size: weights.length, jumps: wentBack.length, drawn: this.drawn.length / 2 };
    MISSIONS.forEach((mission, k) => {
      const { text, solved } = mission;
      if (!done || !this.begun.includes(mission) || this.solved.has(k) || !solved(seen)) return;
      this.solved.add(k);
      try { localStorage.setItem("flow-lab-solved", JSON.stringify([...this.solved])); } catch { /* not kept */ }
      this.showMissions();
      this.tell([this.note, `Mission solved: ${text}`].filter(Boolean).join(" "));
    });
  }

  // -------------------------------------------------------------------------------------- picture

  redraw() {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches && this.running;
    if (this.scheduled) return;
    this.scheduled = true;
    const go = () => requestAnimationFrame(() => { this.scheduled = false; this.draw(); });
    calm ? setTimeout(go, 400) : go();
  }

  draw() {
    const { plots, model, first, second } = this, { shown } = first, other = second?.shown, mode = this.printing ? "light" : pageMode();
    this.root.dataset.mode = mode;
    write(this.python, this.pythonCode());
    const { drawn } = this, data = model.get("data") === "drawn" ? this.points(drawn, drawn.length, drawn.at(-1)) : this.data ?? NOTHING;
    const top = this.exact ? this.exact.reduce((a, b) => Math.max(a, b), 0) : shown?.density.reduce((a, b) => Math.max(a, b), 0);
    for (const k of [0, 1]) plots[k].spec.marks[0].limits = [0, top || 1];
    plots[0].spec.marks[1].size = data.length > 1500 ? 1.1 : 1.8;
    const K = shown ? shown.samples.length - 1 : 1, t = model.get("t") * K;
    write(this.wayText, t === 0 ? "noise" : t === K ? "samples" : `layer ${formatNumber(t, 1)} of ${K}`);
    this.way.value = model.get("t");
    const lines = [first.losses, first.held, second?.losses, second?.held, second ? null : this.before];
    const [[trainX, trainY], [heldX, heldY], [train2X, train2Y], [held2X, held2Y], [beforeX, beforeY]] = lines.map((line, k) => this.curves[k](line, line?.at(-1)));
    const values = {
      density2: other?.density, density2There: !!other,
      ...this.ways[0](shown, model.get("t"), ""), ...this.ways[1](other, model.get("t"), "2"),
      trainX, trainY, heldX, heldY, train2X, train2Y, held2X, held2Y, beforeX, beforeY,
      data, exact: this.exact, exactThere: !!this.exact, density: shown?.density, densityThere: !!shown,
      entropy: this.entropy ?? 0, known: this.entropy !== null && this.entropy !== undefined,
      terms: shown?.terms ?? NOTHING, px: model.get("px"), py: model.get("py"),
    };
    const net = [13, 61, 2];
    const side = Math.sqrt(shown?.density.length ?? 0);
    const shapes = { exact: [FINE, FINE], density: [side, side], across: net, up: net, trainY: [values.trainY.length], heldY: [values.heldY.length],
      beforeY: [values.beforeY.length], across2: net, up2: net, train2Y: [values.train2Y.length], held2Y: [values.held2Y.length] };
    const side2 = Math.sqrt(other?.density.length ?? 0), seen = plots.filter((p) => !p.root.hidden);
    shapes.density2 = [side2, side2];
    plots[5].spec.marks[0].limits = plots[1].spec.marks[0].limits;
    [true, true, second, second, values.beforeY.length, values.known].forEach((there, k) => { plots[3].legend.children[k].hidden = !there; });
    this.axes(values);
    if (this.fit || plots[0].density !== window.devicePixelRatio) fitPanels(seen, this.root.clientWidth < 480);
    this.fit = false;
    for (const plot of seen) this.drawPanel(plot, shapes, values, mode);
    this.tellState();
    this.root.dataset.draws = 1 + (+this.root.dataset.draws || 0);
  }

  // A panel is drawn where something has changed of what it shows: few of them do at each step.
  drawPanel(plot, shapes, values, mode) {
    const { spec, box, canvas } = plot, { cursor } = this.surface, names = spec.marks.flatMap((m) => [m.value, m.xy, m.x, m.y, m.show]);
    const frame = [spec.xlim, spec.ylim, spec.categories, spec.marks.map((m) => [m.limits, m.size])];
    const now = [mode, box, JSON.stringify(frame), ...[...names, ...(spec.probe ?? [])].map((name) => values[name])];
    if (plot === this.plots[0]) now.push(cursor, document.activeElement === canvas);
    Object.assign(plot, { shapes, values });
    if (plot.drawn?.every((v, k) => v === now[k])) return;
    plot.drawn = now;
    plot.draw(values, mode);
    if (plot === this.plots[0]) this.surface.drawCursor();
  }

  // Limits that follow what is shown: of the curve, and of the bars.
  axes({ trainY, heldY, beforeY, train2Y, held2Y, known, entropy }) {
    const [, , , curve, terms] = this.plots, before = JSON.stringify([curve.spec.xlim, curve.spec.ylim, terms.spec.xlim, terms.spec.categories]);
    const all = [...trainY, ...heldY, ...beforeY, ...train2Y, ...held2Y].filter(Number.isFinite);
    const low = Math.min(known ? entropy : Infinity, ...all), high = Math.min(Math.max(...all, low + 0.5), low + 3);
    if (all.length) curve.spec.ylim = [Math.floor(low * 5 - 0.5) / 5, Math.ceil(high * 5) / 5];
    else curve.spec.ylim = known ? [Math.floor(entropy * 5 - 0.5) / 5, Math.ceil((entropy + 2) * 5) / 5] : [0, 5];
    curve.spec.xlim = [0, this.model.get("steps")];
    const { labels = [], terms: v = [] } = this.first.shown ?? {};
    if (labels.length) {
      terms.spec.categories = [...labels, "log p(x)"];
      terms.spec.marks[0].labels = terms.spec.categories;
      terms.spec.ylim = [labels.length + 0.6, -0.6];
      let sum = 0, least = 0, most = 0;
      for (const x of v) { sum += x; least = Math.min(least, sum); most = Math.max(most, sum); }
      terms.spec.xlim = [Math.max(-30, 5 * Math.floor(least / 5 - 0.1)), Math.max(1, Math.ceil(most + 0.5))];
    }
    if (JSON.stringify([curve.spec.xlim, curve.spec.ylim, terms.spec.xlim, terms.spec.categories]) === before) return;
    curve.width = terms.width = 0;
    this.fit = true;
  }

  // The ledger and the weights of the modes, in a table.
  tellLedger() {
    const n = formatNumber, [nats, weights] = this.ledger;
    const tell = (cell, text) => { // of a run
      const told = this.runs.map(text);
      write(cell, told.map((t, k) => (k ? `second flow: ${t}` : t)).join("; "));
      cell.parentElement.hidden = !told.every(Boolean);
    };
    tell(nats, ({ ledger, gap }) => ledger && `misfit ${n(ledger[0], 3)} + generalisation ${n(ledger[1], 3)} = ${n(gap, 3)}`);
    tell(weights, ({ modes }) => modes && `${modes.map((w) => n(100 * w, 1)).join(" ")} % (exact: ${n(100 / modes.length, 1)} each)`);
  }

  tellState() {
    this.tellLedger();
    if (!this.enough) { write(this.status, "Draw at least ten points in the first picture, or drop a table (CSV) with two columns."); return; }
    const n = formatNumber, { first, second } = this, parts = [`Step ${first.done} of ${this.model.get("steps")}`];
    const known = (run) => {
      if (run.gap !== null) parts.push(`gap ${n(run.gap, 3)}`);
      if (run.strays !== null) parts.push(`strays ${n(run.strays, 1, "%")}`);
    };
    if (this.running && first.speed) parts.push(`${n(first.speed, 0)} steps a second`);
    if (first.done && first.rate && !first.finished) parts.push(`rate ${+first.rate.toPrecision(2)}`);
    if (first.held.length) parts.push(`held-out NLL ${n(first.nll, 3)} nats`);
    if (this.entropy !== null && this.entropy !== undefined) parts.push(`entropy ${n(this.entropy, 3)}`);
    known(first);
    if (second?.held.length) {
      parts.push(`second flow: step ${second.done}, held-out NLL ${n(second.nll, 3)}`);
      known(second);
    }
    if (this.silence) parts.push(`a worker has not answered for ${this.silence} s: Restart replaces it`);
    this.buttons.restart.hidden = !this.silence && !this.lost;
    write(this.status, parts.join(" · ") + (this.note ? ` · ${this.note}` : ""));
    this.root.dataset.step = first.done;
  }

  tell(text) { this.note = text; this.say(text); this.tellState(); }
  say(text) { this.spoken.textContent = text; } // (a new text is said, though it be the same)

  // ------------------------------------------------------------------------------------- take away

  save(name, address) { Object.assign(element("a"), { href: address, download: name }).click(); }

  savePicture() {
    const seen = this.plots.filter((p) => !p.root.hidden), all = seen.map((p) => p.canvas), pad = 16, head = 24, box = this.panels.getBoundingClientRect();
    const scale = window.devicePixelRatio || 1, sheet = element("canvas");
    sheet.width = (box.width + 2 * pad) * scale;
    sheet.height = (box.height + 2 * pad) * scale;
    const ctx = sheet.getContext("2d"), { paper, ink } = COLORS[pageMode()];
    ctx.scale(scale, scale);
    ctx.fillStyle = paper;
    ctx.fillRect(0, 0, sheet.width, sheet.height);
    ctx.fillStyle = ink;
    ctx.font = "600 14px system-ui, sans-serif";
    ctx.textAlign = "center";
    all.forEach((canvas, k) => {
      const at = canvas.getBoundingClientRect(), x = at.left - box.left + pad, y = at.top - box.top + pad;
      ctx.fillText(seen[k].spec.title, x + at.width / 2, Math.max(head - 8, y - 6));
      ctx.drawImage(canvas, x, y, at.width, at.height);
    });
    this.save("flow-lab.png", sheet.toDataURL("image/png"));
  }

  // The samples on their way, of both flows, on a canvas that nobody sees.
  async saveFilm() {
    const { side } = FILM, { film: seconds = FILM.seconds } = this;
    if (!filmType()) { this.tell("This browser cannot record a film of a canvas. A picture (PNG) it can save."); return; }
    if (!this.first.shown) { this.tell("There is no flow yet, so there is no film to save."); return; }
    const runs = [[this.first.shown, ""], [this.second?.shown, "2"]].filter(([shown]) => shown), mode = pageMode(), { paper, ink } = COLORS[mode];
    const sheet = element("canvas"), ctx = sheet.getContext("2d"), { film } = this.buttons;
    Object.assign(sheet, { width: side * runs.length, height: side + 24 });
    const plots = runs.map(([, suffix]) => {
      const plot = new Plot(this.plots[suffix ? 6 : 2].spec, element("div"));
      plot.widthNow = () => side;
      plot.resize();
      return plot;
    });
    const frame = (t) => {
      ctx.fillStyle = paper;
      ctx.fillRect(0, 0, sheet.width, sheet.height);
      Object.assign(ctx, { fillStyle: ink, font: "600 14px system-ui, sans-serif", textAlign: "center" });
      plots.forEach((plot, k) => {
        const [shown, suffix] = runs[k], net = [13, 61, 2];
        plot.shapes = { [`across${suffix}`]: net, [`up${suffix}`]: net };
        plot.draw(onTheWay(shown, t, suffix), mode);
        ctx.drawImage(plot.canvas, k * side, 24, side, plot.height);
        ctx.fillText(plot.spec.title, (k + 0.5) * side, 18);
      });
    };
    film.disabled = true;
    this.tell(`The film is recorded: this takes ${seconds} seconds.`);
    const made = await recordFilm(sheet, frame, seconds);
    film.disabled = false;
    const address = URL.createObjectURL(made);
    this.save(`flow-lab.${filmEnding(made)}`, address);
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    this.tell("The film is saved.");
  }

  // Samples of the flow with their log p, as a table. (Dropped into the Lab, it is data.)
  async table(count = 1000) {
    const { flowNow: model, weights } = this.first, ask = (wanted) => this.viewer.ask({ do: "view", model, weights, wanted }, true);
    const { way } = await ask({ way: ["samples", { seed: this.model.get("seed"), count }] });
    const points = way.at(-1), { p } = await ask({ p: ["logProb", points] });
    const exact = (v) => `${+v.toPrecision(9)}`;
    return ["x1,x2,log_p", ...Array.from(p, (v, i) => [points[2 * i], points[2 * i + 1], v].map(exact).join())].join("\n") + "\n";
  }

  async saveSamples() {
    if (!this.first.weights) { this.tell("There is no flow yet, so there are no samples to save."); return; }
    this.save("flow-lab.csv", `data:text/csv,${encodeURIComponent(await this.table())}`);
  }

  addPython() {
    const fold = element("details", "live-fold", this.root);
    element("summary", "", fold, "Take the flow along, into Python");
    element("p", "", fold, "Save the weights, and run this beside flows.py and flows_support.py. It prints how far the two log p differ, at most. (The notebook has the weights in it.)");
    const code = (this.python = element("pre", "", fold));
    code.tabIndex = 0;
    code.setAttribute("aria-label", "Python");
    const away = element("div", "lab-tools", fold), add = (text, name, made) => {
      const save = element("button", "", away, text), asFile = (value) => `data:application/json,${encodeURIComponent(JSON.stringify(value))}`;
      save.type = "button";
      save.addEventListener("click", async () => this.save(name, asFile(await made())));
    };
    add("Save the weights (JSON)", "flow-lab.json", () => this.exported());
    add("Save as a notebook", "flow-lab.ipynb", () => this.notebook());
  }

  // Python that rebuilds the flow: from what is given, or from the file that is saved beside it.
  pythonCode(saved) {
    const file = 'json.load(open("flow-lab.json", encoding="utf-8"))', { python: base } = this.settings.bases[saved?.base ?? this.model.get("base")];
    const there = { SAVED: saved ? `json.loads('${JSON.stringify(saved)}')` : file, BASE: base };
    return this.settings.python.replace(/\b(SAVED|BASE)\b/g, (name) => there[name]);
  }

  // That Python, with the weights in it, and what it should find.
  async notebook() {
    const cell = (cell_type, source, more) => ({ cell_type, metadata: {}, source, ...more });
    const code = (source) => cell("code", source, { execution_count: null, outputs: [] });
    const cells = [
      cell("markdown", "# A flow from the Flow Lab\n\nTo be run beside `flows.py` and `flows_support.py`. It prints how far the two log p differ, at most."),
      code(this.pythonCode(await this.exported()).trim()),
      code("assert (base + log_det - log_p).abs().max() < 1e-5"),
    ];
    const kernelspec = { name: "python3", display_name: "Python 3", language: "python" };
    return { cells, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 4 };
  }

  // The shape, the weights by the names that torch gives them, and a few points with their log p.
  async exported() {
    const { layers, coupling, width, waves, turn, base } = this.now(), { flowNow: model, weights: all, done } = this.first, weights = {}, points = this.data.slice(0, 40);
    const { sizes } = this.settings, { layers: kinds } = model;
    let at = 0;
    kinds.forEach(({ kind }, k) => {
      for (const { name, shape } of sizes[kind]) {
        const own = shape.map((d) => (d === "width" ? width : d)), size = own.reduce((a, b) => a * b, 1);
        const flat = Array.from(all.subarray(at, at + size));
        at += size;
        weights[`layers.${k}.${name}`] = own.length === 1 ? flat
          : Array.from({ length: own[0] }, (_, i) => flat.slice(i * own[1], (i + 1) * own[1]));
      }
    });
    const made = await this.viewer.ask({ do: "view", model, weights: all, wanted: { p: ["logProb", points] } }, true);
    return { flow: this.settings.couplings[coupling], shape: { n_layers: layers, hidden_dim: width, n_frequencies: waves, turn }, base, weights, steps: done,
      points: Array.from({ length: points.length / 2 }, (_, i) => [points[2 * i], points[2 * i + 1]]), log_p: Array.from(made.p) };
  }
}

