"""How long files stay: by kind, as the operator says, whatever the clock does; and what nobody wrote down."""

import os
from pathlib import Path

import pytest

from support.clock import ManualClock
from support.media import PNG
from support.sql import rows
from support.traces import files
from unitask.app import Services
from unitask.artifacts import sweep
from unitask.catalogue import Catalogue
from unitask.kit.clock import DAY_US, SECOND_US
from unitask.kit.errors import UnknownProduct
from unitask.settings import Settings, WrongSetting

DAY_S = 24 * 3600
GRACE_S = sweep.GRACE_US // SECOND_US
STEADY_S = sweep.STEADY_US // SECOND_US
ORPHAN_S = sweep.ORPHAN_US // SECOND_US
PRODUCTS = {
    "Qubico/flux1-dev/txt2img": ("image", 3),
    "Qubico/image-toolkit/face-swap": ("image", 3),
    "Qubico/hug-video/image_to_video": ("video", 1),
    "Qubico/wanx/txt2video-1.3b": ("video", 3),
    "Qubico/tts/zero-shot": ("audio", 3),
    "Qubico/trellis/image-to-3d": ("model", 3),
}


@pytest.mark.parametrize("key", PRODUCTS)
def test_outputs_are_kept_as_documented(key: str) -> None:
    """Three days; one for AI Hug."""
    product = Catalogue.load().by_key(key)
    assert (product.media, product.keep_days) == PRODUCTS[key]


def test_the_operator_says_how_long() -> None:
    """By kind, or by product, which wins; a product with days of its own is changed by its name alone."""
    days = Settings.load(keep_days="image=30, video=7,qubico/hug-video/*=2,Qubico/flux1-*=60").keep_days
    kept = {key: Catalogue.load().keeping(days).by_key(key).keep_days for key in PRODUCTS}
    assert list(kept.values()) == [60, 30, 2, 7, 3, 3]
    assert Catalogue.load().keeping({"video": 9}).by_key("Qubico/hug-video/image_to_video").keep_days == 1


@pytest.mark.parametrize("wrong", ["image", "image=0", "image=x", "image=36501"])
def test_days_that_cannot_be_stop_the_start(wrong: str) -> None:
    """With the name of the setting."""
    with pytest.raises(WrongSetting, match="UNITASK_KEEP_DAYS"):
        Settings.load(keep_days=wrong)


def test_days_of_nothing_stop_the_start() -> None:
    """A product that is mistyped must not be kept for another time in silence."""
    with pytest.raises(UnknownProduct, match="UNITASK_KEEP_DAYS names 'Qubico/hug'"):
        Catalogue.load().keeping({"Qubico/hug": 1})


async def kept(services: Services, number: int = 1) -> list[Path]:
    """Keep uploads; gives their files."""
    for _ in range(number):
        await services.artifacts.keep_upload(PNG, extension="png", account_id=1)
    return files(services)


async def test_uploads_are_kept_as_the_operator_says(settings: Settings, clock: ManualClock) -> None:
    """So many hours."""
    services = await Services.open(settings.model_copy(update={"upload_hours": 2}), clock)
    artifact = await services.artifacts.keep_upload(PNG, extension="png", account_id=1)
    assert artifact.expires_at == clock.now_us() + 2 * 3600 * SECOND_US
    await services.close()


async def test_a_sweep_does_so_much_and_no_more(services: Services, clock: ManualClock) -> None:
    """Two hundred files at a time, oldest first, so that the other chores have their turn."""
    await kept(services, 250)
    clock.pass_s(DAY_S + GRACE_S)
    assert [await services.artifacts.sweep() for _ in range(3)] == [200, 50, 0]


async def test_a_file_that_cannot_be_removed_is_tried_again(services: Services, clock: ManualClock) -> None:
    """Later and later, while others go; it is not forgotten before it is gone."""
    stuck, _ = await kept(services, 2)
    stuck.unlink()
    (stuck / "in the way").mkdir(parents=True)
    clock.pass_s(DAY_S + GRACE_S)
    assert await services.artifacts.sweep() == 1
    for tries in range(1, 6):
        assert await services.artifacts.sweep() == 0
        assert [row["remove_tries"] for row in await rows(services.database, "select * from artifacts")] == [tries]
        clock.pass_s(60 * 2**tries)
    (stuck / "in the way").rmdir()
    stuck.rmdir()
    stuck.write_bytes(PNG)
    assert await services.artifacts.sweep() == 1
    assert (files(services), await rows(services.database, "select * from artifacts")) == ([], [])


