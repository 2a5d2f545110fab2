"""Executors: where runs are made, what several sweeps do with one folder, and what is lost when something dies (nothing)."""

from __future__ import annotations

import importlib.util
import math
import os
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bench_faults
import psutil
import pytest
import ray_nodes
import tiny_tasks

from course import home, machine, sweeps, training
from course.sweeps import Plan, SweepStoppedError, executors, locks, making
from course.sweeps.executors import ray_cluster
from course.training import Recipe

RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not RAY, reason="ray is not installed")
needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="folders are watched through inotify")


def one_sentence(error) -> str:
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text and "Traceback" not in text, text
    return text


@pytest.fixture
def trained(monkeypatch):
    """Training that takes no time; yields what was asked for."""
    tiny_tasks.enter(monkeypatch, letters=tiny_tasks.letters())
    yield from tiny_tasks.pretend_training(monkeypatch, lambda size, steps, seed: 1 + size**-0.5 + steps**-0.5)


def plan(**changes) -> Plan:
    """Three trajectories of two runs."""
    given = {"sizes": (4, 8, 16), "steps": (100, 200), "recipe": Recipe(batch=16, warmup=5)}
    return Plan("letters", "char_mlp", **(given | changes))


# --- which executor -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"executor": "slurm"}, "no executor 'slurm'; there are process, processes, ray"),
        ({"executor": "process", "workers": 2}, "'process' is one worker; got workers=2"),
        ({"executor": "processes", "address": "10.0.0.1:6379"}, "An address is that of a Ray cluster"),
        ({"workers": 0}, "workers must be a whole number of at least 1; got 0"),
        ({"device": "tpu"}, "device is 'cpu', 'gpu' or None.*got 'tpu'"),
        ({"backend": "torch"}, "got 'torch'"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(tmp_path, trained, settings, words):
    with pytest.raises(ValueError, match=words) as error:
        sweeps.run(plan(), tmp_path / "out", progress=False, **settings)
    one_sentence(error)
    assert trained == []


def test_an_executor_is_one_function_that_gives_passes(tmp_path, trained, monkeypatch):
    """What it takes to add one: a module with `opened`."""
    passes = []

    def backwards(units):
        passes.append(len(units))
        yield from (record["run_id"] for unit in reversed(units) for record in making.make(unit))

    module = SimpleNamespace(opened=lambda settings: nullcontext(backwards))
    monkeypatch.setitem(sys.modules, "backwards", module)
    monkeypatch.setitem(executors.EXECUTORS, "backwards", "backwards")
    frame = sweeps.run(plan(), tmp_path, executor="backwards", progress=False)
    assert len(frame) == 6 and passes == [3] and [size for size, *_ in trained] == [4, 8, 16]


def test_the_longest_unit_goes_first_whatever_its_size(tmp_path, trained):
    units = making.units(plan(sizes=(4, 16), seeds=(0, 1)), tmp_path)
    short = [replace(unit, configs=unit.configs[:1]) if unit.configs[0].size == 16 else unit for unit in units]
    assert [unit.configs[0].size for unit in making.longest_first(units)] == [16, 16, 4, 4]
    assert [unit.configs[0].size for unit in making.longest_first(short)] == [4, 4, 16, 16]


def test_memory_is_predicted_from_the_shape_and_bounds_the_processes(monkeypatch, trained):
    small, large = (sweeps.process_bytes(plan(), size) for size in (4, 4096))
    weights = 16 * plan().counts(4096).n_params
    assert 1e9 < small < large and large - small > weights
    assert sweeps.process_bytes(plan(recipe=Recipe(batch=4096)), 4) > small
    free = psutil.virtual_memory()._replace(available=3.5 * large)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr(sweeps.executors.processes, "cores", lambda: 64)
    assert sweeps.default_workers(large) == 3 and sweeps.default_workers(100 * large) == 1
    assert sweeps.default_workers() == 64


# --- several sweeps on one folder -----------------------------------------------------------------


def test_a_sweep_leaves_what_another_is_at_and_makes_it_when_that_one_is_gone(tmp_path, trained):
    (tmp_path / "runs").mkdir()
    (tmp_path / "claims").mkdir()
    held = making.units(plan(), tmp_path / "runs")[0]
    frames = []
    with held.claimed() as ours:
        assert ours
        other = threading.Thread(target=lambda: frames.append(sweeps.run(plan(), tmp_path, progress=False)))
        other.start()
        for _ in range(500):
            if len(list((tmp_path / "runs").glob("*.json"))) == 4:
                break
            time.sleep(0.02)
        assert {size for size, *_ in trained} == {4, 8} and other.is_alive(), "it waits for the third"
    other.join(30)
    assert len(frames[0]) == 6 and len(trained) == 3


def test_what_another_sweep_has_made_meanwhile_is_not_made_again(tmp_path, trained):
    sweeps.run(plan(), tmp_path, progress=False)
    unit = replace(making.units(plan(seeds=(1,)), tmp_path / "runs")[0], configs=plan().runs[:2])
    trained.clear()
    assert list(making.make(unit)) == [] and trained == []


_HOLD = """
import sys
from pathlib import Path
from course.sweeps import locks
with locks.claimed(Path(sys.argv[1]), "unit") as ours:
    print(ours, flush=True)
    sys.stdin.read()
"""


def test_a_claim_ends_with_the_process_that_holds_it_however_that_ends(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "True\n"
    with locks.claimed(tmp_path, "unit") as ours:
        assert not ours
    with locks.claimed(tmp_path, "another") as ours:
        assert ours
    holder.kill()
    holder.communicate()
    with locks.claimed(tmp_path, "unit") as ours:
        assert ours


def test_the_same_trajectory_has_one_claim_in_every_plan_that_asks_for_it(tmp_path, trained):
    def names(made):
        return {unit.name for unit in making.units(made, tmp_path)}

    assert names(plan(steps=(300,))) == names(plan())
    assert not names(plan(seeds=(1,))) & names(plan())


def test_where_no_claim_can_be_made_the_work_is_done(tmp_path):
    with locks.claimed(tmp_path / "nowhere", "unit") as ours:
        assert ours


@needs_linux
def test_two_sweeps_on_one_folder_share_the_work_and_make_no_run_twice(tmp_path):
    with bench_faults.place("process") as (address, environment):
        (tmp_path / "runs").mkdir()
        observer = bench_faults.Observer(tmp_path / "runs")
        both = [bench_faults.started(tmp_path, "process", address, environment) for _ in range(2)]
        assert [(process.communicate(timeout=120)[1], process.returncode) for process in both] == [("", 0)] * 2
        observer.close()
    assert len(observer.seen) == bench_faults.RUNS and set(observer.seen.values()) == {1} and not observer.broken


# --- devices and folders --------------------------------------------------------------------------


def test_a_run_that_does_not_fit_the_device_is_recorded_and_the_sweep_goes_on(tmp_path, trained, monkeypatch):
    branches = training.train_branches

    def short_of_memory(trainer, budgets, seed=0):
        for outcome in branches(trainer, budgets, seed):
            if trainer.size == 8 and outcome.steps == 200:
                raise training.OutOfMemoryError("It does not fit.")
            yield outcome

    monkeypatch.setattr(training, "train_branches", short_of_memory)
    frame = sweeps.run(plan(), tmp_path, progress=False).set_index(["size", "steps"])
    assert len(frame) == 6 and frame["outcome"].value_counts().to_dict() == {"finished": 5, "out of memory": 1}
    lost = frame.loc[(8, 200)]
    assert lost["outcome"] == "out of memory" and lost["diverged"] and math.isnan(lost["loss"])
    trained.clear()
    assert len(sweeps.run(plan(), tmp_path, progress=False)) == 6 and trained == [], "it is not tried again"


def test_no_gpu_where_one_was_asked_for_is_one_sentence_before_anything_runs(tmp_path, trained, monkeypatch):
    monkeypatch.setattr(machine, "gpus", lambda: [])
    with pytest.raises(machine.CannotRunError, match="No GPU was found here") as error:
        sweeps.run(plan(), tmp_path / "out", device="gpu", progress=False)
    one_sentence(error)
    assert trained == [] and not (tmp_path / "out").exists()
    monkeypatch.setattr(machine, "gpus", lambda: ["Tesla T4"])
    assert len(sweeps.run(plan(), tmp_path / "out", device="gpu", progress=False)) == 6


@pytest.mark.parametrize("where", ["drive/MyDrive/sweep", "drive/Shareddrives/ours", "gdrive/MyDrive/sweep"])
def test_a_drive_that_is_not_mounted_is_one_sentence_that_says_how_to(tmp_path, trained, monkeypatch, where):
    monkeypatch.setattr(home, "CONTENT", tmp_path)
    with pytest.raises(ValueError, match=r"not mounted: run `from google.colab import drive; drive.mount\(") as error:
        sweeps.run(plan(), tmp_path / where, progress=False)
    assert str(tmp_path / Path(where).parts[0]) in one_sentence(error)
    assert trained == [] and list(tmp_path.iterdir()) == [], "nothing is left on Colab's own disk"
    (tmp_path / Path(where).parts[0] / "MyDrive").mkdir(parents=True)
    assert len(sweeps.run(plan(), tmp_path / where, progress=False)) == 6
    assert len(sweeps.run(plan(), tmp_path / "here", progress=False)) == 6


def test_other_data_than_those_the_sweep_was_planned_on_are_refused(tmp_path, trained):
    unit = making.units(plan(), tmp_path)[0]
    other = replace(unit, configs=tuple(replace(config, data_sha256="f" * 64) for config in unit.configs))
    with pytest.raises(SweepStoppedError, match="not the same here as where the sweep was planned") as error:
        list(making.train(other))
    one_sentence(error)
    assert trained == []


# --- Ray ------------------------------------------------------------------------------------------


def test_without_ray_a_sentence_says_how_to_get_it(tmp_path, trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(machine.CannotRunError, match="pip install") as error:
        sweeps.run(plan(), tmp_path, executor="ray", progress=False)
    one_sentence(error)


@needs_ray
@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "No Ray cluster answers at 127.0.0.1:1: "),
        ("nowhere.invalid:6379", "No Ray cluster answers at nowhere.invalid:6379: "),
        ("127.0.0.1:99999", "No Ray cluster answers"),
        ("10.0.0.1", "HOST:PORT"),
        ("ray://10.0.0.1:10001", "HOST:PORT"),
    ],
)
def test_an_address_that_does_not_answer_is_one_sentence(tmp_path, trained, address, words):
    with pytest.raises((machine.CannotRunError, ValueError), match=words) as error:
        sweeps.run(plan(), tmp_path, executor="ray", address=address, progress=False)
    one_sentence(error)
    assert trained == []


