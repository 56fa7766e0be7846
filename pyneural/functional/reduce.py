"""Reductions over dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyneural.autograd.function import Function
from pyneural.autograd.grad_mode import is_grad_enabled
from pyneural.kernels import Backend, check
from pyneural.tensor import Tensor, check_dtype

from .elementwise import eq, where
from .layout import expand, permute, reshape
from .operands import cast, require_tensor

Dims = int | Sequence[int] | None


def _normalized(operation: str, input: Tensor, dim: Dims) -> tuple[int, ...]:
    """Sorted dimensions; an empty sequence means all of them, as in PyTorch."""
    require_tensor(operation, input=input)
    if not isinstance(dim, int) and dim is not None and len(dim) == 0:
        dim = None
    return check.dims(operation, dim, input.array.ndim)


class _Reduction(Function):
    """Over sorted dimensions ``dims``."""

    def __init__(self, dims: tuple[int, ...], keepdim: bool) -> None:
        self.dims, self.keepdim = dims, keepdim

    def spread(self, reduced: Tensor, shape: tuple[int, ...]) -> Tensor:
        """A result of the reduction, repeated over what it was reduced from (a view)."""
        if not self.keepdim:
            reduced = reshape(reduced, check.reduced_shape(shape, self.dims, True))
        return expand(reduced, shape)

    def count(self, shape: tuple[int, ...]) -> int:
        """How many elements went into each result."""
        number = 1
        for each in self.dims:
            number *= shape[each]
        return number


class Sum(_Reduction):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        return kernels.sum(x.array, dim=self.dims, keepdim=self.keepdim)

    def backward(self, grad: Tensor) -> Any:
        return self.spread(grad, self.shapes[0])


class Mean(_Reduction):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        return kernels.mean(x.array, dim=self.dims, keepdim=self.keepdim)

    def backward(self, grad: Tensor) -> Any:
        return self.spread(grad / max(self.count(self.shapes[0]), 1), self.shapes[0])


class Var(_Reduction):
    def __init__(self, dims: tuple[int, ...], correction: float, keepdim: bool) -> None:
        super().__init__(dims, keepdim)
        self.correction = correction

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        return kernels.var(x.array, dim=self.dims, correction=self.correction, keepdim=self.keepdim)

    def backward(self, grad: Tensor) -> Any:
        (x,) = self.saved
        freedom = self.count(x.shape) - self.correction
        factor = 2.0 / freedom if freedom > 0 else float("nan" if freedom == 0 else "inf")
        return self.spread(grad, x.shape) * (x - mean(x, self.dims, keepdim=True)) * factor


class Std(Var):
    """The square root of the variance; without a gradient where that is 0, as in PyTorch."""

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        self.save_outputs()
        return kernels.std(x.array, dim=self.dims, correction=self.correction, keepdim=self.keepdim)

    def backward(self, grad: Tensor) -> Any:
        (x,), (y,) = self.saved, self.saved_outputs
        freedom = self.count(x.shape) - self.correction
        factor = 1.0 / freedom if freedom > 0 else float("nan" if freedom == 0 else "inf")
        flat = eq(y, 0.0)
        slope = where(flat, 0.0, grad / where(flat, 1.0, y))
        return self.spread(slope, x.shape) * (x - mean(x, self.dims, keepdim=True)) * factor


class Prod(_Reduction):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        self.save_outputs()
        return kernels.prod(x.array, dim=self.dims, keepdim=self.keepdim)

    def backward(self, grad: Tensor) -> Any:
        """The product of the other elements: the product by the element itself, unless that is 0."""
        (x,), (y,) = self.saved, self.saved_outputs
        zero = eq(x, 0.0)
        if not x.device.kernels.any(zero.array).item():
            return self.spread(grad * y, x.shape) / x
        if is_grad_enabled():
            return self.spread(grad, x.shape) * self._others(x)
        # Of a single zero the others' product is a number; beside a zero it is 0.
        without = where(zero, 1.0, x)
        zeros = sum(cast(zero, x.dtype), self.dims, keepdim=True)
        at_zero = where(eq(zeros, 1.0), prod_over(without, self.dims), 0.0)
        elsewhere = where(eq(zeros, 0.0), self.spread(y, x.shape) / without, 0.0)
        return self.spread(grad, x.shape) * where(zero, at_zero, elsewhere)

    def _others(self, x: Tensor) -> Tensor:
        """The product of the others of each element, from all pairs: quadratic, but differentiable at zeros."""
        kept = tuple(i for i in range(x.ndim) if i not in self.dims)
        order = (*kept, *self.dims)
        n = self.count(x.shape)
        rows = reshape(permute(x, order), (*(x.shape[i] for i in kept), 1, n))
        itself = Tensor._over(x.device.from_host(np.eye(n, dtype=bool)), x.device)
        others = prod_over(where(itself, 1.0, expand(rows, (*rows.shape[:-2], n, n))), (rows.ndim - 1,))
        back = tuple(int(i) for i in np.argsort(order))
        return permute(reshape(others, tuple(x.shape[i] for i in order)), back)


class Cumsum(Function):
    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        return kernels.cumsum(x.array, dim=self.dim)

    def backward(self, grad: Tensor) -> Any:
        return CumsumBackward(self.dim)(grad)


class CumsumBackward(Function):
    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, kernels: Backend, grad: Tensor) -> Any:
        return kernels.cumsum_backward(grad.array, dim=self.dim)

    def backward(self, cotangent: Tensor) -> Any:
        return Cumsum(self.dim)(cotangent)


class _Extremum(_Reduction):
    """amax or amin; equal extrema share the gradient evenly."""

    def backward(self, grad: Tensor) -> Any:
        (x,), (y,) = self.saved, self.saved_outputs
        chosen = cast(eq(x, self.spread(y.detach(), x.shape)), grad.dtype)
        return self.spread(grad, x.shape) * chosen / sum(chosen, self.dims, keepdim=True)


class Amax(_Extremum):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        self.save_outputs()
        return kernels.amax(x.array, dim=self.dims, keepdim=self.keepdim)


class Amin(_Extremum):
    def forward(self, kernels: Backend, x: Tensor) -> Any:
        self.save(x)
        self.save_outputs()
        return kernels.amin(x.array, dim=self.dims, keepdim=self.keepdim)


def sum(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over ``dim`` (default: all). Integers and bools are summed in int64."""
    dims = _normalized("sum", input, dim)
    source = input if dtype is None else cast(input, check_dtype("sum", dtype))
    return Sum(dims, keepdim)(source)  # type: ignore[no-any-return]


