"""Sweeps: the plan, the records, and that nothing finished is lost whatever happens on the way."""

from __future__ import annotations

import errno
import json
import math
import os
import pickle
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import tiny_tasks
from hypothesis import given
from hypothesis import strategies as st

from course import counting, sweeps
from course.sweeps import Plan, RunConfig, SweepStoppedError
from course.training import Recipe

COLUMNS = [
    *("run_id", "task", "family", "size", "seed", "n_params", "n_params_body", "tokens", "steps", "batch", "flops"),
    *("budget", "learning_rate", "loss", "train_loss", "diverged", "seconds", "data_sha256"),
]
RECIPE = Recipe(batch=16, warmup=5)


def one_sentence(error) -> str:
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text, text
    return text


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """The tiny tasks under their names."""
    known = {"letters": tiny_tasks.letters(), "corners": tiny_tasks.corners(), "sequences": tiny_tasks.sequences()}
    tiny_tasks.enter(monkeypatch, **known)
    return known


@pytest.fixture
def trained(monkeypatch):
    """Training that takes no time: the loss follows a law."""
    yield from tiny_tasks.pretend_training(
        monkeypatch, lambda size, steps, seed: 1 + size**-0.5 + steps**-0.5 + seed / 100
    )


def plan(**changes) -> Plan:
    given = {"task": "letters", "family": "char_mlp", "sizes": (4, 8, 16), "budgets": (1e6, 3e6, 1e7), "recipe": RECIPE}
    return Plan(**(given | changes))


def results(frame):
    """What a sweep found, without what the clock said."""
    return frame.drop(columns="seconds")


def same(one, other) -> None:
    pd.testing.assert_frame_equal(results(one), results(other), check_exact=True)


# --- the plan -------------------------------------------------------------------------------------


def test_a_plan_is_sizes_times_seeds_times_budgets_less_what_is_too_short():
    table = plan(seeds=(0, 1)).table()
    assert table[["size", "seed"]].drop_duplicates().shape[0] == 6
    assert table[table["size"] == 4]["budget"].tolist() == [1e6, 3e6, 1e7] * 2
    assert table[table["size"] == 16]["budget"].tolist() == [1e7] * 2, "1e6 and 3e6 pay for too few steps"
    assert table["steps"].min() >= 100
    assert len(plan(least_steps=10, tokens_per_param=(0, math.inf)).runs) == 9
    assert (plan(least_steps=1, tokens_per_param=(20, 100)).table().eval("tokens / n_params").between(20, 100)).all()


@given(size=st.integers(1, 60), budget=st.floats(1e5, 1e9), batch=st.integers(1, 64))
def test_flops_are_tokens_times_the_counted_flops_and_within_half_a_step_of_the_budget(size, budget, batch):
    task = tiny_tasks.letters()
    try:
        made = plan(sizes=(size,), budgets=(budget,), recipe=Recipe(batch=batch), tokens_per_param=(0, math.inf))
    except ValueError:
        return
    counts = counting.count("char_mlp", size, task)
    for row in made.table().to_dict("records"):
        assert row["flops"] == row["tokens"] * counts.training_flops_per_token
        assert row["tokens"] == row["steps"] * row["batch"]
        assert abs(row["flops"] - budget) <= 0.51 * batch * counts.training_flops_per_token
        assert (row["n_params"], row["n_params_body"]) == (counts.n_params, counts.n_params_body)


def test_a_sequence_counts_each_of_its_positions():
    made = plan(task="sequences", family="transformer", sizes=(4,), budgets=(1e8,), recipe=Recipe(batch=2))
    assert made.tokens_per_step == 16
    row = made.table().iloc[0]
    assert row["tokens"] == row["steps"] * 16


def test_the_order_and_repetition_of_what_is_given_do_not_matter():
    assert plan(sizes=(16, 4, 8, 4), budgets=[1e7, 1e6, 3e6], seeds=[1, 0, 1]).runs == plan(seeds=(0, 1)).runs


def test_numpy_numbers_are_numbers(tmp_path, trained):
    made = plan(sizes=np.array([4, 8, 16]), budgets=list(np.array([1e6, 3e6, 1e7])), seeds=np.arange(2))
    assert [config.run_id for config in made.runs] == [config.run_id for config in plan(seeds=(0, 1)).runs]
    assert len(sweeps.run(made, tmp_path, progress=False)) == len(made.runs)


