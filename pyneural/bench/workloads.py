"""What ``pyneural bench`` runs: operations by name, the shapes of their inputs by size, the work they are.

A call is written once, in the words that PyTorch and pyneural share. Elementwise operations come from the
contracts; the others are listed.
"""

from __future__ import annotations

import concurrent.futures
import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyneural import functional
from pyneural.kernels import OPERATIONS, dtypes
from pyneural.kernels.memory import ALIGNMENT, aligned

from .machine import last_level_cache
from .subjects import CACHES, MOST_BYTES, sets

Shape = tuple[int, ...]
Call = Callable[..., Any]  # f(library, library's nn.functional, *tensors)

CHANNELS = 32
"""Of images; the size of a convolution is its images' side."""

IMAGES = 4
HEADS, FEATURES = 4, 64
"""Of attention; its size is the length of the sequence."""


@dataclass(frozen=True)
class Workload:
    """One operation at any size.

    Attributes:
        call: the operation.
        shapes: of its normal random inputs, by size.
        result: the result's shape, by size.
        flops: operations of one call, by size; an elementary function counts as one.
        sizes: what is run unless sizes are asked for.
        numpy: the same on NumPy's arrays, if NumPy has it.
        scipy: the same with SciPy, if SciPy has it.
        numba: the name of the same among `contestants.GUFUNCS`, if it is there.
        by_rows: whether a row of the result needs no other row of the inputs that have two dimensions.
    """

    call: Call
    shapes: Callable[[int], tuple[Shape, ...]]
    result: Callable[[int], Shape]
    flops: Callable[[int], float]
    sizes: tuple[int, ...] = (512, 2048)
    numpy: Callable[..., Any] | None = None
    scipy: Callable[..., Any] | None = None
    numba: str = ""
    by_rows: bool = False

    def nbytes(self, size: int, dtype: np.dtype[Any]) -> int:
        """What a call must move at least: each input read once, the result written once."""
        return sum(math.prod(each) for each in (*self.shapes(size), self.result(size))) * dtype.itemsize


def _square(n: int) -> Shape:
    return n, n


def _elementwise(name: str, inputs: int) -> Workload:
    def call(library: Any, functions: Any, *tensors: Any) -> Any:
        return getattr(library if hasattr(library, name) else functions, name)(*tensors)

    return Workload(
        call,
        lambda n: (_square(n),) * inputs,
        _square,
        lambda n: float(n * n),
        numpy=_NUMPY.get(name),
        scipy=_SCIPY.get(name),
        numba=name if name in ("add", "mul", "exp") else "",
        by_rows=True,
    )


def _rows(call: Call, flops: float, *, reduces: bool = False, weights: int = 0, **others: Any) -> Workload:
    """An operation on the rows of a square, with so many vectors of weights beside it."""
    return Workload(
        call,
        lambda n: (_square(n), *[(n,)] * weights),
        (lambda n: (n,)) if reduces else _square,
        lambda n: flops * n * n,
        by_rows=True,
        **others,
    )


# NumPy's functions hand CuPy's arrays on to CuPy: these are its contestants too.
def _numpy_softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _numpy_layer_norm(x: Any, weight: Any, bias: Any) -> Any:
    centred = x - x.mean(axis=1, keepdims=True)
    variance = np.mean(centred * centred, axis=1, keepdims=True)
    return centred / np.sqrt(variance + x.dtype.type(1e-5)) * weight + bias


def _numpy_attention(q: Any, k: Any, v: Any) -> Any:
    scores = q @ np.swapaxes(k, -1, -2) * q.dtype.type(1 / math.sqrt(q.shape[-1]))
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True) @ v


def _scipy_gelu(x: np.ndarray) -> np.ndarray:
    from scipy import special

    kind = x.dtype.type
    return np.asarray(kind(0.5) * x * (kind(1) + special.erf(x * kind(math.sqrt(0.5)))))


def _scipy_special(name: str, **options: Any) -> Callable[..., Any]:
    def call(*arrays: np.ndarray) -> Any:
        from scipy import special

        return getattr(special, name)(*arrays, **options)

    return call


def _scipy_matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from scipy.linalg import blas

    gemm = blas.sgemm if a.dtype == np.float32 else blas.dgemm
    # BLAS stores columns: the transposed product needs no copy.
    return np.asarray(gemm(1.0, b.T, a.T).T)


_NUMPY: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "add": np.add, "cos": np.cos, "div": np.divide, "exp": np.exp, "maximum": np.maximum,
    "minimum": np.minimum, "mul": np.multiply, "neg": np.negative, "sign": np.sign, "sin": np.sin,
    "sub": np.subtract, "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, x.dtype.type(0)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
}  # fmt: skip
_SCIPY: dict[str, Callable[..., Any]] = {"gelu": _scipy_gelu, "sigmoid": _scipy_special("expit")}

