"""Mistakes in a source or a launch: each is one clear exception, at the user's own line."""

from __future__ import annotations

import ctypes
import os
import pathlib
from typing import Any

import numpy as np
import pytest

from pyneural import cuda
from pyneural.cuda import toolchain

SOURCE = r"""
namespace scale { __global__ void by(float* x, float a, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= a;
} }
extern "C" __global__ void saxpy(float a, const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += a * x[i];
}
template <typename T, int N> __global__ void fill(T* x) { x[threadIdx.x] = T(N); }
__global__ void __launch_bounds__(64) bounded(float* x) { x[threadIdx.x] = 1; }
__global__ void small(signed char* a, unsigned char b, bool c, long long d, double e, const void* f) {
  a[0] = (signed char)(b + c + d + e + *static_cast<const char*>(f));
}
struct Pair { int a, b; };
__global__ void pair(Pair p, int* out) { *out = p.a * p.b; }
__global__ void divides(int* x, int d) { x[0] = 10 / d; }
__global__ void stops(int n) { assert(n < 0); }
__global__ void writes(float* x) { x[0] = 1; }
__global__ void waits(int n) { while (n) n |= 1; }
__global__ void stuck(int* x) {
  if (threadIdx.x < 16) __syncwarp(0xffffffff);
  else __syncthreads();
  *x = 1;
}
__global__ void deep(int* x, int n) {
  volatile char big[4096];
  big[0] = 1;
  x[0] += big[0];
}
"""


@pytest.fixture(scope="module")
def module() -> cuda.Module:
    return cuda.compile(SOURCE, "simulator")


def f32(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape, np.float32)


def test_names_and_signatures(module: cuda.Module) -> None:
    assert module.names[:3] == ["scale::by", "saxpy", "fill"]
    assert module["saxpy"].signature == "saxpy(float a, const float* x, float* y, int n)"
    assert module["fill<double, 3>"].signature == "fill<double, 3>(double* x)"
    assert module["scale::by"] is module["scale::by"]
    assert module["by"].name == "scale::by"
    assert "saxpy" in module


def test_static_shared_memory_of_a_kernel() -> None:
    """Its own arrays, those of what it calls and what it names at file scope; no other kernel's, nothing dynamic."""
    shared = cuda.compile(
        "__shared__ double everyone[2];\n"
        "__device__ float helped(float x) { __shared__ float s[10]; s[threadIdx.x] = x; return s[0] + everyone[0]; }\n"
        "__global__ void one(float* x) {\n"
        "  __shared__ int a[7]; a[threadIdx.x] = 1; everyone[threadIdx.x] = x[0] = helped(a[0]);\n}\n"
        "__global__ void two(float* x) { extern __shared__ int d[]; d[threadIdx.x] = 1; x[0] = d[0]; }\n"
        "template <int N> __global__ void many(float* x) { __shared__ int a[N]; a[threadIdx.x] = 1; x[0] = a[0]; }\n",
        "simulator",
    )
    names = ("one", "two", "many<3>", "many<100>")
    assert [shared[name].static_shared for name in names] == [16 + 40 + 28, 0, 12, 400]


@pytest.mark.parametrize("blocks", [1, 7, 300])
def test_a_launch(module: cuda.Module, rng: np.random.Generator, blocks: int) -> None:
    n = blocks * 128 - 5
    x, y = rng.standard_normal((2, n)).astype(np.float32)
    expected = y + np.float32(2) * x
    module["saxpy"][blocks, 128](2.0, x, y, n)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("\n__global__ void k(float* x) {\n  x[0] = 1\n}\n", 3, "expected ';'"),
        ("\n\n__global__ void k(flaot* x) {}", 3, "flaot"),
        ("__global__ void k(float* x) {\n\n  x[0] = undefined_name;\n}", 3, "undefined_name"),
        ('__global__ void k() {\n\n  asm volatile("bar.sync 0;");\n}', 3, "inline PTX cannot be simulated"),
        ("#include <cublas_v2.h>\n", 1, "cuBLAS .* cannot be simulated"),
        ("\n#include <thrust/device_vector.h>\n", 2, "Thrust .* cannot be simulated"),
        (
            "__global__ void k(float* x) {\n  __shared__ float s[20000];\n  s[threadIdx.x] = 1;\n  __syncthreads();\n"
            "  *x = s[3];\n}",
            1,
            "80000 bytes of static shared",
        ),
        ('#include "not_there.h"\n', 1, "not_there.h"),
        ("__device__ void f();\n__global__ void k() { f(); }", 0, r"f\(\) is declared but defined nowhere"),
    ],
)
def test_compile_errors(source: str, line: int, message: str) -> None:
    with pytest.raises(cuda.CompileError, match=message) as error:
        cuda.compile(source, "simulator")
    assert error.value.diagnostics[0].line == line


