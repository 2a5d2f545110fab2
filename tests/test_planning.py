"""From a plan to a decision: units of energy, schedules and their bounds, interruptions, the price of a wrong size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course import planning
from course.devices import DEVICES, this_machine
from course.planning import (
    compare,
    estimate,
    extra_compute,
    lower_bound,
    order_of,
    replay,
    schedule,
    seconds_with_interruptions,
)

costs = st.lists(st.floats(0.01, 100), min_size=1, max_size=40)
devices = st.integers(1, 8)
speeds = st.lists(st.floats(0.1, 10), min_size=1, max_size=6)
orders = st.sampled_from(planning.ORDERS)


# --- estimates --------------------------------------------------------------------------------------


def test_an_estimate_by_hand():
    # 3.12e17 FLOPs at half of 312e12 take 2,000 s; at 400 W that is 800,000 J, 0.222 kWh
    found = estimate(3.12e17, "A100", 0.5)
    assert found.seconds == pytest.approx(2000)
    assert found.joules == pytest.approx(8e5)
    assert found.kwh == pytest.approx(0.2222, abs=1e-4)
    assert found.hours == pytest.approx(found.days * 24) == pytest.approx(0.5556, abs=1e-4)


def test_more_devices_take_less_time_and_the_same_energy():
    one, eight = estimate(1e20, "H100", 0.4), estimate(1e20, "H100", 0.4, devices=8)
    assert eight.seconds == pytest.approx(one.seconds / 8)
    assert eight.joules == pytest.approx(one.joules)
    assert eight.device_hours == pytest.approx(one.device_hours)


@given(st.floats(1e6, 1e26), st.sampled_from(sorted(DEVICES)), st.floats(0.001, 1))
def test_time_is_work_over_rate_and_energy_power_times_time(flops, name, share):
    found = estimate(flops, name, share)
    assert found.seconds * DEVICES[name].rate() * share == pytest.approx(flops)
    if DEVICES[name].watts is None:
        assert found.joules is None and found.kwh is None
    else:
        assert found.kwh * 3.6e6 == pytest.approx(DEVICES[name].watts * found.seconds)


def test_the_format_the_watts_and_the_overhead_can_be_chosen():
    plain = estimate(1e18, "A100", 0.4)
    assert estimate(1e18, "A100", 0.4, dtype="float32").seconds == pytest.approx(plain.seconds * 312 / 19.5)
    assert estimate(1e18, "A100", 0.4, watts=200).joules == pytest.approx(plain.joules / 2)
    assert estimate(1e18, "A100", 0.4, overhead=1.5).joules == pytest.approx(plain.joules * 1.5)
    assert estimate(1e18, "TPU v5e", 0.4, watts=200).joules > 0


def test_a_cost_is_made_of_the_readers_prices():
    found = estimate(3.12e17, "A100", 0.5, devices=2)
    assert found.cost(per_device_hour=1.8) == pytest.approx(1.0)
    assert found.cost(per_kwh=0.3) == pytest.approx(0.3 * found.kwh)
    assert found.cost() == 0
    with pytest.raises(ValueError, match="TPU v5e is not published"):
        estimate(1e18, "TPU v5e", 0.4).cost(per_kwh=0.3)


def test_the_devices_of_a_dry_run_and_this_machine():
    mine = this_machine(rate=4e11, bandwidth=20)
    found = compare(1e15, ("T4", "A100", "H100", mine))
    assert [one.device for one in found] == ["T4", "A100", "H100", "this machine"]
    assert found[0].seconds > found[1].seconds > found[2].seconds
    assert found[3].seconds == pytest.approx(1e15 / (4e11 * 0.4))


def test_an_estimate_reads_as_a_sentence():
    assert str(estimate(3.12e17, "A100", 0.5)) == (
        "A100: 33 minutes, 0.22 kWh at full power (50 % of bfloat16 peak, assumed)"
    )
    assert "energy not known" in str(estimate(1e18, "TPU v5p", 0.4))
    assert str(estimate(1e24, "H100", 0.4, devices=1000)).startswith("1000 x H100: 29 days, 491,")
    assert " Wh" in str(estimate(1e15, "T4", 0.4))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((1e15, "A100", 0), "above 0 and at most 1"),
        ((1e15, "A100", 40), "above 0 and at most 1"),
        ((1e15, "A100", math.nan), "above 0 and at most 1"),
        ((0, "A100", 0.4), "flops must be a positive number"),
        ((1e15, "B100", 0.4), "no device 'B100'"),
    ],
)
def test_what_cannot_be_estimated_is_said_in_one_sentence(arguments, said):
    with pytest.raises(ValueError, match=said) as error:
        estimate(*arguments)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_other_impossible_arguments():
    with pytest.raises(ValueError, match="devices"):
        estimate(1e15, "A100", 0.4, devices=0)
    with pytest.raises(ValueError, match="overhead"):
        estimate(1e15, "A100", 0.4, overhead=0.5)


# --- schedules --------------------------------------------------------------------------------------


def whole(plan, times, speed):
    """Each task is done once, takes its time, starts when its device is free, and no device pauses before it."""
    assert sorted(piece.task for piece in plan.pieces) == list(range(len(times)))
    for device in range(plan.devices):
        until = 0.0
        for piece in plan.on(device):
            assert piece.start == pytest.approx(until)
            assert piece.end - piece.start == pytest.approx(times[piece.task] / speed[device])
            until = piece.end


@given(costs, devices, orders)
def test_every_task_is_done_once_and_no_bound_is_beaten(times, p, order):
    plan = schedule(times, p, order)
    whole(plan, times, [1.0] * p)
    assert plan.makespan >= lower_bound(times, p) * (1 - 1e-9)
    assert plan.makespan <= sum(times) * (1 + 1e-9)
    assert 0 < plan.busy <= 1 + 1e-9
    assert plan.mean_completion <= plan.makespan * (1 + 1e-9)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=7), st.integers(1, 3))
@settings(max_examples=200)
def test_longest_first_is_within_its_bound(times, p):
    """Graham 1969: at most 4/3 - 1/(3p) of the best schedule there is, found here by trying all."""
    best = optimum(times, p)
    assert lower_bound(times, p) <= best * (1 + 1e-9)
    assert schedule(times, p, "longest").makespan <= (4 / 3 - 1 / (3 * p)) * best * (1 + 1e-9)


def optimum(times, p):
    """The best makespan by trying every assignment (the first task on the first device)."""
    best, n = math.inf, len(times)
    for code in range(p ** max(n - 1, 0)):
        load = [0.0] * p
        load[0] = times[0]
        for i in range(1, n):
            load[code % p] += times[i]
            code //= p
        best = min(best, max(load))
    return best


def test_the_case_where_longest_first_is_as_bad_as_its_bound():
    """Graham's example: 2p + 1 tasks of p devices, 2p-1, 2p-1, ..., p+1, p+1, p, p, p."""
    for p in (2, 3, 4):
        times = [t for t in range(2 * p - 1, p, -1) for _ in range(2)] + [p] * 3
        assert schedule(times, p, "longest").makespan / (3 * p) == pytest.approx(4 / 3 - 1 / (3 * p))
        assert lower_bound(times, p) <= 3 * p


