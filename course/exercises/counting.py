"""Exercises of lesson 2.1: parameters, FLOPs forward and backward, a budget, a Transformer, bytes, a puzzle."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

import numpy as np

from course import machine, memory
from course.exercises.specification import Case, Exercise, Mistake, Variant
from course.published_models import CHINCHILLA, Decoder, Published

# --- 2.1.1 parameters of dense layers -------------------------------------------------------------


def dense_parameters(widths: Sequence[int]) -> int:
    """Parameters of dense layers with biases between `widths` numbers, (inputs, hidden, ..., outputs). Lesson 2.1."""
    return sum(inputs * outputs + outputs for inputs, outputs in itertools.pairwise(widths))


def _width_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for layers, part in (
        (1, "one layer"),
        (1, "one layer"),
        (2, "several layers"),
        (3, "several layers"),
        (4, "several layers"),
    ):
        widths = [int(rng.integers(3, 90)) for _ in range(layers + 1)]
        widths[-1] = int(rng.integers(2, 12))
        cases.append(Case((widths,), part))
    return cases


def _over(widths: Sequence[int], count: Callable[[int, int], int]) -> int:
    return sum(count(i, o) for i, o in itertools.pairwise(widths))


_DENSE_MISTAKES = (
    Mistake(
        "no biases",
        lambda w: _over(w, lambda i, o: i * o),
        "These are the weights. Each layer also adds a bias to each of its outputs: one number more for each output.",
    ),
    Mistake(
        "a bias for each input",
        lambda w: _over(w, lambda i, o: i * o + i),
        "You counted a bias for each *input*. It is added to the result, so there is one for each output.",
    ),
    Mistake(
        "one bias a layer",
        lambda w: _over(w, lambda i, o: i * o + 1),
        "You counted one bias for a whole layer. Each output has its own.",
    ),
    Mistake(
        "no bias in the last layer",
        lambda w: _over(w, lambda i, o: i * o + o) - w[-1],
        "The last layer's biases are missing. It is a dense layer like the others.",
    ),
    Mistake(
        "numbers, not weights",
        lambda w: int(np.sum(w)),
        "You added the widths: that is how many numbers flow through. A layer has a weight for each *pair* of an input "
        "and an output, so widths multiply.",
    ),
    Mistake(
        "one product of all widths",
        lambda w: int(np.prod(w)),
        "You multiplied all widths. Each layer joins only two neighbours: multiply these two, then add up the layers.",
    ),
    Mistake(
        "activations counted",
        lambda w: _over(w, lambda i, o: i * o + 2 * o),
        "For each output you count one number too many. What comes out is computed anew for each sample, so it is not "
        "learned: only the weight matrix and the biases are parameters.",
    ),
)

# --- 2.1.2 three products -------------------------------------------------------------------------


def three_products(batch: int, inputs: int, outputs: int) -> tuple[int, int, int]:
    """FLOPs of a dense layer's forward product, of its weights' gradient and of its inputs' gradient. Lesson 2.1."""
    return (
        machine.matrix_product_flops(batch, inputs, outputs),
        machine.matrix_product_flops(inputs, batch, outputs),
        machine.matrix_product_flops(batch, outputs, inputs),
    )


def _layer_cases(rng: np.random.Generator) -> list[Case]:
    return [Case(tuple(int(rng.integers(2, high)) for _ in range(3))) for high in (6, 9, 30, 60, 200)]


