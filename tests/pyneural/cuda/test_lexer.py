"""Tokens of C++ that rewriting depends on."""

from __future__ import annotations

import pytest

from pyneural.cuda.lexer import tokenize


def significant(text: str) -> list[str]:
    return [token.text for token in tokenize(text) if token.kind not in ("space", "comment")]


@pytest.mark.parametrize(
    "text",
    [
        "f<<<1, 2>>>(x); // \"not a string\"\n/* <<< */ int a = 1'000'000;",
        'auto s = R"xy(a )" b)xy"; char c = \'"\';',
        "#define LAUNCH(k) \\\n  k<<<1, 1>>>()\n",
        "a->b::c... .5e-3f 0x1p+3",
        "",
    ],
)
def test_tokens_join_to_the_text(text: str) -> None:
    assert "".join(token.text for token in tokenize(text)) == text


def test_marks_and_strings() -> None:
    assert significant('k<T><<<g, b>>>("<<<", R"(>>>)")') == [
        "k", "<", "T", ">", "<<<", "g", ",", "b", ">>>", "(", '"<<<"', ",", 'R"(>>>)"', ")",
    ]  # fmt: skip


def test_digit_separators_are_no_characters() -> None:
    assert significant("1'000 + 'x'") == ["1'000", "+", "'x'"]


def test_comments_may_continue_over_lines() -> None:
    assert significant("a // b \\\n c\nd") == ["a", "d"]
