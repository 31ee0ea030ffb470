// Native, labelled controls for the parameters, and a probe that can be dragged.
const digitsOf = (step) => Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));
let count = 0;

// Sets a slider's parameter: within its range, on its steps.
function setParam(model, p, value) {
  const steps = Math.round((value - p.min) / p.step);
  const on = +(p.min + steps * p.step).toFixed(digitsOf(p.step) + 2);
  model.set(p.name, Math.max(p.min, Math.min(p.max, on)));
}

// Whole numbers are shown as such.
const shownValue = (value, step) => formatNumber(value, Number.isInteger(value) ? 0 : digitsOf(step));

// The number that the function is given for a value.
const numberOf = (p, value) => (p.kind === "menu" ? p.numbers[p.values.indexOf(value)] : +value);

// A value as text, as a link holds it; and back. What is no value of the parameter changes nothing.
const asText = (p, value) => (p.kind === "menu" ? p.options[p.values.indexOf(value)] : String(+value));
function setFromText(model, p, text) {
  if (p.kind === "menu") {
    const low = text.toLowerCase(), k = p.options.findIndex((option) => option.toLowerCase() === low);
    const at = k < 0 ? p.values.findIndex((value) => String(value) === text) : k;
    if (at >= 0) model.set(p.name, p.values[at]);
  } else if (p.kind === "check") {
    if (/^(1|0|true|false)$/.test(text)) model.set(p.name, text === "1" || text === "true");
  } else if (text.trim() && Number.isFinite(+text)) setParam(model, p, +text);
}

function addControl(p, model, parent) {
  const row = element("div", `live-control ${p.kind === "menu" ? "live-menu" : p.kind === "check" ? "" : "live-slider"}`, parent);
  const label = element("label", "", row, p.label);
  const input = element(p.kind === "menu" ? "select" : "input", "", row);
  label.htmlFor = input.id = `live-${++count}-${p.name}`;
  // JupyterLab would take arrow keys, and "a" would insert a cell. (On a parent this has no effect.)
  input.dataset.lmSuppressShortcuts = "true";
  input.dataset.param = p.name;
  const change = (value) => { model.set(p.name, value); model.save_changes(); };
  let show;
  if (p.kind === "menu") {
    p.options.forEach((text, k) => { element("option", "", input, text).value = k; });
    input.addEventListener("change", () => change(p.values[input.selectedIndex]));
    show = () => { input.selectedIndex = p.values.indexOf(model.get(p.name)); };
  } else if (p.kind === "check") {
    input.type = "checkbox";
    input.addEventListener("change", () => change(input.checked));
    show = () => { input.checked = model.get(p.name); };
  } else {
    Object.assign(input, { type: "range", min: p.min, max: p.max, step: p.step });
    const output = element("output", "", row);
    output.htmlFor = input.id;
    output.setAttribute("aria-live", "off"); // the slider itself says its value
    input.addEventListener("input", () => change(input.valueAsNumber));
    show = () => {
      input.value = model.get(p.name);
      write(output, shownValue(model.get(p.name), p.step));
    };
  }
  model.on(`change:${p.name}`, show);
  show();
  return () => model.off(`change:${p.name}`, show);
}

