"""What the launchers of all CUDA kernels share: modules, memory, layouts, launches.

Sources lie in ``csrc/kernels``. One that computes on elements is compiled for each dtype at its first
use, with ``PYNEURAL_ELEMENT`` as the C type. Kernels take contiguous memory; what has strides is walked
through by a `layout`, or copied by a kernel first.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .cuda_memory import address, empty, is_gpu, on_device_of, place, strided

if TYPE_CHECKING:
    from pyneural.cuda import Report

__all__ = [
    "ACCESS", "BLOCK", "DIVIDER", "ENOUGH", "ITEMS", "MAX_DIMS", "MOST_BLOCKS", "SHORT_ROW", "WARP", "Launch",
    "address", "binary", "bits", "blocks", "contiguous", "copy", "divider", "element_option", "empty", "flat_grid",
    "flat_memory", "held", "joined", "launch", "launched_by", "layout", "layout_of", "planes",
    "planes_in_place", "rows_of", "sanitized", "size", "threads_for", "unary", "written",
]  # fmt: skip

Array = Any
DType = np.dtype[Any]

BLOCK = 256  # threads, of kernels with no reason for another number
ITEMS = 4  # elements a thread, so that a wide access has something to fetch
MOST_BLOCKS = 65_535
WARP = 32
SHORT_ROW = 1024  # elements: a row that one warp reduces
MAX_DIMS = 16  # kMaxDims of layout.cuh
ACCESS = 16  # bytes of the widest access
ENOUGH = 528  # blocks that fill a GPU: four on each multiprocessor of an H100

_SIDE = 32  # kSide of move.cu
_LEAST_SIDE = 8  # of a plane that is worth a tile of that

DIVIDER = np.dtype([("divisor", "u4"), ("multiplier", "u4"), ("shift", "u4")])
"""``Divider`` of divide.cuh."""

_C_TYPES = {
    "float64": "double", "float32": "float", "float16": "__half", "bfloat16": "__nv_bfloat16", "int64": "long long",
    "int32": "int", "int16": "short", "int8": "signed char", "uint8": "unsigned char", "bool": "bool",
}  # fmt: skip
_BITS = {1: np.dtype("uint8"), 2: np.dtype("uint16"), 4: np.dtype("uint32"), 8: np.dtype("uint64")}

_sanitizing: list[tuple[int | None, list[Report]]] = []


class Launch(NamedTuple):
    """A launch: which kernel instance, its geometry (dynamic shared memory in bytes), its arguments."""

    source: str
    name: str
    dtype: DType | None
    grid: Any
    block: Any
    shared: int
    arguments: tuple[Any, ...]

    def simulated(self) -> Any:
        """The kernel, compiled for the simulator."""
        return _kernel(self.source, self.name, self.dtype, "simulator")


_runners: list[Callable[[Launch], None]] = []


def element_option(dtype: DType | None) -> list[str]:
    """The compiler's options that tell a source its element type; none for a source that has none."""
    return [] if dtype is None else [f"-DPYNEURAL_ELEMENT={_C_TYPES[dtype.name]}"]


@functools.cache
def _module(source: str, dtype: DType | None, target: str) -> Any:
    from pyneural import csrc, cuda

    path = f"{next(iter(csrc.__path__))}/kernels/{source}.cu"
    return cuda.compile(path, target, options=element_option(dtype))


@functools.cache
def _kernel(source: str, name: str, dtype: DType | None, target: str) -> Any:
    return _module(source, dtype, target)[name]


def _arrays(arguments: tuple[Any, ...]) -> Iterator[Array]:
    """The arrays among a kernel's arguments, those in structs too; scalars of NumPy's are none."""
    for each in arguments:
        if isinstance(each, np.ndarray) or is_gpu(each):
            yield each
        elif hasattr(each, "arrays"):
            yield from each.arrays.values()


