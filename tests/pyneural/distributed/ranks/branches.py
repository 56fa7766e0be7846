"""Ranks whose graphs differ: what data parallel training makes of it, against the mean by hand."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, distributed, nn, optim

group = distributed.init(timeout=30.0)
rank, size = group.rank, group.world_size
pyneural.set_default_device("reference")
pyneural.set_default_dtype(np.float64)
rng = np.random.default_rng(int(sys.argv[1]))

# Other shapes, other names, another dtype: all ranks raise before anything is sent.
odd = rank == size - 1
for module in (
    nn.Linear(3, 5 if odd else 4),
    nn.Sequential(nn.Linear(3, 4)) if odd else nn.Linear(3, 4),
    nn.Linear(3, 4, dtype=np.float32 if odd else np.float64),
):
    with pytest.raises(ValueError, match=r"DistributedDataParallel: the ranks differ: rank 0 has .* rank 2 has "):
        distributed.DistributedDataParallel(module)
with pytest.raises(ValueError, match=r"ZeroRedundancyOptimizer: the ranks differ"):
    distributed.ZeroRedundancyOptimizer(nn.Linear(3, 5 if odd else 4).parameters(), optim.SGD, lr=0.1)

values = rng.standard_normal((size, 4))  # what each rank multiplies with


class Branches(nn.Module):
    """Parameter a on every rank, b and c on some, d on none; each rank begins with other weights."""

    def __init__(self) -> None:
        super().__init__()
        for name in "abcd":
            setattr(self, name, nn.Parameter(Tensor(np.full(4, 1.0 + rank))))

    def forward(self, x: Tensor) -> Tensor:
        if rank == 0:
            return (self.b * x).sum() + (self.a * x).sum()
        if rank == 1:
            return (self.a * x).sum() + (self.c * x).sum() + (self.b * x * 2.0).sum()
        return (self.a * x).sum()


model = Branches()
parallel = distributed.DistributedDataParallel(model, bucket_cap_mb=1e-5)
assert all((each.detach().numpy() == 1.0).all() for each in parallel.parameters())
expected = {
    "a": values.mean(axis=0),
    "b": (values[0] + 2.0 * values[1]) / size,
    "c": values[1] / size,
}
x = Tensor(values[rank])


def check(times: float) -> None:
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(model, name).grad.numpy(), times * value, rtol=1e-12)
    assert model.d.grad is None


for _ in range(3):  # after the first backward the buckets are arranged anew
    parallel.zero_grad()
    parallel(x).backward()
    check(1.0)
# What is added to means stays a mean.
parallel(x).backward()
check(2.0)
parallel.zero_grad()
with parallel.no_sync():
    parallel(x).backward()
    for name in expected:
        grad = getattr(model, name).grad
        assert grad is None or not np.allclose(grad.numpy(), expected[name])
    parallel(x).backward()
parallel(x).backward()
check(3.0)
# A backward that fails on all ranks leaves nothing behind.
handle = model.a.register_hook(lambda _: 1 / 0)
with pytest.raises(ZeroDivisionError):
    parallel(x).backward()
handle.remove()
distributed.barrier()
parallel.zero_grad()
parallel(x).backward()
check(1.0)
print(f"rank {rank} is content", flush=True)
