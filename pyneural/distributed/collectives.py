"""Collectives on tensors of every device. Each rank calls the same ones in the same order."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from pyneural.autograd import no_grad
from pyneural.device import Device
from pyneural.kernels import dtypes
from pyneural.tensor import Tensor

from .group import ProcessGroup, current
from .work import OPERATIONS, Work, poll

Array = Any


def broadcast(tensor: Tensor, src: int = 0) -> Tensor:
    """Copy rank ``src``'s tensor into those of the others, in place; returns the tensor.

    Raises:
        ValueError: there is no rank ``src``; the ranks' tensors differ in shape, dtype or kind of device, or their
            ``src`` do. All ranks raise it, before anything is sent.
        RankLost: a rank has died or does not come.
    """
    group = _checked("broadcast", tensor, src=_rank("broadcast", src))
    array = contiguous(tensor)
    _counted(group, "broadcast", array, group.transport(tensor.device).broadcast(array, src, "broadcast"))
    return _returned(tensor, array)


def all_reduce(tensor: Tensor, op: str = "sum") -> Tensor:
    """Replace every rank's tensor by the sum (or ``mean``, ``max``, ``min``, ``product``) of all; returns it.

    Every rank gets the same bits. The halves are added in float32 and rounded at each addition; a NaN of one rank
    is a NaN for all.

    Raises:
        ValueError: the ranks' tensors or operations differ, or ``op`` is none; as of `broadcast`.
        TypeError: bool, or a mean of integers.
        RankLost: as of `broadcast`.
    """
    group = _checked("all_reduce", tensor, op=op)
    _reducible("all_reduce", tensor, op)
    array = contiguous(tensor)
    work = group.transport(tensor.device).all_reduce(array, _plain(op), "all_reduce")
    _counted(group, "all_reduce", array, work)
    return _returned(_averaged(tensor, array, op, group), array)


def all_gather(tensor: Tensor) -> Tensor:
    """The tensors of all ranks, stacked in their order: (world size, ...).

    Raises:
        ValueError, RankLost: as of `broadcast`.
    """
    group = _checked("all_gather", tensor)
    array = contiguous(tensor)
    device = tensor.device
    into = device.empty((group.world_size, *array.shape), array.dtype)
    _counted(group, "all_gather", array, group.transport(device).all_gather(array, into, "all_gather"))
    return Tensor._over(into, device)


def reduce_scatter(tensor: Tensor, op: str = "sum") -> Tensor:
    """This rank's part of the sum (or another ``op``, see `all_reduce`) of all ranks' tensors.

    Args:
        tensor: (world size * k, ...).

    Returns:
        The rows rank * k to (rank + 1) * k, (k, ...).

    Raises:
        ValueError: the first dimension cannot be divided by the world size; and as of `all_reduce`.
        TypeError, RankLost: as of `all_reduce`.
    """
    group = _checked("reduce_scatter", tensor, op=op)
    _reducible("reduce_scatter", tensor, op)
    if tensor.ndim == 0 or tensor.shape[0] % group.world_size:
        raise ValueError(
            f"reduce_scatter: the first dimension of shape {tensor.shape} cannot be divided by {group.world_size} ranks"
        )
    array, device = contiguous(tensor), tensor.device
    part = Tensor._over(device.empty((tensor.shape[0] // group.world_size, *tensor.shape[1:]), tensor.dtype), device)
    work = group.transport(device).reduce_scatter(array, part.array, _plain(op), "reduce_scatter")
    _counted(group, "reduce_scatter", array, work)
    return _averaged(part, part.array, op, group)


def barrier(timeout: float | None = None) -> None:
    """Return when every rank has come here; RankLost where one does not within ``timeout`` or the group's seconds."""
    group = current()
    poll(group.host.barrier("barrier").done, "barrier", group.timeout if timeout is None else timeout)


def agree(what: str, value: Any) -> None:
    """Raise ValueError, on all ranks, unless ``value``, which JSON can hold, is the same on every rank."""
    group = current()
    if group.world_size == 1:
        return
    text = repr(value)
    mine = np.frombuffer(hashlib.sha256(text.encode()).digest()[:16], np.uint8).copy()
    digests = np.empty((group.world_size, mine.size), np.uint8)
    group.host.all_gather(mine, digests, what).wait()
    if (digests == digests[0]).all():
        return
    said = group.gather_objects(text[:500])
    other = next(rank for rank, each in enumerate(digests) if (each != digests[0]).any())
    raise ValueError(f"{what}: the ranks differ: rank 0 has {said[0]}, rank {other} has {said[other]}")


class _Call:
    """How a call looks in an error."""

    def __init__(self, tensor: Tensor, facts: dict[str, Any]) -> None:
        self.text = f"{tensor.dtype} {tensor.shape} on {tensor.device.type}" + "".join(
            f", {name}={value!r}" for name, value in facts.items()
        )

    def __repr__(self) -> str:
        return self.text


def _checked(name: str, tensor: Tensor, **facts: Any) -> ProcessGroup:
    """The group, once all ranks have been seen to make the same call."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: takes a tensor, not {type(tensor).__name__}")
    agree(name, _Call(tensor, {"collective": name, **facts}))
    return current()


def _rank(name: str, src: int) -> int:
    size = current().world_size
    if not 0 <= src < size:
        raise ValueError(f"{name}: src (={src}) must be one of the ranks 0 to {size - 1}")
    return src


def _reducible(name: str, tensor: Tensor, op: str) -> None:
    if op not in OPERATIONS:
        raise ValueError(f"{name}: op (={op!r}) is none of {', '.join(OPERATIONS)}")
    if tensor.dtype == dtypes.bool_ or (op == "mean" and not dtypes.is_floating(tensor.dtype)):
        raise TypeError(f"{name}: there is no {op} of {tensor.dtype}")


def _plain(op: str) -> str:
    return "sum" if op == "mean" else op


def contiguous(tensor: Tensor) -> Array:
    """The tensor's array if it is contiguous, else a copy that is."""
    return tensor.array if tensor.is_contiguous() else tensor._copy().array


def _counted(group: ProcessGroup, name: str, array: Array, work: Work) -> None:
    group.trace.count(array.nbytes)
    with group.trace.span(name, 1, bytes=array.nbytes):
        work.wait()


def _averaged(tensor: Tensor, array: Array, op: str, group: ProcessGroup) -> Tensor:
    if op == "mean" and group.world_size > 1:
        scale(tensor.device, array, 1.0 / group.world_size)
    return tensor


def scale(device: Device, array: Array, factor: float) -> None:
    """Multiply an array by a number, in place."""
    device.kernels.mul(array, device.full((), factor, array.dtype), out=array)


def _returned(tensor: Tensor, array: Array) -> Tensor:
    """What was received in a copy, back in the tensor; its version moves on, as after any change in place."""
    if array is not tensor.array:
        with no_grad():
            tensor.device.kernels.cast(array, dtype=array.dtype, out=tensor.array)
    tensor._version[0] += 1
    return tensor
