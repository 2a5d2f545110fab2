"""`course fit`: what it prints, predicts, draws and refuses."""

import argparse
import contextlib
import io
import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course import laws, sweeps
from course.__main__ import main
from course.commands import fit, fit_report, tables

KEYS = [
    "law",
    "params",
    "interval",
    "level",
    "standard_error",
    "objective",
    "starts_at_optimum",
    "n_points",
    "residuals",
    "optima",
    "held_out",
    "predictions",
    "warnings",
]
TRUTH = {"E": 1.7, "A": 400.0, "B": 600.0, "alpha": 0.34, "beta": 0.28}
SIZES, TOKENS = np.geomspace(1e7, 1e9, 6), np.geomspace(1e9, 1e11, 6)


def surface(n, d):
    return TRUTH["E"] + TRUTH["A"] / n ** TRUTH["alpha"] + TRUTH["B"] / d ** TRUTH["beta"]


def grid(noise=0.0):
    """Runs on the known surface, 36 of them."""
    n, d = (axis.ravel() for axis in np.meshgrid(SIZES, TOKENS))
    rng = np.random.default_rng(3)
    return pd.DataFrame({"n_params": n, "tokens": d, "loss": surface(n, d) * np.exp(noise * rng.normal(size=36))})


def budgets():
    """Runs at five budgets whose losses are exact parabolas about N_opt = 0.2 C^0.5."""
    rows = []
    for flops in np.geomspace(1e16, 1e20, 5):
        for off in np.linspace(-1.2, 1.2, 7):
            n = 0.2 * flops**0.5 * math.exp(off)
            loss = (1.5 + 30 * flops**-0.07) * math.exp(0.03 * off**2)
            rows.append({"n_params": n, "flops": flops, "tokens": flops / 6 / n, "loss": loss})
    return pd.DataFrame(rows)


@pytest.fixture
def csv(tmp_path):
    """Write a frame, or text, to a file and return its name."""

    def write(content, name="runs.csv", **kwargs):
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_csv(path, index=False, **kwargs)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8", newline="")
        return str(path)

    return write


