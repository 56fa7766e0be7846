"""A large, usual call of every operation that memory bounds, and the least bytes it can move.

The least: each byte of the inputs that the results depend on is read once, each byte of the results written once. An
array that is changed in place is read and written. A broadcast input counts once, scratch memory nothing, and of a
table or an indexed array only the elements that the indices name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyneural.kernels import OPERATIONS, Sample, Spec, dtypes

Array = Any
DType = np.dtype[Any]
Make = Callable[[np.random.Generator, DType], Sample]

ROWS = (1024, 1024)
LONG = (64, 16_384)
IMAGES = (16, 64, 32, 32)
COUNTED = (dtypes.float32, *(() if dtypes.bfloat16 is None else (dtypes.bfloat16,)))
"""The element types that are counted: what people train in."""


@dataclass(frozen=True)
class Case:
    """A call of ``operation``.

    Attributes:
        name: of the row in the table.
        make: the call for an element type.
        unread: bytes of the inputs that the results of a call do not depend on.
        dtypes: the element types that are counted.
    """

    name: str
    operation: str
    make: Make
    unread: Callable[[Sample], int] = lambda sample: 0
    dtypes: tuple[DType, ...] = COUNTED

    def sample(self, dtype: DType) -> Sample:
        """The call, of the same numbers each time."""
        return self.make(np.random.default_rng(0), dtype)


def least(case: Case, sample: Sample) -> int:
    """The least bytes that a call can read and write."""
    operation = OPERATIONS[case.operation]
    bound = operation.signature.bind(*sample.args, **sample.kwargs).arguments
    total = -case.unread(sample)
    for name, value in bound.items():
        total += sum(_distinct(each) for each in _arrays(value)) * (2 if name in operation.writes else 1)
    specs = operation.check(*sample.args, **sample.kwargs)
    for spec in () if specs is None else (specs,) if isinstance(specs, Spec) else specs:
        total += int(np.prod(spec.shape)) * spec.dtype.itemsize
    return total


def _distinct(x: Array) -> int:
    return int(np.prod([n for n, step in zip(x.shape, x.strides, strict=True) if step])) * int(x.itemsize)


def _arrays(value: Any) -> list[Array]:
    if isinstance(value, (list, tuple)):
        return [each for part in value for each in _arrays(part)]
    return [value] if isinstance(value, np.ndarray) else []


def _normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    # Some numbers again and again: their values do not matter, and making as many takes longer than counting.
    return np.resize(rng.standard_normal(8191, np.float32).astype(dtype), shape)


def _positive(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    return np.resize((rng.random(8191) + 0.5).astype(dtype), shape)


def _statistic(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    return _positive(rng, shape, dtypes.accumulator(dtype))


def _below(limit: int) -> Callable[[np.random.Generator, tuple[int, ...], DType], Array]:
    return lambda rng, shape, dtype: rng.integers(0, limit, shape)


def _call(*given: Any, **attributes: Any) -> Make:
    """A call with normal numbers of the given shapes, or with ``(fill, shape)`` by another fill; None as it is."""

    def value(each: Any, rng: np.random.Generator, dtype: DType) -> Any:
        if isinstance(each, list):
            return [value(part, rng, dtype) for part in each]
        if isinstance(each, tuple) and each and callable(each[0]):
            return each[0](rng, each[1], dtype)
        return _normal(rng, each, dtype) if isinstance(each, tuple) else each

    return lambda rng, dtype: Sample(tuple(value(each, rng, dtype) for each in given), attributes)


def _case(name: str, *given: Any, **attributes: Any) -> Case:
    """A case named after its operation, with what distinguishes it behind a comma."""
    return Case(name, name.split(",")[0], _call(*given, **attributes))


_UNARY = [
    "relu",
    "leaky_relu",
    "elu",
    "gelu",
    "silu",
    "sigmoid",
    "tanh",
    "softplus",
    "selu",
    "mish",
    "hardswish",
    "hardsigmoid",
    "logical_not",
    "neg",
    "abs",
    "sign",
    "exp",
    "log",
    "log1p",
    "sqrt",
    "rsqrt",
    "sin",
    "cos",
]
_BINARY = [
    "relu_backward",
    "leaky_relu_backward",
    "elu_backward",
    "gelu_backward",
    "silu_backward",
    "sigmoid_backward",
    "tanh_backward",
    "softplus_backward",
    "selu_backward",
    "mish_backward",
    "hardswish_backward",
    "hardsigmoid_backward",
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "maximum",
    "minimum",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
]
_POSITIVE = {"log", "log1p", "sqrt", "rsqrt", "pow"}


def _elementwise() -> list[Case]:
    shape = {name: (_positive, ROWS) if name in _POSITIVE else ROWS for name in (*_UNARY, *_BINARY)}
    return [
        *(_case(name, shape[name]) for name in _UNARY),
        *(_case(name, shape[name], ROWS) for name in _BINARY),
        _case("gelu, tanh", ROWS, approximate="tanh"),
        _case("gelu_backward, tanh", ROWS, ROWS, approximate="tanh"),
        _case("add, a row to each", ROWS, ROWS[1:]),
        _case("add, a number to each row", ROWS, (ROWS[0], 1)),
        _case("clamp", ROWS, min=-1.0, max=1.0),
        _case("clamp_backward", ROWS, ROWS, min=-1.0, max=1.0),
        _case("where", (lambda rng, shape, dtype: rng.integers(0, 2, shape) != 0, ROWS), ROWS, ROWS),
        Case("cast, float32 to the halves", "cast", _to_half, dtypes=(dtypes.float32,)),
        Case("cast, to float32", "cast", _call(ROWS, dtype=dtypes.float32), dtypes=COUNTED[1:]),
    ]


def _to_half(rng: np.random.Generator, dtype: DType) -> Sample:
    return Sample((_normal(rng, ROWS, dtype),), {"dtype": dtypes.HALVES[-1]})


def _softmax() -> list[Case]:
    cases = []
    for name in ("softmax", "log_softmax"):
        for shape in ((2048, 512), ROWS, LONG):
            cases.append(_case(f"{name}, rows of {shape[1]}", shape, dim=1))
            cases.append(_case(f"{name}_backward, rows of {shape[1]}", shape, shape, dim=1))
    return [
        *cases,
        _case("softmax, along the first dimension", ROWS, dim=0),
        _case("logsumexp, rows of 1024", ROWS, dim=1),
        _case("logsumexp_backward, rows of 1024", (ROWS[0], 1), ROWS, (ROWS[0], 1), dim=1),
    ]


def _norms() -> list[Case]:
    channels = IMAGES[1:2]
    cases = []
    for rows, n in ((8192, 1024), (1024, 8192)):
        shape, last, stat = (rows, n), (n,), (_statistic, (rows,))
        cases += [
            _case(f"layer_norm, rows of {n}", shape, last, last, normalized_shape=last),
            _case(f"layer_norm_backward, rows of {n}", shape, shape, last, stat, stat),
            _case(f"rms_norm, rows of {n}", shape, last, normalized_shape=last, eps=1e-5),
            _case(f"rms_norm_backward, rows of {n}", shape, shape, last, stat),
        ]
    for title, images in (("8 groups", IMAGES), ("8 large groups", (4, 64, 64, 64))):
        stat = (_statistic, (images[0], 8))
        cases += [
            _case(f"group_norm, {title}", images, channels, channels, num_groups=8),
            _case(f"group_norm_backward, {title}", images, images, channels, stat, stat),
        ]
    state = (512, 1024)
    wide = (512, 4096)
    cases += [
        _case("lstm_cell, batch of 512", wide, wide, state),
        _case("lstm_cell_backward, batch of 512", state, state, wide, state, state),
    ]
    for title, images in (
        ("small channels", (4, 256, 32, 32)),
        ("large channels", (16, 64, 56, 56)),
        ("a table", (4096, 256)),
    ):
        per, stat = images[1:2], (_statistic, images[1:2])
        cases += [
            _case(f"batch_norm_train, {title}", images, per, per),
            _case(f"batch_norm_train_backward, {title}", images, images, per, stat, stat),
        ]
    per, stat = channels, (_positive, channels)
    return [*cases, _case("batch_norm_infer", IMAGES, per, per, channels, stat, eps=1e-5)]


def _reductions() -> list[Case]:
    cases = []
    for name in ("sum", "mean", "prod", "amax", "amin", "any", "all"):
        cases += [
            _case(f"{name}, rows of 1024", ROWS, dim=1),
            _case(f"{name}, rows of 16384", LONG, dim=1),
            _case(f"{name}, columns", ROWS, dim=0),
            _case(f"{name}, of all", ROWS),
            _case(f"{name}, of images", IMAGES, dim=(0, 2, 3)),
        ]
    for name in ("var", "std", "argmax", "argmin"):
        cases += [_case(f"{name}, rows of 1024", ROWS, dim=1), _case(f"{name}, columns", ROWS, dim=0)]
    for name in ("cumsum", "cumsum_backward"):
        cases += [
            _case(f"{name}, rows of 1024", ROWS, dim=1),
            _case(f"{name}, rows of 65536", (16, 65_536), dim=1),
            _case(f"{name}, columns", ROWS, dim=0),
        ]
    return cases


def _losses() -> list[Case]:
    cases = []
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy_with_logits"):
        cases += [_case(name, ROWS, ROWS), _case(f"{name}, unreduced", ROWS, ROWS, reduction="none")]
        cases += [_case(f"{name}_backward", (), ROWS, ROWS)]
    for shape in (ROWS, (64, 32_000)):
        target, kept = (_below(shape[1]), shape[:1]), (_statistic, shape[:1])
        cases += [
            _case(f"cross_entropy, {shape[1]} classes", shape, target),
            _case(f"cross_entropy_backward, {shape[1]} classes", shape[:1], shape, target, kept),
            _case(f"cross_entropy_with_gradient, {shape[1]} classes", shape, target, (_statistic, ())),
        ]
    target = (_below(ROWS[1]), ROWS[:1])
    picked = Case(
        "nll_loss", "nll_loss", _call(ROWS, target),
        # One logarithm of each row is read.
        unread=lambda sample: sample.args[0].nbytes - ROWS[0] * sample.args[0].itemsize,
    )  # fmt: skip
    return [*cases, picked, _case("nll_loss_backward", (), target, (_statistic, ()), input_shape=ROWS)]


def _rows_unread(sample: Sample) -> int:
    """What of a table's rows no index names."""
    table, index = sample.args
    return int((table.shape[0] - len(np.unique(index))) * table[0].nbytes)


