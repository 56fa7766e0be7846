"""Kernels that read NumPy's array objects themselves: what they refuse, and what the family does then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural import kernels
from pyneural.kernels.elementwise import numba_cpu
from pyneural.kernels.elementwise.loops import binary_entries, unary_entries

backend = kernels.backend("numba_cpu")
F32 = np.dtype("float32")
negated = unary_entries("test_entry_neg", lambda x: -x)
added = binary_entries("test_entry_add", lambda a, b: a + b)


class Subclass(np.ndarray):
    pass


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0), (5,), (2, 3), (2, 3, 1, 2), (1,) * 9], ids=str)
def test_takes_contiguous_arrays_of_any_rank(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    x, out = np.asarray(rng.standard_normal(shape), F32), np.full(shape, np.nan, F32)
    assert negated[F32](np.ndarray, x, out)
    np.testing.assert_array_equal(out, -x)


def test_refuses_what_it_cannot_read() -> None:
    x, out = np.arange(6, dtype=F32), np.zeros(6, F32)
    read_only = np.zeros(6, F32)
    read_only.flags.writeable = False
    wrong: list[tuple[Any, Any]] = [
        (x[::2], out[:3]),
        (x, np.zeros(12, F32)[::2]),
        (x, read_only),
        (x.view(Subclass), out),
        (x, out.view(Subclass)),
        (F32.type(3), np.zeros((), F32)),
        ([0.0] * 6, out),
        (None, out),
        (x, 3),
        (x[:5], out),
    ]
    for arguments in wrong:
        assert not negated[F32](np.ndarray, *arguments)
    assert not out.any()
    assert not read_only.any()


def test_refuses_dtypes_it_is_not_compiled_for() -> None:
    x = np.ones(3, np.int8)
    assert not negated[x.dtype](np.ndarray, x, x.copy())
    swapped = np.dtype(">f4") if F32.isnative and np.dtype("<f4") == F32 else np.dtype("<f4")
    assert not negated[swapped](np.ndarray, x.astype(swapped), x.astype(swapped))


@pytest.mark.parametrize(
    ("a", "b", "taken"),
    [
        ((4, 3), (4, 3), True),
        ((4, 3), (3,), True),
        ((1, 3), (4, 3), True),
        ((), (4, 3), True),
        ((3,), (2, 4, 3), True),
        ((4, 1), (4, 3), False),
        ((4, 1), (1, 3), False),
        ((2, 1, 3), (4, 3), False),
    ],
    ids=str,
)
def test_repeats_trailing_dimensions(
    a: tuple[int, ...], b: tuple[int, ...], taken: bool, rng: np.random.Generator
) -> None:
    x, y = np.asarray(rng.standard_normal(a), F32), np.asarray(rng.standard_normal(b), F32)
    out = np.full(np.broadcast_shapes(a, b), np.nan, F32)
    assert added[F32](np.ndarray, x, y, out) is taken
    if taken:
        np.testing.assert_array_equal(out, x + y)


@pytest.mark.parametrize("period", [1, 2, 3, 31, 511, 512, 513])
@pytest.mark.parametrize("rows", [1, 5, 40_003])
def test_short_periods(period: int, rows: int, rng: np.random.Generator) -> None:
    if period * rows > 2_000_000:
        rows = 2_000_000 // period
    x, y = rng.standard_normal((rows, period)).astype(F32), rng.standard_normal(period).astype(F32)
    np.testing.assert_array_equal(backend.sub(x, y), x - y)
    np.testing.assert_array_equal(backend.sub(y, x), y - x)


def test_arrays_of_a_subclass_are_computed() -> None:
    x = np.arange(6, dtype=F32).reshape(2, 3)
    for given in (x.view(Subclass), x.T.view(Subclass)):
        out = np.full(given.shape, np.nan, F32)
        numba_cpu.neg(given, out=out)
        np.testing.assert_array_equal(out, -np.asarray(given))
        into = np.full(given.shape, np.nan, F32).view(Subclass)
        numba_cpu.add(np.asarray(given), given, out=into)
        np.testing.assert_array_equal(np.asarray(into), 2 * np.asarray(given))


def test_a_read_only_out_is_an_error() -> None:
    x = np.ones(3, F32)
    out = np.zeros(3, F32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        backend.neg(x, out=out)
    assert not out.any()


def test_read_only_arguments_are_taken() -> None:
    x = np.ones(3, F32)
    x.flags.writeable = False
    np.testing.assert_array_equal(backend.add(x, x), np.full(3, 2, F32))
    np.testing.assert_array_equal(backend.add(np.broadcast_to(x, (2, 3)), x), np.full((2, 3), 2, F32))
