"""Kernels in the styles of courses and papers, unmodified, against NumPy, and clean under the sanitizer.

Each case gives the kernel's arguments, its launch configuration, and what its output arrays must hold afterwards.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyneural import cuda

FOLDER = Path(__file__).parent / "kernels"

Array = Any


@dataclass
class Launch:
    """One launch: `want` are the arrays that the arguments of those positions must equal afterwards."""

    config: tuple[Any, ...]
    arguments: list[Any]
    want: dict[int, Array]
    tolerance: float = 0.0


Case = Callable[[np.random.Generator], Launch]
CASES: dict[str, Case] = {}


def case(name: str) -> Callable[[Case], Case]:
    """Registers a case; `name` is "file: kernel"."""

    def register(make: Case) -> Case:
        CASES[name] = make
        return make

    return register


@functools.cache
def module(file: str) -> cuda.Module:
    """Each file is compiled once for all of its kernels."""
    compiled = cuda.compile(FOLDER / f"{file}.cu", "simulator")
    assert isinstance(compiled, cuda.Module)
    return compiled


def floats(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)


def bytes_(rng: np.random.Generator, *shape: int) -> Array:
    return rng.integers(0, 256, shape).astype(np.uint8)


# parallel_patterns.cu


@case("parallel_patterns: colorToGrayscaleConversion")
def _(rng: np.random.Generator) -> Launch:
    image, out = bytes_(rng, 19, 37, 3), np.zeros((19, 37), np.uint8)
    exact = image.astype(np.float64) @ [0.21, 0.71, 0.07]
    return Launch(((3, 2), (16, 16)), [out, image, 37, 19], {0: np.floor(exact)}, 1.0)


@case("parallel_patterns: blurKernel")
def _(rng: np.random.Generator) -> Launch:
    image, out = bytes_(rng, 21, 35), np.zeros((21, 35), np.uint8)
    want = np.array(
        [[image[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].astype(int).mean() for x in range(35)] for y in range(21)]
    )
    return Launch(((3, 2), (16, 16)), [image, out, 35, 21], {1: np.floor(want + 1e-9)})


@case("parallel_patterns: transposeNoBankConflicts")
def _(rng: np.random.Generator) -> Launch:
    x = floats(rng, 45, 70)
    return Launch(((3, 2), (32, 8)), [np.zeros((70, 45), np.float32), x, 70, 45], {0: x.T})


@case("parallel_patterns: stencil3d<16, 4>")
def _(rng: np.random.Generator) -> Launch:
    x = floats(rng, 5, 9, 21)
    p = np.pad(x.astype(np.float64), 1)
    around = p[1:-1, 1:-1, :-2] + p[1:-1, 1:-1, 2:] + p[1:-1, :-2, 1:-1] + p[1:-1, 2:, 1:-1]
    want = 0.5 * x + 0.25 * (around + p[:-2, 1:-1, 1:-1] + p[2:, 1:-1, 1:-1])
    return Launch(((2, 3), (16, 4)), [x, np.zeros_like(x), 21, 9, 5, 0.5, 0.25], {1: want}, 1e-5)


# reductions_and_scans.cu


@case("reductions_and_scans: sum_tree")
def _(rng: np.random.Generator) -> Launch:
    x = rng.integers(-9, 9, 700).astype(np.float32)
    chunks = np.pad(x, (0, 68)).reshape(2, 3, 128)
    return Launch((3, 128, 512), [x, np.zeros(3, np.float32), 700], {1: chunks.sum((0, 2))})


@case("reductions_and_scans: max_shuffle")
def _(rng: np.random.Generator) -> Launch:
    x = rng.integers(-(2**31), 0, 999).astype(np.int32)
    return Launch((2, 96), [x, np.array([-(2**31)], np.int32), 999], {1: [x.max()]})


@case("reductions_and_scans: sum_last_block")
def _(rng: np.random.Generator) -> Launch:
    x = rng.standard_normal(2000)
    return Launch((5, 128), [x, 2000, cuda.empty(5, np.float64), np.zeros(1)], {3: [x.sum()]}, 1e-11)


@case("reductions_and_scans: scan_kogge_stone")
def _(rng: np.random.Generator) -> Launch:
    x = rng.integers(-9, 9, 201).astype(np.float32)
    return Launch((1, 256), [x, np.zeros(201, np.float32), 201], {1: x.cumsum()})


@case("reductions_and_scans: scan_chained")
def _(rng: np.random.Generator) -> Launch:
    x = rng.integers(-9, 9, 500).astype(np.int32)
    arguments = [x, np.zeros(500, np.int32), 500, np.zeros(4, np.int32), np.zeros(4, np.int32)]
    return Launch((4, 128), arguments, {1: x.cumsum()})


@case("reductions_and_scans: keep_positive")
def _(rng: np.random.Generator) -> Launch:
    x = floats(rng, 130)
    kept = x[x > 0]
    want = np.zeros(130, np.float32)
    want[: kept.size] = kept
    return Launch((5, 32), [x, np.zeros(130, np.float32), np.zeros(1, np.int32), 130], {1: want, 2: [kept.size]})


# sparse.cu


def csr(rng: np.random.Generator, rows: int, columns: int, dtype: Any) -> tuple[Array, Array, Array, Array]:
    dense = (rng.random((rows, columns)) < 0.2) * rng.standard_normal((rows, columns))
    dense = dense.astype(dtype)
    row, column = dense.nonzero()
    pointers = np.concatenate([[0], np.bincount(row, minlength=rows).cumsum()]).astype(np.int32)
    return dense, pointers, column.astype(np.int32), dense[row, column]


@case("sparse: spmv::csr_scalar<double>")
def _(rng: np.random.Generator) -> Launch:
    dense, pointers, columns, data = csr(rng, 75, 60, np.float64)
    x, y = rng.standard_normal(60), rng.standard_normal(75)
    return Launch((3, 32), [75, pointers, columns, data, x, y.copy()], {5: y + dense @ x}, 1e-12)


@case("sparse: spmv::csr_vector<float, int>")
def _(rng: np.random.Generator) -> Launch:
    dense, pointers, columns, data = csr(rng, 13, 300, np.float32)
    x, y = floats(rng, 300), floats(rng, 13)
    return Launch((4, 128), [13, pointers, columns, data, x, y.copy()], {5: y + dense.astype(float) @ x}, 1e-4)


@case("sparse: spmv::ell")
def _(rng: np.random.Generator) -> Launch:
    rows, width, columns = 70, 4, 50
    indices = rng.integers(0, columns, (width, rows)).astype(np.int32)
    data = floats(rng, width, rows) * (rng.random((width, rows)) < 0.8)
    x, y = floats(rng, columns), floats(rng, rows)
    want = y + (data.astype(float) * x[indices]).sum(0)
    return Launch((3, 32), [rows, width, indices, data.astype(np.float32), x, y.copy()], {5: want}, 1e-5)


@case("sparse: spmv::coo")
def _(rng: np.random.Generator) -> Launch:
    dense, _, _, data = csr(rng, 40, 30, np.float32)
    rows, columns = (index.astype(np.int32) for index in dense.nonzero())
    x, y = floats(rng, 30), floats(rng, 40)
    want = y + dense.astype(float) @ x
    return Launch((2, 64), [data.size, rows, columns, data, x, y.copy()], {5: want}, 1e-5)


# sgemm_steps.cu


def sgemm(rng: np.random.Generator, m: int, n: int, k: int, config: tuple[Any, ...]) -> Launch:
    a, b, c = floats(rng, m, k), floats(rng, k, n), floats(rng, m, n)
    want = 1.5 * (a.astype(float) @ b) - 0.5 * c
    return Launch(config, [m, n, k, 1.5, a, b, -0.5, c.copy()], {7: want}, 1e-4)


@case("sgemm_steps: sgemm_global_mem_coalesce<16>")
def _(rng: np.random.Generator) -> Launch:
    return sgemm(rng, 37, 29, 50, ((3, 2), 256))


@case("sgemm_steps: sgemm1DBlocktiling<32, 32, 8, 4>")
def _(rng: np.random.Generator) -> Launch:
    return sgemm(rng, 64, 96, 24, ((3, 2), 256))


@case("sgemm_steps: sgemmVectorize<32, 32, 8, 4, 4>")
def _(rng: np.random.Generator) -> Launch:
    return sgemm(rng, 64, 96, 24, ((3, 2), 64))


# tensor_cores.cu


@case("tensor_cores: hgemm_async<2, 2>")
def _(rng: np.random.Generator) -> Launch:
    a, b = rng.standard_normal((64, 48)).astype(np.float16), rng.standard_normal((48, 32)).astype(np.float16)
    want = a.astype(float) @ b.astype(float)
    return Launch(((1, 2), 128), [a, b, np.zeros((64, 32), np.float32), 64, 32, 48], {2: want}, 1e-4)


@case("tensor_cores: haxpy")
def _(rng: np.random.Generator) -> Launch:
    x, y = (rng.standard_normal(101).astype(np.float16) for _ in range(2))
    want = 1.5 * x.astype(float) + y
    return Launch((2, 32), [101, 1.5, x, y, np.zeros(101, np.float16)], {4: want}, 5e-3)


@case("tensor_cores: gemv_int8")
def _(rng: np.random.Generator) -> Launch:
    weight, x = (rng.integers(-128, 128, shape).astype(np.int8) for shape in ((7, 160), (160,)))
    scale = rng.random(7).astype(np.float32)
    want = (weight.astype(np.int64) @ x) * scale * 0.5
    packed = [weight.view(np.int32), x.view(np.int32)]
    return Launch((2, (32, 4)), [*packed, scale, 0.5, np.zeros(7, np.float32), 7, 40], {4: want}, 1e-2)


# transformer.cu


@case("transformer: encoder_forward_kernel")
def _(rng: np.random.Generator) -> Launch:
    tokens = rng.integers(0, 11, (2, 5)).astype(np.int32)
    wte, wpe = floats(rng, 11, 12), floats(rng, 5, 12)
    return Launch((1, 32), [np.zeros((2, 5, 12), np.float32), tokens, wte, wpe, 2, 5, 12], {0: wte[tokens] + wpe})


@case("transformer: softmax_online_kernel")
def _(rng: np.random.Generator) -> Launch:
    x = floats(rng, 7, 77) * 10
    e = np.exp(x.astype(float) - x.max(1, keepdims=True))
    return Launch((4, 64), [np.zeros_like(x), x, 7, 77], {0: e / e.sum(1, keepdims=True)}, 1e-5)


@case("transformer: gelu_forward_kernel")
def _(rng: np.random.Generator) -> Launch:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = rng.standard_normal(100).astype(bfloat16)
    v = x.astype(float)
    want = 0.5 * v * (1 + np.tanh(np.sqrt(2 / np.pi) * (v + 0.044715 * v**3)))
    return Launch((4, 32), [np.zeros(100, bfloat16), x, 100], {0: want}, 2e-2)


@case("transformer: crossentropy_softmax_backward_kernel")
def _(rng: np.random.Generator) -> Launch:
    probabilities, gradient = rng.random((6, 10)).astype(np.float32), floats(rng, 6)
    targets, before = rng.integers(0, 10, 6).astype(np.int32), floats(rng, 6, 10)
    want = before + (probabilities - np.eye(10)[targets]) * gradient[:, None]
    return Launch((2, 32), [before.copy(), gradient, probabilities, targets, 2, 3, 10], {0: want}, 1e-5)


@case("transformer: adamw_kernel")
def _(rng: np.random.Generator) -> Launch:
    p, g, m = (floats(rng, 90) for _ in range(3))
    v = rng.random(90).astype(np.float32)
    m2, v2 = 0.9 * m.astype(float) + 0.1 * g, 0.99 * v.astype(float) + 0.01 * g.astype(float) ** 2
    want = p - 0.01 * (m2 / 0.1 / (np.sqrt(v2 / 0.2) + 1e-8) + 0.1 * p)
    arguments = [p.copy(), g, m.copy(), v.copy(), 90, 0.01, 0.9, 0.99, 0.1, 0.2, 1e-8, 0.1]
    return Launch((3, 32), arguments, {0: want, 2: m2, 3: v2}, 1e-5)


@case("transformer: rope_kernel")
def _(rng: np.random.Generator) -> Launch:
    x = floats(rng, 6, 10, 2)
    angle = np.arange(6)[:, None] * 100.0 ** -(np.arange(10) / 10)
    rotated = (x[..., 0] + 1j * x[..., 1].astype(float)) * np.exp(1j * angle)
    return Launch((6, 32), [x.copy(), 6, 10, 100.0], {0: np.stack([rotated.real, rotated.imag], -1)}, 1e-5)


@case("transformer: rmsnorm_kernel<64>")
def _(rng: np.random.Generator) -> Launch:
    x, w = floats(rng, 5, 83), floats(rng, 83)
    v = x.astype(float)
    want = w * v / np.sqrt((v**2).mean(1, keepdims=True) + 1e-6)
    return Launch((5, 64), [np.zeros_like(x), x, w, 83], {0: want}, 1e-5)


# numerics.cu


@case("numerics: fft_shared<128, false>")
def _(rng: np.random.Generator) -> Launch:
    x = (floats(rng, 3, 128) + 1j * floats(rng, 3, 128)).astype(np.complex64)
    return Launch((3, 64), [x, np.zeros_like(x)], {1: np.fft.fft(x)}, 1e-4)


@case("numerics: fft_shared<64, true>")
def _(rng: np.random.Generator) -> Launch:
    x = (floats(rng, 2, 64) + 1j * floats(rng, 2, 64)).astype(np.complex64)
    return Launch((2, 32), [x, np.zeros_like(x)], {1: np.fft.ifft(x)}, 1e-5)


@case("numerics: pcrKernel<double>")
def _(rng: np.random.Generator) -> Launch:
    systems, n = 3, 45
    a, c, d = (rng.standard_normal((systems, n)) for _ in range(3))
    b = 4 + np.abs(a) + np.abs(c)
    a[:, 0] = c[:, -1] = 0
    want = [
        np.linalg.solve(np.diag(b[i]) + np.diag(a[i, 1:], -1) + np.diag(c[i, :-1], 1), d[i]) for i in range(systems)
    ]
    return Launch((systems, n, 4 * 8 * n), [a, b, c, d, np.zeros((systems, n)), n], {4: want}, 1e-12)


@case("numerics: cholesky_batched")
def _(rng: np.random.Generator) -> Launch:
    root = rng.standard_normal((3, 17, 17))
    matrices = root @ root.transpose(0, 2, 1) + np.eye(17)
    want = np.linalg.cholesky(matrices)
    return Launch((3, 17, 17 * 17 * 8), [matrices.copy(), 17, np.zeros(3, np.int32)], {0: want, 2: [0, 0, 0]}, 1e-11)


@case("numerics: smith_waterman")
def _(rng: np.random.Generator) -> Launch:
    query, subject = (rng.integers(0, 4, n).astype(np.int8) for n in (40, 61))
    table = np.zeros((41, 62), int)
    for i in range(1, 41):
        for j in range(1, 62):
            diagonal = table[i - 1, j - 1] + (3 if query[i - 1] == subject[j - 1] else -2)
            table[i, j] = max(0, diagonal, table[i - 1, j] - 4, table[i, j - 1] - 4)
    arguments = [query, 40, subject, 61, 3, -2, -4, np.zeros(1, np.int32)]
    return Launch((1, 40, 3 * 41 * 4), arguments, {7: [table.max()]})


@case("numerics: lbm_d2q9")
def _(rng: np.random.Generator) -> Launch:
    ny, nx, omega = 10, 19, 1.25
    f = (rng.random((9, ny, nx)) + 0.5).astype(np.float32)
    e = np.array([(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1), (-1, -1), (1, -1)])
    w = np.array([4 / 9] + [1 / 9] * 4 + [1 / 36] * 4)
    p = np.stack([np.roll(f[q].astype(float), (e[q, 1], e[q, 0]), (0, 1)) for q in range(9)])
    rho = p.sum(0)
    u = np.tensordot(e.T, p, 1) / rho
    eu = 3 * np.tensordot(e, u, 1)
    equilibrium = w[:, None, None] * rho * (1 + eu + eu**2 / 2 - 1.5 * (u**2).sum(0))
    arguments = [f, np.zeros_like(f), nx, ny, omega]
    return Launch(((2, 2), (16, 8)), arguments, {1: p + omega * (equilibrium - p)}, 1e-5)


# graphs_and_sorting.cu


@case("graphs_and_sorting: gpu_hashtable_insert")
def _(rng: np.random.Generator) -> Launch:
    pair = np.dtype([("key", np.uint32), ("value", np.uint32)])
    entries = np.array(list(zip(rng.integers(0, 40, 150), rng.integers(1, 9, 150), strict=True)), pair)
    table = np.array([(0xFFFFFFFF, 0)] * 64, pair)
    # Where a key lies depends on who came first: blocks and lanes in order, as the simulator runs them.
    want = table.copy()
    for key, value in entries.tolist():
        k = key
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
            k = ((k ^ k >> shift) * factor) & 0xFFFFFFFF
        k &= 63
        while want["key"][k] not in (key, 0xFFFFFFFF):
            k = (k + 1) & 63
        want["key"][k] = key
        want["value"][k] += value
    return Launch((5, 32), [table, 64, entries, 150], {0: want})


@case("graphs_and_sorting: pagerank_push")
def _(rng: np.random.Generator) -> Launch:
    adjacency = rng.random((30, 30)) < 0.15
    adjacency[7] = False
    rows, columns = adjacency.nonzero()
    offsets = np.concatenate([[0], np.bincount(rows, minlength=30).cumsum()]).astype(np.int32)
    rank = rng.random(30)
    degree = adjacency.sum(1)
    spread = np.where(degree[:, None], adjacency / np.maximum(degree, 1)[:, None], 1 / 30)
    arguments = [offsets, columns.astype(np.int32), rank, np.full(30, 0.005), 30, 0.85]
    return Launch((8, 32), arguments, {3: 0.005 + 0.85 * (rank @ spread)}, 1e-12)


@case("graphs_and_sorting: floyd_warshall_tile<16>")
def _(rng: np.random.Generator) -> Launch:
    distance = rng.integers(1, 100, (13, 13)).astype(np.int32)
    np.fill_diagonal(distance, 0)
    want = distance.copy()
    for k in range(13):
        want = np.minimum(want, want[:, k : k + 1] + want[k : k + 1])
    return Launch((1, (16, 16)), [distance.copy(), 13], {0: want})


@case("graphs_and_sorting: radix_sort_block")
def _(rng: np.random.Generator) -> Launch:
    keys = rng.integers(0, 2**32, 211, np.uint32)
    return Launch((1, 256), [keys.copy(), 211], {0: np.sort(keys)})


@case("graphs_and_sorting: odd_even_sort")
def _(rng: np.random.Generator) -> Launch:
    data = rng.integers(-999, 999, 55).astype(np.int16)
    return Launch((1, 32), [data.copy(), 55], {0: np.sort(data)})


def verify(launch: Launch) -> None:
    for position, want in launch.want.items():
        got = launch.arguments[position]
        if got.dtype.names or not launch.tolerance:
            np.testing.assert_array_equal(got, want)
        else:
            wide = got.astype(complex if got.dtype.kind == "c" else float)
            np.testing.assert_allclose(wide, want, rtol=launch.tolerance, atol=launch.tolerance)


def kernel_of(name: str) -> Any:
    file, _, kernel = name.partition(": ")
    return module(file)[kernel]


@pytest.mark.parametrize("name", CASES)
def test_result(name: str, rng: np.random.Generator) -> None:
    launch = CASES[name](rng)
    kernel_of(name)[launch.config](*launch.arguments)
    verify(launch)


@pytest.mark.parametrize("name", CASES)
def test_no_findings(name: str, rng: np.random.Generator) -> None:
    launch = CASES[name](rng)
    report = cuda.sanitize(kernel_of(name), timeout=60)[launch.config](*launch.arguments)
    assert report.ok, report
    verify(launch)


def test_every_kernel_has_a_case() -> None:
    declared = {
        f"{path.stem}: {name}"
        for path in FOLDER.glob("*.cu")
        for name in re.findall(r"__global__[^;{]*?(\w+)\(", re.sub(r"__launch_bounds__\(.*?\)", "", path.read_text()))
    }
    covered = {re.sub(r"<.*>|\w+::", "", name) for name in CASES}
    assert covered == declared
    assert len(declared) >= 30
