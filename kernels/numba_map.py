"""Element-by-element kernels of the backend ``numba_cuda``, made from scalar functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .numba_launch import Kernel, broadcast_layout, cuda, device, flat_grid, offset, written

__all__ = ["apply", "mapped"]

Array = Any


def _same(x: Any) -> Any:
    return x


as_it_is = device(_same)


@functools.cache
def mapped(scalar: Callable[..., Any], real: Any, inputs: int, plain: bool) -> Kernel:
    """The kernel of a function of so many elements and two attributes.

    Elements are handed to it as the type ``real``, or as they are where that is None. The arrays are contiguous and
    of one shape, or have a layout.
    """
    wide = as_it_is if real is None else real
    function = device(scalar)

    def unary(x: Array, out: Array, count: int, a: Any, b: Any) -> None:
        for i in range(cuda.grid(1), count, cuda.gridsize(1)):
            out[i] = function(wide(x[i]), a, b)

    def binary(x: Array, y: Array, out: Array, count: int, a: Any, b: Any) -> None:
        for i in range(cuda.grid(1), count, cuda.gridsize(1)):
            out[i] = function(wide(x[i]), wide(y[i]), a, b)

    def unary_strided(shape: Any, x: Array, start: int, steps: Any, out: Array, count: int, a: Any, b: Any) -> None:
        for i in range(cuda.grid(1), count, cuda.gridsize(1)):
            out[i] = function(wide(x[start + offset(i, shape, steps)]), a, b)

    def binary_strided(
        shape: Any, x: Array, start: int, steps: Any, y: Array, start_y: int, steps_y: Any, out: Array, count: int,
        a: Any, b: Any,
    ) -> None:  # fmt: skip
        for i in range(cuda.grid(1), count, cuda.gridsize(1)):
            left = wide(x[start + offset(i, shape, steps)])
            out[i] = function(left, wide(y[start_y + offset(i, shape, steps_y)]), a, b)

    def ternary_strided(
        shape: Any, x: Array, start: int, steps: Any, y: Array, start_y: int, steps_y: Any,
        z: Array, start_z: int, steps_z: Any, out: Array, count: int, a: Any, b: Any,
    ) -> None:  # fmt: skip
        for i in range(cuda.grid(1), count, cuda.gridsize(1)):
            first = wide(x[start + offset(i, shape, steps)])
            second = wide(y[start_y + offset(i, shape, steps_y)])
            out[i] = function(first, second, wide(z[start_z + offset(i, shape, steps_z)]), a, b)

    kernels = {
        (1, True): unary,
        (2, True): binary,
        (1, False): unary_strided,
        (2, False): binary_strided,
        (3, False): ternary_strided,
    }
    chosen: Any = kernels[inputs, plain]
    chosen.__name__ = scalar.__name__.lstrip("_")
    return Kernel(chosen)


def apply(
    scalar: Callable[..., Any], arrays: tuple[Array, ...], out: Array, a: Any = 0, b: Any = 0, *, real: Any = None
) -> None:
    """``out = scalar(*arrays, a, b)``, element by element, of arrays that broadcast to the shape of ``out``.

    Elements and attributes are of the type ``real``, or of the last array's where that is None.
    """
    if out.size == 0:
        return
    plain = len(arrays) < 3 and all(each.shape == out.shape and each.flags.c_contiguous for each in arrays)
    kind = arrays[-1].dtype.type if real is None else real
    run = mapped(scalar, real, len(arrays), plain)
    with written(out) as result:
        inputs: tuple[Any, ...] = (
            tuple(each.reshape(-1) for each in arrays) if plain else broadcast_layout(run.name, out.shape, *arrays)
        )
        run[flat_grid(out.size)](*inputs, result, out.size, kind(a), kind(b))
