"""The next word of a text: a decoder transformer on the World English Bible, against Kneser-Ney's 5-grams of bytes.

61 of its 66 books train or validate; Ruth, Esther, Ecclesiastes, Daniel and Acts test. A verse of theirs that another
book repeats is left out there. The network sees tokens, byte pairs learnt from the training books, and is judged by the
bits that a byte of the test books costs, as the n-grams are, which see bytes and have the validation books as well.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyneural import nn
from pyneural.autograd import no_grad
from pyneural.data import TensorDataset
from pyneural.device import Device
from pyneural.functional import cross_entropy
from pyneural.optim import Optimizer
from pyneural.tensor import Tensor

from .app import Answer, Scores, input_file
from .blocks import Kept, Layer, decaying
from .books import VOCABULARY, pairs, rows, split, streams, windows
from .ngram import KneserNey
from .text_pictures import curve, draw_language
from .training import History, Settings, fit, predict, usual

if TYPE_CHECKING:
    from typing_extensions import Unpack

NAME = "language"
EPOCHS = 3
BATCH_SIZE = 8
LEARNING_RATE = 3e-3
METRIC = "bits_per_token"
BARS = {"bits_per_byte": 1.746}
LOWER = ("bits_per_byte",)
INPUT = "the beginning of a text, or a file with it (UTF-8, .txt)"

LENGTH, STRIDE = 256, 128  # tokens that the network sees; from one window of a test book to the next
WIDTH, HEADS, LAYERS, HIDDEN = 128, 4, 4, 384
DROPOUT, WEIGHT_DECAY = 0.0, 0.1
PATIENCE = 2
ORDER = 5
SAID = 96  # tokens of a continuation
TEMPERATURE, NUCLEUS = 0.7, 0.9
POINTS = 60  # of the training's curve


@dataclass(frozen=True)
class Books:
    """Rows (N, LENGTH + 1) of the training books' tokens, and the tokens of each validation and test book."""

    rows: Tensor
    validation: tuple[np.ndarray, ...]
    test: tuple[np.ndarray, ...]


def load_data(device: str | Device | None = None, dtype: Any = None) -> Books:
    """The books as tokens, which are integers whatever ``dtype`` is.

    Raises:
        MissingPackage: pysword or Debian's sword-text-web is not installed.
    """
    return Books(Tensor(rows(streams(0), LENGTH), device=device), streams(1), streams(2))


class Decoder(nn.Module):
    """(N, T) tokens -> (N, T, VOCABULARY) logits of the token after each, from it and those before; T up to LENGTH.

    ``curve`` is the training's, of `blocks.curve`.
    """

    def __init__(self, device: Any, dtype: Any) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        self.table, self.place = nn.Embedding(VOCABULARY, WIDTH, **made), nn.Embedding(LENGTH, WIDTH, **made)
        with no_grad():
            for each, deviation in ((self.table, WIDTH**-0.5), (self.place, 0.1)):
                each.weight[:] = each.weight * deviation
        self.layers = nn.ModuleList([Layer(WIDTH, HEADS, HIDDEN, DROPOUT, made) for _ in range(LAYERS)])
        self.norm, self.dropout = nn.LayerNorm(WIDTH, **made), nn.Dropout(DROPOUT)
        # Without it a fresh network would say each token again.
        self.turn = nn.Linear(WIDTH, WIDTH, bias=False, **made)
        self.register_buffer("curve", Tensor(np.zeros((2, POINTS)), dtype=np.float32, device=device))

    def forward(self, given: Tensor) -> Tensor:
        return self.grown(given)[0]

    def grown(self, given: Tensor, before: list[Kept] | None = None) -> tuple[Tensor, list[Kept]]:
        """The logits, and the layers' keys and values; ``before`` are those of the tokens before these."""
        first = 0 if before is None else before[0][0].shape[2]
        if first + given.shape[1] > LENGTH:
            raise ValueError(f"{NAME}: there are {first + given.shape[1]} tokens, more than {LENGTH}")
        x = self.table(given) * math.sqrt(WIDTH) + self.place.weight[first : first + given.shape[1]]
        x, kept = self.dropout(x), []
        for number, layer in enumerate(self.layers):
            x, own = layer(x, None if before is None else before[number], causal=True)
            kept.append(own)
        logits: Tensor = self.turn(self.norm(x)) @ self.table.weight.transpose(0, 1)
        return logits, kept


def build(*, device: str | Device | None = None, dtype: Any = None) -> Decoder:
    """The network, with fresh parameters."""
    return Decoder(device, dtype)


def train(model: Decoder, data: Books, **settings: Unpack[Settings]) -> tuple[History, Optimizer]:
    """Train with AdamW on the next token; the weights are those of the epoch that is best on the validation books.

    The settings and errors are those of `pyneural.apps.training.fit`.
    """

    def step(batch: tuple[Tensor]) -> tuple[Tensor, Tensor]:
        given = batch[0]
        logits = model(given[:, :-1])
        loss = cross_entropy(logits.reshape(-1, VOCABULARY), given[:, 1:].reshape(-1))
        return loss, loss.detach() * (len(given) / math.log(2.0))

    history, optimizer = fit(
        model,
        TensorDataset(data.rows),
        step,
        optimizer=decaying(WEIGHT_DECAY),
        validate=lambda: bits_per_byte(model, data.validation),
        patience=PATIENCE,
        compiled=True,
        **usual(settings, EPOCHS, BATCH_SIZE, LEARNING_RATE),
    )
    told = curve(history.losses, history.validation, POINTS)
    told[0] /= math.log(2.0) * _bytes(data.rows.cpu().numpy()[:, 1:].ravel()).mean()
    with no_grad():
        model.curve[:] = Tensor(told, dtype=np.float32, device=model.curve.device)
    return history, optimizer