def test_a_run_id_stays_what_it_was():
    """Records of older sweeps are found by it: when this changes, they are lost."""
    assert CONFIG.run_id == "22d8d68f91aa7428"
    named = sweeps.reference("characters-quick")
    assert {config.run_id for config in sweeps.preset("characters-quick").runs} == set(named["run_id"])


CONFIG = RunConfig(
    "characters", (("window", 8),), "0" * 64, "char_mlp", 32, 0, 1e10, 1234,
    Recipe(512, 0.015, 64, 0.25, 30, "wsd", 0.3, 0.99, 1e-8, 1.0, "adam", True),
)  # fmt: skip


def test_a_run_id_depends_on_every_field():
    recipe = {
        "batch": 256, "rate": 0.02, "reference_size": 32, "rate_power": 0.5, "warmup": 20, "schedule": "cosine", "cooldown": 0.2,
        "beta_2": 0.95, "epsilon": 1e-7, "clip": 0.0, "optimizer": "sgd", "dense_gradients": False,
        "precision": "bfloat16",
    }  # fmt: skip
    other = {
        "task": "bytes", "options": (("window", 9),), "data_sha256": "1" * 64, "family": "mlp", "size": 33, "seed": 1,
        "budget": 2e10, "steps": 1235,
    }  # fmt: skip
    assert set(recipe) == {field.name for field in fields(Recipe)}
    assert {*other, "recipe"} == {field.name for field in fields(RunConfig)}
    changed = [replace(CONFIG, **{name: value}) for name, value in other.items()]
    changed += [replace(CONFIG, recipe=replace(CONFIG.recipe, **{name: value})) for name, value in recipe.items()]
    assert len({config.run_id for config in (CONFIG, *changed)}) == len(changed) + 1


@pytest.mark.parametrize(
    ("low", "high", "number"), [(1e10, 1e12, 5), (3e9, 3e11, 2), (1e6, 1e6, 1), (1, 1e30, 31), (1e12, 1e10, 3)]
)
def test_budgets_are_evenly_spaced_in_the_logarithm(low, high, number):
    budgets = sweeps.isoflop_budgets(low, high, number)
    assert len(budgets) == number and budgets[0] == low and budgets[-1] == (high if number > 1 else low)
    assert np.ptp(np.diff(np.log(budgets))) < 2e-3 if number > 2 else True


@pytest.mark.parametrize("name", sweeps.PRESETS)
def test_every_preset_is_a_plan(name):
    made = sweeps.preset(name)
    assert sweeps.cost(made, rate=1e10).seconds > 0
    if made.steps:
        assert len(made.runs) == len(made.sizes) * len(made.steps) * len(made.rates) * len(made.seeds)
        return
    per_budget = made.table().groupby("budget")["size"].nunique()
    assert (per_budget >= 4).sum() >= 3, "a parabola needs some sizes a budget, a line some budgets"


@pytest.mark.parametrize("name", sweeps.references())
def test_a_recorded_sweep_holds_every_run_of_its_preset_and_says_how_it_was_made(name):
    frame, made = sweeps.reference(name), sweeps.preset(name)
    same = [
        "task",
        "family",
        "size",
        "seed",
        "steps",
        "batch",
        "learning_rate",
    ]  # the run's id holds the text's hash too
    planned = made.table()[same].sort_values(same, ignore_index=True)
    pd.testing.assert_frame_equal(frame[same].sort_values(same, ignore_index=True), planned, rtol=1e-9)
    about = frame.attrs["provenance"]
    assert (
        about["runs"] == len(frame)
        and about["command"] == f"course sweep {name}"
        and about["seeds"] == list(made.seeds)
    )
    assert {"tensorflow", "keras", "python", "device", "commit", "seconds", "flops"} <= set(about)


