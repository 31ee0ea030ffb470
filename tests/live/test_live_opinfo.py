"""Torch's own samples of every operation: each ends right or refused, none wrong, none raw.

One sample of each operation; `live_opinfo.py --samples 6` tries more by hand.
"""

import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from live_opinfo import judge, samples
from samples import some_of

BLOCKS = 8


@pytest.fixture(scope="module")
def cases():
    """In a thread of their own: for each sample torch looks through the whole stack of calls, and
    pytest's is so deep that this would take a minute."""
    with warnings.catch_warnings(), ThreadPoolExecutor(1) as pool:
        warnings.simplefilter("ignore")
        return pool.submit(lambda: list(samples(1))).result()


@pytest.mark.parametrize("block", some_of(range(BLOCKS)))
@pytest.mark.filterwarnings("ignore")
def test_a_sample_is_right_or_refused(cases, node, block):
    verdicts = {name: judge(node, *rest) for name, *rest in cases[block::BLOCKS]}
    faults = {name: v for name, v in verdicts.items() if v[0] in ("wrong", "raw")}
    assert not faults
    right = sum(verdict == "right" for verdict, _ in verdicts.values())
    assert right > len(verdicts) / 2, "most of them compile"
