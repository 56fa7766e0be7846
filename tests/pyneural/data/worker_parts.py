"""Datasets and functions that worker processes import: they must stand in a module of their own."""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np

import pyneural
from pyneural.data import Dataset, get_worker_info


class Noisy(Dataset):
    """Samples that draw from every default generator, and say which process made them."""

    def __len__(self) -> int:
        return 11

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {
            "index": index,
            "ours": pyneural.rand(3, device="reference"),
            "python": random.random(),
            "numpy": np.random.rand(2),
            "half": pyneural.ones(2, dtype="bfloat16", device="reference"),
            "process": os.getpid(),
        }


class Broken(Dataset):
    """Sample 5 cannot be read."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        if index == 5:
            raise LookupError(f"sample {index} is damaged")
        return index


class Deadly(Broken):
    """Sample 5 ends the process."""

    def __getitem__(self, index: int) -> int:
        if index == 5:
            os._exit(7)
        return index


class Placed(Dataset):
    """Samples say in which worker they are."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> tuple[int, int, int]:
        info = get_worker_info()
        assert info is not None
        return info.id, info.num_workers, int(os.environ["PYNEURAL_TEST_WORKER"])


def name_worker(number: int) -> None:
    os.environ["PYNEURAL_TEST_WORKER"] = str(number)


def refuse(number: int) -> None:
    raise OSError(f"worker {number} has no disk")