def test_predicted_cost_counts_what_branches_share():
    made = plan(budgets=(1e7,), sizes=(4,))
    one = sweeps.cost(made, rate=1e10)
    assert one.runs == 1 and one.flops == pytest.approx(made.table()["flops"].sum())
    branched = plan(sizes=(4,))
    flops = branched.table()["flops"]
    assert sweeps.cost(branched, rate=1e10).flops == pytest.approx(0.7 * flops.max() + 0.3 * flops.sum())
    alone = plan(sizes=(4,), recipe=replace(RECIPE, schedule="cosine"))
    assert sweeps.cost(alone, rate=1e10).flops == pytest.approx(flops.sum())
    assert sweeps.cost(alone, workers=2, rate=1e10).seconds < sweeps.cost(alone, rate=1e10).seconds
    assert str(one).startswith("1 runs, 1e+07 FLOPs")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "leters"}, "no task 'leters'"),
        ({"family": "cnn"}, "no family 'cnn'"),
        ({"family": "mlp"}, "does not fit the task 'letters'"),
        ({"task": "sequences", "family": "transformer", "sizes": (6,)}, "multiple of its 4 heads"),
        ({"sizes": ()}, "at least one of its sizes"),
        ({"sizes": 8}, "sizes of a plan are a list"),
        ({"sizes": "8"}, "sizes of a plan are a list"),
        ({"sizes": (8, "a")}, "size"),
        ({"sizes": (8, 2.5)}, "size must be a whole number"),
        ({"sizes": (0, 8)}, "size must be a whole number"),
        ({"seeds": ()}, "at least one of its seeds"),
        ({"seeds": (-1,)}, "seed must be a whole number"),
        ({"seeds": (2**31,)}, "seed must be below"),
        ({"budgets": (0.0, 1e7)}, "budget .training FLOPs. must be a positive number; got 0.0"),
        ({"budgets": (-1e7,)}, "budget"),
        ({"budgets": (math.inf,)}, "budget"),
        ({"budgets": (math.nan,)}, "budget"),
        ({"budgets": ("many",)}, "budget is a number of training FLOPs; got 'many'"),
        ({"budgets": (True,)}, "budget"),
        ({"sizes": (1,), "tokens_per_param": (1.0, 2.0)}, "too small for so many steps"),
        ({"budgets": (10.0,)}, "No run of this plan"),
        ({"budgets": (1e15,)}, "No run of this plan"),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused(change, words):
    with pytest.raises(ValueError, match=words) as error:
        plan(**change)
    one_sentence(error)


@pytest.mark.parametrize("budget", [10.0, 1e15])
def test_the_refusal_names_budgets_that_would_do(budget):
    with pytest.raises(ValueError, match=r"budgets from .* to .* FLOPs") as error:
        plan(sizes=(8,), budgets=(budget,))
    text = one_sentence(error)
    low, high = (float(word) for word in text.split("from ")[1].split(" FLOPs")[0].split(" to "))
    assert len(plan(sizes=(8,), budgets=(low * 1.02, high / 1.02)).runs) == 2
    for outside in (low / 1.1, high * 1.1):
        with pytest.raises(ValueError, match="No run"):
            plan(sizes=(8,), budgets=(outside,))


def test_an_unknown_preset_or_reference_names_those_there_are():
    with pytest.raises(ValueError, match="no preset 'quick'") as error:
        sweeps.preset("quick")
    assert all(name in one_sentence(error) for name in sweeps.PRESETS)
    with pytest.raises(ValueError, match="no reference sweep 'x'") as error:
        sweeps.reference("x")
    one_sentence(error)


# --- records --------------------------------------------------------------------------------------


def test_a_sweep_is_its_records_and_loads_as_it_was_returned(tmp_path, trained):
    made = plan(seeds=(0, 1))
    frame = sweeps.run(made, tmp_path, progress=False)
    assert list(frame.columns[: len(COLUMNS)]) == COLUMNS
    same = [
        "task",
        "family",
        "size",
        "seed",
        "steps",
        "batch",
        "learning_rate",
    ]  # the run's id holds the text's hash too
    planned = made.table()[same].sort_values(same, ignore_index=True)
    pd.testing.assert_frame_equal(frame[same].sort_values(same, ignore_index=True), planned, rtol=1e-9)
    assert sorted(path.stem for path in (tmp_path / "runs").iterdir()) == sorted(frame["run_id"])
    for folder in (tmp_path, tmp_path / "runs", str(tmp_path)):
        pd.testing.assert_frame_equal(sweeps.load(folder), frame)
    assert frame["diverged"].dtype == bool and not frame["diverged"].any()
    assert np.allclose(frame["loss"], 1 + frame["size"] ** -0.5 + frame["steps"] ** -0.5 + frame["seed"] / 100)
    expected = made.table().sort_values(["size", "seed", "budget"], ignore_index=True)
    pd.testing.assert_frame_equal(frame[list(expected)], expected)


