"""The engine loses nothing and doubles nothing, whatever happens to a sweep."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import runs

from experiments import SweepError, grid, sweep
from experiments.engine import write_whole

HERE = Path(__file__).parent
QUIET = {"every": 1e9}
SETTINGS, SEEDS = grid(a=[1, 2, 3]), [0, 1]


def rows(records) -> str:
    """All numbers of some records, to the last bit."""
    return json.dumps([(r["settings"]["a"], r["seeds"], r["rows"]) for r in records])


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Workers find `runs`."""
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), before]))


def test_parallel_runs_equal_serial_ones_bit_for_bit(tmp_path):
    serial = sweep(runs.with_torch, SETTINGS, SEEDS, tmp_path / "a", n_jobs=1, **QUIET)
    parallel = sweep(runs.with_torch, SETTINGS, SEEDS, tmp_path / "b", n_jobs=2, **QUIET)
    assert rows(serial) == rows(parallel)
    assert [(r["settings"]["a"], r["seeds"]) for r in serial] == [
        (a, [seed]) for a in (1, 2, 3) for seed in SEEDS
    ]
    assert all(r["cpu_seconds"] >= 0 and r["machine"]["torch"] for r in serial)


def test_one_worker_is_this_process_and_needs_no_other_package(tmp_path, monkeypatch):
    """A student's sheet runs where nothing but the course and torch may be."""
    monkeypatch.setitem(sys.modules, "joblib", None)  # as if it were not installed
    records = sweep(runs.train, SETTINGS, SEEDS, tmp_path, n_jobs=1, **QUIET)
    assert len(records) == 6 and all(record["rows"] for record in records)


def test_what_is_stored_is_not_run_again(tmp_path):
    log = tmp_path / "log"
    some = grid(a=[1, 2], log=[str(log)])
    first = sweep(runs.train, some, SEEDS, tmp_path / "runs", n_jobs=1, **QUIET)
    more = sweep(runs.train, grid(a=[1, 2, 3], log=[str(log)]), SEEDS, tmp_path / "runs",
                 n_jobs=1, **QUIET)  # fmt: skip
    assert rows(more[:4]) == rows(first)
    assert sorted(log.read_text(encoding="utf-8").split("\n")[:-1]) == [
        f"{a} [{s}]" for a in (1, 2, 3) for s in SEEDS
    ]


def test_runs_of_other_code_count_as_missing(tmp_path):
    log = str(tmp_path / "log")
    for code in ("one", "two", "one"):
        sweep(runs.train, grid(a=[1], log=[log]), [0], tmp_path, code=code, n_jobs=1, **QUIET)
    assert len(Path(log).read_text(encoding="utf-8").splitlines()) == 2


def test_killed_at_any_moment_it_loses_and_doubles_nothing(tmp_path):
    """kill -9 of the sweep, three times, then one that may end: as if it had never been killed."""
    log, folder = tmp_path / "log", tmp_path / "runs"
    code = (
        "import runs; from experiments import grid, sweep\n"
        f"sweep(runs.train, grid(a=[1, 2, 3, 4], sleep=[0.2], log=[{str(log)!r}]), [0, 1, 2], "
        f"{str(folder)!r}, n_jobs=2, every=1e9)"
    )
    for wanted in (2, 5, 8):
        process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        while len(list(folder.glob("*.json"))) < wanted and process.poll() is None:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    stored = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    assert all(json.loads(text)["rows"] for text in stored.values()), "whole files only"
    started = len(log.read_text(encoding="utf-8").splitlines())
    settings = grid(a=[1, 2, 3, 4], sleep=[0.2], log=[str(log)])
    records = sweep(runs.train, settings, [0, 1, 2], folder, n_jobs=1, **QUIET)
    again = log.read_text(encoding="utf-8").splitlines()[started:]
    assert len(again) == 12 - len(stored), "what was stored is not run again"
    assert all((folder / name).read_text(encoding="utf-8") == text for name, text in stored.items())
    assert len(list(folder.glob("*.json"))) == 12 and not list(folder.glob("*.part"))
    clean = sweep(runs.train, grid(a=[1, 2, 3, 4]), [0, 1, 2], tmp_path / "x", n_jobs=1, **QUIET)
    assert rows(records) == rows(clean)


