"""`DataLoader`: batches, order, resuming, collating."""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Generator, Tensor, kernels
from pyneural.data import DataLoader, Dataset, TensorDataset, default_collate

pytestmark = pytest.mark.usefixtures("reference_device")


def _numbers(count: int) -> TensorDataset:
    return TensorDataset(pyneural.arange(count))


def _flat(loader: DataLoader) -> list[int]:
    return [each for (batch,) in loader for each in batch.tolist()]


class Squares(Dataset):
    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"x": np.full(2, index, np.float32), "label": index * index, "name": f"n{index}"}


@pytest.mark.parametrize(
    ("count", "size", "drop", "sizes"),
    [
        (10, 4, False, [4, 4, 2]),
        (10, 4, True, [4, 4]),
        (8, 4, False, [4, 4]),
        (3, 5, True, []),
        (0, 5, False, []),
    ],
)
def test_batches_in_order(count: int, size: int, drop: bool, sizes: list[int]):
    loader = DataLoader(_numbers(count), size, drop_last=drop)
    assert [len(batch) for (batch,) in loader] == sizes
    assert len(loader) == len(sizes)
    assert _flat(loader) == list(range(sum(sizes)))


def test_shuffle_is_a_function_of_the_seed():
    loader = DataLoader(_numbers(50), 8, shuffle=True, generator=Generator(4))
    first, second = _flat(loader), _flat(loader)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    again = DataLoader(_numbers(50), 8, shuffle=True, generator=Generator(4))
    assert [_flat(again), _flat(again)] == [first, second]
    assert _flat(DataLoader(_numbers(50), 8, shuffle=True, generator=Generator(5))) != first


def test_order_is_the_same_on_every_device():
    orders = []
    for device in ("reference", "cpu"):
        dataset = TensorDataset(pyneural.arange(33, device=device))
        orders.append(_flat(DataLoader(dataset, 5, shuffle=True, generator=Generator(9))))
    assert orders[0] == orders[1]


def test_default_generator_by_default():
    loader = DataLoader(_numbers(20), 20, shuffle=True)
    pyneural.manual_seed(3)
    first = _flat(loader)
    pyneural.manual_seed(3)
    assert _flat(loader) == first


def test_one_index_call_for_each_tensor_of_a_batch():
    dataset = TensorDataset(pyneural.ones(32, 3), pyneural.arange(32))
    loader = DataLoader(dataset, 8, shuffle=True, generator=Generator(0))
    with kernels.record() as recording:
        assert len(list(loader)) == 4
    assert {name: use.calls for name, use in recording.uses.items()} == {"permutation": 1, "index": 8}


def test_samples_one_by_one_are_collated():
    batches = list(DataLoader(Squares(), 3))
    assert [each["x"].shape for each in batches] == [(3, 2), (3, 2), (1, 2)]
    assert batches[1]["label"].tolist() == [9, 16, 25]
    assert batches[1]["label"].dtype == np.int64
    assert batches[2]["name"] == ["n6"]


def test_collate_fn_is_used():
    loader = DataLoader(_numbers(4), 2, collate_fn=lambda samples: [each.item() for (each,) in samples])
    assert list(loader) == [[0, 1], [2, 3]]


def test_iterators_are_independent():
    loader = DataLoader(_numbers(6), 2)
    pairs = [(a[0].tolist(), b[0].tolist()) for a, b in zip(loader, loader, strict=True)]
    assert pairs == [([0, 1], [0, 1]), ([2, 3], [2, 3]), ([4, 5], [4, 5])]


@pytest.mark.parametrize("shuffle", [True, False])
def test_state_continues_an_epoch(shuffle: bool):
    generator = Generator(11)
    loader = DataLoader(_numbers(23), 4, shuffle=shuffle, generator=generator)
    straight = [_flat(loader), _flat(loader)]

    generator = Generator(11)
    loader = DataLoader(_numbers(23), 4, shuffle=shuffle, generator=generator)
    seen = []
    for (batch,) in loader:
        seen += batch.tolist()
        if len(seen) == 12:
            state, numbers = loader.state_dict(), generator.state_dict()
            break
    restored = Generator(0)
    restored.load_state_dict(numbers)
    other = DataLoader(_numbers(23), 4, shuffle=shuffle, generator=restored)
    other.load_state_dict(state)
    assert seen + _flat(other) == straight[0]
    assert _flat(other) == straight[1]


def test_state_between_epochs_starts_a_new_one():
    loader = DataLoader(_numbers(6), 2, shuffle=True, generator=Generator(1))
    list(loader)
    assert loader.state_dict() == {"stream": None, "served": 0}


def test_collating_structures():
    Point = namedtuple("Point", "x y")
    batch = default_collate([(Tensor([1.0, 2.0]), [1, True], Point(0.5, np.float64(2.0)))] * 2)
    assert batch[0].tolist() == [[1.0, 2.0]] * 2
    assert batch[1][0].dtype == np.int64
    assert batch[1][1].dtype == np.bool_
    assert batch[2].x.dtype == np.float32
    assert batch[2].y.dtype == np.float64


_WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: DataLoader(_numbers(3), 0), ValueError, "DataLoader: batch_size (=0) must be at least 1"),
    (lambda: DataLoader(_numbers(3), 2.0), TypeError, "DataLoader: batch_size must be an int, not 2.0"),
    (lambda: DataLoader(iter([1])), TypeError, "DataLoader: dataset must have a length and samples, not list_iterator"),
    (lambda: DataLoader(_numbers(3), generator=7), TypeError, "DataLoader: generator must be a Generator, not int"),
    (lambda: default_collate([]), ValueError, "default_collate: needs at least one sample, not 0"),
    (lambda: default_collate([object()]), TypeError, "default_collate: cannot batch samples of type object"),
    (lambda: default_collate([(1,), (1, 2)]), ValueError, "default_collate: samples have lengths 1, 2"),
    (lambda: default_collate([np.ones(2), np.ones(3)]), ValueError, "default_collate: arrays have shapes (2,), (3,)"),
    (
        lambda: DataLoader(_numbers(4), 2).load_state_dict({"stream": None, "served": 3}),
        ValueError,
        "load_state_dict: served (=3) must be in [0, 2]",
    ),
    (
        lambda: DataLoader(_numbers(4), 2, shuffle=True).load_state_dict({"stream": None, "served": 1}),
        ValueError,
        "load_state_dict: the state has stream (=None) but shuffle (=True)",
    ),
]


@pytest.mark.parametrize(("call", "exception", "message"), _WRONG, ids=[each[2][:60] for each in _WRONG])
def test_wrong_call_is_refused(call: Callable[[], Any], exception: type[Exception], message: str):
    with pytest.raises(exception, match=re.escape(message)):
        call()
