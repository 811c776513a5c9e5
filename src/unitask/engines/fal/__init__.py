"""fal: its queue, by the documented HTTP. What it makes of ours stands in `products.toml`."""

from typing import Any, Final

from unitask.kit.errors import JobFailed, JobLost, ProviderRefused, TaskFailure
from unitask.remote.inputs import as_address, request_of
from unitask.remote.tabled import Tabled
from unitask.spec.product import Product
from unitask.spec.remote import Calls, Document, Look, RemoteJob

_OF_INPUT: Final = frozenset({400, 413, 422})
_GONE: Final = frozenset({404, 405})
_PASSING: Final = frozenset(
    {"request_timeout", "startup_timeout", "runner_scheduling_failure", "runner_connection_timeout"}
    | {"runner_disconnected", "runner_connection_refused", "runner_connection_error", "runner_incomplete_response"}
    | {"runner_server_error", "internal_error"}
)
"""Kinds of errors of fal's own machines, for which it says that the same request may succeed."""


class FalEngine(Tabled):
    """Orders at the queue and looks after the order there."""

    name = "fal"
    tables = __name__
    url = "https://queue.fal.run"
    asks_key = True
    at_once = 16

    def headers(self, key: str) -> dict[str, str]:
        """Write the key as the provider reads it."""
        return {"Authorization": f"Key {key}"}

    async def prepare(self, job: RemoteJob) -> Any:
        """Write the request."""
        return await request_of(job, self.mapped(job).input, as_address)

    async def submit(self, job: RemoteJob, request: Any, key: str) -> Document:
        """Put the request in the queue."""
        del key
        reply = await job.calls.send("POST", self.mapped(job).call, json=request)
        found = reply.document
        return {
            "id": found["request_id"],
            "status": found["status_url"],
            "result": found["response_url"],
            "cancel": found["cancel_url"],
        }

    async def look(self, job: RemoteJob, document: Document) -> Look:
        """Look how the request is; what it made is fetched as soon as it has ended."""
        try:
            found = (await job.calls.send("GET", document["status"])).document
            status = found.get("status")
            if status == "IN_QUEUE":
                position = found.get("queue_position")
                return Look("waiting", note=f"{position} before it at fal" if position else "")
            if status != "COMPLETED":
                return Look("running")
            if found.get("error_type"):
                raise _failure(job.calls, str(found.get("error")), str(found["error_type"]))
            # An error without a type is the model's own answer, which is the result.
            result = await job.calls.send("GET", document["result"], accepts=_has_failed)
        except ProviderRefused as error:
            raise _refused(error) from error
        if result.status in _OF_INPUT:
            said = job.calls.clean(str(result.document.get("detail")))[:500]
            raise TaskFailure(f"fal refused the input: {said}", raw_message=said)
        if result.status >= 400:  # noqa: PLR2004 - an error, in HTTP
            told = result.document
            raise _failure(job.calls, str(told.get("detail") or told.get("error")), str(told["error_type"]))
        return Look("done", 1.0, result=result.document)

    async def cancel(self, calls: Calls, document: Document) -> None:
        """Take the request out of the queue, or stop it."""
        if "cancel" not in document:
            return
        try:
            await calls.send("PUT", document["cancel"], reads_json=False, repeatable=True)
        except ProviderRefused:
            return

    async def ping(self, calls: Calls) -> None:
        """Ask for a request that is not there, which shows whether the key is taken."""
        try:
            await calls.send("GET", "fal-ai/flux/requests/00000000-0000-0000-0000-000000000000/status")
        except ProviderRefused:
            return

    async def missing(self, calls: Calls, products: list[Product]) -> dict[str, str]:
        """Say nothing: it lists nothing."""
        del calls, products
        return {}


def _has_failed(found: Any) -> bool:
    """Tell a job that has failed from a queue that has: it says how."""
    return isinstance(found, dict) and bool(found.get("error_type"))


def _refused(error: ProviderRefused) -> TaskFailure:
    if error.answered in _GONE:
        return JobLost(str(error), raw_message=error.raw_message)
    if not error.is_plain:
        return error
    if error.answered in _OF_INPUT:
        return TaskFailure(str(error), raw_message=error.raw_message)
    return JobFailed(str(error), raw_message=error.raw_message)


def _failure(calls: Calls, message: str, kind: str) -> JobFailed:
    message = calls.clean(message)[:500]
    return JobFailed(f"fal could not make it: {message}", raw_message=f"{kind}: {message}", retryable=kind in _PASSING)


ENGINE: Final = FalEngine()
