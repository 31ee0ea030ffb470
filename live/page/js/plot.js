// One panel: a canvas with axes, on which marks are drawn.
const MARGIN = { left: 46, right: 10, top: 8, bottom: 38 };
const FONT = "12px system-ui, sans-serif";

function element(tag, className, parent, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  parent?.append(made);
  return made;
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
  for (let count = 6; count > 2; count--) {
    const ticks = niceTicks(limits, count);
    if (ticks.reduce((sum, [, label]) => sum + need(label), 0) <= pixels + 12) return ticks;
  }
  return niceTicks(limits, 2);
}

class Plot {
  constructor(spec, parent) {
    this.spec = spec;
    this.root = element("div", "live-panel", parent);
    if (spec.width !== 1) Object.assign(this.root.style, { flexGrow: spec.width, flexBasis: `${190 * spec.width}px` });
    if (spec.title) element("div", "live-title", this.root, spec.title);
    this.canvas = element("canvas", "", this.root);
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
    this.left = spec.categories ? 12 + 6.6 * Math.max(...spec.categories.map((c) => c.length)) : MARGIN.left;
  }

  // Fit the canvas to the width that the page gives it, sharp on dense screens.
  resize() {
    const width = Math.max(120, Math.floor(this.root.clientWidth));
    const [x0, x1] = this.spec.xlim, [y0, y1] = this.spec.ylim;
    const inner = width - this.left - MARGIN.right;
    const ratio = this.spec.equal ? Math.abs((y1 - y0) / (x1 - x0)) : this.spec.aspect;
    const height = Math.round(inner * ratio) + MARGIN.top + MARGIN.bottom;
    const density = window.devicePixelRatio || 1;
    if (this.width === width && this.height === height && this.density === density) return;
    Object.assign(this, { width, height, density });
    this.canvas.width = Math.round(width * density);
    this.canvas.height = Math.round(height * density);
    this.canvas.style.height = `${height}px`;
    const box = this.box = { x: this.left, y: MARGIN.top, w: inner, h: height - MARGIN.top - MARGIN.bottom };
    // pixel = a * value + b
    this.ax = box.w / (x1 - x0); this.bx = box.x - this.ax * x0;
    this.ay = -box.h / (y1 - y0); this.by = box.y + box.h - this.ay * y0;
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
    this.axes();
    ctx.save();
    ctx.beginPath(); ctx.rect(box.x, box.y, box.w, box.h); ctx.clip();
    for (const mark of spec.marks) {
      if (mark.show && !+values[mark.show]) continue;
      ctx.globalAlpha = 1;
      DRAW[mark.kind](this, mark, values);
    }
    ctx.globalAlpha = 1;
    if (spec.probe) this.drawProbe(values);
    ctx.restore();
  }

  axes() {
    const { ctx, box, spec, colors } = this;
    const bottom = box.y + box.h;
    ctx.lineWidth = 1;
    ctx.fillStyle = colors.ink;
    const across = ticksThatFit(spec.xlim, box.w, (label) => 7 * label.length + 8);
    const up = spec.categories ? spec.categories.map((c, k) => [k, c])
      : ticksThatFit(spec.ylim, box.h, () => 24);
    ctx.strokeStyle = colors.rule;
    ctx.beginPath();
    for (const [at] of across) { const x = Math.round(this.X(at)) + 0.5; ctx.moveTo(x, box.y); ctx.lineTo(x, bottom); }
    if (!spec.categories) for (const [at] of up) { const y = Math.round(this.Y(at)) + 0.5; ctx.moveTo(box.x, y); ctx.lineTo(box.x + box.w, y); }
    ctx.stroke();
    ctx.textAlign = "center"; ctx.textBaseline = "top";
    for (const [at, label] of across) ctx.fillText(label, this.X(at), bottom + 5);
    ctx.fillText(spec.x, box.x + box.w / 2, bottom + 21);
    ctx.textAlign = "right"; ctx.textBaseline = "middle";
    for (const [at, label] of up) ctx.fillText(label, box.x - 6, this.Y(at));
    if (spec.y) {
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

  drawProbe(values) {
    const { ctx, box, colors } = this, [px, py] = this.spec.probe;
    ctx.strokeStyle = colors.ink; ctx.fillStyle = colors.paper; ctx.lineWidth = 2;
    ctx.beginPath();
    if (px && py) ctx.arc(this.X(values[px]), this.Y(values[py]), 6, 0, 7);
    else if (px) { ctx.moveTo(this.X(values[px]), box.y); ctx.lineTo(this.X(values[px]), box.y + box.h); }
    else { ctx.moveTo(box.x, this.Y(values[py])); ctx.lineTo(box.x + box.w, this.Y(values[py])); }
    if (px && py) ctx.fill();
    ctx.stroke();
  }
}
