"""The verses that modules bring, how they are kept, and the splits of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyneural.apps import bibles, books
from pyneural.apps.bibles import Verse, letters, plain
from pyneural.apps.books import rows, windows
from pyneural.apps.extras import MissingPackage

installed = pytest.mark.skipif(
    not (bibles.FOLDER / "mods.d" / "engWEB2015eb.conf").is_file(),
    reason="the Bible comes with Debian's sword-text-web",
)


class Module:
    """A module of one book with chapters of two verses and of one, and of what pysword's modules have."""

    def __init__(self) -> None:
        self.unpacked = 0

    def _decompressed_text(self, part: str) -> str:
        self.unpacked += 1
        return {"1": "In  the\nbeginning,“so”|", "2": "Again"}[part]

    def get_structure(self) -> Any:
        book = SimpleNamespace(name="Genesis", chapter_lengths=[2, 1])
        return SimpleNamespace(get_books=lambda: {"ot": [book]})

    def get_iter(self, books: list[str], chapters: list[int], clean: bool) -> list[str]:
        for _ in range(3):
            whole = self._decompressed_text(str(*chapters))
        assert (books, clean) == (["Genesis"], False)
        return whole.split("|")


def test_verses_of_a_module_are_read_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYNEURAL_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "ot.bzz").write_bytes(b"1")
    made: list[Module] = []

    class Modules:
        def __init__(self, folder: str) -> None:
            assert folder == str(tmp_path)

        def parse_modules(self) -> dict[str, dict[str, str]]:
            return {"some": {"datapath": "./some"}}

        def get_bible_from_module(self, name: str) -> Module:
            assert name == "some"
            made.append(Module())
            return made[-1]

    expected = (Verse("Genesis", 1, 1, 'In the beginning,"so"'), Verse("Genesis", 2, 1, "Again"))
    for _ in range(2):
        bibles._bible.cache_clear()
        assert bibles._bible("some", Modules, tmp_path) == expected
    assert [each.unpacked for each in made] == [2]  # each part once
    (kept,) = (tmp_path / "cache" / "data").iterdir()
    assert json.loads(kept.read_text(encoding="utf-8"))[1] == ["Genesis", 2, 1, "Again"]
    # Another edition is another file.
    (tmp_path / "some" / "ot.bzz").write_bytes(b"2")
    bibles._bible.cache_clear()
    bibles._bible("some", Modules, tmp_path)
    assert len(made) == 2
    bibles._bible.cache_clear()


def test_a_chapter_of_another_length_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Module, "get_iter", lambda self, books, chapters, clean: ["a", "b", "c"])
    with pytest.raises(ValueError, match="Genesis 1 has 3 verses instead of 2"):
        bibles._read(Module())


def test_the_missing_package_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("pysword", reason="modules are read by pysword, which is not installed")
    monkeypatch.setattr(bibles, "FOLDER", tmp_path)
    with pytest.raises(MissingPackage, match=re.escape("sudo apt-get install sword-text-sparv")):
        bibles.bible(bibles.SPANISH)


def test_tags_go_and_words_stay_apart():
    note = '<note placement="foot"><reference>1:1 </reference>a “note”</note>'
    text = f'<title>Of David</title> <l level="1"/>¡<w lemma="x">God</w>{note}<w>made</w> <w>it</w>{note}, so. \n'
    assert bibles.untagged(text) == "¡God made it, so."


def test_plain_text_and_its_letters():
    assert plain(" “Who’s\u00a0there?”—he \n said ") == '"Who\'s there?"-he said'
    assert letters("“Who’s there?” He said:") == letters("who's there he SAID") == "who's there he said"


def _verses(*texts: tuple[str, str]) -> tuple[Verse, ...]:
    return tuple(Verse(book, 1, number, text) for number, (book, text) in enumerate(texts))


def test_a_repeated_verse_is_left_out_where_it_would_be_a_leak():
    verses = _verses(
        ("A", "One."), ("A", "Two"), ("A", "Three"), ("B", "two!"), ("B", "Four"), ("C", "one"), ("C", "Six")
    )
    train, validation, test = books.divided(verses, ("B",), ("C",))
    assert test == {"C": "one\nSix\n"}
    assert validation == {"B": "two!\nFour\n"}
    assert train == {"A": "Three\n"}


@installed
def test_no_book_and_no_verse_is_on_both_sides():
    pytest.importorskip("pysword", reason="modules are read by pysword, which is not installed")
    sides = books.split()
    assert [len(side) for side in sides] == [66 - 8, 3, 5]
    assert len({name for side in sides for name in side}) == 66
    verses = [{letters(line) for text in side.values() for line in text.splitlines()} for side in sides]
    assert not verses[0] & verses[1]
    assert not verses[0] & verses[2]
    assert not verses[1] & verses[2]
    assert sum(map(len, verses)) > 30_000
    # Whatever the tokens are, they are the text.
    for side in range(3):
        for stream, text in zip(books.streams(side), sides[side].values(), strict=True):
            assert books.pairs().decode(stream) == f"\n{text}"
    assert len(books.pairs()) == books.VOCABULARY


@pytest.mark.parametrize("length", [1, 5, 8])
def test_rows_are_the_stream(rng: np.random.Generator, length: int):
    streams = [rng.integers(0, 99, int(count)) for count in rng.integers(5, 30, 3)]
    whole, found = np.concatenate(streams), rows(streams, length)
    assert found.shape == ((len(whole) - 1) // length, length + 1)
    np.testing.assert_array_equal(found[:, 1:].ravel(), whole[1 : 1 + found[:, 1:].size])
    np.testing.assert_array_equal(found[1:, 0], found[:-1, -1])


@pytest.mark.parametrize(("length", "stride"), [(8, 4), (8, 8), (6, 1), (5, 3)])
def test_every_token_but_the_first_counts_once(rng: np.random.Generator, length: int, stride: int):
    for size in range(1, 40):
        stream = rng.integers(1, 99, size)
        given, counts = windows(stream, length, stride)
        np.testing.assert_array_equal(given[:, 1:][counts], stream[1:])
        assert counts[1:].any(axis=1).all()
        assert not counts[1:, : length - stride].any()
