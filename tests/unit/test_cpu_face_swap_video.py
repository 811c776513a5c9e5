"""Video face swaps by the engine cpu: a photographed face that moves, vanishes and comes back, with sound."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from support import films
from support.films import BEEP_S, Clip, Found
from support.job import LocalJob
from support.people import ADMIRAL, ASTRONAUT, Picture, admiral, alike, astronaut, couple, face
from support.recipes import plain_recipe
from unitask.catalogue import Catalogue
from unitask.engines import cpu
from unitask.engines.cpu.face_tracks import FADE, Track, Tracker
from unitask.engines.cpu.video_face_swap import WARNING
from unitask.kit.errors import Cancelled, MediaFailure, TaskFailure
from unitask.spec.engine import Output
from unitask.spec.faces import NO_FACE
from unitask.spec.product import Recipe

PRODUCT = Catalogue.load().find("Qubico/video-toolkit", "face-swap")
RECIPE = plain_recipe(PRODUCT)
SIZE = (256, 192)
FPS = Fraction(24)
FIRST, GAP, LAST = 24, 8, 14
"""Frames with the astronaut, with a cup of coffee, with her again."""


def turn_at(number: float) -> NDArray[np.float64]:
    """Lead from the photograph to a frame: she moves to the right, nods, and comes nearer."""
    scale = 0.72 + 0.006 * number
    angle = 0.05 * np.sin(number / 4)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    x, y = 90 + 2.5 * number, 80 + 4 * np.sin(number / 5)
    middle = ASTRONAUT[:2].mean(axis=0)
    turn = np.array([(cosine, -sine), (sine, cosine)])
    return np.column_stack([turn, np.array((x, y)) - turn @ middle])


def anchors_at(number: float) -> NDArray[np.float32]:
    """Tell where her eyes and mouth are."""
    turn = turn_at(number)
    return (ASTRONAUT @ turn[:, :2].T + turn[:, 2]).astype(np.float32)


def shot(number: float, size: tuple[int, int] = SIZE) -> Picture:
    """Draw her at a moment, with the noise of a camera."""
    frame = cv2.warpAffine(astronaut(), turn_at(number), size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)
    noise = np.random.default_rng(round(number * 10)).normal(0, 2, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def cup(number: int) -> Picture:
    """Draw the cup of coffee, which moves too."""
    return np.ascontiguousarray(skimage.data.coffee()[100 : 100 + SIZE[1], 150 + number : 150 + number + SIZE[0]])


def film() -> list[Picture]:
    """Cut them together: astronaut, cup, astronaut."""
    she = [shot(number) for number in range(FIRST)]
    again = [shot(number) for number in range(FIRST, FIRST + LAST)]
    return [*she, *map(cup, range(GAP)), *again]


def moment(number: int) -> float:
    """Tell which moment of her a frame of the film shows."""
    return number if number < FIRST else number - GAP


SHE = [*range(FIRST), *range(FIRST + GAP, FIRST + GAP + LAST)]


class Studio:
    """Orders swaps of the engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.admiral = self.picture("admiral.png", admiral())
        self.job = LocalJob(folder, RECIPE)

    def picture(self, name: str, pixels: NDArray[Any]) -> str:
        """Save a picture."""
        Image.fromarray(pixels).save(self.folder / name)
        return str(self.folder / name)

    def clip(self, name: str, frames: Sequence[Picture], **how: Any) -> str:
        """Save a video."""
        films.write(self.folder / name, list(frames), FPS, **how)
        return str(self.folder / name)

    def order(self, clip: str, source: str = "", recipe: Recipe = RECIPE, **fields: Any) -> Output:
        """Have a swap made."""
        cancel_when = fields.pop("cancel_when", lambda _: False)
        self.job = LocalJob(self.folder, recipe, cancel_when=cancel_when)
        inputs = PRODUCT.input(swap_image=source or self.admiral, target_video=clip, **fields)
        return cpu.ENGINE.run(PRODUCT, inputs, self.job)

    def made(self) -> Found:
        """Look at the film that came out."""
        (path,) = self.job.saved.values()
        return films.look(path)


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Open a studio in an empty folder."""
    return Studio(tmp_path)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, Found, Studio, Output]:
    """Put the admiral's face onto the astronaut; gives the film as sent, as made, the studio and the output."""
    studio = Studio(tmp_path_factory.mktemp("played"))
    clip = studio.clip("given.mp4", film(), sound=True)
    output = studio.order(clip)
    return films.look(Path(clip)), studio.made(), studio, output