_PRODUCT_MISTAKES = (
    Mistake(
        "multiply-add as one",
        lambda n, i, o: (n * i * o,) * 3,
        "You counted a multiplication and the addition that follows as one operation. Some papers do (they say MACs); a "
        "FLOP is one of the two, so there are twice as many.",
    ),
    Mistake(
        "one backward product",
        lambda n, i, o: (2 * n * i * o, 2 * n * i * o, 0),
        "The third product is missing. The layer below needs the gradient of this layer's inputs, which is a product, too.",
    ),
    Mistake(
        "no batch",
        lambda n, i, o: (2 * i * o,) * 3,
        "This is the work for one sample. A batch of `batch` samples takes it for each of them, backward as well.",
    ),
    Mistake(
        "the weights' gradient without the batch",
        lambda n, i, o: (2 * n * i * o, 2 * i * o, 2 * n * i * o),
        "The gradient of the weights has as many numbers as the weights, but each is a sum over the batch: an "
        "(inputs, batch) by (batch, outputs) product.",
    ),
    Mistake(
        "backward twice too large",
        lambda n, i, o: (2 * n * i * o, 4 * n * i * o, 4 * n * i * o),
        "Each of the two backward products is as large as the forward one. It is both together that take twice as much.",
    ),
    Mistake(
        "square batch",
        lambda n, i, o: (2 * n * i * o, 2 * i * n * n, 2 * n * o * i),
        "One of the shapes of the second product is off: `x.T @ delta` is (inputs, batch) by (batch, outputs), so its "
        "sides are inputs, batch and outputs.",
    ),
    Mistake(
        "sizes of the results",
        lambda n, i, o: (n * o, i * o, n * i),
        "These are the numbers in the three results. Each of them is a sum of products: count its work, 2 FLOPs for each "
        "term of the sum.",
    ),
)

# --- 2.1.3 a budget -------------------------------------------------------------------------------


def tokens_and_days(flops: float, n_params: float, gflops: float) -> tuple[float, float]:
    """Tokens that a budget trains a model on by C = 6 N D, and days that a machine needs for it. Lesson 2.1."""
    return flops / (6 * n_params), machine.days_needed(flops, gflops)


