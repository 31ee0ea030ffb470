"""Many seeds trained at once learn what each learns alone."""

import pytest
import torch
from samples import weights

import flows
import gen_models_utilities as gmu
from experiments.together import limit_gradients, new_flow, train_seeds

SETTINGS = {"steps": 20, "batch_size": 64, "lr": 1e-2}


def make_flow():
    return flows.RealNVP(2, hidden_dim=8, n_layers=3, n_frequencies=2, turn=30.0)


def ring(n, generator):
    return gmu.sample_ring(n, generator)[0]


@pytest.mark.parametrize("clip", [0.5, 1e9])
@pytest.mark.parametrize("schedule", [True, False])
def test_a_member_learns_what_it_learns_alone(clip, schedule):
    options = SETTINGS | {"clip": clip, "schedule": schedule}
    members = train_seeds(make_flow, ring, [3, 4, 5], **options)
    for seed, member in zip([3, 4, 5], members, strict=True):
        alone = new_flow(make_flow, seed)
        flows.train(alone, ring, seed=seed, **options)
        assert (weights(member) - weights(alone)).abs().max() < 1e-3
        start = new_flow(make_flow, seed)
        assert (weights(alone) - weights(start)).abs().max() > 0.03, "it has learned something"


def test_a_member_does_not_depend_on_the_others():
    with_others = train_seeds(make_flow, ring, [3, 4, 5], **SETTINGS)
    other_order = train_seeds(make_flow, ring, [9, 3], **SETTINGS)
    assert (weights(with_others[0]) - weights(other_order[1])).abs().max() < 1e-4


def test_contexts_go_with_their_points():
    def draw(n, generator):
        x, labels = gmu.sample_ring(n, generator)
        return x, torch.nn.functional.one_hot(labels, 8).float()

    make = lambda: flows.RealNVP(2, hidden_dim=8, n_layers=2, context_dim=8)  # noqa: E731
    (member, _) = train_seeds(make, draw, [0, 1], **SETTINGS)
    alone = new_flow(make, 0)
    flows.train(alone, draw, seed=0, **SETTINGS)
    assert (weights(member) - weights(alone)).abs().max() < 1e-3


def test_gradients_are_limited_member_by_member():
    a, b = torch.zeros(2, 3), torch.zeros(2)
    a.grad, b.grad = torch.tensor([[3.0, 0, 0], [0.3, 0, 0]]), torch.tensor([4.0, 0.4])
    limit_gradients([a, b], clip=1.0)
    assert torch.allclose(a.grad, torch.tensor([[0.6, 0, 0], [0.3, 0, 0]]), atol=1e-5)
    assert torch.allclose(b.grad, torch.tensor([0.8, 0.4]), atol=1e-5)
