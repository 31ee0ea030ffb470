"""Training: what is resumed, watched or interrupted gives the same flow as what is left alone."""

import math
import os

import numpy as np
import pytest
import torch
from samples import weights

import flows

STEPS, EVERY = 12, 4
SETTINGS = {"steps": STEPS, "batch_size": 16, "lr": 1e-2, "report_every": EVERY}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(n: int = 200, seed: int = 0) -> torch.Tensor:
    return 2 + 0.5 * torch.randn(n, 2, generator=generator(seed))


def new_flow(seed: int = 1, **kwargs) -> flows.RealNVP:
    """The same start every time, whatever the global stream has been used for."""
    flow = flows.RealNVP(2, hidden_dim=8, n_layers=2, **kwargs)
    random = generator(seed)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=random))
    return flow


def trained(**kwargs) -> tuple[flows.RealNVP, flows.History]:
    flow = new_flow()
    history = flows.train(flow, flows.resample(points()), **{**SETTINGS, **kwargs})
    return flow, history


def stop_at(step: int):
    """An on_report that presses the stop button."""

    def on_report(done, history):
        if done >= step:
            raise KeyboardInterrupt

    return on_report


def test_training_lowers_the_loss_and_writes_the_history():
    flow, history = trained(steps=200, report_every=50, held_out=points(seed=9))
    assert history.steps == [50, 100, 150, 200] and not history.interrupted
    assert len(history.train_nll) == len(history.held_out_nll) == 4
    assert history.train_nll[-1] < history.train_nll[0] - 0.2
    with torch.no_grad():
        again = -flow.log_prob(points(seed=9)).mean().item()
    assert history.held_out_nll[-1] == pytest.approx(again, abs=1e-5)


def test_the_last_step_is_reported_even_between_two_reports():
    _, history = trained(steps=10)
    assert history.steps == [4, 8, 10]


def test_the_gradient_is_limited_and_adam_is_as_said():
    """Some steps by hand: the gradient of the mean NLL, of length `clip` at most, and Adam."""
    flow, other, draw, random = new_flow(), new_flow(), flows.resample(points()), generator()
    trainer = flows.Trainer(flow, draw, steps=8, batch_size=16, lr=1e-2, clip=0.05)
    adam = torch.optim.Adam(other.parameters(), betas=(0.9, 0.99))
    for step in range(8):
        trainer.step()
        loss = -other.log_prob(draw(16, random)).mean()
        gradient = torch.autograd.grad(loss, [*other.parameters()])
        length = torch.cat([part.flatten() for part in gradient]).norm()
        assert length > 0.05, "else there is nothing to limit"
        for weight, part in zip(other.parameters(), gradient, strict=True):
            weight.grad = part * 0.05 / length
        adam.param_groups[0]["lr"] = flows.learning_rate(step, 8, 1e-2)
        adam.step()
    assert torch.allclose(weights(flow), weights(other), atol=2e-6)


def test_same_settings_same_weights():
    (a, first), (b, second) = trained(), trained()
    assert torch.equal(weights(a), weights(b))
    assert first.train_nll == second.train_nll


def test_another_seed_gives_other_weights():
    assert not torch.equal(weights(trained()[0]), weights(trained(seed=1)[0]))


def test_the_global_stream_is_neither_used_nor_moved():
    a, b, draw, held_out = new_flow(), new_flow(), flows.resample(points()), points(seed=9)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    flows.train(a, draw, **SETTINGS, held_out=held_out)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    flows.train(b, draw, **SETTINGS, held_out=held_out)
    assert torch.equal(weights(a), weights(b))


def test_watching_does_not_change_the_training():
    """A metric switched on, here one that even draws from the global stream, changes no weight."""
    flow = new_flow()

    def watch(step, history):
        flow.sample(50)
        flow.log_prob(points(seed=3)).mean().backward()

    draw = flows.resample(points())
    flows.train(flow, draw, **SETTINGS, held_out=points(seed=9), on_report=watch)
    assert torch.equal(weights(flow), weights(trained()[0]))


def test_how_often_is_reported_does_not_change_the_training():
    assert torch.equal(weights(trained(report_every=1)[0]), weights(trained(report_every=99)[0]))


# ------------------------------------------------------------------ interrupted and resumed


