"""The rules of the video products that no schema shows: names, lists, prices by length, sizes."""

from typing import Any

import pytest

from support.recipes import plain_recipe
from unitask.catalogue import Catalogue, validate
from unitask.kit.errors import InvalidInput
from unitask.spec.media import media_values
from unitask.spec.product import Product, VideoResult

WANX, HUNYUAN, TOOLKIT = "Qubico/wanx", "Qubico/hunyuan", "Qubico/video-toolkit"
SKYREELS, FRAMEPACK, HUG = "Qubico/skyreels", "Qubico/framepack", "Qubico/hug-video"
CATALOGUE = Catalogue.load()
VIDEOS = tuple(product for product in CATALOGUE if product.output is VideoResult)
SHAPED = tuple(product for product in VIDEOS if "aspect_ratio" in product.input.model_fields)
URL, OTHER = "https://example.com/one.png", "https://example.com/two.png"
VIDEO = "https://example.com/one.mp4"
# fmt: off
STYLES = [
    "ghibli", "flat-color", "rotation-effect", "live-wallpaper", "passionate-kissing", "squish-effect",
    "cakeify-effect", "singularunity-motioncraft", "pixel-art", "super-saiyan-effect", "inflate-effect",
    "deflate-effect", "crush-effect", "particalize-effect",
]
MOTIONS = [
    "zoom_in", "zoom_out", "pan_left", "pan_right", "pan_up", "pan_down", "tilt_left", "tilt_right", "tilt_up",
    "tilt_down", "roll_clockwise", "roll_anticlockwise",
]
# fmt: on


def accepted(model: str, task_type: str, **raw: object) -> dict[str, Any]:
    """Validate an input of a named product that leaves nothing unread; gives it with its defaults."""
    inputs, warnings = validate(CATALOGUE.find(model, task_type), raw)
    assert warnings == []
    return inputs.model_dump()


def refused(model: str, task_type: str, **raw: object) -> str:
    """Validate an input that must be refused; gives the sentence."""
    with pytest.raises(InvalidInput) as caught:
        validate(CATALOGUE.find(model, task_type), raw)
    return str(caught.value)


def quote(model: str, task_type: str, **raw: object) -> int:
    """Give the points of an input."""
    product = CATALOGUE.find(model, task_type)
    return product.price.quote(validate(product, raw)[0])


def styled(task_type: str, **lora: object) -> dict[str, Any]:
    """Validate an input with one style."""
    inputs = accepted(WANX, task_type, prompt="x", lora_settings=[lora], **_picture(task_type))
    style: dict[str, Any] = inputs["lora_settings"][0]
    return style


def _picture(task_type: str) -> dict[str, str]:
    return {"image": URL} if task_type.startswith("img2video") else {}


# All of them


def test_the_video_models_have_their_task_types() -> None:
    """Nine of WanX, five of Hunyuan, three tools, one of each other model."""
    counts: dict[str, int] = {}
    for product in VIDEOS:
        counts[product.model] = counts.get(product.model, 0) + 1
    assert counts == {WANX: 9, HUNYUAN: 5, TOOLKIT: 3, SKYREELS: 1, FRAMEPACK: 1, HUG: 1}


def test_history_groups_them_by_family() -> None:
    """The words by which clients filter their history."""
    families = {product.model: product.family for product in VIDEOS}
    assert families == {
        WANX: "wan",
        HUNYUAN: "hunyuan",
        TOOLKIT: "video_toolkit",
        SKYREELS: "skyreels",
        FRAMEPACK: "framepack",
        HUG: "hug_video",
    }


@pytest.mark.parametrize(
    ("task", "points"),
    [
        ((WANX, "txt2video-1.3b"), 1_200_000),
        ((WANX, "txt2video-14b"), 2_800_000),
        ((WANX, "wan22-txt2video-14b"), 2_800_000),
        ((HUNYUAN, "txt2video"), 900_000),
        ((HUNYUAN, "fast-txt2video"), 300_000),
    ],
)
def test_a_video_from_words_has_one_price(task: tuple[str, str], points: int) -> None:
    """Nothing that the client may ask for changes it."""
    assert quote(*task, prompt="x") == quote(*task, prompt="x" * 1000, aspect_ratio="9:16") == points


