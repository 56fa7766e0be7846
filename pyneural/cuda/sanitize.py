"""`cuda.sanitize`: runs a kernel with every access checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import runtime
from .findings import Reader, Report
from .kernel import Kernel, read_config, run


class Sanitizer:
    """`sanitize(kernel)[grid, block, shared_bytes](arguments)` gives a Report."""

    def __init__(self, kernel: Kernel, schedule: int | None, timeout: float) -> None:
        self.kernel = kernel
        self.schedule = schedule
        self.timeout = timeout

    def __getitem__(self, config: Any) -> Callable[..., Report]:
        geometry = read_config(self.kernel.name, config)

        def launch(*arguments: Any) -> Report:
            with runtime.lock:
                failure, build = run(self.kernel, runtime.SANITIZE, geometry, arguments, self.schedule, self.timeout)
                raw = runtime.report()
            findings = Reader(build.line, self.kernel.module.sources, self.kernel.shapes(arguments)).read(raw)
            return Report(findings, failure)

        return launch


def sanitize(kernel: Kernel, *, schedule: int | None = None, timeout: float = 10.0) -> Sanitizer:
    """Checks a kernel for races, accesses out of bounds, misaligned and uninitialised ones, barriers and warp
    operations that not all threads reach, failed assertions and endless loops.

    A `schedule` seed permutes blocks, warps and lanes. After `timeout` seconds without an end the kernel is
    stopped, which is a finding of kind "hang". Arrays receive the kernel's results as in a plain launch.
    """
    if not isinstance(kernel, Kernel):
        raise TypeError(f"sanitize: expected a kernel compiled for the simulator, got {type(kernel).__name__}")
    return Sanitizer(kernel, schedule, timeout)
