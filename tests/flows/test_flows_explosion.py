"""A training that explodes goes back and goes on; strays do not decide a step."""

import copy
import math

import pytest
import torch
from samples import ring_with, weights

import flows
import gen_models_utilities as gmu
from experiments.together import new_flow, train_seeds

SHAPE = {"dim": 2, "hidden_dim": 8, "n_layers": 2}


def make_flow() -> flows.RealNVP:
    return flows.RealNVP(**SHAPE)


# -------------------------------------------------------------------------- far points


@pytest.mark.parametrize("dim", [1, 2, 64])
def test_without_far_points_the_mean_is_the_mean(dim):
    nll = torch.randn(101, generator=torch.Generator().manual_seed(0)) * dim / 2
    assert flows.careful_mean(nll, dim) == nll.mean()


@pytest.mark.parametrize("excess", [1.01, 3.0, 1e6])
def test_a_far_point_pulls_with_limit_over_excess(excess):
    limit = 4.0 * 2
    nll = torch.tensor([1.0, 2.0, 3.0, 2.0, 2.0 + excess * limit], requires_grad=True)
    flows.careful_mean(nll, 2).backward()
    wanted = torch.tensor([1, 1, 1, 1, 1 / excess]) / 5
    assert torch.allclose(nll.grad, wanted, rtol=1e-4)


def test_the_unit_of_the_data_does_not_matter():
    """Another unit adds one number to every NLL."""
    nll = torch.tensor([0.0, 0.1, 0.2, 50.0], dtype=torch.float64)
    for shift in (-300.0, 300.0):
        moved = flows.careful_mean(nll + shift, 2) - shift
        assert abs(moved - flows.careful_mean(nll, 2)) < 1e-9


def test_hardly_a_point_of_a_fitting_flow_is_far():
    """For a standard normal: three times as far out as usual, in any dimension."""
    generator = torch.Generator().manual_seed(0)
    for dim in (2, 16, 64):
        z = torch.randn(50_000, dim, generator=generator)
        nll = -flows.standard_normal_log_prob(z).sum(dim=1)
        share = (nll - nll.median() > 4 * dim).double().mean()
        assert share < 3e-4, dim


# ------------------------------------------------------------------------------- the guard


def calm_guard(losses=2.0) -> flows.Guard:
    """A guard that has seen fifty calm losses."""
    guard = flows.Guard()
    for _ in range(50):
        assert not guard.sees_a_jump(torch.as_tensor(losses)).any()
    return guard


@pytest.mark.parametrize("bad", [100.0, math.inf, math.nan])
def test_a_jump_is_seen_and_the_lowest_level_stays(bad):
    guard = calm_guard()
    lowest = guard.lowest.clone()
    assert guard.sees_a_jump(torch.tensor(bad)) and guard.lowest == lowest


def test_what_is_no_number_leaves_no_trace():
    guard = calm_guard()
    assert guard.sees_a_jump(torch.tensor(math.nan)) and guard.sees_a_jump(torch.tensor(math.inf))
    assert not guard.sees_a_jump(torch.tensor(2.0))


def test_an_explosion_that_grows_step_by_step_is_seen():
    """Each loss a fifth above the one before: no single step is a jump."""
    guard, loss, seen = calm_guard(), 2.0, []
    for _ in range(12):
        loss *= 1.2
        seen.append(bool(guard.sees_a_jump(torch.tensor(loss))))
    assert seen[-1] and not seen[0]


def test_a_fall_is_no_jump():
    guard = calm_guard()
    assert not any(guard.sees_a_jump(torch.tensor(2.0 - k)) for k in range(50))


def test_noise_is_no_jump():
    generator = torch.Generator().manual_seed(0)
    for scatter in (0.05, 3.0):  # 2000 trainings at once, 300 steps
        guard, losses = flows.Guard(), torch.randn(300, 2000, generator=generator)
        jumps = sum(guard.sees_a_jump(100 + scatter * loss).sum().item() for loss in losses)
        assert jumps < 60, "less than one in 10,000 steps"


def test_each_of_several_losses_has_its_own_level():
    guard = calm_guard([1.0, 50.0])
    assert guard.sees_a_jump(torch.tensor([50.0, 50.0])).tolist() == [True, False]


# --------------------------------------------------------------------------- going back


