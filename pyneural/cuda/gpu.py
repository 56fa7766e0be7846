"""The target "gpu": the same source through NVRTC, by CuPy, on CuPy's arrays."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable
from typing import Any

from .arguments import Struct
from .errors import CompileError, Diagnostic
from .kernel import read_config
from .tensor_map import TensorMap


@functools.cache
def available() -> bool:
    """CuPy is installed and finds a GPU."""
    try:
        import cupy

        return bool(cupy.cuda.runtime.getDeviceCount() > 0)
    except Exception:
        return False


def compile(text: str, file: str, *, options: list[str], include: list[pathlib.Path]) -> GPUModule:
    """Raises CompileError with NVRTC's message, RuntimeError where there is no GPU."""
    if not available():
        raise RuntimeError(
            'compile: target "gpu" needs an NVIDIA GPU and CuPy (`pip install cupy-cuda12x`); '
            'target="simulator" needs neither'
        )
    return GPUModule(text, file, options, include)


class GPUModule:
    """Kernels by name; templates are instantiated when they are first named."""

    def __init__(self, text: str, file: str, options: list[str], include: list[pathlib.Path]) -> None:
        self.text = text
        self.file = file
        self.options = ("-std=c++17", *options, *(f"-I{folder}" for folder in include))

    def __getitem__(self, name: str) -> GPUKernel:
        import cupy

        try:
            module = cupy.RawModule(code=self.text, options=self.options, name_expressions=(name,))
            return GPUKernel(name, module.get_function(name))
        except cupy.cuda.compiler.CompileException as error:
            raise CompileError([Diagnostic(self.file, 0, 0, str(error))], str(error)) from None


class GPUKernel:
    def __init__(self, name: str, function: Any) -> None:
        self.name = name
        self.function = function

    def __getitem__(self, config: Any) -> Callable[..., None]:
        grid, block, shared = read_config(self.name, config)

        def launch(*arguments: Any) -> None:
            for position, value in enumerate(arguments):
                if isinstance(value, TensorMap):
                    raise TypeError(f"{self.name}: argument {position + 1} is a tensor map of the simulator's")
                if (
                    hasattr(value, "__array_interface__")
                    and len(getattr(value, "shape", ()))
                    and not hasattr(value, "__cuda_array_interface__")
                ):
                    raise TypeError(
                        f"{self.name}: argument {position + 1} lies in host memory; the GPU needs cupy.asarray(it)"
                    )
            values = tuple(
                value.filled(lambda array: int(array.data.ptr)) if isinstance(value, Struct) else value
                for value in arguments
            )
            self.function(grid, block, values, shared_mem=shared)

        return launch
