"""The micro-kernel in every register width that this processor can run, each in a process of its own."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import pytest

from pyneural.kernels import simd

# Shapes with edge tiles, packed and unpacked operands, and every direction of the convolution, in both layouts.
PROGRAM = """
import sys
import numba
import numpy as np
from pyneural import kernels
from pyneural.kernels import accuracy, simd
from pyneural.kernels.matmul import gemm

assert simd.CHOSEN.name == sys.argv[1], simd.CHOSEN
rng = np.random.default_rng(int(sys.argv[2]))
checked = 0
names = ("matmul", "linear", "conv2d", "conv2d_dgrad", "conv2d_wgrad", "conv3d", "conv3d_dgrad", "conv3d_wgrad")
for name in names:
    operation = kernels.OPERATIONS[name]
    for sample in operation.samples(rng, np.dtype(sys.argv[3])):
        report = accuracy.compare(operation, sample, kernels.backend("numba_cpu"))
        assert report.ok, f"{name}, {sample.name}: {report.message}"
        checked += 1
# Rows far apart, sums in several parts.
a, b = rng.standard_normal((41, 600)), rng.standard_normal((600, gemm.WIDE * numba.get_num_threads() + 5))
product = kernels.backend("numba_cpu").matmul(a.astype(sys.argv[3]), b.astype(sys.argv[3]))
np.testing.assert_allclose(product, a @ b, rtol=0, atol=2e-4 if sys.argv[3] == "float32" else 1e-11)
print(checked)
"""


def run(name: str, *arguments: str, program: str = PROGRAM) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYNEURAL_SIMD": name}
    command = [sys.executable, "-c", program, name, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


# The width in use is tested in both dtypes by everything else; compiling the others takes its time.
@pytest.mark.parametrize(
    ("name", "dtype"),
    list(
        zip(
            (name for name in simd.available() if name != simd.CHOSEN.name),
            itertools.cycle(("float32", "float64")),
            strict=False,
        )
    ),
)
def test_every_width_is_right(name: str, dtype: str) -> None:
    seed = os.environ["PYNEURAL_TEST_SEED"]
    finished = run(name, seed, dtype)
    assert finished.returncode == 0, finished.stderr
    assert int(finished.stdout) > 120


def test_an_unknown_width_is_refused() -> None:
    finished = run("sse9", program="from pyneural.kernels import simd")
    assert finished.returncode != 0
    assert "ValueError: PYNEURAL_SIMD (='sse9') must be one of" in finished.stderr
    assert "portable" in finished.stderr


def test_the_portable_width_is_always_there() -> None:
    assert simd.available()[-1] == "portable"
