"""What `test_jax.py` asks of the engine on JAX, in a Python of its own, which sees two devices: `python jax_runs.py GIVEN.npz`.

Prints one JSON object a line: the name of a question and its answer.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace

import numpy as np
import tiny_tasks

from course.data import TASKS, Task, task
from course.data.synthetic_tasks import zipf_probabilities
from course.data.task import pick
from course.machine import CannotRunError, gpus, import_backend, matrix_product_rate, threads
from course.sweeps.records import provenance
from course.training import Recipe, Trainer, best_precision, train, train_branches

RECIPE = Recipe(batch=16, warmup=5)
STEPS, SEEDS = 60, 6
CONFIGS = {  # task, size, recipe
    "char_mlp": (tiny_tasks.letters(), 8, RECIPE),
    "transformer": (tiny_tasks.sequences(), 8, replace(RECIPE, batch=4)),
    "mlp": (tiny_tasks.corners(), 8, replace(RECIPE, schedule="cosine")),
    "conv": (tiny_tasks.pictures(), 4, replace(RECIPE, optimizer="adamw", rate=0.002)),
    "linear": (tiny_tasks.corners(), 4, replace(RECIPE, optimizer="sgd", schedule="constant", rate=0.003)),
}
GIVEN = ("char_mlp", "transformer")
"""Families that are trained on the same batches from the same weights on both libraries."""

SMALL = {
    "mnist1d": {"samples": 300, "validation": 200},
    "smooth": {"features": 20, "validation": 500},
    "fashion-mnist": None,  # downloaded
}


def fixed(family: str) -> tuple[Task, Recipe]:
    """The task of a family with batches drawn once by NumPy, the same on every library, and its recipe."""
    of, _, recipe = CONFIGS[family]
    rng = np.random.default_rng(5)
    starts = rng.integers(0, 2900, (STEPS, recipe.batch, 1))
    windows = of.train["text"][starts + np.arange(of.inputs[0] + 1)].astype(np.int32)
    x, y = windows[..., :-1], windows[..., 1:] if of.tokens_per_sample > 1 else windows[..., -1]

    def draw(train, seed, batch):
        return pick(train["x"], seed[1]), pick(train["y"], seed[1])

    return replace(of, train={"x": x, "y": y}, draw=draw), recipe


def noise(**how) -> dict[str, list[float]]:
    """Validation loss of each family from each seed, and of the untrained model last."""
    found = {}
    for family, (of, size, recipe) in CONFIGS.items():
        trainer = Trainer(of, family, size, recipe, **how)
        found[family] = [train(trainer, STEPS, seed).loss for seed in range(SEEDS)] + [trainer.untrained]
    return found


def given(family: str, weights: list[np.ndarray], steps: int = STEPS, devices: int = 1, **changes):
    """Trained from these weights: the trainer, the mean loss on the way, the validation loss, and the weights at the end."""
    of, recipe = fixed(family)
    trainer = Trainer(of, family, CONFIGS[family][1], replace(recipe, **changes), devices=devices)
    fresh = trainer.snapshot()[2]
    trainer.restore((0, True, [*weights, *fresh[len(weights) :]]))
    loss = trainer.advance(steps, STEPS)
    ended = [np.asarray(v) for v in trainer.model.trainable_variables]
    return trainer, loss, trainer.evaluate(), ended


def said(action) -> list[str]:
    """The kind of error that an action ends with, and its words."""
    try:
        action()
    except (CannotRunError, ValueError) as error:
        return [type(error).__name__, str(error)]
    return ["", ""]


def drawn() -> dict[str, list]:
    """A batch of each task, as the contract of a task has it: shapes, types, ranges, and whether seeds repeat."""
    import jax

    found = {}
    for name in TASKS:
        options = SMALL.get(name, {})
        if options is None:
            continue
        of = task(name, **options)
        draw = jax.jit(lambda arrays, seed, of=of: of.draw(arrays, seed, 64))
        x, y = draw(of.train, np.array([3, 5], np.int32))
        again, other = (draw(of.train, np.array(seed, np.int32))[0] for seed in ((3, 5), (3, 6)))
        whole = (of.tokens_per_sample > 1 and x.shape) or (64,)
        found[name] = [
            x.shape == (64, *of.inputs) and y.shape == whole,
            [str(x.dtype), str(y.dtype)] == [*("int32" if t else "float32" for t in (of.vocabulary, of.outputs > 1))],
            of.outputs == 1 or bool(y.min() >= 0 and y.max() < of.outputs),
            bool((x == again).all()) and not bool((x == other).all()),
        ]
    keys = task("zipf-keys", keys=50, noise=0.0)
    x, _ = jax.jit(lambda arrays, seed: keys.draw(arrays, seed, 200_000))(keys.train, np.array([1, 2], np.int32))
    seen = (np.asarray(x[:, :1]) == keys.train["codes"][:, 0]).mean(0)
    found["zipf"] = float(np.abs(seen - zipf_probabilities(50, 0.5)).max())
    return found


def main(file: str) -> None:
    def answer(name: str, value: object) -> None:
        print(json.dumps({name: value}), flush=True)

    with np.load(file) as saved:
        weights = {
            family: [saved[f"{family}{i}"] for i in range(sum(n.startswith(family) for n in saved))] for family in GIVEN
        }
    of, size, recipe = CONFIGS["char_mlp"]
    import_backend()
    answer("asked for TensorFlow", said(lambda: Trainer(of, "char_mlp", size, recipe, backend="tensorflow")))
    answer("noise", noise())
    ended = {}
    for family in GIVEN:
        trainer, loss, validation, ended[family] = given(family, weights[family])
        answer(family, {"loss": loss, "validation": validation})
        np.savez(file.replace(".npz", f"-{family}.npz"), *ended[family])
    # the same run to the last bit, alone, in branches and in pieces; one compilation
    trainer = Trainer(of, "char_mlp", size, recipe)
    together = [outcome.loss for outcome in train_branches(trainer, [10, 31, 60], 3)]
    trainer._slice = 7
    answer("branches", [together, [train(trainer, steps, 3).loss for steps in (10, 31, 60)]])
    answer("compilations", trainer.engine._advance._cache_size())
    wild = Trainer(of, "char_mlp", size, replace(recipe, rate=1e20, clip=0.0, optimizer="sgd"))
    answer("diverged", math.isnan(train(wild, 300).loss))
    # two devices
    trainer, loss, validation, two = given("transformer", weights["transformer"], devices=2)
    answer("devices", len(trainer.model.trainable_variables[0].value.sharding.device_set))
    answer(
        "two",
        [loss, validation, max(float(np.abs(a - b).max()) for a, b in zip(ended["transformer"], two, strict=True))],
    )
    answer("three devices", said(lambda: Trainer(of, "char_mlp", size, recipe, devices=3)))
    answer("odd batch", said(lambda: Trainer(of, "char_mlp", size, replace(recipe, batch=5), devices=2)))
    answer("slices", said(lambda: Trainer(of, "char_mlp", size, replace(recipe, dense_gradients=False))))
    # precision
    trainer, _, validation, _ = given("char_mlp", weights["char_mlp"], precision="bfloat16")
    kinds = {str(v.dtype) for v in [*trainer.model.trainable_variables, *trainer.optimizer.variables]}
    answer("bfloat16", [validation, sorted(kinds), trainer.model.get_layer("hidden_0").compute_dtype])
    # memory
    huge = Trainer(tiny_tasks.corners(), "mlp", 8, replace(RECIPE, batch=2**42))
    answer("memory", said(lambda: huge.advance(1, 10)))
    answer("drawn", drawn())
    answer("machine", [gpus(), threads(), best_precision(), matrix_product_rate(64, 0.01).median > 0])
    answer("provenance", provenance())
    answer("TensorFlow imported", "tensorflow" in sys.modules)


if __name__ == "__main__":
    main(sys.argv[1])
