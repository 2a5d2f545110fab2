"""Other ways to train the same model, which the course's engine is compared with and held to.

Every engine trains the same network on the same task with the same batch, Adam and gradient clipping:

| name        | what it is                                                                              |
|-------------|-----------------------------------------------------------------------------------------|
| `course`    | `course.training.Trainer`                                                               |
| `course-jax` | the same on its JAX backend                                                            |
| `eager`     | a GradientTape loop as the article writes it: no tf.function, the loss fetched each step |
| `fit`       | Keras' `compile` and `fit` as they come, the data in memory                             |
| `jax`       | the same Keras model on JAX: `lax.scan` over steps, batches gathered in the graph       |
| `jax-plain` | the same network written in `jax.numpy`, Adam by hand, the same scan                    |
| `torch`     | the same network in `torch.nn`, eager, with the fused Adam and attention                |
| `torch-compile` | that network and its loss through `torch.compile`; for the GPU                      |

An engine lives in a process of its own (`Worker`), because a process has one Keras backend and one set
of threads: `python tests/engines.py NAME` reads requests from standard input, one JSON object a line.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["BACKENDS", "FAMILIES", "Worker", "absent", "fixed_batches", "recipe_of", "task_of"]

BACKENDS = {
    "course": "tensorflow",
    "course-jax": "jax",
    "eager": "tensorflow",
    "fit": "tensorflow",
    "jax": "jax",
    "jax-plain": "jax",
    "torch": "torch",
}
ON_A_GPU = {**BACKENDS, "torch-compile": "torch"}
"""The library that each engine needs."""

FAMILIES = {"char_mlp": "characters", "transformer": "bytes"}
"""The families that every engine knows, with their tasks."""

TOKENS = 512  # predictions a step, everywhere


def absent(engine: str) -> bool:
    """Whether the library of this engine is not installed."""
    return importlib.util.find_spec(ON_A_GPU[engine]) is None


def task_of(family: str) -> Any:
    """The text task of a family."""
    from course.data import task

    return task(FAMILIES[family])


def recipe_of(task: Any, **changes: Any) -> Any:
    """512 predictions a step, Adam, clipping at 1."""
    from course.training import Recipe

    return Recipe(**{"batch": TOKENS // task.tokens_per_sample, "rate": 0.003, "rate_power": 0.0, **changes})


def fixed_batches(task: Any, batch: int, steps: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Batches drawn once with NumPy: x of shape (steps, batch, length), y to match, both int32."""
    length = task.inputs[0]
    text = task.train["text"]
    starts = np.random.default_rng(seed).integers(0, len(text) - length, (steps, batch, 1))
    windows = text[starts + np.arange(length + 1)].astype(np.int32)
    return windows[..., :-1], windows[..., -1] if task.tokens_per_sample == 1 else windows[..., 1:]


# --- TensorFlow -----------------------------------------------------------------------------------


class Course:
    """The course's own engine."""

    def __init__(self, family: str, size: int, **changes: Any) -> None:
        from course.training import Trainer

        task = task_of(family)
        self.trainer = Trainer(task, family, size, recipe_of(task, **changes))

    def run(self, steps: int) -> None:
        mean = self.trainer.advance(self.trainer.step + steps, 1_000_000)
        if not np.isfinite(mean):
            raise RuntimeError("The run diverged, so that its time says nothing.")


