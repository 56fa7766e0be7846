"""Mixed precision: operations that gain from 16 bits compute in them, those that lose by them in float32.

`pyneural.functional` asks `lowered` in matrix products, linear layers, convolutions and attention, and `raised`
in softmax and the losses. Outside an `autocast` block that is one comparison.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from pyneural.autograd.autocast_mode import state
from pyneural.autograd.grad_mode import is_grad_enabled
from pyneural.kernels import dtypes
from pyneural.tensor import Tensor, check_dtype

F = TypeVar("F", bound=Callable[..., Any])
DEVICE_TYPES = ("cpu", "reference", "cuda", "simulator")


class autocast:
    """Compute in mixed precision inside a ``with`` block or a decorated function::

        with pyneural.autocast("cpu", dtype=pyneural.bfloat16):
            loss = loss_function(model(x), y)
        loss.backward()

    Parameters stay in float32, and so do their gradients. Matrix products, linear layers, convolutions and
    attention take their operands in ``dtype`` and accumulate in float32; softmax and losses take theirs in
    float32; normalisations keep their statistics in float32; the others compute in what they are given.
    float64 tensors are left alone. Backward needs no block, and takes no notice of one. Blocks nest; each
    thread has its own.

    Source: Micikevicius et al., Mixed Precision Training, ICLR 2018, arXiv:1710.03740.

    Args:
        device_type: whose tensors are meant: "cpu", "reference", "cuda" or "simulator".
        dtype: bfloat16 or float16; None for bfloat16, on "cuda" float16.
        enabled: False computes as if there were no block, also inside another.
        cache_enabled: convert a parameter once in a block, however often it is used. Every use then shares
            one record in the graph.

    Raises:
        ValueError: an unknown device type.
        TypeError: another dtype.
    """

    def __init__(self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool = True) -> None:
        if device_type not in DEVICE_TYPES:
            raise ValueError(f"autocast: device_type (={device_type!r}) must be one of {_listed(DEVICE_TYPES)}")
        if dtype is None:
            half = dtypes.float16 if device_type == "cuda" else (dtypes.bfloat16 or dtypes.float16)
        else:
            half = check_dtype("autocast", dtype)
        if not dtypes.is_half(half):
            raise TypeError(f"autocast: dtype must be {' or '.join(map(str, dtypes.HALVES))}, not {half}")
        self.device_type, self.dtype = device_type, half
        self.enabled, self.cache_enabled = bool(enabled), bool(cache_enabled)
        self._before: list[tuple[Any, Any]] = []

    def __enter__(self) -> autocast:
        self._before.append((state.targets, state.cache))
        targets = dict(state.targets or {})
        targets.pop(self.device_type, None)
        if self.enabled:
            targets[self.device_type] = self.dtype
        state.targets = targets or None
        state.cache = {} if self.cache_enabled else None
        return self

    def __exit__(self, *exception: object) -> None:
        state.targets, state.cache = self._before.pop()

    def __call__(self, function: F) -> F:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with autocast(self.device_type, self.dtype, self.enabled, self.cache_enabled):
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


def is_autocast_enabled(device_type: str = "cpu") -> bool:
    """True inside an enabled `autocast` block for this device type."""
    return state.targets is not None and device_type in state.targets


def lowered(*tensors: Any) -> tuple[Any, ...]:
    """Operands in the 16 bits of the block for their device, for an operation that accumulates in float32."""
    return tuple([_lowered(each) for each in tensors])


def raised(*tensors: Any) -> tuple[Any, ...]:
    """16-bit operands in float32 where a block is active for their device."""
    return tuple(
        [
            _converted(each, dtypes.float32)
            if isinstance(each, Tensor) and dtypes.is_half(each.array.dtype) and each.device.type in _targets()
            else each
            for each in tensors
        ]
    )


def _targets() -> dict[str, np.dtype[Any]]:
    return state.targets or {}


def _lowered(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    half = _targets().get(value.device.type)
    dtype = value.array.dtype
    if half is None or dtype == half or dtype == dtypes.float64 or not dtypes.is_floating(dtype):
        return value
    return _converted(value, half)


def _converted(tensor: Tensor, dtype: np.dtype[Any]) -> Tensor:
    cache = state.cache  # by id: a leaf, its version, and what it became
    # Only what is used again and again, and only where its record in the graph serves every use.
    if cache is None or tensor._node is not None or not tensor.requires_grad or not is_grad_enabled():
        return tensor.to(dtype)  # type: ignore[no-any-return]
    found = cache.get(id(tensor))
    if found is not None:
        source, version, target, result = found
        if source is tensor and version == tensor._version[0] and target == dtype:
            return result  # type: ignore[no-any-return]
    result = tensor.to(dtype)
    cache[id(tensor)] = (tensor, tensor._version[0], dtype, result)
    return result  # type: ignore[no-any-return]


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names))
