"""`course sweep`: train a family of models at many sizes and budgets, and see the IsoFLOP curves."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from course.laws import Fit
    from course.sweeps import Cost, Plan

__all__ = ["configure", "run"]

_EXAMPLES = """\
examples:
  course sweep --list
  course sweep characters-quick
  course sweep --task bytes --family transformer --sizes 8,16,32,64 --budgets 3e9:3e11:5 --seeds 3 --out my-sweep
  course sweep characters-quick --dry-run
  course sweep characters --executor ray --address 10.0.0.1:6379 --out shared/characters

The same command goes on where a stopped one ended. `course fit OUT/runs.csv` fits laws to the result.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("preset", nargs="?", help="a plan by name (--list shows them); options below change it")
    parser.add_argument("--list", action="store_true", help="list the presets, tasks and families")
    parser.add_argument("--task", help="what to learn: characters, bytes, digits, mnist1d, smooth, ...")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="option of the task, d=4")
    parser.add_argument("--file", help="a text file for the text tasks, in place of Python's own sources")
    parser.add_argument("--family", help="linear, mlp, conv, char_mlp or transformer")
    parser.add_argument("--sizes", metavar="8,16,32", help="values of the size dial")
    parser.add_argument("--budgets", metavar="FLOPS", help="training FLOPs: 1e10,1e11 or LOWEST:HIGHEST:NUMBER")
    parser.add_argument("--steps", metavar="2000", help="in place of budgets: the same steps for every size")
    parser.add_argument(
        "--rates", metavar="0.003,0.01", help="several peak learning rates at size 64, each with all runs"
    )
    parser.add_argument("--seeds", metavar="3", help="how many seeds, or which: 0,1,2")
    parser.add_argument("--rate", type=float, help="peak learning rate at size 64")
    parser.add_argument("--batch", type=int, help="samples a step")
    parser.add_argument("--schedule", choices=("wsd", "cosine", "constant"), help="of the learning rate")
    parser.add_argument("--out", metavar="FOLDER", help="where records go (sweeps/NAME)")
    parser.add_argument(
        "--executor",
        choices=("auto", "process", "processes", "ray"),
        default="auto",
        help="where runs are made: here, in several processes (what auto chooses without a GPU), or on a Ray cluster",
    )
    parser.add_argument("--workers", type=int, help="processes (one a core, as far as memory goes; one with a GPU)")
    parser.add_argument("--address", metavar="HOST:PORT", help="of the Ray cluster's head; auto: one on this machine")
    parser.add_argument("--device", choices=("cpu", "gpu"), help="insist on one; without this, what there is")
    parser.add_argument("--backend", choices=("tensorflow", "jax"), help="what trains (KERAS_BACKEND, or tensorflow)")
    parser.add_argument("--dry-run", action="store_true", help="show the plan and what it costs on GPUs, run nothing")
    parser.add_argument(
        "--utilisation", type=float, default=0.1, help="share of a GPU's peak that --dry-run assumes (0.1)"
    )
    parser.add_argument("--watts", type=float, help="that this machine draws, for the energy that --dry-run shows")
    parser.add_argument("--no-figure", action="store_true", help="draw no IsoFLOP figure")


# --- reading the arguments ------------------------------------------------------------------------


def _numbers(name: str, text: str, kind: type) -> tuple[Any, ...]:
    try:
        return tuple(kind(part) for part in text.replace(" ", "").split(",") if part)
    except ValueError:
        example = "8,16,32" if kind is int else "1e10,1e11"
        raise ValueError(f"--{name} is a list of numbers such as {example}; got {text!r}.") from None


def _budgets(text: str) -> tuple[float, ...]:
    from course.sweeps import isoflop_budgets

    if text.count(":") != 2:
        return _numbers("budgets", text, float)
    try:
        lowest, highest, number = text.split(":")
        return isoflop_budgets(float(lowest), float(highest), int(number))
    except ValueError:
        raise ValueError(f"--budgets is LOWEST:HIGHEST:NUMBER such as 1e10:1e12:5; got {text!r}.") from None


def _options(args: argparse.Namespace) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for given in args.option:
        name, equals, value = given.partition("=")
        if not equals or not name:
            raise ValueError(f"--option is NAME=VALUE such as d=4; got {given!r}.")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    if args.file:
        options["file"] = args.file
    return options


