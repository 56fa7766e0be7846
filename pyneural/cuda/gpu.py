"""The target "gpu": the same source through NVRTC and CuPy, on CuPy's arrays and its current stream."""

from __future__ import annotations

import functools
import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from . import nvrtc, source
from .arguments import Parameter, convert
from .errors import CompileError, LaunchError
from .kernel import read_config

_STATIC_SHARED = 48 * 1024
"""Bytes of shared memory that a kernel gets without asking for more."""


@functools.cache
def available() -> bool:
    """CuPy is installed and finds a GPU."""
    return obstacle() is None


@functools.cache
def obstacle() -> str | None:
    """Why no GPU can be used here, and the one command that mends it; None where one can."""
    try:
        import cupy
    except ImportError as error:
        if getattr(error, "name", None) == "cupy":
            return "CuPy is not installed: `pip install cupy-cuda12x` (or cupy-cuda13x, as `nvidia-smi` says)"
        return f"CuPy cannot be imported: {error}"
    except Exception as error:
        return f"CuPy cannot be imported: {type(error).__name__}: {error}"
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if "nsufficientDriver" in text:
            driver = _driver_version(cupy)
            if driver == 0:
                return "there is no NVIDIA driver on this machine: `nvidia-smi` shows it where there is one"
            return (
                f"the NVIDIA driver knows CUDA {driver // 1000}.{driver % 1000 // 10} and CuPy is for "
                f"{cupy.cuda.runtime.runtimeGetVersion() // 1000}: `pip install cupy-cuda{driver // 1000}x`"
            )
        return f"CUDA does not start: {text}"
    return None if count > 0 else "CUDA finds no GPU (is CUDA_VISIBLE_DEVICES empty?)"


def count() -> int:
    """How many GPUs there are."""
    import cupy

    return int(cupy.cuda.runtime.getDeviceCount())


def _driver_version(cupy: Any) -> int:
    try:
        return int(cupy.cuda.runtime.driverGetVersion())
    except Exception:
        return 0


def compile(text: str, file: str, *, options: list[str], include: list[pathlib.Path]) -> GPUModule:
    """Raises RuntimeError where there is no GPU; what does not compile is found when a kernel is first named."""
    reason = obstacle()
    if reason is not None:
        raise RuntimeError(f'compile: target "gpu" cannot be used: {reason}; target="simulator" needs no GPU')
    return GPUModule(text, file, options, include)


class GPUModule:
    """Kernels by name, compiled when they are first named: all that are no templates together, each instance alone."""

    def __init__(self, text: str, file: str, options: list[str], include: list[pathlib.Path]) -> None:
        self.text = text
        self.file = file
        self.options = options
        own = pathlib.Path(file)
        self.include = [*include, *([own.resolve().parent] if own.is_file() else [])]
        try:
            kernels = source.rewrite(text, file).kernels
        except CompileError:  # what the simulator refuses, a GPU may know
            kernels = []
        self._names = {kernel.name: kernel.parameters for kernel in kernels}
        self._plain = [kernel.name for kernel in kernels if not kernel.template and not kernel.overloaded]
        self._kernels: dict[str, GPUKernel] = {}

    @property
    def names(self) -> list[str]:
        """All kernels that stand in the source itself; templates must be named with their arguments."""
        return list(self._names)

    def __repr__(self) -> str:
        return f"<cuda module {self.file} for a GPU: {', '.join(self.names) or 'no kernels'}>"

    def __getitem__(self, name: str) -> GPUKernel:
        """The kernel `name`, compiled for the current GPU; CompileError if that fails."""
        key = re.sub(r"\s+", " ", name.strip())
        if key not in self._kernels:
            kernel = GPUKernel(self, key)
            kernel.function()
            self._kernels[key] = kernel
        return self._kernels[key]

    def compiled(self, name: str, arch: str) -> nvrtc.Compiled:
        """The machine code in which a kernel stands."""
        return self._compiled(tuple(self._plain) if name in self._plain else (name,), arch)

    @functools.cache  # noqa: B019, a module lives as long as its kernels
    def _compiled(self, names: tuple[str, ...], arch: str) -> nvrtc.Compiled:
        parameters = [self._names.get(name.split("<", 1)[0].strip(), []) for name in names]
        return nvrtc.compile(self.text, self.file, names, parameters, arch, self.options, self.include)


class GPUKernel:
    """One `__global__` function: `kernel[grid, block](arguments)` starts it, and does not wait for its end."""

    def __init__(self, module: GPUModule, name: str) -> None:
        self.module = module
        self.name = name
        self._functions: dict[str, tuple[Any, list[Parameter]]] = {}
        self._shared: dict[int, int] = {}

    def function(self) -> tuple[Any, list[Parameter]]:
        """CuPy's kernel, and its parameters, for the architecture of the current GPU."""
        import cupy

        arch = nvrtc.architecture(cupy.cuda.Device().compute_capability)
        found = self._functions.get(arch)
        if found is None:
            compiled = self.module.compiled(self.name, arch)
            loaded = cupy.RawModule(path=str(compiled.path))
            found = loaded.get_function(compiled.lowered[self.name]), compiled.parameters[self.name]
            self._functions[arch] = found
        return found

    @property
    def parameters(self) -> list[Parameter]:
        return self.function()[1]

    @property
    def signature(self) -> str:
        return f"{self.name}({', '.join(str(p) for p in self.parameters)})"

    def __repr__(self) -> str:
        return f"<cuda kernel {self.signature} for a GPU>"

    def __getitem__(self, config: Any) -> Callable[..., None]:
        """`kernel[grid, block]`, `kernel[grid, block, shared_bytes]`: integers or tuples of up to three."""
        grid, block, shared = read_config(self.name, config)

        def launch(*arguments: Any) -> None:
            """Starts the kernel on the current GPU and CuPy's current stream.

            Raises TypeError and ValueError for arguments that do not fit, LaunchError where the GPU refuses.
            """
            import cupy

            function, parameters = self.function()
            data, buffers = convert(self.name, parameters, arguments, gpu=True)
            for buffer in buffers:
                address = int(buffer.array.data.ptr).to_bytes(8, "little")
                value = data[buffer.position]
                data[buffer.position] = value[: buffer.offset] + address + value[buffer.offset + 8 :]
            # Of NumPy's arrays CuPy passes the bytes, whatever they mean.
            values = tuple(np.frombuffer(each, f"V{len(each)}") for each in data)
            try:
                if shared > _STATIC_SHARED:
                    self._ask_for(function, shared)
                function(grid, block, values, shared_mem=shared)
            except cupy.cuda.driver.CUDADriverError as error:
                raise LaunchError(
                    f"{self.name}: grid {grid}, block {block}, {shared} bytes of dynamic shared memory: {error}"
                ) from None

        return launch

    def _ask_for(self, function: Any, shared: int) -> None:
        """Once for each GPU and size: dynamic shared memory beyond what every kernel may have."""
        import cupy

        device = cupy.cuda.runtime.getDevice()
        if self._shared.get(device, 0) < shared:
            function.max_dynamic_shared_size_bytes = shared
            self._shared[device] = shared

    def __call__(self, *_: Any) -> None:
        raise TypeError(f"{self.name}: a kernel needs a launch configuration: kernel[grid, block](...)")
