"""Figures of lesson 2.1: one model's parameters, FLOPs and bytes by part, conventions, memory in a step, sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course import memory, plots
from course.counting import Counts
from course.models import TransformerShape
from course.published_models import Decoder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from course.compiled import Moment

__all__ = [
    "amount",
    "draw_conventions",
    "draw_model",
    "draw_sizes",
    "draw_step_memory",
    "parts_of",
]

_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def amount(value: float, unit: str = "") -> str:
    """A large number with three digits and a prefix: "175 G", "3.2 MB"."""
    for factor, prefix in _PREFIXES:
        if abs(value) >= 0.9995 * factor:
            number = value / factor
            digits = 0 if number >= 99.95 else 1 if number >= 9.995 else 2
            return f"{number:,.{digits}f} {prefix}{unit}".strip()
    return f"{value:.0f} {unit}".strip()


def _billions(n: float) -> str:
    names = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))
    for factor, name in names:
        if n >= factor:
            return f"{n / factor:.3g} {name}"
    return f"{n:,.0f}"


# --- one model, by part ---------------------------------------------------------------------------

_COLOURS = {
    "embedding": "grey",
    "attention": "blue",
    "feed-forward": "sky",
    "head": "amber",
    "scores": "orange",
    "weights": "blue",
    "gradients": "sky",
    "Adam": "amber",
    "activations": "orange",
}
_DARK = {"grey", "blue", "orange"}


def parts_of(d_model: int, layers: int, vocabulary: int, context: int) -> dict[str, dict[str, float]]:
    """Parameters, forward FLOPs a token and bytes of training one sequence in float32, each by part.

    A Transformer like the course's: feed-forward 4 d_model, head not tied, no table of positions.
    """
    heads = max(1, d_model // 64)
    c = Decoder(layers, d_model, 1, d_model, 4 * d_model, vocabulary, context).counts()  # heads change neither count
    attention = layers * (4 * d_model**2 + d_model)
    kept = memory.activations(
        TransformerShape(context, vocabulary, d_model, layers, heads, 4 * d_model, vocabulary, "alibi")
    )
    state = memory.training_bytes(c.n_params)
    return {
        "parameters": {
            "embedding": c.embedding,
            "attention": attention,
            "feed-forward": c.n_params_body - attention,
            "head": c.head,
        },
        "FLOPs a token": {
            "attention": 2 * layers * 4 * d_model**2,
            "feed-forward": 2 * layers * 8 * d_model**2,
            "scores": c.attention_flops,
            "head": c.head_flops,
        },
        "bytes to train": {
            "weights": state["weights"],
            "gradients": state["gradients"],
            "Adam": state["optimiser"],
            "activations": 4 * sum(kept.values()),
        },
    }


def draw_model(d_model: int = 256, layers: int = 4, vocabulary: int = 8000, context: int = 256) -> Figure:
    """Three stacked bars of one Transformer: where its parameters, its FLOPs and its bytes are."""
    d_model, layers, vocabulary, context = (round(v) for v in (d_model, layers, vocabulary, context))
    parts = parts_of(d_model, layers, vocabulary, context)
    fig, ax = plots.figure(width=8.6, height=3.9)
    units = {"parameters": "", "FLOPs a token": "FLOP", "bytes to train": "B"}
    labels = []
    for row, (name, shares) in enumerate(parts.items()):
        total, left = sum(shares.values()), 0.0
        labels.append(f"{name}\n{_billions(total) if name == 'parameters' else amount(total, units[name])}")
        for part, value in shares.items():
            share, colour = 100 * value / total, _COLOURS[part]
            ax.barh(row, share, left=left, color=plots.COLOURS[colour], edgecolor="white", height=0.62)
            if share > 3 + 0.75 * len(part):
                text, ink = f"{part}\n{share:.0f} %", "white" if colour in _DARK else plots.COLOURS["black"]
                ax.text(left + share / 2, row, text, ha="center", va="center", color=ink, fontsize=9.5)
            left += share
    flops = parts["FLOPs a token"]
    n, forward = sum(parts["parameters"].values()), sum(flops.values())
    ax.set(xlim=(0, 100), xlabel="share (%)", yticks=range(3), yticklabels=labels)
    ax.invert_yaxis()
    ax.grid(False)
    ax.set_title(f"{_billions(n)} parameters; a token takes {forward / n:.2f} FLOPs forward for each of them")
    return fig


# --- conventions ----------------------------------------------------------------------------------

_LINES = {
    "6N": ("black", "-", "o"),
    "6N-no-embedding": ("blue", "--", "s"),
    "6N-body": ("orange", "-.", "^"),
    "6N-attention": ("green", ":", "D"),
    "no-head": ("pink", (0, (5, 1, 1, 1, 1, 1)), "v"),
}


def draw_conventions(families: Mapping[str, Sequence[Counts]]) -> Figure:
    """Training FLOPs by each convention over the exact count, and the share of the tables, against parameters."""
    fig, axes = plots.figure(
        columns=len(families),
        rows=2,
        width=10,
        height=6.4,
        sharex="col",
        sharey="row",
        height_ratios=[2.4, 1],
        squeeze=False,
    )
    for column, (name, counts) in enumerate(families.items()):
        top, bottom = axes[:, column]
        n = np.array([c.n_params for c in counts], dtype=float)
        exact = np.array([c.training_flops(1, "exact") for c in counts])
        for convention, (colour, style, marker) in _LINES.items():
            ratio = np.array([c.training_flops(1, convention) for c in counts]) / exact
            every = max(1, len(n) // 9)
            top.plot(
                n, ratio, color=plots.COLOURS[colour], linestyle=style, marker=marker, markevery=every, label=convention
            )
        top.axhline(1, color=plots.COLOURS["grey"], linewidth=1)
        share = np.array([100 * (c.embedding + c.positions + c.head) / c.n_params for c in counts])
        bottom.plot(n, share, color=plots.COLOURS["grey"], marker="o", markevery=max(1, len(n) // 9))
        bottom.set(xscale="log", xlabel="parameters N", ylim=(0, 100))
        top.set(xscale="log", yscale="log")
        top.set_yticks([0.25, 0.5, 1, 1.5, 2], ["0.25", "0.5", "1", "1.5", "2"])
        top.minorticks_off()
        top.set_title(name, fontsize=11)
    fig.suptitle(
        "The conventions part where a model is small and its tables are large",
        x=0.01,
        ha="left",
        fontsize=13,
        weight="bold",
    )
    axes[0, 0].set_ylabel("convention / exact count")
    axes[1, 0].set_ylabel("tables (% of N)")
    axes[0, 0].legend(loc="lower right", fontsize=10)
    return fig


# --- memory ---------------------------------------------------------------------------------------


def draw_step_memory(runs: Mapping[int, Sequence[Moment]], state_bytes: float) -> Figure:
    """Bytes that a compiled step holds after each of its operations, for several batch sizes, over its state."""
    fig, ax = plots.figure(width=8.6, height=4.3)
    highest = 0.0
    for (batch, moments), colour in zip(sorted(runs.items()), ("sky", "blue", "orange"), strict=False):
        held = np.array([m.bytes for m in moments]) / 1e6
        held = held[int(np.argmax(held > 0)) :]  # what is handed to the step stands first in its list
        done = np.linspace(0, 100, len(held))
        ax.step(done, held, where="post", color=plots.COLOURS[colour])
        ax.fill_between(done, held, step="post", color=plots.COLOURS[colour], alpha=0.1)
        top = int(np.argmax(held))
        highest = max(highest, held[top])
        plots.label(ax, done[top], held[top], f"batch {batch}: {held[top]:.2f} MB", colour="black", offset=(6, 3))
    ax.axhline(state_bytes / 1e6, color=plots.COLOURS["black"], linestyle="--", linewidth=1.2)
    ax.text(101, state_bytes / 1e6, f"weights and\nAdam's state:\n{state_bytes / 1e6:.2f} MB", va="center", fontsize=10)
    ax.set(xlabel="operations of the compiled step done (%)", ylabel="held for this step (MB)", xlim=(0, 100))
    ax.set_ylim(0, 1.1 * highest)
    ax.set_title("Memory fills going forward, empties going backward, and grows with the batch")
    return fig


# --- sizes ----------------------------------------------------------------------------------------


def draw_sizes(models: Mapping[str, tuple[float, Any]], large: float = 1e9) -> Figure:
    """Counted parameters of named models on one logarithmic axis; name -> (parameters, a few words)."""
    fig, ax = plots.figure(width=8.8, height=0.42 * len(models) + 1.3)
    ordered = sorted(models.items(), key=lambda item: item[1][0])
    for row, (_, (n, words)) in enumerate(ordered):
        colour = "orange" if n >= large else "blue"
        ax.plot([1, n], [row, row], color=plots.COLOURS["grey"], linewidth=0.8)
        ax.plot(n, row, "s" if n >= large else "o", color=plots.COLOURS[colour])
        _beside(ax, n, row, f"{_billions(n)}{', ' + words if words else ''}")
    ax.axvline(large, color=plots.COLOURS["black"], linestyle="--", linewidth=1.2)
    ax.set(xscale="log", xlim=(1, 4e15), xlabel="parameters, counted", yticks=range(len(ordered)))
    ax.set_yticklabels([name for name, _ in ordered])
    ax.set_xticks([10.0**k for k in range(0, 13, 3)])
    ax.grid(False, axis="y")
    above = sum(n >= large for _, (n, _) in ordered)
    ax.set_title(f"{above} of these {len(ordered)} models have a billion parameters or more")
    return fig


def _beside(ax: Axes, x: float, y: float, text: str) -> None:
    ax.annotate(
        text,
        (x, y),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        fontsize=9.5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )
