"""In-place changes: ``add_``, ``mul_``, ``zero_`` ... with versions, so that a stale saved tensor is noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyneural.autograd.grad_mode import state
from pyneural.kernels import dtypes
from pyneural.tensor import Tensor

from . import elementwise
from .operands import as_tensor, cast


def check_writable(name: str, tensor: Tensor, *operands: Any) -> None:
    """Raise RuntimeError where a change outside the graph would make gradients wrong."""
    if not state.enabled:
        return
    if tensor.requires_grad:
        kind = "a leaf that requires a gradient" if tensor._node is None else "part of a recorded graph"
        raise RuntimeError(f"{name}: the tensor of shape {tensor.shape} is {kind}; change it under no_grad()")
    for each in operands:
        if isinstance(each, Tensor) and each.requires_grad:
            raise RuntimeError(f"{name}: the value requires a gradient, which {name} does not record")


def _replace(name: str, tensor: Tensor, result: Tensor) -> Tensor:
    """Give ``tensor`` the value and the place in the graph of ``result``."""
    if state.enabled and result.requires_grad:
        if tensor.requires_grad and tensor._node is None:
            raise RuntimeError(
                f"{name}: the tensor of shape {tensor.shape} is a leaf that requires a gradient; "
                "change it under no_grad()"
            )
        if tensor._view:
            raise RuntimeError(f"{name}: a view of shape {tensor.shape} cannot be changed inside a recorded graph")
    if result.shape != tensor.shape:
        raise ValueError(f"{name}: the result has shape {result.shape}, the tensor {tensor.shape}")
    if dtypes.category(result.dtype) > dtypes.category(tensor.dtype):
        raise TypeError(f"{name}: a result of dtype {result.dtype} does not fit into a tensor of dtype {tensor.dtype}")
    result = cast(result, tensor.dtype)
    tensor.device.kernels.cast(result.array, dtype=tensor.dtype, out=tensor.array)
    tensor._version[0] += 1
    if result.requires_grad:
        tensor._version[1] += 1
        tensor._node, tensor._slot, tensor.requires_grad = result._node, result._slot, True
    return tensor


def of(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The in-place form of an operation: ``of(add)`` is ``add_``."""
    name = f"{function.__name__}_"

    def inplace(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return _replace(name, self, function(self, *args, **kwargs))

    inplace.__name__ = inplace.__qualname__ = name
    inplace.__doc__ = f"`{function.__name__}` in place; returns the tensor."
    return inplace


def copy_(self: Tensor, source: Any) -> Tensor:
    """Take over the values of ``source``, broadcast and converted; returns the tensor."""
    from .layout import expand

    given = cast(as_tensor("copy_", source, self), self.dtype)
    if given.device is not self.device:
        given = given.to(self.device)
    return _replace("copy_", self, expand(given, self.shape))


def fill_(self: Tensor, value: float) -> Tensor:
    """Set every element to ``value``; returns the tensor."""
    check_writable("fill_", self)
    self.device.engine.fill(self.array, value)
    self._version[0] += 1
    return self


def zero_(self: Tensor) -> Tensor:
    """Set every element to 0; returns the tensor."""
    return fill_(self, 0)


add_ = of(elementwise.add)
sub_ = of(elementwise.sub)
mul_ = of(elementwise.mul)
div_ = of(elementwise.div)
pow_ = of(elementwise.pow)
neg_ = of(elementwise.neg)
exp_ = of(elementwise.exp)
log_ = of(elementwise.log)
sqrt_ = of(elementwise.sqrt)
clamp_ = of(elementwise.clamp)
