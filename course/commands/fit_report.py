"""The report of `course fit`: a law in a screenful of text, numbers first, warnings last."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course.commands.tables import Runs
    from course.laws import Fit

__all__ = ["text"]

WIDTH = 100
_FORMULAS = {
    "power": "y = {A} x^-{alpha}",
    "power-floor": "y = {E} + {A} x^-{alpha}",
    "broken": "y = {E} + {A} x^-{alpha}, and x^-{alpha2} well beyond x = {x_break}",
    "kaplan": "L = [({N_c} / N)^({alpha_N} / {alpha_D}) + {D_c} / D]^{alpha_D}",
    "chinchilla": "L = {E} + {A} / N^{alpha} + {B} / D^{beta}",
    "isoflop": "N_opt = {G} C^{a}",
    "envelope": "N_opt = {G} C^{a}",
}
_SYMBOLS = {"n_params": "N", "tokens": "D", "loss": "L", "flops": "C"}


def text(fit: Fit, runs: Runs, asked: str, found: Mapping[str, Any]) -> str:
    """The report of a fit; `found` is what `--json` prints."""
    blocks = [
        _head(fit, runs, asked),
        _parameters(fit),
        _optima(fit),
        _quality(fit, found["residuals"]),
        _compute(fit, runs),
        _predictions(fit, found["predictions"]),
        _warnings(found["warnings"]),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def number(value: float, digits: int = 4) -> str:
    """A number in `digits` significant digits: 0.3473, 477.8, 1.2e9."""
    if not math.isfinite(value):
        return "-"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.{digits}g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:.0f}" if abs(rounded) >= 10 ** (digits - 1) else f"{rounded:.{digits}g}"


def _share(fit: Fit) -> str:
    return f"{100 * fit.level:.4g} % interval"


def _head(fit: Fit, runs: Runs, asked: str) -> list[str]:
    formula = _FORMULAS.get(fit.law, fit.law).format(**{name: number(value) for name, value in fit.params.items()})
    formula = formula.replace("+ -", "- ").replace("^--", "^")
    lines = [f"{fit.law}, {fit.n_points} runs:  {formula}"]
    spans = []
    for name in ("x", "y", "n_params", "tokens", "flops", "loss"):
        if name in runs.columns:
            column = runs.columns[name] if fit.used is None else runs.columns[name][fit.used]
            low, high = float(column.min()), float(column.max())
            spans.append(f"{_SYMBOLS.get(name, name)} {number(low, 3)} to {number(high, 3)}")
    lines.append("fitted over  " + ", ".join(spans))
    if fit.held_out:
        errors = sorted(fit.held_out.items(), key=lambda pair: pair[1])
        chosen = fit.law
        if fit.used is not None:
            chosen = f"recent power, a power law through the larger {fit.n_points} of {len(fit.used)} points"
        lines.append(
            f"auto chose {chosen}; error on the largest points, held out:  "
            + ", ".join(f"{n} {e:.2%}" for n, e in errors)
        )
    return lines


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of equal length in columns: the first to the left, the others to the right."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, wide, strict=True)))
        for row in rows
    ]


def _ends(ends: Sequence[float] | None, digits: int = 4) -> str:
    return f"{number(ends[0], digits)} to {number(ends[1], digits)}" if ends else ""


def _parameters(fit: Fit) -> list[str]:
    if not fit.interval:
        return _table([("parameter", "value"), *((name, number(value)) for name, value in fit.params.items())])
    rows = [("parameter", "value", _share(fit), "standard error")]
    rows += [
        (name, number(value), _ends(fit.interval.get(name)), number(fit.standard_error.get(name, math.nan), 3))
        for name, value in fit.params.items()
    ]
    return _table(rows)


def _optima(fit: Fit) -> list[str]:
    """The best size at each budget, for the laws that rest on them."""
    if not fit.optima:
        return []
    rows = [("budget C", "best size N", _share(fit) if fit.samples else "", "loss there", "runs", "")]
    for one in fit.optima:
        ends = (one.low, one.high) if math.isfinite(one.low) else None
        edge = "at the edge of the sizes: left out" if one.edge else ""
        cells = (
            number(one.flops, 3),
            number(one.n_params, 3),
            _ends(ends, 3),
            number(one.loss),
            str(one.n_points),
            edge,
        )
        rows.append(cells)
    return [line.rstrip() for line in _table(rows)]


def _quality(fit: Fit, left: Mapping[str, Any]) -> list[str]:
    worst = f"row {left['worst_row']}" if "worst_row" in left else f"budget {number(left['worst_budget'], 3)}"
    what = "loss" if "worst_row" in left else "best size"
    what = "y" if fit.formula.target == "y" else what
    lines = [
        f"residuals  of {what}: median {math.expm1(left['median']):+.2%}, root mean square {left['rms']:.2%}, "
        f"worst {math.expm1(left['worst']):+.1%} ({worst})"
    ]
    if "worst_row" in left:
        lines.append(
            f"objective  {fit.objective:.6g} (summed Huber loss of log {what}), reached by "
            f"{fit.starts_at_optimum:.0%} of the starts"
        )
    return lines


def _compute(fit: Fit, runs: Runs) -> list[str]:
    """The best use of the largest compute among the runs, and of ten and a hundred times as much."""
    from course import laws

    if fit.law not in ("chinchilla", "kaplan", "isoflop", "envelope"):
        return []
    columns = runs.columns
    most = float((columns["flops"] if "flops" in columns else 6 * columns["n_params"] * columns["tokens"]).max())
    try:
        found = [laws.compute_optimal(fit, most * factor) for factor in (1, 10, 100)]
    except ValueError as error:
        return [f"best use of compute  {error}"]
    has_loss = math.isfinite(found[0].loss)
    rows = [("best use of C = 6 N D", "N", _share(fit), "D", "D / N", "L" if has_loss else "")]
    for best, where in zip(found, ("largest run", "ten times", "a hundred times"), strict=True):
        rows.append(
            (
                f"{number(best.flops, 3)}  ({where})",
                number(best.n_params, 3),
                _ends(best.interval.get("n_params"), 3),
                number(best.tokens, 3),
                number(best.tokens / best.n_params, 3),
                number(best.loss) if has_loss else "",
            )
        )
    keep = [i for i, column in enumerate(zip(*rows, strict=True)) if any(column[1:])]
    return [line.rstrip() for line in _table([[row[i] for i in keep] for row in rows])]


def _predictions(fit: Fit, predictions: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for found in predictions:
        at = ", ".join(f"{name} = {number(value)}" for name, value in found["at"].items())
        if "reason" in found:
            lines.append(f"at {at}: none. {found['reason']}")
            continue
        parts = []
        for name in ("n_params", "tokens", "loss", "y"):
            if name in found and name not in found["at"]:
                ends = _ends(found["interval"].get(name))
                one = _ends(found.get("run_interval", {}).get(name))
                inside = f"law {ends}; one run {one}" if one else ends
                parts.append(f"{name} {number(found[name])}" + (f" ({inside})" if inside else ""))
        how_far = f", {number(found['beyond'], 2)} times beyond the runs" if found["beyond"] > 1.005 else ""
        lines.append(f"at {at}{how_far}: " + ", ".join(parts))
    return ["predicted" + (f", with {_share(fit)}s" if fit.samples else ""), *lines] if lines else []


def _warnings(said: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for sentence in said:
        lines += textwrap.wrap(sentence, WIDTH, initial_indent="- ", subsequent_indent="  ")
    return ["warnings", *lines] if lines else []
