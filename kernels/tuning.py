"""Blocks that a search on this machine found best (``pyneural tune``): a small JSON that launchers read at first use.

It lies beside the compiled kernels and holds, for each processor with its number of threads, the winner of each
class of shapes. Blocks decide which thread computes what and in which order tiles come, never a result.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pathlib
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import llvmlite.binding
import numpy as np

from .jit import cache_folder
from .simd import CHOSEN


class Blocking(NamedTuple):
    """The largest block of a product's result that one task computes."""

    rows: int
    columns: int


MATMUL = Blocking(256, 512)
"""Where nothing was tuned: a block's strips of ``a`` fill a quarter of a second cache."""

_forced: list[Blocking] = []


def path() -> pathlib.Path:
    """Where the winners are kept."""
    return cache_folder().parent / "tuned.json"


@functools.cache
def _processor() -> str:
    return f"{llvmlite.binding.get_host_cpu_name()} {CHOSEN.name}"


@functools.lru_cache(maxsize=1024)
def key(m: int, n: int, k: int, dtype: np.dtype[Any], threads: int) -> str:
    """Of the winner for such a product: sizes count by the powers of two that they reach."""
    classes = "x".join(str(1 << (each - 1).bit_length()) for each in (m, n, k))
    return f"{_processor()} {threads} threads, matmul {classes} {dtype.name}"


def matmul(m: int, n: int, k: int, dtype: np.dtype[Any], threads: int) -> Blocking:
    """The blocking for a product of (m, k) and (k, n)."""
    if _forced:
        return _forced[-1]
    kept = _kept()
    return kept.get(key(m, n, k, dtype, threads), MATMUL) if kept else MATMUL


@functools.cache
def _kept() -> dict[str, Blocking]:
    """Read at the first product, and after `store`."""
    return load(path())


def load(file: pathlib.Path) -> dict[str, Blocking]:
    """The winners by `key`; a file that is not what `store` writes is warned of and not used."""
    try:
        text = file.read_text()
    except FileNotFoundError:
        return {}
    try:
        return {name: _checked(blocking) for name, blocking in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError) as error:
        warnings.warn(f"{file} is not used, delete it or run `pyneural tune` again: {error}", stacklevel=2)
        return {}


def _checked(value: Any) -> Blocking:
    blocking = Blocking(**value)
    if not all(type(each) is int and each > 0 for each in blocking):
        raise ValueError(f"blocks must be positive integers, not {value}")
    return blocking


def store(found: dict[str, Blocking]) -> None:
    """Add winners to the file; whoever reads it meanwhile sees the old one or the new one."""
    file = path()
    kept = load(file) | found
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, suffix=".json", delete=False) as new:
        json.dump({name: blocking._asdict() for name, blocking in sorted(kept.items())}, new, indent=1)
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
