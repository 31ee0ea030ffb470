// How each kind of mark is drawn. `values` holds the scene's arrays by name.
const valueOf = (values, name) => (typeof name === "string" ? values[name] : name);

// x and y of a mark as accessors (k-th point), and the number of points.
function coordinates(mark, values) {
  const first = valueOf(values, mark.xy ?? mark.x);
  if (mark.y === undefined) return [first.length / 2, (k) => first[2 * k], (k) => first[2 * k + 1]];
  const second = valueOf(values, mark.y), n = first.length;
  return [second.length, (k) => first[k % n], (k) => second[k]];
}

// Limits of a coloured value: as given, or from what is there.
function limitsOf(mark, array) {
  if (mark.limits) return mark.limits;
  let top = 0;
  for (const v of array) { const a = Math.abs(v); if (a > top && a < Infinity) top = a; }
  return mark.palette === "diverging" ? [-top || -1, top || 1] : [0, top || 1];
}
// The place in the palette; NaN is none.
const level = (v, low, scale) => Math.max(0, Math.min(LEVELS - 1, Math.round((v - low) * scale)));
const NONE = [0, 0, 0, 0]; // no colour
const css = ([r, g, b, a], alpha = 1) => `rgba(${r},${g},${b},${(a / 255) * alpha})`;

