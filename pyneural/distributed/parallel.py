"""`DistributedDataParallel`: every rank computes a part of the batch, gradients are averaged during backward."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pyneural import recording
from pyneural.autograd import queue_callback
from pyneural.nn import Module
from pyneural.tensor import RemovableHandle, Tensor

from .buckets import Buckets
from .collectives import agree, contiguous
from .group import ProcessGroup, current

_FIRST = 1 << 20  # bytes of the first bucket, so that communication begins early


class DistributedDataParallel(Module):
    """A module whose gradients are the means over all ranks once ``backward`` has returned::

        distributed.init()
        model = DistributedDataParallel(Net())
        for x, y in loader:  # with a DistributedSampler: every rank has other samples
            optimizer.zero_grad()
            loss_function(model(x), y).backward()
            optimizer.step()

    At the start parameters and buffers become those of rank 0. Gradients are gathered in buckets and sent as soon as a
    bucket is full, while backward goes on; from the second backward on, buckets hold parameters in the order in which
    their gradients became known on rank 0. A parameter that a rank did not use counts as 0 there; one that no rank used
    keeps the gradient None. Names and semantics follow PyTorch's class.

    Args:
        module: what is trained; all ranks have the same parameters in the same order.
        bucket_cap_mb: size of a bucket in MiB.
        compression: "float16" sends gradients in half the bits of float32 (divided by the world size first; what is
            beyond 65504 becomes infinite, what is below 6e-8 becomes 0).
        broadcast_buffers: whether buffers become those of rank 0 at the start and in `sync_buffers`.

    Attributes:
        module: the module itself.
        require_sync: False inside `no_sync`.

    Raises:
        ValueError: the ranks' parameters differ, on all ranks; a value out of range; nothing to train.
        RuntimeError: `init` was not called.
    """

    def __init__(
        self,
        module: Module,
        bucket_cap_mb: float = 25.0,
        compression: str | None = None,
        broadcast_buffers: bool = True,
    ) -> None:
        super().__init__()
        if not isinstance(module, Module):
            raise TypeError(f"DistributedDataParallel: module must be a Module, not {type(module).__name__}")
        if not bucket_cap_mb > 0.0:
            raise ValueError(f"DistributedDataParallel: bucket_cap_mb (={bucket_cap_mb}) must be above 0")
        if compression not in (None, "float16"):
            raise ValueError(f"DistributedDataParallel: compression (={compression!r}) must be None or 'float16'")
        self.module = module
        self._group: ProcessGroup = current()
        self._trained: list[Tensor] = [each for each in module.parameters() if each.requires_grad]
        if not self._trained:
            raise ValueError("DistributedDataParallel: the module has no parameter that requires a gradient")
        self._limit, self._half = int(bucket_cap_mb * (1 << 20)), compression == "float16"
        self._broadcast_buffers = broadcast_buffers
        named = [*module.named_parameters(), *module.named_buffers()]
        agree(
            "DistributedDataParallel",
            [f"{name}: {each.dtype} {each.shape} on {each.device.type}" for name, each in named],
        )
        self._copied(list(module.parameters()))
        if broadcast_buffers:
            self._copied(list(module.buffers()))
        self.require_sync = True
        self._order = list(range(len(self._trained)))[::-1]
        self._learnt = False  # whether the order is that of a backward
        self._arrived: list[int] = []
        self._running = False
        self._abandoned: list[Buckets] = []
        self._buckets = self._made()
        self._handles: list[RemovableHandle] = []
        for number, each in enumerate(self._trained):
            self._handles.append(each.register_post_accumulate_grad_hook(self._hook(number)))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        recording.gives_up("ranks talk to each other")
        return self.module(*args, **kwargs)

    @property
    def bytes_per_step(self) -> int:
        """What each rank gives to all-reduces in a step: its gradients, and one number for each parameter."""
        return self._buckets.nbytes

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """Inside, backward adds to this rank's gradients only; the first backward after it sends the sum."""
        before, self.require_sync = self.require_sync, False
        try:
            yield
        finally:
            self.require_sync = before

    def sync_buffers(self) -> None:
        """Make every rank's buffers (running statistics) those of rank 0; all ranks call it."""
        if self._broadcast_buffers:
            self._copied(list(self.module.buffers()))

    def detach_hooks(self) -> None:
        """Leave the module's gradients alone from now on."""
        for each in self._handles:
            each.remove()

    def _hook(self, number: int) -> Any:
        def ready(_: Tensor) -> None:
            if not self.require_sync:
                return
            if not self._running:
                self._running = True
                self._arrived = []
                self._buckets.begin()
                queue_callback(self._finish)
            self._arrived.append(number)
            self._buckets.put(number)

        return ready

    def _finish(self, failed: bool) -> None:
        self._running = False
        if failed:
            # What was sent may still be on its way, into memory that must stay: the next backward gets other buckets.
            self._abandoned.append(self._buckets)
            self._buckets = self._made()
            return
        self._buckets.finish()
        if not self._learnt:
            self._learnt = True
            # What was not used comes last.
            seen = [*self._arrived, *(each for each in self._order if each not in set(self._arrived))]
            order = self._group.broadcast_object(seen)
            if order != self._order:
                self._order = order
                self._buckets = self._made()

    def _made(self) -> Buckets:
        return Buckets(self._trained, self._group, self._order, min(_FIRST, self._limit), self._limit, self._half)

    def _copied(self, tensors: list[Tensor]) -> None:
        for each in tensors:
            array = contiguous(each)
            self._group.transport(each.device).broadcast(array, 0, "DistributedDataParallel").wait()
            if array is not each.array:
                each.device.kernels.cast(array, dtype=array.dtype, out=each.array)
            each._version[0] += 1