def _budget_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for exponent in (12, 15, 18, 21):
        flops = float(f"{rng.uniform(1, 9):.1f}e{exponent}")
        n_params = int(rng.integers(2, 90)) * 10 ** (exponent // 3 + 1)
        cases.append(Case((flops, n_params, int(rng.choice([80, 150, 400])))))
    return cases


_BUDGET_MISTAKES = (
    Mistake(
        "2 N D",
        lambda c, n, r: (c / (2 * n), machine.days_needed(c, r)),
        "2 N a token is the forward pass, which is what running a model takes. Training goes backward as well, in two "
        "products of the same size: 6 N.",
    ),
    Mistake(
        "3 N D",
        lambda c, n, r: (c / (3 * n), machine.days_needed(c, r)),
        "You counted three products of one FLOP a weight. A multiplication and an addition are two: 6 N a token.",
    ),
    Mistake(
        "4 N D",
        lambda c, n, r: (c / (4 * n), machine.days_needed(c, r)),
        "4 N is the backward pass alone, or forward and one backward product. With the forward pass and both it is 6 N.",
    ),
    Mistake(
        "the size forgotten",
        lambda c, n, r: (c / 6, machine.days_needed(c, r)),
        "A token costs 6 FLOPs for *each parameter*: divide by `n_params` as well.",
    ),
    Mistake(
        "hours",
        lambda c, n, r: (c / (6 * n), 24 * machine.days_needed(c, r)),
        "Your time is in hours. A day has 86,400 seconds.",
    ),
    Mistake(
        "seconds",
        lambda c, n, r: (c / (6 * n), 86_400 * machine.days_needed(c, r)),
        "Your time is in seconds. A day has 86,400 of them.",
    ),
    Mistake(
        "giga forgotten",
        lambda c, n, r: (c / (6 * n), 1e9 * machine.days_needed(c, r)),
        "`gflops` is in GFLOP/s, and giga is 1e9: the machine is a thousand million times as fast.",
    ),
    Mistake(
        "days of all tokens again",
        lambda c, n, r: (c / (6 * n), machine.days_needed(6 * n * c, r)),
        "The tokens are right. `flops` is the whole budget already, so the time is `flops` divided by the rate.",
    ),
    Mistake(
        "exchanged",
        lambda c, n, r: (machine.days_needed(c, r), c / (6 * n)),
        "Both numbers are right, in the wrong order: tokens first, then days.",
    ),
)

# --- 2.1.4 and 2.1.5 a Transformer ----------------------------------------------------------------


def block_parameters(d_model: int, heads: int, d_ff: int) -> int:
    """Parameters of one block of the course's Transformer: attention, feed-forward, two gains. Lesson 2.1."""
    one, two = (Decoder(layers, d_model, heads, d_model // heads, d_ff, 2, 2).counts().n_params for layers in (1, 2))
    return two - one


def _block_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for heads in (1, 2, 4, 8):
        d_model = heads * int(rng.integers(2, 20))
        part = "d_ff is 4 d_model" if heads in (1, 4) else "another d_ff"
        cases.append(Case((d_model, heads, 4 * d_model if heads in (1, 4) else int(rng.integers(5, 300))), part))
    return cases


_BLOCK_MISTAKES = (
    Mistake(
        "output matrix forgotten",
        lambda d, h, f: 3 * d * d + 2 * d * f + 2 * d,
        "Query, key and value are there; the fourth matrix of attention, the output's, is missing.",
    ),
    Mistake(
        "matrices for each head",
        lambda d, h, f: 4 * h * d * d + 2 * d * f + 2 * d,
        "You counted whole matrices for each head. The heads *share* the width: each has d_model / heads columns of them, so "
        "their number does not matter.",
    ),
    Mistake(
        "query, key and value for each head",
        lambda d, h, f: (3 * h + 1) * d * d + 2 * d * f + 2 * d,
        "You counted a query, a key and a value matrix of the whole width for each head. The heads *share* the width: each "
        "has d_model / heads columns, so their number does not matter.",
    ),
    Mistake(
        "one head only",
        lambda d, h, f: 4 * d * (d // h) + 2 * d * f + 2 * d,
        "You counted the columns of one head. All heads together have d_model columns.",
    ),
    Mistake(
        "one matrix of the feed-forward",
        lambda d, h, f: 4 * d * d + d * f + 2 * d,
        "The feed-forward part has two matrices, up to d_ff and down again; you counted one.",
    ),
    Mistake(
        "square feed-forward",
        lambda d, h, f: 4 * d * d + f * f + 2 * d,
        "The feed-forward matrices are not square: one is d_model by d_ff, the other d_ff by d_model.",
    ),
    Mistake(
        "12 d_model squared",
        lambda d, h, f: 12 * d * d + 2 * d,
        "12 d_model² holds where d_ff is 4 d_model, the usual choice. Here `d_ff` is an argument: use it.",
    ),
    Mistake(
        "gains forgotten",
        lambda d, h, f: 4 * d * d + 2 * d * f,
        "All six matrices are right. Each of the two normalisations has a gain, d_model numbers, which is learned too.",
    ),
    Mistake(
        "one gain",
        lambda d, h, f: 4 * d * d + 2 * d * f + d,
        "A block has two normalisations, one before each part, and each has d_model gains. You counted one.",
    ),
    Mistake(
        "biases",
        lambda d, h, f: 4 * d * d + 2 * d * f + 2 * d + 5 * d + f,
        "You counted biases. Many Transformers have them (GPT-3 has); the block of this table has none.",
    ),
    Mistake(
        "biases of the feed-forward",
        lambda d, h, f: 4 * d * d + 2 * d * f + 2 * d + d + f,
        "You counted biases in the feed-forward part. Dense layers may have them, but the block of this table has none.",
    ),
    Mistake(
        "scores as parameters",
        lambda d, h, f: 4 * d * d + 2 * d * f + 2 * d + h,
        "Attention's scores are computed anew from each text. They are not learned, so they are no parameters.",
    ),
)


def transformer_flops(layers: int, d_model: int, d_ff: int, vocabulary: int, length: int) -> int:
    """Forward FLOPs a token of a Transformer, matrix products only, all pairs of positions. Lesson 2.1."""
    return Decoder(layers, d_model, 1, d_model, d_ff, vocabulary, length).counts().forward_flops_per_token


def _transformer_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for layers in (1, 2, 3, 6):
        d_model = 4 * int(rng.integers(2, 12))
        args = (
            layers,
            d_model,
            int(rng.choice([2, 3, 4])) * d_model,
            int(rng.integers(20, 900)),
            int(rng.integers(8, 200)),
        )
        cases.append(Case(args))
    return cases


def _parts(n: int, d: int, f: int, v: int, t: int) -> tuple[int, int, int]:
    return 2 * n * (4 * d * d + 2 * d * f), 4 * n * t * d, 2 * d * v


def _mixed(body: float, attention: float, head: float) -> Callable[..., float]:
    def count(n: int, d: int, f: int, v: int, t: int) -> float:
        parts = _parts(n, d, f, v, t)
        return body * parts[0] + attention * parts[1] + head * parts[2]

    return count


_TRANSFORMER_MISTAKES = (
    Mistake(
        "attention forgotten",
        _mixed(1, 0, 1),
        "The matrices are right. Attention also multiplies numbers that are not parameters: queries with keys, and "
        "weights with values, each 2 d_model FLOPs for each position that a token looks at.",
    ),
    Mistake(
        "half of attention",
        _mixed(1, 0.5, 1),
        "Attention's own products are half as large as they should be. Either you counted one of the two (there are the scores, "
        "and the mixing of values), or only the pairs that the mask leaves: a good convention, but the program computes "
        "all pairs and throws half of them away, so here all `length` positions count.",
    ),
    Mistake(
        "a quarter of attention",
        _mixed(1, 0.25, 1),
        "You counted a quarter of attention's own products: half of the pairs, or one FLOP for a multiplication and an "
        "addition, and one product of two. All `length` positions count, for the scores and for the mixing.",
    ),
    Mistake(
        "head forgotten",
        _mixed(1, 1, 0),
        "The head is missing: a d_model by vocabulary matrix. In small models it is much of the work.",
    ),
    Mistake(
        "embedding counted",
        _mixed(1, 1, 2),
        "You counted vocabulary times d_model twice. The head multiplies such a matrix; the embedding only looks up one of "
        "its rows, which takes no FLOP.",
    ),
    Mistake(
        "multiply-add as one",
        _mixed(0.5, 0.5, 0.5),
        "Everything is half as much as it should be: a multiplication and an addition are two FLOPs.",
    ),
    Mistake(
        "training",
        _mixed(3, 3, 3),
        "This is training, three times the forward pass. The task asks for the forward pass alone.",
    ),
    Mistake(
        "one layer",
        lambda n, d, f, v, t: _mixed(1, 1, 1)(1, d, f, v, t),
        "You counted one block. There are `layers` of them, each with its own matrices and its own attention.",
    ),
    Mistake(
        "attention of one layer",
        lambda n, d, f, v, t: _mixed(1, 0, 1)(n, d, f, v, t) + 4 * t * d,
        "Every block has its own attention; you counted it once. Multiply that part by `layers` as well.",
    ),
    Mistake(
        "a whole sequence",
        lambda n, d, f, v, t: t * _mixed(1, 1, 1)(n, d, f, v, t),
        "This is the work of a whole sequence. The task asks for one token of it.",
    ),
    Mistake(
        "gains counted",
        lambda n, d, f, v, t: _mixed(1, 1, 1)(n, d, f, v, t) + 4 * n * d,
        "You took 2 FLOPs for the gains of the normalisations as well. They are no matrices: each multiplies one number, "
        "and the task asks for matrix products only.",
    ),
    Mistake(
        "attention of all tokens",
        lambda n, d, f, v, t: _mixed(1, t, 1)(n, d, f, v, t),
        "Attention's own products are those of the whole text, `length` queries with `length` keys. The task asks for one "
        "token: one query with `length` keys.",
    ),
    Mistake(
        "2 N",
        lambda n, d, f, v, t: 2 * (n * (4 * d * d + 2 * d * f) + 2 * d * v),
        "This is two for each weight, the embedding's included. The embedding multiplies nothing, and attention "
        "multiplies what is not a parameter: leave out the one, add the other.",
    ),
)

# --- 2.1.6 bytes ----------------------------------------------------------------------------------


def training_gigabytes(n_params: float, gradient_bytes: int) -> float:
    """GB to train in mixed precision with Adam, gradients of 2 or 4 bytes, without activations. Lesson 2.1."""
    precision = {2: "mixed", 4: "mixed, float32 gradients"}[gradient_bytes]
    return sum(memory.training_bytes(n_params, precision).values()) / 1e9


def _byte_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for exponent in (8, 9, 11):
        for gradient_bytes in (2, 4):
            n_params = int(rng.integers(11, 99)) * 10**exponent // 10
            cases.append(Case((n_params, gradient_bytes), f"gradients of {gradient_bytes} bytes"))
    return cases


_BYTE_MISTAKES = (
    Mistake(
        "weights only",
        lambda n, g: 2 * n / 1e9,
        "These are the weights alone: enough to run the model. Training also holds a gradient for each, and what Adam keeps.",
    ),
    Mistake(
        "nothing of Adam",
        lambda n, g: (2 + g) * n / 1e9,
        "Weights and gradients are there. Adam's state is missing: a float32 copy of the weights and two averages.",
    ),
    Mistake(
        "moments forgotten",
        lambda n, g: (2 + g + 4) * n / 1e9,
        "Adam's two averages are missing, 4 bytes each: of the optimiser you counted only the copy of the weights.",
    ),
    Mistake(
        "one of three",
        lambda n, g: (2 + g + 8) * n / 1e9,
        "Of the optimiser you counted 8 bytes. It keeps three float32 numbers a parameter: the copy of the weight, and two "
        "averages (of the gradient, and of its square).",
    ),
    Mistake(
        "gradients forgotten",
        lambda n, g: 14 * n / 1e9,
        "The gradients are missing: `gradient_bytes` for each parameter.",
    ),
    Mistake(
        "always 16",
        lambda n, g: 16 * n / 1e9,
        "16 bytes a parameter hold for gradients of 2 bytes. With 4 it is more: use `gradient_bytes`.",
    ),
    Mistake(
        "GiB",
        lambda n, g: (14 + g) * n / 2**30,
        "This is in GiB, 2**30 bytes. A GB is 1e9 bytes: 7 % less. Operating systems often show the one and say the other.",
    ),
    Mistake(
        "MB",
        lambda n, g: (14 + g) * n / 1e6,
        "This is in MB. A GB is 1e9 bytes.",
    ),
    Mistake(
        "bits",
        lambda n, g: 8 * (14 + g) * n / 1e9,
        "This is in gigabits. The numbers 2 and 4 are bytes already; float16 has 16 bits, which are 2 bytes.",
    ),
)

# --- 2.1.7 a puzzle -------------------------------------------------------------------------------

PUZZLES = tuple(each for each in CHINCHILLA if each.decoder.d_model != each.decoder.inner)
"""The rows of table A9 whose count by the usual formula is more than 1 % off."""


def _puzzle(row: Published) -> Variant:
    """The question about one of these rows."""
    shape = row.decoder
    d, inner, millions = shape.d_model, shape.inner, f"{row.n_params / 1e6:,.0f} million"
    formula = shape.layers * (5 * d**2 + 2 * d * shape.d_ff) + shape.vocabulary * d
    off = 100 * (formula / row.n_params - 1)
    how = "high" if off > 0 else "low"
    return Variant(
        task=(
            f"In the row of {millions} the formula is {abs(off):.1f} % too {how}. One of its numbers is wrong there: the "
            "$d^2$ of an attention matrix. Look for what the six rows have in common. How many parameters has *one* "
            f"attention matrix (say, the one that makes the queries) of the model with {millions}?"
        ),
        reference=d * inner,
        mistakes=(
            Mistake(
                "square",
                d**2,
                f"This is what the usual formula takes, and it is what makes the count too {how}. Look at the heads: how "
                f"many numbers do {shape.heads} of them have together, with {shape.d_head} each?",
            ),
            Mistake(
                "square of the heads' width",
                inner**2,
                "You have found the width of all heads together. The matrix goes from d_model numbers to that width, so "
                "its sides differ.",
            ),
            Mistake(
                "one head",
                d * shape.d_head,
                f"This is the part of one head. There are {shape.heads} of them.",
            ),
            Mistake(
                "five matrices",
                5 * d * inner,
                "These are all five matrices of a layer's attention. The task asks for one of them.",
            ),
            Mistake(
                "the width", inner, "This is the width of all heads together. How many numbers does the matrix hold?"
            ),
        ),
        hints=(
            "Compare `heads * d_head` with `d_model`, in this row and in the row of 12,295 million.",
            "The matrix takes d_model numbers in, and gives the numbers of all heads.",
        ),
    )


_PUZZLE = _puzzle(next(row for row in PUZZLES if row.name == "12569M"))

# --- 2.1.8 a model of your own --------------------------------------------------------------------

_MY_MODEL = """
I count GPT-2 medium: 24 layers, d_model 1024, a feed-forward of 4096, vocabulary 50,257, 1,024 positions. A layer has
12 * 1024**2 = 12.6 million weights, 24 of them 302 million. The embedding has 51 million, the positions 1 million;
the head is tied to the embedding. Together 354 million parameters, published as 355 million. At 20 tokens for each
parameter that is D = 7.1e9, and C = 6 N D = 1.5e19 FLOPs. My machine reaches 200 GFLOP/s on large products, of which
I count half: 1e11 a second, so 1.5e8 seconds, about 1,740 days. In float32 with Adam it needs 16 bytes a parameter, 5.7 GB,
before activations: it fits my memory of 8 GB only with a small batch. I left out the biases and gains, under 0.1 %.
"""


def _lacks(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.search(pattern, text.lower()) is None


_MODEL_MISTAKES = (
    Mistake(
        "no FLOPs",
        _lacks(r"flop"),
        "Say what training takes in FLOPs, and by which convention: for instance C = 6 N D with your N and D.",
    ),
    Mistake(
        "no days",
        _lacks(r"\b(days?|hours?|years?|weeks?|months?)\b"),
        "Say how long your machine would train it, in days or years, and which rate you count on.",
    ),
    Mistake(
        "no bytes",
        _lacks(r"\b([kmgt]i?b|bytes?|[a-z]+bytes)\b"),
        "Say how many bytes training takes, and whether they fit your machine's memory.",
    ),
    Mistake(
        "no parts",
        _lacks(r"embedding|head|kernel|convolution|table|output layer"),
        "Count the model in parts: which parameters are in the embedding or the first layers, which in the body, which in the "
        "head? Say it for the largest parts.",
    ),
    Mistake(
        "no number",
        _lacks(r"\d"),
        "There is no number in your count.",
    ),
)


EXERCISES = (
    Exercise(
        id="2.1.1",
        title="Parameters of dense layers",
        points=1,
        minutes=5,
        difficulty=1,
        reference=dense_parameters,
        cases=_width_cases,
        mistakes=_DENSE_MISTAKES,
        rtol=1e-12,
        hints=(
            "Take one layer first, from 3 to 2 numbers. How many pairs of an input and an output are there? Each has a weight.",
            "A layer has `inputs * outputs` weights and `outputs` biases.",
            "Add this up over neighbours in the list: `for inputs, outputs in zip(widths[:-1], widths[1:])`.",
        ),
    ),
    Exercise(
        id="2.1.2",
        title="One product forward, two backward",
        points=2,
        minutes=6,
        difficulty=1,
        reference=three_products,
        cases=_layer_cases,
        mistakes=_PRODUCT_MISTAKES,
        rtol=1e-12,
        hints=(
            "Write down the shapes of x, W and delta. An (m, k) by (k, n) product takes 2 m k n FLOPs (lesson 5.1).",
            "`x @ W` is (batch, inputs) by (inputs, outputs). Now `x.T @ delta`, and `delta @ W.T`.",
            "In all three the same sides meet, in another order.",
        ),
    ),
    Exercise(
        id="2.1.3",
        title="From a budget to tokens and days",
        points=1,
        minutes=5,
        difficulty=1,
        reference=tokens_and_days,
        cases=_budget_cases,
        mistakes=_BUDGET_MISTAKES,
        hints=(
            "Solve C = 6 N D for D.",
            "The machine does `gflops * 1e9` FLOPs a second; the budget is `flops`. A day has 86,400 seconds.",
        ),
    ),
    Exercise(
        id="2.1.4",
        title="Parameters of a Transformer block",
        points=2,
        minutes=7,
        difficulty=2,
        reference=block_parameters,
        cases=_block_cases,
        mistakes=_BLOCK_MISTAKES,
        rtol=1e-12,
        hints=(
            "Go through the rows of the table that belong to a block. One argument is not needed: which?",
            "Attention has four matrices of d_model by d_model, the feed-forward part two of d_model by d_ff.",
            "And two normalisations with d_model gains each.",
        ),
    ),
    Exercise(
        id="2.1.5",
        title="Forward FLOPs of a Transformer",
        points=3,
        minutes=10,
        difficulty=3,
        reference=transformer_flops,
        cases=_transformer_cases,
        mistakes=_TRANSFORMER_MISTAKES,
        rtol=1e-12,
        hints=(
            "Three parts: the matrices of the blocks, attention's own products, the head.",
            "A matrix costs a token 2 FLOPs for each of its weights: 2 * (4 d² + 2 d d_ff) a block, and 2 d V in the head.",
            "Scores: a query of d_model numbers meets `length` keys, 2 * length * d_model FLOPs. Mixing takes as much again.",
        ),
    ),
    Exercise(
        id="2.1.6",
        title="Bytes to train",
        points=2,
        minutes=5,
        difficulty=2,
        reference=training_gigabytes,
        cases=_byte_cases,
        mistakes=_BYTE_MISTAKES,
        hints=(
            "Add up the bytes of one parameter first: weight, gradient, and three numbers that Adam keeps.",
            "The weight has 2 bytes, the gradient `gradient_bytes`, each of the three numbers of the optimiser 4.",
        ),
    ),
    Exercise(
        id="2.1.7",
        title="A row that does not add up",
        points=2,
        minutes=6,
        difficulty=2,
        kind="value",
        reference=_PUZZLE.reference,
        mistakes=_PUZZLE.mistakes,
        rtol=1e-12,
        hints=_PUZZLE.hints,
        variant=lambda rng: _puzzle(PUZZLES[rng.integers(len(PUZZLES))]),
    ),
    Exercise(
        id="2.1.8",
        title="Count a model of your choice",
        points=3,
        minutes=15,
        difficulty=3,
        kind="text",
        reference=_MY_MODEL,
        min_words=70,
        mistakes=_MODEL_MISTAKES,
        hints=(
            "Take a model whose shape is published: a GPT-2, an image network from `keras.applications`, one from your field.",
            "Parameters in parts, then the data that it was (or should be) trained on, then FLOPs, days on your machine, bytes.",
            "Compare with the published count. If they differ, which convention explains it?",
        ),
    ),
)
