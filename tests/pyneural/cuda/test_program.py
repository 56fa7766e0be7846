"""Whole programs, as courses and samples write them."""

from __future__ import annotations

import pathlib

import pytest

from pyneural import cuda

PROGRAM = r"""
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
#include <cuda_runtime.h>

#define CHECK(call)                                                                    \
  do {                                                                                 \
    cudaError_t error = (call);                                                        \
    if (error != cudaSuccess) {                                                        \
      fprintf(stderr, "%s: %s\n", cudaGetErrorName(error), cudaGetErrorString(error)); \
      exit(3);                                                                         \
    }                                                                                  \
  } while (0)

__constant__ float coefficients[4];
__device__ int calls;
__shared__ float at_file_scope[64];

template <typename T> __global__ void scale(T* x, int n, T a) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    x[i] *= a * coefficients[i % 4];
    atomicAdd(&calls, 1);
  }
}
__global__ void reverse(float* x) {
  at_file_scope[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = at_file_scope[63 - threadIdx.x];
}
__global__ void hello(int k) { printf("hello %d from block %d\n", k, blockIdx.x); }
__global__ void off_by_one(float* x, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) x[i] = 1;  // wrong
}
__global__ void reads(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }  // reads

int main(int argc, char** argv) {
  const int n = 1000;
  std::vector<float> host(n, 2.0f);
  const float c[4] = {1, 2, 3, 4};
  CHECK(cudaMemcpyToSymbol(coefficients, c, sizeof(c)));
  float *x, *managed, *fresh;
  CHECK(cudaMalloc((void**)&x, n * sizeof(float)));
  CHECK(cudaMemcpy(x, host.data(), n * sizeof(float), cudaMemcpyHostToDevice));
  cudaStream_t stream;
  cudaEvent_t start, stop;
  CHECK(cudaStreamCreate(&stream));
  CHECK(cudaEventCreate(&start));
  CHECK(cudaEventCreate(&stop));
  CHECK(cudaEventRecord(start, stream));
  scale<float><<<(n + 255) / 256, 256, 0, stream>>>(x, n, 3.0f);
  scale<<<dim3(4), dim3(256)>>>(x, n, 1.0f);
  CHECK(cudaEventRecord(stop, stream));
  CHECK(cudaEventSynchronize(stop));
  float ms = -1;
  CHECK(cudaEventElapsedTime(&ms, start, stop));
  CHECK(cudaMemcpy(host.data(), x, n * sizeof(float), cudaMemcpyDeviceToHost));
  int count = 0;
  CHECK(cudaMemcpyFromSymbol(&count, calls, sizeof(int)));
  printf("%g %g %g %g, %d calls, %s\n", host[0], host[1], host[2], host[3], count, ms >= 0 ? "timed" : "?");
  CHECK(cudaMallocManaged(&managed, 64 * sizeof(float)));
  for (int i = 0; i < 64; ++i) managed[i] = i;
  reverse<<<1, 64>>>(managed);
  CHECK(cudaDeviceSynchronize());
  printf("%g %g\n", managed[0], managed[63]);
  hello<<<2, 1>>>(argc);
  CHECK(cudaGetLastError());
  scale<float><<<1, 2048>>>(x, n, 1.0f);
  printf("%s\n", cudaGetErrorString(cudaGetLastError()));
  printf("%d\n", int(cudaMemcpy(x, host.data(), (n + 1) * sizeof(float), cudaMemcpyHostToDevice)));
  cudaGetLastError();
  if (argc > 1 && !strcmp(argv[1], "wrong")) off_by_one<<<4, 256>>>(x, n);
  CHECK(cudaMalloc(&fresh, 32 * sizeof(float)));
  if (argc > 1 && !strcmp(argv[1], "fresh")) reads<<<1, 32>>>(fresh, x);
  CHECK(cudaMemset(fresh, 0, 16 * sizeof(float)));
  reads<<<1, 16>>>(fresh, x);
  CHECK(cudaFree(fresh));
  if (argc > 1 && !strcmp(argv[1], "freed")) reads<<<1, 16>>>(fresh, x);
  if (argc > 1 && !strcmp(argv[1], "null")) reads<<<1, 16>>>(nullptr, x);
  CHECK(cudaDeviceSynchronize());
  CHECK(cudaFree(x));
  return argc > 1 ? 7 : 0;
}
"""

