"""Figures of lesson 3.3: they draw over their sliders' range and say the right numbers."""

from __future__ import annotations

import io

import numpy as np
import pytest

from course.devices import this_machine
from course.planning import ORDERS
from course.roofline import Point
from course.widgets import allocating_compute as figures


def titles(fig):
    return " | ".join(ax.get_title(loc="left") or ax.get_title() for ax in fig.axes)


def drawn(fig):
    """The figure's titles, after it was rendered once."""
    fig.savefig(io.BytesIO(), format="png")
    return titles(fig)


POINTS = (
    Point("add two vectors", 1e6, 12e6, 1e-3),
    Point("1 row x matrix", 2e6, 4e6, 4e-4),
    Point("4 rows x matrix", 8e6, 4e6, 4e-4),
    Point("square product", 1e9, 4e6, 1e-2),
)


def test_points_name_the_slowest_and_the_fastest():
    assert drawn(figures.draw_points(POINTS)) == "From 1 GFLOP/s to 100 GFLOP/s: what is computed a byte decides"


@pytest.mark.parametrize("peak", [0.1, 312.0, 1000.0])
@pytest.mark.parametrize("bandwidth", [10.0, 2039.0, 10000.0])
@pytest.mark.parametrize("n", [16, 1024, 4096])
def test_a_product_says_which_ceiling_it_meets(peak, bandwidth, n):
    text = titles(figures.draw_product(peak, bandwidth, n))
    ridge = 1000 * peak / bandwidth
    if n / 6 >= ridge:
        assert "can reach the peak" in text
    else:
        assert f"gets {n / 6 / ridge:.0%} of the peak at most" in text


def test_products_are_drawn_on_the_roof():
    fig = figures.draw_product(312.0, 2039.0, 600)  # 100 FLOPs a byte, below the ridge of 153
    markers = [line for line in fig.axes[0].lines if line.get_marker() == "o"]
    assert markers[0].get_ydata()[0] == pytest.approx(100 * 2039e9)


def test_utilisation_names_both_ends():
    runs = {"character MLP": [(2000, 0.12), (10**6, 0.64)], "Transformer": [(14_000, 0.1), (130_000, 0.45)]}
    assert (
        drawn(figures.draw_utilisation(runs)) == "The same machine gives 10% of its best to one model, 64% to another"
    )


@pytest.mark.parametrize("mine", [None, this_machine(rate=4e11, bandwidth=20.0)])
def test_devices_are_all_named(mine):
    fig = figures.draw_devices(mine)
    assert "Ridges from 16 to 1,299" in drawn(fig)
    words = " ".join(text.get_text() for text in fig.axes[0].texts)
    for name in ("EPYC 9654", "T4", "H100", "TPU v5e", "Alveo U280 (int8)"):
        assert name in words
    assert ("this machine" in words) == (mine is not None)


@pytest.mark.parametrize("flops", [1e15, 1e20, 1e25])
@pytest.mark.parametrize("utilisation", [1.0, 40.0, 60.0])
@pytest.mark.parametrize("devices", [1, 64])
def test_a_plan_draws_over_its_sliders(flops, utilisation, devices):
    text = drawn(figures.draw_plan(flops, utilisation, devices))
    assert f"FLOPs at {utilisation:.3g} % of peak" in text
    assert "Least energy: L4" in text  # of the published figures, whatever the plan
    assert ("64 of each" in text) == (devices == 64)


def test_a_plan_says_the_days():
    fig = figures.draw_plan(1e20, 40.0)
    words = [text.get_text() for text in fig.axes[0].texts]
    assert words[0] == f"{1e20 / (989.4e12 * 0.4) / 86400:.2g}" == "2.9"
    assert [text.get_text() for text in fig.axes[1].texts].count("power not published") == 2


@pytest.mark.parametrize("devices", range(1, 9))
@pytest.mark.parametrize("order", range(len(ORDERS)))
def test_timelines_draw_over_their_sliders(devices, order):
    assert "all done after" in titles(figures.draw_timeline(devices, order))


def test_the_example_shows_what_the_text_says():
    assert titles(figures.draw_timeline(3, 0)) == "As given: all done after 25 hours, a run after 12.5 on average"
    assert titles(figures.draw_timeline(3, 2)).startswith("Longest first: all done after 20 hours")
    means = [float(titles(figures.draw_timeline(3, order)).split("a run after ")[1].split()[0]) for order in range(4)]
    assert min(means) == means[1]  # shortest first


def test_a_timeline_has_a_bar_for_each_run():
    fig = figures.draw_timeline(2, 2, costs=(3.0, 1.0, 2.0))
    assert sorted(patch.get_width() for patch in fig.axes[0].patches) == [1, 2, 3]
    assert titles(fig) == "Longest first: all done after 3 hours, a run after 2.67 on average"


def test_makespans_say_what_is_saved():
    rng = np.random.default_rng(0)
    fig = figures.draw_makespans(rng.normal(400, 40, 1000), rng.normal(300, 20, 1000), [290.0])
    assert drawn(fig) == "Deciding late saves 25% of the time, and the ends differ less"


def test_a_wrong_size_has_two_panels():
    fig = figures.draw_wrong_size([40, 100, 200], [0.08, 0.001, 0.02], [1.3, 0.01, 0.25], 100)
    assert drawn(fig) == "The loss looks flat | The compute behind it does not"
    assert [text.get_text() for text in fig.axes[1].texts] == ["130", "1.0", "25"]


def test_a_pilot_names_the_cheapest():
    fig = figures.draw_pilot([0.02, 0.08, 0.3], [0.10, 0.02, 0.01], [0.01, 0.01, 0.01], [0.3, 0.03, 0.02])
    assert drawn(fig) == "Pilot and waste together cost least, 10 %, with a pilot of 8 %"
    drawn(figures.draw_pilot([0.02, 0.08], [0.10, 0.02]))
