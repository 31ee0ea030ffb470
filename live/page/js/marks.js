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
    const r = mark.size, dot = n > 2000
      ? (px, py) => ctx.fillRect(px - r, py - r, 2 * r, 2 * r)
      : (px, py) => { ctx.beginPath(); ctx.arc(px, py, r, 0, 7); ctx.fill(); };
    const put = (k) => dot(ax * x(k) + bx, ay * y(k) + by);
    const some = (wanted, of) => { for (let k = 0; k < n; k++) if (!of || of[k] === wanted) put(k); };
    if (!mark.value) {
      ctx.globalAlpha = mark.alpha; ctx.fillStyle = plot.colors[mark.color];
      if (!Array.isArray(mark.color)) return some();
      return mark.color.forEach((_, k) => { ctx.fillStyle = plot.colors[mark.color[k]]; put(k); });
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
    const { ctx } = plot, xy = values[mark.xy], [rows, columns] = plot.shapes[mark.xy], { every = 1 } = mark;
    ctx.strokeStyle = plot.colors[mark.color]; ctx.lineWidth = mark.width; ctx.globalAlpha = mark.alpha;
    ctx.beginPath();
    let pen;
    const to = (k, first) => {
      const px = plot.X(xy[2 * k]), py = plot.Y(xy[2 * k + 1]), there = Number.isFinite(px + py);
      if (there) pen && !first ? ctx.lineTo(px, py) : ctx.moveTo(px, py);
      pen = there;
    };
    for (let i = 0; i < rows; i += every) for (let j = 0; j < columns; j++) to(i * columns + j, j === 0);
    for (let j = 0; j < columns; j += every) for (let i = 0; i < rows; i++) to(i * columns + j, i === 0);
    ctx.stroke();
  },

  // Shaded from corner to corner, pixel by pixel: filled paths would show their seams.
  mesh(plot, mark, values) {
    const { box } = plot, xy = values[mark.xy], [rows, columns] = plot.shapes[mark.xy];
    const given = values[mark.value], wide = plot.shapes[mark.value][1], [low, high] = limitsOf(mark, given);
    const v = atCorners(given, plot.shapes[mark.value], rows, columns, low, high);
    const width = Math.ceil(box.w), height = Math.ceil(box.h), size = width * height;
    const sums = (mark.sums = mark.sums?.length === size ? mark.sums : new Float32Array(size)).fill(NaN);
    // Where a map folds, densities add up; of other values the last one stands.
    const raster = { sums, width, height, add: mark.palette === "density" };
    const at = (q) => [plot.X(xy[2 * q]) - box.x, plot.Y(xy[2 * q + 1]) - box.y, v[q]];
    for (let i = 0; i < rows - 1; i++) {
      for (let j = 0, q = i * columns; j < columns - 1; j++, q++) {
        const a = at(q), b = at(q + 1), c = at(q + columns + 1), d = at(q + columns);
        if (wide < columns && Number.isNaN(given[i * wide + j])) continue; // a cell without a value
        if (![a, b, c, d].every(([x, y, z]) => Number.isFinite(x + y + z))) continue;
        shadeTriangle(raster, a, b, c);
        shadeTriangle(raster, a, c, d);
      }
    }
    const picture = paint(mark, width, height, (k) => k, sums, low, high, paletteTable(plot.mode, mark.palette));
    plot.ctx.globalAlpha = mark.alpha;
    plot.ctx.drawImage(picture, box.x, box.y, width, height);
  },

  heat(plot, mark, values) {
    const v = values[mark.value], [height, width] = plot.shapes[mark.value];
    const [left, right, bottom, top] = mark.extent;
    const [low, high] = limitsOf(mark, v);
    const upwards = (k) => (height - 1 - Math.floor(k / width)) * width + (k % width);
    const small = paint(mark, width, height, upwards, v, low, high, paletteTable(plot.mode, mark.palette));
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
      bar(plot, k, 0, x, plot.colors[x < 0 ? mark.negative : [mark.color].flat()[k] ?? mark.color]);
    });
    plot.ctx.globalAlpha = 1;
    zeroLine(plot);
    v.forEach((x, k) => barText(plot, k, 0, x, formatNumber(x, 3), x < 0));
  },

  waterfall(plot, mark, values) {
    const v = values[mark.value], last = mark.labels.length - 1, ends = [0];
    for (const x of v) ends.push(ends.at(-1) + x);
    const total = ends.at(-1);
    v.forEach((x, k) => bar(plot, k, ends[k], ends[k + 1], plot.colors[x < 0 ? mark.negative : mark.color]));
    bar(plot, last, 0, total, plot.colors.gray);
    zeroLine(plot);
    v.forEach((x, k) => barText(plot, k, ends[k], ends[k + 1], formatNumber(x, 3, "f", "+")));
    barText(plot, last, 0, total, formatNumber(total, 3), total < 0);
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
    const at = [plot.X(valueOf(values, mark.x)), plot.Y(valueOf(values, mark.y))], words = fillTemplate(mark.template, values);
    ctx.textAlign = mark.align; ctx.textBaseline = "alphabetic";
    rimmed(plot, words, at, plot.colors[mark.color]);
  },
};

