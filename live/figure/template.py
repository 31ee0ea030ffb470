"""Readouts: the same small template language in Python and on the page (page/js/template.js)."""

import math
import re

FIELD = re.compile(r"\{(\w+)(?:\[(\d+)\])?(?::(\+)?\.(\d+)([fe%])|((?:\|[^|}]*)+))?\}")


def fill(template: str, values: dict) -> str:
    """Put numbers into a template.

    Args:
        template: Text with `{name}`, `{name:.3f}`, `{name:+.2f}`, `{name:.1%}`, `{name[2]:.3f}`
            for an entry of a vector, and `{name|text if 0|text if 1}` for a choice of words. What
            is no number is "none".
        values: Name -> number, text or flat list of numbers.

    Returns:
        The text.

    Example:
        >>> fill("area {a:.2f}: {ok|leaks|complete}", {"a": 1.0, "ok": 1.0})
        'area 1.00: complete'
    """

    def one(match):
        name, index, plus, digits, kind, words = match.groups()
        value = values[name]
        if index is not None:
            value = value[int(index)]
        if isinstance(value, str) and not words and digits is None:
            return value
        if math.isnan(float(value)):
            return "none"
        if words:
            options = words[1:].split("|")
            return options[math.floor(max(0, min(len(options) - 1, float(value))) + 0.5)]
        if digits is None:
            return f"{float(value):.4g}"
        shown = f"{float(value):{plus or ''}.{digits}{kind}}"
        # -0.00 would be a riddle
        return shown.lstrip("-") if float(shown.rstrip("%")) == 0 and not plus else shown

    return FIELD.sub(one, template)


def names(template: str) -> set[str]:
    """The names a template uses."""
    return {m.group(1) for m in FIELD.finditer(template)}
