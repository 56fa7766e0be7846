"""Every collective in every dtype on this rank, held against NumPy on the inputs of all ranks; and the errors."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, distributed
from pyneural.kernels import dtypes

group = distributed.init(timeout=60.0)
rank, size = group.rank, group.world_size
rng = np.random.default_rng(int(os.environ["PYNEURAL_TEST_SEED"]))

COMBINE = {"sum": np.add, "mean": np.add, "product": np.multiply, "max": np.maximum, "min": np.minimum}
SHAPES = [(), (1,), (0, 3), (7,), (4, 5), (2, 3, 4)]


def drawn(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """(size, ...): an array for each rank."""
    values = rng.integers(-3, 4, (size, *shape)) if dtype.kind in "iub" else rng.standard_normal((size, *shape))
    return (np.abs(values) if dtype.kind == "u" else values).astype(dtype)


def refused(kind: type[Exception], pattern: str, call) -> None:
    with pytest.raises(kind, match=pattern):
        call()


checked = 0
for device, dtype, shape in itertools.product(("reference", "cpu"), dtypes.ALL, SHAPES):
    if device == "cpu" and dtype not in (dtypes.float32, dtypes.float64):
        continue
    everyone = drawn(shape, dtype)

    def mine(everyone: np.ndarray = everyone, device: str = device) -> Tensor:
        return Tensor(everyone[rank], device=device)

    source = int(rng.integers(size))
    received = mine()
    assert distributed.broadcast(received, source) is received
    np.testing.assert_array_equal(received.numpy(), everyone[source])
    gathered = distributed.all_gather(mine())
    assert gathered.dtype == dtype
    assert gathered.device is pyneural.device(device)
    np.testing.assert_array_equal(gathered.numpy(), everyone)
    for op, combine in COMBINE.items():
        if dtype == dtypes.bool_ or (op == "mean" and not dtypes.is_floating(dtype)):
            refused(
                TypeError, f"all_reduce: there is no {op} of {dtype}", lambda op=op: distributed.all_reduce(mine(), op)
            )
            continue
        wide = np.float64 if dtypes.is_floating(dtype) else dtype
        expected = combine.reduce(everyone.astype(wide), axis=0)
        expected = expected / size if op == "mean" else expected
        eps = {2: 1e-2, 4: 1e-6}.get(dtype.itemsize, 1e-13) if dtypes.is_floating(dtype) else 0.0
        scale = np.abs(everyone.astype(wide)).sum(axis=0) if dtypes.is_floating(dtype) else 0
        result = distributed.all_reduce(mine(), op).numpy().astype(wide)
        np.testing.assert_array_less(np.abs(result - expected), eps * (scale + 1.0) * 4 + (eps == 0.0))
        if shape and shape[0]:
            rows = np.concatenate([everyone] * size, axis=1)  # (size, size * n, ...)
            part = distributed.reduce_scatter(Tensor(rows[rank], device=device), op)
            assert part.shape == shape
            np.testing.assert_array_less(
                np.abs(part.numpy().astype(wide) - expected), eps * (scale + 1.0) * 4 + (eps == 0.0)
            )
        checked += 1
assert checked > 100

# Parts of a reduce_scatter are the ranks' own.
rows = drawn((3 * size, 2), dtypes.float64)
part = distributed.reduce_scatter(Tensor(rows[rank], device="reference"))
np.testing.assert_allclose(part.numpy(), rows.sum(axis=0)[3 * rank : 3 * rank + 3], rtol=1e-12, atol=1e-12)

# A NaN of one rank is a NaN for all; every rank has the same bits.
for op in ("sum", "max", "min"):
    values = np.arange(4.0) + rank
    values[rank % 4] = np.nan
    result = distributed.all_reduce(Tensor(values, dtype=np.float64, device="reference"), op).numpy()
    assert np.isnan(result[: min(size, 4)]).all()
same = distributed.all_reduce(Tensor(rng.standard_normal((size, 1000))[rank], device="reference"))
digests = distributed.all_gather(Tensor(np.frombuffer(same.numpy().tobytes(), np.uint8), device="reference")).numpy()
assert (digests == digests[0]).all()

# A view, not contiguous: in place as well; what a graph saved of it is stale.
base = Tensor(np.zeros((4, 6)), device="reference")
view = base.T[1:4]
view.add_(float(rank + 1))
version = base._version[0]
distributed.all_reduce(view)
total = size * (size + 1) / 2
np.testing.assert_array_equal(base.numpy()[:, 1:4], total)
np.testing.assert_array_equal(base.numpy()[:, [0, 4, 5]], 0.0)
assert base._version[0] > version

# Wrong calls: all ranks raise, and afterwards all go on.
if size > 1:
    odd = rank == size - 1
    refused(
        ValueError,
        r"all_reduce: the ranks differ: rank 0 has float32 \(3,\) on reference.* rank \d+ has float32 \(4,\)",
        lambda: distributed.all_reduce(Tensor(np.zeros(4 if odd else 3, np.float32), device="reference")),
    )
    refused(
        ValueError,
        r"broadcast: the ranks differ: rank 0 has float32 .* rank \d+ has float64",
        lambda: distributed.broadcast(Tensor(np.zeros(3, np.float64 if odd else np.float32), device="reference")),
    )
    refused(
        ValueError,
        r"all_gather: the ranks differ: rank 0 has .* on reference.* rank \d+ has .* on cpu",
        lambda: distributed.all_gather(Tensor(np.zeros(3), device="cpu" if odd else "reference")),
    )
    refused(
        ValueError,
        r"all_reduce: the ranks differ: .*op='sum'.*op='max'",
        lambda: distributed.all_reduce(Tensor(np.zeros(3), device="reference"), "max" if odd else "sum"),
    )
    call = distributed.broadcast if odd else distributed.all_gather
    refused(
        ValueError,
        "the ranks differ: .*collective='all_gather'.*collective='broadcast'",
        lambda: call(Tensor(np.zeros(3), device="reference")),
    )
    refused(
        ValueError,
        rf"reduce_scatter: the first dimension of shape \({size + 1},\) cannot be divided by {size} ranks",
        lambda: distributed.reduce_scatter(Tensor(np.zeros(size + 1), device="reference")),
    )
refused(
    ValueError,
    rf"broadcast: src \(={size}\) must be one of the ranks 0 to {size - 1}",
    lambda: distributed.broadcast(Tensor(np.zeros(1)), size),
)
refused(
    ValueError,
    r"all_reduce: op \(='median'\) is none of sum, mean",
    lambda: distributed.all_reduce(Tensor(np.zeros(1)), "median"),
)
refused(TypeError, "all_reduce: takes a tensor, not list", lambda: distributed.all_reduce([1.0]))
distributed.barrier()
assert group.broadcast_object({"of": rank}, size - 1) == {"of": size - 1}
assert group.gather_objects("x" * rank) == ["x" * each for each in range(size)]
assert group.broadcast_bytes(None if rank == 0 else b"no") is None
assert group.broadcast_bytes(bytes([rank]) * 3, size - 1) == bytes([size - 1]) * 3
print(f"rank {rank} of {size}: {checked} reductions", flush=True)