function bar(plot, k, from, to, color) {
  const y = plot.Y(k - 0.35);
  plot.ctx.fillStyle = color;
  plot.ctx.fillRect(plot.X(from), y, plot.X(to) - plot.X(from), plot.Y(k + 0.35) - y);
}
// The number of a bar, beside it: on the side that is asked for, or else the other. With room on
// neither, upon it, and not across its end where the bar is long enough. A rim of paper keeps it legible everywhere; an arrow says that the bar goes on.
function barText(plot, k, from, to, number, toLeft = false) {
  const { ctx, box } = plot, right = box.x + box.w, inside = (x) => Math.max(box.x, Math.min(right, x));
  const end = plot.X(to), text = end > right + 1 ? `${number} →` : end < box.x - 1 ? `← ${number}` : number;
  const [low, high] = [inside(plot.X(from)), inside(end)].sort((a, b) => a - b);
  const width = ctx.measureText(text).width + 8, room = (left) => (left ? low - width >= box.x : high + width <= right);
  if (!room(toLeft) && room(!toLeft)) toLeft = !toLeft;
  const upon = !room(toLeft) && high - low >= width;
  const x = toLeft
    ? (upon ? low + width - 4 : Math.max(low - 4, box.x + width - 4))
    : (upon ? high - width + 4 : Math.min(high + 4, right - width + 4));
  ctx.textAlign = toLeft ? "right" : "left"; ctx.textBaseline = "middle";
  rimmed(plot, text, [x, plot.Y(k)], plot.colors.ink);
}
// A rim of paper: no line goes through the letters.
function rimmed({ ctx, colors }, text, at, color) {
  ctx.strokeStyle = colors.paper; ctx.lineWidth = 4; ctx.lineJoin = "round";
  ctx.strokeText(text, ...at);
  ctx.fillStyle = color;
  ctx.fillText(text, ...at);
}
function zeroLine({ ctx, X, colors, box, ...plot }) {
  const x = Math.round(plot.ax * 0 + plot.bx) + 0.5;
  ctx.strokeStyle = colors.ink; ctx.lineWidth = 1;
  ctx.beginPath(); ctx.moveTo(x, box.y); ctx.lineTo(x, box.y + box.h); ctx.stroke();
}

// Values of a mesh at its corners, cut to the limits: as they are, or the mean of the cells around
// (of those that have a value).
function atCorners(v, [high, wide], rows, columns, bottom, top) {
  const cut = (x) => Math.max(bottom, Math.min(top, x));
  if (high === rows && wide === columns) return v.map(cut);
  const made = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0, n = 0;
      for (let a = Math.max(0, i - 1); a <= Math.min(i, rows - 2); a++) {
        for (let b = Math.max(0, j - 1); b <= Math.min(j, columns - 2); b++) {
          const x = v[a * wide + b];
          if (!Number.isNaN(x)) { sum += cut(x); n++; }
        }
      }
      made[i * columns + j] = sum / n;
    }
  }
  return made;
}

// The pixels whose centres lie in a triangle. Corners are [x, y, value]; neighbours share none.
function shadeTriangle({ sums, width, height, add }, a, b, c) {
  if (b[1] < a[1]) [a, b] = [b, a];
  if (c[1] < a[1]) [a, c] = [c, a];
  if (c[1] < b[1]) [b, c] = [c, b];
  const [x0, y0, v0] = a, [x1, y1, v1] = b, [x2, y2, v2] = c;
  const twice = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0);
  if (Math.abs(twice) < 1e-9) return; // no area
  const gx = ((v1 - v0) * (y2 - y0) - (v2 - v0) * (y1 - y0)) / twice;
  const gy = ((v2 - v0) * (x1 - x0) - (v1 - v0) * (x2 - x0)) / twice;
  const least = Math.min(v0, v1, v2), most = Math.max(v0, v1, v2);
  for (let py = Math.max(0, Math.ceil(y0 - 0.5)); py < Math.min(height, Math.ceil(y2 - 0.5)); py++) {
    const y = py + 0.5, long = x0 + ((y - y0) * (x2 - x0)) / (y2 - y0);
    const short = y < y1 ? x0 + ((y - y0) * (x1 - x0)) / (y1 - y0) : x1 + ((y - y1) * (x2 - x1)) / (y2 - y1);
    const end = Math.min(width, Math.ceil(Math.max(long, short) - 0.5));
    for (let px = Math.max(0, Math.ceil(Math.min(long, short) - 0.5)); px < end; px++) {
      const v = Math.max(least, Math.min(most, v0 + gx * (px + 0.5 - x0) + gy * (y - y0)));
      const k = py * width + px, old = sums[k];
      sums[k] = add && old === old ? old + v : v; // (NaN: nothing here yet)
    }
  }
}

// A canvas of the mark's own, with a colour for each value; `place` says where the k-th one goes.
function paint(mark, width, height, place, v, low, high, table) {
  if (mark.image?.width !== width || mark.image.height !== height) {
    mark.image = new ImageData(width, height);
    mark.canvas = Object.assign(document.createElement("canvas"), { width, height });
  }
  const { data } = mark.image, scale = (LEVELS - 1) / (high - low);
  for (let k = 0; k < v.length; k++) {
    const [r, g, b, a] = table[level(v[k], low, scale)] ?? NONE, p = 4 * place(k);
    data[p] = r; data[p + 1] = g; data[p + 2] = b; data[p + 3] = a;
  }
  mark.canvas.getContext("2d").putImageData(mark.image, 0, 0);
  return mark.canvas;
}
