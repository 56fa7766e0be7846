"""PyTorch's own sample inputs (its `op_db`), through pyneural: values and gradients in float64.

Every entry of the database that names an operation of pyneural is asked for; what pyneural does not
take is in `UNSUPPORTED` with the reason in words, and nothing else is passed over.
"""

from __future__ import annotations

import functools
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import Tensor, autograd
from pyneural import functional as F

torch = pytest.importorskip("torch", reason="PyTorch's sample inputs need PyTorch")
pytest.importorskip("expecttest", reason="PyTorch's sample inputs need expecttest")


@functools.cache
def database() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    entries = {}
    for each in op_db:
        name = each.name.removeprefix("nn.functional.")
        if name in entries and name == each.name:  # unfold: a function of images, and another one of tensors
            continue
        entries[f"{name}.{each.variant_test_name}" if each.variant_test_name else name] = each
    return entries


def method(name: str) -> Callable[..., Any]:
    return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)


# Entries of the database and what they are in pyneural, where the name alone does not say it.
CALLS: dict[str, Callable[..., Any]] = {
    "__getitem__": lambda x, key: x[key],
    "__radd__": lambda x, other: other + x,
    "__rdiv__": lambda x, other: other / x,
    "__rmatmul__": lambda x, other: other @ x,
    "__rmul__": lambda x, other: other * x,
    "__rpow__": lambda x, other: other**x,
    "__rsub__": lambda x, other: other - x,
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "contiguous": method("contiguous"),
    "einsum": lambda tensors, equation: F.einsum(equation, *tensors),
    "expand": method("expand"),
    "permute": method("permute"),
    "reshape": method("reshape"),
    "view": method("view"),
    "embedding": lambda weight, indices, **attributes: F.embedding(indices, weight, **attributes),
    "double": method("double"),
    "float": method("float"),
    "half": method("half"),
    "bfloat16": method("bfloat16"),
    "long": method("long"),
    "new_ones": method("new_ones"),
    "new_zeros": method("new_zeros"),
    "int": method("int"),
    "bool": method("bool"),
    "to": method("to"),
    "where": lambda x, condition, other: F.where(condition, x, other),
}

# Entries that are not asked for although pyneural has something of the name, and why.
NOT_ASKED = {
    "uniform": "another function: fills a tensor in place",
    "normal": "another function: means and deviations are tensors",
    "normal.in_place": "another function: fills a tensor in place",
    "div.trunc_rounding": "div with rounding_mode",
    "div.floor_rounding": "div with rounding_mode",
    "silu.complex": "complex numbers",
    "batch_norm.without_cudnn": "has no dtypes on a CPU",
    "item": "gives no tensor",
    "zero_": "changes its argument, which has no gradient then",
}

# Results are random or uninitialised: shape and dtype are compared.
RANDOM = {"bernoulli", "dropout", "empty", "rand", "randint", "randn", "randperm"}

# Relative tolerance of gradients where PyTorch's own is coarse: its hardsigmoid has a sixth rounded to float32.
COARSE = {"hardsigmoid": 1e-7}

# Named variants of an entry that are the same function here.
VARIANTS = {
    "div.no_rounding_mode",
    "pad.constant",
    "pad.reflect",
    "pad.replicate",
    "pad.replicate_negative",
    "pad.circular",
    "std.unbiased",
    "var.unbiased",
}

# Samples that pyneural refuses on purpose: entry ("*" for all), a test of (args, kwargs), the reason.
Refusal = tuple[str, Callable[[tuple[Any, ...], dict[str, Any]], bool], str]
UNSUPPORTED: list[Refusal] = [
    (
        "*",
        lambda args, kwargs: kwargs.get("memory_format", torch.contiguous_format) is not torch.contiguous_format,
        "memory_format: a tensor is C-contiguous or a view",
    ),
    (
        "to",
        lambda args, kwargs: any(isinstance(each, bool) for each in args) or "non_blocking" in kwargs,
        "to: non_blocking and positional copy",
    ),
    (
        "scaled_dot_product_attention",
        lambda args, kwargs: kwargs.get("dropout_p", 0.0) > 0.0,
        "scaled_dot_product_attention with dropout_p: random",
    ),
    ("batch_norm", lambda args, kwargs: args[0].ndim < 2, "batch_norm: an input without a channel dimension"),
]


def call_of(entry: str) -> Callable[..., Any] | None:
    if entry in CALLS:
        return CALLS[entry]
    name = entry.split(".")[0]
    if entry in NOT_ASKED or (entry != name and entry not in VARIANTS):
        return None
    return getattr(F, name, None) if name in F.__all__ else None


