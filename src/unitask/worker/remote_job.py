"""The job that a remote engine gets, in the worker's own process."""

import asyncio
import logging
from pathlib import Path
from typing import Any, Final

from unitask.kit.errors import EngineFailure, JobFailed, Unavailable
from unitask.kit.media import sniff_file
from unitask.provenance.manifest import Input as File
from unitask.provenance.manifest import Said
from unitask.provenance.statement import statement
from unitask.remote.threads import in_thread
from unitask.spec.media import Media, media_values
from unitask.spec.product import Input, Product
from unitask.spec.remote import Calls, Document
from unitask.worker.attempt import Attempt
from unitask.worker.client import ApiClient, Rejected
from unitask.worker.job import FETCH_S, LIMIT_WARNINGS, seed_of
from unitask.worker.sources import Sources
from unitask.worker.storing import Storing

_RETRY_S: Final = 1.0
_TRIES: Final = 60
log = logging.getLogger(__name__)


class RemoteAttempt:
    """Satisfies `unitask.remote.drive.Attended`."""

    def __init__(
        self,
        attempt: Attempt,
        *,
        product: Product,
        inputs: Input,
        calls: Calls,
        client: ApiClient,
        storing: Storing,
        sources: Sources,
        scratch: Path,
        with_own_key: bool,
    ) -> None:
        self.task_id = attempt.task.task_id
        self.attempt = attempt.task.attempt
        self.product = product
        self.inputs = inputs
        self.seed = seed_of(self.task_id, inputs)
        self.calls = calls
        self.scratch = scratch
        self.document: Document | None = attempt.task.remote
        self.answer: Any = None
        self.warnings: list[str] = []
        self._of = attempt
        self._client = client
        self._storing = storing
        self._taken: list[File] = []
        self._sources = sources
        self._files = 0
        self.with_own_key = with_own_key

    async def keep(self, document: Document | None) -> None:
        """Commit what is known of the provider's job, with patience: an API may be on its way back.

        Raises:
            Rejected: another worker has the task.
            Unavailable: the API stayed away.

        """
        own = {"own_key": True} if self.with_own_key else {}
        for number in range(_TRIES):
            try:
                await self._client.keep(self.task_id, self.attempt, document and {**document, **own})
                break
            except Rejected:
                self._of.lost = True
                raise
            except Unavailable as error:
                log.warning("cannot write down a provider's job yet: %s", error, extra=self._of.extra)
                if number == _TRIES - 1:
                    raise
                await asyncio.sleep(_RETRY_S)
        self.document = document

    async def progress(self, fraction: float | None, note: str) -> None:
        """Report how far the job is; what the provider does not say stays as it was."""
        if fraction is not None:
            self._of.fraction = min(1.0, max(self._of.fraction, fraction))
        self._of.note = note[:200]

    async def fetch(self, source: str, media: Media) -> Path:
        """Put the file behind a URL into scratch, within the field's limits, named with its extension."""
        path = self.new_path("input")
        with self._of.spans.step("fetch") as span:
            found = await in_thread(self._sources.fetch, source, media, path, timeout_s=FETCH_S)
            span.set({"media": media.kind, "size_bytes": path.stat().st_size})
        path = path.rename(path.with_suffix(f".{found.extension}"))
        self._taken.append(File(path=path, extension=found.extension))
        return path

    def is_own(self, source: str) -> bool:
        """Tell whether an address leads to a file of our own store."""
        return self._sources.own_name(source) is not None

    def new_path(self, name: str) -> Path:
        """Name a file in scratch that is not there yet."""
        self._files += 1
        self.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.scratch / f"{self._files:03d}-{name}"

    async def save(self, path: Path) -> str:
        """Store an output file, whose content decides its type; gives its reference."""
        found = await in_thread(sniff_file, path)
        if found is None:
            raise JobFailed(f"the provider {self.calls.provider.name} gave a result of an unknown format")
        since = self._of.watch.now()
        try:
            with self._of.spans.step("save") as span:
                span.set({"extension": found.extension})
                stored = await self._storing.store(
                    self._of.task, path, found.extension, self._said(found.extension), self._taken
                )
        except (Unavailable, Rejected, OSError) as error:
            raise EngineFailure("the result could not be stored", raw_message=str(error), retryable=True) from error
        finally:
            self._of.watch.upload_s += self._of.watch.now() - since
        if stored.warning:
            self.warn(stored.warning)
        return stored.reference

    def _said(self, extension: str) -> Said:
        """Say of what a result was made; a provider may have read an input at its own address, past us."""
        recipe = next(one for one in self.product.recipes if one.engine == self._of.task.engine)
        taken = [one.extension for one in self._taken]
        has_media = any(True for _ in media_values(self.inputs))
        return statement(recipe, self.product.model, extension, taken, has_media=has_media)

    def warn(self, sentence: str) -> None:
        """Tell the client something about the result, once."""
        if sentence not in self.warnings and len(self.warnings) < LIMIT_WARNINGS:
            self.warnings.append(sentence)
