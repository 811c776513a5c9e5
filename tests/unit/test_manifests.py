"""The C2PA mark: C2PA's own reader finds it clean, and it says no more than it should."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from support.marked import SIGNER, SMALL, decoded, marked, said, small
from unitask.kit.errors import Unavailable
from unitask.provenance import manifest
from unitask.provenance.clerk import Clerk, Gone
from unitask.provenance.manifest import FORMATS, Input, Trust, is_signable
from unitask.provenance.manifest import read as manifest_of
from unitask.provenance.marks import MarkOrder, read, source_in
from unitask.provenance.signing import Signer, Signing
from unitask.provenance.sources import Source

SECRET = "the secret of a test"
SIGNED = sorted(set(SMALL) & FORMATS)


def seen(path: Path, extension: str, trust: Trust = SIGNER.trust) -> dict[str, Any]:
    """Read the marks of a file."""
    return read(Input(path=path, extension=extension), trust)


@pytest.mark.parametrize("extension", SIGNED)
def test_c2pas_own_reader_is_clean_in_every_format(extension: str, tmp_path: Path) -> None:
    """Trusted with our root, nothing to complain of, the media as they were, and the IPTC mark beside it."""
    file = small(tmp_path, extension)
    result = marked(file, Source.TRAINED)
    assert result.marks == ["iptc", "c2pa"]
    found = seen(result.path, extension)
    assert found["marks"] == ["c2pa", "iptc"]
    assert found["is_generated"]
    assert (found["c2pa"]["state"], found["c2pa"]["is_ours"], found["c2pa"]["problems"]) == ("trusted", True, [])
    assert [one["action"] for one in found["c2pa"]["actions"]] == ["c2pa.created"]
    assert decoded(result.path.read_bytes(), extension) == decoded(file.path.read_bytes(), extension)


@pytest.mark.parametrize("extension", SIGNED)
def test_a_changed_file_says_that_it_was_changed(extension: str, tmp_path: Path) -> None:
    """One bit is enough, wherever it is in the media."""
    result = marked(small(tmp_path, extension), Source.TRAINED)
    content = bytearray(result.path.read_bytes())
    at = {"mp4": content.rfind(b"mdat") + 20, "mov": content.rfind(b"mdat") + 20, "m4a": content.rfind(b"mdat") + 20}
    # Behind the manifest and before what stands at the end: in the picture or the sound.
    content[at.get(extension, len(content) - 60)] ^= 1
    result.path.write_bytes(content)
    found = seen(result.path, extension)["c2pa"]
    assert found["state"] == "invalid"
    assert not found["is_ours"]
    assert found["problems"]


def test_another_installations_mark_is_valid_and_not_ours(tmp_path: Path) -> None:
    """A stranger may give his certificates our names, but not our keys."""
    result = marked(small(tmp_path, "png"), Source.TRAINED)
    stranger = Signer.derived("the secret of another installation")
    found = seen(result.path, "png", stranger.trust)["c2pa"]
    assert (found["state"], found["is_ours"]) == ("valid", False)


def test_the_chain_follows_from_the_secret_alone() -> None:
    """Every process of an installation comes to the same bytes, now and in years."""
    assert Signer.derived(SECRET).chain == SIGNER.chain
    assert Signer.derived("x" * 16).chain != SIGNER.chain
    leaf, root = x509.load_pem_x509_certificates(SIGNER.chain.encode())
    leaf.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@pytest.mark.parametrize("extension", ["png", "mp4", "mp3"])
def test_the_manifest_of_an_input_goes_along(extension: str, tmp_path: Path) -> None:
    """The result was edited from it, and is never less generated than it was; three steps are still clean."""
    before = small(tmp_path, extension)
    result = marked(before, Source.TRAINED)
    for step in range(3):
        parent = Input(path=result.path, extension=extension)
        result = marked(small(tmp_path, extension, f"step{step}"), Source.ENHANCED, parent, edited=True)
        assert result.source == Source.TRAINED
        found = seen(result.path, extension)
        assert (found["c2pa"]["state"], found["c2pa"]["problems"]) == ("trusted", [])
        assert found["digital_source_type"] == Source.TRAINED
        assert [one["relationship"] for one in found["c2pa"]["inputs"]] == ["parentOf"]
        assert [one["action"] for one in found["c2pa"]["actions"]] == ["c2pa.opened", "c2pa.edited"]


def test_inputs_of_another_kind_are_named_as_inputs(tmp_path: Path) -> None:
    """A film of two pictures was created from them."""
    pictures = [
        Input(path=marked(small(tmp_path, one, one), Source.TRAINED).path, extension=one) for one in ("png", "jpg")
    ]
    result = marked(small(tmp_path, "mp4"), Source.WITH_TRAINED, *pictures)
    found = seen(result.path, "mp4")["c2pa"]
    assert [one["relationship"] for one in found["inputs"]] == ["inputTo", "inputTo"]
    assert (found["state"], found["problems"]) == ("trusted", [])


def test_a_file_that_a_provider_marked_keeps_what_it_said(tmp_path: Path) -> None:
    """Its manifest becomes the parent of ours, and its word counts."""
    theirs = marked(small(tmp_path, "png"), Source.TRAINED, signer=Signer.derived("the secret of a provider"))
    came = Input(path=theirs.path, extension="png")
    result = marked(came, Source.ENHANCED)
    found = seen(result.path, "png")
    assert found["digital_source_type"] == Source.TRAINED
    assert found["c2pa"]["is_ours"]
    assert [one["relationship"] for one in found["c2pa"]["inputs"]] == ["parentOf"]


@pytest.mark.parametrize("extension", ["tiff", "bmp", "webm"])
def test_the_word_of_an_input_counts_wherever_it_stands(extension: str, tmp_path: Path) -> None:
    """Formats in which we look for no packet are searched for IPTC's words, also across blocks."""
    odd = Input(path=tmp_path / f"a.{extension}", extension=extension)
    odd.path.write_bytes(bytes((1 << 20) - 20) + Source.TRAINED.uri.encode() + bytes(99))
    assert source_in(odd) == Source.TRAINED
    assert marked(small(tmp_path, "png"), Source.ENHANCED, odd).source == Source.TRAINED


