"""pyneural: hand-written CUDA C++ and Numba kernels under a small autograd engine.

>>> from pyneural import Tensor
>>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4., 6.])
"""

from . import amp, autograd, data, distributed, functional, io, kernels, nn, optim
from .autocast import autocast, is_autocast_enabled
from .autograd import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .compilation import compile
from .device import Device, device, get_default_device, set_default_device
from .functional import *  # noqa: F403
from .interop import from_dlpack, from_numpy
from .kernels.cuda_memory import OutOfMemoryError
from .kernels.dtypes import bfloat16, bool_, float16, float32, float64, int8, int16, int32, int64, uint8
from .kernels.precision import get_float32_matmul_precision, set_float32_matmul_precision
from .random import Generator, manual_seed
from .tensor import Tensor, get_default_dtype, set_default_dtype

__version__ = "0.1.0"

__all__ = [
    *functional.__all__,
    "Device",
    "Generator",
    "OutOfMemoryError",
    "Tensor",
    "amp",
    "autocast",
    "autograd",
    "bfloat16",
    "bool_",
    "compile",
    "data",
    "device",
    "distributed",
    "enable_grad",
    "float16",
    "float32",
    "float64",
    "from_dlpack",
    "from_numpy",
    "functional",
    "get_default_device",
    "get_default_dtype",
    "get_float32_matmul_precision",
    "int16",
    "int32",
    "int64",
    "int8",
    "io",
    "is_autocast_enabled",
    "is_grad_enabled",
    "kernels",
    "manual_seed",
    "nn",
    "no_grad",
    "optim",
    "set_default_device",
    "set_default_dtype",
    "set_float32_matmul_precision",
    "set_grad_enabled",
    "uint8",
]
