"""`ahead`: compile in a second process what a computation comes to last, while it begins in this one."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

from .backend import backend, use
from .record import record


@contextmanager
def ahead(rehearse: Callable[[], None]) -> Iterator[BaseProcess | None]:
    """While the ``with`` block computes what ``rehearse()`` does, another process compiles the kernels for it::

        with ahead(train_one_step):
            train_one_step()

    The other process calls ``rehearse`` with the NumPy reference, and then every kernel that took part, the last
    one first; the two meet in the disk cache, so that neither compiles everything. It ends with the block.
    With one processor there is none.

    Args:
        rehearse: a function of a module, as the other process imports it by name.
    """
    if (os.cpu_count() or 1) < 2:
        yield None
        return
    process = multiprocessing.get_context("spawn").Process(target=_compile_last_first, args=(rehearse,), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.terminate()
        process.join()


def _compile_last_first(rehearse: Callable[[], None]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process is the one to interrupt; it ends this one
    with use("reference"), record() as recording:
        rehearse()
    numba_cpu = backend("numba_cpu")
    for each in reversed(recording.uses.values()):
        getattr(numba_cpu, each.operation.name)(*each.sample.args, **each.sample.kwargs)