def test_a_record_says_with_what_it_was_made_and_names_no_place(tmp_path, trained):
    frame = sweeps.run(plan(sizes=(4,)), tmp_path, progress=False)
    assert {"python", "tensorflow", "keras", "device", "platform", "cores", "course"} <= set(frame.columns)
    record = json.loads((tmp_path / "runs" / f"{frame['run_id'][0]}.json").read_text())
    assert record["config"]["recipe"]["batch"] == 16 and record["config"]["data_sha256"] == "a" * 64
    text = json.dumps(record)
    assert str(tmp_path) not in text and os.uname().nodename not in text if hasattr(os, "uname") else True


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are those of POSIX")
def test_whoever_may_read_the_folder_may_read_its_records(tmp_path, trained):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs").chmod(0o755)
    sweeps.run(plan(), tmp_path, progress=False)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "runs").iterdir()} == {0o644}


def test_equal_steps_give_every_size_as_many_and_a_budget_of_what_they_cost():
    table = plan(budgets=(), steps=(50, 200)).table()
    assert len(table) == 6 and set(table["steps"]) == {50, 200}
    np.testing.assert_allclose(table["budget"], table["flops"], rtol=1e-12)


def test_several_rates_are_runs_of_their_own_and_one_compilation_a_size(trained, tmp_path):
    several = plan(rates=(0.01, 0.02), seeds=(0, 1))
    frame = sweeps.run(several, tmp_path, progress=False)
    assert len(frame) == 2 * len(plan(seeds=(0, 1)).runs) == frame["run_id"].nunique()
    assert frame["learning_rate"].nunique() > plan().table()["learning_rate"].nunique()
    assert sweeps.making._trainer.cache_info().misses == 3
    one = plan(recipe=replace(RECIPE, rate=0.02), seeds=(0, 1))
    assert {config.run_id for config in one.runs} <= set(frame["run_id"])


