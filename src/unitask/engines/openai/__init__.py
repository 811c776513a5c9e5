"""Media servers that speak OpenAI's language: SGLang, vLLM-Omni, LocalAI. What they make of ours: `products.toml`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from unitask.kit.errors import JobFailed, JobLost, ProviderRefused
from unitask.remote.inputs import as_data, as_file, request_of
from unitask.remote.results import RESULT_BYTES, bring, output_of
from unitask.remote.tabled import Tabled
from unitask.remote.threads import in_thread
from unitask.spec.product import Product
from unitask.spec.remote import Calls, Document, Look, Made, RemoteJob, Reply

_VIDEOS: Final = "videos"
_EDITS: Final = "images/edits"
_SPEECH: Final = "audio/speech"
_FORMS: Final = frozenset({_VIDEOS, _EDITS})


class OpenaiEngine(Tabled):
    """Pictures and speech are the answer to the order itself; films are jobs."""

    name = "openai"
    tables = __name__
    url = ""
    asks_key = False
    at_once = 4

    async def prepare(self, job: RemoteJob) -> Any:
        """Write the request; in it, a file that goes with it is its path."""
        return await request_of(job, self.mapped(job).input, as_file)

    async def submit(self, job: RemoteJob, request: Any, key: str) -> Document:
        """Order; what is made at once is the answer."""
        del key
        call = self.mapped(job).call
        limit_s = float(job.calls.provider.seconds(job.product))
        path = _path(job.calls, call)
        if call in _FORMS:
            reply = await _sent(job, path, request, limit_s)
        else:
            body = {name: await _in_json(value) for name, value in request.items()}
            reply = await job.calls.send("POST", path, json=body, limit_s=limit_s, reads_json=call != _SPEECH)
        if call == _VIDEOS:
            return {"id": str(reply.document["id"])}
        if call == _SPEECH:
            sound = job.new_path("speech")
            await in_thread(sound.write_bytes, reply.content)
            job.answer = [sound]
        else:
            job.answer = [_address(one) for one in reply.document.get("data") or ()]
        return {"answered": True}

    async def look(self, job: RemoteJob, document: Document) -> Look:
        """Look how the film is."""
        if "answered" in document:
            if job.answer is None:
                raise JobLost("the answer to the order was lost with the worker that had it")
            return Look("done", 1.0, result=job.answer)
        path = _path(job.calls, f"{_VIDEOS}/{document['id']}")
        # vLLM-Omni answers with an error and the film that has failed.
        found = (await job.calls.send("GET", path, accepts=lambda one: _is_film(one, document["id"]))).document
        status = found.get("status")
        if status == "completed":
            return Look("done", 1.0)
        if status in {"failed", "cancelled"}:
            told = found.get("error")
            message = job.calls.clean(str(told.get("message") if isinstance(told, dict) else told))[:500]
            raise JobFailed(f"the provider {job.calls.provider.name} could not make it: {message}", raw_message=message)
        progress = found.get("progress")
        fraction = progress / 100 if isinstance(progress, int | float) else None
        return Look("waiting" if status == "queued" else "running", fraction)

    async def collect(self, job: RemoteJob, document: Document, result: Any) -> Made:
        """Fetch and store what was made; a film stays on the server, for another attempt may need it."""
        self.mapped(job).warn(job)
        if "answered" in document:
            files = [one if isinstance(one, Path) else await bring(job, one) for one in result]
            return Made(await output_of(job, files))
        film = job.new_path("film")
        address = job.calls.address(_path(job.calls, f"{_VIDEOS}/{document['id']}/content"))
        await job.calls.download(address, film, limit_bytes=RESULT_BYTES)
        return Made(await output_of(job, [film]))

    async def cancel(self, calls: Calls, document: Document) -> None:
        """Delete the film, which stops its making."""
        if "id" not in document:
            return
        try:
            await calls.send("DELETE", _path(calls, f"{_VIDEOS}/{document['id']}"), reads_json=False, repeatable=True)
        except ProviderRefused:
            return

    async def ping(self, calls: Calls) -> None:
        """Ask for the models."""
        await calls.send("GET", _path(calls, "models"))

    async def missing(self, calls: Calls, products: list[Product]) -> dict[str, str]:
        """Look for the models that these products are ordered of."""
        reply = await calls.send("GET", _path(calls, "models"))
        there = [str(one.get("id")) for one in reply.document.get("data") or ()]
        known = self.known(calls.provider)
        wanted = {product.key: str(known[product.key].input.get("model", "")) for product in products}
        return {
            key: f"it serves {', '.join(there) or 'no model'}, not {model}"
            for key, model in wanted.items()
            if model and model not in there
        }


def _path(calls: Calls, path: str) -> str:
    """Write a path; operators give addresses with `v1` at their end, as the official client wants them, or without."""
    return path if calls.provider.url.endswith("/v1") else f"v1/{path}"


async def _sent(job: RemoteJob, path: str, request: Mapping[str, Any], limit_s: float) -> Reply:
    """Send a form; SGLang wants a film without a picture as JSON, and says so."""
    fields, files = _form(request)
    try:
        return await job.calls.send("POST", path, form=fields, files=files, limit_s=limit_s)
    except ProviderRefused as error:
        if files or "input_reference" not in error.raw_message:
            raise
    return await job.calls.send("POST", path, json=dict(request), limit_s=limit_s)


def _is_film(found: Any, name: str) -> bool:
    return isinstance(found, dict) and found.get("id") == name and "status" in found


def _form(request: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, Path]]]:
    fields: dict[str, Any] = {}
    files: list[tuple[str, Path]] = []
    for name, value in request.items():
        paths = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Path)]
        files += [(name, path) for path in paths]
        if not paths:
            fields[name] = str(value).lower() if isinstance(value, bool) else value
    return fields, files


async def _in_json(value: Any) -> Any:
    if isinstance(value, list):
        return [await _in_json(one) for one in value]
    return await as_data(value) if isinstance(value, Path) else value


def _address(one: Mapping[str, Any]) -> str:
    """Find a picture: its address, or itself as base64."""
    return str(one["url"]) if one.get("url") else f"data:;base64,{one.get('b64_json', '')}"


ENGINE: Final = OpenaiEngine()
