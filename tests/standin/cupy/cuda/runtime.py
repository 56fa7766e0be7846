from __future__ import annotations

import threading
from typing import Any

_state = threading.local()
COUNT = 2


class CUDARuntimeError(RuntimeError):
    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"cudaError {status}")


def getDeviceCount() -> int:  # noqa: N802
    return COUNT


def getDevice() -> int:  # noqa: N802
    return getattr(_state, "device", 0)


def setDevice(device: int) -> None:  # noqa: N802
    if not 0 <= device < COUNT:
        raise CUDARuntimeError(101)
    _state.device = device


def deviceSynchronize() -> None:  # noqa: N802
    pass


def runtimeGetVersion() -> int:  # noqa: N802
    return 12090


def driverGetVersion() -> int:  # noqa: N802
    return 12090


def getDeviceProperties(device: int) -> dict[str, Any]:  # noqa: N802
    return {
        "name": b"Stand-in GPU", "major": 8, "minor": 0, "multiProcessorCount": 108, "totalGlobalMem": 2 * 1024**3,
        "clockRate": 1_410_000, "memoryClockRate": 1_215_000, "memoryBusWidth": 5120,
    }  # fmt: skip
