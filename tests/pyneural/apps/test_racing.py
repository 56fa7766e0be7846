"""The races under the application driving: tracks, what is seen of a frame, the script, drives that are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyneural.apps import driving, racing
from pyneural.apps.race_pictures import Drive, animate, draw_drive
from pyneural.apps.racing import Race, Script
from pyneural.apps.recordings import FOLDER, Pool
from pyneural.apps.training import Refused

for _package in ("gymnasium", "Box2D", "pygame"):
    pytest.importorskip(_package, reason=f"the race is Gymnasium's and needs {_package}, which is not installed")
Image = pytest.importorskip("PIL.Image", reason="pictures are written by Pillow, which is not installed")


def _tracks() -> list[int]:
    driven = [*driving.SCRIPT, *(track for each in driving.ROUNDS for track in each)]
    return [*driven, *driving.VALIDATION, *driving.TEST]


# Tracks


def test_no_track_is_on_two_sides():
    tracks = _tracks()
    assert len(tracks) == len(set(tracks))
    assert len(driving.TEST) == 10
    one, other, again = (Race(track, blind=True).line for track in (*driving.TEST[:2], driving.TEST[0]))
    np.testing.assert_array_equal(one, again)
    assert one.shape != other.shape or not np.allclose(one, other)


def test_what_is_not_drawn_changes_nothing():
    races = [Race(driving.SCRIPT[0], blind) for blind in (False, True)]
    scripts = [Script(race) for race in races]
    for _ in range(70):
        for race, script in zip(races, scripts, strict=True):
            race.step(script())
    assert races[0].gained == races[1].gained > 10.0
    np.testing.assert_array_equal(races[0].position, races[1].position)
    assert races[0].frame.shape == (96, 96, 3)
    assert races[0].frame.std() > 20
    assert not races[1].frame.any()


def test_polygons_that_are_left_out_are_not_seen():
    """Frames are those of the simulator as it comes: while it zooms in, and while the car turns on the grass."""
    race = Race(driving.SCRIPT[1])
    plain = racing.simulator().make("CarRacing-v3", disable_env_checker=True)
    frame, _ = plain.reset(seed=driving.SCRIPT[1])
    for number in range(150):
        np.testing.assert_array_equal(race.frame, frame)
        action = np.array([0.5 if number > 90 else 0.0, 0.6, 0.0])
        frame = plain.step(action)[0]
        race.step(action)
    drawn: list[object] = []
    race._inner._draw_colored_polygon = lambda *given, **options: drawn.append(given)
    race._inner._render("state_pixels")
    assert 2 <= len(drawn) < 250


# A frame


def test_what_is_seen_of_a_frame(rng: np.random.Generator):
    frame = rng.integers(0, 256, (96, 96, 3), np.uint8)
    road, bars = racing.view(frame)
    assert (road.dtype, bars.dtype) == (np.uint8, np.float32)
    for row, column in zip(rng.integers(0, 42, 20), rng.integers(0, 48, 20), strict=True):
        square = frame[2 * row : 2 * row + 2, 2 * column : 2 * column + 2, 1]
        assert road[row, column] == pytest.approx(square.mean(), abs=0.51)
    for column in rng.integers(0, 84, 20):
        assert bars[column] == pytest.approx(frame[84:, 12 + column].max(axis=1).mean() / 255, rel=1e-5)


def test_the_speed_is_seen():
    """The bar grows as the car gets faster; the return, which a driver must not know, is not in the view."""
    race = Race(driving.SCRIPT[0])
    seen, speeds = [], []
    for _ in range(60):
        race.step(np.array([0.0, 1.0, 0.0]))
        seen.append(racing.view(race.frame)[1][:3].sum())
        speeds.append(race.speed)
    assert speeds[-1] > 30
    assert np.corrcoef(seen, speeds)[0, 1] > 0.99
    assert race.frame[racing.ROAD_ROWS :, : racing.FIRST_COLUMN].max() > 100  # where it is written


# The script


def test_speeds_on_a_circle_are_those_of_its_grip():
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = 30.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    expected = min(np.sqrt(racing.GRIP * 30.0), racing.FASTEST)
    np.testing.assert_allclose(racing.speeds(circle), expected, rtol=0.01)


def test_it_brakes_before_a_bend_in_time():
    """A stadium: on its straights a car is never so fast that it could not brake for what comes."""
    bend = np.linspace(0, np.pi, 18)[:, None]
    ends = [12.0 * np.hstack([np.cos(bend), np.sin(bend)]), -12.0 * np.hstack([np.cos(bend), np.sin(bend)])]
    up, down = (
        np.stack([np.full(60, x), y], axis=1) for x, y in ((12.0, np.arange(60) * 3.0), (-12.0, -np.arange(60) * 3.0))
    )
    line = np.concatenate([up, ends[0] + np.array([0, 180.0]), down + np.array([0, 177.0]), ends[1]])
    limit, length = racing.speeds(line), np.linalg.norm(np.roll(line, -1, axis=0) - line, axis=1)
    assert limit.max() == racing.FASTEST
    assert limit.min() < 0.7 * racing.FASTEST
    assert (limit**2 <= np.roll(limit, -1) ** 2 + 2 * racing.BRAKING * length + 1e-6).all()


def test_the_script_drives_a_lap_and_finds_back():
    race = racing.scripted(driving.SCRIPT[1])
    assert race.finished
    assert race.gained > 800
    assert race.gained == pytest.approx(1000 - 0.1 * race.steps, abs=60)
    race = Race(driving.SCRIPT[2], blind=True)
    script = Script(race)
    for number in range(140):
        own = script()
        race.step(np.array([0.3, 0.6, 0.0]) if 60 <= number < 120 else own)
    assert script.off > racing.HALF_WIDTH
    for _ in range(250):
        race.step(script())
    assert script.off < racing.HALF_WIDTH
    assert race.speed > racing.SLOWEST / 2


def test_positive_steering_is_to_the_right():
    race = Race(driving.SCRIPT[0], blind=True)
    start = race.heading
    for _ in range(40):
        race.step(np.array([0.2, 0.5, 0.0]))
    assert race.heading < start - 0.05


# Drives


def test_a_recording_holds_what_the_script_wants():
    """Whoever drives; here one who turns off the road, from where he is brought back."""
    calls = []

    def driver(frame: np.ndarray) -> np.ndarray:
        calls.append(frame)
        return np.array([0.3, 0.7, 0.0])

    made = racing.record(driving.SCRIPT[3], 160, driver)
    assert (made.road.shape, made.bars.shape, made.wanted.shape) == ((160, 42, 48), (160, 84), (160, 3))
    assert 0 < len(calls) < 160
    np.testing.assert_array_equal(racing.view(calls[0])[0], made.road[0])
    assert np.abs(made.wanted[:, 0]).max() <= np.float32(racing.LOCK)
    assert made.wanted[:, 1:].min() >= 0.0
    race = Race(driving.SCRIPT[3])
    np.testing.assert_allclose(made.wanted[0], Script(race)(), rtol=1e-6)


def test_a_pushed_script_is_the_same_every_time_and_not_the_script_alone():
    one, other = (racing.record(driving.SCRIPT[3], 120) for _ in range(2))
    np.testing.assert_array_equal(one.road, other.road)
    np.testing.assert_array_equal(one.wanted, other.wanted)
    race = Race(driving.SCRIPT[3])
    script = Script(race)
    for _ in range(119):
        race.step(script())
    assert not np.array_equal(racing.view(race.frame)[0], one.road[-1])


def test_rounds_are_read_again_and_those_of_others_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    state = tmp_path / "training.safetensors"
    drives: list[int] = []

    def record(track: int, frames: int, driver: object) -> racing.Recording:
        drives.append(track)
        return racing.Recording(
            np.full((frames, 42, 48), track, np.uint8),
            np.zeros((frames, 84), np.float32),
            np.zeros((frames, 3), np.float32),
        )

    monkeypatch.setattr("pyneural.apps.recordings.record", record)
    first = Pool(state, 5)
    first.add(0, (7, 8), None, True)
    first.add(0, (7, 8), None, True)  # is there
    state.write_text("a state")
    first.add(1, (9,), None, True)
    assert drives == [7, 8, 9]
    assert first.seen.road[:, 0, 0].tolist() == [7] * 5 + [8] * 5 + [9] * 5
    second = Pool(state, 5)
    for number, tracks in enumerate(((7, 8), (9,))):
        second.add(number, tracks, None, False)
    assert drives == [7, 8, 9]
    np.testing.assert_array_equal(second.seen.road, first.seen.road)
    with pytest.raises(Refused, match=r"2\.safetensors is missing, without which .*training\.safetensors cannot go on"):
        second.add(2, (1,), None, False)
    state.unlink()  # as `train --fresh` does
    third = Pool(state, 5)
    third.add(0, (3,), None, True)
    assert drives == [7, 8, 9, 3]
    assert [each.name for each in (tmp_path / FOLDER).iterdir()] == ["0.safetensors"]
    third.forget()
    assert list(tmp_path.iterdir()) == []


# Pictures


def test_the_pictures_of_a_drive(tmp_path: Path, rng: np.random.Generator):
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib, which is not installed")
    frames = rng.integers(0, 256, (25, 96, 96, 3), np.uint8)
    line = rng.normal(size=(30, 2))
    drive = Drive(line, rng.uniform(1, 2, (25, 3)), rng.uniform(size=(25, 3)), frames)
    draw_drive(tmp_path / "p.png", drive, "title", columns=3, rows=2)
    animate(tmp_path / "p.gif", frames, every=4)
    with Image.open(tmp_path / "p.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 5
    with Image.open(tmp_path / "p.gif") as picture:
        assert (picture.n_frames, picture.size) == (7, (192, 192))
        assert picture.info["duration"] == 80
