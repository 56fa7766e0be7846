"""Loops over arrays around a scalar function: flat, broadcasting, strided; serial when small, else parallel.

A kernel here is made by a function from the scalar function it applies, and compiled once for each
dtype. Arrays reach it flattened, or as an address with byte strides, so that the number of
dimensions never asks for another compilation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import types

from .. import memory
from ..entry import KIND, Entries, elements, handle, repeats, size
from ..jit import SERIAL, jit
from ..near import bring, step
from ..parallel import spread
from ..pointwise import Pointwise
from ..simd import CHOSEN
from ..vector import absolute, maxnum

Array = Any
ndarray = np.ndarray
Scalar = Callable[..., Any]

CHUNK = 4096
"""Elements a thread takes at a time: three float32 streams of them fit the first-level cache."""

MOST = 16 * CHUNK
"""Elements a thread takes at a time of a large array: starting a piece costs as much as hundreds of elements."""

NATIVE = frozenset(np.dtype(name) for name in ("float32", "float64", "int64"))
"""Dtypes that kernels are compiled for. Other integers, and booleans, are computed as int64 and cut to size,
which wraps around as their own arithmetic does: rare dtypes are not worth a compilation of every kernel."""

EXACT: dict[str, Any] = {"fastmath": False}
"""Options of kernels whose results are rounded once: no division becomes a multiplication."""


def inlined(function: Callable[..., Any], name: str) -> Any:
    """``function`` for other kernels only, without a call of its own in them.

    Each needs its own name: kernels from the disk cache are linked by name, and two functions of one
    name, made by one line in two processes, would be taken for each other.
    """
    return jit(function, name=name, inline=True, forceinline=True, **EXACT)


def compiled(function: Callable[..., Any], name: str | None = None) -> Any:
    """``function`` for other kernels only, to be called or spread over the threads; ``name`` as for `inlined`."""
    return jit(function, name=name, inline=True, **EXACT)


@jit(inline=True, forceinline=True)  # type: ignore[untyped-decorator]
def piece(count: int) -> int:
    """How many of ``count`` elements a thread takes at a time: all of them, if they are few."""
    return count if count <= SERIAL else min(max(count // 64 // CHUNK * CHUNK, CHUNK), MOST)


def conversion_kernel(name: str) -> Any:
    """``kernel(x, out)``: ``out[i] = x[i]`` over 1-D arrays of any two dtypes."""

    def span(arguments: Any, start: int, stop: int) -> None:
        x, out = arguments
        x, out = x[start:stop], out[start:stop]
        for i in range(out.size):
            out[i] = x[i]  # storing an element converts it

    span = compiled(span, f"{name}_span")

    def kernel(x: Array, out: Array) -> None:
        spread(span, (x, out), out.size, piece(out.size))

    return jit(kernel, name=name, **EXACT)


def _signature(arity: int, numbers: int = 0, result: Any = None) -> Callable[[Any], Any]:
    """The signature by dtype of a kernel of ``numbers`` numbers and ``arity`` arrays, the last of dtype ``result``."""

    def signature(dtype: np.dtype[Any]) -> Any:
        if dtype not in NATIVE:
            return None
        number = types.float64 if dtype.kind == "f" else types.int64
        arrays = [handle(dtype)] * (arity - 1)
        return (KIND, *[number] * numbers, *arrays, handle(dtype if result is None else result))

    return signature


def _unary_entries(name: str, span: Callable[..., None], result: Any = None) -> Entries:
    """``entries[dtype](np.ndarray, x, out)``: ``span((x, out), start, stop)`` for every part of them."""
    span = compiled(span, f"{name}_span")

    def kernel(kind: Any, x: Any, out: Any) -> bool:
        n = size(kind, out, True)
        if n < 0 or size(kind, x, False) != n:
            return False
        spread(span, (elements(x, n), elements(out, n)), n, piece(n))
        return True

    return Entries(kernel, name, _signature(2, result=result), **EXACT)


def unary_entries(name: str, f: Scalar, result: Any = None) -> Entries:
    """``entries[dtype](np.ndarray, x, out)``: ``out[i] = f(x[i])``."""
    f = inlined(f, f"{name}_scalar")

    def span(arguments: Any, start: int, stop: int) -> None:
        x, out = arguments
        taken = step(out.size)
        for first in range(start, stop, taken):
            last = min(first + taken, stop)
            bring(x, last + taken, taken, taken)  # of one array not the next step but the one after: as much as of two
            some, results = x[first:last], out[first:last]
            for i in range(some.size):
                results[i] = f(some[i])

    return _unary_entries(name, span, result)


SPAN = 512
"""Elements that are looked at before they are computed, and lie in the first cache then."""


def unary_entries_within(name: str, f: Scalar, beyond: Scalar, most: float) -> Entries:
    """As `unary_entries`; neighbours of elements larger than ``most`` by magnitude are computed by ``beyond``.

    ``f`` may depend on what the processor has (`angle`).
    """
    f, beyond = inlined(f, f"{name}_{CHOSEN.name}_scalar"), inlined(beyond, f"{name}_beyond")

    def span(arguments: Any, start: int, stop: int) -> None:
        x, out = arguments
        taken = min(step(out.size), SPAN)
        for first in range(start, stop, taken):
            last = min(first + taken, stop)
            bring(x, last + taken, taken, taken)  # as in `unary_entries`
            some, results = x[first:last], out[first:last]
            largest = some.dtype.type(0)
            for i in range(some.size):
                largest = maxnum(largest, absolute(some[i]))
            if largest <= most:
                for i in range(some.size):
                    results[i] = f(some[i])
            else:
                for i in range(some.size):
                    results[i] = beyond(some[i])

    return _unary_entries(f"{name}_{CHOSEN.name}", span)


def unary_entries_with(name: str, f: Scalar) -> Entries:
    """``entries[dtype](np.ndarray, p, q, x, out)``: ``out[i] = f(x[i], p, q)``, p and q in the dtype."""
    f = inlined(f, f"{name}_scalar")

    def span(arguments: Any, start: int, stop: int) -> None:
        p, q, x, out = arguments
        low, high = x.dtype.type(p), x.dtype.type(q)
        taken = step(out.size)
        for first in range(start, stop, taken):
            last = min(first + taken, stop)
            bring(x, last + taken, taken, taken)  # as in `unary_entries`
            some, results = x[first:last], out[first:last]
            for i in range(some.size):
                results[i] = f(some[i], low, high)

    span = compiled(span, f"{name}_span")

    def kernel(kind: Any, p: Any, q: Any, x: Any, out: Any) -> bool:
        n = size(kind, out, True)
        if n < 0 or size(kind, x, False) != n:
            return False
        spread(span, (p, q, elements(x, n), elements(out, n)), n, piece(n))
        return True

    return Entries(kernel, name, _signature(2, 2), **EXACT)


def pair_entries_with(name: str, f: Scalar) -> Entries:
    """``entries[dtype](np.ndarray, p, q, a, b, out)``: ``out[i] = f(a[i], b[i], p, q)``.

    ``a`` and ``b`` are of one size, or ``a`` is a single element.
    """
    f = inlined(f, f"{name}_scalar")

    def span(arguments: Any, start: int, stop: int) -> None:
        p, q, a, b, out = arguments
        low, high = b.dtype.type(p), b.dtype.type(q)
        taken = step(out.size)
        for first in range(start, stop, taken):
            last = min(first + taken, stop)
            bring(b, last, taken, taken)
            some, results = b[first:last], out[first:last]
            if a.size == 1:
                x = a[0]
                for i in range(some.size):
                    results[i] = f(x, some[i], low, high)
            else:
                bring(a, last, taken, taken)
                others = a[first:last]
                for i in range(some.size):
                    results[i] = f(others[i], some[i], low, high)

    span = compiled(span, f"{name}_span")

    def kernel(kind: Any, p: Any, q: Any, a: Any, b: Any, out: Any) -> bool:
        n, na = size(kind, out, True), size(kind, a, False)
        if n < 0 or size(kind, b, False) != n or (na != n and na != 1):
            return False
        spread(span, (p, q, elements(a, na), elements(b, n), elements(out, n)), n, piece(n))
        return True

    return Entries(kernel, name, _signature(3, 2), **EXACT)


SHORT = 512
"""A repeating operand shorter than this is written out several times, so that loops over it are long."""


@jit(inline=True)  # type: ignore[untyped-decorator]
def written_out(x: Array, count: int) -> Array:
    """``x``, or where it is shorter than `SHORT` more periods of it, to be repeated over ``count`` elements."""
    period = x.size
    if period >= SHORT or period >= count:
        return x
    longer = np.empty((min(count, 2 * SHORT) + period - 1) // period * period, x.dtype)
    for i in range(longer.size):
        longer[i] = x[i % period]
    return longer


def binary_entries(name: str, f: Scalar, result: Any = None) -> Entries:
    """``entries[dtype](np.ndarray, a, b, out)``: ``out[i] = f(a[i % a.size], b[i % b.size])``.

    For arrays that are contiguous and whose elements repeat so; others are refused.
    """
    f = inlined(f, f"{name}_scalar")

    def span(arguments: Any, start: int, stop: int) -> None:
        a, b, out = arguments
        na, nb, n, taken = a.size, b.size, stop - start, step(out.size)
        out = out[start:stop]
        if nb == 1:
            a, y = a[start % na : start % na + n], b[0]
            for i in range(n):
                out[i] = f(a[i], y)
        elif na == 1:
            x, b = a[0], b[start:stop]
            for i in range(n):
                out[i] = f(x, b[i])
        else:  # segments over which neither operand begins anew
            done = 0
            while done < n:
                ia, ib = (start + done) % na, (start + done) % nb
                m = min(n - done, na - ia, nb - ib, taken)
                bring(a, ia + m, m, taken)
                bring(b, ib + m, m, taken)
                u, v, w = a[ia : ia + m], b[ib : ib + m], out[done : done + m]
                for i in range(m):
                    w[i] = f(u[i], v[i])
                done += m

    span = compiled(span, f"{name}_span")

    def kernel(kind: Any, a: Any, b: Any, out: Any) -> bool:
        n, na, nb = size(kind, out, True), size(kind, a, False), size(kind, b, False)
        if n < 0 or na < 0 or nb < 0:
            return False
        if n == 0:
            return True
        if na != n or nb != n:
            if not (repeats(a, out) and repeats(b, out)):
                return False
            x, y = elements(a, na), elements(b, nb)
            if n >= 8 * SHORT and na != 1 and nb != 1:
                x, y = written_out(x, n), written_out(y, n)
            spread(span, (x, y, elements(out, n)), n, piece(n))
        else:
            spread(span, (elements(a, n), elements(b, n), elements(out, n)), n, piece(n))
        return True

    return Entries(kernel, name, _signature(3, result=result), **EXACT)


def contiguous(x: Array) -> Array:
    """``x``, or a C-contiguous copy of it in scratch memory."""
    if x.flags.c_contiguous:
        return x
    from .moves import cast

    copy = memory.scratch(x.shape, x.dtype)
    cast(x, dtype=x.dtype, out=copy)
    return copy


def flat(x: Array) -> Array:
    """The elements of ``x`` in C order as a contiguous 1-D array, a view where possible."""
    x = np.asarray(x)  # of no subclass
    return x.ravel() if x.size <= SERIAL or x.flags.c_contiguous else contiguous(x).ravel()


def behaved(x: Array) -> bool:
    """Whether a kernel can write into ``x`` as it is."""
    return type(x) is np.ndarray and x.flags.carray


widen = conversion_kernel("as_int64")


def as_int64(x: Array) -> Array:
    """A copy of integers or booleans as int64 in scratch memory."""
    wide = memory.scratch(x.shape, np.dtype("int64"))
    widen(flat(x), wide.ravel())
    return wide


def into_strided(call: Callable[..., None], out: Array, *arguments: Any, **attributes: Any) -> None:
    """Compute into contiguous memory and copy the result into an ``out`` of other strides."""
    result = memory.scratch(out.shape, out.dtype)
    call(*arguments, out=result, **attributes)
    out[...] = result


def through_int64(call: Callable[..., None], out: Array, *arrays: Array, **attributes: Any) -> None:
    """Compute with int64 in the place of smaller integers and booleans."""
    from .moves import cast

    wide = [as_int64(x) for x in arrays]
    if out.dtype == np.bool_:
        call(*wide, out=out, **attributes)
    else:
        result = memory.scratch(out.shape, np.dtype("int64"))
        call(*wide, out=result, **attributes)
        cast(result, dtype=out.dtype, out=out)


def again(call: Callable[..., None], out: Array, *arrays: Array, **attributes: Any) -> None:
    """After an entry has refused its arrays: call once more, with arrays that it takes."""
    if arrays[0].dtype not in NATIVE:
        through_int64(call, out, *arrays, **attributes)
    elif not behaved(out):
        into_strided(call, out, *arrays, **attributes)
    else:
        call(*map(flat, arrays), out=out, **attributes)


def _named(call: Any, name: str, f: Scalar, numbers: tuple[tuple[str, float], ...] = ()) -> Callable[..., None]:
    """The operation ``call`` under its own name, with what it does to an element as its ``pointwise``."""
    call.__name__ = call.__qualname__ = name
    call.pointwise = Pointwise(name, f, numbers)
    return call  # type: ignore[no-any-return]


def chosen_by(choose: Callable[..., Any]) -> Callable[[Any], Any]:
    """Mark an operation as one of several kernels: ``choose(**attributes)`` gives that kernel and its attributes."""

    def mark(call: Any) -> Any:
        call.chosen_by = choose
        return call

    return mark


def unary(name: str, f: Scalar, result: Any = None) -> Callable[..., None]:
    """The operation ``name``: ``f`` of each element, into the dtype ``result`` where that is given."""
    entries = unary_entries(name, f, result)

    def call(x: Array, *, out: Array) -> None:
        if not entries[x.dtype](ndarray, x, out):
            again(call, out, x)

    return _named(call, name, f)


def unary_within(name: str, f: Scalar, beyond: Scalar, most: float) -> Callable[..., None]:
    """The operation ``name``: ``f`` of each element, or ``beyond`` where one near it is above ``most``."""
    entries = unary_entries_within(name, f, beyond, most)

    def call(x: Array, *, out: Array) -> None:
        if not entries[x.dtype](ndarray, x, out):
            again(call, out, x)

    call.__name__ = call.__qualname__ = name
    return call


def unary_with(name: str, f: Scalar, **defaults: float) -> Callable[..., None]:
    """The operation ``name``: ``f(x, p, q)`` of each element, with one or two attributes of these ``defaults``."""
    return _with(name, f, unary_entries_with(name, f), **defaults)


def pair(name: str, f: Scalar) -> Callable[..., None]:
    """The operation ``name``: ``f`` of the elements of two floating arrays of one shape."""
    entries = binary_entries(name, f)

    def call(a: Array, b: Array, *, out: Array) -> None:
        if not entries[a.dtype](ndarray, a, b, out):
            again(call, out, a, b)

    return _named(call, name, f)


def pair_with(name: str, f: Scalar, **defaults: float) -> Callable[..., None]:
    """The operation ``name``: ``f(a, b, p, q)`` of two arrays of one shape, with one or two attributes."""
    return _with(name, f, pair_entries_with(name, f), **defaults)


def _with(name: str, f: Scalar, entries: Entries, **defaults: float) -> Callable[..., None]:
    first, second = (*defaults, "")[:2]
    p_default, q_default = (*defaults.values(), 0.0)[:2]
    numbers = ((first, p_default), (second, q_default))

    def call(*arrays: Array, out: Array, **attributes: float) -> None:
        p, q = attributes.get(first, p_default), attributes.get(second, q_default)
        if not entries[arrays[0].dtype](ndarray, p, q, *arrays, out):
            again(call, out, *arrays, **attributes)

    return _named(call, name, f, numbers)


def binary(name: str, f: Scalar, result: Any = None) -> Callable[..., None]:
    """The operation ``name``: ``f`` of the elements of two arrays that broadcast; ``result`` as for `unary`."""
    from .strided import broadcast, strided_kernel

    entries, strided = binary_entries(name, f, result), strided_kernel(name + "_strided", f)

    def call(a: Array, b: Array, *, out: Array) -> None:
        if entries[a.dtype](ndarray, a, b, out):
            return
        if a.dtype not in NATIVE:
            through_int64(call, out, a, b)
        elif not behaved(out):
            into_strided(call, out, a, b)
        # Integers are rarely large or strided: they do without a second kernel.
        elif a.dtype.kind != "f" or not broadcast(strided, a, b, out):
            call(*(flat(x if x.shape == out.shape else np.broadcast_to(x, out.shape)) for x in (a, b)), out=out.ravel())

    return _named(call, name, f)
