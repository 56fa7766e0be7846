"""What the kernels that add by index promise beyond accuracy."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from pyneural.kernels import backend
from pyneural.kernels.embedding import loops

CPU = backend("numba_cpu")


@pytest.mark.parametrize("left_out", [-1, 0, 3])
@pytest.mark.parametrize("count", [0, 1, 500])
def test_sort_is_stable(left_out: int, count: int, rng: np.random.Generator) -> None:
    index = rng.integers(0, 7, count)
    starts, order = np.full(8, -1), np.full(count, -1)
    loops.sort(index, left_out, starts, order)
    for number in range(7):
        expected = np.flatnonzero(index == number) if number != left_out else []
        np.testing.assert_array_equal(order[starts[number] : starts[number + 1]], expected)
    assert starts[0] == 0


@pytest.mark.parametrize("rows", [3, 40_009])
def test_same_bits_for_any_number_of_threads(rows: int, rng: np.random.Generator) -> None:
    """Sums of one row follow the order of the indices, however rows are shared out."""
    index = np.minimum(rng.geometric(0.01, 4001), rows) - 1
    grad = rng.standard_normal((4001, 13)).astype(np.float32)
    expected = np.zeros((rows, 13), np.float32)
    np.add.at(expected, index, grad)
    threads = numba.get_num_threads()
    try:
        for count in range(1, threads + 1):
            numba.set_num_threads(count)
            found = CPU.embedding_backward(grad, index, num_embeddings=rows)
            assert found.tobytes() == expected.tobytes()
            found = CPU.index_select_backward(grad, index, dim=0, size=rows)
            assert found.tobytes() == expected.tobytes()
            places = np.broadcast_to(index[:, None], grad.shape)
            found = CPU.scatter_add(np.zeros((rows, 13), np.float32), places, grad, dim=0)
            assert found.tobytes() == expected.tobytes()
    finally:
        numba.set_num_threads(threads)
