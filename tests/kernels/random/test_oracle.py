"""The random numbers against published vectors, exact arithmetic and the distributions they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural.kernels import backend, dtypes
from pyneural.kernels.random import reference

stats = pytest.importorskip("scipy.stats", reason="SciPy is the oracle of these tests and is not installed")

# Known answers of philox4x32-10 in the Random123 distribution (kat_vectors): counter, key, result.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
BACKENDS = ["reference", "numba_cpu"]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(counter: tuple[int, ...], key: tuple[int, ...], expected: tuple[int, ...]) -> None:
    got = reference._philox(np.array([counter], np.uint32), np.array(key, np.uint32))
    assert tuple(int(word) for word in got[0]) == expected


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("expected", [KNOWN[0][2]])
def test_first_block_of_the_stream_zero(name: str, expected: tuple[int, ...]) -> None:
    got = backend(name).random_bits(shape=(4,), seed=0, offset=0)
    assert tuple(int(word) for word in got) == expected


@pytest.mark.parametrize("name", BACKENDS)
def test_counter_and_key_are_laid_out_as_documented(name: str) -> None:
    seed, offset = 0x299F31D0A4093822, 0x0370734413198A2E
    got = backend(name).random_bits(shape=(44,), seed=seed, offset=offset)
    counters = np.array([[block, 0, 0x13198A2E, 0x03707344] for block in range(11)], np.uint32)
    np.testing.assert_array_equal(got, reference._philox(counters, (0xA4093822, 0x299F31D0)).reshape(-1))


def test_logarithm_sine_and_cosine(rng: np.random.Generator) -> None:
    for real, epsilon in ((np.float32, 2.0**-23), (np.float64, 2.0**-52)):
        x = np.exp(rng.uniform(-20, -1e-6, 20_000)).astype(real)
        exact = np.log(x.astype(np.longdouble))
        assert np.max(np.abs((reference._log(x) - exact) / exact)) < 2 * epsilon
        turn = rng.uniform(-0.5, 0.5, 20_000).astype(real)
        angle = turn.astype(np.longdouble) * (np.pi / 2)
        sine, cosine = reference._sin_cos(turn)
        assert np.max(np.abs(sine - np.sin(angle))) < epsilon
        assert np.max(np.abs(cosine - np.cos(angle))) < epsilon


def test_normal_is_box_muller_of_the_words() -> None:
    words = reference.random_bits(shape=(4000,), seed=3, offset=4).astype(np.float64)
    u, v = words[0::2] * 2.0**-32 + 2.0**-33, words[1::2] * 2.0**-32
    radius = np.sqrt(-2 * np.log(u))
    expected = np.stack([radius * np.cos(2 * np.pi * v), radius * np.sin(2 * np.pi * v)], axis=1).reshape(-1)
    got = reference.normal(shape=(4000,), seed=3, offset=4, dtype=dtypes.float32)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", dtypes.FLOATS, ids=str)
def test_distributions(dtype: np.dtype[Any]) -> None:
    """Kolmogorov-Smirnov over fixed streams: the numbers cannot change, so neither can the verdict."""
    stream = {"shape": (100_000,), "seed": 2011, "offset": 7, "dtype": dtypes.accumulator(dtype)}
    numbers = backend("numba_cpu")
    assert stats.kstest(numbers.uniform(**stream), "uniform").pvalue > 0.01
    assert stats.kstest(numbers.normal(**stream), "norm").pvalue > 0.01
    exact = numbers.uniform(**stream)
    rounded = numbers.uniform(**{**stream, "dtype": dtype}).astype(np.float64)
    assert rounded.min() >= 0.0
    assert rounded.max() < 1.0
    assert np.all(rounded <= exact)
    assert np.all(exact - rounded <= dtypes.epsilon(dtype) * exact + 1e-7)


@pytest.mark.parametrize("name", BACKENDS)
def test_uniform_never_leaves_its_interval(name: str) -> None:
    for dtype in dtypes.FLOATS:
        for low, high in ((-0.3, 1.7), (1.0, 1.0 + 4 * dtypes.epsilon(dtype)), (-2.0, -1.0)):
            x = backend(name).uniform(shape=(5000,), seed=1, offset=2, dtype=dtype, low=low, high=high)
            bottom, top = np.array([low, high]).astype(dtype)
            assert np.all(x >= bottom)
            assert np.all(x < top)


def test_randint_is_exact_and_uniform() -> None:
    low, high = -(2**62), 2**63 - 5
    words = reference.random_bits(shape=(200,), seed=5, offset=6)
    values = [int(a) << 32 | int(b) for a, b in zip(words[0::2], words[1::2], strict=True)]
    got = backend("numba_cpu").randint(shape=(100,), seed=5, offset=6, low=low, high=high)
    assert got.tolist() == [low + (value * (high - low) >> 64) for value in values]
    faces = backend("numba_cpu").randint(shape=(60_000,), seed=5, offset=6, low=1, high=7)
    assert stats.chisquare(np.bincount(faces, minlength=7)[1:]).pvalue > 0.01


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("n", [1, 2, 100, 5000])
def test_permutation_is_one_and_orders_the_keys(name: str, n: int) -> None:
    got = backend(name).permutation(n=n, seed=8, offset=9)
    assert sorted(got.tolist()) == list(range(n))
    words = reference.random_bits(shape=(2 * n,), seed=8, offset=9).astype(np.uint64)
    keys = (words[0::2] << np.uint64(32) | words[1::2])[got]
    assert np.all(keys[:-1] <= keys[1:])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_keeps_what_it_should(rng: np.random.Generator, p: float) -> None:
    x = rng.standard_normal(50_000).astype(np.float32)
    y = backend("numba_cpu").dropout(x, p=p, seed=1, offset=2)
    kept = y != 0
    assert stats.binomtest(int(kept.sum()), x.size, 1 - p).pvalue > 0.01
    np.testing.assert_allclose(y[kept], x[kept] / (1 - p), rtol=1e-6)
    words = reference.random_bits(shape=x.shape, seed=1, offset=2)
    np.testing.assert_array_equal(kept, words >= round(p * 2**32))
    gradient = backend("numba_cpu").dropout(np.ones_like(x), p=p, seed=1, offset=2)
    np.testing.assert_array_equal(gradient != 0, kept)


def test_streams_differ() -> None:
    a, b, c = (
        backend("numba_cpu").random_bits(shape=(1000,), seed=seed, offset=offset)
        for seed, offset in ((1, 0), (1, 1), (2, 0))
    )
    assert np.mean(a == b) < 0.01
    assert np.mean(a == c) < 0.01
