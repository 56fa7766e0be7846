"""Devices: where a tensor's memory is, and which kernels compute on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pyneural import kernels

Array = Any

_NAMES = ("cpu", "reference", "cuda", "simulator")


class Device:
    """A device by its name.

    ``"cpu"`` has Numba kernels, ``"reference"`` NumPy ones, slow and obviously right, and ``"simulator"`` runs
    CUDA C++ kernels on the CPU. Where a device lacks an operation, NotImplementedError names both.

    Devices are singletons: ``device("cpu") is device("cpu")``.

    Attributes:
        type: the name without an index.
        engine: how its arrays are made (`pyneural.kernels.backend.Engine`).
    """

    __slots__ = ("engine", "type")

    def __init__(self, type: str) -> None:
        self.type = type
        self.engine = kernels.active(type).engine

    @property
    def kernels(self) -> kernels.Backend:
        """The kernels that compute on this device at present (see `pyneural.kernels.use`)."""
        return kernels.active(self.type)

    @property
    def empty(self) -> Callable[[tuple[int, ...], np.dtype[Any]], Array]:
        """``empty(shape, dtype)``: an uninitialised array of this device."""
        return self.engine.empty

    def from_host(self, array: np.ndarray) -> Array:
        """A copy of a NumPy array in this device's memory, C-contiguous."""
        copy = self.engine.empty(array.shape, array.dtype)
        copy[...] = array
        return copy

    def to_host(self, array: Array) -> np.ndarray:
        """A NumPy array over (on the host) or copied from (elsewhere) this device's array."""
        return array  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"device({self.type!r})"

    def __str__(self) -> str:
        return self.type

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type,)


_devices: dict[str, Device] = {}
_default: list[Device] = []


def device(name: str | Device) -> Device:
    """The device called ``name``.

    Raises:
        ValueError: no device has that name.
        RuntimeError: the device exists but cannot be used here; the message says why.
    """
    if isinstance(name, Device):
        return name
    found = _devices.get(name)
    if found is None:
        if not isinstance(name, str):
            raise TypeError(f"device: name must be a str or a device, not {type(name).__name__}")
        kind, _, index = name.partition(":")
        if kind not in _NAMES or (index and index != "0" and kind != "cuda") or name.endswith(":"):
            raise ValueError(f"device: {name!r} is none of {', '.join(map(repr, _NAMES))}")
        reason = _obstacle(kind)
        if reason is not None:
            raise RuntimeError(f"device: {name!r} cannot be used: {reason}")
        found = _devices.setdefault(kind, Device(kind)) if kind not in _devices else _devices[kind]
        _devices[name] = found
    return found


def get_default_device() -> Device:
    """The device that new tensors are made on, ``"cpu"`` unless `set_default_device` changed it."""
    return _default[0] if _default else device("cpu")


def set_default_device(name: str | Device) -> None:
    """Make new tensors on ``name`` from now on."""
    _default[:] = [device(name)]


def _obstacle(kind: str) -> str | None:
    """Why a device cannot be used here."""
    if kind == "cuda":
        return "its kernels run on the device 'simulator' only in this version of pyneural"
    if kind == "simulator":
        from pyneural.cuda import toolchain

        try:
            toolchain.compiler()
        except RuntimeError as error:
            return str(error)
    return None


def unavailable() -> dict[str, str]:
    """The devices that cannot be used here, and why."""
    reasons = {name: _obstacle(name) for name in _NAMES}
    return {name: reason for name, reason in reasons.items() if reason is not None}
