"""The chat application: its split, what the network sees, its perplexity, its replies."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.apps import chat, dialogs
from pyneural.apps.dialogs import END, LENGTH, PAD, PROMPT, REPLY, START, UNKNOWN, VOCABULARY
from pyneural.apps.text import tokens

pytest.importorskip("chatterbot_corpus", reason="the conversations come with chatterbot-corpus, which is not installed")
pytest.importorskip("sklearn", reason="the retriever is scikit-learn's, which is not installed")


def test_no_text_is_on_both_sides():
    """Neither as a prompt nor as a reply."""
    train, test = dialogs.split()
    assert len(set(train) | set(test)) == len(train) + len(test) == 1228
    assert len(test) > 150
    sides = [{text for pair in side for text in pair} for side in (train, test)]
    assert not sides[0] & sides[1]


def test_linked_pairs_have_one_root(rng: np.random.Generator):
    """Of random pairs: the same root where a chain of common texts leads from one to the other, else another."""
    pairs = [tuple((str(n),) for n in rng.integers(0, 40, 2)) for _ in range(25)]
    found = dialogs.roots(pairs)  # type: ignore[arg-type]
    linked = [{number} for number in range(len(pairs))]
    for i, first in enumerate(pairs):
        for j, second in enumerate(pairs):
            if set(first) & set(second) and linked[i] is not linked[j]:
                linked[i] |= linked[j]
                for number in linked[i]:
                    linked[number] = linked[i]
    for i in range(len(pairs)):
        assert [found[i] == found[j] for j in range(len(pairs))] == [j in linked[i] for j in range(len(pairs))]


def test_the_vocabulary_is_of_the_training_side():
    train, test = dialogs.split()
    known = dialogs.vocabulary(train)
    assert len(known) == len(set(known)) == VOCABULARY
    spoken = {token for pair in train for text in pair for token in text}
    assert set(known[4:]) <= spoken
    assert {token for pair in test for text in pair for token in text} - spoken


def test_conversations_become_pairs(tmp_path: Path):
    (tmp_path / "a.yml").write_text(
        "conversations:\n- - Hello!\n  - It’s me\n  - Hello!\n- - Hello!\n  - It's me\n- - Alone\n- - 1\n  - yes\n",
        encoding="utf-8",
    )
    hello, me = ("hello", "!"), ("it's", "me")
    assert dialogs.read(tmp_path) == [(hello, me), (me, hello), (("1",), ("yes",))]


def test_tokens():
    assert tokens("It's_2 {x}!") == ["it's", "_", "2", "{", "x", "}", "!"]


def test_a_pair_as_tokens():
    known = (*dialogs.SPECIAL, "a", "b")
    rows, begin = dialogs.encoded(
        [(("a", "c"), ("b",)), (("a",) * (PROMPT + 5), ("b",) * (REPLY + 1)), (("b",), ("b",) * REPLY)], known
    )
    assert rows.shape == (3, LENGTH)
    assert rows[0, :7].tolist() == [START, 4, UNKNOWN, END, 5, END, PAD]
    assert begin.tolist() == [4, PROMPT + 2, 3]
    assert rows[1].tolist() == [START, *[4] * PROMPT, END, *[5] * REPLY, PAD]  # cut, and so without an end
    assert rows[2, : REPLY + 4].tolist() == [START, 5, END, *[5] * REPLY, END]


def _model(dtype: type = np.float64) -> chat.Decoders:
    pyneural.manual_seed(0)
    return chat.build(device="reference", dtype=dtype)


def test_no_token_sees_a_later_one(rng: np.random.Generator):
    model, rows = _model(), rng.integers(4, VOCABULARY, (2, 12))
    rows[:, 4] = END
    changed = rows.copy()
    changed[:, 8:] = rng.integers(4, VOCABULARY, (2, 4))
    ours, theirs = (chat.told(model, Tensor(each, device="reference")) for each in (rows, changed))
    assert ours.shape == (2, 12, VOCABULARY)
    np.testing.assert_allclose(ours[:, :8], theirs[:, :8], rtol=1e-12)
    assert abs(ours[:, 8:] / theirs[:, 8:] - 1.0).max() > 0.01


def test_perplexity_against_a_loop():
    """Only the tokens of replies count, with their ends."""
    model, data = _model(), chat.load_data("reference")
    few = replace(data, test_tokens=data.test_tokens[:3], test_begin=data.test_begin[:3])
    total, number = 0.0, 0
    for row, begin in zip(few.test_tokens.numpy(), few.test_begin.tolist(), strict=True):
        row = row[row != PAD]
        told = chat.told(model, Tensor(row[None], device="reference"))[0]
        for place in range(begin, len(row)):
            total -= math.log(told[place - 1, row[place]])
            number += 1
    assert chat.score(model, few)["perplexity"] == pytest.approx(math.exp(total / number), rel=1e-9)


def test_baselines_are_those_of_the_same_tokens():
    """As many as the network is asked for."""
    train, test = dialogs.split()
    known = dialogs.vocabulary(train)
    data = chat.load_data("reference")
    rows, begin = data.test_tokens.numpy(), data.test_begin.numpy()
    asked = (rows != PAD) & (np.arange(LENGTH) >= begin[:, None])
    assert asked.sum() == sum(len(dialogs.closed(reply, known)) for _, reply in test)
    found = chat.baseline()
    assert found["perplexity"] < 0.5 * found["unigram_perplexity"]


def test_a_reply_and_its_refusal(monkeypatch: pytest.MonkeyPatch):
    """What a network that has learnt a few pairs by heart says to their prompts; one member is quicker."""
    monkeypatch.setattr(chat, "MEMBERS", 1)
    data = chat.load_data("cpu")
    train, _ = dialogs.split()
    few = [i for i, (prompt, reply) in enumerate(train) if len(prompt) < 8 and len(reply) < 8][:8]
    rows = Tensor(np.repeat(data.train_tokens.numpy()[few], 4, axis=0))
    part = replace(data, train_tokens=rows, train_begin=data.train_begin[: len(rows)])
    pyneural.manual_seed(0)
    model = chat.build(device="cpu")
    chat.train(model, part, epochs=40, batch_size=16, lr=5e-3)
    answer = chat.answer(model, " ".join(train[few[0]][0]))
    said, likely = zip(*answer.facts["tokens"], strict=True)
    rows = Tensor(np.array([dialogs.opening(train[few[0]][0], dialogs.vocabulary(train))]))
    first = chat.told(model, rows)[0, -1]
    assert likely[0] == pytest.approx(first[dialogs.numbers(said[:1], dialogs.vocabulary(train))[0]], rel=1e-4)
    known = {
        tuple(dialogs.vocabulary(train)[n] for n in dialogs.closed(train[i][1], dialogs.vocabulary(train))) for i in few
    }
    assert said in known
    assert answer.text.splitlines()[0] == answer.facts["reply"]
    assert answer.facts["retrieved"] in {" ".join(pair[1]) for pair in train}
    assert chat.answer(model, "xyzzy what").facts["unknown"] == ["xyzzy"]
    with pytest.raises(ValueError, match="chat: there is no word in '  '"):
        chat.answer(model, "  ")
