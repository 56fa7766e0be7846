"""Devices: where a tensor's memory is, and which kernels compute on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from pyneural import kernels
from pyneural.kernels.backend import Engine

Array = Any

_NAMES = ("cpu", "reference", "cuda", "simulator")


class Device:
    """A device by its name.

    ``"cpu"`` has Numba kernels, ``"reference"`` NumPy ones, slow and obviously right, ``"cuda"`` CUDA C++ kernels on an
    NVIDIA GPU (``"cuda:1"`` on the second one), with CuPy's memory and its current stream, and ``"simulator"`` runs the
    same kernels on the CPU. Where a device lacks an operation, NotImplementedError names both.

    Devices are singletons: ``device("cpu") is device("cpu")``, and ``device("cuda")`` is ``device("cuda:0")``.

    Attributes:
        type: the name without an index.
        index: the number of the GPU, None elsewhere.
        name: what ``str`` gives: the type, and the index of a GPU.
        engine: how its arrays are made (`pyneural.kernels.backend.Engine`).
    """

    __slots__ = ("engine", "index", "name", "type")

    def __init__(self, type: str, index: int | None = None) -> None:
        self.type = type
        self.index = index
        self.name = type if index is None else f"{type}:{index}"
        self.engine = kernels.active(self.name).engine

    @property
    def kernels(self) -> kernels.Backend:
        """The kernels that compute on this device at present (see `pyneural.kernels.use`)."""
        return kernels.active(self.name)

    @property
    def empty(self) -> Callable[[tuple[int, ...], np.dtype[Any]], Array]:
        """``empty(shape, dtype)``: an uninitialised array of this device."""
        return self.engine.empty

    def full(self, shape: tuple[int, ...], value: Any, dtype: np.dtype[Any]) -> Array:
        """An array of this device with one number everywhere."""
        array = self.engine.empty(shape, dtype)
        self.engine.fill(array, value)
        return array

    def from_host(self, array: np.ndarray) -> Array:
        """A copy of a NumPy array in this device's memory, C-contiguous."""
        return self.engine.from_host(array)

    def to_host(self, array: Array) -> np.ndarray:
        """A NumPy array over (on the host) or copied from (a GPU, which is waited for) this device's array."""
        return self.engine.to_host(array)

    def take_over(self, array: Array, source: Device) -> Array:
        """A copy of an array of another device. Between two GPUs it does not pass through the host."""
        if self.type == source.type == "cuda":
            return self.engine.from_host(array)
        return self.from_host(source.to_host(array))

    def __repr__(self) -> str:
        return f"device({self.name!r})"

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.name,)


@contextmanager
def engines_replaced(replace: Callable[[Engine], Engine]) -> Iterator[None]:
    """Put ``replace(engine)`` in the place of every known device's engine inside the ``with`` block."""
    before = {each: each.engine for each in set(_devices.values())}
    for each, engine in before.items():
        each.engine = replace(engine)
    try:
        yield
    finally:
        for each, engine in before.items():
            each.engine = engine


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
        kind, colon, number = name.partition(":")
        if kind not in _NAMES or (colon and (not number.isdecimal() or (number != "0" and kind != "cuda"))):
            raise ValueError(f"device: {name!r} is none of {', '.join(map(repr, _NAMES))}")
        index = int(number or "0") if kind == "cuda" else None
        reason = _obstacle(kind, index or 0)
        if reason is not None:
            raise RuntimeError(f"device: {name!r} cannot be used: {reason}")
        full = kind if index is None else f"{kind}:{index}"
        found = _devices.get(full) or Device(kind, index)
        _devices[name] = _devices[full] = found
    return found


def get_default_device() -> Device:
    """The device that new tensors are made on: ``"cpu"``, also beside a GPU, unless `set_default_device` changed it."""
    return _default[0] if _default else device("cpu")


def set_default_device(name: str | Device) -> None:
    """Make new tensors on ``name`` from now on."""
    _default[:] = [device(name)]


def _obstacle(kind: str, index: int = 0) -> str | None:
    """Why a device cannot be used here."""
    if kind == "cuda":
        from pyneural.cuda import gpu

        reason = gpu.obstacle()
        if reason is not None:
            return str(reason)
        if index >= gpu.count():
            return f"CUDA finds {gpu.count()} GPU{'s' * (gpu.count() > 1)}, counted from 0"
        return None
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
