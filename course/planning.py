"""From a plan to a decision: time, energy and cost of a number of FLOPs, the order of runs, and the price of a wrong size.

`estimate(flops, "A100", utilisation=0.4)` says seconds, joules and cost; `compare` does so for several
devices, the machine at hand among them. `schedule` runs tasks of known cost on devices in a given order
and returns who did what when; `lower_bound` is what no order can beat. `seconds_with_interruptions` is the expected
time of work that is interrupted and resumed. `extra_compute` turns a loss that is too high into the compute it
wastes. Lesson 3.3 derives all of it.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from course.inputs import finite, positive, whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from course.devices import Device

__all__ = [
    "JOULES_PER_KWH",
    "ORDERS",
    "Estimate",
    "Piece",
    "Schedule",
    "compare",
    "estimate",
    "extra_compute",
    "lower_bound",
    "order_of",
    "replay",
    "schedule",
    "seconds_with_interruptions",
]

JOULES_PER_KWH = 3.6e6
"""A kilowatt-hour is 1,000 W for 3,600 s."""


# --- time, energy, cost -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """What a number of training FLOPs takes on `devices` devices of one kind.

    `joules` is None where the power is not published. It is the device's share at its full power, times
    `overhead` for all else (the rest of the computer, cooling).
    """

    flops: float
    device: str
    dtype: str
    utilisation: float
    devices: int
    seconds: float
    joules: float | None

    @property
    def hours(self) -> float:
        """Hours on the clock."""
        return self.seconds / 3600

    @property
    def days(self) -> float:
        """Days on the clock."""
        return self.seconds / 86_400

    @property
    def device_hours(self) -> float:
        """Hours times devices: what a cloud charges for."""
        return self.hours * self.devices

    @property
    def kwh(self) -> float | None:
        """Energy in kilowatt-hours."""
        return None if self.joules is None else self.joules / JOULES_PER_KWH

    def cost(self, per_device_hour: float = 0.0, per_kwh: float = 0.0) -> float:
        """Cost in your currency, from your own prices. Raises ValueError for energy of unknown power."""
        if per_kwh and self.kwh is None:
            raise ValueError(
                f"The power of {self.device} is not published, so its energy has no price: give its watts."
            )
        return per_device_hour * self.device_hours + per_kwh * (self.kwh or 0.0)

    def __str__(self) -> str:
        from course.machine import duration

        many = f"{self.devices} x " if self.devices > 1 else ""
        energy = "energy not known" if self.kwh is None else f"{_energy(self.kwh)} at full power"
        share = f"{100 * self.utilisation:.2g} %"
        return f"{many}{self.device}: {duration(self.seconds)}, {energy} ({share} of {self.dtype} peak, assumed)"


def _energy(kwh: float) -> str:
    if kwh >= 0.1:
        return f"{kwh:,.0f} kWh" if kwh >= 99.5 else f"{kwh:.2g} kWh"
    return f"{kwh * 1000:.2g} Wh"


def estimate(
    flops: float,
    device: str | Device,
    utilisation: float,
    *,
    devices: int = 1,
    dtype: str | None = None,
    watts: float | None = None,
    overhead: float = 1.0,
) -> Estimate:
    """Seconds and joules of `flops` training FLOPs: flops / (devices x peak x utilisation), and watts x seconds.

    device: a name of `course.devices.DEVICES`, or a Device. utilisation: the share of the peak that training
    reaches, above 0 and at most 1; it is an assumption, so it must be named (Chowdhery et al. 2022
    reached 0.46 on 6,144 TPU v4; small models reach far less). dtype: the number format whose peak counts, the
    device's training format by default. watts: in place of the published power. overhead: energy of everything
    for each joule of the device, such as a data centre's power usage effectiveness. Raises ValueError.
    """
    from course import devices as known

    found = known.find(device)
    if not 0 < utilisation <= 1:
        raise ValueError(f"Utilisation is a share of the peak, above 0 and at most 1; got {utilisation!r}.")
    if not overhead >= 1:
        raise ValueError(
            f"overhead is the energy of everything for each joule of the device, 1 or more; got {overhead!r}."
        )
    number = whole("devices", devices)
    seconds = positive("flops", flops) / (number * found.rate(dtype) * utilisation)
    power = found.watts if watts is None else positive("watts", watts)
    joules = None if power is None else power * number * seconds * overhead
    return Estimate(
        float(flops), found.name, dtype or found.training_format, float(utilisation), number, seconds, joules
    )


def compare(
    flops: float, names: Iterable[str | Device] = ("T4", "A100", "H100"), utilisation: float = 0.4
) -> list[Estimate]:
    """An `estimate` for each of several devices at one utilisation, in the order given."""
    return [estimate(flops, name, utilisation) for name in names]


# --- who does what when -----------------------------------------------------------------------------

ORDERS = ("given", "shortest", "longest", "random")
"""The orders that `schedule` knows: as the tasks come, shortest first, longest first (LPT), shuffled."""


@dataclass(frozen=True)
class Piece:
    """A task on a device, from `start` to `end` in seconds."""

    task: int
    device: int
    start: float
    end: float


@dataclass(frozen=True)
class Schedule:
    """Who did what when: a piece for each task, on `devices` devices."""

    pieces: tuple[Piece, ...]
    devices: int

    @property
    def makespan(self) -> float:
        """When the last task is done."""
        return max((piece.end for piece in self.pieces), default=0.0)

    @property
    def mean_completion(self) -> float:
        """How long a task's owner waits for it, on average, from time 0."""
        return float(np.mean([piece.end for piece in self.pieces])) if self.pieces else 0.0

    @property
    def busy(self) -> float:
        """Share of the devices' time until the makespan that is spent on tasks."""
        if not self.makespan:
            return 0.0
        return sum(piece.end - piece.start for piece in self.pieces) / (self.devices * self.makespan)

    def on(self, device: int) -> tuple[Piece, ...]:
        """The pieces of a device in the order of their start."""
        return tuple(sorted((p for p in self.pieces if p.device == device), key=lambda p: p.start))