def launch(
    source: str, name: str, dtype: DType | None, grid: Any, block: Any, *arguments: Any, shared: int = 0
) -> None:
    """Run the kernel ``name`` of ``csrc/kernels/<source>.cu`` for elements of ``dtype``.

    ``shared`` is its dynamic shared memory in bytes.

    It runs where its arrays are: in the simulator for NumPy's, else on their GPU and CuPy's current stream, without
    waiting for the end.

    Raises TypeError where arrays of NumPy's and CuPy's are mixed, ValueError where they are on several GPUs.
    """
    if _runners:
        _runners[-1](Launch(source, name, dtype, grid, block, shared, arguments))
        return
    array = place(name, _arrays(arguments))
    if not isinstance(array, np.ndarray):
        if _sanitizing:
            raise TypeError(f"{name}: only launches in the simulator can be sanitized, and its arrays are on a GPU")
        with on_device_of(array):
            _kernel(source, name, dtype, "gpu")[grid, block, shared](*arguments)
        return
    kernel = _kernel(source, name, dtype, "simulator")
    if not _sanitizing:
        kernel[grid, block, shared](*arguments)
        return
    from pyneural import cuda

    schedule, reports = _sanitizing[-1]
    reports.append(cuda.sanitize(kernel, schedule=schedule, timeout=60.0)[grid, block, shared](*arguments))


@contextmanager
def launched_by(runner: Callable[[Launch], None]) -> Iterator[None]:
    """Hand every launch inside the ``with`` block to ``runner``, which runs it, counts it, or only notes it down."""
    _runners.append(runner)
    try:
        yield
    finally:
        _runners.pop()


@contextmanager
def sanitized(schedule: int | None = None) -> Iterator[list[Report]]:
    """Check every launch inside the ``with`` block by `pyneural.cuda.sanitize`; the reports fill the list."""
    _sanitizing.append((schedule, []))
    try:
        yield _sanitizing[-1][1]
    finally:
        _sanitizing.pop()


