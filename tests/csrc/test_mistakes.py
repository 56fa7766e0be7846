"""The mistakes that everyone makes: each is one Python exception that says what and where; the interpreter lives on."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from pyneural import cuda
from pyneural.cuda import toolchain
from pyneural.cuda.arguments import STRUCT, Parameter, convert

COMPILE = {
    "a semicolon is missing": (
        "__global__ void k(float* x) {\n  int i = threadIdx.x\n  x[i] = 1;\n}",
        {2, 3},
        r"expected ',' or ';'|expected ';'",
    ),
    "a brace is missing": ("__global__ void k(float* x) {\n  if (x) {\n    x[0] = 1;\n}\n", {1}, "'{' is never closed"),
    "an unknown type": ("__global__ void k(flaot* x) {\n  x[0] = 1;\n}", {1}, "flaot"),
    "an unknown variable": ("__global__ void k(float* x, int n) {\n\n  if (idx < n) x[0] = 1;\n}", {3}, "idx"),
    "a misspelt barrier": ("__global__ void k() {\n  __syncthread();\n}", {2}, "__syncthread"),
    "a write through a pointer to const": (
        "__global__ void k(const float* x) {\n  x[threadIdx.x] = 0;\n}",
        {2},
        "read-only|const",
    ),
    "arguments of another function": (
        "__device__ float f(float a, float b) { return a + b; }\n__global__ void k(float* x) {\n  x[0] = f(1.0f);\n}",
        {1, 3},
        "too few arguments|no matching function",
    ),
    "a shared array of a size known at run time": (
        "__global__ void k(float* x, int n) {\n  __shared__ float s[n];\n  s[0] = x[0];\n}",
        {2},
        "s",
    ),
    "more static shared memory than there is": (
        "__global__ void k(float* x) {\n  __shared__ float s[128][128];\n  s[threadIdx.x][0] = x[0];\n"
        "  x[0] = s[0][threadIdx.x];\n}",
        {1},
        r"65536 bytes of static shared memory \(s\); the limit is 49152",
    ),
    "a header that is nowhere": ('#include "helpers.cuh"\n__global__ void k() {}', {1}, r"helpers\.cuh"),
    "a library of NVIDIA's": ("#include <cublas_v2.h>\n__global__ void k() {}", {1}, "cuBLAS.*cannot be simulated"),
    "a texture": (
        "__global__ void k(cudaTextureObject_t t, float* x) {\n  x[0] = tex2D<float>(t, 0, 0);\n}",
        {1},
        "textures.*cannot be simulated",
    ),
    "a launch within a kernel": (
        "__global__ void child() {}\n__global__ void parent() {\n  child<<<1, 1>>>();\n}",
        {3},
        "dynamic parallelism",
    ),
    "a cluster of blocks": (
        "__global__ void __cluster_dims__(2) k() {}\nint main() {\n  k<<<2, 32>>>();\n}",
        {1},
        "a program's launch of a cluster cannot be simulated",
    ),
    "random numbers by the host": (
        "#include <curand.h>\nint main() {\n  curandGenerateUniform(0, 0, 1);\n}",
        {3},
        "cuRAND's host API.*cannot be simulated",
    ),
    "inline PTX": ('__global__ void k() {\n  asm volatile("bar.sync 0;");\n}', {2}, "inline PTX cannot be simulated"),
    "a launch without arguments": (
        "__global__ void k(int n) {}\nint main() {\n  k<<<1, 32>>>;\n}",
        {3},
        "must be followed by the kernel's arguments",
    ),
    "a launch with too few arguments": (
        "__global__ void k(float* x, int n) {}\nint main() {\n  float* x;\n  k<<<1, 32>>>(x);\n}",
        {4},
        r"kernel_taking<float ?\*, int>",
    ),
    "a launch with an argument of a wrong type": (
        "__global__ void k(float* x) {}\nint main() {\n  double* x;\n  k<<<1, 32>>>(x);\n}",
        {4},
        r"kernel_taking<float ?\*>",
    ),
    "an if of the preprocessor that is never ended": (
        "#ifdef FAST\n__global__ void k() {}\n",
        {1},
        "unterminated",
    ),
}


@pytest.mark.parametrize("name", COMPILE)
def test_compile(name: str) -> None:
    source, lines, message = COMPILE[name]
    with pytest.raises(cuda.CompileError, match=message) as error:
        cuda.compile(source + "\n", "simulator")
    first = error.value.diagnostics[0]
    assert first.file == "<source>"
    assert first.line in lines
    assert str(error.value).startswith(f"<source>:{first.line}: ")


SOURCE = """
__global__ void axpy(float a, const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += a * x[i];
}
__global__ void __launch_bounds__(128) bounded(float* y) { y[threadIdx.x] = 1; }
template <int N> __global__ void fill(float* y) {
  static_assert(N > 0, "N must be positive");
  y[threadIdx.x] = N;
}
__global__ void wild(float* y, long long where) {
  y[threadIdx.x] = 1;
  if (threadIdx.x == 3) *(int*)where = 7;
}
__global__ void follow(float** list) {
  list[0][threadIdx.x] = 1;
}
__global__ void endless(const volatile int* flag, int* out) {
  while (*flag == 0) {}
  out[0] = 1;
}
__global__ void bottomless(int* out, int n) {
  if (n == 0) return;
  volatile int room[64];
  room[threadIdx.x] = n;
  out[threadIdx.x] = room[threadIdx.x];
  for (unsigned i = 0; i < 0xffffffffu; i += 0) out[threadIdx.x] += 1;
}
"""


@pytest.fixture(scope="module")
def module() -> cuda.Module:
    compiled = cuda.compile(SOURCE, "simulator")
    assert isinstance(compiled, cuda.Module)
    return compiled


X, Y = np.ones(64, np.float32), np.ones(64, np.float32)
FINE = (2.0, X, Y, 64)


class OnGPU:
    """What an array of CuPy's looks like."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": (64,), "typestr": "<f4", "data": (1 << 40, False), "version": 3}


