"""Every kernel of ``numba_cuda``, compiled for GPUs as the contracts' samples launch it; none is needed for that."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pyneural.kernels import FAMILIES, OPERATIONS, accuracy, backend, dtypes, numba_launch
from pyneural.kernels.numba_launch import Launch


def _toolkit() -> Path | None:
    """The folder of a CUDA toolkit with the compiler's library."""
    nvcc = shutil.which("nvcc")
    places = [Path(os.environ.get("CUDA_HOME", "/usr/local/cuda")), Path("/usr/local/cuda")]
    places += [] if nvcc is None else [Path(nvcc).resolve().parents[1]]
    return next((each for each in places if (each / "nvvm").is_dir()), None)


TOOLKIT = _toolkit()

pytestmark = [
    pytest.mark.numba_cuda,
    pytest.mark.skipif(os.environ.get("NUMBA_ENABLE_CUDASIM") == "1", reason="the simulator compiles nothing"),
    pytest.mark.skipif(TOOLKIT is None, reason="no CUDA toolkit with its nvvm folder"),
]

SUBJECT = backend("numba_cuda")
LARGEST = 4096  # elements of a call: the reference computes nothing here, but samples are copied
TARGETS = ((8, 0), (9, 0))
# A compilation takes a third of a second. float64 has float32's kernels, and the integers one another's.
DTYPES = (dtypes.float32, dtypes.float16, dtypes.int64, dtypes.bool_)


@pytest.fixture(autouse=True)
def without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba looks for the compiler's library where the variable says, and compiles device functions for a device."""
    from numba.cuda import dispatcher

    monkeypatch.setenv("CUDA_HOME", str(TOOLKIT))
    monkeypatch.setattr(dispatcher, "get_current_device", lambda: SimpleNamespace(compute_capability=TARGETS[0]))


@pytest.mark.parametrize("family", FAMILIES)
def test_compiles(family: str, rng: np.random.Generator) -> None:
    import numba
    from numba import cuda

    compiled: set[tuple[object, ...]] = set()
    dtype = DTYPES[0]

    def compile_only(launch: Launch) -> None:
        types = tuple(numba.typeof(each) for each in launch.arguments)
        key = (launch.kernel, types)
        if key in compiled:
            return
        # What a target changes it changes for every type.
        for target in TARGETS if dtype == dtypes.float32 else TARGETS[:1]:
            ptx, _ = cuda.compile_ptx(launch.kernel.function, types, cc=target)
            assert f".target sm_{target[0]}{target[1]}" in ptx
            assert ".visible .entry" in ptx
        compiled.add(key)

    operations = [each for each in OPERATIONS.values() if each.family == family and SUBJECT.has(each)]
    with numba_launch.launched_by(compile_only):
        for operation in operations:
            for dtype in set(DTYPES) & set(operation.dtypes):
                for sample in operation.samples(rng, dtype):
                    arrays = accuracy._flat((*sample.args, *sample.kwargs.values()))
                    if sum(each.size for each in arrays) > LARGEST or any(
                        dtypes.bfloat16 in (each.dtype, sample.kwargs.get("dtype")) for each in arrays
                    ):
                        continue
                    accuracy.evaluate(operation, sample, SUBJECT)
    assert compiled or not operations
