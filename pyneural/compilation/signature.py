"""What a call is known by: its arguments taken apart, and the settings that kernels depend on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyneural.autograd import is_grad_enabled
from pyneural.autograd.anomaly import state as anomalies
from pyneural.autograd.autocast_mode import state as autocasting
from pyneural.kernels import active
from pyneural.kernels.precision import get_float32_matmul_precision
from pyneural.tensor import Tensor, get_default_dtype

HOSTS = ("cpu", "reference", "simulator")
_TENSOR = ("tensor",)


def taken_apart(value: Any, tensors: list[Tensor]) -> Any:
    """What `put_together` makes ``value`` of again; its tensors are appended to ``tensors``."""
    if isinstance(value, Tensor):
        tensors.append(value)
        return _TENSOR
    if isinstance(value, (tuple, list)):
        return "sequence", type(value), tuple(taken_apart(each, tensors) for each in value)
    if type(value) is dict:
        return "dict", tuple(value), tuple(taken_apart(each, tensors) for each in value.values())
    return "value", type(value), value


def put_together(structure: Any, tensors: Iterator[Tensor]) -> Any:
    """The value that was `taken_apart`, with other tensors."""
    if structure is _TENSOR:
        return next(tensors)
    if structure[0] == "sequence":
        kind, parts = structure[1], [put_together(each, tensors) for each in structure[2]]
        return kind(*parts) if hasattr(kind, "_fields") else kind(parts)
    if structure[0] == "dict":
        return {key: put_together(each, tensors) for key, each in zip(structure[1], structure[2], strict=True)}
    return structure[2]


def of_call(structure: Any, tensors: list[Tensor]) -> Any:
    """What calls have in common that one plan can serve."""
    targets = autocasting.targets
    return (
        structure,
        tuple([(each.array.shape, each.array.dtype, each.device, each.requires_grad) for each in tensors]),
        tuple([next(i for i, other in enumerate(tensors) if other is each) for each in tensors]),
        is_grad_enabled(),
        None if targets is None else tuple(sorted(targets.items())),
        anomalies.enabled,
        get_default_dtype(),
        get_float32_matmul_precision(),
        tuple([active(name) for name in HOSTS]),
    )
