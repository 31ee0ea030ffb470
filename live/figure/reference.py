"""What torch says that a figure shows, in some of its states: a test holds the page against it.

`tools/execute.py` stores this with the figure's output in the notebook (it sets the variable
named by `SWITCH`; in an ordinary session nothing is computed). A test then brings the page into
the same states, with no kernel, and compares the readout, and the tensors by their summaries.
"""

import itertools
import random

import torch
from torch.fx import Interpreter

from ..compiler.lower import HANDLERS
from ..compiler.trace import trace
from .controls import argument
from .template import fill

SWITCH = "LIVE_REFERENCE"
N_RANDOM = 12  # states with each parameter anywhere


def reference(figure) -> list[dict]:
    """What torch computes for a figure in its states, see `states`.

    The readout is that of the function as it stands. The tensors are those of the same operations
    in float64, and beside them how far float32 is off: no one who computes in float32 can be asked
    to do better where a function is ill-conditioned.

    Args:
        figure: From `live_figure`.

    Returns:
        One entry for each state: "set", the value of each parameter; "by", the parameter that
        alone differs from the default (None if it is not one); "readout"; and "tensors", name ->
        [*summary, *difference].

    Example:
        >>> from live import live_figure
        >>> figure = live_figure(lambda z, a: torch.tanh(a * z), a=(0.5, 1.5, 0.9))
        >>> [entry["set"]["a"] for entry in reference(figure)][:4]
        [0.9, 0.5, 1.5, 1.0]
        >>> sorted(reference(figure)[0])
        ['by', 'readout', 'set', 'tensors']
    """
    params, made = figure.spec["params"], []
    start = [argument(p, p["value"]) for p in params]
    exact, single = in_precisions(figure.scene, start, torch.float64, torch.float32)
    for by, state in states(params):
        numbers = [argument(p, state[p["name"]]) for p in params]
        doubles, singles = exact(*numbers), single(*numbers)
        tensors = {name: [*summary(v), *difference(v, singles[name])]
                   for name, v in doubles.items() if name not in state}  # fmt: skip
        words = readout(figure.spec, state, figure.evaluate(state))
        made.append({"set": state, "by": by, "readout": words, "tensors": tensors})
    return made


class _Cast(Interpreter):
    """Runs a graph with one floating dtype throughout, whatever it says itself."""

    def __init__(self, module, dtype):
        super().__init__(module)
        self.dtype = dtype

    def fetch_attr(self, target):
        return self.cast(super().fetch_attr(target))

    def call_function(self, target, args, kwargs):
        return super().call_function(target, self.cast(args), self.cast(kwargs))

    def cast(self, value):
        if isinstance(value, (list, tuple)):
            return type(value)(self.cast(v) for v in value)
        if isinstance(value, dict):
            return {name: self.cast(v) for name, v in value.items()}
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            return value.detach().to(self.dtype)
        floating = isinstance(value, torch.dtype) and value.is_floating_point
        return self.dtype if floating else value


def in_precisions(scene, examples: list, *dtypes: torch.dtype) -> list:
    """The same operations in other precisions. (The scene is traced once for all of them.)

    Args:
        scene: Takes parameters by position, returns a dict of tensors.
        examples: One number for each parameter.
        dtypes: torch.float32 or torch.float64, each.

    Returns:
        For each dtype a function of the parameters' numbers that returns the dict in it.

    Example:
        >>> scene = lambda a: {"x": torch.tanh(a * torch.ones(2))}
        >>> (exact,) = in_precisions(scene, [1.0], torch.float64)
        >>> exact(2.0)["x"].dtype
        torch.float64
    """
    names = []

    def flat(*tensors):
        out = scene(*tensors)
        names[:] = list(out)
        return [torch.as_tensor(v) for v in out.values()]

    leaves = [torch.tensor(v) for v in examples]
    graph = trace(flat, leaves, [()] * len(leaves), HANDLERS)

    def in_one(dtype):
        def run(*numbers):
            given = [torch.tensor(v, dtype=dtype if isinstance(v, float) else None)
                     for v in numbers]  # fmt: skip
            with torch.no_grad():
                return dict(zip(names, _Cast(graph, dtype).run(*given), strict=True))

        return run

    return [in_one(dtype) for dtype in dtypes]


