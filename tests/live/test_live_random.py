"""Random programs: right within float32, or a CompileError; never a wrong number.

`LIVE_PROGRAMS=900` tries more of them. `live_opinfo.py` does the same with torch's own samples of
every operation (run it by hand). Among many programs one may compare a number with its own rounded
copy (live/compiler/COMPILES.md, "Rounding"): look at the code before you call it wrong.
"""

import os

import pytest
import torch
from live_random import program
from live_runner import largest_error

from live import CompileError, compile

EACH = 13
PROGRAMS = int(os.environ.get("LIVE_PROGRAMS", 2 * EACH))


@pytest.mark.parametrize("block", range(-(-PROGRAMS // EACH)))
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
