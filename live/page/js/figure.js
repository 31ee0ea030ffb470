// A tensor in five numbers: see `summary` in figure/reference.py.
function summary(value) {
  const v = ArrayBuffer.isView(value) ? value : [Number(value)];
  let n = 0, largest = 0, sum = 0, weighted = 0;
  for (let i = 0; i < v.length; i++) {
    if (!Number.isFinite(v[i])) continue;
    n++;
    largest = Math.max(largest, Math.abs(v[i]));
    sum += v[i];
    weighted += v[i] * Math.cos(i);
  }
  return [v.length, n, largest, sum / Math.max(1, n), weighted / Math.max(1, n)];
}

// The name of a tensor that is not what torch computed for the default state (`spec.check`).
// Rounding may differ (and with it a comparison: a NaN comes or goes, and moves the means).
function strayed(values, check = {}) {
  return Object.keys(check).find((name) => {
    const [count, finite, ...wanted] = check[name], [own, n, ...got] = summary(values[name]);
    const scale = (n === finite ? 1e-3 : 0.1) * Math.max(wanted[0], got[0]);
    return own !== count || Math.abs(n - finite) > count / 50 + (count > 20)
      || got.some((v, k) => !(Math.abs(v - wanted[k]) <= 1e-4 + scale));
  });
}

// Code may be older or newer than the page's scripts: do both mean the same by a call? (See
// compiler/README.md. Figures that say no version are of the first.)
function checkConvention({ convention = 1 }) {
  if (convention === live.convention) return;
  throw new Error(`it was compiled for version ${convention} of the calling convention, but the scripts here `
    + `are of version ${live.convention}: make the figure again with the live that these scripts are from`);
}