@pytest.mark.parametrize("stop", [EVERY, 2 * EVERY, STEPS])
def test_stopped_in_a_report_and_resumed_equals_never_stopped(tmp_path, stop):
    whole, whole_history = trained(held_out=points(seed=9))
    file = tmp_path / "run.pt"
    _, first = trained(held_out=points(seed=9), checkpoint=file, on_report=stop_at(stop))
    assert first.interrupted and first.steps == list(range(EVERY, stop + 1, EVERY))
    resumed, history = trained(held_out=points(seed=9), checkpoint=file)
    assert torch.equal(weights(whole), weights(resumed))
    assert vars(history) == vars(whole_history)


@pytest.mark.parametrize("stop", [1, 6, 11])
def test_stopped_between_reports_and_resumed_equals_never_stopped(tmp_path, stop):
    """The stop button comes in the middle of a step; what is resumed is the last report."""
    calls, draw = [], flows.resample(points())

    def stopping(batch_size, random):
        calls.append(1)
        if len(calls) == stop:
            raise KeyboardInterrupt
        return draw(batch_size, random)

    file = tmp_path / "run.pt"
    first = flows.train(new_flow(), stopping, **SETTINGS, checkpoint=file)
    assert first.interrupted and first.steps == list(range(EVERY, stop, EVERY))
    resumed, history = trained(checkpoint=file)
    assert torch.equal(weights(resumed), weights(trained()[0]))
    assert history.steps == [4, 8, 12] and not history.interrupted


def test_interrupted_flow_is_usable():
    flow, history = trained(on_report=stop_at(EVERY))
    assert history.interrupted and len(history.train_nll) == 1
    assert math.isfinite(history.train_nll[0])
    assert flow.sample(5, generator=generator()).isfinite().all()
    assert not torch.equal(weights(flow), weights(new_flow())), "it keeps what it has learned"


def test_other_errors_are_not_swallowed():
    def broken(step, history):
        raise RuntimeError("a bug in my plot")

    with pytest.raises(RuntimeError, match="a bug in my plot"):
        trained(on_report=broken)


def test_a_finished_checkpoint_trains_no_further(tmp_path):
    file = tmp_path / "run.pt"
    whole, _ = trained(checkpoint=file)
    again, history = trained(checkpoint=file)
    assert torch.equal(weights(whole), weights(again)) and history.steps == [4, 8, 12]


def test_no_half_written_file_stays(tmp_path):
    trained(checkpoint=tmp_path / "run.pt")
    assert [file.name for file in tmp_path.iterdir()] == ["run.pt"]


def test_checkpoint_holds_no_code(tmp_path):
    """It is read with weights_only=True: a file from a stranger cannot run anything."""
    trained(checkpoint=tmp_path / "run.pt")
    state = torch.load(tmp_path / "run.pt", weights_only=True)
    assert state["settings"]["steps"] == STEPS


@pytest.mark.parametrize("other", [{"steps": 20}, {"lr": 1e-3}, {"batch_size": 8}, {"seed": 5}])
def test_checkpoint_of_other_settings_is_refused(tmp_path, other):
    file = tmp_path / "run.pt"
    trained(checkpoint=file, on_report=stop_at(2 * EVERY))
    with pytest.raises(ValueError, match="run.pt.*other|run.pt belongs to") as error:
        trained(checkpoint=file, **other)
    (name, value), *_ = other.items()
    assert name in str(error.value) and str(value) in str(error.value)


# --------------------------------------------------------------------- loss, data, context


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_batch_with_a_nan_is_named_before_it_spoils_the_weights(bad, tmp_path):
    calls, draw = [], flows.resample(points())

    def spoiled(batch_size, random):
        calls.append(1)
        batch = draw(batch_size, random).clone()
        if len(calls) == 6:
            batch[3, 1] = bad
        return batch

    flow, file = new_flow(), tmp_path / "run.pt"
    with pytest.raises(ValueError, match="NaN or an infinity for batch 6"):
        flows.train(flow, spoiled, **SETTINGS, checkpoint=file)
    assert len(calls) == 6 and weights(flow).isfinite().all()
    resumed, _ = trained(checkpoint=file)
    assert torch.equal(weights(resumed), weights(trained()[0]))


@pytest.mark.parametrize(
    ("convert", "given"),
    [
        (lambda batch: batch.numpy(), "a ndarray"),
        (lambda batch: batch.tolist(), "a list"),
        (lambda batch: (batch, None), "a tuple of Tensor and NoneType"),
        (lambda batch: (batch.numpy(), batch.numpy()), "a tuple of ndarray and ndarray"),
        (lambda batch: (batch, batch, batch), "a tuple"),
        (lambda batch: None, "a NoneType"),
    ],
)
def test_a_batch_that_is_no_tensor_is_named(convert, given):
    draw, flow = flows.resample(points()), new_flow()
    before = weights(flow)
    with pytest.raises(TypeError, match=rf"draw must give a tensor of points.*gave {given}:"):
        flows.train(flow, lambda n, generator: convert(draw(n, generator)), **SETTINGS)
    assert torch.equal(weights(flow), before)


