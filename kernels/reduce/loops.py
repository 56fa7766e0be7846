"""The compiled loops of the reductions, made once for each kind of accumulation.

A ``rows`` kernel reduces a (outer, rows, inner, run) array over rows and contiguous runs, a
``columns`` kernel a (outer, rows, inner) array over rows, several columns at a time. Both cut the
work into parts of fixed size, accumulate each and merge the parts in order, so the result does not
depend on the number of threads. Sums of floats are kept in float64, a block at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..jit import jit
from ..near import bring, step
from ..parallel import each, share
from ..vector import maximum, minimum
from .plan import HEIGHT, RUN

BLOCK = 1024  # elements summed before they join the total: bounds the error of long sums
WIDTH = 256  # columns of one part: their accumulators stay in the first-level cache

Kernels = tuple[Any, Any]  # rows, columns
Function = Callable[..., Any]


def _make(kind: str, run: Function, single: Function, join: Function, finish: Function) -> Kernels:
    """The two kernels of one kind.

    Args:
        kind: names them.
        run: ``run(x, center, taken)`` accumulates a contiguous array that is not empty; ``taken`` is `near.step`'s.
        single: ``single(value, center)`` is what one element adds.
        join: ``join(a, b)`` merges two accumulators.
        finish: ``finish(total, divisor)`` is the result.
    """

    @jit(inline=True)
    def rows_part(task, x, partial, rows, inner, size, height, parts, centers):  # type: ignore[no-untyped-def]
        across = (size + RUN - 1) // RUN
        output, part = task // parts, task % parts
        first, left = part // across * height, part % across * RUN
        length = min(RUN, size - left)
        start = (output // inner * rows * inner + output % inner) * size + left
        center = centers[output] if centers.size else 0.0
        at = start + first * inner * size
        taken = step(x.size)
        total = run(x[at : at + length], center, taken)
        for row in range(first + 1, min(first + height, rows)):
            at = start + row * inner * size
            total = join(total, run(x[at : at + length], center, taken))
        partial[task] = total

    @jit(name=f"{kind}_rows")
    def rows_kernel(x, out, partial, rows, inner, size, height, centers, divisor):  # type: ignore[no-untyped-def]
        parts = ((rows + height - 1) // height) * ((size + RUN - 1) // RUN)
        arguments = (x, partial, rows, inner, size, height, parts, centers)
        each(rows_part, arguments, partial.size, share(partial.size, x.size))
        for output in range(out.size):
            total = partial[output * parts]
            for part in range(1, parts):
                total = join(total, partial[output * parts + part])
            out[output] = finish(total, divisor)

    @jit(inline=True)
    def columns_part(task, x, partial, rows, inner, centers):  # type: ignore[no-untyped-def]
        across = (inner + WIDTH - 1) // WIDTH
        parts = (rows + HEIGHT - 1) // HEIGHT
        stripe, left = task // across, task % across * WIDTH
        outer, first = stripe // parts, stripe % parts * HEIGHT
        length, last = min(WIDTH, inner - left), min(first + HEIGHT, rows)
        total = partial[stripe * inner + left : stripe * inner + left + length]
        start = outer * rows * inner + left
        at = start + first * inner
        a = x[at : at + length]
        if centers.size:
            center = centers[outer * inner + left : outer * inner + left + length]
            for k in range(length):
                total[k] = single(a[k], center[k])
            for row in range(first + 1, last):
                at = start + row * inner
                a = x[at : at + length]
                for k in range(length):
                    total[k] = join(total[k], single(a[k], center[k]))
        else:
            for k in range(length):
                total[k] = single(a[k], 0.0)
            row, taken = first + 1, step(x.size) if length == WIDTH else 0
            while row + 4 <= last:
                at = start + row * inner
                a, b = x[at : at + length], x[at + inner : at + inner + length]
                at += 2 * inner
                c, d = x[at : at + length], x[at + inner : at + inner + length]
                for ahead in range(2, 6):  # the next four rows
                    bring(x, at + ahead * inner, length, taken)
                for k in range(length):
                    upper = join(single(a[k], 0.0), single(b[k], 0.0))
                    total[k] = join(total[k], join(upper, join(single(c[k], 0.0), single(d[k], 0.0))))
                row += 4
            for rest in range(row, last):
                at = start + rest * inner
                a = x[at : at + length]
                for k in range(length):
                    total[k] = join(total[k], single(a[k], 0.0))

    @jit(inline=True)
    def merge(outer, partial, out, parts, inner, divisor):  # type: ignore[no-untyped-def]
        total = partial[outer * parts * inner : outer * parts * inner + inner]
        for part in range(1, parts):
            at = (outer * parts + part) * inner
            more = partial[at : at + inner]
            for k in range(inner):
                total[k] = join(total[k], more[k])
        for k in range(inner):
            out[outer * inner + k] = finish(total[k], divisor)

    @jit(name=f"{kind}_columns")
    def columns_kernel(x, out, partial, rows, inner, centers, divisor):  # type: ignore[no-untyped-def]
        parts = (rows + HEIGHT - 1) // HEIGHT
        tasks = partial.size // inner * ((inner + WIDTH - 1) // WIDTH)
        outer = out.size // inner
        each(columns_part, (x, partial, rows, inner, centers), tasks, share(tasks, x.size))
        each(merge, (partial, out, parts, inner, divisor), outer, share(outer, partial.size))

    return rows_kernel, columns_kernel


@jit(inline=True)
def _value(value, center):  # type: ignore[no-untyped-def]
    return value


@jit(inline=True)
def _float64(value, center):  # type: ignore[no-untyped-def]
    return np.float64(value)


@jit(inline=True)
def _int64(value, center):  # type: ignore[no-untyped-def]
    return np.int64(value)


@jit(inline=True)
def _square(value, center):  # type: ignore[no-untyped-def]
    return (np.float64(value) - center) * (np.float64(value) - center)


@jit(inline=True)
def _sum_floats(x, center, taken):  # type: ignore[no-untyped-def]
    total = 0.0
    most = min(BLOCK, taken)
    for start in range(0, x.size, most):
        block = x[start : min(start + most, x.size)]  # indices from zero: no wrap-around stands in a vector's way
        bring(block, 2 * block.size, block.size, taken)
        part = 0.0
        for k in range(block.size):
            part += np.float64(block[k])
        total += part
    return total


@jit(inline=True)
def _sum_squares(x, center, taken):  # type: ignore[no-untyped-def]
    total = 0.0
    most = min(BLOCK, taken)
    for start in range(0, x.size, most):
        block = x[start : min(start + most, x.size)]
        bring(block, 2 * block.size, block.size, taken)
        part = 0.0
        for k in range(block.size):
            difference = np.float64(block[k]) - center
            part += difference * difference
        total += part
    return total


@jit(inline=True)
def _sum_integers(x, center, taken):  # type: ignore[no-untyped-def]
    total = np.int64(0)
    for k in range(x.size):
        total += np.int64(x[k])
    return total


@jit(inline=True)
def _product_floats(x, center, taken):  # type: ignore[no-untyped-def]
    total = 1.0
    for k in range(x.size):
        total *= np.float64(x[k])
    return total


@jit(inline=True)
def _product_integers(x, center, taken):  # type: ignore[no-untyped-def]
    total = np.int64(1)
    for k in range(x.size):
        total *= np.int64(x[k])
    return total


@jit(inline=True)
def largest(x, center=0.0, taken=0):  # type: ignore[no-untyped-def]
    """The largest float, NaN where there is one."""
    result = x[0]
    for k in range(x.size):
        result = maximum(result, x[k])
    return result


@jit(inline=True)
def smallest(x, center=0.0, taken=0):  # type: ignore[no-untyped-def]
    """The smallest float, NaN where there is one."""
    result = x[0]
    for k in range(x.size):
        result = minimum(result, x[k])
    return result


@jit(inline=True)
def largest_integer(x, center=0.0, taken=0):  # type: ignore[no-untyped-def]
    """The largest integer."""
    result = x[0]
    for k in range(x.size):
        result = max(result, x[k])
    return result


@jit(inline=True)
def smallest_integer(x, center=0.0, taken=0):  # type: ignore[no-untyped-def]
    """The smallest integer."""
    result = x[0]
    for k in range(x.size):
        result = min(result, x[k])
    return result


@jit(inline=True)
def _add(a, b):  # type: ignore[no-untyped-def]
    return a + b


@jit(inline=True)
def _multiply(a, b):  # type: ignore[no-untyped-def]
    return a * b


@jit(inline=True)
def _maximum(a, b):  # type: ignore[no-untyped-def]
    return maximum(a, b)


@jit(inline=True)
def _minimum(a, b):  # type: ignore[no-untyped-def]
    return minimum(a, b)


@jit(inline=True)
def _larger(a, b):  # type: ignore[no-untyped-def]
    return a if a > b else b


@jit(inline=True)
def _smaller(a, b):  # type: ignore[no-untyped-def]
    return a if a < b else b


@jit(inline=True)
def _total(total, divisor):  # type: ignore[no-untyped-def]
    return total


@jit(inline=True)
def _quotient(total, divisor):  # type: ignore[no-untyped-def]
    return total / divisor


@jit(inline=True)
def _root(total, divisor):  # type: ignore[no-untyped-def]
    return math.sqrt(total / divisor)


SUM = _make("sum", _sum_floats, _float64, _add, _quotient)
SUM_INTEGERS = _make("sum_integers", _sum_integers, _int64, _add, _total)
SQUARES = _make("squares", _sum_squares, _square, _add, _quotient)
ROOTS = _make("roots", _sum_squares, _square, _add, _root)
PRODUCT = _make("product", _product_floats, _float64, _multiply, _total)
PRODUCT_INTEGERS = _make("product_integers", _product_integers, _int64, _multiply, _total)
AMAX = _make("amax", largest, _value, _maximum, _total)
AMIN = _make("amin", smallest, _value, _minimum, _total)
AMAX_INTEGERS = _make("amax_integers", largest_integer, _value, _larger, _total)
AMIN_INTEGERS = _make("amin_integers", smallest_integer, _value, _smaller, _total)
