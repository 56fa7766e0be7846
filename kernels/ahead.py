"""Kernels compiled early: `ahead`, what a computation comes to last; `compiled`, all of the operations named."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from .backend import backend, use
from .contract import OPERATIONS
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


def compiled(names: Sequence[str], dtypes: Sequence[np.dtype[Any]], jobs: int) -> Iterator[str]:
    """Compile the CPU's kernels of operations into the disk cache, several at a time: by calling their samples.

    Args:
        names: operations.
        dtypes: whose kernels are wanted; of an operation that has none of them, those of all its dtypes.
        jobs: processes.

    Yields:
        each operation as it is done.
    """
    ignore = (signal.SIGINT, signal.SIG_IGN)  # the first process is the one to interrupt
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), signal.signal, ignore)
    try:
        done = {pool.submit(_compile, name, tuple(dtypes)): name for name in names}
        for each in as_completed(done):
            each.result()
            yield done[each]
    finally:
        pool.shutdown(cancel_futures=True)


def _compile(name: str, dtypes: tuple[np.dtype[Any], ...]) -> None:
    operation = OPERATIONS[name]
    kernel = getattr(backend("numba_cpu"), name)
    for dtype in [each for each in operation.dtypes if each in dtypes] or operation.dtypes:
        for sample in operation.samples(np.random.default_rng(0), dtype):
            with np.errstate(all="ignore"):
                kernel(*sample.args, **sample.kwargs)
