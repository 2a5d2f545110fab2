"""The table of lessons: the one place that knows which lessons there are and in which order.

A lesson's number is chapter.lesson ("4.1"); its folder and name give its source
`solutions/<folder>/<name>.py`, its notebooks and its exercises `course/exercises/<name>.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LESSONS", "Lesson", "find"]


@dataclass(frozen=True)
class Lesson:
    """One lesson. `minutes` is the whole time for a first reader, exercises included.

    tensorflow: whether it uses TensorFlow. gpu: whether it runs at a larger size where there is a GPU
    (`course.tiers`); its notebooks then ask Colab for one.
    """

    number: str
    folder: str
    name: str
    title: str
    question: str
    minutes: int
    tensorflow: bool = True
    gpu: bool = False

    @property
    def path(self) -> str:
        """Folder and name, the same in `solutions/` and `notebooks/`."""
        return f"{self.folder}/{self.name}"


LESSONS = (
    Lesson(
        number="5.1",
        folder="05_practice",
        name="setup",
        title="Your machine, and how this course works",
        question="Can this machine run the course, and how do checks and hints work?",
        minutes=25,
    ),
    Lesson(
        number="1.1",
        folder="01_background",
        name="power_laws",
        title="What a law of scale is",
        question="What is a law of scale, and what can it promise?",
        minutes=75,
        tensorflow=False,
    ),
    Lesson(
        number="2.1",
        folder="02_concepts",
        name="counting",
        title="Counting parameters, FLOPs and bytes",
        question="How large is a model, what does it cost to train, and who counts what?",
        minutes=80,
    ),
    Lesson(
        number="2.2",
        folder="02_concepts",
        name="three_relations",
        title="Three relations, measured",
        question="How do time, compute and loss change with the size of a model?",
        minutes=80,
    ),
    Lesson(
        number="3.1",
        folder="03_algorithms",
        name="growing_models",
        title="Growing a model",
        question="What must change when a model grows, and what may stay?",
        minutes=85,
    ),
    Lesson(
        number="3.2",
        folder="03_algorithms",
        name="training_faster",
        title="Training faster",
        question="What do many devices and a good schedule save: time, compute or neither?",
        minutes=95,
    ),
    Lesson(
        number="3.3",
        folder="03_algorithms",
        name="allocating_compute",
        title="Allocating compute",
        question="What limits a machine, and how is a budget spent well?",
        minutes=100,
    ),
    Lesson(
        number="3.4",
        folder="03_algorithms",
        name="measuring_performance",
        title="Measuring performance",
        question="Which measures follow a law, and how many runs does a law need?",
        minutes=85,
    ),
    Lesson(
        number="4.1",
        folder="04_mathematics",
        name="cross_entropy_gradient",
        title="Cross-entropy and its gradient",
        question="What does the loss measure, and which way is down?",
        minutes=90,
    ),
    Lesson(
        number="4.2",
        folder="04_mathematics",
        name="gradient_descent",
        title="Gradient descent",
        question="How far may a step go, and how fast does the loss fall?",
        minutes=110,
    ),
    Lesson(
        number="4.3",
        folder="04_mathematics",
        name="linear_case_study",
        title="A linear case study",
        question="Does descending a gradient make a scaling law?",
        minutes=100,
        tensorflow=False,
    ),
    Lesson(
        number="5.2",
        folder="05_practice",
        name="linear_classifier",
        title="The linear classifier, repaired",
        question="Can 1,000 coin flips be learned to 80 %?",
        minutes=105,
    ),
    Lesson(
        number="5.3",
        folder="05_practice",
        name="multi_size_sweeps",
        title="Many models of many sizes",
        question="At a fixed budget of compute, which size of model is best, and what spoils the answer?",
        minutes=100,
        gpu=True,
    ),
    Lesson(
        number="5.4",
        folder="05_practice",
        name="fitting_scaling_laws",
        title="Fitting a scaling law, and betting on it",
        question="What do the runs say about a run ten times larger, and how sure can you be?",
        minutes=120,
    ),
)


def find(key: str) -> Lesson:
    """The lesson with this number ("4.1"), name ("gradient_descent") or path.

    Raises ValueError, naming the lessons there are, when none matches.
    """
    for lesson in LESSONS:
        if key in (lesson.number, lesson.name, lesson.path):
            return lesson
    known = ", ".join(f"{lesson.number} {lesson.name}" for lesson in LESSONS)
    raise ValueError(f"There is no lesson {key!r}. The lessons are: {known}.")
