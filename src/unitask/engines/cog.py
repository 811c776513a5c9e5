"""A Cog container by its own HTTP API: Replicate's way to pack a model, run on one's own machine.

It has one prediction at a time and no place where a finished one could be asked for, so that the order is one request
that is answered with the result. Models and inputs are those of Replicate: the operator says in `recipes` what runs.
"""

from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from unitask.kit.errors import JobFailed, JobLost, ProviderRefused
from unitask.remote.inputs import as_inline, request_of
from unitask.remote.tabled import Tabled
from unitask.spec.product import Product
from unitask.spec.remote import Calls, Document, Look, RemoteJob

_RUNNING: Final = frozenset({"starting", "processing"})
_AGAIN_S: Final = 5.0


class CogEngine(Tabled):
    """Orders a prediction and waits for it."""

    name = "cog"
    url = ""
    asks_key = False
    at_once = 1

    async def repeats(self, calls: Calls) -> bool:
        """Say that an order that costs nothing may be repeated: what runs still is not begun again, what is over is."""
        return not calls.provider.paid

    async def prepare(self, job: RemoteJob) -> Any:
        """Write the input, files as data: the container is in our network, and reads no address for a stranger."""
        return await request_of(job, self.mapped(job).input, as_inline)

    async def submit(self, job: RemoteJob, request: Any, key: str) -> Document:
        """Order the prediction and wait for it, also behind another one."""
        limit_s = float(job.calls.provider.seconds(job.product))
        for _ in range(max(1, int(limit_s / _AGAIN_S))):
            found = await self._made(job, request, key, limit_s)
            if found is not None and found.get("status") not in _RUNNING:
                break
            await job.calls.wait(_AGAIN_S)
        else:
            raise job.calls.away("it has another prediction still")
        if found.get("status") != "succeeded":
            message = job.calls.clean(str(found.get("error") or found.get("status")))[:500]
            raise JobFailed(f"the model at {job.calls.provider.name} failed: {message}", raw_message=message)
        job.answer = found
        return {"answered": True}

    async def _made(self, job: RemoteJob, request: Any, key: str, limit_s: float) -> Any:
        """Order once; None while it has another prediction."""
        try:
            body = {"input": request}
            path = f"predictions/{_id(key)}"
            may_repeat = not job.calls.provider.paid
            return (await job.calls.send("PUT", path, json=body, repeatable=may_repeat, limit_s=limit_s)).document
        except ProviderRefused as error:
            if error.answered == 409:  # noqa: PLR2004 - conflict, in HTTP
                return None
            raise

    async def look(self, job: RemoteJob, document: Document) -> Look:
        """Give what the order was answered with.

        Raises:
            JobLost: another worker had the answer.

        """
        del document
        if job.answer is None:
            raise JobLost("the answer to the order was lost with the worker that had it")
        return Look("done", 1.0, result=job.answer.get("output"))

    async def cancel(self, calls: Calls, document: Document) -> None:
        """Stop the prediction of a key."""
        if "key" not in document:
            return
        try:
            await calls.send("POST", f"predictions/{_id(document['key'])}/cancel", reads_json=False, repeatable=True)
        except ProviderRefused:
            return

    async def ping(self, calls: Calls) -> None:
        """Ask whether the model is ready."""
        found = (await calls.send("GET", "health-check")).document
        if found.get("status") not in {"READY", "BUSY"}:
            raise calls.away(f"it says that it is {found.get('status')}")

    async def missing(self, calls: Calls, products: list[Product]) -> dict[str, str]:
        """One container has one model: nothing can be told from outside."""
        del calls, products
        return {}


def _id(key: str) -> str:
    return str(uuid5(NAMESPACE_URL, key))


ENGINE: Final = CogEngine()
