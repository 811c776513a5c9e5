"""What workers ask about marks, and have signed, at their door."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.answers import refused
from support.keys import WORKER_TOKEN
from support.marked import marked, small
from unitask.app import Services
from unitask.provenance.signing import Signer
from unitask.provenance.sources import Source
from unitask.settings import Settings
from unitask.spec.protocol import PREFIX

FORM = b"\x84\x6aSignature1"
HEADERS = {"Authorization": f"Bearer {WORKER_TOKEN}"}


def asked(content: bytes, chain: str) -> dict[str, Any]:
    """Ask for a signature."""
    return {
        "content": base64.b64encode(content).decode(),
        "chain_sha256": hashlib.sha256(chain.encode()).hexdigest(),
    }


async def test_a_worker_gets_certificates_and_signatures_and_no_key(
    client: httpx.AsyncClient, services: Services, tmp_path: Path
) -> None:
    """What it has signed so is this installation's."""
    terms = (await client.get(f"{PREFIX}/marks", headers=HEADERS)).json()
    assert terms["marks"] is True
    assert "PRIVATE" not in str(terms)
    answered = await client.post(f"{PREFIX}/sign", json=asked(FORM, terms["chain"]), headers=HEADERS)
    signer = services.signing.signer()
    assert signer is not None
    assert base64.b64decode(answered.json()["signature"]) == signer.sign(FORM)
    assert terms["chain"] == signer.chain
    assert "c2pa" in marked(small(tmp_path, "png"), Source.TRAINED, signer=signer).marks


@pytest.mark.parametrize(
    ("content", "chain", "why"),
    [
        (b"a letter", None, "only manifests"),
        (FORM + bytes(70_000), None, "only manifests"),
        (FORM, "another chain", "does not sign by those"),
    ],
)
async def test_nothing_else_is_signed(
    client: httpx.AsyncClient, services: Services, content: bytes, chain: str | None, why: str
) -> None:
    """No other text, none too long, and none under certificates that are not in use any more."""
    signer = services.signing.signer()
    assert isinstance(signer, Signer)
    body = asked(content, chain or signer.chain)
    assert why in refused(await client.post(f"{PREFIX}/sign", json=body, headers=HEADERS), 400)


async def test_whoever_is_no_worker_gets_nothing(client: httpx.AsyncClient) -> None:
    """A key of an account is none."""
    refused(await client.get(f"{PREFIX}/marks"), 401)
    refused(await client.post(f"{PREFIX}/sign", json=asked(FORM, "")), 401)


class TestWithoutMarks:
    """An operator turned the marks off."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        """Turn them off."""
        return settings.model_copy(update={"marks": False})

    async def test_workers_are_told(self, client: httpx.AsyncClient) -> None:
        """They leave files as they are."""
        terms = (await client.get(f"{PREFIX}/marks", headers=HEADERS)).json()
        assert terms == {"marks": False, "chain": "", "algorithm": ""}
