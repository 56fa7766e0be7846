"""Loops over arrays around a scalar function: flat, broadcasting, strided; serial when small, else parallel.

A kernel here is made by a function from the scalar function it applies, and compiled once for each
dtype. Arrays reach it flattened, or as an address with byte strides, so that the number of
dimensions never asks for another compilation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from .. import memory
from ..jit import SERIAL, jit
from ..parallel import spread
from ..vector import intrinsic

Array = Any
Scalar = Callable[..., Any]

CHUNK = 4096
"""Elements a thread takes at a time: three float32 streams of them fit the first-level cache."""

RANK = 4
"""Dimensions of a strided loop; arrays that cannot be collapsed to so few are copied first."""

NATIVE = frozenset(np.dtype(name) for name in ("float32", "float64", "int64"))
"""Dtypes that kernels are compiled for. Other integers, and booleans, are computed as int64 and cut to size,
which wraps around as their own arithmetic does: rare dtypes are not worth a compilation of every kernel."""

EXACT: dict[str, Any] = {"fastmath": False}
"""Options of kernels whose results are rounded once: no division becomes a multiplication."""


@intrinsic  # type: ignore[untyped-decorator]
def load(typing_context: Any, array: Any, offset: Any) -> Any:
    """The element ``offset`` bytes from the array's first; the caller answers for its being there."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        address = builder.gep(builder.bitcast(data, ir.IntType(8).as_pointer()), [values[1]])
        value = builder.load(builder.bitcast(address, data.type))
        value.align = 1  # a view of a record may lie anywhere
        return context.data_model_manager[signature.args[0].dtype].from_data(builder, value)

    return array.dtype(array, offset), emit


def inlined(function: Callable[..., Any], name: str) -> Any:
    """``function`` for other kernels only, without a call of its own in them.

    Each needs its own name: kernels from the disk cache are linked by name, and two functions of one
    name, made by one line in two processes, would be taken for each other.
    """
    return jit(function, name=name, inline=True, forceinline=True, **EXACT)


def compiled(function: Callable[..., Any], name: str | None = None) -> Any:
    """``function`` for other kernels only, to be called or spread over the threads; ``name`` as for `inlined`."""
    return jit(function, name=name, inline=True, **EXACT)


def elementwise_kernel(name: str, span: Callable[..., None], arity: int) -> Any:
    """``kernel(*arguments)`` from ``span(arguments, start, stop)``, which fills that part of the last argument.

    ``arity`` is the number of arguments.
    """
    span = compiled(span, f"{name}_span")

    def several(*arguments: Any) -> None:
        count = arguments[-1].size
        if count <= SERIAL:
            span(arguments, 0, count)
        else:
            spread(span, arguments, count, CHUNK)

    # Parameters of their own are quicker to call with than a tuple of them: the usual numbers have them.
    def two(x: Array, out: Array) -> None:
        if out.size <= SERIAL:
            span((x, out), 0, out.size)
        else:
            spread(span, (x, out), out.size, CHUNK)

    def three(a: Array, b: Array, out: Array) -> None:
        if out.size <= SERIAL:
            span((a, b, out), 0, out.size)
        else:
            spread(span, (a, b, out), out.size, CHUNK)

    return jit({2: two, 3: three}.get(arity, several), name=name, **EXACT)


def unary_kernel(name: str, f: Scalar) -> Any:
    """``kernel(x, out)``: ``out[i] = f(x[i])`` over 1-D arrays."""
    f = inlined(f, f"{name}_scalar")

    def span(arguments: Any, start: int, stop: int) -> None:
        x, out = arguments
        x, out = x[start:stop], out[start:stop]
        for i in range(out.size):
            out[i] = f(x[i])

    return elementwise_kernel(name, span, 2)


def unary_kernel_with(name: str, f: Scalar) -> Any:
    """``kernel(x, p, q, out)``: ``out[i] = f(x[i], p, q)`` over 1-D arrays, p and q in their dtype."""
    f = inlined(f, f"{name}_scalar")

    def span(arguments: Any, start: int, stop: int) -> None:
        x, p, q, out = arguments
        x, out = x[start:stop], out[start:stop]
        low, high = x.dtype.type(p), x.dtype.type(q)
        for i in range(out.size):
            out[i] = f(x[i], low, high)

    return elementwise_kernel(name, span, 4)


