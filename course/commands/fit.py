"""`course fit RUNS.csv`: a scaling law through anyone's runs, with intervals, warnings, predictions and a figure."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course.commands.tables import Runs
    from course.laws import Fit

__all__ = ["configure", "run"]

LAWS = ("power", "power-floor", "broken", "auto", "kaplan", "chinchilla", "isoflop", "envelope")
SPLITS_COMPUTE = ("chinchilla", "kaplan", "isoflop", "envelope")
SUFFIXES = (".png", ".svg", ".pdf")
FAR = 10.0
"""A prediction this many times beyond the runs gets a warning."""
ALIKE = 0.98
"""Logs of n_params and tokens that are correlated this closely, either way, get a warning."""

_EPILOG = """\
laws:
  power        y = A x^-alpha
  power-floor  y = E + A x^-alpha
  broken       a power law with floor whose exponent changes once
  auto         a choice among these and a power law through the larger half of the points ("recent power"),
               by their error on the largest points; simpler laws are favoured
  kaplan       L = [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D
  chinchilla   L = E + A / N^alpha + B / D^beta
  isoflop      N_opt = G C^a, from the best size at each budget of compute
  envelope     the same, from the lower envelope of learning curves

examples:
  course fit runs.csv
  course fit runs.csv --columns n_params=params,loss=val_loss --where dataset=c4 --plot fit.png
  course fit runs.csv --law chinchilla --predict n_params=1e9,tokens=2e10 --predict flops=1e21
  course fit curve.csv --columns x=samples,y=error --predict x=1e7
  course fit sweeps/characters-quick --law isoflop --json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; `--json` is the caller's."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("runs", metavar="RUNS", help="a CSV file, - for standard input, a sweep's folder, or a recorded sweep by name")
    add("--law", choices=LAWS, help="default: chinchilla for n_params, tokens, loss; auto for x, y")
    add("--columns", action="append", default=[], metavar="OURS=YOURS,...", help="your names: loss=val_loss,tokens=D")
    add("--where", action="append", default=[], metavar="CONDITION", help="rows to fit: dataset=c4, tokens>=1e9")
    add("--drop-largest", type=int, default=0, metavar="K", help="leave out the K largest losses")
    add("--predict", action="append", default=[], metavar="AT", help="n_params=1e9,tokens=2e10 or flops=1e21 or x=1e6")
    add("--plot", metavar="FILE", help="draw the fit: .png, .svg or .pdf")
    add("--bootstrap", type=int, default=1000, metavar="N", help="resamples for intervals (1000); 0 for none")
    add("--bootstrap-by", choices=("point", "seed"), help="resample single runs, or whole seeds (column seed)")
    add("--level", type=float, default=0.95, metavar="P", help="share of an interval (0.95)")
    add("--delta", type=float, metavar="D", help="where the Huber loss of log loss turns into a line (0.001)")
    add("--starts", type=int, metavar="N", help="starts of the optimiser")
    add("--method", choices=("parabola", "akima"), help="isoflop: the curve through a budget's sizes (parabola)")
    add("--seed", type=int, default=0, help="of starts and resamples (0)")


def run(args: argparse.Namespace) -> int:
    """Fit, and print a report or JSON. Returns 0; raises ValueError, one sentence, for what cannot be fitted."""
    points = [_point(text) for text in args.predict]
    plot = _writable(args.plot) if args.plot else None
    from course import laws
    from course.commands import tables

    pairs = [_pair(part) for text in args.columns for part in text.split(",")]
    table = tables.read(args.runs).renamed(pairs).where(args.where)
    law = args.law or table.law(ours for ours, _ in pairs)
    if not (args.law or pairs) and law == "auto":
        table = replace(table, notes=(*table.notes, *table.other_reading()))
    runs = table.runs(law, drop_largest=args.drop_largest)
    _check(law, points)
    try:
        fit = laws.fit(
            law, runs.columns, bootstrap=args.bootstrap, seed=args.seed, level=_level(args.level), **_options(args)
        )
    except ValueError as error:
        raise ValueError(_as_options(str(error))) from None
    predictions = [_predicted(fit, runs, point) for point in points]
    found = {
        "law": fit.law,
        "params": dict(fit.params),
        "interval": {name: list(ends) for name, ends in fit.interval.items()},
        "level": fit.level,
        "standard_error": dict(fit.standard_error),
        "objective": fit.objective,
        "starts_at_optimum": fit.starts_at_optimum,
        "n_points": fit.n_points,
        "residuals": _left_over(fit, runs),
        "optima": [vars(one) for one in fit.optima],
        "held_out": dict(fit.held_out),
        "predictions": predictions,
        "warnings": _warnings(args, fit, runs, predictions),
    }
    if plot:
        _draw(fit, runs, plot, points, dict(pairs))
    if args.json:
        print(json.dumps(_plain(found), indent=2, allow_nan=False))
        return 0
    from course.commands import fit_report

    print(fit_report.text(fit, runs, law, found))
    if plot:
        print(f"\nFigure: {plot}")
    return 0


# --- reading the arguments ------------------------------------------------------------------------


def _pair(text: str) -> tuple[str, str]:
    ours, equals, yours = (part.strip() for part in text.partition("="))
    if not (ours and equals and yours):
        raise ValueError(f"--columns is OURS=YOURS,... such as loss=val_loss,n_params=params; got {text!r}.")
    return ours, yours


def _point(text: str) -> dict[str, float]:
    """ "n_params=1e9,tokens=2e10" as a dict."""
    point = {}
    for part in text.split(","):
        name, equals, value = (each.strip() for each in part.partition("="))
        try:
            number = float(value.replace("_", "?"))
        except ValueError:
            number = math.nan
        if not (name and equals and math.isfinite(number) and number > 0):
            raise ValueError(
                "--predict is NAME=NUMBER,... with positive numbers, such as n_params=1e9,tokens=2e10 or flops=1e21; "
                f"got {text!r}."
            )
        if name in point:
            raise ValueError(f"--predict names {name} twice in {text!r}: give one --predict for each point.")
        point[name] = number
    return point


def _check(law: str, points: list[dict[str, float]]) -> None:
    """Raise ValueError when the law cannot predict from what `--predict` gives."""
    from course.laws import FORMULAS

    wanted = FORMULAS[law].columns if law in FORMULAS else ("x",)
    for point in points:
        if set(point) != set(wanted) and not (set(point) == {"flops"} and law in SPLITS_COMPUTE):
            also = ", or from flops" if law in ("chinchilla", "kaplan") else ""
            raise ValueError(
                f"The law {law} predicts from {' and '.join(wanted)}{also}; --predict gives {' and '.join(point)}."
            )


def _level(level: float) -> float:
    if 1 < level < 100:
        raise ValueError(f"--level is a share between 0 and 1; write {level / 100:g} for {level:g} %.")
    return level


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `course.laws.fit` that were given."""
    if 0 < args.bootstrap < 10:
        raise ValueError(f"--bootstrap {args.bootstrap} cannot show an interval: give 1000, or 0 for no intervals.")
    names = ("delta", "starts", "method", "bootstrap_by")
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def _writable(file: str) -> Path:
    """The path of a figure, when it can be written there; tried before the fit, which may take a while."""
    path = Path(file).expanduser()
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"--plot writes .png, .svg or .pdf, by the ending of the name; got {file!r}.")
    if path.is_dir() or not path.parent.is_dir():
        what = "it is a folder" if path.is_dir() else f"there is no folder {str(path.parent)!r}"
        raise ValueError(f"The figure {file!r} cannot be written: {what}.")
    there = path.exists()
    try:
        with path.open("ab"):
            pass
        if not there:
            path.unlink()
    except OSError as error:
        raise ValueError(f"The figure {file!r} cannot be written ({error.strerror or error}).") from None
    return path


# --- what was found -------------------------------------------------------------------------------


def _predicted(fit: Fit, runs: Runs, point: dict[str, float]) -> dict[str, Any]:
    """A prediction: `interval` is the law's, `run_interval` where one new run is expected.

    For `flops` alone, the best split of that compute. `beyond` is how many times the point lies outside the runs.
    """
    from course import laws

    if set(point) == {"flops"} and fit.law in SPLITS_COMPUTE:
        try:
            best = laws.compute_optimal(fit, point["flops"])
        except ValueError as error:  # what was fitted is reported all the same
            return {"at": point, "interval": {}, "reason": str(error), "beyond": _beyond(fit, runs, point)}
        found: dict[str, Any] = {"at": point, "n_params": best.n_params, "tokens": best.tokens, "loss": best.loss}
        found["interval"] = {name: list(ends) for name, ends in best.interval.items() if all(map(math.isfinite, ends))}
        if not math.isfinite(best.loss):
            found["loss"], ends = _loss_of_optima(fit, point["flops"])
            found["interval"] |= {"loss": ends} if ends else {}
        split = {"n_params": best.n_params, "tokens": best.tokens}
        return found | {"beyond": _beyond(fit, runs, point | split)}
    target = fit.formula.target
    found = {"at": point, target: float(fit.predict(**point)[0]), "interval": {}, "run_interval": {}}
    if fit.samples:
        for name, run_too in (("interval", False), ("run_interval", True)):
            low, high = fit.predict_interval(observation=run_too, **point)
            found[name] = {target: [float(low[0]), float(high[0])]}
    return found | {"beyond": _beyond(fit, runs, point)}


def _loss_of_optima(fit: Fit, flops: float) -> tuple[float, list[float]]:
    """Loss at the best size for a budget, from a power law with floor through the budgets' optima.

    With its interval, where there are enough optima for one.
    """
    from course import laws

    inside = [one for one in fit.optima if not one.edge and math.isfinite(one.loss)]
    if len(inside) < 4:
        return math.nan, []
    many = 300 if fit.samples and len(inside) >= 8 else 0
    C, L = [one.flops for one in inside], [one.loss for one in inside]
    curve = laws.fit_power_floor(C, L, bootstrap=many, level=fit.level)
    loss = float(curve.predict(x=flops)[0])
    if not many:
        return loss, []
    low, high = curve.predict_interval(observation=False, x=flops)
    return loss, [float(low[0]), float(high[0])]


def _beyond(fit: Fit, runs: Runs, point: dict[str, float]) -> float:
    """How many times a point lies outside the range of the fitted runs, in the column where that is most; 1 inside."""
    columns = {name: values if fit.used is None else values[fit.used] for name, values in runs.columns.items()}
    if {"n_params", "tokens"} <= set(columns):
        columns.setdefault("flops", 6 * columns["n_params"] * columns["tokens"])
        if {"n_params", "tokens"} <= set(point):
            point = {**point, "flops": 6 * point["n_params"] * point["tokens"]}
    return max(
        max(value / float(columns[name].max()), float(columns[name].min()) / value, 1.0)
        for name, value in point.items()
        if name in columns
    )


def _left_over(fit: Fit, runs: Runs) -> dict[str, Any]:
    """Summary of the residuals, logs of observed over predicted; the worst one by row (or by budget)."""
    import numpy as np

    rows, left = runs.rows, fit.residuals
    if fit.used is not None:
        rows, left = rows[fit.used], left[fit.used]
    at = int(np.argmax(np.abs(left)))
    found = {
        "median": float(np.median(left)),
        "rms": float(np.sqrt(np.mean(left**2))),
        "worst": float(left[at]),
    }
    if fit.optima:
        return found | {"worst_budget": [one.flops for one in fit.optima if not one.edge][at]}
    return found | {"worst_row": int(rows[at])}


def _warnings(args: argparse.Namespace, fit: Fit, runs: Runs, predictions: list[dict[str, Any]]) -> list[str]:
    """What the table, the fit and the predictions have to say, in the words of the command line."""
    said = [*runs.notes, *fit.warnings, *_together(fit, runs), *_copies(runs)]
    for found in predictions:
        if found["beyond"] > FAR:
            at = ", ".join(f"{name}={value:g}" for name, value in found["at"].items())
            said.append(
                f"The prediction at {at} lies {found['beyond']:,.0f} times beyond the runs: no interval covers a law that "
                "changes on the way, so make a run in between first."
            )
    if fit.optima and any(math.isfinite(found.get("loss", math.nan)) for found in predictions):
        inside = sum(not one.edge for one in fit.optima)
        said.append(
            f"Predicted losses are those of a power law with floor through {inside} optima: take them as a guide."
        )
    if 0 < args.bootstrap < 200:
        said.append(f"Intervals from {args.bootstrap} resamples are rough: give --bootstrap 1000.")
    return list(dict.fromkeys(map(_as_options, said)))


def _together(fit: Fit, runs: Runs) -> list[str]:
    """A sentence where size and data change together, so that no surface can tell what each of them does."""
    if fit.law not in ("chinchilla", "kaplan"):
        return []
    import numpy as np

    alike = float(np.corrcoef(np.log(runs.columns["n_params"]), np.log(runs.columns["tokens"]))[0, 1])
    if abs(alike) < ALIKE:
        return []
    how = "at nearly one ratio of tokens to parameters" if alike > 0 else "at nearly one budget of compute"
    return [
        f"All runs lie {how}, so the effects of n_params and tokens cannot be told apart: trust neither the exponents nor "
        "a best size nor a prediction elsewhere; add runs that change one of the two alone."
    ]


def _copies(runs: Runs) -> list[str]:
    """A sentence on rows that repeat another one in every column."""
    rows = list(zip(*(values.tolist() for values in runs.columns.values()), strict=True))
    again = len(rows) - len(set(rows))
    if not again:
        return []
    what = "1 row repeats another one" if again == 1 else f"{again} rows repeat other ones"
    return [
        f"{what} in every column read. Each counts as a run of its own, so intervals are too narrow: leave copies out."
    ]


def _as_options(sentence: str) -> str:
    """A sentence of the package that names its arguments, in the words of the command line."""
    turned = (('bootstrap_by="seed"', "--bootstrap-by seed"), ("raise starts", "raise --starts"))
    for theirs, ours in turned:
        sentence = sentence.replace(theirs, ours)
    return sentence


def _draw(fit: Fit, runs: Runs, path: Path, points: list[dict[str, float]], names: dict[str, str]) -> None:
    import matplotlib as mpl

    from course import fit_plots, plots

    with mpl.rc_context():
        plots.style()
        figure = fit_plots.draw_fit(fit, runs.columns, at=points, names=names)
        try:
            figure.savefig(path, dpi=150)
        except OSError as error:
            raise ValueError(f"The figure {str(path)!r} cannot be written ({error.strerror or error}).") from None


def _plain(value: Any) -> Any:
    """For JSON: numbers that are not finite become null."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
