"""The ranks of a training: each takes its part of every batch, and together they make the steps that one would."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyneural import distributed
from pyneural.compilation import compile, watched
from pyneural.distributed.checkpoint import shared_bytes
from pyneural.nn import Module
from pyneural.optim import Optimizer
from pyneural.random import Generator, default_generator
from pyneural.tensor import Tensor


@dataclass(frozen=True)
class Options:
    """How several ranks train; without effect where there is one.

    Attributes:
        zero: spread the optimizer's state over the ranks.
        compression: "float16" sends gradients in 16 bits.
    """

    zero: bool = False
    compression: str | None = None


class Ranks:
    """What a training loop asks where there may be more than one rank; see `pyneural.distributed.init`.

    Args:
        model: its gradients are averaged over the ranks from now until `close`.
        generator: the order of the samples, which is the same on all ranks, and augmentation, which is not.

    Raises:
        ValueError: the batch cannot be divided among the ranks.
    """

    def __init__(self, model: Module, batch_size: int, generator: Generator, options: Options) -> None:
        self.group = distributed.current() if distributed.is_initialized() else None
        self.size = 1 if self.group is None else self.group.world_size
        self.rank = 0 if self.group is None else self.group.rank
        self.generators, self.options = (generator, default_generator), options
        self.on_host = all(each.device.type != "cuda" for each in model.parameters())
        if batch_size % self.size:
            raise ValueError(f"train: batch_size (={batch_size}) cannot be divided by {self.size} ranks")
        # One rank alone needs it where a trace should show when gradients become known.
        wanted = self.group is not None and (self.size > 1 or self.group.trace.recording)
        self.parallel = distributed.DistributedDataParallel(model, compression=options.compression) if wanted else None

    def in_turn(self, begin: Callable[[Any], None], seen: Any) -> None:
        """``begin(seen)`` on rank 0, and then on the others, which find the files that it has left."""
        if self.rank == 0:
            begin(seen)
        if self.size > 1:
            distributed.barrier(math.inf)
        if self.rank > 0:
            begin(seen)

    def share(self, dataset: Any) -> Any:
        """The dataset, which gives this rank its part of a batch."""
        return dataset if self.size == 1 else _Share(dataset, self.rank, self.size)

    def optimizer(self, optimizer: Optimizer) -> Optimizer:
        """The optimizer, spread over the ranks if that is wanted."""
        if self.size > 1 and self.options.zero:
            return distributed.ZeroRedundancyOptimizer.over(optimizer)
        return optimizer

    def learner(
        self, step: Callable[[Any], tuple[Tensor, Any]], optimizer: Optimizer, *, compiled: bool
    ) -> Callable[[Any], tuple[Tensor, Any]]:
        """What makes a step of this rank's part of a batch.

        ``compiled`` where no other rank and no GPU takes part, and nobody watches the kernels.
        """

        def learn(batch: Any) -> tuple[Tensor, Any]:
            with self._span("forward"), distributed.own_random(*self.generators):
                loss, gained = step(batch)
            optimizer.zero_grad()
            with self._span("backward"):
                loss.backward()
            with self._span("optimizer"):
                optimizer.step()
            return loss.detach(), gained

        alone = self.parallel is None and self.on_host and not watched()
        return compile(learn) if compiled and alone else learn

    def step(self, learn: Callable[[Any], tuple[Tensor, Any]], batch: Any, due: bool) -> tuple[float, float, bool]:
        """One step: the ranks' mean loss, the sum of their metric, and whether a checkpoint is due on rank 0."""
        loss, gained = (float(each) for each in learn(batch))
        if self.group is None or self.size == 1:
            return loss, gained, due
        told = np.array([loss / self.size, gained, float(due and self.rank == 0)])
        self.group.trace.count(told.nbytes)
        with self._span("loss of all ranks"):
            self.group.host.all_reduce(told, "sum", "loss of all ranks").wait()
        return float(told[0]), float(told[1]), told[2] > 0.0

    def _span(self, name: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self.group is None else self.group.trace.span(name)

    def validated(self, validate: Callable[[], float]) -> float:
        """``validate()`` of rank 0's model, whose running statistics every rank has from now on."""
        if self.group is None or self.parallel is None:
            return validate()
        self.parallel.sync_buffers()
        return float(self.group.broadcast_object(float(validate()) if self.rank == 0 else None))

    def same(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Rank 0's, on all ranks."""
        found: dict[str, Any] = facts if self.group is None else self.group.broadcast_object(facts)
        return found

    def content(self, path: Path) -> bytes | None:
        """The bytes of a file that rank 0 sees, None where there is none."""
        if self.group is not None:
            return shared_bytes(path, self.group)
        return path.read_bytes() if path.exists() else None

    def writes(self, optimizer: Optimizer) -> bool:
        """Whether this rank is the one to save; where the optimizer is spread, its state is gathered first."""
        if isinstance(optimizer, distributed.ZeroRedundancyOptimizer):
            optimizer.consolidate_state_dict()
        return self.rank == 0

    def made(self, step: int) -> None:
        """Note how many steps there are."""
        distributed.report_step(step)

    def close(self) -> None:
        """Leave the model alone again; every rank's is that of rank 0."""
        if self.parallel is not None:
            self.parallel.sync_buffers()
            self.parallel.detach_hooks()


class _Share:
    """A dataset of which a batch is this rank's part: the same loader on every rank cuts the same batches."""

    def __init__(self, dataset: Any, rank: int, size: int) -> None:
        if not hasattr(dataset, "batch"):
            raise TypeError(f"train: several ranks need a dataset that gives batches, not {type(dataset).__name__}")
        self.dataset, self.rank, self.size = dataset, rank, size

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]

    def batch(self, indices: Tensor) -> Any:
        """The rank's part of the samples at ``indices``: rank r of n takes every n-th, beginning with number r."""
        return self.dataset.batch(indices[self.rank :: self.size])


@contextlib.contextmanager
def first_only() -> Iterator[bool]:
    """Inside, rank 0 works and the others should do nothing; they leave together."""
    yield not distributed.is_initialized() or distributed.get_rank() == 0
    if distributed.is_initialized():
        distributed.barrier(math.inf)  # however long rank 0 tests: if it dies, a sentinel ends the wait
