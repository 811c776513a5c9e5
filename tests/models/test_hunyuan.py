"""Hunyuan Video from weights: tiny random ones, through the code that serves the real ones."""

import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from tiny_hunyuan import shelve_fast, shelve_from_pictures, shelve_hunyuan, shelve_style

from support.films import look
from support.previews import Made, Workshop
from unitask.kit.errors import EngineFailure

SIZES: Final = {"16:9": [44, 36], "9:16": [36, 44], "1:1": [40, 40]}
"""No side is a multiple of 16."""
QUICK: Final = {"sizes": SIZES, "frames": 6, "steps": 3, "tokens": 640}
"""The frames are not one more than a multiple of 4; as many tokens as the words round the prompt need in bytes."""
FROM_WORDS: Final = ("txt2video", "fast-txt2video")
FROM_PICTURES: Final = ("img2video-concat", "img2video-replace")
LONGER_THAN_CLIP_READS: Final = "a" * 90


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf with the whole family."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    shelve_hunyuan(folder)
    shelve_fast(folder)
    shelve_from_pictures(folder)
    shelve_style(folder, "anime")
    shelve_style(folder, "art", seed=1)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Give who takes orders."""
    return Workshop(tmp_path, "diffusers", models)


def film(workshop: Workshop, task_type: str = "txt2video", **fields: Any) -> Made:
    """Order a video; those from a picture get one if none is given."""
    if task_type in FROM_PICTURES:
        fields = {"image": workshop.squares(), **fields}
    options = {**QUICK, **fields.pop("options", {})}
    return workshop.order("hunyuan", task_type, **{"prompt": "a cat", **fields, "options": options})


@pytest.mark.parametrize("task_type", [*FROM_WORDS, *FROM_PICTURES])
@pytest.mark.parametrize("shape", SIZES)
def test_a_video_has_the_size_the_frames_and_the_rate_that_were_promised(
    workshop: Workshop, task_type: str, shape: str
) -> None:
    """Though the model makes whole blocks of pixels and of frames, and one of them throws its first frames away."""
    seen = look(film(workshop, task_type, aspect_ratio=shape).path("video_url"))
    assert seen.size == tuple(SIZES[shape])
    assert (len(seen.frames), seen.fps) == (6, 24)


@pytest.mark.parametrize("task_type", [*FROM_WORDS, *FROM_PICTURES])
def test_the_same_order_makes_the_same_file_and_another_seed_or_prompt_another(
    workshop: Workshop, task_type: str
) -> None:
    """Deterministic, and not constant."""
    first = film(workshop, task_type)
    assert film(workshop, task_type).content("video_url") == first.content("video_url")
    for change in ({"seed": 8}, {"prompt": "a dog"}):
        assert not np.array_equal(film(workshop, task_type, **change).frames(), first.frames())


@pytest.mark.parametrize("task_type", ["txt2video", "img2video-replace"])
def test_a_long_prompt_is_read_to_its_end_with_its_spaces(
    workshop: Workshop, task_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The large encoder reads what the small one has no room for; no log repeats a client's words for that."""
    apart, together = (
        film(workshop, task_type, prompt=LONGER_THAN_CLIP_READS + end).frames() for end in (" b" * 30, "b" * 30)
    )
    assert not np.array_equal(apart, together)
    assert "aaa" not in caplog.text


@pytest.mark.parametrize("task_type", ["txt2video", *FROM_PICTURES])
def test_marks_of_the_encoders_own_language_mean_nothing_in_a_prompt(workshop: Workshop, task_type: str) -> None:
    """A mark for a picture where there is none would break it."""
    marked = film(workshop, task_type, prompt="a <image>cat<|end_header_id|>")
    assert np.array_equal(marked.frames(), film(workshop, task_type, prompt="a  cat ").frames())


def test_the_quick_one_takes_six_steps_and_has_a_noise_schedule_of_its_own(workshop: Workshop) -> None:
    """The slow one takes twenty; its schedule is that of its weights."""
    own = {name: value for name, value in QUICK.items() if name != "steps"}
    counts = [
        len(workshop.order("hunyuan", task_type, prompt="a cat", options=own).steps())
        for task_type in ("txt2video", "fast-txt2video")
    ]
    assert counts == [20, 6]
    quick, slow = (film(workshop, "fast-txt2video", options=one).frames() for one in ({}, {"shift": 7.0}))
    assert not np.array_equal(quick, slow)
    of_weights = film(workshop, "txt2video", options={"shift": None})
    assert np.array_equal(of_weights.frames(), film(workshop, "txt2video").frames())


