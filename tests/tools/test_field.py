"""benchmarks/field.py: its arithmetic, its runs in small, and that its page is what it measured."""

import copy
import doctest
import functools
import json
import math
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from scipy import stats

import gen_models_utilities as gmu
from benchmarks import arithmetic, field, field_page, measure, peers
from benchmarks.peers import course
from benchmarks.peers.model import Model
from benchmarks.reference import MaskedCoupling
from flows import Trainer

ROOT = Path(__file__).resolve().parents[2]
TINY = field.PLAN | {
    "rates": [1e-3, 1e-2],
    "tune": {"steps": 2, "seed": 9},
    "lengths": {2: 2, 4: 2},
    "reference": {"epochs": 1, "seeds": 1},
    "labels": {"steps": 2, "seeds": 1, "reference": 1},
    "speed": {"sizes": [100], "repeats": 2, "large": [200], "largest": 0},
    "depth": {"layers": [2], "steps": 7, "seeds": 1},
    "long": {"steps": 5, "seeds": 1},
}


def curve(*points):
    return [{"cpu": cpu, "gap": gap} for cpu, gap in points]


class TestArithmetic:
    def test_the_quickest_training_counts(self):
        long = curve((5.0, 0.3), (10.0, 0.01))
        short = curve((1.0, 0.4), (2.0, 0.1), (3.0, 0.09))
        assert arithmetic.time_to([long, short], 0.1) == 2.0
        assert arithmetic.time_to([long, short], 0.35) == 3.0 - 1.0
        assert arithmetic.time_to([long, short], 0.05) == 10.0
        assert arithmetic.time_to([long, short], 0.001) is None

    def test_what_broke_down_reaches_nothing(self):
        assert arithmetic.time_to([curve((1.0, None))], 1e9) is None
        assert arithmetic.time_to([], 0.1) is None

    def test_the_spread_counts_those_that_never_got_there(self):
        assert arithmetic.spread([3.0, 1.0, 2.0]) == [2.0, 1.0, 3.0]
        assert arithmetic.spread([None, 1.0, 2.0]) == [2.0, 1.0, None]
        assert arithmetic.spread([None, None, 2.0]) == [None, 2.0, None]
        assert arithmetic.spread([1.0, None]) == [None, 1.0, None]
        with pytest.raises(ValueError, match="at least one"):
            arithmetic.spread([])

    def test_the_best_rate(self):
        assert arithmetic.best_rate({0.1: None, 0.01: 0.3, 0.001: 0.2}) == 0.001
        with pytest.raises(ValueError, match=r"\[0.1\]"):
            arithmetic.best_rate({0.1: None})

    def test_ratios_of_what_is_not_there(self):
        assert arithmetic.times_less(2.0, 10.0) == 5.0
        assert arithmetic.times_less(None, 10.0) is arithmetic.times_less(2.0, None) is None


def test_the_clock_does_not_count_what_looks_on():
    def work(seconds):
        began = time.process_time()
        while time.process_time() - began < seconds:
            pass

    clock = measure.Clock()
    with clock.stopped():
        work(0.1)
    assert clock.seconds() < 0.05
    work(0.05)
    assert clock.seconds() >= 0.05


def test_all_libraries_get_the_batches_of_the_course(monkeypatch):
    seen = []
    make = course.affine

    def watched():
        model, given = make(2), []
        log_prob = model.log_prob
        model.log_prob = lambda x: (given.append(x), log_prob(x))[1]
        seen.append(given)
        return model

    step = measure.plain_steps(watched(), steps=3, rate=1e-3, seed=4)
    step(), step()
    trainer = Trainer(make(2).flow, measure.ring, steps=3, batch_size=measure.BATCH, seed=4)
    batches = [trainer.draw(measure.BATCH, trainer.generator) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(seen[0], batches, strict=True))


def test_the_plain_loop_does_the_steps_of_the_course():
    """Where no point lies far out, the course's training is the plain one: to the last digits."""
    found = []
    for plain in (False, True):
        torch.manual_seed(0)
        model = course.affine(2)
        if plain:
            step = measure.plain_steps(model, steps=5, rate=1e-3, seed=4)
        else:
            settings = {"steps": 5, "batch_size": measure.BATCH, "lr": 1e-3, "clip": measure.CLIP}
            step = Trainer(model.flow, measure.ring, seed=4, **settings).step
        for _ in range(5):
            step()
        found.append(gmu.ring_gap(model.log_prob))
    assert found[0] == pytest.approx(found[1], abs=1e-3)