def call(*argv):
    """Run the command in this process; its exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    fit.configure(parser)
    return fit.run(parser.parse_args([str(arg) for arg in argv]))


@pytest.fixture
def found(capsys):
    """Run the command with --json and return what it printed; without resamples unless asked for."""

    def run(*argv):
        bootstrap = () if "--bootstrap" in argv else ("--bootstrap", "0")
        assert call(*argv, *bootstrap, "--json") == 0
        return json.loads(capsys.readouterr().out)

    return run


# --- what is found --------------------------------------------------------------------------------


def test_a_noiseless_surface_is_found_with_every_json_key(csv, found):
    got = found(csv(grid()))
    assert list(got) == KEYS
    assert got["law"] == "chinchilla"
    for name, value in TRUTH.items():
        assert got["params"][name] == pytest.approx(value, rel=1e-4)
    assert got["n_points"] == 36
    assert got["objective"] < 1e-12
    assert 0 < got["starts_at_optimum"] <= 1
    assert got["interval"] == got["standard_error"] == got["held_out"] == {}
    assert got["optima"] == got["predictions"] == []
    assert set(got["residuals"]) == {"median", "rms", "worst", "worst_row"}


def test_predictions_of_a_surface_are_the_closed_forms(csv, found):
    got = found(csv(grid()), "--predict", "n_params=1e10,tokens=2e11", "--predict", "flops=1e21")["predictions"]
    assert got[0]["at"] == {"n_params": 1e10, "tokens": 2e11}
    assert got[0]["loss"] == pytest.approx(surface(1e10, 2e11), rel=1e-5)
    assert got[0]["beyond"] == pytest.approx(6 * 1e10 * 2e11 / (6 * 1e9 * 1e11))
    a = TRUTH["beta"] / (TRUTH["alpha"] + TRUTH["beta"])
    G = (TRUTH["alpha"] * TRUTH["A"] / (TRUTH["beta"] * TRUTH["B"])) ** (1 / (TRUTH["alpha"] + TRUTH["beta"]))
    n = G * (1e21 / 6) ** a
    assert got[1]["n_params"] == pytest.approx(n, rel=1e-3)
    assert got[1]["tokens"] == pytest.approx(1e21 / 6 / n, rel=1e-3)
    assert got[1]["loss"] == pytest.approx(surface(n, 1e21 / 6 / n), rel=1e-5)
    assert got[1]["beyond"] == pytest.approx(max(1e21 / 6e20, n / max(SIZES), 1e21 / 6 / n / max(TOKENS)), rel=1e-3)
    assert got[1]["beyond"] > 1.7  # its best size is further from the runs than its compute


def test_intervals_hold_the_truth_and_widen_with_the_level(csv, found):
    argv = (csv(grid(0.005)), "--bootstrap", "200", "--predict", "n_params=1e10,tokens=2e11")
    got, narrow = found(*argv), found(*argv, "--level", "0.5")
    for name in ("E", "alpha", "beta"):
        low, high = got["interval"][name]
        assert low < TRUTH[name] < high
        assert narrow["interval"][name][0] > low
        assert got["standard_error"][name] > 0
    prediction = got["predictions"][0]
    (low, high), (lower, higher) = prediction["interval"]["loss"], prediction["run_interval"]["loss"]
    assert lower < low < prediction["loss"] < high < higher
    assert low < surface(1e10, 2e11) < high
    assert found(*argv) == got, "the same seed gives the same answer"
    assert found(*argv, "--seed", "1")["interval"] != got["interval"]


def test_budgets_give_the_best_size(csv, found):
    got = found(csv(budgets()), "--law", "isoflop", "--predict", "flops=1e22")
    assert got["params"]["a"] == pytest.approx(0.5, abs=1e-6)
    assert got["params"]["G"] == pytest.approx(0.2, rel=1e-4)
    assert len(got["optima"]) == 5
    prediction = got["predictions"][0]
    assert prediction["n_params"] == pytest.approx(0.2 * 1e22**0.5, rel=1e-4)
    assert prediction["tokens"] == pytest.approx(1e22 / 6 / (0.2 * 1e22**0.5), rel=1e-4)
    assert prediction["loss"] == pytest.approx(1.5 + 30 * 1e22**-0.07, rel=2e-3)
    assert any("power law with floor through 5 optima" in sentence for sentence in got["warnings"])
    assert "worst_budget" in got["residuals"]


def test_flops_are_6nd_where_there_are_none_and_tokens_follow_from_them(csv, found):
    frame = budgets()
    by_flops = found(csv(frame), "--law", "isoflop")["params"]
    by_tokens = found(csv(frame.drop(columns="flops")), "--law", "isoflop")
    assert by_tokens["params"] == pytest.approx(by_flops)
    assert "There is no column flops, so flops = 6 n_params tokens." in by_tokens["warnings"]
    by_budget = found(csv(frame.rename(columns={"flops": "budget"})), "--law", "isoflop")["params"]
    assert by_budget == pytest.approx(by_flops)
    assert found(csv(frame.drop(columns="tokens")))["law"] == "isoflop"
    surface_too = found(csv(frame.drop(columns="tokens")), "--law", "chinchilla")
    assert surface_too["params"] == pytest.approx(found(csv(frame), "--law", "chinchilla")["params"])


AS_CURVE = ("--columns", "x=n_params,y=loss")
X = np.geomspace(1e2, 1e6, 16)
CURVES = {
    "power": (3 * X**-0.5, {"A": 3, "alpha": 0.5}, 3 * 1e7**-0.5),
    "power-floor": (0.4 + 3 * X**-0.5, {"E": 0.4, "A": 3, "alpha": 0.5}, 0.4 + 3 * 1e7**-0.5),
    "broken": (3 * X**-0.1 * (1 + X / 1e4) ** -0.4, {"alpha": 0.1}, 3 * 1e7**-0.1 * (1 + 1e3) ** -0.4),
}


@pytest.mark.parametrize("law", CURVES)
def test_curves_are_found(law, csv, found):
    y, params, far = CURVES[law]
    got = found(csv(pd.DataFrame({"x": X, "y": y})), "--law", law, "--predict", "x=1e7")
    assert got["law"] == law
    for name, value in params.items():
        assert got["params"][name] == pytest.approx(value, rel=0.02)
    assert got["predictions"][0]["y"] == pytest.approx(far, rel=0.01)


def test_a_curve_is_fitted_by_choice_among_laws(csv, found):
    got = found(csv(pd.DataFrame({"size": X, "error": 0.4 + 3 * X**-0.5})), "--columns", "x=size,y=error")
    assert got["law"] == "power-floor"
    assert {"power", "power-floor"} <= set(got["held_out"])
    assert got["params"]["E"] == pytest.approx(0.4, rel=1e-3)


def test_kaplans_law(csv, found):
    frame = grid()
    ratio = 0.08 / 0.1
    frame["loss"] = ((1e13 / frame["n_params"]) ** ratio + 5e12 / frame["tokens"]) ** 0.1
    got = found(csv(frame), "--law", "kaplan", "--predict", "flops=1e21", "--predict", "n_params=1e9,tokens=1e10")
    assert got["params"]["alpha_N"] == pytest.approx(0.08, rel=1e-3)
    assert got["params"]["alpha_D"] == pytest.approx(0.1, rel=1e-3)
    assert got["predictions"][1]["loss"] == pytest.approx((1e4**ratio + 500) ** 0.1, rel=1e-5)
    n = got["predictions"][0]["n_params"]
    around = [((1e13 / m) ** ratio + 5e12 * 6 * m / 1e21) ** 0.1 for m in (n / 1.1, n, n * 1.1)]
    assert min(around) == around[1]


def test_the_laws_are_those_of_the_package():
    assert set(fit.LAWS) == set(laws.LAWS)


# --- which rows -----------------------------------------------------------------------------------


def test_rows_are_chosen_and_named_by_their_place_in_the_file(csv, found):
    frame = grid().assign(kind=["a", "b"] * 18, width=range(36))
    frame.loc[0, "loss"] = 9.0  # row 1, kind a
    frame.loc[3, "loss"] = 7.0  # row 4, kind b
    name = csv(frame)
    assert found(name, "--where", "kind=b")["residuals"]["worst_row"] == 4
    assert found(name)["residuals"]["worst_row"] == 1
    dropped = found(name, "--drop-largest", "2")
    assert dropped["n_points"] == 34
    assert "Left out: the 2 largest values of loss (rows 1, 4)." in dropped["warnings"]
    assert dropped["params"]["E"] == pytest.approx(TRUTH["E"], rel=1e-3)
    assert found(name, "--where", "width>=4", "--where", "width<30.0", "--where", "kind!=b")["n_points"] == 13
    assert found(name, "--where", "tokens=1e11", "--law", "power", *AS_CURVE)["n_points"] == 6


def test_a_column_of_words_that_tells_studies_apart_is_mentioned(csv, found):
    name = csv(grid().assign(dataset=["c4", "pile"] * 18))
    assert any("--where dataset=c4" in sentence for sentence in found(name)["warnings"])
    assert not any("--where" in sentence for sentence in found(name, "--where", "dataset=c4")["warnings"])


def test_diverged_runs_are_left_out_and_counted(csv, found):
    frame = grid().assign(diverged=False)
    frame.loc[[2, 5], "diverged"] = True
    frame.loc[2, "loss"] = math.nan
    frame.loc[5, "loss"] = -1.0
    got = found(csv(frame))
    assert got["n_points"] == 34
    assert "Left out: 2 runs that diverged." in got["warnings"]
    assert got["params"]["E"] == pytest.approx(TRUTH["E"], rel=1e-3)


@pytest.mark.parametrize(
    ("delimiter", "encoding", "newline"),
    [(",", "utf-8-sig", "\r\n"), (";", "utf-8", "\n"), ("\t", "utf-16", "\r\n"), (",", "utf-8", "\r")],
)
def test_files_as_programs_write_them(delimiter, encoding, newline, csv, found):
    lines = [" n_params ", "tokens", "loss", "note"], *grid().assign(note='a "b", c; d').astype(str).values.tolist()
    buffer = io.StringIO()
    import csv as module

    module.writer(buffer, delimiter=delimiter, lineterminator=newline).writerows(lines)
    got = found(csv((newline + buffer.getvalue() + newline).encode(encoding)))
    assert got["n_points"] == 36
    assert got["params"]["alpha"] == pytest.approx(TRUTH["alpha"], rel=1e-3)


def test_standard_input(monkeypatch, found):
    text = grid().to_csv(index=False).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert found("-")["n_points"] == 36


def test_a_sweep_by_folder_and_by_name(tmp_path, monkeypatch, found):
    frame = grid().assign(family="mlp", seed=0, diverged=False)
    frame.loc[35, ["loss", "diverged"]] = [math.nan, True]
    frame.attrs["skipped"] = ["half.json"]
    monkeypatch.setattr(sweeps, "load", lambda folder: frame)
    got = found(tmp_path)
    assert got["n_points"] == 35
    assert any("are no records" in sentence for sentence in got["warnings"])
    monkeypatch.setattr(sweeps, "references", lambda: ("small",))
    monkeypatch.setattr(sweeps, "reference", lambda name: frame)
    assert found("small")["params"] == got["params"]


def test_columns_by_other_names(csv, found):
    frame = grid().rename(columns={"n_params": "N", "loss": "val_loss"}).assign(loss="not this one")
    got = found(csv(frame), "--columns", "n_params=N,loss=val_loss")
    assert got["params"]["E"] == pytest.approx(TRUTH["E"], rel=1e-3)
    assert found(csv(frame), "--columns", "n_params=N", "--columns", "loss=val_loss")["params"] == got["params"]


def test_runs_beside_the_coordinates_of_a_figure_are_mentioned(csv, found):
    """As in Epoch's file: x and y are pixels, the runs stand in other columns."""
    runs = grid().assign(flops=lambda frame: 6 * frame["n_params"] * frame["tokens"])
    named = {"n_params": "Model Size", "flops": "Training FLOP"}
    pixels = runs.assign(x=np.linspace(90, 370, 36), y=np.linspace(340, 100, 36)).drop(columns="tokens")
    name = csv(pixels.rename(columns=named))
    advice = next(said for said in found(name)["warnings"] if "also holds runs" in said)
    columns = advice.split('"')[1]
    assert columns == "n_params=Model Size,flops=Training FLOP,loss=loss"
    got = found(name, "--law", "chinchilla", "--columns", columns)
    assert got["params"]["alpha"] == pytest.approx(TRUTH["alpha"], rel=1e-4)
    curve = csv(pixels[["x", "y"]], "curve.csv")
    assert not any("also holds" in said for said in found(curve)["warnings"])


