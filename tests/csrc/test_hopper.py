"""TMA, wgmma and what belongs to them: results against NumPy, limits, and that nvcc takes them for sm_90a."""

from __future__ import annotations

import ctypes
import importlib
import itertools
import shutil
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyneural import cuda

SOURCE = r"""
#include <pyneural/ptx/tma.cuh>
#include <pyneural/ptx/warpgroup.cuh>
#include <pyneural/ptx/wgmma.cuh>
using namespace pyneural;

// Where accumulator i of a thread of a warpgroup stands in a row-major tile of 64 x N.
template <int N> __device__ int place_of(int i) {
  const int t = threadIdx.x % 128;
  return (t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8) * N + i / 4 * 8 + t % 4 * 2 + i % 2;
}

// One box in, and out again, or as it lies in shared memory.
template <int Rank> struct At { int at[Rank]; };
template <int Rank>
__device__ void box(const CUtensorMap& x, const CUtensorMap& y, unsigned char* raw, At<Rank> from, At<Rank> to,
                    unsigned bytes) {
  extern __shared__ __align__(1024) unsigned char s[];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) ptx::mbarrier_init(&full, 1);
  __syncthreads();
  if (threadIdx.x < 32 && ptx::elect_one()) {
    ptx::prefetch_tensor_map(&x);
    ptx::mbarrier_arrive_expect_tx(&full, bytes);
    ptx::tma_load(s, &x, &full, from.at);
  }
  ptx::mbarrier_wait(&full, 0);
  for (unsigned i = threadIdx.x; i < bytes; i += blockDim.x) raw[i] = s[i];
  if (threadIdx.x == 0) {
    ptx::tma_store(&y, s, to.at);
    ptx::bulk_commit();
    ptx::bulk_wait<0>();
  }
}

// A tile of 64 rows of a and N of b, K elements of each, as wgmma is told that they lie.
template <typename T, int N, int Mode, bool TA, bool TB, bool Registers>
__device__ void product(const T* a, const T* b, float* c, int depth) {
  extern __shared__ __align__(1024) unsigned char s[];
  constexpr int K = 32 / sizeof(T), P = 16 / sizeof(T);            // elements of one instruction, and in 16 bytes
  constexpr unsigned parts = Mode == 0 ? 1 : Mode == 1 ? 8 : Mode == 2 ? 4 : 2;  // of 16 bytes, that lie side by side
  unsigned char* tiles[2] = {s, s + 64 * 32 * 4};
  // By hand, and not by the functions under test: element (line, k) of the tile of one instruction.
  const auto place = [&](unsigned char* tile, bool transposed, int lines, int line, int k) {
    const unsigned outer = transposed ? k : line, inner = transposed ? line : k, outers = transposed ? K : lines;
    unsigned char* p;
    if (Mode == 0) {
      p = tile + (inner / P * (outers / 8) + outer / 8) * 128 + outer % 8 * 16 + inner % P * sizeof(T);
    } else {
      p = tile + (inner / (P * parts) * outers + outer) * parts * 16 + inner % (P * parts) * sizeof(T);
      const size_t at = size_t(p);
      p = (unsigned char*)(at ^ (at / 128 % parts * 16));
    }
    return (T*)p;
  };
  float d[N / 2];
  for (int k0 = 0; k0 < depth; k0 += K) {
    const auto fill = [&](unsigned char* tile, bool transposed, int lines, const T* from) {
      for (int i = threadIdx.x; i < lines * K; i += 128)
        *place(tile, transposed, lines, i / K, i % K) = from[i / K * depth + k0 + i % K];
    };
    fill(tiles[0], TA, 64, a);
    fill(tiles[1], TB, N, b);
    ptx::fence_proxy_async();
    __syncthreads();
    const auto describe = [&](unsigned char* tile, bool transposed, int lines) {
      const unsigned rows = transposed ? K : lines, span = parts * 16;
      if (Mode == 0) {
        const unsigned cores = rows / 8 * 128;  // from one column of cores to the next
        return transposed ? ptx::wgmma_descriptor(tile, 128, cores, ptx::Swizzle::None)
                          : ptx::wgmma_descriptor(tile, cores, 128, ptx::Swizzle::None);
      }
      return ptx::wgmma_descriptor(tile, transposed ? rows * span : 16, 8 * span, ptx::Swizzle(Mode));
    };
    ptx::wgmma_fence();
    if constexpr (Registers) {
      unsigned fragment[4];
      for (int r = 0; r < 4; ++r) {
        const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + r % 2 * 8;
        const int column = r / 2 * K / 2 + threadIdx.x % 4 * (4 / sizeof(T));
        fragment[r] = *(const unsigned*)&a[row * depth + k0 + column];
      }
      ptx::wgmma<N, T, TB>(d, fragment, describe(tiles[1], TB, N), k0 > 0);
    } else {
      ptx::wgmma<N, T, TA, TB>(d, describe(tiles[0], TA, 64), describe(tiles[1], TB, N), k0 > 0);
    }
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>();
    __syncthreads();
  }
  for (int i = 0; i < N / 2; ++i) c[place_of<N>(i)] = d[i];
}

// A warpgroup that loads and two that multiply, with four stages: the usual shape of a kernel for sm_90.
__global__ void __launch_bounds__(384)
specialised(const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b,
            const __grid_constant__ CUtensorMap c, int depth) {
  extern __shared__ __align__(1024) unsigned char s[];
  constexpr int N = 64, stages = 4, size = 128 * 128 + N * 128;
  __shared__ ptx::mbarrier full[stages], empty[stages];
  if (threadIdx.x == 0) {
    for (int i = 0; i < stages; ++i) {
      ptx::mbarrier_init(&full[i], 1);
      ptx::mbarrier_init(&empty[i], 2);
    }
    ptx::fence_mbarrier_init();
  }
  __syncthreads();
  const int group = threadIdx.x / 128, rounds = depth / 64;
  if (group == 0) {
    ptx::setmaxnreg_decrease<40>();
    if (threadIdx.x == 0)
      for (int r = 0; r < rounds; ++r) {
        const int stage = r % stages;
        const int at_a[2] = {64 * r, int(blockIdx.x) * 128}, at_b[2] = {64 * r, int(blockIdx.y) * N};
        ptx::mbarrier_wait(&empty[stage], (r / stages + 1) % 2);  // passes at once in the first round
        ptx::mbarrier_arrive_expect_tx(&full[stage], size);
        ptx::tma_load(s + stage * size, &a, &full[stage], at_a);
        ptx::tma_load(s + stage * size + 128 * 128, &b, &full[stage], at_b);
      }
    return;
  }
  ptx::setmaxnreg_increase<232>();
  float d[N / 2];
  for (int r = 0; r < rounds; ++r) {
    const int stage = r % stages;
    ptx::mbarrier_wait(&full[stage], r / stages % 2);
    const unsigned char *rows = s + stage * size + (group - 1) * 64 * 128, *columns = s + stage * size + 128 * 128;
    const unsigned long long left = ptx::wgmma_descriptor(rows, 16, 1024, ptx::Swizzle::B128);
    const unsigned long long right = ptx::wgmma_descriptor(columns, 16, 1024, ptx::Swizzle::B128);
    ptx::wgmma_fence();
    for (int k = 0; k < 4; ++k) ptx::wgmma<N, __nv_bfloat16>(d, left + 2 * k, right + 2 * k, r || k);
    ptx::wgmma_commit();
    ptx::wgmma_wait<1>();
    // The products of the last round are done in all warps of the group before its one arrival.
    if (r) {
      ptx::named_barrier_sync(group, 128);
      if (threadIdx.x % 128 == 0) ptx::mbarrier_arrive(&empty[(r - 1) % stages]);
    }
  }
  ptx::wgmma_wait<0>();
  // Out by way of shared memory of its own, behind the stages.
  float* out = reinterpret_cast<float*>(s + stages * size) + (group - 1) * 64 * N;
  for (int i = 0; i < N / 2; ++i) out[place_of<N>(i)] = d[i];
  ptx::fence_proxy_async();
  ptx::named_barrier_sync(group, 128);
  if (threadIdx.x % 128 == 0) {
    const int at[2] = {int(blockIdx.y) * N, int(blockIdx.x) * 128 + (group - 1) * 64};
    ptx::tma_store(&c, out, at);
    ptx::bulk_commit();
    ptx::bulk_wait<0>();
  }
}

__global__ void numbered(int id, int threads) { ptx::named_barrier_sync(id, threads); }
__global__ void shifted(const __grid_constant__ CUtensorMap x, int by) {
  __shared__ alignas(128) float s[64];
  __shared__ ptx::mbarrier full;
  ptx::mbarrier_init(&full, 1);
  const int at[1] = {0};
  ptx::tma_load(s + by, &x, &full, at);
}

__global__ void architecture(int* y) { *y = __CUDA_ARCH__; }
"""


