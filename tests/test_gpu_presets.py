"""The plans for a GPU: what they span, and that they run, in small, on any machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from course import sweeps
from course.sweeps.gpu_presets import GPU_PRESETS


@pytest.mark.parametrize("name", GPU_PRESETS)
def test_a_plan_spans_four_decades_with_sizes_enough_for_a_parabola(name):
    plan = sweeps.preset(name)
    table = plan.table()
    assert max(plan.budgets) / min(plan.budgets) >= 1e4
    by_budget = table.groupby("budget")["size"].nunique()
    assert by_budget.min() >= (5 if name == "characters-gpu" else 4)
    assert table["tokens"].max() < 6.5 * len(plan.data.train["text"]), "reads the text again too often"
    assert abs(table["flops"] / table["budget"] - 1).max() < 0.01


@pytest.mark.parametrize("name", ["characters", "bytes"])
def test_the_best_sizes_that_were_recorded_lie_inside(name):
    """At each budget that a recorded sweep shares with the plan, a size on both sides of its best one."""
    planned = sweeps.preset(f"{name}-gpu").table()
    runs = sweeps.reference(name)
    for budget, best in runs.loc[runs.groupby("budget")["loss"].idxmin()].set_index("budget")["size"].items():
        sizes = planned[abs(planned["budget"] / budget - 1) < 0.01]["size"]
        assert sizes.min() < best < sizes.max(), f"{budget:g}"


@pytest.mark.parametrize("name", GPU_PRESETS)
def test_a_plan_runs_in_small(name, tmp_path):
    plan = sweeps.preset(name)
    size = plan.sizes[1]
    step = plan.counts(size).training_flops_per_token * plan.tokens_per_step
    small = replace(plan, sizes=(size,), budgets=(4 * step,), least_steps=1, tokens_per_param=(0.0, 1e9))
    (row,) = sweeps.run(small, tmp_path, progress=False).to_dict("records")
    assert row["steps"] == 4
    assert not row["diverged"]
