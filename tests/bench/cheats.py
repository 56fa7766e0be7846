"""Contestants of a race that cheat, and one that does not: ``python -m tests.bench.cheats --contestant KIND``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench import harness

Product = Callable[[np.ndarray, np.ndarray], np.ndarray]


def honest() -> Product:
    return np.matmul


def slightly_wrong() -> Product:
    return lambda a, b: a @ b * np.float32(1.0001)


def cached_output() -> Product:
    """Knows an input again by where it lies."""
    known: dict[tuple[int, int], np.ndarray] = {}

    def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        key = (a.ctypes.data, b.ctypes.data)
        if key not in known:
            known[key] = a @ b
        return known[key]

    return product


def skips_repeated_inputs() -> Product:
    """Knows an input again by its first elements."""
    known: dict[bytes, np.ndarray] = {}

    def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        key = a[0, :4].tobytes() + b[0, :4].tobytes()
        if key not in known:
            known[key] = a @ b
        return known[key]

    return product


def not_a_number() -> Product:
    """One element of each result."""

    def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        result = a @ b
        result[-1, -1] = np.nan
        return result

    return product


def not_a_number_later() -> Product:
    """After the calls in which the first result is looked at."""
    calls = 0

    def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        return np.full((a.shape[0], b.shape[1]), np.nan, np.float32) if calls > 3 else a @ b

    return product


def leaves_the_output_alone() -> Product:
    """After the first call."""
    out = np.full((0, 0), np.nan, np.float32)

    def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        nonlocal out
        if not out.size:
            out = a @ b
        return out

    return product


KINDS: dict[str, Callable[[], Product]] = {
    each.__name__: each
    for each in (
        honest,
        slightly_wrong,
        cached_output,
        skips_repeated_inputs,
        not_a_number,
        not_a_number_later,
        leaves_the_output_alone,
    )
}
_products: dict[str, Product] = {}


def prepare(kind: str, options: dict[str, Any]) -> harness.Subject:
    rng = np.random.default_rng(options["seed"])
    a, b = rng.standard_normal((61, 47), np.float32), rng.standard_normal((47, 53), np.float32)
    product = _products.setdefault(kind, KINDS[kind]())
    return harness.Subject(lambda: product(a, b), np.asarray, (a, b))


def truth(options: dict[str, Any], inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.asarray(inputs[0] @ inputs[1])


if __name__ == "__main__":
    harness.serve(prepare, lambda kind: {})
