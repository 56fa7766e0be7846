"""The application scan: its slices, its noise, the filters beside it, a user's slice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.apps import denoisers, scan, unet
from pyneural.apps.dicom import read_slice
from pyneural.apps.extras import MissingPackage, need_file
from pyneural.apps.pictures import draw_denoised
from pyneural.random import Generator

pytest.importorskip("skimage", reason="the filters are scikit-image's, which is not installed")
Image = pytest.importorskip("PIL.Image", reason="pictures are read by Pillow, which is not installed")
head = pytest.mark.skipif(not scan.SOURCE.is_file(), reason="the head CT comes with Debian's invesalius-examples")
RESULT = Path(__file__).parents[3] / "bench" / "results" / "fields" / "scan.json"


# The head


@head
def test_no_slice_is_on_both_sides():
    whole = scan.volume()
    assert whole.shape == (108, 256, 256)
    assert (whole.min(), whole.max()) == (0.0, 1.0)
    assert len({each.tobytes() for each in whole}) == 108
    assert min(scan.TEST) - max(scan.TRAIN) > 8
    assert set(scan.TUNING) <= set(scan.TRAIN)
    data = scan.load_data("reference", np.float64)
    np.testing.assert_array_equal(data.test, whole[list(scan.TEST)])
    views = [np.lib.stride_tricks.sliding_window_view(whole[each], (scan.PATCH,) * 2) for each in scan.TRAIN]
    known = {each.tobytes() for view in views for each in view[:: scan.PATCH, :: scan.PATCH].reshape(-1, 48, 48)}
    patches = {each.tobytes() for each in data.patches.numpy().astype(np.float32)[:, 0]}
    assert patches <= known
    tested = np.lib.stride_tricks.sliding_window_view(data.test, (48, 48), axis=(1, 2))[:, ::48, ::48]
    assert not patches & {each.tobytes() for each in tested.reshape(-1, 48, 48)}


@head
def test_every_method_gets_the_same_noise_of_the_level_s_deviation():
    clean = scan.load_data("cpu").test
    for level in scan.LEVELS:
        one, other = (scan._test_noise(clean, level) for _ in range(2))
        for first, second, plain in zip(one, other, clean, strict=True):
            np.testing.assert_array_equal(first, second)
            assert (first - plain).std() * scan.WIDTH == pytest.approx(level, rel=0.02)
        assert abs(np.corrcoef((one[0] - clean[0]).ravel(), (one[1] - clean[1]).ravel())[0, 1]) < 0.02


@head
@pytest.mark.slow
@pytest.mark.parametrize("level", scan.LEVELS)
def test_the_filters_are_as_good_as_their_parameters_make_them(level: int):
    whole = scan.volume()
    best = denoisers.tuned(whole[list(scan.TUNING)], level / scan.WIDTH)
    assert best == {name: each[level] for name, each in scan.TUNED.items()}


def test_the_kept_scores_are_better_than_every_filter_s():
    for report in json.loads(RESULT.read_text(encoding="utf-8"))["reports"]:
        for metric, value in report["baseline"].items():
            assert report["test"][metric] > value, (report["seed"], metric)


# Filters and measures


def _steps(rng: np.random.Generator) -> np.ndarray:
    """Plateaus, as of bone, tissue and air."""
    image = np.kron(rng.uniform(0.1, 0.9, (6, 6)), np.ones((12, 12)))
    return image.astype(np.float32)


def test_psnr_and_ssim_against_their_definitions(rng: np.random.Generator):
    clean = _steps(rng)
    other = clean + np.where(np.indices(clean.shape).sum(axis=0) % 2, 0.1, -0.1).astype(np.float32)
    assert denoisers.psnr(clean, other) == pytest.approx(20.0, abs=1e-3)
    assert denoisers.ssim(clean, clean) == pytest.approx(1.0)
    assert denoisers.ssim(clean, other) < 0.9


@pytest.mark.parametrize("name", denoisers.FILTERS)
def test_a_filter_takes_noise_away_from_plateaus(name: str, rng: np.random.Generator):
    pytest.importorskip("pywt", reason="wavelets are PyWavelets', which is not installed")
    apply, grid = denoisers.FILTERS[name]
    clean = _steps(rng)
    spoiled = denoisers.noisy(clean, 0.08, (1, 2))
    cleaned = [apply(spoiled, 0.08, each) for each in grid]
    assert max(denoisers.psnr(clean, each) for each in cleaned) > denoisers.psnr(clean, spoiled) + 1.0
    assert all(each.shape == clean.shape for each in cleaned)


# The network


@pytest.mark.usefixtures("reference_device")
@pytest.mark.parametrize("shape", [(8, 12), (9, 14), (11, 7)])
def test_images_of_any_size_are_cleaned(rng: np.random.Generator, shape: tuple[int, int]):
    """And those of a network that finds no noise are returned as they are."""
    model = scan.build(dtype=np.float64)
    image = rng.uniform(size=shape)
    assert scan.denoise(model, image).shape == shape
    pyneural.nn.init.zeros_(model.out.weight)
    pyneural.nn.init.zeros_(model.out.bias)
    np.testing.assert_array_equal(scan.denoise(model, image), image)


@pytest.mark.usefixtures("reference_device")
def test_the_haar_transform_is_its_own_inverse_and_belongs_to_squares(rng: np.random.Generator):
    """A network whose found noise is its own input, taken from it, leaves the middle grey."""
    np.testing.assert_array_equal(unet.HAAR @ unet.HAAR, np.eye(4))
    model = scan.build(dtype=np.float64)
    seen: list[Tensor] = []

    def found(x: Tensor) -> Tensor:
        seen.append(x)
        return x

    model._found, model.out = found, pyneural.nn.Identity()
    image = rng.uniform(size=(16, 32))
    np.testing.assert_allclose(scan.denoise(model, image), unet.MIDDLE, atol=1e-12)
    first = unet.GAIN * (image[:2, :2].ravel() - unet.MIDDLE) @ unet.HAAR
    np.testing.assert_allclose(seen[-1].numpy()[0, :, 0, 0], first)


@pytest.mark.usefixtures("reference_device")
def test_patches_are_mirrored_in_four_ways(rng: np.random.Generator):
    images = np.repeat(rng.normal(size=(1, 1, 5, 6)), 40, axis=0)
    moved = scan.mirrored(Tensor(images), Generator(int(rng.integers(2**31)))).numpy()
    ways = {moved[number].tobytes() for number in range(40)}
    image = images[0]
    assert ways == {np.ascontiguousarray(image[:, ::row, ::column]).tobytes() for row in (1, -1) for column in (1, -1)}


def test_the_missing_head_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(MissingPackage, match=re.escape("sudo apt-get install some-package")):
        need_file(tmp_path / "x", "some-package")
    monkeypatch.setattr(scan, "SOURCE", tmp_path / "Cranium.inv3")
    with pytest.raises(MissingPackage, match=re.escape("sudo apt-get install invesalius-examples")):
        scan.load_data()


# A user's slice


def test_predict_on_a_picture(tmp_path: Path, rng: np.random.Generator):
    pixels = (rng.uniform(size=(21, 30)) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95)
    pyneural.manual_seed(1)
    model = scan.build(device="cpu")
    answer = scan.answer(model, str(tmp_path / "a.jpg"))
    given = np.asarray(Image.open(tmp_path / "a.jpg"), np.float32) / 255.0
    expected = scan.denoise(model, given)
    assert answer.facts["written"] == str(tmp_path / "a-denoised.png")
    assert answer.facts["removed"] == pytest.approx((given - expected).std() * 255.0, rel=1e-3)
    with Image.open(tmp_path / "a-denoised.png") as written:
        np.testing.assert_allclose(np.asarray(written) / 255.0, np.clip(expected, 0, 1), atol=0.5 / 255 + 1e-6)
    assert "not a medical device" in answer.text


@pytest.fixture
def ct() -> Callable[[str], Path]:
    data = pytest.importorskip("pydicom.data", reason="pydicom is not installed")
    return lambda name: Path(data.get_testdata_file(name, download=False))


def test_predict_on_a_dicom_slice(tmp_path: Path, ct: Callable[[str], Path]):
    import pydicom

    path = tmp_path / "slice.dcm"
    path.write_bytes(ct("CT_small.dcm").read_bytes())
    pyneural.manual_seed(1)
    model = scan.build(device="cpu")
    answer = scan.answer(model, str(path))
    before, after = pydicom.dcmread(path), pydicom.dcmread(answer.facts["written"])
    assert answer.facts["written"] == str(tmp_path / "slice-denoised.dcm")
    hounsfield = before.pixel_array * float(before.RescaleSlope) + float(before.RescaleIntercept)
    image = scan.scaled(hounsfield)
    expected = hounsfield - (image - scan.denoise(model, image)) * scan.WIDTH
    found = read_slice(answer.facts["written"]).values
    np.testing.assert_allclose(found, expected, atol=0.51)
    assert after.SOPInstanceUID == after.file_meta.MediaStorageSOPInstanceUID != before.SOPInstanceUID
    assert after.ImageType == ["DERIVED", "SECONDARY"]
    assert after.PatientName == before.PatientName
    assert "Hounsfield units" in answer.text


def test_a_slice_that_is_no_ct_or_is_cut_is_refused(tmp_path: Path, ct: Callable[[str], Path]):
    model = scan.build(device="cpu")
    with pytest.raises(ValueError, match=r"is of modality MR, and the network knows CT"):
        scan.answer(model, str(ct("MR_small.dcm")))
    whole = ct("CT_small.dcm").read_bytes()
    for number, content in enumerate((whole[:20000], whole[:140])):
        (tmp_path / f"{number}.dcm").write_bytes(content)
        with pytest.raises(ValueError, match=r"read_slice: .* (cannot be read|is of modality None)"):
            scan.answer(model, str(tmp_path / f"{number}.dcm"))
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(ValueError, match="is no picture"):
        scan.answer(model, str(tmp_path / "a.png"))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["0.dcm", "1.dcm", "a.png"]


def test_drawing_errors(tmp_path: Path, rng: np.random.Generator):
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib, which is not installed")
    clean = _steps(rng)
    shown = {"noisy": clean + 0.1 * rng.normal(size=clean.shape), "right": clean}
    draw_denoised(tmp_path / "p.png", clean, shown, "title")
    with Image.open(tmp_path / "p.png") as picture:
        pixels = np.asarray(picture.convert("RGB"), int)
    assert (pixels[..., 0] - pixels[..., 2] > 80).any()
    assert (pixels[..., 2] - pixels[..., 0] > 80).any()
