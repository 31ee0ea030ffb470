"""What several tests draw, and what they read off a flow."""

import pytest
import torch
from solutions import TARGET
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

needs_solutions = pytest.mark.skipif(
    not TARGET.exists(), reason="an edition without solutions (tools/edition.py)"
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers in float64, always the same for a seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def weights(flow: nn.Module) -> Tensor:
    """A copy of all weights of a flow, one after the other."""
    return parameters_to_vector(flow.parameters()).detach().clone()
