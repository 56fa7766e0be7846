"""The application language: what a byte costs, what the network says and from what, what it takes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.apps import bibles, books, language
from pyneural.apps.books import VOCABULARY

pytest.importorskip("pysword", reason="the Bible is read by pysword, which is not installed")
if not (bibles.FOLDER / "mods.d" / "engWEB2015eb.conf").is_file():
    pytest.skip("the Bible comes with Debian's sword-text-web, which is not installed", allow_module_level=True)


def _model() -> language.Decoder:
    pyneural.manual_seed(0)
    model = language.build(device="reference", dtype=np.float64)
    return model.eval().requires_grad_(False)


def test_no_token_sees_a_later_one(rng: np.random.Generator):
    model, given = _model(), rng.integers(0, VOCABULARY, (2, 12))
    changed = given.copy()
    changed[:, 8:] = rng.integers(0, VOCABULARY, (2, 4))
    ours, theirs = (model(Tensor(each, device="reference")).numpy() for each in (given, changed))
    np.testing.assert_allclose(ours[:, :8], theirs[:, :8], rtol=1e-9, atol=1e-12)
    assert abs(ours[:, 8:] - theirs[:, 8:]).max() > 0.01


def test_with_kept_keys_the_logits_are_the_same(rng: np.random.Generator):
    model, given = _model(), Tensor(rng.integers(0, VOCABULARY, (2, 9)), device="reference")
    whole = model(given).numpy()
    told, kept = model.grown(given[:, :4])
    np.testing.assert_allclose(told.numpy(), whole[:, :4], rtol=1e-9, atol=1e-12)
    for place in range(4, 9):
        told, kept = model.grown(given[:, place : place + 1], kept)
        np.testing.assert_allclose(told.numpy()[:, 0], whole[:, place], rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match=f"there are {language.LENGTH + 1} tokens, more than {language.LENGTH}"):
        model(Tensor(np.zeros((1, language.LENGTH + 1), np.int64), device="reference"))


def test_bits_per_byte_against_a_loop(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch):
    """Each token from as many before it as a window has."""
    monkeypatch.setattr(language, "LENGTH", 12)
    monkeypatch.setattr(language, "STRIDE", 4)
    model = _model()
    stream = np.array(
        books.pairs().encode("\nIt happened in the days when the judges judged, that there was a famine.")
    )
    bits = 0.0
    for place in range(1, len(stream)):
        first = 0 if place <= 12 else (place - 9) // 4 * 4
        logits = model(Tensor(stream[None, first:place], device="reference")).numpy()[0, -1]
        bits -= (logits[stream[place]] - np.log(np.exp(logits).sum())) / math.log(2.0)
    count = len("It happened in the days when the judges judged, that there was a famine.")
    assert language.bits_per_byte(model, (stream,)) == pytest.approx(bits / count, rel=1e-9)


def test_the_n_grams_are_asked_for_the_same_bytes():
    _, _, test = books.split()
    counted = sum(int(language._bytes(stream[1:]).sum()) for stream in books.streams(2))
    assert counted == sum(len(text.encode()) for text in test.values())
    assert 1.5 < language.baseline_bits() < 3.0


def test_what_is_said_is_among_the_likeliest(rng: np.random.Generator):
    """And the same for the same seed; a network that is sure says what it is sure of."""
    model, given = _model(), rng.integers(0, VOCABULARY, 5).tolist()
    seed = int(rng.integers(2**31))
    said = language.continued(model, given, 6, seed)
    assert said == language.continued(model, given, 6, seed)
    assert any(said != language.continued(model, given, 6, seed + more) for more in (1, 2, 3))
    for place, token in enumerate(said):
        logits = model(Tensor(np.array([given + said[:place]]), device="reference")).numpy()[0, -1]
        chances = np.exp(logits / language.TEMPERATURE)
        chances /= chances.sum()
        assert chances[chances > chances[token]].sum() < language.NUCLEUS
    model.turn.weight[:] = model.turn.weight * 1e5
    sure = language.continued(model, given, 4, seed)
    likeliest: list[int] = []
    for _ in sure:
        told = model(Tensor(np.array([given + likeliest]), device="reference")).numpy()[0, -1]
        likeliest.append(int(told.argmax()))
    assert sure == likeliest


def test_a_page_by_heart_and_what_predict_takes(tmp_path: Path):
    data = language.load_data("cpu")
    few = replace(data, rows=Tensor(np.repeat(data.rows.numpy()[:4, :33], 8, axis=0)), validation=(data.test[0][:40],))
    pyneural.manual_seed(0)
    model = language.build(device="cpu")
    language.train(model, few, epochs=12, batch_size=8)
    assert model.curve.numpy()[0, -1] < 0.3 * model.curve.numpy()[0, 0]
    opening = books.pairs().decode(few.rows.numpy()[0, 1:9])
    answer = language.answer(model, opening)
    assert answer.facts["prompt"] == opening
    assert answer.text.startswith(opening + answer.facts["continuation"])
    assert answer.facts["bits_per_byte"] < language.answer(model, "Xylophones buzz, quoth Jack.").facts["bits_per_byte"]
    (tmp_path / "a.txt").write_text(opening + "\n", encoding="utf-8")
    assert language.answer(model, str(tmp_path / "a.txt")).facts == answer.facts
    assert len(language.answer(model, "word " * 400).facts["continuation"]) > 0
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\xc3")
    for given, message in (
        ("  ", "there is no text in '  '"),
        (str(tmp_path / "c.txt"), "there is no file"),
        (str(tmp_path), "is no file"),
        (str(tmp_path / "b.txt"), "is no text in UTF-8"),
    ):
        with pytest.raises(ValueError, match=message):
            language.answer(model, given)