def test_a_run_asks_for_what_its_size_takes(tmp_path, trained):
    unit = making.units(plan(), tmp_path)[0]
    settings = executors.Settings(tmp_path, (unit,))
    one = ray_cluster._Cluster(shared=True, gpus=0, bytes=64e9)
    assert ray_cluster._needs(unit, settings, one) == {"num_cpus": 1, "memory": int(unit.bytes)}
    with_gpus = replace(one, gpus=2)
    assert ray_cluster._needs(unit, settings, with_gpus)["num_gpus"] == 0.25
    assert "num_gpus" not in ray_cluster._needs(unit, replace(settings, device="cpu"), with_gpus)
    large = making.units(plan(sizes=(80_000,)), tmp_path)[0]
    assert ray_cluster._needs(large, settings, replace(with_gpus, bytes=1e13))["num_gpus"] == 1
    with pytest.raises(SweepStoppedError, match="no machine of the cluster offers more than 64") as error:
        ray_cluster._needs(large, settings, one)
    one_sentence(error)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Three nodes of one processor each, and the environment of a process that leads a sweep on them."""
    with ray_nodes.cluster(3, {"PRETEND_SECONDS": "0.2"}) as started:
        yield started, os.environ | ray_nodes.environment(tmp_path_factory.mktemp("paths"))


@pytest.fixture
def watched(tmp_path):
    """A sweep's folder and an observer of its records, which must all have come once and whole at the end."""
    (tmp_path / "runs").mkdir()
    observer = bench_faults.Observer(tmp_path / "runs")
    yield observer
    observer.close()
    assert not observer.broken and set(observer.seen.values()) <= {1}, observer.seen
    assert {path.name: path.read_bytes() for path in (tmp_path / "runs").glob("*.json")} == observer.first


