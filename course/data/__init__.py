"""What models learn: one module a domain.

`task("characters")` gives a `Task` by name and `TASKS` lists them: `text` (Python's own sources or any
file), `images` (digits, generated and downloaded ones), `synthetic_tasks` (exactly known laws).
`synthetic` draws small data sets whose best possible loss is known; `tabular` holds small real ones.
"""

from course.data import images, synthetic_tasks, text  # noqa: F401  (each enters its tasks)
from course.data.task import TASKS, Task, task

__all__ = ["TASKS", "Task", "task"]
