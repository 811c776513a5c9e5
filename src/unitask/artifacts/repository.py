"""Artifacts between rows and model."""

from collections.abc import Sequence

from unitask.artifacts.model import Artifact, ArtifactKind, StoredFile
from unitask.db import Database, Queries, Row, Transaction

SQL = Queries(__package__)


def _artifact(row: Row) -> Artifact:
    return Artifact(
        id=row["id"],
        account_id=row["account_id"],
        task_id=row["task_id"],
        attempt=row["attempt"],
        kind=ArtifactKind(row["kind"]),
        file=StoredFile(row["path"], row["content_type"], row["size_bytes"], row["sha256"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
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
            "path": artifact.file.path,
            "content_type": artifact.file.content_type,
            "size_bytes": artifact.file.size_bytes,
            "sha256": artifact.file.sha256,
            "created_at": artifact.created_at,
            "expires_at": artifact.expires_at,
        }
        for artifact in artifacts
    ]
    if rows:
        await tx.execute(SQL.add_artifacts, rows=rows)


async def find(database: Database, path: str, now: int) -> Artifact | None:
    """Find a file that has not expired."""
    rows = await database.fetch(SQL.find_artifact, path=path, now=now)
    return _artifact(rows[0]) if rows else None


async def publish(tx: Transaction, outputs: Sequence[tuple[str, int, int]]) -> None:
    """Keep the outputs of (task, attempt) until the given time; those of a lost attempt go soon."""
    rows = [{"task_id": task_id, "attempt": attempt, "expires_at": until} for task_id, attempt, until in outputs]
    if rows:
        await tx.execute(SQL.publish_outputs, rows=rows)


async def expired(database: Database, *, now: int, most: int) -> list[tuple[str, str]]:
    """List (id, path) of files past their end, oldest first."""
    return [(row["id"], row["path"]) for row in await database.fetch(SQL.expired, now=now, most=most)]


async def remove(tx: Transaction, ids: Sequence[str]) -> None:
    """Forget files."""
    if ids:
        await tx.execute(SQL.remove_artifacts, rows=list(ids))
