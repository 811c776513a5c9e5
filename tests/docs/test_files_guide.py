"""docs/guide/files.md: its examples work on a server that is set as it says; its numbers are the code's."""

import re
import shlex
import shutil
from pathlib import Path
from typing import get_args

import pytest

from support.examples import run, runnable
from support.objects import Objects
from support.server import throw_away_server
from support.source import ROOT, text_of
from support.texts import blocks, section, tables
from unitask.artifacts import service, sweep, uploads
from unitask.catalogue import Catalogue
from unitask.kit.clock import DAY_US, SECOND_US
from unitask.settings import Settings
from unitask.spec.product import KEEP_DAYS, Media

GUIDE = text_of(ROOT / "docs/guide/files.md") or ""
STORE = "https://s3.example.com"


def settings() -> dict[str, str]:
    """Read all settings that the guide shows."""
    shown = "".join(block.body for block in blocks(GUIDE) if block.info == "sh settings")
    words = shlex.split(shown, comments=True)
    return dict(word.split("=", 1) for word in words if word != "export")


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_examples_work_on_a_server_that_is_set_as_shown(
    tmp_path: Path, safe_objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other; what the operator's bucket and the customer's hold afterwards is as the guide says."""
    monkeypatch.setenv("SSL_CERT_FILE", safe_objects.trust)
    for bucket in ("my-bucket", "customers-bucket"):
        safe_objects.make(bucket)
    shown = {name: value.replace(STORE, safe_objects.address) for name, value in settings().items()}
    assert len(shown) == 7
    folder = tmp_path / "reader"
    folder.mkdir()
    private = {"UNITASK_ALLOW_PRIVATE_NETWORKS": "true", "UNITASK_ENGINES": "preview,cpu"}
    with throw_away_server(tmp_path, **shown, **private) as server:
        examples = runnable(GUIDE)
        assert len(examples) == 4
        for block in examples:
            run(block, server, folder, {STORE: safe_objects.address})
        kept = safe_objects.names("my-bucket")
        assert [name.split("/")[0] for name in kept] == ["media"] * 3, "two uploads and a cut-out; the cat was deleted"
        assert safe_objects.names("customers-bucket") == []
        first = next(block for block in examples if "artifacts" in block.body)
        assert "image/png" in run(first, server, folder), "now its picture comes from the customer's bucket"


def test_the_times_of_the_guide_are_those_that_are_kept() -> None:
    """Of kinds, of AI Hug, of uploads; and what is not said otherwise."""
    (rows,) = tables(section(GUIDE, "How long files stay"))
    said = {row[0].split(" (")[0]: row[1] for row in rows}
    assert dict.fromkeys(get_args(Media), f"{KEEP_DAYS} days").items() <= said.items()
    own = {product.key: product.keep_days for product in Catalogue.load() if product.keep_days != KEEP_DAYS}
    assert (own, said["video of AI Hug"]) == ({"Qubico/hug-video/image_to_video": 1}, "1 day")
    assert said["upload, and media that came inside an order"] == f"{Settings.load().upload_hours} hours"


@pytest.mark.parametrize(
    ("sentence", "is_so"),
    [
        ("ten minutes later it is removed", sweep.GRACE_US == 600 * SECOND_US),
        ("The address is good for an hour", uploads.OPEN_S == 3600),
        ("good for five minutes", service._SIGNED_S == 300),
        ("another day at least", service._AFTER_PIN_US == DAY_US),
        ("at most 100 on a page", service.PAGE_LIMIT == 100),
        ("may pin 1 GiB in all", Settings.load().pin_limit_bytes == 2**30),
        ("up to 2 GiB", Settings.load().upload_limit_bytes == 2 * 2**30),
        ("removes up to 200 files", sweep._SWEEP == 200),
        ("thirty times", sweep._TRIES == 30),
        ("looks at 500 files", sweep._LISTED == 500),
        ("older than two days", sweep.ORPHAN_US == 2 * DAY_US),
        ("gone evenly for ten minutes", sweep.STEADY_US == 600 * SECOND_US),
    ],
)
def test_the_numbers_of_the_guide_are_the_codes(sentence: str, is_so: bool) -> None:  # noqa: FBT001 - a case
    """Each sentence stands there, and is so."""
    assert sentence in re.sub(r"\s+", " ", GUIDE)
    assert is_so
