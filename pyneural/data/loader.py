"""`DataLoader`: a dataset in batches, in an order that a seed decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pyneural.device import Device, get_default_device
from pyneural.functional import arange, stack
from pyneural.random import Generator, default_generator
from pyneural.tensor import Tensor


def default_collate(samples: Sequence[Any]) -> Any:
    """Samples as one batch: tensors, arrays and numbers stacked, tuples, lists and dicts part by part.

    Python floats get the default dtype; strings stay a list.

    Raises:
        TypeError: samples of a type that cannot be stacked.
        ValueError: no sample, or shapes or lengths that differ.
    """
    if not len(samples):
        raise ValueError("default_collate: needs at least one sample, not 0")
    first = samples[0]
    if isinstance(first, Tensor):
        return stack(list(samples))
    if isinstance(first, (np.ndarray, np.generic)):
        shapes = sorted({each.shape for each in samples})
        if len(shapes) > 1:
            raise ValueError(f"default_collate: arrays have shapes {', '.join(map(str, shapes))}")
        return Tensor(np.stack(samples))
    if isinstance(first, (bool, int, float)):
        return Tensor(list(samples))
    if isinstance(first, str):
        return list(samples)
    if isinstance(first, Mapping):
        return {key: default_collate([each[key] for each in samples]) for key in first}
    if isinstance(first, (tuple, list)):
        lengths = sorted({len(each) for each in samples})
        if len(lengths) > 1:
            raise ValueError(f"default_collate: samples have lengths {', '.join(map(str, lengths))}")
        parts = [default_collate(list(part)) for part in zip(*samples, strict=True)]
        if hasattr(first, "_fields"):
            return type(first)(*parts)
        return tuple(parts) if isinstance(first, tuple) else parts
    raise TypeError(f"default_collate: cannot batch samples of type {type(first).__name__}; give a collate_fn")


class DataLoader:
    """Batches of a dataset::

        for images, labels in DataLoader(dataset, batch_size=64, shuffle=True, generator=Generator(0)):
            ...

    The order of an epoch is a function of the generator's seed and offset, the same on every device.
    `state_dict` and `load_state_dict` continue an epoch where it was left.

    Args:
        dataset: has a length and gives samples by index; with a method ``batch(indices)`` (see
            `Dataset`) that is called instead, unless there is a ``collate_fn``.
        batch_size: at least 1.
        shuffle: a new random order each epoch, otherwise the dataset's.
        drop_last: leave out a last batch that is not full.
        generator: where the orders come from, `pyneural.random.default_generator` unless given.
        collate_fn: makes a batch of a list of samples; `default_collate` unless given.

    Raises:
        ValueError, TypeError: a batch size that is no positive int; a dataset without length.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: Generator | None = None,
        collate_fn: Callable[[list[Any]], Any] | None = None,
    ) -> None:
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise TypeError(f"DataLoader: dataset must have a length and samples, not {type(dataset).__name__}")
        if isinstance(batch_size, bool) or not isinstance(batch_size, int):
            raise TypeError(f"DataLoader: batch_size must be an int, not {batch_size!r}")
        if batch_size < 1:
            raise ValueError(f"DataLoader: batch_size (={batch_size}) must be at least 1")
        if generator is not None and not isinstance(generator, Generator):
            raise TypeError(f"DataLoader: generator must be a Generator, not {type(generator).__name__}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = default_generator if generator is None else generator
        self.collate_fn = collate_fn
        self._stream: dict[str, int] | None = None  # the latest epoch's seed and offset
        self._served = 0  # its batches so far
        self._resumed = False  # whether the next iteration continues that epoch

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        if self._resumed:
            stream, served = self._stream, self._served
        else:
            stream, served = (self.generator.next() if self.shuffle else None), 0
        self._resumed = False
        order = self._order(stream)
        batches = len(self)
        while served < batches:
            start = served * self.batch_size
            served += 1
            # Noted before the batch is out, so that a state saved in the loop's body counts it.
            self._stream, self._served = stream, served
            yield self._batch(order[start : start + self.batch_size])

    def _order(self, stream: dict[str, int] | None) -> Tensor:
        device = _device_of(self.dataset)
        if stream is None:
            return arange(len(self.dataset), device=device)
        return Tensor._over(device.kernels.permutation(n=len(self.dataset), **stream), device)

    def _batch(self, indices: Tensor) -> Any:
        if self.collate_fn is None and hasattr(self.dataset, "batch"):
            return self.dataset.batch(indices)
        samples = [self.dataset[i] for i in indices.tolist()]
        return default_collate(samples) if self.collate_fn is None else self.collate_fn(samples)

    def state_dict(self) -> dict[str, Any]:
        """Where the running epoch is: its order and how many batches it has given."""
        running = 0 < self._served < len(self)
        return {"stream": self._stream if running else None, "served": self._served if running else 0}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration continue the epoch that `state_dict` described.

        The generator is not touched: restore it by its own state.

        Raises:
            ValueError: the state is that of more batches than an epoch has, or of another kind of order.
        """
        served, stream = int(state["served"]), state["stream"]
        if not 0 <= served <= len(self):
            raise ValueError(f"load_state_dict: served (={served}) must be in [0, {len(self)}]")
        if served and (stream is not None) != bool(self.shuffle):
            raise ValueError(f"load_state_dict: the state has stream (={stream}) but shuffle (={self.shuffle})")
        self._stream = None if stream is None else {"seed": int(stream["seed"]), "offset": int(stream["offset"])}
        self._served = served
        self._resumed = served > 0


def _device_of(dataset: Any) -> Device:
    """The device of a dataset's tensors, through subsets; the default device where it has none."""
    while hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    tensors = getattr(dataset, "tensors", None)
    return tensors[0].device if tensors else get_default_device()