TYPES = {"half": "float16", "__nv_bfloat16": "bfloat16", "pyneural::ptx::tf32": "float32"}
COMBINATIONS = [
    *[("half", n, mode, False, False, False) for n, mode in itertools.product((8, 96), range(4))],
    *[("half", 64, mode, *flags, False) for mode in range(4) for flags in ((False, True), (True, False), (True, True))],
    ("half", 32, 1, False, False, True), ("half", 64, 1, False, True, True),
    ("__nv_bfloat16", 256, 3, False, False, False),
    ("__nv_bfloat16", 16, 1, True, False, False), ("__nv_bfloat16", 192, 0, False, False, True),
    ("pyneural::ptx::tf32", 32, 0, False, False, False), ("pyneural::ptx::tf32", 128, 1, False, False, False),
    ("pyneural::ptx::tf32", 16, 3, False, False, True),
]  # fmt: skip


def wrappers(combinations: Iterable[tuple[str, int, int, bool, bool, bool]]) -> str:
    """A kernel for each combination and number of dimensions, so that all are compiled at once."""
    text = ""
    for name, columns, mode, *flags in combinations:
        arguments = f"{name}, {columns}, {mode}, {', '.join(str(flag).lower() for flag in flags)}"
        text += f"__global__ void {kernel_name(name, columns, mode, *flags)}"
        text += f"(const {name}* a, const {name}* b, float* c, int n) {{ product<{arguments}>(a, b, c, n); }}\n"
    for rank in range(1, 6):
        maps = "const __grid_constant__ CUtensorMap x, const __grid_constant__ CUtensorMap y"
        text += (
            f"__global__ void box_{rank}({maps}, unsigned char* raw, At<{rank}> from, At<{rank}> to, unsigned bytes)"
        )
        text += f" {{ box<{rank}>(x, y, raw, from, to, bytes); }}\n"
    return text


