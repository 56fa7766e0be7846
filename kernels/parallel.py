"""The one parallel loop of the package: `run` is its door for Python; `spread`, `each`, `run_compiled` for kernels.

Numba compiles a ``prange`` loop in one to two seconds, and again in each kernel that has one. The loop
here calls, for each piece of the range, a function of which it knows only the address. A kernel that
spreads its work this way compiles about as fast as a serial one, and its serial and its parallel path
are the same machine code.

The loop is called by a symbol too, which is given its address before any kernel that names it is
compiled or comes from the disk cache: no kernel contains the loop.
"""

from __future__ import annotations

import array
from collections.abc import Callable, Iterable
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import extending, prange
from numba.core import cgutils, types

from .jit import SERIAL, jit

intrinsic: Any = extending.intrinsic

_WORD = ir.IntType(64)
_BYTES = ir.IntType(8).as_pointer()
_SYMBOL = "pyneural_run"


def _compiled_type(words: int) -> ir.FunctionType:
    """Of a function by Numba's convention: first come places for a result, here None, and for an error, here never."""
    return ir.FunctionType(ir.IntType(32), [_BYTES.as_pointer(), _BYTES, *[_WORD] * words])


_ROUTINE = ir.FunctionType(ir.IntType(32), [_BYTES.as_pointer(), _BYTES, _BYTES, *[_WORD] * 3])
"""Of what the loop calls: as `_compiled_type`, then a `Routine`'s kind, the arguments' address, start and stop."""


def emit_call(builder: Any, address: Any, words: list[Any]) -> None:
    """Call the routine at ``address``."""
    function = ir.FunctionType(_ROUTINE.return_type, [*_ROUTINE.args[:3], *[_WORD] * len(words)])
    result = cgutils.alloca_once(builder, _BYTES)  # type: ignore[no-untyped-call]
    nothing = ir.Constant(_BYTES, None)
    builder.call(builder.inttoptr(address, function.as_pointer()), [result, nothing, nothing, *words])


@intrinsic  # type: ignore[untyped-decorator]
def _piece(typing_context: Any, routine: Any, arguments: Any, start: Any, stop: Any) -> Any:
    """Call a routine whose kind nobody here knows."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        emit_call(builder, values[0], values[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), emit


@jit(parallel=True)  # type: ignore[untyped-decorator]
def _run(routine: int, arguments: int, count: int, piece: int) -> None:
    if count <= piece:
        _piece(routine, arguments, 0, count)
    else:
        for i in prange((count + piece - 1) // piece):
            _piece(routine, arguments, i * piece, min((i + 1) * piece, count))


def _publish() -> None:
    """Give the symbol its address."""
    signature = (types.int64,) * 4
    _run.compile(signature)
    compiled = _run.overloads[signature]
    llvmlite.binding.add_symbol(_SYMBOL, compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


_publish()


LEAST = 4096
"""Elements that a thread takes at a time, at least: to start a piece costs as much as hundreds of them."""


@jit(inline=True, forceinline=True)  # type: ignore[untyped-decorator]
def share(count: int, size: int) -> int:
    """How many of ``count`` tasks, which go over ``size`` elements in all, a thread takes at a time; all, if few."""
    return count if size < SERIAL else max(count * LEAST // size, 1)


def run(routine: int, arguments: Iterable[int], count: int, piece: int) -> None:
    """Call ``routine(kind, arguments, start, stop)`` for consecutive pieces of ``range(count)`` on all threads.

    ``routine`` is an address, ``arguments`` becomes an int64 table, of which the routine gets the address
    (see `routine.fields`). One piece is called on this thread, more go out to all threads, neighbours to one.
    The caller keeps alive what the addresses among the arguments lead to.
    """
    values = array.array("q", arguments)
    _run(routine, values.buffer_info()[0], count, piece)


Task = tuple[int, Iterable[int], int, int]
"""Arguments of `run`."""


def repeated(tasks: Iterable[Task], *arrays: Any) -> Callable[[], None]:
    """A function that runs the ``tasks`` again at each call, with arguments that were laid out once.

    It keeps the ``arrays`` alive, which addresses among the arguments lead to.
    """
    tables = [(routine, array.array("q", arguments), count, piece) for routine, arguments, count, piece in tasks]
    calls = [(routine, values.buffer_info()[0], count, piece) for routine, values, count, piece in tables]

    def again(kept: Any = (tables, arrays)) -> None:
        for each in calls:
            _run(*each)

    return again


def prepared_by(prepare: Callable[..., Callable[[], None] | None]) -> Callable[[Any], Any]:
    """Of a kernel that is called again and again with the same arrays: what makes a function that does only its work.

    ``prepare(*arguments, empty, out, ...)`` gets the kernel's arguments and, in place of `memory.scratch`, who hands
    out memory that is the kernel's while it runs. It returns None for what it has no shorter way for.
    """

    def decorate(kernel: Any) -> Any:
        kernel.prepare = prepare
        return kernel

    return decorate


def _borrowed(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """``value`` with arrays that own nothing: counting references to them would take longer than a short task."""
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = array.parent = ir.Constant(_BYTES, None)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        kinds: Any = kind
        for i, each_kind in enumerate(kinds.types):
            item = _borrowed(context, builder, each_kind, builder.extract_value(value, i))
            value = builder.insert_value(value, item, i)
    return value


def _emit_entry(context: Any, module: Any, body: Any, packed: Any, call: Callable[..., None]) -> Any:
    """A routine of that module which loads the tuple ``packed`` and emits ``call(builder, values, start, stop)``."""
    name = context.mangler(f"{body.dispatcher.__name__}_entry", (packed,))
    function = ir.Function(module, _ROUTINE, module.get_unique_name(name))
    function.linkage = "internal"
    builder = ir.IRBuilder(function.append_basic_block())
    address, start, stop = function.args[3:]
    values = builder.load(builder.inttoptr(address, context.get_value_type(packed).as_pointer()))
    call(builder, _borrowed(context, builder, packed, values), start, stop)
    builder.ret(ir.Constant(_ROUTINE.return_type, 0))
    return function


def _emit_compiled_call(context: Any, builder: Any, body: Any, signature: Any, values: list[Any]) -> None:
    """Call by the function's own address: Numba's usual call would pass exceptions on, to which there is no way."""
    compiled = body.dispatcher.overloads[signature.args]
    context.active_code_library.add_linking_library(compiled.library)
    target = context.declare_function(builder.module, compiled.fndesc)
    inline = ("alwaysinline",)  # a task may be a single element
    context.call_conv.call_function(builder, target, signature.return_type, signature.args, values, attrs=inline)


def _emit_loop(context: Any, builder: Any, entry: Any, packed: Any, sizes: Iterable[tuple[Any, Any]]) -> None:
    """Call the loop on all threads with the address of a copy of ``packed`` on this stack."""
    slot = cgutils.alloca_once_value(builder, packed)  # type: ignore[no-untyped-call]
    whole = [context.cast(builder, value, given, types.int64) for value, given in sizes]
    _call_loop(builder, [builder.ptrtoint(entry, _WORD), builder.ptrtoint(slot, _WORD), *whole])


def _call_loop(builder: Any, words: list[Any]) -> None:
    """Call the loop by its symbol, with the arguments of `_run`."""
    loop = cgutils.get_or_insert_function(builder.module, _compiled_type(4), _SYMBOL)  # type: ignore[no-untyped-call]
    result = cgutils.alloca_once(builder, _BYTES)  # type: ignore[no-untyped-call]
    builder.call(loop, [result, ir.Constant(_BYTES, None), *words])


@intrinsic  # type: ignore[untyped-decorator]
def run_compiled(typing_context: Any, routine: Any, arguments: Any, count: Any, piece: Any) -> Any:
    """`run` for compiled kernels: ``routine`` and ``arguments`` are addresses."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        _call_loop(builder, values)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), emit


