"""The error rule judges what it says: exact and rounded answers pass, wrong ones and stray NaNs do not."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyneural.kernels import OPERATIONS, accuracy, dtypes
from pyneural.kernels.backend import HOST
from pyneural.kernels.contract import Sample


def judge(name: str, sample: Sample, kernel: Callable[..., np.ndarray]) -> accuracy.Report:
    """The verdict on a backend whose operation ``name`` is ``kernel``."""

    def call(*args: Any, out: np.ndarray, **kwargs: Any) -> None:
        out[...] = kernel(*args, **kwargs)

    return accuracy.compare(OPERATIONS[name], sample, _backend(name, call))


def _backend(name: str, call: Callable[..., None]) -> Any:
    return SimpleNamespace(**{name: call}, engine=HOST)


def units(sample: Sample) -> float:
    return dtypes.epsilon(sample.args[0].dtype)


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def ones(request: pytest.FixtureRequest) -> Sample:
    return Sample((np.ones(5, request.param),))


def test_a_few_units_pass_and_more_fail(ones: Sample) -> None:
    assert judge("exp", ones, lambda x: np.exp(x) * (1 + 3 * units(ones))).ok
    report = judge("exp", ones, lambda x: np.exp(x) * (1 + 12 * units(ones)))
    assert not report.ok
    assert "2.71828" in report.message


def test_nan_infinity_and_a_wrong_shape_never_pass(ones: Sample) -> None:
    for stray in (np.nan, np.inf, -np.inf):
        assert not judge("exp", ones, lambda x, stray=stray: np.where(np.arange(5) == 3, stray, np.exp(x))).ok
    with np.errstate(over="ignore"):
        assert judge("exp", Sample((1e4 * ones.args[0],)), lambda x: np.full_like(x, np.inf)).ok
        assert not judge("exp", Sample((1e4 * ones.args[0],)), lambda x: np.full_like(x, np.nan)).ok


def test_an_overflow_on_the_way_to_a_number_may_happen_or_not() -> None:
    sample = Sample((np.array([1e30, 1e30, 1e-30, 1e-30], np.float32),))
    for right in (1.0, np.inf):  # the plain evaluation, from left to right, is infinite
        assert judge("prod", sample, lambda x, right=right, **_: np.asarray(right)).ok
    for wrong in (1.001, -np.inf, np.nan):
        assert not judge("prod", sample, lambda x, wrong=wrong, **_: np.asarray(wrong)).ok


def test_an_infinity_times_what_is_below_the_range_is_nan_or_infinite() -> None:
    sample = Sample((np.array([np.inf], np.float32), np.array([-16.0], np.float32)), {"approximate": "tanh"})
    for right in (-np.inf, np.nan):
        assert judge("gelu_backward", sample, lambda *_, right=right, **__: np.asarray([right])).ok
    for wrong in (np.inf, 0.0):
        assert not judge("gelu_backward", sample, lambda *_, wrong=wrong, **__: np.asarray([wrong])).ok


def test_an_output_left_alone_is_seen(ones: Sample) -> None:
    report = accuracy.compare(OPERATIONS["exp"], ones, _backend("exp", lambda x, out: None))
    assert "nan" in report.message


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_an_ill_conditioned_sum_may_lose_what_its_terms_lost(dtype: type) -> None:
    """Terms of both signs that cancel: the order of additions decides the last digits of the large terms, not more."""
    terms = np.array([1e6 / 3, -1e6 / 3, 0.001], dtype)  # exact from left to right
    unit = dtypes.epsilon(np.dtype(dtype))
    assert judge("sum", Sample((terms,)), lambda x, **_: (x[2] + x[0]) + x[1]).ok
    assert not judge("sum", Sample((terms,)), lambda x, **_: x.sum() + 30 * unit * abs(terms[0])).ok


def test_a_well_conditioned_sum_has_no_such_freedom() -> None:
    terms = np.full(64, 1 / 3, np.float32)
    assert not judge("sum", Sample((terms,)), lambda x, **_: x.sum() * (1 + 16 * units(Sample((terms,))))).ok


def test_half_precision_must_accumulate_in_single() -> None:
    terms = np.full(4096, 1.0, np.float16)
    assert judge("sum", Sample((terms,)), lambda x, **_: x.sum(dtype=np.float32)).ok
    assert not judge("sum", Sample((terms,)), lambda x, **_: np.cumsum(x)[-1]).ok  # stuck at 2048


def test_integers_are_exact() -> None:
    sample = Sample((np.arange(5),))
    assert judge("neg", sample, lambda x: -x).ok
    assert "expected -4" in judge("neg", sample, lambda x: np.where(x == 4, -5, -x)).message.replace(
        "np.int64(-4)", "-4"
    )
