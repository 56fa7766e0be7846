"""Replies to prompts: a decoder transformer on the conversations of chatterbot-corpus, for amusement.

1,228 different pairs of an utterance and the next one. Pairs that have a text in common are on the same side of the
split. Perplexity is that of each token of the test replies and of their ends, the unknown token among them, with the
vocabulary of the training side; the n-gram models are fitted on the same side's texts with the same tokens. The mean
probability of three decoders counts: on parts of the training side one alone was no better than the trigrams.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyneural import nn
from pyneural.autograd import no_grad
from pyneural.data import TensorDataset
from pyneural.device import Device
from pyneural.functional import cross_entropy, rand, stack, where
from pyneural.optim import AdamW, Optimizer
from pyneural.tensor import Tensor

from .app import Answer, Scores
from .dialogs import (
    END,
    LENGTH,
    PAD,
    REPLY,
    START,
    UNKNOWN,
    VOCABULARY,
    Pair,
    closed,
    distinct_texts,
    encoded,
    numbers,
    opening,
    split,
    vocabulary,
)
from .extras import need
from .ngram import KneserNey
from .text import Line, draw_words, tokens
from .training import History, Settings, fit, predict, usual

if TYPE_CHECKING:
    from typing_extensions import Unpack

NAME = "chat"
EPOCHS = 30
BATCH_SIZE = 32
LEARNING_RATE = 2e-3
METRIC = "accuracy"
BARS = {"perplexity": 33.9}
LOWER = ("perplexity",)
INPUT = "a sentence"

WIDTH, HEADS, LAYERS, HIDDEN = 64, 4, 2, 128
DROPOUT, WORD_DROPOUT = 0.3, 0.1
WEIGHT_DECAY = 1.0
MEMBERS = 3


@dataclass(frozen=True)
class Dialogs:
    """Tokens (N, LENGTH) of prompt and reply, and the place (N) where the reply begins."""

    train_tokens: Tensor
    train_begin: Tensor
    test_tokens: Tensor
    test_begin: Tensor


def load_data(device: str | Device | None = None, dtype: Any = None) -> Dialogs:
    """The training and test pairs; the tokens are integers whatever ``dtype`` is.

    Raises:
        MissingPackage: chatterbot-corpus is not installed.
    """
    sides = split()
    known = vocabulary(sides[0])
    return Dialogs(*(Tensor(each, device=device) for side in sides for each in encoded(side, known)))


class Decoder(nn.Module):
    """(N, T) tokens -> (N, T, VOCABULARY) logits of the token after each, from it and those before.

    With ``places`` (K) among the N * T, only theirs: (K, VOCABULARY).
    """

    def __init__(self, device: Any, dtype: Any) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        self.table, self.place = nn.Embedding(VOCABULARY, WIDTH, **made), nn.Embedding(LENGTH, WIDTH, **made)
        self.role = nn.Embedding(2, WIDTH, **made)
        with no_grad():
            for each, deviation in ((self.table, WIDTH**-0.5), (self.place, 0.05), (self.role, 0.05)):
                each.weight[:] = each.weight * deviation
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, HIDDEN, DROPOUT, "gelu", batch_first=True, norm_first=True, **made
        )
        self.layers, self.norm = nn.TransformerEncoder(layer, LAYERS), nn.LayerNorm(WIDTH, **made)
        self.dropout, self.bias = nn.Dropout(DROPOUT), nn.Linear(1, VOCABULARY, bias=False, **made)

    def forward(self, given: Tensor, places: Tensor | None = None) -> Tensor:
        device, length = given.device, given.shape[1]
        # A reply's part begins with the prompt's end.
        role = ((given == END).to(np.int64).cumsum(dim=1) > 0).to(np.int64)
        shown = given
        if self.training:
            lost = (rand(*given.shape, device=device) < WORD_DROPOUT).to(np.int64) * (given > END).to(np.int64)
            shown = where(lost > 0, UNKNOWN, given)
        x = self.table(shown) * (0.5 * math.sqrt(WIDTH)) + self.place.weight[:length] + self.role(role)
        x = self.dropout(self.norm(self.layers(self.dropout(x), is_causal=True)))
        if places is not None:
            x = x.reshape(-1, WIDTH)[places]
        logits: Tensor = x @ self.table.weight.transpose(0, 1) + self.bias.weight[:, 0]
        return logits


class Decoders(nn.Module):
    """Members side by side; (N, T) tokens -> (MEMBERS, N, T, VOCABULARY) logits."""

    def __init__(self, device: Any, dtype: Any) -> None:
        super().__init__()
        self.members = nn.ModuleList([Decoder(device, dtype) for _ in range(MEMBERS)])

    @property
    def device(self) -> Device:
        return next(iter(self.parameters())).device

    def forward(self, given: Tensor, places: Tensor | None = None) -> Tensor:
        logits: Tensor = stack([member(given, places) for member in self.members])
        return logits


def build(*, device: str | Device | None = None, dtype: Any = None) -> Decoders:
    """The network, with fresh parameters."""
    return Decoders(device, dtype)


def told(model: Decoders, given: Tensor) -> np.ndarray:
    """(N, T, VOCABULARY): the members' mean probability of the token after each, in evaluation."""
    mean: np.ndarray = predict(model, given).softmax(dim=3).mean(dim=0).cpu().numpy()
    return mean


