"""The pool and the scratch memory of kernels: used again, never by two at once."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from pyneural.kernels import memory

FLOAT = np.dtype(np.float32)
LARGE = memory.SMALLEST // FLOAT.itemsize


@pytest.fixture(autouse=True)
def _emptied() -> Iterator[None]:
    memory.empty_cache()
    yield
    memory.empty_cache()


def _address(array: np.ndarray) -> int:
    return int(array.ctypes.data)


@pytest.mark.parametrize("of", [memory.empty, memory.scratch])
def test_memory_is_used_again_when_the_last_array_over_it_is_gone(of: object) -> None:
    first = of((3, LARGE), FLOAT)  # type: ignore[operator]
    view, before = first[1:2, ::2], {_address(first)}
    del first
    other = of((3, LARGE), FLOAT)  # type: ignore[operator]
    assert not np.shares_memory(view, other)
    before.add(_address(other))
    del view, other
    gc.collect()
    held = memory.cached_bytes()
    again = [of((3, LARGE), FLOAT) for _ in range(2)]  # type: ignore[operator]
    assert before & {_address(each) for each in again}
    assert not np.shares_memory(*again)
    del again
    assert memory.cached_bytes() == held


@pytest.mark.parametrize("count", [0, 1, 31, LARGE - 1, LARGE, LARGE + 1])
@pytest.mark.parametrize("of", [memory.empty, memory.scratch])
def test_shapes_and_alignment(of: object, count: int) -> None:
    arrays = [of((1, count), np.dtype(kind)) for kind in (np.float32, np.float64, np.bool_) for _ in range(3)]  # type: ignore[operator]
    for number, each in enumerate(arrays):
        assert each.shape == (1, count)
        assert each.flags.c_contiguous
        assert each.nbytes < memory.SMALLEST or _address(each) % memory.ALIGNMENT == 0
        each[...] = number % 2
    for number, each in enumerate(arrays):
        assert (each == number % 2).all()


def test_scratch_is_one_region_as_large_as_the_most_that_was_wanted() -> None:
    def kernel(*sizes: int) -> None:
        arrays = [memory.scratch((size,), FLOAT) for size in sizes]
        for number, each in enumerate(arrays):
            each.fill(number)
        for number, each in enumerate(arrays):
            assert (each == number).all()

    most = 6 * LARGE
    for sizes in ((LARGE, 2 * LARGE), (most,), (2 * LARGE, LARGE), (LARGE,) * 6):
        kernel(*sizes)
    assert most * 4 <= memory.cached_bytes() <= 1.25 * most * 4
    assert memory.empty_cache() >= most * 4
    assert memory.cached_bytes() == 0


def test_scratch_that_outlives_its_kernel_stays_as_it_is() -> None:
    kept = memory.scratch((LARGE,), FLOAT)
    kept.fill(7)
    for _ in range(50):
        memory.scratch((2 * LARGE,), FLOAT).fill(1)
    assert (kept == 7).all()


def test_threads_have_scratch_of_their_own() -> None:
    mine, theirs = memory.scratch((LARGE,), FLOAT), []
    thread = threading.Thread(target=lambda: theirs.append(memory.scratch((LARGE,), FLOAT)))
    thread.start()
    thread.join()
    assert not np.shares_memory(mine, theirs[0])


def test_lent_memory_serves_as_scratch_as_far_as_it_reaches() -> None:
    loan = memory.lent(memory.aligned(12 * LARGE))
    for _ in range(2):
        with loan:
            within = [memory.scratch((LARGE,), FLOAT) for _ in range(3)]
            beyond = memory.scratch((LARGE,), FLOAT)
            pooled = memory.empty((LARGE,), FLOAT)
            small = memory.scratch((3,), FLOAT)
        assert loan.used == 16 * LARGE
        assert [_address(each) - _address(loan.memory) for each in within] == [0, 4 * LARGE, 8 * LARGE]
        assert not any(np.shares_memory(each, loan.memory) for each in (beyond, pooled, small))
    with pytest.raises(ZeroDivisionError), loan:
        1 / 0  # noqa: B018
    assert not np.shares_memory(memory.scratch((LARGE,), FLOAT), loan.memory)
