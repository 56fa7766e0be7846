"""A CT with less noise: a small U-Net against scikit-image's filters. No medical device.

The slices are those of the head CT in Debian's `invesalius-examples`. Slices of jaw and skull base up to the ventricles
train; those of the vertex test, with eight slices between them. The noise is white and Gaussian, of 50, 100 and 200
Hounsfield units: a scanner's own is correlated. One network for all levels, which it is not told; the filters are.
It is 1.1, 1.9 and 1.5 dB better than the best filter, non-local means; the aim, 2 dB at every level, is missed. On
training slices, after 400 short steps, wider layers and twice the blocks each gained 0.6 dB, a fourth scale nothing.
"""

from __future__ import annotations

import functools
import math
import plistlib
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyneural import nn
from pyneural.data import TensorDataset
from pyneural.device import Device
from pyneural.functional import flip, rand, randint, randn, where
from pyneural.optim import Optimizer
from pyneural.random import Generator, default_generator
from pyneural.tensor import Tensor

from .app import Answer, Scores, input_file
from .denoisers import FILTERS, noisy, psnr, ssim
from .dicom import read_slice, write_slice
from .extras import need, need_file
from .pictures import draw_denoised
from .training import History, Settings, fit, predict, usual
from .unet import Denoiser

if TYPE_CHECKING:
    from typing_extensions import Unpack

NAME = "scan"
EPOCHS = 24
BATCH_SIZE = 8
LEARNING_RATE = 2e-3
METRIC = "psnr"
BARS = {"psnr_50": 44.9, "ssim_50": 0.985, "psnr_100": 41.5, "ssim_100": 0.97, "psnr_200": 37.7, "ssim_200": 0.93}
LOWER: tuple[str, ...] = ()
INPUT = "a slice as DICOM or a picture; the denoised one is written beside it as NAME-denoised"
WARNING = "This is an exercise on one head. It is not a medical device: decide nothing by it."

SOURCE = Path("/usr/share/doc/invesalius-examples/examples/Cranium.inv3")
LOWEST, WIDTH = -1024.0, 2500.0  # Hounsfield units that become 0, and that become 1 more
TRAIN, TEST = range(70), range(78, 104, 4)  # of 108 slices of 1.5 mm, from below
LEVELS = (50, 100, 200)  # deviation of the noise in Hounsfield units
NOISE = (25.0, 250.0)  # in training
PATCH = 48
REST = 0.01  # the error at which the loss is 0: 25 Hounsfield units
TUNING = (8, 26, 44, 62)
TUNED: dict[str, dict[int, Any]] = {
    "Gaussian": {50: 0.5, 100: 0.7, 200: 0.9},
    "median": {50: 2, 100: 3, 200: 4},
    "bilateral": {50: 1.0, 100: 1.5, 200: 1.5},
    "wavelet": {50: 1.6, 100: 1.0, 200: 1.0},
    "total variation": {50: 0.7, 100: 0.8, 200: 0.8},
    "non-local means": {50: (5, 6, 1.0), 100: (5, 6, 0.9), 200: (7, 11, 0.7)},
}
"""Parameters of the filters at each level: the best on four training slices, as `denoisers.tuned` finds them."""


@dataclass(frozen=True)
class Slices:
    """Patches (N, 1, 48, 48) of training slices, and whole test slices (M, 256, 256); 0 is air, 1 dense bone."""

    patches: Tensor
    test: np.ndarray


def load_data(device: str | Device | None = None, dtype: Any = None) -> Slices:
    """All of the patches and the seven test slices.

    Raises:
        MissingPackage: scikit-image, PyWavelets or Debian's invesalius-examples is not installed.
    """
    need("skimage.restoration", "scikit-image")
    need("pywt", "PyWavelets")
    whole = volume()
    starts = range(0, whole.shape[1] - PATCH + 1, PATCH)
    cut = [
        each[row : row + PATCH, column : column + PATCH] for each in whole[TRAIN] for row in starts for column in starts
    ]
    patches = np.stack([each for each in cut if each.std() > 0.02])[:, None]  # no patches of air
    return Slices(Tensor(patches, device=device, dtype=dtype or np.float32), whole[TEST])


def volume() -> np.ndarray:
    """(108, 256, 256) from 0 to 1."""
    return _read(need_file(SOURCE, "invesalius-examples"))


@functools.cache
def _read(path: Path) -> np.ndarray:
    with tarfile.open(path) as archive:
        members = {Path(each.name).name: each for each in archive if each.isfile()}

        def content(name: str) -> bytes:
            file = archive.extractfile(members[name])
            assert file is not None
            return file.read()

        facts = plistlib.loads(content("main.plist"))["matrix"]
        raw = np.frombuffer(content(facts["filename"]), facts["dtype"]).reshape(facts["shape"])
    return scaled(raw)


def scaled(hounsfield: np.ndarray) -> np.ndarray:
    """Hounsfield units to 0 to 1; what is outside of the window is set to its ends."""
    within: np.ndarray = np.clip((hounsfield.astype(np.float32) - LOWEST) / WIDTH, 0.0, 1.0)
    return within


def build(*, device: str | Device | None = None, dtype: Any = None) -> Denoiser:
    """The network, with fresh parameters."""
    return Denoiser(device, dtype)


