"""`pyneural run`, `pyneural sanitize`, `pyneural profile`: what they print, and their exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pyneural.cli import app
from pyneural.cli.console import console

KERNELS = """
__global__ void shift(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i + 1];
}
#ifndef STRIDE
#define STRIDE 2
#endif
__global__ void strided(const float* x, float* y) {
  y[threadIdx.x] = x[threadIdx.x * STRIDE];
}
template <int N> __global__ void fill(float* y) { y[threadIdx.x] = N; }
__global__ void endless(volatile int* flag) {
  while (*flag == 0) {}
}
__global__ void pooled(float* y) {
  extern __shared__ float pool[];
  pool[threadIdx.x] = 1;
  y[threadIdx.x] = pool[threadIdx.x];
}
"""

PROGRAM = r"""
#include <cstdio>
#include <cstdlib>
__global__ void ones(int* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] = 1;
}
int main(int argc, char** argv) {
  int n = 64, sum = 0, host[64], *x;
  cudaMalloc(&x, n * sizeof(int));
  cudaMemset(x, 0, n * sizeof(int));
  ones<<<2, 64>>>(x, argc > 1 ? atoi(argv[1]) : n);
  if (cudaMemcpy(host, x, sizeof(host), cudaMemcpyDeviceToHost) != cudaSuccess) return 4;
  for (int i = 0; i < n; ++i) sum += host[i];
  printf("sum %d of %d arguments\n", sum, argc - 1);
  return argc > 2 ? 3 : 0;
}
"""


def _run(*arguments: Any) -> Any:
    console.width = 160  # the console took its width when it was imported
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kernels") / "kernels.cu"
    path.write_text(KERNELS)
    return path


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "program.cu"
    path.write_text(PROGRAM)
    return path


def test_sanitize_finds(kernels: Path) -> None:
    done = _run(
        "sanitize", kernels, "--kernel", "shift", "--grid", 2, "--block", 32, "--args", "rand(64), zeros(64), 64"
    )
    assert done.exit_code == 1
    assert "out_of_bounds" in done.output
    assert "x[64], 4 bytes past the end of its 64 elements" in done.output
    assert "4 >   if (i < n) y[i] = x[i + 1];   <-- out_of_bounds" in done.output


def test_sanitize_without_findings(kernels: Path) -> None:
    done = _run(
        "sanitize", kernels, "--kernel", "shift", "--grid", 2, "--block", 32, "--args", "rand(65), zeros(64), 64"
    )
    assert (done.exit_code, done.output) == (0, "no findings\n")


def test_sanitize_as_json(kernels: Path) -> None:
    done = _run(
        "sanitize",
        kernels,
        "--kernel",
        "shift",
        "--block",
        4,
        "--args",
        "rand(4), empty(4), 4",
        "--json",
        "--schedule",
        3,
    )
    assert done.exit_code == 1
    found = json.loads(done.output)
    assert found["kernel"] == "shift"
    (finding,) = found["findings"]
    assert (finding["kind"], finding["line"], finding["array"], finding["index"]) == ("out_of_bounds", 4, "x", 4)


def test_a_hang_is_a_finding(kernels: Path) -> None:
    done = _run("sanitize", kernels, "--kernel", "endless", "--args", "zeros(1)", "--timeout", 0.3)
    assert done.exit_code == 1
    assert "hang" in done.output


def test_templates_and_shared_memory(kernels: Path) -> None:
    assert _run("sanitize", kernels, "--kernel", "fill<3>", "--args", "empty(32)").exit_code == 0
    assert _run("sanitize", kernels, "--kernel", "pooled", "--shared", 128, "--args", "empty(32)").exit_code == 0
    assert _run("sanitize", kernels, "--kernel", "pooled", "--shared", 124, "--args", "empty(32)").exit_code == 1


def test_profile(kernels: Path) -> None:
    done = _run("profile", kernels, "--kernel", "strided", "--args", "rand(64), zeros(32)")
    assert done.exit_code == 0, done.output
    assert "ld 8 sect/req, st 4 sect/req |   y[threadIdx.x] = x[threadIdx.x * STRIDE];" in done.output
    total = next(line for line in done.output.split("\n") if "total" in line)
    assert [cell.strip() for cell in total.split("│")[1:-1]] == ["total", "1", "8", "1", "4", "32"]


def test_profile_with_a_macro_as_json(kernels: Path) -> None:
    done = _run("profile", kernels, "--kernel", "strided", "--args", "rand(1024), zeros(32)", "-DSTRIDE=32", "--json")
    assert done.exit_code == 0, done.output
    shown = json.loads(done.output)
    assert shown["total"]["global_load_sectors_per_request"] == 32
    assert shown["lines"][str(kernels)]["10"]["global_load_requests"] == 1


def test_run(program: Path) -> None:
    command = [sys.executable, "-c", "from pyneural.cli import main; main()", "run", str(program), "10"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "160"})
    assert done.returncode == 0, done
    assert done.stdout == "sum 10 of 1 arguments\n"


def test_run_with_the_exit_code_of_the_program(program: Path) -> None:
    done = _run("run", program, "64", "-x", "--json")
    assert done.exit_code == 3
    assert json.loads(done.output) == {"returncode": 3, "stdout": "sum 64 of 2 arguments\n", "stderr": ""}


def test_run_sanitized(program: Path) -> None:
    assert _run("run", program, "--sanitize").exit_code == 0
    done = _run("run", program, "70", "--sanitize")
    assert done.exit_code == 1
    assert "x[64]" in done.output
    assert "6 >   if (i < n) x[i] = 1;" in done.output


def test_run_sanitized_as_json(program: Path) -> None:
    done = _run("run", "--json", "--sanitize", program, "70")
    assert done.exit_code == 1
    assert [f["kind"] for f in json.loads(done.output)["findings"]] == ["out_of_bounds"]


def test_run_profiled(program: Path) -> None:
    done = _run("run", program, "--profile")
    assert done.exit_code == 0, done.output
    assert "st 4 sect/req |   if (i < n) x[i] = 1;" in done.output
    profile = json.loads(_run("run", program, "--profile", "--json").output)["profile"]
    assert profile["total"]["global_store_requests"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "nowhere.cu"], 2, "there is no file nowhere.cu"),
        (["run", "PROGRAM", "--sanitize", "--profile"], 2, "--sanitize and --profile are two runs; choose one"),
        (["run", "PROGRAM", "--timeout", "0"], 2, "--timeout (=0.0) must be positive"),
        (["run", "KERNELS"], 1, "the program has no function `int main`"),
        (["run", "PROGRAM", "-D", "argc=5"], 1, "program.cu:"),
        (["run", "PROGRAM", "--option=-std=c++98"], 1, "error: "),
        (["sanitize", "KERNELS"], 2, "--kernel must choose one of shift, strided, fill, endless, pooled"),
        (["sanitize", "KERNELS", "--kernel", "shaft"], 2, "has no kernel 'shaft'; it has: shift"),
        (["sanitize", "KERNELS", "--kernel", "fill"], 2, "name an instance, such as fill<128>"),
        (["sanitize", "KERNELS", "--kernel", "shift"], 2, "shift: takes 3 arguments"),
        (["sanitize", "KERNELS", "--kernel", "shift", "--args", "noise(3)"], 2, "--args: 'noise' makes no array"),
        (["sanitize", "KERNELS", "--kernel", "shift", "--grid", "x"], 2, "--grid: 'x' is not one to three integers"),
        (["profile", "KERNELS", "--kernel", "fill<1>", "--block", "0", "--args", "ones(1)"], 2, "must be positive"),
        (["profile", "KERNELS", "--kernel", "fill<1>", "--block", "2048", "--args", "ones(1)"], 2, "1024"),
        (["profile", "KERNELS", "--kernel", "fill<x>", "--args", "ones(1)"], 1, "x"),
        (["profile", "KERNELS", "--kernel", "fill<1>", "--args", "ones(1, dtype=int8)"], 2, "float32, got int8"),
    ],
)  # fmt: skip
def test_wrong_usage(kernels: Path, program: Path, arguments: list[str], code: int, message: str) -> None:
    names = {"KERNELS": str(kernels), "PROGRAM": str(program)}
    done = _run(*(names.get(each, each) for each in arguments))
    assert done.exit_code == code, done.output
    assert message in done.output
    assert done.output.startswith("error: ")
