"""The roofline: both ceilings, the intensity of products, and what is timed."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course import roofline
from course.roofline import Point, Roofline, matrix_product_bytes, matrix_product_intensity, roof, utilisation

sizes = st.integers(1, 5000)
rates = st.floats(1e6, 1e16)


def test_a_small_product_by_hand():
    # (2, 3) by (3, 4): 2*2*3*4 = 48 FLOPs; 6 + 12 + 8 = 26 numbers of 4 bytes
    assert matrix_product_bytes(2, 3, 4) == 104
    assert matrix_product_intensity(2, 3, 4) == pytest.approx(48 / 104)


@given(sizes)
def test_a_square_product_has_a_sixth_of_its_side_in_float32(n):
    assert matrix_product_intensity(n, n, n) == pytest.approx(n / 6)
    assert matrix_product_intensity(n, n, n, 2) == pytest.approx(n / 3)


@given(sizes, sizes, sizes)
def test_intensity_stays_below_half_of_the_smallest_side(m, k, n):
    assert matrix_product_intensity(m, k, n) <= min(m, k, n) / 2
    assert matrix_product_intensity(m, k, n) == pytest.approx(matrix_product_intensity(n, k, m))


@given(rates, rates, st.floats(1e-3, 1e6))
def test_both_ceilings_hold_and_one_is_reached(peak, bandwidth, intensity):
    line = Roofline(peak, bandwidth)
    rate = line.attainable(intensity)
    assert rate <= peak and rate <= intensity * bandwidth
    assert rate == peak or rate == pytest.approx(intensity * bandwidth)
    assert line.bound(intensity) == ("memory" if rate < peak else "compute")
    flops = 1e9
    assert line.seconds(flops, flops / intensity) == pytest.approx(flops / rate)


def test_the_ridge_is_where_the_ceilings_meet():
    line = Roofline(1e12, 5e10)
    assert line.ridge == 20
    assert line.attainable(20) == pytest.approx(1e12)
    assert line.attainable(10) == pytest.approx(5e11)


@pytest.mark.parametrize("wrong", [(0, 1), (1, 0), (-1, 1), (float("nan"), 1)])
def test_a_roofline_without_ceilings_is_refused(wrong):
    with pytest.raises(ValueError, match="positive number"):
        Roofline(*wrong)
    with pytest.raises(ValueError, match="positive number"):
        Roofline(1e9, 1e9).attainable(0)


def test_operations_are_timed_in_turns_and_the_fastest_call_counts():
    called = []

    def sleeper(name, pauses):
        def call():
            called.append(name)
            time.sleep(pauses[min(called.count(name) - 1, len(pauses) - 1)])

        return call

    work = [("a", 1e6, 1e6, sleeper("a", [0.03, 0.03, 0.002, 0.03])), ("b", 4e6, 1e6, sleeper("b", [0.004]))]
    points = roofline.measure(0.01, work, least=3)
    assert called[:6] == ["a", "b"] * 3
    assert points[0].seconds == pytest.approx(0.002, abs=0.002)
    assert points[1].rate == pytest.approx(4e6 / points[1].seconds)
    assert points[1].intensity == 4


def test_the_roof_is_the_highest_of_each():
    points = [Point("copy", 1e6, 1e8, 0.01), Point("product", 1e9, 1e6, 0.02)]
    assert roof(points) == Roofline(5e10, 1e10)
    assert all(point.rate <= roof(points).attainable(point.intensity) * 1.000001 for point in points)
    with pytest.raises(ValueError, match="at least one"):
        roof([])


def test_real_operations_span_the_ridge():
    pytest.importorskip("tensorflow")
    work = roofline.operations(rows=(1, 32), side=512, square=256)
    points = roofline.measure(0.05, work, least=2)
    intensity = [point.intensity for point in points]
    assert intensity == sorted(intensity)
    assert intensity[0] == pytest.approx(1 / 12) and 0.4 < intensity[1] < 0.51
    assert all(point.rate > 1e6 for point in points)


def test_utilisation_is_a_share_of_the_peak():
    # PaLM's counting on a small case: 6e9 FLOPs a token, 20,000 tokens a second, a peak of 312e12
    assert utilisation(6e9, 20_000, 312e12) == pytest.approx(0.3846, abs=1e-4)
    with pytest.raises(ValueError, match="peak"):
        utilisation(6e9, 20_000, 0)
