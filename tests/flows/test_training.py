"""The weights that live figures carry are those that chapter 5 trained."""

import re

import hero
import pytest
import torch

import flows
import flows_support
import gen_models_utilities as gmu


def test_eight_bits_stay_within_half_a_step():
    flow, other = hero.new_flow(), hero.new_flow()
    flows.train(flow, lambda n, g: gmu.sample_ring(n, g)[0], steps=3, batch_size=32)
    packed = flows_support.to_eight_bits(flow)
    assert {int(n.abs().max()) for n, _ in packed.values() if n.any()} == {127}
    flows_support.from_eight_bits(other, packed)
    for (name, value), near in zip(flow.named_parameters(), other.parameters(), strict=True):
        assert ((near - value).abs() <= 0.501 * packed[name][1]).all()
    with pytest.raises(ValueError, match="packed"):
        flows_support.from_eight_bits(other, {})


def test_without_a_schedule_the_rate_stays():
    trainer = flows.Trainer(
        flows.RealNVP(n_layers=2), flows.resample(torch.randn(9, 2)), steps=4, lr=0.01,
        schedule=False,
    )  # fmt: skip
    for _ in range(4):
        trainer.step()
        assert trainer.adam.param_groups[0]["lr"] == 0.01


def test_the_live_flow_is_the_flow_of_the_chapter():
    """The weights stored for the page have the gap that the chapter prints."""
    printed = re.search(r"\"gap ≈ ([0-9.]+) nats", hero.CHAPTER.read_text(encoding="utf-8"))
    x, _ = gmu.held_out_ring(20_000)
    with torch.no_grad():
        nll = flows.mean_nll(hero.trained_flow(), x).item()
    gap = nll + gmu.ring_log_prob(x.double()).mean().item()
    assert abs(gap - float(printed[1])) < 0.003


def test_the_first_checkpoint_is_the_base():
    """Before the training the flow is the identity, up to turns: samples are Gaussian."""
    x, _ = gmu.held_out_ring(100)
    with torch.no_grad():
        log_prob = hero.trained_flow(0).log_prob(x)
    base = flows.standard_normal_log_prob(x).sum(dim=1)
    assert torch.allclose(log_prob, base, atol=1e-4)
