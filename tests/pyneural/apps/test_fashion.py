"""The application fashion: its files, its split, its images' variations, the picture of its errors, a user's."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.apps import fashion
from pyneural.apps.extras import MissingPackage
from pyneural.apps.pictures import draw_confusion
from pyneural.apps.training import predict
from pyneural.random import Generator

pytest.importorskip("sklearn", reason="the baseline is scikit-learn's, which is not installed")
Image = pytest.importorskip("PIL.Image", reason="pictures are read by Pillow, which is not installed")
installed = pytest.mark.skipif(
    not fashion.SOURCE.is_dir(), reason="the images come with Debian's dataset-fashion-mnist, which is not installed"
)

# Files


def _idx(path: Path, values: np.ndarray) -> None:
    head = bytes((0, 0, 8, values.ndim)) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(gzip.compress(head + values.tobytes()))


def test_files_in_mnist_s_format(tmp_path: Path, rng: np.random.Generator):
    values = rng.integers(0, 256, (7, 4, 5), np.uint8)
    _idx(tmp_path / "a.gz", values)
    np.testing.assert_array_equal(fashion._read(tmp_path / "a.gz"), values)
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"hello, world"))
    with pytest.raises(ValueError, match="begins with 68656c6c and holds no bytes in MNIST's format"):
        fashion._read(tmp_path / "b.gz")


def test_missing_files_are_named_with_their_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fashion, "SOURCE", tmp_path)
    with pytest.raises(MissingPackage, match=re.escape("sudo apt-get install dataset-fashion-mnist")):
        fashion.load_data()


@installed
def test_no_image_of_the_validation_trains_and_the_test_s_are_the_package_s():
    data = fashion.load_data("reference", np.float32)
    assert [len(each) for each in vars(data).values()] == [55000, 55000, 5000, 5000, 10000, 10000]
    images, labels = fashion.raw("train")
    both = np.concatenate([data.train_images.numpy(), data.validation_images.numpy()])[:, 0]
    pixels = np.rint(both * 255).astype(np.uint8)
    assert sorted(each.tobytes() for each in pixels) == sorted(each.tobytes() for each in images)
    np.testing.assert_array_equal(data.test_images.numpy()[:, 0] * 255, fashion.raw("t10k")[0])
    np.testing.assert_array_equal(data.test_labels.numpy(), fashion.raw("t10k")[1])
    counts = np.bincount(data.train_labels.numpy()) + np.bincount(data.validation_labels.numpy())
    assert counts.tolist() == np.bincount(labels).tolist() == [6000] * 10


# Network


@pytest.mark.usefixtures("reference_device")
def test_images_are_mirrored_and_moved(rng: np.random.Generator):
    image = rng.uniform(0.5, 1.0, (6, 8))
    moved = fashion.varied(Tensor(np.repeat(image[None, None], 60, axis=0)), Generator(int(rng.integers(1000)))).numpy()
    by, found = fashion.SHIFT, set()
    for each in moved[:, 0]:
        places = [
            (row, column, way)
            for way in (1, -1)
            for row in range(2 * by + 1)
            for column in range(2 * by + 1)
            if np.array_equal(each, np.pad(image[:, ::way], by)[row : row + 6, column : column + 8])
        ]
        assert len(places) == 1
        found.update(places)
    assert len(found) > 10
    assert {each[2] for each in found} == {1, -1}


@pytest.mark.usefixtures("reference_device")
def test_an_image_and_its_mirror_image_are_told_alike(rng: np.random.Generator):
    pyneural.manual_seed(int(rng.integers(1000)))
    model = fashion.build(dtype=np.float64)
    images = Tensor(rng.uniform(size=(5, 1, 8, 8)))
    told = fashion.likelihoods(model, images, rows=2)
    mirrored = Tensor(np.ascontiguousarray(images.numpy()[..., ::-1]))
    np.testing.assert_allclose(fashion.likelihoods(model, mirrored), told, rtol=1e-12)
    single = [predict(model, each).softmax(dim=1).numpy() for each in (images, mirrored)]
    np.testing.assert_allclose(told, (single[0] + single[1]) / 2, rtol=1e-12)
    labels = Tensor(told.argmax(axis=1))
    assert fashion.accuracy(model, images, labels) == 1.0


@pytest.mark.usefixtures("reference_device")
def test_a_fresh_block_adds_nothing(rng: np.random.Generator):
    block = fashion.Block(4, {"device": None, "dtype": np.float64})
    x = rng.normal(size=(3, 4, 5, 5))
    np.testing.assert_array_equal(block(Tensor(x)).detach().numpy(), np.maximum(x, 0.0))


# Pictures


@installed
def test_predict_and_its_refusal(tmp_path: Path):
    data = fashion.load_data("cpu")
    pyneural.manual_seed(0)
    model = fashion.build(device="cpu")
    few = {name: getattr(data, name)[:100] for name in ("train_images", "train_labels")}
    held = {name: getattr(data, name)[:100] for name in ("validation_images", "validation_labels")}
    history, _ = fashion.train(model, replace(data, **few, **held), epochs=2, batch_size=20)
    assert len(history.validation) == 2
    image = (few["train_images"].numpy()[3, 0] * 255).round().astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "a.png")
    answer = fashion.answer(model, str(tmp_path / "a.png"), "cpu")
    told = fashion.likelihoods(model, few["train_images"][3:4])[0]
    assert list(answer.facts["probabilities"].values()) == pytest.approx(told.tolist(), abs=1e-4)
    assert answer.facts["name"] == fashion.NAMES[int(told.argmax())] == answer.text.splitlines()[0]
    Image.new("L", (40, 40), 200).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"read_clothes: .* is empty"):
        fashion.answer(model, str(tmp_path / "a.png"))


@pytest.mark.parametrize("wrong", [0, 4, 40])
def test_the_errors_are_drawn(tmp_path: Path, rng: np.random.Generator, wrong: int):
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib, which is not installed")
    labels = rng.integers(0, 3, 40)
    told = np.full((40, 3), 0.1)
    told[np.arange(40), (labels + (np.arange(40) < wrong)) % 3] = 0.8
    draw_confusion(tmp_path / "p.png", rng.uniform(size=(40, 5, 5)), labels, told, ("one", "two", "three"), 3, 2)
    with Image.open(tmp_path / "p.png") as picture:
        reds = np.asarray(picture.convert("RGB"), int)
    assert ((reds[..., 0] > 190) & (reds[..., 1] < 60) & (reds[..., 2] < 60)).any() == (wrong > 0)
