"""Batch normalisation."""

from __future__ import annotations

from typing import Any

from pyneural import functional
from pyneural.functional import empty, zeros
from pyneural.kernels import dtypes
from pyneural.tensor import Tensor

from . import arguments, init
from .module import Module
from .parameter import Parameter


class _BatchNorm(Module):
    """Each channel normalised over the batch and all positions, then scaled and shifted.

    Arguments as of `BatchNorm2d`.
    """

    shapes: tuple[str, ...] = ()  # what forward takes, {} for the channels

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        own = type(self).__name__
        arguments.size(own, num_features=num_features)
        self.num_features = num_features
        self.eps = arguments.number(own, "eps", eps, 0.0)
        self.momentum = None if momentum is None else arguments.number(own, "momentum", momentum, 0.0, 1.0)
        self.affine, self.track_running_stats = affine, track_running_stats

        def vector() -> Tensor:
            return empty(num_features, dtype=dtype, device=device)

        self.register_parameter("weight", Parameter(vector()) if affine else None)
        self.register_parameter("bias", Parameter(vector()) if affine else None)
        self.register_buffer("running_mean", vector() if track_running_stats else None)
        self.register_buffer("running_var", vector() if track_running_stats else None)
        counter = zeros((), dtype=dtypes.int64, device=device) if track_running_stats else None
        self.register_buffer("num_batches_tracked", counter)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set scale 1 and shift 0, and forget the statistics."""
        self.reset_running_stats()
        if self.weight is not None and self.bias is not None:
            init.ones_(self.weight)
            init.zeros_(self.bias)

    def reset_running_stats(self) -> None:
        """Set the running mean to 0 and the running variance to 1."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def forward(self, input: Tensor) -> Tensor:
        dimensions = [each.count(",") + 1 for each in self.shapes]
        if input.ndim not in dimensions or input.shape[1] != self.num_features:
            wanted = " or ".join(each.format(self.num_features) for each in self.shapes)
            raise ValueError(f"{type(self).__name__}: input must have shape {wanted}, not {tuple(input.shape)}")
        momentum = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if momentum is None:
                momentum = 1.0 / self.num_batches_tracked.item()
        use_batch = self.training or not self.track_running_stats
        return functional.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=use_batch,
            momentum=0.0 if momentum is None else momentum,
            eps=self.eps,
        )

    def flops(self, output: Any, *inputs: Any) -> int:
        return 2 * int(output.numel())

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """`BatchNorm2d` for features (N, C) or sequences (N, C, L)."""

    shapes = ("(N, {})", "(N, {}, L)")


class BatchNorm2d(_BatchNorm):
    """Each channel of (N, C, H, W) images normalised over the batch and the image, then scaled and shifted.

    In evaluation the running statistics are used, which training moves towards each batch's.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167.

    Args:
        num_features: channels C.
        eps: added to the variance.
        momentum: how far each batch moves the running statistics; None for their plain average.
        affine: whether there are ``weight`` and ``bias``, which start at 1 and 0.
        track_running_stats: False uses the batch's statistics in evaluation too.
        device, dtype: of the parameters and statistics.

    Raises:
        ValueError, TypeError: a value out of range; forward is given no 4-D tensor of C channels.
    """

    shapes = ("(N, {}, H, W)",)


class BatchNorm3d(_BatchNorm):
    """`BatchNorm2d` for volumes (N, C, D, H, W)."""

    shapes = ("(N, {}, D, H, W)",)
