"""The application translate: its couples, its beams, what is held against it, what it takes."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.apps import bibles, couples, translate, translator
from pyneural.apps.bibles import Verse, letters
from pyneural.apps.couples import END, LENGTH, PAD, START, VOCABULARY
from pyneural.apps.text_pictures import draw_attention, shown
from pyneural.apps.wordtable import WordTable

Image = pytest.importorskip("PIL.Image", reason="pictures are read by Pillow, which is not installed")
pytest.importorskip("pysword", reason="the Bibles are read by pysword, which is not installed")
pytest.importorskip("sacrebleu", reason="translations are judged by sacrebleu, which is not installed")
if not all((bibles.FOLDER / "mods.d" / f"{each}.conf").is_file() for each in bibles.PACKAGES):
    pytest.skip("the Bibles come with Debian's sword-text-web and sword-text-sparv", allow_module_level=True)


# Couples


def test_no_verse_is_on_both_sides():
    sides = couples.split()
    assert sum(map(len, sides)) > 10_000
    assert min(map(len, sides)) > 200
    for language in (0, 1):
        texts = [{letters(couple[language]) for couple in side} for side in sides]
        for one, other in itertools.combinations(texts, 2):
            assert not one & other
        assert max(len(each.split()) for side in texts for each in side) == couples.WORDS


def test_couples_that_share_a_verse_stay_together():
    def verses(*texts: str) -> tuple[Verse, ...]:
        return tuple(Verse("A", 1, number, text) for number, text in enumerate(texts, 1))

    english = verses("One.", "one", "Two", "Three", "Nobody", "word " * (couples.WORDS + 1))
    spanish = (*verses("Uno", "Un", "uno!", "Tres"), Verse("A", 1, 6, "palabra"))
    found = couples.divided(english, spanish)
    assert {couple for side in found for couple in side} == {
        ("One.", "Uno"),
        ("one", "Un"),
        ("Two", "uno!"),
        ("Three", "Tres"),
    }
    assert sum(("One.", "Uno") in side and ("one", "Un") in side and ("Two", "uno!") in side for side in found) == 1


def test_a_couple_as_tokens():
    train, _, test = couples.split()
    for text in (test[0][0], test[0][1], "¿Qué? Ñandú"):
        assert couples.spelled(couples.numbers(text)) == text
    rows = couples.encoded(["In the beginning", "x " * 90], start=True)
    assert rows.shape == (2, LENGTH + 1)
    assert (rows[:, 0] == START).all()
    known = couples.numbers("In the beginning")
    assert rows[0, 1 : len(known) + 1].tolist() == known
    assert (rows[0, len(known) + 1 :] == PAD).all()
    assert rows[1, -1] == END
    assert rows.max() < VOCABULARY
    cut = sum(len(couples.numbers(text)) == LENGTH for couple in train for text in couple)
    assert cut < 0.01 * 2 * len(train)


# The network


def _model() -> translator.Translator:
    pyneural.manual_seed(0)
    model = translate.build(device="reference", dtype=np.float64)
    return model.eval().requires_grad_(False)


def _source(rng: np.random.Generator) -> np.ndarray:
    source = rng.integers(3, VOCABULARY, (2, 6))
    source[1, 4:] = PAD
    return source


def test_padding_and_later_tokens_change_nothing(rng: np.random.Generator):
    model, source, target = _model(), _source(rng), rng.integers(3, VOCABULARY, (2, 7))
    changed = target.copy()
    changed[:, 5:] = PAD
    ours, theirs = (model(*(Tensor(x, device="reference") for x in (source, y))).numpy() for y in (target, changed))
    np.testing.assert_allclose(ours[:, :5], theirs[:, :5], rtol=1e-9, atol=1e-12)
    alone = model(Tensor(source[1:, :4], device="reference"), Tensor(target[1:], device="reference")).numpy()
    np.testing.assert_allclose(alone[0], ours[1], rtol=1e-9, atol=1e-12)
    other = source.copy()
    other[0, 0] = (other[0, 0] + 1) % VOCABULARY
    moved = model(Tensor(other, device="reference"), Tensor(target, device="reference")).numpy()
    assert abs(moved[0] - ours[0]).max() > 1e-4
    places = Tensor(np.array([0, 9]), device="reference")
    few = model(Tensor(source, device="reference"), Tensor(target, device="reference"), places).numpy()
    np.testing.assert_allclose(few, ours.reshape(14, -1)[[0, 9]], rtol=1e-9, atol=1e-12)


def test_what_it_looks_at_sums_to_one_and_is_no_padding(rng: np.random.Generator):
    model, source, target = _model(), _source(rng), rng.integers(3, VOCABULARY, (2, 7))
    looks = model.looks(Tensor(source, device="reference"), Tensor(target, device="reference")).numpy()
    assert looks.shape == (2, 7, 6)
    np.testing.assert_allclose(looks.sum(-1), 1.0)
    assert (looks[1, :, 4:] == 0.0).all()


def _worth(model: translator.Translator, source: np.ndarray, said: list[int]) -> float:
    """The log-probability by its length's power, without kept keys."""
    target = Tensor(np.array([[START, *said[:-1]]]), device="reference")
    logits = model(Tensor(source[None], device="reference"), target).numpy()[0]
    costs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return float(costs[range(len(said)), said].sum() / len(said) ** translator.NORM)