def hurry(patch):
    """Few samples, no warming up, and no repetitions for an exact speed."""
    patch.setattr(measure, "SAMPLES", 2000)
    patch.setattr(measure, "a_second", functools.partial(measure.a_second, least=0.0))
    patch.setattr(field, "warmed_up", lambda: None)


@pytest.fixture
def small(monkeypatch):
    """See `hurry`."""
    hurry(monkeypatch)


@pytest.mark.parametrize("arm", ["ours, affine", "ours, spline", "reference"])
def test_what_a_training_gives(arm, small):
    if arm == "reference":
        row = measure.trained_reference(0, epochs=2, layers=2)
    else:
        row = measure.trained(course.ARMS[arm], arm, steps=10, rate=1e-2, seed=0, layers=2)
    steps = [point["step"] for point in row["curve"]]
    assert steps == ([7, 14] if arm == "reference" else [5, 8, 9, 10])
    times = [point["cpu"] for point in row["curve"]]
    assert 0 < times[0] < times[-1] <= row["cpu"]
    assert row["gap"] == row["curve"][-1]["gap"] < row["curve"][0]["gap"]
    assert row["broke"] is None and row["weights"] > 1000
    assert 0 <= row["strays_4"] <= row["strays_3"] <= 1 and 0 <= row["worst_mode"] <= 1


@pytest.mark.parametrize("arm", course.ARMS)
def test_an_arm_is_a_density_and_its_samples_follow_it(arm):
    torch.manual_seed(0)
    model = course.ARMS[arm](2)
    for weight in model.flow.parameters():
        weight.data += 0.1 * torch.randn_like(weight)
    grid = torch.linspace(-12, 12, 241)
    points = torch.cartesian_prod(grid, grid)
    with torch.no_grad():
        weights = model.log_prob(points).exp() * (grid[1] - grid[0]) ** 2
    assert weights.sum().item() == pytest.approx(1, abs=0.01)
    mean = (weights[:, None] * points).sum(dim=0)
    assert torch.allclose(model.sample(40_000).mean(dim=0), mean, atol=0.05)


def test_a_training_that_breaks_down_is_said_so(small):
    def make(layers):
        model, count = course.affine(layers), []

        def log_prob(x):
            count.append(1)
            if len(count) > 4:
                raise RuntimeError("minus infinity")
            return model.flow.log_prob(x)

        return Model(model.flow, log_prob, model.sample)

    row = measure.trained(make, "theirs", steps=6, rate=1e-3, seed=0, layers=1)
    assert row["broke"] == "RuntimeError in step 4" and row["gap"] is None
    assert "strays_4" not in row


def test_the_reference_with_labels_uses_them():
    torch.manual_seed(0)
    layer, x, labels = MaskedCoupling(8, 0, context_dim=8), torch.randn(5, 2), torch.eye(8)[:5]
    for weight in layer.parameters():
        weight.data += 0.3 * torch.randn_like(weight)
    z, log_det = layer(x, context=labels)
    back, minus = layer(z, back=True, context=labels)
    assert torch.allclose(back, x, atol=1e-5) and torch.allclose(minus, -log_det)
    assert not torch.allclose(layer(x, context=labels.flip(0))[0], z)
    assert measure.trained_on_labels("reference", 7, None, 0)["gap"] > 1


def test_all_arms_in_turn_for_each_seed():
    rates = {"a": 1, "b": 2, "reference": None, "ours, affine": 3, "labels": 4}
    todo = field.jobs(field.PLAN, ["a", "b", "reference"], rates)
    trainings = [job for job in todo if job["kind"] == "ring" and not job["layers"]]
    names = [job["arm"] for job in trainings if job["seed"] == 1]
    assert names == ["a", "b", "a", "b", "reference", "a", "b"]
    seeds = [job["seed"] for job in trainings if job["arm"] == "a" and job["steps"] == 100]
    assert seeds == [*range(field.PLAN["lengths"][100])] and field.PLAN["tune"]["seed"] not in seeds
    assert {job["rate"] for job in trainings if job["arm"] == "b"} == {2}
    deep = [job for job in todo if job["kind"] == "ring" and job["layers"]]
    assert deep and {job["layers"] for job in deep} <= set(field.PLAN["depth"]["layers"])
    for job in deep:  # the reference trains in epochs of seven steps
        lost = field.PLAN["depth"]["steps"] - job["steps"]
        assert 0 <= lost < (7 if job["arm"] == "reference" else 1)
    counted = [job["arm"] for job in todo if job["kind"] == "speed"]
    assert counted == ["a", "b", "reference", field.SMALL] * 3 + [field.SMALL]