// Drag in the panel, or arrow keys while it has the focus. A finger has to take the probe itself:
// anywhere else it scrolls the page, or taps.
function addProbe(plot, params, model) {
  const [px, py] = plot.spec.probe.map((name) => params.find((p) => p.name === name));
  const sliders = [px, py].filter(Boolean), names = sliders.map((p) => p.label).join(" and ");
  const { canvas, stage } = plot;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `${canvas.getAttribute("aria-label")}; arrow keys move ${names}`);
  canvas.dataset.lmSuppressShortcuts = "true";
  stage.classList.add("live-probed");
  const handle = plot.handle = element("div", `live-handle ${px && py ? "live-both" : px ? "live-across" : "live-upwards"}`, stage);
  const move = ([x, y]) => {
    if (px) setParam(model, px, (x - plot.bx) / plot.ax);
    if (py) setParam(model, py, (y - plot.by) / plot.ay);
    model.save_changes();
  };
  let grip = null; // from the pointer to the probe
  stage.addEventListener("pointerdown", (e) => {
    const touch = e.pointerType === "touch", [x, y] = plot.placeOf(e);
    if (e.button || e.defaultPrevented || (touch && e.target !== handle)) return;
    grip = touch ? [(px ? plot.X(model.get(px.name)) : x) - x, (py ? plot.Y(model.get(py.name)) : y) - y] : [0, 0];
    stage.setPointerCapture(e.pointerId);
    if (!touch) { canvas.focus({ preventScroll: true }); move([x, y]); }
    e.preventDefault(); // (no text is selected on the way)
  });
  stage.addEventListener("pointermove", (e) => {
    if (grip && stage.hasPointerCapture(e.pointerId)) move(plot.placeOf(e).map((v, k) => v + grip[k]));
  });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => { setTimeout(() => { grip = null; }); });
  canvas.addEventListener("click", (e) => { if (!grip && !e.defaultPrevented) move(plot.placeOf(e)); }); // a tap
  canvas.addEventListener("keydown", (e) => {
    const [p, sign] = { ArrowLeft: [px, -1], ArrowRight: [px, 1], ArrowDown: [py, -1], ArrowUp: [py, 1] }[e.key] ?? [];
    if (!p) return;
    setParam(model, p, model.get(p.name) + sign * Math.max(p.step, (p.max - p.min) / 100));
    model.save_changes();
    e.preventDefault(); e.stopPropagation();
  });
  return addHint(handle, sliders, model);
}

// Says on a handle that it can be dragged, until one of its sliders has moved. Returns what ends it.
function addHint(handle, sliders, model) {
  const hint = element("span", "live-hint", handle, "drag me");
  hint.setAttribute("aria-hidden", "true");
  const moved = () => hint.remove();
  for (const p of sliders) model.on(`change:${p.name}`, moved);
  return () => { for (const p of sliders) model.off(`change:${p.name}`, moved); };
}

// Dots that are dragged up and down: the k-th sets the k-th slider of `mark.drag`.
function addKnots(plot, mark, params, model) {
  const sliders = mark.drag.map((name) => params.find((p) => p.name === name));
  const handles = sliders.map((p, k) => {
    const handle = element("div", "live-handle live-knot", plot.stage);
    let grip = 0; // from the pointer to the dot
    const y = () => { const [, , Y] = coordinates(mark, plot.values); return plot.Y(Y(k)); };
    handle.addEventListener("pointerdown", (e) => {
      if (e.button) return;
      grip = y() - plot.placeOf(e)[1];
      handle.setPointerCapture(e.pointerId);
      e.preventDefault(); e.stopPropagation();
    });
    handle.addEventListener("pointermove", (e) => {
      if (!handle.hasPointerCapture(e.pointerId)) return;
      setParam(model, p, (plot.placeOf(e)[1] + grip - plot.by) / plot.ay);
      model.save_changes();
    });
    return handle;
  });
  plot.knots.push([mark, handles]);
  return addHint(handles[0], sliders, model);
}

// Controls that are put away under a line of text; it is there while they count. Returns [where
// they go, stop].
function addFold({ label, when }, model, parent) {
  const fold = element("details", "live-fold", parent);
  element("summary", "", fold, label).dataset.lmSuppressShortcuts = "true";
  const inner = element("div", "live-controls", fold);
  if (!when) return [inner, () => {}];
  const [menu, value] = when, show = () => { fold.hidden = model.get(menu) !== value; };
  model.on(`change:${menu}`, show);
  show();
  return [inner, () => model.off(`change:${menu}`, show)];
}

