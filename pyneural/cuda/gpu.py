"""The target "gpu": the same source through NVRTC and CuPy, on CuPy's arrays and its current stream."""

from __future__ import annotations

import ctypes
import functools
import pathlib
import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import nvrtc, source
from .arguments import Parameter, convert
from .errors import CompileError, LaunchError
from .kernel import read_config

_STATIC_SHARED = 48 * 1024
"""Bytes of shared memory that a kernel gets without asking for more."""


class Obstacle(NamedTuple):
    """Why no GPU can be used here, and the one command that mends it."""

    reason: str
    mend: str

    def __str__(self) -> str:
        return f"{self.reason}: `{self.mend}`"


@functools.cache
def available() -> bool:
    """CuPy is installed and finds a GPU."""
    return obstacle() is None


@functools.cache
def obstacle() -> Obstacle | None:
    """What keeps a GPU from being used; None where one can."""
    driver = driver_version()
    install = f'pip install "pyneural[cuda{min(max(driver // 1000, 12), 13) if driver else 12}]"'
    try:
        import cupy
    except ImportError as error:
        if getattr(error, "name", None) == "cupy":
            return Obstacle("CuPy is not installed", install)
        return Obstacle(f"CuPy cannot be imported ({error})", f"{install} --force-reinstall")
    except Exception as error:
        return Obstacle(f"CuPy cannot be imported ({type(error).__name__}: {error})", f"{install} --force-reinstall")
    try:
        found = int(cupy.cuda.runtime.getDeviceCount())
    except Exception as error:
        if driver == 0:
            return _no_driver()
        runtime = int(cupy.cuda.runtime.runtimeGetVersion())
        if "nsufficientDriver" in str(error) or runtime // 1000 > driver // 1000:
            versions = f"the NVIDIA driver knows CUDA {_written(driver)}, and CuPy is for CUDA {_written(runtime)}"
            return Obstacle(versions, install)
        return Obstacle(f"CUDA does not start ({type(error).__name__}: {error})", "nvidia-smi")
    return None if found else Obstacle("CUDA finds no GPU", "unset CUDA_VISIBLE_DEVICES")


def driver_version() -> int:
    """The CUDA version that the NVIDIA driver knows, 12090 for 12.9; 0 where there is no driver."""
    number = ctypes.c_int()
    try:
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        return number.value if library.cuDriverGetVersion(ctypes.byref(number)) == 0 else 0
    except (OSError, AttributeError):
        return 0


def _written(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


def _no_driver() -> Obstacle:
    vendors = pathlib.Path("/sys/bus/pci/devices").glob("*/vendor")
    if sys.platform == "linux" and not any(each.read_text().strip() == "0x10de" for each in vendors):
        return Obstacle('there is no NVIDIA GPU; the device "simulator" runs the same kernels', "pyneural devices")
    return Obstacle("there is no NVIDIA driver", "sudo apt install nvidia-driver")


def count() -> int:
    """How many GPUs there are."""
    import cupy

    return int(cupy.cuda.runtime.getDeviceCount())


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
