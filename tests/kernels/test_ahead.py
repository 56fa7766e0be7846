"""Kernels that a second process compiles, last first, while this one begins."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

PROGRAM = """
import pathlib
import sys
import numpy as np
from pyneural import kernels
from pyneural.kernels.ahead import ahead

def step():
    active = kernels.active("cpu")
    active.neg(active.exp(np.ones(3)))

if __name__ == "__main__":
    with ahead(step) as process:
        {inside}
    print(*sorted({{path.name.split("-")[0].split(".")[-1] for path in pathlib.Path(sys.argv[1]).rglob("*.nbc")}}))
"""


def _cached(tmp_path: pathlib.Path, inside: str) -> str:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(inside=inside))
    environment = os.environ | {"PYNEURAL_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, str(program), str(tmp_path / "cache")]
    return subprocess.run(command, check=True, env=environment, timeout=300, stdout=subprocess.PIPE, text=True).stdout


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor: there is no second process")
def test_the_other_process_compiles_what_the_rehearsal_calls(tmp_path: pathlib.Path) -> None:
    cached = _cached(tmp_path, "process.join(); assert process.exitcode == 0")
    assert "exp" in cached
    assert "neg" in cached


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor: there is no second process")
def test_it_ends_with_the_block(tmp_path: pathlib.Path) -> None:
    cached = _cached(tmp_path, "assert process.is_alive()")
    assert "exp" not in cached  # the last comes first, and there was no time for it
