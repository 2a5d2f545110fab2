"""The engine on JAX held to the engine on TensorFlow; what is asked of JAX is answered by `jax_runs.py`, in a Python of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import jax_runs
import numpy as np
import pytest
from jax_runs import GIVEN, STEPS

from course.training import Trainer

pytestmark = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
HERE = Path(__file__).parent
CLOSE = 2e-5  # of a loss or a weight: 60 steps of float32 rounding give 1e-6


def in_jax(*command: str, **environment: str) -> str:
    """What a fresh Python with Keras on JAX and two devices prints."""
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        env=os.environ
        | {
            "KERAS_BACKEND": "jax",
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
            "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)]),
        }
        | environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """TensorFlow's runs on given batches: losses and weights by family; and the file of first weights for JAX."""
    file = tmp_path_factory.mktemp("jax") / "given.npz"
    found, first = {}, {}
    for family in GIVEN:
        task, recipe = jax_runs.fixed(family)
        trainer = Trainer(task, family, jax_runs.CONFIGS[family][1], recipe)
        trainer.reset(0)
        first |= {f"{family}{i}": v.numpy() for i, v in enumerate(trainer.model.trainable_variables)}
        loss = trainer.advance(STEPS, STEPS)
        found[family] = loss, trainer.evaluate(), [v.numpy() for v in trainer.model.trainable_variables]
    np.savez(file, **first)
    return file, found


@pytest.fixture(scope="module")
def theirs(ours):
    """The answers of `jax_runs.py`, by question."""
    lines = in_jax(str(HERE / "jax_runs.py"), str(ours[0])).splitlines()
    return {name: value for line in lines for name, value in json.loads(line).items()}


@pytest.mark.parametrize("family", GIVEN)
def test_the_same_weights_and_batches_give_the_same_run_on_both(family, ours, theirs):
    loss, validation, weights = ours[1][family]
    assert theirs[family]["loss"] == pytest.approx(loss, rel=CLOSE)
    assert theirs[family]["validation"] == pytest.approx(validation, rel=CLOSE, abs=CLOSE)
    with np.load(str(ours[0]).replace(".npz", f"-{family}.npz")) as saved:
        for i, weight in enumerate(weights):
            np.testing.assert_allclose(saved[f"arr_{i}"], weight, rtol=0, atol=10 * CLOSE)


def test_losses_are_equal_within_the_noise_of_seeds(theirs):
    """Weights and batches of a seed are each library's own: means over seeds differ by less than 4 standard errors."""
    for family, (*losses, untrained) in jax_runs.noise().items():
        one, (*other, fresh) = np.array(losses), theirs["noise"][family]
        error = np.sqrt((one.var(ddof=1) + np.var(other, ddof=1)) / len(one))
        assert abs(one.mean() - np.mean(other)) < 4 * error, family
        assert np.mean(other) < fresh - 5 * error, f"{family}: the seeds differ so much that nothing was compared"
        assert fresh == pytest.approx(untrained, rel=0.2), family


def test_runs_repeat_branch_and_diverge_as_on_tensorflow(theirs):
    together, alone = theirs["branches"]
    assert together == alone
    assert theirs["compilations"] == 1, "one for every number of steps and seed"
    assert theirs["diverged"]


def test_two_devices_share_each_batch_and_train_as_one_does(theirs):
    assert theirs["devices"] == 2
    loss, validation, apart = theirs["two"]
    assert loss == pytest.approx(theirs["transformer"]["loss"], rel=CLOSE)
    assert validation == pytest.approx(theirs["transformer"]["validation"], rel=CLOSE)
    assert 0 < apart < 10 * CLOSE, "sums over two parts are rounded otherwise than one over all"


def test_bfloat16_trains_nearly_as_well_with_weights_in_float32(theirs):
    validation, kinds, layers = theirs["bfloat16"]
    assert kinds == ["float32", "int32"] and layers == "bfloat16"
    exact = theirs["char_mlp"]["validation"]
    assert validation != exact and validation == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize(
    ("question", "kind", "words"),
    [
        ("asked for TensorFlow", "CannotRunError", "already runs on jax in this process"),
        ("three devices", "ValueError", "sees 2 devices here; got devices=3"),
        ("odd batch", "ValueError", "share a batch evenly; got a batch of 5"),
        ("slices", "ValueError", "JAX's gradients are always dense"),
        ("memory", "OutOfMemoryError", "mlp of size 8 with a batch of 4398046511104: take a smaller size"),
    ],
)
def test_what_cannot_be_is_one_sentence(question, kind, words, theirs):
    found, said = theirs[question]
    assert found == kind and words in said and said.endswith(".") and "\n" not in said


def test_batches_drawn_on_jax_keep_the_contract_of_each_task(theirs):
    drawn = dict(theirs["drawn"])
    assert drawn.pop("zipf") < 0.005, "keys come as often as their law says"
    assert len(drawn) == 8 and all(all(found) for found in drawn.values()), drawn


def test_the_machine_and_a_record_speak_of_jax_and_tensorflow_stays_out(theirs):
    gpus, threads, precision, rate = theirs["machine"]
    assert (gpus, threads, precision, rate) == ([], "all", "float32", True)
    about = theirs["provenance"]
    assert about["backend"] == "jax" and about["jax"] and about["device"] == "CPU" and "tensorflow" not in about
    assert not theirs["TensorFlow imported"]


def test_jax_that_is_missing_or_old_is_one_sentence(monkeypatch):
    from course import machine

    monkeypatch.setattr(machine.metadata, "version", lambda name: "0.4.29")
    assert "JAX 0.4.29 is too old" in machine.jax_problem()
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
    assert "pip install jax" in machine.jax_problem() and machine.jax_problem().endswith(".")
