from __future__ import annotations

import threading
from typing import Any

_state = threading.local()
COUNT = 2


class CUDARuntimeError(RuntimeError):
    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"cudaError {status}")


def getDeviceCount() -> int:
    return COUNT


def getDevice() -> int:
    return getattr(_state, "device", 0)


def setDevice(device: int) -> None:
    if not 0 <= device < COUNT:
        raise CUDARuntimeError(101)
    _state.device = device


def deviceSynchronize() -> None:
    pass


def runtimeGetVersion() -> int:
    return 12090


def driverGetVersion() -> int:
    return 12090


def getDeviceProperties(device: int) -> dict[str, Any]:
    return {
        "name": b"Stand-in GPU", "major": 9, "minor": 0, "multiProcessorCount": 132, "totalGlobalMem": 2 * 1024**3,
        "clockRate": 1_980_000, "memoryClockRate": 2_619_000, "memoryBusWidth": 5120, "l2CacheSize": 1 << 18,
    }  # fmt: skip
