"""Datasets and random splits."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Generator, Tensor
from pyneural.data import Dataset, Subset, TensorDataset, random_split

pytestmark = pytest.mark.usefixtures("reference_device")


def _numbers(count: int) -> TensorDataset:
    return TensorDataset(pyneural.arange(count), pyneural.arange(count) * 10)


def test_tensor_dataset():
    dataset = _numbers(5)
    assert len(dataset) == 5
    a, b = dataset[3]
    assert (a.item(), b.item()) == (3, 30)
    a, b = dataset.batch(Tensor([4, 0, 4]))
    assert (a.tolist(), b.tolist()) == ([4, 0, 4], [40, 0, 40])


def test_batch_takes_indices_of_another_device():
    assert _numbers(5).batch(Tensor([1, 2], device="cpu"))[0].tolist() == [1, 2]


def test_subset_with_and_without_batches():
    subset = Subset(_numbers(6), [5, 0, -2])
    assert len(subset) == 3
    assert subset[1][0].item() == 0
    assert subset.batch(Tensor([2, 0]))[1].tolist() == [40, 50]
    assert not hasattr(Subset([1, 2, 3], [0]), "batch")
    nested = Subset(subset, [2, 1])
    assert nested.batch(Tensor([0, 1]))[0].tolist() == [4, 0]


@pytest.mark.parametrize("lengths", [[7, 3], [0.7, 0.3], [10], [0, 10, 0], [0.35, 0.35, 0.3]])
def test_random_split_covers_without_overlap(lengths: list[Any]):
    parts = random_split(_numbers(10), lengths, Generator(2))
    found = [each for part in parts for each in part.indices]
    assert sorted(found) == list(range(10))
    if isinstance(lengths[0], int):
        assert [len(each) for each in parts] == lengths
    else:
        assert sum(len(each) for each in parts) == 10
    again = random_split(_numbers(10), lengths, Generator(2))
    assert [each.indices for each in parts] == [each.indices for each in again]


def test_what_fractions_leave_over_goes_to_the_first_parts():
    assert [len(each) for each in random_split(_numbers(11), [0.5, 0.5])] == [6, 5]
    assert [len(each) for each in random_split(_numbers(5), [0.25] * 4)] == [2, 1, 1, 1]


_WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: TensorDataset(), ValueError, "TensorDataset: needs at least one tensor, not 0"),
    (lambda: TensorDataset(np.ones(3)), TypeError, "TensorDataset: tensor 0 must be a tensor, not ndarray"),
    (lambda: TensorDataset(Tensor(1.0)), ValueError, "TensorDataset: tensor 0 has shape () and no samples"),
    (
        lambda: TensorDataset(pyneural.ones(3), pyneural.ones(4, 2)),
        ValueError,
        "TensorDataset: tensor 0 has 3 samples but tensor 1 has 4",
    ),
    (
        lambda: TensorDataset(pyneural.ones(3), pyneural.ones(3, device="cpu")),
        ValueError,
        "TensorDataset: tensor 0 is on reference but tensor 1 is on cpu",
    ),
    (lambda: _numbers(3)[3], IndexError, "3"),
    (lambda: Subset(_numbers(3), [0, 3]), IndexError, "Subset: index (=3) is out of range for 3 samples"),
    (lambda: Subset(_numbers(3), [0])[1], IndexError, "Subset: index (=1) is out of range for 1 samples"),
    (lambda: random_split(_numbers(3), [1, 1]), ValueError, "random_split: lengths (=[1, 1]) add up to 2, not 3"),
    (lambda: random_split(_numbers(3), [0.5, 0.4]), ValueError, "random_split: fractions (=[0.5, 0.4]) add up to 0.9"),
    (lambda: random_split(_numbers(3), [4, -1]), ValueError, "random_split: lengths (=[4, -1]) must not be negative"),
    (lambda: len(Dataset()), NotImplementedError, "Dataset: __len__ is not defined"),
    (lambda: Dataset()[0], NotImplementedError, "Dataset: __getitem__ is not defined"),
]


@pytest.mark.parametrize(("call", "exception", "message"), _WRONG, ids=[each[2][:60] for each in _WRONG])
def test_wrong_call_is_refused(call: Callable[[], Any], exception: type[Exception], message: str):
    with pytest.raises(exception, match=re.escape(message)):
        call()