def kernel_name(name: str, columns: int, mode: int, *flags: bool) -> str:
    return f"product_{name.split('::')[-1]}_{columns}_{mode}_{''.join(str(int(flag)) for flag in flags)}"


@pytest.fixture(scope="module")
def module() -> cuda.Module:
    compiled = cuda.compile(SOURCE + wrappers(COMBINATIONS), "simulator", options=["-arch=sm_90a"])
    assert isinstance(compiled, cuda.Module)
    return compiled


def clean(kernel: cuda.Kernel, config: Any, *arguments: Any) -> None:
    for schedule in (None, 3):
        report = cuda.sanitize(kernel, schedule=schedule)[config](*arguments)
        assert report.ok, report


def taken(
    x: np.ndarray[Any, Any], at: tuple[int, ...], box: tuple[int, ...], steps: tuple[int, ...], fill: float
) -> Any:
    """What TMA loads: element by element, outside of x `fill`."""
    size = [-(-b // step) for b, step in zip(box, steps, strict=True)]
    out = np.full(size, fill, x.dtype)
    for index in np.ndindex(*size):
        where = tuple(a + i * step for a, i, step in zip(at, index, steps, strict=True))
        if all(0 <= w < n for w, n in zip(where, x.shape, strict=True)):
            out[index] = x[where]
    return out


CASES = [  # shape, box, coordinates, element strides: outermost first
    ((37,), (32,), (3,), None),
    ((37,), (32,), (20,), None),
    ((9, 24), (4, 16), (2, 8), None),
    ((9, 24), (4, 16), (-1, 16), None),
    ((9, 24), (6, 16), (7, -3), None),
    ((20, 24), (8, 16), (1, 2), (3, 2)),
    ((5, 6, 16), (2, 3, 8), (3, 4, 12), None),
    ((3, 4, 5, 8), (2, 2, 3, 8), (2, -1, 3, 0), (1, 2, 1, 1)),
    ((2, 3, 4, 5, 8), (2, 1, 2, 2, 8), (0, 2, 3, 4, 2), None),
]


@pytest.mark.parametrize(("shape", "size", "at", "steps"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_boxes(
    module: cuda.Module, rng: np.random.Generator, shape: Any, size: Any, at: Any, steps: Any, dtype: str
) -> None:
    x = rng.integers(1, 1000, shape).astype(dtype)
    # Rows are a multiple of 16 bytes.
    x = x if x.ndim == 1 else np.ascontiguousarray(np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -x.shape[-1] % 8)]))
    steps = steps or (1,) * x.ndim
    nan = x.dtype.kind == "f"
    want = taken(x, at, size, steps, np.nan if nan else 0)
    y, raw = np.zeros(want.shape, dtype), np.zeros(want.nbytes, np.uint8)
    source = cuda.tensor_map(x, size, element_strides=steps, fill_nan=nan)
    rank = x.ndim
    start, zero = (np.array(v[::-1], np.int32) for v in (at, (0,) * rank))
    clean(
        module[f"box_{rank}"],
        (1, 64, want.nbytes),
        source,
        cuda.tensor_map(y, want.shape),
        raw,
        start,
        zero,
        want.nbytes,
    )
    np.testing.assert_array_equal(raw.view(dtype).reshape(want.shape), want)
    np.testing.assert_array_equal(y, want)


def test_a_store_leaves_out_what_lies_outside(module: cuda.Module, rng: np.random.Generator) -> None:
    x, y, raw = rng.standard_normal((8, 16)).astype(np.float32), np.zeros((8, 16), np.float32), np.zeros(512, np.uint8)
    at, to = np.array([0, 0], np.int32), np.array([-4, 5], np.int32)
    clean(module["box_2"], (1, 32, 512), cuda.tensor_map(x, (8, 16)), cuda.tensor_map(y, (8, 16)), raw, at, to, 512)
    np.testing.assert_array_equal(y[5:, :12], x[:3, 4:])
    assert not y[:5].any()
    assert not y[:, 12:].any()


@pytest.mark.parametrize("swizzle", [32, 64, 128])
def test_swizzles(module: cuda.Module, rng: np.random.Generator, swizzle: int) -> None:
    x, y, raw = (
        rng.integers(0, 255, (16, swizzle)).astype(np.uint8),
        np.zeros((16, swizzle), np.uint8),
        np.zeros(16 * swizzle, np.uint8),
    )
    zero = np.zeros(2, np.int32)
    maps = [cuda.tensor_map(array, (16, swizzle), swizzle=swizzle) for array in (x, y)]
    clean(module["box_2"], (1, 32, x.nbytes), *maps, raw, zero, zero, x.nbytes)
    place = np.arange(x.nbytes)
    np.testing.assert_array_equal(raw, x.reshape(-1)[place ^ (place // 128 % (swizzle // 16) * 16)])
    np.testing.assert_array_equal(y, x)


def operands(rng: np.random.Generator, name: str, columns: int, depth: int) -> list[np.ndarray[Any, Any]]:
    """Whose products and sums float32 holds exactly, so that their order does not matter."""
    if TYPES[name] == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes").bfloat16
    else:
        dtype = np.dtype(TYPES[name])
    return [rng.integers(-8, 9, (rows, depth)).astype(dtype) for rows in (64, columns)]


@pytest.mark.parametrize(("name", "columns", "mode", "ta", "tb", "registers"), COMBINATIONS)
def test_products(
    module: cuda.Module,
    rng: np.random.Generator,
    name: str,
    columns: int,
    mode: int,
    ta: bool,
    tb: bool,
    registers: bool,
) -> None:
    a, b = operands(rng, name, columns, 48)
    if name == "pyneural::ptx::tf32":  # what tf32 does not hold is cut off
        a = a + np.float32(2**-12)
    c = np.full((64, columns), np.nan, np.float32)
    clean(
        module[kernel_name(name, columns, mode, ta, tb, registers)], (1, 128, 64 * 32 * 4 + 256 * 32 * 4), a, b, c, 48
    )
    exact = (a.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32) if a.dtype == np.float32 else a
    np.testing.assert_array_equal(c, exact.astype(np.float64) @ b.astype(np.float64).T)


def test_warp_specialised_product(module: cuda.Module, rng: np.random.Generator) -> None:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    a, b = (rng.integers(-8, 9, (rows, 448)).astype(bfloat16) for rows in (200, 100))
    c = np.full((200, 100), np.nan, np.float32)
    maps = (
        cuda.tensor_map(a, (128, 64), swizzle=128),
        cuda.tensor_map(b, (64, 64), swizzle=128),
        cuda.tensor_map(c, (64, 64)),
    )
    kernel, config = module["specialised"], ((2, 2), 384, 4 * (128 + 64) * 128 + 128 * 64 * 4)
    clean(kernel, config, *maps, 448)
    want = a.astype(np.float64) @ b.astype(np.float64).T
    np.testing.assert_array_equal(c, want)
    c[:] = np.nan
    kernel[config](*maps, 448)
    np.testing.assert_array_equal(c, want)


@pytest.mark.parametrize(
    ("shape", "box", "options", "message"),
    [
        ((8, 16), (8,), {}, r"box \(=\(8,\)\) must have the 2 dimensions"),
        ((8, 16), (8, 16), {"element_strides": (1,)}, r"element_strides \(=\[1\]\) must have the 2 dimensions"),
        ((8, 16), (8, 16), {"swizzle": 16}, r"swizzle \(=16\) must be 0, 32, 64 or 128"),
        ((8, 16), (8, 16), {"swizzle": 32}, r"inner dimension \(=64 bytes\) must not exceed the swizzle's 32"),
        ((8, 16), (8, 3), {}, r"inner dimension \(=12 bytes\) must be a multiple of 16"),
        ((512, 16), (257, 16), {}, r"box \(=257\) of dimension 1 must be between 1 and 256"),
        ((8, 3), (8, 4), {}, r"stride \(=12 bytes\) of dimension 1 must be a multiple of 16"),
        ((8, 16), (8, 16), {"element_strides": (9, 1)}, r"element stride \(=9\) of dimension 1 must be"),
        ((1, 1, 1, 1, 1, 4), (1, 1, 1, 1, 1, 4), {}, r"rank \(=6\) must be between 1 and 5"),
    ],
)  # fmt: skip
def test_maps_that_cannot_be(shape: Any, box: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cuda.tensor_map(np.zeros(shape, np.float32), box, **options)


def test_arrays_that_have_no_map() -> None:
    with pytest.raises(TypeError, match="got complex64"):
        cuda.tensor_map(np.zeros((4, 4), np.complex64), (4, 4))
    with pytest.raises(TypeError, match="got list"):
        cuda.tensor_map([1.0], (1,))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"must be contiguous, got strides \(4, 32\)"):
        cuda.tensor_map(np.zeros((8, 8), np.float32).T, (8, 8))
    with pytest.raises(ValueError, match="must not be negative"):
        cuda.tensor_map(np.zeros((8, 8), np.float32)[::-1], (8, 8))
    with pytest.raises(ValueError, match="only floating types"):
        cuda.tensor_map(np.zeros((8, 8), np.int32), (8, 8), fill_nan=True)


def test_a_map_of_a_view(module: cuda.Module, rng: np.random.Generator) -> None:
    """Rows with others between them, and outer dimensions in another order than in memory."""
    whole = rng.integers(0, 99, (3, 4, 5, 8)).astype(np.float32)
    for x in (whole[1:, :3, 2:, 4:], whole.transpose(0, 2, 1, 3)):
        box = (2, 2, 2, x.shape[-1])
        y, raw = np.zeros(box, np.float32), np.zeros(4 * np.prod(box), np.uint8)
        at, zero = np.array([0, 1, 1, 0], np.int32), np.zeros(4, np.int32)
        clean(
            module["box_4"],
            (1, 32, y.nbytes),
            cuda.tensor_map(x, box),
            cuda.tensor_map(y, box),
            raw,
            at,
            zero,
            y.nbytes,
        )
        np.testing.assert_array_equal(y, x[:2, 1:3, 1:3])


def test_what_the_driver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a GPU the driver makes the map: its parameters in their order and types, memory aligned for the result."""
    told: list[Any] = []

    def encode(place: ctypes.c_void_p, *arguments: Any) -> int:
        assert place.value is not None
        assert place.value % 64 == 0
        ctypes.memmove(place, bytes(range(128)), 128)
        told.extend(arguments)
        return int(arguments[1] == 1)

    driver = importlib.import_module("pyneural.cuda.tensor_map")
    monkeypatch.setattr(driver, "driver", lambda: SimpleNamespace(cuTensorMapEncodeTiled=encode))
    array = np.zeros((3, 5, 16), np.float16)
    made = cuda.tensor_map(array, (1, 4, 8), swizzle=32, element_strides=(1, 2, 1)).encoded(4096)
    assert made.tobytes() == bytes(range(128))
    kind, rank, address, sizes, strides, box, steps, *rest = told
    assert (kind, rank, address.value, rest) == (6, 3, 4096, [0, 1, 3, 0])
    assert [list(each) for each in (sizes, strides, box, steps)] == [[16, 5, 3], [32, 160], [8, 4, 1], [1, 2, 1]]
    assert [each._type_ for each in (sizes, strides, box, steps)] == [ctypes.c_ulonglong] * 2 + [ctypes.c_uint] * 2
    told.clear()
    monkeypatch.setattr(driver, "driver", lambda: SimpleNamespace(cuTensorMapEncodeIm2col=encode))
    cuda.tensor_map_im2col(np.zeros((2, 5, 6, 8), np.float32), 4, 9, (-1, -2), (0, 1), fill_nan=True).encoded(4096)
    assert [list(each) for each in told[5:7]] == [[-2, -1], [1, 0]]
    assert [each._type_ for each in told[5:7]] == [ctypes.c_int] * 2
    assert (told[7:9], list(told[9]), told[10:]) == ([4, 9], [1, 1, 1, 1], [0, 0, 3, 1])
    monkeypatch.setattr(driver, "driver", lambda: SimpleNamespace(cuTensorMapEncodeTiled=encode))
    with pytest.raises(ValueError, match=r"cuTensorMapEncodeTiled refused .* \(error 1\)"):
        cuda.tensor_map(np.zeros(32, np.float32), (32,)).encoded(4096)


@pytest.mark.parametrize(("number", "threads"), [(16, 32), (1, 96), (1, 48), (1, 0)])
def test_named_barriers_that_cannot_be(module: cuda.Module, number: int, threads: int) -> None:
    with pytest.raises(cuda.LaunchError, match=f"barrier {number} of {threads} threads: the number must be below 16"):
        module["numbered"][1, 64](number, threads)


def test_copies_that_cannot_be(module: cuda.Module) -> None:
    line = cuda.tensor_map(np.zeros(32, np.float32), (32,))
    module["shifted"][1, 1](line, 0)
    with pytest.raises(cuda.LaunchError, match="shared address of a tensor copy must be a multiple of 128 bytes"):
        module["shifted"][1, 1](line, 4)
    with pytest.raises(cuda.LaunchError, match="another number of dimensions"):
        module["shifted"][1, 1](cuda.tensor_map(np.zeros((8, 8), np.float32), (4, 8)), 0)
    with pytest.raises(cuda.LaunchError, match="not made by cuTensorMapEncodeTiled"):
        module["shifted"][1, 1](bytes(128), 0)


def test_architecture() -> None:
    y = np.zeros(1, np.int32)
    text = SOURCE[SOURCE.index("__global__ void architecture") :]
    for options, want in ((["-arch=sm_90a"], 900), (["-gencode", "arch=compute_75,code=sm_75"], 750), ([], 800)):
        cuda.compile(text, "simulator", options=options)["architecture"][1, 1](y)
        assert y[0] == want


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc, which assembles the instructions")
def test_nvcc_assembles() -> None:
    """Each width of each type, from shared memory and from registers."""
    combinations = [
        (name, n, 1, "tf32" not in name and not registers, "tf32" not in name, registers)
        for name, n, registers in itertools.product(TYPES, (8, 16, 32, 64, 96, 128, 192, 256), (False, True))
    ]
    compiled = cuda.resources(SOURCE + wrappers(combinations), "sm_90a")
    assert {
        "specialised",
        *(f"box_{rank}" for rank in range(1, 6)),
        *(kernel_name(*each) for each in combinations),
    } <= set(compiled)