@pytest.mark.parametrize(
    ("task", "points"),
    [
        ((WANX, "img2video-14b"), 2_800_000),
        ((WANX, "wan22-img2video-14b"), 2_800_000),
        ((SKYREELS, "img2video"), 1_500_000),
        ((HUNYUAN, "img2video-concat"), 900_000),
        ((HUNYUAN, "img2video-replace"), 900_000),
    ],
)
def test_a_video_from_a_picture_has_one_price(task: tuple[str, str], points: int) -> None:
    """It is charged by the task."""
    assert quote(*task, prompt="x", image=URL) == points


@pytest.mark.parametrize("product", SHAPED, ids=lambda product: product.key)
def test_each_shape_has_a_size_that_a_video_can_have(product: Product) -> None:
    """What a client may ask for has whole macroblocks, the shape it says, and about one area."""
    words = product.input.model_json_schema()["properties"]["aspect_ratio"]["enum"]
    sizes = plain_recipe(product).options["sizes"]
    assert set(sizes) == set(words) == {"16:9", "9:16", "1:1"}
    areas = [width * height for width, height in sizes.values()]
    assert max(areas) / min(areas) < 1.05
    for word, (width, height) in sizes.items():
        across, down = map(int, word.split(":"))
        assert width % 16 == height % 16 == 0
        assert width / height == pytest.approx(across / down, rel=0.03)


@pytest.mark.parametrize(
    ("task", "wide", "frames", "fps"),
    [
        ((WANX, "txt2video-14b"), [832, 480], 85, 16),
        ((WANX, "wan22-img2video-14b"), [1280, 720], 81, 16),
        ((HUNYUAN, "txt2video"), [848, 480], 85, 24),
        ((HUNYUAN, "img2video-concat"), [960, 544], 85, 24),
        ((SKYREELS, "img2video"), [960, 544], 97, 24),
    ],
)
def test_what_is_made_here_has_the_size_and_length_of_the_real_video(
    task: tuple[str, str], wide: list[int], frames: int, fps: int
) -> None:
    """The recipe tells the engine."""
    options = plain_recipe(CATALOGUE.find(*task)).options
    assert (options["sizes"]["16:9"], options["frames"], options["fps"]) == (wide, frames, fps)


@pytest.mark.parametrize("product", SHAPED, ids=lambda product: product.key)
def test_an_empty_shape_counts_as_absent(product: Product) -> None:
    """Forms send an empty text for what was not chosen."""
    raw = product.examples[0].input | {"aspect_ratio": "", "negative_prompt": ""}
    inputs: Any = validate(product, raw)[0]
    assert (inputs.aspect_ratio, inputs.negative_prompt) == ("16:9", "")


# WanX


@pytest.mark.parametrize("start", ["start_image", "first_frame", "image"])
@pytest.mark.parametrize("end", ["end_image", "last_frame"])
def test_keyframes_go_by_several_names(start: str, end: str) -> None:
    """Each set of names that clients use is read, and written down under one."""
    inputs = accepted(WANX, "img2video-14b-keyframe", **{start: URL, end: OTHER})
    assert (inputs["start_image"], inputs["end_image"]) == (URL, OTHER)


def test_a_blank_keyframe_gives_way_to_a_filled_one() -> None:
    """A client that fills one of two names means that one; the canonical one wins where both are filled."""
    inputs = accepted(WANX, "img2video-14b-keyframe", start_image=" ", first_frame=URL, end_image="", last_frame=OTHER)
    assert (inputs["start_image"], inputs["end_image"]) == (URL, OTHER)
    inputs = accepted(WANX, "img2video-14b-keyframe", image=OTHER, start_image=URL, end_image=OTHER)
    assert inputs["start_image"] == URL


