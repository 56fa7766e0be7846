"""Kernels that take arrays of any number of dimensions, called without Numba's dispatcher.

A dispatcher looks up each argument's type and copies each array's description, which costs a tiny call
more than its work does; and it compiles again for each number of dimensions. An `Entry` is chosen by
dtype alone, its kernel gets the arrays as they are, and reads their data pointer and shape itself, from
the part of NumPy's array object that extension modules are compiled against.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending
from numba.core import cgutils, types
from numba.np import numpy_support

from .jit import jit
from .vector import intrinsic

# Their own annotations, where they have any, fit no use of them.
_cgutils: Any = cgutils
_register_model: Any = extending.register_model
_unbox: Any = extending.unbox
_Type: Any = types.Type
_PrimitiveModel: Any = extending.models.PrimitiveModel
_NativeValue: Any = extending.NativeValue

_WORD = ir.IntType(64)
_INT = ir.IntType(32)
_BYTE = ir.IntType(8)

# After the object's head come: char *data; int nd; npy_intp *dimensions, *strides; PyObject *base, *descr; int flags.
_HEAD: int = object.__basicsize__
_TYPE = _HEAD - 8
_DATA, _NDIM, _DIMENSIONS, _FLAGS = (_HEAD + offset for offset in (0, 8, 16, 48))
_STRIDES = _DIMENSIONS + 8
_CONTIGUOUS, _WRITEABLE = 0x1, 0x400


class Handle(_Type):  # type: ignore[misc]
    """A Python object as it is; ``dtype`` is the Numba type of its elements if it turns out to be an array."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(name=f"Handle({dtype})")


@_register_model(Handle)  # type: ignore[untyped-decorator]
class _HandleModel(_PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, type: Any) -> None:
        super().__init__(manager, type, _WORD)


@_unbox(Handle)  # type: ignore[untyped-decorator]
def _as_it_is(type: Any, value: Any, c: Any) -> Any:
    return _NativeValue(c.builder.ptrtoint(value, _WORD))


def _field(builder: Any, handle: Any, offset: int, type: Any) -> Any:
    address = builder.add(handle, ir.Constant(_WORD, offset))
    return builder.load(builder.inttoptr(address, type.as_pointer()))


@intrinsic  # type: ignore[untyped-decorator]
def size(typing_context: Any, kind: Any, handle: Any, writes: Any) -> Any:
    """The number of elements of a C-contiguous object of the type ``kind`` itself, which is ``np.ndarray``; else -1.

    Also -1 for what is read-only where ``writes``, a literal, is true.
    """
    if not (isinstance(handle, Handle) and isinstance(writes, types.BooleanLiteral)):
        return None
    wanted = _CONTIGUOUS | (_WRITEABLE if writes.literal_value else 0)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        one = ir.Constant(_WORD, 1)
        result = _cgutils.alloca_once_value(builder, ir.Constant(_WORD, -1))
        with builder.if_then(builder.icmp_unsigned("==", _field(builder, values[1], _TYPE, _WORD), values[0])):
            flags = builder.and_(_field(builder, values[1], _FLAGS, _INT), ir.Constant(_INT, wanted))
            with builder.if_then(builder.icmp_unsigned("==", flags, ir.Constant(_INT, wanted))):
                builder.store(one, result)
                ndim = builder.sext(_field(builder, values[1], _NDIM, _INT), _WORD)
                dimensions = builder.inttoptr(_field(builder, values[1], _DIMENSIONS, _WORD), _WORD.as_pointer())
                with _cgutils.for_range(builder, ndim) as loop:
                    length = builder.load(builder.gep(dimensions, [loop.index]))
                    builder.store(builder.mul(builder.load(result), length), result)
        return builder.load(result)

    return types.int64(kind, handle, writes), emit


