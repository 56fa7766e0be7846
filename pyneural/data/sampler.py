"""Samplers: in which order a loader takes the samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any

import numpy as np

from pyneural.functional import rand, randint, randperm
from pyneural.kernels import dtypes
from pyneural.random import Generator, default_generator


class Sampler:
    """The base of samplers: a subclass defines ``__iter__``, which gives indices, and ``__len__``.

    A sampler that draws keeps its `Generator` in the attribute ``generator``: a loader notes its state, so that
    an epoch can be continued.
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__}: __iter__ is not defined")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__}: __len__ is not defined")


class SequentialSampler(Sampler):
    """0, 1, 2 ... to the length of ``data_source``."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """A random order of all indices, or draws of them with replacement.

    Args:
        data_source: whose length counts.
        replacement: draw each index anew from all.
        num_samples: how many, by default the length; without replacement at most one order is cut or several
            are joined.
        generator: `pyneural.random.default_generator` unless given.

    Raises:
        ValueError, TypeError: ``num_samples`` is no int of at least 1; there is nothing to draw from.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source, self.replacement = data_source, bool(replacement)
        if num_samples is not None:
            positive("RandomSampler", "num_samples", num_samples)
            if not len(data_source):
                raise ValueError(f"RandomSampler: num_samples (={num_samples}) of a source that is empty")
        self.num_samples = num_samples
        self.generator = generator_or_default("RandomSampler", generator)

    def __iter__(self) -> Iterator[int]:
        length, count = len(self.data_source), len(self)
        if self.replacement:
            return iter(randint(0, length, (count,), generator=self.generator).tolist()) if count else iter(())
        orders: list[int] = []
        while len(orders) < count:
            orders += randperm(length, generator=self.generator).tolist()
        return iter(orders[:count])

    def __len__(self) -> int:
        return len(self.data_source) if self.num_samples is None else self.num_samples


class SubsetRandomSampler(Sampler):
    """The given indices in a random order."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = [int(each) for each in indices]
        self.generator = generator_or_default("SubsetRandomSampler", generator)

    def __iter__(self) -> Iterator[int]:
        return (self.indices[i] for i in randperm(len(self.indices), generator=self.generator).tolist())

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """Indices drawn with probabilities in proportion to ``weights``.

    Without replacement: by the keys of Efraimidis & Spirakis 2006, the largest of ``u ** (1 / weight)``.

    Args:
        weights: one for each index, not negative, not all 0.
        num_samples: how many are drawn.
        replacement: draw each index anew from all; otherwise none twice.
        generator: `pyneural.random.default_generator` unless given.

    Raises:
        ValueError, TypeError: weights that are negative, not finite or all 0; more samples than positive
            weights, without replacement.
    """

    def __init__(
        self, weights: Any, num_samples: int, replacement: bool = True, generator: Generator | None = None
    ) -> None:
        own = "WeightedRandomSampler"
        values = np.array(weights.tolist() if hasattr(weights, "tolist") else list(weights), np.float64)
        if values.ndim != 1 or not values.size:
            raise ValueError(f"{own}: weights must be a row of numbers, not of shape {values.shape}")
        bad = np.flatnonzero(~np.isfinite(values) | (values < 0.0))
        if bad.size:
            raise ValueError(f"{own}: weights[{bad[0]}] (={values[bad[0]]}) must be finite and not negative")
        positive(own, "num_samples", num_samples)
        usable = int(np.count_nonzero(values))
        if not usable or (not replacement and num_samples > usable):
            raise ValueError(f"{own}: num_samples (={num_samples}) of {usable} indices with a positive weight")
        self.weights, self.num_samples, self.replacement = values, num_samples, bool(replacement)
        self.generator = generator_or_default(own, generator)

    def __iter__(self) -> Iterator[int]:
        count = self.num_samples if self.replacement else len(self.weights)
        drawn = np.array(rand(count, generator=self.generator, dtype=dtypes.float64).tolist())
        if self.replacement:
            sums = np.cumsum(self.weights)
            return iter(np.searchsorted(sums, drawn * sums[-1], side="right").tolist())
        with np.errstate(divide="ignore"):
            keys = np.log(drawn) / self.weights  # 0 for a weight becomes -inf: never among the largest
        keys[self.weights == 0.0] = -np.inf
        return iter(np.argsort(-keys, kind="stable")[: self.num_samples].tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of ``batch_size`` indices of another sampler.

    Args:
        sampler: gives indices.
        batch_size: at least 1.
        drop_last: leave out a last batch that is not full.
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool = False) -> None:
        positive("BatchSampler", "batch_size", batch_size)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, bool(drop_last)

    @property
    def generator(self) -> Any:
        """The generator of the sampler inside, None where it has none."""
        return getattr(self.sampler, "generator", None)

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for each in self.sampler:
            batch.append(int(each))
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        full, rest = divmod(len(self.sampler), self.batch_size)  # type: ignore[arg-type]
        return full + (rest > 0 and not self.drop_last)


def positive(owner: str, name: str, value: Any, low: int = 1) -> None:
    """Raise unless ``value`` is an int of at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{owner}: {name} must be an int, not {value!r}")
    if value < low:
        raise ValueError(f"{owner}: {name} (={value}) must be at least {low}")


def generator_or_default(owner: str, generator: Any) -> Generator:
    """``generator``, or the default one for None; TypeError otherwise."""
    if generator is not None and not isinstance(generator, Generator):
        raise TypeError(f"{owner}: generator must be a Generator, not {type(generator).__name__}")
    return default_generator if generator is None else generator
