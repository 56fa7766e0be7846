"""Kneser-Ney smoothing: a distribution, and the numbers of an example worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pyneural.apps.ngram import KneserNey


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_sum_to_one(order: int, rng: np.random.Generator):
    texts = [rng.integers(0, 7, int(rng.integers(1, 12))).tolist() for _ in range(20)]
    model = KneserNey(order, 9).fit(texts)
    for _ in range(30):
        context = rng.integers(0, 9, int(rng.integers(0, 7))).tolist()
        each = [model.probability(token, context) for token in range(9)]
        assert sum(each) == pytest.approx(1.0)
        assert min(each) > 0.0


def test_bigrams_by_hand():
    """Texts s a b, s a b, s a c with s, a, b, c = 0 to 3.

    Bigrams: sa 3, ab 2, ac 1; once 1, twice 1, so the discount is 1 / (1 + 2). Different tokens before: a 1, b 1, c 1;
    none twice, where the discount is 1/2.
    """
    model = KneserNey(2, 4).fit([[0, 1, 2], [0, 1, 2], [0, 1, 3]])
    assert model.discounts == pytest.approx([0.5, 1 / 3])
    one = (1 - 0.5) / 3 + 0.5 * 3 / 3 / 4
    assert model.probability(2, []) == pytest.approx(one)
    assert model.probability(0, []) == pytest.approx(0.5 / 4)
    assert model.probability(2, [1]) == pytest.approx((2 - 1 / 3 + 2 / 3 * one) / 3)
    assert model.probability(3, [0, 1]) == pytest.approx((1 - 1 / 3 + 2 / 3 * one) / 3)
    assert model.probability(1, [1]) == pytest.approx(2 / 3 * one / 3)
    # After a token that nothing followed there is only the lower order.
    assert model.probability(2, [3]) == pytest.approx(one)


def test_lower_orders_count_what_stands_before():
    """``2`` is frequent, but only after ``1``; ``3`` is rarer, after three different tokens."""
    model = KneserNey(2, 6).fit([[0, 1, 2]] * 9 + [[0, 1, 3], [0, 4, 3], [0, 5, 3]])
    assert model.probability(3, [2]) > model.probability(2, [2])
    assert KneserNey(1, 6).fit([[0, 1, 2]] * 9 + [[0, 1, 3]]).probability(2, []) > 0.4


def test_a_beginning_counts_as_often_as_it_is_seen():
    """Before a text's first tokens stands nothing, so that (0, 1) has its count, not a number of contexts."""
    model = KneserNey(3, 4).fit([[0, 1, 2]] * 5 + [[0, 3, 2]])
    assert model.counts[1][(0,)] == {1: 5, 3: 1}
    assert model.counts[2][(0, 1)] == {2: 5}


def test_cross_entropy_is_the_mean_of_logarithms():
    model = KneserNey(2, 4).fit([[0, 1, 2], [0, 1, 3]])
    expected = -(math.log(model.probability(1, [0])) + math.log(model.probability(3, [1]))) / 2
    assert model.cross_entropy([[0, 1, 3]]) == pytest.approx(expected)
    assert model.cross_entropy([[0, 1, 3]], start=[2]) == pytest.approx(-math.log(model.probability(3, [1])))


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"order \(=0\) and size \(=3\) must be at least 1"):
        KneserNey(0, 3)
    with pytest.raises(ValueError, match=r"token 3 is not in \[0, 3\)"):
        KneserNey(2, 3).fit([[0, 3]])
