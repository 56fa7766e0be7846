"""The one place where operations become methods and operators of `Tensor`."""

from __future__ import annotations

from typing import Any

from pyneural.kernels import dtypes
from pyneural.tensor import Tensor

from . import (
    activation,
    creation,
    elementwise,
    embedding,
    inplace,
    layout,
    matmul,
    pieces,
    random,
    reduce,
    softmax,
    transfer,
)
from .matmul import matmul as product

_METHODS = {
    elementwise: (
        "add sub mul div pow maximum minimum neg abs sign exp log log1p sqrt rsqrt sin cos clamp logical_not "
        "eq ne lt le gt ge"
    ),
    activation: "relu sigmoid tanh",
    softmax: "softmax log_softmax logsumexp",
    reduce: "sum mean prod var std amax amin argmax argmin cumsum any all",
    matmul: "matmul mm bmm",
    layout: "roll tril triu flatten transpose squeeze unsqueeze narrow clone contiguous",
    pieces: "split chunk unbind",
    embedding: "gather scatter_add index_select take_along_dim",
    creation: "new_zeros new_ones",
    random: "bernoulli",
    transfer: "to",
    inplace: "add_ sub_ mul_ div_ pow_ neg_ exp_ log_ sqrt_ clamp_ copy_ fill_ zero_",
}


def _variadic(function: Any) -> Any:
    """A method that takes ``x.f(2, 3)`` as well as ``x.f((2, 3))``."""

    def method(self: Tensor, *sizes: Any) -> Tensor:
        given = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
        return function(self, given)  # type: ignore[no-any-return]

    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = function.__doc__
    return method


def _where(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """This tensor where ``condition`` is true, else ``other``."""
    return elementwise.where(condition, self, other)


def _reversed(function: Any) -> Any:
    def operator(self: Tensor, other: Any) -> Any:
        return function(other, self)

    return operator


def _iterate(self: Tensor) -> Any:
    if self.ndim == 0:
        raise TypeError("iter: a 0-d tensor cannot be iterated over")
    return (self[i] for i in range(self.shape[0]))


def _as(dtype: Any, name: str) -> Any:
    def method(self: Tensor) -> Tensor:
        return elementwise.to_dtype(self, dtype)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"In dtype {dtype}: itself if it has it."
    return method


def _matrix_transpose(self: Tensor) -> Tensor:
    """The last two dimensions exchanged."""
    if self.ndim < 2:
        raise ValueError(f"mT: a tensor of shape {self.shape} has no matrices")
    return layout.transpose(self, -2, -1)


def _transposed(self: Tensor) -> Tensor:
    """All dimensions in reverse order."""
    return layout.permute(self, tuple(reversed(range(self.ndim))))


def _attach() -> None:
    for module, names in _METHODS.items():
        for name in names.split():
            setattr(Tensor, name, getattr(module, name))
    for name in ("reshape", "permute", "expand", "flip"):
        setattr(Tensor, name, _variadic(getattr(layout, name)))
    methods: dict[str, Any] = {
        "view": _variadic(layout.reshape),
        "where": _where,
        "type_as": lambda self, other: elementwise.to_dtype(self, other.dtype),
        "T": property(_transposed),
        "mT": property(_matrix_transpose),
        "double": _as(dtypes.float64, "double"),
        "float": _as(dtypes.float32, "float"),
        "half": _as(dtypes.float16, "half"),
        "long": _as(dtypes.int64, "long"),
        "int": _as(dtypes.int32, "int"),
        "bool": _as(dtypes.bool_, "bool"),
        "__getitem__": layout.getitem,
        "__setitem__": layout.setitem,
        "__iter__": _iterate,
        "__neg__": elementwise.neg,
        "__abs__": elementwise.abs,
        "__invert__": elementwise.logical_not,
        "__matmul__": product,
        "__rmatmul__": _reversed(product),
    }
    if dtypes.bfloat16 is not None:
        methods["bfloat16"] = _as(dtypes.bfloat16, "bfloat16")
    for operator, name in (("add", "add"), ("sub", "sub"), ("mul", "mul"), ("truediv", "div"), ("pow", "pow")):
        function = getattr(elementwise, name)
        methods[f"__{operator}__"] = function
        methods[f"__r{operator}__"] = _reversed(function)
        methods[f"__i{operator}__"] = getattr(inplace, f"{name}_")
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        methods[f"__{name}__"] = getattr(elementwise, name)
    for name, method in methods.items():
        setattr(Tensor, name, method)


_attach()