def far_at(when):
    """Draws points that are finite, and in one batch so far out that their square is not."""
    calls, draw = [], flows.resample(points())

    def far(batch_size, random):
        calls.append(1)
        return draw(batch_size, random) * (1e30 if len(calls) == when else 1)

    return far


def test_a_loss_that_is_no_number_is_survived(tmp_path):
    flow, file = new_flow(), tmp_path / "run.pt"
    history = flows.train(flow, far_at(6), **SETTINGS, checkpoint=file)
    assert history.went_back == [6] and np.isfinite(history.train_nll).all()
    assert weights(flow).isfinite().all() and torch.load(file, weights_only=True)["done"] == STEPS


def test_if_it_may_not_go_back_the_last_good_weights_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr(flows.WayBack, "MOST", 0)
    flow, file = new_flow(), tmp_path / "run.pt"
    with pytest.raises(FloatingPointError, match="loss is (nan|inf) at step 8.*back at step 4"):
        flows.train(flow, far_at(6), **SETTINGS, checkpoint=file)
    stopped, _ = trained(on_report=stop_at(EVERY))
    assert torch.equal(weights(flow), weights(stopped))
    assert torch.load(file, weights_only=True)["done"] == EVERY, "what is broken is not stored"


def test_numpy_numbers_are_stored_as_plain_ones(tmp_path):
    numbers = {
        "lr": np.logspace(-3, -2, 3)[0],
        "steps": np.int64(STEPS),
        "batch_size": np.int32(16),
    }
    file = tmp_path / "run.pt"
    trained(checkpoint=file, on_report=stop_at(2 * EVERY), **numbers)
    resumed, _ = trained(checkpoint=file, **numbers)
    assert torch.equal(weights(resumed), weights(trained(**numbers)[0]))


def test_a_checkpoint_knows_its_flow(tmp_path):
    """The matrices of the turns are not in the state: the same weights would fit both flows."""
    file, draw = tmp_path / "run.pt", flows.resample(points())
    flows.train(new_flow(turn=30.0), draw, **SETTINGS, checkpoint=file)
    other = new_flow(turn=45.0)
    before = weights(other)
    with pytest.raises(ValueError, match="belongs to a flow of another shape or with other fixed"):
        flows.train(other, draw, **SETTINGS, checkpoint=file)
    assert torch.equal(weights(other), before)


@pytest.mark.parametrize("stop", [2 * EVERY, 99])
def test_a_checkpoint_knows_its_data(tmp_path, stop):
    file = tmp_path / "run.pt"
    trained(checkpoint=file, on_report=stop_at(stop))
    other = flows.resample(points(seed=5))
    with pytest.raises(ValueError, match="belongs to other data"):
        flows.train(new_flow(), other, **SETTINGS, checkpoint=file)


def test_a_draw_that_ignores_the_generator_is_not_resumed_wrongly(tmp_path):
    file, own = tmp_path / "run.pt", generator(3)

    def stubborn(batch_size, random):
        return torch.randn(batch_size, 2, generator=own)

    flows.train(new_flow(), stubborn, **SETTINGS, checkpoint=file, on_report=stop_at(2 * EVERY))
    with pytest.raises(ValueError, match="does not use the generator"):
        flows.train(new_flow(), stubborn, **SETTINGS, checkpoint=file)


