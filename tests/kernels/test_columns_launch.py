"""Blocks over columns fit the kernels that walk them, and read whole sectors."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural.kernels.columns_launch import plan


@pytest.mark.parametrize("itemsize", [2, 4, 8])
def test_blocks_fit_the_kernels(itemsize: int, rng: np.random.Generator) -> None:
    for _ in range(200):
        outer, n, inner = (int(each) for each in 10 ** rng.uniform(0, 4, 3))
        columns = plan((outer, n, inner), 1, itemsize)
        if columns is None:
            assert inner * itemsize < 64
            continue
        lanes, rows = columns.block
        assert lanes * rows <= 1024
        assert lanes * itemsize % 32 == 0
        assert rows & (rows - 1) == 0
        assert rows < 2 * n
        assert columns.holds(-(-n // rows))
        assert not columns.holds(-(-n // rows) - 1)


def test_few_columns_are_shared_out_over_the_gpu() -> None:
    few = plan((1, 1024, 1024), 1, 4)
    many = plan((64, 10, 65_536), 1, 4)
    assert few is not None
    assert many is not None
    assert few.grid == 128
    assert few.block == (8, 128)
    assert many.block == (128, 2)
