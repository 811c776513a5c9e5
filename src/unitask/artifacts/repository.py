"""Artifacts between rows and model."""

from collections.abc import Sequence

from unitask.artifacts.model import Artifact, ArtifactKind, Removal, StoredFile
from unitask.db import Database, Queries, Row, Transaction
from unitask.kit.ids import uuid7

SQL = Queries(__package__)
_CHANCE = bytes(8)


def _artifact(row: Row) -> Artifact:
    return Artifact(
        id=row["id"],
        account_id=row["account_id"],
        task_id=row["task_id"],
        attempt=row["attempt"],
        kind=ArtifactKind(row["kind"]),
        file=StoredFile(row["path"], row["content_type"], row["size_bytes"], row["sha256"], row["bucket_id"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        published_at=row["published_at"],
        pinned=bool(row["pinned"]),
    )


async def add(tx: Transaction, artifacts: Sequence[Artifact]) -> None:
    """Write down stored files."""
    rows = [
        {
            "id": artifact.id,
            "account_id": artifact.account_id,
            "task_id": artifact.task_id,
            "attempt": artifact.attempt,
            "kind": artifact.kind,
            "bucket_id": artifact.file.bucket_id,
            "path": artifact.file.path,
            "content_type": artifact.file.content_type,
            "size_bytes": artifact.file.size_bytes,
            "sha256": artifact.file.sha256,
            "created_at": artifact.created_at,
            "expires_at": artifact.expires_at,
            "published_at": artifact.published_at,
        }
        for artifact in artifacts
    ]
    if rows:
        await tx.execute(SQL.add_artifacts, rows=rows)


async def find(database: Database, path: str, now: int) -> Artifact | None:
    """Find a file that has not expired by its name in the store."""
    rows = await database.fetch(SQL.find_artifact, path=path, now=now)
    return _artifact(rows[0]) if rows else None


async def read(source: Database | Transaction, artifact_id: str, account_id: int, now: int) -> Artifact | None:
    """Read a published file of an account that has not expired."""
    rows = await source.fetch(SQL.read_artifact, id=artifact_id, account_id=account_id, now=now)
    return _artifact(rows[0]) if rows else None


async def newest(
    database: Database, *, account_id: int, before: str, task_id: str, kind: str, size: int, now: int
) -> list[Artifact]:
    """List an account's published files made before `before`, newest first; empty filters match all."""
    rows = await database.fetch(
        SQL.list_artifacts, account_id=account_id, before=before, task_id=task_id, kind=kind, size=size, now=now
    )
    return [_artifact(row) for row in rows]


async def publish(tx: Transaction, outputs: Sequence[tuple[str, int, int]], now: int) -> None:
    """Keep the outputs of (task, attempt) until the given time; those of a lost attempt go soon."""
    rows = [{"task_id": task_id, "attempt": attempt, "expires_at": until} for task_id, attempt, until in outputs]
    if rows:
        await tx.execute(SQL.publish_outputs, rows=rows, now=now)


async def give_up_previews(tx: Transaction, task_ids: Sequence[str], now: int, *, newest: int = 0) -> None:
    """Hide the previews of tasks from everyone, but for the `newest` of them; the sweep removes them."""
    if task_ids:
        await tx.execute(SQL.give_up_previews, rows=list(task_ids), now=now, newest=newest)


async def lock_pins(tx: Transaction, account_id: int) -> int:
    """Keep others from pinning for this account until the commit; gives the bytes that are pinned."""
    await tx.execute(SQL.lock_pins, account_id=account_id)
    row = await tx.fetch_one(SQL.pinned_bytes, account_id=account_id)
    return row["size_bytes"] if row else 0


async def pin(tx: Transaction, artifact_id: str) -> None:
    """Keep a file for good."""
    await tx.execute(SQL.pin, id=artifact_id)


async def unpin(tx: Transaction, artifact_id: str, until: int) -> None:
    """Let a file expire, `until` at the earliest."""
    await tx.execute(SQL.unpin, id=artifact_id, until=until)


async def give_up(tx: Transaction, artifact_id: str, now: int) -> None:
    """Hide a file from everyone; the sweep removes it."""
    await tx.execute(SQL.give_up, id=artifact_id, now=now)


async def give_up_expired(tx: Transaction, *, until: int, now: int, most: int) -> None:
    """Do so with some files whose end was before `until`; what is in own buckets is forgotten and stays there."""
    await tx.execute(SQL.give_up_expired, until=until, now=now, most=most)
    await tx.execute(SQL.forget_expired, until=until, most=most)


async def date_anew(tx: Transaction, *, now: int, future: int, most: int) -> None:
    """Let some files that claim to be made after `future` count as made now."""
    await tx.execute(SQL.date_anew, now=now, future=future, future_id=uuid7(future, _CHANCE), most=most)


async def removals(database: Database, *, now: int, future: int, most: int) -> list[Removal]:
    """List files to be removed now; a time after `future` was set by a clock that was ahead."""
    rows = await database.fetch(SQL.removals, now=now, future=future, most=most)
    return [
        Removal(row["id"], row["path"], row["bucket_id"], row["remove_tries"], row["kind"] == ArtifactKind.UPLOAD)
        for row in rows
    ]


async def remove_later(tx: Transaction, times: Sequence[tuple[str, int]]) -> None:
    """Write down that files could not be removed, and when that is tried again."""
    if times:
        await tx.execute(SQL.remove_later, rows=[{"id": id_, "remove_at": at} for id_, at in times])


async def give_up_paths(tx: Transaction, paths: Sequence[str], now: int) -> None:
    """Give up files by their names in the store."""
    await tx.execute(SQL.give_up_paths, rows=list(paths), now=now)


async def forget(tx: Transaction, ids: Sequence[str]) -> None:
    """Forget files that are removed."""
    if ids:
        await tx.execute(SQL.remove_artifacts, rows=list(ids))


async def known(database: Database, paths: Sequence[str]) -> set[str]:
    """Tell which of these names in the store some row knows."""
    return {row["path"] for row in await database.fetch(SQL.known_paths, rows=list(paths))}


async def read_upload(database: Database, upload_id: str, now: int) -> Artifact | None:
    """Read an upload that has not expired, complete or not."""
    rows = await database.fetch(SQL.read_upload, id=upload_id, now=now)
    return _artifact(rows[0]) if rows else None


async def complete_upload(tx: Transaction, upload_id: str, *, expires_at: int, now: int) -> Artifact | None:
    """Make an upload an input; None if it is complete already, or given up."""
    row = await tx.fetch_one(SQL.complete_upload, id=upload_id, expires_at=expires_at, now=now)
    return _artifact(row) if row else None