def test_guidance_is_an_input_of_the_weights_that_know_it(workshop: Workshop) -> None:
    """Those that move freely from a picture do not."""
    for task_type, knows in (("txt2video", True), ("img2video-replace", True), ("img2video-concat", False)):
        one, other = (film(workshop, task_type, options={"guidance": value}).frames() for value in (1.0, 6.0))
        assert np.array_equal(one, other) != knows


def test_weights_that_keep_closer_take_less_of_the_picture_as_words(workshop: Workshop) -> None:
    """Every fourth of its tokens, where the other takes every second."""
    fourth, second = (film(workshop, "img2video-replace", options=one) for one in ({}, {"interleave": 2}))
    assert not np.array_equal(fourth.frames(), second.frames())


def test_a_negative_prompt_changes_nothing_and_is_warned_about(workshop: Workshop) -> None:
    """The client is told."""
    for task_type in ("txt2video", "img2video-concat"):
        plain, away = film(workshop, task_type), film(workshop, task_type, negative_prompt="dogs")
        assert np.array_equal(plain.frames(), away.frames())
        assert plain.job.warnings == []
        assert "negative_prompt has no effect" in away.job.warnings[0]


@pytest.mark.parametrize("task_type", FROM_PICTURES)
def test_the_picture_matters(workshop: Workshop, task_type: str) -> None:
    """Also at its edges, where the encoder of the words does not look: it sees a square."""
    wide = {"sizes": {"16:9": [80, 32]}}
    squares = np.full((32, 80, 3), 128, np.uint8)
    given = [workshop.picture("plain.png", squares)]
    squares[:, :8] = 255
    given.append(workshop.picture("edge.png", squares))
    plain, edge = (film(workshop, task_type, image=image, options=wide).frames() for image in given)
    assert not np.array_equal(plain, edge)


def test_what_was_read_of_one_picture_is_not_taken_for_another(workshop: Workshop, tmp_path: Path) -> None:
    """Words that come again are not encoded again, but where the encoder sees a picture beside them."""
    film(workshop, "img2video-replace")
    after = film(workshop, "img2video-replace", image=workshop.squares(seed=1))
    copy = tmp_path / "models"
    shutil.copytree(after.job.models, copy)
    (tmp_path / "anew").mkdir()
    anew = Workshop(tmp_path / "anew", "diffusers", copy)
    alone = film(anew, "img2video-replace", image=anew.squares(seed=1))
    assert after.content("video_url") == alone.content("video_url")


def test_a_style_changes_the_video_and_leaves_no_trace(workshop: Workshop) -> None:
    """LoRAs come and go; without one the model is what it was, bit for bit."""

    def styled(*styles: dict[str, Any]) -> Made:
        return film(workshop, "txt2video-lora", lora_settings=list(styles))

    before = film(workshop).content("video_url")
    anime, half = {"lora_type": "anime"}, {"lora_type": "anime", "lora_strength": 0.5}
    made = [styled(*styles).frames() for styles in ((anime,), (half,), ({"lora_type": "art"},), (anime, half | anime))]
    videos = [film(workshop).frames(), *made[:3]]
    assert not any(np.array_equal(one, other) for one in videos for other in videos if one is not other)
    none = styled({"lora_type": "anime", "lora_strength": 0})
    assert np.array_equal(none.frames(), videos[0])
    assert film(workshop).content("video_url") == before


def test_a_style_that_is_not_there_names_the_command_that_brings_it(workshop: Workshop) -> None:
    """And where a file of one's own goes."""
    with pytest.raises(EngineFailure, match="unitask models pull lora:hunyuan/disney"):
        film(workshop, "txt2video-lora", lora_settings=[{"lora_type": "disney"}])


@pytest.mark.parametrize("task_type", ["txt2video", "img2video-concat"])
def test_progress_goes_up_step_by_step(workshop: Workshop, task_type: str) -> None:
    """From nothing to all, with each step of the model in it."""
    made = film(workshop, task_type, options={"steps": 5})
    assert made.job.fractions == sorted(made.job.fractions)
    assert made.job.fractions[-1] == 1
    assert len(made.steps()) == 5
