"""Registers and occupancy by nvcc, where it is; the arithmetic of both everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural import cuda
from pyneural.cuda.resources import Resources, nvcc, roofline

SOURCE = """
namespace ns { __global__ void scale(float* x, float a) { x[threadIdx.x] *= a; } }
template <typename T, int N> __global__ void turn(const T* x, T* y) {
  __shared__ T s[N];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = s[N - 1 - threadIdx.x];
}
"""
needs_nvcc = pytest.mark.skipif(nvcc() is None, reason="nvcc is not installed")


def kernel(registers: int = 32, shared: int = 0, arch: str = "sm_80") -> Resources:
    return Resources("k", arch, registers, shared, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("resources", "block", "dynamic", "blocks", "limit"),
    [
        (kernel(32), 256, 0, 8, "warps"),
        (kernel(64), 256, 0, 4, "registers"),
        (kernel(255), 128, 0, 2, "registers"),
        (kernel(32), 32, 0, 32, "blocks"),
        (kernel(32, 48 * 1024), 128, 0, 3, "shared memory"),
        (kernel(32, 1024), 128, 31 * 1024, 4, "shared memory"),
        (kernel(32, 0, "sm_75"), 1024, 0, 1, "warps"),
    ],
)
def test_occupancy(resources: Resources, block: int, dynamic: int, blocks: int, limit: str) -> None:
    occupancy = resources.occupancy(block, dynamic)
    assert (occupancy.blocks, occupancy.limit) == (blocks, limit)
    assert occupancy.warps == blocks * -(-block // 32)


def test_a_block_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="too much registers"):
        kernel(255).occupancy(1024)
    with pytest.raises(ValueError, match=r"block \(=0\)"):
        kernel().occupancy(0)


@needs_nvcc
def test_what_nvcc_reports() -> None:
    found = cuda.resources(SOURCE, "sm_80", instances=["turn<double, 64>"])
    assert set(found) == {"ns::scale", "turn<double, 64>"} or set(found) == {"ns::scale", "turn<double, (int)64>"}
    turn = next(r for name, r in found.items() if name.startswith("turn"))
    assert turn.shared == 512
    assert 0 < turn.registers < 64
    assert turn.spill_loads == 0


@needs_nvcc
def test_errors_of_nvcc_have_the_users_lines() -> None:
    with pytest.raises(cuda.CompileError, match="undefined_name") as error:
        cuda.resources("\n__global__ void k(int* x) {\n  *x = undefined_name;\n}\n")
    assert error.value.diagnostics[0][:2] == ("<source>", 3)


def test_unknown_architecture() -> None:
    with pytest.raises(ValueError, match=r"arch \(='sm_20'\) must be one of sm_75"):
        cuda.resources(SOURCE, "sm_20")


def test_without_nvcc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NVCC", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CUDA_HOME", "/nowhere")
    with pytest.raises(cuda.CompilerNotFoundError, match="need nvcc"):
        cuda.resources(SOURCE)


def test_roofline_is_labelled_a_prediction() -> None:
    x = np.ones(1024, np.float32)
    profile = cuda.profile(cuda.compile(SOURCE, "simulator")["ns::scale"])[1, 1024](x, 2.0)
    prediction = roofline(profile, 1024, "sm_90")
    assert prediction.seconds == pytest.approx(8192 / 3.35e12)
    assert prediction.bound == "memory"
    assert prediction.intensity == 1 / 8
    assert "static prediction for H100 SXM, not a measurement" in str(prediction)
