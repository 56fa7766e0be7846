"""Whether a sentence about a film is positive or negative: embedded pieces of words under a convolution.

10,605 snippets of film reviews each rated by some 15 people (Hutto and Gilbert 2014), from the source archive of
vaderSentiment. The network learns the mean rating and is tested on its sign; snippets of mean 0 have none and are left
out. A hash of a snippet's words decides the side of the split, so that a repeated one is on one side; which film a
snippet is about is not known. A word is the sum of its own vector, those of its pieces of 3 to 5 letters (Bojanowski et
al. 2017) and that of the pair with the word before, all from one hashed table. Three such networks are averaged.
"""

from __future__ import annotations

import functools
import io
import tarfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyneural import nn
from pyneural.autograd import no_grad
from pyneural.data import TensorDataset
from pyneural.device import Device
from pyneural.functional import cat, dropout, mse_loss, rand, relu, stack
from pyneural.optim import AdamW, Optimizer
from pyneural.tensor import Tensor

from .app import Answer, Scores
from .extras import need
from .text import Line, bucket, draw_words, source_archive, words
from .training import History, Settings, fit, predict, usual

if TYPE_CHECKING:
    from typing_extensions import Unpack

NAME = "sentiment"
EPOCHS = 5
BATCH_SIZE = 32
LEARNING_RATE = 3e-3
METRIC = "accuracy"
BARS = {"accuracy": 0.785}
LOWER: tuple[str, ...] = ()
INPUT = "a sentence"

PARTS = 5  # one of them tests
LENGTH, PIECES = 40, 24  # words of a snippet, rows of the table that a word has
ROWS, WIDTH, CHANNELS = 2**17, 16, 32
WORD_DROPOUT, PIECE_DROPOUT, DROPOUT = 0.2, 0.5, 0.5
MEMBERS = 3
WEIGHT_DECAY = 0.1


@dataclass(frozen=True)
class Snippets:
    """Snippets as rows of the table, (N, LENGTH, PIECES) padded with 0, with their mean ratings (N) and texts."""

    train_pieces: Tensor
    train_valence: Tensor
    train_texts: tuple[str, ...]
    test_pieces: Tensor
    test_valence: Tensor
    test_texts: tuple[str, ...]


def load_data(device: str | Device | None = None, dtype: Any = None) -> Snippets:
    """The training and test snippets.

    Raises:
        MissingPackage: the source archive of vaderSentiment was not fetched.
    """
    sides = [
        (Tensor(_pieces(texts), device=device), Tensor(valence, dtype=dtype or np.float32, device=device), texts)
        for texts, valence in _split()
    ]
    return Snippets(*sides[0], *sides[1])


