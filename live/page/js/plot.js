// One panel: a canvas with axes, on which marks are drawn.
const MARGIN = { right: 12, top: 8, gap: 6 };
const FONT = "12px system-ui, sans-serif";

function element(tag, className, parent, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  parent?.append(made);
  return made;
}

// Words that change while something moves. The text stays where it is: where a page's style sheet
// asks what its elements hold (`:has()`), a new one has the whole page styled again.
function write(node, words) {
  const text = node.firstChild;
  if (text?.nodeType !== Node.TEXT_NODE || text !== node.lastChild) node.textContent = words;
  else if (text.data !== words) text.data = words;
}

// Round positions for ticks, and how many digits they need.
function niceTicks([low, high], count) {
  const rough = Math.abs(high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough * 0.99);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const [a, b] = low < high ? [low, high] : [high, low], ticks = [];
  for (let k = Math.ceil(a / step - 1e-9); k * step <= b + 1e-9 * step; k++) ticks.push(k * step);
  return ticks.map((at) => [at, formatNumber(at, digits)]);
}

// As many of them, up to six or so, as have room: `need` says how many pixels a label takes.
function ticksThatFit(limits, pixels, need) {
  for (let count = 6; count > 1; count--) {
    const ticks = niceTicks(limits, count);
    if (ticks.length < 2) break;
    const apart = (pixels * (ticks[1][0] - ticks[0][0])) / Math.abs(limits[1] - limits[0]);
    if (Math.max(...ticks.map(([, label]) => need(label))) <= apart) return ticks;
  }
  const ticks = niceTicks(limits, 6), middle = ticks.findIndex(([at]) => at === 0);
  return [ticks[Math.max(0, middle)]];
}

