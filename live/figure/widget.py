"""`live_figure`: a torch function with sliders, as a widget that needs no kernel."""

import base64
import inspect
import io
import json
import os
import sys
from pathlib import Path

import anywidget
import torch
import traitlets

from ..compiler import CONVENTION, compile
from ..page import bundle
from .controls import argument, control, folded, trait
from .reference import SWITCH, checksum, readout, reference
from .render import draw, resolve_limits
from .template import names as template_names
from .views import default_view

OWN = {"spec", "code", "data", "id", "scene", "state", "values", "evaluate", "readout", "png"}
OWN |= {"save_html"}
TAKEN = frozenset(dir(anywidget.AnyWidget)) | OWN


def live_figure(function, *panels, readout="", alt="", caption="", play=None, labels=None,
                fold=None, goal=None, **controls):  # fmt: skip
    """A figure that moves with its parameters: in a notebook, and on a page with no kernel.

    Without panels, `function(z, **parameters)` is a transform: it takes z of shape (n,) or (n, 2)
    and returns x, or (x, log_abs_det); the figure shows what it does to points and densities.
    With panels, `function(**parameters)` is a scene: it returns a dict of tensors, and the marks
    of the panels name them.

    Args:
        function: The torch function; it is compiled to JavaScript, gradients and all.
        panels: From `live.panel`.
        readout: A sentence under the figure with numbers filled in, see `fill` in
            `live.figure.template`.
        alt: What is seen, for those who do not see it. Describes the default state.
        caption: Shown under the figure in `save_html`.
        play: Name of a slider; a button then lets it run from end to end.
        labels: Name of a parameter -> what its control is called, such as {"px": "x1 of the
            point"}. Without one, the name itself.
        fold: Controls that are put away under a line of text, see `live.fold`.
        goal: What the reader is asked to find, and what is said while it is found: (condition,
            text). The condition is a torch function of some of the parameters, or the name of a
            number of the scene; it is met where it is above 0. Not met in the default state.
        **controls: One per parameter, e.g. `alpha=(0.1, 3.0, 1.0)` for low, high, value; a list
            for a menu; or an ipywidgets slider. See `live.figure.controls.control`.

    Returns:
        A widget. Each parameter is a trait: read it, set it, `observe` it.

    Raises:
        CompileError: If the function uses something that cannot become JavaScript.
        TypeError: If the function is none.
        ValueError: If a control, a label, a name in a mark or the readout does not fit the
            function.

    Example:
        >>> figure = live_figure(lambda z, alpha: torch.tanh(alpha * z), alpha=(0.1, 3.0, 1.0))
        >>> figure.alpha = 2.0
        >>> figure
        LiveFigure(alpha=2.0)
    """
    if not callable(function):
        raise TypeError(f"live_figure takes a function, but got {function!r}")
    if not controls:
        raise ValueError("live_figure needs a parameter to move, such as alpha=(0.1, 3.0, 1.0)")
    declared = folded(_labelled(_controls(function, controls), labels), fold)
    if not panels:
        function, panels, readout, alt = default_view(function, declared, readout, alt)
    function, goal = _with_goal(function, goal)
    texts = readout, alt, caption
    return _class_of(declared)(function, list(panels), declared, *texts, play, fold, goal)


def _with_goal(function, goal):
    """A scene that knows whether its goal is met, and the goal as the page gets it."""
    if goal is None:
        return function, None
    if not (isinstance(goal, tuple) and len(goal) == 2 and isinstance(goal[1], str)):
        raise ValueError("goal must be (condition, text), such as "
                         f'("wider", "Found: it came out wider."), but is {goal!r}')  # fmt: skip
    condition, said = goal
    if not callable(condition):
        return function, {"name": condition, "said": said}
    wanted = inspect.signature(condition).parameters

    def scene(**given):
        return function(**given) | {"goal": condition(**{name: given[name] for name in wanted})}

    return scene, {"name": "goal", "said": said}