def _speeds(devices: int | Sequence[float]) -> list[float]:
    if isinstance(devices, int | np.integer):
        return [1.0] * whole("devices", devices)
    speeds = [positive("a device's speed", speed) for speed in devices]
    if not speeds:
        raise ValueError("A schedule needs at least one device; got none.")
    return speeds


def _costs(name: str, costs: ArrayLike) -> np.ndarray:
    found = finite(name, costs).ravel()
    if (found < 0).any():
        raise ValueError(f"{name} are times, 0 or more; got {found.min():g}.")
    return found


def order_of(costs: ArrayLike, order: str = "given", rng: np.random.Generator | None = None) -> list[int]:
    """Indices of the tasks in one of the ORDERS; equal costs keep their places. Raises ValueError for another order."""
    times = _costs("costs", costs)
    if order == "given":
        return list(range(len(times)))
    if order == "shortest":
        return [int(i) for i in np.argsort(times, kind="stable")]
    if order == "longest":
        return [int(i) for i in np.argsort(-times, kind="stable")]
    if order == "random":
        return [int(i) for i in (rng or np.random.default_rng(0)).permutation(len(times))]
    raise ValueError(f"There is no order {order!r}; there are {', '.join(ORDERS)}.")


def schedule(
    costs: ArrayLike,
    devices: int | Sequence[float] = 2,
    order: str | Sequence[int] = "longest",
    *,
    expected: ArrayLike | None = None,
    rule: str = "first free",
    rng: np.random.Generator | None = None,
) -> Schedule:
    """List scheduling: go through the tasks in an order and give each to a device (Graham 1966).

    costs: (n,) seconds of each task on a device of speed 1. devices: how many equal ones, or their speeds. order: one
    of ORDERS or the indices themselves. rule: "first free" gives a task to the device that is free first (of those, the
    fastest), "first done" to the one that would finish it first. expected: (n,) what the times are thought to be, where
    that is not what they are: orders and rules then go by it, the clock by `costs`. A plan made beforehand is
    `replay(schedule(expected, ...), costs, ...)`. Raises ValueError.
    """
    real = _costs("costs", costs)
    thought = real if expected is None else _costs("expected", expected)
    if len(thought) != len(real):
        raise ValueError(f"There are {len(real)} costs and {len(thought)} expected ones: give one for each task.")
    if rule not in ("first free", "first done"):
        raise ValueError(f"There is no rule {rule!r}; there are 'first free' and 'first done'.")
    speeds = _speeds(devices)
    tasks = order_of(thought, order, rng) if isinstance(order, str) else [int(i) for i in order]
    if sorted(tasks) != list(range(len(real))):
        raise ValueError(f"An order names each of the {len(real)} tasks once; got {list(tasks)!r}.")
    return Schedule(tuple(_hand_out(tasks, real, thought, speeds, rule)), len(speeds))