def all_there(folder):
    frame = sweeps.load(folder)
    assert len(frame) == bench_faults.RUNS == frame["run_id"].nunique() and (frame["outcome"] == "finished").all()


@needs_ray
@needs_linux
def test_a_killed_worker_and_a_killed_driver_cost_no_finished_run(cluster, watched, tmp_path):
    started, environment = cluster
    driver = bench_faults.started(tmp_path, "ray", started.address, environment)
    watched.wait_for(2, driver)
    at_work = bench_faults.workers(driver, "ray", started.address)
    assert at_work
    at_work[0].kill()
    watched.wait_for(8, driver)
    driver.kill()
    driver.communicate()
    assert 8 <= len(watched.seen) < bench_faults.RUNS
    bench_faults.whole("ray", tmp_path, started.address, environment)
    all_there(tmp_path)


@needs_ray
@needs_linux
def test_records_go_home_from_machines_that_do_not_see_the_folder(cluster, watched, tmp_path):
    started, environment = cluster
    bench_faults.whole("ray", tmp_path, started.address, environment | {"PRETEND_UNSHARED": "1"})
    all_there(tmp_path)


@needs_ray
@needs_linux
def test_machines_with_other_versions_make_no_run(cluster, watched, tmp_path):
    started, environment = cluster
    driver = bench_faults.started(tmp_path, "ray", started.address, environment | {"PRETEND_TENSORFLOW": "2.16.1"})
    said = driver.communicate(timeout=120)[1]
    assert driver.returncode == 1 and said.count("\n") == 1, said
    assert "the one that leads the sweep 2.16.1: install the same versions" in said
    assert not watched.seen


