"""Samplers, and loaders with them; the progress bar."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Generator, Tensor
from pyneural.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    progress,
)

pytestmark = pytest.mark.usefixtures("reference_device")


def _numbers(count: int) -> TensorDataset:
    return TensorDataset(pyneural.arange(count))


def test_sequential_and_batches():
    sampler = SequentialSampler(range(5))
    assert list(sampler) == [0, 1, 2, 3, 4]
    assert list(BatchSampler(sampler, 2)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(sampler, 2, drop_last=True)) == [[0, 1], [2, 3]]
    assert [len(BatchSampler(sampler, 2, drop)) for drop in (False, True)] == [3, 2]


def test_random_orders():
    sampler = RandomSampler(range(20), generator=Generator(1))
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert list(RandomSampler(range(20), generator=Generator(1))) == first
    assert len(list(RandomSampler(range(20), num_samples=7))) == 7
    longer = list(RandomSampler(range(4), num_samples=10, generator=Generator(2)))
    assert sorted(Counter(longer).values()) in ([2, 2, 3, 3], [2, 3, 2, 3])
    drawn = Counter(RandomSampler(range(4), replacement=True, num_samples=400, generator=Generator(3)))
    assert set(drawn) == {0, 1, 2, 3}
    assert min(drawn.values()) > 60


def test_subset_in_random_order():
    sampler = SubsetRandomSampler([7, 3, 5], Generator(4))
    assert sorted(sampler) == [3, 5, 7]
    assert len(sampler) == 3


@pytest.mark.parametrize("replacement", [True, False])
def test_weights_are_probabilities(replacement: bool):
    weights = np.array([1.0, 0.0, 3.0, 6.0])
    counts = Counter()
    generator = Generator(5)
    rounds = 2000
    for _ in range(rounds):
        counts[next(iter(WeightedRandomSampler(weights, 1, replacement, generator)))] += 1
    expected = weights / weights.sum()
    for index, p in enumerate(expected):
        assert abs(counts[index] / rounds - p) <= 5.0 * np.sqrt(p * (1 - p) / rounds)
    chosen = list(WeightedRandomSampler(Tensor([0.0, 1.0, 1.0, 1e-9]), 3, False, generator))
    assert sorted(chosen) == [1, 2, 3]


def test_loader_with_samplers():
    sampler = SubsetRandomSampler([9, 1, 5, 3], Generator(1))
    loader = DataLoader(_numbers(10), 3, sampler=sampler, drop_last=True)
    assert len(loader) == 1
    batches = [batch.tolist() for (batch,) in loader]
    assert len(batches) == 1
    assert set(batches[0]) <= {1, 3, 5, 9}
    pairs = DataLoader(_numbers(10), batch_sampler=[[0, 9], [4]])
    assert [batch.tolist() for (batch,) in pairs] == [[0, 9], [4]]
    assert len(pairs) == 2


@pytest.mark.parametrize("by_batch", [True, False])
def test_an_epoch_of_a_sampler_goes_on(by_batch: bool):
    def made(generator: Generator) -> DataLoader:
        sampler = RandomSampler(range(11), generator=generator)
        if by_batch:
            return DataLoader(_numbers(11), batch_sampler=BatchSampler(sampler, 2))
        return DataLoader(_numbers(11), 2, sampler=sampler)

    straight = made(generator := Generator(6))
    epochs = [[batch.tolist() for (batch,) in straight] for _ in range(2)]
    loader, seen = made(generator := Generator(6)), []
    for (batch,) in loader:
        seen.append(batch.tolist())
        if len(seen) == 3:
            state, numbers = loader.state_dict(), generator.state_dict()
            break
    restored = Generator(0)
    restored.load_state_dict(numbers)
    other = made(restored)
    other.load_state_dict(state)
    assert seen + [batch.tolist() for (batch,) in other] == epochs[0]
    assert [batch.tolist() for (batch,) in other] == epochs[1]


class Tail:
    """A terminal that keeps what it is given."""

    def __init__(self, terminal: bool) -> None:
        self.terminal, self.text = terminal, ""

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_on_a_terminal_only(terminal: bool, monkeypatch: pytest.MonkeyPatch):
    stream = Tail(terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys.modules["pyneural.data.progress"], "_PATIENCE", -1.0)
    bar = progress(range(3), "epoch 1")
    assert len(bar) == 3
    seen = []
    for each in bar:
        seen.append(each)
        bar.set_postfix(loss=0.123456, step=each)
    assert seen == [0, 1, 2]
    assert bar.count == 3
    assert bar.note == "loss=0.1235  step=2"
    assert ("epoch 1" in stream.text) == terminal


def test_a_quick_loop_shows_nothing(monkeypatch: pytest.MonkeyPatch):
    stream = Tail(True)
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(progress(iter("ab"), total=2)) == ["a", "b"]
    assert stream.text == ""


_WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: list(Sampler()), NotImplementedError, "Sampler: __iter__ is not defined"),
    (lambda: RandomSampler(range(3), num_samples=0), ValueError, "RandomSampler: num_samples (=0) must be at least 1"),
    (lambda: RandomSampler([], num_samples=2), ValueError, "RandomSampler: num_samples (=2) of a source that is empty"),
    (lambda: RandomSampler(range(3), generator=1), TypeError, "RandomSampler: generator must be a Generator, not int"),
    (lambda: BatchSampler(range(3), 0), ValueError, "BatchSampler: batch_size (=0) must be at least 1"),
    (lambda: WeightedRandomSampler([1.0, -2.0], 1), ValueError, "weights[1] (=-2.0) must be finite and not negative"),
    (lambda: WeightedRandomSampler([0.0, 0.0], 1), ValueError, "num_samples (=1) of 0 indices with a positive weight"),
    (
        lambda: WeightedRandomSampler([0.0, 1.0], 2, replacement=False),
        ValueError,
        "num_samples (=2) of 1 indices with a positive weight",
    ),
    (lambda: WeightedRandomSampler(np.ones((2, 2)), 1), ValueError, "must be a row of numbers, not of shape (2, 2)"),
    (lambda: DataLoader(_numbers(3), num_workers=-1), ValueError, "num_workers (=-1) must be at least 0"),
    (lambda: DataLoader(_numbers(3), num_workers=1.5), TypeError, "num_workers must be an int, not 1.5"),
    (lambda: DataLoader(_numbers(3), timeout=2.0), ValueError, "timeout (=2.0) needs num_workers above 0"),
    (lambda: DataLoader(_numbers(3), prefetch_factor=2), ValueError, "prefetch_factor (=2) needs num_workers above 0"),
    (
        lambda: DataLoader(_numbers(3), num_workers=1, prefetch_factor=0),
        ValueError,
        "prefetch_factor (=0) must be at least 1",
    ),
    (lambda: DataLoader(_numbers(3), num_workers=1, timeout=-1.0), ValueError, "timeout (=-1.0) must be at least 0"),
    (
        lambda: DataLoader(_numbers(3), persistent_workers=True),
        ValueError,
        "persistent_workers (=True) needs num_workers above 0",
    ),
    (
        lambda: DataLoader(_numbers(3), shuffle=True, sampler=[0, 1]),
        ValueError,
        "shuffle (=True) and a sampler exclude each other",
    ),
    (
        lambda: DataLoader(_numbers(3), 2, batch_sampler=[[0]]),
        ValueError,
        "a batch_sampler excludes batch_size (=2), shuffle (=False)",
    ),
    (lambda: DataLoader(_numbers(3), sampler=3), TypeError, "sampler must have an order and a length, not int"),
    (lambda: progress(3), TypeError, "progress: cannot go over int"),
    (lambda: len(progress(iter([1]))), TypeError, "progress: list_iterator has no length; give total"),
]


@pytest.mark.parametrize(("call", "exception", "message"), _WRONG, ids=[each[2][:60] for each in _WRONG])
def test_wrong_call_is_refused(call: Callable[[], Any], exception: type[Exception], message: str):
    with pytest.raises(exception, match=re.escape(message)):
        call()