# --- what cannot be fitted ------------------------------------------------------------------------

GOOD = grid().to_csv(index=False)


def changed(row, column, value):
    lines = [line.split(",") for line in GOOD.splitlines()]
    lines[row][column] = value
    return "\n".join(",".join(line) for line in lines)


def one_size():
    return grid().assign(n_params=1e8).to_csv(index=False)


BAD = {
    "nan": (changed(3, 2, "nan"), "Row 3 (line 4): loss is nan"),
    "infinity": (changed(3, 2, "inf"), "Row 3 (line 4): loss is inf"),
    "empty cell": (changed(4, 1, ""), "Row 4 (line 5): tokens is empty"),
    "negative loss": (changed(5, 2, "-0.5"), "Row 5 (line 6): loss holds '-0.5', and must be above 0"),
    "zero size": (changed(2, 0, "0"), "Row 2 (line 3): n_params holds '0', and must be above 0"),
    "slip of the exponent": (changed(2, 0, "1e300"), "Row 2 (line 3): n_params holds '1e300', as no run has it"),
    "beyond numbers": (changed(2, 0, "1e400"), "look for a slip in the exponent"),
    "one loss": (grid().assign(loss=2.5).to_csv(index=False), "All runs have the same loss, 2.5"),
    "word": (changed(7, 0, "large"), "Row 7 (line 8): n_params holds 'large', which is not a number"),
    "several words": (GOOD.replace("\n1", "\nabout 1"), "more like it"),
    "abbreviation": (changed(1, 0, "70M"), "write the whole number, 70000000"),
    "thousands": (changed(1, 0, '"1,000,000"'), "without thousands separators"),
    "thousands, not quoted": (changed(1, 0, "1,000,000"), "Row 1 (line 2) has 5 cells and the header 3"),
    "underscores": (changed(1, 0, "1_000_000"), "without thousands separators"),
    "decimal comma": (GOOD.replace(",", ";").replace(".", ","), "with a decimal point"),
    "one size": (one_size(), "n_params"),
    "fewer points than parameters": ("\n".join(GOOD.splitlines()[:4]), "5 parameters"),
    "no header": ("\n".join(GOOD.splitlines()[1:]), "first line must name the columns"),
    "no runs": (GOOD.splitlines()[0] + "\n", "no runs"),
    "empty file": ("", "is empty"),
    "blank file": (" \n\n", "is empty"),
    "binary": (bytes(range(256)) * 4, "is not text"),
    "workbook": (b"PK\x03\x04" + bytes(40), "a workbook or zip file"),
    "missing columns": ("N,D,val_loss\n1e6,1e8,3\n", "--columns n_params=N,tokens=D,loss=val_loss"),
    "no tokens": ("n_params,loss\n1e6,3\n", "--columns x=n_params,y=loss"),
    "nothing known": ("a,b\n1,2\n", "there are a and b"),
    "two of a name": ("n_params,tokens,loss,loss\n1,2,3,4\n", "names 2 columns 'loss'"),
    "all diverged": ("n_params,tokens,loss,diverged\n1,2,3,True\n", "Every run is marked as diverged"),
}