@intrinsic  # type: ignore[untyped-decorator]
def is_array(typing_context: Any, kind: Any, handle: Any) -> Any:
    """Whether an object is of the type ``kind`` itself, which is ``np.ndarray``."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.icmp_unsigned("==", _field(builder, values[1], _TYPE, _WORD), values[0])

    return types.boolean(kind, handle), emit


@intrinsic  # type: ignore[untyped-decorator]
def rank(typing_context: Any, handle: Any) -> Any:
    """An array's number of dimensions."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.sext(_field(builder, values[0], _NDIM, _INT), _WORD)

    return types.int64(handle), emit


def _emit_item(field: int) -> Callable[..., Any]:
    """One of an array's dimensions or strides."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        items = builder.inttoptr(_field(builder, values[0], field, _WORD), _WORD.as_pointer())
        return builder.load(builder.gep(items, [values[1]]))

    return emit


@intrinsic  # type: ignore[untyped-decorator]
def length(typing_context: Any, handle: Any, dim: Any) -> Any:
    """An array's length along ``dim``."""
    return types.int64(handle, types.int64), _emit_item(_DIMENSIONS)


@intrinsic  # type: ignore[untyped-decorator]
def stride(typing_context: Any, handle: Any, dim: Any) -> Any:
    """An array's stride along ``dim``, in bytes."""
    return types.int64(handle, types.int64), _emit_item(_STRIDES)


@intrinsic  # type: ignore[untyped-decorator]
def address(typing_context: Any, handle: Any) -> Any:
    """Where an array's first element lies."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _field(builder, values[0], _DATA, _WORD)

    return types.int64(handle), emit


@jit(inline=True)  # type: ignore[untyped-decorator]
def repeats(x: Any, out: Any) -> bool:
    """Whether the elements of ``x``, over and over, are those of ``x`` broadcast to the shape of ``out``."""
    own = rank(x)
    shift = rank(out) - own
    dim = 0
    while dim < own and length(x, dim) == 1:
        dim += 1
    while dim < own and length(x, dim) == length(out, dim + shift):
        dim += 1
    return bool(dim == own)


@intrinsic  # type: ignore[untyped-decorator]
def elements(typing_context: Any, handle: Any, count: Any) -> Any:
    """The ``count`` elements of an array whose `size` that is, as a 1-D array."""
    result: Any = types.Array(handle.dtype, 1, "C")

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array = context.make_array(result)(context, builder)
        pointer = context.get_data_type(result.dtype).as_pointer()
        width = ir.Constant(_WORD, context.get_abi_sizeof(context.get_data_type(result.dtype)))
        context.populate_array(
            array,
            data=builder.inttoptr(_field(builder, values[0], _DATA, _WORD), pointer),
            shape=_cgutils.pack_array(builder, [values[1]]),
            strides=_cgutils.pack_array(builder, [width]),
            itemsize=width,
            meminfo=None,
        )
        return array._getvalue()

    return result(handle, types.int64), emit


class Entries(dict[Any, Callable[..., bool]]):
    """``entries[key](*arguments)``: a kernel's entry for each key, such as a dtype, compiled at its first use.

    ``signature(key)`` is the tuple of the arguments' Numba types, or None where the kernel is not for the
    key: its entry returns False then. The kernel returns whether it could take its arrays as they are; an
    array that `size` refuses it must not touch.
    """

    def __init__(self, kernel: Callable[..., bool], name: str, signature: Callable[[Any], Any], **options: Any) -> None:
        super().__init__()
        self._dispatcher = jit(kernel, name=name, **options)
        self._signature = signature

    def __missing__(self, key: Any) -> Callable[..., bool]:
        signature = self._signature(key)
        if signature is None:
            entry: Callable[..., bool] = _refuse
        else:
            self._dispatcher.compile(signature)
            entry = self._dispatcher.overloads[signature].entry_point
        self[key] = entry
        return entry


def handle(dtype: np.dtype[Any]) -> Handle:
    """The type of an argument that should be an array of ``dtype``."""
    return Handle(numpy_support.from_dtype(dtype))


KIND = Handle(types.none)
"""The type of the argument ``np.ndarray``, which tells a kernel what an array is."""


def _refuse(*arguments: Any) -> bool:
    return False