_LEFT_OUT = {"log", "log1p", "sqrt", "rsqrt", "pow", "clamp"}
"""Functions that are NaN for negative numbers, which normal random inputs have; and one that needs an attribute."""


def _from_contracts() -> dict[str, Workload]:
    """Every elementwise operation of one or two arrays that needs no attribute and gives floating numbers."""
    found = {}
    sample = np.ones((2, 2), np.float32)
    for name, operation in OPERATIONS.items():
        needed = [each for each in operation.signature.parameters.values() if each.default is inspect.Parameter.empty]
        if (
            operation.family in ("elementwise", "activation")
            and name in functional.__all__
            and name not in _LEFT_OUT
            and len(needed) <= 2
            and all(each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for each in needed)
            and dtypes.is_floating(operation.check(*[sample] * len(needed)).dtype)
        ):
            found[name] = _elementwise(name, len(needed))
    return found


def _attention(n: int) -> Shape:
    return 1, HEADS, n, FEATURES


def _images(n: int) -> Shape:
    return IMAGES, CHANNELS, n, n


WORKLOADS: dict[str, Workload] = {
    "matmul": Workload(
        lambda t, f, a, b: t.matmul(a, b), lambda n: (_square(n),) * 2, _square, lambda n: 2.0 * n**3,
        (128, 512, 1024), np.matmul, _scipy_matmul,
    ),
    "linear": Workload(
        lambda t, f, x, w, b: f.linear(x, w, b), lambda n: (_square(n), _square(n), (n,)), _square,
        lambda n: 2.0 * n**3 + n * n, (128, 512, 1024), lambda x, w, b: x @ w.T + b,
    ),
    "conv2d": Workload(
        lambda t, f, x, w: f.conv2d(x, w, padding=1), lambda n: (_images(n), (CHANNELS, CHANNELS, 3, 3)), _images,
        lambda n: 18.0 * IMAGES * CHANNELS * CHANNELS * n * n, (16, 64),
    ),
    "max_pool2d": Workload(
        lambda t, f, x: f.max_pool2d(x, 2), lambda n: (_images(n),), lambda n: (IMAGES, CHANNELS, n // 2, n // 2),
        lambda n: 0.75 * IMAGES * CHANNELS * n * n, (32, 64, 128),
    ),
    "attention": Workload(
        lambda t, f, q, k, v: f.scaled_dot_product_attention(q, k, v), lambda n: (_attention(n),) * 3, _attention,
        lambda n: (4.0 * FEATURES + 5) * HEADS * n * n, (128, 512), _numpy_attention,
    ),
    "softmax": _rows(
        lambda t, f, x: f.softmax(x, dim=1), 5, numpy=_numpy_softmax, scipy=_scipy_special("softmax", axis=1),
        numba="softmax",
    ),
    "log_softmax": _rows(
        lambda t, f, x: f.log_softmax(x, dim=1), 5, scipy=_scipy_special("log_softmax", axis=1),
    ),
    "logsumexp": _rows(
        lambda t, f, x: t.logsumexp(x, dim=1), 4, reduces=True, scipy=_scipy_special("logsumexp", axis=1),
    ),
    "layer_norm": _rows(
        lambda t, f, x, w, b: f.layer_norm(x, (x.shape[1],), w, b), 8, weights=2, numpy=_numpy_layer_norm,
    ),
    "rms_norm": _rows(lambda t, f, x, w: f.rms_norm(x, (x.shape[1],), w), 4, weights=1),
    "sum": _rows(
        lambda t, f, x: t.sum(x, dim=1), 1, reduces=True, numpy=lambda x: np.sum(x, axis=1), numba="sum",
    ),
    "mean": _rows(lambda t, f, x: t.mean(x, dim=1), 1, reduces=True, numpy=lambda x: np.mean(x, axis=1)),
    "var": _rows(
        lambda t, f, x: t.var(x, dim=1), 4, reduces=True, numpy=lambda x: np.var(x, axis=1, ddof=1),
    ),
    "amax": _rows(lambda t, f, x: t.amax(x, dim=1), 1, reduces=True, numpy=lambda x: np.max(x, axis=1)),
    "cumsum": _rows(lambda t, f, x: t.cumsum(x, dim=1), 1, numpy=lambda x: np.cumsum(x, axis=1)),
    **_from_contracts(),
}  # fmt: skip
"""By the name of the operation."""

DEFAULT = ("matmul", "conv2d", "attention", "softmax", "layer_norm", "sum", "add", "exp", "gelu")

TOLERANCES = {"float64": 1e-12, "float32": 1e-5, "float16": 2e-3, "bfloat16": 1.6e-2}
"""Largest error by dtype, relative to the largest element of the float64 reference: a rounding or two of a half."""


def inputs(options: dict[str, Any]) -> list[np.ndarray]:
    """The arrays of a case's options: its operation, size and dtype, drawn by its seed.

    With the option ``set`` they are parts of numbers that are drawn once, the same for every case: sets with other
    numbers lie elsewhere.
    """
    dtype = dtype_named(options["dtype"])
    shapes = WORKLOADS[options["operation"]].shapes(options["size"])
    if options.get("set") is None:
        rng = np.random.default_rng(options["seed"])
        return [_normal(rng, math.prod(shape), dtype).reshape(shape) for shape in shapes]
    line, page = ALIGNMENT // dtype.itemsize, PAGE // dtype.itemsize
    counts = [-(-math.prod(shape) // line) * line + page for shape in shapes]
    size, number = sum(counts), options["set"]
    # As many as all sets of the case need, for they must not lie in one another, and some more for larger cases.
    most = min(CACHES * last_level_cache(), MOST_BYTES) // dtype.itemsize
    numbers = _numbers(dtype, max(most + 2 * size, (number + 1) * size), most // 4, options["seed"])
    few = sets(sum(math.prod(shape) for shape in shapes) * dtype.itemsize)
    found, at = [], number * max(size, most // few // line * line)  # small ones are spread over the same memory
    for i, (shape, count) in enumerate(zip(shapes, counts, strict=True)):
        begin = at + (number * GOLDEN + i) % (PAGE // ALIGNMENT) * line
        found.append(numbers[begin : begin + math.prod(shape)].reshape(shape))
        at += count
    return found


PAGE = 4096
"""Bytes."""

GOLDEN = 39
"""Cache lines from an array's place in a page to that of the next set's array, by the golden section: some loops take
three times as long where inputs and results lie in places of a page that are near each other (NumPy's exp). The sets
go through all of them."""

PERIOD = (1 << 24) - 3
"""Numbers that are drawn before they come again: odd, so that no two sets hold the same ones."""

_drawn: dict[np.dtype[Any], np.ndarray] = {}


def _numbers(dtype: np.dtype[Any], count: int, more: int, seed: int) -> np.ndarray:
    """At least ``count`` normal random numbers: those drawn before, if they suffice, else ``more`` than that."""
    kept = _drawn.get(dtype)
    if kept is None or kept.size < count:
        # From a cache line's beginning on: where malloc begins decides the speed of all vector loads of a process.
        _drawn[dtype] = kept = aligned((count + more) * dtype.itemsize).view(dtype)
        first = _normal(np.random.default_rng(seed), min(kept.size, PERIOD), dtype)
        for start in range(0, kept.size, PERIOD):
            kept[start : start + PERIOD] = first[: kept.size - start]
    return kept


def _normal(rng: np.random.Generator, count: int, dtype: np.dtype[Any]) -> np.ndarray:
    drawn = dtype if dtype in (dtypes.float32, dtypes.float64) else dtypes.float32
    numbers: np.ndarray = rng.standard_normal(count, drawn).astype(dtype, copy=False)
    return numbers


def dtype_named(name: str) -> np.dtype[Any]:
    """The floating dtype of that name; ValueError lists them."""
    known: dict[str, np.dtype[Any]] = {each.name: each for each in dtypes.FLOATS}
    if name in known:
        return known[name]
    raise ValueError(f"dtype {name!r} is none of {', '.join(each.name for each in dtypes.FLOATS)}")


CHUNK = 1 << 16
"""Elements of a result of rows that the reference computes at a time: its temporary arrays then stay in a cache."""


def truth(options: dict[str, Any], arrays: tuple[np.ndarray, ...]) -> np.ndarray:
    """The float64 reference's result; of rows, on several threads."""
    workload, size = WORKLOADS[options["operation"]], options["size"]
    step = max(CHUNK // size, 1)
    if not workload.by_rows or step >= size:
        return _true(workload, arrays)
    pieces = (tuple(each[i : i + step] if each.ndim == 2 else each for each in arrays) for i in range(0, size, step))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return np.concatenate(list(pool.map(functools.partial(_true, workload), pieces)))


def _true(workload: Workload, arrays: tuple[np.ndarray, ...]) -> np.ndarray:
    import pyneural

    tensors = [pyneural.tensor(each, device="reference") for each in arrays]
    array: np.ndarray = workload.call(pyneural, functional, *tensors).numpy()
    return array
