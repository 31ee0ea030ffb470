"""What tests of several chapters share."""

import pytest
import torch


@pytest.fixture
def double():
    """The chapters that check formulas compute in double precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)