def test_beams_are_worth_what_they_say(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(translator, "LENGTH", 6)
    model, source = _model(), _source(rng)
    model.table.weight[END] = model.table.weight[END] * 3.0  # now and then an end
    found = translator.search(model, source, 3)
    for row, said in zip(source, found, strict=True):
        assert len(said) == 3
        assert len({tuple(tokens) for tokens, _ in said}) == 3
        assert [value for _, value in said] == sorted((value for _, value in said), reverse=True)
        for tokens, value in said:
            assert value == pytest.approx(_worth(model, row[row != PAD], tokens), rel=1e-9)
            assert END not in tokens[:-1]
            assert tokens[-1] == END or len(tokens) == 6


def test_as_many_beams_as_there_are_ways_find_the_best(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch):
    """Of all translations of at most two tokens; and one beam is the likeliest token again and again."""
    for module in (translator, couples):
        monkeypatch.setattr(module, "LENGTH", 2)
        monkeypatch.setattr(module, "VOCABULARY", 9)
    model, source = _model(), rng.integers(3, 9, (1, 2))
    ways = [[END], *([a, b] for a in range(3, 9) for b in range(2, 9))]
    ranked = sorted(ways, key=lambda said: -_worth(model, source[0], said))
    (found,) = translator.search(model, source, 8)
    assert found[0][0] == ranked[0]
    (greedy,) = translator.search(model, source, 1)
    said: list[int] = []
    while len(said) < 2 and END not in said:
        target = Tensor(np.array([[START, *said]]), device="reference")
        logits = model(Tensor(source, device="reference"), target).numpy()[0, -1]
        said.append(2 + int(logits[2:].argmax()))
    assert greedy[0][0] == said


# What is held against it


def test_a_table_learns_which_word_is_which():
    """From couples in which no word stands alone."""
    words = {"dog": "perro", "cat": "gato", "bird": "pájaro", "fish": "pez"}
    told = [(f"the {a} and the {b}", f"el {words[a]} y el {words[b]}") for a, b in itertools.permutations(words, 2)]
    table = WordTable().fit(told)
    assert table.translate("The fish and the dog") == "El pez y el perro"
    assert table.translate("unicorn") == ""
    for word, spanish in words.items():
        assert table.target[table.table[word][0][0]] == spanish
    assert all(sum(chance for _, chance in each) <= 1.0 + 1e-9 for each in table.table.values())


def test_signs_stand_where_they_belong():
    table = WordTable().fit([("who ? he , ( she )", "¿ quién ? él , ( ella )")] * 2)
    assert " ?" not in table.translate("who ?")


def test_the_nearest_verse_of_a_training_verse_is_itself():
    train, _, test = couples.split()
    few = [couple for couple in train[::400] if len(letters(couple[0]).split()) > 5]
    near = translate.nearest([english for english, _ in few])
    assert sum(one == other for one, other in zip(few, near, strict=True)) > 0.9 * len(few)
    assert not {english for english, _ in translate.nearest([test[0][0]])} & {english for english, _ in test}


def test_a_perfect_translation_is_worth_a_hundred():
    verses = ["Jesús lloró amargamente.", "En el principio crió Dios los cielos y la tierra."]
    assert translate.worth(verses, verses) == {"chrf": pytest.approx(100.0), "bleu": pytest.approx(100.0)}
    assert max(translate.worth(["x"] * 2, verses).values()) < 5.0


# What it takes


def test_a_few_verses_by_heart_and_a_refusal():
    data = translate.load_data("cpu")
    few = [row for row, each in enumerate(data.train_target.numpy()) if (each != PAD).sum() < 14][:6]
    part = replace(
        data,
        train_source=Tensor(np.repeat(data.train_source.numpy()[few], 8, axis=0)),
        train_target=Tensor(np.repeat(data.train_target.numpy()[few], 8, axis=0)),
        validation_source=data.train_source[: len(few)],
        validation_target=data.train_target[: len(few)],
    )
    part = replace(part, validation_source=part.train_source, validation_target=part.train_target)
    pyneural.manual_seed(0)
    model = translate.build(device="cpu")
    translate.train(model, part, epochs=14, batch_size=12)
    train, _, _ = couples.split()
    for row in few:
        answer = translate.answer(model, train[row][0])
        assert answer.facts["translation"] == train[row][1]
        assert answer.text.startswith(train[row][1])
        assert len(answer.facts["beams"]) == translator.BEAMS
        assert answer.facts["nearest"][0] in {english for english, _ in train}
    source, target = couples.numbers(train[few[0]][0]), couples.numbers(train[few[0]][1])
    assert translate.looks(model, source, target).shape == (len(target), len(source))
    with pytest.raises(ValueError, match=r"there is no word in ' \?! '"):
        translate.answer(model, " ?! ")
    with pytest.raises(ValueError, match=rf"the sentence has \d+ tokens, more than {LENGTH}: xyz"):
        translate.answer(model, "xyzzy " * 40)


def test_a_picture_of_any_signs(tmp_path: Path):
    """A font does not have all of them; what is darker was looked at more."""
    draw_attention(tmp_path / "p.png", "title", [(["a", "\x16$", "中"], ["é", "$x$"], np.eye(2, 3))] * 3)
    with Image.open(tmp_path / "p.png") as picture:
        pixels = np.asarray(picture.convert("RGB"), int)
    assert (pixels[..., 2] - pixels[..., 0] > 50).any()
    assert shown(" a\n\x16中 é") == "a ·· é"
