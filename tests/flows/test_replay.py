"""Training on a GPU: a recorded step trains as a step that is not recorded does."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import gen_models_utilities as gmu
from experiments.together import train_seeds
from flows import Flow, RealNVP, Sigmoid, Trainer, resample, train
from flows_support import Replay, load_training, save_training

SHAPE = {"n_layers": 4, "hidden_dim": 16, "n_frequencies": 2, "turn": 45.0}
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")


def draw(n, generator):
    return gmu.sample_ring(n, generator)[0]


def new_flow(seed=0, device="cpu", **shape):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return RealNVP(**(SHAPE | shape)).to(device)


def gradients_of(flow):
    return [weight.grad.clone() for weight in flow.parameters()]


# ------------------------------------------------------------------ what a machine without one does


class FakeGraph:
    """A graph that records by remembering what to call: the logic of `Replay` without a GPU."""

    made = []

    def __init__(self):
        FakeGraph.made.append(self)
        self.replays = 0

    def replay(self):
        self.replays += 1
        self.work()


@pytest.fixture
def fake_gpu(monkeypatch):
    """A `Replay` that believes in a GPU, recording into `FakeGraph`."""
    FakeGraph.made = []
    stream = SimpleNamespace(wait_stream=lambda other: None)

    class Recording:
        def __init__(self, graph):
            self.graph = graph

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return False

    class Quiet(Recording):
        pass

    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: stream)
    monkeypatch.setattr(torch.cuda, "stream", Quiet)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device=None: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", Recording)

    def make(function, weights):
        replay = Replay(function, weights)
        replay.able, replay.side = True, stream
        return replay

    return make


def test_a_cpu_runs_the_function_as_it_is():
    flow, seen = new_flow(), []
    replay = Replay(lambda batch: seen.append(batch) or batch.sum(), list(flow.parameters()))
    for k in range(6):
        assert replay(torch.full((2,), float(k))) == 2 * k
    assert replay.graph is None and len(seen) == 6


def test_it_records_after_three_batches_of_one_shape(fake_gpu):
    weight, calls = torch.zeros(2, requires_grad=True), []

    def function(batch):
        calls.append(batch)
        weight.grad = batch[:2].clone()
        return batch.sum()

    replay = fake_gpu(function, [weight])
    for _ in range(2):
        replay(torch.ones(4))
    for _ in range(3):  # another shape begins anew
        replay(torch.ones(5))
    assert replay.graph is None and len(calls) == 5
    FakeGraph.work = lambda self: None
    for k in range(3):
        replay(torch.full((5,), 2.0))
        assert replay.graph is FakeGraph.made[0] and replay.graph.replays == k + 1
    assert len(calls) == 6  # once more, to record it


def test_a_batch_of_another_shape_ends_the_record(fake_gpu):
    weight = torch.zeros(1, requires_grad=True)
    FakeGraph.work = lambda self: None
    replay = fake_gpu(lambda batch: batch.sum(), [weight])
    for _ in range(5):
        replay(torch.ones(4))
    assert replay.graph is not None
    assert replay(torch.ones(3)) == 3 and replay.graph is None


def test_what_the_record_reads_is_the_new_batch_and_its_gradients_are_the_weights(fake_gpu):
    weight = torch.zeros(2, requires_grad=True)

    def function(batch):
        points, contexts = batch
        weight.grad = gradient
        FakeGraph.work = lambda self: (gradient.copy_(points[:2]), result.copy_(contexts.sum()))
        return result

    gradient, result = torch.zeros(2), torch.zeros(())
    replay = fake_gpu(function, [weight])
    for k in range(6):
        weight.grad = None  # somebody else cleared it
        total = replay((torch.full((3,), float(k)), torch.full((2,), 1.0 + k)))
        if k >= 3:
            assert weight.grad.tolist() == [k, k] and total == 2 + 2 * k


def test_what_cannot_be_recorded_is_run_as_it_is(fake_gpu, monkeypatch):
    def refuse(graph):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "graph", refuse)
    weight = torch.zeros(2, requires_grad=True)
    replay = fake_gpu(lambda batch: batch.sum(), [weight])
    assert [replay(torch.full((2,), float(k))).item() for k in range(6)] == [0, 2, 4, 6, 8, 10]
    assert replay.graph is None and not replay.able


# --------------------------------------------------------------------------------- what a GPU does


@needs_gpu
def test_recorded_steps_are_steps():
    plain, recorded = new_flow(device="cuda"), new_flow(device="cuda")
    losses = []
    for flow, able in ((plain, False), (recorded, True)):
        trainer = Trainer(flow, draw, steps=60, batch_size=256)
        trainer.slope.able &= able
        losses.append([trainer.step().item() for _ in range(60)])
        assert (trainer.slope.graph is not None) == able
    assert losses[0] == pytest.approx(losses[1], abs=2e-3)
    assert losses[1][-1] < losses[1][0] - 0.3


@needs_gpu
def test_a_recorded_gradient_is_the_gradient():
    flow = new_flow(device="cuda").double()
    trainer = Trainer(flow, lambda n, g: draw(n, g).double(), steps=60, batch_size=256)
    for _ in range(10):
        trainer.step()
    assert trainer.slope.graph is not None
    batch = draw(256, torch.Generator().manual_seed(7)).double()
    trainer.slope(batch)
    recorded = gradients_of(flow)
    trainer.slope.function(batch.cuda())
    for a, b in zip(recorded, gradients_of(flow), strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)


@needs_gpu
def test_contexts_and_changing_batch_sizes_train_on_a_gpu():
    flow = new_flow(device="cuda", context_dim=8)

    def pairs(n, generator):
        x, labels = gmu.sample_ring(n if pairs.count % 25 else n // 2, generator)
        pairs.count += 1
        return x, nn.functional.one_hot(labels, 8).float()

    pairs.count = 1
    history = train(flow, pairs, steps=100, batch_size=256, report_every=20)
    assert history.train_nll[-1] < history.train_nll[0]


@needs_gpu
def test_an_explosion_goes_back_with_a_record_too():
    flow = new_flow(device="cuda")
    trainer = Trainer(flow, draw, steps=400, batch_size=256, lr=1.0, schedule=False, clip=1e6)
    for _ in range(200):
        trainer.step()
    assert trainer.history.went_back and trainer.slope.graph is not None
    kept = [weight for weight in flow.parameters()]
    assert all(weight.isfinite().all() for weight in kept)


@needs_gpu
def test_a_checkpoint_resumes_on_a_gpu_and_crosses_devices(tmp_path):
    file = tmp_path / "run.pt"
    settings = {"steps": 60, "batch_size": 128, "report_every": 20, "checkpoint": file}
    data = draw(500, torch.Generator().manual_seed(1))

    def stop(step, history):
        if step == 40:  # (the checkpoint of step 20 is there)
            raise KeyboardInterrupt

    first = train(new_flow(device="cuda"), resample(data), on_report=stop, **settings)
    assert first.interrupted
    again = train(new_flow(device="cuda"), resample(data), **settings)
    assert again.steps == [20, 40, 60] and not again.interrupted
    trainer = Trainer(new_flow(device="cuda"), resample(data), steps=60, batch_size=128)
    for _ in range(30):
        trainer.step()
    save_training(trainer, file)
    for device in ("cuda", "cpu"):
        other = Trainer(new_flow(device=device), resample(data), steps=60, batch_size=128)
        load_training(other, file)
        assert other.done == 30
        losses = [other.step().item() for _ in range(30)]
        assert losses[-1] < 6


@needs_gpu
def test_a_flow_that_looks_at_its_numbers_trains_without_a_record():
    flow = Flow([*new_flow().layers, Sigmoid()], dim=2).cuda()  # its domain is checked
    trainer = Trainer(flow, lambda n, g: torch.rand(n, 2, generator=g) * 0.8 + 0.1, steps=40,
                      batch_size=64)  # fmt: skip
    losses = [trainer.step().item() for _ in range(40)]
    assert losses[-1] < losses[0] and trainer.slope.graph is None and not trainer.slope.able


@needs_gpu
def test_seeds_together_are_seeds_alone():
    settings = {"steps": 30, "batch_size": 128, "lr": 5e-3}
    both = train_seeds(lambda: RealNVP(**SHAPE).cuda(), draw, [0, 1], **settings)
    cpu = train_seeds(lambda: RealNVP(**SHAPE), draw, [0, 1], **settings)
    x = draw(200, torch.Generator().manual_seed(3))
    for a, b in zip(both, cpu, strict=True):
        assert torch.allclose(a.log_prob(x.cuda()).cpu(), b.log_prob(x), atol=0.05)


@needs_gpu
def test_memory_that_runs_out_keeps_the_training():
    flow = new_flow(device="cuda")

    def greedy(n, generator):
        greedy.count += 1
        huge = torch.zeros(1, 2, device="cuda").expand(2**32, 2)
        return draw(n, generator) if greedy.count < 30 else huge

    greedy.count = 0
    before = copy.deepcopy(flow.state_dict())
    with pytest.raises((RuntimeError, torch.OutOfMemoryError)):
        train(flow, greedy, steps=60, batch_size=128, report_every=10)
    after = flow.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert all(value.isfinite().all() for value in after.values())
