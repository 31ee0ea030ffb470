"""Training: what is resumed, watched or interrupted gives the same flow as what is left alone."""

import math

import pytest
import torch

import flows

STEPS, EVERY = 12, 4
SETTINGS = {"steps": STEPS, "batch_size": 16, "lr": 1e-2, "report_every": EVERY}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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


def weights(flow) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in flow.parameters()])


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
def test_a_loss_that_is_no_number_stops_with_a_clear_error(bad, tmp_path):
    def draw(batch_size, random):
        return torch.full((batch_size, 2), bad)

    file = tmp_path / "run.pt"
    with pytest.raises(FloatingPointError, match=r"loss is (nan|inf|-inf) at step 4.*lr"):
        flows.train(new_flow(), draw, **SETTINGS, checkpoint=file)
    assert not file.exists(), "what is broken must not be resumed"


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
