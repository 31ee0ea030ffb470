// A page and a canvas that are not there: what live/page/js draws is written down mark by mark, in
// pixels of the screen. `answer(question)` draws one panel; see live_canvas.py.

class Style {
  setProperty(name, value) { this[name] = value; }
}

class Element {
  constructor(tag) {
    Object.assign(this, { tag, className: "", style: new Style(), dataset: {}, attributes: {}, children: [], own: "" });
  }
  set textContent(text) { this.own = `${text}`; this.children = []; }
  get textContent() { return this.own + this.children.map((c) => c.textContent).join(""); }
  append(...parts) {
    for (const part of parts) {
      if (part instanceof Element) this.children.push(part);
      else this.children.push(Object.assign(new Element("#text"), { own: `${part}` }));
    }
  }
  setAttribute(name, value) { this.attributes[name] = `${value}`; }
  getAttribute(name) { return this.attributes[name] ?? null; }
  get all() { return this.children.flatMap((c) => [c, ...c.all]); }
  querySelectorAll(tag) { return this.all.filter((e) => e.tag === tag); }
  getContext() { return (this.context ??= new Context(this)); }
  get clientWidth() { return this.room ?? this.parent?.clientWidth ?? 0; }
  told() { // the element as plain data
    const { tag, className, attributes, dataset } = this;
    return { tag, className, attributes, dataset, style: { ...this.style }, text: this.textContent,
      children: this.children.map((c) => c.told()) };
  }
}

class ImageData {
  constructor(width, height) {
    Object.assign(this, { width, height, data: new Uint8ClampedArray(4 * width * height) });
  }
}

// The state that save() keeps, as a browser starts it.
const START = { fillStyle: "#000000", strokeStyle: "#000000", lineWidth: 1, globalAlpha: 1, font: "10px sans-serif",
  textAlign: "start", textBaseline: "alphabetic", dash: [], matrix: [1, 0, 0, 1, 0, 0], clipped: null };

class Context {
  constructor(canvas) {
    this.canvas = canvas;
    this.marks = [];
    this.kept = [];
    this.path = [];
    this.state = () => Object.fromEntries(Object.keys(START).map((key) => [key, this[key]]));
    Object.assign(this, START);
  }
  save() { this.kept.push(this.state()); }
  restore() { if (this.kept.length) Object.assign(this, this.kept.pop()); }
  setTransform(...matrix) { this.matrix = matrix; }
  times([a, b, c, d, e, f]) {
    const [A, B, C, D, E, F] = this.matrix;
    this.matrix = [A * a + C * b, B * a + D * b, A * c + C * d, B * c + D * d, A * e + C * f + E, B * e + D * f + F];
  }
  translate(x, y) { this.times([1, 0, 0, 1, x, y]); }
  scale(x, y) { this.times([x, 0, 0, y, 0, 0]); }
  rotate(angle) { const c = Math.cos(angle), s = Math.sin(angle); this.times([c, s, -s, c, 0, 0]); }
  at(x, y) { const [a, b, c, d, e, f] = this.matrix; return [a * x + c * y + e, b * x + d * y + f]; }
  size() { return Math.sqrt(Math.abs(this.matrix[0] * this.matrix[3] - this.matrix[1] * this.matrix[2])); }

  setLineDash(dash) { this.dash = [...dash]; }
  measureText(text) { return { width: 6 * `${text}`.length }; }

  // A path is a list of parts: lists of points (in pixels), closed or not, and circles.
  beginPath() { this.path = []; }
  moveTo(x, y) { if (Number.isFinite(x + y)) this.path.push({ points: [this.at(x, y)], closed: false }); }
  lineTo(x, y) {
    if (!Number.isFinite(x + y)) return;
    const last = this.path.at(-1);
    last?.points && !last.closed ? last.points.push(this.at(x, y)) : this.moveTo(x, y);
  }
  closePath() { const last = this.path.at(-1); if (last) last.closed = true; }
  arc(x, y, r, from, to) {
    if (Number.isFinite(x + y + r)) this.path.push({ circle: [...this.at(x, y), r * this.size()], whole: Math.abs(to - from) >= 2 * Math.PI });
  }
  rect(x, y, w, h) {
    this.path.push({ points: [[x, y], [x + w, y], [x + w, y + h], [x, y + h]].map((p) => this.at(...p)), closed: true });
  }
  clip() { this.clipped = this.path.map((p) => ({ ...p })); }

  add(kind, more) {
    const { globalAlpha: alpha, clipped } = this;
    this.marks.push({ kind, alpha, clip: clipped && clipped[0].points, ...more });
  }
  parts() { return this.path.map((p) => ({ ...p, points: p.points && [...p.points] })); }
  stroke() { this.add("stroke", { path: this.parts(), color: this.strokeStyle, width: this.lineWidth * this.size(), dash: this.dash }); }
  fill() { this.add("fill", { path: this.parts(), color: this.fillStyle }); }
  fillRect(x, y, w, h) {
    if (Number.isFinite(x + y + w + h)) this.add("rect", { corners: [this.at(x, y), this.at(x + w, y + h)], color: this.fillStyle });
  }
  clearRect(x, y, w, h) { this.marks = []; this.add("clear", { corners: [this.at(x, y), this.at(x + w, y + h)] }); }
  fillText(text, x, y) {
    if (!Number.isFinite(x + y)) return;
    this.add("text", { text: `${text}`, at: this.at(x, y), color: this.fillStyle, align: this.textAlign,
      baseline: this.textBaseline, font: this.font, turned: Math.atan2(this.matrix[1], this.matrix[0]) });
  }
  // The rim of a text, drawn below it.
  strokeText(text, x, y) {
    if (!Number.isFinite(x + y)) return;
    this.add("rim", { text: `${text}`, at: this.at(x, y), color: this.strokeStyle, width: this.lineWidth * this.size(),
      align: this.textAlign, baseline: this.textBaseline });
  }
  putImageData({ width, height, data }, x, y) {
    if (x || y) throw new Error("the image is put beside its canvas");
    this.image = { width, height, data: data.slice() };
  }
  drawImage(source, x, y, w, h) {
    if (!Number.isFinite(x + y + w + h)) return;
    const { width, height, data } = source.getContext("2d").image;
    if (source.width !== width || source.height !== height) throw new Error("the image is cut or has a rim");
    this.add("image", { corners: [this.at(x, y), this.at(x + w, y + h)], width, height, pixels: [...data] });
  }
}

const document = { createElement: (tag) => new Element(tag) };
const window = { devicePixelRatio: 1 };
Object.assign(globalThis, { document, window, ImageData });

const number = (v) => (v === "nan" ? NaN : v === "inf" ? Infinity : v === "-inf" ? -Infinity : v);

// The panel is drawn once for each set of values, on one canvas; the last picture is the answer.
function answer({ spec, draws, shapes, modes, room, density, fit }) {
  window.devicePixelRatio = density;
  const parent = new Element("div");
  Element.prototype.room = room; // all elements have this much
  const plot = new Plot(spec, parent);
  draws.forEach((values, k) => {
    plot.resize(fit);
    plot.shapes = shapes;
    plot.draw(Object.fromEntries(Object.entries(values).map(([name, v]) =>
      [name, Array.isArray(v) ? Float64Array.from(v, number) : number(v)])), modes[k]);
  });
  const { canvas } = plot;
  return { marks: canvas.getContext("2d").marks, size: [canvas.width, canvas.height], tree: parent.told() };
}