def _controls(function, controls):
    """Each declaration with the function's own default as a fallback."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        parameters = {}
    declared = []
    for name, given in controls.items():
        if parameters and name not in parameters and not any(
            p.kind is p.VAR_KEYWORD for p in parameters.values()
        ):  # fmt: skip
            raise ValueError(
                f"{name} is not a parameter of {function.__name__}, which has "
                f"{', '.join(parameters)}"
            )
        if name in TAKEN:
            raise ValueError(f"a widget has an attribute {name!r} already: rename the parameter")
        default = parameters[name].default if name in parameters else inspect.Parameter.empty
        default = None if default is inspect.Parameter.empty else default
        declared.append(control(name, given, default))
    return declared


def _labelled(declared, labels):
    """The declarations with the labels that were given."""
    labels = {} if labels is None else labels
    names = [c["name"] for c in declared]
    if not isinstance(labels, dict) or not all(
        isinstance(text, str) and text.strip() for text in labels.values()
    ):
        raise ValueError("labels must be a dict of parameter -> text, such as "
                         f'{{"px": "x1 of the point"}}, but is {labels!r}')  # fmt: skip
    if unknown := [name for name in labels if name not in names]:
        raise ValueError(f"labels names {', '.join(map(repr, unknown))}, but the parameters are "
                         f"{', '.join(names)}")  # fmt: skip
    return [c | {"label": labels.get(c["name"], c["label"])} for c in declared]


def _class_of(declared):
    """A widget class with one synced trait for each parameter."""
    return type("LiveFigure", (_LiveFigure,), {c["name"]: trait(c) for c in declared})


class _LiveFigure(anywidget.AnyWidget):
    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    code = traitlets.Unicode(help="The compiled function, JavaScript.").tag(sync=True)
    data = traitlets.Dict(help="Its constants and weights.").tag(sync=True)
    spec = traitlets.Dict(help="Parameters, panels, readout.").tag(sync=True)

    def __init__(self, function, panels, declared, readout, alt, caption, play, fold, goal):
        self._function, self._declared = function, declared
        start = {c["name"]: c["value"] for c in declared}
        self.scene = _scene(function, declared)
        examples = [argument(c, c["value"]) for c in declared]
        program = compile(self.scene, *examples, dynamic=(), name="scene")
        values = self.evaluate(start)
        _check_names(panels, readout, values, declared, play)
        _check_goal(goal, values)
        panels = resolve_limits(panels, values)
        shapes = {k: list(v.shape) for k, v in values.items() if k not in program.inputs}
        super().__init__(
            _esm=bundle.widget(),
            _css=bundle.css(),
            code=program.code,
            data=program.data,
            spec={
                "params": declared, "panels": panels, "readout": readout, "alt": alt,
                "caption": caption, "play": play, "shapes": shapes,
                "check": checksum(values, shapes), "convention": CONVENTION,
                **({"fold": fold} if fold else {}), **({"goal": goal} if goal else {}),
            },
        )  # fmt: skip

    @property
    def id(self) -> str:
        """A hash of all that the page needs: the same figure has the same id."""
        return bundle.figure_id(self.code, self.spec, self.data)

    def state(self) -> dict:
        """The value of each parameter as it is now."""
        return {c["name"]: getattr(self, c["name"]) for c in self._declared}

    def values(self) -> dict:
        """The scene's tensors for the parameters as they are now, computed by torch."""
        return self.evaluate(self.state())

    def readout(self) -> str:
        """The sentence under the figure for the parameters as they are now, computed by torch."""
        return readout(self.spec, self.state(), self.values())

    def evaluate(self, state: dict) -> dict:
        """The scene's tensors for any parameters, computed by torch.

        Args:
            state: The value of each parameter, as its trait holds it.

        Returns:
            Name -> tensor: the parameters themselves, and what the function returns.
        """
        numbers = {c["name"]: argument(c, state[c["name"]]) for c in self._declared}
        exact = {name: torch.tensor(v, dtype=torch.float64 if isinstance(v, float) else torch.int64)
                 for name, v in numbers.items()}  # fmt: skip
        given = {name: v.float() if v.is_floating_point() else v for name, v in exact.items()}
        with torch.no_grad():
            out = self._function(**given)
        if not isinstance(out, dict):
            raise ValueError(f"a scene returns a dict of tensors, but this one returned {out!r}")
        found = {k: torch.as_tensor(v).detach() for k, v in out.items()}
        for name in sorted(set(found) & set(given)):
            if not (found[name].ndim == 0 and found[name] == given[name]):
                raise ValueError(
                    f"the scene's {name!r} is also the name of a parameter, which the page would "
                    "draw in its place: call one of the two differently"
                )
        return exact | found

    def png(self, dpi: int = 100) -> bytes:
        """The default state as a PNG, drawn from the same torch function."""
        stream = io.BytesIO()
        start = self.evaluate({c["name"]: c["value"] for c in self._declared})
        draw(self.spec, start).savefig(stream, dpi=dpi, metadata={"Software": None})
        return stream.getvalue()

    def _repr_mimebundle_(self, **kwargs):
        made = super()._repr_mimebundle_(**kwargs)
        # anywidget gives (data, metadata), older ones data alone; None with no front end.
        data, metadata = made if isinstance(made, tuple) else (made or {}, {})
        data["text/plain"] = repr(self)
        if "google.colab" not in sys.modules:  # there the widget alone: nothing can outrank it
            data["image/png"] = base64.b64encode(self.png()).decode()
        if os.environ.get(SWITCH):
            metadata = metadata | {"live_reference": json.dumps(reference(self))}  # one line
        return data, metadata

    def __repr__(self):
        shown = ", ".join(f"{name}={value!r}" for name, value in self.state().items())
        return f"LiveFigure({shown})"

    def save_html(self, path) -> None:
        """Write one self-contained page that runs offline, e.g. for a slide or an iframe.

        Args:
            path: Where to write it.
        """
        Path(path).write_text(
            bundle.page(self.code, self.spec, self.data, self.png()), encoding="utf-8"
        )


