"""`course sweep`: its arguments, what it shows, its exit status, and Ctrl-C."""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import tiny_tasks

import course.data
from course import sweeps, training
from course.commands import sweep as command

ORDINARY = (
    "--task",
    "letters",
    "--family",
    "char_mlp",
    "--sizes",
    "4,8,16,32",
    "--budgets",
    "1e7:1e8:3",
    "--batch",
    "16",
)


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    """The tiny tasks under their names; records go below an empty folder."""
    tiny_tasks.enter(monkeypatch, letters=tiny_tasks.letters(), corners=tiny_tasks.corners())
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def trained(monkeypatch):
    """Training that takes no time, with an interior optimum at each budget."""
    yield from tiny_tasks.pretend_training(
        monkeypatch, lambda size, steps, seed: 1 + size**-1.0 + 40 * steps**-1.0 + seed / 1000
    )


def parsed(*args):
    parser = argparse.ArgumentParser(prog="course sweep")
    parser.add_argument("--json", action="store_true")
    command.configure(parser)
    return parser.parse_args(args)


def run(capsys, *args):
    """(exit status, stdout, stderr), in this process."""
    status = command.run(parsed("--workers", "1", *args))
    out, err = capsys.readouterr()
    return status, out, err


def one_sentence(error) -> str:
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text, text
    return text


# --- an ordinary sweep ----------------------------------------------------------------------------


def test_a_sweep_shows_its_plan_and_leaves_records_a_table_and_a_figure(capsys, tmp_path, trained):
    status, out, err = run(capsys, *ORDINARY, "--seeds", "2", "--out", "mine")
    assert status == 0
    table = pd.read_csv(tmp_path / "mine" / "runs.csv")
    assert len(table) == len(list((tmp_path / "mine" / "runs").glob("*.json"))) == sum(len(b) for _, _, b in trained)
    assert {"n_params", "tokens", "loss", "flops", "budget", "seed", "diverged"} <= set(table.columns)
    assert "char_mlp on letters, 2 seeds" in out and "Predicted:" in out and f"{len(table)} runs" in out
    assert "N_opt" in out
    assert (tmp_path / "mine" / "isoflop.png").read_bytes().startswith(b"\x89PNG")
    assert "Traceback" not in err and "100%" in err


def test_the_same_command_again_trains_nothing_and_another_seed_only_itself(capsys, tmp_path, trained):
    run(capsys, *ORDINARY, "--out", "mine", "--no-figure")
    before = (tmp_path / "mine" / "runs.csv").read_bytes()
    trained.clear()
    assert run(capsys, *ORDINARY, "--out", "mine", "--no-figure")[0] == 0
    assert trained == [] and (tmp_path / "mine" / "runs.csv").read_bytes() == before
    run(capsys, *ORDINARY, "--out", "mine", "--no-figure", "--seeds", "0,5")
    assert {seed for _, seed, _ in trained} == {5}
    assert set(pd.read_csv(tmp_path / "mine" / "runs.csv")["seed"]) == {0, 5}


def test_without_a_name_the_folder_is_called_after_the_task_and_the_family(capsys, tmp_path):
    run(capsys, *ORDINARY, "--no-figure")
    assert (tmp_path / "sweeps" / "letters-char_mlp" / "runs.csv").exists()


def test_a_dry_run_shows_the_plan_and_writes_nothing(capsys, tmp_path, trained):
    status, out, _ = run(capsys, *ORDINARY, "--dry-run")
    assert status == 0 and "Predicted:" in out and list(tmp_path.iterdir()) == [] and trained == []
    sizes = [int(line.split()[0]) for line in out.splitlines() if "|" in line and line.split()[0].isdigit()]
    assert sizes == [4, 8, 16, 32]