def test_a_quick_run_does_less_of_the_same():
    arms = ["ours, affine", "ours, spline", "reference"]
    rates = dict.fromkeys([*arms, "labels"], 1e-2)
    whole, quick = (field.jobs(plan, arms, rates) for plan in (field.PLAN, field.QUICK))
    kinds = [{(job["kind"], job["arm"]) for job in some} for some in (whole, quick)]
    assert kinds[1] == kinds[0] - {("labels", "reference")}
    assert max(job.get("seed", 0) for job in quick) == 1 and len(quick) < len(whole) / 3
    trained = [[job for job in some if job["kind"] != "speed"] for some in (whole, quick)]
    assert all(job in trained[0] for job in trained[1])


def test_a_processor_has_a_name(monkeypatch):
    told = "processor\t: 0\nmodel name\t: Some CPU: fast\n"
    monkeypatch.setattr(field.Path, "read_text", lambda self, encoding: told)
    assert field.processor() == "Some CPU"
    monkeypatch.setattr(field.platform, "processor", lambda: "")
    monkeypatch.setattr(field.platform, "machine", lambda: "arm64")
    told = "processor: 0"
    assert field.processor() == "arm64"


class TestTheCommand:
    @pytest.fixture
    def run(self, monkeypatch, tmp_path):
        """Run it with other files, on which nothing is measured; what was to be, and the files."""
        text, asked = field.RESULT.read_text(encoding="utf-8"), []
        result, page = tmp_path / "field.json", tmp_path / "page.md"
        result.write_text(text, encoding="utf-8")

        def measured(*args, **options):
            asked.append((*args, options))
            return json.loads(text) | {"left_undone": 12345}

        for name, value in {"RESULT": result, "PAGE": page, "CACHE": tmp_path / "cache",
                            "install": lambda: None, "measured": measured}.items():  # fmt: skip
            monkeypatch.setattr(field, name, value)

        def run(*words):
            monkeypatch.setattr(sys, "argv", ["field", *words])
            field.main()
            return asked, result, page

        return run

    def test_writes_the_result_and_the_page(self, run, capsys):
        asked, result, page = run("--minutes", "5")
        found = json.loads(result.read_text(encoding="utf-8"))
        assert page.read_text(encoding="utf-8") == field_page.page(found)
        assert found["left_undone"] == 12345
        ((plan, _, options),) = asked
        assert plan is field.PLAN and options == {"minutes": 5.0}
        assert capsys.readouterr().out == "field.json and page.md are written\n"

    def test_builds_the_page_again_without_measuring(self, run):
        asked, result, page = run("--page")
        found = json.loads(result.read_text(encoding="utf-8"))
        assert page.read_text(encoding="utf-8") == field_page.page(found) and not asked

    def test_quick_only_prints_and_takes_the_rates_that_were_chosen(
        self, run, capsys, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(peers, "found", lambda: ({"new, affine": None}, {}, {}))
        (tmp_path / "cache" / "field-quick").mkdir(parents=True)
        asked, result, page = run("--quick")
        ((plan, folder, rates, _),) = asked
        found = json.loads(result.read_text(encoding="utf-8")) | {"left_undone": 12345}
        assert capsys.readouterr().out == field_page.tables(found) + "\n" and not page.exists()
        assert plan is field.QUICK and not folder.exists(), "nothing of an earlier run is read"
        assert rates["ours, spline"] == found["ring"]["ours, spline"]["rate"]
        assert rates["labels"] == found["rate_labels"] and rates["new, affine"] == 1e-2


def test_the_rate_is_chosen_on_the_seed_that_is_held_out():
    asked = []

    def do(job):
        asked.append(job)
        return {"gap": None if job["rate"] == 3e-2 else abs(job["rate"] - 3e-3)}

    rates, tried = field.chosen(field.PLAN, ["a", "b"], do)
    assert rates == {"a": 3e-3, "b": 3e-3, "labels": 3e-3}
    assert {job["seed"] for job in asked} == {field.PLAN["tune"]["seed"]}
    assert list(tried["a"]) == field.PLAN["rates"] and tried["b"][3e-2] is None


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A whole run in small: its folder and its result."""
    folder = tmp_path_factory.mktemp("field")
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        yield folder, field.measured(TINY, folder)


class TestARun:
    def test_leaves_nothing_out_silently(self, tiny, capsys):
        _, found = tiny
        assert {*found["missing"], *found["machine"]["libraries"]} == {*peers.MODULES} - {""}
        assert {"ours, affine", "ours, spline", "reference"} <= set(found["ring"])
        assert found["left_undone"] == 0
        assert found["ring"]["ours, affine"]["lengths"].keys() == {"2", "4", "5"}
        assert found["ring"]["ours, affine"]["lengths"]["4"]["seeds"] == 2
        assert found["speed"]["reference"].keys() == {"100", "200"}

    def test_a_library_that_is_missing_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "zuko", None)
        monkeypatch.delitem(sys.modules, "benchmarks.peers.with_zuko", raising=False)
        arms, versions, missing = peers.found()
        assert "zuko" in missing and "zuko" in missing["zuko"] and "zuko" not in versions
        assert not any(arm.startswith("zuko") for arm in arms) and "ours, spline" in arms
        text = field_page.page(
            {**json.loads(field.RESULT.read_text(encoding="utf-8")), "missing": missing}
        )
        assert f"Left out: zuko: {missing['zuko']}" in text

    def test_goes_on_where_it_stopped(self, tiny, small, monkeypatch, capsys):
        folder, found = tiny
        runs = sorted(folder.glob("*.json"))
        assert len(runs) > 20
        gone, half = runs[3], runs[7]
        gone_job, half_job = (json.loads(p.read_text("utf-8"))["settings"] for p in (gone, half))
        gone.unlink()
        half.write_text(half.read_text(encoding="utf-8")[:40], encoding="utf-8")
        again, real = [], field.done
        monkeypatch.setattr(field, "done", lambda job: (again.append(job), real(job))[1])
        after = field.measured(TINY, folder)
        key = lambda job: json.dumps(job, sort_keys=True)  # noqa: E731
        assert sorted(map(key, again)) == sorted(map(key, [gone_job, half_job]))
        assert "was damaged" in capsys.readouterr().out
        assert half.exists() and half.with_suffix(".damaged").exists()
        gaps = [one["ring"]["ours, spline"]["lengths"]["4"]["gap"] for one in (found, after)]
        assert gaps[0] == gaps[1]

    def test_another_code_is_another_run(self, small, tmp_path, monkeypatch):
        job, done = field.labelled("ours", 1, 1e-3, 0), []
        monkeypatch.setattr(field, "done", lambda job: (done.append(job), {"gap": 1.0})[1])
        field.stored(job, tmp_path, "1"), field.stored(job, tmp_path, "1")
        assert len(done) == 1
        field.stored(job, tmp_path, "2")
        assert len(done) == 2

    def test_stops_in_time(self, tiny, small):
        folder, found = tiny
        short = field.measured(TINY | {"lengths": {2: 3, 4: 3}}, folder, minutes=0)
        arms = len(found["ring"]) - 1  # (the reference has a single seed here)
        assert short["left_undone"] == 2 * arms
        assert short["ring"].keys() == found["ring"].keys()  # what lies there is summed up


@pytest.mark.parametrize("module", [arithmetic, field, field_page, peers])
def test_examples(module):
    done = doctest.testmod(module)
    assert done.attempted and not done.failed


class TestInstall:
    def run(self, tmp_path, monkeypatch, broken=()):
        asked = []

        def pip(command):
            asked.append(command)
            return subprocess.CompletedProcess(command, int(command[-1] in broken))

        monkeypatch.setattr(field.subprocess, "run", pip)
        monkeypatch.setattr(sys, "path", [*sys.path])
        requirements = tmp_path / "requirements.txt"
        requirements.write_text("# a list\na==1  # why\nb==2\n", encoding="utf-8")
        field.install(requirements, tmp_path / "cache")
        assert sys.path[-1] == str(tmp_path / "cache" / "peers")
        return asked

    def test_once_each_alone_and_without_torch(self, tmp_path, monkeypatch):
        asked = self.run(tmp_path, monkeypatch)
        assert [command[-1] for command in asked] == ["a==1", "b==2"]
        assert all("--no-deps" in command and "--target" in command for command in asked)
        assert self.run(tmp_path, monkeypatch) == []

    def test_tries_again_what_failed_and_says_so(self, tmp_path, monkeypatch, capsys):
        self.run(tmp_path, monkeypatch, broken=["a==1"])
        assert "could not be installed: a==1" in capsys.readouterr().out
        assert len(self.run(tmp_path, monkeypatch)) == 2

    def test_every_pin_has_a_module_and_says_why(self):
        lines = field.REQUIREMENTS.read_text(encoding="utf-8").splitlines()
        pins = [line for line in lines if not line.startswith("#")]
        assert {pin.split("==")[0] for pin in pins} == {*peers.MODULES} - {""}
        assert all("# " in pin and "torch" not in pin.split("#")[0] for pin in pins)


class TestThePage:
    @pytest.fixture
    def found(self):
        return json.loads(field.RESULT.read_text(encoding="utf-8"))

    def test_was_measured_by_the_plan_of_today(self, found):
        assert found["plan"] == json.loads(json.dumps(field.PLAN))
        for row in found["ring"].values():
            assert list(row["to"]) == [str(target) for target in field.TARGETS]

    def test_shows_its_numbers(self, found):
        assert field_page.page(found) == field.PAGE.read_text(encoding="utf-8")

    def test_speaks_of_the_longest_trainings_only_if_they_are_there(self, found, tiny):
        for one in (found, tiny[1]):
            steps = f"{one['plan']['long']['steps']:,}"
            there = one["plan"]["long"]["steps"]
            there = str(there) in one["ring"]["ours, spline"]["lengths"]
            assert (f"also trained for {steps} steps" in field_page.page(one)) is there
        assert there, "and in a whole run they are"

    def test_a_smaller_gap_goes_with_fewer_strays(self, found):
        """What the page gives as the reason for strays, by and large."""
        last = [field_page.longest(row)[1] for row in found["ring"].values()]
        last = [one for one in last if None not in (one["gap"][0], one["strays_4"][0])]
        gaps, strays = ([one[key][0] for one in last] for key in ("gap", "strays_4"))
        assert stats.spearmanr(gaps, strays).statistic > 0.8

    @pytest.mark.parametrize(
        "path",
        [
            ("ring", "ours, spline", "to", "0.1", 0),
            ("ring", "ours, spline", "lengths", "4", "gap", 0),
            ("ring", "ours, spline", "lengths", "5", "strays_4", 0),
            ("ring", "ours, spline", "lengths", "5", "worst_mode", 1),
            ("ring", "ours, spline", "lengths", "5", "ms", 0),
            ("ring", "reference", "weights"),
            ("labels", "ours", "cpu", 0),
            ("speed", "reference", "100", "sample", 0),
            ("speed", "reference", "100", "megabytes"),
            ("depth", "reference", "2", "gap", 0),
        ],
    )
    def test_follows_each_number(self, tiny, path):
        """A change of any figure that stands in a table changes the page."""
        found = part = copy.deepcopy(tiny[1])
        before = field_page.page(found)
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = 3 * (part[path[-1]] or 1) + 1
        assert field_page.page(found) != before

    def test_a_goal_is_reached_or_not(self, found):
        (goal,) = [one for one in field_page.goals(found) if one[0] == "lowest gap, splines"]
        assert goal[2:] == (0.005, False)
        for value, word in ((0.001, "yes"), (0.2, "no"), (None, "no")):
            for one in found["ring"]["ours, spline"]["lengths"].values():
                one["gap"][0] = value
            (row,) = [
                line
                for line in field_page.goal_table(found).splitlines()
                if line.startswith("| lowest gap, splines")
            ]
            assert row.endswith(f"| {word} |"), row
            given = "- lowest gap ...:" in field_page.reasons(found)
            others = found["ring"]["ours, affine"]["lengths"].values()
            missed = min(one["gap"][0] for one in others) > 0.02
            assert given == (missed or word == "no")

    def test_the_tables_of_a_small_run(self, tiny):
        _, found = tiny
        text = field_page.tables(found)
        assert text.count("ours, spline") == 7 and "nan" not in text
        assert field_page.page(found).count("|---") > 8

    def test_points_a_second_have_a_row_for_each_flow(self, found):
        """Not one for each number of points: 45 rows are no table."""
        tables = field_page.speed(found).split("**Memory in MB**")[0].split("**`sample`")
        assert len(tables) == 2
        for text in tables:
            head, _, *rows = [line for line in text.splitlines() if line.startswith("|")]
            assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == list(found["speed"])
            assert {row.count(" | ") for row in rows} == {head.count(" | ")} == {5}
            assert rows[0].endswith("| – |"), "what was not measured is a dash"
        sizes = {int(n) for row in found["speed"].values() for n in row}
        assert re.findall(r"([\d,]+) points", head) == [f"{n:,}" for n in sorted(sizes)]

    def test_no_number_is_lost_in_rounding(self):
        assert field_page.digits(0.00123456) == "0.0012"
        assert field_page.digits(0.0) == "0.0" and field_page.digits(123456.0) == "120,000"
        assert field.rounded({1: [math.pi, None, 7]}) == {"1": [3.142, None, 7]}
