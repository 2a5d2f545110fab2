"""The compiled training loop, once for each library: `course.engines.tensorflow` and `course.engines.jax`.

Each has an `Engine`, made from a task, a Keras model, its optimiser and a recipe. `advance` takes optimiser
steps, `evaluate` gives the validation loss, `constants` puts arrays where the loop reads them. The state, which is
the model's and the optimiser's variables, lies in Keras between two calls, so `course.training.Trainer` reads
and writes it alike on both. What a step computes is in `course.engines.step`, written once with `keras.ops`.
"""
