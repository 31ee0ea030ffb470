"""Parameters of a figure, declared the way `ipywidgets.interact` takes them."""

import math

import traitlets


def control(name, given, default=None) -> dict:
    """What a declaration means.

    Args:
        name: Name of the parameter.
        given: (low, high), (low, high, value) or (low, high, step, value), all whole numbers for
            a whole-number slider; a list of texts or of (text, number) pairs for a menu; True or
            False for a check box; or an ipywidgets FloatSlider, IntSlider, Dropdown or Checkbox.
        default: Value if the declaration has none (the function's own default).

    Returns:
        {"name", "kind": "float" | "int" | "menu" | "check", "label", "value", ...} for the page.

    Raises:
        ValueError: If it is none of these, with what was given.
    """
    base = {"name": name, "label": name.replace("_", " ")}
    if hasattr(given, "value") and hasattr(given, "get_state"):
        return base | _of_widget(given)
    if isinstance(given, bool):
        return base | {"kind": "check", "value": given}
    if isinstance(given, dict):
        given = list(given.items())
    if isinstance(given, list) and given:
        pairs = [v if isinstance(v, tuple) else (str(v), v) for v in given]
        texts = all(isinstance(value, str) for _, value in pairs)
        numbers = range(len(pairs)) if texts else [value for _, value in pairs]
        value = default if default is not None else (pairs[0][1] if texts else numbers[0])
        if value not in (v for _, v in pairs):
            raise ValueError(f"{name}: the default {value!r} is none of {[v for _, v in pairs]}")
        return base | {"kind": "menu", "options": [label for label, _ in pairs],
                       "values": [v for _, v in pairs], "numbers": list(numbers),
                       "value": value}  # fmt: skip
    if isinstance(given, tuple) and 2 <= len(given) <= 4 and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) for v in given
    ):  # fmt: skip
        return base | _range(name, given, default)
    raise ValueError(
        f"{name} must be (low, high), (low, high, value), (low, high, step, value), a list of "
        f"options, True or False, or a slider of ipywidgets, but is {given!r}"
    )


def _range(name, given, default):
    low, high = given[:2]
    whole = all(isinstance(v, int) for v in given)
    if not (low < high and math.isfinite(high - low)):
        raise ValueError(f"{name}: low must be below high, but is ({low}, {high})")
    if len(given) == 4 and not 0 < given[2] <= high - low:
        raise ValueError(f"{name}: the step must be positive and fit the range, but is {given[2]}")
    step = given[2] if len(given) == 4 else 1 if whole else nice_step(high - low)
    value = given[-1] if len(given) > 2 else default
    if value is None:
        value = (low + high) // 2 if whole else (low + high) / 2
    if not low <= value <= high:
        raise ValueError(f"{name}: the value {value} is outside of ({low}, {high})")
    return {"kind": "int" if whole else "float", "min": low, "max": high, "step": step,
            "value": value}  # fmt: skip


def nice_step(width: float) -> float:
    """A step of 1, 2 or 5 times a power of ten, about a hundredth of the range."""
    power = 10.0 ** math.floor(math.log10(width / 100))
    return round(next(k * power for k in (1, 2, 5, 10) if k * power >= width / 100 - 1e-12), 12)


def _of_widget(w):
    label = {"label": w.description} if getattr(w, "description", "") else {}
    if hasattr(w, "options"):
        pairs = [v if isinstance(v, tuple) else (str(v), v) for v in _pairs(w.options)]
        made = control("option", pairs)
        made.pop("name"), made.pop("label")
        return made | label | {"value": w.value}
    if hasattr(w, "min") and hasattr(w, "max"):
        whole = isinstance(w.value, int) and isinstance(w.step, int)
        return {"kind": "int" if whole else "float", "min": w.min, "max": w.max, "step": w.step,
                "value": w.value, **label}  # fmt: skip
    if isinstance(w.value, bool):
        return {"kind": "check", "value": w.value, **label}
    raise ValueError(f"a {type(w).__name__} cannot be a control: use FloatSlider, IntSlider, "
                     "Dropdown or Checkbox")  # fmt: skip


def _pairs(options):
    return list(options.items()) if isinstance(options, dict) else list(options)


def fold(label, *names, when=None) -> dict:
    """Controls that are put away under a line of text, which opens them.

    Args:
        label: The line.
        names: Of the parameters.
        when: (menu, value): the line is there only while the menu has this value, for the
            parameters do nothing while it has another.

    Returns:
        What `live_figure` takes as `fold`.

    Raises:
        ValueError: If there is no label or no name.

    Example:
        >>> fold("all knots", "a", "b", when=("curve", 5))["names"]
        ['a', 'b']
    """
    texts = (label, *names)
    if not names or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError("fold takes a label and the names of parameters, such as "
                         f'fold("all knots", "a", "b"), but got {texts!r}')  # fmt: skip
    return {"label": label, "names": list(names), "when": list(when) if when else None}


def folded(declared, fold) -> list[dict]:
    """The declarations, of which those that are put away know when they count.

    Args:
        declared: From `control`.
        fold: From `fold`, or None.

    Returns:
        The same, with "when": {menu: value} for those that count only then.

    Raises:
        ValueError: If a name is none of theirs, or the menu has no such value.
    """
    if fold is None:
        return declared
    by_name = {c["name"]: c for c in declared}
    if unknown := [name for name in fold["names"] if name not in by_name]:
        raise ValueError(f"fold names {', '.join(map(repr, unknown))}, but the parameters are "
                         f"{', '.join(by_name)}")  # fmt: skip
    if fold["when"] is None:
        return declared
    menu, value = fold["when"]
    known = by_name.get(menu, {}).get("values", [])
    if value not in known or menu in fold["names"]:
        raise ValueError(f"fold: when must be (menu, value) of another parameter, but is "
                         f"({menu!r}, {value!r}); {menu} has {known}")  # fmt: skip
    return [c | {"when": {menu: value}} if c["name"] in fold["names"] else c for c in declared]


def trait(c):
    """The synced trait of a control; a value outside the range is refused."""
    if c["kind"] == "float":
        made = traitlets.Float(c["value"], min=c["min"], max=c["max"])
    elif c["kind"] == "int":
        made = traitlets.Int(c["value"], min=c["min"], max=c["max"])
    elif c["kind"] == "check":
        made = traitlets.Bool(c["value"])
    else:
        made = traitlets.Enum(c["values"], c["value"])
    return made.tag(sync=True)


def argument(c, value):
    """What the function gets for a value of the control: a number."""
    if c["kind"] == "menu":
        return c["numbers"][c["values"].index(value)]
    return float(value) if c["kind"] == "float" else int(value)
