"""`unitask verify`, and what `unitask doctor` says of marks."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import click

from unitask.cli.checks.known import Found, found
from unitask.kit.errors import InvalidRequest, Unavailable
from unitask.kit.libraries import absent
from unitask.kit.media import HEAD_BYTES, sniff
from unitask.provenance.clerk import Clerk, Gone
from unitask.provenance.manifest import Input, Trust
from unitask.provenance.signing import LIBRARIES, Signing
from unitask.settings import Settings

_INSTALL = "pip install 'unitask[provenance]'"
_NO_SECRET = "nothing is signed by it"  # noqa: S105 - a look at the operator's certificate needs none


def described(settings: Settings) -> str:
    """Say which marks files get here."""
    if not settings.marks:
        return "none: UNITASK_MARKS turns them off; see docs/guide/provenance.md for what the law wants"
    if absent(LIBRARIES):
        return f"IPTC; with signed C2PA manifests too after: {_INSTALL}"
    own = settings.mark_certificate or settings.mark_key
    return f"IPTC and C2PA, signed by {own or 'certificates that follow from the secret of this installation'}"


def troubles(settings: Settings) -> Iterator[Found]:
    """Say that marks are off, or what is wrong with the operator's own certificate."""
    if not settings.marks:
        yield found("marks-off")
    if settings.mark_certificate or settings.mark_key:
        try:
            if Signing(_NO_SECRET, settings.mark_certificate, settings.mark_key).signer() is None:
                yield found("marks-unsigned")
        except Unavailable as error:
            yield found("marks-certificate", why=error)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def verify(file: Path) -> None:
    """Show what the marks of a file say of where it comes from; no server is asked."""
    with file.open("rb") as content:
        kind = sniff(content.read(HEAD_BYTES))
    if kind is None:
        raise InvalidRequest(f"{file} is neither a picture, nor a video, a sound or a model")
    click.echo(json.dumps(asyncio.run(_read(Input(path=file.resolve(), extension=kind.extension))), indent=2))


async def _read(file: Input) -> dict[str, object]:
    settings = Settings.load()
    known = settings.secret is not None or (settings.data / "secret").exists()
    signing = Signing(settings.key_secret(), settings.mark_certificate, settings.mark_key) if known else None
    signer = signing.signer() if signing else None
    async with Clerk() as clerk:
        try:
            return await clerk.read(file, signer.trust if signer else Trust())
        except Gone as error:
            raise InvalidRequest(str(error)) from error
