"""A recorded step trains as a step that is not recorded does: on a CPU to the last bit."""

import copy
from types import SimpleNamespace

import pytest
import torch
from samples import ring_with
from torch import nn

import gen_models_utilities as gmu
from experiments.together import train_seeds
from flows import (
    Flow,
    Planar,
    RealNVP,
    Sigmoid,
    SplineFlow,
    Trainer,
    resample,
    train,
)
from flows_support import Replay, Tape, TapeReplay, load_training, save_training

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


# ------------------------------------------------------------------------------- what a CPU does


def one_hot_pairs(n, generator):
    x, labels = gmu.sample_ring(n, generator)
    return x, nn.functional.one_hot(labels, 8).float()


def frozen():
    flow = new_flow()
    for weight in list(flow.parameters())[:4]:
        weight.requires_grad_(False)
    return flow


FLOWS = {
    "affine": (new_flow, draw),
    "in double precision": (lambda: new_flow().double(), lambda n, g: draw(n, g).double()),
    "conditional": (lambda: new_flow(context_dim=8), one_hot_pairs),
    "spline": (lambda: SplineFlow(n_layers=2, hidden_dim=8, n_bins=5), draw),
    "planar": (lambda: Flow([Planar([1.0, 0.5], [0.3, -0.2], b) for b in (0.0, 1.0)], dim=2), draw),
    "some weights frozen": (frozen, draw),
    "its domain is checked": (
        lambda: Flow([*new_flow().layers, Sigmoid()], dim=2),
        lambda n, g: torch.rand(n, 2, generator=g) * 0.8 + 0.1,
    ),
    "batches of changing sizes": (
        new_flow,
        lambda n, g: draw(n - 9 * int(torch.randint(2, (), generator=g)), g),
    ),
}