def _plan(args: argparse.Namespace) -> Plan:
    """The plan of these arguments: a preset with changes, or one from its parts."""
    from dataclasses import replace

    from course import sweeps
    from course.data import task

    changes: dict[str, Any] = {}
    if args.sizes:
        changes["sizes"] = _numbers("sizes", args.sizes, int)
    if args.budgets:
        changes["budgets"] = _budgets(args.budgets)
    if args.steps:
        changes["steps"] = _numbers("steps", args.steps, int)
        if args.preset and not args.budgets:
            changes["budgets"] = ()
    if args.rates:
        changes["rates"] = _numbers("rates", args.rates, float)
    if args.seeds:
        seeds = _numbers("seeds", args.seeds, int)
        changes["seeds"] = seeds if "," in args.seeds else tuple(range(seeds[0])) if seeds else ()
    options = _options(args)
    if options:
        changes["options"] = tuple(sorted(options.items()))
    if args.preset:
        if args.task or args.family:
            raise ValueError("Give a preset, or --task and --family, not both: a preset has its own.")
        plan: Plan | None = sweeps.preset(args.preset)
    else:
        missing = [name for name in ("task", "family", "sizes", "budgets") if not getattr(args, name)]
        if args.steps and "budgets" in missing:
            missing.remove("budgets")
        if missing:
            raise ValueError(
                f"A sweep needs a preset (`course sweep --list`) or all of --task, --family, --sizes and --budgets (or --steps); "
                f"missing: {', '.join('--' + name for name in missing)}."
            )
        changes |= {"task": args.task, "family": args.family}
        changes["recipe"] = sweeps.standard_recipe(task(args.task, **options), args.family)
        plan = None
    recipe_changes = {
        name: getattr(args, name) for name in ("rate", "batch", "schedule") if getattr(args, name) is not None
    }
    if recipe_changes:
        changes["recipe"] = replace(plan.recipe if plan else changes["recipe"], **recipe_changes)
    return replace(plan, **changes) if plan else sweeps.Plan(**changes)


# --- showing --------------------------------------------------------------------------------------


def _list() -> int:
    from course.data import TASKS
    from course.models import FAMILIES
    from course.sweeps import PRESETS

    print("Presets:")
    for name, (about, _) in PRESETS.items():
        print(f"  {name:22} {about}")
    print("Families, and what their size is:")
    for family in FAMILIES.values():
        print(f"  {family.name:22} {family.size_is}")
    print(f"Tasks: {', '.join(TASKS)}.")
    return 0


def _show(plan: Plan) -> None:
    table = plan.table()
    rates = f", {len(plan.rates)} rates" if plan.rates else ""
    print(
        f"{plan.family} on {plan.task}, {len(plan.seeds)} seed{'s' * (len(plan.seeds) > 1)}{rates}; steps of each run:"
    )
    by = "steps" if plan.steps else "budget"
    steps = (
        table.drop_duplicates(["size", by]).assign(taken=table["steps"]).pivot_table("taken", ["size", "n_params"], by)
    )
    heads = "".join(f"{column:>10,.0f}" if plan.steps else f"{column:>10.2g}" for column in steps.columns)
    print(f"{'size':>8}{'parameters':>12} |{heads}  {'steps' if plan.steps else 'FLOPs'}")
    for (size, n_params), row in steps.iterrows():
        print(f"{size:>8}{n_params:>12,} |" + "".join(f"{'-' if n != n else f'{n:,.0f}':>10}" for n in row))


def _settings(args: argparse.Namespace, plan: Plan) -> dict[str, Any]:
    """Where the runs are to be made, for `sweeps.run`. Raises ValueError, CannotRunError for what is not there."""
    workers = args.workers
    if workers is not None and workers < 1:
        raise ValueError(f"--workers is a number of processes, 1 or more; got {workers}.")
    on_ray = args.executor == "ray" or (args.executor == "auto" and args.address)
    if not on_ray:
        from course.sweeps import making

        making.use(args.device, args.backend)
        if workers is None:
            workers = 1 if args.executor == "process" else _workers(args, plan)
    names = ("executor", "address", "device", "backend")
    return {name: getattr(args, name) for name in names} | {"workers": workers}


def _workers(args: argparse.Namespace, plan: Plan) -> int:
    """As many processes as serve this machine best: one where there is a GPU, else one a core."""
    from course import machine, sweeps

    machine.import_backend(args.backend)
    if machine.gpus():
        return 1
    largest = max(sweeps.process_bytes(plan, size) for size in {config.size for config in plan.runs})
    return sweeps.default_workers(largest)


