"""`unitask backup` and `unitask restore`."""

import asyncio
import sys
from pathlib import Path

import click

from unitask import backup as backups
from unitask.backup import Manifest, Restored
from unitask.kit.clock import Clock, rfc3339
from unitask.settings import Settings

_SHOWN = 20
_folder = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


@click.command()
@_folder
def backup(folder: Path) -> None:
    """Write a backup of the database and the files into a new folder; the server may run meanwhile."""
    saved = asyncio.run(backups.save(Settings.load(), folder, Clock(), _say))
    manifest = saved.manifest
    click.echo(f"{folder} has {_described(manifest)}.")
    if manifest.has_secret:
        click.echo(f"It has the installation's secret too, in {folder / 'secret'}: keep it where only you can read it.")
    else:
        click.echo("It does not have the secret, which is UNITASK_SECRET: no key works without it, so keep that too.")
    _end(saved.troubles, "The installation had troubles; the backup is complete but for these:")


@click.command()
@_folder
@click.option("--check", is_flag=True, help="Only look whether the backup is whole; nothing is restored.")
def restore(folder: Path, *, check: bool) -> None:
    """Restore a backup into an empty database and the store of files, and read all of it back.

    The database may be of the other kind. No server may run on it meanwhile.
    """
    if check:
        manifest = backups.check_whole(folder)
        click.echo(f"The backup is whole: {folder} has {_described(manifest)}.")
        return
    restored = asyncio.run(backups.restore(Settings.load(), folder, Clock(), _say))
    click.echo("\n".join(_verified(restored)))
    _end(restored.troubles, "All rows are restored, but do not rely on them:")


def _described(manifest: Manifest) -> str:
    made = f"{rfc3339(manifest.made_at)[:19]}Z"
    return (
        f"{manifest.rows:,} rows of {len(manifest.tables)} tables and {manifest.files:,} files "
        f"({manifest.files_bytes / 2**20:,.1f} MiB) of {made}"
    )


def _verified(restored: Restored) -> list[str]:
    manifest, named = restored.manifest, restored.references
    lines = [
        f"Restored: {_described(manifest)}.",
        f"Rows: {manifest.rows:,} were read back from the database and compared with the backup.",
        f"Files: {restored.stored:,} were stored and {restored.found:,} were there; all were read back and compared.",
        f"Tasks: {named.tasks:,} completed tasks name {named.present:,} files that are there"
        + (f", {named.expired:,} whose time was over" if named.expired else "")
        + (f", {named.elsewhere:,} in accounts' own buckets, which nobody looked into" if named.elsewhere else "")
        + ".",
    ]
    if manifest.expired or manifest.lost:
        lines.append(
            f"Not in the backup: {manifest.expired:,} files that expired meanwhile and {manifest.lost:,} lost before."
        )
    if restored.secret:
        lines.append(f"The installation's secret is in {restored.secret}.")
    return lines if restored.troubles else [*lines, "The books are right."]


def _end(troubles: list[str], sentence: str) -> None:
    if not troubles:
        return
    _say(sentence)
    for trouble in troubles[:_SHOWN]:
        _say(f" ! {trouble}")
    if len(troubles) > _SHOWN:
        _say(f" ! and {len(troubles) - _SHOWN} more")
    sys.exit(1)
