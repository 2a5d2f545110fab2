"""Figures with sliders: a plain drawing function, and one thin call that makes it interactive.

Each interactive figure of a lesson is a function in `course/widgets/<lesson>.py` that takes
numbers and returns a matplotlib figure, so that it can be tested and drawn without a browser.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from course import plots

__all__ = ["STATIC", "explore", "log_slider", "slider"]

STATIC = "COURSE_STATIC"
"""Set by the build: `explore` then draws one figure, which a web page can show."""


def slider(value: float, low: float, high: float, step: float, label: str) -> dict[str, Any]:
    """A slider over low..high in steps of `step`; whole numbers give a whole-number slider."""
    return {"value": value, "min": low, "max": high, "step": step, "description": label}


def log_slider(value: float, low: float, high: float, label: str, per_decade: int = 10) -> dict[str, Any]:
    """A slider that moves by equal factors from `low` to `high`, `per_decade` stops a decade."""
    return {"value": value, "min": low, "max": high, "per_decade": per_decade, "description": label}


def _control(spec: dict[str, Any]) -> Any:
    import math

    import ipywidgets as ipw

    look = {"style": {"description_width": "initial"}, "layout": ipw.Layout(width="440px")}
    if "per_decade" in spec:
        low, high = math.log10(spec["min"]), math.log10(spec["max"])
        # On the slider's grid from the start: the browser would move it there and draw twice.
        stop = round((math.log10(spec["value"]) - low) * spec["per_decade"]) / spec["per_decade"]
        return ipw.FloatLogSlider(
            value=10 ** min(low + stop, high),
            min=low,
            max=high,
            step=1 / spec["per_decade"],
            description=spec["description"],
            readout_format=",.3r",
            **look,
        )
    whole = all(isinstance(spec[key], int) for key in ("value", "min", "max", "step"))
    kind = ipw.IntSlider if whole else ipw.FloatSlider
    extra = {} if whole else {"readout_format": ".3g"}
    return kind(**spec, **extra, **look)


def explore(draw: Callable[..., Any], **controls: dict[str, Any]) -> None:
    """Draw `draw(**values)` and redraw it whenever one of the sliders moves.

    `controls` maps each argument of `draw` to a `slider` or `log_slider`. Without a live notebook
    (or while the notebooks are built) the figure is drawn once, at the sliders' starting values.
    """
    from IPython.display import display

    if os.environ.get(STATIC):
        display(draw(**{name: spec["value"] for name, spec in controls.items()}))
        return

    import ipywidgets as ipw

    before = None

    def redraw(**values: float) -> None:
        nonlocal before
        figure = draw(**values)
        plots.lay_out_like(figure, before)
        display(figure)
        before = figure

    widgets = {name: _control(spec) for name, spec in controls.items()}
    display(ipw.VBox([*widgets.values(), ipw.interactive_output(redraw, widgets)]))
