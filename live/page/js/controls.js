// Native, labelled controls for the parameters, and a probe that can be dragged.
const digitsOf = (step) => Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));
let count = 0;

// Sets a slider's parameter: within its range, on its steps.
function setParam(model, p, value) {
  const steps = Math.round((value - p.min) / p.step);
  const on = +(p.min + steps * p.step).toFixed(digitsOf(p.step) + 2);
  model.set(p.name, Math.max(p.min, Math.min(p.max, on)));
}

function addControl(p, model, parent) {
  const row = element("div", "live-control", parent);
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
      output.textContent = formatNumber(model.get(p.name), digitsOf(p.step));
    };
  }
  model.on(`change:${p.name}`, show);
  show();
  return () => model.off(`change:${p.name}`, show);
}

// Drag in the panel, or arrow keys while it has the focus.
function addProbe(plot, params, model) {
  const [px, py] = plot.spec.probe.map((name) => params.find((p) => p.name === name));
  const { canvas } = plot;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `${canvas.getAttribute("aria-label")}; arrow keys move the probe`);
  canvas.dataset.lmSuppressShortcuts = "true";
  canvas.style.cursor = "crosshair";
  canvas.style.touchAction = px && py ? "none" : "pan-y";
  const move = (event) => {
    const at = canvas.getBoundingClientRect();
    if (px) setParam(model, px, (event.clientX - at.left - plot.bx) / plot.ax);
    if (py) setParam(model, py, (event.clientY - at.top - plot.by) / plot.ay);
    model.save_changes();
  };
  canvas.addEventListener("pointerdown", (e) => { canvas.setPointerCapture(e.pointerId); move(e); });
  canvas.addEventListener("pointermove", (e) => { if (canvas.hasPointerCapture(e.pointerId)) move(e); });
  canvas.addEventListener("keydown", (e) => {
    const [p, sign] = { ArrowLeft: [px, -1], ArrowRight: [px, 1], ArrowDown: [py, -1], ArrowUp: [py, 1] }[e.key] ?? [];
    if (!p) return;
    setParam(model, p, model.get(p.name) + sign * Math.max(p.step, (p.max - p.min) / 100));
    model.save_changes();
    e.preventDefault(); e.stopPropagation();
  });
}

// Back to the start; and a button that lets one slider run.
function addButtons(spec, model, parent, reset) {
  const row = element("div", "live-buttons", parent);
  const button = (text, action) => {
    const made = element("button", "", row, text);
    made.type = "button";
    made.dataset.lmSuppressShortcuts = "true";
    made.addEventListener("click", action);
    return made;
  };
  let stop = () => {};
  if (spec.play) {
    const p = spec.params.find((q) => q.name === spec.play);
    let running = false, timer;
    const play = button("Play", () => (running ? stop() : start()));
    stop = () => { running = false; clearTimeout(timer); play.textContent = "Play"; };
    const start = () => {
      running = true;
      play.textContent = "Pause";
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
  return () => stop();
}