def said(capsys, *argv):
    """The sentence that a refused call prints; checks that it is one, without a traceback or output."""
    assert main(["fit", *map(str, argv)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("course: ")
    assert err.endswith(".\n")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert "COURSE_DEBUG" not in err, "not foreseen"
    return err


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_gets_one_sentence(case, csv, capsys):
    content, sentence = BAD[case]
    assert sentence in said(capsys, csv(content))


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--predict", "n_params"], "--predict is NAME=NUMBER"),
        (["--predict", "n_params=big,tokens=1e9"], "--predict is NAME=NUMBER"),
        (["--predict", "n_params=-1,tokens=1e9"], "--predict is NAME=NUMBER"),
        (["--predict", "n_params=1e9"], "predicts from n_params and tokens, or from flops"),
        (["--predict", "x=1e9"], "--predict gives x"),
        (["--predict", "flops=1e21,flops=1e22"], "twice"),
        (["--law", "isoflop", "--predict", "n_params=1e9"], "predicts from flops"),
        (["--law", "power"], "--columns x=n_params,y=loss"),
        (["--law", "power", "--columns", "x=n_params,y=loss", "--predict", "flops=1"], "predicts from x"),
        (["--plot", "nowhere/figure.png"], "there is no folder 'nowhere'"),
        (["--plot", "figure.gif"], "--plot writes .png, .svg or .pdf"),
        (["--plot", "figure"], "--plot writes .png, .svg or .pdf"),
        (["--columns", "loss"], "--columns is OURS=YOURS"),
        (["--columns", "loss=nothing"], "no column 'nothing'; there are n_params, tokens and loss"),
        (["--columns", "val_loss=loss"], "--columns loss=val_loss"),
        (["--where", "loss"], "--where is COLUMN=VALUE"),
        (["--where", "kind=a"], "no column 'kind'"),
        (["--where", "loss>1e9"], "leaves no row"),
        (["--drop-largest", "36"], "--drop-largest takes 1 to 35"),
        (["--drop-largest", "-1"], "--drop-largest takes 1 to 35"),
        (["--level", "95"], "write 0.95"),
        (["--level", "0"], "between 0 and 1"),
        (["--bootstrap", "-1"], "0 for none"),
        (["--bootstrap", "3"], "give 1000, or 0"),
        (["--bootstrap", "1000000000"], "at most 20,000"),
        (["--seed", "-1"], "seed must be a whole number"),
        (["--bootstrap-by", "seed"], "--bootstrap-by seed needs a column seed"),
        (["--delta", "0"], "must be positive"),
        (["--starts", "0"], "starts must be a whole number"),
        (["--law", "isoflop", "--delta", "1"], "no option 'delta'"),
        (["--method", "akima"], "no option 'method'"),
    ],
)
def test_a_bad_option_gets_one_sentence(argv, sentence, csv, capsys):
    assert sentence in said(capsys, csv(GOOD), *argv)


