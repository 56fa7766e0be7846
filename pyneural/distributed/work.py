"""What a collective in flight is, and what is counted and traced of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

OPERATIONS = ("sum", "mean", "max", "min", "product")


class Work(Protocol):
    """A collective that was started. Its buffers must stay as they are until `wait` has returned."""

    def done(self) -> bool:
        """Whether it has ended; asking lets it go on."""

    def wait(self) -> None:
        """Return when it has ended.

        Raises:
            RankLost: another rank has died, or this one has waited longer than the group's timeout.
        """


class RankLost(RuntimeError):
    """A collective cannot end: a rank has died, or does not come."""


class Ended:
    """Of a collective that ended as it was started."""

    def done(self) -> bool:
        return True

    def wait(self) -> None:
        return None


class Transport(Protocol):
    """Who moves the bytes: MPI, NCCL, or nobody where there is one rank.

    Arrays are C-contiguous and of the transport's memory; ``what`` names the collective in errors.
    """

    def all_reduce(self, array: Any, op: str, what: str) -> Work:
        """Combine the ranks' arrays into each of them, in place; ``op`` is none that divides."""

    def broadcast(self, array: Any, source: int, what: str) -> Work:
        """Copy the array of one rank into those of the others."""

    def all_gather(self, array: Any, into: Any, what: str) -> Work:
        """Write every rank's array into ``into``, which has one dimension more, in their order."""

    def reduce_scatter(self, array: Any, into: Any, op: str, what: str) -> Work:
        """Combine the ranks' arrays and write each rank's part, along the first dimension, into its ``into``."""

    def barrier(self, what: str) -> Work:
        """End when every rank has begun it."""


class Alone:
    """One rank, which has nobody to talk to."""

    def all_reduce(self, array: Any, op: str, what: str) -> Work:
        return Ended()

    def broadcast(self, array: Any, source: int, what: str) -> Work:
        return Ended()

    def all_gather(self, array: Any, into: Any, what: str) -> Work:
        into[0] = array
        return Ended()

    def reduce_scatter(self, array: Any, into: Any, op: str, what: str) -> Work:
        into[...] = array
        return Ended()

    def barrier(self, what: str) -> Work:
        return Ended()


_SPINS = 50
_SHORTEST, _LONGEST = 2e-5, 2e-3  # seconds between two questions


def poll(done: Callable[[], bool], what: str, timeout: float) -> None:
    """Ask ``done`` until it says so, leaving the core to others meanwhile: ranks may share it.

    Raises:
        RankLost: after ``timeout`` seconds.
    """
    for _ in range(_SPINS):
        if done():
            return
    begin, pause = time.monotonic(), _SHORTEST
    while not done():
        waited = time.monotonic() - begin
        if waited > timeout:
            raise RankLost(f"{what}: not every rank came within {timeout:g} seconds")
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST)