async def test_a_clock_that_jumps_ahead_deletes_nothing(services: Services, clock: ManualClock) -> None:
    """A wrong day ends no file, if it is put right within ten minutes."""
    (file,) = await kept(services)
    clock.jump_s(3650 * DAY_S)
    for _ in range(10):
        assert await services.artifacts.sweep() == 0
        assert await services.artifacts.sweep_orphans() == 0
        clock.pass_s(STEADY_S / 10 - 1)
    clock.jump_s(-3650 * DAY_S)
    clock.pass_s(STEADY_S)
    assert await services.artifacts.sweep() == 0
    assert file.exists()


async def test_a_clock_that_is_set_ahead_for_good_is_believed(services: Services, clock: ManualClock) -> None:
    """After ten minutes; else nothing would be removed any more on a machine that was asleep."""
    await kept(services)
    clock.jump_s(30 * DAY_S)
    assert await services.artifacts.sweep() == 0
    clock.pass_s(STEADY_S)
    assert await services.artifacts.sweep() == 1


async def test_files_from_a_wrong_future_do_not_stay_for_ever(services: Services, clock: ManualClock) -> None:
    """Kept while the clock was ten years ahead: put right, they live as long as they would have, from now on."""
    clock.jump_s(3650 * DAY_S)
    early = await services.artifacts.keep_upload(PNG, extension="png", account_id=1)
    await services.artifacts.delete((await services.artifacts.keep_upload(PNG, extension="png", account_id=1)).id, 1)
    clock.jump_s(-3650 * DAY_S)
    assert await services.artifacts.sweep() == 1, "what was deleted goes all the same"
    clock.pass_s(STEADY_S)
    assert await services.artifacts.sweep() == 0
    assert (await services.artifacts.get(early.id, 1)).expires_at == clock.now_us() + DAY_US
    clock.pass_s(DAY_S + GRACE_S)
    assert await services.artifacts.sweep() == 1
    assert files(services) == []


async def test_a_clock_that_is_set_back_keeps_files_longer(services: Services, clock: ManualClock) -> None:
    """By as much as it was set back, and no file is lost."""
    (file,) = await kept(services)
    clock.jump_s(-3600)
    clock.pass_s(DAY_S + GRACE_S)
    assert await services.artifacts.sweep() == 0
    assert file.exists()
    clock.pass_s(3600)
    assert await services.artifacts.sweep() == 1


async def test_files_that_no_row_knows_are_found(services: Services, clock: ManualClock) -> None:
    """Whole or half, wherever they lie: when they are two days old, and nothing else is touched."""
    (known,) = await kept(services)
    folder = services.settings.data / "files"
    name = "2027/01/15/0123456789abcdef0123456789abcdef"
    lost = [folder / f"{name}.png", folder / f"{name}.partial", folder / f"incoming/{name}.mp4"]
    others = [folder / "notes.txt", folder / "2027/01/15/notes.txt", folder / "2027/notes.partial"]
    for path in [known, *lost, *others]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (clock.now_us() / SECOND_US, clock.now_us() / SECOND_US))
    clock.pass_s(ORPHAN_S)
    assert await services.artifacts.sweep_orphans() == 0
    clock.pass_s(6 * 3600)
    assert await services.artifacts.sweep_orphans() == 3
    assert files(services) == sorted([known, *others])


async def test_the_search_is_bounded_and_comes_round(services: Services, clock: ManualClock) -> None:
    """Five hundred files at a time, a minute apart; after the last of them it rests, and then begins anew."""
    folder = services.settings.data / "files/2020/01/15"
    folder.mkdir(parents=True)
    for number in range(1100):
        (folder / f"{number:032x}.png").touch()
    clock.pass_s(STEADY_S)
    removed = []
    for _ in range(4):
        removed += [await services.artifacts.sweep_orphans() for _ in range(2)]
        clock.pass_s(60)
    assert removed == [500, 0, 500, 0, 100, 0, 0, 0]
    (folder / f"{0:032x}.png").touch()
    clock.pass_s(6 * 3600)
    assert await services.artifacts.sweep_orphans() == 1
