"""Noise on images, and the filters of SciPy and scikit-image that take it away."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .extras import need

Array = np.ndarray
Filter = Callable[[Array, float, Any], Array]


def noisy(clean: Array, sigma: float, seed: Sequence[int]) -> Array:
    """White Gaussian noise added, the same for the same seed."""
    added = clean + sigma * np.random.default_rng(seed).standard_normal(clean.shape)
    return added.astype(np.float32)


def psnr(clean: Array, other: Array) -> float:
    """Peak signal-to-noise ratio in dB, for images from 0 to 1."""
    return float(-10.0 * np.log10(np.mean((clean.astype(np.float64) - other) ** 2)))


def ssim(clean: Array, other: Array) -> float:
    """Structural similarity, scikit-image's, for images from 0 to 1."""
    return float(need("skimage.metrics", "scikit-image").structural_similarity(clean, other, data_range=1.0))


def _restoration() -> Any:
    return need("skimage.restoration", "scikit-image")


def gaussian(image: Array, sigma: float, width: float) -> Array:
    return need("scipy.ndimage", "scipy").gaussian_filter(image, width)  # type: ignore[no-any-return]


def median(image: Array, sigma: float, size: float) -> Array:
    """In a square, or for an even ``size`` in the diamond of that diameter and one more."""
    ndimage = need("scipy.ndimage", "scipy")
    if int(size) % 2:
        return ndimage.median_filter(image, int(size))  # type: ignore[no-any-return]
    shape = ndimage.iterate_structure(ndimage.generate_binary_structure(2, 1), int(size) // 2)
    return ndimage.median_filter(image, footprint=shape)  # type: ignore[no-any-return]


def bilateral(image: Array, sigma: float, colour: float) -> Array:
    lowest = image.min()  # scikit-image's takes no negative image
    return _restoration().denoise_bilateral(image - lowest, sigma_color=colour * sigma, sigma_spatial=1.0) + lowest  # type: ignore[no-any-return]


def wavelet(image: Array, sigma: float, part: float) -> Array:
    return _restoration().denoise_wavelet(image, sigma=part * sigma, rescale_sigma=True)  # type: ignore[no-any-return]


def total_variation(image: Array, sigma: float, weight: float) -> Array:
    return _restoration().denoise_tv_chambolle(image, weight=weight * sigma)  # type: ignore[no-any-return]


def non_local_means(image: Array, sigma: float, sizes: tuple[int, int, float]) -> Array:
    """``sizes``: of a patch, how far others are looked for, and the cut-off over ``sigma``."""
    patch, distance, cut = sizes
    return _restoration().denoise_nl_means(  # type: ignore[no-any-return]
        image, patch_size=patch, patch_distance=distance, h=cut * sigma, sigma=sigma, fast_mode=True
    )


FILTERS: dict[str, tuple[Filter, Sequence[Any]]] = {
    "Gaussian": (gaussian, (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2)),
    "median": (median, (2, 3, 4, 5)),
    "bilateral": (bilateral, (0.7, 1.0, 1.5, 2.0, 3.0)),
    "wavelet": (wavelet, (0.7, 1.0, 1.3, 1.6, 2.0)),
    "total variation": (total_variation, (0.6, 0.7, 0.8, 0.9, 1.0)),
    "non-local means": (non_local_means, list(itertools.product((5, 7), (6, 11), (0.6, 0.7, 0.8, 0.9, 1.0, 1.1)))),
}
"""Filters by name: of a noisy image, the noise's deviation (they are told it) and a parameter; and a grid of that."""


def tuned(clean: Sequence[Array], sigma: float) -> dict[str, Any]:
    """The parameter of each filter with the best mean PSNR on these images, with noise of that deviation."""
    spoiled = [noisy(each, sigma, (0, number)) for number, each in enumerate(clean)]

    def worth(apply: Filter, parameter: Any) -> float:
        pairs = zip(clean, spoiled, strict=True)
        return float(np.mean([psnr(each, apply(image, sigma, parameter)) for each, image in pairs]))

    return {name: max(grid, key=lambda each: worth(apply, each)) for name, (apply, grid) in FILTERS.items()}
