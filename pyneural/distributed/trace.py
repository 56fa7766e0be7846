"""`Trace`: what a rank computed and sent when, as Chrome's trace viewer and Perfetto read it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyneural.io import write_text

if TYPE_CHECKING:
    from .group import ProcessGroup


class Trace:
    """Spans of time of one rank; recorded while ``recording``, bytes are always counted.

    Attributes:
        recording: whether spans are kept.
        events: complete events of the trace format: name, microseconds since `begin`, duration, rank, track, facts.
        bytes_sent: what this rank gave to collectives since `begin`, in bytes.
        collectives: how many it took part in.
    """

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.recording = False
        self.events: list[dict[str, Any]] = []
        self.bytes_sent = self.collectives = 0
        self._origin = time.perf_counter()

    def begin(self) -> None:
        """Record from now on, with this moment as 0."""
        self.recording, self.events = True, []
        self.bytes_sent = self.collectives = 0
        self._origin = time.perf_counter()

    def now(self) -> float:
        """Microseconds since `begin`."""
        return (time.perf_counter() - self._origin) * 1e6

    def count(self, size: int) -> None:
        """Note a collective of so many bytes."""
        self.bytes_sent += size
        self.collectives += 1

    def add(self, name: str, start: float, end: float, track: int, **facts: Any) -> None:
        """A span between two moments of `now`; track 0 computes, the others communicate."""
        if self.recording:
            event = {"name": name, "ph": "X", "ts": start, "dur": end - start, "pid": self.rank, "tid": track}
            self.events.append({**event, "args": facts})

    @contextlib.contextmanager
    def span(self, name: str, track: int = 0, **facts: Any) -> Iterator[None]:
        """What happens inside."""
        start = self.now()
        try:
            yield
        finally:
            self.add(name, start, self.now(), track, **facts)


def document(events: list[dict[str, Any]], world_size: int) -> str:
    """The JSON of the events of all ranks (the Trace Event Format of Chromium)."""
    tracks = sorted({(each["pid"], each["tid"]) for each in events})
    names = [
        {"name": "process_name", "ph": "M", "pid": rank, "tid": 0, "args": {"name": f"rank {rank}"}}
        for rank in range(world_size)
    ]
    names += [
        {
            "name": "thread_name",
            "ph": "M",
            "pid": rank,
            "tid": track,
            "args": {"name": "compute" if not track else f"communication {track}"},
        }
        for rank, track in tracks
    ]
    return json.dumps({"traceEvents": [*names, *events], "displayTimeUnit": "ms"})


def write(path: Path, group: ProcessGroup) -> None:
    """Gather the events of all ranks and let rank 0 write them; all ranks call it."""
    group.trace.recording = False
    everyone = group.gather_objects(group.trace.events, "trace")
    if group.rank == 0:
        write_text(path, document([event for events in everyone for event in events], group.world_size))