@functools.cache
def _lengths() -> np.ndarray:
    return np.array([len(each) for each in pairs().bytes])


def _bytes(tokens: np.ndarray) -> np.ndarray:
    """Of each token."""
    found: np.ndarray = _lengths()[tokens]
    return found


def bits_per_byte(model: Decoder, books: tuple[np.ndarray, ...]) -> float:
    """What a byte of the books costs on average, in evaluation; the first token of each is given."""
    device, bits = model.table.weight.device, 0.0
    for book in books:
        given, counts = windows(book, LENGTH, STRIDE)
        for start in range(0, len(given), 16):
            part = slice(start, start + 16)
            logits = predict(model, Tensor(given[part, :-1], device=device)).reshape(-1, VOCABULARY)
            costs = cross_entropy(logits, Tensor(given[part, 1:].ravel(), device=device), reduction="none")
            bits += float(costs.cpu().numpy().astype(np.float64)[counts[part].ravel()].sum()) / math.log(2.0)
    return bits / sum(int(_bytes(book[1:]).sum()) for book in books)


def score(model: Decoder, data: Books) -> Scores:
    """Bits per byte of the test books."""
    return {"bits_per_byte": bits_per_byte(model, data.test)}


@functools.cache
def baseline_bits() -> float:
    """Of Kneser-Ney's 5-grams of bytes: fitted on the training and validation books, on each byte of the test books."""
    sides = [[f"\n{text}".encode() for text in side.values()] for side in split()]
    model = KneserNey(ORDER, 256).fit(sides[0] + sides[1])
    return model.cross_entropy(sides[2]) / math.log(2.0)


def baseline() -> Scores:
    """Bits per byte of Kneser-Ney's 5-grams of bytes on the same test books."""
    return {"bits_per_byte": baseline_bits()}


def continued(model: Decoder, given: list[int], count: int, seed: int = 0) -> list[int]:
    """``count`` more tokens, each drawn from the likeliest that have NUCLEUS together; the same seed, the same text.

    Source: nucleus sampling, Holtzman et al. 2020, arXiv:1904.09751.
    """
    generator, device = np.random.default_rng(seed), model.table.weight.device
    said: list[int] = []
    kept: list[Kept] | None = None
    fresh, training = given, model.training
    model.eval()
    with no_grad():
        while len(said) < count:
            logits, kept = model.grown(Tensor(np.array([fresh]), device=device), kept)
            chances = (logits[0, -1] / TEMPERATURE).softmax(dim=0).cpu().numpy().astype(np.float64)
            order = np.argsort(-chances, kind="stable")
            within = np.cumsum(chances[order]) - chances[order] < NUCLEUS
            few = chances[order] * within
            fresh = [int(order[generator.choice(len(order), p=few / few.sum())])]
            said += fresh
    model.train(training)
    return said


def draw(path: Path, model: Decoder, data: Books) -> None:
    """The training's curve, and how the network goes on from the beginnings of the test books."""
    texts = []
    for book in data.test[:5]:
        opening = pairs().decode(book[1:31]).rpartition(" ")[0]
        texts.append((opening, pairs().decode(continued(model, pairs().encode(f"\n{opening}"), 64))))
    bits = score(model, data)["bits_per_byte"]
    title = f"{bits:.3f} bits per byte of the test books; Kneser-Ney's 5-grams of bytes: {baseline_bits():.3f}"
    draw_language(path, title, model.curve.cpu().numpy(), baseline_bits(), texts)


def answer(model: Decoder, given: str, device: str | Device | None = None) -> Answer:
    """How the text goes on, and what a byte of it cost the network."""
    text = prompt(given)
    tokens = pairs().encode(f"\n{text}")
    told = pairs().decode(continued(model, tokens[-(LENGTH - SAID) :], SAID))
    bits = bits_per_byte(model, (np.array(tokens),))
    facts = {"prompt": text, "continuation": told, "bits_per_byte": bits}
    return Answer(facts, f"{text}{told}\n({bits:.2f} bits per byte of what was given)")


def prompt(given: str) -> str:
    """The text itself, or that of a file; ValueError for neither."""
    if len(given) < 256 and "\n" not in given and (Path(given).suffix == ".txt" or Path(given).exists()):
        path = input_file("predict", given)
        try:
            given = path.read_text(encoding="utf-8").rstrip("\n")
        except UnicodeDecodeError as error:
            raise ValueError(f"predict: {path} is no text in UTF-8: {error}") from None
    if not given.strip():
        raise ValueError(f"{NAME}: there is no text in {given[:40]!r}")
    return given