def test_frames_rate_size_and_sound_stay(played: tuple[Found, Found, Studio, Output]) -> None:
    """What is charged is the number of frames that were made; the file says what made it."""
    given, found, studio, output = played
    assert (len(found.frames), found.fps, found.size) == (FIRST + GAP + LAST, FPS, SIZE)
    assert found.beep_s == pytest.approx(BEEP_S, abs=0.02)
    assert found.sound_s == pytest.approx(given.sound_s, abs=0.03)
    assert output.measures == {"frame": FIRST + GAP + LAST}
    assert found.tags["comment"] == "Software=unitask; unitask:engine=cpu; unitask:level=basic"
    assert studio.job.warnings == [
        WARNING,
        f"{GAP} of {FIRST + GAP + LAST} frames show no such face and stay as they were",
    ]
    assert studio.job.fractions == sorted(studio.job.fractions)
    assert studio.job.fractions[-1] == 1


def test_she_becomes_the_other_in_every_frame(played: tuple[Found, Found, Studio, Output]) -> None:
    """From the first frame of each shot to the last."""
    given, found, _, _ = played
    wanted, her = face(admiral(), ADMIRAL), face(astronaut(), ASTRONAUT)
    for number in SHE:
        place = anchors_at(moment(number))
        after = alike(face(found.frames[number], place), wanted)
        assert after > alike(face(given.frames[number], place), wanted) + 0.12, number
        assert after > alike(face(found.frames[number], place), her) - 0.05, number


def test_frames_without_a_face_stay_as_they_were(played: tuple[Found, Found, Studio, Output]) -> None:
    """But for what another encoding takes away; elsewhere in the picture so too."""
    given, found, _, _ = played
    for number, (before, after) in enumerate(zip(given.frames, found.frames, strict=True)):
        change = np.abs(before.astype(int) - after)
        if number in SHE:
            x = anchors_at(moment(number))[:2, 0].mean()
            change = change[:, : int(x - 70)] if x > 128 else change[:, int(x + 70) :]
        assert change.mean() < 4, number


def test_nothing_trembles_or_flickers(played: tuple[Found, Found, Studio, Output]) -> None:
    """Held still by her known motion, the new face changes from frame to frame no more than the old one did."""
    given, found, _, _ = played

    def unrest(frames: Sequence[Picture]) -> list[float]:
        still = {number: face(frames[number], anchors_at(moment(number))) for number in SHE}
        return [float(np.abs(still[a] - still[b]).mean()) for a, b in pairwise(SHE) if b == a + 1]

    old, new = unrest(given.frames), unrest(found.frames)
    assert np.mean(new) < 1.6 * np.mean(old)
    assert max(new) < 1.6 * max(old)


def test_a_second_attempt_makes_the_same_file(studio: Studio) -> None:
    """With the same frames and the same sound."""
    clip = studio.clip("given.mp4", [shot(number) for number in range(8)], sound=True)
    files = []
    for _ in range(2):
        studio.order(clip)
        (path,) = studio.job.saved.values()
        files.append(path.read_bytes())
    assert files[0] == files[1]


def tracked(frames: Sequence[Picture]) -> list[Track]:
    """Follow the faces of these frames."""
    tracker = Tracker(FPS)
    for frame in frames:
        tracker.watch(frame)
    return tracker.tracks()


def test_a_track_is_steadier_than_looks_are() -> None:
    """The eyes stay where they are on the head, to a fraction of a pixel."""
    (track,) = tracked([shot(number) for number in range(40)])
    assert (track.start, len(track.anchors), track.number) == (0, 40, 0)
    assert track.shares == [1.0] * 40
    off = np.array([anchors - anchors_at(number) for number, anchors in enumerate(track.anchors)])
    assert np.abs(np.diff(off, axis=0)).mean() < 0.12
    assert np.abs(off - off.mean(axis=0)).max() < 1.5


def cover(frame: Picture, number: float) -> None:
    """Let something pass before her face."""
    x, y = (int(value) for value in anchors_at(number).mean(axis=0))
    frame[max(0, y - 45) : y + 45, max(0, x - 45) : x + 45] = 90


def test_a_short_loss_is_bridged() -> None:
    """It is one track, sure all the time, and in the gap it is where the face must be."""
    frames = [shot(number) for number in range(30)]
    for number in range(13, 17):
        cover(frames[number], number)
    (track,) = tracked(frames)
    assert (track.start, len(track.anchors)) == (0, 30)
    assert track.shares == [1.0] * 30
    off = np.array([anchors - anchors_at(number) for number, anchors in enumerate(track.anchors)])
    assert np.abs(off).max() < 6


