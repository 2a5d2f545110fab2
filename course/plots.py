"""One look for every figure: palette, theory as lines, measurements as points with intervals.

The palette is Okabe and Ito's (2008), which stays distinct under the common colour-vision
deficiencies; shapes and line styles differ as well, so that no message rests on colour alone.
"""

from __future__ import annotations

import io
import sys
from itertools import combinations
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "GROUND", "MARKERS", "figure", "label", "lay_out_like", "measured", "png", "style", "theory"]

COLOURS = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "pink": "#CC79A7",
    "sky": "#56B4E9",
    "amber": "#E69F00",
    "grey": "#6B6B6B",
    "black": "#222222",
}
MARKERS = ("o", "s", "^", "D", "v", "P")
GROUND: dict[str, Any] = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
"""The `bbox` of words that lines may run through."""


def style() -> None:
    """Set the course's matplotlib style: sentence titles at the left, light grid, legible when small.

    In a notebook it also sees to it that a cell which ends with a figure shows it.
    """
    import matplotlib as mpl
    from cycler import cycler

    if "IPython" in sys.modules:
        from IPython import get_ipython
        from matplotlib.figure import Figure

        if (shell := get_ipython()) is not None:
            shell.display_formatter.formatters["image/png"].for_type(Figure, png)

    order = ("blue", "orange", "green", "pink", "amber", "sky")
    mpl.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=[COLOURS[name] for name in order]),
            "axes.titlelocation": "left",
            "axes.titlesize": 12,
            "axes.titleweight": "bold",
            "axes.titlepad": 10,
            "axes.titley": 1.0,  # where it would be anyway; looking for the place takes a sixth of the time of drawing
            "axes.labelsize": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#E3E3E3",
            "grid.linewidth": 0.7,
            "font.size": 11,
            "legend.frameon": False,
            "lines.linewidth": 2.0,
            "lines.markersize": 6,
            "figure.dpi": 100,
            "savefig.dpi": 100,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
        }
    )


def figure(
    columns: int = 1, rows: int = 1, *, width: float = 7.2, height: float = 3.9, **kwargs: Any
) -> tuple[Figure, Any]:
    """A figure in the course's size, in inches, and its axes (an array where there are several).

    A cell shows it by ending with it. It stays out of pyplot, whose list of open figures is shared:
    JupyterLab runs a slider's redraw beside the cells, and pyplot then shows figures half drawn.
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height))
    return fig, fig.subplots(rows, columns, **kwargs)


_AS_BEFORE: WeakSet[Figure] = WeakSet()
"""Figures whose axes lie where those of an earlier figure did, not yet looked at."""


_FORMULAS: dict[str, Any] = {}
"""matplotlib's reader of formulas, powers of ten at ticks among them, with what it has read: each figure has an empty one."""


def lay_out_like(fig: Figure, before: Figure | None) -> None:
    """Let the axes of a figure lie where those of `before` do, which `png` has drawn and which has as many.

    To find the places takes more than half of the time of drawing. A slider's figures mostly need the same ones, and axes
    that stay where they are are easier to follow; where words no longer fit, `png` lays the figure out anew.
    """
    if before is None or before in _AS_BEFORE or fig.get_layout_engine() is None:
        return
    same = len(fig.axes) == len(before.axes) and tuple(fig.get_size_inches()) == tuple(before.get_size_inches())
    if not same or bool(fig.get_suptitle()) != bool(before.get_suptitle()):
        return
    fig.set_layout_engine("none")
    for ax, there in zip(fig.axes, before.axes, strict=True):
        ax.set_position(there.get_position())
        ax.set_in_layout(True)  # setting the position by hand takes it out of any layout
    if fig.get_suptitle():
        fig._suptitle.set_y(before._suptitle.get_position()[1])  # type: ignore[attr-defined]
    _AS_BEFORE.add(fig)


