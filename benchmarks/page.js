// Times one function: 20 calls to warm up, then `count`; returns milliseconds, sorted.
async function times(call, count) {
  for (let k = 0; k < 20; k++) await call();
  const all = [];
  for (let k = 0; k < count; k++) {
    const start = performance.now();
    await call();
    all.push(performance.now() - start);
  }
  return all.sort((a, b) => a - b);
}
const typed = (v) => (Array.isArray(v) ? v.map(typed) : v.shape.length ? Float32Array.from(v.values) : v.values[0]);
const flat = (v) => (Array.isArray(v) ? v.flatMap(flat) : [v]);

async function timeLive({ code, data }, args, count) {
  const f = (0, eval)(code)(live.decode(data), live), given = args.map(typed);
  return times(() => f(...given), count);
}

async function timeOnnx(name, args, count) {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = "/node_modules/onnxruntime-web/dist/";
  const session = await ort.InferenceSession.create(`/${name}.onnx`, { executionProviders: ["wasm"] });
  const all = flat(args), feeds = {};
  session.inputNames.forEach((input, k) => { feeds[input] = new ort.Tensor("float32", Float32Array.from(all[k].values), all[k].shape); });
  return times(() => session.run(feeds), count);
}

async function timeTf(name, args, params, count, backend) {
  tf.wasm?.setWasmPaths("/node_modules/@tensorflow/tfjs-backend-wasm/dist/");
  await tf.setBackend(backend);
  await tf.ready();
  const tensor = (v) => (Array.isArray(v) ? v.map(tensor) : tf.tensor(v.values, v.shape));
  const given = args.map(tensor), weights = params.map(tensor);
  const call = { tanh: tfTanh, planar: tfPlanar, radial: tfRadial, RealNVP: (z) => tfFlow(z, weights, false), training: tfStep }[name];
  return times(() => {
    tf.tidy(() => { for (const out of call(...given)) out.dataSync(); });
  }, count);
}

// Moves all sliders of a figure; returns the milliseconds of each move, sorted.
async function timeMoves(count, root = document) {
  const sliders = [...root.querySelectorAll("input[type=range]")];
  const menus = [...root.querySelectorAll("select")], all = [];
  const frame = () => new Promise((go) => requestAnimationFrame(() => setTimeout(go)));
  for (let k = 0; k < count + 20; k++) {
    performance.clearMeasures();
    const e = [...sliders, ...menus][k % (sliders.length + menus.length)], t = ((k * 37) % 100) / 99;
    if (e.tagName === "SELECT") e.selectedIndex = (k * 7) % e.options.length;
    else e.value = +e.min + t * (e.max - e.min);
    const start = performance.now();
    e.dispatchEvent(new Event(e.tagName === "SELECT" ? "change" : "input"));
    const handler = performance.now() - start;
    await frame();
    const drawn = performance.getEntriesByName("live:draw").reduce((sum, m) => sum + m.duration, 0);
    if (k >= 20 && drawn) all.push(handler + drawn);
  }
  return all.sort((a, b) => a - b);
}