def blocks(count: int, each: int) -> int:
    """Blocks for ``count`` things, ``each`` a block; kernels stride over what is beyond the grid's limit."""
    return max(1, min(-(-count // each), MOST_BLOCKS))


def flat_grid(count: int) -> int:
    """Blocks of `BLOCK` threads for ``count`` elements."""
    return blocks(count, BLOCK * ITEMS)


def flat_memory(x: Array) -> tuple[Array, int, tuple[int, ...]]:
    """All memory between the first and last element of ``x``, the place of its first, and its strides in elements."""
    if x.flags.c_contiguous:
        return x, 0, tuple(step // x.itemsize for step in x.strides)
    if any(step % x.itemsize for n, step in zip(x.shape, x.strides, strict=True) if n > 1):
        return flat_memory(contiguous(x))
    steps = tuple(step // x.itemsize if n > 1 else 0 for n, step in zip(x.shape, x.strides, strict=True))
    behind = sum((n - 1) * -step for n, step in zip(x.shape, steps, strict=True) if step < 0)
    reach = sum((n - 1) * abs(step) for n, step in zip(x.shape, steps, strict=True))
    lowest = x[tuple(slice(None, None, -1 if step < 0 else 1) for step in steps)]
    return strided(lowest, (reach + 1,), (x.itemsize,)), behind, steps


@functools.cache
def _layout_dtype(arrays: int) -> DType:
    fields: list[Any] = [("ndim", "i8"), ("start", "i8", (arrays,)), ("shape", "i8", (MAX_DIMS,))]
    return np.dtype([*fields, ("stride", "i8", (arrays, MAX_DIMS))])


def joined(shape: Sequence[int], strides: Sequence[Sequence[int]]) -> list[tuple[int, list[int]]]:
    """The dimensions of arrays that are broadcast to ``shape``, as few as can be: size, and the step of each array.

    ``strides`` are each array's for its own trailing dimensions; broadcast dimensions have 0.
    """
    aligned = [[0] * (len(shape) - len(steps)) + list(steps) for steps in strides]
    dims: list[tuple[int, list[int]]] = []
    for d, n in enumerate(shape):
        steps = [each[d] for each in aligned]
        if n == 1:
            continue
        if dims and all(outer == step * n for outer, step in zip(dims[-1][1], steps, strict=True)):
            dims[-1] = dims[-1][0] * n, steps
        else:
            dims.append((n, steps))
    return dims


def layout(
    operation: str, shape: tuple[int, ...], starts: Sequence[int], strides: Sequence[tuple[int, ...]]
) -> tuple[Any, bool]:
    """The ``Layout`` of arrays that are broadcast to ``shape``, and whether all are contiguous as they are.

    ``strides`` are in elements, for each array's own trailing dimensions; broadcast dimensions have 0.
    """
    dims = joined(shape, strides)
    if len(dims) > MAX_DIMS:
        raise ValueError(f"{operation}: strides that need {len(dims)} dimensions, more than {MAX_DIMS}")
    plain = not any(starts) and (not dims or (len(dims) == 1 and all(step == 1 for step in dims[0][1])))
    record = np.zeros((), _layout_dtype(len(strides)))
    record["start"] = starts
    if not plain:
        # One element is one dimension of 1, for 0 stands for contiguous.
        record["ndim"] = max(len(dims), 1)
        record["shape"] = 1
        for d, (n, steps) in enumerate(dims):
            record["shape"][d] = n
            record["stride"][:, d] = steps
    return record[()], plain


def layout_of(operation: str, shape: tuple[int, ...], *arrays: Array) -> tuple[Any, list[Array]]:
    """The layout of arrays broadcast to ``shape``, and the memory of each."""
    flat, starts, strides = [], [], []
    for each in arrays:
        memory_of, start, steps = flat_memory(each)
        flat.append(memory_of)
        starts.append(start)
        strides.append(tuple(0 if n == 1 else step for n, step in zip(each.shape, steps, strict=True)))
    return layout(operation, shape, starts, strides)[0], flat


def divider(number: int) -> Any:
    """The ``Divider`` by ``number``, 1 to 2^31 - 1."""
    shift = (number - 1).bit_length()
    multiplier = ((1 << 32) * ((1 << shift) - number)) // number + 1
    return np.array((number, multiplier, shift), DIVIDER)[()]


def bits(x: Array) -> Array:
    """The same memory as unsigned integers of the elements' size."""
    return x.view(_BITS[x.itemsize])


def copy(source: Array, target: Array) -> None:
    """Write ``source`` into ``target`` of the same shape and dtype, whatever the strides of either."""
    if source.size == 0:
        return
    whole = (x.strides[d] % x.itemsize == 0 for x in (source, target) for d in range(x.ndim) if x.shape[d] > 1)
    if not all(whole):  # fields of a record: byte by byte
        source, target = (x[..., None].view(np.uint8) for x in (source, target))
    at, (x, out) = layout_of("copy", source.shape, source, target)
    if (turn := _turned(at)) is not None:
        planes, count, rows, columns, *steps = turn
        grid = blocks(count * -(-rows // _SIDE) * -(-columns // _SIDE), 1)
        arguments = (planes, count, bits(x), bits(out), rows, columns, *steps)
        launch("move", f"transpose_{x.itemsize}", None, grid, (_SIDE, BLOCK // _SIDE), *arguments)
        return
    launch("move", f"copy_{x.itemsize}", None, flat_grid(source.size), BLOCK, at, bits(x), bits(out), source.size)


def fill(out: Array, value: Any) -> None:
    """Write one number everywhere; OverflowError where the dtype cannot hold it."""
    if out.size == 0:
        return
    pattern = int.from_bytes(np.array(value, out.dtype).tobytes(), "little")
    with written(out) as result:
        launch("move", f"fill_{out.itemsize}", None, flat_grid(out.size), BLOCK, bits(result), out.size, pattern)


def _turned(at: Any) -> tuple[Any, int, int, int, int, int] | None:
    """A copy's layout as planes that are transposed: their layout, how many, rows, columns, and steps of x and out.

    None where elements that are neighbours in one array are so in the other too, or in none.
    """
    dims = int(at["ndim"])
    (by_x, by_out), shape = at["stride"][:, :dims].tolist(), at["shape"][:dims].tolist()
    row, column = (next((d for d in range(dims) if steps[d] == 1), -1) for steps in (by_x, by_out))
    if min(row, column) < 0 or row == column or min(shape[row], shape[column]) < _LEAST_SIDE:
        return None
    kept = [d for d in range(dims) if d not in (row, column)]
    planes = np.zeros((), at.dtype)
    planes["start"], planes["ndim"], planes["shape"] = at["start"], max(len(kept), 1), 1
    for number, d in enumerate(kept):
        planes["shape"][number], planes["stride"][:, number] = shape[d], at["stride"][:, d]
    count = math.prod(shape[d] for d in kept)
    return planes[()], count, shape[row], shape[column], by_x[column], by_out[row]


def contiguous(x: Array) -> Array:
    """``x`` itself where it is C-contiguous, else a copy that is."""
    if x.flags.c_contiguous:
        return x
    result = empty(x.shape, x.dtype, like=x)
    copy(x, result)
    return result


@contextmanager
def written(out: Array) -> Iterator[Array]:
    """``out``, or contiguous memory that is copied into it at the end of the ``with`` block."""
    if out.flags.c_contiguous:
        yield out
        return
    result = empty(out.shape, out.dtype, like=out)
    yield result
    copy(result, out)


def unary(source: str, name: str, x: Array, out: Array, *attributes: Any) -> None:
    """``out = op(x)``, element by element."""
    if out.size:
        with written(out) as result:
            launch(source, name, x.dtype, flat_grid(x.size), BLOCK, contiguous(x), result, x.size, *attributes)


def binary(source: str, name: str, a: Array, b: Array, out: Array, *attributes: Any) -> None:
    """``out = op(a, b)``, element by element, of arrays that broadcast to the shape of ``out``."""
    if out.size:
        with written(out) as result:
            at, (x, y) = layout_of(name, out.shape, a, b)
            launch(source, name, a.dtype, flat_grid(out.size), BLOCK, at, x, y, result, out.size, *attributes)


def size(shape: Sequence[int]) -> int:
    """The number of elements of a shape."""
    return math.prod(shape)


def planes_in_place(x: Array, dims: tuple[int, ...]) -> tuple[int, int, int] | None:
    """(outer, n, inner) of ``x`` with n reduced; None where its layout does not allow that."""
    many = [d for d in dims if x.shape[d] != 1]
    if not x.flags.c_contiguous or many != list(range(many[0], many[-1] + 1) if many else []):
        return None
    first, last = (many[0], many[-1] + 1) if many else (x.ndim, x.ndim)
    return size(x.shape[:first]), size(x.shape[first:last]), size(x.shape[last:])


def planes(x: Array, dims: tuple[int, ...]) -> tuple[Array, int, int, int]:
    """``x`` as contiguous (outer, n, inner) with n reduced; copied where its layout does not allow that."""
    if (lies := planes_in_place(x, dims)) is not None:
        return x, *lies
    kept = [d for d in range(x.ndim) if d not in dims]
    n = size([x.shape[d] for d in dims])
    return contiguous(x.transpose(*kept, *dims)), x.size // max(n, 1), n, 1


def rows_of(x: Array, dims: tuple[int, ...]) -> tuple[Array, int, int]:
    """``x`` as contiguous (rows, n) with ``dims`` in n; a copy where its layout is another."""
    flat, outer, n, inner = planes(x, dims)
    if inner == 1:
        return flat, outer, n
    kept = [d for d in range(x.ndim) if d not in dims]
    return contiguous(x.transpose(*kept, *dims)), outer * inner, n


def held(dtype: DType, arrays: int = 1) -> int:
    """Elements of a row or column of each of ``arrays`` that a thread keeps in registers: kItems of the sources."""
    return (8 if dtype.itemsize == 8 else 16) // arrays


def threads_for(n: int) -> int:
    """Threads of a block that takes a row."""
    return WARP if n <= SHORT_ROW // 4 else BLOCK