def test_errors_in_a_header_name_the_header(tmp_path: pathlib.Path) -> None:
    (tmp_path / "inner.cuh").write_text("#pragma once\n__device__ float twice(float x) {\n  return 2 * y;\n}\n")
    (tmp_path / "outer.cu").write_text('#include "inner.cuh"\n__global__ void k(float* x) { *x = twice(*x); }\n')
    with pytest.raises(cuda.CompileError, match=r"inner\.cuh:3") as error:
        cuda.compile(tmp_path / "outer.cu", "simulator")
    assert error.value.diagnostics[0].file == str(tmp_path / "inner.cuh")


def test_headers_may_launch_and_share(tmp_path: pathlib.Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "inner.cuh").write_text(
        "#pragma once\ntemplate <int N> __device__ float head(float x) {\n  extern __shared__ float s[];\n"
        "  s[threadIdx.x] = x + N;\n  __syncthreads();\n  return s[0];\n}\n"
    )
    (tmp_path / "k.cu").write_text(
        "#include <inner.cuh>\n__global__ void k(float* x) { x[threadIdx.x] = head<WHAT>(x[threadIdx.x]); }\n"
    )
    module = cuda.compile(str(tmp_path / "k.cu"), "simulator", include=[tmp_path / "lib"], options=["-DWHAT=3"])
    x = np.arange(8, dtype=np.float32)
    module["k"][1, 8, 32](x)
    assert (x == 3).all()


def test_two_processes_may_compile_the_same_at_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    """A rewritten header is replaced as a whole: a compiler that reads it meanwhile must not find it cut short."""
    (tmp_path / "part.cuh").write_text("__device__ int one() { return 1; }\n")
    (tmp_path / "k.cu").write_text(
        f'#include "part.cuh"\n__global__ void k(int* x) {{ *x = one() + {rng.integers(1 << 30)}; }}\n'
    )
    build, replaced = toolchain.build, []

    def reading(source: str, output: pathlib.Path, *others: Any) -> None:
        (header,) = (output.parent / output.stem).iterdir()
        monkeypatch.setattr(toolchain, "build", build)
        with header.open() as being_read:
            cuda.compile(tmp_path / "k.cu", "simulator")  # as another process would
            replaced.append(os.fstat(being_read.fileno()).st_ino != header.stat().st_ino)
        build(source, output, *others)

    monkeypatch.setattr(toolchain, "build", reading)
    cuda.compile(tmp_path / "k.cu", "simulator")
    assert replaced == [True]


def test_unknown_kernels(module: cuda.Module) -> None:
    with pytest.raises(KeyError, match="has no kernel 'sgemm'; it has: scale::by, saxpy"):
        module["sgemm"]
    with pytest.raises(KeyError, match="name an instance, such as fill<128>"):
        module["fill"]
    with pytest.raises(KeyError, match="it is not a template"):
        module["saxpy<float>"]
    with pytest.raises(cuda.CompileError, match="no_type"):
        module["fill<no_type, 2>"]


def test_unknown_target() -> None:
    with pytest.raises(ValueError, match=r"target \(='tpu'\) must be 'simulator' or 'gpu'"):
        cuda.compile(SOURCE, "tpu")


def test_missing_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.cu"):
        cuda.compile("nowhere.cu", "simulator")


def test_missing_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    toolchain.compiler.cache_clear()
    monkeypatch.setenv("CXX", "/nowhere/c++")
    try:
        with pytest.raises(cuda.CompilerNotFoundError, match="pip install ziglang"):
            toolchain.compiler()
    finally:
        toolchain.compiler.cache_clear()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((2.0, f32(4), f32(4)), TypeError, r"takes 4 arguments \(float a, const float\* x, .*, got 3"),
        ((2.0, np.ones(4), f32(4), 4), TypeError, r"const float\* x takes an array of float32, got float64"),
        ((2.0, [1.0, 2.0], f32(4), 4), TypeError, r"const float\* x takes a NumPy array, got list"),
        ((2.0, 1.0, f32(4), 4), TypeError, "takes a NumPy array, got float"),
        ((f32(4), f32(4), f32(4), 4), TypeError, r"float a takes a scalar, got an array of shape \(4,\)"),
        (("2", f32(4), f32(4), 4), TypeError, "float a takes a number, got '2'"),
        ((2.0, f32(4), f32(4), 4.5), TypeError, "int n takes an integer, got 4.5"),
        ((2.0, f32(4), f32(4), 2**31), ValueError, "int n cannot hold 2147483648"),
        ((2.0, f32(4, 4).T[:, ::2], f32(4), 4), ValueError, "x must be C-contiguous, got shape"),
    ],
)
def test_wrong_arguments(module: cuda.Module, arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"saxpy: .*{message}"):
        module["saxpy"][1, 32](*arguments)