def test_both_keyframes_are_required() -> None:
    """The sentence uses the names of the documents."""
    assert "input.end_image is required" in refused(WANX, "img2video-14b-keyframe", first_frame=URL)
    sentence = refused(WANX, "img2video-14b-keyframe", last_frame=URL, image="")
    assert "input.start_image is required" in sentence


def test_a_keyframe_under_another_name_is_stored_like_any_other() -> None:
    """A data URI is swapped for a stored file before the input is written down, and the worker reads it."""
    product = CATALOGUE.find(WANX, "img2video-14b-keyframe")
    inputs, _ = validate(product, {"first_frame": URL, "last_frame": OTHER})
    found = list(media_values(inputs))
    assert [value.path for value in found] == ["input.start_image", "input.end_image"]
    for number, value in enumerate(found):
        value.replace(f"artifact:{number}")
    stored: Any = product.input.model_validate(inputs.model_dump(exclude_none=True))
    assert (stored.start_image, stored.end_image) == ("artifact:0", "artifact:1")


@pytest.mark.parametrize("task_type", ["txt2video-14b-lora", "img2video-14b-lora"])
def test_each_wanx_style_is_known(task_type: str) -> None:
    """One list serves words and pictures, and a strength need not be sent."""
    for name in STYLES:
        assert styled(task_type, lora_type=name) == {"lora_type": name, "lora_strength": 1.0}


@pytest.mark.parametrize("strength", [0, 0.5, 1, ""])
def test_a_style_has_a_strength(strength: object) -> None:
    """From none of it to all of it; empty stands for all."""
    expected = 1.0 if strength == "" else strength
    assert styled("txt2video-14b-lora", lora_type="ghibli", lora_strength=strength)["lora_strength"] == expected


@pytest.mark.parametrize("name", ["nsfw-anything", "NSFW-Other", " nsfw-"])
@pytest.mark.parametrize(
    "task", [(WANX, "txt2video-14b-lora"), (WANX, "img2video-14b-lora"), (HUNYUAN, "txt2video-lora")]
)
def test_styles_for_adults_are_refused_with_the_reason(task: tuple[str, str], name: str) -> None:
    """They are known, and not served; the sentence says so and does not repeat the name."""
    sentence = refused(*task, prompt="x", image=URL, lora_settings=[{"lora_type": name}])
    assert sentence == (
        "invalid request: input.lora_settings[0].lora_type: styles for adults, whose names begin with nsfw-, "
        "are not served; choose another style"
    )


@pytest.mark.parametrize(
    "task", [(WANX, "txt2video-14b-lora"), (WANX, "img2video-14b-lora"), (HUNYUAN, "txt2video-lora")]
)
def test_a_style_task_needs_a_style(task: tuple[str, str]) -> None:
    """Some clients leave the list out when its switch is off; without a style it is another task type."""
    for raw in ({}, {"lora_settings": []}):
        assert "input.lora_settings" in refused(*task, prompt="x", image=URL, **raw)


@pytest.mark.parametrize("motion", MOTIONS)
def test_each_camera_motion_is_known(motion: str) -> None:
    """Its speed need not be sent."""
    settings = [{"motion_type": motion}]
    inputs = accepted(WANX, "img2video-14b-control-camera", image=URL, control_camera_settings=settings)
    assert inputs["control_camera_settings"] == [{"motion_type": motion, "motion_speed": 0.2}]
    assert inputs["prompt"] == ""


@pytest.mark.parametrize("speed", [-0.1, 10.1, "fast"])
def test_a_camera_has_a_top_speed(speed: object) -> None:
    """Ten."""
    settings = [{"motion_type": "zoom_in", "motion_speed": speed}]
    sentence = refused(WANX, "img2video-14b-control-camera", image=URL, control_camera_settings=settings)
    assert "input.control_camera_settings[0].motion_speed: " in sentence


