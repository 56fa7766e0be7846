"""`spread`: run a compiled function over a range on all threads, without compiling a parallel loop for it.

Numba compiles a ``prange`` loop in one to two seconds. Here there is one such loop for the whole
package: it calls, for each piece of the range, a function of which it knows only the address. A
kernel that spreads its work this way compiles about as fast as a serial one, and its serial and its
parallel path are the same machine code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, prange
from numba.core import cgutils, types

from .jit import jit

intrinsic: Any = extending.intrinsic

_COUNT = ir.IntType(64)
_ENTRY = ir.FunctionType(ir.VoidType(), (_COUNT, _COUNT, _COUNT))  # address of the arguments, start, stop


@intrinsic  # type: ignore[untyped-decorator]
def _address(typing_context: Any, arguments: Any) -> Any:
    """The address of a copy of ``arguments`` on the caller's stack."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        slot = cgutils.alloca_once_value(builder, values[0])  # type: ignore[no-untyped-call]
        return builder.ptrtoint(slot, _COUNT)

    return types.int64(arguments), emit


@intrinsic  # type: ignore[untyped-decorator]
def _entry(typing_context: Any, body: Any, arguments: Any) -> Any:
    """The address of a function that loads ``arguments`` and calls ``body(arguments, start, stop)``."""
    parameters = (arguments, types.int64, types.int64)
    called = typing_context.resolve_function_type(body, parameters, {})

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        name = context.mangler(f"{body.dispatcher.__name__}_entry", parameters)
        function = ir.Function(builder.module, _ENTRY, builder.module.get_unique_name(name))
        function.linkage = "internal"
        inner = ir.IRBuilder(function.append_basic_block())
        packed = inner.load(inner.inttoptr(function.args[0], context.get_value_type(arguments).as_pointer()))
        # By its own address: Numba's usual call would pass exceptions on, to which there is no way from here.
        compiled = body.dispatcher.overloads[called.args]
        context.active_code_library.add_linking_library(compiled.library)
        target = context.declare_function(builder.module, compiled.fndesc)
        call = context.call_conv.call_function
        call(inner, target, called.return_type, called.args, [packed, *function.args[1:]])
        inner.ret_void()
        return builder.ptrtoint(function, _COUNT)

    return types.int64(body, arguments), emit


@intrinsic  # type: ignore[untyped-decorator]
def _call(typing_context: Any, entry: Any, address: Any, start: Any, stop: Any) -> Any:
    """Call the function at ``entry``."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.call(builder.inttoptr(values[0], _ENTRY.as_pointer()), values[1:])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), emit


# Not cached by itself: a kernel compiled against a parallel loop from the disk cache crashes when it comes from there.
@jit(parallel=True, inline=True)  # type: ignore[untyped-decorator]
def _drive(entry: int, address: int, count: int, piece: int) -> None:
    for i in prange((count + piece - 1) // piece):
        _call(entry, address, i * piece, min((i + 1) * piece, count))


# Inlined by force: a function handed to one that is not would be known by an address, which no disk cache can hold.
@jit(inline=True, forceinline=True)  # type: ignore[untyped-decorator]
def spread(body: Any, arguments: Any, count: int, piece: int) -> None:
    """Call ``body(arguments, start, stop)`` for consecutive pieces of ``range(count)`` on all threads.

    For compiled kernels: ``body`` is a function made by `jit` that returns nothing and writes no
    element twice, ``arguments`` a tuple. Neighbouring pieces go to one thread.
    """
    _drive(_entry(body, arguments), _address(arguments), np.int64(count), np.int64(piece))