LAUNCH = {
    "too many threads": ((1, 2048), FINE, ValueError, r"2048|1024"),
    "too many threads in two dimensions": ((1, (64, 32)), FINE, ValueError, r"2048|1024"),
    "too deep a block": ((1, (1, 1, 128)), FINE, ValueError, "64"),
    "too high a grid": (((1, 70000), 32), FINE, ValueError, "65535"),
    "an empty grid": ((0, 32), FINE, ValueError, r"grid \(=0\) must be positive"),
    "a fraction of a block": ((1.5, 32), FINE, TypeError, r"grid must be an integer.*1\.5"),
    "four dimensions": (((1, 1, 1, 1), 32), FINE, ValueError, "one to three dimensions"),
    "no block": ((1,), FINE, TypeError, r"expected kernel\[grid, block\]"),
    "too much dynamic shared memory": ((1, 32, 300 * 1024), FINE, ValueError, r"307200|232448"),
    "negative shared memory": ((1, 32, -4), FINE, ValueError, r"shared_bytes \(=-4\) must not be negative"),
    "an argument is missing": ((1, 64), FINE[:-1], TypeError, r"takes 4 arguments \(.*int n\), got 3"),
    "an argument too many": ((1, 64), (*FINE, 1), TypeError, "takes 4 arguments .*, got 5"),
    "a float64 array": ((1, 64), (2.0, np.ones(64), Y, 64), TypeError, "x takes an array of float32, got float64"),
    "an int32 array": (
        (1, 64),
        (2.0, X, np.ones(64, np.int32), 64),
        TypeError,
        "y takes an array of float32, got int32",
    ),
    "a list": ((1, 64), (2.0, [1.0] * 64, Y, 64), TypeError, "x takes a NumPy array, got list"),
    "an array of a GPU": ((1, 64), (2.0, OnGPU(), Y, 64), TypeError, "got an array of a GPU"),
    "every second element": ((1, 64), (2.0, np.ones(128, np.float32)[::2], Y, 64), ValueError, "must be C-contiguous"),
    "an array for a scalar": ((1, 64), (X, X, Y, 64), TypeError, "float a takes a scalar, got an array of shape"),
    "a float for an integer": ((1, 64), (2.0, X, Y, 64.0), TypeError, r"int n takes an integer, got 64\.0"),
    "a number that does not fit": ((1, 64), (2.0, X, Y, 2**40), ValueError, "int n cannot hold 1099511627776"),
    "a string": ((1, 64), ("2", X, Y, 64), TypeError, "float a takes a number, got '2'"),
}


