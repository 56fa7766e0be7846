"""TMA in im2col mode: the columns that a convolution takes of its images, limits, and that nvcc takes it."""

from __future__ import annotations

import itertools
import shutil
from typing import Any

import numpy as np
import pytest

from pyneural import cuda

SOURCE = r"""
#include <pyneural/ptx/tma.cuh>
using namespace pyneural;

// A column of pixels, as it lies in shared memory.
template <int Rank> struct At { int at[Rank]; };
template <int Rank> struct Offsets { unsigned short at[Rank - 2]; };
template <int Rank>
__device__ void column(const CUtensorMap& x, unsigned char* raw, At<Rank> from, Offsets<Rank> offsets, unsigned bytes) {
  extern __shared__ __align__(1024) unsigned char s[];
  __shared__ ptx::mbarrier full;
  if (threadIdx.x == 0) ptx::mbarrier_init(&full, 1);
  __syncthreads();
  if (threadIdx.x == 0) {
    ptx::mbarrier_arrive_expect_tx(&full, bytes);
    ptx::tma_load_im2col(s, &x, &full, from.at, offsets.at);
  }
  ptx::mbarrier_wait(&full, 0);
  for (unsigned i = threadIdx.x; i < bytes; i += blockDim.x) raw[i] = s[i];
}
__global__ void tiled(const __grid_constant__ CUtensorMap x) {
  __shared__ __align__(128) unsigned char s[128];
  __shared__ ptx::mbarrier full;
  ptx::mbarrier_init(&full, 1);
  const int at[3] = {0, 0, 0};
  ptx::tma_load(s, &x, &full, at);
}
"""
SOURCE += "".join(
    f"__global__ void column_{rank}(const __grid_constant__ CUtensorMap x, unsigned char* raw, At<{rank}> from,"
    f" Offsets<{rank}> offsets, unsigned bytes) {{ column<{rank}>(x, raw, from, offsets, bytes); }}\n"
    for rank in range(3, 6)
)


@pytest.fixture(scope="module")
def module() -> cuda.Module:
    compiled = cuda.compile(SOURCE, "simulator", options=["-arch=sm_90a"])
    assert isinstance(compiled, cuda.Module)
    return compiled


COLUMNS = [  # images, taps, stride, padding, dilation, channels and pixels of a load, swizzle
    ((3, 11, 8), (3,), 1, 1, 1, 8, 6, 0),
    ((2, 7, 9, 24), (3, 2), 1, 1, 1, 16, 10, 0),
    ((2, 7, 9, 24), (3, 3), 2, 2, 2, 8, 7, 32),
    ((3, 5, 4, 40), (1, 1), 1, 0, 1, 32, 64, 64),
    ((2, 4, 5, 3, 8), (2, 3, 2), 2, 1, 1, 8, 9, 0),
]