def convert(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        dense = value.detach().resolve_conj().resolve_neg()
        tensor = pyneural.from_numpy(dense.numpy())
        return tensor.requires_grad_() if value.requires_grad else tensor
    if isinstance(value, (list, tuple)):
        return type(value)(convert(each) for each in value)
    if isinstance(value, dict):
        return {key: convert(each) for key, each in value.items()}
    if isinstance(value, torch.device):
        return "cpu"
    if isinstance(value, torch.dtype):
        return np.dtype(str(value).removeprefix("torch.")) if value != torch.bfloat16 else pyneural.bfloat16
    return value


def tensors(value: Any, kind: type) -> Iterator[Any]:
    if isinstance(value, kind):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from tensors(each, kind)
    elif isinstance(value, dict):
        for each in value.values():
            yield from tensors(each, kind)


def compare(entry: str, call: Callable[..., Any], sample: Any, reference: Any, rng: np.random.Generator) -> None:
    arguments = (sample.input, *sample.args)
    mine = convert(arguments), {key: convert(each) for key, each in sample.kwargs.items() if key != "memory_format"}
    expected = [each for each in tensors(reference(sample.input, *sample.args, **sample.kwargs), torch.Tensor)]
    got = list(tensors(call(*mine[0], **mine[1]), Tensor))
    assert len(got) == len(expected)
    for g, e in zip(got, expected, strict=True):
        assert g.shape == tuple(e.shape)
        assert str(g.dtype) == str(e.dtype).removeprefix("torch.")
        if entry in RANDOM:
            continue
        np.testing.assert_allclose(
            np.asarray(g.detach().to(pyneural.float64).numpy()), e.detach().double().numpy(), rtol=1e-9, atol=1e-10
        )
    pairs = [(g, e) for g, e in zip(got, expected, strict=True) if e.requires_grad]
    assert entry in RANDOM or all(g.requires_grad for g, _ in pairs)
    inputs = [each for each in tensors((arguments, sample.kwargs), torch.Tensor) if each.requires_grad]
    own = [each for each in tensors(mine, Tensor) if each.requires_grad]
    if not pairs or not inputs or entry in RANDOM:
        return
    cotangents = [rng.standard_normal(tuple(e.shape)) for _, e in pairs]
    want = torch.autograd.grad(
        [e for _, e in pairs],
        inputs,
        [torch.tensor(c, dtype=e.dtype) for c, (_, e) in zip(cotangents, pairs, strict=True)],
        allow_unused=True,
    )
    have = autograd.grad(
        [g for g, _ in pairs],
        own,
        [Tensor(c, dtype=g.dtype) for c, (g, _) in zip(cotangents, pairs, strict=True)],
        allow_unused=True,
    )
    for h, w in zip(have, want, strict=True):
        left = np.zeros(()) if h is None else h.numpy()
        right = np.zeros(()) if w is None else w.numpy()
        np.testing.assert_allclose(left, right, rtol=COARSE.get(entry, 1e-8), atol=1e-9)


def entries() -> list[str]:
    return [entry for entry in database() if call_of(entry) is not None]


def test_no_entry_is_left_out() -> None:
    """What has the name of a function or of a tensor's method is asked for, or `NOT_ASKED` says why not."""
    names = {*F.__all__, *CALLS, *(name for name in dir(Tensor) if not name.startswith("__"))}
    asked = set(entries())
    left = {entry for entry in database() if entry.split(".")[0] in names} - asked
    assert left == set(NOT_ASKED)


@pytest.mark.parametrize("entry", entries())
def test_agrees_with_pytorch_on_its_own_samples(entry: str, rng: np.random.Generator, record_property: Any) -> None:
    call = call_of(entry)
    assert call is not None
    info = database()[entry]
    dtype = torch.float64 if torch.float64 in info.dtypes else torch.int64
    tried = passed = 0
    refused: Counter[str] = Counter()
    failures = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in info.sample_inputs(
            "cpu", dtype, requires_grad=info.supports_autograd and dtype.is_floating_point
        ):
            tried += 1
            arguments = ((sample.input, *sample.args), sample.kwargs)
            reasons = [why for name, applies, why in UNSUPPORTED if name in ("*", entry) and applies(*arguments)]
            if reasons:
                refused[reasons[0]] += 1
                continue
            try:
                compare(entry, call, sample, info.op, rng)
                passed += 1
            except Exception as error:
                failures.append(
                    f"{sample.summary() if hasattr(sample, 'summary') else sample}: {type(error).__name__}: {error}"
                )
    record_property("op_db", {"asked": tried, "passed": passed, "refused": dict(refused)})
    assert not failures, f"{len(failures)} of {tried} samples of {entry} fail:\n" + "\n".join(failures[:4])