def states(params: list[dict]) -> list[tuple[str | None, dict]]:
    """The default; each control alone at its ends and middle; all corners; some at random.

    A control that counts only while a menu has some value (see `fold`) is moved then.

    Args:
        params: The declarations, as in a figure's spec.

    Returns:
        Pairs of the parameter that alone differs (or None) and the value of each parameter.

    Example:
        >>> states([{"name": "a", "kind": "int", "min": 0, "max": 4, "step": 1, "value": 1}])[:3]
        [(None, {'a': 1}), ('a', {'a': 0}), ('a', {'a': 4})]
    """
    default = {p["name"]: p["value"] for p in params}
    alone = [(p["name"], default | p.get("when", {}) | {p["name"]: v}) for p in params
             for v in dict.fromkeys([*_ends(p), *between(p, 0.5)])
             if "when" in p or v != p["value"]]  # fmt: skip
    ends, more = ({p["name"]: _ends(p) for p in params if ("when" in p) == later}
                  for later in (False, True))  # fmt: skip
    corners = [default | dict(zip(ends, c, strict=True)) for c in itertools.product(*ends.values())]
    when = {name: value for p in params for name, value in p.get("when", {}).items()}
    if more:
        corners += [default | when | dict(zip(more, c, strict=True))
                    for c in itertools.product(*more.values())]  # fmt: skip
    draw = random.Random(0)
    anywhere = [{p["name"]: draw.choice(between(p, draw.random()) or _ends(p)) for p in params}
                for _ in range(N_RANDOM)]  # fmt: skip
    return [(None, default), *alone, *((None, state) for state in corners + anywhere)]


def _ends(p: dict) -> list:
    if p["kind"] == "menu":
        return p["values"]
    return [False, True] if p["kind"] == "check" else [p["min"], p["max"]]


def between(p: dict, share: float) -> list:
    """A slider's value at a share of its range, on a step (as setParam in page/js/controls.js).

    Args:
        p: The declaration.
        share: From 0 to 1.

    Returns:
        A list with the value; an empty one for a menu or a check box.

    Example:
        >>> between({"kind": "float", "min": 0.0, "max": 1.0, "step": 0.25, "value": 0.0}, 0.6)
        [0.5]
    """
    if p["kind"] not in ("float", "int"):
        return []
    value = p["min"] + round(share * (p["max"] - p["min"]) / p["step"]) * p["step"]
    return [p["value"].__class__(round(min(value, p["max"]), 9))]


def readout(spec: dict, state: dict, values: dict) -> str:
    """The sentence under a figure.

    Args:
        spec: The figure's spec.
        state: The value of each parameter.
        values: The scene's tensors in this state.

    Returns:
        The template with numbers filled in; a menu shows the text of its option. Where a goal is
        met, what is said of it follows.
    """
    words = {k: v.flatten().tolist() if v.ndim else v.item() for k, v in values.items()}
    for p in spec["params"]:
        words[p["name"]] = argument(p, state[p["name"]])
        if p["kind"] == "menu":
            words[p["name"]] = p["options"][p["values"].index(state[p["name"]])]
    text, goal = fill(spec["readout"], words), spec.get("goal")
    return f"{text} {goal['said']}" if goal and words[goal["name"]] > 0 else text


def summary(value: torch.Tensor) -> list[float]:
    """A tensor in five numbers, which a change of a single entry would change.

    Args:
        value: Any shape.

    Returns:
        Count of the entries; of those that are finite: count, largest absolute value, mean, and
        mean weighted by cos(i) for entry i.

    Example:
        >>> summary(torch.tensor([1.0, -3.0, torch.nan]))
        [3.0, 2.0, 3.0, -1.0, -0.310453459]
    """
    v = value.detach().double().flatten()
    finite = v.isfinite()
    n, weight = int(finite.sum()), torch.cos(torch.arange(v.numel(), dtype=v.dtype))
    v = torch.where(finite, v, 0.0)
    numbers = (v.numel(), n, v.abs().amax() if v.numel() else 0.0, v.sum() / max(1, n),
               (v * weight).sum() / max(1, n))  # fmt: skip
    return [float(f"{float(number):.9g}") for number in numbers]


def checksum(values: dict, names) -> dict[str, list[float]]:
    """What the page compares on its first drawing: summaries of the default state.

    Args:
        values: Name -> tensor, computed by torch.
        names: Those to take.

    Returns:
        Name -> summary; the counts whole, the rest with four digits (the last ones differ from
        machine to machine).

    Example:
        >>> checksum({"x": torch.tensor([1.0, 2.00001])}, ["x"])
        {'x': [2.0, 2.0, 2.0, 1.5, 1.04]}
    """
    made = {name: summary(values[name]) for name in names}
    return {name: [*s[:2], *(float(f"{v:.4g}") for v in s[2:])] for name, s in made.items()}


def difference(exact: torch.Tensor, single: torch.Tensor) -> list[float]:
    """How far float32 is off.

    Args:
        exact: A tensor in float64.
        single: The same in float32.

    Returns:
        The largest and the mean difference of the entries that are finite in both, and how many
        are so in one of them only (where a comparison was a tie).

    Example:
        >>> difference(torch.tensor([1.0, 2.0]).double(), torch.tensor([1.0, 2.5]))
        [0.5, 0.25, 0.0]
    """
    off = (exact.double() - single.double()).abs().flatten()
    ties = (exact.isfinite() != single.isfinite()).sum()
    off = off[off.isfinite()]
    numbers = (off.amax(), off.mean(), ties) if len(off) else (0, 0, ties)
    return [float(f"{float(v):.2g}") for v in numbers]