@needs_ray
@needs_linux
def test_what_dies_each_time_ends_in_a_sentence_and_what_does_not_fit_is_recorded(cluster, watched, tmp_path):
    import pretend

    started, environment = cluster
    sizes = (4, pretend.HUGE, pretend.DEADLY)
    driver = bench_faults.started(tmp_path, "ray", started.address, environment, sizes)
    said = driver.communicate(timeout=240)[1]
    assert driver.returncode == 1 and said.count("\n") == 1, said
    assert f"A run of size {pretend.DEADLY} was sent out {ray_cluster.TRIES} times" in said
    frame = sweeps.load(tmp_path)
    assert set(frame[frame["outcome"] == "out of memory"]["size"]) <= {pretend.HUGE}
    assert set(frame["size"]) <= {4, pretend.HUGE} and len(frame) >= 3


@needs_ray
@needs_linux
def test_a_node_that_stops_in_mid_sweep_costs_no_run(cluster, watched, tmp_path):
    started, environment = cluster
    driver = bench_faults.started(tmp_path, "ray", started.address, environment)
    watched.wait_for(4, driver)
    started.remove_node(next(iter(started.worker_nodes)), allow_graceful=False)
    assert driver.communicate(timeout=240)[1] == "" and driver.returncode == 0
    all_there(tmp_path)


# --- kill -9 at random moments --------------------------------------------------------------------


@needs_linux
@pytest.mark.parametrize("executor", ["process", "processes"])
def test_kill_9_at_random_moments_loses_nothing_and_repeats_nothing(executor):
    faults = bench_faults.struck(executor, kills=2)
    assert faults.kills == 2 and faults.sweeps >= 1 and faults.clean, faults