def test_a_dry_run_prices_the_plan_on_gpus_with_what_it_assumes(capsys):
    def costs(*args):
        return {
            row["device"]: row for row in json.loads(run(capsys, *ORDINARY, "--json", "--dry-run", *args)[1])["costs"]
        }

    plain, better = costs(), costs("--utilisation", "0.5", "--watts", "36")
    assert list(plain) == ["this machine", "T4", "A100", "H100"]
    assert plain["this machine"]["kwh"] is None and better["this machine"]["kwh"] > 0
    flops = sweeps.cost(command._plan(parsed(*ORDINARY)), rate=1e10).flops
    steps = sweeps.cost(command._plan(parsed(*ORDINARY)), rate=1e10).steps
    for name, peak, watts in (("T4", 8.1e12, 70), ("A100", 156e12, 400), ("H100", 494.7e12, 700)):
        row = plain[name]
        seconds = flops / (0.1 * peak) + steps * row["seconds_per_step"]
        assert row["utilisation"] == 0.1 and row["flops"] == pytest.approx(flops)
        assert row["hours"] == pytest.approx(seconds / 3600) and row["kwh"] == pytest.approx(watts * seconds / 3.6e6)
        assert better[name]["hours"] < row["hours"]
    text = run(capsys, *ORDINARY, "--dry-run")[1]
    assert "10 % of its tf32 peak" in text and "Assumed, not measured" in text and "energy, Wh" in text


def test_bfloat16_is_priced_at_the_rate_of_a_device_that_has_it():
    from dataclasses import replace

    from course.commands import sweep_costs

    plan = command._plan(parsed(*ORDINARY))
    plan = replace(plan, recipe=replace(plan.recipe, precision="bfloat16"))
    formats = {row.device: row.dtype for row in sweep_costs.estimates(plan, sweeps.cost(plan, rate=1e10))}
    assert formats == {"this machine": "float32", "T4": "float32", "A100": "bfloat16", "H100": "bfloat16"}


def test_runs_that_do_not_fit_the_device_are_counted_and_the_command_ends_well(capsys, monkeypatch):
    branches = training.train_branches

    def short_of_memory(trainer, budgets, seed=0):
        if trainer.size == 32:
            raise training.OutOfMemoryError("It does not fit.")
        yield from branches(trainer, budgets, seed)

    monkeypatch.setattr(training, "train_branches", short_of_memory)
    status, out, _ = run(capsys, *ORDINARY, "--out", "mine")
    assert status == 0 and "did not fit into the device's memory" in out and "of them diverged" not in out
    told = json.loads(run(capsys, *ORDINARY, "--out", "mine", "--json")[1])
    assert told["out_of_memory"] > 0 == told["diverged"]


def test_where_the_runs_are_made_goes_to_the_sweep(monkeypatch):
    plan = command._plan(parsed(*ORDINARY))
    monkeypatch.setattr("course.machine.gpus", lambda: [])
    monkeypatch.setattr(sweeps, "default_workers", lambda bytes_each: 7)
    asked = {"executor": "auto", "address": None, "device": None, "backend": None}
    assert command._settings(parsed(*ORDINARY), plan) == asked | {"workers": 7}
    assert command._settings(parsed(*ORDINARY, "--executor", "process"), plan)["workers"] == 1
    on_ray = command._settings(parsed(*ORDINARY, "--address", "h:1", "--device", "gpu", "--backend", "jax"), plan)
    assert on_ray == {"executor": "auto", "address": "h:1", "device": "gpu", "backend": "jax", "workers": None}
    monkeypatch.setattr("course.machine.gpus", lambda: ["Tesla T4"])
    assert command._settings(parsed(*ORDINARY), plan)["workers"] == 1, "two processes would share one GPU"


def test_json_is_all_that_is_printed(capsys, tmp_path):
    status, out, err = run(capsys, *ORDINARY, "--json", "--out", "mine")
    told = json.loads(out)
    assert status == 0 and err == ""
    assert set(told) == {"out", "runs", "diverged", "out_of_memory", "table", "figure"}
    assert told["runs"] == len(pd.read_csv(told["table"])) and told["diverged"] == 0
    rows = json.loads(run(capsys, *ORDINARY, "--json", "--dry-run")[1])["runs"]
    assert {row["run_id"] for row in rows} == {path.stem for path in (tmp_path / "mine" / "runs").iterdir()}


def test_the_list_names_presets_families_and_tasks(capsys):
    from course.models import FAMILIES

    status, out, _ = run(capsys, "--list")
    assert status == 0
    assert all(name in out for name in [*sweeps.PRESETS, *FAMILIES, *course.data.TASKS])