def png(fig: Figure) -> bytes:
    """The figure as a notebook shows it, in PNG.

    A slider draws its figure anew at every move. matplotlib's own way to save one goes over all artists twice as
    often, to crop it; that is left to figures with words beyond their edge. The minor ticks of a logarithmic axis would
    cost as much as the rest: over more than a decade only those at 2 and 5 are kept, over more than three none.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.ticker import LogLocator, NullLocator
    from PIL import Image

    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            if axis.get_scale() != "log" or low <= 0:
                continue
            if high > 1000 * low:
                axis.set_minor_locator(NullLocator())
            elif (
                high > 10 * low
                and isinstance(axis.get_minor_locator(), LogLocator)
                and getattr(axis.get_transform(), "base", 0) == 10
            ):
                axis.set_minor_locator(LogLocator(subs=(2, 5)))
    canvas, file = FigureCanvasAgg(fig), io.BytesIO()
    renderer = canvas.get_renderer()
    renderer.mathtext_parser = _FORMULAS.setdefault("parser", renderer.mathtext_parser)
    canvas.draw()
    if fig in _AS_BEFORE:
        _AS_BEFORE.discard(fig)
        if _cut(fig) or _crowded(fig, renderer):
            fig.set_layout_engine("constrained")
            canvas.draw()
    if _cut(fig):
        fig.set_layout_engine("none")  # it is laid out
        fig.savefig(file, format="png", bbox_inches="tight")
    else:
        Image.fromarray(np.asarray(canvas.buffer_rgba())).save(file, "png")
    return file.getvalue()


def _crowded(fig: Figure, renderer: Any) -> bool:
    """Whether the axes of a figure that was drawn, with their labels and those of their ticks, overlap or leave it."""
    from matplotlib.transforms import Bbox

    boxes = []
    for ax in fig.axes:
        words = []
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            words += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            words.append(axis.label)
        shown = [word for word in words if word.get_visible() and word.get_text()]
        boxes.append(Bbox.union([ax.bbox, *(word.get_window_extent(renderer) for word in shown)]))
    edge = fig.bbox.padded(0.5)
    if any(b.x0 < edge.x0 or b.y0 < edge.y0 or b.x1 > edge.x1 or b.y1 > edge.y1 for b in boxes):
        return True
    pairs = zip(combinations(boxes, 2), combinations([ax.bbox for ax in fig.axes], 2), strict=True)
    return any(a.overlaps(b) and not c.overlaps(d) for (a, b), (c, d) in pairs)


def _cut(fig: Figure) -> bool:
    """Whether words of a figure that was drawn reach beyond its edge, where its layout does not look: a long title."""
    from matplotlib.text import Text

    words: list[Any] = [*fig.texts, *fig.legends]
    for ax in fig.axes:
        words += [child for child in ax.get_children() if isinstance(child, Text)]
        words += [ax.xaxis.label, ax.yaxis.label, *filter(None, [ax.get_legend()])]
    shown = [word for word in words if word.get_visible() and (not isinstance(word, Text) or word.get_text())]
    boxes = [word.get_window_extent() for word in shown]
    edge = fig.bbox.padded(0.5)
    return any(b.x0 < edge.x0 or b.y0 < edge.y0 or b.x1 > edge.x1 or b.y1 > edge.y1 for b in boxes)


def theory(ax: Axes, x: Any, y: Any, *, colour: str = "black", **kwargs: Any) -> Any:
    """Draw what theory says as a dashed line. Returns the line, to be handed to `label`."""
    kwargs = {"linestyle": "--", "linewidth": 1.6, "zorder": 2, **kwargs}
    (line,) = ax.plot(x, y, color=COLOURS.get(colour, colour), **kwargs)
    return line


def measured(
    ax: Axes,
    x: Any,
    y: Any,
    low: Any = None,
    high: Any = None,
    *,
    colour: str = "blue",
    marker: str = "o",
    **kwargs: Any,
) -> Any:
    """Draw measurements as points, with the interval from `low` to `high` where given."""
    shade = COLOURS.get(colour, colour)
    bars = None
    if low is not None and high is not None:
        y_ = np.asarray(y, dtype=float)
        bars = np.vstack([y_ - np.asarray(low, dtype=float), np.asarray(high, dtype=float) - y_])
    kwargs = {"capsize": 3, "linewidth": 1.4, "zorder": 3, **kwargs}
    return ax.errorbar(x, y, yerr=bars, fmt=marker, color=shade, **kwargs)


def label(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    *,
    colour: str = "black",
    offset: tuple[float, float] = (6, 4),
    **kwargs: Any,
) -> Any:
    """Write `text` beside the point (x, y), in data units, moved by `offset` points: a direct label."""
    return ax.annotate(
        text,
        (x, y),
        xytext=offset,
        textcoords="offset points",
        color=COLOURS.get(colour, colour),
        fontsize=10,
        **kwargs,
    )