def trained(make, points, able, steps=TapeReplay.CHECK + 10, **settings):
    """A training in steps, with or without a record: its losses, its weights, the trainer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        flow = make()
    long = max(steps, TapeReplay.PAYS)  # or there would be no record
    trainer = Trainer(flow, points, steps=long, batch_size=64, **settings)
    trainer.slope.able &= able
    losses = [trainer.step().item() for _ in range(steps)]
    return losses, [w.detach().clone() for w in flow.parameters()], trainer


def bits(numbers):
    return [number.hex() for number in numbers]


@pytest.mark.parametrize("kind", FLOWS)
def test_a_recorded_training_is_the_training_to_the_last_bit(kind):
    plain, weights, _ = trained(*FLOWS[kind], able=False)
    losses, others, trainer = trained(*FLOWS[kind], able=True)
    assert bits(losses) == bits(plain)
    assert all(torch.equal(a, b) for a, b in zip(weights, others, strict=True))
    assert trainer.slope.able == (
        kind not in ("its domain is checked", "batches of changing sizes")
    )


def test_an_explosion_goes_back_as_without_a_record():
    plain, weights, _ = trained(new_flow, ring_with({60}), able=False, steps=100)
    losses, others, trainer = trained(new_flow, ring_with({60}), able=True, steps=100)
    assert trainer.history.went_back == [60] and bits(losses) == bits(plain)
    assert all(torch.equal(a, b) for a, b in zip(weights, others, strict=True))


def test_a_trainer_records_when_it_is_long_enough_to_pay():
    for steps, kind in ((TapeReplay.PAYS, True), (TapeReplay.PAYS - 1, False)):
        slope = Trainer(new_flow(), draw, steps=steps).slope
        assert isinstance(slope, TapeReplay) == kind


class Odd:
    """Functions of a batch that no list of operations can repeat, and what becomes of their record.

    Each counts its calls, leaves a gradient, and returns a loss.
    """

    def __init__(self, how):
        self.how, self.calls = how, 0
        self.weight = torch.tensor([1.0, 2.0], requires_grad=True)
        self.unused = torch.zeros(1, requires_grad=True)
        self.running = torch.zeros(2)

    def __call__(self, batch):
        self.calls += 1
        self.weight.grad = None
        loss = getattr(self, self.how)(batch * self.weight).sum()
        loss.backward()
        return loss.detach()

    def looks(self, y):
        return y if y.sum() > 0 else -y

    def looks_and_counts(self, y):
        return y[y > 0]

    def counts(self, y):
        return y * self.calls

    def draws(self, y):
        return y * torch.rand(2)

    def averages(self, y):
        self.running.mul_(0.9).add_(0.1 * y.detach().mean(0))
        return y - self.running

    def by_numpy(self, y):
        return y * float(y.detach().numpy().max())


ODD = ("looks", "looks_and_counts", "counts", "draws", "averages", "by_numpy")


@pytest.mark.parametrize("how", ODD)
def test_what_no_list_can_repeat_is_run_as_it_is(how):
    results = []
    for wrap in (lambda odd: odd, lambda odd: TapeReplay(odd, [odd.weight])):
        torch.manual_seed(5)
        odd = Odd(how)
        run, own = wrap(odd), torch.Generator().manual_seed(1)
        for _ in range(20):
            loss = run(torch.randn(6, 2, generator=own))
            results.append([loss, odd.weight.grad.clone(), odd.running.clone(), odd.calls])
    plain, replayed = results[:20], results[20:]
    assert not run.able
    for k, (a, b) in enumerate(zip(plain, replayed, strict=True)):
        assert all(torch.equal(x, y) for x, y in zip(a[:3], b[:3], strict=True)) or how == "counts"
        assert a[3] == b[3], (k, how)


def test_a_number_from_outside_that_changes_is_seen_at_the_next_look():
    odd, factor = Odd("by_numpy"), 1.0
    odd.by_numpy = lambda y: factor * y
    run, batch = TapeReplay(odd, [odd.weight]), torch.ones(1, 2)
    for _ in range(TapeReplay.CHECK - 1):
        assert run(batch) == 3
    assert run.program is not None
    factor = 2.0
    assert run(batch) == 6 and odd.weight.grad.tolist() == [2, 2] and not run.able


def test_a_weight_without_a_gradient_is_no_reason_to_invent_one():
    odd = Odd("by_numpy")
    odd.by_numpy = lambda y: y
    run = TapeReplay(odd, [odd.weight, odd.unused])
    for _ in range(8):
        run(torch.ones(3, 2))
    assert odd.unused.grad is None and odd.weight.grad.tolist() == [3, 3]


def test_the_tensors_it_uses_may_change_between_calls():
    weight, scale = torch.ones(2, requires_grad=True), torch.ones(2)

    def slope(batch):
        weight.grad = None
        loss = (batch * weight * scale).sum()
        loss.backward()
        return loss.detach()

    run = TapeReplay(slope, [weight], lambda: [scale])
    for k in range(12):
        scale.fill_(k)
        with torch.no_grad():
            weight.fill_(2.0)
        assert run(torch.ones(1, 2)) == 4 * k and weight.grad.tolist() == [k, k]
    assert run.program is not None


def test_a_function_that_is_watched_is_recorded_all_the_same():
    """torch's profiler starts operations of its own, which have no numbers to repeat."""
    odd = Odd("by_numpy")

    def watched(y):
        with torch.profiler.record_function("mine"):
            return 2 * y

    odd.by_numpy = watched
    run = TapeReplay(odd, [odd.weight])
    for _ in range(8):
        assert run(torch.ones(3, 2)) == 18
    assert run.program is not None


def test_a_record_warns_of_nothing(recwarn):
    """torch's compiler has much to say, and none of it to the reader."""
    odd = Odd("by_numpy")
    odd.by_numpy = lambda y: y
    run = TapeReplay(odd, [odd.weight])
    for _ in range(8):
        run(torch.ones(3, 2))
    assert run.program is not None and not recwarn.list


def test_a_list_that_torch_cannot_compile_is_not_used(monkeypatch):
    def refuse(*args, **kwargs):
        raise ValueError("no compiler today")

    monkeypatch.setattr(torch.jit, "trace", refuse)
    plain, _, _ = trained(new_flow, draw, able=False, steps=20)
    losses, _, trainer = trained(new_flow, draw, able=True, steps=20)
    assert bits(losses) == bits(plain) and not trainer.slope.able


def test_a_record_that_gives_other_numbers_is_dropped(monkeypatch):
    honest = Tape.run
    monkeypatch.setattr(Tape, "run", lambda *args: [1.0000001 * x for x in honest(*args)])
    plain, _, _ = trained(new_flow, draw, able=False, steps=20)
    losses, _, trainer = trained(new_flow, draw, able=True, steps=20)
    assert bits(losses) == bits(plain) and not trainer.slope.able


