"""What a compiled program computes and holds, read from the compiler's own text.

XLA, the compiler of TensorFlow and JAX, writes a program as a list of operations on arrays of known shapes
(HLO). `program` compiles a function and reads that list; `Program` counts what is in it: FLOPs of the matrix
products and convolutions, FLOPs of the element-wise rest by the rules of XLA's own cost analysis, and the bytes
that are live at each moment of the optimised, scheduled program. `course.counting` and `course.memory` say what
these should be from a model's shape alone; this module is the other side of the comparison. Lesson 2.1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from course import models
from course.inputs import whole
from course.machine import import_tensorflow

if TYPE_CHECKING:
    from course.data import Task

__all__ = ["Instruction", "Moment", "Program", "passes", "program", "training_step"]

_BYTES = {"pred": 1, "s4": 1, "u4": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "f16": 2, "bf16": 2, "s32": 4, "u32": 4,
          "f32": 4, "s64": 8, "u64": 8, "f64": 8, "c64": 8, "c128": 16}  # fmt: skip

# What XLA's cost analysis counts once for each number of the result. The second set it calls transcendental.
# fmt: off
_ARITHMETIC = frozenset((
    "abs", "add", "and", "ceil", "clamp", "compare", "convert", "divide", "floor", "imag", "is-finite", "maximum",
    "minimum", "multiply", "negate", "not", "or", "real", "reduce-precision", "remainder", "round-nearest-afz",
    "round-nearest-even", "select", "shift-left", "shift-right-arithmetic", "shift-right-logical", "sign", "subtract",
    "xor",
))
_TRANSCENDENTAL = frozenset((
    "atan2", "cbrt", "cosine", "erf", "exponential", "exponential-minus-one", "log", "log-plus-one", "logistic", "power",
    "rsqrt", "sine", "sqrt", "tan", "tanh",
))
# fmt: on
_NO_BUFFER = {"parameter", "constant", "bitcast", "tuple", "get-tuple-element", "after-all"}
_ALIAS = {"bitcast", "tuple", "get-tuple-element", "optimization-barrier"}


@dataclass(frozen=True)
class Instruction:
    """One operation: its result's `name` and `shape` as written, what it does, and the names of what it takes."""

    name: str
    shape: str
    opcode: str
    operands: tuple[str, ...]
    line: str
    root: bool

    @property
    def sides(self) -> tuple[int, ...]:
        """Sides of the result, () for a single number; of a tuple, the first part's."""
        found = re.search(r"\[([\d,]*)\]", self.shape)
        return tuple(int(side) for side in found[1].split(",") if side) if found else ()

    @property
    def numbers(self) -> int:
        """How many numbers the result holds."""
        return sum(math.prod(int(s) for s in sides.split(",") if s) for _, sides in _parts(self.shape))

    @property
    def bytes(self) -> int:
        """Bytes of the result."""
        return sum(
            _BYTES.get(kind, 4) * math.prod(int(s) for s in sides.split(",") if s) for kind, sides in _parts(self.shape)
        )


def _parts(shape: str) -> list[tuple[str, str]]:
    return re.findall(r"(\w+)\[([\d,]*)\]", shape)


@dataclass(frozen=True)
class Moment:
    """The program just after one instruction: its name, and the bytes of all results that are still needed."""

    name: str
    bytes: int


