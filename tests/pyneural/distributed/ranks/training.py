"""A training of STEPS steps with a checkpoint after each: it goes on from one that is there.

Arguments: folder, seed, and a step before which it waits for its end on one rank ("hang:STEP:RANK") or fails there
("fail:STEP:RANK").
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

import pyneural
from pyneural import Tensor, distributed, nn, optim
from pyneural.functional import mse_loss

STEPS = 40
folder, seed = Path(sys.argv[1]), int(sys.argv[2])
mode, at, who = (sys.argv[3] if len(sys.argv) > 3 else ":-1:-1").split(":")
group = distributed.init(timeout=2.0 if mode == "late" else 60.0)
(folder / f"pid-{group.rank}").write_text(str(os.getpid()))
pyneural.set_default_device("reference")
pyneural.manual_seed(seed)
model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, 3))
parallel = distributed.DistributedDataParallel(model)
optimizer = distributed.ZeroRedundancyOptimizer(model.parameters(), optim.AdamW, lr=0.01)
parts = {"model": model, "optimizer": optimizer, "generator": pyneural.random.default_generator}
state, start = folder / "state.safetensors", 0
if group.broadcast_object(state.exists()):
    start = int(distributed.load_checkpoint(state, **parts)["step"])
data = np.random.default_rng(seed)
x, y = data.standard_normal((STEPS, 8, 6)), data.standard_normal((STEPS, 8, 3))
for step in range(start, STEPS):
    if step == int(at) and group.rank == int(who):
        if mode == "fail":
            raise ArithmeticError(f"wrong on purpose at {step}")
        time.sleep(600.0)
    share = slice(group.rank, None, group.world_size)
    optimizer.zero_grad()
    with distributed.own_random(pyneural.random.default_generator):
        loss = mse_loss(parallel(Tensor(x[step, share], dtype=np.float32)), Tensor(y[step, share], dtype=np.float32))
    loss.backward()
    optimizer.step()
    group.report_step(step + 1)
    distributed.save_checkpoint(state, **parts, step=step + 1)
    if group.rank == 0:
        (folder / "step").write_text(str(step + 1))
optimizer.consolidate_state_dict()
if group.rank == 0:
    pyneural.io.save_checkpoint(folder / "end.safetensors", **parts)
