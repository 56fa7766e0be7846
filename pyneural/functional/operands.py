"""How the operands of an operation become tensors of one dtype, by PyTorch's rules.

Dimensioned tensors decide the dtype; a 0-d tensor only matters if its category (bool, integer,
floating) is higher; a Python number likewise, with the default dtype for a float.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from pyneural import recording
from pyneural.autograd.grad_mode import is_grad_enabled
from pyneural.device import Device
from pyneural.kernels import dtypes
from pyneural.tensor import Tensor, get_default_dtype

Operand = Any  # a Tensor or a Python number


@functools.lru_cache(maxsize=1024)
def _constant(value: Any, dtype: np.dtype[Any], device: Device) -> Tensor:
    with recording.paused():
        return Tensor._over(device.full((), value, dtype), device)


def constant(value: Any, dtype: np.dtype[Any], device: Device) -> Tensor:
    """A number as a 0-d tensor that nobody may change."""
    # 0.0 and -0.0 are equal keys, and NaN never equals its own: both stay out of the cache.
    if value == 0 or value != value:
        return _constant.__wrapped__(value, dtype, device)
    return _constant(value, dtype, device)


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating))


def _number_dtype(value: Any, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of an operation between a Python number and a tensor of ``dtype``."""
    if isinstance(value, (bool, np.bool_)):
        return dtype
    if isinstance(value, (int, np.integer)):
        return dtypes.int64 if dtype == dtypes.bool_ else dtype
    return dtype if dtypes.is_floating(dtype) else get_default_dtype()


def result_dtype(a: Tensor, b: Tensor) -> np.dtype[Any]:
    """The dtype of an operation between two tensors."""
    x, y = a.dtype, b.dtype
    if x == y:
        return x
    if (a.array.ndim == 0) != (b.array.ndim == 0):
        weak, strong = (x, y) if a.array.ndim == 0 else (y, x)
        if dtypes.category(weak) <= dtypes.category(strong):
            return strong
        return weak if not dtypes.is_floating(weak) else dtypes.promote(weak, strong)
    return dtypes.promote(x, y)


def pair(operation: str, a: Operand, b: Operand) -> tuple[Tensor, Tensor]:
    """Two operands as tensors of one dtype on one device.

    Raises:
        TypeError: neither is a tensor, or one is neither tensor nor number.
    """
    if type(a) is Tensor and type(b) is Tensor:
        if a.array.dtype is b.array.dtype:
            return a, b
        dtype = result_dtype(a, b)
        return cast(a, dtype), cast(b, dtype)
    if isinstance(a, Tensor):
        if isinstance(b, Tensor):
            dtype = result_dtype(a, b)
            return cast(a, dtype), cast(b, dtype)
        value, dtype = number(operation, b, a)
        return cast(a, dtype), value
    if isinstance(b, Tensor):
        value, dtype = number(operation, a, b)
        return value, cast(b, dtype)
    raise TypeError(f"{operation}: expected a tensor and a tensor or number, not {_kind(a)} and {_kind(b)}")


def number(operation: str, value: Any, other: Tensor) -> tuple[Tensor, np.dtype[Any]]:
    """A Python number beside a tensor: as a constant, and the dtype that both have in the operation."""
    if not _is_number(value):
        if isinstance(value, np.ndarray):
            raise TypeError(f"{operation}: mixing a tensor and a NumPy array is ambiguous; use Tensor(array)")
        raise TypeError(f"{operation}: expected a tensor or a number, not {_kind(value)}")
    dtype = _number_dtype(value, other.array.dtype)
    if not dtypes.is_floating(dtype) and dtype != dtypes.bool_:
        limits = np.iinfo(dtype)
        if not limits.min <= value <= limits.max:
            raise OverflowError(f"{operation}: {value} does not fit into {dtype}")
    return constant(value, dtype, other.device), dtype


def as_tensor(operation: str, value: Operand, like: Tensor) -> Tensor:
    """A tensor as it is; a number as a constant of the dtype it has beside ``like``."""
    return value if isinstance(value, Tensor) else number(operation, value, like)[0]


def require_tensor(operation: str, **values: Any) -> None:
    """Raise TypeError unless every value (None passes) is a tensor."""
    for name, value in values.items():
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"{operation}: {name} must be a tensor, not {_kind(value)}")


def require_constant(operation: str, **values: Tensor | None) -> None:
    """Raise RuntimeError where a gradient is wanted by a tensor (None passes) that an operation has none for."""
    for name, value in values.items():
        if value is not None and value.requires_grad and is_grad_enabled():
            raise RuntimeError(
                f"{operation}: {name} of shape {value.shape} requires a gradient, but its derivative is not defined; "
                f"use {name}.detach()"
            )


REDUCTIONS = ("mean", "sum", "none")


def require_reduction(operation: str, reduction: str) -> None:
    """Raise ValueError unless the reduction of a loss is a known one."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{operation}: reduction (={reduction!r}) must be one of {', '.join(map(repr, REDUCTIONS))}")


def cast(tensor: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """The tensor in another dtype, recorded; itself if it has that dtype."""
    if tensor.array.dtype == dtype:
        return tensor
    from .elementwise import Cast

    return Cast(dtype)(tensor)  # type: ignore[no-any-return]


def floating(tensor: Tensor) -> Tensor:
    """An integer or bool tensor in the default floating dtype; a floating one as it is."""
    return tensor if dtypes.is_floating(tensor.array.dtype) else cast(tensor, get_default_dtype())


def _kind(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f"float ({value})"
    return type(value).__name__