def test_a_place_without_runs_gets_one_sentence(tmp_path, capsys):
    assert "There is no file" in said(capsys, tmp_path / "nothing.csv")
    assert "No finished run lies in" in said(capsys, tmp_path)
    assert "published data set" in said(capsys, "nothing-of-that-name")
    (tmp_path / "figure.png").mkdir()
    (tmp_path / "runs.csv").write_text(GOOD)
    assert "it is a folder" in said(capsys, tmp_path / "runs.csv", "--plot", tmp_path / "figure.png")


def test_a_figure_is_refused_before_the_fit_and_leaves_no_file(tmp_path, csv, capsys, monkeypatch):
    monkeypatch.setattr(laws, "fit", lambda *args, **kwargs: pytest.fail("fitted first"))
    said(capsys, csv(GOOD), "--plot", tmp_path / "no" / "figure.png")
    said(capsys, csv(changed(3, 2, "nan")), "--plot", tmp_path / "figure.png")
    assert not (tmp_path / "figure.png").exists()


CELLS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.integers().map(str),
    st.text(alphabet="0123456789.,eE+-_ 'kMx", max_size=9),
)


@given(CELLS)
def test_a_cell_is_a_positive_number_or_gets_a_sentence(cell):
    """Whatever a cell holds, it is read as Python reads it, or refused with the row and a reason."""
    table = tables.Table(("loss",), ((cell,),), (1,), (2,))
    with contextlib.suppress(ValueError):
        assert table.numbers("loss")[0] == float(cell) > 0
        return
    with pytest.raises(ValueError, match=r"(?s)^Row 1 \(line 2\): loss .*\.$"):
        table.numbers("loss")


