"""The worker processes of a loader, seen from the process that loads."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pyneural.device import get_default_device

from . import worker

_PATIENCE = 5.0  # seconds that a worker has to end by itself


class Pool:
    """``num_workers`` processes with copies of a dataset, each with a pipe of its own.

    Task i goes to worker i modulo their number, and batches are given in the order of the tasks, so that what
    comes out does not depend on which process is quicker. A process that dies harms no other's pipe.
    """

    def __init__(
        self,
        dataset: Any,
        num_workers: int,
        collate: Callable[[list[Any]], Any] | None,
        init: Callable[[int], Any] | None,
        prefetch_factor: int,
        timeout: float,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.ahead, self.timeout = prefetch_factor * num_workers, timeout
        self.epoch = 0
        self.pipes: list[Any] = []
        self.processes: list[Any] = []
        try:
            for number in range(num_workers):
                info = worker.WorkerInfo(number, num_workers, dataset)
                here, there = context.Pipe()
                self.pipes.append(here)
                process = context.Process(
                    target=worker.run,
                    args=(info, collate, init, str(get_default_device()), there),
                    daemon=True,
                    name=f"pyneural-worker-{number}",
                )
                process.start()
                self.processes.append(process)
                there.close()  # so that this end sees the pipe close when the process ends
        except BaseException:
            self.close()
            raise

    def batches(self, tasks: Iterable[tuple[int, Any, int]]) -> Iterator[Any]:
        """The batches of tasks (number, indices, seed), in order.

        Raises:
            Exception: of the worker's class, with its traceback, where a worker failed.
            RuntimeError: a worker has ended, or a batch took longer than the timeout.
        """
        self.epoch += 1
        sent: deque[tuple[int, int]] = deque()  # number of the batch, worker
        remaining = enumerate(tasks)

        def send() -> None:
            following = next(remaining, None)
            if following is not None:
                place, (number, indices, seed) = following
                owner = place % len(self.pipes)
                sent.append((number, owner))
                with contextlib.suppress(OSError):  # of a worker that has ended: found when its batch is due
                    self.pipes[owner].send(worker.Task(number, self.epoch, indices, seed))

        for _ in range(self.ahead):
            send()
        while sent:
            number, owner = sent.popleft()
            arrived = self._receive(number, owner)
            send()
            if isinstance(arrived, worker.Failure):
                raise worker.failure(owner, arrived)
            yield worker.unpack(arrived)

    def _receive(self, number: int, owner: int) -> Any:
        """What the worker made of the batch; what is left of an epoch that was not finished is dropped."""
        pipe = self.pipes[owner]
        begin = time.monotonic()
        while True:
            if self.timeout and not pipe.poll(max(begin + self.timeout - time.monotonic(), 0.0)):
                raise RuntimeError(f"DataLoader: batch {number} took longer than timeout (={self.timeout}) seconds")
            try:
                arrived = pipe.recv()
            except (EOFError, OSError):
                self.processes[owner].join(_PATIENCE)
                raise RuntimeError(
                    f"DataLoader: worker {owner} ended with exit code {self.processes[owner].exitcode} before batch "
                    f"{number} came; if this is a script, its start must stand under `if __name__ == '__main__':`, "
                    "because every worker imports it"
                ) from None
            if arrived.epoch == self.epoch:
                return arrived
            worker.discard(arrived)

    def close(self) -> None:
        """End the processes and remove what they had made; doing it twice is harmless."""
        for pipe in self.pipes:
            with contextlib.suppress(OSError):
                pipe.send(None)
        limit = time.monotonic() + _PATIENCE
        for pipe, process in zip(self.pipes, self.processes, strict=False):
            # The worker closes the pipe at its end, behind what it still had to do.
            with contextlib.suppress(EOFError, OSError):
                while pipe.poll(max(limit - time.monotonic(), 0.0)):
                    worker.discard(pipe.recv())
            process.join(max(limit - time.monotonic(), 0.1))
            if process.is_alive():
                process.terminate()
                process.join()
        for pipe in self.pipes:
            pipe.close()
        self.pipes, self.processes = [], []
