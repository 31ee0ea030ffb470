"""The Slurm job script, dry: stand-ins for srun and Python write down how they were called."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "experiments" / "slurm.sh"

PYTHON = """#!/bin/sh
echo "$@" >> "$LOG"
case "$*" in
  *dask_scheduler*) echo $$ > "$LOG.scheduler"; exec sleep 300 ;;
  *dask_worker*) : > "$LOG.worker"; exit 0 ;;
esac
# The sweep ends only after both have started, as it would if it waited for its runs.
until [ -e "$LOG.scheduler" ] && [ -e "$LOG.worker" ]; do sleep 0.05; done
exit ${STATUS:-0}
"""
SRUN = """#!/bin/sh
echo "srun $1" >> "$LOG"
shift
exec "$@"
"""


@pytest.fixture
def job(tmp_path):
    """Run the script as Slurm would; returns its exit status and the calls it made."""
    for name, text in {"python": PYTHON, "srun": SRUN}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)

    def submit(*studies, status=0, **changes):
        log = tmp_path / "log"
        variables = os.environ | {
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "PYTHON": str(tmp_path / "python"), "LOG": str(log), "STATUS": str(status),
            "SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_JOB_ID": "7", "SLURM_NTASKS": "3",
        } | changes  # fmt: skip
        variables = {name: value for name, value in variables.items() if value is not None}
        done = subprocess.run(
            ["bash", SCRIPT, *studies], env=variables, capture_output=True, encoding="utf-8"
        )
        return done, log.read_text(encoding="utf-8").splitlines() if log.exists() else []

    return submit


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet collected does not."""
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "zombie" not in status.read_text(encoding="utf-8")


def test_it_starts_a_scheduler_a_worker_a_task_and_the_sweep(job, tmp_path):
    done, calls = job("depth", "points")
    assert done.returncode == 0, done.stderr
    file = tmp_path / ".cache" / "scheduler-7.json"
    assert f"-m experiments --dask {file} depth points" in calls
    assert "srun --ntasks=3" in calls
    for part in ("dask_scheduler", "dask_worker"):
        assert any(part in call and f"--scheduler-file {file}" in call for call in calls), part
    assert not alive(int((tmp_path / "log.scheduler").read_text(encoding="utf-8"))), (
        "the scheduler is stopped"
    )
    assert not file.exists()


def test_its_status_is_that_of_the_sweep(job):
    assert job("depth", status=1)[0].returncode == 1


def test_without_slurm_it_says_how_it_is_meant(job):
    done, calls = job("depth", SLURM_SUBMIT_DIR=None)
    assert done.returncode != 0 and "sbatch" in done.stderr and not calls
