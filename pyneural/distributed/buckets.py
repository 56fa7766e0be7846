"""`Buckets`: gradients gathered in flat arrays that are all-reduced while backward still runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyneural.device import Device
from pyneural.kernels import dtypes
from pyneural.tensor import Tensor

from .collectives import scale
from .group import ProcessGroup
from .work import Work

Array = Any


class Bucket:
    """Gradients of one dtype and device, one after the other in one array, and behind them a mark for each.

    A mark is not 0 where any rank has a gradient of that parameter: one that no rank uses keeps the gradient None.

    Attributes:
        numbers: of its parameters.
        nbytes: what an all-reduce of it sends.
    """

    def __init__(self, numbers: Sequence[int], params: Sequence[Tensor], dtype: Any) -> None:
        self.numbers = list(numbers)
        sizes = [params[number].numel() for number in numbers]
        self.begins = [sum(sizes[:place]) for place in range(len(sizes))]
        self.marks = sum(sizes)
        self.device: Device = params[numbers[0]].device
        self.dtype = dtype
        self.array: Array = self.device.full((self.marks + len(sizes),), 0.0, dtype)
        self.nbytes = int(self.array.nbytes)
        self.place = {number: place for place, number in enumerate(numbers)}
        self.missing = set(numbers)
        self.work: Work | None = None
        self.started = 0.0

    def slot(self, number: int, shape: tuple[int, ...]) -> Array:
        """Where the gradient of a parameter lies, as a view of its shape."""
        begin = self.begins[self.place[number]]
        size = 1
        for each in shape:
            size *= each
        return self.array[begin : begin + size].reshape(shape)

    def mark(self, number: int) -> Array:
        """The parameter's mark, a view of one element."""
        place = self.marks + self.place[number]
        return self.array[place : place + 1]


def layout(sizes: Sequence[tuple[int, Any]], order: Sequence[int], first: int, limit: int) -> list[list[int]]:
    """Which parameters share a bucket.

    Args:
        sizes: of each parameter its bytes and what must agree within a bucket (dtype and device).
        order: the parameters' numbers in the order in which their gradients become known.
        first, limit: bytes of the first bucket, which should start early, and of the others; a larger parameter has
            a bucket for itself.
    """
    buckets: list[list[int]] = []
    filling: dict[Any, tuple[list[int], int]] = {}
    for number in order:
        size, kind = sizes[number]
        numbers, full = filling.get(kind, ([], 0))
        if numbers and full + size > (first if buckets and numbers is buckets[0] else limit):
            numbers, full = [], 0
        if not numbers:
            buckets.append(numbers)
        numbers.append(number)
        filling[kind] = (numbers, full + size)
    return buckets


class Buckets:
    """The gradients of some parameters on their way between the ranks.

    Args:
        params: whose gradients are averaged.
        group: between which ranks.
        order: the numbers of the parameters, first known first.
        first, limit: bytes, see `layout`.
        half: send float16 instead of wider floats.
    """

    def __init__(
        self, params: Sequence[Tensor], group: ProcessGroup, order: Sequence[int], first: int, limit: int, half: bool
    ) -> None:
        self.params, self.group = params, group

        def sent(param: Tensor) -> Any:
            return dtypes.float16 if half and not dtypes.is_half(param.dtype) else param.dtype

        sizes = [(param.numel() * sent(param).itemsize, (param.dtype.name, param.device.name)) for param in params]
        self.buckets = [Bucket(each, params, sent(params[each[0]])) for each in layout(sizes, order, first, limit)]
        self.of = {number: bucket for bucket in self.buckets for number in bucket.numbers}
        self.next = 0  # buckets are sent in their order on every rank

    @property
    def nbytes(self) -> int:
        """What a step sends: every gradient, and a number for each parameter."""
        return sum(each.nbytes for each in self.buckets)

    def begin(self) -> None:
        """Before a backward: nothing is there yet."""
        self.next = 0
        for bucket in self.buckets:
            bucket.missing, bucket.work = set(bucket.numbers), None

    def put(self, number: int) -> None:
        """Take a parameter's gradient, which is whole now, and send what is full."""
        bucket = self.of[number]
        self._fill(bucket, number)
        bucket.missing.discard(number)
        while self.next < len(self.buckets) and not self.buckets[self.next].missing:
            self._send()
        for each in self.buckets[: self.next]:
            if each.work is not None:
                each.work.done()  # MPI goes on when it is asked

    def _fill(self, bucket: Bucket, number: int) -> None:
        param, kernels = self.params[number], bucket.device.kernels
        grad, slot = param.grad, bucket.slot(number, param.shape)
        # A mark of every rank together is 1, so that no sum of them leaves float16.
        share = 1.0 / self.group.world_size
        if grad is None:
            bucket.device.engine.fill(slot, 0.0)
        elif grad.requires_grad:
            raise RuntimeError("DistributedDataParallel: gradients with a graph (create_graph=True) are not averaged")
        elif bucket.dtype == param.dtype:
            kernels.cast(grad.array, dtype=bucket.dtype, out=slot)
        else:  # divided before it is rounded: the sum must stay within float16
            kernels.cast(
                kernels.mul(grad.array, bucket.device.full((), share, grad.dtype)), dtype=bucket.dtype, out=slot
            )
        bucket.device.engine.fill(bucket.mark(number), 0.0 if grad is None else share)

    def _send(self) -> None:
        bucket, trace = self.buckets[self.next], self.group.trace
        trace.count(bucket.nbytes)
        bucket.started = trace.now()
        what = f"all_reduce of bucket {self.next}"
        bucket.work = self.group.transport(bucket.device).all_reduce(bucket.array, "sum", what)
        self.next += 1

    def finish(self) -> None:
        """At the end of backward: send what lacks gradients on this rank, wait, and give the means back."""
        for bucket in self.buckets[self.next :]:
            for number in sorted(bucket.missing):
                self._fill(bucket, number)
            self._send()
        for number, bucket in enumerate(self.buckets):
            assert bucket.work is not None
            bucket.work.wait()
            trace = self.group.trace
            trace.add("all_reduce", bucket.started, trace.now(), 1 + number, bucket=number, bytes=bucket.nbytes)
            self._take(bucket)

    def _take(self, bucket: Bucket) -> None:
        kernels = bucket.device.kernels
        unscaled = [each for each in bucket.numbers if bucket.dtype == self.params[each].dtype]
        if unscaled and self.group.world_size > 1:
            scale(bucket.device, bucket.array, 1.0 / self.group.world_size)
        for number in bucket.numbers:
            param = self.params[number]
            slot = bucket.slot(number, param.shape)
            if param.grad is not None:
                kernels.cast(slot, dtype=param.dtype, out=param.grad.array)
                param.grad._version[0] += 1
            elif float(bucket.device.to_host(bucket.mark(number))[0]) != 0.0:  # another rank has one
                param.grad = Tensor._over(kernels.cast(slot, dtype=param.dtype), bucket.device)