@pytest.mark.parametrize("name", LAUNCH)
@pytest.mark.parametrize("how", [lambda k: k, cuda.sanitize, cuda.profile], ids=["plain", "sanitize", "profile"])
def test_launch(module: cuda.Module, name: str, how: Any) -> None:
    config, arguments, error, message = LAUNCH[name]
    before = Y.copy()
    with pytest.raises(error, match=message) as raised:
        how(module["axpy"])[config](*arguments)
    assert str(raised.value).startswith("axpy: ")
    np.testing.assert_array_equal(Y, before)


def test_more_threads_than_launch_bounds(module: cuda.Module) -> None:
    with pytest.raises(ValueError, match=r"bounded: block \(256, 1, 1\) .* __launch_bounds__\(128\)"):
        module["bounded"][1, 256](Y)


def test_kernels_that_are_not_there(module: cuda.Module) -> None:
    with pytest.raises(KeyError, match="no kernel 'saxpy'; it has: axpy, bounded"):
        module["saxpy"]
    with pytest.raises(KeyError, match="name an instance"):
        module["fill"]
    with pytest.raises(cuda.CompileError, match="N must be positive"):
        module["fill<0>"]


def test_a_read_only_array(module: cuda.Module) -> None:
    locked = np.ones(64, np.float32)
    locked.setflags(write=False)
    with pytest.raises(ValueError, match="y is written by the kernel, but the array is read-only"):
        module["axpy"][1, 64](2.0, X, locked, 64)


def test_no_configuration(module: cuda.Module) -> None:
    with pytest.raises(TypeError, match="needs a launch configuration"):
        module["axpy"](*FINE)


def test_sanitizing_a_function(module: cuda.Module) -> None:
    with pytest.raises(TypeError, match="expected a kernel compiled for the simulator, got builtin_function"):
        cuda.sanitize(len)  # type: ignore[arg-type]


def test_a_program_without_main() -> None:
    with pytest.raises(cuda.CompileError, match="no function `int main`"):
        cuda.run("__global__ void k() {}\n")


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.cu"):
        cuda.compile("nowhere.cu", "simulator")


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    toolchain.compiler.cache_clear()
    try:
        with pytest.raises(cuda.CompilerNotFoundError, match=r"CXX='no-such-compiler' does not run; .*pip install"):
            toolchain.compiler()
    finally:
        toolchain.compiler.cache_clear()


def test_a_host_array_on_a_gpu() -> None:
    """Refused when the arguments are read, so that it needs no GPU; arrays are tested in tests/gpu."""
    parameter = Parameter("x", STRUCT, "struct", 128, 64, 128, False)
    host = cuda.tensor_map(np.zeros((8, 8), np.float32), (8, 8))
    with pytest.raises(TypeError, match="got a tensor map of an array in host memory"):
        convert("saxpy", [parameter], (host,), gpu=True)


@pytest.mark.parametrize("where", [0, 8, 1 << 40, 0x7FFF_FFFF_F000, -8], ids=hex)
def test_a_wild_pointer_is_a_finding(module: cuda.Module, where: int) -> None:
    y = np.zeros(32, np.float32)
    report = cuda.sanitize(module["wild"])[1, 32](y, where)
    assert report.kinds == {"out_of_bounds"}
    (finding,) = report.findings
    assert (finding.line, finding.thread) == (13, (3, 0, 0))
    np.testing.assert_array_equal(y, np.ones(32))


def test_a_host_address_is_a_finding_and_not_written(module: cuda.Module) -> None:
    secret = np.arange(4, dtype=np.int32)
    report = cuda.sanitize(module["wild"])[1, 32](np.zeros(32, np.float32), secret.ctypes.data)
    assert report.kinds == {"out_of_bounds"}
    assert secret.tolist() == [0, 1, 2, 3]


def test_a_pointer_read_from_memory(module: cuda.Module) -> None:
    report = cuda.sanitize(module["follow"])[1, 32](np.array([0xDEAD0], np.uint64))
    assert report.kinds == {"out_of_bounds"}
    assert {finding.line for finding in report.findings} == {16}


