"""The application faces: who sees which image, its windows, saliency, a user's picture."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.apps import faces
from pyneural.apps.faces import FOLDS, SIDE, WINDOW
from pyneural.apps.pictures import draw_saliency
from pyneural.apps.training import predict

pytest.importorskip("skimage", reason="the images come with scikit-image, which is not installed")
pytest.importorskip("sklearn", reason="the folds are scikit-learn's, which is not installed")
Image = pytest.importorskip("PIL.Image", reason="pictures are read by Pillow, which is not installed")


@pytest.fixture(scope="module")
def data() -> faces.Faces:
    return faces.load_data("cpu")


def _likeness(images: np.ndarray) -> np.ndarray:
    """(N, N): the largest correlation of each image's middle with any place in another, mirrored or not."""

    def flat(cut: np.ndarray) -> np.ndarray:
        rows = cut.reshape(len(cut), -1)
        rows = rows - rows.mean(axis=1, keepdims=True)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    middle, best = flat(images[:, 3:-3, 3:-3]), np.full((len(images), len(images)), -1.0)
    size = images.shape[1] - 6
    for whole in (images, images[:, :, ::-1]):
        for row in range(7):
            for column in range(7):
                best = np.maximum(best, middle @ flat(whole[:, row : row + size, column : column + size]).T)
    best = np.maximum(best, best.T)
    np.fill_diagonal(best, -1.0)
    return best


def test_no_image_is_on_both_sides(data: faces.Faces, rng: np.random.Generator):
    assert data.images.shape == (200, SIDE, SIDE)
    assert len({each.tobytes() for each in data.images}) == 200
    assert [np.bincount(data.fold[data.face == label]).tolist() for label in (0, 1)] == [[20] * FOLDS] * 2
    _, _, seen = data.tensors()
    assert (seen.numpy() == (data.fold[:, None] != np.arange(FOLDS))).all()
    # The same photograph twice, moved or mirrored, would be found: here is one.
    people = data.images[data.face == 1]
    copy = np.roll(people[rng.integers(100)][:, ::-1], (2, -1), (0, 1))[None]
    found = _likeness(np.concatenate([people, copy]))
    assert found[-1].max() > 0.99
    assert found[:-1, :-1].max() < 0.85


def test_a_fold_s_own_images_change_nothing_in_its_network(data: faces.Faces, rng: np.random.Generator):
    """Images and labels of one fold are replaced by noise: its own network is the same, bit for bit."""
    fold = int(rng.integers(FOLDS))
    held, images, face = data.fold == fold, data.images.copy(), data.face.copy()
    images[held] = rng.uniform(size=(held.sum(), SIDE, SIDE))
    face[held] = rng.integers(0, 2, held.sum())
    models = []
    for pixels, labels in ((data.images, data.face), (images, face)):
        pyneural.manual_seed(3)
        model = faces.build(device="cpu")
        faces.train(model, faces.Faces(pixels, labels, data.fold, "cpu", np.float32), epochs=2, batch_size=40)
        models.append([network.state_dict() for network in model.networks])
    for name, tensor in models[0][fold].items():
        np.testing.assert_array_equal(tensor.numpy(), models[1][fold][name].numpy(), err_msg=name)
    other = models[0][(fold + 1) % FOLDS], models[1][(fold + 1) % FOLDS]
    assert not np.array_equal(other[0]["0.weight"].numpy(), other[1]["0.weight"].numpy())


def test_baseline_is_scikit_learn_s_cross_validation(data: faces.Faces):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import PredefinedSplit, cross_val_score

    pixels = data.images.reshape(200, -1)
    scores = cross_val_score(LogisticRegression(max_iter=1000), pixels, data.face, cv=PredefinedSplit(data.fold))
    found = faces.baseline()["accuracy"]
    assert found == pytest.approx(scores.mean())
    assert found == pytest.approx(0.96)


@pytest.mark.usefixtures("reference_device")
def test_windows_are_parts_of_their_image_and_some_are_mirrored(rng: np.random.Generator):
    images = rng.normal(size=(40, 1, SIDE, SIDE)).astype(np.float32)
    moved = faces.varied(Tensor(images), pyneural.random.Generator(int(rng.integers(2**31)))).numpy()
    assert moved.shape == (40, 1, WINDOW, WINDOW)
    places, ends = set(), range(SIDE - WINDOW + 1)
    for image, window in zip(images[:, 0], moved[:, 0], strict=True):
        found = [
            (row, column, mirror)
            for row in ends
            for column in ends
            for mirror in (1, -1)
            if np.array_equal(image[row : row + WINDOW, column : column + WINDOW][:, ::mirror], window)
        ]
        assert len(found) == 1
        places.add(found[0])
    assert len({each[:2] for each in places}) > 5
    assert {each[2] for each in places} == {1, -1}