// Marks that choose: a click on the k-th dot (or bar) sets a menu or a whole number to its k-th value.
function addChoice(plot, params, model) {
  const { stage } = plot, marks = plot.spec.marks.filter((mark) => mark.choose);
  const hit = (e) => {
    const [x, y] = plot.placeOf(e);
    for (const mark of marks) {
      const p = params.find((q) => q.name === mark.choose);
      const [n, X, Y] = mark.kind === "points" ? coordinates(mark, plot.values) : [plot.values[mark.value].length];
      const far = (k) => (X ? Math.hypot(plot.X(X(k)) - x, plot.Y(Y(k)) - y) - Math.max(10, mark.size)
        : Math.abs(plot.Y(k) - y) - Math.abs(plot.ay) / 2);
      const k = Array.from({ length: n }, (_, i) => i).reduce((best, i) => (far(i) < far(best) ? i : best), 0);
      if (far(k) <= 0) return [p, p.kind === "menu" ? p.values[k] : p.min + k * p.step];
    }
    return null;
  };
  const choose = (e) => {
    const found = hit(e);
    if (!found) return;
    e.preventDefault(); // the probe stays
    model.set(found[0].name, found[1]);
    model.save_changes();
  };
  const touchless = (e) => { if (e.pointerType !== "touch" && !e.button) choose(e); };
  stage.addEventListener("pointerdown", touchless, true);
  stage.addEventListener("click", choose, true);
  stage.addEventListener("pointermove", (e) => { if (!e.buttons) stage.classList.toggle("live-choice", !!hit(e)); });
}

// A button that lets one slider run; back to the start; a link to what is seen.
// Returns {play, stop}.
function addButtons(spec, model, parent, { reset, link, say }) {
  const row = element("div", "live-buttons", parent);
  const button = (text, action) => {
    const made = element("button", "", row, text);
    made.type = "button";
    made.dataset.lmSuppressShortcuts = "true";
    made.addEventListener("click", action);
    return made;
  };
  let stop = () => {}, start = () => {};
  if (spec.play) {
    const p = spec.params.find((q) => q.name === spec.play);
    let running = false, timer;
    const play = button("Play", () => (running ? stop() : start()));
    stop = () => { running = false; clearTimeout(timer); write(play, "Play"); };
    start = () => {
      stop();
      running = true;
      write(play, "Pause");
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches; // few, slow steps then
      const pause = calm ? 600 : 16, seconds = 4;
      const from = model.get(p.name) >= p.max - p.step / 2 ? p.min : model.get(p.name);
      const begin = performance.now() - ((from - p.min) / (p.max - p.min)) * seconds * 1000;
      const tick = () => {
        if (!running) return;
        const t = calm ? (model.get(p.name) - p.min) / (p.max - p.min) + 0.125 : (performance.now() - begin) / 1000 / seconds;
        setParam(model, p, p.min + Math.min(1, t) * (p.max - p.min));
        model.save_changes();
        t >= 1 ? stop() : (timer = setTimeout(tick, pause));
      };
      if (from === p.min) setParam(model, p, p.min);
      tick();
    };
  }
  button("Reset", () => { stop(); reset(); });
  if (link) addCopy(spec, model, parent, button, link, say);
  return { play: () => start(), stop: () => stop() };
}

// Copies the address of the figure as it is now. Where the page may not, it shows it to be copied.
function addCopy(spec, model, parent, button, link, say) {
  let shown = null, timer;
  const copy = button("Copy link", async () => {
    const state = new URLSearchParams(spec.params.map((p) => [p.name, asText(p, model.get(p.name))]));
    const address = link(state);
    shown?.remove();
    shown = null;
    try {
      await navigator.clipboard.writeText(address);
      write(copy, "Copied");
      say("Link to this state copied");
      clearTimeout(timer);
      timer = setTimeout(() => { write(copy, "Copy link"); }, 2000);
    } catch {
      shown = Object.assign(element("input", "live-link", parent), { readOnly: true, value: address });
      shown.setAttribute("aria-label", "Link to this state");
      shown.focus();
      shown.select();
      say("Link to this state, selected: copy it");
    }
  });
  copy.className = "live-quiet";
  copy.title = "Copy a link to the figure in this state";
}
