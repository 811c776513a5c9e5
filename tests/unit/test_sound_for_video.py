"""The sound track of a film: as long as the film, as loud as it moves, struck where it is cut."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from support import films
from support.decoding import film as decoded
from support.decoding import sound as decoded_sound
from support.previews import Made, Workshop, loudness, tone
from unitask.engines.preview.engine import WARNING
from unitask.kit.errors import Cancelled, MediaFailure

RATE: Final = 44_100
FPS: Final = 24
SIZE: Final = (96, 48)
Picture = NDArray[np.uint8]
Shoot = Callable[..., str]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Open a workshop in an empty folder."""
    return Workshop(tmp_path)


@pytest.fixture
def shoot(tmp_path: Path) -> Shoot:
    """Film what a function draws for each frame."""

    def shoot(draw: Callable[[int], Picture], frames: int, fps: Fraction = Fraction(FPS)) -> str:
        path = tmp_path / f"{draw.__name__}-{frames}.mp4"
        films.write(path, [draw(number) for number in range(frames)], fps)
        return str(path)

    return shoot


def still(_: int) -> Picture:
    """Draw a wall."""
    return np.full((SIZE[1], SIZE[0], 3), (20, 60, 160), np.uint8)


def moving_late(number: int) -> Picture:
    """Draw a wall before which a bar begins to move to and fro after two seconds."""
    frame = still(number)
    at = max(0, number - 2 * FPS) * 5 % 80
    frame[8:40, at : at + 16] = 255
    return frame


def cut_each_second(number: int) -> Picture:
    """Draw a wall of another colour each second."""
    frame = still(number)
    frame[:] = ((20, 60, 160), (230, 220, 60), (10, 30, 20), (250, 250, 250))[number // FPS % 4]
    return frame


def sounded(workshop: Workshop, film: str, prompt: str = "", **fields: Any) -> Made:
    """Order sound for a film."""
    return workshop.order("mmaudio", "video2audio", video=film, prompt=prompt, **fields)


@pytest.mark.parametrize("fps", [Fraction(12), Fraction(30_000, 1001)])
def test_the_file_is_a_wav_as_long_as_the_film(workshop: Workshop, shoot: Shoot, fps: Fraction) -> None:
    """Stereo of the recipe's rate, under a label; charged for every second."""
    film = shoot(moving_late, 40, fps)
    made = sounded(workshop, film, "rain on leaves")
    content = made.content("audio_url")
    found, seconds = decoded_sound(content), decoded(Path(film).read_bytes()).seconds
    assert (content[:4], content[8:12]) == (b"RIFF", b"WAVE")
    assert (found.codec, found.rate) == ("pcm_s16le", RATE)
    assert found.seconds == pytest.approx(seconds, abs=0.001)
    assert made.output.measures["second"] == pytest.approx(seconds, abs=0.001)
    assert made.sound().shape[1] == 2
    with av.open(str(made.path("audio_url"))) as container:
        assert "rain on leaves" in str(container.metadata)
    assert WARNING in made.job.warnings


@pytest.mark.parametrize("prompt", ["", "wind", "a car"])
def test_it_is_louder_where_the_film_moves(workshop: Workshop, shoot: Shoot, prompt: str) -> None:
    """Two seconds of a wall, then a bar that moves: what stands still is quiet and not silent."""
    sound = sounded(workshop, shoot(moving_late, 4 * FPS), prompt).sound()
    quiet, loud = loudness(sound[RATE // 2 : 3 * RATE // 2]), loudness(sound[5 * RATE // 2 : 7 * RATE // 2])
    assert 0.005 < quiet < 0.7 * loud


def test_every_cut_is_struck(workshop: Workshop, shoot: Shoot) -> None:
    """Three cuts are three blows, each at its frame."""
    sound = np.abs(sounded(workshop, shoot(cut_each_second, 4 * FPS), "wind").sound()).max(axis=1)
    before, after = RATE // 10, RATE // 20
    for second in (1, 2, 3):
        at = second * RATE
        assert sound[at : at + after].max() > 1.5 * sound[at - before : at - 100].max()


def test_a_film_without_cuts_has_no_blows(workshop: Workshop, shoot: Shoot) -> None:
    """No twentieth of a second stands out from a wall that nothing happens to."""
    sound = sounded(workshop, shoot(still, 3 * FPS), "wind").sound()[RATE // 4 : -RATE // 4]
    levels = [loudness(sound[start : start + 2205]) for start in range(0, len(sound) - 2205, 2205)]
    assert max(levels) < 3 * np.median(levels)


def test_what_comes_after_the_limit_is_not_heard(workshop: Workshop, shoot: Shoot) -> None:
    """A long film has the sound of its beginning: a second of rest, a second of motion, however wild it becomes."""

    def calm(number: int) -> Picture:
        frame = still(number)
        at = 20 + max(0, number - FPS) % FPS
        frame[8:40, at : at + 4] = 255
        return frame

    def wild(number: int) -> Picture:
        return calm(number) if number <= 2 * FPS else 255 - still(number) if number % 3 else still(number)

    options = {"limit_seconds": 2}
    orders = [shoot(draw, 4 * FPS) for draw in (calm, wild)]
    first, second = (sounded(workshop, film, "wind", options=options).sound() for film in orders)
    assert len(first) == len(second) == 2 * RATE
    assert np.abs(first - second).mean() < 0.05 * np.abs(first).mean()


def test_a_film_of_one_frame_has_a_sound(workshop: Workshop, shoot: Shoot) -> None:
    """As short as the frame is shown."""
    assert len(sounded(workshop, shoot(still, 1)).sound()) == round(RATE / FPS)


def test_the_same_order_gives_the_same_bytes(workshop: Workshop, shoot: Shoot) -> None:
    """And another film, seed or prompt others."""
    film = shoot(moving_late, 36)
    orders: list[tuple[str, str, int]] = [
        (film, "", 7),
        (film, "", 7),
        (film, "", 8),
        (film, "rain", 7),
        (shoot(cut_each_second, 36), "", 7),
    ]
    files = [sounded(workshop, *order, seed=seed).content("audio_url") for *order, seed in orders]
    assert files[0] == files[1]
    assert len(set(files)) == 4


def test_a_film_that_breaks_off_or_is_none_is_refused(workshop: Workshop, shoot: Shoot, tmp_path: Path) -> None:
    """With the phrase that clients match on, before any sound is made."""
    half = tmp_path / "half.mp4"
    content = Path(shoot(moving_late, 48)).read_bytes()
    half.write_bytes(content[: len(content) // 2])
    recording = workshop.sound("recording.wav", tone(220, 1, RATE), RATE)
    for bad in (str(half), recording, workshop.junk(content[:64])):
        with pytest.raises(MediaFailure, match="failed to get valid video"):
            sounded(workshop, bad)


@pytest.mark.parametrize(("share", "before"), [(0.1, 0.3), (0.6, 0.75), (0.85, 1.0)])
def test_a_cancelled_order_ends(workshop: Workshop, shoot: Shoot, share: float, before: float) -> None:
    """While the film is watched, while noises are made, or before the file is stored: at the next step."""
    reached: list[float] = []

    def cancel_when(done: float) -> bool:
        reached.append(done)
        return done > share

    with pytest.raises(Cancelled):
        sounded(workshop, shoot(moving_late, 3 * FPS), "wind, rain", cancel_when=cancel_when)
    assert share < reached[-1] < before
    assert list(workshop.folder.rglob("saved-*")) == []
