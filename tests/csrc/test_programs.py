"""Whole programs in the styles of courses and samples: each checks its own results and prints PASS."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pyneural import cuda

HERE = Path(__file__).parent
PROGRAMS = sorted((HERE / "programs").glob("*.cu"))
INCLUDE = HERE.parents[1] / "csrc" / "include"
SOURCES = [*PROGRAMS, *sorted((HERE / "kernels").glob("*.cu"))]


def name(path: Path) -> str:
    return path.stem


def test_there_are_enough() -> None:
    assert len(PROGRAMS) >= 15


@pytest.mark.parametrize("path", PROGRAMS, ids=name)
def test_passes(path: Path) -> None:
    result = cuda.run(path, timeout=120)
    assert (result.returncode, result.stdout.rstrip().split("\n")[-1], result.stderr) == (0, "PASS", ""), result


@pytest.mark.parametrize("path", PROGRAMS, ids=name)
def test_passes_checked_and_without_findings(path: Path) -> None:
    result = cuda.run(path, sanitize=True, timeout=120)
    assert result.report is not None
    assert result.report.ok, result.report
    assert (result.returncode, result.stdout.rstrip().split("\n")[-1]) == (0, "PASS"), result


@pytest.mark.parametrize("schedule", [1, 2])
@pytest.mark.parametrize("path", PROGRAMS, ids=name)
def test_passes_in_any_order_of_blocks_and_lanes(path: Path, schedule: int) -> None:
    result = cuda.run(path, schedule=schedule, timeout=120)
    assert result.returncode == 0, result


def test_arguments_reach_the_program() -> None:
    path = HERE / "programs" / "matmul_tiled.cu"
    result = cuda.run(path, ["5", "33", "17"])
    assert result.stdout == "5 x 33 x 17 on a (3, 1) grid\nPASS\n"
    wrong = cuda.run(path, ["5"])
    assert (wrong.returncode, "usage:" in wrong.stderr) == (2, True)


def test_profile_of_a_program() -> None:
    profile = cuda.run(HERE / "programs" / "vector_add.cu", profile=True).profile
    assert profile is not None
    # 5000 floats are 156 whole warps, with 4 sectors each, and 8 lanes more, with one.
    total = {
        kind: (profile.total[f"{kind}_requests"], profile.total[f"{kind}_sectors"])
        for kind in ("global_load", "global_store")
    }
    assert total == {"global_load": (314, 2 * 625), "global_store": (157, 625)}


@pytest.mark.slow
@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_nvcc_compiles_the_same_source(path: Path, tmp_path: Path) -> None:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("nvcc is not installed")
    arch = "90a" if "wgmma" in path.read_text() else "80"
    target = f"arch=compute_{arch},code=sm_{arch}"
    command = [nvcc, "-gencode", target, "-std=c++17", f"-I{INCLUDE}", "-c", str(path), "-o", str(tmp_path / "object")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "curand.h: No such file" in done.stderr:
        pytest.skip("cuRAND, which is not part of nvcc, is not installed")
    assert done.returncode == 0, done.stderr
