"""Many arrays handed to one compiled kernel as a table of addresses, whatever their number and shapes.

Numba compiles a kernel anew for every length of a tuple of arrays; a table of integers it takes as is.
The caller keeps the arrays alive, and C-contiguous, while the kernel runs.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import extending
from numba.core import types

Array = Any
carray: Any = numba.carray  # type: ignore[attr-defined]
intrinsic: Any = extending.intrinsic  # its own annotations fit no use of it


def address(array: Array) -> int:
    """Where a C-contiguous array's elements begin."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # four times faster than array.ctypes.data
    except (TypeError, ValueError):  # read-only, or empty
        return int(array.ctypes.data)


def table(*lists: Sequence[Array]) -> Array:
    """The addresses of the arrays, (number of lists, length of a list) of int64."""
    return np.array([[address(array) for array in each] for each in lists], np.int64).reshape(len(lists), -1)


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def pointer(typing_context: Any, like: Any, location: Any) -> Any:
    """The integer ``location`` as a pointer to elements of the dtype of the array ``like``, for `numba.carray`."""
    if not (isinstance(like, types.Array) and isinstance(location, types.Integer)):
        return None

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        element = context.get_data_type(signature.return_type.dtype)
        return builder.inttoptr(values[1], ir.PointerType(element))

    result: Any = types.CPointer
    return result(like.dtype)(like, location), emit
