"""The digits application: data, shifts, training, pictures of digits."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import pyneural
from pyneural import Generator, Tensor
from pyneural.apps import digits
from pyneural.apps.extras import INSTALL, MissingPackage
from pyneural.apps.image import read_digit
from pyneural.apps.pictures import draw_loss, draw_predictions
from pyneural.apps.training import Progress

pytest.importorskip("sklearn", reason="the digits come with scikit-learn, which is not installed")
Image = pytest.importorskip("PIL.Image", reason="pictures are read by Pillow, which is not installed")


def _small(count: int = 40) -> digits.Digits:
    data = digits.load_data()
    return digits.Digits(*(each[:count] for each in vars(data).values()))


def test_the_halves_are_those_of_scikit_learn_s_example():
    from sklearn.datasets import load_digits

    data = digits.load_data("reference", np.float64)
    assert data.train_images.shape == (898, 1, 8, 8)
    assert data.test_images.shape == (899, 1, 8, 8)
    assert data.test_labels.shape == (899,)
    whole = load_digits()
    both = np.concatenate([data.train_images.numpy(), data.test_images.numpy()])
    assert np.array_equal(both[:, 0] * 16, whole.images)
    assert data.train_labels.tolist() + data.test_labels.tolist() == whole.target.tolist()


def test_baseline_is_the_published_one():
    assert {name: round(each, 3) for name, each in digits.baseline().items()} == {"accuracy": 0.969}


@pytest.mark.usefixtures("reference_device")
def test_shift_moves_by_at_most_one_pixel_and_fills_with_zero(rng: np.random.Generator):
    images = rng.uniform(1.0, 2.0, (60, 1, 8, 8))
    moved = digits.shift(Tensor(images), Generator(int(rng.integers(1000)))).numpy()
    padded = np.pad(images[:, 0], ((0, 0), (1, 1), (1, 1)))
    found = set()
    for image, source in zip(moved[:, 0], padded, strict=True):
        places = [(i, j) for i in range(3) for j in range(3) if np.array_equal(image, source[i : i + 8, j : j + 8])]
        assert len(places) == 1
        found.update(places)
    assert len(found) >= 6  # of nine, in sixty draws


@pytest.mark.usefixtures("reference_device")
def test_training_repeats_by_its_seed_and_reports_every_step():
    data = _small()
    runs = []
    for _ in range(2):
        pyneural.manual_seed(4)
        seen: list[Progress] = []
        model = digits.build()
        history, _ = digits.train(model, data, epochs=2, batch_size=16, on_step=seen.append)
        runs.append((history.losses, [each.detach().numpy().tobytes() for each in model.parameters()]))
    assert runs[0] == runs[1]
    assert [(each.step, each.steps, each.epoch) for each in seen] == [(1, 4, 1), (2, 4, 1), (3, 4, 2), (4, 4, 2)]
    assert history.final_loss == pytest.approx(np.mean(history.losses[2:]))
    assert len(history.scores) == 2


@pytest.mark.usefixtures("reference_device")
def test_prediction_restores_the_mode_and_records_nothing():
    model, data = digits.build(), _small(10)
    logits = digits.predict(model, data.test_images)
    assert logits.shape == (10, 10)
    assert not logits.requires_grad
    assert model.training
    right = (logits.numpy().argmax(axis=1) == data.test_labels.numpy()).mean()
    assert digits.evaluate(model, data.test_images, data.test_labels) == pytest.approx(right)


def test_the_network_beats_the_baseline_on_the_cpu():
    data = digits.load_data("cpu")
    pyneural.manual_seed(0)
    model = digits.build(device="cpu")
    digits.train(model, data)
    assert digits.evaluate(model, data.test_images, data.test_labels) >= 0.985


@pytest.mark.parametrize(
    ("setting", "message"), [({"epochs": 0}, "epochs (=0)"), ({"batch_size": -2}, "batch_size (=-2)")]
)
@pytest.mark.usefixtures("reference_device")
def test_wrong_numbers_are_refused(setting: dict[str, int], message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        digits.train(digits.build(), _small(), **setting)


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("sklearn", digits.load_data),
        ("PIL", lambda: read_digit("x.png")),
        ("matplotlib", lambda: draw_loss(Path("x.png"), [1.0], [1.0])),
    ],
)
def test_a_missing_package_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch, package: str, call):
    for name in [each for each in sys.modules if each == package or each.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match=re.escape(f"is not installed; install it with: {INSTALL}")):
        call()


# Pictures


def _digit(rng: np.random.Generator) -> np.ndarray:
    """An image whose ink fills the height and six columns, in grey levels that a PNG holds exactly."""
    image = np.zeros((8, 8), np.uint8)
    image[:, 1:7] = rng.integers(128, 256, (8, 6))
    image[0, 1] = 255
    return image


def test_an_8x8_picture_is_taken_as_it_is(tmp_path: Path, rng: np.random.Generator):
    image = _digit(rng)
    Image.fromarray(image).save(tmp_path / "a.png")
    read = read_digit(tmp_path / "a.png", "reference")
    assert read.shape == (1, 1, 8, 8)
    np.testing.assert_allclose(read.numpy()[0, 0], image / 255.0, rtol=1e-6)


@pytest.mark.parametrize("form", ["bright on dark", "dark on bright", "with a margin", "transparent"])
def test_a_large_picture_is_cut_and_scaled(tmp_path: Path, rng: np.random.Generator, form: str):
    image = _digit(rng)
    large = np.kron(image, np.ones((20, 20), np.uint8))
    if form == "with a margin":
        large = np.pad(large, ((50, 10), (5, 90)))
    picture = Image.fromarray(255 - large if form == "dark on bright" else large)
    if form == "transparent":
        picture = Image.new("RGBA", picture.size, (0, 0, 0, 0))
        picture.putalpha(Image.fromarray(large))
    picture.save(tmp_path / "a.png")
    np.testing.assert_allclose(read_digit(tmp_path / "a.png").numpy()[0, 0], image / 255.0, atol=0.02)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"read_digit: {tmp_path / 'a.png'} is no")):
        read_digit(tmp_path / "a.png")


def test_a_cut_or_empty_picture_is_refused(tmp_path: Path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:900])
    with pytest.raises(ValueError, match="is no whole picture"):
        read_digit(tmp_path / "a.png")
    Image.new("L", (30, 20), 255).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match=re.escape("b.png is empty: all of its (20, 30) pixels are alike")):
        read_digit(tmp_path / "b.png")


@pytest.mark.parametrize("wrong", [0, 3, 30])
def test_drawing_predictions(tmp_path: Path, rng: np.random.Generator, wrong: int):
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib, which is not installed")
    labels = rng.integers(0, 10, 30)
    predictions = labels.copy()
    predictions[:wrong] = (labels[:wrong] + 1) % 10
    draw_predictions(tmp_path / "p.png", rng.uniform(size=(30, 8, 8)), labels, predictions, columns=4, rows=3)
    with Image.open(tmp_path / "p.png") as picture:
        reds = np.asarray(picture.convert("RGB"), int)
    assert ((reds[..., 0] > 190) & (reds[..., 1] < 60) & (reds[..., 2] < 60)).any() == (wrong > 0)


def test_drawing_the_loss(tmp_path: Path):
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib, which is not installed")
    draw_loss(tmp_path / "l.png", [2.0, 1.5, 1.0, 0.9, 0.8, 0.7], [0.5, 0.8, 0.9])
    with Image.open(tmp_path / "l.png") as picture:
        assert picture.size == (1040, 780)