def test_sizes_that_change_for_ever_do_not_record_for_ever():
    odd = Odd("by_numpy")
    odd.by_numpy = lambda y: y
    run = TapeReplay(odd, [odd.weight])
    for k in range(40):
        assert run(torch.ones(3 + k // 4, 2)) == 3 * (3 + k // 4)
        assert run.able == (k // 4 < TapeReplay.MOST or k % 4 < 2 and k // 4 == TapeReplay.MOST)
    assert run.records == TapeReplay.MOST + 1 and not run.able


def test_an_interrupted_record_leaves_a_training_that_goes_on(monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    flow = new_flow()
    with monkeypatch.context() as patch:
        patch.setattr(torch.jit, "trace", stop)
        history = train(flow, draw, steps=300, batch_size=32)
    assert history.interrupted
    assert not train(flow, draw, steps=200, batch_size=32).interrupted


def test_a_tape_does_not_keep_what_the_function_forgets():
    kept = []

    def chain(x):
        for _ in range(30):
            x = x + 1
        return x

    x = torch.zeros(2)
    with Tape([x]) as tape:
        y = chain(x)
    kept = [tensor for tensor in tape.slots]
    assert len(kept) == 2 and len(tape.steps) == 30
    assert torch.equal(tape.run([y], x + 5)[0], y + 5)


def test_seeds_together_are_the_same_with_a_record(monkeypatch):
    settings = {"steps": 20, "batch_size": 64, "lr": 5e-3}
    plain = train_seeds(lambda: RealNVP(**SHAPE), draw, [0, 1], **settings)
    monkeypatch.setattr(TapeReplay, "PAYS", 10)
    replayed = train_seeds(lambda: RealNVP(**SHAPE), draw, [0, 1], **settings)
    for a, b in zip(plain, replayed, strict=True):
        assert all(torch.equal(v, b.state_dict()[k]) for k, v in a.state_dict().items())


# ------------------------------------------------------------- what a machine without a GPU does


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


def test_elsewhere_a_graph_replay_runs_the_function_as_it_is():
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


@pytest.mark.parametrize("kind", [RuntimeError, torch.OutOfMemoryError])
def test_a_record_that_fails_midway_leaves_the_right_gradient(fake_gpu, kind):
    weight, calls = torch.zeros(2, requires_grad=True), []

    def function(batch):
        calls.append(batch)
        weight.grad = torch.full((2,), -1.0)  # half of the work is done
        if len(calls) == Replay.WARM + 1:
            raise kind("in the middle of a capture")
        weight.grad = batch.clone()
        return batch.sum()

    replay = fake_gpu(function, [weight])
    for k in range(6):
        assert replay(torch.full((2,), float(k))) == 2 * k
        assert weight.grad.tolist() == [k, k]
    assert replay.graph is None and not replay.able


def test_a_machine_without_room_keeps_the_training_so_far(tmp_path, monkeypatch):
    """A step that finds no room: the weights are those before it, and the checkpoint goes on."""
    settings = {"steps": 30, "batch_size": 32, "report_every": 10}
    data = resample(draw(200, torch.Generator().manual_seed(1)))
    whole, before = new_flow(), new_flow()
    train(whole, data, **settings)
    cut = new_flow()
    honest, steps = Trainer.step, []

    def step(trainer):
        steps.append(1)
        if len(steps) == 25:
            with monkeypatch.context() as patch:
                patch.setattr(type(trainer.flow), "log_prob", no_room)
                return honest(trainer)
        return honest(trainer)

    def no_room(*args, **kwargs):
        raise torch.OutOfMemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", step)
        with pytest.raises(torch.OutOfMemoryError, match="no room"):
            train(cut, data, checkpoint=tmp_path / "run.pt", **settings)
    trainer = Trainer(before, data, steps=30, batch_size=32)
    for _ in range(24):
        trainer.step()
    for a, b in zip(cut.state_dict().values(), before.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    again = new_flow()
    train(again, data, checkpoint=tmp_path / "run.pt", **settings)  # from step 20 on
    for a, b in zip(again.state_dict().values(), whole.state_dict().values(), strict=True):
        assert torch.equal(a, b)


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
    trainer = Trainer(flow, ring_with({150}), steps=400, batch_size=256)
    for _ in range(200):
        trainer.step()
    assert trainer.history.went_back == [150] and trainer.slope.graph is not None
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