def mean(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over ``dim`` (default: all); of no elements it is NaN. TypeError for integers."""
    dims = _normalized("mean", input, dim)
    source = input if dtype is None else cast(input, check_dtype("mean", dtype))
    return Mean(dims, keepdim)(source)  # type: ignore[no-any-return]


def var(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The variance over ``dim`` (default: all), divided by ``count - correction``.

    ``unbiased`` is the older way to ask for a correction of 1 (the default) or 0; alone it may stand
    in the place of ``dim``.
    """
    return _spread("var", input, dim, unbiased, keepdim, correction)


def std(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """The square root of `var`; where it is 0, so is its gradient."""
    return _spread("std", input, dim, unbiased, keepdim, correction)


def _spread(
    operation: str, input: Tensor, dim: Dims, unbiased: bool | None, keepdim: bool, correction: float | None
) -> Tensor:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise ValueError(f"{operation}: give unbiased (={unbiased}) or correction (={correction}), not both")
    if correction is None:
        correction = 0 if unbiased is False else 1
    function = Var if operation == "var" else Std
    return function(_normalized(operation, input, dim), correction, keepdim)(input)  # type: ignore[no-any-return]


def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product over ``dim`` (default: all). Integers and bools are multiplied in int64."""
    dims = _normalized("prod", input, dim)
    source = input if dtype is None else cast(input, check_dtype("prod", dtype))
    return Prod(dims, keepdim)(source)  # type: ignore[no-any-return]


def prod_over(input: Tensor, dims: tuple[int, ...]) -> Tensor:
    """The product over sorted dimensions, which keep a length of 1."""
    return Prod(dims, True)(input)  # type: ignore[no-any-return]


def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The sums of the elements up to and with each along ``dim``. Integers and bools are summed in int64."""
    require_tensor("cumsum", input=input)
    source = input if dtype is None else cast(input, check_dtype("cumsum", dtype))
    return Cumsum(check.dim("cumsum", dim, input.ndim))(source)  # type: ignore[no-any-return]


def amax(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The largest element over ``dim``, NaN if there is one; equal ones share the gradient."""
    return Amax(_normalized("amax", input, dim), keepdim)(input)  # type: ignore[no-any-return]


def amin(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The smallest element over ``dim``, NaN if there is one; equal ones share the gradient."""
    return Amin(_normalized("amin", input, dim), keepdim)(input)  # type: ignore[no-any-return]


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The int64 index of the first largest element along ``dim``, or in the flattened tensor; NaN is largest."""
    require_tensor("argmax", input=input)
    return Tensor._over(input.device.kernels.argmax(input.array, dim=dim, keepdim=keepdim), input.device)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The int64 index of the first smallest element along ``dim``, or in the flattened tensor; NaN is smallest."""
    require_tensor("argmin", input=input)
    return Tensor._over(input.device.kernels.argmin(input.array, dim=dim, keepdim=keepdim), input.device)


def any(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether any element over ``dim`` (default: all) is not zero, as bool; NaN is not."""
    dims = _normalized("any", input, dim)
    return Tensor._over(input.device.kernels.any(input.array, dim=dims, keepdim=keepdim), input.device)


def all(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether all elements over ``dim`` (default: all) are not zero, as bool; NaN is not."""
    dims = _normalized("all", input, dim)
    return Tensor._over(input.device.kernels.all(input.array, dim=dims, keepdim=keepdim), input.device)