def pair_kernel_with(name: str, f: Scalar) -> Any:
    """``kernel(a, b, p, q, out)``: ``out[i] = f(a[i], b[i], p, q)`` over 1-D arrays of one size."""
    f = inlined(f, f"{name}_scalar")

    def span(arguments: Any, start: int, stop: int) -> None:
        a, b, p, q, out = arguments
        a, b, out = a[start:stop], b[start:stop], out[start:stop]
        low, high = b.dtype.type(p), b.dtype.type(q)
        for i in range(out.size):
            out[i] = f(a[i], b[i], low, high)

    return elementwise_kernel(name, span, 5)


def binary_kernel(name: str, f: Scalar) -> Any:
    """``kernel(a, b, out)``: ``out[i] = f(a[i % a.size], b[i % b.size])`` over 1-D arrays."""
    f = inlined(f, f"{name}_scalar")

    def span(arguments: Any, start: int, stop: int) -> None:
        a, b, out = arguments
        na, nb, n = a.size, b.size, stop - start
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
                m = min(n - done, na - ia, nb - ib)
                u, v, w = a[ia : ia + m], b[ib : ib + m], out[done : done + m]
                for i in range(m):
                    w[i] = f(u[i], v[i])
                done += m

    return elementwise_kernel(name, span, 3)


def strided_kernel(name: str, f: Scalar) -> Any:
    """``kernel(a, b, shape, strides_a, strides_b, out)``: any strides, a and b given by their first element.

    Shape and strides (in bytes) are tuples of `RANK`, ``out`` is flat.
    """
    f = inlined(f, f"{name}_scalar")

    def rows(arguments: Any, first: int, last: int) -> None:
        a, b, shape, steps_a, steps_b, out = arguments
        m, size, sa, sb = shape[3], a.itemsize, steps_a[3], steps_b[3]
        for r in range(first, last):
            rest, k = r // shape[2], r % shape[2]
            i, j = rest // shape[1], rest % shape[1]
            oa = i * steps_a[0] + j * steps_a[1] + k * steps_a[2]
            ob = i * steps_b[0] + j * steps_b[1] + k * steps_b[2]
            to = out[r * m : (r + 1) * m]
            if sa == size and sb == size:
                for l in range(m):
                    to[l] = f(load(a, oa + l * size), load(b, ob + l * size))
            elif sa == size and sb == 0:
                y = load(b, ob)
                for l in range(m):
                    to[l] = f(load(a, oa + l * size), y)
            else:
                for l in range(m):
                    to[l] = f(load(a, oa + l * sa), load(b, ob + l * sb))

    rows = compiled(rows, f"{name}_rows")

    def kernel(*arguments: Any) -> None:
        shape, out = arguments[2], arguments[5]
        count = shape[0] * shape[1] * shape[2]
        if out.size <= SERIAL:
            rows(arguments, 0, count)
        else:
            spread(rows, arguments, count, max(CHUNK // shape[3], 1))

    return jit(kernel, name=name, **EXACT)


Plan = tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]


@functools.lru_cache(maxsize=4096)
def collapse(shape: tuple[int, ...], layouts: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]) -> Plan | None:
    """Loop over arrays of these shapes and strides, broadcast to ``shape``, in as few dimensions as possible.

    Returns the loop's shape and each array's strides, as tuples of at least `RANK`, or None where more
    dimensions than that remain.
    """
    rank = len(shape)
    steps = []
    for own, strides in layouts:
        lead = rank - len(own)
        steps.append([0] * lead + [0 if n == 1 else s for n, s in zip(own, strides, strict=True)])
    dims: list[int] = []
    kept: list[list[int]] = [[] for _ in steps]
    for i in range(rank):
        if shape[i] == 1:
            continue
        # One dimension with the previous where every array steps from the end of the one to the next of the other.
        if dims and all(k[-1] == s[i] * shape[i] for k, s in zip(kept, steps, strict=True)):
            dims[-1] *= shape[i]
            for k, s in zip(kept, steps, strict=True):
                k[-1] = s[i]
        else:
            dims.append(shape[i])
            for k, s in zip(kept, steps, strict=True):
                k.append(s[i])
    missing = RANK - len(dims)
    if missing < 0:
        return None
    return (1,) * missing + tuple(dims), tuple((0,) * missing + tuple(k) for k in kept)


def first_element(x: Array) -> Array | None:
    """A writable 1-D view of the first element, which stands for its address; None where memory is read-only.

    A read-only array would be another type to Numba, and compile every kernel again.
    """
    view = x[(0,) * x.ndim + (None,)]
    if not view.flags.writeable:
        try:
            view.flags.writeable = True
        except ValueError:
            return None
    return view


