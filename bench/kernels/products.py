"""Calls of every operation that arithmetic bounds: matrix products, convolutions, attention, in all sizes of tiles.

They are launched on paper only, to note down which kernels there are.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np

from pyneural.kernels import OPERATIONS, Operation, Sample, dtypes
from pyneural.kernels.matmul.contract import ACTIVATIONS

DType = np.dtype[Any]

_SIDES = (4224, 4096, 2049, 2048, 512, 200, 65, 24)
"""Of the results of products: what fills a GPU with the largest tiles, with smaller ones, and with none."""


def calls(names: Collection[str], kinds: Iterable[DType]) -> Iterator[tuple[Operation, Sample]]:
    """The calls of some operations for some dtypes, of arrays full of zeros."""
    for dtype in kinds:
        for name, sample in itertools.chain(_products(dtype), _convolutions(dtype), _attention(dtype)):
            if name in names:
                yield OPERATIONS[name], sample


def _products(dtype: DType) -> Iterator[tuple[str, Sample]]:
    for n in _SIDES:
        for batch in ((), (2,)):
            a, b = np.zeros((*batch, n, n), dtype), np.zeros((*batch, n, n), dtype)
            for left in (a, a.swapaxes(-1, -2)):
                for right in (b, b.swapaxes(-1, -2)):
                    yield "matmul", Sample((left, right))
        for activation in ACTIVATIONS:
            x, weight = np.zeros((n, 256), dtype), np.zeros((n, 256), dtype)
            for rows in (x, np.zeros((256, n), dtype).T):
                for columns in (weight, np.zeros((256, n), dtype).T):
                    yield "linear", Sample((rows, columns, np.zeros(n, dtype)), {"activation": activation})
    yield "matmul", Sample((np.zeros((128, 65_536), dtype), np.zeros((65_536, 128), dtype)))  # thin: K is split
    yield "matmul", Sample((np.zeros((4096, 4096), dtype), np.zeros(4096, dtype)))


def _convolutions(dtype: DType) -> Iterator[tuple[str, Sample]]:
    for dims, suffix, side in ((2, "2d", 56), (3, "3d", 14)):
        for inputs, outputs, taps, stride, groups in (
            (64, 128, 3, 1, 1), (64, 128, 3, 2, 1), (256, 256, 1, 1, 1), (3, 64, 7, 2, 1), (64, 64, 3, 1, 64),
            (64, 64, 3, 1, 4), (512, 1024, 3, 1, 1), (512, 1024, 3, 2, 1),
        ):  # fmt: skip
            padding = taps // 2
            x = np.zeros((16, inputs, *(side,) * dims), dtype)
            weight = np.zeros((outputs, inputs // groups, *(taps,) * dims), dtype)
            steps: dict[str, Any] = {"stride": (stride,) * dims, "padding": (padding,) * dims, "dilation": (1,) * dims}
            steps["groups"] = groups
            yield f"conv{suffix}", Sample((x, weight, np.zeros(outputs, dtype)), {**steps, "activation": "relu"})
            result = (side + 2 * padding - taps) // stride + 1
            grad = np.zeros((16, outputs, *(result,) * dims), dtype)
            yield f"conv{suffix}_dgrad", Sample((grad, weight), {"input_size": (side,) * dims, **steps})
            yield f"conv{suffix}_wgrad", Sample((grad, x), {"kernel_size": (taps,) * dims, **steps})


def _attention(dtype: DType) -> Iterator[tuple[str, Sample]]:
    name = "scaled_dot_product_attention"
    for features in (32, 64, 128, 256):
        q = np.zeros((2, 4, 256, features), dtype)
        sums = np.zeros(q.shape[:-1], dtypes.accumulator(dtype))
        for causal in (False, True):
            yield name, Sample((q, q, q), {"is_causal": causal})
            yield f"{name}_backward", Sample((q, q, q, q, q, sums), {"is_causal": causal})