class Program:
    """A program as XLA writes it; operations whose results nothing uses are left out of every count."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.computations: dict[str, dict[str, Instruction]] = {}
        self.entry = name = ""
        for line in text.splitlines():
            line = line.split(", metadata=")[0].replace("%", "")
            if line.endswith("{"):
                name = line.split("(")[0].replace("ENTRY", "").strip(" {")
                if line.startswith("ENTRY") or not self.entry:
                    self.entry = name
                self.computations[name] = {}
            elif (one := _instruction(line)) is not None:
                self.computations[name][one.name] = one
        if not any(self.computations.values()):
            raise ValueError("No instruction found: pass a program as XLA writes it, stage 'hlo' or 'optimized_hlo'.")

    def _live(self, name: str) -> Iterator[Instruction]:
        """The instructions of a computation that its result depends on."""
        defined = self.computations[name]
        seen: set[str] = set()
        waiting = [one.name for one in defined.values() if one.root]
        while waiting:
            key = waiting.pop()
            if key not in seen:
                seen.add(key)
                waiting += [each for each in defined[key].operands if each in defined]
        return (one for key, one in defined.items() if key in seen)

    def _called(self, one: Instruction) -> list[str]:
        return [each for each in re.findall(r"(?:to_apply|calls)=([\w.\-]+)", one.line) if each in self.computations]

    def flops(self, padding: bool = True, name: str | None = None) -> int:
        """FLOPs of the matrix products and convolutions; a convolution's with or without those on padding."""
        name = self.entry if name is None else name
        defined = self.computations[name]
        total = 0
        for one in self._live(name):
            total += sum(self.flops(padding, called) for called in self._called(one))
            if one.opcode in ("dot", "convolution"):
                left, right = (defined[each].sides for each in one.operands[:2])
                count = _dot if one.opcode == "dot" else _convolution
                total += count(one.line, left, right, one.sides, padding)
        return total

    def element_wise(self, name: str | None = None) -> int:
        """FLOPs of all the rest by the rules of XLA's cost analysis, its "transcendentals" (roots, exp, log) included.

        One for each number of a result, whatever the operation and the type of number; a sum over k numbers
        takes k - 1. Moving numbers (broadcast, transpose, gather) takes none.
        """
        name = self.entry if name is None else name
        defined = self.computations[name]
        total = 0
        for one in self._live(name):
            times = 1
            if one.opcode == "reduce":
                times = defined[one.operands[0]].numbers - math.prod(one.sides)
            elif one.opcode == "scatter":
                times = defined[one.operands[-1]].numbers
            elif one.opcode == "reduce-window":
                window = re.search(r"window=\{size=([\dx]+)", one.line)
                times = one.numbers * (math.prod(int(side) for side in window[1].split("x")) - 1) if window else 0
            elif one.opcode in _ARITHMETIC or one.opcode in _TRANSCENDENTAL:
                total += one.numbers
            total += sum(times * self.element_wise(called) for called in self._called(one))
        return total

    @property
    def argument_bytes(self) -> int:
        """Bytes of what is handed to the program: inputs, weights, the optimiser's state."""
        return sum(one.bytes for one in self.computations[self.entry].values() if one.opcode == "parameter")

    def moments(self) -> list[Moment]:
        """Bytes of the results that are live after each instruction of a scheduled program, arguments left out.

        A result is live from the instruction that makes it to the last that reads it; an element-wise operation
        writes its result over an argument of the same size that nothing reads later. A result that is handed
        back in an argument's place (a new weight in the old one's) takes no memory of its own. XLA's own plan is
        within some per cent: it also has gaps between blocks. Raises ValueError for a program without a schedule.
        """
        if "is_scheduled=true" not in self.text.split("\n", 1)[0]:
            raise ValueError("This program has no schedule: read it with stage='optimized_hlo'.")
        order = list(self.computations[self.entry].values())
        holder: dict[str, tuple[str, ...]] = {}  # the buffers that a name stands for
        last: dict[str, int] = {}
        aliased = self._aliased(order)
        for i, one in enumerate(order):
            if one.opcode in _ALIAS:
                holder[one.name] = tuple(b for each in one.operands for b in holder.get(each, ()))
            elif one.opcode in _NO_BUFFER or one.name in aliased:
                holder[one.name] = ()
            else:
                holder[one.name] = (one.name,)
                last[one.name] = i
            for each in one.operands:
                for buffer in holder.get(each, ()):
                    last[buffer] = i
        size = {one.name: one.bytes for one in order}
        live: set[str] = set()
        now, found = 0, []
        for i, one in enumerate(order):
            if holder[one.name] == (one.name,):
                taken = self._written_over(
                    one, [b for each in one.operands for b in holder.get(each, ())], last, size, i
                )
                if taken in live:
                    live.remove(taken)
                    now -= size[taken]
                live.add(one.name)
                now += size[one.name]
            found.append(Moment(one.name, now))
            for buffer in [each for each in live if last[each] <= i]:
                live.remove(buffer)
                now -= size[buffer]
        return found

    @staticmethod
    def _written_over(
        one: Instruction, buffers: list[str], last: dict[str, int], size: dict[str, int], now: int
    ) -> str:
        """The buffer whose last reader is this element-wise operation: its result goes to the same place."""
        if one.opcode != "fusion" and one.opcode not in _ARITHMETIC | _TRANSCENDENTAL:
            return ""
        return next((each for each in buffers if last[each] == now and size[each] == size[one.name]), "")

    def _aliased(self, order: list[Instruction]) -> set[str]:
        """Results that the program writes over an argument."""
        header = self.text.split("\n", 1)[0]
        root = next(one for one in order if one.root)
        pairs = re.findall(r"\{(\d*)\}: \((\d+), \{\}", header)
        if root.opcode != "tuple":
            return {root.name} if pairs else set()
        return {root.operands[int(output)] for output, _ in pairs if output}

    @property
    def temporary_bytes(self) -> int:
        """The most bytes that are live at once besides the arguments."""
        return max(moment.bytes for moment in self.moments())


_LINE = re.compile(r"\s*(ROOT )?([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\((.*)$")


def _instruction(line: str) -> Instruction | None:
    found = _LINE.match(line)
    if found is None:
        return None
    root, name, shape, opcode, rest = found.groups()
    depth, end = 1, len(rest)
    for i, character in enumerate(rest):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            end = i
            break
    inside = re.sub(r"/\*.*?\*/|\w+\[[^\]]*\](\{[^}]*\})?", " ", rest[:end])
    operands = () if opcode in ("constant", "parameter") else tuple(re.findall(r"[A-Za-z_][\w.\-]*", inside))
    return Instruction(name, shape, opcode, operands, f"{opcode}({rest}", bool(root))