def test_a_tampered_input_spoils_no_result(tmp_path: Path) -> None:
    """Its manifest goes along as what it is, and our own signature is whole."""
    parent = marked(small(tmp_path, "png"), Source.TRAINED)
    content = bytearray(parent.path.read_bytes())
    content[-60] ^= 1
    parent.path.write_bytes(content)
    result = marked(small(tmp_path, "jpg"), Source.ENHANCED, Input(path=parent.path, extension="png"), edited=True)
    found = seen(result.path, "jpg")
    assert (found["c2pa"]["state"], found["c2pa"]["is_ours"]) == ("trusted", True)
    assert found["digital_source_type"] == Source.TRAINED


def test_an_input_that_cannot_be_read_costs_no_mark(tmp_path: Path) -> None:
    """What a stranger sent as a picture is left out."""
    broken = Input(path=tmp_path / "broken.png", extension="png")
    broken.path.write_bytes(SMALL["png"]()[:80])
    result = marked(small(tmp_path, "png"), Source.ENHANCED, broken)
    assert sorted(result.marks) == ["c2pa", "iptc"]
    assert seen(result.path, "png")["digital_source_type"] == Source.ENHANCED


def test_an_input_whose_own_packet_cannot_be_found_is_named_all_the_same(tmp_path: Path) -> None:
    """A GIF without its last byte, as many programs write it."""
    endless = Input(path=tmp_path / "endless.gif", extension="gif")
    endless.path.write_bytes(SMALL["gif"]()[:-1])
    assert read(endless, Trust())["damaged"] is not None
    result = marked(small(tmp_path, "png"), Source.ENHANCED, endless)
    found = seen(result.path, "png")["c2pa"]
    assert ([one["title"] for one in found["inputs"]], found["state"]) == (["input 1"], "trusted")


def test_every_input_is_taken_apart_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is the file itself, as it came: a film of many megabytes is read at one go."""
    taken: list[str] = []

    def look(file: Input, trust: Trust) -> dict[str, Any] | None:
        taken.append(file.path.name)
        return manifest_of(file, trust)

    monkeypatch.setattr(manifest, "read", look)
    inputs = [small(tmp_path, "png", name) for name in ("first", "second")]
    assert marked(small(tmp_path, "jpg", "result"), Source.ENHANCED, *inputs).marks == ["iptc", "c2pa"]
    assert sorted(taken) == ["first.png", "result.jpg", "second.png"]


def test_nothing_but_a_manifest_is_signed() -> None:
    """Whoever holds a worker's token gets no signature for anything else."""
    assert is_signable(b"\x84\x6aSignature1 and what follows")
    assert not is_signable(b"a letter in the operator's name")
    assert not is_signable(b"\x84\x6aSignature1" + bytes(64 << 10))


AUTHORITY = ec.generate_private_key(ec.SECP256R1())


def own(folder: Path, key: Any, algorithm: Any) -> tuple[Path, Path]:
    """Have a certificate for a key from an authority, as an operator would."""
    authority = AUTHORITY
    names = [
        x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "A press"), x509.NameAttribute(NameOID.COMMON_NAME, one)]
        )
        for one in ("an authority", "a press")
    ]
    chain = []
    for at, (public, is_root) in enumerate(((key.public_key(), False), (authority.public_key(), True))):
        usage = x509.KeyUsage(not is_root, False, False, False, False, is_root, is_root, False, False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[1 - at])
            .issuer_name(names[0])
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=1))
            .not_valid_after(datetime.now(UTC) + timedelta(days=9))
            .add_extension(x509.BasicConstraints(is_root, None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
        )
        if not is_root:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
            )
        chain.append(builder.sign(authority, algorithm).public_bytes(form.Encoding.PEM))
    certificate, secret = folder / "chain.pem", folder / "key.pem"
    certificate.write_bytes(b"".join(chain))
    secret.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    return certificate, secret