class Eager:
    """The article's loop: draw in NumPy, tape, gradient, apply, fetch the loss."""

    def __init__(self, family: str, size: int) -> None:
        from course.machine import import_tensorflow

        self.tf = import_tensorflow()
        self.task = task_of(family)
        self.recipe = recipe_of(self.task)
        self.model, self.optimizer = _keras(family, size, self.task, self.recipe)
        self.drawn = 0

    def batch(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        self.drawn += 1
        return fixed_batches(self.task, self.recipe.batch, steps, self.drawn)

    def run(self, steps: int) -> None:
        tf, model, history = self.tf, self.model, []
        for _ in range(steps):
            x, y = self.batch(1)
            with tf.GradientTape() as tape:
                logits = model(x[0])
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y[0], logits=logits))
            gradients = tape.gradient(loss, model.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            history.append(loss.numpy())


class Fit(Eager):
    """Keras' own loop, with its defaults."""

    def __init__(self, family: str, size: int) -> None:
        super().__init__(family, size)
        import keras

        self.model.compile(optimizer=self.optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        self.x = self.y = np.empty(0)

    def run(self, steps: int) -> None:
        samples = steps * self.recipe.batch
        if len(self.x) < samples:  # drawn once, by the call that is not timed
            x, y = self.batch(steps)
            self.x, self.y = x.reshape(samples, *x.shape[2:]), y.reshape(samples, *y.shape[2:])
        self.model.fit(self.x[:samples], self.y[:samples], batch_size=self.recipe.batch, epochs=1, verbose=0)


def _keras(family: str, size: int, task: Any, recipe: Any) -> tuple[Any, Any]:
    """The course's Keras model and Adam, on the backend of this process."""
    import keras

    from course import models

    model = models.build(family, size, task, 0)
    optimizer = keras.optimizers.Adam(
        recipe.rate, beta_2=recipe.beta_2, epsilon=recipe.epsilon, global_clipnorm=recipe.clip or None
    )
    optimizer.build(model.trainable_variables)
    return model, optimizer


# --- JAX ------------------------------------------------------------------------------------------


class Jax:
    """The course's Keras model in a compiled `lax.scan`, by Keras' stateless interface."""

    def __init__(self, family: str, size: int, **changes: Any) -> None:
        import jax

        self.jax, self.np = jax, jax.numpy
        self.task = task_of(family)
        self.recipe = recipe_of(self.task, **changes)
        self.text = self.np.asarray(self.task.train["text"])
        self.state, self.rate_at = self.start(family, size)
        self.scans: dict[int, Any] = {}
        self.done = 0

    def start(self, family: str, size: int) -> tuple[Any, Any]:
        """The state before the first step, as a tree of arrays."""
        self.model, self.optimizer = _keras(family, size, self.task, self.recipe)
        weights = [v.value for v in self.model.trainable_variables]
        slots = [v.value for v in self.optimizer.variables]
        rate_at = [v is self.optimizer._learning_rate for v in self.optimizer.variables].index(True)
        return (weights, slots), rate_at

    def load(self, weights: list[np.ndarray]) -> None:
        self.state = ([self.np.asarray(w) for w in weights], self.state[1])

    def logits(self, weights: Any, x: Any) -> Any:
        return self.model.stateless_call(weights, [], x, training=True)[0]

    def update(self, gradients: Any, weights: Any, slots: Any, rate: Any) -> tuple[Any, Any]:
        slots = [*slots[: self.rate_at], rate, *slots[self.rate_at + 1 :]]
        return self.optimizer.stateless_apply(slots, gradients, weights)

    def step(self, state: Any, x: Any, y: Any, rate: Any) -> tuple[Any, Any]:
        weights, slots = state

        def loss(weights: Any) -> Any:
            logits = self.logits(weights, x)
            chosen = self.np.take_along_axis(logits, y[..., None], -1)[..., 0]
            return self.np.mean(self.jax.nn.logsumexp(logits, -1) - chosen)

        value, gradients = self.jax.value_and_grad(loss)(weights)
        return self.update(gradients, weights, slots, rate), value

    def scan(self, steps: int) -> Any:
        """The compiled loop of so many steps, made once."""
        if steps not in self.scans:
            length, batch = self.task.inputs[0], self.recipe.batch
            key, rate = self.jax.random.key(0), self.np.float32(self.recipe.rate)

            def one(state: Any, now: Any) -> Any:
                starts = self.jax.random.randint(
                    self.jax.random.fold_in(key, now), (batch, 1), 0, len(self.text) - length
                )
                windows = self.text[starts + self.np.arange(length + 1)].astype(self.np.int32)
                y = windows[:, -1] if self.task.tokens_per_sample == 1 else windows[:, 1:]
                return self.step(state, windows[:, :-1], y, rate)

            self.scans[steps] = self.jax.jit(
                lambda state, first: self.jax.lax.scan(one, state, first + self.np.arange(steps)), donate_argnums=0
            )
        return self.scans[steps]

    def run(self, steps: int) -> None:
        self.state, values = self.scan(steps)(self.state, self.done)
        self.done += steps
        values.block_until_ready()

    def losses(self, x: np.ndarray, y: np.ndarray, rates: np.ndarray) -> list[float]:
        """Loss of each given batch, before the step that it makes."""

        def one(state: Any, given: Any) -> Any:
            return self.step(state, *given)

        given = tuple(map(self.np.asarray, (x, y, rates)))
        return np.asarray(self.jax.jit(lambda s: self.jax.lax.scan(one, s, given))(self.state)[1]).tolist()


class JaxPlain(Jax):
    """The same network and Adam without Keras."""

    def start(self, family: str, size: int) -> tuple[Any, Any]:
        from course import models

        # The layers in the order of their weights; the numbers do not matter for a time.
        self.shape = models.shape(family, size, self.task)
        model = models.build(family, size, self.task, 0)
        weights = [self.np.asarray(v.numpy()) for v in model.trainable_variables]
        zeros = [self.np.zeros_like(w) for w in weights]
        return (weights, (self.np.float32(0), zeros, list(map(self.np.zeros_like, weights)))), 0

    def logits(self, weights: Any, x: Any) -> Any:
        jax, jnp, shape = self.jax, self.np, self.shape
        if not hasattr(shape, "heads"):
            embedding, hidden, hidden_bias, head, head_bias = weights
            joined = embedding[x].reshape(len(x), -1)
            return jax.nn.relu(joined @ hidden + hidden_bias) @ head + head_bias

        def normal(x: Any, gain: Any) -> Any:
            x = x - jnp.mean(x, -1, keepdims=True)
            return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-5) * gain

        weights = iter(weights)
        length, heads, bias = shape.length, shape.heads, alibi(shape)
        x = next(weights)[x]
        for _ in range(shape.layers):
            parts = jnp.split(normal(x, next(weights)) @ next(weights), 3, -1)
            q, k, v = (part.reshape(-1, length, heads, shape.d_model // heads) for part in parts)
            scores = jnp.einsum("bqhd,bkhd->bhqk", q * q.shape[-1] ** -0.5, k) + bias
            mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v).reshape(x.shape)
            x = x + mixed @ next(weights)
            x = x + jax.nn.relu(normal(x, next(weights)) @ next(weights)) @ next(weights)
        return normal(x, next(weights)) @ next(weights)

    def update(self, gradients: Any, weights: Any, slots: Any, rate: Any) -> tuple[Any, Any]:
        jnp, recipe = self.np, self.recipe
        done, first, second = slots
        done = done + 1
        if recipe.clip:
            norm = jnp.sqrt(sum(jnp.sum(g * g) for g in gradients))
            gradients = [g * (recipe.clip / jnp.maximum(norm, recipe.clip)) for g in gradients]
        first = [m + (g - m) * (1 - 0.9) for m, g in zip(first, gradients, strict=True)]
        second = [v + (g * g - v) * (1 - recipe.beta_2) for v, g in zip(second, gradients, strict=True)]
        rate = rate * jnp.sqrt(1 - recipe.beta_2**done) / (1 - 0.9**done)
        moved = zip(weights, first, second, strict=True)
        return [w - rate * m / (jnp.sqrt(v) + recipe.epsilon) for w, m, v in moved], (done, first, second)


def alibi(shape: Any) -> np.ndarray:
    """What ALiBi adds to the scores, -1e9 in the future: shape (heads, query, key), float32."""
    from course.models import alibi_slopes

    distance = np.arange(shape.length)[:, None] - np.arange(shape.length)
    bias = -np.array(alibi_slopes(shape.heads))[:, None, None] * distance
    return np.where(distance >= 0, bias, -1e9).astype(np.float32)


# --- PyTorch --------------------------------------------------------------------------------------


def _torch_model(shape: Any) -> Any:
    """The network of a shape as a torch.nn.Module."""
    import torch
    from torch import nn
    from torch.nn import functional

    class CharMLP(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(shape.vocabulary, shape.embedding)
            self.hidden = nn.Linear(shape.window * shape.embedding, shape.width)
            self.head = nn.Linear(shape.width, shape.outputs)

        def forward(self, x: Any) -> Any:
            return self.head(functional.relu(self.hidden(self.embedding(x).flatten(1))))

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            d, d_ff = shape.d_model, shape.d_ff
            self.norm_attention = nn.LayerNorm(d, bias=False)
            self.qkv = nn.Linear(d, 3 * d, bias=False)
            self.out = nn.Linear(d, d, bias=False)
            self.norm_feed_forward = nn.LayerNorm(d, bias=False)
            self.up = nn.Linear(d, d_ff, bias=False)
            self.down = nn.Linear(d_ff, d, bias=False)

        def forward(self, x: Any, bias: Any) -> Any:
            batch, length, d = x.shape
            qkv = self.qkv(self.norm_attention(x)).view(batch, length, 3, shape.heads, d // shape.heads)
            mixed = functional.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4), attn_mask=bias)
            x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, d))
            return x + self.down(functional.relu(self.up(self.norm_feed_forward(x))))

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(shape.vocabulary, shape.d_model)
            self.blocks = nn.ModuleList(Block() for _ in range(shape.layers))
            self.norm_head = nn.LayerNorm(shape.d_model, bias=False)
            self.head = nn.Linear(shape.d_model, shape.outputs, bias=False)
            self.register_buffer("bias", torch.from_numpy(alibi(shape))[None])

        def forward(self, x: Any) -> Any:
            x = self.embedding(x)
            for block in self.blocks:
                x = block(x, self.bias)
            return self.head(self.norm_head(x))

    return Transformer() if hasattr(shape, "heads") else CharMLP()


