"""A small flow chart that a notebook shows as Mermaid, and as a picture where Mermaid does not render.

A `Diagram` is nodes and labelled arrows. JupyterLab (4.1 and later) draws its Mermaid text; an exported
page, an editor or a printed notebook shows the picture that comes beside it; a terminal shows one line
for each arrow. All three are made from the same description. Lesson 2.2 draws the article's chart with it.
"""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Arrow", "Diagram"]

MERMAID = "text/vnd.mermaid"
"""The type under which JupyterLab renders Mermaid."""


@dataclass(frozen=True)
class Arrow:
    """From one node to another, with a label that may have several lines."""

    start: str
    end: str
    label: str = ""


def _quoted(text: str) -> str:
    """A Mermaid string: in quotes, marks that it would read itself written as entities, lines as <br/>."""
    escaped = text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
    return '"' + escaped.replace("`", "#96;").replace("\n", "<br/>") + '"'


@dataclass(frozen=True)
class Diagram:
    """A flow chart from top to bottom: `nodes` maps a short name to its text, `arrows` join them.

    A node's name is a letter or a word of Mermaid (letters and digits). Raises ValueError for a name that
    is not, an arrow to a node that there is not, or arrows that go round in a circle.
    """

    nodes: Mapping[str, str]
    arrows: Sequence[Arrow]
    title: str = ""

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ValueError("A diagram needs at least one node.")
        for name in self.nodes:
            if not name.isascii() or not name.isalnum() or name.lower() == "end":
                raise ValueError(f"A node's name is letters and digits, and not 'end'; got {name!r}.")
        for arrow in self.arrows:
            for name in (arrow.start, arrow.end):
                if name not in self.nodes:
                    raise ValueError(
                        f"An arrow joins a node {name!r} that there is not; there are {', '.join(self.nodes)}."
                    )
        self.layers()

    def layers(self) -> list[list[str]]:
        """Names of the nodes in rows from the top: each below all that point to it, as far left as they are."""
        row: dict[str, int] = dict.fromkeys(self.nodes, 0)
        for _ in range(len(row)):
            moved = False
            for arrow in self.arrows:
                if row[arrow.end] < row[arrow.start] + 1:
                    row[arrow.end], moved = row[arrow.start] + 1, True
            if not moved:
                break
        else:
            raise ValueError("The arrows of a diagram must not go round in a circle.")
        place: dict[str, float] = {}
        found = []
        for level in range(max(row.values()) + 1):
            names = [name for name in self.nodes if row[name] == level]
            above = {n: [place[a.start] for a in self.arrows if a.end == n and a.start in place] for n in names}
            names.sort(key=lambda n: sum(above[n]) / len(above[n]) if above[n] else 0.0)
            place.update({name: (i + 0.5) / len(names) for i, name in enumerate(names)})
            found.append(names)
        return found

    # --- the three forms --------------------------------------------------------------------------

    def mermaid(self) -> str:
        """The chart as Mermaid text."""
        lines = ["---", f"title: {_quoted(self.title)}", "---"] if self.title else []
        lines.append("graph TB")
        lines += [f"    {name}[{_quoted(text)}]" for name, text in self.nodes.items()]
        for arrow in self.arrows:
            middle = f"-- {_quoted(arrow.label)} -->" if arrow.label else "-->"
            lines.append(f"    {arrow.start} {middle} {arrow.end}")
        return "\n".join(lines)

    def draw(self) -> Figure:
        """The chart as a figure: boxes in rows, each arrow with its label on a white ground."""
        from course import plots

        rows = self.layers()
        widest = max(len(names) for names in rows)
        fig, ax = plots.figure(width=max(4.0, 2.6 * widest), height=0.5 + 1.55 * len(rows))
        ax.set_axis_off()
        ax.set(xlim=(0, 1), ylim=(len(rows) - 0.55, -0.45))
        where = {name: ((i + 0.5) / len(names), y) for y, names in enumerate(rows) for i, name in enumerate(names)}
        box = {
            "boxstyle": "round,pad=0.5",
            "facecolor": "#EAF2F8",
            "edgecolor": plots.COLOURS["blue"],
            "linewidth": 1.4,
        }
        boxes = {}
        for name, text in self.nodes.items():
            wrapped = "\n".join(textwrap.fill(piece, 24) for piece in text.split("\n"))
            boxes[name] = ax.text(*where[name], wrapped, ha="center", va="center", fontsize=10.5, bbox=box, zorder=3)
        for arrow in self.arrows:
            patches = {"patchA": boxes[arrow.start].get_bbox_patch(), "patchB": boxes[arrow.end].get_bbox_patch()}
            ax.annotate(
                "",
                xy=where[arrow.end],
                xytext=where[arrow.start],
                arrowprops={"arrowstyle": "-|>", "color": plots.COLOURS["grey"], "linewidth": 1.5, **patches},
                zorder=1,
            )
            if arrow.label:
                (x0, y0), (x1, y1) = where[arrow.start], where[arrow.end]
                ax.text(
                    x0 + 0.55 * (x1 - x0), y0 + 0.55 * (y1 - y0), arrow.label, ha="center", va="center", fontsize=9.5,
                    color=plots.COLOURS["black"], zorder=2,
                    bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"},
                )  # fmt: skip
        if self.title:
            ax.set_title(self.title)
        return fig

    def _picture(self, kind: str) -> bytes:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        fig, file = self.draw(), io.BytesIO()
        FigureCanvasAgg(fig)
        with mpl.rc_context({"svg.hashsalt": "diagram"}):  # the same bytes each time
            fig.savefig(file, format=kind, dpi=100, metadata={"Software": None} if kind == "png" else {"Date": None})
        return file.getvalue()

    def png(self) -> bytes:
        """The picture, in pixels."""
        return self._picture("png")

    def svg(self) -> str:
        """The picture, in lines."""
        return self._picture("svg").decode()

    def __str__(self) -> str:
        lines = [self.title] if self.title else []
        for arrow in self.arrows:
            start, end, label = (
                " ".join(text.split()) for text in (self.nodes[arrow.start], self.nodes[arrow.end], arrow.label)
            )
            lines.append(f"{start} -> {end}" + (f": {label}" if label else ""))
        return "\n".join(lines) or "\n".join(self.nodes.values())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook stores: Mermaid, the picture twice, and plain text; each front end takes what it can show.

        JupyterLab prefers Mermaid to SVG. nbconvert prefers SVG to Mermaid, for which its page would need the network.
        """
        return {
            MERMAID: self.mermaid(),
            "image/svg+xml": self.svg(),
            "image/png": base64.b64encode(self.png()).decode(),
            "text/plain": str(self),
        }
