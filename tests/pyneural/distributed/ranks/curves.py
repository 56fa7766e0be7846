"""Train by the ranks together and print, from rank 0, what tests compare: curves in float64, weights, bytes.

Arguments: the network, and what to do: ``plain``, ``zero``, ``accumulate``, ``half``, and for checkpoints
``save:STEP:FILE`` and ``load:FILE``; the digits are those of ``data:FILE``.
"""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np

import pyneural
from pyneural import Tensor, distributed, functional, nn, optim
from pyneural.data import DataLoader, TensorDataset
from tests.networks import Language

network, seed, *asked = sys.argv[1:]
STEPS, BATCH = 4 if network == "digits" else 8, 16
given = dict(each.split(":", 1) if ":" in each else (each, "") for each in asked)
group = distributed.init(timeout=60.0)
rank, size = group.rank, group.world_size
pyneural.set_default_device("reference")
pyneural.set_default_dtype(np.float64)
rng = np.random.default_rng(int(seed))
# Ranks begin with other weights: those of rank 0 count, as with one rank.
pyneural.manual_seed(distributed.rank_seed(int(seed), rank))

if network == "digits":
    from pyneural.apps import digits

    data = np.load(given["data"])  # which is read once for all processes
    model = digits.build(dropout=0.0, dtype=np.float64)
    distributed.convert_sync_batchnorm(model)
    dataset = TensorDataset(Tensor(data["images"]), Tensor(data["labels"]))
else:
    model = Language(11, 6, 8, 2, 12, 1)
    model.train()
    for each in model.modules():
        if isinstance(each, nn.Dropout):
            each.p = 0.0
        if hasattr(each, "dropout") and isinstance(each.dropout, float):
            each.dropout = 0.0
    drawn = rng.integers(0, 11, (100, 7))
    dataset = TensorDataset(Tensor(drawn[:, :-1]), Tensor(drawn[:, 1:]))

parallel = distributed.DistributedDataParallel(
    model, bucket_cap_mb=0.002, compression="float16" if "half" in given else None
)
if "zero" in given:
    optimizer = distributed.ZeroRedundancyOptimizer(parallel.parameters(), optim.AdamW, lr=0.01)
else:
    optimizer = optim.AdamW(parallel.parameters(), lr=0.01)
sampler = distributed.DistributedSampler(dataset, seed=int(seed), drop_last=True)
loader = DataLoader(dataset, BATCH // size, sampler=sampler, drop_last=True)
parts = {"model": model, "optimizer": optimizer}
losses: list[float] = []
start = 0
if "load" in given:
    start = int(distributed.load_checkpoint(given["load"], **parts)["step"])
save_at, _, file = given.get("save", "0:").partition(":")

group.trace.begin()
step = 0
for epoch in range(99):
    if step >= STEPS:
        break
    sampler.set_epoch(epoch)
    for x, y in loader:
        if step >= STEPS:
            break
        step += 1
        if step <= start:
            continue
        optimizer.zero_grad()
        if "accumulate" in given:
            half = len(x) // 2
            with parallel.no_sync():
                (functional.cross_entropy(parallel(x[:half]), y[:half]) * 0.5).backward()
            loss = functional.cross_entropy(parallel(x[half:]), y[half:])
            (loss * 0.5).backward()
        else:
            with group.trace.span("forward"):
                loss = functional.cross_entropy(parallel(x), y)
            with group.trace.span("backward"):
                loss.backward()
        optimizer.step()
        group.report_step(step)
        mean = np.array([float(loss.detach()) / size])
        group.host.all_reduce(mean, "sum", "loss").wait()
        losses.append(float(mean[0]))
        if step == int(save_at):
            distributed.save_checkpoint(file, **parts, step=step)

weights = b"".join(each.numpy().tobytes() for each in model.state_dict().values())
digests = group.gather_objects(hashlib.sha256(weights).hexdigest())
assert len(set(digests)) == 1, digests
gradients = [each for each in model.parameters() if each.grad is not None]
held = sum(
    value.numel() for entries in optimizer.state.values() for value in entries.values() if hasattr(value, "numel")
)
traces = group.gather_objects(group.trace.events)
if rank == 0:
    flat = np.concatenate([each.numpy().astype(np.float64).ravel() for each in model.state_dict().values()])
    print(
        json.dumps(
            {
                "losses": [each.hex() for each in losses],
                "weights": flat.tolist(),
                "bytes_per_step": parallel.bytes_per_step,
                "theory": sum(each.numel() for each in gradients) * (2 if "half" in given else 8)
                + len(gradients) * (2 if "half" in given else 8),
                "buckets": len(parallel._buckets.buckets),
                "held": held,
                "parameters": sum(each.numel() for each in model.parameters()),
                "events": traces,
            }
        )
    )
