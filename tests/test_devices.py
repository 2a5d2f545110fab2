"""Published devices: complete, in the right units, dense rates, and found by name."""

from __future__ import annotations

import math

import pytest

from course import devices
from course.devices import DEVICES, Device, find, this_machine


def test_the_table_has_every_kind_and_eight_devices_or_more():
    assert len(DEVICES) >= 8
    assert {device.kind for device in DEVICES.values()} >= {"CPU", "GPU", "TPU", "FPGA"}


@pytest.mark.parametrize("device", DEVICES.values(), ids=list(DEVICES))
def test_each_row_is_complete_and_its_units_are_plausible(device):
    assert any(year in device.source for year in map(str, range(2016, 2027))), "the source has no year"
    assert 2015 <= device.year <= 2026
    assert all(1e12 < rate < 1e16 for rate in device.rates.values()), "rates are FLOP/s"
    assert 10 < device.bandwidth < 10_000, "bandwidth is GB/s"
    assert 1 < device.memory < 10_000, "memory is GB"
    assert device.watts is None or 30 < device.watts < 2000
    assert device.seen, "nothing of this row was looked up"
    assert 1 < device.ridge() < 2000


@pytest.mark.parametrize("device", DEVICES.values(), ids=list(DEVICES))
def test_fewer_bits_are_not_slower(device):
    rates = [device.rates[name] for name in ("float32", "tf32", "bfloat16", "float8") if name in device.rates]
    assert rates == sorted(rates)


def test_rates_are_dense():
    """Of the sheets that print 'with sparsity', half is in the table."""
    assert find("H100").rate("bfloat16") == pytest.approx(1979e12 / 2, rel=1e-3)
    assert find("L4").rate("bfloat16") == pytest.approx(242e12 / 2, rel=1e-3)
    assert find("A100").rate("bfloat16") == pytest.approx(624e12 / 2, rel=1e-3)


def test_gib_are_turned_into_gb():
    assert find("TPU v4").memory == pytest.approx(34.36, abs=0.01)


def test_the_cpu_rate_is_what_its_note_computes():
    assert find("EPYC 9654").rate() == pytest.approx(7.37e12, rel=1e-3)
    assert find("EPYC 9654").bandwidth == pytest.approx(460.8)


def test_the_training_format_is_the_fastest_one_that_trains():
    assert find("A100").training_format == "bfloat16"
    assert find("T4").training_format == "float16"
    assert find("EPYC 9654").training_format == "float32"
    assert find("Alveo U280").training_format == "int8"  # nothing else is published


def test_names_are_found_however_they_are_written():
    assert find("a100") is find("A100") is find(find("A100"))
    assert find("tpu-v5e").name == "TPU v5e"
    with pytest.raises(ValueError, match=r"no device 'A1000'.*H100") as error:
        find("A1000")
    assert str(error.value).endswith(".")


def test_a_format_without_a_rate_is_named():
    with pytest.raises(ValueError, match="T4 has no published bfloat16 rate; it has one for float32, float16, int8"):
        find("T4").rate("bfloat16")


def test_energy_is_power_over_rate_or_unknown():
    assert find("H100").joules_per_flop() == pytest.approx(700 / 989.4e12)
    assert find("TPU v5e").joules_per_flop() is None


def test_the_table_and_its_rows_cannot_be_changed():
    with pytest.raises(TypeError):
        DEVICES["mine"] = find("A100")  # type: ignore[index]
    with pytest.raises(TypeError):
        find("A100").rates["float32"] = 1.0  # type: ignore[index]


@pytest.mark.parametrize(
    "wrong",
    [{"rates": {}}, {"rates": {"float32": 0.0}}, {"bandwidth": -1.0}, {"watts": 0.0}, {"rates": {"f": math.nan}}],
)
def test_an_impossible_device_is_refused(wrong):
    right = {
        "name": "x", "kind": "CPU", "year": 2020, "rates": {"float32": 1e12}, "memory": 1.0, "bandwidth": 10.0,
        "watts": 10.0, "source": "mine",
    }  # fmt: skip
    Device(**right)
    with pytest.raises(ValueError, match="x"):
        Device(**(right | wrong))


def test_this_machine_takes_what_is_given_and_measures_nothing_else():
    mine = this_machine(rate=4e11, bandwidth=20.0, watts=65)
    assert (mine.rate(), mine.bandwidth, mine.watts) == (4e11, 20.0, 65)
    assert mine.ridge() == pytest.approx(20)
    assert mine.memory > 0.5
    assert this_machine(rate=4e11, bandwidth=20.0).watts is None


def test_this_machine_measures(monkeypatch):
    from course import machine

    monkeypatch.setattr(machine, "matrix_product_rate", lambda *a, **k: machine.Measurement(90, 80, 100, "GFLOP/s", 5))
    monkeypatch.setattr(machine, "copy_bandwidth", lambda *a, **k: machine.Measurement(9, 8, 10, "GB/s", 5))
    assert this_machine().rate() == 100e9
    assert this_machine().bandwidth == 10


def test_gib_is_larger_than_gb():
    assert devices.GIB * 1e9 == 2**30