# --- what is printed and drawn --------------------------------------------------------------------


def test_the_report_says_what_matters_and_ends_with_warnings(csv, capsys):
    name = csv(grid(0.003))
    assert call(name, "--bootstrap", "50", "--predict", "n_params=1e12,tokens=1e12", "--predict", "flops=1e21") == 0
    report = capsys.readouterr().out
    text = " ".join(report.split())
    assert text.startswith("chinchilla, 36 runs: L = 1.")
    for part in (
        "95 % interval",
        "standard error",
        "root mean square",
        "of the starts",
        "best use of C = 6 N D",
        "at n_params = 1e12, tokens = 1e12, 10000 times beyond the runs: loss",
        "one run",
    ):
        assert part in text
    last = text[text.index(" warnings - ") :]
    assert "times beyond the runs: no interval covers" in last
    assert "Intervals from 50 resamples are rough: give --bootstrap 1000." in last
    assert max(map(len, report.splitlines())) <= 200
    assert report.isascii()


def test_warnings_speak_of_the_options_of_the_command(csv, found):
    frame = pd.concat([grid(0.01).assign(seed=seed) for seed in (0, 1)])
    got = found(csv(frame), "--bootstrap", "50")
    assert any("--bootstrap-by seed" in sentence for sentence in got["warnings"])
    assert not any("bootstrap_by" in sentence for sentence in got["warnings"])