KEYS = {
    "ED25519": ed25519.Ed25519PrivateKey.generate,
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_an_operators_certificate_signs(algorithm: str, tmp_path: Path) -> None:
    """By whatever key C2PA takes; what was signed before stays ours."""
    signer = Signing(SECRET, *own(tmp_path, KEYS[algorithm](), hashes.SHA256())).signer()
    assert signer is not None
    assert signer.algorithm == algorithm
    result = marked(small(tmp_path, "png"), Source.TRAINED, signer=signer)
    found = seen(result.path, "png", signer.trust)["c2pa"]
    assert (found["state"], found["is_ours"], found["problems"]) == ("trusted", True, [])
    assert found["issuer"] == "A press"
    before = marked(small(tmp_path, "jpg"), Source.TRAINED)
    assert seen(before.path, "jpg", signer.trust)["c2pa"]["is_ours"]


def test_another_customer_of_the_same_authority_is_trusted_and_not_ours(tmp_path: Path) -> None:
    """An authority vouches for many."""
    signers = []
    for name in ("ours", "theirs"):
        folder = tmp_path / name
        folder.mkdir()
        signers.append(Signing(name * 4, *own(folder, KEYS["ES256"](), hashes.SHA256())).signer())
    ours, theirs = signers
    assert ours is not None
    result = marked(small(tmp_path, "png"), Source.TRAINED, signer=theirs)
    found = seen(result.path, "png", ours.trust)["c2pa"]
    assert (found["state"], found["is_ours"], found["problems"]) == ("trusted", False, [])


def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    """With a sentence that names the settings."""
    certificate, key = own(tmp_path, KEYS["ED25519"](), hashes.SHA256())
    other = tmp_path / "other.pem"
    other.write_bytes(SIGNER.key)
    for pair, why in (
        ((certificate, other), "not that of the first certificate"),
        ((certificate, None), "set both or neither"),
        ((tmp_path / "nothing.pem", key), "No such file"),
        ((key, key), "cannot be used"),
    ):
        with pytest.raises(Unavailable, match=why):
            Signing(SECRET, *pair).signer()


@pytest.fixture
async def clerk() -> AsyncIterator[Clerk]:
    """Employ a clerk."""
    async with Clerk() as clerk:
        yield clerk


def order(file: Input, signer: Signer = SIGNER) -> MarkOrder:
    """Order the marks of a file."""
    into = file.path.with_name("marked")
    return MarkOrder(
        path=file.path,
        extension=file.extension,
        into=into,
        said=said(Source.TRAINED),
        inputs=[],
        chain=signer.chain,
        algorithm=signer.algorithm,
    )


async def test_a_clerk_marks_and_never_sees_a_key(clerk: Clerk, tmp_path: Path) -> None:
    """It asks for each signature."""
    asked: list[bytes] = []

    async def sign(content: bytes) -> bytes:
        asked.append(content)
        return SIGNER.sign(content)

    result = await clerk.mark(order(small(tmp_path, "png")), sign)
    assert result.marks == ["iptc", "c2pa"]
    assert all(is_signable(one) for one in asked)
    found = await clerk.read(Input(path=result.path, extension="png"), SIGNER.trust)
    assert found["c2pa"]["is_ours"]


async def test_a_file_that_nobody_signs_keeps_the_iptc_mark(clerk: Clerk, tmp_path: Path) -> None:
    """The reason is told."""

    async def nobody(_: bytes) -> bytes:
        return b""

    result = await clerk.mark(order(small(tmp_path, "png")), nobody)
    assert result.marks == ["iptc"]
    assert result.why
    assert seen(result.path, "png")["marks"] == ["iptc"]


async def test_a_file_that_is_not_what_it_says_costs_the_clerk_nothing(clerk: Clerk, tmp_path: Path) -> None:
    """It gets no mark; the process goes on."""

    async def nobody(_: bytes) -> bytes:
        return b""

    broken = Input(path=tmp_path / "broken.png", extension="png")
    broken.path.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    assert (await clerk.mark(order(broken), nobody)).marks == []
    process = clerk._process
    assert (await clerk.mark(order(small(tmp_path, "png")), nobody)).marks == ["iptc"]
    assert clerk._process is process


async def test_a_clerk_that_takes_too_long_is_ended_and_another_comes(tmp_path: Path) -> None:
    """Here it waits for a signature that never comes."""
    async with Clerk(least_s=1.5) as clerk:

        async def never(_: bytes) -> bytes:
            await asyncio.Event().wait()
            return b""

        with pytest.raises(Gone):
            await clerk.mark(order(small(tmp_path, "png")), never)
        assert (await clerk.read(small(tmp_path, "jpg"), Trust()))["marks"] == []


async def test_a_manifest_says_nothing_of_whoever_ordered_it(tmp_path: Path) -> None:
    """Engine, model and release; no words of the order, no account, no key, no name of a file here."""
    result = marked(small(tmp_path, "png"), Source.TRAINED)
    from c2pa import Reader  # noqa: PLC0415 - the outside reader

    with result.path.open("rb") as file, Reader("image/png", file) as reader:
        text = reader.detailed_json()
    assert "Qubico/flux1-dev" in text
    assert str(tmp_path) not in text
    assert "small.png" not in text
    assert json.loads(text)
