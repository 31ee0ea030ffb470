// On a page without a kernel: each <img data-live="id"> becomes the figure that was registered
// under this id. If anything fails, the picture stays.
class PageModel {
  constructor(params) {
    this.values = Object.fromEntries(params.map((p) => [p.name, p.value]));
    this.listeners = {};
  }
  get(name) { return this.values[name]; }
  set(name, value) {
    if (this.values[name] === value) return;
    this.values[name] = value;
    for (const listener of this.listeners[`change:${name}`] ?? []) listener();
  }
  save_changes() {}
  on(event, listener) { (this.listeners[event] ??= new Set()).add(listener); }
  off(event, listener) { this.listeners[event]?.delete(listener); }
}

// In steps, between which the page may do other things: constants, what depends on them, drawing.
function* mount(image) {
  const figure = window.liveFigures?.[image.dataset.live];
  if (!figure) return;
  const holder = document.createElement("div");
  try {
    const data = live.decode(Object.fromEntries(Object.entries(figure.data).map(([name, d]) =>
      [name, d.shared ? { ...d, values: window.liveData[d.shared] } : d])));
    yield;
    const scene = figure.make(data, live);
    yield;
    image.after(holder);
    const spec = { ...figure.spec, alt: image.alt || figure.spec.alt }; // what the page says of it
    mountFigure(holder, { spec, data: {}, make: () => scene }, new PageModel(figure.spec.params));
    image.hidden = true;
  } catch (error) {
    holder.remove();
    console.error(`live figure ${image.dataset.live}:`, error);
  }
}

// Figures come to life shortly before they are seen, a step at a time: a page with many of them is
// not held up. `html[data-live=ready]` says that all are alive; `mountLiveFigures()` sees to it.
function mountPage() {
  const images = [...document.querySelectorAll("img[data-live]")];
  const waiting = new Map(images.map((image) => [image, mount(image)]));
  const step = (image) => {
    if (!waiting.has(image)) return false;
    if (waiting.get(image).next().done) waiting.delete(image);
    if (!waiting.size) document.documentElement.dataset.live = "ready";
    return waiting.has(image);
  };
  const walk = (image) => step(image) && setTimeout(walk, 0, image);
  const watcher = new IntersectionObserver((entries) => {
    for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
      watcher.unobserve(target);
      walk(target);
    }
  }, { rootMargin: "50% 0px" });
  for (const image of images) watcher.observe(image);
  window.mountLiveFigures = () => { for (const image of images) while (step(image)); };
}
document.readyState === "complete" ? mountPage() : addEventListener("load", mountPage);
