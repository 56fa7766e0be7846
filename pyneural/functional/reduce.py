"""Reductions over dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyneural.autograd.function import Function
from pyneural.kernels import Backend, check
from pyneural.tensor import Tensor, check_dtype

from .elementwise import eq, sqrt
from .layout import expand, reshape
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
    """The square root of `var`."""
    return sqrt(_spread("std", input, dim, unbiased, keepdim, correction))


def _spread(
    operation: str, input: Tensor, dim: Dims, unbiased: bool | None, keepdim: bool, correction: float | None
) -> Tensor:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise ValueError(f"{operation}: give unbiased (={unbiased}) or correction (={correction}), not both")
    if correction is None:
        correction = 0 if unbiased is False else 1
    return Var(_normalized(operation, input, dim), correction, keepdim)(input)  # type: ignore[no-any-return]


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