def test_a_face_that_is_gone_fades_out_and_in_again() -> None:
    """She is covered for two seconds, without a cut."""
    frames = [shot(min(number, 20)) for number in range(90)]
    for frame in frames[25:75]:
        cover(frame, 20)
    before, after = tracked(frames)
    assert before.shares[0] == 1
    assert before.start + len(before.shares) <= 25
    assert before.shares[-FADE:] == sorted(before.shares[-FADE:], reverse=True)
    assert before.shares[-1] < 0.5
    assert after.start >= 75
    assert after.shares[0] < 0.5
    assert after.shares[FADE:] == [1.0] * (15 - FADE)


def pair(number: int) -> Picture:
    """Show two people side by side who move a little."""
    shift = np.array([(0.7, 0, 2.0 * number), (0, 0.7, 8.0)])
    return np.asarray(cv2.warpAffine(couple(), shift, (480, 240), flags=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize(("number", "side"), [("0", 0), ("1", 1)])
def test_people_are_counted_from_the_left(studio: Studio, number: str, side: int) -> None:
    """The one that is named changes, the other does not."""
    clip = studio.clip("pair.mp4", [pair(at) for at in range(10)])
    source = studio.picture("she.png", astronaut()) if side else studio.admiral
    studio.order(clip, source, target_faces_index=number)
    given, found = films.look(Path(clip)).frames[5], studio.made().frames[5]
    change = np.abs(given.astype(int) - found)
    halves = change[30:140, 80:170].mean(), change[30:140, 310:380].mean()
    assert halves[side] > 2 * halves[1 - side]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"target_faces_index": "2"},
            "target_faces_index asks for face 2, but target_video shows at most 2 faces at once",
        ),
        ({"swap_faces_index": "1"}, "swap_faces_index asks for face 1, but swap_image has one face, number 0"),
    ],
)
def test_a_face_that_is_not_there_is_refused(studio: Studio, fields: dict[str, str], sentence: str) -> None:
    """The sentence says how many there are; nothing is stored."""
    clip = studio.clip("pair.mp4", [pair(at) for at in range(6)])
    with pytest.raises(TaskFailure, match=f"^invalid request, {sentence}"):
        studio.order(clip, **fields)
    assert not studio.job.saved


def test_a_video_without_a_face_is_refused(studio: Studio) -> None:
    """An unchanged video would be charged for nothing."""
    with pytest.raises(TaskFailure, match=f"^{NO_FACE.format('video')}"):
        studio.order(studio.clip("cup.mp4", [cup(number) for number in range(12)]))
    assert not studio.job.saved


def test_a_picture_without_a_face_is_refused(studio: Studio) -> None:
    """As for pictures, and before the video is decoded."""
    cat = studio.picture("cat.png", skimage.data.chelsea())
    with pytest.raises(TaskFailure, match=r"^invalid request, no face found in the image: swap_image"):
        studio.order(studio.clip("she.mp4", [shot(number) for number in range(4)]), cat)
    assert studio.job.fractions[-1] < 0.05


def test_a_video_with_too_many_frames_is_refused(studio: Studio) -> None:
    """The recipe says how many are too many."""
    recipe = Recipe("cpu", "basic", "video_face_swap", {"limit_frames": 11})
    clip = films.make(studio.folder / "long.mp4", Clip())
    with pytest.raises(MediaFailure, match=r"^failed to get valid video: it has 12 frames, the limit is 11"):
        studio.order(str(clip), recipe=recipe)


@pytest.mark.parametrize("content", [b"no video at all", b"\x00\x00\x00\x20ftypisom" + bytes(200)])
def test_a_file_that_is_no_video_is_refused(studio: Studio, content: bytes) -> None:
    """With the phrase that clients match on."""
    (studio.folder / "bad.mp4").write_bytes(content)
    with pytest.raises(MediaFailure, match=r"^failed to get valid video"):
        studio.order(str(studio.folder / "bad.mp4"))


@pytest.mark.parametrize("at", [0.2, 0.7], ids=["while looking", "while laying on"])
def test_a_cancelled_job_ends_in_the_middle(studio: Studio, at: float) -> None:
    """At the next report of progress, in either pass, with nothing stored."""
    clip = studio.clip("she.mp4", [shot(number) for number in range(12)])
    with pytest.raises(Cancelled):
        studio.order(clip, cancel_when=lambda fraction: fraction > at)
    assert not studio.job.saved
    assert at < studio.job.fractions[-1] < at + 0.2