class Plot {
  constructor(spec, parent) {
    this.spec = spec;
    this.knots = []; // see addKnots
    this.root = element("div", "live-panel", parent);
    element("div", "live-title", this.root, spec.title);
    this.stage = element("div", "live-stage", this.root); // what lies over the canvas, too
    this.canvas = element("canvas", "", this.stage);
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", [spec.title, spec.x && `horizontal: ${spec.x}`,
      spec.y && `vertical: ${spec.y}`].filter(Boolean).join(", ") || "plot");
    this.ctx = this.canvas.getContext("2d");
    this.legend = element("div", "live-legend", this.root);
    for (const mark of spec.marks.filter((m) => m.label)) {
      const item = element("span", "", this.legend);
      element("i", mark.dash ? "live-dash" : "", item).dataset.color = mark.color;
      item.append(mark.label);
    }
  }

  // The names of bars, each as its lines: two where in one it would leave the bars no room.
  names(width = this.widthNow()) {
    const { ctx, spec } = this, most = 0.4 * width;
    ctx.font = FONT;
    const wide = (lines) => Math.max(...lines.map((text) => ctx.measureText(text).width));
    return (spec.categories ?? []).map((name) => {
      if (wide([name]) <= most) return [name];
      const cuts = [...name.matchAll(/ /g)].map(({ index }) => [name.slice(0, index), name.slice(index + 1)]);
      return cuts.reduce((best, cut) => (wide(cut) < wide(best) ? cut : best), [name]);
    });
  }

  // Room for the labels at the left and below. `small`: on a phone, where axes have no titles.
  labelRoom(small) {
    if (this.spec.axes === false) return [MARGIN.right, MARGIN.top];
    const { spec, ctx } = this, labels = this.names().flat();
    ctx.font = FONT;
    if (!spec.categories) labels.push(...niceTicks(spec.ylim, 6).map(([, text]) => text));
    const widest = Math.max(...labels.map((text) => ctx.measureText(text).width));
    return [Math.ceil(widest) + 8 + (spec.y && !small ? 16 : 0), spec.x && !small ? 38 : 22];
  }

  // Height over width, as wished; what is not tied to it need not be high where it is wide.
  wishedHeight(width, left, bottom, low) {
    const { xlim: [x0, x1], ylim: [y0, y1], equal, aspect } = this.spec;
    const ratio = equal ? Math.abs((y1 - y0) / (x1 - x0)) : low ? Math.min(0.4, aspect) : aspect;
    const height = Math.round((width - left - MARGIN.right) * ratio);
    return Math.max(height + MARGIN.top + bottom, this.leastHeight(bottom));
  }

  // Room for the names of all bars.
  leastHeight(bottom) {
    const names = this.names(), lines = Math.max(0, ...names.map((name) => name.length));
    return names.length * (4 + 13 * lines) + MARGIN.top + bottom;
  }

  // Fit the canvas to the width that the page gives it, sharp on dense screens. The panels of a row
  // share `room`: {left, bottom, height, small}.
  resize(room = {}) {
    const width = this.widthNow(), { small = false } = room, [ownLeft, ownBottom] = this.labelRoom(small);
    const { left = ownLeft, bottom = ownBottom } = room;
    const { height = this.wishedHeight(width, left, bottom) } = room;
    const density = window.devicePixelRatio || 1, next = { width, height, left, bottom, density, small };
    if (Object.keys(next).every((name) => this[name] === next[name])) return;
    Object.assign(this, next);
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(height * density);
    this.canvas.style.height = `${height}px`;
    const [x0, x1] = this.spec.xlim, [y0, y1] = this.spec.ylim;
    const box = this.box = { x: left, y: MARGIN.top, w: width - left - MARGIN.right, h: height - MARGIN.top - bottom };
    // pixel = a * value + b
    this.ax = box.w / (x1 - x0); this.bx = box.x - this.ax * x0;
    this.ay = -box.h / (y1 - y0); this.by = box.y + box.h - this.ay * y0;
  }

  widthNow() { return Math.max(120, Math.floor(this.root.clientWidth)); }

  // Where an event happened, in pixels of the canvas.
  placeOf(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  X(x) { return this.ax * x + this.bx; }
  Y(y) { return this.ay * y + this.by; }

  draw(values, mode) {
    const { ctx, box, spec } = this;
    if (mode !== this.mode) {
      this.mode = mode; this.colors = COLORS[mode];
      for (const dot of this.legend.querySelectorAll("i")) dot.style.background = this.colors[dot.dataset.color];
    }
    ctx.setTransform(this.density, 0, 0, this.density, 0, 0);
    ctx.clearRect(0, 0, this.width, this.height);
    ctx.font = FONT;
    if (spec.axes !== false) this.axes();
    ctx.save();
    ctx.beginPath(); ctx.rect(box.x, box.y, box.w, box.h); ctx.clip();
    for (const mark of spec.marks) {
      if (mark.show && !+values[mark.show]) continue;
      ctx.globalAlpha = 1;
      DRAW[mark.kind](this, mark, values);
    }
    ctx.restore();
    if (spec.probe) this.drawProbe(values);
    for (const [mark, handles] of this.knots) this.placeKnots(mark, handles, values);
  }

  // What takes hold of dots that can be dragged stands over them.
  placeKnots(mark, handles, values) {
    const [, X, Y] = coordinates(mark, values);
    handles.forEach((handle, k) => {
      handle.hidden = !!mark.show && !+values[mark.show];
      handle.style.transform = `translate(${this.X(X(k))}px, ${this.Y(Y(k))}px)`;
    });
  }

  axes() {
    const { ctx, box, spec, colors } = this;
    const bottom = box.y + box.h;
    ctx.lineWidth = 1;
    ctx.fillStyle = colors.ink;
    const fitting = (limits, ...room) => (this.small ? niceTicks(limits, 6) : ticksThatFit(limits, ...room));
    const across = fitting(spec.xlim, box.w, (label) => ctx.measureText(label).width + 8);
    const up = spec.categories ? this.names(this.width).map((lines, k) => [k, lines]) : fitting(spec.ylim, box.h, () => 20);
    ctx.strokeStyle = colors.rule;
    ctx.beginPath();
    for (const [at] of across) { const x = Math.round(this.X(at)) + 0.5; ctx.moveTo(x, box.y); ctx.lineTo(x, bottom); }
    if (!spec.categories) for (const [at] of up) { const y = Math.round(this.Y(at)) + 0.5; ctx.moveTo(box.x, y); ctx.lineTo(box.x + box.w, y); }
    ctx.stroke();
    const ends = (ticks) => (this.small && ticks.length > 2 ? [ticks[0], ticks.at(-1)] : ticks);
    ctx.textAlign = "center"; ctx.textBaseline = "top";
    for (const [at, label] of ends(across)) { // none is cut at the edge
      const half = ctx.measureText(label).width / 2 + 1;
      ctx.fillText(label, Math.max(half, Math.min(this.width - half, this.X(at))), bottom + 6);
    }
    if (!this.small) ctx.fillText(spec.x, box.x + box.w / 2, bottom + 21);
    ctx.textAlign = "right"; ctx.textBaseline = "middle";
    for (const [at, label] of spec.categories ? up : ends(up)) {
      const lines = [label].flat(), first = this.Y(at) - 6.5 * (lines.length - 1);
      lines.forEach((text, k) => ctx.fillText(text, box.x - MARGIN.gap, first + 13 * k));
    }
    if (spec.y && !this.small) {
      ctx.save();
      ctx.translate(9, box.y + box.h / 2); ctx.rotate(-Math.PI / 2); ctx.textAlign = "center";
      ctx.fillText(spec.y, 0, 0);
      ctx.restore();
    }
    ctx.strokeStyle = colors.gray;
    ctx.beginPath();
    ctx.moveTo(box.x + 0.5, box.y); ctx.lineTo(box.x + 0.5, bottom + 0.5); ctx.lineTo(box.x + box.w, bottom + 0.5);
    ctx.stroke();
  }

  // A ring, or a line across. What takes the gesture (see addProbe) lies over it.
  drawProbe(values) {
    const { ctx, box, colors } = this, [px, py] = this.spec.probe;
    const [x, y] = [px ? this.X(values[px]) : box.x, py ? this.Y(values[py]) : box.y];
    const [inX, inY] = [Math.max(box.x, Math.min(box.x + box.w, x)), Math.max(box.y, Math.min(box.y + box.h, y))];
    if (this.handle) {
      this.handle.style.transform = `translate(${inX}px, ${inY}px)`;
      this.handle.dataset.side = inX > box.x + box.w / 2 ? "left" : "right"; // where the hint has room
    }
    if (Math.abs(x - inX) + Math.abs(y - inY) > 1) return; // not in the picture
    ctx.strokeStyle = colors.ink; ctx.fillStyle = colors.paper; ctx.lineWidth = 2;
    ctx.beginPath();
    if (px && py) ctx.arc(x, y, 6, 0, 7);
    else if (px) { ctx.moveTo(x, box.y); ctx.lineTo(x, box.y + box.h); }
    else { ctx.moveTo(box.x, y); ctx.lineTo(box.x + box.w, y); }
    if (px && py) ctx.fill();
    ctx.stroke();
  }
}

// Panels that stand side by side have one height and one room for labels, so that they align.
function fitPanels(plots, small) {
  const rows = new Map();
  for (const plot of plots) {
    const top = plot.root.offsetTop;
    rows.set(top, [...(rows.get(top) ?? []), plot]);
  }
  for (const row of rows.values()) {
    const rooms = row.map((plot) => plot.labelRoom(small)), bottom = Math.max(...rooms.map((r) => r[1]));
    const shared = Math.max(0, ...rooms.filter((_, k) => !row[k].spec.categories).map((r) => r[0]));
    const lefts = row.map((plot, k) => (plot.spec.categories ? rooms[k][0] : shared));
    const wished = row.map((plot, k) => plot.wishedHeight(plot.widthNow(), lefts[k], bottom, small && row.length === 1));
    const squares = wished.filter((_, k) => row[k].spec.equal);
    const height = Math.max(...(squares.length ? squares : wished));
    row.forEach((plot, k) => {
      const own = plot.spec.equal ? wished[k] : Math.max(height, plot.leastHeight(bottom));
      plot.resize({ left: lefts[k], bottom, small, height: own });
    });
  }
}
