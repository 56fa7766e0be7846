"""Routines: compiled functions that are called by their address, from Python and from each other.

When one Numba function calls another, LLVM compiles the callee again inside of the caller. A `Routine`
is compiled once for each dtype, however many others call it; `parallel.run` calls it for the pieces of a
range, on this thread or on all.
"""

from __future__ import annotations

import array
import ctypes
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending
from numba.core import cgutils, types
from numba.np import numpy_support

from .jit import jit
from .parallel import emit_call
from .simd import CHOSEN

intrinsic: Any = extending.intrinsic  # its type would ask callers for the typing context

_WORD = ir.IntType(64)
_BYTES = ir.IntType(8).as_pointer()


class Routine(dict[Any, int]):
    """``routine[dtype]``: the address of the function compiled for ``dtype``, at its first use.

    Its first parameter is the dtype's scalar type (``kind(0)`` is a zero of it), all others are int64:
    numbers, and addresses of what else it needs. It returns nothing. Its strides are in bytes.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        super().__init__()
        self._function = function
        self._count = len(inspect.signature(function).parameters)
        self._dispatcher = jit(
            function,
            name=f"{function.__name__}_{CHOSEN.name}",
            no_cpython_wrapper=True,
            no_cfunc_wrapper=True,
        )

    def __missing__(self, dtype: np.dtype[Any]) -> int:
        kind: Any = types.NumberClass(numpy_support.from_dtype(dtype))
        signature = (kind, *[types.int64] * (self._count - 1))
        self._dispatcher.compile(signature)
        compiled = self._dispatcher.overloads[signature]
        address: int = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
        self[dtype] = address
        return address

    @functools.cached_property
    def inlined(self) -> Any:
        """The same function for compiled code that should contain it; ``kind`` may be a float there (see `zero`)."""
        return jit(self._function, inline=True)


@intrinsic  # type: ignore[untyped-decorator]
def zero(typing_context: Any, kind: Any) -> Any:
    """A zero of the scalar type ``kind``, or of the type of the float ``kind``."""
    result = kind.instance_type if isinstance(kind, types.NumberClass) else kind

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.get_constant(result, 0)

    return result(kind), emit


@intrinsic  # type: ignore[untyped-decorator]
def call(typing_context: Any, kind: Any, address: Any, *arguments: Any) -> Any:
    """Call the routine at ``address``, which was compiled for ``kind``, with integers."""
    given = types.StarArgTuple(arguments)  # type: ignore[no-untyped-call]

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        words = [
            context.cast(builder, value, each, types.int64)
            for value, each in zip(cgutils.unpack_tuple(builder, values[2]), arguments, strict=True)  # type: ignore[no-untyped-call]
        ]
        emit_call(builder, values[1], words)
        return context.get_dummy_value()

    return types.void(kind, types.int64, given), emit


@intrinsic  # type: ignore[untyped-decorator]
def fields(typing_context: Any, layout: Any, address: Any) -> Any:
    """The int64 table at ``address`` as a named tuple of the class ``layout``."""
    names = layout.instance_class._fields
    make: Any = types.NamedUniTuple
    result = make(types.int64, len(names), layout.instance_class)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        table = builder.inttoptr(values[1], _WORD.as_pointer())
        items = [builder.load(builder.gep(table, [ir.Constant(_WORD, i)])) for i in range(len(names))]
        return context.make_tuple(builder, result, items)

    return result(layout, types.int64), emit


@intrinsic  # type: ignore[untyped-decorator]
def word(typing_context: Any, address: Any, index: Any) -> Any:
    """Item ``index`` of the int64 table at ``address``."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(builder.gep(builder.inttoptr(values[0], _WORD.as_pointer()), [values[1]]))

    return types.int64(types.int64, types.int64), emit


@intrinsic  # type: ignore[untyped-decorator]
def put_word(typing_context: Any, address: Any, index: Any, value: Any) -> Any:
    """Set item ``index`` of the int64 table at ``address``."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], builder.gep(builder.inttoptr(values[0], _WORD.as_pointer()), [values[1]]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), emit


@intrinsic  # type: ignore[untyped-decorator]
def clear(typing_context: Any, address: Any, size: Any) -> Any:
    """Set ``size`` bytes from ``address`` on to zero."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = builder.inttoptr(values[0], _BYTES)
        cgutils.memset(builder, pointer, values[1], 0)  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@intrinsic  # type: ignore[untyped-decorator]
def copy(typing_context: Any, target: Any, source: Any, size: Any) -> Any:
    """Copy ``size`` bytes by the C library, which writes much of them past the caches; the two do not overlap."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        to, given = (builder.inttoptr(each, _BYTES) for each in values[:2])
        cgutils.raw_memcpy(builder, to, given, values[2], 1)  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), emit


@intrinsic  # type: ignore[untyped-decorator]
def span(typing_context: Any, kind: Any, address: Any, count: Any) -> Any:
    """The ``count`` contiguous items at ``address`` as a 1-D array, for loops that LLVM turns into vectors."""
    result: Any = types.Array(kind.instance_type, 1, "C")

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        made = context.make_array(result)(context, builder)
        item = context.get_data_type(result.dtype)
        size = ir.Constant(_WORD, context.get_abi_sizeof(item))
        context.populate_array(
            made,
            data=builder.inttoptr(values[1], item.as_pointer()),
            shape=cgutils.pack_array(builder, [values[2]]),  # type: ignore[no-untyped-call]
            strides=cgutils.pack_array(builder, [size]),  # type: ignore[no-untyped-call]
            itemsize=size,
            meminfo=None,
        )
        return made._getvalue()

    return result(kind, types.int64, types.int64), emit


def table(values: Iterable[int]) -> array.array[int]:
    """Integers as a routine reads them; `run` and `address` take such a table."""
    return array.array("q", values)


def address(values: array.array[int]) -> int:
    """Where a table's items lie."""
    return values.buffer_info()[0]


_read = ctypes.c_int64.from_address
_DATA = object.__basicsize__
"""Where NumPy's array object, a part of its binary interface, holds the address of the first item."""


def data(x: np.ndarray[Any, Any]) -> int:
    """Address of an array's first item, as ``array.ctypes.data``, which takes many times as long."""
    return _read(id(x) + _DATA).value
