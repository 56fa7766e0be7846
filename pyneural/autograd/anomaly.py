"""`detect_anomaly`: find the operation whose gradient becomes NaN, and where it was called."""

from __future__ import annotations

import threading


class _State(threading.local):
    enabled = False


state = _State()


class detect_anomaly:
    """Inside this ``with`` block every gradient is checked for NaN.

    Forward calls remember their call stack; backward raises RuntimeError naming the operation that
    first gives a NaN, with the stack of its forward call. Slow: for finding faults only.
    """

    def __enter__(self) -> None:
        self._before = state.enabled
        state.enabled = True

    def __exit__(self, *exception: object) -> None:
        state.enabled = self._before
