// The state of a figure where no kernel keeps it: what anywidget's model does, for a page alone.
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
