"""How wrong a backend may be: the one rule that tests, benchmarks and the demo judge kernels by.

Against the reference evaluated in float64, a kernel's error may be at most twice that of a plain
evaluation in the kernel's own dtype, plus a few units of that dtype's epsilon (the contract's
``ulps``). The rule follows FlashAttention's tests (Dao, 2022). A plain evaluation is one draw, and now
and then a lucky one, nearly exact where the problem is ill-conditioned. So the plain error is the
largest that the reference shows in the kernel's dtype, and in the dtype it computes in (float32 for the
halves) on inputs moved by up to two units: what any evaluation may show that is stable in the mixed sense
(Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 1.5). float64 has no more accurate
evaluation to be held against: float32's errors, scaled, stand in for its own, and three times them are allowed,
for the reference's error comes beside the kernel's. In float32 a contract may allow more than twice the plain
error where that is the price of fewer products (its ``times``). A NaN or an infinity is wrong wherever the
reference has another value there; where only the plain evaluation overflows, on the way to a number, both are right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import dtypes
from .backend import Backend, backend
from .contract import Operation, Sample
from .cuda_memory import is_array
from .record import copied

DRAWS = 8  # of moved inputs


@dataclass(frozen=True)
class Report:
    """The verdict on one call.

    Attributes:
        error: the largest error, relative to the reference element (``"elementwise"``) or to the
            largest one (``"norm"``).
        allowed: what was allowed where the error came nearest to it or passed it.
        message: what is wrong, with values; empty where nothing is.
    """

    error: float
    allowed: float
    message: str

    @property
    def ok(self) -> bool:
        return not self.message


def compare(operation: Operation, sample: Sample, subject: Backend) -> Report:
    """Run ``sample`` on ``subject`` with poisoned outputs and judge every result."""
    got = evaluate(operation, sample, subject)
    dtype = floating_dtype(sample)
    if operation.error == "exact" or dtype is None:
        truth = plain = evaluate(operation, sample, backend("reference"))
    else:
        truth = evaluate(operation, cast_sample(sample, dtypes.float64), backend("reference"))
        plain_dtype = dtypes.float32 if dtype == dtypes.float64 else dtype
        # A call already in that dtype stays as it is: statistics beside 16-bit arrays are float32.
        plain_sample = sample if dtype == plain_dtype else cast_sample(sample, plain_dtype)
        plain = evaluate(operation, plain_sample, backend("reference"))
    times = {dtypes.float64: 3.0, dtypes.float32: operation.times(*sample.args, **sample.kwargs)}.get(dtype, 2.0)
    report = _judge(operation, dtype, times, got, truth, [plain])
    if not report.ok and operation.error != "exact" and dtype is not None:
        report = _judge(operation, dtype, times, got, truth, [plain, *_on_moved_inputs(operation, sample, dtype)])
    return report


def _on_moved_inputs(operation: Operation, sample: Sample, dtype: np.dtype[Any]) -> list[list[np.ndarray]]:
    """The reference on inputs that differ from ``sample``'s by up to two units, a few draws.

    In the dtype that kernels compute in; for float64 in float32 too, whose own rounding is seen in the result.
    """
    rng = np.random.default_rng(0)
    exact = cast_sample(sample, dtypes.float64)

    def draw(kind: np.dtype[Any]) -> list[np.ndarray]:
        def moved(array: np.ndarray) -> np.ndarray:
            with np.errstate(all="ignore"):
                return np.asarray(array * (1.0 + unit * rng.uniform(-2.0, 2.0, array.shape))).astype(kind)

        unit = dtypes.epsilon(kind)
        return evaluate(operation, _changed(exact, moved), backend("reference"))

    kinds: list[Any] = [dtypes.float32, dtypes.float64] if dtype == dtypes.float64 else [dtypes.float32]
    return [draw(kind) for kind in kinds for _ in range(DRAWS)]


def evaluate(operation: Operation, sample: Sample, subject: Backend) -> list[np.ndarray]:
    """The results of a call, as a list; the outputs handed to the kernel are full of NaN (or ones' bits)."""
    engine = subject.engine
    args, kwargs = (engine.moved(copied(each)) for each in (sample.args, sample.kwargs))
    specs = operation.check(*args, **kwargs)
    call = getattr(subject, operation.name)
    if specs is None:
        call(*args, **kwargs)
        bound = operation.signature.bind(*args, **kwargs).arguments
        return [engine.to_host(array) for name in operation.writes for array in _flat(bound[name])]
    single = not isinstance(specs, tuple)
    out = tuple(engine.moved(poisoned(spec.shape, spec.dtype)) for spec in ((specs,) if single else specs))
    call(*args, out=out[0] if single else out, **kwargs)
    return [engine.to_host(each) for each in out]


def poisoned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """An array of NaN, or of a conspicuous number where the dtype has no NaN."""
    if dtypes.is_floating(dtype):
        return np.full(shape, np.nan, dtype)
    return np.full(shape, True if dtype == dtypes.bool_ else 111, dtype)


def floating_dtype(sample: Sample) -> np.dtype[Any] | None:
    """The dtype of the first floating array of a call, or its ``dtype`` attribute if that is floating."""
    for array in _flat((*sample.args, *sample.kwargs.values())):
        if dtypes.is_floating(array.dtype):
            return array.dtype
    return None


def cast_sample(sample: Sample, dtype: np.dtype[Any]) -> Sample:
    """The call with every floating array as ``dtype``."""

    def cast(array: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return array.astype(dtype)

    return _changed(sample, cast)


def _changed(sample: Sample, change: Callable[[np.ndarray], np.ndarray]) -> Sample:
    """The call with ``change`` applied to every floating array."""

    def walk(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(walk(each) for each in value)
        if isinstance(value, np.ndarray) and dtypes.is_floating(value.dtype):
            return change(value)
        return value

    return Sample(walk(sample.args), {key: walk(value) for key, value in sample.kwargs.items()}, sample.name)


def _flat(value: Any) -> list[np.ndarray]:
    if isinstance(value, (list, tuple)):
        return [array for each in value for array in _flat(each)]
    return [value] if is_array(value) else []


def _judge(
    operation: Operation,
    dtype: np.dtype[Any] | None,
    times: float,
    got: list[np.ndarray],
    truth: list[np.ndarray],
    plain: list[list[np.ndarray]],
) -> Report:
    """The verdict on all results: the first that is wrong, or the one with the largest error."""
    worst = Report(0.0, float("inf"), "")
    for index, (g, t) in enumerate(zip(got, truth, strict=True)):
        where = f"{operation.name}, result {index}"
        report = _judge_one(operation, dtype, times, where, g, t, [results[index] for results in plain])
        if not report.ok:
            return report
        if report.error > worst.error or worst.allowed == float("inf"):
            worst = report
    return worst


def _judge_one(
    operation: Operation,
    dtype: np.dtype[Any] | None,
    times: float,
    where: str,
    got: np.ndarray,
    truth: np.ndarray,
    plain: list[np.ndarray],
) -> Report:
    if got.shape != truth.shape:
        return Report(float("inf"), 0.0, f"{where}: shape {got.shape}, expected {truth.shape}")
    if operation.error == "exact" or dtype is None or not dtypes.is_floating(got.dtype):
        equal = (got == truth) | ((got != got) & (truth != truth))
        if np.all(equal):
            return Report(0.0, 0.0, "")
        at = tuple(int(i) for i in np.argwhere(~equal)[0])
        return Report(float("inf"), 0.0, f"{where}: {got[at]!r} at {at}, expected {truth[at]!r}")
    g, t, p = (each.astype(np.float64) for each in (got, truth, plain[0]))
    unit = dtypes.epsilon(dtype)
    with np.errstate(all="ignore"):
        # Beyond the dtype's range the plain evaluation says which way it overflows; where that happens on the way to a
        # number, the number itself is right as well.
        beyond = ~np.isfinite(p) & ~np.isfinite(g) if dtype != dtypes.float64 else False
        special = ~np.isfinite(t) | beyond
        target = np.where(np.isfinite(t), p, t) if dtype != dtypes.float64 else t
        wrong = special & ~((g == target) | (np.isnan(g) & np.isnan(target)))
        if dtype != dtypes.float64:  # a factor below the dtype's range times an infinity is NaN in it
            wrong &= ~(np.isinf(t) & np.isnan(p) & np.isnan(g))
        wrong |= ~special & ~np.isfinite(g)
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            return Report(float("inf"), 0.0, f"{where}: {got[at]!r} at {at}, expected {truth[at]!r}")
        error = np.where(special, 0.0, np.abs(g - t))
        plain_error: Any = np.zeros(t.shape)
        for each in plain:
            scale = unit / dtypes.epsilon(each.dtype) if dtype == dtypes.float64 else 1.0
            plain_error = np.maximum(plain_error, np.where(np.isfinite(each), scale * np.abs(each - t), 0.0))
        plain_error = np.where(special, 0.0, plain_error)
        size = np.where(special, 0.0, np.abs(t))
        smallest = 0.0 if dtype == dtypes.bfloat16 else float(np.finfo(dtype).smallest_subnormal)
        smallest = max(smallest, float(np.finfo(np.float32).tiny) * unit)
        if operation.error == "norm":
            size, plain_error = np.max(size, initial=0.0), np.max(plain_error, initial=0.0)
        allowed = np.broadcast_to(times * plain_error + operation.ulps * (unit * size + smallest), error.shape)
        if error.size == 0:
            return Report(0.0, 0.0, "")
        at = tuple(int(i) for i in np.unravel_index(int(np.argmax(error - allowed)), error.shape))
        message = ""
        if not np.all(error <= allowed):
            message = (
                f"{where}: {g[at]!r} at {at}, expected {t[at]!r} (plain evaluation {p[at]!r}): "
                f"error {error[at]:.3g}, allowed {allowed[at]:.3g}"
            )
        largest = float(np.max(size, initial=0.0)) or 1.0
        relative = float(error[at]) / largest
    return Report(relative, float(allowed[at]) / largest, message)