def test_interrupted_it_keeps_what_is_finished(tmp_path, monkeypatch):
    def run(settings, seeds):
        if settings["a"] == 3:
            raise KeyboardInterrupt
        return runs.train(settings, seeds)

    with pytest.raises(KeyboardInterrupt):
        sweep(run, SETTINGS, [0], tmp_path, n_jobs=1, **QUIET)
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert len(sweep(runs.train, SETTINGS, [0], tmp_path, n_jobs=1, **QUIET)) == 3


@pytest.mark.parametrize(
    ("run", "limit", "words"),
    [(runs.dies, None, "the worker died, 2 times"), (runs.hangs, 4, "longer than its limit of 4")],
)
def test_a_run_that_takes_its_worker_down_is_noted_and_the_others_go_on(
    tmp_path, run, limit, words
):
    records = sweep(run, SETTINGS, [0], tmp_path, n_jobs=2, limit=limit, **QUIET)
    assert [bool(r["rows"]) for r in records] == [True, False, True]
    assert words in records[1]["error"]


def test_a_worker_that_dies_by_chance_costs_nothing(tmp_path):
    settings = grid(a=[1, 2, 3], once=[str(tmp_path / "died")])
    records = sweep(runs.dies, settings, [0], tmp_path / "runs", n_jobs=2, **QUIET)
    assert all(r["rows"] for r in records)


def test_an_error_is_tried_once_more_then_noted_with_its_line(tmp_path):
    records = sweep(runs.fails, SETTINGS, [0], tmp_path / "a", n_jobs=1, **QUIET)
    assert "too steep" in records[1]["error"] and "in fails" in records[1]["error"]
    assert records[0]["rows"] and records[2]["rows"] and not records[1]["rows"]
    settings = grid(a=[1, 2, 3], once=[str(tmp_path / "failed")])
    assert all(
        r["rows"] for r in sweep(runs.fails, settings, [0], tmp_path / "b", n_jobs=1, **QUIET)
    )


def test_a_noted_error_is_tried_again_by_the_next_sweep(tmp_path):
    assert not sweep(runs.fails, grid(a=[2]), [0], tmp_path, n_jobs=1, **QUIET)[0]["rows"]
    assert sweep(runs.train, grid(a=[2]), [0], tmp_path, n_jobs=1, **QUIET)[0]["rows"]


def test_rows_must_fit_the_seeds(tmp_path):
    (record,) = sweep(runs.too_few, grid(a=[1]), SEEDS, tmp_path, together=2, n_jobs=1, **QUIET)
    assert "1 rows for 2 seeds" in record["error"]


@pytest.mark.parametrize("damage", ["", "{", '{"rows": []}', "[1]"])
def test_a_damaged_file_is_set_aside_and_said(tmp_path, capsys, damage):
    first = sweep(runs.train, SETTINGS, [0], tmp_path, n_jobs=1, **QUIET)
    victim = sorted(tmp_path.glob("*.json"))[0]
    victim.write_text(damage, encoding="utf-8")
    assert rows(sweep(runs.train, SETTINGS, [0], tmp_path, n_jobs=1, **QUIET)) == rows(first)
    assert f"{victim.name} was damaged" in capsys.readouterr().out
    assert victim.with_suffix(".damaged").read_text(encoding="utf-8") == damage and victim.exists()


def test_two_sweeps_in_one_folder_are_one_too_many(tmp_path):
    def run(settings, seeds):
        with pytest.raises(SweepError, match="another sweep is using .*: wait for it, stop it"):
            sweep(runs.train, SETTINGS, SEEDS, tmp_path, n_jobs=1, **QUIET)
        return runs.train(settings, seeds)

    assert sweep(run, grid(a=[1]), [0], tmp_path, n_jobs=1, **QUIET)[0]["rows"]


def test_a_full_disk_is_said_and_nothing_half_written_stays(tmp_path, monkeypatch):
    sweep(runs.train, grid(a=[1]), [0], tmp_path, n_jobs=1, **QUIET)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SweepError, match="No space left.*Finished runs are kept: make room"):
            sweep(runs.train, SETTINGS, [0], tmp_path, n_jobs=1, **QUIET)
    assert len(list(tmp_path.glob("*.json"))) == 1 and not list(tmp_path.glob("*.part"))
    assert len(sweep(runs.train, SETTINGS, [0], tmp_path, n_jobs=1, **QUIET)) == 3


