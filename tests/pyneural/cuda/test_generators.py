"""Arguments of kernels from text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyneural import cuda
from pyneural.cuda.arguments import STRUCT, Parameter
from pyneural.cuda.generators import dimensions, evaluate

SOURCE = """
#include <cuda_fp16.h>
__global__ void k(float a, const float* x, int* i, double* d, half* h, float4* v, unsigned char* b, void* w, int n) {}
"""


@pytest.fixture(scope="module")
def parameters() -> list[Any]:
    return list(cuda.compile(SOURCE, "simulator")["k"].parameters)


def test_arrays_take_the_dtype_of_the_parameter(parameters: list[Any]) -> None:
    text = (
        "2.0, rand(8, 3), ints(5, low=-3, high=4), arange(2, 6), randn(9), zeros(2, 4), full((2, 2), 7), ones(3), 4*4"
    )
    a, x, i, d, h, v, b, w, n = evaluate(text, parameters)
    assert (a, n) == (2.0, 16)
    assert (x.shape, x.dtype) == ((8, 3), np.float32)
    assert ((x >= 0) & (x < 1)).all()
    assert i.dtype == np.int32
    assert ((i >= -3) & (i < 4)).all()
    np.testing.assert_array_equal(d, [2.0, 3.0, 4.0, 5.0])
    assert (d.dtype, h.dtype, v.dtype, b.dtype, w.dtype) == (np.float64, np.float16, np.float32, np.uint8, np.float32)
    assert (v.shape, b.tolist(), w.tolist()) == ((2, 4), [[7, 7], [7, 7]], [1, 1, 1])


def test_a_dtype_may_be_given(parameters: list[Any]) -> None:
    values = evaluate("0, zeros(2, dtype=int64), None, empty(3, dtype='float16'), nullptr", parameters)
    assert [getattr(v, "dtype", v) for v in values] == [0, np.int64, None, np.float16, None]


def test_the_seed_decides(parameters: list[Any]) -> None:
    first, again, other = (evaluate("0, rand(50)", parameters, seed=s)[1] for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_empty_is_not_initialised() -> None:
    kernel = cuda.compile("__global__ void k(const float* x, float* y) { y[0] = x[1]; }\n", "simulator")["k"]
    report = cuda.sanitize(kernel)[1, 1](*evaluate("empty(4), zeros(4)", kernel.parameters))
    assert report.kinds == {"uninitialized_read"}


def test_names_of_the_caller(parameters: list[Any]) -> None:
    names = {"x": np.arange(12.0).reshape(3, 4), "n": 5}
    values = evaluate("n * 2 - 1, x[1:, 0], x.size, -n / 2", parameters, names=names)
    assert (values[0], values[1].tolist(), values[2], values[3]) == (9, [4.0, 8.0], 12, -2.5)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("1, 2)", ValueError, r"arguments \(='1, 2\)'\) are not a list of values"),
        ("a = 1", ValueError, "are not a list of values"),
        ("1, noise(3)", ValueError, "'noise' makes no array; rand, .*, empty, tensor_map do"),
        ("x", ValueError, "'x' is not known"),
        ("'text'", ValueError, "is no value that an argument may have"),
        ("__import__('os').system('true')", ValueError, "is no value that an argument may have"),
        ("().__class__", ValueError, "is no value that an argument may have"),
        ("2 ** 99999999", ValueError, "is too large"),
        ("1 / 0", ValueError, "division by zero"),
        ("0, zeros(-1)", ValueError, r"zeros\(-1\): negative dimensions"),
        ("0, zeros(2.5)", TypeError, r"zeros\(2\.5\): .*float"),
        ("0, rand(4, wide=1)", TypeError, "unexpected keyword argument 'wide'"),
        ("0, zeros(4, dtype=float31)", ValueError, r"dtype \(=float31\) must be one of bool, int8"),
        ("0, zeros(1), rand(4)", TypeError, "rand makes fractions, but the array is of int32"),
    ],
)
def test_wrong_texts(parameters: list[Any], text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate(text, parameters)


@pytest.mark.parametrize(
    ("text", "value"), [("4", (4,)), ("16, 8", (16, 8)), ("(1,2,3)", (1, 2, 3)), (" (7,) ", (7,)), ("-1", (-1,))]
)
def test_dimensions(text: str, value: tuple[int, ...]) -> None:
    assert dimensions(text) == value


@pytest.mark.parametrize("text", ["", "x", "1.5", "1,,2", "(1, 2"])
def test_wrong_dimensions(text: str) -> None:
    with pytest.raises(ValueError, match="is not one to three integers"):
        dimensions(text)


def test_a_tensor_map() -> None:
    parameters = [Parameter("x", STRUCT, "struct", 128, 64, 128, False)]
    text = "tensor_map(zeros(64, 32, dtype=float16), (16, 32), swizzle=64)"
    (made,) = evaluate(text, parameters)
    want = cuda.tensor_map(made.array, (16, 32), swizzle=64)
    assert (made.data, made.array.shape, made.array.dtype) == (want.data, (64, 32), np.float16)
    with pytest.raises(ValueError, match=r"tensor_map.*: swizzle \(=48\) must be"):
        evaluate("tensor_map(zeros(64, 32), (16, 32), swizzle=48)", parameters)