def train(model: Decoders, data: Dialogs, **settings: Unpack[Settings]) -> tuple[History, Optimizer]:
    """Train all members with AdamW on the next token of prompts and replies; now and then a token is shown as unknown.

    The settings and errors are those of `pyneural.apps.training.fit`.
    """
    with no_grad():
        for member in model.members:
            member.bias.weight[:, 0] = _frequencies(data.train_tokens).log().to(member.bias.weight.dtype)

    def step(batch: tuple[Tensor, ...]) -> tuple[Tensor, float]:
        rows = batch[0][:, : int((batch[0] != PAD).to(np.int64).sum(dim=1).amax())]
        wanted = rows[:, 1:].cpu().numpy().ravel()
        # Most of a batch is padding.
        places = np.flatnonzero(wanted != PAD)
        logits = model(rows[:, :-1], Tensor(places, device=rows.device))
        asked = Tensor(np.tile(wanted[places], MEMBERS), device=rows.device)
        said = logits.detach().cpu().numpy().mean(axis=0).argmax(axis=1)
        return cross_entropy(logits.reshape(-1, VOCABULARY), asked), float((said == wanted[places]).mean()) * len(rows)

    return fit(
        model,
        TensorDataset(data.train_tokens),
        step,
        optimizer=_optimizer,
        **usual(settings, EPOCHS, BATCH_SIZE, LEARNING_RATE),
    )


def _frequencies(rows: Tensor) -> Tensor:
    """(VOCABULARY): how often a token is one to say, at least once."""
    counts = np.bincount(rows.cpu().numpy()[:, 1:].ravel(), minlength=VOCABULARY).astype(np.float64)
    counts[[PAD, START]] = 0.0
    return Tensor((counts + 1.0) / (counts + 1.0).sum(), dtype=np.float32, device=rows.device)


def _optimizer(parameters: Iterable[Any], lr: float) -> Optimizer:
    """AdamW that draws only tables and matrices to 0; the tokens' frequencies are a matrix of one column."""
    groups: dict[bool, list[Any]] = {True: [], False: []}
    for each in parameters:
        groups[each.ndim > 1 and each.shape[-1] > 1].append(each)
    decays = {True: WEIGHT_DECAY, False: 0.0}
    return AdamW([{"params": each, "weight_decay": decays[key]} for key, each in groups.items()], lr)


def _probabilities(model: Decoders, rows: Tensor) -> np.ndarray:
    """(N, T - 1): of each token but the first, given those before it."""
    parts = []
    for start in range(0, len(rows), 64):
        wanted = rows[start : start + 64, 1:].cpu().numpy()
        parts.append(
            np.take_along_axis(told(model, rows[start : start + 64, :-1]), wanted[:, :, None], axis=2)[:, :, 0]
        )
    return np.concatenate(parts).astype(np.float64)