def test_the_flow_goes_back_to_where_it_was():
    trainer = flows.Trainer(new_flow(make_flow, 0), ring_with({50}), steps=80, batch_size=32)
    kept = {}
    for _ in range(49):
        trainer.step()
        kept[trainer.done] = copy.deepcopy((trainer.flow.state_dict(), trainer.adam.state_dict()))
    loss = trainer.step()
    assert trainer.history.went_back == [50] and trainer.way_back.caution == 0.7
    flow, adam = kept[20]  # kept before the steps 21 and 41; the older one is taken
    assert all(torch.equal(flow[name], value) for name, value in trainer.flow.state_dict().items())
    for mine, theirs in zip(
        trainer.adam.state_dict()["state"].values(), adam["state"].values(), strict=True
    ):
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert math.isfinite(loss) and loss < 20, "the curve of the history stays readable"
    while trainer.done < 80:
        trainer.step()
    assert trainer.history.went_back == [50]
    assert gmu.ring_gap(trainer.flow.log_prob) < 4


def test_the_rate_is_smaller_after_a_return():
    trainer = flows.Trainer(
        new_flow(make_flow, 0), ring_with({25}), steps=29, batch_size=32, lr=0.01, schedule=False
    )
    rates = []
    for _ in range(29):
        trainer.step()
        rates.append(trainer.adam.param_groups[0]["lr"])
    assert trainer.history.went_back == [25]
    assert rates[0] == 0.01 and rates[-1] == pytest.approx(0.007)


def test_it_goes_back_ten_times_and_then_takes_what_comes():
    flow = new_flow(make_flow, 0)
    history = flows.train(flow, ring_with(set(range(30, 100))), steps=99, batch_size=32)
    assert len(history.went_back) == flows.WayBack.MOST
    assert torch.isfinite(weights(flow)).all()


def test_without_a_good_start_it_stops_with_an_error():
    with pytest.raises(FloatingPointError, match="the loss is"):
        draw = lambda n, g: gmu.sample_ring(n, g)[0] * 1e30  # noqa: E731
        flows.train(new_flow(make_flow, 0), draw, steps=9, batch_size=8)


@pytest.mark.parametrize("stop", [25, 45, 61])
def test_a_resumed_training_goes_back_as_one_that_never_stopped(tmp_path, stop):
    """Bit by bit: the checkpoint holds the copies, the level and the caution too."""
    options = {"steps": 90, "batch_size": 32, "report_every": 5}
    whole = new_flow(make_flow, 0)
    history = flows.train(whole, ring_with({50, 70}), **options)
    assert history.went_back == [50, 70]

    file, first, second = tmp_path / "run.pt", new_flow(make_flow, 0), new_flow(make_flow, 1)

    def interrupt(step, history):
        if step >= stop:
            raise KeyboardInterrupt

    options["checkpoint"] = file
    assert flows.train(first, ring_with({50, 70}), on_report=interrupt, **options).interrupted
    done = torch.load(file, weights_only=True)["done"]
    # Going on, the first batch of all is drawn again, to be compared; then comes number done + 1.
    rest = ring_with({batch - done + 1 for batch in (50, 70)})
    again = flows.train(second, rest, **options)
    assert again.went_back == [50, 70]
    assert torch.equal(weights(second), weights(whole))


def test_members_go_back_as_they_would_alone():
    """One of three meets bad batches: it goes back, and the others do not notice."""
    options = {"steps": 70, "batch_size": 32, "lr": 5e-3}
    calm = train_seeds(make_flow, ring_with(()), [3, 4, 5], **options)
    members = train_seeds(make_flow, ring_with({30, 52}, only_seed=4), [3, 4, 5], **options)
    for k in (0, 2):
        assert (weights(members[k]) - weights(calm[k])).abs().max() < 1e-5
    alone = new_flow(make_flow, 4)
    history = flows.train(alone, ring_with({30, 52}, only_seed=4), seed=4, **options)
    assert history.went_back == [30, 52]
    assert (weights(members[1]) - weights(alone)).abs().max() < 1e-3
    assert (weights(members[1]) - weights(calm[1])).abs().max() > 1e-3


def test_a_member_that_is_not_safe_does_not_go_back():
    options = {"steps": 40, "batch_size": 32, "lr": 5e-3}
    risky = train_seeds(make_flow, ring_with({30}), [3], safe=False, **options)
    safe = train_seeds(make_flow, ring_with({30}), [3], **options)
    assert (weights(risky[0]) - weights(safe[0])).abs().max() > 1e-3


def test_watching_shows_the_flows_as_they_are_and_changes_nothing():
    options = {"steps": 25, "batch_size": 32, "lr": 5e-3}
    seen = []
    watched = train_seeds(
        make_flow, ring_with(()), [3, 4], every=10, **options,
        watch=lambda step, flows_: seen.append((step, [weights(f) for f in flows_])),
    )  # fmt: skip
    alone = train_seeds(make_flow, ring_with(()), [3, 4], **options)
    assert [step for step, _ in seen] == [10, 20, 25]
    for k in (0, 1):
        assert torch.equal(weights(watched[k]), weights(alone[k]))
        assert torch.equal(seen[-1][1][k], weights(watched[k]))
    assert not torch.equal(seen[0][1][0], seen[1][1][0])
