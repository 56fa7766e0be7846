"""`guarded`: a rank under a parent process that says how it ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from typing import Any

from . import environment
from .sentinel import Sentinel

VARIABLE = "PYNEURAL_GUARD"
"""``"descriptor:port"`` in a guarded process: its connection to the sentinel, and the port of rank 0's, else 0."""

_PR_SET_PDEATHSIG = 1


def guarded(main: Callable[[], Any]) -> Any:
    """``main()``, in a child process where a launcher has started several ranks; the parent watches it.

    Where a rank is killed, its parent says which one, how and after which step, and every rank ends. Nothing is
    forked where there is one rank, or no fork. The parent never returns: it exits as the child did.
    """
    place = environment.place()
    if place is None or place.world_size == 1 or VARIABLE in os.environ or not hasattr(os, "fork"):
        return main()
    ours, theirs = socket.socketpair()
    child = 0
    sentinel = Sentinel(place.rank, place.world_size, ours, lambda: os.waitpid(child, 0)[1], lambda: _kill(child))
    port = sentinel.listen() if place.rank == 0 else 0
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's BLAS has threads, which it ends and begins anew around a fork
        child = os.fork()
    if child:
        theirs.close()
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(each, lambda number, _: _kill(child, number))
        os._exit(sentinel.run())
    ours.close()
    sentinel.selector.close()
    if sentinel.listener is not None:
        sentinel.listener.close()
    end_with_parent()
    if os.getppid() != parent:
        os._exit(1)
    os.environ[VARIABLE] = f"{theirs.detach()}:{port}"
    return _exiting(main)


def end_with_parent() -> None:
    """Let Linux kill this process when the one that began it ends, even if it is stopped then."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _exiting(main: Callable[[], Any]) -> Any:
    """``main()``; a rank that fails ends at once: MPI's own end would wait for the others."""
    code = 0
    try:
        return main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        if not code:
            raise
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _kill(child: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)
