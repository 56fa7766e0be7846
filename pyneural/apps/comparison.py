"""One training on several devices: the same steps of the same network, their losses and their times.

A training draws its weights, the order of its samples and its augmentation from one seed, and random numbers are the
same on every device, so that losses differ by rounding alone.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import pyneural
from pyneural.device import Device, unavailable

from .app import App
from .training import Progress

FIRST, LATER = 1e-4, 1e-2
"""Largest differences of the first step's loss and of later ones, relative to the loss.

Later ones are wide because Adam makes a whole step of a gradient that is little more than rounding.
"""


@dataclass(frozen=True)
class Timed:
    """Some steps of a training on a device.

    Attributes:
        device: its name.
        losses: of each step.
        seconds: a step's median; of all but the first one, which compiles kernels, unless it is the only one.
        compiled: whether ``seconds`` has compilation in it.
        samples: of a step.
        steps: of the full training.
        joules: a step's energy as the GPU counts it; None where nobody does.
    """

    device: str
    losses: tuple[float, ...]
    seconds: float
    compiled: bool
    samples: int
    steps: int
    joules: float | None = None

    @property
    def full(self) -> float:
        """Seconds of the full training, all of its epochs, if every step took as long."""
        return self.steps * self.seconds


class _Enough(Exception):
    pass


def timed(app: App, device: Device, steps: int, seed: int) -> Timed:
    """Train a fresh network for so many steps, or to the end of a shorter training."""
    data = app.load_data(device)
    pyneural.manual_seed(seed)
    model = app.build(device=device)
    losses: list[float] = []
    ends: list[float] = []
    joules: list[float] = []
    count, last = _energy(device), None

    def after(progress: Progress) -> None:
        nonlocal last
        ends.append(time.perf_counter())
        losses.append(progress.loss)  # which was waited for
        last = progress
        if count is not None:
            joules.append(count())
        if progress.step == steps:
            raise _Enough

    begin = time.perf_counter()
    with contextlib.suppress(_Enough):
        app.train(model, data, on_step=after)
    assert last is not None
    only = len(ends) == 1
    each = [stop - start for start, stop in zip([begin, *ends], ends, strict=False)]
    return Timed(
        device.name,
        tuple(losses),
        each[0] if only else statistics.median(each[1:]),
        only,
        last.samples,
        last.steps,
        (joules[-1] - joules[0]) / (len(joules) - 1) if len(joules) > 1 else None,
    )


def differences(one: Timed, other: Timed) -> tuple[float, float]:
    """Relative differences of the losses at the first step, and the largest of all steps that both made."""
    each = [
        abs(a - b) / max(abs(b), 1e-12) if math.isfinite(a) and math.isfinite(b) else math.inf
        for a, b in zip(one.losses, other.losses, strict=False)
    ]
    return each[0], max(each)


def agree(one: Timed, other: Timed) -> bool:
    """Whether two devices trained alike."""
    first, largest = differences(one, other)
    return first <= FIRST and largest <= LATER


def _energy(device: Device) -> Callable[[], float] | None:
    """The joules that a GPU has used up to now, by NVML; None for other devices and where NVML does not count."""
    if device.type != "cuda" or importlib.util.find_spec("pynvml") is None:
        return None
    import cupy
    import pynvml

    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByPciBusId(cupy.cuda.runtime.deviceGetPCIBusId(device.index).encode())
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError:
        return None

    def joules() -> float:
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3  # NVML counts in mJ

    return joules


def devices() -> list[Device]:
    """Those that can be used here, the reference first."""
    missing = unavailable()
    return [pyneural.device(name) for name in ("reference", "cpu", "simulator", "cuda") if name not in missing]
