"""New tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyneural.device import device as find_device
from pyneural.device import get_default_device
from pyneural.kernels import dtypes
from pyneural.tensor import Tensor, check_dtype, get_default_dtype

from .operands import require_tensor


def shape_of(operation: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    """``f(2, 3)`` and ``f((2, 3))`` alike; ValueError for a negative length."""
    given = size[0] if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    shape = []
    for each in given:
        if isinstance(each, bool) or not hasattr(each, "__index__"):
            raise TypeError(f"{operation}: a length must be an int, not {each!r}")
        shape.append(each.__index__())
    if min(shape, default=0) < 0:
        raise ValueError(f"{operation}: size (={tuple(shape)}) has a negative length")
    return tuple(shape)


def _made(operation: str, array: np.ndarray, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    target = get_default_device() if device is None else find_device(device)
    tensor = Tensor._over(target.from_host(array.astype(check_dtype(operation, dtype), copy=False)), target)
    return tensor.requires_grad_() if requires_grad else tensor


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of copied data (see `pyneural.Tensor`)."""
    return Tensor(data, dtype, device, requires_grad)


def full(size: Any, fill_value: float, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Every element ``fill_value``; its dtype follows the value as in `tensor`."""
    shape = shape_of("full", (tuple(size) if isinstance(size, (tuple, list)) else (size,),))
    if dtype is None:
        kinds = {bool: dtypes.bool_, int: dtypes.int64}
        dtype = kinds.get(type(fill_value), get_default_dtype())
    target = get_default_device() if device is None else find_device(device)
    result = Tensor._over(target.full(shape, fill_value, check_dtype("full", dtype)), target)
    return result.requires_grad_() if requires_grad else result


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Every element 0."""
    shape = shape_of("zeros", size)
    return full(shape, 0.0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Every element 1."""
    shape = shape_of("ones", size)
    return full(shape, 1.0, dtype=dtype, device=device, requires_grad=requires_grad)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Uninitialised memory."""
    shape = shape_of("empty", size)
    target = get_default_device() if device is None else find_device(device)
    chosen = check_dtype("empty", get_default_dtype() if dtype is None else dtype)
    result = Tensor._over(target.empty(shape, chosen), target)
    return result.requires_grad_() if requires_grad else result


def zeros_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of another tensor's shape, dtype and device."""
    require_tensor("zeros_like", input=input)
    return full(input.shape, 0, dtype=dtype or input.dtype, device=device or input.device, requires_grad=requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of another tensor's shape, dtype and device."""
    require_tensor("ones_like", input=input)
    return full(input.shape, 1, dtype=dtype or input.dtype, device=device or input.device, requires_grad=requires_grad)


def new_zeros(self: Tensor, size: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of another shape, with this tensor's dtype and device unless others are named."""
    return full(size, 0, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad)


def new_ones(self: Tensor, size: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of another shape, with this tensor's dtype and device unless others are named."""
    return full(size, 1, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad)


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``start``, ``start + step`` ... below ``end``; int64 if all three are integers."""
    if end is None:
        start, end = 0, start
    if step == 0:
        raise ValueError("arange: step (=0) must not be 0")
    integral = all(isinstance(each, (int, np.integer)) for each in (start, end, step))
    chosen = dtype or (dtypes.int64 if integral else get_default_dtype())
    return _made("arange", np.arange(start, end, step), chosen, device, requires_grad)


def linspace(
    start: float, end: float, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``steps`` evenly spaced numbers from ``start`` to ``end``, both included."""
    if steps < 0:
        raise ValueError(f"linspace: steps (={steps}) must not be negative")
    return _made("linspace", np.linspace(start, end, steps), dtype or get_default_dtype(), device, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal of an (n, m) matrix."""
    rows, columns = shape_of("eye", (n, n if m is None else m))
    return _made("eye", np.eye(rows, columns), dtype or get_default_dtype(), device, requires_grad)
