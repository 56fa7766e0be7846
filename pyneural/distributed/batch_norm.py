"""Batch normalisation by the statistics of all ranks' parts of the batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyneural.autograd import Function, no_grad
from pyneural.functional import rsqrt
from pyneural.functional.operands import cast
from pyneural.kernels import Backend, dtypes
from pyneural.nn import BatchNorm1d, BatchNorm2d, BatchNorm3d, Module
from pyneural.tensor import Tensor

from .group import current


class _SumOfRanks(Function):
    """The sum of the ranks' tensors; its gradient is the sum of theirs."""

    def forward(self, kernels: Backend, x: Tensor) -> Any:
        group = current()
        total = kernels.cast(x.array, dtype=x.dtype)
        group.trace.count(total.nbytes)
        group.transport(x.device).all_reduce(total, "sum", "SyncBatchNorm").wait()
        return total

    def backward(self, grad: Tensor) -> Any:
        return _SumOfRanks()(grad)


class SyncBatchNorm(Module):
    """A batch normalisation that takes its statistics over the batches of all ranks (in training).

    It computes mean and variance in two passes with two all-reduces of a number or two per channel, and as many in
    backward; so N ranks with a part of a batch each compute what one does with the whole of it. Every rank calls it the
    same number of times. Made by `convert_sync_batchnorm`.

    Args:
        module: the BatchNorm1d, 2d or 3d whose parameters and statistics it takes over; they are shared, not copied.

    Raises:
        ValueError: there is one value a channel, on all ranks together.
    """

    def __init__(self, module: BatchNorm1d | BatchNorm2d | BatchNorm3d) -> None:
        super().__init__()
        self.kind = type(module)
        self.num_features, self.eps, self.momentum = module.num_features, module.eps, module.momentum
        self.affine, self.track_running_stats = module.affine, module.track_running_stats
        self.register_parameter("weight", module.weight)
        self.register_parameter("bias", module.bias)
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(module, name))
        self.inner = [module]  # in a list: no module of its own, which would double the names
        self.training = module.training

    def forward(self, input: Tensor) -> Tensor:
        plain = self.inner[0]
        if not self.training:
            plain.training = False
            result: Tensor = plain(input)
            return result
        if input.ndim < 2 or input.shape[1] != self.num_features:
            raise ValueError(
                f"SyncBatchNorm: input must have shape (N, {self.num_features}, ...), not {tuple(input.shape)}"
            )
        shape, dims = (1, -1, *(1,) * (input.ndim - 2)), (0, *range(2, input.ndim))
        x = cast(input, dtypes.accumulator(input.dtype))
        count = _of_all_ranks(input.numel() // self.num_features)
        if count < 2:
            raise ValueError(f"SyncBatchNorm: training needs more than 1 element a channel, got shape {input.shape}")
        mean = _SumOfRanks()(x.sum(dim=dims)) / count
        centred = x - mean.reshape(shape)
        var = _SumOfRanks()((centred * centred).sum(dim=dims)) / count
        y = centred * rsqrt(var + self.eps).reshape(shape)
        if self.weight is not None:
            y = y * cast(self.weight, x.dtype).reshape(shape)
        if self.bias is not None:
            y = y + cast(self.bias, x.dtype).reshape(shape)
        if self.track_running_stats:
            self._follow(mean.detach(), var.detach() * (count / (count - 1)))
        return cast(y, input.dtype)

    def _follow(self, mean: Tensor, var: Tensor) -> None:
        assert self.num_batches_tracked is not None
        with no_grad():
            self.num_batches_tracked.add_(1)
            momentum = 1.0 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
            for running, new in ((self.running_mean, mean), (self.running_var, var)):
                running.copy_(running * (1.0 - momentum) + cast(new, running.dtype) * momentum)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


def _of_all_ranks(count: int) -> int:
    """The sum of the ranks' counts."""
    total = np.array([count], np.int64)
    current().host.all_reduce(total, "sum", "SyncBatchNorm").wait()
    return int(total[0])


def convert_sync_batchnorm(module: Module) -> Module:
    """Replace every batch normalisation inside by a `SyncBatchNorm` with its parameters and statistics.

    Returns the module, or the new layer where the module is a batch normalisation itself. Names in state dicts stay.
    """
    if isinstance(module, (BatchNorm1d, BatchNorm2d, BatchNorm3d)):
        return SyncBatchNorm(module)
    for name, child in list(module.named_children()):
        replaced = convert_sync_batchnorm(child)
        if replaced is not child:
            module.add_module(name, replaced)
    return module
