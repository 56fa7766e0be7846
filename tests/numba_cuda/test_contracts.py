"""The kernels of ``numba_cuda`` against the contracts, in Numba's CUDA simulator."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest

from pyneural.kernels import OPERATIONS, Operation, Sample, accuracy, backend, dtypes
from pyneural.kernels.cuda_memory import is_array

pytestmark = [
    pytest.mark.numba_cuda,
    pytest.mark.skipif(os.environ.get("NUMBA_ENABLE_CUDASIM") != "1", reason="needs NUMBA_ENABLE_CUDASIM=1"),
]

SUBJECT = backend("numba_cuda")
LARGEST = 600  # elements of a call: each of the simulator's threads is one of the operating system's


def _size(value: object) -> int:
    """Elements of all arrays of a call, and of those that a shape among its attributes asks for."""
    if isinstance(value, dict):
        return sum(_size(each) for each in value.values()) + int(value.get("n", 0))
    if isinstance(value, (list, tuple)):
        if value and all(type(each) is int for each in value):
            return math.prod(value)
        return sum(_size(each) for each in value)
    return int(value.size) if is_array(value) else 0


def _in(sample: Sample) -> bool:
    """Whether a call has only arrays and attributes of dtypes that the backend computes in."""
    values = [*sample.args, *sample.kwargs.values()]
    return not any(
        getattr(each, "dtype", each) == dtypes.bfloat16
        for value in values
        for each in (value if isinstance(value, (list, tuple)) else (value,))
        if isinstance(each, (np.ndarray, np.dtype))
    )


@pytest.mark.parametrize(
    ("operation", "dtype"),
    [
        pytest.param(each, dtype, id=f"{each.name}-{dtype}")
        for each in OPERATIONS.values()
        if SUBJECT.has(each)
        for dtype in each.dtypes
        if dtype != dtypes.bfloat16
    ],
)
def test_matches_reference(operation: Operation, dtype: np.dtype, rng: np.random.Generator) -> None:
    checked = 0
    for sample in operation.samples(rng, dtype):
        if _size((sample.args, sample.kwargs)) > LARGEST or not _in(sample):
            continue
        report = accuracy.compare(operation, sample, SUBJECT)
        assert report.ok, f"{sample.name}: {report.message}"
        checked += 1
    assert checked
