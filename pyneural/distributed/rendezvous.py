"""Ranks that MPI's launcher did not start find each other: torchrun's variables, MPI's own connections."""

from __future__ import annotations

import socket
import time
from typing import Any

from . import mpi
from .environment import Place

_PAUSE = 0.1  # seconds between two attempts to reach rank 0


def gathered(place: Place, timeout: float) -> Any:
    """A communicator of all ranks, made of processes that are alone to MPI.

    Rank 0 opens an MPI port and tells its name at ``place.rendezvous``; then one after the other joins those that are
    together already (MPI_Comm_accept, MPI_Comm_connect, MPI_Intercomm_merge).

    Raises:
        RuntimeError: rank 0 cannot be reached, or not all come, within ``timeout`` seconds.
    """
    world = mpi.module()
    assert place.rendezvous is not None
    name = _told(place, world, timeout)
    communicator = world.COMM_SELF
    for joining in range(1, place.world_size):
        if place.rank > joining:
            continue
        if place.rank == joining:
            between = world.COMM_SELF.Connect(name, root=0)
        else:
            between = communicator.Accept(name, root=0)
        communicator = between.Merge(high=place.rank == joining)
        between.Disconnect()
    if place.rank == 0:
        world.Close_port(name)
    return communicator


def _told(place: Place, world: Any, timeout: float) -> str:
    """The name of rank 0's MPI port, which it opens, on every rank."""
    assert place.rendezvous is not None
    host, _, port = place.rendezvous.rpartition(":")
    end = time.monotonic() + timeout
    if place.rank == 0:
        name: str = world.Open_port()
        with socket.create_server(("", int(port)), backlog=place.world_size) as server:
            for _ in range(place.world_size - 1):
                server.settimeout(max(0.001, end - time.monotonic()))
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    raise RuntimeError(
                        f"init: not all of {place.world_size} ranks came to {place.rendezvous} in {timeout:g} seconds"
                    ) from None
                with connection:
                    connection.sendall(name.encode())
        return name
    while True:
        try:
            with socket.create_connection((host, int(port)), timeout=5.0) as connection:
                content = b""
                while more := connection.recv(4096):
                    content += more
                return content.decode()
        except OSError as error:
            if time.monotonic() > end:
                raise RuntimeError(f"init: rank 0 cannot be reached at {place.rendezvous}: {error}") from None
            time.sleep(_PAUSE)