def _scene(function, declared):
    """The function with the parameters as positional arguments."""
    order = [c["name"] for c in declared]

    def scene(*arguments):
        return function(**dict(zip(order, arguments, strict=True)))

    scene.__signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in order]
    )
    return scene


def _check_names(panels, readout, values, declared, play):
    """Every name in a mark or a template must exist."""
    used = template_names(readout)
    for panel in panels:
        for mark in panel["marks"]:
            for key in ("x", "y", "xy", "value", "highlight", "show"):
                if isinstance(mark.get(key), str):
                    used.add(mark[key])
            used |= template_names(mark.get("template", ""))
        used |= {name for name in panel["probe"] or () if name}
    missing = sorted(used - set(values))
    if missing:
        raise ValueError(f"no tensor or parameter is called {', '.join(missing)}; the scene "
                         f"returns {', '.join(values)}")  # fmt: skip
    sliders = {c["name"] for c in declared if c["kind"] in ("float", "int")}
    probed = {name for panel in panels for name in panel["probe"] or () if name}
    if bad := sorted((probed | ({play} if play else set())) - sliders):
        raise ValueError(f"probe and play take sliders ({', '.join(sorted(sliders))}), but got "
                         f"{', '.join(bad)}")  # fmt: skip
    for mark in (mark for panel in panels for mark in panel["marks"]):
        if "choose" in mark:
            _check_choice(mark, values, declared)
        if isinstance(mark.get("color"), list):
            n = values[mark.get("xy", mark.get("value"))].shape[0]
            if len(mark["color"]) != n:
                raise ValueError(f"color: {len(mark['color'])} colours for {n} entries")
        if "drag" in mark:
            n = values[mark["xy"]].shape[0]
            if len(mark["drag"]) != n or not set(mark["drag"]) <= sliders:
                raise ValueError(
                    f"drag takes a slider for each of the {n} points, but got "
                    f"{mark['drag']}; the sliders are {', '.join(sorted(sliders))}"
                )
        if mark["kind"] in ("bars", "waterfall"):
            n, extra = values[mark["value"]].numel(), mark["kind"] == "waterfall"
            if len(mark["labels"]) - extra != n:
                raise ValueError(f"{mark['value']} has {n} entries, but there are "
                                 f"{len(mark['labels']) - extra} labels")  # fmt: skip
    json.dumps(panels)


def _check_goal(goal, values):
    """What is to be found is one number, and there is something to find."""
    if goal is None:
        return
    met = values.get(goal["name"])
    if met is None or met.ndim:
        raise ValueError(f"goal: {goal['name']!r} is no number that the scene returns; it returns "
                         f"{', '.join(values)}")  # fmt: skip
    if met > 0:
        raise ValueError(f"goal: {goal['said']!r} is found in the default state already")


def _check_choice(mark, values, declared):
    """A mark that chooses has as many entries as the control has values."""
    control = next((c for c in declared if c["name"] == mark["choose"]), {"kind": None})
    if control["kind"] not in ("menu", "int"):
        able = ", ".join(c["name"] for c in declared if c["kind"] in ("menu", "int"))
        raise ValueError(f"choose takes a menu or a whole-number slider ({able or 'there is none'})"
                         f", but got {mark['choose']!r}")  # fmt: skip
    n = values[mark.get("xy", mark.get("value"))].shape[0]
    if control["kind"] == "menu":
        count = len(control["values"])
    else:
        count = (control["max"] - control["min"]) // control["step"] + 1
    if n != count:
        raise ValueError(f"choose: {mark['choose']} has {count} values, but the mark has {n} "
                         "entries")  # fmt: skip
