"""Reading a table of runs that people made elsewhere: numbers that a law can be fitted to, or one sentence.

`read(name)` gives the cells of a CSV file (comma, semicolon or tab), of standard input, of a sweep's folder, of a
sweep recorded with the course, or of a published data set. `table.renamed(...)`, `table.where(...)` and
`table.runs(law)` then lead to the columns that the law is fitted to. Every sentence names the row, the column, and
what to do.
"""

from __future__ import annotations

import csv
import io
import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course.laws.columns import LEAST, MOST

__all__ = ["CURVES", "SURFACES", "Runs", "Table", "read"]

CURVES = ("power", "power-floor", "broken", "auto")
SURFACES = ("chinchilla", "kaplan")
_OURS = ("n_params", "tokens", "loss", "flops", "budget", "x", "y", "seed", "diverged")
_OTHER_NAMES = {  # what others call these columns, without case and punctuation
    "n_params": "n params parameters num_params nparams n_parameters model_size size param_count non_embedding_params",
    "tokens": "d n_tokens num_tokens train_tokens training_tokens tokens_seen total_tokens data samples",
    "loss": "l val_loss validation_loss eval_loss test_loss valid_loss loss_val final_loss train_loss cross_entropy",
    "flops": "c flop compute train_flops training_flops training_flop total_flops",
}


