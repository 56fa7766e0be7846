"""The computations that are timed on a GPU, and who computes them: pyneural, PyTorch, CuPy (cuBLAS)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyneural.kernels import OPERATIONS, backend, dtypes

TOLERANCE = {"float32": 2e-5, "float16": 4e-3, "bfloat16": 3e-2}
"""Largest error relative to the largest element of the float64 result, of what is judged."""


@dataclass
class Race:
    """One computation.

    Attributes:
        name: the case, its sizes and dtype.
        operation: of the contracts.
        shapes: of the operands.
        dtype: theirs.
        part: what of the operands, and of the result, is judged by the float64 reference: whole ones take too long.
        attributes: keywords of the operation.
        torch: the same by PyTorch, given the operands.
        cupy: the same by CuPy, where it has it.
        flops, nbytes: of one call.
        integers: operand by number, and below what its whole numbers are.
    """

    name: str
    operation: str
    shapes: tuple[tuple[int, ...], ...]
    dtype: np.dtype[Any]
    part: tuple[Any, ...]
    torch: Callable[..., Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    cupy: Callable[..., Any] | None = None
    flops: float = 0.0
    nbytes: float = 0.0
    integers: dict[int, int] = field(default_factory=dict)

    def operands(self, seed: int) -> list[np.ndarray]:
        """Of the dtype, about 1 in size; weights of long sums smaller."""
        rng, arrays = np.random.default_rng(seed), []
        for number, shape in enumerate(self.shapes):
            if number in self.integers:
                arrays.append(rng.integers(0, self.integers[number], shape))
            else:
                arrays.append(rng.standard_normal(shape, np.float32).astype(self.dtype))
        return arrays

    def truth(self, operands: list[np.ndarray]) -> tuple[Any, np.ndarray]:
        """Where the result is judged, and the float64 reference there."""
        *parts, where = self.part
        cut = [np.asarray(x if part is None else x[part]) for x, part in zip(operands, parts, strict=True)]
        exact = [x if number in self.integers else x.astype(np.float64) for number, x in enumerate(cut)]
        result = getattr(backend("reference"), self.operation)(*exact, **self.attributes)
        return where, result[0] if isinstance(result, tuple) else result

    def own(self, kernels: Any) -> Callable[..., Any]:
        """By pyneural."""
        function = getattr(kernels, self.operation)
        assert self.operation in OPERATIONS

        def run(*operands: Any) -> Any:
            result = function(*operands, **self.attributes)
            return result[0] if isinstance(result, tuple) else result

        return run


def races(small: bool) -> list[Race]:
    """All, or (for a rehearsal) in sizes that a simulator can take."""
    import importlib.util

    functional: Any = None
    if importlib.util.find_spec("torch"):
        import torch
        import torch.nn.functional as functional_module

        functional = functional_module

        def matmul(a: Any, b: Any) -> Any:
            return torch.matmul(a, b)
    else:

        def matmul(a: Any, b: Any) -> Any:
            raise ImportError("torch")

    def cublas(a: Any, b: Any) -> Any:
        import cupy

        return cupy.matmul(a, b)

    halves = [each for each in (dtypes.float16, dtypes.bfloat16) if each is not None]
    found: list[Race] = []
    for dtype in (dtypes.float32, *halves):
        size = dtype.itemsize
        for m, n, k in [(48, 40, 33)] if small else [(4096, 4096, 4096), (8192, 8192, 8192), (1024, 1024, 1024),
                                                    (4095, 4097, 2049), (64, 4096, 4096)]:  # fmt: skip
            rows = slice(0, min(m, 32))
            found.append(Race(
                f"matmul {m}x{k} @ {k}x{n} {dtype}", "matmul", ((m, k), (k, n)), dtype, (rows, None, rows), matmul,
                cupy=cublas if dtype != dtypes.bfloat16 else None, flops=2.0 * m * n * k,
                nbytes=size * (m * k + k * n + m * n),
            ))  # fmt: skip
        for n, c, o, side, taps in [(2, 9, 8, 7, 3)] if small else [(32, 64, 64, 56, 3), (32, 256, 256, 14, 3),
                                                                    (32, 256, 64, 56, 1)]:  # fmt: skip
            pad, one = taps // 2, slice(0, 1)
            found.append(Race(
                f"conv2d {n}x{c}x{side}x{side}, {o} filters {taps}x{taps} {dtype}", "conv2d",
                ((n, c, side, side), (o, c, taps, taps)), dtype, (one, None, one),
                lambda x, w, pad=pad: functional.conv2d(x, w, padding=pad), {"padding": pad},
                flops=2.0 * n * o * side * side * c * taps * taps,
                nbytes=size * (n * side * side * (c + o) + o * c * taps * taps),
            ))  # fmt: skip
        rows, columns = (16, 100) if small else (16_384, 4096)
        few, count = slice(0, 16), rows * columns
        found.append(Race(
            f"softmax {rows}x{columns} {dtype}", "softmax", ((rows, columns),), dtype, (few, few),
            lambda x: functional.softmax(x, 1), {"dim": 1}, nbytes=2.0 * count * size,
        ))  # fmt: skip
        found.append(Race(
            f"layer_norm {rows}x{columns} {dtype}", "layer_norm", ((rows, columns), (columns,), (columns,)), dtype,
            (few, None, None, few), lambda x, w, b: functional.layer_norm(x, x.shape[-1:], w, b),
            {"normalized_shape": (columns,)}, nbytes=2.0 * count * size,
        ))  # fmt: skip
        found.append(Race(
            f"gelu {rows}x{columns} {dtype}", "gelu", ((rows, columns),), dtype, (few, few),
            lambda x: functional.gelu(x), nbytes=2.0 * count * size,
        ))  # fmt: skip
        found.append(Race(
            f"sum {rows}x{columns} by rows {dtype}", "sum", ((rows, columns),), dtype, (few, few), lambda x: x.sum(1),
            {"dim": 1}, nbytes=1.0 * count * size,
        ))  # fmt: skip
        if dtype != dtypes.float16:
            b, h, s, d = (1, 2, 20, 16) if small else (4, 16, 2048, 64)
            head = (slice(0, 1), slice(0, 1))
            found.append(Race(
                f"attention {b}x{h}x{s}x{d}, causal {dtype}", "scaled_dot_product_attention", ((b, h, s, d),) * 3,
                dtype, (head, head, head, head),
                lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=True),
                {"is_causal": True}, flops=2.0 * b * h * s * s * d, nbytes=4.0 * b * h * s * d * size,
            ))  # fmt: skip
    positions, classes = (12, 50) if small else (8192, 32_000)
    few = slice(0, min(positions, 64))
    found.append(Race(
        f"cross_entropy {positions}x{classes} float32", "cross_entropy", ((positions, classes), (positions,)),
        dtypes.float32, (few, few, few), lambda x, y: functional.cross_entropy(x, y, reduction="none"),
        nbytes=4.0 * positions * classes, integers={1: classes},
    ))  # fmt: skip
    table, length = (40, 24) if small else (50_000, 1024)
    places = 30 if small else 32_768
    found.append(Race(
        f"embedding {places} of {table}x{length} float32", "embedding", ((table, length), (places,)), dtypes.float32,
        (None, slice(0, 64), slice(0, 64)), lambda w, i: functional.embedding(i, w), nbytes=8.0 * places * length,
        integers={1: table},
    ))  # fmt: skip
    return found


def error(found: np.ndarray, truth: np.ndarray) -> float:
    """Relative to the largest element; infinite where shapes differ or a number is missing."""
    if found.shape != truth.shape or not np.isfinite(found).all():
        return math.inf
    return float(np.max(np.abs(found - truth), initial=0.0)) / (float(np.max(np.abs(truth), initial=0.0)) or 1.0)