class Torch:
    """PyTorch as one writes it, eager."""

    def __init__(self, family: str, size: int, **changes: Any) -> None:
        import torch

        from course import models

        self.torch, self.task = torch, task_of(family)
        self.recipe = recipe_of(self.task, **changes)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = _torch_model(models.shape(family, size, self.task)).to(self.device)
        self.text = torch.tensor(self.task.train["text"], device=self.device)
        recipe = self.recipe
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), recipe.rate, (0.9, recipe.beta_2), recipe.epsilon, fused=True
        )

    def load(self, weights: list[np.ndarray]) -> None:
        """Take over the weights of the Keras model, in its order; a Linear holds its matrix transposed."""
        linear = {id(m.weight) for m in self.model.modules() if isinstance(m, self.torch.nn.Linear)}
        for mine, given in zip(self.model.parameters(), weights, strict=True):
            given = given.T if id(mine) in linear else given
            if tuple(mine.shape) != given.shape:
                raise ValueError(f"A weight has shape {tuple(mine.shape)} here and {given.shape} in Keras.")
            mine.data.copy_(self.torch.from_numpy(np.ascontiguousarray(given)))

    def step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        logits = self.model(x)
        loss = self.torch.nn.functional.cross_entropy(logits.flatten(0, -2), y.flatten())
        loss.backward()
        if self.recipe.clip:
            self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        return loss.detach()

    def run(self, steps: int) -> None:
        torch, length = self.torch, self.task.inputs[0]
        within = torch.arange(length + 1, device=self.device)
        for _ in range(steps):
            starts = torch.randint(0, len(self.text) - length, (self.recipe.batch, 1), device=self.device)
            windows = self.text[starts + within].long()
            loss = self.step(windows[:, :-1], windows[:, -1] if self.task.tokens_per_sample == 1 else windows[:, 1:])
        loss.item()

    def losses(self, x: np.ndarray, y: np.ndarray, rates: np.ndarray) -> list[float]:
        """Loss of each given batch, before the step that it makes."""
        self.torch.set_num_threads(1)  # its threads wait by spinning, which stops everything on a busy machine
        found = []
        for done, (inputs, targets, rate) in enumerate(zip(x, y, rates, strict=True)):
            for group in self.optimizer.param_groups:
                # PyTorch adds epsilon after the bias correction, Keras (like the paper's short form) before it.
                group["lr"] = float(rate)
                group["eps"] = self.recipe.epsilon / (1 - self.recipe.beta_2 ** (done + 1)) ** 0.5
            inputs, targets = (self.torch.from_numpy(a).long().to(self.device) for a in (inputs, targets))
            found.append(float(self.step(inputs, targets)))
        return found


