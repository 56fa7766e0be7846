"""Products on wgmma and TMA: every tile, layout, edge and batch, what TMA cannot describe, wrong kernels caught."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyneural import csrc, cuda
from pyneural.kernels import OPERATIONS, Sample, accuracy, backend, cuda_gemm, cuda_launch, dtypes
from pyneural.kernels.matmul import cuda as launches
from pyneural.kernels.matmul import cuda_hopper

pytestmark = pytest.mark.simulator

CSRC = Path(next(iter(csrc.__path__)))
TILES = {each.name: each for each in (cuda_hopper.WIDE, cuda_hopper.SQUARE, cuda_hopper.PAIR)}
HOST = backend("reference").engine


def operand(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any], *, turned: bool) -> np.ndarray:
    """Random, in rows of whole 16 bytes, as TMA wants them; ``turned`` has the last dimension but one beside."""
    *batch, rows, columns = shape if not turned else (*shape[:-2], shape[-1], shape[-2])
    whole = rng.standard_normal((*batch, rows, -(-columns // 8) * 8)).astype(dtype)[..., :columns]
    return whole.swapaxes(-1, -2) if turned else whole


def check(
    a: np.ndarray,
    b: np.ndarray,
    bias: np.ndarray | None = None,
    activation: str | None = None,
    schedule: int | None = 5,
    **choices: Any,
) -> None:
    """The product is right by the contract's rule and clean under the sanitizer."""
    plan = cuda_hopper.plan(a, b, np.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
    assert plan is not None
    if bias is None:
        name, sample = "matmul", Sample((a, b))
    else:
        name, sample = "linear", Sample((a, b.swapaxes(-1, -2), bias), {"activation": activation})

    def call(*_: np.ndarray, out: np.ndarray, **__: Any) -> None:
        cuda_hopper.run(plan, bias, activation, out, **choices)

    with cuda_launch.sanitized(schedule) as reports:
        verdict = accuracy.compare(OPERATIONS[name], sample, SimpleNamespace(engine=HOST, **{name: call}))  # type: ignore[arg-type]
    assert verdict.ok, verdict.message
    assert reports
    assert all(each.ok for each in reports), "\n".join(str(each) for each in reports)


@pytest.mark.parametrize(
    ("tile", "dtype"),
    [
        ("Wide", dtypes.float16),
        ("Square", dtypes.bfloat16),
        ("Pair", dtypes.float16),
        pytest.param("Wide", dtypes.bfloat16, marks=pytest.mark.slow),
        pytest.param("Square", dtypes.float16, marks=pytest.mark.slow),
        pytest.param("Pair", dtypes.bfloat16, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_layouts(tile: str, dtype: np.dtype[Any], rng: np.random.Generator) -> None:
    """A tile and a bit in each direction, both ways each operand may lie."""
    for schedule, (a_turned, b_turned) in enumerate(itertools.product((False, True), repeat=2)):
        a = operand(rng, (136, 72), dtype, turned=a_turned)
        b = operand(rng, (72, TILES[tile].n + 8), dtype, turned=b_turned)
        check(a, b, schedule=(None, 3, 4, 5)[schedule], tile=TILES[tile])


@pytest.mark.parametrize(
    ("m", "n", "inner"),
    [(127, 128, 64), (128, 129, 63), (129, 257, 65), (256, 255, 1), (67, 131, 31), (139, 73, 193)],
)
def test_edges(m: int, n: int, inner: int, rng: np.random.Generator) -> None:
    """Sizes around a tile and primes; where n is odd, results are stored without TMA."""
    for turned in (False, True):
        a = operand(rng, (m, inner), dtypes.float16, turned=turned)
        check(a, operand(rng, (inner, n), dtypes.float16, turned=not turned))


def test_many_tiles_a_block(rng: np.random.Generator) -> None:
    """Blocks that take several tiles, more steps than stages, with bias and activation."""
    a, b = (operand(rng, shape, dtypes.bfloat16, turned=False) for shape in ((300, 400), (400, 520)))
    bias = rng.standard_normal(520).astype(dtypes.bfloat16)
    for schedule in (None, 1, 2):
        check(a, b, bias, "gelu", schedule, blocks=2)
        check(a, b, None, None, schedule, tile=cuda_hopper.PAIR, blocks=2)
    check(a, b[:, :517], bias[:517], "relu", tile=cuda_hopper.WIDE, blocks=1)


@pytest.mark.slow
@pytest.mark.parametrize("activation", [None, "relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh"])
def test_activations(activation: str | None, rng: np.random.Generator) -> None:
    a, b = operand(rng, (80, 40), dtypes.float16, turned=False), operand(rng, (40, 72), dtypes.float16, turned=True)
    check(a, b, rng.standard_normal(72).astype(dtypes.float16), activation)


def test_splits(rng: np.random.Generator) -> None:
    """Parts of the inner dimension, the last one shorter; more of them than there are steps."""
    for inner, splits, n in ((200, 2, 72), (136, 3, 71), (64, 5, 130)):
        a = operand(rng, (70, inner), dtypes.float16, turned=True)
        check(a, operand(rng, (inner, n), dtypes.float16, turned=False), splits=splits)


def test_batches(rng: np.random.Generator) -> None:
    """Whole, broadcast in one or both of two dimensions, and heads that lie within the rows of a sequence."""
    dtype = dtypes.float16
    check(operand(rng, (3, 66, 40), dtype, turned=False), operand(rng, (3, 40, 72), dtype, turned=True))
    check(operand(rng, (2, 1, 66, 40), dtype, turned=True), operand(rng, (3, 40, 72), dtype, turned=False))
    check(operand(rng, (2, 1, 66, 40), dtype, turned=False), operand(rng, (1, 3, 40, 72), dtype, turned=False))
    heads = rng.standard_normal((2, 66, 3, 40)).astype(dtype).transpose(0, 2, 1, 3)
    check(heads, heads.swapaxes(-1, -2), blocks=3)


def test_what_tma_cannot_describe(rng: np.random.Generator) -> None:
    """No plan is made, and the launcher takes the other kernel."""
    wide = rng.standard_normal((96, 224)).astype(np.float16)
    b = rng.standard_normal((96, 80)).astype(np.float16)
    cases = {
        "steps of no whole 16 bytes": wide.reshape(-1)[: 96 * 223].reshape(96, 223)[:, :96],
        "an address of no whole 16 bytes": wide[:, 1:97],
        "backwards": wide[::-1, :96],
        "steps in both dimensions": wide[:, :192:2],
        "one row for all": np.broadcast_to(wide[0, :96], (96, 96)),
    }
    for name, a in cases.items():
        assert cuda_hopper.plan(a, b, ()) is None, name
        out = np.full((96, 80), np.nan, np.float16)
        launches.matmul(a, b, out=out)
        np.testing.assert_allclose(out, a.astype(np.float64) @ b.astype(np.float64), rtol=2e-3, atol=2e-2, err_msg=name)
    a = wide[:, :96]
    assert cuda_hopper.plan(a, b, ()) is not None
    assert cuda_hopper.plan(a.astype(np.float32), b.astype(np.float32), ()) is None
    assert cuda_hopper.plan(a[:64], b, ()) is None  # too small for a tile
    three = np.lib.stride_tricks.as_strided(wide, (2, 2, 2, 66, 96), (16, 48, 1024, 448, 2))
    assert cuda_hopper.plan(three, b, (2, 2, 2)) is None  # three batch dimensions that are not one


def test_architecture_chooses(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """Only compute capability 9.0 has these instructions: not the ones before it, nor after it."""
    a = rng.standard_normal((72, 72)).astype(np.float16)
    for number, here in (((8, 0), False), ((9, 0), True), ((10, 0), False)):
        monkeypatch.setattr(cuda_gemm, "simulated_architecture", number)
        assert (cuda_hopper.plan(a, a, ()) is not None) == here
    started: list[str] = []
    monkeypatch.setattr(cuda_hopper, "launch", lambda source, *_, **__: started.append(source))
    monkeypatch.setattr(launches, "launch", lambda source, *_, **__: started.append(source))
    for number in ((9, 0), (8, 0)):
        monkeypatch.setattr(cuda_gemm, "simulated_architecture", number)
        launches.matmul(a, a, out=np.empty_like(a))
    assert started == ["matmul_hopper", "matmul"]


def test_tiles_for_sizes() -> None:
    """Pairs where there are tiles enough, but not where one would have no rows."""
    cases = ((4096, 4096, 1, "Pair"), (2049, 2049, 1, "Wide"), (256, 4096, 1, "Square"), (4096, 128, 12, "Square"))
    for m, n, products, name in cases:
        assert cuda_hopper.tile_for(m, n, products, 132).name == name


LOOP, STORE = "gemm_wgmma.cuh", "matmul_hopper.cu"
WRONG = {  # the file, what stands there, and what instead
    "products before their operands have come": (LOOP, "ptx::mbarrier_wait(&full[ring.stage], ring.parity);", ""),
    "loads over operands in use": (LOOP, "ptx::mbarrier_wait(&empty[ring.stage], ring.parity ^ 1);", ""),
    "the parity of the first round for ever": (LOOP, "parity ^= 1;", ""),
    "a stage given back while products read it": (LOOP, "ptx::wgmma_wait<1>();", "ptx::wgmma_wait<2>();"),
    "accumulators read too early": (LOOP, "ptx::wgmma_wait<0>();", ""),
    "no fence before the products": (LOOP, "ptx::wgmma_fence();", ""),
    "too few bytes expected": (LOOP, "full[ring.stage], T::stage_bytes)", "full[ring.stage], T::left_bytes)"),
    "results handed to TMA without a fence": (STORE, "ptx::fence_proxy_async();", ""),
    "results handed to TMA by one thread for all": (
        STORE,
        "fence_proxy_async();\n      sync();",
        "fence_proxy_async();",
    ),
    "results over those that TMA still reads": (STORE, "if (thread == 0) ptx::bulk_wait_read<0>();", ""),
    "bias that other threads still fetch": (STORE, "sync();  // the last", "// the last"),
    "pair: stages given back to their own block alone": (
        LOOP, "mbarrier_arrive_cluster(&empty[last], threadIdx.x % 32);", "mbarrier_arrive(&empty[last]);"
    ),
    "pair: half of the columns for one block alone": (LOOP, "full, at, 3);", "full, at, 1);"),
    "pair: loads into a block that is not ready": (LOOP, "  meet<T>();\n  Ring", "  __syncthreads();\n  Ring"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_kernels_are_caught(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    """Each barrier, fence and wait of the kernel is needed: without it the sanitizer reports it."""
    name, right, wrong = WRONG[what]
    header, kernel = (
        (CSRC / path).read_text() for path in ("include/pyneural/gemm_wgmma.cuh", "kernels/matmul_hopper.cu")
    )
    assert (header if name.endswith("cuh") else kernel).count(right) == 1
    if name.endswith("cuh"):
        header = header.replace(right, wrong)
    else:
        kernel = kernel.replace(right, wrong)
    (tmp_path / "pyneural").mkdir()
    (tmp_path / "pyneural" / "gemm_wgmma.cuh").write_text(
        header.replace('#include "', "#include <pyneural/").replace('.cuh"', ".cuh>")
    )
    module = cuda.compile(kernel, "simulator", options=["-DPYNEURAL_ELEMENT=__half"], include=[tmp_path])
    monkeypatch.setattr(cuda_launch, "_kernel", lambda source, name, *_: module[name])
    tile = cuda_hopper.PAIR if what.startswith("pair") else cuda_hopper.SQUARE
    with cuda_launch.sanitized() as reports:
        for inner in (400, 64):  # more steps than stages, and one
            a, b = (operand(rng, shape, dtypes.float16, turned=False) for shape in ((136, inner), (inner, 136)))
            plan = cuda_hopper.plan(a, b, ())
            assert plan is not None
            cuda_hopper.run(plan, b[0], None, np.empty((136, 136), np.float16), tile, 1, tile.blocks)
    kinds = set().union(*(each.kinds for each in reports))
    # The last: a barrier object to which more came than it expects.
    assert kinds & {"race", "divergent_barrier", "hang", "assertion_failed"}, kinds


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc")
def test_nvcc_assembles(tmp_path: Path) -> None:
    """For sm_90a: no spills, products that are not put one after the other (C7510), registers that do move (C7508)."""
    layouts = ("kAlongInner", "kAlongOuter")
    kernels = {name: "matmul_hopper_pair" if tile.blocks > 1 else "matmul_hopper" for name, tile in TILES.items()}
    instances = [f"{kernels[tile]}<{tile}, {a}, {b}, kGelu>" for tile in TILES for a in layouts for b in layouts]
    unit = tmp_path / "unit.cu"
    named = "".join(f"auto instance_{i} = &{each};\n" for i, each in enumerate(instances))
    unit.write_text(f'#include "{CSRC}/kernels/matmul_hopper.cu"\n{named}')
    command = ["nvcc", "-arch=sm_90a", "-std=c++17", "-cubin", "-Xptxas", "-v", "-DPYNEURAL_ELEMENT=__nv_bfloat16"]
    done = subprocess.run(
        [*command, f"-I{CSRC}/include", "-o", str(tmp_path / "unit.cubin"), str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    log = done.stdout + done.stderr
    assert done.returncode == 0, log
    assert "C75" not in log, log
    assert "warning" not in log
    assert log.count("Compiling entry function") == len(instances)
    assert log.count(" 0 bytes spill stores, 0 bytes spill loads") == len(instances)
