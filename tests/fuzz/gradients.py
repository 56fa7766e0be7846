"""Random calls of the engine's functions, their values and gradients held against PyTorch's in float64."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from hypothesis import reject
from torch.nn import functional as theirs

from pyneural import Tensor, functional
from pyneural.autograd import grad
from pyneural.kernels import OPERATIONS, Operation, Sample, dtypes

from .calls import as_tuple, describe

Function = Callable[..., Any]

# Parameters that have no derivative.
_CONSTANT = {"mean", "var", "condition", "weight of a loss", "pos_weight"}
_LOSSES = {"cross_entropy", "nll_loss", "binary_cross_entropy_with_logits"}


def _reduced(function: Function) -> Function:
    def call(x: Any, dim: Any = None, keepdim: bool = False, **attributes: Any) -> Any:
        return function(x, tuple(range(x.ndim)) if dim is None or dim == () else dim, keepdim=keepdim, **attributes)

    return call


def _std(x: Any, **attributes: Any) -> Any:
    result = _reduced(torch.std)(x, **attributes)
    if x.numel() and bool((result <= 1e-9 * x.abs().max()).any()):
        reject()  # of equal elements: its slope is 0 / 0, and what rounding left of it
    return result


def _prod(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    several = isinstance(dim, tuple)
    dims = range(x.ndim) if dim is None or (several and not dim) else (dim if several else (dim,))
    for each in sorted((d % max(x.ndim, 1) for d in dims), reverse=True):
        x = torch.prod(x, each, keepdim=keepdim)
    return x


def _logsumexp(x: Any, dim: Any, keepdim: bool = False) -> Any:
    return torch.logsumexp(x, tuple(range(x.ndim)) if dim == () else dim, keepdim)


def _activated(function: Function) -> Function:
    after: dict[Any, Function] = {
        None: lambda y: y,
        "gelu_tanh": lambda y: theirs.gelu(y, approximate="tanh"),
        **{name: getattr(torch, name) for name in ("relu", "sigmoid", "tanh")},
        **{name: getattr(theirs, name) for name in ("gelu", "silu")},
    }

    def call(*args: Any, activation: str | None = None, **attributes: Any) -> Any:
        return after[activation](function(*args, **attributes))

    return call


def _attention(query: Any, key: Any, value: Any, mask: Any = None, *, is_causal: bool, scale: float | None) -> Any:
    """By its definition; a query that takes part in nothing gets zeros."""
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = query @ key.transpose(-2, -1) * factor
    kept = torch.ones(scores.shape[-2:], dtype=torch.bool)
    if is_causal:
        kept = kept.tril()
    if mask is not None and mask.dtype == torch.bool:
        kept = kept & mask
    elif mask is not None:
        scores = scores + mask
    kept = kept.expand(scores.shape)
    some = kept.any(-1, keepdim=True)
    weights = torch.softmax(torch.where(kept | ~some, scores, -math.inf), -1)
    return torch.where(some, weights, 0.0) @ value


def _index(x: Any, key: Any) -> Any:
    if any(isinstance(each, slice) and (each.step or 1) < 0 for each in key):
        reject()  # PyTorch has no negative steps
    if any(isinstance(each, int) or (isinstance(each, torch.Tensor) and each.ndim == 0) for each in key):
        reject()  # one number counts as an index array here, as in NumPy, and as none in PyTorch
    return x[
        tuple(each.long() if isinstance(each, torch.Tensor) and each.dtype != torch.bool else each for each in key)
    ]


def _pad(x: Any, pad: Any, mode: str = "constant", value: float = 0.0) -> Any:
    padded = theirs.pad(x, pad, mode, value) if mode == "constant" else theirs.pad(x, pad, mode)
    if mode == "reflect" and not padded.numel():
        reject()  # PyTorch 2.13 leaves the gradient as the memory was
    return padded


def _lstm_cell(projected: Any, product: Any, memory: Any) -> Any:
    i, f, g, o = (projected + product).chunk(4, 1)
    following = f.sigmoid() * memory + i.sigmoid() * g.tanh()
    return o.sigmoid() * following.tanh(), following


OURS: dict[str, Function] = {
    "index": lambda x, key: x[key],
    "embedding": lambda weight, indices: functional.embedding(indices, weight),
    "layer_norm": lambda x, weight, bias, **kw: functional.layer_norm(x, weight=weight, bias=bias, **kw),
    "rms_norm": lambda x, weight, **kw: functional.rms_norm(x, weight=weight, **kw),
    "group_norm": lambda x, weight, bias, **kw: functional.group_norm(x, weight=weight, bias=bias, **kw),
    "batch_norm_train": lambda x, weight, bias, eps: functional.batch_norm(
        x, None, None, weight, bias, training=True, eps=eps
    ),
    "batch_norm_infer": lambda x, weight, bias, mean, var, eps: functional.batch_norm(
        x, mean, var, weight, bias, eps=eps
    ),
    "binary_cross_entropy_with_logits": lambda x, target, weight, pos_weight, reduction: (
        functional.binary_cross_entropy_with_logits(x, target, weight, reduction, pos_weight)
    ),
    "cross_entropy": lambda x, target, weight, **kw: functional.cross_entropy(
        x, target, weight, reduction="none", **kw
    ),
    "index_select": lambda x, index, dim: functional.index_select(x, dim, index),
    "gather": lambda x, index, dim: functional.gather(x, dim, index),
    "scatter_add": lambda x, index, source, dim: functional.scatter_add(x, dim, index, source),
}

THEIRS: dict[str, Function] = {
    **{name: _reduced(getattr(torch, name)) for name in ("sum", "mean", "var", "amax", "amin")},
    "std": _std,
    "prod": _prod,
    "logsumexp": _logsumexp,
    "linear": _activated(theirs.linear),
    "conv2d": _activated(theirs.conv2d),
    "conv3d": _activated(theirs.conv3d),
    "scaled_dot_product_attention": _attention,
    "index": _index,
    "pad": _pad,
    "embedding": lambda weight, indices: theirs.embedding(indices, weight),
    "layer_norm": lambda x, weight, bias, normalized_shape, eps: theirs.layer_norm(
        x, _shape(normalized_shape), weight, bias, eps
    ),
    "rms_norm": lambda x, weight, normalized_shape, eps: theirs.rms_norm(x, _shape(normalized_shape), weight, eps),
    "group_norm": lambda x, weight, bias, num_groups, eps: theirs.group_norm(x, num_groups, weight, bias, eps),
    "lstm_cell": _lstm_cell,
    "batch_norm_train": lambda x, weight, bias, eps: theirs.batch_norm(
        x, None, None, weight, bias, training=True, eps=eps
    ),
    "batch_norm_infer": lambda x, weight, bias, mean, var, eps: theirs.batch_norm(x, mean, var, weight, bias, eps=eps),
    "binary_cross_entropy_with_logits": lambda x, target, weight, pos_weight, reduction: (
        theirs.binary_cross_entropy_with_logits(x, target, weight, reduction=reduction, pos_weight=pos_weight)
    ),
    "cross_entropy": lambda x, target, weight, **kw: theirs.cross_entropy(x, target, weight, reduction="none", **kw),
    "flip": lambda x, dims: torch.flip(x, dims if isinstance(dims, tuple) else (dims,)),
    "index_select": lambda x, index, dim: torch.index_select(x, dim, index),
    "gather": lambda x, index, dim: torch.gather(x, dim, index.long()),
    "scatter_add": lambda x, index, source, dim: torch.scatter_add(x, dim, index.long(), source),
}


def _shape(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


def _function(name: str) -> Function:
    return getattr(theirs, name, None) or getattr(torch, name)  # type: ignore[no-any-return]


NAMES = [
    each.name for each in OPERATIONS.values() if each.gradient or each.name in ("batch_norm_train", "batch_norm_infer")
]


def verify_gradient(operation: Operation, sample: Sample, rng: np.random.Generator) -> None:
    """Value and gradients, for a random cotangent, are PyTorch's."""
    name = operation.name
    mine, hers = Leaves(name), Leaves(name)
    ours = mine.of(operation, sample, lambda array, leaf: Tensor(array, requires_grad=leaf))
    other = hers.of(
        operation, sample, lambda array, leaf: torch.from_numpy(np.array(array, order="C")).requires_grad_(leaf)
    )
    want: tuple[Any, ...] = ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = as_tuple((THEIRS.get(name) or _function(name))(*other[0], **other[1]))
            cotangents = [np.asarray(rng.standard_normal(tuple(each.shape))) for each in expected]
            # Where the value is no number, such as a variance of too few, what its slope is is a matter of taste.
            if all(each.requires_grad and bool(torch.isfinite(each).all()) for each in expected):
                seeds = [torch.from_numpy(each) for each in cotangents]
                want = torch.autograd.grad(expected, hers.leaves, seeds, allow_unused=True)
    except (RuntimeError, NotImplementedError, ValueError, IndexError, TypeError):
        reject()  # PyTorch does not take it
    found = OURS.get(name) or getattr(functional, name)
    results = as_tuple(found(*ours[0], **ours[1]))
    for y, each in zip(results, expected, strict=True):
        _close(y, each, f"value of {describe(operation, sample)}")
    have = grad(results, mine.leaves, [Tensor(each) for each in cotangents], allow_unused=True) if want else ()
    for number, (h, w) in enumerate(zip(have, want, strict=True)):
        _close(h, w, f"gradient {number} of {describe(operation, sample)}")


