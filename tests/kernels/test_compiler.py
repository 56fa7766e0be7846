"""What is compiled, and what is not, when kernels call each other."""

from __future__ import annotations

import pathlib
from typing import Any

import llvmlite.binding
import numpy as np
import pytest

from pyneural.kernels.jit import jit
from pyneural.kernels.parallel import each, share, spread


def _make() -> tuple[Any, Any]:
    @jit(name="inner_of_a_test")  # type: ignore[untyped-decorator]
    def inner(x: Any, count: int) -> Any:
        return x * count

    @jit(name="outer_of_a_test")  # type: ignore[untyped-decorator]
    def outer(x: Any, count: int) -> Any:
        return inner(x, 2) + inner(x, count)

    return inner, outer


@pytest.fixture
def cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv("PYNEURAL_CACHE_DIR", str(tmp_path))
    return tmp_path


def _cached(folder: pathlib.Path, name: str) -> bool:
    return any(name in path.name for path in folder.rglob("*.nbc"))


def test_a_constant_is_no_other_signature(cache: pathlib.Path) -> None:
    inner, outer = _make()
    assert outer(1.5, 3) == 7.5
    assert len(inner.overloads) == 1


def test_a_part_is_not_cached_and_python_can_call_it_after_all(cache: pathlib.Path) -> None:
    inner, outer = _make()
    assert outer(1.5, 3) == 7.5
    assert _cached(cache, "outer_of_a_test")
    assert not _cached(cache, "inner_of_a_test")
    assert inner(1.5, 3) == 4.5
    assert _cached(cache, "inner_of_a_test")
    assert outer(2.0, 1) == 6.0


def test_from_the_cache(cache: pathlib.Path) -> None:
    for hits in (0, 1):
        _, outer = _make()
        assert outer(1.5, 3) == 7.5
        assert sum(outer.stats.cache_hits.values()) == hits


def test_two_processes_save_at_one_moment(cache: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one process writes its first file, another compiles and saves the kernel for a second signature."""
    first, second, third = (_make()[1] for _ in range(3))
    files = type(first._cache._cache_file)
    opened, waiting = files._open_for_write, [second]

    def open_late(self: Any, path: str) -> Any:
        if waiting:
            assert waiting.pop()(np.ones(3, np.float32), 3).dtype == np.float32
        return opened(self, path)

    monkeypatch.setattr(files, "_open_for_write", open_late)
    assert first(np.ones(3), 3).dtype == np.float64
    assert not waiting
    assert third(np.ones(3), 3).dtype == np.float64
    assert third(np.ones(3, np.float32), 3).dtype == np.float32
    assert sum(third.stats.cache_hits.values()) == 2


def test_flushed(cache: pathlib.Path) -> None:
    _, outer = _make()
    assert outer(1.5, 3) == 7.5
    outer._cache.flush()
    assert not _cached(cache, "outer_of_a_test")


@jit(name="add_index_of_a_test", inline=True)  # type: ignore[untyped-decorator]
def _add_index(i: int, x: Any, out: Any, scale: float) -> None:
    out[i] = x[i] + scale * i


@jit(name="add_indices_of_a_test", inline=True)  # type: ignore[untyped-decorator]
def _add_indices(arguments: Any, start: int, stop: int) -> None:
    (x, out), scale = arguments
    for i in range(start, stop):
        out[i] = x[i] + scale * i


@jit(name="each_of_a_test")  # type: ignore[untyped-decorator]
def _by_each(x: Any, out: Any, scale: float, piece: int) -> None:
    each(_add_index, (x, out, scale), x.size, piece)


@jit(name="spread_of_a_test")  # type: ignore[untyped-decorator]
def _by_spread(x: Any, out: Any, scale: float, piece: int) -> None:
    spread(_add_indices, ((x, out), scale), x.size, piece)


@pytest.mark.parametrize("kernel", [_by_each, _by_spread])
@pytest.mark.parametrize(("count", "piece"), [(0, 1), (1, 1), (7, 7), (7, 2), (10_007, 64)])
def test_every_task_is_called_once(kernel: Any, count: int, piece: int) -> None:
    x = np.linspace(0, 1, count)
    out = np.full(count, np.nan)
    kernel(x, out, 0.5, piece)
    np.testing.assert_array_equal(out, x + 0.5 * np.arange(count))


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [(5, 100, 5), (0, 0, 0), (1000, 1 << 20, 3), (2, 1 << 20, 1), (1 << 20, 1 << 20, 4096)],
)
def test_share(count: int, size: int, expected: int) -> None:
    assert share.py_func(count, size) == expected


def test_loops_use_the_widest_vectors(cache: pathlib.Path) -> None:
    @jit(name="doubling_of_a_test")  # type: ignore[untyped-decorator]
    def doubling(x: Any, out: Any) -> None:
        for i in range(x.shape[0]):
            out[i] = x[i] + x[i]

    x = np.ones(100, np.float32)
    doubling(x, x)
    (code,) = doubling.inspect_asm().values()
    assert ("zmm" in code) == llvmlite.binding.get_host_cpu_features().get("avx512f", False)