def _hand_out(
    tasks: Sequence[int], real: np.ndarray, thought: np.ndarray, speeds: Sequence[float], rule: str
) -> list[Piece]:
    if rule == "first free":  # a heap of (free from, slower last, device)
        free = [(0.0, -speed, i) for i, speed in enumerate(speeds)]
        heapq.heapify(free)
        pieces = []
        for task in tasks:
            start, slow, device = heapq.heappop(free)
            end = start + real[task] / speeds[device]
            pieces.append(Piece(task, device, start, float(end)))
            heapq.heappush(free, (float(end), slow, device))
        return pieces
    until, pieces = [0.0] * len(speeds), []
    for task in tasks:
        device = min(range(len(speeds)), key=lambda i: (until[i] + thought[task] / speeds[i], -speeds[i], i))
        end = float(until[device] + real[task] / speeds[device])
        pieces.append(Piece(task, device, until[device], end))
        until[device] = end
    return pieces


def replay(plan: Schedule, costs: ArrayLike, devices: int | Sequence[float] | None = None) -> Schedule:
    """The same tasks on the same devices in the same order, with the times or speeds that they turn out to have.

    costs: (n,) seconds on a device of speed 1; devices: their speeds, or None for equal ones. Raises ValueError when
    they are not as many as in the plan.
    """
    real, speeds = _costs("costs", costs), _speeds(plan.devices if devices is None else devices)
    if len(real) != len(plan.pieces) or len(speeds) != plan.devices:
        raise ValueError(
            f"The plan has {len(plan.pieces)} tasks on {plan.devices} devices; got {len(real)} and {len(speeds)}."
        )
    until, pieces = [0.0] * len(speeds), []
    for piece in sorted(plan.pieces, key=lambda p: p.start):
        end = float(until[piece.device] + real[piece.task] / speeds[piece.device])
        pieces.append(Piece(piece.task, piece.device, until[piece.device], end))
        until[piece.device] = end
    return Schedule(tuple(pieces), len(speeds))


def lower_bound(costs: ArrayLike, devices: int | Sequence[float] = 2) -> float:
    """A makespan that no schedule without preemption can beat.

    The largest of: all work over all speeds; the k longest tasks over the k fastest devices, for each k; and, on
    p equal devices, the two that must share one when the p + 1 longest are handed out (Graham 1969). The first two
    hold with preemption too, and are reached then (Horvath, Lam and Sethi 1977).
    """
    times = np.sort(_costs("costs", costs))[::-1]
    speeds = np.sort(_speeds(devices))[::-1]
    bounds = [times.sum() / speeds.sum()]
    few = min(len(times), len(speeds))
    bounds += list(np.cumsum(times[:few]) / np.cumsum(speeds[:few]))
    p = len(speeds)
    if len(times) > p and np.all(speeds == speeds[0]):
        bounds.append((times[p - 1] + times[p]) / speeds[0])
    return float(max(bounds))


# --- work that is interrupted -----------------------------------------------------------------------


def seconds_with_interruptions(
    work: float, between: float, every: float | None = None, record: float = 0.0, restart: float = 0.0
) -> float:
    """Expected seconds to finish `work` seconds when interruptions come at random, one in `between` seconds on average.

    Without records (`every` None) an interruption throws all work away. With a record each `every` seconds of work, which
    takes `record` seconds, only what came after the last one is lost. restart: seconds to start again. For work in stretches of
    length s that must pass without interruption, each takes (between + restart) (exp(s / between) - 1) on average (Daly
    2006, section 2). The best `every` is near sqrt(2 record between) (Young 1974). Lesson 3.3 simulates it.
    """
    positive("work", work)
    positive("between", between)
    if record < 0 or restart < 0:
        raise ValueError("The seconds of a record and of a restart are 0 or more.")
    if every is None:
        return (between + restart) * math.expm1(work / between)
    stretch = positive("every", every)
    whole_ones, rest = divmod(work, stretch)
    each = (between + restart) * math.expm1((stretch + record) / between)
    last = (between + restart) * math.expm1(rest / between) if rest > 1e-12 * work else 0.0
    return whole_ones * each + last


# --- the price of a wrong size ----------------------------------------------------------------------


def extra_compute(loss: ArrayLike, best_loss: float, slope: float) -> np.ndarray:
    """Share of its compute that a run wastes which ends at `loss` (nats) where the best size ends at `best_loss`.

    Near this budget the best loss falls as C^-slope, so the best size would have come to `loss` with a budget smaller by
    the factor (loss / best_loss)^(1 / slope). Returned is that factor less 1: 0.2 means that the run spent 20 %
    more than it needed. Lesson 3.3.
    """
    ratio = finite("loss", loss) / positive("best_loss", best_loss)
    return ratio ** (1 / positive("slope", slope)) - 1
