"""A page compares its first numbers with torch's, and keeps the picture where they differ; and in
which states a test does the same."""

import json
import subprocess

import pytest
import torch
from live_node import NODE

from live import live_figure, panel, points
from live.compiler import runtime
from live.figure.reference import checksum, reference, states, summary
from live.page import bundle

ASK = """
const [code, data, spec] = JSON.parse(require("fs").readFileSync(0, "utf8"));
const scene = (0, eval)(code)(live.decode(data), live);
const values = scene(...spec.params.map(
  (p) => (p.kind === "menu" ? p.numbers[p.values.indexOf(p.value)] : +p.value)));
process.stdout.write(JSON.stringify({ wrong: strayed(values, spec.check) ?? null }));
"""


def strayed(code, data, spec):
    """What the page would say of a figure's default state."""
    text = (bundle.JS / "figure.js").read_text(encoding="utf-8")
    script = f"{runtime.text()}\nglobalThis.live = live;\n{text}\n{ASK}"
    done = subprocess.run([NODE, "-e", script], input=json.dumps([code, data, spec]),
                          capture_output=True, encoding="utf-8", check=True)  # fmt: skip
    return json.loads(done.stdout)["wrong"]


def scene(a, k):
    xy = torch.stack([torch.linspace(0, 1, 50).exp() * a, torch.linspace(-1, 1, 50).tanh()], 1)
    hidden = torch.where(xy[:, :1] > 1.0, xy, torch.nan)
    many = torch.linspace(0, 1, 12_345) * a  # its length has five digits, the summary four
    return {"xy": xy, "hidden": hidden, "large": a > 0.3, "count": k + 1, "many": many,
            "area": xy.square().sum()}  # fmt: skip


@pytest.fixture(scope="module")
def figure():
    return live_figure(scene, panel(points("xy"), points("hidden")), a=(0.1, 2.0, 0.7),
                       k=(0, 5, 2), readout="{area}")  # fmt: skip


def test_the_default_state_is_as_torch_computed_it(figure):
    assert set(figure.spec["check"]) == {"xy", "hidden", "large", "count", "many", "area"}
    assert strayed(figure.code, figure.data, figure.spec) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda values: {"xy": values["xy"] * 1.05},
        lambda values: {"xy": values["xy"].flip(0)},
        lambda values: {"hidden": torch.nan_to_num(values["hidden"])},
        lambda values: {"large": ~values["large"]},
        lambda values: {"count": values["count"] + 1},
        lambda values: {"area": values["area"] * torch.nan},
        lambda values: {"xy": values["xy"][:-1]},
        lambda values: {"many": values["many"][:-1]},
    ],
)
def test_other_numbers_are_noticed(figure, change):
    changed = change(figure.values())
    spec = figure.spec | {"check": figure.spec["check"] | checksum(changed, changed)}
    assert strayed(figure.code, figure.data, spec) == next(iter(changed))


def test_a_point_on_a_border_may_come_or_go(figure):
    """Rounding decides there; the mean then moves, by more than rounding alone would move it."""
    hidden = figure.values()["hidden"].clone()
    hidden[hidden.isfinite().all(dim=1).nonzero()[0]] = torch.nan
    spec = figure.spec | {"check": checksum({"hidden": hidden}, ["hidden"])}
    assert strayed(figure.code, figure.data, spec) is None


def test_a_figure_of_an_older_book_is_not_asked(figure):
    spec = {name: value for name, value in figure.spec.items() if name != "check"}
    assert strayed(figure.code, figure.data, spec) is None


def test_nothing_has_a_summary():
    assert summary(torch.zeros(0)) == summary(torch.zeros(0, 2)) == [0, 0, 0, 0, 0]


def test_all_that_the_scene_returns_is_compared(figure):
    entry = reference(figure)[0]
    assert entry["by"] is None and entry["set"] == {"a": 0.7, "k": 2}
    assert entry["tensors"].keys() == figure.values().keys() - entry["set"].keys()
    assert entry["tensors"]["count"] == [1, 1, 3, 3, 3, 0, 0, 0]


def test_states_in_which_a_figure_is_compared():
    """The default; each control alone; all corners; what is put away, only while it counts."""
    one = {"name": "a", "kind": "int", "min": 0, "max": 4, "step": 1, "value": 1}
    menu = {"name": "m", "kind": "menu", "values": ["x", "y"], "value": "x"}
    away = {"name": "b", "kind": "check", "value": False, "when": {"m": "y"}}

    def state(a=1, m="x", b=False):
        return {"a": a, "m": m, "b": b}

    found = states([one, menu, away])
    assert found[:7] == [
        (None, state()), ("a", state(0)), ("a", state(4)), ("a", state(2)), ("m", state(m="y")),
        ("b", state(m="y")), ("b", state(m="y", b=True)),
    ]  # fmt: skip
    corners = [state(a, m) for a in (0, 4) for m in "xy"]
    assert found[7:13] == [(None, s) for s in (*corners, state(m="y"), state(m="y", b=True))]
    anywhere = [s for by, s in found[13:] if by is None]
    assert len(anywhere) >= 10 and anywhere == [s for _, s in found[13:]]
    assert {s["a"] for s in anywhere} > {1, 3}, "not only at the ends"
    assert found == states([one, menu, away]), "the same each time"
