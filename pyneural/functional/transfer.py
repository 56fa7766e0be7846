"""Between devices and dtypes."""

from __future__ import annotations

from typing import Any

from pyneural.autograd.function import Function
from pyneural.device import Device
from pyneural.device import device as find_device
from pyneural.kernels import Backend
from pyneural.tensor import Tensor, check_dtype

from .operands import cast


class ToDevice(Function):
    """A copy on another device; the gradient travels back."""

    def __init__(self, target: Device) -> None:
        self.target = target

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.source = x.device
        return self.target.take_over(x.array, x.device)

    def backward(self, grad: Tensor) -> Any:
        return ToDevice(self.source)(grad)


def to(self: Tensor, *targets: Any, dtype: Any = None, device: Any = None, copy: bool = False) -> Tensor:
    """The tensor on another device or in another dtype: ``to("cpu")``, ``to(float64)``, ``to(other)``.

    Itself if nothing changes, unless ``copy``.
    """
    wanted, target = destination(targets, dtype, device)
    result = self
    if wanted is not None:
        result = cast(result, wanted)
    if target is not None and target is not result.device:
        result = ToDevice(target)(result)
    if copy and result is self:
        result = self.clone()
    return result


def destination(targets: tuple[Any, ...], dtype: Any = None, device: Any = None) -> tuple[Any, Device | None]:
    """The dtype and the device that arguments of ``to`` name, each None where none does.

    Raises:
        TypeError, ValueError: an argument names neither.
    """
    for each in targets:
        if isinstance(each, Tensor):
            dtype, device = each.dtype, each.device
        elif isinstance(each, Device) or (isinstance(each, str) and _dtype_or_none(each) is None):
            device = each
        else:
            dtype = each
    return (
        None if dtype is None else check_dtype("to", dtype),
        None if device is None else find_device(device),
    )


def _dtype_or_none(name: str) -> Any:
    try:
        return check_dtype("to", name)
    except TypeError:
        return None
