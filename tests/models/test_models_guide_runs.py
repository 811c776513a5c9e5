"""docs/guide/models.md: its commands, one after the other, at a terminal, with a hub of small files on loopback."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from support.hub import Repository, hub_server
from support.machine import Machine
from support.server import PATH
from support.source import ROOT, text_of
from support.texts import blocks
from support.weights import files
from unitask.weights.card import read_cards

COMMANDS = [block.body for block in blocks(text_of(ROOT / "docs/guide/models.md") or "") if block.info == "sh weights"]
SPEECH = {"model.pt": b"p", "config.yaml": b"{}", "vocab.txt": b"a\n"}
REPOSITORIES = {
    "black-forest-labs/FLUX.1-schnell": files(),
    "mrfakename/OpenF5-TTS-Base": SPEECH,
    "lucasnewman/vocos-mel-24khz": {"model.safetensors": b"v"},
    "openai/whisper-large-v3-turbo": {"config.json": b"{}", "merges.txt": b"", "model.safetensors": b"w"},
    "SWivid/F5-TTS": {"F5TTS_v1_Base/model_1250000.safetensors": b"1", "F5TTS_v1_Base/vocab.txt": b"a\n"},
}
LIMIT_S = 120


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Give a reader a shelf and a hub."""
    with hub_server() as hub:
        hub.repositories |= {name: Repository(content) for name, content in REPOSITORIES.items()}
        yield {
            **Machine(tmp_path, tmp_path).environment(MODELS=str(tmp_path / "models")),
            "PATH": PATH,
            "HF_ENDPOINT": hub.url,
            "NO_PROXY": "127.0.0.1",
        }


def typed(body: str, environment: dict[str, str], folder: Path) -> str:
    """Type a block into a shell, and say yes to every question; gives what the terminal showed."""
    shell = pexpect.spawn("/bin/sh", ["-euc", body], env=environment, cwd=folder, encoding="utf-8", timeout=LIMIT_S)
    shown = ""
    while shell.expect([r"\[y/N\]", pexpect.EOF]) == 0:
        shown += shell.before
        shell.sendline("y")
    shown += shell.before
    shell.close()
    assert shell.exitstatus == 0, shown
    return shown


def test_the_commands_of_the_guide_bring_what_it_says(environment: dict[str, str], tmp_path: Path) -> None:
    """Weights are pulled, carried to another machine, taken away for others with a card of one's own, and trained."""
    pull, carry, speech, other, train = COMMANDS
    shelf, carried = tmp_path / "models", tmp_path / "carried"
    assert "flux1-schnell: complete" in typed(pull, environment, tmp_path)
    shutil.copytree(shelf / "flux1-schnell", carried)
    elsewhere = tmp_path / "elsewhere"
    typed(
        carry.replace("/media/disk/flux1-schnell", str(carried)),
        environment | {"UNITASK_MODELS": str(elsewhere)},
        tmp_path,
    )
    assert (elsewhere / "flux1-schnell/unitask.json").is_file()
    typed(speech, environment, tmp_path)
    assert {path.name for path in (shelf / "openf5-tts-base").iterdir()} == {*SPEECH, "unitask.json"}
    assert "It forbids" in typed(other, environment, tmp_path)
    assert read_cards(shelf / "cards")["openf5-tts-base"].repository == "SWivid/F5-TTS"
    assert (shelf / "openf5-tts-base/F5TTS_v1_Base/vocab.txt").is_file()
    minute = train.replace("--minutes 60", "--minutes 0.02 --prompts 2")
    assert "demo-shapes: complete in" in typed(minute, environment, tmp_path)
