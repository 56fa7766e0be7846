"""Hand-written kernels on arrays: one contract an operation, several backends under it.

>>> import numpy as np
>>> from pyneural import kernels
>>> x = np.array([-1.0, 0.0, 2.0], np.float32)
>>> kernels.backend("numba_cpu").relu(x)
array([0., 0., 2.], dtype=float32)

`backend` names a set of kernels, `use` switches what a device computes with, `record` counts calls
and time, `OPERATIONS` holds every contract. Nothing here knows of tensors or gradients.
"""

from __future__ import annotations

import importlib
import pathlib

from .backend import BACKENDS, Backend, active, backend, use
from .contract import OPERATIONS, Operation, Sample, Spec, Wrong, operation
from .record import Recording, record

FAMILIES = tuple(sorted(path.parent.name for path in pathlib.Path(__file__).parent.glob("*/contract.py")))
"""The folders that declare operations."""

for _family in FAMILIES:
    importlib.import_module(f"{__name__}.{_family}.contract")

__all__ = [
    "BACKENDS",
    "FAMILIES",
    "OPERATIONS",
    "Backend",
    "Operation",
    "Recording",
    "Sample",
    "Spec",
    "Wrong",
    "active",
    "backend",
    "operation",
    "record",
    "use",
]
