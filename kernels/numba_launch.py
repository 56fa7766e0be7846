"""What the kernels of the backend ``numba_cuda`` share: Numba's CUDA target, launches, layouts, mathematics.

Kernels run on a GPU for arrays of CuPy's. For arrays of NumPy's they run in Numba's CUDA simulator, which must be
chosen before Numba is imported first: ``NUMBA_ENABLE_CUDASIM=1``. Each of its threads is one of the operating
system's, so blocks and grids are small there. It knows no warps: blocks reduce in shared memory.
"""

from __future__ import annotations

import functools
import math
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda as _cuda

from .cuda_launch import bits, flat_memory, joined, planes_in_place, size
from .cuda_memory import empty, is_array, is_gpu, on_device_of, place
from .dtypes import accumulator

__all__ = [
    "MAX_DIMS", "THREADS", "Dims", "Kernel", "Launch", "broadcast_layout", "contiguous", "copy", "copy_strided",
    "cosine", "cuda", "device", "erfc", "exponential", "exponential_m1", "flat", "flat_grid", "given",
    "hyperbolic_tangent", "kernel", "larger", "launched_by", "logarithm", "logarithm_1p", "nothing", "offset",
    "padded_dims", "planes", "power", "real_of", "rounded_product", "row_grid", "simulated", "sine", "smaller",
    "square_root", "strided_memory", "threads", "written",
]  # fmt: skip

Array = Any
Dims = tuple[int, ...]

MAX_DIMS = 8  # of a layout, after dimensions that lie behind one another were joined


def simulated() -> bool:
    """Whether Numba's CUDA simulator stands in for a GPU."""
    return bool(numba.config.ENABLE_CUDASIM)  # type: ignore[attr-defined]


def threads(gpu: int = 256, simulator: int = 8) -> int:
    """A block's threads: a number for GPUs, another for the simulator."""
    return simulator if simulated() else gpu


THREADS = threads()
_MOST_BLOCKS = 2 if simulated() else 4096

# A small grid is no reason for a warning: arrays are small at times.
numba.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # type: ignore[attr-defined]


class _SimulatedShared:
    """Shared memory of simulated blocks. Numba's own hands two arrays out for one where threads ask at once."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def array(self, shape: Any, dtype: Any) -> np.ndarray:
        frame = sys._getframe(1)
        with _allocating:
            arrays = self._context.__dict__.setdefault("pyneural_shared", {})
            return arrays.setdefault((frame.f_code, frame.f_lineno), np.empty(shape, dtype))  # type: ignore[no-any-return]


class _SimulatedCuda:
    """``cuda`` inside simulated kernels and the functions that they call, whichever modules these are in."""

    def __getattr__(self, name: str) -> Any:
        from numba.cuda.simulator import kernel

        context = kernel._get_kernel_context()  # type: ignore[no-untyped-call]
        return _SimulatedShared(context) if name == "shared" else getattr(context, name)


_allocating = threading.Lock()
cuda: Any = _SimulatedCuda() if simulated() else _cuda
"""``numba.cuda`` as kernels name it."""


class Launch(NamedTuple):
    """A launch: which kernel, its geometry, its arguments."""

    kernel: Kernel
    grid: Any
    block: Any
    arguments: tuple[Any, ...]


_runners: list[Callable[[Launch], None]] = []


@contextmanager
def launched_by(runner: Callable[[Launch], None]) -> Iterator[None]:
    """Hand every launch inside the ``with`` block to ``runner``, which runs it, compiles it, or only notes it down."""
    _runners.append(runner)
    try:
        yield
    finally:
        _runners.pop()


def _shielded(function: Callable[..., None]) -> Callable[..., None]:
    """``function`` without NumPy's warnings, as a GPU has none, in the same module's names."""

    errstate = np.errstate

    def call(*arguments: Any) -> None:
        with errstate(all="ignore"):
            function(*arguments)

    # The simulator looks for ``cuda`` among the globals of what it runs.
    shielded = types.FunctionType(call.__code__, function.__globals__, function.__name__, None, call.__closure__)
    return functools.update_wrapper(shielded, function)


class Kernel:
    """A Python function as a CUDA kernel: ``kernel[grid, block](*arguments)``.

    Arguments are arrays, numbers, and tuples of ints. It runs where its arrays are, on a GPU on CuPy's current
    stream, without waiting for the end.

    Raises TypeError for arrays of NumPy's without the simulator, or mixed with CuPy's; ValueError for several GPUs.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function
        self.name = function.__name__
        self._compiled: Any = None

    def __getitem__(self, geometry: tuple[Any, Any]) -> Callable[..., None]:
        grid, block = geometry

        def run(*arguments: Any) -> None:
            if _runners:
                _runners[-1](Launch(self, grid, block, arguments))
            else:
                self._launch(grid, block, arguments)

        return run

    def _launch(self, grid: Any, block: Any, arguments: tuple[Any, ...]) -> None:
        array = place(self.name, filter(is_array, arguments))
        if isinstance(array, np.ndarray):
            if not simulated():
                raise TypeError(
                    f"{self.name}: got an array of NumPy's of shape {array.shape}, on which 'numba_cuda' computes in "
                    "Numba's simulator only: set NUMBA_ENABLE_CUDASIM=1 before Numba is imported first"
                )
            if self._compiled is None:
                self._compiled = _cuda.jit(_shielded(self.function))  # type: ignore[no-untyped-call]
            from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

            # As they are: the simulator would compute on copies, and write those of inputs back as well.
            fake: Any = FakeCUDAArray
            held = [fake(each) if isinstance(each, np.ndarray) else each for each in arguments]
            self._compiled[grid, block](*held)
            return
        if simulated():
            raise TypeError(
                f"{self.name}: got an array of a GPU of shape {array.shape} while Numba's simulator is on: "
                "unset NUMBA_ENABLE_CUDASIM"
            )
        import cupy

        if self._compiled is None:
            self._compiled = _cuda.jit(self.function)  # type: ignore[no-untyped-call]
        with on_device_of(array), _cuda.gpus[array.data.device_id]:
            stream = _cuda.external_stream(cupy.cuda.get_current_stream().ptr)
            wrapped: Any = _cuda.as_cuda_array
            held = [wrapped(each, sync=False) if is_gpu(each) else each for each in arguments]
            self._compiled[grid, block, stream](*held)