def _dot(line: str, left: Any, right: Any, out: Any, padding: bool) -> int:
    contracted = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", line)
    axes = contracted[1].split(",") if contracted else []
    return 2 * math.prod(out) * math.prod(left[int(axis)] for axis in axes if axis)


def _convolution(line: str, left: Any, right: Any, out: Any, padding: bool) -> int:
    import numpy as np

    labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", line)
    if labels is None:
        raise ValueError(f"A convolution without dim_labels: {line[:200]}")
    lhs, rhs, result = labels.groups()
    spatial = sum(c.isdigit() for c in lhs)

    def window(name: str, otherwise: str) -> list[str]:
        here = re.search(rf"[{{ ]{name}=([\d_x\-]+)", line)
        return here[1].split("x") if here else [otherwise] * spatial

    pairs = 1
    for i, (stride, pad, inner, outer) in enumerate(
        zip(window("stride", "1"), window("pad", "0_0"), window("lhs_dilate", "1"), window("rhs_dilate", "1"), strict=True)
    ):  # fmt: skip
        side, kernel, output = (
            shape[names.index(str(i))] for shape, names in ((left, lhs), (right, rhs), (out, result))
        )
        place = np.arange(output)[:, None] * int(stride) + np.arange(kernel) * int(outer) - int(pad.split("_")[0])
        inside = (place >= 0) & (place <= (side - 1) * int(inner)) & (place % int(inner) == 0)
        pairs *= output * kernel if padding else int(inside.sum())
    return int(2 * pairs * out[result.index("b")] * out[result.index("f")] * right[rhs.index("i")])


def program(work: Callable[..., Any], *args: Any, stage: str = "hlo") -> Program:
    """Compile `work` for these arguments with XLA through TensorFlow and read its program.

    stage: "hlo" as TensorFlow hands it over, "optimized_hlo" as it runs, fused and scheduled. Nothing is run.
    Raises CannotRunError without TensorFlow, ValueError for another stage.
    """
    if stage not in ("hlo", "optimized_hlo"):
        raise ValueError(f"stage is 'hlo' or 'optimized_hlo'; got {stage!r}.")
    tf = import_tensorflow()
    compiled = tf.function(work, jit_compile=True, autograph=False)
    text = compiled.experimental_get_compiler_ir(*args)(stage=stage)
    return Program(text if isinstance(text, str) else text.decode())


def passes(family: str, size: int, task: Task, batch: int = 2) -> tuple[Any, Program, Program]:
    """The Keras model of this size, its program forward, and its program forward and backward, for `batch` samples.

    As TensorFlow hands them to the compiler, for the CPU. The backward pass gives the gradients of all parameters.
    Raises as `course.models.build` does.
    """
    whole("batch", batch)
    tf = import_tensorflow()
    with tf.device("CPU:0"):
        model = models.build(family, size, task)
        x = tf.zeros((batch, *task.inputs), tf.int32 if task.vocabulary else tf.float32)

        def backward(x: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(model(x, training=True) ** 2)
            return [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, model.trainable_variables)]

        return model, program(lambda x: model(x, training=True), x), program(backward, x)


def training_step(family: str, size: int, task: Task, batch: int, optimizer: str = "adam") -> Program:
    """The optimised program of one whole training step on the CPU: forward, loss, backward, optimiser.

    Its arguments are the batch, the weights and the optimiser's state; `Program.moments` says what it holds besides.
    optimizer: "sgd", "adam" or "adamw", Keras' own, without clipping. Raises as `course.models.build` does.
    """
    kinds = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}
    if optimizer not in kinds:
        raise ValueError(f"optimizer is one of {', '.join(kinds)}; got {optimizer!r}.")
    whole("batch", batch)
    tf = import_tensorflow()
    import keras

    entropy = task.loss == "cross_entropy"
    targets = (batch, task.tokens_per_sample) if task.tokens_per_sample > 1 else (batch,)
    with tf.device("CPU:0"):
        model = models.build(family, size, task)
        update = getattr(keras.optimizers, kinds[optimizer])()
        update.build(model.trainable_variables)
        x = tf.zeros((batch, *task.inputs), tf.int32 if task.vocabulary else tf.float32)
        y = tf.zeros(targets, tf.int32 if entropy else tf.float32)

        def step(x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                found = model(x, training=True)
                if entropy:
                    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=found)
                else:
                    losses = (found[..., 0] - y) ** 2
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, model.trainable_variables)
            dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
            update.apply_gradients(zip(dense, model.trainable_variables, strict=True))
            return loss

        return program(step, x, y, stage="optimized_hlo")
