"""NCCL by one rank: every collective, and a data-parallel training step, against the same without it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import numpy as np

from .run import Findings, stages

for _name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "RANK"):
    os.environ.pop(_name, None)  # one rank, whatever this was started by


def collectives() -> None:
    import pyneural
    from pyneural import distributed

    rng = np.random.default_rng(0)
    for dtype in (np.float64, np.float32, np.float16, pyneural.bfloat16, np.int64):
        values = rng.integers(-4, 5, (3, 5)).astype(dtype)
        for op in ("sum", "product", "max", "min"):
            x = pyneural.Tensor(values, device="cuda")
            np.testing.assert_array_equal(distributed.all_reduce(x, op).cpu().numpy(), values)
            np.testing.assert_array_equal(distributed.reduce_scatter(x, op).cpu().numpy(), values)
        x = pyneural.Tensor(values, device="cuda")
        np.testing.assert_array_equal(distributed.broadcast(x).cpu().numpy(), values)
        np.testing.assert_array_equal(distributed.all_gather(x).cpu().numpy(), values[None])


def training() -> None:
    import pyneural
    from pyneural import Tensor, distributed, nn, optim
    from pyneural.functional import mse_loss

    rng = np.random.default_rng(0)
    x, y = (Tensor(rng.standard_normal((32, n)).astype(np.float32), device="cuda") for n in (64, 10))
    weights = []
    for parallel in (False, True):
        pyneural.manual_seed(1)
        model: nn.Module = nn.Sequential(nn.Linear(64, 48, device="cuda"), nn.Tanh(), nn.Linear(48, 10, device="cuda"))
        if parallel:
            model = distributed.DistributedDataParallel(model, bucket_cap_mb=0.005)
        optimizer = optim.Adam(model.parameters(), 0.01)
        for _ in range(3):
            optimizer.zero_grad()
            mse_loss(model(x), y).backward()
            optimizer.step()
        weights.append([each.detach().cpu().numpy() for each in model.parameters()])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


STAGES: tuple[Callable[[], None], ...] = (collectives, training)


def main() -> int:
    from pyneural import distributed
    from pyneural.distributed import nccl

    findings = Findings()
    try:
        findings.set("nccl", nccl.module().get_version())
    except ImportError as error:
        findings.set("skipped", str(error))
        print(error)
        return 0
    distributed.init()
    return stages(STAGES, findings)


if __name__ == "__main__":
    sys.exit(main())
