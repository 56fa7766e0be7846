"""Kernels and their launches in the simulator."""

from __future__ import annotations

import ctypes
import mmap
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from . import runtime, unit
from .arguments import Buffer, Parameter, convert
from .module import Build, Module, static_shared

GUARD = 64 * 1024
"""Bytes around each array in a checked launch: what is accessed there belongs to nobody."""


class Kernel:
    """One `__global__` function: `kernel[grid, block](arguments)` runs it, and returns when it has ended."""

    def __init__(self, module: Module, name: str, declaration: unit.Kernel) -> None:
        self.module = module
        self.name = self.symbol = name
        self.declaration = declaration
        self._builds: dict[bool, tuple[Build, runtime.KernelRecord, list[Parameter]]] = {}
        self._prepared(False)

    def _prepared(self, instrumented: bool) -> tuple[Build, runtime.KernelRecord, list[Parameter]]:
        if instrumented not in self._builds:
            build = self.module.build(self.symbol if self.declaration.template else None, instrumented)
            record = build.records[self.symbol]
            names = self.declaration.parameters
            parameters = [
                Parameter.read(record.arguments[i], names[i] if i < len(names) else "", i) for i in range(record.count)
            ]
            self._builds[instrumented] = build, record, parameters
        return self._builds[instrumented]

    def expanded(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """The values of a launch, one for each parameter of the compiled function."""
        return values

    def shapes(self, values: tuple[Any, ...]) -> dict[str, tuple[int, ...]]:
        """Shapes of arrays that the source indexes in several dimensions, by their parameters' names."""
        return {}

    @property
    def parameters(self) -> list[Parameter]:
        return self._prepared(False)[2]

    @property
    def static_shared(self) -> int:
        """Bytes of shared memory that a block has besides what its launch asks for."""
        build = self._prepared(False)[0]
        return static_shared(build.elf, self.module.sources.unit, self.declaration.name.split("::")[-1])

    @property
    def signature(self) -> str:
        return f"{self.name}({', '.join(str(p) for p in self.parameters)})"

    def __repr__(self) -> str:
        return f"<cuda kernel {self.signature}>"

    def __getitem__(self, config: Any) -> Callable[..., None]:
        """`kernel[grid, block]`, `kernel[grid, block, shared_bytes]`: integers or tuples of up to three."""
        geometry = read_config(self.name, config)

        def launch(*arguments: Any, schedule: int | None = None, timeout: float | None = None) -> None:
            """Runs the kernel. A `schedule` seed permutes blocks, warps and lanes; `timeout` is in seconds.

            Raises TypeError and ValueError for arguments that do not fit, LaunchError for what goes wrong within.
            """
            failure, _ = run(self, runtime.PLAIN, geometry, arguments, schedule, timeout)
            runtime.raise_failure(self.name, failure)

        return launch

    def __call__(self, *_: Any) -> None:
        raise TypeError(f"{self.name}: a kernel needs a launch configuration: kernel[grid, block](...)")


Geometry = tuple[tuple[int, int, int], tuple[int, int, int], int]


def read_config(name: str, config: Any) -> Geometry:
    """Grid, block and bytes of dynamic shared memory. A stream, if given, changes nothing: all runs in order."""
    if not isinstance(config, tuple) or not 2 <= len(config) <= 4:
        raise TypeError(f"{name}: expected kernel[grid, block] or kernel[grid, block, shared_bytes], got {config!r}")
    shared = config[2] if len(config) > 2 else 0
    try:
        size = operator.index(shared)
    except TypeError:
        raise TypeError(f"{name}: shared_bytes must be an integer, got {shared!r}") from None
    if size < 0:
        raise ValueError(f"{name}: shared_bytes (={size}) must not be negative")
    return _dim3(name, "grid", config[0]), _dim3(name, "block", config[1]), size


def _dim3(name: str, what: str, value: Any) -> tuple[int, int, int]:
    values = value if isinstance(value, tuple | list) else (value,)
    try:
        sizes = [operator.index(v) for v in values]
    except TypeError:
        raise TypeError(f"{name}: {what} must be an integer or a tuple of up to three, got {value!r}") from None
    if not 1 <= len(sizes) <= 3:
        raise ValueError(f"{name}: {what} must have one to three dimensions, got {value!r}")
    for size in sizes:
        if not 1 <= size < 2**31:
            raise ValueError(f"{name}: {what} (={value}) must be positive and below 2**31 in every dimension")
    sizes += [1] * (3 - len(sizes))
    return sizes[0], sizes[1], sizes[2]


def run(
    kernel: Kernel, mode: int, geometry: Geometry, values: tuple[Any, ...], schedule: int | None, timeout: float | None
) -> tuple[str | None, Build]:
    """One launch. Returns why it ended early, if it did."""
    build, record, parameters = kernel._prepared(mode != runtime.PLAIN)
    data, buffers = convert(kernel.name, parameters, kernel.expanded(values))
    grid, block, shared = geometry
    if record.max_threads and block[0] * block[1] * block[2] > record.max_threads:
        raise ValueError(
            f"{kernel.name}: block {block} has more threads than __launch_bounds__({record.max_threads}) allows"
        )
    cluster = [max(each, 1) for each in record.cluster]
    if cluster != [1, 1, 1] and kernel.module.sources.unit.shared:
        raise ValueError(
            f"{kernel.name}: the shared memory of a cluster must be dynamic (extern __shared__); static arrays such as "
            f"{next(iter(kernel.module.sources.unit.shared))} cannot be simulated there"
        )
    offsets, size = [], 0
    for parameter in parameters:
        size = -(-size // max(parameter.align, 1)) * max(parameter.align, 1)
        offsets.append(size)
        size += parameter.size
    storage = ctypes.create_string_buffer(size + 64)
    base = -(-ctypes.addressof(storage) // 64) * 64
    pointers = (ctypes.c_void_p * max(len(data), 1))(*[base + offset for offset in offsets])
    for offset, value in zip(offsets, data, strict=True):
        ctypes.memmove(base + offset, value, len(value))
    request = runtime.Request(
        record.entry, ctypes.addressof(pointers), ctypes.sizeof(pointers), base, size, grid, block,
        (ctypes.c_uint * 3)(*cluster), shared, mode,
        _seed(schedule), 1 if kernel.module.sources.unit.ordered else 0, kernel.name.encode(), build.handle,
    )  # fmt: skip
    with runtime.lock:
        places = Guarded(buffers) if mode != runtime.PLAIN else None
        try:
            for i, buffer in enumerate(buffers):
                address = places.addresses[i] if places else buffer.array.ctypes.data
                place = base + offsets[buffer.position] + buffer.offset
                ctypes.memmove(place, ctypes.byref(ctypes.c_void_p(address)), 8)
            failure = runtime.launch(request, timeout)
        finally:
            if places:
                places.copy_back()
            for buffer in buffers:
                if buffer.writable:
                    _written(buffer.array)
    return failure, build


def _seed(schedule: int | None) -> int:
    """The runtime takes 0 for "in order", so a seed of 0 is moved away from it."""
    if schedule is None:
        return 0
    return (operator.index(schedule) * 2 + 1) & 0xFFFFFFFFFFFFFFFF


class Guarded:
    """Copies of the arrays for a checked launch: aligned as cudaMalloc aligns, nothing of anybody's around them.

    Arrays that share memory still do: they are parts of one copy.
    """

    def __init__(self, buffers: list[Buffer]) -> None:
        self.addresses = [0] * len(buffers)
        self.parts: list[tuple[mmap.mmap, int, int, int, bool]] = []  # memory, its offset, original, bytes, writable
        spans = sorted(
            (b.array.ctypes.data, b.array.ctypes.data + b.array.nbytes, i) for i, b in enumerate(buffers)
        )  # fmt: skip
        at = 0
        while at < len(spans):
            low, high, first = spans[at]
            members = [first]
            at += 1
            while at < len(spans) and spans[at][0] < high:
                high = max(high, spans[at][1])
                members.append(spans[at][2])
                at += 1
            self._place(buffers, members, low, high)

    def _place(self, buffers: list[Buffer], members: list[int], low: int, high: int) -> None:
        first = buffers[members[0]]
        memory = mmap.mmap(-1, high - low + 2 * GUARD + 512)
        start = GUARD + (low - _owner(first.array)) % 256
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + start
        ctypes.memmove(address, low, high - low)
        names = ", ".join(dict.fromkeys(buffers[i].name for i in members))
        initialized = not any(_is_fresh(buffers[i].array) for i in members)
        runtime.library().pnsim_region_add(address, high - low, names.encode()[:63], first.element, initialized)
        self.parts.append((memory, address, low, high - low, any(buffers[i].writable for i in members)))
        for i in members:
            self.addresses[i] = address + buffers[i].array.ctypes.data - low

    def copy_back(self) -> None:
        for _, address, original, size, writable in self.parts:
            if writable:
                ctypes.memmove(original, address, size)
            runtime.library().pnsim_region_remove(address)


def _owner(array: np.ndarray[Any, Any]) -> int:
    """Where the memory begins that `array` is a view of."""
    base: Any = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    return int(base.ctypes.data)


class _Fresh(np.ndarray):  # type: ignore[type-arg]
    """An array that holds nothing until something is written to it; see `empty`."""

    fresh: bool

    def __array_finalize__(self, source: Any) -> None:
        self.fresh = getattr(source, "fresh", False)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        _written(self)


def empty(shape: int | tuple[int, ...], dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    """An array as cudaMalloc leaves it: `sanitize` reports a read of an element that nothing has written.

    Once a kernel had it to write to, or an element was assigned, all of it counts as written.
    """
    array = np.empty(shape, dtype).view(_Fresh)
    array.fresh = True
    return array


def _is_fresh(array: np.ndarray[Any, Any]) -> bool:
    return isinstance(array, _Fresh) and array.fresh


def _written(array: Any) -> None:
    """Also for the arrays that this one is a view of."""
    while isinstance(array, _Fresh):
        array.fresh = False
        array = array.base