@functools.cache
def _read(archive: Path) -> tuple[tuple[float, str], ...]:
    """(valence, text) of each snippet, in the order of the file."""
    with tarfile.open(archive) as outer:
        inner = outer.extractfile("vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz")
        assert inner is not None
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as files:
            found = files.extractfile("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt")
            assert found is not None
            lines = found.read().decode("utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    return tuple((float(valence), text.strip()) for _, valence, text in rows)


def _split() -> tuple[tuple[tuple[str, ...], np.ndarray], ...]:
    """Texts and valence of the training side and of the test side."""
    rows = [row for row in _read(source_archive("vaderSentiment", "3.3.2")) if row[0] != 0.0]
    tests = [bucket(text, PARTS) == 0 for _, text in rows]
    sides = []
    for side in (False, True):
        chosen = [row for row, test in zip(rows, tests, strict=True) if test == side]
        sides.append((tuple(text for _, text in chosen), np.array([valence for valence, _ in chosen])))
    return tuple(sides)


@functools.cache
def _rows_of_word(word: str) -> tuple[int, ...]:
    """The word's own row and those of its pieces, each once."""
    marked = f"<{word}>"
    pieces = [marked[i : i + n] for n in (3, 4, 5) for i in range(len(marked) - n + 1)]
    return tuple(map(_row, dict.fromkeys([word, *("#" + each for each in pieces)])))[: PIECES - 1]


def _row(piece: str) -> int:
    """Python's own hash differs from process to process; 0 is for padding."""
    return 1 + zlib.crc32(piece.encode()) % (ROWS - 1)


def _pieces(texts: Sequence[str]) -> np.ndarray:
    """(N, LENGTH, PIECES) rows of the table; later words are cut off."""
    rows = np.zeros((len(texts), LENGTH, PIECES), np.int64)
    for number, text in enumerate(texts):
        spoken = words(text)[:LENGTH]
        for place, word in enumerate(spoken):
            own = _rows_of_word(word) + ((_row(f"{spoken[place - 1]} {word}"),) if place else ())
            rows[number, place, : len(own)] = own
    return rows


class Member(nn.Module):
    """(N, LENGTH, PIECES) rows of the table -> (N) valence, of raters who said -4 to 4."""

    def __init__(self, device: Any, dtype: Any) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        self.table = nn.Embedding(ROWS, WIDTH, padding_idx=0, **made)
        with no_grad():
            self.table.weight[:] = self.table.weight * 0.1
        self.convolutions = nn.ModuleList(
            [nn.Conv1d(WIDTH, CHANNELS, size, padding=size // 2, **made) for size in (1, 2, 3)]
        )
        self.out = nn.Linear(3 * CHANNELS, 1, **made)

    def forward(self, pieces: Tensor) -> Tensor:
        there = (pieces[:, :, :1] != 0).to(self.table.weight.dtype)
        # As many words of an empty sentence as divide nothing by 0.
        length = there.sum(dim=1).clamp(min=1.0)
        if self.training:
            for shape, share in ((pieces.shape, PIECE_DROPOUT), ((*pieces.shape[:2], 1), WORD_DROPOUT)):
                pieces = pieces * (rand(*shape, device=pieces.device) >= share).to(pieces.dtype)
        count = (pieces != 0).to(there.dtype).sum(dim=2, keepdim=True).clamp(min=1.0)
        x = dropout(self.table(pieces).sum(dim=2) / count.sqrt(), DROPOUT, self.training).transpose(1, 2)
        # A window of two words has one place more.
        x = cat([relu(each(x))[:, :, :LENGTH] for each in self.convolutions], dim=1).transpose(1, 2)
        x = dropout((x * there).sum(dim=1) / length.sqrt(), DROPOUT, self.training)
        valence: Tensor = self.out(x).squeeze(1)
        return valence


class Network(nn.Module):
    """Members side by side; (N, LENGTH, PIECES) -> (N, MEMBERS)."""

    def __init__(self, device: Any, dtype: Any) -> None:
        super().__init__()
        self.members = nn.ModuleList([Member(device, dtype) for _ in range(MEMBERS)])

    def forward(self, pieces: Tensor) -> Tensor:
        told: Tensor = stack([member(pieces) for member in self.members], dim=1)
        return told


def build(*, device: str | Device | None = None, dtype: Any = None) -> Network:
    """The network, with fresh parameters."""
    return Network(device, dtype)


def train(model: Network, data: Snippets, **settings: Unpack[Settings]) -> tuple[History, Optimizer]:
    """Train all members with AdamW on the squared error of the valence; words and pieces of words are dropped.

    The settings and errors are those of `pyneural.apps.training.fit`.
    """

    def step(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        pieces, valence = batch
        told = model(pieces)
        right = (told.detach().mean(dim=1) > 0) == (valence > 0)
        return mse_loss(told, valence.unsqueeze(1).expand(told.shape)), right.sum()

    return fit(
        model,
        TensorDataset(data.train_pieces, data.train_valence),
        step,
        optimizer=_optimizer,
        compiled=True,
        **usual(settings, EPOCHS, BATCH_SIZE, LEARNING_RATE),
    )


_optimizer: Callable[[Iterable[Any], float], Optimizer] = partial(AdamW, weight_decay=WEIGHT_DECAY)


def _valence(model: Network, pieces: Tensor) -> np.ndarray:
    """(N), the mean of the members in evaluation; by parts that fit the memory."""
    told = [predict(model, pieces[i : i + 256]).mean(dim=1).cpu().numpy() for i in range(0, len(pieces), 256)]
    return np.concatenate(told).astype(np.float64)


def score(model: Network, data: Snippets) -> Scores:
    """The part of the test snippets whose sign is right, and the correlation with the raters' mean."""
    told, valence = _valence(model, data.test_pieces), data.test_valence.cpu().numpy()
    return {
        "accuracy": float(np.mean((told > 0) == (valence > 0))),
        "correlation": float(np.corrcoef(told, valence)[0, 1]),
    }


def baseline() -> Scores:
    """Scikit-learn's logistic regression on TF-IDF, as both come, and VADER's rules, on the same test snippets."""
    (texts, valence), (test_texts, test_valence) = _split()
    pipeline = need("sklearn.pipeline", "scikit-learn").make_pipeline
    vectorizer = need("sklearn.feature_extraction.text", "scikit-learn").TfidfVectorizer
    regression = need("sklearn.linear_model", "scikit-learn").LogisticRegression
    rules = need("vaderSentiment.vaderSentiment", "vaderSentiment").SentimentIntensityAnalyzer()
    fitted = pipeline(vectorizer(), regression(max_iter=1000)).fit(texts, valence > 0)
    compound = np.array([rules.polarity_scores(text)["compound"] for text in test_texts])
    return {
        "accuracy": float(fitted.score(test_texts, test_valence > 0)),
        "vader_accuracy": float(np.mean((compound > 0) == (test_valence > 0))),
        "vader_correlation": float(np.corrcoef(compound, test_valence)[0, 1]),
    }


def saliency(model: Network, text: str, device: str | Device | None = None) -> tuple[list[str], float, np.ndarray]:
    """Words, the valence of the whole, and how much of it is lost without each word."""
    spoken = words(text)[:LENGTH]
    without = [" ".join(spoken[:place] + spoken[place + 1 :]) for place in range(len(spoken))]
    told = _valence(model, Tensor(_pieces([" ".join(spoken), *without]), device=device))
    return spoken, float(told[0]), told[0] - told[1:]


def draw(path: Path, model: Network, data: Snippets) -> None:
    """Test snippets with what each word brings: eight that the network has right, four that it has wrong."""
    told, valence = _valence(model, data.test_pieces), data.test_valence.cpu().numpy()
    right = (told > 0) == (valence > 0)
    lines = []
    for which, count in ((right, 8), (~right, 4)):
        rows = np.flatnonzero(which)
        for row in rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]:
            spoken, whole, parts = saliency(model, data.test_texts[row], data.test_pieces.device)
            verdict = "" if right[row] else "   WRONG"
            lines.append(Line(f"network {whole:+.1f}, people {valence[row]:+.1f}{verdict}", spoken, parts.tolist()))
    title = f"{len(told)} test snippets, {right.mean():.3f} right. Blue words raise what the network says, red lower it"
    draw_words(path, title, lines)


def answer(model: Network, given: str, device: str | Device | None = None) -> Answer:
    """The valence of a sentence and what each word brings."""
    if not words(given):
        raise ValueError(f"{NAME}: there is no word in {given!r}")
    spoken, whole, parts = saliency(model, given, device)
    verdict = "positive" if whole > 0 else "negative"
    lines = [f"{verdict}: valence {whole:+.2f} on a scale from -4 to 4"]
    lines += [f"  {part:+.2f}  {word}" for word, part in zip(spoken, parts, strict=True)]
    facts = {"sentiment": verdict, "valence": whole, "words": list(zip(spoken, parts.tolist(), strict=True))}
    return Answer(facts, "\n".join(lines))
