"""Ranks that no launcher of MPI's started: torchrun's variables, and a server beside rank 0 as such a launcher.

An MPICH process that finds ``PMI_PORT`` in its environment asks there who the others are (`pmi`). Once MPI is
initialised nothing passes there any more, and MPI moves everything.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from . import mpi
from .environment import Place

_PAUSE = 0.05  # seconds between two attempts to reach rank 0
_servers: list[tuple[subprocess.Popen[bytes], int]] = []


def initialised(place: Place, timeout: float) -> Any:
    """``mpi4py.MPI`` with all ranks in its world, that of ``place.rendezvous`` among them.

    Raises:
        RuntimeError: rank 0 cannot be reached within ``timeout`` seconds.
    """
    assert place.rendezvous is not None
    host, _, port = place.rendezvous.rpartition(":")
    if place.rank == 0:
        _start(int(port), place.world_size)
    else:
        _reach(place.rendezvous, host, int(port), timeout)
    # They stay: MPI reads them again at its end.
    os.environ.update(PMI_PORT=place.rendezvous, PMI_ID=str(place.rank))
    return mpi.module()


def _start(port: int, size: int) -> None:
    """In a process of its own: MPI does not let go of Python's lock while it initialises."""
    program = [sys.executable, "-I", str(Path(__file__).with_name("pmi.py")), str(port), str(size)]
    server = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    if server.stdout.readline() != b"ready\n":
        raise RuntimeError(f"init: port {port} cannot be opened on rank 0")
    # The server ends with this process, not with Python, after which MPI has something to say to it: a descriptor that
    # Python does not close keeps its input open.
    _servers.append((server, os.dup(server.stdin.fileno())))


def _reach(where: str, host: str, port: int, timeout: float) -> None:
    end = time.monotonic() + timeout
    while True:
        try:
            with socket.create_connection((host, port), timeout=5.0):
                return
        except OSError as error:
            if time.monotonic() > end:
                raise RuntimeError(f"init: rank 0 cannot be reached at {where}: {error}") from None
            time.sleep(_PAUSE)