OUTPUT = """6 24 54 96, 2000 calls, timed
63 0
hello 1 from block 0
hello 1 from block 1
invalid configuration argument
1
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("program") / "program.cu"
    path.write_text(PROGRAM)
    return path


def line_of(mark: str) -> int:
    return next(i for i, line in enumerate(PROGRAM.split("\n"), 1) if line.endswith(f"// {mark}"))


def test_a_program_runs(program: pathlib.Path) -> None:
    result = cuda.run(program)
    assert (result.returncode, result.stdout, result.stderr) == (0, OUTPUT, "")
    assert cuda.run(program, ["other"]).returncode == 7


def test_a_correct_program_has_no_findings(program: pathlib.Path) -> None:
    result = cuda.run(program, sanitize=True, schedule=3)
    assert result.report is not None
    assert result.report.ok, result.report
    assert (
        result.stdout == OUTPUT.replace("block 0\nhello 1 from block 1", "block 1\nhello 1 from block 0")
        or result.stdout == OUTPUT
    )


@pytest.mark.parametrize(
    ("argument", "kind", "mark", "array"),
    [
        ("wrong", "out_of_bounds", "wrong", "x"),
        ("fresh", "uninitialized_read", "reads", "fresh"),
        ("freed", "out_of_bounds", "reads", "fresh"),
        ("null", "out_of_bounds", "reads", None),
    ],
)
def test_findings_of_a_program(program: pathlib.Path, argument: str, kind: str, mark: str, array: str | None) -> None:
    report = cuda.run(program, [argument], sanitize=True).report
    assert report is not None
    assert [(f.kind, f.file, f.line, f.array) for f in report.findings] == [(kind, str(program), line_of(mark), array)]


def test_an_illegal_access_is_an_error_of_the_program(program: pathlib.Path) -> None:
    result = cuda.run(program, ["null"])
    assert result.returncode == 3
    assert "cudaErrorIllegalAddress: an illegal memory access was encountered" in result.stderr


def test_a_profile_of_a_program(program: pathlib.Path) -> None:
    profile = cuda.run(program, profile=True).profile
    assert profile is not None
    line = next(i for i, text in enumerate(PROGRAM.split("\n"), 1) if "x[i] *= a" in text)
    # Two launches of 4 blocks of 8 warps, of which the last has 8 lanes to do.
    assert profile.lines[line]["global_load_requests"] == 64
    assert profile.lines[line]["global_load_sectors"] == 2 * (31 * 4 + 1)


def test_a_source_without_main() -> None:
    with pytest.raises(cuda.CompileError, match="no function `int main`"):
        cuda.run("__global__ void k() {}\n")


def test_a_program_without_end() -> None:
    source = "__global__ void k(int n) { while (n) n |= 1; }\nint main() { k<<<1, 1>>>(1); return 0; }\n"
    with pytest.raises(TimeoutError, match="did not end within"):
        cuda.run("#include <unistd.h>\nint main() { for (;;) sleep(1); }\n", timeout=0.1)
    result = cuda.run(source, sanitize=True, timeout=0.5)
    assert result.report is not None
    assert [(f.kind, f.line) for f in result.report.findings] == [("hang", 1)]


def test_two_modes_at_once() -> None:
    with pytest.raises(ValueError, match="choose one"):
        cuda.run("int main() { return 0; }\n", sanitize=True, profile=True)


STYLES = r"""
#include <algorithm>
#include <iostream>
#include <vector>
#include <cooperative_groups.h>
using namespace std;
using namespace cooperative_groups;
#define LAUNCH(k, n, ...) k<<<((n) + 63) / 64, 64>>>(__VA_ARGS__)
struct Vec3 {
  float x, y, z;
  __host__ __device__ Vec3() {}
  __host__ __device__ Vec3(float a, float b, float c) : x(a), y(b), z(c) {}
  __host__ __device__ Vec3 operator+(const Vec3& o) const { return Vec3(x + o.x, y + o.y, z + o.z); }
};
template <typename F> __global__ void apply(F f, float* x, int n) {
  const int i = threadIdx.x + blockIdx.x * blockDim.x;
  if (i < n) x[i] = f(x[i]);
}
struct Square { __device__ float operator()(float v) const { return v * v; } };
__global__ void vectors(const Vec3* a, Vec3* b, int n) {
  __shared__ Vec3 s[32];
  thread_block_tile<32> warp = tiled_partition<32>(this_thread_block());
  if (threadIdx.x < n) s[threadIdx.x] = a[threadIdx.x];
  warp.sync();
  if (threadIdx.x < n) b[threadIdx.x] = s[n - 1 - threadIdx.x] + Vec3(1, 1, 1);
}
__managed__ int hits = 0;
__global__ void count() { atomicAdd(&hits, max(1, min(2, 3))); }
template <typename K> void twice(K kernel) {
  kernel<<<1, 2>>>();
  kernel<<<1, 1>>>();
}
int main() {
  vector<float> h(100, 3.0f);
  float* d;
  cudaMalloc(&d, 400);
  cudaMemcpy(d, h.data(), 400, cudaMemcpyHostToDevice);
  LAUNCH(apply, 100, Square(), d, 100);
  apply<<<2, 64>>>([] __device__(float v) { return v + 1.0f; }, d, 100);
  cudaMemcpy(h.data(), d, 400, cudaMemcpyDeviceToHost);
  Vec3 v[2] = {Vec3(1, 2, 3), Vec3(4, 5, 6)}, *a, *b;
  cudaMalloc(&a, sizeof(v));
  cudaMalloc(&b, sizeof(v));
  cudaMemcpy(a, v, sizeof(v), cudaMemcpyHostToDevice);
  int n = 2;
  void* args[] = {&a, &b, &n};
  cudaLaunchKernel((void*)vectors, dim3(1), dim3(32), args, 0, 0);
  cudaMemcpy(v, b, sizeof(v), cudaMemcpyDeviceToHost);
  LAUNCH(::count, 1);
  twice(::count);
  cudaDeviceSynchronize();
  cout << h[0] << " " << v[0].x << " " << v[1].z << " " << hits << endl;
  return cudaGetLastError();
}
"""


@pytest.mark.parametrize("sanitize", [False, True])
def test_styles(sanitize: bool) -> None:
    """Macros that launch, lambdas, classes, kernels as arguments, names that std has as well."""
    result = cuda.run(STYLES, sanitize=sanitize)
    assert (result.returncode, result.stdout) == (0, "10 5 4 134\n"), result.stderr
    assert result.report is None or result.report.ok, result.report


@pytest.mark.parametrize("arguments", ["int argc, const char** argv", "const int argc, char* argv[]", "void", ""])
def test_main_in_all_its_forms_returns_0_by_itself(arguments: str) -> None:
    result = cuda.run(f'#include <cstdio>\nint main({arguments}) {{ if (true) {{ puts("here"); }} }}\n', ["x"])
    assert (result.returncode, result.stdout) == (0, "here\n")


def test_host_variables_named_as_the_built_in_ones() -> None:
    result = cuda.run("""