def test_without_a_folder_the_frame_is_all_there_is(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert len(sweeps.run(plan(), progress=False)) == len(plan().runs)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_what_an_ended_process_was_writing_is_cleared_and_nothing_else(tmp_path, monkeypatch):
    others = [tmp_path / name for name in (f"{sweeps.records.UNFINISHED}{os.getpid()}1-a.tmp", "finished.json")]
    for other in others:
        other.write_text("{}", encoding="utf-8")
    monkeypatch.setattr(os, "fsync", lambda _: sweeps.records.clear_after(tmp_path, os.getpid()))  # ended in mid-write
    with pytest.raises(FileNotFoundError):
        sweeps.records.write(tmp_path, {"run_id": "half"})
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_two_budgets_that_pay_for_the_same_steps_are_two_records(tmp_path, trained):
    frame = sweeps.run(plan(sizes=(4,), budgets=(1e7, 1.0001e7)), tmp_path, progress=False)
    assert frame["steps"].nunique() == 1 and len(frame) == 2
    assert trained == [(4, 0, [frame["steps"][0]])], "trained once"


def test_a_second_call_trains_nothing_and_a_larger_plan_only_what_is_missing(tmp_path, trained):
    first = sweeps.run(plan(), tmp_path, progress=False)
    assert [(size, seed) for size, seed, _ in trained] == [(16, 0), (8, 0), (4, 0)], "the largest first"
    trained.clear()
    again = sweeps.run(plan(), tmp_path, progress=False)
    assert trained == []
    pd.testing.assert_frame_equal(first, again)
    larger = sweeps.run(plan(budgets=(1e6, 3e6, 1e7, 2e7), seeds=(0, 1)), tmp_path, progress=False)
    steps = larger.set_index(["size", "seed", "budget"])["steps"]
    assert (4, 0, [steps[4, 0, 2e7]]) in trained
    assert sum(len(budgets) for _, _, budgets in trained) == len(larger) - len(first)
    assert len(sweeps.run(plan(), tmp_path, progress=False)) == len(first), "a plan gets its own runs back"


def test_progress_is_told_in_flops_and_ends_at_the_whole(tmp_path, trained):
    told = []
    frame = sweeps.run(plan(), tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == pytest.approx(told[-1][1]) and told[-1][1] == pytest.approx(frame["flops"].sum())
    assert [done for done, _ in told] == sorted(done for done, _ in told) and len(told) == len(frame)
    (tmp_path / "runs" / f"{frame['run_id'][0]}.json").unlink()
    told.clear()
    sweeps.run(plan(), tmp_path, progress=lambda done, total: told.append((done, total)))
    assert len(told) == 1 and told[0][0] == pytest.approx(told[0][1]), "a resumed bar begins where the last one stopped"


def test_a_bar_is_drawn_when_asked(tmp_path, trained, capsys):
    sweeps.run(plan(), tmp_path, progress=True)
    assert "100%" in capsys.readouterr().err


# --- being interrupted ----------------------------------------------------------------------------


def stopped_after(number):
    """A progress callback that presses Ctrl-C after so many runs."""
    told = []

    def progress(done, total):
        told.append(done)
        if len(told) == number:
            raise KeyboardInterrupt

    return progress


def test_ctrl_c_keeps_what_is_finished_and_the_next_call_makes_the_rest(tmp_path, trained):
    undisturbed = sweeps.run(plan(), tmp_path / "a", progress=False)
    with pytest.raises(KeyboardInterrupt):
        sweeps.run(plan(), tmp_path / "b", progress=stopped_after(3))
    assert len(sweeps.load(tmp_path / "b")) == 3
    same(sweeps.run(plan(), tmp_path / "b", progress=False), undisturbed)


def test_ctrl_c_in_mid_branch_of_a_real_run_and_then_the_same_losses(tmp_path):
    made = plan(sizes=(4,), budgets=(1e6, 2e6, 4e6), least_steps=30)
    undisturbed = sweeps.run(made, tmp_path / "a", progress=False)
    with pytest.raises(KeyboardInterrupt):
        sweeps.run(made, tmp_path / "b", progress=stopped_after(1))
    same(sweeps.run(made, tmp_path / "b", progress=False), undisturbed)
    assert undisturbed["loss"].is_monotonic_decreasing


# --- files that are none --------------------------------------------------------------------------

FOREIGN = {
    "empty.json": b"",
    "half.json": b'{"format": 1, "run_id": "half", "row": {"lo',
    "other.json": b'{"name": "a colleague\'s"}',
    "list.json": b"[1, 2]",
    "number.json": b"7",
    "null.json": b"null",
    "deep.json": b"[" * 100_000,
    "binary.json": bytes(range(256)),
    "words.json": b'{"format": 1, "run_id": "words", "row": "loss", "provenance": {}}',
    "bare.json": b'{"format": 1, "run_id": "bare", "row": {"loss": 1.0}, "provenance": {}}',
    "moved.json": b'{"format": 1, "run_id": "elsewhere", "row": {"loss": 1.0}, "provenance": {}}',
}


def test_files_that_are_no_records_are_named_and_left_alone(tmp_path, trained):
    runs = tmp_path / "runs"
    runs.mkdir()
    others = {".half-written.tmp": b'{"form', ".run-of-another-machine.tmp": b"{", "notes.txt": b"hello", **FOREIGN}
    for name, content in others.items():
        (runs / name).write_bytes(content)
    (runs / "folder.json").mkdir()
    frame = sweeps.run(plan(), tmp_path, progress=False)
    assert len(frame) == len(plan().runs)
    assert sorted(frame.attrs["skipped"]) == sorted([*FOREIGN, "folder.json"])
    assert {name: (runs / name).read_bytes() for name in others} == others
    assert (runs / "folder.json").is_dir()


def test_only_this_package_s_own_half_written_files_are_cleared_and_only_old_ones(tmp_path, trained):
    sweeps.run(plan(), tmp_path, progress=False)
    runs = tmp_path / "runs"
    old, new, foreign = runs / ".run-abc.tmp", runs / ".run-def.tmp", runs / ".theirs.tmp"
    for path in (old, new, foreign):
        path.write_text("{")
    for path in (old, foreign):
        os.utime(path, (time.time() - 3600,) * 2)
    sweeps.run(plan(), tmp_path, progress=False)
    assert not old.exists() and new.exists() and foreign.exists()


@pytest.mark.parametrize("content", [b"", b'{"format": 1', b"\xff\x00", b"null"])
def test_a_damaged_record_is_made_again(tmp_path, trained, content):
    first = sweeps.run(plan(), tmp_path, progress=False)
    (tmp_path / "runs" / f"{first['run_id'][2]}.json").write_bytes(content)
    assert len(sweeps.load(tmp_path)) == len(first) - 1
    trained.clear()
    same(sweeps.run(plan(), tmp_path, progress=False), first)
    assert len(trained) == 1 and len(trained[0][2]) == 1


def test_a_record_of_another_run_under_this_name_is_not_believed(tmp_path, trained):
    first = sweeps.run(plan(), tmp_path, progress=False)
    runs = tmp_path / "runs"
    (runs / f"{first['run_id'][0]}.json").write_bytes((runs / f"{first['run_id'][1]}.json").read_bytes())
    same(sweeps.run(plan(), tmp_path, progress=False), first)


@pytest.mark.parametrize("name", ["nowhere", "a-file", "nothing"])
def test_a_folder_without_runs_is_refused(tmp_path, name):
    (tmp_path / "a-file").write_text("x")
    (tmp_path / "nothing" / "runs").mkdir(parents=True)
    with pytest.raises(ValueError, match=name) as error:
        sweeps.load(tmp_path / name)
    one_sentence(error)


# --- disks ----------------------------------------------------------------------------------------


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_here(monkeypatch, folder):
    """Nothing can be put into this folder after the third record."""
    real, written = os.replace, []

    def replace_unless_full(source, target):
        if Path(target).parent == folder:
            written.append(target)
            if len(written) > 3:
                full()
        real(source, target)

    monkeypatch.setattr(os, "replace", replace_unless_full)


def test_a_full_disk_stops_the_sweep_and_saves_the_last_run_elsewhere(tmp_path, trained, monkeypatch):
    undisturbed = sweeps.run(plan(), tmp_path / "a", progress=False)
    out, spare = tmp_path / "b", tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spare))
    with monkeypatch.context() as broken:
        full_here(broken, out / "runs")
        with pytest.raises(SweepStoppedError, match="No space left on device") as error:
            sweeps.run(plan(), out, progress=False)
    saved = list(spare.rglob("*.json"))
    assert len(saved) == 1 and str(saved[0]) in one_sentence(error)
    assert len(sweeps.load(out)) == 3 and list((out / "runs").glob(".*")) == [], "nothing half-written is left"
    saved[0].rename(out / "runs" / saved[0].name)
    trained.clear()
    same(sweeps.run(plan(), out, progress=False), undisturbed)
    assert sum(len(budgets) for _, _, budgets in trained) == len(undisturbed) - 4


