// In a notebook: anywidget hands us the model; the compiled function arrives as text.
async function render({ model, el }) {
  const url = URL.createObjectURL(new Blob([`export default ${model.get("code")}`], { type: "text/javascript" }));
  try {
    const make = (await import(url)).default;
    return mountFigure(el, { spec: model.get("spec"), data: model.get("data"), make }, model).remove;
  } catch (error) {
    element("p", "live-note", el).textContent = `This figure does not move here: ${error.message ?? error}.`;
    throw error;
  } finally {
    URL.revokeObjectURL(url);
  }
}
export default { render };
