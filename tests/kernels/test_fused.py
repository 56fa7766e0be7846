"""Fused kernels: the bits that the operations give one after the other, from the contracts' own samples."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pyneural import kernels
from pyneural.kernels.fused import kernel, work
from pyneural.kernels.pointwise import FLOATS, MOST_CHECKS, Instruction, Program, Work

NUMBA = kernels.backend("numba_cpu")


@functools.cache
def _works(dtype: str) -> dict[str, tuple[kernels.Sample, Work]]:
    """Of every operation that can be fused, the first sample that it can be fused for."""
    found = {}
    for name, operation in kernels.OPERATIONS.items():
        if operation.family not in ("elementwise", "activation") or np.dtype(dtype) not in operation.dtypes:
            continue
        for sample in operation.samples(np.random.default_rng(zlib.crc32(name.encode())), np.dtype(dtype)):
            if not all(isinstance(each, np.ndarray) for each in sample.args):
                continue
            spec = operation.check(*sample.args, **sample.kwargs)
            if not isinstance(spec, kernels.Spec):
                continue
            out = np.empty(spec.shape, spec.dtype)
            found_work = work(name, NUMBA.implementation(operation), sample.args, sample.kwargs, out)
            kinds = {each.dtype for each in (*sample.args, out) if each.dtype != np.bool_}
            if found_work is not None and len(kinds) == 1 and kinds <= FLOATS:
                found[name] = sample, found_work
                break
    return found


NAMES = sorted(_works("float32"))


def test_what_can_be_fused() -> None:
    """Those that a network has most of are among them."""
    expected = {"add", "mul", "sub", "div", "relu", "relu_backward", "gelu", "gelu_backward", "silu", "tanh_backward",
                "where", "cast", "clamp", "gt", "ge", "exp", "leaky_relu", "maximum"}  # fmt: skip
    assert expected <= set(NAMES)
    assert not {"pow", "sin", "softmax", "sum", "matmul"} & set(NAMES)


def _random(rng: np.random.Generator, count: int, dtype: Any) -> np.ndarray:
    x = rng.standard_normal(count).astype(dtype)
    x[rng.integers(0, count, 1 + count // 50)] = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0])
    return x


def _chain(names: Sequence[str], dtype: str, count: int, rng: np.random.Generator) -> None:
    """Each operation of the result before it, and of two arrays and a mask: the last number, bit for bit."""
    kind = np.dtype(dtype)
    arrays = [_random(rng, count, kind), _random(rng, count, kind), rng.random(count) < 0.5]
    value, place, made = arrays[0], 0, 3
    instructions: list[Instruction] = []
    numbers: list[float] = []
    for name in names:
        sample = _works(dtype)[name][0]
        args, places, floats = [], [], iter([(value, place), (arrays[1], 1), (arrays[0], 0)])
        for each in sample.args:
            given, where = (arrays[2], 2) if each.dtype == np.bool_ else next(floats)
            args.append(given)
            places.append(where)
        result = getattr(NUMBA, name)(*args, **sample.kwargs)
        does = work(name, _kernel(name), tuple(args), sample.kwargs, result)
        assert does is not None
        operands = tuple(places[next(i for i, arg in enumerate(args) if arg is each)] for each in does.operands)
        given_numbers = tuple(range(len(numbers), len(numbers) + len(does.numbers)))
        instructions.append(Instruction(does.does, operands, given_numbers, result.dtype == np.bool_))
        numbers += does.numbers
        if result.dtype == np.bool_:  # a truth chooses between two numbers
            instructions.append(Instruction(_kernel_work("where"), (made, place, 1), ()))
            result, made = NUMBA.where(result, value, arrays[1]), made + 1
        value, place, made = result, made, made + 1
    out = np.empty_like(value)
    program = Program(
        kind, tuple((each.dtype, False) for each in (*arrays, out)), (0, 1, 2, -1), tuple(instructions),
        (-1, -1, -1, place), len(numbers),
    )  # fmt: skip
    assert program.checks <= MOST_CHECKS
    assert kernel(program)(np.ndarray, *numbers, *arrays, out)
    np.testing.assert_array_equal(out, value)
    finite = ~np.isnan(value)
    np.testing.assert_array_equal(np.signbit(out[finite]), np.signbit(value[finite]))


@pytest.mark.parametrize("first", range(0, len(NAMES), 6))
def test_several_in_one_pass(first: int, rng: np.random.Generator) -> None:
    for count in (2, 31, 33, 4099, 70_001):
        _chain(NAMES[first : first + 6], "float32", count, rng)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_each_alone(name: str, dtype: str, rng: np.random.Generator) -> None:
    for count in (2, 31, 33, 4099, 70_001):
        _chain([name], dtype, count, rng)


def _kernel(name: str) -> Any:
    return NUMBA.implementation(kernels.OPERATIONS[name])


def _kernel_work(name: str) -> Any:
    """What the operation does to an element."""
    zero = np.zeros(2, np.float32)
    found = work(name, _kernel(name), (zero > 0, zero, zero), {}, zero)
    assert found is not None
    return found.does


def test_in_place_and_single_elements(rng: np.random.Generator) -> None:
    """``x = x * s + y``, written over x; s is one element."""
    x, y, s = rng.standard_normal(1009), rng.standard_normal(1009), rng.standard_normal(1)
    expected = x * s + y
    times, plus = _kernel("mul").pointwise, _kernel("add").pointwise
    f64 = np.dtype("float64")
    program = Program(f64, ((f64, False), (f64, True), (f64, False)), (0, 1, 2),
                      (Instruction(times, (0, 1), ()), Instruction(plus, (3, 2), ())), (4, -1, -1), 0)  # fmt: skip
    assert kernel(program)(np.ndarray, x, s, y)
    np.testing.assert_array_equal(x, expected)


def test_arrays_that_do_not_fit_are_refused(rng: np.random.Generator) -> None:
    x = rng.standard_normal((6, 5))
    f64 = np.dtype("float64")
    program = Program(f64, ((f64, False), (f64, False)), (0, -1), (Instruction(_kernel("neg").pointwise, (0,), ()),),
                      (-1, 1), 0)  # fmt: skip
    out = np.zeros((6, 5))
    assert not kernel(program)(np.ndarray, x.T, out)
    assert not kernel(program)(np.ndarray, x[:5], out)
    assert not out.any()
    assert kernel(program)(np.ndarray, x, out)
    np.testing.assert_array_equal(out, -x)
