"""Another Unified API: the hosted hub, or another Unitask. Every product passes through."""

import logging
from typing import Any, Final, Literal, get_args
from urllib.parse import quote

from unitask.kit.errors import OF_INPUT, JobFailed, JobLost, MediaFailure, ProviderRefused, ProviderUnsure
from unitask.remote.inputs import as_data
from unitask.remote.measures import measured
from unitask.remote.results import bring, save_as
from unitask.remote.threads import in_thread
from unitask.spec.engine import Output
from unitask.spec.media import MediaValue, media_values
from unitask.spec.product import Level, Product
from unitask.spec.remote import Calls, Document, Look, Made, Provider, RemoteJob

log = logging.getLogger(__name__)
_TASK: Final = "api/v1/task"
_INLINE_BYTES: Final = 10 * 2**20
_STATES: Final[dict[str, Literal["waiting", "running"]]] = {
    "pending": "waiting",
    "staged": "waiting",
    "processing": "running",
    "running": "running",
}
_OF_INPUT: Final = ("failed to get", "invalid request", "task input", "unsupported image")
"""What the hosted hub's failures begin with whose cause is the input; another Unitask says it in `detail`."""


class UpstreamEngine:
    """Sends the order as it is, with files of our own store in a form that the other server can read."""

    name = "upstream"
    url = "https://api.piapi.ai"
    asks_key = True
    at_once = 16

    def __init__(self) -> None:
        self._is_unitask: dict[str, bool] = {}

    def headers(self, key: str) -> dict[str, str]:
        """Write the key as the provider reads it."""
        return {"X-API-Key": key}

    def makes(self, product: Product, provider: Provider) -> bool:
        """Tell whether it has a way to make a product: any."""
        del product, provider
        return True

    async def repeats(self, calls: Calls) -> bool:
        """Another Unitask makes one task of one key; the hosted hub does not read it."""
        url = calls.provider.url
        if url not in self._is_unitask:
            try:
                found = (await calls.send("GET", "healthz", reads_json=False)).document
            except ProviderRefused:
                found = None
            self._is_unitask[url] = isinstance(found, dict) and found.get("server") == "unitask"
        return self._is_unitask[url]

    async def prepare(self, job: RemoteJob) -> Any:
        """Write the order."""
        inputs = job.inputs.model_copy(deep=True)
        for value in media_values(inputs):
            if job.is_own(value.source):
                value.replace(await self._handed(job, value))
        return {
            "model": job.product.model,
            "task_type": job.product.task_type,
            "input": inputs.model_dump(mode="json", exclude_none=True),
        }

    async def _handed(self, job: RemoteJob, value: MediaValue) -> str:
        """Put a file of ours within the provider's reach: up to 10 MiB go with the order, which stays the same order.

        The hosted hub takes pictures so; other files and larger ones it has to reach at our address.
        """
        if value.media.kind != "image" and not await self.repeats(job.calls):
            return value.source
        path = await job.fetch(value.source, value.media)
        return value.source if path.stat().st_size > _INLINE_BYTES else await as_data(path)

    async def submit(self, job: RemoteJob, request: Any, key: str) -> Document:
        """Order the task; another Unitask goes on with its trace."""
        may_repeat = await self.repeats(job.calls)
        headers = {"Idempotency-Key": key}
        reply = await job.calls.send(
            "POST", _TASK, json=request, headers=headers, repeatable=may_repeat, joins_trace=may_repeat
        )
        task = reply.document.get("data") if isinstance(reply.document, dict) else None
        name = task.get("task_id") if isinstance(task, dict) else None
        if not isinstance(name, str) or not name:
            said = job.calls.clean(str(reply.document))[:500]
            raise ProviderUnsure(f"the provider {job.calls.provider.name} gave no task_id", raw_message=said)
        return {"id": name}

    async def look(self, job: RemoteJob, document: Document) -> Look:
        """Look how the task is."""
        try:
            reply = await job.calls.send("GET", f"{_TASK}/{document['id']}")
        except ProviderRefused as error:
            if error.answered in {400, 404}:
                raise JobLost(str(error), raw_message=error.raw_message) from error
            raise
        task = _task(job.calls, reply.document)
        status = str(task.get("status", "")).lower()
        if status == "completed":
            return Look("done", 1.0, result=task)
        meta = task.get("meta") or {}
        if status not in _STATES:
            raise _failure(job.calls, task)
        progress = meta.get("progress")
        position = meta.get("queue_position")
        note = f"{position} before it at {job.calls.provider.name}" if isinstance(position, int) and position else ""
        return Look(_STATES[status], progress if isinstance(progress, int | float) else None, note)

    async def collect(self, job: RemoteJob, document: Document, result: Any) -> Made:
        """Take the files over; what the output says beside them stays as it is."""
        del document
        meta = result.get("meta") or {}
        for warning in meta.get("warnings") or ():
            job.warn(job.calls.clean(str(warning)))
        taken: dict[str, str] = {}
        measures: dict[str, float] = {}
        known = job.product.output.model_fields
        output = result.get("output") or {}
        fields = {
            name: await self._taken(job, name, value, taken, measures)
            for name, value in output.items()
            if name in known
        }
        if not taken:
            raise JobFailed(f"the provider {job.calls.provider.name} gave no file")
        usage = meta.get("usage") or {}
        consumed = usage.get("consume") if usage.get("type") == "point" else None
        level: Level = meta["engine_level"] if meta.get("engine_level") in get_args(Level) else "full"
        return Made(
            Output(fields, measures),
            cost_points=round(consumed) if isinstance(consumed, int | float) and consumed >= 0 else None,
            level=level,
        )

    async def _taken(
        self, job: RemoteJob, field: str, value: Any, taken: dict[str, str], measures: dict[str, float]
    ) -> Any:
        """Store the files of a field's value; the first of all is the one that is measured for the price."""
        if isinstance(value, list):
            return [await self._taken(job, field, one, taken, measures) for one in value]
        if not isinstance(value, str) or not value.startswith(("http://", "https://")):
            return value
        if value not in taken:
            path = await bring(job, value)
            measures |= {} if taken else await in_thread(measured, job.product.price.unit, path)
            taken[value] = await save_as(job, field, path)
        return taken[value]

    async def cancel(self, calls: Calls, document: Document) -> None:
        """Take the order back; a task that runs at the hosted hub cannot be stopped, which it says."""
        name = document.get("id") or await self._ordered(calls, document["key"])
        if name is None:
            return
        try:
            await calls.send("DELETE", f"{_TASK}/{name}", repeatable=True)
        except ProviderRefused as error:
            log.info("the task %s is not taken back: %s", name, error)

    async def _ordered(self, calls: Calls, key: str) -> str | None:
        """Find the task that was ordered under a key; the hosted hub does not know keys."""
        if not await self.repeats(calls):
            return None
        reply = await calls.send("GET", f"api/v1/tasks?idempotency_key={quote(key)}")
        tasks = (reply.document.get("data") or {}).get("tasks") or ()
        return next((str(one["task_id"]) for one in tasks), None)

    async def ping(self, calls: Calls) -> None:
        """Ask for the account."""
        await calls.send("GET", "account/info", reads_json=False)

    async def missing(self, calls: Calls, products: list[Product]) -> dict[str, str]:
        """Another Unitask lists what it makes; the hosted hub lists nothing, so that nothing is known to be missing."""
        if not await self.repeats(calls):
            return {}
        reply = await calls.send("GET", "api/v1/catalogue")
        made = {f"{one['model']}/{one['task_type']}" for one in reply.document["data"] if one.get("engine")}
        return {one.key: "it has no engine for it" for one in products if one.key not in made}


def _task(calls: Calls, document: Any) -> dict[str, Any]:
    task = document.get("data") if isinstance(document, dict) else None
    if not isinstance(task, dict):
        raise JobFailed(
            f"the provider {calls.provider.name} gave an answer that is no task",
            raw_message=calls.clean(str(document))[:500],
        )
    return task


def _failure(calls: Calls, task: dict[str, Any]) -> JobFailed | MediaFailure:
    error = task.get("error") or {}
    message = calls.clean(str(error.get("message") or f"the task ended as {task.get('status')!r}"))
    raw = calls.clean(str(error.get("raw_message") or message))
    is_of_input = error.get("detail") == OF_INPUT or message.lower().startswith(_OF_INPUT)
    return MediaFailure(message, raw_message=raw) if is_of_input else JobFailed(message, raw_message=raw)


ENGINE: Final = UpstreamEngine()