def test_the_arguments_become_the_plan():
    plan = command._plan(
        parsed(
            *ORDINARY, "--rate", "0.02", "--batch", "64", "--schedule", "cosine", "--seeds", "1,3", "--option", "d=4"
        )
    )
    assert (plan.recipe.rate, plan.recipe.batch, plan.recipe.schedule) == (0.02, 64, "cosine")
    assert plan.seeds == (1, 3) and plan.options == (("d", 4),)
    assert plan.budgets == sweeps.isoflop_budgets(1e7, 1e8, 3)
    assert command._plan(parsed(*ORDINARY, "--seeds", "3")).seeds == (0, 1, 2)


def test_a_preset_takes_changes():
    plan = command._plan(parsed("characters-quick", "--sizes", "16,32", "--rate", "0.003", "--seeds", "2"))
    ordinary = sweeps.preset("characters-quick")
    assert (plan.sizes, plan.seeds, plan.recipe.rate) == ((16, 32), (0, 1), 0.003)
    assert (plan.task, plan.budgets, plan.recipe.batch) == (ordinary.task, ordinary.budgets, ordinary.recipe.batch)


def test_equal_steps_and_several_rates_by_option(capsys, tmp_path, trained):
    args = ("--task", "letters", "--family", "char_mlp", "--sizes", "4,8", "--steps", "200", "--rates", "0.01,0.02")
    status, out, _ = run(capsys, *args, "--out", str(tmp_path / "o"))
    frame = sweeps.load(tmp_path / "o")
    assert status == 0 and len(frame) == 4 and set(frame["steps"]) == {200}
    assert frame.groupby("size")["learning_rate"].nunique().eq(2).all()
    assert "N_opt" not in out and not (tmp_path / "o" / "isoflop.png").exists()


# --- what can go wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("characters-quik",), "no preset 'characters-quik'.*characters-quick"),
        ((), "missing: --task, --family, --sizes, --budgets"),
        (("--task", "letters"), "missing: --family, --sizes, --budgets"),
        (("characters-quick", "--task", "bytes"), "not both"),
        (("characters-quick", "--family", "mlp"), "not both"),
        ((*ORDINARY, "--task", "leters"), "no task 'leters'.*characters"),
        ((*ORDINARY, "--family", "cnn"), "no family 'cnn'.*char_mlp"),
        ((*ORDINARY, "--family", "transformer"), "'transformer' does not fit"),
        ((*ORDINARY, "--sizes", "a,b"), "--sizes is a list of numbers such as 8,16,32; got 'a,b'"),
        ((*ORDINARY, "--sizes", "8;16"), "--sizes is a list"),
        ((*ORDINARY, "--sizes", "8.5"), "--sizes is a list"),
        ((*ORDINARY, "--sizes", ","), "at least one of its sizes"),
        ((*ORDINARY, "--sizes", "0,8"), "size must be a whole number"),
        ((*ORDINARY, "--sizes=-8,8"), "size must be a whole number"),
        ((*ORDINARY, "--steps", "100"), "budgets or steps, not both"),
        ((*ORDINARY, "--rates", "0"), "rate must be a positive number"),
        ((*ORDINARY, "--budgets", "0"), "budget .training FLOPs. must be a positive number; got 0.0"),
        ((*ORDINARY, "--budgets=-1e9,1e9"), "must be a positive number; got -1"),
        ((*ORDINARY, "--budgets", "nan"), "must be a positive number"),
        ((*ORDINARY, "--budgets", "inf"), "must be a positive number"),
        ((*ORDINARY, "--budgets", "many"), "--budgets is a list of numbers such as 1e10,1e11; got 'many'"),
        ((*ORDINARY, "--budgets", "1e7:1e9"), "--budgets"),
        ((*ORDINARY, "--budgets", "1e7:1e9:0"), "LOWEST:HIGHEST:NUMBER"),
        ((*ORDINARY, "--budgets", "1e7:1e9:2.5"), "LOWEST:HIGHEST:NUMBER"),
        ((*ORDINARY, "--budgets", "0:1e9:3"), "LOWEST:HIGHEST:NUMBER"),
        ((*ORDINARY, "--budgets", "1"), "choose budgets from"),
        ((*ORDINARY, "--budgets", "1e15"), "choose budgets from"),
        ((*ORDINARY, "--seeds", "x"), "--seeds is a list of numbers"),
        ((*ORDINARY, "--seeds", "0"), "at least one of its seeds"),
        ((*ORDINARY, "--seeds=-1"), "seeds"),
        ((*ORDINARY, "--seeds", "0,-1"), "seed must be a whole number"),
        ((*ORDINARY, "--rate", "0"), "rate must be a positive number"),
        ((*ORDINARY, "--rate", "nan"), "rate must be a positive number"),
        ((*ORDINARY, "--batch", "0"), "batch must be a whole number"),
        ((*ORDINARY, "--workers", "0"), "--workers is a number of processes, 1 or more; got 0"),
        ((*ORDINARY, "--workers", "-2"), "--workers is a number of processes"),
        ((*ORDINARY, "--dry-run", "--utilisation", "0"), "Utilisation is a share of the peak"),
        ((*ORDINARY, "--dry-run", "--utilisation", "1.5"), "Utilisation is a share of the peak"),
        ((*ORDINARY, "--dry-run", "--watts", "-3"), "watts must be a positive number"),
        ((*ORDINARY, "--executor", "processes", "--address", "h:1"), "An address is that of a Ray cluster"),
        ((*ORDINARY, "--address", "h"), "--address is HOST:PORT"),
        ((*ORDINARY, "--option", "d"), "--option is NAME=VALUE such as d=4; got 'd'"),
        ((*ORDINARY, "--option", "=4"), "--option is NAME=VALUE"),
        (("characters-quick", "--option", "colour=red"), "no option 'colour'"),
        (("characters-quick", "--file", "nowhere.txt"), "'nowhere.txt' cannot be read"),
        ((*ORDINARY, "--out", "a-file"), "'a-file' cannot be written"),
        ((*ORDINARY, "--out", "a-file/below"), "'a-file/below' cannot be written"),
    ],
)
def test_bad_input_is_one_sentence_and_trains_nothing(tmp_path, trained, args, words):
    (tmp_path / "a-file").write_text("x")
    with pytest.raises(ValueError, match=words) as error:
        command.run(parsed(*args) if {"--workers", "--address"} & set(args) else parsed(*args, "--workers", "1"))
    one_sentence(error)
    assert trained == [] and (tmp_path / "a-file").read_text() == "x"


