"""`Parameter`: a tensor that a module trains."""

from __future__ import annotations

from typing import Any

from pyneural.tensor import Tensor


class Parameter(Tensor):
    """A leaf tensor that a `Module` registers when it is assigned to one of its attributes.

    Operations on it give plain tensors.

    Args:
        data: a tensor, whose memory it shares, or data for a new one.
        requires_grad: whether it is trained.

    Raises:
        RuntimeError: ``requires_grad`` with an integer or bool dtype.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        source = data if isinstance(data, Tensor) else Tensor(data)
        self._set(source.array, source.device)
        self._version = source._version
        self._view = -1 if isinstance(data, Tensor) else 0
        if requires_grad:
            self.requires_grad_()

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        copy = Parameter(self._copy(), self.requires_grad)
        if self.grad is not None:
            copy.grad = self.grad._copy()
        memo[id(self)] = copy
        return copy