class Leaves:
    """The arguments of a call as tensors, those with a derivative noted in ``leaves``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.leaves: list[Any] = []

    def of(self, operation: Operation, sample: Sample, make: Callable[[Any, bool], Any]) -> tuple[list[Any], Any]:
        names = operation.signature.parameters
        args = [self._made(value, self._leaf(each), make) for each, value in zip(names, sample.args, strict=False)]
        return args, {key: self._made(value, False, make) for key, value in sample.kwargs.items()}

    def _leaf(self, parameter: str) -> bool:
        of_a_loss = f"{parameter} of a loss" if self.name in _LOSSES else parameter
        if parameter == "target" or of_a_loss in _CONSTANT:
            return False
        return not (self.name == "scaled_dot_product_attention" and parameter == "attn_mask")

    def _made(self, value: Any, leaf: bool, make: Callable[[Any, bool], Any]) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(self._made(each, leaf, make) for each in value)
        if not isinstance(value, np.ndarray):
            return value
        tensor = make(value, leaf and dtypes.is_floating(value.dtype))
        if tensor.requires_grad:
            self.leaves.append(tensor)
        return tensor


def _close(ours: Any, hers: Any, what: str) -> None:
    left = np.zeros(()) if ours is None else ours.detach().numpy()
    right = np.zeros(()) if hers is None else hers.detach().numpy()
    if ours is not None and hers is not None:
        assert left.shape == right.shape, f"{what}: shape {left.shape}, PyTorch {right.shape}"
    finite = np.abs(right[np.isfinite(right)]) if right.ndim else np.abs(right)
    largest = float(np.max(finite, initial=0.0, where=np.isfinite(finite)))
    np.testing.assert_allclose(left, right, rtol=1e-7, atol=1e-9 * (1 + largest), err_msg=what)
