"""Applications on real data, each a module with the names of `pyneural.apps.app.App`; imported when asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from .app import App

APPS = {
    "digits": "handwritten digits of 8 x 8 pixels: a small CNN",
    "diagnosis": "breast tumours, malignant or benign: calibrated ensembles of perceptrons (no medical device)",
    "mnist5k": "handwritten digits of 28 x 28 pixels: a CNN",
    "faces": "faces or something else, 25 x 25 pixels: CNNs in five folds",
    "fraud": "phishing websites and borrowers who do not pay back: ensembles of perceptrons with a focal loss",
    "sentiment": "sentences about films, positive or negative: hashed pieces of words under a convolution",
    "markets": "how far the S&P 500 moves tomorrow: a temporal convolution (no advice)",
    "scan": "noise taken from the slices of a head CT: a U-Net (no medical device)",
    "driving": "a racing car, driven from pictures of the road: a CNN that a script has taught",
    "fashion": "clothes on 28 x 28 pixels: a residual CNN with augmentation",
    "video": "the next frame of a film: a convolutional recurrent network that blends continuations of the motion",
    "chat": "prompts and replies: a small decoder transformer beside a nearest-neighbour retriever",
    "language": "how a text goes on: a decoder transformer that reads the World English Bible, sampled token by token",
    "translate": "short verses from English to Spanish: an encoder-decoder transformer with beam search",
}
"""The applications by name, and what they are."""


def find(name: str) -> App:
    """The application of that name; KeyError says which there are."""
    if name not in APPS:
        raise KeyError(f"there is no application {name!r}; there are {', '.join(APPS)}")
    return cast("App", importlib.import_module(f"{__name__}.{name}"))
