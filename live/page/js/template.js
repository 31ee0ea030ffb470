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
  // (two digits of the exponent at least, as in Python: 1e-07)
  const text = power < -4 || power > 3
    ? `${+number}e${power}`.replace(/e([+-])(\d)$/, "e$10$2") : String(+value.toPrecision(4));
  return text.replace(/^-/, "−");
}

// As people write it: a true minus, and 2.2 × 10⁻⁸. The same as template.py.
function formatNumber(value, digits, kind = "f", plus = "") {
  if (Number.isNaN(value)) return "none";
  const shown = kind === "%" ? 100 * value : value, unit = kind === "%" ? "%" : "";
  if (Number.isFinite(shown) && (kind === "e" || Math.abs(shown) >= 1e21)) { // (toFixed ends there)
    if (shown === 0) return "0";
    const [number, power] = shown.toExponential(digits).split("e");
    const raised = [...String(+power)].map((c) => RAISED[c]).join("");
    return `${plus && shown > 0 ? "+" : ""}${number}\u00a0×\u00a010${raised}${unit}`.replace("-", "−");
  }
  let text = shown.toFixed(digits).replace("Infinity", "inf");
  if (parseFloat(text) === 0) text = text.replace("-", ""); // -0.00 would be a riddle
  if (plus && !text.startsWith("-")) text = "+" + text;
  return text.replace("-", "−") + unit;
}
const RAISED = { "-": "⁻", ...Object.fromEntries([..."⁰¹²³⁴⁵⁶⁷⁸⁹"].entries()) };
