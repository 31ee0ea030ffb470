"""Runs compiled functions in Chromium, and compares them with torch in float64."""

import json

import pytest
import torch
from torch.utils import _pytree as pytree


@pytest.fixture(scope="module")
def runner(chromium):
    """run(program, *arguments) -> the outputs of a compiled function, as flat float64 tensors."""
    from live.compiler import runtime

    page = chromium.new_page()
    page.add_script_tag(content=f"{runtime.text()}\nwindow.live = live;")

    def run(program, *arguments):
        sent = json.dumps(pytree.tree_map(_plain, list(arguments)))
        received = page.evaluate(CALL, [program.code, program.data, sent])
        return [torch.tensor([float(v) for v in a], dtype=torch.float64) for a in received]

    yield run
    page.close()


CALL = """([code, data, sent]) => {
  const typed = (v) => v && v.kind ? new globalThis[v.kind](v.values.map(Number))
    : Array.isArray(v) ? v.map(typed)
    : v && typeof v === "object"
    ? Object.fromEntries(Object.entries(v).map(([k, w]) => [k, typed(w)]))
    : v;
  const flat = (v) => ArrayBuffer.isView(v) ? [Array.from(v, String)]
    : typeof v === "object" ? Object.values(v).flatMap(flat) : [[String(Number(v))]];
  return flat((0, eval)(code)(live.decode(data), live)(...typed(JSON.parse(sent))));
}"""


def _plain(value):
    """An argument as JSON."""
    if not isinstance(value, torch.Tensor):
        return value
    if value.ndim == 0:
        return value.item()
    kind = "Float32Array" if value.is_floating_point() else "Int32Array"
    values = [str(v).replace("inf", "Infinity") for v in value.flatten().tolist()]
    return {"kind": kind, "values": values}


def double(value):
    """An argument in float64, for the reference."""
    if isinstance(value, float):
        return torch.tensor(value, dtype=torch.float64)
    if isinstance(value, int):
        return torch.tensor(value)
    return (
        value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
    )


def largest_error(got, wanted) -> float:
    """Largest |difference| / max(1, |wanted|) over all outputs; both must be NaN at once."""
    worst = 0.0
    for g, w in zip(got, pytree.tree_flatten(wanted)[0], strict=True):
        w = torch.as_tensor(w).double().flatten()
        assert g.shape == w.shape, (g.shape, w.shape)
        same = (g == w) | (g.isnan() & w.isnan())
        error = torch.where(same, 0.0, (g - w).abs() / w.abs().clamp(min=1))
        assert not error.isnan().any(), "NaN on one side only"
        worst = max(worst, error.max().item() if error.numel() else 0.0)
    return worst
