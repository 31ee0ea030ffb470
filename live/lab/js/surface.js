// A drawing surface: points put into a panel with a pen, a spray or keys, taken back stroke by
// stroke, or read from a table; and as a short text, as links carry them.
const MOST_DRAWN = 1000;

// Points as text, three bytes each, and back. Points are kept on this lattice from the start.
const LATTICE = 4095;
const onLattice = (v, reach) => Math.round(((Math.max(-reach, Math.min(reach, v)) + reach) / (2 * reach)) * LATTICE);
const offLattice = (k, reach) => (k / LATTICE) * 2 * reach - reach;
function packPoints(points, reach) {
  let bytes = "";
  for (let i = 0; i < points.length; i += 2) {
    const x = onLattice(points[i], reach), y = onLattice(points[i + 1], reach);
    bytes += String.fromCharCode(x >> 4, ((x & 15) << 4) | (y >> 8), y & 255);
  }
  return btoa(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
function unpackPoints(text, reach) {
  const bytes = atob(text.replace(/-/g, "+").replace(/_/g, "/")), points = [];
  for (let i = 0; i + 2 < bytes.length && points.length < 2 * MOST_DRAWN; i += 3) {
    const [a, b, c] = [0, 1, 2].map((k) => bytes.charCodeAt(i + k));
    points.push(offLattice((a << 4) | (b >> 4), reach), offLattice(((b & 15) << 8) | c, reach));
  }
  return points;
}

// The first two numbers of each line; moved and scaled (both axes alike) to fit into the picture.
function readTable(text, reach) {
  const rows = text.split(/\r?\n/).map((line) => line.split(/[,;\t ]+/).filter(Boolean).slice(0, 2).map(Number))
    .filter((row) => row.length === 2 && row.every(Number.isFinite));
  if (rows.length < 10) throw new Error(`a table needs 10 lines or more with two numbers each, but has ${rows.length}`);
  const every = Math.max(1, rows.length / MOST_DRAWN), kept = [];
  for (let k = 0; k < rows.length && kept.length < MOST_DRAWN; k += every) kept.push(rows[Math.floor(k)]);
  const ends = [0, 1].map((d) => [Math.min(...kept.map((r) => r[d])), Math.max(...kept.map((r) => r[d]))]);
  const scale = (1.6 * reach) / Math.max(...ends.map(([a, b]) => b - a), 1e-12);
  return kept.flatMap((row) => row.map((v, d) => scale * (v - (ends[d][0] + ends[d][1]) / 2)));
}

class Surface {
  // plot: a panel whose axes both go from -reach to reach; root: where files may be dropped.
  // What it tells: drew() of points that are new or gone, inked() while a stroke grows or the cursor
  // moves, say(words) to those who hear the page, failed(words) of a table that it cannot read.
  constructor(plot, { root = plot.root, drew, inked = () => {}, say = () => {}, failed = say }) {
    Object.assign(this, { plot, drew, inked, say, failed, reach: plot.spec.xlim[1], spraying: false, cursor: null, random: new Random(Date.now() % 1e6) });
    this.take([]);
    this.addTools();
    this.listen();
    for (const kind of ["dragover", "drop"]) root.addEventListener(kind, (e) => {
      e.preventDefault();
      if (kind === "drop" && e.dataTransfer.files[0]) this.readFile(e.dataTransfer.files[0]);
    });
    this.show(true);
  }

  // Whether one may draw now.
  show(on) {
    const { stage, canvas } = this.plot;
    this.active = on;
    this.tools.hidden = !on;
    stage.classList.toggle("live-drawing", on);
    canvas.tabIndex = on ? 0 : -1;
  }

  // Other points from now on: [x1, x2, x1, ...].
  take(points) {
    this.points = points.map((v) => offLattice(onLattice(v, this.reach), this.reach));
    this.strokes = [points.length]; // how many numbers each has
  }

  get text() { return packPoints(this.points, this.reach); }

  // (A text that cannot be read means no points.)
  takeText(text) {
    try { this.take(unpackPoints(text, this.reach)); } catch { this.take([]); }
  }

  async readFile(file) {
    try { this.take(readTable(await file.text(), this.reach)); } catch (error) { this.failed(`${file.name}: ${error.message}`); return; }
    this.drew();
  }

  addTools() {
    this.tools = element("div", "live-draw", this.plot.root);
    const add = (text, action) => {
      const made = element("button", "", this.tools, text);
      made.type = "button";
      made.addEventListener("click", action);
      return made;
    };
    const kinds = ["Pen", "Spray"].map((text, k) => add(text, () => {
      this.spraying = k === 1;
      for (const kind of kinds) kind.setAttribute("aria-pressed", kind === kinds[k]);
    }));
    kinds.forEach((kind, k) => kind.setAttribute("aria-pressed", k === 0));
    add("Undo", () => { const n = this.strokes.pop(); if (n) { this.points.length -= n; this.drew(); } });
    add("Clear", () => { this.take([]); this.drew(); });
    const label = element("label", "live-file", this.tools, "CSV "), file = element("input", "", label);
    Object.assign(file, { type: "file", accept: ".csv,.txt,text/csv,text/plain" });
    file.addEventListener("change", () => { this.readFile(file.files[0]); file.value = ""; });
  }

  // n points about a place, into the last stroke.
  put([x, y], n, spread) {
    for (let k = 0; k < n && this.points.length < 2 * MOST_DRAWN; k++) {
      this.points.push(...[x, y].map((v) => offLattice(onLattice(v + spread * this.random.normal(), this.reach), this.reach)));
      this.strokes[this.strokes.length - 1] += 2;
    }
  }

  // A line of points.
  ink(from, to) {
    const n = Math.max(1, Math.round(Math.hypot(to[0] - from[0], to[1] - from[1]) / 0.08));
    for (let k = 1; k <= n; k++) this.put(from.map((v, d) => v + ((to[d] - v) * k) / n), this.spraying ? 3 : 1, this.spraying ? 0.4 : 0.07);
    this.inked();
  }

  listen() {
    const { plot } = this, { stage, canvas } = plot;
    const place = (e) => { const [x, y] = plot.placeOf(e); return [(x - plot.bx) / plot.ax, (y - plot.by) / plot.ay]; };
    let pen = null;
    stage.addEventListener("pointerdown", (e) => {
      if (!this.active || e.button) return;
      stage.setPointerCapture(e.pointerId);
      this.strokes.push(0);
      pen = place(e);
      this.ink(pen, pen);
      e.preventDefault();
    });
    stage.addEventListener("pointermove", (e) => {
      if (!pen) return;
      const next = place(e);
      if (Math.hypot(next[0] - pen[0], next[1] - pen[1]) < 0.04) return;
      this.ink(pen, next);
      pen = next;
    });
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => { if (pen) { pen = null; this.drew(); } });
    canvas.addEventListener("keydown", (e) => {
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[e.key], { reach } = this;
      if (!this.active || !(move || e.key === " " || e.key === "Enter")) return;
      e.preventDefault();
      this.cursor ??= [0, 0];
      if (move) this.cursor = this.cursor.map((v, d) => Math.max(-reach, Math.min(reach, v + 0.25 * move[d])));
      else { this.strokes.push(0); this.put(this.cursor, 12, this.spraying ? 0.4 : 0.12); this.drew(); }
      this.say(`at ${this.cursor.map((v) => formatNumber(v, 2)).join(", ")}; ${this.points.length / 2} points`);
      this.inked();
    });
  }

  // Where the next points of the keyboard go: to be called when the panel is drawn.
  drawCursor() {
    const { plot, cursor } = this, { ctx } = plot;
    if (!cursor || document.activeElement !== plot.canvas) return;
    ctx.strokeStyle = plot.colors.ink;
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    ctx.arc(plot.X(cursor[0]), plot.Y(cursor[1]), 6, 0, 7);
    ctx.stroke();
  }
}
