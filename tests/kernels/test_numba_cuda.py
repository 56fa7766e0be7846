"""What the backend ``numba_cuda`` refuses, in a process without Numba's simulator."""

from __future__ import annotations

import numpy as np
import pytest

from pyneural import kernels
from pyneural.kernels import dtypes, numba_launch

SUBJECT = kernels.backend("numba_cuda")


@pytest.mark.skipif(numba_launch.simulated(), reason="Numba's simulator is on")
def test_host_arrays_need_the_simulator() -> None:
    with pytest.raises(TypeError, match=r"add: got an array of NumPy's of shape \(3,\).*NUMBA_ENABLE_CUDASIM=1"):
        SUBJECT.add(np.ones(3, np.float32), np.ones(3, np.float32))


@pytest.mark.skipif(dtypes.bfloat16 is None, reason="ml_dtypes is not installed")
def test_bfloat16_is_refused_before_anything_runs() -> None:
    x = np.ones(3, dtypes.bfloat16)
    ran: list[numba_launch.Launch] = []
    with numba_launch.launched_by(ran.append):
        with pytest.raises(TypeError, match="exp: the backend 'numba_cuda' computes nothing in bfloat16"):
            SUBJECT.exp(x)
        with pytest.raises(TypeError, match="cat: the backend 'numba_cuda' computes nothing in bfloat16"):
            SUBJECT.cat([x, x], dim=0)
        with pytest.raises(TypeError, match="cast: the backend 'numba_cuda' computes nothing in bfloat16"):
            SUBJECT.cast(np.ones(3, np.float32), dtype=dtypes.bfloat16)
    assert not ran


def test_use_switches_gpus_and_nothing_else() -> None:
    before = kernels.active("cpu"), kernels.active("simulator")
    with kernels.use("numba_cuda") as chosen:
        assert chosen is SUBJECT
        assert kernels.active("cpu") is before[0]
        assert (kernels.active("simulator") is SUBJECT) == numba_launch.simulated()
    assert (kernels.active("cpu"), kernels.active("simulator")) == before
