// Colours of the book, light and dark. render.py has the light ones for print.
const COLORS = {
  light: { blue: "#0173b2", orange: "#d55e00", green: "#029e73", pink: "#b2509c", brown: "#8c564b",
    sky: "#2b8fc9", amber: "#bd7a00", purple: "#5b3a8c", gray: "#5f5f5f", light: "#c4c4c4", ink: "#222222", paper: "#ffffff", rule: "#e6e6e6" },
  dark: { blue: "#56b4e9", orange: "#ff9550", green: "#3ccb9d", pink: "#e39bd3", brown: "#c99a8c",
    sky: "#8fd0f5", amber: "#ffbe55", purple: "#b69be8", gray: "#a8adb3", light: "#565c63", ink: "#e8eaed", paper: "#14181e", rule: "#2c323a" },
};
// A palette is a list of [place, red, green, blue, alpha].
const PALETTES = {
  light: {
    density: [[0, 255, 255, 255, 0], [0.55, 1, 115, 178, 0.87], [1, 11, 57, 84, 1]],
    diverging: [[0, 1, 115, 178, 1], [0.5, 208, 208, 208, 1], [1, 213, 94, 0, 1]],
  },
  dark: {
    density: [[0, 20, 24, 30, 0], [0.55, 31, 120, 180, 0.87], [1, 214, 240, 255, 1]],
    diverging: [[0, 86, 180, 233, 1], [0.5, 90, 95, 102, 1], [1, 255, 149, 80, 1]],
  },
};
const LEVELS = 64;

// 64 colours [r, g, b, alpha (0 to 255)] of a palette.
const tables = {};
function paletteTable(mode, name) {
  return (tables[mode + name] ??= Array.from({ length: LEVELS }, (_, k) => {
    const t = k / (LEVELS - 1), stops = PALETTES[mode][name];
    const n = Math.max(1, stops.findIndex((s) => s[0] >= t));
    const [a, b] = [stops[n - 1], stops[n]], w = (t - a[0]) / (b[0] - a[0]);
    const [r, g, bl, al] = [1, 2, 3, 4].map((c) => a[c] + w * (b[c] - a[c]));
    return [Math.round(r), Math.round(g), Math.round(bl), Math.round(255 * al)];
  }));
}

// The page's mode: the book's switch, JupyterLab, Colab, VS Code, or else the system.
function pageMode() {
  const { documentElement: html, body } = document;
  const named = html.dataset.theme || html.getAttribute("theme");
  if (named === "dark" || named === "light") return named;
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "true" ? "light" : "dark";
  if (body.classList.contains("vscode-dark")) return "dark";
  if (body.classList.contains("vscode-light")) return "light";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

// Calls back when the density of pixels has changed (zoom, another monitor); returns what stops it.
function watchDensity(callback) {
  let query;
  const changed = () => { stop(); start(); callback(); };
  const start = () => {
    query = matchMedia(`(resolution: ${window.devicePixelRatio || 1}dppx)`);
    query.addEventListener("change", changed);
  };
  const stop = () => query.removeEventListener("change", changed);
  start();
  return stop;
}

// Calls back when the mode may have changed; returns what stops it.
function watchMode(callback) {
  const watcher = new MutationObserver(callback);
  const query = matchMedia("(prefers-color-scheme: dark)");
  for (const element of [document.documentElement, document.body]) {
    watcher.observe(element, { attributeFilter: ["data-theme", "theme", "class", "data-jp-theme-light"] });
  }
  query.addEventListener("change", callback);
  return () => { watcher.disconnect(); query.removeEventListener("change", callback); };
}
