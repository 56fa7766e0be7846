"""Initial values: distribution, fans, seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pyneural
from pyneural import Generator, nn
from pyneural.nn import init

pytestmark = pytest.mark.usefixtures("reference_device")


def _drawn(function, *args, shape=(64, 32, 5, 5), **kwargs) -> np.ndarray:
    tensor = pyneural.empty(*shape, dtype="float64")
    assert function(tensor, *args, generator=Generator(5), **kwargs) is tensor
    return tensor.numpy()


FAN_IN, FAN_OUT = 32 * 25, 64 * 25


@pytest.mark.parametrize(
    ("function", "kwargs", "std"),
    [
        (init.xavier_normal_, {"gain": 2.0}, 2.0 * math.sqrt(2.0 / (FAN_IN + FAN_OUT))),
        (init.kaiming_normal_, {}, math.sqrt(2.0 / FAN_IN)),
        (init.kaiming_normal_, {"mode": "fan_out", "nonlinearity": "relu"}, math.sqrt(2.0 / FAN_OUT)),
        (init.kaiming_normal_, {"nonlinearity": "tanh"}, 5.0 / 3.0 / math.sqrt(FAN_IN)),
        (init.normal_, {"mean": 3.0, "std": 0.5}, 0.5),
    ],
)
def test_normal_ones_have_their_deviation(function, kwargs, std):
    values = _drawn(function, **kwargs)
    # The deviation of n normal numbers is itself off by std / sqrt(2 n): five times that is allowed.
    assert abs(values.std() - std) < 5.0 * std / math.sqrt(2 * values.size)
    assert abs(values.mean() - kwargs.get("mean", 0.0)) < 5.0 * std / math.sqrt(values.size)


@pytest.mark.parametrize(
    ("function", "kwargs", "low", "high"),
    [
        (init.xavier_uniform_, {}, -math.sqrt(6.0 / (FAN_IN + FAN_OUT)), math.sqrt(6.0 / (FAN_IN + FAN_OUT))),
        (init.kaiming_uniform_, {"a": 1.0}, -math.sqrt(3.0 / FAN_IN), math.sqrt(3.0 / FAN_IN)),
        (init.uniform_, {"a": -1.0, "b": 3.0}, -1.0, 3.0),
    ],
)
def test_uniform_ones_fill_their_interval(function, kwargs, low, high):
    values = _drawn(function, **kwargs)
    assert low <= values.min() < low + 0.01 * (high - low)
    assert high - 0.01 * (high - low) < values.max() < high


@pytest.mark.parametrize("layer", [lambda: nn.Linear(800, 64), lambda: nn.Conv2d(32, 64, 5)])
def test_default_initialisation_is_within_one_over_root_fan_in(layer):
    pyneural.manual_seed(1)
    made = layer()
    bound = 1.0 / math.sqrt(800)
    for parameter in made.parameters():
        values = parameter.detach().numpy()
        assert bound * 0.9 < np.abs(values).max() <= bound
    pyneural.manual_seed(1)
    again = layer()
    assert np.array_equal(made.weight.detach().numpy(), again.weight.detach().numpy())
    assert not np.array_equal(made.weight.detach().numpy(), layer().weight.detach().numpy())


@pytest.mark.parametrize(("shape", "groups"), [((3, 4, 3), 1), ((6, 2, 3, 4), 2), ((4, 4, 2, 3, 5), 4)])
def test_dirac_is_pytorch_s(shape: tuple[int, ...], groups: int):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    expected = torch.nn.init.dirac_(torch.empty(shape), groups)
    np.testing.assert_array_equal(init.dirac_(pyneural.empty(*shape), groups).numpy(), expected.numpy())


def test_eye():
    np.testing.assert_array_equal(init.eye_(pyneural.empty(2, 3)).numpy(), np.eye(2, 3))


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3)])
def test_orthogonal(shape: tuple[int, ...]):
    tensor = init.orthogonal_(pyneural.empty(*shape, dtype="float64"), 2.0, Generator(1))
    matrix = tensor.numpy().reshape(shape[0], -1)
    small = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(small, 4.0 * np.eye(len(small)), atol=1e-12)
    again = init.orthogonal_(pyneural.empty(*shape, dtype="float64"), 2.0, Generator(1))
    assert np.array_equal(again.numpy(), tensor.numpy())


@pytest.mark.parametrize(("mean", "std", "a", "b"), [(0.0, 1.0, -2.0, 2.0), (1.0, 0.5, 1.5, 3.0), (0.0, 1.0, 4.0, 9.0)])
def test_truncated_normal(mean: float, std: float, a: float, b: float):
    stats = pytest.importorskip("scipy.stats", reason="SciPy's distributions are the oracle")
    values = _drawn(init.trunc_normal_, mean, std, a, b).ravel()
    assert a <= values.min()
    assert values.max() <= b
    exact = stats.truncnorm((a - mean) / std, (b - mean) / std, mean, std)
    # The largest distance of distribution functions of n numbers is beyond 2.4 / sqrt(n) once in 50,000 times.
    assert stats.kstest(values, exact.cdf).statistic < 2.4 / math.sqrt(values.size)


def test_lecun():
    normal, uniform = _drawn(init.lecun_normal_), _drawn(init.lecun_uniform_)
    for values in (normal, uniform):
        assert abs(values.std() * math.sqrt(FAN_IN) - 1.0) < 5.0 / math.sqrt(2 * values.size)
    assert np.abs(uniform).max() <= math.sqrt(3.0 / FAN_IN)


def test_gains_are_pytorch_s():
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle here and is not installed")
    for name, param in [
        ("linear", None),
        ("conv2d", None),
        ("relu", None),
        ("tanh", None),
        ("leaky_relu", 0.3),
        ("leaky_relu", None),
        ("sigmoid", None),
        ("selu", None),
    ]:
        assert init.calculate_gain(name, param) == pytest.approx(torch.nn.init.calculate_gain(name, param))


def test_constants_and_versions():
    tensor = pyneural.empty(2, 2)
    before = tensor._version[0]
    assert init.ones_(tensor).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert init.zeros_(tensor).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert init.constant_(tensor, 0.5).tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert tensor._version[0] == before + 3


def test_initialising_a_parameter_stays_outside_the_graph():
    parameter = nn.Parameter(pyneural.empty(3, 3))
    init.xavier_uniform_(parameter)
    assert parameter.is_leaf
    assert parameter.requires_grad
