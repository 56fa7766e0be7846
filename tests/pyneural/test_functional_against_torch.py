"""Every function with a gradient against its namesake in PyTorch: values and gradients, random cotangents, float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural import functional as F
from pyneural.autograd import grad

torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs PyTorch")

Case = tuple[tuple[Any, ...], dict[str, Any]]


def _torch(name: str) -> Callable[..., Any]:
    return getattr(torch, name, None) or getattr(torch.nn.functional, name)


def _two(rng: np.random.Generator) -> Iterator[Case]:
    for a, b in (((3, 5), (3, 5)), ((), (4,)), ((2, 1, 3), (5, 1)), ((0, 2), (2,))):
        yield (np.asarray(rng.standard_normal(a)), np.asarray(rng.standard_normal(b))), {}


def _powers(rng: np.random.Generator) -> Iterator[Case]:
    yield (rng.random((3, 4)) + 0.1, rng.standard_normal((4,))), {}
    yield (rng.standard_normal((3, 4)), 3.0), {}
    yield (rng.standard_normal((3, 4)), 2), {}
    yield (np.array([0.0, 1.0, -2.0]), 0.0), {}
    yield (np.array([0.0, 0.0, 2.0]), np.array([1.0, 2.0, 0.0])), {}
    yield (2.5, rng.standard_normal(5)), {}


def _one(*kwargs: dict[str, Any], positive: bool = False, steep: float = 1.0) -> Callable[..., Iterator[Case]]:
    def cases(rng: np.random.Generator) -> Iterator[Case]:
        for shape in ((), (7,), (3, 4), (2, 0)):
            for each in kwargs or ({},):
                x = np.asarray(rng.standard_normal(shape) * steep)
                yield (np.asarray(np.abs(x) + 0.1) if positive else x,), each

    return cases


def _along(*kwargs: dict[str, Any]) -> Callable[..., Iterator[Case]]:
    def cases(rng: np.random.Generator) -> Iterator[Case]:
        for each in kwargs:
            yield (rng.standard_normal((3, 4, 5)),), each

    return cases


_DIMS = ({}, {"dim": 1}, {"dim": -1, "keepdim": True}, {"dim": (0, 2)}, {"dim": (2, 1), "keepdim": True})


def _products(rng: np.random.Generator) -> Iterator[Case]:
    shapes = (((4,), (4,)), ((3, 4), (4,)), ((3,), (3, 2)), ((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)))
    more = (((2, 1, 3, 4), (5, 4, 2)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,)), ((3, 0), (0, 2)), ((0, 3), (3, 2)))
    for a, b in (*shapes, *more):
        yield (rng.standard_normal(a), rng.standard_normal(b)), {}


def _convolutions(rng: np.random.Generator) -> Iterator[Case]:
    x = rng.standard_normal((2, 4, 9, 8))
    yield (x, rng.standard_normal((6, 4, 3, 3))), {}
    yield (x, rng.standard_normal((6, 4, 3, 3)), rng.standard_normal(6)), {"stride": 2, "padding": 1}
    yield (x, rng.standard_normal((6, 2, 3, 2)), rng.standard_normal(6)), {"groups": 2, "padding": (2, 0)}
    yield (x, rng.standard_normal((8, 1, 3, 3))), {"groups": 4, "dilation": (2, 1), "stride": (1, 3)}
    yield (x, rng.standard_normal((3, 4, 1, 1))), {"stride": 3}
    yield (x, rng.standard_normal((3, 4, 9, 8)), rng.standard_normal(3)), {}


def _pooled(*kwargs: dict[str, Any]) -> Callable[..., Iterator[Case]]:
    def cases(rng: np.random.Generator) -> Iterator[Case]:
        for each in kwargs:
            yield (rng.standard_normal((2, 3, 9, 8)),), each

    return cases


def _classified(rng: np.random.Generator) -> Iterator[Case]:
    for reduction in ("mean", "sum", "none"):
        target = rng.integers(0, 5, (7,))
        yield (rng.standard_normal((7, 5)), target), {"reduction": reduction}
        target[2:4] = -100
        yield (rng.standard_normal((7, 5)), target), {"reduction": reduction, "label_smoothing": 0.2}
        weight = pyneural.from_numpy(rng.random(5))
        yield (rng.standard_normal((7, 5)), target), {"reduction": reduction, "weight": weight}
        both = {"weight": weight, "label_smoothing": 0.3, "ignore_index": 1}
        yield (rng.standard_normal((2, 5, 3)), rng.integers(0, 5, (2, 3))), {"reduction": reduction, **both}
        soft = rng.random((4, 5))
        kwargs = {"reduction": reduction, "weight": weight, "label_smoothing": 0.3}
        yield (rng.standard_normal((4, 5)), soft / soft.sum(1, keepdims=True)), kwargs
    yield (rng.standard_normal(5), np.array(3)), {}


def _normalised(rng: np.random.Generator) -> Iterator[Case]:
    for shape in ((6, 3), (4, 3, 5), (2, 3, 4, 5)):
        statistics = (rng.standard_normal(3), rng.random(3) + 0.5)
        weight, bias = rng.standard_normal(3), rng.standard_normal(3)
        for training in (True, False):
            yield (rng.standard_normal(shape), *(np.array(s) for s in statistics), weight, bias, training), {}
        yield (rng.standard_normal(shape), *statistics, None, None, True), {"momentum": 0.3, "eps": 1e-2}
        yield (rng.standard_normal(shape), None, None, weight, bias, True), {}


def _chosen(rng: np.random.Generator) -> Iterator[Case]:
    for c, a, b in (((3, 4), (3, 4), (3, 4)), ((4,), (3, 1), ()), ((2, 1, 1), (3, 1), (1, 5))):
        yield (rng.random(c) < 0.5, rng.standard_normal(a), np.asarray(rng.standard_normal(b))), {}


CASES: dict[str, Callable[[np.random.Generator], Iterator[Case]]] = {
    **dict.fromkeys(("add", "sub", "mul", "div", "maximum", "minimum"), _two),
    **dict.fromkeys(("abs", "exp", "neg", "sign", "sin", "cos"), _one()),
    **dict.fromkeys(("log", "sqrt", "rsqrt"), _one(positive=True)),
    **dict.fromkeys(("relu", "silu", "sigmoid", "tanh"), _one(steep=5.0)),
    **dict.fromkeys(("softmax", "log_softmax"), _along({"dim": 0}, {"dim": 1}, {"dim": -1})),
    **dict.fromkeys(("mean", "sum", "amax", "amin"), _along(*_DIMS)),
    **dict.fromkeys(("var", "std"), _along(*_DIMS, {"dim": 1, "correction": 0}, {"correction": 2})),
    "pow": _powers,
    "clamp": _one({"min": -0.5}, {"max": 0.25}, {"min": -0.5, "max": 0.5}),
    "where": _chosen,
    "leaky_relu": _one({}, {"negative_slope": 0.3}),
    "elu": _one({}, {"alpha": 0.5}),
    "gelu": _one({}, {"approximate": "tanh"}, steep=3.0),
    "softplus": _one({}, {"beta": 2.0, "threshold": 1.0}),
    "matmul": _products,
    "mm": lambda rng: iter([((rng.standard_normal((3, 4)), rng.standard_normal((4, 2))), {})]),
    "bmm": lambda rng: iter([((rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 4, 5))), {})]),
    "linear": lambda rng: iter(
        [((rng.standard_normal((2, 3, 4)), rng.standard_normal((5, 4)), bias), {}) for bias in (None, rng.random(5))]
    ),
    "conv2d": _convolutions,
    "max_pool2d": _pooled(
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
        {"kernel_size": (2, 3), "stride": (2, 1), "dilation": (3, 2)},
    ),
    "avg_pool2d": _pooled(
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
        {"kernel_size": (2, 3), "stride": (3, 1), "divisor_override": 5},
    ),
    "batch_norm": _normalised,
    "cross_entropy": _classified,
    "mse_loss": lambda rng: iter(
        [
            ((rng.standard_normal((3, 4)), rng.standard_normal((3, 4))), {"reduction": each})
            for each in ("mean", "sum", "none")
        ]
    ),
    "reshape": _along({"shape": (5, 12)}, {"shape": (-1, 2, 6)}),
    "permute": _along({"dims": (2, 0, 1)}, {"dims": (-1, 0, 1)}),
    "transpose": _along({"dim0": 0, "dim1": 2}, {"dim0": -1, "dim1": -2}),
    "flatten": _along({}, {"start_dim": 1}, {"end_dim": 1}),
    "unsqueeze": _along({"dim": 0}, {"dim": -1}, {"dim": 2}),
    "narrow": _along({"dim": 1, "start": 1, "length": 2}, {"dim": -1, "start": 0, "length": 0}),
    "pad": _along({"pad": (1, 2)}, {"pad": (0, 1, 2, 0, 1, 1), "value": 0.5}, {"pad": (-1, 2, -1, -1)}),
    "squeeze": lambda rng: iter(
        [((rng.standard_normal((1, 3, 1, 2)),), each) for each in ({}, {"dim": 0}, {"dim": 1}, {"dim": (0, 2)})]
    ),
    "cat": lambda rng: iter([(((rng.standard_normal((2, 3)), rng.standard_normal((2, 4))),), {"dim": 1})]),
    "stack": lambda rng: iter([((tuple(rng.standard_normal((3, 2, 3))),), {"dim": dim}) for dim in (0, 1, -1)]),
    "split": _along({"split_size_or_sections": 2, "dim": 1}, {"split_size_or_sections": [1, 4], "dim": 2}),
    "clone": _one(),
}

# Where PyTorch has the name twice, or another parameter name.
_TORCH: dict[str, Callable[..., Any]] = {
    "split": lambda x, split_size_or_sections, dim: torch.split(x, split_size_or_sections, dim),
    "pad": torch.nn.functional.pad,
    "max_pool2d": torch.nn.functional.max_pool2d,
    "avg_pool2d": torch.nn.functional.avg_pool2d,
    "batch_norm": torch.nn.functional.batch_norm,
    "silu": torch.nn.functional.silu,
    "gelu": torch.nn.functional.gelu,
    "softplus": torch.nn.functional.softplus,
    "conv2d": torch.nn.functional.conv2d,
    "linear": torch.nn.functional.linear,
}


def _pairs(value: Any, device: str, leaves: list[Any], name: str = "") -> tuple[Any, Any]:
    """An argument for pyneural and for PyTorch; floating arrays become leaves of both."""
    if isinstance(value, tuple) and value and isinstance(value[0], np.ndarray):
        both = [_pairs(each, device, leaves) for each in value]
        return tuple(a for a, _ in both), tuple(b for _, b in both)
    if isinstance(value, Tensor):  # a constant
        return Tensor(value, device=device), torch.from_numpy(value.numpy().copy())
    if not isinstance(value, np.ndarray):
        return value, value
    ours, theirs = Tensor(value, device=device), torch.from_numpy(np.array(value))
    if value.dtype == np.float64:
        ours.requires_grad_()
        theirs.requires_grad_()
        leaves.append((ours, theirs))
    return ours, theirs


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str, device: str, rng: np.random.Generator) -> None:
    function, comparator = getattr(F, name), _TORCH.get(name) or _torch(name)
    for args, kwargs in CASES[name](rng):
        leaves: list[Any] = []
        both = [_pairs(each, device, leaves) for each in args]
        if name == "batch_norm":  # running statistics are changed, not differentiated
            for ours, theirs in both[1:3]:
                if ours is not None:
                    ours.requires_grad_(False)
                    theirs.requires_grad_(False)
                    leaves = [each for each in leaves if each[0] is not ours]
        named = {key: _pairs(each, device, leaves) for key, each in kwargs.items()}
        ours = function(*(a for a, _ in both), **{key: a for key, (a, _) in named.items()})
        theirs = comparator(*(b for _, b in both), **{key: b for key, (_, b) in named.items()})
        ours, theirs = ((ours,), (theirs,)) if isinstance(ours, Tensor) else (ours, theirs)
        case = f"{name} {[getattr(each, 'shape', each) for each in args]} {kwargs}"
        assert len(ours) == len(theirs), case
        for a, b in zip(ours, theirs, strict=True):
            _close(a, b, case)
        cotangents = [rng.standard_normal(a.shape) for a in ours]
        found = grad(ours, [a for a, _ in leaves], [Tensor(c, device=device) for c in cotangents])
        expected = torch.autograd.grad(
            theirs, [b for _, b in leaves], [torch.from_numpy(np.array(c)) for c in cotangents]
        )
        for a, b in zip(found, expected, strict=True):
            assert a is not None
            _close(a, b, f"gradient of {case}")
        if name == "batch_norm":
            for a, b in both[1:3]:
                if a is not None:
                    _close(a, b, f"running statistics of {case}")


def _close(ours: Tensor, theirs: Any, case: str) -> None:
    array = theirs.detach().numpy()
    assert ours.shape == array.shape, case
    assert ours.dtype == array.dtype, case
    np.testing.assert_allclose(ours.detach().numpy(), array, rtol=1e-10, atol=1e-12, err_msg=case)


# Functions without gradients, and what is tested elsewhere.
_ELSEWHERE = {
    *("eq", "ne", "lt", "le", "gt", "ge", "logical_not", "argmax"),  # test_tensor.py
    *("arange", "empty", "eye", "full", "linspace", "ones", "ones_like", "tensor", "zeros", "zeros_like"),
    *("bernoulli", "dropout", "normal", "rand", "randint", "randn", "randperm", "uniform"),  # test_random.py
    "expand",  # a method in PyTorch: test_tensor.py
    "einsum",  # this and what follows: test_op_db.py
    *("log1p", "selu", "mish", "hardswish", "hardsigmoid", "logsumexp", "any", "all", "argmin", "prod", "cumsum"),
    *("layer_norm", "rms_norm", "group_norm", "flip", "roll", "tril", "triu", "chunk", "unbind"),
    *("adaptive_avg_pool2d", "avg_pool1d", "max_pool1d", "conv1d", "conv3d", "unfold", "fold"),
    *("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    *("nll_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy_with_logits"),
    "scaled_dot_product_attention",  # test_attention.py
    *("lstm_cell", "lstm_layer"),  # test_recurrent.py
    *("embedding", "gather", "index_select", "one_hot", "scatter_add", "take_along_dim"),  # test_embedding.py
}


def test_every_function_is_compared() -> None:
    assert set(F.__all__) - set(CASES) - _ELSEWHERE == set()
    assert set(CASES) <= set(F.__all__)


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh"])
def test_fused_linear(activation: str, device: str, rng: np.random.Generator) -> None:
    """The fused activation is the activation after the product: values, gradients, without gradients too."""
    arrays = (rng.standard_normal((4, 3, 5)), rng.standard_normal((6, 5)), rng.standard_normal(6))
    ours = [Tensor(each, device=device, requires_grad=True) for each in arrays]
    theirs = [torch.from_numpy(each).requires_grad_() for each in arrays]
    after = {"gelu_tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh")}.get(activation) or getattr(
        torch.nn.functional, activation
    )
    expected = after(torch.nn.functional.linear(*theirs))
    _close(F.linear(*(each.detach() for each in ours), activation=activation), expected, activation)
    result = F.linear(*ours, activation=activation)
    _close(result, expected, activation)
    cotangent = rng.standard_normal(result.shape)
    result.backward(Tensor(cotangent, device=device))
    expected.backward(torch.from_numpy(cotangent))
    for a, b in zip(ours, theirs, strict=True):
        _close(a.grad, b.grad, activation)


def test_fused_convolution(device: str, rng: np.random.Generator) -> None:
    arrays = (rng.standard_normal((2, 3, 7, 6)), rng.standard_normal((4, 3, 3, 3)), rng.standard_normal(4))
    ours = [Tensor(each, device=device, requires_grad=True) for each in arrays]
    theirs = [torch.from_numpy(each).requires_grad_() for each in arrays]
    result = F.conv2d(*ours, padding=1, activation="relu")
    expected = torch.relu(torch.nn.functional.conv2d(*theirs, padding=1))
    _close(result, expected, "conv2d and relu")
    cotangent = rng.standard_normal(result.shape)
    result.backward(Tensor(cotangent, device=device))
    expected.backward(torch.from_numpy(cotangent))
    for a, b in zip(ours, theirs, strict=True):
        _close(a.grad, b.grad, "conv2d and relu")