@pytest.mark.parametrize("count", [0, 7])
def test_a_camera_makes_one_to_six_movements(count: int) -> None:
    """Several add up; none is another task type."""
    settings = [{"motion_type": "pan_up"}]
    for good in (1, 6):
        accepted(WANX, "img2video-14b-control-camera", image=URL, control_camera_settings=settings * good)
    sentence = refused(WANX, "img2video-14b-control-camera", image=URL, control_camera_settings=settings * count)
    assert "input.control_camera_settings: " in sentence


def test_the_camera_object_of_another_product_is_refused() -> None:
    """It looks alike and would be made as something else than was meant."""
    settings = [{"type": "static", "config": {"zoom": 1}}]
    sentence = refused(WANX, "img2video-14b-control-camera", image=URL, control_camera_settings=settings)
    assert "input.control_camera_settings[0].motion_type is required" in sentence


@pytest.mark.parametrize("task_type", ["img2video-14b", "wan22-img2video-14b"])
def test_a_picture_needs_no_words(task_type: str) -> None:
    """Some clients send none, some an empty text."""
    for raw in ({}, {"prompt": ""}):
        assert accepted(WANX, task_type, image=URL, **raw)["prompt"] == ""


def test_what_old_clients_send_besides_is_ignored() -> None:
    """A resolution is on no page and changes nothing."""
    product = CATALOGUE.find(WANX, "txt2video-14b")
    _, warnings = validate(product, {"prompt": "x", "video_resolution": "480P"})
    assert warnings == ["input.video_resolution is not a field of this product and was ignored"]


# Skyreels, Hunyuan


@pytest.mark.parametrize(("sent", "scale"), [({}, 3.5), ({"guidance_scale": ""}, 3.5), ({"guidance_scale": 10}, 10)])
def test_skyreels_guidance_has_a_default(sent: dict[str, object], scale: float) -> None:
    """Absent and empty are 3.5."""
    assert accepted(SKYREELS, "img2video", prompt="x", image=URL, **sent)["guidance_scale"] == scale


@pytest.mark.parametrize("scale", [0, -1, 10.5])
def test_skyreels_guidance_is_above_0_and_at_most_10(scale: float) -> None:
    """Others are refused."""
    assert "input.guidance_scale: " in refused(SKYREELS, "img2video", prompt="x", image=URL, guidance_scale=scale)


@pytest.mark.parametrize("name", ["anime", "film_noir", "v1.5"])
def test_hunyuan_takes_any_plain_name_of_a_style(name: str) -> None:
    """Its list is not published."""
    inputs = accepted(HUNYUAN, "txt2video-lora", prompt="x", lora_settings=[{"lora_type": name}])
    assert inputs["lora_settings"] == [{"lora_type": name, "lora_strength": 1.0}]


@pytest.mark.parametrize("name", ["", "../secret", "a/b", "a b", ".hidden", "x" * 65])
def test_the_name_of_a_style_leads_nowhere_else(name: str) -> None:
    """An engine may look for a file of this name."""
    sentence = refused(HUNYUAN, "txt2video-lora", prompt="x", lora_settings=[{"lora_type": name}])
    assert "input.lora_settings[0].lora_type: " in sentence


# Framepack


@pytest.mark.parametrize(("sent", "seconds"), [({}, 10), ({"duration": ""}, 10), ({"duration": 30}, 30)])
def test_framepack_is_charged_by_the_second(sent: dict[str, object], seconds: int) -> None:
    """$0.03 each; absent and empty are ten seconds."""
    assert quote(FRAMEPACK, "img2video", start_image=URL, prompt="x", **sent) == seconds * 300_000


@pytest.mark.parametrize("seconds", [1, 5, 9])
def test_less_than_ten_seconds_are_made_and_charged_as_asked(seconds: int) -> None:
    """Whether they are is disputed; nobody pays for seconds that were not ordered."""
    assert quote(FRAMEPACK, "img2video", start_image=URL, prompt="x", duration=seconds) == seconds * 300_000


