"""Unfold and fold with Numba: rows of an image to rows of columns and back, without a padded copy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from .. import memory
from ..check import pair
from ..jit import SERIAL
from ..parallel import run
from ..routine import Routine, clear, data, fields, span
from ..simd import itemsize

Array = np.ndarray[Any, Any]


class Windows(NamedTuple):
    """Arguments of both routines: the images' planes (H, W), and (kernel, kernel, P, Q) for each of them."""

    image: int
    columns: int
    height: int
    width: int
    out_height: int
    out_width: int
    kernel_rows: int
    kernel_columns: int
    dilation_rows: int
    dilation_columns: int
    padding_rows: int
    padding_columns: int
    step_rows: int
    step_columns: int


@Routine
def gather(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Rows ``start...`` of the columns: one tap of one plane, for every window."""
    g = fields(Windows, arguments)
    size: int = itemsize(kind(0))
    for row in range(start, stop):
        s, r = row % g.kernel_columns, row // g.kernel_columns % g.kernel_rows
        plane = g.image + row // g.kernel_columns // g.kernel_rows * g.height * g.width * size
        shift = s * g.dilation_columns - g.padding_columns
        first = max(-(shift // g.step_columns), 0)
        last = max(min((g.width - 1 - shift) // g.step_columns + 1, g.out_width), first)
        for p in range(g.out_height):
            line = g.columns + (row * g.out_height + p) * g.out_width * size
            i = p * g.step_rows + r * g.dilation_rows - g.padding_rows
            if i < 0 or i >= g.height or first >= g.out_width:
                clear(line, g.out_width * size)
                continue
            clear(line, first * size)
            clear(line + last * size, (g.out_width - last) * size)
            count = last - first
            target = span(kind, line + first * size, count)
            start_column = first * g.step_columns + shift
            source = span(kind, plane + (i * g.width + start_column) * size, g.width - start_column)
            if g.step_columns == 1:
                for j in range(count):
                    target[j] = source[j]
            else:
                for j in range(count):
                    target[j] = source[j * g.step_columns]


@Routine
def scatter(kind: Any, arguments: int, start: int, stop: int) -> None:
    """Planes ``start...`` of the images: the sums of what `gather` would take from each pixel."""
    g = fields(Windows, arguments)
    size: int = itemsize(kind(0))
    taps = g.kernel_rows * g.kernel_columns
    for plane in range(start, stop):
        image = g.image + plane * g.height * g.width * size
        clear(image, g.height * g.width * size)
        for tap in range(taps):
            r, s = tap // g.kernel_columns, tap % g.kernel_columns
            shift = s * g.dilation_columns - g.padding_columns
            first = max(-(shift // g.step_columns), 0)
            count = min((g.width - 1 - shift) // g.step_columns + 1, g.out_width) - first
            start_column = first * g.step_columns + shift
            for p in range(g.out_height):
                i = p * g.step_rows + r * g.dilation_rows - g.padding_rows
                if i < 0 or i >= g.height or count <= 0:
                    continue
                line = g.columns + (((plane * taps + tap) * g.out_height + p) * g.out_width + first) * size
                source = span(kind, line, count)
                target = span(kind, image + (i * g.width + start_column) * size, g.width - start_column)
                if g.step_columns == 1:
                    for j in range(count):
                        target[j] += source[j]
                else:
                    for j in range(count):
                        target[j * g.step_columns] += source[j]


def unfold(x: Array, *, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1, out: Array) -> None:
    if not out.flags.c_contiguous:
        result = memory.scratch(out.shape, out.dtype)
        unfold(x, kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride, out=result)
        out[...] = result
    elif out.size:
        image = np.ascontiguousarray(x)
        arguments = _windows(image, out, kernel_size, dilation, padding, stride)
        run(gather[x.dtype], arguments, out.shape[0] * out.shape[1], _piece(out.shape[0] * out.shape[1], out.size))


def fold(
    x: Array,
    *,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
    out: Array,
) -> None:
    if not out.flags.c_contiguous:
        result = memory.scratch(out.shape, out.dtype)
        fold(
            x, output_size=output_size, kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride,
            out=result,
        )  # fmt: skip
        out[...] = result
    elif out.size:
        columns = np.ascontiguousarray(x)
        arguments = _windows(out, columns, kernel_size, dilation, padding, stride)
        planes = out.shape[0] * out.shape[1]
        run(scatter[x.dtype], arguments, planes, _piece(planes, columns.size))


def _piece(items: int, elements: int) -> int:
    """Items of one call: all of them where the work is small, else a few calls for each thread."""
    return items if elements < SERIAL else -(-items // (4 * numba.get_num_threads()))


def _windows(image: Array, columns: Array, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Windows:
    h, w = image.shape[2:]
    kernel, dilations = pair("unfold", "kernel_size", kernel_size, 1), pair("unfold", "dilation", dilation, 1)
    pads, steps = pair("unfold", "padding", padding, 0), pair("unfold", "stride", stride, 1)
    numbers = zip((h, w), kernel, dilations, pads, steps, strict=True)
    p, q = ((n + 2 * pad - d * (k - 1) - 1) // step + 1 for n, k, d, pad, step in numbers)
    return Windows(data(image), data(columns), h, w, p, q, *kernel, *dilations, *pads, *steps)
