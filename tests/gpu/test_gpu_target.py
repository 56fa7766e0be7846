"""`cuda.compile(..., target="gpu")`: arguments, errors, shared memory, streams."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from pyneural import cuda
from pyneural.cuda import gpu, nvrtc

SOURCE = r"""
#include <cuda_fp16.h>
#include <cuda_bf16.h>
enum class Way { Up, Down };
struct Pair { float a; int b; };
struct Loop { static constexpr int step = 3; };
__global__ void saxpy(float a, const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += a * x[i];
}
__global__ void scalars(bool flag, unsigned char c, long long i, double d, __half h, __nv_bfloat16 b, Way way,
                        Pair pair, float3 v, double* out) {
  out[0] = flag; out[1] = c; out[2] = double(i); out[3] = d; out[4] = __half2float(h); out[5] = __bfloat162float(b);
  out[6] = way == Way::Down; out[7] = pair.a; out[8] = pair.b; out[9] = v.x + v.y * v.z;
}
template <typename L, Way W, int N> __global__ void stepped(int* out) {
  out[threadIdx.x] = L::step * N + (W == Way::Down);
}
extern __shared__ float held[];
__global__ void __launch_bounds__(64) reversed(const float* x, float* out, int n) {
  for (int i = threadIdx.x; i < n; i += blockDim.x) held[i] = x[i];
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) out[i] = held[n - 1 - i];
}
struct Table { float* rows[2]; int count; };
__global__ void sum_rows(Table table, float* out) { for (int k = 0; k < table.count; ++k) out[0] += table.rows[k][0]; }
__global__ void given(const float* x, int* out) { out[0] = x == nullptr; }
"""


@pytest.fixture(scope="module")
def module(standin: bool) -> Any:
    return cuda.compile(SOURCE, "gpu")


@pytest.fixture
def cupy(standin: bool) -> Any:
    return sys.modules["cupy"]


def test_launch(module: Any, cupy: Any) -> None:
    x, y = cupy.asarray(np.arange(100, dtype=np.float32)), cupy.asarray(np.ones(100, np.float32))
    module["saxpy"][4, 32](2, x, y, 100)
    np.testing.assert_array_equal(y.get(), 1 + 2 * np.arange(100, dtype=np.float32))
    assert module["saxpy"].signature == "saxpy(float a, const float* x, float* y, int n)"
    assert {"saxpy", "stepped", "reversed"} <= set(module.names)


def test_every_kind_of_argument(module: Any, cupy: Any) -> None:
    out = cupy.asarray(np.zeros(10))
    pair = np.array((1.5, -7), np.dtype([("a", "f4"), ("b", "i4")]))[()]
    module["scalars"][1, 1](True, 200, -(2**40), 0.1, 0.5, 1.25, 1, pair, (1.0, 2.0, 3.0), out)
    assert out.get().tolist() == [1, 200, -(2.0**40), 0.1, 0.5, 1.25, 1, 1.5, -7, 7]
    flag = cupy.asarray(np.zeros(1, np.int32))
    module["given"][1, 1](None, flag)
    assert flag.get()[0] == 1


def test_templates_over_types_and_enumerators(module: Any, cupy: Any) -> None:
    out = cupy.asarray(np.zeros(4, np.int32))
    module["stepped<Loop, Way::Down, 5>"][1, 4](out)
    assert out.get().tolist() == [16] * 4


def test_structs_of_pointers(module: Any, cupy: Any) -> None:
    rows = [cupy.asarray(np.full(3, value, np.float32)) for value in (2.0, 5.0)]
    out = cupy.asarray(np.zeros(1, np.float32))
    table = np.zeros((), np.dtype([("rows", "u8", (2,)), ("count", "i4"), ("", "i4")]))
    table["count"] = 2
    module["sum_rows"][1, 1](cuda.Struct(table[()], {0: rows[0], 8: rows[1]}), out)
    assert out.get()[0] == 7.0


def test_much_shared_memory(module: Any, cupy: Any) -> None:
    n = 16_000  # 64,000 bytes: more than a kernel has without asking
    x, out = cupy.asarray(np.arange(n, dtype=np.float32)), cupy.asarray(np.zeros(n, np.float32))
    for _ in range(2):
        module["reversed"][1, 64, 4 * n](x, out, n)
    np.testing.assert_array_equal(out.get(), np.arange(n, dtype=np.float32)[::-1])
    with pytest.raises(cuda.LaunchError, match=r"reversed: grid .*9999999 bytes of dynamic shared memory"):
        module["reversed"][1, 64, 9_999_999](x, out, n)


def test_wrong_arguments(module: Any, cupy: Any) -> None:
    x, y = cupy.asarray(np.zeros((4, 4), np.float32)), cupy.asarray(np.zeros(16, np.float64))
    saxpy = module["saxpy"][1, 32]
    with pytest.raises(TypeError, match="lies in host memory"):
        saxpy(1.0, np.zeros(4, np.float32), x, 4)
    with pytest.raises(TypeError, match=r"const float\* x takes an array of float32, got float64"):
        saxpy(1.0, y, x, 4)
    with pytest.raises(ValueError, match="C-contiguous"):
        saxpy(1.0, x.T, x, 4)
    with pytest.raises(TypeError, match="takes an array of CuPy's, got list"):
        saxpy(1.0, [1.0], x, 4)
    with pytest.raises(TypeError, match="takes 4 arguments"):
        saxpy(1.0, x, x)
    with pytest.raises(ValueError, match="int n cannot hold"):
        saxpy(1.0, x, x, 2**40)
    with pytest.raises(TypeError, match="needs a launch configuration"):
        module["saxpy"](1.0, x, x, 4)
    with pytest.raises(TypeError, match="got an array of a GPU"):
        cuda.compile(SOURCE, "simulator")["saxpy"][1, 32](1.0, x, x, 4)


def test_what_does_not_compile() -> None:
    with pytest.raises(cuda.CompileError, match=r"<source>:2: .*missing") as caught:
        cuda.compile("__global__ void f(float* x) {\n  x[0] = missing;\n}\n", "gpu")["f"]
    assert caught.value.diagnostics[0].line == 2


def test_streams(module: Any, cupy: Any) -> None:
    x, y = cupy.asarray(np.ones(8, np.float32)), cupy.asarray(np.zeros(8, np.float32))
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        module["saxpy"][1, 32](3.0, x, y, 8)
    stream.synchronize()
    assert y.get().tolist() == [3.0] * 8


def test_architectures() -> None:
    assert [nvrtc.architecture(each) for each in ("75", "80", "90", "120")] == ["sm_75", "sm_80", "sm_90a", "sm_120a"]
    assert gpu.available()
    assert gpu.obstacle() is None
    assert gpu.count() >= 1