@pytest.mark.parametrize("args", [("--rate", "fast"), ("--workers", "two"), ("--schedule", "linear"), ("--sizse", "8")])
def test_a_wrong_call_ends_with_2(capsys, args):
    with pytest.raises(SystemExit) as stop:
        parsed(*ORDINARY, *args)
    assert stop.value.code == 2 and args[-2 if args[0] != "--sizse" else 0] in capsys.readouterr().err


def test_runs_that_diverge_are_counted_and_the_command_ends_well(capsys, tmp_path):
    status, out, _ = run(capsys, *ORDINARY, "--rate", "1e6", "--out", "wild")
    assert status == 0 and "diverged" in out and "Traceback" not in out
    table = pd.read_csv(tmp_path / "wild" / "runs.csv")
    assert table["diverged"].all() and table["loss"].isna().all()


def test_one_budget_or_one_size_makes_no_law_but_a_sweep_and_its_figure(capsys, tmp_path):
    for change in (("--budgets", "1e7"), ("--sizes", "8")):
        status, out, _ = run(capsys, *ORDINARY, *change, "--out", f"few{change[0]}")
        assert status == 0 and "runs in" in out and "budget" in out and "N_opt" not in out
        assert (tmp_path / f"few{change[0]}" / "isoflop.png").stat().st_size > 5000


def test_foreign_files_are_named(capsys, tmp_path):
    (tmp_path / "mine" / "runs").mkdir(parents=True)
    (tmp_path / "mine" / "runs" / "notes.json").write_text("[]")
    status, out, _ = run(capsys, *ORDINARY, "--out", "mine", "--no-figure")
    assert status == 0 and "notes.json" in out
    assert (tmp_path / "mine" / "runs" / "notes.json").read_text() == "[]"


