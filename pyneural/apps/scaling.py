"""What a step of an application costs, with one rank and with those that were launched."""

from __future__ import annotations

import contextlib
import statistics
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

import pyneural
from pyneural import distributed
from pyneural.device import Device
from pyneural.distributed import scale
from pyneural.distributed.group import solo

from .app import App
from .training import Progress

SMALL, LARGE = 1, 1 << 20  # float64 elements of the all-reduces that a link is measured with
TIMES = 20


@dataclass(frozen=True)
class Shown:
    """What this machine shows.

    Attributes:
        ranks: that were launched together.
        step: of one rank with its part of the batch, while the others compute as well, without communication.
        seconds: of a step of all ranks together; None for one rank.
        link: between the ranks, by the time of all-reduces; None for one rank.
    """

    ranks: int
    step: scale.Step
    seconds: float | None
    link: scale.Link | None


class _Enough(Exception):
    pass


def shown(app: App, device: Device, batch_size: int, steps: int) -> Shown:
    """Train for so many steps, each rank for itself and then all together; all ranks call it.

    Raises:
        ValueError: fewer than 3 steps, or a batch that cannot be divided among the ranks.
    """
    group = distributed.current()
    if steps < 3:
        raise ValueError(f"scale: steps (={steps}) must be at least 3")
    if batch_size % group.world_size:
        raise ValueError(f"scale: batch_size (={batch_size}) cannot be divided by {group.world_size} ranks")
    part = batch_size // group.world_size
    distributed.barrier()
    with solo() as own:
        step = scale.measured(_events(app, device, part, steps, own), part)
    if group.world_size == 1:
        return Shown(1, step, None, None)
    distributed.barrier()
    together = scale.measured(_events(app, device, batch_size, steps, group), part)
    seconds = group.gather_objects(together.compute)
    return Shown(group.world_size, step, statistics.median(seconds), _link(group))


def _events(
    app: App, device: Device, batch_size: int, steps: int, group: distributed.ProcessGroup
) -> list[dict[str, Any]]:
    data = app.load_data(device)
    pyneural.manual_seed(0)
    model = app.build(device=device)

    def after(progress: Progress) -> None:
        if progress.step == steps:
            raise _Enough

    group.trace.begin()
    with contextlib.suppress(_Enough):
        app.train(model, data, on_step=after, batch_size=batch_size)
    group.trace.recording = False
    return group.trace.events


def _link(group: distributed.ProcessGroup) -> scale.Link:
    """From the medians of a small and a large all-reduce, as if by a ring."""
    small, large = (group.broadcast_object(_all_reduce_seconds(group, count)) for count in (SMALL, LARGE))
    hops = 2 * (group.world_size - 1)
    per_byte = max(large - small, 1e-9) * group.world_size / hops / (8 * (LARGE - SMALL))
    return scale.Link(1.0 / per_byte, small / hops)


def _all_reduce_seconds(group: distributed.ProcessGroup, count: int) -> float:
    array, times = np.zeros(count), []
    for _ in range(TIMES):
        group.host.barrier("scale").wait()
        begin = time.perf_counter()
        group.host.all_reduce(array, "sum", "scale").wait()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)