def test_a_failed_write_leaves_the_old_file(tmp_path):
    write_whole(tmp_path / "a.json", "old")
    with pytest.raises(SweepError, match="could not be written"):
        write_whole(tmp_path / "no" / "b.json", "new")
    with pytest.raises(SweepError, match="cannot be used"):
        sweep(runs.train, SETTINGS, [0], tmp_path / "a.json", n_jobs=1, **QUIET)
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(
    ("settings", "seeds", "together", "words"),
    [
        ([], [0], 1, "settings must hold at least one"),
        (SETTINGS, [], 1, "seeds must hold at least one"),
        (SETTINGS + SETTINGS[:1], [0], 1, "settings must be different"),
        (SETTINGS, [0, 0], 1, "seeds must be different, but 0 stands there twice"),
        (SETTINGS, [0], 0, "together must be 1 or more"),
    ],
)
def test_a_bad_grid_is_refused_before_anything_runs(tmp_path, settings, seeds, together, words):
    with pytest.raises(ValueError, match=words):
        sweep(runs.train, settings, seeds, tmp_path / "new", together=together, n_jobs=1, **QUIET)
    assert not (tmp_path / "new").exists()


def test_cpu_paths_reach_the_workers_and_leave_this_process_alone(tmp_path):
    paths = {"own": {}, "default": {"ATEN_CPU_CAPABILITY": "default"}}
    before = dict(os.environ)
    records = sweep(
        runs.with_torch, grid(a=[1]), range(4), tmp_path, paths=paths, n_jobs=2, **QUIET
    )
    assert [r["cpu"] for r in records] == ["own", "default"] * 2
    for record in records:
        wanted = "ATEN_CPU_CAPABILITY=default" if record["cpu"] == "default" else ""
        assert record["machine"]["variables"] == wanted
        assert (record["machine"]["instructions"] == "DEFAULT") >= (record["cpu"] == "default")
    assert dict(os.environ) == before


def test_progress_says_how_long_it_will_take(tmp_path, capsys):
    sweep(runs.train, grid(a=[1, 2]), [0], tmp_path, n_jobs=1, name="tiny", every=0)
    said = capsys.readouterr().out
    assert "tiny: 1 of 2 runs, about 0.0 min left" in said and "tiny: 2 of 2 runs, done" in said
    sweep(runs.train, SETTINGS, [0], tmp_path, n_jobs=1, name="tiny", every=0)
    assert "tiny: 2 of 3 runs are stored already" in capsys.readouterr().out


def test_on_a_dask_cluster_that_loses_a_worker(tmp_path):
    """A real scheduler and two workers on the loopback interface; one is killed midway."""
    from distributed import Client, LocalCluster
    from joblib import parallel_config

    settings = grid(a=[1, 2, 3, 4], sleep=[0.3])
    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1"}
    with LocalCluster(dashboard_address=None, **options) as cluster, Client(cluster) as client:
        victim = next(iter(client.run(os.getpid).values()))
        killer = subprocess.Popen(
            [sys.executable, "-c",
             "import glob, os, signal, sys, time\n"
             "folder, pid = sys.argv[1], int(sys.argv[2])\n"
             "while len(glob.glob(folder + '/*.json')) < 2: time.sleep(0.02)\n"
             "os.kill(pid, signal.SIGKILL)", str(tmp_path / "dask"), str(victim)],
        )  # fmt: skip
        (tmp_path / "dask").mkdir()
        with parallel_config("dask"):
            records = sweep(runs.train, settings, [0, 1, 2], tmp_path / "dask", n_jobs=2, **QUIET)
        assert killer.wait(timeout=60) == 0, "the worker was killed while the sweep ran"
        assert victim not in client.run(os.getpid).values()
    clean = sweep(runs.train, grid(a=[1, 2, 3, 4]), [0, 1, 2], tmp_path / "x", n_jobs=1, **QUIET)
    assert rows(records) == rows(clean)
