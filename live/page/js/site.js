// On a page without a kernel: each <img data-live="id"> becomes the figure that was registered
// under this id. If anything fails, the picture stays.

// A script of the page's own, once.
const scripts = {};
const fetchScript = (address) => (scripts[address] ??= new Promise((done, failed) => {
  const tag = element("script", "", document.head);
  Object.assign(tag, { onload: done, onerror: () => failed(`${address} did not load`), src: address });
}));

// Every figure that has a name has an address with its state: page.html#name?kappa=-0.9&play
const linkTo = (image) => {
  const name = image.closest("[id]")?.id;
  return name && ((state) => `${location.href.split("#")[0]}#${encodeURIComponent(name)}?${state}`);
};
function readAddress(hash) {
  const [, name, state] = /^#([^?]*)\?(.*)$/.exec(hash) ?? [];
  if (state === undefined) return {};
  try {
    const place = document.getElementById(decodeURIComponent(name));
    return { place, state: new URLSearchParams(state), image: place?.querySelector("img[data-live]") };
  } catch { // not decodable
    return {};
  }
}

// In steps, between which the page may do other things: code and weights (they are in the page
// itself where `save_html` wrote it), constants, what depends on them, drawing. A step that was
// short is followed by the next one at once.
const SHORT = 2; // milliseconds
let begun = 0; // when the page last had its turn
async function breathe() {
  if (performance.now() - begun < SHORT) return;
  await new Promise((go) => setTimeout(go));
  begun = performance.now();
}
async function mount(image) {
  const holder = document.createElement("div");
  try {
    await Promise.all((image.dataset.scripts ?? "").split(" ").filter(Boolean).map(fetchScript));
    const figure = window.liveFigures?.[image.dataset.live];
    if (!figure) return;
    checkConvention(figure.spec);
    const data = {};
    for (const [name, d] of Object.entries(figure.data)) {
      await breathe();
      const whole = d.shared ? { ...d, values: window.liveData[d.shared] } : d;
      Object.assign(data, live.decode({ [name]: whole }));
    }
    await breathe();
    const scene = figure.make(data, live);
    holder.className = "live-coming"; // the picture stays until all is drawn
    image.after(holder);
    const spec = { ...figure.spec, alt: image.alt || figure.spec.alt }; // what the page says of it
    const made = { spec, data: {}, make: () => scene };
    const steps = mountInSteps(holder, made, new PageModel(figure.spec.params), linkTo(image));
    for (;;) {
      await breathe();
      const { done, value } = steps.next();
      if (!done) continue;
      image.hidden = true;
      holder.className = "";
      return value;
    }
  } catch (error) {
    holder.remove();
    const note = element("p", "live-note");
    note.textContent = "This figure does not move here; the picture shows its default state.";
    image.after(note);
    console.error(`live figure ${image.dataset.live}:`, error);
  }
}

// Figures come to life shortly before they are seen: a page with many of them is not held up.
// `html[data-live=ready]` says that all are alive; `mountLiveFigures()` sees to it.
function mountPage() {
  const images = [...document.querySelectorAll("img[data-live]")], started = new Map();
  const start = (image) => {
    if (!started.has(image)) {
      started.set(image, mount(image));
      if (started.size === images.length) {
        Promise.all(started.values()).then(() => { document.documentElement.dataset.live = "ready"; });
      }
    }
    return started.get(image);
  };
  const watcher = new IntersectionObserver((entries) => {
    for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
      watcher.unobserve(target);
      start(target);
    }
  }, { rootMargin: "50% 0px" });
  for (const image of images) watcher.observe(image);
  window.mountLiveFigures = () => Promise.all(images.map(start));

  // Bring a figure into view in the state that the address says; what it cannot say is left out.
  const follow = async (block) => {
    const { hash } = location, { place, state, image } = readAddress(hash);
    if (!image) return;
    for (let fold = place.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    place.scrollIntoView({ block });
    const figure = await start(image);
    if (!figure || location.hash !== hash) return;
    figure.apply(state);
    place.scrollIntoView({ block }); // now that it has its height
  };
  let clicked = false; // a link in the text: the page moves as little as possible
  addEventListener("hashchange", () => { follow(clicked ? "nearest" : "start"); clicked = false; });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || !readAddress(link.hash).image || link.href.split("#")[0] !== location.href.split("#")[0]) return;
    if (link.hash !== location.hash) clicked = true;
    else follow("nearest"); // the browser says nothing of the same address
  });
  follow("start");
}
document.readyState === "complete" ? mountPage() : addEventListener("load", mountPage);
