"""The CUDA kernels on the device "simulator": right, clean under the sanitizer, refused where there are none."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, kernels
from pyneural import functional as F
from pyneural.cuda import toolchain
from pyneural.kernels import OPERATIONS, Operation, Sample, accuracy, cuda_launch, dtypes

CUDA = kernels.backend("cuda")
EACH = pytest.mark.parametrize(
    "operation",
    [pytest.param(each, id=each.name, marks=pytest.mark.xdist_group(each.family)) for each in OPERATIONS.values()],
)

# In order, and two permutations of blocks, warps and lanes.
SCHEDULES = (None, 5, 11)
SMALL = 2_000  # elements: every layout and odd size, without the large samples


def _elements(sample: Sample) -> int:
    return sum(each.size for each in (*sample.args, *sample.kwargs.values()) if isinstance(each, np.ndarray))


def _check(operation: Operation, dtype: np.dtype[Any], seed: np.random.Generator, *, limit: float) -> None:
    """Each sample under each schedule: no finding, and the result that the contract demands."""
    wrong, launches = [], 0
    for sample in operation.samples(seed, dtype):
        if _elements(sample) > limit:
            continue
        for schedule in SCHEDULES:
            with cuda_launch.sanitized(schedule) as reports:
                verdict = accuracy.compare(operation, sample, CUDA)
            launches += len(reports)
            wrong += [f"{sample.name}, schedule {schedule}: {each}" for each in reports if not each.ok]
            if not verdict.ok:
                wrong.append(f"{sample.name}, schedule {schedule}: {verdict.message}")
    assert launches, "nothing was launched"
    assert not wrong, "\n".join(wrong)


@EACH
def test_sanitized(operation: Operation, rng: np.random.Generator) -> None:
    """The samples but the large ones, in the dtype that people run."""
    usual = (dtypes.float32, dtypes.int64)
    dtype = next((each for each in usual if each in operation.dtypes), operation.dtypes[0])
    _check(operation, dtype, rng, limit=SMALL)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "dtype"),
    [
        pytest.param(each, dtype, id=f"{each.name}-{dtype}", marks=pytest.mark.xdist_group(each.family))
        for each in OPERATIONS.values()
        for dtype in each.dtypes
    ],
)
def test_sanitized_all(operation: Operation, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    """All samples of all dtypes."""
    _check(operation, dtype, rng, limit=float("inf"))


def test_large_reductions_take_every_kernel(rng: np.random.Generator) -> None:
    """Rows and columns, whole and in chunks, are sizes of their own; so are rows beyond a softmax's registers."""
    for shape, dim in (((3, 20_011), 1), ((200, 1_500), 1), ((9_001, 37), 0), ((131, 40, 33), 1), ((2, 5_000, 33), 1)):
        x = (rng.standard_normal(shape) * 0.01 + 1).astype(np.float32)  # long products neither vanish nor overflow
        for name in ("sum", "mean", "prod", "amax", "amin", "any", "all"):
            with cuda_launch.sanitized(3) as reports:
                verdict = accuracy.compare(OPERATIONS[name], Sample((x,), {"dim": dim}), CUDA)
            assert verdict.ok, f"{name} of {shape}: {verdict.message}"
            assert reports
            assert all(each.ok for each in reports), f"{name} of {shape}: {reports}"
    for name in ("softmax", "log_softmax"):
        for n in (511, 512, 513, 3_001):
            x = (rng.standard_normal((2, n)) * 3).astype(np.float32)
            x[1, : n - 1] = -np.inf
            verdict = accuracy.compare(OPERATIONS[name], Sample((x,), {"dim": 1}), CUDA)
            assert verdict.ok, f"{name} of rows of {n}: {verdict.message}"


def test_strides_that_no_element_is_a_multiple_of() -> None:
    """A field of a packed record is copied byte by byte."""
    records = np.zeros(7, np.dtype([("flag", "u1"), ("x", "f4")]))
    records["x"] = np.arange(7)
    assert CUDA.add(records["x"], records["x"]).tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert CUDA.cast(records["x"], dtype=dtypes.float32).tolist() == list(range(7))
    assert CUDA.neg(records["x"]).tolist() == [0, -1, -2, -3, -4, -5, -6]


def test_unaligned_arrays_are_read_element_by_element(rng: np.random.Generator) -> None:
    """16 bytes at once only where all arrays begin at a multiple of 16."""
    x = rng.standard_normal(1_001).astype(np.float32)
    for start in range(1, 4):
        with cuda_launch.sanitized() as reports:
            result = CUDA.neg(x[start:])
        np.testing.assert_array_equal(result, -x[start:])
        assert all(each.ok for each in reports), reports


def test_more_dimensions_than_a_layout_holds() -> None:
    x = np.ones((2,) * 17, np.float32)
    with pytest.raises(ValueError, match="add: strides that need 17 dimensions, more than 16"):
        CUDA.add(x, x.T)


def test_what_is_missing_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(importlib.import_module("pyneural.kernels.scan.cuda"), "cumsum")
    lacking = kernels.Backend("cuda", CUDA.engine, device="simulator")
    with pytest.raises(NotImplementedError, match=r"^cumsum is not implemented on the device 'simulator'$"):
        lacking.cumsum(np.ones(3, np.float32), dim=0)


def test_device() -> None:
    simulator = pyneural.device("simulator")
    assert simulator is pyneural.device("simulator:0")
    assert simulator.kernels is CUDA
    with pytest.raises(ValueError, match="'simulator:1' is none of"):
        pyneural.device("simulator:1")
    with kernels.use("reference"):
        assert kernels.active("simulator") is CUDA


def test_a_step_of_training_as_on_the_cpu(rng: np.random.Generator) -> None:
    """Forward and backward through the engine, with nothing but the simulator's kernels."""
    x, weight, filters = (
        rng.standard_normal(shape).astype(np.float32) for shape in ((3, 2, 6, 5), (4, 5 * 4 * 4), (5, 2, 3, 2))
    )
    gradients = []
    for device in ("simulator", "cpu"):
        a, w, f = (Tensor(each, device=device, requires_grad=True) for each in (x, weight, filters))
        hidden = F.gelu(F.conv2d(a, f)).reshape(3, -1)
        loss = -F.log_softmax(F.linear(hidden, w), dim=1)[:, 1].mean()
        loss.backward()
        assert str(a.grad.device) == device
        gradients.append([loss.detach().numpy(), *(each.grad.numpy() for each in (a, w, f))])
    for simulated, computed in zip(*gradients, strict=True):
        np.testing.assert_allclose(simulated, computed, rtol=2e-4, atol=2e-6)


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device says what is missing, and which command brings it."""

    def missing() -> toolchain.Compiler:
        raise pyneural.cuda.CompilerNotFoundError("needs a C++ compiler: pip install ziglang")

    monkeypatch.setattr(toolchain, "compiler", missing)
    monkeypatch.setattr(sys.modules["pyneural.device"], "_devices", {})
    with pytest.raises(RuntimeError, match=r"device: 'simulator' cannot be used: .*pip install ziglang"):
        pyneural.device("simulator")
