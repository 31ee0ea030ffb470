// Readouts: {name:.3f}, {name[2]:+.2f}, {name|text if 0|text if 1}. The same as template.py.
const FIELD = /\{(\w+)(?:\[(\d+)\])?(?::(\+)?\.(\d+)([fe%])|((?:\|[^|}]*)+))?\}/g;

function fillTemplate(template, values) {
  return template.replace(FIELD, (_, name, index, plus, digits, kind, words) => {
    let value = values[name];
    if (index !== undefined) value = value[index];
    if (typeof value === "string" && !words && digits === undefined) return value;
    if (Number.isNaN(+value)) return "none";
    if (words) {
      const options = words.slice(1).split("|");
      return options[Math.round(Math.max(0, Math.min(options.length - 1, +value)))];
    }
    return digits === undefined ? general(+value) : formatNumber(+value, +digits, kind, plus);
  });
}

// As Python's .4g
function general(value) {
  if (!Number.isFinite(value)) return formatNumber(value, 0);
  const [number, power] = value.toExponential(3).split("e");
  if (power < -4 || power > 3) return longExponent(`${+number}e${power}`);
  return String(+value.toPrecision(4));
}

// Two digits at least, as in Python: 1e-07
const longExponent = (text) => text.replace(/e([+-])(\d)$/, "e$10$2");

function formatNumber(value, digits, kind = "f", plus = "") {
  let text = kind === "e" ? longExponent(value.toExponential(digits))
    : (kind === "%" ? 100 * value : value).toFixed(digits);
  text = text.replace("Infinity", "inf");
  if (!plus && parseFloat(text) === 0) text = text.replace("-", "");
  if (plus && !text.startsWith("-")) text = "+" + text;
  return kind === "%" ? text + "%" : text;
}