def test_ctrl_c_is_one_sentence_with_what_is_kept(capsys, tmp_path, monkeypatch, trained):
    make, made = sweeps.making.make, []

    def interrupted(unit):
        for record in make(unit):
            made.append(record)
            yield record
            if len(made) == 2:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sweeps.making, "make", interrupted)
        status, _, err = run(capsys, *ORDINARY, "--out", "mine", "--json")
    assert status == 130
    assert err.strip() == "course: stopped; 2 finished runs are kept in mine. The same command goes on from there."
    trained.clear()
    status, out, _ = run(capsys, *ORDINARY, "--out", "mine", "--json")
    assert status == 0 and sum(len(budgets) for _, _, budgets in trained) == json.loads(out)["runs"] - 2


def test_ctrl_c_that_a_library_makes_an_error_of_is_still_that_sentence(capsys, tmp_path, monkeypatch, trained):
    """NumPy does so where Ctrl-C comes while it reads a tensor."""
    make = sweeps.making.make

    def interrupted(unit):
        yield from make(unit)
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise SystemError("returned a result with an exception set") from None

    monkeypatch.setattr(sweeps.making, "make", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        status, _, err = run(capsys, *ORDINARY, "--out", "mine", "--json")
    finally:
        signal.signal(signal.SIGINT, before)
    assert status == 130 and err.count("\n") == 2 and "are kept in mine" in err, err


def test_a_table_that_cannot_be_written_is_one_sentence_and_the_runs_are_kept(capsys, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(ValueError, match="No space left on device") as error:
        run(capsys, *ORDINARY, "--out", "mine")
    one_sentence(error)
    assert len(sweeps.load(tmp_path / "mine")) > 0


# --- the command itself, in a process of its own --------------------------------------------------


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("".join(np.random.default_rng(0).choice(["law ", "loss ", "compute ", "size\n"], 30_000)))
    return path


def real(text, out, workers, budgets):
    """Arguments of a sweep of two small sizes."""
    return [
        *("--task", "characters", "--file", str(text), "--option", "validation=512", "--family", "char_mlp"),
        *("--sizes", "32,48", "--budgets", budgets, "--batch", "32"),
        *("--out", str(out), "--workers", str(workers), "--no-figure"),
    ]


def started(args):
    """The command in a process group of its own, as a terminal starts it.

    Tests that run in the background may have been told to ignore Ctrl-C, and a child inherits that.
    """
    command_line = [sys.executable, "-m", "course", "sweep", *args]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(command_line, **pipes, text=True, start_new_session=True)
    finally:
        signal.signal(signal.SIGINT, before)


def interrupt_when(process, condition):
    """Ctrl-C as a terminal sends it, to every process of the command, once the condition holds."""
    for _ in range(6000):
        if condition() or process.poll() is not None:
            break
        time.sleep(0.02)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    return process.communicate(timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent to a process group")
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_in_the_terminal_ends_with_one_sentence_and_the_same_command_goes_on(
    text, tmp_path, capsys, trained, workers
):
    out = tmp_path / "out"
    args = real(text, out, workers, "1e9,3e11")
    process = started(args)
    _, err = interrupt_when(process, lambda: any(out.glob("runs/*.json")))
    assert process.returncode == 130, err
    kept = {path.name: path.read_bytes() for path in (out / "runs").iterdir()}
    assert kept and all(name.endswith(".json") for name in kept)
    said = [line for line in err.replace("\r", "\n").splitlines() if line.strip() and "FLOP" not in line]
    counted = "1 finished run is" if len(kept) == 1 else f"{len(kept)} finished runs are"
    assert said == [f"course: stopped; {counted} kept in {out}. The same command goes on from there."]
    told = json.loads(run(capsys, *args, "--workers", "1", "--json")[1])
    assert told["runs"] == 4 and sum(len(budgets) for _, _, budgets in trained) == 4 - len(kept)
    assert {name: (out / "runs" / name).read_bytes() for name in kept} == kept


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent to a process group")
def test_ctrl_c_while_the_workers_start_shows_no_traceback(text, tmp_path):
    process = started(real(text, tmp_path / "out", 2, "1e9"))
    _, err = interrupt_when(process, lambda: (tmp_path / "out" / "runs").exists())
    assert process.returncode == 130 and "Traceback" not in err, err
    assert "stopped; 0 finished runs are kept" in err