def score(model: Decoders, data: Dialogs) -> Scores:
    """The perplexity of each token of the test replies."""
    rows, begin = data.test_tokens.cpu().numpy(), data.test_begin.cpu().numpy()
    asked = (rows[:, 1:] != PAD) & (np.arange(1, rows.shape[1]) >= begin[:, None])
    return {"perplexity": float(np.exp(-np.log(_probabilities(model, data.test_tokens)[asked]).mean()))}


def baseline() -> Scores:
    """Kneser-Ney's trigrams and unigrams: fitted on the training side's texts, each once, on the same test tokens."""
    pairs, test = split()
    known = vocabulary(pairs)
    texts = [[START, *closed(text, known)] for text in distinct_texts(pairs)]
    replies = [[START, *closed(reply, known)] for _, reply in test]
    entropies = [KneserNey(order, VOCABULARY).fit(texts).cross_entropy(replies) for order in (3, 1)]
    return {"perplexity": math.exp(entropies[0]), "unigram_perplexity": math.exp(entropies[1])}


def reply(model: Decoders, prompt: list[str]) -> tuple[list[str], list[float]]:
    """The likeliest known token again and again, and how likely each was; the last may be the end, ``<end>``."""
    known = vocabulary(split()[0])
    rows = opening(prompt, known)
    said: list[str] = []
    likely: list[float] = []
    while len(said) < REPLY and (not said or said[-1] != known[END]):
        chances = told(model, Tensor(np.array([rows]), device=model.device))[0, -1]
        allowed = chances.copy()
        allowed[[PAD, START, UNKNOWN]] = -1.0
        if not said:
            allowed[END] = -1.0
        rows.append(int(allowed.argmax()))
        said.append(known[rows[-1]])
        likely.append(float(chances[rows[-1]]))
    return said, likely


def retrieved(prompts: list[list[str]]) -> list[Pair]:
    """The training pair whose prompt is nearest to each, by the cosine of TF-IDF."""
    pairs, _ = split()
    vectorizer = need("sklearn.feature_extraction.text", "scikit-learn").TfidfVectorizer(analyzer=lambda text: text)
    table = vectorizer.fit_transform([prompt for prompt, _ in pairs])
    nearest = np.asarray((vectorizer.transform(prompts) @ table.T).todense()).argmax(axis=1)
    return [pairs[row] for row in nearest]


def draw(path: Path, model: Decoders, data: Dialogs) -> None:
    """Test prompts with the network's reply, the darker the likelier, the corpus' and the retriever's."""
    _, test = split()
    short = [pair for pair in test if len(pair[0]) <= 14 and len(pair[1]) <= 20]
    chosen = [short[i] for i in np.linspace(0, len(short) - 1, 10).astype(int)]
    lines = []
    for (prompt, wanted), near in zip(chosen, retrieved([list(prompt) for prompt, _ in chosen]), strict=True):
        said, likely = reply(model, list(prompt))
        others = f"in the corpus: {' '.join(wanted)}\nretriever: {textwrap.shorten(' '.join(near[1]), 110)}"
        lines.append(Line(f"“{' '.join(prompt)}”   {others}", said, likely))
    perplexity = score(model, data)["perplexity"]
    title = (
        f"Held-out prompts, perplexity {perplexity:.1f} a token. Coloured: the network's reply, the bluer the likelier"
    )
    draw_words(path, title, lines)


def answer(model: Decoders, given: str, device: str | Device | None = None) -> Answer:
    """A reply, how likely each of its tokens was, and what the nearest training prompt was replied."""
    prompt = tokens(given)
    if not prompt:
        raise ValueError(f"{NAME}: there is no word in {given!r}")
    said, likely = reply(model, prompt)
    near = " ".join(retrieved([prompt])[0][1])
    unknown = [
        word for word, number in zip(prompt, numbers(prompt, vocabulary(split()[0])), strict=True) if number == UNKNOWN
    ]
    lines = [" ".join(word for word in said if word != "<end>")]
    lines += [f"  {part:.3f}  {word}" for word, part in zip(said, likely, strict=True)]
    lines.append(f"retriever: {near}")
    if unknown:
        lines.append(f"unknown words: {', '.join(unknown)}")
    facts = {"reply": lines[0], "tokens": list(zip(said, likely, strict=True)), "retrieved": near, "unknown": unknown}
    return Answer(facts, "\n".join(lines))
