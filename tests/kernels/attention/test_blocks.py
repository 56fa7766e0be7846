"""What the block-wise kernels promise beyond accuracy."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from pyneural.kernels import accuracy, backend
from pyneural.kernels.contract import OPERATIONS, Sample

CPU = backend("numba_cpu")


def inputs(rng: np.random.Generator, *shape: int) -> list[Any]:
    return [rng.standard_normal(shape).astype(np.float32) for _ in range(3)]


# Around the sizes of a tile, of a block of queries (64) and of a block of keys (126 or 128).
@pytest.mark.parametrize("length", [1, 15, 16, 17, 63, 64, 65, 129])
@pytest.mark.parametrize("keys", [1, 7, 8, 125, 126, 127, 128, 129, 257])
@pytest.mark.parametrize("is_causal", [False, True])
def test_edges_of_blocks(length: int, keys: int, is_causal: bool, rng: np.random.Generator) -> None:
    query = rng.standard_normal((2, length, 7)).astype(np.float32)
    key, value = rng.standard_normal((2, keys, 7)), rng.standard_normal((2, keys, 17))
    forward = Sample((query, key.astype(np.float32), value.astype(np.float32)), {"is_causal": is_causal})
    report = accuracy.compare(OPERATIONS["scaled_dot_product_attention"], forward, CPU)
    assert report.ok, report.message
    output, logsumexp = backend("reference").scaled_dot_product_attention(*forward.args, **forward.kwargs)
    grad = rng.standard_normal(output.shape).astype(np.float32)
    backward = Sample((grad, *forward.args, output, logsumexp), forward.kwargs)
    report = accuracy.compare(OPERATIONS["scaled_dot_product_attention_backward"], backward, CPU)
    assert report.ok, report.message


@pytest.mark.parametrize("is_causal", [False, True])
def test_same_bits_for_any_number_of_threads(is_causal: bool, rng: np.random.Generator) -> None:
    """One entry is shared out by blocks, several are taken whole: neither changes a bit."""
    query, key, value = inputs(rng, 3, 150, 24)
    grad = rng.standard_normal(query.shape).astype(np.float32)
    attributes = {"is_causal": is_causal}
    results = []
    threads = numba.get_num_threads()
    try:
        for count in {1, min(2, threads)}:
            numba.set_num_threads(count)
            output, logsumexp = CPU.scaled_dot_product_attention(query, key, value, **attributes)
            call = CPU.scaled_dot_product_attention_backward
            whole = call(grad, query, key, value, output, logsumexp, **attributes)
            single = [
                call(*(each[i : i + 1] for each in (grad, query, key, value, output, logsumexp)), **attributes)
                for i in range(3)
            ]
            results.append([output, logsumexp, *whole])
            results.append([output, logsumexp, *(np.concatenate(each) for each in zip(*single, strict=True))])
    finally:
        numba.set_num_threads(threads)
    for other in results[1:]:
        assert [each.tobytes() for each in other] == [each.tobytes() for each in results[0]]


def test_scratch_does_not_grow_with_the_matrix_of_scores() -> None:
    from pyneural.kernels.attention.forward import forward_items

    assert forward_items((64, 128, 32, 32), True, 4) == forward_items((8192, 16384, 32, 32), True, 4)


def test_masked_keys_may_hold_anything(rng: np.random.Generator) -> None:
    """Scores of keys that take no part are never used, NaN or not."""
    query, key, value = inputs(rng, 2, 70, 8)
    mask = rng.random((70, 70)) < 0.5
    mask[:, 3] = False
    expected = CPU.scaled_dot_product_attention(query, key, value, mask)
    key[:, 3] = np.nan
    found = CPU.scaled_dot_product_attention(query, key, value, mask)
    for have, want in zip(found, expected, strict=True):
        np.testing.assert_array_equal(have, want)
