"""How a reduction over any dimensions becomes one over a (outer, reduced, inner, reduced) array."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import check

Array = Any

RUN = 16_384  # elements of one part
HEIGHT = 128  # rows of one part of columns


@dataclass(frozen=True)
class Plan:
    """The array in the order ``order`` of its dimensions is C-contiguous of shape (outer, rows, inner, run).

    Rows and runs are reduced. Where only one of the two is needed it is the runs if nothing kept
    follows, else the rows.

    Attributes:
        order: permutation of the dimensions, or None for the given one.
        kept: sizes of the result's dimensions in ``order``, and the permutation that sorts them; None
            where the kept dimensions are in order.
    """

    order: tuple[int, ...] | None
    kept: tuple[tuple[int, ...], tuple[int, ...]] | None
    outer: int
    rows: int
    inner: int
    run: int


@functools.lru_cache(maxsize=1024)
def plan(shape: tuple[int, ...], strides: tuple[int, ...], contiguous: bool, dims: tuple[int, ...]) -> Plan:
    """The `Plan` of reducing ``dims``. Dimensions are taken in the order of memory, where that saves a copy."""
    order = list(range(len(shape)))
    if not contiguous:
        order.sort(key=lambda d: -strides[d])
    groups = _groups(shape, dims, order)
    if len(groups) > 4 or (len(groups) == 4 and groups[0][0]):
        order = [d for d in order if d not in dims] + [d for d in order if d in dims]
        groups = _groups(shape, dims, order)
    # A missing group has size one: kept, reduced, kept, reduced.
    sizes = [1, 1, 1, 1]
    if len(groups) == 1 and groups[0][0]:
        sizes[3] = groups[0][1]
    elif len(groups) == 2 and groups[1][0]:
        sizes[0], sizes[3] = groups[0][1], groups[1][1]
    else:
        first = 1 if groups and groups[0][0] else 0
        for position, (_, size) in enumerate(groups):
            sizes[first + position] = size
    kept = [d for d in order if d not in dims]
    inverse = tuple(int(position) for position in np.argsort(kept)) if kept else ()
    return Plan(
        None if order == sorted(order) else tuple(order),
        None if kept == sorted(kept) else (tuple(shape[d] for d in kept), inverse),
        *sizes,
    )


@dataclass(frozen=True)
class Launch:
    """How a kernel is called for a contiguous array.

    Attributes:
        columns: whether by columns, else by rows.
        rows, inner, run, height: the kernel's parameters.
        partial: accumulators that it needs as scratch.
        count: elements that are reduced into one.
    """

    columns: bool
    rows: int
    inner: int
    run: int
    height: int
    partial: int
    count: int


def launch(layout: Plan, results: int, count: int) -> Launch:
    """The `Launch` of a plan with so many results."""
    rows, inner, run = layout.rows, layout.inner, layout.run
    if run == 1 and inner > 1:
        return Launch(True, rows, inner, run, 0, layout.outer * -(-rows // HEIGHT) * inner, count)
    height = max(RUN // run, 1)
    return Launch(False, rows, inner, run, height, results * -(-rows // height) * -(-run // RUN), count)


@functools.lru_cache(maxsize=1024)
def direct(shape: tuple[int, ...], dim: Any) -> Launch | None:
    """The `Launch` for a contiguous array that is not empty; None where its dimensions must change places."""
    dims = check.dims("reduce", dim, len(shape))
    layout = plan(shape, (), True, dims)
    if layout.order is not None:
        return None
    return launch(layout, math.prod(check.reduced_shape(shape, dims, False)), count(shape, dims))


def _groups(shape: tuple[int, ...], dims: tuple[int, ...], order: list[int]) -> list[tuple[bool, int]]:
    """Neighbouring dimensions of one kind merged: (whether reduced, size). Sizes of one disappear."""
    groups: list[tuple[bool, int]] = []
    for d in order:
        reduced = d in dims
        if shape[d] == 1:
            continue
        if groups and groups[-1][0] == reduced:
            groups[-1] = (reduced, groups[-1][1] * shape[d])
        else:
            groups.append((reduced, shape[d]))
    return groups


def flat(x: Array, order: tuple[int, ...] | None) -> Array:
    """x as a C-contiguous 1-D array, its dimensions in ``order``; a copy only where memory has another order."""
    if order is not None:
        x = x.transpose(order)
    return np.ascontiguousarray(x).reshape(-1)


def count(shape: tuple[int, ...], dims: tuple[int, ...]) -> int:
    """How many elements are reduced into one."""
    return math.prod([shape[d] for d in dims])
