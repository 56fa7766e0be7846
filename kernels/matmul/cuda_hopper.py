"""Launches of ``csrc/kernels/matmul_hopper.cu``: 16-bit products on GPUs of compute capability 9.0 (wgmma and TMA).

TMA can describe an operand whose first element and whose steps are multiples of 16 bytes, but for one dimension of step
1. Products of other operands, and those too small for a tile, are left to ``matmul.cu``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cuda_gemm import LEAST_SPLIT, MOST_SPLITS, architecture, multiprocessors
from ..cuda_launch import ACCESS, BLOCK, address, contiguous, empty, flat_grid, joined, launch, size, written
from ..cuda_memory import strided
from ..dtypes import bfloat16, float16, float32
from .contract import ACTIVATIONS

if TYPE_CHECKING:
    from pyneural.cuda import TensorMap

Array = Any

_STEP = 64  # inner places of a stage, and elements of a line of 128 bytes
_MOST = 2**31 - 1
_INSTANCES = ("kNone", "kRelu", "kGelu", "kGeluTanh", "kSilu", "kSigmoid", "kTanh")  # of `Activation` in math.cuh
_PROBLEM = np.dtype(
    [("count", "i8"), ("near", "i8"), *((name, "i4") for name in ("m", "n", "inner", "splits", "each")),
     ("a_step", "i4", (2,)), ("b_step", "i4", (2,)), ("by_tma", "i4")],
    align=True,
)  # fmt: skip


@dataclass(frozen=True)
class WgmmaTile:
    """A ``WgmmaTile`` of gemm_wgmma.cuh: its ``name`` in the kernels' source, columns, stages, blocks of a cluster."""

    name: str
    n: int
    stages: int
    blocks: int = 1
    m: int = 128
    threads: int = 384

    def count(self, m: int, n: int) -> int:
        """Tiles of an m by n result; a cluster's count as one."""
        return -(-m // (self.m * self.blocks)) * -(-n // self.n)

    @property
    def shared(self) -> int:
        """Bytes of shared memory: stages, results, bias, barriers."""
        return self.stages * (self.m + self.n) * _STEP * 2 + self.m * self.n * 2 + 2 * self.n * 4 + 2 * self.stages * 8


WIDE, SQUARE, PAIR = WgmmaTile("Wide", 256, 3), WgmmaTile("Square", 128, 4), WgmmaTile("Pair", 256, 3, 2)


@dataclass(frozen=True)
class _Operand:
    """An operand as TMA sees it: (far, near, lines, elements beside each other), size 1 where it is broadcast."""

    view: Array
    along: str

    @property
    def steps(self) -> tuple[int, int]:
        """Whether a product further along the near and the far batch dimension is one step here, or none."""
        return int(self.view.shape[1] > 1), int(self.view.shape[0] > 1)

    def tensor_map(self, outer: int) -> TensorMap:
        """Boxes of ``outer`` lines of 64 inner places, or of 64 places of 64 inner lines."""
        from pyneural import cuda

        lines = outer if self.along == "kAlongInner" else _STEP
        return cuda.tensor_map(self.view, (1, 1, lines, _STEP), swizzle=128)


@dataclass(frozen=True)
class Plan:
    """A product that this kernel can compute: its operands, and its batch as (far, near)."""

    a: _Operand
    b: _Operand
    batch: tuple[int, int]


def worth(m: int, n: int, inner: int, like: Array) -> bool:
    """Whether these kernels compute products of such sizes and the dtype and GPU of ``like``."""
    if like.dtype not in (float16, bfloat16) or architecture(like) != (9, 0):
        return False
    return min(m, n) > SQUARE.n // 2 and inner > 0 and max(m, n, inner) <= _MOST


def plan(a: Array, b: Array, batch: tuple[int, ...]) -> Plan | None:
    """How ``a @ b`` of (..., M, K) and (..., K, N), broadcast to ``batch``, can be computed here; None if it cannot."""
    m, inner, n = a.shape[-2], a.shape[-1], b.shape[-1]
    if not worth(m, n, inner, a) or size(batch) > _MOST:
        return None
    steps = [[0 if n == 1 else step for n, step in zip(x.shape[:-2], x.strides[:-2], strict=True)] for x in (a, b)]
    dims = joined(batch, steps)
    if len(dims) > 2:
        return None
    dims = [(1, [0, 0])] * (2 - len(dims)) + dims
    left = _operand(a, [(count, of[0]) for count, of in dims], (m, a.strides[-2]), (inner, a.strides[-1]))
    right = _operand(b, [(count, of[1]) for count, of in dims], (n, b.strides[-1]), (inner, b.strides[-2]))
    if left is None or right is None:
        return None
    return Plan(left, right, (dims[0][0], dims[1][0]))


def _operand(x: Array, batch: list[tuple[int, int]], outer: tuple[int, int], inner: tuple[int, int]) -> _Operand | None:
    """From (size, step in bytes) of each dimension; None where TMA cannot describe it."""
    along, beside, lines = "kAlongInner", inner, outer
    if inner[1] != x.itemsize or (inner[0] == 1 and outer[1] == x.itemsize):
        along, beside, lines = "kAlongOuter", outer, inner
    if beside[0] > 1 and beside[1] != x.itemsize:
        return None
    row = -(-beside[0] * x.itemsize // ACCESS) * ACCESS
    shape, strides = [], []
    for count, step in (*batch, lines):
        whole = (count, step) if count > 1 and step else (1, row)
        if count > 1 and not step and (count, step) == lines:
            return None  # one line for all: no matrix that TMA knows
        if whole[1] % ACCESS or not row <= whole[1] < 2**40:
            return None
        shape.append(whole[0])
        strides.append(whole[1])
    if address(x) % ACCESS:
        return None
    return _Operand(strided(x, (*shape, beside[0]), (*strides, x.itemsize)), along)


def tile_for(m: int, n: int, products: int, processors: int) -> WgmmaTile:
    """Wide tiles where there is one for every multiprocessor, in pairs where none would be half empty."""
    if n <= SQUARE.n or WIDE.count(m, n) * products < processors:
        return SQUARE
    return PAIR if -(-m // WIDE.m) % 2 == 0 else WIDE


def run(
    plan: Plan,
    bias: Array | None,
    activation: str | None,
    out: Array,
    tile: WgmmaTile | None = None,
    splits: int = 0,
    blocks: int = 0,
) -> None:
    """Compute a `plan` into ``out``; tile, splits of K and blocks are chosen by the sizes unless given."""
    m, n, products = out.shape[-2], out.shape[-1], size(plan.batch)
    inner = plan.a.view.shape[3 if plan.a.along == "kAlongInner" else 2]
    processors = multiprocessors(out)
    tile = tile or tile_for(m, n, products, processors)
    tiles = tile.count(m, n) * products
    splits = splits or max(1, min(processors // (tiles * tile.blocks), inner // LEAST_SPLIT, MOST_SPLITS))
    each = -(-inner // splits // _STEP) * _STEP
    splits = -(-inner // each)
    added = None if bias is None else contiguous(bias)
    with written(out) as result:
        by_tma = n * result.itemsize % ACCESS == 0 and address(result) % ACCESS == 0
        problem = np.zeros((), _PROBLEM)
        values = (
            products,
            plan.batch[1],
            m,
            n,
            inner,
            splits,
            each,
            plan.a.steps,
            plan.b.steps,
            by_tma and splits == 1,
        )
        for field, value in zip(_PROBLEM.names or (), values, strict=True):
            problem[field] = value
        maps = plan.a.tensor_map(tile.m), plan.b.tensor_map(tile.n // tile.blocks)
        store = maps[0]  # of no use where the kernel stores by itself
        if by_tma:
            from pyneural import cuda

            store = cuda.tensor_map(result.reshape(products, m, n), (1, tile.m // 2, _STEP), swizzle=128)
        partial = None if splits == 1 else empty((splits, *result.shape), float32, like=result)
        code = ACTIVATIONS.index(activation)
        instance = f"{tile.name}, {plan.a.along}, {plan.b.along}, {_INSTANCES[0 if splits > 1 else code]}"
        kernel = "matmul_hopper" if tile.blocks == 1 else "matmul_hopper_pair"
        grid = min(tiles * splits, (blocks or processors) // tile.blocks) * tile.blocks
        launch(
            "matmul_hopper", f"{kernel}<{instance}>", result.dtype, grid, tile.threads, problem[()], *maps, store,
            added if partial is None else None, partial, result, shared=tile.shared,
        )  # fmt: skip
        if partial is not None:
            launch(
                "matmul", "matmul_sum", result.dtype, flat_grid(result.size), BLOCK, partial, splits, result.size, n,
                added, code, result,
            )  # fmt: skip