def test_a_wild_pointer_in_a_plain_run(module: cuda.Module) -> None:
    with pytest.raises(cuda.LaunchError, match=r"wild: .*illegal memory access"):
        module["wild"][1, 32](np.zeros(32, np.float32), 8)
    y = np.ones(64, np.float32)
    module["axpy"][1, 64](2.0, X, y, 64)
    np.testing.assert_array_equal(y, 3)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("endless", (np.zeros(1, np.int32), np.zeros(1, np.int32))), ("bottomless", (np.zeros(32, np.int32), 1))],
)
def test_an_endless_loop_ends_with_a_finding(module: cuda.Module, name: str, arguments: tuple[Any, ...]) -> None:
    start = time.monotonic()
    report = cuda.sanitize(module[name], timeout=0.5)[1, 32](*arguments)
    assert "hang" in report.kinds, report
    assert time.monotonic() - start < 60
    with pytest.raises(cuda.LaunchError, match=f"{name}: it did not end within 0\\.2 seconds"):
        module[name][1, 32](*arguments, timeout=0.2)


LOCAL = """__device__ __noinline__ void put(int* p, int at, int value) { p[at] = value; }
__global__ void past(int* a, int at, int value) {
  int l[8];
  for (int i = 0; i < 8; ++i) l[i] = i;
  l[at] = value;
  a[threadIdx.x] = l[threadIdx.x % 8];
}
__global__ void far(int* a, int at, int value) {
  int l[8];
  for (int i = 0; i < 8; ++i) l[i] = i;
  put(l, at, value);
  a[threadIdx.x] = l[threadIdx.x % 8];
}
"""


@pytest.fixture(scope="module")
def local() -> cuda.Module:
    return cuda.compile(LOCAL, "simulator")


def test_no_write_past_a_local_array_is_made(local: cuda.Module) -> None:
    """Above the kernel's frame lie the address it returns to, and what the simulator needs after that."""
    for at in (*range(8, 64), 1000, 1 << 20, -1, -1000):
        report = cuda.sanitize(local["past"], timeout=60.0)[1, 32](np.zeros(32, np.int32), at, -559038737)
        message = f"thread 0 of block 0 uses l[{at}], but its last element is [7]"
        assert [(each.message, each.line) for each in report.findings] == [(message, 5)]
    a = np.zeros(32, np.int32)
    assert not cuda.sanitize(local["past"])[1, 32](a, 7, 70).findings
    np.testing.assert_array_equal(a, [0, 1, 2, 3, 4, 5, 6, 70] * 4)
    with pytest.raises(cuda.LaunchError, match=r"<source>:5: index 8 is past the end of an array of type .*int ?\[8\]"):
        cuda.profile(local["past"])[1, 32](np.zeros(32, np.int32), 8, 1)


def test_no_write_by_a_pointer_past_the_local_memory_is_made(local: cuda.Module) -> None:
    for at in (*range(48, 256, 13), 5000, 1 << 17):
        report = cuda.sanitize(local["far"], timeout=60.0)[1, 32](np.zeros(32, np.int32), at, -559038737)
        message = "thread 0 of block 0 writes local memory that is not its own"
        assert [(each.message, each.line) for each in report.findings] == [(message, 1)], f"p[{at}]"


@pytest.mark.parametrize("store", ["s[0][threadIdx.x]", "(*rows)[0][threadIdx.x]"])
def test_a_walk_over_the_rows_of_a_shared_array(store: str) -> None:
    text = "__global__ void walk(float* y) {\n  __shared__ float s[4][8];\n  float (*rows)[4][8] = &s;\n"
    text += f"  {store} = threadIdx.x;\n  __syncthreads();\n  y[threadIdx.x] = s[threadIdx.x / 8][threadIdx.x % 8];\n}}"
    kernel = cuda.compile(text, "simulator")["walk"]
    y = np.zeros(32, np.float32)
    report = cuda.sanitize(kernel)[1, 32](y)
    if "rows" in store:  # known to be shared by the name alone
        assert report.kinds == {"out_of_bounds"}
    else:
        assert not report.findings
        np.testing.assert_array_equal(y, np.arange(32))
        assert cuda.profile(kernel)[1, 32](y)
