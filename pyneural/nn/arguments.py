"""Checks of layers' constructors; each raises with the layer's name and the offending value."""

from __future__ import annotations

import math
from typing import Any

from pyneural.kernels import check


def size(layer: str, **values: Any) -> None:
    """Raise unless every value is an int of at least 1."""
    for name, value in values.items():
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise TypeError(f"{layer}: {name} must be an int, not {value!r}")
        if value < 1:
            raise ValueError(f"{layer}: {name} (={value}) must be at least 1")


def number(layer: str, name: str, value: Any, low: float, high: float = math.inf) -> float:
    """``value`` as a float in [low, high]."""
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise TypeError(f"{layer}: {name} must be a number, not {value!r}")
    if not low <= value <= high:
        limits = f"at least {low}" if high == math.inf else f"in [{low}, {high}]"
        raise ValueError(f"{layer}: {name} (={value}) must be {limits}")
    return float(value)


def choice(layer: str, name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Raise unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{layer}: {name} (={value!r}) must be one of {', '.join(map(repr, choices))}")


def ints(layer: str, name: str, value: Any, count: int, minimum: int) -> Any:
    """``value``, an int for all dimensions or one for each of ``count``, as that many ints of at least ``minimum``."""
    if count == 2:
        return check.pair(layer, name, value, minimum)
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(values) == 1:
        values *= count
    if len(values) != count or any(isinstance(each, bool) or not hasattr(each, "__index__") for each in values):
        several = {1: "", 3: " or three ints"}[count]
        raise TypeError(f"{layer}: {name} (={value!r}) must be an int{several}")
    if min(values) < minimum:
        raise ValueError(f"{layer}: {name} (={value!r}) must be at least {minimum}")
    return tuple(int(each) for each in values)


def window(layer: str, kernel_size: Any, stride: Any, padding: Any, count: int = 2) -> tuple[Any, Any, Any]:
    """Kernel size, stride (None means the kernel size) and padding of a pooling, one for each dimension."""
    kernel = ints(layer, "kernel_size", kernel_size, count, 1)
    steps = kernel if stride is None else ints(layer, "stride", stride, count, 1)
    pads = ints(layer, "padding", padding, count, 0)
    if any(2 * p > k for p, k in zip(pads, kernel, strict=True)):
        raise ValueError(f"{layer}: padding (={padding}) must be at most half of kernel_size (={kernel_size})")
    return kernel, steps, pads
