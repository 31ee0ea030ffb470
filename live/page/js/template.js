// Readouts: {name:.3f}, {name[2]:+.2f}, {name|text if 0|text if 1}. The same as template.py.
const FIELD = /\{(\w+)(?:\[(\d+)\])?(?::(\+)?\.(\d+)([fe%])|((?:\|[^|}]*)+))?\}/g;

function fillTemplate(template, values) {
  return template.replace(FIELD, (_, name, index, plus, digits, kind, words) => {
    let value = values[name];
    if (index !== undefined) value = value[index];
    if (words) {
      const options = words.slice(1).split("|");
      return options[Math.max(0, Math.min(options.length - 1, Math.round(+value)))];
    }
    if (digits === undefined) return typeof value === "string" ? value : String(+(+value).toPrecision(4));
    return formatNumber(+value, +digits, kind, plus);
  });
}

function formatNumber(value, digits, kind = "f", plus = "") {
  if (Number.isNaN(value)) return "none";
  let text = kind === "e"
    ? value.toExponential(digits).replace(/e([+-])(\d)$/, "e$10$2")
    : (kind === "%" ? 100 * value : value).toFixed(digits);
  if (!plus && parseFloat(text) === 0) text = text.replace("-", "");
  if (plus && !text.startsWith("-")) text = "+" + text;
  return kind === "%" ? text + "%" : text;
}