def _points_unread(sample: Sample) -> int:
    """What of an array no index names, where each stands for an element along dimension 1."""
    x, index = sample.args
    places = np.arange(len(x))[:, None] * x.shape[1] + index.reshape(len(x), -1)
    return int((x.size - len(np.unique(places))) * x.itemsize)


def _planes_unread(sample: Sample) -> int:
    """What of the planes of images no index names."""
    x, index = sample.args
    planes = x.shape[0] * x.shape[1]
    places = np.arange(planes)[:, None] * x.shape[2] * x.shape[3] + index.reshape(planes, -1)
    return int((x.size - len(np.unique(places))) * x.itemsize)


def _maxima(rng: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    """Indices of the largest element of each window of 2 x 2, at random."""
    rows, columns = (2 * np.arange(n)[:, None] + rng.integers(0, 2, (shape[0], shape[1], n, 1)) for n in shape[2:])
    return np.ascontiguousarray(rows * 2 * shape[3] + columns.transpose(0, 1, 3, 2))


def _moves() -> list[Case]:
    table, tokens = (8192, 512), (_below(8192), (4096,))
    points = (_below(ROWS[1]), ROWS)
    halved = (*IMAGES[:2], IMAGES[2] // 2, IMAGES[3] // 2)
    rows = np.random.default_rng(2).permutation(table[0])[:4096]  # each once, or some would have to be read twice
    once = ((lambda rng, shape, dtype: rng.permutation(8192)[: shape[0]]), (4096,))
    untouched = Case(
        "index_put, rows", "index_put", _call(table, (4096, 512), key=(rows,)),
        # Only the rows named are written, and none is read.
        unread=lambda sample: int(2 * sample.args[0].nbytes - len(np.unique(rows)) * sample.args[0][0].nbytes),
    )  # fmt: skip
    return [
        Case("embedding", "embedding", _call(table, once), unread=_rows_unread),
        _case("embedding_backward", (4096, 512), tokens, num_embeddings=8192),
        Case("index_select, rows", "index_select", _call(table, once, dim=0), unread=_rows_unread),
        _case("index_select_backward, rows", (4096, 512), tokens, dim=0, size=8192),
        Case("gather, random columns", "gather", _call(ROWS, points, dim=1), unread=_points_unread),
        _case("scatter_add, random columns", ROWS, points, ROWS, dim=1),
        Case("one_hot", "one_hot", _call((_below(512), (2048,)), num_classes=512), dtypes=COUNTED[:1]),
        Case("index, rows", "index", _call(table, key=(rows,)),
             unread=lambda sample: _rows_unread(Sample((sample.args[0], rows)))),
        _case("index_backward, rows", (4096, 512), key=(rows,), input_shape=table),
        untouched,
        _case("cat, rows", [ROWS, ROWS], dim=0),
        _case("cat, columns", [ROWS, ROWS], dim=1),
        _case("flip, columns", ROWS, dims=(1,)),
        _case("roll, columns", ROWS, shifts=3, dims=1),
        Case("tril", "tril", _call(ROWS), unread=lambda s: s.args[0].size // 2 * s.args[0].itemsize),
        Case("triu", "triu", _call(ROWS), unread=lambda s: s.args[0].size // 2 * s.args[0].itemsize),
        _case("pad, a border of 1", IMAGES, pad=(1, 1, 1, 1)),
        _case("pad, reflect", IMAGES, pad=(1, 1, 1, 1), mode="reflect"),
        _case("pad_backward, reflect", (*IMAGES[:2], 34, 34), pad=(1, 1, 1, 1), mode="reflect", input_shape=IMAGES),
        Case("neg, transposed", "neg", _transposed),
        _case("unfold, 3 x 3", IMAGES, kernel_size=3, padding=1),
        _case("fold, 3 x 3", (16, 64 * 9, 1024), output_size=(32, 32), kernel_size=3, padding=1),
        _case("max_pool2d, 2 x 2", IMAGES, kernel_size=2),
        _case("max_pool2d, 3 x 3 by 2", IMAGES, kernel_size=3, stride=2, padding=1),
        _case("max_pool2d_backward, 2 x 2", halved, (_maxima, halved), input_size=IMAGES[2:]),
        Case("max_pool2d_gather, 2 x 2", "max_pool2d_gather", _call(IMAGES, (_maxima, halved)), unread=_planes_unread),
        _case("avg_pool2d, 2 x 2", IMAGES, kernel_size=2),
        _case("avg_pool2d_backward, 2 x 2", halved, input_size=IMAGES[2:], kernel_size=2, stride=2, padding=0,
              ceil_mode=False, count_include_pad=True, divisor_override=None),
        _case("adaptive_avg_pool2d, to 1 x 1", IMAGES, output_size=1),
        _case("adaptive_avg_pool2d_backward, from 1 x 1", (*IMAGES[:2], 1, 1), input_size=IMAGES[2:]),
    ]  # fmt: skip


def _transposed(rng: np.random.Generator, dtype: DType) -> Sample:
    return Sample((_normal(rng, ROWS, dtype).T,), {})


def _states() -> list[Case]:
    tensors = [(1024, 512), (512,), (512, 256), (256,), (1_000_000,)]
    square = [(_positive, shape) for shape in tensors]

    def read_only(index: int) -> Callable[[Sample], int]:
        """Bytes of one of the lists, which is only read though it may be written, or only written."""
        return lambda sample: sum(each.nbytes for each in sample.args[index])

    return [
        _case("sgd_step", tensors, tensors, [], lr=0.1),
        _case("sgd_step, momentum", tensors, tensors, tensors, lr=0.1, momentum=0.9),
        Case("sgd_step, first with momentum", "sgd_step",
             _call(tensors, tensors, tensors, lr=0.1, momentum=0.9, first=True), unread=read_only(2)),
        _case("adam_step", tensors, tensors, tensors, square, step=3, lr=1e-3),
        _case("rmsprop_step", tensors, tensors, square, [], [], lr=1e-3),
        _case("dropout", ROWS, p=0.3, seed=1, offset=0),
        *(Case(name, name, _drawn, dtypes=COUNTED) for name in ("uniform", "normal")),
        Case("random_bits", "random_bits", _call(shape=ROWS, seed=1, offset=0), dtypes=COUNTED[:1]),
        Case("randint", "randint", _call(shape=ROWS, seed=1, offset=0, low=0, high=10), dtypes=COUNTED[:1]),
        Case("permutation", "permutation", _call(n=100_000, seed=1, offset=0), dtypes=COUNTED[:1]),
    ]  # fmt: skip


def _drawn(rng: np.random.Generator, dtype: DType) -> Sample:
    return Sample((), {"shape": ROWS, "seed": 1, "offset": 0, "dtype": dtype})


CASES = (
    *_elementwise(), *_softmax(), *_norms(), *_reductions(), *_losses(), *_moves(), *_states(),
)  # fmt: skip
"""What is counted: see `traffic`."""