@given(costs, devices)
def test_shortest_first_makes_the_smallest_mean_wait(times, p):
    """Conway, Maxwell and Miller 1967: on equal devices."""
    least = schedule(times, p, "shortest").mean_completion
    for order in ("given", "longest", "random"):
        assert least <= schedule(times, p, order).mean_completion * (1 + 1e-9)


@given(costs, devices, orders)
def test_any_list_is_within_two_of_the_best(times, p, order):
    """Graham 1966: 2 - 1/p, whatever the order."""
    assert schedule(times, p, order).makespan <= (2 - 1 / p) * lower_bound(times, p) * (1 + 1e-9)


@given(costs, speeds, orders, st.sampled_from(["first free", "first done"]))
def test_devices_of_different_speeds(times, fast, order, rule):
    plan = schedule(times, fast, order, rule=rule)
    whole(plan, times, fast)
    assert plan.makespan >= lower_bound(times, fast) * (1 - 1e-9)


def test_a_slow_device_can_be_worse_than_none():
    times = [10.0, 10.0, 10.0]
    assert schedule(times, [1.0]).makespan == 30
    assert schedule(times, [1.0, 0.1]).makespan == 100  # the free device takes a task, and takes ten times as long
    assert schedule(times, [1.0, 0.1], rule="first done").makespan == 30


def test_the_orders():
    times = [3.0, 1.0, 2.0, 1.0]
    assert order_of(times) == [0, 1, 2, 3]
    assert order_of(times, "shortest") == [1, 3, 2, 0]
    assert order_of(times, "longest") == [0, 2, 1, 3]
    shuffled = order_of(range(50), "random", np.random.default_rng(3))
    assert sorted(shuffled) == list(range(50)) and shuffled != list(range(50))
    with pytest.raises(ValueError, match="no order 'fastest'; there are given, shortest, longest, random"):
        order_of(times, "fastest")


def test_an_order_can_be_given_by_hand():
    plan = schedule([3.0, 1.0, 2.0], 1, [2, 0, 1])
    assert [piece.task for piece in plan.on(0)] == [2, 0, 1]
    assert plan.mean_completion == pytest.approx((2 + 5 + 6) / 3)
    with pytest.raises(ValueError, match="each of the 3 tasks once"):
        schedule([3.0, 1.0, 2.0], 1, [0, 0, 1])