def test_an_image_s_light_does_not_matter_and_a_flat_one_stays_flat(data: faces.Faces):
    one, darker = faces.normalised(data.images[:4]), faces.normalised(data.images[:4] * 0.9 + 0.05)
    np.testing.assert_allclose(one, darker, atol=0.15)
    np.testing.assert_allclose(one.mean(axis=(2, 3)), 0.0, atol=1e-9)
    flat = np.full((1, SIDE, SIDE), 0.4) + 1e-4 * (np.indices((SIDE, SIDE)).sum(axis=0) % 2)
    assert np.abs(faces.normalised(flat)).max() < 0.01


def test_saliency_is_the_derivative_of_the_logit(data: faces.Faces, rng: np.random.Generator):
    """Against a difference quotient in float64, by the network of the image's own fold."""
    pyneural.manual_seed(int(rng.integers(2**31)))
    rows = rng.choice(200, 3, replace=False)
    # Where an image is of one grey, the largest of a pooling window is several, and the logit has a kink.
    images = data.images[rows] + rng.uniform(0.0, 1e-2, (3, SIDE, SIDE))
    few = faces.Faces(images, data.face[rows], data.fold[rows], "reference", np.float64)
    model = faces.build(device="reference", dtype=np.float64)
    found = faces.saliency(model, few)
    assert model.training
    assert all(each.grad is None for each in model.parameters())
    pixels = few.tensors()[0].numpy()
    for number, fold in enumerate(few.fold):
        row, column = rng.integers(0, SIDE, 2)
        told = []
        for change in (1e-6, -1e-6):
            moved = pixels[number : number + 1].copy()
            moved[0, 0, row, column] += change
            told.append(faces.logits(model, Tensor(moved, device="reference")).numpy()[0, fold])
        assert found[number, row, column] == pytest.approx(abs(told[0] - told[1]) / 2e-6, rel=1e-4, abs=1e-8)


def test_predict_on_a_user_s_picture(tmp_path: Path, data: faces.Faces):
    pyneural.manual_seed(2)
    model = faces.build(device="cpu")
    faces.train(model, data, epochs=8)
    assert faces.score(model, data)["accuracy"] > 0.85
    told = []
    for number in (3, 148):
        large = np.kron((data.images[number] * 255).round().astype(np.uint8), np.ones((8, 8), np.uint8))
        Image.fromarray(np.pad(large, ((0, 0), (30, 30)))).save(tmp_path / "a.png")  # the sides are cut away
        answer = faces.answer(model, str(tmp_path / "a.png"), "cpu")
        image = np.round(data.images[number : number + 1] * 255) / 255
        views = faces._views(Tensor(faces.normalised(image), dtype=np.float32))
        logits = np.mean([predict(model, each).numpy() for each in views], axis=0)
        assert answer.facts["face"] == pytest.approx((1 / (1 + np.exp(-logits))).mean(), abs=1e-4)
        assert answer.text.endswith(f"a face with probability {answer.facts['face']:.3f}")
        told.append(answer.facts["face"])
    assert told[0] > told[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"hello", "is no picture"), ((24, 90), "has (90, 24) pixels, fewer than 25 x 25"), ((40, 30), "is empty")],
)
def test_a_wrong_picture_is_refused(tmp_path: Path, content: bytes | tuple[int, int], message: str):
    if isinstance(content, bytes):
        (tmp_path / "a.png").write_bytes(content)
    else:
        Image.new("L", content, 90).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=re.escape(message)):
        faces.answer(faces.build(device="cpu"), str(tmp_path / "a.png"))


@pytest.mark.parametrize("wrong", [0, 2, 12])
def test_the_wrong_ones_are_drawn_first(tmp_path: Path, rng: np.random.Generator, wrong: int):
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib, which is not installed")
    labels = np.repeat([0.0, 1.0], 6)
    told = np.where(labels == 1, 0.9, 0.2)
    told[:wrong] = 1 - told[:wrong]
    images = rng.uniform(size=(12, 9, 9))
    draw_saliency(tmp_path / "p.png", images, labels, told, images, ("no", "yes"), columns=3, rows=2)
    with Image.open(tmp_path / "p.png") as picture:
        reds = np.asarray(picture.convert("RGB"), int)
    assert ((reds[..., 0] > 190) & (reds[..., 1] < 60) & (reds[..., 2] < 60)).any() == (wrong > 0)
