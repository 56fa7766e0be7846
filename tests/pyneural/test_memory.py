"""A training loop holds no more memory after 2,000 steps than after its first ones."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import pytest

import pyneural
from pyneural import Generator, nn, optim
from pyneural.data import DataLoader, TensorDataset
from pyneural.kernels import memory

STEPS = 2000


def _resident_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    except OSError:
        pytest.skip("the resident memory of a process can be read on Linux only")


def test_two_thousand_steps_keep_memory_flat():
    # The hidden layer's activations, 64 x 256 float32, are large enough for the pool.
    dataset = TensorDataset(pyneural.randn(128, 16), pyneural.randint(0, 4, (128,)))
    loader = DataLoader(dataset, 64, shuffle=True, generator=Generator(1))
    model = nn.Sequential(nn.Linear(16, 256, activation="relu"), nn.Dropout(0.1), nn.Linear(256, 4))
    optimizer = optim.AdamW(model.parameters(), 1e-3)
    criterion = nn.CrossEntropyLoss()

    def train(steps: int) -> None:
        for _ in range(steps // len(loader)):
            for x, y in loader:
                optimizer.zero_grad()
                criterion(model(x), y).backward()
                optimizer.step()

    def used() -> tuple[int, int, int]:
        gc.collect()
        return tracemalloc.get_traced_memory()[0], memory.cached_bytes(), _resident_bytes()

    train(200)
    tracemalloc.start()
    try:
        train(50)
        traced, pooled, resident = used()
        train(STEPS)
        traced_after, pooled_after, resident_after = used()
    finally:
        tracemalloc.stop()
    assert traced_after - traced < 100_000
    assert pooled_after == pooled
    assert resident_after - resident < 8_000_000


def test_a_training_step_leaves_no_garbage_for_the_collector():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)
    x = pyneural.randn(5, 4)

    def step() -> None:
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()

    step()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            step()
        assert gc.collect() == 0
    finally:
        gc.enable()
