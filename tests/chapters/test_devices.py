"""No tensors meet across devices: the chapters run with `gmu.device` set to a second one.

There is a stand-in for that device, so no GPU is needed: see `second_device.py`. All code cells
run, and then the solutions, each training with a few of its steps. Left out, with the reason:
set-up cells (they install), cells for answers (the reader's), and solutions that say that they take
a while.
"""

import linecache
from collections.abc import Callable
from pathlib import Path

import execute
import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
from claims import solutions
from samples import some_of
from second_device import AWAY, HOME, ITS_OWN, second_device
from test_laws import FLOWS, MAPS, ONE_D, build, context_of
from torch import nn

import flows
import flows_support
import gen_models_utilities as gmu
from experiments.together import train_seeds
from live import fold  # noqa: F401  (loads the compiler before a second device is there)

LEFT_OUT = ("setup", "answer")
NEEDS_A_TRAINED_FLOW = {"ex-prior"}  # a solution that looks for a place that others lack
REAL_STEPS = 2  # of a training; for its other steps, nothing is computed
REAL_REPORTS = 2  # likewise
# What would take long and says nothing about devices: chapter -> text of a cell or of a solution,
# and what runs.
SHORTER = {
    "5_training": {
        "(0, 20, 50, 100, 150)": "(0, 1, 2)",
        "range(150)": "range(2)",
        "held_out[:4000]": "held_out[:40]",
        "mean_nll(memory, data)": "mean_nll(memory, data[:20])",
        "other = [], fresh(2000": "other = [], fresh(20",
        "n_layers=50": "n_layers=3",
    },
    "7_outlook": {
        "torch.randn(20_000, 2": "torch.randn(200, 2",
        "z = torch.randn(2000, 2": "z = torch.randn(20, 2",
    },
}
# A slip for each chapter: the text of a cell, and the text with the slip.
SLIPS = {
    "5_training": [
        ("encode(held_out.to(gmu.device))[0].cpu()", "encode(held_out)[0].cpu()"),
        ("log_prob(plane.to(gmu.device)).cpu()", "log_prob(plane).cpu()"),
    ],
    "6_conditional": [
        ("by_label.sample(150, y, generator).cpu()",
         "by_label.sample(150, y, generator) + torch.zeros(2)"),
    ],
    "7_outlook": [("sensor.log_prob(x.to(sensor.like))", "sensor.log_prob(x)")],
    "8_sharper_couplings": [
        ("points_on_a_line.to(gmu.device))[0]", "points_on_a_line)[0]"),
        ("points_on_a_line.to(gmu.device))[0][:, 0].cpu()",
         "points_on_a_line.to(gmu.device))[0][:, 0] + torch.zeros(len(height))"),
    ],
}  # fmt: skip


def code_cells(path: Path) -> list:
    notebook = nbformat.read(path, as_version=4)
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and not any(execute.has_tag(cell, tag) for tag in LEFT_OUT)
    ]


USERS = [
    path for path in execute.chapters() if any("gmu.device" in c.source for c in code_cells(path))
]


def with_few_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a training measure its held-out points a few times only; then it repeats the last NLL."""
    real = flows_support.report

    def report(trainer, losses, measure, held_out=None):
        known = trainer.history.held_out_nll
        repeat = len(known) >= REAL_REPORTS
        real(trainer, losses, (lambda *_: torch.tensor(known[-1])) if repeat else measure, held_out)

    for module in (flows_support, flows):
        monkeypatch.setattr(module, "report", report)


def with_few_steps(trainer: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a trainer compute its first steps only; it counts and reports as always."""
    real = trainer.step

    def step(self):
        if self.done < REAL_STEPS:
            self.last = real(self)
        else:
            self.done += 1
        return self.last

    monkeypatch.setattr(trainer, "step", step)