@intrinsic  # type: ignore[untyped-decorator]
def spread(typing_context: Any, body: Any, arguments: Any, count: Any, piece: Any) -> Any:
    """Call ``body(arguments, start, stop)`` for consecutive pieces of ``range(count)`` on all threads.

    For compiled kernels: ``body`` is a function made by `jit` that returns nothing and writes no
    element twice, ``arguments`` a tuple. One piece is called on this thread, more go out to all threads,
    neighbours to one.
    """
    called = typing_context.resolve_function_type(body, (arguments, types.int64, types.int64), {})

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def call(inner: Any, packed: Any, start: Any, stop: Any) -> None:
            _emit_compiled_call(context, inner, body, called, [packed, start, stop])

        entry = _emit_entry(context, builder.module, body, arguments, call)
        _emit_loop(context, builder, entry, values[1], zip(values[2:], signature.args[2:], strict=True))
        return context.get_dummy_value()

    return types.void(body, arguments, count, piece), emit


@intrinsic  # type: ignore[untyped-decorator]
def each(typing_context: Any, body: Any, arguments: Any, count: Any, piece: Any) -> Any:
    """Call ``body(i, *arguments)`` for every ``i`` of ``range(count)``, ``piece`` neighbours on one thread.

    Otherwise as `spread`.
    """
    called = typing_context.resolve_function_type(body, (types.int64, *arguments.types), {})

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def call(inner: Any, packed: Any, start: Any, stop: Any) -> None:
            items = cgutils.unpack_tuple(inner, packed)  # type: ignore[no-untyped-call]
            given = [
                context.cast(inner, item, own, wanted)
                for item, own, wanted in zip(items, arguments.types, called.args[1:], strict=True)
            ]
            step = ir.Constant(_WORD, 1)
            with cgutils.for_range_slice(inner, start, stop, step, _WORD) as (i, _):  # type: ignore[no-untyped-call]
                _emit_compiled_call(context, inner, body, called, [i, *given])

        entry = _emit_entry(context, builder.module, body, arguments, call)
        _emit_loop(context, builder, entry, values[1], zip(values[2:], signature.args[2:], strict=True))
        return context.get_dummy_value()

    return types.void(body, arguments, count, piece), emit
