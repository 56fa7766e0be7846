"""Blocks that were tuned: the file, who reads it, and that they change no result."""

from __future__ import annotations

import pathlib
from typing import Any

import numba
import numpy as np
import pytest

from pyneural.kernels import backend, tuning
from pyneural.kernels.matmul import gemm, numba_cpu

F32 = np.dtype("float32")
SIZE = 300


@pytest.fixture
def kept(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A cache folder of one's own, in which no file of blocks is."""
    monkeypatch.setattr(tuning, "cache_folder", lambda: tmp_path / "numba")
    tuning._kept.cache_clear()
    yield tmp_path / "tuned.json"
    tuning._kept.cache_clear()


def _blocks(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> tuple[int, int]:
    """What a product's launcher asks for."""
    asked = []
    plan = gemm.parallel_plan
    monkeypatch.setattr(gemm, "parallel_plan", lambda *arguments: (asked.append(arguments[-1]), plan(*arguments))[1])
    numba_cpu._layout.cache_clear()  # which has those of a block that was asked for before
    a = rng.standard_normal((SIZE, SIZE), np.float32)
    backend("numba_cpu").matmul(a, a)
    (block,) = asked
    return tuple(block)


def test_without_a_file_nothing_is_tuned(
    kept: pathlib.Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    assert _blocks(monkeypatch, rng) == tuning.MATMUL
    assert not kept.exists()


def test_the_launcher_reads_what_was_stored(
    kept: pathlib.Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    threads = numba.get_num_threads()
    name = tuning.key(SIZE, SIZE, SIZE, F32, threads)
    assert "matmul 512x512x512 float32" in name
    assert f"{threads} threads" in name
    assert _blocks(monkeypatch, rng) == tuning.MATMUL  # read before the file was there
    tuning.store({name: tuning.Blocking(64, 96)})
    assert _blocks(monkeypatch, rng) == (64, 96)
    assert tuning.matmul(SIZE, SIZE, SIZE, np.dtype("float64"), threads) == tuning.MATMUL
    assert tuning.matmul(SIZE, SIZE, 2 * SIZE, F32, threads) == tuning.MATMUL
    assert tuning.matmul(SIZE, SIZE, SIZE, F32, threads + 1) == tuning.MATMUL
    with tuning.forced(tuning.Blocking(32, 32)):
        assert _blocks(monkeypatch, rng) == (32, 32)


def test_what_is_stored_joins_what_is_there(kept: pathlib.Path) -> None:
    tuning.store({"a": tuning.Blocking(1, 2), "b": tuning.Blocking(3, 4)})
    tuning.store({"b": tuning.Blocking(5, 6)})
    assert tuning.load(kept) == {"a": (1, 2), "b": (5, 6)}
    assert [path.name for path in kept.parent.iterdir()] == ["tuned.json"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"a": 3}',
        '{"a": {"rows": 0, "columns": 4}}',
        '{"a": {"rows": 1.5, "columns": 4}}',
        '{"a": {"x": 1}}',
    ],
)
def test_a_broken_file_is_warned_of_and_not_used(
    text: str, kept: pathlib.Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    kept.write_text(text)
    with pytest.warns(UserWarning, match=r"tuned\.json is not used, delete it or run `pyneural tune` again"):
        assert _blocks(monkeypatch, rng) == tuning.MATMUL
    assert _blocks(monkeypatch, rng) == tuning.MATMUL  # once is enough


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_blocks_change_no_bit(dtype: str, rng: np.random.Generator) -> None:
    m, k, n = (int(each) for each in rng.integers(150, 400, size=3))
    a, b = (rng.standard_normal(shape).astype(dtype) for shape in ((m, k), (k, n)))
    matmul = backend("numba_cpu").matmul
    with tuning.forced(tuning.MATMUL):
        expected = matmul(a, b)
    for _ in range(6):
        rows, columns = (int(each) for each in rng.integers(1, 500, size=2))
        with tuning.forced(tuning.Blocking(rows, columns)):
            assert np.array_equal(matmul(a, b), expected), (m, k, n, rows, columns)
