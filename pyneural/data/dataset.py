"""Datasets: what has a length and gives a sample for an index."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyneural.functional import randperm
from pyneural.random import Generator
from pyneural.tensor import Tensor


class Dataset:
    """The base of datasets: a subclass defines ``__len__`` and ``__getitem__``.

    A dataset that can fetch many samples at once also defines ``batch(indices)``, where ``indices``
    is an int64 tensor; the DataLoader then calls it in the place of one ``__getitem__`` a sample.
    """

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__}: __len__ is not defined")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: __getitem__ is not defined")


class TensorDataset(Dataset):
    """Tensors of one length: sample i holds row i of each.

    Raises:
        ValueError: no tensor, a 0-d one, or lengths or devices that differ.
        TypeError: something is no tensor.
    """

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ValueError("TensorDataset: needs at least one tensor, not 0")
        for number, each in enumerate(tensors):
            if not isinstance(each, Tensor):
                raise TypeError(f"TensorDataset: tensor {number} must be a tensor, not {type(each).__name__}")
            if each.ndim == 0:
                raise ValueError(f"TensorDataset: tensor {number} has shape () and no samples")
            if len(each) != len(tensors[0]):
                raise ValueError(
                    f"TensorDataset: tensor 0 has {len(tensors[0])} samples but tensor {number} has {len(each)}"
                )
            if each.device is not tensors[0].device:
                raise ValueError(
                    f"TensorDataset: tensor 0 is on {tensors[0].device} but tensor {number} is on {each.device}"
                )
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(each[index] for each in self.tensors)

    def batch(self, indices: Tensor) -> tuple[Tensor, ...]:
        """The samples at ``indices``: one kernel call for each tensor."""
        if indices.device is not self.tensors[0].device:
            indices = indices.to(self.tensors[0].device)
        return tuple(each[indices] for each in self.tensors)


class Subset(Dataset):
    """Some samples of a dataset.

    Raises:
        IndexError: an index is outside the dataset.
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = [int(each) for each in indices]
        length = len(dataset)
        for each in self.indices:
            if not -length <= each < length:
                raise IndexError(f"Subset: index (={each}) is out of range for {length} samples")
        self._table: Tensor | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        try:
            return self.dataset[self.indices[index]]
        except IndexError:
            raise IndexError(f"Subset: index (={index}) is out of range for {len(self)} samples") from None

    @property
    def batch(self) -> Callable[[Tensor], Any]:
        """Fetch many samples at once; AttributeError where the dataset itself cannot."""
        fetch = self.dataset.batch

        def batch(indices: Tensor) -> Any:
            if self._table is None or self._table.device is not indices.device:
                self._table = Tensor(np.array(self.indices, np.int64), device=indices.device)
            return fetch(self._table[indices])

        return batch


def random_split(
    dataset: Any, lengths: Sequence[int] | Sequence[float], generator: Generator | None = None
) -> list[Subset]:
    """Split a dataset at random into parts without overlap.

    Args:
        lengths: sizes that add up to the dataset's, or fractions that add up to 1; what rounding down
            leaves over goes to the first parts, one each.
        generator: `pyneural.random.default_generator` unless given.

    Raises:
        ValueError: a negative length, or a wrong sum.
    """
    total = len(dataset)
    if min(lengths, default=0) < 0:
        raise ValueError(f"random_split: lengths (={list(lengths)}) must not be negative")
    if any(isinstance(each, float) for each in lengths):
        if not math.isclose(sum(lengths), 1.0, abs_tol=1e-6):
            raise ValueError(f"random_split: fractions (={list(lengths)}) add up to {sum(lengths)}, not 1")
        sizes = [math.floor(total * each) for each in lengths]
        for i in range(total - sum(sizes)):
            sizes[i % len(sizes)] += 1
    else:
        sizes = [int(each) for each in lengths]
        if sum(sizes) != total:
            raise ValueError(f"random_split: lengths (={sizes}) add up to {sum(sizes)}, not {total}")
    order = randperm(total, generator=generator).tolist()
    parts, start = [], 0
    for size in sizes:
        parts.append(Subset(dataset, order[start : start + size]))
        start += size
    return parts