def test_read_only_arrays(module: cuda.Module) -> None:
    x, y = f32(4), f32(4)
    x.flags.writeable = False
    module["saxpy"][1, 32](1.0, x, y, 4)
    with pytest.raises(ValueError, match="y is written by the kernel, but the array is read-only"):
        module["saxpy"][1, 32](1.0, y, x, 4)


def test_scalars_of_every_kind(module: cuda.Module) -> None:
    a = np.zeros(1, np.int8)
    module["small"][1, 1](a, np.uint8(200), True, -100, np.float32(2.5), np.array([5], np.int8))
    assert a[0] == 108
    with pytest.raises(ValueError, match="unsigned char b cannot hold 256"):
        module["small"][1, 1](a, 256, True, 0, 0.0, a)


def test_structures(module: cuda.Module) -> None:
    class Pair(ctypes.Structure):
        _fields_ = (("a", ctypes.c_int), ("b", ctypes.c_int))

    out = np.zeros(1, np.int32)
    for value in (Pair(6, 7), bytes(Pair(6, 7)), np.array((6, 7), "i4,i4")[()]):
        out[0] = 0
        module["pair"][1, 1](value, out)
        assert out[0] == 42
    with pytest.raises(ValueError, match="takes 8 bytes, got 4"):
        module["pair"][1, 1](b"1234", out)
    with pytest.raises(TypeError, match="structured scalar"):
        module["pair"][1, 1](7, out)


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ((1, 1025), ValueError, r"block\.x \(=1025\) must be between 1 and 1024"),
        ((1, (64, 32)), ValueError, r"block \(64, 32, 1\) has 2048 threads; the limit is 1024"),
        ((1, (1, 1, 65)), ValueError, r"block\.z \(=65\) must be between 1 and 64"),
        (((1, 65536), 1), ValueError, r"grid\.y \(=65536\) must be between 1 and 65535"),
        ((0, 32), ValueError, r"grid \(=0\) must be positive"),
        ((1, 32, 300_000), ValueError, "dynamic shared memory .=300000 bytes. must be at most 232448"),
        ((1, 32, -1), ValueError, "must not be negative"),
        ((1.5, 32), TypeError, "grid must be an integer or a tuple"),
        ((1, (1, 2, 3, 4)), ValueError, "one to three dimensions"),
        (32, TypeError, r"expected kernel\[grid, block\]"),
    ],
)
def test_wrong_configurations(module: cuda.Module, config: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        module["saxpy"][config](1.0, f32(4), f32(4), 4)


def test_launch_bounds(module: cuda.Module) -> None:
    module["bounded"][1, 64](f32(64))
    with pytest.raises(ValueError, match=r"more threads than __launch_bounds__\(64\) allows"):
        module["bounded"][1, 65](f32(65))


def test_a_call_without_configuration(module: cuda.Module) -> None:
    with pytest.raises(TypeError, match=r"kernel\[grid, block\]"):
        module["saxpy"](1.0, f32(4), f32(4), 4)


def test_the_process_survives(module: cuda.Module) -> None:
    """What would ruin a CUDA context is an exception, and the next launch works."""
    with pytest.raises(cuda.LaunchError, match="illegal memory access"):
        module["writes"][1, 1](None)
    with pytest.raises(cuda.LaunchError, match="integer division by zero"):
        module["divides"][1, 1](np.zeros(1, np.int32), 0)
    with pytest.raises(cuda.LaunchError, match=r"<source>:18: block: \[0,0,0\], thread: \[0,0,0\] Assertion `n < 0`"):
        module["stops"][1, 1](1)
    with pytest.raises(cuda.LaunchError, match=r"did not end within 0\.2 seconds"):
        module["waits"][2, 32](1, timeout=0.2)
    with pytest.raises(cuda.LaunchError, match=r"deadlock: thread .* waits at line 2[23]"):
        module["stuck"][1, 32](np.zeros(1, np.int32))
    x = f32(4)
    module["scale::by"][1, 4](x, 3.0, 4)
    assert (x == 3).all()


def test_many_threads_with_a_stack_each(module: cuda.Module) -> None:
    x = np.zeros(1, np.int32)
    module["deep"][1, 1](x, 1)
    assert x[0] == 1


def test_gpu_target_without_a_gpu() -> None:
    from pyneural.cuda import gpu

    if gpu.available():
        with pytest.raises(TypeError, match="lies in host memory"):
            cuda.compile(SOURCE, "gpu")["saxpy"][1, 32](np.float32(1), f32(4), f32(4), np.int32(4))
    else:
        with pytest.raises(RuntimeError, match=r"target \"gpu\" cannot be used: .*`.+`"):
            cuda.compile(SOURCE, "gpu")


def test_a_gpu_array_in_the_simulator(module: cuda.Module) -> None:
    class DeviceArray:
        __cuda_array_interface__: dict[str, Any] = {}  # noqa: RUF012

    with pytest.raises(TypeError, match="got an array of a GPU"):
        module["saxpy"][1, 32](1.0, DeviceArray(), f32(4), 4)