def test_disks_full_everywhere_lose_the_run_under_way_only(tmp_path, trained, monkeypatch):
    out, spare = tmp_path / "b", tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spare))
    sweeps.run(plan(sizes=(16,)), out, progress=False)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(SweepStoppedError, match="every run finished before is kept") as error:
            sweeps.run(plan(), out, progress=False)
    one_sentence(error)
    assert len(sweeps.load(out)) == len(plan(sizes=(16,)).runs)
    assert list(spare.iterdir()) == [], "no empty folder is left behind"
    assert len(sweeps.run(plan(), out, progress=False)) == len(plan().runs)


@pytest.mark.parametrize("where", ["a-file", "a-file/below", "runs-is-a-file"])
def test_an_out_that_cannot_be_a_folder_is_refused_before_anything_runs(tmp_path, trained, where):
    (tmp_path / "a-file").write_text("x")
    (tmp_path / "runs-is-a-file").mkdir()
    (tmp_path / "runs-is-a-file" / "runs").write_text("x")
    with pytest.raises(ValueError, match="cannot be written") as error:
        sweeps.run(plan(), tmp_path / where, progress=False)
    assert where in one_sentence(error) and trained == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path, trained):
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="Permission denied") as error:
        sweeps.run(plan(), tmp_path / "out", progress=False)
    tmp_path.chmod(0o700)
    one_sentence(error)


def test_a_read_only_folder_is_refused_whoever_asks(tmp_path, trained, monkeypatch):
    def refused(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refused)
    with pytest.raises(ValueError, match="Permission denied") as error:
        sweeps.run(plan(), tmp_path / "out", progress=False)
    one_sentence(error)
    assert trained == []


# --- divergence -----------------------------------------------------------------------------------


def test_a_run_that_diverges_is_recorded_and_the_sweep_goes_on(tmp_path):
    wild = Recipe(batch=16, rate=1e6, rate_power=0.0, optimizer="sgd", clip=0.0)
    made = Plan("corners", "linear", (2, 4), (2e5, 4e5), recipe=wild, tokens_per_param=(0, math.inf))
    frame = sweeps.run(made, tmp_path, progress=False)
    assert len(frame) == len(made.runs) == 4
    assert frame["diverged"].all() and frame["loss"].isna().all()
    assert "NaN" not in "".join(path.read_text() for path in (tmp_path / "runs").iterdir()), "plain JSON"
    calm = sweeps.run(replace(made, recipe=replace(wild, rate=0.01)), tmp_path, progress=False)
    assert not calm["diverged"].any() and calm["loss"].notna().all()
    assert sweeps.load(tmp_path)["diverged"].sum() == 4


