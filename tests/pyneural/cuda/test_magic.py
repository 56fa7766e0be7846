"""The cell magic `%%cuda` in a shell of IPython's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pyneural import cuda

interactiveshell = pytest.importorskip("IPython.core.interactiveshell", reason="IPython is not installed")

SAXPY = """__global__ void saxpy(float a, const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += a * x[i];
}
template <int N> __global__ void fill(float* y) { y[threadIdx.x] = N; }"""
ONE = "__global__ void past(float* x) { x[threadIdx.x] = 1; }"
MAIN = '#include <cstdio>\nint main(int n, char** v) { printf("%d %s\\n", n, v[n - 1]); return n - 2; }'


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    # IPython puts its own module in the place of __main__, from which no process could be spawned later.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    shell = interactiveshell.InteractiveShell.instance()
    shell.user_ns.clear()
    shell.run_line_magic("load_ext", "pyneural.cuda.magic")
    yield shell
    shell.run_line_magic("unload_ext", "pyneural.cuda.magic")
    interactiveshell.InteractiveShell.clear_instance()


def test_kernels_become_a_variable(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell_magic("cuda", "--module kernels", SAXPY)
    assert capsys.readouterr().out == 'saxpy(float a, const float* x, float* y, int n)\nkernels["fill"]\n'
    y = np.zeros(8, np.float32)
    shell.user_ns["kernels"]["fill<3>"][1, 8](y)
    np.testing.assert_array_equal(y, 3)


def test_a_launch_with_variables_of_the_notebook(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.user_ns |= {"x": np.ones(70, np.float32), "y": np.ones(70, np.float32), "n": 70}
    shell.run_cell_magic("cuda", '--kernel saxpy --grid 3 --block 32 --args "2.0, x, y, n"', SAXPY)
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(shell.user_ns["y"], 3)


def test_sanitize(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell_magic("cuda", '--sanitize --block 32 --args "zeros(31)"', ONE)
    shown = capsys.readouterr().out
    assert "out_of_bounds" in shown
    assert f"1 > {ONE}   <-- out_of_bounds" in shown
    report = shell.user_ns["_report"]
    assert isinstance(report, cuda.Report)
    assert report.findings[0].index == 31


def test_profile(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell_magic("cuda", '--profile --block 32 --args "zeros(32)"', ONE)
    assert f"st 4 sect/req | {ONE}" in capsys.readouterr().out
    assert shell.user_ns["_profile"].total["global_store_requests"] == 1


def test_a_program(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell_magic("cuda", "hello", MAIN)
    assert capsys.readouterr().out == "2 hello\n"
    shell.run_cell_magic("cuda", "--sanitize a b", MAIN)
    assert capsys.readouterr().out == "3 b\nexit code 1\nno findings\n"


@pytest.mark.parametrize(
    ("line", "cell", "message"),
    [
        ("", "__global__ void k() { nothing; }", "CompileError: <source>:1: error: "),
        ("--sanitise", ONE, "Usage: unrecognized arguments: --sanitise"),
        ("--sanitize --profile", ONE, "Usage: --sanitize and --profile are two runs"),
        ("--block 32", SAXPY, "Usage: --kernel must choose one of saxpy, fill"),
        ("--kernel none --block 32", SAXPY, "Usage: <source> has no kernel 'none'"),
        ("--block 32", ONE, "TypeError: past: takes 1 arguments (float* x), got 0"),
        ("--block 32 --args nowhere", ONE, "ValueError: 'nowhere' is not known"),
        ("--block 1,x --args zeros(1)", ONE, "ValueError: '1,x' is not one to three integers"),
        ("--block 32 --args None", ONE, "LaunchError: past: "),
    ],
)
def test_mistakes(shell: Any, capsys: pytest.CaptureFixture[str], line: str, cell: str, message: str) -> None:
    shell.run_cell_magic("cuda", line, cell)
    assert capsys.readouterr().out.startswith(message)
