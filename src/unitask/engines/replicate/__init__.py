"""Replicate, by its documented HTTP. What it makes of ours stands in `products.toml`."""

import re
from typing import Any, Final

from unitask.kit.errors import JobFailed, ProviderRefused
from unitask.remote.inputs import as_data, request_of
from unitask.remote.tabled import Tabled
from unitask.spec.media import MediaValue
from unitask.spec.product import Product
from unitask.spec.remote import Calls, Document, Look, RemoteJob

_INLINE_BYTES: Final = 256 * 1024
_PERCENT: Final = re.compile(r"(\d{1,3})%\|")
_WAITING: Final = frozenset({"starting", "queued"})
_STOPPED: Final = frozenset({"canceled", "aborted"})


class ReplicateEngine(Tabled):
    """Orders predictions and looks after them."""

    name = "replicate"
    tables = __name__
    url = "https://api.replicate.com"
    asks_key = True
    at_once = 16

    async def prepare(self, job: RemoteJob) -> Any:
        """Bring files of our own there and write the input."""
        return await request_of(job, self.mapped(job).input, self._handed)

    async def _handed(self, job: RemoteJob, value: MediaValue) -> str:
        if not job.is_own(value.source):
            return value.source
        path = await job.fetch(value.source, value.media)
        if path.stat().st_size <= _INLINE_BYTES:
            return await as_data(path)
        reply = await job.calls.send("POST", "v1/files", files=[("content", path)], repeatable=True)
        return str(reply.document["urls"]["get"])

    async def submit(self, job: RemoteJob, request: Any, key: str) -> Document:
        """Order the prediction; it ends by itself when the attempt's time is over, whatever becomes of us."""
        del key
        model, _, version = self.mapped(job).call.partition(":")
        path = "v1/predictions" if version else f"v1/models/{model}/predictions"
        body = {"input": request} | ({"version": version} if version else {})
        headers = {"Cancel-After": f"{job.calls.provider.seconds(job.product)}s"}
        reply = await job.calls.send("POST", path, json=body, headers=headers)
        return {"id": reply.document["id"]}

    async def look(self, job: RemoteJob, document: Document) -> Look:
        """Look how the prediction is."""
        found = (await job.calls.send("GET", f"v1/predictions/{document['id']}")).document
        status = found.get("status")
        if status == "succeeded":
            return Look("done", 1.0, result=found.get("output"))
        if status == "failed":
            message = job.calls.clean(str(found.get("error") or "it gives no reason"))[:500]
            raise JobFailed(f"the model at {job.calls.provider.name} failed: {message}", raw_message=message)
        if status in _STOPPED:
            raise JobFailed(f"the provider {job.calls.provider.name} stopped the job", raw_message=str(status))
        percents = _PERCENT.findall(str(found.get("logs") or ""))
        fraction = int(percents[-1]) / 100 if percents else None
        return Look("waiting" if status in _WAITING else "running", fraction)

    async def cancel(self, calls: Calls, document: Document) -> None:
        """Stop the prediction."""
        if "id" not in document:
            return
        try:
            await calls.send("POST", f"v1/predictions/{document['id']}/cancel", reads_json=False, repeatable=True)
        except ProviderRefused:
            return

    async def ping(self, calls: Calls) -> None:
        """Ask for the account."""
        await calls.send("GET", "v1/account")

    async def missing(self, calls: Calls, products: list[Product]) -> dict[str, str]:
        """Look for the models of these products."""
        found: dict[str, str] = {}
        known = self.known(calls.provider)
        for product in products:
            model = known[product.key].call.partition(":")[0]
            try:
                await calls.send("GET", f"v1/models/{model}")
            except ProviderRefused:
                found[product.key] = f"it has no model {model}"
        return found


ENGINE: Final = ReplicateEngine()