const DRAW = {
  line(plot, mark, values) {
    const { ctx } = plot, [total, x, y] = coordinates(mark, values);
    const shape = plot.shapes[mark.y ?? mark.x];
    const n = mark.y === undefined ? shape.at(-2) : shape.at(-1); // points of one curve
    ctx.strokeStyle = ctx.fillStyle = plot.colors[mark.color];
    ctx.lineWidth = mark.width;
    ctx.lineJoin = "round";
    ctx.setLineDash(mark.dash ? [5, 4] : []);
    const draw = (run) => { // a stretch without gaps
      if (!run.length) return;
      ctx.beginPath();
      run.forEach(([px, py], k) => (k ? ctx.lineTo(px, py) : ctx.moveTo(px, py)));
      ctx.stroke();
      if (!mark.fill) return;
      ctx.globalAlpha = 0.15;
      ctx.lineTo(run.at(-1)[0], plot.Y(0)); ctx.lineTo(run[0][0], plot.Y(0));
      ctx.fill();
      ctx.globalAlpha = 1;
    };
    for (let start = 0; start < total; start += n) {
      let run = [];
      for (let k = start; k < start + n; k++) {
        const px = plot.X(x(k)), py = plot.Y(y(k));
        if (Number.isFinite(px + py)) run.push([px, py]); else { draw(run); run = []; }
      }
      draw(run);
    }
    ctx.setLineDash([]);
  },

  points(plot, mark, values) {
    const { ctx, ax, bx, ay, by } = plot, [n, x, y] = coordinates(mark, values);
    const r = mark.size, dot = n > 600
      ? (px, py) => ctx.fillRect(px - r, py - r, 2 * r, 2 * r)
      : (px, py) => { ctx.beginPath(); ctx.arc(px, py, r, 0, 7); ctx.fill(); };
    const some = (wanted, of) => {
      for (let k = 0; k < n; k++) if (!of || of[k] === wanted) dot(ax * x(k) + bx, ay * y(k) + by);
    };
    if (!mark.value) {
      ctx.globalAlpha = mark.alpha; ctx.fillStyle = plot.colors[mark.color];
      return some();
    }
    const value = valueOf(values, mark.value), table = paletteTable(plot.mode, mark.palette);
    const [low, high] = limitsOf(mark, value), scale = (LEVELS - 1) / (high - low);
    const of = new Uint8Array(n), there = new Set();
    for (let k = 0; k < n; k++) {
      if (Number.isNaN(value[k])) of[k] = LEVELS; // is left out
      else there.add((of[k] = level(value[k], low, scale) & ~1)); // 32 colours do
    }
    for (const k of there) { ctx.fillStyle = css(table[k], mark.alpha); some(k, of); }
  },

  grid(plot, mark, values) {
    const { ctx } = plot, xy = values[mark.xy], [rows, columns] = plot.shapes[mark.xy];
    ctx.strokeStyle = plot.colors[mark.color]; ctx.lineWidth = mark.width; ctx.globalAlpha = mark.alpha;
    ctx.beginPath();
    let pen;
    const to = (k, first) => {
      const px = plot.X(xy[2 * k]), py = plot.Y(xy[2 * k + 1]), there = Number.isFinite(px + py);
      if (there) pen && !first ? ctx.lineTo(px, py) : ctx.moveTo(px, py);
      pen = there;
    };
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) to(i * columns + j, j === 0);
    for (let j = 0; j < columns; j++) for (let i = 0; i < rows; i++) to(i * columns + j, i === 0);
    ctx.stroke();
  },

  mesh(plot, mark, values) {
    const { ctx } = plot, xy = values[mark.xy], v = values[mark.value];
    const [, columns] = plot.shapes[mark.xy], [high_i, high_j] = plot.shapes[mark.value];
    const rows = plot.shapes[mark.xy][0];
    const [low, high] = limitsOf(mark, v), scale = (LEVELS - 1) / (high - low);
    const table = paletteTable(plot.mode, mark.palette), cells = Array.from({ length: LEVELS }, () => []);
    const around = (c) => [c, c + 1, c + columns + 1, c + columns];
    for (let i = 0; i < Math.min(rows - 1, high_i); i++) {
      for (let j = 0; j < Math.min(columns - 1, high_j); j++) {
        const c = i * columns + j, k = level(v[i * high_j + j], low, scale);
        if (around(c).every((q) => Number.isFinite(xy[2 * q] + xy[2 * q + 1]))) cells[k]?.push(c);
      }
    }
    ctx.globalAlpha = mark.alpha;
    cells.forEach((corners, k) => {
      if (!corners.length || table[k][3] < 3) return;
      ctx.fillStyle = ctx.strokeStyle = css(table[k]);
      ctx.lineWidth = 0.6; // hides the seams
      ctx.beginPath();
      for (const c of corners) {
        around(c).forEach((q, n) => {
          const px = plot.X(xy[2 * q]), py = plot.Y(xy[2 * q + 1]);
          n ? ctx.lineTo(px, py) : ctx.moveTo(px, py);
        });
        ctx.closePath();
      }
      ctx.fill("nonzero"); ctx.stroke();
    });
  },

  heat(plot, mark, values) {
    const v = values[mark.value], [height, width] = plot.shapes[mark.value];
    const [left, right, bottom, top] = mark.extent;
    const [low, high] = limitsOf(mark, v), scale = (LEVELS - 1) / (high - low);
    const table = paletteTable(plot.mode, mark.palette);
    const image = (mark.image ??= new ImageData(width, height)), data = image.data;
    for (let i = 0, p = 0; i < height; i++) {
      for (let j = 0, q = (height - 1 - i) * width; j < width; j++, q++) {
        const color = table[level(v[q], low, scale)] ?? NONE;
        data[p++] = color[0]; data[p++] = color[1]; data[p++] = color[2]; data[p++] = color[3];
      }
    }
    const small = (mark.canvas ??= Object.assign(document.createElement("canvas"), { width, height }));
    small.getContext("2d").putImageData(image, 0, 0);
    const dx = (right - left) / (width - 1) / 2, dy = (top - bottom) / (height - 1) / 2;
    const x = plot.X(left - dx), y = plot.Y(top + dy);
    plot.ctx.globalAlpha = mark.alpha;
    plot.ctx.imageSmoothingQuality = "high";
    plot.ctx.drawImage(small, x, y, plot.X(right + dx) - x, plot.Y(bottom - dy) - y);
  },

  bars(plot, mark, values) {
    const v = values[mark.value], chosen = mark.highlight && Math.round(valueOf(values, mark.highlight));
    v.forEach((x, k) => {
      plot.ctx.globalAlpha = mark.highlight === undefined || k === chosen ? 1 : 0.45;
      bar(plot, k, 0, x, plot.colors[x < 0 ? mark.negative : mark.color]);
      plot.ctx.globalAlpha = 1;
      barText(plot, k, x, formatNumber(x, 3), x < 0);
    });
    zeroLine(plot);
  },

  waterfall(plot, mark, values) {
    let start = 0;
    values[mark.value].forEach((x, k) => {
      bar(plot, k, start, start + x, plot.colors[x < 0 ? mark.negative : mark.color]);
      barText(plot, k, Math.max(start, start + x), formatNumber(x, 3, "f", "+"));
      start += x;
    });
    bar(plot, mark.labels.length - 1, 0, start, plot.colors.gray);
    barText(plot, mark.labels.length - 1, start, formatNumber(start, 3), start < 0);
    zeroLine(plot);
  },

  rule(plot, mark, values) {
    const { ctx, box } = plot, at = valueOf(values, mark.x ?? mark.y);
    ctx.strokeStyle = plot.colors[mark.color]; ctx.lineWidth = mark.width;
    ctx.setLineDash(mark.dash ? [5, 4] : []);
    ctx.beginPath();
    if (mark.x !== undefined) { ctx.moveTo(plot.X(at), box.y); ctx.lineTo(plot.X(at), box.y + box.h); }
    else { ctx.moveTo(box.x, plot.Y(at)); ctx.lineTo(box.x + box.w, plot.Y(at)); }
    ctx.stroke();
    ctx.setLineDash([]);
  },

  text(plot, mark, values) {
    const { ctx } = plot;
    ctx.fillStyle = plot.colors[mark.color]; ctx.textAlign = mark.align; ctx.textBaseline = "alphabetic";
    ctx.fillText(fillTemplate(mark.template, values), plot.X(valueOf(values, mark.x)), plot.Y(valueOf(values, mark.y)));
  },
};

function bar(plot, k, from, to, color) {
  const y = plot.Y(k - 0.35);
  plot.ctx.fillStyle = color;
  plot.ctx.fillRect(plot.X(from), y, plot.X(to) - plot.X(from), plot.Y(k + 0.35) - y);
}
function barText(plot, k, end, text, toLeft = false) {
  const { ctx, box } = plot, width = ctx.measureText(text).width + 8;
  const x = Math.max(box.x, Math.min(box.x + box.w, plot.X(end)));
  const inside = toLeft ? x - width < box.x : x + width > box.x + box.w; // no room beside the bar
  if (inside) toLeft = !toLeft;
  ctx.fillStyle = inside ? plot.colors.paper : plot.colors.ink;
  ctx.textAlign = toLeft ? "right" : "left"; ctx.textBaseline = "middle";
  ctx.fillText(text, x + (toLeft ? -4 : 4), plot.Y(k));
}
function zeroLine({ ctx, X, colors, box, ...plot }) {
  const x = Math.round(plot.ax * 0 + plot.bx) + 0.5;
  ctx.strokeStyle = colors.ink; ctx.lineWidth = 1;
  ctx.beginPath(); ctx.moveTo(x, box.y); ctx.lineTo(x, box.y + box.h); ctx.stroke();
}
