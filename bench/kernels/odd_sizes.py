"""Calls of sizes for which launchers have kernels of their own, and which neither samples nor large calls have.

They are launched on paper only, to note down which kernels there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from pyneural.kernels import OPERATIONS, Operation, Sample, dtypes

DType = np.dtype[Any]


def calls(names: Collection[str]) -> Iterator[tuple[Operation, Sample]]:
    """The calls of some operations for every floating dtype, of arrays full of zeros."""
    for dtype in dtypes.FLOATS:
        for walk in (_reductions, _norms, _pools, _attention):
            for name, sample in walk(dtype):
                if name in names:
                    yield OPERATIONS[name], sample


def _reductions(dtype: DType) -> Iterator[tuple[str, Sample]]:
    """Rows and columns, whole and in chunks."""
    for shape, dim in (((3, 20_011), 1), ((200, 1_500), 1), ((9_001, 37), 0), ((131, 40, 33), 1), ((2, 5_000, 33), 1)):
        for name in ("sum", "mean", "prod", "amax", "amin", "any", "all"):
            yield name, Sample((np.zeros(shape, dtype),), {"dim": dim})


def _norms(dtype: DType) -> Iterator[tuple[str, Sample]]:
    """Rows that fill no whole accesses, and rows that no block holds."""
    kept = dtypes.accumulator(dtype)
    for n in (511, 1_001, 9_001, 16_388, 40_003, 40_008):
        x, weight, statistic = np.zeros((2, n), dtype), np.zeros(n, dtype), np.zeros(2, kept)
        attributes = {"normalized_shape": n, "eps": 1e-5}
        yield "layer_norm", Sample((x, weight, weight), attributes)
        yield "rms_norm", Sample((x, weight), attributes)
        yield "layer_norm_backward", Sample((x, x, weight, statistic, statistic))
        yield "rms_norm_backward", Sample((x, x, weight, statistic))


def _pools(dtype: DType) -> Iterator[tuple[str, Sample]]:
    """Windows of a warp, and windows that span more of an image than a block holds."""
    x, wide = np.zeros((2, 2, 31, 29), dtype), np.zeros((1, 1, 90, 100), dtype)
    for attributes in ({"kernel_size": 11, "padding": 5, "stride": 3}, {"kernel_size": (31, 29)}, {"kernel_size": 6}):
        yield "max_pool2d", Sample((x,), attributes)
        yield "avg_pool2d", Sample((x,), attributes)
    yield "max_pool2d", Sample((wide,), {"kernel_size": 2, "dilation": 70})
    yield "avg_pool2d", Sample((np.zeros((1, 1, 3, 20_000), dtype),), {"kernel_size": 2})
    attributes = {"stride": 1, "padding": 0, "ceil_mode": False, "count_include_pad": True, "divisor_override": None}
    grad = np.zeros((1, 1, 61, 61), dtype)
    yield "avg_pool2d_backward", Sample((grad,), {"input_size": (120, 120), "kernel_size": 60, **attributes})
    yield "unfold", Sample((np.zeros((1, 1, 3, 9_001), dtype),), {"kernel_size": 2})


def _attention(dtype: DType) -> Iterator[tuple[str, Sample]]:
    """More features than tensor cores take, and fewer values."""
    query, value = np.zeros((2, 70, 136), dtype), np.zeros((2, 70, 24), dtype)
    yield "scaled_dot_product_attention", Sample((query, query, value), {"is_causal": False})
