"""Every operation's contract on the device "cuda"."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural.kernels import OPERATIONS, Operation, Sample, Wrong, accuracy, dtypes
from pyneural.kernels.cuda_memory import is_gpu

_USUAL = (dtypes.float32, dtypes.float64, dtypes.int64)
SMALL = 600  # elements: on the stand-in, whose kernels the simulator runs and other tests try on all samples


def _usual(operation: Operation) -> np.dtype[Any]:
    return next((each for each in _USUAL if each in operation.dtypes), operation.dtypes[0])


def _cases() -> list[Any]:
    cases = []
    for each in OPERATIONS.values():
        for dtype in each.dtypes:
            kind = pytest.mark.simulator if dtype == _usual(each) else pytest.mark.every_dtype
            marks = [pytest.mark.xdist_group(each.family), kind]
            cases.append(pytest.param(each, dtype, id=f"{each.name}-{dtype}", marks=marks))
    return cases


def _elements(sample: Sample) -> int:
    return sum(each.size for each in (*sample.args, *sample.kwargs.values()) if isinstance(each, np.ndarray))


@pytest.mark.parametrize(("operation", "dtype"), _cases())
def test_accuracy(operation: Operation, dtype: np.dtype[Any], rng: np.random.Generator, standin: bool) -> None:
    """Every sample (on the stand-in, every small one) is as exact as the contract demands."""
    subject, wrong, judged = pyneural.device("cuda").kernels, [], 0
    for sample in operation.samples(rng, dtype):
        if standin and judged and _elements(sample) > SMALL:
            continue
        report = accuracy.compare(operation, sample, subject)
        judged += 1
        if not report.ok:
            wrong.append(f"{sample.name}: {report.message}")
    assert judged
    assert not wrong, "\n".join(wrong)


def _by_value(case: Wrong) -> bool:
    """Whether a call is refused for what its arrays hold: a GPU's, which the host does not read, are not."""
    return (case.raises is IndexError and r"dim \(=" not in case.match) or "exponent b" in case.match


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda each: each.name)
def test_wrong_calls(operation: Operation) -> None:
    """A GPU's arrays are refused with the messages that NumPy's are."""
    cuda = pyneural.device("cuda")
    for case in operation.wrong():
        if _by_value(case) or "numpy" in case.match:
            continue
        args, kwargs = cuda.engine.moved(case.args), cuda.engine.moved(case.kwargs)
        with pytest.raises(case.raises, match=case.match):
            getattr(cuda.kernels, operation.name)(*args, **kwargs)


@pytest.mark.parametrize("name", ["add", "sum", "softmax", "matmul", "conv2d", "layer_norm"])
def test_results_lie_beside_their_operands(name: str, rng: np.random.Generator) -> None:
    operation, cuda = OPERATIONS[name], pyneural.device("cuda")
    sample = next(iter(operation.samples(rng, dtypes.float32)))
    result = getattr(cuda.kernels, name)(*cuda.engine.moved(sample.args), **cuda.engine.moved(sample.kwargs))
    for each in result if isinstance(result, tuple) else (result,):
        assert is_gpu(each)
        assert each.device.id == 0