@pytest.mark.parametrize("seconds", [0, -1, 31, 10.5])
def test_framepack_makes_one_to_thirty_whole_seconds(seconds: float) -> None:
    """Others are refused."""
    assert "input.duration: " in refused(FRAMEPACK, "img2video", start_image=URL, prompt="x", duration=seconds)


@pytest.mark.parametrize("end", [None, "", "  "])
def test_a_last_picture_may_be_left_out(end: str | None) -> None:
    """Nothing is fetched for it."""
    product = CATALOGUE.find(FRAMEPACK, "img2video")
    inputs, _ = validate(product, {"start_image": URL, "prompt": "x", "end_image": end})
    assert [value.path for value in media_values(inputs)] == ["input.start_image"]


# Hug


def test_a_hug_costs_20_cents_and_is_kept_for_a_day() -> None:
    """The picture comes as `image_url`."""
    assert quote(HUG, "image_to_video", image_url=URL) == 2_000_000
    assert CATALOGUE.find(HUG, "image_to_video").keep_days == 1


# Video tools


@pytest.mark.parametrize(
    ("task_type", "raw", "points", "most"),
    [
        ("face-swap", {"swap_image": URL, "target_video": VIDEO}, 40_000, 600),
        ("upscale", {"video": VIDEO}, 3_000, 240),
        ("background-remove", {"video": VIDEO}, 2_000, 600),
    ],
)
def test_video_tools_are_charged_by_the_frame(task_type: str, raw: dict[str, str], points: int, most: int) -> None:
    """The quote is for the most frames that the tool takes; the frames really made decide the charge."""
    price = CATALOGUE.find(TOOLKIT, task_type).price
    held = quote(TOOLKIT, task_type, **raw)
    assert held == points * most
    assert price.charge(held, {"frame": 60}) == points * 60
    assert price.charge(held, {"frame": most + 1}) == held
    assert plain_recipe(CATALOGUE.find(TOOLKIT, task_type)).options["limit_frames"] == most


@pytest.mark.parametrize(
    ("swap", "target", "pairs"),
    [
        (None, None, [(0, 0)]),
        ("", "", [(0, 0)]),
        ("0,1", "1,0", [(0, 1), (1, 0)]),
        ("0 1", "1, 0", [(0, 1), (1, 0)]),
        (None, "2", [(0, 2)]),
    ],
)
def test_faces_of_a_picture_are_paired_with_people_of_a_video(
    swap: str | None, target: str | None, pairs: list[tuple[int, int]]
) -> None:
    """Commas and blanks both part the numbers; without numbers the first goes onto the first."""
    raw = {"swap_image": URL, "target_video": VIDEO, "swap_faces_index": swap, "target_faces_index": target}
    inputs: Any = validate(CATALOGUE.find(TOOLKIT, "face-swap"), raw)[0]
    assert inputs.face_pairs == pairs


@pytest.mark.parametrize(("swap", "target"), [("0,1", "0"), ("0,1", None), ("0", "first"), ("0", "-1")])
def test_faces_that_cannot_be_paired_are_refused(swap: str, target: str | None) -> None:
    """Before anything is fetched or charged."""
    raw = {"swap_image": URL, "target_video": VIDEO, "swap_faces_index": swap, "target_faces_index": target}
    assert "input.target_faces_index: " in refused(TOOLKIT, "face-swap", **raw)


def test_a_video_to_enlarge_may_stand_upright() -> None:
    """The limit holds for the longer side and the area."""
    inputs, _ = validate(CATALOGUE.find(TOOLKIT, "upscale"), {"video": VIDEO})
    media = next(media_values(inputs)).media
    assert (media.limit_side_px, media.limit_pixels, media.limit_bytes) == (1280, 1280 * 720, 10 * 2**20)
