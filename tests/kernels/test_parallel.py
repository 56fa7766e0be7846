"""Kernels from the disk cache, compiled by different processes, beside each other in one."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

PROGRAM = """
import sys
import numpy as np
from pyneural import kernels
numba_cpu = kernels.backend("numba_cpu")
large = np.linspace(1, 2, 20_011)
for name in sys.argv[1:]:
    for x in (large[:10], large):  # the serial and the parallel path
        expected = getattr(kernels.backend("reference"), name)(x)
        np.testing.assert_allclose(getattr(numba_cpu, name)(x), expected, rtol=1e-14, err_msg=name)
"""


def test_kernels_of_several_processes_keep_apart(tmp_path: pathlib.Path) -> None:
    environment = os.environ | {"PYNEURAL_CACHE_DIR": str(tmp_path)}
    for names in (["relu"], ["neg"], ["neg", "relu"], ["exp", "relu", "neg"]):
        subprocess.run([sys.executable, "-c", PROGRAM, *names], check=True, env=environment, timeout=300)
    assert any(path.suffix == ".nbc" for path in tmp_path.rglob("*")), "nothing was cached"
