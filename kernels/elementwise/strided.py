"""Loops over arrays of any strides, handed over as the address of their first element and byte strides."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from ..jit import jit
from ..parallel import spread
from ..vector import intrinsic
from .loops import EXACT, compiled, inlined, piece

Array = Any
Scalar = Callable[..., Any]

RANK = 4
"""Dimensions of a strided loop; arrays that cannot be collapsed to so few are copied first."""


@intrinsic  # type: ignore[untyped-decorator]
def load(typing_context: Any, array: Any, offset: Any) -> Any:
    """The element ``offset`` bytes from the array's first; the caller answers for its being there."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _loaded(context, builder, signature.args[0], values)

    return array.dtype(array, offset), emit


@intrinsic  # type: ignore[untyped-decorator]
def load_next(typing_context: Any, array: Any, offset: Any, index: Any) -> Any:
    """The element ``index`` places after the one that `load` finds: neighbours, which a loop reads as vectors."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _loaded(context, builder, signature.args[0], values)

    return array.dtype(array, offset, index), emit


def _loaded(context: Any, builder: Any, array: Any, values: Any) -> Any:
    data = context.make_array(array)(context, builder, values[0]).data
    address = builder.bitcast(builder.gep(builder.bitcast(data, ir.IntType(8).as_pointer()), [values[1]]), data.type)
    value = builder.load(builder.gep(address, values[2:]) if values[2:] else address)
    value.align = 1  # a view of a record may lie anywhere
    return context.data_model_manager[array.dtype].from_data(builder, value)


def strided_kernel(name: str, f: Scalar) -> Any:
    """``kernel(a, b, shape, strides_a, strides_b, out)``: any strides, a and b given by their first element.

    Shape and strides (in bytes) are tuples of `RANK`, ``out`` is flat.
    """
    f = inlined(f, f"{name}_scalar")

    def rows(arguments: Any, first: int, last: int) -> None:
        a, b, shape, steps_a, steps_b, out = arguments
        m, size, sa, sb = shape[3], a.itemsize, steps_a[3], steps_b[3]
        rest, k = first // shape[2], first % shape[2]
        i, j = rest // shape[1], rest % shape[1]
        r = first
        while r < last:
            oa = i * steps_a[0] + j * steps_a[1] + k * steps_a[2]
            ob = i * steps_b[0] + j * steps_b[1] + k * steps_b[2]
            # Without a division a row: with one, the next row's loads wait for it.
            stop = min(last, r + shape[2] - k)
            while r < stop:
                to = out[r * m : (r + 1) * m]
                if sa == size and sb == size:
                    for l in range(m):
                        to[l] = f(load_next(a, oa, l), load_next(b, ob, l))
                elif sa == size and sb == 0:
                    y = load(b, ob)
                    for l in range(m):
                        to[l] = f(load_next(a, oa, l), y)
                elif sa == 0 and sb == size:
                    x = load(a, oa)
                    for l in range(m):
                        to[l] = f(x, load_next(b, ob, l))
                else:
                    for l in range(m):
                        to[l] = f(load(a, oa + l * sa), load(b, ob + l * sb))
                oa += steps_a[2]
                ob += steps_b[2]
                r += 1
            k = 0
            j += 1
            if j == shape[1]:
                i, j = i + 1, 0

    rows = compiled(rows, f"{name}_rows")

    def kernel(*arguments: Any) -> None:
        shape, out = arguments[2], arguments[5]
        count = shape[0] * shape[1] * shape[2]
        spread(rows, arguments, count, max(piece(out.size) // shape[3], 1))

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


def broadcast(kernel: Any, a: Array, b: Array, out: Array) -> bool:
    """Run a `strided_kernel` on arrays that broadcast; False where they cannot be handed to it."""
    if not out.size:  # one of the arrays may have no first element
        return True
    plan = collapse(out.shape, ((a.shape, a.strides), (b.shape, b.strides)))
    first_a, first_b = first_element(a), first_element(b)
    if plan is None or first_a is None or first_b is None:
        return False
    kernel(first_a, first_b, plan[0], *plan[1], out.ravel())
    return True
