"""Random tensors: one seed, one sequence, on every device; and that they are distributed as they should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import pyneural
from pyneural import Generator, Tensor
from pyneural import functional as F
from pyneural.autograd import grad, gradcheck

DRAWS: dict[str, Any] = {
    "rand": lambda g, d: F.rand(3, 41, generator=g, device=d),
    "rand float64": lambda g, d: F.rand(123, generator=g, device=d, dtype="float64"),
    "rand float16": lambda g, d: F.rand(123, generator=g, device=d, dtype="float16"),
    "randn": lambda g, d: F.randn(3, 41, generator=g, device=d),
    "randn float64": lambda g, d: F.randn(123, generator=g, device=d, dtype="float64"),
    "randint": lambda g, d: F.randint(-5, 1000, (3, 41), generator=g, device=d),
    "randperm": lambda g, d: F.randperm(123, generator=g, device=d),
    "uniform": lambda g, d: F.uniform(-1.0, 3.0, (3, 41), generator=g, device=d),
    "normal": lambda g, d: F.normal(5.0, 2.0, (3, 41), generator=g, device=d),
    "dropout": lambda g, d: F.dropout(pyneural.ones(3, 41, device=d), 0.3, generator=g),
    "bernoulli": lambda g, d: F.bernoulli(pyneural.full((3, 41), 0.3, device=d), generator=g),
}


@pytest.mark.parametrize("name", DRAWS)
def test_same_seed_same_bits_on_every_device(name: str) -> None:
    draw = DRAWS[name]
    first, second = (draw(Generator(17), device).numpy() for device in ("reference", "cpu"))
    assert first.dtype == second.dtype
    assert first.tobytes() == second.tobytes()
    again, other = draw(Generator(17), "reference").numpy(), draw(Generator(18), "reference").numpy()
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize("name", DRAWS)
def test_draws_of_one_generator_differ(name: str) -> None:
    generator = Generator(3)
    a, b = (DRAWS[name](generator, "reference").numpy().tobytes() for _ in range(2))
    assert a != b
    assert generator.offset == 2


def test_manual_seed() -> None:
    pyneural.manual_seed(5)
    a = F.rand(4, device="reference")
    b = F.rand(4, device="reference")
    assert pyneural.manual_seed(5).seed == 5
    assert F.rand(4, device="reference").tolist() == a.tolist()
    assert a.tolist() != b.tolist()


def test_the_state_is_two_integers() -> None:
    generator = Generator(2**70 + 9)
    F.rand(4, generator=generator, device="reference")
    state = generator.state_dict()
    assert state == {"seed": 9, "offset": 1}
    expected = F.randn(4, generator=generator, device="reference").tolist()
    resumed = Generator()
    resumed.load_state_dict(state)
    assert F.randn(4, generator=resumed, device="reference").tolist() == expected
    assert repr(resumed) == "Generator(seed=9, offset=2)"
    assert Generator(-1).seed == 2**64 - 1


def test_shapes_and_dtypes() -> None:
    assert F.rand((2, 3), device="reference").shape == (2, 3)
    assert F.rand((), device="reference").shape == ()
    assert F.randn(0, 4, device="reference").shape == (0, 4)
    assert F.randn(2, dtype="float16", device="reference").dtype == np.float16
    assert F.randint(0, 3, (2,), device="reference").dtype == np.int64
    assert F.rand(2, requires_grad=True, device="reference").requires_grad


def test_distributions() -> None:
    """Fixed seeds, so that a p-value is a fact and not a draw."""
    n = 20_000
    uniform = F.rand(n, generator=Generator(1), device="reference").numpy()
    normal = F.randn(n, generator=Generator(2), device="reference", dtype="float64").numpy()
    whole = F.randint(0, 7, (n,), generator=Generator(3), device="reference").numpy()
    assert uniform.min() >= 0.0
    assert uniform.max() < 1.0
    assert stats.kstest(uniform, "uniform").pvalue > 0.01
    assert stats.kstest(normal, "norm").pvalue > 0.01
    assert stats.chisquare(np.bincount(whole, minlength=7)).pvalue > 0.01
    assert abs(np.corrcoef(normal[:-1], normal[1:])[0, 1]) < 0.02
    assert sorted(F.randperm(1000, generator=Generator(4), device="reference").tolist()) == list(range(1000))


# Dropout


def test_dropout_keeps_and_scales(device: str) -> None:
    x = pyneural.ones(200, 100, device=device, dtype="float64")
    y = F.dropout(x, 0.2, generator=Generator(1))
    kept = y.numpy() != 0.0
    assert np.unique(y.numpy()).tolist() == [0.0, 1.25]
    assert abs(kept.mean() - 0.8) < 0.015
    assert F.dropout(x, 0.2, training=False) is x
    assert F.dropout(x, 0.0) is x
    assert not F.dropout(x, 1.0).numpy().any()


def test_gradient_of_dropout(device: str, rng: np.random.Generator) -> None:
    x = Tensor(rng.standard_normal((5, 7)), device=device, requires_grad=True)
    y = F.dropout(x, 0.4, generator=Generator(3))
    (by_x,) = grad(y, x, pyneural.ones_like(x))
    np.testing.assert_array_equal(by_x.numpy() != 0.0, y.detach().numpy() != 0.0)
    assert gradcheck(lambda t: F.dropout(t, 0.4, generator=Generator(3)), x)


def test_bernoulli() -> None:
    p = Tensor([0.0, 1.0], device="reference").expand(500, 2)
    drawn = F.bernoulli(p)
    assert drawn.numpy()[:, 0].max() == 0.0
    assert drawn.numpy()[:, 1].min() == 1.0


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: F.rand(2, -3), ValueError, r"rand: size \(=\(2, -3\)\) has a negative length"),
        (lambda: F.randn(2.5), TypeError, "randn: a length must be an int, not 2.5"),
        (lambda: F.rand(2, dtype="int64"), TypeError, "rand: dtype must be floating, not int64"),
        (lambda: F.randint(5, 5, (2,)), ValueError, r"low \(=5\).*high \(=5\)|high \(=5\).*low \(=5\)"),
        (lambda: F.normal(0.0, -1.0, (2,)), ValueError, r"std \(=-1.0\)"),
        (lambda: F.uniform(2.0, 1.0, (2,)), ValueError, r"low \(=2.0\).*high \(=1.0\)|high \(=1.0\).*low \(=2.0\)"),
        (lambda: F.randperm(-1), ValueError, r"n \(=-1\)"),
        (lambda: F.dropout(pyneural.ones(2), 1.5), ValueError, r"dropout: p \(=1.5\) must be in \[0, 1\]"),
        (lambda: F.dropout(pyneural.ones(2), float("nan")), ValueError, r"dropout: p \(=nan\)"),
        (lambda: F.dropout([1.0], 0.5), TypeError, "dropout: input must be a tensor, not list"),
        (lambda: pyneural.manual_seed(1.5), TypeError, "manual_seed: seed must be an int, not float"),
        (lambda: Generator().load_state_dict({"seed": -1, "offset": 0}), ValueError, r"seed \(=-1\)"),
    ],
)
def test_wrong_calls(call: Any, error: type[Exception], match: str) -> None:
    offset = pyneural.random.default_generator.offset
    with pytest.raises(error, match=match):
        call()
    if "must be" in match or "negative" in match:  # refused before the generator was asked
        assert pyneural.random.default_generator.offset == offset
