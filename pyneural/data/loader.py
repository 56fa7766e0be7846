"""`DataLoader`: a dataset in batches, in an order that a seed decides."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pyneural.device import Device, get_default_device
from pyneural.functional import arange
from pyneural.random import Generator
from pyneural.tensor import Tensor

from . import worker
from .pool import Pool
from .sampler import generator_or_default, positive


class DataLoader:
    """Batches of a dataset::

        for images, labels in DataLoader(dataset, batch_size=64, shuffle=True, generator=Generator(0)):
            ...

    The order of an epoch is a function of the generator's seed and offset, the same on every device. So is what
    samples draw from pyneural's, Python's and NumPy's default generators: these are seeded anew for each batch
    that is made sample by sample, the same with any number of workers. `state_dict` and `load_state_dict`
    continue an epoch where it was left.

    Args:
        dataset: has a length and gives samples by index; with a method ``batch(indices)`` (see `Dataset`) that
            is called instead, unless there is a ``collate_fn`` or there are workers.
        batch_size: at least 1.
        shuffle: a new random order each epoch, otherwise the dataset's.
        sampler: gives the order, instead of ``shuffle``.
        batch_sampler: gives lists of indices, instead of ``batch_size``, ``shuffle``, ``sampler`` and ``drop_last``.
        num_workers: processes that make batches, 0 for none. They are started by spawn: dataset and functions
            must be picklable, and a script's start must stand under ``if __name__ == "__main__":``.
        collate_fn: makes a batch of a list of samples; `default_collate` unless given.
        drop_last: leave out a last batch that is not full.
        timeout: seconds that a batch of a worker may take, 0 for any time.
        worker_init_fn: called with the worker's number at its start.
        generator: where orders and seeds come from, `pyneural.random.default_generator` unless given.
        prefetch_factor: batches that each worker makes ahead, by default 2.
        persistent_workers: keep the workers for the next epoch, until `close`.

    Raises:
        ValueError, TypeError: values out of range; arguments that exclude each other; a dataset without length.
        RuntimeError: while iterating, where a worker has ended or takes too long. An exception in a worker has
            its class here, and the worker's traceback in its message.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        drop_last: bool = False,
        timeout: float = 0.0,
        worker_init_fn: Callable[[int], Any] | None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
    ) -> None:
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise TypeError(f"DataLoader: dataset must have a length and samples, not {type(dataset).__name__}")
        positive("DataLoader", "batch_size", batch_size)
        positive("DataLoader", "num_workers", num_workers, 0)
        if sampler is not None and shuffle:
            raise ValueError(f"DataLoader: shuffle (={shuffle}) and a sampler exclude each other")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError(
                f"DataLoader: a batch_sampler excludes batch_size (={batch_size}), shuffle (={shuffle}), sampler and "
                f"drop_last (={drop_last})"
            )
        for name, given in (("sampler", sampler), ("batch_sampler", batch_sampler)):
            if given is not None and not (hasattr(given, "__iter__") and hasattr(given, "__len__")):
                raise TypeError(f"DataLoader: {name} must have an order and a length, not {type(given).__name__}")
        if not num_workers:
            for name, value in (("timeout", timeout), ("prefetch_factor", prefetch_factor)):
                if value:
                    raise ValueError(f"DataLoader: {name} (={value}) needs num_workers above 0")
            if persistent_workers:
                raise ValueError("DataLoader: persistent_workers (=True) needs num_workers above 0")
        if isinstance(timeout, (bool, str)) or not hasattr(timeout, "__float__"):
            raise TypeError(f"DataLoader: timeout must be a number, not {timeout!r}")
        if timeout < 0:
            raise ValueError(f"DataLoader: timeout (={timeout}) must be at least 0")
        if prefetch_factor is not None:
            positive("DataLoader", "prefetch_factor", prefetch_factor)
        self.generator = generator_or_default("DataLoader", generator)
        self.dataset, self.batch_size, self.shuffle, self.drop_last = (
            dataset,
            batch_size,
            bool(shuffle),
            bool(drop_last),
        )
        self.sampler, self.batch_sampler, self.collate_fn = sampler, batch_sampler, collate_fn
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, float(timeout), worker_init_fn
        self.prefetch_factor, self.persistent_workers = prefetch_factor or 2, bool(persistent_workers)
        self._pool: Pool | None = None
        self._stream: dict[str, int] | None = None  # the latest epoch's seed and offset
        self._begin: dict[str, int] | None = None  # where its sampler's generator was at the start
        self._served = 0  # its batches so far
        self._resumed = False  # whether the next iteration continues that epoch

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        full, rest = divmod(len(self.dataset if self.sampler is None else self.sampler), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    @property
    def _in_one_call(self) -> bool:
        """Whether the dataset gives a whole batch for its indices, here."""
        return not self.num_workers and self.collate_fn is None and hasattr(self.dataset, "batch")

    def __iter__(self) -> Iterator[Any]:
        drawing = getattr(self.sampler or self.batch_sampler, "generator", None)
        if self._resumed:
            stream, served, begin = self._stream, self._served, self._begin
        else:
            # Where nothing is drawn, the generator stays as it is.
            stream = self.generator.next() if self.shuffle or not self._in_one_call else None
            served, begin = 0, None if drawing is None else drawing.state_dict()
        resumed, self._resumed = self._resumed, False
        if resumed and drawing is not None and begin is not None:
            present = drawing.state_dict()
            drawing.load_state_dict(begin)
            batches = list(self._batches(stream))
            drawing.load_state_dict(present)
        else:
            batches = list(self._batches(stream))
        for batch in self._fetched(batches, stream, served):
            served += 1
            # Noted before the batch is out, so that a state saved in the loop's body counts it.
            self._stream, self._served, self._begin = stream, served, begin
            yield batch

    def _batches(self, stream: dict[str, int] | None) -> Iterator[Any]:
        """The indices of each batch of the epoch: tensors, or lists from a batch sampler."""
        if self.batch_sampler is not None:
            yield from ([int(each) for each in batch] for batch in self.batch_sampler)
            return
        device = _device_of(self.dataset)
        if self.sampler is not None:
            order = Tensor(np.array([int(each) for each in self.sampler], np.int64), device=device)
        elif self.shuffle and stream is not None:
            order = Tensor._over(device.kernels.permutation(n=len(self.dataset), **stream), device)
        else:
            order = arange(len(self.dataset), device=device)
        for number in range(len(self)):
            yield order[number * self.batch_size : (number + 1) * self.batch_size]

    def _fetched(self, batches: Sequence[Any], stream: dict[str, int] | None, served: int) -> Iterator[Any]:
        """The batches from number ``served`` on."""
        if self._in_one_call:
            for indices in itertools.islice(batches, served, None):
                given = indices if isinstance(indices, Tensor) else Tensor(np.array(indices, np.int64))
                yield self.dataset.batch(given)
            return
        if stream is None:
            raise RuntimeError("DataLoader: the epoch has no seed; its state was saved by another kind of loader")
        tasks = (
            (number, _listed(batches[number]), worker.batch_seed(stream, number))
            for number in range(served, len(batches))
        )
        if not self.num_workers:
            for _, indices, seed in tasks:
                with worker.seeded(seed):
                    batch = worker.fetch(self.dataset, indices, self.collate_fn)
                yield batch
            return
        try:
            yield from self._workers().batches(tasks)
        except GeneratorExit:
            raise  # the loop was left: persistent workers live on
        except BaseException:
            self.close()
            raise
        finally:
            if not self.persistent_workers:
                self.close()

    def _workers(self) -> Pool:
        if self._pool is None:
            self._pool = Pool(
                self.dataset,
                self.num_workers,
                self.collate_fn,
                self.worker_init_fn,
                self.prefetch_factor,
                self.timeout,
            )
        return self._pool

    def close(self) -> None:
        """End the workers, if there are any; the next epoch starts new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def __del__(self) -> None:
        if getattr(self, "_pool", None) is not None:
            self.close()

    def state_dict(self) -> dict[str, Any]:
        """Where the running epoch is: its order and how many batches it has given."""
        running = 0 < self._served < len(self)
        state: dict[str, Any] = {
            "stream": self._stream if running else None,
            "served": self._served if running else 0,
        }
        if self.sampler is not None or self.batch_sampler is not None:
            state["sampler"] = self._begin if running else None
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration continue the epoch that `state_dict` described.

        The generator is not touched: restore it, and a sampler's, by its own state.

        Raises:
            ValueError: the state is that of more batches than an epoch has, or of another kind of order.
        """
        served, stream = int(state["served"]), state["stream"]
        if not 0 <= served <= len(self):
            raise ValueError(f"load_state_dict: served (={served}) must be in [0, {len(self)}]")
        if served and stream is None and (self.shuffle or not self._in_one_call):
            raise ValueError(f"load_state_dict: the state has stream (={stream}) but shuffle (={self.shuffle})")
        self._stream = _numbers(stream)
        self._begin = _numbers(state.get("sampler"))
        self._served = served
        self._resumed = served > 0


def _numbers(stream: Any) -> dict[str, int] | None:
    return None if stream is None else {"seed": int(stream["seed"]), "offset": int(stream["offset"])}


def _listed(indices: Any) -> list[int]:
    return indices.tolist() if isinstance(indices, Tensor) else indices  # type: ignore[no-any-return]


def _device_of(dataset: Any) -> Device:
    """The device of a dataset's tensors, through subsets; the default device where it has none."""
    while hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    tensors = getattr(dataset, "tensors", None)
    return tensors[0].device if tensors else get_default_device()