def kernel(function: Callable[..., None]) -> Kernel:
    """A function as a `Kernel`, which is compiled at its first launch for each set of argument types."""
    return Kernel(function)


def device(function: Callable[..., Any]) -> Any:
    """A function that kernels call."""
    # The simulator runs it as it is: by its own decorator, threads would exchange each other's globals.
    return function if simulated() else _cuda.jit(function, device=True)  # type: ignore[no-untyped-call]


@device
def smaller(a: int, b: int) -> int:
    """The builtin min, which Numba 0.68 does not compile for GPUs."""
    return a if a < b else b


@device
def larger(a: int, b: int) -> int:
    """The builtin max."""
    return a if a > b else b


# The simulator's numbers are NumPy's, whose functions return infinity and NaN where Python's raise.
exponential = np.exp if simulated() else math.exp
exponential_m1 = np.expm1 if simulated() else math.expm1
logarithm = np.log if simulated() else math.log
logarithm_1p = np.log1p if simulated() else math.log1p
square_root = np.sqrt if simulated() else math.sqrt
hyperbolic_tangent = np.tanh if simulated() else math.tanh
sine = np.sin if simulated() else math.sin
cosine = np.cos if simulated() else math.cos
power = np.float_power if simulated() else math.pow
erfc = math.erfc


@functools.cache
def rounded_product(real: Any) -> Any:
    """A product in float32 or float64 that is rounded before anything is added to it."""
    if simulated():
        return np.multiply
    from numba.cuda import libdevice

    return libdevice.dmul_rn if real is np.float64 else libdevice.fmul_rn


def real_of(dtype: np.dtype[Any]) -> Any:
    """The scalar type that elements of a floating dtype are computed in: float32 for float16, else its own."""
    return accumulator(dtype).type


def flat(x: Array) -> Array:
    """The elements of ``x`` in C order as one dimension: its own memory where that is contiguous, else a copy."""
    return contiguous(x).reshape(-1)


