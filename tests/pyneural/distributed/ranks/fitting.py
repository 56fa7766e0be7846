"""The applications' training loop on these ranks; rank 0 prints the history and the weights.

Arguments: seed, checkpoint file, the step after which everybody leaves (0: none), "zero" or "plain".
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import pyneural
from pyneural import Tensor, distributed, nn
from pyneural.apps.ranks import Options
from pyneural.apps.training import Checkpoint, Progress, fit
from pyneural.data import TensorDataset
from pyneural.functional import mse_loss

seed, path, leave, kind = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
group = distributed.init(timeout=60.0)
pyneural.set_default_device("reference")
pyneural.set_default_dtype(np.float64)
data = np.random.default_rng(seed)
x, y = Tensor(data.standard_normal((45, 5))), Tensor(data.standard_normal((45, 2)))
held_out = Tensor(data.standard_normal((20, 5))), Tensor(data.standard_normal((20, 2)))
pyneural.manual_seed(seed)
model = nn.Sequential(nn.Linear(5, 9), nn.Tanh(), nn.Linear(9, 2))


def step(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, float]:
    loss = mse_loss(model(batch[0]), batch[1])
    return loss, float(loss.detach()) * len(batch[0])


def after(at: Progress) -> None:
    if leave and at.step > leave:
        sys.exit(0)


history, _ = fit(
    model,
    TensorDataset(x, y),
    step,
    epochs=4,
    batch_size=8,
    lr=0.05,
    on_step=after,
    validate=lambda: float(mse_loss(model(held_out[0]), held_out[1])),
    checkpoint=Checkpoint(path, {"app": "x"}, 0.0),
    ranks=Options(zero=kind == "zero"),
)
if group.rank == 0:
    weights = np.concatenate([each.detach().numpy().ravel() for each in model.parameters()])
    print(
        json.dumps(
            {
                "losses": history.losses,
                "scores": history.scores,
                "validation": history.validation,
                "weights": weights.tolist(),
            }
        )
    )
