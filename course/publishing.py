"""Where a notebook of the course can be opened: its set-up cell, its Colab badge, and the metadata that Colab reads.

All of it follows from two lines of `pyproject.toml`, the project's address and its version. The version
is a tag of the repository, `v0.1.0`, from which a kernel without the package installs it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from course.lessons import Lesson

__all__ = ["SETUP", "Project", "colab_metadata", "project"]

SETUP = """\
try: import course  # No module named 'course'? Open the lesson through `make lab`, or choose the kernel of its .venv
except ImportError: import sys; get_ipython().system(f'"{{sys.executable}}" -m pip install -q --no-deps git+{address}@{tag}')
import course; course.begin("{number}")"""
"""The set-up cell. `--no-deps`: what the machine comes with stays as it is, and `begin` says what does not fit.

Not `%pip`, which tells everybody to restart the kernel.
"""

_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


@dataclass(frozen=True)
class Project:
    """What a notebook says of the project: its public address and the tag of its version."""

    address: str
    tag: str

    def setup(self, lesson: Lesson) -> str:
        """The text of a lesson's set-up cell, the same for every lesson but for the number."""
        return SETUP.format(address=self.address, tag=self.tag, number=lesson.number)

    def badge(self, path: str) -> str:
        """Markdown of the badge that opens the notebook `path` in Colab, "" for an address that Colab cannot read."""
        repository = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(\.git)?/?", self.address)
        if repository is None:
            return ""
        link = f"https://colab.research.google.com/github/{repository[1]}/blob/{self.tag}/{path}"
        return f"[![Open in Colab]({_BADGE})]({link})"


@cache
def project(root: Path) -> Project:
    """The project of a checkout, from its `pyproject.toml`. Raises ValueError where the address is missing."""
    found = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = found.get("urls", {}).get("Repository", "").rstrip("/")
    if not re.match(r"\w+://\S+$", address):
        raise ValueError(
            f"pyproject.toml has no address of the project (it has {address!r}): under [project.urls] write "
            'Repository = "https://…".'
        )
    return Project(address, f"v{found['version']}")


def colab_metadata(lesson: Lesson) -> dict[str, Any]:
    """Notebook metadata by which Colab gives a lesson that uses one a GPU; none for the others."""
    return {"accelerator": "GPU", "colab": {"gpuType": "T4", "provenance": []}} if lesson.gpu else {}