def test_a_diverged_run_is_not_made_again(tmp_path, trained):
    made = plan(recipe=replace(RECIPE, rate=1e6))
    assert sweeps.run(made, tmp_path, progress=False)["diverged"].all()
    trained.clear()
    assert sweeps.run(made, tmp_path, progress=False)["diverged"].all()
    assert trained == []


# --- processes ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A text file that other processes can read, too."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    words = np.random.default_rng(0).choice(["law ", "loss ", "compute ", "size\n"], 30_000)
    path.write_text("".join(words))
    return path


def real_plan(text) -> Plan:
    return Plan(
        "characters",
        "char_mlp",
        (2, 4, 8),
        (3e7, 6e7),
        recipe=Recipe(batch=64),
        options=(("file", str(text)), ("validation", 512)),
        tokens_per_param=(0, math.inf),
    )


@pytest.fixture(scope="module")
def undisturbed(text, tmp_path_factory):
    """The table of the real plan, made in this process."""
    sweeps.making._trainer.cache_clear()
    return sweeps.run(real_plan(text), tmp_path_factory.mktemp("undisturbed"), progress=False)


def test_two_processes_find_what_one_finds(text, undisturbed, tmp_path):
    told = []
    frame = sweeps.run(real_plan(text), tmp_path, workers=2, progress=lambda done, total: told.append(done / total))
    assert np.allclose(frame["loss"], undisturbed["loss"], rtol=1e-4)
    assert frame["run_id"].tolist() == undisturbed["run_id"].tolist()
    assert told[-1] == pytest.approx(1) and len(told) == len(frame)


def test_a_worker_that_is_killed_ends_the_sweep_in_a_sentence_with_its_runs_kept(text, undisturbed, tmp_path):
    def workers(among):
        return [
            one for one in among if one.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(one.cmdline())
        ]

    def kill_one(done, total):
        for worker in workers(psutil.Process().children(recursive=True))[:1]:
            worker.kill()

    with pytest.raises(SweepStoppedError, match="process") as error:
        sweeps.run(real_plan(text), tmp_path, workers=2, progress=kill_one)
    one_sentence(error)
    kept = len(sweeps.load(tmp_path))
    assert 1 <= kept < len(undisturbed)
    left = psutil.wait_procs(psutil.Process().children(recursive=True), timeout=20)[1]
    assert not workers(left), "the other worker is gone, too"


def test_what_stops_a_sweep_travels_from_a_worker_as_it_was():
    arrived = pickle.loads(pickle.dumps(SweepStoppedError("The disk is full.")))
    assert isinstance(arrived, SweepStoppedError) and str(arrived) == "The disk is full."


_SWEEP = """
import sys
sys.path.insert(0, sys.argv[1])
import test_sweeps
from course import sweeps

def told(done, total):
    print("run", flush=True)

if __name__ == "__main__":
    sweeps.run(test_sweeps.real_plan(sys.argv[2]), sys.argv[3], workers=int(sys.argv[4]), progress=told)
"""


def started(tmp_path, text, workers):
    """A process that sweeps in `tmp_path / "out"`, once it has told of its first run."""
    script = tmp_path / "sweep.py"
    script.write_text(_SWEEP)
    arguments = [script, Path(__file__).parent, text, tmp_path / "out", workers]
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout.readline() == "run\n"
    return process


def test_after_kill_9_the_same_call_gives_the_table_of_an_undisturbed_sweep(text, undisturbed, tmp_path):
    with started(tmp_path, text, 1) as process:
        process.kill()
    kept = len(sweeps.load(tmp_path / "out"))
    assert 1 <= kept < len(undisturbed)
    same(sweeps.run(real_plan(text), tmp_path / "out", progress=False), undisturbed)


def test_kill_9_of_a_sweep_leaves_none_of_its_workers_behind(text, tmp_path):
    with started(tmp_path, text, 2) as process:
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert len(family) >= 2
    assert psutil.wait_procs(family, timeout=30)[1] == []