def run(source: str, name: str, space: dict) -> None:
    """Run a cell: as IPython does, so that its functions have a source."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), space)
    plt.close("all")


@pytest.fixture
def away(monkeypatch):
    monkeypatch.setattr(gmu, "device", AWAY)
    with_few_steps(flows.Trainer, monkeypatch)
    with_few_reports(monkeypatch)
    monkeypatch.setattr(plt, "show", lambda: None)
    with second_device() as marks:
        yield marks


@pytest.mark.parametrize("path", some_of(USERS, USERS[-1:]), ids=lambda path: path.stem)
def test_no_tensors_meet_across_devices(path, away, monkeypatch):
    space = {"__name__": "__main__"}
    shorter = dict(SHORTER.get(path.stem, {}))
    slips, used = SLIPS[path.stem], set()

    def shortened(source):
        for text, short in shorter.items():
            used.update({text} if text in source else ())
            source = source.replace(text, short)
        return source

    for number, cell in enumerate(code_cells(path)):
        source, name = shortened(cell.source), f"<{path.stem}, code cell {number}>"
        for text, slip in slips:
            if text in cell.source:
                used.add(text)
                with pytest.raises((RuntimeError, TypeError), match="privateuseone"):
                    run(cell.source.replace(text, slip), f"{name} with a slip", dict(space))
                plt.close("all")
        run(source, name, space)
        if "class Trainer" in source:
            with_few_steps(space["Trainer"], monkeypatch)
    given = solutions(path.stem)
    for label, source in given.items():
        if label not in NEEDS_A_TRAINED_FLOW and not source.startswith("# About"):
            run(shortened(source), f"<{path.stem}, {label}>", space)
    of_solutions = set() if given else shorter.keys() - used  # an edition without solutions
    wanted = {*shorter, *(text for text, _ in slips)}
    assert used | of_solutions == wanted, "a text has changed: see above"
    flow = space.get("flow")
    assert flow is None or next(flow.parameters()).device == ITS_OWN


def test_the_chapters_that_train_run_on_a_device_that_can_be_chosen():
    """All others stay on the CPU, where nothing can meet."""
    names = {path.stem for path in USERS}
    assert names == set(SLIPS)
    others = [path for path in execute.chapters() if path not in USERS]
    for path in others:
        for cell in code_cells(path):
            assert ".cuda(" not in cell.source and '"cuda"' not in cell.source


# ------------------------------------------------------------------- what the chapters export


@pytest.mark.parametrize("name", [*ONE_D, *MAPS])
def test_a_transform_works_where_it_is(name, away):
    if name in ONE_D:
        transform, z = ONE_D[name]().double(), torch.linspace(-1, 1, 5, dtype=torch.float64)
    else:
        transform, z = build(name, 3), torch.linspace(-1, 1, 15, dtype=torch.float64).view(5, 3)
    context = context_of(transform, 5)
    x, log_det = transform.decode(z, context)
    transform.to(AWAY)
    context = None if context is None else context.to(AWAY)
    there, log_det_there = transform.decode(z.to(AWAY), context)
    back, log_det_back = transform.encode(there, context)
    for value in (there, log_det_there, back, log_det_back):
        assert value.device == ITS_OWN
    assert torch.equal(there.cpu(), x) and torch.equal(log_det_there.cpu(), log_det)
    if name in FLOWS:
        random = torch.Generator().manual_seed(0)
        condition = None if context is None else context
        assert transform.sample(5, condition, generator=random).device == ITS_OWN
        assert transform.log_prob(there, context).device == ITS_OWN
    if any(True for _ in transform.parameters()):
        with pytest.raises(RuntimeError, match="same device"):
            transform.decode(z, None if context is None else context.cpu())


def test_a_training_of_several_seeds_stays_where_it_is(away):
    def draw(n, generator):
        return gmu.sample_ring(n, generator)[0]

    def make_flow():
        return flows.RealNVP(n_layers=2).to(AWAY)

    members = train_seeds(make_flow, draw, [0, 1], steps=3, batch_size=16, lr=1e-3)
    assert {p.device for flow in members for p in flow.parameters()} == {ITS_OWN}


# ------------------------------------------------------------------------------- the stand-in

ON_CPU, WEIGHTS = torch.ones(3, 2), nn.Linear(2, 2)
MISTAKES: dict[str, Callable] = {
    "sum": lambda there: there + ON_CPU,
    "sum, other way": lambda there: ON_CPU + there,
    "in place": lambda there: torch.ones(3, 2).add_(there),
    "network here, points there": lambda there: WEIGHTS(there),
    "network there, points here": lambda there: nn.Linear(2, 2).to(AWAY)(ON_CPU),
    "joined": lambda there: torch.cat([there, ON_CPU]),
    "stacked": lambda there: torch.stack([there[0, 0], ON_CPU[0, 0]]),
    "choice": lambda there: torch.where(ON_CPU > 0, there, 0.0),
    "index there, values here": lambda there: ON_CPU[(there[:, 0] > 0)],
    "values of a view": lambda there: there.T[0] * ON_CPU.T[0],
    "new tensor": lambda there: there + torch.zeros(2),
    "gradient": lambda there: there.requires_grad_().square().backward(ON_CPU),
    "numpy": lambda there: there.numpy(),
    "numpy by another name": lambda there: plt.np.asarray(there),
    "generator": lambda there: torch.randn(2, generator=torch.Generator(), device=AWAY),
    "generator in place": lambda there: there.normal_(generator=torch.Generator()),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_the_stand_in_sees(mistake):
    with second_device():
        there = torch.ones(3, 2).to(AWAY)
        with pytest.raises((RuntimeError, TypeError), match="privateuseone"):
            mistake(there)


def test_the_stand_in_lets_pass_what_a_gpu_allows():
    with second_device() as marks:
        there = torch.arange(6.0, device=AWAY).view(3, 2)
        assert there.device == ITS_OWN and ON_CPU.device == HOME and there[0].device == ITS_OWN
        for passed in (there * 2, there * torch.tensor(2.0), there[torch.tensor([0, 2])],
                       torch.zeros_like(there), there.new_zeros(3), there.double(),
                       torch.full_like(there, 2.0), ON_CPU.to(there), there.to(AWAY)):  # fmt: skip
            assert passed.device == ITS_OWN and marks.has(passed)
        assert there.cpu().device == HOME and (there.cpu() + ON_CPU).sum() == 21
        assert there.sum().item() == 15 and there.tolist()[2] == [4.0, 5.0]
        here = torch.zeros(3, 2)
        here.copy_(there)
        assert here.device == HOME and here.numpy().sum() == 15
        there.zero_()
        assert here.sum() == 15, "a copy, not a view"
        network = nn.Linear(2, 1).to(AWAY)
        adam = torch.optim.Adam(network.parameters(), fused=True)
        network(there).sum().backward()
        adam.step()
        assert {p.grad.device for p in network.parameters()} == {ITS_OWN}
        assert network.to("cpu").weight.device == HOME
    assert torch.ones(1).device == HOME


def test_marks_of_storages_that_are_gone_are_forgotten():
    with second_device() as marks:
        for _ in range(10):
            torch.ones(3).to(AWAY)
        marks.tidy()
        assert not marks.known