class Touch:
    """A pickle of it makes a folder where it is read."""

    def __init__(self, path: str):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_checkpoint_runs_no_code(tmp_path):
    file, made = tmp_path / "run.pt", tmp_path / "made"
    torch.save({"settings": Touch(str(made))}, file)
    with pytest.raises(ValueError, match="is no checkpoint that can be read"):
        trained(checkpoint=file)
    assert not made.exists()
    torch.load(file, weights_only=False)
    assert made.exists(), "it would have"


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_a_foreign_or_damaged_checkpoint_is_a_clear_error(tmp_path, content):
    file = tmp_path / "run.pt"
    trained(checkpoint=file, on_report=stop_at(2 * EVERY))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if content is None else content)
    flow = new_flow()
    before = weights(flow)
    with pytest.raises(ValueError, match="run.pt is no checkpoint that can be read"):
        flows.train(flow, flows.resample(points()), **SETTINGS, checkpoint=file)
    assert torch.equal(weights(flow), before)
    torch.save({"a": 1}, file)
    with pytest.raises(ValueError, match="holds something else"):
        flows.train(flow, flows.resample(points()), **SETTINGS, checkpoint=file)


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    file = tmp_path / "run.pt"
    trained(checkpoint=file, on_report=stop_at(2 * EVERY))
    old = file.read_bytes()

    def full(state, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="run.pt could not be written.*No space"):
        trained(checkpoint=file)
    assert file.read_bytes() == old and [f.name for f in tmp_path.iterdir()] == ["run.pt"]


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        ({"steps": 1.5}, ValueError, "steps must be a whole number"),
        ({"seed": 1.5}, ValueError, "seed must be a whole number"),
        ({"seed": 2**31}, ValueError, "seed must be a whole number below"),
        ({"schedule": "no"}, TypeError, "schedule must be True or False"),
        ({"draw": torch.zeros(5, 2)}, TypeError, "draw must be a function.*resample"),
        ({"on_report": 3}, TypeError, "on_report must be a function"),
        ({"held_out": [[1.0, 2.0]]}, TypeError, "held_out must be a tensor"),
        ({"held_out": torch.zeros(5, 3)}, ValueError, "shape"),
        ({"checkpoint": "no/such/folder/run.pt"}, ValueError, "folder that exists"),
    ],
)
def test_what_can_be_known_is_said_before_the_first_step(bad, error, words):
    calls = []

    def draw(batch_size, random):
        calls.append(1)
        return points(batch_size)

    flow = new_flow()
    before = weights(flow)
    with pytest.raises(error, match=words):
        flows.train(flow, bad.pop("draw", draw), **{**SETTINGS, **bad})
    assert not calls and torch.equal(weights(flow), before)


def test_conditional_training_uses_the_context():
    """Two classes, left and right: given the class the flow must tell them apart."""
    labels = torch.arange(400) % 2
    one_hot = torch.nn.functional.one_hot(labels, 2)
    x = torch.randn(400, 2, generator=generator()) * 0.3
    x[:, 0] += 4.0 * labels - 2.0
    flow = flows.RealNVP(2, hidden_dim=16, n_layers=4, context_dim=2)
    draw = flows.resample(x, one_hot)
    history = flows.train(flow, draw, steps=150, batch_size=64, lr=2e-2, held_out=(x, one_hot))
    assert len(history.held_out_nll) == len(history.train_nll)
    right = flow.log_prob(x, one_hot.float()).mean()
    wrong = flow.log_prob(x, 1 - one_hot.float()).mean()
    assert right > wrong + 3


def test_float64_flow_trains():
    flow = new_flow().double()
    flows.train(flow, flows.resample(points()), **SETTINGS)
    assert flow.log_prob(points().double()).dtype == torch.float64


def test_resample_draws_rows_with_their_contexts():
    data, context = points(50), torch.arange(50.0)[:, None]
    x, c = flows.resample(data, context)(1000, generator(3))
    assert torch.equal(data[c[:, 0].long()], x)
    assert len(c.unique()) == 50  # each of 50 rows comes up in 1000 draws: p > 1 - 1e-7


def test_fresh_samples_reach_the_entropy_of_a_gaussian():
    """Maximum likelihood on fresh samples: the NLL comes down to the entropy, and not below."""

    def draw(batch_size, random):
        return 1 + 0.5 * torch.randn(batch_size, 2, generator=random)

    entropy = 1 + math.log(2 * math.pi) + 2 * math.log(0.5)
    flow, held_out = new_flow(), draw(20_000, generator(77))
    history = flows.train(flow, draw, steps=300, batch_size=256, lr=1e-2, held_out=held_out)
    # The held-out mean has a standard error of 1 / sqrt(20000) = 0.007: the variance of
    # -log p(x) of a 2D Gaussian is 1 (a chi-square with 2 degrees of freedom, halved).
    assert entropy - 5 * 0.007 < history.held_out_nll[-1] < entropy + 0.06


@pytest.mark.parametrize("steps", [1, 2, 10, 300])
def test_learning_rate_rises_then_falls(steps):
    rates = [flows.learning_rate(step, steps, 1.0) for step in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)
    assert max(rates) == pytest.approx(1.0)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert top <= 0.1 * steps