def _law(frame: pd.DataFrame) -> Fit:
    """The best size at each budget and the line through them; ValueError where the sweep shows none."""
    from course.laws import fit_isoflop

    good = frame[~frame["diverged"]]
    if good.empty:
        raise ValueError("No run ended with a loss, so there is no best size: lower the learning rate with --rate.")
    return fit_isoflop(good["flops"], good["n_params"], good["loss"], budget=good["budget"], bootstrap=300)


def run(args: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    if args.list:
        return _list()
    from course import sweeps

    plan = _plan(args)
    settings = _settings(args, plan)
    workers = settings["workers"] or 1
    out = Path(args.out or Path("sweeps") / (args.preset or f"{plan.task}-{plan.family}"))
    if args.dry_run or not args.json:
        cost = sweeps.cost(plan, workers)
    if not args.json:
        _show(plan)
        print(f"Predicted: {cost} in {workers} process{'es' * (workers > 1)}.", flush=True)
    if args.dry_run:
        return _price(args, plan, cost)
    try:
        frame = sweeps.run(plan, out, progress=not args.json, **settings)
    except KeyboardInterrupt:
        done = _finished(out)
        kept = "1 finished run is" if done == 1 else f"{done} finished runs are"
        print(f"\ncourse: stopped; {kept} kept in {out}. The same command goes on from there.", file=sys.stderr)
        return 130
    law, why = None, ""
    if plan.budgets:  # equal steps are no equal budgets
        try:
            law = _law(frame)
        except ValueError as error:
            why = str(error)
    try:
        frame.to_csv(out / "runs.csv", index=False)
        figure = None if args.no_figure or not plan.budgets else _figure(frame, law, out)
    except OSError as error:
        raise ValueError(
            f"All runs are kept in {out}, but their table or figure could not be written ({error.strerror or error}): "
            "give the same command again when that is mended."
        ) from None
    outcomes = frame["outcome"].value_counts().to_dict()
    if args.json:
        print(
            json.dumps(
                {
                    "out": str(out),
                    "runs": len(frame),
                    "diverged": outcomes.get("diverged", 0),
                    "out_of_memory": outcomes.get("out of memory", 0),
                    "table": str(out / "runs.csv"),
                    "figure": figure,
                }
            )
        )
        return 0
    print(f"{len(frame)} runs in {out / 'runs.csv'}.")
    if n := outcomes.get("diverged"):
        print(f"{n} of them diverged: they are in the table, marked, and take no part in fits.")
    if n := outcomes.get("out of memory"):
        print(
            f"{n} of them did not fit into the device's memory: they are in the table, marked, and take no part in fits; "
            "delete their records to try them on a larger one."
        )
    if frame.attrs.get("skipped"):
        print(f"Left alone, because they are no records: {', '.join(frame.attrs['skipped'][:5])}.")
    if figure:
        print(f"IsoFLOP curves: {figure}")
    if why:
        print(why)
    elif law:
        print(
            f"Compute-optimal size: N_opt ~ C^{law.params['a']:.2f}. `course fit --law isoflop` says how sure that is."
        )
    return 0


def _price(args: argparse.Namespace, plan: Plan, cost: Cost) -> int:
    """What the plan would cost, here and on GPUs."""
    from course.commands import sweep_costs

    estimates = sweep_costs.estimates(plan, cost, args.utilisation, args.watts)
    if args.json:
        runs = json.loads(plan.table().to_json(orient="records"))
        print(json.dumps({"runs": runs, "costs": sweep_costs.rows(estimates)}, indent=1))
    else:
        print(sweep_costs.text(estimates))
    return 0


def _finished(out: Path) -> int:
    from course import sweeps

    try:
        return len(sweeps.load(out))
    except ValueError:
        return 0


def _figure(frame: pd.DataFrame, law: Fit | None, out: Path) -> str | None:
    """Draw the IsoFLOP curves, with their optima where there is a law, into the folder; returns the file."""
    from course import fit_plots, plots

    plots.style()
    path = out / "isoflop.png"
    good = frame[~frame["diverged"]].reset_index(drop=True)
    if good.empty:
        return None
    columns = {name: good[name] for name in good.columns}
    names = {"loss": "loss L (nats)"}  # what every task here is measured in
    figure = fit_plots.draw_isoflop(law, columns, names=names) if law else fit_plots.draw_budgets(columns)
    figure.savefig(path, dpi=150)
    return str(path)
