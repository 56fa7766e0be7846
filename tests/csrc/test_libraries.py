"""Headers that come with CUDA: <cuda/pipeline>, <curand_kernel.h>."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural import cuda

PIPELINE = r"""
#include <cooperative_groups.h>
#include <cuda/pipeline>
namespace cg = cooperative_groups;

// The whole block fills and uses: the multi-stage copy of the programming guide.
template <int Stages> __global__ void staged(const float* x, float* y, int batches) {
  __shared__ __align__(16) float s[Stages][64];
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, Stages> state;
  auto block = cg::this_thread_block();
  auto pipeline = cuda::make_pipeline(block, &state);
  for (int compute = 0, fetch = 0; compute < batches; ++compute) {
    for (; fetch < batches && fetch < compute + Stages; ++fetch) {
      pipeline.producer_acquire();
      cuda::memcpy_async(block, s[fetch % Stages], x + fetch * 64, sizeof(float) * 64, pipeline);
      pipeline.producer_commit();
    }
    pipeline.consumer_wait();
    y[compute * 64 + threadIdx.x] = s[compute % Stages][63 - threadIdx.x];
    pipeline.consumer_release();
  }
}
__global__ void own(const float4* x, float4* y, int batches) {
  __shared__ float4 s[2][32];
  auto pipeline = cuda::make_pipeline();
  for (int i = 0; i < 2; ++i) {
    pipeline.producer_acquire();
    cuda::memcpy_async(&s[i][threadIdx.x], &x[32 * i + threadIdx.x], cuda::aligned_size_t<16>(16), pipeline);
    pipeline.producer_commit();
  }
  for (int i = 0; i < batches; ++i) {
    pipeline.consumer_wait();
    y[32 * i + threadIdx.x] = s[i % 2][threadIdx.x];
    pipeline.consumer_release();
    pipeline.producer_acquire();
    const int next = 32 * (i + 2) + threadIdx.x;
    if (i + 2 < batches) cuda::memcpy_async(&s[i % 2][threadIdx.x], &x[next], sizeof(float4), pipeline);
    pipeline.producer_commit();
  }
}
__global__ void own_unwaited(const float* x, float* y) {
  __shared__ float s[2][32];
  auto pipeline = cuda::make_pipeline();
  for (int i = 0; i < 2; ++i) {
    cuda::memcpy_async(&s[i][threadIdx.x], &x[32 * i + threadIdx.x], sizeof(float), pipeline);
    pipeline.producer_commit();
  }
  cuda::pipeline_consumer_wait_prior<1>(pipeline);
  y[threadIdx.x] = s[0][threadIdx.x] + s[1][threadIdx.x];  // the second is under way
}
template <bool Waits> __global__ void parted(const float* x, float* y, int batches) {
  __shared__ __align__(16) float s[2][64];
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
  auto block = cg::this_thread_block();
  const bool fills = threadIdx.x < 32;
  const auto role = fills ? cuda::pipeline_role::producer : cuda::pipeline_role::consumer;
  auto pipeline = cuda::make_pipeline(block, &state, role);
  for (int i = 0; i < batches; ++i) {
    if (fills) {
      pipeline.producer_acquire();
      cuda::memcpy_async(&s[i % 2][2 * threadIdx.x], x + i * 64 + 2 * threadIdx.x, 2 * sizeof(float), pipeline);
      pipeline.producer_commit();
    } else {
      if (Waits) pipeline.consumer_wait();
      y[i * 64 + threadIdx.x - 32] = s[i % 2][95 - threadIdx.x];  // of the other warp
      pipeline.consumer_release();
    }
  }
}
__global__ void counted(const float* x, float* y) {
  __shared__ float s[32];
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 1> state;
  auto pipeline = cuda::make_pipeline(cg::this_thread_block(), &state, 32);
  if (threadIdx.x < 32) {
    pipeline.producer_acquire();
    cuda::memcpy_async(&s[threadIdx.x], &x[threadIdx.x], sizeof(float), pipeline);
    pipeline.producer_commit();
  } else {
    pipeline.consumer_wait();
    y[threadIdx.x - 32] = s[63 - threadIdx.x];
    pipeline.consumer_release();
  }
}
"""

RANDOM = r"""
#include <curand_kernel.h>
using ull = unsigned long long;
template <typename S>
__device__ void draw(ull seed, ull sequence, ull offset, unsigned* words, float* floats, double* doubles) {
  S s;
  curand_init(seed, sequence, offset, &s);
  for (int i = 0; i < 6; ++i) words[i] = curand(&s);
  for (int i = 0; i < 3; ++i) floats[i] = curand_uniform(&s);
  for (int i = 0; i < 3; ++i) floats[3 + i] = curand_normal(&s);
  for (int i = 0; i < 3; ++i) doubles[i] = curand_uniform_double(&s);
  const float2 pair = curand_normal2(&s);
  floats[6] = pair.x;
  floats[7] = pair.y;
  for (int i = 0; i < 3; ++i) doubles[3 + i] = curand_normal_double(&s);
  skipahead(5ull, &s);
  words[6] = curand(&s);
  skipahead_sequence(3ull, &s);
  words[7] = curand(&s);
}
__global__ void xorwow(ull a, ull b, ull c, unsigned* w, float* f, double* d) {
  draw<curandStateXORWOW_t>(a, b, c, w, f, d);
}
__global__ void philox(ull a, ull b, ull c, unsigned* w, float* f, double* d) {
  draw<curandStatePhilox4_32_10_t>(a, b, c, w, f, d);
}
__global__ void fours(unsigned* words, float* floats, double* doubles) {
  curandStatePhilox4_32_10_t s;
  curand_init(5, 6, 7, &s);
  *reinterpret_cast<uint4*>(words) = curand4(&s);
  reinterpret_cast<float4*>(floats)[0] = curand_uniform4(&s);
  reinterpret_cast<float4*>(floats)[1] = curand_normal4(&s);
  reinterpret_cast<double2*>(doubles)[0] = curand_uniform2_double(&s);
  reinterpret_cast<double2*>(doubles)[1] = curand_normal2_double(&s);
  floats[8] = curand_log_normal(&s, 0.5f, 2.f);
}
// The two kernels of every course: states are set up, and then used and kept.
__global__ void setup(curandState* states, unsigned long long seed) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  curand_init(seed, i, 0, &states[i]);
}
__global__ void estimate(curandState* states, unsigned* inside, int draws) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  curandState mine = states[i];
  unsigned hits = 0;
  for (int k = 0; k < draws; ++k) {
    const float x = curand_uniform(&mine), y = curand_uniform(&mine);
    hits += x * x + y * y <= 1;
  }
  states[i] = mine;
  atomicAdd(inside, hits);
}
__global__ void one_for_all(curandState* state, float* y) {
  y[threadIdx.x] = curand_uniform(state);  // shared by all threads
}
__global__ void never_set_up(curandState* states, float* y) {
  y[threadIdx.x] = curand_normal(&states[threadIdx.x]);  // nothing was initialised
}
"""

# Of cuRAND 10.3 for (seed, sequence, offset), by compiling its device functions for the host.
KNOWN: dict[tuple[str, int, int, int], tuple[list[int], list[str], list[str]]] = {
    ("xorwow", 0, 0, 0): (
        [3179217846, 1883133293, 2220552389, 674260989, 306521119, 1986458431, 4115535644, 3365167746],
        [
            "0x1.d236a2p-3",
            "0x1.51435ap-2",
            "0x1.270bb6p-3",
            "-0x1.dab6acp-1",
            "0x1.93908p+0",
            "-0x1.685fc6p-3",
            "0x1.e80fa8p-3",
            "0x1.e5ae86p-5",
        ],
        [
            "0x1.4e6b0e5a6f1dep-1",
            "0x1.5afd1aae1bb0bp-2",
            "0x1.176383faa60a2p-1",
            "0x1.044a1f63db37ap+0",
            "-0x1.8ded609d8e53ep-2",
            "-0x1.487c6157b6428p+0",
        ],
    ),
    ("philox", 0, 0, 0): (
        [1713891541, 3781805453, 3159862348, 2600524760, 4175744164, 1555169499, 1943925342, 2668608299],
        [
            "0x1.634aeap-1",
            "0x1.2fdfecp-5",
            "0x1.3ea8cap-6",
            "0x1.2b74e2p+0",
            "0x1.e97e44p-1",
            "-0x1.91e83ep+0",
            "-0x1.61738cp-2",
            "-0x1.0539cep-3",
        ],
        [
            "0x1.a911d29cp-2",
            "0x1.359226ap-1",
            "0x1.b504f814p-2",
            "0x1.27d590d9838f1p-4",
            "0x1.a3e0ac2d53256p-2",
            "-0x1.5886ee3169fe6p+0",
        ],
    ),
    ("xorwow", 1234, 1, 6): (
        [1929890176, 3433179576, 585435514, 1621022808, 445316805, 3265854051, 1735224920, 274673956],
        [
            "0x1.151eecp-1",
            "0x1.6f18eap-1",
            "0x1.c462ccp-1",
            "0x1.eb2974p-3",
            "-0x1.43900ap-3",
            "0x1.43e1p-2",
            "0x1.3378d2p+0",
            "-0x1.966e4p-1",
        ],
        [
            "0x1.0f8cc697c7d26p-3",
            "0x1.a9f9ce2e578bep-1",
            "0x1.04de63391de68p-1",
            "0x1.7205fa8c51e34p-3",
            "0x1.c62d1c3ca9175p-2",
            "-0x1.e579998936c17p+0",
        ],
    ),
    ("philox", 1234, 1, 6): (
        [495137217, 2264860335, 738435355, 1259184545, 1723463268, 2632954224, 2608863991, 2244287352],
        [
            "0x1.4ac042p-3",
            "0x1.c73f84p-1",
            "0x1.9df578p-1",
            "0x1.acd028p-2",
            "0x1.138794p+1",
            "-0x1.e6483p-5",
            "-0x1.d78a64p-1",
            "-0x1.579ea8p+0",
        ],
        [
            "0x1.9989b42p-4",
            "0x1.59792e14p-2",
            "0x1.93c14118p-2",
            "-0x1.1dfc830a8c3a9p+1",
            "0x1.e43b913905fc4p-2",
            "0x1.ce1a96b1097e7p-1",
        ],
    ),
    ("xorwow", 81985529216486895, 77777, 1000003): (
        [82015819, 53216882, 1764094517, 648424451, 278233389, 1075005540, 1489028208, 2837933813],
        [
            "0x1.7a8eb4p-7",
            "0x1.d0694cp-4",
            "0x1.e734a8p-2",
            "0x1.cb0b8ap-1",
            "0x1.4f8ca4p+0",
            "0x1.f2b9bep-3",
            "0x1.5d34eap+0",
            "0x1.7e98f6p-4",
        ],
        [
            "0x1.ae2191ae2c87ep-1",
            "0x1.79697195acc83p-2",
            "0x1.bd0b30ac957dcp-1",
            "-0x1.19e4551be4eb8p-2",
            "-0x1.534b55c99f27bp-1",
            "-0x1.eb768a8764188p+0",
        ],
    ),
    ("philox", 81985529216486895, 77777, 1000003): (
        [3847436273, 502690899, 3829254954, 2919082869, 104176284, 2407734705, 1679646153, 3195412158],
        [
            "0x1.ae0058p-1",
            "0x1.3c9596p-1",
            "0x1.c9cec8p-1",
            "-0x1.96eccep-3",
            "0x1.2fb708p-2",
            "-0x1.362052p+0",
            "-0x1.2b9f3p-1",
            "-0x1.171a78p-1",
        ],
        [
            "0x1.16d77aacp-2",
            "0x1.4fd7ce7ap-1",
            "0x1.3559788ap-1",
            "-0x1.96da0cda3460fp-1",
            "0x1.32ec123b90328p+0",
            "0x1.1f74830a4d4e2p-1",
        ],
    ),
}
FOURS = (
    [1453444312, 2997619149, 600583240, 4260505171],
    [
        "0x1.494ac4p-3",
        "0x1.d4badp-1",
        "0x1.807cc8p-3",
        "0x1.07fe48p-4",
        "0x1.9052cep-6",
        "-0x1.ff5c58p-5",
        "0x1.935392p-2",
        "-0x1.24b4bap+0",
        "0x1.236484p-9",
    ],
    ["0x1.54f1062196b48p-5", "0x1.bec8333c0aabdp-2", "0x1.14a3deb7dad37p-4", "0x1.1552469fbb056p-1"],
)


def compiled(text: str) -> cuda.Module:
    module = cuda.compile(text, "simulator")
    assert isinstance(module, cuda.Module)
    return module


@pytest.fixture(scope="module")
def pipelines() -> cuda.Module:
    return compiled(PIPELINE)


@pytest.fixture(scope="module")
def random() -> cuda.Module:
    return compiled(RANDOM)


def clean(kernel: cuda.Kernel, config: Any, *arguments: Any) -> None:
    for schedule in (None, 5):
        report = cuda.sanitize(kernel, schedule=schedule)[config](*arguments)
        assert report.ok, report


def line_of(text: str, mark: str) -> int:
    return next(i for i, line in enumerate(text.split("\n"), 1) if line.endswith(f"// {mark}"))


@pytest.mark.parametrize("kernel", ["staged<1>", "staged<3>", "parted<true>"])
def test_pipeline_of_a_block(pipelines: cuda.Module, rng: np.random.Generator, kernel: str) -> None:
    x, y = rng.standard_normal((5, 64)).astype(np.float32), np.zeros((5, 64), np.float32)
    clean(pipelines[kernel], (1, 96 if kernel.startswith("parted") else 64), x, y, 5)
    np.testing.assert_array_equal(y, x[:, ::-1])


def test_pipeline_of_counted_producers(pipelines: cuda.Module, rng: np.random.Generator) -> None:
    x, y = rng.standard_normal(32).astype(np.float32), np.zeros(32, np.float32)
    clean(pipelines["counted"], (1, 64), x, y)
    np.testing.assert_array_equal(y, x[::-1])


def test_pipeline_of_one_thread(pipelines: cuda.Module, rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((6, 128)).astype(np.float32), np.zeros((6, 128), np.float32)
    vectors = np.dtype([(name, np.float32) for name in "xyzw"])
    clean(pipelines["own"], (1, 32), x.view(vectors), y.view(vectors), 6)
    np.testing.assert_array_equal(y, x)


def test_pipelines_that_are_not_waited_for(pipelines: cuda.Module) -> None:
    x, y = np.zeros(128, np.float32), np.zeros(128, np.float32)
    report = cuda.sanitize(pipelines["own_unwaited"])[1, 32](x, y)
    assert [(f.kind, f.line) for f in report.findings] == [("race", line_of(PIPELINE, "the second is under way"))]
    report = cuda.sanitize(pipelines["parted<false>"])[1, 96](x, y, 2)
    assert ("race", line_of(PIPELINE, "of the other warp")) in {
        (f.kind, line) for f in report.findings for line in (f.line, f.other_line)
    }


@pytest.mark.parametrize("key", KNOWN, ids=str)
def test_numbers_of_curand(random: cuda.Module, key: tuple[str, int, int, int]) -> None:
    words, floats, doubles = np.zeros(8, np.uint32), np.zeros(8, np.float32), np.zeros(6)
    random[key[0]][1, 1](*key[1:], words, floats, doubles)
    want = KNOWN[key]
    assert words.tolist() == want[0]
    # Uniform numbers to the last bit; normals go through a logarithm and a sine, of which no two libraries agree.
    np.testing.assert_array_equal(floats[:3], [float.fromhex(v) for v in want[1][:3]])
    np.testing.assert_array_equal(doubles[:3], [float.fromhex(v) for v in want[2][:3]])
    np.testing.assert_allclose(floats, [float.fromhex(v) for v in want[1]], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(doubles, [float.fromhex(v) for v in want[2]], rtol=1e-12, atol=1e-12)


def test_four_numbers_at_once(random: cuda.Module) -> None:
    words, floats, doubles = np.zeros(4, np.uint32), np.zeros(9, np.float32), np.zeros(4)
    random["fours"][1, 1](words, floats, doubles)
    assert words.tolist() == FOURS[0]
    np.testing.assert_allclose(floats, [float.fromhex(v) for v in FOURS[1]], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(doubles, [float.fromhex(v) for v in FOURS[2]], rtol=1e-12, atol=1e-12)


def test_states_are_kept_between_kernels(random: cuda.Module) -> None:
    states, inside = cuda.empty(256 * 48, np.uint8), np.zeros(1, np.uint32)
    report = cuda.sanitize(random["setup"])[4, 64](states, 7)
    assert report.ok, report
    for _ in range(2):
        report = cuda.sanitize(random["estimate"])[4, 64](states, inside, 100)
        assert report.ok, report
    # Two launches draw what one would: 51,200 points, of which pi / 4 lie inside, with a deviation of 93.
    assert abs(int(inside[0]) - 51200 * np.pi / 4) < 5 * 93


def test_a_state_for_all_threads_is_a_race(random: cuda.Module) -> None:
    report = cuda.sanitize(random["one_for_all"])[1, 64](np.zeros(48, np.uint8), np.zeros(64, np.float32))
    assert {(f.kind, f.line) for f in report.findings} == {("race", line_of(RANDOM, "shared by all threads"))}


def test_a_state_that_was_never_set_up(random: cuda.Module) -> None:
    report = cuda.sanitize(random["never_set_up"])[1, 32](cuda.empty(32 * 48, np.uint8), np.zeros(32, np.float32))
    assert {(f.kind, f.line) for f in report.findings} == {
        ("uninitialized_read", line_of(RANDOM, "nothing was initialised"))
    }


def test_the_host_api_of_curand_is_refused_by_name() -> None:
    text = "#include <curand.h>\nint main() {\n  curandGenerator_t g;\n  curandCreateGenerator(&g, 100);\n}\n"
    with pytest.raises(cuda.CompileError, match=r"<source>:4.*cuRAND's host API"):
        cuda.compile(text, "simulator")
