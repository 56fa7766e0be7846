"""Copies in vectors, forwards and backwards, of every length around the widths of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels.jit import jit
from pyneural.kernels.simd import copy_items, reverse_items

GUARD = 70  # items on both sides that must stay as they are


@jit(name="moves_of_a_test", inline=True)  # type: ignore[untyped-decorator]
def _move(source: Any, first: int, target: Any, to: int, count: int, backwards: bool) -> None:
    size, like = source.itemsize, source.dtype.type(0)
    if backwards:
        reverse_items(like, source.ctypes.data + (first + count - 1) * size, target.ctypes.data + to * size, count)
    else:
        copy_items(like, source.ctypes.data + first * size, target.ctypes.data + to * size, count)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_every_length(dtype: Any, backwards: bool, rng: np.random.Generator) -> None:
    source = rng.integers(1, 200, 400).astype(dtype)
    for count in range(200):
        target = np.zeros(count + 2 * GUARD, dtype)
        _move(source, 5, target, GUARD, count, backwards)
        expected = source[5 : 5 + count]
        np.testing.assert_array_equal(target[GUARD : GUARD + count], expected[::-1] if backwards else expected)
        assert not target[:GUARD].any()
        assert not target[GUARD + count :].any()
