"""Tokens of C++, no more than is needed to find CUDA's additions without being fooled by strings and comments."""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<space>(?:\s|\\\n)+)
  | (?P<comment>//(?:[^\\\n]|\\.|\\\n)*|/\*.*?\*/)
  | (?P<string>(?:u8|[uUL])?R"(?P<fence>[^()\s\\]{0,16})\(.*?\)(?P=fence)"
      |(?:u8|[uUL])?"(?:[^"\\\n]|\\.)*"
      |(?:u8|[uUL])?'(?:[^'\\\n]|\\.)+')
  | (?P<number>\.?\d(?:[eEpP][+-]|'?[\w.])*)
  | (?P<word>[A-Za-z_$][\w$]*)
  | (?P<mark><<<|>>>|::|->|\.\.\.|.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    kind: str
    """space, comment, string, number, word or mark."""
    text: str
    start: int


def tokenize(text: str) -> list[Token]:
    """All tokens of `text`; their texts joined give `text` again."""
    return [Token(_kind(match), match.group(), match.start()) for match in _scan(text)]


def _scan(text: str) -> list[re.Match[str]]:
    found = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None  # the last alternative takes any character
        found.append(match)
        position = match.end()
    return found


def _kind(match: re.Match[str]) -> str:
    return next(
        kind for kind in ("space", "comment", "string", "number", "word", "mark") if match.group(kind) is not None
    )