// A figure: controls, panels and readout around one compiled function.
//
// figure = {spec, data, make}; model = {get, set, save_changes, on, off} with one value a parameter;
// link: makes an address of a state (URLSearchParams), where the figure has one. Returns {remove},
// which takes the figure down again, and {apply}, which takes a state from a link.
function mountFigure(...given) {
  const steps = mountInSteps(...given);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
// The same, for a page that may do other things at each `yield`.
function* mountInSteps(root, { spec, data, make }, model, link) {
  checkConvention(spec);
  const scene = make(live.decode(data), live), { ahead = [] } = scene; // (see compiler/README.md)
  while (ahead.length) { yield; ahead.shift()(); }
  yield;
  // Before anything is shown: where the numbers are not torch's, the picture stays.
  const initial = spec.params.map((p) => numberOf(p, p.value));
  let first = scene(...initial);
  const wrong = strayed(first, spec.check);
  if (wrong) throw new Error(`${wrong} differs from what torch computed for the default state`);
  yield;
  const holder = element("div", "live-figure", root);
  holder.setAttribute("role", "group");
  holder.setAttribute("aria-label", spec.alt || "Live figure");
  const panels = element("div", "live-panels", holder);
  const plots = spec.panels.map((p) => new Plot({ ...p, marks: p.marks.map((m) => ({ ...m })) }, panels));
  arrangePanels(panels, plots);
  yield;
  const readout = (spec.readout || spec.goal) && element("output", "live-readout", panels);
  const sentence = readout && element("span", "", readout), found = spec.goal && element("strong", "live-found", readout);
  const spoken = element("div", "live-spoken", holder);
  spoken.setAttribute("aria-live", "polite");
  const away = spec.fold?.names ?? [], one = spec.params.length - away.length === 1;
  const tools = element("div", `live-controls${one ? " live-one" : ""}`, holder);

  let printing = false, ready = false, scheduled = 0, speak, fit = true; // fit: the room may have changed
  const draw = () => { for (const _ of drawing()); };
  function* drawing() {
    scheduled = 0;
    const start = performance.now();
    const given = spec.params.map((p) => numberOf(p, model.get(p.name))), mode = printing ? "light" : pageMode();
    let values;
    try {
      values = first && given.every((v, k) => v === initial[k]) ? first : scene(...given);
      first = null;
    } catch (error) { // a check of the function fails here, as it would in torch
      if (readout) write(sentence, `${error.message ?? error}`);
      throw error;
    }
    const words = { ...values };
    spec.params.forEach((p, k) => {
      values[p.name] = given[k];
      words[p.name] = p.kind === "menu" ? p.options[p.values.indexOf(model.get(p.name))] : given[k];
    });
    holder.dataset.mode = mode;
    // Not at every move: to ask for the width makes the browser lay out the page first.
    if (fit || plots[0].density !== window.devicePixelRatio) fitPanels(plots, holder.clientWidth < SMALL);
    fit = false;
    for (const plot of plots) {
      Object.assign(plot, { shapes: spec.shapes, values });
      plot.draw(values, mode);
      yield;
    }
    const text = readout && fillTemplate(spec.readout, words), there = found && +values[spec.goal.name] > 0 ? ` ${spec.goal.said}` : "";
    if (readout && text + there !== readout.textContent) { // (the same one: only the room has changed)
      write(sentence, text);
      if (text.length > (readout.dataset.longest ?? "").length) readout.dataset.longest = text;
      if (found) write(found, there);
      clearTimeout(speak); // said once it rests, not at every step
      if (ready) speak = setTimeout(() => { write(spoken, text + there); }, 800);
    }
    performance.measure("live:draw", { start, end: performance.now() });
    holder.dataset.draws = 1 + (+holder.dataset.draws || 0);
  }
  const redraw = () => { scheduled ||= requestAnimationFrame(draw); };

  const say = (text) => {
    clearTimeout(speak); // (it would cut this short)
    spoken.textContent = text; // (a new text is said, though it be the same)
  };
  const buttons = addButtons(spec, model, tools, { link, say, reset: () => {
    for (const p of spec.params) model.set(p.name, p.value);
    model.save_changes();
  } });
  const stops = [];
  const put = (p, parent) => {
    model.on(`change:${p.name}`, redraw);
    const stop = addControl(p, model, parent);
    stops.push(() => { model.off(`change:${p.name}`, redraw); stop(); });
  };
  for (const p of spec.params) if (!away.includes(p.name)) put(p, tools);
  if (spec.fold) {
    const [inner, stop] = addFold(spec.fold, model, tools);
    for (const p of spec.params) if (away.includes(p.name)) put(p, inner);
    stops.push(stop);
  }
  for (const plot of plots) {
    if (plot.spec.marks.some((mark) => mark.choose)) addChoice(plot, spec.params, model);
    if (plot.spec.probe) stops.push(addProbe(plot, spec.params, model));
    for (const mark of plot.spec.marks) if (mark.drag) stops.push(addKnots(plot, mark, spec.params, model));
  }
  stops.push(() => buttons.stop());
  // What the reader takes in hand is the reader's: nothing else moves it.
  for (const kind of ["pointerdown", "keydown", "input", "click"]) {
    holder.addEventListener(kind, (e) => {
      const scrolls = kind === "pointerdown" && e.pointerType === "touch" && e.target.matches("canvas");
      if (!scrolls && e.key !== "Tab" && e.target.closest("[data-param], .live-probed, .live-knot, .live-choice")) buttons.stop();
    }, true);
  }
  if (readout) readout.setAttribute("aria-live", "off");
  yield;
  fitPanels(plots, holder.clientWidth < SMALL);
  fit = false;
  yield;

  const print = (now) => () => { printing = now; fit = true; draw(); };
  const beforePrint = print(true), afterPrint = print(false);
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  const size = new ResizeObserver(() => { fit = true; redraw(); });
  size.observe(holder);
  const seen = new IntersectionObserver((entries) => { // hints wait until then
    if (entries.some((entry) => entry.isIntersecting)) { holder.classList.add("live-seen"); seen.disconnect(); }
  }, { threshold: 0.5 });
  seen.observe(holder);
  stops.push(watchMode(redraw), watchDensity(redraw), () => {
    size.disconnect(); seen.disconnect(); cancelAnimationFrame(scheduled); clearTimeout(speak);
    removeEventListener("beforeprint", beforePrint); removeEventListener("afterprint", afterPrint);
  });
  yield* drawing();
  ready = true;
  return {
    remove() { stops.forEach((stop) => stop()); holder.remove(); },
    apply(state) {
      buttons.stop();
      for (const p of spec.params) if (state.has(p.name)) setFromText(model, p, state.get(p.name));
      model.save_changes();
      if (state.has("play") && !spec.params.some((p) => p.name === "play")) buttons.play();
    },
  };
}

const SMALL = 480; // pixels: a phone's width, as in figure.css

// Where the panels stand: side by side, as wide as they ask to be; where the page is narrow, two in
// a row, and the last one alone may take both places (see `spans` in site.py, which keeps the room).
function arrangePanels(parent, plots) {
  const widths = plots.map((plot) => plot.spec.width), total = widths.reduce((a, b) => a + b, 0);
  const wide = total <= 4 ? widths.map((w) => `minmax(0, ${w}fr)`).join(" ") : "repeat(3, minmax(0, 1fr))";
  parent.classList.toggle("live-many", total > 3);
  parent.classList.toggle("live-single", plots.length === 1);
  parent.style.setProperty("--live-wide", wide);
  parent.style.setProperty("--live-most", `${472 * Math.max(1, total)}px`);
  let column = 0;
  plots.forEach(({ root, spec }, k) => {
    const alone = k === plots.length - 1 && column === 0 && !spec.equal;
    const span = plots.length > 1 && (spec.width >= 1.5 || alone) ? 2 : 1;
    root.style.setProperty("--live-span", span);
    column = span === 2 ? 0 : (column + 1) % 2; // (two places are those of a row of its own)
  });
  if (column === 1 && plots.length > 1) parent.classList.add("live-odd"); // a place is free beside the last
}