@pytest.mark.parametrize(("shape", "taps", "stride", "padding", "dilation", "channels", "pixels", "swizzle"), COLUMNS)
def test_columns(
    module: cuda.Module, rng: np.random.Generator, shape: Any, taps: Any, stride: int, padding: int, dilation: int,
    channels: int, pixels: int, swizzle: int,
) -> None:  # fmt: skip
    """Column by column and tap by tap, all that a convolution takes of its images; zeros behind the last image."""
    x = rng.standard_normal(shape).astype(np.float32 if swizzle != 64 else np.float16)
    dims, width = len(taps), channels * x.itemsize
    lower, upper = [-padding] * dims, [padding - (tap - 1) * dilation for tap in taps]
    source = cuda.tensor_map_im2col(
        x, channels, pixels, lower, upper, swizzle=swizzle, element_strides=(1, *[stride] * dims, 1)
    )
    padded = np.pad(x, [(0, 0), *[(padding, padding)] * dims, (0, 0)])
    sizes = [
        (n + 2 * padding - (tap - 1) * dilation - 1) // stride + 1 for n, tap in zip(shape[1:-1], taps, strict=True)
    ]
    results = list(np.ndindex(shape[0], *sizes))
    raw = np.zeros(pixels * width, np.uint8)
    every = max(1, len(results) // pixels // 2)
    for number, tap in itertools.product(range(0, -(-len(results) // pixels), every), np.ndindex(*taps)):
        image, *place = results[number * pixels]
        at = np.array([shape[-1] - channels, *[p * stride - padding for p in place[::-1]], image], np.int32)
        offsets = np.array([t * dilation for t in tap[::-1]], np.uint16)
        arguments = (source, raw, at, offsets, raw.nbytes)
        if not any(tap):
            report = cuda.sanitize(module[f"column_{x.ndim}"], schedule=3)[1, 32, raw.nbytes](*arguments)
            assert report.ok, report
        module[f"column_{x.ndim}"][1, 32, raw.nbytes](*arguments)
        want = np.zeros((pixels, channels), x.dtype)
        for line, (n, *p) in zip(want, results[number * pixels : (number + 1) * pixels], strict=False):
            line[:] = padded[(n, *(a * stride + t * dilation for a, t in zip(p, tap, strict=True)))][-channels:]
        byte = np.arange(raw.nbytes)
        got = raw[byte ^ (byte // 128 % (swizzle // 16) * 16)] if swizzle else raw
        np.testing.assert_array_equal(got.view(x.dtype).reshape(want.shape), want)


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((2, 4, 8), (8, 4, (0, 0), (0, 0)), "must have the 1 to 3 dimensions between"),
        ((4, 8), (8, 4, (), ()), "must have the 1 to 3 dimensions between"),
        ((2, 4, 4, 8), (8, 1025, (0, 0), (0, 0)), r"pixels of a column \(=1025\) must be between 1 and 1024"),
        ((2, 4, 4, 8), (0, 4, (0, 0), (0, 0)), r"channels of a pixel \(=0\) must be between 1 and 256"),
        ((2, 4, 4, 8), (8, 4, (0, -129), (0, 0)), r"corner \(=-129\) of dimension 1 must be between -128 and 127"),
        ((2, 4, 4, 4, 8), (8, 4, (0, 0, 0), (16, 0, 0)), r"corner \(=16\) of dimension 3 must be between -16 and 15"),
        ((2, 4, 4, 8), (8, 4, (0, 0), (0, -4)), "the bounding box is empty in dimension 1"),
        ((2, 4, 4, 8), (3, 4, (0, 0), (0, 0)), r"inner dimension \(=12 bytes\) must be a multiple of 16"),
    ],
)
def test_columns_that_cannot_be(shape: Any, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cuda.tensor_map_im2col(np.zeros(shape, np.float32), *arguments)


def test_modes_are_not_mixed(module: cuda.Module) -> None:
    x = np.zeros((2, 8, 8), np.float32)
    images, boxes = cuda.tensor_map_im2col(x, 8, 4, (0,), (0,)), cuda.tensor_map(x, (1, 4, 8))
    at, offsets = np.zeros(3, np.int32), np.zeros(1, np.uint16)
    module["tiled"][1, 1](boxes)
    with pytest.raises(cuda.LaunchError, match=r"another mode \(tiled, im2col\)"):
        module["tiled"][1, 1](images)
    with pytest.raises(cuda.LaunchError, match=r"another mode \(tiled, im2col\)"):
        module["column_3"][1, 32, 128](boxes, np.zeros(128, np.uint8), at, offsets, 128)


def test_programs_make_the_same_maps() -> None:
    """cuTensorMapEncodeIm2col of cuda.h, by name too."""
    program = (
        SOURCE
        + r"""
#include <stdio.h>
int main() {
  float* x;
  unsigned char* raw;
  cudaMallocManaged(&x, 2 * 6 * 8 * 4);
  cudaMallocManaged(&raw, 4 * 32);
  for (int i = 0; i < 96; ++i) x[i] = i;
  CUtensorMap map;
  const cuuint64_t sizes[3] = {8, 6, 2}, strides[2] = {32, 192};
  const int lower[1] = {-1}, upper[1] = {-1};
  const cuuint32_t steps[3] = {1, 1, 1};
  decltype(&cuTensorMapEncodeIm2col) encode;
  cudaGetDriverEntryPoint("cuTensorMapEncodeIm2col", (void**)&encode, cudaEnableDefault);
  const CUresult made = encode(&map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 3, x, sizes, strides, lower, upper, 8, 4, steps,
                               CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE,
                               CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  column_3<<<1, 32, 128>>>(map, raw, At<3>{{0, 3, 0}}, Offsets<3>{{2}}, 128);
  cudaDeviceSynchronize();
  for (int i = 0; i < 4; ++i) printf("%g ", ((float*)raw)[8 * i]);
  printf("%d", made);
}
"""
    )
    result = cuda.run(program)
    # Of pixels -1 to 4 the third and fourth taken at 3 + 2 and 4 + 2; then those of the next image from -1 + 2 on.
    assert result.stdout == "40 0 56 64 0", result


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc, which assembles the instructions")
def test_nvcc_assembles() -> None:
    assert {f"column_{rank}" for rank in range(3, 6)} <= set(cuda.resources(SOURCE, "sm_90a"))
