"""Figures of lesson 5.3: they draw over their sliders' range and say the right numbers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from course.laws import fit_isoflop
from course.widgets import multi_size_sweeps as figures


def titles(fig):
    return " | ".join(ax.get_title(loc="left") or ax.get_title() for ax in fig.axes)


def surface(noise=0.0, alpha=0.5, beta=0.5, seed=0, budgets=5):
    """Runs on a known surface with equal budgets: best size ~ C^(beta / (alpha + beta))."""
    rng, rows = np.random.default_rng(seed), []
    for budget in np.geomspace(1e10, 1e12, budgets):
        best = 6000 * (budget / 1e10) ** (beta / (alpha + beta))
        for n in best * 1.6 ** np.arange(-2, 4):
            tokens = budget / (6 * n)
            # A and B such that the optimum is at `best`: alpha A N^-alpha = beta B D^-beta
            B = 100 * alpha / beta * 6000**-alpha * (1e10 / 36000) ** beta
            loss = 1.2 + 100 * n**-alpha + B * tokens**-beta
            rows.append(
                {
                    "budget": budget,
                    "flops": budget,
                    "n_params": n,
                    "tokens": tokens,
                    "loss": loss * math.exp(noise * rng.normal()),
                    "diverged": False,
                }
            )
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (0.4, 0.6)])
def test_the_summary_finds_a_known_surface(alpha, beta):
    found = figures.summary(surface(alpha=alpha, beta=beta))
    assert found.a == pytest.approx(beta / (alpha + beta), abs=0.03)
    assert (found.alpha, found.beta) == (pytest.approx(alpha, abs=0.02), pytest.approx(beta, abs=0.02))
    assert found.inside == found.budgets == 5
    assert found.r_squared == pytest.approx(1, abs=1e-4)


def test_the_summary_leaves_diverged_runs_out_and_counts_them():
    runs = surface()
    runs.loc[3, ["loss", "diverged"]] = [math.nan, True]
    found = figures.summary(runs)
    assert found.diverged == 1
    assert math.isfinite(found.alpha)


def test_the_summary_of_a_sweep_without_optima_inside_has_no_exponent():
    runs = surface()
    runs = runs[runs.groupby("budget")["n_params"].rank() <= 3]  # the best size is the last one left
    found = figures.summary(runs)
    assert math.isnan(found.a)
    assert "a = none" in str(found)


def test_step_times_says_the_ratios():
    assert "50 times faster when small, 4 times when large" in titles(
        figures.draw_step_times([10, 100], [10, 12], [0.2, 3])
    )


def test_rates_names_the_best_of_each_size_and_bears_a_diverged_run():
    fig = figures.draw_rates((0.01, 0.02, 0.04), {16: [2.2, 2.1, 2.0], 128: [1.8, 1.9, math.nan]})
    assert titles(fig) == "Width 16 learns best at 0.04, width 128 at 0.01"


@pytest.mark.parametrize("branches", [2, 4, 6])
@pytest.mark.parametrize("cooldown", [0.1, 0.3, 1.0])
def test_schedule_counts_the_steps(cooldown, branches):
    runs = [250 * 2**i for i in range(branches)]
    branched = (1 - cooldown) * max(runs) + cooldown * sum(runs)
    assert f"for {branched:,.0f} steps in place of {sum(runs):,}" in titles(figures.draw_schedule(cooldown, branches))


def test_curves_say_the_exponent():
    assert "Best size ~ C^0.5" in titles(figures.draw_curves(surface(noise=0.001)))


@pytest.mark.parametrize("budget", range(5))
@pytest.mark.parametrize("small", range(4))
@pytest.mark.parametrize("large", range(4))
def test_budget_draws_whatever_is_left_out(budget, small, large):
    text = titles(figures.draw_budget(surface(), budget, small, large))
    if small + large > 3:
        assert "no parabola" in text
    elif small >= 2 or large >= 3:
        assert "at the edge" in text
    else:
        best = float(text.split("best at ")[1].split(" par")[0].replace(",", ""))
        assert best == pytest.approx(6000 * 10 ** (budget / 4), rel=0.25)


def test_twins_have_a_panel_each_and_name_the_fit():
    frames = {"rate / 4": surface(), "batch": surface(noise=0.01)}
    fig = figures.draw_twins({name: surface() for name in frames}, frames)
    text = titles(fig)
    assert text.count("R²") == 2
    assert "rate / 4" in text
    dashed, solid = ([line for line in fig.axes[0].lines if line.get_linestyle() == style] for style in ("--", "-"))
    assert [line.get_color() for line in dashed] == [line.get_color() for line in solid]
    assert len({line.get_color() for line in solid}) == len(solid) == frames["batch"]["budget"].nunique()


def test_the_star_lies_where_fit_isoflop_says():
    runs = surface(noise=0.01)
    law = fit_isoflop(runs["flops"], runs["n_params"], runs["loss"], budget=runs["budget"])
    drawn = [figures._parabola(group)[2] for _, group in runs.groupby("budget")]
    assert drawn == pytest.approx([one.n_params for one in law.optima])


def test_fault_says_the_gap_at_every_width():
    right, wrong = [[2.0, 2.1], [1.7, 1.8], [1.5, 1.6]], [[1.9, 2.0], [1.5, 1.6], [1.48, 1.58]]
    fig = figures.draw_fault((8, 32, 128), right, wrong)
    assert titles(fig) == "The fault shifts the loss by -0.10, -0.20, -0.02 nats"


@pytest.mark.parametrize(
    ("budget", "label"),
    [(1e10, "$10^{10}$"), (3e9, r"$3 \cdot 10^{9}$"), (2e11, r"$2 \cdot 10^{11}$"), (10**10.5, "$10^{10.5}$")],
)
def test_a_budget_is_named_as_it_was_given(budget, label):
    assert figures._power(budget) == label


def test_progress_is_silent_outside_a_notebook(capsys):
    show = figures.progress()
    show(1.0, 3.0)
    assert "Traceback" not in capsys.readouterr().out


def test_nine_budgets_of_a_gpus_plan_are_all_drawn():
    fig = figures.draw_curves(surface(budgets=9))
    labels = [text.get_text() for text in fig.axes[0].texts]
    assert len(labels) == 9
    assert labels[0] == "$10^{10}$"