def flat_grid(count: int) -> tuple[int, int]:
    """Blocks and threads for ``count`` elements; kernels stride over what is beyond."""
    return max(1, min(-(-count // THREADS), _MOST_BLOCKS)), THREADS


def row_grid(rows: int) -> tuple[int, int]:
    """Blocks and threads for rows that a block takes one after the other."""
    return max(1, min(rows, _MOST_BLOCKS)), THREADS


def strided_memory(x: Array) -> tuple[Array, int, Dims]:
    """All memory of ``x`` as one dimension, the place of its first element, its strides in elements; 0 for sides of 1.

    An array whose strides are no multiples of an element is copied first.
    """
    if any(step % x.itemsize for n, step in zip(x.shape, x.strides, strict=True) if n > 1):
        x = contiguous(x)
    memory_of, start, steps = flat_memory(x)
    return memory_of.reshape(-1), start, tuple(0 if n == 1 else step for n, step in zip(x.shape, steps, strict=True))


def padded_dims(operation: str, shape: Sequence[int], *strides: Sequence[int]) -> tuple[Dims, list[Dims]]:
    """The shape with dimensions joined where all strides allow it, and those strides, in front of both ones and zeros.

    ``strides`` are each for its array's own trailing dimensions. Raises ValueError for more than `MAX_DIMS` dimensions.
    """
    dims = joined(shape, strides)
    if len(dims) > MAX_DIMS:
        raise ValueError(f"{operation}: strides that need {len(dims)} dimensions, more than {MAX_DIMS}")
    missing = MAX_DIMS - len(dims)
    steps = [(0,) * missing + tuple(each[number] for _, each in dims) for number in range(len(strides))]
    return (1,) * missing + tuple(n for n, _ in dims), steps


def broadcast_layout(operation: str, shape: Sequence[int], *arrays: Array) -> tuple[Any, ...]:
    """`padded_dims` of arrays that are broadcast to ``shape``, and each one's memory, start and strides."""
    parts = [strided_memory(each) for each in arrays]
    dims, strides = padded_dims(operation, shape, *(steps for _, _, steps in parts))
    return dims, *(
        value
        for (memory_of, start, _), steps in zip(parts, strides, strict=True)
        for value in (memory_of, start, steps)
    )


def nothing(like: Array) -> Array:
    """One element of memory, for a kernel's argument that it does not read."""
    return empty((1,), like.dtype, like=like)


def given(array: Array | None, other: Array) -> tuple[Array, bool]:
    """An array's elements, or ``other`` that a kernel is told not to read."""
    return (other, False) if array is None else (flat(array), True)


@device
def offset(i: int, shape: Any, steps: Any) -> Any:
    """Where element ``i`` in C order lies."""
    at = 0
    for each in range(MAX_DIMS):
        d = MAX_DIMS - 1 - each
        at += (i % shape[d]) * steps[d]
        i //= shape[d]
    return at


@kernel
def copy_strided(shape: Any, x: Array, start: int, steps: Any, out: Array, to: int, out_steps: Any, count: int) -> None:
    for i in range(cuda.grid(1), count, cuda.gridsize(1)):
        out[to + offset(i, shape, out_steps)] = x[start + offset(i, shape, steps)]


def copy(source: Array, target: Array) -> None:
    """Write ``source`` into ``target`` of the same shape and dtype, whatever the strides of either."""
    if source.size == 0:
        return
    if any(step % x.itemsize for x in (source, target) for n, step in zip(x.shape, x.strides, strict=True) if n > 1):
        source, target = (x[..., None].view(np.uint8) for x in (source, target))  # fields of a record: byte by byte
    # As bits: a copy is to keep those of every NaN.
    arguments = broadcast_layout("copy", source.shape, bits(source), bits(target))
    copy_strided[flat_grid(source.size)](*arguments, source.size)


def contiguous(x: Array) -> Array:
    """``x`` itself where it is C-contiguous, else a copy that is."""
    if x.flags.c_contiguous:
        return x
    result = empty(x.shape, x.dtype, like=x)
    copy(x, result)
    return result


@contextmanager
def written(out: Array) -> Iterator[Array]:
    """``out`` as one dimension, or contiguous memory that is copied into it at the end of the ``with`` block."""
    if out.flags.c_contiguous:
        yield out.reshape(-1)
        return
    result = empty(out.shape, out.dtype, like=out)
    yield result.reshape(-1)
    copy(result, out)


def planes(x: Array, dims: tuple[int, ...]) -> tuple[Array, int, int, int]:
    """``x`` flat as rows of ``dims``: how many, how long, and how far apart a row's elements lie (`numba_rows`).

    Copied where its layout does not allow that.
    """
    if (lies := planes_in_place(x, dims)) is not None:
        outer, n, inner = lies
        return x.reshape(-1), outer * inner, n, inner
    kept = [d for d in range(x.ndim) if d not in dims]
    rows, n = (size([x.shape[d] for d in each]) for each in (kept, dims))
    return flat(x.transpose(*kept, *dims)), rows, n, 1