def test_a_short_range_and_an_edge_are_warned_of(csv, found):
    frame = grid()
    short = frame[frame["n_params"] < 3e7]
    assert any("n_params covers" in sentence for sentence in found(csv(short))["warnings"])
    cut = budgets()
    cut = cut[(cut["flops"] < 5e19) | (cut["n_params"] < 2.1e9)]
    got = found(csv(cut), "--law", "isoflop")
    assert any("edge" in sentence and "1e+20" in sentence for sentence in got["warnings"])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.34731, "0.3473"), (477.83, "477.8"), (2143.4, "2143"), (1.2e9, "1.2e9"), (2.5e-7, "2.5e-7"), (61234, "61230")],
)
def test_numbers_are_printed_in_four_digits(value, text):
    assert fit_report.number(value) == text


@pytest.mark.parametrize(("law", "suffix"), [("chinchilla", "png"), ("kaplan", "svg"), ("isoflop", "pdf")])
def test_figures_are_written_by_suffix(law, suffix, csv, tmp_path, capsys):
    path = tmp_path / f"figure.{suffix}"
    frame = budgets()
    frame["loss"] *= np.exp(0.003 * np.random.default_rng(0).normal(size=len(frame)))
    assert call(csv(frame), "--law", law, "--bootstrap", "20", "--predict", "flops=1e21", "--plot", path) == 0
    assert f"Figure: {path}" in capsys.readouterr().out
    begins = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[suffix]
    assert path.read_bytes().startswith(begins)


def test_one_budget_alone_is_drawn_and_warned_of(csv, tmp_path, capsys):
    frame, path = budgets(), tmp_path / "one.png"
    frame = frame[frame["flops"] == frame["flops"].max()].copy()
    frame["loss"] *= np.exp(0.003 * np.random.default_rng(0).normal(size=len(frame)))
    assert call(csv(frame), "--law", "chinchilla", "--bootstrap", "20", "--plot", path) == 0
    assert "All runs lie at nearly one budget of compute" in " ".join(capsys.readouterr().out.split())
    assert path.read_bytes().startswith(b"\x89PNG")


def test_runs_of_one_ratio_of_tokens_to_parameters_are_warned_of(csv, found):
    n = np.geomspace(1e7, 1e10, 8)
    frame = pd.DataFrame({"n_params": n, "tokens": 20 * n, "loss": surface(n, 20 * n)})
    frame["loss"] *= np.exp(0.003 * np.random.default_rng(1).normal(size=8))
    assert "nearly one ratio of tokens to parameters" in " ".join(found(csv(frame))["warnings"])
    assert "nearly one" not in " ".join(found(csv(grid(0.003)))["warnings"])


def test_copied_rows_are_warned_of(csv, found):
    frame = grid(0.003)
    assert "repeat" not in " ".join(found(csv(frame))["warnings"])
    seeds = pd.concat([frame.assign(seed=name) for name in ("a", "b")])  # another seed is another run, whatever it gave
    assert "repeat" not in " ".join(found(csv(seeds), "--bootstrap", "20", "--bootstrap-by", "seed")["warnings"])
    assert "1 row repeats another one" in " ".join(found(csv(pd.concat([frame, frame[:1]])))["warnings"])
    assert "36 rows repeat other ones" in " ".join(found(csv(pd.concat([frame, frame])))["warnings"])


