"""Routines: compiled once for each dtype, called by address for every piece of a range."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
import pytest

from pyneural.kernels.parallel import run
from pyneural.kernels.routine import Routine, address, call, clear, data, fields, put_word, span, table, word


class Scaling(NamedTuple):
    scale: int
    out: int
    x: int
    factor: int
    piece: int
    starts: int


@Routine
def _scale(kind: Any, x: int, out: int, count: int, factor: int) -> None:
    source, target = span(kind, x, count), span(kind, out, count)
    for i in range(count):
        target[i] = source[i] * factor


@Routine
def _pieces(kind: Any, arguments: int, start: int, stop: int) -> None:
    g = fields(Scaling, arguments)
    size = span(kind, g.x, 1).itemsize
    call(kind, g.scale, g.x + start * size, g.out + start * size, stop - start, g.factor)
    put_word(g.starts, start // g.piece, start)


@Routine
def _double_and_clear(kind: Any, arguments: int, start: int, stop: int) -> None:
    for i in range(start, stop):
        put_word(arguments, i, 2 * word(arguments, i))
    clear(arguments + 8 * stop, 8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("count", "piece"), [(0, 1), (1, 1), (10, 10), (10, 3), (1000, 7)])
def test_every_piece_is_called(dtype: Any, count: int, piece: int) -> None:
    x, out = np.arange(count, dtype=dtype), np.full(count, -1, dtype)
    starts = np.full(max(-(-count // piece), 1), -1)
    run(
        _pieces[np.dtype(dtype)],
        Scaling(_scale[np.dtype(dtype)], data(out), data(x), 3, piece, data(starts)),
        count,
        piece,
    )
    np.testing.assert_array_equal(out, 3 * x)
    np.testing.assert_array_equal(starts, np.arange(starts.size) * piece)


def test_one_address_for_each_dtype() -> None:
    assert _scale[np.dtype(np.float32)] == _scale[np.dtype(np.float32)]
    assert _scale[np.dtype(np.float32)] != _scale[np.dtype(np.float64)]


def test_tables_of_words() -> None:
    words = np.array([3, -5, 7, 11])
    numbers = table([data(words), 1])
    assert ctypes.c_int64.from_address(address(numbers)).value == words.ctypes.data
    run(_double_and_clear[np.dtype(np.float64)], words, 2, 2)
    np.testing.assert_array_equal(words, [3, -5, 7, 11])  # the routine works on a copy of its arguments


def test_data_is_the_address_of_the_first_item() -> None:
    x = np.zeros((3, 4))
    for view in (x, x.T, x[1:, ::2], x[::-1], x[:0]):
        assert data(view) == view.ctypes.data
