"""What is kept of the CUDA kernels is what they are: instances, budget, machine code, bytes moved, the page of docs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.kernels import assembly, budget, cubin, instances, page, products, reasons, shapes, traffic
from pyneural.cuda import sass
from pyneural.cuda.resources import Resources, nvcc
from pyneural.kernels import OPERATIONS, backend, cuda_launch, dtypes

needs_nvcc = pytest.mark.skipif(nvcc() is None, reason="nvcc is not installed")
needs_cuobjdump = pytest.mark.skipif(sass.cuobjdump() is None, reason="cuobjdump is not installed")


def _kept(arch: str) -> set[instances.Instance]:
    return {
        instances.Instance(source, name, dtype or None)
        for source, kinds in budget.load()["kernels"][arch].items()
        for dtype, kernels in kinds.items()
        for name in kernels
    }


def test_the_kernels_kept_are_those_that_are_launched() -> None:
    """For both architectures of the budget, in every element type."""
    for arch, uses in instances.recorded(budget.ARCHITECTURES).items():
        kept = _kept(arch)
        new, gone = sorted(map(str, uses.keys() - kept)), sorted(map(str, kept - uses.keys()))
        assert not new, f"{arch}: not in bench/results/resources.json, run make kernels: {new}"
        assert not gone, f"{arch}: in bench/results/resources.json and never launched, run make kernels: {gone}"


def test_the_figures_are_of_these_sources() -> None:
    kept = budget.load()["sources"]
    stale = [source for source in kept if cubin.digest(source) != kept[source]]
    assert not stale, f"compiled from other sources, run make kernels: {stale}"
    assert set(kept) == {each.source for arch in budget.ARCHITECTURES for each in _kept(arch)}


def test_a_digest_is_of_the_code_and_of_what_it_includes(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    def digest(text: str, header: str) -> str:
        for name, content in (("one.cu", text), ("part.cuh", header)):
            (tmp_path / "kernels" / name).write_text(content)
        cubin.includes.cache_clear()
        cubin.digest.cache_clear()
        return cubin.digest("one")

    monkeypatch.setattr(cubin.toolchain, "CSRC", tmp_path)
    (tmp_path / "kernels").mkdir()
    first = digest('#include "part.cuh"\nint a = 1; // one\n', "int b;")
    assert digest('#include "part.cuh"\n\nint a =   1; /* two\n */', "int b; // three") == first
    assert digest('#include "part.cuh"\nint a = 2;', "int b;") != first
    assert digest('#include "part.cuh"\nint a = 1;', "int c;") != first


def test_architectures_choose_their_kernels() -> None:
    """Products alone: wgmma for sm_90a, no bfloat16 on the tensor cores of sm_75, attention there on the FMA units."""
    names = ("matmul", "linear", "scaled_dot_product_attention")
    found = instances.recorded(("sm_75", "sm_80", "sm_90a"), [OPERATIONS[name] for name in names])
    sources = {arch: {each.source for each in uses} for arch, uses in found.items()}
    assert "matmul_hopper" in sources["sm_90a"] - sources["sm_80"] - sources["sm_75"]
    assert "attention_mma" in sources["sm_80"] & sources["sm_90a"] - sources["sm_75"]
    old = {each.name.split(",")[0] for each in found["sm_75"] if (each.source, each.dtype) == ("matmul", "bfloat16")}
    assert old == {"matmul<Small", "matmul_sum"}


def test_every_operation_is_counted_or_a_product() -> None:
    counted = {case.operation for case in shapes.CASES}
    multiplied = {operation.name for operation, _ in products.calls(OPERATIONS, (dtypes.float32,))}
    assert counted | multiplied == set(OPERATIONS)
    assert not counted & multiplied


def test_least_bytes() -> None:
    """Broadcast inputs once, in-place arrays twice, unread ones not at all."""
    cases = {case.name: case for case in shapes.CASES}
    f32, rows = dtypes.float32, 1024 * 1024 * 4
    for name, expected in {
        "add": 3 * rows,
        "add, a row to each": 2 * rows + 4096,
        "eq": 2 * rows + rows // 4,
        "neg, transposed": 2 * rows,
        "sum, of all": rows + 4,
        "softmax_backward, rows of 1024": 3 * rows,
        "embedding": 4096 * (2 * 512 * 4 + 8),
        "max_pool2d, 2 x 2": 16 * 64 * (32 * 32 * 4 + 16 * 16 * (4 + 8)),
    }.items():
        assert shapes.least(cases[name], cases[name].sample(f32)) == expected, name
    sample = cases["adam_step"].sample(f32)
    assert shapes.least(cases["adam_step"], sample) == 7 * sum(each.nbytes for each in sample.args[0])


def test_nothing_moves_more_than_it_must_without_a_reason() -> None:
    """The table, and its reasons: each is needed."""
    assert {(row["case"], row["dtype"]) for row in traffic.kept()} == {
        (case.name, dtype.name) for case, dtype in traffic.selected()
    }
    assert traffic.problems(traffic.kept()) == []


def test_limits_bite(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"case": "relu", "dtype": "float32", "over_least": 1.06, "bank_conflict_ways": 1.0}
    monkeypatch.setattr(reasons, "REASONS", ())
    assert traffic.problems([row]) == ["relu, float32: over_least is 1.06, above 1.05, and reasons.py states no reason"]
    assert traffic.problems([row | {"over_least": 1.05}]) == []
    assert len(traffic.problems([row | {"over_least": 1.0, "bank_conflict_ways": 1.11}])) == 1
    monkeypatch.setattr(reasons, "REASONS", (reasons.Reason("over_least", ("relu",), "because"),))
    assert traffic.problems([row]) == []
    assert traffic.problems([row | {"over_least": 1.0}]) == ["relu: needs no reason: because"]


@pytest.mark.parametrize("name", ["relu", "cat, columns", "softmax, rows of 512"])
def test_counted_again(name: str) -> None:
    """A few rows of the table, from the kernels as they are now."""
    (case,) = (each for each in shapes.CASES if each.name == name)
    (kept,) = (row for row in traffic.kept() if (row["case"], row["dtype"]) == (name, "float32"))
    row = traffic.count(case, dtypes.float32)
    assert row["least"] == kept["least"]
    # Another version of the host's compiler may leave a few more loads, or fewer.
    for key in ("over_least", "sectors_per_request", "bank_conflict_ways"):
        assert row[key] == pytest.approx(kept[key], rel=0.01), key


def test_the_page_is_fresh() -> None:
    whole = page.TARGET.read_text(encoding="utf-8")
    assert page.rewritten(whole, page.text()) == whole, "docs/kernels.md is stale: python -m bench.kernels.page"


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="kernels:begin"):
        page.rewritten("nothing", "x")


def test_kept_kernels_are_within_the_budget() -> None:
    """Excused are those whose reason is stated, and each of these needs it."""
    kept, wrong, excused = budget.load()["kernels"], [], set()
    for arch in budget.ARCHITECTURES:
        for each in _kept(arch):
            excess = budget.over(budget.find(kept, arch, each)[0])
            if excess and budget.excuse(each, arch) is None:
                wrong.append(f"{arch}: {each}: {excess}")
            elif excess:
                excused.add(budget.excuse(each, arch))
    assert not wrong
    assert excused == set(reasons.SPILLS)


def test_budget_bites() -> None:
    unit = cubin.Unit("activation", "float32", "sm_80", ("relu",))
    good = Resources("relu", "sm_80", 32, 0, 0, 0, 0, 0)
    built = cubin.Built(unit, unit.path, {"relu": good})
    assert budget.problems([built]) == []
    for change in ({"stack": 8}, {"spill_stores": 4}, {"spill_loads": 4}):
        built = cubin.Built(unit, unit.path, {"relu": good._replace(**change)})
        (problem,) = budget.problems([built])
        assert "activation-float32 for sm_80: relu: " in problem
    built = cubin.Built(unit, unit.path, {"relu": good}, ["ptxas info : (C7510) Potential Performance Loss: wgmma"])
    assert len(budget.problems([built])) == 1


def _shown(*names: str) -> sass.Listing:
    return sass.Listing(sass.Instruction(16 * i, name, "") for i, name in enumerate(names))


def test_machine_code_that_lacks_what_it_was_written_for() -> None:
    def lacking(source: str, kernel: str, dtype: str, *names: str, arch: str = "sm_80") -> list[str]:
        unit = cubin.Unit(source, dtype, arch, (kernel,))
        return [what for what, holds in assembly.expected(unit, kernel).items() if not holds(_shown(*names))]

    large = "matmul<Large, kAlongInner, kAlongInner>"
    full = ("HMMA.16816.F32.BF16", "LDSM.16.M88.4", "LDGSTS.E.BYPASS.128")
    assert lacking("matmul", large, "bfloat16", *full) == []
    assert lacking("matmul", large, "bfloat16", *full[1:]) == ["mma.sync"]
    assert lacking("attention_mma", "forward_64", "float16", full[0]) == ["ldmatrix", "cp.async"]
    wgmma = ("HGMMA.64x256x16.F32.BF16", "UTMALDG.4D")
    assert lacking("matmul_hopper", "matmul_hopper<Wide>", "bfloat16", *wgmma, arch="sm_90a") == []
    assert lacking("matmul_hopper", "matmul_hopper<Wide>", "bfloat16", *full, arch="sm_90a") == ["wgmma", "TMA"]
    assert lacking("activation", "relu", "float32", "LDG.E.128", "STG.E.128") == []
    assert lacking("activation", "relu", "float32", "LDG.E", "STG.E") == ["loads of 16 bytes", "stores of 16 bytes"]
    assert lacking("matmul", large, "float32", "FFMA") != []  # in no loop


def test_operations_and_bytes_of_instructions() -> None:
    def of(name: str, operands: str = "") -> tuple[int, int]:
        each = sass.Instruction(0, name, operands)
        return assembly.flops(each), assembly.shared_bytes(each)

    assert of("FFMA") == (64, 0)
    assert of("HMMA.16816.F32.BF16") == (4096, 0)
    assert of("HMMA.1688.F32.TF32") == (2048, 0)
    assert of("HGMMA.64x256x16.F32.BF16", "R24, gdesc[UR4], R24, gsb0") == (
        2 * 64 * 256 * 16 // 4,
        (64 + 256) * 16 * 2 // 4,
    )
    assert of("LDS.128") == (0, 512)
    assert of("LDS") == (0, 128)
    assert of("LDS.U16") == (0, 64)
    assert of("LDSM.16.MT88.4") == (0, 512)


@needs_nvcc
@needs_cuobjdump
def test_a_source_is_compiled_found_again_and_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(cubin, "FOLDER", tmp_path)
    unit = cubin.Unit("matmul", "bfloat16", "sm_80", ("matmul<Medium, kAlongInner, kAlongInner>", "matmul_sum"))
    built = cubin.build(unit)
    assert not built.failure
    assert built.seconds > 0
    assert set(built.resources) == set(unit.kernels)
    assert built.resources["matmul_sum"].registers > 0
    assert cubin.build(unit).seconds == 0
    seen = assembly.inspect([built])
    assert seen.problems == []
    (tile,) = seen.tiles
    assert tile["instruction"] == "HMMA"
    assert tile["flops"] == 4096 * tile["products"]
    wrong = cubin.Unit("matmul", "bfloat16", "sm_80", ("matmul<Missing, kAlongInner, kAlongInner>",))
    assert "Missing" in cubin.build(wrong).failure


def test_what_is_launched_on_paper_is_not_run() -> None:
    x = np.ones(4, np.float32)
    launches: list[cuda_launch.Launch] = []
    with cuda_launch.launched_by(launches.append):
        backend("cuda").relu(x, out=np.zeros(4, np.float32))
    (launch,) = launches
    assert instances.instance_of(launch) == instances.Instance("activation", "relu", "float32")
    assert not launch.arguments[1].any()
