"""CUDA without a GPU: compile a CUDA source, run it on the CPU, check it, count what its memory accesses cost.

>>> from pyneural import cuda
>>> module = cuda.compile(source, target="simulator")
>>> module["saxpy"][grid, block](2.0, x, y, n)
>>> cuda.sanitize(module["saxpy"])[grid, block](2.0, x, y, n).findings
[]
"""

from .arguments import Struct
from .devices import (
    device_count,
    empty_cache,
    get_device_name,
    is_available,
    memory_allocated,
    memory_reserved,
    synchronize,
)
from .errors import CompileError, CompilerNotFoundError, Diagnostic, LaunchError
from .findings import KINDS, Finding, Report
from .from_numba import from_numba
from .kernel import Kernel, empty
from .module import Module, compile
from .profile import Counters, Profile, profile
from .program import Result, run
from .resources import Occupancy, Resources, Roofline, resources, roofline
from .sanitize import sanitize
from .tensor_map import TensorMap, tensor_map, tensor_map_im2col
from .trace import Trace, trace

__all__ = [
    "KINDS", "CompileError", "CompilerNotFoundError", "Counters", "Diagnostic", "Finding", "Kernel", "LaunchError",
    "Module", "Occupancy", "Profile", "Report", "Resources", "Result", "Roofline", "Struct", "TensorMap", "Trace",
    "compile", "device_count", "empty", "empty_cache", "from_numba", "get_device_name", "is_available",
    "memory_allocated", "memory_reserved", "profile", "resources", "roofline", "run", "sanitize", "synchronize",
    "tensor_map", "tensor_map_im2col", "trace",
]  # fmt: skip
