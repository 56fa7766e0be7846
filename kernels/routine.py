"""Routines: compiled functions that are called by their address, from Python and from each other.

When one Numba function calls another, LLVM compiles the callee again inside of the caller. A `Routine`
is compiled once for each dtype, however many others call it, and `run` calls it for the pieces of a
range, on this thread or on all, through one loop that is compiled once for the whole package.
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
from numba import extending, prange
from numba.core import cgutils, types
from numba.np import numpy_support

from .jit import jit
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


def _emit_call(builder: Any, address: Any, words: list[Any]) -> None:
    """Call by Numba's own convention: first come places for a result, here None, and for an error, here never."""
    function = ir.FunctionType(ir.IntType(32), [_BYTES.as_pointer(), _BYTES, _BYTES, *[_WORD] * len(words)])
    result = cgutils.alloca_once(builder, _BYTES)  # type: ignore[no-untyped-call]
    nothing = ir.Constant(_BYTES, None)
    builder.call(builder.inttoptr(address, function.as_pointer()), [result, nothing, nothing, *words])


@intrinsic  # type: ignore[untyped-decorator]
def call(typing_context: Any, kind: Any, address: Any, *arguments: Any) -> Any:
    """Call the routine at ``address``, which was compiled for ``kind``, with integers."""
    given = types.StarArgTuple(arguments)  # type: ignore[no-untyped-call]

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        words = [
            context.cast(builder, value, each, types.int64)
            for value, each in zip(cgutils.unpack_tuple(builder, values[2]), arguments, strict=True)  # type: ignore[no-untyped-call]
        ]
        _emit_call(builder, values[1], words)
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


@intrinsic  # type: ignore[untyped-decorator]
def _piece(typing_context: Any, routine: Any, arguments: Any, start: Any, stop: Any) -> Any:
    """Call a routine whose kind nobody here knows."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        _emit_call(builder, values[0], values[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), emit


@jit(parallel=True)  # type: ignore[untyped-decorator]
def _run(routine: int, arguments: int, count: int, piece: int) -> None:
    if count <= piece:
        _piece(routine, arguments, 0, count)
    else:
        for i in prange((count + piece - 1) // piece):
            _piece(routine, arguments, i * piece, min((i + 1) * piece, count))


def table(values: Iterable[int]) -> array.array[int]:
    """Integers as a routine reads them; `run` and `address` take such a table."""
    return array.array("q", values)


def address(values: array.array[int]) -> int:
    """Where a table's items lie."""
    return values.buffer_info()[0]


def run(routine: int, arguments: Iterable[int], count: int, piece: int) -> None:
    """Call ``routine(kind, arguments, start, stop)`` for consecutive pieces of ``range(count)`` on all threads.

    ``routine`` is an address, ``arguments`` becomes an int64 table, of which the routine gets the address
    (see `fields`). One piece is called on this thread, more go out to all threads, neighbours to one.
    The caller keeps alive what the addresses among the arguments lead to.
    """
    values = array.array("q", arguments)
    _run(routine, values.buffer_info()[0], count, piece)


_read = ctypes.c_int64.from_address
_DATA = object.__basicsize__
"""Where NumPy's array object, a part of its binary interface, holds the address of the first item."""


def data(x: np.ndarray[Any, Any]) -> int:
    """Address of an array's first item, as ``array.ctypes.data``, which takes many times as long."""
    return _read(id(x) + _DATA).value
