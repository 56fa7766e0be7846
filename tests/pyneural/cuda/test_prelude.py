"""The header that every kernel begins with, parsed beforehand."""

from __future__ import annotations

import pathlib
import subprocess
from collections.abc import Iterator

import numpy as np
import pytest

from pyneural import cuda
from pyneural.cuda import toolchain

SOURCE = """
#include <cuda_runtime.h>
#include "cuda_fp16.h"
__global__ void kernel(float* x) { x[threadIdx.x] = __CUDA_ARCH__ + BASE; }
"""


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """With the simulator's library in it, which takes long to compile."""
    if not toolchain.compiler().gnu:
        pytest.skip("only g++ reads a header that was parsed beforehand")
    library = toolchain.runtime_library()
    monkeypatch.setattr(toolchain, "runtime_library", lambda: library)
    monkeypatch.setenv("PYNEURAL_CACHE_DIR", str(tmp_path))
    prelude = toolchain._prelude
    prelude.cache_clear()
    yield
    prelude.cache_clear()


def _parsed(folder: pathlib.Path) -> int:
    return len(list(folder.rglob("cuda_runtime.h.gch")))


def _run(*options: str) -> float:
    x = np.zeros(4, np.float32)
    cuda.compile(SOURCE, "simulator", options=["-DBASE=3", *options])["kernel"][1, 4](x)
    assert len(set(x)) == 1
    return float(x[0])


def test_one_for_each_architecture_and_standard(tmp_path: pathlib.Path) -> None:
    for count, (options, architecture) in enumerate([((), 800), (("-std=c++20", "-arch=sm_90"), 900)], 1):
        assert _run(*options) == architecture + 3
        assert _parsed(tmp_path) == count
    assert _run("-DOTHER=1") == 803
    assert _parsed(tmp_path) == 2


def test_other_options_read_the_text(tmp_path: pathlib.Path) -> None:
    assert _run("-fshort-enums", "-funsigned-char") == 803


def test_a_compiler_that_cannot_map_it_reads_the_text(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    run = toolchain._run

    def taken(command: list[str]) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        if any(each.endswith("prelude-x/cuda_runtime.h") for each in command):
            return subprocess.CompletedProcess(command, 1, "", "cc1plus: fatal error: had to relocate PCH")
        return run(command)

    monkeypatch.setattr(toolchain, "_run", taken)
    monkeypatch.setattr(toolchain, "_prelude", lambda *_: "/prelude-x/cuda_runtime.h")
    assert _run() == 803
    assert [each[each.index("-include") + 1] for each in commands if "-include" in each] == [
        "/prelude-x/cuda_runtime.h",
        "cuda_runtime.h",
    ]