#include <cstdio>
__global__ void show() { if (threadIdx.x + blockIdx.x == 0) printf("%d x %d\\n", gridDim.x, blockDim.x); }
static void launch(const dim3& gridDim, dim3 blockDim) { show<<<gridDim, blockDim>>>(); }
int main() {
  dim3 gridDim(2), blockDim;
  blockDim.x = 3;
  show<<<gridDim, blockDim>>>();
  launch(gridDim.x + 2, blockDim);
  return cudaDeviceSynchronize();
}
""")
    assert (result.returncode, result.stdout) == (0, "2 x 3\n4 x 3\n")


@pytest.mark.parametrize("pointer", ["&x", "(void**)&x", "reinterpret_cast<void**>(&x)"])
def test_arrays_are_named_as_the_program_names_them(pointer: str) -> None:
    result = cuda.run(
        f"""
__global__ void past(int* p) {{ p[blockIdx.x * blockDim.x + threadIdx.x] = 1; }}
int main() {{
  int* x;
  cudaMalloc({pointer}, 31 * sizeof(int));
  past<<<1, 32>>>(x);
  cudaDeviceSynchronize();
}}
""",
        sanitize=True,
    )
    assert result.report is not None
    assert [(f.kind, f.array, f.index) for f in result.report.findings] == [("out_of_bounds", "x", 31)]


def test_arguments_of_a_launch_convert_as_those_of_a_call() -> None:
    result = cuda.run("""
#include <cstdio>
struct Pair { int a, b; };
__global__ void show(const float* x, Pair p, const int n) { printf("%d %d %d\\n", x == nullptr, p.b, n); }
int main() {
  show<<<1, 1>>>(NULL, {1, 2}, 4.0);
  return cudaDeviceSynchronize();
}
""")
    assert (result.returncode, result.stdout) == (0, "1 2 4\n")
