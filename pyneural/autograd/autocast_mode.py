"""Whether operations lower their precision at present: the state behind `pyneural.autocast`."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np


class _State(threading.local):
    """``targets`` is None where no block is active, else the 16-bit dtype of each device type that has one."""

    targets: dict[str, np.dtype[Any]] | None = None
    cache: dict[int, Any] | None = None


state = _State()


class suspended:
    """No autocasting inside the block, whatever the device; the walk over the graph runs in one."""

    def __enter__(self) -> None:
        self._targets = state.targets
        state.targets = None

    def __exit__(self, *exception: object) -> None:
        state.targets = self._targets
