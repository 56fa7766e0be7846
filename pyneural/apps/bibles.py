"""Two Bibles in the public domain, verse by verse: the World English Bible and the Reina-Valera of 1909.

Debian's `sword-text-web` and `sword-text-sparv` bring them as SWORD modules, which pysword reads. What was read is kept
as a table in the folder of caches, under a digest of the modules' files and of this one.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from pyneural.io import write_text
from pyneural.kernels.jit import cache_folder

from .extras import need, need_file
from .text import words

FOLDER = Path("/usr/share/sword")
ENGLISH, SPANISH = "engWEB2015eb", "spaRV1909eb"
PACKAGES = {ENGLISH: "sword-text-web", SPANISH: "sword-text-sparv"}
"""Debian's packages by the modules that they bring."""

_SIGNS = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "—": "-", "–": "-", "\N{NO-BREAK SPACE}": " "})
_SPACE = re.compile(r"\s+")
# A footnote stands instead of the space behind a word; pysword's own cleaner joins the two words.
_ASIDE, _TAG, _LOOSE = (
    re.compile(r"<(note|title)\b.*?</\1>", re.DOTALL),
    re.compile(r"<[^>]*>"),
    re.compile(r" ([,.;:?!])"),
)


@dataclass(frozen=True)
class Verse:
    """A verse of a book, by its English name; chapters and verses count from 1."""

    book: str
    chapter: int
    number: int
    text: str


def plain(text: str) -> str:
    """One line with the signs of a typewriter."""
    return _SPACE.sub(" ", text.translate(_SIGNS)).strip()


def untagged(text: str) -> str:
    """OSIS without its tags, footnotes and titles."""
    return _LOOSE.sub(r"\1", plain(_TAG.sub("", _ASIDE.sub(" ", text))))


def letters(text: str) -> str:
    """What two texts have in common that differ in signs, spaces and capitals alone."""
    return " ".join(each for each in words(text) if each not in "!?.,")


def bible(name: str) -> tuple[Verse, ...]:
    """The verses of a module that have a text, in their order.

    Raises:
        MissingPackage: pysword or the Debian package is not installed.
    """
    modules = need("pysword.modules", "pysword").SwordModules
    need_file(FOLDER / "mods.d" / f"{name}.conf", PACKAGES[name])
    return _bible(name, modules, FOLDER)


@functools.cache
def _bible(name: str, modules: Any, folder: Path) -> tuple[Verse, ...]:
    found = modules(str(folder))
    data = folder / found.parse_modules()[name]["datapath"]
    kept = cache_folder().with_name("data") / f"{name}-{_digest(data)}.json"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        rows = [astuple(each) for each in _read(found.get_bible_from_module(name))]
        write_text(kept, json.dumps(rows, ensure_ascii=False))
    return tuple(Verse(*row) for row in json.loads(kept.read_text(encoding="utf-8")))


def _digest(folder: Path) -> str:
    """Of a module's files, and of this one, which reads them."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(each for each in folder.iterdir() if each.is_file()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _read(module: Any) -> list[Verse]:
    # pysword unpacks a whole book for each of its verses.
    module._decompressed_text = functools.lru_cache(maxsize=1)(module._decompressed_text)
    verses = []
    for books in module.get_structure().get_books().values():
        for book in books:
            for chapter, length in enumerate(book.chapter_lengths, 1):
                texts = list(module.get_iter(books=[book.name], chapters=[chapter], clean=False))
                if len(texts) != length:
                    raise ValueError(f"bible: {book.name} {chapter} has {len(texts)} verses instead of {length}")
                for number, text in enumerate(map(untagged, texts), 1):
                    if text:
                        verses.append(Verse(book.name, chapter, number, text))
    return verses
