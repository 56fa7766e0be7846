"""A slice from a file, DICOM or picture, and into one of the same kind."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .extras import need
from .image import read_grey


@dataclass(frozen=True)
class Slice:
    """What a file holds.

    Attributes:
        values: (height, width) in float32: Hounsfield units of a DICOM file, 0 to 1 of a picture.
        dataset: pydicom's, of a DICOM file.
    """

    values: np.ndarray
    dataset: Any = None

    @property
    def is_dicom(self) -> bool:
        return self.dataset is not None


def read_slice(path: str | os.PathLike[str]) -> Slice:
    """A file that says it is DICOM as that, any other as a picture.

    Raises:
        MissingPackage: pydicom or Pillow is not installed.
        ValueError: it is neither, no CT, more than one slice, or cannot be read.
    """
    with open(path, "rb") as file:
        dicom = file.read(132)[128:] == b"DICM"
    if not dicom:
        return Slice(read_grey("read_slice", path))
    pydicom, name = need("pydicom", "pydicom"), os.fspath(path)
    broken = (pydicom.errors.InvalidDicomError, AttributeError, EOFError, NotImplementedError, RuntimeError, ValueError)
    try:
        dataset = pydicom.dcmread(path)
        modality = dataset.get("Modality")
        stored = dataset.pixel_array if modality == "CT" else None
    except broken as error:
        raise ValueError(f"read_slice: {name} cannot be read: {error}") from None
    if stored is None:
        raise ValueError(f"read_slice: {name} is of modality {modality}, and the network knows CT")
    if stored.ndim != 2:
        raise ValueError(f"read_slice: {name} holds pixels of shape {stored.shape}, and is no single slice")
    slope, intercept = (float(dataset.get(key, usual)) for key, usual in (("RescaleSlope", 1), ("RescaleIntercept", 0)))
    return Slice(stored.astype(np.float32) * np.float32(slope) + np.float32(intercept), dataset)


def write_slice(path: Path, like: Slice, values: np.ndarray) -> None:
    """``values`` in the units of ``like``, as a file of its kind: a DICOM file derived from it, or a PNG."""
    if not like.is_dicom:
        pillow = need("PIL.Image", "Pillow")
        pillow.fromarray(np.rint(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)).save(path)
        return
    pydicom, dataset = need("pydicom", "pydicom"), like.dataset
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    dataset.DerivationDescription = "denoised by a neural network; no medical device"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept = "1", "0"
    # Values that a writer declared in the stored units of before.
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue"):
        if keyword in dataset:
            del dataset[keyword]
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.PixelData = np.rint(np.clip(values, -32768, 32767)).astype("<i2").tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)
