"""The sentiment application: its split, its pieces of words, what a sentence is told."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.apps import sentiment
from pyneural.apps.extras import MissingPackage
from pyneural.apps.sentiment import LENGTH, PIECES, ROWS
from pyneural.apps.text import bucket, source_archive, words


@pytest.fixture(scope="module")
def data() -> sentiment.Snippets:
    try:
        return sentiment.load_data("cpu")
    except MissingPackage as error:
        pytest.skip(str(error))


def test_no_snippet_is_on_both_sides(data: sentiment.Snippets):
    """Not even one that differs in signs and capitals alone."""
    sides = [
        {" ".join(each for each in words(text) if each.isalnum() or "'" in each) for text in texts}
        for texts in (data.train_texts, data.test_texts)
    ]
    assert not sides[0] & sides[1]
    assert len(data.train_texts) + len(data.test_texts) == 10605 - 37  # of mean 0
    assert 0.19 < len(data.test_texts) / 10568 < 0.21
    rows = [{each.tobytes() for each in part.numpy()} for part in (data.train_pieces, data.test_pieces)]
    assert not rows[0] & rows[1]


def test_the_ratings_are_the_snippets(data: sentiment.Snippets):
    told = dict(zip(data.train_texts, data.train_valence.numpy(), strict=True))
    told.update(zip(data.test_texts, data.test_valence.numpy(), strict=True))
    assert told["Effective but too tepid biopic"] == pytest.approx(-0.6)
    assert told["This is a film well worth seeing, talking and singing heads and all."] == pytest.approx(31 / 15)
    assert not (np.array(list(told.values())) == 0).any()


def test_buckets_hang_on_letters_alone():
    assert bucket("A pretentious mess.", 5) == bucket("a  Pretentious   mess!", 5)
    counts = np.bincount([bucket(f"text {number}", 4) for number in range(4000)])
    assert (abs(counts - 1000) < 150).all()


def test_words():
    assert words("It isn’t ''Great''; it's 2 good!") == ["it", "isn't", "great", "it's", "2", "good", "!"]
    assert words(" - ") == []


def test_pieces_of_a_word(rng: np.random.Generator):
    rows = sentiment._pieces(["bad bads", ""])
    assert rows.shape == (2, LENGTH, PIECES)
    assert rows.max() < ROWS
    # <bad>: the word, <ba bad ad>, <bad bad>, <bad>.
    assert np.count_nonzero(rows[0, 0]) == 1 + 3 + 2 + 1
    shared = set(rows[0, 0].tolist()) & set(rows[0, 1].tolist())
    assert len(shared - {0}) == 3  # <ba bad <bad
    # The pair with the word before is one more.
    assert np.count_nonzero(rows[0, 1]) == 1 + 4 + 3 + 2 + 1
    assert not rows[0, 2:].any()
    assert not rows[1].any()
    long = sentiment._pieces(["".join(rng.choice(list("abc"), 60)), "word " * 60])
    assert long.shape == (2, LENGTH, PIECES)


def test_padding_changes_nothing_in_what_a_sentence_is_told():
    """A sentence's valence is the same whatever stands beside it in the batch, and finite where nothing stands."""
    pyneural.manual_seed(0)
    model = sentiment.build(device="reference", dtype=np.float64)
    texts = ["good film", "", "a very much longer sentence about a film that goes on"]
    together = sentiment._valence(model, Tensor(sentiment._pieces(texts), device="reference"))
    alone = [sentiment._valence(model, Tensor(sentiment._pieces([text]), device="reference"))[0] for text in texts]
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    assert np.isfinite(together).all()


def test_it_learns_what_a_sentence_is_told(data: sentiment.Snippets):
    few = 256
    part = replace(
        data,
        train_pieces=data.train_pieces[:few],
        train_valence=data.train_valence[:few],
        test_pieces=data.train_pieces[:few],
        test_valence=data.train_valence[:few],
    )
    pyneural.manual_seed(0)
    model = sentiment.build(device="cpu")
    sentiment.train(model, part, epochs=10, lr=1e-2)
    assert sentiment.score(model, part)["accuracy"] > 0.9
    text = "A wonderful, moving film."
    told = sentiment.answer(model, text)
    spoken, whole, parts = sentiment.saliency(model, text)
    assert spoken == ["a", "wonderful", ",", "moving", "film", "."]
    assert told.facts["valence"] == whole
    assert told.text.startswith(f"{'positive' if whole > 0 else 'negative'}: valence {whole:+.2f}")
    without = sentiment._valence(model, Tensor(sentiment._pieces(["a, moving film."])))[0]
    assert parts[1] == pytest.approx(whole - without, abs=1e-5)


@pytest.mark.parametrize("given", ["", " ?? ".replace("?", "-"), "''"])
def test_what_has_no_word_is_refused(given: str):
    with pytest.raises(ValueError, match="sentiment: there is no word in "):
        sentiment.answer(sentiment.build(device="cpu"), given)


def test_a_missing_archive_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYNEURAL_DATA", str(tmp_path))
    with pytest.raises(MissingPackage) as caught:
        source_archive("vaderSentiment", "3.3.2")
    assert str(caught.value).endswith(
        f'pip download --no-deps --no-binary :all: --dest "{tmp_path}" vaderSentiment==3.3.2'
    )


def test_the_archive_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One that we pack: the file within the archive within the archive, without snippets of mean 0."""
    inner = io.BytesIO()
    lines = "".join(f"{number}\t{valence}\tTEXT caf\xe9 {number}\n" for number, valence in enumerate((1.5, 0, -2) * 9))
    for packed, name, content in (
        (inner, "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt", lines.encode()),
        (None, "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz", None),
    ):
        content = inner.getvalue() if content is None else content
        target = {"fileobj": packed} if packed is not None else {"name": tmp_path / "vaderSentiment-3.3.2.tar.gz"}
        with tarfile.open(mode="w:gz", **target) as archive:  # type: ignore[call-overload]
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    monkeypatch.setenv("PYNEURAL_DATA", str(tmp_path))
    (texts, valence), (test_texts, test_valence) = sentiment._split()
    assert len(texts) + len(test_texts) == 18
    assert {*texts} | {*test_texts} <= {f"TEXT caf\xe9 {number}" for number in range(27)}
    assert {*valence.tolist(), *test_valence.tolist()} == {1.5, -2.0}
    assert [bucket(text, 5) for text in test_texts] == [0] * len(test_texts)
