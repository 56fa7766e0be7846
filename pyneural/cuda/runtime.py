"""The simulator's library in this process: one launch at a time."""

from __future__ import annotations

import ctypes
import functools
import json
import sys
import threading
import time
from typing import Any

from . import toolchain
from .errors import LaunchError

PLAIN, SANITIZE, PROFILE = 0, 1, 2
LIMITS = {"threads": 1024, "static shared": 48 * 1024, "dynamic shared": 227 * 1024}

lock = threading.RLock()
"""Held for as long as a launch and the reading of its report take."""


class Argument(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p), ("size", ctypes.c_uint), ("align", ctypes.c_uint), ("element", ctypes.c_uint),
        ("kind", ctypes.c_ubyte), ("constant", ctypes.c_ubyte),
    )  # fmt: skip


class KernelRecord(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p), ("entry", ctypes.c_void_p), ("arguments", ctypes.POINTER(Argument)),
        ("count", ctypes.c_uint), ("max_threads", ctypes.c_uint), ("param_bytes", ctypes.c_uint),
        ("cluster", ctypes.c_uint * 3), ("function", ctypes.c_void_p),
    )  # fmt: skip


class Request(ctypes.Structure):
    _fields_ = (
        ("entry", ctypes.c_void_p), ("args", ctypes.c_void_p), ("args_bytes", ctypes.c_size_t),
        ("params", ctypes.c_void_p), ("param_bytes", ctypes.c_size_t), ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3), ("cluster", ctypes.c_uint * 3), ("shared", ctypes.c_uint),
        ("mode", ctypes.c_int), ("seed", ctypes.c_uint64), ("workers", ctypes.c_uint),
        ("name", ctypes.c_char_p), ("module", ctypes.c_void_p),
    )  # fmt: skip


@functools.cache
def library() -> ctypes.CDLL:
    """Loads the library, which is compiled first if it must be."""
    lib = ctypes.CDLL(str(toolchain.runtime_library()))
    lib.pnsim_start.argtypes = [ctypes.POINTER(Request)]
    lib.pnsim_start.restype = ctypes.c_char_p
    lib.pnsim_wait.argtypes = [ctypes.c_uint]
    lib.pnsim_failure.restype = ctypes.c_char_p
    lib.pnsim_report.restype = ctypes.c_char_p
    lib.pnsim_profile.restype = ctypes.c_char_p
    lib.pnsim_trace_begin.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
    lib.pnsim_trace_requests.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    lib.pnsim_trace_requests.restype = ctypes.c_void_p
    lib.pnsim_trace_arrays.restype = ctypes.c_char_p
    lib.pnsim_tensor_map.restype = ctypes.c_char_p
    lib.pnsim_tensor_map.argtypes = [
        ctypes.c_void_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p, *[ctypes.c_void_p] * 4, *[ctypes.c_int] * 3
    ]  # fmt: skip
    lib.pnsim_tensor_map_im2col.restype = ctypes.c_char_p
    lib.pnsim_tensor_map_im2col.argtypes = [
        ctypes.c_void_p, ctypes.c_int, ctypes.c_uint, *[ctypes.c_void_p] * 5, ctypes.c_uint, ctypes.c_uint,
        ctypes.c_void_p, *[ctypes.c_int] * 3,
    ]  # fmt: skip
    lib.pnsim_switches.restype = ctypes.c_uint64
    lib.pnsim_module_add.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    lib.pnsim_module_add.restype = ctypes.c_void_p
    lib.pnsim_region_add.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_uint, ctypes.c_int]
    lib.pnsim_region_remove.argtypes = [ctypes.c_void_p]
    return lib


def launch(request: Request, timeout: float | None) -> str | None:
    """Runs to the end, and returns why it ended early, if it did. Ctrl-C stops a kernel.

    After `timeout` seconds the kernel is stopped: LaunchError, or a finding of the sanitizer.
    """
    lib = library()
    sys.stdout.flush()
    wrong = lib.pnsim_start(ctypes.byref(request))
    if wrong:
        raise ValueError(f"{(request.name or b'kernel').decode()}: {wrong.decode()}")
    deadline = None if timeout is None else time.monotonic() + timeout
    timed_out = False
    try:
        while not lib.pnsim_wait(100):
            if deadline is not None and time.monotonic() > deadline:
                timed_out = True
                lib.pnsim_cancel(1 if request.mode == SANITIZE else 0)
    except BaseException:
        while not lib.pnsim_wait(10):
            lib.pnsim_cancel(0)
        raise
    finally:
        _flush_stdout()
    failure = lib.pnsim_failure()
    if timed_out:
        return f"it did not end within {timeout:g} seconds"
    return failure.decode(errors="replace") if failure else None


def _flush_stdout() -> None:
    ctypes.CDLL(None).fflush(None)


def raise_failure(name: str, failure: str | None) -> None:
    if failure:
        raise LaunchError(f"{name}: {failure}")


def report() -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = json.loads(library().pnsim_report())
    library().pnsim_report_clear()
    return findings


def counters() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(library().pnsim_profile())
    library().pnsim_profile_clear()
    return found