class TorchCompile(Torch):
    """The same through `torch.compile`; where the recipe asks for bfloat16, under autocast."""

    def __init__(self, family: str, size: int, **changes: Any) -> None:
        super().__init__(family, size, **changes)
        functional = self.torch.nn.functional

        def loss(x: Any, y: Any) -> Any:
            with self.torch.autocast(self.device, self.torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
                logits = self.model(x)
            return functional.cross_entropy(logits.float().flatten(0, -2), y.flatten())

        self.loss = self.torch.compile(loss)

    def step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        loss = self.loss(x, y)
        loss.backward()
        if self.recipe.clip:
            self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        return loss.detach()


ENGINES = {
    "course": Course,
    "course-jax": Course,
    "eager": Eager,
    "fit": Fit,
    "jax": Jax,
    "jax-plain": JaxPlain,
    "torch": Torch,
    "torch-compile": TorchCompile,
}


# --- a process for each ---------------------------------------------------------------------------


class Worker:
    """An engine in a process of its own. `with Worker("jax") as worker: worker.prepare("char_mlp", 8)`."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        root = Path(__file__).resolve().parent.parent
        environment = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "TF_XLA_FLAGS")}
        environment |= {
            "KERAS_BACKEND": library if (library := ON_A_GPU[engine]) != "torch" else "tensorflow",
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            "PYTHONPATH": str(root),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self.process = subprocess.Popen(
            [sys.executable, __file__, engine],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self, **request: Any) -> Any:
        """Send a request and wait for its answer. Raises RuntimeError with the process's last words."""
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"The engine {self.engine!r} ended: {self.process.communicate()[1][-2000:]}")
        return json.loads(answer)

    def prepare(self, family: str, size: int, seconds: float = 0.3, **recipe: Any) -> int:
        """Build and compile; returns the steps that one `time` will take, about `seconds` of them."""
        return self.ask(do="prepare", family=family, size=size, seconds=seconds, recipe=recipe)

    def gpus(self) -> list[str]:
        """Names of the GPUs that this engine's library sees."""
        return self.ask(do="gpus")

    def time(self, family: str, size: int) -> float:
        """Seconds a step, measured once."""
        return self.ask(do="time", family=family, size=size)

    def losses(self, family: str, size: int, file: Path, **recipe: Any) -> list[float]:
        """Losses on the batches, rates and weights of an .npz file (x, y, rates, w0, w1, ...)."""
        return self.ask(do="losses", family=family, size=size, file=str(file), recipe=recipe)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


