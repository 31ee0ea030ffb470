"""A sheet as a student does it: its notebook, run from top to bottom, stopped, and gone on with.

(tests/chapters/test_colab.py does so in Colab's stand-in, and on another machine.)
"""

from samples import takes_long
from student import ARMS, assigned, cell_of, run, said, stored

from classroom.sheet import read_hand_in


@takes_long
def test_a_student_stops_and_goes_on(tmp_path):
    notebook, here = assigned(tmp_path), tmp_path / "here"
    run(notebook, here, stop_after=2)
    before = stored(here)
    assert len(before) == 2
    assert f"something is missing: ['{ARMS - 2} runs']" in said(notebook, "hand-in")

    # The same folder, a new kernel: it goes on, and nothing is done twice.
    run(notebook, here)
    after = stored(here)
    assert len(after) == ARMS and before.items() <= after.items()
    assert said(notebook, "prediction").count(" stands: ") == 2
    assert f"All {ARMS} runs are stored" in said(notebook, "run")
    assert said(notebook, "compare").count("your range") == 2
    figures = [output.get("data", {}) for output in cell_of(notebook, "compare").outputs]
    assert sum("image/png" in data for data in figures) == 1
    assert said(notebook, "check").startswith("Visible checks pass")
    whole = read_hand_in(said(notebook, "hand-in"))
    assert len(whole["runs"]) == ARMS and "hand it in" in said(notebook, "hand-in")
