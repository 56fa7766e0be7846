"""Ten steps of training are the same as five, a checkpoint, and five more in a new process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import json, sys
import numpy as np
import pyneural
from pyneural import nn, optim
from pyneural.data import DataLoader, TensorDataset
from pyneural.io import load_checkpoint, save_checkpoint

load, steps, save = sys.argv[1], int(sys.argv[2]), sys.argv[3]
data = np.random.default_rng(7)
dataset = TensorDataset(
    pyneural.Tensor(data.standard_normal((40, 6)).astype(np.float32)), pyneural.Tensor(data.integers(0, 3, 40))
)
pyneural.manual_seed(0 if load == "-" else 999)
model = nn.Sequential(nn.Linear(6, 16, activation="gelu"), nn.Dropout(0.3), nn.Linear(16, 3))
optimizer = optim.AdamW(model.parameters(), 0.01)
generator = pyneural.random.default_generator
loader = DataLoader(dataset, 16, shuffle=True, generator=generator)
parts = {"model": model, "optimizer": optimizer, "generator": generator, "loader": loader}
if load != "-":
    load_checkpoint(load, **parts)
losses = []
while len(losses) < steps:
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item().hex())
        if len(losses) == steps:
            break
if save != "-":
    save_checkpoint(save, **parts)
weights = {name: each.numpy().tobytes().hex() for name, each in model.state_dict().items()}
print(json.dumps({"losses": losses, "weights": weights, "generator": generator.state_dict()}))
"""


def _run(*arguments: str) -> dict[str, object]:
    done = subprocess.run([sys.executable, "-c", _PROGRAM, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_resuming_in_a_new_process_is_exact(tmp_path: Path):
    path = str(tmp_path / "half.safetensors")
    straight = _run("-", "10", "-")
    first = _run("-", "5", path)  # epochs have 3 batches: this stops in the middle of the second
    second = _run(path, "5", "-")
    assert first["losses"] + second["losses"] == straight["losses"]
    assert second["weights"] == straight["weights"]
    assert second["generator"] == straight["generator"]
