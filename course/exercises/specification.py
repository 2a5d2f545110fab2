"""What an exercise is: what it asks, how it is checked, which mistakes it knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

__all__ = ["Case", "Exercise", "Mistake", "Variant"]


@dataclass(frozen=True)
class Case:
    """One set of inputs for a function. `part` names the property it tests ("large logits")."""

    args: tuple[Any, ...]
    part: str = "ordinary inputs"

    @property
    def size(self) -> int:
        """Numbers in the inputs: the check shows the smallest failing case."""
        return sum(int(np.size(arg)) for arg in self.args if not callable(arg))


@dataclass(frozen=True)
class Mistake:
    """Wrong code (or a wrong value) that people really write, and what to say about it.

    `answer` is called like the student's function; for a value exercise it is the wrong value.
    `message` says what happened and where to look.
    """

    name: str
    answer: Any
    message: str


@dataclass(frozen=True)
class Variant:
    """A value exercise on certain numbers: `task` is what the lesson asks, and the rest follows from the numbers."""

    task: str
    reference: Any
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """The specification of one exercise.

    A function exercise has `cases`: a function from a seeded `numpy.random.Generator` to a list of
    `Case`. A value exercise has none, and `reference` is the value. A text exercise (`kind="text"`)
    asks for at least `min_words` words; `reference` is a model answer.

    `compare(expected, got, case)` replaces the comparison within `rtol` and `atol` where many answers
    are right; it returns None for a right answer, else a sentence.

    A value exercise whose numbers can be others has `variant`, a function from a seeded generator to a
    `Variant`; see `drawn`.
    """

    id: str
    title: str
    points: float
    minutes: int
    difficulty: Literal[1, 2, 3]
    reference: Any
    kind: Literal["function", "value", "text"] = "function"
    cases: Callable[[np.random.Generator], Sequence[Case]] | None = None
    mistakes: tuple[Mistake, ...] = ()
    hints: tuple[str, ...] = ()
    rtol: float = 1e-4
    atol: float = 1e-6
    min_words: int = 15
    compare: Callable[[Any, Any, Case], str | None] | None = None
    time_limit: float = 10.0
    variant: Callable[[np.random.Generator], Variant] | None = None

    def __post_init__(self) -> None:
        if (self.kind == "function") != (self.cases is not None):
            raise ValueError(
                f"Exercise {self.id}: a function exercise needs `cases`, and only a function exercise "
                f'has them; say kind="value" or kind="text" otherwise.'
            )
        if self.variant and self.kind != "value":
            raise ValueError(f"Exercise {self.id}: only a value exercise has variants; a function's inputs are drawn.")
        if len({mistake.name for mistake in self.mistakes}) != len(self.mistakes):
            raise ValueError(f"Exercise {self.id}: two mistakes have the same name; rename one.")

    @property
    def lesson(self) -> str:
        """Number of the lesson it belongs to: "4.1" for "4.1.2"."""
        return self.id.rpartition(".")[0]

    def drawn(self, seed: int) -> Exercise:
        """The exercise on the numbers that `seed` draws: itself for seed 0, the lesson's own numbers.

        Only a value exercise with variants changes; a function exercise draws its inputs in `cases`.
        """
        if self.variant is None or seed == 0:
            return self
        drawn = self.variant(np.random.default_rng(seed))
        return replace(self, reference=drawn.reference, mistakes=drawn.mistakes, hints=drawn.hints)
