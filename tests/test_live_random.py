"""Random programs: right within float32, or a CompileError; never a wrong number.

`live_opinfo.py` does the same with torch's own samples of every operation (run it by hand).
"""

import pytest
import torch
from live_random import program
from live_runner import largest_error

from live import CompileError, compile

BLOCKS = 2
EACH = 13


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_programs(block, node):
    refused = []
    for seed in range(block * EACH, (block + 1) * EACH):
        function, z, a = program(seed)
        single = function(z, torch.tensor(a))
        exact = function(z.double(), torch.tensor(a, dtype=torch.float64))
        try:
            made = compile(function, z, a, dynamic=(), name="f")
        except CompileError as error:
            refused.append(error)
            continue
        got = node.run(made, z, a)
        # Where a comparison is a tie, torch's float32 and float64 differ themselves.
        assert min(largest_error(got, exact), largest_error(got, single)) <= 1e-4, seed
    assert len(refused) <= EACH // 4, refused
