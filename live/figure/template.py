"""Readouts: the same small template language in Python and on the page (page/js/template.js)."""

import math
import re
from decimal import ROUND_HALF_UP, Decimal, localcontext

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FIELD = re.compile(r"\{(\w+)(?:\[(\d+)\])?(?::(\+)?\.(\d+)([fe%])|((?:\|[^|}]*)+))?\}")


def fill(template: str, values: dict) -> str:
    """Put numbers into a template.

    Args:
        template: Text with `{name}`, `{name:.3f}`, `{name:+.2f}`, `{name:.1%}`, `{name[2]:.3f}`
            for an entry of a vector, and `{name|text if 0|text if 1}` for a choice of words. What
            is no number is "none". `{name}` alone shows four digits, and a whole number as such.
            `{name:.1e}` is written as people do: 2.2 × 10⁻⁸.
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
            shown = f"{float(_rounded(float(value), '.3e')):.4g}"
            return re.sub("^-", "−", shown)
        return number(float(value), int(digits), kind, plus or "")

    return FIELD.sub(one, template)


def number(value: float, digits: int, kind: str = "f", plus: str = "") -> str:
    """A number as people write it (as formatNumber in page/js/template.js).

    Args:
        value: The number.
        digits: How many after the point.
        kind: "f", "e" for a power of ten, or "%".
        plus: "+" to show this sign, too.

    Returns:
        The text, with a true minus.

    Example:
        >>> number(-1.5, 2), number(-0.001, 2), number(2.2e-8, 1, "e"), number(0.0, 1, "e")
        ('−1.50', '0.00', '2.2\\xa0×\\xa010⁻⁸', '0')
    """
    if math.isnan(value):
        return "none"
    unit = "%" if kind == "%" else ""
    value = 100 * value if unit else value
    if math.isfinite(value) and (kind == "e" or abs(value) >= 1e21):
        if value == 0:
            return "0"
        shown, power = _rounded(value, f"{plus}.{digits}e").split("e")
        raised = str(int(power)).translate(RAISED)
        return f"{shown}\u00a0×\u00a010{raised}{unit}".replace("-", "−")
    shown = _rounded(value, f"{plus}.{digits}f")
    if float(shown) == 0:
        shown = shown.replace("-", plus)  # -0.00 would be a riddle
    return shown.replace("-", "−") + unit


def _rounded(value, form):
    """As JavaScript rounds: halves away from 0; and there is no -0."""
    if math.isinf(value):
        return f"{value:{form}}"
    with localcontext() as context:
        context.rounding = ROUND_HALF_UP
        return f"{Decimal(value + 0.0):{form}}"


def names(template: str) -> set[str]:
    """The names a template uses."""
    return {m.group(1) for m in FIELD.finditer(template)}