class _Serving:
    """The other end of a Worker."""

    def __init__(self, engine: str) -> None:
        self.engine = ENGINES[engine]
        self.ready: dict[tuple[str, int], tuple[Any, int]] = {}

    def gpus(self) -> list[str]:
        from course.machine import gpus

        return gpus()

    def prepare(self, family: str, size: int, seconds: float, recipe: dict[str, Any]) -> int:
        engine = self.engine(family, size, **recipe)
        few = 4
        engine.run(few)
        quickest = np.inf
        for _ in range(3):
            started = time.perf_counter()
            engine.run(few)
            quickest = min(quickest, (time.perf_counter() - started) / few)
        steps = int(np.clip(seconds / quickest, few, 5000))
        engine.run(steps)
        self.ready[family, size] = engine, steps
        return steps

    def time(self, family: str, size: int) -> float:
        engine, steps = self.ready[family, size]
        started = time.perf_counter()
        engine.run(steps)
        return (time.perf_counter() - started) / steps

    def rate(self, size: int, dtype: str = "float32") -> float:
        from course.machine import matrix_product_rate

        return matrix_product_rate(size, seconds=0.3, dtype=dtype).median * 1e9

    def losses(self, family: str, size: int, file: str, recipe: dict[str, Any]) -> list[float]:
        engine = self.engine(family, size, **recipe)
        with np.load(file) as saved:
            engine.load([saved[f"w{i}"] for i in range(sum(name.startswith("w") for name in saved.files))])
            return engine.losses(saved["x"], saved["y"], saved["rates"])


def _serve(engine: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print is no answer
    serving = _Serving(engine)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(serving, request.pop("do"))(**request)), file=answers, flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
