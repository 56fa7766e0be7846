"""The markets application: what a forecast may know, the Diebold-Mariano test, the backtest, a user's table."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pyneural
from pyneural import Tensor
from pyneural.apps import market_days, markets
from pyneural.apps.market_days import SCALE, TEST, VALIDATION
from pyneural.apps.market_tests import Portfolio, backtest, diebold_mariano, har, spans

pytest.importorskip("arch", reason="the index comes with arch, which is not installed")


@pytest.fixture(scope="module")
def data() -> markets.Market:
    return markets.load_data("cpu")


@pytest.fixture(scope="module")
def closes() -> np.ndarray:
    from arch.data.sp500 import load

    return load()["Close"].to_numpy()


# What a forecast may know


def test_no_day_is_on_both_sides(data: markets.Market):
    parts = data.train, data.validation, data.test
    dates = np.concatenate([each.dates for each in parts])
    assert (np.diff(dates) > np.timedelta64(0, "D")).all()
    assert data.train.dates[-1] < VALIDATION <= data.validation.dates[0]
    assert data.validation.dates[-1] < TEST <= data.test.dates[0]
    assert len(data.test.dates) == 1258
    assert len(dates) == 5031 - SCALE - 1


def test_a_window_ends_with_the_close_before_its_day(data: markets.Market, closes: np.ndarray):
    windows, own = (np.concatenate([getattr(d, name) for d in (data.train, data.validation, data.test)]) for name in
                    ("windows", "returns"))  # fmt: skip
    for row in (0, 1234, len(own) - 1):
        day = SCALE + 1 + row  # the place of its close
        assert own[row] == pytest.approx(math.log(closes[day] / closes[day - 1]), rel=1e-9)
        expected = [math.log(closes[i] / closes[i - 1]) for i in range(day - SCALE, day)]
        np.testing.assert_allclose(windows[row], expected, rtol=1e-9, atol=1e-15)


def test_the_test_years_change_nothing_in_the_training(data: markets.Market, rng: np.random.Generator):
    def part(days: market_days.Days) -> market_days.Days:
        return market_days.Days(days.dates[:64], days.windows[:64], days.returns[:64])

    few = replace(data, train=part(data.train), validation=part(data.validation))
    noise = replace(data.test, returns=rng.normal(size=1258), windows=rng.normal(size=(1258, SCALE)))
    states = []
    for each in (few, replace(few, test=noise)):
        pyneural.manual_seed(5)
        model = markets.build(device="cpu")
        markets.train(model, each, epochs=2, batch_size=32)
        states.append({name: tensor.numpy() for name, tensor in model.state_dict().items()})
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name], err_msg=name)


def test_the_forecast_has_the_scale_of_its_window(data: markets.Market, rng: np.random.Generator):
    """All returns doubled, and what is usual with them: twice the forecast."""
    pyneural.manual_seed(6)
    model = markets.build(device="reference", dtype=np.float64)
    state = {**model.state_dict(), "last.weight": Tensor(rng.normal(size=(1, 19)), device="reference")}
    model.load_state_dict({**state, "usual": Tensor(np.array([0.01]), device="reference")})
    windows = Tensor(data.test.windows[:5], device="reference")
    model.eval()
    once = model(windows).detach().numpy()
    model.usual = Tensor(np.array([0.02]), device="reference")
    assert once.shape == (5,)
    np.testing.assert_allclose(model(windows * 2.0).detach().numpy(), 2.0 * once, rtol=1e-9)


# Judges


def test_har_is_the_least_squares_of_three_means(data: markets.Market):
    sizes, targets = np.abs(data.test.windows), data.test.targets
    means = [[row[-1], row[-5:].mean(), row[-22:].mean()] for row in sizes[:7]]
    np.testing.assert_allclose(spans(sizes)[:7], means, rtol=1e-12)
    rows = np.arange(400)
    inputs = np.column_stack([np.ones(len(sizes)), spans(sizes)])
    weights, *_ = np.linalg.lstsq(inputs[rows], targets[rows])
    np.testing.assert_allclose(har(sizes, targets, rows), inputs @ weights, rtol=1e-8)
    errors = [np.abs(har(sizes, targets, rows, median) - targets)[rows].sum() for median in (True, False)]
    assert errors[0] < errors[1]


def test_baseline_is_the_published_har():
    found = markets.baseline()
    assert round(found["mae_in_percent"], 3) == 0.417
    assert round(found["r2"], 3) == 0.106
    assert found["mae_in_percent_against_median_har"] < found["mae_in_percent"]


def test_diebold_mariano_against_its_formula(rng: np.random.Generator):
    ours, theirs = rng.exponential(size=(2, 60))
    gaps = ours - theirs
    mean = sum(gaps) / 60
    for lags in (0, 1, 4):
        covariances = [
            sum((gaps[t] - mean) * (gaps[t - lag] - mean) for t in range(lag, 60)) / 60 for lag in range(lags + 1)
        ]
        variance = covariances[0] + 2 * sum((1 - k / (lags + 1)) * covariances[k] for k in range(1, lags + 1))
        expected = mean / math.sqrt(variance / 60)
        statistic, p = diebold_mariano(ours, theirs, lags)
        assert statistic == pytest.approx(expected)
        assert p == pytest.approx(2 * (1 - 0.5 * (1 + math.erf(abs(expected) / math.sqrt(2)))))
        assert diebold_mariano(theirs, ours, lags) == pytest.approx((-statistic, p))
    # floor(4 (60 / 100) ** (2 / 9)) = 3
    assert diebold_mariano(ours, theirs) == diebold_mariano(ours, theirs, 3)


def test_diebold_mariano_is_statsmodels_with_newey_west(rng: np.random.Generator):
    api = pytest.importorskip("statsmodels.api", reason="statsmodels is not installed")
    ours, theirs = rng.exponential(size=(2, 200))
    fitted = api.OLS(ours - theirs, np.ones(200)).fit(cov_type="HAC", cov_kwds={"maxlags": 5, "use_correction": False})
    assert diebold_mariano(ours, theirs, 5) == pytest.approx((fitted.tvalues[0], fitted.pvalues[0]))


def test_diebold_mariano_refuses():
    one = np.ones(5)
    for ours, theirs, lags, message in (
        (one, np.ones(4), None, "two vectors of a length, not (5,) and (4,)"),
        (one[:1], one[:1], None, "two vectors of a length, not (1,) and (1,)"),
        (one, np.arange(5.0), 5, "lags (=5) must be from 0 to 4"),
        (one, one, 0, "differences have the variance 0"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            diebold_mariano(ours, theirs, lags)


def test_a_backtest_counted_in_money(rng: np.random.Generator):
    """Wealth, shares and cash, day by day: what is traded costs, and what is held drifts."""
    gains, part, cost = rng.normal(0.0, 0.02, 30), rng.uniform(0.2, 1.0, 30), 0.001
    wealth, invested, path = 1.0, 0.0, []
    for gain, wanted in zip(gains, part, strict=True):
        wealth -= cost * abs(wanted * wealth - invested)
        invested = wanted * wealth
        wealth += invested * gain
        invested *= 1.0 + gain
        path.append(wealth)
    found = backtest(gains, part, cost)
    np.testing.assert_allclose(found.equity, path, rtol=1e-12)
    whole = backtest(gains, np.ones(30), 0.0)
    np.testing.assert_allclose(whole.returns, gains, atol=1e-15)


def test_what_is_told_of_a_portfolio():
    returns = np.array([0.1, -0.5, 0.2, -0.3])
    portfolio = Portfolio(returns, np.ones(4))
    assert portfolio.drawdown == pytest.approx(1.0 - 0.5 * 1.2 * 0.7)
    assert Portfolio(np.array([-0.25, 0.1]), np.ones(2)).drawdown == pytest.approx(0.25)
    assert portfolio.sharpe == pytest.approx(returns.mean() / returns.std() * math.sqrt(252))
    assert portfolio.growth == pytest.approx((1.1 * 0.5 * 1.2 * 0.7) ** 63 - 1.0)


def test_the_part_held_has_the_target_s_volatility_and_no_loan():
    told = np.array([0.001, 0.02])
    held = markets.part(told, 1.5)
    assert held[0] == 1.0
    assert held[1] * 1.5 * 0.02 * math.sqrt(252) == pytest.approx(markets.TARGET)


# A user's table


def _write(path: Path, closes: np.ndarray, first: str = "2020-01-01") -> str:
    days = np.datetime64(first) + np.arange(len(closes))
    lines = [f"{close},x,{day}" for day, close in zip(days, closes, strict=True)]
    path.write_text("\n".join(["Close,Other,Date", *lines]), encoding="utf-8")
    return str(path)


def test_predict_on_a_user_s_table(tmp_path: Path, rng: np.random.Generator, data: markets.Market):
    pyneural.manual_seed(7)
    model = markets.build(device="cpu")
    few = replace(data, train=market_days.Days(*(each[:128] for each in vars(data.train).values())))
    markets.train(model, few, epochs=4, batch_size=32)
    closes = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, 100)))
    answer = markets.answer(model, _write(tmp_path / "a.csv", closes))
    window = np.diff(np.log(closes))[-SCALE:]
    told = markets.forecast(model, window[None])[0]
    spread = float(model.spread.numpy()[0])
    assert answer.facts["after"] == "2020-04-09"
    assert answer.facts["move"] == pytest.approx(told, rel=1e-4)
    assert answer.facts["volatility"] == pytest.approx(told * spread * math.sqrt(252), rel=1e-4)
    assert answer.text.startswith(f"The trading day after 2020-04-09 moves by {told:.2%}")
    assert answer.text.endswith("no advice.")


def test_a_wrong_table_is_refused(tmp_path: Path):
    model = markets.build(device="cpu")
    good = np.linspace(100.0, 120.0, SCALE + 1)
    with pytest.raises(ValueError, match="has 66 days, and 67 are needed"):
        markets.answer(model, _write(tmp_path / "a.csv", good[1:]))
    for place, close, message in ((5, 0.0, "line 7: 'Close' is '0.0', which must be above 0"),):
        bad = good.copy()
        bad[place] = close
        with pytest.raises(ValueError, match=re.escape(message)):
            markets.answer(model, _write(tmp_path / "a.csv", bad))
    text = Path(_write(tmp_path / "a.csv", good)).read_text(encoding="utf-8")
    for old, new, message in (
        ("2020-01-05", "5 January", "line 6: 'Date' is '5 January', no date as 2018-12-31"),
        ("2020-01-05", "2020-01-04", "line 6: 2020-01-04 does not come after 2020-01-04"),
        ("100.0,", "dear,", "line 2: 'Close' is 'dear', no number"),
        ("Close,", "Price,", "lacks the columns 'Close'"),
    ):
        (tmp_path / "b.csv").write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(ValueError, match=re.escape(message)):
            markets.answer(model, str(tmp_path / "b.csv"))
