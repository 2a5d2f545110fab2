"""Published specifications of processors: peak rate by number format, memory, bandwidth, power, and the source.

`find("A100")` is a `Device`; `DEVICES` is the table. Every figure is the maker's own: a ceiling, not a
forecast (lesson 3.3 measures how far below it training stays). Rates are **dense**: where a data sheet
prints the rate of a matrix with half its entries zero ("with sparsity"), half of it stands here.
`this_machine` measures the machine it runs on, in the same form.

Units: FLOP/s (int8: operations a second), GB of 1e9 bytes, GB/s of 1e9 bytes a second, watts. A power
of None was not published. `seen` names the fields that were looked up again, in the source or in a copy
of its table, when the table was made; the others are from the same source and were not.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from course.inputs import positive

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEVICES", "Device", "find", "this_machine"]

GIB = 2**30 / 1e9
"""GB in a GiB."""


@dataclass(frozen=True)
class Device:
    """A processor as its maker describes it.

    rates: peak FLOP/s by number format ("float32", "bfloat16", "int8", ...), dense. memory: GB.
    bandwidth: GB/s to and from that memory. watts: the most it draws (None: not published); `power_is`
    says what kind of figure that is. note: what one must know to read the row.
    """

    name: str
    kind: str
    year: int
    rates: Mapping[str, float] = field(hash=False)
    memory: float
    bandwidth: float
    watts: float | None
    source: str
    power_is: str = "thermal design power"
    seen: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if not self.rates:
            raise ValueError(f"A device needs a peak rate for at least one number format; {self.name!r} has none.")
        for dtype, rate in self.rates.items():
            positive(f"the {dtype} rate of {self.name}", rate)
        positive(f"the bandwidth of {self.name}", self.bandwidth)
        if self.watts is not None:
            positive(f"the power of {self.name}", self.watts)
        object.__setattr__(self, "rates", MappingProxyType(dict(self.rates)))

    @property
    def training_format(self) -> str:
        """The fastest number format that training is done in: bfloat16, else float16, float32, else the first."""
        return next((name for name in ("bfloat16", "float16", "float32") if name in self.rates), next(iter(self.rates)))

    def rate(self, dtype: str | None = None) -> float:
        """Peak FLOP/s in a number format; the training format when none is named.

        Raises ValueError, naming the formats there are, for one without a published rate.
        """
        name = dtype or self.training_format
        if name not in self.rates:
            raise ValueError(f"{self.name} has no published {name} rate; it has one for {', '.join(self.rates)}.")
        return self.rates[name]

    def ridge(self, dtype: str | None = None) -> float:
        """FLOPs a byte from which on the peak rate, not the memory, is the limit (Williams et al. 2009)."""
        return self.rate(dtype) / (self.bandwidth * 1e9)

    def joules_per_flop(self, dtype: str | None = None) -> float | None:
        """Watts over peak rate: joules a FLOP if it drew all its power at its peak; None without a published power."""
        return None if self.watts is None else self.watts / self.rate(dtype)


def _gpu(name: str, year: int, rates: Mapping[str, float], memory: float, bandwidth: float, watts: float, source: str,
         seen: tuple[str, ...], note: str = "") -> Device:  # fmt: skip
    terarates = {dtype: 1e12 * rate for dtype, rate in rates.items()}
    return Device(name, "GPU", year, terarates, memory, bandwidth, watts, source, seen=seen, note=note)


_TABLE = (
    Device(
        name="EPYC 9654",
        kind="CPU",
        year=2022,
        rates={"float32": 96 * 2.4e9 * 32},
        memory=6000,
        bandwidth=12 * 4.8 * 8,
        watts=360,
        source="AMD, EPYC 9004 Series Processors data sheet, 2022",
        seen=("cores", "clock", "memory", "bandwidth", "watts"),
        note="Rate computed: 96 cores x 2.4 GHz (base) x 2 units x 8 numbers x 2 FLOPs; its bfloat16 is not counted. Memory: "
        "the most it can have.",
    ),
    _gpu(
        "T4",
        2018,
        {"float32": 8.1, "float16": 65, "int8": 130},
        16,
        320,
        70,
        "NVIDIA, T4 Tensor Core GPU data sheet, 2018; product brief PB-09256",
        ("rates", "memory", "bandwidth", "watts"),
    ),
    _gpu(
        "A100",
        2020,
        {"float32": 19.5, "tf32": 156, "bfloat16": 312, "float16": 312, "int8": 624},
        80,
        2039,
        400,
        "NVIDIA, A100 Tensor Core GPU data sheet, 2021 (SXM, 80 GB)",
        ("rates", "memory", "bandwidth", "watts"),
    ),
    _gpu(
        "RTX 4090",
        2022,
        {"float32": 82.6, "bfloat16": 165.2, "float16": 165.2, "int8": 660.6},
        24,
        1008,
        450,
        "NVIDIA, Ada GPU Architecture white paper, 2022, appendix A",
        ("rates", "memory", "bandwidth", "watts"),
        "A consumer card. float16 with sums kept in float32; with sums in float16 twice as fast.",
    ),
    _gpu(
        "H100",
        2022,
        {"float32": 67, "tf32": 494.7, "bfloat16": 989.4, "float16": 989.4, "float8": 1978.9, "int8": 1978.9},
        80,
        3350,
        700,
        "NVIDIA, H100 Tensor Core GPU data sheet, 2023 (SXM)",
        ("rates", "memory", "bandwidth", "watts"),
        "The sheet's 1,979 TFLOPS in bfloat16 are with sparsity.",
    ),
    _gpu(
        "L4",
        2023,
        {"float32": 30.3, "tf32": 60, "bfloat16": 121, "float16": 121, "float8": 242.5, "int8": 242.5},
        24,
        300,
        72,
        "NVIDIA, L4 Tensor Core GPU data sheet, 2023",
        ("rates", "memory", "bandwidth", "watts"),
        "The sheet's 242 TFLOPS in bfloat16 are with sparsity.",
    ),
    Device(
        name="TPU v4",
        kind="TPU",
        year=2021,
        rates={"bfloat16": 275e12, "int8": 275e12},
        memory=32 * GIB,
        bandwidth=1200,
        watts=192,
        source="Google Cloud, TPU v4 documentation (undated); Jouppi et al. 2023",
        power_is="largest power measured (mean 170, least 90)",
        seen=("rates", "memory", "bandwidth", "watts"),
    ),
    Device(
        name="TPU v5e",
        kind="TPU",
        year=2023,
        rates={"bfloat16": 197e12, "int8": 393e12},
        memory=16,
        bandwidth=819,
        watts=None,
        source="Google Cloud, TPU v5e documentation (undated; announced 2023)",
        power_is="not published",
        seen=("rates", "memory", "bandwidth"),
        note="Another edition of the page says 800 GiB/s, which is 859 GB/s.",
    ),
    Device(
        name="TPU v5p",
        kind="TPU",
        year=2023,
        rates={"bfloat16": 459e12},
        memory=95,
        bandwidth=2765,
        watts=None,
        source="Google Cloud, TPU v5p documentation (undated; announced 2023)",
        power_is="not published",
        seen=("rates", "memory", "bandwidth"),
    ),
    Device(
        name="Alveo U280",
        kind="FPGA",
        year=2018,
        rates={"int8": 24.5e12},
        memory=8 * GIB,
        bandwidth=460,
        watts=225,
        source="Xilinx, Alveo U280 data sheet DS963 and Alveo product selection guide, 2019",
        power_is="largest power of the card",
        seen=("memory", "bandwidth"),
        note="Its rate in other formats depends on the circuit that is loaded.",
    ),
    Device(
        name="VCK5000",
        kind="FPGA",
        year=2021,
        rates={"int8": 133e12},
        memory=16,
        bandwidth=102.4,
        watts=225,
        source="Xilinx, Hot Chips 31, 2019 (chip VC1902); VCK5000 data sheet, 2021 (card)",
        power_is="largest power of the card",
        seen=("rates",),
        note="400 vector processors beside the programmable logic; the rate is theirs.",
    ),
)

DEVICES: Mapping[str, Device] = MappingProxyType({device.name: device for device in _TABLE})
"""The published devices by name."""


def find(name: str | Device) -> Device:
    """The published device of this name ("A100", "tpu v4"); a Device is returned as it is.

    Raises ValueError, naming those there are, for another name.
    """
    if isinstance(name, Device):
        return name
    wanted = str(name).lower().replace("-", " ").strip()
    for device in _TABLE:
        if device.name.lower() == wanted:
            return device
    raise ValueError(f"There is no device {name!r} in the table; there are {', '.join(DEVICES)}.")


def this_machine(
    rate: float | None = None, bandwidth: float | None = None, watts: float | None = None, name: str = "this machine"
) -> Device:
    """The machine this runs on as a Device: its float32 matrix-product rate (FLOP/s) and its bandwidth (GB/s), measured.

    What is given is not measured (measuring takes a second). The peak is a *measured* one, so a
    utilisation of it is higher than one of a data sheet's peak. watts: yours; most machines do not say.
    """
    import datetime

    import psutil

    from course import machine

    if rate is None:
        rate = machine.matrix_product_rate(1024, 0.4).high * 1e9
    if bandwidth is None:
        bandwidth = machine.copy_bandwidth(seconds=0.3).high
    device = Device(
        name=name,
        kind="measured",
        year=datetime.date.today().year,
        rates={"float32": rate},
        memory=psutil.virtual_memory().total / 1e9,
        bandwidth=bandwidth,
        watts=None,
        source="measured: a matrix product in TensorFlow, a copy of an array",
        power_is="given" if watts is not None else "not known",
        seen=("rates", "memory", "bandwidth"),
    )
    return device if watts is None else replace(device, watts=positive("watts", watts))