def contiguous(x: Array) -> Array:
    """``x``, or a C-contiguous copy of it in pooled memory."""
    if x.flags.c_contiguous:
        return x
    from .moves import cast

    copy = memory.empty(x.shape, x.dtype)
    cast(x, dtype=x.dtype, out=copy)
    return copy


def flat(x: Array) -> Array:
    """The elements of ``x`` in C order as a contiguous 1-D array, a view where possible."""
    return x.ravel() if x.size <= SERIAL or x.flags.c_contiguous else contiguous(x).ravel()


widen = unary_kernel("as_int64", lambda x: x)


def as_int64(x: Array) -> Array:
    """A copy of integers or booleans as int64 in pooled memory."""
    wide = memory.empty(x.shape, np.dtype("int64"))
    widen(flat(x), wide.ravel())
    return wide


def into_strided(call: Callable[..., None], out: Array, *arguments: Any, **attributes: Any) -> None:
    """Compute into contiguous memory and copy the result into an ``out`` of other strides."""
    result = memory.empty(out.shape, out.dtype)
    call(*arguments, out=result, **attributes)
    out[...] = result


def through_int64(call: Callable[..., None], out: Array, *arrays: Array, **attributes: Any) -> None:
    """Compute with int64 in the place of smaller integers and booleans."""
    from .moves import cast

    wide = [as_int64(x) for x in arrays]
    if out.dtype == np.bool_:
        call(*wide, out=out, **attributes)
    else:
        result = memory.empty(out.shape, np.dtype("int64"))
        call(*wide, out=result, **attributes)
        cast(result, dtype=out.dtype, out=out)


def unary(name: str, f: Scalar) -> Callable[..., None]:
    """The operation ``name``: ``f`` of each element."""
    kernel = unary_kernel(name, f)

    def call(x: Array, *, out: Array) -> None:
        if x.dtype not in NATIVE:
            through_int64(call, out, x)
        elif not out.flags.c_contiguous:
            into_strided(call, out, x)
        else:
            kernel(flat(x), out.ravel())

    call.__name__ = call.__qualname__ = name
    return call


def pair(name: str, f: Scalar) -> Callable[..., None]:
    """The operation ``name``: ``f`` of the elements of two floating arrays of one shape."""
    kernel = binary_kernel(name, f)

    def call(a: Array, b: Array, *, out: Array) -> None:
        if not out.flags.c_contiguous:
            into_strided(call, out, a, b)
        elif out.size:
            kernel(flat(a), flat(b), out.ravel())

    call.__name__ = call.__qualname__ = name
    return call


def binary(name: str, f: Scalar) -> Callable[..., None]:
    """The operation ``name``: ``f`` of the elements of two arrays that broadcast."""
    kernel, strided = binary_kernel(name, f), strided_kernel(name + "_strided", f)

    def call(a: Array, b: Array, *, out: Array) -> None:
        shape, size = out.shape, out.size
        if a.dtype not in NATIVE:
            through_int64(call, out, a, b)
        elif not out.flags.c_contiguous:
            into_strided(call, out, a, b)
        elif size <= SERIAL and (
            (own := a.shape) == b.shape or (b.size == 1 and own == shape) or (a.size == 1 and b.shape == shape)
        ):
            if size:
                kernel(a.ravel(), b.ravel(), out.ravel())
        elif size:
            _broadcast(kernel, strided, a, b, out)

    call.__name__ = call.__qualname__ = name
    return call


def _period(x: Array, shape: tuple[int, ...]) -> bool:
    """Whether the elements of ``x``, repeated, are those of ``x`` broadcast to ``shape``."""
    own = x.shape
    while own and own[0] == 1:
        own = own[1:]
    return bool(own == shape[len(shape) - len(own) :])


def _broadcast(kernel: Any, strided: Any, a: Array, b: Array, out: Array) -> None:
    shape = out.shape
    if a.flags.c_contiguous and b.flags.c_contiguous and _period(a, shape) and _period(b, shape):
        kernel(a.ravel(), b.ravel(), out.ravel())
        return
    if a.dtype.kind == "f":  # integers are rarely large or strided: they do without a second kernel
        plan = collapse(shape, ((a.shape, a.strides), (b.shape, b.strides)))
        first_a, first_b = first_element(a), first_element(b)
        if plan is not None and first_a is not None and first_b is not None:
            strided(first_a, first_b, plan[0], *plan[1], out.ravel())
            return
    kernel(*(flat(x if x.shape == shape else np.broadcast_to(x, shape)) for x in (a, b)), out.ravel())
