"""The chapters that train, run again as on a machine without vector instructions.

`make test` runs every notebook on the machine's own CPU path; this runs those that train on the
plainest one too, where sums are taken in another order. `make zoo` tries more stand-ins.
"""

import pytest
import torch
import zoo


@pytest.mark.parametrize("chapter", zoo.training_chapters(), ids=lambda path: path.stem)
def test_prints_the_same_on_the_plain_path(chapter):
    if torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        pytest.skip("the notebooks themselves ran on this path")
    result = zoo.replay(chapter, zoo.SETTINGS["default"])
    assert not result.faults, f"\n{zoo.details('default', chapter.stem, result)}"
