"""Samples become a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyneural.functional import stack
from pyneural.tensor import Tensor


def default_collate(samples: Sequence[Any]) -> Any:
    """Samples as one batch: tensors, arrays and numbers stacked, tuples, lists and dicts part by part.

    Python floats get the default dtype; strings stay a list.

    Raises:
        TypeError: samples of a type that cannot be stacked.
        ValueError: no sample, or shapes or lengths that differ.
    """
    if not len(samples):
        raise ValueError("default_collate: needs at least one sample, not 0")
    first = samples[0]
    if isinstance(first, Tensor):
        return stack(list(samples))
    if isinstance(first, (np.ndarray, np.generic)):
        shapes = sorted({each.shape for each in samples})
        if len(shapes) > 1:
            raise ValueError(f"default_collate: arrays have shapes {', '.join(map(str, shapes))}")
        return Tensor(np.stack(samples))
    if isinstance(first, (bool, int, float)):
        return Tensor(list(samples))
    if isinstance(first, str):
        return list(samples)
    if isinstance(first, Mapping):
        return {key: default_collate([each[key] for each in samples]) for key in first}
    if isinstance(first, (tuple, list)):
        lengths = sorted({len(each) for each in samples})
        if len(lengths) > 1:
            raise ValueError(f"default_collate: samples have lengths {', '.join(map(str, lengths))}")
        parts = [default_collate(list(part)) for part in zip(*samples, strict=True)]
        if hasattr(first, "_fields"):
            return type(first)(*parts)
        return tuple(parts) if isinstance(first, tuple) else parts
    raise TypeError(f"default_collate: cannot batch samples of type {type(first).__name__}; give a collate_fn")
