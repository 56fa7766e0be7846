"""`DistributedSampler`: each rank's share of a dataset."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized

from pyneural.data import Sampler
from pyneural.functional import randperm
from pyneural.random import Generator

from .group import current


class DistributedSampler(Sampler):
    """Every world-size-th index of an order that all ranks share, beginning with the rank's::

        sampler = DistributedSampler(dataset, seed=0)
        loader = DataLoader(dataset, batch_size=32, sampler=sampler)
        for epoch in range(10):
            sampler.set_epoch(epoch)
            for batch in loader:
                ...

    So batch i of all ranks together holds the same samples as batch i of one rank with a batch as many times as large.

    Args:
        dataset: whose length counts.
        num_replicas, rank: how many ranks there are and which one this is; the group's unless given.
        shuffle: a new random order each epoch, a function of ``seed`` and the epoch alone.
        seed: the same on every rank.
        drop_last: leave out what does not go round; otherwise the order's beginning fills the last round, so that
            every rank has as many.

    Raises:
        ValueError: a rank that is not below ``num_replicas``; an empty dataset, or fewer samples than ranks to drop to.
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        self.dataset = dataset
        self.num_replicas = current().world_size if num_replicas is None else num_replicas
        self.rank = current().rank if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ValueError(f"DistributedSampler: rank (={self.rank}) must be in [0, {self.num_replicas})")
        self.shuffle, self.seed, self.drop_last, self.epoch = bool(shuffle), seed, bool(drop_last), 0
        if not len(self):
            raise ValueError(
                f"DistributedSampler: {len(dataset)} samples leave none for each of {self.num_replicas} ranks"
            )

    def __len__(self) -> int:
        share = len(self.dataset) / self.num_replicas
        return math.floor(share) if self.drop_last else math.ceil(share)

    def __iter__(self) -> Iterator[int]:
        count = len(self.dataset)
        if self.shuffle:
            generator = Generator(self.seed)
            generator.offset = self.epoch
            order = randperm(count, generator=generator).tolist()
        else:
            order = list(range(count))
        total = len(self) * self.num_replicas
        while len(order) < total:
            order += order[: total - len(order)]
        return iter(order[self.rank : total : self.num_replicas])

    def set_epoch(self, epoch: int) -> None:
        """Which order comes next; the same on every rank."""
        self.epoch = int(epoch)