def test_a_prediction_that_cannot_be_made_loses_nothing(csv, found, capsys, monkeypatch, tmp_path):
    from course import fit_plots

    def none(*_):
        raise ValueError("No size is best.")

    monkeypatch.setattr(laws, "compute_optimal", none)
    monkeypatch.setattr(fit_plots, "compute_optimal", none)
    file, path = csv(grid(0.003)), tmp_path / "fit.png"
    asked = ("--predict", "flops=1e21", "--predict", "n_params=1e9,tokens=2e10", "--plot", path)
    got = found(file, *asked)
    assert got["predictions"][0]["reason"] == "No size is best."
    assert got["predictions"][1]["loss"] == pytest.approx(surface(1e9, 2e10), rel=0.02)
    assert call(file, "--bootstrap", "0", *asked) == 0
    said = capsys.readouterr().out
    assert "at flops = 1e21: none. No size is best." in said
    assert "alpha" in said
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_law_of_the_larger_points_says_so_and_knows_their_range(csv, found, capsys):
    x = np.geomspace(1e3, 1e6, 25)
    bent = 2 * x**-0.05 * (1 + (x / 3e4) ** 3) ** (-0.4 / 3)
    file = csv(pd.DataFrame({"x": x, "y": bent * np.exp(0.01 * np.random.default_rng(0).normal(size=25))}))
    got = found(file, "--predict", "x=2000")
    assert got["n_points"] == 12
    assert got["predictions"][0]["beyond"] == pytest.approx(x[13] / 2000)
    assert call(file, "--bootstrap", "0") == 0
    said = capsys.readouterr().out
    assert "auto chose recent power, a power law through the larger 12 of 25 points" in said
    assert "fitted over  x 42200 to 1e6" in said


def test_the_loss_is_called_what_its_column_is():
    from course import fit_plots

    frame = {name: values.to_numpy() for name, values in grid(0.003).items()}
    law = laws.fit("chinchilla", frame)
    for names, shown in ((None, "loss L"), ({"loss": "bits_per_byte"}, "bits_per_byte")):
        figure = fit_plots.draw_fit(law, frame, names=names)
        assert figure.axes[0].get_ylabel() == shown
        spread = 100 * np.sqrt(np.mean(law.residuals**2))
        assert f"{spread:.2g} %" in (figure.axes[1].get_title(loc="left") or figure.axes[1].get_title())


def test_figures_show_the_runs_the_law_and_the_prediction():
    from course import fit_plots

    y = 0.4 + 3 * X**-0.5
    law = laws.fit("power-floor", {"x": X, "y": y * np.exp(0.01 * np.sin(7 * np.arange(16)))}, bootstrap=20)
    figure = fit_plots.draw_fit(law, {"x": X, "y": y}, at=[{"x": 1e8}], names={"x": "samples", "y": "error"})
    left, right = figure.axes
    assert left.get_xlabel() == right.get_xlabel() == "samples"
    assert left.get_xlim()[1] > 1e8
    assert "floor" in (left.get_title(loc="left") or left.get_title())
    words = [text.get_text().strip() for text in left.texts]
    assert "beyond the runs" in words
    assert any(word.startswith("floor 0.4") for word in words)
    assert {len(points.get_offsets()) for points in right.collections} == {16}


def test_a_figure_leaves_matplotlib_as_it_was(csv, tmp_path, capsys):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    call(csv(grid(0.01)), "--bootstrap", "0", "--plot", tmp_path / "figure.png")
    assert dict(mpl.rcParams) == before


# --- from the command line ------------------------------------------------------------------------


def test_the_command_line_reads_a_pipe_and_writes_json():
    argv = [sys.executable, "-m", "course", "fit", "-", "--bootstrap", "0", "--json"]
    done = subprocess.run(argv, input=GOOD, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["law"] == "chinchilla"


def test_configuring_the_command_imports_nothing_slow():
    code = (
        "import argparse, sys; import course.commands.fit as fit; fit.configure(argparse.ArgumentParser());"
        "sys.exit(bool({'numpy', 'pandas', 'scipy', 'matplotlib', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