@dataclass(frozen=True, eq=False)
class Runs:
    """The columns that a law is fitted to, each (n,); the number of each run's row, (n,); and what was left out."""

    columns: dict[str, NDArray[Any]]
    rows: NDArray[np.int64]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Table:
    """Cells as text: `header`, `cells` (a list a row), the number of each row from 1, and its line in a file (else 0)."""

    header: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    rows: tuple[int, ...]
    lines: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def column(self, name: str) -> list[str]:
        """The cells of a column. Raises ValueError when there is none, or when the header names two."""
        if self.header.count(name) > 1:
            raise ValueError(f"The header names {self.header.count(name)} columns {name!r}: give each its own name.")
        if name not in self.header:
            raise ValueError(f"The table has no column {name!r}; there are {_listed(self.header)}.")
        at = self.header.index(name)
        return [cells[at] for cells in self.cells]

    def keep(self, wanted: Sequence[bool], *notes: str) -> Table:
        """The rows for which `wanted` is true."""
        kept = [i for i, yes in enumerate(wanted) if yes]
        parts = {name: tuple(getattr(self, name)[i] for i in kept) for name in ("cells", "rows", "lines")}
        return replace(self, **parts, notes=(*self.notes, *notes))

    def said(self, at: int) -> str:
        """ "Row 3 (line 4)", for people who look for it."""
        return f"Row {self.rows[at]}" + (f" (line {self.lines[at]})" if self.lines[at] else "")

    # --- shaping ----------------------------------------------------------------------------------

    def renamed(self, pairs: Iterable[tuple[str, str]]) -> Table:
        """The table with a column of ours beside each of yours: pairs (ours, yours).

        Raises ValueError when ours is no name that a law uses, or yours is not in the table.
        """
        table = self
        for ours, yours in pairs:
            if ours not in _OURS:
                turned = f"; turned round it is --columns {yours}={ours}" if yours in _OURS else ""
                raise ValueError(f"--columns maps one of {_listed(_OURS)} to a column of yours; got {ours!r}{turned}.")
            cells = self.column(yours)
            kept = [i for i, name in enumerate(table.header) if name != ours]
            table = replace(
                table,
                header=(*(table.header[i] for i in kept), ours),
                cells=tuple((*(row[i] for i in kept), cell) for row, cell in zip(table.cells, cells, strict=True)),
            )
        return table

    def where(self, conditions: Iterable[str]) -> Table:
        """The rows that meet every condition, such as "dataset=c4", "tokens>=1e9" or "family!=mlp".

        Raises ValueError for a condition that cannot be read, an unknown column, or when no row is left.
        """
        table = self
        for condition in conditions:
            found = re.fullmatch(r"\s*(.+?)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*", condition)
            if not found:
                raise ValueError(f"--where is COLUMN=VALUE, such as dataset=c4 or tokens>=1e9; got {condition!r}.")
            name, relation, value = found.groups()
            cells = table.column(name)
            kept = table.keep([_meets(cell, relation, value) for cell in cells])
            if not kept.cells:
                some = list(dict.fromkeys(cells))
                more = " and more" if len(some) > 6 else ""
                each = "; give --where once for each condition" if "," in value and "=" in value else ""
                raise ValueError(f"--where {condition} leaves no row; {name} holds {', '.join(some[:6])}{more}{each}.")
            table = kept
        return table

    # --- numbers ----------------------------------------------------------------------------------

    def law(self, preferred: Iterable[str] = ()) -> str:
        """The law that suits the columns: chinchilla, isoflop, or auto for a curve; `preferred` names weigh more.

        Raises ValueError, saying how to name columns, when no law does.
        """
        has, mapped = set(self.header), set(preferred)
        if {"x", "y"} <= mapped or ({"x", "y"} <= has and not {"n_params", "loss"} <= has):
            return "auto"
        if {"n_params", "loss"} <= has and has & {"tokens", "flops", "budget"}:
            return "chinchilla" if "tokens" in has else "isoflop"
        for size in ("n_params", "tokens", "flops"):
            if {size, "loss"} <= has:
                other = "tokens" if size == "n_params" else "n_params"
                raise ValueError(
                    f"The table has {size} and loss, but no {other}: fit a curve with --columns x={size},y=loss, or name "
                    f"the column meant with --columns {other}=YOURS; there are {_listed(self.header)}."
                )
        raise ValueError(self._missing([each for each in ("n_params", "tokens", "loss") if each not in has], ""))

    def other_reading(self) -> list[str]:
        """A note for a table with columns x and y that also holds runs under other names, as read off a figure."""
        theirs = {}
        for ours in ("n_params", "tokens", "flops", "loss"):
            named = ours if ours in self.header else next((each for each in self.header if _same(each, ours)), None)
            if named:
                theirs[ours] = named
        if not {"n_params", "loss"} <= set(theirs) or not {"tokens", "flops"} & set(theirs):
            return []
        pairs = ",".join(f"{ours}={named}" for ours, named in theirs.items())
        return [
            f"Fitted is y against x, by their names; the table also holds runs: for these give --law chinchilla "
            f'--columns "{pairs}".'
        ]

    def runs(self, law: str, *, drop_largest: int = 0) -> Runs:
        """The columns that `law` is fitted to, as positive numbers, with what can be derived from the others.

        Rows whose `diverged` is true are left out, then the `drop_largest` rows with the largest loss (or y). Raises
        ValueError for a missing column, the first cell that holds no positive number, and when nothing is left.
        """
        table = self._finished()
        columns, notes = table._derived(law)
        rows = np.array(table.rows)
        if "seed" in table.header:
            columns["seed"] = np.array(table.column("seed"))
        if law == "isoflop" and "budget" in table.header:
            columns["budget"] = table.numbers("budget")
        target = "y" if law in CURVES else "loss"
        if drop_largest:
            if not 0 < drop_largest < len(rows):
                raise ValueError(
                    f"--drop-largest takes 1 to {len(rows) - 1} of the {len(rows)} runs; got {drop_largest}."
                )
            kept = np.sort(np.argsort(-columns[target], kind="stable")[drop_largest:])
            left = ", ".join(str(row) for row in sorted(set(rows) - set(rows[kept]))[:8])
            more = ", ..." if drop_largest > 8 else ""
            notes.append(f"Left out: the {drop_largest} largest values of {target} (rows {left}{more}).")
            columns, rows = {name: values[kept] for name, values in columns.items()}, rows[kept]
        return Runs(columns, rows, (*table.notes, *notes, *table._convention(law), *table._mixed()))

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column as positive numbers (n,). Raises ValueError naming the first row that holds none."""
        cells = self.column(name)
        values = np.array([_as_number(cell) for cell in cells])
        wrong = np.flatnonzero(~((values >= LEAST) & (values <= MOST)))
        if len(wrong):
            at = int(wrong[0])
            like = f"; {len(wrong) - 1} more like it" if len(wrong) > 1 else ""
            raise ValueError(f"{self.said(at)}: {name} {_trouble(cells[at], name)}{like}.")
        return values

    def _finished(self) -> Table:
        """Without the runs that diverged."""
        if "diverged" not in self.header:
            return self
        gone = [cell.strip().lower() in {"true", "1", "1.0", "yes", "t", "y"} for cell in self.column("diverged")]
        many = sum(gone)
        if many == len(gone):
            raise ValueError("Every run is marked as diverged, so there is nothing to fit: lower the learning rate.")
        note = f"Left out: {many} {'run' if many == 1 else 'runs'} that diverged." if many else ""
        return self.keep([not yes for yes in gone], *([note] if note else []))

    def _derived(self, law: str) -> tuple[dict[str, NDArray[Any]], list[str]]:
        has = set(self.header)
        if law in CURVES:
            self._need(law, ["x", "y"])
            return {name: self.numbers(name) for name in ("x", "y")}, []
        if law in SURFACES and "tokens" not in has and "flops" in has:
            self._need(law, ["n_params", "loss"])
            columns = {name: self.numbers(name) for name in ("n_params", "flops", "loss")}
            columns["tokens"] = columns.pop("flops") / (6 * columns["n_params"])
            return columns, ["There is no column tokens, so tokens = flops / (6 n_params)."]
        if law in SURFACES:
            self._need(law, ["n_params", "tokens", "loss"])
            return {name: self.numbers(name) for name in ("n_params", "tokens", "loss")}, []
        if not has & {"flops", "budget"} and "tokens" in has:
            self._need(law, ["n_params", "loss"])
            columns = {name: self.numbers(name) for name in ("n_params", "tokens", "loss")}
            columns["flops"] = 6 * columns["n_params"] * columns.pop("tokens")
            return columns, ["There is no column flops, so flops = 6 n_params tokens."]
        if "flops" not in has and "budget" in has:
            self._need(law, ["n_params", "loss"])
            return {"flops": self.numbers("budget"), **{name: self.numbers(name) for name in ("n_params", "loss")}}, []
        self._need(law, ["flops", "n_params", "loss"])
        return {name: self.numbers(name) for name in ("flops", "n_params", "loss")}, []

    def _need(self, law: str, names: list[str]) -> None:
        missing = [name for name in names if name not in self.header]
        if missing:
            raise ValueError(self._missing(missing, law))

    def _missing(self, missing: list[str], law: str) -> str:
        """One sentence on columns that are not there, with the option that would name them."""
        guesses = {"x": "n_params", "y": "loss"} if law in CURVES else {}
        parts = []
        for name in missing:
            other = next((each for each in self.header if _same(each, name)), None) or (
                guesses.get(name) if guesses.get(name) in self.header else None
            )
            parts.append(f"{name}={other or 'YOURS'}")
        plural = "s" if len(missing) > 1 else ""
        wanted = (
            f"the law {law} needs {'them' if plural else 'it'}" if law else "a fit needs n_params, tokens, loss or x, y"
        )
        return (
            f"The table has no column{plural} {_listed(missing)}, and {wanted}: say which are meant with --columns "
            f"{','.join(parts)}; there are {_listed(self.header)}."
        )

    def _convention(self, law: str) -> list[str]:
        """A note where the table counts FLOPs otherwise than 6 N D, by which compute is split."""
        if law in CURVES or not {"n_params", "tokens", "flops"} <= set(self.header):
            return []
        n, d, c = (
            np.array([_as_number(cell) for cell in self.column(name)]) for name in ("n_params", "tokens", "flops")
        )
        with np.errstate(all="ignore"):
            factors = c / (n * d)
        factors = factors[np.isfinite(factors)]
        if not len(factors) or abs(np.median(factors) / 6 - 1) < 0.1:
            return []
        return [
            f"The column flops is {np.median(factors):.3g} n_params tokens (median), while compute is split by C = 6 N D."
        ]

    def _mixed(self) -> list[str]:
        """A warning on columns of words that tell different studies apart."""
        found = []
        for name in self.header:
            if self.header.count(name) == 1 and name not in _OURS:
                values = list(dict.fromkeys(self.column(name)))
                if 1 < len(values) <= min(12, len(self.cells) / 2) and all(math.isnan(_as_number(v)) for v in values):
                    found.append((name, values))
        if not found:
            return []
        names, (first, values) = [name for name, _ in found], found[0]
        return [
            f"The column{'s' * (len(names) > 1)} {_listed(names)} {'hold' if len(names) > 1 else 'holds'} several values, "
            f"fitted as one: choose with --where {first}={values[0]} where they may obey different laws."
        ]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def _same(yours: str, ours: str) -> bool:
    plain = re.sub(r"[^a-z0-9]+", "_", yours.lower()).strip("_")
    return plain in {ours, *_OTHER_NAMES.get(ours, "").split()} or (ours == "loss" and plain.startswith("loss_"))


_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _meets(cell: str, relation: str, value: str) -> bool:
    """Compared as numbers where both are numbers, else as text; a word is neither above nor below a number."""
    a, b = _as_number(cell), _as_number(value)
    if not (math.isnan(a) or math.isnan(b)):
        return _RELATIONS[relation](a, b)
    if relation in ("=", "==", "!="):
        return _RELATIONS[relation](cell.strip(), value)
    return False


# --- one cell -------------------------------------------------------------------------------------

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}([,.' _\u00a0\u202f]\d{3})+([.,]\d+)?")
_SHORT = re.compile(r"([+-]?\d+\.?\d*)\s*([kKmMbBgGtT])")
_THOUSANDS = {"k": 3, "m": 6, "b": 9, "g": 9, "t": 12}


def _as_number(cell: str) -> float:
    """The number that a cell holds, written as programs write it; else nan."""
    cell = cell.strip()
    return float(cell) if _NUMBER.fullmatch(cell) else math.nan


def _trouble(cell: str, name: str) -> str:
    """What is wrong with a cell that holds no positive number, and what to do."""
    cell = cell.strip()
    shown = repr(cell if len(cell) <= 30 else cell[:27] + "...")
    leave = "leave that run out, or mark it as true in a column diverged"
    if not cell:
        return f"is empty: fill it, {leave}"
    if cell.lower().lstrip("+-") in {"nan", "na", "n/a", "none", "null", "inf", "infinity", "-"}:
        return f"is {cell}, and a law needs a finite number: {leave}"
    if _NUMBER.fullmatch(cell):
        if float(cell) > 0:
            return f"holds {shown}, as no run has it: look for a slip in the exponent"
        what = {"loss": " (a loss in nats is positive)", "x": "", "y": ""}.get(name, " (a size is positive)")
        return f"holds {shown}, and must be above 0, because a law works on its logarithm{what}"
    if _GROUPED.fullmatch(cell) or re.fullmatch(r"[+-]?\d+,\d+", cell):
        return f"holds {shown}: write numbers without thousands separators and with a decimal point, such as 1234.5"
    if short := _SHORT.fullmatch(cell):
        value = float(short[1]) * 10.0 ** _THOUSANDS[short[2].lower()]
        return f"holds {shown}: write the whole number, {value:.15g}"
    return f"holds {shown}, which is not a number"


# --- where tables come from -----------------------------------------------------------------------


def read(name: str) -> Table:
    """The table in a CSV file, in standard input ("-"), in a sweep's folder, or of a recorded or published name.

    Raises ValueError, one sentence, when there is no such thing, or when it is no table.
    """
    if name == "-":
        return _parsed(sys.stdin.buffer.read(), "Standard input")
    path = Path(name).expanduser()
    if path.is_dir():
        from course import sweeps

        frame = sweeps.load(path)
        skipped = frame.attrs.get("skipped", [])
        return _of_frame(frame, *([f"{len(skipped)} files in {name} are no records: left alone."] if skipped else []))
    if not path.exists() and not path.suffix and "/" not in name:
        return _named(name)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"There is no file {name!r}: give a CSV file of runs, or - to read standard input.") from None
    except OSError as error:
        raise ValueError(f"The file {name!r} cannot be read ({error.strerror or error}).") from None
    return _parsed(data, f"The file {name!r}")


def _named(name: str) -> Table:
    """A sweep recorded with the course, or a published data set."""
    from course import sweeps
    from course.data import published

    if name in sweeps.references():
        return _of_frame(sweeps.reference(name))
    if name in published.DATASETS:
        return _of_frame(published.load(name))
    known = [*sweeps.references(), *published.DATASETS]
    raise ValueError(
        f"There is no file {name!r}, and no recorded sweep or published data set of that name; of those there are "
        f"{_listed(known)}."
    )


def _of_frame(frame: Any, *notes: str) -> Table:
    cells = tuple(tuple(str(value) for value in row) for row in frame.itertuples(index=False))
    rows = tuple(range(1, len(cells) + 1))
    return Table(tuple(str(name) for name in frame.columns), cells, rows, (0,) * len(cells), notes)


def _text(data: bytes, where: str) -> str:
    if not data.strip():
        raise ValueError(f"{where} is empty: a line of column names is expected, then a line for each run.")
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")  # as some spreadsheets save "Unicode text"
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        kinds = {b"PK": " (a workbook or zip file)", b"\x1f\x8b": " (compressed)", b"PA": " (Parquet)"}
        raise ValueError(f"{where} is not text{kinds.get(data[:2], '')}: save the runs as CSV, in UTF-8.")
    return text


def _parsed(data: bytes, where: str) -> Table:
    """The table in the bytes of a CSV file; the delimiter is the one that the header holds most of."""
    text = _text(data, where)
    first = next(line for line in text.splitlines() if line.strip())
    delimiter = max(",;\t", key=lambda each: len(next(csv.reader([first], delimiter=each))))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    header: tuple[str, ...] = ()
    cells: list[tuple[str, ...]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not header:
                header = tuple(cell.strip() for cell in row)
                continue
            if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
                raise ValueError(
                    f"Row {len(cells) + 1} (line {reader.line_num}) has {len(row)} cells and the header {len(header)}: "
                    "look for thousands separators, or put quotes around text that holds the delimiter."
                )
            cells.append(tuple((row + [""] * len(header))[: len(header)]))
            lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"{where} cannot be read as CSV, line {reader.line_num}: {error}.") from None
    if all(_NUMBER.fullmatch(name) for name in header):
        raise ValueError(
            f"{where} begins with numbers ({', '.join(header[:4])}): its first line must name the columns."
        )
    if not cells:
        raise ValueError(f"{where} has a line of column names and no runs: add a line for each run.")
    return Table(header, tuple(cells), tuple(range(1, len(cells) + 1)), tuple(lines))