def train(model: nn.Module, data: Slices, **settings: Unpack[Settings]) -> tuple[History, Optimizer]:
    """Train with Adam on mirrored patches and fresh noise; the loss is the error's logarithm: levels count alike.

    The settings and errors are those of `pyneural.apps.training.fit`.
    """
    generator = settings.get("generator") or default_generator

    def step(batch: tuple[Tensor]) -> tuple[Tensor, Tensor]:
        clean = mirrored(batch[0], generator)
        drawn: dict[str, Any] = {"generator": generator, "device": clean.device, "dtype": clean.dtype}
        low, high = (each / WIDTH for each in NOISE)
        sigma = low + (high - low) * rand((len(clean), 1, 1, 1), **drawn)
        left = ((model(clean + sigma * randn(clean.shape, **drawn)) - clean) ** 2).mean(dim=(1, 2, 3))
        return 0.5 * (left / REST**2).log().mean(), (-10.0 / math.log(10.0)) * left.detach().log().sum()

    return fit(
        model,
        TensorDataset(data.patches),
        step,
        compiled=True,
        **usual(settings, EPOCHS, BATCH_SIZE, LEARNING_RATE),
    )


def mirrored(images: Tensor, generator: Generator) -> Tensor:
    """Each image as it is, upside down, mirrored or both, at random."""
    for axis in (2, 3):
        chosen = randint(0, 2, (len(images), 1, 1, 1), generator=generator, device=images.device)
        images = where(chosen == 1, flip(images, axis), images)
    return images


def denoise(model: nn.Module, image: np.ndarray) -> np.ndarray:
    """One slice (H, W) from 0 to 1, as the network cleans it: the mean of what it makes of four mirror images."""
    parameter = next(iter(model.parameters()))
    ways = [np.s_[::row, ::column] for row in (1, -1) for column in (1, -1)]
    given = np.stack([image[way] for way in ways])[:, None]
    cleaned = predict(model, Tensor(given, device=parameter.device, dtype=parameter.dtype)).cpu().numpy()[:, 0]
    mean: np.ndarray = np.mean([each[way] for each, way in zip(cleaned, ways, strict=True)], axis=0)
    return mean


def _test_noise(clean: np.ndarray, level: int) -> list[np.ndarray]:
    """The test slices with noise that is the same for everybody."""
    return [noisy(each, level / WIDTH, (level, number)) for number, each in enumerate(clean)]


def _worth(clean: np.ndarray, cleaned: list[np.ndarray]) -> tuple[float, float]:
    """Mean PSNR and SSIM."""
    pairs = list(zip(clean, cleaned, strict=True))
    return float(np.mean([psnr(*pair) for pair in pairs])), float(np.mean([ssim(*pair) for pair in pairs]))


def score(model: nn.Module, data: Slices) -> Scores:
    """PSNR and SSIM of the test slices at each level of noise."""
    scores: Scores = {}
    for level in LEVELS:
        cleaned = [denoise(model, each) for each in _test_noise(data.test, level)]
        scores[f"psnr_{level}"], scores[f"ssim_{level}"] = _worth(data.test, cleaned)
    return scores


@functools.cache
def filtered() -> dict[str, dict[int, tuple[float, float]]]:
    """PSNR and SSIM of each filter at each level, on the test slices."""
    clean, found = volume()[TEST], {}
    for name, (apply, _) in FILTERS.items():
        found[name] = {
            level: _worth(clean, [apply(each, level / WIDTH, TUNED[name][level]) for each in _test_noise(clean, level)])
            for level in LEVELS
        }
    return found


def baseline() -> Scores:
    """At each level the best PSNR of any filter, and the best SSIM of any."""
    scores: Scores = {}
    for level in LEVELS:
        each = [values[level] for values in filtered().values()]
        scores[f"psnr_{level}"], scores[f"ssim_{level}"] = (float(max(column)) for column in zip(*each, strict=True))
    return scores


def draw(path: Path, model: nn.Module, data: Slices, level: int = 100) -> None:
    """A test slice: clean, with noise, and as each filter and the network clean it, with what they got wrong."""
    clean, number = data.test, len(data.test) // 2
    spoiled = _test_noise(clean, level)[number]
    shown = {"noisy": spoiled}
    for name, (apply, _) in FILTERS.items():
        shown[name] = apply(spoiled, level / WIDTH, TUNED[name][level])
    shown["network"] = denoise(model, spoiled)
    draw_denoised(
        path,
        clean[number],
        {f"{name}\n{psnr(clean[number], each):.2f} dB": each for name, each in shown.items()},
        f"Slice {TEST[number]}, of no training region, with noise of {level} Hounsfield units. {WARNING}",
    )


def answer(model: nn.Module, given: str, device: str | Device | None = None) -> Answer:
    """A slice without its noise, in a file beside it, and how much was taken away."""
    path = input_file("predict", given)
    found = read_slice(path)
    image = scaled(found.values) if found.is_dicom else found.values
    removed = image - denoise(model, image)
    target = path.with_name(f"{path.stem}-denoised{path.suffix if found.is_dicom else '.png'}")
    write_slice(target, found, found.values - removed * (WIDTH if found.is_dicom else 1.0))
    power = float(removed.std()) * (WIDTH if found.is_dicom else 255.0)
    unit = "Hounsfield units" if found.is_dicom else "of 255 grey levels"
    text = f"wrote {target}: what was taken away has a deviation of {power:.1f} {unit}. {WARNING}"
    return Answer({"written": str(target), "removed": power, "unit": unit, "warning": WARNING}, text)