def test_a_plan_made_beforehand_cannot_learn():
    real, thought = [4.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]
    beforehand = replay(schedule(thought, 2, "given"), real)
    meanwhile = schedule(real, 2, "given", expected=thought)
    whole(beforehand, real, [1.0, 1.0])
    assert beforehand.makespan == 5 and meanwhile.makespan == 4


@given(costs, speeds, orders)
def test_a_plan_replayed_with_what_it_expected_is_itself(times, fast, order):
    plan = schedule(times, fast, order)
    again = replay(plan, times, fast)
    assert again.makespan == pytest.approx(plan.makespan)
    assert again.mean_completion == pytest.approx(plan.mean_completion)


def test_a_device_that_turns_out_slow_delays_a_plan():
    plan = schedule([2.0, 2.0, 2.0, 2.0], 2)
    assert replay(plan, [2.0, 2.0, 2.0, 2.0], [1.0, 0.25]).makespan == 16
    with pytest.raises(ValueError, match="4 tasks on 2 devices; got 4 and 3"):
        replay(plan, [2.0] * 4, 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([1.0], 0), "devices"),
        (([1.0], []), "at least one device"),
        (([1.0], [1.0, 0.0]), "speed"),
        (([-1.0], 2), "0 or more"),
        (([], 2), "at least one number"),
    ],
)
def test_impossible_schedules(arguments, said):
    with pytest.raises(ValueError, match=said):
        schedule(*arguments)


def test_more_impossible_schedules():
    with pytest.raises(ValueError, match="no rule 'best'"):
        schedule([1.0], 2, rule="best")
    with pytest.raises(ValueError, match="3 costs and 2 expected"):
        schedule([1.0, 2.0, 3.0], 2, expected=[1.0, 2.0])


def test_lower_bounds_by_hand():
    assert lower_bound([3, 3, 3], 2) == 6  # two must share a device
    assert lower_bound([10, 1, 1], 3) == 10  # the longest
    assert lower_bound([1] * 8, 4) == 2  # all the work
    assert lower_bound([8, 4], [2.0, 1.0]) == 4  # the longest on the fastest; both on both
    assert lower_bound([6, 6], [2.0, 1.0]) == 4


# --- interruptions ----------------------------------------------------------------------------------


def simulated(work, between, every, record, restart, rng):
    done = now = 0.0
    failure = rng.exponential(between)
    while done < work - 1e-9:
        stretch = min(every, work - done)
        last = stretch < every - 1e-9
        need = stretch + (0 if last else record)
        if failure - now >= need:
            now += need
            done += stretch
        else:
            now = failure + restart
            failure = now + rng.exponential(between)
    return now


@pytest.mark.parametrize(("every", "record", "restart"), [(0.25, 0.01, 0.0), (0.5, 0.0, 0.1), (1.0, 0.05, 0.05)])
def test_the_expected_time_is_that_of_a_simulation(every, record, restart):
    rng = np.random.default_rng(1)
    times = [simulated(2.0, 1.5, every, record, restart, rng) for _ in range(4000)]
    error = np.std(times) / math.sqrt(len(times))
    assert seconds_with_interruptions(2.0, 1.5, every, record, restart) == pytest.approx(np.mean(times), abs=4 * error)


def test_records_save_time_and_too_many_cost_it():
    bare = seconds_with_interruptions(10.0, 5.0)
    assert bare == pytest.approx(5 * math.expm1(2))
    best = seconds_with_interruptions(10.0, 5.0, every=math.sqrt(2 * 0.01 * 5), record=0.01)
    assert best < 0.4 * bare
    assert best < seconds_with_interruptions(10.0, 5.0, every=5.0, record=0.01)
    assert best < seconds_with_interruptions(10.0, 5.0, every=0.01, record=0.01)
    assert seconds_with_interruptions(10.0, 1e9, every=1.0, record=0.0) == pytest.approx(10, rel=1e-6)


def test_impossible_interruptions():
    with pytest.raises(ValueError, match="between"):
        seconds_with_interruptions(1.0, 0.0)
    with pytest.raises(ValueError, match="0 or more"):
        seconds_with_interruptions(1.0, 1.0, every=0.1, record=-1)


# --- the price of a wrong size ----------------------------------------------------------------------


@given(st.floats(0.02, 0.5), st.floats(1.01, 100))
def test_extra_compute_undoes_the_power_law(slope, factor):
    """The best size at a budget smaller by `factor` has just the loss that is that many times dearer here."""
    best, smaller = 1e12**-slope, (1e12 / factor) ** -slope
    assert extra_compute([best, smaller], best, slope) == pytest.approx([0, factor - 1], rel=1e-6, abs=1e-9)


def test_a_small_loss_is_a_large_waste():
    assert float(extra_compute(1.02, 1.0, 0.08)) == pytest.approx(0.281, abs=1e-3)
