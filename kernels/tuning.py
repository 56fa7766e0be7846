"""Blocks and tiles that a search on this machine found best (``pyneural tune``): a small JSON.

Launchers read it at first use. It lies beside the compiled kernels and holds the winner of each class of shapes, for
each processor with its number of threads and for each GPU. A processor's blocks decide which thread computes what and
in which order tiles come, never a result. A GPU's tile decides besides into how many parts a long sum is cut: the last
bits of a product may differ from those of another tile.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pathlib
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from pyneural.cuda.toolchain import cache_folder


class Blocking(NamedTuple):
    """The largest block of a product's result that one task computes."""

    rows: int
    columns: int


class Tiling(NamedTuple):
    """The tile, by its name, in which a GPU computes a product."""

    tile: str


MATMUL = Blocking(512, 2048)
"""Where nothing was tuned: a block's strips of ``a``, `gemm.DEPTH` deep, fill a quarter or half of a second cache."""

_forced: list[Blocking] = []


def path() -> pathlib.Path:
    """Where the winners are kept."""
    return cache_folder().parent / "tuned.json"


@functools.cache
def _processor() -> str:
    import llvmlite.binding

    from .simd import CHOSEN

    return f"{llvmlite.binding.get_host_cpu_name()} {CHOSEN.name}"


def _classes(m: int, n: int, k: int) -> str:
    """Sizes count by the powers of two that they reach."""
    return "x".join(str(1 << max(each - 1, 0).bit_length()) for each in (m, n, k))


@functools.lru_cache(maxsize=1024)
def key(m: int, n: int, k: int, dtype: np.dtype[Any], threads: int) -> str:
    """Of the winner for such a product."""
    return f"{_processor()} {threads} threads, matmul {_classes(m, n, k)} {dtype.name}"


@functools.lru_cache(maxsize=1024)
def tile_key(card: str, m: int, n: int, k: int, dtype: np.dtype[Any], precision: str) -> str:
    """Of the winner for such a product on a GPU; ``precision`` as `set_float32_matmul_precision` takes it."""
    computed = "" if precision == "highest" else f" {precision}"
    return f"{card}, matmul {_classes(m, n, k)} {dtype.name}{computed}"


def tile(key: str) -> str | None:
    """The tile's name that is kept for a GPU's product; None where none is."""
    found = _kept().get(key)
    return found.tile if isinstance(found, Tiling) else None


def matmul(m: int, n: int, k: int, dtype: np.dtype[Any], threads: int) -> Blocking:
    """The blocking for a product of (m, k) and (k, n)."""
    if _forced:
        return _forced[-1]
    kept = _kept()
    found = kept.get(key(m, n, k, dtype, threads)) if kept else None
    return found if isinstance(found, Blocking) else MATMUL


@functools.cache
def _kept() -> dict[str, Blocking | Tiling]:
    """Read at the first product, and after `store`."""
    return load(path())


def load(file: pathlib.Path) -> dict[str, Blocking | Tiling]:
    """The winners by `key`; a file that is not what `store` writes is warned of and not used."""
    try:
        text = file.read_text()
    except FileNotFoundError:
        return {}
    try:
        return {name: _checked(winner) for name, winner in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError) as error:
        warnings.warn(f"{file} is not used, delete it or run `pyneural tune` again: {error}", stacklevel=2)
        return {}


def _checked(value: Any) -> Blocking | Tiling:
    if "tile" in value:
        tiling = Tiling(**value)
        if not isinstance(tiling.tile, str):
            raise ValueError(f"a tile must be a name, not {value}")
        return tiling
    blocking = Blocking(**value)
    if not all(type(each) is int and each > 0 for each in blocking):
        raise ValueError(f"blocks must be positive integers, not {value}")
    return blocking


def store(found: Mapping[str, Blocking | Tiling]) -> None:
    """Add winners to the file; whoever reads it meanwhile sees the old one or the new one."""
    file = path()
    kept = {**load(file), **found}
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, suffix=".json", delete=False) as new:
        json.dump({name: winner._asdict() for name, winner in sorted(kept.items())}, new, indent=1)
        new.write("\n")
    os.replace(new.name, file)
    _kept.cache_clear()


@contextlib.contextmanager
def forced(blocking: Blocking) -> Iterator[None]:
    """Let every product use ``blocking`` inside the ``with`` block."""
    _forced.append(blocking)
    try:
        yield
    finally:
        _forced.pop()
