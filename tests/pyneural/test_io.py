"""Files of tensors and checkpoints: whole, exact, and clear about what is wrong with a bad one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Generator, Tensor, io, nn, optim
from pyneural.data import DataLoader, TensorDataset
from pyneural.kernels import dtypes

pytestmark = pytest.mark.usefixtures("reference_device")


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (2, 3, 4)])
def test_round_trip(tmp_path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], rng: np.random.Generator):
    values = (rng.standard_normal(shape) * 50).astype(dtype)
    io.save(tmp_path / "a.safetensors", {"x": Tensor(values), "y.z": Tensor([1.0])})
    loaded = io.load(tmp_path / "a.safetensors")
    assert sorted(loaded) == ["x", "y.z"]
    assert loaded["x"].dtype == dtype
    assert loaded["x"].shape == shape
    assert loaded["x"].numpy().tobytes() == values.tobytes()
    assert str(loaded["x"].device) == "reference"
    assert str(io.load(tmp_path / "a.safetensors", device="cpu")["x"].device) == "cpu"


def test_nan_infinity_and_strides_survive(tmp_path: Path):
    values = np.array([[np.nan, np.inf], [-np.inf, -0.0]])
    io.save(tmp_path / "a", {"x": Tensor(values).T, "reversed": pyneural.from_numpy(np.arange(5)[::-1])})
    loaded = io.load(tmp_path / "a")
    assert loaded["x"].numpy().tobytes() == np.ascontiguousarray(values.T).tobytes()
    assert loaded["reversed"].tolist() == [4, 3, 2, 1, 0]


def test_other_programs_can_read_it(tmp_path: Path):
    from safetensors.numpy import load_file

    io.save(tmp_path / "a", {"x": Tensor([[1.0, 2.0]])}, {"made": "here"})
    assert load_file(tmp_path / "a")["x"].tolist() == [[1.0, 2.0]]
    assert io.load_metadata(tmp_path / "a") == {"made": "here"}


def test_a_module_saves_its_state(tmp_path: Path):
    model, other = nn.Linear(3, 2), nn.Linear(3, 2)
    io.save(tmp_path / "a", model)
    other.load_state_dict(io.load(tmp_path / "a"))
    assert np.array_equal(model.weight.detach().numpy(), other.weight.detach().numpy())


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_save_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str):
    path = tmp_path / "a.safetensors"
    io.save(path, {"x": Tensor([1.0])})
    before = path.read_bytes()

    def fails(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fails)
    with pytest.raises(OSError, match="No space left"):
        io.save(path, {"x": pyneural.zeros(1000)})
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.safetensors"]


def _faulty(kind: str, whole: bytes) -> bytes:
    return {
        "empty": b"",
        "truncated": whole[:-3],
        "longer": whole + b"xx",
        "header cut": whole[:20],
        "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94.",
        "a zip": b"PK\x03\x04" + bytes(200),
        "text": b"not tensors at all, only some words in a row",
        "header no JSON": (8).to_bytes(8, "little") + b"{{{{{{{{" + bytes(8),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["empty", "truncated", "longer", "header cut", "a pickle", "a zip", "text", "header no JSON"]
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, kind: str):
    path = tmp_path / "a.safetensors"
    io.save(path, {"x": pyneural.ones(4)})
    path.write_bytes(_faulty(kind, path.read_bytes()))
    with pytest.raises(ValueError, match=re.escape(f"load: {path} is no whole safetensors file: ")):
        io.load(path)


def test_a_dtype_that_tensors_lack(tmp_path: Path):
    from safetensors.numpy import save_file

    save_file({"wide": np.ones(2, np.uint64)}, tmp_path / "a")
    with pytest.raises(ValueError, match=r"wide has dtype U64, which tensors cannot have"):
        io.load(tmp_path / "a")


def test_missing_file_and_folder(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        io.load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        io.save(tmp_path / "nowhere" / "a", {"x": Tensor([1.0])})


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({"x": np.ones(2)}, None, "save: x must be a tensor, not ndarray"),
        ({3: Tensor([1.0])}, None, "save: a name must be a string, not 3"),
        ([Tensor([1.0])], None, "save: tensors must be a dict or a module, not list"),
        ({"x": Tensor([1.0])}, {"epoch": 3}, "save: metadata must map strings to strings, not 'epoch' to 3"),
    ],
)
def test_wrong_contents_are_refused(tmp_path: Path, tensors: Any, metadata: Any, message: str):
    with pytest.raises(TypeError, match=re.escape(message)):
        io.save(tmp_path / "a", tensors, metadata)
    assert not list(tmp_path.iterdir())


# Checkpoints


def _parts(seed: int = 0) -> dict[str, Any]:
    pyneural.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 2))
    generator = Generator(seed + 1)
    dataset = TensorDataset(pyneural.randn(10, 3), pyneural.randint(0, 2, (10,)))
    return {
        "model": model,
        "optimizer": optim.Adam(model.parameters(), 0.01, betas=(0.8, 0.99)),
        "generator": {"default": pyneural.random.default_generator, "order": generator},
        "loader": DataLoader(dataset, 3, shuffle=True, generator=generator),
    }


def _train(parts: dict[str, Any], steps: int) -> None:
    made = 0
    while made < steps:
        for x, y in parts["loader"]:
            parts["optimizer"].zero_grad()
            nn.CrossEntropyLoss()(parts["model"](x), y).backward()
            parts["optimizer"].step()
            made += 1
            if made == steps:
                break


def _weights(parts: dict[str, Any]) -> list[bytes]:
    return [each.detach().numpy().tobytes() for each in parts["model"].parameters()]


def test_a_checkpoint_resumes_in_the_middle_of_an_epoch(tmp_path: Path):
    straight = _parts()
    data = straight["loader"].dataset
    _train(straight, 6)
    io.save_checkpoint(tmp_path / "c", **straight, epoch=1, notes=["a", 2.5])
    state = {name: each.state_dict() for name, each in straight["generator"].items()}
    resumed = _parts(seed=5)
    resumed["loader"].dataset = data
    assert io.load_checkpoint(tmp_path / "c", **resumed) == {"epoch": 1, "notes": ["a", 2.5]}
    assert {name: each.state_dict() for name, each in resumed["generator"].items()} == state
    assert _weights(straight) == _weights(resumed)
    _train(resumed, 7)
    after = _weights(resumed)
    # The same steps again from the same state, without a file: the default generator is shared.
    for name, each in straight["generator"].items():
        each.load_state_dict(state[name])
    straight["loader"].load_state_dict(straight["loader"].state_dict())
    _train(straight, 7)
    assert _weights(straight) == after


def test_parts_can_be_loaded_alone(tmp_path: Path):
    parts = _parts()
    io.save_checkpoint(tmp_path / "c", **parts)
    other = _parts(seed=9)
    io.load_checkpoint(tmp_path / "c", model=other["model"])
    assert _weights(other) == _weights(parts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": nn.Linear}, "c: load_state_dict: Linear does not fit: missing: weight, bias; unexpected: "),
        ({"optimizer": optim.SGD}, "c: the optimizer was Adam, not SGD"),
        ({"generator": Generator}, "c: the generators are ['default', 'order'], not ['']"),
    ],
)
def test_a_checkpoint_that_does_not_fit_changes_nothing(tmp_path: Path, change: dict[str, Any], message: str):
    saved = _parts()
    _train(saved, 2)
    io.save_checkpoint(tmp_path / "c", **saved)
    parts = _parts(seed=3)
    _train(parts, 2)
    if "model" in change:
        parts["model"] = nn.Linear(3, 2)
        parts["optimizer"] = optim.Adam(parts["model"].parameters())
    if "optimizer" in change:
        parts["optimizer"] = optim.SGD(parts["model"].parameters())
    if "generator" in change:
        parts["generator"] = Generator(77)
    before = _weights(parts), repr(parts["optimizer"]), repr(parts["generator"])
    with pytest.raises(ValueError, match=re.escape(message)):
        io.load_checkpoint(tmp_path / "c", **parts)
    assert (_weights(parts), repr(parts["optimizer"]), repr(parts["generator"])) == before


def test_foreign_and_incomplete_checkpoints(tmp_path: Path):
    model = nn.Linear(2, 2)
    io.save(tmp_path / "plain", model)
    with pytest.raises(ValueError, match="plain is a safetensors file but no checkpoint of pyneural"):
        io.load_checkpoint(tmp_path / "plain", model=model)
    io.save_checkpoint(tmp_path / "c", model=model)
    with pytest.raises(ValueError, match=r"c holds no optimizer, no loader"):
        io.load_checkpoint(
            tmp_path / "c", optimizer=optim.SGD(model.parameters()), loader=DataLoader(TensorDataset(pyneural.ones(2)))
        )
    io.save(tmp_path / "newer", {}, {"pyneural.checkpoint": '{"format": 7}'})
    with pytest.raises(ValueError, match=r"newer has format \(=7\), this version reads 1"):
        io.load_checkpoint(tmp_path / "newer")
    io.save(tmp_path / "damaged", {}, {"pyneural.checkpoint": "{"})
    with pytest.raises(ValueError, match=r"damaged has a damaged pyneural.checkpoint entry"):
        io.load_checkpoint(tmp_path / "damaged")


def test_what_json_cannot_hold_is_refused(tmp_path: Path):
    with pytest.raises(TypeError, match="such that JSON can hold them"):
        io.save_checkpoint(tmp_path / "c", when=object())
    assert not list(tmp_path.iterdir())
